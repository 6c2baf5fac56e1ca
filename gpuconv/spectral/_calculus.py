"""Operators that are a factor per frequency: derivatives, the Laplacian and its inverse, Hilbert, Riesz, shift.

At Nyquist of an even size the samples of a wave are ``(-1)^n`` times a cosine's; its sine is not seen. Factors that are
odd in the frequency are 0 there, and all others real, so that real arrays stay real and every operator means the
trigonometric polynomial through the samples with the least slope.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.core.frequencies import nyquist
from gpuconv.kernels._arguments import read_axis, read_count, read_positive, read_real, spread
from gpuconv.spectral._signal import Signal, read_signal, read_spacing, relative

MOST_ORDER = 10**6


def derivative(x: Any, /, *, axis: int = -1, order: int = 1, spacing: float = 1.0) -> Any:
    """The derivative of the periodic function through the samples: ``Y(f) = (2 pi i f)^order X(f)``.

    Exact for all waves below Nyquist. At Nyquist of an even size, odd orders give 0.

    Parameters
    ----------
    x : array
        Samples of a periodic function, in any unit.
    axis : int
    order : int
        0 or more, as long as ``(2 pi f)^order`` is in the range of what is computed in.
    spacing : float
        Distance of two samples.

    Returns
    -------
    array
        Shape, library and device of `x`, dtypes as in `apply`; in units of x per spacing to the `order`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    .. [1] L. N. Trefethen, "Spectral Methods in MATLAB", SIAM, 2000, chapter 3. DOI 10.1137/1.9780898719598

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> t = np.arange(16) / 16
    >>> slope = spectral.derivative(np.sin(2 * np.pi * t), spacing=1 / 16)
    >>> bool(np.allclose(slope, 2 * np.pi * np.cos(2 * np.pi * t), atol=1e-12))
    True
    """
    signal = _read_line(x, axis)
    order = read_count("order", order, 0)
    k = signal.wavenumbers(0) if order % 2 == 0 else signal.odd_wavenumbers(0)
    angular = _angular(signal, k, 0, read_positive("spacing", spacing))
    return signal.rounded(_multiplied(signal, [_power(signal, angular, order)]))


def gradient(x: Any, /, *, axes: Any = None, spacing: float | Sequence[float] = 1.0) -> Any:
    """Slopes along all axes: ``Y[a](f) = 2 pi i f_a X(f)``.

    Parameters
    ----------
    x : array, shape S
        Samples of a function that is periodic on `axes`, in any unit.
    axes : int or sequence of int, optional
        All by default.
    spacing : float or sequence of float
        Distance of two samples, one or one per axis.

    Returns
    -------
    array, shape (number of axes, *S)
        The slopes on a new leading axis, in the order of `axes`; dtypes as in `apply`; in units of x per spacing.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> row = np.arange(8)[:, None] / 8
    >>> x = np.sin(2 * np.pi * row) * np.ones(6)
    >>> down, across = spectral.gradient(x, spacing=(1 / 8, 1 / 6))
    >>> bool(np.allclose(down[:, 0], 2 * np.pi * np.cos(2 * np.pi * row[:, 0]))), round(abs(across).max().item(), 9)
    (True, 0.0)
    """
    signal = read_signal(x, axes)
    spacings = read_spacing(spacing, len(signal.axes))
    lines = [1j * _angular(signal, signal.odd_wavenumbers(at), at, step) for at, step in enumerate(spacings)]
    return signal.rounded(_stacked(signal, [signal.line(line, at) for at, line in enumerate(lines)]))


def laplacian(x: Any, /, *, axes: Any = None, spacing: float | Sequence[float] = 1.0) -> Any:
    """The Laplacian of the periodic function through the samples: ``Y(f) = -|2 pi f|^2 X(f)``.

    Parameters
    ----------
    x, axes, spacing
        As in `gradient`.

    Returns
    -------
    array
        Shape, library and device of `x`, dtypes as in `apply`; in units of x per squared spacing.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> x = np.cos(2 * np.pi * np.arange(8) / 8)
    >>> bool(np.allclose(spectral.laplacian(x, spacing=1 / 8), -((2 * np.pi) ** 2) * x))
    True
    """
    signal = read_signal(x, axes)
    unit, spacings = relative(read_spacing(spacing, len(signal.axes)))
    curvature = signal.inverse(signal.forward() * -_squared_frequency(signal, spacings))
    return signal.rounded(_twice(curvature, 1.0 / unit))


def inverse_laplacian(x: Any, /, *, axes: Any = None, spacing: float | Sequence[float] = 1.0) -> Any:
    """The solution of ``laplacian(y) = x - mean(x)`` with mean 0: ``Y(f) = -X(f) / |2 pi f|^2``, ``Y(0) = 0``.

    A periodic function has no Laplacian with a mean, so that of `x` is left out.

    Parameters
    ----------
    x, axes, spacing
        As in `gradient`.

    Returns
    -------
    array
        Shape, library and device of `x`, dtypes as in `apply`; in units of x times squared spacing.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> x = np.cos(2 * np.pi * np.arange(8) / 8)
    >>> bool(np.allclose(spectral.inverse_laplacian(spectral.laplacian(x + 5)), x))
    True
    """
    signal = read_signal(x, axes)
    unit, spacings = relative(read_spacing(spacing, len(signal.axes)))
    xp, squared = signal.xp, _squared_frequency(signal, spacings)
    zero = squared == 0
    factor = xp.where(zero, xp.zeros_like(squared), -1.0 / xp.where(zero, xp.ones_like(squared), squared))
    return signal.rounded(_twice(signal.inverse(signal.forward() * factor), unit))


def hilbert(x: Any, /, *, axis: int = -1) -> Any:
    """The Hilbert transform, every wave a quarter later: ``Y(f) = -i sign(f) X(f)``, 0 at zero and at Nyquist.

    It turns cosines into sines. `scipy.signal.hilbert` returns the analytic signal, ``x + i hilbert(x)``.

    Parameters
    ----------
    x : array
        In any unit.
    axis : int

    Returns
    -------
    array
        Shape, library, device and unit of `x`, dtypes as in `apply`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    .. [1] S. L. Marple, "Computing the discrete-time analytic signal via FFT", IEEE Transactions on Signal
       Processing 47, 1999. DOI 10.1109/78.782222

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> phase = 2 * np.pi * np.arange(12) / 12
    >>> bool(np.allclose(spectral.hilbert(np.cos(phase)), np.sin(phase)))
    True
    """
    signal = _read_line(x, axis)
    return signal.rounded(_multiplied(signal, [-1j * np.sign(signal.odd_wavenumbers(0))]))


def riesz(x: Any, /, *, axes: Any = None, spacing: float | Sequence[float] = 1.0) -> Any:
    """The Riesz transform, Hilbert's for several axes: ``Y[a](f) = -i f_a / |f| X(f)``, 0 at zero.

    Parameters
    ----------
    x, axes, spacing
        As in `gradient`.

    Returns
    -------
    array, shape (number of axes, *S)
        One part per axis on a new leading axis, in the order of `axes`; unit of `x`, dtypes as in `apply`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    .. [1] M. Felsberg and G. Sommer, "The monogenic signal", IEEE Transactions on Signal Processing 49, 2001,
       equation 16. DOI 10.1109/78.969520

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> phase = 2 * np.pi * np.arange(12) / 12
    >>> down, across = spectral.riesz(np.cos(phase) * np.ones((6, 1)))
    >>> bool(np.allclose(across, np.sin(phase))), round(abs(down).max().item(), 9)
    (True, 0.0)
    """
    signal = read_signal(x, axes)
    _, spacings = relative(read_spacing(spacing, len(signal.axes)))
    squared = _squared_frequency(signal, spacings)
    length = signal.xp.sqrt(signal.xp.where(squared == 0, signal.xp.ones_like(squared), squared))
    lines = [-1j * _angular(signal, signal.odd_wavenumbers(at), at, step) for at, step in enumerate(spacings)]
    return signal.rounded(_stacked(signal, [signal.line(line, at) / length for at, line in enumerate(lines)]))


def shift(x: Any, /, shift: float | Sequence[float], *, axes: Any = None) -> Any:
    """Move by any fraction of a sample, around the ends: ``y(t) = x(t - shift)``, ``Y(f) = exp(-2 pi i f shift) X(f)``.

    Whole numbers move as `numpy.roll` does. At Nyquist of an even size the factor is ``cos(pi shift)``, the only one
    that keeps real arrays real; it makes two moves differ from their sum there, and nowhere else.

    Parameters
    ----------
    x : array
        In any unit.
    shift : float or sequence of float
        Samples to move by, towards higher indices; one, or one per axis.
    axes : int or sequence of int, optional
        All by default.

    Returns
    -------
    array
        Shape, library, device and unit of `x`, dtypes as in `apply`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> spectral.shift(np.array([1.0, 2.0, 4.0, 8.0]), 1).round(12).tolist()
    [8.0, 1.0, 2.0, 4.0]
    >>> wave = np.cos(2 * np.pi * np.arange(8) / 8)
    >>> moved = np.cos(2 * np.pi * (np.arange(8) - 0.3) / 8)
    >>> bool(np.allclose(spectral.shift(wave, 0.3), moved))
    True
    """
    signal = read_signal(x, axes)
    shifts = spread("shift", shift, len(signal.axes), read_real)
    lines = []
    for at, samples in enumerate(shifts):
        size = signal.sizes[at]
        # Whole turns are taken off where that is exact, or else far moves would lose digits.
        turns = np.remainder(signal.wavenumbers(at) * np.fmod(samples, max(size, 1)), max(size, 1)) / max(size, 1)
        line = np.exp(-2j * np.pi * turns)
        peak = nyquist(size)
        if peak is not None:
            line[peak] = np.cos(np.pi * np.fmod(samples, 2))
        lines.append(line)
    return signal.rounded(_multiplied(signal, lines))


def _read_line(x: Any, axis: Any) -> Signal:
    signal = read_signal(x, None)
    return read_signal(x, read_axis(axis, signal.ndim))


def _angular(signal: Signal, k: np.ndarray, position: int, spacing: float) -> np.ndarray:
    """``2 pi f`` of these wavenumbers, in radians per unit of spacing."""
    return 2 * np.pi * k / (max(signal.sizes[position], 1) * spacing)


def _power(signal: Signal, angular: np.ndarray, order: int) -> np.ndarray:
    """``(i w)^order``, real for even orders."""
    most = float(np.finfo(signal.precision).max)
    fastest = float(abs(angular).max(initial=0.0))
    # By logarithms, since the power itself is what overflows; what is not above 1 never does.
    if order > MOST_ORDER or order * math.log(max(fastest, 1.0)) > math.log(most):
        given = f"got order={order} where frequencies reach {fastest:g} radians per unit of spacing"
        rule = f"the order must leave factors that {signal.precision} holds"
        raise ValueError(refusal(rule, given, "Give a lower order, or a larger unit of spacing"))
    return (1, 1j, -1, -1j)[order % 4] * angular**order


def _twice(values: Any, factor: float) -> Any:
    """Times a square that may be out of range where the product is not."""
    return values if factor == 1.0 else values * factor * factor


def _squared_frequency(signal: Signal, spacings: Sequence[float]) -> Any:
    """``|2 pi f|^2`` at each bin."""
    lines = [
        signal.line(_angular(signal, signal.wavenumbers(at), at, step) ** 2, at) for at, step in enumerate(spacings)
    ]
    return reduce(add, lines)


def _multiplied(signal: Signal, lines: Sequence[np.ndarray]) -> Any:
    """The array with each axis of its spectrum multiplied by a line of numbers."""
    spectrum = signal.forward()
    for position, line in enumerate(lines):
        spectrum = spectrum * signal.line(line, position)
    return signal.inverse(spectrum)


def _stacked(signal: Signal, factors: Sequence[Any]) -> Any:
    """The array through several factors, on a new leading axis; one transform forward for all."""
    spectrum = signal.forward()
    return signal.xp.stack([signal.inverse(spectrum * factor) for factor in factors], axis=0)
