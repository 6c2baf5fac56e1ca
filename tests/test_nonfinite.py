"""NaN and infinity stay within the kernel's footprint, and are not lost inside it, whatever the method."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from tests import reference
from tests.assertions import assert_close
from tests.blocks import short_blocks
from tests.cases import BOUNDARIES, draw
from tests.libraries import has_dtype, make, name_of, to_numpy

METHODS = ("direct", "separable", "fft", "overlap")
# NumPy says that inf - inf is NaN; that is what is asked for here.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")


def footprints(x, kernel, cval=0.0, **options):
    """Outputs that read a bad sample at all, and outputs that read one through a tap that is not zero."""
    bad = (~np.isfinite(x)).astype(np.float64)
    outside = float(not np.isfinite(cval))
    touched = reference.convolve(bad, np.ones(kernel.shape), cval=outside, **options) > 0
    hit = reference.convolve(bad, (kernel != 0).astype(float), cval=outside, **options) > 0
    return touched, hit


def check(result, x, kernel, cval=0.0, eps=2.0**-52, **options):
    result = to_numpy(result)
    touched, hit = footprints(x, kernel, cval, **options)
    finite = np.isfinite(result)
    assert not finite[hit].any(), "a bad sample under a tap gave a number"
    assert finite[~touched].all(), "a bad sample spread beyond the footprint"
    assert 0 < touched.sum() < touched.size, "the case shows nothing"
    clean, fill = np.where(np.isfinite(x), x, 0), cval if np.isfinite(cval) else 0.0
    expected = reference.convolve(clean, kernel, cval=fill, **options)
    bound = 4 * reference.spectral_bound(eps, 4096, np.append(np.repeat(clean, 9), [fill] * 400), kernel)
    assert_close(result[~touched], expected[~touched], tolerance=bound)


def dirty(dtype, *, shape=(12, 13)):
    x = draw(shape, dtype, "x")
    x.flat[[17, 29]] = np.nan
    x.flat[100] = np.inf
    x.flat[101] = -np.inf
    return x


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("backend", [None, "generic"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_bad_samples_stay_in_the_footprint(dtype, backend, method, boundary):
    """Real and complex, every boundary: what a boundary copies has a footprint of its own."""
    kernel = np.outer([1.0, 0.0, 2.0], [1.0, -1.0])
    eps = 2.0**-23 if dtype in ("float32", "complex64") else 2.0**-52
    x = dirty(dtype)
    with gpuconv.use_backend(backend), short_blocks():
        for mode in ("same", "full"):
            options = {"boundary": boundary, "mode": mode}
            check(gpuconv.convolve(x, kernel, method=method, **options), x, kernel, eps=eps, **options)


@pytest.mark.parametrize("method", METHODS)
def test_bad_samples_stay_in_the_footprint_on_every_library(xp, method):
    kernel = np.outer([1.0, 0.0, 2.0], [1.0, -1.0])
    x = dirty("float32")
    with short_blocks():
        result = gpuconv.convolve(make(xp, x), kernel, method=method, boundary="wrap")
    check(result, x, kernel, eps=2.0**-23, boundary="wrap")


@pytest.mark.parametrize("method", ["direct", "fft", "overlap"])
def test_complex_kernels_keep_them_in_the_footprint(xp, method):
    kernel = draw((3,), "complex128", "kernel")
    kernel[1] = 0
    x = dirty("float32", shape=(3, 40))
    result = gpuconv.convolve(make(xp, x), kernel, method=method, axes=1)
    assert_shape(result, (3, 40), "complex64")
    check(result, x, kernel, eps=2.0**-23, axes=1)


def assert_shape(result, shape, dtype):
    assert tuple(result.shape) == shape
    assert to_numpy(result).dtype == dtype


@pytest.mark.parametrize("method", ["fft", "overlap"])
def test_transforms_do_not_mark_what_only_zero_taps_meet(xp, method):
    """Sums may (0 * inf is NaN); a transform sees zero taps as what they are, holes in the kernel."""
    x, kernel = draw((30,), "float64", "x"), np.array([1.0, 0.0, 0.0, 2.0])
    x[12] = np.inf
    result = to_numpy(gpuconv.convolve(make(xp, x), kernel, method=method))
    assert np.flatnonzero(~np.isfinite(result)).tolist() == [11, 14]


@pytest.mark.parametrize("method", ["direct", "fft", "overlap"])
def test_one_bad_part_of_a_complex_sample_is_enough(method):
    kernel = np.array([1.0, 2.0])
    for bad in (complex(np.nan, 0), complex(0, np.inf), complex(np.inf, np.nan)):
        x = draw((30,), "complex128", "x")
        x[20] = bad
        check(gpuconv.convolve(x, kernel, method=method), x, kernel)


@pytest.mark.parametrize("cval", [np.nan, np.inf])
@pytest.mark.parametrize("method", METHODS)
def test_a_bad_fill_value_stays_at_the_edge(xp, method, cval):
    kernel = np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 2.0, 5.0])
    x = draw((9, 10), "float64", "x")
    result = gpuconv.convolve(make(xp, x), kernel, method=method, cval=cval)
    check(result, x, kernel, cval)


def test_a_nan_fill_value_marks_all_that_valid_leaves_out(xp):
    x, kernel = draw((9, 10), "float64", "x"), draw((4, 3), "float64", "kernel")
    same = to_numpy(gpuconv.convolve(make(xp, x), kernel, cval=np.nan, method="direct"))
    valid = to_numpy(gpuconv.convolve(make(xp, x), kernel, mode="valid", method="direct"))
    assert np.isfinite(same).sum() == valid.size
    np.testing.assert_allclose(same[np.isfinite(same)], valid.ravel(), rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("method", ["direct", "fft", "overlap"])
def test_batches_do_not_infect_each_other(xp, axis, method):
    x, kernel = draw((5, 40), "float64", "x") if axis else draw((40, 5), "float64", "x"), np.array([1.0, 2.0, 1.0])
    index = (3, 7) if axis else (7, 3)
    x[index] = np.nan
    result = to_numpy(gpuconv.convolve(make(xp, x), kernel, axes=axis, method=method))
    assert np.isnan(result).sum() == 3
    assert np.isnan(np.moveaxis(result, axis, 1)[3, 6:9]).all()


@pytest.mark.parametrize("method", METHODS)
def test_separable_passes_keep_them_in_the_box(xp, method):
    x = dirty("float64")
    taps = [[1.0, 2.0], [3.0, 0.0, 1.0]]
    result = gpuconv.convolve_separable(make(xp, x), taps, boundary="reflect")
    check(result, x, np.outer(*taps), boundary="reflect")


@pytest.mark.parametrize("method", METHODS)
def test_sums_keep_the_sign_of_infinities_and_transforms_give_nan(xp, method):
    """As the conventions say: IEEE 754's infinities where products are summed, and NaN where they are transformed."""
    kernel = np.outer([1.0, 2.0], [3.0, -1.0, 2.0])
    x = draw((9, 30), "float64", "x")
    x[2, 3], x[6, 9], x[4, 20], x[4, 21], x[8, 27] = np.inf, -np.inf, np.inf, np.inf, np.nan
    result = to_numpy(gpuconv.convolve(make(xp, x), kernel, method=method, boundary="reflect"))
    expected = reference.convolve(x, kernel, boundary="reflect")
    bad = ~np.isfinite(expected)
    assert np.isposinf(expected).any()
    assert np.isneginf(expected).any()
    assert 0 < np.isnan(expected).sum() < bad.sum()
    right = expected[bad] if method in ("direct", "separable") else np.full(bad.sum(), np.nan)
    np.testing.assert_array_equal(result[bad], right)
    assert np.isfinite(result[~bad]).all()


def test_all_bad(xp):
    for bad in (np.nan, np.inf):
        x = make(xp, np.full((5, 5), bad))
        for method in METHODS:
            assert not np.isfinite(to_numpy(gpuconv.convolve(x, np.ones((3, 3)), method=method))).any()


@pytest.mark.parametrize("method", ["direct", "fft", "overlap"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_tap_meets_every_output(xp, method, bad):
    kernel = np.array([1.0, bad, 2.0])
    result = to_numpy(
        gpuconv.convolve(make(xp, draw((20,), "float64", "x") + 3), kernel, boundary="wrap", method=method)
    )
    assert not np.isfinite(result).any()


@pytest.mark.parametrize("kernel", [[np.inf, 1.0, np.inf], [np.nan, 1.0, 2.0], [1.0, -np.inf]], ids=str)
def test_infinite_taps_give_what_the_definition_gives(xp, kernel):
    x = np.arange(1.0, 7.0)
    result = to_numpy(gpuconv.convolve(make(xp, x), kernel, method="direct", boundary="nearest"))
    expected = reference.convolve(x, np.array(kernel), boundary="nearest")
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("method", ["direct", "fft"])
def test_two_byte_floats_keep_them_in_the_footprint(xp, dtype, method):
    if not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    x = np.ones(30)
    x[10], x[20] = np.nan, np.inf
    result = to_numpy(gpuconv.convolve(make(xp, x, dtype=dtype), [1.0, 1.0, 1.0], method=method, boundary="wrap"))
    assert np.flatnonzero(~np.isfinite(result)).tolist() == [9, 10, 11, 19, 20, 21]
    assert (result[np.isfinite(result)] == 3).all()


def test_a_large_bad_region_under_a_large_kernel_is_marked_exactly():
    """Counts of bad samples go through a transform, too: their rounding must stay far from one half."""
    x = np.zeros((512, 512), np.float32)
    x[:, 256:] = np.nan
    kernel = draw((201, 201), "float32", "kernel")
    result = gpuconv.convolve(x, kernel, method="fft")
    assert np.isfinite(result[:, : 256 - 100]).all()
    assert np.isnan(result[:, 256 - 100 :]).all()


def test_adjoints_keep_them_in_the_footprint(xp):
    y = np.zeros(30)
    y[10] = np.nan
    for method in ("direct", "fft"):
        result = gpuconv.convolve_adjoint(make(xp, y), [1.0, 2.0, 3.0], shape=(30,), boundary="wrap", method=method)
        assert np.flatnonzero(np.isnan(to_numpy(result))).tolist() == [9, 10, 11]


@pytest.mark.parametrize("method", ["direct", "separable", "fft", "overlap"])
def test_finite_images_stay_finite_beside_finite_kernels(xp, method):
    x = draw((12, 13), "float32", "x") * np.float32(1e30)
    result = gpuconv.convolve(make(xp, x), np.outer([1.0, 0.0, 2.0], [1.0, -1.0]), method=method)
    assert np.isfinite(to_numpy(result)).all()
