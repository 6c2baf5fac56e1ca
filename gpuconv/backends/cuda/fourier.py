"""The Fourier domain: blocks transformed in place by cuFFT between kernels of ours, in as little memory as asked for.

Non-finite samples stay in the kernel's footprint and large ones do not overflow, as in the generic backend, but
nobody waits for the device to tell: kernels find it out and act on it (``fourier.cu``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends import cupy_plans
from gpuconv.backends.cuda import cufft, fourier_launches, runtime
from gpuconv.backends.cuda.cufft import Block
from gpuconv.backends.cuda.fourier_blocks import Cut, budget, chunks, first_cut, tiles_together
from gpuconv.backends.cuda.fourier_launches import ALL, BATCH_AXES, NOTHING, Box, Memory, Outside, Scale, Tiles
from gpuconv.backends.cuda.launch import Kinds, ceil_div, collapse, element_strides, memory_order
from gpuconv.backends.cuda.spectra import Spectrum, spectrum_cache, spectrum_of
from gpuconv.backends.memory import memory_limit
from gpuconv.core.arguments import refusal
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import complex_of, is_complex, is_integer
from gpuconv.core.namespace import dtype_name
from gpuconv.core.problem import Problem
from gpuconv.core.shapes import blocks, output_shape
from gpuconv.errors import OutOfMemoryError

# Larger fill values than this are looked at like samples (`Scaling` in fourier.cu; of float32, the stricter one).
LARGE = 2.0**30


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
    kinds = Kinds.of(dtype_name(x.dtype), dtype_name(kernel.dtype), result)
    x = runtime.readable(x)
    y = _allocated(x, spans, kinds.result)
    if 0 in y.shape:
        return y
    if len(_batch(x, y, [span.axis for span in spans])) > BATCH_AXES:
        # In C order the axes between two transformed ones are one.
        x = runtime.current().contiguous(x)
        y = _allocated(x, spans, kinds.result)
    work = _described(x, kernel, spans, cval, y)
    _run_in_memory(work, lengths_in(work, spans, lengths))
    return y


@dataclass(frozen=True)
class Work:
    """One call: x and y, and the kernel and the spans with axes in the memory order of x.

    Attributes
    ----------
    x, y, kernel : array
    spans : tuple of Span
    inward, outward : Outside
        How x and y lie.
    dtype : str
        Of the samples that are transformed.
    fill : numpy scalar
    checked : bool
        True where samples may be NaN, infinite or so large that sums overflow.
    """

    x: Any
    y: Any
    kernel: Any
    spans: tuple[Span, ...]
    inward: Outside
    outward: Outside
    dtype: str
    fill: np.generic
    checked: bool

    @property
    def entries(self) -> int:
        return prod(axis.count for axis in self.inward.batch)

    @property
    def twice(self) -> bool:
        """Whether a complex kernel meets real samples."""
        return is_complex(dtype_name(self.kernel.dtype)) and not is_complex(self.dtype)

    def whole(self, lengths: tuple[int, ...]) -> Cut:
        """All of it in one block, as far as `lengths` reach."""
        taps = tuple(span.taps for span in self.spans)
        counts = tuple(span.count for span in self.spans)
        along = ceil_div(counts[-1], lengths[-1] - taps[-1] + 1)
        tiles = tiles_together(self.entries, lengths, self.dtype, along)
        return Cut(self.entries, lengths, taps, counts, self.dtype, 1 + self.twice, self.checked, tiles)


def _allocated(x: Any, spans: Sequence[Span], dtype: str) -> Any:
    shape = output_shape(x.shape, spans)
    try:
        return runtime.empty_like_ordered(x, shape, dtype)
    except Exception as failure:
        if not cufft.current().is_exhausted(failure):
            raise
        raise _out_of_memory("the result", prod(shape) * np.dtype(dtype).itemsize) from failure


def _described(x: Any, kernel: Any, spans: Sequence[Span], cval: Any, y: Any) -> Work:
    axes = [span.axis for span in spans]
    # The last axis is the one whose neighbours are neighbours in memory.
    order = [axes.index(axis) for axis in memory_order(x) if axis in axes]
    batch = _batch(x, y, axes)
    steps_of_x, steps_of_y = element_strides(x), element_strides(y)
    storage = dtype_name(x.dtype)
    dtype = transform_dtype(storage, dtype_name(kernel.dtype))
    return Work(
        x,
        y,
        kernel if order == sorted(order) else kernel.transpose(order),
        tuple(spans[place] for place in order),
        Outside(tuple(steps_of_x[axes[place]] for place in order), batch, 0),
        Outside(tuple(steps_of_y[axes[place]] for place in order), batch, 1),
        dtype,
        np.dtype(dtype).type(cval),
        not is_integer(dtype_name(kernel.dtype)) and (not is_integer(storage) or not abs(cval) <= LARGE),
    )


def _batch(x: Any, y: Any, axes: Sequence[int]) -> tuple[Any, ...]:
    """The axes that are not transformed, as few as they can be told by."""
    others = [axis for axis in range(x.ndim) if axis not in axes]
    steps = ([element_strides(each)[axis] for axis in others] for each in (x, y))
    return tuple(collapse([x.shape[axis] for axis in others], (), *steps))


def transform_dtype(storage: str, weights: str) -> str:
    """What blocks are transformed in: double precision where the result is to be exact integers."""
    return "float64" if is_integer(weights) else Kinds.of(storage, weights).sample


def lengths_in(work: Work, spans: Sequence[Span], lengths: Sequence[int]) -> tuple[int, ...]:
    """The lengths given for `spans`, in the order of the work's."""
    of_axis = {span.axis: length for span, length in zip(spans, lengths, strict=True)}
    return tuple(of_axis[span.axis] for span in work.spans)


def _run_in_memory(work: Work, lengths: tuple[int, ...]) -> None:
    """The blocks that fit; where memory runs out all the same, what is kept is given back, then blocks are halved."""
    transforms = cufft.current()
    whole = work.whole(lengths)
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


def _run(work: Work, cut: Cut) -> None:
    """All blocks of one cut, in the same memory one after another."""
    spectrum = spectrum_of(work.kernel, cut.block, marked=work.checked)
    memory = _memory(work, cut, spectrum)
    execution = runtime.current()
    *others, last = cut.sizes
    for part in blocks(work.spans, (*others, last * cut.tiles)):
        count = ceil_div(part[-1].count, last)
        for start, entries in chunks(work.entries, cut.entries):
            if work.checked:
                execution.launch(fourier_launches.clear(memory.flags, memory.types))
            block = cut.block.with_entries(entries * count)
            _run_block(work, block, part, Tiles(count, last, start), memory, spectrum)


def _memory(work: Work, cut: Cut, spectrum: Spectrum) -> Memory:
    empty = runtime.current().empty
    block = cut.block
    shape, dtype = (block.entries, block.frequencies), complex_of(block.dtype)
    spectra = empty(shape, dtype)
    second = empty(shape, dtype) if cut.kernels == 2 else spectra
    flags = empty((block.entries,), "uint32")
    mask = empty((fourier_launches.mask_words(block),), "uint32") if cut.checked else flags
    types = fourier_launches.types(dtype_name(work.x.dtype), work.dtype, dtype_name(work.y.dtype))
    return Memory(types, spectra, second, flags, flags if spectrum.flag is None else spectrum.flag, mask)


def _run_block(
    work: Work, block: Block, part: Sequence[Span], tiles: Tiles, memory: Memory, spectrum: Spectrum
) -> None:
    """One block: `part` of the spans in `tiles`."""
    launch, transforms = runtime.current().launch, cufft.current()
    memory = memory.of(block)
    inward = fourier_launches.layout(block, work.inward, Box(block.lengths, (0,) * len(part)), part, tiles)
    counts = (*(span.count for span in part[:-1]), min(part[-1].count, tiles.step))
    box = Box(counts, tuple(span.taps - 1 for span in part))
    outward = fourier_launches.layout(block, work.outward, box, part, tiles)
    # The whole of y, seen from the first output of this part.
    y = work.y[tuple(_from(work, part, axis) for axis in range(work.y.ndim))]
    launch(fourier_launches.gather(work.x, memory, work.fill, inward, block, ALL if work.checked else NOTHING))
    if work.checked:
        launch(fourier_launches.rescale(memory, inward, block))
    transforms.forward(memory.spectra, block)
    launch(fourier_launches.multiply(memory, spectrum.factors, block))
    transforms.inverse(memory.spectra, block)
    if work.twice:
        transforms.inverse(memory.second, block)
    scale = Scale(prod(block.lengths), spectrum.exponent, work.checked, spectrum.flag is not None)
    launch(fourier_launches.crop(memory, y, scale, outward, block, counts))
    if work.checked:
        launch(fourier_launches.mark(memory, spectrum.support, y, outward, block, counts))


def _from(work: Work, part: Sequence[Span], axis: int) -> slice:
    for span, whole in zip(part, work.spans, strict=True):
        if span.axis == axis:
            return slice(span.first - whole.first, None)
    return slice(None)
