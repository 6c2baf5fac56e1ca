"""Compiled loops along lines, across lines, and through planes and volumes. See `compiled` for the rules.

Addresses and strides are in bytes, counts in samples. `taps` tells the dtype, `fill` holds the fill value, or its two parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from gpuconv.backends.cpu.compiled import Loop, inner, parallel, serial
from gpuconv.backends.cpu.vectors import (
    LINE_VECTORS,
    REGISTER_BYTES,
    ROW_VECTORS,
    ROWS,
    copy_sample,
    line_sample,
    line_tile,
    line_vector,
    neighbour_tile,
    row_sample,
    row_tile,
    row_vector,
    row_vectors,
)

LINE_BYTES = LINE_VECTORS * REGISTER_BYTES
ROW_BYTES = ROW_VECTORS * REGISTER_BYTES
WIDE_BYTES = 4 * REGISTER_BYTES


@inner
def sum_line(taps: Any, groups: int, destination: int, source: int, step: int, count: int, adding: int) -> None:
    """``y[i] = sum_j taps[j] s[i + j step / width]`` for `count` neighbouring samples, added to y if `adding`."""
    width = taps.itemsize
    size = count * width
    done = 0
    if step == width:
        while done + LINE_BYTES <= size:
            neighbour_tile(taps, groups, destination + done, source + done, width, adding)
            done += LINE_BYTES
    while done + LINE_BYTES <= size:
        line_tile(taps, groups, destination + done, source + done, step, adding)
        done += LINE_BYTES
    # What is summed twice by tiles that overlap comes out the same; but it may be added once only.
    if done < size and size >= LINE_BYTES and adding == 0:
        done = size - LINE_BYTES
        line_tile(taps, groups, destination + done, source + done, step, adding)
        return
    while done + REGISTER_BYTES <= size:
        line_vector(taps, groups, destination + done, source + done, step, adding)
        done += REGISTER_BYTES
    if done < size and size >= REGISTER_BYTES and adding == 0:
        done = size - REGISTER_BYTES
        line_vector(taps, groups, destination + done, source + done, step, adding)
        return
    while done < size:
        line_sample(taps, groups, destination + done, source + done, step, adding)
        done += width


@inner
def sum_rows(taps: Any, groups: int, destination: int, pitch: int, table: int, offset: int, count: int) -> None:
    """``y[r, c] = sum_j taps[j] *(table[r + j] + offset + c)`` for `ROWS` rows of `count` samples."""
    size = count * taps.itemsize
    done = 0
    if len(taps) >= ROWS:
        while done + ROW_BYTES <= size:
            row_tile(taps, groups, destination + done, pitch, table, offset + done, 0)
            done += ROW_BYTES
        if done < size and size >= ROW_BYTES:
            done = size - ROW_BYTES
            row_tile(taps, groups, destination + done, pitch, table, offset + done, 0)
            return
    if done < size:
        for r in range(ROWS):
            rest = count - done // taps.itemsize
            sum_row(taps, groups, destination + r * pitch + done, table + 8 * r, offset + done, rest)


@inner
def sum_row(taps: Any, groups: int, destination: int, table: int, offset: int, count: int) -> None:
    """The same for one row."""
    size = count * taps.itemsize
    done = 0
    while done + WIDE_BYTES <= size:
        row_vectors(taps, groups, destination + done, 0, table, offset + done, 0)
        done += WIDE_BYTES
    while done + REGISTER_BYTES <= size:
        row_vector(taps, groups, destination + done, 0, table, offset + done, 0)
        done += REGISTER_BYTES
    if done < size and size >= REGISTER_BYTES:
        done = size - REGISTER_BYTES
        row_vector(taps, groups, destination + done, 0, table, offset + done, 0)
        return
    while done < size:
        row_sample(taps, groups, destination + done, 0, table, offset + done, 0)
        done += taps.itemsize


@inner
def source_of(position: int, size: int, first: int, before: Any, after: Any) -> int:
    """Index of the sample at `position` of an extended axis; -1 for the fill value."""
    if position < 0:
        return before[position - first]
    if position < size:
        return position
    return after[position - max(first, size)]


@inner
def copy_samples(taps: Any, destination: int, source: int, stride: int, count: int) -> None:
    width = taps.itemsize
    if stride == width:
        for i in range(count):
            copy_sample(taps, destination + i * width, source + i * width)
    else:
        for i in range(count):
            copy_sample(taps, destination + i * width, source + i * stride)


@inner
def load_line(
    taps: Any, fill: Any, destination: int, source: int, layout: Any, start: int, count: int, before: Any, after: Any
) -> None:
    """Samples ``start : start + count`` of the extended line at `source`, without gaps. layout: see `_lines`."""
    size, first, stride, channels, channel_stride = layout[0], layout[1], layout[2], layout[3], layout[4]
    width = taps.itemsize
    e = start
    while e < start + count:
        place = destination + (e - start) * channels * width
        position = first + e
        if 0 <= position < size:
            run = min(size - position, start + count - e)
            if channels == 1:
                copy_samples(taps, place, source + position * stride, stride, run)
            elif channel_stride == width and stride == channels * width:
                copy_samples(taps, place, source + position * stride, width, run * channels)
            else:
                for i in range(run):
                    line = source + (position + i) * stride
                    copy_samples(taps, place + i * channels * width, line, channel_stride, channels)
            e += run
            continue
        index = source_of(position, size, first, before, after)
        if index >= 0:
            copy_samples(taps, place, source + index * stride, channel_stride, channels)
        else:
            for c in range(channels):
                copy_samples(taps, place + c * width, fill.ctypes.data + c % len(fill) * width, width, 1)
        e += 1


@inner
def _lines(band: int, bands: int, taps: Any, fill: Any, layout: Any, before: Any, after: Any) -> None:
    """Along lines whose samples, or groups of neighbouring `channels`, follow each other.

    layout: size, first, stride, channels, channel stride, source, destination, lines of the outer and inner loop,
    their strides in source and destination, outputs per line, outputs per block, groups of taps.
    """
    size, first, stride, channels, channel_stride = layout[0], layout[1], layout[2], layout[3], layout[4]
    source, destination, outer, lines = layout[5], layout[6], layout[7], layout[8]
    count, block, groups = layout[13], layout[14], layout[15]
    width = taps.itemsize
    step = channels * width
    blocks = (count + block - 1) // block
    tasks = outer * lines * blocks
    scratch = np.empty((block + len(taps) - 1) * channels, taps.dtype)
    whole = stride == step and (channels == 1 or channel_stride == width)
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        line, part = task // blocks, task % blocks
        a, b = line // lines, line % lines
        start = part * block
        outputs = min(block, count - start)
        needed = outputs + len(taps) - 1
        at = source + a * layout[9] + b * layout[10]
        if whole and first + start >= 0 and first + start + needed <= size:
            read = at + (first + start) * stride
        else:
            read = scratch.ctypes.data
            load_line(taps, fill, read, at, layout, start, needed, before, after)
        write = destination + a * layout[11] + b * layout[12] + start * step
        sum_line(taps, groups, write, read, step, outputs * channels, 0)


@inner
def fill_row(taps: Any, fill: Any, count: int) -> Any:
    """A row of nothing but the fill value; of its two parts in turn for complex numbers."""
    row = np.empty(count, taps.dtype)
    for i in range(count):
        row[i] = fill[i % len(fill)]
    return row


@inner
def fill_table(
    table: Any, at: int, stride: int, fill: int, size: int, first: int, start: int, before: Any, after: Any
) -> None:
    """Addresses of the rows at positions ``first + start``, ``first + start + 1``, ... of an extended axis."""
    for e in range(len(table)):
        index = source_of(first + start + e, size, first, before, after)
        table[e] = fill if index < 0 else at + index * stride


@inner
def _columns(band: int, bands: int, taps: Any, fill: Any, layout: Any, before: Any, after: Any) -> None:
    """Across lines: every output row is a sum of source rows, `width` samples wide, without gaps.

    layout: size, first, stride of rows in the source, of rows in the result, samples per row, source, destination,
    outer and inner loop, their strides in source and destination, output rows, rows and samples of a block, groups.
    """
    size, first, stride, pitch, across = layout[0], layout[1], layout[2], layout[3], layout[4]
    source, destination, outer, lines = layout[5], layout[6], layout[7], layout[8]
    count, block, strip, groups = layout[13], layout[14], layout[15], layout[16]
    width = taps.itemsize
    blocks, strips = (count + block - 1) // block, (across + strip - 1) // strip
    tasks = outer * lines * blocks * strips
    filled = fill_row(taps, fill, strip)
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        # Strips side by side come last, so that a band walks down the rows within one.
        part, rest = task % blocks, task // blocks
        left, line = (rest % strips) * strip, rest // strips
        a, b = line // lines, line % lines
        start = part * block
        rows, samples = min(block, count - start), min(strip, across - left)
        table = np.empty(rows + len(taps) - 1, np.int64)
        at = source + a * layout[9] + b * layout[10] + left * width
        fill_table(table, at, stride, filled.ctypes.data, size, first, start, before, after)
        write = destination + a * layout[11] + b * layout[12] + start * pitch + left * width
        done = 0
        while done + ROWS <= rows:
            sum_rows(taps, groups, write + done * pitch, pitch, table.ctypes.data + 8 * done, 0, samples)
            done += ROWS
        while done < rows:
            sum_row(taps, groups, write + done * pitch, table.ctypes.data + 8 * done, 0, samples)
            done += 1


@serial
def lines_serial(bands: int, taps: Any, fill: Any, layout: Any, before: Any, after: Any) -> None:
    for band in range(bands):
        _lines(band, bands, taps, fill, layout, before, after)


@parallel
def lines_parallel(bands: int, taps: Any, fill: Any, layout: Any, before: Any, after: Any) -> None:
    for band in prange(bands):
        _lines(band, bands, taps, fill, layout, before, after)


@serial
def columns_serial(bands: int, taps: Any, fill: Any, layout: Any, before: Any, after: Any) -> None:
    for band in range(bands):
        _columns(band, bands, taps, fill, layout, before, after)


@parallel
def columns_parallel(bands: int, taps: Any, fill: Any, layout: Any, before: Any, after: Any) -> None:
    for band in prange(bands):
        _columns(band, bands, taps, fill, layout, before, after)


LINES = Loop(lines_serial, lines_parallel)
COLUMNS = Loop(columns_serial, columns_parallel)
