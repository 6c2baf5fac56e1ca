"""The Fourier domain. The only generic code that calls an FFT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpuconv.backends.generic.nonfinite import all_finite, mark_nonfinite, split_finite
from gpuconv.backends.generic.windows import window
from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.dtypes import complex_of, is_complex, is_integer, real_of
from gpuconv.core.namespace import Home, bring_home, cast, dtype_name, home_of, is_lazy
from gpuconv.core.shapes import blocks, kernel_shape_among


def correlate_fourier(x: Any, kernel: Any, spans: Sequence[Span], cval: Any, lengths: Sequence[int]) -> Any:
    """``y[i] = sum_j kernel[j] x~[first + i + j]`` through FFTs of `lengths` samples per axis (overlap-save).

    An integer kernel says that the result is to be of its dtype, exactly: blocks go through double precision and are
    rounded. The caller has made sure that this is exact.

    The outputs are cut into blocks of ``lengths - taps + 1``; a block that covers everything is the plain FFT
    method. Samples beyond the ends of an axis are made per block; no padded copy of the whole exists.
    """
    home = home_of(x)
    if not isinstance(kernel, np.ndarray) and home_of(kernel).traced:  # then the products are, whatever x is
        home = replace(home, traced=True)
    dtype = transform_dtype(x, kernel)
    transform = BlockTransform(home, dtype, tuple(span.axis for span in spans), tuple(lengths))
    spectrum = KernelSpectrum.of(transform, kernel, x.ndim, spans)
    sizes = [length - span.taps + 1 for length, span in zip(lengths, spans, strict=True)]
    results = [
        correlate_block(transform, extend_all(home.xp, x, part, cval), spectrum, part) for part in blocks(spans, sizes)
    ]
    return _assemble(home.xp, results, spans, sizes)


@dataclass(frozen=True)
class BlockTransform:
    """Forward and inverse transform of one block; real blocks never become complex samples."""

    home: Home
    dtype: str
    axes: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def is_real(self) -> bool:
        return self.dtype in ("float32", "float64")

    def forward(self, x: Any) -> Any:
        fft = self.home.xp.fft
        return (fft.rfftn if self.is_real else fft.fftn)(x, s=self.lengths, axes=self.axes)

    def inverse(self, spectrum: Any) -> Any:
        fft = self.home.xp.fft
        result = (fft.irfftn if self.is_real else fft.ifftn)(spectrum, s=self.lengths, axes=self.axes)
        return cast(self.home, result, self.dtype)


@dataclass(frozen=True)
class KernelSpectrum:
    """Factors that turn a block's spectrum into that of its correlation with `kernel`.

    A real block meets a complex kernel as two real kernels: `imaginary` is the second one's factor, else None.
    """

    kernel: Any
    shape: tuple[int, ...]
    factor: Any
    imaginary: Any = None

    @classmethod
    def of(cls, transform: BlockTransform, kernel: Any, ndim: int, spans: Sequence[Span]) -> KernelSpectrum:
        shape = kernel_shape_among(ndim, spans)
        if transform.is_real and is_complex(dtype_name(kernel.dtype)):
            xp = np if isinstance(kernel, np.ndarray) else transform.home.xp
            parts = (kernel_factor(transform, part, shape) for part in (xp.real(kernel), xp.imag(kernel)))
            return cls(kernel, shape, *parts)
        return cls(kernel, shape, kernel_factor(transform, kernel, shape))

    def support(self, transform: BlockTransform) -> Any:
        """Factor of the kernel's non-zero taps, each counted as one."""
        return kernel_factor(transform, self.kernel != 0, self.shape)


def transform_dtype(x: Any, kernel: Any) -> str:
    """What blocks are transformed in: double precision where the result is to be exact integers."""
    return "float64" if is_integer(dtype_name(kernel.dtype)) else dtype_name(x.dtype)


def kernel_factor(transform: BlockTransform, weights: Any, shape: tuple[int, ...]) -> Any:
    """Spectrum of the reversed weights: times that of x, it gives that of ``sum_j w[j] x[i + j]``, taps - 1 later."""
    home, xp = transform.home, transform.home.xp
    if isinstance(weights, np.ndarray):
        weights = bring_home(weights, home, transform.dtype)
    else:
        weights = cast(home, weights, transform.dtype)
    return transform.forward(xp.reshape(xp.flip(weights), shape))


def correlate_block(transform: BlockTransform, block: Any, spectrum: KernelSpectrum, spans: Sequence[Span]) -> Any:
    """Correlation of one extended block with the kernel, non-finite samples kept inside the footprint."""
    home = transform.home
    block = cast(home, block, transform.dtype)
    kernel_dtype = dtype_name(spectrum.kernel.dtype)
    if is_integer(kernel_dtype):
        result = _multiply_back(transform, transform.forward(block), spectrum, spans)
        return cast(home, home.xp.round(result), kernel_dtype)
    if not is_lazy(home):
        result = _multiply_back(transform, transform.forward(block), spectrum, spans)
        if all_finite(home, result):
            return result
    clean, mask = split_finite(home, block)
    result = _multiply_scaled(transform, clean, spectrum, spans)
    counting = replace(transform, dtype=real_of(transform.dtype))
    hits = counting.inverse(counting.forward(cast(home, mask, counting.dtype)) * spectrum.support(counting))
    return mark_nonfinite(home, result, hits[_outputs(block.ndim, spans)])


def _multiply_scaled(transform: BlockTransform, block: Any, spectrum: KernelSpectrum, spans: Sequence[Span]) -> Any:
    """The same for samples or weights so large that a transform or a product could overflow: scaled down before."""
    xp, kernel = transform.home.xp, spectrum.kernel
    weight = _scale(np if isinstance(kernel, np.ndarray) else xp, kernel, tuple(range(kernel.ndim)), transform.dtype)
    size = _scale(xp, block, transform.axes, transform.dtype)
    scaled = KernelSpectrum.of(transform, kernel / weight, block.ndim, spans)
    result = _multiply_back(transform, transform.forward(block / size), scaled, spans)
    weight = float(weight.item()) if isinstance(kernel, np.ndarray) else xp.reshape(weight, (1,) * block.ndim)
    # The smaller factor first: it cannot overflow where the result does not.
    return result * xp.where(size < weight, size, weight) * xp.where(size < weight, weight, size)


def _scale(xp: Any, x: Any, axes: tuple[int, ...], dtype: str) -> Any:
    """1, or a fixed power of two where samples are so large that sums and products of transforms could overflow.

    Axes stay as axes of one sample. A power of two rounds nothing, and a fixed one has no gradient. With both factors
    below 2^30 (2^400) products of sums over 2^30 samples stay below the largest number.
    """
    limit, factor = (2.0**30, 2.0**98) if real_of(dtype) == "float32" else (2.0**400, 2.0**624)
    if is_complex(dtype_name(x.dtype)):
        magnitude = xp.maximum(xp.abs(xp.real(x)), xp.abs(xp.imag(x)))
    else:
        magnitude = xp.abs(x)
    largest = xp.max(magnitude, axis=axes, keepdims=True)
    return xp.where(largest > limit, xp.full_like(largest, factor), xp.ones_like(largest))


def _multiply_back(transform: BlockTransform, forward: Any, spectrum: KernelSpectrum, spans: Sequence[Span]) -> Any:
    """Spectrum product, inverse transform and crop to the outputs of the block."""
    crop = _outputs(forward.ndim, spans)
    result = transform.inverse(forward * spectrum.factor)[crop]
    if spectrum.imaginary is None:
        return result
    home = transform.home
    imaginary = transform.inverse(forward * spectrum.imaginary)[crop]
    dtype = complex_of(transform.dtype)
    return cast(home, result, dtype) + cast(home, imaginary, dtype) * 1j


def _outputs(ndim: int, spans: Sequence[Span]) -> tuple[slice, ...]:
    """Where a block's outputs stand after the inverse transform: behind what wraps around."""
    return window(ndim, spans, [span.taps - 1 for span in spans])


def _assemble(xp: Any, results: list[Any], spans: Sequence[Span], sizes: Sequence[int]) -> Any:
    """One array from blocks in last-axis-fastest order."""
    for span, size in zip(reversed(spans), reversed(sizes), strict=True):
        along = -(-span.count // size)
        if along > 1:
            results = [
                xp.concat(results[start : start + along], axis=span.axis) for start in range(0, len(results), along)
            ]
    return results[0]
