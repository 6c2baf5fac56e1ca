"""Diffusion in steps: for walls, diffusivities that vary, flows and sources, where no propagator exists."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from gpuconv.core.arguments import read_choice
from gpuconv.core.namespace import read_image
from gpuconv.diffusion._advance import advance
from gpuconv.diffusion._fluxes import assemble
from gpuconv.diffusion._posing import Arguments, Part, Posed, choose_stepping, parts_of, pose, read_times
from gpuconv.diffusion._progress import watching
from gpuconv.diffusion._schemes import SCHEMES, Rates, Span
from gpuconv.diffusion._walls import Walls, read_timeline, walls
from gpuconv.diffusion.grid import Grid
from gpuconv.kernels._arguments import read_nonnegative, read_positive

__all__ = ["EvolveInfo", "Walls", "evolve", "walls"]


@dataclass(frozen=True)
class EvolveInfo:
    """What `evolve` did.

    Attributes
    ----------
    times : tuple of float
        Of the results: those of `save_at`, or the final one.
    steps : int
        Steps taken up to the last of `times`.
    scheme : str
        The one used; with scheme "auto" the one chosen.
    mass : array
        ``sum of V u`` over the grid at each of `times`, in the library of u: a leading axis, then the batch axes.
    initial_mass : array
        The same at the start.
    stages : int
        Most inner steps of a step: more than 1 for super-time-stepping.
    reason : str
        Why this scheme and as many steps.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> _, info = diffusion.evolve(np.eye(4), 0.5, scheme="explicit", steps=4, return_info=True)
    >>> print(info)
    4 steps of explicit: as asked for
    >>> print(info.times, info.mass.round(12), info.initial_mass)
    (0.5,) [4.] 4.0
    """

    times: tuple[float, ...]
    steps: int
    scheme: str
    mass: Any
    initial_mass: Any = None
    stages: int = 1
    reason: str = ""

    def __str__(self) -> str:
        inner = f" with up to {self.stages} stages each" if self.stages > 1 else ""
        return f"{self.steps} steps of {self.scheme}{inner}: {self.reason}"


def evolve(
    u: Any,
    /,
    time: float,
    *,
    diffusivity: Any = 1.0,
    spacing: Any = 1.0,
    boundary: Any = "no-flux",
    walls: Any = None,
    velocity: Any = None,
    source: Any = None,
    grid: Grid | None = None,
    axes: Any = None,
    scheme: str = "auto",
    steps: int | None = None,
    accuracy: float = 1e-5,
    save_at: Any = None,
    progress: Any = None,
    return_info: bool = False,
) -> Any:
    """Solve ``du/dt = div(D grad u - v u) + source`` in steps, by what flows through the faces of cells.

    For diffusivities that vary, walls, flows and sources. Where the diffusivity is constant and nothing stands in the
    way, `diffuse` has the exact answer in one call. Faces between two cells have the harmonic mean
    ``2 D_1 D_2/(D_1 + D_2)``; what leaves one cell enters its neighbour, so that mass is kept to rounding.

    Parameters
    ----------
    u : array
        The amount per volume in each cell, of any library; half precision is worked on in single, integers as by
        `gpuconv.convolve` with a float32 kernel.
    time : float
        How long, zero or more; 0 gives a copy. With `save_at` nothing is computed beyond its last time.
    diffusivity : number, array or sequence
        In units of length^2 / time: a number, an array with one entry per cell, or a sequence with one of these per
        axis. An array of shape (2, 2) for 2 x 2 cells has one entry per cell, other than in `diffuse`; lists are per
        axis. In two dimensions a symmetric matrix ((xx, xy), (yx, yy)) of numbers or arrays, or an array of shape
        (2, 2, *cells), with a warning, as it may break the maximum principle; on periodic and no-flux axes of a
        Cartesian grid, with the schemes "explicit", "fed" and "rkl2".
    spacing : float or sequence of float
        Width of the cells, one or one per axis.
    boundary : str, tuple or list
        As in `read_conditions`: "periodic", "no-flux", "fixed", ("fixed", value), ("robin", a, b); a list with one
        entry per axis; a (low, high) tuple for one axis. Fixed values stand on the outer faces.
    walls : Walls or list of (until_time, Walls), optional
        From `walls`. A list gives walls that follow one another: each stands until its time, after the last there are
        none.
    velocity : number or sequence, optional
        The flow v across the faces, one entry per axis: a number, or an array with one entry per face, which is one
        more than cells on that axis; face i lies before cell i. The flow through no-flux faces and barriers is 0. On a
        periodic axis the first and the last face are one: equal entries, or an array with one entry per cell.
    source : number, array or callable, optional
        What is added per volume and time: a number, one entry per cell, or an array that can be broadcast to u; or a
        function of the time that returns it, taken at the middle of a step.
    grid : Grid, optional
        Cylindrical (r, z) and other metrics, in place of `spacing`.
    axes : int or sequence of int, optional
        Axes of u that are those of the grid, in this order; the others are batches. All by default.
    scheme : {"auto", "explicit", "fed", "rkl2", "backward-euler", "crank-nicolson"}
        "explicit" is stable up to a step length and keeps the maximum principle; "fed" and "rkl2" are
        super-time-stepping, of order 1 and 2; "backward-euler" (order 1, keeps the maximum principle) and
        "crank-nicolson" (order 2) are stable for every step, and solve one axis after the other. "auto" takes what
        needs least work for the accuracy among those whose error is known; the choice stands in `EvolveInfo`.
    steps : int, optional
        How many steps for the whole time, instead of as many as the accuracy takes. Every time of `save_at` and of
        `walls` ends a step, so that a few more may be taken.
    accuracy : float
        Bound on the error of the time stepping from one time of `save_at` or change of walls to the next, relative to
        the root mean square of u. Rigorous for diffusion and sources that do not vary in time; an estimate for flows,
        and for implicit schemes asked for by name on several axes whose operators do not commute. The error of the
        grid, of order h^2, comes on top.
    save_at : sequence of float, optional
        Times in ascending order, from 0 to `time`: the result has them along a leading axis. What is beside `time` by
        rounding counts as `time`.
    progress : callable or bool, optional
        Called as ``progress(done, total)`` with numbers of steps; True shows a bar (needs tqdm).
    return_info : bool
        Whether to return (result, `EvolveInfo`).

    Returns
    -------
    array or (array, EvolveInfo)
        Of the shape of u, or (times, *shape of u) with `save_at`; of the library, device and precision of u.

    Raises
    ------
    ValueError, TypeError
        If an argument is of a wrong type or out of range: negative diffusivities or NaN, an explicit step that is not
        stable (the message says how many steps are), walls or grids of another shape than u. A diffusivity that
        cannot be read, as under jit, needs `steps` and one of the schemes "explicit", "backward-euler" and
        "crank-nicolson".
    MissingLibraryError
        If `progress` is True and tqdm is not installed.

    See Also
    --------
    diffuse : one exact step of any length, for constant diffusivity.
    walls : barriers and membranes.

    References
    ----------
    .. [1] R. Eymard, T. Gallouët, R. Herbin, "Finite volume methods", Handbook of Numerical Analysis 7 (2000) 713-1018,
       section 2.1. DOI 10.1016/S1570-8659(00)07005-8

    Examples
    --------
    A rod, copper on the left and steel on the right, between 100 and 0 degrees, until nothing changes any more:

    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> rod = np.zeros(6)
    >>> metal = np.array([4.0, 4.0, 4.0, 0.5, 0.5, 0.5])
    >>> ends = (("fixed", 100.0), ("fixed", 0.0))
    >>> warm, info = diffusion.evolve(rod, 500.0, diffusivity=metal, boundary=ends, return_info=True)
    >>> print(warm.round(2))
    [98.15 94.44 90.74 74.07 44.44 14.81]
    >>> info.scheme
    'rkl2'
    """
    time = read_nonnegative("time", time)
    image, home = read_image(u, "u")
    posed = pose(image, home, Arguments(axes, grid, spacing, boundary, diffusivity, velocity, source))
    times, scheme = read_times(save_at, time), read_choice("scheme", scheme, ("auto", *SCHEMES))
    timeline = read_timeline(walls, posed.layout.shape, time)

    operators = {id(those): assemble(posed.setting, those) for _, those in timeline}
    first, *parts = parts_of(times, timeline)
    spans = [_span(part, operators[id(part.walls)][1]) for part in parts]
    accuracy = read_positive("accuracy", accuracy)
    stepping = choose_stepping(posed.setting, spans, [part.length / time for part in parts], scheme, steps, accuracy)

    start = work = posed.enter(image)
    saved = [work] * first.saves
    total = sum(count for count, _ in stepping.counts)
    with watching(progress, total) as watch:
        for part, count in zip(parts, stepping.counts, strict=True):
            if prod(work.shape):
                work = advance(work, posed.stretch(operators[id(part.walls)][0], stepping.scheme, count, part), watch)
            saved += [work] * part.saves
    result = _results(posed, saved, save_at is not None, fresh=total > 0)
    if not return_info:
        return result
    mass = home.xp.stack([posed.mass(state) for state in saved])
    stages = max((inner for _, inner in stepping.counts), default=1)
    return result, EvolveInfo(times, total, stepping.scheme, mass, posed.mass(start), stages, stepping.reason)


def _span(part: Part, rates: Rates | None) -> Span | None:
    return None if rates is None else Span(part.length, part.already, rates)


def _results(posed: Posed, saved: list[Any], several: bool, fresh: bool) -> Any:
    xp = posed.layout.home.xp
    if several:
        return xp.stack([posed.leave(state) for state in saved])
    # Where no time passes it is still the array that was given: negated twice, which changes no bit but copies.
    return posed.leave(saved[-1] if fresh else xp.negative(xp.negative(saved[-1])))
