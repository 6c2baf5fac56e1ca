"""Measures the planner's constants of compiled loops: what a product, a sample and a start cost on NumPy arrays.

Two convolutions of one shape that differ in their taps alone give the cost of a product; what is left of the shorter
one, after its products and a start, is what its samples cost; and the smallest work that compiled loops do gives the
start. All in single and double precision, of whole calls, each at its fastest; the constant is the median.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import gpuconv
from benchmarks.harness import Effort, summary, time_in_turn
from benchmarks.libraries import wall_clock
from benchmarks.rates import CONSTANTS, rounded
from gpuconv.backends.cpu import compiled
from gpuconv.methods import costs

EFFORT = Effort(seconds=0.25, fewest=7, most=60)
MEASURED = ("call", "line_product", "copy")


@dataclass(frozen=True)
class Pair:
    """Passes along `axes` of an array with few and with many taps."""

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    dtype: str
    few: int = 5
    many: int = 45

    @property
    def samples(self) -> int:
        return int(np.prod(self.shape))

    @property
    def sweeps(self) -> int:
        return max(len(self.axes) - 1, 1)

    @property
    def width(self) -> int:
        return np.dtype(self.dtype).itemsize // 4

    def call(self, taps: int) -> Callable[[], Any]:
        rng = np.random.default_rng(0)
        x = rng.standard_normal(self.shape).astype(self.dtype)
        lines = [rng.standard_normal(taps) for _ in self.axes]
        return lambda: gpuconv.convolve_separable(x, lines, axes=self.axes, boundary="reflect", accuracy="local")

    def name(self, taps: int) -> str:
        return f"{'x'.join(map(str, self.shape))} {self.dtype}, {taps} taps along {', '.join(map(str, self.axes))}"


PAIRS = tuple(
    Pair(shape, axes, dtype)
    for shape, axes in (
        ((500_000,), (0,)),
        ((4_000_000,), (0,)),
        ((1000, 1000), (0,)),
        ((1000, 1000), (1,)),
        ((700, 700), (0, 1)),
        ((2000, 2000), (0, 1)),
        ((80, 80, 80), (0, 1, 2)),
        ((160, 160, 160), (0, 1, 2)),
    )
    for dtype in ("float32", "float64")
)


def measure(patience: float) -> dict[str, Any]:
    """Constants of compiled loops: what the planner has, what is measured, and every probe."""
    current = costs.RATES["compiled"]
    rows = []
    start = _start(patience)
    rows.append({"constant": "call", "probe": "least work", "picoseconds": start["fastest_s"] * 1e12, **start})
    for pair in PAIRS:
        few, many = _times(pair, patience)
        more = (pair.many - pair.few) * len(pair.axes) * pair.samples * pair.width
        per_product = max(many["fastest_s"] - few["fastest_s"], 0) * 1e12 / more
        products = pair.few * len(pair.axes) * pair.samples * pair.width
        left = max((few["fastest_s"] - start["fastest_s"]) * 1e12 - products * per_product, 0)
        per_sample = left / (pair.samples * pair.sweeps * pair.width)
        rows.append({"constant": "line_product", "probe": pair.name(pair.many), "picoseconds": per_product, **many})
        rows.append({"constant": "copy", "probe": pair.name(pair.few), "picoseconds": per_sample, **few})
    values = {name: [row["picoseconds"] for row in rows if row["constant"] == name] for name in MEASURED}
    measured = {name: rounded(statistics.median(values[name])) for name in MEASURED}
    return {
        "library": "compiled",
        "planner": {name: getattr(current, name) for name in CONSTANTS},
        "measured": {name: measured.get(name, getattr(current, name)) for name in CONSTANTS},
        "probes": [{"telling": True, **row} for row in rows],
    }


def _start(patience: float) -> dict[str, Any]:
    """The least work that compiled loops do, its products left out."""
    side = int(np.ceil(np.sqrt(compiled.WORK / 10)))
    call = Pair((side, side), (0, 1), "float32").call(5)
    clock = wall_clock()
    (times,) = time_in_turn([lambda repeats: clock(call, repeats)], EFFORT.times(patience))
    return summary(times)


def _times(pair: Pair, patience: float) -> list[dict[str, Any]]:
    clock = wall_clock()
    calls = [pair.call(taps) for taps in (pair.few, pair.many)]
    timers = [lambda repeats, call=call: clock(call, repeats) for call in calls]
    return [summary(times) for times in time_in_turn(timers, EFFORT.times(patience))]
