"""`diffuse_steps`, `diffusion_rate` and `solve_tridiagonal`: their definitions, on every library and backend."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from gpuconv.backends import cpu, generic
from gpuconv.backends.generic.lines import TridiagonalProblem
from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator, steps_problem
from gpuconv.backends.registry import select, selected_backend, use_backend
from tests.assertions import EPS, assert_close, assert_same_home
from tests.libraries import library_of, make, name_of, to_numpy

SHAPE = (4, 5)
LENGTHS = (0.05, 0.2, 0.01, 0.1)


def reference_rate(u, operator):
    """The sum over faces, one cell after the other, in Python."""
    rate = np.zeros_like(u)
    for index in np.ndindex(u.shape):
        for part in operator.axes:
            size, place = u.shape[part.axis], index[part.axis]
            volume = np.broadcast_to(part.inverse_volume, u.shape)[index]

            def face(value, at, part=part, index=index):
                """The entry of a face coefficient at a place along the axis, in the row of this cell."""
                count = u.shape[part.axis] - (not part.periodic)
                sizes = list(u.shape)
                sizes[part.axis] = count
                where = list(index)
                where[part.axis] = at
                return np.broadcast_to(value, sizes)[tuple(where)]

            def beside(step, part=part, index=index):
                where = list(index)
                where[part.axis] = (where[part.axis] + step) % u.shape[part.axis]
                return u[tuple(where)]

            def outer(end, part=part, index=index):
                sizes, where = list(u.shape), list(index)
                sizes[part.axis], where[part.axis] = 1, 0
                exchange, supply = (np.broadcast_to(value, sizes)[tuple(where)] for value in end)
                return supply - exchange * u[index]

            if part.periodic or place > 0:
                at = place if part.periodic else place - 1
                rate[index] += volume * (face(part.forward, at) * beside(-1) - face(part.backward, at) * u[index])
            else:
                rate[index] += volume * outer(part.low)
            if part.periodic or place < size - 1:
                at = (place + 1) % size if part.periodic else place
                rate[index] += volume * (face(part.backward, at) * beside(1) - face(part.forward, at) * u[index])
            else:
                rate[index] += volume * outer(part.high)
    return rate if operator.source is None else rate + operator.source


def faces(rng, axis, periodic, directed=False, per_cell=True):
    sizes = list(SHAPE) if per_cell else [1, 1]
    sizes[axis] = SHAPE[axis] - (not periodic)
    forward = rng.random(sizes) + 0.1
    backward = rng.random(sizes) + 0.1 if directed else forward
    ends = [(0.0, 0.0), (0.0, 0.0)]
    if not periodic:
        edge = list(SHAPE)
        edge[axis] = 1
        ends = [(rng.random(edge), rng.random(edge)), (0.7, 1.3)]
    return AxisFluxes(axis, periodic, forward, backward, *ends)


def operators(rng):
    """(name, operator) for every kind of face, end, metric and source."""
    numbers = AxisFluxes(-2, False, 0.5, 0.5), AxisFluxes(-1, True, 0.25, 0.25)
    yield "numbers", FluxOperator(numbers)
    for first, second in itertools.product((True, False), repeat=2):
        yield (
            f"per cell {first} {second}",
            FluxOperator((faces(rng, -2, first), faces(rng, -1, second)), rng.random(SHAPE)),
        )
    flowing = faces(rng, -2, False, directed=True), faces(rng, -1, True, directed=True, per_cell=False)
    yield "flow", FluxOperator(flowing, 1.5)
    radial = replace(faces(rng, -2, False, per_cell=False), inverse_volume=rng.random((4, 1)) + 0.5)
    yield "metric", FluxOperator((radial, faces(rng, -1, False)))
    yield "one axis", FluxOperator((faces(rng, -2, False),))


def at_home(xp, operator, dtype):
    def move(value):
        return make(xp, value, dtype=dtype) if isinstance(value, np.ndarray) and name_of(xp) != "dask" else value

    def part_at_home(part):
        forward = move(part.forward)
        return replace(
            part,
            forward=forward,
            backward=forward if part.forward is part.backward else move(part.backward),
            low=tuple(map(move, part.low)),
            high=tuple(map(move, part.high)),
            inverse_volume=move(part.inverse_volume),
        )

    return replace(operator, axes=tuple(map(part_at_home, operator.axes)), source=move(operator.source))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_steps_follow_their_definition(xp, rng, dtype):
    batch = rng.random((2, *SHAPE))
    for name, operator in operators(rng):
        expected = batch
        for length in LENGTHS:
            expected = expected + length * np.stack([reference_rate(u, operator) for u in expected])
        u = make(xp, batch, dtype=dtype)
        there = at_home(xp, operator, dtype)
        result = select("diffuse_steps", steps_problem(u, there, len(LENGTHS)))(u, there, LENGTHS)
        assert_same_home(result, u)
        assert_close(result, expected, tolerance=40 * EPS[dtype], case=name)
        rate = select("diffusion_rate", steps_problem(u, there, 1))(u, there)
        expected = np.stack([reference_rate(u, operator) for u in batch])
        assert_close(rate, expected, tolerance=40 * EPS[dtype], case=name)


def test_the_cpu_row_is_the_generic_one_in_other_words(rng):
    """To a few roundings, whatever the layout; complex, too; and it leaves u as it is."""
    for name, operator in operators(rng):
        for dtype, view in itertools.product((np.float32, np.complex128), ("C", "Fortran", "strided", "read-only")):
            u = (
                (rng.random(SHAPE) + 1j * rng.random(SHAPE)).astype(dtype)
                if dtype == np.complex128
                else rng.random(SHAPE).astype(dtype)
            )
            expected = generic.TABLE["diffuse_steps"].function(u, operator, LENGTHS)
            given = {"Fortran": np.asfortranarray(u), "strided": np.repeat(u, 2, axis=1)[:, ::2]}.get(view, u.copy())
            given.flags.writeable = view != "read-only"
            result = cpu.TABLE["diffuse_steps"].function(given, operator, LENGTHS)
            assert_close(result, expected.astype(dtype), tolerance=40 * EPS[result.dtype.name], case=(name, view))
            assert np.array_equal(given, u)


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "fixed"])
def test_a_wave_decays_by_its_factor_in_every_step(xp, boundary):
    """``u_n = g^n u_0`` with ``g = 1 - 4 sum_i r_i sin^2(k_i h/2)``, to ``4 n eps``; fused steps and single ones."""
    sizes, r, wave = (12, 9), (0.15, 0.25), (2, 3)
    factor = 2 if boundary == "periodic" else 1
    angles = [factor * np.pi * k / n for k, n in zip(wave, sizes)]
    shape = np.sin if boundary == "fixed" else np.cos
    lines = [shape(angle * (np.arange(n) + 0.5)) for angle, n in zip(angles, sizes)]
    u = make(xp, np.multiply.outer(*lines))
    g = 1 - 4 * sum(ratio * np.sin(angle / 2) ** 2 for ratio, angle in zip(r, angles))
    periodic = boundary == "periodic"
    ends = [(2 * ratio, 0.0) if boundary == "fixed" else (0.0, 0.0) for ratio in r]
    axes = zip((-2, -1), r, ends)
    operator = FluxOperator(tuple(AxisFluxes(axis, periodic, ratio, ratio, end, end) for axis, ratio, end in axes))
    for count in (1, 2, 7, 20):
        problem = steps_problem(u, operator, count)
        fused = select("diffuse_steps", problem)(u, operator, (1.0,) * count)
        assert_close(fused, g**count * to_numpy(u), tolerance=4 * count * EPS["float64"], case=count)
        single = u
        for _ in range(count):
            single = select("diffuse_steps", problem)(single, operator, (1.0,))
        assert_close(fused, to_numpy(single), tolerance=4 * count * EPS["float64"], case=count)


def test_chunks_do_not_change_the_steps(rng):
    dask = pytest.importorskip("dask.array")
    shape = (23, 17)
    along = AxisFluxes(-2, True, rng.random(shape) + 0.1, rng.random(shape) + 0.1)
    across = AxisFluxes(-1, False, rng.random((23, 16)), rng.random((23, 16)), (0.3, 1.0), (0.0, 0.0))
    operator, u = FluxOperator((along, across), rng.random(shape)), rng.random(shape)
    expected = generic.TABLE["diffuse_steps"].function(u, operator, (0.1,) * 11)
    for chunks in ((23, 17), ((1, 9, 2, 11), (5, 12)), (6, 17), (3, 2)):
        lazy = dask.from_array(u, chunks=chunks)
        result = select("diffuse_steps", steps_problem(lazy, operator, 11))(lazy, operator, (0.1,) * 11)
        assert result.chunks == lazy.chunks
        assert_close(result, expected, tolerance=1e-14, case=chunks)


def matrix(lower, diagonal, upper, cyclic):
    size = len(diagonal)
    dense = np.diag(diagonal)
    for row in range(size):
        if cyclic or row > 0:
            dense[row, (row - 1) % size] += lower[row]
        if cyclic or row < size - 1:
            dense[row, (row + 1) % size] += upper[row]
    return dense


def solve(right, bands, axis, cyclic, shared):
    problem = TridiagonalProblem(library_of(right), "cpu", False, tuple(right.shape), "float64", axis, cyclic, shared)
    return select("solve_tridiagonal", problem)(right, *bands, axis, cyclic)


@pytest.mark.parametrize("cyclic", [False, True])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_tridiagonal_systems_are_solved(xp, rng, size, cyclic):
    """Each line by itself, along either axis, with one matrix for all or one for each."""
    for axis, shared in itertools.product((-1, -2), (True, False)):
        shape = (3, size) if axis == -1 else (size, 3)
        count = 1 if shared else 3
        lower, upper = -rng.random((2, count, size))
        bands = (lower, 1.1 - lower - upper, upper)
        right = rng.standard_normal((2, *shape))
        lines = np.moveaxis(right, axis, -1)
        expected = np.empty_like(lines)
        for place in np.ndindex(2, 3):
            dense = matrix(*(band[0 if shared else place[1]] for band in bands), cyclic)
            expected[place] = np.linalg.solve(dense, lines[place])
        given = [make(xp, band if axis == -1 else band.T) for band in bands]
        result = solve(make(xp, right), given, axis, cyclic, shared)
        assert_close(result, np.moveaxis(expected, -1, axis), tolerance=1e-14, case=(axis, shared))


def test_tridiagonal_systems_keep_dtype_and_take_complex_right_sides(rng):
    lower, upper = -rng.random((2, 6))
    bands = (lower, 2.5 - lower - upper, upper)
    right = rng.standard_normal((4, 6)) + 1j * rng.standard_normal((4, 6))
    expected = np.linalg.solve(matrix(*bands, False), right.T).T
    for backend in ("cpu", "generic"):
        with use_backend(backend):
            assert_close(solve(right, bands, -1, False, True), expected, tolerance=1e-14, case=backend)
            single = solve(right.real.astype(np.float32), [band.astype(np.float32) for band in bands], -1, False, True)
            assert single.dtype == np.float32
            assert_close(single, expected.real, tolerance=1e-6, case=backend)


def test_a_bad_sample_spoils_its_own_system_only(rng):
    """LAPACK solves all systems as one long one: zero times NaN must not cross over."""
    diagonal = rng.random((3, 5)) + 3
    bands = (-np.ones((3, 5)), diagonal, -np.ones((3, 5)))
    right = rng.random((3, 5))
    expected = solve(right, bands, -1, False, False)
    for bad in (np.nan, np.inf):
        right[1, 2] = bad
        result = solve(right, bands, -1, False, False)
        assert not np.isfinite(result[1]).any()
        assert_close(result[[0, 2]], expected[[0, 2]], tolerance=1e-15)


def test_numpy_arrays_go_to_the_cpu_rows_and_tensors_to_generic():
    u, operator = np.zeros((2, 2)), FluxOperator((AxisFluxes(-2, True, 1.0, 1.0), AxisFluxes(-1, True, 1.0, 1.0)))
    assert selected_backend("diffuse_steps", steps_problem(u, operator, 3)) == "cpu"
    tensor = replace(operator, cross=np.ones((2, 2)))
    assert selected_backend("diffuse_steps", steps_problem(u, tensor, 3)) == "generic"
