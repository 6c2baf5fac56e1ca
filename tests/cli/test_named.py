"""`gpuconv blur`, `sharpen`, `edges` and `filter NAME`: the filters of `gpuconv.filters` on files."""

from __future__ import annotations

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from gpuconv import filters, kernels
from gpuconv.cli.named import OTHERS, filter_names, named_filter
from gpuconv.cli.parameters import PARAMETERS, own_parameters
from tests.cli.command_line import assert_done, assert_refused, command

# What every filter needs that has no default, and options beside it: as words, and as Python would have them.
CALLS = [
    ("gaussian", ("--sigma", "2", "--order", "0,1"), {"sigma": 2, "order": (0, 1)}),
    ("gaussian", ("--sigma", "1.5,0.5", "--radius", "3"), {"sigma": (1.5, 0.5), "radius": 3}),
    ("gaussian", ("--sigma", "1", "--kind", "lattice"), {"sigma": 1, "kind": "lattice"}),
    ("gradient_magnitude", ("--operator", "scharr"), {"operator": "scharr"}),
    ("gradient_magnitude", ("--sigma", "1", "--truncate", "3"), {"sigma": 1, "truncate": 3}),
    ("gaussian_laplace", ("--sigma", "1.5"), {"sigma": 1.5}),
    ("difference_of_gaussians", ("--sigma", "1", "--ratio", "2"), {"sigma": 1, "ratio": 2}),
    ("unsharp_mask", ("--sigma", "1", "--amount", "-0.5"), {"sigma": 1, "amount": -0.5}),
    ("sobel", (), {"axis": 1}),
    ("sobel", ("--axis", "0", "--scale", "unit"), {"axis": 0, "scale": "unit"}),
    ("prewitt", ("--axis", "1"), {"axis": 1}),
    ("scharr", ("--axis", "-2"), {"axis": 0}),
    ("roberts", ("--origin", "1"), {"axis": 1, "origin": 1}),
    ("laplace", ("--neighbours", "8"), {"neighbours": 8}),
    ("laplace", ("--neighbours", "all", "--scale", "unit"), {"neighbours": "all", "scale": "unit"}),
    ("uniform", ("--size", "5,3", "--origin=-1,0"), {"size": (5, 3), "origin": (-1, 0)}),
    ("local_mean", ("--size", "4", "--nan", "omit"), {"size": 4, "nan": "omit"}),
    ("local_variance", ("--ddof", "1"), {"ddof": 1}),
]


def _in_file(tmp_path, samples):
    np.save(tmp_path / "in.npy", samples)
    return tmp_path / "in.npy", tmp_path / "out.npy"


@pytest.mark.parametrize(("name", "words", "options"), CALLS)
def test_a_filter_by_name_is_the_one_of_the_library(tmp_path, capsys, rng, name, words, options):
    samples = rng.random((12, 14, 3))
    source, target = _in_file(tmp_path, samples)
    assert_done(command(capsys, "filter", name, source, target, "--channels-last", *words))
    expected = getattr(filters, name)(samples, axes=(0, 1), **options)
    np.testing.assert_array_equal(np.load(target), expected)
    assert np.load(target).dtype == expected.dtype


def test_every_filter_that_makes_one_image_of_one_is_a_row_with_help(capsys):
    assert set(filter_names()) | OTHERS == set(filters.__all__)
    assert {name for name, _, _ in CALLS} | {"normalized_convolve"} == set(filter_names())
    top = command(capsys, "filter", "--help")
    assert_done(top)
    for name in filter_names():
        assert f"    {name} " in top.out.replace("\n", " \n")
        assert_done(command(capsys, "filter", name, "--help"))


def test_the_other_filters_do_not_make_one_image_of_one():
    x = np.ones((3, 5, 6))
    kernel = np.ones((1, 1, 1))
    for name in OTHERS:
        given = {"bank": (x, [kernel]), "symmetric_eigenvalues": (x,)}.get(name, (x, 1.0))
        result = getattr(filters, name)(*given)
        assert name == "symmetric_eigenvalues" or result.ndim == 4, name


def test_every_parameter_of_every_filter_is_an_option(capsys):
    known = {parameter.name for parameter in PARAMETERS}
    used = set()
    for name in filter_names():
        own = set(own_parameters(named_filter(name)))
        assert own <= known, name
        used |= own
        text = command(capsys, "filter", name, "--help").out
        assert all(f"--{parameter} " in text for parameter in own), name
    assert used == known


SHORT = [
    (("blur",), lambda x: filters.gaussian(x, 2.0, axes=(0, 1))),
    (("blur", "--sigma", "3,1"), lambda x: filters.gaussian(x, (3, 1), axes=(0, 1))),
    (("sharpen",), lambda x: filters.unsharp_mask(x, 2.0, axes=(0, 1))),
    (("sharpen", "--amount", "2"), lambda x: filters.unsharp_mask(x, 2.0, amount=2, axes=(0, 1))),
    (("edges",), lambda x: filters.gradient_magnitude(x, operator="sobel", scale="integer", axes=(0, 1))),
    (
        ("edges", "--operator", "scharr"),
        lambda x: filters.gradient_magnitude(x, operator="scharr", scale="integer", axes=(0, 1)),
    ),
    (("edges", "--sigma", "1"), lambda x: filters.gradient_magnitude(x, 1.0, axes=(0, 1))),
]


@pytest.mark.parametrize(("words", "expected"), SHORT)
def test_short_commands_filter_photos_colour_by_colour(tmp_path, capsys, rng, words, expected):
    samples = rng.integers(0, 256, (20, 15, 3)).astype(np.uint8)
    imageio.imwrite(tmp_path / "in.png", samples)
    assert_done(command(capsys, words[0], tmp_path / "in.png", tmp_path / "out.png", *words[1:]))
    result = np.clip(np.rint(expected(samples.astype(np.float32))), 0, 255)
    np.testing.assert_array_equal(imageio.imread(tmp_path / "out.png"), result)
    assert_done(command(capsys, words[0], tmp_path / "in.png", tmp_path / "out.tif", *words[1:]))
    written = tifffile.imread(tmp_path / "out.tif")
    assert written.dtype == np.float32
    np.testing.assert_array_equal(written, expected(samples.astype(np.float32)))


def test_what_is_done_is_said(tmp_path, capsys):
    imageio.imwrite(tmp_path / "in.png", np.full((8, 9), 3, np.uint8))
    words = (tmp_path / "in.png", tmp_path / "out.png")
    for given, line in (
        (("blur", *words), "gaussian: sigma=2, boundary reflect, on cpu"),
        (("blur", *words, "--sigma", "1,0.5", "--boundary", "wrap"), "gaussian: sigma=1,0.5, boundary wrap, on cpu"),
        (("edges", *words), "gradient_magnitude: operator=sobel, scale=integer, boundary reflect, on cpu"),
        (("edges", *words, "--sigma", "1"), "gradient_magnitude: sigma=1, boundary reflect, on cpu"),
        (("filter", "laplace", *words), "laplace, boundary reflect, on cpu"),
    ):
        outcome = command(capsys, *given)
        assert_done(outcome)
        assert outcome.out.splitlines()[1] == line


def test_boundary_and_fill_value_reach_the_filter(tmp_path, capsys, rng):
    samples = rng.random((9, 8))
    source, target = _in_file(tmp_path, samples)
    for boundary in ("constant", "reflect", "mirror", "nearest", "wrap"):
        assert_done(command(capsys, "blur", source, target, "--boundary", boundary, "--cval", "2"))
        cval = 2.0 * (boundary == "constant")
        np.testing.assert_array_equal(np.load(target), filters.gaussian(samples, 2.0, boundary=boundary, cval=cval))


def test_stacks_are_filtered_page_by_page_or_across(tmp_path, capsys, rng):
    samples = rng.integers(0, 2**16, (6, 9, 8), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", samples, photometric="minisblack")
    words = (tmp_path / "in.tif", tmp_path / "out.npy")
    floats = samples.astype(np.float32)
    assert_done(command(capsys, "blur", *words, "--sigma", "1,2"))
    # Pages that are small images are matrix products, which round once where passes round twice.
    np.testing.assert_allclose(np.load(words[1]), filters.gaussian(floats, (1, 2), axes=(1, 2)), rtol=2**-23)
    assert_done(command(capsys, "blur", *words, "--sigma", "1,2,0", "--across-pages"))
    np.testing.assert_array_equal(np.load(words[1]), filters.gaussian(floats, (1, 2, 0)))
    assert_done(command(capsys, "filter", "sobel", *words, "--axis", "0", "--across-pages"))
    np.testing.assert_array_equal(np.load(words[1]), filters.sobel(floats, 0))
    assert_done(command(capsys, "blur", words[0], tmp_path / "out.tif", "--clip"))
    assert tifffile.imread(tmp_path / "out.tif").dtype == np.uint16


def test_a_signal_has_one_axis(tmp_path, capsys, rng):
    samples = rng.random(30)
    source, target = _in_file(tmp_path, samples)
    assert_done(command(capsys, "filter", "uniform", source, target, "--size", "5"))
    np.testing.assert_array_equal(np.load(target), filters.uniform(samples, 5))
    assert_refused(command(capsys, "filter", "roberts", source, target), "needs two axes")


def test_missing_pixels_come_as_a_mask(tmp_path, capsys, rng):
    samples = rng.random((10, 11, 3)).astype(np.float32)
    mask = rng.random((10, 11)) > 0.3
    source, target = _in_file(tmp_path, samples)
    np.save(tmp_path / "mask.npy", mask)
    imageio.imwrite(tmp_path / "mask.png", mask.astype(np.uint8) * 255)
    expected = filters.local_variance(samples, 3, ddof=1, weights=mask[..., np.newaxis], axes=(0, 1))
    for name in ("mask.npy", "mask.png"):
        words = ("--weights", tmp_path / name, "--ddof", "1", "--channels-last")
        assert_done(command(capsys, "filter", "local_variance", source, target, *words))
        np.testing.assert_allclose(np.load(target), expected, rtol=1e-6)
    np.save(tmp_path / "volume.npy", samples)
    words = ("filter", "local_mean", tmp_path / "volume.npy", target, "--across-pages", "--weights")
    np.save(tmp_path / "weights.npy", samples)
    assert_done(command(capsys, *words, tmp_path / "weights.npy"))
    np.testing.assert_array_equal(np.load(target), filters.local_mean(samples, 3, weights=samples))
    assert_refused(command(capsys, *words, tmp_path / "mask.npy"), "got 10 x 11 for 10 x 11 x 3")


def test_normalized_convolution_takes_a_kernel_as_convolve_does(tmp_path, capsys, rng):
    samples = rng.random((12, 13))
    samples[3:5, 4:9] = np.nan
    source, target = _in_file(tmp_path, samples)
    words = ("filter", "normalized_convolve", source, target, "--nan", "omit")
    outcome = command(capsys, *words, "--kernel", "gaussian", "--param", "sigma=1.5")
    assert_done(outcome)
    assert "normalized_convolve: kernel=gaussian, nan=omit, 13 x 13, boundary constant, on cpu" in outcome.out
    expected = filters.normalized_convolve(samples, kernels.gaussian(1.5), nan="omit")
    np.testing.assert_array_equal(np.load(target), expected)
    assert_done(command(capsys, *words, "--kernel", "1 2 1", "--mode", "valid", "--boundary", "constant"))
    np.testing.assert_array_equal(
        np.load(target), filters.normalized_convolve(samples, np.array([[1, 2, 1]]), nan="omit", mode="valid")
    )
    assert_refused(command(capsys, *words, "--kernel", "gausian"), "Did you mean 'gaussian'?")


def test_transparency_is_cut_with_the_picture(tmp_path, capsys, rng):
    samples = rng.integers(0, 256, (9, 10, 4)).astype(np.uint8)
    imageio.imwrite(tmp_path / "in.png", samples)
    words = (tmp_path / "in.png", tmp_path / "out.png")
    assert_done(command(capsys, "blur", *words))
    np.testing.assert_array_equal(imageio.imread(words[1])[..., 3], samples[..., 3])
    assert_done(command(capsys, "filter", "normalized_convolve", *words, "--kernel", "1 1 1; 1 1 1", "--mode", "valid"))
    np.testing.assert_array_equal(imageio.imread(words[1])[..., 3], samples[1:, 1:-1, 3])


def test_complex_results_need_a_file_for_complex_numbers(tmp_path, capsys, rng):
    source, target = _in_file(tmp_path, rng.random((5, 6)) + 1j)
    assert_done(command(capsys, "blur", source, target))
    assert np.load(target).dtype == np.complex128
    assert_refused(command(capsys, "blur", source, tmp_path / "out.png"), "complex results are not shown as a picture")
    assert_done(command(capsys, "edges", source, target))
    assert np.load(target).dtype == np.float64


WRONG = [
    (("filter",), "the following arguments are required: NAME"),
    (("filter", "gausian", "IN", "OUT"), "'gpuconv filter --help' lists: got 'gausian'. Did you mean 'gaussian'?"),
    (("filter", "gaussian-laplace", "IN", "OUT"), "Did you mean 'gaussian_laplace'?"),
    (("filter", "zzz", "IN", "OUT"), "got 'zzz'. Choose one of gaussian, gradient_magnitude"),
    (("filter", "hessian", "IN", "OUT"), "hessian makes several, or takes none. From Python, call gpuconv.filters.h"),
    (("filter", "gaussian", "IN", "OUT"), "the following arguments are required: --sigma"),
    (
        ("blur", "IN", "OUT", "--sigma", "wide"),
        "argument --sigma: takes a number, or one per axis as in 3,1: got",
    ),
    (("blur", "IN", "OUT", "--sigma", "-1"), "sigma", "got -1"),
    (("blur", "IN", "OUT", "--sigma", "1,2,3"), "sigma"),
    (("blur", "IN", "OUT", "--order", "1"), "unrecognized arguments: --order"),
    (("filter", "uniform", "IN", "OUT", "--size", "2.5"), "argument --size: takes a whole number"),
    (("edges", "IN", "OUT", "--operator", "soble"), "argument --operator: invalid choice: 'soble'"),
    (("edges", "IN", "OUT", "--operator", "sobel", "--sigma", "1"), "Give sigma or operator, not both."),
    (("filter", "sobel", "IN", "OUT", "--axis", "2"), "--axis counts 2 directions from 0: got 2"),
    (("filter", "sobel", "IN", "OUT", "--axis", "-3"), "--axis counts 2 directions from 0: got -3"),
    (("blur", "IN", "OUT", "--across-pages"), "--across-pages goes with a stack of pages: the input is 12 x 10"),
    (("blur", "missing.png", "OUT"), "missing.png: No such file"),
    (("blur", "IN", "a.gif"), "the output must end in one of"),
    (("blur", "IN", "OUT", "--device", "gpu"), "got 'gpu'. An NVIDIA GPU is called cuda."),
    (("filter", "local_mean", "IN", "OUT", "--weights", "missing.npy"), "missing.npy: No such file"),
    (("filter", "local_mean", "IN", "OUT", "--weights", "missing.png"), "missing.png: No such file"),
    (("filter", "normalized_convolve", "IN", "OUT"), "the following arguments are required: --kernel"),
]


@pytest.mark.parametrize(("words", "fragments"), [(words, rest) for words, *rest in WRONG])
def test_mistakes_are_one_line_and_nothing_is_written(tmp_path, capsys, words, fragments):
    imageio.imwrite(tmp_path / "in.png", np.zeros((12, 10, 3), np.uint8))
    places = {"IN": tmp_path / "in.png", "OUT": tmp_path / "out.png"}
    assert_refused(command(capsys, *(places.get(word, word) for word in words)), *fragments)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.parametrize(("weights", "fragment"), [(np.ones((3, 4)), "got 3 x 4 for 5 x 6"), (np.array(["a"]), "<U1")])
def test_weights_that_do_not_fit_are_refused(tmp_path, capsys, weights, fragment):
    source, target = _in_file(tmp_path, np.ones((5, 6)))
    np.save(tmp_path / "weights.npy", weights)
    words = ("--weights", tmp_path / "weights.npy")
    assert_refused(command(capsys, "filter", "local_mean", source, target, *words), fragment)


def test_the_device_is_the_one_asked_for(tmp_path, capsys, monkeypatch):
    moved = []
    monkeypatch.setattr("gpuconv.cli.named.choose_device", lambda device: device)
    monkeypatch.setattr("gpuconv.cli.named.to_device", lambda array, device: moved.append(("weights", device)) or array)
    monkeypatch.setattr("gpuconv.cli.filtering.to_device", lambda array, device: moved.append(device) or array)
    source, target = _in_file(tmp_path, np.ones((5, 6)))
    np.save(tmp_path / "weights.npy", np.ones((5, 6)))
    words = ("--weights", tmp_path / "weights.npy", "--device", "cuda")
    outcome = command(capsys, "filter", "local_mean", source, target, *words)
    assert_done(outcome)
    assert moved == [("weights", "cuda"), "cuda"]
    assert "boundary reflect, on cuda" in outcome.out
