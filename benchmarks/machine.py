"""What the figures were measured on: the processor, the versions, and the limits that no code can beat."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.roofline import usable_cores

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
    "llvmlite",
    "numba",
    "dask",
    "dask-image",
)


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
