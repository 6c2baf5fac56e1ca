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
    bench_compiled,
    bench_diffusion,
    bench_filters,
    bench_methods,
    bench_spectral,
    beyond_peers,
    diffusion_peers,
    filter_peers,
    machine,
    peers,
    rates,
    report,
    roofline,
    spectral_peers,
)
from benchmarks.libraries import OPENERS, AbsentError, ArrayLibrary, open_library
from benchmarks.settings import Settings

SUBJECTS = {
    "methods": bench_methods,
    "compiled": bench_compiled,
    "filters": bench_filters,
    "spectral": bench_spectral,
    "diffusion": bench_diffusion,
    "beyond": bench_beyond,
}
# Measured on NumPy arrays alone.
OF_NUMPY = frozenset({"compiled"})
PEERS = (peers, filter_peers, spectral_peers, diffusion_peers, beyond_peers)
GROUPS = tuple(dict.fromkeys(group for module in PEERS for group in module.GROUPS))
# Subjects whose figures come from this command alone, and the array libraries measured for them. The constants of the
# planner hang on those of the methods, which are renewed by hand.
RENEWED = {
    "compiled": "numpy",
    "filters": "numpy",
    "spectral": "numpy,torch,jax",
    "diffusion": "numpy,torch,jax",
    "beyond": "numpy,torch,jax",
}
ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "performance.md"
FORMAT = 1
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
    table = commands.add_parser("table", help="print a file of figures as Markdown; without one, renew the page's tables")
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
    settings = Settings(parsed.peers, parsed.quick, patience, result["limits"], parsed.minutes, parsed.resume)
    result["subjects"] = {name: SUBJECTS[name].run(libraries, settings) for name in parsed.subject}
    result["machine"]["load_after"] = machine.load()
    if parsed.json is not None:
        parsed.json.parent.mkdir(parents=True, exist_ok=True)
        parsed.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(report.tables(result))
    for subject in result["subjects"].values():
        for row in subject["rates"]:
            print(f"for the planner: {rates.as_code(row)}", file=sys.stderr)
    for fault in report.faults(result):
        print(f"wrong: {fault}", file=sys.stderr)
    return int(bool(report.faults(result)))


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
        table_command(argparse.Namespace(file=path, into=parsed.into))
    return worst


def table_command(parsed: argparse.Namespace) -> int:
    """Print the tables, or renew them in a page."""
    result = _read(parsed.file)
    tables = report.tables(result)
    if parsed.into is None:
        sys.stdout.write(tables)
        return 0
    text = parsed.into.read_text(encoding="utf-8")
    parsed.into.write_text(report.put_between_markers(text, tables, report.marker(result)), encoding="utf-8")
    return 0


def compare_command(parsed: argparse.Namespace) -> int:
    """Print regressions first; exit code 1 if there are any."""
    worse, notes = report.compare(_read(parsed.before), _read(parsed.after))
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
