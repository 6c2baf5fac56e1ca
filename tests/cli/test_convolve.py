"""`gpuconv convolve`: files in, files out, and the numbers in between."""

from __future__ import annotations

import re

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

import gpuconv
from gpuconv.backends.devices import cuda_state
from gpuconv.cli.pictures import Picture
from gpuconv.cli.reading import read_picture
from gpuconv.cli.writing import write_picture
from tests.cli.command_line import assert_done, assert_refused, command

MEAN = "1/9 1/9 1/9; 1/9 1/9 1/9; 1/9 1/9 1/9"
SLOPE = "1 2 1; 0 0 0; -1 -2 -1"
SLOPE_WEIGHTS = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]])


def _filtered(samples, weights, axes=(0, 1), **options):
    return gpuconv.convolve(samples.astype(np.float64), np.asarray(weights, np.float64), axes=axes, **options)


@pytest.fixture
def photo(tmp_path, rng):
    samples = rng.integers(0, 256, (12, 10, 3)).astype(np.uint8)
    imageio.imwrite(tmp_path / "photo.png", samples)
    return tmp_path / "photo.png", samples


def test_a_photo_is_filtered_colour_by_colour(tmp_path, capsys, photo):
    path, samples = photo
    outcome = command(capsys, "convolve", path, tmp_path / "out.png", "--kernel", MEAN, "--boundary", "reflect")
    assert_done(outcome)
    assert outcome.out == (
        f"read {path}: 12 x 10, 3 colours, uint8\n"
        f"kernel {MEAN}: 3 x 3, boundary reflect, on cpu\n"
        f"wrote {tmp_path / 'out.png'}: 12 x 10, 3 colours, uint8\n"
    )
    expected = np.stack(
        [_filtered(samples[..., colour], np.full((3, 3), 1 / 9), boundary="reflect") for colour in range(3)], axis=-1
    )
    # Means of whole numbers are ninths, never halves: rounding cannot go either way.
    np.testing.assert_array_equal(imageio.imread(tmp_path / "out.png"), np.rint(expected))


def test_numbers_out_of_range_are_clipped_and_counted(tmp_path, capsys, photo):
    path, samples = photo
    outcome = command(capsys, "convolve", path, tmp_path / "out.png", "--kernel", SLOPE)
    assert_done(outcome)
    expected = _filtered(samples, SLOPE_WEIGHTS)
    outside = int(((expected < 0) | (expected > 255)).sum())
    assert outside > 0
    assert f"note: {outside} of 360 samples ({outside / 360:.1%}) were outside 0..255 and were clipped." in outcome.out
    np.testing.assert_array_equal(imageio.imread(tmp_path / "out.png"), np.clip(expected, 0, 255))


def test_halves_are_rounded_to_even(tmp_path, capsys):
    imageio.imwrite(tmp_path / "in.png", np.array([[1, 3, 5, 7]], np.uint8))
    assert_done(command(capsys, "convolve", tmp_path / "in.png", tmp_path / "out.png", "--kernel", "1/2"))
    assert imageio.imread(tmp_path / "out.png").tolist() == [[0, 2, 2, 4]]


def test_rescale_maps_lowest_and_highest_to_the_full_range(tmp_path, capsys, photo):
    path, samples = photo
    outcome = command(capsys, "convolve", path, tmp_path / "out.png", "--kernel", SLOPE, "--rescale")
    assert_done(outcome)
    expected = _filtered(samples, SLOPE_WEIGHTS)
    lowest, highest = expected.min(), expected.max()
    assert f"note: {lowest:g}..{highest:g} became 0..255." in outcome.out
    result = imageio.imread(tmp_path / "out.png").astype(float)
    assert (result.min(), result.max()) == (0, 255)
    assert abs(result - (expected - lowest) * 255 / (highest - lowest)).max() <= 0.5 + 1e-9


def test_a_constant_result_is_rescaled_to_black(tmp_path, capsys):
    imageio.imwrite(tmp_path / "in.png", np.full((4, 5), 77, np.uint8))
    assert_done(command(capsys, "convolve", tmp_path / "in.png", tmp_path / "out.png", "--kernel", "1", "--rescale"))
    assert imageio.imread(tmp_path / "out.png").max() == 0


@pytest.mark.parametrize("name", ["out.tif", "out.npy"])
def test_files_that_hold_floats_get_the_result_as_it_is(tmp_path, capsys, photo, name):
    path, samples = photo
    assert_done(command(capsys, "convolve", path, tmp_path / name, "--kernel", SLOPE))
    result = np.load(tmp_path / name) if name == "out.npy" else tifffile.imread(tmp_path / name)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, _filtered(samples, SLOPE_WEIGHTS))


@pytest.mark.parametrize("option", ["--clip", "--rescale"])
def test_a_deep_picture_keeps_its_depth_in_tiff_and_grey_png(tmp_path, capsys, rng, option):
    samples = rng.integers(0, 2**16, (9, 8), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", samples)
    for name in ("out.tif", "out.png"):
        assert_done(command(capsys, "convolve", tmp_path / "in.tif", tmp_path / name, "--kernel", SLOPE, option))
        result = read_picture(tmp_path / name).samples
        assert result.dtype == np.uint16
        assert result.max() == 65535
        if option == "--clip":
            np.testing.assert_array_equal(result, np.clip(_filtered(samples, SLOPE_WEIGHTS), 0, 65535))


def test_a_deep_picture_becomes_8_bit_only_by_rescale(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "in.tif", np.array([[0, 300], [600, 900]], np.uint16))
    words = ("convolve", tmp_path / "in.tif", tmp_path / "out.jpg", "--kernel", "1")
    assert_refused(command(capsys, *words), "a .jpg file holds 8-bit numbers", "--rescale")
    assert_refused(command(capsys, *words, "--clip"), "a .jpg file holds 8-bit numbers")
    assert not (tmp_path / "out.jpg").exists()
    assert_done(command(capsys, *words, "--rescale"))
    assert imageio.imread(tmp_path / "out.jpg").max() > 240


def test_deep_colours_do_not_fit_into_png(tmp_path, capsys, rng):
    tifffile.imwrite(tmp_path / "in.tif", rng.integers(0, 2**16, (9, 8, 3), dtype=np.uint16), photometric="rgb")
    outcome = command(capsys, "convolve", tmp_path / "in.tif", tmp_path / "out.png", "--kernel", "1")
    assert_refused(outcome, "8-bit numbers, or 16-bit ones of one colour", "9 x 8, 3 colours, uint16", "--rescale")


def test_floats_become_a_picture_only_by_rescale(tmp_path, capsys, rng):
    np.save(tmp_path / "in.npy", rng.random((6, 7)))
    words = ("convolve", tmp_path / "in.npy", tmp_path / "out.png", "--kernel", "1")
    assert_refused(command(capsys, *words), "a .png file holds 8-bit numbers", "6 x 7, float64")
    assert_refused(command(capsys, *words, "--clip"), "a .png file holds 8-bit numbers")
    assert_done(command(capsys, *words, "--rescale"))
    assert imageio.imread(tmp_path / "out.png").max() == 255
    outcome = command(capsys, "convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "1", "--clip")
    assert_refused(outcome, "--clip needs whole numbers of at most 32 bits", "Leave --clip out")


def test_arrays_keep_their_precision_and_whole_numbers_stay_exact(tmp_path, capsys):
    np.save(tmp_path / "in.npy", np.array([[2**53 + 1, 0, 1]], np.int64))
    assert_done(command(capsys, "convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "1 2"))
    assert np.load(tmp_path / "out.npy").tolist() == [[2**53 + 1, 2**54 + 2, 1]]
    np.save(tmp_path / "in.npy", np.array([[0.1, 0.2]]))
    assert_done(command(capsys, "convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "1"))
    assert np.load(tmp_path / "out.npy").dtype == np.float64


def test_numbers_beyond_float32_are_clipped_to_the_right_limit(tmp_path, capsys):
    np.save(tmp_path / "in.npy", np.array([[2**31 - 1, -(2**31), 5]], np.int32))
    outcome = command(capsys, "convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "2.0", "--clip")
    assert_done(outcome)
    assert np.load(tmp_path / "out.npy").tolist() == [[2**31 - 1, -(2**31), 10]]
    assert "2 of 3 samples" in outcome.out


def test_samples_that_are_not_numbers_are_counted(tmp_path, capsys):
    imageio.imwrite(tmp_path / "in.png", np.full((3, 4), 9, np.uint8))
    outcome = command(
        capsys, "convolve", tmp_path / "in.png", tmp_path / "out.png", "--kernel", "1 1 1", "--cval", "nan"
    )
    assert_done(outcome)
    assert "note: 6 samples were not numbers and became 0." in outcome.out
    assert imageio.imread(tmp_path / "out.png").tolist() == [[0, 27, 27, 0]] * 3


@pytest.mark.parametrize(
    ("output", "words", "note"),
    [
        ("out.npy", (), "note: 12 of 12 samples are infinite.\n"),
        (
            "out.png",
            (),
            "note: 12 of 12 samples (100.0%) were outside 0..255 and were clipped. 12 of them were infinite.",
        ),
        ("out.png", ("--rescale",), "were clipped. 12 of them were infinite.\n"),
    ],
)
def test_results_that_run_over_are_told_in_a_sentence_and_warn_of_nothing(tmp_path, capsys, output, words, note):
    imageio.imwrite(tmp_path / "in.png", (np.indices((3, 4)).sum(axis=0) % 2 * 200).astype(np.uint8))
    outcome = command(capsys, "sharpen", tmp_path / "in.png", tmp_path / output, "--amount", "1e308", *words)
    assert_done(outcome)
    assert note in outcome.out


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [("spectrum", (), 0), ("lowpass", ("--cutoff", "0.1", "--plot"), 0), ("orientation", (), 2)],
)
def test_infinite_inputs_warn_of_nothing(tmp_path, capsys, name, words, code):
    np.save(tmp_path / "in.npy", np.where(np.eye(8), np.inf, 1.0))
    files = (tmp_path / "in.npy",) if code else (tmp_path / "in.npy", tmp_path / "out.png")
    outcome = command(capsys, name, *files, *words)
    if code:
        assert_refused(outcome, "a direction needs numbers")
    else:
        assert_done(outcome)
        assert re.search(r"note: .*of 64 samples are not numbers\.\n$", outcome.out)


@pytest.mark.parametrize(("mode", "shape"), [("same", (6, 7)), ("full", (8, 9)), ("valid", (4, 5))])
def test_transparency_is_carried_along_unfiltered(tmp_path, capsys, rng, mode, shape):
    samples = rng.integers(0, 256, (6, 7, 4)).astype(np.uint8)
    imageio.imwrite(tmp_path / "in.png", samples)
    outcome = command(capsys, "convolve", tmp_path / "in.png", tmp_path / "out.png", "--kernel", MEAN, "--mode", mode)
    assert_done(outcome)
    result = imageio.imread(tmp_path / "out.png")
    assert result.shape == (*shape, 4)
    alpha = {"same": samples[..., 3], "full": np.pad(samples[..., 3], 1), "valid": samples[1:-1, 1:-1, 3]}[mode]
    np.testing.assert_array_equal(result[..., 3], alpha)


def test_transparency_follows_an_impulse_under_kernels_of_even_size(tmp_path, capsys):
    alpha = np.zeros((5, 6), np.uint8)
    alpha[2, 3] = 200
    write_picture(tmp_path / "in.png", Picture(alpha, "YX", alpha))
    for mode in ("same", "full", "valid"):
        # The kernel's only weight is where "same" leaves the picture in place.
        words = ("convolve", tmp_path / "in.png", tmp_path / "out.png", "--kernel", "0 1 0 0", "--mode", mode)
        assert_done(command(capsys, *words))
        result = read_picture(tmp_path / "out.png")
        np.testing.assert_array_equal(result.alpha, result.samples)
        assert result.samples.max() == 200


def test_a_volume_is_filtered_page_by_page(tmp_path, capsys, rng):
    volume = rng.integers(0, 256, (4, 6, 7)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", volume, photometric="minisblack")
    outcome = command(capsys, "convolve", tmp_path / "in.tif", tmp_path / "out.tif", "--kernel", SLOPE)
    assert_done(outcome)
    assert "4 pages of 6 x 7, uint8" in outcome.out
    expected = np.stack([_filtered(page, SLOPE_WEIGHTS) for page in volume])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), expected)
    assert_done(command(capsys, "convolve", tmp_path / "in.tif", tmp_path / "out.tif", "--kernel", SLOPE, "--clip"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), np.clip(expected, 0, 255))


def test_a_kernel_of_three_axes_reaches_across_pages(tmp_path, capsys, rng):
    volume = rng.integers(0, 256, (4, 6, 7)).astype(np.uint8)
    kernel = rng.integers(-3, 4, (3, 2, 3))
    np.save(tmp_path / "kernel.npy", kernel)
    tifffile.imwrite(tmp_path / "in.tif", volume, photometric="minisblack")
    words = ("convolve", tmp_path / "in.tif", tmp_path / "out.tif", "--kernel", tmp_path / "kernel.npy")
    assert_done(command(capsys, *words, "--boundary", "mirror"))
    expected = _filtered(volume, kernel, axes=(0, 1, 2), boundary="mirror")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), expected)


def test_a_kernel_of_three_axes_never_mixes_channels(tmp_path, capsys, rng):
    volume = rng.integers(0, 256, (3, 2, 6, 7)).astype(np.uint16)
    np.save(tmp_path / "kernel.npy", np.arange(8).reshape(2, 2, 2))
    tifffile.imwrite(tmp_path / "in.tif", volume, imagej=True, metadata={"axes": "ZCYX"})
    words = ("convolve", tmp_path / "in.tif", tmp_path / "out.tif", "--kernel", tmp_path / "kernel.npy")
    assert_done(command(capsys, *words))
    expected = _filtered(volume, np.arange(8).reshape(2, 2, 2), axes=(0, 2, 3))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), expected)


def test_channels_alone_are_no_volume(tmp_path, capsys, rng):
    channels = rng.integers(0, 256, (3, 6, 7)).astype(np.uint16)
    np.save(tmp_path / "kernel.npy", np.ones((2, 2, 2)))
    tifffile.imwrite(tmp_path / "in.tif", channels, imagej=True, metadata={"axes": "CYX"})
    words = ("convolve", tmp_path / "in.tif", tmp_path / "out.tif", "--kernel")
    assert_refused(command(capsys, *words, tmp_path / "kernel.npy"), "the kernel is 2 x 2 x 2, the input 3 pages")
    assert_done(command(capsys, *words, "1"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), channels)


def test_transparency_of_a_volume_follows_a_kernel_of_three_axes(tmp_path, capsys, rng):
    volume = rng.integers(0, 256, (4, 6, 7, 4)).astype(np.uint8)
    np.save(tmp_path / "kernel.npy", np.ones((3, 3, 3)))
    tifffile.imwrite(tmp_path / "in.tif", volume, photometric="rgb", extrasamples=["unassalpha"])
    words = ("convolve", tmp_path / "in.tif", tmp_path / "out.tif", "--kernel", tmp_path / "kernel.npy", "--mode")
    assert_done(command(capsys, *words, "valid"))
    np.testing.assert_array_equal(read_picture(tmp_path / "out.tif").alpha, volume[1:-1, 1:-1, 1:-1, 3])


def test_progress_is_shown_for_pages_on_a_terminal(tmp_path, capsys, monkeypatch):
    tifffile.imwrite(tmp_path / "in.tif", np.ones((3, 4, 5), np.uint8), photometric="minisblack")
    words = ("convolve", tmp_path / "in.tif", tmp_path / "out.tif", "--kernel", "1")
    assert command(capsys, *words).err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert "0/3" in command(capsys, *words).err


def test_progress_needs_no_library(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tqdm", None)
    tifffile.imwrite(tmp_path / "in.tif", np.ones((3, 4, 5), np.uint8), photometric="minisblack")
    assert_done(command(capsys, "convolve", tmp_path / "in.tif", tmp_path / "out.tif", "--kernel", "1"))


def test_a_signal_is_filtered_by_one_row(tmp_path, capsys):
    np.save(tmp_path / "in.npy", np.array([1.0, 2, 3, 4]))
    assert_done(command(capsys, "convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "1 1"))
    assert np.load(tmp_path / "out.npy").tolist() == [1, 3, 5, 7]
    outcome = command(capsys, "convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "1 1; 1 1")
    assert_refused(outcome, "the kernel is 2 x 2, the input 4, float64")


def test_a_kernel_of_one_line_lies_along_an_axis(tmp_path, capsys, rng):
    samples = rng.random((5, 6))
    np.save(tmp_path / "in.npy", samples)
    np.save(tmp_path / "taps.npy", np.array([1.0, 2, 4]))
    words = ("convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", tmp_path / "taps.npy")
    for options, shape in (((), (1, 3)), (("--axis", "1"), (1, 3)), (("--axis", "0"), (3, 1))):
        assert_done(command(capsys, *words, *options))
        np.testing.assert_allclose(
            np.load(tmp_path / "out.npy"), _filtered(samples, np.array([1.0, 2, 4]).reshape(shape)), rtol=1e-14
        )
    assert_refused(command(capsys, *words, "--axis", "2"), "lies along --axis 0 or 1")


def test_correlate_does_not_turn_the_kernel(tmp_path, capsys):
    samples = np.zeros((1, 5), np.float32)
    samples[0, 2] = 1
    np.save(tmp_path / "in.npy", samples)
    words = ("convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "1 2 3")
    assert_done(command(capsys, *words))
    assert np.load(tmp_path / "out.npy").tolist() == [[0, 1, 2, 3, 0]]
    assert_done(command(capsys, *words, "--correlate"))
    assert np.load(tmp_path / "out.npy").tolist() == [[0, 3, 2, 1, 0]]


@pytest.mark.parametrize("method", ["direct", "separable", "fft", "overlap", "auto"])
def test_every_method_and_boundary_can_be_asked_for(tmp_path, capsys, rng, method):
    samples = rng.random((20, 21))
    np.save(tmp_path / "in.npy", samples)
    for boundary in ("constant", "reflect", "mirror", "nearest", "wrap"):
        words = ("convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "1 2 1; 2 4 2; 3 6 3")
        assert_done(command(capsys, *words, "--method", method, "--boundary", boundary, "--cval", "0.5"))
        expected = _filtered(
            samples, np.outer([1, 2, 3], [1, 2, 1]), boundary=boundary, cval=0.5 * (boundary == "constant")
        )
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-12)


def test_the_device_is_the_one_asked_for(tmp_path, capsys, monkeypatch, photo):
    moved = []
    monkeypatch.setattr("gpuconv.cli.convolve.choose_device", lambda device: device)
    monkeypatch.setattr("gpuconv.cli.filtering.to_device", lambda array, device: moved.append(device) or array)
    outcome = command(capsys, "convolve", photo[0], tmp_path / "out.npy", "--kernel", "1", "--device", "cuda")
    assert_done(outcome)
    assert moved == ["cuda"]
    assert "boundary constant, on cuda" in outcome.out


@pytest.mark.gpu
def test_a_gpu_writes_the_same_picture(tmp_path, capsys, photo):
    works, sentence = cuda_state()
    if not works:
        pytest.skip(sentence)
    for device in ("cpu", "cuda"):
        words = ("convolve", photo[0], tmp_path / f"{device}.npy", "--kernel", "gaussian", "--boundary", "reflect")
        assert_done(command(capsys, *words, "--device", device))
    np.testing.assert_allclose(np.load(tmp_path / "cuda.npy"), np.load(tmp_path / "cpu.npy"), rtol=1e-5)


def test_numbers_that_gpuconv_does_not_know_are_refused(tmp_path, capsys):
    np.save(tmp_path / "in.npy", np.ones((3, 4), np.longdouble))
    outcome = command(capsys, "convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "1")
    if np.longdouble != np.float64:
        assert_refused(outcome, np.dtype(np.longdouble).name)


def test_input_and_output_may_be_the_same_file(tmp_path, capsys, photo):
    path, samples = photo
    assert_done(command(capsys, "convolve", path, path, "--kernel", "1/2"))
    np.testing.assert_array_equal(imageio.imread(path), np.rint(samples / 2))


def test_colours_of_an_array_are_told_by_an_option(tmp_path, capsys, rng):
    samples = rng.random((5, 6, 3)).astype(np.float32)
    np.save(tmp_path / "in.npy", samples)
    words = ("convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", SLOPE)
    assert_done(command(capsys, *words, "--channels-last"))
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), _filtered(samples, SLOPE_WEIGHTS), atol=1e-5)
    assert_done(command(capsys, *words))
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), _filtered(samples, SLOPE_WEIGHTS, axes=(1, 2)), atol=1e-5)


def test_complex_kernels_need_a_file_for_complex_numbers(tmp_path, capsys, photo):
    path, samples = photo
    np.save(tmp_path / "kernel.npy", np.array([[1, 1j]]))
    words = ("--kernel", tmp_path / "kernel.npy")
    assert_refused(command(capsys, "convolve", path, tmp_path / "out.png", *words), "complex results are not shown")
    assert_done(command(capsys, "convolve", path, tmp_path / "out.npy", *words))
    result = np.load(tmp_path / "out.npy")
    assert result.dtype == np.complex64
    np.testing.assert_array_equal(result.imag, _filtered(samples, [[0, 1]]))
