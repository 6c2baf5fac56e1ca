"""Compiled loops along lines and across lines. See `compiled` for the rules.

Addresses and strides are in bytes, counts in samples. `sums` holds the addresses of `sum_line` and `sum_rows`, and the
bytes of a sample. Taps come as their address, how many there are, how many are summed together, and whether all are
equal: then the address is that of one tap and two ones. The fill value comes as the address of its parts and their
number. `formats` says how samples are brought to the dtype of sums and back: see `formats.Formats.numbers`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.backends.cpu.bands import listed
from gpuconv.backends.cpu.boxes import double_up
from gpuconv.backends.cpu.compiling import Loop
from gpuconv.backends.cpu.conversions import call_load, call_store
from gpuconv.backends.cpu.instructions import begin
from gpuconv.backends.cpu.vectors import ROWS, call_line, call_rows, copy_word

WORD4, WORD8 = np.dtype("int32"), np.dtype("int64")
# Bytes between rows of scratch: rows that begin in the same place of a page would compete for the first-level cache.
APART = 64


def copy_samples(width: int, destination: int, source: int, stride: int, count: int) -> None:
    if width == 4:
        for i in range(count):
            copy_word(WORD4, destination + i * 4, source + i * stride)
    else:
        for i in range(count):
            copy_word(WORD8, destination + i * 8, source + i * stride)


def load_samples(formats: Any, destination: int, source: int, stride: int, count: int) -> None:
    """`count` samples, brought to the dtype of sums."""
    if formats[0] == 0:
        copy_samples(formats[1], destination, source, stride, count)
    else:
        call_load(formats[0], (destination, source, stride, count))


def load_rows(formats: Any, table: Any, fill: int, scratch: int, pitch: int, samples: int) -> None:
    """Bring the rows that `table` lists into scratch rows, and list these instead; but `fill` stands as it is."""
    for e in range(len(table)):
        if table[e] != fill:
            load_samples(formats, scratch + e * pitch, table[e], formats[1], samples)
            table[e] = scratch + e * pitch


def store_rows(formats: Any, destination: int, pitch: int, source: int, apart: int, rows: int, samples: int) -> None:
    """Rows of sums, `apart` bytes after each other, brought to the dtype of the result."""
    for r in range(rows):
        call_store(formats[2], (destination + r * pitch, source + r * apart, samples))


def fill_samples(width: int, destination: int, fill: Any, count: int) -> None:
    """`count` samples of the fill value; its two parts in turn for complex numbers."""
    for part in range(fill[1]):
        for i in range(part, count, fill[1]):
            copy_samples(width, destination + i * width, fill[0] + part * width, 0, 1)


def source_of(position: int, size: int, first: int, before: Any, after: Any) -> int:
    """Index of the sample at `position` of an extended axis; -1 for the fill value."""
    if position < 0:
        return before[position - first]
    if position < size:
        return position
    return after[position - max(first, size)]


def load_line(
    sums: Any, fill: Any, destination: int, source: int, layout: Any, start: int, count: int, edges: Any, formats: Any
) -> None:
    """Samples ``start : start + count`` of the extended line at `source`, without gaps. layout: see `_lines`."""
    width, (before, after) = sums[2], edges
    size, first, stride, channels, channel_stride = layout[0], layout[1], layout[2], layout[3], layout[4]
    e = start
    while e < start + count:
        place = destination + (e - start) * channels * width
        position = first + e
        if 0 <= position < size:
            run = min(size - position, start + count - e)
            at = source + position * stride
            if channels == 1:
                load_samples(formats, place, at, stride, run)
            elif channel_stride == formats[1] and stride == channels * channel_stride:
                load_samples(formats, place, at, channel_stride, run * channels)
            else:
                for i in range(run):
                    load_samples(formats, place + i * channels * width, at + i * stride, channel_stride, channels)
            e += run
            continue
        index = source_of(position, size, first, before, after)
        if index >= 0:
            load_samples(formats, place, source + index * stride, channel_stride, channels)
        else:
            fill_samples(width, place, fill, channels)
        e += 1


def _lines(band: int, bands: int, table: int) -> None:
    """Along lines whose samples, or groups of neighbouring `channels`, follow each other.

    layout: size, first, stride, channels, channel stride, source, destination, lines of the outer and inner loop,
    their strides in source and destination, outputs per line, outputs per block.
    """
    sums, taps, fill = listed(table, 0), listed(table, 1), listed(table, 2)
    layout, edges, formats = (
        listed(table, 3),
        (listed(table, 4), listed(table, 5)),
        listed(table, 6),
    )
    size, first, stride, channels, channel_stride = layout[0], layout[1], layout[2], layout[3], layout[4]
    source, destination, outer, lines = layout[5], layout[6], layout[7], layout[8]
    count, block, width = layout[13], layout[14], sums[2]
    step = channels * width
    blocks = (count + block - 1) // block
    tasks = outer * lines * blocks
    scratch = np.empty((block + taps[1] - 1) * step, np.uint8)
    sizes = len(scratch) if taps[3] else 0
    doubled = np.empty((2, sizes), np.uint8)
    summed = np.empty(block * step if formats[2] else 0, np.uint8)
    whole = formats[0] == 0 and stride == step and (channels == 1 or channel_stride == width)
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        line, part = task // blocks, task % blocks
        a, b = line // lines, line % lines
        start = part * block
        outputs = min(block, count - start)
        needed = outputs + taps[1] - 1
        at = source + a * layout[9] + b * layout[10]
        if whole and first + start >= 0 and first + start + needed <= size:
            read = at + (first + start) * stride
        else:
            read = begin(scratch)
            load_line(sums, fill, read, at, layout, start, needed, edges, formats)
        final = destination + a * layout[11] + b * layout[12] + start * channels * formats[3]
        write = begin(summed) if formats[2] else final
        if taps[3]:
            call_line(sums[0], (taps[0], 1, 1, begin(doubled[0]), read, width, needed * channels, 0))
            across = outputs * channels
            double_up(sums, taps, begin(doubled[0]), begin(doubled[1]), step, write, 0, 1, across)
        else:
            call_line(sums[0], (taps[0], taps[1], taps[2], write, read, step, outputs * channels, 0))
        if formats[2]:
            call_store(formats[2], (final, write, outputs * channels))


def fill_table(
    table: Any, at: int, stride: int, fill: int, size: int, first: int, start: int, before: Any, after: Any
) -> None:
    """Addresses of the rows at positions ``first + start``, ``first + start + 1``, ... of an extended axis."""
    for e in range(len(table)):
        index = source_of(first + start + e, size, first, before, after)
        table[e] = fill if index < 0 else at + index * stride


def _columns(band: int, bands: int, table: int) -> None:
    """Across lines: every output row is a sum of source rows, whose samples have no gaps.

    layout: size, first, stride of rows in the source, of rows in the result, samples per row, source, destination,
    outer and inner loop, their strides in source and destination, output rows, rows and samples of a block.
    """
    sums, taps, fill = listed(table, 0), listed(table, 1), listed(table, 2)
    layout, before, after, formats = (
        listed(table, 3),
        listed(table, 4),
        listed(table, 5),
        listed(table, 6),
    )
    size, first, stride, pitch, across = layout[0], layout[1], layout[2], layout[3], layout[4]
    source, destination, outer, lines = layout[5], layout[6], layout[7], layout[8]
    count, block, strip, width = layout[13], layout[14], layout[15], sums[2]
    blocks, strips = (count + block - 1) // block, (across + strip - 1) // strip
    tasks = outer * lines * blocks * strips
    filled = np.empty(strip * width, np.uint8)
    fill_samples(width, begin(filled), fill, strip)
    doubled = np.empty((2, (block + taps[1] - 1) * strip * width if taps[3] else 0), np.uint8)
    apart = strip * width + APART
    loaded = np.empty((block + taps[1] - 1) * apart if formats[0] else 0, np.uint8)
    summed = np.empty(block * apart if formats[2] else 0, np.uint8)
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        # Strips side by side come last, so that a band walks down the rows within one.
        part, rest = task % blocks, task // blocks
        left, line = (rest % strips) * strip, rest // strips
        a, b = line // lines, line % lines
        start = part * block
        rows, samples = min(block, count - start), min(strip, across - left)
        reads = np.empty(rows + taps[1] - 1, np.int64)
        at = source + a * layout[9] + b * layout[10] + left * formats[1]
        fill_table(reads, at, stride, begin(filled), size, first, start, before, after)
        if formats[0]:
            load_rows(formats, reads, begin(filled), begin(loaded), apart, samples)
        final = destination + a * layout[11] + b * layout[12] + start * pitch + left * formats[3]
        write, below = (begin(summed), apart) if formats[2] else (final, pitch)
        done = 0
        if taps[3]:
            for e in range(len(reads)):
                place = begin(doubled[0]) + e * samples * width
                call_line(sums[0], (taps[0], 1, 1, place, reads[e], width, samples, 0))
            step = samples * width
            double_up(sums, taps, begin(doubled[0]), begin(doubled[1]), step, write, below, rows, samples)
            done = rows
        while done < rows:
            some = ROWS if done + ROWS <= rows else 1
            place, place_read = write + done * below, begin(reads) + 8 * done
            call_rows(sums[1], (taps[0], taps[1], taps[2], place, below, place_read, 0, samples, some))
            done += some
        if formats[2]:
            store_rows(formats, final, pitch, write, below, rows, samples)


LINES = Loop(_lines)
COLUMNS = Loop(_columns)
