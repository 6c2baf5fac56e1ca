"""Outer products: the two axes that lie closest in memory in one sweep, others before them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.cuda.boxes import BOX_TAPS, correlate_axis, is_box
from gpuconv.backends.cuda.launch import (
    MAX_BLOCKS,
    MAX_SHARED,
    Kinds,
    Launch,
    boundary_define,
    by_value,
    ceil_div,
    collapse,
    element_strides,
    fill_value,
    group_length,
)
from gpuconv.backends.cuda.runtime import current, empty_like_ordered, readable
from gpuconv.backends.generic.separable import fill_first_for_all, filtered_fill, identity_of
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import ITEMSIZE, is_complex
from gpuconv.core.problem import Problem
from gpuconv.core.shapes import output_shape

# Of separable.cu: rows a step, lists of taps and results of one launch, axes beside the two.
ROWS, MOST, BATCH_AXES = 8, 3, 4
WIDTHS = (128, 64, 32)
# Weights by value: few binaries. With the rest of the parameters they stay below 4096 bytes.
CAPACITIES_BYTES = (512, 3328)
# Wider steps than this along the fast axis fetch a sector of memory for every sample.
FAST_STRIDE_BYTES = 32
# Blocks for each multiprocessor, so that the last ones do not leave the others waiting; below it, strips are cut.
BLOCKS_EACH = 16
# Equal taps, of both axes together, from which box sums axis by axis are ahead of a sweep. These go through memory once
# more, and a card that is as fast as an A100 or an H200 carries out 50 to 70 instructions an output meanwhile; but a
# sweep, like lines.cu, takes 1.6 of them for each tap. By counts, not measured.
PASSES_TAPS = 2 * BOX_TAPS

Bank = Sequence[Any]


def why_not(problem: Problem) -> str | None:
    return "CUDA kernels of our own are not traced" if problem.traced else None


def correlate_separable(
    x: Any, banks: Sequence[Bank], spans: Sequence[Span], cval: Any, *, result: str | None = None
) -> Any:
    """``sum over banks of`` the correlation of `x` with ``bank[0] (x) bank[1] (x) ...``, bank[i] along spans[i]."""
    kinds = Kinds.of(x.dtype.name, _common(banks), result)
    banks = [[_cast(taps, kinds) for taps in bank] for bank in banks]
    if len(spans) > 1 and _on_host(banks):
        pair = _pair(x, [spans], kinds)
        if len(banks) == 1 and _are_boxes([banks[0][place] for place in pair or range(len(spans))]):
            return _pass_by_pass(x, banks[0], spans, cval, kinds.result)
        if pair is not None:
            return _sweeps(x, banks, spans, pair, cval, kinds)
    total = None
    for bank in banks:
        part = _passes(x, bank, spans, cval, kinds.sum if len(banks) > 1 else kinds.result)
        total = part if total is None else total + part
    if len(banks) == 1 or kinds.result == kinds.sum:
        return total
    # A tap of one brings the sum to the dtype of the result.
    axis = Span(spans[0].axis, spans[0].count, 1, 0, spans[0].count, "nearest")
    return correlate_axis(total, np.ones(1, banks[0][0].dtype), (axis,), 0, result=kinds.result)


def correlate_banks(
    x: Any, banks: Sequence[Bank], spans: Sequence[Sequence[Span]], cval: Any, *, result: str | None = None
) -> list[Any]:
    """For every bank, the correlation of `x` with ``bank[0] (x) bank[1] (x) ...``, bank[i] along ``spans[bank][i]``."""
    kinds = Kinds.of(x.dtype.name, _common(banks), result)
    banks = [[_cast(taps, kinds) for taps in bank] for bank in banks]
    pair = _pair(x, spans, kinds) if len(spans[0]) > 1 and _on_host(banks) else None
    if pair is None:
        x, spans = fill_first_for_all(x, spans, cval)
        return [_passes(x, bank, each, 0, kinds.result) for bank, each in zip(banks, spans, strict=True)]
    rest = [place for place in range(len(spans[0])) if place not in pair]
    if rest:
        return _after_first_pass(x, banks, spans, rest[0], cval, kinds)
    terms = [
        Term(tuple(bank[place] for place in pair), tuple(each[place] for place in pair))
        for bank, each in zip(banks, spans, strict=True)
    ]
    made: list[Any] = []
    for group in _groups(terms, kinds):
        made += _sweep(x, group, cval, kinds, summed=False)
    return made


def _after_first_pass(
    x: Any, banks: Sequence[Bank], spans: Sequence[Sequence[Span]], place: int, cval: Any, kinds: Kinds
) -> list[Any]:
    """One pass along the axis at `place` for all banks that agree on it, and the other axes after it."""
    alike: dict[Any, list[int]] = {}
    for number, (bank, each) in enumerate(zip(banks, spans, strict=True)):
        alike.setdefault((identity_of(bank[place]), each[place]), []).append(number)
    results: list[Any] = [None] * len(banks)
    for numbers in alike.values():
        first = numbers[0]
        taps, span = banks[first][place], spans[first][place]
        passed = correlate_axis(x, taps, (span,), cval)
        fill = filtered_fill(taps, cval, np.dtype(kinds.sum))
        without = [[bank[other] for other in range(len(bank)) if other != place] for bank in banks]
        others = [[each[other] for other in range(len(each)) if other != place] for each in spans]
        made = correlate_banks(
            passed, [without[n] for n in numbers], [others[n] for n in numbers], fill, result=kinds.result
        )
        for number, each in zip(numbers, made, strict=True):
            results[number] = each
    return results


def _sweeps(
    x: Any, banks: Sequence[Bank], spans: Sequence[Span], pair: tuple[int, int], cval: Any, kinds: Kinds
) -> Any:
    """The sum over banks: axes other than the pair first, each bank on its own."""
    rest = [place for place in range(len(spans)) if place not in pair]
    two = tuple(spans[place] for place in pair)
    if not rest:
        terms = [Term(tuple(bank[place] for place in pair), two) for bank in banks]
        before = None
        groups = _groups(terms, kinds)
        for number, group in enumerate(groups):
            last = number + 1 == len(groups)
            (before,) = _sweep(x, group, cval, kinds if last else _unrounded(kinds), summed=True, before=before)
        return before
    before = None
    for number, bank in enumerate(banks):
        passed, fill = x, cval
        for place in rest:
            passed = correlate_axis(passed, bank[place], (spans[place],), fill)
            fill = filtered_fill(bank[place], fill, np.dtype(kinds.sum))
        after = Kinds.of(passed.dtype.name, bank[0].dtype.name, kinds.result if number + 1 == len(banks) else None)
        term = Term(tuple(bank[place] for place in pair), two)
        (before,) = _sweep(passed, [term], fill, after, summed=True, before=before)
    return before


def _are_boxes(bank: Bank) -> bool:
    """Whether so many taps are equal that the axes are better summed one by one."""
    return sum(taps.size for taps in bank if is_box(taps)) >= PASSES_TAPS


def _pass_by_pass(x: Any, bank: Bank, spans: Sequence[Span], cval: Any, result: str) -> Any:
    """One pass per axis, the last one rounding. The fill value is filtered with the samples, as taps are at hand."""
    for place, (taps, span) in enumerate(zip(bank, spans, strict=True)):
        last = place + 1 == len(bank)
        x = correlate_axis(x, taps, (span,), cval, result=result if last else None)
        if not last:
            cval = filtered_fill(taps, cval, np.dtype(x.dtype))
    return x


def _passes(x: Any, bank: Bank, spans: Sequence[Span], cval: Any, result: str) -> Any:
    """One pass per axis, the last one rounding."""
    x, filled = fill_first_for_all(x, [spans], cval)
    for place, (taps, span) in enumerate(zip(bank, filled[0], strict=True)):
        x = correlate_axis(x, taps, (span,), cval, result=result if place + 1 == len(bank) else None)
    return x


def _common(banks: Sequence[Bank]) -> str:
    """The dtype of all taps: one complex line makes the others complex."""
    names = [taps.dtype.name for bank in banks for taps in bank]
    return next((name for name in names if is_complex(name)), names[0])


def _cast(taps: Any, kinds: Kinds) -> Any:
    """Taps in the dtype that the kernels multiply with; what stays exact stays what it is."""
    return taps.astype(kinds.weight, copy=False)


def _on_host(banks: Sequence[Bank]) -> bool:
    return all(isinstance(taps, np.ndarray) for bank in banks for taps in bank)


def _unrounded(kinds: Kinds) -> Kinds:
    return Kinds(kinds.storage, kinds.sample, kinds.weight, kinds.sum, kinds.sum)


def _pair(x: Any, spans: Sequence[Sequence[Span]], kinds: Kinds) -> tuple[int, int] | None:
    """Which two of the spans one sweep takes, the slow axis first; None where it could not, or would be slow."""
    strides = x.strides
    near = sorted(range(len(spans[0])), key=lambda place: (abs(strides[spans[0][place].axis]), -place))
    fast, slow = near[0], near[1]
    if abs(strides[spans[0][fast].axis]) > max(FAST_STRIDE_BYTES, x.dtype.itemsize):
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
    return width is not None and weights * ITEMSIZE[kinds.weight] <= CAPACITIES_BYTES[-1]


def _sweep(x: Any, terms: list[Term], cval: Any, kinds: Kinds, *, summed: bool, before: Any = None) -> list[Any]:
    """One sweep: a result for each term, or their sum, to which `before` is added."""
    slow, fast = _unions(terms)
    x = readable(x)
    shape = output_shape(x.shape, (slow, fast))
    results = [empty_like_ordered(x, shape, kinds.result) for _ in range(1 if summed else len(terms))]
    if prod(shape) == 0:
        return results
    batch = _batch(shape, (slow.axis, fast.axis), x, results[0])
    if batch is None:
        x = current().contiguous(x)
        results = [current().empty(shape, kinds.result) for _ in results]
        batch = _batch(shape, (slow.axis, fast.axis), x, results[0])
        assert batch is not None, "_pair has counted the axes of a C-ordered array"
    lines = list({term.line: term for term in terms}.values())
    width = _width(slow.taps, fast.taps, len(lines), ITEMSIZE[kinds.sample], ITEMSIZE[kinds.sum])
    assert width is not None, "_groups has seen to that"
    program, weights = _program(terms, lines, slow, fast)
    capacity = next(n for n in (size // weights.dtype.itemsize for size in CAPACITIES_BYTES) if n >= weights.size)
    defines = (
        *kinds.defines(),
        boundary_define("BOUNDARY_SLOW", slow),
        boundary_define("BOUNDARY_FAST", fast),
        ("WEIGHTS", str(capacity)),
        ("WIDTH", str(width)),
        ("SUMMED", str(int(summed))),
        ("ADDS", str(int(before is not None))),
    )
    loaded = _loaded(width, fast.taps)
    head = (
        x,
        *([] if before is None else [before]),
        *(results[min(place, len(results) - 1)] for place in range(MOST)),
        by_value(weights, capacity),
        fill_value(cval, kinds),
        program,
        batch,
        *(_axis(span, x, results[0]) for span in (slow, fast)),
    )
    shared = _shared(width, slow.taps, loaded, len(lines), ITEMSIZE[kinds.sample], ITEMSIZE[kinds.sum])
    for blocks, cut in _cuts(slow, fast.count, width, prod(shape), current().device().multiprocessors):
        arguments = (*head, cut, np.int32(slow.taps), np.int32(loaded))
        current().launch(Launch("separable.cu", "separable", defines, blocks, width, shared, arguments))
    return results


def _program(terms: list[Term], lines: list[Term], slow: Span, fast: Span) -> tuple[np.ndarray, np.ndarray]:
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
    return _struct(np.array([*np.ravel(parts), *of_line, len(lines), len(terms)], np.int32)), np.concatenate(weights)


def _group(taps: int) -> int:
    """Products added in a row: all, or a multiple of ROWS no longer than what the bound on rounding asks for."""
    return max(group_length(taps) // ROWS, 1) * ROWS if taps > 2 * ROWS else 2 * ROWS


def _struct(values: np.ndarray) -> np.ndarray:
    """A struct of numbers of one type, as an argument by value."""
    return values.view([("at", values.dtype, values.shape)])


def _axis(span: Span, x: Any, y: Any) -> np.ndarray:
    """``struct Axis``."""
    strides = element_strides(x)[span.axis], element_strides(y)[span.axis]
    return _struct(np.array([span.size, span.first, span.count, *strides], np.int64))


def _batch(shape: tuple[int, ...], pair: tuple[int, int], x: Any, y: Any) -> np.ndarray | None:
    """``struct Batch``; None where there are more axes beside the pair than it holds."""
    axes = _other_axes(shape, pair, element_strides(x), element_strides(y))
    if axes is None:
        return None
    columns = [[axis[0], *axis[1]] for axis in axes]
    columns += [[1, 0, 0]] * (BATCH_AXES - len(columns))
    return _struct(np.array(columns, np.int64).T.ravel())


@lru_cache(maxsize=4096)
def _other_axes(
    shape: tuple[int, ...], pair: tuple[int, int], x_strides: tuple[int, ...], y_strides: tuple[int, ...]
) -> tuple[tuple[int, tuple[int, ...]], ...] | None:
    axes = [axis for axis in reversed(collapse(shape, pair, x_strides, y_strides)) if axis.kept is None]
    return tuple((axis.count, axis.strides) for axis in axes) if len(axes) <= BATCH_AXES else None


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
