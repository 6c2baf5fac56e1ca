"""`gpuconv compress`: a picture from a few of its coefficients, and how good it still is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gpuconv.backends.devices import choose_device, to_host
from gpuconv.cli.carrying import add_device, add_files, add_numbers, carry_out, known_device, read_input
from gpuconv.cli.command import mistake
from gpuconv.cli.figures import add_plot, check_drawable, full_range, new_figure, show_picture, write_figure
from gpuconv.cli.filtering import Operation, filter_picture
from gpuconv.cli.pictures import Picture
from gpuconv.cli.reading import read_picture

KEEP = 0.05
METHODS = {
    "largest": "the largest coefficients of the Fourier transform",
    "disc": "the slowest waves",
    "dct": "the largest coefficients of a cosine transform of the whole",
    "blocks": "the largest coefficients of cosine transforms of 8 x 8 pixels, as in JPEG",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_plot(parser, "the picture before and after, and what is lost")
    group = parser.add_argument_group("compression")
    group.add_argument(
        "--keep", type=float, default=KEEP, metavar="FRACTION", help=f"part of the coefficients (default: {KEEP:g})"
    )
    described = "; ".join(f"{name}: {words}" for name, words in METHODS.items())
    group.add_argument("--method", choices=tuple(METHODS), default="largest", help=f"{described} (default: largest)")
    add_device(group)
    add_numbers(parser)


class Compression:
    """Compresses and remembers how well each of the pages and colours came through."""

    def __init__(self, keep: float, method: str) -> None:
        self.keep = keep
        self.method = method
        self.ratio = 1.0
        self.psnr: list[float] = []

    def __call__(self, x: Any, axes: tuple[int, ...]) -> Any:
        from gpuconv import spectral

        image, self.ratio, psnr = spectral.compress(x, self.keep, method=self.method, axes=axes)
        self.psnr += to_host(psnr).tolist() if psnr.ndim else [float(psnr)]
        return image

    def in_words(self, whole: bool) -> str:
        return (
            f"kept 1/{self.ratio:.1f} of the coefficients: ratio {self.ratio:.1f}, psnr {_in_words(self.psnr, whole)}"
        )


def run(arguments: argparse.Namespace) -> None:
    device = choose_device(known_device(arguments.device))
    if arguments.plot:
        picture = read_picture(arguments.input, arguments.max_pixels, arguments.channels_last)
        check_drawable(arguments.output, picture)
    else:
        picture = read_input(arguments)
    if picture.samples.dtype.kind == "c":
        given = f"the input is {picture.describe()}"
        raise mistake("compress needs real numbers", given, "Compress its real and imaginary part apart")
    compression, whole = Compression(arguments.keep, arguments.method), picture.samples.dtype.kind in "iu"
    # Whole numbers as they are: the error is measured by the largest that they could be.
    job = Operation(compression, device, whole=True)
    words = f"keep {arguments.keep:g}: {METHODS[arguments.method]}, on {device}"
    if not arguments.plot:
        carry_out(picture, job, arguments, words)
        print(compression.in_words(whole))
        return
    after = filter_picture(picture, job)
    print(f"read {arguments.input}: {picture.describe()}")
    print(words)
    write_figure(arguments.output, _drawn(picture, after, compression.in_words(whole)))
    print(f"wrote {arguments.output}: before, after and what is lost, labelled")
    print(compression.in_words(whole))


def compressed(photo: Picture, keep: float, method: str, device: str) -> tuple[Picture, str]:
    """A photo of whole numbers from a part of its coefficients, and ratio and psnr in words."""
    compression = Compression(keep, method)
    result = filter_picture(replace(photo, alpha=None), Operation(compression, device, whole=True))
    return result, f"1/{compression.ratio:.0f} of the numbers, {_in_words(compression.psnr, True)}"


def _in_words(psnr: Sequence[float], whole: bool) -> str:
    """One number for all colours and pages of whole numbers, which have one peak; the worst and the best of others."""
    values = np.asarray(psnr)
    if np.isinf(values).all():
        return "infinite: nothing is lost"
    if whole or len(values) == 1:
        return f"{-10 * np.log10(np.mean(10 ** (-values / 10))):.1f} dB"
    return f"{values.min():.1f} to {values.max():.1f} dB"


def _drawn(before: Picture, after: Picture, words: str) -> Any:
    figure = new_figure(14.0, 4.9)
    panels = figure.subplots(1, 3)
    limits = full_range(before.samples)
    show_picture(panels[0], before.samples, limits, "before")
    show_picture(panels[1], after.samples, limits, words)
    lost = before.samples.astype(np.float64) - after.samples
    one = lost.mean(axis=-1) if before.axes.endswith("S") else lost
    reach = float(np.percentile(abs(one), 99)) or 1.0
    shown = panels[2].imshow(one, cmap="RdBu_r", vmin=-reach, vmax=reach)
    panels[2].set_title(
        "what is lost: before - after" + (", mean of the colours" if lost.ndim > 2 else ""), fontsize=10
    )
    panels[2].set_axis_off()
    figure.colorbar(shown, ax=panels[2], label="in the numbers of the picture", shrink=0.85, extend="both")
    return figure
