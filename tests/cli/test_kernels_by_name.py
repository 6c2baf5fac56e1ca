"""Kernels of the zoo on the command line: by name, with parameters, listed and shown."""

from __future__ import annotations

import imageio.v3 as imageio
import numpy as np
import pytest

import gpuconv
from gpuconv import kernels
from gpuconv.cli.choosing import read_parameter
from tests.cli.command_line import assert_done, assert_refused, command


@pytest.fixture
def array(tmp_path, rng):
    samples = rng.random((15, 14))
    np.save(tmp_path / "in.npy", samples)
    return tmp_path / "in.npy", samples


CALLS = [
    (("sobel",), "sobel", {}),
    (("sobel", "--axis", "0"), "sobel", {"axis": 0}),
    (("sobel", "--axis", "-1"), "sobel", {"axis": -1}),
    (("gaussian", "--param", "sigma=2", "--param", "kind=lattice"), "gaussian", {"sigma": 2, "kind": "lattice"}),
    (("gaussian", "--param", "order=(0,1)"), "gaussian", {"order": (0, 1)}),
    (("laplacian", "--param", "neighbours=all"), "laplacian", {"neighbours": "all"}),
]


@pytest.mark.parametrize(("words", "name", "parameters"), CALLS)
def test_a_kernel_by_name_is_the_one_of_the_zoo(tmp_path, capsys, array, words, name, parameters):
    path, samples = array
    assert_done(command(capsys, "convolve", path, tmp_path / "out.npy", "--kernel", *words))
    expected = gpuconv.convolve(samples, kernels.get(name, **parameters))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_magnitude_is_the_steepness_in_any_direction(tmp_path, capsys, array):
    path, samples = array
    words = ("convolve", path, tmp_path / "out.npy", "--kernel", "sobel", "--magnitude")
    assert_done(command(capsys, *words, "--boundary", "nearest"))
    slopes = [gpuconv.convolve(samples, kernels.get("sobel", axis=axis), boundary="nearest") for axis in (0, 1)]
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), np.hypot(*slopes), rtol=1e-14)
    assert_refused(command(capsys, *words, "--axis", "0"), "--magnitude takes every axis")
    assert_refused(command(capsys, *words, "--param", "axis=0"), "--magnitude takes every axis")
    words = ("convolve", path, tmp_path / "out.npy", "--kernel", "box", "--magnitude")
    assert_refused(command(capsys, *words), "the parameters of box are size, ndim: got axis")


def test_the_magnitude_of_a_photo_is_never_negative(tmp_path, capsys):
    step = np.repeat(np.array([[0, 200]], np.uint8), 8, axis=0).repeat(8, axis=1)
    for name, samples in (("up.png", step), ("down.png", 200 - step)):
        imageio.imwrite(tmp_path / name, samples)
        words = (
            "convolve",
            tmp_path / name,
            tmp_path / name,
            "--kernel",
            "sobel",
            "--magnitude",
            "--boundary",
            "reflect",
        )
        assert_done(command(capsys, *words))
    np.testing.assert_array_equal(imageio.imread(tmp_path / "up.png"), imageio.imread(tmp_path / "down.png"))
    assert imageio.imread(tmp_path / "up.png").max() == 255


def test_the_magnitude_of_large_whole_numbers_does_not_run_over(tmp_path, capsys):
    np.save(tmp_path / "in.npy", np.array([[0, 0, 2**31 - 1, 2**31 - 1]] * 3, np.int32))
    words = ("convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "sobel", "--magnitude")
    assert_done(command(capsys, *words, "--boundary", "nearest"))
    assert np.load(tmp_path / "out.npy")[1].tolist() == [0, 4 * (2.0**31 - 1), 4 * (2.0**31 - 1), 0]


@pytest.mark.parametrize("how", ["sum", "size", "l2", "softmax"])
def test_normalize_divides_the_weights(tmp_path, capsys, array, how):
    path, samples = array
    words = ("convolve", path, tmp_path / "out.npy", "--kernel", "1 2 1; 2 4 2; 1 2 1", "--normalize", how)
    assert_done(command(capsys, *words))
    weights = kernels.normalize(np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]), how)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), gpuconv.convolve(samples, weights))


def test_a_zoo_kernel_of_three_axes_reaches_across_a_volume(tmp_path, capsys, rng):
    volume = rng.random((5, 6, 7))
    np.save(tmp_path / "in.npy", volume)
    words = ("convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "laplacian", "--param", "ndim=3")
    assert_done(command(capsys, *words))
    expected = gpuconv.convolve(volume, kernels.get("laplacian", ndim=3))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_a_zoo_kernel_of_one_axis_filters_a_signal(tmp_path, capsys):
    np.save(tmp_path / "in.npy", np.arange(6.0))
    words = ("convolve", tmp_path / "in.npy", tmp_path / "out.npy", "--kernel", "sobel")
    assert_refused(command(capsys, *words), "the kernel is 3 x 3, the input 6, float64", "--param ndim=1")
    assert_done(command(capsys, *words, "--param", "ndim=1", "--axis", "0"))
    assert np.load(tmp_path / "out.npy")[1:-1].tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("sobl",), ("a kernel is a name, rows of numbers, or a .npy file: got 'sobl'", "Did you mean 'sobel'?")),
        (("",), ("got ''", "Choose one of identity, box")),
        (("gaussian", "--param", "size=3"), ("the parameters of gaussian are sigma", "got size")),
        (("gaussian", "--axis", "0"), ("the parameters of gaussian are sigma", "got axis")),
        (("gaussian", "--param", "sigma=-1"), ("sigma", "-1")),
        (("gaussian", "--param", "sigma=wide"), ("sigma", "'wide'")),
        (("gaussian", "--param", "sigma"), ("--param takes NAME=VALUE: got 'sigma'",)),
        (("gaussian", "--param", "2=3"), ("--param takes NAME=VALUE: got '2=3'",)),
        (("laplacian", "--normalize", "sum"), ("sum",)),
    ],
)
def test_wrong_names_and_parameters_are_one_line(tmp_path, capsys, array, words, fragments):
    outcome = command(capsys, "convolve", array[0], tmp_path / "out.npy", "--kernel", *words)
    assert_refused(outcome, *fragments)
    assert not (tmp_path / "out.npy").exists()


def test_parameters_are_numbers_tuples_or_words():
    assert read_parameter("sigma=2") == ("sigma", 2)
    assert read_parameter("sigma=1.5") == ("sigma", 1.5)
    assert read_parameter("order=(0, 1)") == ("order", (0, 1))
    assert read_parameter("kind=lattice") == ("kind", "lattice")
    assert read_parameter("kind=") == ("kind", "")


def test_kernels_lists_every_name_with_its_line(capsys):
    outcome = command(capsys, "kernels")
    assert_done(outcome)
    words = " ".join(outcome.out.split())
    for name in kernels.names():
        assert f"{name} {kernels.describe(name)}" in words
    assert max(len(line) for line in outcome.out.splitlines()) <= 100


def test_kernels_shows_one_kernel_with_its_weights(capsys):
    outcome = command(capsys, "kernels", "sobel", "--param", "axis=0")
    assert_done(outcome)
    first, size, *weights = outcome.out.splitlines()
    assert first == f"sobel: {kernels.describe('sobel')}"
    assert size == "3 x 3, int16"
    assert " ".join("".join(weights).replace("[", " ").replace("]", " ").split()) == "1 2 1 0 0 0 -1 -2 -1"
    assert_refused(command(capsys, "kernels", "sobl"), "Did you mean 'sobel'?")
