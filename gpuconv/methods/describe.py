"""From arguments to a problem: validates, brings the kernel home, and takes the data out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gpuconv.core.arguments import are_plain, read_axes, read_choice, read_integer, read_per_axis, refusal
from gpuconv.core.boundary import Span, read_boundary
from gpuconv.core.dtypes import DtypeRule, convolution_dtypes, is_complex, is_integer, real_of
from gpuconv.core.namespace import NUMPY, Home, cast, check_computable, dtype_name, read_image, read_kernel
from gpuconv.core.problem import ImageFacts, KernelFacts, Problem
from gpuconv.core.remembered import remembered
from gpuconv.core.shapes import convolution_span, read_mode, read_origin
from gpuconv.methods.repeat import ENTRIES, Facts, Posed, facts_of, image_facts, image_of, is_remembered
from gpuconv.methods.separable import factorize

METHODS = ("auto", "direct", "separable", "fft", "overlap")
ACCURACIES = ("norm", "local")
# Products below which direct summation is done before a rank test would be (a test costs tens of microseconds).
TESTED_FROM = 100_000
# Equal taps that are worth knowing of: backends may sum them in fewer additions.
LONG_BOX = 64


# Tuples, since they are made and hashed in a tenth of the time that a frozen dataclass takes.
class Options(NamedTuple):
    """The arguments of a convolution that are not data, as given."""

    operation: str
    mode: str = "same"
    boundary: Any = "constant"
    origin: Any = 0
    axes: Any = None
    method: str = "auto"
    accuracy: str = "norm"


class Described(NamedTuple):
    """Arguments in normal form: the image as given, weights in correlation order, and the problem they pose."""

    x: Any
    weights: Any
    home: Home
    problem: Problem
    options: Options


def describe(x: Any, kernel: Any, options: Options) -> Described:
    """Validate the arguments of a convolution and pose its problem. Reads sizes, and the kernel if it is at hand."""
    x, home = read_image(x)
    posed = pose(x, home, read_kernel(kernel, home), options)
    return Described(x, posed.weights, home, posed.problem, posed.options)


def pose(x: Any, home: Home, kernel: Any, options: Options) -> Posed:
    """All that follows from the arguments but for the samples of `x`; `kernel` is as `read_kernel` gives it."""
    facts = facts_of(x, home)
    if is_remembered(kernel):
        known = _remembered if are_plain(*options) else _from_bytes
        return known(facts, kernel.tobytes(), kernel.shape, kernel.dtype, options)
    return _pose_all(image_of(facts), kernel, options, home)


def _from_bytes(facts: Facts, data: bytes, shape: tuple[int, ...], dtype: np.dtype, options: Options) -> Posed:
    return pose_kernel(facts, np.frombuffer(data, dtype).reshape(shape), options)


_remembered = remembered(ENTRIES)(_from_bytes)


def pose_kernel(facts: Facts, kernel: np.ndarray, options: Options) -> Posed:
    """The same for a kernel at hand, of which nothing is kept but its values."""
    posed = _pose_all(image_of(facts), kernel, options, NUMPY)
    posed.weights.flags.writeable = False
    return posed


def _pose_all(image: ImageFacts, kernel: Any, options: Options, home: Home) -> Posed:
    """What an image and a kernel pose; `home` is where a kernel lives that is not at hand."""
    options = normal_options(options)
    problem, order = _pose(image, tuple(kernel.shape), dtype_name(kernel.dtype), options)
    check_computable(image.library, image.has_double, problem.rule.result)
    weights = correlation_order(kernel, options.operation, order, problem.rule, home)
    return Posed(_with_facts(problem, kernel_facts(weights, problem, options.method)), weights, options, {})


def pose_forward(y: Any, kernel: Any, shape: Any, options: Options, home: Home) -> Problem:
    """The problem whose adjoint is applied to `y`: that of an x of the given shape. Checks that y fits it."""
    kernel = read_kernel(kernel, home)
    shape = _plain("each of shape", shape, read_integer)
    if not isinstance(shape, tuple):
        shape = (shape,)
    image = image_facts(y, home, shape)
    problem, _ = _pose(image, tuple(kernel.shape), dtype_name(kernel.dtype), normal_options(options))
    if tuple(y.shape) != problem.output_shape:
        raise ValueError(
            refusal(
                "y must have the shape of the convolution",
                f"convolving shape {shape} gives {problem.output_shape}, y has {tuple(y.shape)}",
                "Check shape, mode and axes",
            )
        )
    return problem


def normal_options(options: Options) -> Options:
    """Options with names checked and numbers as plain ints: 1, 1.0 and True must not be one key of a cache."""
    read_mode(options.mode)
    read_choice("method", options.method, METHODS)
    read_choice("accuracy", options.accuracy, ACCURACIES)
    return options._replace(
        boundary=_plain("boundary", options.boundary, read_boundary),
        origin=_plain("origin", options.origin, read_integer),
        axes=None if options.axes is None else _plain("each of axes", options.axes, read_integer),
    )


def _plain(name: str, value: Any, read: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return tuple(read(name, entry) for entry in value) if several else read(name, value)


@lru_cache(maxsize=1024)
def _pose(
    image: ImageFacts, kernel_shape: tuple[int, ...], kernel_dtype: str, options: Options
) -> tuple[Problem, tuple[int, ...]]:
    """The problem without the kernel's facts, and the order that sorts the kernel's dimensions by axis."""
    facts = KernelFacts(kernel_shape, kernel_dtype, "traced")
    rule = convolution_dtypes(image.dtype, (kernel_dtype, facts.taps))
    axes = read_axes(options.axes, len(image.shape))
    _check_dimensions(kernel_shape, axes, options)
    order, spans = read_spans(options, image.shape, axes, kernel_shape)
    facts = replace(facts, shape=tuple(kernel_shape[i] for i in order))
    return Problem(kernel=facts, rule=rule, spans=spans, accuracy=options.accuracy, **image._asdict()), order


def read_spans(
    options: Options, shape: tuple[int, ...], axes: tuple[int, ...], taps: Sequence[int]
) -> tuple[tuple[int, ...], tuple[Span, ...]]:
    """One span per axis, in ascending order of axis, and that order; `taps` are per axis as the caller named them."""
    boundaries = read_per_axis("boundary", options.boundary, len(axes), read_boundary)
    origins = read_per_axis("origin", options.origin, len(axes), read_origin)
    order = tuple(sorted(range(len(axes)), key=axes.__getitem__))
    spans = tuple(
        convolution_span(axes[i], shape[axes[i]], taps[i], options.mode, origins[i], boundaries[i]) for i in order
    )
    return order, spans


@lru_cache(maxsize=1024)  # the same object again for the same problem makes every later look-up a fast one
def _with_facts(problem: Problem, facts: KernelFacts) -> Problem:
    return replace(problem, kernel=facts)


def _check_dimensions(kernel_shape: tuple[int, ...], axes: tuple[int, ...], options: Options) -> None:
    if not axes:
        raise ValueError(
            refusal("a convolution needs at least one axis", f"got axes={options.axes!r}", "Give x a dimension")
        )
    if len(kernel_shape) != len(axes):
        raise ValueError(
            refusal(
                "kernel needs one dimension per convolved axis",
                f"kernel has shape {kernel_shape}, axes={axes}",
                f"Give axes of length {len(kernel_shape)}, or reshape the kernel",
            )
        )


def correlation_order(kernel: Any, operation: str, order: tuple[int, ...], rule: DtypeRule, home: Home) -> Any:
    """Weights ``w`` of ``y[i] = sum_j w[j] x~[first + i + j]``: reversed for convolve, conjugated for correlate.

    Weights at hand become 64-bit host arrays (of the result's dtype for integers), others the accumulator's dtype.
    """
    at_hand = isinstance(kernel, np.ndarray)
    xp = np if at_hand else home.xp
    kernel_is_complex = is_complex(dtype_name(kernel.dtype))
    if order != tuple(range(len(order))):
        kernel = xp.transpose(kernel, order) if at_hand else xp.permute_dims(kernel, order)
    if operation == "convolve":
        kernel = xp.flip(kernel)
    elif kernel_is_complex:
        kernel = xp.conj(kernel)
    if at_hand:
        exact = is_integer(rule.result)
        # A copy in any case: lazy arrays and gradients read it later, when the caller's may have changed.
        return np.array(kernel, rule.result if exact else "complex128" if kernel_is_complex else "float64", order="C")
    return cast(home, kernel, rule.accumulator if kernel_is_complex else real_of(rule.accumulator))


def kernel_facts(weights: Any, problem: Problem, method: str) -> KernelFacts:
    """Facts of weights in correlation order. The rank is tested where a separable method could pay."""
    facts = problem.kernel
    if not isinstance(weights, np.ndarray):
        return replace(facts, residency=_residency(problem))
    if weights.ndim == 1:
        return line_facts(weights, facts, problem)
    bits = _bits(weights) if problem.exact else None
    lengths = [taps for taps in facts.shape if taps > 1]
    worth_it = method == "auto" and len(lengths) > 1 and problem.outputs * facts.taps >= TESTED_FROM
    factors = None
    if len(problem.spans) > 1 and (method == "separable" or worth_it):
        factors = factorize(weights, problem.rule.accumulator)
    if factors is None:
        return KernelFacts(facts.shape, facts.dtype, "host", bits=bits)
    box = any(map(_is_box, factors.banks[0]))
    return KernelFacts(facts.shape, facts.dtype, "host", len(factors.banks), factors.locally_exact, bits, box)


def line_facts(taps: Any, facts: KernelFacts, problem: Problem) -> KernelFacts:
    """Facts of a line of taps in correlation order, of which `facts` are known. Of `problem` the kernel is ignored."""
    if not isinstance(taps, np.ndarray):
        return replace(facts, residency=_residency(problem))
    bits = _bits(taps) if problem.exact else None
    return KernelFacts(facts.shape, facts.dtype, "host", bits=bits, box=_is_box(taps))


def _is_box(taps: np.ndarray) -> bool:
    return taps.size >= LONG_BOX and bool((taps == taps[0]).all())


def _residency(problem: Problem) -> str:
    """Where weights are whose values are not at hand."""
    return "device" if not problem.traced and problem.library == "cupy" else "traced"


def _bits(weights: np.ndarray) -> int:
    """Smallest b with ``sum |weights| <= 2**b``, in Python's integers, which do not overflow."""
    return sum(abs(tap) for tap in weights.ravel().tolist()).bit_length()
