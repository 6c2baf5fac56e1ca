"""How much memory a call takes on top of what is there before it: its result and all that it needs meanwhile.

On Linux the kernel keeps the largest number of pages that a process ever had, and can be told to begin anew; freed
memory that the allocator has kept is given back first, else it would be taken again without being seen. That counts
the pages of every library and thread, compiled ones too, which Python's own tracing does not. On CuPy it is what its
pool has to ask the device for.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_bytes(call: Callable[[], Any]) -> int | None:
    """Bytes that `call` takes at its highest, its result included; None where the system does not tell.

    A call that was made before keeps what it has cached, so the first one is not the one to measure. Pages are 4 KiB:
    small results may need none.
    """
    if not is_told():
        return None
    gc.collect()
    _give_back()
    RESET.write_text("5", encoding="ascii")
    before = _status("VmRSS")
    result = call()
    after = _status("VmHWM")
    del result
    return max(after - before, 0)


def pool_bytes(call: Callable[[], Any], pool: Any) -> int:
    """The same of a CuPy memory pool, which keeps what it once asked for."""
    gc.collect()
    pool.free_all_blocks()
    before = pool.total_bytes()
    result = call()
    after = pool.total_bytes()
    del result
    return after - before


@cache
def is_told() -> bool:
    """True where the system counts, and lets a process begin anew."""
    try:
        RESET.write_text("5", encoding="ascii")
        _status("VmHWM")
    except (OSError, KeyError):
        return False
    return True


def _status(name: str) -> int:
    for line in STATUS.read_text(encoding="ascii").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise KeyError(name)


@cache
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return lambda padding: 0


def _give_back() -> None:
    _trim()(0)
