"""Exact diffusion: against its matrix, closed forms, and what physics demands."""

import math

import numpy as np
import pytest
from scipy.special import erfc, ive

from gpuconv import convolve, diffusion, kernels
from gpuconv.diffusion import Grid
from tests.assertions import EPS, assert_close
from tests.diffusion.dense import line_matrix, solve_dense
from tests.libraries import make

CLOSED, ZERO = (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
# As given, and as (a, b, value) of both sides for the oracle.
BOUNDARIES = {
    "periodic": ("wrap", "periodic", "periodic"),
    "no-flux": ("neumann", CLOSED, CLOSED),
    "fixed": ("dirichlet", ZERO, ZERO),
    "mixed": (("no-flux", "fixed"), CLOSED, ZERO),
    "mixed, turned": (("fixed", "no-flux"), ZERO, CLOSED),
    "fixed values": ((("fixed", 2.0), ("fixed", -1.0)), (1.0, 0.0, 2.0), (1.0, 0.0, -1.0)),
    "robin": (("robin", 1.0, 0.5), (1.0, 0.5, 0.0), (1.0, 0.5, 0.0)),
    "robin value": (("no-flux", ("robin", 2.0, 0.3, 3.0)), CLOSED, (2.0, 0.3, 3.0)),
    "given flux": (("no-flux", ("robin", 0.0, 1.0, 2.0)), CLOSED, (0.0, 1.0, 2.0)),
}
HOMOGENEOUS = ["periodic", "no-flux", "fixed", "mixed", "mixed, turned", "robin"]


def cells(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("method", ["auto", "matrix", "transform", "kernel"])
@pytest.mark.parametrize("count", [1, 2, 7, 8])
@pytest.mark.parametrize("name", BOUNDARIES)
def test_one_axis_is_the_exponential_of_its_matrix(name, count, method):
    boundary, low, high = BOUNDARIES[name]
    u = cells(count, seed=count)
    options = {"diffusivity": 0.4, "spacing": 0.5, "boundary": boundary}
    allowed = {"transform": ("periodic", "no-flux", "fixed", "fixed values"), "kernel": ("periodic", "no-flux")}
    if name not in allowed.get(method, BOUNDARIES):
        with pytest.raises(ValueError, match=f"method='{method}' cannot solve this: .* Use method='auto'"):
            diffusion.diffuse(u, 0.7, method=method, **options)
        return
    expected = solve_dense(u, 0.7, [line_matrix(count, 0.5, low, high)], [0.4])
    # The largest value that enters stands for the scale.
    assert_close(
        diffusion.diffuse(u, 0.7, method=method, **options),
        expected,
        tolerance=64 * EPS["float64"] * (2 + abs(u).max()),
    )


@pytest.mark.parametrize(
    ("names", "source"),
    [
        (("fixed values", "periodic", "robin"), None),
        (("fixed values", "periodic", "robin"), "cells"),
        (("no-flux", "fixed", "robin value"), "cells"),
    ],
)
def test_three_axes_with_everything_at_once(xp, names, source):
    """Axes in another order than in memory, a batch, unequal spacing, decay and sources."""
    shape, axes, spacing, rates = (2, 3, 5, 4), (3, 1, 2), (0.5, 0.7, 1.1), (0.3, 0.2, 0.7)
    u = cells(shape)
    source = cells((3, 1, 4), seed=1) if source else None
    boundary = [BOUNDARIES[name][0] for name in names]
    given = None if source is None else make(xp, source)
    result = diffusion.diffuse(
        make(xp, u), 0.8, diffusivity=rates, spacing=spacing, boundary=boundary, axes=axes, decay=0.1, source=given
    )
    lines = [line_matrix(shape[axis], width, *BOUNDARIES[name][1:]) for axis, width, name in zip(axes, spacing, names)]
    turned = np.transpose(np.broadcast_to(0.0 if source is None else source, shape[1:]), (2, 0, 1))
    expected = [solve_dense(np.transpose(batch, (2, 0, 1)), 0.8, lines, rates, decay=0.1, source=turned) for batch in u]
    assert_close(result, np.transpose(expected, (0, 2, 3, 1)), tolerance=128 * EPS["float64"] * abs(u).max())


@pytest.mark.parametrize("boundary", ["periodic", "no-flux", "fixed", ("no-flux", "fixed")])
def test_a_mode_decays_by_its_wavenumber(boundary):
    """VERIFY 3: to rounding with the continuous symbol; the lattice's rate is off by the square of the spacing."""
    errors = []
    for count in (32, 64, 128):
        h = 1 / count
        x = h * (np.arange(count) + 0.5)
        wave, k = {
            "periodic": (np.sin, 6 * np.pi),
            "no-flux": (np.cos, 3 * np.pi),
            "fixed": (np.sin, 3 * np.pi),
            ("no-flux", "fixed"): (np.cos, 2.5 * np.pi),
        }[boundary]
        u, options = wave(k * x), {"diffusivity": 0.5, "spacing": h, "boundary": boundary}
        expected = u * math.exp(-0.5 * k * k * 0.01)
        continuous = diffusion.diffuse(u, 0.01, symbol="continuous", **options)
        assert_close(continuous, expected, tolerance=1e-13)
        errors.append(np.abs(diffusion.diffuse(u, 0.01, **options) - expected).max())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (np.abs(orders - 2) < 0.05).all()


def test_a_gaussian_spreads_to_a_wider_one():
    """VERIFY 4, continuous: variance s0^2 + 2 D t, peak (s0/s)^d."""
    x = np.arange(-48, 48)
    rows, columns = np.meshgrid(x, 0.5 * x, indexing="ij")
    r = rows**2 + columns**2
    u = np.exp(-r / (2 * 2.0**2))
    variance = 2.0**2 + 2 * 0.7 * 3.0
    result = diffusion.diffuse(u, 3.0, diffusivity=0.7, spacing=(1, 0.5), boundary="periodic", symbol="continuous")
    assert_close(result, 4 / variance * np.exp(-r / (2 * variance)), tolerance=1e-12)


@pytest.mark.parametrize(
    "diffusivity", [0.4, (0.4, 0.0, 1.3), [[0.4, 0.1, -0.2], [0.1, 0.5, 0.3], [-0.2, 0.3, 0.6]]], ids=str
)
def test_covariance_grows_by_twice_the_diffusivity(diffusivity):
    """VERIFY 4, lattice: exactly 2 D t, with unequal spacing."""
    shape, spacing, time = (40, 40, 28), (1.0, 0.8, 2.0), 1.1
    u = np.zeros(shape)
    centre = tuple(size // 2 for size in shape)
    u[centre] = 1.0
    result = diffusion.diffuse(u, time, diffusivity=diffusivity, spacing=spacing, boundary="periodic")
    places = [h * (np.arange(size) - size // 2) for h, size in zip(spacing, shape)]
    grids = np.meshgrid(*places, indexing="ij")
    covariance = [[(result * one * other).sum() for one in grids] for other in grids]
    matrix = np.array(diffusivity) if np.ndim(diffusivity) == 2 else np.diag(np.broadcast_to(diffusivity, 3))
    assert_close(np.array(covariance), 2 * time * matrix, tolerance=1e-12)
    assert result.sum() == pytest.approx(1, abs=1e-13)


def test_a_drop_becomes_bessel_functions():
    """VERIFY 5; and `propagator` is the same array."""
    u = np.zeros((61, 61))
    u[30, 30] = 1.0
    z = [2 * 0.6 * 2.0 / h**2 for h in (1.0, 0.7)]
    n = np.abs(np.arange(61) - 30)
    expected = np.outer(ive(n, z[0]), ive(n, z[1]))
    for method in ("transform", "kernel", "matrix"):
        result = diffusion.diffuse(u, 2.0, diffusivity=0.6, spacing=(1.0, 0.7), boundary="periodic", method=method)
        assert_close(result, expected, tolerance=1e-14)
    k = diffusion.propagator(2.0, diffusivity=0.6, spacing=(1.0, 0.7))
    margin = [(61 - size) // 2 for size in k.shape]
    inside = expected[margin[0] : 61 - margin[0], margin[1] : 61 - margin[1]]
    assert_close(k, inside, tolerance=1e-15)


@pytest.mark.parametrize("method", ["auto", "matrix"])
@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_two_times_in_a_row_are_their_sum(name, method):
    """VERIFY 6: the semigroup, symmetry, and mass and constants where nothing leaves."""
    u, v = cells((9, 8)), cells((9, 8), seed=1)
    options = {"diffusivity": (0.3, 0.9), "boundary": BOUNDARIES[name][0], "method": method}

    def run(x, time):
        return diffusion.diffuse(x, time, **options)

    assert_close(run(run(u, 0.7), 1.9), run(u, 2.6), tolerance=1e-13)
    assert np.vdot(run(u, 1.3), v) == pytest.approx(np.vdot(u, run(v, 1.3)), abs=1e-13)
    if name in ("periodic", "no-flux"):
        assert run(u, 40.0).sum() == pytest.approx(u.sum(), abs=1e-13)
        assert_close(run(np.full((9, 8), 3.0), 40.0), np.full((9, 8), 3.0), tolerance=1e-13)


@pytest.mark.parametrize(
    ("name", "method"),
    [(name, method) for name in HOMOGENEOUS for method in ("auto", "matrix")]
    + [(name, method) for name in ("periodic", "no-flux") for method in ("transform", "kernel")],
)
def test_no_maximum_grows_and_nothing_becomes_negative(name, method):
    """The lattice symbol, at steps: 0 and 1 at random. What is fixed at 0 only sinks."""
    u = (cells((12, 13)) > 0).astype(float)
    for time in (0.01, 0.3, 10.0):
        result = diffusion.diffuse(u, time, boundary=BOUNDARIES[name][0], method=method)
        assert result.min() >= -4 * EPS["float64"]
        assert result.max() <= 1 + 4 * EPS["float64"]


def test_the_continuous_symbol_undershoots_at_a_step():
    """VERIFY 12."""
    u = np.repeat([0.0, 1.0], 64)
    options = {"boundary": "periodic", "diffusivity": 0.05}
    assert diffusion.diffuse(u, 1.0, symbol="continuous", **options).min() == pytest.approx(-1.2e-2, abs=5e-4)
    assert diffusion.diffuse(u, 1.0, **options).min() >= -1e-15


@pytest.mark.parametrize(("boundary", "extension"), [("no-flux", "reflect"), ("periodic", "wrap"), ("fixed", None)])
def test_convolution_with_the_propagator_is_diffusion(boundary, extension):
    """VERIFY 7: the lattice's kernel under each extension; an odd one is made by hand."""
    u, time = cells(24), 1.7
    k = diffusion.propagator(time)
    if extension is None:
        assert len(k) // 2 <= 24
        convolved = convolve(np.concatenate([-u[::-1], u, -u[::-1]]), k)[24:48]
    else:
        convolved = convolve(u, k, boundary=extension)
    assert_close(diffusion.diffuse(u, time, boundary=boundary, method="transform"), convolved, tolerance=1e-14)


def test_two_tanks_whose_barrier_is_lifted():
    """VERIFY 8: erfc early on, with the errors of the lattice; the interface stays at 1/2; a cosine series later."""
    early, late = 0.005, 0.2
    for count, expected in ((64, 7.9e-4), (128, 2.0e-4), (256, 5.0e-5)):
        x = (np.arange(count) + 0.5) / count
        u = np.where(x < 0.5, 1.0, 0.0)
        result = diffusion.diffuse(u, early, spacing=1 / count)
        error = np.abs(result - erfc((x - 0.5) / (2 * math.sqrt(early))) / 2).max()
        assert error == pytest.approx(expected, rel=0.05)
        assert result[count // 2 - 1] + result[count // 2] == pytest.approx(1, abs=1e-14)
    modes = np.arange(1, 40)[:, None]
    weights = 2 * np.sin(modes * np.pi / 2) / (modes * np.pi) * np.exp(-((modes * np.pi) ** 2) * late)
    series = 0.5 + (weights * np.cos(modes * np.pi * x)).sum(axis=0)
    assert_close(diffusion.diffuse(u, late, spacing=1 / 256), series, tolerance=2e-5)


def test_wind_carries_a_gaussian_that_spreads():
    """VERIFY 10."""
    x = np.arange(96) * 0.5
    u = np.exp(-((x - 12) ** 2) / (2 * 1.5**2))
    options = {"spacing": 0.5, "boundary": "periodic", "symbol": "continuous"}
    result = diffusion.diffuse(u, 2.0, diffusivity=0.4, velocity=3.7, **options)
    variance = 1.5**2 + 2 * 0.4 * 2.0
    expected = 1.5 / math.sqrt(variance) * np.exp(-((x - 12 - 2 * 3.7) ** 2) / (2 * variance))
    assert_close(result, expected, tolerance=1e-12)


@pytest.mark.parametrize("shape", [(8, 9), (7, 6)])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_wind_by_whole_cells_is_a_roll(xp, shape, dtype):
    u = cells(shape).astype(dtype) * (1 if dtype == "float64" else 1 - 2j)
    result = diffusion.diffuse(
        make(xp, u), 2.0, diffusivity=0, velocity=(1.5, -1.0), spacing=0.5, boundary="periodic", symbol="continuous"
    )
    assert_close(result, np.roll(u, (6, -4), axis=(0, 1)), tolerance=1e-12)


@pytest.mark.parametrize("symbol", ["lattice", "continuous"])
@pytest.mark.parametrize("shape", [(6, 8), (8, 5), (5, 4)])
def test_the_highest_frequency_has_no_sign(shape, symbol):
    """What is turned round spreads turned round, and real and imaginary parts go their own ways."""
    u, v = cells(shape), cells(shape, seed=1)
    options = {"boundary": "periodic", "symbol": symbol}
    tensor = options | {"diffusivity": [[0.4, 0.3], [0.3, 0.5]]}
    turned = diffusion.diffuse(u[::-1, ::-1], 0.2, **tensor)[::-1, ::-1]
    assert_close(turned, diffusion.diffuse(u, 0.2, **tensor), tolerance=1e-14)
    runs = [tensor] if symbol == "lattice" else [tensor, options | {"velocity": (0.4, -1.3)}]
    for run in runs:
        apart = diffusion.diffuse(u, 0.2, **run) + 1j * diffusion.diffuse(v, 0.2, **run)
        assert_close(diffusion.diffuse(u + 1j * v, 0.2, **run), apart, tolerance=1e-14)


def test_what_is_fixed_or_given_at_the_faces_settles():
    """Steady states: a straight line between fixed values, and the end of a rod that is cooled."""
    x = (np.arange(10) + 0.5) / 10
    line = diffusion.diffuse(np.zeros(10), 100.0, spacing=0.1, boundary=(("fixed", 1.0), ("fixed", 4.0)))
    assert_close(line, 1 + 3 * x, tolerance=1e-12)
    # u(0) = 1, and du/dn = 2 (3 - u) at x = 1: slope m with m = 2 (3 - 1 - m).
    cooled = diffusion.diffuse(np.zeros(10), 100.0, spacing=0.1, boundary=(("fixed", 1.0), ("robin", 2.0, 1.0, 6.0)))
    assert_close(cooled, 1 + 4 / 3 * x, tolerance=1e-12)


def test_a_robin_boundary_has_order_two():
    """``cos(q x)`` with ``q tan q = a/b`` decays by ``exp(-q^2 t)``."""
    from scipy.optimize import brentq

    q = brentq(lambda q: q * math.sin(q) - 2 * math.cos(q), 0.1, 1.5, xtol=1e-15)
    errors = []
    for count in (16, 32, 64):
        x = (np.arange(count) + 0.5) / count
        result = diffusion.diffuse(np.cos(q * x), 0.3, spacing=1 / count, boundary=("no-flux", ("robin", 2.0, 1.0)))
        errors.append(np.abs(result - np.cos(q * x) * math.exp(-q * q * 0.3)).max())
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (np.abs(orders - 2) < 0.1).all()


@pytest.mark.parametrize("boundary", ["no-flux", "periodic", ("no-flux", ("robin", 0, 1)), "fixed"])
def test_any_time_may_be_waited_for(boundary):
    u = cells(9)
    result = diffusion.diffuse(u, 1e300, diffusivity=1e200, boundary=boundary)
    expected = np.full(9, 0.0 if boundary == "fixed" else u.mean())
    assert_close(result, expected, tolerance=1e-15)


def test_decay_and_sources():
    u = cells((5, 6))
    plain = diffusion.diffuse(u, 2.0)
    assert_close(diffusion.diffuse(u, 2.0, decay=0.3), plain * math.exp(-0.6), tolerance=1e-14)
    assert_close(diffusion.diffuse(u, 2.0, source=1.5), plain + 3.0, tolerance=1e-13)
    both = diffusion.diffuse(u, 2.0, source=1.5, decay=0.3)
    assert_close(both, plain * math.exp(-0.6) + 1.5 / 0.3 * (1 - math.exp(-0.6)), tolerance=1e-13)
    per_batch = diffusion.diffuse(u, 2.0, axes=1, source=np.arange(5.0)[:, None])
    assert_close(per_batch, diffusion.diffuse(u, 2.0, axes=1) + 2 * np.arange(5.0)[:, None], tolerance=1e-13)


def test_the_plan_says_why():
    plan = diffusion.plan_diffusion(
        np.zeros((500, 8)), 0.001, boundary=["periodic", ("robin", 1, 2)], diffusivity=(1, 2)
    )
    assert isinstance(plan, diffusion.DiffusionPlan)
    assert isinstance(plan.axes[0], diffusion.AxisPlan)
    assert [along.method for along in plan.axes] == ["kernel", "matrix"]
    lines = str(plan).splitlines()
    assert lines[0] == "exact diffusion of float64 (500, 8), numpy"
    assert "taps: cheaper than the FFT, about " in lines[1]
    assert lines[2] == "  axis 1: matrix, eigenvectors of 8 cells: 'robin' has no transform"
    reasons = {
        "no dearer than": {"time": 1000.0},
        "it would be 141 cells wide": {"time": 1e4},
        "something enters that does not depend on u": {"time": 0.1, "source": 1.0},
        "the continuous symbol has no short one": {"time": 0.1, "symbol": "continuous"},
        "FFT, as asked for": {"time": 0.1, "method": "transform"},
    }
    for reason, options in reasons.items():
        found = diffusion.plan_diffusion(np.zeros(512), boundary="periodic", **options)
        assert reason in found.axes[0].reason


@pytest.mark.parametrize("kind", ["lattice", "sampled"])
def test_the_propagator_is_the_gaussian_of_the_zoo(kind):
    k = diffusion.propagator(3.0, diffusivity=0.5, spacing=(1, 1, 5), kind=kind)
    sigma = [math.sqrt(3.0), math.sqrt(3.0), math.sqrt(3.0) / 5]
    assert_close(k, kernels.gaussian(sigma, kind=kind))
    assert k.sum() == pytest.approx(1, abs=1e-14)
    assert diffusion.propagator(0.0, kind=kind).sum() == 1
    assert diffusion.propagator(0.5, ndim=2, radius=3, kind=kind, dtype=np.float32).shape == (7, 7)


def raising(**options):
    return lambda: diffusion.diffuse(np.zeros((4, 4)), options.pop("time", 1.0), **options)


REFUSED = {
    "negative time": (raising(time=-1.0), "time must not be negative"),
    "NaN time": (raising(time=math.nan), "time must be a finite number"),
    "an array of times": (lambda: diffusion.diffuse(np.zeros(4), np.zeros(2)), "time must be"),
    "negative diffusivity": (raising(diffusivity=(1, -1)), "diffusivity must not be negative"),
    "NaN diffusivity": (raising(diffusivity=math.nan), "diffusivity must be a finite number"),
    "three diffusivities": (raising(diffusivity=(1, 1, 1)), "diffusivity needs one entry, or one per"),
    "a wide matrix": (raising(diffusivity=np.ones((2, 3))), "a diffusivity matrix has a row and a column per axis"),
    "a lopsided matrix": (raising(diffusivity=[[1, 2], [0, 1]]), "a diffusivity matrix must be symmetric"),
    "a matrix backwards": (raising(diffusivity=[[1, 2], [2, 1]]), "no negative eigenvalue: got -1"),
    "NaN in a matrix": (
        raising(diffusivity=[[1, math.nan], [0, 1]]),
        "each entry of the diffusivity matrix must be a f",
    ),
    "a ragged matrix": (raising(diffusivity=[[1, 2], [0]]), "diffusivity must be a number, one per axis, or a matrix"),
    "a matrix and walls": (
        raising(diffusivity=[[2, 1], [1, 2]]),
        r"mixes axes is solved exactly on periodic .* evolve",
    ),
    "a matrix by kernel": (
        raising(diffusivity=[[2, 1], [1, 2]], boundary="wrap", method="kernel"),
        "by transforms: got method='kernel'",
    ),
    "no spacing": (raising(spacing=0.0), "spacing must be positive"),
    "NaN decay": (raising(decay=math.nan), "decay must be a finite number"),
    "NaN wind": (raising(velocity=math.nan, boundary="wrap", symbol="continuous"), "velocity must be a finite number"),
    "wind and walls": (raising(velocity=1.0, symbol="continuous"), "an exact wind needs periodic axes .* evolve"),
    "wind on the lattice": (raising(velocity=1.0, boundary="wrap"), "an exact wind needs periodic axes .* evolve"),
    "wind by matrix": (
        raising(velocity=1.0, boundary="wrap", symbol="continuous", method="matrix"),
        "an exact wind is a phase",
    ),
    "wind and a source": (
        raising(velocity=1.0, boundary="wrap", symbol="continuous", source=1.0),
        "takes a wind or a source: got both. Step with evolve",
    ),
    "a source of another shape": (raising(source=np.zeros(3)), "a source must be broadcastable to u"),
    "no such symbol": (raising(symbol="spectral"), "symbol must be one of 'lattice', 'continuous'"),
    "no such method": (raising(method="fft"), "method must be one of"),
    "continuous robin": (
        raising(symbol="continuous", boundary=("robin", 1, 1)),
        "needs straight axes .*: axis 0 has 'robin' and 'robin'. Take",
    ),
    "a continuous radius": (
        lambda: diffusion.diffuse(np.zeros(4), 1.0, grid=Grid.polar(4), symbol="continuous"),
        "needs straight axes .*: axis 0 is polar. Take",
    ),
    "a long radius": (
        lambda: diffusion.radial.diffuse(np.zeros(9000), 1.0, geometry="sphere", radius=1.0),
        r"may have at most 8192 cells: it has 9000. Step with evolve\(grid=\)",
    ),
    "kernel at fixed ends": (
        raising(method="kernel", boundary="fixed"),
        r"a convolution knows no boundary like 'fixed'\. Use",
    ),
    "one diffusivity per cell": (
        lambda: diffusion.diffuse(np.zeros(5), 1.0, diffusivity=np.ones(5)),
        r"one per axis that diffuses \(1\): got 5 entries. Match the axes; evolve takes one entry per cell",
    ),
    "one diffusivity per pixel": (
        lambda: diffusion.diffuse(np.zeros((3, 3)), 1.0, diffusivity=np.ones((3, 3))),
        r"has shape \(3, 3\) for 2 axes. Match the axes; evolve takes one entry per cell",
    ),
    "continuous values": (raising(symbol="continuous", boundary=("fixed", 1)), "the continuous symbol needs straight"),
    "no axes": (lambda: diffusion.diffuse(np.zeros(()), 1.0), "diffusion needs at least one axis"),
    "a periodic radius": (
        lambda: diffusion.diffuse(np.zeros(4), 1.0, grid=Grid.polar(4), boundary="periodic"),
        "a radius is not periodic",
    ),
    "a long eigenbasis": (
        lambda: diffusion.diffuse(np.zeros(10000), 1.0, boundary=("robin", 1, 1)),
        "may have at most 8192 cells: it has 10000",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(name):
    call, sentence = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=sentence):
        call()


def test_types_that_make_no_sense_are_refused():
    with pytest.raises(TypeError, match="a complex source needs a complex u"):
        diffusion.diffuse(np.zeros(4), 1.0, source=1j)
    with pytest.raises(TypeError, match="time must be a real number"):
        diffusion.diffuse(np.zeros(4), "long")
    with pytest.raises(TypeError, match="u must be numbers: its dtype is bool. Cast"):
        diffusion.diffuse(np.zeros(4, bool), 1.0)
