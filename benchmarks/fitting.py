"""Looks for constants of the planner on a grid that was timed before: nothing is measured again.

Only the predictions are made anew, with other constants; what each method took is known. Constants are changed one
after another, by factors, as long as more problems come within the margin or the loss over all becomes less.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from math import log
from typing import Any

from benchmarks.choices import MARGIN, plan_of, score
from benchmarks.libraries import open_library
from benchmarks.rates import CONSTANTS, planned_with, rounded, without_compiled_loops
from gpuconv.core.problem import Problem
from gpuconv.methods import costs
from gpuconv.methods.costs import Rates
from gpuconv.methods.plan import METHODS, cheapest

FACTORS = (0.5, 0.7, 0.85, 0.95, 1.05, 1.2, 1.4, 2.0)
SWEEPS = 4
PLAIN = " without compiled loops"


@dataclass(frozen=True)
class Replay:
    """A problem with the times that its methods took."""

    problem: Problem
    seconds: dict[str, float]
    row: dict[str, Any]

    def predicted(self) -> dict[str, int]:
        """Picoseconds of every timed method, by the planner as it now is."""
        return {name: METHODS[name].estimate(self.problem).cost for name in self.seconds}

    def judged(self) -> dict[str, Any]:
        chosen = cheapest(self.predicted())
        return {"chosen": chosen, "loss": self.seconds[chosen] / min(self.seconds.values())}


def replays(name: str, rows: Sequence[dict[str, Any]]) -> list[Replay]:
    """The timed problems of a grid, posed again; `name` is that of the grid."""
    library = open_library(name.removesuffix(PLAIN))
    with _as_timed(name):
        return [Replay(plan_of(library, row).problem, row["seconds"], row) for row in rows]


def _as_timed(name: str) -> Any:
    return without_compiled_loops() if name.endswith(PLAIN) else nullcontext()


@contextmanager
def planned_with_all(rates: dict[str, Rates]) -> Iterator[None]:
    """The planner with other constants in several rows of its table."""
    with ExitStack() as stack:
        for library, row in rates.items():
            stack.enter_context(planned_with(library, row))
        yield


def score_of(known: Sequence[Replay], name: str, rates: dict[str, Rates]) -> dict[str, Any]:
    with _as_timed(name), planned_with_all(rates):
        return score([replay.judged() for replay in known])


def fit(known: Sequence[Replay], name: str, tables: Sequence[str]) -> tuple[dict[str, Rates], dict[str, Any]]:
    """Rows of the planner's table `tables` that choose best on `known`, and the score with them."""
    rates = {table: costs.RATES[table] for table in tables}
    best = score_of(known, name, rates)
    for _ in range(SWEEPS):
        before = best
        for table in tables:
            for constant in CONSTANTS:
                for factor in FACTORS:
                    value = rounded(getattr(rates[table], constant) * factor)
                    tried = rates | {table: replace(rates[table], **{constant: value})}
                    found = score_of(known, name, tried)
                    if _merit(found) > _merit(best):
                        rates, best = tried, found
        if _merit(best) == _merit(before):
            break
    return rates, best


def _merit(found: dict[str, Any]) -> float:
    """More problems within the margin are better, and so is less loss over all, a percent as good as two of them."""
    return found["within_margin"] / max(found["count"], 1) - 2 * log(found["geometric_mean_loss"])


def as_text(known: Sequence[Replay], name: str, tables: Sequence[str]) -> str:
    """What the planner scores, how far off its predictions are, the worst choices, and constants that do better."""
    current = {table: costs.RATES[table] for table in tables}
    lines = [f"{name}: {_scored(score_of(known, name, current))} with the planner's constants"]
    with _as_timed(name):
        lines += ["measured / predicted:", *_residuals(known), "worst choices:", *_worst(known)]
    rates, best = fit(known, name, tables)
    lines.append(f"{name}: {_scored(best)} with")
    for table, row in rates.items():
        values = ", ".join(f"{constant} {getattr(row, constant):,}" for constant in CONSTANTS)
        lines.append(f"  {table}: {values}")
    return "\n".join(lines)


def _scored(found: dict[str, Any]) -> str:
    share = found["within_margin"] / max(found["count"], 1)
    loss = found["geometric_mean_loss"] - 1
    return f"{share:.1%} of {found['count']} within {MARGIN}, mean loss {loss:.1%}, worst {found['worst_loss']:.2f}"


def _residuals(known: Sequence[Replay]) -> Iterator[str]:
    """Quartiles of measured over predicted times, per method, dimensions, precision and decade of samples."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for replay in known:
        row = replay.row
        samples = 1
        for size in row["shape"]:
            samples *= size
        decade = f"1e{len(str(samples)) - 1}"
        for name, cost in replay.predicted().items():
            key = (name, f"{len(row['shape'])}-D", row["dtype"], decade)
            groups.setdefault(key, []).append(replay.seconds[name] / (cost * 1e-12))
    for key in sorted(groups):
        values = sorted(groups[key])
        middle = statistics.median(values)
        yield f"  {' '.join(key):<34} {values[0]:6.2f} {middle:6.2f} {values[-1]:6.2f}  ({len(values)})"


def _worst(known: Sequence[Replay], count: int = 25) -> Iterator[str]:
    judged = sorted(((replay.judged(), replay) for replay in known), key=lambda pair: -pair[0]["loss"])
    for found, replay in judged[:count]:
        if found["loss"] <= MARGIN:
            return
        predicted, row = replay.predicted(), replay.row
        both = ", ".join(f"{name} {replay.seconds[name]:.2g} ({predicted[name] * 1e-12:.2g})" for name in predicted)
        outer = " outer" if row["outer"] else ""
        yield f"  {found['loss']:.2f} {found['chosen']}: {row['shape']} {row['dtype']}, {row['kernel']}{outer}: {both}"
