"""Along one axis: which kernel of ``lines.cu``, and how many threads.

Taps may be any number: host taps go by value up to 3840 bytes, and are uploaded above; taps of the device stay there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod, sqrt
from typing import Any

import numpy as np

from gpuconv.backends.cuda.launch import (
    MAX_BLOCKS,
    MAX_SHARED,
    WEIGHTS_BYTES,
    Axis,
    Kinds,
    Launch,
    boundary_define,
    by_value,
    ceil_div,
    collapse,
    fill_value,
    order_of_strides,
    strides_in_order,
)
from gpuconv.backends.cuda.runtime import current, empty_in_order, readable
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import ITEMSIZE
from gpuconv.core.namespace import dtype_name
from gpuconv.core.problem import Problem
from gpuconv.core.shapes import output_shape

ROW_OUTPUTS = 7
THREADS = 256
# From so many positions on the fastest axis on, a warp has enough of them side by side.
COLUMN_INNER = 32
# A tile with all taps in one round, if it takes no more: two thirds of the blocks that fit a multiprocessor.
COMFORTABLE_SHARED = 24 * 1024


def why_not(problem: Problem) -> str | None:
    if problem.traced:
        return "CUDA kernels of our own are not traced"
    return None


def correlate_axis(x: Any, taps: Any, spans: tuple[Span], cval: Any, *, result: str | None = None) -> Any:
    """``y[i] = sum_j taps[j] x~[first + i + j]`` along the axis of the only span."""
    runtime = current()
    kinds = Kinds.of(dtype_name(x.dtype), dtype_name(taps.dtype), result)
    x = readable(x)
    passed, capacity = weights_argument(taps, kinds.weight)
    how = recipe(x.shape, x.strides, kinds, spans[0], capacity)
    if how is None:
        x = runtime.contiguous(x)
        how = recipe(x.shape, x.strides, kinds, spans[0], capacity)
    assert how is not None  # a C-ordered array has no more than three axes after collapsing
    y = empty_in_order(how.shape, kinds.result, how.order)
    fill = fill_value(cval, kinds)
    for blocks, arguments in how.launches:
        given = (x, y, passed, fill, *arguments)
        runtime.launch(Launch("lines.cu", how.kernel, how.defines, blocks, how.threads, how.shared, given))
    return y


@dataclass(frozen=True)
class Recipe:
    """A call without its arrays and weights: the result's shape and order in memory, and what to launch."""

    shape: tuple[int, ...]
    order: tuple[int, ...]
    kernel: str
    defines: tuple[tuple[str, str], ...]
    threads: int
    shared: int
    launches: tuple[tuple[int, tuple[Any, ...]], ...]
    """Blocks and the last arguments of each: several where a grid cannot hold all blocks."""


@lru_cache(maxsize=4096)
def recipe(shape: tuple[int, ...], strides: tuple[int, ...], kinds: Kinds, span: Span, capacity: int) -> Recipe | None:
    """How to run a call on x of that shape with these strides in bytes; None if x has to be copied first."""
    target, order = output_shape(shape, (span,)), order_of_strides(strides)
    itemsize = ITEMSIZE[kinds.storage]
    of_x = tuple(stride // itemsize for stride in strides)
    lines = layout(target, span.axis, of_x, strides_in_order(target, order))
    if lines is None:
        return None
    if prod(target) == 0:
        return Recipe(target, order, "", (), 0, 0, ())
    defines = (*kinds.defines(), boundary_define("BOUNDARY", span), ("WEIGHTS", str(capacity)))
    along = tuple(np.int64(each) for each in (span.size, span.first, span.count))
    bytes_each = ITEMSIZE[kinds.sample], ITEMSIZE[kinds.sum]
    rows = row_plan(span.count, span.taps, lines.inner.count, lines.outer, *bytes_each) if lines.row else None
    if rows is not None:
        parts = tuple((blocks, along + rest) for blocks, rest in rows.parts_of(lines, span.taps))
        return Recipe(target, order, "correlate_rows", defines, rows.threads, rows.shared, parts)
    columns = column_plan(span.count, lines.inner.count, lines.outer, bytes_each[1])
    parts = tuple((blocks, along + rest) for blocks, rest in columns.parts_of(lines, span.taps))
    return Recipe(target, order, "correlate_columns", defines, columns.threads, 0, parts)


def weights_argument(weights: Any, dtype: str) -> tuple[Any, int]:
    """Weights for a kernel, and its macro ``WEIGHTS``: how many go by value, 0 if they lie on the device."""
    capacity = WEIGHTS_BYTES // ITEMSIZE[dtype]
    on_host = isinstance(weights, np.ndarray)
    if on_host and weights.size <= capacity:
        return by_value(weights, capacity, dtype), capacity
    cast = weights.astype(dtype, order="C", copy=False)
    return (current().upload(cast) if on_host else cast), 0


@dataclass(frozen=True)
class Lines:
    """How the lines along an axis lie in memory.

    Attributes
    ----------
    high, low : Axis
        Outside of the axis, `low` the faster one; strides are those of x and of y.
    axis : Axis
    inner : Axis
        The fastest axis where the filtered one is not; else of one position.
    row : bool
        Whether `inner` is a few channels side by side, to be taken as one row with the axis.
    """

    high: Axis
    low: Axis
    axis: Axis
    inner: Axis
    row: bool

    @property
    def outer(self) -> int:
        return self.high.count * self.low.count


_ALONE = Axis(1, (0, 0))


@lru_cache(maxsize=4096)
def layout(shape: tuple[int, ...], axis: int, x_strides: tuple[int, ...], y_strides: tuple[int, ...]) -> Lines | None:
    """The lines of arrays with these strides, in elements; None where there are too many axes to tell apart."""
    axes = collapse(shape, (axis,), x_strides, y_strides)
    (filtered,) = (each for each in axes if each.kept is not None)
    others = [each for each in axes if each.kept is None]
    inner = others.pop() if axes[-1] is not filtered else _ALONE
    if len(others) > 2:
        return None
    low, high = ([*reversed(others), _ALONE, _ALONE])[:2]
    if len(others) == 1:
        low, high = high, low
    side_by_side = all(far == near * inner.count for far, near in zip(filtered.strides, inner.strides, strict=True))
    row = inner.count == 1 or (inner.count < COLUMN_INNER and side_by_side)
    return Lines(high, low, filtered, inner, row)


def group_of(taps: int, outputs: int) -> int:
    """Products that are summed in a row, a multiple of `outputs` where there is more than one such sum.

    A sum of b of n products rounds a product ``b + n/b + 1`` times at most, by half an eps: for b near sqrt(n) that
    stays below the documented ``2 sqrt(n) eps``.
    """
    return taps if taps <= 16 else outputs * ceil(sqrt(taps) / outputs)


@dataclass(frozen=True)
class RowPlan:
    """A launch of ``correlate_rows``: names as in ``lines.cu``."""

    parts: int
    rows: int
    tiles: int
    round: int
    group: int
    threads: int
    shared: int

    def parts_of(self, lines: Lines, taps: int) -> list[tuple[int, tuple[Any, ...]]]:
        """Blocks and the last arguments of each launch."""
        step = lines.axis if lines.inner.count == 1 else lines.inner
        strides = [(each.strides[0], each.strides[1]) for each in (lines.high, lines.low, step)]
        made = []
        at_once = MAX_BLOCKS // self.tiles * self.rows
        for first in range(0, lines.outer, at_once):
            stop = min(first + at_once, lines.outer)
            integers = (taps, self.group, self.round, lines.inner.count, self.parts, self.rows)
            made.append(
                (
                    ceil_div(stop - first, self.rows) * self.tiles,
                    (
                        *(np.int32(each) for each in integers),
                        np.uint32(self.tiles),
                        *(np.int64(each) for each in (first, stop, lines.low.count)),
                        *(np.int64(x) for x, _ in strides),
                        *(np.int64(y) for _, y in strides),
                    ),
                )
            )
        return made


@lru_cache(maxsize=4096)
def row_plan(count: int, taps: int, inner: int, outer: int, sample_bytes: int, sum_bytes: int) -> RowPlan | None:
    """Threads and shared memory for rows of `count` outputs with `inner` channels; None if they cannot do it.

    That is where a tile with the samples of one partial sum is larger than shared memory.
    """
    group = group_of(taps, ROW_OUTPUTS)
    needed = ceil_div(count, ROW_OUTPUTS)
    tiles = ceil_div(needed, max(THREADS // inner, 1))
    parts = ceil_div(needed, tiles)
    outputs = parts * ROW_OUTPUTS

    def fits(round_taps: int, limit: int) -> bool:
        return (outputs + round_taps - 1) * inner * sample_bytes <= limit

    taps_at_once = taps
    if not fits(taps, COMFORTABLE_SHARED):
        most = MAX_SHARED // (inner * sample_bytes) - outputs + 1
        if most < group:
            return None
        taps_at_once = min(taps, most // group * group)
    row_bytes = inner * max((outputs + taps_at_once - 1) * sample_bytes, outputs * sum_bytes)
    rows = 1
    if tiles == 1:
        rows = max(1, min(THREADS // (parts * inner), COMFORTABLE_SHARED // row_bytes, outer))
    threads = ceil_div(rows * parts * inner, 32) * 32
    return RowPlan(parts, rows, tiles, taps_at_once, group, threads, rows * row_bytes)


@dataclass(frozen=True)
class ColumnPlan:
    """A launch of ``correlate_columns``: names as in ``lines.cu``."""

    lanes: int
    inner_tiles: int
    axis_tiles: int
    outputs: int
    threads: int

    def parts_of(self, lines: Lines, taps: int) -> list[tuple[int, tuple[Any, ...]]]:
        """Blocks and the last arguments of each launch."""
        strides = [(each.strides[0], each.strides[1]) for each in (lines.high, lines.low, lines.axis, lines.inner)]
        made = []
        tiles = self.inner_tiles * self.axis_tiles
        at_once = MAX_BLOCKS // tiles
        for first in range(0, lines.outer, at_once):
            made.append(
                (
                    min(at_once, lines.outer - first) * tiles,
                    (
                        np.int32(taps),
                        np.int32(group_of(taps, self.outputs)),
                        np.int64(lines.inner.count),
                        np.int32(self.lanes),
                        np.uint32(self.inner_tiles),
                        np.uint32(self.axis_tiles),
                        np.int64(first),
                        np.int64(lines.low.count),
                        *(np.int64(x) for x, _ in strides),
                        *(np.int64(y) for _, y in strides),
                    ),
                )
            )
        return made


@lru_cache(maxsize=4096)
def column_plan(count: int, inner: int, outer: int, sum_bytes: int) -> ColumnPlan:
    """Threads for columns of `count` outputs, `inner` of them side by side."""
    outputs = 8 if sum_bytes <= 8 else 4
    # Two warps side by side read whole lines of memory; where the axis is short, more of them fill the block.
    along = ceil_div(count, outputs)
    lanes = 32 * max(1, min(2, ceil_div(inner, 32)))
    while lanes < THREADS and lanes < inner and THREADS // lanes > along:
        lanes *= 2
    parts = min(THREADS // lanes, along)
    return ColumnPlan(lanes, ceil_div(inner, lanes), ceil_div(along, parts), outputs, lanes * parts)
