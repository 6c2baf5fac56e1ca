"""dask arrays: nothing is computed before it is asked for, and chunks cannot change the answer."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import cpu, registry
from gpuconv.backends.registry import Implementation
from tests import reference
from tests.assertions import assert_close
from tests.cases import BOUNDARIES, MODES, draw
from tests.libraries import make, open_library, why_absent

pytestmark = pytest.mark.skipif(why_absent("dask") is not None, reason="dask is not installed")


@pytest.fixture
def xp():
    return open_library("dask")


@pytest.fixture
def computed(xp):
    """Counts the tasks that run: empty as long as nothing is computed."""
    from dask.callbacks import Callback

    tasks = []
    with Callback(pretask=lambda key, graph, state: tasks.append(key)):
        yield tasks


CALLS = {
    "convolve": lambda x: gpuconv.convolve(x, draw((5,), "float64", "k"), axes=1, boundary="wrap"),
    "correlate": lambda x: gpuconv.correlate(x, draw((5, 4), "float64", "k"), mode="full", cval=np.nan),
    "fft": lambda x: gpuconv.convolve(x, draw((5, 4), "float64", "k"), method="fft", boundary="reflect"),
    "overlap": lambda x: gpuconv.convolve(x, draw((5, 4), "float64", "k"), method="overlap", boundary="mirror"),
    "separable": lambda x: gpuconv.convolve(x, np.ones((9, 2)), method="separable", boundary="nearest"),
    "convolve_separable": lambda x: gpuconv.convolve_separable(x, [[1.0, 2.0], [3.0] * 9], boundary="reflect"),
    "convolve_adjoint": lambda x: gpuconv.convolve_adjoint(
        x, draw((5, 4), "float64", "k"), shape=x.shape, boundary="wrap"
    ),
    "plan": lambda x: str(gpuconv.plan_convolution(x, draw((5, 4), "float64", "k"))),
    "integers": lambda x: gpuconv.convolve(x.astype("int16"), draw((5, 4), "int8", "k")),
    "half": lambda x: gpuconv.convolve(x.astype("float16"), draw((5, 4), "float32", "k")),
    "kernel": lambda x: gpuconv.convolve(x, x[:3, :3], boundary="wrap"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_nothing_is_computed_until_it_is_asked_for(xp, computed, call):
    x = make(xp, draw((8, 11), "float64", "x"))
    result = call(x)
    assert computed == []
    if isinstance(result, str):
        return
    assert type(result) is type(x)
    values = result.compute()
    assert len(computed) > 0
    assert values.dtype == result.dtype
    assert values.shape == result.shape
    assert isinstance(result._meta, np.ndarray)
    assert result._meta.dtype == values.dtype


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_chunks_do_not_change_the_answer(xp, boundary, mode):
    """Single samples, chunks shorter than the reach, uneven ones, and one chunk."""
    x, kernel = draw((13,), "float64", "x"), draw((6,), "float64", "kernel")
    options = {"boundary": boundary, "mode": mode, "cval": 1.5, "origin": 2 if mode == "same" else 0}
    expected = reference.convolve(x, kernel, **options)
    for chunks in ((1,) * 13, (2, 3, 1, 7), (13,), (12, 1), (1, 12), (6, 7)):
        result = gpuconv.convolve(make(xp, x, chunks=(chunks,)), kernel, **options)
        assert_close(result, expected, taps=6, scale=reference.magnitude(x, kernel, **options), case=chunks)
        if mode == "same":
            assert result.chunks == (chunks,)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_reach_longer_than_the_array(xp, boundary):
    x, kernel = draw((3, 4), "float32", "x"), draw((11, 9), "float64", "kernel")
    for chunks in (((1, 1, 1), (1, 3)), ((3,), (4,)), ((2, 1), (2, 2))):
        for mode in ("same", "full"):
            result = gpuconv.convolve(make(xp, x, chunks=chunks), kernel, boundary=boundary, mode=mode)
            expected = reference.convolve(x, kernel, boundary=boundary, mode=mode)
            scale = reference.magnitude(x, kernel, boundary=boundary, mode=mode)
            assert_close(result, expected, taps=99, scale=scale, case=(chunks, mode))


@pytest.mark.parametrize("method", ["direct", "separable", "fft", "overlap"])
def test_every_method_works_on_uneven_chunks(xp, method):
    x, kernel = draw((9, 10, 2), "complex64", "x"), np.outer([1.0, 2.0, 3.0], [1.0, -1.0, 0.5, 2.0])
    result = gpuconv.convolve(make(xp, x), kernel, axes=(1, 0), boundary=("wrap", "reflect"), method=method)
    expected = reference.convolve(x, kernel, axes=(1, 0), boundary=("wrap", "reflect"))
    bound = reference.spectral_bound(2.0**-23, 1024, np.repeat(x, 4), kernel)
    assert_close(result, expected, tolerance=bound)
    assert result.chunks == make(xp, x).chunks


def test_a_kernel_may_be_a_dask_array_too(xp):
    x, kernel = draw((9, 8), "float64", "x"), draw((3, 4), "float64", "kernel")
    expected = reference.convolve(x, kernel, boundary="mirror")
    for chunks in (((1, 2), (3, 1)), ((3,), (4,))):
        for method in ("direct", "fft"):
            given = make(xp, kernel, chunks=chunks)
            result = gpuconv.convolve(make(xp, x), given, boundary="mirror", method=method)
            assert_close(result, expected, tolerance=reference.spectral_bound(2.0**-52, 1024, np.tile(x, 4), kernel))
    lines = [make(xp, kernel[0], chunks=((1, 3),)), make(xp, kernel[1], chunks=((2, 2),))]
    result = gpuconv.convolve_separable(make(xp, x), lines, boundary="mirror")
    expected = reference.convolve(x, np.outer(kernel[0], kernel[1]), boundary="mirror")
    assert_close(result, expected, tolerance=1e-13)


def test_a_complex_kernel_makes_the_blocks_complex(xp):
    x, kernel = draw((9,), "float32", "x"), draw((3,), "complex128", "kernel")
    for weights in (kernel, make(xp, kernel)):
        result = gpuconv.convolve(make(xp, x), weights)
        assert result.dtype == np.complex64
        assert_close(result, reference.convolve(x, kernel), taps=6)


def test_unknown_chunk_sizes_are_refused_with_the_remedy(xp):
    x = make(xp, np.arange(9.0))
    unknown = x[x > 3]
    with pytest.raises(
        ValueError, match=r"needs known chunk sizes .*x has shape \(nan,\).*x.compute_chunk_sizes\(\) first"
    ):
        gpuconv.convolve(unknown, [1.0, 2.0])
    with pytest.raises(
        ValueError, match=r"needs known chunk sizes .*kernel has shape \(nan,\).*kernel.compute_chunk_sizes"
    ):
        gpuconv.convolve(x, unknown)
    with pytest.raises(ValueError, match="needs known chunk sizes"):
        gpuconv.convolve_adjoint(unknown, [1.0, 2.0], shape=(5,))
    unknown.compute_chunk_sizes()
    assert gpuconv.convolve(unknown, [1.0, 1.0], mode="valid").compute().tolist() == [9, 11, 13, 15]


def test_empty_chunks_and_arrays(xp):
    x = make(xp, np.arange(5.0), chunks=((0, 2, 0, 3, 0),))
    expected = gpuconv.convolve(np.arange(5.0), [1.0, 2.0, 3.0], boundary="wrap")
    assert gpuconv.convolve(x, [1.0, 2.0, 3.0], boundary="wrap").compute().tolist() == expected.tolist()
    for mode, cval in (("same", 0), ("full", 2.0)):
        result = gpuconv.convolve(make(xp, np.empty(0)), np.ones(3), mode=mode, cval=cval)
        assert result.compute().tolist() == ([6.0, 6.0] if mode == "full" else [])


def test_nan_stays_in_the_footprint_across_chunks(xp):
    x = np.zeros(20)
    x[9] = np.nan
    for method in ("direct", "fft", "overlap"):
        result = gpuconv.convolve(make(xp, x, chunks=((5, 5, 5, 5),)), np.ones(5), method=method).compute()
        assert np.flatnonzero(np.isnan(result)).tolist() == [7, 8, 9, 10, 11]


def test_blocks_run_on_the_backend_that_was_asked_for_when_the_graph_was_built(xp, monkeypatch):
    """Also when the block runs later, and outside of `use_backend`."""
    calls = []

    def spy(x, weights, spans, cval):
        calls.append(x.shape)
        return cpu.windows.correlate_windows(x, weights, spans, cval)

    monkeypatch.setitem(cpu.TABLE, "correlate_windows", Implementation(spy, lambda problem: None))
    registry._select.cache_clear()
    try:
        x, kernel = make(xp, np.ones((6, 6)), chunks=((3, 3), (6,))), draw((3, 3), "float64", "kernel")
        usual = gpuconv.convolve(x, kernel, method="direct")
        with gpuconv.use_backend("generic"):
            forced = gpuconv.convolve(x, kernel, method="direct")
        assert calls == []
        forced = forced.compute()
        assert calls == []
        usual = usual.compute()
        assert calls == [(5, 8)] * 2
        np.testing.assert_allclose(forced, usual, rtol=1e-13)
    finally:
        registry._select.cache_clear()


def test_the_graph_grows_with_the_chunks_and_not_with_the_kernel(xp):
    """A long kernel must not make a graph of one task per tap."""
    x = make(xp, np.zeros(1000), chunks=((100,) * 10,))
    short, long = (len(gpuconv.convolve(x, np.ones(taps), boundary="reflect").__dask_graph__()) for taps in (3, 99))
    assert long < 2 * short


def test_half_precision_is_summed_in_single_precision_in_every_block(xp):
    """Sums of values one unit above a power of two, rounded once at the end."""
    x = np.full((20, 6), 1 + 2.0**-10, dtype=np.float16)
    result = gpuconv.convolve(make(xp, x), np.full((5, 3), 1 / 15), boundary="wrap", method="direct")
    assert result.dtype == np.float16
    assert result.compute().tolist() == x.tolist()
    chunked = gpuconv.convolve_separable(make(xp, x), [np.ones(16), np.ones(2)], boundary="wrap").compute()
    assert chunked.tolist() == np.full((20, 6), np.float16(32 * (1 + 2.0**-10))).tolist()


def test_a_lazy_result_is_that_of_the_kernel_as_it_was():
    da = pytest.importorskip("dask.array")
    kernel = np.array([1.0, 2.0, 3.0])
    results = [call(da.ones((100,), chunks=30), kernel) for call in (gpuconv.convolve, gpuconv.correlate)]
    kernel[:] = 0.0
    assert [float(result[50].compute()) for result in results] == [6.0, 6.0]
