"""Whole transforms follow their definitions on every library, and every row of every backend agrees with generic's."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import cpu, dask, generic
from gpuconv.methods import transform
from tests.assertions import EPS, assert_close, assert_same_home, tolerance
from tests.cases import draw
from tests.libraries import has_dtype, make, name_of, open_library, to_numpy, why_absent


def fourier_matrix(size):
    k = np.arange(size)
    return np.exp(-2j * np.pi * np.outer(k, k) / size)


def trigonometric_matrix(size, kind):
    """Rows are the orthonormal cosines or sines, in float64 from their formulas."""
    k, n = np.mgrid[:size, :size]
    if kind == "dct":
        rows = np.cos(np.pi * k * (n + 0.5) / size)
    else:
        rows = np.sin(np.pi * (k + 1) * (n + 0.5) / size)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def along(matrix, x, axis):
    return np.moveaxis(np.tensordot(matrix, x, axes=(1, axis)), 0, axis)


def transformed(x, axes, lengths):
    for axis, length in zip(axes, lengths, strict=True):
        x = np.pad(x, [(0, max(length - n, 0)) if at == axis else (0, 0) for at, n in enumerate(x.shape)])
        x = along(fourier_matrix(length), np.take(x, range(length), axis), axis)
    return x if np.iscomplexobj(x) else x.astype(complex)


CASES = [
    ((2, 6, 5), (1, 2), None),
    ((2, 6, 5), (2, 0), None),
    ((4, 7), (1,), (9,)),
    ((7, 6), (0, 1), (5, 8)),
    ((1, 1), (0, 1), None),
]


@pytest.mark.parametrize(("shape", "axes", "lengths"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_the_fourier_transform_follows_its_definition_and_returns(xp, shape, axes, lengths, dtype):
    values = draw(shape, dtype, "x")
    x = make(xp, values)
    spectrum = transform.forward(x, axes, lengths)
    lengths = lengths or tuple(shape[axis] for axis in axes)
    expected = transformed(values.astype(complex), axes, lengths)
    if not np.iscomplexobj(values):
        expected = np.take(expected, range(lengths[-1] // 2 + 1), axes[-1])
    assert_same_home(spectrum, x, dtype="complex64" if dtype in ("float32", "complex64") else "complex128")
    assert_close(spectrum, expected, taps=64, scale=np.abs(values).sum())
    back = transform.inverse(spectrum, axes, lengths, dtype)
    assert_same_home(back, x)
    once = np.zeros([dict(zip(axes, lengths, strict=True)).get(axis, n) for axis, n in enumerate(shape)], dtype)
    kept = tuple(slice(0, min(a, b)) for a, b in zip(once.shape, shape, strict=True))
    once[kept] = values[kept]
    assert_close(back, once, taps=64, scale=np.abs(values).max())


@pytest.mark.parametrize("kind", ["dct", "dst"])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_the_cosine_and_sine_transforms_follow_their_definitions_and_return(xp, kind, dtype):
    for shape, axis in (((1,), 0), ((2, 3), 0), ((2, 8, 3), 1), ((9,), 0)):
        values = draw(shape, dtype, "x")
        x = make(xp, values)
        result = transform.cosine(x, axis, kind)
        assert_same_home(result, x)
        scale = np.abs(values).max() * np.sqrt(shape[axis])
        expected = along(trigonometric_matrix(shape[axis], kind), values, axis)
        assert_close(result, expected, taps=64, scale=scale, case=shape)
        back = transform.cosine(result, axis, kind, inverse=True)
        assert_close(back, values, taps=64, scale=scale, case=shape)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "uint16", "int32"])
def test_other_dtypes_are_transformed_in_floating_point(xp, dtype):
    if not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    x = make(xp, draw((6, 5), "float32", "x") * 8, dtype=dtype)
    exact = to_numpy(x).astype(np.float64)
    precision = "float64" if dtype == "int32" else "float32"
    spectrum = transform.forward(x, (0, 1))
    assert_same_home(spectrum, x, dtype="complex128" if dtype == "int32" else "complex64")
    assert_close(spectrum, transform.forward(exact, (0, 1)), taps=64, scale=np.abs(exact).sum())
    assert_same_home(transform.cosine(x, 0), x, dtype=precision)
    back = transform.inverse(spectrum, (0, 1), (6, 5), dtype if "float" in dtype else precision)
    assert_same_home(back, x, dtype=dtype if "float" in dtype else precision)
    # What two-byte floats hold, rounding once brings back.
    assert_close(back, exact, dtype=precision, taps=64, scale=1.0 if "float" in dtype else np.abs(exact).max())


def test_empty_arrays_have_empty_spectra(xp):
    for shape, axes, size in (((0, 4), (1,), 3), ((3, 0), (1,), 0), ((0, 3), (0, 1), 2)):
        x = make(xp, np.zeros(shape, "float32"))
        spectrum = transform.forward(x, axes)
        assert tuple(spectrum.shape) == (shape[0], size)
        assert_same_home(spectrum, x, dtype="complex64")
        back = transform.inverse(spectrum, axes, [shape[axis] for axis in axes], "float32")
        assert tuple(back.shape) == shape
        assert tuple(transform.cosine(x, 1).shape) == shape
    padded = transform.forward(make(xp, np.zeros((2, 0))), (1,), (4,))
    assert to_numpy(padded).tolist() == [[0.0] * 3] * 2


def runs(table, xp=None):
    """Results of a backend's rows beside those of generic, over dtypes, axes and layouts."""
    for dtype in ("float32", "float64", "complex64", "complex128"):
        values = draw((4, 5, 6), dtype, "x")
        for layout in (values, np.asfortranarray(values), np.flip(values), np.repeat(values, 2, axis=1)[:, ::2]):
            layout.flags.writeable = False
            given = layout if xp is None else make(xp, layout)
            for axes, lengths in (((1,), (5,)), ((2, 0), (6, 4)), ((0, 1, 2), (8, 3, 7))):
                spectrum = generic.TABLE["fourier_forward"].function(layout, axes, lengths)
                beside = spectrum if xp is None else make(xp, spectrum)
                yield table["fourier_forward"].function(given, axes, lengths), spectrum
                yield (
                    table["fourier_inverse"].function(beside, axes, lengths, dtype),
                    generic.TABLE["fourier_inverse"].function(spectrum, axes, lengths, dtype),
                )
            for kind in ("dct", "dst"):
                for options in ((0, kind, False), (2, kind, True)):
                    yield (
                        table["cosine_transform"].function(given, *options),
                        generic.TABLE["cosine_transform"].function(layout, *options),
                    )


@pytest.mark.parametrize("backend", ["cpu", "dask"])
def test_rows_agree_with_generic(backend):
    if (reason := why_absent("dask")) is not None and backend == "dask":
        pytest.skip(reason)
    table, xp = {"cpu": (cpu.TABLE, None), "dask": (dask.TABLE, backend == "dask" and open_library("dask"))}[backend]
    compared = 0
    for result, expected in runs(table, xp):
        assert to_numpy(result).dtype == expected.dtype
        assert_close(result, expected, tolerance=8 * EPS[expected.dtype.name] * np.abs(expected).max())
        compared += 1
    assert compared == 4 * 4 * 10


def test_dask_arrays_stay_lazy_and_their_batches_in_chunks():
    da = pytest.importorskip("dask.array")
    x = da.map_blocks(lambda block: 1 / 0, da.zeros((6, 8, 4), chunks=(2, 3, 2)), dtype=float, meta=np.empty((0,) * 3))
    spectrum = transform.forward(x, (1,))
    assert spectrum.chunks == ((2, 2, 2), (5,), (2, 2))
    assert transform.inverse(spectrum, (1,), (8,), "float64").chunks == ((2, 2, 2), (8,), (2, 2))
    assert transform.cosine(x, 0, "dst").chunks == ((6,), (3, 3, 2), (2, 2))


def test_torch_differentiates_transforms():
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(draw((4, 5), "float64", "x")).requires_grad_()
    for kind in ("dct", "dst"):
        for inverse in (False, True):
            assert torch.autograd.gradcheck(
                lambda x, kind=kind, inverse=inverse: transform.cosine(x, 1, kind, inverse), x
            )
    assert torch.autograd.gradcheck(lambda x: abs(transform.forward(x, (0, 1))) ** 2, x)


def test_jax_compiles_transforms():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    values = draw((4, 5), "float64", "x")

    def there_and_back(x):
        spectrum = transform.forward(transform.cosine(x, 0), (0, 1))
        return transform.cosine(transform.inverse(spectrum, (0, 1), (4, 5), "float64"), 0, inverse=True)

    result = jax.jit(there_and_back)(values)
    assert_close(result, values, tolerance=tolerance("float64", 64, np.abs(values).max()))


def test_backends_can_be_asked_for():
    values = draw((4, 5), "float32", "x")
    with gpuconv.use_backend("generic"):
        generic_result = transform.cosine(values, 1)
    assert_close(generic_result, transform.cosine(values, 1), taps=8)


def test_single_precision_is_kept_where_jax_has_no_double(run_python):
    pytest.importorskip("jax")
    code = """
import jax.numpy as jnp
from gpuconv.methods import transform
x = jnp.ones((4, 5))
spectrum = transform.forward(x, (0, 1))
print(spectrum.dtype, transform.inverse(spectrum, (0, 1), (4, 5), "float32").dtype)
print(transform.cosine(x, 1).dtype, transform.cosine(x, 0, "dst", True).dtype)
try:
    transform.forward(jnp.ones(4, jnp.int32), (0,))
except TypeError as error:
    print(error)
"""
    lines = run_python(code).splitlines()
    assert lines[:2] == ["complex64 float32", "float32 float32"]
    assert "gives float64, which JAX computes only with 64-bit types enabled" in lines[2]
