"""Over N-D windows: one multiply-add of a shifted view per tap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import isqrt, prod
from typing import Any

import numpy as np

from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.namespace import bring_home, home_of


def correlate_windows(x: Any, kernel: Any, spans: Sequence[Span], cval: Any) -> Any:
    """``y[i] = sum_j kernel[j] x~[first + i + j]`` with i and j over the axes of `spans`."""
    home = home_of(x)
    xp = home.xp
    extended = extend_all(xp, x, spans, cval)
    if kernel.dtype == np.uint64:  # half of its range are Python ints that libraries refuse beside an array
        kernel = bring_home(kernel, home, "uint64")
    total = partial = None
    for position, (offsets, tap) in enumerate(taps_of(kernel)):
        term = extended[window(x.ndim, spans, offsets)] * tap
        if position % taps_per_partial_sum(kernel) == 0 and partial is not None:
            total, partial = partial if total is None else total + partial, None
        partial = term if partial is None else partial + term
    if partial is None:  # every tap is zero
        return xp.zeros_like(extended[window(x.ndim, spans, (0,) * len(spans))])
    return partial if total is None else total + partial


def taps_per_partial_sum(kernel: Any) -> int:
    """How many products are added up before their sum joins the total.

    With b products to a partial sum and n/b partial sums no product is rounded more than b + n/b times, which is
    least for ``b = sqrt(n)`` and keeps the worst error below ``2 sqrt(n) eps`` instead of ``n eps / 2``. A flat image
    comes near the worst case. Up to 16 products one sum does as well.
    """
    taps = prod(kernel.shape)
    return taps if taps <= 16 else isqrt(taps - 1) + 1


def taps_of(kernel: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Offsets and weights, as Python numbers without the zeros if the values are at hand, else as 0-d arrays."""
    at_hand = isinstance(kernel, np.ndarray)
    for offsets in product(*(range(taps) for taps in kernel.shape)):
        if at_hand:
            tap = kernel[offsets].item()
            if tap == 0:
                continue
            yield offsets, tap
        else:
            yield offsets, kernel[offsets]


def window(ndim: int, spans: Sequence[Span], offsets: Sequence[int]) -> tuple[slice, ...]:
    """Index of the samples that meet the tap at `offsets`, one per output."""
    index = [slice(None)] * ndim
    for span, offset in zip(spans, offsets, strict=True):
        index[span.axis] = slice(offset, offset + span.count)
    return tuple(index)
