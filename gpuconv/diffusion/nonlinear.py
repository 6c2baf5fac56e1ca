"""Diffusion that looks at what it diffuses: edges kept, lines joined, gas in soil, patterns that grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.dtypes import is_complex
from gpuconv.core.namespace import cast, home_of
from gpuconv.diffusion._arguments import read_amount
from gpuconv.diffusion._edges import CONDUCTANCES, USUAL, share_of
from gpuconv.diffusion._fields import Field, implicit_step, is_empty, march, read_field, schedule
from gpuconv.diffusion._oriented import tensor_fluxes
from gpuconv.diffusion.propagators import diffuse
from gpuconv.kernels._arguments import read_count, read_nonnegative, read_real, spread

__all__ = ["perona_malik", "tensor_diffusion", "porous_medium", "reaction_diffusion"]

_SCHEMES = ("auto", "explicit", "fed", "aos")


def perona_malik(
    u: Any,
    /,
    time: float,
    *,
    contrast: Any = None,
    conductance: str = "exponential",
    sigma: float = 0.0,
    spacing: float | Sequence[float] = 1.0,
    boundary: Any = "no-flux",
    axes: Any = None,
    channel_axis: int | None = None,
    scheme: str = "auto",
    steps: int | None = None,
) -> Any:
    r"""Smooth what is flat and keep edges: ``du/dt = div(g(|grad u|/contrast) grad u)``.

    ``g(s)``: exponential ``exp(-s^2)``, rational ``1/(1 + s^2)``, Charbonnier ``1/sqrt(1 + s^2)``, Tukey
    ``(1 - s^2)^2`` below 1 and 0 above, Weickert ``1 - exp(-3.31488/s^8)``, TV ``1/sqrt(s^2 + 0.01)``. Where ``s`` is
    small and g is 1 the time is that of diffusion with D = 1, sigma of ``sqrt(2 time)``; TV diffuses ten times as fast
    there. Exponential, rational, Tukey and Weickert sharpen slopes that are steeper than about the contrast.

    Mass is kept, and no maximum grows nor minimum sinks with "explicit" and "aos". The energy
    ``sum Psi(|grad u|^2)``, ``Psi' = g``, decreases. Only rounding and the length of steps stand between the result and
    these laws for finite u; NaN and infinity spread.

    Parameters
    ----------
    u : array
        Values in the cells, of any shape and library; floating, integer or complex.
    time : float
        Zero or more; 0 returns a copy.
    contrast : float, optional
        Slope above which something is an edge, in units of u per unit of `spacing`. A 0-d array may be traced or
        differentiated. By default the slope of u that nine tenths of the cells stay below, of each batch by itself.
    conductance : {"exponential", "rational", "charbonnier", "tukey", "weickert", "tv"}
    sigma : float
        Standard deviation, in units of `spacing`, of a Gaussian through which edges are looked at: keeps noise from
        being taken for edges.
    spacing : float or sequence of float
        Width of the cells, one or one per axis.
    boundary : str or list
        "no-flux" or "periodic", or a list with one per axis.
    axes : int or sequence of int, optional
        Axes that diffuse; the others are batches. All but `channel_axis` by default.
    channel_axis : int, optional
        Axis of colours, which have their edges in common: ``|grad u|^2`` is summed over it.
    scheme : {"auto", "explicit", "fed", "aos"}
        Explicit steps; cycles of fast explicit diffusion; additive operator splitting, semi-implicit and stable for
        every step. By default the latter two take steps 14 and 20 times as long: quick and coarse. "auto" is explicit
        up to 1000 steps, "aos" beyond.
    steps : int, optional
        How many, for each of which g is worked out once.

    Returns
    -------
    array
        Of the shape, library and device of u; floating and complex u keep their dtype, 8- and 16-bit integers give
        float32, wider ones float64.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, out of range, or steps are too long to be stable.

    See Also
    --------
    gpuconv.diffusion.diffuse : what an infinite contrast gives.
    tensor_diffusion : diffusion along edges, too.

    References
    ----------
    .. [1] P. Perona, J. Malik, "Scale-space and edge detection using anisotropic diffusion", IEEE Transactions on
       Pattern Analysis and Machine Intelligence 12 (1990) 629-639, equations 3 and 7. DOI 10.1109/34.56205
    .. [2] F. Catté, P.-L. Lions, J.-M. Morel, T. Coll, "Image selective smoothing and edge detection by nonlinear
       diffusion", SIAM Journal on Numerical Analysis 29 (1992) 182-193: sigma. DOI 10.1137/0729012
    .. [3] M. J. Black, G. Sapiro, D. H. Marimont, D. Heeger, "Robust anisotropic diffusion", IEEE Transactions on Image
       Processing 7 (1998) 421-432: Tukey. DOI 10.1109/83.661192
    .. [4] J. Weickert, "Anisotropic Diffusion in Image Processing", 1998, section 1.3.1 and appendix.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> edge = np.array([0.0, 1.0, 0.0, 1.0, 9.0, 8.0, 9.0, 8.0])
    >>> diffusion.perona_malik(edge, 20.0, contrast=2.0).round(2).tolist()
    [0.51, 0.51, 0.51, 0.52, 8.48, 8.49, 8.49, 8.49]
    >>> diffusion.diffuse(edge, 20.0).round(2).tolist()
    [4.26, 4.3, 4.36, 4.45, 4.55, 4.64, 4.7, 4.74]
    """
    time = read_nonnegative("time", time)
    u, field = read_field(u, spacing, boundary, axes, channel_axis)
    chosen = CONDUCTANCES[read_choice("conductance", conductance, CONDUCTANCES)]
    threshold, sigma = _read_contrast(contrast, field), read_nonnegative("sigma", sigma)
    limit = field.grid.limit * chosen.most
    plan = schedule(time, limit, read_choice("scheme", scheme, _SCHEMES), steps)
    if is_empty(u) or time == 0:
        return field.copy(u)
    grid, work = field.grid, field.enter(u)
    squared = grid.usual_steepness(grid.smoothed(work, sigma), USUAL) if threshold is None else threshold * threshold

    def medium(now: Any) -> Any:
        steepness = share_of(grid.steepness(grid.smoothed(now, sigma)), squared)
        return grid.fluxes(chosen.function(field.home.xp, steepness))

    return field.leave(march(work, medium, plan))


def _read_contrast(contrast: Any, field: Field) -> Any:
    if contrast is None:
        return None
    value = read_amount("contrast", contrast, field.home)
    if isinstance(value, float):
        if value == 0:
            raise ValueError(refusal("contrast must be positive", "got 0", "Give the slope of the weakest edge"))
        return value
    return cast(field.home, value, _real_dtype(field))


def _real_dtype(field: Field) -> str:
    return {"complex64": "float32", "complex128": "float64"}.get(field.rule.accumulator, field.rule.accumulator)


def tensor_diffusion(
    u: Any,
    /,
    time: float,
    *,
    kind: str = "coherence",
    contrast: Any = None,
    sigma: float = 0.7,
    rho: float | None = None,
    spacing: float | Sequence[float] = 1.0,
    boundary: Any = "no-flux",
    axes: Any = None,
    channel_axis: int | None = None,
    steps: int | None = None,
) -> Any:
    r"""Diffuse along edges or lines, and hardly across: ``du/dt = div(D(u) grad u)`` with a 2 x 2 matrix D.

    "edge": D has the eigenvalues g, as `perona_malik`'s Weickert conductance, across edges, and 1 along them, so that
    noise on edges goes, too. "coherence": 0.001 across the direction of the structure tensor and
    ``0.001 + 0.999 exp(-(contrast^2/(mu1 - mu2))^2)`` along it, mu being its eigenvalues: joins interrupted lines.

    Mass is kept and the norm decreases; the maximum principle holds but for small excesses near steps, as for all
    linear schemes of nine points.

    Parameters
    ----------
    u : array
        Values in the cells, real, of any shape and library.
    time : float
        Zero or more; 0 returns a copy.
    kind : {"coherence", "edge"}
    contrast : float, optional
        Slope in units of u per unit of `spacing`, above which something is an edge or a line. By default that of which
        nine tenths ("coherence": half) of the cells stay below.
    sigma : float
        Standard deviation of the Gaussian under which slopes are taken, in units of `spacing`.
    rho : float, optional
        That of the Gaussian over which directions are averaged; by default 4 times the mean spacing for "coherence",
        0 for "edge".
    spacing, boundary, channel_axis
        As in `perona_malik`.
    axes : sequence of int, optional
        The two axes that diffuse; by default all but `channel_axis`.
    steps : int, optional
        Explicit steps; by default the fewest that are stable.

    Returns
    -------
    array
        Of the shape, library and device of u; the dtypes are those of `perona_malik`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, out of range, the axes are not two, or steps are too long to be stable.

    References
    ----------
    .. [1] J. Weickert, "Coherence-enhancing diffusion filtering", International Journal of Computer Vision 31 (1999)
       111-127, equations 13 to 16. DOI 10.1023/A:1008009714131
    .. [2] J. Weickert, "Anisotropic Diffusion in Image Processing", 1998, section 5.1: edges.

    Examples
    --------
    A diagonal line of which a piece is missing:

    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> line = np.eye(24)
    >>> line[10:14] = 0
    >>> joined = diffusion.tensor_diffusion(line, 10.0)
    >>> bool(joined[12, 12] > 0.1 > joined[8, 16]), round(float(joined.sum()), 9)
    (True, 20.0)
    """
    time, kind = read_nonnegative("time", time), read_choice("kind", kind, ("coherence", "edge"))
    u, field = read_field(u, spacing, boundary, axes, channel_axis)
    grid = field.grid
    if len(grid.spacing) != 2:
        given = f"there are {len(grid.spacing)}"
        raise ValueError(refusal("tensor diffusion is for two axes", given, "Name two axes; the others are batches"))
    if is_complex(field.rule.accumulator):
        raise TypeError(refusal("tensor diffusion needs a real u", "it is complex", "Stack its parts as channels"))
    threshold, sigma = _read_contrast(contrast, field), read_nonnegative("sigma", sigma)
    usual = 0.0 if kind == "edge" else 2.0 * sum(grid.spacing)
    rho = usual if rho is None else read_nonnegative("rho", rho)
    plan = schedule(time, 2 * grid.limit, "explicit", steps)
    if is_empty(u) or time == 0:
        return field.copy(u)
    work = field.enter(u)
    if threshold is None:
        squared = grid.usual_steepness(grid.smoothed(work, sigma), USUAL if kind == "edge" else 0.5)
    else:
        squared = threshold * threshold
    return field.leave(march(work, lambda now: tensor_fluxes(grid, now, kind, squared, sigma, rho), plan))


def porous_medium(
    u: Any,
    /,
    time: float,
    *,
    exponent: float = 2.0,
    diffusivity: float = 1.0,
    spacing: float | Sequence[float] = 1.0,
    boundary: Any = "no-flux",
    axes: Any = None,
    steps: int = 100,
) -> Any:
    r"""Gas in soil, ground water, heat in plasma: ``du/dt = D laplace(u^m)``, which ends at a front of finite speed.

    In semi-implicit steps, ``u^m`` through its slope at the faces ``m/2 (u[i]^(m-1) + u[i+1]^(m-1))`` at the start of
    each: stable, positive and without loss of mass for every step; the error falls with the length of steps and cells.

    Parameters
    ----------
    u : array
        A density, zero or more, of any shape and library; real. What is negative does not move.
    time : float
        Zero or more; 0 returns a copy.
    exponent : float
        m, 1 or more; 1 is linear diffusion.
    diffusivity : float
        D, zero or more.
    spacing, boundary, axes
        As in `perona_malik`.
    steps : int
        How many.

    Returns
    -------
    array
        Of the shape, library and device of u; the dtypes are those of `perona_malik`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    References
    ----------
    .. [1] J. L. Vázquez, "The Porous Medium Equation", 2006, equation 1.8: Barenblatt's solution.
       DOI 10.1093/acprof:oso/9780198569039.001.0001

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> heap = np.zeros(21); heap[10] = 10.0
    >>> later = diffusion.porous_medium(heap, 2.0)
    >>> later[2:11].round(2).tolist(), round(float(later.sum()), 9)
    ([0.0, 0.0, 0.02, 0.24, 0.64, 0.95, 1.17, 1.3, 1.35], 10.0)
    """
    time = read_nonnegative("time", time)
    u, field = read_field(u, spacing, boundary, axes, None)
    if is_complex(field.rule.accumulator):
        raise TypeError(refusal("a density must be real", "u is complex", "Take its absolute value"))
    power = read_real("exponent", exponent)
    if power < 1:
        raise ValueError(refusal("exponent must be at least 1", f"got {exponent!r}", "Give 1 for linear diffusion"))
    rate, count = read_nonnegative("diffusivity", diffusivity), read_count("steps", steps, 1)
    if is_empty(u) or time == 0:
        return field.copy(u)
    work, xp = field.enter(u), field.home.xp
    for _ in range(count):
        dense = xp.where(work > 0, work, 0 * work)
        speed = rate * power * (dense ** (power - 1) if power != 1 else 0 * dense + 1)
        work = implicit_step(work, field.grid.fluxes(speed), time / count)
    return field.leave(work)


def reaction_diffusion(
    u: Any,
    /,
    time: float,
    reaction: Callable[[Any], Any],
    *,
    steps: int,
    diffusivity: Any = 1.0,
    spacing: float | Sequence[float] = 1.0,
    boundary: Any = "no-flux",
    axes: Any = None,
    channel_axis: int | None = None,
) -> Any:
    r"""Diffuse and react: ``du/dt = D laplace u + reaction(u)``.

    Steps of reaction and exact diffusion in turn, half a step of reaction at both ends (Strang): the error falls with
    ``dt^2``. Diffusion limits no step; a reaction is stepped by the midpoint rule and must be slow against dt.

    Parameters
    ----------
    u : array
        Values in the cells, of any shape and library; several species along `channel_axis`.
    time : float
        Zero or more; 0 returns a copy.
    reaction : callable
        What is added per time, as a function of an array like u, of its shape, in the operations of its library.
    steps : int
        How many.
    diffusivity : float or sequence of float
        D, or one per species.
    spacing, boundary
        As in `gpuconv.diffusion.diffuse`.
    axes : int or sequence of int, optional
        Axes that diffuse; all but `channel_axis` by default.
    channel_axis : int, optional
        Axis of the species.

    Returns
    -------
    array
        Of the shape, library and device of u; the dtypes are those of `perona_malik`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, out of range, or the reaction returns another shape.

    References
    ----------
    .. [1] R. A. Fisher, "The wave of advance of advantageous genes", Annals of Eugenics 7 (1937) 355-369.
       DOI 10.1111/j.1469-1809.1937.tb02153.x
    .. [2] J. E. Pearson, "Complex patterns in a simple system", Science 261 (1993) 189-192: Gray and Scott's reaction.
       DOI 10.1126/science.261.5118.189

    Examples
    --------
    Fisher's wave advances with the speed ``2 sqrt(r D)``, here 2, a little slower at first:

    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> land = np.zeros(200); land[:10] = 1.0
    >>> fronts = [np.sum(diffusion.reaction_diffusion(land, t, lambda u: u * (1 - u), steps=400)) for t in (40, 60)]
    >>> round(float(fronts[1] - fronts[0]) / 20, 1)
    2.0
    """
    time, count = read_nonnegative("time", time), read_count("steps", steps, 1)
    _check_callable(reaction)
    u, field = read_field(u, 1.0, "no-flux", axes, channel_axis)
    axes = field.order[-len(field.grid.spacing) :]
    if is_empty(u) or time == 0:
        return field.copy(u)
    step = time / count
    spread_out = partial(diffuse, time=step, spacing=spacing, boundary=boundary, axes=axes)
    if channel_axis is None or not isinstance(diffusivity, list | tuple):
        move = partial(spread_out, diffusivity=read_nonnegative("diffusivity", diffusivity))
    else:
        channel = field.order[-len(axes) - 1]
        rates = spread("diffusivity", diffusivity, u.shape[channel], read_nonnegative)
        move = partial(_each_species, spread_out, rates, channel)
    work = _react(cast(field.home, u, field.rule.accumulator), reaction, step / 2)
    for position in range(count):
        work = _react(move(work), reaction, step if position < count - 1 else step / 2)
    return cast(field.home, work, field.rule.result)


def _check_callable(reaction: Any) -> None:
    if not callable(reaction):
        given = f"got {type(reaction).__name__}"
        raise TypeError(refusal("reaction must be a function of u", given, "Give a function, such as lambda u: -u"))


def _each_species(spread_out: Callable[..., Any], rates: tuple[float, ...], channel: int, u: Any) -> Any:
    xp, parts = home_of(u).xp, []
    for place, rate in enumerate(rates):
        part = u[(slice(None),) * channel + (slice(place, place + 1),) + (slice(None),) * (u.ndim - channel - 1)]
        parts.append(spread_out(part, diffusivity=rate) if rate else part)
    return xp.concat(parts, axis=channel)


def _react(u: Any, reaction: Callable[[Any], Any], step: float) -> Any:
    """The midpoint rule."""
    slope = reaction(u)
    if tuple(slope.shape) != tuple(u.shape):
        given = f"u has shape {tuple(u.shape)}, the reaction returned {tuple(slope.shape)}"
        raise ValueError(refusal("a reaction returns an array like u", given, "Stack the species on their axis"))
    return u + step * reaction(u + step / 2 * slope)
