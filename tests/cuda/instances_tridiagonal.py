"""Calls of the launchers of ``tridiagonal.py`` that ask for every binary of ``tridiagonal.cu``."""

from __future__ import annotations

from collections.abc import Iterator

from gpuconv.backends.cuda import tridiagonal
from gpuconv.backends.cuda.launch import Launch
from tests.cuda.recording import Sketch, recorded


def launches() -> Iterator[Launch]:
    """Every dtype of right-hand sides with real and complex diagonals, both kernels."""
    for right in tridiagonal.DTYPES:
        for band in tridiagonal.DTYPES:
            for shape, axis in (((100, 100), -1), ((100, 10_000), -2)):
                bands = [Sketch.of(shape, band)] * 3
                yield from recorded(tridiagonal.solve_tridiagonal, Sketch.of(shape, right), *bands, axis)
