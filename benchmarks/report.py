"""Results as Markdown, and two results against each other."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

# A time counts as changed when the medians differ by more than this and the quartiles do not overlap.
NOTABLE = 1.25
# Quartiles further apart than this show a disturbed measurement; its ratio is put in brackets.
DISTURBED = 1.5


def tables(result: dict[str, Any]) -> str:
    """All of a result as Markdown."""
    sections = [_machine(result)]
    for name, subject in result["subjects"].items():
        sections += [
            *CASE_TABLES[name](subject["cases"]),
            _choices(subject["choices"]),
            _rates(subject["rates"]),
            *_borders(subject["borders"]),
            _overhead(subject["overhead"], subject["first_use"]),
        ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _machine(result: dict[str, Any]) -> str:
    machine, limits = result["machine"], result["limits"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    load = "" if machine["load"] is None else f" (load {machine['load']} before, {machine['load_after']} after)"
    lines = [
        f"Measured on {result['date'][:10]} on {machine['processor']}, {machine['cores']} cores{load}, "
        f"{machine['system']}, with `{result['command']}`.",
        f"Limits: copy {limits['copy_bytes_per_s'] / 1e9:.3g} GB/s, "
        f"multiply-adds {limits['multiply_adds_per_s'] / 1e9:.3g} billion/s.",
        f"Versions: {versions}.",
    ]
    lines += [f"Absent: {absent['name']} ({absent['reason']})." for absent in result["absent"]]
    return "\n".join(lines)


def _case_tables(cases: Sequence[dict[str, Any]]) -> Iterator[str]:
    """One table per array library, one row per case and contender that was timed or should have been."""
    for library in dict.fromkeys(case["library"] for case in cases):
        rows: list[list[str]] = []
        notes: list[str] = []
        for case in cases:
            if case["library"] == library:
                rows += _case_rows(case)
                notes += [_absence(row) for row in case["contenders"] if row["status"] == "absent"]
        head = ["", "median", "quartiles", "first call", "time / gpuconv", "share of copy"]
        yield f"### Convolutions of {library} arrays\n\n" + _table(head, rows)
        if notes:
            yield "\n".join(dict.fromkeys(notes))


def _absence(row: dict[str, Any]) -> str:
    return f"Absent: {row['name']} ({row['reason']})."


def _case_rows(case: dict[str, Any]) -> Iterator[list[str]]:
    yield [f"**{case['case']}**", "", "", "", "", ""]
    for row in case["contenders"]:
        if row["status"] == "timed":
            yield [
                row["name"],
                seconds(row["median_s"]),
                f"{seconds(row['lower_quartile_s'])} to {seconds(row['upper_quartile_s'])}",
                seconds(row["first_s"]),
                _ratio(row),
                f"{row['share_of_copy']:.1%}" if "share_of_copy" in row else "",
            ]
        elif row["status"] in ("wrong", "failed"):
            yield [row["name"], row["status"], row["reason"], "", "", ""]


def _ratio_tables(cases: Sequence[dict[str, Any]], what: str = "Filters") -> Iterator[str]:
    """One table per array library, one row per case, a column for each other way to do it."""
    for library in dict.fromkeys(case["library"] for case in cases):
        own = [case for case in cases if case["library"] == library]
        names = dict.fromkeys(row["name"] for case in own for row in case["contenders"] if row["status"] != "absent")
        others = [name for name in names if name != "gpuconv"]
        rows, notes = [], []
        for case in own:
            found = {row["name"]: row for row in case["contenders"]}
            ours = found["gpuconv"]
            timed = ours["status"] == "timed"
            share = f"{ours['share_of_copy']:.1%}" if "share_of_copy" in ours else ""
            rows.append(
                [case["case"], seconds(ours["median_s"]) if timed else ours["status"], share]
                + [_ratio_or_status(found.get(name, {})) for name in others]
            )
            notes += [_absence(row) for row in case["contenders"] if row["status"] == "absent"]
            notes += [_fault(case, row) for row in case["contenders"] if row["status"] in ("wrong", "failed")]
        head = ["", "gpuconv", "share of copy", *(f"{name} / gpuconv" for name in others)]
        yield f"### {what} of {library} arrays\n\n" + _table(head, rows)
        if notes:
            yield "\n".join(dict.fromkeys(notes))


def _accuracy_tables(
    cases: Sequence[dict[str, Any]], what: str = "Diffusion of {library} arrays, to a stated accuracy"
) -> Iterator[str]:
    """One table per array library, one row per case and way to solve it, with the steps taken and the error made."""
    for library in dict.fromkeys(case["library"] for case in cases):
        own = [case for case in cases if case["library"] == library]
        rows: list[list[str]] = []
        for case in own:
            rows.append([f"**{case['case']}**", "", "", "", "", ""])
            rows += [_solved(row) for row in case["contenders"] if row["status"] in ("timed", "wrong", "failed")]
        head = ["", "how", "time", "quartiles", "error", "time / gpuconv"]
        yield f"### {what.format(library=library)}\n\n" + _table(head, rows)
        notes = [_absence(row) for case in own for row in case["contenders"] if row["status"] == "absent"]
        notes += [
            _fault(case, row) for case in own for row in case["contenders"] if row["status"] in ("wrong", "failed")
        ]
        if notes:
            yield "\n".join(dict.fromkeys(notes))


def _solved(row: dict[str, Any]) -> list[str]:
    if row["status"] != "timed":
        return [row["name"], row["steps"], row["status"], "", "", ""]
    quartiles = f"{seconds(row['lower_quartile_s'])} to {seconds(row['upper_quartile_s'])}"
    return [row["name"], row["steps"], seconds(row["median_s"]), quartiles, f"{row['error']:.1e}", _ratio(row)]


def _fault(case: dict[str, Any], row: dict[str, Any]) -> str:
    return f"{row['name']} {row['status']}: {case['case']}: {row['reason']}."


def _ratio_or_status(row: dict[str, Any]) -> str:
    """A number where a contender was timed, a word where it should have been."""
    status = row.get("status", "")
    return _ratio(row) if status == "timed" else status if status in ("wrong", "failed") else ""


def _ratio(row: dict[str, Any]) -> str:
    if "ratio" not in row:
        return ""
    disturbed = row["upper_quartile_s"] > DISTURBED * row["lower_quartile_s"]
    # Two decimals would make nothing of it.
    ratio = f"{row['ratio']:.2f}" if row["ratio"] >= 0.005 else f"{row['ratio']:.1g}"
    return f"({ratio})" if disturbed else ratio


def _choices(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    head = ["array library", "random problems", f"within {rows[0]['margin']} of the fastest", "mean loss", "worst"]
    body = []
    for row in rows:
        body.append([row["library"], *_score(row)])
        if "with_measured" in row:
            body.append([f"{row['library']}, with the measured constants below", *_score(row["with_measured"])])
    return '### How often `method="auto"` is right\n\n' + _table(head, body)


def _score(score: dict[str, Any]) -> list[str]:
    return [
        str(score["count"]),
        f"{score['within_margin']} ({score['within_margin'] / score['count']:.0%})",
        f"{score['geometric_mean_loss'] - 1:.1%}",
        f"{score['worst_loss']:.2f}",
    ]


def _rates(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    names = list(rows[0]["measured"])
    body = []
    for row in rows:
        body.append([f"{row['library']}, measured", *(f"{row['measured'][name]:,}" for name in names)])
        body.append([f"{row['library']}, in the planner", *(f"{row['planner'][name]:,}" for name in names)])
    return "### The planner's constants, in picoseconds\n\n" + _table(["", *names], body)


def _borders(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """One table per border: times with other values, relative to the one that stands in the code."""
    for constant in dict.fromkeys(row["constant"] for row in rows):
        chosen = [row for row in rows if row["constant"] == constant]
        values = list(chosen[0]["relative"])
        head = ["", f"time at {values[0]}", *(f"at {value}" for value in values[1:])]
        body = [
            [row["work"], seconds(row["fastest_s"]), *(f"{row['relative'][value]:.2f} times" for value in values[1:])]
            for row in chosen
        ]
        yield f"### Border `{constant}`\n\n" + _table(head, body)


def _overhead(rows: Sequence[dict[str, Any]], first_use: dict[str, float] | None) -> str:
    if not rows:
        return ""
    body = [
        [f"{row['library']}: {stage['stage']}", seconds(stage["median_s"]), seconds(stage["fastest_s"])]
        for row in rows
        for stage in row["stages"]
    ]
    text = "### Small calls: 32x32 float32, 3x3 taps\n\n" + _table(["", "median", "fastest"], body)
    if first_use is not None:
        text += (
            f"\n\nIn a fresh process: importing NumPy takes {seconds(first_use['import_numpy_s'])}, then importing "
            f"gpuconv {seconds(first_use['import_gpuconv_s'])}, then the first convolution "
            f"{seconds(first_use['first_convolve_s'])}."
        )
    return text


def seconds(value: float) -> str:
    """A duration with three digits and the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} us"


def faults(result: dict[str, Any]) -> list[str]:
    """A sentence for each answer of gpuconv that is wrong or failed."""
    return [
        f"{case['library']}: {case['case']}: {row['name']} {row['status']}: {row['reason']}"
        for subject in result["subjects"].values()
        for case in subject["cases"]
        for row in case["contenders"]
        if row["name"] == "gpuconv" and row["status"] != "timed"
    ]


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


# How the cases of a subject are shown.
CASE_TABLES: dict[str, Callable[[Sequence[dict[str, Any]]], Iterator[str]]] = {
    "methods": _case_tables,
    "compiled": partial(_ratio_tables, what="Large work"),
    "filters": _ratio_tables,
    "spectral": partial(_ratio_tables, what="Frequencies"),
    "diffusion": _accuracy_tables,
    "beyond": partial(_accuracy_tables, what="Edges kept, and convolution by lot, of {library} arrays"),
}

BEGIN = "<!-- begin: printed by `python -m benchmarks table` -->"
END = "<!-- end -->"


def marker(result: dict[str, Any]) -> str:
    """The line of a page behind which the tables of a result stand: one of its own for each subject but the methods."""
    subjects = list(result["subjects"])
    return begin_of(subjects[0]) if len(subjects) == 1 else BEGIN


def begin_of(subject: str) -> str:
    return BEGIN if subject == "methods" else BEGIN.replace("begin:", f"begin: {subject},")


def between_markers(page: str, begin: str = BEGIN) -> str:
    """The tables of a page behind the line `begin`."""
    _, found, rest = page.partition(begin)
    tables, end, _ = rest.partition(END)
    if not found or not end:
        raise SystemExit(f"the page has no lines {begin!r} and {END!r} to put tables between")
    return tables.strip() + "\n"


def put_between_markers(page: str, tables: str, begin: str = BEGIN) -> str:
    """The page with other tables behind the line `begin`."""
    between_markers(page, begin)
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{tables}\n{END}{rest.partition(END)[2]}"
