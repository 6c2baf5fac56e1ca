"""What the figures were measured on: the processor, the versions, and the limits that no code can beat."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

DISTRIBUTIONS = (
    "numpy",
    "scipy",
    "array-api-compat",
    "array-api-strict",
    "torch",
    "jax",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "opencv-python-headless",
    "opencv-python",
    "scikit-image",
    "cucim-cu12",
    "cucim-cu13",
    "py-pde",
    "medpy",
)
# Larger than the last-level cache of any processor of today, so that memory is measured and not the cache.
COPY_BYTES = 256 * 2**20
MATRIX_SIZE = 1024


def describe() -> dict[str, Any]:
    """Processor, cores, operating system, versions and date."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": processor_name(),
            "cores": usable_cores(),
            "load": load(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": versions(),
    }


def load() -> float | None:
    """Processes that wanted a core during the last minute, where the system counts them: noise, unless small."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def processor_name() -> str:
    """The processor's name as the kernel has it on Linux, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Version of Python, of gpuconv and of every library in `DISTRIBUTIONS` that is installed."""
    import gpuconv

    found = {"python": platform.python_version(), "gpuconv": gpuconv.__version__}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def measure_limits(rounds: int) -> dict[str, float]:
    """Bytes per second of a copy, and multiply-adds per second of a matrix product: the best of `rounds`.

    A copied byte counts twice, once read and once written. The copy is NumPy's, on one thread, into memory that is
    already there; the product is float32 on as many threads as NumPy's BLAS takes.
    """
    source = np.ones(COPY_BYTES // 4, np.float32)
    target = np.zeros_like(source)
    matrix = np.ones((MATRIX_SIZE, MATRIX_SIZE), np.float32)
    copies, products = [], []
    for _ in range(rounds):
        copies.append(_seconds(np.copyto, target, source))
        products.append(_seconds(np.matmul, matrix, matrix))
    return {
        "copy_bytes_per_s": 2 * COPY_BYTES / min(copies),
        "multiply_adds_per_s": MATRIX_SIZE**3 / min(products),
    }


def _seconds(function: Any, *arguments: Any) -> float:
    start = perf_counter()
    function(*arguments)
    return perf_counter() - start
