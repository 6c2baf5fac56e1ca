"""Diffusion on dask arrays: blocks with as many cells of their neighbours as steps are taken before the next exchange.

A block that took k steps is wrong in the k cells nearest to a cut, and no further: these are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gpuconv.backends.generic import stencil
from gpuconv.backends.generic.lines import TridiagonalProblem
from gpuconv.backends.generic.stencil import CLOSED, AxisFluxes, FluxOperator, steps_problem
from gpuconv.backends.registry import forced_backend, select, use_backend
from gpuconv.core.namespace import dtype_name, home_of

# Steps between two exchanges of edges: few enough that blocks of some hundred cells gain little by them.
_DEEPEST = 16


def diffuse_steps(u: Any, operator: FluxOperator, lengths: Sequence[float]) -> Any:
    """``u = u + length * diffusion_rate(u)`` for one length after the other."""
    if operator.cross is not None or _has_lazy_coefficients(operator):
        for length in lengths:
            u = (u + length * stencil.diffusion_rate(u, operator)).rechunk(u.chunks)
        return u
    chunks, done = u.chunks, 0
    most = min([_DEEPEST, *(max(u.chunks[axis]) for axis in _cut_axes(u, operator))])
    while done < len(lengths):
        part = tuple(lengths[done : done + most])
        u = _on_blocks("diffuse_steps", u, operator, part)
        done += len(part)
    return u.rechunk(chunks)


def diffusion_rate(u: Any, operator: FluxOperator) -> Any:
    """``sum over axes of inverse_volume * (what enters each cell) + source``, of the shape of u."""
    if operator.cross is not None or _has_lazy_coefficients(operator):
        return stencil.diffusion_rate(u, operator).rechunk(u.chunks)
    return _on_blocks("diffusion_rate", u, operator, None).rechunk(u.chunks)


def solve_tridiagonal(right: Any, lower: Any, diagonal: Any, upper: Any, axis: int, cyclic: bool = False) -> Any:
    """x of ``lower[i] x[i - 1] + diagonal[i] x[i] + upper[i] x[i + 1] = right[i]``, one chunk along `axis`."""
    import dask.array

    whole = right.rechunk({axis % right.ndim: -1})
    bands = [_beside(band, whole) for band in (lower, diagonal, upper)]
    run = partial(_solve_block, axis, cyclic, forced_backend())
    solved = dask.array.map_blocks(run, whole, *bands, dtype=right.dtype, meta=right._meta)
    return solved.rechunk(right.chunks)


def _solve_block(axis: int, cyclic: bool, forced: str | None, right: Any, *bands: Any) -> Any:
    home = home_of(right)
    shape, name = tuple(right.shape), dtype_name(right.dtype)
    shared = all(band.size == band.shape[axis] for band in bands)
    problem = TridiagonalProblem(home.library, str(home.device), home.traced, shape, name, axis, cyclic, shared)
    with use_backend(forced):
        return select("solve_tridiagonal", problem)(right, *bands, axis, cyclic)


def _beside(band: Any, right: Any) -> Any:
    """A coefficient in the chunks of `right`, with one sample where it is the same for all."""
    import dask.array

    band = band.reshape((1,) * (right.ndim - band.ndim) + tuple(band.shape))
    chunks = tuple(right.chunks[place] if size > 1 else (1,) for place, size in enumerate(band.shape))
    if isinstance(band, np.ndarray):
        return dask.array.from_array(band, chunks=chunks)
    return band.rechunk(chunks)


def _has_lazy_coefficients(operator: FluxOperator) -> bool:
    values = [operator.source]
    for part in operator.axes:
        values += [part.forward, part.backward, *part.low, *part.high, part.inverse_volume]
    return any(hasattr(value, "dask") for value in values)


def _on_blocks(primitive: str, u: Any, operator: FluxOperator, lengths: tuple[float, ...] | None) -> Any:
    """`primitive` on blocks that overlap by one cell per step; the chunks may come out joined."""
    import dask.array

    depth = 1 if lengths is None else len(lengths)
    u = u.rechunk({axis: _joined(u.chunks[axis], depth) for axis in _cut_axes(u, operator)})
    cut = _cut_axes(u, operator)
    around = {axis: "periodic" if part.periodic else "none" for axis, part in cut.items()}
    depths = dict.fromkeys(cut, depth)
    overlapped = u
    if cut:
        overlapped = dask.array.overlap.overlap(u, depth=depths, boundary=around, allow_rechunk=False)
    first = tuple(
        tuple(_first_cells(u.chunks[axis], around.get(axis), depth if axis in cut else 0)) for axis in range(u.ndim)
    )
    run = partial(_run_block, primitive, operator, lengths, first, frozenset(cut), u.chunks, forced_backend())
    return overlapped.map_blocks(run, dtype=u.dtype, chunks=u.chunks, meta=u._meta)


def _cut_axes(u: Any, operator: FluxOperator) -> dict[int, AxisFluxes]:
    """The axes that something flows along and that are in several chunks."""
    parts = {part.axis % u.ndim: part for part in operator.axes}
    return {axis: part for axis, part in parts.items() if len(u.chunks[axis]) > 1}


def _joined(chunks: tuple[int, ...], least: int) -> tuple[int, ...]:
    """Chunks of at least `least` samples, where there are as many."""
    joined: list[int] = []
    for size in chunks:
        if joined and joined[-1] < least:
            joined[-1] += size
        else:
            joined.append(size)
    if len(joined) > 1 and joined[-1] < least:
        joined[-2:] = [joined[-2] + joined[-1]]
    return tuple(joined)


def _first_cells(chunks: tuple[int, ...], around: str | None, depth: int) -> list[int]:
    """Index of the first cell of each overlapped block; below 0 where a periodic axis begins before its start."""
    starts = np.cumsum((0, *chunks[:-1])).tolist()
    return [start if start == 0 and around != "periodic" else start - depth for start in starts]


def _run_block(
    primitive: str,
    operator: FluxOperator,
    lengths: tuple[float, ...] | None,
    first: tuple[tuple[int, ...], ...],
    cut: frozenset[int],
    chunks: tuple[tuple[int, ...], ...],
    forced: str | None,
    block: Any,
    block_id: tuple[int, ...] = (),
) -> Any:
    """One overlapped block, and of the result what no cut has touched."""
    if block.size == 0:
        return block
    starts = tuple(first[axis][place] for axis, place in enumerate(block_id))
    sizes = tuple(sum(along) for along in chunks)
    cells = tuple(
        np.arange(start, start + count) % max(size, 1)
        for start, count, size in zip(starts, block.shape, sizes, strict=True)
    )
    axes = tuple(_cut_axis(part, cells, sizes, part.axis + block.ndim in cut) for part in operator.axes)
    local = FluxOperator(axes, _pick(operator.source, cells, sizes))
    problem = steps_problem(block, local, 1 if lengths is None else len(lengths))
    with use_backend(forced), np.errstate(over="ignore", invalid="ignore"):
        function = select(primitive, problem)
        result = function(block, local) if lengths is None else function(block, local, lengths)
    keep = []
    for axis, place in enumerate(block_id):
        start = sum(chunks[axis][:place]) - starts[axis]
        keep.append(slice(start, start + chunks[axis][place]))
    return result[tuple(keep)]


def _cut_axis(part: AxisFluxes, cells: tuple[np.ndarray, ...], sizes: tuple[int, ...], is_cut: bool) -> AxisFluxes:
    """What belongs to the block; the faces at a cut are closed, and none joins its ends."""
    own = cells[part.axis]
    faces = own
    if not part.periodic:
        faces = own[:-1]
    elif is_cut:
        faces = own[1:]
    around = list(cells)
    around[part.axis] = faces
    forward = _pick(part.forward, tuple(around), sizes, part.axis)
    backward = forward if part.forward is part.backward else _pick(part.backward, tuple(around), sizes, part.axis)
    low, high = (
        tuple(_pick(value, cells, sizes) for value in end) if not part.periodic and own[place] == cell else CLOSED
        for end, place, cell in ((part.low, 0, 0), (part.high, -1, sizes[part.axis] - 1))
    )
    volume = _pick(part.inverse_volume, cells, sizes)
    return replace(
        part,
        periodic=part.periodic and not is_cut,
        forward=forward,
        backward=backward,
        low=low,
        high=high,
        inverse_volume=volume,
    )


def _pick(value: Any, cells: tuple[np.ndarray, ...], sizes: tuple[int, ...], faces: int | None = None) -> Any:
    """The entries of a coefficient for `cells`; along the axis `faces` it counts faces, and all its entries differ."""
    if not hasattr(value, "shape") or value.ndim == 0:
        return value
    for axis in range(-value.ndim, 0):
        if axis == faces or (value.shape[axis] == sizes[axis] and sizes[axis] > 1):
            value = np.take(value, cells[axis], axis=axis)
    return value
