"""Sums of equal taps on CUDA: every dtype, boundary, layout and reach, and the arithmetic of their launches."""

from __future__ import annotations

import itertools
from math import sqrt

import numpy as np
import pytest

from gpuconv.backends.cuda import box_plans, boxes, separable
from gpuconv.backends.cuda.launch import MAX_BLOCKS, MAX_SHARED
from gpuconv.core.boundary import BOUNDARIES
from gpuconv.core.dtypes import is_complex, is_integer
from tests.cuda.agreement import DTYPES, LAYOUTS, assert_agrees, emulated, image_of, span_of
from tests.cuda.emulation import EmulatedRuntime, EmulationError
from tests.cuda.recording import Sketch, recorded

# Rows; rows of many tiles; columns; channels; columns of a volume; few channels that are not side by side; one line.
SHAPES = (((5, 61), 1), ((2, 1900), 1), ((23, 40), 0), ((19, 13, 3), 1), ((4, 11, 35), 1), ((21,), 0), ((9, 5, 7), 0))


def taps_of(rng, count, dtype, *, complex_=False):
    """Equal weights as a primitive gets them: integers in the exact dtype of the result, others in double precision."""
    if is_integer(dtype):
        exact = {"uint64": "uint64", "int32": "int64", "uint32": "int64", "int64": "int64"}.get(dtype, "int32")
        return np.full(count, rng.integers(1, 9), exact)
    return np.full(count, rng.standard_normal() + (1j * rng.standard_normal() if complex_ else 0))


def agree(x, weights, span, **options):
    """Without the border between boxes and other taps."""

    def correlate(x, weights, spans, cval, result):
        return boxes.correlate_box(x, weights, spans[0], cval, result=result)

    return assert_agrees("correlate_axis", correlate, x, weights, (span,), terms=span.taps, **options)


@emulated
@pytest.mark.parametrize("position, dtype", list(enumerate(DTYPES)))
def test_every_dtype_agrees_with_the_definition(rng, position, dtype):
    boundary = BOUNDARIES[position % len(BOUNDARIES)]
    for shape, axis in SHAPES:
        x = image_of(rng, shape, dtype)
        for taps in (7, 24, 33, 90):
            span = span_of(axis, shape[axis], taps, boundary)
            agree(x, taps_of(rng, taps, dtype), span, cval=3, case=(shape, axis, taps, boundary))
