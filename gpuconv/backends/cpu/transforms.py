"""Whole transforms through scipy.fft, which keeps single precision and uses several threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.backends.cpu.fourier import workers_for


def fourier_forward(x: np.ndarray, axes: tuple[int, ...], lengths: tuple[int, ...]) -> np.ndarray:
    """``X[k] = sum_n x[n] exp(-2 pi i k n / N)`` over `axes`; of real x, half of the last axis."""
    from scipy import fft

    call = fft.fftn if x.dtype.kind == "c" else fft.rfftn
    return call(x, s=lengths, axes=axes, workers=workers_for(x))


def fourier_inverse(spectrum: np.ndarray, axes: tuple[int, ...], lengths: tuple[int, ...], dtype: str) -> np.ndarray:
    """The inverse of `fourier_forward`: `lengths` are the samples of the result, `dtype` is real or complex."""
    from scipy import fft

    call = fft.ifftn if np.dtype(dtype).kind == "c" else fft.irfftn
    return call(spectrum, s=lengths, axes=axes, workers=workers_for(spectrum)).astype(dtype, copy=False)


def cosine_transform(x: np.ndarray, axis: int, kind: str, inverse: bool) -> np.ndarray:
    """Orthonormal DCT-II or DST-II along one axis, or the inverse."""
    from scipy import fft

    call: Any = {"dct": (fft.dct, fft.idct), "dst": (fft.dst, fft.idst)}[kind][inverse]
    return call(x, type=2, axis=axis, norm="ortho", workers=workers_for(x))
