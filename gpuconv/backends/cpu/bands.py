"""The two ways through the bands of a loop: one after another, and shared out among threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, prange, types
from numba.extending import intrinsic

from gpuconv.backends.cpu.compiled import entry, inner
from gpuconv.backends.cpu.vectors import caller

_call_band = caller(3)


@intrinsic
def _pointer(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.int64), generate


@inner
def listed(table: int, position: int) -> Any:
    """The array of int64 at `position` of a launch's arrays, of which `table` is the address of addresses and sizes."""
    entries = carray(_pointer(table), (2 * position + 2,))
    return carray(_pointer(entries[2 * position]), (entries[2 * position + 1],))


@inner
def begin(array: Any) -> int:
    """Where a scratch array begins, as a signed number like all other addresses."""
    return np.int64(array.ctypes.data)


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
