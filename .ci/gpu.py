"""The visit to a machine with a GPU, started by ``make gpu``: its tests, SciPy's tests on CuPy arrays, its benchmarks.

Uses the Python that runs it and installs nothing. Where array-api-compat is missing it is taken from a wheel in the
folder ``wheels/`` (``pip download --no-deps -d wheels array-api-compat``). SciPy's tests run twice, as
many as fit the time: with SciPy's functions, which hand CuPy arrays to cupyx, and with gpuconv's.

Takes less than ten minutes. Writes a log for every step, ``gpu-STEP.log``, and for SciPy's tests and every subject of
the benchmarks ``gpu-STEP.json``, to the folder ``$OUT``, or to ``benchmarks/results/``.

Exit codes: 0 all passed; 1 a step failed or ran out of time; 3 there is no GPU that CuPy can use, and nothing ran.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
VISIT_SECONDS = 600
PROBE_SECONDS, TEST_SECONDS = 30, 180
# SciPy's tests stop by themselves after the first time; starting, collecting and a long last test come on top.
CONFORMANCE_SECONDS, CONFORMANCE_LIMIT = 30, 50
CONFORMANCE = {"cupyx": "scipy", "gpuconv": "gpuconv"}
# Each subject in a process of its own: one that runs out of time takes no other with it.
BENCHMARK_SECONDS = {"methods": 65, "cuda": 80, "filters": 50, "spectral": 30, "diffusion": 40, "beyond": 25}
NO_GPU = 3

# The device is used, not only counted: a driver too old for CuPy's CUDA shows at the first allocation.
PROBE = """
import sys
try:
    import cupy
except ImportError as error:
    sys.exit(f"CuPy cannot be imported ({error})")
try:
    cupy.zeros(8).sum().get()
    name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
except Exception as error:
    sys.exit(f"CuPy finds no GPU it can use ({error})")
print(f"CuPy {cupy.__version__} on {name}")
"""


class Step(NamedTuple):
    """One command, how many seconds it may take, and the variables that it alone is given."""

    name: str
    command: list[str]
    seconds: int
    variables: tuple[tuple[str, str], ...] = ()


def environment() -> dict[str, str]:
    """This process's variables, with the wheels of ``wheels/`` importable where array-api-compat is not installed."""
    changed = os.environ | {"PYTHONUNBUFFERED": "1"}
    if importlib.util.find_spec("array_api_compat") is None:
        # A wheel of pure Python is a zip file that Python imports from as it is.
        wheels = [str(path) for path in sorted((ROOT / "wheels").glob("*-none-any.whl"))]
        changed["PYTHONPATH"] = os.pathsep.join([*wheels, *filter(None, [os.environ.get("PYTHONPATH")])])
    return changed


def run_logged(step: Step, log: Path) -> int:
    """Run a step, showing and keeping what it prints; past its time it is ended with all it started."""
    print(f"== {' '.join(step.command[1:])} (at most {step.seconds} s)", flush=True)
    late = threading.Event()
    variables = environment() | dict(step.variables)
    options = {"cwd": ROOT, "env": variables, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with log.open("wb") as file, subprocess.Popen(step.command, **options, start_new_session=True) as process:

        def end() -> None:
            late.set()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(step.seconds, end)
        timer.start()
        for line in process.stdout:
            file.write(line)
            file.flush()
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        code = process.wait()
        timer.cancel()
    if late.is_set():
        print(f"ended after {step.seconds} s: it ran out of time", flush=True)
    return code


def why_no_gpu() -> str | None:
    """Why CuPy cannot compute here; None if it can, after printing on what."""
    command = [sys.executable, "-c", PROBE]
    try:
        probe = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"CuPy did not answer within {PROBE_SECONDS} s"
    if probe.returncode != 0:
        return (probe.stderr.strip().splitlines() or [f"the probe ended with code {probe.returncode}"])[-1]
    print(probe.stdout.strip(), flush=True)
    return None


def steps(out: Path) -> list[Step]:
    """All that is run: with what the probe may take, no longer than the visit."""
    found = [Step("tests", [sys.executable, "-m", "pytest", "-m", "gpu", "--require=cupy"], TEST_SECONDS)]
    for name, judged in CONFORMANCE.items():
        command = [sys.executable, "-m", "tests.conformance.run", f"--conformance-judged={judged}"]
        command += [f"--conformance-seconds={CONFORMANCE_SECONDS}", "-m", "not slow", "-k", "cupy"]
        command.append(f"--conformance-results={out / f'gpu-conformance-{name}.json'}")
        found.append(Step(f"conformance-{name}", command, CONFORMANCE_LIMIT, (("SCIPY_ARRAY_API", '["cupy"]'),)))
    for subject, seconds in BENCHMARK_SECONDS.items():
        command = [sys.executable, "-m", "benchmarks", "run", "--subject", subject, "--library", "cupy", "--quick"]
        found.append(Step(subject, [*command, "--json", str(out / f"gpu-{subject}.json")], seconds))
    return found


def main() -> int:
    reason = why_no_gpu()
    if reason is not None:
        print(f"no GPU to visit: {reason}. Nothing was run.", file=sys.stderr)
        return NO_GPU
    out = Path(os.environ.get("OUT") or ROOT / "benchmarks" / "results")
    out.mkdir(parents=True, exist_ok=True)
    codes = [run_logged(step, out / f"gpu-{step.name}.log") for step in steps(out)]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
