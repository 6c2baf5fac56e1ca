"""Diffusion by lot: kernels drawn from, one tap at a time, and particles that walk."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gpuconv.convolution import convolve as convolve_exactly
from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.dtypes import convolution_dtypes, is_complex, real_of
from gpuconv.core.namespace import cast, chunks_of, dtype_in, dtype_name, home_of, read_image
from gpuconv.diffusion._jumps import Jumps, jump, plan_jumps, read_chain
from gpuconv.diffusion._philox import Stream, counters_like, normal_pair, read_rng
from gpuconv.diffusion._taps import Lottery, gather, read_lottery, scatter, spread_kernel
from gpuconv.diffusion._walls import Walls
from gpuconv.kernels._arguments import read_count, read_nonnegative, read_real, read_size, spread

__all__ = ["convolve", "walk"]

_TAPS, _SCATTER, _WALK = 2, 3, 4  # uses of a seed


def convolve(
    x: Any,
    kernel: Any,
    /,
    *,
    draws: int = 1,
    rng: Any = None,
    scheme: str = "taps",
    boundary: Any = "constant",
    axes: Any = None,
    return_variance: bool = False,
) -> Any:
    r"""Convolve by lot: tap m is drawn with probability ``|k[m]|/S``, ``S = sum |k|``, and counts ``S k[m]/|k[m]|``.

    "taps": every output reads one sample per draw, ``y[i] = S sign(k[m]) x~[i - m]``, and averages.
    "scatter": every sample is cut into `draws` equal parts, each of which goes to ``i + m``: a multinomial number
    arrives, and if the weights are positive and sum to 1 no mass is lost.

    The mean over many draws is `gpuconv.convolve`. The variance of one draw, ``S |k| * |x|^2 - |k * x|^2`` with "taps"
    and ``(S |k| - |k|^2) * |x|^2`` with "scatter", falls with the number of draws, the error with its root: a hundred
    times the work for one more digit.

    Parameters
    ----------
    x : array
        Of any shape and library; floating, integer or complex.
    kernel : array
        One dimension per convolved axis; real of any sign, or complex. Must be at hand, neither traced nor lazy.
    draws : int
        Draws per output, or parts that each sample is cut into.
    rng : None, int or numpy.random.Generator
        A seed gives the same draws on every library; a generator is advanced; None takes the system's entropy.
    scheme : {"taps", "scatter"}
    boundary : str or sequence of str
        As in `gpuconv.convolve`. With "scatter", parts that leave the box are laid where the samples of the extension
        come from, or with "constant" lost: for "reflect" the mean is `convolve` if the kernel is symmetric.
    axes : int or sequence of int, optional
        Axes of x that go with those of the kernel; all by default, the others are batches.
    return_variance : bool
        Whether to return (result, variance): the exact variance of the result, by two convolutions. With "scatter" for
        boundaries "constant" and "wrap".

    Returns
    -------
    array or (array, array)
        Shape, library and device of x; floating and complex x keep their dtype, 8- and 16-bit integers give float32,
        wider ones float64. The variance is real.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, out of range or does not fit the others.

    References
    ----------
    .. [1] P. Glasserman, "Monte Carlo Methods in Financial Engineering", 2003, sections 1.1 and 4.6: the law of the
       error, importance sampling. DOI 10.1007/978-0-387-21617-1

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv.diffusion import stochastic
    >>> ink = np.zeros(7); ink[3] = 1000.0
    >>> kernel = [0.25, 0.5, 0.25]
    >>> stochastic.convolve(ink, kernel, rng=4).tolist()                    # one draw: all or nothing
    [0.0, 0.0, 0.0, 1000.0, 0.0, 0.0, 0.0]
    >>> once, variance = stochastic.convolve(ink, kernel, scheme="scatter", draws=1000, rng=1, return_variance=True)
    >>> float(once.sum()), np.sqrt(variance[2:5]).round(1).tolist()         # no ink is lost
    (1000.0, [13.7, 15.8, 13.7])
    """
    x, home = read_image(x)
    lottery = read_lottery(x, home, kernel, boundary, axes)
    draws = read_count("draws", draws, 1)
    scheme = read_choice("scheme", scheme, ("taps", "scatter"))
    _check_variance(lottery, scheme, return_variance)
    work = x if is_complex(dtype_name(x.dtype)) else cast(home, x, real_of(lottery.accumulator))
    work = cast(home, work, lottery.accumulator)
    if 0 in x.shape:
        result = home.xp.concat([work], axis=0)
    elif scheme == "taps":
        result = gather(lottery, work, draws, read_rng(rng, _TAPS))
    else:
        result = scatter(lottery, work, draws, read_rng(rng, _SCATTER))
    result = cast(home, result, lottery.result)
    if not return_variance:
        return result
    return result, cast(home, _variance(lottery, work, scheme) * (1 / draws), real_of(lottery.result))


def _check_variance(lottery: Lottery, scheme: str, wanted: bool) -> None:
    if wanted and scheme == "scatter" and not set(lottery.boundaries) <= {"constant", "wrap"}:
        rule = 'the variance of scattering is known for boundaries "constant" and "wrap"'
        remedy = 'Choose one of these, or scheme="taps"'
        raise ValueError(refusal(rule, f"got {lottery.boundaries}", remedy))


def _variance(lottery: Lottery, x: Any, scheme: str) -> Any:
    """Of one draw."""
    given: dict[str, Any] = {"boundary": lottery.boundaries, "axes": lottery.axes}
    square = _square(x)
    if scheme == "scatter":
        return convolve_exactly(square, spread_kernel(lottery, tuple(x.shape)), **given)
    sizes = abs(lottery.kernel)
    variance = convolve_exactly(square, sizes * sizes.sum(), **given)
    variance = variance - _square(convolve_exactly(x, lottery.kernel, **given))
    return home_of(variance).xp.where(variance > 0, variance, 0 * variance)


def _square(x: Any) -> Any:
    xp = home_of(x).xp
    return xp.real(x) ** 2 + xp.imag(x) ** 2 if is_complex(dtype_name(x.dtype)) else x * x


def walk(
    positions: Any,
    /,
    time: float,
    *,
    diffusivity: Any = 1.0,
    velocity: Any = None,
    shape: int | Sequence[int] | None = None,
    spacing: float | Sequence[float] = 1.0,
    boundary: Any = "no-flux",
    walls: Walls | None = None,
    steps: int | None = None,
    rng: Any = None,
) -> Any:
    r"""Let particles walk for a time: ``dx = v dt + sqrt(2 D) dW``.

    In free space at once and exactly, ``x + v t + sqrt(2 D t) n`` with normal n. On cells, if `shape` or `walls` are
    given, walkers jump to neighbouring cells at the rates of `evolve`: their mean number in every cell is what `evolve`
    computes, with walls, membranes, flows and diffusivities that vary. The time is exact there, too: as many jumps are
    drawn as a Poisson process has.

    Parameters
    ----------
    positions : array, (\*batch, axes)
        One row per particle; any library.
    time : float
        Zero or more.
    diffusivity : float, sequence or array
        One, or one per axis; on cells as in `evolve`, so with one value per cell, too.
    velocity : number, sequence or array, optional
        v, one or one per axis; on cells as in `evolve`, so on faces, too.
    shape : int or sequence of int, optional
        Number of cells per axis; the box is ``shape * spacing`` large. By default that of `walls`.
    spacing : float or sequence of float
        Width of the cells.
    boundary : str or list
        Of the box: "no-flux" or "periodic"; one, or a list with one per axis.
    walls : Walls, optional
        From `gpuconv.diffusion.walls`.
    steps : int, optional
        Takes so many steps on cells, in each of which a walker jumps once or stays: the chain behind `evolve` with
        ``scheme="explicit"``.
    rng : None, int or numpy.random.Generator
        A seed gives the same walks on every library, to rounding; a generator is advanced; None takes the system's
        entropy.

    Returns
    -------
    array
        Positions after the time, of the shape, library and device of `positions`; whole numbers become floating. On
        cells each keeps its place within the cell, and those that start outside the box count to the nearest one.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, out of range or does not fit the others.

    See Also
    --------
    gpuconv.diffusion.evolve : the mean of infinitely many walkers.

    References
    ----------
    .. [1] A. Jensen, "Markoff chains as an aid in the study of Markoff processes", Scandinavian Actuarial Journal 1953,
       87-91: jumps drawn at the fastest rate. DOI 10.1080/03461238.1953.10419459

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> crowd = np.zeros((100_000, 2))
    >>> after = diffusion.stochastic.walk(crowd, 4.0, velocity=(1.0, 0.0), rng=0)
    >>> [int(each.round()) for each in (*after.mean(axis=0), *after.var(axis=0))]        # v t and 2 D t
    [4, 0, 8, 8]
    >>> wall = diffusion.walls(10, closed=[(0, 5)])
    >>> behind = diffusion.stochastic.walk(np.full((1000, 1), 4.5), 50.0, walls=wall, rng=0)
    >>> bool(behind.max() < 5)
    True
    """
    time, stream = read_nonnegative("time", time), read_rng(rng, _WALK)
    positions, home = read_image(positions, "positions")
    chunks_of(positions, home, "positions")
    if positions.ndim < 2 or positions.shape[-1] == 0:
        given = f"they have shape {tuple(positions.shape)}"
        needs = "positions need an axis of particles and a last one of coordinates"
        raise ValueError(refusal(needs, given, "Give (particles, axes), such as x[:, None]"))
    rule = convolution_dtypes(dtype_name(positions.dtype), ("float64", 1))
    if is_complex(rule.result):
        given = f"their dtype is {dtype_name(positions.dtype)}"
        raise TypeError(refusal("positions must be real", given, "Stack real and imaginary parts on the last axis"))
    dtype_in(home, rule.result)
    if shape is None and walls is None:
        flight = _plan_flight(positions.shape[-1], time, diffusivity, velocity, steps)
        move = partial(_fly, flight, stream)
    else:
        cells = _read_cells(shape, walls, positions.shape[-1])
        chain = read_chain(cells, diffusivity, velocity, spacing, boundary, walls)
        move = partial(_hop, plan_jumps(chain, time, None if steps is None else read_count("steps", steps, 1)), stream)
    return cast(home, _each(move, cast(home, positions, rule.accumulator)), rule.result)


def _plan_flight(
    axes: int, time: float, diffusivity: Any, velocity: Any, steps: Any
) -> tuple[list[float], list[float]]:
    """Standard deviation and mean of what is flown, per axis."""
    if steps is not None:
        raise ValueError(refusal("steps are for walks on cells", f"got steps={steps!r}", "Give shape, or no steps"))
    rates = spread("diffusivity", diffusivity, axes, read_nonnegative)
    speeds = spread("velocity", 0.0 if velocity is None else velocity, axes, read_real)
    return [math.sqrt(2 * rate * time) for rate in rates], [speed * time for speed in speeds]


def _read_cells(shape: Any, walls: Any, axes: int) -> tuple[int, ...]:
    if shape is None:
        shape = walls.shape if isinstance(walls, Walls) else ()
    cells = tuple(read_size("each of shape", size) for size in (shape if isinstance(shape, Sequence) else (shape,)))
    if len(cells) != axes:
        given = f"the box has {len(cells)} axes, positions have {axes} coordinates"
        raise ValueError(refusal("a box needs one axis per coordinate", given, "Match shape or walls to positions"))
    return cells


def _each(move: Callable[[Any, Any], Any], positions: Any) -> Any:
    """``move(positions, number)`` of all particles; block by block if they are chunked."""
    home = home_of(positions)
    if 0 in positions.shape:
        return home.xp.concat([positions], axis=0)
    numbers = counters_like(home, positions[..., :1])
    if home.library == "dask":
        positions = positions.rechunk({positions.ndim - 1: -1})
        numbers = numbers.rechunk((*positions.chunks[:-1], (1,)))
        return positions.map_blocks(move, numbers, dtype=positions.dtype, meta=positions._meta)
    return move(positions, numbers)


def _fly(flight: tuple[list[float], list[float]], stream: Stream, positions: Any, numbers: Any) -> Any:
    """Free particles: two axes per four words."""
    home = home_of(positions)
    xp, name = home.xp, dtype_name(positions.dtype)
    numbers, found = xp.reshape(numbers, (-1,)), []
    for axis, (deviation, drift) in enumerate(zip(*flight, strict=True)):
        if axis % 2 == 0:
            pair = normal_pair(home, stream.words(home, numbers, axis // 2), name)
        found.append(pair[axis % 2] * deviation + drift)
    return positions + xp.reshape(xp.stack(found, axis=-1), tuple(positions.shape))


def _hop(jumps: Jumps, stream: Stream, positions: Any, numbers: Any) -> Any:
    """Particles on cells."""
    home = home_of(positions)
    rows = home.xp.reshape(positions, (-1, positions.shape[-1]))
    moved = jump(home, rows, home.xp.reshape(numbers, (-1,)), jumps, stream)
    return home.xp.reshape(moved, tuple(positions.shape))
