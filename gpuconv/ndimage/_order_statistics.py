"""SciPy's order statistics. They are no convolutions: SciPy's and cupyx's own functions do them."""

from __future__ import annotations

from typing import Any

from gpuconv._scipy_arguments import read_array
from gpuconv.backends.cupyx import ndimage_originals
from gpuconv.core.arguments import refusal
from gpuconv.ndimage._handover import hand_over


def minimum_filter(
    input: Any,
    size: Any = None,
    footprint: Any = None,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Smallest value of a window, as `scipy.ndimage.minimum_filter`, by SciPy itself or cupyx.

    ``y[i] = min_j x~[i + j - size//2 - origin]``

    Parameters
    ----------
    input : array, any shape
        Image, of NumPy or CuPy, or a sequence.
    size : int or sequence of int, optional
        Window, one for all or one per axis of `axes`.
    footprint : array of bool, optional
        Which samples of the window count, instead of `size`.
    output, mode, cval, origin
        As in `correlate`.
    axes : int or sequence of int, optional
        Axes of the window; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    TypeError
        If `input` is an array of another library.
    RuntimeError, ValueError
        As in SciPy.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.minimum_filter([1, 4, 2, 3], 3).tolist()
    [1, 1, 2, 2]
    """
    return _delegated("minimum_filter", input, size, footprint, output, mode, cval, origin, axes=axes)


def maximum_filter(
    input: Any,
    size: Any = None,
    footprint: Any = None,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Largest value of a window, as `scipy.ndimage.maximum_filter`, by SciPy itself or cupyx.

    ``y[i] = max_j x~[i + j - size//2 - origin]``

    Parameters
    ----------
    input : array, any shape
        Image, of NumPy or CuPy, or a sequence.
    size : int or sequence of int, optional
        Window, one for all or one per axis of `axes`.
    footprint : array of bool, optional
        Which samples of the window count, instead of `size`.
    output, mode, cval, origin
        As in `correlate`.
    axes : int or sequence of int, optional
        Axes of the window; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    TypeError
        If `input` is an array of another library.
    RuntimeError, ValueError
        As in SciPy.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.maximum_filter([1, 4, 2, 3], 3).tolist()
    [4, 4, 4, 3]
    """
    return _delegated("maximum_filter", input, size, footprint, output, mode, cval, origin, axes=axes)


def median_filter(
    input: Any,
    size: Any = None,
    footprint: Any = None,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Middle value of a window, as `scipy.ndimage.median_filter`, by SciPy itself or cupyx.

    ``y[i] = sorted(x~[i + j - size//2 - origin])[size//2]``

    Parameters
    ----------
    input : array, any shape
        Image, of NumPy or CuPy, or a sequence.
    size : int or sequence of int, optional
        Window, one for all or one per axis of `axes`.
    footprint : array of bool, optional
        Which samples of the window count, instead of `size`.
    output, mode, cval, origin
        As in `correlate`.
    axes : int or sequence of int, optional
        Axes of the window; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    TypeError
        If `input` is an array of another library.
    RuntimeError, ValueError
        As in SciPy.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.median_filter([1, 4, 2, 3], 3).tolist()
    [1, 2, 3, 3]
    """
    return _delegated("median_filter", input, size, footprint, output, mode, cval, origin, axes=axes)


def rank_filter(
    input: Any,
    rank: int,
    size: Any = None,
    footprint: Any = None,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Value of a rank in a window, as `scipy.ndimage.rank_filter`, by SciPy itself or cupyx.

    ``y[i] = sorted(x~[i + j - size//2 - origin])[rank]``

    Parameters
    ----------
    input : array, any shape
        Image, of NumPy or CuPy, or a sequence.
    rank : int
        0 is the smallest, -1 the largest.
    size : int or sequence of int, optional
        Window, one for all or one per axis of `axes`.
    footprint : array of bool, optional
        Which samples of the window count, instead of `size`.
    output, mode, cval, origin
        As in `correlate`.
    axes : int or sequence of int, optional
        Axes of the window; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    TypeError
        If `input` is an array of another library.
    RuntimeError, ValueError
        As in SciPy.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.rank_filter([1, 4, 2, 3], 1, 3).tolist()
    [1, 2, 3, 3]
    """
    return _delegated("rank_filter", input, rank, size, footprint, output, mode, cval, origin, axes=axes)


def percentile_filter(
    input: Any,
    percentile: float,
    size: Any = None,
    footprint: Any = None,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Percentile of a window, as `scipy.ndimage.percentile_filter`, by SciPy itself or cupyx.

    ``y[i] = sorted(x~[i + j - size//2 - origin])[int(size percentile/100)]``

    Parameters
    ----------
    input : array, any shape
        Image, of NumPy or CuPy, or a sequence.
    percentile : float
        From 0 to 100; negative ones count from 100.
    size : int or sequence of int, optional
        Window, one for all or one per axis of `axes`.
    footprint : array of bool, optional
        Which samples of the window count, instead of `size`.
    output, mode, cval, origin
        As in `correlate`.
    axes : int or sequence of int, optional
        Axes of the window; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    TypeError
        If `input` is an array of another library.
    RuntimeError, ValueError
        As in SciPy.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.percentile_filter([1, 4, 2, 3], 50, 3).tolist()
    [1, 2, 3, 3]
    """
    return _delegated("percentile_filter", input, percentile, size, footprint, output, mode, cval, origin, axes=axes)


def minimum_filter1d(
    input: Any,
    size: int,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """Smallest value of a window along one axis, as `scipy.ndimage.minimum_filter1d`, by SciPy itself or cupyx.

    ``y[i] = min_j x~[i + j - size//2 - origin]``

    Parameters
    ----------
    input : array, any shape
        Image, of NumPy or CuPy, or a sequence.
    size : int
        Samples of the window.
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
    TypeError
        If `input` is an array of another library.
    RuntimeError, ValueError
        As in SciPy.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.minimum_filter1d([1, 4, 2, 3], 3).tolist()
    [1, 1, 2, 2]
    """
    return _delegated("minimum_filter1d", input, size, axis, output, mode, cval, origin)


def maximum_filter1d(
    input: Any,
    size: int,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """Largest value of a window along one axis, as `scipy.ndimage.maximum_filter1d`, by SciPy itself or cupyx.

    ``y[i] = max_j x~[i + j - size//2 - origin]``

    Parameters
    ----------
    input : array, any shape
        Image, of NumPy or CuPy, or a sequence.
    size : int
        Samples of the window.
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
    TypeError
        If `input` is an array of another library.
    RuntimeError, ValueError
        As in SciPy.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.maximum_filter1d([1, 4, 2, 3], 3).tolist()
    [4, 4, 4, 3]
    """
    return _delegated("maximum_filter1d", input, size, axis, output, mode, cval, origin)


def _delegated(name: str, input: Any, *args: Any, axes: Any = None) -> Any:
    _, home = read_array(input, "input")
    if home.library == "numpy":
        return hand_over(name, input, *args, axes=axes)
    if home.library == "cupy":
        return ndimage_originals()[name](input, *args, **({} if axes is None else {"axes": axes}))
    rule = f"{name} is no convolution: gpuconv leaves it to SciPy for NumPy arrays and to cupyx for CuPy arrays"
    remedy = "Pass numpy.asarray(input), or use the library's own sorting or pooling"
    raise TypeError(refusal(rule, f"input is a {home.library} array", remedy))
