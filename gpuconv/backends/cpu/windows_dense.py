"""Windows of two or three axes of a large array on compiled loops: how memory is walked, and cut into blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import isqrt, prod
from typing import Any

import numpy as np

from gpuconv.backends.cpu.axis import (
    CHANNELS,
    Dimension,
    fill_values,
    memory_order,
    merged,
    numbers_of,
    real_taps,
)
from gpuconv.backends.cpu.bands import launch
from gpuconv.backends.cpu.compiled import ONE_SUM, Edges, address, band_count, real_dtype
from gpuconv.backends.cpu.formats import Formats, read_formats
from gpuconv.backends.cpu.vectors import REGISTER_BYTES, ROWS
from gpuconv.backends.cpu.windows_loops import WINDOWS
from gpuconv.backends.cpu.windows_tiles import GROUP_NUMBERS, SHARED_FROM, STRIP, window_address
from gpuconv.core.boundary import Span

# Outputs of a block: bytes of a row (twice as many where it is not copied, a quarter where there are planes), rows on
# top of those of the taps, planes.
ROW_BYTES = 8192
BLOCK_ROWS = 32
BLOCK_PLANES = 8
# Bytes of a block, extended, above which it gets fewer planes: half of a second-level cache.
BLOCK_BYTES = 2**19
# Rows of taps up to which the source is read without a copy. More of them may compete for the same places in the
# first-level cache, and the copy is a small part of the work.
DIRECT_ROWS = 11
# Rows this far apart compete for the same places in the first-level cache.
PAGE = 4096


def correlate_dense(
    x: np.ndarray, kernel: np.ndarray, spans: Sequence[Span], cval: Any, wanted: str | None = None
) -> np.ndarray:
    """``y[i] = sum_j kernel[j] x~[first + i + j]`` over two or three axes; complex kernels as two real ones."""
    if kernel.dtype.kind != "c":
        return _correlate(*read_formats(x, kernel.dtype, wanted), kernel, spans, cval)
    parts = kernel.real, kernel.imag
    real, imaginary = (_correlate(*read_formats(x, part.dtype, None), part, spans, cval) for part in parts)
    if x.dtype.kind != "c":
        result = np.empty(real.shape, np.result_type(real.dtype, np.complex64))
        result.real, result.imag = real, imaginary
        return result
    real.real -= imaginary.imag
    real.imag += imaginary.real
    return real


@dataclass(frozen=True)
class Axis:
    """An axis that windows move along: its span, and the strides of source and result in bytes."""

    span: Span
    source: int = 0
    destination: int = 0

    def numbers(self, block: int) -> list[int]:
        """What the loop needs of it. block: how many outputs are computed from one block of scratch."""
        span = self.span
        return [span.size, span.first, self.source, self.destination, span.count, block, span.taps]


@dataclass(frozen=True)
class Walk:
    """Planes, rows and columns of an image, and what lies around and inside.

    Attributes
    ----------
    order : tuple of int
        Axes of the image as they follow each other in memory.
    ranked : tuple of int
        Places of the spans in that order.
    shape : tuple of int
        The result's, in that order.
    taps : tuple of int
        How many there are on planes, rows and columns.
    """

    order: tuple[int, ...]
    ranked: tuple[int, ...]
    shape: tuple[int, ...]
    axes: tuple[Axis, Axis, Axis]
    taps: tuple[int, int, int]
    outer: tuple[Dimension, ...]
    channels: Dimension
    formats: Formats


def _correlate(x: np.ndarray, formats: Formats, kernel: np.ndarray, spans: Sequence[Span], cval: Any) -> np.ndarray:
    order, spans = memory_order(x), tuple(spans)
    layout = layout_of(x.shape, x.strides, order, formats, spans)
    if layout is None:
        # The axes of the windows innermost, without gaps.
        axes = [span.axis for span in spans]
        order = (*(axis for axis in order if axis not in axes), *(axis for axis in order if axis in axes))
        x = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
        layout = layout_of(x.shape, x.strides, order, formats, spans)
        assert layout is not None, "lines without gaps can be walked along"
    result = np.empty(layout.walk.shape, formats.result).transpose(layout.back)
    taps = real_taps(kernel, formats.working).ravel()[layout.taps]
    _run(layout, x, result, taps, fill_values(cval, formats.working))
    return result


def _walk(
    shape: Sequence[int], strides: Sequence[int], order: tuple[int, ...], formats: Formats, spans: Sequence[Span]
) -> Walk | None:
    """How to go through an image, whose axes have this order in memory; None where it does not lend itself to that."""
    ranked = tuple(sorted(range(len(spans)), key=lambda place: order.index(spans[place].axis)))
    taps = [spans[place].taps for place in ranked]
    counts = list(shape)
    for span in spans:
        counts[span.axis] = span.count
    width = formats.result.itemsize
    apart = {axis: width * prod(counts[inner] for inner in order[i + 1 :]) for i, axis in enumerate(order)}
    axes = [Axis(spans[place], strides[spans[place].axis], apart[spans[place].axis]) for place in ranked]
    moved = [axis.span.axis for axis in axes]
    last = order.index(moved[-1])
    outer, inside = (
        [Dimension(shape[axis], strides[axis], apart[axis]) for axis in part if axis not in moved]
        for part in (order[:last], order[last:])
    )
    inside = merged([*inside, Dimension(formats.parts, *formats.widths)]) or [Dimension(1, *formats.widths)]
    if len(inside) > 1:
        return None
    channels = inside[0]
    if channels.count > CHANNELS:  # columns of their own, of windows that are one column wide
        columns = Span(-1, channels.count, 1, 0, channels.count, "constant")
        axes.append(Axis(columns, channels.source, channels.destination))
        channels = Dimension(1, *formats.widths)
        taps = [*taps, 1]
    if len(axes) > 3:
        return None
    if len(axes) < 3:
        axes.insert(0, Axis(Span(-1, 1, 1, 0, 1, "constant")))
        taps = [1, *taps]
    size, three = tuple(counts[axis] for axis in order), (axes[0], axes[1], axes[2])
    return Walk(order, ranked, size, three, (taps[0], taps[1], taps[2]), tuple(merged(outer)), channels, formats)


def groups(taps: Sequence[int]) -> tuple[int, int, int]:
    """How many planes, rows and columns of taps are summed in a row before their sum joins the total.

    With b products in a row and m such sums, none is rounded more than ``b + m - 1`` times by half an eps, which stays
    below the documented ``2 sqrt(n) eps``. Groups are as many rows high as may be: these share what they load.
    """
    _, rows, columns = taps
    most = ONE_SUM if prod(taps) <= ONE_SUM else 3 * isqrt(prod(taps))
    if rows * columns <= most:
        return most // (rows * columns), rows, columns
    if rows <= most:
        return 1, rows, most // rows
    return 1, -(-rows // -(-rows // most)), 1


@dataclass(frozen=True)
class Strips:
    """Taps of one shape cut into strips and groups: see `windows_tiles`. Arrays with one entry per strip.

    order: where the taps of strips, one after another, are in the kernel; starts: where each strip begins among them.
    """

    order: np.ndarray
    starts: np.ndarray
    places: np.ndarray
    rows: np.ndarray
    groups: np.ndarray

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, shape: tuple[int, int, int]) -> Strips:
        numbers = np.arange(prod(shape)).reshape(shape)
        together = groups(shape)
        places, parts, ends = [], [], []
        for corner in product(*(range(0, size, step) for size, step in zip(shape, together, strict=True))):
            planes, rows, columns = (
                range(low, min(low + step, size)) for low, step, size in zip(corner, together, shape, strict=True)
            )
            middle = columns.start + len(columns) // STRIP * STRIP
            for width, lefts in (STRIP, range(columns.start, middle, STRIP)), (1, range(middle, columns.stop)):
                for plane, left in product(planes, lefts):
                    places.append((plane, rows.start, left))
                    parts.append(numbers[plane, rows.start : rows.stop, left : left + width])
                ends.append(len(places))
        sizes = np.array([part.size for part in parts])
        counts = np.array([len(part) for part in parts])
        order = np.concatenate([part.ravel() for part in parts])
        return cls(order, np.cumsum(sizes) - sizes, np.array(places), counts, np.array(ends, np.int64))

    def listed(self, width: int, pitches: Sequence[int]) -> np.ndarray:
        """The list for taps of `width` bytes that begin at 0, and so many bytes between planes, rows and columns."""
        return np.stack([self.places @ np.array(pitches), self.starts * width, self.rows], axis=1).astype(np.int64)


@dataclass(frozen=True)
class Layout:
    """What the loop is told, but for where arrays begin. All that is an array here is read only.

    Attributes
    ----------
    walk : Walk
    back : array
        The axes of the result, from those in the order of memory.
    taps : array
        Where in the kernel each tap is, in the order in which they are used.
    block, inside : array
        The lists of strips for the scratch block and for the source itself.
    ends : tuple of int
        What is told behind the addresses of source and result.
    told : tuple of array
        Sums, the two windows behind the addresses of their lists, outer loops, and what follows these.
    """

    walk: Walk
    back: np.ndarray
    taps: np.ndarray
    block: np.ndarray
    inside: np.ndarray
    groups: np.ndarray
    ends: tuple[int, ...]
    told: tuple[np.ndarray, ...]
    tasks: int


@lru_cache(maxsize=64)
def layout_of(
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    order: tuple[int, ...],
    formats: Formats,
    spans: tuple[Span, ...],
) -> Layout | None:
    """The same for every image of that kind: worked out anew it took 0.3 ms, as long as 3x3 taps on 700^2 samples."""
    walk = _walk(shape, strides, order, formats, spans)
    if walk is None:
        return None
    planes, rows, columns = walk.axes
    dtype = real_dtype(formats.working)
    step = walk.channels.count * dtype.itemsize
    strips = Strips.of(walk.taps)
    has_no_gaps = columns.source == step and walk.channels.source == dtype.itemsize and not formats.loads
    is_direct = has_no_gaps and walk.taps[0] == planes.span.count == 1 and walk.taps[1] <= DIRECT_ROWS
    blocks = _blocks(walk, step, is_direct)
    pitches = _pitches(blocks, walk.taps, step)
    places = np.arange(prod(walk.taps)).reshape([span.taps for span in spans]).transpose(walk.ranked)
    tasks = prod(-(-axis.span.count // block) for axis, block in zip(walk.axes, blocks, strict=True))
    at_once = ROWS if strips.rows.min() >= SHARED_FROM else 1
    return Layout(
        walk,
        np.argsort(order),
        places.ravel()[strips.order],
        strips.listed(dtype.itemsize, (*pitches, step)),
        strips.listed(dtype.itemsize, (planes.source, rows.source, step)),
        strips.groups,
        (at_once, pitches[0] * (blocks[0] + walk.taps[0] - 1), pitches[0], is_direct),
        _told(walk, blocks, strips.groups, step, pitches[1]),
        tasks * prod(loop.count for loop in walk.outer),
    )


def _told(
    walk: Walk, blocks: tuple[int, int, int], groups: np.ndarray, step: int, pitch: int
) -> tuple[np.ndarray, ...]:
    """What a layout has to tell. pitch: bytes between rows of the scratch block."""
    planes, rows, columns = walk.axes
    dtype = real_dtype(walk.formats.working)
    edges = [Edges.of(axis.span) for axis in walk.axes]
    numbers = numbers_of(
        [window_address(dtype), dtype.itemsize],
        [address(groups), groups.size // GROUP_NUMBERS, step, pitch],
        [address(groups), groups.size // GROUP_NUMBERS, step, rows.source],
        [number for loop in walk.outer for number in (loop.count, loop.source, loop.destination)],
        planes.numbers(blocks[0]),
        rows.numbers(blocks[1]),
        [*columns.numbers(blocks[2]), walk.channels.count, walk.channels.source],
    )
    ends = [part for each in edges for part in (each.before, each.after)]
    return (*numbers, *ends, *numbers_of(walk.formats.numbers()))


def _run(layout: Layout, x: np.ndarray, result: np.ndarray, taps: np.ndarray, fill: np.ndarray) -> None:
    sums, block_window, inside_window, *rest = layout.told
    lists = [layout.block.copy(), layout.inside.copy()]
    for each in lists:
        each[:, 1] += address(taps)
    numbers = numbers_of(
        [address(lists[0]), *block_window],
        [address(lists[1]), *inside_window],
        [address(fill), fill.size],
        [address(x), address(result), *layout.ends],
    )
    bands = band_count(result.size * taps.size, layout.tasks)
    launch(WINDOWS, bands, sums, *numbers, *rest)


def _blocks(walk: Walk, step: int, is_direct: bool) -> tuple[int, int, int]:
    """Outputs of a block along planes, rows and columns; parts of a row are of nearly equal length."""
    counts = [axis.span.count for axis in walk.axes]
    taps = walk.taps
    is_flat = counts[0] == taps[0] == 1
    row_bytes = ROW_BYTES // (1 if is_flat else 4) * (2 if is_direct else 1)
    widest = max(row_bytes // step, 1)
    columns = -(-counts[2] // -(-counts[2] // widest))
    rows = min(BLOCK_ROWS, counts[1])
    planes = min(BLOCK_PLANES, counts[0])
    while planes > 1 and _pitches((planes, rows, columns), taps, step)[0] * (planes + taps[0] - 1) > BLOCK_BYTES:
        planes = (planes + 1) // 2
    return planes, rows, columns


def _pitches(blocks: Sequence[int], taps: Sequence[int], step: int) -> tuple[int, int]:
    """Bytes between planes and between rows of a block. Rows have room for a register of outputs at least."""
    row = max(blocks[2] * step, REGISTER_BYTES) + (taps[2] - 1) * step
    row = -(-row // REGISTER_BYTES) * REGISTER_BYTES
    if row % PAGE == 0:
        row += REGISTER_BYTES
    return row * (blocks[1] + taps[1] - 1), row
