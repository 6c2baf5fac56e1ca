"""Plans: frozen, printable, reusable, and honest about what they would do."""

from __future__ import annotations

import dataclasses
import pickle
import tracemalloc

import numpy as np
import pytest

import gpuconv
from gpuconv.methods.costs import RATES, Estimate
from gpuconv.methods.plan import METHODS, TRANSFORMS_COUNT, cheapest
from tests.assertions import assert_close
from tests.cases import REPRESENTATIVE, draw
from tests.libraries import make, to_numpy

SOBEL = np.outer([1.0, 2.0, 1.0], [1.0, 0.0, -1.0])
PROBLEMS = (
    ((64,), (5,), {}),
    ((1_000_000,), (4001,), {"boundary": "wrap"}),
    ((512, 512), (3, 3), {"mode": "full"}),
    ((512, 512), (101, 101), {"boundary": "reflect"}),
    ((4, 64, 64, 64), (5, 5, 5), {"axes": (1, 2, 3)}),
    ((9, 9, 9, 9, 9), (3, 3, 3, 3, 3), {}),
)


@pytest.mark.parametrize(("shape", "kernel_shape", "options"), PROBLEMS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "complex128", "uint8"])
def test_plans_are_frozen_hashable_and_printable(shape, kernel_shape, options, dtype):
    x, kernel = np.zeros(shape, dtype), draw(kernel_shape, "int8" if dtype == "uint8" else "float64", "kernel")
    plan = gpuconv.plan_convolution(x, kernel, **options)
    assert plan == gpuconv.plan_convolution(x + 0, kernel.copy(), **options)
    assert hash(plan) == hash(pickle.loads(pickle.dumps(plan)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.method = "direct"
    printed = str(plan)
    assert plan.method in METHODS
    for name in METHODS:
        assert name in printed
    for value in (dtype, str(shape), str(kernel_shape), plan.problem.rule.result, plan.backend, plan.error):
        assert value in printed


@pytest.mark.parametrize(("shape", "kernel_shape", "options"), PROBLEMS, ids=str)
def test_every_method_has_an_estimate_in_integers_or_a_sentence(shape, kernel_shape, options):
    for dtype in ("float32", "int32"):
        plan = gpuconv.plan_convolution(np.zeros(shape, dtype), np.ones(kernel_shape, dtype), **options)
        assert [name for name, _ in plan.estimates] == list(METHODS)
        for name, entry in plan.estimates:
            if isinstance(entry, str):
                assert len(entry.split()) > 3
                continue
            assert type(entry.cost) is int
            assert type(entry.memory) is int
            assert entry.cost > 0
            assert entry.memory >= plan.problem.outputs * plan.problem.itemsize
            assert entry.error
            assert all(type(length) is int for length in entry.lengths)
            assert bool(entry.lengths) == (name in ("fft", "overlap"))


def test_the_rates_are_whole_picoseconds_with_their_source():
    for library, rates in RATES.items():
        for field in dataclasses.fields(rates):
            value = getattr(rates, field.name)
            assert type(value) is (str if field.name == "source" else int), (library, field.name)
        assert rates.source


@pytest.mark.parametrize(("shape", "kernel_shape", "options"), PROBLEMS, ids=str)
def test_auto_takes_the_cheapest(shape, kernel_shape, options):
    plan = gpuconv.plan_convolution(np.zeros(shape, np.float32), np.ones(kernel_shape), **options)
    costs = {name: entry.cost for name, entry in plan.estimates if isinstance(entry, Estimate)}
    assert plan.method == cheapest(costs)
    assert costs[plan.method] <= min(costs.values()) * TRANSFORMS_COUNT / 100
    for name in costs:
        chosen = gpuconv.plan_convolution(np.zeros(shape, np.float32), np.ones(kernel_shape), method=name, **options)
        assert chosen.method == name


def test_small_kernels_are_summed_large_ones_transformed_in_any_number_of_dimensions():
    rng = np.random.default_rng(0)
    for shape, small, large in (
        ((10**6,), (3,), (5001,)),
        ((700, 700), (3, 3), (65, 65)),
        ((64, 64, 64), (2,) * 3, (21,) * 3),
    ):
        x = np.zeros(shape, np.float32)
        assert gpuconv.plan_convolution(x, rng.normal(size=small)).method == "direct"
        assert gpuconv.plan_convolution(x, rng.normal(size=large)).method in ("fft", "overlap")


def test_accuracy_local_leaves_no_transform_and_no_low_rank(rng):
    kernel = np.outer(*rng.normal(size=(2, 33))) + np.outer(*rng.normal(size=(2, 33)))
    x = np.zeros((512, 512))
    assert gpuconv.plan_convolution(x, kernel).problem.kernel.rank == 2
    plan = gpuconv.plan_convolution(x, kernel, accuracy="local")
    assert plan.method == "direct"
    for name in ("separable", "fft", "overlap"):
        assert "accuracy='local'" in dict(plan.estimates)[name]
    assert gpuconv.plan_convolution(x, np.outer(kernel[0], kernel[0]), accuracy="local").method == "separable"


@pytest.mark.parametrize("case", REPRESENTATIVE[:6], ids=str)
@pytest.mark.parametrize("method", ["direct", "fft", "overlap"])
def test_a_plan_is_carried_out_again_and_again(xp, case, method):
    x, options = make(xp, case.image), dict(case.options)
    cval = options.pop("cval")
    plan = gpuconv.plan_convolution(x, case.kernel, method=method, **options)
    for image, kernel in ((case.image, case.kernel), (case.image[::-1], case.kernel * -0.5)):
        result = plan.execute(make(xp, image), kernel, cval=cval)
        expected = gpuconv.convolve(make(xp, image), kernel, method=method, cval=cval, **options)
        assert_close(result, to_numpy(expected), tolerance=0)


def test_a_plan_writes_where_it_is_told():
    plan = gpuconv.plan_convolution(np.zeros(4), np.ones(2))
    out = np.zeros(4, np.int16)
    assert plan.execute(np.array([0.25, 0.5, 1, 2]), np.ones(2), out=out) is out
    assert out.tolist() == [0, 1, 2, 3]


def test_a_plan_for_integers_takes_other_integers():
    plan = gpuconv.plan_convolution(np.zeros(4, np.uint8), np.array([1, 2, 1], np.int8))
    assert plan.execute(np.array([1, 2, 3, 4], np.uint8), np.array([1, 1, 1], np.int8)).tolist() == [3, 6, 9, 7]
    assert plan.execute(np.full(4, 255, np.uint8), np.array([127, 127, 127], np.int8)).tolist()[1] == 3 * 255 * 127


def test_a_plan_by_transforms_refuses_integers_it_is_not_exact_for():
    """The plan was made for a kernel of ones; taps a million times larger would be rounded."""
    x, kernel = np.zeros(200, np.int32), np.ones(16, np.int64)
    plan = gpuconv.plan_convolution(x, kernel, method="fft")
    large = np.full(16, 2**30 + 1)
    full = np.full(200, 2**31 - 1, np.int32)
    with pytest.raises(ValueError, match="a plan runs on arrays like those it was made for|integers must be exact"):
        plan.execute(full, large)


@pytest.mark.parametrize(
    ("x", "kernel", "message"),
    [
        (np.zeros((6, 8), np.float32), SOBEL, r"shape is \(6, 8\), planned \(6, 7\)"),
        (np.zeros((6, 7, 1), np.float32), SOBEL, "."),
        (np.zeros((6, 7)), SOBEL, "dtype is 'float64', planned 'float32'"),
        (np.zeros((6, 7), np.float32), np.ones((3, 2)), r"the kernel's shape is \(3, 2\), planned \(3, 3\)"),
        (np.zeros((6, 7), np.float32), SOBEL.astype(complex), "the kernel's dtype is 'complex128', planned 'float64'"),
        (np.zeros((6, 7), np.float32), SOBEL + np.eye(3), "the kernel's rank is None, planned 1. Make a new plan"),
    ],
    ids=["shape", "dimensions", "dtype", "kernel's shape", "kernel's dtype", "kernel's rank"],
)
def test_a_plan_rechecks_what_it_is_given(x, kernel, message):
    plan = gpuconv.plan_convolution(np.zeros((6, 7), np.float32), SOBEL, method="separable")
    with pytest.raises(ValueError, match=message):
        plan.execute(x, kernel)


def test_a_plan_rechecks_the_library():
    strict = pytest.importorskip("array_api_strict")
    plan = gpuconv.plan_convolution(np.zeros(5), np.ones(3))
    with pytest.raises(ValueError, match="library is 'array_api_strict', planned 'numpy'.*Make a new plan"):
        plan.execute(strict.ones(5), np.ones(3))


@pytest.mark.parametrize("method", ["direct", "separable", "fft", "overlap"])
@pytest.mark.parametrize("boundary", ["constant", "reflect"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "uint8"])
def test_the_memory_that_is_predicted_is_enough(method, boundary, dtype):
    """Peak on top of the input, the result included; a hundredth and 64 KiB are left for what does not grow."""
    x = draw((600, 700), dtype, "x")
    kernel = np.outer(np.arange(1, 10), np.arange(1, 8)).astype("int8" if dtype == "uint8" else "float64")
    plan = gpuconv.plan_convolution(x, kernel, method=method, boundary=boundary)
    plan.execute(x, kernel)
    peaks = []
    for _ in range(3):  # other threads of the process are counted, too: the least is the plan's
        tracemalloc.start()
        try:
            result = plan.execute(x, kernel)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        del result
    assert x.size * plan.problem.itemsize <= min(peaks) <= 1.01 * plan.memory + 2**16


def test_bytes_and_seconds_are_printed_in_units_people_read():
    printed = str(gpuconv.plan_convolution(np.zeros((4096, 4096), np.float32), np.ones((3, 3))))
    assert "MiB" in printed
    assert " ms" in printed
    assert " s," in str(gpuconv.plan_convolution(np.zeros((4096, 4096), np.float32), draw((99, 99), "float64", "k")))
