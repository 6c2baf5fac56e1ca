"""The one number per pixel that spectra and directions are taken of."""

from __future__ import annotations

from dataclasses import replace

from gpuconv.cli.command import mistake
from gpuconv.cli.outlines import brightness
from gpuconv.cli.pictures import Picture


def grey(picture: Picture) -> Picture:
    """The brightness of a picture of three colours; one of one colour as it is, both without transparency."""
    if picture.colours == 1:
        one = picture.samples[..., 0] if picture.axes.endswith("S") else picture.samples
        return replace(picture, samples=one, axes=picture.axes.rstrip("S"), alpha=None)
    if picture.colours != 3 or picture.samples.dtype.kind == "c":
        given = f"the input is {picture.describe()}"
        raise mistake("a spectrum is that of one colour, or of the brightness of three", given, "Save one of them")
    # The colour profile is one for three colours.
    return Picture(brightness(picture), picture.axes.rstrip("S"))
