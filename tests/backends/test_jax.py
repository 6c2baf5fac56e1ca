"""JAX arrays that have values on the engine for the memory they lie in; traced ones in generic."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import cpu
from gpuconv.backends import jax as backend
from tests import reference
from tests.assertions import EPS, assert_close, assert_same_home
from tests.cases import BOUNDARIES, draw
from tests.libraries import make, open_library, to_numpy, why_absent

pytestmark = pytest.mark.skipif(why_absent("jax") is not None, reason="jax is not installed")

DTYPES = ("int8", "uint8", "int32", "float16", "bfloat16", "float32", "float64", "complex64", "complex128")
SMALL = dict.fromkeys(("int8", "uint8", "int32"), 9)


@pytest.fixture
def jax():
    return open_library("jax") and pytest.importorskip("jax")


@pytest.fixture
def engine(monkeypatch):
    """What rows of the engine for NumPy arrays are called with: (primitive, x), in order."""
    calls = []

    def noted(primitive, row):
        def function(x, *arguments, **keywords):
            calls.append((primitive, x))
            return row.function(x, *arguments, **keywords)

        return replace(row, function=function)

    for primitive, row in list(cpu.TABLE.items()):
        monkeypatch.setitem(cpu.TABLE, primitive, noted(primitive, row))
    return calls


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_boundary_follows_the_definition(jax, engine, dtype, boundary):
    x = make(open_library("jax"), draw((5, 6), "float32" if dtype == "bfloat16" else dtype, "x", SMALL), dtype=dtype)
    values = to_numpy(x)
    for kernel_dtype, method in itertools.product(
        {"int8" if dtype in SMALL else "float64", "complex128"}, ("direct", "fft")
    ):
        kernel = draw((3, 4), kernel_dtype, "kernel", SMALL)
        options = {"boundary": boundary, "cval": 2}
        result = gpuconv.convolve(x, kernel, method=method, **options)
        assert_same_home(result, x, dtype=result.dtype.name)
        scale = np.max(reference.magnitude(values, kernel, **options))
        allowed = (4 if method == "direct" else 32) * EPS.get(result.dtype.name, 0.0) * scale
        assert_close(result, reference.convolve(values, kernel, **options), tolerance=allowed, case=method)
    assert len(engine) == 4


def test_the_image_is_read_where_it_lies(jax, engine):
    x = jax.numpy.arange(4096.0, dtype="float32").reshape(64, 64)
    gpuconv.convolve(x, np.ones((3, 3)))
    ((_, lent),) = engine
    assert lent.__array_interface__["data"][0] == x.unsafe_buffer_pointer()
    assert x[0, 1] == 1
    for image in (x, jax.device_put(x, x.device)):
        result = gpuconv.convolve(image, np.ones((3, 3)))
        assert (result.device, result.committed) == (image.device, image.committed)


def test_kernels_of_jax_are_weights_too(jax, engine):
    x, taps = jax.numpy.ones((5, 4)), jax.numpy.asarray([1.0, 2.0])
    assert_close(gpuconv.convolve_separable(x, [taps, taps])[1, 1], 9.0, tolerance=0)
    assert [name for name, _ in engine] == ["correlate_separable"]


def test_what_is_traced_is_not_lent(jax, engine):
    x, kernel = jax.numpy.ones((5, 4)), jax.numpy.ones((2, 3))
    compiled = jax.jit(lambda a: gpuconv.convolve(a, np.ones((2, 3))))(x)
    slope = jax.grad(lambda b: gpuconv.convolve(x, b).sum())(kernel)
    taps = jax.grad(lambda b: gpuconv.convolve_separable(x, [b, b]).sum())(kernel[0])
    mapped = jax.vmap(lambda b: gpuconv.convolve(x, b))(kernel[None])
    assert engine == []
    assert slope.shape == (2, 3)
    assert taps.shape == (3,)
    assert_close(mapped[0], gpuconv.convolve(x, np.ones((2, 3))), tolerance=1e-14)
    assert_close(compiled, mapped[0], tolerance=1e-14)


def test_plans_are_those_of_the_engine_but_for_traced_arrays(jax):
    x, kernel = np.zeros((300, 200), np.float32), draw((9, 9), "float64", "kernel")
    here, there = gpuconv.plan_convolution(jax.numpy.asarray(x), kernel), gpuconv.plan_convolution(x, kernel)
    assert here.backend == "jax"
    assert (here.method, here.estimates) == (there.method, there.estimates)
    plans = []
    jax.jit(lambda a: plans.append(gpuconv.plan_convolution(a, kernel)) or a)(x)
    assert plans[0].backend == "generic"
    assert plans[0].estimates != there.estimates


@pytest.mark.parametrize("primitive", backend.TABLE)
def test_the_reasons_against_lending_are_sentences(jax, monkeypatch, primitive):
    why_not = backend.TABLE[primitive].why_not
    problem = gpuconv.plan_convolution(jax.numpy.ones((4, 5)), np.ones((3, 3))).problem
    assert why_not(replace(problem, traced=True)).startswith("values that do not exist yet")
    assert why_not(replace(problem, device="TPU_0")) == "no engine reads the memory of device TPU_0"
    monkeypatch.setattr("gpuconv.backends.engines.has_cupy", lambda: False)
    assert why_not(replace(problem, device="cuda:0")).startswith("arrays in CUDA memory are lent to CuPy")
    assert why_not(replace(problem, device="TFRT_CPU_0")) is None


def test_arrays_in_cuda_memory_go_through_cupy_and_back(jax, monkeypatch):
    events = []

    class Device:
        def __init__(self, index):
            events.append(("device", index))

        def __enter__(self):
            events.append("enter")

        def __exit__(self, *_):
            events.append("exit")

    def from_dlpack(x):
        events.append("lend")
        return x.values

    cupy = ModuleType("cupy")
    cupy.cuda, cupy.from_dlpack = SimpleNamespace(Device=Device), from_dlpack
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr("jax.dlpack.from_dlpack", lambda array: ("back", array))
    place = SimpleNamespace(local_hardware_id=3)
    x, kernel = (SimpleNamespace(values=values, device=place) for values in (np.ones(2), np.full(2, 3.0)))
    result = backend._run_on_cupy(lambda lent, weights, number: lent * weights[0][0] * number, x, [[kernel]], (2,))
    assert events == [("device", 3), "enter", "lend", "lend", "exit"]
    assert result[0] == "back"
    assert result[1].tolist() == [6.0, 6.0]
