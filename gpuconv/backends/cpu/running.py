"""What threads run: one compiled function, which takes bands of a loop until there are none left."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from llvmlite import ir

from gpuconv.backends.cpu.compiling import compiled_address
from gpuconv.backends.cpu.instructions import INDEX, caller, instruction

_call_band = caller(3)


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
