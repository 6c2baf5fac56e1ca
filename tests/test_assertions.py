"""Proof that each helper of the suite fails when it should, and passes when it should."""

from __future__ import annotations

import numpy as np
import pytest

from tests import libraries
from tests.assertions import EPS, assert_close, assert_same_home, tolerance
from tests.libraries import make

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_eps_is_numpys(dtype):
    assert EPS[dtype] == np.finfo(dtype).eps


def test_tolerance_grows_with_the_root_of_the_taps_and_with_the_scale():
    assert tolerance("float32", taps=9, scale=2.0, constant=1.0) == 6 * 2.0**-23
    assert tolerance("float64", taps=1, scale=np.array([1.0, 3.0]), constant=1.0).tolist() == [2.0**-52, 3 * 2.0**-52]
    assert tolerance("int64", taps=9, scale=2.0) == 0.0


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0 + 2.0**-52]),
        ([NAN, INF, -INF, 0.0], [NAN, INF, -INF, 0.0]),
        ([complex(1, INF), complex(NAN, 0)], [complex(1, INF), complex(0, NAN)]),
        (np.array([2**63], dtype=np.uint64), np.array([2**63], dtype=np.uint64)),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.float64(3.0), 3.0),
    ],
)
def test_assert_close_accepts_what_is_equal_within_rounding(actual, expected):
    assert_close(np.asarray(actual), np.asarray(expected))


@pytest.mark.parametrize(
    ("actual", "expected", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0001], r"worst at index \(1,\): .*2\.0.*, expected .*2\.0001"),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.5, 2.0], [0.0, 4.0]], r"2 of 4 values differ .* worst at index \(1, 0\)"),
        ([1.0, NAN], [1.0, 2.0], r"NaN or infinite; first at index \(1,\)"),
        ([1.0, 2.0], [1.0, NAN], r"NaN or infinite; first at index \(1,\)"),
        ([INF], [-INF], "NaN or infinite"),
        ([INF], [1.0], "NaN or infinite"),
        ([1e308], [INF], "NaN or infinite"),
        ([INF], [NAN], "NaN or infinite"),
        ([complex(0, INF)], [complex(INF, 0)], "NaN or infinite"),
        ([complex(1, 2)], [complex(1, -2)], r"difference 4"),
        ([1.0], [[1.0]], r"shape is \(1,\), expected \(1, 1\)"),
        ([1.0], 1.0, r"shape is \(1,\), expected \(\)"),
        ([0.0], [1e-300], "difference 1e-300"),
        ([1e308], [-1e308], "difference"),
    ],
)
def test_assert_close_refuses(actual, expected, message):
    with pytest.raises(AssertionError, match=message):
        assert_close(np.asarray(actual), np.asarray(expected))


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (np.array([2**63 - 1], dtype=np.int64), np.array([2**63], dtype=np.uint64)),
        (np.array([2**62], dtype=np.int64), np.array([2**62 + 1], dtype=np.int64)),
        (np.array([3], dtype=np.int32), np.array([3.0000001])),
    ],
)
def test_assert_close_compares_integers_exactly(actual, expected):
    with pytest.raises(AssertionError, match="1 of 1 values differ"):
        assert_close(actual, expected)


def test_assert_close_names_the_case():
    with pytest.raises(AssertionError, match="case sobel, reflect: 1 of 1 values"):
        assert_close(np.ones(1), np.zeros(1), case="sobel, reflect")
    with pytest.raises(AssertionError, match="case sobel, reflect: shape is"):
        assert_close(np.ones(1), np.zeros(2), case="sobel, reflect")


def test_assert_close_takes_the_dtype_of_the_result_for_its_tolerance():
    assert_close(np.float32([1.0]), np.array([1.0 + 1e-7]))
    with pytest.raises(AssertionError, match="1 of 1 values differ"):
        assert_close(np.float64([1.0]), np.array([1.0 + 1e-7]))
    assert_close(np.float64([1.0]), np.array([1.0 + 1e-7]), dtype="float32")
    with pytest.raises(AssertionError, match="1 of 1 values differ"):
        assert_close(np.float32([1.0]), np.array([1.0 + 1e-7]), dtype="float64")


def test_assert_close_takes_a_tolerance_per_value():
    assert_close(np.array([1.0, 2.0]), np.array([1.5, 2.0]), tolerance=np.array([0.5, 0.0]))
    with pytest.raises(AssertionError, match=r"worst at index \(1,\)"):
        assert_close(np.array([1.0, 2.5]), np.array([1.5, 2.0]), tolerance=np.array([0.5, 0.0]))
    with pytest.raises(AssertionError, match=r"worst at index \(0,\)"):
        assert_close(np.array([1e-9, 1.0]), np.array([0.0, 1.0]), scale=np.array([1e-6, 1.0]))


@pytest.mark.parametrize("value", [NAN, INF])
def test_assert_close_refuses_a_tolerance_that_lets_anything_pass(value):
    with pytest.raises(AssertionError, match="the tolerance is not finite"):
        assert_close(np.array([1.0]), np.array([2.0]), tolerance=value)
    with pytest.raises(AssertionError, match="the tolerance is not finite"):
        assert_close(np.array([1.0]), np.array([2.0]), scale=value)


def test_assert_close_reads_every_library(xp):
    values = np.arange(6.0).reshape(2, 3)
    assert_close(make(xp, values), values)
    with pytest.raises(AssertionError, match=r"worst at index \(1, 2\)"):
        assert_close(make(xp, values), values + np.array([[0, 0, 0], [0, 0, 1.0]]))


def test_assert_same_home_accepts_an_array_of_the_same_library_and_dtype(xp):
    x = make(xp, np.ones(3), dtype="float32")
    assert_same_home(x + 1, x)
    assert_same_home(make(xp, np.ones(3)), x, dtype="float64")


def test_assert_same_home_refuses_another_dtype(xp):
    x = make(xp, np.ones(3), dtype="float32")
    with pytest.raises(AssertionError, match="has dtype float64, expected float32"):
        assert_same_home(make(xp, np.ones(3)), x)
    with pytest.raises(AssertionError, match="has dtype float32, expected int64"):
        assert_same_home(x, x, dtype="int64")


def test_assert_same_home_refuses_another_library(xp):
    x = make(xp, np.ones(3))
    other = np.ones(3) if libraries.name_of(xp) != "numpy" else make(libraries.open_library("array_api_strict"), x)
    with pytest.raises(AssertionError, match="array returned for a"):
        assert_same_home(other, x)


def test_assert_same_home_refuses_another_device():
    strict = pytest.importorskip("array_api_strict")
    x = strict.asarray([1.0], device=strict.Device("CPU_DEVICE"))
    with pytest.raises(AssertionError, match="result lies on .*device1"):
        assert_same_home(strict.asarray([1.0], device=strict.Device("device1")), x)
