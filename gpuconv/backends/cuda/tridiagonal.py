"""Tridiagonal systems: a thread for each equation in shared memory, or for each system."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cuda.launch import (
    MAX_THREADS,
    Axis,
    Kinds,
    Launch,
    ceil_div,
    collapse,
    element_strides,
    struct_of,
)
from gpuconv.backends.cuda.runtime import current, empty_like_ordered, readable
from gpuconv.backends.generic.lines import TridiagonalProblem, solve_cyclic
from gpuconv.core.dtypes import EPS, ITEMSIZE, is_complex, real_of
from gpuconv.core.namespace import dtype_name, home_of

DTYPES = tuple(name for name, eps in EPS.items() if eps < 2.0**-20)
# Systems side by side, from which reading one a thread is reading whole lines of memory.
SIDE_BY_SIDE = 32
# Systems that one thread each keeps a GPU busy with.
MANY = 4096
COLUMN_THREADS = 128


def why_not(problem: TridiagonalProblem) -> str | None:
    if problem.traced:
        return "CUDA kernels of our own are not traced"
    if problem.dtype not in DTYPES:
        return f"CUDA kernels solve in single and double precision, not in {problem.dtype}"
    size = problem.shape[problem.axis]
    systems = prod(problem.shape) // max(size, 1)
    if size > MAX_THREADS and systems < MANY:
        return f"{systems} systems are too few for a thread each, and {size} unknowns too many for one block"
    return None


def solve_tridiagonal(right: Any, lower: Any, diagonal: Any, upper: Any, axis: int, cyclic: bool = False) -> Any:
    """x of ``lower[i] x[i - 1] + diagonal[i] x[i] + upper[i] x[i + 1] = right[i]`` along `axis`, a negative number."""
    if cyclic:
        return solve_cyclic(solve_tridiagonal, right, lower, diagonal, upper, axis)
    runtime = current()
    weight, total = dtypes_of(
        dtype_name(right.dtype), tuple(dtype_name(each.dtype) for each in (lower, diagonal, upper))
    )
    given = readable(in_dtype(right, total))
    bands = [readable(in_dtype(band, weight)) for band in (lower, diagonal, upper)]
    y = empty_like_ordered(given, given.shape, total)
    if y.size == 0:
        return y
    shape = tuple(y.shape)
    strides = [_broadcast_strides(each.shape, element_strides(each), shape) for each in (given, *bands, y)]
    axes = layout(y.shape, axis % y.ndim, *strides)
    if axes is None:
        given, bands = runtime.contiguous(given), [_spread(band, y.shape) for band in bands]
        y = runtime.empty(y.shape, total)
        axes = layout(y.shape, axis % y.ndim, *(element_strides(each) for each in (given, *bands, y)))
    assert axes is not None  # C-ordered arrays of one shape have no more than three axes after collapsing
    runtime.launch(_launch(axes, (given, *bands, y), Kinds(total, total, weight, total, total)))
    return y


@lru_cache(maxsize=256)
def dtypes_of(right: str, bands: tuple[str, ...]) -> tuple[str, str]:
    """Of the diagonals, and of right-hand sides and solutions."""
    total = np.result_type(right, *bands).name
    return (total if any(map(is_complex, bands)) else real_of(total)), total


def in_dtype(x: Any, dtype: str) -> Any:
    """`x` itself where it has that dtype."""
    return x if dtype_name(x.dtype) == dtype else x.astype(dtype)


@lru_cache(maxsize=1024)
def _broadcast_strides(shape: tuple[int, ...], strides: tuple[int, ...], whole: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of an array of `shape` as one of the shape `whole`: zero where it is repeated."""
    missing = len(whole) - len(shape)
    own = zip(shape, whole[missing:], strides, strict=True)
    return (0,) * missing + tuple(0 if count != all_ else stride for count, all_, stride in own)


def _spread(x: Any, shape: tuple[int, ...]) -> Any:
    """`x` repeated to that shape, in memory of its own."""
    return current().contiguous(home_of(x).xp.broadcast_to(x, shape))


@lru_cache(maxsize=1024)
def layout(shape: tuple[int, ...], axis: int, *strides: tuple[int, ...]) -> tuple[Axis, Axis, Axis, Axis] | None:
    """What is outside of the axis (the slower one first), the axis, and what is inside of it; None if there is more."""
    axes = collapse(shape, (axis,), *strides)
    alone = Axis(1, (0,) * len(strides))
    (filtered,) = (each for each in axes if each.kept is not None)
    others = [each for each in axes if each.kept is None]
    inner = others.pop() if axes[-1] is not filtered else alone
    if len(others) > 2:
        return None
    high, low = [alone, alone, *others][-2:] if len(others) != 1 else [others[0], alone]
    return high, low, filtered, inner


@lru_cache(maxsize=1024)
def strides_of(axes: tuple[Axis, Axis, Axis, Axis]) -> tuple[np.ndarray, ...]:
    """The struct ``Strides`` of every array."""
    return tuple(struct_of(numbers) for numbers in zip(*(axis.strides for axis in axes), strict=True))


def _launch(axes: tuple[Axis, Axis, Axis, Axis], arrays: tuple[Any, ...], kinds: Kinds) -> Launch:
    high, low, filtered, inner = axes
    systems, count = high.count * low.count * inner.count, filtered.count
    counts = (np.int64(low.count), np.int64(inner.count), np.int64(systems))
    strides = strides_of(axes)
    rows = row_plan(count, inner.count, systems, 2 * ITEMSIZE[kinds.weight] + ITEMSIZE[kinds.sum])
    if rows is not None:
        together, threads, shared = rows
        arguments = (*arrays, np.int32(count), np.int32(together), *counts, *strides)
        blocks = ceil_div(systems, together)
        return Launch("tridiagonal.cu", "solve_rows", kinds.defines(), blocks, threads, shared, arguments)
    y = arrays[-1]
    scratch = empty_like_ordered(y, y.shape, kinds.weight)
    arguments = (*arrays, scratch, np.int64(count), *counts, *strides)
    blocks = ceil_div(systems, COLUMN_THREADS)
    return Launch("tridiagonal.cu", "solve_columns", kinds.defines(), blocks, COLUMN_THREADS, 0, arguments)


def row_plan(count: int, inner: int, systems: int, bytes_each: int) -> tuple[int, int, int] | None:
    """Systems of a block, threads and shared memory of ``solve_rows``; None where a thread a system is better."""
    if count > MAX_THREADS or (inner >= SIDE_BY_SIDE and systems >= MANY):
        return None
    together = max(1, min(256 // count, systems))
    return together, ceil_div(together * count, 32) * 32, together * count * bytes_each
