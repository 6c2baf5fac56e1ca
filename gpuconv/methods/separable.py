"""Kernels that are outer products, or short sums of them: one pass per axis instead of all taps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import Any

import numpy as np

from gpuconv.core.dtypes import EPS, LARGEST, is_complex
from gpuconv.core.problem import Problem
from gpuconv.methods.costs import (
    RATES,
    Estimate,
    Rates,
    block_memory,
    cast_memory,
    compiled_rates,
    extension_cost,
    extension_memory,
    line_cost,
    result_memory,
    scratch_memory,
    stored_memory,
    sweep_cost,
)
from gpuconv.methods.direct import local_bound
from gpuconv.methods.repeat import Run
from gpuconv.methods.rows import prepare_row

# A product of rounded factors is off by an eps or two per element; more than this is not an outer product.
TOLERANCE = 4
# Sums of more terms than this never pay: each costs a pass per axis and a buffer.
MOST_TERMS = 8
# Bytes of a kernel whose factors are kept for the next call; a 256-entry cache then holds 16 MiB at most.
REMEMBERED = 2**16
# Taps of the largest kernel that is decomposed: 128 x 128 takes 3 ms, 1024 x 1024 longer than its FFT convolution.
LARGEST_DECOMPOSED = 2**14


@dataclass(frozen=True)
class Factors:
    """A kernel as a sum of outer products: one list of taps per term, one taps array per axis."""

    banks: tuple[tuple[np.ndarray, ...], ...]
    locally_exact: bool
    """True if every single tap is met to rounding, not only the kernel as a whole."""


def factorize(weights: np.ndarray, dtype: str) -> Factors | None:
    """Outer products that make up `weights` to the rounding of `dtype`; None if there is no short sum of them."""
    if weights.nbytes > REMEMBERED:
        return _factorize(weights, dtype)
    return _remembered(weights.tobytes(), weights.shape, weights.dtype.str, dtype)


@lru_cache(maxsize=256)
def _remembered(data: bytes, shape: tuple[int, ...], stored: str, dtype: str) -> Factors | None:
    return _factorize(np.frombuffer(data, stored).reshape(shape), dtype)


def _factorize(weights: np.ndarray, dtype: str) -> Factors | None:
    if weights.dtype.kind in "iu":
        bank = _integer_factors(weights)
        return None if bank is None else Factors((bank,), True)
    if not np.isfinite(weights).all() or not weights.any():
        return None
    eps = EPS[dtype]
    bank = _outer_product(weights, eps)
    if bank is not None:
        return Factors((bank,), True)
    banks = _low_rank(weights, dtype) if weights.ndim == 2 and weights.size <= LARGEST_DECOMPOSED else None
    return None if banks is None else Factors(banks, False)


def _outer_product(weights: np.ndarray, eps: float) -> tuple[np.ndarray, ...] | None:
    """Lines through the largest element, if their outer product gives every element back within 4 eps."""
    centre = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    pivot = weights[centre]
    bank = []
    for axis in range(weights.ndim):
        line = weights[(*centre[:axis], slice(None), *centre[axis + 1 :])]
        bank.append(line / pivot)
    product = _outer(bank) * pivot
    if not np.all(np.abs(product - weights) <= TOLERANCE * eps * np.abs(weights)):
        return None
    # The first pass carries the pivot: later taps are at most 1, and no pass overflows before the result does.
    bank[0] = bank[0] * pivot
    return tuple(bank)


def _outer(bank: list[np.ndarray] | tuple[np.ndarray, ...]) -> np.ndarray:
    product = bank[0]
    for taps in bank[1:]:
        product = np.multiply.outer(product, taps)
    return product


def _integer_factors(weights: np.ndarray) -> tuple[np.ndarray, ...] | None:
    """Integer taps whose outer product is exactly `weights`, if there are any."""
    exact = weights.astype(object)
    bank = []
    while exact.ndim > 1:
        rows = exact.reshape(exact.shape[0], -1)
        nonzero = np.argwhere(rows != 0)
        if len(nonzero) == 0:
            return None
        row, column = nonzero[0]
        divisor = gcd(*rows[row].tolist())
        rest = rows[row] // divisor
        taps = rows[:, column] // rest[column]
        if not np.array_equal(np.multiply.outer(taps, rest), rows):
            return None
        bank.append(taps.astype(weights.dtype))
        exact = rest.reshape(exact.shape[1:])
    return (*bank, exact.astype(weights.dtype))


def _low_rank(weights: np.ndarray, dtype: str) -> tuple[tuple[np.ndarray, ...], ...] | None:
    """Singular value decomposition, cut where what is left out is below 4 eps of the kernel's norm."""
    left, values, right = np.linalg.svd(weights, full_matrices=False)
    terms = int(np.count_nonzero(values > TOLERANCE * EPS[dtype] * values[0]))
    if terms > MOST_TERMS or terms * sum(weights.shape) >= weights.size:
        return None
    if values[0] > LARGEST[dtype] / 2:  # a factor could overflow where no tap does
        return None
    return tuple((left[:, term] * values[term], right[term]) for term in range(terms))


def primitive(problem: Problem) -> str:
    return "correlate_separable"


def why_not(problem: Problem) -> str | None:
    if len(problem.spans) < 2:
        return "one axis is one pass already"
    if problem.kernel.residency != "host":
        return f"the kernel is {problem.kernel.residency}: its values cannot be looked at"
    if problem.kernel.rank is None:
        return "the kernel is no short sum of outer products, or too little work to test it"
    if problem.accuracy == "local" and not problem.kernel.locally_exact:
        return "accuracy='local' needs taps that are met one by one; these are met in norm only"
    return None


def estimate(problem: Problem) -> Estimate:
    shape = list(problem.extended_shape)
    products = passes = 0
    for span in problem.spans:
        shape[span.axis] = span.count
        size = 1
        for n in shape:
            size *= n
        products += size * span.taps
        passes += line_cost(problem, size, span.taps)
    terms = problem.kernel.rank or 1
    summed = terms * problem.outputs * sum(span.taps for span in problem.spans)
    compiled = compiled_rates(problem, summed, primitive(problem))
    cost = terms * passes + extension_cost(problem)
    # Two passes' arrays and the sum of terms; complex passes are real ones on parts, copied in and out.
    arrays = (2 if terms == 1 else 3) + 2 * is_complex(problem.rule.accumulator)
    memory = (
        cast_memory(problem, compiled)
        + extension_memory(problem)
        + scratch_memory(problem)
        + arrays * result_memory(problem)
    )
    if compiled is not None:
        cost = sweep_cost(problem, compiled, terms * products, len(problem.spans) - 1)
        memory = cast_memory(problem, compiled) + block_memory(problem) + _swept_memory(problem, terms, compiled)
    bound = local_bound(problem, sum(span.taps for span in problem.spans) + TOLERANCE**2)
    if not problem.kernel.locally_exact:
        bound = bound.replace("sum |k||x|, locally", "||x|| ||k|| over a footprint, not locally")
    return Estimate(cost, memory, bound)


def _swept_memory(problem: Problem, terms: int, compiled: Rates) -> int:
    """What compiled sweeps write: the result, beside it what lies between two sweeps, and sums of several terms."""
    between = (1 if terms == 1 else 2) * result_memory(problem)
    if compiled is not RATES["compiled"]:
        return between + result_memory(problem)
    if is_complex(problem.kernel.dtype):
        # Two real lines each, whose results are joined: of real samples to complex ones in the first pass.
        return ((3 if is_complex(problem.dtype) else 4) + (terms > 1)) * result_memory(problem)
    # Here, since it loads llvmlite, which these loops need in any case.
    from gpuconv.backends.cpu.fused import is_one_sweep

    if not problem.kernel.box and is_one_sweep(problem.shape, problem.spans, problem.working_dtype):
        between = 0
    return between + stored_memory(problem, compiled)


def prepare(problem: Problem, estimate: Estimate, weights: Any, result: str | None = None) -> Run:
    factors = factorize(weights, problem.rule.accumulator)
    assert factors is not None, "the plan was made for a kernel of known rank"
    return prepare_row(primitive(problem), problem, factors.banks, result)
