"""From arguments to a problem: validates, brings the kernel home, and takes the data out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gpuconv.core.arguments import are_plain, read_axes, read_choice, read_integer, read_per_axis, refusal
from gpuconv.core.boundary import Span, read_boundary
from gpuconv.core.dtypes import LARGEST, DtypeRule, convolution_dtypes, integer_range, is_complex, is_integer, real_of
from gpuconv.core.namespace import (
    NUMPY,
    Home,
    cast,
    chunks_of,
    dtype_in,
    dtype_name,
    has_double,
    read_image,
    read_kernel,
)
from gpuconv.core.problem import ImageFacts, KernelFacts, Problem
from gpuconv.core.shapes import convolution_span, read_mode, read_origin
from gpuconv.methods.separable import factorize

METHODS = ("auto", "direct", "separable", "fft", "overlap")
ACCURACIES = ("norm", "local")
# Products below which direct summation is done before a rank test would be (a test costs tens of microseconds).
TESTED_FROM = 100_000
# Equal taps that are worth knowing of: backends may sum them in fewer additions.
LONG_BOX = 64
# Bytes of a kernel up to which all that is known of it is kept for the next call with the same values: reading it again
# would take as long as a small convolution.
REMEMBERED = 2**12


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
    given = x
    x, home = read_image(x)
    kernel = read_kernel(kernel, home)
    options = normal_options(options)
    if home is NUMPY and is_remembered(kernel):
        stored = given.dtype if isinstance(given, np.ndarray) else x.dtype
        problem, weights = _remembered(x.shape, stored, kernel.tobytes(), kernel.shape, kernel.dtype, options)
    else:
        facts = image_facts(x, home, tuple(x.shape))
        if isinstance(given, np.ndarray) and not given.dtype.isnative:
            facts = replace(facts, swapped=True)
        problem, weights = _describe(facts, kernel, options, home)
    return Described(x, weights, home, problem, options)


def is_remembered(*weights: np.ndarray) -> bool:
    """Whether what these weights say is kept for the next call with the same values."""
    total = 0
    for each in weights:
        if each.nbytes == 0 or each.dtype.hasobject:
            return False
        total += each.nbytes
    return total <= REMEMBERED


@lru_cache(maxsize=1024)
def _remembered(
    shape: tuple[int, ...],
    dtype: np.dtype,
    data: bytes,
    kernel_shape: tuple[int, ...],
    kernel_dtype: np.dtype,
    options: Options,
) -> tuple[Problem, np.ndarray]:
    """`_describe` of NumPy arrays whose values and sizes are all there is to know."""
    kernel = np.frombuffer(data, kernel_dtype).reshape(kernel_shape)
    problem, weights = _describe(numpy_facts(shape, dtype), kernel, options, NUMPY)
    weights.flags.writeable = False
    return problem, weights


def _describe(image: ImageFacts, kernel: Any, options: Options, home: Home) -> tuple[Problem, Any]:
    """The problem that an image and a kernel pose, and the kernel in correlation order."""
    problem, order = _pose(image, tuple(kernel.shape), dtype_name(kernel.dtype), options)
    dtype_in(home, problem.rule.result)
    weights = correlation_order(kernel, options.operation, order, problem.rule, home)
    return _with_facts(problem, kernel_facts(weights, problem, options.method)), weights


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


def image_facts(x: Any, home: Home, shape: tuple[int, ...]) -> ImageFacts:
    """Facts of an image like `x` of the given shape."""
    return ImageFacts(
        home.library,
        str(home.device),
        home.traced,
        shape,
        dtype_name(x.dtype),
        chunks_of(x, home),
        has_double(home),
    )


def numpy_facts(shape: tuple[int, ...], dtype: np.dtype) -> ImageFacts:
    """Facts of a NumPy array."""
    return ImageFacts("numpy", NUMPY.device, False, shape, dtype_name(dtype), None, True, not dtype.isnative)


def normal_options(options: Options) -> Options:
    """Options with names checked and numbers as plain ints: 1, 1.0 and True must not be one key of a cache."""
    if are_plain(*options):
        return _checked(options)
    return _read_options(options)


@lru_cache(maxsize=1024)
def _checked(options: Options) -> Options:
    return _read_options(options)


def _read_options(options: Options) -> Options:
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
    return Problem(kernel=facts, rule=rule, spans=spans, accuracy=options.accuracy, **vars(image)), order


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


def read_fill(cval: Any, problem: Problem) -> Any:
    """The fill value as a Python number that the image's dtype can hold."""
    if type(cval) is float and not problem.exact:
        return cval
    if isinstance(cval, (np.ndarray, np.generic)) and np.ndim(cval) == 0:
        cval = cval.item()
    if isinstance(cval, bool) or not isinstance(cval, (int, float, complex)):
        raise TypeError(refusal("cval must be a number", f"got {cval!r}", "Give a plain int, float or complex"))
    if isinstance(cval, complex) and not is_complex(problem.dtype):
        raise ValueError(
            refusal(
                "cval of a real image must be real",
                f"got {cval!r} for dtype {problem.dtype}",
                "Cast x to complex first",
            )
        )
    if isinstance(cval, int) and not problem.exact and abs(cval) > LARGEST["float64"]:
        raise ValueError(refusal("cval must be no larger than the largest number", f"got {cval!r}", "Use math.inf"))
    if isinstance(cval, complex) or not problem.exact:
        return cval
    low, high = integer_range(problem.dtype)
    if not low <= cval <= high or int(cval) != cval:  # NaN is in no range
        raise ValueError(
            refusal(
                "cval of an integer convolution must be a sample that x could have",
                f"got {cval!r} for dtype {problem.dtype}",
                f"Give a whole number from {low} to {high}, or cast x to a floating dtype",
            )
        )
    return int(cval)
