"""What each filter is, in float64: sums as they stand in a book, and the size of a result for its tolerance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations_with_replacement, product
from math import prod

import numpy as np

from benchmarks.cases import PAD_MODES
from benchmarks.filter_cases import FilterData, FilterWork

SMOOTHING = {"sobel": (1, 2, 1), "prewitt": (1, 1, 1), "scharr": (3, 10, 3)}
# Deviations of the wide Gaussian over those of the narrow one.
RATIO = 1.6


@dataclass(frozen=True)
class Answer:
    """What is right, and how large the terms are that it is summed from."""

    expected: np.ndarray
    size: float


def definition(work: FilterWork, data: FilterData) -> Answer:
    """The right answer; complex ones as pairs of real numbers on a new last axis."""
    answer = DEFINITIONS[work.filter](work, data)
    if np.iscomplexobj(answer.expected):
        return Answer(as_real(answer.expected), answer.size)
    return answer


def as_real(values: np.ndarray) -> np.ndarray:
    """Complex numbers as pairs on a new last axis; others as they are."""
    return np.stack([values.real, values.imag], axis=-1) if np.iscomplexobj(values) else values


def tolerance(work: FilterWork, answer: Answer) -> float:
    """8 eps of the largest value that the terms could sum to; 0 where integers have to be exact."""
    if np.dtype(work.dtype).kind in "iu" and work.filter in SMOOTHING:
        return 0.0
    dtype = np.float32 if np.dtype(work.dtype).kind in "iu" else work.dtype
    return 8 * float(np.finfo(dtype).eps) * answer.size


# --- sums over neighbours


def along(x: np.ndarray, taps: Sequence[float], axis: int, boundary: str) -> np.ndarray:
    """``y[i] = sum_n taps[n] x[i + n - K//2]`` along one axis, for K taps, an odd number of them."""
    reach = len(taps) // 2
    padding = [(reach, reach) if other == axis else (0, 0) for other in range(x.ndim)]
    extended = np.moveaxis(np.pad(x, padding, mode=PAD_MODES[boundary]), axis, 0)
    total = np.zeros(np.moveaxis(x, axis, 0).shape)
    for start, weight in enumerate(taps):
        if weight != 0:
            total += weight * extended[start : start + len(total)]
    return np.moveaxis(total, 0, axis)


def separable(work: FilterWork, x: np.ndarray, lines: Sequence[Sequence[float]]) -> np.ndarray:
    for axis, taps in zip(work.filtered, lines, strict=True):
        x = along(x, taps, axis, work.boundary)
    return x


def gain(lines: Sequence[Sequence[float]]) -> float:
    return prod(float(np.abs(taps).sum()) for taps in lines)


def windows(x: np.ndarray, weights: np.ndarray, boundary: str) -> np.ndarray:
    """``y[i] = sum_m weights[m] x[i - m + K//2]`` over all axes, for an odd number K of weights on each."""
    reach = [taps // 2 for taps in weights.shape]
    extended = np.pad(x, [(own, own) for own in reach], mode=PAD_MODES[boundary])
    total = np.zeros(x.shape)
    for m in product(*(range(taps) for taps in weights.shape)):
        starts = [2 * own - offset for own, offset in zip(reach, m, strict=True)]
        view = tuple(slice(start, start + size) for start, size in zip(starts, x.shape, strict=True))
        total += weights[m] * extended[view]
    return total


def gaussian_taps(sigma: float, order: int = 0) -> np.ndarray:
    """Samples of a Gaussian, cut at 4 sigma and of sum 1, or of its derivative; to correlate with."""
    reach = int(4 * sigma + 0.5)
    n = np.arange(-reach, reach + 1.0)
    taps = np.exp(-(n**2) / (2 * sigma**2))
    taps /= taps.sum()
    return (taps, n / sigma**2 * taps, (n**2 / sigma**4 - 1 / sigma**2) * taps)[order]


def gaussian_lines(work: FilterWork, sigma: float, orders: Sequence[int]) -> list[np.ndarray]:
    return [gaussian_taps(sigma, order) for order in orders]


def operator_lines(operator: str, position: int, count: int) -> list[Sequence[float]]:
    return [(-1, 0, 1) if other == position else SMOOTHING[operator] for other in range(count)]


# --- the filters


def _floats(data: FilterData) -> np.ndarray:
    return data.x.astype(np.float64)


def _largest(data: FilterData) -> float:
    return float(np.abs(data.x).max())


def _gaussian(work: FilterWork, data: FilterData) -> Answer:
    order = work.parameters.get("order", (0,) * len(work.filtered))
    lines = gaussian_lines(work, work.parameters["sigma"], order)
    return Answer(separable(work, _floats(data), lines), gain(lines) * _largest(data))


def _derivatives(work: FilterWork, data: FilterData, pairs: Sequence[tuple[int, ...]]) -> Answer:
    """Gaussian derivatives along the axes of each of `pairs`, stacked."""
    orders = [[pair.count(axis) for axis in work.filtered] for pair in pairs]
    banks = [gaussian_lines(work, work.parameters["sigma"], own) for own in orders]
    stacked = np.stack([separable(work, _floats(data), lines) for lines in banks])
    return Answer(stacked, max(gain(lines) for lines in banks) * _largest(data))


def _gradient(work: FilterWork, data: FilterData) -> Answer:
    return _derivatives(work, data, [(axis,) for axis in work.filtered])


def _laplacian(work: FilterWork, data: FilterData) -> Answer:
    parts = _derivatives(work, data, [(axis, axis) for axis in work.filtered])
    return Answer(parts.expected.sum(0), len(work.filtered) * parts.size)


def _slopes(work: FilterWork, data: FilterData, operator: str) -> Answer:
    count = len(work.filtered)
    banks = [operator_lines(operator, position, count) for position in range(count)]
    return Answer(np.stack([separable(work, _floats(data), lines) for lines in banks]), gain(banks[0]) * _largest(data))


def _gradient_magnitude(work: FilterWork, data: FilterData) -> Answer:
    if "sigma" in work.parameters:
        parts = _gradient(work, data)
        return Answer(_length(parts.expected), len(parts.expected) * parts.size)
    parts = _slopes(work, data, work.parameters["operator"])
    # In the scale "unit", a slope of 1 per sample gives 1.
    unit = 1 / (2 * sum(SMOOTHING[work.parameters["operator"]]) ** (len(work.filtered) - 1))
    return Answer(_length(parts.expected) * unit, len(parts.expected) * parts.size * unit)


def _length(parts: np.ndarray) -> np.ndarray:
    length: np.ndarray = np.sqrt((parts**2).sum(0))
    return length


def _hessian(work: FilterWork, data: FilterData) -> Answer:
    return _derivatives(work, data, list(combinations_with_replacement(work.filtered, 2)))


def _structure_tensor(work: FilterWork, data: FilterData) -> Answer:
    slopes = _slopes(work, data, work.parameters["operator"])
    lines = gaussian_lines(work, work.parameters["sigma"], (0,) * len(work.filtered))
    pairs = combinations_with_replacement(slopes.expected, 2)
    return Answer(np.stack([separable(work, one * other, lines) for one, other in pairs]), slopes.size**2)


def _eigenvalues(components: Answer) -> Answer:
    count = {3: 2, 6: 3}[len(components.expected)]
    matrices = np.empty((*components.expected.shape[1:], count, count))
    for (row, column), values in zip(combinations_with_replacement(range(count), 2), components.expected, strict=True):
        matrices[..., row, column] = matrices[..., column, row] = values
    found = np.linalg.eigvalsh(matrices)[..., ::-1]
    return Answer(np.ascontiguousarray(np.moveaxis(found, -1, 0)), count * components.size)


def _difference(work: FilterWork, data: FilterData) -> Answer:
    sigma, flat = work.parameters["sigma"], (0,) * len(work.filtered)
    narrow, wide = (separable(work, _floats(data), gaussian_lines(work, own, flat)) for own in (sigma, RATIO * sigma))
    return Answer(narrow - wide, 2 * _largest(data))


def _unsharp(work: FilterWork, data: FilterData) -> Answer:
    smooth = _gaussian(work, data)
    return Answer(2 * _floats(data) - smooth.expected, 3 * _largest(data))


def _operator(work: FilterWork, data: FilterData) -> Answer:
    slopes = _slopes(work, data, work.filter)
    return Answer(slopes.expected[work.filtered.index(work.parameters["axis"])], slopes.size)


def _roberts(work: FilterWork, data: FilterData) -> Answer:
    extended = np.pad(_floats(data), [(0, 1), (0, 1)], mode=PAD_MODES[work.boundary])
    return Answer(extended[1:, 1:] - extended[:-1, :-1], 2 * _largest(data))


def _laplace(work: FilterWork, data: FilterData) -> Answer:
    parts = [along(_floats(data), (1, -2, 1), axis, work.boundary) for axis in work.filtered]
    return Answer(sum(parts, np.zeros(work.shape)), 4 * len(parts) * _largest(data))


def _box(work: FilterWork, x: np.ndarray) -> np.ndarray:
    size = work.parameters["size"]
    return separable(work, x, [np.full(size, 1 / size)] * len(work.filtered))


def _uniform(work: FilterWork, data: FilterData) -> Answer:
    return Answer(_box(work, _floats(data)), _largest(data))


def _local_mean(work: FilterWork, data: FilterData) -> Answer:
    there = _box(work, data.mask.astype(np.float64))
    return Answer(_box(work, _floats(data) * data.mask) / there, _largest(data) / float(there.min()))


def _local_variance(work: FilterWork, data: FilterData) -> Answer:
    mean = _box(work, _floats(data))
    return Answer(_box(work, _floats(data) ** 2) - mean**2, _largest(data) ** 2)


def _normalized(work: FilterWork, data: FilterData) -> Answer:
    kernel = data.kernels[0]
    there = windows(data.mask.astype(np.float64), kernel, work.boundary)
    total = windows(_floats(data) * data.mask, kernel, work.boundary)
    return Answer(total / there, _largest(data) * float(kernel.sum() / there.min()))


def _bank(work: FilterWork, data: FilterData) -> Answer:
    maps = np.stack([windows(_floats(data), kernel, work.boundary) for kernel in data.kernels])
    return Answer(maps, float(np.abs(data.kernels).sum(axis=(1, 2)).max()) * _largest(data))


def _line(taps: Callable[[FilterWork], Sequence[float]]) -> Callable[[FilterWork, FilterData], Answer]:
    """One pass along the axis that the parameters name."""

    def define(work: FilterWork, data: FilterData) -> Answer:
        line = taps(work)
        return Answer(along(_floats(data), line, work.parameters["axis"], work.boundary), gain([line]) * _largest(data))

    return define


def _ordered(
    choose: Callable[[FilterWork, np.ndarray], np.ndarray], line: bool = False
) -> Callable[[FilterWork, FilterData], Answer]:
    """One of the sorted samples of the box around each; exact, whatever the dtype."""

    def define(work: FilterWork, data: FilterData) -> Answer:
        axes = (work.parameters["axis"],) if line else work.filtered
        size = work.parameters["size"]
        padding = [(size // 2, size // 2) if axis in axes else (0, 0) for axis in range(len(work.shape))]
        extended = np.pad(data.x, padding, mode=PAD_MODES[work.boundary])
        boxes = np.lib.stride_tricks.sliding_window_view(extended, (size,) * len(axes), axis=axes)
        return Answer(choose(work, boxes.reshape(*work.shape, -1)).astype(np.float64), 0.0)

    return define


def _nth(rank: Callable[[FilterWork, int], int]) -> Callable[[FilterWork, np.ndarray], np.ndarray]:
    return lambda work, boxes: np.sort(boxes, axis=-1)[..., rank(work, boxes.shape[-1])]


def _spectrum(
    transfer: Callable[[FilterWork, list[np.ndarray]], np.ndarray],
) -> Callable[[FilterWork, FilterData], Answer]:
    """A spectrum times a function of the frequencies, in cycles per sample."""

    def define(work: FilterWork, data: FilterData) -> Answer:
        frequencies = np.meshgrid(*(np.fft.fftfreq(size) for size in work.shape), indexing="ij")
        return Answer(data.x * transfer(work, frequencies), _largest(data))

    return define


def _ellipse(work: FilterWork, frequencies: list[np.ndarray]) -> np.ndarray:
    from scipy.special import j1

    radius = np.pi * work.parameters["size"] * np.sqrt(sum(f**2 for f in frequencies))
    safe = np.where(radius == 0, 1, radius)
    return np.where(radius == 0, 1, 2 * j1(safe) / safe)


DEFINITIONS: dict[str, Callable[[FilterWork, FilterData], Answer]] = {
    "gaussian": _gaussian,
    "gaussian_laplace": _laplacian,
    "difference_of_gaussians": _difference,
    "unsharp_mask": _unsharp,
    "gaussian_gradient": _gradient,
    "gradient_magnitude": _gradient_magnitude,
    "hessian": _hessian,
    "hessian_eigenvalues": lambda work, data: _eigenvalues(_hessian(work, data)),
    "structure_tensor": _structure_tensor,
    "structure_tensor_eigenvalues": lambda work, data: _eigenvalues(_structure_tensor(work, data)),
    "symmetric_eigenvalues": lambda work, data: _eigenvalues(Answer(_floats(data), _largest(data))),
    "sobel": _operator,
    "prewitt": _operator,
    "scharr": _operator,
    "roberts": _roberts,
    "laplace": _laplace,
    "uniform": _uniform,
    "local_mean": _local_mean,
    "local_variance": _local_variance,
    "normalized_convolve": _normalized,
    "bank": _bank,
    "gaussian_filter1d": _line(lambda work: gaussian_taps(work.parameters["sigma"])),
    "uniform_filter1d": _line(lambda work: np.full(work.parameters["size"], 1 / work.parameters["size"])),
    "generic_laplace": _laplace,
    "generic_gradient_magnitude": lambda work, data: _sobel_magnitude(work, data),
    "minimum_filter": _ordered(_nth(lambda work, count: 0)),
    "maximum_filter": _ordered(_nth(lambda work, count: -1)),
    "minimum_filter1d": _ordered(_nth(lambda work, count: 0), line=True),
    "maximum_filter1d": _ordered(_nth(lambda work, count: -1), line=True),
    "median_filter": _ordered(_nth(lambda work, count: count // 2)),
    "rank_filter": _ordered(_nth(lambda work, count: work.parameters["rank"])),
    "percentile_filter": _ordered(_nth(lambda work, count: int(count * work.parameters["percentile"] / 100))),
    "fourier_gaussian": _spectrum(
        lambda work, fs: np.exp(-2 * (np.pi * work.parameters["sigma"]) ** 2 * sum(f**2 for f in fs))
    ),
    "fourier_uniform": _spectrum(
        lambda work, fs: reduce(np.multiply, (np.sinc(work.parameters["size"] * f) for f in fs))
    ),
    "fourier_ellipsoid": _spectrum(_ellipse),
    "fourier_shift": _spectrum(lambda work, fs: np.exp(-2j * np.pi * work.parameters["shift"] * sum(fs))),
}


def _sobel_magnitude(work: FilterWork, data: FilterData) -> Answer:
    parts = _slopes(work, data, "sobel")
    return Answer(_length(parts.expected), len(parts.expected) * parts.size)
