"""`gpuconv demo`: the contact sheet, the single pictures, and what is shown on them."""

from __future__ import annotations

import sys

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

import gpuconv
from gpuconv import kernels
from gpuconv.cli.demo import EXHIBITS, displayed, exhibits
from gpuconv.cli.pictures import Picture
from gpuconv.cli.sheet import Panel, drawn_sheet
from tests.cli.command_line import assert_done, assert_refused, command


@pytest.fixture
def photo(tmp_path, rng):
    samples = rng.integers(0, 256, (60, 40, 3)).astype(np.uint8)
    imageio.imwrite(tmp_path / "photo.png", samples)
    return tmp_path / "photo.png"


def test_the_whole_zoo_is_shown():
    assert {exhibit.name for exhibit in EXHIBITS} == set(kernels.names())
    assert len({exhibit.file_name for exhibit in EXHIBITS}) == len(EXHIBITS)


def test_the_demo_writes_a_sheet_and_single_pictures_of_a_real_photo(tmp_path, capsys):
    pytest.importorskip("skimage")
    outcome = command(capsys, "demo", tmp_path / "new" / "out", "--small", tmp_path / "small.png")
    assert_done(outcome)
    written = sorted(path.name for path in (tmp_path / "new" / "out").iterdir())
    assert written[-1] == "contact-sheet.png"
    assert written[0] == "00-original.png"
    assert len(written) == len(EXHIBITS) + 2
    lines = outcome.out.splitlines()
    for number, exhibit in enumerate(EXHIBITS, start=1):
        name = f"{number:02d}-{exhibit.file_name}"
        assert name in written
        assert lines[number].split()[0] == name
        assert lines[number].endswith(exhibit.effect)
    assert (
        f"wrote {tmp_path / 'new' / 'out' / 'contact-sheet.png'}, and {len(EXHIBITS) + 1} single pictures"
        in outcome.out
    )
    original = imageio.imread(tmp_path / "new" / "out" / "00-original.png")
    assert original.shape == (512, 512, 3)
    np.testing.assert_array_equal(imageio.imread(tmp_path / "new" / "out" / "01-identity.png"), original)
    sheet = imageio.imread(tmp_path / "new" / "out" / "contact-sheet.png")
    assert sheet.shape[1] > 1200
    assert (tmp_path / "small.png").stat().st_size <= 500_000


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


@pytest.mark.parametrize("dpi", [72, 100])
def test_no_label_reaches_into_another(dpi):
    panels = [Panel(np.zeros((8, 8), np.uint8), exhibit.name, exhibit.caption) for exhibit in EXHIBITS]
    figure = drawn_sheet("heading", "explanation", panels)
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
    monkeypatch.setattr("gpuconv.cli.demo.write_sheet", lambda path, heading, explanation, panels: shown.extend(panels))
    assert_done(command(capsys, "demo", tmp_path / "out", "--image", tmp_path / "own.tif"))
    for name, panel in zip(("00-original.png", "01-identity.png"), shown, strict=False):
        np.testing.assert_array_equal(imageio.imread(tmp_path / "out" / name), panel.samples)
        np.testing.assert_array_equal(panel.samples, np.rint(deep / 257))


def test_large_photos_are_reduced_on_the_sheet_alone(tmp_path, capsys, monkeypatch):
    imageio.imwrite(tmp_path / "own.png", np.tile(np.array([[0, 100]], np.uint8), (1100, 600)))
    shown = []
    monkeypatch.setattr("gpuconv.cli.demo.write_sheet", lambda path, heading, explanation, panels: shown.extend(panels))
    assert_done(command(capsys, "demo", tmp_path / "out", "--image", tmp_path / "own.png"))
    assert shown[0].samples.shape == (550, 600)
    assert set(shown[0].samples.ravel().tolist()) == {50}
    assert imageio.imread(tmp_path / "out" / "01-identity.png").shape == (1100, 1200)


def test_what_the_demo_cannot_show_is_refused(tmp_path, capsys, monkeypatch, photo):
    np.save(tmp_path / "volume.npy", np.ones((3, 4, 5), np.float32))
    words = ("demo", tmp_path / "out", "--image")
    assert_refused(command(capsys, *words, tmp_path / "volume.npy"), "shows one photo", "3 pages of 4 x 5, float32")
    assert_refused(command(capsys, *words, tmp_path / "missing.png"), "missing.png: No such file")
    assert_refused(command(capsys, "demo", photo), "OUT must be a folder", "photo.png: File exists")
    assert_refused(command(capsys, "demo", photo / "out"), "OUT must be a folder", "Not a directory")
    assert_refused(command(capsys, "demo", tmp_path / "out", "--device", "gpu"), "--device is one of auto, cpu, cuda")
    small = ("--small", tmp_path / "missing" / "small.png")
    assert_refused(command(capsys, "demo", tmp_path / "out", *small), "the folder of the output must exist")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("library", "purpose"),
    [("skimage.data", "the sample photo needs skimage"), ("matplotlib.figure", "drawing the sheet")],
)
def test_a_missing_library_names_the_extra_before_anything_is_written(tmp_path, capsys, monkeypatch, library, purpose):
    monkeypatch.setitem(sys.modules, library, None)
    outcome = command(capsys, "demo", tmp_path / "out")
    assert_refused(outcome, purpose, 'pip install "gpuconv[images]"')
    assert not (tmp_path / "out").exists()
