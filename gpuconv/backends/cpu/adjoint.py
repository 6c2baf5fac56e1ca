"""The transpose of a correlation by its weights, on NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from gpuconv.backends.generic.windows import window
from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.namespace import home_of

# Products that NumPy adds up in a row, in the precision of the samples; the sums of rows are added in double precision.
IN_A_ROW = 1024


def weights_adjoint(x: np.ndarray, y: np.ndarray, spans: Sequence[Span], cval: Any) -> np.ndarray:
    """``w[j] = sum_i conj(x~[first + i + j]) y[i]``, over batches as well, in double precision."""
    extended = extend_all(home_of(x).xp, x, spans, cval)
    extended = extended.conj() if extended.dtype.kind == "c" else extended
    offsets = product(*(range(span.taps) for span in spans))
    sums = [_inner_product(extended[window(x.ndim, spans, offset)], y) for offset in offsets]
    return np.array(sums).reshape([span.taps for span in spans])


def _inner_product(one: np.ndarray, other: np.ndarray) -> Any:
    """``sum one[i] other[i]`` without an array of the products."""
    count = one.shape[-1]
    whole = count - count % IN_A_ROW
    total = 0.0
    if whole:
        rows = (*one.shape[:-1], -1, IN_A_ROW)
        total = _sum_of_rows(one[..., :whole].reshape(rows), other[..., :whole].reshape(rows))
    if whole < count:
        total = total + _sum_of_rows(one[..., whole:], other[..., whole:])
    return total


def _sum_of_rows(one: np.ndarray, other: np.ndarray) -> Any:
    rows = np.einsum("...i,...i->...", one, other)
    return rows.sum(dtype=np.complex128 if rows.dtype.kind == "c" else np.float64)
