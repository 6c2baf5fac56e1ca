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
    element_strides,
    fill_value,
    group_length,
)
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import ITEMSIZE, is_complex, is_integer
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
    resident = not isinstance(kernel, np.ndarray) if resident is None else resident
    kinds = Kinds.of(x.dtype.name, kernel.dtype.name, result)
    x = runtime.readable(x)
    y = runtime.empty_like_ordered(x, output_shape(x.shape, spans), kinds.result)
    if prod(y.shape) == 0:
        return y
    if len(_batches(x, y, spans)) > BATCHES:
        x = runtime.current().contiguous(x)
        y = runtime.current().empty(y.shape, kinds.result)
    result_array = y
    pairs = is_complex(kinds.storage) and not is_complex(kinds.weight)
    fills = (fill_value(cval, kinds),) * 2
    if pairs:
        # Of an axis of one sample the view may have any strides.
        kinds, fills = kinds.as_pairs(), (fills[0].real, fills[0].imag)
        x, y = x[..., np.newaxis].view(kinds.storage), y[..., np.newaxis].view(kinds.result)
    weights, capacity, strides = _weights(kernel, kinds, x, spans, resident)
    launches = _launches(
        tuple(x.shape), element_strides(x), element_strides(y), tuple(spans), kinds, capacity, strides, pairs
    )
    for launch in launches:
        arguments = (x, y, weights, *fills, *launch.arguments)
        runtime.current().launch(replace(launch, arguments=arguments))
    return result_array


def _weights(
    kernel: Any, kinds: Kinds, x: Any, spans: Sequence[Span], resident: bool
) -> tuple[Any, int, tuple[int, ...]]:
    """The argument, how many it has by value (0: on the device), and strides in the order of memory, if that matters."""
    order = _memory_order(spans, element_strides(x))
    if resident:
        kernel = kernel if kernel.dtype.name == kinds.weight else kernel.astype(kinds.weight)
        kernel = kernel.transpose(order)
        return kernel, 0, element_strides(kernel)
    kernel = np.ascontiguousarray(kernel.transpose(order), kinds.weight)
    most = WEIGHTS_BYTES // kernel.itemsize
    if kernel.size <= most:
        capacity = FEW_WEIGHTS if kernel.size <= FEW_WEIGHTS else most
        return by_value(kernel, capacity), capacity, ()
    return runtime.current().upload(kernel), 0, element_strides(kernel)


def _memory_order(spans: Sequence[Span], strides: Sequence[int]) -> list[int]:
    """Places of the spans from the slowest axis in memory to the fastest: the order in which `collapse` leaves them."""
    return sorted(range(len(spans)), key=lambda place: (-abs(strides[spans[place].axis]), spans[place].axis))


def _batches(x: Any, y: Any, spans: Sequence[Span]) -> list[Axis]:
    return _roles(x.shape, element_strides(x), element_strides(y), spans)[1]


def _roles(
    shape: Sequence[int], x_strides: Sequence[int], y_strides: Sequence[int], spans: Sequence[Span]
) -> tuple[list[Axis], list[Axis], Axis | None]:
    """Axes of the window from the slowest to the fastest, batches, and the axis of channels."""
    axes = collapse(shape, [span.axis for span in spans], x_strides, y_strides)
    window = [axis for axis in axes if axis.kept is not None]
    channels = axes[-1] if axes[-1].kept is None else None
    return window, [axis for axis in axes if axis.kept is None and axis is not channels], channels


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
    planes = 1
    if taps[0] > 1:
        planes = min(counts[0], 4 if size <= 8 and tail <= 5 else 2)
        planes = planes if planes in (1, 2, 4) else 2
    grouping, group = grouping_of(taps, tail, rows, planes, exact=is_integer(kinds.sum))
    if grouping == COUNTED:
        planes = 1
    threads = _threads(ceil_div(counts[1], rows), ceil_div(counts[2], columns), _channels(counts[3], pairs))
    panel, pitch = _panel(taps, tail, (planes, rows, columns), threads, kinds, capacity)
    tile = Tile(planes, rows, columns, threads, tail, grouping, group, panel, pitch, 0)
    staged = prod(tile.outputs[1:]) * ITEMSIZE[kinds.result]
    return replace(tile, shared=max(_panel_bytes(panel, pitch, tile.outputs, kinds, capacity), staged))


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


def _panel(
    taps: tuple[int, int, int],
    tail: int,
    each: tuple[int, int, int],
    threads: tuple[int, int, int],
    kinds: Kinds,
    capacity: int,
) -> tuple[tuple[int, int], int]:
    """Rows and columns of taps that are in shared memory at once, and samples between channels there."""
    planes, rows, columns = each
    down, channels, across = threads
    outputs = planes, down * rows, across * columns, channels
    strips = (taps[2] - tail) // STRIP
    while True:
        high = taps[1]
        pitch = _pitch(across * columns + strips * STRIP + tail - 1, channels, kinds)
        while high > 1 and _panel_bytes((high, strips * STRIP + tail), pitch, outputs, kinds, capacity) > SHARED_BYTES:
            high = ceil_div(high, 2)
        # Few rows of taps are read from many rows of samples: rather some columns less.
        if strips <= 1 or (
            high >= min(taps[1], 8)
            and _panel_bytes((high, strips * STRIP + tail), pitch, outputs, kinds, capacity) <= SHARED_BYTES
        ):
            return (high, strips * STRIP + tail), pitch
        strips = ceil_div(strips, 2)


def _pitch(columns: int, channels: int, kinds: Kinds) -> int:
    """So that threads read whole vectors, and those of several channels from different banks."""
    width = max(VECTOR // ITEMSIZE[kinds.sample], 1)
    vectors = ceil_div(columns, width)
    return (vectors + (1 - vectors % 2 if channels > 1 else 0)) * width


def _panel_bytes(
    panel: tuple[int, int], pitch: int, outputs: tuple[int, int, int, int], kinds: Kinds, capacity: int
) -> int:
    planes, rows, _, channels = outputs
    samples = (rows + panel[0] - 1) * channels * pitch * ITEMSIZE[kinds.sample]
    return samples + (0 if capacity else planes * prod(panel) * ITEMSIZE[kinds.weight])


def grouping_of(taps: tuple[int, int, int], tail: int, rows: int, planes: int, *, exact: bool) -> tuple[int, int]:
    """The cheapest way to add products whose rounding stays below the documented ``2 sqrt(taps) eps``.

    With b products in a row and m such sums none is rounded more than ``b + m - 1`` times by half an eps.
    """
    total = prod(taps)
    if exact:
        return 0, total
    strips = (taps[2] - tail) // STRIP + 1
    widest = max(tail, STRIP) if strips > 1 else tail
    options = [(0, taps[1] * taps[2], taps[0]) if planes > 1 else (0, total, 1)]
    for together in (4, 2, 1):
        if together <= rows:
            together = min(together, taps[1]) if together > taps[1] else together
            if together in (1, 2, rows):
                options.append((together, together * widest, taps[0] * strips * ceil_div(taps[1], together)))
    for grouping, length, sums in options:
        if (length + sums - 1) ** 2 <= 16 * total:
            return grouping, length
    return COUNTED, max(group_length(total), rows * widest)


@lru_cache(maxsize=1024)
def _launches(
    shape: tuple[int, ...],
    x_strides: tuple[int, ...],
    y_strides: tuple[int, ...],
    spans: tuple[Span, ...],
    kinds: Kinds,
    capacity: int,
    weight_strides: tuple[int, ...],
    pairs: bool,
) -> tuple[Launch, ...]:
    """Launches but for the arrays: their arguments are the geometry."""
    window, batches, channels = _roles(shape, x_strides, y_strides, spans)
    by_axis = {span.axis: span for span in spans}
    flat = Axis(1, (0, 0)), Span(-1, 1, 1, 0, 1, "nearest")
    axes = [flat] * (3 - len(window)) + [(axis, by_axis[axis.kept]) for axis in window if axis.kept is not None]
    inner = channels or Axis(1, (0, 0))
    taps = axes[0][1].taps, axes[1][1].taps, axes[2][1].taps
    counts = axes[0][1].count, axes[1][1].count, axes[2][1].count, inner.count
    tile = tile_of(taps, counts, kinds, capacity, pairs)
    tiles = [ceil_div(count, part) for count, part in zip(counts, tile.outputs, strict=True)]
    blocks = prod(tiles) * prod(axis.count for axis in batches)
    far = max([blocks, inner.count] + [abs(span.first) + span.size + span.length for _, span in axes])
    warps = ceil_div(prod(tile.threads), WARP)
    numbers = [
        number
        for (axis, span), parts in zip(axes, tiles[:3], strict=True)
        for number in (span.size, span.first, span.count, *axis.strides, span.taps, parts)
    ]
    for axis in [inner, *[Axis(1, (0, 0))] * (BATCHES - len(batches)), *batches]:
        numbers += [axis.count, *axis.strides]
    numbers += [tile.outputs[3], tiles[3], tile.threads[2], tile.threads[0], warps, *tile.panel, tile.pitch, tile.group]
    defines = (
        *kinds.defines(),
        *(
            boundary_define(name, span)
            for name, (_, span) in zip(("PLANE_BOUNDARY", "ROW_BOUNDARY", "COLUMN_BOUNDARY"), axes, strict=True)
        ),
        ("PLANES_EACH", str(tile.planes)),
        ("ROWS_EACH", str(tile.rows)),
        ("COLUMNS_EACH", str(tile.columns)),
        ("TAIL", str(tile.tail)),
        ("GROUPING", str(tile.grouping)),
        ("CHANNELS", "0" if channels else "1"),
        ("WEIGHTS", str(capacity)),
        # Room for a tile beyond the last output, and for reflecting it.
        ("INDEX", "int" if far < 2**30 else "int64"),
    )
    strides = (0,) * (3 - len(weight_strides)) + weight_strides
    return tuple(
        Launch(
            "windows.cu",
            "correlate_windows",
            defines,
            min(MAX_BLOCKS, blocks - start),
            warps * WARP,
            tile.shared,
            (_struct([*numbers, start, *strides]),),
        )
        for start in range(0, blocks, MAX_BLOCKS)
    )


def _struct(numbers: Sequence[int]) -> np.ndarray:
    """``Geometry``, which is all of int64."""
    return by_value(np.array(numbers, np.int64), len(numbers))
