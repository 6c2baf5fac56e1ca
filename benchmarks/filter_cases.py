"""Filters as data: on what, with which parameters; and the arrays."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Taps on each axis of the kernels of a bank and of an average with missing samples.
KERNEL_SIDE = 7
BANK = 8
SHARE_PRESENT = 0.8


@dataclass(frozen=True)
class FilterWork:
    """One filter on one kind of image, without its data.

    Attributes
    ----------
    filter : str
        Of `gpuconv.filters`, or of `gpuconv.ndimage` where that alone has it.
    shape : tuple of int
        Of the image.
    parameters : dict
        As the filter takes them.
    dtype : str
    boundary : str
    axes : tuple of int or None
        Filtered axes; None means all.
    everywhere : bool
        True if it is measured on all array libraries, False if on NumPy and CuPy alone.
    quick : bool
        True if it is part of a quick run.
    """

    filter: str
    shape: tuple[int, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    boundary: str = "reflect"
    axes: tuple[int, ...] | None = None
    everywhere: bool = False
    quick: bool = False

    @property
    def name(self) -> str:
        words = [f"{name}={_in_words(value)}" for name, value in self.parameters.items()]
        along = [] if self.axes is None else [f"along {', '.join(map(str, self.axes))}"]
        image = f"{self.filter}: {'x'.join(map(str, self.shape))} {self.dtype}"
        edges = [] if self.filter.startswith("fourier") or self.filter == "symmetric_eigenvalues" else [self.boundary]
        return ", ".join([image, *words, *along, *edges])

    @property
    def filtered(self) -> tuple[int, ...]:
        """The filtered axes as plain numbers."""
        return tuple(range(len(self.shape))) if self.axes is None else self.axes


@dataclass(frozen=True)
class FilterData:
    """Arrays for a piece of work; each filter reads those that it needs."""

    x: np.ndarray
    mask: np.ndarray
    kernels: np.ndarray


def make_data(work: FilterWork) -> FilterData:
    """Random arrays that depend on the work's name alone."""
    rng = np.random.default_rng(zlib.crc32(work.name.encode()))
    if np.dtype(work.dtype).kind in "iu":
        x = rng.integers(0, 256, work.shape).astype(work.dtype)
    elif np.dtype(work.dtype).kind == "c":
        x = (rng.standard_normal(work.shape) + 1j * rng.standard_normal(work.shape)).astype(work.dtype)
    else:
        x = rng.standard_normal(work.shape).astype(work.dtype)
    mask = rng.random(work.shape) < SHARE_PRESENT
    # Positive, so that averages have something to divide by.
    kernels = rng.random((BANK, *(KERNEL_SIDE,) * len(work.filtered))) + 0.1
    return FilterData(x, mask, kernels)


def _in_words(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)


_SQUARE, _SMALL, _CUBE = (1024, 1024), (512, 512), (96, 96, 96)

FILTER_CASES = (
    FilterWork("gaussian", _SQUARE, {"sigma": 2.0}, everywhere=True, quick=True),
    FilterWork("gaussian", _SQUARE, {"sigma": 20.0}),
    FilterWork("gaussian", _SQUARE, {"sigma": 2.0, "order": (0, 1)}),
    FilterWork("gaussian", (512, 512, 3), {"sigma": 2.0}, dtype="uint8", axes=(0, 1), quick=True),
    FilterWork("gaussian", _CUBE, {"sigma": 2.0}, quick=True),
    FilterWork("gaussian_laplace", _SQUARE, {"sigma": 2.0}),
    FilterWork("difference_of_gaussians", _SQUARE, {"sigma": 2.0}),
    FilterWork("unsharp_mask", _SQUARE, {"sigma": 2.0}, quick=True),
    FilterWork("gaussian_gradient", _SQUARE, {"sigma": 2.0}),
    FilterWork("gradient_magnitude", _SQUARE, {"sigma": 2.0}),
    FilterWork("gradient_magnitude", _SQUARE, {"operator": "sobel"}, everywhere=True, quick=True),
    FilterWork("hessian", _SQUARE, {"sigma": 2.0}),
    FilterWork("hessian_eigenvalues", _SQUARE, {"sigma": 2.0}, everywhere=True),
    FilterWork("hessian_eigenvalues", (48, 48, 48), {"sigma": 1.5}),
    FilterWork("structure_tensor", _SQUARE, {"sigma": 2.0, "operator": "sobel", "scale": "integer"}),
    FilterWork(
        "structure_tensor_eigenvalues",
        _SQUARE,
        {"sigma": 2.0, "operator": "sobel", "scale": "integer"},
        quick=True,
    ),
    FilterWork("symmetric_eigenvalues", (3, *_SMALL)),
    FilterWork("symmetric_eigenvalues", (6, 48, 48, 48)),
    FilterWork("sobel", _SQUARE, {"axis": 1}, everywhere=True, quick=True),
    FilterWork("sobel", _SQUARE, {"axis": 0}, dtype="uint8", quick=True),
    FilterWork("sobel", _CUBE, {"axis": 0}),
    FilterWork("prewitt", _SQUARE, {"axis": 1}),
    FilterWork("scharr", _SQUARE, {"axis": 1}),
    FilterWork("roberts", _SQUARE, {"axis": 1, "origin": 1}),
    FilterWork("laplace", _SQUARE, quick=True),
    FilterWork("uniform", _SQUARE, {"size": 9}, quick=True),
    FilterWork("uniform", _CUBE, {"size": 9}),
    FilterWork("local_mean", _SMALL, {"size": 9}),
    FilterWork("local_variance", _SMALL, {"size": 9}, quick=True),
    FilterWork("normalized_convolve", _SMALL),
    FilterWork("bank", _SMALL, boundary="constant", quick=True),
    FilterWork("gaussian_filter1d", _SQUARE, {"sigma": 2.0, "axis": 0}),
    FilterWork("uniform_filter1d", _SQUARE, {"size": 9, "axis": 0}),
    FilterWork("generic_laplace", _SMALL),
    FilterWork("generic_gradient_magnitude", _SMALL),
    FilterWork("minimum_filter", _SMALL, {"size": 5}),
    FilterWork("maximum_filter", _SMALL, {"size": 5}),
    FilterWork("minimum_filter1d", _SMALL, {"size": 5, "axis": 0}),
    FilterWork("maximum_filter1d", _SMALL, {"size": 5, "axis": 0}),
    FilterWork("median_filter", (256, 256), {"size": 5}, boundary="nearest", quick=True),
    FilterWork("rank_filter", (256, 256), {"rank": 6, "size": 5}),
    FilterWork("percentile_filter", (256, 256), {"percentile": 30, "size": 5}),
    FilterWork("fourier_gaussian", _SMALL, {"sigma": 2.0}, dtype="complex64"),
    FilterWork("fourier_uniform", _SMALL, {"size": 9.0}, dtype="complex64"),
    FilterWork("fourier_ellipsoid", _SMALL, {"size": 9.0}, dtype="complex64"),
    FilterWork("fourier_shift", _SMALL, {"shift": 3.5}, dtype="complex64"),
)
