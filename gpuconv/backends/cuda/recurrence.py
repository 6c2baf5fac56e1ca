"""Linear recurrences: a thread for each line, or for each segment of a line where there are few."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gpuconv.backends.cuda.launch import (
    MAX_THREADS,
    Axis,
    Kinds,
    Launch,
    by_value,
    ceil_div,
    element_strides,
    struct_of,
)
from gpuconv.backends.cuda.runtime import current, empty_like_ordered, readable
from gpuconv.backends.cuda.tridiagonal import DTYPES, in_dtype, layout, strides_of
from gpuconv.backends.generic.recurrence import RecurrenceProblem, result_dtype, transitions
from gpuconv.core.dtypes import ITEMSIZE, is_complex, real_of
from gpuconv.core.namespace import dtype_name

# Outputs fed back, as there are binaries: coefficients of zero make up for what is missing.
ORDERS = (1, 2, 4, 8, 16)
# Threads wanted of each multiprocessor, and the shortest segment that is worth being carried to.
THREADS_EACH = 256
SHORTEST = 64
RUN_THREADS = 128
# Bytes of shared memory in which a block carries states along a line, two numbers for each of a thread's state:
# CARRY_THREADS of the kernel.
CARRY_BYTES = 32 * 1024


def why_not(problem: RecurrenceProblem) -> str | None:
    if problem.traced:
        return "CUDA kernels of our own are not traced"
    if problem.dtype not in DTYPES:
        return f"CUDA kernels feed back in single and double precision, not in {problem.dtype}"
    if not 0 < problem.order <= ORDERS[-1]:
        return f"CUDA kernels feed back 1 to {ORDERS[-1]} outputs, not {problem.order}"
    return None


def linear_recurrence(x: Any, feedback: np.ndarray, axis: int, initial: Any = None) -> Any:
    """``y[n] = x[n] - sum_k feedback[k - 1] y[n - k]`` along `axis`, a negative number."""
    runtime = current()
    total = result_dtype(dtype_name(x.dtype), feedback)
    weight = total if feedback.dtype.kind == "c" else real_of(total)
    x = readable(in_dtype(x, total))
    begun = x if initial is None else readable(in_dtype(initial, total))
    y = empty_like_ordered(x, x.shape, total)
    if y.size == 0:
        return y
    axes = layout(y.shape, axis % y.ndim, *map(element_strides, (x, begun, y)))
    if axes is None:
        x, begun = runtime.contiguous(x), runtime.contiguous(begun)
        y = runtime.empty(y.shape, total)
        axes = layout(y.shape, axis % y.ndim, *map(element_strides, (x, begun, y)))
    assert axes is not None  # C-ordered arrays of one shape have no more than three axes after collapsing
    kinds = Kinds(total, total, weight, total, total)
    given = 0 if initial is None else len(feedback)
    for launch in _launches(axes, (x, begun, y), kinds, feedback, given):
        runtime.launch(launch)
    return y


def _launches(
    axes: tuple[Axis, Axis, Axis, Axis], arrays: tuple[Any, Any, Any], kinds: Kinds, feedback: np.ndarray, given: int
) -> list[Launch]:
    high, low, filtered, inner = axes
    x, begun, y = arrays
    order = next(order for order in ORDERS if order >= len(feedback))
    padded = np.zeros(order, feedback.dtype)
    padded[: len(feedback)] = feedback
    lines = high.count * low.count * inner.count
    length, segments = segment_plan(filtered.count, lines, current().device().multiprocessors)
    total = lines * segments
    struct = struct_of((filtered.count, length, segments, low.count, inner.count, total))
    weights = by_value(-padded, order, kinds.weight)
    of_x, of_begun, of_y = strides_of(axes)
    carried, factor = ("complex128" if is_complex(each) else "float64" for each in (kinds.sum, kinds.weight))
    defines = (*kinds.defines(), ("WEIGHTS", str(order)), ("CARRIED", carried), ("FACTOR", factor))
    blocks = ceil_div(total, RUN_THREADS)
    if segments == 1:
        # Nothing is read from these states.
        states = current().empty((1,), carried)
        arguments = (x, begun, states, y, weights, np.int32(given), struct, of_x, of_begun, of_y)
        return [Launch("recurrence.cu", "run_segments", defines, blocks, RUN_THREADS, 0, arguments)]
    states = current().empty((order, total), carried)
    chunk, threads = carry_plan(segments, order * ITEMSIZE[carried])
    key = padded.tobytes(), padded.dtype
    matrices = current().upload(carrying_matrices(*key, factor, length, chunk, threads))
    shared = 2 * order * ITEMSIZE[carried] * threads
    ending = (x, begun, states, weights, np.int32(given), struct, of_x, of_begun)
    running = (x, begun, states, y, weights, np.int32(given), struct, of_x, of_begun, of_y)
    carrying = (matrices, states, np.int64(chunk), struct)
    of_each = (
        ("end_segments", blocks, RUN_THREADS, 0, ending),
        ("carry_segments", lines, threads, shared, carrying),
        ("run_segments", blocks, RUN_THREADS, 0, running),
    )
    kernels = tuple(kernel for kernel, *_ in of_each)
    return [
        Launch("recurrence.cu", kernel, defines, count, width, bytes_, arguments, kernels)
        for kernel, count, width, bytes_, arguments in of_each
    ]


@lru_cache(maxsize=1024)
def segment_plan(count: int, lines: int, multiprocessors: int) -> tuple[int, int]:
    """Samples of a segment, and segments of a line."""
    wanted = min(ceil_div(THREADS_EACH * multiprocessors, lines), count // SHORTEST)
    length = ceil_div(count, max(wanted, 1))
    return length, ceil_div(count, length)


def carry_plan(segments: int, state_bytes: int) -> tuple[int, int]:
    """Segments of a thread, and threads of a block, of ``carry_segments``."""
    most = min(MAX_THREADS, CARRY_BYTES // (2 * state_bytes) // 32 * 32)
    chunk = ceil_div(segments, most)
    return chunk, ceil_div(ceil_div(segments, chunk), 32) * 32


@lru_cache(maxsize=64)
def carrying_matrices(
    feedback: bytes, dtype: np.dtype, factor: str, length: int, chunk: int, threads: int
) -> np.ndarray:
    """What takes a state, the newest output first, across a segment and across 1, 2, 4, ... chunks of a thread each."""
    coefficients = np.frombuffer(feedback, dtype)
    across = transitions(coefficients, length, 1), transitions(coefficients, length * chunk, (threads - 1).bit_length())
    return np.concatenate(across)[:, ::-1, ::-1].astype(factor)
