"""Diffusion along the radius of cylinders and spheres, whole or hollow, exact in time."""

from __future__ import annotations

from typing import Any

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.namespace import read_image
from gpuconv.diffusion import propagators
from gpuconv.diffusion.grid import Grid, Line
from gpuconv.kernels._arguments import read_nonnegative, read_positive

__all__ = ["diffuse"]

_GEOMETRIES = {"cylinder": "polar", "disk": "polar", "sphere": "spherical"}


def diffuse(
    u: Any,
    /,
    time: Any,
    *,
    geometry: str,
    radius: float,
    inner: float = 0.0,
    diffusivity: Any = 1.0,
    boundary: Any = "no-flux",
) -> Any:
    """Let u(r) diffuse in a cylinder or a sphere: ``du/dt = D r^(1-d) d/dr (r^(d-1) du/dr)``, d = 2 or 3.

    In finite volumes, ``V[i] du[i]/dt = D (A[i+1] (u[i+1] - u[i]) - A[i] (u[i] - u[i-1]))/h``: what leaves a ring
    enters its neighbour. The matrix is made symmetric by ``V^(1/2)`` and diagonalised: any time takes one product with
    its eigenvectors. Second order in h, exact in time; mass ``sum_i V[i] u[i]`` is kept to rounding if nothing leaves.

    Parameters
    ----------
    u : array
        Values per ring or shell, r on the last axis; other axes are batches. n cells of width
        ``h = (radius - inner)/n``, cell i centred at ``inner + (i + 1/2) h``.
    time : float
        As in `gpuconv.diffusion.diffuse`.
    geometry : {"cylinder", "sphere"}
        "disk" is the cylinder: nothing depends on z.
    radius, inner : float
        Outer radius, and that of the hole; ``0 <= inner < radius``.
    diffusivity : float
        In units of radius^2 per time.
    boundary : str or tuple
        One condition for both surfaces, or an (inner, outer) tuple, as in `gpuconv.diffusion.diffuse`. Without a hole
        there is no inner surface, and the first does not matter.

    Returns
    -------
    array
        As of `gpuconv.diffusion.diffuse`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type, out of range or does not fit the others.

    See Also
    --------
    gpuconv.diffusion.Grid : volumes and areas; cylinders with a height.

    References
    ----------
    .. [1] J. Crank, "The Mathematics of Diffusion", 2nd ed., 1975, chapters 5 and 6.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import diffusion
    >>> hot = np.ones(4)
    >>> diffusion.radial.diffuse(hot, 0.1, geometry="sphere", radius=1.0, boundary="fixed").round(3).tolist()
    [0.69, 0.582, 0.37, 0.106]
    >>> diffusion.radial.diffuse(hot, 0.1, geometry="disk", radius=1.0).round(12).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    u, _ = read_image(u, "u")
    if u.ndim == 0:
        raise ValueError(refusal("u needs an axis for the radius", "it has no dimension", "Give one value per ring"))
    radius, inner = read_positive("radius", radius), read_nonnegative("inner", inner)
    if inner >= radius:
        remedy = "Give a smaller hole"
        raise ValueError(refusal("inner must be below radius", f"got inner={inner:g}, radius={radius:g}", remedy))
    kind = _GEOMETRIES[read_choice("geometry", geometry, _GEOMETRIES)]
    count = u.shape[-1]
    grid = Grid((Line(kind, count, (radius - inner) / max(count, 1), inner),))
    return propagators.diffuse(u, time, diffusivity=diffusivity, boundary=boundary, grid=grid, axes=u.ndim - 1)
