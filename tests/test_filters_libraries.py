"""Filters on every array library: the same numbers, at home, lazily, differentiably, under jit and vmap."""

from __future__ import annotations

import numpy as np
import pytest

from gpuconv import filters, kernels
from tests.assertions import assert_close, assert_same_home, tolerance
from tests.cases import draw
from tests.filter_calls import ALL, INTEGER
from tests.libraries import has_dtype, make, name_of, to_numpy

EDGES = {"boundary": ("constant", "mirror"), "cval": 1.5, "axes": (1, 2)}
EXTRA = {"normalized_convolve": {"boundary": ("constant", "mirror"), "axes": (1, 2)}}


def size_of(name, x):
    """What rounding errors are relative to, at most."""
    largest = np.abs(x).max()
    return 16 * (largest**2 if "tensor" in name or "variance" in name else largest)


@pytest.mark.parametrize("name", ALL)
def test_a_filter_gives_the_same_numbers_at_home(xp, name):
    values = draw((2, 7, 8), "float32", name)
    x = make(xp, values)
    edges = EXTRA.get(name, EDGES)
    result = ALL[name](x, **edges)
    assert_same_home(result, x)
    expected = ALL[name](values.astype(np.float64), **edges)
    assert_close(result, expected, tolerance=tolerance("float32", 60, size_of(name, values)))


@pytest.mark.parametrize("name", INTEGER)
def test_integers_stay_exact(xp, name):
    values = draw((6, 7), "int16", name)
    x = make(xp, values)
    result = ALL[name](x, boundary="wrap")
    assert_same_home(result, x, dtype="int64")
    assert to_numpy(result).tolist() == ALL[name](values.astype(object).astype(np.int64), boundary="wrap").tolist()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["gaussian", "gradient_magnitude", "structure_tensor_eigenvalues", "local_variance"])
def test_two_byte_floats_are_rounded_once(xp, name, dtype):
    if not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    x = make(xp, draw((7, 8), "float32", name), dtype=dtype)
    exact = to_numpy(x).astype(np.float64)
    result = ALL[name](x)
    assert_same_home(result, x, dtype=dtype)
    expected = ALL[name](exact)
    half_a_unit = {"float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
    summed = tolerance("float32", 60, size_of(name, exact))
    assert_close(result, expected, tolerance=summed + half_a_unit * (np.abs(expected) + summed) + 2.0**-25)


@pytest.mark.parametrize("name", ALL)
def test_out_of_a_tensor_may_be_the_tensor(name):
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(draw((6, 7), "float64", name))
    expected = ALL[name](x)
    if expected.ndim == 2:
        assert ALL[name](x, out=x) is x
        assert x.tolist() == expected.tolist()
    else:
        out = torch.zeros_like(expected)
        assert ALL[name](x, out=out) is out
        assert out.tolist() == expected.tolist()


@pytest.mark.parametrize("name", ALL)
def test_immutable_arrays_refuse_out_before_any_work(name):
    da = pytest.importorskip("dask.array")
    x = da.from_array(np.ones((4, 5)))
    with pytest.raises(TypeError, match="out= needs an array whose elements can be assigned: dask arrays are"):
        ALL[name](x, out=x)


@pytest.mark.parametrize("name", [*ALL, "missing data"])
def test_dask_arrays_are_filtered_lazily(name):
    da = pytest.importorskip("dask.array")

    def compute(block):
        if block.size:
            computed.append(block.shape)
        return block

    computed: list = []
    values = draw((9, 11), "float64", name)
    x = da.map_blocks(compute, da.from_array(values, chunks=(4, 5)), dtype=values.dtype, meta=np.empty((0, 0)))
    function = ALL.get(name, lambda x: filters.local_variance(x, 4, nan="omit", weights=x > 0))
    result = function(x)
    assert isinstance(result, da.Array)
    assert not computed
    expected = function(values)
    assert_close(
        result.compute(scheduler="synchronous"), expected, tolerance=tolerance("float64", 60, size_of("tensor", values))
    )
    assert computed


def test_variance_of_a_dask_array_keeps_its_chunks():
    """Slices that start anywhere would cut them to crumbs."""
    da = pytest.importorskip("dask.array")
    x = da.zeros((100, 100), chunks=(20, 20))
    assert filters.local_variance(x, 15).numblocks == (5, 5)


GRADIENTS = {
    "gaussian": lambda x: filters.gaussian(x, (1.0, 0.7), order=(0, 1), boundary="mirror"),
    "gradient_magnitude": lambda x: filters.gradient_magnitude(x, 1.0),
    "hessian": lambda x: filters.hessian(x, 1.0, kind="lattice", boundary="constant", cval=0.5),
    "structure_tensor_eigenvalues": lambda x: filters.structure_tensor_eigenvalues(x, 0.8, boundary="wrap"),
    "eigenvalues in 3-D": filters.symmetric_eigenvalues,
    "normalized_convolve": lambda x: filters.normalized_convolve(x, np.ones((3, 3)), nan="omit"),
    "local_variance": lambda x: filters.local_variance(x, (3, 2)),
    "unsharp_mask": lambda x: filters.unsharp_mask(x, 0.8),
    "bank": lambda x: filters.bank(x, [kernels.sobel(), kernels.box()]),
}


def image_of(name):
    """Small images; matrices whose eigenvalues keep away from each other."""
    if name == "eigenvalues in 3-D":
        return np.array([0.0, 0, 0, 10, 0, 30])[:, None] + draw((6, 2), "float64", name)
    return draw((4, 5), "float64", name)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_torch_are_finite_differences(name):
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(image_of(name)).requires_grad_()
    assert torch.autograd.gradcheck(GRADIENTS[name], (x,))


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_jax_are_finite_differences(name):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    x = image_of(name)
    direction = draw(x.shape, "float64", f"direction of {name}")
    weights = draw(GRADIENTS[name](x).shape, "float64", f"weights of {name}")

    def loss(x):
        return (GRADIENTS[name](x) * weights).sum()

    slope = (jax.jit(jax.grad(loss))(x) * direction).sum()
    step = 1e-5
    expected = (loss(x + step * direction) - loss(x - step * direction)) / (2 * step)
    # Third derivatives of the loss times step^2, and rounding of the loss over the step.
    assert_close(float(slope), float(expected), tolerance=1e-6 * max(1.0, abs(float(expected))))


FLAT = {
    "gradient_magnitude": lambda x: filters.gradient_magnitude(x, 1.0),
    "hessian_eigenvalues": lambda x: filters.hessian_eigenvalues(x, 1.0),
    "structure_tensor_eigenvalues": lambda x: filters.structure_tensor_eigenvalues(x, 1.0),
    "eigenvalues in 3-D": filters.symmetric_eigenvalues,
    "local_mean": lambda x: filters.local_mean(x, nan="omit", weights=x > 1),
}


@pytest.mark.parametrize("name", FLAT)
def test_gradients_of_flat_images_are_finite(name):
    """Where slopes vanish and eigenvalues are equal, derivatives do not exist; NaN would spoil a whole training."""
    torch = pytest.importorskip("torch")
    jax = pytest.importorskip("jax")
    for value in (0.0, 1.0):
        x = torch.full((6, 5), value, dtype=torch.float64, requires_grad=True)
        FLAT[name](x).nansum().backward()
        assert torch.isfinite(x.grad).all()
        slopes = jax.grad(lambda x: jax.numpy.nansum(FLAT[name](x)))(np.full((6, 5), value))
        assert np.isfinite(slopes).all()


@pytest.mark.parametrize("name", ALL)
def test_filters_run_under_jit_and_vmap(name):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    photos = draw((3, 6, 7), "float64", name)
    result = jax.jit(jax.vmap(ALL[name]))(photos)
    expected = np.stack([ALL[name](photo) for photo in photos])
    assert_close(result, expected, tolerance=tolerance("float64", 60, size_of(name, photos)))


@pytest.mark.parametrize("name", ALL)
def test_filters_run_under_the_vmap_of_torch(name):
    torch = pytest.importorskip("torch")
    photos = draw((3, 6, 7), "float64", name)
    result = torch.func.vmap(ALL[name])(torch.from_numpy(photos))
    expected = np.stack([ALL[name](photo) for photo in photos])
    assert_close(result, expected, tolerance=tolerance("float64", 60, size_of(name, photos)))


def test_wide_integers_are_refused_where_jax_has_no_double_precision(run_python):
    pytest.importorskip("jax")
    code = """
import jax.numpy as jnp
from gpuconv import filters
x = jnp.ones((4, 5), jnp.uint8)
print(filters.gaussian(x, 1.0).dtype, filters.sobel(x).dtype, filters.gradient_magnitude(x, 1.0).dtype)
for call in (lambda x: filters.sobel(x), lambda x: filters.gradient_magnitude(x, 1.0)):
    try:
        call(jnp.ones((4, 5), jnp.int32))
    except TypeError as error:
        print(error)
"""
    lines = run_python(code).splitlines()
    assert lines[0] == "float32 int32 float32"
    assert "this convolution gives int64, which JAX computes only with 64-bit types enabled" in lines[1]
    assert "this convolution gives float64, which JAX computes only with 64-bit types enabled" in lines[2]
