"""Blocks of few lines on NumPy arrays: transforms in two parts, two real blocks at a time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import gpuconv
from gpuconv.backends.cpu.fourier import correlate_fourier
from gpuconv.backends.cpu.fourier_pairs import MatrixTransform, roots_of_unity
from gpuconv.core import frequencies
from gpuconv.core.boundary import Span
from tests import reference
from tests.assertions import assert_close
from tests.cases import BOUNDARIES, draw

EPS = {"float32": 2.0**-23, "complex64": 2.0**-23, "float64": 2.0**-52, "complex128": 2.0**-52}


@pytest.fixture(autouse=True)
def _threads():
    yield
    gpuconv.set_threads(None)


@pytest.fixture
def short(monkeypatch):
    """Short blocks go in pairs, too."""
    monkeypatch.setattr(frequencies, "SAMPLES_TOGETHER", 1)
    assert frequencies.in_pairs(3, 16)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (7, 1), (6, 4), (5, 13), (36, 36)])
def test_roots_of_unity_follow_their_definition(rows, columns):
    k, j = np.arange(rows)[:, None], np.arange(columns)
    angles = -2 * np.pi * (k * j) / (rows * columns)
    expected = np.cos(angles) + 1j * np.sin(angles)
    assert np.abs(roots_of_unity(rows, columns, np.complex128) - expected).max() < 8 * 2.0**-52
    single = roots_of_unity(rows, columns, np.complex64)
    assert single.dtype == np.complex64
    assert np.abs(single - expected).max() < 2.0**-24 + 8 * 2.0**-52


@pytest.mark.parametrize("length", [1, 2, 7, 30, 36, 128, 270])
def test_a_transform_in_two_parts_is_a_transform_in_another_order(length, rng):
    matrix = MatrixTransform.of(length, np.complex128)
    rows, columns = matrix.shape
    assert rows * columns == length
    x = rng.normal(size=(3, length)) + 1j * rng.normal(size=(3, length))
    spectra = matrix.forward(x.reshape(3, rows, columns).copy())
    k = np.arange(length)
    expected = x @ np.exp(-2j * np.pi * np.outer(k, k) / length)
    order = k.reshape(columns, rows).T  # frequency k1 + rows k2 at [k1, k2]
    tolerance = 8 * max(np.log2(length), 1) * 2.0**-52 * np.linalg.norm(x) * np.sqrt(length)
    assert np.abs(spectra - expected[:, order]).max() <= tolerance
    assert np.abs(matrix.inverse(spectra).reshape(3, length) - x).max() <= tolerance


CASES = (((61,), 6, 16), ((3, 40), 5, 12), ((2, 33), 9, 18), ((7,), 20, 22), ((1, 64), 1, 15), ((2, 2), 3, 3))


def definition(x, kernel, span, cval):
    """``y[i] = sum_j kernel[j] x~[first + i + j]`` along the last axis, in a loop over extended lists."""
    exact = object if kernel.dtype.kind in "iu" else np.result_type(kernel.dtype, x.dtype, np.float64)
    result = np.zeros((*x.shape[:-1], span.count), exact)
    for place in np.ndindex(x.shape[:-1]):
        line = reference.extend(x[place].tolist(), span.boundary, span.first, span.length, cval)
        for i in range(span.count):
            result[(*place, i)] = sum(k * v for k, v in zip(kernel.tolist(), line[i:], strict=False))
    return result


def spans_of(shape, taps, boundary):
    """All outputs of modes "same" and "full"."""
    size = shape[-1]
    for first, count in ((-(taps // 2), size), (1 - taps, size + taps - 1)):
        yield Span(len(shape) - 1, size, taps, first, count, boundary)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_blocks_follow_the_definition(boundary, dtype, short, monkeypatch):
    """Odd and even numbers of blocks and lines, short last blocks, strided lines, reach beyond the axis."""
    for shape, taps, length in CASES:
        x, kernel = draw(shape, dtype, "x"), draw((taps,), dtype, "kernel")
        read = np.append(np.repeat(x, 40), [1.5] * 99)
        tolerance = reference.spectral_bound(EPS[dtype], 2 * length, read, kernel)
        for span in spans_of(shape, taps, boundary):
            expected = definition(x, kernel, span, 1.5)
            for image in (x, np.repeat(x, 2, axis=-1)[..., ::2], np.asfortranarray(x)):
                for together in (1, 2**16):
                    monkeypatch.setattr(frequencies, "PAIRED_TOGETHER", together)
                    result = correlate_fourier(image, kernel, (span,), 1.5, (length,))
                    assert result.dtype == dtype
                    assert_close(result, expected.astype(np.result_type(dtype, np.float64)), tolerance=tolerance)


def test_along_the_first_axis_of_few_columns(short, rng):
    x, kernel = rng.normal(size=(500, 3)), rng.normal(size=21)
    expected = correlate_fourier(x.T.copy(), kernel, (Span(1, 500, 21, -10, 500, "mirror"),), 0, (64,))
    result = correlate_fourier(x, kernel, (Span(0, 500, 21, -10, 500, "mirror"),), 0, (64,))
    assert np.array_equal(result, expected.T)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64"])
def test_integers_are_exact(boundary, dtype, short):
    for shape, taps, length in CASES:
        x, kernel = draw(shape, dtype, "x", {"int64": 1000}), draw((taps,), "int64", "kernel", {"int64": 100})
        for span in spans_of(shape, taps, boundary):
            result = correlate_fourier(x, kernel, (span,), 7, (length,))
            assert result.dtype == np.int64
            assert result.tolist() == definition(x, kernel, span, 7).tolist()


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_any_number_of_threads_gives_the_same_bits(dtype, short, rng):
    x, kernel = rng.normal(size=400_000).astype(dtype), rng.normal(size=1500).astype(dtype)
    x[210_000] = np.nan  # blocks that are done again, too
    expected = None
    for threads in (1, 2, 3, 8):
        gpuconv.set_threads(threads)
        for length in (4096, 2**16):
            span = Span(0, x.size, kernel.size, -700, x.size, "reflect")
            result = correlate_fourier(x, kernel, (span,), 0, (length,))
            expected = {} if expected is None else expected
            assert np.array_equal(expected.setdefault(length, result), result, equal_nan=True), (threads, length)


# NumPy says that inf - inf is NaN; that is what is asked for here.
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_where_it_is_read(bad, short, rng):
    """In the first or second block of a pair, and its neighbour keeps numbers."""
    x, kernel = rng.normal(size=300).astype(np.float32), rng.uniform(3, 4, 9).astype(np.float32)
    kernel[3] = 0
    for position in (0, 60, 100, 299):
        image = x.copy()
        image[position] = bad
        span = Span(0, 300, 9, -4, 300, "constant")
        result = correlate_fourier(image, kernel, (span,), 0, (32,))
        hit = np.zeros(300, bool)
        hit[[position + 4 - j for j in range(9) if kernel[j] and 0 <= position + 4 - j < 300]] = True
        assert np.array_equal(~np.isfinite(result), hit)
        clean = np.where(np.arange(300) == position, 0, x)
        tolerance = 4 * reference.spectral_bound(2.0**-23, 64, clean, kernel)
        assert_close(result[~hit], definition(clean, kernel, span, 0)[~hit], tolerance=tolerance)


@pytest.mark.parametrize(("dtype", "taps"), [("float32", 20_000), ("float64", 20_000), ("complex64", 9000)])
def test_plans_know_the_memory(dtype, taps, rng):
    """NumPy tells what it allocates, copies of the taps among it; four short lines of scipy.fft's own are not seen."""
    x, kernel = rng.normal(size=1_000_000).astype(dtype), rng.normal(size=taps).astype(dtype)
    for threads in (1, 2, 8):
        gpuconv.set_threads(threads)
        plan = gpuconv.plan_convolution(x, kernel, method="overlap", boundary="reflect")
        assert frequencies.in_pairs(1, *plan.estimate.lengths)
        plan.execute(x, kernel)
        tracemalloc.start()
        try:
            result = plan.execute(x, kernel)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert result.nbytes < peak <= plan.memory + 2**17


def test_no_lines_at_all_give_an_empty_result():
    x = np.zeros((0, 1_000_000), np.float32)
    plan = gpuconv.plan_convolution(x, np.ones(20_000), axes=1, method="overlap")
    assert plan.execute(x, np.ones(20_000)).shape == x.shape
    span = Span(1, 1_000_000, 3, -1, 1_000_000, "constant")
    assert correlate_fourier(x, np.ones(3, np.float32), (span,), 0, (2**16,)).shape == x.shape
