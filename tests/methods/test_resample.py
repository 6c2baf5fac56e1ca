"""Every backend resamples as the definition says, from any offset and for any ratio."""

from __future__ import annotations

import importlib
from functools import partial
from itertools import product

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import registry
from gpuconv.methods.resample import Rates, resample
from tests.assertions import assert_close, assert_same_home
from tests.libraries import make, name_of

RATIOS = [(1, 1), (3, 1), (1, 4), (2, 3), (4, 6), (7, 5)]
SIZES = [(1, 0, 4, 0), (4, 2, 9, 1), (13, 11, 5, 0), (9, 0, 1, 1)]  # taps, offset, outputs, axis


def samples_of(rates, rng):
    shape = [2, 3]
    shape[rates.axis] = rates.length
    return rng.normal(size=shape)


def by_definition(x, taps, rates):
    """``y[n] = sum_q taps[offset + n down - q up] x~[q]``, term by term."""
    x = np.moveaxis(x, rates.axis, 0)
    y = np.zeros((rates.count, *x.shape[1:]), np.result_type(x, taps))
    for n, q in product(range(rates.count), range(len(x))):
        tap = rates.offset + n * rates.down - (q + rates.first) * rates.up
        if 0 <= tap < len(taps):
            y[n] += taps[tap] * x[q]
    return np.moveaxis(y, 0, rates.axis)


@pytest.mark.parametrize(("up", "down"), RATIOS)
@pytest.mark.parametrize("backend", [None, "generic"])
def test_resampling_follows_its_definition(xp, rng, up, down, backend):
    if backend and name_of(xp) not in ("numpy", "dask"):
        pytest.skip("other libraries have no other backend")
    for taps, offset, count, axis in SIZES:
        rates = Rates(axis, up, down, offset, count, taps)
        h, host = rng.normal(size=taps), samples_of(rates, rng)
        x = make(xp, host)
        run = partial(resample, taps=h, rates=rates)
        if name_of(xp) == "jax":
            run = importlib.import_module("jax").jit(run)
        with gpuconv.use_backend(backend):
            y = run(x)
        assert_same_home(y, x)
        assert_close(y, by_definition(host, h, rates), taps=rates.depth, scale=np.abs(h).max() * 4, case=rates)


def test_taps_may_be_an_array_of_the_library(xp, rng):
    """Then only their number is known, and each of them counts."""
    rates = Rates(1, 3, 2, 1, 9, 7)
    h, host = rng.normal(size=7), samples_of(rates, rng)
    assert_close(resample(make(xp, host), make(xp, h), rates), by_definition(host, h, rates), taps=3, scale=9.0)


def test_what_is_read_is_what_the_outputs_need(rng):
    """`first` and `length` leave out no sample: one more on each side changes nothing."""
    for (up, down), (taps, offset, count, _) in product(RATIOS, SIZES):
        rates = Rates(0, up, down, offset, count, taps)
        lowest, highest = offset - taps + 1, offset + (count - 1) * down
        assert rates.first <= -(-lowest // up)
        assert rates.first + rates.length > highest // up


def test_numpy_arrays_take_scipys_loop_and_a_nan_does_not():
    """SciPy's loop multiplies a NaN by the zeros that fill up its sub-filters."""
    rates = Rates(0, 3, 1, 0, 12, 4)
    x = np.ones(rates.length)
    x[2] = np.nan
    taps = np.array([1.0, 0.0, 2.0, 3.0])
    y = resample(x, taps, rates)
    sample = 2 + rates.first
    touched = [n for n in range(12) if 0 <= n - 3 * sample < 4 and taps[n - 3 * sample] != 0]
    assert touched
    assert np.flatnonzero(np.isnan(y)).tolist() == touched
    assert registry.BACKENDS[0].table()["resample_axis"].function.__module__ == "gpuconv.backends.cpu.polyphase"
