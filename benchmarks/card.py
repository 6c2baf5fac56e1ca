"""The GPU that CuPy's arrays lie on: what it is, and what no code can beat on it."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.libraries import ArrayLibrary

# Far larger than the cache of any card of today, which holds up to a hundred megabytes.
COPY_BYTES = 2**30
MATRIX_SIZE = 8192
ROUNDS = 5


def describe() -> dict[str, Any]:
    """Name, memory, driver and CUDA of the current device. Versions are as CUDA writes them: 13020 is 13.2."""
    runtime = importlib.import_module("cupy").cuda.runtime
    properties = runtime.getDeviceProperties(runtime.getDevice())
    return {
        "name": properties["name"].decode(),
        "memory_bytes": int(properties["totalGlobalMem"]),
        "multiprocessors": int(properties["multiProcessorCount"]),
        "capability": f"{properties['major']}.{properties['minor']}",
        "driver": int(runtime.driverGetVersion()),
        "runtime": int(runtime.runtimeGetVersion()),
    }


def measure(library: ArrayLibrary, copy_bytes: int = COPY_BYTES, matrix_size: int = MATRIX_SIZE) -> dict[str, float]:
    """The limits under the names of `benchmarks.roofline`, each the best of a few rounds.

    A copied byte counts twice: once read, once written. Products are those of matrices, in full precision.
    """
    source = library.from_host(np.ones(copy_bytes // 4, np.float32))
    target = library.from_host(np.zeros(copy_bytes // 4, np.float32))

    def copy() -> Any:
        target[...] = source
        return target

    found = {"threads": 1, "copy_bytes_per_s": 2 * copy_bytes / _best(library, copy)}
    for ending, dtype in (("", np.float32), ("_double", np.float64)):
        matrix = library.from_host(np.ones((matrix_size, matrix_size), dtype))
        found["multiply_adds_per_s" + ending] = matrix_size**3 / _best(library, lambda matrix=matrix: matrix @ matrix)
    return found


def _best(library: ArrayLibrary, call: Any) -> float:
    library.seconds(call, 1)
    return min(library.seconds(call, 1) for _ in range(ROUNDS))
