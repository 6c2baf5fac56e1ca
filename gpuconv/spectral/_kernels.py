"""From a kernel to its transfer function, and from a transfer function to its kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import check_supported, complex_of
from gpuconv.core.namespace import Home, cast, dtype_name, read_image, to_numpy
from gpuconv.methods import transform
from gpuconv.spectral._signal import read_spacing
from gpuconv.spectral._transfer import TransferFunction, check_transfer, read_shape


@dataclass(frozen=True, repr=False, eq=False)
class KernelTransfer(TransferFunction):
    """``H(f) = sum_m k[m] exp(-2 pi i f (m - c) spacing)``, c the kernel's centre."""

    kernel: np.ndarray
    spacings: tuple[float, ...]

    def __post_init__(self) -> None:
        kernel = self.kernel
        odd = all(size % 2 for size in kernel.shape)
        flips = [np.flip(kernel, axis) for axis in range(kernel.ndim)]
        object.__setattr__(self, "ndim", kernel.ndim)
        object.__setattr__(self, "is_hermitian", kernel.dtype.kind != "c")
        object.__setattr__(self, "is_even", odd and all(np.array_equal(kernel, flip) for flip in flips))

    def evaluate(self, home: Home, frequencies: Sequence[Any]) -> Any:
        values = self._sum(home, self.kernel, frequencies, self.spacings)
        return home.xp.real(values) if self.is_even and self.is_hermitian else values

    def _sum(self, home: Home, kernel: np.ndarray, frequencies: Sequence[Any], spacings: Sequence[float]) -> Any:
        """One axis after another, so that only the first one's waves are as many as the kernel's samples."""
        f = cast(home, frequencies[0], complex_of(dtype_name(frequencies[0].dtype)))
        centre = (kernel.shape[0] - 1) // 2
        total = f * 0.0
        for m, weights in enumerate(kernel):
            if not weights.any():
                continue
            rest = complex(weights) if kernel.ndim == 1 else self._sum(home, weights, frequencies[1:], spacings[1:])
            total = total + home.xp.exp(f * (-2j * np.pi * spacings[0] * (m - centre))) * rest
        return total

    def __str__(self) -> str:
        return f"kernel_transfer(kernel of shape {self.kernel.shape})"


def kernel_transfer(kernel: Any, *, spacing: float | Sequence[float] = 1.0) -> TransferFunction:
    """The transfer function of a kernel: ``H(f) = sum_m k[m] exp(-2 pi i f (m - c) spacing)``.

    ``apply(x, kernel_transfer(kernel))`` is ``convolve(x, kernel, boundary="wrap")``.

    Parameters
    ----------
    kernel : array
        Weights, centred at ``c = (K - 1)//2`` as those of `convolve`; real, integer or complex. It is read.
    spacing : float or sequence of float
        Distance of two weights, one or one per axis.

    Returns
    -------
    TransferFunction
        For as many axes as the kernel has.

    Raises
    ------
    TypeError
        If the kernel's values do not exist yet (under jit), or its dtype is not supported.
    ValueError
        If the kernel is empty.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> transfer = spectral.kernel_transfer([0.25, 0.5, 0.25])
    >>> print(transfer([0.0, 0.25, 0.5]).round(12).tolist())
    [1.0, 0.5, 0.0]
    """
    kernel, home = read_image(kernel, "kernel")
    check_supported(dtype_name(kernel.dtype), "kernel")
    if home.traced:
        remedy = "Make the transfer function outside of the compiled function"
        raise TypeError(refusal("a transfer function needs a kernel whose values exist", "it is traced", remedy))
    weights = to_numpy(kernel)
    if weights.size == 0 or weights.ndim == 0:
        given = f"its shape is {weights.shape}"
        raise ValueError(refusal("kernel needs an axis, and a weight", given, "Give at least one weight"))
    weights = weights.astype(np.complex128 if weights.dtype.kind == "c" else np.float64)
    return KernelTransfer(weights, read_spacing(spacing, weights.ndim))


def spatial_kernel(
    transfer: TransferFunction, shape: int | Sequence[int], *, spacing: float | Sequence[float] = 1.0
) -> np.ndarray:
    """The kernel of a transfer function: ``k[m] = sum_j H(f_j) exp(2 pi i f_j (m - c)) / N``.

    The kernel of arrays of this shape: ``convolve(x, kernel, boundary="wrap")`` is ``apply(x, transfer)``. A kernel
    of another shape is that of other arrays; the smoother H is, the less that matters.

    Parameters
    ----------
    transfer : TransferFunction
    shape : int or sequence of int
        Of the kernel, and of the arrays that it filters.
    spacing : float or sequence of float
        Distance of two weights, one or one per axis.

    Returns
    -------
    numpy.ndarray
        float64, or complex128 if H is not Hermitian; centred at ``c = (K - 1)//2``.

    Raises
    ------
    TypeError
        If `transfer` is no transfer function, or the shape is not of whole numbers.
    ValueError
        If the shape does not fit the transfer function.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> kernel = spectral.spatial_kernel(spectral.lowpass(0.1, "gaussian"), 9)
    >>> kernel.shape, round(kernel.sum().item(), 12), kernel.argmax().item()
    ((9,), 1.0, 4)
    """
    sizes = read_shape(shape)
    check_transfer(transfer, len(sizes))
    half = transfer.is_hermitian
    values = transfer.sampled(sizes, spacing=spacing, half=half)
    axes = tuple(range(len(sizes)))
    kernel = transform.inverse(values.astype(np.complex128), axes, sizes, "float64" if half else "complex128")
    return np.roll(kernel, [(size - 1) // 2 for size in sizes], axes)
