"""Perona-Malik and random convolution with other libraries, on the same equation and in the same steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.beyond_cases import CONTRAST, SEED, STEP, BeyondProblem, BeyondWork
from benchmarks.diffusion_peers import xp_of
from benchmarks.rivals import Call, Rival

OTHER_KIND = "it does other work"


def by_slices(module: Any, work: BeyondWork, problem: BeyondProblem) -> Call | str:
    """Whole-array slices of NumPy or CuPy, in place."""
    if work.kind != "perona-malik":
        return OTHER_KIND
    xp = xp_of(module)
    start, conduct = xp.asarray(problem.start), _conductance(xp, work)

    def part(axis: int, low: int | None, high: int | None) -> tuple[slice, ...]:
        return tuple(slice(low, high) if other == axis else slice(None) for other in range(start.ndim))

    ends = [(part(axis, None, -1), part(axis, 1, None)) for axis in range(start.ndim)]

    def call() -> Any:
        u = start.copy()
        g = xp.empty_like(u)
        for _ in range(work.count):
            slopes = [u[after] - u[before] for before, after in ends]
            g[...] = 0
            for slope, (before, after) in zip(slopes, ends, strict=True):
                square = slope * slope
                g[before] += square
                g[after] += square
            conduct(g)
            for slope, (before, after) in zip(slopes, ends, strict=True):
                slope *= g[before] + g[after]
                slope *= 0.5 * STEP
                u[before] += slope
                u[after] -= slope
        return u

    return call


def _conductance(xp: Any, work: BeyondWork) -> Callable[[Any], None]:
    """Turns the squares of both slopes along all axes into the conductance, in place."""
    half = 0.5 / CONTRAST**2

    def exponential(g: Any) -> None:
        g *= -half
        xp.exp(g, out=g)

    def rational(g: Any) -> None:
        g *= half
        g += 1
        xp.reciprocal(g, out=g)

    return exponential if work.conductance == "exponential" else rational


def by_opencv(cv: Any, work: BeyondWork, problem: BeyondProblem) -> Call | str:
    """A loop of `filter2D` for differences and means, `exp`, and `scaleAdd`."""
    if work.kind != "perona-malik" or len(work.shape) != 2 or work.conductance != "exponential":
        return OTHER_KIND
    dtype = problem.start.dtype

    def both(weights: list[float]) -> tuple[np.ndarray, np.ndarray]:
        row = np.array([weights], dtype)
        return row, np.ascontiguousarray(row.T)

    ahead, behind = both([0, -1, 1]), both([-1, 1, 0])
    # The square of a slope counts half for each of its two cells, a conductance half for each of its faces.
    shared, joined = both([0.5, 0.5, 0]), both([0, 0.5, 0.5])

    def call() -> Any:
        u = problem.start.copy()
        slope, square = [np.empty_like(u), np.empty_like(u)], np.empty_like(u)
        g, other = np.empty_like(u), np.empty_like(u)
        for _ in range(work.count):
            for axis in (0, 1):
                cv.filter2D(u, -1, ahead[axis], dst=slope[axis], borderType=cv.BORDER_REPLICATE)
                cv.multiply(slope[axis], slope[axis], dst=square, scale=-1 / CONTRAST**2)
                cv.filter2D(square, -1, shared[axis], dst=other if axis else g, borderType=cv.BORDER_CONSTANT)
            cv.add(g, other, dst=g)
            cv.exp(g, dst=g)
            for axis in (0, 1):
                cv.filter2D(g, -1, joined[axis], dst=other, borderType=cv.BORDER_REPLICATE)
                cv.multiply(slope[axis], other, dst=slope[axis])
                cv.filter2D(slope[axis], -1, behind[axis], dst=other, borderType=cv.BORDER_CONSTANT)
                cv.scaleAdd(other, STEP, u, dst=u)
        return u

    return call


def by_medpy(smoothing: Any, work: BeyondWork, problem: BeyondProblem) -> Call | str:
    """`anisotropic_diffusion`, in which every face conducts as its own slope says, and all is float32."""
    if work.kind != "perona-malik" or work.dtype != "float32":
        return "it does not do this work in this precision"
    option = {"exponential": 1, "rational": 2}[work.conductance]
    return lambda: smoothing.anisotropic_diffusion(problem.start, work.count, CONTRAST, STEP, option=option)


def by_choice(module: Any, work: BeyondWork, problem: BeyondProblem) -> Call | str:
    """Taps drawn by the library's generator, samples fetched by index."""
    if problem.kernel is None:
        return OTHER_KIND
    xp, half = xp_of(module), work.taps // 2
    padded = xp.pad(xp.asarray(problem.start), half)
    totals = xp.asarray(np.cumsum(problem.kernel))
    width, last = padded.shape[1], problem.kernel.size - 1
    rows, columns = xp.ogrid[: work.shape[0], : work.shape[1]]
    home = (rows + 2 * half) * width + columns + 2 * half

    def call() -> Any:
        rng = xp.random.default_rng(SEED)
        total = xp.zeros(work.shape, work.dtype)
        for _ in range(work.count):
            drawn = xp.minimum(xp.searchsorted(totals, rng.random(work.shape)), last)
            row, column = xp.divmod(drawn, work.taps)
            total += padded.ravel()[home - row * width - column]
        total *= 1 / work.count
        return total

    return call


MEDPY = "medpy, slopes of faces"
BEYOND_PEERS = (
    Rival("NumPy slices", "numpy", "numpy", ("numpy",), "numpy", by_slices),
    Rival("OpenCV filter2D loop", "opencv", "cv2", ("numpy",), "numpy", by_opencv),
    Rival(MEDPY, "medpy", "medpy.filter.smoothing", ("numpy",), "numpy", by_medpy),
    Rival("NumPy, taps by searchsorted", "numpy", "numpy", ("numpy",), "numpy", by_choice),
    Rival("CuPy slices", "cupyx", "cupy", ("cupy",), "cupy", by_slices),
    Rival("CuPy, taps by searchsorted", "cupyx", "cupy", ("cupy",), "cupy", by_choice),
)
# What is right for those who do it otherwise, by name.
DEFINITIONS = {MEDPY: "faces", "NumPy, taps by searchsorted": "lot", "CuPy, taps by searchsorted": "lot"}
GROUPS = tuple(dict.fromkeys(rival.group for rival in BEYOND_PEERS))
