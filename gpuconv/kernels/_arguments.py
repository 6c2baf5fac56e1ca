"""Readers of what the kernels are told: sizes, widths, counts of axes; each returns the normal form or refuses."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_axes, read_integer, read_per_axis, refusal

# 1 GiB in float64: a larger kernel is a slip of the keyboard, or work for the Fourier domain.
MOST_WEIGHTS = 2**27
MOST_AXES = 32  # NumPy's limit until 2.0


def read_real(name: str, value: Any) -> float:
    """A finite real number; bool, complex, NaN, infinity and text are refused."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        given = f"got {value!r} of type {type(value).__name__}"
        raise TypeError(refusal(f"{name} must be a real number", given, "Give an int or a float"))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(refusal(f"{name} must be a finite number", f"got {value!r}", "Give a number below 1e308"))
    return number


def read_nonnegative(name: str, value: Any) -> float:
    """A finite number that is zero or more."""
    number = read_real(name, value)
    if number < 0:
        raise ValueError(refusal(f"{name} must not be negative", f"got {value!r}", "Give zero or a positive number"))
    return number


def read_positive(name: str, value: Any) -> float:
    """A finite number above zero."""
    number = read_real(name, value)
    if number <= 0:
        raise ValueError(refusal(f"{name} must be positive", f"got {value!r}", "Give a number above zero"))
    return number


def read_factor(name: str, value: Any) -> int | float:
    """A finite number that stays a whole one if it is given as one, so that whole weights stay whole."""
    number = read_real(name, value)
    return int(value) if isinstance(value, numbers.Integral) and abs(number) < 2**31 else number


def read_count(name: str, value: Any, least: int) -> int:
    """A whole number no smaller than `least`."""
    count = read_integer(name, value)
    if count < least:
        raise ValueError(refusal(f"{name} must be at least {least}", f"got {value!r}", f"Give {least} or more"))
    return count


def read_size(name: str, value: Any) -> int:
    """The number of weights along an axis."""
    return read_count(name, value, 1)


def read_odd(name: str, value: Any) -> int:
    """A number of weights with one in the middle."""
    size = read_size(name, value)
    if size % 2 == 0:
        remedy = f"Give {size - 1} or {size + 1}"
        raise ValueError(refusal(f"{name} must be odd, for the kernel to have a centre", f"got {value!r}", remedy))
    return size


def read_radius(name: str, value: Any) -> int | None:
    """The number of taps on either side of the centre, or None where it is not given."""
    return None if value is None else read_count(name, value, 0)


def read_order(name: str, value: Any) -> int:
    """The order of a Gaussian derivative: 0, 1, 2 or 3."""
    order = read_integer(name, value)
    if not 0 <= order <= 3:
        remedy = "Convolve with two kernels of lower order for more"
        raise ValueError(refusal(f"{name} must be 0, 1, 2 or 3", f"got {value!r}", remedy))
    return order


def read_axis(axis: Any, ndim: int) -> int:
    """One axis of `ndim`, counted from the front."""
    return read_axes(read_integer("axis", axis), ndim)[0]


def read_ndim(ndim: Any, *per_axis: Any, default: int = 2) -> int:
    """The number of axes: as given, or as many as the first of `per_axis` that is a sequence has entries."""
    lengths = [len(value) for value in map(_listed, per_axis) if isinstance(value, list | tuple)]
    count = read_count("ndim", (lengths or [default])[0] if ndim is None else ndim, 1)
    if count > MOST_AXES:
        raise ValueError(refusal(f"ndim must be at most {MOST_AXES}", f"got {count}", "Give fewer axes"))
    return count


def spread(name: str, value: Any, ndim: int, read: Callable[[str, Any], Any]) -> tuple[Any, ...]:
    """One entry per axis out of one for all, or a sequence."""
    return read_per_axis(name, _listed(value), ndim, read)


def read_precision(dtype: Any) -> np.dtype:
    """float16, float32 or float64."""
    try:
        precision = np.dtype(dtype)
    except TypeError:
        precision = None
    if precision is None or precision not in (np.float16, np.float32, np.float64):
        given, remedy = f"got {dtype!r}", "Choose one of these, or cast the kernel"
        raise TypeError(refusal("dtype must be float16, float32 or float64", given, remedy))
    return precision


def check_count(count: float, given: str) -> None:
    """Refuses a kernel that does not fit, before memory is asked for; `given` says what makes it so large."""
    if not count <= MOST_WEIGHTS:  # NaN is too many
        rule = f"a kernel may have at most {MOST_WEIGHTS} weights"
        makes = f"{count:.3g}" if count < 1e300 else "more than 1e300"
        raise ValueError(refusal(rule, f"{given} makes {makes}", "Make it smaller, or filter in the Fourier domain"))


def _listed(value: Any) -> Any:
    """Arrays of numbers as lists, so that they are read like any sequence."""
    return value.tolist() if isinstance(value, np.ndarray) and value.ndim else value
