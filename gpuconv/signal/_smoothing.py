"""SciPy's smoothing filters: sepfir2d, savgol_filter, wiener."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from gpuconv import convolution, filters
from gpuconv._scipy_arguments import read_array, read_line
from gpuconv.backends.cpu import originals
from gpuconv.core.arguments import read_integer, refusal
from gpuconv.core.dtypes import COMPLEX
from gpuconv.core.namespace import Home, bring_home, cast, dtype_name
from gpuconv.signal._dtypes import only_scipy_computes, part, promoted, promoted_array, read_taps
from gpuconv.signal._handover import hand_over

_SAVGOL_MODES = ("mirror", "constant", "nearest", "wrap", "interp")


def sepfir2d(input: Any, hrow: Any, hcol: Any) -> Any:
    """Convolve a picture with taps along its rows and others along its columns, as `scipy.signal.sepfir2d`.

    ``y[i, j] = sum_m sum_n hcol[m] hrow[n] x~[i - m + (M - 1)/2, j - n + (N - 1)/2]``, with x~ the picture reflected
    beyond its ends: ``c b a | a b c d | d c b`` (gpuconv's boundary "reflect").

    Parameters
    ----------
    input : array, two dimensions
        Picture, of any array library.
    hrow, hcol : array, one dimension
        Odd numbers of taps, along the rows (axis 1) and along the columns (axis 0).

    Returns
    -------
    array
        Shape of `input`; its dtype, at least float32 (float64 for integers of 32 and 64 bits).

    Raises
    ------
    ValueError
        If `input` is no picture, or the taps are no lines of odd length.

    References
    ----------
    .. [1] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", 4th ed., 2018, section 3.4.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.sepfir2d([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]], [0.5, 0.0, 0.5], [1.0]).tolist()
    [[1.5, 2.5, 3.0], [0.0, 0.0, 0.0]]
    """
    x, home = read_array(input, "input")
    row, column = read_taps(hrow, home, "hrow"), read_taps(hcol, home, "hcol")
    names = (dtype_name(x.dtype), "float32")
    if only_scipy_computes(home, *names, dtype_name(row.dtype), dtype_name(column.dtype)):
        return hand_over("sepfir2d", input, hrow, hcol)
    for argument, array, ndim in (("input", x, 2), ("hrow", row, 1), ("hcol", column, 1)):
        if array.ndim != ndim:
            depth = "object of too small depth" if array.ndim < ndim else "object too deep"
            fact = f"its shape is {tuple(array.shape)}"
            remedy = "Use gpuconv.convolve_separable, which takes axes"
            raise ValueError(refusal(f"{depth} for desired array: {argument} needs {ndim} dimensions", fact, remedy))
    if row.shape[0] % 2 == 0 or column.shape[0] % 2 == 0:
        fact = f"they have {row.shape[0]} and {column.shape[0]} taps"
        raise ValueError(refusal("hrow and hcol must be odd length", fact, "Add a tap of 0 to the end of an even one"))
    name = promoted(home, *names)
    x = cast(home, x, name)
    if 0 in x.shape:
        return x
    lines = [_floating_taps(home, taps, name) for taps in (column, row)]
    return convolution.convolve_separable(x, lines, boundary="reflect", accuracy="local")


def savgol_filter(
    x: Any,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: Any = 0.0,
) -> Any:
    """Fit a polynomial to the window around each sample, as `scipy.signal.savgol_filter`.

    ``y[i] = d^deriv/dt^deriv p_i(i delta)``, p_i the polynomial that fits ``x~[i - K//2 ... i + (K - 1)//2]`` best: a
    convolution with the same taps everywhere. Of an even K it is the value in the middle of the window, half a sample
    before i.

    Parameters
    ----------
    x : array, any shape
        Signal, of any array library.
    window_length : int
        Samples K of the window.
    polyorder : int
        Degree of the polynomial; less than K.
    deriv : int
        Order of the derivative; 0 smooths only.
    delta : float
        Distance of samples, for derivatives.
    axis : int
        The axis that is filtered.
    mode : {"interp", "mirror", "constant", "nearest", "wrap"}
        "interp" takes the K//2 values at each end from the polynomial that fits the last K samples there. The others
        are what lies beyond the ends, as in `gpuconv.ndimage.correlate`.
    cval : number
        Fill value of "constant".

    Returns
    -------
    array
        Shape of `x`; single precision for single, else double. Complex signals stay complex.

    Raises
    ------
    ValueError
        If `mode` is unknown, `polyorder` is too large for the window, or the window too long for "interp".
    IndexError
        If `axis` is out of range.

    References
    ----------
    .. [1] A. Savitzky, M. J. E. Golay, "Smoothing and differentiation of data by simplified least squares procedures",
       Analytical Chemistry 36, 1627-1639, 1964. DOI 10.1021/ac60214a047

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.savgol_filter([1.0, 4.0, 9.0, 16.0, 25.0], 3, 2, deriv=1).round(6).tolist()
    [2.0, 4.0, 6.0, 8.0, 10.0]
    """
    x, home = read_array(x, "x")
    if only_scipy_computes(home, dtype_name(x.dtype), "float32"):
        return hand_over("savgol_filter", x, window_length, polyorder, deriv, delta, axis, mode, cval)
    if mode not in _SAVGOL_MODES:
        rule = f"mode must be one of {', '.join(_SAVGOL_MODES)}"
        raise ValueError(refusal(rule, f"got mode={mode!r}", "Choose one of these"))
    axis, size, delta = read_line(axis, x.ndim), operator.index(window_length), float(delta)
    name = dtype_name(x.dtype)
    x = cast(home, x, name if name in ("float32", *COMPLEX) else promoted(home, "float64"))
    taps = originals.signal_savgol_coeffs(size, polyorder, deriv=deriv, delta=delta)
    if mode == "interp" and size > x.shape[axis]:
        rule = "If mode is 'interp', window_length must be less than or equal to the size of x"
        raise ValueError(refusal(rule, f"got {size} for {x.shape[axis]} samples", "Use a shorter window, or a mode"))
    if 0 in x.shape:
        return home.xp.asarray(x, copy=True)
    if mode != "interp":
        # As scipy.ndimage does, an even window is centred on its later middle.
        edge = {"boundary": mode, "cval": cval, "origin": 1 - size % 2}
        return convolution.convolve(x, taps, axes=axis, accuracy="local", **edge)
    half = size // 2
    inner = convolution.convolve(x, taps, axes=axis, mode="valid", accuracy="local")
    inner = part(inner, axis, 1 - size % 2, inner.shape[axis])
    if half == 0:
        return inner

    def fitted(samples: Any, positions: range) -> Any:
        lines = [
            originals.signal_savgol_coeffs(size, polyorder, deriv=deriv, delta=delta, pos=position, use="dot")
            for position in positions
        ]
        return _applied(home, np.stack(lines), samples, axis)

    first, last = part(x, axis, 0, size), part(x, axis, x.shape[axis] - size, x.shape[axis])
    ends = fitted(first, range(half)), fitted(last, range(size - half, size))
    return home.xp.concat([ends[0], inner, ends[1]], axis=axis)


def wiener(im: Any, mysize: Any = None, noise: Any = None) -> Any:
    """Smooth where there is nothing but noise, as `scipy.signal.wiener`.

    ``y = mean + max(variance - noise, 0) / variance (x - mean)``, with mean and variance of the box around each sample.

    Parameters
    ----------
    im : array, any shape
        Image, of any array library; zero beyond its ends.
    mysize : int or sequence of int, optional
        Samples of the box, one for all axes or one per axis; default 3.
    noise : float, optional
        Variance of the noise; default the average of the variances of all boxes.

    Returns
    -------
    array
        Shape of `im`; float64, or complex128 for complex images, whose variance is that of the distance from the mean.

    Raises
    ------
    ValueError
        If `mysize` does not fit the axes.
    TypeError
        If `mysize` is no integer, nor made of integers.

    References
    ----------
    .. [1] J. S. Lim, "Two-Dimensional Signal and Image Processing", 1990, section 9.2, equation 9.44.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.wiener([0.0, 0.0, 9.0, 0.0, 0.0, 0.0], 3).round(3).tolist()
    [0.0, 1.5, 6.0, 1.5, 0.0, 0.0]
    """
    x, home = read_array(im, "im")
    if only_scipy_computes(home, dtype_name(x.dtype), "float64") or (home.library == "numpy" and x.ndim == 0):
        return hand_over("wiener", im, mysize, noise)
    x = cast(home, x, promoted(home, dtype_name(x.dtype), "float64"))
    sizes = [3 if mysize is None else mysize] * x.ndim if not np.iterable(mysize) else list(mysize)
    box = [read_integer("each of mysize", size) for size in sizes]
    if 0 in x.shape:
        return home.xp.asarray(x, copy=True)
    mean = filters.uniform(x, box, boundary="constant")
    variance = filters.local_variance(x, box, boundary="constant")
    if noise is None:
        noise = home.xp.mean(variance)
    quiet = variance <= noise
    # A division where it is not needed would give NaN, and NaN for a gradient.
    share = 1 - noise / home.xp.where(quiet, home.xp.ones_like(variance), variance)
    share = home.xp.where(quiet, home.xp.zeros_like(share), share)
    return mean + (x - mean) * cast(home, share, dtype_name(x.dtype))


def _floating_taps(home: Home, taps: Any, name: str) -> Any:
    """Taps in the precision of the picture; complex ones stay complex."""
    own = dtype_name(taps.dtype)
    complex_taps = own.startswith("complex")
    return promoted_array(home, taps, np.promote_types(name, "complex64").name if complex_taps else name)


def _applied(home: Home, matrix: np.ndarray, x: Any, axis: int) -> Any:
    """The matrix times each line of `x`. No product of matrices: some devices round these to a few digits."""
    xp = home.xp
    lines = xp.expand_dims(x, axis=axis)
    shape = [1] * lines.ndim
    shape[axis], shape[axis + 1] = matrix.shape
    return xp.sum(lines * bring_home(matrix.reshape(shape), home, dtype_name(x.dtype)), axis=axis + 1)
