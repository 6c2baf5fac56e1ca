"""Every row of every accelerated backend gives what the generic one gives, for all that it accepts."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import cpu, dask, generic
from gpuconv.methods.fft import why_not_fourier
from tests import reference
from tests.assertions import EPS, assert_close
from tests.cases import BOUNDARIES, draw
from tests.libraries import make, open_library, to_numpy, why_absent

IMAGES = (
    "int8",
    "uint8",
    "uint16",
    "int32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)
KERNELS = {"int8": "int8", "uint8": "uint8", "uint16": "uint8", "int32": "int16", "int64": "int8", "uint64": "uint8"}
MODES = ("same", "full", "valid")
# These have tests of their own: tests/backends/test_channels.py, tests/methods/test_banks.py.
OTHERS = ("correlate_axis", "correlate_channels", "correlate_banks")
ROWS = tuple(name for name in generic.TABLE if name.startswith("correlate_") and name not in OTHERS)


def layouts(x):
    """C and Fortran order, gaps, backwards, locked: as users' arrays are."""
    yield "C", x
    yield "Fortran", np.asfortranarray(x)
    yield "strided", np.repeat(x, 3, axis=-1)[..., ::3]
    yield "backwards", np.flip(np.flip(x).copy())
    locked = x.copy()
    locked.flags.writeable = False
    yield "read-only", locked


def in_turn(x, turns, name):
    """C order and one of the other layouts: for each name the next one at each call."""
    plain, *others = layouts(x)
    turns[name] += 1
    return [plain, others[turns[name] % len(others)]]


def posed(x, kernel, **options):
    """The problem, and the image and weights as primitives take them."""
    problem = gpuconv.plan_convolution(x, kernel, **options).problem
    image = x.astype(problem.working_dtype)
    if problem.exact:
        weights = kernel.astype(problem.rule.result)
    else:
        weights = kernel.astype(np.complex128 if kernel.dtype.kind == "c" else np.float64)
    return problem, image, np.ascontiguousarray(np.flip(weights))


def primitive_arguments(name, problem, kernel_lines, weights):
    """The second argument of a row, and what follows the fill value."""
    if name == "correlate_separable":
        return [kernel_lines, [2 * line for line in kernel_lines]], ()
    if name == "correlate_fourier":
        return weights, (fourier_lengths(problem),)
    return weights, ()


def fourier_lengths(problem):
    """Blocks of a few kernel lengths, so that there are several."""
    return tuple(2 * span.taps + 3 for span in problem.spans)


def allowed(image, weights, expected):
    """Both sides may be off by their sums' rounding, or by the transform's; integers by nothing."""
    eps = EPS.get(expected.dtype.name, 0.0)
    if eps == 0.0:
        return 0
    read = np.full(expected.size + image.size * 4, reference.absolute(image).max() + 2)
    return 8 * reference.spectral_bound(eps, 1024, read, weights)


def compare(table, x, kernel, lines, turns, xp=None, **options):
    """How many runs of rows of `table` agreed with generic's; layouts `in_turn`, or arrays of library `xp`."""
    compared = 0
    problem, image, weights = posed(x, kernel, **options)
    for name in ROWS:
        if len(problem.spans) == 1 and name == "correlate_windows":
            name = "correlate_axis"
        row = table.get(name)
        if row is None or row.why_not(problem) is not None:
            continue
        if name == "correlate_fourier" and problem.exact:
            if why_not_fourier(problem, fourier_lengths(problem)) is not None:
                continue
            image = x  # integers are cast block by block
        second, rest = primitive_arguments(name, problem, [line.astype(weights.dtype) for line in lines], weights)
        expected = generic.TABLE[name].function(image, second, problem.spans, 2, *rest)
        for layout, given in in_turn(image, turns, name) if xp is None else [("chunked", make(xp, image))]:
            result = row.function(given, second, problem.spans, 2, *rest)
            label = (name, layout, str(problem.dtype), str(kernel.dtype), options)
            assert to_numpy(result).dtype == expected.dtype, label
            assert_close(result, expected, tolerance=allowed(image, weights, expected), case=label)
            assert to_numpy(given).tolist() == image.tolist(), label
            compared += 1
    return compared


@pytest.mark.parametrize("boundary", [*BOUNDARIES, ("constant", "wrap")], ids=str)
@pytest.mark.parametrize("dtype", IMAGES)
def test_cpu_agrees_with_generic(dtype, boundary):
    compared, turns = 0, Counter()
    for kernel_dtype, mode in itertools.product({KERNELS.get(dtype, "float32"), "float64", "complex128"}, MODES):
        lines = [draw((n,), kernel_dtype, f"line {n}", dict.fromkeys(("int8", "uint8", "int16"), 9)) for n in (3, 4)]
        kernel = reference.outer(lines).astype(kernel_dtype)
        x = draw((5, 6), dtype, "x", dict.fromkeys(("int64", "uint64"), 2**50))
        compared += compare(cpu.TABLE, x, kernel, lines, turns, boundary=boundary, mode=mode)
        if isinstance(boundary, str):
            x = draw((3, 5), dtype, "row", dict.fromkeys(("int64", "uint64"), 2**50))
            line = draw(
                (7 if mode != "valid" else 4,), kernel_dtype, "line", dict.fromkeys(("int8", "uint8", "int16"), 9)
            )
            options = {"boundary": boundary, "mode": mode, "axes": (1,), "origin": 1 if mode == "same" else 0}
            compared += compare(cpu.TABLE, x, line, [line], turns, **options)
    assert compared >= 24


@pytest.mark.parametrize("cval", [np.nan, np.inf, -2.5, 1e300])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:overflow:RuntimeWarning")
def test_cpu_agrees_with_generic_on_the_fill_value(dtype, cval):
    if cval == 1e300 and dtype == "float32":
        cval = 1e30
    lines = [draw((n,), "float64", f"line {n}") for n in (3, 4)]
    problem, image, weights = posed(draw((6, 7), dtype, "x"), reference.outer(lines), mode="full")
    for name in ROWS:
        second, rest = primitive_arguments(name, problem, lines, weights)
        expected = generic.TABLE[name].function(image, second, problem.spans, cval, *rest)
        result = cpu.TABLE[name].function(image, second, problem.spans, cval, *rest)
        finite = np.isfinite(expected)
        assert np.array_equal(np.isfinite(result), finite), name
        scale = abs(cval) if np.isfinite(cval) else 1.0
        np.testing.assert_allclose(result[finite], expected[finite], rtol=0, atol=1e4 * EPS[dtype] * max(scale, 1.0))


@pytest.mark.parametrize(
    "taps", [[1.0, 2.0, 1.0], [1.0, 0.0, -1.0], [1.0, 2.0, 1.0 + 2.0**-50], [0.0, 0.0, 0.0], [2.0**-60] * 3]
)
def test_cpu_lines_do_not_take_nearly_symmetric_taps_for_symmetric(taps):
    """SciPy's loop halves the work on symmetric taps, and compares them with an absolute tolerance."""
    x = draw((4, 9), "float64", "x")
    for scale in (1.0, 1e-15, 1e-16, 1e-17, 1e-300):
        line = np.array(taps) * scale
        problem, image, weights = posed(x, line, axes=1, boundary="reflect")
        expected = generic.TABLE["correlate_axis"].function(image, weights, problem.spans, 0)
        result = cpu.TABLE["correlate_axis"].function(image, weights, problem.spans, 0)
        np.testing.assert_allclose(result, expected, rtol=0, atol=8 * 2.0**-52 * np.abs(line).sum() * np.abs(x).max())


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", ["int16", "float32", "complex128"])
def test_dask_agrees_with_generic(dtype, boundary):
    if (reason := why_absent("dask")) is not None:
        pytest.skip(reason)
    xp = open_library("dask")
    compared = 0
    for mode in MODES:
        lines = [draw((n,), "int8" if dtype == "int16" else "float64", f"line {n}", {"int8": 9}) for n in (3, 4)]
        kernel = reference.outer(lines).astype(lines[0].dtype)
        x = draw((5, 6), dtype, "x")
        options = {"boundary": boundary, "mode": mode}
        compared += compare(dask.TABLE, x, kernel, lines, None, xp, **options)
    assert compared == len(ROWS) * len(MODES)


def test_large_tiles_leave_no_seams(monkeypatch):
    """Dense work is done in tiles that fit the cache: cut very small, they must not show."""
    x, kernel = draw((3, 17, 19), "float32", "x"), draw((4, 5), "float64", "kernel")
    expected = reference.convolve(x, kernel, axes=(1, 2), boundary="mirror")
    for elements in (1, 7, 19, 100, 10**6):
        monkeypatch.setattr(cpu.windows, "TILE_ELEMENTS", elements)
        result = gpuconv.convolve(x, kernel, axes=(1, 2), boundary="mirror", method="direct")
        scale = reference.magnitude(x, kernel, axes=(1, 2), boundary="mirror")
        assert_close(result, expected, taps=20, scale=scale)
