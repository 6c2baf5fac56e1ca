"""A kernel as a lottery: which tap a draw takes, what it then weighs, and where it reads or drops what it carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_axes, read_per_axis, refusal
from gpuconv.core.boundary import Span, extend_all, fold_all, read_boundary
from gpuconv.core.dtypes import convolution_dtypes, is_complex
from gpuconv.core.namespace import (
    Home,
    bring_home,
    cast,
    chunks_of,
    device_of,
    dtype_in,
    dtype_name,
    has_double,
    read_kernel,
)
from gpuconv.diffusion._philox import Stream, counters_like, thresholds, word_dtype


@dataclass(frozen=True)
class Lottery:
    """A kernel whose taps are drawn with probability ``|k|/sum |k|``.

    `kernel` has one axis for each of `axes`; `places` are the indices of the taps that are not 0, one row each,
    `weights` is what a draw of each counts, ``sum |k| k/|k|``.
    """

    home: Home
    kernel: np.ndarray
    axes: tuple[int, ...]
    boundaries: tuple[str, ...]
    result: str
    accumulator: str
    places: np.ndarray
    weights: np.ndarray
    limits: np.ndarray

    def spans(self, x: Any, scatter: bool) -> tuple[Span, ...]:
        """What of the extended axes is read, or written to, around x."""
        spans = []
        for axis, taps, boundary in zip(self.axes, self.kernel.shape, self.boundaries, strict=True):
            centre = (taps - 1) // 2
            first = -centre if scatter else centre - (taps - 1)
            spans.append(Span(axis, x.shape[axis], taps, first, x.shape[axis], boundary))
        return tuple(spans)


def read_lottery(x: Any, home: Home, kernel: Any, boundary: Any, axes: Any) -> Lottery:
    """Reads a kernel whose values are at hand."""
    chunks_of(x, home)
    kernel = read_kernel(kernel, home)
    if not isinstance(kernel, np.ndarray):
        needs = "a kernel to draw from must be at hand: numbers, or an array that can be read now"
        raise TypeError(refusal(needs, "it is traced, lazy, differentiated or on a device", "Give a NumPy array"))
    listed = read_axes(axes, x.ndim)
    if kernel.ndim != len(listed):
        given = f"kernel has shape {kernel.shape}, axes={listed}"
        needs = "kernel needs one dimension per convolved axis"
        raise ValueError(refusal(needs, given, f"Give axes of length {kernel.ndim}, or reshape the kernel"))
    name = "complex128" if is_complex(dtype_name(kernel.dtype)) else "float64"
    # A mean of draws is no whole number, even if all samples and weights are.
    rule = convolution_dtypes(dtype_name(x.dtype), (dtype_name(kernel.dtype), 1), (name, 1))
    dtype_in(home, rule.result)
    kernel = kernel.astype(name)
    sizes = np.abs(kernel)
    total = float(sizes.sum())
    if not (np.isfinite(total) and total > 0):
        given = f"sum |k| is {total:g}"
        raise ValueError(refusal("a kernel to draw from needs finite weights, not all 0", given, "Change the weights"))
    places = np.argwhere(sizes > 0)
    drawn = kernel[tuple(places.T)]
    chances = np.abs(drawn) / total
    boundaries = read_per_axis("boundary", boundary, len(listed), read_boundary)
    weights = total * drawn / np.abs(drawn)
    limits = thresholds(chances)
    return Lottery(home, kernel, listed, boundaries, rule.result, rule.accumulator, places, weights, limits)


def gather(lottery: Lottery, x: Any, draws: int, stream: Stream) -> Any:
    """Mean of `draws` draws per output: each reads one sample of x and weighs it."""
    home = lottery.home
    extended = extend_all(home.xp, x, lottery.spans(x, scatter=False), 0)
    # The kernel runs backwards: tap m reads what lies m before the end of its window.
    places = np.asarray(lottery.kernel.shape) - 1 - lottery.places
    read = _look_up_slices if home.library == "dask" else _look_up
    return read(lottery, x, extended, places, draws, stream) * (1 / draws)


def _look_up(lottery: Lottery, x: Any, extended: Any, places: np.ndarray, draws: int, stream: Stream) -> Any:
    """By index, one read per draw."""
    home, xp = lottery.home, lottery.home.xp
    name = "int64" if has_double(home) else "int32"
    strides = np.append(np.cumprod(extended.shape[:0:-1])[::-1], 1).astype(np.int64)
    first = sum(
        np.arange(size).reshape((-1,) + (1,) * (x.ndim - axis - 1)) * int(strides[axis])
        for axis, size in enumerate(x.shape)
    )
    first = xp.reshape(bring_home(np.asarray(first), home, name), (-1,))
    offsets = bring_home(places @ strides[list(lottery.axes)], home, name)
    weights = _weights(lottery)
    flat, total = xp.reshape(extended, (-1,)), None
    for tap in _taps(lottery, x, draws, stream):
        part = xp.take(flat, first + xp.take(offsets, tap, axis=0), axis=0)
        part = part * (weights if isinstance(weights, float) else xp.take(weights, tap, axis=0))
        total = part if total is None else total + part
    return xp.reshape(total, tuple(x.shape))


def _look_up_slices(lottery: Lottery, x: Any, extended: Any, places: np.ndarray, draws: int, stream: Stream) -> Any:
    """Tap by tap: what was drawn of the whole array moved by that tap. Chunked arrays have no cheap index."""
    xp = lottery.home.xp
    shares = _counts(lottery, x, draws, stream)
    total = None
    for place, weight, share in zip(places, lottery.weights.tolist(), shares, strict=True):
        index = [slice(None)] * x.ndim
        for axis, start in zip(lottery.axes, place.tolist(), strict=True):
            index[axis] = slice(start, start + x.shape[axis])
        part = extended[tuple(index)] * share * weight
        total = part if total is None else total + part
    return xp.astype(total, extended.dtype)


def scatter(lottery: Lottery, x: Any, draws: int, stream: Stream) -> Any:
    """Each sample cut into `draws` equal parts, each of which goes where its tap says; the edges hand parts back."""
    xp, total = lottery.home.xp, None
    shares = _counts(lottery, x, draws, stream)
    for place, weight, share in zip(lottery.places.tolist(), lottery.weights.tolist(), shares, strict=True):
        part = x * share * (weight / draws)
        for axis, before, taps in zip(lottery.axes, place, lottery.kernel.shape, strict=True):
            part = _padded(xp, part, axis, before, taps - 1 - before)
        total = part if total is None else total + part
    return fold_all(xp, total, lottery.spans(x, scatter=True))


def _padded(xp: Any, x: Any, axis: int, before: int, after: int) -> Any:
    parts = [x]
    for count, place in ((before, 0), (after, 2)):
        shape = list(x.shape)
        shape[axis] = count
        if count:
            zeros = xp.zeros(tuple(shape), dtype=x.dtype, device=device_of(x))
            parts.insert(place, zeros)
    return xp.concat(parts, axis=axis) if len(parts) > 1 else x


def _counts(lottery: Lottery, x: Any, draws: int, stream: Stream) -> list[Any]:
    """How often each tap was drawn at each sample, as numbers of the working dtype."""
    home, xp = lottery.home, lottery.home.xp
    counts: list[Any] = [None] * len(lottery.places)
    for tap in _taps(lottery, x, draws, stream):
        for place in range(len(counts)):
            hit = cast(home, tap == place, lottery.accumulator)
            counts[place] = hit if counts[place] is None else counts[place] + hit
    return [xp.reshape(count, tuple(x.shape)) for count in counts]


def _taps(lottery: Lottery, x: Any, draws: int, stream: Stream) -> Any:
    """The tap drawn at each sample, one array for each draw: flat ones, or for chunked arrays of the shape of x."""
    home, xp = lottery.home, lottery.home.xp
    lazy = home.library == "dask"
    index = counters_like(home, x)
    index = index.rechunk(x.chunks) if lazy else xp.reshape(index, (-1,))
    limits = None if lazy else bring_home(lottery.limits, home, word_dtype(home))
    words: tuple[Any, ...] = ()
    for draw in range(draws):
        if draw % 4 == 0:
            words = stream.words(home, index, draw // 4)
        if limits is not None:
            yield xp.searchsorted(limits, words[draw % 4], side="right")
        else:
            yield sum((words[draw % 4] >= limit for limit in lottery.limits), 0 * index)


def _weights(lottery: Lottery) -> Any:
    """What draws count: one number if they all count the same."""
    first = lottery.weights[0].item()
    if np.all(lottery.weights == first) and not isinstance(first, complex):
        return first
    return bring_home(lottery.weights, lottery.home, lottery.accumulator)


def spread_kernel(lottery: Lottery, shape: tuple[int, ...]) -> np.ndarray:
    """``S |k| - |k|^2``: of a scattered sample's square, the variance that it brings to its neighbours.

    Round a periodic axis shorter than the kernel, taps that lead to one place are one.
    """
    sizes, kernel = np.abs(lottery.kernel), lottery.kernel
    total = sizes.sum()
    for place, (axis, boundary) in enumerate(zip(lottery.axes, lottery.boundaries, strict=True)):
        if boundary == "wrap":
            sizes, kernel = (_wrapped(part, place, shape[axis]) for part in (sizes, kernel))
    return np.maximum(total * sizes - np.abs(kernel) ** 2, 0)


def _wrapped(kernel: np.ndarray, axis: int, size: int) -> np.ndarray:
    taps = kernel.shape[axis]
    if taps <= size or size == 0:
        return kernel
    moved = (np.arange(taps) - (taps - 1) // 2 + (size - 1) // 2) % size
    folded = np.zeros((*kernel.shape[:axis], size, *kernel.shape[axis + 1 :]), dtype=kernel.dtype)
    np.add.at(np.moveaxis(folded, axis, 0), moved, np.moveaxis(kernel, axis, 0))
    return folded
