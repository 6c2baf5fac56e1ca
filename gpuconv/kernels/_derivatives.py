"""Kernels that sum to 0 and measure change: first derivatives, and Laplacians.

All are written for `convolve`: an increasing ramp gives a positive slope.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.kernels._arguments import check_count, read_axis, read_ndim
from gpuconv.kernels._weights import impulse, outer, whole_numbers

SCALES = ("integer", "unit")


def sobel(axis: int = -1, *, ndim: int = 2, scale: str = "integer") -> np.ndarray:
    """Slope along one axis, smoothed by 1 2 1 along the others.

    ``k[m, n] = d[m] s[n]``, d = (1, 0, -1) along `axis`, s = (1, 2, 1) along the others.

    Convolving with it gives `scipy.ndimage.sobel` of the same axis.

    Parameters
    ----------
    axis : int
        Axis of the derivative: 0 down the rows of a picture, 1 along its columns; negative ones count from the last.
    ndim : int
        Number of axes.
    scale : {"integer", "unit"}
        "integer" is the kernel as published; "unit" divides by 2 * 4^(ndim - 1), so that a slope of 1 gives 1.

    Returns
    -------
    numpy.ndarray, shape (3,) * ndim
        int16 (int64 where the weights do not fit); float64 for "unit".

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    See Also
    --------
    scharr : closer to the same in all directions.

    References
    ----------
    .. [1] I. Sobel, G. Feldman, "A 3x3 isotropic gradient operator for image processing", talk at the Stanford
       Artificial Intelligence Project, 1968.

    Examples
    --------
    >>> import gpuconv
    >>> from gpuconv.kernels import sobel
    >>> sobel(axis=0).tolist()
    [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]
    >>> gpuconv.convolve([[1, 3, 5], [1, 3, 5], [1, 3, 5]], sobel(axis=1, scale="unit"), mode="valid").tolist()
    [[2.0]]
    """
    return _slope(axis, ndim, scale, (1, 2, 1))


def prewitt(axis: int = -1, *, ndim: int = 2, scale: str = "integer") -> np.ndarray:
    """Slope along one axis, averaged over three pixels along the others.

    ``k[m, n] = d[m] s[n]``, d = (1, 0, -1) along `axis`, s = (1, 1, 1) along the others.

    Convolving with it gives `scipy.ndimage.prewitt` of the same axis. With scale "unit" it is the slope of the
    plane through the 3x3 pixels by least squares.

    Parameters
    ----------
    axis : int
        Axis of the derivative: 0 down the rows of a picture, 1 along its columns; negative ones count from the last.
    ndim : int
        Number of axes.
    scale : {"integer", "unit"}
        "integer" is the kernel as published; "unit" divides by 2 * 3^(ndim - 1), so that a slope of 1 gives 1.

    Returns
    -------
    numpy.ndarray, shape (3,) * ndim
        int16; float64 for "unit".

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    References
    ----------
    .. [1] J. M. S. Prewitt, "Object enhancement and extraction", in B. S. Lipkin, A. Rosenfeld (editors), "Picture
       Processing and Psychopictorics", Academic Press, 1970, pages 75-149.

    Examples
    --------
    >>> from gpuconv.kernels import prewitt
    >>> prewitt(axis=1).tolist()
    [[1, 0, -1], [1, 0, -1], [1, 0, -1]]
    """
    return _slope(axis, ndim, scale, (1, 1, 1))


def scharr(axis: int = -1, *, ndim: int = 2, scale: str = "integer") -> np.ndarray:
    """Slope along one axis, smoothed by 3 10 3 along the others: nearly the same in all directions.

    ``k[m, n] = d[m] s[n]``, d = (1, 0, -1) along `axis`, s = (3, 10, 3) along the others.

    Parameters
    ----------
    axis : int
        Axis of the derivative: 0 down the rows of a picture, 1 along its columns; negative ones count from the last.
    ndim : int
        Number of axes.
    scale : {"integer", "unit"}
        "integer" is the kernel in whole numbers; "unit" divides by 2 * 16^(ndim - 1), so that a slope of 1 gives 1.

    Returns
    -------
    numpy.ndarray, shape (3,) * ndim
        int16 (int64 where the weights do not fit); float64 for "unit".

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    References
    ----------
    .. [1] H. Scharr, "Optimale Operatoren in der Digitalen Bildverarbeitung", doctoral thesis, University of
       Heidelberg, 2000. DOI 10.11588/heidok.00000962

    Examples
    --------
    >>> from gpuconv.kernels import scharr
    >>> scharr(axis=0).tolist()
    [[3, 10, 3], [0, 0, 0], [-3, -10, -3]]
    """
    return _slope(axis, ndim, scale, (3, 10, 3))


def roberts(axis: int = -1, *, scale: str = "integer") -> np.ndarray:
    """Slope along a diagonal, from two pixels: the finest and the noisiest.

    ``axis 1: y[i, j] = x[i, j] - x[i-1, j-1]``, ``axis 0: y[i, j] = x[i, j-1] - x[i-1, j]``.

    The two diagonals make the Roberts cross: the root of the sum of their squares is the steepness, at
    (i - 1/2, j - 1/2). Each is positive for a ramp that increases along its `axis`.

    Parameters
    ----------
    axis : {-1, 1, 0, -2}
        Axis along which an increasing ramp gives a positive result: 1 takes the falling diagonal of a picture, 0 the
        rising one.
    scale : {"integer", "unit"}
        A slope of 1 along `axis` gives 1 with either; "unit" makes floats.

    Returns
    -------
    numpy.ndarray, shape (2, 2)
        int16; float64 for "unit".

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    References
    ----------
    .. [1] L. G. Roberts, "Machine perception of three-dimensional solids", doctoral thesis, Massachusetts Institute of
       Technology, 1963.

    Examples
    --------
    >>> from gpuconv.kernels import roberts
    >>> roberts(axis=1).tolist(), roberts(axis=0).tolist()
    ([[1, 0], [0, -1]], [[0, 1], [-1, 0]])
    """
    cross = (np.array([[0, 1], [-1, 0]]), np.array([[1, 0], [0, -1]]))
    return _scaled(cross[read_axis(axis, 2)], scale, 1.0)


def laplacian(*, ndim: int = 2, neighbours: str | int = "faces", scale: str = "integer") -> np.ndarray:
    """Sum of the second derivatives: positive in hollows, negative on bumps.

    ``y[i] = sum_n x[n] - N x[i]`` over the N neighbours n of i: 2 ndim by faces, or all 3^ndim - 1.

    With "faces" it gives `scipy.ndimage.laplace`.

    Parameters
    ----------
    ndim : int
        Number of axes.
    neighbours : {"faces", "all"} or int
        "faces" counts those that differ along one axis (4 in 2-D, 6 in 3-D), "all" the diagonal ones too (8, 26); the
        number itself will do.
    scale : {"integer", "unit"}
        "unit" divides "all" by 3^(ndim - 1), so that x^2/2 gives 1 as it does with "faces".

    Returns
    -------
    numpy.ndarray, shape (3,) * ndim
        int16 (int64 where the weights do not fit); float64 for "unit".

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    See Also
    --------
    laplacian_of_gaussian : smoothed.

    References
    ----------
    .. [1] M. Abramowitz, I. A. Stegun, "Handbook of Mathematical Functions", 1964, section 25.3: "faces" in 2-D.
    .. [2] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", 4th ed., 2018, section 3.6: both in 2-D.

    Examples
    --------
    >>> from gpuconv.kernels import laplacian
    >>> laplacian().tolist()
    [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    >>> laplacian(neighbours=8).tolist()
    [[1, 1, 1], [1, -8, 1], [1, 1, 1]]
    """
    ndim = read_ndim(ndim)
    shape = (3,) * ndim
    check_count(3**ndim, f"shape {shape}")
    if _takes_all(neighbours, ndim):
        kernel = np.ones(shape, dtype=np.int64) - 3**ndim * impulse(shape)
        return _scaled(kernel, scale, 3.0 ** (ndim - 1))
    kernel = -2 * ndim * impulse(shape)
    for axis in range(ndim):
        for side in (0, 2):
            kernel[(1,) * axis + (side,) + (1,) * (ndim - 1 - axis)] = 1
    return _scaled(kernel, scale, 1.0)


def edge(*, ndim: int = 2) -> np.ndarray:
    """Difference from the neighbours all around: the classic edge kernel with 8 in the middle.

    ``y[i] = (3^ndim - 1) x[i] - sum_n x[n]`` over all neighbours n of i: the Laplacian of all neighbours, negated.

    Parameters
    ----------
    ndim : int
        Number of axes.

    Returns
    -------
    numpy.ndarray of int16 (int64 where the weights do not fit), shape (3,) * ndim

    Raises
    ------
    TypeError, ValueError
        If `ndim` is of a wrong type or out of range.

    References
    ----------
    .. [1] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", 4th ed., 2018, section 3.6.

    Examples
    --------
    >>> from gpuconv.kernels import edge
    >>> edge().tolist()
    [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]
    """
    return -laplacian(ndim=ndim, neighbours="all")


def _slope(axis: Any, ndim: Any, scale: str, smoothing: tuple[int, int, int]) -> np.ndarray:
    """The central difference along one axis times `smoothing` along the others."""
    ndim = read_ndim(ndim)
    taps = [smoothing] * ndim
    taps[read_axis(axis, ndim)] = (1, 0, -1)
    return _scaled(outer(taps), scale, 2.0 * sum(smoothing) ** (ndim - 1))


def _scaled(kernel: np.ndarray, scale: str, unit: float) -> np.ndarray:
    return kernel / unit if read_choice("scale", scale, SCALES) == "unit" else whole_numbers(kernel)


def _takes_all(neighbours: Any, ndim: int) -> bool:
    """Whether the diagonal neighbours count."""
    counts: dict[Any, bool] = {"all": True, 3**ndim - 1: True, "faces": False, 2 * ndim: False}
    if isinstance(neighbours, bool) or not isinstance(neighbours, str | int) or neighbours not in counts:
        rule = f"neighbours in {ndim} dimensions must be 'faces' or {2 * ndim}, 'all' or {3**ndim - 1}"
        raise ValueError(refusal(rule, f"got {neighbours!r}", "Choose one of them"))
    return counts[neighbours]
