"""The taps of Gaussians: SciPy's for the sampled kind, exact identities for the lattice kind, both at the limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, special

from gpuconv.kernels import gaussian, gaussian_taps
from gpuconv.kernels._taps import DIFFERENCES
from tests.assertions import EPS, assert_close

SIGMAS = [0.05, 0.3, 0.5, 1.0, 2.4, 7.0, 40.0]
ORDERS = [0, 1, 2, 3]
# Error of scipy.special.ive at 3 sigma, relative and in units of sigma: 1.1e-14 at 32, 4.9e-14 at 100 (against mpmath).
IVE = 5e-16


def places(taps):
    return np.arange(len(taps)) - len(taps) // 2.0


def response(taps, degree):
    """Answer at 0 to ``x^degree``, by the definition of convolution: ``sum_n g[n] (0 - n)^degree``."""
    return (taps * (-places(taps)) ** degree).sum()


def far(sigma):
    return int(9 * sigma) + 25


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_sampled_taps_are_the_impulse_response_of_scipy(sigma, order):
    impulse = np.zeros(401)
    impulse[200] = 1.0
    taps = gaussian_taps(sigma, order=order)
    reach = len(taps) // 2
    expected = ndimage.gaussian_filter1d(impulse, sigma, order=order, mode="constant")
    assert_close(taps, expected[200 - reach : 201 + reach], taps=len(taps), scale=sigma**-order)
    assert not np.delete(expected, slice(200 - reach, 201 + reach)).any()


@pytest.mark.parametrize("kind", ["sampled", "lattice"])
@pytest.mark.parametrize("truncate", [0, 0.5, 3, 4.0, 5.7])
def test_truncate_cuts_at_the_radius_of_scipy(kind, truncate):
    for sigma in SIGMAS:
        taps = gaussian_taps(sigma, truncate=truncate, kind=kind)
        assert len(taps) == 2 * int(truncate * sigma + 0.5) + 1
        assert_close(taps.sum(), 1.0, taps=len(taps))


@pytest.mark.parametrize("sigma", [0.0, *SIGMAS, 99.0, 101.0, 1000.0])
def test_the_lattice_gaussian_solves_the_heat_equation_on_a_ring(sigma):
    taps = gaussian_taps(sigma, kind="lattice")
    # A power of two: transforms of large primes lose three digits.
    ring = 2 ** int(np.ceil(np.log2(2 * far(sigma) + 1)))
    symbol = np.exp(-2 * (sigma * np.sin(np.pi * np.arange(ring) / ring)) ** 2)
    expected = np.roll(np.fft.ifft(symbol).real, len(taps) // 2)[: len(taps)]
    assert_close(taps, expected, taps=ring, scale=taps.max())


@pytest.mark.parametrize("sigma", [0.0, *SIGMAS, 99.0])
def test_lattice_weights_are_scaled_bessel_functions(sigma):
    taps = gaussian_taps(sigma, kind="lattice")
    assert_close(taps, special.ive(np.abs(places(taps)), sigma**2))


@pytest.mark.parametrize("sigma", [101.0, 300.0, 3000.0, 30000.0])
def test_weights_of_large_sigma_agree_with_the_bessel_function_as_far_as_that_is_exact(sigma):
    taps = gaussian_taps(sigma, kind="lattice")[len(gaussian_taps(sigma, kind="lattice")) // 2 :]
    n = np.arange(int(sigma))
    assert_close(taps[: len(n)], special.ive(n, sigma**2), taps=9)


@pytest.mark.parametrize("sigma", [0.3, 2.4, 40.0, 99.9, 100.1, 1000.0, 1e5])
def test_lattice_weights_satisfy_the_recurrence_of_bessel_functions(sigma):
    taps = gaussian_taps(sigma, kind="lattice")
    left = taps[:-2] - taps[2:]
    # scipy.special.ive, used up to 100, loses digits as its argument sigma^2 grows.
    digits = IVE * (1 + sigma) if sigma < 100 else 4 * EPS["float64"]
    assert_close(left, 2 * places(taps)[1:-1] / sigma**2 * taps[1:-1], tolerance=digits * taps.max())


@pytest.mark.parametrize("first, second", [(0.3, 0.4), (1.0, 2.4), (7.0, 40.0), (60.0, 90.0)])
def test_two_lattice_gaussians_are_one_of_the_sum_of_their_variances(first, second):
    twice = np.convolve(gaussian_taps(first, kind="lattice"), gaussian_taps(second, kind="lattice"))
    once = gaussian_taps(np.hypot(first, second), kind="lattice")
    margin = (len(twice) - len(once)) // 2
    assert_close(twice[margin : len(twice) - margin], once, taps=len(once), scale=once.max())


def test_two_sampled_gaussians_are_not_one():
    """What the lattice kind is for: the same comparison fails for samples."""
    twice = np.convolve(gaussian_taps(0.3), gaussian_taps(0.4))
    once = gaussian_taps(0.5, radius=len(twice) // 2)
    assert np.abs(twice - once).max() > 0.05


@pytest.mark.parametrize("sigma", [0.0, *SIGMAS, 1000.0])
def test_lattice_moments_are_those_of_the_continuous_gaussian(sigma):
    taps = gaussian_taps(sigma, kind="lattice")
    # Less than eps is cut off, at most 10 sigma + 25 away.
    cut = 4 * EPS["float64"] * (10 * sigma + 25) ** 2
    assert_close(response(taps, 0), 1.0, taps=len(taps))
    assert_close(response(taps, 1), 0.0, taps=len(taps), scale=10 * sigma + 1)
    assert_close(response(taps, 2), sigma**2, tolerance=cut)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("sigma", [0.0, *SIGMAS])
def test_lattice_derivatives_are_exact_for_polynomials(sigma, order):
    """Order m annihilates ``x^j`` for j < m and makes m! of ``x^m``, for any sigma."""
    taps = gaussian_taps(sigma, order=order, kind="lattice")
    for degree in range(order + 1):
        size = (np.abs(taps) * np.abs(places(taps)) ** degree).sum()
        expected = float(special.factorial(order)) if degree == order else 0.0
        assert_close(response(taps, degree), expected, taps=len(taps), scale=size)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 7.0, 40.0])
def test_lattice_derivatives_are_the_closed_forms_of_the_docstring(sigma):
    reach = far(sigma)
    n = np.arange(-reach, reach + 1)
    g = special.ive(np.abs(n), sigma**2)

    def at(shift):
        return special.ive(np.abs(n + shift), sigma**2)

    slope = -n / sigma**2 * g
    curvature = at(1) - 2 * g + at(-1)
    third = (at(2) - 2 * at(1) + 2 * at(-1) - at(-2)) / 2
    for order, expected in ((1, slope), (2, curvature), (3, third)):
        taps = gaussian_taps(sigma, order=order, kind="lattice")
        margin = reach - len(taps) // 2
        # At the ends it lacks neighbours whose weights are below eps together.
        assert_close(taps, expected[margin : len(n) - margin], tolerance=EPS["float64"] * (1 + 8 * g.max()), case=order)


def test_sampled_derivatives_of_a_small_sigma_are_not_exact():
    assert abs(response(gaussian_taps(0.3, order=1), 1) - 1) > 0.5
    assert abs(response(gaussian_taps(1.5, order=1), 1) - 1) < 5e-3


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("sigma", [*SIGMAS, 95.0])
def test_the_lattice_gaussian_ends_where_less_than_eps_is_missing(sigma, dtype):
    taps = gaussian_taps(sigma, kind="lattice", dtype=dtype)
    assert taps.dtype == dtype
    whole = special.ive(np.arange(far(sigma)), sigma**2)

    def missing(reach):
        return 2 * whole[reach + 1 :][::-1].sum()

    reach = len(taps) // 2
    assert missing(reach) < EPS[dtype]
    assert reach == 0 or missing(reach - 1) >= EPS[dtype]
    # Rounded from float64, and not divided by the sum.
    assert_close(taps, whole[np.abs(places(taps)).astype(int)].astype(dtype))


@pytest.mark.parametrize("radius", [0, 1, 3, 10])
@pytest.mark.parametrize("kind", ["sampled", "lattice"])
def test_a_radius_cuts_there_and_keeps_the_sum(kind, radius):
    for sigma in (0.0, *SIGMAS, 200.0, 1e200):
        taps = gaussian_taps(sigma, radius=radius, kind=kind)
        assert len(taps) == 2 * radius + 1
        assert_close(taps.sum(), 1.0, taps=len(taps))
        n = places(taps)
        if sigma > 0:
            free = (
                np.exp(-0.5 * (n / sigma) ** 2) if kind == "sampled" or sigma > 100 else special.ive(abs(n), sigma**2)
            )
            assert_close(taps, free / free.sum(), tolerance=1e-12 if sigma != 200 else 2e-6)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("radius", [2, 5])
def test_a_radius_holds_for_derivatives_too(order, radius):
    taps = gaussian_taps(1.0, order=order, radius=radius, kind="lattice")
    narrower = radius - len(DIFFERENCES[order]) // 2
    expected = np.convolve(gaussian_taps(1.0, radius=narrower, kind="lattice"), DIFFERENCES[order])
    assert len(taps) == 2 * radius + 1
    assert_close(taps, expected, scale=1.0)
    assert len(gaussian_taps(1.0, order=order, radius=radius)) == 2 * radius + 1
    assert len(gaussian_taps(0.1, order=order, truncate=4, kind="lattice")) == len(DIFFERENCES[order])


@pytest.mark.parametrize("kind", ["sampled", "lattice"])
@pytest.mark.parametrize("sigma", [0, 0.0, 5e-324, 1e-200, 1e-9, np.float32(1e-3)])
def test_a_sigma_of_nearly_nothing_is_the_identity(kind, sigma):
    for radius in (None, 0, 2):
        taps = gaussian_taps(sigma, radius=radius, kind=kind)
        assert_close(taps, np.where(places(taps) == 0, 1.0, 0.0), tolerance=1e-6)
        assert taps.max() == taps[len(taps) // 2] <= 1
    assert_close(gaussian((sigma, sigma), radius=1, kind=kind), np.outer([0, 1, 0], [0, 1, 0]), tolerance=2e-6)


def test_differences_of_an_impulse_are_the_lattice_derivatives_of_sigma_zero():
    for order, difference in DIFFERENCES.items():
        assert gaussian_taps(0, order=order, kind="lattice").tolist() == list(difference)


@pytest.mark.parametrize("kind", ["sampled", "lattice"])
def test_a_huge_sigma_works(kind):
    taps = gaussian_taps(2e5, kind=kind)
    assert_close(taps.sum(), 1.0, taps=len(taps))
    reach = {"sampled": 0.01, "lattice": 1e-10}[kind]
    assert_close(np.sqrt(response(taps, 2)) / 2e5, 1.0, tolerance=reach)
    assert gaussian_taps(1e300, radius=2, kind=kind).tolist() == [0.2] * 5


@pytest.mark.parametrize("order", [2, 3])
def test_large_sampled_and_lattice_derivatives_agree(order):
    """They differ by terms of 1/sigma^2."""
    lattice = gaussian_taps(200.0, order=order, kind="lattice")
    sampled = gaussian_taps(200.0, order=order, radius=len(lattice) // 2)
    assert_close(lattice, sampled, tolerance=1e-4 * np.abs(sampled).max())


@pytest.mark.parametrize("kind", ["sampled", "lattice"])
@pytest.mark.parametrize("order", ORDERS)
def test_taps_are_odd_or_even_to_the_last_bit_and_without_minus_zero(kind, order):
    for sigma in (0.7, 2.4, 40.0, 101.0):
        taps = gaussian_taps(sigma, order=order, kind=kind)
        assert (taps == (-1) ** order * taps[::-1]).all()
        assert not np.signbit(taps[taps == 0]).any()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_cut_lattice_derivative_ignores_constants_and_has_a_step_at_the_cut(order):
    cut = gaussian_taps(20.0, order=order, truncate=3, kind="lattice")
    whole = gaussian_taps(20.0, order=order, kind="lattice")
    margin = (len(whole) - len(cut)) // 2
    assert_close(cut.sum(), 0.0, taps=len(cut), scale=np.abs(cut).sum())
    assert abs(cut[0]) > 3 * abs(whole[margin])


def test_taps_are_new_arrays():
    gaussian_taps(1.0)[:] = 0
    assert gaussian_taps(1.0).max() > 0.3


@pytest.mark.parametrize(
    "sigma, options, error, message",
    [
        (-1, {}, ValueError, "sigma must not be negative: got -1. Give zero or a positive number."),
        (np.nan, {}, ValueError, "sigma must be a finite number: got nan"),
        (np.inf, {}, ValueError, "sigma must be a finite number: got inf"),
        ("2", {}, TypeError, "sigma must be a real number: got '2' of type str. Give an int or a float."),
        (True, {}, TypeError, "sigma must be a real number: got True of type bool"),
        (np.bool_(True), {}, TypeError, "sigma must be a real number: got np.True_|True of type bool"),
        (1j, {}, TypeError, "sigma must be a real number: got 1j of type complex"),
        ((1.0, 2.0), {}, TypeError, r"sigma must be a real number: got \(1.0, 2.0\) of type tuple"),
        (np.ones(2), {}, TypeError, "sigma must be a real number: got array"),
        (1, {"order": 4}, ValueError, "order must be 0, 1, 2 or 3: got 4. Convolve with two kernels of lower order"),
        (1, {"order": -1}, ValueError, "order must be 0, 1, 2 or 3: got -1"),
        (1, {"order": 1.0}, TypeError, "order must be an integer: got 1.0"),
        (1, {"radius": -1}, ValueError, "radius must be at least 0: got -1. Give 0 or more."),
        (1, {"radius": 2.5}, TypeError, "radius must be an integer: got 2.5"),
        (1, {"radius": 10**9}, ValueError, "at most 134217728 weights: radius=1000000000 makes 2e.09"),
        (1, {"truncate": -1}, ValueError, "truncate must not be negative: got -1"),
        (
            1,
            {"truncate": 4, "radius": 4},
            ValueError,
            "cut by truncate or by radius: got truncate=4 and radius=4. Give",
        ),
        (1, {"kind": "binomial"}, ValueError, "kind must be one of 'sampled', 'lattice': got 'binomial'"),
        (1, {"dtype": int}, TypeError, "dtype must be float16, float32 or float64: got <class 'int'>. Choose one"),
        (1, {"dtype": "longdouble"}, TypeError, "dtype must be float16, float32 or float64: got 'longdouble'"),
        (1, {"dtype": "bfloat16"}, TypeError, "dtype must be float16, float32 or float64: got 'bfloat16'"),
        (
            0,
            {"order": 1},
            ValueError,
            "order 1 needs a larger sigma: got sigma=0.0. Give a larger sigma, or take kind=",
        ),
        (1e-200, {"order": 2}, ValueError, "a sampled derivative of order 2 needs a larger sigma: got sigma=1e-200"),
        (
            1,
            {"order": 1, "radius": 0, "kind": "lattice"},
            ValueError,
            "order 1 needs a radius of at least 1: got radius=0",
        ),
        (
            1,
            {"order": 3, "radius": 1, "kind": "lattice"},
            ValueError,
            "order 3 needs a radius of at least 2: got radius=1",
        ),
        (1e300, {}, ValueError, "weights: a Gaussian of sigma=1e.300 cut at 4 sigma makes more than 1e300"),
        (1e9, {"kind": "lattice"}, ValueError, "a lattice Gaussian of sigma=1e.09 makes 1.8e.10. Make it smaller"),
        (10**400, {}, ValueError, "sigma must be a finite number: got 1000"),
    ],
)
def test_wrong_arguments_are_refused_with_the_remedy(sigma, options, error, message):
    with pytest.raises(error, match=message):
        gaussian_taps(sigma, **options)
