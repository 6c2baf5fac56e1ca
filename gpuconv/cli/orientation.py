"""`gpuconv orientation`: the direction in which a picture varies most, read off its spectrum."""

from __future__ import annotations

import argparse
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.backends.devices import choose_device, to_device
from gpuconv.cli.carrying import add_device, add_reading, known_device
from gpuconv.cli.command import mistake
from gpuconv.cli.figures import check_drawable, full_range, new_figure, show_picture, show_spectrum, write_figure
from gpuconv.cli.filtering import library_refusals
from gpuconv.cli.grey import grey
from gpuconv.cli.reading import read_picture
from gpuconv.cli.spectrum import FLOOR

METHODS = ("moments", "tensor")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="INPUT", help="PNG, JPEG, TIFF of one page, BMP or .npy")
    parser.add_argument(
        "output",
        type=Path,
        nargs="?",
        metavar="OUTPUT",
        help="also draw the picture, its spectrum and the direction there, labelled (.png, .svg or .pdf)",
    )
    group = parser.add_argument_group("direction")
    group.add_argument(
        "--method", choices=METHODS, default="moments", help="of the spectrum, or slopes of the picture; they agree"
    )
    group.add_argument(
        "--window",
        choices=("disc", "hann", "none"),
        default="disc",
        help="what counts: a disc, so that turning the picture brings no new corners in (default: disc)",
    )
    group.add_argument(
        "--smooth",
        type=float,
        metavar="FREQUENCY",
        help="only what is slower counts, by a Gaussian in cycles per pixel: where the finest detail is noise",
    )
    add_device(group)
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    device = choose_device(known_device(arguments.device))
    given = read_picture(arguments.input, arguments.max_pixels, arguments.channels_last)
    if arguments.output is not None:
        check_drawable(arguments.output, given)
    picture = grey(given)
    if picture.axes != "YX":
        described = f"the input is {given.describe()}"
        raise mistake("a direction is that of one picture", described, "Give one page of it")
    angle = direction(picture.samples, device, arguments.smooth, arguments.method, arguments.window)
    if not np.isfinite(angle):
        raise mistake("a direction needs numbers", f"{arguments.input} holds NaN or infinity", "Fill them in first")
    print(f"read {arguments.input}: {given.describe()}")
    print(f"varies most at {np.degrees(angle):.2f} degrees")
    print(f"lines run at {np.degrees(_across(angle)):.2f} degrees")
    print("0 degrees is to the right, 90 is down")
    if arguments.output is not None:
        write_figure(arguments.output, _drawn(given.samples, picture.samples, angle, arguments.window))
        print(f"wrote {arguments.output}: the picture, its spectrum and the direction")


def direction(
    samples: np.ndarray, device: str, smooth: float | None = None, method: str = "moments", window: str = "disc"
) -> float:
    """The angle of `spectral.orientation` in radians."""
    from gpuconv import spectral

    with library_refusals():
        transfer = None if smooth is None else spectral.lowpass(smooth, "gaussian")
        moved = to_device(samples, device)
        return float(spectral.orientation(moved, method=method, window=window, transfer=transfer))


def _across(angle: float) -> float:
    """At right angles, in (-pi/2, pi/2]."""
    return angle - pi / 2 if angle > 0 else angle + pi / 2


def _drawn(given: np.ndarray, samples: np.ndarray, angle: float, window: str) -> Any:
    from gpuconv import spectral

    figure = new_figure(10.5, 4.9)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    show_picture(left, given, full_range(given), f"varies most at {np.degrees(angle):.1f} degrees")
    rows, columns = samples.shape
    reach = 0.4 * min(rows, columns)
    middle, way = np.array([(columns - 1) / 2, (rows - 1) / 2]), np.array([cos(angle), sin(angle)])
    left.plot(*zip(middle - reach * way, middle + reach * way), color="cyan", linewidth=2)
    decibels = spectral.log_spectrum(samples, window=window, floor=FLOOR)
    show_spectrum(right, decibels, FLOOR, "log spectrum, with the same direction")
    right.plot(*zip(-0.4 * way, 0.4 * way), color="cyan", linewidth=1)
    return figure
