"""Changes of the sampling rate by a ratio of whole numbers: every sub-filter meets only the samples it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from gpuconv.backends.generic.windows import taps_per_partial_sum
from gpuconv.core.namespace import Home, bring_home, dtype_name, home_of


@dataclass(frozen=True)
class Rates:
    """How one axis is resampled: ``y[n] = sum_q taps[offset + n down - q up] x~[q]``, ``0 <= n < count``.

    The outputs come in cycles: `cycle` outputs, each with a sub-filter of its own (every up-th tap), and then the same
    sub-filters again, `advance` samples further on. A sub-filter has `depth` taps.
    """

    axis: int
    up: int
    down: int
    offset: int
    count: int
    taps: int

    @property
    def cycle(self) -> int:
        return self.up // gcd(self.up, self.down)

    @property
    def advance(self) -> int:
        return self.down // gcd(self.up, self.down)

    @property
    def before(self) -> int:
        """Zeros put before the taps, so that the first output begins a sub-filter with its first tap."""
        return -self.offset % self.up

    @property
    def depth(self) -> int:
        return -(-(self.before + self.taps) // self.up)

    @property
    def cycles(self) -> int:
        return -(-self.count // self.cycle)

    @property
    def first(self) -> int:
        """The first sample that is read. It and the `length` - 1 after it are what primitives are given."""
        return (self.offset + self.before) // self.up - self.depth + 1

    @property
    def length(self) -> int:
        return self.cycles * self.advance + self.depth - 1

    @property
    def starts(self) -> np.ndarray:
        """Which sample of a cycle meets the newest tap of each output."""
        return np.arange(self.cycle) * self.down // self.up

    @property
    def positions(self) -> np.ndarray:
        """Index into the taps, per depth and output of a cycle; some lie before the first or after the last."""
        phases = np.arange(self.cycle) * self.down % self.up
        return np.arange(self.depth)[:, None] * self.up + phases - self.before


def resample_axis(x: Any, taps: Any, rates: Rates) -> Any:
    """``y[n] = sum_q taps[offset + n down - q up] x~[q]`` along an axis; `x` is ``x~[first : first + length]``."""
    home = home_of(x)
    xp, axis, cycle = home.xp, rates.axis, rates.cycle
    framed = (*x.shape[:axis], rates.cycles, rates.advance, *x.shape[axis + 1 :])
    starts = _indices(home, rates.starts)
    total = partial = None
    for position, (depth, weights, kept) in enumerate(_weights(home, taps, rates, len(framed))):
        start = rates.depth - 1 - depth
        window = x[_along(x.ndim, axis, start, start + rates.cycles * rates.advance)]
        term = xp.take(xp.reshape(window, framed), starts, axis=axis + 1) * weights
        if kept is not None:
            term = xp.where(kept, term, xp.zeros_like(term))
        if position % taps_per_partial_sum(np.empty(rates.depth)) == 0 and partial is not None:
            total, partial = partial if total is None else total + partial, None
        partial = term if partial is None else partial + term
    resampled = (*x.shape[:axis], rates.cycles * cycle, *x.shape[axis + 1 :])
    if partial is None:  # every tap is zero
        return xp.zeros((*x.shape[:axis], rates.count, *x.shape[axis + 1 :]), dtype=x.dtype, device=home.device)
    y = partial if total is None else total + partial
    return xp.reshape(y, resampled)[_along(x.ndim, axis, 0, rates.count)]


def _weights(home: Home, taps: Any, rates: Rates, ndim: int) -> Iterator[tuple[int, Any, Any]]:
    """Depth, the tap of each output of a cycle, and which of these count: None where all do.

    Where the values are at hand, taps of zero do not count: a NaN that meets one is not there. Of others it is only
    known which are beyond the ends.
    """
    positions = rates.positions
    inside = (positions >= 0) & (positions < rates.taps)
    at_hand = isinstance(taps, np.ndarray)
    shape = [rates.cycle if axis == rates.axis + 1 else 1 for axis in range(ndim)]
    for depth in range(rates.depth):
        indices = np.clip(positions[depth], 0, rates.taps - 1)
        kept = inside[depth]
        if at_hand:
            kept = kept & (taps[indices] != 0)
        if not kept.any():
            continue
        if at_hand:
            values = bring_home(taps[indices], home, dtype_name(taps.dtype))
        else:
            values = home.xp.take(taps, _indices(home, indices), axis=0)
        mask = None if kept.all() else home.xp.asarray(kept.reshape(shape), device=home.device)
        yield depth, home.xp.reshape(values, tuple(shape)), mask


def _indices(home: Home, host: np.ndarray) -> Any:
    return bring_home(host, home, "int32" if home.library == "jax" else "int64")


def _along(ndim: int, axis: int, start: int, stop: int) -> tuple[slice, ...]:
    return tuple(slice(start, stop) if other == axis else slice(None) for other in range(ndim))
