"""Sizes and wavenumbers in the Fourier domain."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4096)
def fast_length(size: int) -> int:
    """Smallest even number >= size whose only prime factors are 2, 3 and 5 (1 for size 1).

    Every FFT library is at its fastest there; even, because real transforms halve the last axis.
    """
    if size <= 1:
        return 1
    best = 1 << (size - 1).bit_length()
    fives = 2
    while fives < best:
        threes = fives
        while threes < best:
            # threes * 2**k is the smallest multiple by a power of two that reaches size.
            quotient = -(-size // threes)
            best = min(best, threes << max(quotient - 1, 0).bit_length())
            threes *= 3
        fives *= 5
    return best


def wavenumbers(size: int, half: bool = False) -> np.ndarray:
    """Periods per axis of each bin, as whole float64 numbers; the Nyquist bin of an even size counts as positive.

    In the order of FFTs, or, with `half`, of the axis that a real transform halves.
    """
    k = np.arange(size // 2 + 1 if half and size else size, dtype=np.float64)
    return np.where(k > size // 2, k - size, k)


def nyquist(size: int) -> int | None:
    """The bin of an even size whose wave is sampled twice per period, and has no sine; None for odd sizes."""
    return size // 2 if size > 0 and size % 2 == 0 else None


# Samples whose spectra stay in the cache of a CPU until the inverse transform reads them, and lines of which a
# transform does several at a time. 10 million samples under 1025 taps in blocks of 16,384, single precision, two
# threads: 2^16 samples 128 ms, 2^17 65, 2^18 54, 2^19 49, 2^20 52; one block at a time 300.
SAMPLES_TOGETHER = 2**18
LINES_TOGETHER = 4


def blocks_together(lines: int, length: int) -> int:
    """How many blocks of one axis are transformed in one call on a CPU, each of so many lines."""
    return max(SAMPLES_TOGETHER // (lines * length), -(-LINES_TOGETHER // lines))


# Complex samples of paired blocks in one call: few enough to stay in a core's cache, so many that calls cost little;
# and of the blocks that all threads have at a time.
PAIRED_TOGETHER = 2**16
PAIRED_AT_ONCE = 2**20


def in_pairs(lines: int, length: int) -> bool:
    """Whether blocks of one axis are transformed in pairs on a CPU (`backends/cpu/fourier_pairs.py`).

    They are where a call has work for one thread only: scipy.fft gives four lines, its least, to one alone. 10 million
    samples in single precision, two threads, against calls of several blocks: under 65,537 taps 109 ms for 250 ms,
    under 1025 taps 95 ms for 95 ms, with more work of the processor.
    """
    return lines * blocks_together(lines, length) < 2 * LINES_TOGETHER and lines < LINES_TOGETHER


def pairs_together(length: int) -> int:
    """How many complex blocks of one axis, each of two real ones, are transformed in one call."""
    return max(PAIRED_TOGETHER // length, 1)


def calls_at_once(length: int) -> int:
    """The largest number of such calls at a time: two, or as many as memory is set aside for."""
    return max(PAIRED_AT_ONCE // (length * pairs_together(length)), 2)
