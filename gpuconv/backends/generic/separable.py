"""Outer products: one pass per axis and term; several of them share the passes in which they agree."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from gpuconv.backends.generic.lines import correlate_axis
from gpuconv.core.boundary import Span, extend
from gpuconv.core.dtypes import real_of
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


def correlate_banks(x: Any, banks: Sequence[Sequence[Any]], spans: Sequence[Sequence[Span]], cval: Any) -> list[Any]:
    """For every bank, the correlation of `x` with ``bank[0] (x) bank[1] (x) ...``, bank[i] along ``spans[bank][i]``.

    All banks have the same axes, in the same order, and give results of the same shape.
    """
    x, spans = fill_first_for_all(x, spans, cval)
    return share_passes(x, banks, spans, lambda samples, taps, span: correlate_axis(samples, taps, (span,), cval))


def share_passes(
    x: Any,
    banks: Sequence[Sequence[Any]],
    spans: Sequence[Sequence[Span]],
    run: Callable[[Any, Any, Span], Any],
) -> list[Any]:
    """``run(samples, taps, span)`` axis after axis; banks whose taps agree so far have one pass for all of them.

    15 passes instead of 18 for the Hessian of a volume.
    """
    steps = [[(identity_of(taps), span) for taps, span in zip(*bank, strict=True)] for bank in zip(banks, spans)]
    partial: dict[tuple[Hashable, ...], Any] = {(): x}
    for position in range(len(banks[0])):
        shorter, partial = partial, {}
        for bank, step in zip(banks, steps):
            prefix = tuple(step[: position + 1])
            if prefix not in partial:
                partial[prefix] = run(shorter[prefix[:-1]], bank[position], step[position][1])
    return [partial[tuple(step)] for step in steps]


def identity_of(taps: Any) -> Hashable:
    """What makes taps the same ones: their values, where these are at hand."""
    return (taps.tobytes(), taps.dtype.str) if isinstance(taps, np.ndarray) else id(taps)


def fill_first_for_all(x: Any, spans: Sequence[Sequence[Span]], cval: Any) -> tuple[Any, Sequence[Sequence[Span]]]:
    """`fill_first` with room for the taps of every bank."""
    columns = list(zip(*spans, strict=True))
    together = []
    for column in columns:
        first = min(span.first for span in column)
        stop = max(span.first + span.taps for span in column)
        one = column[0]
        together.append(Span(one.axis, one.size, stop - first, first, one.count, one.boundary))
    x, filled = fill_first(x, together, cval)
    moved = []
    for column, old, new in zip(columns, together, filled):
        shift = 0 if new is old else -old.first
        moved.append(
            [Span(span.axis, new.size, span.taps, span.first + shift, span.count, span.boundary) for span in column]
        )
    return x, list(zip(*moved, strict=True))


def filtered_fill(taps: np.ndarray, cval: Any, dtype: np.dtype) -> Any:
    """What a pass makes of a line of nothing but the fill value."""
    weights = taps.astype(dtype if dtype.kind in "iu" or taps.dtype.kind == "c" else real_of(dtype.name))
    return np.sum(weights * np.full(1, cval, dtype), dtype=dtype).item()


def is_zero(cval: Any) -> bool:
    """True for zero; False for anything else, NaN included."""
    return bool(cval == 0)
