"""Derivatives through torch and JAX, batching by vmap, tracing by jit."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from gpuconv import diffusion, filters, ndimage, signal
from tests import reference
from tests.cases import BOUNDARIES, MODES, draw
from tests.libraries import open_library, to_numpy, why_absent

needs_torch = pytest.mark.skipif(why_absent("torch") is not None, reason="torch is not installed")
needs_jax = pytest.mark.skipif(why_absent("jax") is not None, reason="jax is not installed")
METHODS = ("direct", "fft", "overlap")


@pytest.fixture
def torch():
    return open_library("torch") and pytest.importorskip("torch")


@pytest.fixture
def jax():
    return open_library("jax") and pytest.importorskip("jax")


def tensor(torch, values, gradient=True):
    return torch.from_numpy(np.array(values)).requires_grad_(gradient)


@needs_torch
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("method", ["direct", "fft"])
def test_torch_differentiates_by_image_and_kernel(torch, method, boundary, mode):
    """Against finite differences in double precision."""
    x, kernel = tensor(torch, draw((3, 4), "float64", "x")), tensor(torch, draw((2, 3), "float64", "kernel"))

    def function(a, b):
        return gpuconv.convolve(a, b, method=method, boundary=boundary, mode=mode)

    assert torch.autograd.gradcheck(function, (x, kernel), fast_mode=True)


WITHOUT_SAMPLES = {
    "convolve": ((0, 5, 6), lambda x: gpuconv.convolve(x, np.ones((3, 3)), axes=(1, 2))),
    "convolve, direct": ((0, 5, 6), lambda x: gpuconv.convolve(x, [[1.0, 1j]], axes=(1, 2), method="direct")),
    "convolve, full": ((0, 4), lambda x: gpuconv.convolve(x, np.ones(3), axes=1, mode="full")),
    "valid of one axis, none of another": ((2, 0), lambda x: gpuconv.correlate(x, np.ones(2), axes=0, mode="valid")),
    "separable": ((0, 5, 6), lambda x: gpuconv.convolve_separable(x, [[1, 2]] * 2, axes=(1, 2))),
    "adjoint": ((0, 4), lambda y: gpuconv.convolve_adjoint(y, [1.0, 2.0], shape=(0, 4), axes=1)),
    "banks": ((0, 5, 6), lambda x: filters.structure_tensor(x, 1.0, axes=(1, 2))),
    "gaussian": ((0, 5, 6), lambda x: filters.gaussian(x, 1.0, axes=(1, 2))),
    "variance": ((0, 5, 6), lambda x: filters.local_variance(x, 3, axes=(1, 2))),
    "ndimage": ((0, 5), lambda x: ndimage.convolve1d(x, np.ones(3))),
    "signal": ((0, 5), lambda x: signal.fftconvolve(x, np.ones((1, 3)), axes=1)),
    "resampled": ((0, 5), lambda x: signal.upfirdn([1.0, 2.0], x, 2)),
    "diffusion": ((0, 5, 6), lambda x: diffusion.diffuse(x, 1.0, axes=(1, 2))),
}


@needs_torch
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("name", WITHOUT_SAMPLES)
def test_results_without_samples_are_differentiated_by_torch(torch, name, dtype):
    """A batch of no images is a batch: training goes on, with gradients of zeros."""
    shape, function = WITHOUT_SAMPLES[name]
    if dtype == "complex128" and name in ("banks", "variance"):
        pytest.skip("of real images only")
    x = torch.zeros(shape, dtype=getattr(torch, dtype), requires_grad=True)
    result = function(x)
    assert 0 in result.shape
    (slope,) = torch.autograd.grad(result.real.sum(), x)
    assert slope.shape == x.shape
    assert slope.dtype == x.dtype


@needs_torch
@pytest.mark.parametrize("method", ["auto", "direct", "fft"])
def test_kernels_of_results_without_samples_have_gradients_of_zeros(torch, method):
    x, kernel = torch.zeros((0, 5, 6)), torch.ones((3, 2), requires_grad=True)
    result = gpuconv.convolve(x, kernel, axes=(1, 2), method=method)
    (slope,) = torch.autograd.grad(result.sum(), kernel)
    assert slope.tolist() == [[0.0, 0.0]] * 3
    with torch.no_grad():
        assert not gpuconv.convolve(x, kernel, axes=(1, 2), method=method).requires_grad
    assert not gpuconv.convolve(x, kernel.detach(), axes=(1, 2), method=method).requires_grad


@needs_torch
@pytest.mark.parametrize("method", METHODS)
def test_torch_differentiates_complex_and_twice(torch, method):
    x, kernel = tensor(torch, draw((5,), "complex128", "x")), tensor(torch, draw((3,), "complex128", "kernel"))

    def function(a, b):
        return gpuconv.convolve(a, b, method=method, boundary="reflect")

    assert torch.autograd.gradcheck(function, (x, kernel), fast_mode=True)
    real = tensor(torch, draw((5,), "float64", "x"))
    assert torch.autograd.gradcheck(function, (real, kernel), fast_mode=True)
    taps = tensor(torch, draw((3,), "float64", "kernel"))
    assert torch.autograd.gradgradcheck(function, (real, taps), fast_mode=True)


@needs_torch
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_gradient_is_the_adjoint(torch, boundary):
    """Of any loss, applied to the gradient by the output; for reaches beyond the axis, too."""
    for shape, taps in (((6, 5), (3, 4)), ((2, 3), (7, 5))):
        x, kernel = draw(shape, "float64", "x"), draw(taps, "float64", "kernel")
        image = tensor(torch, x)
        y = gpuconv.convolve(image, kernel, boundary=boundary, origin=(1, 0))
        weights = draw(tuple(y.shape), "float64", "weights")
        (y * torch.from_numpy(weights)).sum().backward()
        expected = gpuconv.convolve_adjoint(weights, kernel, shape=shape, boundary=boundary, origin=(1, 0))
        np.testing.assert_allclose(to_numpy(image.grad), expected, rtol=0, atol=1e-13)


@needs_torch
def test_separable_and_adjoint_differentiate(torch):
    x, taps = tensor(torch, draw((4, 5), "float64", "x")), tensor(torch, draw((3,), "float64", "taps"))

    def separable(a, b):
        return gpuconv.convolve_separable(a, [b, b * 2], boundary="mirror")

    assert torch.autograd.gradcheck(separable, (x, taps), fast_mode=True)

    def adjoint(a, b):
        return gpuconv.convolve_adjoint(a, b, shape=(4, 5), axes=(1,), boundary="wrap")

    assert torch.autograd.gradcheck(adjoint, (x, taps), fast_mode=True)


@needs_torch
def test_precision_is_kept_through_the_gradient(torch):
    """A float64 kernel does not widen a float32 image; each gradient has the dtype of what it is the gradient of."""
    x, kernel = tensor(torch, np.ones(5, np.float32)), tensor(torch, np.ones(3))
    y = gpuconv.convolve(x, kernel)
    assert y.dtype == torch.float32
    y.sum().backward()
    assert x.grad.dtype == torch.float32
    assert kernel.grad.dtype == torch.float64
    assert kernel.grad.tolist() == [4, 5, 4]


@needs_torch
def test_no_gradient_is_recorded_where_none_is_asked_for(torch):
    x, kernel = tensor(torch, np.ones(5), gradient=False), tensor(torch, np.ones(3))
    assert not gpuconv.convolve(x, kernel.detach()).requires_grad
    with torch.no_grad():
        assert not gpuconv.convolve(x, kernel).requires_grad
    assert gpuconv.convolve(x, kernel).requires_grad


@needs_torch
@pytest.mark.parametrize("method", ["direct", "fft"])
def test_a_bad_sample_does_not_spoil_the_gradient_of_others(torch, method):
    values = np.ones(12)
    values[3] = np.nan
    x, kernel = tensor(torch, values), np.array([1.0, 2.0, 3.0])
    y = gpuconv.convolve(x, kernel, method=method)
    y[torch.isfinite(y)].sum().backward()
    gradient = to_numpy(x.grad)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[6:11], 6, rtol=1e-12)


@needs_torch
@pytest.mark.parametrize("method", ["auto", *METHODS])
def test_torch_vmap_is_a_loop(torch, method):
    images, kernels = draw((3, 5, 4), "float64", "x"), draw((3, 2, 3), "float64", "kernels")
    images[1, 2, 2] = np.nan
    x, k = torch.from_numpy(images), torch.from_numpy(kernels)
    options = {"method": method, "boundary": "mirror"}
    expected = np.stack([reference.convolve(images[i], kernels[i], boundary="mirror") for i in range(3)])
    both = torch.func.vmap(lambda a, b: gpuconv.convolve(a, b, **options))(x, k)
    np.testing.assert_allclose(to_numpy(both), expected, rtol=0, atol=1e-12)
    over_images = torch.func.vmap(lambda a: gpuconv.convolve(a, kernels[0], **options))(x)
    np.testing.assert_allclose(to_numpy(over_images)[0], expected[0], rtol=0, atol=1e-12)
    over_kernels = torch.func.vmap(lambda b: gpuconv.convolve(x[0], b, **options))(k)
    np.testing.assert_allclose(to_numpy(over_kernels)[0], expected[0], rtol=0, atol=1e-12)


@needs_torch
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("method", ["direct", "fft"])
def test_torch_jacobians_are_the_matrix(torch, method):
    x, kernel = draw((5,), "float64", "x"), draw((3,), "float64", "kernel")

    def function(a):
        return gpuconv.convolve(a, kernel, boundary="reflect", method=method)

    matrix = np.stack([reference.convolve(unit, kernel, boundary="reflect") for unit in np.eye(5)], axis=1)
    for jacobian in (torch.func.jacrev, torch.func.jacfwd):
        np.testing.assert_allclose(to_numpy(jacobian(function)(torch.from_numpy(x))), matrix, rtol=0, atol=1e-13)
    by_kernel = torch.func.jacfwd(lambda b: gpuconv.convolve(torch.from_numpy(x), b, boundary="reflect", method=method))
    matrix = np.stack([reference.convolve(x, unit, boundary="reflect") for unit in np.eye(3)], axis=1)
    np.testing.assert_allclose(to_numpy(by_kernel(torch.from_numpy(kernel))), matrix, rtol=0, atol=1e-13)


two_methods = pytest.mark.parametrize(("method", "mode"), [("direct", "same"), ("fft", "full")])


@needs_jax
@two_methods
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_jit_gives_what_eager_gives(jax, boundary, method, mode):
    x, kernel = draw((4, 5), "float64", "x"), draw((2, 3), "float64", "kernel")
    options = {"boundary": boundary, "mode": mode, "cval": 1.5}
    result = jax.jit(lambda a, b: gpuconv.convolve(a, b, method=method, **options))(x, kernel)
    expected = reference.convolve(x, kernel, **options)
    np.testing.assert_allclose(np.asarray(result), expected, rtol=0, atol=1e-12)


@needs_jax
@pytest.mark.parametrize("method", ["auto", "separable"])
@pytest.mark.parametrize("given", [np.array, np.ndarray.tolist, "jax"], ids=["numpy", "list", "jax"])
def test_jit_closes_over_kernels_of_any_kind(jax, given, method):
    x, values = draw((4, 5), "float64", "x"), np.outer([1.0, 2.0], [1.0, 0.0, 3.0])
    kernel = jax.numpy.asarray(values) if given == "jax" else given(values)
    result = jax.jit(lambda a: gpuconv.convolve(a, kernel, method=method))(x)
    np.testing.assert_allclose(np.asarray(result), reference.convolve(x, values), rtol=0, atol=1e-12)


@needs_jax
def test_a_traced_kernel_has_no_rank(jax):
    x, kernel = np.ones((4, 5)), np.ones((2, 3))
    with pytest.raises(ValueError, match="method='separable' cannot run .*the kernel is traced: its values cannot be"):
        jax.jit(lambda a, b: gpuconv.convolve(a, b, method="separable"))(x, kernel)


@needs_jax
def test_jit_of_integers_is_exact_and_refuses_transforms(jax):
    x, kernel = draw((6,), "int32", "x"), draw((3,), "int16", "kernel")
    result = jax.jit(lambda a, b: gpuconv.convolve(a, b, boundary="wrap"))(x, kernel)
    assert result.dtype == np.int64
    assert result.tolist() == reference.convolve(x, kernel, boundary="wrap").tolist()
    with pytest.raises(ValueError, match="integers must be exact"):
        jax.jit(lambda a, b: gpuconv.convolve(a, b, method="fft"))(x, kernel)


@needs_jax
@pytest.mark.parametrize("method", METHODS)
def test_bad_samples_stay_in_the_footprint_under_jit(jax, method):
    x, kernel = draw((20,), "float32", "x"), np.array([1.0, 0.0, 2.0])
    x[[7, 15]] = np.nan, np.inf
    for function, arguments in (
        (lambda a: gpuconv.convolve(a, kernel, method=method), (x,)),
        (lambda a, b: gpuconv.convolve(a, b, method=method), (x, kernel)),
    ):
        result = np.asarray(jax.jit(function)(*arguments))
        bad = np.flatnonzero(~np.isfinite(result))
        assert {6, 8, 14, 16} <= set(bad.tolist()) <= {6, 7, 8, 14, 15, 16}


@needs_jax
@pytest.mark.parametrize("method", ["fft", "overlap"])
def test_large_finite_samples_stay_finite_under_jit(jax, method):
    x = np.full(64, 3e38, np.float32)
    result = np.asarray(jax.jit(lambda a: gpuconv.convolve(a, np.full(3, 0.1), method=method))(x))
    np.testing.assert_allclose(result[1:-1], 9e37, rtol=1e-5)


@needs_jax
@two_methods
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_jax_gradients_are_adjoints(jax, boundary, method, mode):
    x, kernel = draw((4, 3), "float64", "x"), draw((2, 5), "float64", "kernel")
    options = {"boundary": boundary, "mode": mode}
    weights = draw(reference.output_shape(x.shape, kernel.shape, mode=mode), "float64", "weights")

    def loss(a, b):
        return (gpuconv.convolve(a, b, method=method, **options) * weights).sum()

    by_image, by_kernel = jax.jit(jax.grad(loss, argnums=(0, 1)))(x, kernel)
    expected = reference.adjoint(weights, kernel, shape=x.shape, **options)
    np.testing.assert_allclose(np.asarray(by_image), expected, rtol=0, atol=1e-12)
    units = np.eye(kernel.size).reshape(-1, *kernel.shape)
    expected = [(reference.convolve(x, unit, **options) * weights).sum() for unit in units]
    np.testing.assert_allclose(np.asarray(by_kernel).ravel(), expected, rtol=0, atol=1e-12)


@needs_jax
@pytest.mark.parametrize("method", METHODS)
def test_jax_gradients_by_the_kernel_of_an_image_that_is_not_traced(jax, method):
    """The image is there to be looked at, the result is not."""
    x = draw((30,), "float64", "x")
    gradient = jax.grad(lambda b: gpuconv.convolve(jax.numpy.asarray(x), b, method=method)[4])(np.ones(3))
    np.testing.assert_allclose(np.asarray(gradient), x[[5, 4, 3]], rtol=0, atol=1e-12)


@needs_jax
@pytest.mark.parametrize("method", ["auto", "direct", "fft"])
def test_jax_vmap_is_a_loop(jax, method):
    images, kernels = draw((3, 5, 4), "float64", "x"), draw((3, 2, 3), "float64", "kernels")
    images[1, 2, 2] = np.nan
    expected = np.stack([reference.convolve(images[i], kernels[i], boundary="mirror") for i in range(3)])

    def function(a, b):
        return gpuconv.convolve(a, b, method=method, boundary="mirror")

    both = jax.vmap(function)(images, kernels)
    np.testing.assert_allclose(np.asarray(both), expected, rtol=0, atol=1e-12)
    over_kernels = jax.vmap(function, in_axes=(None, 0))(jax.numpy.asarray(images[0]), kernels)
    np.testing.assert_allclose(np.asarray(over_kernels)[0], expected[0], rtol=0, atol=1e-12)


@needs_jax
def test_plans_are_printed_under_jit(jax):
    printed = []

    def function(a, b):
        printed.append(str(gpuconv.plan_convolution(a, b)))
        return gpuconv.convolve_separable(a, [b[0], b[1]], cval=1.0)

    jax.jit(function)(np.ones((5, 5)), np.ones((2, 3)))
    assert "traced" in printed[0]


@needs_torch
def test_torch_func_differentiates_beside_a_tensor_that_is_closed_over(torch):
    x, kernel = tensor(torch, draw((5, 6), "float64", "x"), False), tensor(torch, draw((2, 3), "float64", "k"), False)
    gradient = torch.func.grad(lambda a: (gpuconv.convolve(a, kernel) ** 2).sum())(x)
    host = kernel.numpy()
    expected = torch.func.grad(lambda a: (gpuconv.convolve(a, host) ** 2).sum())(x)
    assert torch.allclose(gradient, expected, rtol=1e-12, atol=1e-12)
