"""Matrix products small enough for one thread, many at a time on threads of our own.

The libraries behind NumPy (BLAS) have threads of their own. Two pools at once wait for each other, and one product on
BLAS's threads was slower here than many on ours: 64 x 288 by 288 x 256 in float32 67e9 multiply-adds a second on two
cores, its pieces of 64 x 64 by 64 x 64 144e9. OpenBLAS does a product of up to 2^18 multiply-adds on the thread that
calls it, without asking for a lock. So larger ones are cut into pieces of that size, which also cuts long sums into
partial ones and keeps the documented bound; and neither the threads of BLAS nor ours show in the bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from gpuconv.backends.threads import thread_count

# Multiply-adds of a product that OpenBLAS does on the calling thread (interface/gemm.c: SMP_THRESHOLD_MIN times
# GEMM_MULTITHREAD_THRESHOLD, 65536 times 4).
LARGEST = 2**18
# Sides of a piece. What is summed in a row is shorter than the others, so that partial sums are.
ROWS, LONGEST = 64, 64
# Multiply-adds from which a second thread is worth its start.
THREADED_FROM = 4_000_000


@dataclass(frozen=True)
class Pieces:
    """How ``(rows x depth) (depth x columns)`` is cut: depth into `parts` of `together`, the others into tiles."""

    rows: int
    together: int
    columns: int
    row_tiles: int
    parts: int

    @classmethod
    def of(cls, rows: int, depth: int) -> Pieces:
        """With b products in a row and m such sums none is rounded more than ``b + m - 1`` times by half an eps."""
        together = min(depth, LONGEST, 3 * isqrt(max(depth - 1, 0)) + 3)
        parts = -(-depth // together)
        together = -(-depth // parts)
        tiles = -(-rows // ROWS)
        height = -(-rows // tiles)
        columns = max(LARGEST // (height * together) // 16 * 16, 16)
        return cls(height, together, min(columns, 256), tiles, parts)

    def whole_columns(self, columns: int) -> int:
        """As many columns, in whole tiles."""
        return -(-columns // self.columns) * self.columns

    def left(self, matrices: np.ndarray) -> np.ndarray:
        """A stack of matrices (n, rows, depth) as (n, 1, row tiles, parts, rows, together), filled up with zeros."""
        count, rows, depth = matrices.shape
        padded = np.zeros((count, self.row_tiles * self.rows, self.parts * self.together), matrices.dtype)
        padded[:, :rows, :depth] = matrices
        cut = padded.reshape(count, 1, self.row_tiles, self.rows, self.parts, self.together)
        return np.ascontiguousarray(cut.swapaxes(3, 4))

    def product(self, left: np.ndarray, right: np.ndarray, rows: int) -> np.ndarray:
        """`left` (see there) times `right`, (n, parts together, whole columns): (n, rows, whole columns)."""
        count, _, columns = right.shape
        cut = right.reshape(count, self.parts, self.together, columns // self.columns, self.columns)
        cut = cut.transpose(0, 3, 1, 2, 4)[:, :, np.newaxis]
        terms = np.matmul(left, cut)
        sums = terms[:, :, :, 0] if self.parts == 1 else np.add.reduce(terms, axis=3)
        return sums.transpose(0, 2, 3, 1, 4).reshape(count, self.row_tiles * self.rows, columns)[:, :rows]


def run_tasks(task: Callable[[Any], Any], entries: Sequence[Any], products: int) -> list[Any]:
    """``[task(entry) for entry in entries]``, on several threads where so many multiply-adds are worth it."""
    threads = min(thread_count(), len(entries)) if products >= THREADED_FROM else 1
    if threads == 1:
        return [task(entry) for entry in entries]
    with ThreadPoolExecutor(threads) as pool:
        # Each in a copy of this thread's context, which says how many threads there are and what NumPy warns of.
        return [done.result() for done in [pool.submit(copy_context().run, task, entry) for entry in entries]]
