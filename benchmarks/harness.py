"""Checks a case, then times it: peers and gpuconv in turn, in one process.

A contender whose answer is wrong is reported as wrong and never timed. The first call, which imports, plans and
compiles, is kept apart from the warm ones. Every round times each contender once, so that a disturbance of the
machine meets all of them, and ratios are taken round by round.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from benchmarks.libraries import ArrayLibrary

# The contender that all ratios refer to.
OURS = "gpuconv"
# Shorter samples than this would measure the clock.
SAMPLE_SECONDS = 1e-3


class Oracle(Protocol):
    """What is right for a contender."""

    def why_wrong(self, result: np.ndarray) -> str | None:
        """What is wrong with a result; None if nothing is."""

    def error(self, result: np.ndarray) -> float:
        """How far off a result is."""


@dataclass(frozen=True)
class Definition:
    """An array, in float64, and the largest permitted error of a sample; 0 for exact results."""

    expected: np.ndarray
    tolerance: float

    def why_wrong(self, result: np.ndarray) -> str | None:
        return why_wrong(result, self.expected, self.tolerance)

    def error(self, result: np.ndarray) -> float:
        return largest_error(result, self.expected)


@dataclass(frozen=True)
class Contender:
    """One way of doing a case: a call without arguments, or the reason why there is none.

    Attributes
    ----------
    name : str
    call : callable or None
        Does the work on arrays that were made beforehand, and returns the result.
    status, reason : str
        Without a call: "absent" (not installed) or "left out" (does not do this work), and why.
    library : ArrayLibrary or None
        Whose arrays the call returns, if not the case's own.
    definition : Oracle or None
        What is right for it, if not what is for the case.
    """

    name: str
    call: Callable[[], Any] | None = None
    status: str = ""
    reason: str = ""
    library: ArrayLibrary | None = None
    definition: Oracle | None = None


@dataclass(frozen=True)
class Case:
    """A piece of work, its contenders, and what is right.

    Attributes
    ----------
    name : str
    library : ArrayLibrary
    contenders : sequence of Contender
    expected : array
        The definition, in float64.
    tolerance : float
        Largest permitted error of a sample; 0 for exact results.
    traffic : int
        Bytes of input and result: the least that has to go through memory.
    products : int
        Multiply-adds of the definition.
    """

    name: str
    library: ArrayLibrary
    contenders: Sequence[Contender]
    expected: np.ndarray
    tolerance: float
    traffic: int = 0
    products: int = 0


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds of a case until `seconds` are over, but at least and at most so many."""

    seconds: float = 0.6
    fewest: int = 5
    most: int = 100

    def times(self, patience: float) -> Effort:
        """More of the same."""
        return Effort(self.seconds * patience, max(3, round(self.fewest * patience)), round(self.most * patience) + 3)


def run_case(case: Case, effort: Effort, limits: dict[str, float] | None = None) -> dict[str, Any]:
    """Check every contender of a case, time the right ones, and report on all of them."""
    rows, racing = [], []
    for contender in case.contenders:
        row = _check(case, contender)
        rows.append(row)
        if row["status"] == "timed":
            racing.append((contender, row))
    samples = time_in_turn([_timer(case, contender) for contender, _ in racing], effort)
    for (_, row), times in zip(racing, samples, strict=True):
        row.update(summary(times))
    _add_ratios(racing, samples)
    for _, row in racing:
        _add_shares(row, case, limits or {})
    return {
        "case": case.name,
        "library": case.library.name,
        "traffic_bytes": case.traffic,
        "products": case.products,
        "contenders": rows,
    }


def _check(case: Case, contender: Contender) -> dict[str, Any]:
    """Name and status of a contender; if it does the work, its first call and how far off the answer is."""
    row: dict[str, Any] = {"name": contender.name}
    if contender.call is None:
        return row | {"status": contender.status, "reason": contender.reason}
    library = contender.library or case.library
    start = perf_counter()
    try:
        result = library.to_host(contender.call())
    except Exception as error:  # a contender that fails is a finding; the others are still measured
        return row | {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
    first = perf_counter() - start
    definition = contender.definition or Definition(case.expected, case.tolerance)
    fault = definition.why_wrong(result)
    if fault is not None:
        return row | {"status": "wrong", "reason": fault}
    return row | {"status": "timed", "first_s": first, "error": definition.error(result)}


def largest_error(result: np.ndarray, expected: np.ndarray) -> float:
    """Of any sample."""
    return float(np.max(np.abs(np.asarray(result, np.float64) - expected), initial=0.0))


def why_wrong(result: np.ndarray, expected: np.ndarray, tolerance: float) -> str | None:
    """What is wrong with a result; None if all of it is within `tolerance`."""
    if result.shape != expected.shape:
        return f"the shape is {result.shape}, it should be {expected.shape}"
    difference = np.abs(np.asarray(result, np.float64) - expected)
    # Written so that NaN counts as wrong.
    worst = np.unravel_index(np.argmax(np.where(np.isnan(difference), np.inf, difference)), difference.shape)
    if difference[worst] <= tolerance:
        return None
    place = tuple(int(index) for index in worst)
    return f"at {place} it is {result[worst]:.9g}, it should be {expected[worst]:.9g} within {tolerance:.2g}"


def _timer(case: Case, contender: Contender) -> Callable[[int], float]:
    library = contender.library or case.library
    assert contender.call is not None
    call = contender.call
    return lambda repeats: library.seconds(call, repeats)


def time_in_turn(timers: Sequence[Callable[[int], float]], effort: Effort) -> list[list[float]]:
    """Seconds per call: one list for each of `timers`, entry by entry from the same round.

    ``timer(repeats)`` gives the mean duration of a call. Every call is warmed up first. The order is turned round
    from one round to the next, so that nobody always runs in the wake of the same neighbour.
    """
    repeats = [max(1, int(SAMPLE_SECONDS / max(timer(1), 1e-9))) for timer in timers]
    samples: list[list[float]] = [[] for _ in timers]
    order = list(range(len(timers)))
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = perf_counter()
        rounds = 0
        while timers and rounds < effort.most:
            if rounds >= effort.fewest and perf_counter() - start > effort.seconds:
                break
            for index in order if rounds % 2 == 0 else reversed(order):
                if repeats[index] > 1:
                    timers[index](repeats[index])  # idle threads of the one before may still be spinning
                samples[index].append(timers[index](repeats[index]))
            rounds += 1
    finally:
        if collecting:
            gc.enable()
    return samples


def summary(times: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles, minimum and number of samples."""
    lower, middle, upper = (float(value) for value in np.quantile(times, (0.25, 0.5, 0.75)))
    return {
        "median_s": middle,
        "lower_quartile_s": lower,
        "upper_quartile_s": upper,
        "fastest_s": min(times),
        "rounds": len(times),
    }


def _add_ratios(racing: Sequence[tuple[Contender, dict[str, Any]]], samples: Sequence[Sequence[float]]) -> None:
    """How many times longer than gpuconv each contender took: the median over the rounds."""
    ours = next((times for (contender, _), times in zip(racing, samples, strict=True) if contender.name == OURS), None)
    if ours is None:
        return
    for (_, row), times in zip(racing, samples, strict=True):
        row["ratio"] = statistics.median(theirs / own for theirs, own in zip(times, ours, strict=True))


def _add_shares(row: dict[str, Any], case: Case, limits: dict[str, float]) -> None:
    """Speed as a share of the machine's: 1 means that a copy of the data would take as long."""
    if case.traffic and "copy_bytes_per_s" in limits:
        row["share_of_copy"] = case.traffic / row["median_s"] / limits["copy_bytes_per_s"]
    if case.products and "multiply_adds_per_s" in limits:
        row["share_of_multiply_adds"] = case.products / row["median_s"] / limits["multiply_adds_per_s"]
