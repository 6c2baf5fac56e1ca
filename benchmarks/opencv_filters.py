"""The filters as OpenCV does them, on images of two dimensions: float32, or bytes where it has results wide enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from benchmarks.filter_cases import FilterWork
from benchmarks.filter_definitions import RATIO, gaussian_taps

BORDERS = {
    "constant": "BORDER_CONSTANT",
    "reflect": "BORDER_REFLECT",
    "mirror": "BORDER_REFLECT_101",
    "nearest": "BORDER_REPLICATE",
}


@dataclass(frozen=True)
class Setting:
    """OpenCV, its constants for one piece of work, and the arrays."""

    cv: Any
    work: FilterWork
    x: np.ndarray
    mask: np.ndarray
    kernels: np.ndarray

    @property
    def border(self) -> int:
        border: int = getattr(self.cv, BORDERS[self.work.boundary])
        return border

    @property
    def sigma(self) -> float:
        sigma: float = self.work.parameters["sigma"]
        return sigma

    def blur(self, x: np.ndarray, wider: float = 1) -> np.ndarray:
        side = 2 * int(4 * wider * self.sigma + 0.5) + 1
        return np.asarray(self.cv.GaussianBlur(x, (side, side), wider * self.sigma, borderType=self.border))

    def derivative(self, down: int, across: int) -> np.ndarray:
        """Gaussian derivative of these orders."""
        return self.lines(gaussian_taps(self.sigma, down), gaussian_taps(self.sigma, across))

    def lines(self, down: Any, across: Any) -> np.ndarray:
        """One pass along each axis; its filters correlate."""
        taps = (np.asarray(line, np.float32) for line in (across, down))
        return np.asarray(self.cv.sepFilter2D(self.x, self.cv.CV_32F, *taps, borderType=self.border))

    def box(self, x: np.ndarray, function: str = "blur") -> np.ndarray:
        size = (self.work.parameters["size"],) * 2
        if function == "blur":
            return np.asarray(self.cv.blur(x, size, borderType=self.border))
        return np.asarray(self.cv.sqrBoxFilter(x, self.cv.CV_32F, size, borderType=self.border))

    def slope(self, axis: int) -> np.ndarray:
        depth = self.cv.CV_32F if self.x.dtype == np.float32 else self.cv.CV_16S
        orders = (1, 0) if axis == 1 else (0, 1)
        function = self.cv.Scharr if self.work.filter == "scharr" else self.cv.Sobel
        return np.asarray(function(self.x, depth, *orders, borderType=self.border))

    def weighed(self, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        flipped = np.ascontiguousarray(np.flip(kernel))
        return np.asarray(self.cv.filter2D(x, self.cv.CV_32F, flipped, borderType=self.border))

    def tensor(self) -> list[np.ndarray]:
        slopes = [self.slope(axis) for axis in (0, 1)]
        return [self.blur(one * other) for one, other in combinations_with_replacement(slopes, 2)]

    def of_box(self, function: str, sides: tuple[int, int]) -> np.ndarray:
        """Smallest or largest sample of a box."""
        element = np.ones(sides, np.uint8)
        return np.asarray(getattr(self.cv, function)(self.x, element, borderType=self.border))


def eigenvalues(components: list[np.ndarray]) -> np.ndarray:
    a, b, c = components
    mean, radius = (a + c) / 2, np.hypot((a - c) / 2, b)
    return np.stack([mean + radius, mean - radius])


def _second(s: Setting) -> list[np.ndarray]:
    return [s.derivative(2, 0), s.derivative(1, 1), s.derivative(0, 2)]


def _variance(s: Setting) -> np.ndarray:
    mean = s.box(s.x)
    return s.box(s.x, "sqrBoxFilter") - mean * mean


def _gaussian(s: Setting) -> np.ndarray:
    return s.derivative(*s.work.parameters["order"]) if "order" in s.work.parameters else s.blur(s.x)


def _magnitude(s: Setting) -> np.ndarray:
    parts = (
        [s.derivative(1, 0), s.derivative(0, 1)] if "sigma" in s.work.parameters else [s.slope(axis) for axis in (0, 1)]
    )
    return np.asarray(s.cv.magnitude(*parts))


FILTERS: dict[str, Callable[[Setting], Any]] = {
    "gaussian": _gaussian,
    "gaussian_laplace": lambda s: s.derivative(2, 0) + s.derivative(0, 2),
    "difference_of_gaussians": lambda s: s.cv.subtract(s.blur(s.x), s.blur(s.x, RATIO)),
    "unsharp_mask": lambda s: s.cv.addWeighted(s.x, 2, s.blur(s.x), -1, 0),
    "gaussian_gradient": lambda s: np.stack([s.derivative(1, 0), s.derivative(0, 1)]),
    "gradient_magnitude": _magnitude,
    "hessian": lambda s: np.stack(_second(s)),
    "hessian_eigenvalues": lambda s: eigenvalues(_second(s)),
    "structure_tensor": lambda s: np.stack(s.tensor()),
    "structure_tensor_eigenvalues": lambda s: eigenvalues(s.tensor()),
    "sobel": lambda s: s.slope(s.work.parameters["axis"]),
    "prewitt": lambda s: s.lines([1, 1, 1], [-1, 0, 1]),
    "scharr": lambda s: s.slope(s.work.parameters["axis"]),
    "laplace": lambda s: s.cv.Laplacian(s.x, s.cv.CV_32F, ksize=1, borderType=s.border),
    "uniform": lambda s: s.box(s.x),
    "local_mean": lambda s: s.box(s.x * s.mask) / s.box(s.mask),
    "local_variance": _variance,
    "normalized_convolve": lambda s: s.weighed(s.x * s.mask, s.kernels[0]) / s.weighed(s.mask, s.kernels[0]),
    "bank": lambda s: np.stack([s.weighed(s.x, kernel) for kernel in s.kernels]),
    "gaussian_filter1d": lambda s: s.lines(gaussian_taps(s.sigma), [1]),
    "uniform_filter1d": lambda s: s.cv.blur(s.x, (1, s.work.parameters["size"]), borderType=s.border),
    "minimum_filter": lambda s: s.of_box("erode", (s.work.parameters["size"],) * 2),
    "maximum_filter": lambda s: s.of_box("dilate", (s.work.parameters["size"],) * 2),
    "minimum_filter1d": lambda s: s.of_box("erode", (s.work.parameters["size"], 1)),
    "maximum_filter1d": lambda s: s.of_box("dilate", (s.work.parameters["size"], 1)),
    # Its border is the outermost sample, going on for ever.
    "median_filter": lambda s: s.cv.medianBlur(s.x, s.work.parameters["size"]),
}


def make(cv: Any, work: FilterWork, x: np.ndarray, mask: np.ndarray, kernels: np.ndarray) -> Callable[[], Any] | None:
    """The call that does the work, or None."""
    suits = work.dtype == "float32" or (work.dtype == "uint8" and work.filter == "sobel")
    if work.filter not in FILTERS or len(work.shape) != 2 or not suits:
        return None
    setting = Setting(cv, work, x, mask, kernels)
    return lambda: FILTERS[work.filter](setting)
