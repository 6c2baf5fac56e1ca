"""The innermost sums, compiled once per dtype and called through their addresses.

Loops around them know samples by their width only, so that there is one of each for all dtypes, and none compiles these
sums again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from gpuconv.backends.cpu.compiling import compiled_address
from gpuconv.backends.cpu.vectors import (
    LINE_VECTORS,
    REGISTER_BYTES,
    ROW_VECTORS,
    ROWS,
    line_sample,
    line_tile,
    line_vector,
    neighbour_tile,
    row_sample,
    row_tile,
    row_vectors,
)

LINE_BYTES = LINE_VECTORS * REGISTER_BYTES
ROW_BYTES = ROW_VECTORS * REGISTER_BYTES


@cache
def addresses(dtype: np.dtype) -> tuple[int, int]:
    """Where `sum_line` and `sum_rows` for samples of `dtype` begin."""
    return compiled_address(_line_sum(dtype), 8, dtype), compiled_address(_row_sum(dtype), 9, dtype)


def _line_sum(kind: Any) -> Callable[..., None]:
    width = kind.itemsize

    def sum_line(
        taps: int, count: int, together: int, destination: int, source: int, step: int, samples: int, adding: int
    ) -> None:
        """``y[i] = sum_j taps[j] s[i + j step / width]`` for neighbouring samples, added to y if `adding`."""
        size = samples * width
        # What is summed twice by tiles that overlap comes out the same; but it may be added once only.
        last = size - LINE_BYTES
        stop = size if last >= 0 and adding == 0 else last + 1
        done = 0
        if step == width:
            while done < stop:
                at = min(done, last)
                neighbour_tile(kind, taps, count, together, destination + at, source + at, step, adding)
                done += LINE_BYTES
        else:
            while done < stop:
                at = min(done, last)
                line_tile(kind, taps, count, together, destination + at, source + at, step, adding)
                done += LINE_BYTES
        last = size - REGISTER_BYTES
        stop = size if last >= 0 and adding == 0 else last + 1
        while done < stop:
            at = min(done, last)
            line_vector(kind, taps, count, together, destination + at, source + at, step, adding)
            done += REGISTER_BYTES
        while done < size:
            line_sample(kind, taps, count, together, destination + done, source + done, step, adding)
            done += width

    return sum_line


def _row_sum(kind: Any) -> Callable[..., None]:
    width = kind.itemsize

    def sum_rows(
        taps: int,
        count: int,
        together: int,
        destination: int,
        pitch: int,
        table: int,
        offset: int,
        samples: int,
        rows: int,
    ) -> None:
        """``y[r, c] = sum_j taps[j] *(table[r + j] + offset + c)`` for `rows` rows, `pitch` bytes apart."""
        size = samples * width
        start = 0
        if rows == ROWS and count >= ROWS and size >= ROW_BYTES:
            while start < size:
                at = min(start, size - ROW_BYTES)
                row_tile(kind, taps, count, together, destination + at, pitch, table, offset + at)
                start += ROW_BYTES
        for r in range(rows):
            write, reads = destination + r * pitch, table + 8 * r
            done = start
            while done < size and size >= ROW_BYTES:
                at = min(done, size - ROW_BYTES)
                row_vectors(kind, taps, count, together, write + at, 0, reads, offset + at)
                done += ROW_BYTES
            while done < size:
                row_sample(kind, taps, count, together, write + done, 0, reads, offset + done)
                done += width

    return sum_rows
