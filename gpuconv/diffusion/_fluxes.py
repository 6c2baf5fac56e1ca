"""From diffusivity, grid, walls, wind and conditions to what flows through each face: finite volumes.

``du/dt = (1/V) sum over faces of A (D_f (u_beyond - u)/h - v ...)`` with the harmonic mean
``D_f = 2 D_1 D_2/(D_1 + D_2)`` of the two cells, which makes the resistances ``h/(2 D)`` of the two half cells add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.generic.stencil import CLOSED, AxisFluxes, FluxOperator, along
from gpuconv.core.arguments import refusal
from gpuconv.core.namespace import Home, bring_home, cast, home_of, is_lazy, to_numpy
from gpuconv.diffusion._media import Medium
from gpuconv.diffusion._schemes import Rates
from gpuconv.diffusion._walls import Walls
from gpuconv.diffusion.conditions import Condition
from gpuconv.diffusion.grid import Grid, Line

# exp(-50) is far below rounding: beyond it a flow leaves no diffusion against its direction.
_FASTEST = 50.0


@dataclass(frozen=True)
class Setting:
    """All of a problem but its walls: what `assemble` needs."""

    grid: Grid
    conditions: tuple[tuple[Condition, Condition], ...]
    medium: Medium
    home: Home
    dtype: str
    """Real dtype of the coefficients."""

    @property
    def axes(self) -> int:
        return len(self.conditions)

    @property
    def directed(self) -> bool:
        return self.medium.velocity is not None


def assemble(setting: Setting, walls: Walls | None) -> tuple[FluxOperator, Rates | None]:
    """The operator, and how fast it is; None where the coefficients cannot be read."""
    parts = [_axis_fluxes(setting, axis, walls) for axis in range(setting.axes)]
    cross = None
    if setting.medium.cross is not None and _has_corners(setting):
        cross = _corners(setting, parts, setting.medium.cross)
        parts = _with_oblique_ends(setting, parts)
    rates = _rates(setting, parts, walls, cross)
    operator = FluxOperator(tuple(_at_home(setting, part) for part in parts), None, _value_home(setting, cross))
    return operator, rates


def _axis_fluxes(setting: Setting, axis: int, walls: Walls | None) -> AxisFluxes:
    line, place = setting.grid.lines[axis], axis - setting.axes
    periodic = setting.conditions[axis][0].kind == "periodic"
    diffusivity = setting.medium.diagonal[axis]
    areas, volume = _metric(line, place)
    if not isinstance(diffusivity, float | np.ndarray):
        areas = _value_home(setting, areas)
    inside = areas if isinstance(areas, float) else areas[along(areas.ndim, place, 1, line.count)]
    between = _harmonic(diffusivity, place, periodic) * (1 / line.spacing)
    face = _resist(between, walls, axis, place, periodic) * inside
    fluxes = AxisFluxes(place, periodic, face, face, CLOSED, CLOSED, volume)
    if not periodic:
        ends = (0, line.count - 1)
        exchange = [_end(setting, axis, side, cell, areas) for side, cell in enumerate(ends)]
        fluxes = replace(fluxes, low=exchange[0], high=exchange[1])
    return _with_wind(setting, fluxes, axis, areas, walls) if setting.directed else fluxes


def _metric(line: Line, place: int) -> tuple[Any, Any]:
    """Areas of the faces, and one over the volumes; on a straight axis the latter is taken into the former."""
    if line.geometry == "cartesian":
        return 1 / line.spacing, 1.0
    shape = (-1,) + (1,) * (-place - 1)
    return line.areas.reshape(shape), (1 / line.volumes).reshape(shape)


def _harmonic(diffusivity: Any, place: int, periodic: bool) -> Any:
    """``2 a b/(a + b)`` of the cells on both sides of each face; 0 where both are 0."""
    if isinstance(diffusivity, float) or diffusivity.ndim == 0:
        return diffusivity
    xp, size = home_of(diffusivity).xp, diffusivity.shape[place]
    if periodic:
        before, after = xp.roll(diffusivity, 1, axis=place), diffusivity
    else:
        before = diffusivity[along(diffusivity.ndim, place, 0, size - 1)]
        after = diffusivity[along(diffusivity.ndim, place, 1, size)]
    total = before + after
    something = total > 0
    # The larger one's share first: the product of two tiny diffusivities would underflow.
    return xp.where(something, 2 * before * (after / xp.where(something, total, xp.ones_like(total))), 0 * total)


def _resist(between: Any, walls: Walls | None, axis: int, place: int, periodic: bool) -> Any:
    """Conductances per area, in series with those of the walls."""
    resistance = None if walls is None else walls.resistances[axis]
    if resistance is None:
        return between
    if not periodic:
        if resistance[along(resistance.ndim, place, 0, 1)].any():
            rule = "a wall before cell 0 stands on the face that joins the ends of a periodic axis"
            given = f"axis {axis} is not periodic"
            raise ValueError(refusal(rule, given, 'Choose an index above 0; "no-flux" closes the outer faces'))
        resistance = resistance[along(resistance.ndim, place, 1, resistance.shape[place])]
    open_faces, finite = np.isfinite(resistance) * 1.0, np.where(np.isfinite(resistance), resistance, 0.0)
    if not isinstance(between, float | np.ndarray):
        home = home_of(between)
        name = str(between.dtype).rpartition(".")[2]
        open_faces, finite = bring_home(open_faces, home, name), bring_home(finite, home, name)
    return between * open_faces / (1 + between * finite)


def _end(setting: Setting, axis: int, side: int, cell: int, areas: Any) -> tuple[Any, Any]:
    """(exchange, supply) of an outer face."""
    condition, line, place = setting.conditions[axis][side], setting.grid.lines[axis], axis - setting.axes
    exchange, supply = condition.exchange(line.spacing)
    area = areas if isinstance(areas, float) else float(areas.reshape(-1)[0 if side == 0 else -1])
    if (exchange == supply == 0) or area == 0:
        return CLOSED
    diffusivity = setting.medium.diagonal[axis]
    if not isinstance(diffusivity, float) and diffusivity.ndim:
        diffusivity = diffusivity[along(diffusivity.ndim, place, cell, cell + 1)]
    return diffusivity * (exchange * area), diffusivity * (supply * area)


def _with_wind(setting: Setting, fluxes: AxisFluxes, axis: int, areas: Any, walls: Walls | None) -> AxisFluxes:
    """Fluxes with the flow of the medium, by exponential fitting: exact for steady flow along one axis. [1]_

    ``G b(|q|/G) + max(q, 0)`` forward, ``G b(|q|/G) + max(-q, 0)`` backward, with ``b(z) = z/(exp(z) - 1)``: central
    differences where diffusion prevails, upwind ones where the flow does, never a negative weight.

    References
    ----------
    .. [1] D. L. Scharfetter, H. K. Gummel, "Large-signal analysis of a silicon Read diode oscillator", IEEE
       Transactions on Electron Devices 16 (1969) 64-77. DOI 10.1109/T-ED.1969.16566
    """
    assert setting.medium.velocity is not None
    place, line = fluxes.axis, setting.grid.lines[axis]
    flow = setting.medium.velocity[axis] * areas
    count = line.count
    if isinstance(flow, float):
        flow = np.full((count + 1,) + (1,) * (-place - 1), flow)
    xp = home_of(flow).xp
    inner = flow[along(flow.ndim, place, 0 if fluxes.periodic else 1, count)]
    resistance = None if walls is None else walls.resistances[axis]
    if resistance is not None:
        is_open = np.isfinite(resistance[along(resistance.ndim, place, 0 if fluxes.periodic else 1, count)]) * 1.0
        inner = inner * (is_open if xp is home_of(is_open).xp else bring_home(is_open, setting.home, setting.dtype))
    conductance = fluxes.forward
    if not isinstance(conductance, float) and home_of(conductance).library != home_of(inner).library:
        conductance, inner = _value_home(setting, conductance), _value_home(setting, inner)
        xp = setting.home.xp
    elif isinstance(conductance, float):
        conductance = xp.full_like(inner, conductance)
    left = _fitted(xp, conductance, inner)
    away = 0.5 * (xp.abs(inner) + inner)
    fluxes = replace(fluxes, forward=left + away, backward=left + (away - inner))
    if fluxes.periodic:
        return fluxes
    ends = (flow[along(flow.ndim, place, 0, 1)], -flow[along(flow.ndim, place, count, count + 1)])
    low, high = setting.conditions[axis]
    return replace(
        fluxes,
        low=_end_wind(xp, fluxes.low, ends[0], low, line.spacing),
        high=_end_wind(xp, fluxes.high, ends[1], high, line.spacing),
    )


def _fitted(xp: Any, conductance: Any, flow: Any) -> Any:
    """``G b(|q|/G)`` with ``b(z) = z/(exp(z) - 1)``; 0 where G is."""
    something = conductance > 0
    ratio = xp.abs(flow) / xp.where(something, conductance, xp.ones_like(conductance))
    ratio = xp.where(ratio < _FASTEST, ratio, _FASTEST + 0 * ratio)
    small = ratio < 1e-2
    away = xp.where(small, xp.ones_like(ratio), ratio)
    series = 1 - ratio / 2 + ratio**2 / 12 - ratio**4 / 720
    return conductance * xp.where(small, series, away / xp.expm1(away))


def _end_wind(xp: Any, end: tuple[Any, Any], inward: Any, condition: Condition, spacing: float) -> tuple[Any, Any]:
    """The flow through an outer face brings what is on the face, and takes what is in the cell."""
    if condition.kind == "no-flux":
        return end
    brings = 0.5 * (xp.abs(inward) + inward)
    takes = brings - inward
    exchange, supply = end
    if condition.b == 0:  # a known value half a cell away: fitted like an inner face
        through = _fitted(xp, exchange * xp.ones_like(inward), inward)
        return through + takes, (through + brings) * (condition.value / condition.a)
    resistance = condition.a * spacing + 2 * condition.b
    return (
        exchange + takes - brings * (2 * condition.b / resistance),
        supply + brings * (condition.value * spacing / resistance),
    )


def _has_corners(setting: Setting) -> bool:
    return all(
        line.count > 1 or low.kind == "periodic"
        for line, (low, _) in zip(setting.grid.lines, setting.conditions, strict=True)
    )


def _corners(setting: Setting, parts: list[AxisFluxes], cross: Any) -> Any:
    """The off-diagonal entry at the corners, nowhere more than the fluxes around it allow an operator of one sign."""
    spacing = prod(setting.grid.spacing)
    shape = setting.grid.shape
    values = np.broadcast_to(cross, shape) / spacing
    limits = [np.broadcast_to(_face_shape(part, shape, parts), part_shape(part, shape)) for part in parts]
    for place, part in zip((-2, -1), parts, strict=True):
        values = _pairs(values, place, part.periodic, lambda a, b: (a + b) / 2)
    first = _pairs(limits[0], -1, parts[1].periodic, np.minimum)
    second = _pairs(limits[1], -2, parts[0].periodic, np.minimum)
    most = np.sqrt(first * second)
    return np.clip(values, -most, most)


def part_shape(part: AxisFluxes, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the faces across the axis of `part` between cells of `shape`."""
    sizes = list(shape)
    sizes[part.axis] -= not part.periodic
    return tuple(sizes)


def _face_shape(part: AxisFluxes, shape: tuple[int, ...], parts: list[AxisFluxes]) -> np.ndarray:
    return np.broadcast_to(np.asarray(part.forward), part_shape(part, shape))


def _pairs(values: np.ndarray, place: int, periodic: bool, join: Any) -> np.ndarray:
    """`join` of neighbours along an axis, at the faces between them."""
    if periodic:
        return join(np.roll(values, 1, axis=place), values)
    size = values.shape[place]
    return join(values[along(values.ndim, place, 0, size - 1)], values[along(values.ndim, place, 1, size)])


def _with_oblique_ends(setting: Setting, parts: list[AxisFluxes]) -> list[AxisFluxes]:
    """On the outer faces without flux the slope across is ``-D_xy/D_yy`` times that along: half a corner of it."""
    medium, shape = setting.medium, setting.grid.shape
    cross = np.broadcast_to(medium.cross, shape)
    changed = []
    for own, other in ((0, 1), (1, 0)):
        part, across = parts[own], parts[other]
        if across.periodic:
            changed.append(part)
            continue
        straight = np.broadcast_to(medium.diagonal[other], shape)
        lost = np.divide(cross**2, straight, out=np.zeros(shape), where=straight > 0) / setting.grid.spacing[own] ** 2
        lost = _pairs(lost, part.axis, part.periodic, lambda a, b: (a + b) / 2)
        face = np.array(_face_shape(part, shape, parts))
        for end in (0, shape[across.axis] - 1):
            index = along(2, across.axis, end, end + 1)
            face[index] = np.maximum(face[index] - lost[index] / 2, face[index] / 2)
        changed.append(replace(part, forward=face, backward=face))
    return changed


def _rates(setting: Setting, parts: list[AxisFluxes], walls: Walls | None, cross: Any) -> Rates | None:
    values = [value for part in parts for value in _coefficients(part)]
    if any(is_lazy(home_of(value)) for value in values if not isinstance(value, float)):
        return None
    leaving = [_leaving(part, setting.grid.shape) for part in parts]
    if prod(setting.grid.shape) == 0:
        return Rates(0.0, (0.0,) * len(parts), False, 0.0)
    factor = 1.0 if cross is None else 2.0
    alike = all(isinstance(setting.medium.diagonal[axis], float) for axis in range(setting.axes)) and walls is None
    split = setting.axes > 1 and (cross is not None or setting.directed or not alike)
    per_axis = tuple(float(np.max(part)) for part in leaving)
    return Rates(factor * _largest_total(parts, leaving), per_axis, split, _flow(setting, parts))


def _flow(setting: Setting, parts: list[AxisFluxes]) -> float:
    """Bound on the imaginary part of any rate: the largest row sum of the antisymmetric part of the operator."""
    if not setting.directed:
        return 0.0
    turning = 0.0
    for part in parts:
        difference = np.abs(to_numpy(part.forward) - to_numpy(part.backward)) * np.max(part.inverse_volume)
        turning += float(np.max(difference, initial=0.0))
    return turning


def _coefficients(part: AxisFluxes) -> tuple[Any, ...]:
    return (part.forward, part.backward, *part.low, *part.high)


def _leaving(part: AxisFluxes, shape: tuple[int, ...]) -> np.ndarray:
    """What leaves each cell across one axis, per time and amount: the diagonal of the operator, positive.

    One entry along every other axis that it is the same along.
    """
    forward, backward, low, high = (
        value if isinstance(value, float) else to_numpy(value).astype(np.float64)
        for value in (part.forward, part.backward, part.low[0], part.high[0])
    )
    size, axis = shape[part.axis], part.axis
    shapes = [(1,) * len(shape)]
    for value in (forward, backward, low, high, part.inverse_volume):
        own = list(np.shape(value))
        if len(own) >= -axis:
            own[axis] = 1
        shapes.append(tuple(own))
    sizes = list(np.broadcast_shapes(*shapes))
    sizes[axis] = size
    out = np.zeros(sizes)
    if part.periodic:
        out += backward
        out += np.roll(np.broadcast_to(forward, out.shape), -1, axis=axis)
    elif size:
        out[along(out.ndim, axis, 0, size - 1)] += forward
        out[along(out.ndim, axis, 1, size)] += backward
        out[along(out.ndim, axis, 0, 1)] += low
        out[along(out.ndim, axis, size - 1, size)] += high
    return out * part.inverse_volume


def _largest_total(parts: list[AxisFluxes], leaving: list[np.ndarray]) -> float:
    """What leaves a cell across all axes, at most."""
    if all(each.size == each.shape[part.axis] for part, each in zip(parts, leaving, strict=True)):
        return sum(float(np.max(each)) for each in leaving)  # each along its own axis: some cell has the most of all
    total: Any = sum(leaving)
    return float(np.max(total))


def _at_home(setting: Setting, part: AxisFluxes) -> AxisFluxes:
    same = part.forward is part.backward
    forward = _value_home(setting, part.forward)
    low, high = (tuple(_value_home(setting, value) for value in end) for end in (part.low, part.high))
    return replace(
        part,
        forward=forward,
        backward=forward if same else _value_home(setting, part.backward),
        low=low,
        high=high,
        inverse_volume=_value_home(setting, part.inverse_volume),
    )


def _value_home(setting: Setting, value: Any) -> Any:
    """A coefficient in the library, on the device and of the precision of u; numbers stay numbers."""
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, np.ndarray):
        return bring_home(value, coefficient_home(setting.home), setting.dtype)
    return cast(setting.home, value, setting.dtype)


def coefficient_home(home: Home) -> Home:
    """Where coefficients go: to u, but for chunked arrays, whose blocks each cut out what they need of NumPy's."""
    return home_of(np.empty(0)) if is_lazy(home) and not home.traced else home
