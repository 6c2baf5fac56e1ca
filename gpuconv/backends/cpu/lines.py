"""Along one axis, through SciPy's compiled loop. It sums in double precision, whatever the dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.backends.cpu.originals import ndimage_correlate1d
from gpuconv.backends.cpu.windows import correlate_slices
from gpuconv.core.boundary import Span, extend
from gpuconv.core.dtypes import is_complex
from gpuconv.core.namespace import home_of
from gpuconv.core.problem import Problem

_DOUBLE_EPSILON = 2.0**-52


def why_not(problem: Problem) -> str | None:
    """Integers wider than a double's 53 bits would lose digits in SciPy's loop."""
    if problem.rule.accumulator in ("int64", "uint64"):
        return f"SciPy's loops sum in double precision, which does not hold {problem.rule.accumulator} exactly"
    return None


def correlate_axis(x: np.ndarray, taps: np.ndarray, spans: tuple[Span], cval: Any) -> np.ndarray:
    """``y[i] = sum_j taps[j] x~[first + i + j]`` along the axis of the only span."""
    (span,) = spans
    if is_complex(taps.dtype.name) or is_complex(x.dtype.name):
        return _correlate_complex(x, taps, span, cval)
    if not survives_symmetry_test(taps):
        return correlate_slices(x, taps, spans, cval)
    same = span.count == span.size and -span.taps < span.first <= 0 < span.size
    if not same:
        x = extend(home_of(x).xp, x, span, cval)
    # SciPy reads x~[i + j - taps // 2 - origin].
    origin = -(span.first if same else 0) - span.taps // 2
    mode = span.boundary if same else "constant"
    # SciPy copies the fill value into a double, as it does the samples.
    result = ndimage_correlate1d(x, taps, span.axis, output=x.dtype, mode=mode, cval=cval, origin=origin)
    if same:
        return result
    crop = [slice(None)] * x.ndim
    crop[span.axis] = slice(0, span.count)
    return result[tuple(crop)]


def survives_symmetry_test(taps: np.ndarray) -> bool:
    """False where SciPy's loop would take taps for (anti)symmetric that are not quite.

    It compares mirrored taps with an absolute tolerance of one double epsilon, and then uses one of each pair for
    both: taps of 1e-17 that differ in every digit would all be taken for symmetric. Even lengths are not tested.
    """
    if taps.size % 2 == 0:
        return True
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
