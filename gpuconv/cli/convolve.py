"""`gpuconv convolve`: one picture, volume or array through one kernel, into a file."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gpuconv.backends.devices import DEVICES, choose_device
from gpuconv.cli.admission import MAX_PIXELS
from gpuconv.cli.choosing import read_kernels, shaped_for
from gpuconv.cli.command import mistake
from gpuconv.cli.filtering import Clipping, Filter, filter_picture, rescaled, size_in_words
from gpuconv.cli.pictures import Picture
from gpuconv.cli.reading import read_picture
from gpuconv.cli.writing import check_output, holds_floats, whole_number_dtype, write_picture
from gpuconv.core.boundary import BOUNDARIES
from gpuconv.core.shapes import MODES
from gpuconv.methods.describe import METHODS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="INPUT", help="PNG, JPEG, TIFF (one or many pages), BMP or .npy")
    parser.add_argument(
        "output", type=Path, metavar="OUTPUT", help="the ending says the format: .png .jpg .bmp .tif .npy; may be INPUT"
    )
    kernel = parser.add_argument_group("kernel")
    kernel.add_argument(
        "--kernel",
        required=True,
        metavar="KERNEL",
        help="a name that 'gpuconv kernels' lists, rows of numbers such as '1 2 1; 0 0 0; -1 -2 -1', or a .npy file; "
        "write --kernel=-1,0,1 when it starts with a minus and has no blanks",
    )
    kernel.add_argument("--axis", type=int, help="direction of a derivative: 0 down the rows, 1 along the columns")
    kernel.add_argument(
        "--magnitude",
        action="store_true",
        help="steepness in any direction: root of the summed squares along every axis, for kernels with --axis",
    )
    kernel.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of a kernel by name, such as sigma=2; repeatable",
    )
    kernel.add_argument(
        "--normalize", choices=("sum", "size", "l2", "softmax"), help="divide the weights; sum keeps the brightness"
    )
    kernel.add_argument(
        "--correlate", action="store_true", help="lay the kernel on the picture unturned (template matching)"
    )
    edges = parser.add_argument_group("edges and method")
    edges.add_argument(
        "--boundary", choices=BOUNDARIES, default="constant", help="what lies beyond the edge (default: constant)"
    )
    edges.add_argument(
        "--cval", type=float, default=0.0, help="value beyond the edge for --boundary constant (default: 0)"
    )
    edges.add_argument("--mode", choices=MODES, default="same", help="size of the result (default: same)")
    edges.add_argument("--method", choices=METHODS, default="auto", help="how it is computed (default: auto)")
    edges.add_argument("--device", default="auto", metavar="{" + ",".join(DEVICES) + "}", help="where (default: auto)")
    numbers = parser.add_argument_group("numbers")
    either = numbers.add_mutually_exclusive_group()
    either.add_argument(
        "--clip", action="store_true", help="round to the input's whole numbers, cut off what is beyond them"
    )
    either.add_argument("--rescale", action="store_true", help="map lowest..highest of the result to the full range")
    numbers.add_argument("--channels-last", action="store_true", help="the last axis of a .npy input holds colours")
    numbers.add_argument(
        "--max-pixels", type=int, default=MAX_PIXELS, metavar="N", help=f"refuse larger inputs (default: {MAX_PIXELS})"
    )


def run(arguments: argparse.Namespace) -> None:
    device = choose_device(known_device(arguments.device))
    kernels = read_kernels(arguments)
    picture = read_picture(arguments.input, arguments.max_pixels, arguments.channels_last)
    check_output(arguments.output, picture)
    kernels = tuple(shaped_for(kernel, picture, arguments.axis) for kernel in kernels)
    job = Filter(
        kernels,
        correlate=arguments.correlate,
        boundary=arguments.boundary,
        cval=arguments.cval,
        mode=arguments.mode,
        method=arguments.method,
        device=device,
    )
    dtype = _dtype_to_write(picture, job, arguments)
    print(f"read {arguments.input}: {picture.describe()}")
    print(f"kernel {arguments.kernel}: {size_in_words(kernels[0])}, boundary {job.boundary}, on {device}")
    result, note = _computed(picture, job, dtype, arguments.rescale)
    write_picture(arguments.output, result)
    print(f"wrote {arguments.output}: {result.describe()}")
    if note:
        print(f"note: {note}")


def _dtype_to_write(picture: Picture, job: Filter, arguments: argparse.Namespace) -> np.dtype | None:
    """The whole numbers of the output file; None where it takes the result as it is."""
    output = arguments.output
    exact = holds_floats(output) and not arguments.clip and not arguments.rescale
    complex_numbers = any(array.dtype.kind == "c" for array in (picture.samples, *job.kernels))
    if complex_numbers and not (exact or arguments.magnitude):
        raise mistake("complex results are not shown as a picture", f"got {output}", "Write a .npy or .tif")
    return None if exact else whole_number_dtype(output, picture, arguments.rescale)


def _computed(picture: Picture, job: Filter, dtype: np.dtype | None, rescale: bool) -> tuple[Picture, str]:
    """The result in the numbers of the output file, and what the person should know about them."""
    if dtype is None:
        return filter_picture(picture, job), ""
    if rescale:
        return rescaled(filter_picture(picture, job), dtype)
    clipping = Clipping(dtype)
    result = filter_picture(picture, job, clipping)
    note = clipping.note()
    if clipping.outside:
        note += " To keep them, add --rescale, or write a .tif or .npy."
    return result, note


def known_device(device: str) -> str:
    """The name of a device, before anything is asked of it."""
    if device not in DEVICES:
        raise mistake("--device is one of " + ", ".join(DEVICES), f"got {device!r}", "An NVIDIA GPU is called cuda")
    return device
