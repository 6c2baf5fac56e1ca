"""What users call, on the launchers for CuPy arrays: NumPy arrays stand in for these, the emulator for the device."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

import gpuconv
from gpuconv import diffusion, filters
from gpuconv.backends import registry
from gpuconv.backends.cuda import cufft
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.methods import plan as plans
from tests.assertions import assert_close
from tests.cuda.agreement import image_of
from tests.cuda.emulation import EmulatedRuntime
from tests.cuda.transforms import SciPyTransforms
from tests.libraries import why_absent

pytestmark = pytest.mark.skipif(why_absent("cxx") is not None, reason=str(why_absent("cxx")))


@pytest.fixture
def device(monkeypatch):
    """The runtime whose launches are those of the calls of the test; CUDA rows come first, for NumPy arrays."""
    lent = registry.Backend("cuda", "numpy", "for this test")
    others = [backend for backend in registry.BACKENDS if backend.name != "cuda"]
    caches = (registry._select, plans.choose_plan)

    def clear():
        for cache in caches:
            cache.cache_clear()

    runtime = EmulatedRuntime()
    monkeypatch.setattr(registry, "BACKENDS", (lent, *others))
    clear()
    with use_runtime(runtime), cufft.use_transforms(SciPyTransforms(runtime)):
        yield runtime
    clear()


@lru_cache
def weights(name, shape):
    return np.random.default_rng(len(name)).standard_normal(shape)


CALLS = {
    "direct": lambda x: gpuconv.convolve(x, weights("direct", (3, 5)), boundary="reflect", method="direct"),
    "one axis": lambda x: gpuconv.convolve(x, weights("line", (7,)), axes=0, boundary="wrap", method="direct"),
    "separable": lambda x: gpuconv.convolve(x, np.outer([1, 2, 1], [1, 0, -1]), method="separable", cval=2),
    "fft": lambda x: gpuconv.convolve(x, weights("fft", (9, 9)), boundary="mirror", method="fft"),
    "overlap": lambda x: gpuconv.convolve(x, weights("overlap", (9, 9)), mode="full", method="overlap"),
    "valid": lambda x: gpuconv.correlate(x, weights("valid", (4, 3)), mode="valid", method="direct"),
    "Gaussian": lambda x: filters.gaussian(x, 1.5),
    "gradient": lambda x: filters.gaussian_gradient(x, 1.0, boundary="constant", cval=1.0),
    "Hessian": lambda x: filters.hessian(x, 1.0),
    "structure tensor": lambda x: filters.structure_tensor(x, 1.0),
    "box": lambda x: filters.uniform(x, (31, 26), boundary=("wrap", "constant"), cval=3.0),
    "box of one axis": lambda x: filters.local_mean(x, 40, axes=1, origin=3),
    "boxes without what is missing": lambda x: filters.local_mean(x, (7, 45), nan="omit"),
}


@pytest.mark.parametrize("dtype", ["float32", "uint8", "float16", "complex128"])
@pytest.mark.parametrize("name", CALLS)
def test_calls_agree_with_the_processor(device, rng, name, dtype):
    x = image_of(rng, (45, 70), dtype)
    if dtype == "complex128" and name == "structure tensor":
        pytest.skip("a structure tensor is of real images")
    result = CALLS[name](x)
    assert device.launches, "nothing was launched"
    with gpuconv.use_backend("generic"):
        expected = CALLS[name](x)
    assert result.dtype == expected.dtype
    scale = float(np.abs(expected.astype(np.complex128)).max())
    assert_close(np.asarray(result), expected, taps=200, scale=scale, case=name)


def test_long_boxes_are_summed_axis_by_axis(device, rng):
    filters.uniform(rng.random((80, 90)), 31)
    filters.local_mean(rng.random((80, 90)), 24)
    gpuconv.convolve(rng.random((80, 90)), np.full((30, 30), 0.5), method="separable")
    assert [launch.kernel for launch in device.launches] == ["box_lines"] * 6


@pytest.mark.parametrize("operator", ["sobel", "prewitt", "scharr", "roberts"])
def test_slopes_of_an_operator_read_the_image_once(device, rng, operator):
    x = rng.random((40, 50))
    result = filters.gradient_magnitude(x, operator=operator)
    kernels = [launch.kernel for launch in device.launches]
    assert len(kernels) == (1 if operator != "roberts" else 2)
    with gpuconv.use_backend("generic"):
        expected = filters.gradient_magnitude(x, operator=operator)
    assert_close(result, expected, tolerance=1e-14)


@pytest.mark.parametrize("method", ["direct", "separable", "fft"])
def test_out_may_be_the_image_itself_and_is_rounded_once(device, rng, method):
    x = image_of(rng, (30, 40), "uint8")
    kernel = np.outer([1.0, 2.0, 1.0], [1.0, 2.0, 1.0]) / 16
    with gpuconv.use_backend("generic"):
        expected = gpuconv.convolve(x, kernel, method=method)
    out = x.copy()
    assert gpuconv.convolve(out, kernel, method=method, out=out) is out
    assert np.abs(out - expected).max() <= 0.5 + 1e-4


def test_steps_of_diffusion_are_launched(device, rng):
    u = rng.random((50, 60))
    result = diffusion.evolve(u, 1.0, scheme="explicit", steps=6)
    assert {launch.source for launch in device.launches} <= {"stencil.cu", "stencil_fused.cu"}
    assert device.launches
    with gpuconv.use_backend("generic"):
        expected = diffusion.evolve(u, 1.0, scheme="explicit", steps=6)
    assert_close(result, expected, tolerance=1e-14)
