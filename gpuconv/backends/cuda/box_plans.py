"""How a line is cut into tiles for ``boxes.cu``: which part of it a block has in shared memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from gpuconv.backends.cuda.launch import MAX_SHARED, ceil_div

# Of boxes.cu: samples of a chunk.
CHUNK = 7
THREADS = 256
# Chunks that are added one by one, before their sums are doubled.
DIRECT = 8
# Of the four blocks that a multiprocessor holds where sums have four bytes: so much is an A100's shared memory.
COMFORTABLE_SHARED = 40 * 1024
# Chunks of a thread along an axis: finding its place takes as many instructions as the outputs of a chunk or two. But
# only where as many blocks are left as a card holds at once: 132 multiprocessors of an H200 have four each.
ROUNDS, BLOCKS = 4, 528
# Wanted outputs of a tile for each tap: samples are then loaded five quarters times, all but once from a cache.
OUTPUTS_A_TAP = 4
# Memory is read in sectors.
SECTOR = 32


@dataclass(frozen=True)
class Plan:
    """Launches of ``boxes.cu``: names as there.

    Attributes
    ----------
    lanes, parts, rows : int
        Threads side by side, along the axis, and for lines outside of it.
    chunks : int
        Of outputs of a tile.
    taps : int
        With a hole less than there are.
    doublings : int
    staged : bool
        Whether outputs go by way of shared memory.
    inner_tiles, axis_tiles : int
        Blocks along the inner axis and along the filtered one.
    threads, shared : int
        Of a block; bytes.
    hole : bool
        Whether tiles are summed before.
    whole_tiles, rest : int
        Whole tiles and more samples that are in every box of a tile.
    summed_tiles : int
        Tiles of a line whose sums are made.
    """

    lanes: int
    parts: int
    rows: int
    chunks: int
    taps: int
    doublings: int
    staged: bool
    inner_tiles: int
    axis_tiles: int
    threads: int
    shared: int
    hole: bool = False
    whole_tiles: int = 0
    rest: int = 0
    summed_tiles: int = 0


@lru_cache(maxsize=4096)
def plan_of(count: int, taps: int, inner: int, row: bool, outer: int, sample_bytes: int, sum_bytes: int) -> Plan:
    """Tiles for lines of `count` outputs, with `inner` channels if `row`, else with others beside them."""
    whole = ceil_div(count, CHUNK)
    widths = [inner] if row else list(lanes_of(inner, whole, sample_bytes))
    enough = min(taps, whole * CHUNK)
    rounds = min(max(whole * inner * outer // (THREADS * BLOCKS), 1), ROUNDS)
    for limit, outputs in ((COMFORTABLE_SHARED, enough), (MAX_SHARED, enough), (MAX_SHARED, enough / 2)):
        for lanes in widths:
            chunks = chunks_within(limit // (lanes * sum_bytes), taps, whole, max(THREADS // lanes, 1) * rounds)
            if chunks and chunks * CHUNK >= outputs:
                return short_plan(count, taps, inner, row, outer, lanes, chunks, sum_bytes)
    lanes = inner if row else next(lanes for lanes in widths if lanes <= 32)
    return long_plan(count, taps, inner, row, lanes, sum_bytes)


def lanes_of(inner: int, chunks: int, sample_bytes: int) -> Iterator[int]:
    """Lanes of columns, the most wanted number first: whole lines of memory, and whole sectors at least."""
    for lanes in (256, 128, 64):
        if lanes * chunks <= THREADS and lanes < 2 * inner:
            yield lanes
    widest = next((lanes for lanes in (8, 16) if lanes >= inner), 32)
    for lanes in (32, 16, 8):
        if lanes == widest or (lanes < widest and lanes * sample_bytes >= SECTOR):
            yield lanes


def doublings_of(between: int) -> int:
    """How often sums of a few chunks are doubled for one of so many."""
    return (between // (DIRECT + 1)).bit_length()


def sums_of(chunks: int, taps: int) -> int:
    """Numbers that a line of a tile has in shared memory."""
    between = taps // CHUNK - 1
    doublings = doublings_of(between)
    whole = chunks + between - 1
    doubled = whole + 1 - (between >> doublings) if doublings else 0
    return chunks * CHUNK + taps - 1 + whole + 2 * doubled


def chunks_within(sums: int, taps: int, whole: int, wanted: int) -> int:
    """Chunks of a tile: those wanted, those of a line, or what has room beside the taps; 0 if nothing has."""
    each = sums_of(2, taps) - sums_of(1, taps)
    room = (sums - sums_of(0, taps)) // each
    return max(min(room, max(wanted, ceil_div(OUTPUTS_A_TAP * taps, CHUNK)), whole), 0)


def short_plan(count: int, taps: int, inner: int, row: bool, outer: int, lanes: int, most: int, sum_bytes: int) -> Plan:
    """Tiles of up to `most` chunks that lie in shared memory with all that their boxes reach."""
    whole = ceil_div(count, CHUNK)
    tiles = ceil_div(whole, most)
    chunks = ceil_div(whole, tiles)
    parts = parts_of(chunks, lanes)
    row_bytes = sums_of(chunks, taps) * lanes * sum_bytes
    rows = 1
    if row and tiles == 1:
        rows = max(1, min(THREADS // (parts * lanes), COMFORTABLE_SHARED // row_bytes, outer))
    threads = ceil_div(rows * parts * lanes, 32) * 32
    doublings = doublings_of(taps // CHUNK - 1)
    return Plan(
        lanes, parts, rows, chunks, taps, doublings, row, ceil_div(inner, lanes), tiles, threads, rows * row_bytes
    )


def parts_of(chunks: int, lanes: int) -> int:
    """Threads along the axis, each of which has as many chunks as the others or one less."""
    return ceil_div(chunks, ceil_div(chunks, max(THREADS // lanes, 1)))


def long_plan(count: int, taps: int, inner: int, row: bool, lanes: int, sum_bytes: int) -> Plan:
    """Tiles without the chunks that all their boxes have in common."""
    steps, left = divmod(taps, CHUNK)

    def sums(chunks: int) -> int:
        return sums_of(chunks, squeezed(chunks)) + parts_of(chunks, lanes)

    def squeezed(chunks: int) -> int:
        return (chunks + 1) * CHUNK + left

    limit = COMFORTABLE_SHARED // (lanes * sum_bytes)
    most = max((n for n in range(1, min(steps, 2 * THREADS) + 1) if sums(n) <= limit), default=1)
    # What is left of the taps beside whole tiles is read once more.
    chunks = min(range(most - most // 4, most + 1), key=lambda n: ((steps - n) % n / n, -n))
    tiles = ceil_div(count, chunks * CHUNK)
    whole_tiles, rest = divmod(steps - chunks, chunks)
    parts = parts_of(chunks, lanes)
    return Plan(
        lanes,
        parts,
        1,
        chunks,
        squeezed(chunks),
        doublings_of(chunks),
        row,
        ceil_div(inner, lanes),
        tiles,
        ceil_div(parts * lanes, 32) * 32,
        sums(chunks) * lanes * sum_bytes,
        True,
        whole_tiles,
        rest * CHUNK,
        tiles - 1 + whole_tiles,
    )
