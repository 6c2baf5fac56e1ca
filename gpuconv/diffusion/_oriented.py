"""Diffusion tensors that follow edges and lines in the plane."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator, along
from gpuconv.core.namespace import home_of
from gpuconv.diffusion._edges import CONDUCTANCES, Grid, between, share_of

# What is left across edges, and along nothing in particular: keeps the tensor positive.
LEAST = 1e-3


def tensor_fluxes(grid: Grid, u: Any, kind: str, contrast: Any, sigma: float, rho: float) -> FluxOperator:
    """The flow through faces and corners for u as it is now; `contrast` is squared."""
    xx, xy, yy = tensors(grid, u, kind, contrast, sigma, rho)
    return _with_corners(grid, _with_diagonal(grid, (xx, yy)), xy)


def tensors(grid: Grid, u: Any, kind: str, contrast: Any, sigma: float, rho: float) -> tuple[Any, Any, Any]:
    """The entries xx, xy, yy of the diffusion tensor in every cell."""
    xx, xy, yy = (grid.smoothed(part, rho) for part in _structure(grid, grid.smoothed(u, sigma)))
    xp = home_of(xx).xp
    # xx - yy and 2 xy are the difference of the eigenvalues times the cosine and sine of twice the angle.
    apart = xp.sqrt((xx - yy) ** 2 + 4 * xy**2 + _tiny(xx))
    cosine, sine = (xx - yy) / apart, 2 * xy / apart
    if kind == "edge":
        steepness = share_of(0.5 * (xx + yy + apart), contrast)
        across, ahead = CONDUCTANCES["weickert"].function(xp, steepness), 0 * xx + 1
        across = LEAST + (1 - LEAST) * across
    else:
        share = share_of(apart, contrast)
        certain = share > 1e-3
        clear = xp.exp(-1 / xp.where(certain, share, 0 * share + 1) ** 2)
        across, ahead = 0 * xx + LEAST, LEAST + (1 - LEAST) * xp.where(certain, clear, 0 * share)
    mean, half = 0.5 * (across + ahead), 0.5 * (across - ahead)
    return mean + half * cosine, half * sine, mean - half * cosine


def _tiny(values: Any) -> float:
    return 1e-30 if str(values.dtype).endswith("float32") else 1e-200


def _structure(grid: Grid, u: Any) -> tuple[Any, Any, Any]:
    """Products of slopes, central ones, summed over channels."""
    x, y = (0.5 * (before + behind) for before, behind in grid.sides(u))
    return grid.coupled(x * x), grid.coupled(x * y), grid.coupled(y * y)


def _with_diagonal(grid: Grid, diagonal: tuple[Any, Any]) -> FluxOperator:
    parts = []
    for axis, h, periodic, values in zip(grid.axes, grid.spacing, grid.periodic, diagonal, strict=True):
        face = between(values, axis, periodic) * (1 / h**2)
        parts.append(AxisFluxes(axis, periodic, face, face))
    return FluxOperator(tuple(parts))


def _with_corners(grid: Grid, operator: FluxOperator, cross: Any) -> FluxOperator:
    """Mixed terms at the corners, nowhere more than the faces around allow an operator of one sign."""
    first, second = operator.axes
    if any(cross.shape[axis] < 2 and not periodic for axis, periodic in zip(grid.axes, grid.periodic, strict=True)):
        return operator
    xp = home_of(cross).xp
    corner = between(between(cross, -2, first.periodic), -1, second.periodic) * (
        1 / (grid.spacing[0] * grid.spacing[1])
    )
    most = xp.sqrt(_lower(first.forward, -1, second.periodic) * _lower(second.forward, -2, first.periodic))
    corner = xp.where(corner > most, most, xp.where(corner < -most, -most, corner))
    return replace(operator, cross=corner)


def _lower(values: Any, axis: int, periodic: bool) -> Any:
    """The lower of neighbours along an axis."""
    xp, size = home_of(values).xp, values.shape[axis]
    if periodic:
        before, behind = xp.roll(values, 1, axis=axis), values
    else:
        before = values[along(values.ndim, axis, 0, size - 1)]
        behind = values[along(values.ndim, axis, 1, size)]
    return xp.where(before < behind, before, behind)
