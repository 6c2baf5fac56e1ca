"""The public functions against the definition, on every library."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from tests import reference
from tests.assertions import assert_close, assert_same_home, tolerance
from tests.cases import BOUNDARIES, CASES, MODES, REPRESENTATIVE, UNSIGNED, Case, draw, on_libraries
from tests.libraries import has_dtype, make, name_of, to_numpy


def plan_of(x, case):
    options = {name: value for name, value in case.options.items() if name != "cval"}
    return gpuconv.plan_convolution(x, case.kernel, **options)


@on_libraries((*CASES, *REPRESENTATIVE))
def test_convolve_follows_its_definition(xp, case):
    x = make(xp, case.image)
    result = gpuconv.convolve(x, case.kernel, **case.options)
    assert_same_home(result, x, dtype=case.result_dtype)
    spectral = plan_of(x, case).method in ("fft", "overlap")
    assert_close(result, case.expected, tolerance=case.tolerance(spectral=spectral), case=case)


@pytest.mark.parametrize("case", UNSIGNED, ids=str)
def test_unsigned_integers_stay_unsigned_and_exact(xp, case):
    x = make(xp, case.image)
    if name_of(xp) == "torch":
        with pytest.raises(TypeError, match="in which torch has no arithmetic"):
            gpuconv.convolve(x, case.kernel, **case.options)
        return
    result = gpuconv.convolve(x, case.kernel, **case.options)
    assert_same_home(result, x, dtype="uint64")
    assert to_numpy(result).tolist() == case.expected.tolist()


@pytest.mark.parametrize("case", REPRESENTATIVE, ids=str)
def test_a_kernel_of_the_images_library_does_the_same(xp, case):
    x = make(xp, case.image)
    result = gpuconv.convolve(x, make(xp, case.kernel), **case.options)
    assert_same_home(result, x, dtype=case.result_dtype)
    assert_close(result, case.expected, tolerance=case.tolerance(spectral=True), case=case)


@pytest.mark.parametrize("case", REPRESENTATIVE, ids=str)
def test_correlate_follows_its_definition(xp, case):
    x = make(xp, case.image)
    result = gpuconv.correlate(x, case.kernel, **case.options)
    assert_same_home(result, x, dtype=case.result_dtype)
    expected = reference.correlate(case.image, case.kernel, **case.options)
    assert_close(result, expected, tolerance=case.tolerance(spectral=True, correlate=True), case=case)


SEPARABLE = (
    Case((6, 7), (3, 4), boundary="reflect", origin=(1, -1)),
    Case((6, 7), (3, 4), "float32", boundary=("constant", "wrap"), cval=1.5, mode="full"),
    Case((2, 6, 7), (9, 4), "complex64", axes=(2, 1), boundary=("mirror", "nearest")),
    Case((4, 5, 3), (2, 3, 5), boundary=("wrap", "constant", "reflect"), cval=-2),
    Case((6, 7), (3, 4), mode="valid"),
    Case((6, 7), (3, 4), "uint8", "int8", boundary="nearest", cval=3, result="int32"),
    Case((8,), (3,), "int16", "float32", boundary="mirror", result="float32"),
    Case((0, 5), (3, 2), mode="same"),
)


def taps_of(case):
    return [
        draw((n,), case.kernel_dtype, f"{axis} of {case}", {"int8": 40}) for axis, n in enumerate(case.kernel_shape)
    ]


@pytest.mark.parametrize("case", SEPARABLE, ids=str)
def test_convolve_separable_is_convolution_with_the_outer_product(xp, case):
    x, taps = make(xp, case.image), taps_of(case)
    result = gpuconv.convolve_separable(x, taps, **case.options)
    assert_same_home(result, x, dtype=case.result_dtype)
    expected = reference.convolve(case.image, reference.outer(taps), **case.options)
    scale = reference.magnitude(case.image, reference.outer(taps), **case.options)
    allowed = tolerance(case.result_dtype, sum(case.kernel_shape), scale)
    assert_close(result, expected, tolerance=allowed, case=case)


def test_convolve_separable_of_integers_wraps_nowhere_in_between(xp):
    """Each pass alone would overflow 16 bits, both together 32."""
    x = make(xp, np.full((3, 3), 255, dtype=np.uint8))
    taps = [np.full(3, 127, dtype=np.int8), np.full(3, -128, dtype=np.int8)]
    result = gpuconv.convolve_separable(x, taps, mode="valid")
    assert to_numpy(result).tolist() == [[255 * 127 * -128 * 9]]
    wide = [np.full(3, 2**14, dtype=np.int16), np.full(3, -(2**15), dtype=np.int16)]
    result = gpuconv.convolve_separable(x, wide, mode="valid")
    assert to_numpy(result).tolist() == [[255 * 2**14 * -(2**15) * 9]]


ADJOINT = (
    Case((7,), (4,), boundary="reflect", origin=1),
    Case((3,), (11,), "complex128", "complex128", boundary="mirror"),
    Case((4, 5), (3, 2), "float32", "complex64", boundary=("wrap", "nearest"), mode="full", result="complex64"),
    Case((3, 4, 2), (3, 5), axes=(2, 0), boundary=("constant", "reflect")),
    Case((6, 5), (3, 2), mode="valid"),
    Case((5, 4), (3, 2), "int16", "int8", boundary="wrap", result="int64"),
    Case((1,), (5,), boundary="nearest"),
)


@pytest.mark.parametrize("case", ADJOINT, ids=str)
def test_convolve_adjoint_follows_its_definition(xp, case):
    options = {name: value for name, value in case.options.items() if name != "cval"}
    shape = reference.output_shape(
        case.shape, case.kernel_shape, **{name: options[name] for name in ("mode", "origin", "axes")}
    )
    y = draw(shape, case.dtype, f"output of {case}")
    result = gpuconv.convolve_adjoint(make(xp, y), case.kernel, shape=case.shape, **options)
    assert_same_home(result, make(xp, y), dtype=case.result_dtype)
    expected = reference.adjoint(y, case.kernel, shape=case.shape, **options)
    scale = reference.adjoint(reference.absolute(y), reference.absolute(case.kernel), shape=case.shape, **options)
    # What a boundary copied is added up again, each copy with its own error.
    local = tolerance(case.result_dtype, case.taps * case.copies, scale)
    assert_close(result, expected, tolerance=local + case.copies * case.spectral_bound(y), case=case)


@pytest.mark.parametrize("boundary", ["constant", "wrap", "nearest"])
def test_the_adjoint_of_unsigned_integers_is_exact(boundary):
    """What a boundary folds back adds up beyond the dtypes' own rule, and stays unsigned where that matters."""
    y = np.array([2**62 + 5, 0, 3], dtype=np.uint64)
    kernel = np.array([1, 1, 1], dtype=np.uint64)
    result = gpuconv.convolve_adjoint(y, kernel, shape=(3,), boundary=boundary)
    expected = reference.adjoint(y, kernel, shape=(3,), boundary=boundary)
    assert result.dtype == np.uint64
    assert result.tolist() == expected.tolist()
    small = np.full(2, 255, dtype=np.uint8)
    taps = np.full(33024, 255, dtype=np.uint8)
    result = gpuconv.convolve_adjoint(small, taps, shape=(2,), boundary=boundary, origin=0)
    assert result.sum() == (255**2 * 33024 * 2 if boundary != "constant" else 255**2 * 4)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("mode", MODES)
def test_constants_stay_constant_under_kernels_of_sum_one(xp, mode, boundary):
    x = make(xp, np.full((5, 6), 2.0))
    kernel = np.array([[1, 2, 1], [2, 4, 2]]) / 12
    result = gpuconv.convolve(x, kernel, mode=mode, boundary=boundary, cval=2.0)
    assert_close(result, np.full(result.shape, 2.0), taps=6)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("periodic", "wrap"), ("grid-wrap", "wrap"), ("grid-constant", "constant"), ("grid-mirror", "reflect")],
)
def test_aliases_of_boundaries(name, canonical):
    x, kernel = draw((5,), "float64", "x"), draw((4,), "float64", "kernel")
    expected = gpuconv.convolve(x, kernel, boundary=canonical, cval=3)
    assert gpuconv.convolve(x, kernel, boundary=name, cval=3).tolist() == expected.tolist()


def test_impulse_in_kernel_out(xp):
    """With mode full, at every offset of the impulse."""
    kernel = draw((2, 3), "float64", "kernel")
    for row, column in np.ndindex(3, 4):
        impulse = np.zeros((3, 4))
        impulse[row, column] = 1
        expected = np.zeros((4, 6))
        expected[row : row + 2, column : column + 3] = kernel
        result = gpuconv.convolve(make(xp, impulse), kernel, mode="full", method="direct")
        assert to_numpy(result).tolist() == expected.tolist()


HALVES = ("float16", "bfloat16")


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("method", ["direct", "separable", "fft"])
def test_two_byte_floats_are_within_half_a_unit_of_the_exact_sum(xp, dtype, method):
    if not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    x = make(xp, draw((14, 15), "float32", "x"), dtype=dtype)
    exact = to_numpy(x).astype(np.float64)
    kernel = np.outer(draw((9,), "float64", "rows"), draw((7,), "float64", "columns"))
    result = gpuconv.convolve(x, kernel, method=method, boundary="reflect")
    assert_same_home(result, x, dtype=dtype)
    expected = reference.convolve(exact, kernel, boundary="reflect")
    summed = tolerance("float32", kernel.size, reference.magnitude(exact, kernel, boundary="reflect"))
    if method == "fft":
        summed = summed + reference.spectral_bound(2.0**-23, 32 * 32, np.pad(exact, 4, mode="symmetric"), kernel)
    half_a_unit = {"float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
    assert_close(result, expected, tolerance=summed + half_a_unit * (np.abs(expected) + summed) + 2.0**-25)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("method", ["direct", "separable", "fft"])
def test_two_byte_floats_are_summed_in_single_precision(xp, dtype, method):
    """One and two hundred samples that are each lost beside it: in half precision the sum would stay at one."""
    if not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    quarter = {"float16": 2.0**-12, "bfloat16": 2.0**-9}[dtype]
    values = np.full((15, 15), quarter)
    values[0, 0] = values[14, 14] = values[7, 7] = 1
    result = gpuconv.convolve(make(xp, values, dtype=dtype), np.ones((15, 15)), mode="valid", method=method)
    unit = 8 * quarter
    assert abs(to_numpy(result).astype(np.float64).item() - (3 + 222 * quarter)) <= unit / 2 + 1e-4


def test_a_half_precision_image_takes_a_half_precision_kernel(xp):
    for dtype in HALVES:
        if has_dtype(xp, dtype):
            x = make(xp, [1.0, 2.0, 4.0, 8.0], dtype=dtype)
            result = gpuconv.convolve(x, make(xp, [1.0, 3.0], dtype=dtype), mode="full")
            assert_same_home(result, x, dtype=dtype)
            assert to_numpy(result).tolist() == [1.0, 5.0, 10.0, 20.0, 24.0]


def test_float32_images_are_not_summed_in_less_than_float32(xp):
    """A large value passes by; what comes after it must not remember it."""
    x = np.zeros(64, dtype=np.float32)
    x[10], x[40] = 1e8, 1.0
    result = to_numpy(gpuconv.convolve(make(xp, x), np.ones(5), method="direct"))
    assert result[38:43].tolist() == [1.0] * 5


def test_accuracy_local_keeps_dim_regions_beside_bright_ones(xp):
    x = np.full(4096, 1e-3, dtype=np.float32)
    x[:100] = 1e6
    kernel = np.full(301, 1 / 301)
    result = to_numpy(gpuconv.convolve(make(xp, x), kernel, accuracy="local"))[400:-200]
    assert_close(result, np.full(result.shape, 1e-3), tolerance=2 * np.sqrt(301) * 2.0**-23 * 1e-3, dtype="float32")
