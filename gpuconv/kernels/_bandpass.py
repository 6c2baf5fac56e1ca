"""Kernels that keep detail of one size: laplacian_of_gaussian, difference_of_gaussians, gabor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.kernels._arguments import (
    check_count,
    read_ndim,
    read_nonnegative,
    read_positive,
    read_real,
    spread,
)
from gpuconv.kernels._smoothing import gaussian
from gpuconv.kernels._weights import total

PARTS = ("real", "imaginary", "complex")


def laplacian_of_gaussian(
    sigma: float | Sequence[float] = 1.0,
    *,
    ndim: int | None = None,
    truncate: float | None = None,
    radius: int | Sequence[int] | None = None,
    kind: str = "sampled",
) -> np.ndarray:
    """Smoothed Laplacian: crosses zero on edges, is lowest in the middle of bright blobs.

    ``k = sum_a d^2 G / d n_a^2``: for each axis a, the Gaussian with its second derivative along a.

    Convolving with the sampled kernel gives `scipy.ndimage.gaussian_laplace`; as it is cut at 4 sigma, its sum is not
    quite 0. The lattice kernel is the Laplacian by faces of the lattice Gaussian, and sums to 0.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation in samples; one for all axes, or one per axis.
    ndim : int, optional
        Number of axes; by default as many as `sigma` or `radius` has entries, else 2.
    truncate, radius, kind
        As in `gaussian`.

    Returns
    -------
    numpy.ndarray of float64, of an odd size on every axis

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`; sigma of the sampled kind must be positive.

    References
    ----------
    .. [1] D. Marr, E. Hildreth, "Theory of edge detection", Proceedings of the Royal Society of London B 207, 1980.
       DOI 10.1098/rspb.1980.0020

    Examples
    --------
    >>> from gpuconv.kernels import laplacian_of_gaussian
    >>> laplacian_of_gaussian(1.0).shape
    (9, 9)
    >>> laplacian_of_gaussian(0, kind="lattice").tolist()
    [[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]
    """
    ndim = read_ndim(ndim, sigma, radius)
    options: dict[str, Any] = {"truncate": truncate, "radius": radius, "kind": kind, "ndim": ndim}
    orders = (2 * np.eye(ndim, dtype=int)).tolist()
    return total([gaussian(sigma, order=order, **options) for order in orders])


def difference_of_gaussians(
    sigma: float | Sequence[float] = 1.0,
    *,
    ratio: float = 1.6,
    ndim: int | None = None,
    truncate: float | None = None,
    radius: int | Sequence[int] | None = None,
    kind: str = "sampled",
) -> np.ndarray:
    """Narrow Gaussian less a wide one: keeps detail of one size, bright spots stay bright.

    ``k = G(sigma) - G(ratio sigma)``.

    It stands in for the negated `laplacian_of_gaussian`, for which [1]_ recommends a ratio of 1.6; as the ratio goes to
    1, the kernel tends to ``-(ratio - 1) sigma^2 laplacian_of_gaussian(sigma)``.

    Parameters
    ----------
    sigma : float or sequence of float
        Standard deviation of the narrow Gaussian in samples; one for all axes, or one per axis.
    ratio : float
        How much wider the other one is, above 1.
    ndim : int, optional
        Number of axes; by default as many as `sigma` or `radius` has entries, else 2.
    truncate, radius, kind
        As in `gaussian`; each of the two is cut by itself.

    Returns
    -------
    numpy.ndarray of float64, of an odd size on every axis
        Sums to 0.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`; and if `ratio` is not above 1.

    References
    ----------
    .. [1] D. Marr, E. Hildreth, "Theory of edge detection", Proceedings of the Royal Society of London B 207, 1980.
       DOI 10.1098/rspb.1980.0020

    Examples
    --------
    >>> from gpuconv.kernels import difference_of_gaussians
    >>> kernel = difference_of_gaussians(1.0)
    >>> kernel.shape, bool(kernel[6, 6] > 0), bool(abs(kernel.sum()) < 1e-14)
    ((13, 13), True, True)
    """
    ndim = read_ndim(ndim, sigma, radius)
    ratio = read_real("ratio", ratio)
    if ratio <= 1:
        raise ValueError(refusal("ratio must be above 1", f"got {ratio!r}", "Give the ratio of the wide to the narrow"))
    options: dict[str, Any] = {"truncate": truncate, "radius": radius, "kind": kind, "ndim": ndim}
    sigmas = spread("sigma", sigma, ndim, read_nonnegative)
    return total([gaussian(sigmas, **options), -gaussian([ratio * own for own in sigmas], **options)])


def gabor(
    wavelength: float = 8.0,
    *,
    angle: float = 0.0,
    phase: float = 0.0,
    sigma: float | None = None,
    aspect: float = 1.0,
    truncate: float = 3.0,
    part: str = "real",
) -> np.ndarray:
    """Wave under a Gaussian: answers to stripes of one width and direction.

    ``k[m, n] = g exp(i (2 pi u / wavelength + phase))``, g = exp(-(u^2 + (aspect v)^2) / (2 sigma^2)) / sum.

    ``u = n cos(angle) + m sin(angle)`` runs across the stripes, ``v = m cos(angle) - n sin(angle)`` along them. With
    phase 0, convolving a wave ``exp(2 pi i u / wavelength)`` with the complex kernel returns that wave; the magnitude
    of its answer is large where there are such stripes, wherever their crests lie.

    Parameters
    ----------
    wavelength : float
        Width of a stripe with its gap, in pixels.
    angle : float
        Direction across the stripes in degrees, from axis 1 towards axis 0: 0 answers to upright stripes.
    phase : float
        In degrees: 0 answers to stripes centred on the pixel (even), 90 to edges (odd).
    sigma : float, optional
        Standard deviation across the stripes in pixels; by default 0.56 wavelengths, a bandwidth of one octave.
    aspect : float
        sigma divided by the standard deviation along the stripes: below 1, longer stripes are wanted.
    truncate : float
        Cut at this many standard deviations.
    part : {"real", "imaginary", "complex"}

    Returns
    -------
    numpy.ndarray of float64, or complex128 for "complex", 2-D of odd sizes
        The weights of the real part sum to nearly ``cos(phase) exp(-2 (pi sigma / wavelength)^2)``, not to 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range.

    References
    ----------
    .. [1] D. Gabor, "Theory of communication", Journal of the Institution of Electrical Engineers 93, 1946.
    .. [2] J. G. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and orientation optimized by
       two-dimensional visual cortical filters", Journal of the Optical Society of America A 2, 1985.
       DOI 10.1364/JOSAA.2.001160

    Examples
    --------
    >>> from gpuconv.kernels import gabor
    >>> gabor(4, sigma=0.5, truncate=2).round(3).tolist()
    [[0.0, 0.084, 0.0], [0.0, 0.619, 0.0], [0.0, 0.084, 0.0]]
    """
    wavelength = read_positive("wavelength", wavelength)
    radians, offset = math.radians(read_real("angle", angle)), math.radians(read_real("phase", phase))
    # One octave: sigma / wavelength = sqrt(ln 2 / 2) / pi * (2 + 1) / (2 - 1).
    across = 3 * math.sqrt(math.log(2) / 2) / math.pi * wavelength if sigma is None else read_positive("sigma", sigma)
    along = across / read_positive("aspect", aspect)
    part = read_choice("part", part, PARTS)
    sine, cosine = math.sin(radians), math.cos(radians)
    cut = read_nonnegative("truncate", truncate)
    # The box around the ellipse where the Gaussian is cut.
    rows, columns = cut * math.hypot(across * sine, along * cosine), cut * math.hypot(across * cosine, along * sine)
    check_count((2 * rows + 1) * (2 * columns + 1), f"wavelength={wavelength:g}, sigma={across:g}")
    m = np.arange(-int(rows + 0.5), int(rows + 0.5) + 1)[:, None]
    n = np.arange(-int(columns + 0.5), int(columns + 0.5) + 1)
    u, v = n * cosine + m * sine, m * cosine - n * sine
    envelope = np.exp(-0.5 * ((u / across) ** 2 + (v / along) ** 2))
    wave = 2 * math.pi * u / wavelength + offset
    kernel = envelope / envelope.sum() * (np.cos(wave) + 1j * np.sin(wave))
    return {"real": kernel.real, "imaginary": kernel.imag, "complex": kernel}[part].copy()
