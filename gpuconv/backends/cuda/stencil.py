"""Explicit steps of diffusion: one a launch, or several of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cuda.launch import MAX_BLOCKS, Launch, by_value, ceil_div, strides_in_order, struct_of
from gpuconv.backends.cuda.runtime import current
from gpuconv.backends.generic.stencil import CLOSED, AxisFluxes, FluxOperator, StepsProblem, along
from gpuconv.core.dtypes import ITEMSIZE, real_of
from gpuconv.core.namespace import dtype_name, home_of

# Of stencil.cu.
WIDE, HIGH, GROUPS = 64, 8, 4
# Steps of one launch: with four, three quarters of what a block computes is kept; memory then moves 2.3 words for four
# steps instead of eight. Tiles of 64 x 64 cells of four bytes, or of half the rows of eight bytes, twice in 48 KB.
FUSED = 4
TALL = {4: 64, 8: 32}
NAMES = ("COLUMNS", "ROWS")

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
    steps = _steps_of(u, operator)
    source = _contiguous(u)
    buffers: list[Any] = []
    done = 0
    while done < len(lengths):
        count = min(len(lengths) - done, FUSED) if steps.fuses else 1
        # The third sweep may write over the result of the first.
        target = buffers.pop(0) if len(buffers) == 2 else current().empty(u.shape, steps.dtype)
        buffers.append(target)
        if count > 1:
            steps.advance_fused(source, target, lengths[done : done + count])
        else:
            steps.advance(source, target, lengths[done])
        source, done = target, done + count
    return source


def diffusion_rate(u: Any, operator: FluxOperator) -> Any:
    """``sum over axes of inverse_volume * (what enters each cell) + source``, of the shape of u."""
    result = current().empty(u.shape, dtype_name(u.dtype))
    if 0 not in u.shape:
        _steps_of(u, operator).advance(_contiguous(u), result, None)
    return result


def _contiguous(u: Any) -> Any:
    expected = _strides_without_gaps(tuple(u.shape), u.dtype.itemsize)
    aligned = u.strides == expected and current().address(u) % u.dtype.itemsize == 0
    return u if aligned else current().contiguous(u)


@lru_cache(maxsize=1024)
def _strides_without_gaps(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    return tuple(stride * itemsize for stride in strides_in_order(shape, range(len(shape))))


@dataclass(frozen=True)
class _Coefficient:
    """An array and its strides on fields, planes, rows and columns, zero where it does not vary."""

    array: Any
    strides: np.ndarray


@dataclass(frozen=True)
class _Grid:
    """Blocks of each launch, with the arguments that say which they are, and threads of a block."""

    launches: tuple[tuple[int, tuple[Any, ...]], ...]
    threads: int

    @classmethod
    def of(cls, images: int, row_blocks: int, column_blocks: int, threads: int) -> _Grid:
        blocks = images * row_blocks * column_blocks
        launches = (
            (min(blocks - first, MAX_BLOCKS), tuple(np.int64(each) for each in (first, row_blocks, column_blocks)))
            for first in range(0, blocks, MAX_BLOCKS)
        )
        return cls(tuple(launches), threads)


@dataclass(frozen=True)
class _Steps:
    """One operator made ready. `sizes` are fields, planes, rows and columns; arguments come columns first.

    Attributes
    ----------
    periodic : tuple of bool
        Columns first.
    conductances : tuple
        Arguments of a kernel: numbers, or arrays and then their strides.
    entering : tuple
        Supply, exchange and the strides of each; empty where nothing enters but through faces.
    """

    dtype: str
    sizes: tuple[int, ...]
    periodic: tuple[bool, ...]
    varying: bool
    conductances: tuple[Any, ...]
    entering: tuple[Any, ...]

    @property
    def fuses(self) -> bool:
        return len(self.periodic) == 2 and not self.entering and ITEMSIZE[self.dtype] in TALL

    @cached_property
    def real(self) -> type[np.generic]:
        return np.dtype(real_of(self.dtype)).type

    @cached_property
    def defines(self) -> Defines:
        """Those of both kernels."""
        return (
            *((name, self.dtype) for name in ("STORAGE", "SAMPLE", "SUM", "RESULT")),
            ("WEIGHT", real_of(self.dtype)),
            ("AXES", str(len(self.periodic))),
            ("VARYING", str(int(self.varying))),
            ("WEIGHTS", str(FUSED)),
        )

    @cached_property
    def single(self) -> tuple[Defines, _Grid, tuple[Any, ...], int]:
        """Of ``advance``: defines, grid, how the cells lie, rows of eight in a block."""
        groups = GROUPS if self.sizes[2] > HIGH else 1
        blocks = ceil_div(self.sizes[2], HIGH * groups), ceil_div(self.sizes[3], WIDE)
        ends: list[int] = []
        for axis, size in enumerate(self.sizes[1:]):
            around = self.periodic[2 - axis] if 2 - axis < len(self.periodic) else False
            ends += [size - 1, 0] if around else [0, size - 1]
        grid = _Grid.of(self.sizes[0] * self.sizes[1], *blocks, WIDE * groups)
        defines = (*self.defines, ("ENTERS", str(int(bool(self.entering)))))
        return defines, grid, (struct_of(self.sizes), struct_of(tuple(ends))), groups

    @cached_property
    def several(self) -> tuple[Defines, int]:
        """Of ``advance_fused``: defines, rows of a tile."""
        tall = TALL[ITEMSIZE[self.dtype]]
        ends = ((f"BOUNDARY_{name}", "WRAP" if around else "NEAREST") for name, around in zip(NAMES, self.periodic))
        return (*self.defines, *ends, ("TALL", str(tall))), tall

    def advance(self, source: Any, target: Any, length: float | None) -> None:
        """One step, or the rate where no length is given."""
        defines, grid, geometry, groups = self.single
        head = (source, target, *self.conductances, *self.entering, self.real(length or 0), *geometry)
        tail = np.int32(groups), np.int32(length is None)
        for blocks, numbers in grid.launches:
            arguments = (*head, *numbers, *tail)
            current().launch(Launch("stencil.cu", "advance", defines, blocks, grid.threads, 0, arguments))

    def advance_fused(self, source: Any, target: Any, lengths: Sequence[float]) -> None:
        """A few steps of images."""
        defines, tall = self.several
        grid = _fused_grid(self.sizes, len(lengths), tall)
        by = by_value(np.array(lengths, self.real), FUSED)
        head = (source, target, *self.conductances, by, struct_of(self.sizes))
        for blocks, numbers in grid.launches:
            arguments = (*head, *numbers, np.int32(len(lengths)))
            current().launch(Launch("stencil_fused.cu", "advance_fused", defines, blocks, grid.threads, 0, arguments))


@lru_cache(maxsize=1024)
def _fused_grid(sizes: tuple[int, ...], steps: int, tall: int) -> _Grid:
    row_blocks, column_blocks = (ceil_div(size, tile - 2 * steps) for size, tile in zip(sizes[2:], (tall, WIDE)))
    return _Grid.of(sizes[0], row_blocks, column_blocks, WIDE * tall // HIGH)


def _steps_of(u: Any, operator: FluxOperator) -> _Steps:
    """The operator made ready for arrays like u."""
    dtype = dtype_name(u.dtype)
    parts = operator.axes
    if operator.source is None and all(
        _is_closed(part.low) and _is_closed(part.high) and _is_number(part.forward) and _is_number(part.inverse_volume)
        for part in parts
    ):
        facts = tuple((part.axis, part.periodic, part.forward, part.inverse_volume) for part in parts)
        return _steps_of_numbers(u.shape, dtype, facts)
    axes = len(parts)
    sizes = _places(prod(u.shape[: u.ndim - axes]), u.shape[u.ndim - axes :])
    layout = _Layout(u.shape, axes, real_of(dtype))
    parts = tuple(sorted(parts, key=lambda part: -part.axis))
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
    return _Steps(dtype, sizes, tuple(part.periodic for part in parts), varying, conductances, entering)


def _is_closed(end: tuple[Any, Any]) -> bool:
    return end is CLOSED or not any(hasattr(value, "shape") or value != 0 for value in end)


def _is_number(value: Any) -> bool:
    return isinstance(value, (float, int))


@lru_cache(maxsize=256)
def _steps_of_numbers(shape: tuple[int, ...], dtype: str, facts: tuple[tuple[int, bool, float, float], ...]) -> _Steps:
    """Plain diffusion: all faces of an axis alike, and closed or periodic ends."""
    sizes = _places(prod(shape[: len(shape) - len(facts)]), shape[len(shape) - len(facts) :])
    number = np.dtype(real_of(dtype)).type
    ordered = sorted(facts, key=lambda part: -part[0])
    conductances = tuple(number(forward * volume) for _, _, forward, volume in ordered)
    return _Steps(dtype, sizes, tuple(bool(periodic) for _, periodic, _, _ in ordered), False, conductances, ())


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
        return struct_of(tuple(steps))


def _places(fields: int, cells: Sequence[int]) -> tuple[int, ...]:
    """Fields, planes, rows and columns. Of one axis the fields are rows, which have nothing to do with each other."""
    if len(cells) == 1:
        return 1, 1, fields, *cells
    return fields, *(1,) * (3 - len(cells)), *cells


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
        if not _is_closed(end)
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
    coefficients = layout.coefficient(supply, dtype_name(u.dtype)), layout.coefficient(exchange)
    return (*(each.array for each in coefficients), *(each.strides for each in coefficients))
