"""Measures the planner's constants: picoseconds per unit of work, for the arrays of one library.

Every probe is one convolution by one method, chosen so that one constant dominates its predicted cost. How many
units of that constant it holds is asked of the planner's own formula, with that constant set to one and the others to
zero; what the constants found before explain is taken off the measured time. The constant is the median over the
probes that it makes up most of, each timed at its fastest. `call` comes from pairs of tiny convolutions, so that what
all methods share, which decides nothing, drops out.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import reduce
from itertools import takewhile
from typing import Any

import numpy as np

import gpuconv
from benchmarks.harness import Effort, summary, time_in_turn
from benchmarks.libraries import ArrayLibrary
from gpuconv.backends import engines, registry
from gpuconv.backends.cpu import compiled
from gpuconv.core.boundary import extend_all
from gpuconv.core.namespace import home_of
from gpuconv.methods import costs
from gpuconv.methods.costs import Rates
from gpuconv.methods.plan import choose_plan

# In the order in which they are found: each is measured with the ones before it known.
CONSTANTS = ("call", "copy", "line_product", "product", "butterfly")
# A probe tells something about its constant only if the others explain at most this share of its time.
MOST_KNOWN = 0.4
EFFORT = Effort(seconds=0.25, fewest=5, most=60)


@dataclass(frozen=True)
class Probe:
    """One convolution by one method: `constant` is what it measures."""

    constant: str
    shape: tuple[int, ...]
    kernel: tuple[int, ...]
    dtype: str = "float32"
    method: str = "direct"

    @property
    def name(self) -> str:
        sizes = "x".join(map(str, self.shape)), "x".join(map(str, self.kernel))
        return f"{self.method}, {sizes[0]} {self.dtype}, {sizes[1]} taps"


# Tiny convolutions: the second of a pair makes more calls than the first. Where calls grow with the taps, that is what
# `call` has to get right; where a compiled loop does all taps, it tells the direct method from the transforms.
CALLS_PER_TAP = (
    (Probe("call", (64,), (1,)), Probe("call", (64,), (9,))),
    (Probe("call", (16, 16), (1, 1)), Probe("call", (16, 16), (3, 3))),
    (Probe("call", (8, 8, 8), (1, 1, 1)), Probe("call", (8, 8, 8), (3, 3, 3))),
)
CALLS_PER_TRANSFORM = (
    (Probe("call", (64,), (3,)), Probe("call", (64,), (3,), method="fft")),
    (Probe("call", (16, 16), (3, 3)), Probe("call", (16, 16), (3, 3), method="fft")),
    (Probe("call", (8, 8, 8), (3, 3, 3)), Probe("call", (8, 8, 8), (3, 3, 3), method="fft")),
)
# What a compiled loop does with few taps, many taps, short lines, long lines and strided lines differs, as do
# transforms in and out of the cache and of one line or many: the probes cover what the planner has to decide about,
# single and double precision in equal parts, and the median is taken.
PROBES = (
    Probe("copy", (1024, 1024), (3, 3)),
    Probe("copy", (1024, 1024), (31, 31), dtype="float64"),
    Probe("copy", (100_000,), (31,)),
    Probe("copy", (64, 64, 64), (5, 5, 5), dtype="float64"),
    Probe("line_product", (500_000,), (33,)),
    Probe("line_product", (65_536,), (101,)),
    Probe("line_product", (500_000,), (33,), dtype="float64"),
    Probe("line_product", (65_536,), (101,), dtype="float64"),
    Probe("line_product", (512, 512), (15, 15), method="separable"),
    Probe("line_product", (64, 64, 64), (9, 9, 9), method="separable"),
    Probe("line_product", (512, 512), (15, 15), dtype="float64", method="separable"),
    Probe("line_product", (64, 64, 64), (9, 9, 9), dtype="float64", method="separable"),
    Probe("product", (512, 512), (7, 7)),
    Probe("product", (128, 128), (15, 15)),
    Probe("product", (64, 64, 64), (5, 5, 5)),
    Probe("product", (20, 20, 20), (7, 7, 7)),
    Probe("product", (48, 48), (7, 7)),
    Probe("product", (14, 14, 14), (4, 4, 4)),
    Probe("product", (512, 512), (7, 7), dtype="float64"),
    Probe("product", (128, 128), (15, 15), dtype="float64"),
    Probe("product", (64, 64, 64), (5, 5, 5), dtype="float64"),
    Probe("product", (20, 20, 20), (7, 7, 7), dtype="float64"),
    Probe("product", (48, 48), (7, 7), dtype="float64"),
    Probe("product", (14, 14, 14), (4, 4, 4), dtype="float64"),
    Probe("butterfly", (32_768,), (513,), method="fft"),
    Probe("butterfly", (500_000,), (4097,), method="fft"),
    Probe("butterfly", (32_768,), (513,), dtype="float64", method="fft"),
    Probe("butterfly", (500_000,), (4097,), dtype="float64", method="fft"),
    Probe("butterfly", (256, 256), (31, 31), method="fft"),
    Probe("butterfly", (1000, 1000), (31, 31), method="fft"),
    Probe("butterfly", (256, 256), (31, 31), dtype="float64", method="fft"),
    Probe("butterfly", (1000, 1000), (31, 31), dtype="float64", method="fft"),
    Probe("butterfly", (40, 40, 40), (9, 9, 9), method="fft"),
    Probe("butterfly", (100, 100, 100), (9, 9, 9), method="fft"),
    Probe("butterfly", (40, 40, 40), (9, 9, 9), dtype="float64", method="fft"),
    Probe("butterfly", (100, 100, 100), (9, 9, 9), dtype="float64", method="fft"),
)


@contextmanager
def planned_with(library: str, rates: Rates) -> Iterator[None]:
    """The planner with other constants for the arrays of one library. Plans made before are not kept."""
    before = costs.RATES[library]
    costs.RATES[library] = rates
    choose_plan.cache_clear()
    try:
        yield
    finally:
        costs.RATES[library] = before
        choose_plan.cache_clear()


@contextmanager
def without_compiled_loops() -> Iterator[None]:
    """NumPy arrays as they are without compiled loops: `compiled_rates` measures what it adds."""
    before = compiled.WORK
    compiled.WORK = 2**62
    choose_plan.cache_clear()
    try:
        yield
    finally:
        compiled.WORK = before
        choose_plan.cache_clear()


@contextmanager
def nothing_lent() -> Iterator[None]:
    """Arrays of torch and JAX where no engine takes them: those are what the planner's constants for them are about."""
    before = engines.LIBRARIES
    engines.LIBRARIES = {}
    forget_plans()
    try:
        yield
    finally:
        engines.LIBRARIES = before
        forget_plans()


def forget_plans() -> None:
    choose_plan.cache_clear()
    registry._select.cache_clear()


def measure(library: ArrayLibrary, patience: float) -> dict[str, Any]:
    """Constants of one library, without compiled loops: what the planner has, what is measured, and every probe."""
    with without_compiled_loops(), nothing_lent():
        return _measure(library, patience)


def _measure(library: ArrayLibrary, patience: float) -> dict[str, Any]:
    current = costs.RATES[library.name]
    found = replace(current, **dict.fromkeys(CONSTANTS, 0))
    rows = _measure_calls(library, patience)
    for constant in CONSTANTS:
        if constant != "call":
            rows += _measure_constant(library, constant, found, patience)
        values = [row["picoseconds"] for row in rows if row["constant"] == constant and row["telling"]]
        value = rounded(statistics.median(values)) if values else getattr(current, constant)
        found = replace(found, **{constant: value})
    return {
        "library": library.name,
        "planner": {name: getattr(current, name) for name in CONSTANTS},
        "measured": {name: getattr(found, name) for name in CONSTANTS},
        "probes": rows,
    }


def _measure_calls(library: ArrayLibrary, patience: float) -> list[dict[str, Any]]:
    """`call`, from pairs of convolutions that make different numbers of calls."""
    pairs = CALLS_PER_TAP if costs.RATES[library.name].calls_per_tap else CALLS_PER_TRANSFORM
    times = _time_probes(library, [probe for pair in pairs for probe in pair], patience)
    rows = []
    for (less, more), short, long in zip(pairs, times[::2], times[1::2], strict=True):
        calls = _units(library, more) - _units(library, less)
        value = (long["fastest_s"] - short["fastest_s"]) * 1e12 / calls
        probe = f"{more.name}; less {less.name}"
        rows.append({"constant": "call", "probe": probe, "picoseconds": value, "telling": True, **long})
    return rows


def _measure_constant(library: ArrayLibrary, constant: str, found: Rates, patience: float) -> list[dict[str, Any]]:
    """A constant other than `call`, with those before it known."""
    probes = [probe for probe in PROBES if probe.constant == constant]
    rows = []
    for probe, times in zip(probes, _time_probes(library, probes, patience), strict=True):
        # The extension is timed by itself; everything else is a whole call.
        known = 0 if constant == "copy" else _cost(library, probe, found)
        picoseconds = times["fastest_s"] * 1e12
        value = max(picoseconds - known, 0.0) / _units(library, probe)
        # Where other constants make up most of the time, their errors would be taken for this one.
        telling = known <= MOST_KNOWN * picoseconds
        rows.append({"constant": constant, "probe": probe.name, "picoseconds": value, "telling": telling, **times})
    return rows


def rounded(value: float) -> int:
    """Two significant digits: the rest is noise."""
    return int(float(f"{value:.1e}"))


def _time_probes(library: ArrayLibrary, probes: Sequence[Probe], patience: float) -> list[dict[str, Any]]:
    timers = []
    for probe in probes:
        call = _call(library, probe)
        timers.append(lambda repeats, call=call: library.seconds(call, repeats))
    effort = replace(EFFORT, seconds=EFFORT.seconds * len(probes)).times(patience)
    return [summary(times) for times in time_in_turn(timers, effort)]


def _call(library: ArrayLibrary, probe: Probe) -> Any:
    """A call that does the probe's work; for `copy`, the extension alone."""
    x, kernel = _arrays(library, probe)
    if probe.constant == "copy":
        plan = gpuconv.plan_convolution(x, kernel, boundary="reflect")
        return lambda: extend_all(home_of(x).xp, x, plan.problem.spans)
    return lambda: gpuconv.convolve(x, kernel, method=probe.method, boundary="reflect")


def _arrays(library: ArrayLibrary, probe: Probe) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(0)
    x = library.from_host(rng.standard_normal(probe.shape).astype(probe.dtype))
    if probe.method == "separable":
        return x, reduce(np.multiply.outer, [rng.standard_normal(taps) for taps in probe.kernel])
    return x, rng.standard_normal(probe.kernel)


def _units(library: ArrayLibrary, probe: Probe) -> int:
    """Units of the probe's constant in its predicted cost."""
    nothing = replace(costs.RATES[library.name], **dict.fromkeys(CONSTANTS, 0))
    return _cost(library, probe, replace(nothing, **{probe.constant: 1}))


def _cost(library: ArrayLibrary, probe: Probe, rates: Rates) -> int:
    with planned_with(library.name, rates):
        x, kernel = _arrays(library, probe)
        plan = gpuconv.plan_convolution(x, kernel, boundary="reflect", method=probe.method)
        return plan.estimate.cost


def measured_rates(result: dict[str, Any]) -> Rates:
    """The planner's constants with the measured ones in their place."""
    return replace(costs.RATES[result["library"]], **result["measured"])


def as_code(result: dict[str, Any]) -> str:
    """The measured constants as the line of the planner's table that they belong in."""
    current, measured = costs.RATES[result["library"]], result["measured"]
    names = list(takewhile(lambda name: name != "source", (field.name for field in fields(Rates))))
    values = [measured.get(name, getattr(current, name)) for name in names]
    written = ", ".join(f"{value:_}" if value > 99_999 else str(value) for value in values)
    return f'"{result["library"]}": Rates({written}, _MEASURED),'
