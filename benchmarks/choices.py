"""How often "auto" is right: random convolutions timed by every method, against the one the planner takes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import reduce
from math import exp, log, prod
from time import perf_counter
from typing import Any

import numpy as np

import gpuconv
from benchmarks.harness import Effort, time_in_turn
from benchmarks.libraries import ArrayLibrary
from benchmarks.rates import planned_with
from gpuconv.methods.costs import Estimate, Rates

# "auto" counts as right where its method takes at most this much longer than the fastest one.
MARGIN = 1.25
# A method that takes so much longer than the fastest is not timed again: it will not win.
HOPELESS = 3.0
# Larger problems would take seconds by direct summation; each drawn problem is shrunk until it is within both.
MOST_SAMPLES = 2_000_000
MOST_PRODUCTS = 250_000_000
MOST_TAPS = {1: 4097, 2: 65, 3: 17}
EFFORT = Effort(seconds=0.2, fewest=5, most=30)


def draw(count: int, seed: int = 20) -> list[dict[str, Any]]:
    """Random problems: 1 to 3 dimensions in turn, sizes and taps spread evenly over their logarithms."""
    rng = np.random.default_rng(seed)
    return [_draw_one(rng, 1 + index % 3) for index in range(count)]


def _draw_one(rng: np.random.Generator, ndim: int) -> dict[str, Any]:
    def spread(low: float, high: float) -> int:
        return round(exp(rng.uniform(log(low), log(high))))

    samples = spread(1000, MOST_SAMPLES)
    side = samples ** (1 / ndim)
    shape = [max(8, round(side * exp(rng.uniform(-0.5, 0.5)))) for _ in range(ndim)]
    taps = [spread(3, MOST_TAPS[ndim]) for _ in range(ndim)]
    taps = [min(count, size) for count, size in zip(taps, shape, strict=True)]
    while prod(shape) * prod(taps) > MOST_PRODUCTS:
        shape[0] = max(taps[0], int(shape[0] * 0.7))
        taps[-1] = max(3, int(taps[-1] * 0.8))
    return {
        "shape": tuple(shape),
        "kernel": tuple(taps),
        "dtype": ("float32", "float32", "float64")[int(rng.integers(3))],
        "boundary": ("constant", "reflect", "wrap")[int(rng.integers(3))],
        "outer": ndim > 1 and bool(rng.random() < 0.3),
    }


def measure(library: ArrayLibrary, count: int, patience: float) -> dict[str, Any]:
    """Every method's time on `count` random problems, the planner's choice, and how often it is within `MARGIN`."""
    rows = [_measure_one(library, problem, patience) for problem in draw(count)]
    return {"library": library.name, "margin": MARGIN, "problems": rows} | score(rows)


def score(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Share of problems on which the choice is within `MARGIN` of the fastest method, and the loss over all."""
    losses = [row["loss"] for row in rows]
    return {
        "count": len(rows),
        "within_margin": sum(loss <= MARGIN for loss in losses),
        "geometric_mean_loss": exp(sum(log(loss) for loss in losses) / len(losses)),
        "worst_loss": max(losses),
    }


def score_with(library: ArrayLibrary, rows: Sequence[dict[str, Any]], other: Rates) -> dict[str, Any]:
    """The score on problems already timed if the planner had other constants.

    Block lengths that `other` would change for the overlap method count as those that were timed.
    """
    losses = []
    for row in rows:
        with planned_with(library.name, other):
            x, kernel = _arrays(library, row)
            method = gpuconv.plan_convolution(x, kernel, boundary=row["boundary"]).method
        losses.append({"loss": row["seconds"][method] / min(row["seconds"].values())})
    return score(losses)


def _measure_one(library: ArrayLibrary, problem: dict[str, Any], patience: float) -> dict[str, Any]:
    x, kernel = _arrays(library, problem)
    boundary = problem["boundary"]
    plan = gpuconv.plan_convolution(x, kernel, boundary=boundary)
    usable = {name: entry for name, entry in plan.estimates if isinstance(entry, Estimate)}
    calls = {
        name: lambda name=name: gpuconv.convolve(x, kernel, boundary=boundary, method=name)
        for name in usable
        if not _is_fft_again(name, usable)
    }
    seconds = _fastest(library, calls, patience)
    if "overlap" not in seconds and "overlap" in usable:
        seconds["overlap"] = seconds["fft"]
    best = min(seconds, key=lambda name: seconds[name])
    return {
        **problem,
        "chosen": plan.method,
        "fastest": best,
        "loss": seconds[plan.method] / seconds[best],
        "seconds": seconds,
        "predicted_s": {name: entry.cost * 1e-12 for name, entry in usable.items()},
        "lengths": {name: entry.lengths for name, entry in usable.items() if entry.lengths},
    }


def _is_fft_again(name: str, usable: dict[str, Estimate]) -> bool:
    """True for overlap-save with a single block, which is the fft method under another name."""
    return name == "overlap" and "fft" in usable and usable["overlap"].lengths == usable["fft"].lengths


def _fastest(library: ArrayLibrary, calls: dict[str, Callable[[], Any]], patience: float) -> dict[str, float]:
    """Shortest time of each call; those without a chance are timed once or twice, the others in turn."""
    seconds = {}
    for name, call in calls.items():
        call()
        start = perf_counter()
        seconds[name] = min(library.seconds(call, 1), library.seconds(call, 1))
        if perf_counter() - start < 0.02:
            seconds[name] = min(seconds[name], library.seconds(call, 1))
    close = [name for name in calls if seconds[name] <= HOPELESS * min(seconds.values())]
    if len(close) > 1:
        timers = [lambda repeats, name=name: library.seconds(calls[name], repeats) for name in close]
        for name, times in zip(close, time_in_turn(timers, EFFORT.times(patience)), strict=True):
            seconds[name] = min(times)
    return seconds


def _arrays(library: ArrayLibrary, problem: dict[str, Any]) -> tuple[Any, np.ndarray]:
    facts = [problem[name] for name in ("shape", "kernel", "dtype", "boundary", "outer")]
    rng = np.random.default_rng(zlib.crc32(repr(facts).encode()))
    x = library.from_host(rng.standard_normal(problem["shape"]).astype(problem["dtype"]))
    if problem["outer"]:
        return x, reduce(np.multiply.outer, [rng.standard_normal(taps) for taps in problem["kernel"]])
    return x, rng.standard_normal(problem["kernel"])
