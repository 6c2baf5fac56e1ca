"""The comparisons the suite is built on; ``test_assertions.py`` proves that each can fail."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

from tests.libraries import dtype_name, library_of, to_numpy

# Distance from 1 to the next number; NumPy has no bfloat16 to ask.
EPS = {
    "bfloat16": 2.0**-7,
    "float16": 2.0**-10,
    "float32": 2.0**-23,
    "float64": 2.0**-52,
    "complex64": 2.0**-23,
    "complex128": 2.0**-52,
}


def tolerance(dtype: str, taps: int = 1, scale: Any = 1.0, constant: float = 4.0) -> Any:
    """Error allowed in a sum of `taps` products: ``constant * eps * sqrt(taps) * scale``; zero for integers.

    `scale` is the size of ``sum |k| |x|``, one number or one per output: rounding errors are relative to the terms,
    not to what is left of them. They add like a random walk, hence the root. Sums of two-byte floats are made in
    float32 and rounded once: give ``taps=1`` for these.
    """
    if dtype not in EPS:
        return 0.0 * np.asarray(scale)
    return constant * EPS[dtype] * np.sqrt(max(taps, 1)) * np.asarray(scale)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    taps: int = 1,
    scale: Any = None,
    dtype: str | None = None,
    tolerance: Any = None,
    case: Any = "",
) -> None:
    """Every value of `actual` is within its tolerance of `expected`; shapes, NaNs and infinities are the same.

    The tolerance is that of `tolerance(dtype, taps, scale)`, with the dtype of `actual` and the largest finite
    ``|expected|`` unless given (give the size of ``sum |k| |x|`` where terms cancel), or it is given outright.
    Integers are compared exactly. `case` is printed with the worst index and both values there.
    """
    name = dtype or dtype_name(actual if hasattr(actual, "dtype") else np.asarray(actual))
    actual, expected = to_numpy(actual), to_numpy(expected)
    label = f"case {case}: " if str(case) else ""
    assert actual.shape == expected.shape, f"{label}shape is {actual.shape}, expected {expected.shape}"
    _assert_same_nonfinite(actual, expected, label)
    allowed = _rounding(name, taps, expected, scale) if tolerance is None else tolerance
    allowed = np.broadcast_to(to_numpy(allowed), actual.shape)
    error = _finite_difference(actual, expected)
    # A tolerance that is NaN or infinite where there is a number to compare would let anything pass.
    assert np.isfinite(allowed[_finite(actual) & _finite(expected)]).all(), f"{label}the tolerance is not finite"
    excess = error - np.where(np.isfinite(allowed), allowed, 0.0)
    if (excess > 0).any():
        worst = np.unravel_index(int(np.argmax(excess)), excess.shape)
        index = tuple(int(position) for position in worst)
        raise AssertionError(
            f"{label}{int((excess > 0).sum())} of {error.size} values differ by more than their tolerance; worst at "
            f"index {index}: {actual[index]!r}, expected {expected[index]!r}, "
            f"difference {error[index]:.3g}, tolerance {allowed[index]:.3g}"
        )


def assert_same_home(result: Any, x: Any, *, dtype: str | None = None) -> None:
    """`result` belongs to the library and the device of `x`, and has the dtype `dtype`, by default that of `x`."""
    assert library_of(result) == library_of(x), f"{library_of(result)} array returned for a {library_of(x)} array"
    given, returned = array_api_compat.device(x), array_api_compat.device(result)
    assert returned == given, f"result lies on {returned}, the array given on {given}"
    expected = dtype_name(x) if dtype is None else dtype
    assert dtype_name(result) == expected, f"result has dtype {dtype_name(result)}, expected {expected}"


def _assert_same_nonfinite(actual: np.ndarray, expected: np.ndarray, label: str) -> None:
    """NaN where NaN is expected, infinity of the same sign where infinity is, in each part of complex values."""
    if not {actual.dtype.kind, expected.dtype.kind} & set("fc"):
        return
    same_nan = np.isnan(actual) == np.isnan(expected)
    numbers = ~(np.isnan(actual) | np.isnan(expected))
    same_infinity = np.ones(actual.shape, dtype=bool)
    for part in (np.real, np.imag):
        infinite = np.isinf(part(actual)) | np.isinf(part(expected))
        same_infinity &= ~(infinite & numbers) | (part(actual) == part(expected))
    wrong = np.argwhere(~(same_nan & same_infinity))
    if len(wrong):
        index = tuple(int(position) for position in wrong[0])
        raise AssertionError(
            f"{label}{len(wrong)} of {actual.size} values differ in being NaN or infinite; first at "
            f"index {index}: {actual[index]!r}, expected {expected[index]!r}"
        )


def _rounding(name: str, taps: int, expected: np.ndarray, scale: Any) -> Any:
    """`tolerance` with the largest finite ``|expected|`` for a scale that is not given."""
    if scale is None:
        scale = np.abs(expected[_finite(expected)].astype(_wide(expected))).max(initial=0.0)
    return tolerance(name, taps, to_numpy(scale))


def _finite(values: np.ndarray) -> np.ndarray:
    return np.isfinite(values) if values.dtype.kind in "fc" else np.ones(values.shape, dtype=bool)


def _wide(*arrays: np.ndarray) -> type:
    return np.complex128 if any(values.dtype.kind == "c" for values in arrays) else np.float64


def _finite_difference(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """``|actual - expected|`` in float64, zero where both are equally non-finite; exact between integers."""
    difference = np.zeros(actual.shape, dtype=np.float64)
    if {actual.dtype.kind, expected.dtype.kind} <= set("iub"):
        # Python's integers: int64 beside uint64 would be compared as float64.
        pairs = zip(actual.ravel().tolist(), expected.ravel().tolist(), strict=True)
        difference.flat = [abs(int(one) - int(other)) for one, other in pairs]
        return difference
    both = _finite(actual) & _finite(expected)
    wide = _wide(actual, expected)
    with np.errstate(over="ignore"):
        difference[both] = np.abs(actual[both].astype(wide) - expected[both].astype(wide))
    return difference
