"""Outer products: one pass of SciPy's line filter per axis and term."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuconv.backends.cpu.lines import correlate_axis
from gpuconv.backends.generic.separable import fill_first
from gpuconv.core.boundary import Span


def correlate_separable(x: np.ndarray, banks: Sequence[Sequence[Any]], spans: Sequence[Span], cval: Any) -> np.ndarray:
    """``sum over banks of`` the correlation of `x` with ``bank[0] (x) bank[1] (x) ...``, bank[i] along spans[i]."""
    x, spans = fill_first(x, spans, cval)
    total = correlate_bank(x, banks[0], spans, cval)
    for bank in banks[1:]:
        total += correlate_bank(x, bank, spans, cval)
    return total


def correlate_bank(x: np.ndarray, bank: Sequence[Any], spans: Sequence[Span], cval: Any) -> np.ndarray:
    """One outer product: one pass per axis."""
    for taps, span in zip(bank, spans, strict=True):
        x = correlate_axis(x, taps, (span,), cval)
    return x
