"""Tridiagonal systems on NumPy arrays through LAPACK's gtsv, which exchanges rows where that is safer."""

from __future__ import annotations

import numpy as np

from gpuconv.backends.generic.lines import solve_cyclic
from gpuconv.backends.generic.lines import solve_tridiagonal as solve_generically


def solve_tridiagonal(
    right: np.ndarray, lower: np.ndarray, diagonal: np.ndarray, upper: np.ndarray, axis: int, cyclic: bool = False
) -> np.ndarray:
    """x of ``lower[i] x[i - 1] + diagonal[i] x[i] + upper[i] x[i + 1] = right[i]`` along `axis`.

    Systems that differ are set end to end as one long one, without a link between them.
    """
    size = right.shape[axis]
    if cyclic:
        return solve_cyclic(solve_tridiagonal, right, lower, diagonal, upper, axis)
    if size < 2 or right.size == 0:
        return right / diagonal
    lines = np.moveaxis(right, axis, -1)
    below, middle, above = (_lines(band, right.ndim, axis) for band in (lower, diagonal, upper))
    if below.size == middle.size == above.size == size:
        columns = lines.reshape(-1, size).T
        solved = _gtsv(below.reshape(-1), middle.reshape(-1), above.reshape(-1), columns).T
    else:
        below, middle, above = (np.array(np.broadcast_to(band, lines.shape)) for band in (below, middle, above))
        below[..., 0] = above[..., -1] = 0
        solved = _gtsv(below.reshape(-1), middle.reshape(-1), above.reshape(-1), lines.reshape(-1, 1))
        if not np.isfinite(solved).all():  # zero times NaN would link the systems: each is to keep its own
            return solve_generically(right, lower, diagonal, upper, axis)
    return np.moveaxis(solved.reshape(lines.shape), -1, axis)


def _lines(band: np.ndarray, ndim: int, axis: int) -> np.ndarray:
    """A diagonal with all dimensions, that of the systems last."""
    return np.moveaxis(band.reshape((1,) * (ndim - band.ndim) + band.shape), axis, -1)


def _gtsv(lower: np.ndarray, diagonal: np.ndarray, upper: np.ndarray, right: np.ndarray) -> np.ndarray:
    from scipy.linalg.lapack import get_lapack_funcs

    (gtsv,) = get_lapack_funcs(("gtsv",), (diagonal, right))
    *_, solved, info = gtsv(lower[1:], diagonal, upper[:-1], right)
    return solved if info == 0 else np.full_like(right, np.nan)
