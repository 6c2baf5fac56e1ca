"""Lengths that transforms are fast at."""

from __future__ import annotations

from gpuconv.core.frequencies import fast_length


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
