"""Means and variances over boxes: uniform, local_mean, local_variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from gpuconv.convolution import convolve_separable
from gpuconv.core.arguments import read_integer, refusal
from gpuconv.core.boundary import Span, extend_all
from gpuconv.core.namespace import chunks_of, home_of, read_image
from gpuconv.core.shapes import convolution_span
from gpuconv.filters._image import Edges, Image, read_edges, read_filtered
from gpuconv.filters._missing import divided, present, read_weights
from gpuconv.filters._pointwise import real_parts, squared
from gpuconv.kernels._arguments import read_count, read_size, spread
from gpuconv.methods.describe import Options
from gpuconv.methods.passes import pose_taps, prepare_passes
from gpuconv.methods.repeat import Facts, Posed, facts_of, recalled, run_posed


def uniform(
    x: Any,
    /,
    size: int | Sequence[int] = 3,
    *,
    origin: int | Sequence[int] = 0,
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Average over a box: ``y[i] = 1/K sum_m x[i - K//2 + origin + m]``, m = 0 ... K - 1, along each axis.

    A box of even size reaches one sample further before i than after it. With origin 0 this is
    `scipy.ndimage.uniform_filter`; SciPy's origin counts the other way.

    Parameters
    ----------
    x : array
        Array of any shape and library, as in `gpuconv.convolve`.
    size : int or sequence of int
        Number K of samples of the box; one, or one per axis.
    origin : int or sequence of int
        As in `gpuconv.convolve`; one, or one per axis: moves the box towards higher indices.
    axes : int or sequence of int, optional
        Filtered axes. All axes by default.
    boundary : str or sequence of str
        As in `gpuconv.convolve`; one, or one per axis.
    cval : number
        Fill value of the boundary "constant".
    out : array, optional
        As in `gpuconv.convolve`; may be `x` itself.

    Returns
    -------
    array
        Of the shape of `x`, with the dtypes of `gaussian`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range, or as in `gpuconv.convolve`.

    See Also
    --------
    local_mean : the same, with missing samples.

    References
    ----------
    .. [1] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", 4th ed., 2018, section 3.5.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> filters.uniform(np.array([0, 3, 6, 6], np.uint8)).tolist()
    [1.0, 3.0, 5.0, 6.0]
    >>> filters.uniform([0.0, 4.0, 8.0], 2).tolist()
    [0.0, 2.0, 6.0]
    """
    x, home = read_image(x)
    posed = recalled(_pose_uniform, facts_of(x, home), (size, origin, axes, boundary))
    return run_posed(prepare_passes, posed, x, home, cval, out)


def _pose_uniform(facts: Facts, size: Any, origin: Any, axes: Any, boundary: Any) -> Posed:
    axes, boundaries, _ = read_edges(facts, axes, boundary)
    sizes = spread("size", size, len(axes), read_size)
    origins = spread("origin", origin, len(axes), read_integer)
    taps = [np.full(own, 1.0 / own) for own in sizes]
    return pose_taps(facts, taps, Options("convolve", boundary=boundaries, origin=origins, axes=axes))


def local_mean(
    x: Any,
    /,
    size: int | Sequence[int] = 3,
    *,
    weights: Any = None,
    nan: str = "propagate",
    origin: int | Sequence[int] = 0,
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Mean of the samples that are there in a box: ``y = sum(weights x) / sum(weights)``.

    The box is that of `uniform`, and so is the result if nothing is missing. ``boundary="constant", cval=nan,
    nan="omit"`` takes what lies beyond the ends for missing.

    Parameters
    ----------
    x : array
        As in `uniform`.
    size : int or sequence of int
        Number of samples of the box; one, or one per axis.
    weights : array, optional
        As in `normalized_convolve`: a mask, True where a sample is there, or how much it counts. Samples of the
        boundary "constant" count as 1.
    nan : {"propagate", "omit"}
        "omit" takes NaN for missing, beside what `weights` says.
    origin, axes, boundary, cval, out
        As in `uniform`.

    Returns
    -------
    array
        Of the shape of `x`, with the dtypes of `gaussian`. NaN where all is missing in the box.

    Raises
    ------
    TypeError, ValueError
        As in `uniform` and `normalized_convolve`.

    See Also
    --------
    local_variance
    normalized_convolve : with other weights than those of a box.

    References
    ----------
    .. [1] H. Knutsson, C.-F. Westin, "Normalized and differential convolution", IEEE Conference on Computer Vision and
       Pattern Recognition, 1993. DOI 10.1109/CVPR.1993.341081

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> filters.local_mean(np.array([1.0, 2.0, np.nan, 4.0]), nan="omit").round(3).tolist()
    [1.333, 1.5, 3.0, 4.0]
    """
    if weights is None and nan == "propagate":
        return uniform(x, size, origin=origin, axes=axes, boundary=boundary, cval=cval, out=out)
    image = read_filtered(x, Edges(axes, boundary, cval))
    boxes = _read_boxes(image, size, origin)
    weights = read_weights(weights, image)
    destination = image.destination(out)
    if 0 in image.problem.shape:
        return destination.deliver(image.x)
    samples = _samples(image, boxes, weights, nan)
    taps = [np.ones(box.taps) for box in boxes]
    # Sums along one axis after another of what is there already: transforms would leave rounding where nothing is.
    sums = [
        convolve_separable(part, taps, mode="valid", axes=image.axes, accuracy="local")
        for part in (samples.mean * samples.weight, samples.weight)
    ]
    return destination.deliver(divided(image.xp, *sums))


def local_variance(
    x: Any,
    /,
    size: int | Sequence[int] = 3,
    *,
    ddof: int = 0,
    weights: Any = None,
    nan: str = "propagate",
    origin: int | Sequence[int] = 0,
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Variance in a box: ``y = sum(weights |x - mean|^2) / (sum(weights) - ddof)``.

    The box is that of `uniform`. Boxes are put together from smaller ones, doubling their length along one axis after
    another, and the sums of squares of two parts a, b are joined as ``S = S_a + S_b + |mean_b - mean_a|^2 n_a n_b /
    (n_a + n_b)`` [1]_. No two large numbers are subtracted, as in mean(x^2) - mean(x)^2: the result is never negative,
    exactly 0 where `x` is constant, and right to rounding on top of an offset of any size.

    Parameters
    ----------
    x : array
        As in `uniform`; complex ones have the variance of their distance from the mean.
    size : int or sequence of int
        Number of samples of the box; one, or one per axis.
    ddof : int
        0 for the variance of the box, 1 for the unbiased estimate of that of the population.
    weights, nan
        As in `local_mean`.
    origin, axes, boundary, cval, out
        As in `uniform`.

    Returns
    -------
    array
        Real, of the shape of `x`, with the dtypes of `gaussian`; in units of x^2. NaN where the weights in the box sum
        to `ddof` or less.

    Raises
    ------
    TypeError, ValueError
        As in `local_mean`; and if `ddof` is not below the number of samples of the box.

    See Also
    --------
    local_mean

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance: analysis and
       recommendations", The American Statistician 37, 1983. DOI 10.1080/00031305.1983.10483115

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> filters.local_variance(np.array([1e9, 1e9, 1e9 + 3, 1e9 + 3])).round(9).tolist()
    [0.0, 2.0, 2.0, 0.0]
    """
    image = read_filtered(x, Edges(axes, boundary, cval))
    boxes = _read_boxes(image, size, origin)
    ddof = read_count("ddof", ddof, 0)
    count = prod(box.taps for box in boxes)
    if ddof >= count:
        rule = "ddof must be below the number of samples of the box"
        raise ValueError(refusal(rule, f"got ddof={ddof} for {count} samples", "Give a larger size"))
    weights = read_weights(weights, image)
    destination = image.destination(out, real=True)
    if 0 in image.problem.shape:
        return destination.deliver(squared(image.xp, image.x))
    samples = _samples(image, boxes, weights, nan)
    for box in boxes:
        samples = _joined_along(samples, box.axis, box.taps)
    if isinstance(samples.weight, float):
        return destination.deliver(samples.scatter / (samples.weight - ddof))
    free = image.xp.where(samples.weight > ddof, samples.weight - ddof, image.xp.zeros_like(samples.weight))
    return destination.deliver(divided(image.xp, samples.scatter, free))


def _read_boxes(image: Image, size: Any, origin: Any) -> list[Span]:
    """What the boxes of each axis read."""
    sizes = spread("size", size, len(image.axes), read_size)
    origins = spread("origin", origin, len(image.axes), read_integer)
    sides = zip(image.axes, sizes, origins, image.boundaries, strict=True)
    return [
        convolution_span(axis, image.problem.shape[axis], own, "same", start, boundary)
        for axis, own, start, boundary in sides
    ]


@dataclass(frozen=True)
class Samples:
    """Weight, mean and sum of weighted squared distances from the mean of the boxes that start at each sample.

    Weights that are the same everywhere are one float.
    """

    length: int
    weight: Any
    mean: Any
    scatter: Any


def _samples(image: Image, boxes: Sequence[Span], weights: Any, nan: Any) -> Samples:
    """Boxes of one sample each, of the image extended beyond its ends."""
    x = extend_all(image.xp, image.x, boxes, image.cval)
    if weights is not None:
        weights = extend_all(image.xp, weights, boxes, 1)
    x, weights = present(image, x, weights, nan)
    # 0 where x is finite, else NaN.
    scatter = sum(part - part for part in real_parts(image.xp, x))
    return Samples(1, 1.0 if weights is None else weights, x, scatter)


def _joined_along(samples: Samples, axis: int, size: int) -> Samples:
    """Boxes of `size` along an axis: doubled, or doubled and one more added, for each binary digit of the size."""
    single = boxes = replace(samples, length=1)
    for digit in f"{size:b}"[1:]:
        boxes = _join(boxes, boxes, axis)
        if digit == "1":
            boxes = _join(boxes, single, axis)
    return boxes


def _join(first: Samples, second: Samples, axis: int) -> Samples:
    """Each box of `first` with the one of `second` that starts where it ends."""
    reach, xp = first.length, home_of(first.mean).xp
    count = second.mean.shape[axis] - reach
    own, mean, scatter = (_part(each, axis, 0, count) for each in (first.weight, first.mean, first.scatter))
    other, farther, more = (_part(each, axis, reach, count) for each in (second.weight, second.mean, second.scatter))
    total = own + other
    share = other / (total if isinstance(total, float) else xp.where(total == 0, xp.ones_like(total), total))
    distance = farther - mean
    scatter = scatter + more + squared(xp, distance) * (own * share)
    return Samples(reach + second.length, total, mean + distance * share, scatter)


def _part(field: Any, axis: int, start: int, count: int) -> Any:
    """``field[start : start + count]`` along an axis; one float stays that."""
    if isinstance(field, float):
        return field
    if chunks_of(field, home_of(field)) is None:
        return field[tuple(slice(start, start + count) if each == axis else slice(None) for each in range(field.ndim))]
    # Slices of a chunked array that start anywhere cut its chunks to crumbs; convolutions keep them.
    taps = np.zeros(field.shape[axis] - count + 1)
    taps[taps.size - 1 - start] = 1
    return convolve_separable(field, [taps], axes=axis, mode="valid", accuracy="local")
