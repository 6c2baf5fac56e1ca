"""The subject "steps": as many explicit steps of the heat equation for everyone, with ends that nothing leaves.

Step lengths are the same for all, so that what is compared is the cost of a step. The definition is the same steps in
float64, on whole arrays.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from benchmarks.apart import Elsewhere, Here, is_apart
from benchmarks.filter_peers import load
from benchmarks.harness import OURS, Case, Contender, Effort, run_case
from benchmarks.libraries import AbsentError, ArrayLibrary, open_library
from benchmarks.settings import Settings
from gpuconv import diffusion

EFFORT = Effort(seconds=1.0, fewest=3, most=20)
GROUPS = ("numpy", "opencv")


@dataclass(frozen=True)
class StepsWork:
    """So many explicit steps on cells of width 1."""

    shape: tuple[int, ...]
    steps: int
    quick: bool = False

    @property
    def name(self) -> str:
        return f"{'x'.join(map(str, self.shape))} float32, {self.steps} steps"

    @property
    def length(self) -> float:
        """Nine tenths of the longest step that keeps the maximum principle."""
        return 0.9 / (2 * len(self.shape))

    def start(self) -> np.ndarray:
        return np.random.default_rng(zlib.crc32(self.name.encode())).random(self.shape, np.float32)


CASES = (
    StepsWork((512, 512), 100, quick=True),
    StepsWork((2048, 2048), 100),
    StepsWork((64, 64, 64), 20, quick=True),
    StepsWork((256, 256, 256), 20),
)


def run(libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
    """All cases on NumPy arrays."""
    cases = []
    for library in libraries:
        if library.name == "numpy":
            for work in CASES:
                if work.quick or not settings.quick:
                    cases.append(run_work(work, library, settings))
                    settings.say(work.name)
    return {"cases": cases, "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}


def run_work(work: StepsWork, library: ArrayLibrary, settings: Settings) -> dict[str, Any]:
    start = work.start()
    right = by_slices(np, work, start.astype(np.float64))()
    # Values stay within 0 and 1, and no step rounds a cell by more than its sum of five or seven terms does.
    tolerance = 4 * work.steps * float(np.finfo(np.float32).eps)
    contenders = [Contender(OURS, ours(work)), *rivals(work, library, settings.peers)]
    case = Case(
        work.name,
        library,
        contenders,
        right,
        tolerance,
        traffic=2 * start.nbytes,
        products=prod(work.shape) * work.steps * (2 * len(work.shape) + 1),
    )
    return run_case(case, EFFORT.times(settings.patience), settings.limits_of(library))


def ours(work: StepsWork) -> Callable[[], Any]:
    u, time = work.start(), work.length * work.steps
    return lambda: diffusion.evolve(u, time, scheme="explicit", steps=work.steps, boundary="no-flux")


def rivals(work: StepsWork, library: ArrayLibrary, groups: tuple[str, ...]) -> list[Contender]:
    found = []
    for name, group, module, make in RIVALS:
        if group not in groups or (make is by_filter2d and len(work.shape) != 2):
            continue
        try:
            loaded = load(module)
        except AbsentError as absent:
            found.append(Contender(name, status="absent", reason=str(absent)))
            continue
        if is_apart(group, library):
            found.append(Contender(name, elsewhere=Elsewhere(group, partial(only, module, make, work))))
        else:
            found.append(Contender(name, make(loaded, work, work.start()), library=open_library("numpy")))
    return found


def only(module: str, make: Callable[..., Any], work: StepsWork) -> Here:
    """One of the others, for a process of its own."""
    return Here(make(load(module), work, work.start()), open_library("numpy"))


def by_slices(module: Any, work: StepsWork, start: np.ndarray) -> Callable[[], Any]:
    """Whole arrays in NumPy, in place: the image with one more cell at every end, as large as its neighbour."""
    ndim, r = len(work.shape), start.dtype.type(work.length)
    whole = tuple(slice(1, -1) for _ in range(ndim))
    shifted = [
        tuple(slice(1 + step * (a == axis), -1 + step * (a == axis) or None) for a in range(ndim))
        for axis in range(ndim)
        for step in (-1, 1)
    ]
    centre = start.dtype.type(1 - 2 * ndim * work.length)

    def call() -> Any:
        u = np.pad(start, 1, mode="edge")
        inside, total = u[whole], np.empty_like(start)
        for _ in range(work.steps):
            np.add(u[shifted[0]], u[shifted[1]], out=total)
            for view in shifted[2:]:
                np.add(total, u[view], out=total)
            np.multiply(total, r, out=total)
            np.multiply(inside, centre, out=inside)
            np.add(inside, total, out=inside)
            _copy_ends(u)
        return inside.copy()

    return call


def _copy_ends(u: np.ndarray) -> None:
    """The outermost cells as their neighbours within."""
    for axis in range(u.ndim):
        lines = np.moveaxis(u, axis, 0)
        lines[0], lines[-1] = lines[1], lines[-2]


def by_filter2d(cv: Any, work: StepsWork, start: np.ndarray) -> Callable[[], Any]:
    """A loop of OpenCV's filter with the kernel of one step."""
    r = work.length
    kernel = np.array([[0, r, 0], [r, 1 - 4 * r, r], [0, r, 0]], start.dtype)

    def call() -> Any:
        u, other = start.copy(), np.empty_like(start)
        for _ in range(work.steps):
            cv.filter2D(u, -1, kernel, dst=other, borderType=cv.BORDER_REPLICATE)
            u, other = other, u
        return u

    return call


RIVALS = (
    ("NumPy slices", "numpy", "numpy", by_slices),
    ("OpenCV filter2D loop", "opencv", "cv2", by_filter2d),
)
