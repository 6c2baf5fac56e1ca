"""The Fourier domain through scipy.fft, which keeps single precision and uses several threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from itertools import accumulate, product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gpuconv.backends.cpu.fourier_pairs import PairedBlocks, source_of
from gpuconv.backends.generic.fourier import BlockTransform, KernelSpectrum, correlate_block, transform_dtype
from gpuconv.backends.generic.windows import window
from gpuconv.backends.threads import thread_count
from gpuconv.core.boundary import Piece, Span, extend_all, pieces
from gpuconv.core.frequencies import blocks_together, in_pairs
from gpuconv.core.namespace import home_of
from gpuconv.core.shapes import blocks, output_shape

# Blocks of fewer samples gain nothing from a second thread (benchmarks, subject "methods").
THREADED_FROM = 65536
# Blocks of several axes that are transformed at a time, or calls with several blocks of one: threads for which
# multiplying and copying have no work to share out have another one. Two of them in place take no more memory than the
# one that plans count.
TILES_AT_ONCE = 2
# Fewer calls than this gain nothing from it.
MANY_CALLS = 8


def _scipy_fft() -> Any:
    """scipy.fft, loaded when the first transform asks for it: direct sums need not wait a tenth of a second."""
    from scipy import fft

    return fft


def workers_for(x: np.ndarray) -> int:
    """Threads that a transform of `x` is worth."""
    return thread_count() if x.size >= THREADED_FROM else 1


@dataclass(frozen=True)
class SciPyTransform(BlockTransform):
    """The generic block transform with scipy.fft in place of numpy.fft; lines are shared out among threads.

    beside: how many blocks are transformed at a time, each with its share of the threads.
    """

    beside: int = 1

    def forward(self, x: np.ndarray) -> np.ndarray:
        scipy_fft = _scipy_fft()
        call = scipy_fft.rfftn if self.is_real else scipy_fft.fftn
        return call(x, s=self.lengths, axes=self.axes, workers=self.workers(x))

    def inverse(self, spectrum: np.ndarray) -> np.ndarray:
        scipy_fft = _scipy_fft()
        call = scipy_fft.irfftn if self.is_real else scipy_fft.ifftn
        return call(spectrum, s=self.lengths, axes=self.axes, workers=self.workers(spectrum), overwrite_x=True)

    def workers(self, x: np.ndarray) -> int:
        """Threads for one transform of `x`."""
        return max(workers_for(x) // self.beside, 1)


def correlate_fourier(
    x: np.ndarray, kernel: np.ndarray, spans: Sequence[Span], cval: Any, lengths: Sequence[int]
) -> np.ndarray:
    """``y[i] = sum_j kernel[j] x~[first + i + j]`` through FFTs of `lengths` samples per axis (overlap-save)."""
    axes = tuple(span.axis for span in spans)
    transform = SciPyTransform(home_of(x), transform_dtype(x, kernel), axes, tuple(lengths))
    sizes = [length - span.taps + 1 for length, span in zip(lengths, spans, strict=True)]
    if kernel.dtype.kind in "iu":
        dtype = kernel.dtype
    else:
        dtype = np.result_type(x.dtype, np.complex64) if kernel.dtype.kind == "c" else x.dtype
    result = np.empty(output_shape(x.shape, spans), dtype)
    if _goes_in_pairs(x, transform, kernel) and spans[0].count > sizes[0]:
        PairedBlocks(x, result, kernel, spans[0], cval, replace(transform, axes=(0,))).correlate()
        return result
    spectrum = KernelSpectrum.of(transform, kernel, x.ndim, spans)
    rows = _rows(x, transform, spectrum)
    parts = list(blocks(spans, [size * count for size, count in zip(sizes, rows, strict=True)]))
    several = len(parts) > 1 and prod(lengths) >= THREADED_FROM if len(spans) > 1 else _are_many(parts, rows)
    if several and thread_count() > 1:
        transform = replace(transform, beside=TILES_AT_ONCE)

    def run(part: Sequence[Span]) -> None:
        # No block is bound to a name here: it would stay until the next one is made.
        target = result[_place(part, spans, x.ndim)]
        if len(part) == 1 and part[0].count > sizes[0]:
            correlate_rows(transform, extend_all(home_of(x).xp, x, part, cval), spectrum, part[0], target)
        elif spectrum.imaginary is not None or not correlate_tile(transform, x, spectrum, part, cval, target):
            target[...] = correlate_block(transform, extend_all(home_of(x).xp, x, part, cval), spectrum, part)

    if transform.beside == 1:
        for part in parts:
            run(part)
    else:
        with ThreadPoolExecutor(transform.beside) as pool:
            # Each in a copy of this thread's context, which says how many threads there are and what NumPy warns of.
            for done in [pool.submit(copy_context().run, run, part) for part in parts]:
                done.result()
    return result


def correlate_tile(
    transform: SciPyTransform,
    x: np.ndarray,
    spectrum: KernelSpectrum,
    spans: Sequence[Span],
    cval: Any,
    target: np.ndarray,
) -> bool:
    """One block of `x` in as little memory as can be; False, and nothing done, if its outputs are not finite."""
    spectra = transform.forward(extended_tile(x, spans, transform.lengths, cval).astype(transform.dtype, copy=False))
    spectra *= spectrum.factor
    sums = transform.inverse(spectra)[window(x.ndim, spans, [span.taps - 1 for span in spans])]
    exact = spectrum.kernel.dtype.kind in "iu"
    if not exact and not sum_is_finite(sums):
        return False
    target[...] = np.rint(sums, out=sums).astype(target.dtype) if exact else sums
    return True


def sum_is_finite(sums: np.ndarray) -> bool:
    """True if all are, which is found out in no memory; False, too, where they are so large that their sum is not."""
    return bool(np.isfinite(sums.sum()))


def extended_tile(x: np.ndarray, spans: Sequence[Span], lengths: Sequence[int], cval: Any) -> np.ndarray:
    """What `extend_all` gives, followed by zeros up to `lengths`: a view, or one copy of no more than that."""
    cut = [slice(None)] * x.ndim
    for span in spans:
        cut[span.axis] = slice(span.first, span.first + span.length)
    if all(span.inside for span in spans):
        return x[tuple(cut)]
    shape = list(x.shape)
    for span, length in zip(spans, lengths, strict=True):
        shape[span.axis] = length
    tile = np.zeros(shape, x.dtype)
    for run in product(*(_pairs(span) for span in spans)):
        source = [slice(None)] * x.ndim
        for span, (position, piece) in zip(spans, run, strict=True):
            cut[span.axis] = slice(position, position + piece.count)
            source[span.axis] = source_of(piece)
        beyond = any(piece.start is None for _, piece in run)
        tile[tuple(cut)] = cval if beyond else x[tuple(source)]
    return tile


def _pairs(span: Span) -> list[tuple[int, Piece]]:
    """Where each piece of an extended axis begins on it, and the piece."""
    found = pieces(span.boundary, span.size, span.first, span.first + span.length)
    return list(zip(accumulate((piece.count for piece in found), initial=0), found, strict=False))


def _place(part: Sequence[Span], spans: Sequence[Span], ndim: int) -> tuple[slice, ...]:
    """Where the outputs of a part of `spans` stand in the result."""
    place = [slice(None)] * ndim
    for span, whole in zip(part, spans, strict=True):
        start = span.first - whole.first
        place[span.axis] = slice(start, start + span.count)
    return tuple(place)


def _goes_in_pairs(x: np.ndarray, transform: SciPyTransform, kernel: np.ndarray) -> bool:
    if len(transform.axes) > 1 or (kernel.dtype.kind == "c" and transform.is_real):
        return False
    return in_pairs(_lines(x, transform), transform.lengths[0])


def _lines(x: np.ndarray, transform: SciPyTransform) -> int:
    """How many lines of `x` lie along the one axis that is transformed."""
    return max(x.size // max(x.shape[transform.axes[0]], 1), 1)


def _are_many(parts: list[tuple[Span, ...]], rows: list[int]) -> bool:
    """Whether calls with several blocks of one axis are so many that two at a time are faster."""
    return rows[0] > 1 and len(parts) >= MANY_CALLS


def _rows(x: np.ndarray, transform: SciPyTransform, spectrum: KernelSpectrum) -> list[int]:
    """How many blocks per axis are transformed in one call: several where there is one axis."""
    if len(transform.axes) > 1 or spectrum.imaginary is not None:
        return [1] * len(transform.axes)
    return [blocks_together(_lines(x, transform), transform.lengths[0])]


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
    workers = transform.workers(rows)
    spectra = forward(rows, axis=-1, workers=workers)
    spectra *= spectrum.factor.ravel()
    sums = inverse(spectra, length, axis=-1, workers=workers, overwrite_x=True)[..., span.taps - 1 :]
    whole = rows.shape[-2] * size
    exact = spectrum.kernel.dtype.kind in "iu"
    if not exact and not sum_is_finite(sums):
        whole = 0  # block by block it is found out which samples are not finite, or too large
    else:
        # A view, as the blocks of each line stand one behind the other.
        outputs = np.moveaxis(target, axis, -1)[..., :whole].reshape(sums.shape)
        outputs[...] = np.rint(sums, out=sums) if exact else sums
    for start in range(whole, span.count, size):
        count = min(size, span.count - start)
        part = Span(axis, extended.shape[axis], span.taps, start, count, "constant")
        block = extended[(slice(None),) * axis + (slice(start, start + count + span.taps - 1),)]
        place = (slice(None),) * axis + (slice(start, start + count),)
        target[place] = correlate_block(transform, block, spectrum, (part,))
