"""How often "auto" is right: random convolutions timed by every method, against the one the planner takes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import reduce
from math import exp, log, prod
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import gpuconv
from benchmarks.harness import Effort, time_in_turn
from benchmarks.libraries import ArrayLibrary
from gpuconv.methods.costs import Estimate
from gpuconv.methods.plan import Plan

# "auto" counts as right where its method takes at most this much longer than the fastest one.
MARGIN = 1.25
# A method that takes so much longer than the fastest is not timed again: it will not win.
HOPELESS = 2.0
# A method predicted to take both this long and this many times the fastest one measured so far is first tried on
# `PART` of the samples. Where that, scaled up, is over SLOW times the fastest, the scaled time stands.
LONG_SECONDS, LONG_TIMES, PART, SLOW = 0.05, 8.0, 16, 4.0
# A method is first called so often, but no more after so many seconds; and only once where that takes too long.
CALLS, LONG_CALL, HOPELESS_CALL = 5, 0.5, 10.0
BOUNDARIES = ("constant", "reflect", "mirror", "nearest", "wrap")
EFFORT = Effort(seconds=0.2, fewest=5, most=30)


@dataclass(frozen=True)
class Scope:
    """From what problems are drawn: samples of the image and taps of the kernel, both spread over their logarithms."""

    samples: tuple[int, int] = (16, 16_000_000)
    taps: tuple[int, int] = (1, 4097)


# On libraries without compiled loops large problems would take seconds each.
MODEST = Scope((1000, 2_000_000), (3, 4097))


def draw(count: int, scope: Scope = Scope(), seed: int = 20) -> list[dict[str, Any]]:
    """Random problems: 1 to 3 dimensions in turn; the first ones are the same for every `count`."""
    rng = np.random.default_rng(seed)
    return [_draw_one(rng, 1 + index % 3, scope) for index in range(count)]


def _draw_one(rng: np.random.Generator, ndim: int, scope: Scope) -> dict[str, Any]:
    samples, taps = (exp(rng.uniform(log(low), log(high))) for low, high in (scope.samples, scope.taps))
    shape = _among_axes(rng, samples, ndim, scope.samples)
    kernel = [min(count, size) for count, size in zip(_among_axes(rng, taps, ndim, scope.taps), shape, strict=True)]
    return {
        "shape": tuple(shape),
        "kernel": tuple(kernel),
        "dtype": ("float32", "float32", "float64")[int(rng.integers(3))],
        "boundary": BOUNDARIES[int(rng.integers(len(BOUNDARIES)))],
        "outer": bool(rng.random() < 0.3) and ndim > 1,
    }


def _among_axes(rng: np.random.Generator, total: float, ndim: int, bounds: tuple[int, int]) -> list[int]:
    """Sizes of the axes whose product is about `total`, and not beyond the bounds."""
    uneven = rng.uniform(-0.5, 0.5, ndim)
    sizes = [max(1, round(total ** (1 / ndim) * exp(part))) for part in uneven - uneven.mean()]
    while prod(sizes) > bounds[1]:
        sizes[int(np.argmax(sizes))] -= max(1, max(sizes) // 50)
    while prod(sizes) < bounds[0]:
        sizes[int(np.argmin(sizes))] += 1
    return sizes


class Kept:
    """Measured problems in a file, one a line, so that a run that was ended goes on where it stopped.

    What was measured with other code, versions or draws is left alone, and a new file begun.
    """

    def __init__(self, path: Path | None, key: dict[str, Any]) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path is None:
            return
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if lines and json.loads(lines[0]) == key:
            self.rows = [json.loads(line) for line in lines[1:]]
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(key) + "\n", encoding="utf-8")

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def measure(
    library: ArrayLibrary,
    problems: Sequence[dict[str, Any]],
    patience: float,
    kept: Kept | None = None,
    seconds: float = float("inf"),
) -> dict[str, Any]:
    """Every method's time on `problems`, the planner's choice, and how often it is within `MARGIN`.

    No problem is begun after `seconds`; how many were asked for is told.
    """
    kept = Kept(None, {}) if kept is None else kept
    start = perf_counter()
    for problem in problems[len(kept.rows) :]:
        if perf_counter() - start > seconds:
            break
        kept.add(_measure_one(library, problem, patience))
    rows = kept.rows[: len(problems)]
    return {"library": library.name, "margin": MARGIN, "asked": len(problems), "problems": rows} | score(rows)


def score(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Share of problems on which the choice is within `MARGIN` of the fastest method, and the loss over all."""
    losses = [row["loss"] for row in rows]
    return {
        "count": len(rows),
        "within_margin": sum(loss <= MARGIN for loss in losses),
        "geometric_mean_loss": exp(sum(log(loss) for loss in losses) / max(len(losses), 1)),
        "worst_loss": max(losses, default=1.0),
    }


def score_with(
    library: ArrayLibrary, rows: Sequence[dict[str, Any]], other: AbstractContextManager[Any] | None = None
) -> dict[str, Any]:
    """The score on problems already timed, with the planner as it is inside `other`.

    Block lengths that the overlap method would then take count as those that were timed.
    """
    with other or nullcontext():
        chosen = [plan_of(library, row).method for row in rows]
    return score(
        [
            {"loss": row["seconds"][method] / min(row["seconds"].values())}
            for row, method in zip(rows, chosen, strict=True)
        ]
    )


def plan_of(library: ArrayLibrary, problem: dict[str, Any]) -> Plan:
    """The planner's choice for a problem, whose image is not made for it."""
    one, shape = np.zeros(1, problem["dtype"]), problem["shape"]
    image = np.lib.stride_tricks.as_strided(one, shape, (0,) * len(shape))
    return gpuconv.plan_convolution(library.from_host(image), kernel_of(problem), boundary=problem["boundary"])


def _measure_one(library: ArrayLibrary, problem: dict[str, Any], patience: float) -> dict[str, Any]:
    boundary, kernel = problem["boundary"], kernel_of(problem)
    x = library.from_host(image_of(problem))
    plan = gpuconv.plan_convolution(x, kernel, boundary=boundary)
    usable = {name: entry for name, entry in plan.estimates if isinstance(entry, Estimate)}
    seconds: dict[str, float] = {}
    cut, calls = [], {}
    for name in sorted(usable, key=lambda name: usable[name].cost):
        if _is_fft_again(name, usable):
            continue
        whole = _call(x, kernel, boundary, name)
        scaled = _scaled_up(library, x, kernel, boundary, name, usable[name].cost * 1e-12, seconds)
        if scaled is None:
            calls[name] = whole
            seconds[name] = _first_times(library, whole)
        else:
            cut.append(name)
            seconds[name] = scaled
    seconds |= _fastest(library, {name: calls[name] for name in _close(calls, seconds)}, patience)
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
        "cut": cut,
    }


def _call(x: Any, kernel: np.ndarray, boundary: str, method: str) -> Callable[[], Any]:
    return lambda: gpuconv.convolve(x, kernel, boundary=boundary, method=method)


def _is_fft_again(name: str, usable: dict[str, Estimate]) -> bool:
    """True for overlap-save with a single block, which is the fft method under another name."""
    return name == "overlap" and "fft" in usable and usable["overlap"].lengths == usable["fft"].lengths


def _scaled_up(
    library: ArrayLibrary, x: Any, kernel: np.ndarray, boundary: str, name: str, predicted: float, found: dict
) -> float | None:
    """Seconds of a method without a chance, from a part of the samples; None where it has to be timed as a whole."""
    best = min(found.values(), default=float("inf"))
    if predicted < LONG_SECONDS or predicted < LONG_TIMES * best:
        return None
    axis = int(np.argmax(x.shape))
    part = max(x.shape[axis] // PART, 4 * kernel.shape[axis])
    if part > x.shape[axis] // 2:
        return None
    piece = x[(*(slice(None),) * axis, slice(0, part), ...)]
    scaled = _first_times(library, _call(piece, kernel, boundary, name))
    scaled *= x.shape[axis] / part
    return scaled if scaled > SLOW * best else None


def _first_times(library: ArrayLibrary, call: Callable[[], Any]) -> float:
    """The shortest of some calls; the very first, which imports, plans and compiles, only where it is all there is."""
    first = library.seconds(call, 1)
    if first > HOPELESS_CALL:
        return first
    start, times = perf_counter(), []
    while len(times) < CALLS and (not times or perf_counter() - start < LONG_CALL):
        times.append(library.seconds(call, 1))
    return min(times)


def _close(calls: dict[str, Callable[[], Any]], seconds: dict[str, float]) -> list[str]:
    """The methods that may be the fastest; none if only one may."""
    close = [name for name in calls if seconds[name] <= HOPELESS * min(seconds.values())]
    return close if len(close) > 1 else []


def _fastest(library: ArrayLibrary, calls: dict[str, Callable[[], Any]], patience: float) -> dict[str, float]:
    """Shortest time of each call, timed in turn."""
    timers = [lambda repeats, call=call: library.seconds(call, repeats) for call in calls.values()]
    times = time_in_turn(timers, EFFORT.times(patience))
    return {name: min(samples) for name, samples in zip(calls, times, strict=True)}


def image_of(problem: dict[str, Any]) -> np.ndarray:
    """Noise that depends on the problem alone."""
    return _generator(problem).standard_normal(problem["shape"], np.float32).astype(problem["dtype"])


def kernel_of(problem: dict[str, Any]) -> np.ndarray:
    """Noise too, or an outer product of it."""
    rng = _generator(problem)
    if problem["outer"]:
        return reduce(np.multiply.outer, [rng.standard_normal(taps) for taps in problem["kernel"]])
    return rng.standard_normal(problem["kernel"])


def _generator(problem: dict[str, Any]) -> np.random.Generator:
    facts = [str(problem[name]) for name in ("dtype", "boundary", "outer")]
    facts += [str(tuple(problem[name])) for name in ("shape", "kernel")]
    return np.random.default_rng(zlib.crc32("; ".join(facts).encode()))
