"""Sums over windows and channels, a tile of outputs at a time in vector registers; see `vectors`.

A tile is some outputs of several channels at once: a sample loaded once meets the weights of all of them, which lie
side by side. What is read lies in scratch that is extended already, so that the samples that meet a weight have a
fixed distance from the first: there is a list of these distances, in the order of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from gpuconv.backends.cpu.compiling import compiled_address
from gpuconv.backends.cpu.instructions import INDEX, caller, instruction
from gpuconv.backends.cpu.vectors import REGISTER_BYTES, Emitter

# 24 sums, three samples and one weight fill 32 registers, 12 of them fill 16.
TOGETHER = 8 if REGISTER_BYTES == 64 else 4
VECTORS = 3
TILE_BYTES = VECTORS * REGISTER_BYTES


def _channel_tile(vectors: int) -> Any:
    """``y[r, i] = sum_k weights[k, r] *(source + distances[k] + i)`` for `TOGETHER` channels r, `rows` of them kept."""

    @instruction
    def tile(
        builder: Any,
        kind: Any,
        weights: Any,
        count: Any,
        together: Any,
        destination: Any,
        pitch: Any,
        distances: Any,
        source: Any,
        rows: Any,
    ) -> None:
        emit = Emitter(builder, kind, weights, vectors, 0)
        places = builder.inttoptr(distances, INDEX.as_pointer())

        def products(index: Any, sums: list[Any]) -> list[Any]:
            address = builder.add(source, builder.load(builder.gep(places, [index])))
            samples = [emit.load(address, v) for v in range(vectors)]
            first = builder.mul(index, ir.Constant(INDEX, TOGETHER))
            sums = list(sums)
            for r in range(TOGETHER):
                weight = emit.tap(builder.add(first, ir.Constant(INDEX, r)))
                for v in range(vectors):
                    place = r * vectors + v
                    sums[place] = emit.multiply_add(weight, samples[v], sums[place])
            return sums

        def group(first: Any, end: Any) -> list[Any]:
            return emit.loop(first, end, [emit.nothing] * (TOGETHER * vectors), products)

        totals = emit.over_groups(count, together, TOGETHER * vectors, group)
        for r in range(TOGETHER):
            with builder.if_then(builder.icmp_signed("<", ir.Constant(INDEX, r), rows)):
                place = builder.add(destination, builder.mul(pitch, ir.Constant(INDEX, r)))
                for v in range(vectors):
                    emit.store(totals[r * vectors + v], place, v)

    return tile


_whole_tile = _channel_tile(VECTORS)
_narrow_tile = _channel_tile(1)
call_channels = caller(8)


@cache
def channels_address(dtype: np.dtype) -> int:
    """Where `sum_channels` for samples of `dtype` begins."""
    return compiled_address(_channel_sum(dtype), 8, dtype)


def _channel_sum(kind: Any) -> Callable[..., None]:
    width = kind.itemsize

    def sum_channels(
        weights: int, sizes: int, destination: int, pitch: int, distances: int, source: int, samples: int, rows: int
    ) -> None:
        """`samples` neighbouring outputs, no fewer than fill a register, of `rows` channels. sizes: how many products
        an output has, times 2^32, and how many are summed in a row."""
        count, together = sizes >> 32, sizes & 0xFFFFFFFF
        size = samples * width
        start = 0
        while start + TILE_BYTES <= size:
            _whole_tile(kind, weights, count, together, destination + start, pitch, distances, source + start, rows)
            start += TILE_BYTES
        while start < size:
            at = min(start, size - REGISTER_BYTES)
            _narrow_tile(kind, weights, count, together, destination + at, pitch, distances, source + at, rows)
            start += REGISTER_BYTES

    return sum_channels
