"""Quantum mechanics on a box: waves spread, split at slits, tunnel, and are measured."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.dtypes import is_complex, real_of
from gpuconv.core.namespace import cast, has_double, read_kernel
from gpuconv.diffusion._arguments import read_spacing
from gpuconv.diffusion._philox import counters, read_rng, uniform
from gpuconv.diffusion._waves import (
    Space,
    count_steps,
    read_absorber,
    read_mechanics,
    read_moment,
    read_potential,
    read_wave,
)
from gpuconv.kernels._arguments import read_count, read_positive, read_real, read_size, spread

__all__ = ["evolve", "measure", "expectation", "wave_packet"]

_OBSERVABLES = ("norm", "position", "spread", "momentum", "momentum-spread", "kinetic", "energy")
_USE = 1  # of a seed: tells measurements from other draws


def evolve(
    psi: Any,
    /,
    time: complex,
    *,
    potential: Any = None,
    mass: float = 1.0,
    hbar: float = 1.0,
    spacing: float | Sequence[float] = 1.0,
    steps: int | None = None,
    absorb: float | Sequence[float] | None = None,
    boundary: Any = "periodic",
    axes: Any = None,
) -> Any:
    r"""Let a wave function evolve for a time: ``i hbar dpsi/dt = -hbar^2/(2 m) laplace psi + V psi``.

    Without a potential in one exact step, each mode ``exp(i k x)`` turning by ``exp(-i hbar k^2 t/(2 m))``. With one in
    `steps` steps of ``exp(-i V dt/2 hbar) exp(-i T dt/hbar) exp(-i V dt/2 hbar)``: unitary whatever the step, with an
    error that falls with ``dt^2``. It is diffusion with the imaginary diffusivity ``i hbar/(2 m)``, and with the time
    ``-1j * tau`` it is diffusion, with ``hbar/(2 m)``, in which excited states die out and the ground state is left.

    Parameters
    ----------
    psi : array
        Values in the cells, of any shape and library; real ones are taken as complex. Batches through `axes`.
    time : float or complex
        In any unit; negative goes back. The imaginary part must not be positive.
    potential : array, optional
        V, in units of ``hbar/time``, of a shape that broadcasts to the box; complex if something absorbs. May be
        traced or differentiated.
    mass, hbar : float
    spacing : float or sequence of float
        Width h of the cells, one or one per axis; centres lie at (i + 1/2) h.
    steps : int, optional
        By default so many that the range of the potential turns no phase by more than a quarter radian in a step.
        Under `jax.jit` each is compiled.
    absorb : float or sequence of float, optional
        Width of the layers, at both ends of each axis, that absorb what comes to them, so that the box looks open: of
        waves up to as long as the layer is wide less than 1 % comes back.
    boundary : str or list
        "periodic"; "fixed", a hard wall at the outer faces; "no-flux"; or a list with one per axis.
    axes : int or sequence of int, optional
        Axes of the box; all by default.

    Returns
    -------
    array
        Complex, of the shape, library, device and precision of psi; half precision gives complex64.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, out of range or does not fit the others.

    See Also
    --------
    gpuconv.diffusion.diffuse : the same equation without the i.

    References
    ----------
    .. [1] M. D. Feit, J. A. Fleck, A. Steiger, "Solution of the Schrödinger equation by a spectral method", Journal of
       Computational Physics 47 (1982) 412-433. DOI 10.1016/0021-9991(82)90091-2

    Examples
    --------
    A packet at rest spreads as ``s^2 = s0^2 (1 + (hbar t/(2 m s0^2))^2)``:

    >>> from gpuconv.diffusion import quantum
    >>> psi = quantum.wave_packet(256, centre=12.8, width=0.5, spacing=0.1)
    >>> later = quantum.evolve(psi, 1.0, spacing=0.1)
    >>> quantum.expectation(later, "spread", spacing=0.1).round(6).tolist()
    [1.118034]
    """
    moment = read_moment(time)
    mass, hbar = read_mechanics(mass, hbar)
    psi, space = read_wave(psi, spacing, boundary, axes)
    potential = read_potential(potential, space)
    widths, absorber = read_absorber(absorb, space, hbar, mass)
    if absorber is not None and (moment.imag or moment.real < 0):
        given = f"got time={time!r}"
        raise ValueError(refusal("absorbing edges need a real time that goes forwards", given, "Leave out absorb"))
    needed = count_steps(moment, potential, widths, space, hbar, mass) if steps is None else None
    count = needed or read_count("steps", steps, 1)
    work = space.enter(psi)
    if prod(space.shape) and moment:
        if potential is None and absorber is None:
            count = 1
        halves = _potential_factor(space, potential, absorber, 0.5 * moment / count, hbar)
        work = _strang(space, work, _kinetic_factor(space, moment / count, hbar, mass), halves, count)
    else:
        work = space.home.xp.concat([work], axis=0)  # a copy
    return space.leave(work)


def _kinetic_factor(space: Space, step: complex, hbar: float, mass: float) -> Any:
    """``exp(-i hbar k^2 dt/(2 m))`` of every mode, worked out in double precision axis by axis."""
    factor = None
    for axis in range(space.axes):
        k = space.wavenumbers(axis)
        part = space.bring(np.exp(-0.5j * hbar / mass * step * k * k))
        factor = part if factor is None else factor * part
    return factor


def _potential_factor(space: Space, potential: Any, absorber: Any, step: complex, hbar: float) -> Any:
    """``exp(-i V dt/hbar)``; None if it is 1."""
    home, factor = space.home, None
    if absorber is not None:
        factor = space.bring(np.exp(-absorber * step / hbar).astype(np.complex128))
    if potential is None:
        return factor
    if isinstance(potential, np.ndarray):
        turned = space.bring(np.exp(-1j * step / hbar * potential))
    else:
        turned = home.xp.exp(cast(home, potential, space.dtype) * (-1j * step / hbar))
    return turned if factor is None else turned * factor


def _strang(space: Space, psi: Any, kinetic: Any, halves: Any, count: int) -> Any:
    """``count`` symmetric steps; the potential's halves of neighbouring steps are one."""
    if halves is None:
        return space.inverse(space.forward(psi) * kinetic)
    whole = halves * halves
    psi = psi * halves
    for position in range(count):
        psi = space.inverse(space.forward(psi) * kinetic)
        psi = psi * (whole if position < count - 1 else halves)
    return psi


def measure(
    psi: Any,
    /,
    draws: int,
    *,
    spacing: float | Sequence[float] = 1.0,
    rng: Any = None,
    axes: Any = None,
) -> Any:
    """Measure the position: draws cells with probability ``|psi|^2/sum |psi|^2``.

    Parameters
    ----------
    psi : array
        Wave function, normalised or not; every draw is of a fresh one.
    draws : int
        How many.
    spacing : float or sequence of float
        Width of the cells, one or one per axis.
    rng : None, int or numpy.random.Generator
        A seed gives the same draws on every library, but for draws within rounding of the border between two cells; a
        generator is advanced; None takes the system's entropy.
    axes : int or sequence of int, optional
        Axes of the box; all by default, else each batch is measured by itself.

    Returns
    -------
    array, (\\*batch, draws, axes)
        Positions (i + 1/2) h of the cells drawn, real, of the library, device and precision of psi.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range, or psi has no cells.

    Examples
    --------
    In two places at once, with 30 and 70 percent, until somebody looks:

    >>> import numpy as np
    >>> from gpuconv.diffusion import quantum
    >>> psi = np.sqrt([0.3, 0.7]) * [1, 1j]
    >>> seen = quantum.measure(psi, 10000, rng=7)
    >>> seen[:4, 0].tolist()
    [1.5, 1.5, 1.5, 1.5]
    >>> bool(abs(np.mean(seen == 1.5) - 0.7) < 3 * np.sqrt(0.3 * 0.7 / 10000))
    True
    """
    draws, stream = read_count("draws", draws, 0), read_rng(rng, _USE)
    psi, space = read_wave(psi, spacing, "periodic", axes)
    home, xp = space.home, space.home.xp
    name = real_of(space.dtype)
    if 0 in space.sizes:
        raise ValueError(refusal("a measurement needs a cell", f"the box has {space.sizes} cells", "Give psi samples"))
    batches = space.shape[: len(space.shape) - space.axes]
    density = _density(space, psi)
    # Where sums can be made in double precision, the tails count, too.
    wide = "float64" if has_double(home) else name
    lines = xp.reshape(cast(home, density, wide), (prod(batches), prod(space.sizes)))
    seen = []
    for batch in range(prod(batches)):
        words = stream.words(home, counters(home, draws), batch)
        cumulative = xp.cumulative_sum(lines[batch, :], axis=0)
        heights = uniform(home, words[0], words[1], wide) * cumulative[-1]
        cells = xp.searchsorted(cumulative, heights, side="right")
        seen.append(xp.stack(_positions(space, cells, name), axis=-1))
    result = xp.stack(seen) if seen else xp.zeros((0, draws, space.axes), dtype=density.dtype, device=home.device)
    return xp.reshape(result, (*batches, draws, space.axes))


def _positions(space: Space, cells: Any, name: str) -> list[Any]:
    """Of cells counted along the last axis first."""
    stride, found = 1, []
    for size, spacing in zip(reversed(space.sizes), reversed(space.spacing), strict=True):
        place = (cells // stride) % size
        found.append((cast(space.home, place, name) + 0.5) * spacing)
        stride *= size
    return found[::-1]


def _density(space: Space, psi: Any) -> Any:
    """``|psi|^2`` in working order."""
    work = space.enter(psi)
    xp = space.home.xp
    return xp.real(work) ** 2 + xp.imag(work) ** 2


def expectation(
    psi: Any,
    observable: Any,
    /,
    *,
    potential: Any = None,
    mass: float = 1.0,
    hbar: float = 1.0,
    spacing: float | Sequence[float] = 1.0,
    boundary: Any = "periodic",
    axes: Any = None,
) -> Any:
    """Mean of what many measurements would give: ``<A> = <psi|A|psi>/<psi|psi>``.

    Parameters
    ----------
    psi : array
        Wave function, normalised or not.
    observable : str or array
        "position" and "momentum", ``-i hbar d/dx``, per axis; "spread" and "momentum-spread", their standard
        deviations; "kinetic" energy; "energy", with that of `potential`; "norm", ``sum |psi|^2`` times the volume of a
        cell, which is not divided by anything; or an array with a value per cell that broadcasts to the box.
    potential, mass, hbar, spacing, boundary, axes
        As in `evolve`. Momenta need periodic axes.

    Returns
    -------
    array, (\\*batch) or (\\*batch, axes)
        Real, of the library, device and precision of psi; with one entry per axis for positions and momenta.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, out of range or does not fit the others.

    Examples
    --------
    >>> from gpuconv.diffusion import quantum
    >>> psi = quantum.wave_packet(200, centre=8.0, width=0.5, wavenumber=3.0, spacing=0.1)
    >>> for name in ("position", "spread", "momentum", "momentum-spread"):      # the last two: 3, and 1/(2 width)
    ...     print(name, quantum.expectation(psi, name, spacing=0.1).round(6).tolist())
    position [8.0]
    spread [0.5]
    momentum [3.0]
    momentum-spread [1.0]
    """
    mass, hbar = read_mechanics(mass, hbar)
    psi, space = read_wave(psi, spacing, boundary, axes)
    if not isinstance(observable, str):
        values = read_kernel(observable, space.home, "observable")
        return _mean(space, _density(space, psi), read_potential(values, space))
    name = read_choice("observable", observable, _OBSERVABLES)
    if potential is not None and name != "energy":
        raise ValueError(refusal('a potential is for "energy"', f"got it with {name!r}", "Leave it out"))
    if name in ("momentum", "momentum-spread", "kinetic", "energy"):
        return _in_modes(space, psi, name, read_potential(potential, space), mass, hbar)
    density = _density(space, psi)
    if name == "norm":
        norm = space.home.xp.sum(density, axis=_last(space)) * space.cell
        return cast(space.home, norm, real_of(space.dtype))
    return _per_axis(space, density, [space.positions(axis) for axis in range(space.axes)], name == "spread")


def _in_modes(space: Space, psi: Any, name: str, potential: Any, mass: float, hbar: float) -> Any:
    """What is diagonal in the modes; its weights there are ``|F psi|^2``."""
    xp = space.home.xp
    if name.startswith("momentum") and set(space.bases) != {"fft"}:
        remedy = "Take boundary='periodic', or ask for the kinetic energy"
        raise ValueError(refusal("a momentum needs periodic axes", f"the bases are {space.bases}", remedy))
    modes = space.forward(space.enter(psi))
    weights = xp.real(modes) ** 2 + xp.imag(modes) ** 2
    waves = [hbar * space.wavenumbers(axis) for axis in range(space.axes)]
    if name.startswith("momentum"):
        if name == "momentum":  # the highest frequency of an even axis goes either way
            waves = [
                np.where(abs(wave) * spacing > hbar * (np.pi - 1e-9), 0.0, wave)
                for wave, spacing in zip(waves, space.spacing, strict=True)
            ]
        return _per_axis(space, weights, waves, name == "momentum-spread")
    energy = _mean(space, weights, sum(wave * wave for wave in waves) / (2 * mass))
    return energy if potential is None else energy + _mean(space, _density(space, psi), potential)


def _per_axis(space: Space, weights: Any, values: list[np.ndarray], spread_: bool) -> Any:
    """Mean, or standard deviation, of values along each axis."""
    xp, found = space.home.xp, []
    for along in values:
        # About the middle, so that a variance is no difference of large numbers.
        middle = float(along.mean()) if along.size else 0.0
        mean = _mean(space, weights, along - middle)
        if spread_:
            variance = _mean(space, weights, (along - middle) ** 2) - mean**2
            found.append(xp.sqrt(xp.where(variance > 0, variance, 0 * variance)))
        else:
            found.append(mean + middle)
    # NumPy 1 widens a lone float32 beside a Python number.
    return cast(space.home, xp.stack(found, axis=-1), real_of(space.dtype))


def _mean(space: Space, weights: Any, values: Any) -> Any:
    home, xp = space.home, space.home.xp
    if isinstance(values, np.ndarray):
        if is_complex(values.dtype.name):
            raise TypeError(refusal("an observable must be real", f"its dtype is {values.dtype}", "Take its real part"))
        values = space.bring(values)
    else:
        values = cast(home, values, real_of(space.dtype))
    return xp.sum(weights * values, axis=_last(space)) / xp.sum(weights, axis=_last(space))


def _last(space: Space) -> tuple[int, ...]:
    return tuple(range(-space.axes, 0))


def wave_packet(
    shape: int | Sequence[int],
    *,
    centre: float | Sequence[float],
    width: float | Sequence[float],
    wavenumber: float | Sequence[float] = 0.0,
    spacing: float | Sequence[float] = 1.0,
) -> np.ndarray:
    """Gaussian wave packet ``psi = prod_a exp(-(x - c)^2/(4 s^2) + i k (x - c))``, scaled to ``sum |psi|^2 dx = 1``.

    Parameters
    ----------
    shape : int or sequence of int
        Cells per axis.
    centre : float or sequence of float
        c, one or one per axis.
    width : float or sequence of float
        s, the standard deviation of the position.
    wavenumber : float or sequence of float
        k, in radians per length: the momentum is ``hbar k``, the speed ``hbar k/m``.
    spacing : float or sequence of float
        Width h of the cells; centres lie at (i + 1/2) h.

    Returns
    -------
    numpy.ndarray, complex128
        Convert it for another library.

    Raises
    ------
    TypeError, ValueError
        If a number is of a wrong type or out of range, or the packet lies outside the box.

    Examples
    --------
    >>> from gpuconv.diffusion import quantum
    >>> psi = quantum.wave_packet((64, 64), centre=32, width=4, wavenumber=(0, 1))
    >>> round(float((abs(psi) ** 2).sum()), 12)
    1.0
    """
    sizes = tuple(read_size("each of shape", size) for size in (shape if isinstance(shape, Sequence) else (shape,)))
    count = len(sizes)
    spacings = read_spacing(spacing, count)
    centres, waves = spread("centre", centre, count, read_real), spread("wavenumber", wavenumber, count, read_real)
    widths = spread("width", width, count, read_positive)
    psi: np.ndarray = np.ones((1,) * count, dtype=np.complex128)
    for axis in range(count):
        x = (np.arange(sizes[axis]) + 0.5) * spacings[axis] - centres[axis]
        part = np.exp(-((x / widths[axis]) ** 2) / 4 + 1j * waves[axis] * x)
        psi = psi * part.reshape((-1,) + (1,) * (count - axis - 1))
    total = float(np.sum(np.abs(psi) ** 2)) * prod(spacings)
    if total == 0:
        given = (
            f"centre={centre!r}, width={width!r} in a box of {[n * h for n, h in zip(sizes, spacings, strict=True)]}"
        )
        raise ValueError(refusal("a wave packet must reach into the box", given, "Move the centre into it"))
    return psi / np.sqrt(total)
