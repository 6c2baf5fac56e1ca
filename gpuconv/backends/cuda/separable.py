"""Outer products: the two axes that lie closest in memory in one sweep, others before them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gpuconv.backends.cuda.boxes import BOX_TAPS, correlate_axis, is_box
from gpuconv.backends.cuda.launch import Kinds
from gpuconv.backends.cuda.runtime import current
from gpuconv.backends.cuda.separable_sweeps import Bank, Sweep, cast, common, pair_of, plan_of
from gpuconv.backends.generic.separable import fill_first_for_all, filtered_fill, identity_of, is_zero
from gpuconv.core.boundary import Span
from gpuconv.core.namespace import dtype_name
from gpuconv.core.problem import Problem

# Equal taps, of both axes together, from which box sums axis by axis are ahead of a sweep. These go through memory once
# more, and a card that is as fast as an A100 or an H200 carries out 50 to 70 instructions an output meanwhile; but a
# sweep, like lines.cu, takes 1.6 of them for each tap. By counts, not measured.
PASSES_TAPS = 2 * BOX_TAPS


def why_not(problem: Problem) -> str | None:
    return "CUDA kernels of our own are not traced" if problem.traced else None


def correlate_separable(
    x: Any, banks: Sequence[Bank], spans: Sequence[Span], cval: Any, *, result: str | None = None
) -> Any:
    """``sum over banks of`` the correlation of `x` with ``bank[0] (x) bank[1] (x) ...``, bank[i] along spans[i]."""
    on_host = _on_host(banks)
    if len(spans) == 2 and on_host and not (len(banks) == 1 and _are_boxes(banks[0])):
        before = None
        made = _planned(x, banks, (tuple(spans),), result, summed=True)
        if made is not None:
            x, sweeps = made
            for sweep in sweeps:
                (before,) = sweep.run(x, cval, before)
            return before
    kinds = Kinds.of(dtype_name(x.dtype), common(banks), result)
    banks = [[cast(taps, kinds) for taps in bank] for bank in banks]
    if on_host and len(spans) > 1:
        pair = pair_of(x.strides, (tuple(spans),), kinds) if len(spans) > 2 else None
        if len(banks) == 1 and _are_boxes([banks[0][place] for place in pair or range(len(spans))]):
            return _pass_by_pass(x, banks[0], spans, cval, kinds)
        if pair is not None:
            return _after_passes(x, banks, spans, pair, cval, kinds)
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
    asked = tuple(tuple(each) for each in spans)
    on_host = _on_host(banks)
    if len(asked[0]) == 2 and on_host:
        made = _planned(x, banks, asked, result, summed=False)
        if made is not None:
            x, sweeps = made
            return [each for sweep in sweeps for each in sweep.run(x, cval)]
    kinds = Kinds.of(dtype_name(x.dtype), common(banks), result)
    banks = [[cast(taps, kinds) for taps in bank] for bank in banks]
    pair = pair_of(x.strides, asked, kinds) if len(asked[0]) > 2 and on_host else None
    if pair is None:
        x, spans = fill_first_for_all(x, spans, cval)
        return [_passes(x, bank, each, 0, kinds.result) for bank, each in zip(banks, spans, strict=True)]
    rest = [place for place in range(len(spans[0])) if place not in pair]
    return _after_first_pass(x, banks, spans, rest[0], cval, kinds)


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
        fill = _filtered(taps, cval, kinds.sum)
        without = [[bank[other] for other in range(len(bank)) if other != place] for bank in banks]
        others = [[each[other] for other in range(len(each)) if other != place] for each in spans]
        made = correlate_banks(
            passed, [without[n] for n in numbers], [others[n] for n in numbers], fill, result=kinds.result
        )
        for number, each in zip(numbers, made, strict=True):
            results[number] = each
    return results


def _after_passes(
    x: Any, banks: Sequence[Bank], spans: Sequence[Span], pair: tuple[int, int], cval: Any, kinds: Kinds
) -> Any:
    """The sum over banks of volumes: axes other than the pair first, each bank on its own."""
    rest = [place for place in range(len(spans)) if place not in pair]
    two = (tuple(spans[place] for place in pair),)
    before = None
    for number, bank in enumerate(banks):
        passed, fill = x, cval
        for place in rest:
            passed = correlate_axis(passed, bank[place], (spans[place],), fill)
            fill = _filtered(bank[place], fill, kinds.sum)
        rounded = kinds.result if number + 1 == len(banks) else None
        made = _planned(passed, [[bank[place] for place in pair]], two, rounded, summed=True)
        assert made is not None, "passes leave the axes where they are"
        passed, (sweep,) = made
        (before,) = sweep.run(passed, fill, before)
    return before


def _are_boxes(bank: Bank) -> bool:
    """Whether so many taps are equal that the axes are better summed one by one."""
    if sum(taps.size for taps in bank) < PASSES_TAPS:
        return False
    return sum(taps.size for taps in bank if is_box(taps)) >= PASSES_TAPS


def _pass_by_pass(x: Any, bank: Bank, spans: Sequence[Span], cval: Any, kinds: Kinds) -> Any:
    """One pass per axis, the last one rounding. The fill value is filtered with the samples, as taps are at hand."""
    for taps, span in zip(bank[:-1], spans[:-1], strict=True):
        x = correlate_axis(x, taps, (span,), cval)
        cval = _filtered(taps, cval, kinds.sum)
    return correlate_axis(x, bank[-1], (spans[-1],), cval, result=kinds.result)


def _passes(x: Any, bank: Bank, spans: Sequence[Span], cval: Any, result: str) -> Any:
    """One pass per axis, the last one rounding."""
    x, filled = fill_first_for_all(x, [spans], cval)
    for place, (taps, span) in enumerate(zip(bank, filled[0], strict=True)):
        x = correlate_axis(x, taps, (span,), cval, result=result if place + 1 == len(bank) else None)
    return x


def _filtered(taps: np.ndarray, cval: Any, dtype: str) -> Any:
    """`filtered_fill`, of the usual fill value without working it out again."""
    if is_zero(cval):
        return _filtered_zero(taps.tobytes(), taps.dtype, dtype)
    return filtered_fill(taps, cval, np.dtype(dtype))


@lru_cache(maxsize=256)
def _filtered_zero(taps: bytes, dtype: np.dtype, total: str) -> Any:
    return filtered_fill(np.frombuffer(taps, dtype), 0, np.dtype(total))


def _on_host(banks: Sequence[Bank]) -> bool:
    return all(isinstance(taps, np.ndarray) for bank in banks for taps in bank)


def _planned(
    x: Any, banks: Sequence[Bank], spans: tuple[tuple[Span, ...], ...], result: str | None, *, summed: bool
) -> tuple[Any, tuple[Sweep, ...]] | None:
    """The image as it can be read, and the sweeps over it; None where two axes cannot go together, or slowly."""
    runtime = current()
    values = tuple(tuple((taps.tobytes(), taps.dtype) for taps in bank) for bank in banks)
    posed = x.dtype, values, spans, result, summed, runtime.device().multiprocessors
    plan = plan_of(x.shape, x.strides, *posed)
    if plan is None:
        return None
    if not plan or runtime.address(x) % x.dtype.itemsize:
        pair = pair_of(x.strides, spans, Kinds.of(dtype_name(x.dtype), common(banks), result))
        x = runtime.contiguous(x)
        plan = plan_of(x.shape, x.strides, *posed, pair)
        assert plan, "a C-ordered array has few axes to tell apart"
    return x, plan
