"""Starting a loop: its bands one after another, or shared out among threads where that is allowed."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np
from llvmlite import ir

from gpuconv.backends.cpu.compiled import address
from gpuconv.backends.cpu.compiling import Loop, compiled_address
from gpuconv.backends.cpu.crew import together
from gpuconv.backends.cpu.instructions import INDEX, caller, instruction, numbers_at
from gpuconv.backends.threads import thread_count

_call_band = caller(3)


def listed(table: int, position: int) -> Any:
    """The array of int64 at `position` of a launch's arrays, of which `table` is the address of addresses and sizes."""
    entries = numbers_at(table, 2 * position + 2)
    return numbers_at(entries[2 * position], entries[2 * position + 1])


@instruction
def _next_band(builder: ir.IRBuilder, counter: Any) -> Any:
    """The number at an address, and one more from there on, for all threads."""
    return builder.atomic_rmw("add", builder.inttoptr(counter, INDEX.as_pointer()), INDEX(1), "monotonic")


def _run_bands(counter: int, bands: int, loop: int, table: int) -> None:
    """Run bands that no other thread has taken until there are none left."""
    while True:
        band = _next_band(counter)
        if band >= bands:
            return
        _call_band(loop, (band, bands, table))


@functools.cache
def runner() -> Any:
    """`_run_bands` as Python calls it, which lets go of Python's lock meanwhile."""
    return ctypes.CFUNCTYPE(None, *(ctypes.c_int64,) * 4)(compiled_address(_run_bands, 4))


def launch(loop: Loop, bands: int, *arrays: np.ndarray) -> None:
    """Run a loop, on several threads where that is allowed, else on this one."""
    table = np.array([number for array in arrays for number in (address(array), array.size)], np.int64)
    counter = np.zeros(1, np.int64)
    run = functools.partial(runner(), address(counter), bands, loop.address, address(table))
    together(run, min(thread_count(), bands))
