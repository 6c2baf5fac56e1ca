"""Sums over windows of planes, rows and columns, a tile of outputs at a time in vector registers.

Like `vectors` and `sums`, but for taps of three axes. What is read lies in a scratch block that is extended already,
so that every sample has a fixed distance from the first.

The taps of a window are cut into *strips*: all rows of `STRIP` neighbouring columns of one plane, or of one column.
Their taps lie in memory in the order in which they are used. What is summed together is a *group* of strips, the
wide ones before the others, each from the first row to the last; groups follow each other. So the order of the sum is
the same wherever in a tile an output stands. Lists of strips and groups come ready made: worked out here, in loops of
loops, they would cost more than a small window itself.

A window is described by `WINDOW` int64 numbers: address of the strips, each with `STRIP_NUMBERS` (distance of its first
sample from the block's, address of its first tap, rows); address of the groups, each with `GROUP_NUMBERS` (end of its
wide strips, end of its strips); number of groups; bytes between columns and between rows of the block.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from gpuconv.backends.cpu.compiling import compiled_address
from gpuconv.backends.cpu.instructions import INDEX, caller, instruction
from gpuconv.backends.cpu.vectors import REGISTER_BYTES, ROWS, Emitter

WINDOW, STRIP_NUMBERS, GROUP_NUMBERS = 5, 3, 2
# Vectors of a tile: with four rows, 16 sums in 32 registers or 8 sums in 16 leave room for samples and taps.
VECTORS = 4 if REGISTER_BYTES == 64 else 2
TILE_BYTES = VECTORS * REGISTER_BYTES
# Rows of taps from which four output rows are summed at once: all of them meet some source row.
SHARED_FROM = ROWS - 1
# Columns of taps whose products with a source row are written out one after another.
STRIP = 3


class _WindowEmitter(Emitter):
    """Tiles of `rows` rows, for the window whose numbers lie at an address."""

    def __init__(self, builder: Any, kind: Any, window: Any, rows: int, vectors: int) -> None:
        super().__init__(builder, kind, INDEX(0), vectors, 0)
        self.rows = rows
        numbers = self.numbers(window, INDEX(0), WINDOW)
        self.strips, self.groups, self.group_count, self.column_step, self.row_step = numbers

    def numbers(self, address: Any, position: Any, count: int) -> list[Any]:
        """The numbers of one entry of a list."""
        place = self.builder.inttoptr(address, INDEX.as_pointer())
        first = self.builder.mul(position, INDEX(count))
        return [self.builder.load(self.builder.gep(place, [self.builder.add(first, INDEX(i))])) for i in range(count)]

    def tap_at(self, address: Any) -> Any:
        """The tap at an address, in all lanes."""
        place = self.builder.inttoptr(address, self.element.as_pointer())
        nothing = ir.Constant(self.vector, ir.Undefined)
        single = self.builder.insert_element(nothing, self.builder.load(place), ir.IntType(32)(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(single, nothing, mask)

    def source_row(self, columns: int, source: Any, taps: Any, sums: list[Any], reached: range) -> list[Any]:
        """Products of a source row with the taps of every output row that `reached` names.

        taps: address of the taps that output row 0 would meet; those of the next output row are one row before.
        """
        builder, sums = self.builder, list(sums)
        for c in range(columns):
            place = builder.add(source, builder.mul(self.column_step, INDEX(c))) if c else source
            samples = [self.load(place, v) for v in range(self.vectors)]
            for r in reached:
                tap = self.tap_at(builder.add(taps, INDEX((c - r * columns) * self.width)))
                for v in range(self.vectors):
                    at = r * self.vectors + v
                    sums[at] = self.multiply_add(tap, samples[v], sums[at])
        return sums

    def strip(self, columns: int, source: Any, taps: Any, count: Any, sums: list[Any]) -> list[Any]:
        """Products of `count` rows of taps, at least ``rows - 1`` of them, with the samples from `source` on."""

        def following(source: Any, taps: Any) -> tuple[Any, Any]:
            return self.builder.add(source, self.row_step), self.builder.add(taps, INDEX(columns * self.width))

        def body(_: Any, values: list[Any]) -> list[Any]:
            source, taps, *sums = values
            sums = self.source_row(columns, source, taps, sums, range(self.rows))
            return [*following(source, taps), *sums]

        for ahead in range(self.rows - 1):
            sums = self.source_row(columns, source, taps, sums, range(ahead + 1))
            source, taps = following(source, taps)
        source, taps, *sums = self.loop(INDEX(self.rows - 1), count, [source, taps, *sums], body)
        for behind in range(self.rows - 1):
            sums = self.source_row(columns, source, taps, sums, range(behind + 1, self.rows))
            source, taps = following(source, taps)
        return sums


def _window_tile(rows: int, vectors: int) -> Any:
    """``y[r, c] = sum_pij taps[p, i, j] s[p, r + i, c + j]`` for `rows` rows and `vectors` registers of columns.

    Row r of the result is at ``destination + r pitch``. No strip may have fewer than ``rows - 1`` rows of taps.
    """

    @instruction
    def tile(builder: Any, kind: Any, window: Any, destination: Any, pitch: Any, block: Any) -> None:
        emit = _WindowEmitter(builder, kind, window, rows, vectors)

        def strips(columns: int) -> Callable[[Any, list[Any]], list[Any]]:
            def body(position: Any, sums: list[Any]) -> list[Any]:
                distance, taps, count = emit.numbers(emit.strips, position, STRIP_NUMBERS)
                return emit.strip(columns, builder.add(block, distance), taps, count, sums)

            return body

        def group(position: Any, values: list[Any]) -> list[Any]:
            middle, end = emit.numbers(emit.groups, position, GROUP_NUMBERS)
            sums = [emit.nothing] * (rows * vectors)
            sums = emit.loop(values[0], middle, sums, strips(STRIP))
            sums = emit.loop(middle, end, sums, strips(1))
            for r in range(rows):
                place = builder.add(destination, builder.mul(pitch, INDEX(r)))
                emit.deliver(sums[r * vectors : (r + 1) * vectors], place, position)
            return [end]

        emit.loop(INDEX(0), emit.group_count, [INDEX(0)], group)

    return tile


call_windows = caller(6)
_tile = _window_tile(ROWS, VECTORS)
_narrow_tile = _window_tile(ROWS, 1)
_row = _window_tile(1, VECTORS)
_narrow_row = _window_tile(1, 1)


@cache
def window_address(dtype: np.dtype) -> int:
    """Where `sum_windows` for samples of `dtype` begins."""
    return compiled_address(_window_sum(dtype), 6, dtype)


def _window_sum(kind: Any) -> Callable[..., None]:
    width = kind.itemsize

    def sum_windows(window: int, destination: int, pitch: int, block: int, samples: int, rows: int) -> None:
        """`rows` output rows, ROWS or 1, of `samples` neighbouring samples, which fill at least one register."""
        size = samples * width
        start = 0
        if rows == ROWS:
            while start + TILE_BYTES <= size:
                _tile(kind, window, destination + start, pitch, block + start)
                start += TILE_BYTES
            while start < size:
                at = min(start, size - REGISTER_BYTES)
                _narrow_tile(kind, window, destination + at, pitch, block + at)
                start += REGISTER_BYTES
        else:
            while start + TILE_BYTES <= size:
                _row(kind, window, destination + start, 0, block + start)
                start += TILE_BYTES
            while start < size:
                at = min(start, size - REGISTER_BYTES)
                _narrow_row(kind, window, destination + at, 0, block + at)
                start += REGISTER_BYTES

    return sum_windows
