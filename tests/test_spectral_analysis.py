"""Spectra obey Parseval, rings and bands count every bin, and stripes and orientations are found where they are."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest

from gpuconv import spectral
from tests.assertions import assert_close
from tests.cases import draw


def dft(x):
    for axis, size in enumerate(x.shape):
        k = np.arange(size)
        x = np.moveaxis(np.tensordot(np.exp(-2j * np.pi * np.outer(k, k) / size), x, axes=(1, axis)), 0, axis)
    return x


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("shape", [(8,), (7,), (6, 5), (5, 6), (3, 4, 5), (1, 2)])
def test_power_spectra_follow_their_definition(shape, dtype):
    x = draw(shape, dtype, "x")
    power = spectral.power_spectrum(x)
    assert_close(power, np.abs(dft(x)) ** 2 / x.size**2, taps=64, scale=np.abs(x).max() ** 2)
    assert_close(power.sum(), np.array(np.mean(np.abs(x) ** 2)), taps=64)


def test_windows_keep_the_power_of_noise_and_let_waves_leak_less():
    x = np.cos(2 * np.pi * 0.2345 * np.arange(64))
    far = slice(25, 40)
    leaked = [spectral.power_spectrum(x, window=window)[far].max() for window in ("none", "hann", "disc")]
    assert leaked[1] < leaked[0] / 1000
    assert leaked[2] < leaked[0] / 1000
    for window in ("hann", "disc"):
        impulse_free = np.mean([spectral.power_spectrum(row, window=window).sum() for row in np.eye(64)])
        assert impulse_free == pytest.approx(1 / 64, rel=1e-12)


def test_log_spectra_are_centred_decibels():
    for shape in ((8, 9), (5, 4)):
        x = draw(shape, "float64", "x")
        power = np.abs(dft(x)) ** 2
        expected = np.fft.fftshift(np.maximum(10 * np.log10(power / power.max()), -20))
        assert_close(spectral.log_spectrum(x, floor=-20.0), expected, tolerance=1e-9)
    assert spectral.log_spectrum(np.zeros((4, 4), np.float32)).tolist() == [[-120.0] * 4] * 4
    stack = spectral.log_spectrum(np.stack([x, 5 * x]), axes=(1, 2))
    assert_close(stack[0], stack[1], tolerance=1e-9)


def rings_by_hand(power, spacing):
    """Every bin asked which ring it is in."""
    lengths = [size * step for size, step in zip(power.shape, spacing, strict=True)]
    sums, counts = {}, {}
    for index in np.ndindex(power.shape):
        k = [min(i, size - i) for i, size in zip(index, power.shape, strict=True)]
        ring = int(
            np.floor(
                np.sqrt(sum((max(lengths) * one / length) ** 2 for one, length in zip(k, lengths, strict=True))) + 0.5
            )
        )
        sums[ring] = sums.get(ring, 0) + power[index]
        counts[ring] = counts.get(ring, 0) + 1
    rings = sorted(counts)
    return np.array(rings), np.array([sums[ring] / counts[ring] for ring in rings]), [counts[ring] for ring in rings]


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((8, 8), (1.0, 1.0)),
        ((7, 12), (1.0, 0.5)),
        ((4, 5, 6), (1.0, 2.0, 1.0)),
        ((9,), (0.1,)),
        ((2, 30), (1, 1)),
        ((6, 8), (1, 1e-7)),
        ((4, 7), (3.0, 0.2)),
    ],
)
def test_rings_count_every_bin_once(shape, spacing):
    x = draw(shape, "float64", "x")
    profile = spectral.radial_profile(x, spacing=spacing)
    rings, expected, counts = rings_by_hand(np.abs(dft(x)) ** 2 / x.size**2, spacing)
    assert profile.count.tolist() == counts
    assert sum(counts) == x.size
    assert_close(profile.power, expected, taps=64, scale=np.abs(x).max() ** 2)
    longest = max(size * step for size, step in zip(shape, spacing, strict=True))
    assert_close(profile.frequency, rings / longest)
    assert (profile.power * profile.count).sum() == pytest.approx(np.mean(x**2), rel=1e-12)


@pytest.mark.parametrize(("shape", "spacing"), [((2, 50000), 1.0), ((300, 300), (1.0, 1e-6))])
def test_rings_take_memory_in_proportion_to_bins(shape, spacing):
    """Sizes and spacings that differ make many rings, some of them long."""
    x = np.ones(shape)
    tracemalloc.start()
    profile = spectral.radial_profile(x, spacing=spacing)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 16 * x.nbytes
    assert int(profile.count.sum()) == x.size
    assert profile.power[0] == pytest.approx(1.0, rel=1e-12)


def test_rings_of_batches():
    x = draw((6, 2, 5), "float32", "x")
    together = spectral.radial_profile(x, axes=(2, 0))
    for i in range(2):
        one = spectral.radial_profile(x[:, i].T)
        assert together.count.tolist() == one.count.tolist()
        assert_close(together.power[i], one.power, taps=32)


THIRDS = [20, 25, 31.5, 40, 50, 63, 80, 100, 125, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500]
THIRDS += [3150, 4000, 5000, 6300, 8000, 10000, 12500, 16000, 20000]


def test_bands_have_the_names_and_edges_of_the_standard():
    bars = spectral.bands(np.zeros(100), 1 / 96000, fraction=3)
    assert list(bars.name) == THIRDS
    assert bars.centre[17] == pytest.approx(1000)
    # IEC 61260-1, table E.1: exact mid-band frequencies of 20 Hz, 125 Hz and 20 kHz.
    assert [round(bars.centre[i], 3) for i in (0, 8, 30)] == [19.953, 125.893, 19952.623]
    assert bars.high[:-1] == pytest.approx(bars.low[1:])
    octaves = spectral.bands(np.zeros(100), 1 / 96000)
    assert list(octaves.name) == [31.5, 63, 125, 250, 500, 1000, 2000, 4000, 8000, 16000]
    assert [octaves.high[i] / octaves.low[i] for i in range(10)] == pytest.approx([10**0.3] * 10)
    assert spectral.bands(np.zeros(100), 1 / 8000).name[-1] == 2000.0  # 4 kHz reaches beyond Nyquist


@pytest.mark.parametrize("size", [999, 1000])
def test_bands_add_up(size):
    """A bin that two bands share is shared out; all bins but the mean and those beyond the bands are counted."""
    rate = 4000.0
    x = draw((2, size), "float64", "x")
    for fraction in (1, 3):
        bars = spectral.bands(x, 1 / rate, fraction=fraction, low=25)
        resolution = rate / size
        expected = np.zeros(2)
        power = np.abs(np.fft.fft(x)) ** 2 / size**2
        for k in range(size):
            f = min(k, size - k) * resolution
            inside = min(f + resolution / 2, bars.high[-1]) - max(f - resolution / 2, bars.low[0])
            expected += power[:, k] * min(max(inside / resolution, 0), 1) * (k != 0)
        assert_close(bars.power.sum(axis=-1), expected, taps=size)


def test_tones_stand_in_their_bands():
    t = np.arange(44100) / 44100
    sound = 0.5 * np.sin(2 * np.pi * 440 * t) + 0.1 * np.sin(2 * np.pi * 6000 * t)
    for fraction, names in ((1, (500.0, 8000.0)), (3, (400.0, 6300.0))):
        bars = spectral.bands(np.stack([sound, 2 * sound], axis=1), 1 / 44100, fraction=fraction, axis=0)
        levels = dict(zip(bars.name, bars.power[0], strict=True))
        assert levels.pop(names[0]) == pytest.approx(0.125, rel=1e-3)
        assert levels.pop(names[1]) == pytest.approx(0.005, rel=1e-3)
        assert max(levels.values()) < 1e-6
        assert_close(bars.power[1], 4 * bars.power[0], taps=8)


def direction(angle):
    """The same line in (-pi/2, pi/2]."""
    turned = (angle + np.pi / 2) % np.pi - np.pi / 2
    return np.pi / 2 if turned == -np.pi / 2 else turned


@pytest.mark.parametrize("angle", np.radians([-89, -60, -37, -10, 0, 3.3, 45, 72.5, 90]))
@pytest.mark.parametrize("frequency", [0.0612, 0.2345, 0.4])
def test_stripes_are_found_between_the_bins(angle, frequency):
    row, column = np.indices((96, 120))
    phase = 2 * np.pi * frequency * (row * np.sin(angle) + column * np.cos(angle)) + 0.7
    stripes = spectral.strongest_stripes(20 + 3 * np.cos(phase) + 0.3 * np.cos(0.9 * row))
    # A bin is 1/96 wide; what is left is the other sign's leakage, and the weaker wave's.
    assert stripes.frequency == pytest.approx(frequency, abs=2e-4)
    assert abs(direction(stripes.angle - angle)) < 2e-4 / frequency
    assert stripes.amplitude == pytest.approx(3, rel=0.01)
    assert -np.pi / 2 < stripes.angle <= np.pi / 2


def test_stripes_in_units_of_spacing_and_above_a_frequency():
    row, column = np.indices((64, 64)) * np.array([0.1, 0.2])[:, None, None]
    fine = np.cos(2 * np.pi * (1.3 * row + 0.7 * column))
    coarse = 5 * np.cos(2 * np.pi * 0.4 * row)
    both = np.stack([fine, fine + coarse], axis=-1)
    stripes = spectral.strongest_stripes(both, axes=(0, 1), spacing=(0.1, 0.2))
    assert stripes.frequency.round(2).tolist() == [1.48, 0.4]
    stripes = spectral.strongest_stripes(both, axes=(0, 1), spacing=(0.1, 0.2), above=0.9)
    assert stripes.frequency == pytest.approx(np.hypot(1.3, 0.7), abs=0.02)
    assert stripes.angle == pytest.approx(np.arctan2(1.3, 0.7), abs=0.02)
    nothing = spectral.strongest_stripes(np.zeros((8, 8)))
    assert nothing.amplitude == 0


@pytest.mark.parametrize("method", ["moments", "tensor"])
@pytest.mark.parametrize("angle", np.radians([-80, -45, -37, 0, 20, 45, 90]))
def test_orientation_of_stripes(angle, method):
    row, column = np.indices((64, 80))
    x = np.cos(0.8 * (row * np.sin(angle) + column * np.cos(angle)))
    found = spectral.orientation(x, method=method)
    assert abs(direction(found - angle)) < 1e-3
    assert -np.pi / 2 < found <= np.pi / 2


@pytest.mark.parametrize("shape", [(16, 16), (15, 16), (16, 15), (9, 11)])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_moments_and_structure_tensor_agree_through_parseval(shape, dtype):
    x = draw(shape, dtype, "x")
    for options in (
        {},
        {"window": "none"},
        {"window": "hann", "spacing": (1.0, 0.3)},
        {"transfer": spectral.lowpass(0.2)},
    ):
        angles = [spectral.orientation(x, method=method, **options) for method in ("moments", "tensor")]
        assert abs(direction(angles[0] - angles[1])) < 1e-12, options


def test_orientation_is_in_units_of_spacing():
    row, column = np.indices((64, 64))
    x = np.cos(0.4 * row + 0.4 * column)
    assert spectral.orientation(x) == pytest.approx(np.pi / 4, abs=1e-3)
    assert spectral.orientation(x, spacing=(0.5, 1.0)) == pytest.approx(np.arctan(2.0), abs=1e-3)


@pytest.fixture(scope="module")
def brick():
    data = pytest.importorskip("skimage.data")
    return data.brick().astype(float)


@pytest.mark.parametrize("degrees", [5, 37, -60])
@pytest.mark.parametrize("order", [1, 3])
def test_a_turned_photo_is_turned_by_its_orientation(brick, degrees, order):
    """scikit-image turns against the clock as seen on a screen, where axis 0 points down: the angle falls."""
    transform = pytest.importorskip("skimage.transform")
    turned = transform.rotate(brick, degrees, order=order, preserve_range=True)
    for method in ("moments", "tensor"):
        change = spectral.orientation(brick, method=method) - spectral.orientation(turned, method=method)
        assert abs(np.degrees(direction(change - np.radians(degrees)))) < 0.5


X = np.ones((4, 6))
REFUSED = {
    "window must be one of 'none', 'hann', 'disc': got 'box'": lambda: spectral.power_spectrum(X, window="box"),
    "floor must lie between -300 and 0 decibels: got 3": lambda: spectral.log_spectrum(X, floor=3),
    "radial_profile needs samples on its axes: x has shape (0, 4)": lambda: spectral.radial_profile(np.ones((0, 4))),
    "rings need axes of comparable lengths: axes are 4e-20 and 4 long": lambda: spectral.radial_profile(
        np.ones((4, 4)), spacing=(1, 1e-20)
    ),
    "fraction must be 1 or 3: got 2": lambda: spectral.bands(X, 1.0, fraction=2),
    "there must be a band between low, high and Nyquist: low=20 Hz, high=20000 Hz, and Nyquist is at 0.5 Hz": (
        lambda: spectral.bands(X, 1.0)
    ),
    "bands needs samples on its axes: x has shape (0,)": lambda: spectral.bands([], 1.0),
    "fraction must be an integer: got 3.0": lambda: spectral.bands(X, 1 / 8000, fraction=3.0),
    "fraction must be an integer: got True": lambda: spectral.bands(X, 1 / 8000, fraction=True),
    "orientation needs samples on its axes: x has shape (0, 8)": lambda: spectral.orientation(np.ones((0, 8))),
    "above must leave a frequency: got 10, and the fastest wave that samples show has 0.707": (
        lambda: spectral.strongest_stripes(np.ones((8, 8)), above=10)
    ),
    "orientation needs two axes: x has shape (4,), axes=None": lambda: spectral.orientation(np.ones(4)),
    "orientation needs two axes: x has shape (4, 6), axes=0": lambda: spectral.orientation(X, axes=0),
    "method must be one of 'moments', 'tensor': got 'fit'": lambda: spectral.orientation(X, method="fit"),
    "frequencies need weights that are the same for f and -f": lambda: spectral.orientation(
        X, transfer=spectral.kernel_transfer([[1j, 2]])
    ),
    "stripes need 4 samples or more on each axis: x has shape (3, 6)": lambda: spectral.strongest_stripes(X[:3]),
    "stripes need a real image: x has dtype complex128": lambda: spectral.strongest_stripes(X * 1j),
    "above must not be negative: got -1": lambda: spectral.strongest_stripes(X, above=-1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_bad_input_is_refused_with_a_remedy(message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        REFUSED[message]()


def test_empty_arrays_have_empty_spectra():
    assert spectral.power_spectrum(np.zeros((0, 4))).shape == (0, 4)
    assert spectral.log_spectrum(np.zeros((3, 0), np.float32)).dtype == "float32"
