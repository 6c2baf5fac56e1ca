"""The convolution theorem, both sides of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any, NamedTuple

import numpy as np

from gpuconv.convolution import convolve
from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.dtypes import check_supported, complex_of, is_complex
from gpuconv.core.namespace import bring_home, cast, dtype_name, read_kernel
from gpuconv.methods import transform
from gpuconv.spectral._signal import Signal, read_signal, read_spacing


class ConvolutionTheorem(NamedTuple):
    """``F[x * k]``, ``constant F[x] F[k]``, the first minus the second, and the constant.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> both = spectral.convolution_theorem([1.0, 2.0, 4.0], [0.5, 0.5])
    >>> both.product_of_transforms[0].round(12).item(), both.constant
    ((7+0j), 1.0)
    """

    transform_of_convolution: Any
    product_of_transforms: Any
    difference: Any
    constant: float


def convolution_theorem(
    x: Any, kernel: Any, /, *, axes: Any = None, spacing: float | Sequence[float] = 1.0, norm: str = "backward"
) -> ConvolutionTheorem:
    """Both sides of ``F[x * k] = constant F[x] F[k]``, the convolution being the sum of its definition.

    Integers and half precision are computed in the dtypes of `apply`, on both sides.

    With h the product of the spacings and N the number of samples,
    ``(x * k)[n] = h sum_m k[m] x[n - m]`` around the ends, and ``F[x](f) = h / c sum_n x[n] exp(-2 pi i f n)``. By
    `norm`, c is 1 ("backward"), sqrt(N) ("ortho") or N ("forward"), and so is the constant.

    Parameters
    ----------
    x : array
    kernel : array
        One dimension per axis of `axes`, no longer than `x`; its centre is at ``(K - 1)//2``.
    axes : int or sequence of int, optional
        All by default; the others are batches.
    spacing : float or sequence of float
        Distance of two samples, one or one per axis.
    norm : {"backward", "ortho", "forward"}
        Where the transform puts its factors, as in `numpy.fft`.

    Returns
    -------
    ConvolutionTheorem
        Named tuple of both sides, their difference and the constant. Spectra are complex and have half of the last
        axis if `x` and `kernel` are real.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or the kernel longer than `x`.

    References
    ----------
    .. [1] R. N. Bracewell, "The Fourier Transform and Its Applications", 3rd ed., 2000, chapter 6.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> both = spectral.convolution_theorem(np.arange(8.0), [1.0, 2.0, 3.0], norm="ortho")
    >>> round(both.constant**2, 12), bool(abs(both.difference).max() < 1e-13)
    (8.0, True)
    """
    signal = read_signal(x, axes)
    weights = read_kernel(kernel, signal.home)
    _check_kernel(weights, signal)
    count = prod(signal.sizes)
    constant = _CONSTANTS[read_choice("norm", norm, _CONSTANTS)](count)
    h = prod(read_spacing(spacing, len(signal.axes)))
    # Both sides in the precision of transforms: whole numbers would wrap around, and half precision overflow.
    weights = _at_home(signal, weights)
    convolved = convolve(signal.x, weights, axes=signal.axes, boundary="wrap", method="direct")
    of_both = is_complex(dtype_name(weights.dtype)) or signal.is_complex
    name = complex_of(signal.precision) if of_both else signal.dtype
    placed = _placed(signal, weights, name)
    of_convolution, of_x, of_kernel = (
        transform.forward(cast(signal.home, values, name), signal.axes) * (h / constant)
        for values in (convolved, signal.x, placed)
    )
    left, right = of_convolution * h, of_x * of_kernel * constant
    return ConvolutionTheorem(left, right, left - right, constant)


_CONSTANTS = {"backward": lambda count: 1.0, "ortho": lambda count: sqrt(count), "forward": float}


def _check_kernel(weights: Any, signal: Signal) -> None:
    shape = tuple(weights.shape)
    fits = len(shape) == len(signal.axes)
    if not fits or not all(0 < taps <= size for taps, size in zip(shape, signal.sizes, strict=True)):
        given = f"the kernel has shape {shape}, x has {signal.sizes} samples on its axes"
        remedy = "Give a kernel with a dimension per axis, and at least one and no more taps than samples"
        raise ValueError(refusal("the kernel must fit into x", given, remedy))


def _at_home(signal: Signal, weights: Any) -> Any:
    """The kernel in the library and precision of the signal."""
    given = dtype_name(weights.dtype)
    check_supported(given, "kernel")
    name = complex_of(signal.precision) if is_complex(given) else signal.precision
    return (
        bring_home(weights, signal.home, name) if isinstance(weights, np.ndarray) else cast(signal.home, weights, name)
    )


def _placed(signal: Signal, weights: Any, name: str) -> Any:
    """The kernel with its centre at sample 0 among zeros, as large as `x` on the axes and of size 1 on the others."""
    home, xp, axes = signal.home, signal.xp, signal.axes
    weights = cast(home, weights, name)
    order = sorted(range(len(axes)), key=axes.__getitem__)
    shape = [1] * signal.ndim
    for position in order:
        shape[axes[position]] = weights.shape[position]
    placed = xp.reshape(xp.permute_dims(weights, tuple(order)), tuple(shape))
    for axis, size in zip(axes, signal.sizes, strict=True):
        taps = placed.shape[axis]
        rest = [size - taps if at == axis else length for at, length in enumerate(placed.shape)]
        if rest[axis]:
            zeros = xp.zeros(tuple(rest), dtype=placed.dtype, device=home.device)
            placed = xp.concat([placed, zeros], axis=axis)
        placed = xp.roll(placed, -((taps - 1) // 2), axis=axis)
    return placed
