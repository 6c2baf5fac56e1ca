"""`gpuconv spectrum`: how much of each frequency there is in a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.backends.devices import choose_device, to_device
from gpuconv.cli.carrying import add_device, add_files, add_reading, known_device
from gpuconv.cli.command import mistake
from gpuconv.cli.figures import add_plot, check_figure, new_figure, show_line, show_spectrum, write_figure
from gpuconv.cli.filtering import Clipping, Operation, filter_picture, library_refusals, not_finite_in_words
from gpuconv.cli.grey import grey
from gpuconv.cli.pictures import Picture
from gpuconv.cli.reading import read_picture
from gpuconv.cli.writing import check_output, holds_floats, write_picture

FLOOR = -100.0
# What counts as stripes and not as the shades of a whole photo.
ABOVE = 0.05
# The fastest frequency of a picture, along its diagonals.
_CORNER = 0.5**0.5
WINDOWS = ("hann", "disc", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_plot(parser, "frequencies along both axes and a scale in decibels")
    group = parser.add_argument_group("spectrum")
    group.add_argument(
        "--window",
        choices=WINDOWS,
        default="hann",
        help="fade the picture out towards its edges, so that they are no step: hann to all sides, "
        "disc around the middle, none not at all (default: hann)",
    )
    group.add_argument(
        "--floor",
        type=float,
        default=FLOOR,
        metavar="DB",
        help=f"what is black: so many decibels below the strongest, as in --floor=-80 (default: {FLOOR:g})",
    )
    group.add_argument(
        "--above",
        type=float,
        default=ABOVE,
        metavar="FREQUENCY",
        help=f"stripes to name are faster than this, in cycles per pixel (default: {ABOVE:g})",
    )
    add_device(group)
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    device, output = choose_device(known_device(arguments.device)), arguments.output
    given = read_picture(arguments.input, arguments.max_pixels, arguments.channels_last)
    picture = grey(given)
    _check(output, picture, arguments.plot)
    job = Operation(lambda x, axes: _decibels(x, axes, arguments), device)
    # Before the first line is printed, as the work may be refused.
    decibels = filter_picture(picture, job)
    stripes = stripes_in_words(picture, arguments.above, device) if picture.axes == "YX" else ""
    of = "the brightness" if given.colours == 3 else "the samples"
    print(f"read {arguments.input}: {given.describe()}")
    print(f"log spectrum of {of}: window {arguments.window}, {arguments.floor:g} to 0 dB, on {device}")
    if stripes:
        print(stripes)
    if arguments.plot:
        write_figure(output, _drawn(arguments.input, decibels.samples, arguments.floor))
        print(f"wrote {output}: the spectrum, labelled")
    else:
        result = decibels if holds_floats(output) else _as_grey(decibels, arguments.floor)
        write_picture(output, result)
        print(f"wrote {output}: {result.describe()}")
    if note := not_finite_in_words(decibels):
        print(f"note: {note}")


def stripes_in_words(picture: Picture, above: float, device: str) -> str:
    """The strongest stripes of one page, in a sentence; empty where there is no room for any."""
    if min(picture.samples.shape) < 4 or picture.samples.dtype.kind == "c":
        return ""
    frequency, angle = strongest(picture.samples, above, device)
    if frequency == 0:
        return ""
    return (
        f"strongest stripes above {above:g}: {frequency:.4f} cycles per pixel (period {1 / frequency:.2f}), "
        f"varying at {np.degrees(angle):.1f} degrees"
    )


def strongest(samples: np.ndarray, above: float, device: str) -> tuple[float, float]:
    """Frequency and angle of the strongest stripes, which are faster than `above`."""
    from gpuconv import spectral

    if above >= _CORNER:
        given = f"got {above:g}, and the finest there are have {_CORNER:.2f}"
        raise mistake("--above leaves stripes to look for, in cycles per pixel", given, "Give a number such as 0.1")
    with library_refusals():
        found = spectral.strongest_stripes(to_device(samples, device), above=above)
    return float(found.frequency), float(found.angle)


def _decibels(x: Any, axes: tuple[int, ...], arguments: argparse.Namespace) -> Any:
    from gpuconv import spectral

    return spectral.log_spectrum(x, axes=axes, window=arguments.window, floor=arguments.floor)


def _check(output: Path, picture: Picture, plot: bool) -> None:
    if not plot:
        # Any file can hold the result, which has 8 bits where a picture has, whatever the input is.
        check_output(output, picture)
        return
    check_figure(output)
    if picture.page_axes:
        given = f"the input is {picture.describe()}"
        raise mistake("--plot draws one spectrum", given, "Give one page of it, or leave --plot out")


def _as_grey(decibels: Picture, floor: float) -> Picture:
    """Black for the floor, white for the strongest."""
    samples = Clipping(np.dtype(np.uint8))(255 - decibels.samples * (255 / floor))
    return Picture(samples, decibels.axes)


def _drawn(path: Path, decibels: np.ndarray, floor: float) -> Any:
    figure = new_figure(7.2, 6.0)
    show = show_spectrum if decibels.ndim == 2 else show_line
    show(figure.add_subplot(), decibels, floor, f"log spectrum of {path.name}")
    return figure
