"""Where launches go: CuPy in earnest; in the tests an emulation on NumPy arrays (``tests/cuda``).

Everything happens on the current device and the current stream, memory comes from CuPy's pool, nothing waits. After
a first call, which compiles and uploads, a call can be captured into a CUDA graph.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gpuconv.backends.byte_cache import ByteCache
from gpuconv.backends.cuda import compile
from gpuconv.backends.cuda.launch import Launch, memory_order


@dataclass(frozen=True)
class Device:
    """What launchers ask of a GPU."""

    multiprocessors: int
    cache_bytes: int
    bytes_per_second: float


class Runtime(Protocol):
    """What launchers need of whoever holds the arrays. Arrays have `shape`, `strides` in bytes and `dtype`."""

    def empty(self, shape: Sequence[int], dtype: str) -> Any:
        """A new C-ordered array of any content."""

    def upload(self, host: np.ndarray) -> Any:
        """A copy of host values, for what is too large to go by value. Not to be written to: calls share it."""

    def contiguous(self, x: Any) -> Any:
        """A C-ordered copy."""

    def address(self, x: Any) -> int:
        """Where the first element lies."""

    def launch(self, launch: Launch) -> None:
        """Queue a launch."""

    def device(self) -> Device:
        """The current one."""


class CupyRuntime:
    """CuPy's arrays, its pool and its current stream."""

    def empty(self, shape: Sequence[int], dtype: str) -> Any:
        return _cupy().empty(tuple(shape), dtype=dtype)

    def upload(self, host: np.ndarray) -> Any:
        # Kept, since no copy from the host may be captured into a graph; one for each stream, which orders its use.
        cupy = _cupy()
        if host.nbytes > KEPT_BYTES:
            return cupy.asarray(host)
        place = cupy.cuda.runtime.getDevice(), cupy.cuda.get_current_stream().ptr
        key = (*place, host.dtype.str, host.shape, host.tobytes())
        return _uploads.get(key, lambda: cupy.asarray(host), lambda kept: max(kept.nbytes, ALLOCATION_BYTES))

    def contiguous(self, x: Any) -> Any:
        return _cupy().array(x, order="C", copy=True)

    def address(self, x: Any) -> int:
        return int(x.data.ptr)

    def launch(self, launch: Launch) -> None:
        function = compile.function(launch.source, launch.kernel, launch.defines, launch.together)
        function((launch.blocks,), (launch.threads,), launch.arguments, shared_mem=launch.shared)

    def device(self) -> Device:
        return _device(_cupy().cuda.runtime.getDevice())


# What `upload` keeps: arrays of at most so many bytes, of which telling whether they are the same ones takes as long as
# uploading them; and of all together the ones used last.
KEPT_BYTES, ALL_KEPT_BYTES = 2**20, 2**25
# CuPy's pool gives no less.
ALLOCATION_BYTES = 512


class UploadCache(ByteCache):
    """Host values on devices, by values, device and stream."""

    _content = "uploads"


_uploads = UploadCache(ALL_KEPT_BYTES)


@functools.cache
def _cupy() -> Any:
    import cupy

    return cupy


@functools.cache
def _device(number: int) -> Device:
    attributes = _cupy().cuda.Device(number).attributes
    clock, width = attributes.get("MemoryClockRate", 0), attributes.get("GlobalMemoryBusWidth", 0)
    # Two transfers a clock; the rate is in kHz, the width in bits.
    return Device(attributes["MultiProcessorCount"], attributes["L2CacheSize"], 2.0 * clock * 1000 * width / 8)


_CUPY = CupyRuntime()
_current: ContextVar[Runtime] = ContextVar("gpuconv_cuda_runtime", default=_CUPY)


def current() -> Runtime:
    """The runtime of launchers called from here."""
    return _current.get()


@contextmanager
def use_runtime(runtime: Runtime) -> Iterator[None]:
    """Have launchers use another runtime inside."""
    token = _current.set(runtime)
    try:
        yield
    finally:
        _current.reset(token)


def readable(x: Any) -> Any:
    """`x`, or a copy where its address or strides are no multiple of its elements: fields of records, odd views."""
    itemsize = x.dtype.itemsize
    runtime = current()
    if runtime.address(x) % itemsize or not _in_elements(x.strides, itemsize):
        return runtime.contiguous(x)
    return x


@functools.lru_cache(maxsize=4096)
def _in_elements(strides: tuple[int, ...], itemsize: int) -> bool:
    return not any(stride % itemsize for stride in strides)


def empty_like_ordered(x: Any, shape: Sequence[int], dtype: str) -> Any:
    """A new array of `shape` whose axes lie in memory in the order of those of `x`: C, F, or any other."""
    return empty_in_order(shape, dtype, memory_order(x))


def empty_in_order(shape: Sequence[int], dtype: str, order: tuple[int, ...]) -> Any:
    """A new array of `shape` whose axes lie in memory in that order, the slowest first."""
    if order == tuple(range(len(order))):
        return current().empty(shape, dtype)
    inverse = sorted(range(len(order)), key=order.__getitem__)
    return current().empty([shape[axis] for axis in order], dtype).transpose(inverse)
