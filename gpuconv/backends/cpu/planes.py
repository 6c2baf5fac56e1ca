"""Compiled loops for outer products: through planes in one sweep, and through volumes plane by plane.

A plane has rows without gaps. For a few output rows at a time, the pass along the first axis sums source rows into
scratch rows that are extended at both ends, and the pass along the second axis goes from these into the result.
Several outer products (banks) are summed in the same sweep. A volume is first summed along its own first axis into a
few scratch planes, which stay in the cache until the two other passes have used them.

As in `loops`, `sums` holds the addresses of `sum_line` and `sum_rows`, and the bytes of a sample. The taps of an axis
come as the address of an array with one row per bank, their number, and how many are summed together; the fill value
as the address of its parts and their number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.backends.cpu.bands import listed
from gpuconv.backends.cpu.compiling import Loop
from gpuconv.backends.cpu.instructions import begin
from gpuconv.backends.cpu.loops import (
    APART,
    copy_samples,
    fill_samples,
    fill_table,
    load_rows,
    source_of,
    store_rows,
)
from gpuconv.backends.cpu.vectors import ROWS, call_line, call_rows


def weigh_fill(sums: Any, taps: Any, bank: int, fill: Any, destination: int) -> None:
    """What the fill value becomes where there is nothing else, summed in the order of all other sums."""
    width, count = sums[2], taps[1]
    line = np.empty(count * fill[1] * width, np.uint8)
    fill_samples(width, begin(line), fill, count * fill[1])
    weights = taps[0] + bank * count * width
    call_line(sums[0], (weights, count, taps[2], destination, begin(line), fill[1] * width, fill[1], 0))


def _extended_rows(
    sums: Any, taps: Any, bank: int, rows: Any, table: int, strip: Any, fill: Any, before: Any, after: Any
) -> None:
    """The first pass into scratch rows, columns beyond the ends of the second axis included.

    rows: address of the scratch, bytes between its rows, how many. strip: size of the second axis, first position on
    it of this strip, columns, channels, first position of the whole axis.
    """
    size, first, columns, channels = strip[0], strip[1], strip[2], strip[3]
    width = sums[2]
    weights = taps[0] + bank * taps[1] * width
    low, high = min(max(first, 0), size), max(min(first + columns, size), 0)
    step = channels * width
    if high > low:
        write, samples = rows[0] + (low - first) * step, (high - low) * channels
        call_rows(sums[1], (weights, taps[1], taps[2], write, rows[1], table, low * step, samples, rows[2]))
    for e in range(columns):
        position = first + e
        if low <= position < high:
            continue
        index = source_of(position, size, strip[4], before, after)
        write = rows[0] + e * step
        if index >= 0 and not low <= index < high:  # the other end of the axis is in another strip
            call_rows(sums[1], (weights, taps[1], taps[2], write, rows[1], table, index * step, channels, rows[2]))
            continue
        for r in range(rows[2]):
            if index < 0:
                fill_samples(width, write + r * rows[1], fill, channels)
            else:
                inside = rows[0] + r * rows[1] + (index - first) * step
                copy_samples(width, write + r * rows[1], inside, width, channels)


def _plane_rows(
    sums: Any,
    down: Any,
    along: Any,
    banks: Any,
    table: int,
    result: Any,
    plane: Any,
    fills: Any,
    scratch: Any,
    before: Any,
    after: Any,
    formats: Any,
    summed: Any,
) -> None:
    """Output rows whose source rows `table` lists, one bank of ``banks[0] : banks[1]`` after another.

    down, along: taps of the two axes. result: address, bytes between rows, rows, and whether to add to what is there.
    plane: size and first position of the second axis, outputs on it, channels, outputs of a strip. fills: per bank, the
    address of the fill value after the first pass, and its parts. summed: rows of sums, where these are to be rounded.
    """
    size, first, count, channels, wide = plane[0], plane[1], plane[2], plane[3], plane[4]
    width = sums[2]
    step = channels * width
    strip = np.array((size, 0, 0, channels, first))
    rows = np.array((begin(scratch), scratch.shape[1], 0))
    for left in range(0, count, wide):
        outputs = min(wide, count - left)
        strip[1], strip[2] = first + left, outputs + along[1] - 1
        done = 0
        while done < result[2]:
            rows[2] = ROWS if done + ROWS <= result[2] else 1
            final = result[0] + done * result[1] + left * channels * formats[3]
            write, pitch = (begin(summed), summed.shape[1]) if formats[2] else (final, result[1])
            for bank in range(banks[0], banks[1]):
                _extended_rows(sums, down, bank, rows, table + 8 * done, strip, fills[bank], before, after)
                also = int(bank > banks[0] or result[3] > 0)
                weights = along[0] + bank * along[1] * width
                for r in range(rows[2]):
                    to, read = write + r * pitch, rows[0] + r * rows[1]
                    call_line(sums[0], (weights, along[1], along[2], to, read, step, outputs * channels, also))
            if formats[2]:
                store_rows(formats, final, result[1], write, pitch, rows[2], outputs * channels)
            done += rows[2]


def strip_rows(sums: Any, taps: Any, plane: Any) -> Any:
    """Scratch for a few extended rows of a strip."""
    return np.empty((ROWS, (plane[4] + taps[1] - 1) * plane[3] * sums[2]), np.uint8)


def sum_rows(sums: Any, plane: Any, formats: Any) -> Any:
    """Scratch for sums of a few rows of a strip, where these are to be rounded."""
    return np.empty((ROWS, plane[4] * plane[3] * sums[2] if formats[2] else 0), np.uint8)


def _planes(band: int, bands: int, table: int) -> None:
    """layout: banks, size, first, stride of rows in the source and in the result, source, destination, planes, their
    strides in source and destination, output rows, rows of a block. `top` and `end` extend the first axis."""
    sums, down, along, fill = (
        listed(table, 0),
        listed(table, 1),
        listed(table, 2),
        listed(table, 3),
    )
    layout, plane, top, end = (
        listed(table, 4),
        listed(table, 5),
        listed(table, 6),
        listed(table, 7),
    )
    before, after, formats = listed(table, 8), listed(table, 9), listed(table, 10)
    banks = np.array((0, layout[0]))
    size, first, stride, pitch, source, destination = layout[1], layout[2], layout[3], layout[4], layout[5], layout[6]
    planes, count, block, width = layout[7], layout[10], layout[11], sums[2]
    blocks = (count + block - 1) // block
    scratch, summed = strip_rows(sums, along, plane), sum_rows(sums, plane, formats)
    across = plane[0] * plane[3]
    filled = np.empty(across * width, np.uint8)
    fill_samples(width, begin(filled), fill, across)
    apart = across * width + APART
    loaded = np.empty((block + down[1] - 1) * apart if formats[0] else 0, np.uint8)
    kept = np.empty((layout[0], 16), np.uint8)
    fills = np.empty((layout[0], 2), np.int64)
    for bank in range(layout[0]):
        fills[bank, 0], fills[bank, 1] = begin(kept[bank]), fill[1]
        weigh_fill(sums, down, bank, fill, fills[bank, 0])
    tasks = planes * blocks
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        start = (task % blocks) * block
        rows = min(block, count - start)
        reads = np.empty(rows + down[1] - 1, np.int64)
        at = source + task // blocks * layout[8]
        fill_table(reads, at, stride, begin(filled), size, first, start, top, end)
        if formats[0]:
            load_rows(formats, reads, begin(filled), begin(loaded), apart, across)
        result = np.array((destination + task // blocks * layout[9] + start * pitch, pitch, rows, 0))
        _plane_rows(
            sums, down, along, banks, begin(reads), result, plane, fills, scratch, before, after, formats, summed
        )


def has_fill(sources: Any) -> Any:
    """Whether the fill value stands among what extends an axis."""
    for e in range(len(sources)):
        if sources[e] < 0:
            return 1
    return 0


def _volumes(band: int, bands: int, table: int) -> None:
    """layout: banks, size, first, stride of planes in the source and in the result, source, destination, volumes, their
    strides in source and destination, output planes; size, first, stride of rows in the source and in the result,
    output rows. `front` and `back` extend the first axis, `top` and `end` the second."""
    sums, depth, down, along = (
        listed(table, 0),
        listed(table, 1),
        listed(table, 2),
        listed(table, 3),
    )
    fill, layout, plane = listed(table, 4), listed(table, 5), listed(table, 6)
    front, back, top, end = (
        listed(table, 7),
        listed(table, 8),
        listed(table, 9),
        listed(table, 10),
    )
    before, after, formats = listed(table, 11), listed(table, 12), listed(table, 13)
    volumes, count, rows, stride, width = layout[7], layout[10], layout[11], layout[13], sums[2]
    across = plane[0] * plane[3]
    pitch = across * width
    scratch = np.empty((ROWS, rows * pitch), np.uint8)
    strip, summed = strip_rows(sums, along, plane), sum_rows(sums, plane, formats)
    loaded = np.empty((ROWS + depth[1] - 1) * (pitch + APART) if formats[0] else 0, np.uint8)
    lines = np.empty(ROWS + depth[1] - 1, np.int64)
    needs_fill = has_fill(front) or has_fill(back)
    fill_bytes = pitch if formats[0] else rows * stride
    filled = np.empty(fill_bytes if needs_fill else 8, np.uint8)
    if needs_fill:
        fill_samples(width, begin(filled), fill, fill_bytes // width)
    filled_row = np.empty(pitch, np.uint8)
    kept = np.empty((2, 16), np.uint8)
    inside = np.array((begin(kept[0]), fill[1]))
    fills = np.empty((layout[0], 2), np.int64)
    planes_read = np.empty(ROWS + depth[1] - 1, np.int64)
    reads = np.empty(layout[15] + down[1] - 1, np.int64)
    blocks = (count + ROWS - 1) // ROWS
    tasks = volumes * blocks
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        start = (task % blocks) * ROWS
        planes = min(ROWS, count - start)
        at = layout[5] + task // blocks * layout[8]
        few = planes_read[: planes + depth[1] - 1]
        fill_table(few, at, layout[3], begin(filled), layout[1], layout[2], start, front, back)
        for bank in range(layout[0]):
            weigh_fill(sums, depth, bank, fill, inside[0])
            fill_samples(width, begin(filled_row), inside, across)
            fills[bank, 0], fills[bank, 1] = begin(kept[1]), fill[1]
            weigh_fill(sums, down, bank, inside, fills[bank, 0])
            weights = depth[0] + bank * depth[1] * width
            some = planes if planes == ROWS else 1
            for r in range(0, planes, some):
                plane_at, from_table = begin(scratch[r]), begin(few) + 8 * r
                for row in range(rows):
                    write, offset, reads_at = plane_at + row * pitch, row * stride, from_table
                    if formats[0]:
                        for e in range(len(few)):
                            lines[e] = few[e] if few[e] == begin(filled) else few[e] + offset
                        load_rows(formats, lines[: len(few)], begin(filled), begin(loaded), pitch + APART, across)
                        offset, reads_at = 0, begin(lines) + 8 * r
                    call_rows(
                        sums[1], (weights, depth[1], depth[2], write, rows * pitch, reads_at, offset, across, some)
                    )
            for r in range(planes):
                fill_table(reads, begin(scratch[r]), pitch, begin(filled_row), rows, layout[12], 0, top, end)
                write = layout[6] + task // blocks * layout[9] + (start + r) * layout[4]
                result = np.array((write, layout[14], layout[15], bank))
                one = np.array((bank, bank + 1))
                _plane_rows(
                    sums, down, along, one, begin(reads), result, plane, fills, strip, before, after, formats, summed
                )


PLANES = Loop(_planes)
VOLUMES = Loop(_volumes)
