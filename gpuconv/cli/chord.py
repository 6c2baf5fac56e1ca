"""The demo's sound: a chord and a glide, computed, as no sound comes with any library that it needs."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from gpuconv.cli.sounds import Sound
from gpuconv.cli.writing import new_file

RATE = 44100
SECONDS = 2.0
# A major, in hertz, and a tone that glides up two octaves beside it.
CHORD = (220.0, 277.18, 329.63)
GLIDE = (1000.0, 4000.0)
_LOUDNESS, _GLIDE_LOUDNESS = 0.2, 0.1


def chord() -> Sound:
    """Rounded to 16 bits, as the file is."""
    t = np.arange(round(RATE * SECONDS)) / RATE
    octaves = np.log(GLIDE[1] / GLIDE[0])
    # The phase whose derivative is 2 pi GLIDE[0] exp(octaves t / SECONDS).
    phase = 2 * np.pi * GLIDE[0] * SECONDS / octaves * np.expm1(octaves * t / SECONDS)
    tones = _LOUDNESS * sum(np.sin(2 * np.pi * pitch * t) for pitch in CHORD) + _GLIDE_LOUDNESS * np.sin(phase)
    # Faded in and out in a tenth of a second: a sudden start has all frequencies.
    fade = np.sin(np.pi / 2 * np.minimum(1, np.minimum(t, SECONDS - t) / 0.1)) ** 2
    samples = np.rint(32767 * tones * fade) / 32768
    return Sound(samples.astype(np.float32)[np.newaxis], RATE)


def write_wav(path: Path, sound: Sound) -> None:
    """Sixteen bits, uncompressed."""
    with new_file(path) as file, wave.open(file, "wb") as written:
        written.setnchannels(len(sound.samples))
        written.setsampwidth(2)
        written.setframerate(sound.rate)
        written.writeframes(np.rint(sound.samples.T * 32768).astype("<i2").tobytes())
