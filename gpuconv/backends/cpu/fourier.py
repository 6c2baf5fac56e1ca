"""The Fourier domain through scipy.fft, which keeps single precision and uses several threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gpuconv.backends.generic.fourier import BlockTransform, KernelSpectrum, correlate_block, transform_dtype
from gpuconv.backends.threads import thread_count
from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.frequencies import blocks_together
from gpuconv.core.namespace import home_of
from gpuconv.core.shapes import blocks, output_shape

# Blocks of fewer samples gain nothing from a second thread (benchmarks, subject "methods").
THREADED_FROM = 65536


def _scipy_fft() -> Any:
    """scipy.fft, loaded when the first transform asks for it: direct sums need not wait a tenth of a second."""
    from scipy import fft

    return fft


def workers_for(x: np.ndarray) -> int:
    """Threads that a transform of `x` is worth."""
    return thread_count() if x.size >= THREADED_FROM else 1


@dataclass(frozen=True)
class SciPyTransform(BlockTransform):
    """The generic block transform with scipy.fft in place of numpy.fft; lines are shared out among threads."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        scipy_fft = _scipy_fft()
        call = scipy_fft.rfftn if self.is_real else scipy_fft.fftn
        return call(x, s=self.lengths, axes=self.axes, workers=workers_for(x))

    def inverse(self, spectrum: np.ndarray) -> np.ndarray:
        scipy_fft = _scipy_fft()
        call = scipy_fft.irfftn if self.is_real else scipy_fft.ifftn
        return call(spectrum, s=self.lengths, axes=self.axes, workers=workers_for(spectrum), overwrite_x=True)


def correlate_fourier(
    x: np.ndarray, kernel: np.ndarray, spans: Sequence[Span], cval: Any, lengths: Sequence[int]
) -> np.ndarray:
    """``y[i] = sum_j kernel[j] x~[first + i + j]`` through FFTs of `lengths` samples per axis (overlap-save)."""
    axes = tuple(span.axis for span in spans)
    transform = SciPyTransform(home_of(x), transform_dtype(x, kernel), axes, tuple(lengths))
    spectrum = KernelSpectrum.of(transform, kernel, x.ndim, spans)
    sizes = [length - span.taps + 1 for length, span in zip(lengths, spans, strict=True)]
    if kernel.dtype.kind in "iu":
        dtype = kernel.dtype
    else:
        dtype = np.result_type(x.dtype, np.complex64) if kernel.dtype.kind == "c" else x.dtype
    result = np.empty(output_shape(x.shape, spans), dtype)
    for part in blocks(spans, [size * rows for size, rows in zip(sizes, _rows(x, transform, spectrum), strict=True)]):
        # No block is bound to a name here: it would stay until the next one is made.
        place = _place(part, spans, x.ndim)
        _correlate_into(result[place], transform, extend_all(home_of(x).xp, x, part, cval), spectrum, part)
    return result


def _correlate_into(
    target: np.ndarray, transform: SciPyTransform, extended: np.ndarray, spectrum: KernelSpectrum, part: Sequence[Span]
) -> None:
    """One block, or several of one axis."""
    if len(part) == 1 and part[0].count > transform.lengths[0] - part[0].taps + 1:
        correlate_rows(transform, extended, spectrum, part[0], target)
    else:
        target[...] = correlate_block(transform, extended, spectrum, part)


def _place(part: Sequence[Span], spans: Sequence[Span], ndim: int) -> tuple[slice, ...]:
    """Where the outputs of a part of `spans` stand in the result."""
    place = [slice(None)] * ndim
    for span, whole in zip(part, spans, strict=True):
        start = span.first - whole.first
        place[span.axis] = slice(start, start + span.count)
    return tuple(place)


def _rows(x: np.ndarray, transform: SciPyTransform, spectrum: KernelSpectrum) -> list[int]:
    """How many blocks per axis are transformed in one call: several where there is one axis."""
    if len(transform.axes) > 1 or spectrum.imaginary is not None:
        return [1] * len(transform.axes)
    lines = max(x.size // max(x.shape[transform.axes[0]], 1), 1)
    return [blocks_together(lines, transform.lengths[0])]


def correlate_rows(
    transform: SciPyTransform, extended: np.ndarray, spectrum: KernelSpectrum, span: Span, target: np.ndarray
) -> None:
    """Several blocks of one axis, as rows of a view in which they overlap, transformed and multiplied in one go."""
    (length,), axis = transform.lengths, span.axis
    size = length - span.taps + 1
    lines = np.moveaxis(extended, axis, -1).astype(transform.dtype, copy=False)
    rows = sliding_window_view(lines, length, axis=-1)[..., ::size, :]
    scipy_fft = _scipy_fft()
    forward, inverse = (scipy_fft.rfft, scipy_fft.irfft) if transform.is_real else (scipy_fft.fft, scipy_fft.ifft)
    workers = workers_for(rows)
    spectra = forward(rows, axis=-1, workers=workers)
    spectra *= spectrum.factor.ravel()
    sums = inverse(spectra, length, axis=-1, workers=workers, overwrite_x=True)[..., span.taps - 1 :]
    whole = rows.shape[-2] * size
    exact = spectrum.kernel.dtype.kind in "iu"
    if not exact and not np.isfinite(sums[..., 0]).all():
        whole = 0  # block by block it is found out which samples are not finite, or too large
    else:
        outputs = np.moveaxis(target, axis, -1)
        sums = sums.reshape(*sums.shape[:-2], whole)
        outputs[..., :whole] = np.rint(sums, out=sums).astype(target.dtype) if exact else sums
    for start in range(whole, span.count, size):
        count = min(size, span.count - start)
        part = Span(axis, extended.shape[axis], span.taps, start, count, "constant")
        block = extended[(slice(None),) * axis + (slice(start, start + count + span.taps - 1),)]
        place = (slice(None),) * axis + (slice(start, start + count),)
        target[place] = correlate_block(transform, block, spectrum, (part,))
