"""Filters of spectra in `gpuconv.ndimage` give what SciPy's give, on every library."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import gpuconv.ndimage as ndi
from gpuconv.backends.cpu import originals
from tests.assertions import EPS, assert_close, assert_same_home
from tests.cases import draw
from tests.libraries import make, name_of, to_numpy

FILTERS = ("fourier_gaussian", "fourier_uniform", "fourier_ellipsoid", "fourier_shift")
CALLS: list[tuple[tuple[int, ...], Any, dict[str, Any]]] = [
    ((7,), 1.7, {}),
    ((8,), 2.0, {"n": 15}),
    ((5, 6), (0.8, 2.5), {}),
    ((5, 6), (1.5, 0.25), {"n": 10, "axis": 1}),
    ((5, 6), 3, {"n": 8, "axis": -2}),
    ((1, 6), 2.5, {}),
    ((3, 4, 5), (1, 2.5, 0.5), {"n": 9}),
    ((0, 4), 2.0, {}),
]


def scipys(function: str) -> Any:
    return getattr(originals, f"ndimage_{function}")


@pytest.mark.parametrize("dtype", ["complex128", "complex64", "float64", "float32", "int16"])
@pytest.mark.parametrize(("shape", "parameter", "options"), CALLS)
@pytest.mark.parametrize("function", FILTERS)
def test_spectra_are_multiplied_as_by_scipy(xp, function, shape, parameter, options, dtype):
    spectrum = draw(shape, dtype, f"spectrum {shape} {dtype}", {"int16": 9})
    expected = scipys(function)(spectrum, parameter, **options)
    x = make(xp, spectrum)
    result = getattr(ndi, function)(x, parameter, **options)
    assert_same_home(result, x, dtype=expected.dtype.name)
    scale = np.abs(spectrum).max(initial=0) * 16.0
    assert_close(result, expected, tolerance=EPS[expected.dtype.name] * scale)


@pytest.mark.parametrize("function", FILTERS)
def test_the_output_may_be_a_dtype_or_an_array(xp, function):
    spectrum = draw((5, 6), "complex128", "spectrum")
    expected = scipys(function)(spectrum, 1.5)
    x = make(xp, spectrum)
    for asked_for in ("complex64", np.complex64, np.dtype("complex64"), xp.complex64):
        result = getattr(ndi, function)(x, 1.5, output=asked_for)
        assert_same_home(result, x, dtype="complex64")
        assert_close(result, expected, taps=16)
    if name_of(xp) in ("jax", "dask"):
        with pytest.raises(TypeError, match="output must be an array of the input's library that can be written to"):
            getattr(ndi, function)(x, 1.5, output=x)
        return
    assert getattr(ndi, function)(x, 1.5, output=x) is x
    assert_close(x, expected, taps=16)


@pytest.mark.parametrize("function", FILTERS[:3])
def test_a_real_spectrum_may_stay_real_or_become_complex(function):
    spectrum = draw((5, 6), "float64", "spectrum")
    for output in (np.float32, np.complex128):
        result, expected = (call(spectrum, 2.0, output=output) for call in (getattr(ndi, function), scipys(function)))
        assert result.dtype == expected.dtype == output
        assert_close(result, expected, taps=16)


def test_a_box_of_no_width_leaves_the_spectrum_alone(xp):
    """SciPy keeps the mean alone, which is what a box of all the axis does."""
    x = make(xp, np.array([1.0, 2.0, 3.0]))
    for function in FILTERS:
        assert to_numpy(getattr(ndi, function)(x, 0)).tolist() == [1.0, 2.0, 3.0]


def test_a_shift_moves_the_image(xp):
    image = np.arange(12.0).reshape(3, 4)
    moved = ndi.fourier_shift(make(xp, np.fft.fft2(image)), (1, 2))
    assert_close(np.fft.ifft2(to_numpy(moved)), np.roll(image, (1, 2), (0, 1)), taps=16, scale=12.0)


@pytest.mark.parametrize("function", FILTERS)
def test_dtypes_that_only_scipy_knows_go_to_scipy(function):
    for dtype in ("bool", "longdouble"):
        spectrum = np.array([1, 0, 1, 1]).astype(dtype)
        try:
            expected = scipys(function)(spectrum, 1.5)
        except RuntimeError as error:
            with pytest.raises(RuntimeError, match=str(error)):
                getattr(ndi, function)(spectrum, 1.5)
        else:
            result = getattr(ndi, function)(spectrum, 1.5)
            assert result.dtype == expected.dtype
            assert result.tolist() == expected.tolist()


@pytest.mark.parametrize("function", FILTERS)
def test_signatures_are_scipys(function):
    ours, theirs = (inspect.signature(call).parameters for call in (getattr(ndi, function), scipys(function)))
    assert [p.replace(annotation=p.empty) for p in ours.values()] == list(theirs.values())


SPECTRUM = np.ones((3, 4), complex)
MISUSES = [
    ("fourier_gaussian", SPECTRUM, {"sigma": (1, 2, 3)}, "one sigma per filtered axis: got 3 for 2 axes. Give one"),
    ("fourier_uniform", SPECTRUM, {"size": 1, "axis": 2}, "axis 2 is out of bounds. Give an axis the image has"),
    (
        "fourier_shift",
        SPECTRUM,
        {"shift": 1, "output": np.float64},
        "must be one of complex64, complex128: got float64",
    ),
    (
        "fourier_gaussian",
        SPECTRUM.real,
        {"sigma": 1, "output": np.int32},
        "output type not supported: it must be one of",
    ),
    (
        "fourier_gaussian",
        SPECTRUM,
        {"sigma": 1, "output": np.float64},
        "a complex spectrum needs a complex output: out",
    ),
    (
        "fourier_uniform",
        SPECTRUM,
        {"size": 1, "output": SPECTRUM.T.copy()},
        "output shape not correct: output has shape",
    ),
    ("fourier_ellipsoid", np.ones((2, 2, 2, 2)), {"size": 1}, "Only 1d, 2d and 3d inputs are supported: input has 4"),
]


@pytest.mark.parametrize(("function", "spectrum", "options", "sentence"), MISUSES, ids=[row[3] for row in MISUSES])
def test_misuse_raises_scipys_exception_with_advice(function, spectrum, options, sentence):
    with pytest.raises(Exception, match=".") as theirs:
        scipys(function)(spectrum, **options)
    with pytest.raises(theirs.type) as ours:
        getattr(ndi, function)(spectrum, **options)
    assert ours.type is theirs.type
    assert sentence in str(ours.value)


@pytest.mark.parametrize("function", FILTERS)
def test_jax_compiles_and_torch_differentiates(function):
    jax = pytest.importorskip("jax")
    torch = pytest.importorskip("torch")
    spectrum = draw((4, 5), "complex128", "spectrum")
    compiled = jax.jit(lambda x: getattr(ndi, function)(x, 1.5))
    assert_close(compiled(jax.numpy.asarray(spectrum)), scipys(function)(spectrum, 1.5), taps=16)
    x = torch.tensor(spectrum, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: getattr(ndi, function)(x, 1.5), (x,))


@pytest.mark.parametrize("function", FILTERS)
def test_dask_stays_lazy(function):
    array = pytest.importorskip("dask.array")

    def refuse(block):
        raise AssertionError("a block was computed")

    x = array.ones((6, 8), chunks=3).map_blocks(refuse, dtype=float, meta=np.empty((0, 0)))
    assert getattr(ndi, function)(x, 1.5).shape == (6, 8)
