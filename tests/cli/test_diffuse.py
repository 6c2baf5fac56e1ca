"""`gpuconv diffuse` and `gpuconv aquarium`: `gpuconv.diffusion` on files and as a film."""

from __future__ import annotations

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from gpuconv import diffusion
from gpuconv.cli.aquarium import Tank, filmed
from tests.cli.command_line import assert_done, assert_refused, command

CALLS = [
    (("--time", "4"), 4.0, {}),
    (("--time", "4", "--diffusivity", "2,0.5", "--spacing", "1,3"), 4.0, {"diffusivity": (2, 0.5), "spacing": (1, 3)}),
    (("--time", "1e4", "--boundary", "periodic"), 1e4, {"boundary": "periodic"}),
    (("--time", "3", "--boundary", "fixed", "--value", "9"), 3.0, {"boundary": ("fixed", 9.0)}),
    (("--time", "3", "--symbol", "continuous"), 3.0, {"symbol": "continuous"}),
    (("--time", "0"), 0.0, {}),
]


@pytest.mark.parametrize(("words", "time", "options"), CALLS)
def test_a_photo_diffuses_as_by_the_library(tmp_path, capsys, rng, words, time, options):
    samples = rng.integers(0, 256, (20, 15, 3)).astype(np.uint8)
    imageio.imwrite(tmp_path / "in.png", samples)
    assert_done(command(capsys, "diffuse", tmp_path / "in.png", tmp_path / "out.tif", *words))
    expected = diffusion.diffuse(samples.astype(np.float32), time, axes=(0, 1), **options)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), expected)
    assert_done(command(capsys, "diffuse", tmp_path / "in.png", tmp_path / "out.png", *words))
    np.testing.assert_array_equal(imageio.imread(tmp_path / "out.png"), np.clip(np.rint(expected), 0, 255))


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ((), {}),
        (("--contrast", "0.1"), {"contrast": 25.5}),
        (
            ("--contrast", "0.2", "--conductance", "tukey", "--sigma", "1", "--boundary", "periodic"),
            {"contrast": 51.0, "conductance": "tukey", "sigma": 1.0, "boundary": "periodic"},
        ),
    ],
)
def test_perona_malik_takes_contrast_as_a_part_of_black_to_white(tmp_path, capsys, rng, words, options):
    samples = rng.integers(0, 256, (20, 15, 3)).astype(np.uint8)
    imageio.imwrite(tmp_path / "in.png", samples)
    words = ("diffuse", tmp_path / "in.png", tmp_path / "out.tif", "--time", "2", "--perona-malik", *words)
    assert_done(command(capsys, *words))
    expected = diffusion.perona_malik(samples.astype(np.float32), 2.0, axes=(0, 1), channel_axis=2, **options)
    np.testing.assert_allclose(tifffile.imread(tmp_path / "out.tif"), expected, rtol=1e-5)


def test_perona_malik_keeps_an_edge_that_diffusion_blurs(tmp_path, capsys):
    edge = np.where(np.arange(24) < 12, 50, 200) + np.arange(24) % 2 * 10
    np.save(tmp_path / "in.npy", np.broadcast_to(edge, (6, 24)).astype(float))
    words = ("diffuse", tmp_path / "in.npy", tmp_path / "out.npy", "--time", "20")
    outcome = command(capsys, *words, "--perona-malik", "--contrast", "0.15")
    assert_done(outcome)
    line = "Perona-Malik: time=20, contrast=0.15, conductance=exponential, sigma=0, spacing=1, boundary no-flux, on cpu"
    assert line in outcome.out.splitlines()
    kept = np.load(tmp_path / "out.npy")[0]
    assert np.ptp(kept[:12]) < 2
    assert kept[12] - kept[11] > 140
    assert_done(command(capsys, *words))
    assert np.diff(np.load(tmp_path / "out.npy")[0])[11] < 20


def test_volumes_diffuse_page_by_page_or_across(tmp_path, capsys, rng):
    np.save(tmp_path / "in.npy", x := rng.random((5, 8, 9)))
    words = ("diffuse", tmp_path / "in.npy", tmp_path / "out.npy", "--time", "2")
    assert_done(command(capsys, *words))
    np.testing.assert_allclose(np.load(words[2]), diffusion.diffuse(x, 2.0, axes=(1, 2)), rtol=1e-12)
    assert_done(command(capsys, *words, "--across-pages", "--spacing", "5,1,1"))
    np.testing.assert_allclose(np.load(words[2]), diffusion.diffuse(x, 2.0, spacing=(5, 1, 1)), rtol=1e-12)


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ((), "the following arguments are required: --time"),
        (("--time", "-1"), "time"),
        (("--time", "nan"), "time"),
        (("--time", "1", "--diffusivity", "-1"), "diffusivity"),
        (("--time", "1", "--diffusivity", "1,2,3"), "diffusivity"),
        (("--time", "1", "--spacing", "0"), "spacing"),
        (("--time", "1", "--value", "3"), "--value goes with --boundary fixed"),
        (("--time", "1", "--boundary", "open"), "invalid choice: 'open'"),
        (("--time", "1", "--contrast", "0.1"), "--contrast goes with --perona-malik"),
        (("--time", "1", "--perona-malik", "--diffusivity", "2"), "--diffusivity goes without --perona-malik"),
        (("--time", "1", "--perona-malik", "--boundary", "fixed"), "--perona-malik has a wall or repeats"),
        (("--time", "1", "--perona-malik", "--contrast", "0"), "contrast must be positive"),
        (("--time", "1", "--perona-malik", "--conductance", "tukei"), "invalid choice: 'tukei'"),
        (("--time", "1", "--across-pages"), "--across-pages goes with a stack of pages"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(tmp_path, capsys, words, fragment):
    imageio.imwrite(tmp_path / "in.png", np.zeros((8, 9), np.uint8))
    outcome = command(capsys, "diffuse", tmp_path / "in.png", tmp_path / "out.png", *words)
    assert_refused(outcome, fragment)
    assert outcome.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_salt_waits_behind_the_barrier_and_is_kept():
    told = []
    tank = Tank((12, 32), days=4.0, lift=2.0, stir=0.0, diffusivity=20.0)
    film = filmed(tank, 8, "cpu", told.append)
    assert film.salt.shape == (9, 12, 32)
    np.testing.assert_allclose(film.days, np.linspace(0, 4, 9))
    before = film.salt[film.days <= 2.0]
    assert (before[:, :, 16:] == 0).all()
    assert (before[:, :, :16] == 35).all()
    assert (film.salt[5:, :, 16] > 1).all()
    np.testing.assert_allclose(film.salt.sum(axis=(1, 2)), 35 * 12 * 16, rtol=1e-12)
    # What is left after the barrier is what one exact solution says.
    exact = diffusion.diffuse(tank.start(), 2.0, diffusivity=20.0)
    assert np.sqrt(np.mean((film.salt[-1] - exact) ** 2)) < 0.01 * 35
    assert told == sorted(told)
    assert told[-1] == 4.0


def test_stirring_is_faster_than_waiting_and_moves_no_salt_through_walls():
    tanks = [Tank((32, 32), 6.0, 1.0, stir, diffusivity=4.0) for stir in (0.0, 30.0)]
    waiting, stirring = (filmed(tank, 2, "cpu").salt for tank in tanks)
    assert stirring[-1].std() < 0.7 * waiting[-1].std()
    np.testing.assert_allclose(stirring.sum(axis=(1, 2)), waiting[0].sum(), rtol=1e-12)
    assert stirring.min() > -0.5
    down, right = tanks[1].whirl()
    assert (down[[0, -1]] == 0).all() or abs(down[[0, -1]]).max() < 1e-12
    assert abs(np.diff(down, axis=0) + np.diff(right, axis=1)).max() < 1e-12
    assert max(abs(down).max(), abs(right).max()) == pytest.approx(30)


@pytest.mark.parametrize("stir", ["0", "10"])
def test_the_aquarium_is_a_film_a_strip_or_an_array(tmp_path, capsys, stir):
    words = ("--size", "16,24", "--days", "2", "--lift", "1", "--frames", "4", "--stir", stir)
    for name, line in (("out.gif", "5 pictures"), ("out.png", "5 moments"), ("out.npy", "5 pictures of 16 x 24, g/l")):
        outcome = command(capsys, "aquarium", tmp_path / name, *words)
        assert_done(outcome)
        assert outcome.out.splitlines()[-1] == f"wrote {tmp_path / name}: {line}"
    frames = imageio.imread(tmp_path / "out.gif", index=None)
    assert len(frames) == 5
    assert (frames[0] != frames[-1]).mean() > 0.05
    assert np.load(tmp_path / "out.npy").shape == (5, 16, 24)


@pytest.mark.parametrize(("lift", "stretches"), [("0", 1), ("2", 1), ("1", 2)])
def test_the_barrier_may_be_lifted_at_once_or_never(tmp_path, capsys, lift, stretches):
    words = ("--size", "8", "--days", "2", "--frames", "3", "--lift", lift)
    outcome = command(capsys, "aquarium", tmp_path / "out.npy", *words)
    assert_done(outcome)
    assert sum(line.startswith("  day ") for line in outcome.out.splitlines()) == stretches
    assert np.load(tmp_path / "out.npy").shape == (4, 8, 8)


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (("out.mp4",), "the output must end in one of .gif, .png, .npy"),
        (("missing/out.gif",), "the folder of the output must exist"),
        (("out.gif", "--size", "1"), "--size is a number of cells, or height and width"),
        (("out.gif", "--size", "8,8,8"), "--size is a number of cells, or height and width"),
        (("out.gif", "--lift", "31"), "got --days 30 --lift 31"),
        (("out.gif", "--days", "nan"), "got --days nan"),
        (("out.gif", "--stir=-1"), "--stir is a speed of 0 or more"),
        (("out.gif", "--diffusivity", "0"), "--diffusivity is above 0"),
        (("out.gif", "--frames", "0"), "got --frames 0"),
        (("out.gif", "--frames", "5000"), "got --frames 5000 of 256 x 256"),
        (("out.gif", "--device", "gpu"), "An NVIDIA GPU is called cuda"),
    ],
)
def test_tanks_that_cannot_be_are_refused(tmp_path, capsys, monkeypatch, words, fragment):
    monkeypatch.chdir(tmp_path)
    assert_refused(command(capsys, "aquarium", *words), fragment)
    assert list(tmp_path.iterdir()) == []
