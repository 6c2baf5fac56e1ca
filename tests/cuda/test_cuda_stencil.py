"""Explicit steps on CUDA: every kind of face, end and source, in one to three axes, one step or several a launch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpuconv.backends import generic
from gpuconv.backends.cuda import stencil
from gpuconv.backends.cuda.launch import MAX_BLOCKS
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator, steps_problem
from tests.assertions import EPS, assert_close
from tests.cuda.agreement import LAYOUTS, image_of
from tests.cuda.emulation import EmulatedRuntime
from tests.cuda.recording import Sketch, recorded
from tests.libraries import why_absent

emulated = pytest.mark.skipif(why_absent("cxx") is not None, reason=str(why_absent("cxx")))

LENGTHS = (0.05, 0.2, 0.01, 0.1, 0.15, 0.02, 0.2)
PERIODICS = {1: [(False,), (True,)], 2: [(False, False), (True, False), (False, True), (True, True)]}
PERIODICS[3] = [(False, False, False), (True, False, True), (False, True, False)]
SHAPES = {1: ((7,), (1,), (150,), (3, 70)), 2: ((5, 9), (1, 70), (130, 3), (2, 70, 67)), 3: ((3, 4, 5), (2, 3, 11, 70))}


def numbers(periodic):
    """Plain diffusion with another conductance on every axis."""
    count = len(periodic)
    values = [0.2 + 0.05 * place for place in range(count)]
    return FluxOperator(tuple(AxisFluxes(a - count, p, w, w) for a, (p, w) in enumerate(zip(periodic, values))))


def varying(rng, periodic, shape):
    """Conductances and volumes that differ from face to face and cell to cell."""
    cells, parts = shape[len(shape) - len(periodic) :], []
    for place, around in enumerate(periodic):
        sizes = list(cells)
        sizes[place] -= not around
        forward = 0.3 * rng.random(sizes)
        volume = rng.random((cells[place], *(1,) * (len(cells) - place - 1))) + 0.5
        parts.append(AxisFluxes(place - len(cells), around, forward, forward, inverse_volume=volume))
    return FluxOperator(tuple(parts))


def opened(rng, operator, shape):
    """The same with ends that exchange, and a source."""
    cells, parts = shape[len(shape) - len(operator.axes) :], []
    for part in operator.axes:
        edge = list(cells)
        edge[part.axis] = 1
        ends = {} if part.periodic else {"low": (rng.random(edge), rng.random(edge)), "high": (0.7, 1.3)}
        parts.append(replace(part, **ends))
    return FluxOperator(tuple(parts), rng.random(cells))


def assert_steps_agree(u, operator, *, check=True, case=""):
    """Steps and rate are the generic ones in double precision, to the rounding of as many steps."""
    wide = u.astype(np.complex128 if u.dtype.kind == "c" else np.float64)
    allowed = 40 * EPS[u.dtype.name] * max(1.0, float(np.abs(wide).max(initial=0)))
    assert stencil.why_not(steps_problem(u, operator, len(LENGTHS))) is None
    for row, rest in (("diffuse_steps", (LENGTHS,)), ("diffuse_steps", (LENGTHS[:1],)), ("diffusion_rate", ())):
        runtime = EmulatedRuntime(check=check)
        with use_runtime(runtime):
            actual = getattr(stencil, row)(runtime.place(u), operator, *rest)
        assert (actual.dtype, actual.shape) == (u.dtype, u.shape)
        if check:
            runtime.assert_written(actual)
        expected = generic.TABLE[row].function(wide, operator, *rest)
        assert_close(actual, expected.astype(u.dtype), tolerance=allowed, case=(row, len(rest and rest[0]), case))


@emulated
@pytest.mark.parametrize("axes, periodic", [(axes, each) for axes, several in PERIODICS.items() for each in several])
def test_steps_and_rates_agree_with_the_definition(rng, axes, periodic):
    for shape in SHAPES[axes]:
        if shape[-axes:][0] == 1 and periodic[0]:
            continue  # a periodic axis of one cell has no other side
        u = image_of(rng, shape, "float32")
        for name, operator in (("numbers", numbers(periodic)), ("varying", varying(rng, periodic, shape))):
            assert_steps_agree(u, operator, case=(shape, name))
            assert_steps_agree(u, opened(rng, operator, shape), case=(shape, name, "opened"))


@emulated
@pytest.mark.parametrize("dtype", ["float64", "complex64", "complex128"])
def test_other_dtypes_agree_with_the_definition(rng, dtype):
    u = image_of(rng, (37, 70), dtype)
    for operator in (numbers((False, True)), opened(rng, varying(rng, (True, False), u.shape), u.shape)):
        assert_steps_agree(u, operator)


@emulated
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_and_left_as_it_is(rng, layout):
    u = LAYOUTS[layout](image_of(rng, (12, 20), "float32"))
    before = u.copy()
    assert_steps_agree(u, numbers((False, False)))
    np.testing.assert_array_equal(u, before)


@emulated
def test_fields_may_have_conductances_of_their_own(rng):
    u = image_of(rng, (2, 3, 9, 10), "float32")
    for lead in ((2, 3), (2, 1), (3,), (1, 1)):
        forward = 0.3 * rng.random((*lead, 8, 10))
        parts = AxisFluxes(-2, False, forward, forward), AxisFluxes(-1, False, 0.25, 0.25)
        assert_steps_agree(u, FluxOperator(parts), case=lead)


@emulated
@pytest.mark.parametrize("check", [False, True])
def test_fused_steps_are_single_steps_to_the_last_bit(rng, check):
    u = image_of(rng, (150, 140), "float32")
    for operator in (numbers((False, True)), varying(rng, (True, False), u.shape)):
        runtime = EmulatedRuntime(check=check)
        with use_runtime(runtime):
            fused = stencil.diffuse_steps(u, operator, LENGTHS)
            launched = [launch.kernel for launch in runtime.launches]
            single = u
            for length in LENGTHS:
                single = stencil.diffuse_steps(single, operator, (length,))
        assert launched == ["advance_fused", "advance_fused"]
        np.testing.assert_array_equal(fused, single)


@emulated
def test_a_constant_stays_and_nothing_leaves_closed_ends(rng):
    flat = np.full((70, 90), 1.1, np.float32)
    lump = np.zeros((70, 90))
    lump[0, 0], lump[69, 40] = 1.0, 2.0
    with use_runtime(EmulatedRuntime()):
        for operator in (numbers((False, False)), varying(rng, (False, False), flat.shape)):
            np.testing.assert_array_equal(stencil.diffuse_steps(flat, operator, LENGTHS), flat)
        after = stencil.diffuse_steps(lump, numbers((False, False)), LENGTHS)
    assert abs(after.sum() - 3) < 1e-14
    assert 0 <= after.min() <= after.max() < 2


@emulated
def test_a_bad_cell_spreads_one_cell_a_step(rng):
    u = image_of(rng, (90, 90), "float32")
    u[40, 33] = np.nan
    with use_runtime(EmulatedRuntime()):
        after = stencil.diffuse_steps(u, numbers((False, False)), LENGTHS[:4])
    rows, columns = np.indices(u.shape)
    np.testing.assert_array_equal(np.isnan(after), np.abs(rows - 40) + np.abs(columns - 33) <= 4)


@emulated
def test_no_steps_and_no_cells_need_no_launch():
    runtime = EmulatedRuntime()
    with use_runtime(runtime):
        u, empty = np.ones((3, 4)), np.ones((0, 4))
        assert stencil.diffuse_steps(u, numbers((False, False)), ()) is u
        assert stencil.diffuse_steps(empty, numbers((False, False)), LENGTHS).shape == (0, 4)
        assert stencil.diffusion_rate(empty, numbers((False, False))).shape == (0, 4)
    assert runtime.launches == []


def test_what_runs_elsewhere_is_a_sentence(rng):
    u = np.ones((4, 5))
    plain = numbers((False, False))
    flowing = FluxOperator((AxisFluxes(-2, False, 0.2, 0.1), AxisFluxes(-1, False, 0.2, 0.2)))
    problems = {
        "a full diffusivity tensor runs in generic": steps_problem(u, replace(plain, cross=np.ones((3, 4))), 2),
        "the flow of the medium runs in generic": steps_problem(u, flowing, 2),
        "steps in float16 run in generic": steps_problem(u.astype(np.float16), plain, 2),
        "along the last axes": steps_problem(u, FluxOperator((AxisFluxes(-2, False, 0.2, 0.2),)), 2),
        "not traced": replace(steps_problem(u, plain, 2), traced=True),
    }
    for sentence, problem in problems.items():
        assert sentence in stencil.why_not(problem)


@pytest.mark.parametrize("steps", [1, 4])
def test_launches_cover_the_largest_arrays(steps):
    for shape in ((2**20, 2**20), (2**33, 2, 3), (3, 2**38), (2**38, 3)):
        u = Sketch.of(shape, "float32")
        blocks = 0
        for launch in recorded(stencil.diffuse_steps, u, numbers((False, True)), LENGTHS[:steps]):
            first, row_blocks, column_blocks = (int(each) for each in launch.arguments[-5 if steps == 1 else -4 :][:3])
            assert first == blocks
            assert 0 < launch.blocks <= MAX_BLOCKS
            blocks += launch.blocks
        fields, rows, columns = (int(np.prod(shape[:-2])), *shape[-2:])
        high, wide = ((stencil.HIGH * stencil.GROUPS if rows > 8 else 8), 64) if steps == 1 else (64 - 8, 64 - 8)
        assert row_blocks * high >= rows > (row_blocks - 1) * high
        assert column_blocks * wide >= columns > (column_blocks - 1) * wide
        assert blocks == fields * row_blocks * column_blocks


def test_arrays_are_used_in_turn():
    u = Sketch.of((300, 300), "float32")
    launches = recorded(stencil.diffuse_steps, u, numbers((False, True)), LENGTHS * 3)
    sources, targets = [launch.arguments[0] for launch in launches], [launch.arguments[1] for launch in launches]
    assert sources[0] is u
    for source, target in zip(sources[1:], targets):
        assert source is target
    assert len({id(target) for target in targets}) == 2


def test_ends_are_arguments_of_single_steps():
    u = Sketch.of((30, 40, 50), "float32")
    launches = [recorded(stencil.diffuse_steps, u, numbers(periodic), LENGTHS[:1])[0] for periodic in PERIODICS[3]]
    assert len({launch.defines for launch in launches}) == 1
    ends = [launch.arguments[-6]["at"][0].tolist() for launch in launches]
    assert ends == [[0, 29, 0, 39, 0, 49], [29, 0, 0, 39, 49, 0], [0, 29, 39, 0, 0, 49]]
