"""Photos: images of bytes under smoothing kernels, to bytes and to single precision, against OpenCV and SciPy.

OpenCV smooths bytes in fixed point; gpuconv sums them in single precision and rounds once, as everywhere.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any

import numpy as np

import gpuconv
from benchmarks.cases import Data, Work, definition
from benchmarks.harness import OURS, Case, Contender, Definition, Effort, run_case
from benchmarks.libraries import ArrayLibrary
from benchmarks.settings import Settings

SHAPE = (2048, 2048)
# Sums of a few dozen products of up to 255 are off by less than 1e-3 in single precision; bytes by a half more.
TOLERANCE = {"uint8": 0.501, "float32": 1e-3}
# OpenCV's GaussianBlur of bytes rounds taps and both passes to fixed point, and is off by up to 1.5.
FIXED_POINT = 2.0


@dataclass(frozen=True)
class Photo:
    """One piece of work: taps per axis, whether the kernel is an outer product of Gaussians, the result's dtype."""

    kernel: tuple[int, int]
    outer: bool
    result: str

    @property
    def work(self) -> Work:
        """The same in float64, which is what the definition is computed in."""
        return Work(SHAPE, self.kernel, dtype="float64", boundary="reflect", outer=self.outer)

    @property
    def name(self) -> str:
        return f"{self.work.name.replace('float64', 'uint8')}, to {self.result}"


PHOTOS = tuple(
    Photo(kernel, outer, result)
    for kernel, outer in (((3, 3), False), ((17, 17), True))
    for result in ("uint8", "float32")
)


def measure(library: ArrayLibrary, settings: Settings) -> list[dict[str, Any]]:
    """All photos, each checked against the definition before it is timed."""
    results = []
    for photo in PHOTOS:
        data = make_photo(photo)
        expected = definition(photo.work, Data(data.x.astype(np.float64), data.kernel, data.taps))
        others = [maker(photo, data, expected) for group, maker in PEERS.items() if group in settings.peers]
        case = Case(
            photo.name,
            library,
            [Contender(OURS, ours(photo, data)), *others],
            expected,
            TOLERANCE[photo.result],
            traffic=prod(SHAPE) * (1 + np.dtype(photo.result).itemsize),
            products=photo.work.products,
        )
        results.append(run_case(case, Effort().times(settings.patience), settings.limits))
        settings.say(photo.name)
    return results


def make_photo(photo: Photo) -> Data:
    """Random bytes, and weights whose sum is one: Gaussians of sigma 2, or nine different weights."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, SHAPE, dtype=np.uint8)
    if not photo.outer:
        weights = rng.uniform(0.5, 1, photo.kernel)
        return Data(x, weights / weights.sum(), None)
    taps = [np.exp(-((np.arange(count) - count // 2) ** 2) / 8) for count in photo.kernel]
    taps = [line / line.sum() for line in taps]
    return Data(x, reduce(np.multiply.outer, taps), taps)


def ours(photo: Photo, data: Data) -> Callable[[], Any]:
    """Bytes come out through an array to write to, which is made within the call, as OpenCV makes its own."""
    x, kernel, taps = data.x, data.kernel, data.taps

    def call() -> Any:
        out = np.empty(SHAPE, np.uint8) if photo.result == "uint8" else None
        if taps is not None:
            return gpuconv.convolve_separable(x, taps, boundary="reflect", out=out)
        return gpuconv.convolve(x, kernel, boundary="reflect", out=out)

    return call


def by_opencv(photo: Photo, data: Data, expected: np.ndarray) -> Contender:
    """GaussianBlur has results of the image's dtype only; sepFilter2D is what gives single precision."""
    name = "OpenCV filter2D" if not photo.outer else "OpenCV GaussianBlur"
    if photo.outer and photo.result == "float32":
        name = "OpenCV sepFilter2D"
    try:
        cv = importlib.import_module("cv2")
    except ModuleNotFoundError:
        return Contender(name, status="absent", reason="cv2 is not installed")
    call = _opencv_call(cv, photo, data)
    if name == "OpenCV GaussianBlur":
        return Contender(name, call, definition=Definition(expected, FIXED_POINT))
    return Contender(name, call)


def _opencv_call(cv: Any, photo: Photo, data: Data) -> Callable[[], Any]:
    border = cv.BORDER_REFLECT
    depth = cv.CV_8U if photo.result == "uint8" else cv.CV_32F
    if not photo.outer:
        weights = np.ascontiguousarray(np.flip(data.kernel)).astype(np.float32)
        return lambda: cv.filter2D(data.x, depth, weights, borderType=border)
    if photo.result == "uint8":
        return lambda: cv.GaussianBlur(data.x, photo.kernel[::-1], 2.0, borderType=border)
    taps = cv.getGaussianKernel(photo.kernel[0], 2.0, cv.CV_32F)
    return lambda: cv.sepFilter2D(data.x, depth, taps, taps, borderType=border)


def by_scipy(photo: Photo, data: Data, expected: np.ndarray) -> Contender:
    """It takes bytes as they are; results of bytes are cut off instead of rounded, so it is asked for floats."""
    from scipy import ndimage

    def window() -> Any:
        return ndimage.convolve(data.x, data.kernel, output=np.float32, mode="reflect")

    def passes() -> Any:
        y: Any = data.x
        for axis, line in enumerate(data.taps or ()):
            y = ndimage.convolve1d(y, line, axis=axis, output=np.float32, mode="reflect")
        return y

    return Contender("scipy.ndimage.convolve1d", passes) if photo.outer else Contender("scipy.ndimage.convolve", window)


PEERS: dict[str, Callable[[Photo, Data, np.ndarray], Contender]] = {"scipy": by_scipy, "opencv": by_opencv}
