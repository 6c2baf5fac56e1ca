"""Explicit steps of diffusion on NumPy arrays: many of them at once on compiled loops, or in buffers made once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuconv.backends.cpu import compiled
from gpuconv.backends.generic.stencil import CLOSED, AxisFluxes, FluxOperator, StepsProblem, along

# Steps from which arrays of conductances are worth being laid out for compiled loops. Float32, one thread, ratio of
# whole NumPy arrays to compiled loops: 250^2 cells and 1 step 0.4, 4 steps 1.0; 1000^2 1.1 and 1.5 (2 steps); with
# numbers instead of arrays 1.8, 3.2; 9.6 and 8.7.
LAID_OUT = 4


def why_not(problem: StepsProblem) -> str | None:
    """A full tensor is left to the generic row, whose sums over corners this one has not."""
    return "a full diffusivity tensor runs in generic" if problem.has_cross else None


def diffuse_steps(u: np.ndarray, operator: FluxOperator, lengths: Sequence[float]) -> np.ndarray:
    """``u = u + length * diffusion_rate(u)`` for one length after the other."""
    if not lengths:
        return u
    if why_not_compiled(u, operator, len(lengths)) is None:
        from gpuconv.backends.cpu import stencil_steps

        return stencil_steps.diffuse_steps(u, operator, lengths)
    steps = _Steps(u, operator)
    u = u.copy()
    for length in lengths:
        rate = steps.rate(u)
        rate *= length
        u += rate
    return u


def diffusion_rate(u: np.ndarray, operator: FluxOperator) -> np.ndarray:
    """``sum over axes of inverse_volume * (what enters each cell) + source``, of the shape of u."""
    if why_not_compiled(u, operator, 1) is None:
        from gpuconv.backends.cpu import stencil_steps

        return stencil_steps.diffusion_rate(u, operator)
    return _Steps(u, operator).rate(u)


def why_not_compiled(u: np.ndarray, operator: FluxOperator, steps: int) -> str | None:
    """Why compiled loops do not take so many steps; None if they do."""
    parts, axes = operator.axes, len(operator.axes)
    if any(part.forward is not part.backward for part in parts):
        return "the flow of the medium is summed face by face, so that both cells see the same"
    if axes > 3 or {part.axis for part in parts} != set(range(-axes, 0)):
        return "compiled loops walk along the last axes, three at most"
    if steps < LAID_OUT and any(
        hasattr(value, "shape") for part in parts for value in (part.forward, part.inverse_volume)
    ):
        return f"arrays of conductances take longer to be laid out than {LAID_OUT - 1} steps"
    return compiled.why_not(u.size * steps * (2 * axes + 1), u.dtype)


class _Steps:
    """Buffers for the rate of arrays like u."""

    def __init__(self, u: np.ndarray, operator: FluxOperator) -> None:
        self.operator = operator
        self.total = np.empty_like(u, order="C")
        weighted = any(hasattr(part.inverse_volume, "shape") for part in operator.axes)
        self.part = np.empty_like(self.total) if weighted else self.total
        largest = max(self._faces(u.shape, part)[1] for part in operator.axes)
        directed = any(part.forward is not part.backward for part in operator.axes)
        self.flux = np.empty(largest, u.dtype)
        self.other = np.empty(largest if directed else 0, u.dtype)

    @staticmethod
    def _faces(shape: tuple[int, ...], part: AxisFluxes) -> tuple[tuple[int, ...], int]:
        sizes = list(shape)
        sizes[part.axis] = max(sizes[part.axis] - (not part.periodic), 0)
        return tuple(sizes), int(np.prod(sizes))

    def rate(self, u: np.ndarray) -> np.ndarray:
        """In a buffer that the next call writes to."""
        total = self.total
        total.fill(0)
        for part in self.operator.axes:
            weighted = hasattr(part.inverse_volume, "shape")
            into = self.part if weighted else total
            if weighted:
                into.fill(0)
            self._add(into, u, part)
            if weighted:
                into *= part.inverse_volume
                total += into
        if self.operator.source is not None:
            total += self.operator.source
        return total

    def _add(self, into: np.ndarray, u: np.ndarray, part: AxisFluxes) -> None:
        """Adds what enters each cell through its two faces across one axis."""
        size, axis, ndim = u.shape[part.axis], part.axis, u.ndim
        if size == 0:
            return
        shape, count = self._faces(u.shape, part)
        flux = self.flux[:count].reshape(shape)
        first, rest = along(ndim, axis, 0, 1), along(ndim, axis, 1, size)
        last, until = along(ndim, axis, size - 1, size), along(ndim, axis, 0, size - 1)
        if part.periodic:
            self._through(flux[rest], u[until], u[rest], part, rest)
            self._through(flux[first], u[last], u[first], part, first)
            into += flux
            into[until] -= flux[rest]
            into[last] -= flux[first]
            return
        self._through(flux, u[until], u[rest], part, None)
        into[rest] += flux
        into[until] -= flux
        for cell, (exchange, supply) in ((first, part.low), (last, part.high)):
            if (exchange, supply) is not CLOSED:
                into[cell] += supply - exchange * u[cell]

    def _through(self, flux: np.ndarray, before: np.ndarray, after: np.ndarray, part: AxisFluxes, where: Any) -> None:
        forward, backward = _cut(part.forward, where, part.axis), _cut(part.backward, where, part.axis)
        if part.forward is part.backward:
            np.subtract(before, after, out=flux)
            flux *= forward
            return
        np.multiply(before, forward, out=flux)
        other = self.other[: flux.size].reshape(flux.shape)
        np.multiply(after, backward, out=other)
        flux -= other


def _cut(value: Any, where: tuple[slice, ...] | None, axis: int) -> Any:
    """Those of the faces of a periodic axis that `where` picks along it."""
    if where is None or not hasattr(value, "shape") or len(value.shape) < -axis or value.shape[axis] == 1:
        return value
    return value[along(value.ndim, axis, where[axis].start, where[axis].stop)]
