"""`gpuconv kernels`: the names of the zoo, or one kernel with its weights."""

from __future__ import annotations

import argparse
import textwrap

import numpy as np

from gpuconv.cli.choosing import read_parameter, zoo_kernel
from gpuconv.cli.filtering import size_in_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="show this kernel and its weights")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the kernel, such as sigma=2 or axis=0; repeatable",
    )


def run(arguments: argparse.Namespace) -> None:
    from gpuconv import kernels

    if arguments.name is None:
        names = list(kernels.names())
        width = max(len(name) for name in names) + 2
        for name in names:
            print(textwrap.fill(f"{name:<{width}}{kernels.describe(name)}", 100, subsequent_indent=" " * width))
        return
    kernel = zoo_kernel(arguments.name, dict(read_parameter(pair) for pair in arguments.param))
    print(textwrap.fill(f"{arguments.name}: {kernels.describe(arguments.name)}", 100))
    print(f"{size_in_words(kernel)}, {kernel.dtype}")
    with np.printoptions(precision=4, suppress=True, linewidth=100, threshold=400):
        print(kernel)
