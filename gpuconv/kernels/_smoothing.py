"""Kernels that sum to 1 and smooth: identity, box, gaussian, disk, motion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuconv.kernels._arguments import (
    check_count,
    read_ndim,
    read_nonnegative,
    read_odd,
    read_order,
    read_precision,
    read_radius,
    read_real,
    read_size,
    spread,
)
from gpuconv.kernels._taps import double_taps
from gpuconv.kernels._weights import impulse, outer, whole_numbers


def identity(size: int | Sequence[int] = 3, *, ndim: int | None = None) -> np.ndarray:
    """Leave the image as it is.

    ``k[0] = 1``, all other weights 0.

    Parameters
    ----------
    size : int or sequence of int
        Number of weights along each axis, odd; one for all, or one per axis.
    ndim : int, optional
        Number of axes; by default as many as `size` has entries, else 2.

    Returns
    -------
    numpy.ndarray of int16, shape (size, ...)

    Raises
    ------
    TypeError, ValueError
        If `size` is not odd, or an argument is of a wrong type or out of range.

    Examples
    --------
    >>> from gpuconv.kernels import identity
    >>> identity().tolist()
    [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    """
    return whole_numbers(impulse(spread("size", size, read_ndim(ndim, size), read_odd)))


def box(size: int | Sequence[int] = 3, *, ndim: int | None = None) -> np.ndarray:
    """Average over a box of pixels.

    ``k[m] = 1/N`` for the N = size^ndim pixels of the box.

    Parameters
    ----------
    size : int or sequence of int
        Number of weights along each axis; one for all, or one per axis. Boxes of even size average over one pixel more
        before the centre than after it, as `scipy.ndimage.uniform_filter` does.
    ndim : int, optional
        Number of axes; by default as many as `size` has entries, else 2.

    Returns
    -------
    numpy.ndarray of float64, shape (size, ...)
        Sums to 1. For sums instead of means take integer ones: ``numpy.ones((3, 3), "int16")``.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    References
    ----------
    .. [1] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", 4th ed., 2018, section 3.5.

    Examples
    --------
    >>> from gpuconv.kernels import box
    >>> box(2).tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    >>> box((1, 5)).tolist()
    [[0.2, 0.2, 0.2, 0.2, 0.2]]
    """
    shape = spread("size", size, read_ndim(ndim, size), read_size)
    count = math.prod(shape)
    check_count(count, f"shape {shape}")
    return np.full(shape, 1.0 / count)


def gaussian(
    sigma: float | Sequence[float] = 1.0,
    *,
    order: int | Sequence[int] = 0,
    ndim: int | None = None,
    truncate: float | None = None,
    radius: int | Sequence[int] | None = None,
    kind: str = "sampled",
    dtype: Any = np.float64,
) -> np.ndarray:
    """Smooth with a Gaussian, or take a smoothed derivative.

    ``k[m, n, ...] = g[m] g[n] ...`` with the taps g of `gaussian_taps` on each axis.

    Convolving with the sampled kernel gives `scipy.ndimage.gaussian_filter` of the same sigma, order and truncate.
    `convolve_separable` with `gaussian_taps` does the same without making the N-D kernel.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation in samples; one for all axes, or one per axis. 0 leaves an axis as it is.
    order : int or sequence of int
        0 to 3; one for all axes, or one per axis: ``order=(1, 0)`` is the slope along axis 0, smoothed along both.
    ndim : int, optional
        Number of axes; by default as many as `sigma`, `order` or `radius` has entries, else 2.
    truncate : float, optional
        Cut at this many sigma, 4 for the sampled kind.
    radius : int or sequence of int, optional
        Cut at this many samples from the centre, instead of by `truncate`.
    kind : {"sampled", "lattice"}
        Samples of the continuous Gaussian, as in SciPy, or the heat kernel of the lattice; see `gaussian_taps`.
    dtype : {float64, float32, float16}
        dtype of the kernel; it is computed in float64.

    Returns
    -------
    numpy.ndarray of `dtype`, of an odd size on every axis
        Sums to 1 for order 0. The lattice kind is cut by default where less than eps of its mass is left out.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian_taps`; and if the sequences differ in length.

    See Also
    --------
    gaussian_taps : one axis, and the formulas.

    References
    ----------
    .. [1] T. Lindeberg, "Discrete approximations of Gaussian smoothing and Gaussian derivatives", Journal of
       Mathematical Imaging and Vision 66, 2024. DOI 10.1007/s10851-024-01196-9: the kinds compared.

    Examples
    --------
    >>> from gpuconv.kernels import gaussian
    >>> gaussian(0.5).round(4).tolist()[2]
    [0.0002, 0.0837, 0.6187, 0.0837, 0.0002]
    >>> gaussian((0, 0.5), order=(0, 1), radius=1, ndim=2, kind="lattice").tolist()
    [[0.0, 0.0, 0.0], [0.5, 0.0, -0.5], [0.0, 0.0, 0.0]]
    """
    ndim = read_ndim(ndim, sigma, order, radius)
    precision = read_precision(dtype)
    sigmas = spread("sigma", sigma, ndim, read_nonnegative)
    orders = spread("order", order, ndim, read_order)
    radii = spread("radius", radius, ndim, read_radius)
    taps = [
        double_taps(own, degree, truncate, reach, kind, precision)
        for own, degree, reach in zip(sigmas, orders, radii, strict=True)
    ]
    return (outer(taps) + 0.0).astype(precision, copy=False)  # + 0.0: no negative zeros


def disk(radius: float = 3, *, ndim: int = 2) -> np.ndarray:
    """Average over a disk: a lens out of focus.

    ``k[m, n] = 1/N`` for the N pixels with m^2 + n^2 <= radius^2.

    Parameters
    ----------
    radius : float
        In pixels, 0 or more; 0 is the identity.
    ndim : int
        Number of axes; 3 makes a ball.

    Returns
    -------
    numpy.ndarray of float64, shape (2 floor(radius) + 1, ...)
        Sums to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    Examples
    --------
    >>> from gpuconv.kernels import disk
    >>> disk(1).tolist()
    [[0.0, 0.2, 0.0], [0.2, 0.2, 0.2], [0.0, 0.2, 0.0]]
    """
    ndim = read_ndim(ndim)
    radius = read_nonnegative("radius", radius)
    reach = math.floor(radius)
    check_count((2 * reach + 1) ** ndim, f"radius={radius:g} in {ndim} dimensions")
    squares = np.square(np.arange(-reach, reach + 1, dtype=np.float64))
    distance = np.zeros(())
    for _ in range(ndim):
        distance = np.add.outer(distance, squares)
    inside = distance <= radius * radius
    return inside / np.count_nonzero(inside)


def motion(length: int = 9, *, angle: float = 0.0) -> np.ndarray:
    """Average along a line: a camera that moved during the exposure.

    ``k[m, n] = 1/L sum_s T(m - s sin a) T(n - s cos a)``, s = -(L-1)/2 ... (L-1)/2, T(d) = max(0, 1 - abs d).

    L points one pixel apart lie on a line through the centre; each is shared among the four pixels around it.

    Parameters
    ----------
    length : int
        Number L of points on the line, odd.
    angle : float
        Direction a in degrees, from axis 1 towards axis 0: on a picture with its first row on top, clockwise from the
        horizontal.

    Returns
    -------
    numpy.ndarray of float64, 2-D
        Sums to 1, is symmetric under a turn by 180 degrees, and just large enough to hold the line.

    Raises
    ------
    TypeError, ValueError
        If `length` is not odd, or an argument is of a wrong type or out of range.

    Examples
    --------
    >>> from gpuconv.kernels import motion
    >>> motion(5).tolist()
    [[0.2, 0.2, 0.2, 0.2, 0.2]]
    >>> motion(3, angle=45).round(3).tolist()
    [[0.167, 0.069, 0.0], [0.069, 0.391, 0.069], [0.0, 0.069, 0.167]]
    """
    length = read_odd("length", length)
    radians = np.deg2rad(read_real("angle", angle))
    check_count(length**2, f"length={length}")
    steps = np.arange(length) - (length - 1) / 2
    down, across = (_shares(steps * slope) for slope in (np.sin(radians), np.cos(radians)))
    return down @ across.T / length


def _shares(positions: np.ndarray) -> np.ndarray:
    """How much of each position goes to each pixel of an axis: shape (pixels, positions), columns sum to 1."""
    # sin(180 degrees) is 1e-16 in floating point, and would add two rows of nothing.
    nearest = np.round(positions)
    rounding = 4 * np.finfo(np.float64).eps * len(positions)
    positions = np.where(np.abs(positions - nearest) <= rounding, nearest, positions)
    reach = np.ceil(np.abs(positions).max())
    return np.maximum(0.0, 1.0 - np.abs(np.arange(-reach, reach + 1)[:, None] - positions))
