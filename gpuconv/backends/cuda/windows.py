"""Dense windows over two or three axes of a CuPy array: how memory is walked, cut into tiles, and what is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cuda import runtime
from gpuconv.backends.cuda.launch import (
    MAX_BLOCKS,
    WEIGHTS_BYTES,
    Axis,
    Kinds,
    Launch,
    boundary_define,
    by_value,
    ceil_div,
    collapse,
)
from gpuconv.backends.cuda.windows_tiles import Tile, tile_of
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import ITEMSIZE
from gpuconv.core.problem import Problem
from gpuconv.core.shapes import output_shape

WARP = 32
# Weights by value: few, or as many as may be. Each capacity is a binary.
FEW_WEIGHTS = 64
BATCHES = 3
# Positions from which 32 bits do not do: with room for a tile beyond the last output, and for reflecting it.
FAR = 2**30


def why_not(problem: Problem) -> str | None:
    """Why this does not run a problem; None if it does."""
    if not 2 <= len(problem.spans) <= 3:
        return f"CUDA kernels go over windows of two or three axes, these have {len(problem.spans)}"
    return None


def correlate_windows(
    x: Any, kernel: Any, spans: Sequence[Span], cval: Any, *, result: str | None = None, resident: bool | None = None
) -> Any:
    """``y[i] = sum_j kernel[j] x~[first + i + j]`` with i and j over the axes of `spans`.

    resident: whether `kernel` lies on the device; by default everything does that is not NumPy's.
    """
    if resident is None:
        resident = not isinstance(kernel, np.ndarray)
    now = runtime.current()
    posed = x.dtype, kernel.dtype, tuple(spans), result, kernel.strides if resident else None
    plan = _plan(x.shape, x.strides, *posed)
    if plan.copies or now.address(x) % x.dtype.itemsize:
        x = now.contiguous(x)
        plan = _plan(x.shape, x.strides, *posed)
    y = now.empty(plan.shape, plan.kinds.result)
    y = y if plan.axes is None else y.transpose(plan.axes)
    if plan.launches:
        weights = _weights(kernel, plan, resident)
        for blocks, geometry in plan.launches:
            arguments = x, y, weights, plan.fill(cval), geometry
            now.launch(
                Launch("windows.cu", "correlate_windows", plan.defines, blocks, plan.threads, plan.shared, arguments)
            )
    return y


def _weights(kernel: Any, plan: Plan, resident: bool) -> Any:
    """The argument: planes, rows and columns in the order that they have in the memory of x."""
    if resident:
        kernel = kernel if kernel.dtype == plan.weight else kernel.astype(plan.weight)
        return kernel.transpose(plan.order)
    kernel = kernel.transpose(plan.order)
    if plan.capacity:
        return by_value(kernel, plan.capacity, plan.kinds.weight)
    return runtime.current().upload(np.ascontiguousarray(kernel, plan.weight))


@dataclass(frozen=True)
class Plan:
    """What follows from shapes, strides and dtypes.

    Attributes
    ----------
    copies : bool
        Whether x must be copied before it can be walked; nothing else of the plan counts then.
    shape : tuple of int
        Of the result, its axes in the order of memory; `axes` puts them back.
    order : tuple of int
        Places of the spans in the order of memory.
    launches : tuple of (int, array)
        Blocks and geometry.
    """

    kinds: Kinds
    fill: Any
    weight: np.dtype
    copies: bool
    shape: tuple[int, ...] = ()
    axes: tuple[int, ...] | None = None
    order: tuple[int, ...] = ()
    capacity: int = 0
    defines: tuple[tuple[str, str], ...] = ()
    threads: int = 0
    shared: int = 0
    launches: tuple[tuple[int, np.ndarray], ...] = ()


@lru_cache(maxsize=4096)
def _plan(
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    dtype: np.dtype,
    weights: np.dtype,
    spans: tuple[Span, ...],
    result: str | None,
    weight_strides: tuple[int, ...] | None,
) -> Plan:
    """Strides in bytes; weights are on the device if theirs are given."""
    kinds = Kinds.of(dtype.name, weights.name, result)
    begin = Plan(kinds, np.dtype(kinds.sample).type, np.dtype(kinds.weight), True)
    if any(stride % dtype.itemsize for stride in strides):
        return begin
    walk = Walk.of(shape, [stride // dtype.itemsize for stride in strides], spans)
    if len(walk.batches) > BATCHES:
        return begin
    capacity, steps = _capacity(prod(walk.taps), weights, kinds, weight_strides)
    begin = replace(begin, copies=False, shape=walk.shape, axes=walk.axes, order=walk.order, capacity=capacity)
    if prod(walk.shape) == 0:
        return begin
    steps = [steps[place] for place in walk.order] if steps else [walk.taps[1] * walk.taps[2], walk.taps[2], 1]
    tile = tile_of(walk.taps, walk.counts, kinds, capacity)
    return replace(begin, **_compiled(walk, tile, kinds, capacity), **_launched(walk, tile, steps))


def _capacity(size: int, weights: np.dtype, kinds: Kinds, strides: tuple[int, ...] | None) -> tuple[int, list[int]]:
    """How many weights go by value, 0 for none; the strides of those on the device, in elements, if they are known."""
    if strides is not None:
        return 0, [stride // weights.itemsize for stride in strides]
    most = WEIGHTS_BYTES // ITEMSIZE[kinds.weight]
    return (0 if size > most else most if size > FEW_WEIGHTS else FEW_WEIGHTS), []


@dataclass(frozen=True)
class Walk:
    """How memory is walked.

    Attributes
    ----------
    window : tuple of (Axis, Span)
        Planes, rows and columns, from the slowest to the fastest; one plane for windows of two axes.
    batches : tuple of Axis
        All other axes but `channels`, which is faster than the columns.
    shape, axes : tuple of int
        Of the result, in the order of memory; how to transpose it into the order of `x`, None if it is that.
    order : tuple of int
        Places of the spans in the order of memory.
    """

    window: tuple[tuple[Axis, Span], ...]
    batches: tuple[Axis, ...]
    channels: Axis | None
    shape: tuple[int, ...]
    axes: tuple[int, ...] | None
    order: tuple[int, ...]

    @classmethod
    def of(cls, shape: Sequence[int], strides: Sequence[int], spans: Sequence[Span]) -> Walk:
        """Strides in elements."""
        outputs = output_shape(shape, spans)
        slowest = tuple(sorted(range(len(shape)), key=lambda axis: -abs(strides[axis])))
        new, step = [0] * len(shape), 1
        for axis in reversed(slowest):
            new[axis], step = step, step * outputs[axis]
        places = {span.axis: place for place, span in enumerate(spans)}
        axes = collapse(shape, list(places), strides, new)
        window = [(axis, spans[places[axis.kept]]) for axis in axes if axis.kept is not None]
        order = tuple(places[span.axis] for _, span in window)
        if len(window) == 2:
            window.insert(0, (Axis(1, (0, 0)), Span(-1, 1, 1, 0, 1, "nearest")))
        channels = axes[-1] if axes[-1].kept is None else None
        batches = [axis for axis in axes if axis.kept is None and axis is not channels]
        back = None if slowest == tuple(range(len(shape))) else tuple(np.argsort(slowest).tolist())
        return cls(tuple(window), tuple(batches), channels, tuple(outputs[axis] for axis in slowest), back, order)

    @property
    def taps(self) -> tuple[int, int, int]:
        planes, rows, columns = (span.taps for _, span in self.window)
        return planes, rows, columns

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Outputs along planes, rows, columns and channels."""
        planes, rows, columns = (span.count for _, span in self.window)
        return planes, rows, columns, self.channels.count if self.channels else 1


def _compiled(walk: Walk, tile: Tile, kinds: Kinds, capacity: int) -> dict[str, Any]:
    names = "PLANE_BOUNDARY", "ROW_BOUNDARY", "COLUMN_BOUNDARY"
    boundaries = (boundary_define(name, span) for name, (_, span) in zip(names, walk.window, strict=True))
    numbers = {
        "PLANES_EACH": tile.planes,
        "ROWS_EACH": tile.rows,
        "COLUMNS_EACH": tile.columns,
        "TAIL": tile.tail,
        "GROUPING": tile.grouping,
        "CHANNELS": 0 if walk.channels else 1,
        "WEIGHTS": capacity,
        "INDEX": index_type(walk, tile),
    }
    return {"defines": (*kinds.defines(), *boundaries, *((name, str(number)) for name, number in numbers.items()))}


def _tiles(walk: Walk, tile: Tile) -> list[int]:
    return [ceil_div(count, part) for count, part in zip(walk.counts, tile.outputs, strict=True)]


def block_count(walk: Walk, tile: Tile) -> int:
    return prod(_tiles(walk, tile)) * prod(axis.count for axis in walk.batches)


def index_type(walk: Walk, tile: Tile) -> str:
    """int where positions, also reflected ones and those of a tile that goes beyond the last output, fit into it."""
    far = [abs(span.first) + span.size + span.length for _, span in walk.window]
    return "int" if max(*far, walk.counts[3], block_count(walk, tile)) < FAR else "int64"


def _launched(walk: Walk, tile: Tile, weight_strides: Sequence[int]) -> dict[str, Any]:
    tiles = _tiles(walk, tile)
    warps = ceil_div(prod(tile.threads), WARP)
    nothing = Axis(1, (0, 0))
    numbers = [
        number
        for (axis, span), parts in zip(walk.window, tiles[:3], strict=True)
        for number in (span.size, span.first, span.count, *axis.strides, span.taps, parts)
    ]
    for axis in (walk.channels or nothing, *[nothing] * (BATCHES - len(walk.batches)), *walk.batches):
        numbers += [axis.count, *axis.strides]
    numbers += [tile.outputs[3], tiles[3], tile.threads[2], tile.threads[0], warps, *tile.panel, tile.pitch, tile.group]
    strides = [0] * (3 - len(weight_strides)) + list(weight_strides)
    blocks = block_count(walk, tile)
    launches = (
        (min(MAX_BLOCKS, blocks - start), _struct([*numbers, start, *strides]))
        for start in range(0, blocks, MAX_BLOCKS)
    )
    return {"threads": warps * WARP, "shared": tile.shared, "launches": tuple(launches)}


def _struct(numbers: Sequence[int]) -> np.ndarray:
    """``Geometry``, which is all of int64."""
    return by_value(np.array(numbers, np.int64), len(numbers))
