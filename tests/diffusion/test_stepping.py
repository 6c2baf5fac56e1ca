"""`evolve`: closed forms, what is conserved, every library, derivatives, and what is refused."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import erfc, j0, jn_zeros

from gpuconv.diffusion import EvolveInfo, Grid, diffuse, evolve, walls
from tests.assertions import EPS, assert_close, assert_same_home
from tests.libraries import make, name_of, open_library, to_numpy, why_absent

needs_torch = pytest.mark.skipif(why_absent("torch") is not None, reason="torch is not installed")
needs_jax = pytest.mark.skipif(why_absent("jax") is not None, reason="jax is not installed")


def centres(count, length=1.0):
    return (np.arange(count) + 0.5) * length / count


def orders(errors):
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


# Closed forms


def test_two_tanks_after_the_barrier_is_lifted():
    """``c = erfc((x - L/2)/(2 sqrt(D t)))/2``; errors 7.9e-4, 2.0e-4, 5.0e-5 for 64, 128, 256 cells at D t = 0.005."""
    for count, expected in ((64, 7.9e-4), (128, 2.0e-4), (256, 5.0e-5)):
        x = centres(count)
        salt, barrier = (x < 0.5) * 1.0, walls(count, closed=[(0, count // 2)])
        later = evolve(salt, 1.005, spacing=1 / count, walls=[(1.0, barrier)], accuracy=1e-6)
        error = np.abs(later - erfc((x - 0.5) / (2 * np.sqrt(0.005))) / 2).max()
        assert abs(error / expected - 1) < 0.05
        assert_close(later + later[::-1], np.ones(count), tolerance=1e-12)  # the interface stays at 1/2


def test_two_media_are_of_second_order():
    """A mode that decays in a rod of two materials: harmonic means of the faces between them."""
    ratio, errors = np.sqrt(10), []
    low, high = 0.5, 1.9
    for _ in range(60):  # cos(a/2) sin(s a/2) + cos(s a/2) sin(a/2)/s = 0
        a = (low + high) / 2
        value = np.cos(a / 2) * np.sin(a * ratio / 2) + np.cos(a * ratio / 2) * np.sin(a / 2) / ratio
        low, high = (a, high) if value > 0 else (low, a)
    for count in (64, 128, 256):
        x = centres(count)
        mode = np.where(x < 0.5, np.sin(a * x), np.sin(a / 2) / np.sin(a * ratio / 2) * np.sin(a * ratio * (1 - x)))
        later = evolve(
            mode, 0.5, diffusivity=np.where(x < 0.5, 1.0, 0.1), spacing=1 / count, boundary="fixed", accuracy=1e-6
        )
        errors.append(np.abs(later - mode * np.exp(-(a**2) * 0.5)).max())
    assert (np.abs(orders(errors) - 2) < 0.05).all()


def test_the_steady_flux_is_that_of_resistances_in_series():
    """``dU / sum(h/D)`` through any layers, to 1e-12."""
    diffusivity = np.array([1.0, 0.1, 7.0, 0.02, 3.0])
    ends = (("fixed", 1.0), ("robin", 1.0, 0.5, -2.0))
    flux = (1.0 - (-2.0)) / (np.sum(0.2 / diffusivity) + 0.5 / 3.0)
    steady = evolve(
        np.zeros(5), 1e4, diffusivity=diffusivity, spacing=0.2, boundary=ends, scheme="backward-euler", steps=50
    )
    assert_close((1.0 - steady[0]) * 1.0 / 0.1, flux, tolerance=1e-12)
    between = 2 * diffusivity[:-1] * diffusivity[1:] / (diffusivity[:-1] + diffusivity[1:])
    assert_close(-np.diff(steady) * between / 0.2, np.full(4, flux), tolerance=1e-12)


@pytest.mark.parametrize(
    ("scheme", "steps"),
    [
        ("explicit", lambda n: n * n),
        ("fed", lambda n: n * n // 8),
        ("rkl2", lambda n: n // 2),
        ("crank-nicolson", lambda n: n),
        ("backward-euler", lambda n: n * n),
    ],
)
def test_a_manufactured_solution_is_met_with_order_two(scheme, steps):
    """``u = exp(-t)(2 + cos(pi x) cos(2 pi y))``, ``kappa = 1 + sin(2 pi x) cos(pi y)/2``, a source that varies."""
    pi, errors = np.pi, []
    for count in (16, 32):
        x, y = np.meshgrid(centres(count), centres(count), indexing="ij")
        kappa = 1 + np.sin(2 * pi * x) * np.cos(pi * y) / 2
        wave = np.cos(pi * x) * np.cos(2 * pi * y)
        along = np.cos(2 * pi * x) * np.cos(pi * y) * np.sin(pi * x) * np.cos(2 * pi * y)
        across = np.sin(2 * pi * x) * np.sin(pi * y) * np.cos(pi * x) * np.sin(2 * pi * y)
        flowing = -5 * pi**2 * kappa * wave - pi**2 * along + pi**2 * across

        def source(time, wave=wave, flowing=flowing):
            return np.exp(-time) * (-(2 + wave) - flowing)

        later = evolve(
            2 + wave, 0.1, diffusivity=kappa, spacing=1 / count, source=source, scheme=scheme, steps=steps(count)
        )
        errors.append(np.abs(later - np.exp(-0.1) * (2 + wave)).max())
    assert abs(orders(errors)[0] - 2) < 0.15


def test_it_agrees_with_the_exact_propagator(xp, rng):
    """Batches by axes in any order, unequal spacing, mixed conditions; within the accuracy asked for."""
    u = rng.random((6, 2, 7))
    options = {"diffusivity": (0.7, 0.2), "spacing": (0.5, 1.0), "axes": (2, 0)}
    for boundary in ("periodic", [("no-flux", ("fixed", 2.0)), "no-flux"], ("robin", 1.0, 0.5)):
        expected = diffuse(u, 0.8, boundary=boundary, **options)
        result = evolve(make(xp, u), 0.8, boundary=boundary, accuracy=1e-3, **options)
        assert_close(result, expected, tolerance=1e-3 * np.linalg.norm(u), case=boundary)
        assert np.abs(to_numpy(result) - expected).max() > 0


def test_a_disk_cools_and_a_cylinder_keeps_its_mass(rng):
    zero, errors = jn_zeros(0, 1)[0], []
    for count in (16, 32):
        grid = Grid.polar(count, spacing=1 / count)
        mode = j0(zero * grid.lines[0].centres)
        later = evolve(mode, 0.1, grid=grid, boundary=("no-flux", "fixed"), accuracy=1e-6)
        errors.append(np.abs(later - mode * np.exp(-(zero**2) * 0.1)).max())
    assert abs(orders(errors)[0] - 2) < 0.05
    grid, u = Grid.cylindrical((5, 6), spacing=(0.3, 1.0), inner=0.4), rng.random((5, 6))
    for scheme in ("explicit", "rkl2", "crank-nicolson", "backward-euler"):
        later, info = evolve(
            u, 0.5, grid=grid, diffusivity=rng.random((5, 6)), scheme=scheme, steps=60, return_info=True
        )
        assert_close(info.mass[0], (grid.volumes * u).sum(), tolerance=4e-14 * np.abs(grid.volumes * u).sum())
        assert_close((grid.volumes * later).sum(), info.mass[0], tolerance=1e-12)


def test_wind_carries_and_exponential_fitting_is_exact_where_it_is_steady():
    """A Gaussian moves to ``x0 + v t`` while spreading, of second order; a steady profile is exact."""
    errors = []
    for count in (128, 256):
        x = centres(count, 8.0)

        def packet(time, x=x):
            variance = 0.3**2 + 2 * 0.05 * time
            return 0.3 / np.sqrt(variance) * np.exp(-((x - 2 - time) ** 2) / (2 * variance))

        later = evolve(
            packet(0), 1.0, diffusivity=0.05, velocity=1.0, spacing=8 / count, boundary="periodic", accuracy=1e-4
        )
        errors.append(np.abs(later - packet(1)).max())
    assert 1.8 < orders(errors)[0] < 2.2
    x, ends = centres(10), (("fixed", 1.0), ("fixed", 0.0))
    for speed in (3.0, -40.0):
        steady = evolve(
            np.zeros(10), 50.0, spacing=0.1, velocity=speed, boundary=ends, scheme="backward-euler", steps=99
        )
        assert_close(steady, 1 - np.expm1(speed * x) / np.expm1(speed), tolerance=1e-12)


def test_wind_alone_is_upwind_and_moves_by_a_cell_a_step():
    u = np.array([0.0, 1.0, 4.0, 2.0, 0.0])
    assert evolve(u, 2.0, diffusivity=0.0, velocity=1.0, boundary="periodic", scheme="explicit", steps=2).tolist() == [
        2.0,
        0.0,
        0.0,
        1.0,
        4.0,
    ]
    blocked = evolve(u, 2.0, diffusivity=0.0, velocity=1.0, scheme="explicit", steps=2)
    assert blocked.tolist() == [0.0, 0.0, 0.0, 1.0, 6.0]


@pytest.mark.filterwarnings("ignore:a full diffusivity tensor")
def test_a_full_tensor_turns_diffusion(rng):
    """A wave decays at ``k D k`` with second order; mass to rounding; the same for the transposed problem."""
    tensor, wave, errors = np.array([[1.0, 0.6], [0.6, 0.8]]), 2 * np.pi * np.array([1, 2]), []
    for count in (16, 32):
        x, y = np.meshgrid(centres(count), centres(count), indexing="ij")
        u = np.cos(wave[0] * x + wave[1] * y)
        later = evolve(u, 0.005, diffusivity=tensor, spacing=1 / count, boundary="periodic")
        errors.append(np.abs(later - u * np.exp(-(wave @ tensor @ wave) * 0.005)).max())
    assert abs(orders(errors)[0] - 2) < 0.1
    u, field = rng.random((6, 8)), 0.5 * rng.random((6, 8))
    per_cell = ((1.0, field), (field, 0.9))
    later = evolve(u, 1.0, diffusivity=per_cell, scheme="rkl2", steps=20)
    assert_close(later.sum(), u.sum(), tolerance=1e-12)
    turned = evolve(u.T, 1.0, diffusivity=((0.9, field.T), (field.T, 1.0)), scheme="rkl2", steps=20)
    assert_close(turned, later.T, tolerance=1e-13)


@pytest.mark.filterwarnings("ignore:a full diffusivity tensor")
def test_a_full_tensor_converges_at_walls_without_flux():
    """Oblique diffusion along an edge: means over coarse cells approach each other with order 2."""
    means = []
    for count in (8, 16, 32, 64):
        x, y = np.meshgrid(centres(count), centres(count), indexing="ij")
        u = np.exp(-((x - 0.3) ** 2 + (y - 0.4) ** 2) / 0.05)
        later = evolve(u, 0.03, diffusivity=[[1.0, 0.6], [0.6, 0.8]], spacing=1 / count)
        means.append(later.reshape(8, count // 8, 8, count // 8).mean((1, 3)))
    assert (orders([np.abs(one - other).max() for one, other in pairwise(means)]) > 1.8).all()


def test_a_full_tensor_warns_of_the_maximum_principle():
    with pytest.warns(UserWarning, match="keeps the mass but not the maximum principle"):
        evolve(np.eye(3), 0.1, diffusivity=[[1.0, 0.5], [0.5, 1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evolve(np.eye(3), 0.1, diffusivity=[[1.0, 0.0], [0.0, 2.0]])


# What is kept


@pytest.mark.parametrize("scheme", ["explicit", "fed", "rkl2", "backward-euler", "crank-nicolson"])
def test_mass_constants_and_symmetry_are_kept(rng, scheme):
    u, diffusivity = rng.random((7, 9)), rng.random((7, 9)) + 0.01
    options = {"scheme": scheme, "steps": 60}
    for boundary in ("no-flux", "periodic"):
        later = evolve(u, 3.0, diffusivity=diffusivity, boundary=boundary, **options)
        assert_close(later.sum(), u.sum(), tolerance=1e-12)
        if scheme in ("explicit", "backward-euler"):
            assert u.min() <= later.min()
            assert later.max() <= u.max()
        level = evolve(np.full((7, 9), 0.3), 3.0, diffusivity=diffusivity, boundary=boundary, **options)
        assert_close(level, np.full((7, 9), 0.3), tolerance=1e-14)
        flipped = evolve(u[::-1, ::-1], 3.0, diffusivity=diffusivity[::-1, ::-1], boundary=boundary, **options)
        assert_close(flipped[::-1, ::-1], later, tolerance=1e-13)
    v = rng.random((7, 9))
    other = evolve(v, 3.0, diffusivity=diffusivity, boundary="periodic", **options)
    if scheme in ("explicit", "fed", "rkl2"):  # split steps are adjoint only in the mean
        assert_close((other * u).sum(), (later * v).sum(), tolerance=1e-12)


@pytest.mark.parametrize("scheme", ["backward-euler", "crank-nicolson"])
def test_implicit_steps_keep_the_mass_in_single_precision(scheme):
    """To 2e-6: what is solved for is the change of u, whose rounding is small."""
    u = np.repeat(np.float32([[35, 0]]), 128, axis=1).repeat(16, axis=0)
    later = evolve(u, 40.0, diffusivity=100, scheme=scheme, steps=100)
    assert abs(later.sum(dtype=float) / u.sum(dtype=float) - 1) < 2e-6


def test_sources_and_their_budget():
    """What is added is what there is more of; a function of time counts at the middle of each step."""
    u = np.zeros((3, 4))
    for scheme in ("explicit", "fed", "rkl2", "backward-euler", "crank-nicolson"):
        _, info = evolve(u, 2.0, source=0.5, spacing=(0.1, 2.0), scheme=scheme, steps=2000, return_info=True)
        assert_close(info.mass, np.array([2.0 * 0.5 * 12 * 0.2]), tolerance=1e-11)
        grown = evolve(u, 2.0, source=lambda time: time, scheme=scheme, steps=16)
        assert_close(grown, np.full((3, 4), 2.0), tolerance=1e-12)
    where = np.zeros((3, 4))
    where[1, 1] = 1.0
    assert_close(evolve(u, 1.0, source=where).sum(), 1.0, tolerance=1e-12)


# How it answers


def test_snapshots_information_and_progress(xp, rng):
    values, told = rng.random((2, 8)), []
    u = make(xp, values)
    times = (0.0, 0.5, 0.5, 2.0)
    saved, info = evolve(
        u,
        3.0,
        axes=1,
        save_at=times,
        steps=6,
        scheme="explicit",
        spacing=2.0,
        return_info=True,
        progress=lambda *n: told.append(n),
    )
    assert saved.shape == (4, 2, 8)
    assert_close(saved[0, ...], values, tolerance=0.0)
    assert_close(saved[1, ...], to_numpy(saved[2, ...]), tolerance=0.0)
    assert_close(
        saved[3, ...], to_numpy(evolve(u, 2.0, axes=1, spacing=2.0, steps=4, scheme="explicit")), tolerance=1e-14
    )
    assert isinstance(info, EvolveInfo)
    assert info.times == times
    assert (info.steps, info.scheme) == (4, "explicit")
    assert_close(info.mass, np.repeat(2 * values.sum(1)[None], 4, axis=0), tolerance=1e-13)
    assert_close(info.initial_mass, 2 * values.sum(1), tolerance=1e-13)
    assert told[-1] == (4, 4)


def test_no_time_gives_a_copy(xp):
    values = np.array([[0.0, -0.0, np.nan, 2.5], [1.0, np.inf, 3.0, -7.0]])
    u = make(xp, values)
    result = evolve(u, 0.0)
    assert_same_home(result, u)
    assert to_numpy(result).tobytes() == values.tobytes()
    if name_of(xp) == "numpy":
        assert not np.shares_memory(result, u)
    assert evolve(make(xp, values), 0, save_at=[0], return_info=True)[1].steps == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("int8", "float32"),
        ("int32", "float64"),
        ("float16", "float16"),
        ("float32", "float32"),
        ("complex64", "complex64"),
    ],
)
def test_dtypes_are_those_of_a_convolution(xp, rng, given, expected):
    if not hasattr(xp, given):
        pytest.skip(f"there is no {given}")
    values = (8 * rng.random((4, 5))).astype(given)
    diffusivity = rng.random((4, 5))
    for scheme in ("explicit", "crank-nicolson"):
        options = {"diffusivity": diffusivity, "steps": 3, "scheme": scheme, "boundary": ["periodic", ("fixed", 1.0)]}
        exact = evolve(values.astype("complex128" if values.dtype.kind == "c" else "float64"), 0.3, **options)
        u = make(xp, values)
        result = evolve(u, 0.3, **options)
        assert_same_home(result, u, dtype=expected)
        assert_close(result, exact.astype(expected), tolerance=64 * 8 * EPS[expected])


@pytest.mark.parametrize("scheme", ["explicit", "fed", "rkl2", "backward-euler", "crank-nicolson"])
def test_every_library_gives_the_same(xp, rng, scheme):
    """Walls, conditions, sources, coefficients of NumPy and of the library itself; data that cannot be written to."""
    u, diffusivity = rng.random((5, 6)), rng.random((5, 6)) + 0.1
    u.flags.writeable = False
    options = {
        "boundary": ["periodic", ("no-flux", ("robin", 1.0, 0.5, 2.0))],
        "walls": walls((5, 6), closed=[(0, 2), (1, 3, slice(1, 3))], conductance=0.2),
        "source": 0.1,
        "scheme": scheme,
        "steps": 6,
    }
    if scheme not in ("fed", "rkl2"):
        options["velocity"] = (0.3, rng.standard_normal((5, 7)))
    expected = evolve(u, 0.3, diffusivity=diffusivity, **options)
    ours = make(xp, u)
    result = evolve(ours, 0.3, diffusivity=diffusivity, **options)
    assert_same_home(result, ours)
    assert_close(result, expected, tolerance=1e-13)
    if not (name_of(xp) == "dask" and scheme in ("fed", "rkl2")):  # which must read the largest
        result = evolve(ours, 0.3, diffusivity=make(xp, diffusivity), **options)
        assert_close(result, expected, tolerance=1e-13)


def test_each_batch_may_have_a_medium_of_its_own(xp, rng):
    u, diffusivity = rng.random((4, 3, 5)), rng.random((4, 3, 5)) + 0.1
    options = {"walls": walls((5, 4), closed=[(0, 2)], conductance=0.2), "boundary": ["periodic", "fixed"], "steps": 9}
    for scheme in ("explicit", "crank-nicolson"):
        result = to_numpy(evolve(make(xp, u), 0.2, diffusivity=diffusivity, axes=(2, 0), scheme=scheme, **options))
        for batch in range(3):
            alone = evolve(u[:, batch].T, 0.2, diffusivity=diffusivity[:, batch].T, scheme=scheme, **options)
            assert_close(result[:, batch].T, alone, tolerance=1e-13, case=(scheme, batch))


def test_dask_stays_lazy():
    if why_absent("dask") is not None:
        pytest.skip(why_absent("dask"))
    xp = open_library("dask")

    def fail(block):
        raise AssertionError("a block was computed")

    u = make(xp, np.ones((6, 6))).map_blocks(fail, dtype=float, meta=np.empty((0, 0)))
    result, info = evolve(u, 1.0, steps=4, scheme="explicit", save_at=[0.5, 1.0], return_info=True)
    assert result.shape == (2, 6, 6)
    assert info.mass.shape == (2,)


def test_degenerate_grids():
    assert evolve(np.array([3.0]), 1.0).tolist() == [3.0]
    assert evolve(np.array([[3.0]]), 1.0, boundary="periodic", scheme="crank-nicolson", steps=2).tolist() == [[3.0]]
    assert_close(evolve(np.ones((1, 3)), 1.0, scheme="backward-euler", steps=2), np.ones((1, 3)), tolerance=1e-15)
    cooled = evolve(np.array([2.0]), 0.5, boundary="fixed", scheme="backward-euler", steps=1)
    assert_close(cooled, np.array([2.0 / (1 + 0.5 * 4)]), tolerance=1e-15)
    assert evolve(np.empty((0, 4)), 1.0).shape == (0, 4)
    assert evolve(np.empty((0, 4)), 1.0, axes=1, scheme="crank-nicolson", steps=3).shape == (0, 4)


# Derivatives


def loss(function, u, diffusivity, scheme, **options):
    return function(
        u, 0.4, diffusivity=diffusivity, scheme=scheme, steps=5, boundary=["no-flux", "periodic"], **options
    )


@needs_torch
@pytest.mark.parametrize("scheme", ["explicit", "rkl2", "backward-euler", "crank-nicolson"])
def test_torch_differentiates_by_state_and_diffusivity(rng, scheme):
    torch = pytest.importorskip("torch")
    u, diffusivity = (torch.tensor(rng.random((3, 4)) + 0.2, requires_grad=True) for _ in range(2))
    barrier = walls((3, 4), closed=[(0, 1, slice(0, 2)), (1, 2)], conductance=0.3)
    assert torch.autograd.gradcheck(
        lambda a, b: loss(evolve, a, b, scheme, walls=barrier), (u, diffusivity), fast_mode=True
    )
    number = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda b: loss(evolve, u.detach(), b, scheme), (number,))
    flow = torch.tensor(rng.standard_normal((4, 4)), requires_grad=True)
    if scheme != "rkl2":
        assert torch.autograd.gradcheck(
            lambda b: loss(evolve, u.detach(), 0.5, scheme, velocity=(b, 0.2)), (flow,), fast_mode=True
        )


@needs_jax
@pytest.mark.parametrize("scheme", ["explicit", "backward-euler", "crank-nicolson"])
def test_jax_compiles_and_differentiates(rng, scheme):
    xp = open_library("jax")
    jax = pytest.importorskip("jax")
    u, diffusivity, weights = rng.random((3, 4)), rng.random((3, 4)) + 0.2, rng.random((3, 4))
    expected = loss(evolve, u, diffusivity, scheme)

    def scalar(a, b):
        return xp.sum(weights * loss(evolve, a, b, scheme))

    compiled = jax.jit(lambda a, b: loss(evolve, a, b, scheme))(xp.asarray(u), xp.asarray(diffusivity))
    assert_close(compiled, expected, tolerance=1e-13)
    by_state, by_diffusivity = jax.jit(jax.grad(scalar, argnums=(0, 1)))(xp.asarray(u), xp.asarray(diffusivity))
    for gradient, place in ((by_state, 0), (by_diffusivity, 1)):
        direction, step = rng.standard_normal((3, 4)), 1e-6
        moved = []
        for sign in (1, -1):
            arguments = [u, diffusivity]
            arguments[place] = arguments[place] + sign * step * direction
            moved.append((weights * loss(evolve, *arguments, scheme)).sum())
        assert_close(np.sum(np.asarray(gradient) * direction), (moved[0] - moved[1]) / (2 * step), tolerance=1e-8)


@needs_jax
def test_jax_chooses_steps_under_jit_when_only_the_state_is_traced(rng):
    jax, xp = pytest.importorskip("jax"), open_library("jax")
    u = rng.random((4, 5))
    compiled = jax.jit(lambda a: evolve(a, 0.05, diffusivity=2.0, accuracy=1e-2))(xp.asarray(u))
    assert_close(compiled, evolve(u, 0.05, diffusivity=2.0, accuracy=1e-2), tolerance=1e-13)
    with pytest.raises(ValueError, match="cannot be read, traced or lazy, needs steps and one of explicit, backward"):
        jax.jit(lambda b: evolve(xp.asarray(u), 0.05, diffusivity=b))(2.0)


@needs_jax
def test_many_steps_are_one_loop_under_jit():
    """Compiling step by step would take minutes: the program must not grow with the number of steps."""
    jax, xp = pytest.importorskip("jax"), open_library("jax")
    for scheme in ("explicit", "rkl2", "backward-euler", "crank-nicolson"):
        lengths = [
            len(str(jax.make_jaxpr(lambda a, n=n, s=scheme: evolve(a, 1.0, scheme=s, steps=n))(xp.ones((4, 5)))))
            for n in (8, 800)
        ]
        assert lengths[1] < 1.1 * lengths[0]


@needs_torch
def test_torch_vmap_is_a_loop(rng):
    torch, u = pytest.importorskip("torch"), rng.random((3, 4, 5))
    options = {"diffusivity": rng.random((4, 5)), "scheme": "crank-nicolson", "steps": 4}
    result = torch.func.vmap(lambda a: evolve(a, 0.5, **options))(torch.tensor(u))
    assert_close(result, np.stack([evolve(a, 0.5, **options) for a in u]), tolerance=1e-13)


@needs_jax
def test_jax_without_double_precision(run_python):
    code = """
import jax.numpy as jnp, numpy as np
from gpuconv.diffusion import evolve
u = jnp.asarray(np.arange(12.0).reshape(3, 4), dtype=jnp.float32)
for scheme in ("rkl2", "crank-nicolson"):
    varied = np.arange(1.0, 13.0).reshape(3, 4)
    result, info = evolve(u, 0.5, diffusivity=varied, scheme=scheme, steps=9, return_info=True)
    print(result.dtype, info.mass.dtype, abs(float(result.sum()) - 66) < 1e-3)
"""
    assert run_python(code).split() == ["float32", "float32", "True"] * 2


def test_a_source_is_broadcast_as_by_diffuse(xp, rng):
    """To the shape of u, whatever the order of axes; an array of the grid's shape is one entry per cell."""
    values = rng.random((2, 3, 4))
    u = make(xp, values)
    for source in (rng.random(4), rng.random((3, 1)), rng.random((2, 1, 1))):
        later = to_numpy(evolve(u, 0.5, source=source, axes=(2, 1), scheme="explicit", steps=8))
        full = np.broadcast_to(source, values.shape)
        assert_close(later, evolve(values, 0.5, source=full, axes=(2, 1), scheme="explicit", steps=8), tolerance=1e-12)
        assert_close(
            evolve(values, 0.5, source=lambda t, s=source: s, axes=(2, 1)),
            evolve(values, 0.5, source=full, axes=(2, 1)),
            tolerance=1e-12,
        )
    per_cell = rng.random((4, 3))
    assert_close(
        evolve(values, 0.5, source=per_cell, axes=(2, 1), steps=4),
        evolve(values, 0.5, source=np.broadcast_to(per_cell.T, values.shape), axes=(2, 1), steps=4),
        tolerance=1e-12,
    )


def test_truth_values_do_not_diffuse():
    with pytest.raises(TypeError, match="u must be numbers: its dtype is bool. Cast it to a floating dtype"):
        evolve(np.ones(4, bool), 1.0)


def test_times_beside_the_end_by_rounding_are_the_end():
    times = np.arange(4) * 0.1
    assert times[-1] > 0.3
    film, info = evolve(np.eye(4), 0.3, save_at=times, return_info=True)
    assert info.times == (0.0, 0.1, 0.2, 0.3)
    assert evolve(np.eye(4), 0.3, save_at=[0.3 - 5e-17, 0.3], return_info=True)[1].times == (0.3, 0.3)
    assert_close(film[-1], evolve(np.eye(4), 0.3), tolerance=1e-4)


def test_a_periodic_flow_may_name_its_first_face_twice(rng):
    """Or once, or with what rounding makes of sin(2 pi)."""
    u, flow = rng.random(8), np.sin(2 * np.pi * np.arange(9) / 8)
    once = evolve(u, 1.0, velocity=(flow[:-1],), boundary="periodic")
    assert flow[-1] != 0.0
    assert_close(evolve(u, 1.0, velocity=(flow,), boundary="periodic"), once, tolerance=1e-12)


# What is refused


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"diffusivity": -1.0}, ValueError, "diffusivity must not be negative: got -1. Diffusion cannot"),
        ({"diffusivity": np.full((4, 5), np.nan)}, ValueError, "diffusivity must be finite: 20 of 20 are not"),
        ({"diffusivity": (1.0, float("inf"))}, ValueError, "diffusivity must be finite: got inf"),
        (
            {"diffusivity": np.ones((5, 4))},
            ValueError,
            r"one entry per cell: diffusivity has shape \(5, 4\), u has \(4, 5\)",
        ),
        (
            {"diffusivity": (1.0, 1.0, 1.0)},
            ValueError,
            "diffusivity must be a number, .*: got 3 entries for 2 axes.* not a list",
        ),
        ({"diffusivity": [[1.0, 2.0], [2.0, 1.0]]}, ValueError, "no negative eigenvalue: xx yy - xy"),
        ({"diffusivity": [[1.0, 0.2], [0.1, 1.0]]}, ValueError, "a diffusivity tensor must be symmetric"),
        ({"diffusivity": "fast"}, TypeError, "diffusivity must be an array of"),
        ({"diffusivity": True}, TypeError, "diffusivity must be real: its dtype is bool"),
        ({"diffusivity": 1j}, TypeError, "diffusivity must be real: its dtype is complex128"),
        ({"time": -1.0}, ValueError, "time must not be negative: got -1.0"),
        ({"time": float("nan")}, ValueError, "time must be a finite number"),
        ({"spacing": 0.0}, ValueError, "spacing must be positive: got 0.0"),
        ({"boundary": "open"}, ValueError, "a condition is"),
        ({"scheme": "euler"}, ValueError, "scheme must be one of 'auto', 'explicit', 'fed', 'rkl2'"),
        ({"steps": 0}, ValueError, "steps must be at least 1: got 0"),
        ({"accuracy": 0.0}, ValueError, "accuracy must be positive"),
        ({"save_at": [0.5, 0.2]}, ValueError, "save_at must be times in ascending order, none after the end at 1"),
        ({"save_at": [2.0]}, ValueError, "save_at must be times in ascending order"),
        ({"save_at": []}, ValueError, "save_at needs a time: it is empty. Give times, or leave"),
        ({"save_at": [1.0 + 1e-12]}, ValueError, "none after the end at 1"),
        ({"save_at": 0.5}, TypeError, "save_at must be a sequence of times: got 0.5"),
        ({"velocity": (1.0, np.ones((4, 5)))}, ValueError, "velocity along axis 1 needs one entry per face"),
        ({"velocity": (1.0, float("nan"))}, ValueError, "velocity must be finite real numbers"),
        ({"velocity": (1.0,)}, ValueError, "velocity needs one entry per axis"),
        ({"velocity": (None, 1.0)}, TypeError, "must be a number or an array: got None. Give 0 for an axis"),
        ({"scheme": "explicit", "steps": 1}, ValueError, ": 1 step for a time of 1 make"),
        (
            {"accuracy": 1e-14},
            ValueError,
            "or crank-nicolson takes more than .* less accuracy, or give the number of s",
        ),
        (
            {"velocity": (0.0, np.eye(6)[:1].repeat(4, axis=0)), "boundary": "periodic"},
            ValueError,
            "first and the last face of periodic axis 1 are one and need one velocity: they differ by up to 1. Make",
        ),
        ({"source": np.ones(3)}, ValueError, "source needs one entry per cell"),
        ({"source": 1j * np.ones((4, 5))}, TypeError, "a complex source needs a complex u"),
        ({"source": 1j}, TypeError, "a complex source needs a complex u: u is of float64"),
        ({"source": float("nan")}, ValueError, "source must be finite: got"),
        ({"progress": 3}, TypeError, "progress must be True, or callable"),
        ({"grid": Grid.cylindrical((4, 5)), "boundary": "periodic"}, ValueError, "a radius cannot be periodic"),
        ({"grid": Grid.cartesian((4, 6))}, ValueError, r"a grid needs as many cells as u"),
        ({"axes": ()}, ValueError, r"evolve needs at least one axis: got axes=\(\) for u of shape \(4, 5\)"),
    ],
)
def test_bad_arguments_get_the_house_error(options, error, message):
    arguments = {"time": 1.0} | options
    with pytest.raises(error, match=message):
        evolve(np.zeros((4, 5)), arguments.pop("time"), **arguments)


@pytest.mark.filterwarnings("ignore:a full diffusivity tensor")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"scheme": "crank-nicolson"}, "a scheme that solves along one axis"),
        ({"velocity": 1.0}, "a flow"),
        ({"grid": Grid.cylindrical((4, 5))}, "a grid that is not Cartesian"),
        ({"boundary": "fixed"}, "an outer face that something passes"),
    ],
)
def test_what_a_full_tensor_does_not_go_with(options, reason):
    with pytest.raises(ValueError, match=f"a full diffusivity tensor goes with periodic.*: there is {reason}"):
        evolve(np.zeros((4, 5)), 1.0, diffusivity=[[1.0, 0.5], [0.5, 1.0]], **options)


def test_a_bar_shows_the_progress(capsys):
    pytest.importorskip("tqdm")
    evolve(np.zeros(8), 1.0, scheme="explicit", steps=7, progress=True)
    assert "7/7" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        {"spacing": (1.0, 0.5)},
        {"boundary": ["fixed", "periodic"]},
        {"diffusivity": (2.0, 0.3), "boundary": [("robin", 1.0, 0.5), "no-flux"]},
        {"grid": Grid.cylindrical((5, 7), spacing=1.0)},
        {"diffusivity": np.random.default_rng(8).random((5, 7))},
        {"walls": walls((5, 7), closed=[(0, 2, slice(0, 4)), (1, 3)], conductance=0.2)},
        {"diffusivity": np.random.default_rng(9).random((5, 7)), "boundary": "fixed"},
    ],
    ids=lambda options: " ".join(options),
)
def test_the_longest_step_is_what_leaves_no_cell_below_nothing(options):
    """As long as the cell that loses most in a step, found from impulses, keeps a share of zero: no fewer steps do."""
    short, losses = 1e-3, []
    for place in np.ndindex(5, 7):
        impulse = np.zeros((5, 7))
        impulse[place] = 1.0
        losses.append((1 - evolve(impulse, short, scheme="explicit", steps=1, **options)[place]) / short)
    time = 50.5 / max(losses)
    _, info = evolve(impulse, time, scheme="explicit", accuracy=1.0, return_info=True, **options)
    assert info.steps == 51
