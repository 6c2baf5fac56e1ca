"""Compiled loops over explicit steps: many of them on a tile of cells while it is in the cache.

A *tile* is a block of the result and all the cells around it that can reach it in the steps of one sweep. A wave runs
through it, with as many steps behind each other as the sweep has: as soon as a few rows of an image and their
neighbours have done a number of steps, these rows take the next one, and so do planes of a volume. Only what is needed
for that is kept, in scratch. What is near the rim of a tile is worked out twice, by its neighbour, too, which costs less
than waiting for it; as every cell is summed in one order, both get the same bits.

On a periodic axis tiles go on around it. The exception are rows that are one tile: there, as at a closed end, what lies
beyond the end is copied to where a neighbour would be.

All that is known before is listed by `stencil_steps`, in one array of int64: a loop over arrays, tuples and small
functions takes numba many seconds to compile, this one less than one.
"""

from __future__ import annotations

import numpy as np

from gpuconv.backends.cpu.bands import begin, keep, listed
from gpuconv.backends.cpu.compiling import Loop

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


def _images(band: int, bands: int, table: int) -> None:
    """Waves through the rows of images, or through single rows: there is one plane."""
    m = listed(table, 0)
    steps, slots, together, pitch, cell = m[STEPS], m[KEPT], m[TOGETHER], m[PITCH], m[m[TOLD_AT] + CELL]
    down, across, most = m[ROWS_AT], m[CELLS_AT], m[MOST]
    flat = together >= most + steps
    size, around = m[down + CELLS], m[down + PERIODIC]
    # Scratch for what is told, for two lists of rows, and for rows.
    n = np.empty(NUMBERS + 2 * most + 2 + (m[SCRATCH] + 3 * ALIGNMENT) // 8, np.int64)
    for i in range(NUMBERS):
        n[i] = m[m[TOLD_AT] + i]
    rows, results = NUMBERS, NUMBERS + most + 2
    n[ROWS], n[RESULTS] = begin(n) + 8 * rows, begin(n) + 8 * results
    first = (begin(n) + 8 * (results + most) + 2 * ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    tasks = m[N_FIELDS] * m[down + TILES] * m[across + TILES]
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        column, line = task % m[across + TILES], task // m[across + TILES] % m[down + TILES]
        field = task // (m[across + TILES] * m[down + TILES])
        n[FIELD] = field
        bounds, cells = m[down + BOUNDS] + line * 2 * (steps + 1), m[across + BOUNDS] + column * 2 * (steps + 1)
        start, end = m[bounds], m[bounds + 2 * steps + 1]
        origin = first - m[cells] * cell
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
                bytes_ = (right - left) * cell
                into = origin + (step % 2 if flat else step) * slots * pitch
                for y in range(low, high):
                    n[results + y - low] = into + ((y - start) & (slots - 1)) * pitch
                if step == steps:
                    into = m[INTO] + field * m[FIELD_BYTES]
                    for y in range(low, high):
                        n[results + y - low] = into + y * m[down + RESULT]
                n[BEFORE], n[BEHIND] = 0, bytes_ - cell
                if m[AROUND]:
                    n[BEFORE], n[BEHIND] = bytes_ - cell, 0
                if step == 0:
                    for y in range(low, high):
                        at = y if 0 <= y < size else y % size
                        read = m[m[SOURCES_AT] + field] + at * m[down + SOURCE]
                        write = n[results + y - low]
                        x = left
                        while x < right:
                            at = x if 0 <= x < m[across + CELLS] else x % m[across + CELLS]
                            some = m[across + CELLS] - at
                            some = some if some < right - x else right - x
                            copy_row(WORD, some * cell, write + x * cell, read + at * cell)
                            x += some
                        close_row(WORD, write + left * cell, bytes_, cell, n[BEFORE], n[BEHIND])
                    continue
                before = origin + ((step - 1) % 2 if flat else step - 1) * slots * pitch
                for y in range(low - 1, high + 1):
                    at = y
                    if around == 0:
                        at = 0 if y < 0 else (y if y < size else size - 1)
                    n[rows + y - low + 1] = before + ((at - start) & (slots - 1)) * pitch
                n[LENGTH] = m[LENGTHS] + (step - 1) * m[LENGTH_BYTES]
                n[OFFSET], n[COUNT], n[SIZE], n[CLOSING] = left * cell, high - low, bytes_, step < steps
                n[ROW], n[COLUMN] = low, left
                for i in range(m[N_WEIGHTS]):
                    strides = m[STRIDES_AT] + 3 * i
                    at = low * m[strides + 1] + left * m[strides + 2]
                    n[WEIGHTS + 2 * i] = m[m[WEIGHTS_AT] + i * m[N_FIELDS] + field] + at
                call_rows(m[UPDATE], (begin(n),))
                if m[ENTER]:
                    call_rows(m[ENTER], (begin(n),))
    keep(n)


def _volumes(band: int, bands: int, table: int) -> None:
    """Waves through the planes of volumes, one plane at a time; three are kept of a step."""
    m = listed(table, 0)
    steps, pitch, plane, cell = m[STEPS], m[PITCH], m[PLANE_BYTES], m[m[TOLD_AT] + CELL]
    deep, down, across, most = m[PLANES_AT], m[ROWS_AT], m[CELLS_AT], m[MOST]
    n = np.empty(NUMBERS + 2 * most + 2 + (m[SCRATCH] + 3 * ALIGNMENT) // 8, np.int64)
    for i in range(NUMBERS):
        n[i] = m[m[TOLD_AT] + i]
    rows, results = NUMBERS, NUMBERS + most + 2
    n[ROWS], n[RESULTS] = begin(n) + 8 * rows, begin(n) + 8 * results
    first = (begin(n) + 8 * (results + most) + 2 * ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    depth, size = m[deep + CELLS], m[down + CELLS]
    tiles = m[down + TILES] * m[across + TILES]
    tasks = m[N_FIELDS] * m[deep + TILES] * tiles
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        column, line = task % m[across + TILES], task // m[across + TILES] % m[down + TILES]
        block, field = task // tiles % m[deep + TILES], task // (tiles * m[deep + TILES])
        n[FIELD] = field
        cells = m[across + BOUNDS] + column * 2 * (steps + 1)
        bounds, planes = m[down + BOUNDS] + line * 2 * (steps + 1), m[deep + BOUNDS] + block * 2 * (steps + 1)
        start, end = m[planes], m[planes + 2 * steps + 1]
        origin = first - m[bounds] * pitch - m[cells] * cell
        for time in range(start, end + steps):
            for step in range(steps + 1):
                z = time - step
                if z < m[planes + 2 * step] or z >= m[planes + 2 * step + 1]:
                    continue
                low, high = m[bounds + 2 * step], m[bounds + 2 * step + 1]
                left, right = m[cells + 2 * step], m[cells + 2 * step + 1]
                bytes_ = (right - left) * cell
                into, stride = origin + (step * 3 + (z - start) % 3) * plane, pitch
                if step == steps:
                    into, stride = m[INTO] + field * m[FIELD_BYTES] + z * m[deep + RESULT], m[down + RESULT]
                for y in range(low, high):
                    n[results + y - low] = into + y * stride
                n[BEFORE], n[BEHIND] = 0, bytes_ - cell
                if m[AROUND]:
                    n[BEFORE], n[BEHIND] = bytes_ - cell, 0
                if step == 0:
                    source = m[m[SOURCES_AT] + field] + z % depth * m[deep + SOURCE]
                    for y in range(low, high):
                        read = source + y % size * m[down + SOURCE]
                        write = n[results + y - low]
                        x = left
                        while x < right:
                            at = x if 0 <= x < m[across + CELLS] else x % m[across + CELLS]
                            some = m[across + CELLS] - at
                            some = some if some < right - x else right - x
                            copy_row(WORD, some * cell, write + x * cell, read + at * cell)
                            x += some
                        close_row(WORD, write + left * cell, bytes_, cell, n[BEFORE], n[BEHIND])
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
                n[LENGTH] = m[LENGTHS] + (step - 1) * m[LENGTH_BYTES]
                n[OFFSET], n[COUNT], n[SIZE], n[CLOSING] = left * cell, high - low, bytes_, step < steps
                n[PLANE], n[ROW], n[COLUMN] = z, low, left
                for i in range(m[N_WEIGHTS]):
                    strides = m[STRIDES_AT] + 3 * i
                    at = z * m[strides] + low * m[strides + 1] + left * m[strides + 2]
                    n[WEIGHTS + 2 * i] = m[m[WEIGHTS_AT] + i * m[N_FIELDS] + field] + at
                call_rows(m[UPDATE], (begin(n),))
                if m[ENTER]:
                    call_rows(m[ENTER], (begin(n),))
    keep(n)


# Cells are copied as real numbers of four bytes, whatever they are.
WORD = np.float32(0)
IMAGES = Loop(_images)
VOLUMES = Loop(_volumes)
