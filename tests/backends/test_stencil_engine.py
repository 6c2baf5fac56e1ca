"""Many explicit steps at once give what single ones give, to the last bit, however cells are cut into tiles."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

import gpuconv
from gpuconv import diffusion
from gpuconv.backends import cpu, generic
from gpuconv.backends.cpu import compiled, stencil
from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator
from tests.assertions import EPS, assert_close

pytest.importorskip("llvmlite", reason="compiled loops need llvmlite")

from gpuconv.backends.cpu import stencil_steps, stencil_tiles

REAL = {"float32": "float32", "float64": "float64", "complex64": "float32", "complex128": "float64"}


@pytest.fixture
def all_large(monkeypatch):
    """Every piece of work is large enough for compiled loops, and for several threads."""
    monkeypatch.setattr(compiled, "WORK", 0)
    monkeypatch.setattr(compiled, "THREADED_WORK", 0)
    monkeypatch.setattr(stencil, "LAID_OUT", 0)
    monkeypatch.setattr(stencil, "ROW", 0)


@pytest.fixture(autouse=True)
def _threads_as_before():
    yield
    gpuconv.set_threads(None)


def random_tiling(rng):
    """In place of `tiling_of`: sweeps and tiles of any size, down to single steps and cells."""

    def tiling_of(shape, steps, threads):
        sweeps = stencil_tiles._sweeps(steps, int(rng.integers(1, steps + 1)))
        blocks = [int(rng.integers(1, size + 1)) for size in shape.sizes]
        if rng.random() < 0.5:
            blocks[2] = shape.sizes[2]
        return shape.tiling(sweeps, tuple(blocks), int(rng.choice([2, 6, 14])))

    return tiling_of


def draw_faces(rng, lead, sizes, axis, periodic, dtype):
    """A number, a number per face along the axis, per row of faces, per face, or also per batch."""
    count = sizes[axis] - (not periodic)
    own = [count if place - len(sizes) == axis else size for place, size in enumerate(sizes)]
    along = [count if place - len(sizes) == axis else 1 for place in range(len(sizes))]
    across = [1 if place - len(sizes) == axis else size for place, size in enumerate(sizes)]
    kinds = [None, along[axis:], across, own, [*lead, *own]]
    kind = kinds[rng.integers(len(kinds))]
    return 0.15 * (float(rng.random()) if kind is None else rng.random(kind).astype(dtype))


def draw_end(rng, sizes, axis, dtype):
    """(exchange, supply): closed, two numbers, or one of each for every cell at the end."""
    edge = [1 if place - len(sizes) == axis else size for place, size in enumerate(sizes)]
    kind = rng.integers(3)
    if kind == 2:
        return tuple(rng.random((2, *edge)).astype(dtype))
    return (0.0, 0.0) if kind == 0 else tuple(rng.random(2).tolist())


def draw_operator(rng, lead, sizes, dtype):
    parts = []
    for axis in range(-len(sizes), 0):
        periodic = bool(rng.random() < 0.4)
        face = draw_faces(rng, lead, sizes, axis, periodic, dtype)
        ends = [(0.0, 0.0) if periodic else draw_end(rng, sizes, axis, dtype) for _ in range(2)]
        volume = (rng.random((sizes[axis],) + (1,) * (-axis - 1)) + 0.5).astype(dtype) if rng.random() < 0.3 else 1.0
        parts.append(AxisFluxes(axis, periodic, face, face, *ends, volume))
    source = [None, 0.7, rng.random(sizes).astype(dtype), rng.random((*lead, *sizes)).astype(dtype)][rng.integers(4)]
    return FluxOperator(tuple(parts[place] for place in rng.permutation(len(parts))), source)


def draw_cells(rng, shape, dtype):
    u = rng.random(shape)
    return (u + 1j * rng.random(shape) if dtype.startswith("complex") else u).astype(dtype)


def laid_out(u, rng):
    """The same values in another layout."""
    backwards = np.flip(np.flip(u, -1).copy(), -1)
    return [u, np.asfortranarray(u), np.repeat(u, 2, axis=-1)[..., ::2], backwards][rng.integers(4)]


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("dtype", list(REAL))
def test_any_tiles_give_the_bits_of_single_steps(monkeypatch, dtype, axes):
    """And the generic sums, to rounding: all kinds of faces, ends, volumes and sources, layouts and batches."""
    rng = np.random.default_rng(axes)
    for case in range(12):
        sizes = [int(rng.integers(1, (60, 24, 12)[axes - 1])) for _ in range(axes)]
        sizes[-1] = int(rng.integers(1, 90))
        lead = tuple(rng.integers(1, 4, rng.integers(0, 3)).tolist())
        operator = draw_operator(rng, lead, sizes, REAL[dtype])
        u = draw_cells(rng, (*lead, *sizes), dtype)
        lengths = (0.5 * rng.random(int(rng.integers(1, 12)))).tolist()
        single = u
        for length in lengths:
            single = stencil_steps.diffuse_steps(single, operator, (length,))
        expected = u.astype(np.result_type(u, np.float64))
        expected = generic.TABLE["diffuse_steps"].function(expected, operator, lengths)
        assert_close(single, expected, tolerance=(8 * len(lengths) + 40) * EPS[dtype], case=case)
        for tiling in (stencil_tiles.tiling_of, random_tiling(rng)):
            gpuconv.set_threads(int(rng.integers(1, 4)))
            given = laid_out(u, rng)
            with monkeypatch.context() as patch:
                patch.setattr(stencil_steps, "tiling_of", tiling)
                result = cpu.TABLE["diffuse_steps"].function(given, operator, lengths)
            assert result.dtype == u.dtype
            assert np.array_equal(result, single), (case, sizes)
            assert np.array_equal(given, u)


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("dtype", list(REAL))
def test_compiled_rates_agree_with_generic(dtype):
    rng = np.random.default_rng(5)
    for axes, case in itertools.product((1, 2, 3), range(4)):
        sizes = [7, 12, 40][-axes:]
        operator = draw_operator(rng, (2,), sizes, REAL[dtype])
        u = draw_cells(rng, (2, *sizes), dtype)
        assert stencil.why_not_compiled(u, operator, 1) is None
        rate = cpu.TABLE["diffusion_rate"].function(laid_out(u, rng), operator)
        expected = generic.TABLE["diffusion_rate"].function(u.astype(np.result_type(u, np.float64)), operator)
        assert rate.dtype == u.dtype
        assert_close(rate, expected, tolerance=40 * EPS[dtype], case=(axes, case))


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "fixed"])
@pytest.mark.parametrize("sizes", [(30_000,), (300, 170), (40, 50, 60)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_wave_decays_by_its_factor_in_every_step(dtype, sizes, boundary):
    """``u_n = g^n u_0`` with ``g = 1 - 4 sum_i r_i sin^2(k_i h/2)``, to ``4 n eps``, through tiles and sweeps."""
    axes, periodic = len(sizes), boundary == "periodic"
    r, waves = (0.15, 0.2, 0.1)[:axes], (2, 3, 5)[:axes]
    angles = [(2 if periodic else 1) * np.pi * k / n for k, n in zip(waves, sizes, strict=True)]
    wave = np.sin if boundary == "fixed" else np.cos
    u = np.ones(())
    for angle, size in zip(angles, sizes, strict=True):
        u = np.multiply.outer(u, wave(angle * (np.arange(size) + 0.5)))
    g = 1 - 4 * sum(ratio * np.sin(angle / 2) ** 2 for ratio, angle in zip(r, angles, strict=True))
    ends = [(2 * ratio, 0.0) if boundary == "fixed" else (0.0, 0.0) for ratio in r]
    faces = zip(range(-axes, 0), r, ends, strict=True)
    operator = FluxOperator(tuple(AxisFluxes(axis, periodic, ratio, ratio, end, end) for axis, ratio, end in faces))
    for count in (10, 45, 70):
        assert stencil.why_not_compiled(u, operator, count) is None
        result = stencil.diffuse_steps(u.astype(dtype), operator, (1.0,) * count)
        # What float32 makes of r counts as well: half an eps of r, which two neighbours carry into each step.
        assert_close(result, g**count * u, tolerance=4 * count * EPS[dtype], case=count)


@pytest.mark.usefixtures("all_large")
def test_compiled_steps_keep_constants_mass_and_bounds():
    """Constants to the last bit, mass to rounding where nothing leaves, and no value beyond those of the start."""
    rng = np.random.default_rng(2)
    for sizes, dtype in itertools.product([(5000,), (70, 90), (20, 30, 40)], ("float32", "float64")):
        axes = len(sizes)
        parts = []
        for axis in range(-axes, 0):
            face = 0.5 / axes * draw_faces(rng, (), sizes, axis, axis == -2, dtype) / 0.15
            parts.append(AxisFluxes(axis, axis == -2, face, face))
        operator = FluxOperator(tuple(parts))
        flat = np.full(sizes, 1.1, dtype)
        assert np.array_equal(stencil.diffuse_steps(flat, operator, (1.0,) * 50), flat)
        u = rng.random(sizes).astype(dtype)
        later = stencil.diffuse_steps(u, operator, (1.0,) * 50)
        assert u.min() <= later.min() < later.max() <= u.max()
        mass = [float(np.sum(state, dtype=np.float64)) for state in (u, later)]
        # Each step rounds every cell; what one gives and another takes differs by a rounding of the flux.
        assert abs(mass[1] - mass[0]) <= 4 * 50 * EPS[dtype] * np.sqrt(u.size)


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("sizes", [(200,), (20, 40), (9, 10, 40)], ids=str)
def test_bad_samples_spread_as_in_the_definition(sizes):
    """By one cell in each step, whatever tile they are in."""
    rng = np.random.default_rng(3)
    operator = FluxOperator(tuple(AxisFluxes(axis, axis == -1, 0.1, 0.1) for axis in range(-len(sizes), 0)))
    for bad in (np.nan, np.inf):
        for place in ((0,) * len(sizes), tuple(size // 2 for size in sizes), tuple(size - 1 for size in sizes)):
            u = rng.random(sizes)
            u[place] = bad
            for count in (1, 3):
                with np.errstate(invalid="ignore"):
                    expected = generic.TABLE["diffuse_steps"].function(u, operator, (1.0,) * count)
                result = stencil.diffuse_steps(u, operator, (1.0,) * count)
                assert np.array_equal(np.isfinite(result), np.isfinite(expected)), (bad, place, count)
                fine = np.isfinite(expected)
                assert_close(result[fine], expected[fine], tolerance=40 * EPS["float64"])


def test_threads_that_call_at_the_same_time_get_the_same_bits():
    rng = np.random.default_rng(4)
    u = rng.random((600, 500), dtype=np.float32)
    operator = FluxOperator((AxisFluxes(-2, True, 0.2, 0.2), AxisFluxes(-1, False, 0.2, 0.2)))
    lengths = (1.0,) * 40
    gpuconv.set_threads(1)
    expected = stencil.diffuse_steps(u, operator, lengths)
    gpuconv.set_threads(4)
    results: list[np.ndarray] = []
    callers = [
        threading.Thread(target=lambda: results.append(stencil.diffuse_steps(u, operator, lengths))) for _ in "12345678"
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(results) == 8
    assert all(np.array_equal(result, expected) for result in results)


def test_small_work_and_what_compiled_loops_have_not_stay_as_they_are(monkeypatch):
    """Each with its reason, and without compiling anything."""
    number, face = AxisFluxes(-1, False, 0.2, 0.2), np.full(999_998, 0.2)
    line = FluxOperator((number,))
    varying = FluxOperator((AxisFluxes(-1, False, face, face),))
    flowing = FluxOperator((AxisFluxes(-1, False, 0.2, 0.1),))
    u = np.zeros(999_999)
    assert stencil.why_not_compiled(u, line, 1) is None
    assert stencil.why_not_compiled(u, varying, stencil.LAID_OUT) is None
    for cells, operator, steps, reason in (
        (u[:1000], line, 99, "less than"),
        (u, varying, stencil.LAID_OUT - 1, "laid out"),
        (u, flowing, 10, "flow"),
        (u.reshape(-1, 3), line, 10, "rows of fewer"),
        (u.reshape(-1, 999), FluxOperator((AxisFluxes(-2, False, 0.2, 0.2),)), 10, "last axes"),
    ):
        assert reason in stencil.why_not_compiled(cells, operator, steps)
    monkeypatch.setattr(compiled, "is_installed", lambda: False)
    assert "llvmlite is not installed" in stencil.why_not_compiled(u, line, 1)


@pytest.mark.parametrize("scheme", ["explicit", "fed"])
def test_evolve_hands_over_all_its_steps_at_once(monkeypatch, scheme):
    """Sweeps of many steps need many steps; between two saved times nobody looks at the state."""
    calls = []
    steps = stencil_steps.diffuse_steps

    def counting(u, operator, lengths):
        calls.append(len(lengths))
        return steps(u, operator, lengths)

    monkeypatch.setattr(stencil_steps, "diffuse_steps", counting)
    u = np.random.default_rng(6).random((200, 200))
    _, info = diffusion.evolve(u, 20.0, scheme=scheme, steps=90, save_at=[10.0, 20.0], return_info=True)
    assert len(calls) == 2
    assert sum(calls) == info.steps * info.stages >= 90


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_tiles_cover_all_cells_once_and_all_that_reaches_them(axes):
    rng = np.random.default_rng(7)
    for _ in range(200):
        most = (10**6, 5000, 500)[axes - 1]
        sizes = (1,) * (3 - axes) + tuple(int(most ** rng.random()) for _ in range(axes))
        periodic = (False,) * (3 - axes) + tuple((rng.random(axes) < 0.5).tolist())
        shape = stencil_tiles.Shape(sizes, periodic, axes, int(rng.integers(1, 4)), int(rng.choice([4, 8, 16])))
        steps, threads = int(rng.integers(1, 200)), int(rng.choice([1, 2, 64]))
        tiling = stencil_tiles.tiling_of(shape, steps, threads)
        assert sum(tiling.sweeps) == steps
        assert min(tiling.sweeps) >= 1
        kept = tiling.together + 2
        assert axes != 2 or kept >= sizes[1] or kept & (kept - 1) == 0
        away = max(tiling.sweeps)
        for size, block, margin, around in zip(sizes, tiling.blocks, tiling.margins, tiling.around, strict=True):
            bounds = stencil_tiles.bounds_of(size, block, margin, around, range(away, -1, -1))
            assert bounds[:, -1].tolist() == [[start, min(start + block, size)] for start in range(0, size, block)]
            if around or not margin:
                assert bounds.min() == 0
                assert bounds.max() == size
            if not around:
                low, high = (0, size) if not margin else (-away, size + away)
                needed = np.clip(bounds[:, 1:] + [-1, 1], low, high)
                assert (bounds[:, :-1, 0] <= needed[..., 0]).all()
                assert (bounds[:, :-1, 1] >= needed[..., 1]).all()


@pytest.mark.parametrize("width", [4, 8, 16])
@pytest.mark.parametrize("periodic", [False, True])
def test_long_rows_of_images_are_cut_into_equal_parts(width, periodic):
    """Into parts that fit the cache beside each other, and begin where registers do; short rows stay whole."""
    for cells in (64, 1000, 1024, 1536, 2048, 3000, 16384, 100_003):
        shape = stencil_tiles.Shape((1, 700, cells), (False, periodic, periodic), 2, 1, width)
        block = stencil_tiles.tiling_of(shape, 40, 2).blocks[2]
        if cells * width <= stencil_tiles.IMAGE_ROW:
            assert block == cells
        else:
            unit = stencil_tiles.registers(width)
            count = -(-cells // block)
            assert block % unit == 0
            assert stencil_tiles.IMAGE_ROW // 3 < block * width <= 2 * stencil_tiles.IMAGE_ROW // 3 + 64
            assert count * block - cells < count * unit
