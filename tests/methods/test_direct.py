"""The definition carried out: its error is local, and no larger than the plan prints."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from tests import reference
from tests.cases import draw
from tests.libraries import make, name_of, to_numpy


def excess(x, kernel, result, plan, **options):
    """Largest error in terms of the printed bound."""
    assert plan.error.endswith("sum |k||x|, locally")
    bound = float(plan.error.split()[0])
    expected = reference.convolve(x, kernel, **options)
    return (np.abs(to_numpy(result) - expected) / (bound * reference.magnitude(x, kernel, **options))).max()


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize(("shape", "kernel_shape"), [((40,), (25,)), ((12, 13), (6, 5)), ((5, 6, 7), (3, 3, 3))])
def test_errors_stay_within_the_printed_bound(xp, shape, kernel_shape, dtype):
    x, kernel = draw(shape, dtype, "x"), draw(kernel_shape, "float32", "kernel")
    plan = gpuconv.plan_convolution(make(xp, x), kernel, method="direct", boundary="reflect")
    assert excess(x, kernel, plan.execute(make(xp, x), kernel), plan, boundary="reflect") <= 1


@pytest.mark.parametrize("shape", [(20000,), (101, 101), (25, 25, 25)])
def test_flat_images_stay_within_the_printed_bound(xp, shape):
    """The worst case in practice: where all terms are alike, all roundings may point the same way."""
    x = np.full(shape, 0.1, dtype=np.float32)
    kernel = np.full(shape, 1 / x.size)
    plan = gpuconv.plan_convolution(make(xp, x), kernel, method="direct", mode="valid")
    result = to_numpy(plan.execute(make(xp, x), kernel)).astype(np.float64)
    exact = float(x.flat[0]) * x.size * float(kernel.flat[0])
    assert np.abs(result - exact).max() <= float(plan.error.split()[0]) * exact


def test_integers_are_exact_and_the_plan_says_so(xp):
    x, kernel = draw((9, 9), "uint8", "x"), draw((4, 3), "int8", "kernel")
    plan = gpuconv.plan_convolution(make(xp, x), kernel, method="direct")
    assert plan.error == "exact"
    assert to_numpy(plan.execute(make(xp, x), kernel)).tolist() == reference.convolve(x, kernel).tolist()


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_64_bit_integers_are_exact_to_the_last_bit(xp, dtype):
    """Beyond 2**53 double precision, and with it SciPy's loops, would round."""
    if dtype == "uint64" and name_of(xp) == "torch":
        pytest.skip("torch has no arithmetic in uint64")
    largest = np.iinfo(dtype).max
    x = np.array([largest - 2, 1, 2**53 + 1, 0, largest // 3], dtype=dtype)
    for taps in ([1, 0, 0, 0, 0, 1], [0, 1]):
        kernel = np.array(taps, dtype=np.uint8 if dtype == "uint64" else np.int8)
        result = gpuconv.convolve(make(xp, x), kernel, mode="full", method="direct")
        assert to_numpy(result).tolist() == reference.convolve(x, kernel, mode="full").tolist()
    halves = np.array([largest // 2, largest // 2, 1], dtype=dtype)
    result = gpuconv.convolve(make(xp, halves), np.ones(2, kernel.dtype), mode="valid", method="direct")
    assert to_numpy(result).tolist() == [largest - 1, largest // 2 + 1]


def test_large_unsigned_taps_are_exact(xp):
    if name_of(xp) == "torch":
        pytest.skip("torch has no arithmetic in uint64")
    x, kernel = np.array([1, 0, 1], dtype=np.uint64), np.array([2**63 + 1, 2**63 - 5, 3], dtype=np.uint64)
    result = gpuconv.convolve(make(xp, x), kernel, mode="full")
    assert to_numpy(result).tolist() == reference.convolve(x, kernel, mode="full").tolist()


@pytest.mark.parametrize("taps", [[1e-17, 2e-17, 3e-17], [1e-17, 0.0, -3e-17], [1.0, 1e-16, 1e-17], [1e-300, 0, 0]])
def test_small_taps_are_neither_dropped_nor_taken_for_symmetric(xp, taps):
    """scipy.ndimage drops taps below 2.2e-16 and calls such taps symmetric; the definition knows no smallest tap."""
    x = draw((9,), "float64", "x")
    for kernel in (np.array(taps), np.array([taps, taps[::-1]]).T):
        image = x if kernel.ndim == 1 else np.stack([x, x[::-1]])
        result = gpuconv.convolve(make(xp, image), kernel, method="direct", boundary="reflect")
        expected = reference.convolve(image, kernel, boundary="reflect")
        scale = reference.magnitude(image, kernel, boundary="reflect")
        assert (np.abs(to_numpy(result) - expected) <= 8 * 2.0**-52 * scale).all()


def test_a_reach_far_beyond_the_axis_is_read_right():
    """scipy.ndimage.correlate reads out of bounds there (reflect, reach of four lengths or more)."""
    for boundary in ("reflect", "mirror", "nearest", "wrap"):
        for size, taps in ((1, 40), (2, 41), (3, 64)):
            x, kernel = draw((size,), "float64", "x"), draw((taps,), "float64", "kernel")
            expected = reference.convolve(x, kernel, boundary=boundary)
            result = gpuconv.convolve(x, kernel, boundary=boundary, method="direct")
            np.testing.assert_allclose(result, expected, rtol=1e-12)
            square = gpuconv.convolve(np.outer(x, x), np.outer(kernel, kernel), boundary=boundary, method="direct")
            np.testing.assert_allclose(square, np.outer(expected, expected), rtol=1e-11)
