"""The definitions as plain loops over Python numbers: what every fast path is judged by.

Nothing here is shared with gpuconv, and nothing is fast. Integers are Python's, which never overflow; all else is
computed in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def source(boundary: str, size: int, position: int) -> int | None:
    """Which of `size` samples stands at `position` of the extended axis; None for the fill value.

    The walk of somebody who turns back at an end (reflect: repeating the end; mirror: not), starts over at the other
    end (wrap), or stays there (nearest).
    """
    if 0 <= position < size:
        return position
    if boundary == "constant":
        return None
    assert size > 0, "an empty axis has nothing to repeat"
    sample, step = (0, -1) if position < 0 else (size - 1, 1)
    for _ in range(-position if position < 0 else position - (size - 1)):
        sample, step = _next(boundary, size, sample, step)
    return sample


def _next(boundary: str, size: int, sample: int, step: int) -> tuple[int, int]:
    """The sample after `sample` for a walker who goes in direction `step`, and the direction after that."""
    if boundary == "nearest" or size == 1:
        return sample, step
    if 0 <= sample + step < size:
        return sample + step, step
    if boundary == "wrap":
        return (sample + step) % size, step
    if boundary == "reflect":
        return sample, -step
    if boundary == "mirror":
        return sample - step, -step
    raise ValueError(boundary)


def extend(line: Sequence[Any], boundary: str, first: int, length: int, cval: Any = 0) -> list[Any]:
    """Positions ``first : first + length`` of an extended list."""
    places = (source(boundary, len(line), position) for position in range(first, first + length))
    return [cval if place is None else line[place] for place in places]


def window(mode: str, size: int, taps: int, origin: int) -> range:
    """Which values of the full convolution a mode keeps."""
    if mode == "full":
        return range(size + taps - 1)
    if mode == "same":
        start = (taps - 1) // 2 + origin
        return range(start, start + size)
    return range(taps - 1, size)


def convolve(
    x: np.ndarray,
    kernel: np.ndarray,
    *,
    mode: str = "same",
    boundary: Any = "constant",
    cval: Any = 0,
    origin: Any = 0,
    axes: Any = None,
) -> np.ndarray:
    """``full[i] = sum_m kernel[m] x~[i - m]``, and of it the values that `mode` keeps."""
    shape = output_shape(x.shape, kernel.shape, mode=mode, origin=origin, axes=axes)
    result = np.zeros(shape, dtype=object)
    samples, weights = x.astype(object), kernel.astype(object)
    for index, tap, place in _terms(x.shape, kernel.shape, mode, boundary, origin, axes):
        result[index] += weights[tap] * (cval if place is None else samples[place])
    return typed(result, x, kernel)


def correlate(x: np.ndarray, kernel: np.ndarray, **options: Any) -> np.ndarray:
    """Convolution with the kernel reversed on every axis and conjugated."""
    return convolve(x, np.conj(kernel[(slice(None, None, -1),) * kernel.ndim]), **options)


def adjoint(
    y: np.ndarray,
    kernel: np.ndarray,
    *,
    shape: tuple[int, ...],
    mode: str = "same",
    boundary: Any = "constant",
    origin: Any = 0,
    axes: Any = None,
) -> np.ndarray:
    """The transposed, conjugated matrix: each term of the definition, read from right to left."""
    result = np.zeros(shape, dtype=object)
    samples, weights = y.astype(object), np.conj(kernel).astype(object)
    for index, tap, place in _terms(shape, kernel.shape, mode, boundary, origin, axes):
        if place is not None:
            result[place] += weights[tap] * samples[index]
    return typed(result, y, kernel)


def output_shape(
    shape: tuple[int, ...], kernel_shape: tuple[int, ...], *, mode: str = "same", origin: Any = 0, axes: Any = None
) -> tuple[int, ...]:
    """The input's shape with the length of `window` on every convolved axis."""
    result = list(shape)
    axes = _axes(axes, len(shape))
    for axis, taps, start in zip(axes, kernel_shape, _per_axis(origin, axes), strict=True):
        result[axis] = len(window(mode, shape[axis], taps, start))
    return tuple(result)


def magnitude(x: np.ndarray, kernel: np.ndarray, *, cval: Any = 0, **options: Any) -> np.ndarray:
    """``sum |kernel| |x~|`` for every output: what rounding errors are relative to."""
    return convolve(absolute(x), absolute(kernel), cval=abs(cval), **options)


def absolute(values: np.ndarray) -> np.ndarray:
    """Magnitudes in double precision; in int8 ``abs(-128)`` would still be -128."""
    return np.abs(values.astype(object)).astype(np.float64)


def correlate_magnitude(x: np.ndarray, kernel: np.ndarray, **options: Any) -> np.ndarray:
    """The same for `correlate`."""
    return magnitude(x, kernel[(slice(None, None, -1),) * kernel.ndim], **options)


def outer(taps: Sequence[np.ndarray]) -> np.ndarray:
    """The kernel whose lines are `taps`."""
    product = np.asarray(taps[0]).astype(object)
    for line in taps[1:]:
        product = np.multiply.outer(product, np.asarray(line).astype(object))
    return typed(product, *(np.asarray(line) for line in taps))


def typed(values: np.ndarray, *inputs: np.ndarray) -> np.ndarray:
    """Python numbers as complex128, float64, or the integer dtype that holds them all."""
    kinds = {array.dtype.kind for array in inputs}
    if "c" in kinds:
        return values.astype(np.complex128)
    if "f" in kinds:
        return values.astype(np.float64)
    return values.astype(np.int64 if max(values.ravel(), default=0) < 2**63 else np.uint64)


def spectral_bound(eps: float, samples: int, image: Any, kernel: Any) -> float:
    """Error of three transforms of `samples`: ``8 log2(samples) eps ||image|| ||kernel||``.

    C. Percival, Math. Comp. 72, 2003, theorem 5.1, has (6 + 3 sqrt 5) / 2 = 6.4 in place of 8, for powers of two;
    passes of 3 and 5 are a little less exact. `image` is all that the outputs read, the fill value included.
    """
    norms = [math.hypot(*absolute(np.asarray(array)).ravel().tolist()) for array in (image, kernel)]
    return 8 * max(math.ceil(math.log2(max(samples, 2))), 1) * eps * norms[0] * norms[1]


def _terms(
    shape: tuple[int, ...], kernel_shape: tuple[int, ...], mode: str, boundary: Any, origin: Any, axes: Any
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...] | None]]:
    """Every product of the definition: index of the output, of the tap, and of the sample (None: the fill value)."""
    axes = _axes(axes, len(shape))
    boundaries, origins = _per_axis(boundary, axes), _per_axis(origin, axes)
    windows = {
        axis: window(mode, shape[axis], taps, origins[i]) for i, (axis, taps) in enumerate(zip(axes, kernel_shape))
    }
    edges = {
        axis: {p: source(boundaries[i], shape[axis], p) for p in _positions(windows[axis], kernel_shape[i])}
        for i, axis in enumerate(axes)
    }
    for index in np.ndindex(output_shape(shape, kernel_shape, mode=mode, origin=origin, axes=axes)):
        for tap in np.ndindex(kernel_shape):
            place: list[int | None] = list(index)
            for axis, m in zip(axes, tap, strict=True):
                place[axis] = edges[axis][windows[axis][index[axis]] - m]
            yield index, tap, None if None in place else tuple(place)


def _positions(kept: range, taps: int) -> range:
    return range(kept.start - taps + 1, kept.stop) if len(kept) else range(0)


def _axes(axes: Any, ndim: int) -> tuple[int, ...]:
    if axes is None:
        return tuple(range(ndim))
    return tuple(axis % ndim for axis in ((axes,) if isinstance(axes, int) else axes))


def _per_axis(value: Any, axes: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * len(axes)
