"""Nonlinear diffusion against slow loops, closed forms, and what it promises: mass, extremes, energy, edges."""

import numpy as np
import pytest

from gpuconv import diffusion
from gpuconv.backends.generic.stencil import diffusion_rate
from gpuconv.diffusion._edges import Grid
from gpuconv.diffusion._oriented import _with_corners, _with_diagonal, tensors
from tests.assertions import EPS, assert_close, assert_same_home
from tests.libraries import make, name_of, to_numpy

# g(s) and its potential Psi(q), q = s^2, Psi' = g.
CONDUCTANCES = {
    "exponential": (lambda s: np.exp(-(s**2)), lambda q: 1 - np.exp(-q)),
    "rational": (lambda s: 1 / (1 + s**2), np.log1p),
    "charbonnier": (lambda s: 1 / np.sqrt(1 + s**2), lambda q: 2 * np.sqrt(1 + q)),
    "tukey": (lambda s: (1 - s**2) ** 2 if s < 1 else 0.0, lambda q: -((1 - np.minimum(q, 1)) ** 3) / 3),
    "weickert": (lambda s: 1 - np.exp(-3.31488 / s**8) if s > 0 else 1.0, None),
    "tv": (lambda s: 1 / np.sqrt(s**2 + 0.01), lambda q: 2 * np.sqrt(q + 0.01)),
}


def image(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def slow_step(u, step, g, contrast, spacing, periodic):
    """One explicit step of (channels, *grid), cell by cell: the mean of both cells' g at each face."""
    grid = u.shape[1:]

    def neighbour(cell, axis, way):
        place = list(cell)
        place[axis] += way
        if periodic[axis]:
            place[axis] %= grid[axis]
        return tuple(place) if 0 <= place[axis] < grid[axis] else None

    conductance = np.zeros(grid)
    for cell in np.ndindex(*grid):
        total = 0.0
        for axis, h in enumerate(spacing):
            for way in (-1, 1):
                other = neighbour(cell, axis, way)
                if other is not None:
                    total += 0.5 * sum(abs(u[c][other] - u[c][cell]) ** 2 for c in range(len(u))) / h**2
        conductance[cell] = g(np.sqrt(total) / contrast)
    later = u.copy()
    for cell in np.ndindex(*grid):
        for axis, h in enumerate(spacing):
            for way in (-1, 1):
                other = neighbour(cell, axis, way)
                if other is not None:
                    face = 0.5 * (conductance[cell] + conductance[other])
                    for c in range(len(u)):
                        later[c][cell] += step * face * (u[c][other] - u[c][cell]) / h**2
    return later


@pytest.mark.parametrize("conductance", CONDUCTANCES)
def test_perona_malik_follows_its_definition(conductance):
    g = CONDUCTANCES[conductance][0]
    u, spacing, periodic = image((2, 4, 5)), (0.7, 1.3), (True, False)
    expected = u
    for _ in range(2):
        expected = slow_step(expected, 0.01, g, 1.5, spacing, periodic)
    result = diffusion.perona_malik(
        u,
        0.02,
        contrast=1.5,
        conductance=conductance,
        spacing=spacing,
        boundary=["periodic", "no-flux"],
        channel_axis=0,
        scheme="explicit",
        steps=2,
    )
    assert_close(result, expected, tolerance=1e-14 * abs(u).max())


def test_perona_malik_in_three_dimensions_and_of_complex_values():
    u = image((3, 2, 3)) + 1j * image((3, 2, 3), seed=1)
    expected = slow_step(u[None], 0.05, CONDUCTANCES["rational"][0], 1.0, (1.0, 0.8, 1.2), (False,) * 3)[0]
    given = {"contrast": 1.0, "conductance": "rational", "spacing": (1.0, 0.8, 1.2), "steps": 1}
    assert_close(diffusion.perona_malik(u, 0.05, **given), expected, tolerance=1e-14 * abs(u).max())


@pytest.mark.parametrize("conductance", CONDUCTANCES)
def test_without_edges_it_is_linear(conductance):
    u = image((6, 7))
    rate = 10.0 if conductance == "tv" else 1.0
    result = diffusion.perona_malik(u, 0.3, contrast=1e8, conductance=conductance, scheme="explicit", steps=20)
    linear = diffusion.evolve(u, 0.3, diffusivity=rate, scheme="explicit", steps=20)
    assert_close(result, linear, tolerance=1e-13 * abs(u).max())


@pytest.mark.parametrize("scheme", ["explicit", "aos", "fed"])
@pytest.mark.parametrize("conductance", CONDUCTANCES)
def test_mass_extremes_and_energy(scheme, conductance):
    u, h = image((9, 8)), 0.5
    last, energies = u, []
    potential = CONDUCTANCES[conductance][1]
    for _ in range(4):
        before = last
        last = diffusion.perona_malik(last, 0.5, contrast=2.0, conductance=conductance, spacing=h, scheme=scheme)
        assert last.sum() == pytest.approx(u.sum(), abs=1e-12)
        if scheme != "fed":
            assert last.max() <= before.max() + 1e-14
            assert last.min() >= before.min() - 1e-14
        if potential is not None:
            steepness = Grid((h, h), (False, False), False).steepness(last)
            energies.append(potential(steepness / 4).sum())
    assert np.all(np.diff(energies) < 0)


def test_an_edge_above_the_contrast_survives_and_one_below_decays():
    rng = np.random.default_rng(0)
    noise = 0.05 * rng.normal(size=(40, 40))
    step = np.repeat([0.0, 1.0], 20)[:, None]
    kept = diffusion.perona_malik(step + noise, 20.0, contrast=0.25)
    assert abs(kept[:20] - 0).max() < 0.06
    assert abs(kept[20:] - 1).max() < 0.06
    assert kept.std(axis=1).max() < 0.01
    lost = diffusion.perona_malik(0.1 * step + 0.1 * noise, 20.0, contrast=0.25)
    assert np.ptp(np.diff(lost.mean(axis=1))) < 0.02
    assert abs(np.diff(lost.mean(axis=1))).max() < 0.012


def test_sigma_looks_past_single_pixels():
    u = np.zeros((15, 15))
    u[7, 7] = 5.0
    blind, seeing = (diffusion.perona_malik(u, 4.0, contrast=0.8, sigma=sigma)[7, 7] for sigma in (0.0, 1.5))
    assert blind > 4.9
    assert seeing < 0.5


def test_colours_share_their_edges():
    grey = image((8, 8))
    colours = np.stack([0.6 * grey, 0.8 * grey], axis=-1)
    result = diffusion.perona_malik(colours, 2.0, contrast=1.0, channel_axis=-1)
    alone = diffusion.perona_malik(grey, 2.0, contrast=1.0)
    assert_close(result, np.stack([0.6 * alone, 0.8 * alone], axis=-1), tolerance=1e-13)


def test_batches_have_contrasts_of_their_own():
    u = image((2, 3, 8, 6)) * np.array([1.0, 5.0])[:, None, None, None]
    together = diffusion.perona_malik(np.moveaxis(u, 1, 3), 1.0, axes=(1, 2), channel_axis=3)
    for one, result in zip(u, np.moveaxis(together, 3, 1), strict=True):
        slope = np.sqrt(Grid((1.0, 1.0), (False, False), True).steepness(one))
        contrast = float(np.sort(slope.ravel())[int(np.ceil(0.9 * 48)) - 1])
        assert_close(result, diffusion.perona_malik(one, 1.0, contrast=contrast, channel_axis=0), tolerance=1e-12)
    flat = diffusion.perona_malik(np.full((4, 4), 3.0), 1.0)
    assert_close(flat, np.full((4, 4), 3.0))


def test_axes_may_come_in_any_order():
    u = image((4, 5, 6))
    result = diffusion.perona_malik(u, 0.5, contrast=1.0, axes=(2, 0), spacing=(1.0, 2.0))
    one = diffusion.perona_malik(u[:, 3].T, 0.5, contrast=1.0, spacing=(1.0, 2.0))
    assert_close(result[:, 3].T, one, tolerance=1e-14)


def test_schemes_converge_to_the_same():
    u = image((16, 16))
    exact = diffusion.perona_malik(u, 2.0, contrast=1.0, conductance="charbonnier", scheme="explicit", steps=2000)
    for scheme in ("explicit", "aos", "fed"):
        errors = [
            abs(
                diffusion.perona_malik(u, 2.0, contrast=1.0, conductance="charbonnier", scheme=scheme, steps=n) - exact
            ).max()
            for n in (50, 100)
        ]
        assert errors[1] < 0.02 * abs(exact).max(), scheme
        assert errors[0] / errors[1] == pytest.approx(2, rel=0.15), scheme
    assert np.array_equal(*(diffusion.perona_malik(u, 260.0, contrast=1.0, scheme=s) for s in ("auto", "aos")))
    assert np.array_equal(*(diffusion.perona_malik(u, 20.0, contrast=1.0, scheme=s) for s in ("auto", "explicit")))


@pytest.mark.parametrize("kind", ["edge", "coherence"])
def test_tensors_have_the_eigenvectors_of_the_structure(kind):
    """Against numpy's eigenvectors, cell by cell, of two channels on unequal cells."""
    grid = Grid((0.8, 1.1), (True, False), True)
    u = image((2, 6, 5))
    xx, xy, yy = tensors(grid, u, kind, 0.9**2, sigma=0.6, rho=1.0)
    smooth = grid.smoothed(u, 0.6)
    slopes = [0.5 * (low + high) for low, high in grid.sides(smooth)]
    product = {
        (a, b): grid.smoothed((slopes[a] * slopes[b]).sum(0, keepdims=True), 1.0) for a in (0, 1) for b in (0, 1)
    }
    for cell in np.ndindex(6, 5):
        matrix = np.array([[product[a, b][(0, *cell)] for b in (0, 1)] for a in (0, 1)])
        (low, high), vectors = np.linalg.eigh(matrix)
        if kind == "edge":
            across, ahead = 0.001 + 0.999 * (1 - np.exp(-3.31488 / (high / 0.81) ** 4)), 1.0
        else:
            across, ahead = 0.001, 0.001 + 0.999 * np.exp(-((0.81 / (high - low)) ** 2))
        expected = vectors @ np.diag([ahead, across]) @ vectors.T
        found = np.array([[xx[(0, *cell)], xy[(0, *cell)]], [xy[(0, *cell)], yy[(0, *cell)]]])
        assert_close(found, expected, tolerance=1e-9, case=cell)


def test_a_tensor_that_is_the_same_everywhere_is_that_of_evolve():
    u, ones = image((6, 7)), np.ones((6, 7))
    grid = Grid((0.5, 0.8), (True, True), False)
    operator = _with_corners(grid, _with_diagonal(grid, (1.0 * ones, 0.6 * ones)), 0.4 * ones)
    with pytest.warns(UserWarning, match="maximum principle"):
        later = diffusion.evolve(
            u,
            0.01,
            diffusivity=[[1.0, 0.4], [0.4, 0.6]],
            spacing=(0.5, 0.8),
            boundary="periodic",
            scheme="explicit",
            steps=1,
        )
    assert_close(u + 0.01 * diffusion_rate(u, operator), later, tolerance=1e-14 * 10)


@pytest.mark.parametrize("kind", ["edge", "coherence"])
@pytest.mark.parametrize("boundary", ["no-flux", ["periodic", "no-flux"]])
def test_tensor_diffusion_keeps_mass_and_calms(kind, boundary):
    u = image((10, 9))
    later = diffusion.tensor_diffusion(u, 3.0, kind=kind, boundary=boundary, spacing=(1.0, 0.7))
    assert later.sum() == pytest.approx(u.sum(), abs=1e-12)
    assert np.sum(later**2) < (0.9 if kind == "edge" else 0.98) * np.sum(u**2)
    swapped = boundary if isinstance(boundary, str) else boundary[::-1]
    turned = diffusion.tensor_diffusion(u.T, 3.0, kind=kind, boundary=swapped, spacing=(0.7, 1.0))
    assert_close(turned.T, later, tolerance=1e-13)


def test_lines_are_joined_through_noise():
    angle = np.hypot(*np.meshgrid(np.arange(40.0), np.arange(40.0)))
    rings, inner = np.cos(angle * 0.8), (slice(6, 34),) * 2
    result = diffusion.tensor_diffusion(rings + image((40, 40)), 4.0, contrast=0.2, sigma=1.0, rho=2.0)
    assert np.corrcoef(result[inner].ravel(), rings[inner].ravel())[0, 1] > 0.93
    blurred = diffusion.diffuse(rings + image((40, 40)), 4.0)
    assert np.std(blurred[inner]) < 0.5 * np.std(result[inner])


def test_noise_on_edges_goes_along_them():
    step = np.repeat([0.0, 1.0], 15) + 0.1 * image((30, 30))
    along, across = (
        diffusion.tensor_diffusion(step, 5.0, kind="edge", contrast=0.1, sigma=0.7),
        diffusion.perona_malik(step, 5.0, contrast=0.1, sigma=0.7, conductance="weickert"),
    )
    for column in (14, 15):
        assert along[:, column].std() < 0.5 * across[:, column].std()
    jump = (along[:, 15] - along[:, 14]).mean()
    assert jump > 0.75
    assert (diffusion.diffuse(step, 5.0)[:, 15] - diffusion.diffuse(step, 5.0)[:, 14]).mean() < 0.15


def barenblatt(x, time, exponent, mass):
    alpha = 1 / (exponent + 1)
    k = alpha * (exponent - 1) / (2 * exponent)
    shape = lambda c: np.maximum(c - k * (x / time**alpha) ** 2, 0) ** (1 / (exponent - 1)) / time**alpha  # noqa: E731
    low, high = 0.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if shape(middle).sum() * (x[1] - x[0]) < mass else (low, middle)
    return shape(low)


@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_gas_in_soil_follows_barenblatt(exponent):
    errors = []
    for n in (50, 100):
        x = (np.arange(n) + 0.5) * 10 / n - 5
        start, end = (barenblatt(x, t, exponent, 2.0) for t in (1.0, 3.0))
        later = diffusion.porous_medium(start, 2.0, exponent=exponent, spacing=10 / n, steps=n * n // 25)
        assert later.sum() == pytest.approx(start.sum(), rel=1e-13)
        assert later.min() >= 0
        errors.append(np.abs(later - end).sum() * 10 / n)
    assert errors[1] < 0.01
    assert errors[0] / errors[1] > 1.7
    front = np.abs(x[end > 0]).max()
    assert later[np.abs(x) > front + 0.4].max() < 1e-6


def test_an_exponent_of_one_is_linear_and_axes_are_equal():
    u = np.abs(image((6, 7)))
    result = diffusion.porous_medium(u, 0.5, exponent=1.0, diffusivity=0.8, steps=2000)
    assert_close(result, diffusion.diffuse(u, 0.4), tolerance=3e-4)
    later = diffusion.porous_medium(u, 0.5, steps=400)
    assert_close(diffusion.porous_medium(u.T, 0.5, steps=400).T, later, tolerance=2e-3)


def test_reactions_split_with_order_two():
    u = np.stack([1 + 0.1 * image((12, 10)), 0.2 + 0.05 * np.abs(image((12, 10), 1))])

    def gray_scott(w):
        bred = w[0] * w[1] ** 2
        return np.stack([0.04 * (1 - w[0]) - bred, bred - 0.1 * w[1]])

    given = {"diffusivity": (0.2, 0.1), "channel_axis": 0}
    results = {n: diffusion.reaction_diffusion(u, 4.0, gray_scott, steps=n, **given) for n in (10, 20, 640)}
    errors = [abs(results[n] - results[640]).max() for n in (10, 20)]
    assert errors[0] < 5e-3
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)


def test_without_diffusion_a_reaction_is_its_own_equation():
    u = np.linspace(0.1, 0.9, 8)
    later = diffusion.reaction_diffusion(u, 2.0, lambda u: u * (1 - u), steps=400, diffusivity=0.0)
    assert_close(later, 1 / (1 + (1 / u - 1) * np.exp(-2)), tolerance=1e-6)
    decayed = diffusion.reaction_diffusion(u, 2.0, lambda u: -0.3 * u, steps=400, boundary="periodic", axes=0)
    assert_close(decayed, diffusion.diffuse(u, 2.0, decay=0.3, boundary="periodic"), tolerance=1e-6)


CALLS = {
    "explicit": lambda u: diffusion.perona_malik(u, 0.5, contrast=1.0, boundary=["periodic", "no-flux"]),
    "usual": lambda u: diffusion.perona_malik(u, 0.2, conductance="rational", sigma=0.8),
    "aos": lambda u: diffusion.perona_malik(u, 3.0, contrast=1.0, scheme="aos", steps=1, channel_axis=1),
    "tukey": lambda u: diffusion.perona_malik(u, 3.0, contrast=2.0, scheme="fed", conductance="tukey"),
    "weickert": lambda u: diffusion.perona_malik(u, 0.5, contrast=1.0, conductance="weickert", axes=0),
    "edge": lambda u: diffusion.tensor_diffusion(u, 0.1, kind="edge", contrast=1.0),
    "coherence": lambda u: diffusion.tensor_diffusion(u, 0.1, rho=1.0, boundary="periodic"),
    "porous": lambda u: diffusion.porous_medium(u, 0.5, steps=2),
    "reaction": lambda u: diffusion.reaction_diffusion(u, 0.5, lambda u: u * (1 - u), steps=2),
}


@pytest.mark.parametrize("name", CALLS)
def test_libraries_agree(xp, name):
    values = image((5, 6))
    u = make(xp, values, dtype="float32")
    # Compiled as a whole JAX is done sooner than one operation after the other.
    result = (pytest.importorskip("jax").jit(CALLS[name]) if name_of(xp) == "jax" else CALLS[name])(u)
    assert_same_home(result, u)
    assert_close(result, CALLS[name](values), tolerance=256 * EPS["float32"] * abs(values).max())


def test_dtypes_copies_and_empty_arrays(xp):
    u = make(xp, np.arange(30).reshape(5, 6), dtype="uint8")
    assert_same_home(diffusion.perona_malik(u, 0.5, contrast=1.0), u, dtype="float32")
    if name_of(xp) != "array_api_strict":
        half = make(xp, image((5, 6)), dtype="float16")
        assert_same_home(diffusion.perona_malik(half, 0.5, contrast=1.0), half)
    u = make(xp, image((5, 6)))
    for call in (
        diffusion.perona_malik(u, 0),
        diffusion.tensor_diffusion(u, 0),
        diffusion.porous_medium(u, 0),
        diffusion.reaction_diffusion(u, 0, lambda u: u, steps=1),
    ):
        assert_close(call, to_numpy(u), tolerance=0)
        if name_of(xp) in ("numpy", "torch"):
            call[0, 0] = 100.0
            assert to_numpy(u)[0, 0] != 100.0
    empty = make(xp, np.zeros((0, 3)))
    assert diffusion.perona_malik(empty, 1.0).shape == (0, 3)
    assert diffusion.tensor_diffusion(empty, 1.0).shape == (0, 3)


def test_arrays_in_any_layout_and_one_cell():
    u = image((8, 10))
    u.flags.writeable = False
    turned = u[::2, ::-1].T
    for call in CALLS.values():
        assert_close(call(turned), call(turned.copy()), tolerance=1e-14)
        assert call(image((1, 4))).shape == (1, 4)


@pytest.mark.parametrize("name", CALLS)
def test_gradients_through_torch(name):
    torch = pytest.importorskip("torch")
    u = torch.from_numpy(image((5, 6))).requires_grad_()
    assert torch.autograd.gradcheck(CALLS[name], (u,), fast_mode=True, atol=1e-4)


def test_a_contrast_may_be_learned():
    torch = pytest.importorskip("torch")
    u = torch.from_numpy(image((5, 6)))
    contrast = torch.tensor(1.2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: diffusion.perona_malik(u, 0.6, contrast=c), (contrast,))


@pytest.mark.parametrize("name", ["explicit", "aos", "edge"])
def test_jax_differentiates_what_it_compiled(name):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    u, v = image((5, 6)), image((5, 6), 1)
    slope = jax.jit(jax.grad(lambda u: (CALLS[name](u) ** 2).sum()))(u)
    step = 1e-6
    expected = ((CALLS[name](u + step * v) ** 2).sum() - (CALLS[name](u - step * v) ** 2).sum()) / (2 * step)
    assert float((slope * v).sum()) == pytest.approx(float(expected), rel=1e-6)


def test_single_precision_jax(run_python):
    pytest.importorskip("jax")
    code = """
import jax.numpy as jnp
from gpuconv import diffusion
u = jnp.ones((4, 5))
for later in (diffusion.perona_malik(u, 0.2), diffusion.porous_medium(u, 1.0, steps=1)):
    print(later.dtype, bool(abs(later - 1).max() < 1e-5))
"""
    assert run_python(code) == "float32 True\n" * 2


def test_dask_stays_lazy():
    da = pytest.importorskip("dask.array")

    def compute(block):
        assert not block.size
        return block

    u = da.map_blocks(compute, da.ones((6, 6), chunks=(3, 6)), dtype=float, meta=np.empty((0, 0)))
    for name, call in CALLS.items():
        assert call(u).chunks == u.chunks, name


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda u: diffusion.perona_malik(u, -1), ValueError, "time must not be negative"),
        (lambda u: diffusion.perona_malik(u, 1, contrast=0), ValueError, "contrast must be positive"),
        (lambda u: diffusion.perona_malik(u, 1, contrast=-1), ValueError, "contrast must not be negative"),
        (lambda u: diffusion.perona_malik(u, 1, contrast=np.ones(2)), TypeError, "contrast must be a real number"),
        (lambda u: diffusion.perona_malik(u, 1, conductance="g"), ValueError, "conductance must be one of"),
        (lambda u: diffusion.perona_malik(u, 1, scheme="implicit"), ValueError, "scheme must be one of"),
        (lambda u: diffusion.perona_malik(u, 1, scheme="explicit", steps=2), ValueError, "Take at least 4 steps"),
        (lambda u: diffusion.perona_malik(u, 1e9, scheme="explicit"), ValueError, "at most 1000000 steps"),
        (lambda u: diffusion.perona_malik(u, 1, steps=1.5), TypeError, "steps must be an integer"),
        (
            lambda u: diffusion.perona_malik(u, 1, boundary="fixed"),
            ValueError,
            "nonlinear diffusion has the boundaries",
        ),
        (lambda u: diffusion.perona_malik(u, 1, channel_axis=0, axes=(0, 1)), ValueError, "axis of channels cannot"),
        (lambda u: diffusion.perona_malik(u, 1, axes=()), ValueError, "diffusion needs at least one axis"),
        (lambda u: diffusion.perona_malik(u > 0, 1), TypeError, "u must be numbers: its dtype is bool"),
        (lambda u: diffusion.tensor_diffusion(u, 1, axes=0), ValueError, "tensor diffusion is for two axes"),
        (lambda u: diffusion.tensor_diffusion(u * 1j, 1), TypeError, "tensor diffusion needs a real u"),
        (lambda u: diffusion.tensor_diffusion(u, 1, kind="line"), ValueError, "kind must be one of"),
        (lambda u: diffusion.porous_medium(u, 1, exponent=0.5), ValueError, "exponent must be at least 1"),
        (lambda u: diffusion.porous_medium(u * 1j, 1), TypeError, "a density must be real"),
        (lambda u: diffusion.reaction_diffusion(u, 1, 3.0, steps=1), TypeError, "reaction must be a function"),
        (lambda u: diffusion.reaction_diffusion(u, 1, lambda u: u[0], steps=1), ValueError, "returns an array like u"),
        (
            lambda u: diffusion.reaction_diffusion(u, 1, lambda u: u, steps=1, channel_axis=0, diffusivity=(1, 2)),
            ValueError,
            "diffusivity needs one entry",
        ),
    ],
)
def test_what_cannot_be_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(np.ones((3, 4)))
