"""Along one axis: SciPy's compiled loop for small work, loops compiled for this machine for the rest.

SciPy's loop sums in double precision, whatever the dtype. Where there is no compiler, large work with many taps is done
as matrix products.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod, sqrt
from typing import Any

import numpy as np

from gpuconv.backends.cpu import banded, compiled
from gpuconv.backends.cpu.scipy_loops import line_loop
from gpuconv.backends.cpu.stored import Loop, brought, prepared, rounded
from gpuconv.backends.cpu.windows import correlate_slices
from gpuconv.core.boundary import Span, extend
from gpuconv.core.namespace import home_of
from gpuconv.core.rounding import quiet
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


def prepare(shape: tuple[int, ...], dtype: Any, taps: np.ndarray, spans: tuple[Span], result: str | None) -> Loop:
    """`correlate_axis` of images of that shape and dtype: all that comes before SciPy's loop is done here."""
    dtype = np.dtype(dtype)
    (span,) = spans
    working = compiled.working_dtype(dtype, taps.dtype)
    is_large = compiled.why_not(prod(output_shape(shape, spans)) * taps.size, working) is None
    loop = None if is_large else prepare_small(shape, working, taps, span)
    if loop is None:
        return quiet(lambda x, cval: correlate_axis(x, taps, spans, cval, result))
    return prepared(loop, dtype, working, result)


def prepare_small(shape: tuple[int, ...], dtype: np.dtype, taps: np.ndarray, span: Span) -> Loop | None:
    """What `correlate_small` does, if that is one call of SciPy's loop on the image itself; None if it is not."""
    work = prod(output_shape(shape, (span,))) * taps.size
    if taps.dtype.kind == "c" or dtype.kind == "c" or taps_at_once(dtype, taps) < taps.size:
        return None
    if banded.why_not(dtype.name, taps.dtype.name, taps.size, work) is None:
        return None
    if not reads_image(span) or not scipy_meets_definition(dtype, taps):
        return None
    return line_loop(shape, dtype, taps, span)


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
    if not scipy_meets_definition(x.dtype, taps):
        return correlate_slices(x, taps, (span,), cval)
    if reads_image(span):
        return line_loop(x.shape, x.dtype, taps, span)(x, cval)
    x = extend(home_of(x).xp, x, span, cval)
    whole = Span(span.axis, span.length, span.taps, 0, span.length, "constant")
    return line_loop(x.shape, x.dtype, taps, whole)(x, cval)[_along(x.ndim, span.axis, 0, span.count)]


def scipy_meets_definition(dtype: np.dtype, taps: np.ndarray) -> bool:
    """Where SciPy's loop gives the definition: not for 64-bit integers, which it sums in 53 bits."""
    return not (dtype.kind in "iu" and dtype.itemsize == 8) and survives_symmetry_test(taps)


def reads_image(span: Span) -> bool:
    """Whether SciPy's loop can read the image itself, of which it makes as many outputs as there are samples."""
    return span.count == span.size and -span.taps < span.first <= 0 < span.size


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
        with np.errstate(over="ignore"):  # huge taps differ enough
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
