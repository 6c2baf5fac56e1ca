"""dask arrays: extended lazily, cut into overlapping blocks, each block on the backend of its own library.

dask-image and ``map_overlap(boundary=...)`` put boundaries on the edges of blocks of the chunked array, which goes
wrong for wrap and for reaches longer than a chunk. Here the whole array is extended first, lazily, and the blocks of
the extended array overlap without any boundary, so that chunks cannot change the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from gpuconv.backends.registry import Implementation, forced_backend, select, use_backend
from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.dtypes import DtypeRule, complex_of, is_complex
from gpuconv.core.namespace import dtype_name, home_of, read_image
from gpuconv.core.problem import KernelFacts, Problem


def _always(problem: Problem) -> str | None:
    return None


def _row(primitive: str) -> Implementation:
    return Implementation(partial(correlate_blocks, primitive), _always)


def correlate_blocks(primitive: str, x: Any, weights: Any, spans: Sequence[Span], cval: Any, *options: Any) -> Any:
    """Run `primitive` on overlapping blocks of `x` extended by the boundaries of `spans`."""
    import dask.array

    extended = extend_all(home_of(x).xp, x, spans, cval)
    output_chunks = {span.axis: _output_chunks(x.chunks[span.axis], span) for span in spans}
    # The last block takes the samples that no later block would share with it.
    extended = extended.rechunk(
        {span.axis: (*output_chunks[span.axis][:-1], output_chunks[span.axis][-1] + span.taps - 1) for span in spans}
    )
    depth = {span.axis: (0, span.taps - 1) for span in spans}
    overlapped = dask.array.overlap.overlap(extended, depth=depth, boundary="none", allow_rechunk=False)
    kernels, plain = _split_lazy(weights)
    taps = tuple((span.axis, span.taps) for span in spans)
    run = partial(_run_block, primitive, plain, taps, options, forced_backend())
    chunks = [output_chunks.get(axis, extended.chunks[axis]) for axis in range(x.ndim)]
    result = _apply(run, overlapped, kernels, chunks, _result_dtype(x, weights))
    wanted = {span.axis: x.chunks[span.axis] for span in spans if span.count == span.size}
    return result.rechunk(wanted) if wanted else result


def _output_chunks(chunks: tuple[int, ...], span: Span) -> tuple[int, ...]:
    """Chunks of the outputs: the input's own, joined until each is as long as the overlap (dask needs that)."""
    if span.count == span.size:
        cut = list(chunks)
    else:
        step = max(*chunks, 1)
        cut = [min(step, span.count - start) for start in range(0, span.count, step)]
    joined: list[int] = []
    for size in cut:
        if joined and joined[-1] < max(span.taps - 1, 1):
            joined[-1] += size
        else:
            joined.append(size)
    if len(joined) > 1 and joined[-1] == 0:
        joined[-2:] = [joined[-2]]
    return tuple(joined)


def _split_lazy(weights: Any) -> tuple[list[Any], Any]:
    """A kernel that is itself a dask array becomes an argument of the graph; others travel with the function."""
    if isinstance(weights, (np.ndarray, list, tuple)):
        return [], weights
    return [weights.rechunk(-1)], None


def _apply(run: Callable[..., Any], x: Any, kernels: list[Any], chunks: Sequence[Any], dtype: Any) -> Any:
    import dask.array

    meta = x._meta.astype(dtype)
    if not kernels:
        return dask.array.map_blocks(run, x, chunks=tuple(chunks), dtype=dtype, meta=meta)
    axes = tuple(range(x.ndim))
    labels = tuple(range(x.ndim, x.ndim + kernels[0].ndim))
    return dask.array.blockwise(
        run,
        axes,
        x,
        axes,
        kernels[0],
        labels,
        concatenate=True,
        adjust_chunks={axis: chunks[axis] for axis in axes},
        dtype=dtype,
        meta=meta,
    )


def _result_dtype(x: Any, weights: Any) -> Any:
    name = dtype_name(x.dtype)
    arrays = [taps for bank in weights for taps in bank] if isinstance(weights, (list, tuple)) else [weights]
    if any(is_complex(dtype_name(array.dtype)) for array in arrays):
        name = complex_of(name)
    return np.dtype(name)


def _run_block(
    primitive: str,
    plain: Any,
    taps: Sequence[tuple[int, int]],
    options: tuple[Any, ...],
    forced: str | None,
    block: Any,
    kernel: Any = None,
) -> Any:
    """One overlapping block, all of whose reads lie inside it."""
    weights = plain if kernel is None else kernel
    spans = tuple(
        Span(axis, block.shape[axis], size, 0, block.shape[axis] - size + 1, "constant") for axis, size in taps
    )
    problem = _block_problem(block, weights, spans)
    # A block runs in a thread of its own, without the settings of the one that made the graph.
    with use_backend(forced), np.errstate(over="ignore", invalid="ignore"):
        return select(primitive, problem)(block, weights, spans, 0, *options)


def _block_problem(block: Any, weights: Any, spans: tuple[Span, ...]) -> Problem:
    block, home = read_image(block)
    name = dtype_name(block.dtype)
    first = weights[0][0] if isinstance(weights, (list, tuple)) else weights
    facts = KernelFacts(tuple(span.taps for span in spans), dtype_name(first.dtype), "host")
    return Problem(home.library, str(home.device), False, block.shape, name, facts, DtypeRule(name, name), spans)


TABLE = {
    name: _row(name) for name in ("correlate_axis", "correlate_separable", "correlate_windows", "correlate_fourier")
}
