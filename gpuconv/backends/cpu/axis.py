"""One axis of a large array on compiled loops: how its memory is walked.

Axes other than the filtered one are put in the order of memory and merged where they follow each other without gaps,
until two loops are left around either *lines* (the filtered axis innermost, or next to a few channels) or *rows* (many
neighbouring samples innermost).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.backends.cpu.bands import launch
from gpuconv.backends.cpu.compiled import BANDS as BANDS
from gpuconv.backends.cpu.compiled import BOX_TAPS, Edges, address, band_count, group_length, real_dtype
from gpuconv.backends.cpu.compiling import Loop
from gpuconv.backends.cpu.formats import Formats, read_formats
from gpuconv.backends.cpu.loops import COLUMNS, LINES
from gpuconv.backends.cpu.sums import addresses
from gpuconv.core.boundary import Span

# Neighbouring samples beside the filtered axis up to which lines are loaded with them, and rows are not worth it.
CHANNELS = 16
# Bytes of a line's block and of a block of rows: both stay in the second-level cache with what they read.
LINE_BLOCK = 32768
STRIP = 2048
BLOCK_ROWS = 64
# Bytes of the narrower strips of boxes.
BOX_STRIP = 512


@dataclass(frozen=True)
class Dimension:
    """An axis that is looped over: samples and strides in bytes."""

    count: int
    source: int
    destination: int


@dataclass(frozen=True)
class Walk:
    """Where source and result begin, the filtered axis, the loops around it, what lies side by side inside, dtypes."""

    source: int
    destination: int
    axis: Dimension
    loops: tuple[Dimension, Dimension]
    inside: Dimension
    formats: Formats


def correlate_axis(x: np.ndarray, taps: np.ndarray, span: Span, cval: Any, wanted: str | None = None) -> np.ndarray:
    """``y[i] = sum_j taps[j] x~[first + i + j]`` along `span`, for real taps. The result lies in memory as x does."""
    x, formats = read_formats(x, taps.dtype, wanted)
    order = memory_order(x)
    shape = [span.count if axis == span.axis else x.shape[axis] for axis in order]
    result = np.empty(shape, formats.result).transpose(np.argsort(order))
    walk = _walk(x, result, span.axis, order, formats)
    if walk is None:
        x = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
        walk = _walk(x, result, span.axis, order, formats)
        assert walk is not None, "an array without gaps has at most one loop on either side of an axis"
    run = _run_lines if walk.inside.count <= CHANNELS else _run_columns
    run(walk, span, real_taps(taps, formats.working), fill_values(cval, formats.working))
    return result


def aligned(x: np.ndarray) -> np.ndarray:
    """`x` itself, or a copy where its samples are not laid out as the processor reads them."""
    return x if x.flags.aligned and x.dtype.isnative else x.astype(x.dtype.newbyteorder("="), order="K")


def memory_order(x: np.ndarray) -> tuple[int, ...]:
    """Axes from the one with the longest strides to the one whose samples are neighbours."""
    return tuple(sorted(range(x.ndim), key=lambda axis: (-abs(x.strides[axis]), axis)))


def real_taps(taps: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A copy of real taps in the dtype that loops see for data of `dtype`."""
    return taps.astype(dtype if dtype.kind in "iu" else real_dtype(dtype)).view(real_dtype(dtype))


def fill_values(cval: Any, dtype: np.dtype) -> np.ndarray:
    """The fill value, as its two parts for complex data."""
    return np.full(1, cval, dtype).view(real_dtype(dtype))


def _walk(x: np.ndarray, result: np.ndarray, axis: int, order: tuple[int, ...], formats: Formats) -> Walk | None:
    """How to go through `x`; None if there are more than two loops, or lines that would not be written in one go."""
    source, destination = address(x), address(result)
    around: list[list[Dimension]] = [[], []]
    widths = formats.widths
    for each in order:
        count, strides = x.shape[each], [x.strides[each], result.strides[each]]
        if each == axis:
            filtered = Dimension(count, *strides)
            continue
        if strides[0] < 0:  # backwards through both
            source, destination = source + (count - 1) * strides[0], destination + (count - 1) * strides[1]
            strides = [-stride for stride in strides]
        around[order.index(each) > order.index(axis)].append(Dimension(count, *strides))
    before, after = merged(around[0]), merged([*around[1], Dimension(formats.parts, *widths)])
    is_inside = bool(after) and (after[-1].source, after[-1].destination) == widths
    inside = after.pop() if is_inside else Dimension(1, *widths)
    loops = before + after
    if len(loops) > 2 or (after and inside.count <= CHANNELS):
        return None
    loops = [Dimension(1, 0, 0)] * (2 - len(loops)) + loops
    return Walk(source, destination, filtered, (loops[0], loops[1]), inside, formats)


def merged(dimensions: list[Dimension]) -> list[Dimension]:
    """The same loops as fewer ones: an outer loop that goes on where the inner one ends is one with it."""
    merged: list[Dimension] = []
    for each in dimensions:
        if each.count == 1:
            continue
        if merged and all(
            outer == inner * each.count
            for outer, inner in ((merged[-1].source, each.source), (merged[-1].destination, each.destination))
        ):
            each = Dimension(merged.pop().count * each.count, each.source, each.destination)
        merged.append(each)
    return merged


def is_box(taps: np.ndarray) -> bool:
    """True for so many equal taps that their sums are doubled up. NaN equals nothing, and is summed as it stands."""
    return taps.size >= BOX_TAPS and bool(np.all(taps == taps[0]))


def _run_lines(walk: Walk, span: Span, taps: np.ndarray, fill: np.ndarray) -> None:
    channels = walk.inside.count
    block = max(LINE_BLOCK // (channels * taps.itemsize), 4 * taps.size if is_box(taps) else 1)
    tasks = walk.loops[0].count * walk.loops[1].count * -(-span.count // block)
    layout = [walk.axis.source, channels, walk.inside.source, *_loops(walk), span.count, block]
    _launch(LINES, band_count(_work(walk, span), tasks), span, taps, fill, layout, walk.formats)


def _run_columns(walk: Walk, span: Span, taps: np.ndarray, fill: np.ndarray) -> None:
    across = walk.inside.count
    box = is_box(taps)
    strip = min((BOX_STRIP if box else STRIP) // taps.itemsize, across)
    block = max(BLOCK_ROWS, 2 * taps.size) if box else BLOCK_ROWS
    tasks = walk.loops[0].count * walk.loops[1].count * -(-span.count // block) * -(-across // strip)
    layout = [walk.axis.source, walk.axis.destination, across, *_loops(walk), span.count, block, strip]
    _launch(COLUMNS, band_count(_work(walk, span), tasks), span, taps, fill, layout, walk.formats)


def _work(walk: Walk, span: Span) -> int:
    return walk.loops[0].count * walk.loops[1].count * walk.inside.count * span.count * span.taps


def _launch(
    loop: Loop, bands: int, span: Span, taps: np.ndarray, fill: np.ndarray, layout: list[int], formats: Formats
) -> None:
    edges = Edges.of(span)
    count, box = taps.size, is_box(taps)
    if box:
        taps = np.array([taps[0], 1, 1], taps.dtype)
    numbers = numbers_of([address(taps), count, group_length(count), box], [address(fill), fill.size])
    layout = [edges.size, edges.first, *layout]
    ends = [edges.before, edges.after, *numbers_of(formats.numbers())]
    launch(loop, bands, sums_of(taps.dtype), *numbers, *numbers_of(layout), *ends)


def sums_of(dtype: np.dtype) -> np.ndarray:
    """What loops need to know of a dtype: the addresses of its sums, and the bytes of a sample."""
    return np.array([*addresses(dtype), dtype.itemsize], np.int64)


def numbers_of(*lists: Sequence[Any]) -> list[np.ndarray]:
    return [np.array(entries, np.int64) for entries in lists]


def _loops(walk: Walk) -> list[int]:
    """Addresses and loops as the compiled layouts list them."""
    outer, inner = walk.loops
    counts = [walk.source, walk.destination, outer.count, inner.count]
    return [*counts, outer.source, inner.source, outer.destination, inner.destination]
