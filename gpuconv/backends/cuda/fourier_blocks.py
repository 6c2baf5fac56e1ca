"""How transforms are cut into blocks so that they fit into memory: arithmetic alone, nothing is allocated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from gpuconv.backends.cuda.cufft import MOST_SAMPLES, Block
from gpuconv.backends.cuda.launch import ceil_div
from gpuconv.core.dtypes import ITEMSIZE, complex_of
from gpuconv.core.frequencies import fast_length

# Free memory is asked for where a call needs more than this part of all there is; below, running out is answered.
ASKED_FROM = 8
# Bytes of blocks that are transformed together: a good part of a large card's second-level cache (40 to 60 MiB), and
# enough work for all of its multiprocessors. Not measured.
TOGETHER_BYTES = 2**25


@dataclass(frozen=True)
class Cut:
    """Blocks of one call: `entries` of the batch at a time, `tiles` of the last axis, in transforms of `lengths`.

    Attributes
    ----------
    entries : int
    lengths, taps, counts : tuple of int
        FFT length, taps and outputs per transformed axis.
    dtype : str
        Of the samples that are transformed.
    kernels : int
        2 where a complex kernel meets real samples, else 1.
    checked : bool
        True where a bit is kept for every sample, that says whether it is finite.
    tiles : int
        Blocks along the last axis that are transformed together.
    """

    entries: int
    lengths: tuple[int, ...]
    taps: tuple[int, ...]
    counts: tuple[int, ...]
    dtype: str
    kernels: int = 1
    checked: bool = True
    tiles: int = 1

    @cached_property
    def block(self) -> Block:
        return Block(self.entries * self.tiles, self.lengths, self.dtype)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Outputs of a block per axis."""
        return tuple(length - taps + 1 for length, taps in zip(self.lengths, self.taps, strict=True))

    @cached_property
    def bytes(self) -> int:
        """What one block needs beside input and result."""
        return block_bytes(self.block.entries, self.lengths, self.dtype, self.kernels, self.checked)

    def halved(self) -> Cut | None:
        """The next smaller one; None if there is none. Tiles and entries first: nothing is done twice for that."""
        if self.tiles > 1:
            return replace(self, tiles=ceil_div(self.tiles, 2))
        if self.entries > 1:
            return replace(self, entries=ceil_div(self.entries, 2))
        # Then the axis on which blocks waste least: longest compared to its taps.
        axes = sorted(range(len(self.lengths)), key=lambda axis: -self.lengths[axis] / self.taps[axis])
        for axis in axes:
            shorter = fast_length(ceil_div(self.sizes[axis], 2) + self.taps[axis] - 1)
            if shorter < self.lengths[axis]:
                return replace(self, lengths=(*self.lengths[:axis], shorter, *self.lengths[axis + 1 :]))
        return None


def block_bytes(entries: int, lengths: tuple[int, ...], dtype: str, kernels: int, checked: bool) -> int:
    """Bytes of a block, of its plans' work areas and of the kernel's spectra; arguments as in `Cut`."""
    block = Block(entries, lengths, dtype)
    single = block.frequencies * ITEMSIZE[complex_of(dtype)]
    mask = entries * prod(lengths[:-1]) * ceil_div(lengths[-1], 32) * 4 if checked else 0
    work_areas = 2 if block.is_real else 1
    return (kernels + work_areas) * block.bytes + kernels * single + mask


def tiles_together(entries: int, lengths: tuple[int, ...], dtype: str, tiles: int) -> int:
    """How many of `tiles` blocks along the last axis are transformed in one go: as many as fill a cache."""
    return max(min(TOGETHER_BYTES // Block(entries, lengths, dtype).bytes, tiles), 1)


def first_cut(whole: Cut, budget: int | None) -> Cut:
    """The largest cut of `whole` that needs no more than `budget` bytes, or else the smallest there is."""
    cut = whole
    while cut.block.entries * cut.block.entry_pitch > MOST_SAMPLES or (budget is not None and cut.bytes > budget):
        smaller = cut.halved()
        if smaller is None:
            return cut
        cut = smaller
    return cut


def budget(needed: int, limit: int | None, total: int, free: Callable[[], int]) -> int | None:
    """Bytes that a call may take: what the user allows, and what is free where a good part of `total` is needed.

    Free memory is counted only for large work, so that others take the same path whatever else lies on the device.
    """
    if needed * ASKED_FROM <= total:
        return limit
    return free() if limit is None else min(limit, free())


def chunks(count: int, entries: int) -> Sequence[tuple[int, int]]:
    """First entry and number of entries of each block along the batch."""
    return [(start, min(entries, count - start)) for start in range(0, count, entries)]
