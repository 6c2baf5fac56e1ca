"""Transforms for those who work in the Fourier domain: poses the problem, and has a backend run it.

`x` is an array that `core.namespace` has read, `axes` are distinct non-negative ints in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpuconv.backends import registry
from gpuconv.core.dtypes import complex_of, convolution_dtypes, is_complex
from gpuconv.core.namespace import Home, cast, chunks_of, dtype_in, dtype_name, home_of, zeros_from
from gpuconv.core.problem import TransformProblem


def forward(x: Any, axes: Sequence[int], lengths: Sequence[int] | None = None) -> Any:
    """``X[k] = sum_n x[n] exp(-2 pi i k n / N)`` over `axes`; of real `x`, half of the last of `axes`.

    Parameters
    ----------
    x : array
        Integers and two-byte floats are transformed in float32 or float64, by the rules of `convolve`.
    axes : sequence of int
        Of real `x`, the last one gets ``N // 2 + 1`` frequencies, the others N.
    lengths : sequence of int, optional
        N of each of `axes`: `x` is cut, or filled up with zeros behind. Default: its shape.

    Returns
    -------
    array
        complex64 or complex128.
    """
    home, axes = home_of(x), tuple(axes)
    name = convolution_dtypes(dtype_name(x.dtype), ("float64", 1)).accumulator
    lengths = tuple(x.shape[axis] for axis in axes) if lengths is None else tuple(lengths)
    problem = _pose(x, home, name, axes, lengths)
    if 0 in lengths or 0 in x.shape:
        half = lengths[-1] if is_complex(name) else min(lengths[-1], lengths[-1] // 2 + 1)
        return zeros_from(home, _with(x.shape, axes, (*lengths[:-1], half)), complex_of(name), x)
    return registry.select("fourier_forward", problem)(cast(home, x, name), axes, lengths)


def inverse(spectrum: Any, axes: Sequence[int], lengths: Sequence[int], dtype: str) -> Any:
    """``x[n] = sum_k X[k] exp(2 pi i k n / N) / N`` over `axes`, the inverse of `forward`.

    Parameters
    ----------
    spectrum : array
        As `forward` gives it: of half the last of `axes` if `dtype` is real.
    axes : sequence of int
    lengths : sequence of int
        Samples of the result on each of `axes`.
    dtype : str
        Name of the result's dtype; what is narrower than float32 is transformed in float32 and rounded once.
    """
    home, axes, lengths = home_of(spectrum), tuple(axes), tuple(lengths)
    name = convolution_dtypes(dtype, ("float64", 1)).accumulator
    problem = _pose(spectrum, home, name, axes, lengths)
    if 0 in lengths or 0 in spectrum.shape:
        return zeros_from(home, _with(spectrum.shape, axes, lengths), dtype, spectrum)
    spectrum = cast(home, spectrum, complex_of(name))
    return cast(home, registry.select("fourier_inverse", problem)(spectrum, axes, lengths, name), dtype)


def cosine(x: Any, axis: int, kind: str = "dct", inverse: bool = False) -> Any:
    """``X[k] = a[k] sum_n x[n] cos(pi k (n + 1/2) / N)`` along `axis`, orthonormal: DCT-II, or DST-II for "dst".

    ``a[k] = sqrt(2/N)``, and ``sqrt(1/N)`` for k = 0. The sine transform has ``sin(pi (k + 1) (n + 1/2) / N)``, and
    the smaller factor for ``k = N - 1``.

    Parameters
    ----------
    x : array
        Integers and two-byte floats are transformed in float32 or float64; complex samples part by part.
    axis : int
        Non-negative.
    kind : {"dct", "dst"}
    inverse : bool
        True for the transpose, which is the inverse.

    Returns
    -------
    array
        Shape of `x`.
    """
    home = home_of(x)
    name = convolution_dtypes(dtype_name(x.dtype), ("float64", 1)).accumulator
    problem = _pose(x, home, name, (axis,), (x.shape[axis],))
    if 0 in x.shape:
        return zeros_from(home, x.shape, name, x)
    return registry.select("cosine_transform", problem)(cast(home, x, name), axis, kind, inverse)


def _pose(x: Any, home: Home, name: str, axes: tuple[int, ...], lengths: tuple[int, ...]) -> TransformProblem:
    dtype_in(home, name)
    chunks_of(x, home)
    return TransformProblem(home.library, str(home.device), home.traced, tuple(x.shape), name, axes, lengths)


def _with(shape: Sequence[int], axes: tuple[int, ...], lengths: Sequence[int]) -> tuple[int, ...]:
    sizes = dict(zip(axes, lengths, strict=True))
    return tuple(sizes.get(axis, size) for axis, size in enumerate(shape))
