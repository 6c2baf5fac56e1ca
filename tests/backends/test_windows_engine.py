"""Compiled loops over windows give the definition, in every layout, and the same bits for any number of threads."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from math import prod

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import cpu, generic
from gpuconv.backends.cpu import compiled, windows
from gpuconv.core.boundary import Span
from tests import reference
from tests.assertions import EPS
from tests.backends.test_agreement import KERNELS, MODES, compare, layouts
from tests.cases import BOUNDARIES, draw

pytest.importorskip("llvmlite", reason="compiled loops need llvmlite")

ROW = {"correlate_windows": cpu.TABLE["correlate_windows"]}


@pytest.fixture
def all_large(monkeypatch):
    """Every piece of work is large enough for compiled loops, and for several threads."""
    monkeypatch.setattr(compiled, "WORK", 0)
    monkeypatch.setattr(compiled, "THREADED_WORK", 0)


@pytest.fixture(autouse=True)
def _threads_as_before():
    yield
    gpuconv.set_threads(None)


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("boundary", [*BOUNDARIES, ("constant", "wrap"), ("nearest", "constant")], ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint64", "float32", "complex128"])
def test_compiled_windows_agree_with_generic(dtype, boundary):
    bounds = dict.fromkeys(("int8", "uint8", "int16"), 9)
    compared, turns = 0, Counter()
    for kernel_dtype, mode in itertools.product({KERNELS.get(dtype, "float32"), "complex128"}, MODES):
        lines = [draw((n,), kernel_dtype, f"line {n}", bounds) for n in (3, 4)]
        x = draw((5, 6), dtype, "x", dict.fromkeys(("int64", "uint64"), 2**50))
        kernel = reference.outer(lines).astype(kernel_dtype)
        compared += compare(ROW, x, kernel, lines, turns, boundary=boundary, mode=mode)
    assert compared >= 6


def cases(rng):
    """Shapes, axes and kernels: less than a register, whole tiles and the rest, many blocks; every kind of strip."""
    yield (3, 5), (0, 1), (2, 3)
    yield (40, 90), (0, 1), (1, 4)
    yield (23, 150), (0, 1), (3, 3)
    yield (41, 70), (1, 0), (7, 5)
    yield (30, 33), (0, 1), (31, 70)
    yield (31, 20, 3), (0, 1), (5, 4)
    yield (9, 11, 40), (0, 1), (4, 3)
    yield (9, 3, 60), (2, 0), (2, 11)
    yield (6, 30, 5, 3), (1, 0), (3, 3)
    yield (14, 11, 37), (0, 1, 2), (3, 3, 3)
    yield (9, 8, 10, 2), (0, 2, 1), (5, 4, 7)
    yield (2, 9, 5, 20), (0, 1, 2), (2, 3, 1)


def spans_of(shape, axes, kernel_shape, rng):
    """Spans with random boundaries and modes."""
    spans = []
    for axis, taps in zip(axes, kernel_shape, strict=True):
        size = shape[axis]
        choices = [(-(taps // 2), size), (1 - taps, size + taps - 1)] + ([(0, size - taps + 1)] if taps <= size else [])
        first, count = choices[rng.integers(len(choices))]
        spans.append(Span(axis, size, taps, first, count, BOUNDARIES[rng.integers(len(BOUNDARIES))]))
    return tuple(spans)


def samples(shape, dtype, rng):
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 1000, shape).astype(dtype)
    parts = rng.normal(size=(2, *shape))
    return (parts[0] + 1j * parts[1] if np.dtype(dtype).kind == "c" else parts[0]).astype(dtype)


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int32", "int64"])
def test_tiles_blocks_and_layouts_leave_no_seams(dtype, rng, monkeypatch):
    from gpuconv.backends.cpu import windows_dense

    exact = np.dtype(dtype).kind == "i"
    fill = 3 if np.dtype(dtype).kind != "c" else 3 - 2j
    for turn, (shape, axes, kernel_shape) in enumerate(cases(rng)):
        x, kernel = samples(shape, dtype, rng), samples(kernel_shape, dtype if exact else "float64", rng)
        if turn % 3 == 2 and not exact:
            kernel = kernel + 1j * samples(kernel_shape, "float64", rng)
        spans = spans_of(shape, axes, kernel_shape, rng)
        expected = generic.TABLE["correlate_windows"].function(x, kernel, spans, fill)
        scale = generic.TABLE["correlate_windows"].function(np.abs(x), np.abs(kernel), spans, abs(fill))
        for name, small in (("ROW_BYTES", 256), ("BLOCK_ROWS", 4), ("BLOCK_PLANES", 2), ("BLOCK_BYTES", 2**13)):
            monkeypatch.setattr(windows_dense, name, small if turn % 2 else getattr(windows_dense, name))
        windows_dense.layout_of.cache_clear()
        for layout, given in [*layouts(x), ("cropped", np.pad(x, 1)[(slice(1, -1),) * x.ndim])]:
            assert windows.why_not_compiled(given, kernel, spans) is None
            result = windows.correlate_windows(given, kernel, spans, fill)
            label = (layout, shape, spans)
            assert result.dtype == expected.dtype, label
            assert result.shape == expected.shape, label
            if exact:
                assert np.array_equal(result, expected), label
            else:
                assert np.all(np.abs(result - expected) <= 4 * np.sqrt(kernel.size) * EPS[dtype] * scale), label
        monkeypatch.undo()
        windows_dense.layout_of.cache_clear()
        monkeypatch.setattr(compiled, "WORK", 0)
        monkeypatch.setattr(compiled, "THREADED_WORK", 0)


def test_no_product_is_rounded_more_often_than_documented():
    """Products in a row, then groups in a row: at most ``4 sqrt(n)`` roundings by half an eps."""
    from gpuconv.backends.cpu.windows_dense import Strips

    sides = (1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 31)
    shapes = [
        *itertools.product((1, 2, 3, 5, 7, 11), sides, sides),
        (1, 1, 3000),
        (1, 3000, 1),
        (200, 3, 3),
        (31, 1, 31),
    ]
    for shape in shapes:
        strips = Strips.of(shape)
        assert sorted(strips.order.tolist()) == list(range(prod(shape)))
        ends = strips.groups[1::2]
        firsts = np.append(strips.starts, prod(shape))
        longest = np.diff(firsts[np.append(0, ends)]).max()
        assert longest + len(ends) - 1 <= max(4 * np.sqrt(prod(shape)), 16), shape


@pytest.mark.parametrize(("shape", "size"), [((1, 90, 70), (31, 31)), ((30, 20, 20), (9, 9, 9))])
def test_flat_images_stay_within_the_documented_error(shape, size):
    """Equal samples and taps round the same way every time: the worst case."""
    x, kernel = np.full(shape, 1.1, np.float32), np.full(size, 1.3)
    axes = tuple(range(3 - len(size), 3))
    result = gpuconv.convolve(x, kernel, axes=axes, boundary="nearest", method="direct")
    exact = prod(size) * float(x.flat[0]) * float(np.float32(1.3))
    assert abs(float(result.max()) - exact) <= 2 * np.sqrt(prod(size)) * EPS["float32"] * exact
    assert result.min() == result.max()


@pytest.mark.parametrize("size", [(5, 5), (2, 9), (3, 3, 3)])
def test_bits_depend_neither_on_threads_nor_on_place(size, rng):
    """Parts of an image give the bits that the whole gives there."""
    shape = (200, 331) if len(size) == 2 else (40, 50, 60)
    x, kernel = samples(shape, "float32", rng), samples(size, "float64", rng)
    axes = range(len(size))
    spans = [Span(axis, shape[axis], size[axis], -1, shape[axis], "wrap") for axis in axes]
    assert windows.why_not_compiled(x, kernel, spans) is None
    whole = windows.correlate_windows(x, kernel, spans, 0)
    gpuconv.set_threads(1)
    assert np.array_equal(whole, windows.correlate_windows(x, kernel, spans, 0))
    parts = [span.part(3, span.count - 5) for span in spans]
    inside = whole[tuple(slice(3, 3 + part.count) for part in parts)]
    assert np.array_equal(inside, windows.correlate_windows(x, kernel, parts, 0))


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_bad_samples_stay_in_the_footprint(boundary):
    x = draw((20, 90), "float32", "x")
    x[[3, 11], [0, 70]] = np.nan, np.inf
    kernel = np.ones((3, 4))
    hit = reference.convolve((~np.isfinite(x)).astype(float), kernel, boundary=boundary) > 0
    result = gpuconv.convolve(x, kernel, boundary=boundary, method="direct")
    assert np.array_equal(~np.isfinite(result), hit)


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_blocks_of_transforms_give_the_same_bits_on_any_number_of_threads(dtype, rng):
    """Two blocks of several axes are transformed at a time; one of them with a sample that is not finite."""
    x, kernel = samples((900, 310), dtype, rng), samples((9, 5), "int16" if dtype == "int16" else "float32", rng)
    if dtype == "float32":
        x[700, 20] = np.nan
    spans = [Span(0, 900, 9, -4, 900, "reflect"), Span(1, 310, 5, -2, 310, "wrap")]
    weights = kernel.astype("int32") if dtype == "int16" else kernel
    results = []
    for threads in (1, 2, 5):
        gpuconv.set_threads(threads)
        results.append(cpu.TABLE["correlate_fourier"].function(x, weights, spans, 0, (320, 320)))
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()
    direct = generic.TABLE["correlate_windows"].function(x.astype(weights.dtype), weights, spans, 0)
    if dtype == "int16":
        assert np.array_equal(results[0], direct)
    else:
        hit = np.isnan(direct)
        assert 0 < hit.sum() < hit.size
        assert np.array_equal(np.isnan(results[0]), hit)
        np.testing.assert_allclose(results[0][~hit], direct[~hit], rtol=0, atol=1e-4)


def test_small_work_and_what_cannot_be_compiled_go_elsewhere(monkeypatch):
    x, kernel = draw((300, 400), "float32", "x"), draw((3, 3), "float64", "kernel")
    spans = [Span(axis, x.shape[axis], 3, -1, x.shape[axis], "reflect") for axis in (0, 1)]
    assert windows.why_not_compiled(x, kernel, spans) is None
    assert "less than" in windows.why_not_compiled(x[:9], kernel, [Span(0, 9, 3, -1, 9, "reflect"), spans[1]])
    four = [Span(axis, 30, 3, -1, 30, "wrap") for axis in range(4)]
    reason = windows.why_not_compiled(np.zeros((30,) * 4), np.ones((3,) * 4), four)
    assert "two or three axes, these have 4" in reason
    loops = windows.correlate_windows(x, kernel, spans, 0)
    monkeypatch.setattr(compiled, "is_installed", lambda: False)
    assert "llvmlite is not installed" in windows.why_not_compiled(x, kernel, spans)
    np.testing.assert_allclose(windows.correlate_windows(x, kernel, spans, 0), loops, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("all_large")
def test_calls_of_one_kind_see_their_own_arrays(rng):
    """What is kept of a kind of image holds neither samples nor taps, and several threads may use it at a time."""
    images = [rng.normal(size=(40, 50)) for _ in range(3)]
    kernels = [rng.normal(size=(3, 5)) for _ in range(3)]
    spans = spans_of((40, 50), (0, 1), (3, 5), rng)
    calls = list(itertools.product(images, kernels, (0.0, 2.5)))
    expected = [generic.TABLE["correlate_windows"].function(x, kernel, spans, fill) for x, kernel, fill in calls]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            found = list(pool.map(lambda call: windows.correlate_windows(call[0], call[1], spans, call[2]), calls))
            for result, right in zip(found, expected, strict=True):
                np.testing.assert_allclose(result, right, rtol=0, atol=1e-12)
