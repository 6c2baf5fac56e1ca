"""The subject "methods": convolutions of all array libraries, the planner's constants and choices, small calls."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import gpuconv
from benchmarks import borders, choices, rates
from benchmarks.bench_convolutions import run_work
from benchmarks.cases import CASES, Work
from benchmarks.harness import Effort, summary, time_in_turn
from benchmarks.libraries import ArrayLibrary, wall_clock
from benchmarks.settings import Settings

# Random problems on which the planner's choice is judged; those on NumPy arrays are the subject "crossover".
PROBLEMS = {"numpy": 0, "cupy": 66}
PROBLEMS_ELSEWHERE = 18
PROBLEMS_QUICK = 6
FIRST_USE = """
from time import perf_counter
start = perf_counter()
import numpy
numpy_there = perf_counter()
import gpuconv
gpuconv_there = perf_counter()
x, kernel = numpy.ones((32, 32), numpy.float32), numpy.ones((3, 3))
gpuconv.convolve(x, kernel)
print(numpy_there - start, gpuconv_there - numpy_there, perf_counter() - gpuconv_there)
"""


def run(libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
    """All parts of the subject, for each library; prints a line per finished part."""
    result: dict[str, Any] = {"cases": [], "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}
    for library in libraries:
        for work in selected(library, settings):
            result["cases"].append(run_work(work, library, settings))
            settings.say(f"{library.name}: {work.name}")
        measured = None
        if not settings.quick:
            measured = rates.measure(library, settings.patience)
            settings.say(f"{library.name}: the planner's constants")
            result["rates"].append(measured)
        if PROBLEMS.get(library.name, PROBLEMS_ELSEWHERE):
            result["choices"].append(_choices(library, settings, measured))
            settings.say(f"{library.name}: the planner's choices")
        if library.name == "numpy" and not settings.quick:
            result["borders"] = borders.measure(settings.patience)
            settings.say("borders inside the cpu backend")
        result["overhead"].append(overhead(library, settings.patience))
    result["first_use"] = first_use(3 if settings.quick else 7)
    settings.say("the first call of a process")
    return result


def _choices(library: ArrayLibrary, settings: Settings, measured: dict[str, Any] | None) -> dict[str, Any]:
    """The planner's choices, also with the constants that were measured."""
    count = PROBLEMS_QUICK if settings.quick else PROBLEMS.get(library.name, PROBLEMS_ELSEWHERE)
    chosen = choices.measure(library, choices.draw(count, choices.MODEST), settings.patience)
    if measured is None:
        return chosen
    other = rates.planned_with(library.name, rates.measured_rates(measured))
    return chosen | {"with_measured": choices.score_with(library, chosen["problems"], other)}


def selected(library: ArrayLibrary, settings: Settings) -> list[Work]:
    """The cases to be measured on a library."""
    works = [work for work in CASES if work.everywhere or library.name in ("numpy", "cupy")]
    return [work for work in works if work.quick] if settings.quick else works


def overhead(library: ArrayLibrary, patience: float) -> dict[str, Any]:
    """What gpuconv adds to a small call: 32x32 float32 with 3x3 taps, and the stages of the way to it.

    For NumPy arrays the call that gpuconv makes of SciPy is timed beside it; the difference is gpuconv's own.
    """
    from gpuconv.core.namespace import read_image, read_kernel
    from gpuconv.methods.describe import Options, pose
    from gpuconv.methods.plan import choose_plan, prepare
    from gpuconv.methods.repeat import run_posed

    rng = np.random.default_rng(0)
    x, kernel = library.from_host(rng.standard_normal((32, 32)).astype(np.float32)), rng.standard_normal((3, 3))
    options = Options("convolve")
    x, home = read_image(x)
    posed = pose(x, home, read_kernel(kernel, home), options)
    stages: dict[str, Callable[[], Any]] = {
        "whole call": lambda: gpuconv.convolve(x, kernel),
        "describe": lambda: pose(*read_image(x), read_kernel(kernel, home), options),
        "plan": lambda: choose_plan(posed.problem, posed.options),
        "execute": lambda: run_posed(prepare, posed, x, home, 0.0, None),
    }
    if library.name == "numpy":
        from scipy.ndimage import correlate

        weights = np.ascontiguousarray(kernel[::-1, ::-1])
        stages["SciPy's part"] = lambda: correlate(x, weights, output=x.dtype, mode="constant", origin=[0, 0])
    # Stages that run on the host alone would take no time at all by a device's clock.
    host = wall_clock()
    timers = [lambda repeats, call=call: host(call, repeats) for call in stages.values()]
    times = time_in_turn(timers, Effort(seconds=1.0, fewest=15, most=200).times(patience))
    return {
        "library": library.name,
        "stages": [{"stage": name, **summary(samples)} for name, samples in zip(stages, times, strict=True)],
    }


def first_use(rounds: int) -> dict[str, Any]:
    """Importing NumPy, importing gpuconv, and the first convolution, in fresh processes: medians in seconds."""
    rows = []
    for _ in range(rounds + 1):
        finished = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, text=True, check=True)
        rows.append([float(value) for value in finished.stdout.split()])
    # The first process also reads the files from disk.
    columns = [statistics.median(column) for column in zip(*rows[1:], strict=True)]
    return dict(zip(("import_numpy_s", "import_gpuconv_s", "first_convolve_s"), columns, strict=True))
