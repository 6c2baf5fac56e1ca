"""Outer products: matrix products for small images, fused sweeps on compiled loops for large work.

What neither takes has one pass of the line filter per axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cpu import compiled, matrices
from gpuconv.backends.cpu.lines import correlate_axis, correlate_large, correlate_small, prepare_small
from gpuconv.backends.cpu.stored import Loop, brought, prepared, rounded
from gpuconv.backends.generic.separable import fill_first, filtered_fill, is_zero
from gpuconv.core.boundary import Span
from gpuconv.core.rounding import quiet
from gpuconv.core.shapes import output_shape


def correlate_separable(
    x: np.ndarray, banks: Sequence[Sequence[Any]], spans: Sequence[Span], cval: Any, result: str | None = None
) -> np.ndarray:
    """``sum over banks of`` the correlation of `x` with ``bank[0] (x) bank[1] (x) ...``, bank[i] along spans[i]."""
    return prepare(x.shape, x.dtype, banks, spans, result)(x, cval)


def _correlate(
    x: np.ndarray, banks: Sequence[Sequence[Any]], spans: Sequence[Span], cval: Any, result: str | None
) -> np.ndarray:
    """The same by loops."""
    working = compiled.working_dtype(x.dtype, *(taps.dtype for taps in banks[0]))
    is_large = compiled.why_not(products(x.shape, banks, spans), working) is None
    if is_large and all(taps.dtype.kind != "c" for bank in banks for taps in bank):
        return rounded(correlate_sweeps(x, banks, spans, cval, result), result)
    x, spans = fill_first(brought(x, working), spans, cval)
    total: np.ndarray | None = None
    for bank in banks:
        y = x
        for taps, span in zip(bank, spans, strict=True):
            y = correlate_axis(y, taps, (span,), cval) if is_large else correlate_small(y, taps, span, cval)
        total = y if total is None else total + y
    assert total is not None, "there is at least one bank"
    return rounded(total, result)


def products(shape: tuple[int, ...], banks: Sequence[Any], spans: Sequence[Span]) -> int:
    """Products of a tap and a sample: what decides between loops."""
    return prod(output_shape(shape, spans)) * sum(span.taps for span in spans) * len(banks)


def prepare(
    shape: tuple[int, ...], dtype: Any, banks: Sequence[Sequence[Any]], spans: Sequence[Span], result: str | None
) -> Loop:
    """`correlate_separable` of images of that shape and dtype: all that does not depend on samples is done here."""
    dtype = np.dtype(dtype)
    working = compiled.working_dtype(dtype, *(taps.dtype for taps in banks[0]))
    loop = None
    if len(banks) == 1 and matrices.why_not(shape, working, banks[0], spans) is None:
        loop = matrices.product_loop(banks[0], spans, lambda x, cval: _correlate(x, banks, spans, cval, working.name))
    elif len(banks) == 1 and compiled.why_not(products(shape, banks, spans), working) is not None:
        loop = _prepare_small(shape, working, banks[0], spans)
    others = quiet(lambda x, cval: _correlate(x, banks, spans, cval, result))
    if loop is None:
        return others
    run = prepared(loop, dtype, working, result)
    if not is_filled(spans):
        return run
    # A fill value goes around before the first pass.
    return lambda x, cval: run(x, cval) if is_zero(cval) else others(x, cval)


def is_filled(spans: Sequence[Span]) -> bool:
    """Whether a fill value is read."""
    return any(span.boundary == "constant" and not span.inside for span in spans)


def _prepare_small(shape: tuple[int, ...], dtype: np.dtype, bank: Sequence[Any], spans: Sequence[Span]) -> Loop | None:
    """One loop of SciPy's after the other, where every pass is one."""
    passes = []
    for taps, span in zip(bank, spans, strict=True):
        one = prepare_small(shape, dtype, taps, span)
        if one is None:
            return None
        passes.append(one)

    def loop(x: np.ndarray, cval: Any) -> np.ndarray:
        for one in passes:
            x = one(x, cval)
        return x

    return loop


def correlate_sweeps(
    x: np.ndarray, banks: Sequence[Sequence[np.ndarray]], spans: Sequence[Span], cval: Any, wanted: str | None = None
) -> np.ndarray:
    """Real taps on compiled loops: the axes whose samples are nearest in one sweep, others before them one by one.

    In the dtype called `wanted` where these loops can round to it, else in that of the sums.
    """
    from gpuconv.backends.cpu.axis import is_box

    # Long boxes are summed in few additions, but only along one axis at a time.
    if len(spans) in (2, 3) and not any(is_box(taps) for taps in banks[0]):
        from gpuconv.backends.cpu.fused import correlate_fused

        result = correlate_fused(x, banks, spans, cval, wanted)
        if result is not None:
            return result
    place = max(range(len(spans)), key=lambda place: (abs(x.strides[spans[place].axis]), -place))
    rest = [*spans[:place], *spans[place + 1 :]]
    total: np.ndarray | None = None
    last = wanted if len(banks) == 1 else None  # sums of several are rounded once, by the caller
    for bank in banks:
        result = correlate_large(x, bank[place], spans[place], cval, None if rest else last)
        if rest:
            fill = filtered_fill(bank[place], cval, result.dtype)
            result = correlate_sweeps(result, [[*bank[:place], *bank[place + 1 :]]], rest, fill, last)
        if total is None:
            total = result
        else:
            total += result
    assert total is not None, "there is at least one bank"
    return total
