"""Diffusion with other libraries: in one step where one can, else in the fewest explicit steps that are stable."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from benchmarks.diffusion_cases import DiffusionProblem, DiffusionWork, Faces
from benchmarks.rivals import Call, Rival

ONE_SHOT = "one-shot"
# Cell updates beyond which a loop would take many seconds.
UPDATES_UP_TO = 400_000_000
NO_PLACE = "it has no such geometry, and nothing between cells"


def xp_of(module: Any) -> Any:
    return importlib.import_module("cupy" if module.__name__.startswith("cupy") else "numpy")


def steps_of(work: DiffusionWork, problem: DiffusionProblem) -> int:
    """Those of a loop."""
    return problem.fewest_steps(work.time)


# --- in one step


def by_fft(module: Any, work: DiffusionWork, problem: DiffusionProblem) -> Call | str:
    """`scipy.fft` by hand: every wave decays by ``exp(-D k^2 t)``; the same of `cupyx`."""
    if work.place != "box" or not isinstance(work.boundary, str):
        return "no transform belongs to it"
    xp, boundary = xp_of(module), work.boundary
    u = xp.asarray(problem.start)
    forward, inverse = {
        "no-flux": (module.dctn, module.idctn),
        "fixed": (module.dstn, module.idstn),
        "periodic": (module.rfftn, lambda y: module.irfftn(y, s=work.shape)),
    }[boundary]

    def call() -> Any:
        lines = []
        for axis, size in enumerate(work.shape):
            last = axis == len(work.shape) - 1
            k = _wave_numbers(boundary, size, last)
            shape = [1] * len(work.shape)
            shape[axis] = -1
            lines.append(xp.asarray(np.exp(-(k**2) * work.time).astype(work.dtype)).reshape(shape))
        return inverse(forward(u) * reduce(xp.multiply, lines))

    return call


def _wave_numbers(boundary: str, size: int, last: bool) -> np.ndarray:
    if boundary == "periodic":
        return 2 * np.pi * (np.fft.rfftfreq(size) if last else np.fft.fftfreq(size))
    return np.pi * (np.arange(size) + (1 if boundary == "fixed" else 0)) / size


def by_gaussian(nd: Any, work: DiffusionWork, problem: DiffusionProblem) -> Call | str:
    """Smoothing is diffusion, of variance ``2 D t``."""
    mode = {"no-flux": "reflect", "periodic": "wrap"}.get(str(work.boundary))
    if work.place != "box" or mode is None:
        return NO_PLACE
    u = xp_of(nd).asarray(problem.start)
    return lambda: nd.gaussian_filter(u, math.sqrt(2 * work.time), mode=mode)


def by_opencv_blur(cv: Any, work: DiffusionWork, problem: DiffusionProblem) -> Call | str:
    sigma = math.sqrt(2 * work.time)
    if work.place != "box" or work.boundary != "no-flux" or len(work.shape) != 2:
        return NO_PLACE
    if 4 * sigma > min(work.shape):
        return "its borders are not made for kernels larger than the image"
    return lambda: cv.GaussianBlur(problem.start, (0, 0), sigma, borderType=cv.BORDER_REFLECT)


# --- in steps


def _too_long(work: DiffusionWork, problem: DiffusionProblem) -> str | None:
    updates = steps_of(work, problem) * math.prod(work.shape)
    return f"{updates:.2g} updates of cells would take too long" if updates > UPDATES_UP_TO else None


def by_slices(module: Any, work: DiffusionWork, problem: DiffusionProblem) -> Call | str:
    """Whole arrays in NumPy or CuPy: differences of neighbours, and what flows through the faces between them."""
    late = _too_long(work, problem)
    if late is not None:
        return late
    xp, steps = xp_of(module), steps_of(work, problem)
    start, length = xp.asarray(problem.start), work.time / steps
    dtype = problem.start.dtype
    plans = [_flow(xp, faces, axis, len(work.shape), length, dtype) for axis, faces in enumerate(problem.faces)]

    def call() -> Any:
        u = start.copy()
        for _ in range(steps):
            changes = [plan(u) for plan in plans]
            for change in changes:
                u += change
        return u

    return call


def _flow(xp: Any, faces: Faces, axis: int, ndim: int, length: float, dtype: Any) -> Callable[[Any], Any]:
    """A function that gives what flows along an axis into every cell in one step."""

    def on_axis(values: Any) -> Any:
        own = np.asarray(values, np.float64)
        if own.ndim == 0:
            return float(own) * 1.0
        along_last = ndim > 1 and axis < ndim - 1
        shape = [1] * ndim
        shape[-1 if along_last else axis] = -1
        return xp.asarray(own.astype(dtype).reshape(shape))

    def part(start: int | None, stop: int | None) -> tuple[slice, ...]:
        return tuple(slice(start, stop) if other == axis else slice(None) for other in range(ndim))

    inner = on_axis(length * np.asarray(faces.inner))
    inverse = None if faces.volumes is None else on_axis(1 / faces.volumes)
    below, above, first, last = part(None, -1), part(1, None), part(None, 1), part(-1, None)

    def change(u: Any) -> Any:
        flux = u[above] - u[below]
        flux *= inner
        total = xp.empty_like(u)
        total[below] = flux
        total[last] = 0
        total[above] -= flux
        if faces.low:
            total[first] -= length * faces.low * u[first]
        if faces.high:
            total[last] -= length * faces.high * u[last]
        if faces.ring:
            around = length * faces.ring * (u[first] - u[last])
            total[last] += around
            total[first] -= around
        if inverse is not None:
            total *= inverse
        return total

    return change


def by_laplace(nd: Any, work: DiffusionWork, problem: DiffusionProblem) -> Call | str:
    """A loop of `scipy.ndimage.laplace`; the same of `cupyx`."""
    mode = {"no-flux": "reflect", "periodic": "wrap"}.get(str(work.boundary))
    if work.place != "box" or mode is None:
        return NO_PLACE
    late = _too_long(work, problem)
    if late is not None:
        return late
    steps = steps_of(work, problem)
    xp, length = xp_of(nd), work.time / steps
    start = xp.asarray(problem.start)

    def call() -> Any:
        u, change = start.copy(), xp.empty_like(start)
        for _ in range(steps):
            nd.laplace(u, output=change, mode=mode)
            change *= length
            u += change
        return u

    return call


def by_opencv(cv: Any, work: DiffusionWork, problem: DiffusionProblem) -> Call | str:
    """A loop of `filter2D` with the kernel of one explicit step."""
    if work.place != "box" or work.boundary != "no-flux" or len(work.shape) != 2:
        return NO_PLACE
    steps = steps_of(work, problem)
    r = work.time / steps
    kernel = np.array([[0, r, 0], [r, 1 - 4 * r, r], [0, r, 0]], problem.start.dtype)

    def call() -> Any:
        u, other = problem.start.copy(), np.empty_like(problem.start)
        for _ in range(steps):
            cv.filter2D(u, -1, kernel, dst=other, borderType=cv.BORDER_REFLECT)
            u, other = other, u
        return u

    return call


def by_pde(pde: Any, work: DiffusionWork, problem: DiffusionProblem) -> Call | str:
    """py-pde's explicit steps, whose compiled function is made by the first call and then kept."""
    if work.place not in ("box", "sphere", "cylinder"):
        return "it has no faces that are closed or differ, only smooth diffusivities"
    count, steps = len(work.shape), steps_of(work, problem)
    if work.is_radial:
        kind = pde.SphericalSymGrid if work.place == "sphere" else pde.PolarSymGrid
        grid = kind(1.0, work.shape[0])
    else:
        grid = pde.CartesianGrid([[0, size] for size in work.shape], work.shape, periodic=work.boundary == "periodic")
    equation = pde.DiffusionPDE(1.0, bc=_conditions(work, count))
    kept: list[Any] = []

    def call() -> Any:
        state = pde.ScalarField(grid, problem.start, dtype=work.dtype)
        if not kept:
            solvers = importlib.import_module("pde.solvers")
            solver = getattr(solvers, "EulerSolver", solvers.ExplicitSolver)(equation, backend="numba")
            kept.append(solver.make_stepper(state, dt=work.time / steps))
        kept[0](state, 0.0, work.time)
        return state.data

    return call


def _conditions(work: DiffusionWork, count: int) -> Any:
    each = {"no-flux": {"derivative": 0}, "fixed": {"value": 0}, "periodic": "periodic"}
    if isinstance(work.boundary, str):
        return each[work.boundary]
    low, high = work.boundary
    return {f"{axis}{side}": each[end] for axis in "xyz"[:count] for side, end in (("-", low), ("+", high))}


DIFFUSION_PEERS = (
    Rival("scipy.fft by hand", "scipy", "scipy.fft", ("numpy",), "numpy", by_fft),
    Rival("scipy gaussian_filter", "scipy", "scipy.ndimage", ("numpy",), "numpy", by_gaussian),
    Rival("OpenCV GaussianBlur", "opencv", "cv2", ("numpy",), "numpy", by_opencv_blur),
    Rival("NumPy slices", "numpy", "numpy", ("numpy",), "numpy", by_slices),
    Rival("scipy laplace loop", "scipy", "scipy.ndimage", ("numpy",), "numpy", by_laplace),
    Rival("OpenCV filter2D loop", "opencv", "cv2", ("numpy",), "numpy", by_opencv),
    Rival("py-pde", "pypde", "pde", ("numpy",), "numpy", by_pde),
    Rival("cupyx.scipy.fft by hand", "cupyx", "cupyx.scipy.fft", ("cupy",), "cupy", by_fft),
    Rival("cupyx gaussian_filter", "cupyx", "cupyx.scipy.ndimage", ("cupy",), "cupy", by_gaussian),
    Rival("CuPy slices", "cupyx", "cupy", ("cupy",), "cupy", by_slices),
    Rival("cupyx laplace loop", "cupyx", "cupyx.scipy.ndimage", ("cupy",), "cupy", by_laplace),
)
AT_ONCE = (by_fft, by_gaussian, by_opencv_blur)
GROUPS = tuple(dict.fromkeys(rival.group for rival in DIFFUSION_PEERS))
