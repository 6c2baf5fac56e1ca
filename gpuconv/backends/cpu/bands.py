"""Starting a loop: its bands one after another, or shared out among threads where that is allowed."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from gpuconv.backends.cpu.compiled import address
from gpuconv.backends.cpu.compiling import Loop, refused
from gpuconv.backends.cpu.crew import together
from gpuconv.backends.cpu.instructions import numbers_at
from gpuconv.backends.cpu.running import runner
from gpuconv.backends.threads import thread_count


def listed(table: int, position: int) -> Any:
    """The array of int64 at `position` of a launch's arrays, of which `table` is the address of addresses and sizes."""
    entries = numbers_at(table, 2 * position + 2)
    return numbers_at(entries[2 * position], entries[2 * position + 1])


def launch(loop: Loop, bands: int, *arrays: np.ndarray) -> None:
    """Run a loop, on several threads where that is allowed, else on this one."""
    table = np.array([number for array in arrays for number in (address(array), array.size)], np.int64)
    counter = np.zeros(1, np.int64)
    run = functools.partial(runner(), address(counter), bands, loop.address, address(table))
    before = refused.value
    together(run, min(thread_count(), bands))
    if refused.value != before:  # by this loop, or by one at the same time
        raise MemoryError("there is no memory for the scratch of a loop")
