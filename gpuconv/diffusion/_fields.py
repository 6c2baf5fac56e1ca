"""The array of a nonlinear diffusion: read, brought into working order, and stepped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np

from gpuconv.backends.generic.stencil import FluxOperator, axis_operator
from gpuconv.core.arguments import read_axes, read_integer, refusal
from gpuconv.core.dtypes import DtypeRule
from gpuconv.core.namespace import Home, cast, chunks_of, dtype_in, read_image
from gpuconv.diffusion._advance import Stretch, advance
from gpuconv.diffusion._arguments import read_rule, read_spacing
from gpuconv.diffusion._edges import Grid
from gpuconv.diffusion._schemes import fed_stages
from gpuconv.diffusion.conditions import read_conditions
from gpuconv.kernels._arguments import read_count

MOST_STEPS = 10**6
# Semi-implicit steps in explicit ones: 5 for h = 1 in two dimensions, which Weickert, ter Haar Romeny and Viergever
# recommend (IEEE Transactions on Image Processing 7 (1998) 398, DOI 10.1109/83.661190).
_IMPLICIT_RATIO = 20
# Explicit steps in a cycle of fast explicit diffusion, after which the medium is looked at again: 6 inner steps.
_CYCLE_RATIO = 14
# Explicit steps up to which "auto" is explicit. On a photo after 480 explicit steps AOS was ten times as fast, and
# its error a quarter of all that diffusion had changed (0.0115 of 0.0446, root mean squares).
_FEW = 1000
# A step of exactly the limit must not be taken for a longer one by rounding.
_SLACK = 1 + 1e-9


@dataclass(frozen=True)
class Field:
    """An array's facts: batches first, then channels, the axes of the grid last."""

    home: Home
    order: tuple[int, ...]
    rule: DtypeRule
    grid: Grid

    def enter(self, u: Any) -> Any:
        work = cast(self.home, u, self.rule.accumulator)
        return work if self._is_ordered else self.home.xp.permute_dims(work, self.order)

    def leave(self, work: Any) -> Any:
        if not self._is_ordered:
            work = self.home.xp.permute_dims(work, tuple(np.argsort(self.order).tolist()))
        return cast(self.home, work, self.rule.result)

    @property
    def _is_ordered(self) -> bool:
        return self.order == tuple(range(len(self.order)))

    def copy(self, u: Any) -> Any:
        """u as it would come back after no time."""
        return self.home.xp.concat([cast(self.home, u, self.rule.result)], axis=0)


def read_field(u: Any, spacing: Any, boundary: Any, axes: Any, channel_axis: Any) -> tuple[Any, Field]:
    """u and what is to be known of it."""
    u, home = read_image(u, "u")
    chunks_of(u, home, "u")
    rule = read_rule(u, "float64")
    dtype_in(home, rule.result)
    channel = None
    if channel_axis is not None:
        channel = read_axes(read_integer("channel_axis", channel_axis), u.ndim)[0]
    if axes is None:
        listed = tuple(axis for axis in range(u.ndim) if axis != channel)
    else:
        listed = read_axes(axes, u.ndim)
    if not listed:
        given = f"u has shape {tuple(u.shape)}, channel_axis={channel_axis}"
        raise ValueError(refusal("diffusion needs at least one axis", given, "Give u a dimension, or name an axis"))
    if channel in listed:
        given = f"got channel_axis={channel_axis}, axes={axes!r}"
        raise ValueError(refusal("the axis of channels cannot diffuse", given, "Leave it out of axes"))
    front = tuple(axis for axis in range(u.ndim) if axis not in listed and axis != channel)
    order = (*front, *(() if channel is None else (channel,)), *listed)
    grid = Grid(read_spacing(spacing, len(listed)), _periodic(boundary, len(listed)), channel is not None)
    return u, Field(home, order, rule, grid)


def _periodic(boundary: Any, axes: int) -> tuple[bool, ...]:
    conditions = read_conditions(boundary, axes)
    for pair in conditions:
        for side in pair:
            if side.kind not in ("periodic", "no-flux"):
                rule = 'nonlinear diffusion has the boundaries "no-flux" and "periodic"'
                raise ValueError(refusal(rule, f"got {side}", "Choose one of these"))
    return tuple(low.kind == "periodic" for low, _ in conditions)


@dataclass(frozen=True)
class Schedule:
    """`steps` steps of `length`, in each of which the medium stands still; `stages` inner steps of "fed"."""

    scheme: str
    steps: int
    length: float
    stages: int


def schedule(time: float, limit: float, scheme: str, steps: Any) -> Schedule:
    """How to go through `time` if no cell exchanges more than `limit` per time."""
    ratio, asked = time * limit, None if steps is None else read_count("steps", steps, 1)
    if scheme == "auto":
        scheme = "explicit" if ratio <= (_FEW if asked is None else asked) * _SLACK else "aos"
    share = {"explicit": 1, "fed": _CYCLE_RATIO, "aos": _IMPLICIT_RATIO}[scheme]
    count = asked or max(1, ceil(ratio / share / _SLACK))
    if scheme == "explicit" and ratio > count * _SLACK:
        rule = f"an explicit step is stable up to a length of {1 / limit:.6g}"
        given = f"{count} steps for a time of {time:g} make {time / count:.6g}"
        remedy = f'Take at least {ceil(ratio / _SLACK)} steps, or scheme="aos"'
        raise ValueError(refusal(rule, given, remedy))
    if count > MOST_STEPS:
        given = f"a time of {time:g} takes {count}"
        raise ValueError(refusal(f"at most {MOST_STEPS} steps are taken", given, 'Take scheme="aos", or wider cells'))
    return Schedule(scheme, count, time / count, fed_stages(ratio / count) if scheme == "fed" else 1)


def march(u: Any, medium: Callable[[Any], FluxOperator], plan: Schedule) -> Any:
    """u after all steps; `medium(u)` is the operator of the next one."""
    for _ in range(plan.steps):
        operator = medium(u)
        u = _aos(u, operator, plan.length) if plan.scheme == "aos" else _step(u, operator, plan)
    return u


def _step(u: Any, operator: FluxOperator, plan: Schedule) -> Any:
    return advance(u, Stretch(operator, plan.scheme, plan.stages, 0.0, plan.length, 1, None), None)


def _aos(u: Any, operator: FluxOperator, length: float) -> Any:
    """Additive operator splitting, ``mean over axes of (1 - d dt L_a)^-1 u``: no axis goes first. [1]_

    References
    ----------
    .. [1] J. Weickert, B. M. ter Haar Romeny, M. A. Viergever, "Efficient and reliable schemes for nonlinear diffusion
       filtering", IEEE Transactions on Image Processing 7 (1998) 398-410, equation 23. DOI 10.1109/83.661190
    """
    count = len(operator.axes)
    parts = [implicit_step(u, axis_operator(operator, position), count * length) for position in range(count)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total if count == 1 else total * (1 / count)


def implicit_step(u: Any, operator: FluxOperator, length: float) -> Any:
    """One step of backward Euler, one axis after the other."""
    return advance(u, Stretch(operator, "backward-euler", 1, 0.0, length, 1, None), None)


def is_empty(u: Any) -> bool:
    return prod(u.shape) == 0
