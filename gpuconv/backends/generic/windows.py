"""Over N-D windows: one multiply-add of a shifted view per tap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.namespace import home_of


def correlate_windows(x: Any, kernel: Any, spans: Sequence[Span], cval: Any) -> Any:
    """``y[i] = sum_j kernel[j] x~[first + i + j]`` with i and j over the axes of `spans`."""
    xp = home_of(x).xp
    extended = extend_all(xp, x, spans, cval)
    total = None
    for offsets, tap in taps_of(kernel):
        view = extended[window(x.ndim, spans, offsets)]
        term = view * tap
        total = term if total is None else total + term
    if total is None:  # every tap is zero
        total = xp.zeros_like(extended[window(x.ndim, spans, (0,) * len(spans))])
    return total


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
