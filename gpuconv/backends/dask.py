"""dask arrays: extended lazily, cut into overlapping blocks, each block on the backend of its own library.

dask-image and ``map_overlap(boundary=...)`` put boundaries on the edges of blocks of the chunked array, which goes
wrong for wrap and for reaches longer than a chunk. Here the whole array is extended first, lazily, and the blocks of
the extended array overlap without any boundary, so that chunks cannot change the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gpuconv.backends import dask_recurrence, dask_stencil
from gpuconv.backends.generic.polyphase import Rates
from gpuconv.backends.registry import Implementation, forced_backend, select, use_backend
from gpuconv.backends.threads import single_thread
from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.dtypes import DtypeRule, complex_of, is_complex, is_integer
from gpuconv.core.namespace import dtype_name, home_of, read_image
from gpuconv.core.problem import KernelFacts, Problem, TransformProblem


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
    taps = tuple((span.axis, span.taps) for span in spans)
    run = partial(_run_block, primitive, _map_weights(_unless_lazy, weights), taps, options, forced_backend())
    chunks = [output_chunks.get(axis, extended.chunks[axis]) for axis in range(x.ndim)]
    lazy = [array.rechunk(-1) for array in _flatten(weights) if _unless_lazy(array) is None]
    result = _apply(run, overlapped, lazy, chunks, _result_dtype(x, weights))
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


def _map_weights(function: Callable[[Any], Any], weights: Any) -> Any:
    """`function` of every array of a kernel, or of banks of taps, in the same nesting."""
    if isinstance(weights, (list, tuple)):
        return [_map_weights(function, entry) for entry in weights]
    return function(weights)


def _flatten(weights: Any) -> list[Any]:
    flat: list[Any] = []
    _map_weights(flat.append, weights)
    return flat


def _unless_lazy(array: Any) -> Any:
    """A NumPy array travels with the function; a dask array leaves its place empty, to come in through the graph."""
    return array if isinstance(array, np.ndarray) else None


def _apply(run: Callable[..., Any], x: Any, lazy: list[Any], chunks: Sequence[Any], dtype: Any) -> Any:
    """`run` on every block, with the lazy weights whole beside each."""
    import dask.array

    axes = tuple(range(x.ndim))
    beside: list[Any] = []
    label = x.ndim
    for array in lazy:
        beside += [array, tuple(range(label, label + array.ndim))]
        label += array.ndim
    return dask.array.blockwise(
        run,
        axes,
        x,
        axes,
        *beside,
        concatenate=True,
        adjust_chunks={axis: chunks[axis] for axis in axes},
        dtype=dtype,
        meta=x._meta.astype(dtype),
    )


def _result_dtype(x: Any, weights: Any) -> np.dtype:
    names = [dtype_name(array.dtype) for array in _flatten(weights)]
    name = dtype_name(x.dtype)
    if is_integer(name):
        return np.dtype(names[0])
    return np.dtype(complex_of(name) if any(is_complex(dtype) for dtype in names) else name)


def _run_block(
    primitive: str,
    plain: Any,
    taps: Sequence[tuple[int, int]],
    options: tuple[Any, ...],
    forced: str | None,
    block: Any,
    *lazy: Any,
) -> Any:
    """One overlapping block, all of whose reads lie inside it."""
    arrived = iter(lazy)
    weights = _map_weights(lambda array: next(arrived) if array is None else array, plain)
    spans = tuple(
        Span(axis, block.shape[axis], size, 0, block.shape[axis] - size + 1, "constant") for axis, size in taps
    )
    problem = _block_problem(block, _flatten(weights)[0], spans)
    # A block runs in a thread of its own, without the settings of the one that made the graph, beside other blocks.
    with use_backend(forced), single_thread(), np.errstate(over="ignore", invalid="ignore"):
        return select(primitive, problem)(block, weights, spans, 0, *options)


def _block_problem(block: Any, weights: Any, spans: tuple[Span, ...]) -> Problem:
    block, home = read_image(block)
    name = dtype_name(block.dtype)
    facts = KernelFacts(tuple(span.taps for span in spans), dtype_name(weights.dtype), "host")
    return Problem(home.library, str(home.device), False, block.shape, name, facts, DtypeRule(name, name), spans)


def resample_axis(x: Any, taps: Any, rates: Rates) -> Any:
    """`generic.polyphase.resample_axis` on overlapping blocks that each begin a cycle of outputs."""
    import dask.array

    axis, reach = rates.axis, rates.depth - 1
    step = max(max(x.chunks[axis]) // rates.advance, -(-reach // rates.advance), 1)
    cycles = [step] * (rates.cycles // step)
    if rates.cycles % step:  # the last block must be no shorter than the overlap: the rest goes to the one before
        cycles[-1:] = [sum(cycles[-1:]) + rates.cycles % step]
    samples = [count * rates.advance for count in cycles]
    extended = x.rechunk({axis: (*samples[:-1], samples[-1] + reach)})
    overlapped = dask.array.overlap.overlap(extended, depth={axis: (0, reach)}, boundary="none", allow_rechunk=False)
    run = partial(_resample_block, _unless_lazy(taps), rates, forced_backend())
    chunks = list(extended.chunks)
    chunks[axis] = tuple(count * rates.cycle for count in cycles)
    lazy = [] if isinstance(taps, np.ndarray) else [taps.rechunk(-1)]
    result = _apply(run, overlapped, lazy, chunks, x.dtype)
    return result[tuple(slice(rates.count) if other == axis else slice(None) for other in range(x.ndim))]


def _resample_block(plain: Any, rates: Rates, forced: str | None, block: Any, *lazy: Any) -> Any:
    taps = lazy[0] if plain is None else plain
    size = block.shape[rates.axis]
    span = Span(rates.axis, size, rates.depth, 0, size - rates.depth + 1, "constant")
    problem = _block_problem(block, taps, (span,))
    rates = replace(rates, count=span.count // rates.advance * rates.cycle)
    with use_backend(forced), np.errstate(over="ignore", invalid="ignore"):
        return select("resample_axis", problem)(block, taps, rates)


def fourier_forward(x: Any, axes: tuple[int, ...], lengths: tuple[int, ...]) -> Any:
    """`generic.transforms.fourier_forward` with one chunk on each of `axes`, block by block on the others."""
    name = dtype_name(x.dtype)
    half = lengths[-1] if is_complex(name) else lengths[-1] // 2 + 1
    return _transform("fourier_forward", x, axes, (*lengths[:-1], half), complex_of(name), axes, lengths)


def fourier_inverse(spectrum: Any, axes: tuple[int, ...], lengths: tuple[int, ...], dtype: str) -> Any:
    """The inverse of `fourier_forward`."""
    return _transform("fourier_inverse", spectrum, axes, lengths, dtype, axes, lengths, dtype)


def cosine_transform(x: Any, axis: int, kind: str, inverse: bool) -> Any:
    """`generic.transforms.cosine_transform` with one chunk on `axis`, block by block on the others."""
    sizes = (x.shape[axis],)
    return _transform("cosine_transform", x, (axis,), sizes, dtype_name(x.dtype), axis, kind, inverse)


def _transform(primitive: str, x: Any, axes: tuple[int, ...], sizes: tuple[int, ...], dtype: str, *options: Any) -> Any:
    """`primitive` on every block of `x`; the result has `sizes` samples on `axes`, in one chunk each."""
    x = x.rechunk(dict.fromkeys(axes, -1))
    chunks = list(x.chunks)
    for axis, size in zip(axes, sizes, strict=True):
        chunks[axis] = (size,)
    run = partial(_transform_block, primitive, axes, options, forced_backend())
    return x.map_blocks(run, dtype=dtype, chunks=tuple(chunks), meta=x._meta.real.astype(dtype))


def _transform_block(
    primitive: str, axes: tuple[int, ...], options: tuple[Any, ...], forced: str | None, block: Any
) -> Any:
    block, home = read_image(block)
    sizes = tuple(block.shape[axis] for axis in axes)
    problem = TransformProblem(
        home.library, str(home.device), False, tuple(block.shape), dtype_name(block.dtype), axes, sizes
    )
    with use_backend(forced):
        return select(primitive, problem)(block, *options)


TABLE = {
    name: _row(name) for name in ("correlate_axis", "correlate_separable", "correlate_windows", "correlate_fourier")
} | {
    "resample_axis": Implementation(resample_axis, _always),
    "fourier_forward": Implementation(fourier_forward, _always),
    "fourier_inverse": Implementation(fourier_inverse, _always),
    "cosine_transform": Implementation(cosine_transform, _always),
    "linear_recurrence": Implementation(dask_recurrence.linear_recurrence, _always),
    "solve_tridiagonal": Implementation(dask_stencil.solve_tridiagonal, _always),
    "diffusion_rate": Implementation(dask_stencil.diffusion_rate, _always),
    "diffuse_steps": Implementation(dask_stencil.diffuse_steps, _always),
}
