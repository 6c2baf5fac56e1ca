"""How cells are cut into tiles for many explicit steps at once, and how many steps a sweep takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEPS = {1: 64, 2: 16, 3: 5}
LINE = 4096


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
        Rows of an image that take a step together: two less than a power of two.
    """

    sweeps: tuple[int, ...]
    blocks: tuple[int, int, int]
    margins: tuple[int, int, int]
    around: tuple[bool, bool, bool]
    together: int


def tiling_of(
    sizes: tuple[int, ...], fields: int, width: int, periodic: tuple[bool, ...], steps: int, axes: int
) -> Tiling:
    """For `fields` arrays with so many planes, rows and cells of `width` bytes."""
    most = min(STEPS[axes], steps)
    count = -(-steps // most)
    sweeps = tuple(steps * (i + 1) // count - steps * i // count for i in range(count))
    if axes == 1:
        blocks, together = (1, 1, min(sizes[2], LINE)), 1 << 40
    elif axes == 2:
        blocks, together = (1, min(sizes[1], 256), sizes[2]), 6
    else:
        blocks, together = (min(sizes[0], 64), min(sizes[1], 64), sizes[2]), 0
    around = (False, False, periodic[2] and blocks[2] == sizes[2])
    margins = tuple(max(sweeps) if ring and not whole else 0 for ring, whole in zip(periodic, around, strict=True))
    return Tiling(sweeps, blocks, (margins[0], margins[1], margins[2]), around, together)


def bounds_of(size: int, block: int, margin: int, around: bool, steps: int) -> np.ndarray:
    """First cell and last but one of every tile, in the source and after each step."""
    starts = np.arange(0, size, block)
    ends = np.minimum(starts + block, size)
    away = np.arange(steps, -1, -1)
    if around:
        away = 0 * away
    low, high = starts[:, None] - away, ends[:, None] + away
    if not margin:
        low, high = np.maximum(low, 0), np.minimum(high, size)
    return np.stack([low, high], axis=-1)
