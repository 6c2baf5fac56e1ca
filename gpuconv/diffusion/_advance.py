"""Carries out a choice of scheme and steps, with the primitives `diffuse_steps` and `solve_tridiagonal`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpuconv.backends.generic.lines import TridiagonalProblem
from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator, along, axis_operator, steps_problem
from gpuconv.backends.loops import repeat
from gpuconv.backends.registry import select
from gpuconv.core.namespace import Home, bring_home, dtype_name, home_of
from gpuconv.diffusion._fluxes import coefficient_home
from gpuconv.diffusion._schemes import IMPLICIT, fed_lengths, rkl2_weights

# Explicit steps handed to an engine at once where somebody watches the progress.
_WATCHED = 64


@dataclass(frozen=True)
class Matrix:
    """The three diagonals of the operator of one axis, for one array of u.

    Implicit steps solve for the change of u, whose right-hand side is what flows through faces: rounding is that of the
    change, so that long runs in single precision lose little mass.
    """

    axis: int
    cyclic: bool
    lower: Any
    diagonal: Any
    upper: Any


@dataclass(frozen=True)
class Stretch:
    """A time with one operator: `steps` steps of `scheme` with `stages` inner steps each, from `start` on."""

    operator: FluxOperator
    scheme: str
    stages: int
    start: float
    length: float
    steps: int
    source: Callable[[float], Any] | None

    @property
    def step(self) -> float:
        return self.length / self.steps

    def at(self, position: int) -> FluxOperator:
        """The operator of one step: a source that varies counts with its value at the middle."""
        if self.source is None:
            return self.operator
        return replace(self.operator, source=self.source(self.start + (position + 0.5) * self.step))


def advance(u: Any, stretch: Stretch, watch: Callable[[int], None] | None) -> Any:
    """u at the end of the stretch; `watch` is told how many steps were done."""
    if stretch.source is not None:
        one_step = _one_step(u, stretch)
        for position in range(stretch.steps):
            u = one_step(u, stretch.at(position), position)
            _tell(watch, 1)
        return u
    chunk = stretch.steps if watch is None else _WATCHED
    for start in range(0, stretch.steps, chunk):
        count = min(chunk, stretch.steps - start)
        u = _many_steps(u, stretch, count)
        _tell(watch, count)
    return u


def _tell(watch: Callable[[int], None] | None, count: int) -> None:
    if watch is not None:
        watch(count)


def _many_steps(u: Any, stretch: Stretch, count: int) -> Any:
    """Steps that are all alike, but for the order of axes, which may be another in every second one."""
    operator = stretch.operator
    if stretch.scheme in ("explicit", "fed"):
        return _steps(u, operator, _lengths(stretch) * count)
    one_step = _one_step(u, stretch)
    u = repeat(lambda state: one_step(one_step(state, operator, 0), operator, 1), u, [()] * (count // 2))
    return one_step(u, operator, 0) if count % 2 else u


def _one_step(u: Any, stretch: Stretch) -> Callable[[Any, FluxOperator, int], Any]:
    """``step(u, operator, position)`` of a scheme, with what it needs of the operator without its source at hand."""
    step = stretch.step
    if stretch.scheme in IMPLICIT:
        matrices = [_matrix(u, stretch.operator, axis) for axis in range(len(stretch.operator.axes))]
        scheme = _backward_euler if stretch.scheme == "backward-euler" else _crank_nicolson
        return lambda state, operator, position: scheme(state, operator, matrices, step, position)
    if stretch.scheme == "rkl2":
        return lambda state, operator, position: _rkl2_step(state, operator, step, stretch.stages)
    return lambda state, operator, position: _steps(state, operator, _lengths(stretch))


def _lengths(stretch: Stretch) -> tuple[float, ...]:
    """Of the explicit steps that are one step."""
    cycle = (1.0,) if stretch.scheme == "explicit" else fed_lengths(stretch.stages).tolist()
    return tuple(length * stretch.step for length in cycle)


def _steps(u: Any, operator: FluxOperator, lengths: tuple[float, ...]) -> Any:
    return select("diffuse_steps", steps_problem(u, operator, len(lengths)))(u, operator, lengths)


def _rkl2_step(u: Any, operator: FluxOperator, step: float, stages: int) -> Any:
    """``Y_j = mu Y_(j-1) + nu Y_(j-2) + (1 - mu - nu) Y_0 + mu~ dt M Y_(j-1) + gamma~ dt M Y_0``."""
    rate = select("diffusion_rate", steps_problem(u, operator, 1))
    start_rate = rate(u, operator)

    def stage(state: tuple[Any, Any], mu: float, nu: float, mu_rate: float, gamma: float) -> tuple[Any, Any]:
        before, now = state
        # As changes since the start: what is constant stays so to the last bit.
        later = u + (mu * (now - u) + nu * (before - u))
        return now, later + step * (mu_rate * rate(now, operator) + gamma * start_rate)

    first, *rest = rkl2_weights(stages)
    return repeat(stage, (u, u + first[2] * step * start_rate), rest)[1]


def _backward_euler(u: Any, operator: FluxOperator, matrices: list[Matrix], step: float, position: int) -> Any:
    """One axis after the other, ``(1 - dt L_a) (u' - u) = dt (L_a u + inflow_a)``: each keeps the maximum principle."""
    if operator.source is not None:
        u = u + step * operator.source
    for axis, matrix in enumerate(matrices):
        u = u + _solve(step * _rate(u, axis_operator(operator, axis)), matrix, step)
    return u


def _crank_nicolson(u: Any, operator: FluxOperator, matrices: list[Matrix], step: float, position: int) -> Any:
    """One axis as it stands; two after Peaceman and Rachford; [1]_ more one by one, every second step backwards. [2]_

    Two axes: with ``A = dt/2 L_1``, ``B = dt/2 L_2`` the norm of ``(1 - B) u`` never grows, whatever the diffusivities,
    and what is steady stays so. More axes have no such scheme (Douglas's grows without bound where diffusivities jump
    by orders of magnitude); there each factor is a contraction, but a source and what flows are split.

    References
    ----------
    .. [1] D. W. Peaceman, H. H. Rachford, "The numerical solution of parabolic and elliptic differential equations",
       Journal of SIAM 3 (1955) 28-41. DOI 10.1137/0103003
    .. [2] G. Strang, "On the construction and comparison of difference schemes", SIAM Journal on Numerical Analysis 5
       (1968) 506-517. DOI 10.1137/0705041
    """
    if len(matrices) == 2:
        for matrix in matrices:
            u = u + _solve(step / 2 * _rate(u, operator), matrix, step / 2)
        return u
    order = range(len(matrices))
    for axis in reversed(order) if position % 2 else order:
        change = step * _rate(u, axis_operator(operator, axis))
        if operator.source is not None and axis == len(matrices) - 1:
            change = change + step * operator.source
        u = u + _solve(change, matrices[axis], step / 2)
    return u


def _rate(u: Any, operator: FluxOperator) -> Any:
    return select("diffusion_rate", steps_problem(u, operator, 1))(u, operator)


def _solve(right: Any, matrix: Matrix, step: float) -> Any:
    """x of ``(1 - step L) x = right`` along one axis."""
    home = home_of(right)
    shared = all(size == 1 for place, size in enumerate(matrix.diagonal.shape[::-1]) if place != -matrix.axis - 1)
    problem = TridiagonalProblem(
        home.library,
        str(home.device),
        home.traced or home_of(matrix.diagonal).traced,
        tuple(right.shape),
        dtype_name(right.dtype),
        matrix.axis,
        matrix.cyclic,
        shared,
    )
    solve = select("solve_tridiagonal", problem)
    lower, upper = -step * matrix.lower, -step * matrix.upper
    return solve(right, lower, 1 - step * matrix.diagonal, upper, matrix.axis, matrix.cyclic)


def _matrix(u: Any, operator: FluxOperator, position: int) -> Matrix:
    """The operator of one axis as three diagonals with an entry per cell along it."""
    part = operator.axes[position]
    home = coefficient_home(home_of(u))
    xp, axis, size = home.xp, part.axis, u.shape[part.axis]
    count = size if part.periodic else size - 1
    forward, backward = (_as_line(value, count, part, u, home) for value in (part.forward, part.backward))
    if count == 0:
        forward = backward = _as_line(0.0, 0, part, u, home)
    if part.periodic:
        lower, upper, gone = forward, xp.roll(backward, -1, axis=axis), xp.roll(forward, -1, axis=axis) + backward
    else:
        nothing = 0 * (forward[along(forward.ndim, axis, 0, 1)] if count else _as_line(0.0, 1, part, u, home))
        lower = xp.concat([nothing, forward], axis=axis)
        upper = xp.concat([backward, nothing], axis=axis)
        gone = xp.concat([forward, nothing], axis=axis) + xp.concat([nothing, backward], axis=axis)
        gone = gone + _at_end(part.low[0], gone, axis, 0, home) + _at_end(part.high[0], gone, axis, size - 1, home)
    volume = part.inverse_volume
    return Matrix(axis, part.periodic, lower * volume, -gone * volume, upper * volume)


def _as_line(value: Any, count: int, part: AxisFluxes, like: Any, home: Home) -> Any:
    """A coefficient with `count` entries along the axis."""
    if hasattr(value, "shape") and len(value.shape) >= -part.axis and value.shape[part.axis] == count:
        return value
    name = dtype_name(like.dtype)
    real = {"complex64": "float32", "complex128": "float64"}.get(name, name)
    return bring_home(np.ones((count,) + (1,) * (-part.axis - 1)), home, real) * value


def _at_end(value: Any, like: Any, axis: int, cell: int, home: Home) -> Any:
    """`value` at one end of the axis, zeros elsewhere."""
    if isinstance(value, float) and value == 0:
        return 0.0
    place = np.zeros((like.shape[axis],) + (1,) * (-axis - 1))
    place[cell] = 1.0
    return bring_home(place, home, dtype_name(like.dtype)) * value
