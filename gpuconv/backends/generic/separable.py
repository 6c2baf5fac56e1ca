"""Outer products: one pass per axis and term."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpuconv.backends.generic.lines import correlate_axis
from gpuconv.core.boundary import Span


def correlate_separable(x: Any, banks: Sequence[Sequence[Any]], spans: Sequence[Span], cval: Any) -> Any:
    """``sum over banks of`` the correlation of `x` with ``bank[0] (x) bank[1] (x) ...``, bank[i] along spans[i].

    A fill value is extended once, on every axis, before the first pass: passes of a constant edge do not commute
    with filling in, since the filtered border is no longer the fill value.
    """
    x, spans = fill_first(x, spans, cval)
    total = None
    for bank in banks:
        term = x
        for taps, span in zip(bank, spans, strict=True):
            term = correlate_axis(term, taps, (span,), cval)
        total = term if total is None else total + term
    return total


def fill_first(x: Any, spans: Sequence[Span], cval: Any) -> tuple[Any, Sequence[Span]]:
    """Extend the constant axes of `x` at once, if the fill value is not zero (zero stays zero in every pass)."""
    from gpuconv.core.boundary import extend
    from gpuconv.core.namespace import home_of

    if is_zero(cval) or all(span.boundary != "constant" or span.inside for span in spans):
        return x, spans
    xp = home_of(x).xp
    filled = []
    for span in spans:
        if span.boundary == "constant" and not span.inside:
            x = extend(xp, x, span, cval)
            span = Span(span.axis, span.length, span.taps, 0, span.count, span.boundary)
        filled.append(span)
    return x, filled


def is_zero(cval: Any) -> bool:
    """True for zero; False for anything else, NaN included."""
    return bool(cval == 0)
