"""Windows and channels as matrix products: a block of windows is written out as columns that fit the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gpuconv.backends.cpu.products import Pieces, run_tasks
from gpuconv.backends.generic.channels import counts_among
from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.namespace import home_of

# Bytes of the columns of a block: with the products of a block they share a second-level cache of 1 MiB.
COLUMN_BYTES = 2**18
# Positions of a block at least: fewer would be products of a matrix and a vector.
FEWEST = 32
# Sums over blocks are kept apart for so many bands of blocks, whatever the number of threads.
BANDS = 16


@dataclass(frozen=True)
class _Work:
    """What is read and how: arrays are (batch, channels, \\*space), shape is that of the kernel."""

    x: np.ndarray
    shape: tuple[int, ...]
    spans: tuple[Span, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int
    cval: Any

    @property
    def counts(self) -> tuple[int, ...]:
        return counts_among(self.spans, self.strides)

    @property
    def rows(self) -> int:
        """Outputs of a group."""
        return self.shape[0] // self.groups

    @property
    def depth(self) -> int:
        """Products of an output."""
        return prod(self.shape[1:])

    @property
    def products(self) -> int:
        return self.x.shape[0] * self.shape[0] * prod(self.counts) * self.depth

    def blocks(self) -> list[tuple[int, tuple[slice, ...]]]:
        """Image and outputs of every block: whole last axes as far as there is room, then a part of the next."""
        room = max(COLUMN_BYTES // (self.x.itemsize * self.groups * self.depth), FEWEST)
        tile: list[int] = []
        for size in reversed(self.counts):
            tile.insert(0, max(1, min(size, room)))
            room //= tile[0]
        cuts = [
            [slice(start, min(start + step, size)) for start in range(0, size, step)]
            for size, step in zip(self.counts, tile, strict=True)
        ]
        return [(image, corner) for image in range(self.x.shape[0]) for corner in product(*cuts)]

    def windows(self, image: int, block: Sequence[slice]) -> np.ndarray:
        """(channels, \\*taps, \\*outputs): a view of the samples that the block reads, extended."""
        spans = [
            span.part(stride * part.start, stride * (part.stop - part.start - 1) + 1)
            for span, stride, part in zip(self.spans, self.strides, block, strict=True)
        ]
        (samples,) = extend_all(home_of(self.x).xp, self.x[image : image + 1], spans, self.cval)
        strides = [
            samples.strides[0],
            *(step * dilation for step, dilation in zip(samples.strides[1:], self.dilations, strict=True)),
            *(step * stride for step, stride in zip(samples.strides[1:], self.strides, strict=True)),
        ]
        sizes = [part.stop - part.start for part in block]
        return as_strided(samples, (samples.shape[0], *self.shape[2:], *sizes), strides, writeable=False)

    def columns(self, image: int, block: Sequence[slice], depth: int, width: int) -> np.ndarray:
        """The windows side by side, (groups, depth, width), with zeros after the last of each axis."""
        windows = self.windows(image, block)
        used = prod(windows.shape[-len(block) :])
        columns = np.empty((self.groups, depth, width), self.x.dtype)
        columns[:, self.depth :] = 0
        columns[:, :, used:] = 0
        taps_and_outputs = (*self.shape[1:], *windows.shape[-len(block) :])
        target = columns[:, : self.depth, :used].reshape(self.groups, *taps_and_outputs)
        target[...] = windows.reshape(self.groups, *taps_and_outputs)
        return columns


def correlate_products(
    x: np.ndarray,
    kernel: np.ndarray,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    cval: Any,
) -> np.ndarray:
    """``y[b, o, i] = sum_{c, j} kernel[o, c, j] x~[b, c, first + stride i + dilation j]`` of real numbers."""
    work = _Work(x, kernel.shape, tuple(spans), tuple(strides), tuple(dilations), groups, cval)
    result = np.empty((x.shape[0], kernel.shape[0], *work.counts), np.result_type(x.dtype, kernel.dtype))
    grouped = result.reshape(x.shape[0], groups, work.rows, *work.counts)
    pieces = Pieces.of(work.rows, work.depth)
    left = pieces.left(kernel.reshape(groups, work.rows, work.depth))

    def run(task: tuple[int, tuple[slice, ...]]) -> None:
        image, block = task
        index: Any = (image, slice(None), slice(None), *block)
        target = grouped[index]
        used = prod(target.shape[2:])
        columns = work.columns(image, block, pieces.parts * pieces.together, pieces.whole_columns(used))
        sums = pieces.product(left, columns, work.rows)
        target[...] = sums[:, :, :used].reshape(target.shape)

    run_tasks(run, work.blocks(), work.products)
    return result


def weigh_products(
    x: np.ndarray,
    y: np.ndarray,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    cval: Any,
) -> np.ndarray:
    """``kernel[o, c, j] = sum_{b, i} x~[b, c, first + stride i + dilation j] y[b, o, i]`` of real numbers."""
    taps = [(span.taps - 1) // dilation + 1 for span, dilation in zip(spans, dilations, strict=True)]
    shape = (y.shape[1], x.shape[1] // groups, *taps)
    work = _Work(x, shape, tuple(spans), tuple(strides), tuple(dilations), groups, cval)
    grouped = y.reshape(y.shape[0], groups, work.rows, *work.counts)
    blocks = work.blocks()
    bands = [blocks[len(blocks) * i // BANDS : len(blocks) * (i + 1) // BANDS] for i in range(BANDS)]

    def run(band: Sequence[tuple[int, tuple[slice, ...]]]) -> np.ndarray:
        total = np.zeros((groups, work.rows, work.depth), np.result_type(x.dtype, y.dtype))
        for image, block in band:
            index: Any = (image, slice(None), slice(None), *block)
            weights = grouped[index].reshape(groups, work.rows, -1)
            pieces = Pieces.of(work.rows, weights.shape[2])
            # Positions are summed over: columns of windows become rows.
            columns = work.columns(image, block, work.depth, pieces.parts * pieces.together)
            padded = np.zeros((groups, pieces.parts * pieces.together, pieces.whole_columns(work.depth)), x.dtype)
            padded[:, :, : work.depth] = columns.swapaxes(1, 2)
            total += pieces.product(pieces.left(weights), padded, work.rows)[:, :, : work.depth]
        return total

    total = np.zeros((groups, work.rows, work.depth), np.result_type(x.dtype, y.dtype))
    for part in run_tasks(run, [band for band in bands if band], work.products):
        total += part
    return total.reshape(shape)
