"""Cylinders and spheres: Bessel and sine modes, mass, hollow ones, and cylinders with a height."""

import math

import numpy as np
import pytest
from scipy.special import j0, jn_zeros

from gpuconv import diffusion
from gpuconv.diffusion import Grid, Line, radial
from tests.assertions import assert_close, assert_same_home
from tests.diffusion.dense import line_matrix, solve_dense
from tests.libraries import make


def radii(count, radius=1.0, inner=0.0):
    return Line("polar", count, (radius - inner) / count, inner).centres


MODES = {  # geometry, boundary, u(r), rate
    "disk, zero edge": ("disk", "fixed", lambda r: j0(jn_zeros(0, 2)[1] * r), jn_zeros(0, 2)[1] ** 2),
    "disk, no flux": ("cylinder", "no-flux", lambda r: j0(jn_zeros(1, 1)[0] * r), jn_zeros(1, 1)[0] ** 2),
    "ball, zero edge": ("sphere", "fixed", lambda r: np.sin(2 * math.pi * r) / r, (2 * math.pi) ** 2),
    # tan k = k: the flux of sin(k r)/r vanishes at 1.
    "ball, no flux": ("sphere", "no-flux", lambda r: np.sin(4.493409457909064 * r) / r, 4.493409457909064**2),
}


@pytest.mark.parametrize("name", MODES)
def test_modes_decay_with_an_error_of_order_two(name):
    """VERIFY 13."""
    geometry, boundary, mode, rate = MODES[name]
    errors = []
    for count in (32, 64, 128):
        r = radii(count)
        result = radial.diffuse(mode(r), 0.02, geometry=geometry, radius=1.0, boundary=boundary, diffusivity=0.7)
        errors.append(np.abs(result - mode(r) * math.exp(-0.7 * rate * 0.02)).max())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert errors[-1] < 1e-3
    assert (np.abs(orders - 2) < 0.15).all()


@pytest.mark.parametrize(("geometry", "make_grid"), [("cylinder", Grid.polar), ("sphere", Grid.spherical)])
@pytest.mark.parametrize("inner", [0.0, 0.5])
def test_mass_and_constants_are_kept_for_any_time(geometry, make_grid, inner):
    u = np.random.default_rng(3).uniform(size=200)
    volumes = make_grid(200, spacing=(1 - inner) / 200, inner=inner).volumes
    options = {"geometry": geometry, "radius": 1.0, "inner": inner}
    for time in (1e-4, 0.1, 1e4):
        result = radial.diffuse(u, time, **options)
        assert (volumes * result).sum() == pytest.approx((volumes * u).sum(), rel=4e-14)
        assert result.min() >= 0
        assert result.max() <= u.max() * (1 + 1e-13)
        assert_close(radial.diffuse(np.full(200, 3.0), time, **options), np.full(200, 3.0), tolerance=4e-13)
    assert_close(result, np.full(200, (volumes * u).sum() / volumes.sum()), tolerance=1e-13)
    twice = radial.diffuse(radial.diffuse(u, 0.01, **options), 0.02, **options)
    assert_close(twice, radial.diffuse(u, 0.03, **options), tolerance=1e-13)


@pytest.mark.parametrize("geometry", ["polar", "spherical"])
@pytest.mark.parametrize("inner", [0.0, 0.8])
def test_the_radius_is_the_exponential_of_its_matrix(xp, geometry, inner):
    """Batches in front; Robin outside and, where there is a hole, a fixed value inside."""
    u = np.random.default_rng(4).normal(size=(3, 9))
    name = {"polar": "cylinder", "spherical": "sphere"}[geometry]
    boundary = (("fixed", 2.0), ("robin", 1.0, 0.4, 1.5))
    x = make(xp, u)
    result = radial.diffuse(x, 0.3, geometry=name, radius=2.0, inner=inner, diffusivity=0.6, boundary=boundary)
    line = line_matrix(9, (2 - inner) / 9, (1.0, 0.0, 2.0), (1.0, 0.4, 1.5), geometry=geometry, inner=inner)
    expected = [solve_dense(batch, 0.3, [line], [0.6]) for batch in u]
    assert_same_home(result, x)
    assert_close(result, np.array(expected), tolerance=1e-13)


def test_the_sphere_is_a_line_for_r_times_u():
    """``w = r u`` diffuses on a line and is 0 at both ends: a sine transform with the continuous symbol is exact."""
    errors = []
    for count in (32, 64, 128):
        r = radii(count)
        u = np.exp(-8 * r**2) - math.exp(-8)
        line = diffusion.diffuse(r * u, 0.05, spacing=1 / count, boundary="fixed", symbol="continuous") / r
        errors.append(np.abs(radial.diffuse(u, 0.05, geometry="sphere", radius=1.0, boundary="fixed") - line).max())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (np.abs(orders - 2) < 0.2).all()


@pytest.mark.parametrize(
    ("geometry", "profile"),
    [("cylinder", lambda r: np.log(r / 2) / math.log(1 / 2)), ("sphere", lambda r: 2 / r - 1)],
)
def test_a_hollow_one_settles_between_its_surfaces(geometry, profile):
    """Hot inside at r = 1, cold outside at r = 2."""
    errors = []
    for count in (20, 40, 80):
        result = radial.diffuse(
            np.zeros(count), 50.0, geometry=geometry, radius=2.0, inner=1.0, boundary=(("fixed", 1.0), "fixed")
        )
        errors.append(np.abs(result - profile(radii(count, 2.0, 1.0))).max())
    assert errors[-1] < 1e-4
    assert (np.abs(np.log2(np.divide(errors[:-1], errors[1:])) - 2) < 0.1).all()


def test_a_cylinder_with_a_height_is_the_product_of_radius_and_line(xp):
    rows, columns = np.random.default_rng(5).uniform(size=(2, 12))
    grid = Grid.cylindrical((12, 12), spacing=(0.1, 0.25))
    boundary = [("no-flux", "fixed"), "periodic"]
    across = radial.diffuse(rows, 0.2, geometry="cylinder", radius=1.2, diffusivity=0.5, boundary=boundary[0])
    along = diffusion.diffuse(columns, 0.2, diffusivity=2.0, spacing=0.25, boundary="periodic")
    u = make(xp, np.outer(rows, columns))
    result = diffusion.diffuse(u, 0.2, grid=grid, diffusivity=(0.5, 2.0), boundary=boundary)
    assert_close(result, np.outer(across, along), tolerance=1e-14)
    closed = diffusion.diffuse(np.outer(rows, columns), 0.2, grid=grid)
    mass = (grid.volumes * np.outer(rows, columns)).sum()
    assert (grid.volumes * closed).sum() == pytest.approx(mass, rel=1e-13)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"geometry": "cube"}, "geometry must be one of 'cylinder', 'disk', 'sphere': got 'cube'"),
        ({"radius": 0.0}, "radius must be positive"),
        ({"radius": math.nan}, "radius must be a finite number"),
        ({"inner": -0.1}, "inner must not be negative"),
        ({"inner": 1.0}, "inner must be below radius: got inner=1, radius=1"),
        ({"diffusivity": -1.0}, "diffusivity must not be negative"),
        ({"time": -1.0}, "time must not be negative"),
        ({"boundary": "periodic"}, "a radius is not periodic"),
        ({"u": 1.0}, "u needs an axis for the radius"),
    ],
)
def test_what_makes_no_sense_is_refused(options, sentence):
    given = {"u": np.zeros(4), "time": 1.0, "geometry": "sphere", "radius": 1.0} | options
    with pytest.raises(ValueError, match=sentence):
        radial.diffuse(given.pop("u"), given.pop("time"), **given)


def test_an_empty_radius_stays_empty():
    assert radial.diffuse(np.zeros((2, 0)), 1.0, geometry="sphere", radius=1.0).shape == (2, 0)
