"""Derivatives, Laplacians, Hilbert, Riesz and shifts of waves have closed forms; so has the convolution theorem."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gpuconv
from gpuconv import spectral
from tests.assertions import assert_close
from tests.cases import draw

SIZES = (16, 17)


def waves(size):
    """Every wave below Nyquist, with a phase of its own: ``(k, phase)``."""
    return [(k, 0.3 * k) for k in range((size + 1) // 2)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_derivatives_of_waves(size, order):
    length = 2.0
    t = np.arange(size) * (length / size)
    for k, phase in waves(size):
        w = 2 * np.pi * k / length
        result = spectral.derivative(np.sin(w * t + phase), order=order, spacing=length / size)
        expected = w**order * np.sin(w * t + phase + order * np.pi / 2)
        highest = (np.pi * size / length) ** order
        assert_close(result, expected, tolerance=1e-12 * max(1.0, highest), case=k)


def test_the_derivative_of_a_sine_to_twelve_digits():
    x = 2 * np.pi * np.arange(64) / 64
    for k in (1, 3, 10):
        assert_close(spectral.derivative(np.sin(k * x), spacing=x[1]), k * np.cos(k * x), tolerance=1e-12)


def test_nyquist_of_even_sizes():
    """(-1)^n has slope 0 at its samples, curvature -pi^2, and no Hilbert transform; nothing becomes imaginary."""
    x = (-1.0) ** np.arange(8)
    for order, factor in ((1, 0.0), (2, -(np.pi**2)), (3, 0.0), (4, np.pi**4)):
        assert_close(spectral.derivative(x, order=order), factor * x, tolerance=1e-13 * np.pi**order)
    assert_close(spectral.hilbert(x), 0 * x, tolerance=1e-15)
    for samples in (0.5, 0.3, 1.0):
        assert_close(spectral.shift(x, samples), np.cos(np.pi * samples) * x, tolerance=1e-15)
    complex_x = x + 0j
    assert abs(spectral.derivative(complex_x).imag).max() == 0
    plane = x[:, None] * np.cos(2 * np.pi * np.arange(6) / 6)
    down, across = spectral.riesz(plane)
    assert_close(down, 0 * plane, tolerance=1e-15)
    share = (1 / 6) / np.hypot(0.5, 1 / 6)
    assert_close(across, share * x[:, None] * np.sin(2 * np.pi * np.arange(6) / 6), tolerance=1e-14)
    assert_close(spectral.gradient(plane)[0], 0 * plane, tolerance=1e-15)
    assert_close(spectral.laplacian(plane), -(np.pi**2 + (np.pi / 3) ** 2) * plane, tolerance=1e-13)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_complex_arrays_are_treated_part_by_part(dtype):
    x = draw((8, 5), dtype, "x")
    for function in (
        spectral.derivative,
        spectral.gradient,
        spectral.inverse_laplacian,
        spectral.hilbert,
        spectral.riesz,
        lambda x: spectral.shift(x, (0.3, -1.2)),
        lambda x: spectral.apply(x, spectral.notch((0.2, 0.3), 0.2), boundary=("reflect", "wrap")),
    ):
        expected = function(np.real(x).copy()) + 1j * function(np.imag(x).copy())
        assert_close(function(x + 0j), expected, taps=64, scale=4.0)


def test_gradient_and_laplacian_of_a_plane_wave():
    spacing = (0.5, 0.25)
    row, column = np.indices((12, 15)) * np.array(spacing)[:, None, None]
    w = 2 * np.pi * np.array([2 / (12 * 0.5), 3 / (15 * 0.25)])
    phase = w[0] * row + w[1] * column
    x = np.sin(phase)
    assert_close(
        spectral.gradient(x, spacing=spacing), np.stack([w[0] * np.cos(phase), w[1] * np.cos(phase)]), tolerance=1e-12
    )
    assert_close(spectral.laplacian(x, spacing=spacing), -(w @ w) * x, tolerance=1e-11)
    assert_close(spectral.inverse_laplacian(x + 4, spacing=spacing), -x / (w @ w), tolerance=1e-14)
    assert_close(
        spectral.riesz(x, spacing=spacing),
        -np.stack([w[0] * np.cos(phase), w[1] * np.cos(phase)]) / np.sqrt(w @ w),
        tolerance=1e-13,
    )


def test_inverses():
    x = draw((9, 8), "float64", "x")
    free = x - x.mean()
    assert_close(spectral.laplacian(spectral.inverse_laplacian(x)), free, taps=64)
    assert_close(spectral.inverse_laplacian(spectral.laplacian(x)), free, taps=64, scale=40.0)
    odd = x[:, :7]
    odd = odd - odd.mean(axis=1, keepdims=True)
    assert_close(spectral.hilbert(spectral.hilbert(odd)), -odd, taps=16)
    odd = draw((9, 7), "float64", "odd")
    twice = sum(spectral.riesz(part)[a] for a, part in enumerate(spectral.riesz(odd)))
    assert_close(twice, odd.mean() - odd, taps=64)


def test_hilbert_makes_scipys_analytic_signal():
    signal = pytest.importorskip("scipy.signal")
    for size in SIZES:
        x = draw((3, size), "float64", "x")
        assert_close(x + 1j * spectral.hilbert(x), signal.hilbert(x), taps=32)


@pytest.mark.parametrize("size", SIZES)
def test_shifts(size):
    x = draw((size, 6), "float64", "x")
    for samples in (-3, 1, size, 2 * size + 5):
        assert_close(spectral.shift(x, samples, axes=0), np.roll(x, samples, axis=0), taps=32, case=samples)
    assert_close(spectral.shift(x, (2, -1)), np.roll(x, (2, -1), axis=(0, 1)), taps=32)
    t = np.arange(size)
    for k, phase in waves(size):
        wave = np.cos(2 * np.pi * k * t / size + phase)
        expected = np.cos(2 * np.pi * k * (t - 0.37) / size + phase)
        assert_close(spectral.shift(wave, 0.37), expected, tolerance=1e-13)


def test_two_shifts_are_one_by_their_sum():
    x = draw((15, 7), "float64", "x")
    for a, b in ((0.3, 0.9), (-2.25, 0.5)):
        both = spectral.shift(spectral.shift(x, a), b)
        assert_close(both, spectral.shift(x, a + b), taps=64)
    # Of even sizes, without what is at Nyquist.
    even = spectral.apply(draw((16,), "float64", "even"), spectral.lowpass(0.49, "ideal"))
    assert_close(spectral.shift(spectral.shift(even, 0.3), 0.9), spectral.shift(even, 1.2), taps=64)


def dft(x):
    for axis, size in enumerate(x.shape):
        k = np.arange(size)
        x = np.moveaxis(np.tensordot(np.exp(-2j * np.pi * np.outer(k, k) / size), x, axes=(1, axis)), 0, axis)
    return x


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_the_convolution_theorem_has_two_equal_sides(norm, dtype):
    x, kernel = draw((6, 9), dtype, "x"), draw((4, 3), dtype, "kernel")
    both = spectral.convolution_theorem(x, kernel, spacing=(0.5, 2.0), norm=norm)
    assert both.constant == pytest.approx({"backward": 1, "ortho": np.sqrt(54), "forward": 54}[norm], rel=1e-15)
    divided = {"backward": 1, "ortho": np.sqrt(54), "forward": 54}[norm]
    placed = np.zeros((6, 9), dtype)
    placed[:4, :3] = kernel
    placed = np.roll(placed, (-1, -1), (0, 1))
    expected = both.constant * (dft(x) / divided) * (dft(placed) / divided)
    expected = expected if dtype == "complex128" else expected[:, :5]
    scale = np.abs(x).sum() * np.abs(kernel).sum() / divided
    # The theorem's own bound: 10 eps log2 N of the largest a transform can be.
    bound = 10 * 2.0**-52 * np.log2(54) * scale
    assert_close(both.product_of_transforms, expected, tolerance=bound)
    assert_close(both.transform_of_convolution, expected, tolerance=bound)
    assert_close(both.difference, 0 * expected, tolerance=bound)


@pytest.mark.parametrize(("dtype", "value", "wide"), [("int64", 2**40, "complex128"), ("float16", 200, "complex64")])
def test_the_convolution_theorem_holds_where_the_dtype_would_overflow(dtype, value, wide):
    both = spectral.convolution_theorem(np.full(8, value, dtype), np.full(3, value, dtype))
    assert both.transform_of_convolution.dtype == wide
    expected = np.array([24.0 * value**2, 0, 0, 0, 0])
    for side in both[:2]:
        assert_close(side, expected.astype(wide), tolerance=1e-6 * expected[0])


def test_the_convolution_theorem_holds_for_a_sampled_gaussian():
    """With spacing, transforms are those of the continuous functions: ``exp(-pi t^2)`` is its own."""
    h = 0.05
    t = (np.arange(400) - 200) * h
    x = np.exp(-np.pi * t**2)
    both = spectral.convolution_theorem(np.roll(x, -200), x[1:], spacing=h)
    f = np.fft.rfftfreq(400, h)
    assert_close(both.transform_of_convolution, np.exp(-2 * np.pi * f**2) + 0j, tolerance=1e-13)


def test_the_convolution_theorem_over_some_axes():
    x, kernel = draw((2, 6, 5), "float32", "x"), draw((3, 2), "float64", "kernel")
    both = spectral.convolution_theorem(x, kernel, axes=(2, 1))
    assert both.difference.shape == (2, 4, 5)
    assert both.difference.dtype == "complex64"
    for i in range(2):
        one = spectral.convolution_theorem(x[i].T, kernel)
        assert_close(both.transform_of_convolution[i].T, one.transform_of_convolution, taps=64, scale=np.abs(x).sum())
        assert_close(both.difference[i], 0 * both.difference[i], taps=64, scale=np.abs(x).sum())


X = np.ones((4, 6))
REFUSED = {
    "order must be at least 0: got -1": lambda: spectral.derivative(X, order=-1),
    "order must be an integer: got 1.5": lambda: spectral.derivative(X, order=1.5),
    "the order must leave factors that float64 holds: got order=1000": lambda: spectral.derivative(X, order=1000),
    "the order must leave factors that float32 holds: got order=80": (
        lambda: spectral.derivative(X.astype(np.float32), order=80)
    ),
    "got order=1000001 where": lambda: spectral.derivative(X, order=10**6 + 1, spacing=100.0),
    "spacing must be positive: got 0": lambda: spectral.derivative(X, spacing=0),
    "axes must lie in [-2, 2)": lambda: spectral.hilbert(X, axis=2),
    "spacing needs one entry, or one per convolved axis (2)": lambda: spectral.gradient(X, spacing=(1, 2, 3)),
    "shift must be a finite number: got nan": lambda: spectral.shift(X, np.nan),
    "shift needs one entry, or one per convolved axis (1)": lambda: spectral.shift(X, (1, 2), axes=0),
    "axes must differ from each other": lambda: spectral.riesz(X, axes=(1, -1)),
    "x must have one of the dtypes": lambda: spectral.laplacian(X > 0),
    "the kernel must fit into x: the kernel has shape (5, 5)": lambda: spectral.convolution_theorem(X, np.ones((5, 5))),
    "the kernel must fit into x: the kernel has shape (3,)": lambda: spectral.convolution_theorem(X, [1, 2, 3]),
    "norm must be one of 'backward', 'ortho', 'forward': got 'none'": lambda: spectral.convolution_theorem(
        X, X, norm="none"
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_bad_input_is_refused_with_a_remedy(message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        REFUSED[message]()


def test_empty_arrays_stay_empty():
    for function in (spectral.derivative, spectral.laplacian, spectral.inverse_laplacian, spectral.hilbert):
        assert function(np.zeros((0, 4))).shape == (0, 4)
        assert function(np.zeros((3, 0), np.float32)).dtype == "float32"
    assert spectral.gradient(np.zeros((0, 4))).shape == (2, 0, 4)
    assert spectral.riesz(np.zeros((0, 4))).shape == (2, 0, 4)
    assert spectral.shift(np.zeros((0, 4)), 0.5).shape == (0, 4)


def test_convolving_with_a_derivatives_kernel_is_the_derivative():
    """The kernel of the transfer function 2 pi i f, found by hand, is what `derivative` convolves with."""
    n = np.arange(-3, 4)
    kernel = np.where(n == 0, 0.0, (-1.0) ** n * np.pi / 7 / np.sin(np.pi * np.where(n == 0, 1, n) / 7))
    x = draw((7,), "float64", "x")
    assert_close(gpuconv.convolve(x, kernel, boundary="wrap"), spectral.derivative(x), taps=32)
