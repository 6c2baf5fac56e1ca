"""What nonlinear diffusion looks at: differences across faces, edges, and how much flows where.

Arrays here have the axes of the grid last and batches in front; `periodic` has one entry per axis of the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator, along
from gpuconv.core.dtypes import is_complex
from gpuconv.core.namespace import dtype_name, home_of
from gpuconv.diffusion.propagators import diffuse

# Share of the gradients that are no edges where no contrast is given: what Perona and Malik take.
USUAL = 0.9
# Below a tenth of the contrast total variation flow is linear diffusion: its conductance would have no bound.
_FLAT = 0.01


@dataclass(frozen=True)
class Conductance:
    """``g(q)`` with ``q = (|grad u|/contrast)^2``, and the largest value it takes."""

    function: Callable[[Any, Any], Any]
    most: float


def _weickert(xp: Any, q: Any) -> Any:
    steep = q > 1e-3
    return 1 - xp.exp(-3.31488 / xp.where(steep, q, 0 * q + 1e-3) ** 4)


def _tukey(xp: Any, q: Any) -> Any:
    return xp.where(q < 1, 1 - q, 0 * q) ** 2


CONDUCTANCES = {
    "exponential": Conductance(lambda xp, q: xp.exp(-q), 1.0),
    "rational": Conductance(lambda xp, q: 1 / (1 + q), 1.0),
    "charbonnier": Conductance(lambda xp, q: 1 / xp.sqrt(1 + q), 1.0),
    "tukey": Conductance(_tukey, 1.0),
    "weickert": Conductance(_weickert, 1.0),
    "tv": Conductance(lambda xp, q: 1 / xp.sqrt(q + _FLAT), _FLAT**-0.5),
}


@dataclass(frozen=True)
class Grid:
    """Straight axes, the last ones of an array; `channels` says whether the axis before them couples."""

    spacing: tuple[float, ...]
    periodic: tuple[bool, ...]
    channels: bool

    @property
    def axes(self) -> range:
        """Counted from the last."""
        return range(-len(self.spacing), 0)

    @property
    def boundary(self) -> list[str]:
        return ["periodic" if each else "no-flux" for each in self.periodic]

    @property
    def limit(self) -> float:
        """The largest sum of conductances of a cell whose medium conducts with 1."""
        return sum(2 / h**2 for h in self.spacing)

    def smoothed(self, u: Any, sigma: float) -> Any:
        """Under a Gaussian of that standard deviation: the lattice one, which makes no new maximum."""
        if sigma == 0:
            return u
        axes = tuple(axis + u.ndim for axis in self.axes)
        return diffuse(u, sigma**2 / 2, spacing=self.spacing, boundary=self.boundary, axes=axes)

    def sides(self, u: Any) -> list[tuple[Any, Any]]:
        """Slopes ``(u[i] - u[i-1])/h`` and ``(u[i+1] - u[i])/h`` of every cell along each axis; 0 at closed ends."""
        xp, found = home_of(u).xp, []
        for axis, h, periodic in zip(self.axes, self.spacing, self.periodic, strict=True):
            if periodic:
                slope = (u - xp.roll(u, 1, axis=axis)) * (1 / h)
                found.append((slope, xp.roll(slope, -1, axis=axis)))
                continue
            size = u.shape[axis]
            slope = (u[along(u.ndim, axis, 1, size)] - u[along(u.ndim, axis, 0, size - 1)]) * (1 / h)
            end = 0 * u[along(u.ndim, axis, 0, 1)]
            found.append((xp.concat([end, slope], axis=axis), xp.concat([slope, end], axis=axis)))
        return found

    def steepness(self, u: Any) -> Any:
        """``|grad u|^2``: the mean of both sides along each axis, summed over axes and channels.

        With these and means at the faces, the flow descends the energy ``sum Psi(|grad u|^2)/2`` with ``Psi' = g``.
        """
        xp, total = home_of(u).xp, None
        for axis, h, periodic in zip(self.axes, self.spacing, self.periodic, strict=True):
            # Each slope is squared once, and counts for the cells on both sides.
            if periodic:
                squares = _square(u - xp.roll(u, 1, axis=axis)) * (0.5 / h**2)
                part = squares + xp.roll(squares, -1, axis=axis)
            else:
                size = u.shape[axis]
                slope = u[along(u.ndim, axis, 1, size)] - u[along(u.ndim, axis, 0, size - 1)]
                end = 0 * _square(u[along(u.ndim, axis, 0, 1)])
                squares = xp.concat([end, _square(slope) * (0.5 / h**2), end], axis=axis)
                part = squares[along(u.ndim, axis, 0, size)] + squares[along(u.ndim, axis, 1, size + 1)]
            total = part if total is None else total + part
        return self.coupled(total)

    def coupled(self, values: Any) -> Any:
        """The sum over channels, which all get."""
        if not self.channels:
            return values
        axis = -len(self.spacing) - 1
        return home_of(values).xp.sum(values, axis=axis, keepdims=True)

    def fluxes(self, conductance: Any) -> FluxOperator:
        """The flow through faces that conduct with the mean of the cells on both sides."""
        parts = []
        for axis, h, periodic in zip(self.axes, self.spacing, self.periodic, strict=True):
            face = between(conductance, axis, periodic) * (1 / h**2)
            parts.append(AxisFluxes(axis, periodic, face, face))
        return FluxOperator(tuple(parts))

    def usual_steepness(self, u: Any, share: float) -> Any:
        """The square of the gradient that a share of the cells does not exceed, of each batch by itself."""
        xp, steepness = home_of(u).xp, self.steepness(u)
        shape = tuple(steepness.shape)
        kept = len(self.spacing) + self.channels
        lead, count = shape[: len(shape) - kept], prod(shape[len(shape) - kept :])
        if count == 0:
            return 1.0
        ordered = xp.sort(xp.reshape(steepness, (*lead, count)), axis=-1)
        place = ceil(share * count) - 1
        return xp.reshape(ordered[..., place : place + 1], (*lead, *(1,) * kept))


def between(values: Any, axis: int, periodic: bool) -> Any:
    """Means of neighbours along an axis, at the faces between them."""
    xp, size = home_of(values).xp, values.shape[axis]
    if periodic:
        return 0.5 * (values + xp.roll(values, 1, axis=axis))
    return 0.5 * (values[along(values.ndim, axis, 1, size)] + values[along(values.ndim, axis, 0, size - 1)])


def _square(values: Any) -> Any:
    if is_complex(dtype_name(values.dtype)):
        xp = home_of(values).xp
        return xp.real(values) ** 2 + xp.imag(values) ** 2
    return values * values


def share_of(values: Any, squared_contrast: Any) -> Any:
    """``values/contrast^2``, 0 where both are 0."""
    xp = home_of(values).xp
    tiny = 1e-30 if dtype_name(values.dtype) == "float32" else 1e-290
    if isinstance(squared_contrast, float):
        return values * (1 / max(squared_contrast, tiny))
    return values / xp.where(squared_contrast > tiny, squared_contrast, 0 * squared_contrast + tiny)
