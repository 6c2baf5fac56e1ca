"""Rows that are prepared for images of a shape and dtype give the bits of the rows themselves, and no warnings."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

from gpuconv.backends import cpu, generic
from gpuconv.backends.cpu import compiled, matrices, originals, scipy_loops
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import dtypes_of_sums
from gpuconv.core.namespace import home_of
from gpuconv.core.rounding import convert
from tests.backends.test_agreement import layouts
from tests.cases import BOUNDARIES

STORED = ("uint8", "int8", "uint16", "int16", "float16", "int32", "int64", "uint64", "float32", "float64", "complex64")
RESULTS = (None, "uint8", "int32", "float16", "float32", "float64")
PREPARED = [name for name, row in cpu.TABLE.items() if row.prepare is not None]
# (first, count) of a span of n samples under K taps: same, shifted, full, valid.
PLACES = {
    "same": lambda n, taps: (-(taps // 2), n),
    "shifted": lambda n, taps: (1 - taps, n),
    "full": lambda n, taps: (1 - taps, n + taps - 1),
    "valid": lambda n, taps: (0, max(n - taps + 1, 1)),
}


def samples(shape, dtype, rng):
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, shape, dtype=kind, endpoint=True)
    x = rng.normal(size=shape) + (1j * rng.normal(size=shape) if kind.kind == "c" else 0)
    return (40 * x).astype(kind)


def weights_of(primitive, taps, dtype, rng):
    shape = taps if primitive == "correlate_windows" else None
    exact = dtype in ("int32", "int64", "uint64")

    def draw(shape):
        return rng.integers(0, 4, shape).astype(dtype) if exact else rng.normal(size=shape).astype(dtype)

    if primitive == "correlate_axis":
        return draw(taps[0])
    return draw(shape) if shape is not None else [[draw(count) for count in taps]]


def run_both(primitive, x, weights, spans, cval, result):
    row = cpu.TABLE[primitive]
    run = row.prepare(x.shape, x.dtype, weights, spans, result)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared = run(x, cval)
        again = run(x, cval)
    with np.errstate(all="ignore"):
        return prepared, again, row.function(x, weights, spans, cval, result=result)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("primitive", PREPARED)
def test_prepared_rows_give_the_bits_of_the_row(primitive, dtype, boundary, place, rng):
    cases = [((9, 14), (3, 5)), ((9, 14), (4, 2)), ((5, 4), (6, 7))]
    for shape, taps in cases + ([] if primitive == "correlate_windows" else [((20, 22), (17, 17))]):
        weights_dtype = "float64" if dtype not in ("uint8", "int32") else "int32"
        x, weights = samples(shape, dtype, rng), weights_of(primitive, taps, weights_dtype, rng)
        axes = (0,) if primitive == "correlate_axis" else (0, 1)
        spans = tuple(Span(a, shape[a], taps[a], *_of(place, shape[a], taps[a]), boundary) for a in axes)
        for result, cval in zip(RESULTS, (0, 3, 0, 1, 0, 2), strict=True):
            if dtype.startswith("complex") and result is not None:
                continue
            for layout, given in layouts(x):
                prepared, again, expected = run_both(primitive, given, weights, spans, cval, result)
                assert prepared.dtype == expected.dtype, (layout, result)
                assert np.array_equal(prepared, expected), (layout, shape, taps, result)
                assert np.array_equal(again, expected)
                assert prepared.flags.writeable


def _of(place, size, taps):
    return PLACES[place](size, taps)


@pytest.mark.parametrize("primitive", PREPARED)
def test_prepared_rows_keep_numbers_that_are_none_inside_the_footprint(primitive, rng):
    x = rng.normal(size=(24, 30)).astype(np.float32)
    x[12, 15], x[3, 4] = np.nan, np.inf
    taps = (7, 5)
    weights = weights_of(primitive, taps, "float64", rng)
    axes = (0,) if primitive == "correlate_axis" else (0, 1)
    for boundary in BOUNDARIES:
        spans = tuple(Span(a, x.shape[a], taps[a], -(taps[a] // 2), x.shape[a], boundary) for a in axes)
        prepared, _, _ = run_both(primitive, x, weights, spans, 0.0, None)
        with np.errstate(all="ignore"):
            judge = generic.TABLE[primitive].function(x, weights, spans, 0.0)
        assert np.array_equal(np.isfinite(prepared), np.isfinite(judge))
        assert np.array_equal(np.isnan(prepared), np.isnan(judge))


def test_a_sum_that_single_precision_cannot_hold_is_infinite_without_a_warning():
    x = np.full((16, 16), 3e38, np.float32)
    bank = [[np.full(5, 1.0), np.full(5, 1.0)]]
    spans = [Span(a, 16, 5, -2, 16, "reflect") for a in (0, 1)]
    prepared, again, expected = run_both("correlate_separable", x, bank, spans, 0.0, None)
    assert np.isposinf(prepared).all()
    assert np.array_equal(prepared, expected)
    assert np.array_equal(again, expected)


MATRIX_SHAPES, MATRIX_TAPS = [(1, 1), (1, 9), (16, 16), (13, 40), (64, 64), (33, 64)], [(5, 5), (8, 3), (65, 17)]


def test_matrix_products_follow_the_definition(rng):
    """In double precision, rounded once: half a unit in the last place, and what double precision loses before."""
    done = 0
    for shape, taps, boundary, place in itertools.product(MATRIX_SHAPES, MATRIX_TAPS, BOUNDARIES, PLACES):
        spans = [Span(a, shape[a], taps[a], *_of(place, shape[a], taps[a]), boundary) for a in (0, 1)]
        bank = [rng.normal(size=count) for count in taps]
        if matrices.why_not(shape, np.dtype("float32"), bank, spans) is not None:
            continue
        x = rng.normal(size=shape).astype(np.float32)
        function = generic.TABLE["correlate_separable"].function
        expected = function(x.astype(np.float64), [bank], spans, 0.0)
        scale = function(np.abs(x).astype(np.float64), [[np.abs(line) for line in bank]], spans, 0.0)
        for _, given in layouts(x):
            result = cpu.TABLE["correlate_separable"].function(given, [bank], spans, 0.0)
            assert result.dtype == np.float32
            bound = 2.0**-24 * np.abs(expected) * (1 + 1e-6) + 2.0**-52 * sum(taps) * scale + 1e-45
            assert np.all(np.abs(result.astype(np.float64) - expected) <= bound), (shape, taps, boundary, place)
        done += 1
    assert done > 200


FULL = [Span(0, 64, 5, -4, 68, "wrap"), Span(1, 40, 5, -4, 100, "wrap")]


def test_matrix_products_do_what_they_can():
    even = [np.ones(5)] * 2

    def reason(shape=(64, 64), dtype="float32", bank=even, spans=None):
        spans = spans or [Span(a, shape[a], bank[a].size, -2, shape[a], "wrap") for a in (0, 1)]
        return matrices.why_not(shape, np.dtype(dtype), bank, spans)

    assert reason() is None
    assert "these are float64" in reason(dtype="float64")
    assert "these are 2 of 3" in reason((8, 8, 8))
    assert "fewer than 10 taps" in reason(bank=[np.ones(5), np.ones(4)])
    assert "more than 262144 multiply-adds" in reason((64, 65))
    assert "more than 262144 multiply-adds" in reason((64, 40), spans=FULL)
    assert "not finite" in reason(bank=[np.ones(5), np.array([1, 2, np.inf, 2, 1])])
    assert "in double precision" in reason(bank=[np.ones(5), np.ones(5) + 1j])


def test_a_flat_image_stays_flat():
    taps = np.exp(-(np.arange(-8, 9) ** 2) / 8.0)
    spans = [Span(a, 64, 17, -8, 64, "reflect") for a in (0, 1)]
    for value in (0.1, 1 / 3, 255.0, 1e-20):
        x = np.full((64, 64), value, np.float32)
        y = cpu.TABLE["correlate_separable"].function(x, [[taps / taps.sum()] * 2], spans, 0.0)
        assert np.array_equal(y, x)


def test_matrix_products_come_before_compiled_loops_of_as_much_work(monkeypatch, rng):
    bank, x = [rng.normal(size=65)] * 2, rng.normal(size=(64, 64)).astype(np.float32)
    spans = [Span(a, 64, 65, -32, 64, "mirror") for a in (0, 1)]
    assert compiled.WORK < 2 * 64**2 * 65
    expected = cpu.TABLE["correlate_separable"].function(x, [bank], spans, 0.0)
    monkeypatch.setattr(compiled, "WORK", 2**62)
    assert np.array_equal(cpu.TABLE["correlate_separable"].function(x, [bank], spans, 0.0), expected)


@pytest.fixture
def other_loops(monkeypatch):
    """SciPy's module of loops as it might be one day; what was found before is forgotten before and after."""

    def put(module):
        scipy_loops.loops.cache_clear()
        monkeypatch.setattr(scipy_loops.importlib, "import_module", lambda name: module)

    yield put
    scipy_loops.loops.cache_clear()


def test_this_scipy_has_the_loops_where_they_are_looked_for():
    scipy_loops.loops.cache_clear()
    assert scipy_loops.loops() is not scipy_loops.PUBLIC


class Moved:
    """A module without the loops."""


class Turned:
    """Loops with other arguments."""

    correlate1d = correlate = staticmethod(lambda x, weights: x)


class Numbered:
    """Loops with other numbers of the boundaries."""

    @staticmethod
    def correlate1d(x, taps, axis, output, code, cval, origin):
        scipy_loops.PUBLIC.line(x, taps, axis, output, (code + 1) % 5, cval, origin)

    correlate = staticmethod(lambda *arguments: scipy_loops.PUBLIC.window(*arguments))


@pytest.mark.parametrize("module", [Moved, Turned, Numbered])
def test_loops_that_are_not_as_expected_are_left_to_the_public_functions(module, other_loops, rng):
    x, taps = rng.normal(size=(6, 7)).astype(np.float32), rng.normal(size=3)
    spans = (Span(1, 7, 3, -1, 7, "mirror"),)
    expected = cpu.TABLE["correlate_axis"].function(x, taps, spans, 0.0)
    other_loops(module)
    assert scipy_loops.loops() is scipy_loops.PUBLIC
    assert np.array_equal(cpu.TABLE["correlate_axis"].function(x, taps, spans, 0.0), expected)
    kernel, both = rng.normal(size=(3, 3)), [Span(a, x.shape[a], 3, -1, x.shape[a], "mirror") for a in (0, 1)]
    window = cpu.TABLE["correlate_windows"].function(x, kernel, both, 0.0)
    assert np.array_equal(window, originals.ndimage_correlate(x, kernel, mode="mirror"))


def test_integers_are_read_as_they_are_stored(rng):
    """The bits of casting the image first, though SciPy's loop casts sample by sample."""
    for dtype in ("uint8", "int16", "int32", "int64"):
        x, taps = samples((9, 9), dtype, rng), rng.normal(size=5)
        spans = (Span(0, 9, 5, -2, 9, "wrap"),)
        working, _ = dtypes_of_sums(dtype, "float64")
        cast = cpu.TABLE["correlate_axis"].function(x.astype(working), taps, spans, 0.0)
        prepared, _, _ = run_both("correlate_axis", x, taps, spans, 0.0, "float16")
        with np.errstate(over="ignore"):
            assert np.array_equal(prepared, convert(home_of(cast), cast, "float16"))
