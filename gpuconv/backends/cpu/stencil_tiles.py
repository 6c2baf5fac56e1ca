"""How cells are cut into tiles for many explicit steps at once, and how many steps a sweep takes.

No bit depends on it, so that it may depend on the number of threads. Measured on 2 cores with 2 MB of second-level
cache each (Xeon, AVX-512), in nanoseconds per 16 cells and step, float32:

* images of 2048 x 2048: sweeps of 8, 16, 24 steps 4.9, 4.1, 3.9; 2, 6, 14 rows together 4.4, 4.1, 4.7;
* images of 8192 x 256: 6, 14, 62 rows together 3.6, 3.4, 5.1;
* images of 1024 x 16384: rows cut to 1024, 2048, 4096, 8192 cells 4.4, 4.9, 6.0, 6.9, whole 8.5;
  on a busier machine, cut to 1024 cells with 6 rows together 5.1, with 14 rows 6.0; images of 3000 x 3000 6.0, 7.2;
  images of 2048 x 2048, cut to 1024 cells with 6 rows together 4.9, whole 5.5;
* volumes of 256^3: sweeps of 3, 5, 10 steps 12.7, 8.4, 8.4; tiles of 43, 64, 128, 256 rows 8.7, 8.4, 13.7, 15.8;
* volumes with rows of 1024 cells: cut to 512 10.9, whole 11.8;
* lines: sweeps of 64 steps of tiles of 2048, 4096, 8192 cells 2.1, 1.7, 2.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Bytes of scratch, which should stay in a core's own cache.
SCRATCH = 2**20
# Bytes of an image that goes through all steps at once.
IMAGE = 2**18
# Bytes of the rows of a tile: of lines, of images (cut to no more than two thirds of that if they are longer), and of
# volumes.
LINE, IMAGE_ROW, VOLUME_ROW = 2**14, 3 * 2**11, 2**11
# Steps of a sweep at most, by the number of axes; and rows of an image that take a step together: short ones, and those
# that are long or are cut.
STEPS = {1: 64, 2: 32, 3: 5}
TOGETHER, TOGETHER_IF_LONG = 14, 6
# Tiles for each thread, so that no one waits long for the last; but none shorter than so many times the steps.
TILES, SHORTEST = 4, 8


@dataclass(frozen=True)
class Tiling:
    """How planes, rows and cells of rows are cut.

    Attributes
    ----------
    sweeps : tuple of int
        Steps of each sweep.
    blocks : tuple of int
        Cells of a tile along each axis.
    margins : tuple of int
        How far tiles go on around the ends of each axis.
    around : tuple of bool
        Whether the axis is periodic, but with one tile, whose ends meet.
    together : int
        Rows of an image that take a step together: two less than a power of two. Many for all of them.
    """

    sweeps: tuple[int, ...]
    blocks: tuple[int, int, int]
    margins: tuple[int, int, int]
    around: tuple[bool, bool, bool]
    together: int


@dataclass(frozen=True)
class Shape:
    """What is cut: planes, rows and cells of `width` bytes; which of these go around; how many such fields there are.

    `axes` of them, the last ones, diffuse.
    """

    sizes: tuple[int, int, int]
    periodic: tuple[bool, bool, bool]
    axes: int
    fields: int
    width: int

    def tiling(self, sweeps: tuple[int, ...], blocks: tuple[int, int, int], together: int) -> Tiling:
        unit = registers(self.width)
        around = self.periodic[2] and blocks[2] == self.sizes[2]
        reach = max(sweeps)
        margins = (reach, reach, 0 if around else -(-reach // unit) * unit)
        own = [margin if ring else 0 for margin, ring in zip(margins, self.periodic, strict=True)]
        return Tiling(sweeps, blocks, (own[0], own[1], own[2]), (False, False, around), together)


def registers(width: int) -> int:
    """Cells of a line of the cache, at which registers should begin."""
    return 64 // width


def tiling_of(shape: Shape, steps: int, threads: int) -> Tiling:
    """Tiles for so many steps on so many threads."""
    return {1: _lines, 2: _images, 3: _volumes}[shape.axes](shape, steps, threads)


def _sweeps(steps: int, most: int) -> tuple[int, ...]:
    """Steps of each sweep, as equal as can be."""
    count = -(-steps // min(steps, most))
    return tuple(steps * (i + 1) // count - steps * i // count for i in range(count))


def _cut(size: int, others: int, threads: int, shortest: int) -> int:
    """Cells of a tile along an axis, of which there are so many for each of `others`."""
    tiles = 1 if threads == 1 else -(-TILES * threads // others)
    return min(size, max(-(-size // tiles), shortest))


def _lines(shape: Shape, steps: int, threads: int) -> Tiling:
    cells = LINE // shape.width
    if shape.sizes[2] <= cells:
        return shape.tiling((steps,), shape.sizes, steps)
    return shape.tiling(_sweeps(steps, STEPS[1]), (1, 1, cells), steps)


def _images(shape: Shape, steps: int, threads: int) -> Tiling:
    _, rows, cells = shape.sizes
    if rows * cells * shape.width <= IMAGE and not shape.periodic[1]:
        return shape.tiling((steps,), shape.sizes, rows)
    parts = -(-3 * cells * shape.width // (2 * IMAGE_ROW)) if cells * shape.width > IMAGE_ROW else 1
    unit = registers(shape.width)
    cells = cells if parts == 1 else -(-cells // (parts * unit)) * unit
    row = cells * shape.width
    together = TOGETHER if parts == 1 and row <= 2 * IMAGE_ROW // 3 else TOGETHER_IF_LONG
    sweeps = _sweeps(steps, min(STEPS[2], max(SCRATCH // ((together + 2) * row), 4)))
    others = shape.fields * -(-shape.sizes[2] // cells)
    return shape.tiling(sweeps, (1, _cut(rows, others, threads, SHORTEST * max(sweeps)), cells), together)


def _volumes(shape: Shape, steps: int, threads: int) -> Tiling:
    planes, rows, cells = shape.sizes
    if cells * shape.width > VOLUME_ROW:
        cells = VOLUME_ROW // shape.width
    sweeps = _sweeps(steps, STEPS[3])
    most = max(sweeps)
    down = min(rows, max(SCRATCH // (3 * most * cells * shape.width), 2 * most))
    others = shape.fields * -(-rows // down) * -(-shape.sizes[2] // cells)
    return shape.tiling(sweeps, (_cut(planes, others, threads, SHORTEST * most), down, cells), 0)


def bounds_of(size: int, block: int, margin: int, around: bool, reach: Sequence[int]) -> np.ndarray:
    """First cell and last but one of every tile, with `reach` more on both sides after each step."""
    starts = np.arange(0, size, block)
    ends = np.minimum(starts + block, size)
    away = np.array(reach) * (not around)
    low, high = starts[:, None] - away, ends[:, None] + away
    if not margin:
        low, high = np.maximum(low, 0), np.minimum(high, size)
    return np.stack([low, high], axis=-1)
