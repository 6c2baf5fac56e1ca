"""The subject "start": what the first call of an operation costs, where nothing is compiled yet and where it is.

Every operation has processes of its own: the first with an empty folder for compiled code, the second with what
the first left there. Imports are not part of it; the last table of "methods" has those.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.libraries import ArrayLibrary
from benchmarks.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PREPARE = """
import json
from time import perf_counter, process_time
import numpy as np
import gpuconv
from gpuconv import diffusion, filters
rng = np.random.default_rng(0)
square, line = rng.random((1024, 1024), np.float32), rng.random(2_000_000, np.float32)
cube, byte = rng.random((128, 128, 128), np.float32), rng.integers(0, 256, (1024, 1024)).astype(np.uint8)
taps = rng.random(17)
"""
TIME = """
times, spent = [], process_time()
for turn in range(6):
    start = perf_counter()
    {operation}
    times.append(perf_counter() - start)
    spent = process_time() - spent if turn == 0 else spent
print(json.dumps([times[0], min(times[1:]), spent]))
"""
# Large enough for compiled loops.
OPERATIONS = {
    "convolve, 2-D, 5x5 taps": "gpuconv.convolve(square, rng.random((5, 5)))",
    "convolve, 2-D, 31x31 taps": "gpuconv.convolve(square, rng.random((31, 31)))",
    "convolve, 3-D, 3x3x3 taps": "gpuconv.convolve(cube, rng.random((3, 3, 3)))",
    "convolve, 1-D, 65 taps": "gpuconv.convolve(line, rng.random(65))",
    "convolve, 1-D, 4097 taps": "gpuconv.convolve(line, rng.random(4097))",
    "convolve_separable, 2-D": "gpuconv.convolve_separable(square, [taps, taps], boundary='reflect')",
    "convolve_separable, 2-D, float64": "gpuconv.convolve_separable(square.astype(float), [taps, taps])",
    "convolve_separable, 3-D": "gpuconv.convolve_separable(cube, [taps, taps, taps], boundary='reflect')",
    "gaussian, uint8": "filters.gaussian(byte, 2.0)",
    "uniform, 9x9": "filters.uniform(square, 9)",
    "gradient_magnitude": "filters.gradient_magnitude(square, sigma=2.0)",
    "evolve, explicit, 2-D": "diffusion.evolve(square, 2.0, scheme='explicit', steps=10)",
    "evolve, explicit, 3-D": "diffusion.evolve(cube, 1.0, scheme='explicit', steps=10)",
    "diffuse": "diffusion.diffuse(square, 2.0)",
}
QUICK = ("convolve, 2-D, 5x5 taps", "convolve_separable, 2-D", "evolve, explicit, 2-D")


def run(libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
    """First calls on NumPy arrays; other libraries compile nothing here."""
    result: dict[str, Any] = {"cases": [], "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}
    result["starts"] = []
    if any(library.name == "numpy" for library in libraries):
        for name in QUICK if settings.quick else OPERATIONS:
            result["starts"].append(first_calls(name))
            settings.say(name)
    return result


def first_calls(name: str) -> dict[str, Any]:
    """Seconds of the first call with nothing compiled, of the first one of a later process, and of warm ones."""
    with tempfile.TemporaryDirectory() as folder:
        cold, _, processor = _run(OPERATIONS[name], folder)
        cached, warm, cached_processor = _run(OPERATIONS[name], folder)
    return {
        "operation": name,
        "cold_s": cold,
        "cold_processor_s": processor,
        "cached_s": cached,
        "cached_processor_s": cached_processor,
        "warm_s": warm,
    }


def _run(operation: str, folder: str) -> list[float]:
    code = PREPARE + TIME.format(operation=operation)
    environment = os.environ | {"GPUCONV_CACHE_DIR": folder, "PYTHONPATH": os.pathsep.join([str(ROOT), *_path()])}
    finished = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return json.loads(finished.stdout)


def _path() -> list[str]:
    given = os.environ.get("PYTHONPATH")
    return [given] if given else []
