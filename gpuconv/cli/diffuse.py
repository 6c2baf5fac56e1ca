"""`gpuconv diffuse`: a picture whose numbers spread as ink in water does, everywhere alike or not across edges."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from gpuconv.backends.devices import choose_device
from gpuconv.cli.carrying import (
    add_across_pages,
    add_device,
    add_files,
    add_numbers,
    carry_out,
    known_device,
    read_input,
)
from gpuconv.cli.command import mistake
from gpuconv.cli.figures import full_range
from gpuconv.cli.filtering import Operation, library_refusals
from gpuconv.cli.parameters import REALS, in_words
from gpuconv.cli.pictures import Picture

Spread = Callable[[Any, tuple[int, ...]], Any]

CONDUCTANCES = ("exponential", "rational", "charbonnier", "tukey", "weickert", "tv")
BOUNDARIES = ("no-flux", "periodic", "fixed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    group = parser.add_argument_group("diffusion")
    group.add_argument("--time", type=float, required=True, help="how long; any time takes as long to solve")
    group.add_argument(
        "--diffusivity",
        type=REALS,
        metavar="D",
        help="in spacing^2 per time, one for all axes or one per axis as in 3,1 (default: 1)",
    )
    group.add_argument(
        "--spacing", type=REALS, default=1.0, metavar="H", help="size of a pixel, one or one per axis (default: 1)"
    )
    group.add_argument(
        "--symbol",
        choices=("lattice", "continuous"),
        help="between pixels, which never overshoots, or of the smooth curve through them (default: lattice)",
    )
    _add_keeping_edges(parser)
    edges = parser.add_argument_group("edges and device")
    edges.add_argument(
        "--boundary",
        choices=BOUNDARIES,
        default="no-flux",
        help="a wall, the other side, or a bath held at --value (default: no-flux)",
    )
    edges.add_argument("--value", type=float, help="of --boundary fixed, in the numbers of the picture (default: 0)")
    add_device(edges)
    add_numbers(parser)
    add_across_pages(parser.add_argument_group("pages"))


def _add_keeping_edges(parser: argparse.ArgumentParser) -> None:
    keeping = parser.add_argument_group("keeping edges")
    keeping.add_argument("--perona-malik", action="store_true", help="smooth what is flat, and keep edges, in steps")
    keeping.add_argument(
        "--contrast",
        type=float,
        metavar="PART",
        help="steps from pixel to pixel above this are edges, as a part of black to white, such as 0.1; "
        "of a floating point input, of its range (default: what nine tenths of the pixels stay below)",
    )
    keeping.add_argument("--conductance", choices=CONDUCTANCES, help="how edges hinder (default: exponential)")
    keeping.add_argument(
        "--sigma", type=float, metavar="PIXELS", help="look for edges under a blur, so that noise is none (default: 0)"
    )


def run(arguments: argparse.Namespace) -> None:
    device, boundary = choose_device(known_device(arguments.device)), _boundary(arguments)
    _refuse_mixtures(arguments)
    picture = read_input(arguments)
    spread, words = (_keeping_edges if arguments.perona_malik else _everywhere)(arguments, boundary, picture)
    job = Operation(spread, device, arguments.across_pages)
    with library_refusals():
        # On so little all that is done is to refuse what cannot be done; steps would be taken even on one pixel.
        least = (0 if arguments.perona_malik else 1,) * picture.samples.ndim
        spread(np.zeros(least, np.float32), job.axes(picture))
    held = f" at {boundary[1]:g}" if isinstance(boundary, tuple) else ""
    carry_out(picture, job, arguments, f"{words}, boundary {arguments.boundary}{held}, on {device}")


def _everywhere(arguments: argparse.Namespace, boundary: Any, picture: Picture) -> tuple[Spread, str]:
    from gpuconv import diffusion

    options = {
        "diffusivity": 1.0 if arguments.diffusivity is None else arguments.diffusivity,
        "spacing": arguments.spacing,
        "symbol": arguments.symbol or "lattice",
    }

    def spread(x: Any, axes: tuple[int, ...]) -> Any:
        return diffusion.diffuse(x, arguments.time, boundary=boundary, axes=axes, **options)

    return spread, f"diffusion: {in_words({'time': arguments.time} | options)}"


def _keeping_edges(arguments: argparse.Namespace, boundary: Any, picture: Picture) -> tuple[Spread, str]:
    from gpuconv import diffusion

    low, high = full_range(picture.samples)
    given = {
        "contrast": arguments.contrast,
        "conductance": arguments.conductance or "exponential",
        "sigma": arguments.sigma or 0.0,
        "spacing": arguments.spacing,
    }
    options = dict(given)
    if arguments.contrast is not None:
        options["contrast"] = arguments.contrast * ((high - low) or 1.0)

    def spread(x: Any, axes: tuple[int, ...]) -> Any:
        # Colours have their edges in common.
        colours = x.ndim - 1 if picture.axes.endswith("S") else None
        return diffusion.perona_malik(x, arguments.time, boundary=boundary, axes=axes, channel_axis=colours, **options)

    shown = {name: value for name, value in given.items() if value is not None}
    return spread, f"Perona-Malik: {in_words({'time': arguments.time} | shown)}"


def _refuse_mixtures(arguments: argparse.Namespace) -> None:
    for own, others in ((False, ("contrast", "conductance", "sigma")), (True, ("diffusivity", "symbol"))):
        for name in others:
            if getattr(arguments, name) is not None and arguments.perona_malik == own:
                way = "without" if own else "with"
                raise mistake(f"--{name} goes {way} --perona-malik", f"got --{name}", f"Leave --{name} out")
    if arguments.perona_malik and arguments.boundary == "fixed":
        raise mistake("--perona-malik has a wall or repeats", "got --boundary fixed", "Give no-flux or periodic")


def _boundary(arguments: argparse.Namespace) -> Any:
    if arguments.boundary != "fixed":
        if arguments.value is not None:
            given = f"got --boundary {arguments.boundary}"
            raise mistake("--value goes with --boundary fixed", given, "Leave --value out")
        return arguments.boundary
    return ("fixed", arguments.value or 0.0)
