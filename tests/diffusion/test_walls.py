"""Walls: where they stand, what they let through, when they are lifted, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from gpuconv import diffusion
from gpuconv.diffusion import evolve, walls
from tests.assertions import assert_close
from tests.libraries import make, to_numpy


@pytest.mark.parametrize("scheme", ["explicit", "fed", "rkl2", "backward-euler", "crank-nicolson"])
def test_nothing_passes_a_barrier(xp, scheme):
    """Neither by diffusion nor with a flow; what is level on both sides stays so."""
    values = np.zeros((4, 6))
    values[:, :2] = 3.0
    values[:2, 4:] = 1.0
    barrier = walls((4, 6), closed=[(1, 2), (1, 4), (0, 2, slice(4, None))])
    flow = None if scheme in ("fed", "rkl2") else (0.5, 2.0)
    u = make(xp, values)
    later = to_numpy(evolve(u, 0.5, walls=barrier, scheme=scheme, steps=5, velocity=None))
    assert_close(later, values, tolerance=1e-14)
    stirred = to_numpy(evolve(u, 0.5, walls=barrier, scheme=scheme, steps=20, velocity=flow))
    assert_close(stirred[:, :2].sum(), 24.0, tolerance=1e-12)
    assert_close(stirred[:2, 4:].sum(), 4.0, tolerance=1e-12)


def test_a_hole_lets_through_and_slices_say_where():
    barrier = walls((4, 6), closed=[(1, 3, slice(1, 4))])
    assert np.isinf(barrier.resistances[1][1:, 3]).all()
    assert barrier.resistances[1][0, 3] == 0
    assert barrier.resistances[0] is None
    u = np.zeros((4, 6))
    u[:, :3] = 1.0
    later = evolve(u, 0.1, walls=barrier)
    assert later[0, 3] > 1e-2 > later[3, 3]


def test_a_membrane_is_a_resistance_in_series():
    """Steady flux ``dU / (sum h/D + 1/P)``, to 1e-12, and the whole difference of values falls as resistances do."""
    diffusivity = np.array([1.0, 2.0, 0.5, 4.0, 1.0])
    membrane = walls(5, closed=[(0, 2)], conductance=0.3) | walls(5, closed=[(0, 2), (0, 4)], conductance=2.0)
    h, ends = 0.25, (("fixed", 7.0), ("fixed", 2.0))
    flux = 5.0 / (np.sum(h / diffusivity) + 1 / 0.3 + 2 / 2.0)
    steady = evolve(
        np.full(5, 2.0),
        400.0,
        diffusivity=diffusivity,
        spacing=h,
        walls=membrane,
        boundary=ends,
        scheme="backward-euler",
        steps=40,
    )
    assert_close((7.0 - steady[0]) * 2 * diffusivity[0] / h, flux, tolerance=1e-12)
    between = (steady[1] - steady[2]) / (h / 2 / 2.0 + h / 2 / 0.5 + 1 / 0.3 + 1 / 2.0)
    assert_close(between, flux, tolerance=1e-12)


def test_a_very_permeable_membrane_is_no_wall(rng):
    u = rng.random((5, 4))
    membrane = walls((5, 4), closed=[(0, 2)], conductance=1e12)
    assert_close(evolve(u, 0.3, walls=membrane), evolve(u, 0.3), tolerance=1e-6)


def test_walls_are_lifted_in_time():
    """Each stands until its time: the same as one call after another; after the last there are none."""
    u = np.repeat([1.0, 0.0], 4)
    first, second = walls(8, closed=[(0, 4)]), walls(8, closed=[(0, 4)], conductance=0.1)
    whole, info = evolve(u, 3.0, walls=[(1.0, first), (1.5, second), (2.5, None)], return_info=True, accuracy=1e-6)
    assert_close(evolve(u, 1.0, walls=first), u, tolerance=1e-13)
    by_hand = evolve(evolve(u, 0.5, walls=second, accuracy=1e-6), 1.5, accuracy=1e-6)
    assert_close(whole, by_hand, tolerance=1e-5)
    assert info.times == (3.0,)
    assert_close(evolve(u, 0.5, walls=[(1.0, first)]), u, tolerance=1e-13)
    assert_close(evolve(u, 1.0, walls=[(1.0, first)]), u, tolerance=1e-13)


def test_the_seam_of_a_periodic_axis_can_be_closed():
    u = np.array([1.0, 2.0, 4.0])
    closed = evolve(u, 0.4, boundary="periodic", walls=walls(3, closed=[(0, 0)]))
    assert_close(closed, evolve(u, 0.4), tolerance=1e-4)
    with pytest.raises(ValueError, match="joins the ends of a periodic axis: axis 0 is not periodic. Choose"):
        evolve(u, 0.4, walls=walls(3, closed=[(0, 0)]))


@pytest.mark.parametrize(
    ("closed", "error", "message"),
    [
        ([(2, 1)], ValueError, "the axis of a wall must be one of the 2 of shape: got 2"),
        (
            [(0, 4)],
            ValueError,
            "stands before one of its cells, 0 to 3: got index 4 in .* outer faces belong to boundary",
        ),
        ([(1, -1)], ValueError, "stands before one of its cells, 0 to 4: got index -1"),
        ([(0, 1, (slice(None), slice(None)))], ValueError, "one entry for each other axis"),
        ([(0, 1, slice(3, 9))], ValueError, "must pick some of the 5 cells of their axis: got slice"),
        ([(0, 1, slice(3, 3))], ValueError, "must pick some of the 5 cells of their axis: got slice"),
        ([(0, 1, range(2))], TypeError, r"must be a slice or an integer: got range\(0, 2\)"),
        ([(0, 1, ...)], TypeError, "must be a slice or an integer: got Ellipsis"),
        ([(0, 1, 7)], ValueError, "must pick some of the 5 cells"),
        ([(0,)], ValueError, r"a wall is \(axis, index\) or \(axis, index, slices\): got \(0,\)"),
        ([(0, 1.5)], TypeError, "the index of a wall must be an integer"),
        (0, TypeError, "closed must be a sequence of"),
    ],
)
def test_walls_that_cannot_be_are_refused(closed, error, message):
    with pytest.raises(error, match=message):
        walls((4, 5), closed=closed)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            walls((4, 4), closed=[(0, 1)]),
            ValueError,
            r"need the shape of u along its axes: the walls are made for \(4, 4\)",
        ),
        ([(1.0, walls(4, closed=[(0, 1)]))], ValueError, "sizes of these axes, in their order, without batches"),
        ([walls((4, 5), closed=[])], TypeError, r"list of \(until_time, walls\): got a list of Walls. Give one"),
        ((0.5, walls((4, 5), closed=[])), TypeError, "got a tuple of Walls, float. Give one Walls, or tuples"),
        ([(2.0, None), (1.0, None)], ValueError, "must not decrease: got 1 after 2. Sort"),
        (np.zeros((4, 5)), TypeError, r"by diffusion.walls, or be a list of \(until_time, walls\): got ndarray"),
        ([(1.0, "wall")], TypeError, "walls must be made by diffusion.walls: got str"),
        ([(float("nan"), None)], ValueError, "the until_time of walls must be a finite number"),
    ],
)
def test_walls_that_do_not_fit_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        evolve(np.zeros((4, 5)), 1.0, walls=given)


def test_conductances_and_joined_walls_are_checked():
    with pytest.raises(ValueError, match="conductance must not be negative: got -1"):
        walls(4, closed=[(0, 1)], conductance=-1)
    with pytest.raises(ValueError, match="conductance must be a finite number: got nan"):
        walls(4, closed=[(0, 1)], conductance=float("nan"))
    with pytest.raises(ValueError, match=r"walls can be joined on one grid only: the shapes are \(4,\) and \(5,\)"):
        walls(4, closed=[(0, 1)]) | walls(5, closed=[(0, 1)])
    assert isinstance(walls(4, closed=[]), diffusion.Walls)
