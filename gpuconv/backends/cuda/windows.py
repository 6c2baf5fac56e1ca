"""Dense windows over two or three axes of a CuPy array: how memory is walked, cut into tiles, and what is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isqrt, prod
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
    group_length,
)
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import ITEMSIZE, complex_of, is_complex, is_integer
from gpuconv.core.problem import Problem
from gpuconv.core.shapes import output_shape

THREADS = 128
WARP = 32
# Columns of taps that are summed in one go, and the bytes that a thread reads from shared memory at once.
STRIP = 4
VECTOR = 16
# A block may have 48 KB of shared memory, but four of them should find room on a multiprocessor.
SHARED_BYTES = 32 * 1024
# Channels of a tile: as many as float32 has in the 32 bytes that memory hands out.
CHANNELS = 8
# Weights by value: few, or as many as may be. Each capacity is a binary.
FEW_WEIGHTS = 64
BATCHES = 3
COUNTED = 100


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
    y = result_array = plan.empty(now)
    fills = (plan.fill(cval),) * 2
    if plan.pairs:
        # Of an axis of one sample the view may have any strides.
        fills = fills[0].real, fills[0].imag
        x, y = x[..., np.newaxis].view(plan.kinds.storage), y[..., np.newaxis].view(plan.kinds.result)
    if plan.launches:
        weights = _weights(kernel, plan, resident)
        for blocks, geometry in plan.launches:
            arguments = x, y, weights, *fills, geometry
            now.launch(
                Launch("windows.cu", "correlate_windows", plan.defines, blocks, plan.threads, plan.shared, arguments)
            )
    return result_array


def _weights(kernel: Any, plan: Plan, resident: bool) -> Any:
    """The argument: planes, rows and columns in the order that they have in the memory of x."""
    if resident:
        kernel = kernel if kernel.dtype == plan.weight else kernel.astype(plan.weight)
        return kernel.transpose(plan.order)
    kernel = np.ascontiguousarray(kernel.transpose(plan.order), plan.weight)
    return by_value(kernel, plan.capacity) if plan.capacity else runtime.current().upload(kernel)


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
    pairs: bool
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

    def empty(self, now: runtime.Runtime) -> Any:
        """A place for the result, of complex numbers where the kernel has pairs."""
        y = now.empty(self.shape, complex_of(self.kinds.result) if self.pairs else self.kinds.result)
        return y if self.axes is None else y.transpose(self.axes)


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
    pairs = is_complex(kinds.storage) and not is_complex(kinds.weight)
    fill = np.dtype(kinds.sample).type
    if pairs:
        kinds = kinds.as_pairs()
    begin = Plan(kinds, pairs, fill, np.dtype(kinds.weight), True)
    if any(stride % dtype.itemsize for stride in strides):
        return begin
    walk = Walk.of(shape, [stride // dtype.itemsize for stride in strides], spans, pairs)
    if len(walk.batches) > BATCHES:
        return begin
    capacity, steps = _capacity(prod(walk.taps), weights, kinds, weight_strides)
    begin = replace(begin, copies=False, shape=walk.shape, axes=walk.axes, order=walk.order, capacity=capacity)
    if prod(walk.shape) == 0:
        return begin
    steps = [steps[place] for place in walk.order] if steps else [walk.taps[1] * walk.taps[2], walk.taps[2], 1]
    tile = tile_of(walk.taps, walk.counts, kinds, capacity, pairs)
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
    def of(cls, shape: Sequence[int], strides: Sequence[int], spans: Sequence[Span], pairs: bool) -> Walk:
        """Strides in elements. pairs: the parts of complex numbers become an axis."""
        outputs = output_shape(shape, spans)
        slowest = tuple(sorted(range(len(shape)), key=lambda axis: -abs(strides[axis])))
        new, step = [0] * len(shape), 1
        for axis in reversed(slowest):
            new[axis], step = step, step * outputs[axis]
        steps = [list(strides), new]
        sizes = list(shape)
        if pairs:
            sizes, steps = [*sizes, 2], [[*(2 * stride for stride in each), 1] for each in steps]
        places = {span.axis: place for place, span in enumerate(spans)}
        axes = collapse(sizes, list(places), *steps)
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


@dataclass(frozen=True)
class Tile:
    """What a block does.

    Attributes
    ----------
    planes, rows, columns : int
        Outputs of a thread.
    threads : (int, int, int)
        Along rows, channels and columns.
    tail : int
        Columns of taps of the last strip.
    grouping : int
        How products are added, see ``windows.cu``; `group` is how many at most, where that is counted.
    panel : (int, int)
        Rows and columns of taps that are in shared memory at once.
    pitch : int
        Samples between channels there.
    shared : int
        Bytes of shared memory.
    """

    planes: int
    rows: int
    columns: int
    threads: tuple[int, int, int]
    tail: int
    grouping: int
    group: int
    panel: tuple[int, int]
    pitch: int
    shared: int

    @property
    def outputs(self) -> tuple[int, int, int, int]:
        """Of a block, in planes, rows, columns and channels."""
        rows, channels, columns = self.threads
        return self.planes, rows * self.rows, columns * self.columns, channels


def tile_of(
    taps: tuple[int, int, int], counts: tuple[int, int, int, int], kinds: Kinds, capacity: int, pairs: bool
) -> Tile:
    """The tile for a window of `taps` and so many outputs along planes, rows, columns and channels."""
    size = ITEMSIZE[kinds.sum]
    rows, columns = {16: (2, 2), 8: (2, 4)}.get(size, (4, 4))
    tail = taps[2] if taps[2] < STRIP else STRIP + taps[2] % STRIP
    threads = _threads(ceil_div(counts[1], rows), ceil_div(counts[2], columns), _channels(counts[3], pairs))
    # More planes need more registers than there are.
    most = min(counts[0], 1 if taps[0] == 1 else 4 if size <= 8 and tail <= 5 else 2)
    for planes in (4, 2, 1):
        if planes > most:
            continue
        begin = Tile(planes, rows, columns, threads, tail, 0, 0, (0, 0), 0, 0)
        panel, pitch = _panel(taps, begin, kinds, capacity)
        grouping, group = grouping_of(taps, replace(begin, panel=panel), exact=is_integer(kinds.sum))
        if grouping != COUNTED or planes == 1:
            break
    staged = prod(begin.outputs[1:]) * ITEMSIZE[kinds.result]
    shared = max(_panel_bytes(panel, pitch, begin, kinds, capacity), staged)
    return replace(begin, grouping=grouping, group=group, panel=panel, pitch=pitch, shared=shared)


def _channels(count: int, pairs: bool) -> int:
    """Channels of a tile: nearly equal parts. The parts of a complex number stay together."""
    part = ceil_div(count, ceil_div(count, CHANNELS))
    return part + part % 2 if pairs else part


def _threads(rows: int, columns: int, channels: int) -> tuple[int, int, int]:
    """Threads along rows, channels and columns, at most so many: whole lines of memory, and all threads at work."""
    room = THREADS // channels
    across = min(columns, 16 if channels == 1 else isqrt(room))
    down = min(rows, room // across)
    return down, channels, min(columns, room // down)


def _panel(taps: tuple[int, int, int], tile: Tile, kinds: Kinds, capacity: int) -> tuple[tuple[int, int], int]:
    """Rows and columns of taps that are in shared memory at once, and samples between channels there."""
    strips = (taps[2] - tile.tail) // STRIP
    while True:
        rows, columns = taps[1], strips * STRIP + tile.tail
        pitch = _pitch(tile.outputs[2] + columns - 1, tile.outputs[3], kinds)
        while rows > 1 and _panel_bytes((rows, columns), pitch, tile, kinds, capacity) > SHARED_BYTES:
            rows = ceil_div(rows, 2)
        # Few rows of taps are little work for all the rows of samples that come along: rather fewer columns.
        if strips <= 1 or (
            rows >= min(taps[1], 8) and _panel_bytes((rows, columns), pitch, tile, kinds, capacity) <= SHARED_BYTES
        ):
            return (rows, columns), pitch
        strips = ceil_div(strips, 2)


def _pitch(columns: int, channels: int, kinds: Kinds) -> int:
    """So that threads read whole vectors, and those of several channels from different banks."""
    width = max(VECTOR // ITEMSIZE[kinds.sample], 1)
    vectors = ceil_div(columns, width)
    return (vectors + (1 - vectors % 2 if channels > 1 else 0)) * width


def _panel_bytes(panel: tuple[int, int], pitch: int, tile: Tile, kinds: Kinds, capacity: int) -> int:
    planes, rows, _, channels = tile.outputs
    samples = (rows + panel[0] - 1) * channels * pitch * ITEMSIZE[kinds.sample]
    return samples + (0 if capacity else planes * prod(panel) * ITEMSIZE[kinds.weight])


def grouping_of(taps: tuple[int, int, int], tile: Tile, *, exact: bool) -> tuple[int, int]:
    """The cheapest way to add products whose rounding stays below the documented ``2 sqrt(taps) eps``.

    With b products in a row and m such sums none is rounded more than ``b + m - 1`` times by half an eps.
    """
    total = prod(taps)
    if exact:
        return 0, total
    strips = (taps[2] - tile.tail) // STRIP + 1
    widest = max(tile.tail, STRIP) if strips > 1 else tile.tail
    panels = [min(tile.panel[0], taps[1] - top) for top in range(0, taps[1], tile.panel[0])]
    options = [(0, total, 1)]
    if tile.planes > 1:
        across = ceil_div(strips, max((tile.panel[1] - tile.tail) // STRIP, 1))
        options = [(0, tile.panel[0] * tile.panel[1], taps[0] * len(panels) * across)]
    for together in (4, 2, 1):
        if together <= tile.rows:
            runs = strips * sum(ceil_div(rows, together) for rows in panels)
            options.append((together, min(together, tile.panel[0]) * widest, taps[0] * runs))
    for grouping, length, sums in options:
        if (length + sums - 1) ** 2 <= 16 * total:
            return grouping, length
    return COUNTED, max(group_length(total), tile.rows * widest)


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
    return "int" if max(*far, walk.counts[3], block_count(walk, tile)) < 2**30 else "int64"


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
