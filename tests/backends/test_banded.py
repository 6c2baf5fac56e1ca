"""Products with band matrices give what the generic rows give, in every layout, and spread nothing."""

from __future__ import annotations

import itertools
from math import sqrt

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import cpu, generic
from gpuconv.backends.cpu import banded, compiled, products
from gpuconv.core.boundary import Span
from tests.assertions import EPS
from tests.cases import BOUNDARIES

LENGTHS = (1, 2, 5, 16, 17, 40, 131)
SHAPES = ((700,), (61, 150), (150, 37), (30, 41, 33), (90, 70, 3))


@pytest.fixture
def without_llvmlite(monkeypatch):
    """Compiled loops are not at hand, and all work is large enough for matrix products and several threads."""
    monkeypatch.setattr(compiled, "is_installed", lambda: False)
    monkeypatch.setattr(banded, "WORK", 0)
    monkeypatch.setattr(banded, "FEWEST_TAPS", dict.fromkeys(banded.FEWEST_TAPS, 1))
    monkeypatch.setattr(products, "THREADED_FROM", 0)


@pytest.fixture(autouse=True)
def _threads_as_before():
    yield
    gpuconv.set_threads(None)


@pytest.fixture
def calls(monkeypatch):
    """How often band matrices were used."""
    seen = []
    original = banded.correlate_banded
    monkeypatch.setattr(banded, "correlate_banded", lambda *given: seen.append(given) or original(*given))
    return seen


def layouts(x):
    yield "C", x
    yield "Fortran", np.asfortranarray(x)
    yield "cropped", np.pad(x, 1)[(slice(1, -1),) * x.ndim]
    yield "backwards", np.flip(np.flip(x).copy())


def spans_along(axis, size, taps, boundary):
    """Same, full and valid, and a few outputs far beyond the axis."""
    yield Span(axis, size, taps, -(taps // 2), size, boundary)
    yield Span(axis, size, taps, 1 - taps, size + taps - 1, boundary)
    yield Span(axis, size, taps, -3 * size - 5, 7, boundary)
    yield Span(axis, size, taps, 0, 0, boundary)
    if taps <= size:
        yield Span(axis, size, taps, 0, size - taps + 1, boundary)


def compare(x, taps, span, cval, label):
    """The row for NumPy arrays against the generic one in double precision, within the documented bound."""
    wide = generic.TABLE["correlate_axis"].function(x.astype(float), taps.astype(x.dtype).astype(float), (span,), cval)
    scale = generic.TABLE["correlate_axis"].function(abs(x.astype(float)), abs(taps), (span,), abs(cval))
    result = cpu.TABLE["correlate_axis"].function(x, taps, (span,), cval)
    assert result.dtype == x.dtype
    assert result.shape == wide.shape
    # In double precision both sides are rounded.
    bound = (2 if x.dtype == np.float64 else 1) * 2 * sqrt(max(taps.size, 4)) * EPS[x.dtype.name] * scale
    assert np.all(abs(result - wide) <= bound), label


@pytest.mark.usefixtures("without_llvmlite")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_band_matrices_give_the_definition(boundary, dtype, rng, calls):
    for shape, taps in itertools.product(SHAPES, LENGTHS):
        axis = int(rng.integers(len(shape)))
        x, line = rng.normal(size=shape).astype(dtype), rng.normal(size=taps)
        for span in spans_along(axis, shape[axis], taps, boundary):
            compare(x, line, span, 2.5, (shape, span))
    x, line = rng.normal(size=(45, 33, 20)).astype(dtype), rng.normal(size=17)
    for (name, given), axis in itertools.product(layouts(x), range(3)):
        compare(given, line, Span(axis, x.shape[axis], 17, -8, x.shape[axis], boundary), -1.5, (name, axis))
    assert len(calls) > 150


@pytest.mark.usefixtures("without_llvmlite")
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5, 3)])
def test_empty_arrays_have_empty_results(shape, calls):
    for axis in (0, 1):
        span = Span(axis, shape[axis], 3, -1, shape[axis], "constant")
        result = cpu.TABLE["correlate_axis"].function(np.ones(shape, "float32"), np.ones(3), (span,), 0)
        assert result.shape == shape
    assert calls


@pytest.mark.usefixtures("without_llvmlite")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("cval", [np.nan, np.inf, 0.5])
def test_what_is_not_finite_stays_in_its_footprint(cval, rng, calls):
    x = rng.normal(size=(150, 260)).astype("float32")
    x[70, 100], x[5, 259], x[149, 0], x[100, 100] = np.nan, np.inf, -np.inf, 3e38
    for axis, taps in itertools.product((0, 1), (3, 20, 65)):
        line = rng.uniform(0.1, 0.2, taps)
        span = Span(axis, x.shape[axis], taps, -(taps // 2), x.shape[axis], "constant")
        expected = generic.TABLE["correlate_axis"].function(x, line, (span,), cval)
        result = cpu.TABLE["correlate_axis"].function(x, line, (span,), cval)
        finite = np.isfinite(expected)
        assert 0 < np.count_nonzero(~finite) < x.size / 2
        assert np.array_equal(np.isnan(result), np.isnan(expected))
        assert np.array_equal(result[~finite], expected[~finite], equal_nan=True)
        np.testing.assert_allclose(result[finite], expected[finite], rtol=1e-4, atol=1e-4)
    assert calls


@pytest.mark.usefixtures("without_llvmlite")
@pytest.mark.parametrize("taps", [16, 17, 65, 301, 1025])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_flat_line_is_off_by_no_more_than_the_documented_bound(taps, dtype, calls):
    """All roundings point the same way: the worst case of the bound. The exact sum is that of fractions."""
    from fractions import Fraction

    rng = np.random.default_rng(taps)
    weights = rng.uniform(0, 1, taps).astype(dtype)
    x = np.full((1500, 3), 1.1, dtype)
    exact = Fraction(float(x[0, 0])) * sum(Fraction(float(weight)) for weight in weights)
    span = Span(0, 1500, taps, 0, 1500 - taps + 1, "constant")
    result = cpu.TABLE["correlate_axis"].function(x, weights.astype(float), (span,), 0)
    bound = 2 * sqrt(taps) * EPS[dtype] * float(exact)
    assert max(abs(Fraction(float(value)) - exact) for value in set(result.ravel().tolist())) <= bound
    assert calls


def test_tiles_keep_the_documented_bound_for_up_to_three_passes():
    for taps in range(1, 3000):
        tile, count = banded.tiles_of(taps)
        assert tile * (count - 1) >= taps - 1, "the last block must reach the last tap"
        # Half an eps for each of b products and m - 1 sums.
        for passes in (1, 2, 3):
            assert passes * (tile + count - 1) / 2 <= 2 * sqrt(passes * taps + 16)


@pytest.mark.usefixtures("without_llvmlite")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_number_of_threads_never_shows_in_the_bits(dtype, rng, calls):
    x = rng.normal(size=(300, 500)).astype(dtype)
    results = []
    for count in (1, 2, 3, None):
        gpuconv.set_threads(count)
        results.append(gpuconv.convolve_separable(x, [np.arange(1.0, 40.0)] * 2, boundary="wrap", accuracy="local"))
    assert all(np.array_equal(results[0], other) for other in results[1:])
    assert len(calls) == 8


def test_why_not_says_what_speaks_against_matrix_products():
    many = 10**8
    assert banded.why_not("float32", "float64", 65, many) is None
    assert banded.why_not("float64", "float32", 65, many) is None
    assert banded.why_not("int64", "int64", 65, many) == (
        "matrix products are for float32 and float64, these are int64 and int64"
    )
    assert "these are float32 and complex128" in str(banded.why_not("float32", "complex128", 65, many))
    sentence = "3 taps are fewer than the 17 from which matrix products are faster"
    assert banded.why_not("float32", "float64", 3, many) == sentence
    sentence = "325000 products are less than the 4000000 from which matrix products are worth their start"
    assert banded.why_not("float32", "float64", 65, 325000) == sentence


def test_a_gaussian_without_llvmlite_is_a_product_with_band_matrices(run_python):
    code = """
import sys
sys.modules["llvmlite"] = None
import numpy as np, scipy.ndimage
import gpuconv.filters
from gpuconv.backends.cpu import banded
seen, original = [], banded.correlate_banded
banded.correlate_banded = lambda *given: seen.append(1) or original(*given)
x = np.random.default_rng(0).normal(size=(1000, 1200)).astype(np.float32)
right = scipy.ndimage.gaussian_filter(x.astype(float), 8)
print(abs(gpuconv.filters.gaussian(x, 8, boundary="reflect") - right).max(), len(seen))
"""
    error, count = run_python(code).split()
    assert float(error) < 1e-6
    assert count == "2"
