"""Explicit steps on compiled loops: sweeps over all cells, each of them some steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cpu import compiled, stencil_rows, stencil_waves
from gpuconv.backends.cpu.axis import aligned
from gpuconv.backends.cpu.bands import launch
from gpuconv.backends.cpu.compiled import address, band_count, real_dtype
from gpuconv.backends.cpu.stencil_operator import Cells, Entering, entering_of, weights_of
from gpuconv.backends.cpu.stencil_rows import entering_address, update_address
from gpuconv.backends.cpu.stencil_tiles import Shape, Tiling, bounds_of, registers, tiling_of
from gpuconv.backends.cpu.stencil_waves import ALIGNMENT, HEADER, IMAGES, VOLUMES
from gpuconv.backends.generic.stencil import FluxOperator
from gpuconv.backends.threads import thread_count


def diffuse_steps(u: np.ndarray, operator: FluxOperator, lengths: Sequence[float]) -> np.ndarray:
    """``u = u + length * diffusion_rate(u)`` for one length after the other, at least one."""
    return _Run(u, operator, np.array(lengths, real_dtype(u.dtype)), rate=False).result()


def diffusion_rate(u: np.ndarray, operator: FluxOperator) -> np.ndarray:
    """``sum over axes of inverse_volume * (what enters each cell) + source``, of the shape of u."""
    return _Run(u, operator, np.ones(1, real_dtype(u.dtype)), rate=True).result()


def steps_work(size: int, steps: int, axes: int) -> int:
    """Products of a weight and a cell."""
    return size * steps * (2 * axes + 1)


class _Run:
    """Steps with one operator, and all that has to stay in memory while loops run that know addresses only."""

    def __init__(self, u: np.ndarray, operator: FluxOperator, lengths: np.ndarray, rate: bool) -> None:
        u = aligned(u)
        self.u = u if u.strides[-1] == u.itemsize else np.ascontiguousarray(u)
        self.lengths = lengths
        parts = sorted(operator.axes, key=lambda part: part.axis)
        axes, made_up = len(parts), 3 - len(parts)
        lead, sizes = u.shape[: u.ndim - axes], (1,) * made_up + u.shape[u.ndim - axes :]
        periodic = (False,) * made_up + tuple(part.periodic for part in parts)
        self.shape = Shape(sizes, periodic, axes, prod(lead), u.itemsize)  # type: ignore[arg-type]
        threaded = steps_work(u.size, lengths.size, axes) >= compiled.THREADED_WORK
        self.tiling = tiling_of(self.shape, lengths.size, thread_count() if threaded else 1)
        self.cells = Cells(self.u, self.tiling.margins[made_up:])
        varying, self.weights = weights_of(self.cells, operator)
        self.entering = list(entering_of(self.cells, operator))
        self.boxes = np.concatenate([np.zeros(1, np.int64), *map(_box, self.entering)])
        self.update = update_address(self.cells.real, axes, varying, rate)
        self.enter = entering_address(self.cells.real, rate) if self.entering else 0
        self.listings: dict[int, _Listing] = {}

    def result(self) -> np.ndarray:
        """All steps, some in each sweep from one array into another."""
        sweeps = self.tiling.sweeps
        result = np.empty(self.u.shape, self.u.dtype)
        spare = np.empty_like(result) if len(sweeps) > 1 else result
        source = self.u
        for position, (steps, done) in enumerate(zip(sweeps, accumulate(sweeps, initial=0), strict=False)):
            into = result if (len(sweeps) - position) % 2 else spare
            self._sweep(source, into, steps, done)
            source = into
        return result

    def _sweep(self, source: np.ndarray, into: np.ndarray, steps: int, done: int) -> None:
        if steps not in self.listings:
            self.listings[steps] = self._listing(steps)
        listing, shape = self.listings[steps], self.shape
        numbers = listing.numbers
        numbers[stencil_waves.INTO] = address(into)
        numbers[stencil_waves.LENGTHS] = address(self.lengths) + done * self.lengths.itemsize
        fields = self.cells.starts(source)
        numbers[listing.sources : listing.sources + fields.size] = fields
        for axis, at in enumerate(listing.axes[3 - shape.axes :], -shape.axes):
            numbers[at + stencil_waves.SOURCE], numbers[at + stencil_waves.RESULT] = (
                source.strides[axis],
                into.strides[axis],
            )
        bands = band_count(steps_work(self.u.size * self.cells.parts, steps, shape.axes), listing.tasks)
        launch(VOLUMES if shape.axes == 3 else IMAGES, bands, numbers)

    def _listing(self, steps: int) -> _Listing:
        """What the loop is told of a sweep of so many steps, but for the arrays."""
        tiling, width, unit = self.tiling, self.u.itemsize, registers(self.u.itemsize)
        shrinking = tuple(range(steps, -1, -1))
        # Rows do not shrink cell by cell, so that registers go on beginning where lines of the cache do.
        reaches = shrinking, shrinking, (-(-steps // unit) * unit,) * steps + (0,)
        cut = zip(self.shape.sizes, tiling.blocks, tiling.margins, tiling.around, reaches, strict=True)
        bounds = [bounds_of(*each) for each in cut]
        rows, row = (int(np.max(table[:, :, 1] - table[:, :, 0])) for table in bounds[1:])
        pitch = (-(-row * width // ALIGNMENT) + 1) * ALIGNMENT
        kept, together, scratch = _scratch(tiling, rows, steps, self.shape.axes == 3)
        tables: list[Any] = [*bounds, self._told()]
        tables += [[stride for each in self.weights for stride in each.strides]]
        tables += [np.zeros(self.shape.fields), np.concatenate([each.starts for each in self.weights])]
        tables = [np.asarray(table, np.int64).reshape(-1) for table in tables]
        axes = [HEADER + a * stencil_waves.AXIS for a in range(3)]
        places = list(accumulate((table.size for table in tables), initial=axes[-1] + stencil_waves.AXIS))
        header = [self.update, self.enter, steps, 0, self.lengths.itemsize, self.shape.fields]
        header += [prod(self.shape.sizes) * width, 0, scratch * pitch, pitch, rows * pitch, kept, together, rows]
        header += [tiling.around[2], len(self.weights), *axes, *places[3:7]]
        for a in range(3):
            header += [self.shape.sizes[a], len(bounds[a]), self.shape.periodic[a], 0, 0, places[a]]
        tasks = self.shape.fields * prod(len(table) for table in bounds)
        return _Listing(np.concatenate([np.array(header, np.int64), *tables]), axes, places[5], tasks)

    def _told(self) -> list[int]:
        """What functions on rows are told, but for what loops fill in."""
        told = [0] * stencil_rows.NUMBERS
        told[stencil_rows.CELL], told[stencil_rows.BOXES] = self.u.itemsize, address(self.boxes) + 8
        told[stencil_rows.ENTERING], told[stencil_rows.FIELDS] = len(self.entering), self.shape.fields
        for place, each in enumerate(self.weights):
            told[stencil_rows.WEIGHTS + 2 * place + 1] = each.strides[1]
        return told


class _Listing:
    """What a loop is told: the numbers, where in them axes and sources are listed, and the number of tasks."""

    def __init__(self, numbers: np.ndarray, axes: list[int], sources: int, tasks: int) -> None:
        self.numbers, self.axes, self.sources, self.tasks = numbers, axes, sources, tasks


def _box(entering: Entering) -> np.ndarray:
    """What functions on rows are told of what enters besides."""
    exchange, supply = entering.exchange, entering.supply
    numbers = np.array([*entering.ends, *exchange.strides[:2], *supply.strides[:2]], np.int64)
    return np.concatenate([numbers, np.stack([exchange.starts, supply.starts], 1).reshape(-1)])


def _scratch(tiling: Tiling, rows: int, steps: int, volumes: bool) -> tuple[int, int, int]:
    """Rows that an image keeps of a step, those that take a step together, and rows of scratch."""
    if volumes:
        return 0, 0, 3 * steps * rows
    if tiling.together + 2 >= rows:  # all together: one step and the next
        kept = 1 << (rows - 1).bit_length()
        return kept, rows + steps, 2 * kept
    return tiling.together + 2, tiling.together, steps * (tiling.together + 2)
