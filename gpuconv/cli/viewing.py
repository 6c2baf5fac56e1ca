"""Results of filters as 8-bit numbers to look at."""

from __future__ import annotations

import numpy as np

from gpuconv.cli.filtering import Clipping


def displayed(values: np.ndarray, kernel: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Filtered samples of a photo of `dtype` as 8-bit numbers to look at.

    Kernels whose weights sum to nearly 0 answer with both signs: 0 becomes mid-grey, and the size that one sample in 50
    exceeds becomes black or white. Others answer in the numbers of the photo, and are only clipped.
    """
    clipping = Clipping(np.dtype(np.uint8))
    # Gabor kernels sum to a few thousandths, because their wave starts anywhere under the Gaussian.
    if abs(kernel.sum()) > 0.05 * abs(kernel).sum():
        return clipping(values * (255 / np.iinfo(dtype).max))
    exceeded = float(np.percentile(abs(values), 98)) or 1.0
    return clipping(127.5 + values * (127.5 / exceeded))


def reduced(samples: np.ndarray) -> np.ndarray:
    """At most about 512 pixels across, which is more than a cell of a sheet shows; means of whole blocks."""
    block = max(1, max(samples.shape[:2]) // 512)
    rows, columns = samples.shape[0] // block * block, samples.shape[1] // block * block
    cut = samples[:rows, :columns].reshape(rows // block, block, columns // block, block, *samples.shape[2:])
    return np.rint(cut.mean(axis=(1, 3))).astype(np.uint8)
