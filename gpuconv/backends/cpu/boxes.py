"""Sums of equal taps by doubling: of 1, 2, 4, 8, ... neighbours, from which any number of them is put together.

``2 log2(taps)`` additions a sample, all of them in vectors, and no subtraction: neither NaN nor rounding travels along
the axis, as they do in a running sum. Block prefix and suffix sums would need three additions, but one sample waits for
the other in them.
"""

from __future__ import annotations

from typing import Any

from gpuconv.backends.cpu.vectors import call_line


def double_up(
    sums: Any, taps: Any, first: int, second: int, step: int, destination: int, pitch: int, rows: int, across: int
) -> None:
    """``y[r, c] = sum_j s[r, c + j step / width]`` for j from 0 to the number of taps, as `rows` rows of `across`.

    `first` holds the samples, already times the tap, row after row; `second` is as large, and both are written over.
    """
    width = sums[2]
    ones = taps[0] + width
    apart = step // width
    total = rows * across + (taps[1] - 1) * apart
    power, offset, rest, adding = 1, 0, taps[1], 0
    while True:
        if rest % 2:
            for r in range(rows):
                read = first + offset * step + r * across * width
                call_line(sums[0], (ones, 1, 1, destination + r * pitch, read, width, across, adding))
            offset, adding = offset + power, 1
        rest //= 2
        if rest == 0:
            return
        total -= power * apart
        call_line(sums[0], (ones, 2, 2, second, first, power * step, total, 0))
        first, second = second, first
        power *= 2
