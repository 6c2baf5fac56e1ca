"""Explicit steps of diffusion: one a launch, or several of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cuda.launch import MAX_BLOCKS, Launch, by_value, ceil_div, element_strides
from gpuconv.backends.cuda.runtime import current
from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator, StepsProblem, along
from gpuconv.core.dtypes import ITEMSIZE, real_of
from gpuconv.core.namespace import home_of

# Of stencil.cu.
WIDE, HIGH, GROUPS = 64, 8, 4
# Steps of one launch: with four, three quarters of what a block computes is kept; memory then moves 2.3 words for four
# steps instead of eight. Tiles of 64 x 64 cells of four bytes, or of half the rows of eight bytes, twice in 48 KB.
FUSED = 4
TALL = {4: 64, 8: 32}
NAMES = ("columns", "rows", "planes")

Defines = tuple[tuple[str, str], ...]


def why_not(problem: StepsProblem) -> str | None:
    if problem.traced:
        return "CUDA kernels of our own are not traced"
    if problem.has_cross:
        return "a full diffusivity tensor runs in generic"
    if problem.directed:
        return "the flow of the medium runs in generic"
    if problem.dtype not in ("float32", "float64", "complex64", "complex128"):
        return f"steps in {problem.dtype} run in generic"
    if len(problem.axes) > 3 or set(problem.axes) != set(range(-len(problem.axes), 0)):
        return "CUDA kernels step along the last axes, three at most"
    return None


def diffuse_steps(u: Any, operator: FluxOperator, lengths: Sequence[float]) -> Any:
    """``u = u + length * diffusion_rate(u)`` for one length after the other."""
    if not lengths or 0 in u.shape:
        return u
    steps = _Steps.of(u, operator)
    source = _contiguous(u)
    buffers: list[Any] = []
    done = 0
    while done < len(lengths):
        count = min(len(lengths) - done, FUSED) if steps.fuses else 1
        # The third sweep may write over the result of the first.
        target = buffers.pop(0) if len(buffers) == 2 else current().empty(u.shape, u.dtype.name)
        buffers.append(target)
        if count > 1:
            steps.advance_fused(source, target, lengths[done : done + count])
        else:
            steps.advance(source, target, lengths[done])
        source, done = target, done + count
    return source


def diffusion_rate(u: Any, operator: FluxOperator) -> Any:
    """``sum over axes of inverse_volume * (what enters each cell) + source``, of the shape of u."""
    result = current().empty(u.shape, u.dtype.name)
    if 0 not in u.shape:
        _Steps.of(u, operator).advance(_contiguous(u), result, None)
    return result


def _contiguous(u: Any) -> Any:
    expected = np.cumprod([1, *u.shape[:0:-1]])[::-1] if u.ndim else ()
    return (
        u
        if element_strides(u) == tuple(expected) and current().address(u) % u.dtype.itemsize == 0
        else current().contiguous(u)
    )


@dataclass(frozen=True)
class _Coefficient:
    """An array and its strides on fields, planes, rows and columns, zero where it does not vary."""

    array: Any
    strides: np.ndarray


@dataclass(frozen=True)
class _Steps:
    """One operator made ready. `sizes` are fields, planes, rows and columns; arguments come columns first.

    Attributes
    ----------
    conductances : tuple
        Arguments of a kernel: numbers, or arrays and then their strides.
    entering : tuple
        Supply, exchange and the strides of each; empty where nothing enters but through faces.
    """

    dtype: str
    sizes: tuple[int, ...]
    defines: Defines
    conductances: tuple[Any, ...]
    entering: tuple[Any, ...]

    @classmethod
    def of(cls, u: Any, operator: FluxOperator) -> _Steps:
        axes = len(operator.axes)
        cells = u.shape[u.ndim - axes :]
        sizes = _places(prod(u.shape[: u.ndim - axes]), cells)
        layout = _Layout(u.shape, axes, real_of(u.dtype.name))
        parts = sorted(operator.axes, key=lambda part: -part.axis)
        pairs = [_conductances(part, layout) for part in parts]
        varying = any(isinstance(pair, tuple) for pair in pairs)
        if varying:
            both = [pair if isinstance(pair, tuple) else (layout.coefficient(pair),) * 2 for pair in pairs]
            # A pair has one set of strides: arrays of the same shape.
            arrays = [array.array for pair in both for array in pair]
            conductances = (*arrays, *(pair[0].strides for pair in both))
        else:
            conductances = tuple(np.dtype(layout.real).type(pair) for pair in pairs)
        entering = _entering(u, operator, layout)
        dtype = u.dtype.name
        defines = (
            *((name, dtype) for name in ("STORAGE", "SAMPLE", "SUM", "RESULT")),
            ("WEIGHT", layout.real),
            ("AXES", str(axes)),
            ("VARYING", str(int(varying))),
            *((f"BOUNDARY_{name.upper()}", "WRAP" if part.periodic else "NEAREST") for name, part in zip(NAMES, parts)),
            ("WEIGHTS", str(FUSED)),
        )
        return cls(dtype, sizes, defines, conductances, entering)  # type: ignore[arg-type]

    @property
    def fuses(self) -> bool:
        return ("AXES", "2") in self.defines and not self.entering and ITEMSIZE[self.dtype] in TALL

    def advance(self, source: Any, target: Any, length: float | None) -> None:
        """One step, or the rate where no length is given."""
        groups = GROUPS if self.sizes[2] > HIGH else 1
        row_blocks, column_blocks = ceil_div(self.sizes[2], HIGH * groups), ceil_div(self.sizes[3], WIDE)
        blocks = self.sizes[0] * self.sizes[1] * row_blocks * column_blocks
        real = np.dtype(real_of(self.dtype))
        defines = (*self.defines, ("ENTERS", str(int(bool(self.entering)))))
        head = (source, target, *self.conductances, *self.entering, real.type(0 if length is None else length))
        tail = (np.int32(groups), np.int32(length is None))
        self._launch("advance", defines, WIDE * groups, head, blocks, (row_blocks, column_blocks), tail)

    def advance_fused(self, source: Any, target: Any, lengths: Sequence[float]) -> None:
        """A few steps of images."""
        tall = TALL[ITEMSIZE[self.dtype]]
        inner = [size - 2 * len(lengths) for size in (tall, WIDE)]
        row_blocks, column_blocks = (ceil_div(size, step) for size, step in zip(self.sizes[2:], inner))
        by = by_value(np.array(lengths, real_of(self.dtype)), FUSED)
        defines = (*self.defines, ("TALL", str(tall)))
        head = (source, target, *self.conductances, by)
        blocks = self.sizes[0] * row_blocks * column_blocks
        tail = (np.int32(len(lengths)),)
        self._launch("advance_fused", defines, WIDE * tall // HIGH, head, blocks, (row_blocks, column_blocks), tail)

    def _launch(
        self,
        kernel: str,
        defines: Defines,
        threads: int,
        head: tuple[Any, ...],
        blocks: int,
        grid: tuple[int, int],
        tail: tuple[Any, ...],
    ) -> None:
        source = "stencil_fused.cu" if kernel == "advance_fused" else "stencil.cu"
        for first in range(0, blocks, MAX_BLOCKS):
            arguments = (*head, _struct(self.sizes), *(np.int64(number) for number in (first, *grid)), *tail)
            count = min(blocks - first, MAX_BLOCKS)
            current().launch(Launch(source, kernel, defines, count, threads, 0, arguments))


@dataclass(frozen=True)
class _Layout:
    """How coefficients lie against cells: the shape of u, the number of its axes that steps go along, real dtype."""

    shape: tuple[int, ...]
    axes: int
    real: str

    def coefficient(self, value: Any, dtype: str | None = None) -> _Coefficient:
        """A number or an array that broadcasts against cells, as the kernel takes it."""
        array = value if hasattr(value, "shape") else current().upload(np.asarray(value, dtype or self.real))
        array = _contiguous(array.astype(dtype or self.real, copy=False))
        lead = len(self.shape) - self.axes
        array = array.reshape((1,) * max(len(self.shape) - array.ndim, 0) + tuple(array.shape))
        fields = array.shape[:lead]
        if prod(fields) not in (1, prod(self.shape[:lead])):  # it varies along some of the axes of fields only
            array = _contiguous(home_of(array).xp.broadcast_to(array, (*self.shape[:lead], *array.shape[lead:])))
        return _Coefficient(array, self._strides(tuple(array.shape)))

    def _strides(self, shape: tuple[int, ...]) -> np.ndarray:
        lead = len(shape) - self.axes
        sizes = _places(prod(shape[:lead]), shape[lead:])
        steps = [prod(sizes[axis + 1 :]) if sizes[axis] > 1 else 0 for axis in range(4)]
        return _struct(tuple(steps))


def _places(fields: int, cells: Sequence[int]) -> tuple[int, ...]:
    """Fields, planes, rows and columns. Of one axis the fields are rows, which have nothing to do with each other."""
    if len(cells) == 1:
        return 1, 1, fields, *cells
    return fields, *(1,) * (3 - len(cells)), *cells


@lru_cache(maxsize=1024)
def _struct(numbers: tuple[int, ...]) -> np.ndarray:
    """A struct of int64."""
    values = np.array(numbers, np.int64)
    return values.view([("at", values.dtype, values.shape)])


def _conductances(part: AxisFluxes, layout: _Layout) -> Any:
    """Over the volume: one number for both faces of every cell, or a pair of arrays, of the faces before and behind."""
    forward, volume = part.forward, part.inverse_volume
    if not hasattr(forward, "shape") and not hasattr(volume, "shape"):
        return forward * volume
    axis = part.axis
    if hasattr(forward, "shape") and len(forward.shape) >= -axis and forward.shape[axis] != 1:
        xp, ndim = home_of(forward).xp, len(forward.shape)
        if forward.shape[axis] == 0:  # one cell has no faces inside
            forward = 0.0
            before = behind = forward
        elif part.periodic:
            before, behind = forward, xp.roll(forward, -1, axis=axis)
        else:
            closed = xp.zeros_like(forward[along(ndim, axis, 0, 1)])
            before, behind = xp.concat([closed, forward], axis=axis), xp.concat([forward, closed], axis=axis)
    else:
        before = behind = forward
    return tuple(layout.coefficient(each * volume) for each in (before, behind))


def _entering(u: Any, operator: FluxOperator, layout: _Layout) -> tuple[Any, ...]:
    """Supply and exchange of every cell, where anything enters but through inner faces."""
    opened = [
        (part, end, cell)
        for part in operator.axes
        if not part.periodic
        for end, cell in ((part.low, 0), (part.high, u.shape[part.axis] - 1))
        if any(hasattr(value, "shape") or value != 0 for value in end)
    ]
    if not opened and operator.source is None:
        return ()
    supply: Any = 0.0 if operator.source is None else operator.source
    exchange: Any = 0.0
    if opened:
        xp = home_of(u).xp
        supply = xp.zeros_like(u) + supply
        exchange = xp.zeros_like(u, dtype=getattr(xp, layout.real))
        for part, end, cell in opened:
            place = along(u.ndim, part.axis, cell, cell + 1)
            volume = part.inverse_volume
            if hasattr(volume, "shape") and len(volume.shape) >= -part.axis and volume.shape[part.axis] > 1:
                volume = volume[along(len(volume.shape), part.axis, cell, cell + 1)]
            exchange[place] += end[0] * volume
            supply[place] += end[1] * volume
    coefficients = layout.coefficient(supply, u.dtype.name), layout.coefficient(exchange)
    return (*(each.array for each in coefficients), *(each.strides for each in coefficients))
