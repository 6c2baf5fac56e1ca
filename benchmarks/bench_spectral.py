"""The subject "spectral": `gpuconv.spectral` against the same work by hand, and against functions for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.harness import OURS, Case, Contender, Effort, run_case
from benchmarks.libraries import ArrayLibrary
from benchmarks.rivals import contenders
from benchmarks.settings import Settings
from benchmarks.spectral_cases import SPECTRAL_CASES, TRANSFERS, SpectralProblem, SpectralWork, make_problem
from benchmarks.spectral_peers import SPECTRAL_PEERS
from gpuconv import spectral

EFFORT = Effort(seconds=0.4)


def run(libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
    """All cases, for each library; prints a line per finished case."""
    cases = []
    for library in libraries:
        for work in selected(library, settings):
            cases.append(run_work(work, library, settings))
            settings.say(f"{library.name}: {work.name}")
    return {"cases": cases, "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}


def selected(library: ArrayLibrary, settings: Settings) -> list[SpectralWork]:
    """The cases to be measured on a library."""
    works = [work for work in SPECTRAL_CASES if work.everywhere or library.name in ("numpy", "cupy")]
    return [work for work in works if work.quick] if settings.quick else works


def run_work(work: SpectralWork, library: ArrayLibrary, settings: Settings) -> dict[str, Any]:
    """One operation: gpuconv and every peer, checked against the definition."""
    problem = make_problem(work)
    rivals = contenders(SPECTRAL_PEERS, work, problem, library, settings.peers, make_problem)
    case = Case(
        work.name,
        library,
        [Contender(OURS, ours(work, problem, library)), *rivals],
        problem.expected,
        problem.tolerance,
        traffic=2 * problem.x.nbytes,
    )
    return run_case(case, EFFORT.times(settings.patience), settings.limits_of(library))


def ours(work: SpectralWork, problem: SpectralProblem, library: ArrayLibrary) -> Callable[[], Any]:
    """gpuconv as a user would call it: the transfer function is made anew, too."""
    x, options = library.from_host(problem.x), dict(work.parameters)
    if work.operation in TRANSFERS:
        edges = [options.pop(name) for name in ("low_edge", "high_edge") if name in options]
        make = getattr(spectral, work.operation)
        return lambda: spectral.apply(x, make(*edges, **options), axes=work.axes, boundary=work.boundary)
    if work.operation == "compress":
        return lambda: spectral.compress(x, **options).image
    if work.axes is not None:
        options["axis"] = work.axes[0]
    function = getattr(spectral, work.operation)
    return lambda: function(x, **options)
