"""`gpuconv spectrum`, `lowpass` and its kin, `orientation` and `compress`: `gpuconv.spectral` on files."""

from __future__ import annotations

import re

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from gpuconv import spectral
from gpuconv.cli.frequencies import PROFILES
from gpuconv.cli.pictures import Picture
from gpuconv.cli.spectrum import stripes_in_words
from tests.cli.command_line import assert_done, assert_refused, command

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def photo(tmp_path, rng):
    """Stripes of 0.11 cycles per pixel down and 0.2 across on noise, in colour."""
    row, column = np.indices((64, 80))
    wave = np.cos(2 * np.pi * (0.11 * row + 0.2 * column))
    samples = np.clip(128 + 60 * wave[..., None] + 5 * rng.standard_normal((64, 80, 3)), 0, 255).astype(np.uint8)
    imageio.imwrite(tmp_path / "in.png", samples)
    return tmp_path / "in.png", samples


FILTERS = [
    (("lowpass", "--cutoff", "0.1"), spectral.lowpass(0.1)),
    (("lowpass", "--cutoff", "0.1", "--order", "4"), spectral.lowpass(0.1, order=4)),
    (("highpass", "--cutoff", "0.2", "--profile", "gaussian"), spectral.highpass(0.2, "gaussian")),
    (
        ("bandpass", "--low", "0.1", "--high", "0.3", "--profile", "raised_cosine", "--rolloff", "0.2"),
        spectral.bandpass(0.1, 0.3, "raised_cosine", rolloff=0.2),
    ),
    (("notch", "--frequency", "0.11,0.2"), spectral.notch((0.11, 0.2))),
    (("notch", "--frequency=-0.1,0.2", "--width", "0.05"), spectral.notch((-0.1, 0.2), 0.05)),
]


@pytest.mark.parametrize(("words", "transfer"), FILTERS)
def test_filters_are_those_of_the_library_colour_by_colour(tmp_path, capsys, photo, words, transfer):
    source, samples = photo
    outcome = command(capsys, words[0], source, tmp_path / "out.tif", *words[1:])
    assert_done(outcome)
    assert outcome.out.splitlines()[1] == f"{transfer}, boundary reflect, on cpu"
    expected = spectral.apply(samples.astype(np.float32), transfer, axes=(0, 1), boundary="reflect")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), expected)
    assert_done(command(capsys, words[0], source, tmp_path / "out.png", *words[1:]))
    np.testing.assert_array_equal(imageio.imread(tmp_path / "out.png"), np.clip(np.rint(expected), 0, 255))


@pytest.mark.parametrize("boundary", ["wrap", "reflect", "constant"])
def test_boundaries_and_pages(tmp_path, capsys, rng, boundary):
    stack = rng.random((6, 9, 8))
    np.save(tmp_path / "in.npy", stack)
    words = ("lowpass", tmp_path / "in.npy", tmp_path / "out.npy", "--cutoff", "0.2", "--boundary", boundary)
    for more, axes in ((), (1, 2)), (("--across-pages",), (0, 1, 2)):
        assert_done(command(capsys, *words, "--cval", "2", *more))
        expected = spectral.apply(stack, spectral.lowpass(0.2), axes=axes, boundary=boundary, cval=2.0)
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-12)


def test_a_signal_is_filtered_along_its_only_axis(tmp_path, capsys, rng):
    signal = rng.random(50)
    np.save(tmp_path / "in.npy", signal)
    assert_done(command(capsys, "notch", tmp_path / "in.npy", tmp_path / "out.npy", "--frequency", "0.2"))
    expected = spectral.apply(signal, spectral.notch(0.2), boundary="reflect")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_the_strongest_stripes_are_found_and_taken_out(tmp_path, capsys, photo):
    source, samples = photo
    outcome = command(capsys, "notch", source, tmp_path / "out.png", "--strongest")
    assert_done(outcome)
    found = [float(number) for number in re.findall(r"notch\(\(([-0-9.]+), ([-0-9.]+)\)", outcome.out)[0]]
    assert np.allclose(found, (0.11, 0.2), atol=1e-3)
    assert imageio.imread(tmp_path / "out.png").astype(float).std() < 0.4 * samples.std()
    imageio.imwrite(tmp_path / "flat.png", np.full((30, 30), 7, np.uint8))
    outcome = command(capsys, "notch", tmp_path / "flat.png", tmp_path / "out.png", "--strongest")
    assert_refused(outcome, "--strongest needs stripes")


def test_the_spectrum_is_that_of_the_brightness_in_decibels(tmp_path, capsys, photo):
    source, samples = photo
    brightness = samples.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    for window, floor in (("hann", -100.0), ("none", -60.0), ("disc", -80.0)):
        words = ("spectrum", source, tmp_path / "out.npy", "--window", window, f"--floor={floor}")
        assert_done(command(capsys, *words))
        expected = spectral.log_spectrum(brightness, window=window, floor=floor)
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
        assert_done(command(capsys, *words[:2], tmp_path / "out.png", *words[3:]))
        shown = imageio.imread(tmp_path / "out.png")
        np.testing.assert_array_equal(shown, np.clip(np.rint(255 - expected * (255 / floor)), 0, 255))
        assert shown[32, 40] == 255  # zero frequency


def test_the_spectrum_names_the_stripes_of_a_pattern(tmp_path, capsys, photo):
    line = command(capsys, "spectrum", photo[0], tmp_path / "out.png").out.splitlines()[2]
    numbers = [float(number) for number in re.findall(r"-?\d+\.\d+", line)]
    expected = [0.05, np.hypot(0.11, 0.2), 1 / np.hypot(0.11, 0.2), np.degrees(np.arctan2(0.11, 0.2))]
    np.testing.assert_allclose(numbers, expected, rtol=5e-3)
    assert stripes_in_words(Picture(np.ones((3, 9)), "YX"), 0.05, "cpu") == ""


def test_spectra_of_stacks_and_signals(tmp_path, capsys, rng):
    for shape, axes in ((40,), (0,)), ((3, 10, 12), (1, 2)):
        np.save(tmp_path / "in.npy", x := rng.random(shape))
        assert_done(command(capsys, "spectrum", tmp_path / "in.npy", tmp_path / "out.npy"))
        expected = spectral.log_spectrum(x, axes=axes, window="hann", floor=-100.0)
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-9)


@pytest.mark.parametrize("degrees", [-80, -30, 0, 37, 90])
def test_the_angle_of_stripes_is_printed(tmp_path, capsys, degrees):
    row, column = np.indices((128, 96))
    angle = np.radians(degrees)
    np.save(tmp_path / "in.npy", np.cos(0.5 * (row * np.sin(angle) + column * np.cos(angle))))
    outcome = command(capsys, "orientation", tmp_path / "in.npy")
    assert_done(outcome)
    lines = outcome.out.splitlines()
    for line, expected in zip(lines[1:3], (degrees, degrees + 90), strict=True):
        printed = float(line.split()[-2])
        assert -90 < printed <= 90.005
        assert abs((printed - expected + 90) % 180 - 90) < 0.1


def test_options_of_orientation_reach_the_library(tmp_path, capsys, rng):
    np.save(tmp_path / "in.npy", x := rng.random((40, 50)))
    words = ("--method", "tensor", "--window", "hann", "--smooth", "0.1")
    outcome = command(capsys, "orientation", tmp_path / "in.npy", *words)
    transfer = spectral.lowpass(0.1, "gaussian")
    expected = np.degrees(spectral.orientation(x, method="tensor", window="hann", transfer=transfer))
    assert f"varies most at {expected:.2f} degrees" in outcome.out


@pytest.mark.parametrize("method", ["largest", "disc", "dct", "blocks"])
def test_compression_prints_ratio_and_psnr(tmp_path, capsys, photo, method):
    source, samples = photo
    outcome = command(capsys, "compress", source, tmp_path / "out.tif", "--keep", "0.1", "--method", method)
    assert_done(outcome)
    expected = spectral.compress(samples, 0.1, method=method, axes=(0, 1))
    result = tifffile.imread(tmp_path / "out.tif")
    np.testing.assert_array_equal(result, expected.image)
    psnr = 10 * np.log10(255**2 / np.mean((result.astype(float) - samples) ** 2))
    assert outcome.out.splitlines()[-1].endswith(f"ratio {expected.ratio:.1f}, psnr {psnr:.1f} dB")


def test_compression_of_other_numbers(tmp_path, capsys, rng):
    np.save(tmp_path / "in.npy", x := rng.random((3, 16, 16)))
    words = ("compress", tmp_path / "in.npy", tmp_path / "out.npy")
    psnr = spectral.compress(x, 0.05, axes=(1, 2)).psnr
    assert f"psnr {psnr.min():.1f} to {psnr.max():.1f} dB" in command(capsys, *words).out
    np.save(tmp_path / "in.npy", np.zeros((8, 8)))
    assert "psnr infinite: nothing is lost" in command(capsys, *words).out


PLOTS = [
    ("spectrum", ()),
    ("lowpass", ("--cutoff", "0.1")),
    ("highpass", ("--cutoff", "0.1")),
    ("notch", ("--frequency", "0.11,0.2")),
    ("compress", ()),
]


@pytest.mark.parametrize(("name", "words"), PLOTS)
def test_plot_draws_instead(tmp_path, capsys, photo, name, words):
    outcome = command(capsys, name, photo[0], tmp_path / "out.png", "--plot", *words)
    assert_done(outcome)
    assert "labelled" in outcome.out
    assert (tmp_path / "out.png").read_bytes().startswith(PNG)
    assert imageio.imread(tmp_path / "out.png").shape[1] > 500
    np.save(tmp_path / "stack.npy", np.ones((2, 8, 8)))
    assert_refused(command(capsys, name, tmp_path / "stack.npy", tmp_path / "b.png", "--plot", *words), "2 pages")
    assert_refused(command(capsys, name, photo[0], tmp_path / "b.npy", "--plot", *words), "a drawing ends in one of")


def test_orientation_draws_into_a_second_file(tmp_path, capsys, photo):
    outcome = command(capsys, "orientation", photo[0], tmp_path / "out.svg")
    assert_done(outcome)
    drawn = (tmp_path / "out.svg").read_text(encoding="utf-8")
    assert "<svg" in drawn
    assert outcome.out.splitlines()[-1].startswith(f"wrote {tmp_path / 'out.svg'}")


WRONG = [
    (("lowpass", "IN", "OUT"), "the following arguments are required: --cutoff"),
    (("lowpass", "IN", "OUT", "--cutoff", "20"), "For a period of 20 pixels give 0.05."),
    (("lowpass", "IN", "OUT", "--cutoff", "-1"), "cutoff"),
    (("lowpass", "IN", "OUT", "--cutoff", "0.1", "--order", "0"), "order"),
    (("lowpass", "IN", "OUT", "--cutoff", "0.1", "--profile", "gausian"), "--profile: invalid choice: 'gausian'"),
    (("lowpass", "IN", "OUT", "--cutoff", "0.1", "--boundary", "mirror"), "--boundary: invalid choice: 'mirror'"),
    (("lowpas", "IN", "OUT", "--cutoff", "0.1"), "Did you mean 'lowpass'?"),
    (("lowpass", "IN", "OUT", "--cutoff", "0.1", "--across-pages"), "--across-pages goes with a stack of pages"),
    (("bandpass", "IN", "OUT", "--low", "0.2", "--high", "0.1"), "low must be below high"),
    (("notch", "IN", "OUT"), "one of the arguments --frequency --strongest is required"),
    (("notch", "IN", "OUT", "--frequency", "0.2"), "one number for each direction: got 1 for 2"),
    (("notch", "IN", "OUT", "--frequency", "0,0"), "frequency must not be zero"),
    (("spectrum", "IN", "OUT", "--floor", "3"), "floor must lie between -300 and 0"),
    (("spectrum", "IN", "OUT", "--above", "3"), "--above leaves stripes to look for"),
    (("notch", "IN", "OUT", "--strongest", "--above", "0.8"), "--above leaves stripes to look for"),
    (("spectrum", "missing.png", "OUT"), "missing.png: No such file"),
    (("spectrum", "TEXT", "OUT"), "in no format that is known here"),
    (("orientation", "TEXT"), "in no format that is known here"),
    (("orientation", "IN", "a.gif"), "a drawing ends in one of .png, .svg, .pdf"),
    (("orientation", "STACK"), "a direction is that of one picture"),
    (("orientation", "NAN"), "a direction needs numbers"),
    (("compress", "IN", "OUT", "--keep", "0"), "keep must be above 0 and at most 1"),
    (("compress", "IN", "OUT", "--keep", "5"), "keep must be above 0 and at most 1"),
    (("compress", "IN", "missing/out.png"), "the folder of the output must exist"),
]


@pytest.mark.parametrize(("words", "fragment"), WRONG)
def test_mistakes_are_one_line_and_nothing_is_written(tmp_path, capsys, photo, words, fragment):
    np.save(tmp_path / "stack.npy", np.ones((2, 8, 8)))
    np.save(tmp_path / "nan.npy", np.full((8, 8), np.nan))
    (tmp_path / "text.png").write_text("no picture")
    before = sorted(tmp_path.iterdir())
    places = {"IN": photo[0], "OUT": tmp_path / "out.png", "TEXT": tmp_path / "text.png"}
    places |= {"STACK": tmp_path / "stack.npy", "NAN": tmp_path / "nan.npy"}
    assert_refused(command(capsys, *(places.get(word, word) for word in words)), fragment)
    assert sorted(tmp_path.iterdir()) == before


def test_all_profiles_are_offered(capsys):
    from gpuconv.spectral._filters import PROFILES as KNOWN

    assert set(PROFILES) == set(KNOWN)
