"""Linear recurrences on NumPy arrays, through SciPy's lfilter in double precision."""

from __future__ import annotations

import numpy as np

from gpuconv.backends.cpu import originals
from gpuconv.backends.generic.recurrence import result_dtype


def linear_recurrence(x: np.ndarray, feedback: np.ndarray, axis: int, initial: np.ndarray | None = None) -> np.ndarray:
    """``y[n] = x[n] - sum_k feedback[k - 1] y[n - k]`` along `axis`, summed in double precision and rounded once."""
    name = result_dtype(x.dtype.name, feedback)
    if x.size == 0 or len(feedback) == 0:
        return x.astype(name)
    wide = x.astype(np.result_type(x, np.float64), copy=False)
    denominator = np.concatenate([[1.0], feedback])
    with np.errstate(all="ignore"):
        if initial is None:
            y = originals.signal_lfilter([1.0], denominator, wide, axis)
        else:
            y, _ = originals.signal_lfilter([1.0], denominator, wide, axis, _conditions(feedback, initial, axis))
        return y.astype(name, copy=False)


def _conditions(feedback: np.ndarray, initial: np.ndarray, axis: int) -> np.ndarray:
    """What lfilter is to have kept: position m holds ``-sum_i feedback[m + i] y[-1 - i]``."""
    newest_first = np.flip(np.moveaxis(initial, axis, -1), -1).astype(np.result_type(initial, feedback))
    kept = np.zeros_like(newest_first)
    order = len(feedback)
    for position in range(order):
        kept[..., position] = -(newest_first[..., : order - position] @ feedback[position:])
    return np.moveaxis(kept, -1, axis)
