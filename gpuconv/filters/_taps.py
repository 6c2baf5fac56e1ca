"""Gaussians along the axes of an image, and passes that several of their derivatives share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gpuconv.convolution import convolve_separable
from gpuconv.core.arguments import read_choice
from gpuconv.core.dtypes import real_of
from gpuconv.filters._image import Image, read_edges
from gpuconv.kernels._arguments import read_nonnegative, read_order, read_radius, spread
from gpuconv.kernels._taps import KINDS, double_taps
from gpuconv.methods.banks import convolve_banks
from gpuconv.methods.describe import Options
from gpuconv.methods.passes import pose_taps
from gpuconv.methods.repeat import Facts, Posed


@dataclass(frozen=True)
class Cut:
    """How far Gaussians go and of which kind they are, as given."""

    truncate: Any
    radius: Any
    kind: Any


@dataclass(frozen=True)
class Gaussians:
    """One Gaussian per filtered axis."""

    sigmas: tuple[float, ...]
    truncates: tuple[float | None, ...]
    radii: tuple[int | None, ...]
    kind: str
    precision: np.dtype

    def taps(self, position: int, order: int = 0) -> np.ndarray:
        """Taps of the derivative of `order` along the axis at `position` among the filtered ones, in float64."""
        parameters = (self.sigmas[position], order, self.truncates[position], self.radii[position])
        return _taps(*parameters, self.kind, self.precision)

    def smoothing(self) -> list[np.ndarray]:
        """Taps that smooth, one line per axis."""
        return [self.taps(position) for position in range(len(self.sigmas))]


def read_gaussians(sigma: Any, cut: Cut, image: Image, name: str = "sigma") -> Gaussians:
    return _read(name, sigma, cut.truncate, cut.radius, cut.kind, len(image.axes), image.problem.rule.accumulator)


def pose_gaussian(
    facts: Facts, order: Any, radius: Any, kind: Any, axes: Any, boundary: Any, sigma: Any, truncate: Any
) -> Posed:
    """Smoothing, or derivatives of given orders, along the filtered axes."""
    axes, boundaries, problem = read_edges(facts, axes, boundary)
    gaussians = _read("sigma", sigma, truncate, radius, kind, len(axes), problem.rule.accumulator)
    orders = spread("order", order, len(axes), read_order)
    lines = [gaussians.taps(position, own) for position, own in enumerate(orders)]
    return pose_taps(facts, lines, Options("convolve", boundary=boundaries, axes=axes))


def _read(name: str, sigma: Any, truncate: Any, radius: Any, kind: Any, count: int, accumulator: str) -> Gaussians:
    return Gaussians(
        spread(name, sigma, count, read_nonnegative),
        spread("truncate", truncate, count, _read_truncate),
        spread("radius", radius, count, read_radius),
        read_choice("kind", kind, KINDS),
        np.dtype(real_of(accumulator)),
    )


def _read_truncate(name: str, value: Any) -> float | None:
    return None if value is None else read_nonnegative(name, value)


# Of float64 taps, only the length depends on the precision: where the lattice kind may end.
@lru_cache(maxsize=256)
def _taps(
    sigma: float, order: int, truncate: float | None, radius: int | None, kind: str, precision: np.dtype
) -> np.ndarray:
    taps = double_taps(sigma, order, truncate, radius, kind, precision)
    taps.flags.writeable = False
    return taps


def smooth(image: Image, gaussians: Gaussians) -> Any:
    """The image under the Gaussians, in the dtype of its sums."""
    return convolve_separable(image.x, gaussians.smoothing(), **image.edges)


def derivatives(image: Image, gaussians: Gaussians, orders: Sequence[tuple[int, ...]]) -> list[Any]:
    """Gaussian derivatives of several `orders`, one entry per filtered axis each, in the dtype of the sums.

    Those that agree along the first axes share their passes: 15 instead of 18 for a Hessian in 3-D.
    """
    banks = [[gaussians.taps(position, order) for position, order in enumerate(each)] for each in orders]
    return convolve_banks(image.x, banks, **image.edges)


def orders_of(count: int, *positions: int) -> tuple[int, ...]:
    """Orders of the derivative along the axes at `positions`, one after another, among `count` filtered axes."""
    return tuple(positions.count(position) for position in range(count))
