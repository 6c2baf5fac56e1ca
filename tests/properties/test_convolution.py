"""What holds for every convolution, whatever its sizes, boundaries and samples."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import gpuconv
from tests import reference
from tests.assertions import assert_close
from tests.cases import draw
from tests.properties.strategies import setups

EPS = 2.0**-52
# Not so small that products would be denormal, where rounding is no longer relative.
FACTORS = st.integers(-9000, 9000).map(lambda numerator: numerator / 8)


def size_of(*arrays, copies=1):
    """A bound on any sum of products of these arrays: what rounding is relative to."""
    return copies * np.prod([np.linalg.norm(array) + EPS for array in arrays])


def copies_of(setup):
    """How often a boundary may bring the same sample under the kernel."""
    return np.prod([1 + 2 * taps for taps in setup.kernel_shape])


def close(actual, expected, scale, setup=""):
    assert_close(actual, expected, tolerance=100 * EPS * scale, case=setup)


@given(setups())
def test_the_definition(setup):
    expected = reference.convolve(setup.x, setup.kernel, **{k: v for k, v in setup.options.items() if k != "method"})
    result = gpuconv.convolve(setup.x, setup.kernel, **setup.options)
    close(result, expected, size_of(setup.x, setup.kernel, copies=copies_of(setup)), setup)


@given(setups(), FACTORS, FACTORS)
def test_linear_in_the_image(setup, a, b):
    x, y = setup.x, setup.samples(setup.shape, 3)
    together = gpuconv.convolve(a * x + b * y, setup.kernel, **setup.options)
    apart = [gpuconv.convolve(z, setup.kernel, **setup.options) for z in (x, y)]
    scale = (abs(a) + abs(b)) * (size_of(x, setup.kernel) + size_of(y, setup.kernel)) * copies_of(setup)
    close(together, a * apart[0] + b * apart[1], scale, setup)


@given(setups(), FACTORS, FACTORS)
def test_linear_in_the_kernel(setup, a, b):
    k, m = setup.kernel, setup.samples(setup.kernel_shape, 3)
    together = gpuconv.convolve(setup.x, a * k + b * m, **setup.options)
    apart = [gpuconv.convolve(setup.x, z, **setup.options) for z in (k, m)]
    scale = (abs(a) + abs(b)) * (size_of(setup.x, k) + size_of(setup.x, m)) * copies_of(setup)
    close(together, a * apart[0] + b * apart[1], scale, setup)


@given(setups())
def test_the_adjoint_is_the_adjoint(setup):
    """<A x, y> = <x, A* y> to 1e-13, for every boundary, mode, parity, origin and reach."""
    x, y = setup.x, setup.samples(setup.output_shape, 3)
    ahead = gpuconv.convolve(x, setup.kernel, **setup.options)
    back = gpuconv.convolve_adjoint(y, setup.kernel, shape=setup.shape, **setup.options)
    assert back.shape == x.shape
    left, right = np.vdot(y, ahead), np.vdot(back, x)
    assert abs(left - right) <= 1e-13 * size_of(x, y, setup.kernel, copies=np.sqrt(copies_of(setup)))


@given(setups(modes=("same",), boundaries=("wrap",)), st.integers(-9, 9))
def test_shifting_the_image_shifts_the_result(setup, shift):
    """On a ring, by any whole number of samples, along every axis."""
    for axis in range(len(setup.shape)):
        moved = gpuconv.convolve(np.roll(setup.x, shift, axis), setup.kernel, **setup.options)
        expected = np.roll(gpuconv.convolve(setup.x, setup.kernel, **setup.options), shift, axis)
        close(moved, expected, size_of(setup.x, setup.kernel, copies=copies_of(setup)), setup)


@given(setups(modes=("full",), boundaries=("constant",)), st.integers(0, 5), st.integers(0, 5))
def test_zeros_around_the_image_are_zeros_around_the_result(setup, before, after):
    pad = [(before, after)] * len(setup.shape)
    padded = gpuconv.convolve(np.pad(setup.x, pad), setup.kernel, **setup.options)
    expected = np.pad(gpuconv.convolve(setup.x, setup.kernel, **setup.options), pad)
    close(padded, expected, size_of(setup.x, setup.kernel), setup)


@given(setups(modes=("same",), boundaries=("wrap",)))
def test_the_convolution_theorem(setup):
    """F(x * k) = F(x) F(k) on a ring, the kernel's centre at the origin, to 10 eps log2 N."""
    ring = np.zeros(setup.shape, dtype=setup.kernel.dtype)
    for tap in np.ndindex(setup.kernel_shape):
        start = [(taps - 1) // 2 + origin for taps, origin in zip(setup.kernel_shape, setup.origin, strict=True)]
        place = tuple((m - s) % n for m, s, n in zip(tap, start, setup.shape, strict=True))
        ring[place] += setup.kernel[tap]
    spectrum = np.fft.fftn(gpuconv.convolve(setup.x, setup.kernel, **setup.options))
    expected = np.fft.fftn(setup.x) * np.fft.fftn(ring)
    samples = max(setup.x.size, 2)
    scale = np.sqrt(samples) * size_of(setup.x, setup.kernel, copies=copies_of(setup))
    assert_close(spectrum, expected, tolerance=10 * EPS * np.log2(samples) * scale)


@given(setups(modes=("same", "full")))
def test_boundaries_are_paddings(setup):
    """valid of the image padded by hand is same, and full, of the image itself."""
    padded = setup.x
    for axis, (taps, name, origin) in enumerate(zip(setup.kernel_shape, setup.boundary, setup.origin, strict=True)):
        window = reference.window(setup.mode, setup.shape[axis], taps, origin)
        pad = [(0, 0)] * padded.ndim
        pad[axis] = (taps - 1 - window.start, window.stop - setup.shape[axis])
        modes = {"constant": "constant", "reflect": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap"}
        padded = np.pad(padded, pad, mode=modes[name])
    expected = gpuconv.convolve(padded, setup.kernel, mode="valid", method="direct")
    result = gpuconv.convolve(setup.x, setup.kernel, **setup.options)
    close(result, expected, size_of(setup.x, setup.kernel, copies=copies_of(setup)), setup)


@given(setups(modes=("same",), boundaries=("reflect", "mirror")))
def test_mirrors_are_rings_of_twice_the_length(setup):
    """reflect is wrap of the image and its mirror image; mirror the same without the ends repeated."""
    unfolded = setup.x
    for axis, name in enumerate(setup.boundary):
        back = np.flip(unfolded, axis)
        if name == "mirror":
            back = np.take(back, range(1, max(back.shape[axis] - 1, 1)), axis)
        unfolded = np.concatenate([unfolded, back], axis)
    ring = gpuconv.convolve(unfolded, setup.kernel, boundary="wrap", origin=setup.origin)
    result = gpuconv.convolve(setup.x, setup.kernel, **setup.options)
    crop = tuple(slice(size) for size in setup.shape)
    close(result, ring[crop], size_of(setup.x, setup.kernel, copies=copies_of(setup)), setup)


@given(setups())
def test_correlation_is_convolution_with_the_kernel_turned_and_conjugated(setup):
    result = gpuconv.correlate(setup.x, setup.kernel, **setup.options)
    expected = gpuconv.convolve(setup.x, np.conj(np.flip(setup.kernel)), **setup.options)
    close(result, expected, size_of(setup.x, setup.kernel, copies=copies_of(setup)), setup)


@given(setups())
def test_separable_is_dense(setup):
    taps = [setup.samples((n,), 10 + axis) for axis, n in enumerate(setup.kernel_shape)]
    options = {name: setup.options[name] for name in ("mode", "boundary", "origin")}
    result = gpuconv.convolve_separable(setup.x, taps, cval=0.5, **options)
    kernel = reference.outer(taps)
    expected = gpuconv.convolve(setup.x, kernel, cval=0.5, method="direct", **options)
    close(result, expected, size_of(setup.x, kernel, copies=copies_of(setup)) + size_of(kernel) * 10, setup)


@given(setups())
def test_turning_everything_around_turns_the_result_around(setup):
    """An even kernel has its centre on the other side then: origin says so."""
    for axis in range(len(setup.shape)):
        origin = list(setup.origin)
        if setup.mode == "same":
            origin[axis] = (1 if setup.kernel_shape[axis] % 2 == 0 else 0) - origin[axis]
        options = setup.options | {"origin": tuple(origin)}
        turned = gpuconv.convolve(np.flip(setup.x, axis), np.flip(setup.kernel, axis), **options)
        expected = np.flip(gpuconv.convolve(setup.x, setup.kernel, **setup.options), axis)
        close(turned, expected, size_of(setup.x, setup.kernel, copies=copies_of(setup)), setup)


@given(setups())
def test_axes_may_be_exchanged(setup):
    """Transposed image and kernel, or the same image with the axes named in another order."""
    turned = {name: setup.options[name][::-1] for name in ("boundary", "origin")}
    options = setup.options | turned
    expected = gpuconv.convolve(setup.x, setup.kernel, **setup.options)
    transposed = gpuconv.convolve(setup.x.T, setup.kernel.T, **options)
    scale = size_of(setup.x, setup.kernel, copies=copies_of(setup))
    close(transposed, expected.T, scale, setup)
    named = gpuconv.convolve(setup.x, setup.kernel.T, axes=range(len(setup.shape))[::-1], **options)
    close(named, expected, scale, setup)


@given(setups(modes=("valid",)))
def test_valid_is_inside_same_is_inside_full(setup):
    options = {"boundary": setup.boundary, "method": setup.method}
    full = gpuconv.convolve(setup.x, setup.kernel, mode="full", **options)
    scale = size_of(setup.x, setup.kernel, copies=copies_of(setup))
    for mode in ("valid", "same"):
        crop = tuple(
            slice(window.start, window.stop)
            for window in (
                reference.window(mode, n, taps, 0) for n, taps in zip(setup.shape, setup.kernel_shape, strict=True)
            )
        )
        close(gpuconv.convolve(setup.x, setup.kernel, mode=mode, **options), full[crop], scale, setup)


@given(setups(modes=("full",), boundaries=("constant",)))
def test_full_convolution_is_commutative_and_associative(setup):
    x, kernel, third = setup.x, setup.kernel, setup.samples(setup.kernel_shape, 4)
    options = {"mode": "full", "method": setup.method}
    close(gpuconv.convolve(x, kernel, **options), gpuconv.convolve(kernel, x, **options), size_of(x, kernel), setup)
    left = gpuconv.convolve(gpuconv.convolve(x, kernel, **options), third, **options)
    right = gpuconv.convolve(x, gpuconv.convolve(kernel, third, **options), **options)
    close(left, right, size_of(x, kernel, third, copies=x.size + kernel.size), setup)


@given(setups(modes=("same", "full")))
def test_mass_is_multiplied(setup):
    """The sum of the result is the product of the sums, where nothing is lost: full with zeros around, and rings."""
    boundary = "wrap" if setup.mode == "same" else "constant"
    result = gpuconv.convolve(setup.x, setup.kernel, **(setup.options | {"boundary": boundary}))
    expected = setup.x.sum() * setup.kernel.sum()
    scale = size_of(setup.x, setup.kernel, copies=setup.x.size * setup.kernel.size)
    assert abs(result.sum() - expected) <= 100 * EPS * scale


@given(setups(modes=("same",), boundaries=("reflect", "mirror", "nearest", "wrap")))
def test_a_mean_lies_between_the_extremes(setup):
    """Weights that are not negative and sum to one make no new maxima."""
    x, kernel = setup.x.real, np.abs(setup.kernel)
    kernel = kernel / kernel.sum()
    result = gpuconv.convolve(x, kernel, **setup.options)
    slack = 100 * EPS * size_of(x, kernel, copies=copies_of(setup))
    assert x.min() - slack <= result.min()
    assert result.max() <= x.max() + slack


@given(setups(), st.integers(1, 3))
def test_a_batch_is_each_of_its_images(setup, count):
    images = setup.samples((count, *setup.shape), 5)
    axes = tuple(range(1, images.ndim))
    together = gpuconv.convolve(images, setup.kernel, axes=axes, **setup.options)
    apart = np.stack([gpuconv.convolve(image, setup.kernel, **setup.options) for image in images])
    close(together, apart, size_of(images, setup.kernel, copies=copies_of(setup)), setup)


@given(
    setups(methods=("auto", "direct")),
    st.sampled_from(["int8", "uint8", "int16", "uint16", "int32", "uint32"]),
    st.sampled_from(["int8", "uint8", "int16", "uint16"]),
)
def test_integers_are_pythons_integers(setup, dtype, kernel_dtype):
    x = draw(setup.shape, dtype, f"x {setup.seed}")
    kernel = draw(setup.kernel_shape, kernel_dtype, f"kernel {setup.seed}")
    result = gpuconv.convolve(x, kernel, **setup.options)
    options = {name: value for name, value in setup.options.items() if name != "method"}
    assert result.tolist() == reference.convolve(x, kernel, **options).tolist()
