"""What this machine can compute on: the array libraries that are installed, and the device behind them.

Nothing is imported until it is asked about, and a library that is missing or broken is a sentence, not an error: only
`to_device` raises, when somebody insists on a device that does not work.
"""

from __future__ import annotations

import importlib
import os
import platform
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.errors import DeviceError

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Library:
    """An optional library: its name, its version (None if it cannot be used), and a sentence about its state."""

    name: str
    version: str | None
    state: str


def array_libraries() -> list[Library]:
    """Every array library that gpuconv accepts arrays of, installed or not, in the order of this page."""
    return [
        _describe("numpy", lambda _: "Arrays in the memory of this computer", "numpy"),
        _describe("cupy", lambda _: cuda_state()[1], '"gpuconv[cuda13]" (or "gpuconv[cuda12]")'),
        _describe("torch", _torch_state, "torch"),
        _describe("jax", lambda _: "Arrays where JAX keeps them, also under jit, grad and vmap", "jax"),
        _describe("dask.array", lambda _: "Lazy arrays, one block after the other", '"gpuconv[dask]"'),
        _describe(
            "array_api_strict", lambda _: "The array API standard and nothing else, for tests", "array-api-strict"
        ),
    ]


def compilers() -> list[Library]:
    """Every optional compiler, installed or not."""
    # Here, since it brings the engine for NumPy arrays with it.
    from gpuconv.backends.cpu import compiled

    return [_describe("llvmlite", lambda _: compiled.state(), f'"gpuconv[cpu]". {compiled.WITHOUT}')]


def cpu_state() -> str:
    """One sentence about the processor: its architecture and how many threads it runs at once."""
    return f"{platform.system()} on {platform.machine()}, {os.cpu_count() or 1} hardware threads."


def cuda_state() -> tuple[bool, str]:
    """Whether CuPy can compute on a CUDA device here, and one sentence: which devices there are, or why none works.

    One element is allocated and added to, because an import, and even an allocation, may succeed where no kernel can be
    compiled.
    """
    cupy, reason = _import("cupy")
    if cupy is None:
        if not reason:
            return False, 'CuPy is not installed. On a computer with an NVIDIA GPU: pip install "gpuconv[cuda13]".'
        return False, f"CuPy is installed, but importing it fails: {reason}."
    try:
        cupy.empty(1, dtype=cupy.float32).fill(1)
        (cupy.ones(1, dtype=cupy.float32) + 1).get()
    except Exception as failure:
        return False, f"CuPy is installed, but {_cuda_trouble(cupy, failure)}"
    return True, f"CuPy computes on {_cuda_devices(cupy)}."


def choose_device(device: str) -> str:
    """Resolve ``"auto"``: ``"cuda"`` where CuPy can compute on a GPU, otherwise ``"cpu"``.

    Raises
    ------
    ValueError
        If `device` is none of ``"auto"``, ``"cpu"`` and ``"cuda"``.
    DeviceError
        If ``"cuda"`` was asked for and does not work here; the message says why.
    """
    device = read_choice("device", device, DEVICES)
    if device == "cpu":
        return device
    works, sentence = cuda_state()
    if works:
        return "cuda"
    if device == "auto":
        return "cpu"
    raise DeviceError(
        refusal("device 'cuda' needs a working CUDA GPU", sentence.rstrip("."), "Use device 'cpu' or 'auto'")
    )


def to_device(array: np.ndarray, device: str) -> Any:
    """The same values in the memory of `device`: a NumPy array for ``"cpu"``, a CuPy array for ``"cuda"``."""
    if choose_device(device) == "cuda":
        return importlib.import_module("cupy").asarray(array)
    return array


def to_host(array: Any) -> np.ndarray:
    """The values of a NumPy or CuPy array as a NumPy array; a CuPy array is copied from the GPU."""
    return array if isinstance(array, np.ndarray) else array.get()


def _describe(name: str, state: Callable[[ModuleType], str], to_install: str) -> Library:
    label = name.partition(".")[0].replace("_", "-")
    module, reason = _import(name)
    if module is None and not reason:
        return Library(label, None, f"Not installed. To have it: pip install {to_install}.")
    if module is None:
        return Library(label, None, f"Installed, but importing it fails: {reason}.")
    version = getattr(importlib.import_module(name.partition(".")[0]), "__version__", "unknown")
    return Library(label, str(version), state(module).rstrip(".") + ".")


def _import(name: str) -> tuple[Any, str]:
    """The module, or None with the reason; the reason is empty when the library is simply not there."""
    try:
        with warnings.catch_warnings():
            # CuPy and torch warn at import about paths and drivers; the sentences here say it once and better.
            warnings.simplefilter("ignore")
            return importlib.import_module(name), ""
    except ModuleNotFoundError as failure:
        if failure.name in (name, name.partition(".")[0]):
            return None, ""
        return None, _first_line(failure)
    except Exception as failure:
        return None, _first_line(failure)


def _first_line(failure: BaseException) -> str:
    """The first line of a message that holds words; CuPy frames its own in rows of equals signs."""
    lines = [line.strip() for line in str(failure).splitlines()]
    return next((line.rstrip(".") for line in lines if any(c.isalpha() for c in line)), type(failure).__name__)


def _torch_state(torch: Any) -> str:
    if not torch.cuda.is_available():
        return "Tensors on the CPU; this torch sees no CUDA device"
    return f"Tensors on the CPU and on {_counted(torch.cuda.device_count(), 'CUDA device')}"


def _cuda_trouble(cupy: Any, failure: Exception) -> str:
    try:
        driver = cupy.cuda.runtime.driverGetVersion()
    except Exception:
        driver = None
    if driver == 0:
        return "this computer has no NVIDIA driver. Install the driver of your GPU."
    return f"CUDA does not work: {_first_line(failure)}."


def _cuda_devices(cupy: Any) -> str:
    count = cupy.cuda.runtime.getDeviceCount()
    described = []
    for index in range(count):
        properties = cupy.cuda.runtime.getDeviceProperties(index)
        memory = properties["totalGlobalMem"] / 2**30
        described.append(f"{properties['name'].decode()} with {memory:.0f} GiB of memory")
    return f"{_counted(count, 'CUDA device')}: " + ", ".join(described)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
