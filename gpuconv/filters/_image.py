"""The image that a filter of several steps computes on, and the delivery of what comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from gpuconv.core.arguments import are_plain, read_axes, refusal
from gpuconv.core.boundary import read_boundary
from gpuconv.core.dtypes import DtypeRule, convolution_dtypes, is_complex, real_of
from gpuconv.core.namespace import Home, cast, read_image
from gpuconv.core.problem import KernelFacts, Problem
from gpuconv.core.remembered import remembered
from gpuconv.kernels._arguments import spread
from gpuconv.methods.deliver import check_out, deliver
from gpuconv.methods.fill import read_fill
from gpuconv.methods.repeat import ENTRIES, Facts, facts_of, image_of


@dataclass(frozen=True)
class Edges:
    """The arguments that say where a filter runs and what lies beyond the ends, as given."""

    axes: Any
    boundary: Any
    cval: Any


@dataclass(frozen=True)
class Image:
    """An image as `given`, and its edges; `boundaries` are one per filtered axis.

    `problem` has the dtypes that any convolution with floating taps has, and no spans.
    """

    given: Any
    home: Home
    axes: tuple[int, ...]
    boundaries: tuple[str, ...]
    cval: Any
    problem: Problem

    @cached_property
    def x(self) -> Any:
        """The image in the dtype that results are summed in, so that several steps round no more than one."""
        return cast(self.home, self.given, self.problem.rule.accumulator)

    @property
    def xp(self) -> Any:
        return self.home.xp

    @property
    def is_complex(self) -> bool:
        return is_complex(self.problem.dtype)

    @cached_property
    def precision(self) -> np.dtype:
        """Real dtype of the sums, NumPy's."""
        return np.dtype(real_of(self.problem.rule.accumulator))

    @property
    def edges(self) -> dict[str, Any]:
        """What `convolve` is to be told."""
        return {"axes": self.axes, "boundary": self.boundaries, "cval": self.cval}

    def destination(self, out: Any, *, lead: tuple[int, ...] = (), real: bool = False) -> Destination:
        """Where a result of this shape behind `lead` goes; `real` for results that are real for complex images too."""
        result = self.problem.rule.result
        return self.destination_of(out, (*lead, *self.problem.shape), real_of(result) if real else result)

    def destination_of(self, out: Any, shape: tuple[int, ...], result: str) -> Destination:
        problem = replace(self.problem, shape=shape, rule=DtypeRule(result, result))
        check_out(out, self.home, problem)
        return Destination(self.home, problem, out)


@dataclass(frozen=True)
class Destination:
    """The shape and dtype of a result, and the caller's array for it, which has been checked."""

    home: Home
    problem: Problem
    out: Any

    def deliver(self, result: Any) -> Any:
        """Round once, to the result's dtype or into the caller's array."""
        return deliver(result, self.home, self.problem, self.out)

    def deliver_stack(self, results: list[Any]) -> Any:
        """The same for a stack of results on a new leading axis."""
        return self.deliver(self.home.xp.stack(results, axis=0))


def read_filtered(x: Any, edges: Edges) -> Image:
    """Validate an image and its edges."""
    x, home = read_image(x)
    # What has been read for one image holds for the next one like it.
    read = _remembered if are_plain(edges.axes, edges.boundary) else read_edges
    axes, boundaries, problem = read(facts_of(x, home), edges.axes, edges.boundary)
    return Image(x, home, axes, boundaries, read_fill(edges.cval, problem), problem)


def read_edges(facts: Facts, axes: Any, boundary: Any) -> tuple[tuple[int, ...], tuple[str, ...], Problem]:
    """Axes and boundaries in normal form, and the problem without spans."""
    image = image_of(facts)
    rule = convolution_dtypes(image.dtype, ("float64", 1))
    axes = read_filter_axes(axes, len(image.shape))
    boundaries = spread("boundary", boundary, len(axes), read_boundary)
    kernel = KernelFacts((), "float64", "host")
    problem = Problem(image.library, image.device, image.traced, image.shape, image.dtype, kernel, rule, spans=())
    return axes, boundaries, problem


_remembered = remembered(ENTRIES)(read_edges)


def read_filter_axes(axes: Any, ndim: int) -> tuple[int, ...]:
    """Axes as distinct non-negative ints in the caller's order, one at least; None means all."""
    axes = axes.tolist() if isinstance(axes, np.ndarray) else axes
    normal = read_axes(axes, ndim)
    if not normal:
        given = f"got axes={axes!r} for an array of {ndim} dimensions"
        raise ValueError(refusal("a filter needs at least one axis", given, "Give x a dimension, or name an axis"))
    return normal


def refuse_complex(image: Image, name: str) -> None:
    if image.is_complex:
        given = f"x has dtype {image.problem.dtype}"
        raise TypeError(refusal(f"{name} needs a real image", given, "Filter its real and imaginary part apart"))
