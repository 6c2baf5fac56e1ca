"""A call of `evolve` with its arguments read: what is computed on, and when the steps end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, prod
from typing import Any

import numpy as np

from gpuconv.backends.generic.stencil import FluxOperator
from gpuconv.core.arguments import read_axes, refusal
from gpuconv.core.dtypes import DtypeRule, complex_of, is_complex, real_of
from gpuconv.core.namespace import Home, bring_home, cast, chunks_of, dtype_name, has_double
from gpuconv.diffusion._advance import Stretch
from gpuconv.diffusion._arguments import read_grid, read_rule
from gpuconv.diffusion._fluxes import Setting, coefficient_home
from gpuconv.diffusion._media import Layout, read_diffusivity, read_source, read_velocity
from gpuconv.diffusion._schemes import Span, Stepping, choose, counted, fewest_stable
from gpuconv.diffusion._walls import Walls
from gpuconv.diffusion.conditions import Condition, read_conditions
from gpuconv.kernels._arguments import read_count, read_nonnegative

# Need no bound on the rates: what can be asked for where the diffusivity cannot be read.
_BLIND = ("explicit", "backward-euler", "crank-nicolson")
_CLOSE = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Posed:
    """u aside, all that `evolve` was asked."""

    setting: Setting
    layout: Layout
    rule: DtypeRule
    constant: Any
    varying: Callable[[float], Any] | None

    def enter(self, image: Any) -> Any:
        """u in its working dtype, the axes of the grid last."""
        work = cast(self.layout.home, image, self.working_dtype)
        order = self.layout.order
        return work if order == tuple(range(len(order))) else self.layout.home.xp.permute_dims(work, order)

    def leave(self, work: Any) -> Any:
        """The way back."""
        order = self.layout.order
        if order != tuple(range(len(order))):
            work = self.layout.home.xp.permute_dims(work, tuple(np.argsort(order).tolist()))
        return cast(self.layout.home, work, self.rule.result)

    @property
    def working_dtype(self) -> str:
        return self.rule.accumulator

    def mass(self, work: Any) -> Any:
        """``sum of V u`` over the grid, in double precision where the library has it."""
        home, grid = self.layout.home, self.setting.grid
        if has_double(home):
            work = cast(home, work, complex_of("float64") if is_complex(self.working_dtype) else "float64")
        axes = tuple(range(-self.layout.axes, 0))
        if all(line.geometry == "cartesian" for line in grid.lines):
            return home.xp.sum(work, axis=axes) * prod(grid.spacing)
        volumes = bring_home(grid.volumes, coefficient_home(home), real_of(dtype_name(work.dtype)))
        return home.xp.sum(work * volumes, axis=axes)

    def stretch(self, operator: FluxOperator, scheme: str, count: tuple[int, int], part: Part) -> Stretch:
        """One part of the time, ready to be carried out."""
        steps, stages = count
        return Stretch(
            replace(operator, source=self.constant), scheme, stages, part.start, part.length, steps, self.varying
        )


@dataclass(frozen=True)
class Part:
    """From `start` on for `length`, between `walls` that stood for `already`; the result is kept `saves` times."""

    start: float
    length: float
    already: float
    walls: Walls | None
    saves: int


@dataclass(frozen=True)
class Arguments:
    """As given to `evolve`."""

    axes: Any
    grid: Any
    spacing: Any
    boundary: Any
    diffusivity: Any
    velocity: Any
    source: Any


def pose(image: Any, home: Home, given: Arguments) -> Posed:
    """Reads what a problem is made of."""
    chunks_of(image, home, "u")
    rule = read_rule(image, "float32")
    axes = read_axes(given.axes, image.ndim)
    if not axes:
        shown = f"got axes={given.axes!r} for u of shape {tuple(image.shape)}"
        raise ValueError(refusal("evolve needs at least one axis", shown, "Give u a dimension, or name an axis"))
    whole = tuple(image.shape)
    shape = tuple(whole[axis] for axis in axes)
    order = (*(axis for axis in range(image.ndim) if axis not in axes), *axes)
    layout = Layout(shape, whole, order, home)
    grid = read_grid(given.grid, given.spacing, shape)
    conditions = read_conditions(given.boundary, len(shape))
    _check_periodic(grid, conditions)
    periodic = tuple(low.kind == "periodic" for low, _ in conditions)
    medium = read_diffusivity(given.diffusivity, layout)
    medium = replace(medium, velocity=read_velocity(given.velocity, periodic, layout))
    setting = Setting(grid, conditions, medium, home, real_of(rule.accumulator))
    constant, varying = read_source(given.source, layout, rule.accumulator)
    return Posed(setting, layout, rule, constant, varying)


def _check_periodic(grid: Any, conditions: tuple[tuple[Condition, Condition], ...]) -> None:
    for axis, (line, (low, _)) in enumerate(zip(grid.lines, conditions, strict=True)):
        if line.geometry != "cartesian" and low.kind == "periodic":
            rule = "a radius cannot be periodic"
            given = f"axis {axis} is {line.geometry}"
            raise ValueError(refusal(rule, given, 'Give it "no-flux" or another condition in a list, one per axis'))


def check_tensor(setting: Setting, scheme: str) -> None:
    """Refuses what a full tensor does not go with."""
    if setting.medium.cross is None:
        return
    reasons = {
        "a scheme that solves along one axis at a time": scheme in ("backward-euler", "crank-nicolson"),
        "a flow": setting.directed,
        "a grid that is not Cartesian": any(line.geometry != "cartesian" for line in setting.grid.lines),
        "an outer face that something passes": any(
            condition.a or condition.value for pair in setting.conditions for condition in pair
        ),
    }
    for reason, holds in reasons.items():
        if holds:
            rule = "a full diffusivity tensor goes with periodic and no-flux axes, and schemes explicit, fed and rkl2"
            raise ValueError(refusal(rule, f"there is {reason}", "Leave out the off-diagonal entry, or that"))


def read_times(save_at: Any, time: float) -> tuple[float, ...]:
    """When results are kept."""
    if save_at is None:
        return (time,)
    try:
        given = tuple(read_nonnegative("each time of save_at", entry) for entry in save_at)
    except TypeError:
        rule = "save_at must be a sequence of times"
        raise TypeError(refusal(rule, f"got {save_at!r}", "Give a list of numbers")) from None
    if not given:
        raise ValueError(refusal("save_at needs a time", "it is empty", "Give times, or leave it out for the end"))
    # Multiples of a step end beside `time` by rounding: 3 * 0.1 > 0.3.
    given = tuple(time if abs(entry - time) <= _CLOSE * time else entry for entry in given)
    if given[-1] > time or any(one > other for one, other in pairwise(given)):
        rule = f"save_at must be times in ascending order, none after the end at {time:g}"
        raise ValueError(refusal(rule, f"got {save_at!r}", "Sort them, or make time longer"))
    return given


def parts_of(times: tuple[float, ...], timeline: list[tuple[float, Walls | None]]) -> list[Part]:
    """The time cut where a result is kept or walls change."""
    parts = [Part(0.0, 0.0, 0.0, timeline[0][1], times.count(0.0))]
    start = 0.0
    for until, those in timeline:
        since = start
        stops = sorted({entry for entry in times if start < entry < until} | {until})
        for stop in stops:
            stop = min(stop, times[-1])
            if stop > start:
                parts.append(Part(start, stop - start, start - since, those, times.count(stop)))
                start = stop
    return parts


def choose_stepping(
    setting: Setting, spans: list[Span | None], shares: list[float], scheme: str, steps: Any, accuracy: float
) -> Stepping:
    """The scheme and the number of steps, as asked for or as many as the accuracy takes.

    `shares` are the parts of the whole time that the spans are.
    """
    check_tensor(setting, scheme)
    if not spans:
        return Stepping("explicit" if scheme == "auto" else scheme, (), "no time passes")
    known = [span for span in spans if span is not None]
    if len(known) < len(spans):
        return _choose_blindly(shares, scheme, steps)
    if steps is None:
        return choose(scheme, known, accuracy)
    counts = _counts(shares, steps)
    if scheme == "auto":
        scheme = _suited(known, counts)
    for span, count, share in zip(known, counts, shares, strict=True):
        _check_stable(scheme, span, count, share)
    return counted(scheme, known, counts, "as asked for")


def _counts(shares: list[float], steps: Any) -> list[int]:
    """Whole numbers of steps, none longer than `steps` equal ones over the whole time."""
    steps = read_count("steps", steps, 1)
    return [max(1, ceil(steps * share - 1e-9)) for share in shares]


def _suited(spans: list[Span], counts: list[int]) -> str:
    """A scheme of second order for a given number of steps, where something flows the explicit one if it is stable."""
    if any(span.rates.flow for span in spans):
        stable = all(
            count >= fewest_stable("explicit", span.length, span.rates)
            for span, count in zip(spans, counts, strict=True)
        )
        return "explicit" if stable else "crank-nicolson"
    return "rkl2" if any(span.rates.split for span in spans) else "crank-nicolson"


def _check_stable(scheme: str, span: Span, steps: int, share: float) -> None:
    least = fewest_stable(scheme, span.length, span.rates)
    if steps >= least:
        return
    if scheme == "explicit":
        rule = f"an explicit step is stable up to a length of {1 / span.rates.limit:.6g}"
        remedy = f'Take at least {ceil(least / share - 1e-9)} steps, or scheme="rkl2" or "crank-nicolson"'
    else:
        rule = f"rounding allows {scheme} a limited number of stages in a step"
        remedy = f"Take at least {ceil(least / share - 1e-9)} steps"
    given = f"{steps} {'step' if steps == 1 else 'steps'} for a time of {span.length:g} make {span.length / steps:.6g}"
    raise ValueError(refusal(rule, given, remedy))


def _choose_blindly(shares: list[float], scheme: str, steps: Any) -> Stepping:
    """Where the diffusivity cannot be read, nothing can be said of its steps."""
    scheme = "crank-nicolson" if scheme == "auto" else scheme
    if steps is None or scheme not in _BLIND:
        rule = f"a diffusivity or flow that cannot be read, traced or lazy, needs steps and one of {', '.join(_BLIND)}"
        given = f"got steps={steps}, scheme={scheme!r}"
        raise ValueError(refusal(rule, given, "Give both, or coefficients as NumPy arrays"))
    return Stepping(scheme, tuple((count, 1) for count in _counts(shares, steps)), "as asked for, unchecked")
