"""Which kernels are outer products: exactly for integers, to rounding for floats, in norm for short sums."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import gpuconv
from gpuconv.methods.separable import factorize
from tests import reference
from tests.assertions import assert_close
from tests.libraries import make


def product_of(bank):
    """The outer product in Python's integers or in extended precision."""
    exact = object if bank[0].dtype.kind in "iu" else np.clongdouble
    product = bank[0].astype(exact)
    for taps in bank[1:]:
        product = np.multiply.outer(product, taps.astype(exact))
    return product


INTEGER_RANK_ONE = {
    "binomial": np.multiply.outer([1, 2, 1], [1, 2, 1]),
    "sobel": np.multiply.outer([1, 2, 1], [-1, 0, 1]),
    "even": np.multiply.outer([2, -4], [6, 3, 9]),
    "zero corner": np.multiply.outer([0, 3, 0], [0, 0, -7, 0]),
    "single": np.array([[-5]]),
    "row": np.array([[4, -6, 8]]),
    "3-D": np.multiply.outer(np.multiply.outer([1, -2], [3, 0, 6]), [2, 2, -4, 10]),
    "4-D": np.multiply.outer(np.multiply.outer([2, 4], [0, 1]), np.multiply.outer([3, 5], [7, -1])),
    "wide": np.multiply.outer([2**31 - 1, 2**31 - 19], [2**30 + 3, -(2**30) + 35]),
    "most negative": np.multiply.outer([-(2**62), 2**61], [2, 1]),
    "beyond double precision": np.multiply.outer([3**20, 3**19 + 1], [5**12, 1]),
}


@pytest.mark.parametrize("name", INTEGER_RANK_ONE)
def test_integer_outer_products_are_found_exactly(name):
    kernel = INTEGER_RANK_ONE[name]
    assert kernel.dtype == np.int64
    factors = factorize(kernel, "int64")
    assert factors.locally_exact
    (bank,) = factors.banks
    assert [taps.shape for taps in bank] == [(n,) for n in kernel.shape]
    assert all(taps.dtype == np.int64 for taps in bank)
    assert product_of(bank).tolist() == kernel.tolist()


@pytest.mark.parametrize("name", INTEGER_RANK_ONE)
def test_an_integer_outer_product_with_one_tap_changed_is_none(name):
    kernel = INTEGER_RANK_ONE[name]
    if kernel.ndim == 2 and min(kernel.shape) == 1:
        pytest.skip("a single row is an outer product whatever its taps")
    for place in (np.unravel_index(0, kernel.shape), tuple(n - 1 for n in kernel.shape)):
        changed = kernel.copy()
        changed[place] += 1
        assert factorize(changed, "int64") is None


def test_unsigned_integers_above_the_signed_range():
    kernel = np.array([[2**63, 2**62], [2**62, 2**61]], dtype=np.uint64)
    (bank,) = factorize(kernel, "uint64").banks
    assert product_of(bank).tolist() == kernel.tolist()


@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_nothing_but_zeros_is_no_product(dtype):
    assert factorize(np.zeros((3, 4), dtype), dtype) is None
    assert gpuconv.convolve(np.ones((5, 5)), np.zeros((3, 4), dtype)).tolist() == np.zeros((5, 5)).tolist()


@pytest.mark.parametrize("accumulator", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(3, 3), (1, 5), (9, 4), (3, 4, 5), (2, 3, 2, 3)])
def test_outer_products_of_floats_are_met_tap_by_tap(shape, accumulator, rng):
    eps = 2.0**-23 if accumulator in ("float32", "complex64") else 2.0**-52
    for scale in (1.0, 1e-150, 1e150):
        lines = [rng.normal(size=n) for n in shape]
        if "complex" in accumulator:
            lines = [line + 1j * rng.normal(size=line.size) for line in lines]
        kernel = reference.outer(lines) * (scale if "64" in accumulator and accumulator != "complex64" else 1.0)
        factors = factorize(kernel, accumulator)
        assert factors is not None
        assert factors.locally_exact
        (bank,) = factors.banks
        assert (np.abs(product_of(bank) - kernel) <= 8 * eps * np.abs(kernel)).all()
        assert all(np.isfinite(taps).all() for taps in bank)


def test_a_tap_further_off_than_rounding_makes_another_kernel():
    kernel = np.outer([1.0, 2.0, 1.0], [1.0, 3.0, 1.0])
    for relative, product in ((2.0**-52, True), (2.0**-40, False)):
        changed = kernel.copy()
        changed[0, 2] *= 1 + relative
        factors = factorize(changed, "float64")
        assert (factors is not None and factors.locally_exact and len(factors.banks) == 1) == product
    changed[0, 2] = 1 + 2.0**-30
    assert factorize(changed, "float32").locally_exact


def test_a_small_tap_counts_as_much_as_a_large_one():
    """1e-9 beside 1 is far below the norm's rounding in single precision, and still an error of 100 % where it is."""
    kernel = np.outer([1.0, 1e-9], [1.0, 1e-9])
    assert factorize(kernel, "float32").locally_exact
    kernel[1, 1] = 0
    factors = factorize(kernel, "float32")
    assert factors is None or not factors.locally_exact


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 4)])
def test_kernels_that_are_not_finite_are_no_products(bad, shape):
    kernel = np.ones(shape)
    kernel[(1,) * len(shape)] = bad
    assert factorize(kernel, "float64") is None
    assert factorize(np.full(shape, bad), "float64") is None
    assert factorize(kernel + 0j, "complex128") is None


@pytest.mark.parametrize("accumulator", ["float32", "float64"])
def test_short_sums_of_outer_products_are_found_in_two_dimensions(accumulator, rng):
    eps = {"float32": 2.0**-23, "float64": 2.0**-52}[accumulator]
    for terms in (2, 3):
        kernel = sum(np.outer(rng.normal(size=20), rng.normal(size=17)) for _ in range(terms))
        factors = factorize(kernel, accumulator)
        assert len(factors.banks) == terms
        assert not factors.locally_exact
        left = kernel - sum(product_of(bank) for bank in factors.banks)
        assert np.abs(left).max() <= 20 * eps * np.linalg.norm(kernel)


def test_sums_that_would_not_pay_are_left_alone(rng):
    assert factorize(rng.normal(size=(5, 5)), "float64") is None
    assert factorize(rng.normal(size=(40, 40)), "float64") is None


@pytest.mark.parametrize(
    ("dtype", "scale"), [("float64", 1e308), ("float64", 1e-290), ("float32", 1e38), ("float32", 1e-28)]
)
def test_huge_and_tiny_kernels_do_not_leave_the_range_in_between(xp, dtype, scale):
    """Where the direct sum is finite, so are the passes; or no passes are made."""
    kernel = np.full((3, 3), scale)
    values = np.full((4, 4), 1e-3 / scale if scale < 1 else 1e-3)
    method = "direct" if factorize(kernel, dtype) is None else "separable"
    result = gpuconv.convolve(make(xp, values, dtype=dtype), kernel, method=method)
    expected = gpuconv.convolve(values, kernel, method="direct")
    assert np.isfinite(expected).all()
    assert_close(result, expected, taps=9)


def test_rank_is_looked_for_where_it_pays_and_only_where_the_kernel_is_at_hand():
    kernel = np.outer(np.hanning(9), np.hanning(9))
    small = gpuconv.plan_convolution(np.zeros((8, 8)), kernel)
    large = gpuconv.plan_convolution(np.zeros((512, 512)), kernel, accuracy="local")
    assert small.problem.kernel.rank is None
    assert large.problem.kernel.rank == 1
    assert large.method == "separable"


def test_looking_for_rank_needs_no_more_memory_than_the_kernel():
    """A full decomposition of 6000 x 8 taps would make a matrix of 6000 x 6000."""
    kernel = np.random.default_rng(0).normal(size=(6000, 8))
    tracemalloc.start()
    try:
        factorize(kernel, "float64")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * kernel.nbytes


def test_kernels_that_come_and_go_are_not_kept():
    """A loop over ever new kernels, as in deconvolution and learning, must not fill the memory."""
    x, rng = np.zeros((300, 300), np.float32), np.random.default_rng(0)
    gpuconv.plan_convolution(x, rng.normal(size=(200, 200)))
    tracemalloc.start()
    try:
        for _ in range(20):
            gpuconv.plan_convolution(x, rng.normal(size=(200, 200)))
            gpuconv.plan_convolution(x, np.outer(rng.normal(size=200), rng.normal(size=200)))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 4 * 200 * 200 * 8
