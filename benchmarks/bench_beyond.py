"""The subject "beyond": diffusion that keeps edges against loops of the same equation, and convolution by lot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gpuconv
from benchmarks.beyond_cases import BEYOND_CASES, CONTRAST, SEED, STEP, BeyondProblem, BeyondWork, make_problem
from benchmarks.beyond_peers import BEYOND_PEERS, DEFINITIONS
from benchmarks.harness import OURS, Case, Contender, Effort, run_case
from benchmarks.libraries import ArrayLibrary
from benchmarks.rivals import contenders
from benchmarks.settings import Settings
from gpuconv import diffusion

EFFORT = Effort(seconds=0.6, fewest=3, most=50)
DETERMINISTIC = f"{OURS}.convolve, deterministic"


def run(libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
    """All cases, for each library; prints a line per finished case."""
    cases = []
    for library in libraries:
        for work in selected(library, settings):
            cases.append(run_work(work, library, settings))
            settings.say(f"{library.name}: {work.name}")
    return {"cases": cases, "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}


def selected(library: ArrayLibrary, settings: Settings) -> list[BeyondWork]:
    """The cases to be measured on a library."""
    works = [work for work in BEYOND_CASES if work.everywhere or library.name in ("numpy", "cupy")]
    return [work for work in works if work.quick] if settings.quick else works


def run_work(work: BeyondWork, library: ArrayLibrary, settings: Settings) -> dict[str, Any]:
    """One piece of work: gpuconv and every peer, each checked against the definition of what it does."""
    problem = make_problem(work)
    rivals = [
        replace(rival, definition=problem.others.get(DEFINITIONS.get(rival.name, "")))
        for rival in contenders(BEYOND_PEERS, work, problem, library, settings.peers, make_problem)
    ]
    right = problem.definition
    rows = [*ours(work, problem, library), *rivals]
    case = Case(work.name, library, rows, right.expected, right.tolerance, traffic=2 * problem.start.nbytes)
    result = run_case(case, EFFORT.times(settings.patience), settings.limits_of(library))
    for row in result["contenders"]:
        row["steps"] = "exact" if row["name"] == DETERMINISTIC else work.counted
        if "error" in row:
            row["error"] /= problem.size
    return result


def ours(work: BeyondWork, problem: BeyondProblem, library: ArrayLibrary) -> Iterator[Contender]:
    """gpuconv as a user would call it; for convolution by lot also the sure way to its mean."""
    x, kernel = library.from_host(problem.start), problem.kernel
    if kernel is None:
        yield Contender(OURS, steps(work, x))
        return

    def by_lot() -> Any:
        return diffusion.stochastic.convolve(x, kernel, draws=work.count, rng=SEED)

    yield Contender(OURS, by_lot, definition=problem.others["lot"])
    yield Contender(DETERMINISTIC, lambda: gpuconv.convolve(x, kernel))


def steps(work: BeyondWork, u: Any) -> Callable[[], Any]:
    """Explicit steps of the length that all take."""
    options: dict[str, Any] = {"contrast": CONTRAST, "conductance": work.conductance}
    time = STEP * work.count
    return lambda: diffusion.perona_malik(u, time, **options, scheme="explicit", steps=work.count)
