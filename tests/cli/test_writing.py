"""Pictures as files: complete or not at all."""

from __future__ import annotations

import os
import stat

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from PIL import Image

from gpuconv.cli.command import CommandError
from gpuconv.cli.pictures import Picture
from gpuconv.cli.reading import read_picture
from gpuconv.cli.writing import check_output, new_file, write_picture


def _picture(rng, shape=(4, 5), dtype="uint8", axes="YX", alpha=False):
    samples = rng.integers(0, 256, shape).astype(dtype)
    transparency = rng.integers(0, 256, shape[: len(axes.rstrip("S"))]).astype(dtype) if alpha else None
    return Picture(samples, axes, transparency)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "axes", "alpha"),
    [
        ("a.png", (4, 5), "uint8", "YX", False),
        ("a.png", (4, 5), "uint8", "YX", True),
        ("a.png", (4, 3), "uint16", "YX", False),
        ("a.png", (4, 5, 3), "uint8", "YXS", False),
        ("a.png", (4, 5, 3), "uint8", "YXS", True),
        ("a.bmp", (4, 5, 3), "uint8", "YXS", False),
        ("a.TIF", (4, 5), "float32", "YX", False),
        ("a.tif", (4, 5), "uint16", "YX", True),
        ("a.tif", (3, 4, 5), "uint16", "QYX", False),
        ("a.tif", (3, 4, 5), "float32", "ZYX", False),
        ("a.tif", (4, 5, 3), "uint16", "YXS", True),
        ("a.tif", (4, 5, 2), "uint16", "YXS", False),
        ("a.tif", (4, 5, 5), "uint16", "YXS", False),
        ("a.tif", (2, 4, 5, 3), "float32", "ZYXS", True),
        ("a.tif", (2, 4, 5), "complex64", "ZYX", False),
        ("a.npy", (2, 4, 5), "int64", "ZYX", False),
    ],
)
def test_what_is_written_is_read_again(tmp_path, rng, name, shape, dtype, axes, alpha):
    picture = _picture(rng, shape, dtype, axes, alpha)
    check_output(tmp_path / name, picture)
    write_picture(tmp_path / name, picture)
    again = read_picture(tmp_path / name)
    assert (again.axes, again.samples.dtype) == (axes, dtype)
    np.testing.assert_array_equal(again.samples, picture.samples)
    np.testing.assert_array_equal(again.alpha, picture.alpha)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_jpeg_stays_near_the_samples(tmp_path):
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    samples = np.stack([ramp, 255 - ramp, ramp // 2], axis=-1)
    write_picture(tmp_path / "a.jpg", Picture(samples, "YXS"))
    assert abs(imageio.imread(tmp_path / "a.jpg").astype(int) - samples).max() <= 8


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_the_colour_profile_is_kept(tmp_path, rng, name):
    profile = b"not really a profile, and nobody looks"
    write_picture(tmp_path / name, Picture(_picture(rng).samples, "YX", icc_profile=profile))
    assert read_picture(tmp_path / name).icc_profile == profile


REFUSED = [
    ("a.gif", (4, 5), "YX", False, "the output must end in one of .png, .jpg, .jpeg, .bmp, .tif, .tiff, .npy"),
    ("a", (4, 5), "YX", False, "the output must end in one of"),
    ("a.png", (3, 4, 5), "ZYX", False, "holds one page: the input is 3 pages of 4 x 5, uint8"),
    ("a.png", (4, 5, 5), "YXS", False, "holds 1 or 3 colours"),
    ("a.jpg", (4, 5), "YX", True, "holds no transparency"),
    ("a.bmp", (4, 5, 3), "YXS", True, "holds no transparency"),
    ("a.tif", (9,), "X", False, "has rows and columns"),
    ("missing/a.png", (4, 5), "YX", False, "there is no folder"),
    (".", (4, 5), "YX", False, "the output must end in one of"),
]


@pytest.mark.parametrize(("name", "shape", "axes", "alpha", "reason"), REFUSED)
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, rng, name, shape, axes, alpha, reason):
    with pytest.raises(CommandError, match=".") as refused:
        check_output(tmp_path / name, _picture(rng, shape, "uint8", axes, alpha))
    assert reason in str(refused.value)


def test_folders_and_devices_are_no_output(tmp_path, rng):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "b.png").symlink_to("/dev/null")
    for name in ("a.png", "b.png"):
        with pytest.raises(CommandError, match="must be a file"):
            check_output(tmp_path / name, _picture(rng))


def test_protected_files_and_folders_are_no_output(tmp_path, rng, monkeypatch):
    protected = tmp_path / "a.png"
    protected.touch()
    # Tests that run as root may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: path != protected)
    with pytest.raises(CommandError, match="a.png is write-protected"):
        check_output(protected, _picture(rng))
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(CommandError, match="no permission to write in"):
        check_output(protected, _picture(rng))


@pytest.mark.parametrize("failure", [RuntimeError("the encoder broke"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy"])
def test_a_crash_leaves_the_old_file_and_no_half_one(tmp_path, rng, monkeypatch, name, failure):
    before = b"what was there"
    (tmp_path / name).write_bytes(before)

    def encode(file, *words, **options):
        file.write(b"half of it")
        raise failure

    for encoder in ("imageio.v3.imwrite", "tifffile.imwrite", "numpy.save"):
        monkeypatch.setattr(encoder, encode)
    with pytest.raises(type(failure)):
        write_picture(tmp_path / name, _picture(rng))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, rng, monkeypatch):
    def no_space(file, *words, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("imageio.v3.imwrite", no_space)
    with pytest.raises(CommandError, match="must be writable: .*a.png: No space left on device"):
        write_picture(tmp_path / "a.png", _picture(rng))
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_a_format_cannot_encode_are_one_line(tmp_path, rng):
    with pytest.raises(CommandError, match="must fit the format.*Write a .npy"):
        write_picture(tmp_path / "a.png", _picture(rng, dtype="complex64"))
    assert list(tmp_path.iterdir()) == []


def test_the_new_file_has_the_permissions_of_the_old_one_or_the_usual_ones(tmp_path, rng):
    (tmp_path / "usual").touch()
    write_picture(tmp_path / "a.png", _picture(rng))
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)
    (tmp_path / "a.png").chmod(0o640)
    write_picture(tmp_path / "a.png", _picture(rng))
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path, rng):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "real.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "there" / "real.png")
    write_picture(tmp_path / "link.png", _picture(rng))
    assert (tmp_path / "link.png").is_symlink()
    with Image.open(tmp_path / "there" / "real.png") as image:
        assert image.size == (5, 4)


def test_a_long_name_is_no_obstacle(tmp_path):
    name = "a" * 250 + ".npy"
    with new_file(tmp_path / name) as file:
        file.write(b"all of it")
    assert (tmp_path / name).read_bytes() == b"all of it"


def test_tiffs_say_what_their_axes_are(tmp_path, rng):
    write_picture(tmp_path / "a.tif", _picture(rng, (2, 4, 5, 3), "float32", "ZYXS", alpha=True))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.series[0].axes == "ZYXS"
        assert file.pages[0].photometric.name == "RGB"
        assert [extra.name for extra in file.pages[0].extrasamples] == ["UNASSALPHA"]
