"""The Fourier domain on every array library: the same numbers, at home, lazily, differentiably, under jit and vmap."""

from __future__ import annotations

import numpy as np
import pytest

from gpuconv import spectral
from tests.assertions import assert_close, assert_same_home, tolerance
from tests.cases import draw
from tests.libraries import has_dtype, library_of, make, name_of, to_numpy

NOTCH = spectral.notch((0.2, 0.3), 0.1)
IDEAL = spectral.bandstop(0.1, 0.15, "ideal")
KERNEL = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 0.25]])
# Each on the last two axes, or the last one.
ALL = {
    "apply": lambda x: spectral.apply(x, spectral.lowpass(0.2) * IDEAL, axes=(-2, -1)),
    "apply, reflect": lambda x: spectral.apply(x, spectral.highpass(0.2), axes=(-2, -1), boundary="reflect"),
    "apply, mixed": lambda x: spectral.apply(x, NOTCH, axes=(-1, -2), boundary=("constant", "reflect"), cval=2.0),
    "apply, raised cosine": lambda x: spectral.apply(x, spectral.lowpass(0.2, "raised_cosine"), axes=-1),
    "apply, kernel": lambda x: spectral.apply(x, spectral.kernel_transfer(KERNEL), axes=(-2, -1)),
    "power_spectrum": lambda x: spectral.power_spectrum(x, axes=(-2, -1), window="disc"),
    "log_spectrum": lambda x: spectral.log_spectrum(x, axes=(-2, -1), window="hann"),
    "radial_profile": lambda x: spectral.radial_profile(x, axes=(-2, -1)).power,
    "bands": lambda x: spectral.bands(x, 1 / 4000, high=1000.0).power,
    "strongest_stripes": lambda x: sum(spectral.strongest_stripes(x, axes=(-2, -1))),
    "orientation": lambda x: spectral.orientation(x),
    "orientation by tensor": lambda x: spectral.orientation(x, method="tensor", transfer=spectral.lowpass(0.3)),
    "derivative": lambda x: spectral.derivative(x, order=3),
    "gradient": lambda x: spectral.gradient(x, axes=(-2, -1), spacing=(1.0, 2.0)),
    "laplacian": lambda x: spectral.laplacian(x, axes=(-2, -1)),
    "inverse_laplacian": lambda x: spectral.inverse_laplacian(x, axes=(-2, -1)),
    "hilbert": lambda x: spectral.hilbert(x),
    "riesz": lambda x: spectral.riesz(x, axes=(-2, -1)),
    "shift": lambda x: spectral.shift(x, (0.3, -1.7), axes=(-2, -1)),
    "compress": lambda x: spectral.compress(x, 0.2, axes=(-2, -1)).image,
    "compress, disc": lambda x: spectral.compress(x, 0.2, axes=(-2, -1), method="disc").image,
    "compress, dct": lambda x: spectral.compress(x, 0.2, axes=(-2, -1), method="dct").image,
    "compress, blocks": lambda x: spectral.compress(x, 0.2, axes=(-2, -1), method="blocks").psnr,
}


def bound(name, expected, dtype="float32"):
    """Rounding of transforms of some hundred samples; decibels and angles have units of their own."""
    scale = np.abs(expected).max() + (40.0 if name in ("log_spectrum", "compress, blocks") else 1.0)
    return tolerance(dtype, 128, scale)


@pytest.mark.parametrize("name", ALL)
def test_the_same_numbers_at_home(xp, name):
    values = draw((2, 8, 9), "float32", name)
    x = make(xp, values)
    result = ALL[name](x)
    assert_same_home(result, x)
    expected = ALL[name](values.astype(np.float64))
    assert expected.dtype == "float64"
    assert_close(result, expected, tolerance=bound(name, expected))


@pytest.mark.parametrize("name", ["apply, mixed", "apply, kernel", "radial_profile", "orientation by tensor", "riesz"])
def test_complex_arrays(xp, name):
    values = draw((8, 9), "complex64", name)
    x = make(xp, values)
    result = ALL[name](x)
    expected = ALL[name](values.astype(np.complex128))
    assert_same_home(result, x, dtype="complex64" if np.iscomplexobj(expected) else "float32")
    assert_close(result, expected, tolerance=bound(name, expected))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint8", "int32"])
def test_other_dtypes(xp, dtype):
    if not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    x = make(xp, 40 * draw((8, 9), "float32", dtype) ** 2, dtype=dtype)
    exact = to_numpy(x).astype(np.float64)
    wanted = {"uint8": "float32", "int32": "float64"}.get(dtype, dtype)
    for name in ("apply, reflect", "orientation", "power_spectrum"):
        result, expected = ALL[name](x), ALL[name](exact)
        assert_same_home(result, x, dtype=wanted)
        half_a_unit = {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(dtype, 0.0)
        summed = bound(name, exact**2 if "power" in name else exact)
        assert_close(result, expected, tolerance=summed + half_a_unit * np.abs(expected), case=name)


def test_named_tuples_have_the_names_of_what_they_hold():
    x = np.ones((8, 8))
    results = {
        spectral.RadialProfile: (spectral.radial_profile(x), ("frequency", "power", "count")),
        spectral.Bands: (spectral.bands(x, 1 / 4000), ("name", "low", "centre", "high", "power")),
        spectral.Stripes: (spectral.strongest_stripes(x), ("frequency", "angle", "amplitude")),
        spectral.Compressed: (spectral.compress(x), ("image", "ratio", "psnr")),
        spectral.ConvolutionTheorem: (
            spectral.convolution_theorem(x, [[1.0]]),
            ("transform_of_convolution", "product_of_transforms", "difference", "constant"),
        ),
    }
    for kind, (result, names) in results.items():
        assert isinstance(result, kind)
        assert result._fields == names


def test_what_profiles_and_theorems_return_is_at_home(xp):
    x = make(xp, draw((6, 8), "float32", "x"))
    profile = spectral.radial_profile(x)
    assert_same_home(profile.frequency, x)
    assert_same_home(profile.count, x, dtype="int64")
    both = spectral.convolution_theorem(x, make(xp, KERNEL))
    assert_same_home(both.difference, x, dtype="complex64")
    assert_close(both.difference, np.zeros((6, 5), np.complex64), taps=48, scale=40.0)
    frequencies = make(xp, np.linspace(0, 0.5, 5))
    for transfer in (spectral.lowpass(0.2, "raised_cosine"), NOTCH, spectral.kernel_transfer(KERNEL)):
        given = [frequencies] * (transfer.ndim or 1)
        expected = transfer(*[to_numpy(f) for f in given])
        result = transfer(*given)
        assert library_of(result) == library_of(x)
        assert_close(result, expected, taps=16)


@pytest.mark.parametrize("name", ALL)
def test_dask_arrays_stay_lazy(name):
    da = pytest.importorskip("dask.array")

    def compute(block):
        if block.size:
            computed.append(block.shape)
        return block

    computed: list = []
    values = draw((2, 8, 9), "float64", name)
    x = da.map_blocks(compute, da.from_array(values, chunks=(1, 3, 4)), dtype=float, meta=np.empty((0, 0, 0)))
    result = ALL[name](x)
    assert isinstance(result, da.Array)
    assert not computed
    expected = ALL[name](values)
    assert_close(result.compute(scheduler="synchronous"), expected, tolerance=bound(name, expected, "float64"))
    assert computed


@pytest.mark.parametrize("name", ALL)
def test_gradients_of_torch_are_finite_differences(name):
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(draw((4, 5), "float64", name)).requires_grad_()
    assert torch.autograd.gradcheck(ALL[name], (x,))


def test_gradients_of_stripes_are_finite_where_bins_are_empty():
    torch = pytest.importorskip("torch")
    x = torch.cos(torch.pi / 4 * torch.arange(16.0)).repeat(16, 1).requires_grad_()
    stripes = spectral.strongest_stripes(x)
    (stripes.frequency + stripes.angle + stripes.amplitude).backward()
    assert torch.isfinite(x.grad).all()


def test_gradients_of_jax_under_jit_are_finite_differences():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    x, direction = draw((6, 5), "float64", "x"), draw((6, 5), "float64", "direction")
    for name in ("apply, mixed", "apply, reflect", "orientation by tensor", "riesz", "compress, disc"):
        weights = draw(ALL[name](x).shape, "float64", name)

        def loss(x, name=name, weights=weights):
            return (ALL[name](x) * weights).sum()

        slope = float((jax.jit(jax.grad(loss))(x) * direction).sum())
        step = 1e-5
        expected = float((loss(x + step * direction) - loss(x - step * direction)) / (2 * step))
        assert_close(slope, expected, tolerance=1e-6 * max(1.0, abs(expected)), case=name)


@pytest.mark.parametrize("name", ["apply, mixed", "strongest_stripes", "radial_profile", "compress", "derivative"])
def test_jit_and_vmap(name):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    photos = draw((2, 8, 9), "float64", name)
    result = jax.jit(jax.vmap(ALL[name]))(photos)
    expected = np.stack([ALL[name](photo) for photo in photos])
    assert_close(result, expected, tolerance=bound(name, expected, "float64"))


@pytest.mark.parametrize("name", ["apply, mixed", "orientation", "compress", "gradient"])
def test_the_vmap_of_torch(name):
    torch = pytest.importorskip("torch")
    photos = draw((2, 8, 9), "float64", name)
    result = torch.func.vmap(ALL[name])(torch.from_numpy(photos))
    expected = np.stack([ALL[name](photo) for photo in photos])
    assert_close(result, expected, tolerance=bound(name, expected, "float64"))


@pytest.mark.parametrize("name", ALL)
def test_layouts_make_no_difference_and_nothing_is_written(name):
    x = draw((2, 8, 9), "float32", name)
    expected = ALL[name](x)
    strided = np.repeat(np.asfortranarray(x), 2, axis=2)[:, :, ::2]
    backwards = np.flip(np.flip(x).copy())
    for given in (strided, backwards):
        given.flags.writeable = False
        assert_close(ALL[name](given), expected, tolerance=bound(name, expected))
        assert given.tolist() == x.tolist()


@pytest.mark.parametrize("unit", [1e-20, 3e22])
def test_the_unit_of_length_makes_no_difference_in_single_precision(xp, unit):
    """Squares of these are beyond float32; a megaparsec is 3e22 metres."""
    x = make(xp, np.cos(np.pi / 4 * np.arange(16, dtype=np.float32))[:, None] * np.ones((16, 16), np.float32))
    near, far = {"spacing": 1.0}, {"spacing": unit}
    assert_close(spectral.riesz(x, **far), to_numpy(spectral.riesz(x, **near)), taps=16)
    for method in ("moments", "tensor"):
        assert_close(spectral.orientation(x, method=method, **far), np.float32(np.pi / 2), taps=16)
    frequency = to_numpy(spectral.strongest_stripes(x, **far).frequency)
    assert_close(np.float32(float(frequency) * unit), np.float32(0.125), taps=16)
    strength = 1.0 / unit
    solution = to_numpy(spectral.inverse_laplacian(x * strength, **far)).astype(float) / (strength * unit**2)
    expected = to_numpy(spectral.inverse_laplacian(x, **near)).astype(float)
    assert_close(solution, expected, tolerance=tolerance("float32", 64, np.abs(expected).max()))


def test_kernels_that_do_not_exist_yet_are_refused():
    jax = pytest.importorskip("jax")
    with pytest.raises(TypeError, match="a transfer function needs a kernel whose values exist: it is traced"):
        jax.jit(lambda kernel: spectral.apply(np.ones(4), spectral.kernel_transfer(kernel)))(np.ones(3))


def test_single_precision_without_double_in_jax(run_python):
    pytest.importorskip("jax")
    code = """
import jax.numpy as jnp
from gpuconv import spectral
x = jnp.arange(48.0).reshape(6, 8)
transfer = spectral.lowpass(0.2) * spectral.kernel_transfer([[1.0, 2.0]])
print(spectral.apply(x, transfer, boundary=("reflect", "constant")).dtype)
print(spectral.derivative(x).dtype, spectral.orientation(x).dtype, spectral.strongest_stripes(x).angle.dtype)
print(spectral.radial_profile(x).count.dtype, spectral.compress(x, 0.5, method="dct").image.dtype)
try:
    spectral.shift(jnp.arange(4), 0.5)
except TypeError as error:
    print(error)
"""
    lines = run_python(code).splitlines()
    assert lines[:3] == ["float32", "float32 float32 float32", "int32 float32"]
    assert "gives float64, which JAX computes only with 64-bit types enabled" in lines[3]
