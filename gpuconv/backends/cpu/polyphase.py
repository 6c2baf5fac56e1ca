"""Changes of the sampling rate, through SciPy's compiled loop."""

from __future__ import annotations

import numpy as np

from gpuconv.backends.cpu import originals
from gpuconv.backends.generic import polyphase
from gpuconv.backends.generic.polyphase import Rates


def resample_axis(x: np.ndarray, taps: np.ndarray, rates: Rates) -> np.ndarray:
    """``y[n] = sum_q taps[offset + n down - q up] x~[q]`` along an axis; `x` is ``x~[first : first + length]``.

    SciPy's loop begins at the first sample that it is given; zeros before the taps make that a whole number of
    outputs too early. It fills up its sub-filters with zeros and multiplies by these too, so that a NaN would spread.
    """
    ahead = (rates.depth - 1) * rates.up
    padded = np.zeros(rates.depth * rates.up - rates.before, taps.dtype)
    padded[: rates.taps] = taps
    before = rates.before + -ahead % rates.down
    late = (ahead + before - rates.before) // rates.down
    padded = np.concatenate([np.zeros(before, taps.dtype), padded])
    y = originals.signal_upfirdn(padded, x, rates.up, rates.down, axis=rates.axis)
    kept = tuple(slice(late, late + rates.count) if axis == rates.axis else slice(None) for axis in range(x.ndim))
    y = y[kept]
    return y if np.isfinite(y).all() else polyphase.resample_axis(x, taps, rates)
