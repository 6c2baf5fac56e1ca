"""Grids: where the cells are, how large they are, and how large the faces between them.

Geometry is metric arrays and nothing else: a disk, a sphere and a box go through the same sums of fluxes, with other
volumes and areas. The cells of a grid are products of intervals, so that one array per axis says it all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.kernels._arguments import read_nonnegative, read_positive, read_size, spread

__all__ = ["Grid", "Line"]

# Volume of the ball of radius 1 and the power of r in it: what an interval of radii sweeps out.
_BALLS = {"cartesian": (1.0, 1), "polar": (math.pi, 2), "spherical": (4 * math.pi / 3, 3)}


@dataclass(frozen=True)
class Line:
    """One axis of a grid: `count` cells of width `spacing` that begin at `inner`.

    Cell i is centred at ``inner + (i + 1/2) spacing``; face i lies between cells i - 1 and i, at
    ``inner + i spacing``, so that there are ``count + 1`` faces.

    Attributes
    ----------
    geometry : {"cartesian", "polar", "spherical"}
        What a coordinate x means: a place on a straight line, the radius in a disk or cylinder, or in a ball.
    count : int
    spacing : float
    inner : float
        Coordinate of the first face; 0 or more for radii.

    Examples
    --------
    >>> from gpuconv.diffusion import Line
    >>> ball = Line("spherical", 4, 0.25, 0.0)
    >>> print(ball.centres, round(ball.volumes.sum(), 6), round(ball.areas[-1], 6))
    [0.125 0.375 0.625 0.875] 4.18879 12.566371
    """

    geometry: str
    count: int
    spacing: float
    inner: float = 0.0

    @property
    def centres(self) -> np.ndarray:
        """Coordinates of the cells, float64 of shape (count,)."""
        return self.inner + self.spacing * (np.arange(self.count) + 0.5)

    @property
    def faces(self) -> np.ndarray:
        """Coordinates of the faces, float64 of shape (count + 1,)."""
        return self.inner + self.spacing * np.arange(self.count + 1)

    @property
    def volumes(self) -> np.ndarray:
        """Sizes of the cells, float64 of shape (count,): lengths, areas of rings, or volumes of shells."""
        if self.geometry == "cartesian":
            return np.full(self.count, self.spacing)
        ball, power = _BALLS[self.geometry]
        low, high = self.faces[:-1], self.faces[1:]
        # Factored: the difference of powers would cancel for thin shells of large radius.
        powers = sum(high**upper * low ** (power - 1 - upper) for upper in range(power))
        return ball * self.spacing * powers

    @property
    def areas(self) -> np.ndarray:
        """Sizes of the faces, float64 of shape (count + 1,): ones, circumferences, or areas of spheres."""
        ball, power = _BALLS[self.geometry]
        return ball * power * self.faces ** (power - 1)

    @property
    def starts_at_centre(self) -> bool:
        """Whether the first face has no area, so that no condition is needed there: a whole disk or ball."""
        return self.geometry != "cartesian" and self.inner == 0


@dataclass(frozen=True)
class Grid:
    """Cells for `diffuse` and `evolve`: Cartesian boxes, disks, annuli, cylinders (r, z), balls and shells.

    The volume of cell (i, j, ...) is ``lines[0].volumes[i] * lines[1].volumes[j] * ...``; the area of its face along
    axis a is ``lines[a].areas`` there times the volumes of the other axes. Made by one of the class methods.

    Attributes
    ----------
    lines : tuple of Line
        One per axis.

    Examples
    --------
    >>> from gpuconv.diffusion import Grid
    >>> tin = Grid.cylindrical((10, 20), spacing=(0.1, 0.2))
    >>> print(tin.shape, tin.spacing, round(tin.volumes.sum(), 6))
    (10, 20) (0.1, 0.2) 12.566371
    """

    lines: tuple[Line, ...]

    @classmethod
    def cartesian(cls, shape: int | Sequence[int], *, spacing: float | Sequence[float] = 1.0) -> Grid:
        """A box of `shape` cells of the widths `spacing`, one for all axes or one per axis.

        Examples
        --------
        >>> from gpuconv.diffusion import Grid
        >>> print(Grid.cartesian((2, 3), spacing=(1.0, 0.5)).volumes)
        [[0.5 0.5 0.5]
         [0.5 0.5 0.5]]
        """
        sizes = _sizes(shape)
        widths = spread("spacing", spacing, len(sizes), read_positive)
        return cls(tuple(Line("cartesian", size, width) for size, width in zip(sizes, widths, strict=True)))

    @classmethod
    def polar(cls, count: int, *, spacing: float = 1.0, inner: float = 0.0) -> Grid:
        """A disk of `count` rings of width `spacing`, or an annulus with a hole of radius `inner`.

        Volumes are areas of rings: a cylinder of height 1.

        Examples
        --------
        >>> from gpuconv.diffusion import Grid
        >>> Grid.polar(2, spacing=1.0, inner=1.0).volumes.round(3).tolist()
        [9.425, 15.708]
        """
        return cls((_radial("polar", count, spacing, inner),))

    @classmethod
    def spherical(cls, count: int, *, spacing: float = 1.0, inner: float = 0.0) -> Grid:
        """A ball of `count` shells of width `spacing`, or a hollow one with a hole of radius `inner`.

        Examples
        --------
        >>> from gpuconv.diffusion import Grid
        >>> Grid.spherical(2, spacing=0.5).volumes.round(3).tolist()
        [0.524, 3.665]
        """
        return cls((_radial("spherical", count, spacing, inner),))

    @classmethod
    def cylindrical(cls, shape: Sequence[int], *, spacing: float | Sequence[float] = 1.0, inner: float = 0.0) -> Grid:
        """A cylinder, or a tube with a hole of radius `inner`: axes (r, z), `shape` cells of the widths `spacing`.

        Examples
        --------
        >>> from gpuconv.diffusion import Grid
        >>> Grid.cylindrical((2, 3), inner=1.0).lines[0].areas.round(3).tolist()
        [6.283, 12.566, 18.85]
        """
        sizes = _sizes(shape)
        if len(sizes) != 2:
            raise ValueError(
                refusal("a cylindrical grid has the axes (r, z)", f"got shape={shape!r}", "Give two sizes")
            )
        across, along = spread("spacing", spacing, 2, read_positive)
        return cls((_radial("polar", sizes[0], across, inner), Line("cartesian", sizes[1], along)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells per axis."""
        return tuple(line.count for line in self.lines)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Width of the cells per axis."""
        return tuple(line.spacing for line in self.lines)

    @property
    def volumes(self) -> np.ndarray:
        """Volume of each cell, float64 of the shape of the grid: ``(volumes * u).sum()`` is the mass."""
        product = np.ones(())
        for line in self.lines:
            product = product[..., None] * line.volumes
        return product


def _sizes(shape: Any) -> tuple[int, ...]:
    entries = shape if isinstance(shape, Sequence) else (shape,)
    return tuple(read_size("each of shape", entry) for entry in entries)


def _radial(geometry: str, count: Any, spacing: Any, inner: Any) -> Line:
    width = read_positive("spacing", spacing)
    return Line(geometry, read_size("the number of rings or shells", count), width, read_nonnegative("inner", inner))
