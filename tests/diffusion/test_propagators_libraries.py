"""Exact diffusion in every library: dtypes, copies, laziness, gradients, compilation."""

import numpy as np
import pytest

from gpuconv import diffusion
from gpuconv.diffusion import Grid
from tests.assertions import EPS, assert_close, assert_same_home
from tests.libraries import make, name_of, to_numpy


def cells(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


CALLS = {
    "kernel": lambda u, t=0.3: diffusion.diffuse(u, t, method="kernel"),
    "transform": lambda u, t=0.3: diffusion.diffuse(u, t, boundary=["periodic", "fixed"], method="transform"),
    "cosine": lambda u, t=0.3: diffusion.diffuse(u, t, decay=0.2, method="transform"),
    "matrix": lambda u, t=0.3: diffusion.diffuse(u, t, boundary=[("no-flux", "fixed"), ("robin", 1, 2)]),
    "driven": lambda u, t=0.3: diffusion.diffuse(u, t, boundary=["periodic", ("fixed", 2.0)], decay=0.2),
    "tensor": lambda u, t=0.3: diffusion.diffuse(u, t, diffusivity=[[1, 0.5], [0.5, 1]], boundary="wrap"),
    "wind": lambda u, t=0.3: diffusion.diffuse(u, t, velocity=(1, 2), boundary="wrap", symbol="continuous"),
    "cylinder": lambda u, t=0.3: diffusion.diffuse(u, t, grid=Grid.cylindrical((4, 5))),
}


@pytest.mark.parametrize("name", CALLS)
def test_libraries_agree(xp, name):
    values = cells((4, 5))
    u = make(xp, values, dtype="float32")
    result = CALLS[name](u)
    assert_same_home(result, u)
    assert_close(result, CALLS[name](values), tolerance=32 * EPS["float32"] * abs(values).max())


@pytest.mark.parametrize("name", ["kernel", "cosine", "driven"])
@pytest.mark.parametrize(
    ("dtype", "expected_dtype"), [("complex64", "complex64"), ("uint8", "float32"), ("float16",) * 2]
)
def test_dtypes_are_those_of_a_convolution(xp, name, dtype, expected_dtype):
    if name_of(xp) == "array_api_strict" and dtype == "float16":
        pytest.skip("array_api_strict has no float16")
    values = np.round(8 * np.abs(cells((4, 5)))) * (1 - 1j if dtype == "complex64" else 1)
    u = make(xp, values, dtype=dtype)
    result = CALLS[name](u)
    assert_same_home(result, u, dtype=expected_dtype)
    scale = (1 if dtype == "float16" else 32) * abs(values).max()
    assert_close(result, CALLS[name](values), tolerance=EPS[expected_dtype] * scale)


def test_time_zero_is_a_copy_bit_by_bit(xp):
    values = np.array([[-0.0, np.nan, 1e-310], [np.inf, 3.0, -2.0]])
    u = make(xp, values)
    result = diffusion.diffuse(u, 0.0, boundary=("fixed", 3.0), decay=1.0)
    assert_same_home(result, u)
    assert to_numpy(result).tobytes() == values.tobytes()
    if name_of(xp) in ("numpy", "torch"):
        u[0, 0] = 5.0
        assert to_numpy(result).tobytes() == values.tobytes()


def test_arrays_in_any_layout_and_without_samples(xp):
    assert diffusion.diffuse(make(xp, np.zeros((0, 3))), 1.0).shape == (0, 3)
    u = cells((6, 8))
    u.flags.writeable = False
    assert_close(diffusion.diffuse(u[::2, ::-1].T, 0.4), diffusion.diffuse(u[::2, ::-1].T.copy(), 0.4))
    for boundary in (("fixed", 9.0), ("robin", 1, 2, 3.0)):
        assert diffusion.diffuse(make(xp, np.zeros((3, 0))), 1.0, boundary=boundary).shape == (3, 0)


@pytest.mark.parametrize("name", CALLS)
def test_gradients_of_torch_are_finite_differences(name):
    torch = pytest.importorskip("torch")
    u = torch.from_numpy(cells((4, 5))).requires_grad_()
    time = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(CALLS[name], (u,) if name == "kernel" else (u, time), fast_mode=True)


@pytest.mark.parametrize("name", CALLS)
def test_jax_compiles_and_differentiates(name):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    u, v = cells((4, 5)), cells((4, 5), seed=1)
    assert_close(jax.jit(CALLS[name])(u), CALLS[name](u), tolerance=1e-14)
    if name == "kernel":
        with pytest.raises(ValueError, match="method='kernel' cannot solve this: time or diffusivity cannot be read"):
            jax.jit(CALLS[name])(u, 0.3)
        return
    slope = jax.jit(jax.grad(lambda t: (CALLS[name](jax.numpy.asarray(u), t) * v).sum()))(0.3)
    step = 1e-5
    expected = ((CALLS[name](u, 0.3 + step) - CALLS[name](u, 0.3 - step)) * v).sum() / (2 * step)
    assert float(slope) == pytest.approx(float(expected), rel=1e-7, abs=1e-7)


def test_a_decay_that_is_zero_may_be_learned():
    """Where nothing decays, the formula of a source is a limit, and so is its slope."""
    torch = pytest.importorskip("torch")
    u = torch.from_numpy(cells((4, 5)))
    rate = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda rate: diffusion.diffuse(u, 0.7, decay=rate, source=3.0), (rate,))


@pytest.mark.parametrize("name", CALLS)
def test_torch_maps_over_batches(name):
    torch = pytest.importorskip("torch")
    u = torch.from_numpy(cells((2, 4, 5)))
    expected = np.stack([CALLS[name](one.numpy()) for one in u])
    assert_close(torch.func.vmap(CALLS[name])(u), expected, tolerance=1e-14)


@pytest.mark.parametrize("boundary", ["no-flux", [("fixed", 1.0), "periodic"]])
def test_diffusivities_per_axis_may_be_learned(boundary):
    torch = pytest.importorskip("torch")
    u = torch.from_numpy(cells((4, 5)))
    rates = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)

    def run(rates):
        return diffusion.diffuse(u, 0.3, diffusivity=rates, boundary=boundary)

    assert torch.autograd.gradcheck(run, (rates,), fast_mode=True)
    assert_close(run(rates), run((0.5, 2.0)))
    assert_close(run([rates[0], rates[1]]), run((0.5, 2.0)))


def test_single_precision_jax(run_python):
    pytest.importorskip("jax")
    code = """
import jax, jax.numpy as jnp
from gpuconv import diffusion
u = jnp.ones((4, 5))
solve = lambda u, t: diffusion.diffuse(u, t, boundary=[("fixed", 1.0), "periodic"])
compiled = jax.jit(solve)(u, 0.5)
print(solve(u, 0.5).dtype, bool(abs(compiled - 1).max() < 1e-6), diffusion.diffuse(u, 2.0, method="kernel").dtype)
"""
    assert run_python(code) == "float32 True float32\n"


def test_dask_arrays_stay_lazy_and_in_chunks():
    da = pytest.importorskip("dask.array")

    def compute(block):
        if block.size:
            computed.append(block.shape)
        return block

    computed: list = []
    values = cells((60, 50))
    u = da.map_blocks(compute, da.from_array(values, chunks=(30, 50)), dtype=values.dtype, meta=np.empty((0, 0)))
    plan = diffusion.plan_diffusion(u, 0.2)
    assert plan.axes[0].reason == "23 taps fit into the chunks, which a cosine transform would join"
    results = [diffusion.diffuse(u, 0.2), diffusion.diffuse(u, 9.0, boundary=[("fixed", 1.0), "periodic"])]
    assert not computed
    assert results[0].chunks == u.chunks
    assert_close(results[0].compute(scheduler="synchronous"), diffusion.diffuse(values, 0.2), tolerance=1e-14)
    expected = diffusion.diffuse(values, 9.0, boundary=[("fixed", 1.0), "periodic"])
    assert_close(results[1].compute(scheduler="synchronous"), expected, tolerance=1e-13)
