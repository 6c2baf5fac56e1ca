"""Edges: what lies beyond the ends of an axis, and the transpose of putting it there.

=========  ==============================  =====================================
name       picture of ``a b c d``          SciPy's names
=========  ==============================  =====================================
constant   ``k k k | a b c d | k k k``     constant, grid-constant, fill
reflect    ``c b a | a b c d | d c b``     reflect, grid-mirror, symm
mirror     ``d c b | a b c d | c b a``     mirror
nearest    ``a a a | a b c d | d d d``     nearest
wrap       ``b c d | a b c d | a b c``     wrap (in filters), grid-wrap
=========  ==============================  =====================================

An extended axis is described by *pieces*: runs of source samples taken forwards, backwards or repeated. Both
directions, `extend` and its transpose `fold`, are slices, flips, sums and concatenations of these pieces, and so
work lazily, under tracing and under automatic differentiation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.namespace import device_of

BOUNDARIES = ("constant", "reflect", "mirror", "nearest", "wrap")
ALIASES = {
    "periodic": "wrap",
    "grid-wrap": "wrap",
    "grid-constant": "constant",
    "grid-mirror": "reflect",
}


@dataclass(frozen=True)
class Span:
    """What one axis of an operation reads and writes, in correlation form.

    Output ``i`` (``0 <= i < count``) is ``sum_j w[j] x~[first + i + j]`` with ``0 <= j < taps``, where ``x~`` is the
    axis of `size` samples extended by `boundary`. It therefore reads ``x~[first : first + count + taps - 1]``.
    """

    axis: int
    size: int
    taps: int
    first: int
    count: int
    boundary: str

    @property
    def length(self) -> int:
        """Number of samples of the extended axis that are read."""
        return self.count + self.taps - 1 if self.count else 0

    @property
    def inside(self) -> bool:
        """True when nothing beyond the ends of the axis is read."""
        return self.count == 0 or (self.first >= 0 and self.first + self.length <= self.size)

    def part(self, start: int, count: int) -> Span:
        """The span of outputs ``start : start + count`` of this one."""
        return Span(self.axis, self.size, self.taps, self.first + start, count, self.boundary)


@dataclass(frozen=True)
class Piece:
    """`count` samples of the source line from `start` with `step` 1, -1 or 0; start None is the fill value."""

    start: int | None
    count: int
    step: int


def read_boundary(name: str, value: Any) -> str:
    """The name of a boundary, after translating aliases such as "periodic"."""
    return read_choice(name, value, BOUNDARIES, ALIASES)


def source_indices(boundary: str, size: int, positions: np.ndarray) -> np.ndarray:
    """Index of the sample that stands at each of `positions` of the extended axis (not for "constant")."""
    if boundary == "nearest":
        return np.clip(positions, 0, size - 1)
    if boundary == "wrap":
        return positions % size
    if boundary == "reflect":
        phase = positions % (2 * size)
        return np.minimum(phase, 2 * size - 1 - phase)
    if boundary == "mirror":
        period = max(2 * size - 2, 1)
        phase = positions % period
        return np.minimum(phase, period - phase) if size > 1 else np.zeros_like(positions)
    raise ValueError(f"{boundary!r} has no index map")


@lru_cache(maxsize=4096)
def pieces(boundary: str, size: int, start: int, stop: int) -> tuple[Piece, ...]:
    """Pieces that make up positions ``start : stop`` of an axis of `size` samples extended by `boundary`."""
    if stop <= start:
        return ()
    if size == 0 and boundary != "constant":
        raise ValueError(
            refusal(
                f"boundary {boundary!r} needs at least one sample to extend",
                "the axis is empty",
                "Use boundary='constant', or check the input's shape",
            )
        )
    inner = (max(start, 0), min(stop, size))
    if inner[0] >= inner[1]:
        return _outer_pieces(boundary, size, start, stop)
    return (
        *_outer_pieces(boundary, size, start, inner[0]),
        Piece(inner[0], inner[1] - inner[0], 1),
        *_outer_pieces(boundary, size, inner[1], stop),
    )


def _outer_pieces(boundary: str, size: int, start: int, stop: int) -> tuple[Piece, ...]:
    """Pieces of positions that all lie on one side of, and outside, the axis."""
    if stop <= start:
        return ()
    if boundary == "constant":
        return (Piece(None, stop - start, 0),)
    return _runs(source_indices(boundary, size, np.arange(start, stop)))


def _runs(indices: np.ndarray) -> tuple[Piece, ...]:
    """Split indices whose neighbours differ by -1, 0 or 1 (or jump, under wrap) into runs of constant step."""
    runs: list[Piece] = []
    steps = np.diff(indices)
    position, total = 0, len(indices)
    while position < total:
        step = int(steps[position]) if position < total - 1 else 1
        if step not in (-1, 0, 1):
            step, end = 1, position + 1
        else:
            change = np.flatnonzero(steps[position:] != step)
            end = position + int(change[0]) + 1 if len(change) else total
        runs.append(Piece(int(indices[position]), end - position, step))
        position = end
    return tuple(runs)


def _index(axis: int, ndim: int, start: int, count: int) -> tuple[slice, ...]:
    full = [slice(None)] * ndim
    full[axis] = slice(start, start + count)
    return tuple(full)


def _shape_with(x: Any, axis: int, count: int) -> tuple[int, ...]:
    return (*x.shape[:axis], count, *x.shape[axis + 1 :])


def extend(xp: Any, x: Any, span: Span, cval: Any = 0) -> Any:
    """``x~[first : first + length]`` along the axis of `span`, as a new array (a view where nothing is added)."""
    start, stop = span.first, span.first + span.length
    parts = [_take_piece(xp, x, span.axis, piece, cval) for piece in pieces(span.boundary, span.size, start, stop)]
    if not parts:
        return x[_index(span.axis, x.ndim, 0, 0)]
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=span.axis)


def extend_all(xp: Any, x: Any, spans: Sequence[Span], cval: Any = 0) -> Any:
    """`x` extended along every span's axis; corners follow from doing one axis after another, in any order."""
    # Axes that shrink come first, so that no sample is copied only to be cut away.
    for span in sorted(spans, key=lambda span: span.length - span.size):
        x = extend(xp, x, span, cval)
    return x


def _take_piece(xp: Any, x: Any, axis: int, piece: Piece, cval: Any) -> Any:
    shape = _shape_with(x, axis, piece.count)
    if piece.start is None:
        return xp.full(shape, cval, dtype=x.dtype, device=device_of(x))
    if piece.step == 0:
        return xp.broadcast_to(x[_index(axis, x.ndim, piece.start, 1)], shape)
    if piece.step == 1:
        return x[_index(axis, x.ndim, piece.start, piece.count)]
    return xp.flip(x[_index(axis, x.ndim, piece.start - piece.count + 1, piece.count)], axis=axis)


def fold(xp: Any, y: Any, span: Span) -> Any:
    """Transpose of `extend`: what lies beyond the ends is added back to the samples it was copied from.

    ``<extend(x), y> = <x, fold(y)>`` for fill value 0; `y` has ``span.length`` samples on the axis, the result
    ``span.size``.
    """
    total = None
    position = 0
    for piece in pieces(span.boundary, span.size, span.first, span.first + span.length):
        part = y[_index(span.axis, y.ndim, position, piece.count)]
        position += piece.count
        if piece.start is None:
            continue
        low, count = piece.start, piece.count
        if piece.step == 0:
            part, count = xp.sum(part, axis=span.axis, keepdims=True, dtype=part.dtype), 1
        elif piece.step == -1:
            part, low = xp.flip(part, axis=span.axis), piece.start - count + 1
        part = _place(xp, part, span, low, count)
        total = part if total is None else total + part
    if total is None:
        return xp.zeros(_shape_with(y, span.axis, span.size), dtype=y.dtype, device=device_of(y))
    return total


def _place(xp: Any, part: Any, span: Span, low: int, count: int) -> Any:
    """`part` at ``low : low + count`` of an axis of zeros."""
    zeros = [
        xp.zeros(_shape_with(part, span.axis, width), dtype=part.dtype, device=device_of(part))
        for width in (low, span.size - low - count)
    ]
    parts = [zeros[0]] * (low > 0) + [part] + [zeros[1]] * (span.size - low - count > 0)
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=span.axis)


def fold_all(xp: Any, y: Any, spans: Sequence[Span]) -> Any:
    """Transpose of `extend_all`."""
    for span in spans:
        y = fold(xp, y, span)
    return y
