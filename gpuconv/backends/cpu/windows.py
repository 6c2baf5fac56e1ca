"""Over N-D windows: SciPy's compiled loop for small work, compiled loops of ours or NumPy slices for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cpu import compiled, originals
from gpuconv.backends.cpu.stored import brought, rounded
from gpuconv.backends.generic.windows import taps_of, taps_per_partial_sum
from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.namespace import home_of
from gpuconv.core.shapes import kernel_shape_among, output_shape

# 64 Ki samples: of 8, 16, 32 and 64 Ki the fastest for float32 and float64 images of 256^2 to 2048^2 on a core with
# 1 MiB of second-level cache (benchmarks, subject "methods").
TILE_ELEMENTS = 65536
# Below this many products SciPy's loop wins by its short start. Just above, at 5x5 taps and more, it still would (twice
# as fast for 64x64 by 7x7); at 256x256 by 3x3 slices are 1.6 times as fast in float32 (border SCIPY_WORK there).
SCIPY_WORK = 200_000


def correlate_windows(
    x: np.ndarray, kernel: np.ndarray, spans: Sequence[Span], cval: Any, result: str | None = None
) -> np.ndarray:
    """``y[i] = sum_j kernel[j] x~[first + i + j]`` with i and j over the axes of `spans`."""
    if why_not_compiled(x, kernel, spans) is None:
        from gpuconv.backends.cpu.windows_dense import correlate_dense

        return rounded(correlate_dense(x, kernel, spans, cval, result), result)
    x = brought(x, compiled.working_dtype(x.dtype, kernel.dtype))
    return rounded(correlate_small(x, kernel, spans, cval), result)


def correlate_small(x: np.ndarray, kernel: np.ndarray, spans: Sequence[Span], cval: Any) -> np.ndarray:
    """All work on SciPy's loop where that meets the definition, else on slices."""
    if x.size * kernel.size <= SCIPY_WORK and scipy_meets_definition(x, kernel, spans, cval):
        origins = [0] * x.ndim
        for span in spans:
            origins[span.axis] = -span.first - span.taps // 2
        weights = kernel.reshape(kernel_shape_among(x.ndim, spans))
        output = np.empty(x.shape, x.dtype)
        return originals.ndimage_correlate(x, weights, output=output, mode=spans[0].boundary, cval=cval, origin=origins)
    return correlate_slices(x, kernel, spans, cval)


def why_not_compiled(x: np.ndarray, kernel: np.ndarray, spans: Sequence[Span]) -> str | None:
    """Why compiled loops do not do this; None if they do."""
    if not 2 <= len(spans) <= 3:
        return f"compiled loops go over windows of two or three axes, these have {len(spans)}"
    work = prod(output_shape(x.shape, spans)) * kernel.size
    return compiled.why_not(work, compiled.working_dtype(x.dtype, kernel.dtype))


def scipy_meets_definition(x: np.ndarray, kernel: np.ndarray, spans: Sequence[Span], cval: Any) -> bool:
    """Where SciPy's N-D loop gives the definition (1.17.1).

    It sums in double precision (so no 64-bit integers), reads out of bounds when the reach is long against the axis,
    drops weights below double epsilon, and takes one boundary for all axes.
    """
    if x.dtype.name not in ("float32", "float64", "int32") or kernel.dtype.kind == "c":
        return False
    for span in spans:
        if span.boundary != spans[0].boundary or span.count != span.size or span.taps > span.size:
            return False
        if not -span.taps < span.first <= 0:
            return False
    return _are_kept(kernel.tobytes(), kernel.dtype)


@lru_cache(maxsize=256)  # of a few weights, what is done here takes as long as SciPy's loop on a small image
def _are_kept(weights: bytes, dtype: np.dtype) -> bool:
    """Whether SciPy's loop drops none of them but zeros."""
    magnitude = np.abs(np.frombuffer(weights, dtype))
    return bool(np.all((magnitude > 1e-15) | (magnitude == 0)))


def correlate_slices(x: np.ndarray, kernel: np.ndarray, spans: Sequence[Span], cval: Any) -> np.ndarray:
    """One multiply-add of a shifted view per tap, over tiles of the output small enough to stay in cache."""
    extended = extend_all(home_of(x).xp, x, spans, cval)
    dtype = x.dtype if kernel.dtype.kind != "c" else np.result_type(x.dtype, np.complex64)
    result = np.zeros(output_shape(x.shape, spans), dtype)
    taps = list(taps_of(kernel))
    tile_shape = _tile(result.shape)
    scratch = np.empty((2, prod(tile_shape)), dtype)
    together = taps_per_partial_sum(kernel)
    for corner in product(*(range(0, size, step) for size, step in zip(result.shape, tile_shape, strict=True))):
        tile = result[tuple(slice(start, start + step) for start, step in zip(corner, tile_shape, strict=True))]
        term = scratch[0, : tile.size].reshape(tile.shape)
        partial = scratch[1, : tile.size].reshape(tile.shape)
        for position, (offsets, tap) in enumerate(taps):
            start = list(corner)
            for span, offset in zip(spans, offsets, strict=True):
                start[span.axis] += offset
            view = extended[tuple(slice(low, low + size) for low, size in zip(start, tile.shape, strict=True))]
            if position % together:
                np.multiply(view, tap, out=term)
                np.add(partial, term, out=partial)
                continue
            if position:
                np.add(tile, partial, out=tile)
            np.multiply(view, tap, out=partial)
        if taps:
            np.add(tile, partial, out=tile)
    return result


def _tile(shape: Sequence[int]) -> tuple[int, ...]:
    """Whole last axes as far as TILE_ELEMENTS go, then a part of the next one, then single samples."""
    tile = []
    room = TILE_ELEMENTS
    for size in reversed(shape):
        step = max(1, min(size, room))
        tile.append(step)
        room //= step
    return tuple(reversed(tile))
