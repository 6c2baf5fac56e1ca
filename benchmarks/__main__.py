"""``python -m benchmarks run``, ``renew``, ``table [FILE]``, ``compare BEFORE AFTER``, ``fit FILE``."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import (
    bench_beyond,
    bench_channels,
    bench_convolutions,
    bench_crossover,
    bench_diffusion,
    bench_filters,
    bench_methods,
    bench_spectral,
    bench_start,
    bench_steps,
    beyond_peers,
    card,
    diffusion_peers,
    filter_peers,
    fitting,
    goals,
    machine,
    peers,
    rates,
    regressions,
    report,
    roofline,
    spectral_peers,
)
from benchmarks.libraries import OPENERS, AbsentError, ArrayLibrary, open_library
from benchmarks.settings import Settings

SUBJECTS: dict[str, Any] = {
    "methods": bench_methods,
    "lines": bench_convolutions.lines,
    "separable": bench_convolutions.separable,
    "dense": bench_convolutions.dense,
    "bytes": bench_convolutions.in_bytes,
    "cuda": bench_convolutions.cuda,
    "channels": bench_channels,
    "steps": bench_steps,
    "start": bench_start,
    "crossover": bench_crossover,
    "filters": bench_filters,
    "spectral": bench_spectral,
    "diffusion": bench_diffusion,
    "beyond": bench_beyond,
}
# Measured on CuPy arrays alone, and kept beside the other figures of a visit to a GPU.
OF_CUPY = frozenset({"cuda"})
# Measured on NumPy arrays alone.
OF_NUMPY = frozenset({"lines", "separable", "dense", "bytes", "channels", "steps", "start", "crossover"})
PEERS = (peers, filter_peers, spectral_peers, diffusion_peers, beyond_peers, bench_channels, bench_steps)
GROUPS = tuple(dict.fromkeys(group for module in PEERS for group in module.GROUPS))
# Subjects whose figures come from this command alone, and the array libraries measured for them. The constants of the
# planner hang on those of the methods, which are renewed by hand.
RENEWED = {
    **dict.fromkeys(("lines", "separable", "dense", "bytes", "channels", "steps", "start", "crossover"), "numpy"),
    "filters": "numpy",
    **dict.fromkeys(("spectral", "diffusion", "beyond"), "numpy,torch,jax"),
}
ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "performance.md"
FORMAT = 1
# Longest line of a file of figures.
LINE = 400
# What a quick run keeps of the time spent on each measurement.
QUICK_PATIENCE = 0.5


def main(arguments: list[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    return parsed.command(parsed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="measure, print the tables, and keep the figures")
    run.add_argument("--subject", type=_names(SUBJECTS), default=tuple(SUBJECTS), metavar="NAME,NAME")
    run.add_argument("--library", type=_names(OPENERS), default=("numpy",), metavar="NAME,NAME")
    run.add_argument("--peers", type=_names(GROUPS), default=GROUPS, metavar="NAME,NAME")
    run.add_argument("--json", type=Path, metavar="FILE", help="where to keep the figures")
    run.add_argument("--quick", action="store_true", help="fewer cases, and less time for each")
    run.add_argument("--patience", type=_positive, default=1.0, metavar="FACTOR", help="more time for each measurement")
    run.add_argument("--minutes", type=_positive, default=15.0, help="no more random problems for the planner after it")
    run.add_argument("--resume", action="store_true", help="go on with random problems where a run was ended")
    run.set_defaults(command=run_command)
    renew = commands.add_parser("renew", help="measure the subjects of a page again, one by one, and renew its tables")
    renew.add_argument("--subject", type=_names(RENEWED), default=tuple(RENEWED), metavar="NAME,NAME")
    renew.add_argument(
        "--patience", type=_positive, default=1.0, metavar="FACTOR", help="more time for each measurement"
    )
    renew.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="where the figures are kept")
    renew.add_argument("--into", type=Path, default=PAGE, metavar="PAGE", help="where the tables stand")
    renew.set_defaults(command=renew_command)
    table = commands.add_parser(
        "table", help="print a file of figures as Markdown; without one, renew the page's tables"
    )
    table.add_argument("file", type=Path, nargs="?")
    table.add_argument("--into", type=Path, metavar="PAGE", help="put the tables into a page, between its markers")
    table.set_defaults(command=table_command)
    compare = commands.add_parser("compare", help="print what is slower in the second file; exit code 1 if anything is")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    compare.set_defaults(command=compare_command)
    fit = commands.add_parser("fit", help="look for constants of the planner that would choose better on a timed grid")
    fit.add_argument("file", type=Path, help="figures of the subject crossover")
    fit.set_defaults(command=fit_command)
    return parser


def _names(known: Any) -> Any:
    """Reader of a list of names, each of which must be known."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(name for name in text.split(",") if name)
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise argparse.ArgumentTypeError(f"choose from {', '.join(known)}: got {text!r}")
        return names

    return read


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be positive: got {text}")
    return value


def run_command(parsed: argparse.Namespace) -> int:
    """Measure; exit code 1 if an answer of gpuconv is wrong."""
    libraries, absent = _open(parsed.library)
    for entry in absent:
        print(f"absent: {entry['name']} ({entry['reason']})", file=sys.stderr)
    if not libraries:
        print("none of the array libraries asked for is here: nothing was measured", file=sys.stderr)
        return 2
    patience = parsed.patience * (QUICK_PATIENCE if parsed.quick else 1)
    result = {"format": FORMAT, "command": _command(parsed), **machine.describe(), "absent": absent}
    result["limits"] = roofline.measure(rounds=3 if parsed.quick else 9)
    for library in libraries:
        if library.name == "cupy":
            result["card"] = card.describe() | {"limits": card.measure(library)}
    settings = Settings(
        parsed.peers,
        parsed.quick,
        patience,
        result["limits"],
        result.get("card", {}).get("limits", {}),
        parsed.minutes,
        parsed.resume,
    )
    result["subjects"] = {name: SUBJECTS[name].run(libraries, settings) for name in parsed.subject}
    result["machine"]["load_after"] = machine.load()
    if parsed.json is not None:
        parsed.json.parent.mkdir(parents=True, exist_ok=True)
        parsed.json.write_text(_written(result) + "\n", encoding="utf-8")
    print(report.tables(result))
    for subject in result["subjects"].values():
        for row in subject["rates"]:
            print(f"for the planner: {rates.as_code(row)}", file=sys.stderr)
    for fault in report.faults(result):
        print(f"wrong: {fault}", file=sys.stderr)
    return int(bool(report.faults(result)))


def _written(value: Any, depth: int = 0) -> str:
    """JSON with what fits a line on one."""
    flat = json.dumps(value)
    if len(flat) + depth <= LINE or not isinstance(value, (dict, list)):
        return flat
    inside, outside = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_written(part, depth + 1)}" for key, part in value.items()]
        return "{" + inside + f",{inside}".join(parts) + outside + "}"
    return "[" + inside + f",{inside}".join(_written(part, depth + 1) for part in value) + outside + "]"


def _open(names: tuple[str, ...]) -> tuple[list[ArrayLibrary], list[dict[str, str]]]:
    libraries, absent = [], []
    for name in names:
        try:
            libraries.append(open_library(name))
        except AbsentError as error:
            absent.append({"name": name, "reason": str(error)})
    return libraries, absent


def _command(parsed: argparse.Namespace) -> str:
    """The command as one could give it again; where the figures went does not matter."""
    words = ["python", "-m", "benchmarks", "run", "--subject", ",".join(parsed.subject)]
    words += ["--library", ",".join(parsed.library), "--peers", ",".join(parsed.peers)]
    words += ["--quick"] if parsed.quick else []
    words += ["--patience", f"{parsed.patience:g}"] if parsed.patience != 1 else []
    return shlex.join(words)


def renew_command(parsed: argparse.Namespace) -> int:
    """Measure each subject in a process of its own; what went wrong leaves the old figures and tables as they are."""
    worst = 0
    for subject in parsed.subject:
        path, fresh = parsed.results / f"{subject}-cpu.json", parsed.results / "local" / f"{subject}-cpu.json"
        command = [sys.executable, "-m", "benchmarks", "run", "--subject", subject, "--library", RENEWED[subject]]
        command += ["--patience", f"{parsed.patience:g}", "--json", str(fresh)]
        code = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode
        if code != 0:
            print(f"{subject}: ended with exit code {code}; see {fresh}", file=sys.stderr)
            worst = max(worst, code)
            continue
        fresh.replace(path)
    renew_tables(parsed.results, parsed.into)
    return worst


def table_command(parsed: argparse.Namespace) -> int:
    """Print the tables, renew them in a page, or renew all tables of the page from the figures that are kept."""
    if parsed.file is None:
        renew_tables(RESULTS, parsed.into or PAGE)
        return 0
    result = _read(parsed.file)
    tables = report.tables(result)
    if parsed.into is None:
        sys.stdout.write(tables)
        return 0
    text = parsed.into.read_text(encoding="utf-8")
    parsed.into.write_text(report.put_between_markers(text, tables, report.marker(result)), encoding="utf-8")
    return 0


def renew_tables(folder: Path, page: Path) -> None:
    """The tables of every subject that has figures in `folder`, and the goals, which are judged by all of them."""
    text, results = page.read_text(encoding="utf-8"), []
    for subject in SUBJECTS:
        path = folder / f"{subject}-cpu.json"
        if path.exists():
            results.append(_read(path))
            text = report.put_between_markers(text, report.tables(results[-1]), report.begin_of(subject))
    text = report.put_between_markers(text, goals.table(results), report.begin_of("goals"))
    page.write_text(text, encoding="utf-8")


def fit_command(parsed: argparse.Namespace) -> int:
    """Score the planner on every grid of the file, and look for constants that would do better."""
    for row in _read(parsed.file)["subjects"]["crossover"]["choices"]:
        tables = ("numpy",) if row["library"].endswith(fitting.PLAIN) else ("compiled", "numpy")
        print(fitting.as_text(fitting.replays(row["library"], row["problems"]), row["library"], tables))
    return 0


def compare_command(parsed: argparse.Namespace) -> int:
    """Print regressions first; exit code 1 if there are any."""
    worse, notes = regressions.compare(_read(parsed.before), _read(parsed.after))
    for sentence in worse:
        print(f"worse: {sentence}")
    for sentence in notes:
        print(f"note: {sentence}")
    if not worse:
        print("nothing is worse")
    return int(bool(worse))


def _read(path: Path) -> dict[str, Any]:
    result = json.loads(path.read_text(encoding="utf-8"))
    if result.get("format") != FORMAT:
        raise SystemExit(f"{path} has format {result.get('format')!r}, this program reads {FORMAT}: measure again")
    return result


if __name__ == "__main__":
    sys.exit(main())
