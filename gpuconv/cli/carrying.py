"""One picture from a file through a filter into a file: the options that all such commands have, and the way."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gpuconv.backends.devices import DEVICES
from gpuconv.cli.admission import MAX_PIXELS
from gpuconv.cli.command import mistake
from gpuconv.cli.filtering import Clipping, Job, filter_picture, not_finite_in_words, rescaled
from gpuconv.cli.pictures import Picture
from gpuconv.cli.reading import read_picture
from gpuconv.cli.writing import check_output, holds_floats, whole_number_dtype, write_picture
from gpuconv.core.boundary import BOUNDARIES


def add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="INPUT", help="PNG, JPEG, TIFF (one or many pages), BMP or .npy")
    parser.add_argument(
        "output", type=Path, metavar="OUTPUT", help="the ending says the format: .png .jpg .bmp .tif .npy; may be INPUT"
    )


def add_boundary(
    group: argparse._ArgumentGroup, default: str, fill: bool = True, choices: Sequence[str] = BOUNDARIES
) -> None:
    """The boundary, and the value beyond the edge unless what lies there is missing."""
    group.add_argument(
        "--boundary", choices=choices, default=default, help=f"what lies beyond the edge (default: {default})"
    )
    if fill:
        group.add_argument(
            "--cval", type=float, default=0.0, help="value beyond the edge for --boundary constant (default: 0)"
        )


def add_across_pages(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--across-pages", action="store_true", help="filter a stack as a volume; then axis 0 goes through the pages"
    )


def add_device(group: argparse._ActionsContainer) -> None:
    group.add_argument("--device", default="auto", metavar="{" + ",".join(DEVICES) + "}", help="where (default: auto)")


def add_numbers(parser: argparse.ArgumentParser) -> None:
    numbers = parser.add_argument_group("numbers")
    either = numbers.add_mutually_exclusive_group()
    either.add_argument(
        "--clip", action="store_true", help="round to the input's whole numbers, cut off what is beyond them"
    )
    either.add_argument("--rescale", action="store_true", help="map lowest..highest of the result to the full range")
    add_reading(numbers)


def add_reading(group: argparse._ActionsContainer) -> None:
    group.add_argument("--channels-last", action="store_true", help="the last axis of a .npy input holds colours")
    group.add_argument(
        "--max-pixels", type=int, default=MAX_PIXELS, metavar="N", help=f"refuse larger inputs (default: {MAX_PIXELS})"
    )


def known_device(device: str) -> str:
    """The name of a device, before anything is asked of it."""
    if device not in DEVICES:
        raise mistake("--device is one of " + ", ".join(DEVICES), f"got {device!r}", "An NVIDIA GPU is called cuda")
    return device


def read_input(arguments: argparse.Namespace) -> Picture:
    """The picture to filter, once it is known that the output could be written."""
    picture = read_picture(arguments.input, arguments.max_pixels, arguments.channels_last)
    check_output(arguments.output, picture)
    return picture


def carry_out(picture: Picture, job: Job, arguments: argparse.Namespace, words: str) -> None:
    """Filter `picture` and write it; `words` say what is done, between the lines on input and output."""
    # Before the first line is printed, and before the work.
    job.axes(picture)
    dtype = _dtype_to_write(picture, job, arguments)
    print(f"read {arguments.input}: {picture.describe()}")
    print(words)
    result, note = _computed(picture, job, dtype, arguments.rescale)
    write_picture(arguments.output, result)
    print(f"wrote {arguments.output}: {result.describe()}")
    if note:
        print(f"note: {note}")


def _dtype_to_write(picture: Picture, job: Job, arguments: argparse.Namespace) -> np.dtype | None:
    """The whole numbers of the output file; None where it takes the result as it is."""
    output = arguments.output
    exact = holds_floats(output) and not arguments.clip and not arguments.rescale
    if job.is_complex(picture.samples) and not exact:
        raise mistake("complex results are not shown as a picture", f"got {output}", "Write a .npy or .tif")
    return None if exact else whole_number_dtype(output, picture, arguments.rescale)


def _computed(picture: Picture, job: Job, dtype: np.dtype | None, rescale: bool) -> tuple[Picture, str]:
    """The result in the numbers of the output file, and what the person should know about them."""
    if dtype is None:
        result = filter_picture(picture, job)
        return result, not_finite_in_words(result)
    if rescale:
        return rescaled(filter_picture(picture, job), dtype)
    clipping = Clipping(dtype)
    result = filter_picture(picture, job, clipping)
    note = clipping.note()
    if clipping.outside:
        note += " To keep them, add --rescale, or write a .tif or .npy."
    return result, note
