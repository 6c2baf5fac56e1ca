"""``python -m tests.conformance.run``: SciPy's shipped tests against gpuconv's functions, in a process of their own.

Exits non-zero on an unlisted failure, on a stale entry of ``exceptions.toml``, and when a complete run leaves one of
the replaced functions uncalled. Other arguments go to pytest, for instance ``-k fftconvolve``;
``--conformance-results=tests/conformance/results.json`` records the counts that the documentation quotes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parent.parent
MODULES = (
    "scipy.ndimage.tests.test_filters",
    "scipy.ndimage.tests.test_fourier",
    "scipy.signal.tests.test_bsplines",
    "scipy.signal.tests.test_savitzky_golay",
    "scipy.signal.tests.test_signaltools",
    "scipy.signal.tests.test_upfirdn",
)


def command(results: Path, arguments: list[str]) -> list[str]:
    """The pytest call; `arguments` come last, so that they win."""
    settings = ["-c", str(FOLDER / "scipy_tests.ini"), "-p", "tests.conformance.plugin"]
    return [
        *(sys.executable, "-m", "pytest", "--pyargs"),
        *MODULES,
        *settings,
        f"--conformance-results={results}",
        *arguments,
    ]


def environment(memory: Path = Path("/proc/meminfo")) -> dict[str, str]:
    """Variables for the run: gpuconv's temporaries make SciPy's large tests three times larger than SciPy assumes."""
    found = re.search(r"MemAvailable:\s+(\d+) kB", memory.read_text()) if memory.exists() else None
    told = {"SCIPY_AVAILABLE_MEM": f"{int(found[1]) // 3}k"} if found else {}
    return told | os.environ


def main(arguments: list[str]) -> int:
    """Run the tests, whose plugin prints one line, and return the exit code."""
    option = "--conformance-results="
    chosen = [argument.removeprefix(option) for argument in arguments if argument.startswith(option)]
    others = [argument for argument in arguments if not argument.startswith(option)]
    with tempfile.TemporaryDirectory() as folder:
        results_file = Path(chosen[-1]).resolve() if chosen else Path(folder) / "results.json"
        results_file.unlink(missing_ok=True)
        code = subprocess.run(command(results_file, others), cwd=REPOSITORY, env=environment(), check=False).returncode
        if not results_file.exists():
            print("conformance: pytest stopped before any test ran", file=sys.stderr)
            return code or 1
        results = json.loads(results_file.read_text(encoding="utf-8"))
    uncalled = [name for name, calls in results["calls"].items() if not calls]
    if uncalled and not others and not results["not_run"]:
        print(f"conformance: no test called {', '.join(uncalled)}", file=sys.stderr)
        return code or 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
