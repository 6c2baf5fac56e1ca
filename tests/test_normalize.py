"""Normalising kernels: each rule against its formula, at the limits of the numbers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from gpuconv.kernels import normalize, sobel
from tests.assertions import assert_close

FORMULAS = {
    "sum": lambda k: k / k.sum(),
    "size": lambda k: k / k.size,
    "l2": lambda k: k / np.sqrt((np.abs(k) ** 2).sum()),
    "softmax": lambda k: np.exp(k) / np.exp(k).sum(),
}
DTYPES = ["int8", "uint8", "int64", "uint64", "float16", "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4), (1, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("by", FORMULAS)
def test_each_rule_is_its_formula_and_keeps_floating_dtypes(rng, by, dtype, shape):
    if by == "softmax" and dtype.startswith("complex"):
        return
    kernel = (rng.integers(1, 9, shape) + (1j if dtype.startswith("complex") else 0)).astype(dtype)
    before = kernel.copy()
    result = normalize(kernel, by)
    assert result.dtype == ("float64" if kernel.dtype.kind in "iu" else dtype)
    expected = FORMULAS[by](kernel.astype(np.result_type(kernel.dtype, np.float64)))
    assert_close(result, expected.astype(result.dtype), taps=kernel.size)
    assert (kernel == before).all()
    assert result is not kernel


def test_the_sum_is_the_rule_unless_told_otherwise():
    assert normalize([[1, 2], [2, 5]]).tolist() == [[0.1, 0.2], [0.2, 0.5]]


@pytest.mark.parametrize("size", [1e300, 1e-300, 5e-324])
@pytest.mark.parametrize("by", ["sum", "l2"])
def test_weights_of_any_size_neither_overflow_nor_vanish(by, size):
    expected = {"sum": 0.25, "l2": 0.5}[by]
    assert normalize(np.full(4, size), by).tolist() == [expected] * 4


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4, 1e300, -1e300])
def test_softmax_depends_on_differences_alone(shift):
    assert_close(normalize(np.array([shift, shift]), "softmax"), np.array([0.5, 0.5]))


def test_softmax_is_a_probability_for_weights_of_any_size():
    assert normalize([1e308, -1e308, 0.0], "softmax").tolist() == [1.0, 0.0, 0.0]
    mixed = normalize(np.array([[-3, 0], [2, 800]], dtype=np.float32), "softmax")
    assert mixed.dtype == np.float32
    assert mixed.tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert_close(normalize(sobel(0), "softmax").sum(), 1.0, taps=9)


def test_a_negative_sum_turns_the_signs():
    assert normalize([1.0, -3.0]).tolist() == [-0.5, 1.5]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_a_sum_of_rounding_errors_is_a_zero_sum(dtype):
    kernel = np.array([0.1, 0.2, -0.3], dtype=dtype)
    with pytest.raises(
        ValueError, match='sum to zero cannot be normalised by "sum": got a sum of .* Take "l2" or "size"'
    ):
        normalize(kernel)
    kernel[2] = -0.25
    assert_close(normalize(kernel).sum(dtype="complex128").real, 1.0, tolerance=0.02)


def test_a_small_sum_of_integers_is_not_a_zero_sum():
    assert normalize(np.array([2**40, 1 - 2**40])).sum() == 1.0


@pytest.mark.parametrize(
    "kernel, by, error, message",
    [
        (sobel(0), "sum", ValueError, 'weights sum to zero cannot be normalised by "sum": got a sum of 0. Take'),
        (np.zeros(3), "sum", ValueError, 'weights sum to zero cannot be normalised by "sum": got a sum of 0. Take'),
        (np.zeros((3, 3)), "l2", ValueError, r'zeros cannot be normalised by "l2": got shape \(3, 3\). Give a weight'),
        ([1, 2], "max", ValueError, "by must be one of 'sum', 'size', 'l2', 'softmax': got 'max'"),
        ([], "size", ValueError, r"kernel must have weights: got shape \(0,\). Give at least one."),
        ([1.0, np.nan], "size", ValueError, "weights must be finite: got NaN or infinity. Replace them first."),
        ([1.0, np.inf], "softmax", ValueError, "weights must be finite: got NaN or infinity"),
        ([1.0, 2j], "softmax", TypeError, "softmax needs real weights: the dtype is complex128. Take the real part"),
        ([True, False], "sum", TypeError, "kernel must have one of the dtypes .*: its dtype is bool"),
        (["1"], "sum", TypeError, "kernel must have one of the dtypes .*: its dtype is str"),
        (np.ma.ones(3), "sum", TypeError, "kernel must be a plain array: got a numpy.ma.MaskedArray"),
        (np.ones(3, dtype=object), "sum", TypeError, "kernel must have one of the dtypes .*: its dtype is object"),
    ],
)
def test_what_has_no_norm_is_refused_with_the_remedy(kernel, by, error, message):
    with pytest.raises(error, match=message):
        normalize(kernel, by)


def test_arrays_of_other_libraries_are_refused():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(TypeError, match="kernel must be a NumPy array or a sequence: got an array of array_api_strict"):
        normalize(strict.ones(3))


def test_bfloat16_in_a_numpy_array_is_refused():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    with pytest.raises(TypeError, match="kernel must have a dtype of NumPy's own: its dtype is bfloat16. Cast it"):
        normalize(np.ones(3, dtype=ml_dtypes.bfloat16))
