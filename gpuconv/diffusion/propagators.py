"""Diffusion with constant coefficients, solved exactly for any time: diffuse, plan_diffusion, propagator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuconv.diffusion._describe import Arguments, describe
from gpuconv.diffusion._plan import DiffusionPlan, choose_plan
from gpuconv.diffusion._solve import solve
from gpuconv.kernels import gaussian
from gpuconv.kernels._arguments import read_ndim, read_nonnegative, read_positive, spread

__all__ = ["diffuse", "plan_diffusion", "propagator"]


def diffuse(
    u: Any,
    /,
    time: Any,
    *,
    diffusivity: Any = 1.0,
    spacing: float | Sequence[float] = 1.0,
    boundary: Any = "no-flux",
    velocity: float | Sequence[float] | None = None,
    decay: Any = 0.0,
    source: Any = None,
    grid: Any = None,
    axes: Any = None,
    symbol: str = "lattice",
    method: str = "auto",
) -> Any:
    r"""Let u diffuse for a time: ``u(t) = exp(-t L) u(0)``, the solution of ``du/dt = -L u`` in one step.

    ``L u = -sum_a D[a] (u[i+1] - 2 u[i] + u[i-1])/h[a]^2`` on a box, over the axes a; on a `grid` the differences are
    of fluxes through faces of other sizes. The time may be anything: nothing is stepped and nothing becomes unstable.
    With velocity v, decay k and source s it is ``du/dt = -L u - v . grad u - k u + s``.

    With the lattice symbol no maximum grows and no minimum sinks, to rounding, constants stay, mass stays to rounding
    if nothing leaves, and two times in a row are their sum. NaN and infinity may reach every sample.

    Parameters
    ----------
    u : array
        Values in the cells, of any shape and library; floating, integer or complex.
    time : float
        Zero or more; 0 returns a copy. A 0-d array of the library of u that takes part in differentiation or tracing
        is used as it is, unchecked.
    diffusivity : float, sequence of float, or matrix
        In units of spacing^2 per time, zero or more; one, one per axis, or a symmetric matrix without negative
        eigenvalues over periodic axes. Its mixed terms are central differences,
        ``2 D[a, b] sin(k_a h_a) sin(k_b h_b)/(h_a h_b)`` in the Fourier domain: what spreads has the exact covariance,
        but only a diagonal matrix keeps it positive. 0-d arrays as for `time`.
    spacing : float or sequence of float
        Width h of the cells; one, or one per axis. n cells fill [0, n h], their centres at (i + 1/2) h.
    boundary : str, tuple or list
        One condition, a (low, high) tuple of conditions, or a list with one of these per axis. A condition is
        "periodic" (alias "wrap"), "no-flux" ("neumann"), "fixed" ("dirichlet", 0 on the face), ("fixed", value),
        ("robin", a, b) or ("robin", a, b, value): ``a u + b du/dn = value`` on the face, n pointing outwards.
    velocity : float or sequence of float, optional
        Wind, in spacing per time; one, or one per axis. Needs periodic axes and the continuous symbol.
    decay : float
        Rate k, zero or more, in 1 per time. 0-d arrays as for `time`.
    source : number or array, optional
        s, in units of u per time, of a shape that broadcasts to that of u.
    grid : Grid, optional
        Disks, cylinders (r, z), balls; instead of `spacing`. At the centre of a whole disk no condition is needed, and
        what is given there does not matter.
    axes : int or sequence of int, optional
        Axes that diffuse, in the order of the parameters with one entry per axis. All axes by default. The others are
        batches.
    symbol : {"lattice", "continuous"}
        Diffusion between cells, whose modes decay by ``exp(-t D (2/h sin(k h/2))^2)``, or of the trigonometric
        polynomial through the samples, ``exp(-t D k^2)``: exact for smooth data, but it undershoots at edges.
    method : {"auto", "transform", "matrix", "kernel"}
        FFT, cosine and sine transforms; products with eigenvectors, for conditions that differ between both sides,
        "robin" and radii; or convolution with the propagator where it is short. `plan_diffusion` says which is taken.

    Returns
    -------
    array
        u after `time`, of its shape, library and device. Floating and complex u keep their dtype; 8- and 16-bit
        integers give float32, wider ones float64. Half precision is computed in float32.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, out of range or does not fit the others.

    See Also
    --------
    propagator : the kernel, for a convolution.
    evolve : diffusivity that varies, barriers, wind between walls.

    References
    ----------
    .. [1] J. Crank, "The Mathematics of Diffusion", 2nd ed., 1975, equations 1.5 and 2.6.
    .. [2] T. Lindeberg, "Scale-space for discrete signals", IEEE Transactions on Pattern Analysis and Machine
       Intelligence 12, 1990. DOI 10.1109/34.49051: the lattice.
    .. [3] G. Strang, "The discrete cosine transform", SIAM Review 41, 1999. DOI 10.1137/S0036144598336745: which
       boundary goes with which transform.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> drop = np.array([0.0, 0.0, 8.0, 0.0, 0.0])
    >>> diffusion.diffuse(drop, 0.5).round(3).tolist()
    [0.465, 1.671, 3.728, 1.671, 0.465]
    >>> diffusion.diffuse(drop, 1e6).round(3).tolist()
    [1.6, 1.6, 1.6, 1.6, 1.6]
    >>> diffusion.diffuse(drop, 1e6, boundary=(("fixed", 0), ("fixed", 10))).round(3).tolist()
    [1.0, 3.0, 5.0, 7.0, 9.0]
    """
    given = Arguments(diffusivity, spacing, boundary, velocity, decay, source, grid, axes, symbol, method)
    task = describe(u, time, given)
    return solve(task, choose_plan(task))


def plan_diffusion(
    u: Any,
    /,
    time: Any,
    *,
    diffusivity: Any = 1.0,
    spacing: float | Sequence[float] = 1.0,
    boundary: Any = "no-flux",
    velocity: float | Sequence[float] | None = None,
    decay: Any = 0.0,
    source: Any = None,
    grid: Any = None,
    axes: Any = None,
    symbol: str = "lattice",
    method: str = "auto",
) -> DiffusionPlan:
    """Say what `diffuse` would do along each axis, and why, without doing it.

    Parameters
    ----------
    u, time, diffusivity, spacing, boundary, velocity, decay, source, grid, axes, symbol, method
        As in `diffuse`; of u only the sizes, the dtype and the library count.

    Returns
    -------
    DiffusionPlan
        Made to be printed.

    Raises
    ------
    TypeError, ValueError
        As in `diffuse`.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> plan = diffusion.plan_diffusion(np.zeros((512, 512)), 2000.0, boundary=["periodic", "fixed"])
    >>> [along.method for along in plan.axes]
    ['transform', 'transform']
    """
    given = Arguments(diffusivity, spacing, boundary, velocity, decay, source, grid, axes, symbol, method)
    return choose_plan(describe(u, time, given))


def propagator(
    time: float,
    *,
    diffusivity: float | Sequence[float] = 1.0,
    spacing: float | Sequence[float] = 1.0,
    kind: str = "lattice",
    ndim: int | None = None,
    truncate: float | None = None,
    radius: int | Sequence[int] | None = None,
    dtype: Any = np.float64,
) -> np.ndarray:
    """Kernel with which convolution is diffusion: what becomes of one cell's content, 1, after a time.

    ``k[m, n, ...] = g[m] g[n] ...`` with ``z = 2 D t/h^2`` on each axis:
    lattice: ``g[n] = exp(-z) I_n(z)``, the heat kernel of the lattice, which is what `diffuse` applies;
    sampled: ``g[n] = exp(-n^2/(2 z)) / sum``, samples of the heat kernel of continuous space.

    These are the Gaussians of `gpuconv.kernels.gaussian` with ``sigma = sqrt(2 D t)/h``: Gaussian smoothing is
    diffusion.

    Parameters
    ----------
    time : float
        Zero or more.
    diffusivity, spacing : float or sequence of float
        As in `diffuse`; one, or one per axis.
    kind : {"lattice", "sampled"}
    ndim : int, optional
        Number of axes; by default as many as `diffusivity` or `spacing` has entries, else 1.
    truncate, radius, dtype
        As in `gpuconv.kernels.gaussian`. By default the lattice kind goes on to where the mass left out is below the
        eps of `dtype`, and the sampled kind to 4 standard deviations.

    Returns
    -------
    numpy.ndarray, `ndim` axes of odd sizes
        Sums to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    See Also
    --------
    diffuse : the same at once, for any boundary and time.

    References
    ----------
    .. [1] T. Lindeberg, "Scale-space for discrete signals", IEEE Transactions on Pattern Analysis and Machine
       Intelligence 12, 1990. DOI 10.1109/34.49051

    Examples
    --------
    >>> from gpuconv import convolve, diffusion
    >>> k = diffusion.propagator(0.5)
    >>> k[len(k) // 2 - 1 : len(k) // 2 + 2].round(4).tolist()
    [0.2079, 0.4658, 0.2079]
    >>> drop = [0.0, 0.0, 8.0, 0.0, 0.0]
    >>> bool(abs(convolve(drop, k, boundary="reflect") - diffusion.diffuse(drop, 0.5)).max() < 1e-14)
    True
    """
    time = read_nonnegative("time", time)
    count = read_ndim(ndim, diffusivity, spacing, default=1)
    rates = spread("diffusivity", diffusivity, count, read_nonnegative)
    widths = spread("spacing", spacing, count, read_positive)
    sigma = [math.sqrt(2 * rate * time) / width for rate, width in zip(rates, widths, strict=True)]
    return gaussian(sigma, ndim=count, kind=kind, truncate=truncate, radius=radius, dtype=dtype)
