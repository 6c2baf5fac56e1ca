"""Grids: metric arrays against the volumes and areas of school geometry."""

import math

import numpy as np
import pytest

from gpuconv.diffusion import Grid, Line
from gpuconv.diffusion._arguments import read_grid, read_spacing

SWEPT = {  # volume inside radius x, and area of the face there
    "cartesian": (lambda x: x, lambda x: np.ones_like(x)),
    "polar": (lambda x: math.pi * x**2, lambda x: 2 * math.pi * x),
    "spherical": (lambda x: 4 / 3 * math.pi * x**3, lambda x: 4 * math.pi * x**2),
}


@pytest.mark.parametrize("geometry", SWEPT)
@pytest.mark.parametrize("inner", [0.0, 1.5])
def test_volumes_and_areas_are_those_of_the_solid(geometry, inner):
    line = Line(geometry, 5, 0.4, inner)
    volume, area = SWEPT[geometry]
    np.testing.assert_allclose(line.volumes, np.diff(volume(line.faces)), rtol=1e-14)
    np.testing.assert_allclose(line.areas, area(line.faces), rtol=1e-14)
    np.testing.assert_allclose(line.centres, (line.faces[1:] + line.faces[:-1]) / 2, rtol=1e-14)
    assert line.faces[0] == inner
    assert line.starts_at_centre == (geometry != "cartesian" and inner == 0)


def test_thin_shells_of_large_radius_keep_their_digits():
    line = Line("spherical", 1, 2.0**-20, 2.0**20)
    assert line.volumes[0] == pytest.approx(4 * math.pi * 2.0**20, rel=1e-11)


def test_a_grid_is_the_product_of_its_lines():
    grid = Grid.cylindrical((3, 4), spacing=(0.5, 0.25), inner=1.0)
    assert grid.shape == grid.volumes.shape == (3, 4)
    assert grid.spacing == (0.5, 0.25)
    np.testing.assert_allclose(grid.volumes, np.outer(grid.lines[0].volumes, [0.25] * 4))
    assert grid.volumes.sum() == pytest.approx(math.pi * (2.5**2 - 1.0**2) * 1.0)
    assert Grid.polar(3, spacing=0.5, inner=1.0).lines == grid.lines[:1]
    assert Grid.spherical(3, spacing=2.0).volumes.sum() == pytest.approx(4 / 3 * math.pi * 6**3)
    assert Grid.cartesian(3, spacing=2.0).lines == (Line("cartesian", 3, 2.0),)


def test_without_a_grid_the_cells_are_boxes():
    assert read_grid(None, (1, 2), (3, 4)) == Grid.cartesian((3, 4), spacing=(1.0, 2.0))
    assert read_grid(None, 1.0, (0,)).shape == (0,)
    tin = Grid.cylindrical((3, 4))
    assert read_grid(tin, 1.0, (3, 4)) is tin


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf])
def test_cells_without_width_are_refused(value):
    with pytest.raises(ValueError, match="spacing must be (positive|a finite number): got"):
        read_spacing((1.0, value), 2)
    with pytest.raises(ValueError, match="spacing must be (positive|a finite number): got"):
        Grid.spherical(3, spacing=value)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: Grid.polar(3, inner=-1), ValueError, "inner must not be negative"),
        (lambda: Grid.polar(0), ValueError, "the number of rings or shells must be at least 1"),
        (lambda: Grid.cylindrical((3,)), ValueError, r"a cylindrical grid has the axes \(r, z\): got shape=\(3,\)"),
        (lambda: read_spacing((1, 1), 3), ValueError, r"spacing needs one entry, or one per axis that diffuses \(3\)"),
        (lambda: read_grid("polar", 1.0, (3,)), TypeError, "grid must be a gpuconv.diffusion.Grid: got str"),
        (lambda: read_grid(Grid.polar(3), 1.0, (4,)), ValueError, r"a grid needs as many cells as u: the grid has"),
        (lambda: read_grid(Grid.polar(3), 0.5, (3,)), ValueError, "a grid brings its own spacing: got spacing=0.5"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()
