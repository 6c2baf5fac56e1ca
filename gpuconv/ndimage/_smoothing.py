"""SciPy's Gaussian and uniform filters."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from gpuconv._scipy_arguments import read_filter_axes, read_line
from gpuconv.core.arguments import are_numbers, are_plain, refusal
from gpuconv.core.remembered import remembered
from gpuconv.kernels import gaussian_taps
from gpuconv.methods.repeat import is_remembered
from gpuconv.ndimage._handover import hand_over
from gpuconv.ndimage._passes import Pass, box, read_input, read_sequence, run_passes

# gpuconv.kernels has these orders; the others are for SciPy's callers alone.
_ORDERS_OF_KERNELS = 3
# SciPy leaves out axes of no greater sigma.
_SMALLEST_SIGMA = 1e-15


def gaussian_filter1d(
    input: Any,
    sigma: Any,
    axis: int = -1,
    order: int = 0,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> Any:
    """Gaussian filter along one axis, as `scipy.ndimage.gaussian_filter1d`.

    ``y[i] = sum_n g[n] x~[i - n]`` with ``g[n] = exp(-n^2 / (2 sigma^2)) / sum``, or its derivative of `order`.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    sigma : float
        Standard deviation in samples.
    axis : int
        The axis that is filtered.
    order : int
        0 smooths, m gives the derivative of order m.
    output, mode, cval
        As in `correlate`.
    truncate : float
        The weights reach as far as this many sigma.
    radius : int, optional
        How far the weights reach, instead of `truncate`.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the image, or `mode` is unknown.
    ValueError
        If `radius`, `order` or `axis` is out of range, or the weights are not finite because sigma is too small.

    References
    ----------
    .. [1] T. Lindeberg, "Scale-space for discrete signals", IEEE Transactions on Pattern Analysis and Machine
       Intelligence 12, 1990. DOI 10.1109/34.49051: the sampled Gaussian and its limits.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.gaussian_filter1d([0.0, 0.0, 1.0, 0.0, 0.0], 0.5).round(4).tolist()
    [0.0003, 0.1065, 0.7866, 0.1065, 0.0003]
    """
    given = read_input(input, output)
    if given.only_scipy_computes:
        return hand_over("gaussian_filter1d", input, sigma, axis, order, output, mode, cval, truncate, radius=radius)
    line = Pass(weights_of(sigma, order, truncate, radius), read_line(axis, given.x.ndim), mode)
    return run_passes(given, [line], cval, promotes=True)


def gaussian_filter(
    input: Any,
    sigma: Any,
    order: Any = 0,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    truncate: float = 4.0,
    *,
    radius: Any = None,
    axes: Any = None,
) -> Any:
    """Gaussian filter, as `scipy.ndimage.gaussian_filter`: `gaussian_filter1d` along one axis after another.

    ``y = (g_0 (x) g_1 (x) ...) * x~``, each pass rounded to the dtype of the result.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    sigma, order, mode, radius : one value, or one per axis of `axes`
        As in `gaussian_filter1d`. Axes whose sigma is at most 1e-15 are left as they are.
    output, cval
        As in `correlate`.
    truncate : float
        The weights reach as far as this many sigma.
    axes : int or sequence of int, optional
        Axes that are filtered; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the image, a sequence has a wrong length, or a mode is unknown.
    ValueError
        If a radius, an order or an axis is out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.gaussian_filter([[0, 0, 0], [0, 99, 0], [0, 0, 0]], 0.5).tolist()
    [[1, 7, 1], [8, 60, 8], [1, 7, 1]]
    """
    given = read_input(input, output)
    if given.only_scipy_computes:
        younger = {"radius": radius, "axes": axes}
        return hand_over("gaussian_filter", input, sigma, order, output, mode, cval, truncate, **younger)
    chosen = read_filter_axes(axes, given.x.ndim)
    return run_passes(given, gaussian_passes(chosen, sigma, order, mode, truncate, radius), cval)


def gaussian_passes(
    axes: tuple[int, ...], sigma: Any, order: Any, mode: Any, truncate: Any = 4.0, radius: Any = None
) -> list[Pass]:
    """One pass per axis whose sigma counts."""
    settings = {"order": order, "sigma": sigma, "mode": mode, "radius": radius}
    orders, sigmas, modes, radii = (read_sequence(value, len(axes), name) for name, value in settings.items())
    return [
        Pass(weights_of(sigma, order, truncate, radius), axis, mode)
        for axis, sigma, order, mode, radius in zip(axes, sigmas, orders, modes, radii, strict=True)
        if sigma > _SMALLEST_SIGMA
    ]


def weights_of(sigma: Any, order: Any, truncate: Any, radius: Any) -> np.ndarray:
    """Weights for correlation: SciPy's samples of the Gaussian or its derivative, turned over."""
    if are_numbers(sigma, truncate) and are_plain(order, radius):
        kept = _remembered(sigma, order, truncate, radius)
        if kept is not None:
            return kept
    return _weights_of(sigma, order, truncate, radius)


@remembered(256)
def _remembered(*arguments: Any) -> np.ndarray | None:
    """None for weights that take too much memory to be kept."""
    weights = _weights_of(*arguments)
    weights.flags.writeable = False
    return weights if is_remembered(weights) else None


def _weights_of(sigma: Any, order: Any, truncate: Any, radius: Any) -> np.ndarray:
    sigma = float(sigma)
    reach = int(truncate * sigma + 0.5) if radius is None else radius
    if not isinstance(reach, numbers.Integral) or reach < 0:
        fact = f"got radius={radius!r}, sigma={sigma!r}, truncate={truncate!r}"
        raise ValueError(refusal("Radius must be a nonnegative integer.", fact, "Give a radius of 0 or more"))
    if order < 0:
        raise ValueError(refusal("order must be non-negative", f"got order={order!r}", "Give 0 to smooth"))
    reach, sigma = int(reach), abs(sigma)  # SciPy squares it
    if order <= _ORDERS_OF_KERNELS:
        return gaussian_taps(sigma, order=order, radius=reach)[::-1]
    if sigma <= _SMALLEST_SIGMA:
        rule = f"a derivative of order {order} needs a larger sigma"
        raise ValueError(refusal(rule, f"got sigma={sigma!r}", "Give a larger sigma"))
    u = np.arange(-reach, reach + 1) / sigma
    polynomial = np.polynomial.hermite_e.HermiteE.basis(order)(u)
    return polynomial / sigma**order * gaussian_taps(sigma, radius=reach)


def uniform_filter1d(
    input: Any,
    size: int,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """Mean over a window along one axis, as `scipy.ndimage.uniform_filter1d`.

    ``y[i] = sum_j x~[i + j - size//2 - origin] / size``, j = 0 ... size - 1.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    size : int
        Samples of the window.
    axis : int
        The axis that is filtered.
    output, mode, cval
        As in `correlate`.
    origin : int
        Shift of the window's centre, from ``-(size//2)`` to ``(size-1)//2``.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array. Means of integers are cut off.

    Raises
    ------
    RuntimeError
        If `size` is less than 1, `output` does not fit the image, or `mode` is unknown.
    ValueError
        If `origin` or `axis` is out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.uniform_filter1d([2, 8, 0, 4, 1, 9, 9, 0], 3).tolist()
    [4, 3, 4, 1, 4, 6, 6, 3]
    """
    given = read_input(input, output)
    if given.only_scipy_computes:
        return hand_over("uniform_filter1d", input, size, axis, output, mode, cval, origin)
    line = read_line(axis, given.x.ndim)
    if size < 1:
        raise RuntimeError(refusal("incorrect filter size", f"got size={size!r}", "Give 1 or more"))
    return run_passes(given, [box(size, line, mode, origin)], cval, promotes=True)


def uniform_filter(
    input: Any,
    size: Any = 3,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Mean over a box, as `scipy.ndimage.uniform_filter`: `uniform_filter1d` along one axis after another.

    ``y[i] = sum_j x~[i + j - size//2 - origin] / prod(size)``, each pass rounded to the dtype of the result.

    Parameters
    ----------
    input : array, any shape
        Image, of any array library.
    size, mode, origin : one value, or one per axis of `axes`
        As in `uniform_filter1d`. Axes of size 1 are left as they are.
    output, cval
        As in `correlate`.
    axes : int or sequence of int, optional
        Axes that are filtered; default all.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the image, a sequence has a wrong length, or a mode is unknown.
    ValueError
        If an origin or an axis is out of range.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.uniform_filter([[1, 2, 3], [4, 5, 6]], (1, 3)).tolist()
    [[1, 2, 2], [4, 5, 5]]
    """
    given = read_input(input, output)
    if given.only_scipy_computes:
        return hand_over("uniform_filter", input, size, output, mode, cval, origin, axes=axes)
    chosen = read_filter_axes(axes, given.x.ndim)
    settings = {"size": size, "mode": mode, "origin": origin}
    rows = zip(*(read_sequence(value, len(chosen), name) for name, value in settings.items()), chosen, strict=True)
    passes = [box(int(size), axis, mode, origin) for size, mode, origin, axis in rows if size > 1]
    return run_passes(given, passes, cval, promotes=True)
