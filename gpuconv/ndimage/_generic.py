"""SciPy's sums of derivatives along the axes, of whatever function makes the derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpuconv._scipy_arguments import Filter, dtype_asked_for, read_filter_axes
from gpuconv.core.dtypes import UNSIGNED, check_supported, is_integer
from gpuconv.core.namespace import cast, dtype_name, is_writeable
from gpuconv.ndimage._dtypes import cast_like_c, deliver, held_as, read_output_array
from gpuconv.ndimage._handover import hand_over
from gpuconv.ndimage._passes import read_input, read_sequence

# Derivative along an axis under a mode, in the dtype of the result.
Derivative = Callable[[int, Any], Any]


def generic_laplace(
    input: Any,
    derivative2: Callable[..., Any],
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    extra_arguments: Sequence[Any] = (),
    extra_keywords: dict[str, Any] | None = None,
    *,
    axes: Any = None,
) -> Any:
    """Laplacian from any second derivative, as `scipy.ndimage.generic_laplace`.

    ``y = sum over axes of derivative2(x, axis)``, summed in the dtype of the result.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    derivative2 : callable
        Called as ``derivative2(input, axis, output, mode, cval, *extra_arguments, **extra_keywords)``. For the first
        axis `output` is an array that it must fill, for the others a dtype, and it must return an array. JAX and dask
        arrays cannot be filled: with these `output` is a dtype for all axes.
    output, cval
        As in `correlate`.
    mode : one value, or one per axis of `axes`
        As in `correlate`.
    extra_arguments : sequence
    extra_keywords : dict, optional
        Further arguments of `derivative2`.
    axes : int or sequence of int, optional
        Axes along which derivatives are taken; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the image, or `mode` has a wrong length.
    ValueError
        If `axes` are out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> def second(input, axis, output, mode, cval):
    ...     return ndi.correlate1d(input, [1, -2, 1], axis, output, mode, cval)
    >>> ndi.generic_laplace([[0, 0, 0], [0, 1, 0], [0, 0, 0]], second).tolist()
    [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    """
    given = read_input(input, output)
    keywords = extra_keywords or {}
    if given.only_scipy_computes:
        return hand_over(
            "generic_laplace", input, derivative2, output, mode, cval, extra_arguments, keywords, axes=axes
        )
    chosen = read_filter_axes(axes, given.x.ndim)
    derivative = _of_callers(given, chosen, derivative2, cval, extra_arguments, keywords)
    return sum_derivatives(given, chosen, mode, derivative)


def generic_gradient_magnitude(
    input: Any,
    derivative: Callable[..., Any],
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    extra_arguments: Sequence[Any] = (),
    extra_keywords: dict[str, Any] | None = None,
    *,
    axes: Any = None,
) -> Any:
    """Gradient magnitude from any derivative, as `scipy.ndimage.generic_gradient_magnitude`.

    ``y = sqrt(sum over axes of derivative(x, axis)^2)``, squared and summed in the dtype of the result.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    derivative : callable
        Called as `generic_laplace` calls its `derivative2`.
    output, mode, cval, extra_arguments, extra_keywords, axes
        As in `generic_laplace`.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the image, or `mode` has a wrong length.
    ValueError
        If `axes` are out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.generic_gradient_magnitude([[0.0, 0.0], [3.0, 3.0]], ndi.sobel, mode="nearest").tolist()
    [[12.0, 12.0], [12.0, 12.0]]
    """
    given = read_input(input, output)
    keywords = extra_keywords or {}
    if given.only_scipy_computes:
        options = (output, mode, cval, extra_arguments, keywords)
        return hand_over("generic_gradient_magnitude", input, derivative, *options, axes=axes)
    chosen = read_filter_axes(axes, given.x.ndim)
    return magnitude_of(given, chosen, mode, _of_callers(given, chosen, derivative, cval, extra_arguments, keywords))


def output_dtype(given: Filter) -> str:
    """The dtype asked for, or the image's; complex ones are left to the derivatives."""
    if given.output is None:
        return check_supported(dtype_name(given.x.dtype), "input")
    return check_supported(dtype_asked_for(given.output), "output")


def sum_derivatives(given: Filter, axes: tuple[int, ...], mode: Any, derivative: Derivative) -> Any:
    """The sum over the axes; the image itself if there are none."""
    name, array = output_dtype(given), read_output_array(given)
    modes = read_sequence(mode, len(axes), "mode")
    total = None
    for axis, one in zip(axes, modes, strict=True):
        term = derivative(axis, one)
        total = term if total is None else _within(given, name, lambda a, b: a + b, total, term)
    return deliver(_image_in(given, name) if total is None else total, array)


def magnitude_of(given: Filter, axes: tuple[int, ...], mode: Any, derivative: Derivative) -> Any:
    """The root of the sum of squares over the axes; the image itself if there are none."""
    name, array = output_dtype(given), read_output_array(given)
    if not axes:
        return deliver(_image_in(given, name), array)

    def square(axis: int, one: Any) -> Any:
        return _within(given, name, lambda a: a * a, derivative(axis, one))

    # The sum goes into an array of its own: `output` may be the image, which the next axis still reads.
    total = sum_derivatives(Filter(given.x, given.home, given.kernel, name), axes, mode, square)
    if is_integer(name):
        total = cast(given.home, total, "float64")
    with np.errstate(invalid="ignore"):  # squares that wrapped around may be negative
        root = given.home.xp.sqrt(total)
    return deliver(cast_like_c(given.home, root, name), array)


def _of_callers(
    given: Filter, axes: tuple[int, ...], function: Callable[..., Any], cval: Any, arguments: Any, keywords: Any
) -> Derivative:
    """The caller's function, called as SciPy does: the first time with an array to be filled."""
    dtype = held_as(given.home, output_dtype(given))

    def derivative(axis: int, mode: Any) -> Any:
        if axis != axes[0] or not is_writeable(given.home):
            return function(given.x, axis, dtype, mode, cval, *arguments, **keywords)
        filled = given.home.xp.zeros(given.x.shape, dtype=dtype, device=given.home.device)
        function(given.x, axis, filled, mode, cval, *arguments, **keywords)
        return filled

    return derivative


def _image_in(given: Filter, name: str) -> Any:
    y = cast_like_c(given.home, given.x, name)
    return y if y is not given.x else given.home.xp.asarray(y, copy=True)


def _within(given: Filter, name: str, operation: Callable[..., Any], *terms: Any) -> Any:
    """An operation within the dtype `name`; torch, which has no arithmetic in wide unsigned integers, does it modulo
    2^64 in signed ones."""
    xp = given.home.xp
    if given.home.library == "torch" and name in UNSIGNED[1:]:
        return xp.astype(operation(*(xp.astype(term, xp.int64) for term in terms)), held_as(given.home, name))
    return cast_like_c(given.home, operation(*terms), name)
