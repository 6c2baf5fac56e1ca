"""`gpuconv bars`: levels of sounds of known loudness, and sounds that are none."""

from __future__ import annotations

import sys

import imageio.v3 as imageio
import numpy as np
import pytest

from gpuconv.cli.bars import drawn_bars, levels, spoken
from gpuconv.cli.chord import CHORD, GLIDE, chord, write_wav
from gpuconv.cli.sounds import Sound, read_sound
from tests.cli.command_line import assert_done, assert_refused, command

soundfile = pytest.importorskip("soundfile")

RATE = 8000


def _sine(frequency, amplitude, seconds=1.0):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(RATE * seconds)) / RATE)


def _levels(out):
    """Numbers of the lines of bands, by nominal frequency."""
    rows = [line.split() for line in out.splitlines() if " Hz " in line]
    return {float(row[0]): [float(number) if number != "silent" else -np.inf for number in row[2:]] for row in rows}


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_a_sine_of_full_scale_has_0_decibels(tmp_path, capsys, ending):
    soundfile.write(tmp_path / f"in.{ending}", _sine(500, 0.999), RATE)
    outcome = command(capsys, "bars", tmp_path / f"in.{ending}", tmp_path / "out.png")
    assert_done(outcome)
    found = _levels(outcome.out)
    assert list(found) == [31.5, 63, 125, 250, 500, 1000, 2000]
    assert found[500][0] == pytest.approx(0, abs=0.1)
    assert max(level[0] for name, level in found.items() if name != 500) < -50
    assert outcome.out.startswith(f"read {tmp_path / f'in.{ending}'}: 1 s, 8000 samples per second, 1 channel\n")
    assert imageio.imread(tmp_path / "out.png").shape[1] > 500


def test_channels_are_averaged_in_power_or_shown_apart(tmp_path, capsys):
    # Of opposite sign: the mean of their samples would be silence.
    both = np.stack([_sine(1000, 0.5), -_sine(1000, 0.5)], axis=1)
    soundfile.write(tmp_path / "in.wav", both, RATE, subtype="FLOAT")
    words = ("bars", tmp_path / "in.wav", tmp_path / "out.png", "--low", "900", "--high", "1100")
    outcome = command(capsys, *words)
    assert "octave bands of the mean of 2 channels" in outcome.out
    assert _levels(outcome.out) == {1000: [-6.0]}
    soundfile.write(tmp_path / "in.wav", both * [1, 0], RATE, subtype="FLOAT")
    assert _levels(command(capsys, *words).out) == {1000: [-9.0]}
    assert _levels(command(capsys, *words, "--per-channel", "--bands", "third").out) == {1000: [-6.0, -np.inf]}


def test_bars_end_at_the_levels_and_begin_at_the_floor():
    samples = np.stack([_sine(500, 0.1), np.zeros(RATE)]).astype(np.float32)
    found = levels(Sound(samples, RATE), "octave", True, "cpu")
    axes = drawn_bars(found, "in.wav", -60.0).axes[0]
    tops = [bar.get_y() + bar.get_height() for bar in axes.patches]
    assert tops[4] == pytest.approx(-20, abs=1e-3)
    assert tops[7:] == [-60.0] * 7
    assert [label.get_text() for label in axes.get_xticklabels()] == ["31.5", "63", "125", "250", "500", "1k", "2k"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("centre of the band (Hz)", "level (dB, sine of full scale = 0)")
    assert spoken([3150.0, 12500.0]) == ["3.15k", "12.5k"]


def test_the_chord_of_the_demo_is_where_it_should_be(tmp_path):
    sound = chord()
    write_wav(tmp_path / "chord.wav", sound)
    read = read_sound(tmp_path / "chord.wav")
    np.testing.assert_array_equal(read.samples, sound.samples)
    found = levels(sound, "third", False, "cpu")
    loud = {name for name, level in zip(found.names, found.decibels[0], strict=True) if level > -40}
    assert {200.0, 250.0, 315.0} == {name for name in loud if name < 900}
    assert all(any(abs(np.log2(name / pitch)) < 1 / 6 for name in loud) for pitch in CHORD)
    assert {name for name in loud if name > 900} == {1000, 1250, 1600, 2000, 2500, 3150, 4000}
    assert GLIDE == (1000, 4000)


def _broken(tmp_path):
    soundfile.write(tmp_path / "whole.wav", _sine(500, 0.5), RATE)
    whole = (tmp_path / "whole.wav").read_bytes()
    files = {"text.wav": b"no sound at all", "empty.wav": b"", "head.wav": whole[:20], "none.wav": whole[:44]}
    files["cut.wav"] = whole[:5000]
    streamed = whole[:4] + b"\xff" * 4 + whole[8:40] + b"\xff" * 4 + whole[44:]
    files["streamed.wav"] = streamed
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    soundfile.write(tmp_path / "nan.wav", np.array([0, np.nan, 0.5] * 100), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "slow.wav", np.zeros(100), 10)
    imageio.imwrite(tmp_path / "photo.png", np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (("missing.wav", "out.png"), "missing.wav: No such file"),
        (("text.wav", "out.png"), "the input must be a sound, whole and undamaged"),
        (("photo.png", "out.png"), "the input must be a sound, whole and undamaged"),
        (("head.wav", "out.png"), "head.wav"),
        (("empty.wav", "out.png"), "the file is empty"),
        (("none.wav", "out.png"), "none.wav"),
        (("cut.wav", "out.png"), "it has 5000 bytes of 16044"),
        (("nan.wav", "out.png"), "holds NaN or infinity"),
        (("slow.wav", "out.png"), "there must be a band"),
        (("whole.wav", "out.png", "--max-samples", "7999"), "add --max-samples 8000"),
        (("whole.wav", "out.jpg"), "a drawing ends in one of .png, .svg, .pdf"),
        (("whole.wav", "out.png", "--bands", "fifth"), "invalid choice: 'fifth'"),
        (("whole.wav", "out.png", "--low", "-3"), "low"),
        (("whole.wav", "out.png", "--floor", "0"), "--floor lies below 0 decibels"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_line(tmp_path, capsys, monkeypatch, words, fragment):
    monkeypatch.chdir(tmp_path)
    _broken(tmp_path)
    assert_refused(command(capsys, "bars", *words), fragment)
    assert not (tmp_path / "out.png").exists()


def test_a_sound_whose_length_was_not_known_when_it_was_written_is_read(tmp_path):
    _broken(tmp_path)
    read = read_sound(tmp_path / "streamed.wav")
    np.testing.assert_array_equal(read.samples, read_sound(tmp_path / "whole.wav").samples)


def test_without_soundfile_the_extra_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    (tmp_path / "in.wav").write_bytes(b"RIFF")
    outcome = command(capsys, "bars", tmp_path / "in.wav", tmp_path / "out.png")
    assert_refused(outcome, "reading sounds needs soundfile", 'pip install "gpuconv[sound]"')
