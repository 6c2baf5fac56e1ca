"""The subject "diffusion": time to a stated accuracy on one problem, whoever solves it and in however many steps.

Schemes take the fewest steps, of a ladder, that reach the accuracy; they are looked for before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.diffusion_cases import DIFFUSION_CASES, DiffusionProblem, DiffusionWork, make_problem
from benchmarks.diffusion_peers import AT_ONCE, DIFFUSION_PEERS, ONE_SHOT, steps_of
from benchmarks.harness import OURS, Case, Contender, Effort, run_case, why_wrong
from benchmarks.libraries import ArrayLibrary
from benchmarks.rivals import contenders
from benchmarks.settings import Settings
from gpuconv import diffusion

EFFORT = Effort(seconds=0.6, fewest=3, most=50)
SCHEMES = ("explicit", "fed", "rkl2", "backward-euler", "crank-nicolson")
# Steps that are tried one after another.
LADDER = tuple(sorted({round(base * 2**power) for base in (1, 1.5) for power in range(10)} - {0}))
# The steps may add this part of the error that is allowed; the grid adds to it.
SHARE = 0.5


def run(libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
    """All cases, for each library; prints a line per finished case."""
    cases = []
    for library in libraries:
        for work in selected(library, settings):
            cases.append(run_work(work, library, settings))
            settings.say(f"{library.name}: {work.name}")
    return {"cases": cases, "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}


def selected(library: ArrayLibrary, settings: Settings) -> list[DiffusionWork]:
    """The cases to be measured on a library."""
    works = [work for work in DIFFUSION_CASES if work.everywhere or library.name in ("numpy", "cupy")]
    return [work for work in works if work.quick] if settings.quick else works


def run_work(work: DiffusionWork, library: ArrayLibrary, settings: Settings) -> dict[str, Any]:
    """One problem: gpuconv at once and in steps, and every peer, checked against the closed form."""
    problem = make_problem(work)
    own = dict(ours(work, problem, library))
    rows = [
        Contender(name, status="left out", reason=call) if isinstance(call, str) else Contender(name, call)
        for name, (call, _) in own.items()
    ]
    rivals = contenders(DIFFUSION_PEERS, work, problem, library, settings.peers, make_problem)
    traffic = 2 * problem.start.nbytes
    case = Case(work.name, library, [*rows, *rivals], problem.expected, problem.tolerance, traffic=traffic)
    result = run_case(case, EFFORT.times(settings.patience), settings.limits_of(library))
    at_once = {rival.name for rival in DIFFUSION_PEERS if rival.make in AT_ONCE}
    for row in result["contenders"]:
        loop = ONE_SHOT if row["name"] in at_once else _counted(steps_of(work, problem))
        row["steps"] = own[row["name"]][1] if row["name"] in own else loop
        if "error" in row:
            row["error"] /= problem.size
    return result | {"accuracy": work.accuracy}


def ours(work: DiffusionWork, problem: DiffusionProblem, library: ArrayLibrary) -> Iterator[tuple[str, Any]]:
    """gpuconv, first as one would call it: what it does in words, and the call or the reason why there is none."""
    u, options = library.from_host(problem.start), options_of(work, problem)

    def evolved(**more: Any) -> Callable[[], Any]:
        return lambda: diffusion.evolve(u, work.time, **options, **more)

    _, chosen = diffusion.evolve(u, work.time, **options, accuracy=SHARE * work.accuracy, return_info=True)
    automatic = (evolved(accuracy=SHARE * work.accuracy), f"{chosen.scheme}, {_counted(chosen.steps, chosen.stages)}")
    exact = at_once(work, u)
    if exact is None:
        yield OURS, automatic
    else:
        yield OURS, (exact, ONE_SHOT)
        yield f"{OURS} evolve auto", automatic
    if library.name not in ("numpy", "cupy"):
        return
    for scheme in SCHEMES:
        yield f"{OURS} evolve {scheme}", _fewest(scheme, evolved, problem, library)


def at_once(work: DiffusionWork, u: Any) -> Callable[[], Any] | None:
    """The call that solves the problem in one step; None where there is none."""
    if work.is_radial:
        return lambda: diffusion.radial.diffuse(u, work.time, geometry=work.place, radius=1.0, boundary=work.boundary)
    if work.place == "box":
        return lambda: diffusion.diffuse(u, work.time, boundary=work.boundary)
    return None


def options_of(work: DiffusionWork, problem: DiffusionProblem) -> dict[str, Any]:
    """The problem in the words of `evolve`."""
    options: dict[str, Any] = {"boundary": work.boundary, "diffusivity": problem.diffusivity}
    if work.is_radial:
        make = diffusion.Grid.spherical if work.place == "sphere" else diffusion.Grid.polar
        options["grid"] = make(work.shape[0], spacing=work.spacing)
    if problem.conductance is not None:
        closed = [(1, work.shape[1] // 2)]
        options["walls"] = diffusion.walls(work.shape, closed=closed, conductance=problem.conductance)
    return options


def _fewest(scheme: str, evolved: Any, problem: DiffusionProblem, library: ArrayLibrary) -> tuple[Any, str]:
    """The call with the fewest steps of the ladder that reach the accuracy, and what it does."""
    if scheme == "explicit":
        # An accuracy that anything stable has.
        steps = evolved(scheme=scheme, accuracy=1.0, return_info=True)()[1].steps
        return evolved(scheme=scheme, steps=steps), _counted(steps)
    for steps in LADDER:
        result, info = evolved(scheme=scheme, steps=steps, return_info=True)()
        if why_wrong(np.asarray(library.to_host(result)), problem.expected, problem.tolerance) is None:
            return evolved(scheme=scheme, steps=steps), _counted(steps, info.stages)
    return f"not within the accuracy in {LADDER[-1]} steps", ""


def _counted(steps: int, stages: int = 1) -> str:
    word = f"{steps} step" if steps == 1 else f"{steps} steps"
    return word if stages == 1 else f"{word} of {stages} stages"
