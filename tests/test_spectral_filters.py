"""Transfer functions follow their formulas, add up, print and draw; filtering is what convolution is."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

import gpuconv
from gpuconv import kernels, spectral
from gpuconv.errors import MissingLibraryError
from tests.assertions import assert_close
from tests.cases import draw

PROFILES = ("ideal", "butterworth", "gaussian", "raised_cosine")


def plain(profile, ratio, order=2.0, rolloff=0.5):
    """Gain of a low-pass filter at one frequency, `ratio` times its cutoff."""
    if profile == "ideal":
        return float(ratio <= 1)
    if profile == "butterworth":
        return 1 / (1 + ratio ** (2 * order))
    if profile == "gaussian":
        return 0.5 ** (ratio**2)
    if ratio <= 1 - rolloff:
        return 1.0
    if ratio >= 1 + rolloff:
        return 0.0
    return (1 + np.cos(np.pi * (ratio - (1 - rolloff)) / (2 * rolloff))) / 2


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_follow_their_formulas_in_any_number_of_dimensions(profile):
    options = {"order": 3, "rolloff": 0.4}
    ratios = (0.0, 0.3, 0.61, 0.9, 1.2, 1.39, 1.6, 3.0)
    for direction in ([1.0], [0.6, 0.8], [0.48, 0.6, 0.64]):
        transfer = spectral.lowpass(0.15, profile, **options)
        for ratio in ratios:
            value = transfer(*[0.15 * ratio * part for part in direction])
            assert float(value) == pytest.approx(plain(profile, ratio, 3, 0.4), abs=1e-14), (ratio, direction)
    if profile != "ideal":
        assert float(spectral.lowpass(0.15, profile, **options)(0.15)) == pytest.approx(0.5, abs=1e-15)


@pytest.mark.parametrize("profile", PROFILES)
def test_filters_and_their_complements_are_exact(profile):
    f = np.linspace(0, 0.5, 301)
    low, high = spectral.lowpass(0.11, profile), spectral.highpass(0.11, profile)
    assert np.array_equal(high(f), 1 - low(f))
    assert np.array_equal((1 - low)(f), high(f))
    assert (1 - high)(f).tolist() == low(f).tolist()
    band, stop = spectral.bandpass(0.11, 0.3, profile), spectral.bandstop(0.11, 0.3, profile)
    assert np.array_equal(stop(f), 1 - band(f))
    everything = low(f) + band(f) + spectral.highpass(0.3, profile)(f)
    assert_close(everything, np.ones(301), tolerance=4 * 2.0**-52)
    assert np.array_equal((low * high)(f), low(f) * high(f))


def test_ideal_filters_cut_at_the_same_bin_in_every_precision():
    """0.1 is a bin of 20 samples; which side rounding puts it on must not matter."""
    for size in (20, 50, 70):
        x = np.zeros(size)
        x[0] = 1
        transfer = spectral.lowpass(0.1, "ideal")
        kept = {
            name: round(float(spectral.apply(x.astype(name), transfer)[0]) * size) for name in ("float32", "float64")
        }
        assert set(kept.values()) == {2 * size // 10 + 1}


def test_a_notch_stops_a_wave_of_either_sign_and_nothing_else():
    row, column = np.indices((40, 50))
    wave = np.cos(2 * np.pi * (0.2 * row - 0.3 * column) + 0.4)
    other = np.cos(2 * np.pi * (0.2 * row + 0.3 * column))
    left = spectral.apply(wave + other + 7, spectral.notch((0.2, -0.3), 0.02))
    assert_close(left, other + 7, tolerance=1e-12)
    assert float(spectral.notch(0.2)(0.22)) == pytest.approx(0.5, abs=1e-9)


def test_a_stripe_stop_removes_stripes_of_any_period_and_keeps_the_rest():
    row, column = np.indices((60, 60))
    scene = np.cos(2 * np.pi * row / 10) + 3
    stripes = np.where(column % 4 < 2, 1.0, -1.0) + np.cos(2 * np.pi * column / 3)
    left = spectral.apply(scene + stripes, spectral.stripe_stop(0.0, 0.004, profile="ideal"))
    assert_close(left, scene, tolerance=1e-12)
    turned = spectral.apply((scene + stripes).T, spectral.stripe_stop(np.pi / 2, 0.004, profile="ideal"))
    assert_close(turned, scene.T, tolerance=1e-12)


def test_an_ideal_filter_twice_is_the_filter_once():
    x = draw((15, 22), "float64", "x")
    transfer = spectral.lowpass(0.21, "ideal")
    once = spectral.apply(x, transfer)
    assert_close(spectral.apply(once, transfer), once, taps=16)


@pytest.mark.parametrize("profile", PROFILES)
def test_low_and_high_pass_make_the_identity(profile):
    x = draw((15, 22), "float64", "x")
    for boundary in ("wrap", "reflect", "constant"):
        parts = [make(0.17, profile) for make in (spectral.lowpass, spectral.highpass)]
        both = [spectral.apply(x, transfer, boundary=boundary, spacing=(1.0, 0.7)) for transfer in parts]
        assert_close(both[0] + both[1], x, taps=16)


@pytest.mark.parametrize("shape", [(8, 9), (9, 8), (6, 8), (7, 5)])
@pytest.mark.parametrize("kernel", ["lopsided", "symmetric", "complex"])
def test_the_transfer_function_of_a_kernel_convolves(shape, kernel):
    kernel = {
        "lopsided": draw((4, 3), "float64", "kernel"),
        "symmetric": kernels.gaussian(0.9, radius=1),
        "complex": draw((3, 2), "complex128", "kernel"),
    }[kernel]
    x = draw(shape, "float64", "x")
    transfer = spectral.kernel_transfer(kernel, spacing=0.5)
    for boundary, cval in (("wrap", 0.0), ("reflect", 0.0), ("constant", 2.5), (("reflect", "wrap"), 0.0)):
        expected = gpuconv.convolve(x, kernel, boundary=boundary, cval=cval, method="direct")
        result = spectral.apply(x, transfer, spacing=0.5, boundary=boundary, cval=cval)
        assert result.dtype == expected.dtype
        assert_close(result, expected, taps=64, scale=np.abs(kernel).sum() * (np.abs(x).max() + cval))


@pytest.mark.parametrize("shape", [(8, 9), (6, 8), (7, 5), (1, 4)])
def test_the_kernel_of_a_transfer_function_convolves(shape):
    x = draw(shape, "float64", "x")
    for transfer in (
        spectral.lowpass(0.2),
        spectral.notch((0.2, 0.3)),
        spectral.stripe_stop(0.4, 0.1),
        spectral.kernel_transfer(draw((3, 4), "complex128", "kernel")),
    ):
        kernel = spectral.spatial_kernel(transfer, shape, spacing=1.5)
        expected = gpuconv.convolve(x, kernel, boundary="wrap", method="direct")
        result = spectral.apply(x, transfer, spacing=1.5)
        assert_close(result, expected, taps=64, scale=np.abs(kernel).sum() * np.abs(x).max(), case=transfer)


def test_a_kernel_comes_back_from_its_transfer_function():
    for shape in ((5, 4), (4, 7), (1, 6)):
        kernel = draw(shape, "float64", "kernel")
        assert_close(spectral.spatial_kernel(spectral.kernel_transfer(kernel), shape), kernel, taps=32)


def test_filters_that_are_not_even_are_the_same_by_waves_and_by_mirroring():
    """A notch on one axis is even, and goes by cosines; a product with one that is not goes by a mirrored array."""
    x = draw((9, 10), "float64", "x")
    even = spectral.notch((0.2, 0.0), 0.1)
    assert even.is_even
    assert not spectral.notch((0.2, 0.1), 0.1).is_even
    unity = spectral.kernel_transfer([[1.0, 0.0]])
    assert not (even * unity).is_even
    by_cosines = spectral.apply(x, even, boundary="reflect")
    assert_close(spectral.apply(x, even * unity, boundary="reflect"), by_cosines, taps=32)


def test_reflect_does_not_ring_where_wrap_does():
    ramp = np.linspace(0, 1, 64)
    transfer = spectral.lowpass(0.1, "gaussian")
    assert abs(spectral.apply(ramp, transfer) - ramp).max() > 0.3
    assert abs(spectral.apply(ramp, transfer, boundary="reflect") - ramp).max() < 0.05


def test_a_constant_boundary_is_a_field_of_that_value():
    transfer = spectral.lowpass(0.08)
    assert_close(spectral.apply(np.full((6, 5), 3.0), transfer, boundary="constant", cval=3.0), np.full((6, 5), 3.0))
    x = draw((16,), "float64", "x")
    padded = np.pad(x, (0, 16), constant_values=-2.0)
    expected = spectral.apply(padded, transfer)[:16]
    assert_close(spectral.apply(x, transfer, boundary="constant", cval=-2.0), expected, taps=32)
    stopped = spectral.apply(x, spectral.highpass(0.08), boundary="constant", cval=-2.0)
    assert_close(stopped, spectral.apply(padded, spectral.highpass(0.08))[:16], taps=32)


def test_spacing_is_the_unit_of_the_cutoff():
    x = draw((12, 10), "float64", "x")
    expected = spectral.apply(x, spectral.lowpass(0.1))
    assert_close(spectral.apply(x, spectral.lowpass(50.0), spacing=0.002), expected, taps=32)
    wave = np.cos(2 * np.pi * 3.0 * np.arange(40) * 0.05)  # 3 Hz, sampled every 50 ms
    for cutoff, gain in ((2.9, 0.0), (3.1, 1.0)):
        result = spectral.apply(wave, spectral.lowpass(cutoff, "ideal"), spacing=0.05)
        assert_close(result, gain * wave, tolerance=1e-13)


@pytest.mark.parametrize("profile", ["ideal", "butterworth", "gaussian", "raised_cosine"])
@pytest.mark.parametrize(("dtype", "cutoff"), [("float32", 1e-40), ("float32", 1e-60), ("float64", 1e-310)])
def test_the_smallest_cutoffs_leave_the_mean(dtype, cutoff, profile):
    x = draw((8,), dtype, "x")
    result = spectral.apply(x, spectral.lowpass(cutoff, profile))
    assert_close(result, np.full_like(x, x.mean()), taps=16)


def test_batches_are_filtered_one_by_one():
    x = draw((3, 8, 2, 9), "float32", "x")
    transfer = spectral.notch((0.1, 0.3), 0.1)
    for boundary in ("wrap", "reflect", ("constant", "reflect")):
        together = spectral.apply(x, transfer, axes=(3, 1), spacing=(1.0, 0.5), boundary=boundary)
        for i in range(3):
            for j in range(2):
                one = spectral.apply(x[i, :, j].T, transfer, spacing=(1.0, 0.5), boundary=boundary).T
                assert_close(together[i, :, j], one, taps=8)


def test_sampled_transfer_functions_lie_on_the_real_layout():
    transfer = spectral.lowpass(0.2)
    half = transfer.sampled((6, 5), spacing=(1.0, 2.0))
    expected = [
        [plain("butterworth", np.hypot(i, j) / 0.2) for j in np.fft.rfftfreq(5, 2.0)] for i in np.fft.fftfreq(6)
    ]
    assert_close(half, np.array(expected), tolerance=1e-14)
    full = transfer.sampled((6, 5), spacing=(1.0, 2.0), half=False)
    assert full.shape == (6, 5)
    assert np.array_equal(full[:, :3], half)
    assert np.array_equal(full[1:, 1:], full[1:, 1:][::-1, ::-1])


def test_numbers_of_numpy_are_numbers():
    transfer = spectral.lowpass(0.1)
    assert np.array_equal(spectral.spatial_kernel(transfer, np.int64(9)), spectral.spatial_kernel(transfer, 9))
    expected = spectral.apply(X, transfer, boundary="constant", cval=1.0)
    for one in (np.float32(1), np.int64(1), np.array(1.0)):
        assert np.array_equal(spectral.apply(X, transfer, boundary="constant", cval=one), expected)


def test_what_is_left_out_by_name_is_what_is_left_out_by_subtraction():
    assert spectral.highpass(0.1) == 1 - spectral.lowpass(0.1) != 1 - spectral.lowpass(0.2)
    assert hash(spectral.bandstop(0.1, 0.2)) == hash(1 - spectral.bandpass(0.1, 0.2))


def test_transfer_functions_print_as_they_are_made():
    texts = {
        "lowpass(0.1, 'butterworth', order=2)": spectral.lowpass(0.1),
        "highpass(0.1, 'ideal')": spectral.highpass(0.1, "ideal"),
        "bandpass(0.1, 0.2, 'gaussian')": spectral.bandpass(0.1, 0.2, "gaussian"),
        "bandstop(0.1, 0.2, 'raised_cosine', rolloff=0.5)": spectral.bandstop(0.1, 0.2, "raised cosine"),
        "notch((0.1, -0.2), 0.02, 'gaussian')": spectral.notch((0.1, -0.2), 0.02),
        "stripe_stop(0.5, 0.02, above=0.1, 'gaussian')": spectral.stripe_stop(0.5, 0.02, above=0.1),
        "kernel_transfer(kernel of shape (2, 3))": spectral.kernel_transfer(np.ones((2, 3))),
        "notch(0.2, 0.02, 'gaussian') * (1 - lowpass(0.1, 'ideal'))": (
            spectral.notch(0.2) * (1 - spectral.lowpass(0.1, "ideal"))
        ),
    }
    assert [str(transfer) for transfer in texts.values()] == list(texts)
    assert repr(spectral.lowpass(0.1)) == str(spectral.lowpass(0.1))
    assert spectral.lowpass(0.1) == spectral.lowpass(0.1) != spectral.lowpass(0.2)


def test_transfer_functions_draw_themselves():
    pytest.importorskip("matplotlib")
    axes = spectral.lowpass(20.0).plot(spacing=0.01)
    line = axes.lines[0]
    assert line.get_xdata()[-1] == 50.0
    assert line.get_ydata()[0] == 1.0
    assert axes.get_xlabel() == "frequency (cycles per unit)"
    picture = spectral.notch((0.2, 0.1)).plot()
    assert picture.images[0].get_array().shape == (257, 257)
    assert picture.get_ylabel() == "frequency along axis 0 (cycles per sample)"
    assert spectral.lowpass(0.1).plot(ndim=2, axes=picture) is picture
    with pytest.raises(ValueError, match="pictures have one or two axes: got ndim=3"):
        spectral.lowpass(0.1).plot(ndim=3)


def test_drawing_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingLibraryError, match="plot needs matplotlib: it is not installed"):
        spectral.lowpass(0.1).plot()


X = np.ones((4, 6))
REFUSED = {
    "cutoff must be positive: got 0": lambda: spectral.lowpass(0),
    "cutoff must be a real number: got 'a'": lambda: spectral.highpass("a"),
    "profile must be one of 'ideal', 'butterworth', 'gaussian', 'raised_cosine': got 'box'": lambda: spectral.lowpass(
        0.1, "box"
    ),
    "order must be positive: got -1": lambda: spectral.lowpass(0.1, order=-1),
    "rolloff must be at most 1: got 1.5": lambda: spectral.lowpass(0.1, "raised_cosine", rolloff=1.5),
    "low must be below high: got low=0.2, high=0.1": lambda: spectral.bandpass(0.2, 0.1),
    "frequency must not be zero: got frequency=(0, 0)": lambda: spectral.notch((0, 0)),
    "width must be positive: got 0": lambda: spectral.notch(0.1, 0),
    "above must be positive: got 0": lambda: spectral.stripe_stop(0.1, 0.1, above=0),
    "angle must be a finite number: got nan": lambda: spectral.stripe_stop(np.nan, 0.1),
    "transfer must be a TransferFunction: got ndarray": lambda: spectral.apply(X, X),
    "is for 1 axes, got 2": lambda: spectral.apply(X, spectral.notch(0.1)),
    "factors must be for one number of axes": lambda: spectral.notch(0.1) * spectral.stripe_stop(0.1, 0.1),
    "boundary must be one of 'wrap', 'reflect', 'constant': got 'mirror'": lambda: spectral.apply(
        X, spectral.lowpass(0.1), boundary="mirror"
    ),
    "spacing must be positive: got -1": lambda: spectral.apply(X, spectral.lowpass(0.1), spacing=-1),
    "spacing needs one entry, or one per convolved axis (2): got 3": lambda: spectral.apply(
        X, spectral.lowpass(0.1), spacing=(1, 1, 1)
    ),
    "cval of a real array must be real: got 1j": lambda: spectral.apply(
        X, spectral.lowpass(0.1), boundary="constant", cval=1j
    ),
    "cval must be a number: got None": lambda: spectral.apply(X, spectral.lowpass(0.1), boundary="constant", cval=None),
    "cval must be finite, and in the range of float64: got nan": lambda: spectral.apply(
        X, spectral.lowpass(0.1), boundary="constant", cval=np.nan
    ),
    "cval must be finite, and in the range of float64: got a whole number beyond it": lambda: spectral.apply(
        X, spectral.lowpass(0.1), boundary="constant", cval=10**400
    ),
    "cval must be finite, and in the range of float32: got 1e+39": lambda: spectral.apply(
        X.astype(np.float32), spectral.lowpass(0.1), boundary="constant", cval=1e39
    ),
    "transfer must be a TransferFunction: got int": lambda: spectral.spatial_kernel(3, 9),
    "each of shape must be an integer: got None": lambda: spectral.spatial_kernel(spectral.lowpass(0.1), None),
    "each of shape must be an integer: got 9.5": lambda: spectral.lowpass(0.1).sampled(9.5),
    "lowpass(0.1, 'butterworth', order=2) was given none. Name an axis at least.": lambda: spectral.lowpass(0.1)(),
    "was given none": lambda: spectral.lowpass(0.1).sampled(()),
    "axes must lie in [-2, 2)": lambda: spectral.apply(X, spectral.lowpass(0.1), axes=2),
    "kernel needs an axis, and a weight: its shape is (0,)": lambda: spectral.kernel_transfer([]),
    "x must have one of the dtypes": lambda: spectral.apply(X > 0, spectral.lowpass(0.1)),
    "a filter needs at least one axis": lambda: spectral.apply(np.float64(3.0), spectral.lowpass(0.1)),
    "unsupported operand type(s) for *: 'Lowpass' and 'int'": lambda: spectral.lowpass(0.1) * 2,
    "unsupported operand type(s) for -: 'int' and 'Lowpass'": lambda: 2 - spectral.lowpass(0.1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_bad_input_is_refused_with_a_remedy(message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        REFUSED[message]()


def test_empty_arrays_stay_empty():
    assert spectral.apply(np.zeros((0, 4)), spectral.lowpass(0.1)).shape == (0, 4)
    assert (
        spectral.apply(np.zeros((3, 0), np.uint8), spectral.lowpass(0.1), axes=1, boundary="reflect").dtype == "float32"
    )
