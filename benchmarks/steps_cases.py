"""Many explicit steps of diffusion on one array, for the speed of a step: everybody takes the same ones.

The subject "diffusion" compares how long an accuracy takes, this how long steps do that are given. What is right is
known in closed form: a wave decays by the same factor in every step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.rivals import Call, Rival
from gpuconv import diffusion

# Half waves along each axis.
WAVES = ((0, 3, 1), (2, 1, 0), (5, 4, 3))


@dataclass(frozen=True)
class StepsWork:
    """Steps in a closed box.

    Attributes
    ----------
    shape : tuple of int
    steps : int
    ratio : float
        Diffusivity times length of a step, in squares of the width of a cell.
    dtype : str
    quick : bool
        As for other subjects.
    """

    shape: tuple[int, ...]
    steps: int
    ratio: float
    dtype: str = "float32"
    quick: bool = False

    @property
    def name(self) -> str:
        return f"{'x'.join(map(str, self.shape))} {self.dtype}, {self.steps} explicit steps, no-flux"

    @property
    def products(self) -> int:
        """A neighbour and a weight each, and the length of the step."""
        return math.prod(self.shape) * self.steps * (2 * len(self.shape) + 1)


@dataclass(frozen=True)
class StepsProblem:
    """The start, and what the steps make of it, in float64."""

    start: np.ndarray
    expected: np.ndarray
    tolerance: float


def make_problem(work: StepsWork) -> StepsProblem:
    """Waves ``cos(pi k (i + 1/2)/n)``, each of which loses ``4 r sum sin^2(pi k/(2 n))`` of itself in a step."""
    start, expected = np.full(work.shape, 2.0), np.full(work.shape, 2.0)
    for numbers in WAVES:
        angles = [math.pi * k / n for k, n in zip(numbers, work.shape, strict=False)]
        wave = np.ones(())
        for angle, size in zip(angles, work.shape, strict=True):
            wave = np.multiply.outer(wave, np.cos(angle * (np.arange(size) + 0.5)))
        factor = 1 - 4 * work.ratio * sum(math.sin(angle / 2) ** 2 for angle in angles)
        start, expected = start + wave, expected + factor**work.steps * wave
    eps = float(np.finfo(work.dtype).eps)
    return StepsProblem(start.astype(work.dtype), expected, 4 * work.steps * eps * float(np.max(np.abs(start))))


def ours(work: StepsWork, problem: StepsProblem) -> Call:
    time = work.steps * work.ratio
    return lambda: diffusion.evolve(problem.start, time, scheme="explicit", steps=work.steps)


def by_slices(module: Any, work: StepsWork, problem: StepsProblem) -> Call:
    """Whole arrays: what flows through the faces across each axis, from the cells before into those behind."""
    ndim, ratio = len(work.shape), problem.start.dtype.type(work.ratio)
    ends = []
    for axis in range(ndim):
        index = [slice(None)] * ndim
        index[axis] = slice(None, -1)
        before = tuple(index)
        index[axis] = slice(1, None)
        ends.append((before, tuple(index)))

    def call() -> Any:
        u = problem.start.copy()
        for _ in range(work.steps):
            fluxes = []
            for before, behind in ends:
                flux = u[before] - u[behind]
                flux *= ratio
                fluxes.append(flux)
            for flux, (before, behind) in zip(fluxes, ends, strict=True):
                u[before] -= flux
                u[behind] += flux
        return u

    return call


def by_opencv(cv: Any, work: StepsWork, problem: StepsProblem) -> Call | str:
    """A loop of `filter2D` with the kernel of one step."""
    if len(work.shape) != 2:
        return "it filters images"
    r = work.ratio
    kernel = np.array([[0, r, 0], [r, 1 - 4 * r, r], [0, r, 0]], problem.start.dtype)

    def call() -> Any:
        u, other = problem.start.copy(), np.empty_like(problem.start)
        for _ in range(work.steps):
            cv.filter2D(u, -1, kernel, dst=other, borderType=cv.BORDER_REFLECT)
            u, other = other, u
        return u

    return call


STEPS_CASES = (
    StepsWork((2048, 2048), 100, 0.2, quick=True),
    StepsWork((2048, 2048), 100, 0.2, dtype="float64"),
    StepsWork((256, 256), 1000, 0.2),
    StepsWork((256, 256, 256), 20, 0.15),
)
STEPS_PEERS = (
    Rival("NumPy slices", "numpy", "numpy", ("numpy",), "numpy", by_slices),
    Rival("OpenCV filter2D loop", "opencv", "cv2", ("numpy",), "numpy", by_opencv),
)
