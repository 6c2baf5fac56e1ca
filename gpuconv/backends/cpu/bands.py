"""Starting a loop: its bands one after another, or shared out among threads where that is allowed and safe."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import carray, prange, types
from numba.extending import intrinsic

from gpuconv.backends.cpu.compiled import address
from gpuconv.backends.cpu.compiling import Loop, entry, inner
from gpuconv.backends.cpu.vectors import caller
from gpuconv.backends.threads import thread_count

_call_band = caller(3)


@intrinsic
def _pointer(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.int64), generate


@inner
def numbers_at(address: int, count: int) -> Any:
    """The array of so many int64 at an address."""
    return carray(_pointer(address), (count,))


@inner
def listed(table: int, position: int) -> Any:
    """The array of int64 at `position` of a launch's arrays, of which `table` is the address of addresses and sizes."""
    entries = numbers_at(table, 2 * position + 2)
    return numbers_at(entries[2 * position], entries[2 * position + 1])


@inner
def begin(array: Any) -> int:
    """Where a scratch array begins, as a signed number like all other addresses."""
    return np.int64(array.ctypes.data)  # type: ignore[return-value]


@inner
def keep(array: Any) -> None:
    """Holds a scratch array until here. numba frees one after its last use by name, and knows nothing of addresses."""
    len(array)


@entry(parallel=False)
def run_serial(bands: int, loop: int, table: int) -> None:
    for band in range(bands):
        _call_band(loop, (band, bands, table))


@entry(parallel=True)
def run_parallel(bands: int, loop: int, table: int) -> None:
    for band in prange(bands):
        _call_band(loop, (np.int64(band), bands, table))


class _State:
    """What a forked child must know, and the lock for layers of numba that two threads must not enter."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.entered = False
        self.serial_only = False

    def after_fork(self) -> None:
        # The threads that numba started are not in the child: its OpenMP layer would abort, its own would wait.
        self.serial_only = self.serial_only or self.entered
        self.lock = threading.Lock()


_state = _State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_state.after_fork)


def launch(loop: Loop, bands: int, *arrays: np.ndarray) -> None:
    """Run a loop, on several threads where that is allowed and safe, else on this one."""
    table = np.array([number for array in arrays for number in (address(array), array.size)], np.int64)
    arguments = bands, loop.address, address(table)
    threads = min(thread_count(), numba.config.NUMBA_NUM_THREADS, bands)
    if threads == 1 or _state.serial_only:
        run_serial(*arguments)
    elif _is_reentrant():
        _on_threads(threads, run_parallel, arguments)
    elif _state.lock.acquire(blocking=False):
        try:
            _on_threads(threads, run_parallel, arguments)
        finally:
            _state.lock.release()
    else:  # another thread is inside, and keeps the processors busy
        run_serial(*arguments)


def _on_threads(threads: int, run: Callable[..., None], arguments: tuple[int, ...]) -> None:
    before = numba.get_num_threads()
    _state.entered = True
    numba.set_num_threads(threads)
    try:
        run(*arguments)
    finally:
        numba.set_num_threads(before)


def _is_reentrant() -> bool:
    """True once numba is known to have started a layer that several threads may enter at a time."""
    try:
        return numba.threading_layer() in ("omp", "tbb")
    except ValueError:  # no parallel loop has run yet
        return False
