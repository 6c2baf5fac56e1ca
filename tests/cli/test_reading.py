"""Files as pictures: every kind that is read, and every kind that is refused."""

from __future__ import annotations

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from gpuconv.cli.command import CommandError
from gpuconv.cli.pictures import turned_upright
from gpuconv.cli.reading import read_picture
from tests.cli.command_line import deep_colour_png, grey_tiff


def _samples(rng, shape, dtype):
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "axes"),
    [
        ("grey.png", (5, 7), "uint8", "YX"),
        ("deep.png", (5, 7), "uint16", "YX"),
        ("narrow.png", (5, 3), "uint8", "YX"),
        ("colour.png", (5, 7, 3), "uint8", "YXS"),
        ("colour.bmp", (5, 7, 3), "uint8", "YXS"),
    ],
)
def test_photos_are_read_as_they_are(tmp_path, rng, name, shape, dtype, axes):
    samples = _samples(rng, shape, dtype)
    imageio.imwrite(tmp_path / name, samples, is_batch=False)
    picture = read_picture(tmp_path / name)
    assert (picture.axes, picture.alpha) == (axes, None)
    assert picture.samples.dtype == dtype
    np.testing.assert_array_equal(picture.samples, samples)


@pytest.mark.parametrize("shape", [(4, 5, 2), (4, 5, 4)])
def test_transparency_of_a_png_stands_apart(tmp_path, rng, shape):
    samples = _samples(rng, shape, "uint8")
    imageio.imwrite(tmp_path / "a.png", samples, is_batch=False)
    picture = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.alpha, samples[..., -1])
    np.testing.assert_array_equal(picture.samples, samples[..., 0] if shape[-1] == 2 else samples[..., :3])


def test_a_palette_becomes_colours_and_one_bit_becomes_grey(tmp_path, rng):
    colours = Image.fromarray(_samples(rng, (6, 8, 3), "uint8")).quantize(5)
    colours.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "palette.png").samples, np.asarray(colours.convert("RGB")))
    bits = rng.random((6, 8)) < 0.5
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "bits.png").samples, bits * np.uint8(255))


def test_a_transparent_colour_becomes_transparency(tmp_path):
    samples = np.array([[[1, 2, 3], [9, 9, 9]]], np.uint8)
    Image.fromarray(samples).save(tmp_path / "keyed.png", transparency=(9, 9, 9))
    picture = read_picture(tmp_path / "keyed.png")
    assert picture.alpha.tolist() == [[255, 0]]
    np.testing.assert_array_equal(picture.samples, samples)
    Image.fromarray(samples[..., 0]).quantize(2).save(tmp_path / "palette.png", transparency=0)
    assert read_picture(tmp_path / "palette.png").alpha is not None


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["held.png", "held.tif"])
def test_pictures_are_turned_upright(tmp_path, rng, orientation, name):
    image = Image.fromarray(_samples(rng, (4, 6, 3), "uint8"))
    exif = Image.Exif()
    exif[274] = orientation
    image.save(tmp_path / name, exif=exif)
    with Image.open(tmp_path / name) as held:
        expected = np.asarray(ImageOps.exif_transpose(held))
    np.testing.assert_array_equal(read_picture(tmp_path / name).samples, expected)


def test_pages_and_transparency_are_turned_with_the_picture(rng):
    volume = _samples(rng, (3, 4, 5, 2), "uint8")
    turned = turned_upright(volume, 6, row_axis=1)
    assert turned.shape == (3, 5, 4, 2)
    np.testing.assert_array_equal(turned, np.rot90(volume, -1, axes=(1, 2)))


def test_the_format_is_told_by_the_content_not_by_the_name(tmp_path, rng):
    samples = _samples(rng, (4, 5), "uint8")
    tifffile.imwrite(tmp_path / "a.png", samples)
    imageio.imwrite(tmp_path / "b.tif", samples, extension=".png")
    for name in ("a.png", "b.tif"):
        np.testing.assert_array_equal(read_picture(tmp_path / name).samples, samples)


@pytest.mark.parametrize(
    ("shape", "dtype", "axes", "options"),
    [
        ((4, 5), "uint16", "YX", {"photometric": "minisblack"}),
        ((4, 5), "float32", "YX", {"photometric": "minisblack"}),
        ((4, 5), "float64", "YX", {"photometric": "minisblack"}),
        ((4, 5), "int32", "YX", {"photometric": "minisblack"}),
        ((3, 4, 5), "uint8", "QYX", {"photometric": "minisblack"}),
        ((3, 4, 5), "float32", "ZYX", {"photometric": "minisblack", "metadata": {"axes": "ZYX"}}),
        ((4, 5, 3), "uint16", "YXS", {"photometric": "rgb"}),
        ((2, 4, 5, 3), "uint8", "QYXS", {"photometric": "rgb"}),
        ((2, 3, 4, 5), "uint16", "ZCYX", {"imagej": True, "metadata": {"axes": "ZCYX"}}),
        ((2, 3, 4, 5), "uint16", "QQYX", {"photometric": "minisblack"}),
    ],
)
def test_tiffs_are_read_as_they_are(tmp_path, rng, shape, dtype, axes, options):
    samples = _samples(rng, shape, "uint8").astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", samples, **options)
    picture = read_picture(tmp_path / "a.tif")
    assert picture.axes == axes
    assert picture.samples.dtype == dtype
    np.testing.assert_array_equal(picture.samples, samples)


def test_planes_of_colour_come_last(tmp_path, rng):
    samples = _samples(rng, (4, 5, 3), "uint8")
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(samples, -1, 0), photometric="rgb", planarconfig="separate")
    picture = read_picture(tmp_path / "a.tif")
    assert picture.axes == "YXS"
    np.testing.assert_array_equal(picture.samples, samples)


def test_transparency_of_a_tiff_stands_apart(tmp_path, rng):
    samples = _samples(rng, (4, 5, 4), "uint16")
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["unassalpha"])
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture.samples, samples[..., :3])
    np.testing.assert_array_equal(picture.alpha, samples[..., 3])
    tifffile.imwrite(tmp_path / "b.tif", samples[..., :2], photometric="minisblack", extrasamples=["unassalpha"])
    picture = read_picture(tmp_path / "b.tif")
    assert picture.axes == "YX"
    np.testing.assert_array_equal(picture.alpha, samples[..., 1])


def test_old_tiffs_become_plain_grey_and_colour(tmp_path, rng):
    bits = rng.random((6, 8)) < 0.5
    Image.fromarray(bits).save(tmp_path / "bits.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "bits.tif").samples, bits * np.uint8(255))
    colours = Image.fromarray(_samples(rng, (6, 8, 3), "uint8")).quantize(5)
    colours.save(tmp_path / "palette.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "palette.tif").samples, np.asarray(colours.convert("RGB")))
    samples = _samples(rng, (6, 8), "uint8")
    tifffile.imwrite(tmp_path / "white.tif", samples, photometric="miniswhite")
    np.testing.assert_array_equal(read_picture(tmp_path / "white.tif").samples, 255 - samples)


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_spread_over_the_full_range(tmp_path, monkeypatch, bits):
    levels = np.arange(2**bits, dtype=np.uint8).reshape(2, -1)
    grey_tiff(tmp_path / "a.tif", levels, bits)
    # tifffile unpacks such pictures with the help of imagecodecs, which need not be here.
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", lambda *words, **options: levels)
    samples = read_picture(tmp_path / "a.tif").samples
    assert samples.dtype == np.uint8
    assert (samples.min(), samples.max()) == (0, 255)
    assert len(set(np.diff(samples.ravel().astype(int)).tolist())) == 1


@pytest.mark.parametrize(
    ("shape", "channels_last", "axes"),
    [
        ((9,), False, "X"),
        ((4, 5), False, "YX"),
        ((3, 4, 5), False, "ZYX"),
        ((4, 5, 3), True, "YXS"),
        ((2, 3, 4, 5), False, "TZYX"),
        ((2, 4, 5, 2), True, "ZYXS"),
    ],
)
def test_arrays_have_the_axes_they_say(tmp_path, shape, channels_last, axes):
    np.save(tmp_path / "a.npy", np.ones(shape, np.float32))
    picture = read_picture(tmp_path / "a.npy", channels_last=channels_last)
    assert (picture.axes, picture.samples.shape) == (axes, shape)


@pytest.mark.parametrize("name", ["a.npy", "a.tif"])
def test_foreign_byte_orders_become_native(tmp_path, rng, name):
    samples = _samples(rng, (4, 5), "uint16")
    if name == "a.npy":
        np.save(tmp_path / name, samples.astype(samples.dtype.newbyteorder()))
    else:
        tifffile.imwrite(tmp_path / name, samples, byteorder=">")
    picture = read_picture(tmp_path / name)
    assert picture.samples.dtype == np.uint16
    np.testing.assert_array_equal(picture.samples, samples)


def _animation(path, rng):
    frames = [Image.fromarray(_samples(rng, (8, 8), "uint8")) for _ in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def _cmyk(path, rng):
    Image.fromarray(_samples(rng, (8, 8, 3), "uint8")).convert("CMYK").save(path)


def _unlike_pages(path, rng):
    with tifffile.TiffWriter(path) as file:
        file.write(_samples(rng, (4, 5), "uint8"))
        file.write(_samples(rng, (3, 5), "uint8"))


REFUSED = {
    "missing.png": (lambda path, rng: None, "No such file"),
    "folder.png": (lambda path, rng: path.mkdir(), "Is a directory"),
    "empty.png": (lambda path, rng: path.write_bytes(b""), "the file is empty"),
    "text.png": (lambda path, rng: path.write_text("not a picture"), "in no format that is known here"),
    "deep.png": (lambda path, rng: deep_colour_png(path, _samples(rng, (3, 4, 3), "uint16")), "16-bit colours"),
    "deep_grey.png": (lambda path, rng: deep_colour_png(path, _samples(rng, (3, 4, 2), "uint16")), "16-bit colours"),
    "cmyk.jpg": (_cmyk, "in colour mode CMYK"),
    "cmyk.tif": (_cmyk, "a TIFF of colour model SEPARATED"),
    "moving.gif": (_animation, "an animation of 3 frames"),
    "unlike.tif": (_unlike_pages, "2 unlike pictures (4 x 5, 3 x 5)"),
    "pickled.npy": (lambda path, rng: np.save(path, np.array([{}]), allow_pickle=True), "undamaged file"),
    "words.npy": (lambda path, rng: np.save(path, np.array(["a"])), "an array of <U1"),
    "truth.npy": (lambda path, rng: np.save(path, np.ones((3, 3), bool)), "an array of bool"),
    "scalar.npy": (lambda path, rng: np.save(path, np.array(1.0)), "with 0 axes"),
    "hollow.npy": (lambda path, rng: np.save(path, np.ones((0, 3))), "at least one pixel"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_filtered_is_refused(tmp_path, rng, name):
    make, reason = REFUSED[name]
    make(tmp_path / name, rng)
    with pytest.raises(CommandError, match=".") as refused:
        read_picture(tmp_path / name)
    assert reason in str(refused.value)


def test_a_compression_that_is_not_installed_is_named(tmp_path, rng, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", _samples(rng, (4, 5), "uint8"))

    def asarray(*unused, **options):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", asarray)
    with pytest.raises(CommandError, match="COMPRESSION.LZW.*pip install imagecodecs"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.npy", "one.tif", "many.tif", "pages.tif"])
def test_truncated_files_are_refused(tmp_path, rng, name, kept):
    whole = tmp_path / name
    samples = _samples(rng, (40, 50), "uint8")
    if name == "a.npy":
        np.save(whole, samples)
    elif name == "many.tif":
        tifffile.imwrite(whole, np.stack([samples] * 4), photometric="minisblack")
    elif name == "pages.tif":
        with tifffile.TiffWriter(whole) as file:
            for _ in range(4):
                file.write(samples, metadata=None, contiguous=False)
    elif name == "one.tif":
        tifffile.imwrite(whole, samples)
    else:
        imageio.imwrite(whole, samples)
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(CommandError, match="whole, undamaged file"):
        read_picture(whole)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy"])
def test_large_pictures_are_refused_by_their_header(tmp_path, name, monkeypatch):
    samples = np.zeros((30, 40), np.uint8)
    if name == "a.npy":
        np.save(tmp_path / name, samples)
    else:
        imageio.imwrite(tmp_path / name, samples)
    for decoder in ("imageio.v3.imread", "tifffile.TiffPageSeries.asarray"):
        monkeypatch.setattr(decoder, lambda *words, **options: pytest.fail("decoded before its size was checked"))
    with pytest.raises(CommandError, match="30 x 40 = 1200 pixels.*--max-pixels 1200"):
        read_picture(tmp_path / name, max_pixels=1199)


def test_our_limit_can_be_raised_above_that_of_pillow(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    imageio.imwrite(tmp_path / "a.png", np.zeros((30, 40), np.uint8))
    assert read_picture(tmp_path / "a.png", max_pixels=1200).samples.shape == (30, 40)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_an_array_of_terabytes_is_refused_without_memory(tmp_path):
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
    with pytest.raises(CommandError, match="undamaged file"):
        read_picture(tmp_path / "a.npy")


def test_the_photo_of_a_camera_that_hides_a_preview_is_read(tmp_path, rng):
    photo, preview = (Image.fromarray(_samples(rng, (16, 16, 3), "uint8")) for _ in range(2))
    photo.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[preview], quality=100)
    with Image.open(tmp_path / "a.jpg") as opened:
        assert opened.n_frames == 2
        expected = np.asarray(opened)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.jpg").samples, expected)
