"""Tiles of dense windows: what a thread and a block do, and in which order products are added."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt, prod

from gpuconv.backends.cuda.launch import Kinds, ceil_div, group_length
from gpuconv.core.dtypes import ITEMSIZE, is_integer

THREADS = 128
# Columns of taps that are summed in one go, and the bytes that a thread reads from shared memory at once.
STRIP = 4
VECTOR = 16
# A block may have 48 KB of shared memory, but several of them should find room on a multiprocessor.
SHARED_BYTES = 32 * 1024
# Channels of a tile: as many as float32 has in the 32 bytes that memory hands out.
CHANNELS = 8
# Groups of products that no constant tells: see windows.cu.
COUNTED = 100


@dataclass(frozen=True)
class Tile:
    """What a block does.

    Attributes
    ----------
    planes, rows, columns : int
        Outputs of a thread.
    threads : (int, int, int)
        Along rows, channels and columns.
    tail : int
        Columns of taps of the last strip.
    grouping : int
        How products are added, see ``windows.cu``; `group` is how many at most, where that is counted.
    panel : (int, int)
        Rows and columns of taps that are in shared memory at once.
    pitch : int
        Samples between channels there.
    shared : int
        Bytes of shared memory.
    """

    planes: int
    rows: int
    columns: int
    threads: tuple[int, int, int]
    tail: int
    grouping: int
    group: int
    panel: tuple[int, int]
    pitch: int
    shared: int

    @property
    def outputs(self) -> tuple[int, int, int, int]:
        """Of a block, in planes, rows, columns and channels."""
        rows, channels, columns = self.threads
        return self.planes, rows * self.rows, columns * self.columns, channels


def tile_of(taps: tuple[int, int, int], counts: tuple[int, int, int, int], kinds: Kinds, capacity: int) -> Tile:
    """The tile for a window of `taps` and so many outputs along planes, rows, columns and channels."""
    size = ITEMSIZE[kinds.sum]
    rows, columns = {16: (2, 2), 8: (2, 4)}.get(size, (4, 4))
    tail = taps[2] if taps[2] < STRIP else STRIP + taps[2] % STRIP
    threads = _threads(ceil_div(counts[1], rows), ceil_div(counts[2], columns), _channels(counts[3]))
    # More planes need more registers than there are.
    most = min(counts[0], 1 if taps[0] == 1 else 4 if size <= 8 and tail <= 5 else 2)
    for planes in (4, 2, 1):
        if planes > most:
            continue
        begin = Tile(planes, rows, columns, threads, tail, 0, 0, (0, 0), 0, 0)
        panel, pitch = _panel(taps, begin, kinds, capacity)
        grouping, group = grouping_of(taps, replace(begin, panel=panel), exact=is_integer(kinds.sum))
        if grouping != COUNTED or planes == 1:
            break
    staged = prod(begin.outputs[1:]) * ITEMSIZE[kinds.result]
    shared = max(_panel_bytes(panel, pitch, begin, kinds, capacity), staged)
    return replace(begin, grouping=grouping, group=group, panel=panel, pitch=pitch, shared=shared)


def _channels(count: int) -> int:
    """Channels of a tile: nearly equal parts."""
    return ceil_div(count, ceil_div(count, CHANNELS))


def _threads(rows: int, columns: int, channels: int) -> tuple[int, int, int]:
    """Threads along rows, channels and columns, at most so many: whole lines of memory, and all threads at work."""
    room = THREADS // channels
    across = min(columns, 16 if channels == 1 else isqrt(room))
    down = min(rows, room // across)
    return down, channels, min(columns, room // down)


def _panel(taps: tuple[int, int, int], tile: Tile, kinds: Kinds, capacity: int) -> tuple[tuple[int, int], int]:
    """Rows and columns of taps that are in shared memory at once, and samples between channels there."""
    strips = (taps[2] - tile.tail) // STRIP
    while True:
        rows, columns = taps[1], strips * STRIP + tile.tail
        pitch = _pitch(tile.outputs[2] + columns - 1, tile.outputs[3], kinds)
        while rows > 1 and _panel_bytes((rows, columns), pitch, tile, kinds, capacity) > SHARED_BYTES:
            rows = ceil_div(rows, 2)
        # Few rows of taps are little work for all the rows of samples that come along: rather fewer columns.
        if strips <= 1 or (
            rows >= min(taps[1], 8) and _panel_bytes((rows, columns), pitch, tile, kinds, capacity) <= SHARED_BYTES
        ):
            return (rows, columns), pitch
        strips = ceil_div(strips, 2)


def _pitch(columns: int, channels: int, kinds: Kinds) -> int:
    """So that threads read whole vectors, and those of several channels from different banks."""
    width = max(VECTOR // ITEMSIZE[kinds.sample], 1)
    vectors = ceil_div(columns, width)
    return (vectors + (1 - vectors % 2 if channels > 1 else 0)) * width


def _panel_bytes(panel: tuple[int, int], pitch: int, tile: Tile, kinds: Kinds, capacity: int) -> int:
    planes, rows, _, channels = tile.outputs
    samples = (rows + panel[0] - 1) * channels * pitch * ITEMSIZE[kinds.sample]
    return samples + (0 if capacity else planes * prod(panel) * ITEMSIZE[kinds.weight])


def grouping_of(taps: tuple[int, int, int], tile: Tile, *, exact: bool) -> tuple[int, int]:
    """The cheapest way to add products whose rounding stays below the documented ``2 sqrt(taps) eps``.

    With b products in a row and m such sums none is rounded more than ``b + m - 1`` times by half an eps.
    """
    total = prod(taps)
    if exact:
        return 0, total
    strips = (taps[2] - tile.tail) // STRIP + 1
    widest = max(tile.tail, STRIP) if strips > 1 else tile.tail
    panels = [min(tile.panel[0], taps[1] - top) for top in range(0, taps[1], tile.panel[0])]
    options = [(0, total, 1)]
    if tile.planes > 1:
        across = ceil_div(strips, max((tile.panel[1] - tile.tail) // STRIP, 1))
        options = [(0, tile.panel[0] * tile.panel[1], taps[0] * len(panels) * across)]
    for together in (4, 2, 1):
        if together <= tile.rows:
            runs = strips * sum(ceil_div(rows, together) for rows in panels)
            options.append((together, min(together, tile.panel[0]) * widest, taps[0] * runs))
    for grouping, length, sums in options:
        if (length + sums - 1) ** 2 <= 16 * total:
            return grouping, length
    return COUNTED, max(group_length(total), tile.rows * widest)
