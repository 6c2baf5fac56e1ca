"""Two results against each other: what became slower than its peers did."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from benchmarks.report import seconds

# A time counts as changed when the medians differ by more than this and the quartiles do not overlap.
NOTABLE = 1.25


def compare(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Sentences on what is worse in `after`, and on what is better or cannot be compared.

    Changes are relative to those of the peers in the same case: what slows them down too is the machine.
    """
    worse, notes = [], []
    if before["machine"]["processor"] != after["machine"]["processor"]:
        notes.append(
            f"the machines differ ({before['machine']['processor']}; {after['machine']['processor']}): "
            "cases without peers cannot be compared"
        )
    new = dict(_cases(after))
    for key, old_case in _cases(before):
        name = ": ".join(key)
        if key not in new:
            notes.append(f"{name}: not measured again")
            continue
        row, old_row = _ours(new[key]), _ours(old_case)
        if row["status"] in ("wrong", "failed"):
            worse.append(f"{name}: {row['status']}: {row['reason']}")
        elif row["status"] == "timed" and old_row["status"] == "timed":
            drift = _drift(old_case, new[key])
            factor = row["median_s"] / old_row["median_s"] / drift
            change = (
                f"{name}: {seconds(old_row['median_s'])} -> {seconds(row['median_s'])}, "
                f"{factor:.2f} times against the peers' {drift:.2f}"
            )
            if factor > NOTABLE and row["lower_quartile_s"] > old_row["upper_quartile_s"] * drift:
                worse.append(change)
            elif factor < 1 / NOTABLE and row["upper_quartile_s"] < old_row["lower_quartile_s"] * drift:
                notes.append(f"{change}: faster")
    worse += _worse_choices(before, after)
    return worse, notes


def _cases(result: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every case with its subject, library and name."""
    for subject, parts in result["subjects"].items():
        for case in parts["cases"]:
            yield (subject, case["library"], case["case"]), case


def _ours(case: dict[str, Any]) -> dict[str, Any]:
    return next(row for row in case["contenders"] if row["name"] == "gpuconv")


def _drift(before: dict[str, Any], after: dict[str, Any]) -> float:
    """How many times longer the peers of a case take, in the median; 1 without peers."""
    old = {row["name"]: row for row in before["contenders"] if row["status"] == "timed" and row["name"] != "gpuconv"}
    changes = [
        row["median_s"] / old[row["name"]]["median_s"]
        for row in after["contenders"]
        if row["status"] == "timed" and row["name"] in old
    ]
    return statistics.median(changes) if changes else 1.0


def _worse_choices(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for subject, parts in before["subjects"].items():
        later = {row["library"]: row for row in after["subjects"].get(subject, {}).get("choices", [])}
        for row in parts["choices"]:
            new = later.get(row["library"])
            if new is None or new["count"] != row["count"]:
                continue
            # One problem more or less is noise.
            if row["within_margin"] - new["within_margin"] > max(1, 0.05 * row["count"]):
                yield (
                    f'{subject}: {row["library"]}: "auto" is within {row["margin"]} of the fastest method on '
                    f"{new['within_margin']} of {new['count']} problems, it was {row['within_margin']}"
                )
