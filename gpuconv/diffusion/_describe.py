"""From the arguments of an exact solve to a task: everything validated, sizes and parameters but no data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_axes, read_choice, refusal
from gpuconv.core.dtypes import DtypeRule, is_complex, real_of
from gpuconv.core.namespace import Home, chunks_of, dtype_in, dtype_name, read_image
from gpuconv.core.problem import KernelFacts, Problem
from gpuconv.diffusion._arguments import (
    read_amount,
    read_diffusivity,
    read_grid,
    read_rule,
    read_source,
    read_velocity,
)
from gpuconv.diffusion._operators import AxisOperator
from gpuconv.diffusion.conditions import Condition, read_conditions

SYMBOLS = ("lattice", "continuous")
METHODS = ("auto", "transform", "matrix", "kernel")


@dataclass(frozen=True)
class Arguments:
    """The arguments of `diffuse` as given, but for u and time."""

    diffusivity: Any = 1.0
    spacing: Any = 1.0
    boundary: Any = "no-flux"
    velocity: Any = None
    decay: Any = 0.0
    source: Any = None
    grid: Any = None
    axes: Any = None
    symbol: str = "lattice"
    method: str = "auto"


@dataclass(frozen=True)
class Task:
    """``du/dt = sum_a D[a] (inflow_a - L_a u) - velocity . grad u - decay u + source``, to be solved for one time.

    Amounts (`time`, `diffusivity` per operator, `decay`) are floats, or 0-d arrays whose values are not at hand;
    `diffusivity` is a matrix if it mixes axes.
    """

    u: Any
    home: Home
    problem: Problem
    time: Any
    operators: tuple[AxisOperator, ...]
    diffusivity: tuple[Any, ...] | np.ndarray
    velocity: tuple[float, ...]
    decay: Any
    source: Any
    method: str

    @property
    def dtype(self) -> str:
        """What is computed in."""
        return self.problem.rule.accumulator

    @property
    def real_dtype(self) -> str:
        return real_of(self.dtype)

    @property
    def is_driven(self) -> bool:
        """Whether something enters that does not depend on u."""
        return self.source is not None or any(operator.inflow is not None for operator in self.operators)

    @property
    def is_live(self) -> bool:
        """Whether time or diffusivity cannot be read, so that nothing can be worked out on the host."""
        return not all(isinstance(amount, float) for amount in (self.time, *self.diffusivities))

    @property
    def diffusivities(self) -> tuple[Any, ...]:
        """One per operator; the diagonal of a matrix."""
        if isinstance(self.diffusivity, np.ndarray):
            return tuple(np.diag(self.diffusivity).tolist())
        return self.diffusivity


def describe(u: Any, time: Any, given: Arguments) -> Task:
    """Validate the arguments of an exact solve."""
    u, home = read_image(u, "u")
    rule = read_rule(u, "float64")
    dtype_in(home, rule.result)
    axes = _read_axes(given.axes, u.ndim)
    operators = _read_operators(tuple(u.shape), axes, given)
    task = Task(
        u,
        home,
        _pose(u, home, rule),
        read_amount("time", time, home),
        operators,
        read_diffusivity(given.diffusivity, len(axes), home),
        read_velocity(given.velocity, len(axes)),
        read_amount("decay", given.decay, home),
        read_source(given.source, tuple(u.shape), home),
        read_choice("method", given.method, METHODS),
    )
    _check_tensor(task)
    _check_wind(task)
    _check_source(task)
    return task


def _read_axes(axes: Any, ndim: int) -> tuple[int, ...]:
    normal = read_axes(axes.tolist() if isinstance(axes, np.ndarray) else axes, ndim)
    if not normal:
        given = f"got axes={axes!r} for an array of {ndim} dimensions"
        raise ValueError(refusal("diffusion needs at least one axis", given, "Give u a dimension, or name an axis"))
    return normal


def _pose(u: Any, home: Home, rule: DtypeRule) -> Problem:
    """Sizes, dtypes and library: what costs depend on."""
    facts = KernelFacts((), "float64", "host")
    chunks = chunks_of(u, home, "u")
    shape, dtype = tuple(u.shape), dtype_name(u.dtype)
    return Problem(home.library, str(home.device), home.traced, shape, dtype, facts, rule, spans=(), chunks=chunks)


def _read_operators(shape: tuple[int, ...], axes: tuple[int, ...], given: Arguments) -> tuple[AxisOperator, ...]:
    symbol = read_choice("symbol", given.symbol, SYMBOLS)
    grid = read_grid(given.grid, given.spacing, tuple(shape[axis] for axis in axes))
    conditions = read_conditions(given.boundary, len(axes))
    operators = tuple(
        AxisOperator(axis, line, low, high, symbol)
        for axis, line, (low, high) in zip(axes, grid.lines, conditions, strict=True)
    )
    for operator in operators:
        _check_operator(operator)
    return operators


def _check_operator(operator: AxisOperator) -> None:
    geometry = operator.line.geometry
    if geometry != "cartesian" and operator.low.kind == "periodic":
        remedy = 'Give "no-flux", "fixed" or "robin"'
        raise ValueError(refusal("a radius is not periodic", f"the axis is {geometry}, its boundary periodic", remedy))
    if operator.symbol == "continuous" and (operator.basis == "eigh" or operator.inflow is not None):
        rule = "the continuous symbol needs straight axes that are periodic, no-flux or fixed at 0"
        ends = f"axis {operator.axis} is {geometry}"
        if geometry == "cartesian":
            ends = f"axis {operator.axis} has {_shown(operator.low)} and {_shown(operator.high)}"
        raise ValueError(refusal(rule, ends, 'Take symbol="lattice"'))


def _shown(condition: Condition) -> str:
    return f"{condition.kind!r} with value {condition.value:g}" if condition.value else repr(condition.kind)


def _check_tensor(task: Task) -> None:
    if not isinstance(task.diffusivity, np.ndarray):
        return
    walled = [operator.axis for operator in task.operators if operator.basis != "fft"]
    rule = "a diffusivity matrix that mixes axes is solved exactly on periodic straight axes"
    if walled:
        given = f"axes {walled} are not"
        raise ValueError(refusal(rule, given, 'Take boundary="periodic", a diagonal matrix, or step with evolve'))
    if task.method in ("matrix", "kernel"):
        remedy = "Take method='auto'"
        raise ValueError(refusal(rule + ", by transforms", f"got method={task.method!r}", remedy))


def _check_wind(task: Task) -> None:
    for operator, speed in zip(task.operators, task.velocity, strict=True):
        if speed and not (operator.basis == "fft" and operator.symbol == "continuous"):
            rule = 'an exact wind needs periodic axes and symbol="continuous"'
            given = f"axis {operator.axis} has velocity {speed:g}, boundary {operator.low.kind!r}, symbol "
            remedy = "Change these, or step with evolve, which takes face velocities and any boundary"
            raise ValueError(refusal(rule, given + repr(operator.symbol), remedy))
    if any(task.velocity) and task.method in ("matrix", "kernel"):
        given, remedy = f"got method={task.method!r}", "Take method='auto'"
        raise ValueError(refusal("an exact wind is a phase in the Fourier domain", given, remedy))


def _check_source(task: Task) -> None:
    if not task.is_driven:
        return
    if any(task.velocity):
        remedy = "Step with evolve, which takes both"
        raise ValueError(refusal("an exact solve takes a wind or a source", "got both", remedy))
    if task.source is not None and is_complex(dtype_name(task.source.dtype)) and not is_complex(task.dtype):
        given = f"u has dtype {task.problem.dtype}, source {dtype_name(task.source.dtype)}"
        raise TypeError(refusal("a complex source needs a complex u", given, "Cast u to a complex dtype"))
