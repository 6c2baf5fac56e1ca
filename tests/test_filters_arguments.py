"""Dtypes, axes, out=, empty images, NaN and bad arguments of filters, on NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from gpuconv import filters, kernels
from tests import reference
from tests.assertions import assert_close, assert_same_home, tolerance
from tests.cases import draw
from tests.filter_calls import ALL, DERIVATIVES, FLOATING, INTEGER


@pytest.mark.parametrize("name", INTEGER)
@pytest.mark.parametrize(("dtype", "result"), [("uint8", "int32"), ("int32", "int64"), ("int64", "int64")])
def test_integers_stay_exact_integers(name, dtype, result):
    x = draw((6, 7), dtype, name, {"int64": 2**40})
    y = getattr(filters, name)(x)
    assert_same_home(y, x, dtype=result)
    weights = kernels.laplacian() if name == "laplace" else kernels.get(name, axis=1)
    assert y.tolist() == reference.convolve(x, weights, boundary="reflect").tolist()


@pytest.mark.parametrize(
    ("dtype", "result"),
    [
        ("uint8", "float32"),
        ("int16", "float32"),
        ("int32", "float64"),
        ("uint64", "float64"),
        ("float16", "float16"),
        ("float32", "float32"),
    ],
)
@pytest.mark.parametrize("name", FLOATING)
def test_other_filters_follow_the_dtypes_of_convolve(name, dtype, result):
    x = draw((6, 7), dtype, name, {"int32": 2**15, "uint64": 2**15})
    y = ALL[name](x)
    assert_same_home(y, x, dtype=result)
    expected = ALL[name](x.astype(np.float64))
    size = np.abs(x.astype(np.float64)).max()
    scale = 10 * (size**2 if "tensor" in name or "variance" in name else size)
    summed = tolerance("float32" if result == "float16" else result, 60, scale)
    once = 2.0**-11 * np.abs(expected) + 2.0**-24 if result == "float16" else 0
    assert_close(y, expected, tolerance=summed + once)


def test_complex_images_are_filtered_part_by_part():
    x = draw((6, 7), "complex64", "x")
    for name in ("gaussian", "unsharp_mask", "uniform", "hessian", "gaussian_laplace", "sobel", "laplace"):
        function = ALL[name]
        y = function(x)
        assert_same_home(y, x)
        expected = function(x.real.astype(np.float64)) + 1j * function(x.imag.astype(np.float64))
        assert_close(y, expected, tolerance=tolerance("complex64", 40, 20 * np.abs(x).max()))


def test_lengths_and_variances_of_complex_images_are_real():
    x = draw((6, 7), "complex64", "x")
    y = filters.gradient_magnitude(x, 1.0)
    assert_same_home(y, x, dtype="float32")
    parts = [filters.gradient_magnitude(part.astype(np.float64), 1.0) for part in (x.real, x.imag)]
    assert_close(y, np.hypot(*parts), tolerance=tolerance("float32", 40, 4 * np.abs(x).max()))
    y = filters.local_variance(x)
    assert_same_home(y, x, dtype="float32")
    parts = [filters.local_variance(part.astype(np.float64)) for part in (x.real, x.imag)]
    assert_close(y, sum(parts), tolerance=tolerance("float32", 40, np.abs(x).max() ** 2))


@pytest.mark.parametrize("name", ["structure_tensor", "structure_tensor_eigenvalues", "hessian_eigenvalues"])
def test_what_needs_real_images_refuses_complex_ones(name):
    with pytest.raises(TypeError, match=f"{name} needs a real image: x has dtype complex128"):
        DERIVATIVES[name](np.ones((4, 4), dtype=complex))


@pytest.mark.parametrize("name", ALL)
def test_axes_that_are_not_named_are_batches(name):
    function = ALL[name]
    photo = draw((6, 7, 3), "float64", name)
    extra = {"axis": 1} if name in ("sobel", "prewitt", "scharr", "roberts") else {}
    result = function(photo, axes=(0, 1), **extra)
    expected = np.stack([function(photo[..., channel]) for channel in range(3)], axis=-1)
    # Which loop runs depends on the number of samples.
    size = np.abs(photo).max()
    assert_close(result, expected, tolerance=tolerance("float64", 30, 16 * size**2))


def test_axes_may_be_an_array_or_negative():
    x = draw((4, 5, 6), "float64", "x")
    for axes in ((-1, 0), [2, 0], np.array([2, -3])):
        assert filters.gaussian(x, (1.0, 0.5), axes=axes).tolist() == filters.gaussian(x, (0.5, 0, 1.0)).tolist()
    assert filters.laplace(x, axes=np.array([1])).tolist() == filters.laplace(x, axes=1).tolist()


@pytest.mark.parametrize("name", ALL)
def test_out_may_be_the_image_or_share_memory_with_it(name):
    function = ALL[name]
    x = draw((6, 7), "float64", name)
    expected = function(x)
    memory = np.zeros((4, 6, 7))
    memory[0] = x
    out = memory[0] if expected.ndim == 2 else memory[: len(expected)]
    result = function(memory[0], out=out)
    assert result is out
    assert result.tolist() == expected.tolist()


def test_out_of_an_integer_dtype_is_rounded_and_saturated():
    x = np.array([[0, 0, 255, 255]] * 4, dtype=np.uint8)
    out = np.zeros((4, 4), dtype=np.uint8)
    filters.gradient_magnitude(x, operator="sobel", scale="integer", out=out)
    assert out[0].tolist() == [0, 255, 255, 0]


@pytest.mark.parametrize("name", ALL)
def test_empty_images_give_empty_results(name):
    function = ALL[name]
    for shape in ((0, 7), (6, 0), (0, 0)):
        lead = function(np.ones((5, 5))).ndim - 2
        x = np.zeros(shape, dtype=np.float32)
        for edges in ({}, {"boundary": "constant"}):
            result = function(x, **edges)
            assert result.shape[lead:] == shape
            assert result.dtype == np.float32


LATTICE = len(kernels.gaussian_taps(0.6, kind="lattice")) // 2
# How many rows before and after a sample it takes part in.
REACHES = {
    "gaussian": (4, 4),
    "gaussian of order 1": (LATTICE + 1,) * 2,
    "lattice gaussian": (LATTICE,) * 2,
    "gaussian_laplace": (LATTICE + 1,) * 2,
    "hessian": (LATTICE + 1,) * 2,
    "hessian_eigenvalues": (LATTICE + 1,) * 2,
    "unsharp_mask": (4, 4),
    "gaussian_gradient": (4, 4),
    "gradient_magnitude": (4, 4),
    "difference_of_gaussians": (6, 6),
    "structure_tensor": (8, 8),
    "structure_tensor_eigenvalues": (8, 8),
    "roberts": (0, 1),
}


@pytest.mark.parametrize("name", ALL)
def test_nan_stays_inside_the_footprint(name):
    x = draw((60, 60), "float64", name)
    x[30, 30] = np.nan
    result = ALL[name](x)
    rows = np.flatnonzero(
        np.isnan(result).any(axis=tuple(axis for axis in range(result.ndim) if axis != result.ndim - 2))
    )
    before, after = REACHES.get(name, (1, 1))
    assert (rows[0], rows[-1]) == (30 - before, 30 + after)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: filters.gaussian(x, -1), ValueError, "sigma must not be negative: got -1"),
        (lambda x: filters.gaussian(x, "2"), TypeError, "sigma must be a real number: got '2'"),
        (lambda x: filters.gaussian(x, (1, 2, 3)), ValueError, r"sigma needs one entry, or one per .* \(2\): got 3"),
        (lambda x: filters.gaussian(x, 1, order=4), ValueError, "order must be 0, 1, 2 or 3: got 4"),
        (lambda x: filters.gaussian(x, 1, order=(0, 1, 0)), ValueError, "order needs one entry"),
        (lambda x: filters.gaussian(x, 1, kind="box"), ValueError, "kind must be one of 'sampled', 'lattice'"),
        (lambda x: filters.gaussian(x, 1, radius=2, truncate=3), ValueError, "cut by truncate or by radius"),
        (lambda x: filters.gaussian(x, 1, truncate=True), TypeError, "truncate must be a real number: got True"),
        (lambda x: filters.gaussian(x, 1, boundary="symm"), ValueError, "boundary must be one of"),
        (lambda x: filters.gaussian(x, 1, axes=2), ValueError, r"axes must lie in \[-2, 2\)"),
        (lambda x: filters.gaussian(x, 1, axes=()), ValueError, r"a filter needs at least one axis: got axes=\(\)"),
        (lambda x: filters.gaussian(3.0, 1), ValueError, "a filter needs at least one axis: .* of 0 dimensions"),
        (lambda x: filters.gaussian(x > 0, 1), TypeError, "x must have one of the dtypes .*: its dtype is bool"),
        (lambda x: filters.gaussian(x, 1, cval=1j), ValueError, "cval of a real image must be real"),
        (lambda x: filters.gaussian(x, 1, out=np.zeros(3)), ValueError, "out must have the shape of the result"),
        (lambda x: filters.gaussian_gradient(x, 1, out=x), ValueError, r"the result has shape \(2, 4, 5\), out has"),
        (lambda x: filters.hessian(x, 0), ValueError, "a sampled derivative of order 2 needs a larger sigma"),
        (lambda x: filters.gradient_magnitude(x), ValueError, "by a Gaussian or by an operator: got sigma=None"),
        (lambda x: filters.gradient_magnitude(x, 1, operator="sobel"), ValueError, "Give sigma or operator, not both"),
        (lambda x: filters.gradient_magnitude(x, operator="canny"), ValueError, "operator must be one of 'sobel'"),
        (
            lambda x: filters.structure_tensor(x, 1, gradient_sigma=1, operator="sobel"),
            ValueError,
            "got gradient_sigma=1 and operator='sobel'",
        ),
        (lambda x: filters.structure_tensor(x, 1, gradient_sigma="a"), TypeError, "gradient_sigma must be a real"),
        (lambda x: filters.difference_of_gaussians(x, 1, ratio=1), ValueError, "ratio must be above 1: got 1"),
        (lambda x: filters.unsharp_mask(x, 1, amount=None), TypeError, "amount must be a real number"),
        (lambda x: filters.sobel(x, 2), ValueError, r"axes must lie in \[-2, 2\)"),
        (lambda x: filters.sobel(x, 1.5), TypeError, "axis must be an integer: got 1.5"),
        (lambda x: filters.sobel(x, axes=0), ValueError, r"axis must be among axes: got axis 1 and axes \(0,\)"),
        (lambda x: filters.sobel(x, scale="half"), ValueError, "scale must be one of 'integer', 'unit'"),
        (lambda x: filters.sobel(x.astype(np.uint64)), TypeError, "no integer dtype holds products of uint64"),
        (lambda x: filters.roberts(x[None]), ValueError, "needs two axes: there are 3. Name two with axes="),
        (lambda x: filters.laplace(x, neighbours=6), ValueError, "neighbours in 2 dimensions must be"),
    ],
)
def test_bad_arguments_are_refused_with_the_remedy(call, error, message):
    with pytest.raises(error, match=message):
        call(np.ones((4, 5)))


def test_validation_does_not_depend_on_what_was_asked_before():
    x = np.ones(5)
    filters.gaussian(x, 1, truncate=1)
    with pytest.raises(TypeError, match="truncate must be a real number: got True"):
        filters.gaussian(x, 1, truncate=True)


def test_a_list_is_a_numpy_array():
    assert isinstance(filters.gaussian([1.0, 2.0], 1), np.ndarray)
    assert filters.sobel([[1, 2], [3, 4]]).dtype == gpuconv.convolve([[1, 2], [3, 4]], kernels.sobel()).dtype
