"""What NVRTC makes of the kernels, without a GPU: registers, spills and shared memory of every binary.

``python -m tests.cuda.registers --all`` compiles all that the launchers can ask for and writes the table of
``docs/gpu.md``: of the files named, or of all. Without ``--all`` it takes a sample, two binaries for each kernel and
dtype of sums. With ``--check`` nothing is written, and it fails where the table tells of fewer registers. Either way it
fails where a binary does not compile, spills, or has too much shared memory.
What they ask for, the modules ``instances_*.py`` of this folder tell: each has ``launches()``, an iterable of `Launch`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import ModuleType

from gpuconv.backends.cuda import compile
from gpuconv.backends.cuda.launch import MAX_SHARED
from gpuconv.core.dtypes import EPS, INTEGERS, SUPPORTED

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "gpu.md"
BEGIN, END = "<!-- registers: begin -->", "<!-- registers: end -->"
ARCHITECTURES = ("sm_80", "sm_90")
# Binaries in the table for each kernel and dtype of sums.
SAMPLED = 2
# CuPy's own options for RawModule that change code.
FLUSH = True

Defines = tuple[tuple[str, str], ...]
# By file, kernel and dtype of sums, and then by architecture.
Registers = dict[tuple[str, str, str], dict[str, int]]
_HEADER = re.compile(r"Compiling entry function '(\w+)'")
_SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")


@dataclass(frozen=True)
class Usage:
    """Of one kernel: registers a thread, bytes spilled, bytes of shared memory of constant size."""

    registers: int
    spilled: int
    shared: int


@functools.cache
def instances() -> dict[tuple[str, Defines], frozenset[str]]:
    """Every binary that launchers ask for, and the kernels they ask it for."""
    asked: dict[tuple[str, Defines], set[str]] = {}
    for path in sorted(FOLDER.glob("instances_*.py")):
        for launch in importlib.import_module(f"tests.cuda.{path.stem}").launches():
            asked.setdefault((launch.source, launch.defines), set()).add(launch.kernel)
    return {key: frozenset(kernels) for key, kernels in asked.items()}


def sample(most: int, *, each_kernel: bool) -> list[tuple[str, Defines]]:
    """Up to `most` binaries for each file and dtype of sums, or for each kernel there, always the same ones."""
    groups: dict[tuple[str, ...], list[tuple[str, Defines]]] = {}
    for key in sorted(instances(), key=lambda key: hashlib.sha256(repr(key).encode()).digest()):
        for kernel in sorted(instances()[key]) if each_kernel else ("",):
            groups.setdefault((key[0], kernel, sum_dtype(key[1])), []).append(key)
    return list(dict.fromkeys(key for group in groups.values() for key in group[:most]))


def sum_dtype(defines: Defines) -> str:
    """What a binary sums in; the first of its dtypes where it has another name for that."""
    named = dict(defines)
    return named.get("SUM") or next((value for value in named.values() if value in SUPPORTED), "")


@functools.cache
def _cuda_core() -> ModuleType:
    return importlib.import_module("cuda.core")


def usage(source: str, defines: Defines, architecture: str) -> dict[str, Usage]:
    """What each kernel of a binary takes."""
    core = _cuda_core()
    options = core.ProgramOptions(
        arch=architecture, std="c++17", ftz=FLUSH, ptxas_options=["-v"], name=source, no_display_error_number=True
    )
    log = io.StringIO()
    core.Program(compile.source_text(source, defines), "c++", options).compile("cubin", logs=log)
    found: dict[str, Usage] = {}
    for part in re.split(r"(?=Compiling entry function)", log.getvalue())[1:]:
        header, spills, used, shared = (pattern.search(part) for pattern in (_HEADER, _SPILLS, _USED, _SHARED))
        assert header is not None, part
        assert spills is not None, part
        assert used is not None, part
        spilled = int(spills[1]) + int(spills[2])
        found[header[1]] = Usage(int(used[1]), spilled, int(shared[1]) if shared else 0)
    return found


@dataclass(frozen=True)
class Compiled:
    """What one binary came to: the usage of each kernel, or why there is none."""

    key: tuple[str, Defines]
    architecture: str
    kernels: dict[str, Usage]
    error: str = ""

    @property
    def failures(self) -> list[str]:
        """What is wrong with it, in sentences."""
        source, defines = self.key
        where = f"{source} for {self.architecture} with {' '.join(f'{name}={value}' for name, value in defines)}"
        found = [f"{where} does not compile: {self.error}"] if self.error else []
        for kernel, used in self.kernels.items():
            if used.spilled:
                found.append(f"{where}: {kernel} spills {used.spilled} bytes")
            if used.shared > MAX_SHARED:
                found.append(f"{where}: {kernel} has {used.shared} bytes of shared memory")
        return found


def compiled(keys: Iterable[tuple[str, Defines]]) -> Iterator[Compiled]:
    """Every binary for every architecture, as many at a time as there are cores: NVRTC leaves Python to others."""

    def one(key: tuple[str, Defines], architecture: str) -> Compiled:
        try:
            found = usage(*key, architecture)
        except Exception as failure:
            return Compiled(key, architecture, {}, str(failure).strip())
        return Compiled(key, architecture, {kernel: found[kernel] for kernel in instances()[key] & set(found)})

    jobs = [(key, architecture) for key in keys for architecture in ARCHITECTURES]
    _cuda_core()  # before there are threads, two of which may not import it at once
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(lambda job: one(*job), jobs)


def most_registers(binaries: Iterable[Compiled]) -> Registers:
    """The most that any of them takes."""
    rows: Registers = {}
    for each in binaries:
        for kernel, used in each.kernels.items():
            row = rows.setdefault((each.key[0], kernel, sum_dtype(each.key[1])), dict.fromkeys(ARCHITECTURES, 0))
            row[each.architecture] = max(row[each.architecture], used.registers)
    return rows


def written(rows: Registers) -> str:
    """The table in Markdown."""
    order = ("", *INTEGERS, *EPS)
    lines = [
        f"| file | kernel | sums in | {' | '.join(ARCHITECTURES)} |",
        "|---|---|---|" + "---:|" * len(ARCHITECTURES),
    ]
    for key in sorted(rows, key=lambda key: (key[0], key[1], order.index(key[2]))):
        lines.append(f"| {' | '.join(key)} | {' | '.join(str(rows[key][each]) for each in ARCHITECTURES)} |")
    return "\n".join(lines)


def documented() -> Registers:
    """Registers as the page has them."""
    text = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if ".cu" in line]
    return {
        (source, kernel, dtype): dict(zip(ARCHITECTURES, map(int, registers), strict=True))
        for source, kernel, dtype, *registers in cells
    }


def stale(rows: Registers) -> list[str]:
    """Rows for which the page tells of fewer registers, in sentences."""
    listed = documented()
    return [
        f"{' '.join(key)} takes {row[each]} registers for {each}, the page says {listed.get(key, {}).get(each)}"
        for key, row in rows.items()
        for each in ARCHITECTURES
        if row[each] > listed.get(key, {}).get(each, 0)
    ]


def renew(rows: Registers, files: set[str]) -> None:
    """Put rows of these files into the page, in place of those that it has of them."""
    asked = {(source, kernel) for (source, _), kernels in instances().items() for kernel in kernels}
    kept = {key: used for key, used in documented().items() if key[0] not in files and key[:2] in asked}
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{written(kept | rows)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Compile, say what is wrong, and renew the page or compare with it."""
    start = perf_counter()
    keys = list(instances()) if "--all" in arguments else sample(SAMPLED, each_kernel=True)
    files = {each for each in arguments if not each.startswith("-")} or {source for source, _ in keys}
    keys = [key for key in keys if key[0] in files]
    binaries = list(compiled(keys))
    wrong = [failure for each in binaries for failure in each.failures]
    rows = most_registers(binaries)
    if "--check" in arguments:
        wrong += stale(rows)
    elif not wrong:
        renew(rows, files)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    count = f"{len(keys)} of {len(instances())} binaries for {' and '.join(ARCHITECTURES)}"
    print(f"{count}, compiled in {perf_counter() - start:.0f} s: {len(wrong)} failures")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
