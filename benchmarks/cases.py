"""Pieces of work as data, their arrays, and what the right answer is."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import prod

import numpy as np

# Boundaries in NumPy's words.
PAD_MODES = {"constant": "constant", "reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap"}
# Multiply-adds up to which the definition is summed for every sample; above, SciPy's transform in float64 stands in
# for it, after it has been compared with the definition at the corners and in the middle.
SUMMED_UP_TO = 30_000_000
CROP = 24


@dataclass(frozen=True)
class Work:
    """One convolution without its data.

    Attributes
    ----------
    shape : tuple of int
        Of the image.
    kernel : tuple of int
        Taps on each convolved axis.
    dtype : str
        Of the image. Kernels are float64, or int16 for images of integers.
    boundary : str
    axes : tuple of int or None
        Convolved axes; None means all.
    outer : bool
        True if the kernel is an outer product of taps, and contenders are given the taps.
    everywhere : bool
        True if it is measured on all array libraries, False if on NumPy and CuPy alone.
    quick : bool
        True if it is part of a quick run.
    smooth : bool
        True for taps that are not negative and sum to 1, in float64 for images of integers as well.
    result : str
        Dtype of the result, if it is not the usual one.
    equal : bool
        True for taps along axes that are all equal and sum to 1, of images of floats.
    """

    shape: tuple[int, ...]
    kernel: tuple[int, ...]
    dtype: str = "float32"
    boundary: str = "constant"
    axes: tuple[int, ...] | None = None
    outer: bool = False
    everywhere: bool = False
    quick: bool = False
    smooth: bool = False
    result: str = ""
    equal: bool = False

    @property
    def result_dtype(self) -> str:
        """What gpuconv gives, and the others have to."""
        if self.result or np.dtype(self.dtype).kind not in "iu":
            return self.result or self.dtype
        return "float32" if self.smooth else "int32"

    @property
    def name(self) -> str:
        size = "x".join(map(str, self.shape))
        if self.outer:
            taps = "+".join(map(str, self.kernel))
        else:
            taps = "x".join(map(str, self.kernel))
        along = "" if self.axes is None else f" along {', '.join(map(str, self.axes))}"
        to = f" to {self.result_dtype}" if self.smooth else ""
        return f"{size} {self.dtype}{to}, {taps} {'equal ' if self.equal else ''}taps{along}, {self.boundary}"

    @property
    def convolved(self) -> tuple[int, ...]:
        """The convolved axes as plain numbers."""
        return tuple(range(len(self.shape))) if self.axes is None else self.axes

    @property
    def products(self) -> int:
        """Multiply-adds of the definition, or of one pass per axis for an outer product."""
        return prod(self.shape) * (sum(self.kernel) if self.outer else prod(self.kernel))


@dataclass(frozen=True)
class Data:
    """Arrays for a piece of work; `taps` is None unless the kernel is an outer product."""

    x: np.ndarray
    kernel: np.ndarray
    taps: list[np.ndarray] | None


def make_data(work: Work) -> Data:
    """Random arrays that depend on the work's name alone."""
    rng = np.random.default_rng(zlib.crc32(work.name.encode()))
    integers = np.dtype(work.dtype).kind in "iu"
    if integers and not work.smooth:
        x = rng.integers(0, 256, work.shape).astype(work.dtype)
        return Data(x, rng.integers(-8, 9, work.kernel).astype(np.int16), None)
    x = (rng.integers(0, 256, work.shape) if integers else rng.standard_normal(work.shape)).astype(work.dtype)
    draw = rng.random if work.smooth else rng.standard_normal
    if not work.outer:
        kernel = draw(work.kernel)
        return Data(x, kernel / kernel.sum() if work.smooth else kernel, None)
    taps = [np.full(count, 1 / count) if work.equal else draw(count) for count in work.kernel]
    if work.smooth:
        taps = [line + line[::-1] for line in taps]
        taps = [line / line.sum() for line in taps]
    return Data(x, reduce(np.multiply.outer, taps), taps)


def expected(work: Work, data: Data) -> np.ndarray:
    """The definition, within the range of the result's dtype: a result of integers saturates."""
    exact = definition(work, data)
    kind = np.dtype(work.result_dtype)
    return np.clip(exact, np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind in "iu" else exact


def definition(work: Work, data: Data) -> np.ndarray:
    """``y[i] = sum_m kernel[m] x~[(K - 1)//2 + i - m]`` in float64 (int64 for integers), mode "same"."""
    dtype = np.int64 if data.x.dtype.kind in "iu" and data.kernel.dtype.kind in "iu" else np.float64
    shape = _among(work, work.kernel)
    # Output 0 reads from (K - 1)//2 - (K - 1) on.
    padding = [((taps - 1) - (taps - 1) // 2, (taps - 1) // 2) for taps in shape]
    extended = np.pad(data.x.astype(dtype), padding, mode=PAD_MODES[work.boundary])
    weights = data.kernel.astype(dtype).reshape(shape)[(slice(None, None, -1),) * len(shape)]
    if prod(work.shape) * data.kernel.size <= SUMMED_UP_TO:
        return _sum_over_taps(extended, weights, (slice(None),) * len(shape), work.shape)
    from scipy.signal import oaconvolve

    result = oaconvolve(extended, weights[(slice(None, None, -1),) * len(shape)], mode="valid")
    if dtype is np.int64:
        result = np.rint(result).astype(np.int64)
    _check_at_corners(result, extended, weights)
    return result


def _sum_over_taps(
    extended: np.ndarray, weights: np.ndarray, window: tuple[slice, ...], shape: tuple[int, ...]
) -> np.ndarray:
    """The correlation sum itself, for the outputs in `window`."""
    ranges = [range(*part.indices(size)) for part, size in zip(window, shape, strict=True)]
    total = np.zeros([len(part) for part in ranges], extended.dtype)
    for offsets in product(*(range(taps) for taps in weights.shape)):
        view = tuple(
            slice(part.start + offset, part.stop + offset) for part, offset in zip(ranges, offsets, strict=True)
        )
        total += weights[offsets] * extended[view]
    return total


def _check_at_corners(result: np.ndarray, extended: np.ndarray, weights: np.ndarray) -> None:
    """Refuse a stand-in for the definition that is not equal to it at both ends and in the middle of every axis."""
    scale = float(np.abs(weights).sum()) * float(np.abs(extended).max())
    for start in (lambda size: 0, lambda size: max(size // 2 - CROP // 2, 0), lambda size: max(size - CROP, 0)):
        window = tuple(slice(start(size), start(size) + CROP) for size in result.shape)
        exact = _sum_over_taps(extended, weights, window, result.shape)
        error = float(np.abs(result[window] - exact).max())
        if not error <= 64 * np.finfo(np.float64).eps * scale:
            raise AssertionError(f"the float64 reference is off by {error:.3g} from the definition in {window}")


def _among(work: Work, taps: tuple[int, ...]) -> tuple[int, ...]:
    """One number of taps per axis of the image: 1 where nothing is convolved."""
    shape = [1] * len(work.shape)
    for axis, count in zip(work.convolved, taps, strict=True):
        shape[axis] = count
    return tuple(shape)


def tolerance(work: Work, data: Data) -> float:
    """8 eps of the largest value a result could have, which holds for sums and for transforms; 0 for integers.

    Where sums are rounded to integers, half a unit more.
    """
    if data.x.dtype.kind in "iu" and data.kernel.dtype.kind in "iu":
        return 0.0
    summed = data.x.dtype if data.x.dtype.kind == "f" else np.dtype(np.float32)
    error = 8 * float(np.finfo(summed).eps) * float(np.abs(data.kernel).sum()) * float(np.abs(data.x).max())
    return error + 0.5 if np.dtype(work.result_dtype).kind in "iu" else error


CASES = (
    Work((32, 32), (3, 3), everywhere=True, quick=True),
    Work((512, 512), (3, 3), boundary="reflect"),
    Work((1024, 1024), (3, 3), boundary="reflect", quick=True),
    Work((1024, 1024), (7, 7), boundary="reflect", everywhere=True),
    Work((1024, 1024), (7, 7), dtype="float64", boundary="reflect"),
    Work((1024, 1024), (15, 15)),
    Work((1024, 1024), (63, 63), everywhere=True, quick=True),
    Work((1024, 1024), (13, 13), boundary="reflect", outer=True, everywhere=True, quick=True),
    Work((1024, 1024), (65, 65), boundary="reflect", outer=True),
    Work((512, 512, 3), (3, 3), dtype="uint8", boundary="nearest", axes=(0, 1), quick=True),
    Work((64, 64, 64), (3, 3, 3), boundary="reflect", quick=True),
    Work((96, 96, 96), (13, 13, 13)),
    Work((1_000_000,), (65,), everywhere=True),
    Work((1_000_000,), (1025,), quick=True),
    Work((1_000_000,), (4097,), dtype="float64"),
    Work((256, 4096), (101,), axes=(1,), boundary="mirror", quick=True),
)
