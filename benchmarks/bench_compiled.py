"""The subject "compiled": compiled loops for NumPy arrays against peers, and the planner's constants of them."""

from __future__ import annotations

from typing import Any

from benchmarks import choices, compiled_rates
from benchmarks.bench_methods import run_work
from benchmarks.cases import Work
from benchmarks.libraries import ArrayLibrary
from benchmarks.settings import Settings

# Taps of Gaussians of sigma 2 and 8 are 17 and 65.
CASES = (
    *(
        Work((2048, 2048), (17, 17), boundary=boundary, outer=True, quick=boundary == "reflect")
        for boundary in ("constant", "reflect", "mirror", "nearest", "wrap")
    ),
    Work((2048, 2048), (65, 65), boundary="reflect", outer=True, quick=True),
    Work((2048, 2048), (17, 17), dtype="float64", boundary="reflect", outer=True),
    Work((256, 256, 256), (17, 17, 17), boundary="reflect", outer=True, quick=True),
    Work((10_000_000,), (65,), boundary="constant", quick=True),
    Work((10_000_000,), (1025,), boundary="constant", quick=True),
    Work((10_000_000,), (65_537,), boundary="constant"),
    Work((1000, 10_000), (101,), axes=(1,), boundary="reflect"),
    *(Work((2048, 2048), (k, k), boundary="reflect", quick=k in (3, 15)) for k in (3, 5, 7, 9, 11, 15, 31, 63)),
    *(Work((128, 128, 128), (k, k, k), boundary="reflect", quick=k == 3) for k in (3, 5, 7)),
    Work((64, 64), (17, 17), boundary="reflect", outer=True, quick=True),
    Work((256, 256), (17, 17), boundary="reflect", outer=True, quick=True),
)
# Random problems on which the planner's choice is judged.
PROBLEMS, PROBLEMS_QUICK = 48, 9


def run(libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
    """Cases, choices and constants on NumPy arrays; other libraries have no compiled loops here."""
    result: dict[str, Any] = {"cases": [], "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}
    for library in libraries:
        if library.name != "numpy":
            continue
        for work in CASES:
            if work.quick or not settings.quick:
                result["cases"].append(run_work(work, library, settings))
                settings.say(work.name)
        if not settings.quick:
            result["rates"].append(compiled_rates.measure(settings.patience))
            settings.say("constants of compiled loops")
        problems = PROBLEMS_QUICK if settings.quick else PROBLEMS
        result["choices"].append(choices.measure(library, problems, settings.patience))
        settings.say("the planner's choices")
    return result
