"""`gpuconv lowpass`, `highpass`, `bandpass` and `notch`: filters in the frequency domain."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import cos, sin
from typing import Any

import numpy as np

from gpuconv.backends.devices import choose_device
from gpuconv.cli.carrying import (
    add_across_pages,
    add_boundary,
    add_device,
    add_files,
    add_numbers,
    carry_out,
    known_device,
    read_input,
)
from gpuconv.cli.command import mistake
from gpuconv.cli.figures import (
    FREQUENCY,
    add_plot,
    check_drawable,
    full_range,
    new_figure,
    show_picture,
    show_spectrum,
    write_figure,
)
from gpuconv.cli.filtering import Operation, filter_picture, library_refusals, not_finite_in_words
from gpuconv.cli.grey import grey
from gpuconv.cli.parameters import REALS
from gpuconv.cli.pictures import Picture
from gpuconv.cli.reading import read_picture
from gpuconv.cli.spectrum import ABOVE, FLOOR, stripes_in_words, strongest

PROFILES = ("butterworth", "gaussian", "raised_cosine", "ideal")
BOUNDARIES = ("reflect", "wrap", "constant")
# The corner of a volume's spectrum: there is nothing faster on any grid of pixels.
_FASTEST = 3**0.5 / 2


def add_cutoff(name: str) -> Callable[[argparse.ArgumentParser], None]:
    """What adds the arguments of `lowpass` or `highpass`."""

    def add(parser: argparse.ArgumentParser) -> None:
        group = _add_files_and_filter(parser, "butterworth")
        _add_frequency(group, "--cutoff", "where half is passed; 0.5 is the finest stripes along an axis")

        def transfer(arguments: argparse.Namespace, picture: Picture) -> Any:
            _refuse_pixels(arguments.cutoff)
            return _made(name, arguments, arguments.cutoff)

        parser.set_defaults(transfer=transfer)

    return add


def add_band(parser: argparse.ArgumentParser) -> None:
    group = _add_files_and_filter(parser, "butterworth")
    _add_frequency(group, "--low", "lower end of the band")
    _add_frequency(group, "--high", "upper end of the band; 0.5 is the finest stripes along an axis")

    def transfer(arguments: argparse.Namespace, picture: Picture) -> Any:
        _refuse_pixels(arguments.low, arguments.high)
        return _made("bandpass", arguments, arguments.low, arguments.high)

    parser.set_defaults(transfer=transfer)


def add_notch(parser: argparse.ArgumentParser) -> None:
    group = _add_files_and_filter(parser, "gaussian")
    either = group.add_mutually_exclusive_group(required=True)
    either.add_argument(
        "--frequency",
        type=REALS,
        metavar="DOWN,ACROSS",
        help=f"of the stripes, in {FREQUENCY} down the rows and along a row; --frequency=-0.1,0.2 if it has a minus",
    )
    either.add_argument("--strongest", action="store_true", help="the strongest stripes that there are")
    group.add_argument("--width", type=float, metavar="FREQUENCY", help="around it (default: a tenth of its length)")
    group.add_argument(
        "--above",
        type=float,
        default=ABOVE,
        metavar="FREQUENCY",
        help=f"with --strongest: only stripes faster than this (default: {ABOVE:g})",
    )
    parser.set_defaults(transfer=_notch)


def run(arguments: argparse.Namespace) -> None:
    device = choose_device(known_device(arguments.device))
    if arguments.plot:
        picture = read_picture(arguments.input, arguments.max_pixels, arguments.channels_last)
        check_drawable(arguments.output, picture)
    else:
        picture = read_input(arguments)
    with library_refusals():
        transfer = arguments.transfer(arguments, picture)
    job = Operation(lambda x, axes: _applied(x, transfer, axes, arguments), device, arguments.across_pages)
    words = f"{transfer}, boundary {arguments.boundary}, on {device}"
    if not arguments.plot:
        carry_out(picture, job, arguments, words)
        return
    result = filter_picture(picture, job)
    figure = _drawn(picture, result, transfer)
    print(f"read {arguments.input}: {picture.describe()}")
    print(words)
    write_figure(arguments.output, figure)
    print(f"wrote {arguments.output}: before and after, the spectrum and the filter, labelled")
    if note := not_finite_in_words(result):
        print(f"note: {note}")


def _add_files_and_filter(parser: argparse.ArgumentParser, profile: str) -> argparse._ArgumentGroup:
    add_files(parser)
    add_plot(parser, "the picture before and after, its spectrum and the filter")
    group = parser.add_argument_group("filter")
    group.add_argument(
        "--profile", choices=PROFILES, default=profile, help=f"from passing to stopping (default: {profile})"
    )
    group.add_argument("--order", type=float, default=2.0, help="of butterworth: how steep it is (default: 2)")
    group.add_argument(
        "--rolloff", type=float, default=0.5, help="of raised_cosine: half its width, in cutoffs (default: 0.5)"
    )
    edges = parser.add_argument_group("edges and device")
    add_boundary(edges, "reflect", choices=BOUNDARIES)
    add_device(edges)
    add_numbers(parser)
    add_across_pages(parser.add_argument_group("pages"))
    return group


def _add_frequency(group: argparse._ArgumentGroup, name: str, words: str) -> None:
    group.add_argument(name, type=float, required=True, metavar="FREQUENCY", help=f"in {FREQUENCY}: {words}")


def _made(name: str, arguments: argparse.Namespace, *numbers: Any) -> Any:
    from gpuconv import spectral

    return getattr(spectral, name)(*numbers, arguments.profile, arguments.order, rolloff=arguments.rolloff)


def _refuse_pixels(*frequencies: float) -> None:
    for frequency in frequencies:
        if frequency > _FASTEST:
            given = f"got {frequency:g}, and the finest stripes have 0.5"
            remedy = f"For a period of {frequency:g} pixels give {1 / frequency:.3g}"
            raise mistake(f"frequencies are in {FREQUENCY}", given, remedy)


def _notch(arguments: argparse.Namespace, picture: Picture) -> Any:
    if not arguments.strongest:
        entries = arguments.frequency if isinstance(arguments.frequency, tuple) else (arguments.frequency,)
        axes = picture.plane_ndim + arguments.across_pages
        if len(entries) != axes:
            rule = "--frequency has one number for each direction"
            raise mistake(rule, f"got {len(entries)} for {axes}", "Give them with commas, such as 0.1,0.2")
        _refuse_pixels(*map(abs, entries))
        return _made("notch", arguments, entries, arguments.width)
    one = grey(picture)
    if one.axes != "YX":
        given = f"the input is {picture.describe()}"
        raise mistake("--strongest looks at one picture", given, "Give its stripes by --frequency")
    frequency, angle = strongest(one.samples, arguments.above, choose_device(arguments.device))
    if frequency == 0:
        raise mistake("--strongest needs stripes", "the picture has none", "Leave it as it is")
    print(stripes_in_words(one, arguments.above, choose_device(arguments.device)))
    return _made("notch", arguments, (frequency * sin(angle), frequency * cos(angle)), arguments.width)


def _applied(x: Any, transfer: Any, axes: tuple[int, ...], arguments: argparse.Namespace) -> Any:
    from gpuconv import spectral

    return spectral.apply(x, transfer, axes=axes, boundary=arguments.boundary, cval=arguments.cval)


def _drawn(before: Picture, after: Picture, transfer: Any) -> Any:
    from gpuconv import spectral

    figure = new_figure(10.5, 9.0)
    panels = figure.subplots(2, 2)
    limits = full_range(before.samples)
    show_picture(panels[0, 0], before.samples, limits, "before")
    if abs(complex(transfer(0.0, 0.0))) > 0.5:
        show_picture(panels[0, 1], after.samples, limits, "after")
    else:
        # Without its mean a picture has both signs.
        reach = float(np.percentile(abs(after.samples), 98)) or 1.0
        show_picture(panels[0, 1], after.samples, (-reach, reach), f"after: mid-grey is 0, white {reach:.3g}")
    decibels = spectral.log_spectrum(grey(before).samples, window="hann", floor=FLOOR)
    show_spectrum(panels[1, 0], decibels, FLOOR, "log spectrum before")
    transfer.plot(ndim=2 if transfer.ndim else 1, axes=panels[1, 1])
    panels[1, 1].title.set_fontsize(10)
    return figure
