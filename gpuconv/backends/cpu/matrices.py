"""Small images under an outer product as two matrix products, ``A x B^T``: every boundary is in the matrices.

A and B hold a line of taps in every row, and zeros. Products with zeros cost less than what a loop over short lines
starts with: 64^2 samples take as long as with 5 taps in SciPy's loops, and the same with 65. All is summed in double
precision and rounded to single precision once, so that neither BLAS nor the order of its sums shows in more than the
last bit of a sum that lies between two results. (Double precision itself would be summed in more roundings in a row
than the documented bound has.)

A sample that is not finite would meet the zeros, and spread: such images are left to loops, which meet taps alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np

from gpuconv.backends.cpu.products import LARGEST
from gpuconv.backends.cpu.stored import Loop
from gpuconv.core.boundary import Span, source_indices
from gpuconv.core.rounding import quiet

# Taps along both axes from which products are faster than SciPy's loops. Microseconds of one processor, float32, 3+3,
# 5+5 and 17+17 symmetric taps: 16^2 3.3, loops 3.6, 3.9 and 5.7; 32^2 5.6, loops 7.4, 8.1 and 15.6; 64^2 21, loops 30,
# 31 and 66.
FEWEST_TAPS = 10


def why_not(shape: tuple[int, ...], dtype: np.dtype, bank: Sequence[Any], spans: Sequence[Span]) -> str | None:
    """Why two matrix products do not do this, summed in `dtype`; None if they do."""
    if dtype != np.float32 or any(taps.dtype.kind == "c" for taps in bank):
        return f"matrices are summed in double precision for results in float32, these are {dtype.name}"
    if len(shape) != 2 or len(spans) != 2:
        return f"there is a matrix for each of two axes, these are {len(spans)} of {len(shape)}"
    if sum(taps.size for taps in bank) < FEWEST_TAPS:
        return f"fewer than {FEWEST_TAPS} taps are faster in loops"
    (rows, columns), (between, beside) = shape, (span.count for span in sorted(spans, key=lambda span: span.axis))
    if max(between * rows * columns, between * columns * beside) > LARGEST:
        return f"a product of more than {LARGEST} multiply-adds is no small one"
    if not all(np.isfinite(taps).all() for taps in bank):
        return "taps that are not finite would meet the zeros beside them"
    return None


def matrix(taps: np.ndarray, span: Span) -> np.ndarray:
    """(outputs, samples): ``sum_j taps[j] x~[first + i + j]`` without the fill value's part."""
    return _matrix(taps.astype(np.float64).tobytes(), span)


@lru_cache(maxsize=64)  # of 32 KiB each at 64 samples; blocks of larger arrays have the same ones
def _matrix(taps: bytes, span: Span) -> np.ndarray:
    positions = span.first + np.arange(span.count)[:, np.newaxis] + np.arange(span.taps)
    outputs = np.broadcast_to(np.arange(span.count)[:, np.newaxis], positions.shape)
    weights = np.broadcast_to(np.frombuffer(taps), positions.shape)
    sources = positions
    if span.boundary != "constant":
        sources = source_indices(span.boundary, span.size, positions)
    inside = (sources >= 0) & (sources < span.size)
    found = np.zeros((span.count, span.size))
    np.add.at(found, (outputs[inside], sources[inside]), weights[inside])
    found.flags.writeable = False
    return found


def product_loop(bank: Sequence[np.ndarray], spans: Sequence[Span], otherwise: Loop) -> Loop:
    """A function ``(x, cval)`` for a fill value of zero; `otherwise` is for images that are not finite."""
    by_axis = sorted(zip(bank, spans, strict=True), key=lambda line: line[1].axis)
    left, right = (matrix(taps, span) for taps, span in by_axis)
    right = right.T

    def loop(x: np.ndarray, cval: Any) -> np.ndarray:
        y = np.dot(np.dot(left, x.astype(np.float64, order="C")), right)
        samples = y.reshape(-1)
        # Any sample that is not finite is in its whole row and column by now.
        return y.astype(np.float32) if isfinite(np.dot(samples, samples)) else otherwise(x, cval)

    return quiet(loop)
