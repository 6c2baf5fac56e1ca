"""Draws against their laws: each test has a fixed seed and says what a correct generator would be refused with.

A z-map over N values is held below 5.5, which normal values exceed once in 26 million: for 65536 of them the chance is
0.25 %. A chi-square test fails below p = 0.0001.
"""

import numpy as np
import pytest
from scipy import stats
from scipy.special import ive

import gpuconv
from gpuconv import diffusion
from gpuconv.core.namespace import dtype_in, home_of
from gpuconv.diffusion import stochastic
from gpuconv.diffusion._philox import counters, philox, read_rng, word_dtype
from tests.assertions import EPS, assert_close, assert_same_home
from tests.libraries import make, name_of, to_numpy

LEAST = 1e-4
SIGNED = np.array([[0.5, -0.25, 0.0], [1.0, 0.125, -0.5]])


def image(shape, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 2, size=shape)


def chi_square(counts, expected):
    """p of counts against what is expected, rare outcomes taken together."""
    order = np.argsort(expected.ravel())
    counts, expected = counts.ravel()[order], expected.ravel()[order]
    few = int(np.searchsorted(np.cumsum(expected), 20.0)) + 1
    counts, expected = (np.append(part[few:], part[:few].sum()) for part in (counts, expected))
    return stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue


# The reference's known answers (Random123, kat_vectors).
ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), ANSWERS)
def test_philox_gives_the_known_answers(xp, counter, key, expected):
    home = home_of(make(xp, np.zeros(1)))
    words = [xp.asarray(np.array([word]), dtype=dtype_in(home, word_dtype(home))) for word in counter]
    assert [int(to_numpy(word)[0]) for word in philox(home, tuple(words), key)] == list(expected)


def test_words_are_uniform_and_their_uses_differ():
    home = home_of(np.zeros(1))
    index = counters(home, 2**14)
    words = np.stack(read_rng(5, use=1).words(home, index))
    for shift in (0, 8, 16, 24):
        counts = np.bincount(((words >> shift) & 255).ravel().astype(int), minlength=256)
        assert stats.chisquare(counts).pvalue > LEAST
    others = [read_rng(5, 2).words(home, index)[0], read_rng(6, 1).words(home, index)[0]]
    others += [read_rng(5, 1).words(home, index, 1)[0], words[1]]
    for other in others:
        assert np.mean(other == words[0]) < 0.001
        assert abs(np.corrcoef(other.astype(float), words[0].astype(float))[0, 1]) < 5 / np.sqrt(2**14)


@pytest.mark.parametrize("boundary", ["constant", "reflect", "wrap"])
def test_taps_have_the_mean_and_variance_of_their_kernel(boundary):
    x = image((256, 256))
    result, variance = stochastic.convolve(x, SIGNED, draws=16, rng=1, boundary=boundary, return_variance=True)
    total = np.abs(SIGNED).sum()
    mean = gpuconv.convolve(x, SIGNED, boundary=boundary)
    expected = total * gpuconv.convolve(x * x, np.abs(SIGNED), boundary=boundary) - mean**2
    assert_close(variance, expected / 16, tolerance=1e-13 * total**2)
    z = (result - mean) / np.sqrt(expected / 16)
    assert np.abs(z).max() < 5.5
    # 65536 independent values, of an excess kurtosis below 1: the mean square is 1 within 5 of its deviations.
    assert abs(np.mean(z * z) - 1) < 5 * np.sqrt(3 / z.size)


def test_a_draw_is_one_tap():
    x = image(200)
    kernel = [0.5, -1.0, 0.0, 0.25]
    drawn = stochastic.convolve(x, kernel, rng=2, boundary="nearest")
    padded = np.pad(x, 4, mode="edge")
    possible = np.stack([padded[4 + 1 - m : 4 + 1 - m + 200] * np.sign(kernel[m]) * 1.75 for m in (0, 1, 3)])
    hit = np.abs(possible - drawn) < 1e-12
    assert np.all(hit.any(axis=0))
    assert stats.chisquare(hit.sum(axis=1), 200 * np.array([0.5, 1, 0.25]) / 1.75).pvalue > LEAST


@pytest.mark.parametrize("boundary", ["wrap", ("reflect", "nearest")])
def test_scattering_loses_no_mass(xp, boundary):
    x = image((6, 4))
    kernel = np.array([[0.1, 0.2], [0.3, 0.1], [0.2, 0.1]])
    result = stochastic.convolve(make(xp, x), kernel, scheme="scatter", draws=3, rng=3, boundary=boundary)
    assert to_numpy(result).sum() == pytest.approx(x.sum(), rel=1e-14)
    assert np.ptp(to_numpy(result)) > 0.5


def test_scattered_parts_are_multinomial():
    ink = np.zeros((7, 7))
    ink[3, 3] = 5000.0
    kernel = np.outer([1, 2, 1], [1, 3, 1]) / 20
    parts = stochastic.convolve(ink, kernel, scheme="scatter", draws=5000, rng=4)
    assert_close(parts, np.round(parts), tolerance=1e-9)
    assert parts[2:5, 2:5].sum() == pytest.approx(5000)
    assert stats.chisquare(parts[2:5, 2:5].ravel(), 5000 * kernel.ravel()).pvalue > LEAST


@pytest.mark.parametrize("boundary", ["constant", "wrap"])
@pytest.mark.parametrize("kernel", [[0.5, -0.25, 1.0], [0.1, 0.2, -0.3, 0.4, 0.5, 0.1, 0.2, 0.3]])
def test_scattering_has_its_mean_and_variance(boundary, kernel):
    """10000 repetitions; a kernel longer than the axis meets itself round the edge."""
    x = np.broadcast_to(image(5), (10000, 5))
    given = {"boundary": boundary, "axes": 1}
    result, variance = stochastic.convolve(x, kernel, scheme="scatter", draws=2, rng=5, return_variance=True, **given)
    mean = gpuconv.convolve(x[0], kernel, boundary=boundary)
    assert np.abs((result.mean(axis=0) - mean) / np.sqrt(variance[0] / 10000)).max() < 5
    ratio = result.var(axis=0) / variance[0]
    fourth = np.mean((result - mean) ** 4, axis=0) / variance[0] ** 2
    assert np.abs((ratio - 1) / np.sqrt((fourth - 1) / 10000)).max() < 5


def test_errors_fall_with_the_root_of_the_draws():
    x, kernel = image(4000), gpuconv.kernels.gaussian(2.0, ndim=1)
    exact = gpuconv.convolve(x, kernel)
    errors = [np.sqrt(np.mean((stochastic.convolve(x, kernel, draws=n, rng=6) - exact) ** 2)) for n in (4, 16, 64)]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.08)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.08)


CALLS = {
    "taps": lambda x: stochastic.convolve(x, SIGNED, draws=5, rng=7, boundary="reflect"),
    "equal": lambda x: stochastic.convolve(x, np.ones((2, 2)), draws=2, rng=7, boundary=("wrap", "constant")),
    "scatter": lambda x: stochastic.convolve(x, SIGNED, draws=2, rng=7, scheme="scatter", boundary="wrap"),
    "batch": lambda x: stochastic.convolve(x, [0.3, 0.7], rng=7, axes=0),
    "variance": lambda x: stochastic.convolve(x, SIGNED, rng=7, return_variance=True)[1],
    "phases": lambda x: stochastic.convolve(x, SIGNED * (1 + 1j), draws=2, rng=7),
    "free": lambda x: stochastic.walk(x, 2.0, diffusivity=0.5, velocity=(1, 0, 0, -1), rng=7),
    "cells": lambda x: stochastic.walk(x[:, :2], 0.3, shape=(3, 4), spacing=0.5, boundary="periodic", rng=7),
}


@pytest.mark.parametrize("name", CALLS)
def test_libraries_draw_the_same(xp, name):
    values = image((6, 4))
    x = make(xp, values, dtype="float32")
    # Compiled as a whole JAX is done sooner than one operation after the other.
    result = (pytest.importorskip("jax").jit(CALLS[name]) if name_of(xp) == "jax" else CALLS[name])(x)
    assert_same_home(result, x, dtype="complex64" if name == "phases" else "float32")
    assert_close(result, CALLS[name](values.astype("float32").astype(float)), tolerance=32 * EPS["float32"] * 6)


def test_dtypes(xp):
    for dtype, expected in (("uint8", "float32"), ("int64", "float64"), ("complex64", "complex64")):
        x = make(xp, np.arange(24).reshape(6, 4) * (1j if dtype == "complex64" else 1), dtype=dtype)
        assert_same_home(stochastic.convolve(x, SIGNED, rng=1), x, dtype=expected)
    if name_of(xp) != "array_api_strict":
        x = make(xp, np.ones((6, 4)), dtype="float16")
        assert_same_home(stochastic.convolve(x, SIGNED, rng=1, scheme="scatter"), x)
        assert_same_home(stochastic.walk(x, 1.0, rng=1), x)


def test_empty_arrays_and_any_layout(xp):
    assert stochastic.convolve(make(xp, np.zeros((0, 3))), SIGNED).shape == (0, 3)
    assert stochastic.walk(make(xp, np.zeros((0, 2))), 1.0).shape == (0, 2)
    x = image((6, 8))
    x.flags.writeable = False
    turned = x[::2, ::-1].T
    assert_close(stochastic.convolve(turned, SIGNED, rng=1), stochastic.convolve(turned.copy(), SIGNED, rng=1))


def test_dask_stays_lazy():
    da = pytest.importorskip("dask.array")

    def compute(block):
        assert not block.size
        return block

    x = da.map_blocks(compute, da.ones((6, 4), chunks=(3, 2)), dtype=float, meta=np.empty((0, 0)))
    for name, call in CALLS.items():
        assert hasattr(call(x), "dask"), name


@pytest.mark.parametrize("name", ["taps", "scatter", "free"])
def test_gradients_through_torch_and_jax(name):
    torch = pytest.importorskip("torch")
    assert torch.autograd.gradcheck(CALLS[name], (torch.from_numpy(image((6, 4))).requires_grad_(),), fast_mode=True)
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    x = image((6, 4))
    slope = jax.jit(jax.grad(lambda x: CALLS[name](x).sum()))(x)
    probe = np.zeros_like(x)
    probe[2, 1] = 1
    assert float(slope[2, 1]) == pytest.approx(float((CALLS[name](x + probe) - CALLS[name](x)).sum()))


def test_single_precision_jax_draws_the_same(run_python):
    pytest.importorskip("jax")
    code = """
import numpy as np, jax.numpy as jnp
from gpuconv.diffusion import stochastic
x = np.arange(24, dtype=np.float32).reshape(6, 4)
for one in (lambda x: stochastic.convolve(x, [[0.5, 0.25, 0.25]], rng=1, draws=5),
            lambda x: stochastic.walk(x[:, :2], 0.3, shape=(9, 9), rng=1)):
    print(one(jnp.asarray(x)).dtype, bool(abs(one(jnp.asarray(x)) - one(x)).max() < 1e-4))
"""
    assert run_python(code) == "float32 True\n" * 2


def test_free_walkers_spread_by_twice_the_diffusivity():
    """Mean squares within 5 deviations, `2 d D t` and its relative 5 sqrt(2/(d N)); normal by Kolmogorov's test."""
    walked = stochastic.walk(np.zeros((50000, 3)), 3.0, diffusivity=0.7, rng=8)
    assert np.mean(np.sum(walked**2, axis=1)) == pytest.approx(6 * 0.7 * 3, rel=5 * np.sqrt(2 / 150000))
    assert stats.kstest(walked.ravel() / np.sqrt(2 * 0.7 * 3), "norm").pvalue > LEAST
    drifted = stochastic.walk(np.ones((50000, 2)), 3.0, diffusivity=(2.0, 0.0), velocity=(-1.0, 4.0), rng=9)
    assert np.all(drifted[:, 1] == 13)
    assert drifted[:, 0].mean() == pytest.approx(-2, abs=5 * np.sqrt(12 / 50000))


def places(walked, shape, spacing=1.0):
    cells = np.floor(walked / spacing).astype(int)
    counts = np.zeros(shape)
    np.add.at(counts, tuple(cells.T), 1)
    return counts


def test_walkers_on_cells_follow_skellam_and_binomial():
    start = np.full((40000, 1), 30.5)
    exact = stochastic.walk(start, 6.0, diffusivity=0.5, shape=61, rng=10)
    n = np.arange(-30, 31)
    assert chi_square(places(exact, 61), 40000 * ive(abs(n), 2 * 0.5 * 6)) > LEAST
    steps = stochastic.walk(start, 5.0, diffusivity=0.5, shape=61, steps=10, rng=11)  # r = 1/4
    assert chi_square(places(steps, 61), 40000 * stats.binom.pmf(n + 10, 20, 0.5)) > LEAST


@pytest.mark.parametrize("steps", [None, 60])
def test_walkers_are_the_lot_behind_evolve(steps):
    """A room of 6 by 5 cells: a barrier with a hole, a membrane, a wind round a periodic axis, varying diffusivity."""
    shape, spacing = (6, 5), (0.5, 1.0)
    diffusivity = np.linspace(0.2, 1.0, 30).reshape(shape)
    between = diffusion.walls(shape, closed=[(0, 3, slice(1, 5))]) | diffusion.walls(
        shape, closed=[(1, 2)], conductance=0.1
    )
    given = {"diffusivity": diffusivity, "spacing": spacing, "walls": between, "velocity": (0.0, 0.3)}
    given["boundary"] = ["no-flux", "periodic"]
    start = np.tile([0.9, 2.5], (40000, 1))
    walked = stochastic.walk(start, 1.5, rng=12, steps=steps, **given)
    density = np.zeros(shape)
    density[1, 2] = 40000
    fine = {"steps": steps, "scheme": "explicit"} if steps else {"accuracy": 1e-6}
    expected = diffusion.evolve(density, 1.5, **given, **fine)
    assert chi_square(places(walked, shape, spacing), expected) > LEAST
    assert_close(walked % 0.5, np.broadcast_to([0.4, 0.0], walked.shape), tolerance=1e-9)


def test_nobody_gets_through_a_closed_wall_and_nobody_leaves():
    wall = diffusion.walls((8, 3), closed=[(0, 4)])
    walked = stochastic.walk(np.tile([[1.2, 1.9], [7.5, 0.5]], (300, 1)), 500.0, walls=wall, rng=13)
    assert np.all(walked >= 0)
    assert np.all(walked[:, 1] < 3)
    assert walked[::2, 0].max() < 4 < walked[1::2, 0].min() < 8
    still = stochastic.walk(np.full((5, 1), 1.5), 3.0, shape=4, diffusivity=0.0, rng=1)
    assert np.all(still == 1.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: stochastic.convolve(x, [[1]], draws=0), ValueError, "draws must be at least 1"),
        (lambda x: stochastic.convolve(x, [[1]], rng="1"), TypeError, "rng must be None, a seed"),
        (lambda x: stochastic.convolve(x, [[1]], scheme="pixels"), ValueError, "scheme must be one of"),
        (lambda x: stochastic.convolve(x, [1]), ValueError, "kernel needs one dimension per convolved axis"),
        (lambda x: stochastic.convolve(x, [[0.0]]), ValueError, "finite weights, not all 0"),
        (lambda x: stochastic.convolve(x, [[np.nan]]), ValueError, "finite weights, not all 0"),
        (lambda x: stochastic.convolve(x, [[1]], boundary="edge"), ValueError, "boundary must be one of"),
        (
            lambda x: stochastic.convolve(x, [[1]], scheme="scatter", boundary="reflect", return_variance=True),
            ValueError,
            "the variance of scattering is known for",
        ),
        (lambda x: stochastic.walk(x, -1.0), ValueError, "time must not be negative"),
        (lambda x: stochastic.walk(x[0], 1.0), ValueError, "positions need an axis of particles"),
        (lambda x: stochastic.walk(x * 1j, 1.0), TypeError, "positions must be real"),
        (lambda x: stochastic.walk(x, 1.0, steps=3), ValueError, "steps are for walks on cells"),
        (lambda x: stochastic.walk(x, 1.0, velocity=np.inf), ValueError, "velocity must be a finite number"),
        (lambda x: stochastic.walk(x, 1.0, shape=5), ValueError, "a box needs one axis per coordinate"),
        (lambda x: stochastic.walk(x, 1.0, shape=(5, 5), steps=2), ValueError, "Take at least 4 steps"),
        (lambda x: stochastic.walk(x, 1e7, shape=(5, 5)), ValueError, "at most 1000000 jumps can be drawn"),
        (lambda x: stochastic.walk(x, 1.0, shape=(5, 5), boundary="fixed"), ValueError, "walkers stay in the box"),
        (lambda x: stochastic.walk(x, 1.0, walls="thick"), ValueError, "a box needs one axis per coordinate"),
        (
            lambda x: stochastic.walk(x, 1.0, shape=(5, 5), walls=diffusion.walls((4, 4), closed=[(0, 1)])),
            ValueError,
            "walls need the shape of u",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(np.ones((3, 2)))


def test_a_kernel_must_be_at_hand():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="a kernel to draw from must be at hand"):
        stochastic.convolve(torch.ones(3), torch.ones(2, requires_grad=True))
