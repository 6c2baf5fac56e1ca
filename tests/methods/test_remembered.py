"""What is kept from one call for the next never answers for another: kernels, arguments and settings may change."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import gpuconv
from gpuconv import filters
from gpuconv.backends import cpu, registry
from gpuconv.backends.registry import Implementation
from gpuconv.core.arguments import are_plain
from gpuconv.methods.describe import Options, describe
from gpuconv.methods.passes import describe_passes
from gpuconv.methods.repeat import REMEMBERED

X = np.arange(20.0).reshape(4, 5) % 7


def test_a_kernel_that_was_written_over_counts_anew():
    kernel, line = np.ones((3, 3)), np.ones(3)
    first, passes = gpuconv.convolve(X, kernel), gpuconv.convolve_separable(X, [line, line])
    kernel[0, 0], line[0] = 5, 5
    assert not np.array_equal(gpuconv.convolve(X, kernel), first)
    assert not np.array_equal(gpuconv.convolve_separable(X, [line, line]), passes)
    kernel[0, 0], line[0] = 1, 1
    assert np.array_equal(gpuconv.convolve(X, kernel), first)
    assert np.array_equal(gpuconv.convolve_separable(X, [line, line]), passes)


def test_the_same_bytes_of_another_shape_or_dtype_are_another_kernel():
    numbers = np.arange(1, 7)
    results = [
        gpuconv.convolve(X, kernel).tolist()
        for kernel in (numbers.reshape(2, 3), numbers.reshape(3, 2), numbers.view(np.float64).reshape(2, 3))
    ]
    assert results[0] != results[1] != results[2] != results[0]
    big = np.arange(1, 7, dtype=">i8").reshape(2, 3)
    assert gpuconv.convolve(X, big).tolist() == results[0]


def test_weights_that_are_kept_cannot_be_written_to():
    described = describe(X, np.ones((3, 3)), Options("convolve"))
    assert described.weights is describe(X, np.ones((3, 3)), Options("convolve")).weights
    assert not described.weights.flags.writeable
    assert not any(line.flags.writeable for line in describe_passes(X, [[1.0], [1.0]], Options("convolve"))[1].weights)
    assert gpuconv.convolve(X, np.ones((1, 1))).flags.writeable


def test_large_kernels_are_not_kept():
    kernel = np.ones(REMEMBERED // 8 + 1)
    first, second = (describe(np.ones(4), kernel, Options("convolve")) for _ in range(2))
    assert first.weights is not second.weights
    assert first.problem == second.problem


@pytest.mark.parametrize("wrong", [True, 1.0, (True,), (1.0,), np.True_])
def test_equal_arguments_of_other_types_are_refused_after_the_right_one_was_taken(wrong):
    kernel = [1.0, 2.0, 3.0]
    for right in (1, (1,)):
        gpuconv.convolve(X, kernel, axes=right, origin=right)
        gpuconv.convolve_separable(X, [kernel], axes=right, origin=right)
        filters.gaussian(X, 1, axes=right, radius=right, order=right)
    for call in (
        lambda **options: gpuconv.convolve(X, kernel, **{"axes": 1, **options}),
        lambda **options: gpuconv.convolve_separable(X, [kernel], **{"axes": 1, **options}),
    ):
        for name in ("axes", "origin"):
            with pytest.raises(TypeError, match="must be an integer"):
                call(**{name: wrong})
    for name in ("axes", "radius", "order"):
        with pytest.raises(TypeError, match="must be an integer"):
            filters.gaussian(X, 1, **{"axes": 1, name: wrong})


def test_a_sigma_of_true_is_refused_after_one_was_taken():
    assert np.array_equal(filters.gaussian(X, 1), filters.gaussian(X, 1.0))
    with pytest.raises(TypeError, match="sigma must be a real number"):
        filters.gaussian(X, True)


def test_plain_arguments_are_those_that_are_no_others_equals():
    assert are_plain(None, "wrap", 1, ("wrap", 1), ())
    for value in (True, 1.0, np.int64(1), (True,), (1.0,), [1], ((1,),), np.array(1)):
        assert not are_plain(None, value)


@pytest.mark.parametrize("kernel", [np.array([None, 1]), np.array(["a"]), np.ones(2, np.longdouble), np.ones(2, bool)])
def test_dtypes_that_are_not_supported_stay_refused(kernel):
    for _ in range(2):
        with pytest.raises(TypeError, match="kernel must have one of the dtypes"):
            gpuconv.convolve([1.0, 2.0], kernel)


def test_empty_kernels_stay_refused():
    for _ in range(2):
        with pytest.raises(ValueError, match="kernel needs at least one sample per axis"):
            gpuconv.convolve([1.0, 2.0], np.ones(0))


def test_settings_hold_from_the_next_call_on(monkeypatch):
    calls = []

    def spy(x, weights, spans, cval):
        calls.append(spans)
        return x

    kernel = np.ones((3, 3))
    monkeypatch.setitem(cpu.TABLE, "correlate_windows", Implementation(spy, lambda problem: None))
    registry._select.cache_clear()
    try:
        gpuconv.convolve(X, kernel)
        gpuconv.convolve(X, kernel)
        assert len(calls) == 2
        with gpuconv.use_backend("generic"):
            gpuconv.convolve(X, kernel)
        monkeypatch.setenv("GPUCONV_BACKEND", "generic")
        gpuconv.convolve(X, kernel)
        assert len(calls) == 2
        monkeypatch.setenv("GPUCONV_BACKEND", "no such")
        with pytest.raises(ValueError, match="GPUCONV_BACKEND must be one of"):
            gpuconv.convolve(X, kernel)
    finally:
        registry._select.cache_clear()


def test_fill_values_are_no_part_of_what_is_kept():
    for _ in range(2):
        results = [gpuconv.convolve(X, np.ones((3, 3)), cval=cval)[0, 0] for cval in (0.0, 1.0, np.nan, 2)]
        assert [results[1] - results[0], results[3] - results[0]] == [5.0, 10.0]
        assert np.isnan(results[2])


def test_plans_and_problems_travel_without_what_is_kept_beside_their_fields():
    plan = gpuconv.plan_convolution(X, np.ones((3, 3)))
    assert plan.problem.outputs == 20
    assert plan.estimate.cost > 0
    hash(plan.problem)
    copy = pickle.loads(pickle.dumps(plan))
    assert copy == plan
    assert "_hash" not in copy.problem.__dict__
    assert "outputs" not in copy.problem.__dict__
