"""SciPy's derivatives: Sobel, Prewitt, Laplace, and those of a Gaussian."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv._scipy_arguments import Filter, read_filter_axes, read_line
from gpuconv.ndimage._generic import magnitude_of, output_dtype, sum_derivatives
from gpuconv.ndimage._handover import hand_over
from gpuconv.ndimage._passes import Pass, passed, read_input, read_sequence, run_passes
from gpuconv.ndimage._smoothing import gaussian_passes


def sobel(input: Any, axis: int = -1, output: Any = None, mode: Any = "reflect", cval: Any = 0.0) -> Any:
    """Sobel filter, as `scipy.ndimage.sobel`: a difference along one axis, smoothed along all others.

    ``y = correlate1d([-1, 0, 1], axis)``, then ``correlate1d([1, 2, 1])`` along each other axis.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    axis : int
        The axis of the difference.
    output, cval
        As in `correlate`.
    mode : one value, or one per axis of `input`
        As in `correlate`.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the image, or `mode` is unknown or has a wrong length.
    ValueError
        If `axis` is out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.sobel([[0, 1, 2], [0, 1, 2]], mode="nearest").tolist()
    [[4, 8, 4], [4, 8, 4]]
    """
    given = read_input(input, output)
    if given.only_scipy_computes:
        return hand_over("sobel", input, axis, output, mode, cval)
    return run_passes(given, _difference_passes(given, axis, mode, [1, 2, 1]), cval)


def prewitt(input: Any, axis: int = -1, output: Any = None, mode: Any = "reflect", cval: Any = 0.0) -> Any:
    """Prewitt filter, as `scipy.ndimage.prewitt`: a difference along one axis, summed along all others.

    ``y = correlate1d([-1, 0, 1], axis)``, then ``correlate1d([1, 1, 1])`` along each other axis.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    axis : int
        The axis of the difference.
    output, cval
        As in `correlate`.
    mode : one value, or one per axis of `input`
        As in `correlate`.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the image, or `mode` is unknown or has a wrong length.
    ValueError
        If `axis` is out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.prewitt([[0, 1, 2], [0, 1, 2]], mode="nearest").tolist()
    [[3, 6, 3], [3, 6, 3]]
    """
    given = read_input(input, output)
    if given.only_scipy_computes:
        return hand_over("prewitt", input, axis, output, mode, cval)
    return run_passes(given, _difference_passes(given, axis, mode, [1, 1, 1]), cval)


def _difference_passes(given: Filter, axis: Any, mode: Any, smoothing: list[int]) -> list[Pass]:
    along = read_line(axis, given.x.ndim)
    modes = read_sequence(mode, given.x.ndim, "mode")
    others = [other for other in range(given.x.ndim) if other != along]
    return [
        Pass(np.array([-1, 0, 1]), along, modes[along]),
        *(Pass(np.array(smoothing), other, modes[other]) for other in others),
    ]


def laplace(input: Any, output: Any = None, mode: Any = "reflect", cval: Any = 0.0, *, axes: Any = None) -> Any:
    """Laplacian from second differences, as `scipy.ndimage.laplace`.

    ``y = sum over axes of correlate1d([1, -2, 1], axis)``.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    output, cval
        As in `correlate`.
    mode : one value, or one per axis of `axes`
        As in `correlate`.
    axes : int or sequence of int, optional
        Axes along which differences are taken; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the image, or `mode` is unknown or has a wrong length.
    ValueError
        If `axes` are out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.laplace([[0, 0, 0], [0, 1, 0], [0, 0, 0]]).tolist()
    [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    """
    given = read_input(input, output)
    if given.only_scipy_computes:
        return hand_over("laplace", input, output, mode, cval, axes=axes)
    result, taps = output_dtype(given), np.array([1, -2, 1])

    def second(axis: int, mode: Any) -> Any:
        return passed(given, [Pass(taps, axis, mode)], cval, result)

    return sum_derivatives(given, read_filter_axes(axes, given.x.ndim), mode, second)


def gaussian_laplace(
    input: Any,
    sigma: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    *,
    axes: Any = None,
    **kwargs: Any,
) -> Any:
    """Laplacian of Gaussian, as `scipy.ndimage.gaussian_laplace`.

    ``y = sum over axes of gaussian_filter(x, sigma, order=2 on that axis)``.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    sigma : float or sequence of float
        Standard deviation, one for all or one per axis of `axes`.
    output, cval
        As in `correlate`.
    mode : one value, or one per axis of `axes`
        As in `correlate`; entry i is for all passes of the derivative along ``axes[i]``.
    axes : int or sequence of int, optional
        Axes along which derivatives are taken and the image is smoothed; default all.
    **kwargs
        `truncate` and `radius` of `gaussian_filter`.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the image, or a sequence has a wrong length.
    ValueError
        If `axes` or a radius are out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.gaussian_laplace([0.0, 0.0, 1.0, 0.0, 0.0], 1.0, radius=2).round(3).tolist()
    [0.163, 0.0, -0.403, 0.0, 0.163]
    """
    given = read_input(input, output)
    if given.only_scipy_computes:
        return hand_over("gaussian_laplace", input, sigma, output, mode, cval, axes=axes, **kwargs)
    chosen = read_filter_axes(axes, given.x.ndim)
    sigma_of = dict(zip(chosen, read_sequence(sigma, len(chosen), "sigma"), strict=True))
    sigmas = [sigma_of.get(axis, 0) for axis in range(given.x.ndim)]
    return sum_derivatives(given, chosen, mode, _Gaussian(given, sigmas, 2, cval, kwargs))


def gaussian_gradient_magnitude(
    input: Any,
    sigma: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    *,
    axes: Any = None,
    **kwargs: Any,
) -> Any:
    """Gradient magnitude from Gaussian derivatives, as `scipy.ndimage.gaussian_gradient_magnitude`.

    ``y = sqrt(sum over axes of gaussian_filter(x, sigma, order=1 on that axis)^2)``.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    sigma : float or sequence of float
        Standard deviation, one for all or one per axis of `input`: as in SciPy, axes outside `axes` are smoothed too.
    output, cval
        As in `correlate`.
    mode : one value, or one per axis of `axes`
        As in `correlate`; entry i is for all passes of the derivative along ``axes[i]``.
    axes : int or sequence of int, optional
        Axes along which derivatives are taken; default all.
    **kwargs
        `truncate` and `radius` of `gaussian_filter`.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the image, or a sequence has a wrong length.
    ValueError
        If `axes` or a radius are out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ramp = [[0.0, 1.0, 2.0, 3.0, 4.0]] * 5
    >>> print(ndi.gaussian_gradient_magnitude(ramp, 0.8, radius=2)[2, 2].round(2))
    0.99
    """
    given = read_input(input, output)
    if given.only_scipy_computes:
        return hand_over("gaussian_gradient_magnitude", input, sigma, output, mode, cval, axes=axes, **kwargs)
    chosen = read_filter_axes(axes, given.x.ndim)
    return magnitude_of(given, chosen, mode, _Gaussian(given, sigma, 1, cval, kwargs))


class _Gaussian:
    """Derivatives of the smoothed image, of one order along one axis."""

    def __init__(self, given: Filter, sigma: Any, order: int, cval: Any, options: dict[str, Any]) -> None:
        self.given, self.sigma, self.order, self.cval, self.options = given, sigma, order, cval, options
        self.result = output_dtype(given)

    def __call__(self, axis: int, mode: Any) -> Any:
        ndim = self.given.x.ndim
        orders = [self.order if other == axis else 0 for other in range(ndim)]
        passes = gaussian_passes(tuple(range(ndim)), self.sigma, orders, mode, **self.options)
        return passed(self.given, passes, self.cval, self.result)
