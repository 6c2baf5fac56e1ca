"""Walls: faces between cells that let less through, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_integer, refusal
from gpuconv.kernels._arguments import read_nonnegative, read_size


@dataclass(frozen=True, eq=False)
class Walls:
    """Resistances of the faces of a grid, made by `walls`; ``one | other`` has the walls of both, one behind the other.

    Attributes
    ----------
    shape : tuple of int
        Cells per axis.
    resistances : tuple of (array or None)
        One per axis: float64 of `shape`, entry i belonging to the face before cell i; 0 where there is no wall,
        infinity where nothing passes. The unit is that of a length over a diffusivity.

    Examples
    --------
    >>> from gpuconv import diffusion
    >>> barrier = diffusion.walls((2, 4), closed=[(1, 2)])
    >>> membrane = diffusion.walls((2, 4), closed=[(1, 1, slice(0, 1))], conductance=0.5)
    >>> print((barrier | membrane).resistances[1])
    [[ 0.  2. inf  0.]
     [ 0.  0. inf  0.]]
    """

    shape: tuple[int, ...]
    resistances: tuple[np.ndarray | None, ...]

    def __or__(self, other: Walls) -> Walls:
        if not isinstance(other, Walls):
            return NotImplemented
        if other.shape != self.shape:
            given = f"the shapes are {self.shape} and {other.shape}"
            raise ValueError(refusal("walls can be joined on one grid only", given, "Make both for the same shape"))
        return Walls(self.shape, tuple(map(_in_series, self.resistances, other.resistances)))


def _in_series(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def walls(shape: Any, *, closed: Any, conductance: float = 0.0) -> Walls:
    """Walls for `evolve`: through a wall flows ``conductance (u_before - u_behind)`` per area and time; 0 by default.

    u_before and u_behind are the values at its two sides. The resistance ``1/conductance`` of the wall and that of the
    medium, ``h/D``, add up, so that a conductance far above ``D/h`` is no wall.

    Parameters
    ----------
    shape : int or sequence of int
        Cells per axis: the shape of u.
    closed : sequence of (axis, index) or (axis, index, slices)
        Faces between the cells index - 1 and index of an axis, all of them or those that `slices` picks out of the
        other axes: one slice or integer for each, in their order, or a single one. Index 0 is the face that joins the
        ends of a periodic axis.
    conductance : float
        In units of a diffusivity over a length; 0 is a barrier, a small number a membrane.

    Returns
    -------
    Walls

    Raises
    ------
    ValueError
        If an axis or a face does not exist, slices do not match the other axes or pick nothing, or the conductance is
        negative or not finite.
    TypeError
        If `closed` is not a sequence of such tuples.

    Examples
    --------
    Two tanks of salt and fresh water, with a hole in the wall between them:

    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> salt = np.zeros((3, 6)); salt[:, :3] = 1.0
    >>> wall = diffusion.walls(salt.shape, closed=[(1, 3, slice(0, 2))])
    >>> later = diffusion.evolve(salt, 0.5, walls=wall)
    >>> print(later.round(2))
    [[1.   1.   0.99 0.01 0.   0.  ]
     [1.   0.99 0.95 0.05 0.01 0.  ]
     [0.99 0.95 0.77 0.23 0.05 0.01]]
    """
    sizes = tuple(read_size("each of shape", size) for size in (shape if isinstance(shape, Sequence) else (shape,)))
    let_through = read_nonnegative("conductance", conductance)
    resistance = 1 / let_through if let_through > 0 else np.inf
    resistances: list[np.ndarray | None] = [None] * len(sizes)
    if not isinstance(closed, list | tuple) or any(not isinstance(entry, tuple) for entry in closed):
        rule = "closed must be a sequence of (axis, index) or (axis, index, slices)"
        raise TypeError(refusal(rule, f"got {closed!r}", "Give a list of tuples"))
    for entry in closed:
        axis, index = _read_face(entry, sizes)
        on_axis = resistances[axis]
        if on_axis is None:
            on_axis = resistances[axis] = np.zeros(sizes)
        on_axis[index] = resistance
    return Walls(sizes, tuple(resistances))


def _read_face(entry: tuple[Any, ...], sizes: tuple[int, ...]) -> tuple[int, tuple[Any, ...]]:
    """The axis of an entry of `closed`, and where its faces stand in an array of the shape of the grid."""
    if len(entry) not in (2, 3):
        rule = "a wall is (axis, index) or (axis, index, slices)"
        raise ValueError(refusal(rule, f"got {entry!r}", "Give two or three entries"))
    axis, face = read_integer("the axis of a wall", entry[0]), read_integer("the index of a wall", entry[1])
    if not -len(sizes) <= axis < len(sizes):
        rule = f"the axis of a wall must be one of the {len(sizes)} of shape"
        raise ValueError(refusal(rule, f"got {axis} in {entry!r}", "Count from 0"))
    axis %= len(sizes)
    if not 0 <= face < sizes[axis]:
        remedy = "Index i is the face between i - 1 and i; outer faces belong to boundary"
        rule = f"a wall on axis {axis} stands before one of its cells, 0 to {sizes[axis] - 1}"
        raise ValueError(refusal(rule, f"got index {face} in {entry!r}", remedy))
    others = [slice(None)] * (len(sizes) - 1)
    if len(entry) == 3:
        given = entry[2] if isinstance(entry[2], tuple) else (entry[2],)
        if len(given) != len(others):
            rule = f"slices of a wall need one entry for each other axis ({len(others)})"
            raise ValueError(refusal(rule, f"got {entry[2]!r}", "Give slice(None) for all of an axis"))
        rest = [size for place, size in enumerate(sizes) if place != axis]
        others = [_read_slice(part, size, entry) for part, size in zip(given, rest, strict=True)]
    others.insert(axis, slice(face, face + 1))
    return axis, tuple(others)


def _read_slice(part: Any, size: int, entry: tuple[Any, ...]) -> slice:
    if not isinstance(part, slice):
        if isinstance(part, bool) or not hasattr(part, "__index__"):
            rule = "each entry of slices of a wall must be a slice or an integer"
            raise TypeError(refusal(rule, f"got {part!r} in {entry!r}", "Give slice(None) for all of an axis"))
        place = read_integer("each entry of slices of a wall", part)
        part = slice(place, place + 1) if place >= 0 else slice(place + size, place + size + 1)
    outside = any(end is not None and not -size <= end <= size for end in (part.start, part.stop))
    if outside or len(range(*part.indices(size))) == 0:
        rule = f"slices of a wall must pick some of the {size} cells of their axis"
        raise ValueError(refusal(rule, f"got {part} in {entry!r}", "Choose starts and stops within the grid"))
    return part


def read_timeline(given: Any, shape: tuple[int, ...], time: float) -> list[tuple[float, Walls | None]]:
    """(until, walls) that follow one another, up to `time`; no walls after the last."""
    if given is None:
        return [(time, None)]
    if isinstance(given, Walls):
        _check_shape(given, shape)
        return [(time, given)]
    timeline: list[tuple[float, Walls | None]] = []
    if not isinstance(given, list | tuple) or any(not isinstance(e, tuple) or len(e) != 2 for e in given):
        rule = "walls must be made by diffusion.walls, or be a list of (until_time, walls)"
        remedy = "Give one Walls, or tuples of a time and the walls until then"
        raise TypeError(refusal(rule, f"got {_kinds(given)}", remedy))
    before = 0.0
    for until, those in given:
        until = read_nonnegative("the until_time of walls", until)
        if until < before:
            rule = "the until_times of walls must not decrease"
            raise ValueError(refusal(rule, f"got {until:g} after {before:g}", "Sort them"))
        if those is not None:
            if not isinstance(those, Walls):
                rule = "walls must be made by diffusion.walls"
                raise TypeError(refusal(rule, f"got {type(those).__name__}", "Call diffusion.walls, or give None"))
            _check_shape(those, shape)
        if until > before:
            timeline.append((min(until, time), those))
        before = until
    timeline = [entry for place, entry in enumerate(timeline) if place == 0 or timeline[place - 1][0] < time]
    if not timeline or timeline[-1][0] < time:
        timeline.append((time, None))
    return timeline


def _kinds(given: Any) -> str:
    """What was given in place of walls, by types: a repr would show all resistances."""
    kind = type(given).__name__
    if not isinstance(given, list | tuple):
        return kind
    return f"a {kind} of {', '.join(sorted({type(entry).__name__ for entry in given}))}"


def _check_shape(given: Walls, shape: tuple[int, ...]) -> None:
    if given.shape != shape:
        detail = f"the walls are made for {given.shape}, u has {shape} cells"
        remedy = "Call diffusion.walls with the sizes of these axes, in their order, without batches"
        raise ValueError(refusal("walls need the shape of u along its axes", detail, remedy))
