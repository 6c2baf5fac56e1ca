"""SciPy's names: `scipy.ndimage` convolution for every array library.

``import gpuconv.ndimage as ndi`` and keep calling ``ndi.correlate(image, weights, mode="nearest")``. Signatures,
centring, defaults and output dtypes are SciPy's; the work is done by `gpuconv.convolve` and `gpuconv.correlate`. What
only SciPy computes (NumPy arrays of bool, longdouble or other dtypes outside gpuconv's table, and 0-d arrays) is
handed to SciPy's own functions.

Integer images with integer weights are summed in integers, exactly; with other weights they are summed in float64 and
cast to the output as C casts, towards zero. Floating images are summed in their own precision, or in double if
`output` has another dtype.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv import convolution
from gpuconv._scipy_arguments import (
    Filter,
    Window,
    dtype_asked_for,
    is_array,
    read_cval,
    read_filter,
    read_filter_axes,
    read_filter_line,
    read_window,
)
from gpuconv.backends.cpu import originals
from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import (
    COMPLEX,
    FLOATS,
    SUPPORTED,
    check_supported,
    complex_of,
    integer_range,
    is_complex,
    is_integer,
)
from gpuconv.core.namespace import Home, cast, dtype_in, dtype_name, home_of, is_writeable

__all__ = ["convolve", "convolve1d", "correlate", "correlate1d"]


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
        return originals.ndimage_correlate(input, weights, output, mode, cval, origin, **_axes_keyword(axes))
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
        return originals.ndimage_convolve(input, weights, output, mode, cval, origin, **_axes_keyword(axes))
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
        return originals.ndimage_correlate1d(input, weights, axis, output, mode, cval, origin)
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
        return originals.ndimage_convolve1d(input, weights, axis, output, mode, cval, origin)
    cval = read_cval(cval, given)
    window = read_window(given, read_filter_line(axis, given), mode, origin)
    return _run(given, convolution.convolve, window, window.convolution_origins, cval)


def _axes_keyword(axes: Any) -> dict[str, Any]:
    """SciPy before 1.16 has no `axes` here."""
    return {} if axes is None else {"axes": axes}


# The dtype of the result, and the dtype in which it is computed.


def _made_complex(name: str) -> str:
    return "complex64" if name == "bfloat16" else np.promote_types(name, np.complex64).name


def _result_dtype(given: Filter) -> str:
    """Dtype of the result, after SciPy's rules for complex ones."""
    x, output, makes_complex = given.x, given.output, given.image_is_complex or given.kernel_is_complex
    name = check_supported(dtype_name(x.dtype), "input")
    if output is None:
        return _made_complex(name) if makes_complex else name
    name = check_supported(dtype_asked_for(output), "output")
    if is_complex(name) and not makes_complex:
        fact = f"output is {name}, input and weights are real"
        raise RuntimeError(refusal("array type not supported", fact, "Ask for a real output, or pass a complex image"))
    if makes_complex and not is_complex(name):
        if isinstance(output, str) or is_array(output):
            remedy = "Ask for complex64 or complex128"
            raise RuntimeError(refusal("output must have complex dtype", f"got {name}", remedy))
        warnings.warn("promoting specified output dtype to complex", UserWarning, stacklevel=4)
        return _made_complex(name)
    return name


def _read_output_array(given: Filter) -> Any:
    """The array that takes the result, or None."""
    x, home, output = given.x, given.home, given.output
    if not is_array(output):
        return None
    if tuple(output.shape) != tuple(x.shape):
        fact = f"output has shape {tuple(output.shape)}, input {tuple(x.shape)}"
        raise RuntimeError(refusal("output shape not correct", fact, "Give an array of the input's shape"))
    owner = home_of(output, "output")
    if owner.library != home.library or not is_writeable(home):
        fact = f"input is a {home.library} array, output a {owner.library} array"
        remedy = "Make output in the library of the input, or leave it away"
        raise TypeError(refusal("output must be an array of the input's library that can be written to", fact, remedy))
    return output


def _narrowed(kernel: Any, image: str) -> Any:
    """Integer weights in a dtype whose products with the image gpuconv sums exactly; None if there is none.

    The narrowest one lets 8- and 16-bit images be summed in 32 bits.
    """
    if type(kernel) is not np.ndarray or kernel.dtype.kind not in "iu":
        return None
    low, high = int(kernel.min()), int(kernel.max())
    for name in ("uint64",) if image == "uint64" else ("int8", "int16", "int32", "int64"):
        smallest, largest = integer_range(name)
        if smallest <= low and high <= largest:
            return kernel.astype(name)
    return None


@dataclass(frozen=True)
class _Work:
    """What is handed to gpuconv: the image, the weights, the fill value and the method."""

    x: Any
    kernel: Any
    cval: Any
    method: str


def _choose_work(given: Filter, result: str, cval: Any) -> _Work:
    """Exact integers where all is integer, double where the output's dtype is not the image's, else as it is."""
    x, home, kernel = given.x, given.home, given.kernel
    name = dtype_name(x.dtype)
    if is_integer(name):
        # uint64 is a dtype without arithmetic in some libraries; there it is summed in double, as SciPy does.
        exact = is_integer(result) and (name != "uint64" or home.library == "numpy")
        narrowed = _narrowed(kernel, name) if exact else None
        low, high = integer_range(name)
        if narrowed is not None and cval == cval // 1 and low <= cval <= high:
            return _Work(x, narrowed, int(cval), "auto")
        # Truncation must not see the rounding of a transform or of a low-rank kernel.
        return _Work(cast(home, x, "float64"), _floating(kernel, home), cval, "direct")
    if result not in (name, complex_of(name)):
        x = cast(home, x, "complex128" if is_complex(name) else "float64")
    return _Work(x, _floating(kernel, home), cval, "auto")


def _floating(kernel: Any, home: Home) -> Any:
    """Weights as SciPy computes with them: bool, integers and longdouble become float64."""
    if type(kernel) is np.ndarray:
        return kernel if dtype_name(kernel.dtype) in FLOATS + COMPLEX else _in_double(kernel)
    return kernel if dtype_name(kernel.dtype) in SUPPORTED else cast(home, kernel, "float64")


def _in_double(kernel: np.ndarray) -> np.ndarray:
    return kernel.astype(np.complex128 if kernel.dtype.kind == "c" else np.float64)


# Computing and delivering.


def _run(given: Filter, operation: Callable[..., Any], window: Window, origins: tuple[int, ...], cval: Any) -> Any:
    x, home = given.x, given.home
    result = _result_dtype(given)
    array = _read_output_array(given)
    if 0 in x.shape:
        return array if array is not None else home.xp.zeros(x.shape, dtype=dtype_in(home, result), device=home.device)
    work = _choose_work(given, result, cval)
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
    y = _cast_like_c(home, y, result)
    if array is None:
        return y
    array[...] = y
    return array


def _cast_like_c(home: Home, y: Any, name: str) -> Any:
    """Integers from floats by cutting off the fraction; what lies outside the range wraps around."""
    if is_integer(name) and dtype_name(y.dtype) in FLOATS:
        if name == "uint64":
            y = _wrapped(home.xp, y)
        with np.errstate(invalid="ignore"):
            y = cast(home, y, "int64")
    # Not `cast`: torch has no arithmetic in uint16 and uint32, but holds them.
    return y if dtype_name(y.dtype) == name else home.xp.astype(y, getattr(home.xp, name))


def _wrapped(xp: Any, y: Any) -> Any:
    """What int64 can hold of a float, modulo 2^64; exact, since these are powers of two."""
    y = y - 2.0**64 * xp.trunc(y / 2.0**64)
    y = xp.where(y >= 2.0**63, y - 2.0**64, y)
    return xp.where(y < -(2.0**63), y + 2.0**64, y)
