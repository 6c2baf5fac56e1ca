"""What kernels are put together with: products of taps, a common centre, the dtype of whole numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from gpuconv.kernels._arguments import check_count


def outer(taps: Sequence[Any]) -> np.ndarray:
    """The separable kernel ``k[i, j, ...] = taps[0][i] taps[1][j] ...``."""
    shape = tuple(len(line) for line in taps)
    check_count(math.prod(shape), f"shape {shape}")
    return reduce(np.multiply.outer, [np.asarray(line) for line in taps])


def whole_numbers(weights: np.ndarray) -> np.ndarray:
    """Whole weights as int16, or int64 where they do not fit.

    The dtype of an exact convolution follows from the dtypes: with int16 weights an 8-bit image gives int32, with
    int64 weights it would give int64. int8 would hold most kernels too, and overflow when a user scales one by 20.
    """
    limits = np.iinfo(np.int16)
    fits = limits.min <= weights.min() and weights.max() <= limits.max
    return weights.astype(np.int16 if fits else np.int64)


def impulse(shape: tuple[int, ...]) -> np.ndarray:
    """One in the middle of zeros, int64; every size is odd."""
    check_count(math.prod(shape), f"shape {shape}")
    weights = np.zeros(shape, dtype=np.int64)
    weights[tuple(size // 2 for size in shape)] = 1
    return weights


def total(kernels: Sequence[np.ndarray]) -> np.ndarray:
    """The sum of kernels of odd sizes, laid centre upon centre."""
    shape = tuple(np.max([kernel.shape for kernel in kernels], axis=0).tolist())
    sum_of_all = np.zeros(shape, dtype=np.result_type(*kernels))
    for kernel in kernels:
        window = tuple(
            slice((size - own) // 2, (size + own) // 2) for size, own in zip(shape, kernel.shape, strict=True)
        )
        sum_of_all[window] += kernel
    return sum_of_all
