"""Means and variances over boxes, missing data, and banks, against loops over windows."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from gpuconv import filters, kernels
from tests import reference
from tests.assertions import assert_close, assert_same_home, tolerance
from tests.cases import BOUNDARIES, draw
from tests.libraries import make, name_of, to_numpy


def windows(x, sizes, origins=None, boundary="reflect", cval=0.0):
    """The samples of every box, on as many last axes as there are sizes; SciPy's centring."""
    ndim = x.ndim
    for axis, (size, origin) in enumerate(zip(sizes, origins or (0,) * ndim, strict=True)):
        window = (boundary, origin - size // 2, x.shape[axis] + size - 1, cval)
        x = np.apply_along_axis(reference.extend, axis, x, *window)
    return np.lib.stride_tricks.sliding_window_view(x, sizes)


BOXES = (
    ((23,), (1,), (0,)),
    ((23,), (2,), (1,)),
    *(((23,), (size,), (0,)) for size in range(3, 18)),
    ((9, 8), (3, 5), (0, 0)),
    ((9, 8), (4, 2), (1, 0)),
    ((5, 4), (7, 9), (-2, 3)),
    ((5, 4, 6), (2, 3, 1), (0, -1, 0)),
)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_means_and_variances_are_those_of_the_windows(boundary):
    for shape, sizes, origins in BOXES:
        x = draw(shape, "float64", f"{shape} {sizes}")
        boxes = windows(x, sizes, origins, boundary, 1.5)
        over = tuple(range(-len(sizes), 0))
        options = {"origin": origins, "boundary": boundary, "cval": 1.5}
        allowed = tolerance("float64", int(np.prod(sizes)), np.abs(x).max())
        for function in (filters.uniform, filters.local_mean):
            assert_close(function(x, sizes, **options), boxes.mean(axis=over), tolerance=allowed, case=sizes)
        squares = allowed * np.abs(x).max()
        variance = filters.local_variance(x, sizes, **options)
        assert_close(variance, boxes.var(axis=over), tolerance=squares, case=sizes)
        assert variance.min() >= 0
        if np.prod(sizes) > 1:
            unbiased = filters.local_variance(x, sizes, ddof=1, **options)
            assert_close(unbiased, boxes.var(axis=over, ddof=1), tolerance=2 * squares, case=sizes)


@pytest.mark.parametrize(("dtype", "offset"), [("float64", 1e12), ("float32", 2.0**20)])
def test_variance_is_right_to_rounding_on_top_of_an_offset(xp, dtype, offset):
    """Samples are whole numbers above the offset, which their dtype holds exactly; so is their variance then."""
    whole = draw((12, 13), "int8", "whole").astype(dtype)
    expected = windows(whole.astype(np.float64), (5, 4)).var(axis=(-2, -1))
    result = filters.local_variance(make(xp, whole + np.dtype(dtype).type(offset)), (5, 4))
    # A mean of whole numbers above the offset is rounded to eps * offset, and with it each distance from it.
    eps = {"float64": 2.0**-52, "float32": 2.0**-23}[dtype]
    rounding = 5 * eps * offset * np.sqrt(expected) + (5 * eps * offset) ** 2
    assert_close(result, expected, tolerance=rounding + tolerance(dtype, 20, expected.max()))


def test_mean_of_squares_less_square_of_mean_would_fail_that():
    whole = draw((12, 13), "int8", "whole").astype(np.float64)
    x = whole + 1e12
    naive = filters.uniform(x**2, (5, 4)) - filters.uniform(x, (5, 4)) ** 2
    assert np.abs(naive - windows(whole, (5, 4)).var(axis=(-2, -1))).max() > 1e6


def test_variance_of_constants_is_exactly_zero(xp):
    values = np.array([0.1, 1e30, -7.3])[:, None, None]
    result = filters.local_variance(make(xp, np.broadcast_to(values, (3, 9, 10))), (7, 6), axes=(1, 2))
    assert (to_numpy(result) == 0).all()


MISSING = {
    "nan": lambda x, there: ({"nan": "omit"}, np.where(there, x, np.nan)),
    "mask": lambda x, there: ({"weights": there}, np.where(there, x, np.nan)),
    "weights": lambda x, there: ({"weights": there.astype("int16")}, np.where(there, x, np.inf)),
}


@pytest.mark.parametrize(("way", "boundary"), [("nan", "constant"), ("mask", "reflect"), ("weights", "wrap")])
def test_missing_samples_count_for_nothing(xp, way, boundary):
    x = draw((9, 8), "float64", way)
    there = draw((9, 8), "int8", "there") > 20
    there[:5, :5] = False
    options, holes = MISSING[way](x, there)
    options = {name: make(xp, value) if name == "weights" else value for name, value in options.items()}
    boxes = windows(np.where(there, x, np.nan), (3, 4), boundary=boundary, cval=2.5).reshape(9, 8, -1)
    counts = np.isfinite(boxes).sum(axis=-1)
    assert counts.min() == 0
    boxes[counts == 0] = 0  # so that NumPy does not warn
    edges = {"boundary": boundary, "cval": 2.5}
    allowed = tolerance("float64", 12, np.abs(x).max())
    mean = filters.local_mean(make(xp, holes), (3, 4), **options, **edges)
    expected = np.where(counts > 0, np.nanmean(boxes, axis=-1), np.nan)
    assert_close(mean, expected, tolerance=allowed)
    variance = filters.local_variance(make(xp, holes), (3, 4), **options, **edges)
    expected = np.where(counts > 0, np.nanvar(boxes, axis=-1), np.nan)
    assert_close(variance, expected, tolerance=allowed * np.abs(x).max())
    unbiased = filters.local_variance(make(xp, holes), (3, 4), ddof=1, **options, **edges)
    factor = counts / np.maximum(counts - 1, 1)
    expected = np.where(counts > 1, np.nanvar(boxes, axis=-1) * factor, np.nan)
    assert_close(unbiased, expected, tolerance=2 * allowed * np.abs(x).max())


def test_samples_may_count_more_than_others():
    x, weights = draw((15,), "float64", "x"), draw((15,), "uint8", "weights") / 64
    boxes, shares = windows(x, (5,), boundary="wrap"), windows(weights, (5,), boundary="wrap")
    options = {"weights": weights, "boundary": "wrap"}
    mean = (boxes * shares).sum(-1) / shares.sum(-1)
    allowed = tolerance("float64", 5, np.abs(x).max())
    assert_close(filters.local_mean(x, 5, **options), mean, tolerance=allowed)
    expected = ((boxes - mean[:, None]) ** 2 * shares).sum(-1) / shares.sum(-1)
    assert_close(filters.local_variance(x, 5, **options), expected, tolerance=allowed * np.abs(x).max())


def test_beyond_the_ends_all_may_be_missing():
    x = draw((9, 8), "float64", "x")
    beyond = {"boundary": "constant", "cval": np.nan, "nan": "omit"}
    mean = filters.local_mean(x, 3, **beyond)
    expected = np.nanmean(windows(x, (3, 3), boundary="constant", cval=np.nan), axis=(-2, -1))
    assert_close(mean, expected, taps=9)
    assert_close(filters.normalized_convolve(x, np.ones((3, 3))), expected, taps=9)


@pytest.mark.parametrize("method", ["direct", "separable", "fft", "overlap"])
@pytest.mark.parametrize("boundary", ["constant", ("wrap", "constant"), "nearest"])
def test_normalized_convolution_follows_its_definition(xp, method, boundary):
    x = draw((13, 14), "float64", "x")
    weights = np.abs(draw((13, 14), "float64", "weights"))
    weights[:8, :9] = 0
    kernel = np.outer([1, 3, 2], [2, 1, 1, 4])
    total = reference.convolve(x * weights, kernel.astype(float), boundary=boundary)
    count = reference.convolve(weights, kernel.astype(float), boundary=boundary)
    with np.errstate(invalid="ignore"):
        expected = np.where(count > 0, total / count, np.nan)
    assert np.isnan(expected).any()
    holes = np.where(weights > 0, x, np.nan)
    options = {"boundary": boundary, "method": method}
    result = filters.normalized_convolve(make(xp, holes), kernel, make(xp, weights), **options)
    assert_same_home(result, make(xp, x))
    # Relative to the largest sums around where a transform is taken, not to the sum itself.
    smallest = count[count > 0].min()
    spread = reference.spectral_bound(2.0**-52, 28 * 30, x, kernel) if method in ("fft", "overlap") else 0
    rounding = tolerance("float64", 12, 30 * np.abs(x).max() * weights.max()) + spread * weights.max()
    assert_close(result, expected, tolerance=rounding * (1 + np.abs(x).max()) / smallest)


def test_scale_of_the_kernel_and_of_the_weights_cancels():
    x, there = draw((9, 8), "float64", "x"), draw((9, 8), "int8", "there") > 0
    kernel = kernels.gaussian(1.0)
    expected = filters.normalized_convolve(x, kernel, there)
    assert_close(filters.normalized_convolve(x, 8 * kernel, 4.0 * there), expected, taps=81)


def test_normalized_convolution_of_integers_and_halves_rounds_once():
    x = draw((9, 8), "uint8", "x")
    expected = filters.normalized_convolve(x.astype(np.float64), np.ones((3, 3)))
    result = filters.normalized_convolve(x, np.ones((3, 3), dtype=np.int16))
    assert_same_home(result, x, dtype="float32")
    assert_close(result, expected, taps=9)
    half = x.astype(np.float16)
    result = filters.normalized_convolve(half, np.ones((3, 3)))
    assert_same_home(result, half)
    assert_close(result, expected, tolerance=2.0**-11 * expected + tolerance("float32", 9, 256))


def test_normalized_convolution_with_a_complex_kernel():
    x, kernel = draw((7,), "float32", "x"), np.array([1, 1j, 2])
    result = filters.normalized_convolve(x, kernel, mode="full")
    assert_same_home(result, x, dtype="complex64")
    quotient = np.convolve(x.astype(np.float64), kernel) / np.convolve(np.ones(7), kernel)
    assert_close(result, quotient, tolerance=tolerance("complex64", 3, 8 * np.abs(x).max()))


def test_weights_may_be_the_same_along_an_axis():
    photo = draw((6, 7, 3), "float64", "photo")
    there = draw((6, 7, 1), "int8", "there") > 0
    result = filters.normalized_convolve(photo, np.ones((3, 3)), there, axes=(0, 1))
    for channel in range(3):
        expected = filters.normalized_convolve(photo[..., channel], np.ones((3, 3)), there[..., 0])
        assert_close(result[..., channel], expected, taps=9)
    for function in (filters.local_mean, filters.local_variance):
        result = function(photo, 3, weights=there[:, :1], axes=(0, 1))
        expected = function(photo, 3, weights=np.broadcast_to(there[:, :1], photo.shape), axes=(0, 1))
        assert_close(result, expected, taps=9)


def test_a_bank_is_one_convolution_per_kernel(xp):
    x = make(xp, draw((6, 7, 2), "float64", "x"))
    weights = [draw((3, 2), "float64", "one"), draw((1, 5), "float64", "other")]
    options = {"axes": (1, 0), "boundary": ("wrap", "constant"), "cval": 1.5, "origin": (0, 1)}
    for position in (0, 1, -1):
        result = filters.bank(x, weights, new_axis=position, **options)
        assert_same_home(result, x)
        expected = [to_numpy(gpuconv.convolve(x, kernel, **options)) for kernel in weights]
        assert_close(result, np.stack(expected, axis=position), tolerance=0.0)


def test_a_bank_may_be_one_array_of_the_images_library(xp):
    x, weights = draw((6, 7), "float64", "x"), draw((4, 3, 3), "float64", "bank")
    result = filters.bank(make(xp, x), make(xp, weights), mode="valid")
    expected = np.stack([gpuconv.convolve(x, kernel, mode="valid") for kernel in weights])
    assert_close(result, expected, tolerance=tolerance("float64", 9, 9 * np.abs(x).max() * np.abs(weights).max()))


def test_maps_of_a_bank_have_one_dtype(xp):
    x = make(xp, draw((5, 6), "uint8", "x"))
    whole = filters.bank(x, [kernels.sobel(), kernels.laplacian().astype("int8")])
    assert_same_home(whole, x, dtype="int32")
    assert_same_home(filters.bank(x, [kernels.sobel(), kernels.box()]), x, dtype="float32")
    # 1000 taps of 16 bits could overflow 32.
    wide = filters.bank(x, [kernels.sobel(), np.ones((10, 100), dtype=np.int16)])
    assert_same_home(wide, x, dtype="int64")
    assert to_numpy(wide)[0].tolist() == to_numpy(whole)[0].tolist()


def test_a_bank_writes_into_an_array_that_holds_the_image():
    memory = np.zeros((3, 5, 6))
    memory[1] = draw((5, 6), "float64", "x")
    weights = [kernels.sobel(0), kernels.sobel(1), kernels.box()]
    expected = filters.bank(memory[1], weights)
    result = filters.bank(memory[1], weights, out=memory)
    assert result is memory
    assert result.tolist() == expected.tolist()


X = np.ones((4, 5))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: filters.uniform(X, 0), ValueError, "size must be at least 1: got 0"),
        (lambda: filters.uniform(X, 2.5), TypeError, "size must be an integer: got 2.5"),
        (lambda: filters.uniform(X, (3, 3, 3)), ValueError, r"size needs one entry, .* \(2\): got 3 entries"),
        (lambda: filters.uniform(X, 3, origin=2), ValueError, "origin must keep the centre inside the kernel"),
        (lambda: filters.local_variance(X, 3, origin=2), ValueError, "origin must keep the centre inside"),
        (lambda: filters.local_variance(X, 2, ddof=4), ValueError, "ddof must be below .*: got ddof=4 for 4 samples"),
        (lambda: filters.local_variance(X, 2, ddof=-1), ValueError, "ddof must be at least 0"),
        (lambda: filters.local_mean(X, nan="skip"), ValueError, "nan must be one of 'propagate', 'omit': got 'skip'"),
        (lambda: filters.local_mean(X, weights=X[0]), ValueError, r"x has shape \(4, 5\), weights \(5,\)"),
        (lambda: filters.local_mean(X, weights=X + 1j), TypeError, "weights must be real: their dtype is complex128"),
        (lambda: filters.local_mean(X, weights=X.astype(str)), TypeError, "weights must have one of the dtypes"),
        (lambda: filters.normalized_convolve(X, [1.0]), ValueError, "kernel needs one dimension per convolved axis"),
        (lambda: filters.normalized_convolve(X, X, X[:2]), ValueError, r"weights must have the shape of x"),
        (lambda: filters.normalized_convolve(X, X, mode="all"), ValueError, "mode must be one of"),
        (lambda: filters.bank(X, []), ValueError, "a bank needs at least one kernel: got none"),
        (lambda: filters.bank(X, np.ones((0, 3, 3))), ValueError, "a bank needs at least one kernel"),
        (lambda: filters.bank(X, [[1, 2]]), ValueError, "kernel needs one dimension per convolved axis"),
        (lambda: filters.bank(X, [X, X[:2]], mode="valid"), ValueError, "maps must have one shape: with mode='valid'"),
        (lambda: filters.bank(X, [X], new_axis=3), ValueError, r"axes must lie in \[-3, 3\)"),
        (lambda: filters.bank(X, [X], out=X), ValueError, r"the result has shape \(1, 4, 5\)"),
        (lambda: filters.bank(X, [X > 0]), TypeError, "its dtype is bool"),
        (
            lambda: filters.symmetric_eigenvalues(X),
            ValueError,
            r"1, 3 or 6 .*: components has shape \(4, 5\)",
        ),
        (lambda: filters.symmetric_eigenvalues(1.0), ValueError, r"components has shape \(\)"),
        (lambda: filters.symmetric_eigenvalues(X[:3] + 1j), TypeError, "symmetric_eigenvalues needs a real image"),
        (lambda: filters.hessian_eigenvalues(np.ones((2,) * 4), 1), ValueError, "closed forms for .*: there are 4"),
    ],
)
def test_bad_arguments_are_refused_with_the_remedy(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_weights_of_another_library_are_refused(xp):
    if name_of(xp) == "numpy":
        pytest.skip("NumPy is the other library")
    with pytest.raises(TypeError, match=f"x belongs to {name_of(xp)}, weights to numpy. Convert one of them"):
        filters.local_mean(make(xp, X), weights=X)
