"""Sizes of convolutions as plain ints: modes, origins, spans and blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from gpuconv.core.arguments import read_choice, read_integer, refusal
from gpuconv.core.boundary import Span

MODES = ("full", "same", "valid")


def read_mode(mode: Any) -> str:
    return read_choice("mode", mode, MODES)


def read_origin(name: str, origin: Any) -> int:
    return read_integer(name, origin)


def convolution_span(axis: int, size: int, taps: int, mode: str, origin: int, boundary: str) -> Span:
    """Span of one axis of a convolution.

    With ``full[i] = sum_m k[m] x~[i - m]``, ``0 <= i < size + taps - 1``, "same" keeps `size` values from
    ``(taps - 1) // 2 + origin``, and "valid" keeps ``full[taps - 1 : size]``, which read no boundary.
    """
    if taps == 0:
        raise ValueError(
            refusal(
                "kernel needs at least one sample per axis",
                f"it has none on axis {axis} of x",
                "Check the kernel's shape",
            )
        )
    if origin and mode != "same":
        raise ValueError(
            refusal(
                "origin shifts the window of mode='same' only",
                f"got origin {origin} with mode={mode!r}",
                "Leave origin at 0, or use mode='same'",
            )
        )
    if mode == "full":
        return Span(axis, size, taps, 1 - taps, max(size + taps - 1, 0), boundary)
    if mode == "valid":
        if taps > size:
            raise ValueError(
                refusal(
                    "mode='valid' needs a kernel no longer than x on every axis",
                    f"on axis {axis} the kernel has {taps} samples, x has {size}",
                    "Use mode='same' or 'full', or swap the arguments",
                )
            )
        return Span(axis, size, taps, 0, size - taps + 1, boundary)
    start = (taps - 1) // 2 + origin
    if not 0 <= start < taps:
        low, high = -((taps - 1) // 2), taps - 1 - (taps - 1) // 2
        raise ValueError(
            refusal(
                "origin must keep the centre inside the kernel, 0 <= (K - 1)//2 + origin < K",
                f"got origin {origin} for {taps} samples on axis {axis}",
                f"Use an origin from {low} to {high}",
            )
        )
    return Span(axis, size, taps, start - (taps - 1), size, boundary)


def output_shape(shape: Sequence[int], spans: Sequence[Span]) -> tuple[int, ...]:
    """Shape of an array after the spans have been applied."""
    result = list(shape)
    for span in spans:
        result[span.axis] = span.count
    return tuple(result)


def extended_shape(shape: Sequence[int], spans: Sequence[Span]) -> tuple[int, ...]:
    """Shape of the extended array that the spans read."""
    result = list(shape)
    for span in spans:
        result[span.axis] = span.length
    return tuple(result)


def blocks(spans: Sequence[Span], sizes: Sequence[int]) -> Iterator[tuple[Span, ...]]:
    """Spans cut into blocks of at most `sizes` outputs, last axis fastest."""
    cuts = [
        [span.part(start, min(size, span.count - start)) for start in range(0, span.count, size)]
        for span, size in zip(spans, sizes, strict=True)
    ]
    return product(*cuts)


def kernel_shape_among(ndim: int, spans: Sequence[Span]) -> tuple[int, ...]:
    """Shape of a kernel with one dimension per dimension of x: its taps on convolved axes, 1 elsewhere."""
    shape = [1] * ndim
    for span in spans:
        shape[span.axis] = span.taps
    return tuple(shape)
