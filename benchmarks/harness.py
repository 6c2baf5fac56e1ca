"""Checks a case, then times it: peers and gpuconv in turn, libraries with pools of threads in processes of their own.

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

from benchmarks.apart import Elsewhere, Here, Runner
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
    elsewhere : Elsewhere or None
        In place of a call: the work in another process.
    """

    name: str
    call: Callable[[], Any] | None = None
    status: str = ""
    reason: str = ""
    library: ArrayLibrary | None = None
    definition: Oracle | None = None
    elsewhere: Elsewhere | None = None

    def runner(self, library: ArrayLibrary) -> Runner | None:
        """How it is called, where arrays are those of `library`; None if it does not do the work."""
        if self.elsewhere is not None:
            return self.elsewhere
        return None if self.call is None else Here(self.call, self.library or library)


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
    dtype : str
        That they are done in.
    predicted : int or None
        Bytes that the plan expects gpuconv to take, where there is a plan.
    """

    name: str
    library: ArrayLibrary
    contenders: Sequence[Contender]
    expected: np.ndarray
    tolerance: float
    traffic: int = 0
    products: int = 0
    dtype: str = "float32"
    predicted: int | None = None


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
        runner = contender.runner(case.library)
        row = _check(case, contender, runner)
        rows.append(row)
        if row["status"] == "timed" and runner is not None:
            racing.append((runner, row))
    samples = time_in_turn([runner.seconds for runner, _ in racing], effort)
    for (runner, row), times in zip(racing, samples, strict=True):
        row.update(summary(times))
        row["peak_bytes"] = runner.peak()
    _add_ratios([row for _, row in racing], samples)
    for _, row in racing:
        _add_shares(row, case, limits or {})
        if row["name"] == OURS and case.predicted is not None:
            row["predicted_bytes"] = case.predicted
    for runner, _ in racing:
        if isinstance(runner, Elsewhere):
            runner.close()
    return {
        "case": case.name,
        "library": case.library.name,
        "traffic_bytes": case.traffic,
        "products": case.products,
        "contenders": rows,
    }


def _check(case: Case, contender: Contender, runner: Runner | None) -> dict[str, Any]:
    """Name and status of a contender; if it does the work, its first call and how far off the answer is."""
    row: dict[str, Any] = {"name": contender.name}
    if runner is None:
        return row | {"status": contender.status, "reason": contender.reason}
    try:
        result, first = runner.first()
    except Exception as error:  # a contender that fails is a finding; the others are still measured
        reason = str(error) if contender.elsewhere is not None else f"{type(error).__name__}: {error}"
        return row | {"status": "failed", "reason": reason}
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


def _add_ratios(rows: Sequence[dict[str, Any]], samples: Sequence[Sequence[float]]) -> None:
    """How many times longer than gpuconv each contender took: the median over the rounds."""
    ours = next((times for row, times in zip(rows, samples, strict=True) if row["name"] == OURS), None)
    if ours is None:
        return
    for row, times in zip(rows, samples, strict=True):
        row["ratio"] = statistics.median(theirs / own for theirs, own in zip(times, ours, strict=True))


def _add_shares(row: dict[str, Any], case: Case, limits: dict[str, float]) -> None:
    """Speed as a share of the machine's: 1 means that a copy of the data would take as long.

    All threads copy, and multiply, as fast as the machine can; a method that needs fewer products than the definition
    may be above 1.
    """
    copies = [limits[name] for name in ("copy_bytes_per_s", "copy_bytes_per_s_all") if name in limits]
    if case.traffic and copies:
        row["share_of_copy"] = case.traffic / row["median_s"] / max(copies)
    ending = "_double" if case.dtype in ("float64", "complex128") else ""
    peaks = [
        limits[name] for name in ("multiply_adds_per_s" + ending, f"multiply_adds_per_s{ending}_one") if name in limits
    ]
    if case.products and peaks:
        row["share_of_multiply_adds"] = case.products / row["median_s"] / max(peaks)
