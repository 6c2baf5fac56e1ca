"""SciPy's four names for convolution and correlation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpuconv import convolution
from gpuconv._scipy_arguments import (
    Filter,
    Window,
    read_cval,
    read_filter,
    read_filter_axes,
    read_filter_line,
    read_window,
)
from gpuconv.core.namespace import zeros_from
from gpuconv.ndimage._dtypes import cast_like_c, choose_work, deliver, read_output_array, result_dtype
from gpuconv.ndimage._handover import hand_over


def correlate(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Multidimensional correlation, as `scipy.ndimage.correlate`.

    ``y[i] = sum_j conj(w[j]) x~[i + j - K//2 - origin]``, with x~ the image extended by `mode` and K the number of
    weights on each axis.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    weights : array
        One dimension per axis of `axes`, in ascending order of axis.
    output : array or dtype, optional
        Where the result goes, or its dtype. Default: the dtype of `input`, made complex if `weights` are.
    mode : {"reflect", "constant", "nearest", "mirror", "wrap", "grid-mirror", "grid-constant", "grid-wrap"}
        What lies beyond the edges, for all axes.
    cval : scalar
        Fill value of "constant"; real for a real image.
    origin : int or sequence of int
        Shift of the weights' centre, one per axis of `axes`, from ``-(K//2)`` to ``(K-1)//2``.
    axes : int or sequence of int, optional
        Axes that are filtered; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `weights`, `origin` or `output` do not fit the image, or `mode` is unknown.
    ValueError
        If `origin` or `axes` are out of range, or `cval` is complex beside a real image and complex weights.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.correlate([2, 8, 0, 4, 1, 9, 9, 0], [1, 3]).tolist()
    [8, 26, 8, 12, 7, 28, 36, 9]
    """
    given = read_filter(input, weights, output)
    if given.only_scipy_computes:
        return hand_over("correlate", input, weights, output, mode, cval, origin, axes=axes)
    cval = read_cval(cval, given)
    window = read_window(given, read_filter_axes(axes, given.x.ndim), mode, origin)
    return _run(given, convolution.correlate, window, window.correlation_origins, cval)


def convolve(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Multidimensional convolution, as `scipy.ndimage.convolve`.

    ``y[i] = sum_j w[j] x~[i - j + K//2 + origin]``, with x~ the image extended by `mode` and K the number of weights
    on each axis.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    weights : array
        One dimension per axis of `axes`, in ascending order of axis.
    output : array or dtype, optional
        Where the result goes, or its dtype. Default: the dtype of `input`, made complex if `weights` are.
    mode : {"reflect", "constant", "nearest", "mirror", "wrap", "grid-mirror", "grid-constant", "grid-wrap"}
        What lies beyond the edges, for all axes.
    cval : scalar
        Fill value of "constant"; real for a real image.
    origin : int or sequence of int
        Shift of the weights' centre, one per axis of `axes`, from ``-(K//2)`` to ``(K-1)//2``; it moves the result
        the other way than in `correlate`.
    axes : int or sequence of int, optional
        Axes that are filtered; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `weights`, `origin` or `output` do not fit the image, or `mode` is unknown.
    ValueError
        If `origin` or `axes` are out of range, or `cval` is complex beside a real image and complex weights.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.convolve([[1, 2, 3], [4, 5, 6]], [[1, 0], [0, 1]]).tolist()
    [[6, 8, 9], [9, 11, 12]]
    """
    given = read_filter(input, weights, output)
    if given.only_scipy_computes:
        return hand_over("convolve", input, weights, output, mode, cval, origin, axes=axes)
    cval = read_cval(cval, given)
    window = read_window(given, read_filter_axes(axes, given.x.ndim), mode, origin)
    return _run(given, convolution.convolve, window, window.convolution_origins, cval)


def correlate1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """Correlation along one axis, as `scipy.ndimage.correlate1d`.

    ``y[i] = sum_j conj(w[j]) x~[i + j - K//2 - origin]`` along `axis`.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    weights : array, shape (K,)
    axis : int
        The axis that is filtered.
    output, mode, cval, origin
        As in `correlate`.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `weights` or `output` do not fit the image, or `mode` is unknown.
    ValueError
        If `origin` or `axis` is out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.correlate1d([[1.0, 2.0, 4.0]], [-1.0, 0.0, 1.0], mode="nearest").tolist()
    [[1.0, 3.0, 2.0]]
    """
    given = read_filter(input, weights, output)
    if given.only_scipy_computes:
        return hand_over("correlate1d", input, weights, axis, output, mode, cval, origin)
    cval = read_cval(cval, given)
    window = read_window(given, read_filter_line(axis, given), mode, origin)
    return _run(given, convolution.correlate, window, window.correlation_origins, cval)


def convolve1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """Convolution along one axis, as `scipy.ndimage.convolve1d`.

    ``y[i] = sum_j w[j] x~[i - j + K//2 + origin]`` along `axis`.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    weights : array, shape (K,)
    axis : int
        The axis that is filtered.
    output, mode, cval, origin
        As in `convolve`.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `weights` or `output` do not fit the image, or `mode` is unknown.
    ValueError
        If `origin` or `axis` is out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.convolve1d([[1.0, 2.0, 4.0]], [1.0, 0.0, -1.0], mode="nearest").tolist()
    [[1.0, 3.0, 2.0]]
    """
    given = read_filter(input, weights, output)
    if given.only_scipy_computes:
        return hand_over("convolve1d", input, weights, axis, output, mode, cval, origin)
    cval = read_cval(cval, given)
    window = read_window(given, read_filter_line(axis, given), mode, origin)
    return _run(given, convolution.convolve, window, window.convolution_origins, cval)


def _run(given: Filter, operation: Callable[..., Any], window: Window, origins: tuple[int, ...], cval: Any) -> Any:
    x, home = given.x, given.home
    result = result_dtype(given)
    array = read_output_array(given)
    if 0 in x.shape:
        return array if array is not None else zeros_from(home, x.shape, result, x, given.kernel)
    work = choose_work(given, result, cval)
    y = operation(
        work.x,
        work.kernel,
        boundary=window.boundary,
        cval=work.cval,
        origin=origins,
        axes=window.axes,
        method=work.method,
        accuracy="local",
    )
    y = cast_like_c(home, y, result)
    return deliver(y, array)
