"""A linear recurrence along one axis: what feeds back its own output."""

from __future__ import annotations

import decimal
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gpuconv.core.dtypes import complex_of, is_complex
from gpuconv.core.namespace import Home, bring_home, cast, dtype_name, has_double, home_of

# Digits enough for matrices whose numbers grow by 1e60 and cancel; what is too large becomes infinite.
_EXACT = decimal.Context(prec=80, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, traps=[])
# Outputs that are worked out one after another, in all blocks of a line at once.
BLOCK = 16


@dataclass(frozen=True)
class RecurrenceProblem:
    """A linear recurrence along one axis without its data.

    Attributes
    ----------
    library, device, traced, shape, dtype
        Of the input.
    axis : int
        Counted from the last, so negative.
    order : int
        How many outputs are fed back.
    """

    library: str
    device: str
    traced: bool
    shape: tuple[int, ...]
    dtype: str
    axis: int
    order: int


def result_dtype(dtype: str, feedback: np.ndarray) -> str:
    """That of x; complex if the coefficients are."""
    return complex_of(dtype) if feedback.dtype.kind == "c" else dtype


def linear_recurrence(x: Any, feedback: np.ndarray, axis: int, initial: Any = None) -> Any:
    """``y[n] = x[n] - sum_k feedback[k - 1] y[n - k]`` along `axis`, a negative number.

    k goes from 1 to ``len(feedback)``; `feedback` is a NumPy array in double precision, real or complex. `initial` are
    the outputs before the first, the newest last: the shape of `x`, with ``len(feedback)`` samples along the axis. None
    stands for zeros.

    A line is cut into blocks. Within them outputs follow one another, in all blocks at once and as if nothing had gone
    before. Then the last outputs of each block are carried to those behind it in log2 passes, by powers of the matrix
    that takes these outputs across a block, and their echo is added.

    No output depends on a later sample, not even by its rounding or its not being finite. Behind a sample that is not
    finite nothing need be. Done in order, a recurrence errs by ``eps sum |feedback| |y|`` in each step, which is fed
    back itself. In single precision this is the bound here, too: states are carried in double precision where the
    library has it. In double precision it holds up to a small factor, unless several poles come close to each other and
    to the unit circle: two of 0.99 double the error, 0.95 to 0.98 make it some hundred times as large, up to 1e-7 of
    the largest output. Numbers are not finite where the impulse response overflows within the length of the line.
    """
    if home_of(x).library == "jax":
        # Operation by operation, JAX would compile each of them by itself: five seconds where this takes one.
        return _compiled(feedback.tobytes(), feedback.dtype.str, axis)(x, initial)
    return _in_blocks(x, feedback, axis, initial)


@lru_cache(maxsize=64)
def _compiled(feedback: bytes, dtype: str, axis: int) -> Any:
    coefficients = np.frombuffer(feedback, dtype)
    return sys.modules["jax"].jit(lambda x, initial: _in_blocks(x, coefficients, axis, initial))


def _in_blocks(x: Any, feedback: np.ndarray, axis: int, initial: Any) -> Any:
    home, order, size = home_of(x), len(feedback), x.shape[axis]
    name = result_dtype(dtype_name(x.dtype), feedback)
    x = cast(home, x, name)
    if size == 0 or order == 0:
        return x
    length = min(max(BLOCK, order), size)
    count = -(-size // length)
    # Behind the axis of the blocks comes that of the samples of one, and then what is behind the axis in x.
    rest = (slice(None),) * (-axis - 1)
    before, behind = tuple(x.shape)[: x.ndim + axis], tuple(x.shape)[x.ndim + axis + 1 :]
    padding = count * length - size
    if padding:
        x = home.xp.concat([x, home.xp.zeros_like(x[(..., slice(0, padding), *rest)])], axis=axis)
    y = _within_blocks(home, home.xp.reshape(x, (*before, count, length, *behind)), feedback, axis)
    if initial is not None or count > 1:
        states = y[(..., slice(0, count - 1), slice(length - min(order, length), length), *rest)]
        if initial is None:
            first = home.xp.zeros_like(states[(..., slice(0, 1), slice(None), *rest)])
        else:
            first = home.xp.reshape(cast(home, initial, name), (*before, 1, order, *behind))
        states = home.xp.concat([first, states], axis=axis - 1) if count > 1 else first
        if has_double(home):
            # The matrices have large numbers where poles are close to each other, and what they make cancels.
            states = cast(home, states, "complex128" if is_complex(name) else "float64")
        states = cast(home, _carried(home, states, transitions(feedback, length, (count - 1).bit_length()), axis), name)
        y = y + _applied(home, echo(feedback, length), states, axis)
    return home.xp.reshape(y, (*before, count * length, *behind))[(..., slice(0, size), *rest)]


def _within_blocks(home: Home, blocks: Any, feedback: np.ndarray, axis: int) -> Any:
    """The outputs of each block alone."""
    rest = (slice(None),) * (-axis - 1)
    coefficients = feedback.tolist()
    outputs: list[Any] = []
    for position in range(blocks.shape[axis]):
        value = blocks[(..., position, *rest)]
        for back, coefficient in enumerate(coefficients[:position], 1):
            value = value - coefficient * outputs[-back]
        outputs.append(value)
    return home.xp.stack(outputs, axis=axis)


def _carried(home: Home, states: Any, matrices: np.ndarray, axis: int) -> Any:
    """What each block begins with, from what they end with by themselves: across 1, 2, 4, ... blocks."""
    rest = (slice(None),) * -axis
    count = states.shape[axis - 1]
    for doublings, matrix in enumerate(matrices):
        distance = 2**doublings
        earlier = states[(..., slice(0, count - distance), *rest)]
        later = states[(..., slice(distance, count), *rest)] + _applied(home, matrix, earlier, axis)
        states = home.xp.concat([states[(..., slice(0, distance), *rest)], later], axis=axis - 1)
    return states


def _applied(home: Home, matrix: np.ndarray, states: Any, axis: int) -> Any:
    """`matrix` times the states, which lie along the axis. Column by column: products of matrices may round more."""
    rest = -axis - 1
    name = dtype_name(states.dtype)
    with np.errstate(over="ignore"):
        columns = bring_home(matrix.T.reshape((*matrix.T.shape, *(1,) * rest)), home, name)
    total = None
    for position in range(matrix.shape[1]):
        samples = states[(..., slice(position, position + 1), *(slice(None),) * rest)]
        product = columns[position, ...] * samples
        total = product if total is None else total + product
    return total


def echo(feedback: np.ndarray, length: int) -> np.ndarray:
    """The next `length` outputs, one a row, of each of the last ones alone (the newest in the last column)."""
    order = len(feedback)
    outputs = np.concatenate([np.eye(order, dtype=feedback.dtype), np.zeros((length, order), feedback.dtype)])
    with np.errstate(over="ignore", invalid="ignore"):
        for position in range(length):
            outputs[order + position] = -feedback[::-1] @ outputs[position : order + position]
    return outputs[order:]


def transitions(feedback: np.ndarray, length: int, count: int) -> np.ndarray:
    """Matrices that take the last ``len(feedback)`` outputs, the newest last, `length` samples on, then twice as many.

    `count` of them, each rounded once: a power of a rounded matrix is off by the product of what both make of rounding,
    a thousand million eps where four poles come close to one.
    """
    return _transitions(feedback.tobytes(), feedback.dtype.str, length, count)


@lru_cache(maxsize=64)
def _transitions(feedback: bytes, dtype: str, length: int, count: int) -> np.ndarray:
    coefficients = np.frombuffer(feedback, dtype)
    order = len(coefficients)
    matrix = np.eye(order, k=1, dtype=dtype)
    matrix[-1] = -coefficients[::-1]
    # Complex numbers as matrices of real ones.
    real = np.block([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]]) if matrix.dtype.kind == "c" else matrix
    found = np.empty((count, *real.shape))
    with decimal.localcontext(_EXACT):
        power = np.linalg.matrix_power(np.vectorize(decimal.Decimal, otypes=[object])(real), length)
        for position in range(count):
            found[position] = power.astype(float)
            if position < count - 1:
                power = power @ power
    if matrix.dtype.kind == "c":
        return found[:, :order, :order] + 1j * found[:, order:, :order]
    return found
