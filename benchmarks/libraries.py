"""The array libraries that can be measured: how each is opened and filled, and how its work is timed."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

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
    """

    name: str
    from_host: Callable[[np.ndarray], Any]
    to_host: Callable[[Any], np.ndarray]
    seconds: Timer


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


def device_clock(cuda: Any) -> Timer:
    """Time on the current stream of a GPU, between two events; `cuda` is ``cupy.cuda``.

    What the host does before the first launch does not count, unless the device has to wait for it.
    """

    def seconds(call: Callable[[], Any], repeats: int) -> float:
        start, stop = cuda.Event(), cuda.Event()
        start.record()
        for _ in range(repeats):
            call()
        stop.record()
        stop.synchronize()
        return cuda.get_elapsed_time(start, stop) * 1e-3 / repeats

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
    return ArrayLibrary("cupy", cupy.asarray, cupy.asnumpy, device_clock(cupy.cuda))


OPENERS: dict[str, Callable[[], ArrayLibrary]] = {
    "numpy": _open_numpy,
    "array_api_strict": _open_array_api_strict,
    "torch": _open_torch,
    "jax": _open_jax,
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
