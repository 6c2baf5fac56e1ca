"""Outer products: one pass per axis and term."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpuconv.backends.generic.lines import correlate_axis
from gpuconv.core.boundary import Span, extend
from gpuconv.core.namespace import home_of


def correlate_separable(x: Any, banks: Sequence[Sequence[Any]], spans: Sequence[Span], cval: Any) -> Any:
    """``sum over banks of`` the correlation of `x` with ``bank[0] (x) bank[1] (x) ...``, bank[i] along spans[i].

    A fill value is extended once, on every axis, before the first pass: passes of a constant edge do not commute
    with filling in, since the filtered border is no longer the fill value.
    """
    x, spans = fill_first(x, spans, cval)
    total = correlate_bank(x, banks[0], spans, cval)
    for bank in banks[1:]:
        total = total + correlate_bank(x, bank, spans, cval)
    return total


def correlate_bank(x: Any, bank: Sequence[Any], spans: Sequence[Span], cval: Any) -> Any:
    """One outer product: one pass per axis."""
    for taps, span in zip(bank, spans, strict=True):
        x = correlate_axis(x, taps, (span,), cval)
    return x


def fill_first(x: Any, spans: Sequence[Span], cval: Any) -> tuple[Any, Sequence[Span]]:
    """Extend the constant axes of `x` at once, if the fill value is not zero (zero stays zero in every pass)."""
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
