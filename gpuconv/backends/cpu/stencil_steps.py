"""Explicit steps on compiled loops: sweeps over all cells, each of them some steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cpu import stencil_rows, stencil_waves
from gpuconv.backends.cpu.axis import aligned
from gpuconv.backends.cpu.bands import launch
from gpuconv.backends.cpu.compiled import address, band_count, real_dtype
from gpuconv.backends.cpu.stencil_operator import Cells, entering_of, weights_of
from gpuconv.backends.cpu.stencil_rows import entering_address, update_address
from gpuconv.backends.cpu.stencil_tiles import Tiling, bounds_of, tiling_of
from gpuconv.backends.generic.stencil import FluxOperator


def diffuse_steps(u: np.ndarray, operator: FluxOperator, lengths: Sequence[float]) -> np.ndarray:
    """``u = u + length * diffusion_rate(u)`` for one length after the other, at least one."""
    return _Run(u, operator, np.array(lengths, real_dtype(u.dtype)), rate=False).result()


def diffusion_rate(u: np.ndarray, operator: FluxOperator) -> np.ndarray:
    """``sum over axes of inverse_volume * (what enters each cell) + source``, of the shape of u."""
    return _Run(u, operator, np.ones(1, real_dtype(u.dtype)), rate=True).result()


class _Run:
    """Steps with one operator, and all that has to stay in memory while loops run that know addresses only."""

    def __init__(self, u: np.ndarray, operator: FluxOperator, lengths: np.ndarray, rate: bool) -> None:
        u = aligned(u)
        self.u = u if u.strides[-1] == u.itemsize else np.ascontiguousarray(u)
        self.lengths = lengths
        parts = sorted(operator.axes, key=lambda part: part.axis)
        self.count = len(parts)
        lead = u.ndim - self.count
        self.periodic = (False,) * (3 - self.count) + tuple(part.periodic for part in parts)
        self.sizes = (1,) * (3 - self.count) + u.shape[lead:]
        self.tiling = tiling_of(self.sizes, prod(u.shape[:lead]), u.itemsize, self.periodic, lengths.size, self.count)
        self.cells = Cells(self.u, self.tiling.margins[3 - self.count :])
        varying, self.weights = weights_of(self.cells, operator)
        self.entering = list(entering_of(self.cells, operator))
        self.update = update_address(self.cells.real, self.count, varying, rate)
        self.enter = entering_address(self.cells.real, rate) if self.entering else 0
        boxes = [self._box(each) for each in self.entering]
        self.boxes = np.concatenate(boxes) if boxes else np.zeros(1, np.int64)

    @staticmethod
    def _box(entering: Any) -> np.ndarray:
        """What compiled loops are told of what enters besides."""
        exchange, supply = entering.exchange, entering.supply
        numbers = [*entering.ends, *exchange.strides[:2], *supply.strides[:2]]
        return np.concatenate([np.array(numbers, np.int64), np.stack([exchange.starts, supply.starts], 1).reshape(-1)])

    def result(self) -> np.ndarray:
        """All steps, some in each sweep from one array into another."""
        sweeps = self.tiling.sweeps
        result = np.empty(self.u.shape, self.u.dtype)
        spare = np.empty_like(result) if len(sweeps) > 1 else result
        source = self.u
        for position, (steps, done) in enumerate(zip(sweeps, accumulate(sweeps, initial=0))):
            into = result if (len(sweeps) - position) % 2 else spare
            self._sweep(source, into, steps, done)
            source = into
        return result

    def _sweep(self, source: np.ndarray, into: np.ndarray, steps: int, done: int) -> None:
        tiling, cells, listing = self.tiling, self.cells, _Listing()
        fields = cells.starts(source)
        bounds = [bounds_of(*each, steps) for each in zip(self.sizes, tiling.blocks, tiling.margins, tiling.around)]
        for a, table in enumerate(bounds):
            strides = [([0, 0, *array.strides])[a - 3] for array in (source, into)]
            at = listing.add(table)
            listing.put(stencil_waves.PLANES_AT + a, [self.sizes[a], len(table), self.periodic[a], *strides, at])
        listing.put(stencil_waves.TOLD_AT, self._told(fields.size))
        listing.put(stencil_waves.STRIDES_AT, [stride for each in self.weights for stride in each.strides])
        listing.put(stencil_waves.SOURCES_AT, fields)
        listing.put(stencil_waves.WEIGHTS_AT, np.concatenate([each.starts for each in self.weights]))
        rows, row = (int(np.max(table[:, :, 1] - table[:, :, 0])) for table in bounds[1:])
        pitch = (-(-row * self.u.itemsize // stencil_waves.ALIGNMENT) + 1) * stencil_waves.ALIGNMENT
        kept, together, scratch = _scratch(tiling, rows, steps, self.count == 3)
        listing.header[: stencil_waves.PLANES_AT] = [
            self.update,
            self.enter,
            steps,
            address(self.lengths) + done * self.lengths.itemsize,
            self.lengths.itemsize,
            fields.size,
            prod(self.sizes) * self.u.itemsize,
            address(into),
            scratch * pitch,
            pitch,
            rows * pitch,
            kept,
            together,
            rows,
            tiling.around[2],
            len(self.weights),
        ]
        tasks = fields.size * prod(len(table) for table in bounds)
        work = self.u.size * cells.parts * steps * (2 * self.count + 1)
        loop = stencil_waves.VOLUMES if self.count == 3 else stencil_waves.IMAGES
        launch(loop, band_count(work, tasks), listing.numbers())

    def _told(self, fields: int) -> np.ndarray:
        told = np.zeros(stencil_rows.NUMBERS, np.int64)
        told[stencil_rows.CELL] = self.u.itemsize
        told[stencil_rows.BOXES] = address(self.boxes)
        told[stencil_rows.ENTERING], told[stencil_rows.FIELDS] = len(self.entering), fields
        told[stencil_rows.WEIGHTS + 1 : stencil_rows.WEIGHTS + 2 * len(self.weights) : 2] = [
            each.strides[1] for each in self.weights
        ]
        return told


def _scratch(tiling: Tiling, rows: int, steps: int, volumes: bool) -> tuple[int, int, int]:
    """Rows that an image keeps of a step, those that take a step together, and rows of scratch."""
    if volumes:
        return 0, 0, 3 * steps * rows
    if tiling.together + 2 >= rows:  # all together: one step and the next
        kept = 1 << (rows - 1).bit_length()
        return kept, rows + steps, 2 * kept
    return tiling.together + 2, tiling.together, steps * (tiling.together + 2)


class _Listing:
    """The array of all that a loop is told: the header, and tables behind it."""

    def __init__(self) -> None:
        self.header = np.zeros(stencil_waves.HEADER, np.int64)
        self.tables: list[np.ndarray] = []
        self.size = stencil_waves.HEADER

    def add(self, table: Any) -> int:
        """Where the table begins."""
        self.tables.append(np.asarray(table, np.int64).reshape(-1))
        self.size += self.tables[-1].size
        return self.size - self.tables[-1].size

    def put(self, place: int, table: Any) -> None:
        self.header[place] = self.add(table)

    def numbers(self) -> np.ndarray:
        return np.concatenate([self.header, *self.tables])
