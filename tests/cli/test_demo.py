"""`gpuconv demo`: the contact sheet, the single pictures, and what is shown on them."""

from __future__ import annotations

import sys

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

import gpuconv
from gpuconv import kernels
from gpuconv.cli.demo import EXHIBITS, exhibits
from gpuconv.cli.feature_maps import FEATURES, feature_maps, feature_panels
from gpuconv.cli.frequency_panels import TURN, frequency_panels, turning_panels
from gpuconv.cli.outlines import brightness, directions, drawing, outline_panels, outlines
from gpuconv.cli.pictures import Picture
from gpuconv.cli.sheet import Panel, Sheet, drawn_sheet
from gpuconv.cli.viewing import displayed
from tests.cli.command_line import assert_done, assert_refused, command


@pytest.fixture
def photo(tmp_path, rng):
    samples = rng.integers(0, 256, (60, 40, 3)).astype(np.uint8)
    imageio.imwrite(tmp_path / "photo.png", samples)
    return tmp_path / "photo.png"


def test_the_whole_zoo_is_shown():
    assert {exhibit.name for exhibit in EXHIBITS} == set(kernels.names())
    assert len({exhibit.file_name for exhibit in EXHIBITS}) == len(EXHIBITS)


def test_the_demo_writes_sheets_and_single_pictures_of_a_real_photo(tmp_path, capsys):
    pytest.importorskip("skimage")
    folder, small = tmp_path / "new" / "out", tmp_path / "small"
    outcome = command(capsys, "demo", folder, "--small", small)
    assert_done(outcome)
    sheets = ["bars.png", "contact-sheet.png", "feature-maps.png", "frequencies.png", "outlines.png"]
    names = [f"{number:02d}-{exhibit.file_name}" for number, exhibit in enumerate(EXHIBITS, start=1)]
    written = sorted(path.name for path in folder.iterdir())
    others = ["00-original.png", "chord.wav", "outlines-directions.png", "outlines-drawing.png"]
    assert written == sorted([*others, *names, *sheets])
    lines = outcome.out.splitlines()
    for line, name, exhibit in zip(lines[1:], names, EXHIBITS, strict=False):
        assert line.split()[0] == name
        assert line.endswith(exhibit.effect)
    assert f"wrote {folder / 'contact-sheet.png'}: one photo, {len(EXHIBITS)} kernels" in lines
    assert f"wrote {folder / 'feature-maps.png'}: {len(FEATURES)} feature maps of each of 3 colour channels" in lines
    original = imageio.imread(folder / "00-original.png")
    assert original.shape == (512, 512, 3)
    np.testing.assert_array_equal(imageio.imread(folder / "01-identity.png"), original)
    assert imageio.imread(folder / "contact-sheet.png").shape[1] > 1200
    assert [path.name for path in sorted(small.iterdir())] == sheets
    assert all((small / name).stat().st_size <= 500_000 for name in sheets)


def test_every_picture_is_the_photo_convolved_in_float32_and_reflected(rng):
    samples = rng.integers(0, 256, (50, 45, 3)).astype(np.uint8)
    for exhibit, kernel, result in exhibits(Picture(samples, "YXS"), "cpu"):
        weights = kernels.get(exhibit.name, **exhibit.parameters)
        np.testing.assert_array_equal(kernel, weights)
        exact = np.stack(
            [
                gpuconv.convolve(samples[..., colour].astype(float), weights.astype(float), boundary="reflect")
                for colour in range(3)
            ],
            axis=-1,
        )
        expected = displayed(exact, weights, np.dtype(np.uint8))
        # float32 may round a half the other way.
        assert abs(result.samples.astype(int) - expected.astype(int)).max() <= 1, exhibit
        assert result.samples.dtype == np.uint8


def test_slopes_are_shown_around_mid_grey():
    ramp = np.linspace(-4, 4, 101).reshape(1, -1)
    shown = displayed(ramp, kernels.get("sobel"), np.dtype(np.uint8))
    assert shown[0, 50] in (127, 128)
    assert (shown[0, 0], shown[0, -1]) == (0, 255)
    assert (np.diff(shown[0].astype(int)) >= 0).all()
    flat = displayed(np.zeros((3, 3)), kernels.get("laplacian"), np.dtype(np.uint8))
    assert set(flat.ravel().tolist()) <= {127, 128}


def test_other_results_are_shown_in_the_numbers_of_the_photo():
    values = np.array([[-5.0, 0, 100.5, 255, 300]])
    assert displayed(values, np.array([[1, -0.5]]), np.dtype(np.uint8)).tolist() == [[0, 0, 100, 255, 255]]
    assert displayed(values, kernels.get("gaussian"), np.dtype(np.uint8)).tolist() == [[0, 0, 100, 255, 255]]
    assert displayed(values * 257, kernels.get("gaussian"), np.dtype(np.uint16)).tolist() == [[0, 0, 100, 255, 255]]


def test_feature_maps_are_every_kernel_over_every_channel(rng):
    samples = rng.integers(0, 256, (40, 45, 3)).astype(np.uint8)
    photo = Picture(samples, "YXS")
    maps = feature_maps(photo, "cpu")
    assert maps.shape == (len(FEATURES), 40, 45, 3)
    for feature, answer in zip(FEATURES, maps, strict=True):
        for colour in range(3):
            exact = gpuconv.convolve(samples[..., colour].astype(float), feature.kernel, boundary="reflect")
            np.testing.assert_allclose(answer[..., colour], exact, rtol=0, atol=1e-4 * abs(feature.kernel).sum())
    panels = list(feature_panels(photo, maps))
    assert len(panels) == 4 * (1 + len(FEATURES))
    # Each channel's map is a channel of the map in colours above it.
    for number, panel in enumerate(panels[5:], start=5):
        channel, feature = number // 5 - 1, number % 5
        shown = panels[feature].samples[..., channel]
        np.testing.assert_array_equal(panel.samples[..., channel] if feature == 0 else panel.samples, shown)
    grey = Picture(samples[..., 0], "YX")
    assert len(list(feature_panels(grey, feature_maps(grey, "cpu")))) == 1 + len(FEATURES)


@pytest.mark.parametrize(
    ("down", "across", "colour"),
    [(0, 1, (255, 0, 0)), (0, -1, (0, 255, 255)), (1, 0, (128, 255, 0)), (-1, 0, (128, 0, 255)), (0, 0, (0, 0, 0))],
)
def test_the_colour_of_an_outline_is_the_direction_in_which_it_gets_brighter(down, across, colour):
    ramp = down * np.arange(9.0)[:, np.newaxis] + across * np.arange(9.0)
    found = outlines(ramp.astype(np.float32), "cpu")
    assert (found.down[4, 4], found.across[4, 4]) == (down, across)
    assert directions(found)[4, 4].tolist() == list(colour)
    assert drawing(found)[4, 4] == (255 if colour == (0, 0, 0) else 0)


def test_outlines_are_those_of_the_brightness(rng):
    samples = rng.integers(0, 256, (20, 22, 3)).astype(np.uint8)
    photo = Picture(samples, "YXS")
    expected = 0.299 * samples[..., 0] + 0.587 * samples[..., 1] + 0.114 * samples[..., 2]
    np.testing.assert_allclose(brightness(photo), expected, rtol=1e-5)
    np.testing.assert_array_equal(brightness(Picture(samples[..., 0], "YX")), samples[..., 0])
    found = outlines(brightness(photo), "cpu")
    slopes = [gpuconv.convolve(expected, kernels.sobel(axis) / 8, boundary="reflect") for axis in (0, 1)]
    np.testing.assert_allclose(found.steepness, np.hypot(*slopes), atol=1e-4)
    key = outline_panels(photo, brightness(photo), found, "cpu")[-1].samples
    middle, radius = key.shape[0] // 2, key.shape[0] // 4
    # As on a compass: right, left, below, above.
    around = [key[middle, middle + radius], key[middle, middle - radius], key[middle + radius, middle]]
    for shown, colour in zip(around, [(255, 0, 0), (0, 255, 255), (128, 255, 0)], strict=True):
        assert abs(shown.astype(int) - colour).max() < 12


def _zoo_sheet():
    panels = [Panel(np.zeros((8, 8), np.uint8), exhibit.name, exhibit.caption) for exhibit in EXHIBITS]
    return Sheet("heading", "explanation", panels)


def _feature_sheet():
    photo = Picture(np.zeros((8, 8, 3), np.uint8), "YXS")
    return Sheet("heading", "explanation", list(feature_panels(photo, np.zeros((len(FEATURES), 8, 8, 3)))))


def _outline_sheet():
    grey = np.zeros((8, 8), np.uint8)
    panels = outline_panels(Picture(grey, "YX"), grey, outlines(grey, "cpu"), "cpu")
    return Sheet("heading", "explanation", panels, columns=3)


def _frequency_sheet():
    grey = np.random.default_rng(0).integers(0, 256, (32, 24)).astype(np.uint8)
    return Sheet("heading", "explanation", frequency_panels(Picture(grey, "YX"), True, "cpu"), columns=4)


@pytest.mark.parametrize("degrees", [0, 40, 120])
def test_the_turn_is_read_off_the_spectrum(degrees):
    pytest.importorskip("skimage")
    row, column = np.indices((160, 160))
    across = row * np.sin(np.radians(degrees)) + column * np.cos(np.radians(degrees))
    panels = turning_panels((128 + 90 * np.cos(0.3 * across)).astype(np.float32), "stripes", "cpu")
    read = float(panels[3].caption.split("°")[0].removeprefix("by "))
    assert read == pytest.approx(TURN, abs=0.3)
    # The line through the middle of each spectrum, in cyan, goes through the two peaks of the stripes.
    for panel, angle in ((panels[1], degrees), (panels[3], degrees + TURN)):
        rows, columns = np.nonzero((panel.samples == (0, 255, 255)).all(axis=-1))
        slope = np.degrees(np.arctan2(*np.linalg.svd(np.stack([rows - 80, columns - 80]))[0][:, 0]))
        assert abs((slope - angle + 90) % 180 - 90) < 1.5


@pytest.mark.parametrize("dpi", [72, 100])
@pytest.mark.parametrize("sheet", [_zoo_sheet, _feature_sheet, _outline_sheet, _frequency_sheet])
def test_no_label_reaches_into_another(sheet, dpi):
    figure = drawn_sheet(sheet())
    figure.set_dpi(dpi)
    pictures = [axes.get_window_extent() for axes in figure.axes]
    labels = [text.get_window_extent() for text in figure.texts]
    for index, label in enumerate(labels):
        others = labels[:index] + labels[index + 1 :] + pictures
        assert not any(label.overlaps(other) for other in others), figure.texts[index].get_text()
        assert label.x1 <= figure.bbox.x1


@pytest.mark.parametrize(
    ("shape", "dtype"), [((40, 30), "uint8"), ((40, 30, 3), "uint8"), ((40, 30, 4), "uint8"), ((40, 30), "uint16")]
)
def test_a_photo_of_ones_own_is_shown(tmp_path, capsys, rng, shape, dtype):
    imageio.imwrite(tmp_path / "own.png", rng.integers(0, np.iinfo(dtype).max, shape).astype(dtype))
    outcome = command(capsys, "demo", tmp_path / "out", "--image", tmp_path / "own.png")
    assert_done(outcome)
    assert outcome.out.startswith(f"own.png: {shape[0]} x {shape[1]}")
    assert (tmp_path / "out" / "contact-sheet.png").exists()
    single = imageio.imread(tmp_path / "out" / "02-sharpen.png")
    assert single.dtype == np.uint8
    assert single.shape == (*shape[:2], 3)[: len(shape)]


def test_a_deep_photo_of_ones_own_is_shown_with_8_bits(tmp_path, capsys, monkeypatch):
    deep = np.arange(40 * 30 * 3).reshape(40, 30, 3).astype(np.uint16) * 18
    tifffile.imwrite(tmp_path / "own.tif", deep, photometric="rgb")
    shown = []
    monkeypatch.setattr("gpuconv.cli.demo.write_sheet", lambda path, sheet: shown.extend(sheet.panels))
    assert_done(command(capsys, "demo", tmp_path / "out", "--image", tmp_path / "own.tif"))
    for name, panel in zip(("00-original.png", "01-identity.png"), shown, strict=False):
        np.testing.assert_array_equal(imageio.imread(tmp_path / "out" / name), panel.samples)
        np.testing.assert_array_equal(panel.samples, np.rint(deep / 257))


def test_large_photos_are_reduced_on_the_sheet_alone(tmp_path, capsys, monkeypatch):
    imageio.imwrite(tmp_path / "own.png", np.tile(np.array([[0, 100]], np.uint8), (1100, 600)))
    shown = []
    monkeypatch.setattr("gpuconv.cli.demo.write_sheet", lambda path, sheet: shown.extend(sheet.panels))
    assert_done(command(capsys, "demo", tmp_path / "out", "--image", tmp_path / "own.png"))
    assert shown[0].samples.shape == (550, 600)
    assert set(shown[0].samples.ravel().tolist()) == {50}
    assert imageio.imread(tmp_path / "out" / "01-identity.png").shape == (1100, 1200)


def test_what_the_demo_cannot_show_is_refused(tmp_path, capsys, monkeypatch, photo):
    np.save(tmp_path / "volume.npy", np.ones((3, 4, 5), np.float32))
    words = ("demo", tmp_path / "out", "--image")
    assert_refused(command(capsys, *words, tmp_path / "volume.npy"), "shows one photo", "3 pages of 4 x 5, float32")
    assert_refused(command(capsys, *words, tmp_path / "missing.png"), "missing.png: No such file")
    assert_refused(command(capsys, "demo", photo), "the demo writes into folders", "photo.png: File exists")
    assert_refused(command(capsys, "demo", photo / "out"), "the demo writes into folders", "Not a directory")
    assert_refused(command(capsys, "demo", tmp_path / "out", "--device", "gpu"), "--device is one of auto, cpu, cuda")
    assert not (tmp_path / "out").exists()
    assert_refused(
        command(capsys, "demo", tmp_path / "out", "--small", photo), "the demo writes into folders", "photo.png"
    )


@pytest.mark.parametrize(
    ("library", "purpose"),
    [("skimage.data", "the sample photo needs skimage"), ("matplotlib.figure", "drawing the sheets")],
)
def test_a_missing_library_names_the_extra_before_anything_is_written(tmp_path, capsys, monkeypatch, library, purpose):
    monkeypatch.setitem(sys.modules, library, None)
    outcome = command(capsys, "demo", tmp_path / "out")
    assert_refused(outcome, purpose, 'pip install "gpuconv[images]"')
    assert not (tmp_path / "out").exists()
