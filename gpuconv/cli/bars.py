"""`gpuconv bars`: the bars of an equaliser, from a sound."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.backends.devices import choose_device, to_device, to_host
from gpuconv.cli.carrying import add_device, known_device
from gpuconv.cli.command import mistake
from gpuconv.cli.figures import check_figure, new_figure, write_figure
from gpuconv.cli.filtering import library_refusals
from gpuconv.cli.sounds import Sound, add_limit, read_sound

FRACTIONS = {"octave": 1, "third": 3}
FLOOR = -90.0
# Bars are stacks of lamps, each of so many decibels.
_LAMP = 3.0


@dataclass(frozen=True)
class Levels:
    """Levels of bands in decibels, shape (channels, bands); 0 is a sine of full scale."""

    names: tuple[float, ...]
    decibels: np.ndarray
    bands: str
    labels: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="SOUND", help="WAV, FLAC, OGG, MP3 or AIFF")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="drawing: .png, .svg or .pdf")
    group = parser.add_argument_group("bars")
    group.add_argument(
        "--bands", choices=tuple(FRACTIONS), default="octave", help="one bar an octave, or three (default: octave)"
    )
    group.add_argument("--low", type=float, default=20.0, metavar="HZ", help="lowest band (default: 20)")
    group.add_argument("--high", type=float, default=20000.0, metavar="HZ", help="highest band (default: 20000)")
    group.add_argument(
        "--floor",
        type=float,
        default=FLOOR,
        metavar="DB",
        help=f"where bars begin, in decibels, as in --floor=-60 (default: {FLOOR:g})",
    )
    group.add_argument("--per-channel", action="store_true", help="bars for every channel; else for their mean power")
    add_device(group)
    add_limit(group)


def run(arguments: argparse.Namespace) -> None:
    device = choose_device(known_device(arguments.device))
    check_figure(arguments.output)
    if not arguments.floor < 0:
        raise mistake("--floor lies below 0 decibels", f"got {arguments.floor:g}", "Give a number such as --floor=-60")
    sound = read_sound(arguments.input, arguments.max_samples)
    found = levels(sound, arguments.bands, arguments.per_channel, device, arguments.low, arguments.high)
    print(f"read {arguments.input}: {sound.describe()}")
    print(f"{_title(found)} in dB; 0 is a sine of full scale; on {device}")
    for name, column in zip(found.names, found.decibels.T, strict=True):
        numbers = "  ".join("silent" if value == -np.inf else f"{value:6.1f}" for value in column)
        print(f"  {name:>8g} Hz  {numbers}")
    write_figure(arguments.output, drawn_bars(found, arguments.input.name, arguments.floor))
    print(f"wrote {arguments.output}: {len(found.names)} bars")


def levels(
    sound: Sound, bands: str, per_channel: bool, device: str, low: float = 20.0, high: float = 20000.0
) -> Levels:
    """Levels of a sound, of each channel or of the mean of their powers, which no phase can cancel."""
    from gpuconv import spectral

    powers: list[np.ndarray] = []
    names: tuple[float, ...] = ()
    with library_refusals():
        for channel in sound.samples:
            moved = to_device(np.ascontiguousarray(channel), device)
            found = spectral.bands(moved, 1 / sound.rate, fraction=FRACTIONS[bands], low=low, high=high)
            powers.append(to_host(found.power).astype(np.float64))
            names = found.name
    power = np.stack(powers)
    labels = tuple(f"channel {number}" for number in range(1, len(power) + 1))
    if not per_channel:
        count = len(power)
        power, labels = power.mean(axis=0, keepdims=True), (f"the mean of {count} channels" if count > 1 else "",)
    with np.errstate(divide="ignore"):  # silence
        # A sine of full scale has the mean square 1/2.
        return Levels(names, 10 * np.log10(2 * power), bands, labels)


def drawn_bars(found: Levels, name: str, floor: float) -> Any:
    """Lamps from the floor up to the level of each band."""
    figure = new_figure(max(6.4, 0.34 * len(found.names) + 1.5), 4.2)
    axes = figure.add_subplot()
    channels, places = len(found.labels), np.arange(len(found.names))
    width = 0.84 / channels
    for number, (decibels, label) in enumerate(zip(found.decibels, found.labels, strict=True)):
        height = np.maximum(decibels, floor) - floor
        left = places + (number - (channels - 1) / 2) * width
        axes.bar(left, height, width * 0.94, floor, label=label, color=f"C{number}")
    # In steps between which the page shows.
    top = max(0.0, float(np.max(found.decibels, initial=-np.inf))) + _LAMP
    axes.hlines(np.arange(floor + _LAMP, top, _LAMP), -0.6, len(places) - 0.4, color="white", linewidth=1.2)
    axes.set_xticks(places, spoken(found.names), fontsize=9 if len(places) < 16 else 7.5, rotation=0)
    axes.set(
        xlim=(-0.6, len(places) - 0.4),
        ylim=(floor, top),
        xlabel="centre of the band (Hz)",
        ylabel="level (dB, sine of full scale = 0)",
        title=f"{name}: {_title(found)}",
    )
    axes.spines[["top", "right"]].set_visible(False)
    if channels > 1:
        axes.legend(loc="upper right", fontsize=8)
    return figure


def spoken(names: Sequence[float]) -> list[str]:
    """``31.5``, ``500``, ``1k``, ``3.15k``."""
    return [f"{name:g}" if name < 1000 else f"{name / 1000:g}k" for name in names]


def _title(found: Levels) -> str:
    kind = "octave bands" if found.bands == "octave" else "third-octave bands"
    of = found.labels[0] if len(found.labels) == 1 else f"{len(found.labels)} channels"
    return f"{kind} of {of}" if of else kind
