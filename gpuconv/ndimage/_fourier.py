"""SciPy's filters of spectra: what has been transformed is multiplied by a transfer function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuconv._scipy_arguments import Filter, dtype_asked_for, read_line
from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import SUPPORTED, check_supported, is_complex, real_of
from gpuconv.core.namespace import bring_home, cast, dtype_name
from gpuconv.ndimage._dtypes import deliver, read_output_array
from gpuconv.ndimage._handover import hand_over
from gpuconv.ndimage._passes import read_input, read_sequence

_REAL_OUTPUTS = ("float32", "float64", "complex64", "complex128")
_COMPLEX_OUTPUTS = ("complex64", "complex128")


def fourier_gaussian(input: Any, sigma: Any, n: int = -1, axis: int = -1, output: Any = None) -> Any:
    """Gaussian filter of a spectrum, as `scipy.ndimage.fourier_gaussian`.

    ``Y[k] = X[k] prod exp(-2 (pi sigma k / N)^2)`` over the axes, k from ``-N/2`` to ``N/2``.

    Parameters
    ----------
    input : array, any shape
        Spectrum, of any array library.
    sigma : float or sequence of float
        Standard deviation in samples, one for all or one per axis.
    n : int
        Negative for the spectrum of a complex transform; else the length, before the real transform, of `axis`.
    axis : int
        The axis of the real transform.
    output : array or dtype, optional
        Where the result goes, or its dtype. Default: that of `input` if it is float32 or complex, else float64.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the spectrum, or `sigma` has a wrong length.
    ValueError
        If `axis` is out of range.

    References
    ----------
    .. [1] R. N. Bracewell, "The Fourier Transform and Its Applications", 3rd ed., 2000, chapter 6.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.fourier_gaussian([1.0, 1.0, 1.0, 1.0], 1.0).round(4).tolist()
    [1.0, 0.2912, 0.0072, 0.2912]
    """
    given = read_input(input, output)
    if _only_scipy_computes(given):
        return hand_over("fourier_gaussian", input, sigma, n, axis, output)
    phases = _phases(given, sigma, n, axis, "sigma")
    return _multiplied(given, [np.exp(-2 * phase * phase) for phase in phases], _REAL_OUTPUTS)


def fourier_uniform(input: Any, size: Any, n: int = -1, axis: int = -1, output: Any = None) -> Any:
    """Mean over a box, of a spectrum, as `scipy.ndimage.fourier_uniform`.

    ``Y[k] = X[k] prod sinc(size k / N)`` over the axes, with ``sinc(u) = sin(pi u) / (pi u)``.

    Parameters
    ----------
    input : array, any shape
        Spectrum, of any array library.
    size : float or sequence of float
        Edge of the box in samples, one for all or one per axis.
    n, axis, output
        As in `fourier_gaussian`.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the spectrum, or `size` has a wrong length.
    ValueError
        If `axis` is out of range.

    References
    ----------
    .. [1] R. N. Bracewell, "The Fourier Transform and Its Applications", 3rd ed., 2000, chapter 4.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.fourier_uniform([1.0, 1.0, 1.0, 1.0], 2).round(4).tolist()
    [1.0, 0.6366, 0.0, 0.6366]
    """
    given = read_input(input, output)
    if _only_scipy_computes(given):
        return hand_over("fourier_uniform", input, size, n, axis, output)
    phases = _phases(given, size, n, axis, "size")
    return _multiplied(given, [np.sinc(phase / np.pi) for phase in phases], _REAL_OUTPUTS)


def fourier_ellipsoid(input: Any, size: Any, n: int = -1, axis: int = -1, output: Any = None) -> Any:
    """Mean over an ellipsoid, of a spectrum, as `scipy.ndimage.fourier_ellipsoid`.

    ``Y[k] = X[k] h(r)``, ``r^2 = sum (pi size k / N)^2`` over the axes, with ``h = sin(r)/r``, ``2 J_1(r)/r`` or
    ``3 (sin(r) - r cos(r))/r^3`` in 1, 2 or 3 dimensions.

    Parameters
    ----------
    input : array of 1, 2 or 3 dimensions
        Spectrum, of any array library.
    size : float or sequence of float
        Diameters in samples, one for all or one per axis.
    n, axis, output
        As in `fourier_gaussian`.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    NotImplementedError
        If there are more than 3 dimensions.
    RuntimeError
        If `output` does not fit the spectrum, or `size` has a wrong length.
    ValueError
        If `axis` is out of range.

    References
    ----------
    .. [1] R. N. Bracewell, "The Fourier Transform and Its Applications", 3rd ed., 2000, chapter 13.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.fourier_ellipsoid([1.0, 1.0, 1.0, 1.0], 2).round(4).tolist()
    [1.0, 0.6366, 0.0, 0.6366]
    """
    given = read_input(input, output)
    if _only_scipy_computes(given):
        return hand_over("fourier_ellipsoid", input, size, n, axis, output)
    ndim = given.x.ndim
    if ndim > 3:
        rule = "Only 1d, 2d and 3d inputs are supported"
        raise NotImplementedError(refusal(rule, f"input has {ndim} dimensions", "Use fourier_uniform"))
    r = np.sqrt(sum(phase * phase for phase in _phases(given, size, n, axis, "size")))
    return _multiplied(given, [_transform_of_ball(r, ndim)], _REAL_OUTPUTS)


def fourier_shift(input: Any, shift: Any, n: int = -1, axis: int = -1, output: Any = None) -> Any:
    """Shift of a spectrum's image, as `scipy.ndimage.fourier_shift`.

    ``Y[k] = X[k] prod exp(-2 pi i shift k / N)`` over the axes.

    Parameters
    ----------
    input : array, any shape
        Spectrum, of any array library.
    shift : float or sequence of float
        Samples to move by, one for all or one per axis.
    n, axis
        As in `fourier_gaussian`.
    output : array or dtype, optional
        Where the result goes, or its dtype. Default: that of `input` if it is complex, else complex128.

    Returns
    -------
    array
        Shape of `input`, in its library; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        If `output` does not fit the spectrum or is not complex, or `shift` has a wrong length.
    ValueError
        If `axis` is out of range.

    References
    ----------
    .. [1] R. N. Bracewell, "The Fourier Transform and Its Applications", 3rd ed., 2000, chapter 6.

    Examples
    --------
    >>> import gpuconv.ndimage as ndi
    >>> ndi.fourier_shift([1.0, 1.0, 1.0, 1.0], 1).round(4).tolist()
    [(1+0j), -1j, (-1+0j), 1j]
    """
    given = read_input(input, output)
    if _only_scipy_computes(given):
        return hand_over("fourier_shift", input, shift, n, axis, output)
    phases = _phases(given, shift, n, axis, "shift")
    return _multiplied(given, [np.exp(-2j * phase) for phase in phases], _COMPLEX_OUTPUTS)


def _only_scipy_computes(given: Filter) -> bool:
    if given.home.library != "numpy":
        return False
    return given.x.ndim == 0 or dtype_name(given.x.dtype) not in SUPPORTED


def _phases(given: Filter, parameter: Any, n: Any, axis: Any, argument: str) -> list[np.ndarray]:
    """``pi parameter k / N`` on each axis, shaped to be multiplied with each other."""
    shape = tuple(given.x.shape)
    halved = read_line(axis, len(shape))
    phases = []
    for at, (one, count) in enumerate(zip(read_sequence(parameter, len(shape), argument), shape, strict=True)):
        k, length = np.arange(count), count
        if at == halved and n >= 0:
            length = n
        else:
            k = np.where(k < (count + 1) // 2, k, k - count)
        phase = np.pi * float(one) * k / max(length, 1)
        phases.append(phase.reshape([-1 if other == at else 1 for other in range(len(shape))]))
    return phases


def _transform_of_ball(r: np.ndarray, ndim: int) -> np.ndarray:
    from scipy.special import j1

    if ndim == 1:
        return np.sinc(r / np.pi)
    u = np.where(r > 0, r, 1.0)
    values = 2 * j1(u) / u if ndim == 2 else 3 * (np.sin(u) - u * np.cos(u)) / u**3
    return np.where(r > 0, values, 1.0)


def _multiplied(given: Filter, factors: Sequence[np.ndarray], allowed: tuple[str, ...]) -> Any:
    x, home = given.x, given.home
    name = check_supported(dtype_name(x.dtype), "input")
    shifting = allowed is _COMPLEX_OUTPUTS
    if given.output is not None:
        result = dtype_asked_for(given.output)
        if result not in allowed:
            rule = f"output type not supported: it must be one of {', '.join(allowed)}"
            raise RuntimeError(refusal(rule, f"got {result}", "Ask for one of these"))
    elif name in allowed:
        result = name
    else:
        result = allowed[-1] if shifting else "float64"
    if is_complex(name) and not is_complex(result):
        fact = f"output is {result}, input {name}"
        raise RuntimeError(refusal("a complex spectrum needs a complex output", fact, "Ask for a complex one"))
    array = read_output_array(given)
    y = cast(home, x, result)
    for factor in factors:
        y = y * bring_home(factor, home, result if shifting else real_of(result))
    return deliver(y, array)
