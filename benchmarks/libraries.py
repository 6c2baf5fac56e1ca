"""The array libraries that can be measured: how each is opened and filled, and how its work is timed."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.memory import peak_bytes, pool_bytes

Timer = Callable[[Callable[[], Any], int], float]


class AbsentError(Exception):
    """A library or device is not there; the message is the reason that reports give."""


@dataclass(frozen=True)
class ArrayLibrary:
    """One array library, opened.

    Attributes
    ----------
    name : str
    from_host, to_host : callable
        A NumPy array as one of the library's, on the device to be measured, and back.
    seconds : callable
        ``seconds(call, repeats)``: mean duration of a call, in seconds, until its result is there.
    peak : callable
        ``peak(call)``: bytes that a call takes on top of what is there; None where that cannot be told.
    """

    name: str
    from_host: Callable[[np.ndarray], Any]
    to_host: Callable[[Any], np.ndarray]
    seconds: Timer
    peak: Callable[[Callable[[], Any]], int | None] = peak_bytes


def wall_clock(wait: Callable[[Any], Any] | None = None) -> Timer:
    """Time by the host's clock; `wait` is given the last result of asynchronous libraries."""

    def seconds(call: Callable[[], Any], repeats: int) -> float:
        start = perf_counter()
        for _ in range(repeats):
            result = call()
        if wait is not None:
            wait(result)
        return (perf_counter() - start) / repeats

    return seconds


def device_clock(benchmark: Callable[..., Any]) -> Timer:
    """Time on the current stream of a GPU; `benchmark` is ``cupyx.profiler.benchmark``, which sets two events a call.

    What the host does before the first launch does not count, unless the device has to wait for it.
    """

    def seconds(call: Callable[[], Any], repeats: int) -> float:
        return float(np.mean(benchmark(call, n_repeat=repeats, n_warmup=0).gpu_times))

    return seconds


def _open_numpy() -> ArrayLibrary:
    return ArrayLibrary("numpy", np.asarray, np.asarray, wall_clock())


def _open_array_api_strict() -> ArrayLibrary:
    strict = importlib.import_module("array_api_strict")
    return ArrayLibrary("array_api_strict", strict.asarray, np.from_dlpack, wall_clock())


def _open_torch() -> ArrayLibrary:
    torch = importlib.import_module("torch")
    return ArrayLibrary("torch", torch.from_numpy, lambda x: x.numpy(), wall_clock())


def _open_jax() -> ArrayLibrary:
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return ArrayLibrary("jax", jax.numpy.asarray, np.asarray, wall_clock(jax.block_until_ready))


def _open_cupy() -> ArrayLibrary:
    cupy = importlib.import_module("cupy")
    try:
        cupy.zeros(8).sum().get()
    except Exception as error:  # whatever CuPy raises here, there is no device to measure
        raise AbsentError(f"CuPy is installed but cannot use a GPU here: {error}") from error
    benchmark = importlib.import_module("cupyx.profiler").benchmark
    peak = partial(pool_bytes, pool=cupy.get_default_memory_pool())
    return ArrayLibrary("cupy", cupy.asarray, cupy.asnumpy, device_clock(benchmark), peak)


def _open_dask() -> ArrayLibrary:
    arrays = importlib.import_module("dask.array")
    return ArrayLibrary("dask", partial(_in_chunks, arrays), np.asarray, _computed, _peak_computed)


def _in_chunks(arrays: Any, x: np.ndarray) -> Any:
    """Two chunks an axis, where an axis is long."""
    return arrays.from_array(x, chunks=tuple(-(-size // 2) if size >= 64 else size for size in x.shape))


def _computed(call: Callable[[], Any], repeats: int) -> float:
    """Lazy arrays are waited for one by one."""
    return wall_clock()(lambda: call().compute(), repeats)


def _peak_computed(call: Callable[[], Any]) -> int | None:
    return peak_bytes(lambda: call().compute())


OPENERS: dict[str, Callable[[], ArrayLibrary]] = {
    "numpy": _open_numpy,
    "array_api_strict": _open_array_api_strict,
    "torch": _open_torch,
    "jax": _open_jax,
    "dask": _open_dask,
    "cupy": _open_cupy,
}


def open_library(name: str) -> ArrayLibrary:
    """The library called `name`, or `AbsentError` with the reason."""
    try:
        return OPENERS[name]()
    except ModuleNotFoundError as missing:
        # A library that is there and fails on an import of its own is broken, not absent.
        if missing.name is None or missing.name.partition(".")[0] != name:
            raise
        raise AbsentError(f"{name} is not installed") from missing
