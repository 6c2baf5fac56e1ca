"""Along one axis: SciPy's compiled loop for small work, loops compiled for this machine for the rest.

SciPy's loop sums in double precision, whatever the dtype. Where there is no compiler, large work with many taps is done
as matrix products.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from gpuconv.backends.cpu import banded, compiled
from gpuconv.backends.cpu.originals import ndimage_correlate1d
from gpuconv.backends.cpu.windows import correlate_slices
from gpuconv.core.boundary import Span, extend
from gpuconv.core.dtypes import is_complex
from gpuconv.core.namespace import home_of
from gpuconv.core.shapes import output_shape

_DOUBLE_EPSILON = 2.0**-52


def correlate_axis(x: np.ndarray, taps: np.ndarray, spans: tuple[Span], cval: Any) -> np.ndarray:
    """``y[i] = sum_j taps[j] x~[first + i + j]`` along the axis of the only span."""
    (span,) = spans
    work = prod(output_shape(x.shape, spans)) * taps.size
    if compiled.why_not(work, x.dtype) is None:
        return correlate_large(x, taps, span, cval)
    if is_complex(taps.dtype.name) or is_complex(x.dtype.name):
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


def correlate_large(x: np.ndarray, taps: np.ndarray, span: Span, cval: Any) -> np.ndarray:
    """All work on compiled loops, whatever its size; complex taps as two real lines of taps."""
    from gpuconv.backends.cpu.axis import correlate_axis as correlate

    if taps.dtype.kind != "c":
        return correlate(x, taps, span, cval)
    real, imaginary = (correlate(x, part, span, cval) for part in (taps.real, taps.imag))
    if x.dtype.kind != "c":
        result = np.empty(real.shape, np.result_type(x.dtype, np.complex64))
        result.real, result.imag = real, imaginary
        return result
    real.real -= imaginary.imag
    real.imag += imaginary.real
    return real


def taps_at_once(dtype: np.dtype, taps: np.ndarray) -> int:
    """How many products SciPy's loop may sum in a row so that the worst error stays below ``2 sqrt(n) eps``.

    Partial sums of b make it (b + n/b)/2 eps. Symmetric taps are summed in pairs, half as many roundings. Single
    precision is summed in double, and never comes near.
    """
    symmetric = np.array_equal(taps, taps[::-1]) or np.array_equal(taps, -taps[::-1])
    if dtype != np.float64 or taps.size <= (56 if symmetric else 16):
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
    result = ndimage_correlate1d(x, taps, span.axis, output=x.dtype, mode=mode, cval=cval, origin=origin)
    return result if same else result[_along(x.ndim, span.axis, 0, span.count)]


def _along(ndim: int, axis: int, start: int, count: int) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, start + count),) + (slice(None),) * (ndim - axis - 1)


def survives_symmetry_test(taps: np.ndarray) -> bool:
    """False where SciPy's loop would take taps for (anti)symmetric that are not quite, or are not finite.

    It compares mirrored taps with an absolute tolerance of one double epsilon, and then uses one of each pair for
    both: taps of 1e-17 that differ in every digit would all be taken for symmetric. Even lengths are not tested.
    """
    if taps.size % 2 == 0:
        return True
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
    has_imaginary = is_complex(x.dtype.name)
    real = correlate_axis(np.ascontiguousarray(x.real), np.ascontiguousarray(taps.real), (span,), fill.real)
    imaginary: Any = 0
    if has_imaginary:
        imaginary = correlate_axis(np.ascontiguousarray(x.imag), np.ascontiguousarray(taps.real), (span,), fill.imag)
    if is_complex(taps.dtype.name):
        second = np.ascontiguousarray(taps.imag)
        if has_imaginary:
            real = real - correlate_axis(np.ascontiguousarray(x.imag), second, (span,), fill.imag)
        imaginary = imaginary + correlate_axis(np.ascontiguousarray(x.real), second, (span,), fill.real)
    result.real, result.imag = real, imaginary
    return result
