"""Lengths that transforms are fast at, and the waves that they count."""

from __future__ import annotations

import numpy as np

from gpuconv.core.frequencies import fast_length, nyquist, wavenumbers


def is_smooth(size):
    for prime in (2, 3, 5):
        while size % prime == 0:
            size //= prime
    return size == 1


def test_the_fast_length_is_the_next_even_number_without_large_factors():
    following = None
    for size in range(5000, 1, -1):
        if size % 2 == 0 and is_smooth(size):
            following = size
        if following is not None:
            assert fast_length(size) == following, size
    assert fast_length(1) == 1


def test_long_lengths_do_not_overflow_or_overshoot():
    for size in (2**31 + 1, 10**12 + 1, 2**53 - 1):
        length = fast_length(size)
        assert size <= length < 1.02 * size
        assert length % 2 == 0
        assert is_smooth(length)


def test_wavenumbers_are_those_of_the_transforms_with_nyquist_positive():
    for size in range(1, 12):
        expected = np.fft.fftfreq(size, 1 / size)
        peak = size // 2 if size % 2 == 0 else None
        assert nyquist(size) == peak
        if peak is not None:
            expected[peak] *= -1
        assert np.round(wavenumbers(size), 12).tolist() == np.round(expected, 12).tolist()
        assert wavenumbers(size, half=True).tolist() == wavenumbers(size)[: size // 2 + 1].tolist()
    assert wavenumbers(0).tolist() == wavenumbers(0, half=True).tolist() == []
    assert nyquist(0) is None
