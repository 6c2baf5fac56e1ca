"""Passes along axes of very different length, each by the method that suits it."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from gpuconv.methods.describe import Options
from gpuconv.methods.passes import describe_passes, plan_passes
from tests import reference
from tests.assertions import assert_close
from tests.cases import BOUNDARIES, draw
from tests.libraries import make, to_numpy


def methods_of(x, taps, **options):
    return [plan.method for plan in plan_passes(describe_passes(x, taps, Options("convolve", **options)))]


def expected_of(x, taps, boundary, cval=0.0):
    """Both axes extended by hand, then NumPy's one-dimensional convolution along each."""
    mode = {"constant": "constant", "reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap"}[
        boundary
    ]
    fill = {"constant_values": cval} if boundary == "constant" else {}
    wide = np.clongdouble if any(np.iscomplexobj(line) for line in (x, *taps)) else np.longdouble
    for axis, line in enumerate(taps):
        line = np.asarray(line)
        start = (line.size - 1) // 2
        pad = [(0, 0)] * x.ndim
        pad[axis] = (line.size - 1 - start, start)
        x = np.pad(x, pad, mode=mode, **fill)
    for axis, line in enumerate(taps):
        rows = [
            np.convolve(row.astype(wide), np.asarray(line).astype(wide), mode="valid")
            for row in np.moveaxis(x, axis, 1)
        ]
        x = np.moveaxis(np.array(rows), 1, axis)
    return x


@pytest.mark.parametrize("cval", [0.0, 1.5])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_long_line_is_transformed_beside_a_short_one_that_is_summed(boundary, cval):
    x, taps = draw((9, 4000), "float32", "x"), [draw((3,), "float64", "short"), draw((1501,), "float64", "long")]
    methods = methods_of(x, taps, boundary=boundary)
    assert methods[0] == "direct"
    assert methods[1] in ("fft", "overlap")
    result = gpuconv.convolve_separable(x, taps, boundary=boundary, cval=cval)
    assert result.dtype == np.float32
    expected = expected_of(x, taps, boundary, cval)
    scale = (
        np.linalg.norm(np.append(x, np.full(4 * 3000 * 9, cval))) * np.linalg.norm(taps[0]) * np.linalg.norm(taps[1])
    )
    assert_close(result, expected.astype(np.float64), tolerance=8 * 13 * 2.0**-23 * scale, dtype="float32")


def test_accuracy_local_sums_every_line():
    x, taps = draw((9, 4000), "float32", "x"), [[1.0, 2.0], np.ones(1501)]
    assert methods_of(x, taps, accuracy="local") == ["direct", "direct"]


@pytest.mark.parametrize("first_complex", [True, False])
def test_complex_taps_on_either_axis(xp, first_complex):
    x = draw((9, 300), "float32", "x")
    taps = [draw((3,), "complex128", "short"), draw((101,), "float64", "long")]
    taps = taps if first_complex else [taps[0].real, taps[1] + 1j]
    result = gpuconv.convolve_separable(make(xp, x), taps, boundary="wrap")
    assert to_numpy(result).dtype == np.complex64
    scale = np.linalg.norm(x) * np.linalg.norm(taps[0]) * np.linalg.norm(taps[1])
    assert_close(result, expected_of(x, taps, "wrap").astype(complex), tolerance=8 * 10 * 2.0**-23 * scale)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32"])
def test_long_lines_of_integers_are_exact(dtype):
    x, taps = draw((5, 3000), dtype, "x"), [np.array([1, -2, 1], np.int8), draw((901,), "int8", "long")]
    result = gpuconv.convolve_separable(x, taps, boundary="mirror")
    assert result.dtype == np.int64
    wide = np.pad(x.astype(np.int64), [(1, 1), (450, 450)], mode="reflect")
    rows = np.stack([np.convolve(row, taps[1].astype(np.int64), mode="valid") for row in wide])
    expected = np.stack([np.convolve(column, taps[0].astype(np.int64), mode="valid") for column in rows.T]).T
    assert np.array_equal(result, expected)


def test_a_fill_value_at_any_length(xp):
    """Whichever methods the passes take, the fill value is there on every axis before the first of them."""
    for length in (3, 33, 333):
        x, taps = np.full((4, 400), 2.0), [np.full(3, 1 / 3), np.full(length, 1 / length)]
        result = gpuconv.convolve_separable(make(xp, x), taps, cval=2.0)
        assert_close(result, np.full((4, 400), 2.0), tolerance=1e-12)


def test_taps_may_be_of_different_kinds(xp):
    x, short, long = draw((6, 7), "float64", "x"), [1, 2, 1], draw((4,), "float32", "long")
    result = gpuconv.convolve_separable(make(xp, x), [short, make(xp, long)], boundary="reflect")
    expected = reference.convolve(x, np.outer(short, long), boundary="reflect")
    assert_close(result, expected, taps=12, scale=reference.magnitude(x, np.outer(short, long), boundary="reflect"))


@pytest.mark.parametrize("mode", ["same", "full", "valid"])
def test_one_axis_of_several(xp, mode):
    x, line = draw((3, 9, 2), "float64", "x"), draw((4,), "float64", "line")
    result = gpuconv.convolve_separable(make(xp, x), [line], axes=(1,), mode=mode, boundary="wrap")
    expected = reference.convolve(x, line, axes=(1,), mode=mode, boundary="wrap")
    assert_close(result, expected, taps=4, scale=reference.magnitude(x, line, axes=(1,), mode=mode, boundary="wrap"))


def test_a_margin_may_change_the_method_of_a_pass(rng):
    """Here the margin of the first axis makes the second one cheaper to sum than to transform."""
    x, taps = rng.standard_normal((64, 59)).astype(np.float32), [rng.standard_normal(70), rng.standard_normal(311)]
    result = gpuconv.convolve_separable(x, taps, cval=1.0)
    expected = gpuconv.convolve_separable(x.astype(np.float64), taps, cval=1.0, accuracy="local")
    magnitudes = gpuconv.convolve_separable(
        np.abs(x.astype(np.float64)), [np.abs(line) for line in taps], cval=1.0, accuracy="local"
    )
    assert_close(result, expected.astype(np.float32), taps=70 + 311, scale=float(magnitudes.max()))


def test_plans_of_passes_follow_the_memory_limit(rng):
    x, taps = rng.standard_normal(2**17), [rng.standard_normal(20_001)]
    expected = gpuconv.convolve_separable(x, taps)
    before = [plan.method for plan in plan_passes(describe_passes(x, taps, Options("convolve")))]
    gpuconv.set_memory_limit(2**20 + 2**12)
    try:
        after = [plan.method for plan in plan_passes(describe_passes(x, taps, Options("convolve")))]
        result = gpuconv.convolve_separable(x, taps)
    finally:
        gpuconv.set_memory_limit(None)
    assert (before, after) == (["overlap"], ["direct"])
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9)
