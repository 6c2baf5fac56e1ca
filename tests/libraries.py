"""The array libraries the suite runs on: how each is opened, filled and read back.

With the `xp` fixture of ``conftest.py`` this is the only place of the suite that knows one library from another.
"""

from __future__ import annotations

import functools
import importlib
import os
import shutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np


def _open_numpy() -> ModuleType:
    return importlib.import_module("array_api_compat.numpy")


def _open_array_api_strict() -> ModuleType:
    return importlib.import_module("array_api_strict")


def _open_torch() -> ModuleType:
    importlib.import_module("torch").set_num_threads(2)
    return importlib.import_module("array_api_compat.torch")


def _open_jax() -> ModuleType:
    # On a GPU, JAX would otherwise take three quarters of the memory for itself.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    # Double precision is off by default; `run_python` gives a test of that default a process of its own.
    importlib.import_module("jax").config.update("jax_enable_x64", True)
    return importlib.import_module("jax.numpy")


def _open_dask() -> ModuleType:
    importlib.import_module("dask").config.set(scheduler="synchronous")
    return importlib.import_module("array_api_compat.dask.array")


def _open_cupy() -> ModuleType:
    cupy = importlib.import_module("cupy")
    try:
        cupy.zeros(1)
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise AbsentError(f"CuPy is installed but cannot use a GPU here: {error}") from error
    return importlib.import_module("array_api_compat.cupy")


OPENERS: dict[str, Callable[[], ModuleType]] = {
    "numpy": _open_numpy,
    "array_api_strict": _open_array_api_strict,
    "torch": _open_torch,
    "jax": _open_jax,
    "dask": _open_dask,
    "cupy": _open_cupy,
}
REQUIRABLE = (*OPENERS, "cxx")


class AbsentError(Exception):
    """A library, device or tool is not there; the message is the reason shown beside the skip."""


@functools.cache
def _opened(name: str) -> ModuleType | AbsentError:
    try:
        return OPENERS[name]()
    except AbsentError as absent:
        return absent
    except ModuleNotFoundError as missing:
        # A library that is there and fails on an import of its own is broken, not absent.
        if missing.name is None or missing.name.partition(".")[0] != name:
            raise
        return AbsentError(f"{name} is not installed")


def open_library(name: str) -> ModuleType:
    """The array-API namespace of a library, or `AbsentError` with the reason."""
    opened = _opened(name)
    if isinstance(opened, AbsentError):
        raise opened
    return opened


def cxx_compiler() -> str:
    """The C++ compiler: ``$CXX``, or the first of the usual names that is on the path."""
    for candidate in (os.environ.get("CXX"), "g++", "clang++", "c++"):
        if candidate and shutil.which(candidate):
            return candidate
    raise AbsentError("no C++ compiler is on the path: $CXX, g++, clang++ and c++ were tried")


def why_absent(name: str) -> str | None:
    """Why one of `REQUIRABLE` cannot be used here; None if it can."""
    try:
        if name == "cxx":
            cxx_compiler()
        else:
            open_library(name)
    except AbsentError as absent:
        return str(absent)
    return None


def library_of(array: Any) -> str:
    """Which library owns an array: a key of `OPENERS`; NumPy for its scalars and for Python's numbers and lists."""
    root = type(array).__module__.partition(".")[0]
    root = {"jaxlib": "jax"}.get(root, root)
    return root if root in OPENERS else "numpy"


def name_of(xp: ModuleType) -> str:
    """Which library a namespace belongs to: a key of `OPENERS`."""
    parts = xp.__name__.split(".")
    return parts[1] if parts[0] == "array_api_compat" else parts[0]


def dtype_name(array: Any) -> str:
    """The dtype's name without the library's: ``"float32"`` for ``torch.float32`` and ``array_api_strict.float32``."""
    return str(array.dtype).rpartition(".")[2]


def has_dtype(xp: ModuleType, name: str) -> bool:
    """Whether the library has a dtype of that name: bfloat16 and float16 are not everywhere."""
    return hasattr(xp, name)


def uneven_chunks(shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Chunks of different sizes, one of a single sample, so that borders fall where no even split puts them.

    Up to two dimensions get three chunks an axis; more get two, which keeps the number of blocks small.
    """

    def split(length: int) -> tuple[int, ...]:
        if length < 2:
            return (length,)
        if len(shape) > 2 or length == 2:
            return (1, length - 1)
        first = max(1, 2 * length // 5)
        return (first, 1, length - first - 1)

    return tuple(split(length) for length in shape)


def make(
    xp: ModuleType, values: Any, *, dtype: str | None = None, chunks: tuple[tuple[int, ...], ...] | None = None
) -> Any:
    """An array of library `xp` holding a copy of `values`; a dask array is cut into `uneven_chunks` unless told.

    `dtype` is a name, also one NumPy lacks such as ``"bfloat16"``; None keeps the dtype of `values`.
    """
    values = np.array(values, order="C")
    if dtype is not None and hasattr(np, dtype):
        values = values.astype(dtype)
    if name_of(xp) == "dask":
        from_array = importlib.import_module("dask.array").from_array
        return from_array(values, chunks=uneven_chunks(values.shape) if chunks is None else chunks)
    return xp.asarray(values) if dtype is None else xp.asarray(values, dtype=getattr(xp, dtype))


def to_numpy(array: Any) -> np.ndarray:
    """The values on the host, computed if lazy and detached if differentiable; bfloat16 is widened to float32."""
    library = library_of(array)
    if library == "dask":
        return to_numpy(array.compute())
    if library == "cupy":
        return array.get()
    if library == "torch":
        array = array.detach().cpu().resolve_conj().resolve_neg()
        return array.float().numpy() if dtype_name(array) == "bfloat16" else array.numpy()
    host = np.asarray(array)
    return host.astype(np.float32) if host.dtype.name == "bfloat16" else host


def version_line() -> str:
    """One line on every library: its version here, or why it is not used."""
    descriptions = []
    for name in OPENERS:
        reason = why_absent(name)
        descriptions.append(f"{name} {importlib.import_module(name).__version__}" if reason is None else reason)
    return "; ".join(descriptions)
