"""Over windows and channels of NumPy arrays: complex numbers as channels of real ones, ways back as ways there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import gcd, prod
from typing import Any

import numpy as np

from gpuconv.backends.cpu import compiled
from gpuconv.backends.cpu.channels_products import correlate_products, weigh_products
from gpuconv.backends.cpu.lines import correlate_axis
from gpuconv.backends.cpu.windows import correlate_windows
from gpuconv.backends.generic.channels import ChannelsProblem, counts_among, taps_among, transposed
from gpuconv.core.boundary import Span, fold_all
from gpuconv.core.namespace import home_of

# Output channels of a group below which each is better off alone: tiles of channels would be nearly empty.
FEW = 4


def why_not(problem: ChannelsProblem) -> str | None:
    """None: float32, float64, complex64, complex128 and integers are all summed here."""
    return None


def correlate_channels(
    x: np.ndarray,
    kernel: np.ndarray,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    cval: Any,
) -> np.ndarray:
    """``y[b, o, i] = sum_{c, j} kernel[o, c, j] x~[b, c, first + stride i + dilation j]``, c over the group of o."""
    kernel = kernel.astype(kernel_dtype(x.dtype, kernel.dtype), copy=False)
    if kernel.dtype.kind != "c" and x.dtype.kind != "c":
        return correlate_real(x, kernel, spans, strides, dilations, groups, cval)
    if kernel.dtype.kind != "c":  # both parts of every image are images
        fill = complex(cval)
        parts = [
            correlate_real(part, kernel, spans, strides, dilations, groups, value)
            for part, value in ((x.real, fill.real), (x.imag, fill.imag))
        ]
    elif x.dtype.kind != "c":
        parts = [
            correlate_real(x, part, spans, strides, dilations, groups, cval) for part in (kernel.real, kernel.imag)
        ]
    else:
        return _correlate_complex(x, kernel, spans, strides, dilations, groups, complex(cval))
    return _joined(*parts)


def correlate_real(
    x: np.ndarray,
    kernel: np.ndarray,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    cval: Any,
) -> np.ndarray:
    """The same of real numbers: compiled loops for large work, else matrix products."""
    if x.dtype.kind in "iu":
        x = x.astype(kernel.dtype, copy=False)
    positions = x.shape[0] * prod(counts_among(spans, strides))
    per_output = positions * prod(kernel.shape[1:])
    is_plain = kernel.shape[1] == 1 and set(strides) | set(dilations) == {1}
    if is_plain and kernel.shape[0] < FEW * groups and compiled.why_not(per_output, x.dtype) is None:
        return _one_by_one(x, kernel, spans, cval)
    if compiled.why_not(per_output * kernel.shape[0], x.dtype) is None:
        from gpuconv.backends.cpu.channels_dense import correlate_dense

        return correlate_dense(x, kernel, spans, strides, dilations, groups, cval)
    return correlate_products(x, kernel, spans, strides, dilations, groups, cval)


def _one_by_one(x: np.ndarray, kernel: np.ndarray, spans: Sequence[Span], cval: Any) -> np.ndarray:
    """Every output channel has one input channel, and is a plain correlation of that."""
    result = np.empty((x.shape[0], kernel.shape[0], *(span.count for span in spans)), x.dtype)
    within = tuple(replace(span, axis=span.axis - 1) for span in spans)
    several = kernel.shape[0] // x.shape[1]
    for output in range(kernel.shape[0]):
        image, weights = x[:, output // several], kernel[output, 0]
        if len(within) == 1:
            result[:, output] = correlate_axis(image, weights, (within[0],), cval)
        else:
            result[:, output] = correlate_windows(image, weights, within, cval)
    return result


def _correlate_complex(
    x: np.ndarray,
    kernel: np.ndarray,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    cval: complex,
) -> np.ndarray:
    """Four real correlations; the products of one part of x are summed at a time, as its fill value may be its own."""
    options = spans, strides, dilations, groups
    real = correlate_real(x.real, kernel.real, *options, cval.real)
    real -= correlate_real(x.imag, kernel.imag, *options, cval.imag)
    imaginary = correlate_real(x.imag, kernel.real, *options, cval.imag)
    imaginary += correlate_real(x.real, kernel.imag, *options, cval.real)
    return _joined(real, imaginary)


def channels_input_adjoint(
    y: np.ndarray,
    kernel: np.ndarray,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> np.ndarray:
    """The x for which ``<x, x'> = <y, correlate_channels(x', kernel)>`` for every x', with a fill value of zero.

    The samples at one distance modulo the strides meet the same taps: each such part is a correlation of `y` without
    strides, with every so-many-th tap. No zeros are put between the samples of `y`.
    """
    kernel = transposed(kernel.astype(kernel_dtype(y.dtype, kernel.dtype), copy=False), groups)
    dtype = np.result_type(y.dtype, kernel.dtype)
    shape = (y.shape[0], kernel.shape[0])
    extended = np.empty((*shape, *(span.length for span in spans)), dtype)
    axes = [_parts(*numbers) for numbers in zip(spans, strides, dilations, strict=True)]
    for choice in product(*axes):
        place = (slice(None), slice(None), *(part.place for part in choice))
        if any(part.taps is None for part in choice):
            extended[place] = 0
            continue
        weights = kernel[(slice(None), slice(None), *(part.taps for part in choice))]
        ones, steps = (1,) * len(spans), [part.dilation for part in choice]
        extended[place] = correlate_channels(y, weights, [part.span for part in choice], ones, steps, groups, 0)
    return fold_all(home_of(y).xp, extended, spans)


@dataclass(frozen=True)
class _Part:
    """Samples of the extended axis that meet the same taps: where they are, which taps (None if none), and how."""

    place: slice
    taps: slice | None
    dilation: int
    span: Span


def _parts(span: Span, stride: int, dilation: int) -> list[_Part]:
    """``x[p] = sum of k[j] y[i]`` over ``stride i + dilation j = p``, sorted by p modulo the stride.

    With c the common divisor of both, taps ``j0, j0 + stride / c, ...`` meet ``p = phase + stride q``, and of y the
    samples ``q + (phase - dilation j0) / stride``, less dilation / c for each further tap.
    """
    (count,), (size,) = counts_among([span], [stride]), taps_among([span], [dilation])
    common = gcd(stride, dilation)
    step, distance = stride // common, dilation // common
    parts = []
    for phase in range(min(stride, span.length)):
        place = slice(phase, None, stride)
        first_tap = next((j for j in range(min(step, size)) if (phase - dilation * j) % stride == 0), None)
        if first_tap is None:
            parts.append(_Part(place, None, 1, span))
            continue
        further = (size - 1 - first_tap) // step
        last_tap = first_tap + further * step
        start = (phase - dilation * first_tap) // stride - further * distance
        samples = len(range(phase, span.length, stride))
        reads = Span(span.axis, count, further * distance + 1, start, samples, "constant")
        # The taps come in reverse order.
        parts.append(_Part(place, slice(size - 1 - last_tap, size - first_tap, step), distance, reads))
    return parts


def channels_weight_adjoint(
    x: np.ndarray,
    y: np.ndarray,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    cval: Any,
) -> np.ndarray:
    """``kernel[o, c, j] = sum_{b, i} conj(x~[b, c, first + stride i + dilation j]) y[b, o, i]``."""
    options = spans, strides, dilations, groups
    if x.dtype.kind != "c":
        if y.dtype.kind != "c":
            return weigh_products(x, y, *options, cval)
        return _joined(weigh_products(x, y.real, *options, cval), weigh_products(x, y.imag, *options, cval))
    fill = complex(cval)
    if y.dtype.kind != "c":
        return _joined(weigh_products(x.real, y, *options, fill.real), weigh_products(-x.imag, y, *options, -fill.imag))
    real = weigh_products(x.real, y.real, *options, fill.real)
    real += weigh_products(x.imag, y.imag, *options, fill.imag)
    imaginary = weigh_products(x.real, y.imag, *options, fill.real)
    imaginary -= weigh_products(x.imag, y.real, *options, fill.imag)
    return _joined(real, imaginary)


def kernel_dtype(x: np.dtype, kernel: np.dtype) -> np.dtype:
    """The dtype in which weights meet samples of `x`: complex only if they are."""
    if x.kind in "iu":
        return kernel
    single = x.itemsize == (8 if x.kind == "c" else 4)
    name = "complex" if kernel.kind == "c" else "float"
    return np.dtype(f"{name}{(32 if single else 64) * (2 if kernel.kind == 'c' else 1)}")


def _joined(real: np.ndarray, imaginary: np.ndarray) -> np.ndarray:
    result = np.empty(real.shape, np.result_type(real.dtype, np.complex64))
    result.real, result.imag = real, imaginary
    return result
