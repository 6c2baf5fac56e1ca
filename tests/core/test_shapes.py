"""Sizes: which values of the full convolution a mode keeps, and how outputs are cut into blocks."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from gpuconv.core.boundary import Span
from gpuconv.core.shapes import (
    blocks,
    convolution_span,
    extended_shape,
    kernel_shape_among,
    output_shape,
    read_mode,
    read_origin,
)
from tests import reference
from tests.cases import MODES


@pytest.mark.parametrize("mode", MODES)
def test_spans_read_what_the_definition_reads(mode):
    """Output i of full is made of positions i - K + 1 to i."""
    for size, taps in product((1, 2, 5, 9), (1, 2, 3, 4, 5, 12)):
        if mode == "valid" and taps > size:
            continue
        start = (taps - 1) // 2
        for origin in range(-start, taps - start) if mode == "same" else (0,):
            kept = reference.window(mode, size, taps, origin)
            span = convolution_span(3, size, taps, mode, origin, "wrap")
            assert (span.axis, span.size, span.taps, span.boundary) == (3, size, taps, "wrap")
            assert span.count == len(kept)
            assert span.first == kept.start - taps + 1
            assert span.length == len(kept) + taps - 1
            assert span.inside == (kept.start >= taps - 1 and kept.stop <= size)


def test_valid_never_reads_the_boundary():
    assert all(convolution_span(0, 9, taps, "valid", 0, "wrap").inside for taps in range(1, 10))


@pytest.mark.parametrize(("taps", "low", "high"), [(1, 0, 0), (2, 0, 1), (3, -1, 1), (4, -1, 2), (5, -2, 2)])
def test_origins_keep_the_centre_inside_the_kernel(taps, low, high):
    for origin in (low - 1, high + 1, 1000, -1000):
        with pytest.raises(
            ValueError, match=rf"origin must keep the centre inside .*Use an origin from {low} to {high}\."
        ):
            convolution_span(0, 9, taps, "same", origin, "wrap")
    assert convolution_span(0, 9, taps, "same", low, "wrap").first == 1 - taps
    assert convolution_span(0, 9, taps, "same", high, "wrap").first == 0


@pytest.mark.parametrize("mode", ["full", "valid"])
def test_origins_shift_the_window_of_same_only(mode):
    with pytest.raises(
        ValueError, match=f"origin shifts the window of mode='same' only: got origin 1 with mode='{mode}'"
    ):
        convolution_span(0, 9, 3, mode, 1, "wrap")


def test_valid_needs_a_kernel_no_longer_than_the_axis():
    with pytest.raises(ValueError, match="no longer than x on every axis: on axis 2 the kernel has 5 samples, x has 4"):
        convolution_span(2, 4, 5, "valid", 0, "constant")


@pytest.mark.parametrize("mode", MODES)
def test_a_kernel_without_samples_is_refused(mode):
    with pytest.raises(ValueError, match="kernel needs at least one sample per axis: it has none on axis 1 of x"):
        convolution_span(1, 4, 0, mode, 0, "constant")


def test_unknown_modes_and_origins_are_refused():
    assert [read_mode(mode) for mode in MODES] == list(MODES)
    with pytest.raises(ValueError, match="mode must be one of 'full', 'same', 'valid': got 'reflect'"):
        read_mode("reflect")
    with pytest.raises(TypeError, match="origin must be an integer: got 0.5"):
        read_origin("origin", 0.5)


def test_blocks_cover_every_output_once():
    spans = (convolution_span(0, 7, 3, "full", 0, "wrap"), convolution_span(2, 5, 4, "same", 0, "wrap"))
    written = np.zeros((9, 5), dtype=int)
    for parts in blocks(spans, (4, 2)):
        place = []
        for part, whole in zip(parts, spans, strict=True):
            start = part.first - whole.first
            assert 0 < part.count <= 4
            assert (part.axis, part.size, part.taps, part.boundary) == (whole.axis, whole.size, whole.taps, "wrap")
            place.append(slice(start, start + part.count))
        written[tuple(place)] += 1
    assert (written == 1).all()
    assert len(list(blocks(spans, (100, 100)))) == 1


def test_shapes_change_on_convolved_axes_only():
    spans = (Span(1, 5, 3, -1, 5, "wrap"), Span(3, 4, 4, 0, 1, "wrap"))
    assert output_shape((2, 5, 7, 4), spans) == (2, 5, 7, 1)
    assert extended_shape((2, 5, 7, 4), spans) == (2, 7, 7, 4)
    assert kernel_shape_among(4, spans) == (1, 3, 1, 4)
