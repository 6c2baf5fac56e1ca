"""SciPy's analytic signals: hilbert, hilbert2."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv._scipy_arguments import read_array, read_line
from gpuconv.core.arguments import read_integer, refusal
from gpuconv.core.dtypes import complex_of, is_complex, is_integer
from gpuconv.core.namespace import Home, cast, dtype_name
from gpuconv.methods import transform
from gpuconv.signal._dtypes import along, only_scipy_computes, promoted
from gpuconv.signal._handover import hand_over


def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Any:
    """Analytic signal along one axis, as `scipy.signal.hilbert`: `x` is its real part.

    ``y = F^-1(s F(x))`` with s = 2 for positive frequencies, 1 for frequency 0 and for N/2, and 0 for negative ones.

    Parameters
    ----------
    x : array, any shape
        Real signal, of any array library.
    N : int, optional
        Length of the transform: `x` is cut, or filled up with zeros behind. Default: its own.
    axis : int
        The axis that is transformed.

    Returns
    -------
    array
        N samples on the axis; complex64 for float32 and half precision, else complex128.

    Raises
    ------
    ValueError
        If `x` is complex, or `N` is not positive.
    IndexError
        If `axis` is out of range.

    References
    ----------
    .. [1] S. L. Marple, "Computing the discrete-time analytic signal via FFT", IEEE Transactions on Signal Processing
       47, 2600-2603, 1999. DOI 10.1109/78.782222

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.hilbert([1.0, 0.0, -1.0, 0.0]).tolist()
    [(1+0j), 1j, (-1+0j), -1j]
    """
    x, home = read_array(x, "x")
    if only_scipy_computes(home, dtype_name(x.dtype), "float32"):
        return hand_over("hilbert", x, N, axis)
    x = _read_real(home, x)
    axis = read_line(axis, x.ndim)
    length = _read_length(x.shape[axis] if N is None else N)
    factor = np.full(length // 2 + 1, 2.0)
    factor[0] = 1.0
    if length % 2 == 0:
        factor[-1] = 1.0
    return _one_sided(home, x, (axis,), (length,), (factor,))


def hilbert2(x: Any, N: Any = None, axes: tuple[int, int] = (-2, -1)) -> Any:
    """Analytic signal of a picture, one quarter of its spectrum, as `scipy.signal.hilbert2`.

    ``y = F^-1(s s' F(x))`` with, on each axis, s = 2 for frequencies above 0 and below N/2, 1 for 0, and 0 for others.

    Parameters
    ----------
    x : array of two or more dimensions
        Real, of any array library. (A line is taken for a picture of one row.)
    N : int or two ints, optional
        Lengths of the transforms: `x` is cut, or filled up with zeros behind. Default: its own.
    axes : two ints
        The axes that are transformed.

    Returns
    -------
    array
        N samples on the axes; complex64 for float32 and half precision, else complex128.

    Raises
    ------
    ValueError
        If `x` is complex, `N` is not positive, or `axes` are not two that differ.
    IndexError
        If one of `axes` is out of range.

    References
    ----------
    .. [1] S. L. Hahn, "Multidimensional complex signals with single-orthant spectra", Proceedings of the IEEE 80,
       1287-1300, 1992. DOI 10.1109/5.158601

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.hilbert2([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).real.round(6).tolist()
    [[9.0, 0.0, 0.0], [0.0, -3.0, 3.0], [0.0, 3.0, -3.0]]
    """
    x, home = read_array(x, "x")
    if only_scipy_computes(home, dtype_name(x.dtype), "float32"):
        return hand_over("hilbert2", x, N, axes)
    x = _read_real(home, x)
    if x.ndim < 2:
        x = home.xp.reshape(x, (1,) * (2 - x.ndim) + tuple(x.shape))
    if not np.iterable(axes):
        raise TypeError(refusal("axes must be a tuple of length 2", f"got axes={axes!r}", "Name two axes"))
    if len(axes) != 2:
        raise ValueError(refusal("axes must be a tuple of length 2", f"got axes={axes!r}", "Name two axes"))
    chosen = (read_line(axes[0], x.ndim), read_line(axes[1], x.ndim))
    if chosen[0] == chosen[1]:
        raise ValueError(refusal("axes must contain 2 distinct axes", f"got axes={axes!r}", "Name two axes"))
    given: tuple[Any, ...] = tuple(x.shape[axis] for axis in chosen)
    if N is not None:
        given = tuple(N) if np.iterable(N) else (N, N)
    if len(given) != 2 or (np.iterable(N) and min(given) <= 0):
        rule = "When given as a tuple, N must hold exactly two positive integers"
        raise ValueError(refusal(rule, f"got N={N!r}", "Give one length, or one per axis"))
    lengths = (_read_length(given[0]), _read_length(given[1]))
    return _one_sided(
        home, x, chosen, lengths, (_below_half(lengths[0]), _below_half(lengths[1])[: lengths[1] // 2 + 1])
    )


def _read_real(home: Home, x: Any) -> Any:
    """A real signal in the precision in which it is transformed."""
    name = dtype_name(x.dtype)
    if is_complex(name):
        raise ValueError(refusal("x must be real", f"its dtype is {name}", "Pass its real part"))
    return cast(home, x, promoted(home, "float64" if is_integer(name) or name == "bool" else name, "float32"))


def _read_length(length: Any) -> int:
    number = read_integer("N", length)
    if number <= 0:
        raise ValueError(refusal("N must be positive", f"got {length!r}", "Give a number of samples"))
    return number


def _below_half(length: int) -> np.ndarray:
    factor = np.zeros(length)
    factor[: (length + 1) // 2] = 2.0
    factor[0] = 1.0
    return factor


def _one_sided(
    home: Home, x: Any, axes: tuple[int, ...], lengths: tuple[int, ...], factors: tuple[np.ndarray, ...]
) -> Any:
    """The signal whose spectrum is that of `x` times `factors`, zero where the real transform leaves off."""
    spectrum = transform.forward(x, axes, lengths)
    name = complex_of(dtype_name(x.dtype))
    for axis, factor in zip(axes, factors, strict=True):
        spectrum = spectrum * along(home, factor, x.ndim, axis, name)
    missing = list(spectrum.shape)
    missing[axes[-1]] = lengths[-1] - missing[axes[-1]]
    zeros = home.xp.zeros(tuple(missing), dtype=spectrum.dtype, device=home.device)
    return transform.inverse(home.xp.concat([spectrum, zeros], axis=axes[-1]), axes, lengths, name)
