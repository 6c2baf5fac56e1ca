"""The definition itself: every output is the sum over the kernel's taps."""

from __future__ import annotations

from math import isqrt
from typing import Any

from gpuconv.core.dtypes import EPS, is_complex
from gpuconv.core.problem import Problem
from gpuconv.methods.costs import (
    Estimate,
    Rates,
    block_memory,
    cast_memory,
    compiled_rates,
    extension_cost,
    extension_memory,
    line_cost,
    rates,
    result_memory,
    scratch_memory,
    small_window_cost,
    stored_memory,
    sweep_cost,
    width,
    window_cost,
)
from gpuconv.methods.repeat import Run
from gpuconv.methods.rows import prepare_row


def primitive(problem: Problem) -> str:
    return "correlate_axis" if len(problem.spans) == 1 else "correlate_windows"


def why_not(problem: Problem) -> str | None:
    return None


def estimate(problem: Problem) -> Estimate:
    rate = rates(problem)
    taps = problem.kernel.taps
    compiled = compiled_rates(problem, problem.outputs * taps, primitive(problem)) if len(problem.spans) <= 3 else None
    if compiled is not None:
        # Complex taps are two real kernels, whose results are joined.
        joined = is_complex(problem.kernel.dtype)
        results = 2 * result_memory(problem) if joined else stored_memory(problem, compiled)
        memory = cast_memory(problem, compiled) + results + block_memory(problem)
        return Estimate(_compiled_cost(problem, compiled), memory, local_bound(problem, taps))
    if len(problem.spans) == 1:
        cost = line_cost(problem, problem.outputs, taps) + extension_cost(problem)
    else:
        cost = _window_cost(problem, rate)
    memory = cast_memory(problem) + extension_memory(problem) + scratch_memory(problem) + result_memory(problem)
    return Estimate(cost, memory, local_bound(problem, taps))


def _window_cost(problem: Problem, rate: Rates) -> int:
    small = small_window_cost(problem, rate)
    if small is not None:
        return small
    taps = problem.kernel.taps
    # Slices of NumPy arrays: half a call for each tap, beside its products.
    calls = rate.call * (1 + rate.calls_per_tap * taps) if rate.calls_per_tap else rate.call * (2 + taps) // 2
    return (problem.outputs * taps * rate.product * width(problem) + calls) // rate.parts + extension_cost(problem)


def _compiled_cost(problem: Problem, rate: Rates) -> int:
    taps = problem.kernel.taps
    if len(problem.spans) > 1:
        return window_cost(problem, rate, problem.outputs * taps)
    # Equal taps are doubled up: about six units of work for each doubling.
    summed = min(6 * taps.bit_length(), taps) if problem.kernel.box else taps
    return sweep_cost(problem, rate, problem.outputs * summed, 1)


def local_bound(problem: Problem, taps: int) -> str:
    """Rounding of a sum of `taps` products: relative to the products themselves, sample by sample."""
    if problem.exact:
        return "exact"
    terms = isqrt(4 * taps - 1) + 1  # 2 sqrt(taps), rounded up
    return f"{terms * EPS[problem.rule.accumulator]:.1e} sum |k||x|, locally"


def prepare(problem: Problem, estimate: Estimate, weights: Any, result: str | None = None) -> Run:
    return prepare_row(primitive(problem), problem, weights, result)
