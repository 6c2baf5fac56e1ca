"""Tridiagonal systems on CUDA: every dtype, layout and size, cyclic too, held to dense systems."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from gpuconv.backends.cuda import tridiagonal
from gpuconv.backends.cuda.launch import MAX_SHARED
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.backends.generic.lines import TridiagonalProblem
from gpuconv.core.dtypes import EPS
from tests.cuda.agreement import LAYOUTS, emulated, image_of
from tests.cuda.emulation import EmulatedRuntime
from tests.cuda.recording import Sketch, recorded

POSSIBLE = TridiagonalProblem("cupy", "0", False, (64, 64), "float64", -1, False, False)


def bands_of(rng, shape, dtype):
    """Diagonals that dominate."""
    lower, upper = (image_of(rng, shape, dtype) / 4 for _ in range(2))
    diagonal = image_of(rng, shape, dtype) / 4 + 2.0 + abs(lower) + abs(upper)
    return [band.astype(dtype) for band in (lower, diagonal, upper)]


def dense(right, bands, axis, cyclic):
    """Solutions of full matrices in double precision."""
    size = right.shape[axis]
    below, middle, above = (np.moveaxis(np.broadcast_to(band, right.shape), axis, -1) for band in bands)
    matrices = np.zeros((*middle.shape, size), np.result_type(*bands, np.float64))
    here = np.arange(size)
    # Added one after another: the bands of a cyclic system of one or two unknowns meet.
    for band, first, stop, shift in ((middle, 0, size, 0), (below, 1, size, -1), (above, 0, size - 1, 1)):
        rows = here if cyclic else here[first:stop]
        matrices[..., rows, (rows + shift) % max(size, 1)] += band[..., rows]
    solved = np.linalg.solve(matrices, np.moveaxis(right, axis, -1)[..., np.newaxis])[..., 0]
    return np.moveaxis(solved, -1, axis)


def agree(right, bands, axis, *, cyclic=False, check=True, case=""):
    runtime = EmulatedRuntime(check=check)
    with use_runtime(runtime):
        placed = [runtime.place(band) for band in bands]
        actual = tridiagonal.solve_tridiagonal(runtime.place(right), *placed, axis, cyclic)
    expected = dense(right, bands, axis, cyclic)
    assert actual.dtype == np.result_type(right, *bands), case
    # Rounding errors decay along the axis, since the diagonals dominate by two: some twenty eps in all.
    assert np.abs(actual - expected).max(initial=0) <= 40 * EPS[actual.dtype.name] * np.abs(expected).max(initial=1), (
        case
    )
    return runtime


@emulated
@pytest.mark.parametrize("right, band", list(itertools.product(tridiagonal.DTYPES, repeat=2)))
def test_every_dtype_solves_both_ways(rng, right, band, monkeypatch):
    shape = (6, 40)
    agree(image_of(rng, shape, right), bands_of(rng, shape, band), -1)
    monkeypatch.setattr(tridiagonal, "MANY", 1)
    runtime = agree(image_of(rng, shape, right), bands_of(rng, shape, band), -2)
    assert runtime.launches[0].kernel == "solve_columns"


@emulated
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 31, 33, 64, 100, 300])
def test_every_size_solves_both_ways(rng, size, monkeypatch):
    agree(image_of(rng, (3, size), "float64"), bands_of(rng, (3, size), "float64"), -1)
    monkeypatch.setattr(tridiagonal, "MANY", 1)
    agree(image_of(rng, (size, 34), "float64"), bands_of(rng, (size, 34), "float64"), -2)


@emulated
def test_long_systems_are_eliminated_one_a_thread(rng):
    runtime = agree(image_of(rng, (3, 1030), "float64"), bands_of(rng, (3, 1030), "float64"), -1)
    assert runtime.launches[0].kernel == "solve_columns"
    runtime = agree(image_of(rng, (3, 1024), "complex128"), bands_of(rng, (3, 1024), "complex128"), -1)
    assert (runtime.launches[0].kernel, runtime.launches[0].shared) == ("solve_rows", MAX_SHARED)


@emulated
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_axis_and_strides(rng, layout):
    shape = (4, 5, 3, 7)
    right = LAYOUTS[layout](image_of(rng, shape, "float64"))
    bands = [LAYOUTS[layout](band) for band in bands_of(rng, shape, "float64")]
    for axis in (-1, -2, -3, -4):
        agree(right, bands, axis, case=axis)


@emulated
@pytest.mark.parametrize("axis, band", [(-1, (6,)), (-2, (5, 1)), (-3, (4, 1, 1)), (-2, (4, 5, 1)), (-1, (1, 1, 6))])
def test_diagonals_are_repeated(rng, axis, band):
    agree(image_of(rng, (4, 5, 6), "float64"), bands_of(rng, band, "float64"), axis)


@emulated
@pytest.mark.parametrize("size", [1, 2, 3, 30])
def test_cyclic_systems(rng, size):
    for shape, axis in (((4, size), -1), ((size, 33), -2)):
        agree(image_of(rng, shape, "float64"), bands_of(rng, shape, "float64"), axis, cyclic=True)


@emulated
def test_corners_are_not_read_and_the_right_side_stays(rng):
    right, bands = image_of(rng, (2, 20), "float64"), bands_of(rng, (2, 20), "float64")
    bands[0][:, 0] = bands[2][:, -1] = np.nan
    before = right.copy()
    with use_runtime(EmulatedRuntime()):
        assert np.isfinite(tridiagonal.solve_tridiagonal(right, *bands, -1)).all()
    assert np.array_equal(right, before)


@emulated
def test_nothing_to_solve(rng):
    for shape in ((0, 5), (5, 0)):
        agree(image_of(rng, shape, "float64"), bands_of(rng, shape, "float64"), -1)


@emulated
def test_the_order_of_threads_changes_nothing(rng, monkeypatch):
    agree(image_of(rng, (6, 40), "float32"), bands_of(rng, (6, 40), "float32"), -1, check=False)
    monkeypatch.setattr(tridiagonal, "MANY", 1)
    agree(image_of(rng, (6, 40), "float32"), bands_of(rng, (6, 40), "float32"), -2, check=False)


@emulated
def test_reciprocals_of_large_complex_numbers_do_not_overflow():
    diagonal = np.array([[3e30 + 4e30j, 3e30j, 1e-30 + 0j]], np.complex64)
    zero = np.zeros_like(diagonal)
    with use_runtime(EmulatedRuntime()):
        solved = tridiagonal.solve_tridiagonal(diagonal.copy(), zero, diagonal, zero, -1)
    assert np.allclose(solved, 1, rtol=1e-6)


def test_plans_fit_a_block():
    for count, inner, systems, each in itertools.product(
        (1, 2, 31, 255, 256, 1023, 1024), (1, 5), (1, 9, 10**9), (12, 48)
    ):
        together, threads, shared = tridiagonal.row_plan(count, inner, systems, each)
        assert together * count <= threads <= 1024
        assert shared <= MAX_SHARED
    assert tridiagonal.row_plan(1025, 1, 10**9, 12) is None
    assert tridiagonal.row_plan(100, 32, 10**9, 12) is None
    assert tridiagonal.row_plan(100, 32, 100, 12) is not None


def test_launches_cover_any_number_of_systems():
    shape = (1000, 2**30)
    (launch,) = recorded(tridiagonal.solve_tridiagonal, *[Sketch.of(shape, "float32")] * 4, -2)
    assert launch.kernel == "solve_columns"
    assert launch.blocks * launch.threads == 2**30


def test_what_is_left_to_the_generic_backend():
    assert tridiagonal.why_not(POSSIBLE) is None
    for changed, sentence in (
        ({"traced": True}, "not traced"),
        ({"dtype": "float16"}, "not in float16"),
        ({"shape": (4, 5000)}, "4 systems are too few for a thread each, and 5000 unknowns too many for one block"),
    ):
        assert sentence in str(tridiagonal.why_not(replace(POSSIBLE, **changed)))
