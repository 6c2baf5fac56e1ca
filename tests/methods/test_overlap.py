"""Overlap-save: blocks leave no seams, and bound the memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import gpuconv
from gpuconv.backends.cpu import fourier
from gpuconv.core.boundary import Span
from gpuconv.core.frequencies import fast_length
from gpuconv.methods import overlap
from gpuconv.methods.fft import norm_bound
from tests import reference
from tests.assertions import assert_close
from tests.blocks import blocks_of, short_blocks
from tests.cases import BOUNDARIES, draw
from tests.libraries import make, to_numpy


@pytest.mark.parametrize("backend", [None, "generic"])
def test_impulse_in_kernel_out_across_block_borders(backend):
    """At every offset: an impulse may fall on any sample of a block, and on the first and last."""
    kernel = np.array([3.0, -1.0, 4.0, 1.0, 5.0])
    with gpuconv.use_backend(backend), short_blocks():
        plan = gpuconv.plan_convolution(np.zeros(30), kernel, mode="full", method="overlap")
        assert blocks_of(plan)[0] >= 4
        for offset in range(30):
            impulse = np.zeros(30)
            impulse[offset] = 1
            expected = np.zeros(34)
            expected[offset : offset + 5] = kernel
            result = plan.execute(impulse, kernel)
            assert_close(result, expected, tolerance=reference.spectral_bound(2.0**-52, 10, impulse, kernel))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_many_blocks_follow_the_definition(xp, boundary):
    x, kernel = draw((17, 2, 12), "float32", "x"), draw((4, 3), "float64", "kernel")
    options = {"boundary": boundary, "axes": (2, 0), "origin": (1, -1)}
    with short_blocks():
        plan = gpuconv.plan_convolution(make(xp, x), kernel, method="overlap", **options)
        result = plan.execute(make(xp, x), kernel, cval=1.5)
    if not plan.problem.chunks:
        assert min(blocks_of(plan)) > 1
    expected = reference.convolve(x, kernel, cval=1.5, **options)
    read = np.append(x, np.full(200, 1.5))
    assert_close(result, expected, tolerance=4 * reference.spectral_bound(2.0**-23, 16 * 8, read, kernel))


def test_a_bright_block_does_not_reach_dim_ones_beyond_its_neighbours():
    """The error of a block is relative to that block: the reason to prefer short ones."""
    x = np.full(400, 1e-3, dtype=np.float32)
    x[:20] = 1e6
    kernel = np.full(8, 1 / 8)
    with short_blocks():
        result = gpuconv.convolve(x, kernel, method="overlap")
    far = result[60:-8]
    assert np.abs(far - 1e-3).max() < 100 * 2.0**-23 * 1e-3


def test_every_candidate_is_longer_than_the_kernel_and_no_longer_than_all():
    for shape, taps in (((1000,), (7,)), ((5,), (400,)), ((300, 5), (4, 40)), ((40, 50, 60), (3, 4, 5))):
        problem = gpuconv.plan_convolution(np.zeros(shape), np.zeros(taps), mode="full").problem
        for lengths in overlap.candidates(problem):
            for length, span in zip(lengths, problem.spans, strict=True):
                assert length >= span.taps
        assert overlap.estimate(problem).lengths in overlap.candidates(problem)


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_integers_are_exact_in_blocks(xp, dtype):
    """Blocks are short enough for integers whose whole is not."""
    x, kernel = draw((50,), dtype, "x"), draw((6,), "int8", "kernel")
    with short_blocks():
        result = gpuconv.convolve(make(xp, x), kernel, method="overlap", boundary="wrap")
    assert to_numpy(result).tolist() == reference.convolve(x, kernel, boundary="wrap").tolist()


def test_blocks_need_less_memory_than_one_transform():
    x, kernel = np.zeros((2048, 2048), np.float32), np.zeros((31, 31))
    estimates = dict(gpuconv.plan_convolution(x, kernel).estimates)
    assert estimates["overlap"].memory < estimates["fft"].memory / 2


@pytest.mark.parametrize("dtype", ["float32", "complex128", "uint8"])
def test_blocks_transformed_together_give_what_single_ones_give(dtype, rng, monkeypatch):
    """On NumPy arrays several blocks of one axis are rows of one transform; NaN stays in the footprint all the same."""

    kernel = rng.integers(-9, 9, 40) if dtype == "uint8" else rng.normal(size=40)
    for shape, axis in (((3000,), 0), ((2, 1500), 1), ((1500, 2, 3), 0)):
        x = rng.integers(0, 200, shape).astype(dtype)
        images = [x]
        if dtype != "uint8":
            images.append(x.copy())
            images[1].flat[x.size // 2] = np.nan
        for image, boundary in itertools.product(images, ("reflect", "constant")):
            spans = (Span(axis, shape[axis], 40, -20, shape[axis], boundary),)
            monkeypatch.setattr(fourier, "blocks_together", lambda lines, length: 1)
            expected = fourier.correlate_fourier(image, kernel, spans, 2, (128,))
            monkeypatch.setattr(fourier, "blocks_together", lambda lines, length: 5)
            result = fourier.correlate_fourier(image, kernel, spans, 2, (128,))
            assert result.dtype == expected.dtype
            assert np.array_equal(np.isnan(result), np.isnan(expected))
            if dtype == "uint8":
                assert np.array_equal(result, expected)
            else:
                bound = norm_bound(128, dtype) * 200 * np.sqrt(128) * np.linalg.norm(kernel)
                np.testing.assert_allclose(result, expected, rtol=0, atol=bound)


@pytest.mark.parametrize(("shape", "size"), [((2048, 2048), (63, 63)), ((700, 90), (31, 5)), ((90, 80, 70), (9, 5, 3))])
def test_blocks_of_several_axes_are_evenly_filled(shape, size):
    """No fast length is shorter and needs as few blocks; on NumPy arrays blocks stay in the cache."""
    problem = gpuconv.plan_convolution(np.zeros(shape, np.float32), np.zeros(size), boundary="reflect").problem
    found = overlap.candidates(problem)
    assert len(found) > 1
    for lengths in found:
        count = overlap.block_count(problem, lengths)
        for axis, length in enumerate(lengths):
            shorter = fast_length_below(length)
            tried = (*lengths[:axis], shorter, *lengths[axis + 1 :])
            assert shorter < size[axis] or overlap.block_count(problem, tried) > count, (lengths, axis)
        assert np.prod(lengths) <= 2 * overlap.LARGEST_CACHED


def fast_length_below(length):
    return next((n for n in range(length - 1, 0, -1) if fast_length(n) == n), 0)


@pytest.mark.parametrize("dtype", ["float32", "complex128", "uint8"])
def test_many_calls_give_the_same_bits_for_any_number_of_threads(dtype, rng, monkeypatch):
    """Two calls at a time where there are threads for them; blocks that are not finite are among them."""
    kernel = rng.integers(-9, 9, 40) if dtype == "uint8" else rng.normal(size=40)
    monkeypatch.setattr(fourier, "blocks_together", lambda lines, length: 5)
    try:
        for shape, axis in (((9000,), 0), ((5, 4700), 1), ((4700, 2, 2), 0)):
            x = rng.integers(0, 200, shape).astype(dtype)
            if dtype != "uint8":
                x.flat[x.size // 2] = np.nan
            spans = (Span(axis, shape[axis], 40, -20, shape[axis], "wrap"),)
            gpuconv.set_threads(1)
            expected = fourier.correlate_fourier(x, kernel, spans, 0, (128,))
            for threads in (2, 5):
                gpuconv.set_threads(threads)
                result = fourier.correlate_fourier(x, kernel, spans, 0, (128,))
                assert np.array_equal(result, expected, equal_nan=dtype != "uint8")
    finally:
        gpuconv.set_threads(None)
