"""An operator as compiled loops see it: weights of the differences to neighbours, and what enters cells besides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.backends.cpu.compiled import address, real_dtype
from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator, along


@dataclass(frozen=True)
class Cells:
    """The cells of u: its last axes are those of the operator, those before count fields.

    Attributes
    ----------
    margins : tuple of int
        One per axis of the operator: how far beyond its ends tiles go on around a periodic one.
    """

    u: np.ndarray
    margins: tuple[int, ...]

    @property
    def lead(self) -> tuple[int, ...]:
        return self.u.shape[: self.u.ndim - len(self.margins)]

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.u.shape[self.u.ndim - len(self.margins) :]

    @property
    def real(self) -> np.dtype:
        return real_dtype(self.u.dtype)

    @property
    def parts(self) -> int:
        return self.u.itemsize // self.real.itemsize

    def starts(self, array: np.ndarray) -> np.ndarray:
        """Where each field begins in an array that has them all."""
        places: Any = np.int64(address(array))
        for size, stride in zip(self.lead, array.strides[: len(self.lead)], strict=True):
            places = np.add.outer(places, np.arange(size, dtype=np.int64) * stride)
        return np.reshape(places, -1)

    def deep(self, value: Any, dtype: np.dtype) -> np.ndarray:
        """A coefficient as an array with all axes of the operator at least."""
        array = np.asarray(value, dtype)
        return array.reshape((1,) * (len(self.margins) - array.ndim) + array.shape)


@dataclass(frozen=True)
class Numbers:
    """Real numbers for cells: bytes between planes, rows and cells, and where those of cell 0 of each field lie."""

    kept: np.ndarray
    strides: tuple[int, int, int]
    starts: np.ndarray


@dataclass(frozen=True)
class Entering:
    """What enters the cells of a box besides: ``supply - exchange u``. ends: first and last but one on three axes."""

    ends: tuple[int, ...]
    exchange: Numbers
    supply: Numbers


def lay_out(cells: Cells, array: np.ndarray, row: int | None) -> Numbers:
    """Numbers that `array` has for every cell, or for several along an axis where it has one entry only.

    With `row`, rows of so many cells and what is around them are without gaps, a pair for each complex cell; else
    there is one number for a row. Axes that vary are continued around periodic ends.
    """
    count = len(cells.margins)
    shifts = [0] * count
    for axis, margin in enumerate(cells.margins):
        size = array.shape[axis - count]
        if margin and (size > 1 or (row is not None and axis == count - 1)):
            array = np.take(array, np.arange(-margin, cells.sizes[axis] + margin) % size, axis=axis - count)
            shifts[axis] = margin
    if row is not None:
        array = np.broadcast_to(array, (*array.shape[:-1], row + 2 * shifts[-1]))
        if array.dtype != cells.u.dtype:
            array = np.repeat(array, cells.parts, axis=-1)
        if array.strides[-1] != array.itemsize or not array.flags.aligned:
            array = np.ascontiguousarray(array)
        array = array.view(cells.real)
        shifts[-1] *= cells.parts
    shape, strides = array.shape[-count:], array.strides[-count:]
    array = np.broadcast_to(array, (*cells.lead, *shape))
    own = [stride if size > 1 else 0 for size, stride in zip(shape, strides, strict=True)]
    starts = cells.starts(array) + sum(stride * shift for stride, shift in zip(own, shifts, strict=True))
    own[-1] = 0 if row is None else cells.u.itemsize
    own = [0] * (3 - count) + own
    return Numbers(array, (own[0], own[1], own[2]), starts)


def weights_of(cells: Cells, operator: FluxOperator) -> tuple[bool, list[Numbers]]:
    """Whether weights vary along rows; and how much the difference to each neighbour adds, neighbours in rows first."""
    parts = sorted(operator.axes, key=lambda part: -part.axis)
    arrays = [array for part in parts for array in _weights(cells, part)]
    varying = any(array.shape[-1] > 1 for array in arrays)
    return varying, [lay_out(cells, array, cells.sizes[-1] if varying else None) for array in arrays]


def _weights(cells: Cells, part: AxisFluxes) -> tuple[np.ndarray, np.ndarray]:
    """What the difference across the face before a cell adds, and that across the face behind it."""
    face, volume = cells.deep(part.forward, cells.real), cells.deep(part.inverse_volume, cells.real)
    axis, ndim = part.axis, face.ndim
    if face.shape[axis] == 0:  # one cell has no faces inside
        face = np.zeros((1,) * ndim, cells.real)
    before = behind = face
    if face.shape[axis] > 1:
        first = face[along(ndim, axis, 0, 1)]
        closed = np.zeros_like(first)
        faces = np.concatenate([face, first] if part.periodic else [closed, face, closed], axis=axis)
        size = faces.shape[axis]
        before, behind = faces[along(ndim, axis, 0, size - 1)], faces[along(ndim, axis, 1, size)]
    if isinstance(part.inverse_volume, float) and part.inverse_volume == 1:
        return before, behind
    return before * volume, behind * volume


def entering_of(cells: Cells, operator: FluxOperator) -> Iterator[Entering]:
    """What enters through open ends, and the source."""
    for part in operator.axes:
        if part.periodic:
            continue
        for end, cell in ((part.low, 0), (part.high, cells.sizes[part.axis] - 1)):
            if all(isinstance(value, float) and value == 0 for value in end):
                continue
            volume = cells.deep(part.inverse_volume, cells.real)
            if volume.shape[part.axis] > 1:
                volume = volume[along(volume.ndim, part.axis, cell, cell + 1)]
            ranges = _ranges(cells)
            ranges[part.axis] = cell, cell + 1
            exchange, supply = cells.deep(end[0], cells.real) * volume, cells.deep(end[1], cells.u.dtype) * volume
            yield _entering(cells, ranges, exchange, supply)
    if operator.source is not None:
        source = cells.deep(operator.source, cells.u.dtype)
        yield _entering(cells, _ranges(cells), cells.deep(0.0, cells.real), source)


def _ranges(cells: Cells) -> list[tuple[int, int]]:
    """All cells, those around periodic ends included."""
    return [(-margin, size + margin) for size, margin in zip(cells.sizes, cells.margins, strict=True)]


def _entering(cells: Cells, ranges: Sequence[tuple[int, int]], exchange: np.ndarray, supply: np.ndarray) -> Entering:
    ends = [(0, 1)] * (3 - len(ranges)) + list(ranges)
    x, row = ranges[-1][0], ranges[-1][1] - ranges[-1][0]
    at_end = row == 1 and cells.sizes[-1] > 1
    both = [lay_out(cells, array, 1 if at_end else cells.sizes[-1]) for array in (exchange, supply)]
    if at_end:  # the only cell of a row lies where that of column 0 would
        both = [Numbers(one.kept, one.strides, one.starts - x * cells.u.itemsize) for one in both]
    return Entering(tuple(number for pair in ends for number in pair), both[0], both[1])
