"""Compiled loops over explicit steps: many of them on a tile of cells while it is in the cache.

A *tile* is a block of the result and all the cells around it that can reach it in the steps of one sweep. A wave runs
through it, with as many steps behind each other as the sweep has: as soon as a few rows of an image and their
neighbours have done a number of steps, these rows take the next one, and so do planes of a volume. Only what is needed
for that is kept, in scratch. What is near the rim of a tile is worked out twice, by its neighbour, too, which costs
less than waiting for it; as every cell is summed in one order, both get the same bits.

On a periodic axis tiles go on around it. The exception are rows that are one tile: there, as at a closed end, what lies
beyond the end is copied to where a neighbour would be.

All that is known before is listed by `stencil_steps`, in one array of int64, here m; what rows are told is n.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.backends.cpu.bands import listed
from gpuconv.backends.cpu.compiling import Loop
from gpuconv.backends.cpu.instructions import begin
from gpuconv.backends.cpu.stencil_rows import (
    BACK,
    BEFORE,
    BEHIND,
    CELL,
    CLOSING,
    COLUMN,
    COUNT,
    FIELD,
    FRONT,
    LENGTH,
    NUMBERS,
    OFFSET,
    PLANE,
    RESULTS,
    ROW,
    ROWS,
    SIZE,
    WEIGHTS,
    call_rows,
    close_row,
    copy_row,
)

# Bytes at which rows of scratch begin, and between two of them at least: neighbours beyond both ends lie there.
ALIGNMENT = 64
# What is listed first. Addresses of `update_rows` and of `enter_rows` (0 if nothing enters); steps of a sweep; address
# of the lengths and bytes of one; fields, and bytes between them in the result; address of the result; bytes of
# scratch, between its rows and between its planes; rows that an image keeps of a step (a power of two) and those that
# take a step together; most rows of a tile; whether a row is closed around; weights; places in the list of the tables
# below.
UPDATE, ENTER, STEPS, LENGTHS, LENGTH_BYTES, N_FIELDS, FIELD_BYTES, INTO, SCRATCH, PITCH, PLANE_BYTES = range(11)
KEPT, TOGETHER, MOST, AROUND, N_WEIGHTS = range(11, 16)
# Tables. Of each axis: cells, tiles, whether it is periodic, bytes between cells in source and result, and where the
# bounds of its tiles are listed: for every tile and step, first cell and last but one. What `update_rows` is told.
# Strides of weights along the three axes. Where sources begin, field by field; the same of every weight.
PLANES_AT, ROWS_AT, CELLS_AT, TOLD_AT, STRIDES_AT, SOURCES_AT, WEIGHTS_AT = range(16, 23)
HEADER = 23
CELLS, TILES, PERIODIC, SOURCE, RESULT, BOUNDS = range(6)
AXIS = 6


# Cells are copied as real numbers of four bytes, whatever they are.
WORD = np.dtype("float32")


def _load_row(m: Any, n: Any, write: int, read: int, left: int, right: int) -> None:
    """Cells ``left : right`` of the row at `read`, and what lies beyond both ends, to the row at `write`."""
    across, cell, x = m[CELLS_AT], n[CELL], left
    size = m[across + CELLS]
    while x < right:
        at = x if 0 <= x < size else x % size
        count = size - at if size - at < right - x else right - x
        copy_row(WORD, count * cell, write + x * cell, read + at * cell)
        x += count
    close_row(WORD, write + left * cell, (right - left) * cell, cell, n[BEFORE], n[BEHIND])


def _take_step(m: Any, n: Any, field: int, low: int, high: int, left: int, right: int) -> None:
    """A step of the rows that are listed, rows ``low : high`` of a plane, and of their cells ``left : right``."""
    cell = n[CELL]
    n[FIELD], n[OFFSET], n[COUNT], n[SIZE], n[ROW], n[COLUMN] = (
        field,
        left * cell,
        high - low,
        (right - left) * cell,
        low,
        left,
    )
    for i in range(m[N_WEIGHTS]):
        strides = m[STRIDES_AT] + 3 * i
        at = n[PLANE] * m[strides] + low * m[strides + 1] + left * m[strides + 2]
        n[WEIGHTS + 2 * i] = m[m[WEIGHTS_AT] + i * m[N_FIELDS] + field] + at
    told = begin(n)
    call_rows(m[UPDATE], (told,))
    if m[ENTER]:
        call_rows(m[ENTER], (told,))


def _scratch(m: Any) -> Any:
    """What rows are told, then room for two lists of rows, then for the rows themselves."""
    n = np.empty(NUMBERS + 2 * m[MOST] + 2 + (m[SCRATCH] + 3 * ALIGNMENT) // 8, np.int64)
    for i in range(NUMBERS):
        n[i] = m[m[TOLD_AT] + i]
    n[ROWS] = begin(n) + 8 * NUMBERS
    n[RESULTS] = n[ROWS] + 8 * (m[MOST] + 2)
    return n


def _first_row(m: Any, n: Any) -> int:
    """Where the first row of scratch lies."""
    return (n[RESULTS] + 8 * m[MOST] + 2 * ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def _images(band: int, bands: int, table: int) -> None:
    """Waves through the rows of images, or through single rows: there is one plane."""
    m = listed(table, 0)
    n = _scratch(m)
    rows, results = NUMBERS, NUMBERS + m[MOST] + 2
    steps, together, slots, pitch, cell = m[STEPS], m[TOGETHER], m[KEPT] - 1, m[PITCH], n[CELL]
    flat = together >= m[MOST] + steps
    level = (slots + 1) * pitch
    down, across = m[ROWS_AT], m[CELLS_AT]
    size, columns, lines = m[down + CELLS], m[across + TILES], m[down + TILES]
    tasks = m[N_FIELDS] * columns * lines
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        field = task // (columns * lines)
        bounds = m[down + BOUNDS] + task // columns % lines * 2 * (steps + 1)
        cells = m[across + BOUNDS] + task % columns * 2 * (steps + 1)
        start, end = m[bounds], m[bounds + 2 * steps + 1]
        origin = _first_row(m, n) - m[cells] * cell
        front = start
        while front - steps < end:
            front += together
            for step in range(steps + 1):
                low, high = front - together - step, front - step
                low = low if low > m[bounds + 2 * step] else m[bounds + 2 * step]
                high = high if high < m[bounds + 2 * step + 1] else m[bounds + 2 * step + 1]
                if low >= high:
                    continue
                left, right = m[cells + 2 * step], m[cells + 2 * step + 1]
                n[BEFORE], n[BEHIND], n[CLOSING] = 0, (right - left - 1) * cell, step < steps
                if m[AROUND]:
                    n[BEFORE], n[BEHIND] = n[BEHIND], 0
                into = origin + (step % 2 if flat else step) * level
                for y in range(low, high):
                    if step < steps:
                        n[results + y - low] = into + ((y - start) & slots) * pitch
                    else:
                        n[results + y - low] = m[INTO] + field * m[FIELD_BYTES] + y * m[down + RESULT]
                if step == 0:
                    for y in range(low, high):
                        read = m[m[SOURCES_AT] + field] + y % size * m[down + SOURCE]
                        _load_row(m, n, n[results + y - low], read, left, right)
                    continue
                before = origin + ((step - 1) % 2 if flat else step - 1) * level
                for y in range(low - 1, high + 1):
                    at = y
                    if m[down + PERIODIC] == 0:
                        at = 0 if y < 0 else (y if y < size else size - 1)
                    n[rows + y - low + 1] = before + ((at - start) & slots) * pitch
                n[LENGTH] = m[LENGTHS] + (step - 1) * m[LENGTH_BYTES]
                _take_step(m, n, field, low, high, left, right)


def _volumes(band: int, bands: int, table: int) -> None:
    """Waves through the planes of volumes, one plane at a time; three are kept of a step."""
    m = listed(table, 0)
    n = _scratch(m)
    rows, results = NUMBERS, NUMBERS + m[MOST] + 2
    steps, pitch, plane, cell = m[STEPS], m[PITCH], m[PLANE_BYTES], n[CELL]
    deep, down, across = m[PLANES_AT], m[ROWS_AT], m[CELLS_AT]
    depth, size, columns, lines = m[deep + CELLS], m[down + CELLS], m[across + TILES], m[down + TILES]
    tiles = columns * lines * m[deep + TILES]
    for task in range(m[N_FIELDS] * tiles * band // bands, m[N_FIELDS] * tiles * (band + 1) // bands):
        field = task // tiles
        planes = m[deep + BOUNDS] + task % tiles // (columns * lines) * 2 * (steps + 1)
        bounds = m[down + BOUNDS] + task // columns % lines * 2 * (steps + 1)
        cells = m[across + BOUNDS] + task % columns * 2 * (steps + 1)
        start = m[planes]
        origin = _first_row(m, n) - m[bounds] * pitch - m[cells] * cell
        for time in range(start, m[planes + 2 * steps + 1] + steps):
            for step in range(steps + 1):
                z = time - step
                if z < m[planes + 2 * step] or z >= m[planes + 2 * step + 1]:
                    continue
                low, high = m[bounds + 2 * step], m[bounds + 2 * step + 1]
                left, right = m[cells + 2 * step], m[cells + 2 * step + 1]
                n[BEFORE], n[BEHIND], n[CLOSING] = 0, (right - left - 1) * cell, step < steps
                if m[AROUND]:
                    n[BEFORE], n[BEHIND] = n[BEHIND], 0
                into, stride = origin + (step * 3 + (z - start) % 3) * plane, pitch
                if step == steps:
                    into = m[INTO] + field * m[FIELD_BYTES] + z * m[deep + RESULT]
                    stride = m[down + RESULT]
                for y in range(low, high):
                    n[results + y - low] = into + y * stride
                if step == 0:
                    source = m[m[SOURCES_AT] + field] + z % depth * m[deep + SOURCE]
                    for y in range(low, high):
                        _load_row(m, n, n[results + y - low], source + y % size * m[down + SOURCE], left, right)
                    continue
                kept = origin + (step - 1) * 3 * plane
                own = kept + (z - start) % 3 * plane
                for y in range(low - 1, high + 1):
                    at = y
                    if m[down + PERIODIC] == 0:
                        at = 0 if y < 0 else (y if y < size else size - 1)
                    n[rows + y - low + 1] = own + at * pitch
                n[FRONT], n[BACK] = kept + (z - 1 - start) % 3 * plane - own, kept + (z + 1 - start) % 3 * plane - own
                if m[deep + PERIODIC] == 0:
                    n[FRONT] = 0 if z == 0 else n[FRONT]
                    n[BACK] = 0 if z == depth - 1 else n[BACK]
                n[LENGTH], n[PLANE] = m[LENGTHS] + (step - 1) * m[LENGTH_BYTES], z
                _take_step(m, n, field, low, high, left, right)


IMAGES = Loop(_images)
VOLUMES = Loop(_volumes)
