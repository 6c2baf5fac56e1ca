"""One-dimensional passes, one axis after another: what `convolve_separable` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from gpuconv.backends.generic.separable import fill_first
from gpuconv.core.arguments import are_plain, read_axes, refusal
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import convolution_dtypes, is_complex
from gpuconv.core.namespace import (
    NUMPY,
    Home,
    cast,
    check_computable,
    dtype_name,
    home_of,
    read_image,
    read_kernel,
)
from gpuconv.core.problem import ImageFacts, KernelFacts, Problem
from gpuconv.core.remembered import remembered
from gpuconv.core.rounding import quiet
from gpuconv.methods.costs import RATES, rates
from gpuconv.methods.describe import (
    Described,
    Options,
    correlation_order,
    line_facts,
    normal_options,
    read_spans,
)
from gpuconv.methods.plan import METHODS, Plan, choose_plan, empty_result
from gpuconv.methods.repeat import ENTRIES, Facts, Posed, Run, facts_of, image_of, is_remembered
from gpuconv.methods.rows import prepare_row


class Lines(NamedTuple):
    """What is known of the taps of a separable convolution: one line per span, in correlation order, and its facts."""

    weights: list[Any]
    facts: tuple[KernelFacts, ...]


def describe_passes(x: Any, taps: Sequence[Any], options: Options) -> Described:
    """Validate the arguments of a separable convolution; its weights are `Lines`."""
    x, home = read_image(x)
    posed = pose_passes(x, home, taps, options)
    return Described(x, posed.weights, home, posed.problem, posed.options)


def pose_passes(x: Any, home: Home, taps: Sequence[Any], options: Options) -> Posed:
    """All that follows from the arguments of a separable convolution but for the samples of `x`."""
    lines = [read_kernel(line, home, "each of taps") for line in _sequence(taps)]
    facts = facts_of(x, home)
    if is_remembered(*lines):
        known = _remembered if are_plain(*options) else _from_bytes
        return known(facts, tuple([(line.tobytes(), line.shape, line.dtype) for line in lines]), options)
    return _pose_all(image_of(facts), lines, options, home)


def _from_bytes(facts: Facts, kept: tuple[tuple[bytes, tuple[int, ...], np.dtype], ...], options: Options) -> Posed:
    lines = [np.frombuffer(data, dtype).reshape(shape) for data, shape, dtype in kept]
    return pose_taps(facts, lines, options)


_remembered = remembered(ENTRIES)(_from_bytes)


def pose_taps(facts: Facts, lines: list[np.ndarray], options: Options) -> Posed:
    """The same for taps at hand, of which nothing is kept but their values."""
    posed = _pose_all(image_of(facts), lines, options, NUMPY)
    for line in posed.weights.weights:
        line.flags.writeable = False
    return posed


def _pose_all(image: ImageFacts, lines: list[Any], options: Options, home: Home) -> Posed:
    """What an image and lines of taps pose; `home` is where taps live that are not at hand."""
    options = normal_options(options)
    axes = read_axes(options.axes, len(image.shape))
    _check_lines(lines, axes)
    rule = convolution_dtypes(image.dtype, *((dtype_name(line.dtype), line.shape[0]) for line in lines))
    check_computable(image.library, image.has_double, rule.result)
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
    problem = Problem(kernel=facts, rule=rule, spans=spans, accuracy=options.accuracy, **image._asdict())
    return Posed(problem, Lines(weights, tuple(_line_facts(line, problem) for line in weights)), options, {})


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


def prepare_passes(posed: Posed, result: str | None) -> Run:
    """What carries it out: one fused primitive if all axes are summed directly, else axis by axis.

    In the accumulator's dtype, or in that called `result` where the backend rounds by itself.
    """
    problem, lines = posed.problem, posed.weights
    if problem.outputs == 0:
        return lambda x, cval: empty_result(x, problem, *lines.weights)
    plans = _plans(problem, lines.facts)
    if _in_matrices(problem, lines) or all(plan.method == "direct" for plan in plans):
        return prepare_row("correlate_separable", problem, [lines.weights], result)
    working = problem.working_dtype
    return quiet(lambda x, cval: _pass_by_pass(cast(home_of(x), x, working), problem, lines, plans, cval))


def _in_matrices(problem: Problem, lines: Lines) -> bool:
    """Whether small matrix products do all axes at once, which no transform of so few samples is faster than."""
    if problem.chunks is not None or problem.kernel.residency != "host" or rates(problem) is not RATES["numpy"]:
        return False
    # Here, since `import gpuconv` is to load no part of SciPy.
    from gpuconv.backends.cpu import matrices

    return matrices.why_not(problem.shape, np.dtype(problem.working_dtype), lines.weights, problem.spans) is None


def _pass_by_pass(x: Any, problem: Problem, lines: Lines, plans: Sequence[Plan], cval: Any) -> Any:
    """Every axis by its own method; a fill value other than zero is put around before the first."""
    x, spans = fill_first(x, problem.spans, cval)
    for plan, line, span in zip(plans, lines.weights, spans, strict=True):
        x = run_pass(plan, x, line, span, cval)
    return x


def run_pass(plan: Plan, x: Any, line: Any, span: Span, cval: Any) -> Any:
    """One pass; where a margin has made the array larger than planned, it is planned anew."""
    step = replace(plan.problem, shape=tuple(x.shape), dtype=dtype_name(x.dtype), spans=(span,))
    plan = choose_plan(step, plan.options)
    return METHODS[plan.method].prepare(step, plan.estimate, line)(x, cval)


def plan_passes(described: Described) -> tuple[Plan, ...]:
    """A plan per axis, each for the array that the passes before it leave."""
    return _plans(described.problem, described.weights.facts)


def _line_facts(line: Any, problem: Problem) -> KernelFacts:
    facts = KernelFacts((line.shape[0],), dtype_name(line.dtype), problem.kernel.residency)
    return line_facts(line, facts, problem)


@remembered(ENTRIES)
def _plans(problem: Problem, facts: tuple[KernelFacts, ...]) -> tuple[Plan, ...]:
    shape, plans = list(problem.shape), []
    options = Options("convolve", accuracy=problem.accuracy)
    for span, kernel in zip(problem.spans, facts, strict=True):
        step = replace(problem, shape=tuple(shape), dtype=problem.working_dtype, spans=(span,), kernel=kernel)
        plans.append(choose_plan(step, options))
        shape[span.axis] = span.count
    return tuple(plans)
