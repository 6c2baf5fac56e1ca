"""Diffusion that keeps edges and convolution by lot, as data, and what is right, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.harness import Definition

# Explicit steps of this length are stable in three dimensions, too.
STEP = 0.15
CONTRAST = 0.1
SEED = 20


@dataclass(frozen=True)
class BeyondWork:
    """One piece of work.

    Attributes
    ----------
    kind : str
        "perona-malik" or "random convolution".
    shape : tuple of int
    count : int
        Explicit steps, or draws per sample.
    conductance : str
        "exponential" or "rational", of Perona-Malik.
    taps : int
        Of the Gaussian along each axis, of a random convolution.
    dtype : str
    everywhere, quick : bool
        As for other subjects.
    """

    kind: str
    shape: tuple[int, ...]
    count: int
    conductance: str = "exponential"
    taps: int = 17
    dtype: str = "float32"
    everywhere: bool = False
    quick: bool = False

    @property
    def name(self) -> str:
        cells = "x".join(map(str, self.shape))
        if self.kind == "perona-malik":
            return f"{self.kind}: {cells} {self.dtype}, {self.conductance}, {self.counted} of {STEP}"
        kernel = "x".join([str(self.taps)] * len(self.shape))
        return f"{self.kind}: {cells} {self.dtype}, {kernel} taps, {self.counted}"

    @property
    def counted(self) -> str:
        word = "step" if self.kind == "perona-malik" else "draw"
        return f"{self.count} {word}" if self.count == 1 else f"{self.count} {word}s"


@dataclass(frozen=True)
class Lot:
    """What is right for a convolution by lot: its mean, and how far it scatters.

    Attributes
    ----------
    mean, variance : array
        Of every sample, which are drawn independently of each other.
    """

    mean: np.ndarray
    variance: np.ndarray

    def why_wrong(self, result: np.ndarray) -> str | None:
        """What is wrong at six standard deviations, of the mean and of the mean square of all deviations."""
        if result.shape != self.mean.shape:
            return f"the shape is {result.shape}, it should be {self.mean.shape}"
        off = np.asarray(result, np.float64) - self.mean
        shift = float(np.sum(off) / np.sqrt(np.sum(self.variance)))
        if not abs(shift) <= 6:
            return f"the mean is {shift:.3g} standard deviations off"
        # Squares scatter, too; how much they do is taken from the sample.
        squares = off**2 - self.variance
        scatter = float(np.sum(squares) / np.sqrt(np.sum(squares**2)))
        if not abs(scatter) <= 6:
            return f"the mean square is {scatter:.3g} standard deviations off"
        return None

    def error(self, result: np.ndarray) -> float:
        """The root mean square."""
        return float(np.sqrt(np.mean((np.asarray(result, np.float64) - self.mean) ** 2)))


@dataclass(frozen=True)
class BeyondProblem:
    """An image, the answer that every contender has to give, and answers of those who do it otherwise.

    Attributes
    ----------
    start : array
    definition : Definition
    others : dict
        Definitions by what is done differently: "faces", where every face of a cell conducts as its own slope says, and
        "lot".
    kernel : array or None
        In float64, of a random convolution.
    """

    start: np.ndarray
    definition: Definition
    others: dict[str, Definition | Lot]
    kernel: np.ndarray | None = None

    @property
    def size(self) -> float:
        """The largest value at the start."""
        return float(np.max(np.abs(self.start)))


def make_problem(work: BeyondWork) -> BeyondProblem:
    """A ball with noise on it and around it, and what becomes of it."""
    rng = np.random.default_rng(SEED)
    places = np.meshgrid(*(np.linspace(-1, 1, size) for size in work.shape), indexing="ij")
    ball = sum(place**2 for place in places) < 0.5
    start = (0.25 + 0.5 * ball + 0.02 * rng.standard_normal(work.shape)).astype(work.dtype)
    rounding = 8 * float(np.finfo(work.dtype).eps) * float(np.max(np.abs(start)))
    if work.kind == "perona-malik":
        # Each step rounds.
        tolerance = work.count * rounding
        by_cells = Definition(perona_malik(start, work, _by_cells), tolerance)
        by_faces = Definition(perona_malik(start, work, _by_faces), tolerance)
        return BeyondProblem(start, by_cells, {"faces": by_faces})
    line = np.exp(-0.5 * (np.linspace(-4, 4, work.taps)) ** 2)
    line /= line.sum()
    mean, square = smooth(start, line), smooth(np.asarray(start, np.float64) ** 2, line)
    kernel = np.ones(())
    for _ in work.shape:
        kernel = np.multiply.outer(kernel, line)
    lot = Lot(mean, (square - mean**2) / work.count)
    return BeyondProblem(start, Definition(mean, rounding), {"lot": lot}, kernel)


def smooth(x: np.ndarray, line: np.ndarray) -> np.ndarray:
    """``sum over m of line[m] x[i - m]`` along every axis, with nothing around x."""
    total, half = np.asarray(x, np.float64), len(line) // 2
    for axis in range(total.ndim):
        padded = np.pad(total, [(half, half) if other == axis else (0, 0) for other in range(total.ndim)])
        size = total.shape[axis]
        total = sum(
            weight * np.take(padded, np.arange(size) + 2 * half - position, axis=axis)
            for position, weight in enumerate(line)
        )
    return total


Slopes = list[tuple[np.ndarray, np.ndarray]]
Conductance = Callable[[np.ndarray], np.ndarray]


def perona_malik(start: np.ndarray, work: BeyondWork, flow: Callable[[Slopes, Conductance], np.ndarray]) -> np.ndarray:
    """Explicit steps ``u += STEP flow(slopes of u, g)``; every slope is taken on an array with repeated edges."""
    u = np.asarray(start, np.float64)
    g: Conductance = (lambda q: np.exp(-q)) if work.conductance == "exponential" else (lambda q: 1 / (1 + q))
    for _ in range(work.count):
        u = u + STEP * flow([(u - beside(u, axis, -1), beside(u, axis, 1) - u) for axis in range(u.ndim)], g)
    return u


def beside(values: np.ndarray, axis: int, way: int) -> np.ndarray:
    """The neighbour of every cell; beyond an end, the cell itself."""
    size = values.shape[axis]
    return np.take(values, np.clip(np.arange(size) + way, 0, size - 1), axis=axis)


def _by_cells(slopes: Slopes, g: Conductance) -> np.ndarray:
    """Cells conduct as the mean of the squared slopes on both sides says, faces as the mean of their two cells."""
    steepness = sum(0.5 * (low**2 + high**2) for low, high in slopes) / CONTRAST**2
    cells, total = g(steepness), 0.0
    for axis, (low, high) in enumerate(slopes):
        total = total + 0.5 * (cells + beside(cells, axis, 1)) * high - 0.5 * (cells + beside(cells, axis, -1)) * low
    return total


def _by_faces(slopes: Slopes, g: Conductance) -> np.ndarray:
    """Every face conducts as its own slope says."""
    return sum(g((high / CONTRAST) ** 2) * high - g((low / CONTRAST) ** 2) * low for low, high in slopes)


BEYOND_CASES = (
    BeyondWork("perona-malik", (512, 512), 20, everywhere=True, quick=True),
    BeyondWork("perona-malik", (64, 64, 64), 10, "rational", dtype="float64"),
    BeyondWork("random convolution", (512, 512), 1, everywhere=True, quick=True),
    BeyondWork("random convolution", (512, 512), 16, taps=65),
)
