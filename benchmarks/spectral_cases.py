"""Work in the Fourier domain as data: on what, with which parameters; the arrays; and what is right, in float64."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

# Kept coefficients of an image to be compressed are at least ten times as large as the others.
STRONG, WEAK = (1.0, 2.0), 0.1
TRANSFERS = ("lowpass", "highpass", "bandpass", "notch")


@dataclass(frozen=True)
class SpectralWork:
    """One operation of `gpuconv.spectral` on one kind of array, without its data.

    Attributes
    ----------
    operation : str
        A transfer function, to be applied, or another function of `gpuconv.spectral`.
    shape : tuple of int
    parameters : dict
        As that function takes them.
    dtype : str
    boundary : str
        What lies beyond the ends: "wrap" or "reflect".
    axes : tuple of int or None
        Transformed axes; None means all.
    everywhere : bool
        True if it is measured on all array libraries, False if on NumPy and CuPy alone.
    quick : bool
        True if it is part of a quick run.
    """

    operation: str
    shape: tuple[int, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    boundary: str = "wrap"
    axes: tuple[int, ...] | None = None
    everywhere: bool = False
    quick: bool = False

    @property
    def name(self) -> str:
        words = [f"{name}={_in_words(value)}" for name, value in self.parameters.items()]
        along = [] if self.axes is None else [f"along {', '.join(map(str, self.axes))}"]
        edges = [self.boundary] if self.operation in TRANSFERS else []
        return ", ".join([f"{self.operation}: {'x'.join(map(str, self.shape))} {self.dtype}", *words, *along, *edges])

    @property
    def transformed(self) -> tuple[int, ...]:
        """The transformed axes as plain numbers."""
        return tuple(range(len(self.shape))) if self.axes is None else self.axes

    @property
    def sizes(self) -> tuple[int, ...]:
        """Samples along the transformed axes."""
        return tuple(self.shape[axis] for axis in self.transformed)


@dataclass(frozen=True)
class SpectralProblem:
    """The array of a piece of work, its right answer, and how large the terms are that this is summed from."""

    x: np.ndarray
    expected: np.ndarray
    size: float

    @property
    def tolerance(self) -> float:
        """8 eps of that size."""
        return 8 * float(np.finfo(self.x.dtype).eps) * self.size


def make_problem(work: SpectralWork) -> SpectralProblem:
    """Data that depend on the work's name alone, and the answer."""
    rng = np.random.default_rng(zlib.crc32(work.name.encode()))
    if work.operation == "compress":
        return _compressible(work, rng)
    x = rng.standard_normal(work.shape).astype(work.dtype)
    factor = factor_of(work)
    # What rounding leaves in noise of size max |x| is filtered as the noise itself is.
    size = float(np.max(np.abs(x)) * np.sqrt(np.mean(np.abs(factor) ** 2)))
    return SpectralProblem(x, filtered(work, x.astype(np.float64), factor), size)


def filtered(work: SpectralWork, x: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """``y = F^-1[H F[x]]`` with complex transforms of the array, mirrored first if its boundary is "reflect"."""
    for axis in work.transformed if work.boundary == "reflect" else ():
        x = np.concatenate([x, np.flip(x, axis)], axis)
    y = np.fft.ifftn(factor * np.fft.fftn(x, axes=work.transformed), axes=work.transformed).real
    return y[tuple(slice(0, size) for size in work.shape)]


def factor_of(work: SpectralWork) -> np.ndarray:
    """H at every frequency of the complex transform, shaped to be multiplied with it."""
    twice = 2 if work.boundary == "reflect" else 1
    lines = []
    for axis in work.transformed:
        shape = [1] * len(work.shape)
        shape[axis] = -1
        lines.append(np.fft.fftfreq(twice * work.shape[axis]).reshape(shape))
    return FACTORS[work.operation](lines, **work.parameters)


def low(
    lines: Sequence[Any], cutoff: float, profile: str = "butterworth", order: float = 2, around: Sequence[float] = ()
) -> Any:
    """One half at a distance `cutoff` from the frequency `around`, or from zero."""
    centre = around or (0.0,) * len(lines)
    r2 = sum((line - at) ** 2 for line, at in zip(lines, centre, strict=True)) / cutoff**2
    return 1 / (1 + r2**order) if profile == "butterworth" else _exp2(-r2)


def _exp2(values: Any) -> Any:
    """Of a tensor or any other array; faster than a power of 2.0."""
    return values.exp2() if hasattr(values, "exp2") else np.exp2(values)


def _notch(lines: Sequence[Any], frequency: Sequence[float], width: float) -> Any:
    other = tuple(-part for part in frequency)
    return (1 - low(lines, width, "gaussian", around=frequency)) * (1 - low(lines, width, "gaussian", around=other))


def _derivative(lines: Sequence[Any], order: int = 1) -> Any:
    (f,) = lines
    factor = (2j * np.pi * f) ** order
    # Samples show the cosine of Nyquist's frequency, whose slope is 0 at all of them.
    return np.where(np.abs(f) == 0.5, 0, factor) if order % 2 else factor


def _shift(lines: Sequence[Any], shift: Sequence[float]) -> Any:
    ramps = (
        np.where(np.abs(f) == 0.5, np.cos(np.pi * samples), np.exp(-2j * np.pi * f * samples))
        for f, samples in zip(lines, shift, strict=True)
    )
    return reduce(np.multiply, ramps)


FACTORS: dict[str, Callable[..., Any]] = {
    "lowpass": low,
    "highpass": lambda lines, cutoff, **profile: 1 - low(lines, cutoff, **profile),
    "bandpass": lambda lines, low_edge, high_edge, **profile: (
        low(lines, high_edge, **profile) - low(lines, low_edge, **profile)
    ),
    "notch": _notch,
    "derivative": _derivative,
    "laplacian": lambda lines: -sum((2 * np.pi * f) ** 2 for f in lines),
    "shift": _shift,
    "hilbert": lambda lines: np.where(np.abs(lines[0]) == 0.5, 0, -1j * np.sign(lines[0])),
}


def _compressible(work: SpectralWork, rng: np.random.Generator) -> SpectralProblem:
    """An image whose kept coefficients are known: the strong ones of a cosine transform."""
    from scipy.fft import idctn

    size = int(np.prod(work.shape))
    kept = round(work.parameters["keep"] * size)
    strong = np.zeros(size)
    places = rng.choice(size, kept, replace=False)
    strong[places] = rng.uniform(*STRONG, kept) * rng.choice([-1, 1], kept)
    weak = np.where(strong == 0, rng.uniform(-WEAK, WEAK, size), 0)
    x = idctn((strong + weak).reshape(work.shape), norm="ortho").astype(work.dtype)
    expected = idctn(strong.reshape(work.shape), norm="ortho")
    return SpectralProblem(x, expected, float(np.max(np.abs(x))))


def _in_words(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)


_SQUARE, _CUBE = (1024, 1024), (96, 96, 96)
# Without Nyquist's frequency, at which libraries differ in what a shift makes of it.
_ODD = (1029, 1125)

SPECTRAL_CASES = (
    SpectralWork("lowpass", _SQUARE, {"cutoff": 0.1}, everywhere=True, quick=True),
    SpectralWork("lowpass", _SQUARE, {"cutoff": 0.1}, dtype="float64"),
    SpectralWork("lowpass", (1000, 999), {"cutoff": 0.05, "profile": "gaussian"}),
    SpectralWork("lowpass", _SQUARE, {"cutoff": 0.1}, boundary="reflect", everywhere=True, quick=True),
    SpectralWork("lowpass", _CUBE, {"cutoff": 0.1}, quick=True),
    SpectralWork("lowpass", (128, 128), {"cutoff": 0.1}),
    SpectralWork("highpass", _SQUARE, {"cutoff": 0.02, "order": 4}),
    SpectralWork("bandpass", (1_000_000,), {"low_edge": 0.01, "high_edge": 0.05}, dtype="float64"),
    SpectralWork("lowpass", (64, 16384), {"cutoff": 0.02}, axes=(1,), quick=True),
    SpectralWork("notch", _SQUARE, {"frequency": (0.2, 0.1), "width": 0.02}),
    SpectralWork("derivative", _SQUARE, {"order": 1}, axes=(1,), quick=True),
    SpectralWork("laplacian", _SQUARE),
    SpectralWork("shift", _ODD, {"shift": (0.3, -1.7)}, everywhere=True, quick=True),
    SpectralWork("hilbert", (64, 16384), axes=(1,)),
    SpectralWork("compress", (512, 512), {"keep": 0.05, "method": "dct"}, quick=True),
)
