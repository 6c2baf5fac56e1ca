"""Launches of the kernels in ``fourier.cu``, from shapes, strides and dtypes alone.

There are always three transformed axes here, as in the kernels: `Lines` has the fewer ones that there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cuda.cufft import Block
from gpuconv.backends.cuda.launch import Axis, Launch, boundary_code, ceil_div, element_strides
from gpuconv.core.boundary import BOUNDARIES, Span
from gpuconv.core.dtypes import real_of
from gpuconv.core.namespace import dtype_name

SOURCE = "fourier.cu"
AXES, BATCH_AXES = 3, 4
# As in fourier.cu.
LANES, WARPS, RUN, TOGETHER = 32, 8, 256, 8
THREADS = LANES * WARPS
# Entries whose runs are taken by neighbouring warps: as many as there are samples of 4 bytes in a sector of 32.
SIDE_BY_SIDE = 8
NOTHING, ALL, ONLY_LARGE = 0, 1, 2


@dataclass(frozen=True)
class Outside:
    """How an array outside of blocks lies: strides in elements of its transformed axes and of the axes of its batch."""

    strides: tuple[int, ...]
    batch: tuple[Axis, ...]
    which: int = 0
    """Which of the strides of each axis of the batch are this array's."""

    @classmethod
    def of_kernel(cls, kernel: Any) -> Outside:
        return cls(element_strides(kernel), ())


@dataclass(frozen=True)
class Box:
    """What is gone through of each entry: rows and columns, and where they begin inside."""

    counts: tuple[int, ...]
    shift: tuple[int, ...]


@dataclass(frozen=True)
class Tiles:
    """How many blocks follow each other on the last axis in one batch, by how many outputs, and the first image."""

    count: int = 1
    step: int = 0
    start: int = 0


def layout(block: Block, outside: Outside, box: Box, spans: Sequence[Span], tiles: Tiles) -> np.ndarray:
    """The struct Layout of ``fourier.cu``: the block's entries are images, times tiles.

    `spans` say what gather reads and how many taps there are.
    """
    batch = [(axis.count, axis.strides[outside.which]) for axis in outside.batch]
    batch = [(1, 0)] * (BATCH_AXES - len(batch)) + batch
    lengths = _three(block.lengths, 1)
    counts = _three(box.counts, 1)
    numbers = [
        *(block.entries, tiles.start),
        *(block.entries // tiles.count, tiles.step, spans[-1].count),
        *(count for count, _ in batch),
        *(stride for _, stride in batch),
        *_three(outside.strides, 0),
        *counts,
        min(SIDE_BY_SIDE, block.entries),
        *(block.entry_pitch, lengths[1] * block.row_pitch, block.row_pitch),
        *_three(box.shift, 0),
        *_three([span.size for span in spans], 1),
        *_three([span.first for span in spans], 0),
        *_three([span.length for span in spans], 1),
        *_three([boundary_code(span) for span in spans], BOUNDARIES.index("nearest")),
        *_three([span.taps for span in spans], 1),
    ]
    struct = np.zeros(1, [("at", np.int64, (len(numbers),))])
    struct["at"][0] = numbers
    return struct


def _three(values: Sequence[int], filling: int) -> tuple[int, ...]:
    return (filling,) * (AXES - len(values)) + tuple(values)


def runs(entries: int, counts: Sequence[int], length: int = RUN) -> int:
    """Runs of `length` columns; groups of entries side by side are filled up."""
    beside = min(SIDE_BY_SIDE, entries)
    return ceil_div(entries, beside) * beside * prod(counts[:-1]) * ceil_div(counts[-1], length)


@dataclass(frozen=True)
class Module:
    """What the kernels of a call are compiled for, and which of them it needs: they are compiled together."""

    types: tuple[tuple[str, str], ...]
    kernels: tuple[str, ...]

    @classmethod
    def of(cls, storage: str, sample: str, result: str, kernels: tuple[str, ...]) -> Module:
        return cls((("SAMPLE", sample), ("STORAGE", storage), ("RESULT", result)), kernels)

    def launch(self, kernel: str, blocks: int, arguments: tuple[Any, ...]) -> Launch:
        return Launch(SOURCE, kernel, self.types, blocks, THREADS, 0, arguments, self.kernels)


# Of images whose samples are looked at, of others, and of the spectra of kernels.
CHECKED = ("clear", "gather", "rescale", "multiply", "crop", "mark")
UNCHECKED = ("gather", "multiply", "crop")
OF_HOST_KERNEL = ("gather",)
OF_DEVICE_KERNEL = ("clear", "gather", "rescale")


@dataclass(frozen=True)
class Memory:
    """The arrays on the device that one block is worked in, and the kernels that do.

    Attributes
    ----------
    module : Module
    spectra, samples : array
        The block: complex, (entries, frequencies), and the same memory as samples.
    second, second_samples : array
        Another one for the imaginary part of a complex kernel; `spectra` itself where there is none.
    flags, kernel_flag : array
        Of uint32: one per entry, and one of the kernel.
    mask : array
        Of uint32: a bit for each sample of the block, which says that it was not finite.
    """

    module: Module
    spectra: Any
    samples: Any
    second: Any
    second_samples: Any
    flags: Any
    kernel_flag: Any
    mask: Any

    @classmethod
    def around(cls, module: Module, spectra: Any, second: Any, dtype: str, *words: Any) -> Memory:
        """Of samples of `dtype`; the last three arrays are `words`."""
        samples = spectra.view(np.dtype(dtype))
        return cls(
            module, spectra, samples, second, samples if second is spectra else second.view(np.dtype(dtype)), *words
        )

    def of(self, block: Block) -> Memory:
        """The part of it that a block of fewer entries takes."""
        count = block.entries
        if count == self.spectra.shape[0]:
            return self
        spectra, second = self.spectra[:count], self.second[:count]
        return Memory.around(self.module, spectra, second, block.dtype, self.flags[:count], self.kernel_flag, self.mask)


def clear(flags: Any, module: Module) -> Launch:
    return module.launch("clear", ceil_div(flags.size, THREADS), (flags, np.int64(flags.size)))


def gather(x: Any, memory: Memory, fill: np.generic, at: np.ndarray, block: Block, checked: int) -> Launch:
    """Fills the block with samples of x, or of a kernel."""
    blocks = ceil_div(runs(block.entries, block.lengths), WARPS)
    arrays = x, memory.samples, memory.flags, memory.mask
    return memory.module.launch("gather", blocks, (*arrays, fill, np.int32(checked), at))


def rescale(memory: Memory, at: np.ndarray, block: Block) -> Launch:
    blocks = ceil_div(runs(block.entries, block.lengths), WARPS)
    return memory.module.launch("rescale", blocks, (memory.samples, memory.flags, at))


def multiply(memory: Memory, factors: Sequence[Any], block: Block) -> Launch:
    """By the spectrum of the kernel, or by those of its real and imaginary parts."""
    blocks = ceil_div(block.frequencies, THREADS) * ceil_div(block.entries, TOGETHER)
    numbers = np.int64(block.frequencies), np.int64(block.entries), np.int32(len(factors) > 1)
    arrays = memory.spectra, factors[0], memory.second, factors[-1]
    return memory.module.launch("multiply", blocks, (*arrays, *numbers))


@dataclass(frozen=True)
class Scale:
    """What outputs are multiplied by: 2^exponent / samples, and whose flags add to the exponent."""

    samples: int
    exponent: int
    checked: bool
    kernel_checked: bool


def crop(memory: Memory, y: Any, scale: Scale, at: np.ndarray, block: Block, counts: Sequence[int]) -> Launch:
    """Outputs to y, rounded once."""
    blocks = ceil_div(runs(block.entries, counts), WARPS)
    arrays = memory.samples, memory.second_samples, memory.flags, memory.kernel_flag, y
    checked = np.int32(scale.checked), np.int32(scale.kernel_checked)
    numbers = np.dtype(real_of(block.dtype)).type(1 / scale.samples), np.int32(scale.exponent), *checked
    return memory.module.launch("crop", blocks, (*arrays, *numbers, at))


def mark(memory: Memory, support: Any, y: Any, at: np.ndarray, block: Block, counts: Sequence[int]) -> Launch:
    """NaN to the outputs that see a bad sample: gather left the mask, `support` has the bits of the taps."""
    planes, rows, columns = _three(block.lengths, 1)
    words = ceil_div(columns, LANES)
    threads = block.entries * prod(counts[:-1]) * ceil_div(counts[-1], LANES)
    arguments = (y, memory.mask, support, memory.flags, np.int64(planes), np.int64(rows), np.int64(words), at)
    return memory.module.launch("mark", ceil_div(threads, THREADS), arguments)


def mask_words(block: Block) -> int:
    return block.entries * prod(block.lengths[:-1]) * ceil_div(block.lengths[-1], LANES)


def pack(kernel: Any, support: Any, at: np.ndarray) -> Launch:
    """Bits of the taps that are not zero, from a kernel on the device."""
    name = dtype_name(kernel.dtype)
    module = Module.of(name, name, name, ("pack",))
    return module.launch("pack", ceil_div(support.size, THREADS), (kernel, support, at))


def host_support(kernel: np.ndarray) -> np.ndarray:
    """The same from a kernel at hand."""
    last = kernel.shape[-1]
    padded = np.zeros((*kernel.shape[:-1], ceil_div(last, LANES) * LANES), bool)
    padded[..., :last] = kernel != 0
    return np.packbits(padded, axis=-1, bitorder="little").view("<u4").astype(np.uint32).ravel()
