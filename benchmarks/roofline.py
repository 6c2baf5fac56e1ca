"""What no code can beat on this machine: bytes copied, bytes touched for the first time, and multiply-adds a second.

Copies and first touches are of arrays larger than any cache, multiply-adds those of matrix products; each on one
thread and on all. ``python -m benchmarks.roofline`` prints them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

# Larger than what a core can keep in its own caches; processors whose cores share hundreds of megabytes copy faster
# within them, and so do programs.
COPY_BYTES = 256 * 2**20
MATRIX_SIZE = 1024
# Read by OpenBLAS, MKL, BLIS and Accelerate when they are loaded.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1")
ROOT = Path(__file__).resolve().parents[1]
# What the figures mean, in the words of the tables.
WORDS = {
    "copy_bytes_per_s": "copy, one thread",
    "copy_bytes_per_s_all": "copy, all threads",
    "touch_bytes_per_s": "first touch, one thread",
    "touch_bytes_per_s_all": "first touch, all threads",
    "multiply_adds_per_s_one": "multiply-adds float32, one thread",
    "multiply_adds_per_s": "multiply-adds float32, all threads",
    "multiply_adds_per_s_double_one": "multiply-adds float64, one thread",
    "multiply_adds_per_s_double": "multiply-adds float64, all threads",
}


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measure(rounds: int) -> dict[str, float]:
    """All limits, each the best of `rounds`. A copied byte counts twice: once read, once written."""
    found: dict[str, float] = {"threads": usable_cores()}
    for ending, threads in (("", 1), ("_all", usable_cores())):
        found["copy_bytes_per_s" + ending] = 2 * COPY_BYTES / _copy_seconds(threads, rounds)
        found["touch_bytes_per_s" + ending] = COPY_BYTES / _touch_seconds(threads, rounds)
    return found | multiply_adds(rounds, "") | _on_one_thread(rounds)


def _copy_seconds(threads: int, rounds: int) -> float:
    """Of one array into another that is already there."""
    source = np.ones(COPY_BYTES // 4, np.float32)
    target = np.zeros_like(source)
    return _shared_out(threads, rounds, len(source), lambda part: np.copyto(target[part], source[part]))


def _touch_seconds(threads: int, rounds: int) -> float:
    """Of writing to memory that the system has not given yet: what a new result costs."""
    times = []
    for _ in range(rounds):
        fresh = np.empty(COPY_BYTES // 4, np.float32)
        times.append(_shared_out(threads, 1, len(fresh), lambda part, fresh=fresh: fresh[part].fill(1)))
    return min(times)


def _shared_out(threads: int, rounds: int, count: int, work: Callable[[slice], Any]) -> float:
    """The shortest time for all parts, one a thread; NumPy lets go of Python's lock in loops like these."""
    edges = [count * part // threads for part in range(threads + 1)]
    parts = [slice(start, stop) for start, stop in pairwise(edges)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: None, parts))
        return min(_seconds(lambda: list(pool.map(work, parts))) for _ in range(rounds))


def multiply_adds(rounds: int, ending: str) -> dict[str, float]:
    """Per second, in both precisions, on as many threads as NumPy's BLAS takes."""
    found = {}
    for name, dtype in (("multiply_adds_per_s", np.float32), ("multiply_adds_per_s_double", np.float64)):
        matrix, result = (np.ones((MATRIX_SIZE, MATRIX_SIZE), dtype) for _ in range(2))
        times = [_seconds(lambda: np.matmul(matrix, matrix, out=result)) for _ in range(rounds + 1)]  # noqa: B023
        found[name + ending] = MATRIX_SIZE**3 / min(times)
    return found


def _on_one_thread(rounds: int) -> dict[str, float]:
    """`multiply_adds` in a process whose BLAS was told so before it was loaded."""
    code = f"import json; from benchmarks import roofline; roofline.MATRIX_SIZE = {MATRIX_SIZE}; "
    code += f"print(json.dumps(roofline.multiply_adds({rounds}, '_one')))"
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=True
    )
    return json.loads(finished.stdout)


def _seconds(call: Callable[[], Any]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


if __name__ == "__main__":
    for name, value in measure(rounds=5).items():
        print(f"{WORDS.get(name, name):<36}{value / 1e9 if name in WORDS else value:8.3g}")
