"""Overlap-save: transforms of blocks a few kernels long, so that no padded copy of the whole is needed."""

from __future__ import annotations

from math import prod
from typing import Any

from gpuconv.backends.memory import memory_limit
from gpuconv.core.boundary import Span
from gpuconv.core.frequencies import fast_length
from gpuconv.core.problem import Problem
from gpuconv.methods import fft
from gpuconv.methods.costs import RATES, Estimate, rates, within_limit
from gpuconv.methods.repeat import Run

primitive = fft.primitive

# Block lengths tried, in kernel lengths. Short blocks waste their overlap, long ones leave the cache.
FACTORS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
# Shorter transforms than this spend their time on being started, by number of convolved axes (benchmarks, subject
# "methods", on NumPy).
SHORTEST = {1: 16384, 2: 128, 3: 32}
# Longer lines than this leave a CPU's cache: blocks of four kernels, where those are longer yet. 10 million samples
# under 65,537 taps in single precision, on a busy machine: blocks of 131,220 246 ms, 196,830 180 ms, 262,440 146 ms,
# 524,880 148 ms, 787,320 160 ms.
LONGEST_CACHED = 2**18
# The same for blocks of several axes. 2048^2 under 63x63 taps in single precision, one thread: blocks of 480^2 32 ms,
# 576^2 30 ms, 750^2 34 ms, 1100^2 45 ms.
LARGEST_CACHED = 2**19


def candidates(problem: Problem) -> list[tuple[int, ...]]:
    """Block lengths to choose from: a few kernels per axis, and no axis longer than the whole needs.

    Where every one of them covers everything, that one block is left, and overlap-save is the fft method.
    """
    shortest = SHORTEST.get(len(problem.spans), 16)
    whole = tuple(fast_length(max(span.length, span.taps)) for span in problem.spans)
    found = {
        tuple(
            min(fast_length(max(factor * span.taps, shortest)), length)
            for span, length in zip(problem.spans, whole, strict=True)
        )
        for factor in FACTORS
        if not _leaves_cache(problem, factor)
    }
    if len(problem.spans) > 1:
        found = {tuple(map(_even_length, problem.spans, lengths)) for lengths in found}
    return sorted(lengths for lengths in found if block_count(problem, lengths) > 1) or [whole]


def _even_length(span: Span, length: int) -> int:
    """The shortest length with which no more blocks are needed: the last one then is about as full as the others."""
    outputs = max(span.count, 1)
    count = -(-outputs // (length - span.taps + 1))
    return min(fast_length(-(-outputs // count) + span.taps - 1), length)


def _leaves_cache(problem: Problem, factor: int) -> bool:
    """True for blocks that a CPU would do better to cut shorter."""
    if problem.library != "dask" and rates(problem) is not RATES["numpy"]:
        return False
    longest = LONGEST_CACHED if len(problem.spans) == 1 else LARGEST_CACHED
    return factor > 4 and prod(factor * span.taps for span in problem.spans) > longest


def block_count(problem: Problem, lengths: tuple[int, ...]) -> int:
    return prod(-(-span.count // (length - span.taps + 1)) for span, length in zip(problem.spans, lengths, strict=True))


def why_not(problem: Problem) -> str | None:
    reasons = [fft.why_not_fourier(problem, lengths) for lengths in candidates(problem)]
    return None if None in reasons else reasons[0]


def estimate(problem: Problem) -> Estimate:
    """The cheapest of the candidate block lengths within the memory limit."""
    usable = [lengths for lengths in candidates(problem) if fft.why_not_fourier(problem, lengths) is None]
    estimates = [fft.fourier_estimate(problem, lengths, block_count(problem, lengths)) for lengths in usable]
    return min(within_limit(estimates, memory_limit(problem.device)), key=lambda estimate: estimate.cost)


def prepare(problem: Problem, estimate: Estimate, weights: Any, result: str | None = None) -> Run:
    return fft.prepare(problem, estimate, weights, result)
