"""Kernels that sum to 1 and bring out detail: sharpen, unsharp, emboss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuconv.kernels._arguments import read_factor, read_ndim, read_real
from gpuconv.kernels._derivatives import laplacian, prewitt
from gpuconv.kernels._smoothing import gaussian
from gpuconv.kernels._weights import impulse, total, whole_numbers


def sharpen(amount: float = 1, *, ndim: int = 2, neighbours: str | int = "faces") -> np.ndarray:
    """Image less its Laplacian: steeper edges, more noise.

    ``k = identity - amount laplacian``.

    Parameters
    ----------
    amount : int or float
        How strongly; 0 is the identity, negative values blur.
    ndim : int
        Number of axes.
    neighbours : {"faces", "all"} or int
        As in `laplacian`: "faces" (4 in 2-D) gives the classic kernel with 5 in the middle, "all" that with 9.

    Returns
    -------
    numpy.ndarray, shape (3,) * ndim
        int16 (int64 where the weights do not fit) if `amount` is an int, else float64. Sums to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    References
    ----------
    .. [1] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", 4th ed., 2018, section 3.6.

    Examples
    --------
    >>> from gpuconv.kernels import sharpen
    >>> sharpen().tolist()
    [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    """
    change = -laplacian(ndim=ndim, neighbours=neighbours).astype(np.int64)
    return _identity_with(change, read_factor("amount", amount))


def unsharp(
    sigma: float | Sequence[float] = 1.0,
    *,
    amount: float = 1.0,
    ndim: int | None = None,
    truncate: float | None = None,
    radius: int | Sequence[int] | None = None,
    kind: str = "sampled",
) -> np.ndarray:
    """Image plus what a Gaussian takes away from it: sharpens detail of a chosen size.

    ``k = identity + amount (identity - G(sigma))``.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation of the Gaussian in samples; one for all axes, or one per axis.
    amount : float
        How strongly; 0 is the identity, -1 the Gaussian.
    ndim : int, optional
        Number of axes; by default as many as `sigma` or `radius` has entries, else 2.
    truncate, radius, kind
        As in `gaussian`.

    Returns
    -------
    numpy.ndarray of float64, of an odd size on every axis
        Sums to 1.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`.

    References
    ----------
    .. [1] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", 4th ed., 2018, section 3.6.

    Examples
    --------
    >>> from gpuconv.kernels import unsharp
    >>> unsharp(0.5, radius=1, ndim=1).round(3).tolist()
    [-0.107, 1.213, -0.107]
    """
    ndim = read_ndim(ndim, sigma, radius)
    options: dict[str, Any] = {"truncate": truncate, "radius": radius, "kind": kind, "ndim": ndim}
    amount = read_real("amount", amount)
    smooth = gaussian(sigma, **options)
    return (1.0 + amount) * impulse(smooth.shape) - amount * smooth


def emboss(depth: float = 1, *, ndim: int = 2) -> np.ndarray:
    """Relief lit from the first corner (in a picture, the upper left), laid over the image.

    ``k = identity + depth sum_a prewitt(a)`` over the axes a.

    What rises towards the last corner is brightened, what falls darkened. It is written for `convolve`, as derivatives
    are: programs that lay kernels on the image unturned show it as -2 -1 0 / -1 1 1 / 0 1 2.

    Parameters
    ----------
    depth : int or float
        Height of the relief; negative values light it from the last corner.
    ndim : int
        Number of axes.

    Returns
    -------
    numpy.ndarray, shape (3,) * ndim
        int16 (int64 where the weights do not fit) if `depth` is an int, else float64. Sums to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    Examples
    --------
    >>> from gpuconv.kernels import emboss
    >>> emboss().tolist()
    [[2, 1, 0], [1, 1, -1], [0, -1, -2]]
    """
    ndim = read_ndim(ndim)
    change = total([prewitt(axis, ndim=ndim).astype(np.int64) for axis in range(ndim)])
    return _identity_with(change, read_factor("depth", depth))


def _identity_with(change: np.ndarray, factor: float) -> np.ndarray:
    """``identity + factor change``, in whole numbers if the factor is one."""
    kernel = impulse(change.shape) + factor * change
    return whole_numbers(kernel) if kernel.dtype.kind == "i" else kernel
