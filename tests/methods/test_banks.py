"""Several separable convolutions at once are the same as one by one, and share what they have in common."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import registry
from gpuconv.backends.generic import separable
from gpuconv.core.boundary import BOUNDARIES, Span
from gpuconv.methods.banks import convolve_banks
from tests.assertions import assert_close, assert_same_home
from tests.libraries import make

BANKS = (([1.0, 2.0, 4.0], [1.0, -3.0]), ([1.0, 2.0, 4.0], [0.5, 0.0, 2.0, 7.0, -1.0]), ([3.0], [1.0, -3.0]))


@pytest.mark.parametrize("cval", [0.0, -2.5])
@pytest.mark.parametrize("boundary", [*BOUNDARIES, ("constant", "wrap")], ids=str)
def test_every_bank_is_a_separable_convolution(xp, rng, boundary, cval):
    x = make(xp, rng.standard_normal((7, 2, 6)).astype(np.float32))
    options = {"axes": (2, 0), "boundary": boundary, "cval": cval}
    results = convolve_banks(x, BANKS, **options)
    assert len(results) == len(BANKS)
    for result, bank in zip(results, BANKS):
        assert_same_home(result, x, dtype="float32")
        assert_close(result, gpuconv.convolve_separable(x, bank, **options), taps=15, scale=60, case=bank)


def test_an_empty_image_gives_empty_results(xp):
    x = make(xp, np.zeros((0, 4), np.float32))
    for result in convolve_banks(x, BANKS, axes=(0, 1), boundary="constant", cval=1.0):
        assert_same_home(result, x, dtype="float32")
        assert result.shape == (0, 4)


def test_long_taps_go_through_transforms_and_short_ones_do_not(rng):
    x, long = rng.standard_normal((2, 200_000)), np.ones(20_001) * rng.standard_normal(20_001)
    banks = (([1.0, 2.0], [1.0]), ([1.0, 2.0], long))
    results = convolve_banks(x, banks, axes=(0, 1), boundary="reflect", cval=0.0)
    for result, bank in zip(results, banks):
        expected = gpuconv.convolve_separable(x, bank, axes=(0, 1), boundary="reflect")
        np.testing.assert_array_equal(result, expected)


def test_banks_that_begin_alike_share_their_passes():
    passes = []

    def run(x, taps, span):
        passes.append((taps.tolist(), span.axis))
        return x

    first, second = Span(0, 5, 2, 0, 4, "wrap"), Span(1, 5, 2, 0, 4, "wrap")
    banks = [[np.array([1.0, 2.0]), np.array(taps)] for taps in ([3.0, 4.0], [5.0, 6.0], [3.0, 4.0])]
    results = separable.share_passes("x", banks, [(first, second)] * 3, run)
    assert results == ["x", "x", "x"]
    assert passes == [([1.0, 2.0], 0), ([3.0, 4.0], 1), ([5.0, 6.0], 1)]


def test_the_same_taps_on_another_part_of_the_axis_are_another_pass(rng):
    x, taps = rng.standard_normal(9), np.array([1.0, 2.0])
    spans = [(Span(0, 9, 2, first, 6, "nearest"),) for first in (0, 2)]
    here, there = separable.correlate_banks(x, [[taps], [taps]], spans, 0.0)
    np.testing.assert_array_equal(here, x[:6] + 2 * x[1:7])
    np.testing.assert_array_equal(there, x[2:8] + 2 * x[3:9])


def test_an_engine_that_has_the_row_gets_all_banks_at_once(monkeypatch, rng):
    class Engine(registry.Backend):
        def table(self):
            def row(x, banks, spans, cval):
                assert (len(banks), len(spans), cval) == (3, 3, 0.5)
                return separable.correlate_banks(x, banks, spans, cval)

            return {"correlate_banks": registry.Implementation(row, lambda problem: None)}

    x, options = rng.standard_normal((5, 6)), {"axes": (0, 1), "boundary": "constant", "cval": 0.5}
    expected = convolve_banks(x, BANKS, **options)
    monkeypatch.setattr(registry, "BACKENDS", (Engine("engine", "numpy", "for this test"), *registry.BACKENDS))
    registry._select.cache_clear()
    try:
        results = convolve_banks(x, BANKS, **options)
    finally:
        registry._select.cache_clear()
    for result, other in zip(results, expected):
        np.testing.assert_allclose(result, other, rtol=1e-13, atol=1e-13)
