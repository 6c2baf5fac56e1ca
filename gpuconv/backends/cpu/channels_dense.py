"""Windows and channels of large arrays on compiled loops: how they are cut into blocks, weights put side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cpu.axis import fill_values, numbers_of, real_taps
from gpuconv.backends.cpu.bands import launch
from gpuconv.backends.cpu.channels_loops import CHANNELS
from gpuconv.backends.cpu.channels_tiles import TOGETHER, channels_address
from gpuconv.backends.cpu.compiled import Edges, address, band_count, group_length
from gpuconv.backends.cpu.formats import read_formats
from gpuconv.backends.cpu.vectors import REGISTER_BYTES
from gpuconv.backends.generic.channels import counts_among
from gpuconv.core.boundary import Span

# Bytes of an extended block of all channels of a group: a quarter of a second-level cache of 1 MiB; weights share it.
BLOCK_BYTES = 2**18
# Outputs of a block: columns, rows and planes at most.
MOST = (2, 16, 1024)
# Rows this far apart compete for the same places in the first-level cache.
PAGE = 4096


@dataclass(frozen=True)
class _Axis:
    """A span with its stride and dilation; the strides of source and result in bytes."""

    span: Span
    stride: int = 1
    dilation: int = 1
    source: int = 0
    destination: int = 0

    @property
    def outputs(self) -> int:
        return -(-self.span.count // self.stride)

    @property
    def taps(self) -> int:
        return (self.span.taps - 1) // self.dilation + 1

    def read(self, outputs: int) -> int:
        """Samples that so many outputs read."""
        return (outputs - 1) * self.stride + self.span.taps

    def numbers(self, block: int, width: int) -> list[int]:
        """What the loop needs of it. block: outputs that are computed from one block of scratch."""
        span = self.span
        place = [span.size, span.first, self.source, self.destination]
        return [*place, self.outputs, block, span.taps, 1, width, self.stride]


@dataclass(frozen=True)
class _Block:
    """Outputs of a block along planes, rows and columns; its bytes: of a channel, a plane, a row, and the columns of a
    phase, and of a row that is read before its columns are sorted by phase."""

    outputs: tuple[int, int, int]
    pitches: tuple[int, int, int, int, int]

    @classmethod
    def of(cls, axes: Sequence[_Axis], outputs: Sequence[int], width: int) -> _Block:
        planes, rows, columns = axes
        fewest = max(outputs[2], REGISTER_BYTES // width)
        phase = _padded((fewest + (columns.span.taps - 1) // columns.stride) * width)
        row = phase * columns.stride
        if row % PAGE == 0:
            row += REGISTER_BYTES
        plane = row * rows.read(outputs[1])
        plain = _padded(columns.read(outputs[2]) * width)
        return cls((outputs[0], outputs[1], outputs[2]), (plane * planes.read(outputs[0]), plane, row, phase, plain))

    @classmethod
    def fitting(cls, axes: Sequence[_Axis], channels: int, width: int) -> _Block:
        """As large as the cache allows: rows are given up first, then planes, then columns."""
        outputs = [min(axis.outputs, most) for axis, most in zip(axes, MOST, strict=True)]
        outputs[2] = -(-axes[2].outputs // -(-axes[2].outputs // outputs[2]))
        fewest = (1, 1, min(outputs[2], TOGETHER * REGISTER_BYTES // width))
        for place in (1, 0, 2):
            while outputs[place] > fewest[place]:
                if cls.of(axes, outputs, width).pitches[0] * channels <= BLOCK_BYTES:
                    break
                outputs[place] = max((outputs[place] + 1) // 2, fewest[place])
        return cls.of(axes, outputs, width)


def correlate_dense(
    x: np.ndarray,
    kernel: np.ndarray,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    cval: Any,
) -> np.ndarray:
    """``y[b, o, i] = sum_{c, j} kernel[o, c, j] x~[b, c, first + stride i + dilation j]`` of real numbers."""
    x, formats = read_formats(x, x.dtype, None)
    result = np.empty((x.shape[0], kernel.shape[0], *counts_among(spans, strides)), x.dtype)
    axes = [
        _Axis(span, stride, dilation, x.strides[span.axis], result.strides[span.axis])
        for span, stride, dilation in zip(spans, strides, dilations, strict=True)
    ]
    axes = [_Axis(Span(-1, 1, 1, 0, 1, "constant"))] * (3 - len(axes)) + axes
    fill = fill_values(cval, x.dtype)
    width, inputs, outputs = fill.itemsize, kernel.shape[1], kernel.shape[0] // groups
    block = _Block.fitting(axes, inputs, width)
    weights = _side_by_side(real_taps(kernel, x.dtype).reshape(groups, outputs, -1))
    distances = _distances(axes, inputs, block, width)
    products = prod(kernel.shape[1:])
    scratch = [
        inputs * block.pitches[0],
        *block.pitches,
        block.pitches[4] * prod(axis.read(count) for axis, count in zip(axes[:2], block.outputs[:2], strict=True)),
    ]
    channels = inputs, x.strides[1], outputs, result.strides[1]
    numbers = numbers_of(
        [channels_address(fill.dtype), width],
        [address(weights), products << 32 | group_length(products), address(distances), weights[0, 0].nbytes],
        [address(fill), fill.size],
        [address(x), address(result), x.shape[0], x.strides[0], result.strides[0], groups, *channels, *scratch],
        *(axis.numbers(count, width) for axis, count in zip(axes, block.outputs, strict=True)),
    )
    edges = [Edges.of(axis.span) for axis in axes]
    tasks = x.shape[0] * groups * prod(-(-axis.outputs // n) for axis, n in zip(axes, block.outputs, strict=True))
    launch(
        CHANNELS,
        band_count(result.size * products, tasks),
        *numbers,
        *(part for each in edges for part in (each.before, each.after)),
        *numbers_of(formats.numbers()),
    )
    return result


def _side_by_side(weights: np.ndarray) -> np.ndarray:
    """(groups, outputs, products) as (groups, panels, products, channels of a panel), with zeros after the last."""
    groups, outputs, products = weights.shape
    panels = -(-outputs // TOGETHER)
    padded = np.zeros((groups, panels * TOGETHER, products), weights.dtype)
    padded[:, :outputs] = weights
    return np.ascontiguousarray(padded.reshape(groups, panels, TOGETHER, products).swapaxes(2, 3))


def _distances(axes: Sequence[_Axis], inputs: int, block: _Block, width: int) -> np.ndarray:
    """Bytes from the first sample of a window to the one that meets each weight of an output."""
    channel, plane, row, phase, _ = block.pitches
    planes, rows, columns = axes
    places = []
    for c, p, r, j in product(range(inputs), *(range(axis.taps) for axis in axes)):
        ahead, part = divmod(j * columns.dilation, columns.stride)
        down = p * planes.dilation * plane + r * rows.dilation * row
        places.append(c * channel + down + part * phase + ahead * width)
    return np.array(places, np.int64)


def _padded(size: int) -> int:
    """As many bytes in whole registers."""
    return -(-size // REGISTER_BYTES) * REGISTER_BYTES
