"""Along one axis, and whether all taps are equal: then their sums take the same work whatever their number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cuda import lines
from gpuconv.backends.cuda.box_plans import Plan, plan_of
from gpuconv.backends.cuda.launch import (
    MAX_BLOCKS,
    Kinds,
    Launch,
    boundary_code,
    ceil_div,
    fill_value,
    order_of_strides,
    strides_in_order,
    struct_of,
)
from gpuconv.backends.cuda.lines import Lines, layout
from gpuconv.backends.cuda.runtime import current, empty_in_order, readable
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import ITEMSIZE
from gpuconv.core.namespace import dtype_name
from gpuconv.core.shapes import output_shape

# Equal taps from which their sums are boxes. By counts of PTX instructions for an output along a row of float32, which
# no card has confirmed yet: lines.cu takes 1.6 for each tap and 64 beside that; boxes.cu 40 and, for finding its place,
# from 57, where a thread has one chunk, down to 14, where it has four. So boxes are ahead from 21 taps on, or before.
BOX_TAPS = 24

# Lanes with binaries of their own: rows of one channel, and most columns.
KNOWN_LANES = (1, 32)


def is_box(taps: Any) -> bool:
    """Whether taps are so many equal ones. Those on the device are not looked at, and NaN equals nothing."""
    return isinstance(taps, np.ndarray) and taps.size >= BOX_TAPS and bool((taps == taps[0]).all())


def correlate_axis(x: Any, taps: Any, spans: tuple[Span], cval: Any, *, result: str | None = None) -> Any:
    """``y[i] = sum_j taps[j] x~[first + i + j]`` along the axis of the only span."""
    if is_box(taps):
        return correlate_box(x, taps, spans[0], cval, result=result)
    return lines.correlate_axis(x, taps, spans, cval, result=result)


def correlate_box(x: Any, taps: np.ndarray, span: Span, cval: Any, *, result: str | None = None) -> Any:
    """The same for equal taps, seven or more of them."""
    runtime = current()
    kinds = Kinds.of(dtype_name(x.dtype), dtype_name(taps.dtype), result)
    x = readable(x)
    how = recipe(x.shape, x.strides, kinds, span)
    if how is None:
        x = runtime.contiguous(x)
        how = recipe(x.shape, x.strides, kinds, span)
    assert how is not None  # a C-ordered array has no more than three axes after collapsing
    y = empty_in_order(how.shape, kinds.result, how.order)
    numbers = taps[0].astype(kinds.weight), fill_value(cval, kinds)
    totals = [runtime.empty((how.totals,), kinds.sum)] if how.totals else []
    kernels = ("box_lines", "sum_tiles") if how.totals else ()
    for part in how.parts:
        arrays = (x, *totals) if part.kernel == "sum_tiles" else (x, *totals, y)
        given = (*arrays, *numbers, *part.arguments)
        runtime.launch(
            Launch("boxes.cu", part.kernel, how.defines, part.blocks, part.threads, part.shared, given, kernels)
        )
    return y


@dataclass(frozen=True)
class Part:
    """A launch without its arrays and numbers."""

    kernel: str
    blocks: int
    threads: int
    shared: int
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Recipe:
    """A call without its arrays, tap and fill value: the result's shape and order in memory, and what to launch."""

    shape: tuple[int, ...]
    order: tuple[int, ...]
    defines: tuple[tuple[str, str], ...]
    totals: int
    """Sums of tiles to be made before; 0 where a tile and its taps fit shared memory."""
    parts: tuple[Part, ...]


@lru_cache(maxsize=4096)
def recipe(shape: tuple[int, ...], strides: tuple[int, ...], kinds: Kinds, span: Span) -> Recipe | None:
    """How to run a call on x of that shape with these strides in bytes; None if x has to be copied first."""
    target, order = output_shape(shape, (span,)), order_of_strides(strides)
    itemsize = ITEMSIZE[kinds.storage]
    of_x = tuple(stride // itemsize for stride in strides)
    found = layout(target, span.axis, of_x, strides_in_order(target, order))
    if found is None:
        return None
    if prod(target) == 0:
        return Recipe(target, order, (), 0, ())
    plan = plan_of(span.count, span.taps, found.inner.count, found.row, found.outer, itemsize, ITEMSIZE[kinds.sum])
    lanes = plan.lanes if plan.lanes in KNOWN_LANES and not plan.hole else 0
    defines = (
        *kinds.defines(),
        ("LANES", str(lanes)),
        ("HOLE", str(int(plan.hole))),
    )
    axis = struct_of((span.size, span.first, span.count, boundary_code(span)))
    from_, to = (strides_of(found, array) for array in (0, 1))
    numbers = plan.lanes, plan.parts, plan.rows, plan.chunks, plan.taps, plan.doublings, int(plan.staged)
    tile = struct_of(numbers, "int32")
    made: list[Part] = []
    bulk: tuple[Any, ...] = ()
    if plan.hole:
        bulk = (struct_of((span.taps - plan.taps, plan.whole_tiles, plan.summed_tiles, plan.rest)),)
        shared = plan.lanes * plan.parts * ITEMSIZE[kinds.sum]
        for blocks, around in blocks_of(plan, found, plan.summed_tiles):
            made.append(Part("sum_tiles", blocks, plan.threads, shared, (axis, around, from_, tile)))
    for blocks, around in blocks_of(plan, found, plan.axis_tiles):
        made.append(Part("box_lines", blocks, plan.threads, plan.shared, (axis, around, from_, to, *bulk, tile)))
    totals = found.outer * plan.summed_tiles * found.inner.count
    return Recipe(target, order, defines, totals, tuple(made))


def blocks_of(plan: Plan, found: Lines, axis_tiles: int) -> list[tuple[int, np.ndarray]]:
    """Blocks of each launch and its ``struct Around``: several where a grid cannot hold all blocks."""
    made = []
    tiles = plan.inner_tiles * axis_tiles
    at_once = MAX_BLOCKS // tiles * plan.rows
    for first in range(0, found.outer, at_once):
        stop = min(first + at_once, found.outer)
        around = np.zeros(1, _AROUND)
        around[0] = (found.inner.count, first, stop, found.low.count, plan.inner_tiles, axis_tiles)
        made.append((ceil_div(stop - first, plan.rows) * tiles, around))
    return made


_AROUND = np.dtype(
    [(name, np.int64) for name in ("inner", "outer_first", "outer_stop", "low")]
    + [(name, np.uint32) for name in ("inner_tiles", "axis_tiles")]
)


def strides_of(found: Lines, array: int) -> np.ndarray:
    """``struct Strides`` of x or y."""
    return struct_of(tuple(axis.strides[array] for axis in (found.high, found.low, found.axis, found.inner)))
