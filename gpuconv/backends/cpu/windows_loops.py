"""The compiled loop over windows: an extended block of the source into scratch, and from there into the result.

Every task reads the samples of a block of outputs once, and what lies beyond the ends of the axes is put there while
reading; the copy stays in the cache until the sums are done with it, at one store for dozens of products.

Three axes are looped over: planes, rows, and columns, whose samples may be groups of neighbouring channels. Addresses
and strides are in bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from gpuconv.backends.cpu.bands import listed
from gpuconv.backends.cpu.compiling import Loop
from gpuconv.backends.cpu.instructions import begin, instruction
from gpuconv.backends.cpu.loops import copy_samples, fill_samples, load_samples, source_of, store_rows
from gpuconv.backends.cpu.vectors import REGISTER_BYTES, ROWS
from gpuconv.backends.cpu.windows_tiles import TILE_BYTES, call_windows


@instruction
def copy_register(builder: Any, destination: Any, source: Any) -> None:
    """As many bytes as a register holds."""
    pointer = ir.VectorType(ir.IntType(32), REGISTER_BYTES // 4).as_pointer()
    destination, source = (builder.inttoptr(value, pointer) for value in (destination, source))
    builder.store(builder.load(source, align=4), destination, align=4)


def load_neighbours(formats: Any, destination: int, source: int, count: int) -> None:
    """`count` samples without gaps. For a few kilobytes that do not begin on a cache line, C's memcpy is slower."""
    last = count * formats[1] - REGISTER_BYTES
    if last < 0 or formats[0]:
        load_samples(formats, destination, source, formats[1], count)
        return
    for done in range(0, last, REGISTER_BYTES):
        copy_register(destination + done, source + done)
    copy_register(destination + last, source + last)


def load_row(
    width: int, fill: Any, destination: int, source: int, columns: Any, start: int, count: int, edges: Any, formats: Any
) -> None:
    """Columns ``start : start + count`` of the extended row at `source`. columns: see `_windows`."""
    before, after = edges
    size, first, stride, channels, channel_stride = columns[0], columns[1], columns[2], columns[7], columns[8]
    step = channels * width
    low = max(first + start, 0)
    high = max(min(first + start + count, size), low)
    place = destination + (low - first - start) * step
    if channel_stride == formats[1] and (stride == channels * channel_stride or high - low == 1):
        load_neighbours(formats, place, source + low * stride, (high - low) * channels)
    elif channels == 1:
        load_samples(formats, place, source + low * stride, stride, high - low)
    else:
        for i in range(high - low):
            load_samples(formats, place + i * step, source + (low + i) * stride, channel_stride, channels)
    e = start
    while e < start + count:
        if low <= first + e < high:
            e = high - first
            continue
        index = source_of(first + e, size, first, before, after)
        place = destination + (e - start) * step
        if index < 0:
            fill_samples(width, place, fill, channels)
        else:
            load_samples(formats, place, source + index * stride, channel_stride, channels)
        e += 1


def load_block(block: Any, fill: Any, planes: Any, rows: Any, columns: Any, edges: Any, formats: Any) -> None:
    """The extended block. block: width, destination, source, bytes between its rows and planes, the first position on
    each axis, and how many."""
    width, source, row_pitch, plane_pitch = block[0], block[2], block[3], block[4]
    front, back, top, end, before, after = edges
    for p in range(block[8]):
        plane = source_of(planes[1] + block[5] + p, planes[0], planes[1], front, back)
        for r in range(block[9]):
            row = source_of(rows[1] + block[6] + r, rows[0], rows[1], top, end)
            write = block[1] + p * plane_pitch + r * row_pitch
            if plane < 0 or row < 0:
                fill_samples(width, write, fill, block[10] * columns[7])
            else:
                at = source + plane * planes[2] + row * rows[2]
                load_row(width, fill, write, at, columns, block[7], block[10], (before, after), formats)


def sum_block(
    sums: Any,
    window: int,
    destination: int,
    source: int,
    pitches: Any,
    planes: int,
    rows: int,
    samples: int,
    few: Any,
    formats: Any,
) -> None:
    """Outputs of a block. pitches: bytes between planes and rows, in the result and in the block, and how many rows of
    outputs may be summed at once. few: a place for rows that do not fill a register, or are to be rounded."""
    width, apart = sums[1], few.shape[1]
    least = REGISTER_BYTES // width
    for p in range(planes):
        r = 0
        while r < rows:
            some = ROWS if pitches[4] == ROWS and r + ROWS <= rows else 1
            write = destination + p * pitches[0] + r * pitches[1]
            read = source + p * pitches[2] + r * pitches[3]
            if samples >= least and formats[2] == 0:
                call_windows(sums[0], (window, write, pitches[1], read, samples, some))
                r += some
                continue
            call_windows(sums[0], (window, begin(few), apart, read, max(samples, least), some))
            if formats[2]:
                store_rows(formats, write, pitches[1], begin(few), apart, some, samples)
            else:
                for i in range(some):
                    copy_samples(width, write + i * pitches[1], begin(few) + i * apart, width, samples)
            r += some


def bounds_inside(block: Any, planes: Any, rows: Any, columns: Any, write: int, width: int) -> Any:
    """Columns ``low : high`` of a block's outputs for which all that is read lies in the source, without gaps; the
    first of them is written where a register begins. None of them where they would not fill a tile."""
    count = block[10] - columns[6] + 1
    for axis, first, length in ((planes, block[5], block[8]), (rows, block[6], block[9])):
        if axis[1] + first < 0 or axis[1] + first + length > axis[0]:
            return count, count
    step = columns[7] * width
    first = columns[1] + block[7]
    low, high = max(-first, 0), min(columns[0] - columns[6] + 1 - first, count)
    while (write + low * step) % REGISTER_BYTES and (high - low) * step > TILE_BYTES and step < REGISTER_BYTES:
        low += 1
    return (low, high) if (high - low) * step >= TILE_BYTES else (count, count)


def _windows(band: int, bands: int, table: int) -> None:
    """planes, rows, columns: size, first position, strides in source and result, outputs, outputs of a block, taps;
    columns also have channels and the stride between them. ends: source, destination, rows of outputs that may be
    summed at once, bytes of a block and of its planes, and whether the source is read without a copy where that can
    be. outer: count and strides in source and result of each loop around all that. window, inside: the window for the
    scratch block and for the source itself. `front` and `back` extend the planes, `top` and `end` the rows, the others
    the columns."""
    sums, window, inside, fill = listed(table, 0), listed(table, 1), listed(table, 2), listed(table, 3)
    ends, outer, planes, rows = (
        listed(table, 4),
        listed(table, 5),
        listed(table, 6),
        listed(table, 7),
    )
    columns, front, back = listed(table, 8), listed(table, 9), listed(table, 10)
    top, end, before = listed(table, 11), listed(table, 12), listed(table, 13)
    edges, formats = (front, back, top, end, before, listed(table, 14)), listed(table, 15)
    width, channels = sums[1], columns[7]
    scratch = np.empty(ends[3] + REGISTER_BYTES, np.uint8)
    few = np.empty((ROWS, max(columns[5] * channels * width if formats[2] else 0, REGISTER_BYTES)), np.uint8)
    place = (begin(scratch) + REGISTER_BYTES - 1) // REGISTER_BYTES * REGISTER_BYTES
    pitches = np.array((planes[3], rows[3], ends[4], window[4], ends[2]))
    direct = np.array((planes[3], rows[3], planes[2], rows[2], ends[2]))
    block = np.array((width, place, 0, window[4], ends[4], 0, 0, 0, 0, 0, 0))
    row_blocks = (rows[4] + rows[5] - 1) // rows[5]
    plane_blocks = (planes[4] + planes[5] - 1) // planes[5]
    column_blocks = (columns[4] + columns[5] - 1) // columns[5]
    tasks = row_blocks * plane_blocks * column_blocks
    for i in range(0, len(outer), 3):
        tasks *= outer[i]
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        # Strips side by side come after blocks of rows, so that a band walks down the rows within one.
        rest, row = task // row_blocks, task % row_blocks * rows[5]
        rest, column = rest // column_blocks, rest % column_blocks * columns[5]
        rest, plane = rest // plane_blocks, rest % plane_blocks * planes[5]
        block[2], write = ends[0], ends[1]
        for i in range(0, len(outer), 3):
            position = rest % outer[i]
            rest //= outer[i]
            block[2] += position * outer[i + 1]
            write += position * outer[i + 2]
        write += plane * planes[3] + row * rows[3] + column * columns[3]
        some_planes, some_rows = min(planes[5], planes[4] - plane), min(rows[5], rows[4] - row)
        some_columns = min(columns[5], columns[4] - column)
        block[5], block[6], block[7] = plane, row, column
        block[8], block[9] = some_planes + planes[6] - 1, some_rows + rows[6] - 1
        block[10] = some_columns + columns[6] - 1
        low, high = some_columns, some_columns
        if ends[5] != 0:
            low, high = bounds_inside(block, planes, rows, columns, write, width)
        if low < high:
            read = block[2] + (planes[1] + plane) * planes[2] + (rows[1] + row) * rows[2]
            read += (columns[1] + column + low) * columns[2]
            samples, to = (high - low) * channels, write + low * columns[3]
            sum_block(sums, begin(inside), to, read, direct, some_planes, some_rows, samples, few, formats)
        for start, stop in ((0, low), (high, some_columns)):
            if start < stop:
                block[7], block[10] = column + start, stop - start + columns[6] - 1
                load_block(block, fill, planes, rows, columns, edges, formats)
                samples, to = (stop - start) * channels, write + start * columns[3]
                sum_block(sums, begin(window), to, place, pitches, some_planes, some_rows, samples, few, formats)


WINDOWS = Loop(_windows)
