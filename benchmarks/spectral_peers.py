"""Work in the Fourier domain as one writes it by hand with a library of transforms, and the functions that exist."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.rivals import Call, Rival
from benchmarks.spectral_cases import FACTORS, TRANSFERS, SpectralProblem, SpectralWork

NOT_THERE = "it has no such function"


@dataclass(frozen=True)
class Hand:
    """What one needs to write a filter by hand: arrays, and real transforms over axes."""

    xp: Any
    forward: Callable[[Any, Sequence[int]], Any]
    inverse: Callable[[Any, Sequence[int], Sequence[int]], Any]


def by_scipy(module: Any, work: SpectralWork, problem: SpectralProblem) -> Call | str:
    """`scipy.fft`, or `cupyx.scipy.fft` on CuPy's arrays."""
    hand = _hand(module)
    x = hand.xp.asarray(problem.x)
    if work.operation == "compress":
        return _compress(hand.xp, module, work, x)
    if work.boundary == "reflect":
        return _mirrored(hand.xp, module, work, x)
    return _in_waves(hand, work, x)


def by_scipy_with_factor_kept(module: Any, work: SpectralWork, problem: SpectralProblem) -> Call | str:
    """The same where the transfer function was made beforehand, as for many images of one size."""
    if work.operation not in TRANSFERS or work.boundary != "wrap":
        return "it is about transfer functions of periodic arrays"
    hand = _hand(module)
    x, factor = hand.xp.asarray(problem.x), _factor(hand.xp, work)
    return lambda: hand.inverse(factor * hand.forward(x, work.transformed), work.transformed, work.sizes)


def by_torch(torch: Any, work: SpectralWork, problem: SpectralProblem) -> Call | str:
    if work.operation == "compress" or work.boundary == "reflect":
        return "it has no cosine transform"
    hand = Hand(
        torch,
        lambda x, axes: torch.fft.rfftn(x, dim=axes),
        lambda y, axes, sizes: torch.fft.irfftn(y, s=sizes, dim=axes),
    )
    return _in_waves(hand, work, torch.from_numpy(problem.x))


def _hand(module: Any) -> Hand:
    xp = importlib.import_module("cupy" if module.__name__.startswith("cupyx") else "numpy")
    return Hand(
        xp,
        lambda x, axes: module.rfftn(x, axes=axes),
        lambda y, axes, sizes: module.irfftn(y, s=sizes, axes=axes),
    )


def _in_waves(hand: Hand, work: SpectralWork, x: Any) -> Call:
    def call() -> Any:
        factor = _factor(hand.xp, work)
        return hand.inverse(factor * hand.forward(x, work.transformed), work.transformed, work.sizes)

    return call


def _factor(xp: Any, work: SpectralWork) -> Any:
    """H at the bins of a real transform, in the precision of the array."""
    lines = [np.fft.fftfreq(size) for size in work.sizes[:-1]] + [np.fft.rfftfreq(work.sizes[-1])]
    if work.operation in ("shift", "derivative", "hilbert"):
        # Made of one line per axis: the formula is evaluated there, and the product is that of the whole.
        return _product(xp, work, lines)
    shaped = [
        _along(xp, line.astype(work.dtype), axis, work) for line, axis in zip(lines, work.transformed, strict=True)
    ]
    return FACTORS[work.operation](shaped, **work.parameters)


def _product(xp: Any, work: SpectralWork, lines: Sequence[np.ndarray]) -> Any:
    shifts = work.parameters.get("shift", ())
    each = [{"shift": (part,)} for part in shifts] or [work.parameters]
    total: Any = None
    for line, axis, options in zip(lines, work.transformed, each, strict=True):
        values = FACTORS[work.operation]([line], **options)
        factor = _along(xp, values.astype(np.result_type(work.dtype, np.complex64)), axis, work)
        total = factor if total is None else total * factor
    return total


def _along(xp: Any, line: np.ndarray, axis: int, work: SpectralWork) -> Any:
    shape = [1] * len(work.shape)
    shape[axis] = -1
    return xp.asarray(line).reshape(shape)


def _mirrored(xp: Any, fft: Any, work: SpectralWork, x: Any) -> Call:
    """A mirrored array has a spectrum of cosines."""
    axes = work.transformed

    def call() -> Any:
        lines = [np.arange(size).astype(work.dtype) / (2 * size) for size in work.sizes]
        shaped = [_along(xp, line.astype(work.dtype), axis, work) for line, axis in zip(lines, axes, strict=True)]
        factor = FACTORS[work.operation](shaped, **work.parameters)
        return fft.idctn(factor * fft.dctn(x, axes=axes), axes=axes)

    return call


def _compress(xp: Any, fft: Any, work: SpectralWork, x: Any) -> Call:
    kept = round(work.parameters["keep"] * x.size)

    def call() -> Any:
        coefficients = fft.dctn(x, norm="ortho")
        return fft.idctn(_largest(xp, coefficients, kept), norm="ortho")

    return call


def _largest(xp: Any, coefficients: Any, kept: int) -> Any:
    sizes = xp.abs(coefficients)
    least = xp.partition(sizes.ravel(), sizes.size - kept)[sizes.size - kept]
    return xp.where(sizes >= least, coefficients, xp.zeros((), coefficients.dtype))


def by_opencv(cv: Any, work: SpectralWork, problem: SpectralProblem) -> Call | str:
    """Cosine transforms of images with even sides are all that it has functions for."""
    if work.operation != "compress":
        return "its transforms are packed in a layout of their own"
    x, kept = problem.x, round(work.parameters["keep"] * problem.x.size)
    return lambda: cv.idct(_largest(np, cv.dct(x), kept))


def by_skimage(filters: Any, work: SpectralWork, problem: SpectralProblem) -> Call | str:
    butterworth = work.operation in ("lowpass", "highpass") and "profile" not in work.parameters
    if not butterworth or work.boundary != "wrap" or work.axes is not None:
        return NOT_THERE
    high_pass, order = work.operation == "highpass", work.parameters.get("order", 2)
    return lambda: filters.butterworth(problem.x, work.parameters["cutoff"], high_pass, order)


def by_ndimage(module: Any, work: SpectralWork, problem: SpectralProblem) -> Call | str:
    """`scipy.ndimage.fourier_shift` between two transforms; the same of `cupyx`."""
    if work.operation != "shift":
        return NOT_THERE
    root = module.__name__.removesuffix(".ndimage")
    fft, hand = importlib.import_module(f"{root}.fft"), _hand(module)
    x, n = hand.xp.asarray(problem.x), work.shape[-1]

    def call() -> Any:
        moved = module.fourier_shift(fft.rfftn(x), work.parameters["shift"], n)
        return fft.irfftn(moved, s=work.shape)

    return call


def by_signal(module: Any, work: SpectralWork, problem: SpectralProblem) -> Call | str:
    """The imaginary part of the analytic signal."""
    if work.operation != "hilbert":
        return NOT_THERE
    x = _hand(module).xp.asarray(problem.x)
    return lambda: module.hilbert(x, axis=work.transformed[0]).imag


SPECTRAL_PEERS = (
    Rival("scipy.fft by hand", "scipy", "scipy.fft", ("numpy",), "numpy", by_scipy),
    Rival("scipy.fft, factor kept", "scipy", "scipy.fft", ("numpy",), "numpy", by_scipy_with_factor_kept),
    Rival("scipy.ndimage", "scipy", "scipy.ndimage", ("numpy",), "numpy", by_ndimage),
    Rival("scipy.signal", "scipy", "scipy.signal", ("numpy",), "numpy", by_signal),
    Rival("scikit-image", "skimage", "skimage.filters", ("numpy",), "numpy", by_skimage),
    Rival("torch.fft by hand", "torch", "torch", ("numpy", "torch"), "torch", by_torch),
    Rival("OpenCV", "opencv", "cv2", ("numpy",), "numpy", by_opencv),
    Rival("cupyx.scipy.fft by hand", "cupyx", "cupyx.scipy.fft", ("cupy",), "cupy", by_scipy),
    Rival("cupyx, factor kept", "cupyx", "cupyx.scipy.fft", ("cupy",), "cupy", by_scipy_with_factor_kept),
    Rival("cupyx.scipy.ndimage", "cupyx", "cupyx.scipy.ndimage", ("cupy",), "cupy", by_ndimage),
    Rival("cupyx.scipy.signal", "cupyx", "cupyx.scipy.signal", ("cupy",), "cupy", by_signal),
)
GROUPS = tuple(dict.fromkeys(rival.group for rival in SPECTRAL_PEERS))
