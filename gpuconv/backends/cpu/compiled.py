"""Compiled loops for large work: when they run, and what they are told.

This module loads no compiler. What a module of loops needs to know:

* It may import llvmlite at its top, as `compiling`, `running` and `sums` do, and nothing else may import *it*
  at the top: ask `why_not(work, dtype)` first, and import inside the function that found None. Where llvmlite is not
  installed everything else works, and a small call must not wait for it to load.
* Loops are written in a small part of Python, which `translation` lists and turns into LLVM's instructions.
* A loop is a function ``rows(band, bands, table)`` that does one of `bands` parts of the work. `table` is where the
  arrays of the call are listed, each to be had with ``listed(table, position)``, all of them of int64. It is made
  ready by ``ROWS = Loop(rows)`` and started by ``launch(ROWS, bands, *arrays)``, which runs the bands one after another
  or on several threads. The number of bands follows from shape and dtype alone, never from the number of threads, so
  that the bits do not depend on it. (Tiles of explicit steps, in `stencil_tiles`, show in no bit, and may.)
* Data are passed as addresses (`address`) and strides in bytes: each class of array would need loops of its own
  otherwise. The innermost sums are compiled once per dtype (`sums`), the loops around them once.
* What lies beyond the ends of an axis is found with `Edges` while loading: nothing is padded.
* Images of 8 and 16 bits are brought to the dtype of sums while they are loaded, and rounded to the wanted one while
  sums are stored, by small functions of which there is one per pair of dtypes (`formats`, `conversions`).
* What is compiled is kept on disk, beside the package or, where that is read-only, in the user's cache folder, or
  where ``GPUCONV_CACHE_DIR`` says (`kept`). What was made of other sources than this folder's counts as none.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from math import isqrt
from typing import Any

import numpy as np

from gpuconv.core.boundary import Span, source_indices
from gpuconv.core.dtypes import dtypes_of_sums
from gpuconv.core.namespace import dtype_name

# Products of a tap and a sample from which compiled loops are worth their start (measured; see docs/performance.md).
WORK = 300_000
# What llvmlite is for.
PURPOSE = f"Compiles loops for NumPy arrays, used from {WORK:,} products of a tap and a sample on"
WITHOUT = "Without it SciPy and NumPy do all work on NumPy arrays, large work several times slower"
# Dtypes of sums; others are brought to them: complex numbers are pairs, unsigned ones the same bits.
DTYPES = ("float32", "float64", "int32", "int64")
# Products from which loops are shared out among threads: fewer take a tenth of a millisecond, which is what waiting for
# a thread costs where others are at work. 64 bands keep many processors busy to the end, and are few enough to start.
THREADED_WORK = 4_000_000
BANDS = 64
# Equal taps from which doubling is faster than a sum of all. 2048^2 float32, processor milliseconds along the last and
# the first axis: 33 taps 6.2 and 12.1, all of them summed 4.8 and 6.6; 65 taps 6.9 and 12.0, against 8.4 and 11.5; 129
# taps 8.0 and 11.0, against 15 and 22.
BOX_TAPS = 64
# Taps up to which one sum rounds no more than partial sums would.
ONE_SUM = 16


@functools.cache
def is_installed() -> bool:
    try:
        return find_spec("llvmlite") is not None
    except (ImportError, ValueError):
        # ValueError: the entry in sys.modules is None, which is how Python marks a module as not to be imported.
        return False


@functools.cache
def failure() -> str | None:
    """Why nothing can be compiled although llvmlite is there; None if all is well.

    What runs every loop is compiled, or found on the disk, to see: llvmlite may be broken or too old, the processor
    unknown to it, memory not allowed to be executed, or there may be no sources of this package to compile.
    """
    if sys.maxsize < 2**32:
        return "compiled loops need a processor with addresses of 64 bits"
    try:
        from gpuconv.backends.cpu.running import runner

        runner()
    except Exception as error:
        return f"llvmlite is installed, but loops cannot be compiled: {type(error).__name__}: {error}"
    return None


def state() -> str:
    """What `gpuconv info` says of llvmlite."""
    reason = failure()
    return PURPOSE if reason is None else f"{reason[0].upper()}{reason[1:].rstrip('.')}. {WITHOUT}"


def why_not(work: int, dtype: Any) -> str | None:
    """Why compiled loops do not do `work` products in `dtype`; None if they do. Other loops always can."""
    if work < WORK:
        return f"{work} products are less than the {WORK} from which compiled loops are worth their start"
    if not is_installed():
        return "llvmlite is not installed (extra cpu)"
    if real_dtype(np.dtype(dtype)).name not in DTYPES:
        return f"compiled loops do not sum in {np.dtype(dtype).name}"
    return failure()


@functools.cache
def working_dtype(image: np.dtype, *weights: np.dtype) -> np.dtype:
    """What an image is brought to before it is summed under such weights."""
    return np.dtype(dtypes_of_sums(dtype_name(image), *map(dtype_name, weights))[0])


def real_dtype(dtype: np.dtype) -> np.dtype:
    """What the loops see: complex numbers as pairs of real ones, unsigned integers as signed ones of the same bits."""
    if dtype.kind == "c":
        return np.dtype(f"f{dtype.itemsize // 2}")
    return np.dtype(f"i{dtype.itemsize}") if dtype.kind == "u" else dtype


def group_length(taps: int) -> int:
    """How many products are summed in a row before their sum joins the total: runs of nearly equal length.

    A sum of b products in a row, n/b times, rounds a product at most ``b + n/b + 1`` times by half an eps: with
    ``b <= 3 sqrt(n)`` that stays below the documented ``2 sqrt(n) eps``. No run is shorter than `vectors.ROWS`.
    """
    return taps if taps <= ONE_SUM else -(-taps // -(-taps // (3 * isqrt(taps))))


def band_count(work: int, tasks: int) -> int:
    """Bands of a loop that does `work` products in so many tasks."""
    return min(tasks, BANDS) if work >= THREADED_WORK else 1


def address(array: np.ndarray) -> int:
    """Where the first element lies. The caller keeps the array alive until the loop has run."""
    return int(array.__array_interface__["data"][0])


@dataclass(frozen=True)
class Edges:
    """What a loop needs to extend an axis while loading: sample ``first + e`` of the extended axis.

    Positions below 0 are looked up in `before`, those from `size` on in `after`; -1 stands for the fill value.
    """

    size: int
    first: int
    before: np.ndarray
    after: np.ndarray

    @classmethod
    def of(cls, span: Span) -> Edges:
        start, stop = span.first, span.first + span.length
        before = cls._sources(span, start, min(stop, 0))
        return cls(span.size, start, before, cls._sources(span, max(start, span.size), stop))

    @staticmethod
    def _sources(span: Span, start: int, stop: int) -> np.ndarray:
        if stop <= start:
            return np.empty(0, np.int64)
        if span.boundary == "constant":
            return np.full(stop - start, -1, np.int64)
        return source_indices(span.boundary, span.size, np.arange(start, stop)).astype(np.int64)
