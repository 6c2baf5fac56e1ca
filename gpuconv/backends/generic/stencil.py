"""Explicit steps of diffusion on a grid of cells, from the fluxes through their faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gpuconv.backends.loops import repeat
from gpuconv.core.namespace import dtype_name, home_of

CLOSED = (0.0, 0.0)


@dataclass(frozen=True)
class AxisFluxes:
    """What flows through the faces across one axis, per time: ``forward u[i - 1] - backward u[i]`` through face i.

    What enters a cell, times its `inverse_volume`, is how fast u grows there. Numbers, or arrays that broadcast
    against the cells. They count faces along the axis: n - 1 of them between the n cells, or on a periodic axis n,
    face i lying before cell i. Plain diffusion has one object for both directions.

    Attributes
    ----------
    axis : int
        Counted from the last, so negative: batches lie in front.
    periodic : bool
    forward, backward : number or array
    low, high : pair of numbers or arrays
        (exchange, supply): through the outer face enters ``supply - exchange u``, u being the value in the cell there.
    inverse_volume : number or array
        Counts cells along the axis.
    """

    axis: int
    periodic: bool
    forward: Any
    backward: Any
    low: tuple[Any, Any] = CLOSED
    high: tuple[Any, Any] = CLOSED
    inverse_volume: Any = 1.0


@dataclass(frozen=True)
class FluxOperator:
    """The right-hand side: ``du/dt = sum over axes of inverse_volume * (what enters each cell) + source``.

    Attributes
    ----------
    axes : tuple of AxisFluxes
    source : number, array or None
    cross : array or None
        For two axes of more than one cell: the off-diagonal entry of the tensor at the corners of cells, which are
        counted along each axis like faces.
    """

    axes: tuple[AxisFluxes, ...]
    source: Any = None
    cross: Any = None


@dataclass(frozen=True)
class StepsProblem:
    """Steps without their data: what an engine must know to say whether it can run them.

    Attributes
    ----------
    library, device, traced, shape, dtype
        Of u.
    axes : tuple of int
        Those that something flows along, counted from the last.
    periodic : tuple of bool
        One per entry of `axes`.
    steps : int
    varying : bool
        Whether any coefficient is an array rather than a number.
    directed : bool
        Whether forward and backward differ: something flows.
    open_ends : bool
        Whether anything enters through the outer faces.
    has_source, has_cross : bool
    """

    library: str
    device: str
    traced: bool
    shape: tuple[int, ...]
    dtype: str
    axes: tuple[int, ...]
    periodic: tuple[bool, ...]
    steps: int
    varying: bool
    directed: bool
    open_ends: bool
    has_source: bool
    has_cross: bool


def steps_problem(u: Any, operator: FluxOperator, steps: int) -> StepsProblem:
    """The facts of `steps` steps."""
    home = home_of(u)
    values = [value for part in operator.axes for value in (part.forward, part.backward, *part.low, *part.high)]
    values += [part.inverse_volume for part in operator.axes]
    arrays = [value for value in (*values, operator.cross, operator.source) if hasattr(value, "shape")]
    return StepsProblem(
        library=home.library,
        device=str(home.device),
        traced=home.traced or any(home_of(array).traced for array in arrays),
        shape=tuple(u.shape),
        dtype=dtype_name(u.dtype),
        axes=tuple(part.axis for part in operator.axes),
        periodic=tuple(part.periodic for part in operator.axes),
        steps=steps,
        varying=any(hasattr(value, "shape") for value in values),
        directed=any(part.forward is not part.backward for part in operator.axes),
        open_ends=any(_is_open(part) for part in operator.axes),
        has_source=operator.source is not None,
        has_cross=operator.cross is not None,
    )


def _is_open(part: AxisFluxes) -> bool:
    return any(hasattr(value, "shape") or value != 0 for value in (*part.low, *part.high))


def diffuse_steps(u: Any, operator: FluxOperator, lengths: Sequence[float]) -> Any:
    """``u = u + length * diffusion_rate(u)`` for one length after the other."""
    return repeat(lambda state, length: state + length * diffusion_rate(state, operator), u, [(n,) for n in lengths])


def diffusion_rate(u: Any, operator: FluxOperator) -> Any:
    """``sum over axes of inverse_volume * (what enters each cell) + source``, of the shape of u."""
    xp = home_of(u).xp
    rate = None
    for fluxes in operator.axes:
        part = net_flux(xp, u, fluxes)
        if not _is_number(fluxes.inverse_volume, 1.0):
            part = part * fluxes.inverse_volume
        rate = part if rate is None else rate + part
    if operator.cross is not None:
        rate = rate + _net_cross_flux(xp, u, operator)
    return rate if operator.source is None else rate + operator.source


def axis_operator(operator: FluxOperator, position: int) -> FluxOperator:
    """The part of `operator` that belongs to its axis at `position`; no source."""
    return replace(operator, axes=(operator.axes[position],), source=None, cross=None)


def net_flux(xp: Any, u: Any, fluxes: AxisFluxes) -> Any:
    """What enters each cell through its two faces across one axis."""
    axis = fluxes.axis
    if fluxes.periodic:
        flux = _flux(xp.roll(u, 1, axis=axis), u, fluxes)
        return flux - xp.roll(flux, -1, axis=axis)
    size = u.shape[axis]
    flux = _flux(u[along(u.ndim, axis, 0, size - 1)], u[along(u.ndim, axis, 1, size)], fluxes)
    enters = _entering(xp, u[along(u.ndim, axis, 0, 1)], fluxes.low)
    leaves = -_entering(xp, u[along(u.ndim, axis, size - 1, size)], fluxes.high)
    return xp.concat([enters, flux], axis=axis) - xp.concat([flux, leaves], axis=axis)


def along(ndim: int, axis: int, start: int, stop: int) -> tuple[slice, ...]:
    """Index of a range of samples along one axis of an array with `ndim`."""
    index = [slice(None)] * ndim
    index[axis] = slice(max(start, 0), max(stop, 0))
    return tuple(index)


def _flux(before: Any, after: Any, fluxes: AxisFluxes) -> Any:
    if fluxes.forward is fluxes.backward:
        return fluxes.forward * (before - after)  # a constant stays one, to the last bit
    return fluxes.forward * before - fluxes.backward * after


def _entering(xp: Any, cell: Any, end: tuple[Any, Any]) -> Any:
    exchange, supply = end
    if _is_number(exchange, 0.0) and _is_number(supply, 0.0):
        return xp.zeros_like(cell)
    return supply - exchange * cell


def _is_number(value: Any, number: float) -> bool:
    return isinstance(value, float) and value == number


def _net_cross_flux(xp: Any, u: Any, operator: FluxOperator) -> Any:
    """What a slope along one axis drives across the other: slopes meet at corners, so that the sum is symmetric."""
    first, second = operator.axes
    total = None
    for own, other in ((first, second), (second, first)):
        slope = _to_corners(xp, _difference(xp, u, other), own)
        flux = _from_corners(xp, -operator.cross * slope, other)
        part = _net(xp, flux, own)
        total = part if total is None else total + part
    return total


def _difference(xp: Any, u: Any, fluxes: AxisFluxes) -> Any:
    """``u[i] - u[i - 1]`` at the faces."""
    axis, size = fluxes.axis, u.shape[fluxes.axis]
    if fluxes.periodic:
        return u - xp.roll(u, 1, axis=axis)
    return u[along(u.ndim, axis, 1, size)] - u[along(u.ndim, axis, 0, size - 1)]


def _to_corners(xp: Any, values: Any, fluxes: AxisFluxes) -> Any:
    """Means of neighbours along an axis: from cells to the faces between them."""
    axis, size = fluxes.axis, values.shape[fluxes.axis]
    if fluxes.periodic:
        return (values + xp.roll(values, 1, axis=axis)) * 0.5
    return (values[along(values.ndim, axis, 1, size)] + values[along(values.ndim, axis, 0, size - 1)]) * 0.5


def _from_corners(xp: Any, values: Any, fluxes: AxisFluxes) -> Any:
    """The transpose of `_to_corners`."""
    axis = fluxes.axis
    if fluxes.periodic:
        return (values + xp.roll(values, -1, axis=axis)) * 0.5
    end = xp.zeros_like(values[along(values.ndim, axis, 0, 1)])
    return (xp.concat([values, end], axis=axis) + xp.concat([end, values], axis=axis)) * 0.5


def _net(xp: Any, flux: Any, fluxes: AxisFluxes) -> Any:
    axis = fluxes.axis
    if fluxes.periodic:
        return flux - xp.roll(flux, -1, axis=axis)
    end = xp.zeros_like(flux[along(flux.ndim, axis, 0, 1)])
    return xp.concat([end, flux], axis=axis) - xp.concat([flux, end], axis=axis)
