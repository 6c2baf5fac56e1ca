"""Diffusion problems with a closed form, as data: where, for how long, how accurate; and the solution in float64.

The closed form is that of the differential equation, so that the error of the grid counts as well as that of the steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# Zeros of J1, the slopes of J0: modes of a disk that nothing leaves.
J1_ZEROS = (3.8317059702075125, 7.015586669815619)


@dataclass(frozen=True)
class DiffusionWork:
    """One problem.

    Attributes
    ----------
    place : str
        "box"; "wall", "membrane" and "media" for a box that is divided in the middle of its last axis; or "sphere" and
        "cylinder", of radius 1 and with cells along the radius.
    shape : tuple of int
        Cells, of width 1 but on a radius.
    time : float
        With diffusivity 1.
    boundary : str or tuple
        Of all sides, or a (low, high) tuple.
    accuracy : float
        The largest error allowed, relative to the largest value at the start.
    dtype : str
    everywhere, quick : bool
        As for other subjects.
    """

    place: str
    shape: tuple[int, ...]
    time: float
    boundary: str | tuple[str, str] = "no-flux"
    accuracy: float = 1e-3
    dtype: str = "float64"
    everywhere: bool = False
    quick: bool = False

    @property
    def name(self) -> str:
        edges = self.boundary if isinstance(self.boundary, str) else " and ".join(self.boundary)
        cells = "x".join(map(str, self.shape))
        return f"{self.place}: {cells} {self.dtype}, {edges}, t={self.time:g}, to {self.accuracy:g}"

    @property
    def is_radial(self) -> bool:
        return self.place in ("sphere", "cylinder")

    @property
    def spacing(self) -> float:
        return 1 / self.shape[0] if self.is_radial else 1.0


@dataclass(frozen=True)
class Faces:
    """What flows through the faces between the cells of an axis: ``g (u[i+1] - u[i])`` per time.

    Attributes
    ----------
    inner : float or array
        g of the faces between cells: one entry less than cells if it varies along the axis, and if it varies along
        the last one instead, an entry for each cell there.
    low, high : float
        g of the outer faces, where u is 0.
    ring : float
        g of the face that joins the ends.
    volumes : array or None
        Of the cells along the axis; None if all are 1.
    """

    inner: Any
    low: float = 0.0
    high: float = 0.0
    ring: float = 0.0
    volumes: np.ndarray | None = None


@dataclass(frozen=True)
class DiffusionProblem:
    """A start, the solution, and the coefficients of the equation on the grid."""

    start: np.ndarray
    expected: np.ndarray
    tolerance: float
    faces: tuple[Faces, ...]
    diffusivity: Any = 1.0
    conductance: float | None = None

    @property
    def size(self) -> float:
        """The largest value at the start."""
        return float(np.max(np.abs(self.start)))

    def fewest_steps(self, time: float) -> int:
        """Explicit steps of equal length that are stable: none longer than ``2/rate`` of the fastest mode."""
        fastest = sum(_fastest(faces, size) for faces, size in zip(self.faces, self.start.shape, strict=True))
        return max(1, math.ceil(time * fastest / 2 * (1 - 1e-9)))


@dataclass(frozen=True)
class Mode:
    """A function that keeps its form and decays: its values in the cells, and its rate."""

    values: np.ndarray
    rate: float


# Length of the finest wave over that of a cell is twice this: the error of the grid stays within the accuracy.
CELLS_PER_HALF_WAVE = 32
CONDUCTANCE = 0.05
DIFFUSIVITIES = (1.0, 4.0)


def make_problem(work: DiffusionWork) -> DiffusionProblem:
    """Start and solution as sums of modes that decay one by one."""
    modes, faces, details = {
        "box": _box,
        "wall": _wall,
        "membrane": _membrane,
        "media": _media,
        "sphere": _sphere,
        "cylinder": _cylinder,
    }[work.place](work)
    start = np.sum([mode.values for mode in modes], axis=0)
    expected = np.sum([math.exp(-mode.rate * work.time) * mode.values for mode in modes], axis=0)
    largest = float(np.max(np.abs(start)))
    return DiffusionProblem(start.astype(work.dtype), expected, work.accuracy * largest, faces, **details)


Parts = tuple[list[Mode], tuple[Faces, ...], dict[str, Any]]


def _box(work: DiffusionWork) -> Parts:
    finest = max(1, min(work.shape) // CELLS_PER_HALF_WAVE)
    slow = max(1, finest // 4)
    numbers = [(slow,) * len(work.shape), (finest,) * len(work.shape), (finest, *(slow,) * (len(work.shape) - 1))]
    modes = [_wave(work, each) for each in numbers]
    if work.boundary in ("no-flux", "periodic"):
        modes.append(Mode(np.full(work.shape, 0.5), 0.0))
    return modes, tuple(_faces(work, size) for size in work.shape), {}


def _wave(work: DiffusionWork, numbers: Sequence[int]) -> Mode:
    values, rate = np.ones(()), 0.0
    for size, number in zip(work.shape, numbers, strict=True):
        line, own = _line(work.boundary, size, number)
        values, rate = np.multiply.outer(values, line), rate + own
    return Mode(values, rate)


def _line(boundary: Any, size: int, number: int) -> tuple[np.ndarray, float]:
    """A mode of a line of length `size` at the centres of its cells, and its rate of decay."""
    x = np.arange(size) + 0.5
    wave = {
        "no-flux": math.pi * number / size,
        "fixed": math.pi * number / size,
        "periodic": 2 * math.pi * max(1, number // 2) / size,
        ("fixed", "no-flux"): math.pi * (number - 0.5) / size,
    }[boundary]
    return (np.cos if boundary in ("no-flux", "periodic") else np.sin)(wave * x), wave**2


def _faces(work: DiffusionWork, size: int) -> Faces:
    low, high = (work.boundary, work.boundary) if isinstance(work.boundary, str) else work.boundary
    # The face is half a cell away.
    outer = [2.0 if end == "fixed" else 0.0 for end in (low, high)]
    return Faces(1.0, outer[0], outer[1], 1.0 if work.boundary == "periodic" else 0.0)


def _wall(work: DiffusionWork) -> Parts:
    """Two boxes: waves in the first, another level and another wave in the second."""
    rows, columns = work.shape
    half = replace(work, shape=(rows, columns // 2))
    finest = max(1, columns // 2 // CELLS_PER_HALF_WAVE)
    modes = []
    for beside, numbers, level in (((1.0, 0.0), (1, finest), 1.0), ((0.0, 1.0), (finest, 2), -0.5)):
        wave = _wave(half, numbers)
        sides = np.array(beside)
        modes += [
            Mode(np.concatenate([side * wave.values for side in sides], axis=1), wave.rate),
            Mode(np.repeat(level * sides, columns // 2) * np.ones(work.shape), 0.0),
        ]
    inner = np.ones(columns - 1)
    inner[columns // 2 - 1] = 0.0
    return modes, (_faces(work, rows), Faces(inner)), {"conductance": 0.0}


def _membrane(work: DiffusionWork) -> Parts:
    """Waves that the membrane splits: ``k tan(k a) = 2 P``, for two halves of length a and conductance P."""
    rows, columns = work.shape
    a = columns // 2
    x = np.arange(columns) + 0.5
    modes = [Mode(np.ones(work.shape), 0.0)]
    for branch in (0, 1):
        k = _root(lambda k: k * math.sin(k * a) - 2 * CONDUCTANCE * math.cos(k * a), branch * math.pi / a, math.pi / a)
        line = np.where(x < a, np.cos(k * x), -np.cos(k * (columns - x)))
        modes.append(Mode(line * np.ones(work.shape), k**2))
    inner = np.ones(columns - 1)
    inner[a - 1] = 1 / (1 + 1 / CONDUCTANCE)
    return modes, (_faces(work, rows), Faces(inner)), {"conductance": CONDUCTANCE}


def _media(work: DiffusionWork) -> Parts:
    """Waves that are bent where two media meet: u and ``D du/dx`` are continuous."""
    columns = work.shape[1]
    a = columns // 2
    left, right = DIFFUSIVITIES
    bend = math.sqrt(left / right)
    x = np.arange(columns) + 0.5

    def jump(k: float) -> float:
        """Of the flux, where u is continuous."""
        q = k * bend
        return left * k * math.sin(k * a) * math.cos(q * a) + right * q * math.cos(k * a) * math.sin(q * a)

    k = _root(jump, 0.5 * math.pi / a, math.pi / (2 * a))
    q = k * bend
    ratio = math.cos(k * a) / math.cos(q * a)
    line = np.where(x < a, np.cos(k * x), ratio * np.cos(q * (columns - x)))
    modes = [Mode(np.ones(work.shape), 0.0), Mode(line * np.ones(work.shape), left * k**2)]
    each = np.where(x < a, left, right)
    inner = 2 / (1 / each[1:] + 1 / each[:-1])
    kappa = each * np.ones(work.shape)
    # Along axis 0 all faces of a column are alike.
    return modes, (Faces(each), Faces(inner)), {"diffusivity": kappa}


def _sphere(work: DiffusionWork) -> Parts:
    """``sin(n pi r)/(n pi r)`` between nothing and a surface held at 0."""
    r = (np.arange(work.shape[0]) + 0.5) * work.spacing
    modes = [Mode(np.sin(n * math.pi * r) / (n * math.pi * r), (n * math.pi) ** 2) for n in (1, 2)]
    return modes, (_shells(work, 3),), {}


def _cylinder(work: DiffusionWork) -> Parts:
    from scipy.special import j0

    r = (np.arange(work.shape[0]) + 0.5) * work.spacing
    modes = [Mode(np.ones(work.shape), 0.0), *(Mode(j0(zero * r), zero**2) for zero in J1_ZEROS)]
    return modes, (_shells(work, 2),), {}


def _shells(work: DiffusionWork, ndim: int) -> Faces:
    """Areas and volumes of a ball of `ndim` dimensions, but for the factor that all of them share."""
    count, h = work.shape[0], work.spacing
    r = np.arange(count + 1) * h
    areas, volumes = r ** (ndim - 1), np.diff(r**ndim) / ndim
    high = 2 * areas[-1] / h if work.boundary == "fixed" else 0.0
    return Faces(areas[1:-1] / h, 0.0, high, volumes=volumes)


def _root(function: Any, low: float, length: float) -> float:
    """The root in the interval of that length; its ends are none."""
    from scipy.optimize import brentq

    margin = 1e-9 * length
    return float(brentq(function, low + margin, low + length - margin, xtol=1e-15))


def _fastest(faces: Faces, size: int) -> float:
    """The largest rate of decay along an axis: of its matrix, made symmetric by the roots of volumes."""
    from scipy.linalg import eigvalsh_tridiagonal

    inner = np.asarray(faces.inner, np.float64)
    if faces.ring or (inner.ndim and len(inner) != size - 1):
        return 4 * float(np.max(inner))
    inner = np.broadcast_to(inner, (size - 1,))
    volumes = np.ones(size) if faces.volumes is None else faces.volumes
    diagonal = np.concatenate([[faces.low], inner]) + np.concatenate([inner, [faces.high]])
    beside = -inner / np.sqrt(volumes[1:] * volumes[:-1])
    last = (size - 1, size - 1)
    return float(eigvalsh_tridiagonal(diagonal / volumes, beside, select="i", select_range=last)[0])


DIFFUSION_CASES = (
    DiffusionWork("box", (256, 256), 50.0, dtype="float32", everywhere=True, quick=True),
    DiffusionWork("box", (128, 128), 1000.0),
    DiffusionWork("box", (256, 256), 50.0, "fixed"),
    # Not as large as the one before: py-pde 0.59 would take over the conditions of that from its cache.
    DiffusionWork("box", (256, 254), 50.0, ("fixed", "no-flux")),
    DiffusionWork("box", (48, 48, 48), 30.0, "periodic", dtype="float32"),
    DiffusionWork("wall", (256, 256), 50.0, quick=True),
    DiffusionWork("membrane", (16, 128), 1000.0),
    DiffusionWork("media", (16, 128), 500.0),
    DiffusionWork("sphere", (100,), 0.1, "fixed", everywhere=True, quick=True),
    DiffusionWork("cylinder", (100,), 0.1),
)
