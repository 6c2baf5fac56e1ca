"""Sweeps over two axes, planned: which lists of taps go together, strips, segments, and all arguments but arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cuda.launch import (
    MAX_BLOCKS,
    MAX_SHARED,
    NO_ARRAY,
    Kinds,
    Launch,
    boundary_define,
    by_value,
    ceil_div,
    collapse,
    group_length,
    order_of_strides,
    strides_in_order,
)
from gpuconv.backends.cuda.runtime import current, empty_in_order
from gpuconv.backends.generic.separable import identity_of
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import ITEMSIZE, is_complex
from gpuconv.core.namespace import dtype_name
from gpuconv.core.shapes import output_shape

# Of separable.cu: rows a step, lists of taps and results of one launch, axes beside the two.
ROWS, MOST, BATCH_AXES = 8, 3, 4
WIDTHS = (128, 64, 32)
# Weights by value: with the rest of the parameters they stay below 4096 bytes.
CAPACITY_BYTES = 3328
# Wider steps than this along the fast axis fetch a sector of memory for every sample.
FAST_STRIDE_BYTES = 32
# Blocks for each multiprocessor, so that the last ones do not leave the others waiting; below it, strips are cut.
BLOCKS_EACH = 16

Bank = Sequence[Any]


def common(banks: Sequence[Bank]) -> str:
    """The dtype of all taps: one complex line makes the others complex."""
    names = [dtype_name(taps.dtype) for bank in banks for taps in bank]
    return next((name for name in names if is_complex(name)), names[0])


def cast(taps: Any, kinds: Kinds) -> Any:
    """Taps in the dtype that the kernels multiply with; what stays exact stays what it is."""
    return taps.astype(kinds.weight, copy=False)


def _unrounded(kinds: Kinds) -> Kinds:
    return Kinds(kinds.storage, kinds.sample, kinds.weight, kinds.sum, kinds.sum)


@lru_cache(maxsize=1024)
def pair_of(strides: tuple[int, ...], spans: tuple[tuple[Span, ...], ...], kinds: Kinds) -> tuple[int, int] | None:
    """Which two of the spans one sweep takes, the slow axis first; None where it could not, or would be slow."""
    near = sorted(range(len(spans[0])), key=lambda place: (abs(strides[spans[0][place].axis]), -place))
    fast, slow = near[0], near[1]
    if abs(strides[spans[0][fast].axis]) > max(FAST_STRIDE_BYTES, ITEMSIZE[kinds.storage]):
        return None
    unions = _union(spans, slow), _union(spans, fast)
    weights = max(each[slow].taps + each[fast].taps for each in spans)
    return (slow, fast) if _fits(unions, 1, weights, kinds) else None


def _union(spans: Sequence[Sequence[Span]], place: int) -> Span:
    """All that any of the spans reads along one axis."""
    column = [each[place] for each in spans]
    first = min(span.first for span in column)
    stop = max(span.first + span.taps for span in column)
    one = column[0]
    return Span(one.axis, one.size, stop - first, first, one.count, one.boundary)


@dataclass(frozen=True)
class Term:
    """An outer product on the slow and the fast axis, both of taps and of spans."""

    taps: tuple[np.ndarray, ...]
    spans: tuple[Span, ...]

    @property
    def line(self) -> Any:
        """What makes its passes along the fast axis the same as another's."""
        return identity_of(self.taps[1]), self.spans[1]


def _groups(terms: list[Term], kinds: Kinds) -> list[list[Term]]:
    """Terms for one launch each, in the order given: as many as its lists and its memory hold."""
    unions = _unions(terms)
    groups: list[list[Term]] = [[]]
    for term in terms:
        together = [*groups[-1], term]
        lines = {each.line: each.taps[1].size for each in together}
        weights = sum(lines.values()) + sum(each.taps[0].size for each in together)
        if len(groups[-1]) == MOST or (groups[-1] and not _fits(unions, len(lines), weights, kinds)):
            groups.append([])
        groups[-1].append(term)
    return groups


def _unions(terms: list[Term]) -> tuple[Span, Span]:
    spans = [term.spans for term in terms]
    return _union(spans, 0), _union(spans, 1)


def _fits(unions: tuple[Span, Span], lines: int, weights: int, kinds: Kinds) -> bool:
    """Whether one launch can have so many lists along the fast axis, and so many weights in all."""
    slow, fast = unions
    width = _width(slow.taps, fast.taps, lines, ITEMSIZE[kinds.sample], ITEMSIZE[kinds.sum])
    return width is not None and weights * ITEMSIZE[kinds.weight] <= CAPACITY_BYTES


@dataclass(frozen=True)
class Sweep:
    """One sweep without its image: a result for each term, or their sum.

    Attributes
    ----------
    count : int
        Results, in memory of `shape` with axes in that `order`.
    weights, geometry : array
        Arguments between results and the cut; `last` are those behind it.
    cuts : tuple of (int, array)
        Blocks and ``struct Cut`` of each launch.
    """

    kinds: Kinds
    fill: type[np.generic]
    count: int
    shape: tuple[int, ...]
    order: tuple[int, ...]
    defines: tuple[tuple[str, str], ...]
    width: int
    shared: int
    weights: np.ndarray
    geometry: tuple[np.ndarray, ...]
    cuts: tuple[tuple[int, np.ndarray], ...]
    last: tuple[np.generic, ...]

    def run(self, x: Any, cval: Any, before: Any = None) -> list[Any]:
        """The results; `before` is added to their sum."""
        results = [empty_in_order(self.shape, self.kinds.result, self.order) for _ in range(self.count)]
        places = (*results, *results[-1:] * (MOST - self.count))
        head = (x, NO_ARRAY if before is None else before, *places, self.weights, self.fill(cval), *self.geometry)
        launch = current().launch
        for blocks, cut in self.cuts:
            arguments = (*head, cut, *self.last)
            launch(Launch("separable.cu", "separable", self.defines, blocks, self.width, self.shared, arguments))
        return results


@lru_cache(maxsize=1024)
def plan_of(
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    dtype: np.dtype,
    values: tuple[tuple[tuple[bytes, np.dtype], ...], ...],
    spans: tuple[tuple[Span, ...], ...],
    result: str | None,
    summed: bool,
    multiprocessors: int,
    pair: tuple[int, int] | None = None,
) -> tuple[Sweep, ...] | None:
    """The sweeps of a call; none of them where the image has to be copied first, None where there can be none.

    Over the two spans that lie closest in memory, the slow one first, or over the `pair` given.
    """
    banks = [[np.frombuffer(*taps) for taps in bank] for bank in values]
    kinds = Kinds.of(dtype_name(dtype), common(banks), result)
    pair = pair or pair_of(strides, spans, kinds)
    if pair is None:
        return None
    if any(stride % dtype.itemsize for stride in strides):
        return ()
    terms = [
        Term(tuple(cast(bank[place], kinds) for place in pair), tuple(each[place] for place in pair))
        for bank, each in zip(banks, spans * (len(banks) if len(spans) == 1 else 1), strict=True)
    ]
    groups = _groups(terms, kinds)
    sweeps = []
    for number, group in enumerate(groups):
        rounded = kinds if not summed or number + 1 == len(groups) else _unrounded(kinds)
        sweep = _sweep(shape, strides, group, rounded, multiprocessors, summed=summed)
        if sweep is None:
            return ()
        sweeps.append(sweep)
    return tuple(sweeps)


def _sweep(
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    terms: list[Term],
    kinds: Kinds,
    multiprocessors: int,
    *,
    summed: bool,
) -> Sweep | None:
    """None where the image has more axes beside the two than a kernel tells apart."""
    slow, fast = _unions(terms)
    target, order = output_shape(shape, (slow, fast)), order_of_strides(strides)
    of_x = tuple(stride // ITEMSIZE[kinds.storage] for stride in strides)
    of_y = strides_in_order(target, order)
    count = 1 if summed else len(terms)
    fill = np.dtype(kinds.sample).type
    if prod(target) == 0:
        return Sweep(kinds, fill, count, target, order, (), 0, 0, np.empty(0), (), (), ())
    batch = _batch(target, (slow.axis, fast.axis), of_x, of_y)
    if batch is None:
        return None
    lines = list({term.line: term for term in terms}.values())
    width = _width(slow.taps, fast.taps, len(lines), ITEMSIZE[kinds.sample], ITEMSIZE[kinds.sum])
    assert width is not None, "_groups has seen to that"
    program, weights = _program(terms, lines, slow, fast, summed=summed)
    capacity = CAPACITY_BYTES // weights.dtype.itemsize
    defines = (
        *kinds.defines(),
        boundary_define("BOUNDARY_SLOW", slow),
        boundary_define("BOUNDARY_FAST", fast),
        ("WEIGHTS", str(capacity)),
        ("WIDTH", str(width)),
    )
    loaded = _loaded(width, fast.taps)
    axes = (
        _struct(np.array([span.size, span.first, span.count, of_x[span.axis], of_y[span.axis]], np.int64))
        for span in (slow, fast)
    )
    return Sweep(
        kinds,
        fill,
        count,
        target,
        order,
        defines,
        width,
        _shared(width, slow.taps, loaded, len(lines), ITEMSIZE[kinds.sample], ITEMSIZE[kinds.sum]),
        by_value(weights, capacity),
        (program, batch, *axes),
        _cuts(slow, fast.count, width, prod(target), multiprocessors),
        (np.int32(slow.taps), np.int32(loaded)),
    )


def _program(
    terms: list[Term], lines: list[Term], slow: Span, fast: Span, *, summed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """``struct Program``, and the list of all weights that it points into."""
    parts: list[list[int]] = []
    weights: list[np.ndarray] = []
    at = 0
    for count, column in (
        (len(lines), [(each.taps[1], each.spans[1], fast) for each in lines]),
        (len(terms), [(each.taps[0], each.spans[0], slow) for each in terms]),
    ):
        for taps, span, whole in column:
            parts.append([taps.size, at, span.first - whole.first, _group(taps.size)])
            weights.append(taps)
            at += taps.size
        parts += [[0, 0, 0, ROWS]] * (MOST - count)
    order = {each.line: place for place, each in enumerate(lines)}
    of_line = [order[each.line] for each in terms] + [0] * (MOST - len(terms))
    numbers = [*np.ravel(parts), *of_line, len(lines), len(terms), int(summed)]
    return _struct(np.array(numbers, np.int32)), np.concatenate(weights)


def _group(taps: int) -> int:
    """Products added in a row: all, or a multiple of ROWS no longer than what the bound on rounding asks for."""
    return max(group_length(taps) // ROWS, 1) * ROWS if taps > 2 * ROWS else 2 * ROWS


def _struct(values: np.ndarray) -> np.ndarray:
    """A struct of numbers of one type, as an argument by value."""
    return values.view([("at", values.dtype, values.shape)])


def _batch(
    shape: tuple[int, ...], pair: tuple[int, int], x_strides: tuple[int, ...], y_strides: tuple[int, ...]
) -> np.ndarray | None:
    """``struct Batch``; None where there are more axes beside the pair than it holds."""
    axes = [axis for axis in reversed(collapse(shape, pair, x_strides, y_strides)) if axis.kept is None]
    if len(axes) > BATCH_AXES:
        return None
    columns = [[axis.count, *axis.strides] for axis in axes]
    columns += [[1, 0, 0]] * (BATCH_AXES - len(columns))
    return _struct(np.array(columns, np.int64).T.ravel())


def _loaded(width: int, taps: int) -> int:
    """Samples of a row that a block loads: whole pieces of four."""
    return ceil_div(width + taps - 1, 4) * 4


def _shared(width: int, slow_taps: int, loaded: int, lines: int, sample: int, total: int) -> int:
    return lines * (slow_taps - 1 + ROWS) * width * total + ROWS * loaded * sample


@lru_cache(maxsize=4096)
def _width(slow_taps: int, fast_taps: int, lines: int, sample: int, total: int) -> int | None:
    """Columns of a strip: as many as shared memory holds."""
    for width in WIDTHS:
        if _shared(width, slow_taps, _loaded(width, fast_taps), lines, sample, total) <= MAX_SHARED:
            return width
    return None


@lru_cache(maxsize=4096)
def _cuts(
    slow: Span, fast_count: int, width: int, outputs: int, multiprocessors: int
) -> tuple[tuple[int, np.ndarray], ...]:
    """Blocks of each launch and its ``struct Cut``. Strips are cut into segments where there are few of them."""
    strips = ceil_div(fast_count, width)
    batches = outputs // (slow.count * fast_count)
    wanted = ceil_div(BLOCKS_EACH * multiprocessors, strips * batches)
    # A segment loads slow.taps - 1 rows that its neighbours load, too: no more than a third of what it needs.
    shortest = max(2 * slow.taps, 4 * ROWS)
    rows = ceil_div(max(ceil_div(slow.count, wanted), min(shortest, slow.count)), ROWS) * ROWS
    segments = ceil_div(slow.count, rows)
    total = strips * segments * batches
    return tuple(
        (min(MAX_BLOCKS, total - first), _struct(np.array([first, strips, segments, rows], np.int64)))
        for first in range(0, total, MAX_BLOCKS)
    )
