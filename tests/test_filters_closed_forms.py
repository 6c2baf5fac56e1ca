"""Filters against what is known in advance: constants, ramps, parabolas, moments, the semigroup of Gaussians."""

from __future__ import annotations

import numpy as np
import pytest

from gpuconv import filters
from tests.assertions import assert_close, tolerance
from tests.cases import draw
from tests.filter_calls import AVERAGES, DERIVATIVES

NEUTRAL = ("reflect", "mirror", "nearest", "wrap")


@pytest.mark.parametrize("boundary", NEUTRAL)
@pytest.mark.parametrize("name", DERIVATIVES)
def test_what_measures_change_is_zero_for_constants(name, boundary):
    result = DERIVATIVES[name](np.full((6, 7), 3.0), boundary=boundary)
    assert_close(result, np.zeros(result.shape), tolerance=tolerance("float64", 30, 10 * 3.0))


@pytest.mark.parametrize("boundary", NEUTRAL)
@pytest.mark.parametrize("name", AVERAGES)
def test_what_averages_leaves_constants_as_they_are(name, boundary):
    result = AVERAGES[name](np.full((6, 7), 3.0), boundary=boundary)
    assert_close(result, np.full((6, 7), 3.0), taps=30)


def test_slopes_of_a_ramp_are_its_slope_inside():
    row, column = np.indices((81, 83)).astype(np.float64)
    ramp = 3 * row - 2 * column
    inside = (slice(40, 42), slice(40, 42))
    allowed = tolerance("float64", 100, 2 * ramp.max())
    for operator in ("sobel", "prewitt", "scharr", "roberts"):
        for axis, slope in ((0, 3), (1, -2)):
            result = getattr(filters, operator)(ramp, axis, scale="unit")
            # The Roberts cross looks along diagonals.
            slope = (3 + 2, 3 - 2)[axis] if operator == "roberts" else slope
            assert_close(result[inside], np.full((2, 2), float(slope)), tolerance=allowed, case=(operator, axis))
    gradient = filters.gaussian_gradient(ramp, 2.0, kind="lattice")
    assert_close(gradient[:, 40, 40], np.array([3.0, -2.0]), tolerance=allowed)
    tensor = filters.structure_tensor(ramp, 1.0, gradient_sigma=1.0, kind="lattice")
    assert_close(tensor[:, 40, 40], np.array([9.0, -6.0, 4.0]), tolerance=allowed * 10)


def test_second_derivatives_of_a_parabola_are_its_curvatures_inside():
    row, column = np.indices((61, 61)) - 30.0
    bowl = 1.5 * row**2 - row * column + 0.5 * column**2
    allowed = tolerance("float64", 100, 4 * bowl.max())
    hessian = filters.hessian(bowl, 1.0, kind="lattice")[:, 30, 30]
    assert_close(hessian, np.array([3.0, -1.0, 1.0]), tolerance=allowed)
    values = filters.hessian_eigenvalues(bowl, 1.0, kind="lattice")[:, 30, 30]
    assert_close(values, np.array([2 + np.sqrt(2), 2 - np.sqrt(2)]), tolerance=allowed)
    assert_close(filters.laplace(bowl)[30, 30], np.array(4.0), tolerance=allowed)
    assert_close(filters.gaussian_laplace(bowl, 1.0, kind="lattice")[30, 30], np.array(4.0), tolerance=allowed)
    assert_close(filters.laplace(bowl, neighbours="all", scale="unit")[30, 30], np.array(4.0), tolerance=allowed)


@pytest.mark.parametrize("boundary", ["reflect", "mirror", "wrap"])
def test_lattice_gaussians_form_a_semigroup(boundary):
    x = draw((16, 9), "float64", boundary)
    once = filters.gaussian(x, (0.6, 1.3), kind="lattice", boundary=boundary)
    twice = filters.gaussian(once, (0.8, 0.4), kind="lattice", boundary=boundary)
    expected = filters.gaussian(x, (1.0, np.hypot(1.3, 0.4)), kind="lattice", boundary=boundary)
    assert_close(twice, expected, tolerance=tolerance("float64", 60, np.abs(x).max()))


def test_the_sampled_gaussian_forms_none():
    """So that the test above can fail."""
    x = np.zeros(41)
    x[20] = 1
    twice = filters.gaussian(filters.gaussian(x, 0.5), 0.5)
    assert np.abs(twice - filters.gaussian(x, np.sqrt(0.5))).max() > 1e-3


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_moments_of_the_lattice_gaussian(sigma):
    """Mass 1, mean 0, variance sigma^2, fourth moment 3 sigma^4 + sigma^2."""
    impulse = np.zeros(101)
    impulse[50] = 1
    y = filters.gaussian(impulse, sigma, kind="lattice")
    n = np.arange(101) - 50.0
    moments = [(y * n**power).sum() for power in range(5)]
    expected = [1, 0, sigma**2, 0, 3 * sigma**4 + sigma**2]
    # What is left out beyond the cut weighs less than eps, at distances below 50.
    assert_close(np.array(moments), np.array(expected), tolerance=2.0**-52 * np.array([4, 50, 2500, 50**3, 50**4]))


@pytest.mark.parametrize(("dtype", "eps"), [("float32", 2.0**-23), ("float64", 2.0**-52), ("float16", 2.0**-23)])
def test_the_lattice_gaussian_ends_where_less_than_eps_is_left(dtype, eps):
    """The eps of the sums, which is that of float32 for half precision."""
    from scipy.special import ive

    impulse = np.zeros(101, dtype=dtype)
    impulse[50] = 1
    support = np.flatnonzero(
        filters.gaussian(impulse.astype("float32" if dtype == "float16" else dtype), 2.0, kind="lattice")
    )
    reach = 50 - support[0]
    missing = [2 * ive(np.arange(r + 1, 90), 4.0).sum() for r in (reach - 1, reach)]
    assert missing[1] < eps <= missing[0]


def test_an_explicit_radius_divides_the_lattice_gaussian_by_its_sum():
    impulse = np.zeros(9)
    impulse[4] = 1
    y = filters.gaussian(impulse, 2.0, kind="lattice", radius=2)
    assert np.flatnonzero(y).tolist() == [2, 3, 4, 5, 6]
    assert_close(y.sum(), np.array(1.0))
