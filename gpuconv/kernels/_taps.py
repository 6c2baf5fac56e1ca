"""Taps of the Gaussian and its derivatives on one axis; filters and heat propagators share them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.kernels._arguments import (
    check_count,
    read_nonnegative,
    read_order,
    read_precision,
    read_radius,
)

KINDS = ("sampled", "lattice")
# SciPy's: gaussian_filter cuts at 4 sigma unless told otherwise.
TRUNCATE = 4.0
# Taps of the central difference of each order, for convolution: an increasing ramp gives a positive slope.
DIFFERENCES: dict[int, tuple[float, ...]] = {0: (1,), 1: (0.5, 0, -0.5), 2: (1, -2, 1), 3: (0.5, -1, 0, 1, -0.5)}
# Above this sigma the expansion for large order is exact to rounding (its next term is below 2e-17). scipy.special.ive
# is off by 5e-14 of a weight at 3 sigma there, by 1e-12 for sigma = 10^4, and returns NaN once sigma^2 passes 10^9.
_EXPANSION_FROM = 100.0


def gaussian_taps(
    sigma: float,
    *,
    order: int = 0,
    truncate: float | None = None,
    radius: int | None = None,
    kind: str = "sampled",
    dtype: Any = np.float64,
) -> np.ndarray:
    r"""Taps of a Gaussian, or of its derivative, along one axis.

    ``sampled: g[n] = exp(-n^2 / (2 sigma^2)) / sum``, ``lattice: g[n] = exp(-sigma^2) I_n(sigma^2)``, n = -r ... r.

    The *sampled* Gaussian and its derivatives are SciPy's: order m multiplies the normalised samples by
    ``(-1/sigma)^m He_m(n/sigma)``, with the Hermite polynomials He_1 = u, He_2 = u^2 - 1, He_3 = u^3 - 3u. They are
    good from about sigma = 1; below, their sums and slopes are off.

    The *lattice* Gaussian (I_n is the modified Bessel function) is the heat kernel of the lattice, exactly and for any
    sigma: its variance is ``sigma^2``, and two of them in a row are one, with their ``sigma^2`` added. Its derivatives
    are its central differences: ``(g[n+1] - g[n-1])/2 = -(n/sigma^2) g[n]`` for order 1, ``g[n+1] - 2 g[n] + g[n-1]``
    for order 2, and one of the other for order 3. Order 1 of a ramp is its slope, order 2 of a parabola its curvature.

    Parameters
    ----------
    sigma : float
        Standard deviation in samples, 0 or more. 0 leaves the impulse (or for the lattice its differences).
    order : {0, 1, 2, 3}
        0 smooths, m gives the derivative of order m per sample^m. Taps are for `convolve`: order 1 of an increasing
        ramp is positive.
    truncate : float, optional
        Cut at this many sigma: ``r = int(truncate sigma + 0.5)``. Sampled taps are cut at 4 sigma by default.
    radius : int, optional
        Cut at this r, instead of by `truncate`.
    kind : {"sampled", "lattice"}
    dtype : {float64, float32, float16}
        dtype of the taps; they are computed in float64.

    Returns
    -------
    numpy.ndarray, shape (2 r + 1,)
        Taps of order 0 sum to 1. Without `truncate` and `radius` the lattice Gaussian goes on to where the mass left
        out is below the eps of `dtype`. Where they cut it, it is divided by its sum, and differences are taken after
        that: they are 0 for constants all the same, but have a step at the cut, which a derivative of a wide Gaussian
        shows. Leave such ones uncut.

    Raises
    ------
    TypeError
        If an argument is of a wrong type, or `dtype` is not one of the three.
    ValueError
        If an argument is out of range, `truncate` and `radius` are both given, `radius` is too small for the
        differences, or a sampled derivative does not exist because sigma is (nearly) 0.

    See Also
    --------
    gaussian : the same in any number of dimensions.

    References
    ----------
    .. [1] T. Lindeberg, "Scale-space for discrete signals", IEEE Transactions on Pattern Analysis and Machine
       Intelligence 12, 1990. DOI 10.1109/34.49051: the lattice Gaussian.
    .. [2] T. Lindeberg, "Discrete derivative approximations with scale-space properties", Journal of Mathematical
       Imaging and Vision 3, 1993. DOI 10.1007/BF01664794: its differences.
    .. [3] NIST Digital Library of Mathematical Functions, equations 10.41.3 and 10.41.10: I_n for large arguments.

    Examples
    --------
    >>> from gpuconv.kernels import gaussian_taps
    >>> gaussian_taps(0.5).round(4).tolist()
    [0.0003, 0.1065, 0.7866, 0.1065, 0.0003]
    >>> gaussian_taps(0.5, radius=2, kind="lattice").round(4).tolist()
    [0.0061, 0.0982, 0.7914, 0.0982, 0.0061]
    >>> gaussian_taps(0, order=1, kind="lattice").tolist()
    [0.5, 0.0, -0.5]
    """
    precision = read_precision(dtype)
    sigma = read_nonnegative("sigma", sigma)
    order = read_order("order", order)
    radius = read_radius("radius", radius)
    return double_taps(sigma, order, truncate, radius, kind, precision).astype(precision, copy=False)


def double_taps(
    sigma: float, order: int, truncate: Any, radius: int | None, kind: str, precision: np.dtype
) -> np.ndarray:
    """`gaussian_taps` before they are rounded to `precision`, which says how far the lattice kind goes on."""
    reach = _read_reach(sigma, truncate, radius)
    if read_choice("kind", kind, KINDS) == "sampled":
        return _sampled(sigma, order, _cut(sigma, TRUNCATE) if reach is None else reach)
    if reach is None:
        return _difference(_whole_lattice(sigma, float(np.finfo(precision).eps)), order)
    needed = len(DIFFERENCES[order]) // 2
    if radius is not None and radius < needed:
        rule = f"a lattice derivative of order {order} needs a radius of at least {needed}"
        raise ValueError(refusal(rule, f"got radius={radius!r}", "Give a larger radius, or leave it out"))
    return _difference(_cut_lattice(sigma, max(reach - needed, 0)), order)


def _read_reach(sigma: float, truncate: Any, radius: int | None) -> int | None:
    """The radius that the caller asks for; None where that is left to the kind."""
    if truncate is not None and radius is not None:
        given = f"got truncate={truncate!r} and radius={radius!r}"
        raise ValueError(refusal("a Gaussian is cut by truncate or by radius", given, "Give one of them"))
    if truncate is not None:
        return _cut(sigma, read_nonnegative("truncate", truncate))
    if radius is not None:
        check_count(2 * radius + 1, f"radius={radius!r}")
    return radius


def _cut(sigma: float, truncate: float) -> int:
    """SciPy's radius."""
    reach = truncate * sigma + 0.5
    check_count(2 * reach, f"a Gaussian of sigma={sigma:g} cut at {truncate:g} sigma")
    return int(reach)


def _sampled(sigma: float, order: int, reach: int) -> np.ndarray:
    n = np.arange(-reach, reach + 1, dtype=np.float64)
    if sigma == 0:
        taps = np.where(n == 0, 1.0, 0.0) if order == 0 else np.full_like(n, np.nan)
        return _checked(taps, sigma, order)
    # A tiny sigma sends the neighbours to infinity, where the Gaussian is 0 and stays it, whatever the polynomial.
    with np.errstate(over="ignore", invalid="ignore"):
        u = n / sigma
        weights = np.exp(-0.5 * u * u)
        weights /= weights.sum()
        polynomial = (np.ones_like(u), -u, u * u - 1, (3 - u * u) * u)[order]
        taps = np.where(weights > 0, polynomial * weights, 0.0)
        for _ in range(order):
            taps = taps / sigma
    return _checked(taps + 0.0, sigma, order)  # + 0.0: no negative zeros


def _checked(taps: np.ndarray, sigma: float, order: int) -> np.ndarray:
    if not np.isfinite(taps).all():
        rule = f"a sampled derivative of order {order} needs a larger sigma"
        raise ValueError(refusal(rule, f"got sigma={sigma!r}", 'Give a larger sigma, or take kind="lattice"'))
    return taps


def _difference(taps: np.ndarray, order: int) -> np.ndarray:
    """The central difference of an even line, odd or even to the last bit."""
    differences = np.convolve(taps, DIFFERENCES[order])
    return (differences + (-1) ** order * differences[::-1]) / 2


def _whole_lattice(sigma: float, missing: float) -> np.ndarray:
    """Weights out to where the mass beyond is below `missing`."""
    # Beyond 9 sigma + 20 lies less than 1e-17, by Chernoff's bound on a walk of variance sigma^2.
    far = 9 * sigma + 20
    check_count(2 * far, f"a lattice Gaussian of sigma={sigma:g}")
    half = _lattice_half(sigma, math.ceil(far))
    # Added up from the far end, where the small ones are.
    beyond = np.append(2 * np.cumsum(half[::-1])[::-1][1:], 0.0)
    return _mirrored(half[: int(np.argmax(beyond < missing)) + 1])


def _cut_lattice(sigma: float, reach: int) -> np.ndarray:
    """Weights out to `reach`, divided by their sum."""
    taps = _mirrored(_lattice_half(sigma, reach))
    return taps / taps.sum()


def _mirrored(half: np.ndarray) -> np.ndarray:
    return np.concatenate([half[:0:-1], half])


def _lattice_half(sigma: float, reach: int) -> np.ndarray:
    """``exp(-sigma^2) I_n(sigma^2)`` for n = 0 ... reach."""
    n = np.arange(reach + 1, dtype=np.float64)
    if sigma <= _EXPANSION_FROM:
        from scipy.special import ive

        return ive(n, sigma * sigma)
    # DLMF 10.41.3 with nu = n, z = 1/x: nothing is divided by n, and no large numbers are subtracted.
    x = n / sigma / sigma
    root = np.hypot(1.0, x)
    exponent = n * (x / (1 + root) - np.arcsinh(x))
    with np.errstate(over="ignore"):
        correction = _expansion(x / root, root * sigma * sigma)
    return np.exp(exponent) * correction / (math.sqrt(2 * math.pi) * sigma * np.sqrt(root))


def _expansion(p: np.ndarray, w: np.ndarray) -> np.ndarray:
    """``1 + U_1(p)/n + U_2(p)/n^2 + U_3(p)/n^3`` of DLMF 10.41.10, with n = p w cancelled."""
    q = p * p
    first = (3 - 5 * q) / 24
    second = (81 - 462 * q + 385 * q**2) / 1152
    third = (30375 - 369603 * q + 765765 * q**2 - 425425 * q**3) / 414720
    return 1 + (first + (second + third / w) / w) / w
