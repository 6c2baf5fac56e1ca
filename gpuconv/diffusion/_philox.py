"""Random numbers that are a function of a seed and a counter: the same in every library, in any order, in pieces.

Philox4x32-10 [1]_ is integer arithmetic alone: ten rounds of two products each. Nothing is kept between calls, so that
a chunk of an array can be drawn without the chunks before it.

References
----------
.. [1] J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11, 2011.
   DOI 10.1145/2063384.2063405
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_integer, refusal
from gpuconv.core.dtypes import EPS
from gpuconv.core.namespace import Home, cast, dtype_in, dtype_name, has_double

# Multipliers and Weyl constants of the reference, section 3.3.
_FACTORS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Stream:
    """One source of random words: a key, and what of the counter tells the uses of one seed apart."""

    key: tuple[int, int]
    use: int

    def words(self, home: Home, index: Any, block: int = 0) -> tuple[Any, Any, Any, Any]:
        """Four words in [0, 2^32) for each entry of `index`, a 1-D array made by `counters`; others for each block."""
        low, high = index, 0 * index
        if dtype_name(index.dtype) != "uint32":
            low, high = index & _LOW, index >> 32
        return philox(home, (low, high, 0 * index + block % 2**32, 0 * index + self.use), self.key)


def read_rng(rng: Any, use: int) -> Stream:
    """A stream for one call: of the system's entropy for None, of a seed, or of a NumPy generator's next words."""
    if isinstance(rng, np.random.Generator):
        first, second = rng.integers(0, 2**32, 2).tolist()
        return Stream((first, second), use)
    if rng is not None and (isinstance(rng, bool) or not isinstance(rng, numbers.Integral)):
        rule = "rng must be None, a seed or a numpy.random.Generator"
        raise TypeError(refusal(rule, f"got {rng!r} of type {type(rng).__name__}", "Give a whole number as a seed"))
    if rng is not None and rng < 0:
        raise ValueError(refusal("a seed must not be negative", f"got rng={rng!r}", "Give zero or more"))
    seed = None if rng is None else read_integer("rng", rng)
    first, second = np.random.SeedSequence(seed).generate_state(2).tolist()
    return Stream((first, second), use)


def word_dtype(home: Home) -> str:
    """The dtype of words: torch has no arithmetic in unsigned integers, JAX by default none of 64 bits."""
    if home.library == "torch":
        return "int64"
    return "uint64" if has_double(home) else "uint32"


def counters(home: Home, count: int) -> Any:
    """0 ... count - 1 as words."""
    name = word_dtype(home)
    if name == "uint32" and count > _LOW:
        given = f"{count} are asked for, and jax_enable_x64 is off"
        rule = "2^32 random numbers can be told apart in 32 bits"
        raise ValueError(refusal(rule, given, "Call jax.config.update('jax_enable_x64', True)"))
    return home.xp.arange(count, dtype=dtype_in(home, name), device=home.device)


def counters_like(home: Home, x: Any) -> Any:
    """The place of each sample of `x`, counted along its last axis first, in one dimension; chunked like `x`."""
    xp, total = home.xp, counters(home, 1)
    counters(home, math.prod(x.shape))
    stride = 1
    for axis in reversed(range(x.ndim)):
        along = counters(home, x.shape[axis]) * stride
        total = xp.reshape(along, (-1,) + (1,) * (x.ndim - axis - 1)) + total
        stride *= x.shape[axis]
    return total


def philox(home: Home, counter: tuple[Any, ...], key: tuple[int, int]) -> tuple[Any, Any, Any, Any]:
    """Ten rounds: the four words that belong to a counter of four words and a key of two."""
    first, second, third, fourth = counter
    multiply = _multiply_wide if word_dtype(home) == "uint64" else _multiply_halves
    for round_ in range(10):
        weyl = [_constant(home, (key[place] + round_ * _WEYL[place]) & _LOW) for place in range(2)]
        high, low = multiply(first, _FACTORS[0])
        other_high, other_low = multiply(third, _FACTORS[1])
        first, second, third, fourth = other_high ^ second ^ weyl[0], other_low, high ^ fourth ^ weyl[1], low
    return first, second, third, fourth


def _constant(home: Home, value: int) -> Any:
    """A word beside an array of words; JAX takes Python's integers for int32."""
    return np.dtype(word_dtype(home)).type(value) if home.library == "jax" else value


def _multiply_wide(word: Any, factor: int) -> tuple[Any, Any]:
    """High and low word of a product."""
    product = word * factor
    return product >> 32, product & _LOW


def _multiply_halves(word: Any, factor: int) -> tuple[Any, Any]:
    """The same by halves of 16 bits, so that nothing exceeds 32 bits."""
    lower, upper = word & 0xFFFF, word >> 16
    small, large = factor & 0xFFFF, factor >> 16
    bottom = lower * small
    middle = upper * small + (bottom >> 16)
    across = lower * large + (middle & 0xFFFF)
    high = upper * large + (middle >> 16) + (across >> 16)
    return high, ((across & 0xFFFF) << 16) | (bottom & 0xFFFF)


def uniform(home: Home, word: Any, finer: Any, dtype: str) -> Any:
    """A number in (0, 1) out of two words, as fine as `dtype` (float32 or float64) holds."""
    number = (cast(home, finer, dtype) + 0.5) * 2.0**-32
    # Rounding could make it 1.
    return (cast(home, word, dtype) + number) * (2.0**-32 * (1 - EPS[dtype] / 2))


def normal_pair(home: Home, words: tuple[Any, Any, Any, Any], dtype: str) -> tuple[Any, Any]:
    """Two independent normal numbers of mean 0 and variance 1 (Box and Muller's method)."""
    xp = home.xp
    radius = xp.sqrt(-2 * xp.log(uniform(home, words[0], words[1], dtype)))
    angle = 2 * math.pi * uniform(home, words[2], words[3], dtype)
    return radius * xp.cos(angle), radius * xp.sin(angle)


def thresholds(probabilities: np.ndarray) -> np.ndarray:
    """Of each but the last outcome: the words below it, less those below the thresholds before, are its own.

    Whole numbers, so that all libraries draw the same; a probability is kept to 2^-32. The last axis counts outcomes,
    whose probabilities sum to 1. The largest word is always the last outcome's: 2^32 would not fit into 32 bits.
    """
    below = np.cumsum(probabilities, axis=-1)[..., :-1]
    return np.clip(np.rint(below * 2.0**32), 0, _LOW).astype(np.uint64)
