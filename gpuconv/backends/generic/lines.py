"""Along one axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpuconv.backends.generic.windows import correlate_windows
from gpuconv.core.boundary import Span
from gpuconv.core.namespace import home_of


def correlate_axis(x: Any, taps: Any, spans: tuple[Span], cval: Any) -> Any:
    """``y[i] = sum_j taps[j] x~[first + i + j]`` along the axis of the only span."""
    return correlate_windows(x, taps, spans, cval)


@dataclass(frozen=True)
class TridiagonalProblem:
    """Tridiagonal systems along one axis without their data.

    Attributes
    ----------
    library, device, traced, shape, dtype
        Of the right-hand sides.
    axis : int
        Counted from the last, so negative.
    cyclic : bool
    shared : bool
        Whether all systems have one matrix.
    """

    library: str
    device: str
    traced: bool
    shape: tuple[int, ...]
    dtype: str
    axis: int
    cyclic: bool
    shared: bool


def solve_tridiagonal(right: Any, lower: Any, diagonal: Any, upper: Any, axis: int, cyclic: bool = False) -> Any:
    """x of ``lower[i] x[i - 1] + diagonal[i] x[i] + upper[i] x[i + 1] = right[i]`` along `axis`, a negative number.

    The diagonals have as many entries along the axis as `right`, and broadcast against it otherwise. A cyclic system
    reads indices modulo n; else ``lower[0]`` and ``upper[n - 1]`` are not used. Meant for matrices whose diagonal
    dominates: nothing is exchanged.

    By cyclic reduction of all rows at once: log2 n passes, each of which doubles the distance between the unknowns
    that an equation joins, where elimination row by row would take n operations on small arrays.
    """
    if cyclic:
        return solve_cyclic(solve_tridiagonal, right, lower, diagonal, upper, axis)
    xp = home_of(right).xp
    before, after, value = -lower / diagonal, -upper / diagonal, right / diagonal
    distance = 1
    while distance < right.shape[axis]:
        # Row i is x[i] = value + before x[i - distance] + after x[i + distance]: put in what the two rows say.
        def earlier(entries: Any, distance: int = distance) -> Any:
            return _shift(xp, entries, axis, distance)

        def later(entries: Any, distance: int = distance) -> Any:
            return _shift(xp, entries, axis, -distance)

        scale = 1 / (1 - before * earlier(after) - after * later(before))
        value = (value + before * earlier(value) + after * later(value)) * scale
        before, after = before * earlier(before) * scale, after * later(after) * scale
        distance *= 2
    return value


def _shift(xp: Any, entries: Any, axis: int, distance: int) -> Any:
    """`entries` moved up by `distance` samples along the axis, zeros coming in."""
    size = entries.shape[axis]
    if distance > 0:
        kept, lost = slice(0, size - distance), slice(size - distance, size)
    else:
        kept, lost = slice(-distance, size), slice(0, -distance)
    rest = (slice(None),) * (-axis - 1)
    zeros = xp.zeros_like(entries[(..., lost, *rest)])
    parts = [zeros, entries[(..., kept, *rest)]]
    return xp.concat(parts if distance > 0 else parts[::-1], axis=axis)


def solve_cyclic(solve: Callable[..., Any], right: Any, lower: Any, diagonal: Any, upper: Any, axis: int) -> Any:
    """The two corners are a matrix of rank one, after Sherman and Morrison: two systems without corners."""
    xp, size = home_of(right).xp, right.shape[axis]
    rest = (slice(None),) * (-axis - 1)
    if size == 1:
        return right / (lower + diagonal + upper)
    first, last, middle = ((..., part, *rest) for part in (slice(0, 1), slice(size - 1, size), slice(1, size - 1)))
    gamma = -diagonal[first]
    ratio = lower[first] / gamma
    ends = [diagonal[first] - gamma, diagonal[middle], diagonal[last] - upper[last] * ratio]
    inner = xp.concat(ends, axis=axis)
    column = xp.concat([gamma, xp.zeros_like(diagonal[middle]), upper[last]], axis=axis)
    solved = solve(right, lower, inner, upper, axis)
    answer = solve(column, lower, inner, upper, axis)
    share = (solved[first] + ratio * solved[last]) / (1 + answer[first] + ratio * answer[last])
    return solved - share * answer
