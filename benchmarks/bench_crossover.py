"""The subject "crossover": where one method overtakes another on NumPy arrays, and how often "auto" knows it.

Crossovers are looked for along series of kernels that grow on one image, all of outer products, which every method can
do. The grid is random problems; both are judged by the same times. With compiled loops, and without them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks import choices, compiled_rates, machine
from benchmarks.libraries import ArrayLibrary
from benchmarks.rates import without_compiled_loops
from benchmarks.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "benchmarks" / "results" / "local"
# Random problems: with compiled loops, and without.
PROBLEMS, PROBLEMS_PLAIN = 500, 90
PROBLEMS_QUICK, MINUTES_QUICK = 30, 1.0
# The share of the time for the grid that the one without compiled loops may take.
PLAIN_SHARE = 0.25


@dataclass(frozen=True)
class Series:
    """Kernels of so many taps on every axis, on an image of one shape."""

    shape: tuple[int, ...]
    taps: tuple[int, ...]
    quick: bool = False

    def problems(self, dtype: str) -> Iterator[dict[str, Any]]:
        for count in self.taps:
            kernel = (count,) * len(self.shape)
            outer = len(self.shape) > 1
            yield {"shape": self.shape, "kernel": kernel, "dtype": dtype, "boundary": "reflect", "outer": outer}


SERIES = (
    Series((1_000_000,), (3, 9, 17, 33, 65, 97, 129, 193, 257, 385, 513, 1025, 4097), quick=True),
    Series((10_000,), (3, 9, 17, 33, 65, 129, 257, 513, 1025)),
    Series((1024, 1024), (3, 5, 7, 9, 11, 15, 21, 31, 45, 63), quick=True),
    Series((128, 128), (3, 5, 7, 9, 11, 15, 21, 31)),
    Series((128, 128, 128), (3, 5, 7, 9, 11, 13, 15)),
    Series((32, 32, 32), (3, 5, 7, 9, 11)),
)
DTYPES = ("float32", "float64")


def run(libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
    """Crossovers, grids and the constants of compiled loops on NumPy arrays; other libraries are left to "methods"."""
    result: dict[str, Any] = {"cases": [], "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}
    result["crossovers"] = []
    for library in libraries:
        if library.name != "numpy":
            continue
        result["crossovers"] = crossovers(library, settings)
        settings.say("crossovers")
        result["choices"] = [grid(library, settings, compiled=True)]
        settings.say("the planner's choices")
        if not settings.quick:
            result["choices"].append(grid(library, settings, compiled=False))
            settings.say("the planner's choices without compiled loops")
            result["rates"] = [compiled_rates.measure(settings.patience)]
            settings.say("constants of compiled loops")
    return result


def crossovers(library: ArrayLibrary, settings: Settings) -> list[dict[str, Any]]:
    """Every series in both precisions: what is the fastest, and what the planner takes, up to how many taps."""
    rows = []
    for series in SERIES:
        for dtype in DTYPES:
            if settings.quick and not (series.quick and dtype == "float32"):
                continue
            timed = choices.measure(library, list(series.problems(dtype)), settings.patience)["problems"]
            name = f"{'x'.join(map(str, series.shape))} {dtype}"
            rows.append(
                {
                    "series": name,
                    "fastest": stretches(timed, "fastest"),
                    "chosen": stretches(timed, "chosen"),
                    "worst_loss": max(row["loss"] for row in timed),
                    "problems": timed,
                }
            )
    return rows


def stretches(rows: Sequence[dict[str, Any]], of: str) -> str:
    """Methods, and up to how many taps an axis: "direct to 9, separable"."""
    found = [(name, list(group)) for name, group in groupby(rows, key=lambda row: row[of])]
    parts = [f"{name} to {group[-1]['kernel'][0]}" for name, group in found[:-1]]
    return ", ".join([*parts, found[-1][0]])


def grid(library: ArrayLibrary, settings: Settings, compiled: bool) -> dict[str, Any]:
    """The planner's choices on random problems, as many as the time allows."""
    if settings.quick:
        problems, minutes = choices.draw(PROBLEMS_QUICK), MINUTES_QUICK
    elif compiled:
        problems, minutes = choices.draw(PROBLEMS), settings.minutes
    else:
        problems, minutes = choices.draw(PROBLEMS_PLAIN, choices.MODEST), settings.minutes * PLAIN_SHARE
    name = library.name if compiled else f"{library.name} without compiled loops"
    with nullcontext() if compiled else without_compiled_loops():
        found = choices.measure(library, problems, settings.patience, _kept(name, settings), 60 * minutes)
    return found | {"library": name}


def _kept(name: str, settings: Settings) -> choices.Kept:
    """The file in which problems of this code on this machine are kept while the grid is measured."""
    if settings.quick:
        return choices.Kept(None, {})
    path = KEPT / f"grid-{name.replace(' ', '-')}.jsonl"
    if not settings.resume:
        path.unlink(missing_ok=True)
    return choices.Kept(path, {"processor": machine.processor_name(), "code": code_digest(), **machine.versions()})


def code_digest() -> str:
    """Changes with any source of gpuconv, and with how problems are drawn and timed."""
    digest = hashlib.sha256()
    for path in [*sorted((ROOT / "gpuconv").rglob("*.py")), Path(choices.__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
