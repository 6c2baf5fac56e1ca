"""The Fourier domain through scipy.fft, which keeps single precision and uses several threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.backends.generic.fourier import BlockTransform, KernelSpectrum, correlate_block, transform_dtype
from gpuconv.backends.threads import thread_count
from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.namespace import home_of
from gpuconv.core.shapes import blocks, output_shape

# Blocks of fewer samples gain nothing from a second thread (benchmarks, subject "methods").
THREADED_FROM = 65536


def _scipy_fft() -> Any:
    """scipy.fft, loaded when the first transform asks for it: direct sums need not wait a tenth of a second."""
    from scipy import fft

    return fft


@dataclass(frozen=True)
class SciPyTransform(BlockTransform):
    """The generic block transform with scipy.fft in place of numpy.fft; lines are shared out among threads."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        scipy_fft = _scipy_fft()
        call = scipy_fft.rfftn if self.is_real else scipy_fft.fftn
        return call(x, s=self.lengths, axes=self.axes, workers=self._workers(x))

    def inverse(self, spectrum: np.ndarray) -> np.ndarray:
        scipy_fft = _scipy_fft()
        call = scipy_fft.irfftn if self.is_real else scipy_fft.ifftn
        return call(spectrum, s=self.lengths, axes=self.axes, workers=self._workers(spectrum), overwrite_x=True)

    def _workers(self, x: np.ndarray) -> int:
        return thread_count() if x.size >= THREADED_FROM else 1


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
    for part in blocks(spans, sizes):
        place = [slice(None)] * x.ndim
        for span, whole in zip(part, spans, strict=True):
            start = span.first - whole.first
            place[span.axis] = slice(start, start + span.count)
        result[tuple(place)] = correlate_block(transform, extend_all(home_of(x).xp, x, part, cval), spectrum, part)
    return result
