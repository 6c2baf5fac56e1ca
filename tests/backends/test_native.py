"""Native rows take images as they are stored and round to what is wanted: the bits of casting before and after."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import cpu, generic
from gpuconv.backends.cpu import compiled
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import dtypes_of_sums
from gpuconv.core.namespace import home_of
from gpuconv.core.rounding import convert
from tests import reference
from tests.backends.test_agreement import layouts
from tests.cases import BOUNDARIES, draw

STORED = ("uint8", "int8", "uint16", "int16", "float16", "int32", "uint32", "int64", "float32", "float64", "complex64")
RESULTS = (None, "uint8", "int8", "uint16", "int16", "int32", "float16", "float32", "float64")
# Shapes and axes: less than a register, whole tiles and the rest, channels, lines, rows, volumes, many blocks.
SHAPES = [((700,), (0,)), ((3, 5), (0, 1)), ((40, 90), (0, 1)), ((70, 33), (0,)), ((33, 150), (1,)), ((90, 41), (1, 0))]
SHAPES += [((31, 20, 3), (0, 1)), ((9, 11, 40), (0, 1)), ((20, 9, 40), (0, 1, 2)), ((9, 3, 60), (2, 0))]
TAPS = (1, 2, 3, 5, 17, 66)


@pytest.fixture(params=["compiled", "other"])
def engine(request, monkeypatch):
    """All work on compiled loops and several bands, or none of it."""
    if request.param == "compiled":
        pytest.importorskip("llvmlite", reason="compiled loops need llvmlite")
    monkeypatch.setattr(compiled, "WORK", 0 if request.param == "compiled" else 2**62)
    monkeypatch.setattr(compiled, "THREADED_WORK", 0)


def samples(shape, dtype, rng):
    """Of integers all bits; of floats what 8-bit results hold and a little more, halves among them, and no number."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return rng.integers(max(limits.min, -(2**40)), min(limits.max, 2**40), shape, dtype=kind, endpoint=True)
    x = np.round(2 * rng.normal(100, 90, shape)) / 2
    x = (x + 1j * rng.normal(size=shape) if kind.kind == "c" else x).astype(kind)
    x.flat[:: max(x.size // 3, 2)] = [np.nan, np.inf, -np.inf, np.nan][: len(x.flat[:: max(x.size // 3, 2)])]
    return x


def span_of(axis, size, rng):
    taps = int(rng.choice(TAPS))
    choices = [(-(taps // 2), size), (1 - taps, size + taps - 1)] + ([(0, size - taps + 1)] if taps <= size else [])
    first, count = choices[rng.integers(len(choices))]
    return Span(axis, size, taps, first, count, BOUNDARIES[rng.integers(len(BOUNDARIES))])


def weights_of(shape, kind, rng):
    """Floating taps near one in sum; integers of the dtype that sums have."""
    if kind in ("int32", "int64", "uint64"):
        return rng.integers(0, 4, shape).astype(kind) if kind[0] == "u" else rng.integers(-3, 4, shape).astype(kind)
    taps = rng.uniform(0, 2, shape) / np.prod(shape)
    return taps * (1 + 1j) if kind == "complex128" else taps


def calls(spans, kind, rng):
    """Every row that runs these spans, with weights for it."""
    lines = [[weights_of((span.taps,), kind, rng) for span in spans] for _ in range(2)]
    yield "correlate_separable", lines[:1]
    yield "correlate_separable", lines
    if len(spans) == 1:
        yield "correlate_axis", lines[0][0]
    else:
        yield "correlate_windows", weights_of(tuple(min(span.taps, 5) for span in spans), kind, rng)


def shortened(spans):
    """The same spans for kernels of no more than five taps, as windows have here."""
    return [Span(s.axis, s.size, min(s.taps, 5), s.first, s.count, s.boundary) for s in spans]


@pytest.mark.usefixtures("engine")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", STORED)
def test_native_rows_give_the_bits_of_casting_before_and_after(dtype, rng):
    kinds = ["float64"] + (["int64"] if np.dtype(dtype).kind in "iu" else ["complex128"])
    kinds += ["int32"] * (dtype in ("uint8", "int8")) + ["uint64"] * (dtype[0] == "u")
    results = [name for name in RESULTS if name is None or np.dtype(dtype).kind != "c"]
    for turn, ((shape, axes), kind) in enumerate(itertools.product(SHAPES, kinds)):
        x = samples(shape, dtype, rng)
        whole = [span_of(axis, shape[axis], rng) for axis in axes]
        fill = 2.5 if kind in ("float64", "complex128") else 3
        for name, weights in calls(whole, kind, rng):
            spans = tuple(shortened(whole) if name == "correlate_windows" else whole)
            row = cpu.TABLE[name].function
            working, accumulator = dtypes_of_sums(dtype, np.dtype(kind).name)
            result = None if kind == "complex128" else results[turn % len(results)]
            # The order of sums depends on how memory lies: what they are compared with is laid out in the same way.
            pairs = list(zip(layouts(x), layouts(x.astype(working)), strict=True))
            for (layout, given), (_, cast) in (pairs[0], pairs[1 + turn % (len(pairs) - 1)]):
                sums = row(cast, weights, spans, fill)
                expected = sums if result is None else convert(home_of(sums), sums, result)
                y = row(given, weights, spans, fill, result=result)
                label = (name, layout, shape, kind, result, spans)
                assert sums.dtype.name == accumulator, label
                assert y.dtype == expected.dtype, label
                assert np.array_equal(y, expected, equal_nan=y.dtype.kind in "fc"), label
            if kind not in ("float64", "complex128"):
                assert np.array_equal(sums, generic.TABLE[name].function(cast, weights, spans, fill)), label


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("result", ["uint8", "int8", "uint16", "int16", "int32", "float16", "float32"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float16", "float32", "float64"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_result_of_every_image_is_rounded_like_convert(dtype, result, rng):
    """A tap of one shows every sample: halves, both ends of the range, infinities, no number."""
    x = samples((30, 40), dtype, rng)
    expected = convert(home_of(x), x.astype(np.float64 if dtype == "float64" else np.float32), result)
    for taps in ([[1.0], [1.0]], [[0.0, 1.0, 0.0], [1.0]]):
        out = np.zeros(x.shape, result)
        if np.isfinite(x).all() or len(taps[0]) == 1:
            gpuconv.convolve_separable(x, taps, boundary="reflect", accuracy="local", out=out)
            assert np.array_equal(out, expected, equal_nan=np.dtype(result).kind == "f")
            gpuconv.convolve(x, np.array(taps[0])[:, None] * taps[1], method="direct", boundary="reflect", out=out)
            assert np.array_equal(out, expected, equal_nan=np.dtype(result).kind == "f")


@pytest.mark.usefixtures("engine")
def test_out_may_be_the_image_itself_and_keeps_the_fill_value_unrounded():
    x, kernel = draw((50, 60), "uint8", "x"), np.full((3, 3), 1 / 9)
    expected = np.round(reference.convolve(x, kernel, cval=300.5))
    given = x.copy()
    assert gpuconv.convolve(given, kernel, cval=300.5, method="direct", out=given) is given
    assert np.abs(given - np.clip(expected, 0, 255)).max() <= 1  # a sum that lies on a half may go either way
    assert given[0, 0] > expected[1:-1, 1:-1].max() / 4


@pytest.mark.usefixtures("engine")
def test_integer_kernels_on_photos_are_exact():
    x, kernel = draw((64, 70), "uint8", "x"), np.array([[1, 2, -1], [3, -4, 2], [1, 5, -2]], np.int8)
    result = gpuconv.convolve(x, kernel, boundary="mirror")
    assert result.dtype == np.int32
    assert np.array_equal(result, reference.convolve(x, kernel, boundary="mirror"))
    out = np.zeros(x.shape, np.int16)
    gpuconv.convolve(x, kernel, boundary="mirror", out=out)
    assert np.array_equal(out, result)
