"""SciPy's arguments in normal form, with the exceptions that SciPy raises.

Shared by `gpuconv.ndimage` and `gpuconv.signal`. Messages have gpuconv's three parts; their types, and the words that
SciPy's callers match, are SciPy's.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.exceptions import AxisError

from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import SUPPORTED, integer_range, is_complex, is_integer
from gpuconv.core.namespace import Home, dtype_name, read_image, read_kernel

_FILTER_MODES = ("reflect", "constant", "nearest", "mirror", "wrap", "grid-constant", "grid-mirror", "grid-wrap")


def read_array(x: Any, argument: str) -> tuple[Any, Home]:
    """The array and its home; what belongs to no array library goes through numpy.asarray, as in SciPy."""
    try:
        x, home = read_image(x, argument)
    except TypeError:
        x, home = read_image(np.asarray(x), argument)
    return x, home


# scipy.ndimage.


@dataclass(frozen=True)
class Filter:
    """The arrays of one call of scipy.ndimage's functions; `output` is still what the caller gave."""

    x: Any
    home: Home
    kernel: Any
    output: Any

    @property
    def only_scipy_computes(self) -> bool:
        """True for NumPy arrays of dtypes outside gpuconv's table, and 0-d ones."""
        if self.home.library != "numpy":
            return False
        names = {dtype_name(self.x.dtype)}
        if self.output is not None:
            names.add(dtype_asked_for(self.output))
        return self.x.ndim == 0 or self.kernel.ndim == 0 or not names <= set(SUPPORTED)

    @property
    def image_is_complex(self) -> bool:
        return is_complex(dtype_name(self.x.dtype))

    @property
    def kernel_is_complex(self) -> bool:
        return dtype_name(self.kernel.dtype).startswith(("complex", "clongdouble"))


def read_filter(input: Any, weights: Any, output: Any) -> Filter:
    x, home = read_array(input, "input")
    return Filter(x, home, read_kernel(read_array(weights, "weights")[0], home, "weights"), output)


def dtype_asked_for(output: Any) -> str:
    """Dtype name of what was given as `output`: a name, a type, a dtype of any library, or an array."""
    if isinstance(output, (str, type)):
        return np.dtype(output).name
    return dtype_name(output.dtype if is_array(output) else output)


def is_array(output: Any) -> bool:
    return hasattr(output, "shape") and hasattr(output, "dtype") and not isinstance(output, (type, np.dtype))


def read_filter_axes(axes: Any, ndim: int) -> tuple[int, ...]:
    """Axes as distinct non-negative ints in the caller's order."""
    if axes is None:
        return tuple(range(ndim))
    given = [operator.index(axis) for axis in (axes if isinstance(axes, Iterable) else (axes,))]
    for axis in given:
        if not -ndim <= axis < ndim:
            fact = f"specified axis: {axis} is out of range"
            raise ValueError(refusal(f"axes must lie in [-{ndim}, {ndim})", fact, "Give axes the image has"))
    if len({axis % ndim for axis in given}) != len(given):
        raise ValueError(refusal("axes must be unique", f"got axes={axes!r}", "Name each axis once"))
    return tuple(axis % ndim for axis in given)


def read_filter_line(axis: Any, given: Filter) -> tuple[int, ...]:
    """The axis of the 1-D functions, whose weights must be one line."""
    shape, ndim = tuple(given.kernel.shape), given.x.ndim
    if len(shape) != 1 or shape[0] < 1:
        raise RuntimeError(refusal("no filter weights given", f"weights have shape {shape}", "Give a 1-D sequence"))
    return (read_line(axis, ndim),)


def read_line(axis: Any, ndim: int) -> int:
    """One axis as a non-negative int."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        fact = f"axis {axis} is out of bounds"
        raise AxisError(refusal(f"axis must lie in [-{ndim}, {ndim})", fact, "Give an axis the image has"))
    return axis % ndim


@dataclass(frozen=True)
class Window:
    """Where the weights lie: axes in ascending order, as the weights' dimensions are, and SciPy's origin of each."""

    axes: tuple[int, ...]
    boundary: str
    sizes: tuple[int, ...]
    origins: tuple[int, ...]

    # gpuconv starts "same" at (K-1)//2 + origin. SciPy's correlation starts at (K-1)//2 - origin; its convolution,
    # a correlation with the weights and the origin turned round, at K//2 + origin.
    @property
    def correlation_origins(self) -> tuple[int, ...]:
        return tuple(-origin for origin in self.origins)

    @property
    def convolution_origins(self) -> tuple[int, ...]:
        return tuple(origin + 1 - size % 2 for origin, size in zip(self.origins, self.sizes, strict=True))


def read_window(given: Filter, axes: tuple[int, ...], mode: Any, origin: Any) -> Window:
    sizes = tuple(given.kernel.shape)
    if len(sizes) != len(axes) or 0 in sizes:
        fact = f"weights.ndim ({len([size for size in sizes if size])}) must match len(axes) ({len(axes)})"
        remedy = "Give weights with one non-empty dimension per filtered axis"
        raise RuntimeError(refusal("weights must fit the filtered axes", fact, remedy))
    # A 0-d array counts as a number, though some libraries let it be iterated over.
    several = np.iterable(origin) and getattr(origin, "ndim", 1) > 0
    origins = list(origin) if several else [origin] * len(axes)
    if len(origins) != len(axes):
        fact = f"got {len(origins)} origins for {len(axes)} axes"
        rule = "sequence argument must have length equal to input rank"
        raise RuntimeError(refusal(rule, fact, "Give one origin, or one per filtered axis"))
    origin_of = dict(zip(axes, (operator.index(origin) for origin in origins), strict=True))
    ascending = tuple(sorted(axes))
    for axis, size in zip(ascending, sizes, strict=True):
        if not -(size // 2) <= origin_of[axis] <= (size - 1) // 2:
            rule = "Invalid origin; origin must lie from -(K // 2) to (K - 1) // 2"
            fact = f"got origin {origin_of[axis]} for {size} weights on axis {axis}"
            raise ValueError(refusal(rule, fact, f"Use an origin from {-(size // 2)} to {(size - 1) // 2}"))
    if not isinstance(mode, str) and isinstance(mode, Iterable):
        rule = "A sequence of modes is not supported by SciPy's signature"
        raise RuntimeError(refusal(rule, f"got mode={mode!r}", "Use gpuconv.correlate(..., boundary=[...])"))
    if mode not in _FILTER_MODES:
        remedy = f"Choose one of {', '.join(_FILTER_MODES)}"
        raise RuntimeError(refusal("boundary mode not supported", f"got mode={mode!r}", remedy))
    return Window(ascending, mode, sizes, tuple(origin_of[axis] for axis in ascending))


def read_cval(cval: Any, given: Filter) -> Any:
    """A float, or a complex number for a complex image."""
    if isinstance(cval, str):
        raise TypeError(refusal("cval must be a number", f"got {cval!r}", "Give a number"))
    value = complex(cval)
    if given.image_is_complex:
        return value
    if isinstance(cval, complex) or value.imag:
        kind = ValueError if given.kernel_is_complex else TypeError
        remedy = "Give a real one, or cast the image to complex"
        raise kind(refusal("cval must be real for a real image", f"got {cval!r}", remedy))
    return value.real


# scipy.signal.


@dataclass(frozen=True)
class Pair:
    """Both inputs of scipy.signal's functions, in one library."""

    first: Any
    second: Any
    home: Home

    @property
    def ndim(self) -> int:
        return len(self.first.shape)

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return tuple(self.first.shape), tuple(self.second.shape)

    @property
    def empty(self) -> bool:
        return 0 in (*self.first.shape, *self.second.shape)

    @property
    def only_scipy_computes(self) -> bool:
        """True for NumPy arrays without samples, or whose common dtype is outside gpuconv's table."""
        if self.home.library != "numpy":
            return False
        return self.empty or np.result_type(self.first.dtype, self.second.dtype).name not in SUPPORTED

    def with_second_reversed(self) -> Pair:
        """The pair whose convolution is this one's correlation."""
        xp, second = self.home.xp, self.second
        if self.ndim:
            second = xp.flip(second)
        return replace(self, second=xp.conj(second) if is_complex(dtype_name(second.dtype)) else second)

    def swapped(self) -> Pair:
        return replace(self, first=self.second, second=self.first)


def read_pair(in1: Any, in2: Any) -> Pair:
    """Both inputs in the library of the one that is no NumPy array; dimensions must be as many."""
    (first, home), (second, other) = read_array(in1, "in1"), read_array(in2, "in2")
    if home.library == "numpy" and other.library != "numpy":
        first, home = _bring(first, other), other
    elif other.library == "numpy" and home.library != "numpy":
        second = _bring(second, home)
    elif home.library != other.library:
        fact = f"in1 is a {home.library} array, in2 a {other.library} array"
        remedy = "Convert one of them; gpuconv never moves data between libraries behind your back"
        raise TypeError(refusal("both inputs must belong to one array library", fact, remedy))
    if len(first.shape) != len(second.shape):
        fact = f"in1 has shape {tuple(first.shape)}, in2 {tuple(second.shape)}"
        rule = "in1 and in2 should have the same dimensionality"
        raise ValueError(refusal(rule, fact, "Add axes of size 1 to one of them"))
    return Pair(first, second, home)


def _bring(host: np.ndarray, home: Home) -> Any:
    """A NumPy array in the library and on the device of the other input, in the dtype that library gives it."""
    return home.xp.asarray(np.ascontiguousarray(host), device=home.device)


def read_matrices(in1: Any, in2: Any, name: str) -> Pair:
    pair = read_pair(in1, in2)
    if pair.ndim != 2:
        fact = f"they have {pair.ndim} dimensions"
        raise ValueError(refusal(f"{name} inputs must both be 2-D arrays", fact, "Use convolve or correlate"))
    return pair


def check_mode(mode: Any) -> None:
    if mode not in ("full", "valid", "same"):
        rule = "acceptable mode flags are 'valid', 'same', or 'full'"
        raise ValueError(refusal(rule, f"got mode={mode!r}", "Choose one of these"))


def larger_first(pair: Pair, mode: Any, axes: Iterable[int] | None = None) -> Pair:
    """The pair, swapped if "valid" asks for that: the input that is at least as large on every axis comes first."""
    check_mode(mode)
    if mode != "valid":
        return pair
    one, other = pair.shapes
    axes = range(pair.ndim) if axes is None else tuple(axes)
    if all(one[axis] >= other[axis] for axis in axes):
        return pair
    if all(one[axis] <= other[axis] for axis in axes):
        return pair.swapped()
    rule = "For 'valid' mode, one must be at least as large as the other in every dimension"
    raise ValueError(refusal(rule, f"in1 and in2 have shapes {one} and {other}", "Use 'same' or 'full'"))


def read_transform_axes(axes: Any, ndim: int) -> tuple[int, ...]:
    """Axes as distinct non-negative ints, in ascending order."""
    if axes is None:
        return tuple(range(ndim))
    try:
        given = [operator.index(axis) for axis in (axes if isinstance(axes, Iterable) else (axes,))]
    except TypeError:
        rule = "axes must be a scalar or iterable of integers"
        raise ValueError(refusal(rule, f"got axes={axes!r}", "Give ints")) from None
    if not given:
        raise ValueError(refusal("when provided, axes cannot be empty", f"got axes={axes!r}", "Name an axis"))
    if any(not -ndim <= axis < ndim for axis in given):
        fact = f"got axes={axes!r} for {ndim} dimensions"
        raise ValueError(refusal("axes exceeds dimensionality of input", fact, "Give axes the inputs have"))
    if len({axis % ndim for axis in given}) != len(given):
        raise ValueError(refusal("all axes must be unique", f"got axes={axes!r}", "Name each axis once"))
    return tuple(sorted(axis % ndim for axis in given))


def read_fillvalue(fillvalue: Any, name: str) -> Any:
    """The fill value as a Python number of the dtype called `name`."""
    value = np.asarray(fillvalue)
    if value.size != 1:
        rule = "`fillvalue` must be scalar or an array with one element"
        raise ValueError(refusal(rule, f"its shape is {value.shape}", "Give a number"))
    number = value.reshape(()).item()
    rule = "could not cast `fillvalue` directly to the output type"
    if isinstance(number, complex) and not is_complex(name):
        raise ValueError(refusal(rule, f"it is complex, the output {name}", "Give a real number"))
    if not is_integer(name):
        return number
    low, high = integer_range(name)
    if number != number or not low <= number <= high:
        raise ValueError(refusal(rule, f"got {fillvalue!r} for {name}", f"Give a number from {low} to {high}"))
    return int(number)
