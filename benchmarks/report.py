"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

# Quartiles further apart than this show a disturbed measurement; its ratio is put in brackets.
DISTURBED = 1.5


def tables(result: dict[str, Any]) -> str:
    """All of a result as Markdown."""
    sections = [_machine(result)]
    for name, subject in result["subjects"].items():
        sections += [
            *CASE_TABLES[name](subject["cases"]),
            _starts(subject.get("starts", [])),
            _crossovers(subject.get("crossovers", [])),
            _choices(subject["choices"]),
            *_worst_choices(subject["choices"]),
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
        _limits(limits),
        *_card(result),
        f"Versions: {versions}.",
    ]
    lines += [f"Absent: {absent['name']} ({absent['reason']})." for absent in result["absent"]]
    return "\n".join(lines)


def _card(result: dict[str, Any]) -> list[str]:
    """The GPU, where CuPy's arrays were measured."""
    if "card" not in result:
        return []
    found = result["card"]
    return [
        f"GPU: {found['name']}, {found['memory_bytes'] / 2**30:.0f} GiB, capability {found['capability']}, "
        f"driver for CUDA {found['driver']}, CUDA {found['runtime']}. {_limits(found['limits'])}"
    ]


def _limits(limits: dict[str, float]) -> str:
    """What the machine can do: on one thread, and on all, in billions per second."""

    def both(one: str, every: str) -> str:
        figures = [f"{limits[name] / 1e9:.3g}" for name in (one, every) if name in limits]
        return " and ".join(figures)

    copies = both("copy_bytes_per_s", "copy_bytes_per_s_all")
    products = both("multiply_adds_per_s_one", "multiply_adds_per_s")
    if "touch_bytes_per_s" not in limits:
        return f"Limits: copy {copies} GB/s, multiply-adds {products} billion/s."
    touches = both("touch_bytes_per_s", "touch_bytes_per_s_all")
    doubles = both("multiply_adds_per_s_double_one", "multiply_adds_per_s_double")
    return (
        f"Limits on one thread and on {limits['threads']}: copy {copies} GB/s, first touch of memory {touches} GB/s, "
        f"multiply-adds {products} billion/s in float32, {doubles} in float64."
    )


def _case_tables(cases: Sequence[dict[str, Any]]) -> Iterator[str]:
    """One table per array library, one row per case and contender that was timed or should have been."""
    for library in dict.fromkeys(case["library"] for case in cases):
        rows: list[list[str]] = []
        notes: list[str] = []
        for case in cases:
            if case["library"] == library:
                rows += _case_rows(case)
                notes += [_absence(row) for row in case["contenders"] if row["status"] == "absent"]
        head = ["", "median", "quartiles", "first call", "time / gpuconv", "share of limit", "peak memory"]
        yield f"### Convolutions of {library} arrays\n\n" + _table(*_without_empty(head, rows))
        if notes:
            yield "\n".join(dict.fromkeys(notes))


def _absence(row: dict[str, Any]) -> str:
    return f"Absent: {row['name']} ({row['reason']})."


def _case_rows(case: dict[str, Any]) -> Iterator[list[str]]:
    yield [f"**{case['case']}**", "", "", "", "", "", ""]
    for row in case["contenders"]:
        if row["status"] == "timed":
            yield [
                row["name"],
                seconds(row["median_s"]),
                f"{seconds(row['lower_quartile_s'])} to {seconds(row['upper_quartile_s'])}",
                seconds(row["first_s"]),
                _ratio(row),
                _share(row),
                _memory(row),
            ]
        elif row["status"] in ("wrong", "failed"):
            yield [row["name"], row["status"], row["reason"], "", "", "", ""]


def _share(row: dict[str, Any]) -> str:
    """Of what the machine can do, the limit that is nearer; more than all of the products are those saved."""
    copy, products = row.get("share_of_copy"), row.get("share_of_multiply_adds", 0)
    if copy is None:
        return ""
    return f"{products:.0%} of products" if copy < products <= 1 else f"{copy:.0%} of copy"


def _memory(row: dict[str, Any]) -> str:
    """What a call takes, and what the plan expected of it."""
    if row.get("peak_bytes") is None:
        return ""
    planned = f" (planned {_bytes(row['predicted_bytes'])})" if "predicted_bytes" in row else ""
    return _bytes(row["peak_bytes"]) + planned


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 2**10:.3g} KiB"


def _without_empty(head: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """A table without the columns that no row has anything in; older figures lack some."""
    kept = [place for place in range(len(head)) if place == 0 or any(row[place] for row in rows)]
    return [head[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _ratio_tables(cases: Sequence[dict[str, Any]], what: str = "Filters of {library} arrays") -> Iterator[str]:
    """One table per array library, one row per case, a column for each other way to do it."""
    for library in dict.fromkeys(case["library"] for case in cases):
        own = [case for case in cases if case["library"] == library]
        names = dict.fromkeys(row["name"] for case in own for row in case["contenders"] if row["status"] != "absent")
        others = [name for name in names if name != "gpuconv"]
        rows, notes = [], []
        for case in own:
            found = {row["name"]: row for row in case["contenders"]}
            ours = found["gpuconv"]
            rows.append([case["case"], *_own(ours)] + [_ratio_or_status(found.get(name, {})) for name in others])
            notes += [_absence(row) for row in case["contenders"] if row["status"] == "absent"]
            notes += [_fault(case, row) for row in case["contenders"] if row["status"] in ("wrong", "failed")]
        head = ["", "gpuconv", "quartiles", "first call", "share of limit", "peak memory"]
        head += [f"{name} / gpuconv" for name in others]
        # The sections of the page that are about NumPy arrays have headings of their own.
        title = f"### {what.format(library=library)}\n\n" if what else ""
        yield title + _table(*_without_empty(head, rows))
        if notes:
            yield "\n".join(dict.fromkeys(notes))


def _own(row: dict[str, Any]) -> list[str]:
    """What gpuconv takes: time, its quartiles, the first call, share of the machine, memory."""
    if row["status"] != "timed":
        return [row["status"], "", "", "", ""]
    quartiles = f"{seconds(row['lower_quartile_s'])} to {seconds(row['upper_quartile_s'])}"
    return [seconds(row["median_s"]), quartiles, seconds(row["first_s"]), _share(row), _memory(row)]


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


def _starts(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    head = ["", "first call, nothing compiled", "of it on the processor", "first call, compiled before", "later calls"]
    body = [
        [row["operation"], *(seconds(row[name]) for name in ("cold_s", "cold_processor_s", "cached_s", "warm_s"))]
        for row in rows
    ]
    return _table(head, body)


def _crossovers(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    head = ["image", "fastest, by taps an axis", "the planner's choice", "worst loss"]
    body = [[row["series"], row["fastest"], row["chosen"], f"{row['worst_loss']:.2f}"] for row in rows]
    return "### Where methods overtake each other\n\n" + _table(head, body)


def _choices(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    head = ["array library", "random problems", f"within {rows[0]['margin']} of the fastest", "mean loss", "worst"]
    body = []
    for row in rows:
        body.append([row["library"], *_score(row)])
        if "with_measured" in row:
            body.append([f"{row['library']}, with the measured constants", *_score(row["with_measured"])])
    return '### How often `method="auto"` is right\n\n' + _table(head, body)


def _worst_choices(rows: Sequence[dict[str, Any]], most: int = 12) -> Iterator[str]:
    """The problems beyond the margin that lose most, where many were measured."""
    for row in rows:
        lost = [problem for problem in row["problems"] if problem["loss"] > row["margin"]]
        if not lost or row["count"] < 60:
            continue
        lost.sort(key=lambda problem: -problem["loss"])
        head = ["", "taken", "fastest", "loss"]
        body = [
            [_posed(problem), *map(_timed(problem), ("chosen", "fastest")), f"{problem['loss']:.2f}"]
            for problem in lost
        ]
        yield f"### The worst choices: {row['library']}\n\n" + _table(head, body[:most])


def _posed(problem: dict[str, Any]) -> str:
    shape, taps = ("x".join(map(str, problem[name])) for name in ("shape", "kernel"))
    return f"{shape} {problem['dtype']}, {taps} taps{', an outer product' if problem['outer'] else ''}"


def _timed(problem: dict[str, Any]) -> Callable[[str], str]:
    return lambda which: f"{problem[which]} {seconds(problem['seconds'][problem[which]])}"


def _score(score: dict[str, Any]) -> list[str]:
    asked = score.get("asked", score["count"])
    return [
        str(score["count"]) if asked == score["count"] else f"{score['count']} of {asked}",
        f"{score['within_margin']} ({score['within_margin'] / max(score['count'], 1):.1%})",
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


# How the cases of a subject are shown.
CASE_TABLES: dict[str, Callable[[Sequence[dict[str, Any]]], Iterator[str]]] = {
    "methods": _case_tables,
    **dict.fromkeys(
        ("lines", "separable", "dense", "bytes", "cuda", "channels", "steps"), partial(_ratio_tables, what="")
    ),
    "start": _ratio_tables,
    "crossover": _ratio_tables,
    "filters": _ratio_tables,
    "spectral": partial(_ratio_tables, what="Frequencies of {library} arrays"),
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
