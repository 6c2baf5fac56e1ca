"""The Fourier domain: blocks transformed in place by cuFFT between kernels of ours, in as little memory as asked for.

Non-finite samples stay in the kernel's footprint and large ones do not overflow, as in the generic backend, but
nobody waits for the device to tell: kernels find it out and act on it (``fourier.cu``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends import cupy_plans
from gpuconv.backends.cuda import cufft, fourier_launches, runtime
from gpuconv.backends.cuda.cufft import Block
from gpuconv.backends.cuda.fourier_blocks import Cut, budget, chunks, first_cut, tiles_together
from gpuconv.backends.cuda.fourier_launches import (
    ALL,
    BATCH_AXES,
    CHECKED,
    NOTHING,
    UNCHECKED,
    Box,
    Memory,
    Module,
    Outside,
    Scale,
    Tiles,
)
from gpuconv.backends.cuda.launch import Kinds, ceil_div, collapse, order_of_strides, strides_in_order
from gpuconv.backends.cuda.spectra import Spectrum, spectrum_cache, spectrum_of
from gpuconv.backends.memory import memory_limit
from gpuconv.core.arguments import refusal
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import ITEMSIZE, complex_of, is_complex, is_integer
from gpuconv.core.namespace import dtype_name
from gpuconv.core.problem import Problem
from gpuconv.core.shapes import blocks, output_shape
from gpuconv.errors import OutOfMemoryError

# Larger fill values than this are looked at like samples (`Scaling` in fourier.cu; of float32, the stricter one).
LARGE = 2.0**30
# Blocks of a call that are kept made ready, for up to 64 calls.
FEW_STEPS = 16


def why_not(problem: Problem) -> str | None:
    if len(problem.spans) > fourier_launches.AXES:
        return "cuFFT transforms at most three axes at once"
    return None


def fourier_forward(x: Any, axes: tuple[int, ...], lengths: tuple[int, ...]) -> Any:
    """``X[k] = sum_n x[n] exp(-2 pi i k n / N)`` over `axes`; of real x, half of the last axis."""
    return cupy_plans.transform("fftn" if is_complex(dtype_name(x.dtype)) else "rfftn", x, lengths, axes)


def fourier_inverse(spectrum: Any, axes: tuple[int, ...], lengths: tuple[int, ...], dtype: str) -> Any:
    """The inverse of `fourier_forward`: `lengths` are the samples of the result, `dtype` is real or complex."""
    return cupy_plans.transform("ifftn" if is_complex(dtype) else "irfftn", spectrum, lengths, axes)


def correlate_fourier(
    x: Any, kernel: Any, spans: Sequence[Span], cval: Any, lengths: Sequence[int], *, result: str | None = None
) -> Any:
    """``y[i] = sum_j kernel[j] x~[first + i + j]`` through FFTs of at most `lengths` samples per axis (overlap-save).

    Shorter ones, and a part of the batch at a time, where the memory that is free or allowed does not hold more.
    """
    x = runtime.readable(x)
    large = not abs(cval) <= LARGE
    posed = dtype_name(x.dtype), dtype_name(kernel.dtype), result, tuple(spans), tuple(lengths), large
    case = _case(x.shape, x.strides, *posed)
    if case is None:
        # In C order the axes between two transformed ones are one.
        x = runtime.current().contiguous(x)
        case = _case(x.shape, x.strides, *posed)
        assert case is not None, "three axes cut the others into four groups at most"
    y = _allocated(case)
    if 0 not in y.shape:
        kernel = kernel if case.places is None else kernel.transpose(case.places)
        _run_in_memory(Work(x, y, kernel, case.fill(cval), case))
    return y


@dataclass(frozen=True, eq=False)
class Case:
    """What follows from shapes, strides and dtypes. Axes are in the memory order of x.

    Attributes
    ----------
    shape, order, result
        Of y: the order is that of its axes in memory.
    places : tuple of int or None
        How the kernel is transposed.
    inward, outward : Outside
        How x and y lie.
    dtype : str
        Of the samples that are transformed; `fill` makes one of a fill value.
    checked : bool
        True where samples may be NaN, infinite or so large that sums overflow.
    twice : bool
        Whether a complex kernel meets real samples.
    whole : Cut
        All of it in one block, as far as the lengths given reach.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    result: str
    places: tuple[int, ...] | None
    spans: tuple[Span, ...]
    inward: Outside
    outward: Outside
    dtype: str
    fill: type[np.generic]
    checked: bool
    twice: bool
    module: Module
    entries: int
    whole: Cut


@lru_cache(maxsize=256)
def _case(
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    storage: str,
    weights: str,
    result: str | None,
    spans: tuple[Span, ...],
    lengths: tuple[int, ...],
    large: bool,
) -> Case | None:
    """Strides in bytes; `large` is about the fill value. None for too many axes beside the transformed ones."""
    kinds = Kinds.of(storage, weights, result)
    of_memory, target = order_of_strides(strides), output_shape(shape, spans)
    axes = [span.axis for span in spans]
    # The last axis is the one whose neighbours are neighbours in memory.
    places = [axes.index(axis) for axis in of_memory if axis in axes]
    of_x = [stride // ITEMSIZE[storage] for stride in strides]
    of_y = strides_in_order(target, of_memory)
    others = [axis for axis in range(len(shape)) if axis not in axes]
    batch = tuple(
        collapse([shape[axis] for axis in others], (), *([each[axis] for axis in others] for each in (of_x, of_y)))
    )
    if len(batch) > BATCH_AXES:
        return None
    ordered = tuple(spans[place] for place in places)
    dtype = transform_dtype(storage, weights)
    checked = not is_integer(weights) and (not is_integer(storage) or large)
    twice = is_complex(weights) and not is_complex(dtype)
    entries = prod(axis.count for axis in batch)
    return Case(
        target,
        of_memory,
        kinds.result,
        None if places == sorted(places) else tuple(places),
        ordered,
        Outside(tuple(of_x[axes[place]] for place in places), batch, 0),
        Outside(tuple(of_y[axes[place]] for place in places), batch, 1),
        dtype,
        np.dtype(dtype).type,
        checked,
        twice,
        Module.of(storage, dtype, kinds.result, CHECKED if checked else UNCHECKED),
        entries,
        _whole(ordered, tuple(lengths[place] for place in places), dtype, entries, twice, checked),
    )


def _whole(
    spans: tuple[Span, ...], lengths: tuple[int, ...], dtype: str, entries: int, twice: bool, checked: bool
) -> Cut:
    taps, counts = tuple(span.taps for span in spans), tuple(span.count for span in spans)
    if entries == 0 or 0 in counts:
        return Cut(1, lengths, taps, counts, dtype)  # of an empty result, which nobody asks for
    along = ceil_div(counts[-1], lengths[-1] - taps[-1] + 1)
    return Cut(
        entries, lengths, taps, counts, dtype, 1 + twice, checked, tiles_together(entries, lengths, dtype, along)
    )


@dataclass(frozen=True)
class Work:
    """One call: x and y, and the kernel and the fill value as the case has them."""

    x: Any
    y: Any
    kernel: Any
    fill: np.generic
    case: Case


def _allocated(case: Case) -> Any:
    try:
        return runtime.empty_in_order(case.shape, case.result, case.order)
    except Exception as failure:
        if not cufft.current().is_exhausted(failure):
            raise
        raise _out_of_memory("the result", prod(case.shape) * np.dtype(case.result).itemsize) from failure


def transform_dtype(storage: str, weights: str) -> str:
    """What blocks are transformed in: double precision where the result is to be exact integers."""
    return "float64" if is_integer(weights) else Kinds.of(storage, weights).sample


def _run_in_memory(work: Work) -> None:
    """The blocks that fit; where memory runs out all the same, what is kept is given back, then blocks are halved."""
    transforms = cufft.current()
    whole = work.case.whole
    limit = memory_limit(transforms.device())
    allowed = None if limit is None else max(limit - work.y.nbytes, 0)
    cut: Cut | None = first_cut(whole, budget(whole.bytes, allowed, transforms.total(), transforms.free))
    released = False
    while cut is not None:
        try:
            return _run(work, cut)
        except Exception as failure:
            if not transforms.is_exhausted(failure):
                raise
            # The failure holds frames, and these hold arrays: it must not live on while the next one is tried.
            failed = str(failure)
        needed, cut = cut.bytes, cut.halved() if released else cut
        if not released:
            spectrum_cache.clear()
            transforms.release()
            released = True
    raise _out_of_memory("the smallest block of this transform", needed, failed)


def _out_of_memory(what: str, needed: int, failed: str = "") -> OutOfMemoryError:
    free = cufft.current().free()
    reason = f" ({failed.splitlines()[0]})" if failed else ""
    return OutOfMemoryError(
        refusal(
            f"{what} must fit into the memory of the device",
            f"it needs {needed / 2**20:.1f} MiB, {free / 2**20:.1f} MiB are free{reason}",
            "Free arrays, pass a part of the batch, or use method='direct', which needs no blocks",
        )
    )


@dataclass(frozen=True)
class Step:
    """One block: where it lies in x and y, and which part of y that is.

    Attributes
    ----------
    block : Block
    inward, outward : array
        ``struct Layout``.
    counts : tuple of int
        Outputs of an entry per axis.
    part : tuple of slice or None
        The part of y from its first output on; None for all of it.
    """

    block: Block
    inward: np.ndarray
    outward: np.ndarray
    counts: tuple[int, ...]
    part: tuple[slice, ...] | None


def _steps(case: Case, cut: Cut) -> Iterator[Step]:
    *others, last = cut.sizes
    for part in blocks(case.spans, (*others, last * cut.tiles)):
        count = ceil_div(part[-1].count, last)
        for start, entries in chunks(case.entries, cut.entries):
            yield _step(case, cut.block.with_entries(entries * count), part, Tiles(count, last, start))


def _step(case: Case, block: Block, part: Sequence[Span], tiles: Tiles) -> Step:
    box = Box(block.lengths, (0,) * len(part))
    inward = fourier_launches.layout(block, case.inward, box, part, tiles)
    counts = (*(span.count for span in part[:-1]), min(part[-1].count, tiles.step))
    box = Box(counts, tuple(span.taps - 1 for span in part))
    outward = fourier_launches.layout(block, case.outward, box, part, tiles)
    begin = {span.axis: span.first - whole.first for span, whole in zip(part, case.spans, strict=True)}
    seen = tuple(slice(begin.get(axis, 0), None) for axis in range(len(case.shape)))
    return Step(block, inward, outward, counts, seen if any(begin.values()) else None)


@lru_cache(maxsize=64)
def _few_steps(case: Case, cut: Cut) -> tuple[Step, ...]:
    return tuple(_steps(case, cut))


def _run(work: Work, cut: Cut) -> None:
    """All blocks of one cut, in the same memory one after another."""
    case = work.case
    spectrum = spectrum_of(work.kernel, cut.block, case.checked, case.module)
    memory = _memory(case, cut, spectrum)
    few = ceil_div(case.entries, cut.entries) * prod(map(ceil_div, cut.counts, cut.sizes)) <= FEW_STEPS
    for step in _few_steps(case, cut) if few else _steps(case, cut):
        if case.checked:
            runtime.current().launch(fourier_launches.clear(memory.flags, memory.module))
        _run_block(work, step, memory.of(step.block), spectrum)


def _memory(case: Case, cut: Cut, spectrum: Spectrum) -> Memory:
    empty = runtime.current().empty
    block = cut.block
    shape, dtype = (block.entries, block.frequencies), complex_of(block.dtype)
    spectra = empty(shape, dtype)
    second = empty(shape, dtype) if cut.kernels == 2 else spectra
    flags = empty((block.entries,), "uint32")
    mask = empty((fourier_launches.mask_words(block),), "uint32") if cut.checked else flags
    kernel_flag = flags if spectrum.flag is None else spectrum.flag
    return Memory.around(case.module, spectra, second, block.dtype, flags, kernel_flag, mask)


def _run_block(work: Work, step: Step, memory: Memory, spectrum: Spectrum) -> None:
    launch, transforms = runtime.current().launch, cufft.current()
    case, block = work.case, step.block
    y = work.y if step.part is None else work.y[step.part]
    looks_for = ALL if case.checked else NOTHING
    launch(fourier_launches.gather(work.x, memory, work.fill, step.inward, block, looks_for))
    if case.checked:
        launch(fourier_launches.rescale(memory, step.inward, block))
    transforms.forward(memory.spectra, block)
    launch(fourier_launches.multiply(memory, spectrum.factors, block))
    transforms.inverse(memory.spectra, block)
    if case.twice:
        transforms.inverse(memory.second, block)
    scale = Scale(prod(block.lengths), spectrum.exponent, case.checked, spectrum.flag is not None)
    launch(fourier_launches.crop(memory, y, scale, step.outward, block, step.counts))
    if case.checked:
        launch(fourier_launches.mark(memory, spectrum.support, y, step.outward, block, step.counts))
