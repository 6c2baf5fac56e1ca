"""How an exact solve is carried out, axis by axis, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.diffusion._describe import Task
from gpuconv.diffusion._operators import AxisOperator
from gpuconv.kernels._taps import double_taps
from gpuconv.methods.costs import rates, width

# The boundary of a convolution that does what the condition does.
EXTENSIONS = {"periodic": "wrap", "no-flux": "reflect"}
# Standard deviation in cells from which on no kernel is tried: its thousand taps lose to any transform.
_WIDEST = 64.0
_TRANSFORMS = {"fft": "FFT", "dct": "cosine transform", "dst": "sine transform"}


@dataclass(frozen=True)
class AxisPlan:
    """What is done along one axis of u.

    Attributes
    ----------
    axis : int
    method : {"kernel", "transform", "matrix"}
        Convolution with the propagator's taps; FFT, cosine or sine transform; or products with a matrix of
        eigenvectors.
    reason : str

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> plan = diffusion.plan_diffusion(np.zeros((8, 8)), 0.5, boundary=["fixed", ("robin", 1, 2)])
    >>> [(along.axis, along.method) for along in plan.axes]
    [(0, 'transform'), (1, 'matrix')]
    """

    axis: int
    method: str
    reason: str


@dataclass(frozen=True)
class DiffusionPlan:
    """How `diffuse` would go about it: printable, and empty of data.

    Attributes
    ----------
    shape : tuple of int
    dtype, library : str
        Of u.
    axes : tuple of AxisPlan
        In the order of the argument `axes`.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> boundary = ["periodic", ("fixed", "no-flux")]
    >>> print(diffusion.plan_diffusion(np.zeros((4, 100)), 3.0, boundary=boundary, symbol="continuous"))
    exact diffusion of float64 (4, 100), numpy
      axis 0: transform, FFT; no kernel: the continuous symbol has no short one
      axis 1: matrix, eigenvectors of 100 cells: 'fixed' and 'no-flux' share no transform
    """

    shape: tuple[int, ...]
    dtype: str
    library: str
    axes: tuple[AxisPlan, ...]

    def __str__(self) -> str:
        lines = [f"exact diffusion of {self.dtype} {self.shape}, {self.library}"]
        return "\n".join(lines + [f"  axis {along.axis}: {along.method}, {along.reason}" for along in self.axes])


def choose_plan(task: Task) -> DiffusionPlan:
    """The method asked for, or the cheapest one on each axis."""
    pairs = zip(task.operators, task.diffusivities, strict=True)
    axes = tuple(_choose_axis(task, operator, diffusivity) for operator, diffusivity in pairs)
    return DiffusionPlan(task.problem.shape, task.problem.dtype, task.home.library, axes)


def _choose_axis(task: Task, operator: AxisOperator, diffusivity: Any) -> AxisPlan:
    against = _why_no_kernel(task, operator, diffusivity)
    if task.method == "kernel":
        if against is not None:
            raise ValueError(refusal("method='kernel' cannot solve this", against, "Use method='auto'"))
        taps = len(propagator_taps(task, operator, diffusivity))
        return AxisPlan(operator.axis, "kernel", f"{taps} taps, as asked for")
    if task.method == "matrix":
        return AxisPlan(operator.axis, "matrix", f"eigenvectors of {operator.line.count} cells, as asked for")
    if not operator.is_transform:
        if task.method == "transform":
            raise ValueError(
                refusal("method='transform' cannot solve this", _why_no_transform(operator), "Use method='auto'")
            )
        reason = f"eigenvectors of {operator.line.count} cells: {_why_no_transform(operator)}"
        return AxisPlan(operator.axis, "matrix", reason)
    name = _TRANSFORMS[operator.basis]
    if task.method == "transform":
        return AxisPlan(operator.axis, "transform", f"{name}, as asked for")
    if against is not None:
        return AxisPlan(operator.axis, "transform", f"{name}; no kernel: {against}")
    taps = len(propagator_taps(task, operator, diffusivity))
    chunks = task.problem.chunks
    if chunks is not None and taps <= chunks[operator.axis] < operator.line.count:
        return AxisPlan(operator.axis, "kernel", f"{taps} taps fit into the chunks, which a {name} would join")
    return _cheaper(task, operator, taps)


def _cheaper(task: Task, operator: AxisOperator, taps: int) -> AxisPlan:
    """By the rates that convolutions are planned with."""
    rate, samples = rates(task.problem), math.prod(task.problem.shape) * width(task.problem)
    kernel = samples * (taps * rate.line_product + rate.copy) + (1 + rate.calls_per_tap * taps) * rate.call
    logs = max((operator.line.count - 1).bit_length(), 1)
    transform = samples * (2 * logs * rate.butterfly + 4 * rate.copy) + 5 * rate.call
    name = _TRANSFORMS[operator.basis]
    kernel, transform = kernel // rate.parts, transform // rate.parts
    costs = f"about {kernel / 1e9:.2g} ms against {transform / 1e9:.2g} ms"
    if kernel < transform:
        return AxisPlan(operator.axis, "kernel", f"{taps} taps: cheaper than the {name}, {costs}")
    return AxisPlan(operator.axis, "transform", f"{name}: no dearer than {taps} taps, {costs} for them")


def _why_no_transform(operator: AxisOperator) -> str:
    if operator.line.geometry != "cartesian":
        return f"a {operator.line.geometry} axis has no transform"
    if operator.low.kind == operator.high.kind:
        return f"{operator.low.kind!r} has no transform"
    return f"{operator.low.kind!r} and {operator.high.kind!r} share no transform"


def _why_no_kernel(task: Task, operator: AxisOperator, diffusivity: Any) -> str | None:
    if operator.symbol == "continuous":
        return "the continuous symbol has no short one"
    if operator.low.kind != operator.high.kind or operator.low.kind not in EXTENSIONS:
        kinds = dict.fromkeys((repr(operator.low.kind), repr(operator.high.kind)))
        return f"a convolution knows no boundary like {' and '.join(kinds)}"
    if operator.line.geometry != "cartesian":
        return f"a {operator.line.geometry} axis looks different at every cell"
    if operator.inflow is not None or task.is_driven:
        return "something enters that does not depend on u"
    if isinstance(task.diffusivity, np.ndarray):
        return "the diffusivity mixes axes"
    if not isinstance(diffusivity, float) or not isinstance(task.time, float):
        return "time or diffusivity cannot be read now"
    if 0 in task.problem.shape:
        return "u is empty"
    deviation = _deviation(task, operator, diffusivity)
    if deviation > _WIDEST and task.method != "kernel":
        return f"it would be {deviation:.3g} cells wide"
    return None


def _deviation(task: Task, operator: AxisOperator, diffusivity: float) -> float:
    """``sqrt(2 D t) / h``: the propagator's standard deviation in cells."""
    return math.sqrt(2 * diffusivity * task.time) / operator.line.spacing


def propagator_taps(task: Task, operator: AxisOperator, diffusivity: float) -> np.ndarray:
    """Taps of the lattice's heat kernel, in double precision, as far as the dtype can tell them from zero."""
    deviation = _deviation(task, operator, diffusivity)
    return double_taps(deviation, 0, None, None, "lattice", np.dtype(task.real_dtype))
