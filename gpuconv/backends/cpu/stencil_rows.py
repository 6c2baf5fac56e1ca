"""One explicit step of a few rows of cells, in vector registers: what the waves of `stencil_waves` are made of.

    new = u + length * (sum over faces of weight * (neighbour - u))

in one order of sums, wherever in a row or in a tile a cell lies: so neither tiles nor bands nor threads show in the
bits, and differences that are all zero change nothing. What else enters a cell comes on top, as
``length * (supply - exchange * u)``.

As everywhere here, addresses and strides are in bytes. Complex cells are pairs of real numbers, and so are their
weights where they vary.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from gpuconv.backends.cpu.compiling import compiled_address
from gpuconv.backends.cpu.instructions import INDEX, caller, instruction, numbers_at
from gpuconv.backends.cpu.vectors import Emitter

# Vectors between two tests for the end of a row.
VECTORS = 2
# What is told at the address that functions on rows get. The addresses of two lists, of where the rows of u lie, with
# one row before the first and one behind the last, and of where those of the result lie; bytes from there to the first
# cell; address of the length; rows; bytes of what is worked on in a row, and of a cell; bytes from a row to the same
# row of the planes before and behind; whether to put down what lies beyond both ends of a row, and how many bytes from
# its first cell these cells are found; plane, first row and first cell; address, number and fields of what enters
# besides, and which field this is; then the weights, each as its address and the bytes between its rows: along rows,
# across them, and from plane to plane, each before and behind.
ROWS, RESULTS, OFFSET, LENGTH, COUNT, SIZE, CELL, FRONT, BACK, CLOSING, BEFORE, BEHIND, PLANE, ROW, COLUMN = range(15)
BOXES, ENTERING, FIELDS, FIELD, WEIGHTS = range(15, 20)
NUMBERS = WEIGHTS + 12
# What is told of what enters a box of cells: first and last but one plane, row and cell; bytes between planes and
# between rows of exchange and of supply; then for each field where those of cell 0 lie.
BOX = 10
call_rows = caller(1)


class _Cells(Emitter):
    """Registers of `lanes` neighbouring real numbers; 0 lanes fill one."""

    def __init__(self, builder: Any, kind: Any, lanes: int) -> None:
        super().__init__(builder, kind, INDEX(0), 1, lanes)

    @property
    def size(self) -> int:
        return self.lanes * self.width

    def spread(self, address: Any) -> Any:
        """The number at an address, in all lanes."""
        value = self.builder.load(self.builder.inttoptr(address, self.element.as_pointer()))
        nothing = ir.Constant(self.vector, ir.Undefined)
        single = self.builder.insert_element(nothing, value, ir.IntType(32)(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(single, nothing, mask)

    def at(self, address: Any, offset: Any) -> Any:
        return self.load(self.builder.add(address, offset), 0)

    def put(self, value: Any, address: Any, offset: Any) -> None:
        self.store(value, self.builder.add(address, offset), 0)


def _through_row(builder: Any, kind: Any, size: Any, prepare: Callable[[_Cells], Any], again: bool) -> None:
    """Emit what ``prepare(registers)`` returns, a function of the offset in bytes, for all offsets of a row.

    If cells may be worked on `again`, the last register of a row that fills one overlaps the one before.
    """
    wide, narrow = _Cells(builder, kind, 0), _Cells(builder, kind, 1)

    def through(cells: _Cells, start: Any, stop: Any, vectors: int, last: Any = None) -> None:
        body = prepare(cells)

        def each(offset: Any, values: list[Any]) -> list[Any]:
            if last is not None:
                offset = builder.select(builder.icmp_signed("<", offset, last), offset, last)
            for position in range(vectors):
                body(builder.add(offset, INDEX(position * cells.size)))
            return values

        cells.loop(start, stop, [], each, INDEX(vectors * cells.size))

    def whole(vectors: int) -> Any:
        return builder.sub(size, builder.srem(size, INDEX(vectors * wide.size)))

    through(wide, INDEX(0), whole(VECTORS), VECTORS)
    if not again:
        through(wide, whole(VECTORS), whole(1), 1)
        through(narrow, whole(1), size, 1)
        return
    last = builder.sub(size, INDEX(wide.size))
    with builder.if_else(builder.icmp_signed(">=", last, INDEX(0))) as (fits, falls_short):
        with fits:
            through(wide, whole(VECTORS), size, 1, last)
        with falls_short:
            through(narrow, INDEX(0), size, 1)


def _row_update(axes: int, varying: bool, rate: bool) -> Any:
    """The step of a row, or the rate alone.

    places: addresses of u, of the result, of the length, then of the neighbours. weights: their addresses; of one
    number for the whole row, or of one for each of its numbers if `varying`.
    """

    @instruction
    def update(builder: Any, kind: Any, size: Any, places: Any, weights: Any) -> None:
        centre, result, length, *neighbours = places

        def prepare(cells: _Cells) -> Any:
            spread = [None if varying else cells.spread(address) for address in weights]
            step = None if rate else cells.spread(length)

            def body(offset: Any) -> None:
                u, total = cells.at(centre, offset), None
                for place, address, number in zip(neighbours, weights, spread, strict=True):
                    weight = cells.at(address, offset) if number is None else number
                    difference = builder.fsub(cells.at(place, offset), u)
                    if total is None:
                        total = builder.fmul(weight, difference)
                    else:
                        total = cells.multiply_add(weight, difference, total)
                cells.put(total if rate else cells.multiply_add(step, total, u), result, offset)

            return body

        _through_row(builder, kind, size, prepare, again=True)

    return update


def _row_entering(rate: bool) -> Any:
    """``result += length * (supply - exchange * u)``, without the length for a rate.

    places: addresses of u, of the result, of the length, of exchange and supply.
    """

    @instruction
    def enter(builder: Any, kind: Any, size: Any, places: Any) -> None:
        centre, result, length, exchange, supply = places

        def prepare(cells: _Cells) -> Any:
            step = None if rate else cells.spread(length)

            def body(offset: Any) -> None:
                # Two roundings: where supply and exchange balance to the last bit, nothing enters.
                taken = builder.fmul(cells.at(exchange, offset), cells.at(centre, offset))
                enters = builder.fsub(cells.at(supply, offset), taken)
                before = cells.at(result, offset)
                new = builder.fadd(before, enters) if rate else cells.multiply_add(step, enters, before)
                cells.put(new, result, offset)

            return body

        _through_row(builder, kind, size, prepare, again=False)

    return enter


@instruction
def copy_row(builder: Any, kind: Any, size: Any, destination: Any, source: Any) -> None:
    """`size` bytes, a multiple of those of `kind`."""

    def prepare(cells: _Cells) -> Any:
        return lambda offset: cells.put(cells.at(source, offset), destination, offset)

    _through_row(builder, kind, size, prepare, again=True)


@instruction
def close_row(builder: Any, kind: Any, row: Any, size: Any, cell: Any, before: Any, behind: Any) -> None:
    """Put down what lies beyond both ends of a row of `size` bytes: copies of its cells at `before` and `behind`."""
    number = _Cells(builder, kind, 1)

    def both(offset: Any, values: list[Any]) -> list[Any]:
        at = builder.add(row, offset)
        number.put(number.at(at, before), at, builder.neg(cell))
        number.put(number.at(at, behind), at, size)
        return values

    number.loop(INDEX(0), cell, [], both, INDEX(number.size))


@cache
def update_address(dtype: np.dtype, axes: int, varying: bool, rate: bool) -> int:
    """Where the function begins that takes a step of rows of `dtype`, or gives their rate; see `NUMBERS`."""
    update = _row_update(axes, varying, rate)
    return compiled_address((_lines, _planes, _volumes)[axes - 1](update, dtype), 1, dtype, varying, rate)


@cache
def entering_address(dtype: np.dtype, rate: bool) -> int:
    """Where the function begins that adds what enters rows besides."""
    return compiled_address(_entering(_row_entering(rate), dtype), 1, dtype, rate)


def _lines(update: Any, kind: Any) -> Callable[[int], None]:
    def update_rows(table: int) -> None:
        n = numbers_at(table, NUMBERS)
        rows, results = numbers_at(n[ROWS], n[COUNT] + 2), numbers_at(n[RESULTS], n[COUNT])
        size, cell, offset, length, w = n[SIZE], n[CELL], n[OFFSET], n[LENGTH], WEIGHTS
        for r in range(n[COUNT]):
            u, to = rows[r + 1] + offset, results[r] + offset
            along = n[w] + r * n[w + 1], n[w + 2] + r * n[w + 3]
            update(kind, size, (u, to, length, u - cell, u + cell), along)
            if n[CLOSING]:
                close_row(kind, to, size, cell, n[BEFORE], n[BEHIND])

    return update_rows


def _planes(update: Any, kind: Any) -> Callable[[int], None]:
    def update_rows(table: int) -> None:
        n = numbers_at(table, NUMBERS)
        rows, results = numbers_at(n[ROWS], n[COUNT] + 2), numbers_at(n[RESULTS], n[COUNT])
        size, cell, offset, length, w = n[SIZE], n[CELL], n[OFFSET], n[LENGTH], WEIGHTS
        for r in range(n[COUNT]):
            u, to = rows[r + 1] + offset, results[r] + offset
            along = n[w] + r * n[w + 1], n[w + 2] + r * n[w + 3]
            across = n[w + 4] + r * n[w + 5], n[w + 6] + r * n[w + 7]
            places = u, to, length, u - cell, u + cell, rows[r] + offset, rows[r + 2] + offset
            update(kind, size, places, (*along, *across))
            if n[CLOSING]:
                close_row(kind, to, size, cell, n[BEFORE], n[BEHIND])

    return update_rows


def _volumes(update: Any, kind: Any) -> Callable[[int], None]:
    def update_rows(table: int) -> None:
        n = numbers_at(table, NUMBERS)
        rows, results = numbers_at(n[ROWS], n[COUNT] + 2), numbers_at(n[RESULTS], n[COUNT])
        size, cell, offset, length, w = n[SIZE], n[CELL], n[OFFSET], n[LENGTH], WEIGHTS
        for r in range(n[COUNT]):
            u, to = rows[r + 1] + offset, results[r] + offset
            along = n[w] + r * n[w + 1], n[w + 2] + r * n[w + 3]
            across = n[w + 4] + r * n[w + 5], n[w + 6] + r * n[w + 7]
            beyond = n[w + 8] + r * n[w + 9], n[w + 10] + r * n[w + 11]
            places = u, to, length, u - cell, u + cell, rows[r] + offset, rows[r + 2] + offset
            update(kind, size, (*places, u + n[FRONT], u + n[BACK]), (*along, *across, *beyond))
            if n[CLOSING]:
                close_row(kind, to, size, cell, n[BEFORE], n[BEHIND])

    return update_rows


def _entering(enter: Any, kind: Any) -> Callable[[int], None]:
    def enter_rows(table: int) -> None:
        n = numbers_at(table, NUMBERS)
        rows, results = numbers_at(n[ROWS], n[COUNT] + 2), numbers_at(n[RESULTS], n[COUNT])
        plane, row, column, cell = n[PLANE], n[ROW], n[COLUMN], n[CELL]
        wide = BOX + 2 * n[FIELDS]
        boxes = numbers_at(n[BOXES], n[ENTERING] * wide)
        for i in range(n[ENTERING]):
            box = boxes[i * wide : (i + 1) * wide]
            x, end = column, column + n[SIZE] // cell
            x = box[4] if box[4] > x else x
            end = box[5] if box[5] < end else end
            if x >= end or plane < box[0] or plane >= box[1]:
                continue
            at = n[OFFSET] + (x - column) * cell
            exchange = box[BOX + 2 * n[FIELD]] + plane * box[6] + x * cell
            supply = box[BOX + 2 * n[FIELD] + 1] + plane * box[8] + x * cell
            for r in range(n[COUNT]):
                y = row + r
                if box[2] <= y < box[3]:
                    places = rows[r + 1] + at, results[r] + at, n[LENGTH], exchange + y * box[7], supply + y * box[9]
                    enter(kind, (end - x) * cell, places)
        if n[CLOSING]:
            for r in range(n[COUNT]):
                close_row(kind, results[r] + n[OFFSET], n[SIZE], cell, n[BEFORE], n[BEHIND])

    return enter_rows
