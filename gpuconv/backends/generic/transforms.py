"""Whole transforms: Fourier over any axes, cosine and sine along one. With `fourier`, all that calls an FFT.

NaN and infinity spread over the whole axis, as they do in the sums that define these transforms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.core.dtypes import complex_of, is_complex, real_of
from gpuconv.core.namespace import Home, bring_home, cast, dtype_name, home_of


def fourier_forward(x: Any, axes: tuple[int, ...], lengths: tuple[int, ...]) -> Any:
    """``X[k] = sum_n x[n] exp(-2 pi i k n / N)`` over `axes`; of real x, half of the last axis: ``k = 0 ... N//2``.

    Each axis is cut to its length or filled up with zeros before.
    """
    home, name = home_of(x), dtype_name(x.dtype)
    call = home.xp.fft.fftn if is_complex(name) else home.xp.fft.rfftn
    return cast(home, call(x, s=lengths, axes=axes), complex_of(name))


def fourier_inverse(spectrum: Any, axes: tuple[int, ...], lengths: tuple[int, ...], dtype: str) -> Any:
    """The inverse of `fourier_forward`: `lengths` are the samples of the result, `dtype` is real or complex."""
    home = home_of(spectrum)
    call = home.xp.fft.ifftn if is_complex(dtype) else home.xp.fft.irfftn
    return cast(home, call(spectrum, s=lengths, axes=axes), dtype)


def cosine_transform(x: Any, axis: int, kind: str, inverse: bool) -> Any:
    """``X[k] = a[k] sum_n x[n] cos(pi k (n + 1/2) / N)``, a[0] = sqrt(1/N), a[k] = sqrt(2/N); "dst" see below.

    The sine transform is that of ``(-1)^n x[n]`` read backwards: ``sin(pi (k + 1) (n + 1/2) / N)`` is
    ``(-1)^n cos(pi (N - 1 - k) (n + 1/2) / N)``. Both are orthogonal matrices, so that the inverse is the transpose.
    """
    home, name = home_of(x), dtype_name(x.dtype)
    if is_complex(name):
        real, imaginary = (
            cast(home, cosine_transform(part, axis, kind, inverse), name) for part in (home.xp.real(x), home.xp.imag(x))
        )
        return real + imaginary * 1j
    if kind == "dct":
        return (_cosine_inverse if inverse else _cosine_forward)(home, x, axis)
    signs = _along(home, 1.0 - 2.0 * (np.arange(x.shape[axis]) % 2), x, axis)
    if inverse:
        return signs * _cosine_inverse(home, home.xp.flip(x, axis=axis), axis)
    return home.xp.flip(_cosine_forward(home, signs * x, axis), axis=axis)


def _cosine_forward(home: Home, x: Any, axis: int) -> Any:
    """Makhoul's: even samples, then odd ones backwards, go through a real FFT of N points.

    ``exp(-i pi k / 2N) V[k]`` has ``X[k]`` for its real part and ``-X[N - k]`` for its imaginary part.
    J. Makhoul, IEEE Transactions on Acoustics, Speech and Signal Processing 28, 1980. DOI 10.1109/TASSP.1980.1163351
    """
    xp, size = home.xp, x.shape[axis]
    reordered = xp.concat(
        [x[_slice(x, axis, 0, None, 2)], xp.flip(x[_slice(x, axis, 1, None, 2)], axis=axis)], axis=axis
    )
    turned = fourier_forward(reordered, (axis,), (size,)) * _along(home, _turn(size), x, axis)
    upper = -xp.flip(xp.imag(turned[_slice(x, axis, 1, (size + 1) // 2)]), axis=axis)
    both = xp.concat([xp.real(turned), upper], axis=axis)
    return both * _along(home, _weights(size), x, axis)


def _cosine_inverse(home: Home, x: Any, axis: int) -> Any:
    """The same backwards: ``V[k] = exp(i pi k / 2N) (X[k] - i X[N - k])`` with ``X[N] = 0``, then an inverse FFT."""
    xp, size = home.xp, x.shape[axis]
    name = complex_of(dtype_name(x.dtype))
    x = x / _along(home, _weights(size), x, axis)
    lower = x[_slice(x, axis, 0, size // 2 + 1)]
    zero = xp.zeros_like(x[_slice(x, axis, 0, 1)])
    mirrored = xp.concat([zero, xp.flip(x[_slice(x, axis, size - size // 2, None)], axis=axis)], axis=axis)
    spectrum = (cast(home, lower, name) - cast(home, mirrored, name) * 1j) * _along(home, _turn(size).conj(), x, axis)
    reordered = fourier_inverse(spectrum, (axis,), (size,), real_of(name))
    positions = np.arange(size)
    order = np.where(positions % 2 == 0, positions // 2, size - 1 - positions // 2)
    return xp.take(reordered, bring_home(order, home, _index_dtype(home)), axis=axis)


def _index_dtype(home: Home) -> str:
    return "int32" if home.library == "jax" else "int64"


def _turn(size: int) -> np.ndarray:
    return np.exp(-0.5j * np.pi * np.arange(size // 2 + 1) / size)


def _weights(size: int) -> np.ndarray:
    weights = np.full(size, np.sqrt(2.0 / size))
    weights[0] = np.sqrt(1.0 / size)
    return weights


def _along(home: Home, line: np.ndarray, x: Any, axis: int) -> Any:
    """A line of numbers in the precision of `x`, shaped to be multiplied with it along `axis`."""
    name = dtype_name(x.dtype)
    shape = [-1 if other == axis else 1 for other in range(x.ndim)]
    return bring_home(line.reshape(shape), home, complex_of(name) if line.dtype.kind == "c" else name)


def _slice(x: Any, axis: int, start: int, stop: int | None, step: int = 1) -> tuple[slice, ...]:
    return tuple(slice(start, stop, step) if other == axis else slice(None) for other in range(x.ndim))
