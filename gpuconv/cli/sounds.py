"""Reading sounds: the header first, the samples only if their number is sane."""

from __future__ import annotations

import argparse
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpuconv.cli.admission import damaged
from gpuconv.cli.command import CommandError, mistake, one_line, optional_library

# Fifty minutes of a CD; 512 MiB a channel in float32.
MAX_SAMPLES = 2**27


@dataclass(frozen=True)
class Sound:
    """Samples of shape (channels, time), float32; the largest whole number of the file is 1."""

    samples: np.ndarray
    rate: int

    def describe(self) -> str:
        channels, length = self.samples.shape
        plural = "s" if channels > 1 else ""
        return f"{length / self.rate:.3g} s, {self.rate} samples per second, {channels} channel{plural}"


def add_limit(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--max-samples",
        type=int,
        default=MAX_SAMPLES,
        metavar="N",
        help=f"refuse longer sounds, counted a channel (default: {MAX_SAMPLES})",
    )


def read_sound(path: Path, max_samples: int = MAX_SAMPLES) -> Sound:
    """Read WAV, FLAC, OGG, MP3, AIFF and whatever else libsndfile knows.

    Raises
    ------
    CommandError
        If the file is missing, empty, damaged, too long or no sound.
    MissingLibraryError
        If soundfile is not installed.
    """
    try:
        with open(path, "rb") as file:
            start, length = file.read(8), file.seek(0, os.SEEK_END)
    except OSError as failure:
        raise mistake("the input must be a readable file", f"{path}: {one_line(failure)}", "Check the path") from None
    if length == 0:
        raise damaged(path, "the file is empty")
    _refuse_cut_off(path, start, length)
    soundfile = optional_library("soundfile", "reading sounds", "sound")
    try:
        # The file is opened here, so that names in any script work on every system.
        with open(path, "rb") as file, soundfile.SoundFile(file) as sound:
            _check_length(path, sound.frames, max_samples)
            rate, samples = sound.samplerate, sound.read(dtype="float32", always_2d=True).T
    except (CommandError, MemoryError):
        raise
    except Exception as failure:
        # libsndfile's errors are of a class of its own; damaged headers also give ValueError and TypeError.
        raise mistake(
            "the input must be a sound, whole and undamaged",
            f"{path}: {_reason(failure)}",
            "Give WAV, FLAC, OGG or MP3",
        ) from None
    _check_samples(path, samples)
    return Sound(samples, rate)


def _refuse_cut_off(path: Path, start: bytes, length: int) -> None:
    """libsndfile reads what is left of a WAV or AIFF without a word; the header says how long it was."""
    order = {b"RIFF": "<I", b"FORM": ">I"}.get(start[:4])
    if order is None or len(start) < 8:
        return
    (promised,) = struct.unpack(order, start[4:])
    # The largest number says that whoever wrote it did not know yet.
    if promised != 2**32 - 1 and promised + 8 > length:
        raise damaged(path, f"it has {length} bytes of {promised + 8}")


def _check_length(path: Path, frames: int, max_samples: int) -> None:
    if frames <= 0:
        raise damaged(path, "it holds no samples")
    if frames > max_samples:
        raise mistake(
            f"sounds of up to {max_samples} samples are read",
            f"{path} says it has {frames}",
            f"If that is right and fits your memory, add --max-samples {frames}",
        )


def _check_samples(path: Path, samples: np.ndarray) -> None:
    if samples.size == 0:
        raise damaged(path, "it holds no samples")
    if not np.isfinite(samples).all():
        raise mistake("the samples of a sound are numbers", f"{path} holds NaN or infinity", "Save it again")


def _reason(failure: Exception) -> str:
    """libsndfile's sentence, without the Python object that was opened."""
    text = getattr(failure, "error_string", "") or one_line(failure)
    return " ".join(str(text).split()).rstrip(".").removeprefix("Error : ") or os.strerror(5)
