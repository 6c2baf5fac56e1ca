"""Along one axis: SciPy's compiled loop for small work, loops compiled for this machine for the rest.

SciPy's loop sums in double precision, whatever the dtype. Where there is no compiler, large work with many taps is done
as matrix products.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod, sqrt
from typing import Any

import numpy as np

from gpuconv.backends.cpu import banded, compiled, originals
from gpuconv.backends.cpu.stored import brought, rounded
from gpuconv.backends.cpu.windows import correlate_slices
from gpuconv.core.boundary import Span, extend
from gpuconv.core.namespace import home_of
from gpuconv.core.shapes import output_shape

_DOUBLE_EPSILON = 2.0**-52


def correlate_axis(
    x: np.ndarray, taps: np.ndarray, spans: tuple[Span], cval: Any, result: str | None = None
) -> np.ndarray:
    """``y[i] = sum_j taps[j] x~[first + i + j]`` along the axis of the only span."""
    (span,) = spans
    working = compiled.working_dtype(x.dtype, taps.dtype)
    if compiled.why_not(prod(output_shape(x.shape, spans)) * taps.size, working) is None:
        return rounded(correlate_large(x, taps, span, cval, result), result)
    return rounded(correlate_small(brought(x, working), taps, span, cval), result)


def correlate_small(x: np.ndarray, taps: np.ndarray, span: Span, cval: Any) -> np.ndarray:
    """All work on SciPy's loop, on matrix products, or on slices where neither meets the definition."""
    work = prod(output_shape(x.shape, (span,))) * taps.size
    if taps.dtype.kind == "c" or x.dtype.kind == "c":
        return _correlate_complex(x, taps, span, cval)
    if banded.why_not(x.dtype.name, taps.dtype.name, taps.size, work) is None:
        return banded.correlate_banded(x, taps, span, cval, _correlate_scipy)
    return _correlate_scipy(x, taps, span, cval)


def _correlate_scipy(x: np.ndarray, taps: np.ndarray, span: Span, cval: Any) -> np.ndarray:
    """SciPy's loop, called as often as the bound on rounding asks for."""
    step = taps_at_once(x.dtype, taps)
    if step >= taps.size:
        return _correlate_line(x, taps, span, cval)
    x = extend(home_of(x).xp, x, span, cval)
    total = np.zeros(output_shape(x.shape, (span,)), x.dtype)
    for start in range(0, taps.size, step):
        part = taps[start : start + step]
        length = span.count + part.size - 1
        samples = x[_along(x.ndim, span.axis, start, length)]
        total += _correlate_line(samples, part, Span(span.axis, length, part.size, 0, span.count, "constant"), 0.0)
    return total


def correlate_large(x: np.ndarray, taps: np.ndarray, span: Span, cval: Any, result: str | None = None) -> np.ndarray:
    """All work on compiled loops, whatever its size; complex taps as two real lines of taps.

    In the dtype called `result` where these loops can round to it, else in that of the sums.
    """
    from gpuconv.backends.cpu.axis import correlate_axis as correlate

    if taps.dtype.kind != "c":
        return correlate(x, taps, span, cval, result)
    real, imaginary = (correlate(x, part, span, cval) for part in (taps.real, taps.imag))
    if x.dtype.kind != "c":
        joined = np.empty(real.shape, np.result_type(real.dtype, np.complex64))
        joined.real, joined.imag = real, imaginary
        return joined
    real.real -= imaginary.imag
    real.imag += imaginary.real
    return real


def taps_at_once(dtype: np.dtype, taps: np.ndarray) -> int:
    """How many products SciPy's loop may sum in a row so that the worst error stays below ``2 sqrt(n) eps``.

    Partial sums of b make it (b + n/b)/2 eps. Symmetric taps are summed in pairs, half as many roundings. Single
    precision is summed in double, and never comes near.
    """
    if dtype != np.float64 or taps.size <= 16:
        return taps.size
    symmetric = np.array_equal(taps, taps[::-1]) or np.array_equal(taps, -taps[::-1])
    if symmetric and taps.size <= 56:
        return taps.size
    return int(3.4 * sqrt(taps.size))


def _correlate_line(x: np.ndarray, taps: np.ndarray, span: Span, cval: Any) -> np.ndarray:
    """All taps in one call of SciPy's loop, where that meets the definition."""
    wider_than_double = x.dtype.kind in "iu" and x.dtype.itemsize == 8  # 64-bit integers, summed in 53 bits
    if wider_than_double or not survives_symmetry_test(taps):
        return correlate_slices(x, taps, (span,), cval)
    same = span.count == span.size and -span.taps < span.first <= 0 < span.size
    if not same:
        x = extend(home_of(x).xp, x, span, cval)
    # SciPy reads x~[i + j - taps // 2 - origin].
    origin = -(span.first if same else 0) - span.taps // 2
    mode = span.boundary if same else "constant"
    # SciPy copies the fill value into a double, as it does the samples.
    # An array to write to spares SciPy reading a dtype and writing zeros.
    result = originals.ndimage_correlate1d(
        x, taps, span.axis, output=np.empty(x.shape, x.dtype), mode=mode, cval=cval, origin=origin
    )
    return result if same else result[_along(x.ndim, span.axis, 0, span.count)]


def _along(ndim: int, axis: int, start: int, count: int) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, start + count),) + (slice(None),) * (ndim - axis - 1)


def survives_symmetry_test(taps: np.ndarray) -> bool:
    """False where SciPy's loop would take taps for (anti)symmetric that are not quite, or are not finite.

    It compares mirrored taps with an absolute tolerance of one double epsilon, and then uses one of each pair for
    both: taps of 1e-17 that differ in every digit would all be taken for symmetric. Even lengths are not tested.
    """
    return taps.size % 2 == 0 or _survives(taps.tobytes(), taps.dtype)


@lru_cache(maxsize=256)  # ten array operations on a few taps take longer than SciPy's loop on a small image
def _survives(data: bytes, dtype: np.dtype) -> bool:
    taps = np.frombuffer(data, dtype)
    if not np.isfinite(taps).all():
        return False
    for mirrored in (taps[::-1], -taps[::-1]):
        difference = np.abs(taps - mirrored)
        difference[taps.size // 2] = 0
        largest = difference.max()
        if 0 < largest <= _DOUBLE_EPSILON:
            return False
    return True


def _correlate_complex(x: np.ndarray, taps: np.ndarray, span: Span, cval: Any) -> np.ndarray:
    """Complex sums as real ones: two for complex data or complex taps, four for both."""
    dtype = np.result_type(x.dtype, np.complex64)
    result = np.empty((*x.shape[: span.axis], span.count, *x.shape[span.axis + 1 :]), dtype)
    fill = complex(cval)
    has_imaginary = x.dtype.kind == "c"
    real = correlate_axis(np.ascontiguousarray(x.real), np.ascontiguousarray(taps.real), (span,), fill.real)
    imaginary: Any = 0
    if has_imaginary:
        imaginary = correlate_axis(np.ascontiguousarray(x.imag), np.ascontiguousarray(taps.real), (span,), fill.imag)
    if taps.dtype.kind == "c":
        second = np.ascontiguousarray(taps.imag)
        if has_imaginary:
            real = real - correlate_axis(np.ascontiguousarray(x.imag), second, (span,), fill.imag)
        imaginary = imaginary + correlate_axis(np.ascontiguousarray(x.real), second, (span,), fill.real)
    result.real, result.imag = real, imaginary
    return result
