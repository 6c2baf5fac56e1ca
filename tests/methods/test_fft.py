"""The Fourier methods: exact for integers up to the limit they state, and within their bound for the rest."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import gpuconv
from gpuconv.methods import fft
from tests.assertions import assert_close
from tests.libraries import make, to_numpy


def extremes(rng, count, low, high):
    """Rows at the ends of a range: flat, alternating, half and half, and at random."""
    yield np.full(count, high)
    yield np.full(count, low)
    yield np.where(np.arange(count) % 2, low, high)
    yield np.where(np.arange(count) < count // 2, low, high)
    yield from rng.choice([low, high], size=(3, count))


@pytest.mark.parametrize("backend", [None, "generic"])
@pytest.mark.parametrize(("dtype", "size"), [("int32", 50), ("uint32", 600), ("int16", 2000), ("uint8", 60000)])
def test_integers_are_exact_up_to_the_last_kernel_that_is_allowed(dtype, size, backend, rng):
    """Taps grow until the planner refuses; the largest it takes is tried with the worst samples and signs."""
    taps = 16
    information = np.iinfo(dtype)
    x = np.zeros(size, dtype=dtype)
    limit = None
    for bits in range(1, 40):
        kernel = np.full(taps, 2**bits - 1, dtype=np.int64)
        entry = dict(gpuconv.plan_convolution(x, kernel).estimates)["fft"]
        if isinstance(entry, str):
            assert "integers must be exact" in entry
            break
        limit = 2**bits - 1
    assert limit is not None
    kernels = [np.array(row, dtype=np.int64) for row in extremes(rng, taps, -limit, limit)]
    images = [np.array(row, dtype=dtype) for row in extremes(rng, size, information.min, information.max)]
    with gpuconv.use_backend(backend):
        for image, kernel in itertools.product(images, kernels):
            result = gpuconv.convolve(image, kernel, mode="full", method="fft")
            assert result.dtype == np.int64
            assert np.array_equal(result, np.convolve(image.astype(np.int64), kernel))


@pytest.mark.parametrize("method", ["fft", "overlap"])
def test_integers_stay_integers_on_every_library(xp, method, rng):
    x, kernel = rng.integers(0, 256, (9, 10), dtype=np.uint8), rng.integers(-128, 128, (4, 3), dtype=np.int8)
    result = gpuconv.convolve(make(xp, x), kernel, method=method, boundary="wrap")
    assert to_numpy(result).dtype == np.int32
    direct = gpuconv.convolve(x, kernel, method="direct", boundary="wrap")
    assert to_numpy(result).tolist() == direct.tolist()


@pytest.mark.parametrize("backend", [None, "generic"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(3000,), (60, 45), (12, 15, 18)])
def test_errors_stay_within_the_bound_that_the_plan_prints(dtype, shape, backend, rng):
    """Against the same sum in extended precision."""
    ndim = len(shape)
    x = rng.normal(size=shape).astype(dtype)
    kernel = rng.normal(size=(9, 7, 5)[:ndim])
    if np.iscomplexobj(x):
        x = x + 1j * rng.normal(size=shape).astype(x.real.dtype)
        kernel = kernel + 1j * rng.normal(size=kernel.shape)
    for scale in (1.0, 1e-20, 1e12):
        scaled = (x * scale).astype(dtype)
        plan = gpuconv.plan_convolution(scaled, kernel, mode="full", method="fft")
        bound = float(plan.error.split()[0])
        assert "not locally" in plan.error
        with gpuconv.use_backend(backend):
            result = plan.execute(scaled, kernel)
        exact = np.zeros(result.shape, np.clongdouble if np.iscomplexobj(x) else np.longdouble)
        for tap in np.ndindex(kernel.shape):
            window = tuple(slice(m, m + n) for m, n in zip(tap, shape, strict=True))
            exact[window] += scaled.astype(exact.dtype) * kernel[tap]
        error = np.abs(result - exact).max()
        assert error <= bound * np.linalg.norm(scaled.astype(complex)) * np.linalg.norm(kernel)


def test_the_bound_grows_with_the_logarithm_of_the_block():
    theorem = (6 + 3 * 5**0.5) / 2  # of three transforms, in eps (Percival 2003, theorem 5.1)
    assert fft.norm_bound(2**10, "float64") >= theorem * 10 * 2.0**-52
    assert fft.norm_bound(2**20, "float64") == 2 * fft.norm_bound(2**10, "float64")
    assert fft.norm_bound(2**10, "float32") == 2.0**29 * fft.norm_bound(2**10, "float64")


def test_dim_regions_lose_digits_beside_bright_ones_and_the_plan_says_so():
    """The example of the documentation: 1e-3 beside 1e6 in single precision."""
    x = np.full(4096, 1e-3, dtype=np.float32)
    x[:100] = 1e6
    kernel = np.full(301, 1 / 301)
    plan = gpuconv.plan_convolution(x, kernel, method="fft")
    error = np.abs(plan.execute(x, kernel)[400:-200] - 1e-3).max()
    assert error > 1e-5, "the example shows nothing"
    assert error <= float(plan.error.split()[0]) * np.linalg.norm(x.astype(float)) * np.linalg.norm(kernel)


@pytest.mark.parametrize("method", ["fft", "overlap"])
@pytest.mark.parametrize(("dtype", "large"), [("float32", 3e38), ("float64", 1.7e308), ("complex64", 2e38)])
def test_finite_samples_near_the_end_of_the_range_stay_finite(xp, dtype, large, method):
    """A sum over the block overflows; the results do not."""
    x = make(xp, np.full(64, large), dtype=dtype)
    result = gpuconv.convolve(x, np.full(3, 0.1), method=method)
    expected = np.full(64, 0.3) * large
    expected[[0, -1]] *= 2 / 3
    assert_close(result, expected, tolerance=1e-5 * large if dtype != "float64" else 1e-14 * large)


@pytest.mark.parametrize("method", ["fft", "overlap"])
@pytest.mark.parametrize(
    ("shape", "taps"),
    [((4096,), (65,)), ((300_000,), (20_001,)), ((40_000,), (33,)), ((2, 3000), (1, 9)), ((512, 512), (5, 4))],
)
@pytest.mark.parametrize(("dtype", "large"), [("float32", 1e37), ("float64", 1e307), ("complex64", 1e37)])
def test_one_large_sample_leaves_all_outputs_finite(shape, taps, dtype, large, method):
    """On the way back a part of the sums overflows, and others do not, the first of a block among them."""
    x, kernel, expected = np.zeros(shape, dtype), np.zeros(taps), np.zeros(shape)
    kernel.flat[[0, kernel.size // 2]] = 0.5, 1
    position = tuple(size // 2 for size in shape)
    x[position] = large
    for tap in np.argwhere(kernel):
        expected[tuple(position + tap - (np.array(taps) - 1) // 2)] = large * kernel[tuple(tap)]
    result = gpuconv.convolve(x, kernel, method=method)
    assert_close(result, expected, tolerance=1e-5 * large if dtype != "float64" else 1e-13 * large)


@pytest.mark.parametrize("method", ["fft", "overlap"])
def test_small_samples_are_not_lost(xp, method):
    """Down to where a last digit would be denormal, which some libraries flush to zero."""
    x = make(xp, np.full(64, 1e-30), dtype="float32")
    result = gpuconv.convolve(x, np.full(3, 1 / 3), method=method)
    assert_close(result, np.r_[2 / 3, np.ones(62), 2 / 3] * 1e-30, tolerance=3e-36)


def test_real_images_give_real_transforms():
    """No sample of a real convolution ever becomes complex: less memory, and no imaginary dust.

    Not half of it: on the way back to real samples SciPy copies the spectrum, which complex ones do without.
    """
    estimates = [
        dict(gpuconv.plan_convolution(np.zeros((256, 256), dtype), np.zeros((31, 31))).estimates)["fft"]
        for dtype in (np.float32, np.complex64)
    ]
    assert estimates[0].memory < 0.7 * estimates[1].memory
    assert gpuconv.convolve(np.ones(50, np.float32), np.ones(9), method="fft").dtype == np.float32
