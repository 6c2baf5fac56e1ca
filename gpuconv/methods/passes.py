"""One-dimensional passes, one axis after another: what `convolve_separable` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gpuconv.backends.generic.separable import fill_first
from gpuconv.backends.memory import when_limits_change
from gpuconv.core.arguments import read_axes, refusal
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import convolution_dtypes, is_complex
from gpuconv.core.namespace import NUMPY, Home, cast, dtype_in, dtype_name, read_image, read_kernel
from gpuconv.core.problem import ImageFacts, KernelFacts, Problem
from gpuconv.methods.describe import (
    Described,
    Options,
    correlation_order,
    image_facts,
    is_remembered,
    line_facts,
    normal_options,
    numpy_facts,
    read_fill,
    read_spans,
)
from gpuconv.methods.plan import METHODS, Plan, choose_plan, empty_result
from gpuconv.methods.rows import run_row


class Lines(NamedTuple):
    """What is known of the taps of a separable convolution: one line per span, in correlation order, and its facts."""

    weights: list[Any]
    facts: tuple[KernelFacts, ...]


def describe_passes(x: Any, taps: Sequence[Any], options: Options) -> Described:
    """Validate the arguments of a separable convolution; its weights are `Lines`."""
    x, home = read_image(x)
    options = normal_options(options)
    lines = [read_kernel(line, home, "each of taps") for line in _sequence(taps)]
    if home is NUMPY and is_remembered(*lines):
        kept = tuple((line.tobytes(), line.shape, line.dtype) for line in lines)
        problem, known = _remembered(x.shape, x.dtype, kept, options)
    else:
        problem, known = _describe(image_facts(x, home, tuple(x.shape)), lines, options, home)
    return Described(x, known, home, problem, options)


@lru_cache(maxsize=1024)
def _remembered(
    shape: tuple[int, ...],
    dtype: np.dtype,
    kept: tuple[tuple[bytes, tuple[int, ...], np.dtype], ...],
    options: Options,
) -> tuple[Problem, Lines]:
    """`_describe` of NumPy arrays whose values and sizes are all there is to know."""
    lines = [np.frombuffer(data, dtype).reshape(shape) for data, shape, dtype in kept]
    problem, known = _describe(numpy_facts(shape, dtype), lines, options, NUMPY)
    for line in known.weights:
        line.flags.writeable = False
    return problem, known


def _describe(image: ImageFacts, lines: list[Any], options: Options, home: Home) -> tuple[Problem, Lines]:
    """The problem that an image and lines of taps pose, and what is known of these."""
    axes = read_axes(options.axes, len(image.shape))
    _check_lines(lines, axes)
    rule = convolution_dtypes(image.dtype, *((dtype_name(line.dtype), line.shape[0]) for line in lines))
    dtype_in(home, rule.result)
    order, spans = read_spans(options, image.shape, axes, [line.shape[0] for line in lines])
    weights = [correlation_order(lines[i], options.operation, (0,), rule, home) for i in order]
    at_hand = all(isinstance(line, np.ndarray) for line in weights)
    dtypes = [dtype_name(line.dtype) for line in weights]
    facts = KernelFacts(
        tuple(span.taps for span in spans),
        next((dtype for dtype in dtypes if is_complex(dtype)), dtypes[0]),
        "host" if at_hand else "traced",
        1,
    )
    problem = Problem(kernel=facts, rule=rule, spans=spans, accuracy=options.accuracy, **vars(image))
    return problem, Lines(weights, tuple(_line_facts(line, problem) for line in weights))


def _sequence(taps: Any) -> Sequence[Any]:
    if isinstance(taps, (list, tuple)):
        return taps
    raise TypeError(
        refusal(
            "taps must be a list or tuple with one 1-D array per convolved axis",
            f"got {type(taps).__name__}",
            "Write [taps] for a single axis",
        )
    )


def _check_lines(lines: Sequence[Any], axes: tuple[int, ...]) -> None:
    if len(lines) != len(axes) or not lines:
        raise ValueError(
            refusal(
                "taps needs one entry per convolved axis",
                f"got {len(lines)} entries for axes {axes}",
                "Name the axes, or give taps for all of them",
            )
        )
    for line in lines:
        if line.ndim != 1:
            raise ValueError(
                refusal("each of taps must be one-dimensional", f"got shape {tuple(line.shape)}", "Flatten it")
            )


def accumulate_passes(described: Described, cval: Any, result: str | None = None) -> Any:
    """One fused primitive if all axes are summed directly, else axis by axis.

    In the accumulator's dtype, or in that called `result` where the backend rounds by itself.
    """
    problem, home = described.problem, described.home
    cval = read_fill(cval, problem)
    if problem.outputs == 0:
        return empty_result(home, problem, described.x, *described.weights.weights)
    plans = plan_passes(described)
    with np.errstate(over="ignore", invalid="ignore"):  # infinity and NaN are results like others
        if all(plan.method == "direct" for plan in plans):
            banks = [described.weights.weights]
            return run_row("correlate_separable", problem, described.x, banks, cval, result)
        return _pass_by_pass(cast(home, described.x, problem.working_dtype), described, plans, cval)


def _pass_by_pass(x: Any, described: Described, plans: Sequence[Plan], cval: Any) -> Any:
    """Every axis by its own method; a fill value other than zero is put around before the first."""
    x, spans = fill_first(x, described.problem.spans, cval)
    for plan, line, span in zip(plans, described.weights.weights, spans, strict=True):
        x = run_pass(plan, x, line, span, cval)
    return x


def run_pass(plan: Plan, x: Any, line: Any, span: Span, cval: Any) -> Any:
    """One pass; where a margin has made the array larger than planned, it is planned anew."""
    step = replace(plan.problem, shape=tuple(x.shape), dtype=dtype_name(x.dtype), spans=(span,))
    plan = choose_plan(step, plan.options)
    return METHODS[plan.method].run(step, plan.estimate, x, line, cval)


def plan_passes(described: Described) -> tuple[Plan, ...]:
    """A plan per axis, each for the array that the passes before it leave."""
    return _plans(described.problem, described.weights.facts)


def _line_facts(line: Any, problem: Problem) -> KernelFacts:
    facts = KernelFacts((line.shape[0],), dtype_name(line.dtype), problem.kernel.residency)
    return line_facts(line, facts, problem)


@lru_cache(maxsize=1024)
def _plans(problem: Problem, facts: tuple[KernelFacts, ...]) -> tuple[Plan, ...]:
    shape, plans = list(problem.shape), []
    options = Options("convolve", accuracy=problem.accuracy)
    for span, kernel in zip(problem.spans, facts, strict=True):
        step = replace(problem, shape=tuple(shape), dtype=problem.working_dtype, spans=(span,), kernel=kernel)
        plans.append(choose_plan(step, options))
        shape[span.axis] = span.count
    return tuple(plans)


when_limits_change(_plans.cache_clear)
