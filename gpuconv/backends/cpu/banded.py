"""Along one axis as products with band matrices, for large work where no compiled loops are at hand.

Outputs and samples of an axis are cut into tiles of b. A tile of samples contributes to m tiles of outputs, through m
blocks of the band matrix that are the same for every tile: one product of (m b x b) by (b x neighbouring lines). What
belongs to one tile of outputs is then added up. So an output is a sum of m sums of up to b products, and no product
is rounded more than ``b + m - 1`` times by half an eps: b is chosen for that to stay within the documented ``2
sqrt(taps) eps`` (`tiles_of`). The products are small enough for threads of ours (see `products`).

Every sample also meets the zeros of its blocks. Where it is not finite, they would spread it to outputs up to b away:
a block of outputs that is not finite is therefore summed again by loops that meet taps alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gpuconv.backends.cpu.products import LARGEST, THREADED_FROM, run_tasks
from gpuconv.core.boundary import Span, extend
from gpuconv.core.namespace import home_of

# Bytes that the products of a block take: half of a second-level cache of 2 MiB.
BLOCK_BYTES = 2**20
# Neighbouring lines of a product; fewer than the least are brought together by a copy.
LINES, FEWEST_LINES = 96, 16
# Taps from which SciPy's loop is slower on one processor, too, along the axis that suits it less; in double precision
# it sums up to 56 symmetric taps in one go. Processor time, SciPy's by this one's, 1024^2, first and last axis: float32
# 9 taps 3.0 and 0.9, 17 taps 3.2 and 1.1, 65 taps 3.7 and 2.2; float64 17 taps 2.3 and 0.7, 33 taps 2.1 and 0.9, 65
# taps 5.1 and 2.5. Below the products of a tap and a sample that several threads share, little is won.
FEWEST_TAPS = {"float32": 17, "float64": 33}
WORK = THREADED_FROM

Loop = Callable[[np.ndarray, np.ndarray, Span, Any], np.ndarray]


def why_not(dtype: str, taps_dtype: str, taps: int, work: int) -> str | None:
    """Why products with band matrices do not do `work` products with so many taps; None if they do."""
    fewest = FEWEST_TAPS.get(dtype)
    if fewest is None or taps_dtype in ("complex64", "complex128"):
        return f"matrix products are for float32 and float64, these are {dtype} and {taps_dtype}"
    if taps < fewest:
        return f"{taps} taps are fewer than the {fewest} from which matrix products are faster"
    if work < WORK:
        return f"{work} products are less than the {WORK} from which matrix products are worth their start"
    return None


@dataclass(frozen=True)
class Band:
    """The blocks of a band matrix that one tile of samples meets, one below the other; tile and count: b and m."""

    blocks: np.ndarray
    tile: int
    count: int

    @classmethod
    def of(cls, taps: np.ndarray, dtype: np.dtype) -> Band:
        tile, count = tiles_of(taps.size)
        # Row q b + i, column k: the tap with which sample k of a tile meets output i of the q-th tile before it.
        places = np.arange(count * tile) // tile * tile - np.arange(count * tile) % tile
        places = places[:, np.newaxis] + np.arange(tile)
        inside = (places >= 0) & (places < taps.size)
        blocks = np.where(inside, taps.astype(dtype)[np.clip(places, 0, taps.size - 1)], 0)
        return cls(blocks.astype(dtype), tile, count)

    def outputs(self, samples: np.ndarray) -> np.ndarray:
        """(outputs, lines) of samples (whole tiles, lines), as many tiles less than `count` - 1."""
        tiles, lines = samples.shape[0] // self.tile, samples.shape[1]
        down, across = samples.strides
        stack = as_strided(samples, (tiles, self.tile, lines), (self.tile * down, down, across), writeable=False)
        products = np.matmul(self.blocks, stack).reshape(tiles, self.count, self.tile, lines)
        tile_step, block_step, *steps = products.strides
        wanted = tiles - self.count + 1
        parts = as_strided(
            products,
            (wanted, self.count, self.tile, lines),
            (tile_step, tile_step + block_step, *steps),
            writeable=False,
        )
        return np.add.reduce(parts, axis=1).reshape(wanted * self.tile, lines)


def tiles_of(taps: int) -> tuple[int, int]:
    """b and m for so many taps: few large tiles as far as the bound on rounding allows.

    ``(b + m - 1) / 2 <= 2/3 sqrt(3 taps + 16)`` for each of up to three passes makes, since a root is concave, no more
    than the ``2 sqrt(sum of taps + 16)`` that is documented for all of them.
    """
    most = 4 / 3 * sqrt(3 * taps + 16)
    tile = max(b for b in range(2, int(most) + 1, 2) if b - (1 - taps) // b <= most)
    return tile, 1 - (1 - taps) // tile


def correlate_banded(x: np.ndarray, taps: np.ndarray, span: Span, cval: Any, loop: Loop) -> np.ndarray:
    """``y[i] = sum_j taps[j] x~[first + i + j]`` along `span`; `loop` is what sums outputs that are not finite."""
    inner = prod(x.shape[span.axis + 1 :])
    if 1 < inner < FEWEST_LINES:
        moved = np.ascontiguousarray(np.moveaxis(x, span.axis, -1))
        last = Span(x.ndim - 1, span.size, span.taps, span.first, span.count, span.boundary)
        return np.moveaxis(correlate_banded(moved, taps, last, cval, loop), -1, span.axis)
    result = np.empty((*x.shape[: span.axis], span.count, *x.shape[span.axis + 1 :]), x.dtype)
    if result.size == 0:
        return result
    # (outer, axis, lines): lines are neighbours, or all that is not the axis where that comes last.
    source = np.ascontiguousarray(x).reshape(-1, span.size, inner)
    target = result.reshape(-1, span.count, inner)
    if inner == 1:
        source, target = source.transpose(2, 1, 0), target.transpose(2, 1, 0)
    band = Band.of(taps, x.dtype)
    lines = min(LINES, max(LARGEST // band.blocks.size, FEWEST_LINES))
    tiles = max(BLOCK_BYTES // (band.blocks.shape[0] * lines * x.itemsize), 3 * band.count)
    rows = min((tiles - band.count + 1) * band.tile, -(-span.count // band.tile) * band.tile)

    def run(task: tuple[int, int, int]) -> None:
        outer, start, left = task
        part = replace(span, axis=0).part(start, min(rows, span.count - start))
        samples = source[outer, :, left : left + lines]
        sums = band.outputs(_whole_tiles(samples, band, part, cval))[: part.count]
        if not np.isfinite(sums).all():
            sums = loop(samples, taps, part, cval)
        target[outer, start : start + part.count, left : left + lines] = sums

    tasks = product(range(source.shape[0]), range(0, span.count, rows), range(0, source.shape[2], lines))
    run_tasks(run, list(tasks), result.size * taps.size)
    return result


def _whole_tiles(samples: np.ndarray, band: Band, span: Span, cval: Any) -> np.ndarray:
    """What the outputs of `span` read, and more up to whole tiles: a view where there is more, else a copy."""
    length = (-(-span.count // band.tile) + band.count - 1) * band.tile
    if span.first >= 0 and span.first + length <= span.size:
        return samples[span.first : span.first + length]
    whole = np.zeros((length, samples.shape[1]), samples.dtype)
    whole[: span.length] = extend(home_of(samples).xp, samples, span, cval)
    return whole
