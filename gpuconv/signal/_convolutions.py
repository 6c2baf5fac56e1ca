"""SciPy's convolutions and correlations in any number of dimensions."""

from __future__ import annotations

import timeit
from math import prod
from typing import Any

import numpy as np

from gpuconv import convolution
from gpuconv._scipy_arguments import Pair, check_mode, larger_first, read_pair, read_transform_axes
from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import is_integer
from gpuconv.core.namespace import cast, dtype_name, zeros_from
from gpuconv.signal._dtypes import in_common_dtype, in_floating_dtype
from gpuconv.signal._handover import hand_over

_METHODS = ("auto", "direct", "fft")


def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Convolution in any number of dimensions, as `scipy.signal.convolve`.

    ``full[i] = sum_m in2[m] in1[i - m]`` with zeros beyond the ends.

    Parameters
    ----------
    in1, in2 : array
        As many dimensions the one as the other; of one array library, or one of them a NumPy array or a sequence.
    mode : {"full", "valid", "same"}
        All of the sum; the part that reads no zeros, where one input must be at least as large as the other on every
        axis; or the middle of "full" with the shape of `in1`, from ``(K - 1)//2`` for K samples of `in2`.
    method : {"auto", "direct", "fft"}
        "auto" takes the cheapest of gpuconv's methods. Integers are exact under each.

    Returns
    -------
    array
        In the common dtype of both inputs.

    Raises
    ------
    ValueError
        If dimensions or sizes do not fit, or a name is unknown.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.convolve([1, 2, 3], [0, 1, 5], mode="same").tolist()
    [1, 7, 13]
    """
    pair = read_pair(in1, in2)
    if pair.only_scipy_computes:
        return hand_over("convolve", in1, in2, mode, method)
    return _convolve(pair, mode, method)


def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Cross-correlation in any number of dimensions, as `scipy.signal.correlate`.

    ``full[i] = sum_m conj(in2[m]) in1[i + m - (K - 1)]`` with zeros beyond the ends: sample i belongs to lag
    ``i - (K - 1)``, K samples in `in2`.

    Parameters
    ----------
    in1, in2 : array
        As many dimensions the one as the other; of one array library, or one of them a NumPy array or a sequence.
    mode : {"full", "valid", "same"}
        As in `convolve`.
    method : {"auto", "direct", "fft"}
        As in `convolve`.

    Returns
    -------
    array
        In the common dtype of both inputs.

    Raises
    ------
    ValueError
        If dimensions or sizes do not fit, or a name is unknown.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.correlate([1, 2, 3], [0, 1, 5]).tolist()
    [5, 11, 17, 3, 0]
    """
    pair = read_pair(in1, in2)
    if pair.only_scipy_computes:
        return hand_over("correlate", in1, in2, mode, method)
    return _convolve(pair.with_second_reversed(), mode, method)


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Convolution by FFT along some axes, as `scipy.signal.fftconvolve`.

    ``full[i] = sum_m in2[m] in1[i - m]`` with zeros beyond the ends, along `axes`; the other axes are broadcast.

    Parameters
    ----------
    in1, in2 : array
        As many dimensions the one as the other. Along an axis that is not convolved they have the same size, or one
        of them has size 1.
    mode : {"full", "valid", "same"}
        As in `convolve`.
    axes : int or sequence of int, optional
        Axes to convolve along; default all.

    Returns
    -------
    array
        Floating: integers are computed in float64, half precision in float32.

    Raises
    ------
    ValueError
        If dimensions, sizes or axes do not fit, or `mode` is unknown.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.fftconvolve([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0]], axes=1).round(6).tolist()
    [[1.0, 3.0, 2.0], [3.0, 7.0, 4.0]]
    """
    pair = read_pair(in1, in2)
    if pair.only_scipy_computes:
        return hand_over("fftconvolve", in1, in2, mode, axes)
    return _convolve_along(pair, mode, axes, "fft")


def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Convolution of a long array with a short one, as `scipy.signal.oaconvolve`.

    ``full[i] = sum_m in2[m] in1[i - m]`` with zeros beyond the ends, along `axes`; the other axes are broadcast. The
    method is gpuconv's "auto": transforms block by block where that is the cheapest.

    Parameters
    ----------
    in1, in2, mode, axes
        As in `fftconvolve`.

    Returns
    -------
    array
        Floating: integers are computed in float64, half precision in float32.

    Raises
    ------
    ValueError
        If dimensions, sizes or axes do not fit, or `mode` is unknown.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.oaconvolve([1.0, 2.0, 3.0], [1.0, -1.0], mode="valid").tolist()
    [1.0, 1.0]
    """
    pair = read_pair(in1, in2)
    if pair.only_scipy_computes:
        return hand_over("oaconvolve", in1, in2, mode, axes)
    return _convolve_along(pair, mode, axes, "auto")


def choose_conv_method(
    in1: Any, in2: Any, mode: str = "full", measure: bool = False
) -> str | tuple[str, dict[str, float]]:
    """Which method of `convolve` is the faster one, as `scipy.signal.choose_conv_method`.

    Parameters
    ----------
    in1, in2 : array
        As in `convolve`.
    mode : {"full", "valid", "same"}
        As in `convolve`.
    measure : bool
        Run and time both, instead of asking gpuconv's cost model.

    Returns
    -------
    method : {"direct", "fft"}
        "fft" for gpuconv's "fft" and "overlap", "direct" for "direct" and "separable".
    times : dict of str to float
        With `measure`: the seconds each took.

    Raises
    ------
    ValueError
        If dimensions or sizes do not fit, or `mode` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import gpuconv.signal as signal
    >>> signal.choose_conv_method(np.ones(100), np.ones(3))
    'direct'
    """
    pair = read_pair(in1, in2)
    if pair.only_scipy_computes:
        return hand_over("choose_conv_method", in1, in2, mode, measure)
    if measure:
        times = {
            method: min(timeit.repeat(lambda: convolve(in1, in2, mode, method), number=1, repeat=3))  # noqa: B023
            for method in ("fft", "direct")
        }
        return min(times, key=lambda method: times[method]), times
    if pair.ndim == 0:
        return "direct"
    pair = in_common_dtype(larger_first(pair, mode))
    plan = convolution.plan_convolution(pair.first, pair.second, mode=mode)
    return "fft" if plan.method in ("fft", "overlap") else "direct"


def correlation_lags(in1_len: int, in2_len: int, mode: str = "full") -> np.ndarray:
    """Lags of the samples that `correlate` returns for two lines, as `scipy.signal.correlation_lags`.

    ``lag[i] = start + i - (K - 1)``, where the mode's part of "full" begins at `start` and K is `in2_len`.

    Parameters
    ----------
    in1_len, in2_len : int
        Lengths of the lines.
    mode : {"full", "valid", "same"}
        The mode given to `correlate`.

    Returns
    -------
    numpy.ndarray, shape of the correlation
        In samples; integers.

    Raises
    ------
    ValueError
        If `mode` is unknown.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.correlation_lags(4, 3).tolist()
    [-2, -1, 0, 1, 2, 3]
    """
    if mode == "full":
        return np.arange(1 - in2_len, in1_len)
    if mode == "same":
        first = (in2_len - 1) // 2 - (in2_len - 1)
        return np.arange(first, first + in1_len)
    if mode == "valid":
        return np.arange(min(in1_len - in2_len, 0), max(in1_len - in2_len, 0) + 1)
    raise ValueError(refusal(f"Mode {mode} is invalid", f"got mode={mode!r}", "Use 'full', 'valid' or 'same'"))


# convolve and correlate.


def _convolve(pair: Pair, mode: Any, method: Any) -> Any:
    if pair.ndim == 0:
        return pair.first * pair.second
    if method not in _METHODS:
        rule = "Acceptable method flags are 'auto', 'direct', or 'fft'"
        raise ValueError(refusal(rule, f"got method={method!r}", "Choose one of these"))
    given = larger_first(pair, mode)
    pair = in_common_dtype(given)
    name = dtype_name(pair.first.dtype)
    if method == "fft" and is_integer(name):
        # Exactness comes before the method: a transform of large integers is not exact.
        method = "auto"
    elif method == "fft":
        pair = in_floating_dtype(given)
    one, other = pair.shapes
    if mode == "full" and prod(one) < prod(other):
        pair = pair.swapped()
    return cast(pair.home, convolution.convolve(pair.first, pair.second, mode=mode, method=method), name)


# fftconvolve and oaconvolve: some axes are convolved, the others broadcast.


def _convolve_along(pair: Pair, mode: Any, axes: Any, method: str) -> Any:
    check_mode(mode)
    if pair.ndim == 0:
        return pair.first * pair.second
    if pair.empty:
        floating = dtype_name(pair.home.xp.asarray([], device=pair.home.device).dtype)
        return zeros_from(pair.home, (0,), floating, pair.first, pair.second)
    one, other = pair.shapes
    # As in SciPy, an axis on which one input has a single sample is broadcast, not convolved.
    axes = tuple(axis for axis in read_transform_axes(axes, pair.ndim) if one[axis] != 1 and other[axis] != 1)
    for axis in set(range(pair.ndim)) - set(axes):
        if one[axis] != other[axis] and 1 not in (one[axis], other[axis]):
            rule = f"incompatible shapes for in1 and in2: {one} and {other}"
            fact = f"axis {axis} is not convolved and has neither equal sizes nor a size of 1"
            raise ValueError(refusal(rule, fact, "Name it in axes, or make the sizes equal"))
    pair = larger_first(pair, mode, axes)
    if not axes:
        return _middle(pair.first * pair.second, pair, mode, axes)
    return _middle(_full_along(in_floating_dtype(pair), axes, method), pair, mode, axes)


def _full_along(pair: Pair, axes: tuple[int, ...], method: str) -> Any:
    """The full convolution along `axes`, broadcast along the others."""
    others = [axis for axis in range(pair.ndim) if axis not in axes]
    # A convolution per kernel: the input that holds fewer of them, or is the smaller one, is the kernel.
    many = [(prod(shape[axis] for axis in others), prod(shape)) for shape in pair.shapes]
    if many[0] < many[1]:
        pair = pair.swapped()
    counts = [pair.shapes[1][axis] for axis in others]
    parts = []
    for position in np.ndindex(*counts):
        kernel_at: list[Any] = [slice(None)] * pair.ndim
        image_at: list[Any] = [slice(None)] * pair.ndim
        for axis, index, count in zip(others, position, counts, strict=True):
            kernel_at[axis] = index
            if count > 1 and pair.shapes[0][axis] > 1:
                image_at[axis] = slice(index, index + 1)
        image, kernel = pair.first[tuple(image_at)], pair.second[tuple(kernel_at)]
        parts.append(convolution.convolve(image, kernel, mode="full", axes=axes, method=method))
    return parts[0] if len(parts) == 1 else _assembled(pair.home.xp, parts, others, counts)


def _assembled(xp: Any, parts: list[Any], others: list[int], counts: list[int]) -> Any:
    """Put parts, one per position of the axes `others`, back in their places."""
    shape = tuple(parts[0].shape)
    grid = xp.reshape(xp.stack(parts, axis=0), (*counts, *shape))
    order: list[int] = []
    merged = list(shape)
    for axis, size in enumerate(shape):
        if axis in others:
            place = others.index(axis)
            order.append(place)
            merged[axis] = counts[place] * size
        order.append(len(others) + axis)
    return xp.reshape(xp.permute_dims(grid, tuple(order)), tuple(merged))


def _middle(full: Any, pair: Pair, mode: str, axes: tuple[int, ...]) -> Any:
    """The part of a full convolution that `mode` keeps. As in SciPy, "same" gives `in1` its shape on all axes."""
    one, other = pair.shapes
    kept = []
    for axis, size in enumerate(full.shape):
        count = size
        if mode == "same":
            count = one[axis]
        elif mode == "valid" and axis in axes:
            count = one[axis] - other[axis] + 1
        start = (size - count) // 2
        kept.append(slice(start, start + count))
    return full if mode == "full" else full[tuple(kept)]
