"""Outer products on compiled loops: two axes in one sweep, three where a plane fits the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cpu.axis import (
    CHANNELS,
    Dimension,
    fill_values,
    memory_order,
    merged,
    numbers_of,
    real_taps,
    sums_of,
)
from gpuconv.backends.cpu.bands import launch
from gpuconv.backends.cpu.compiled import Edges, address, band_count, group_length
from gpuconv.backends.cpu.compiling import Loop
from gpuconv.backends.cpu.formats import Formats, read_formats
from gpuconv.backends.cpu.planes import PLANES, VOLUMES
from gpuconv.backends.cpu.vectors import ROWS
from gpuconv.core.boundary import Span

# Bytes of a strip of a scratch row, and output rows of a block.
STRIP = 16384
BLOCK_ROWS = 32
# Bytes of a plane of which four stay in the cache between the passes of a volume.
PLANE = 2**20


@dataclass(frozen=True)
class Sweep:
    """One read of `x`: its axes in the order of memory, spans and taps in the same order, and the result."""

    x: np.ndarray
    result: np.ndarray
    spans: tuple[Span, ...]
    taps: tuple[np.ndarray, ...]
    fill: np.ndarray
    outer: Dimension
    channels: int
    formats: Formats

    @property
    def width(self) -> int:
        return self.fill.itemsize

    def edges(self) -> list[np.ndarray]:
        tables = [Edges.of(span) for span in self.spans]
        return [table for edges in tables for table in (edges.before, edges.after)]

    def axis(self, place: int) -> list[int]:
        """What loops need of an axis that they walk along: size, first, strides in source and result."""
        span = self.spans[place]
        return [span.size, span.first, self.x.strides[span.axis], self.result.strides[span.axis]]

    def plane(self) -> list[int]:
        """What loops need of the last axis: size, first, outputs, channels, outputs of a strip."""
        span = self.spans[-1]
        strip = min(max(STRIP // (self.channels * self.width), 1), span.count)
        return [span.size, span.first, span.count, self.channels, strip]

    def ends(self) -> list[int]:
        """Where source and result begin, how often the sweep is made, and how far apart."""
        outer = self.outer
        return [address(self.x), address(self.result), outer.count, outer.source, outer.destination]


def correlate_fused(
    x: np.ndarray, banks: Sequence[Sequence[np.ndarray]], spans: Sequence[Span], cval: Any, wanted: str | None = None
) -> np.ndarray | None:
    """Two or three axes in one sweep, summed over banks of real taps; None where `x` does not lend itself to that."""
    x, formats = read_formats(x, banks[0][0].dtype, wanted)
    if len(spans) > 2 and len(banks) > 1:  # volumes add bank after bank to what lies in the result
        formats = formats.summed()
    sweep = _sweep(x, banks, spans, cval, formats)
    if sweep is None:
        return None
    if len(spans) == 2:
        _run_planes(sweep)
    else:
        size = sweep.spans[1].size * sweep.spans[2].size * sweep.channels * sweep.width
        if size > PLANE or sweep.spans[0].count * sweep.outer.count < 4 * ROWS:
            return None
        _run_volumes(sweep)
    return sweep.result


def is_one_sweep(shape: tuple[int, ...], spans: tuple[Span, ...], dtype: str) -> bool:
    """Whether `correlate_fused` takes an array in C order with samples of this dtype."""
    axes, working = [span.axis for span in spans], np.dtype(dtype)
    channels = prod(shape[axes[-1] + 1 :]) * (2 if working.kind == "c" else 1)
    if len(axes) not in (2, 3) or axes != list(range(axes[0], axes[0] + len(axes))) or channels > CHANNELS:
        return False
    plane = prod(shape[axes[-2] :]) * working.itemsize
    return len(axes) == 2 or (plane <= PLANE and spans[0].count * prod(shape[: axes[0]]) >= 4 * ROWS)


def _sweep(
    x: np.ndarray, banks: Sequence[Sequence[np.ndarray]], spans: Sequence[Span], cval: Any, formats: Formats
) -> Sweep | None:
    order = memory_order(x)
    ranked = sorted(range(len(spans)), key=lambda place: order.index(spans[place].axis))
    axes = [spans[place].axis for place in ranked]
    start, stop = order.index(axes[0]), order.index(axes[-1]) + 1
    if list(order[start:stop]) != axes or min(x.strides, default=0) < 0:
        return None
    shape = list(x.shape)
    for span in spans:
        shape[span.axis] = span.count
    result = np.empty([shape[axis] for axis in order], formats.result).transpose(np.argsort(order))
    parts = [Dimension(x.shape[axis], x.strides[axis], result.strides[axis]) for axis in order]
    width, working = formats.widths[0], formats.working
    inside = merged([*parts[stop:], Dimension(formats.parts, *formats.widths)]) or [Dimension(1, *formats.widths)]
    outer = merged(parts[:start]) or [Dimension(1, 0, 0)]
    channels = inside[0].count
    if len(inside) > 1 or len(outer) > 1 or inside[0].source != width or channels > CHANNELS:
        return None
    if x.strides[axes[-1]] != channels * width:
        return None
    taps = tuple(np.stack([real_taps(bank[place], working) for bank in banks]) for place in ranked)
    spans = tuple(spans[place] for place in ranked)
    return Sweep(x, result, spans, taps, fill_values(cval, working), outer[0], channels, formats)


def _run_planes(sweep: Sweep) -> None:
    rows = sweep.spans[0]
    layout = [*sweep.axis(0), *sweep.ends(), rows.count, BLOCK_ROWS]
    _launch(PLANES, sweep.outer.count * -(-rows.count // BLOCK_ROWS), sweep, layout)


def _run_volumes(sweep: Sweep) -> None:
    depth, rows, _ = sweep.spans
    layout = [*sweep.axis(0), *sweep.ends(), depth.count, *sweep.axis(1), rows.count]
    _launch(VOLUMES, sweep.outer.count * -(-depth.count // ROWS), sweep, layout)


def _launch(loop: Loop, tasks: int, sweep: Sweep, layout: list[int]) -> None:
    taps = [[address(each), each.shape[1], group_length(each.shape[1])] for each in sweep.taps]
    numbers = numbers_of(*taps, [address(sweep.fill), sweep.fill.size], [len(sweep.taps[0]), *layout], sweep.plane())
    work = sweep.result.size * len(sweep.taps[0]) * sum(span.taps for span in sweep.spans)
    ends = [*sweep.edges(), *numbers_of(sweep.formats.numbers())]
    launch(loop, band_count(work, tasks), sums_of(sweep.fill.dtype), *numbers, *ends)
