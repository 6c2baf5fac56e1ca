"""`gpuconv convolve`: one picture, volume or array through one kernel, into a file."""

from __future__ import annotations

import argparse

from gpuconv.backends.devices import choose_device
from gpuconv.cli.carrying import add_boundary, add_device, add_files, add_numbers, carry_out, known_device, read_input
from gpuconv.cli.choosing import read_kernels, shaped_for
from gpuconv.cli.filtering import Convolution, size_in_words
from gpuconv.core.shapes import MODES
from gpuconv.methods.describe import METHODS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
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
    add_boundary(edges, "constant")
    edges.add_argument("--mode", choices=MODES, default="same", help="size of the result (default: same)")
    edges.add_argument("--method", choices=METHODS, default="auto", help="how it is computed (default: auto)")
    add_device(edges)
    add_numbers(parser)


def run(arguments: argparse.Namespace) -> None:
    device = choose_device(known_device(arguments.device))
    kernels = read_kernels(arguments)
    picture = read_input(arguments)
    kernels = tuple(shaped_for(kernel, picture, arguments.axis) for kernel in kernels)
    job = Convolution(
        kernels,
        correlate=arguments.correlate,
        boundary=arguments.boundary,
        cval=arguments.cval,
        mode=arguments.mode,
        method=arguments.method,
        device=device,
    )
    words = f"kernel {arguments.kernel}: {size_in_words(kernels[0])}, boundary {job.boundary}, on {device}"
    carry_out(picture, job, arguments, words)
