"""Borders: tile size, where SciPy's loop hands over to slices, where transforms use threads, shortest blocks.

Each is a constant of the code. They are measured by setting it to other values and timing the same convolution; the
figures are times relative to the value that stands there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

import gpuconv
from benchmarks.harness import Effort, time_in_turn
from benchmarks.libraries import wall_clock
from gpuconv.backends.cpu import fourier, windows
from gpuconv.core.remembered import forget
from gpuconv.methods import overlap

EFFORT = Effort(seconds=0.3, fewest=7, most=40)
# Values of a border with everything on one side of it, or on the other.
ALWAYS, NEVER = 0, 2**62


@dataclass(frozen=True)
class Border:
    """A constant, other values for it, and convolutions that it matters to: (shape, kernel, dtype, method)."""

    module: ModuleType
    constant: str
    values: tuple[Any, ...]
    works: tuple[tuple[tuple[int, ...], tuple[int, ...], str, str], ...]


BORDERS = (
    Border(
        windows,
        "TILE_ELEMENTS",
        (8192, 16_384, 32_768, 65_536, 131_072),
        tuple(
            ((size, size), (5, 5), dtype, "direct") for size in (256, 1024, 2048) for dtype in ("float32", "float64")
        ),
    ),
    Border(
        windows,
        "SCIPY_WORK",
        (ALWAYS, NEVER),
        tuple(
            (shape, kernel, dtype, "direct")
            for shape, kernel in (
                ((32, 32), (3, 3)),
                ((64, 64), (7, 7)),
                ((96, 96), (5, 5)),
                ((128, 128), (3, 3)),
                ((256, 256), (3, 3)),
                ((12, 12, 12), (5, 5, 5)),
            )
            for dtype in ("float32", "float64")
        ),
    ),
    Border(
        fourier,
        "THREADED_FROM",
        (ALWAYS, NEVER),
        tuple(
            ((size, size), (17, 17), dtype, "fft")
            for size in (64, 128, 256, 512, 1024)
            for dtype in ("float32", "float64")
        ),
    ),
)


SHORTEST = Border(
    overlap,
    "SHORTEST",
    ({1: 4096, 2: 64, 3: 16}, {1: 8192, 2: 96, 3: 24}, {1: 16384, 2: 128, 3: 32}, {1: 32768, 2: 192, 3: 48}),
    tuple(
        (shape, kernel, dtype, "overlap")
        for shape, kernel in (
            ((300_000,), (65,)),
            ((1_000_000,), (1025,)),
            ((700, 700), (15, 15)),
            ((1000, 1000), (31, 5)),
            ((70, 140, 140), (5, 5, 5)),
            ((100, 100, 100), (9, 9, 9)),
        )
        for dtype in ("float32", "float64")
    ),
)


def measure(patience: float, borders: Sequence[Border] = (*BORDERS, SHORTEST)) -> list[dict[str, Any]]:
    """Per border and convolution: the fastest time with the constant as it is, and relative times with others."""
    rows = []
    for border in borders:
        for shape, kernel, dtype, method in border.works:
            standing = getattr(border.module, border.constant)
            values = [standing, *(value for value in border.values if value != standing)]
            timers = [_timer(border, value, shape, kernel, dtype, method) for value in values]
            fastest = [min(times) for times in time_in_turn(timers, EFFORT.times(patience))]
            rows.append(
                {
                    "constant": border.constant,
                    "standing": standing,
                    "work": f"{'x'.join(map(str, shape))} {dtype}, {'x'.join(map(str, kernel))} taps",
                    "fastest_s": fastest[0],
                    "relative": {_word(value): time / fastest[0] for value, time in zip(values, fastest, strict=True)},
                }
            )
    return rows


def _word(value: Any) -> str:
    """A value of a border as a reader understands it."""
    if isinstance(value, dict):
        return ", ".join(map(str, value.values()))
    return {ALWAYS: "0", NEVER: "infinite"}.get(value, f"{value:,}")


def _timer(border: Border, value: Any, shape: tuple[int, ...], kernel: tuple[int, ...], dtype: str, method: str) -> Any:
    rng = np.random.default_rng(0)
    x, weights = rng.standard_normal(shape).astype(dtype), rng.standard_normal(kernel)
    clock = wall_clock()

    def timer(repeats: int) -> float:
        with _set_to(border, value):
            gpuconv.convolve(x, weights, method=method, boundary="reflect")
            return clock(lambda: gpuconv.convolve(x, weights, method=method, boundary="reflect"), repeats)

    return timer


@contextmanager
def _set_to(border: Border, value: Any) -> Iterator[None]:
    standing = getattr(border.module, border.constant)
    setattr(border.module, border.constant, value)
    forget()  # what was prepared before followed from the other border
    try:
        yield
    finally:
        setattr(border.module, border.constant, standing)
        forget()
