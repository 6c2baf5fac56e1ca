"""A problem is what is left of an operation when the data are taken out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import gpuconv


def problem_of(shape=(6, 7), kernel_shape=(3, 4), dtype="float32", **options):
    return gpuconv.plan_convolution(np.zeros(shape, dtype), np.ones(kernel_shape), **options).problem


def test_problems_are_frozen_and_hashable():
    problem = problem_of()
    assert problem == problem_of()
    assert hash(problem) == hash(problem_of())
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.shape = (1,)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": (6, 8)},
        {"kernel_shape": (3, 3)},
        {"dtype": "float64"},
        {"mode": "full"},
        {"boundary": "wrap"},
        {"boundary": ("constant", "wrap")},
        {"origin": (0, 1)},
        {"axes": (1, 0)},
        {"accuracy": "local"},
    ],
)
def test_every_argument_makes_another_problem(change):
    assert problem_of(**change) != problem_of()


def test_spellings_of_the_same_argument_make_the_same_problem():
    assert problem_of(axes=(-2, -1), boundary=["grid-wrap", "periodic"], origin=[0, 0]) == problem_of(boundary="wrap")


def test_a_problem_holds_no_data():
    """Images, fill values and taps of the same sizes pose the same problem, so caches do not grow with them."""
    x = np.zeros(9)
    problems = {gpuconv.plan_convolution(x + i, np.arange(3.0) + i).problem for i in range(5)}
    assert len(problems) == 1


def test_sizes_follow_from_the_spans():
    problem = problem_of((2, 6, 7), (4, 3), mode="full", axes=(2, 0), boundary="wrap")
    assert problem.output_shape == (4, 6, 10)
    assert problem.extended_shape == (6, 6, 13)
    assert problem.outputs == 240
    assert problem.extends
    assert not problem.exact
    assert problem_of(mode="valid").extends is False


def test_a_real_image_is_summed_as_real_numbers_beside_a_complex_kernel():
    plan = gpuconv.plan_convolution(np.zeros(5, np.float32), np.ones(3, complex))
    assert plan.problem.rule.result == "complex64"
    assert plan.problem.working_dtype == "float32"
    assert gpuconv.plan_convolution(np.zeros(5, np.complex64), np.ones(3)).problem.working_dtype == "complex64"
    assert gpuconv.plan_convolution(np.zeros(5, np.float16), np.ones(3)).problem.working_dtype == "float32"
