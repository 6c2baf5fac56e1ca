"""`gpuconv demo`: a real photo through the kernel zoo, filters and spectra, as sheets and as single pictures."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.backends.devices import choose_device
from gpuconv.cli.admission import MAX_PIXELS
from gpuconv.cli.bars import drawn_bars, levels
from gpuconv.cli.carrying import add_device, known_device
from gpuconv.cli.choosing import zoo_kernel
from gpuconv.cli.chord import chord, write_wav
from gpuconv.cli.command import mistake, one_line, optional_library
from gpuconv.cli.compress import KEEP
from gpuconv.cli.feature_maps import FEATURES, feature_maps, feature_panels
from gpuconv.cli.figures import write_figure
from gpuconv.cli.filtering import Convolution, filter_picture, size_in_words
from gpuconv.cli.frequency_panels import frequency_panels
from gpuconv.cli.outlines import brightness, directions, drawing, outline_panels, outlines
from gpuconv.cli.pictures import Picture
from gpuconv.cli.reading import read_picture
from gpuconv.cli.sheet import Panel, Sheet, drawn_sheet, write_sheet, write_small
from gpuconv.cli.viewing import displayed, reduced
from gpuconv.cli.writing import write_picture


@dataclass(frozen=True)
class Exhibit:
    """A kernel by name with its parameters, and what a person sees it do."""

    name: str
    effect: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.parameters.items())

    @property
    def caption(self) -> str:
        return f"{self.settings}: {self.effect}" if self.parameters else self.effect

    @property
    def file_name(self) -> str:
        words = f"{self.name} {self.settings}" if self.parameters else self.name
        return "-".join(re.findall(r"[a-z0-9.]+", words.lower())) + ".png"


# In decibels: what a fade of a tenth of a second leaves between the tones is below it.
BARS_FLOOR = -60.0

# One row of the sheet to a line of thought: as it is and clearer, blurred, slopes, what is left of a slope.
EXHIBITS = (
    Exhibit("identity", "changes nothing"),
    Exhibit("sharpen", "steepens every edge"),
    Exhibit("unsharp", "steepens larger detail", {"sigma": 2}),
    Exhibit("emboss", "light falls from the upper left"),
    Exhibit("box", "mean of a square", {"size": 11}),
    Exhibit("gaussian", "blurs all directions alike", {"sigma": 3}),
    Exhibit("disk", "a lens out of focus", {"radius": 6}),
    Exhibit("motion", "moving camera", {"length": 21, "angle": 30}),
    Exhibit("difference_of_gaussians", "keeps one band of detail", {"sigma": 2}),
    Exhibit("sobel", "slope from left to right", {"axis": 1}),
    Exhibit("sobel", "slope from top to bottom", {"axis": 0}),
    Exhibit("prewitt", "slope, smoothed by a mean", {"axis": 1}),
    Exhibit("scharr", "slope, fair to diagonals", {"axis": 1}),
    Exhibit("roberts", "slope on a diagonal", {"axis": 1}),
    Exhibit("gaussian", "slope", {"sigma": 3, "order": (0, 1)}),
    Exhibit("laplacian", "light in hollows, dark on bumps"),
    Exhibit("edge", "differs from its 8 neighbours"),
    Exhibit("laplacian_of_gaussian", "dark on bright blobs", {"sigma": 3}),
    Exhibit("gabor", "stripes of one kind", {"wavelength": 12}),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="OUT", help="folder for the pictures; made if it is not there")
    parser.add_argument("--image", type=Path, metavar="PHOTO", help="a photo of your own instead of the sample")
    add_device(parser)
    parser.add_argument("--small", type=Path, metavar="FOLDER", help="also write small sheets there, for a web page")


def run(arguments: argparse.Namespace) -> None:
    device = choose_device(known_device(arguments.device))
    # Before the work, not after it.
    optional_library("matplotlib.figure", "drawing the sheets")
    optional_library("imageio.v3", "writing photos")
    photo, source = _photo(arguments.image)
    folder, small = _made(arguments.folder), None if arguments.small is None else _made(arguments.small)
    print(f"{source}: {photo.describe()}, filtered channel by channel in float32 on {device}, boundary reflect")
    sheets = {
        "contact-sheet.png": _contact_sheet(photo, source, folder, device),
        "feature-maps.png": _feature_sheet(photo, device),
        "outlines.png": _outline_sheet(photo, folder, device),
        "frequencies.png": _frequency_sheet(photo, arguments.image is not None, device),
    }
    for name, sheet in sheets.items():
        write_sheet(folder / name, sheet)
        print(f"wrote {folder / name}: {sheet.heading.removeprefix('gpuconv: ')}")
        if small is not None:
            write_small(small / name, drawn_sheet(sheet))
            print(f"wrote {small / name}")
    _write_bars(folder, small, device)


def _contact_sheet(photo: Picture, source: str, folder: Path, device: str) -> Sheet:
    """The photo through every exhibit, each of which is also written by itself."""
    original = _shown(photo)
    panels = [Panel(reduced(original.samples), "original", source)]
    write_picture(folder / "00-original.png", original)
    for number, (exhibit, kernel, result) in enumerate(exhibits(photo, device), start=1):
        name = f"{number:02d}-{exhibit.file_name}"
        write_picture(folder / name, result)
        panels.append(Panel(reduced(result.samples), exhibit.name, exhibit.caption))
        print(f"  {name:<40}{size_in_words(kernel):>8}  {exhibit.effect}")
    explanation = (
        "Each colour is convolved on its own. Where the weights sum to 0, the result is shown around mid-grey."
    )
    return Sheet(f"gpuconv: one photo, {len(panels) - 1} kernels", explanation, panels)


def _feature_sheet(photo: Picture, device: str) -> Sheet:
    channels = f" of each of {photo.colours} colour channels" if photo.colours > 1 else ""
    heading = f"gpuconv: {len(FEATURES)} feature maps{channels}"
    explanation = (
        "Every kernel of a bank over every channel. Grey: nothing there. White or black: the feature, or its opposite."
    )
    return Sheet(heading, explanation, list(feature_panels(photo, feature_maps(photo, device))))


def _outline_sheet(photo: Picture, folder: Path, device: str) -> Sheet:
    """The outlines of the photo, which are also written by themselves."""
    grey = brightness(photo)
    found = outlines(grey, device)
    for name, samples, axes in (
        ("outlines-drawing.png", drawing(found), "YX"),
        ("outlines-directions.png", directions(found), "YXS"),
    ):
        write_picture(folder / name, Picture(samples, axes, icc_profile=None))
        print(f"  {name}")
    explanation = "Slopes of the brightness in two directions, by the Sobel kernels, and what they make together."
    return Sheet("gpuconv: Sobel outlines", explanation, outline_panels(photo, grey, found, device), columns=3)


def _frequency_sheet(photo: Picture, own: bool, device: str) -> Sheet:
    explanation = (
        "Above: turn a picture, and its spectrum turns with it. Below: a few of the waves make most of a photo."
    )
    panels = frequency_panels(_shown(photo), own, device)
    return Sheet(
        f"gpuconv: an angle read off a spectrum, and a photo from {KEEP:.0%} of its numbers",
        explanation,
        panels,
        columns=4,
    )


def _write_bars(folder: Path, small: Path | None, device: str) -> None:
    """The bars of a sound, which is also written: none comes with any library that is needed here."""
    sound = chord()
    write_wav(folder / "chord.wav", sound)
    print(f"wrote {folder / 'chord.wav'}: a chord and a glide, computed, {sound.describe()}")
    found = levels(sound, "third", False, device)
    for place, write in ((folder, write_figure), (small, write_small)):
        if place is not None:
            write(place / "bars.png", drawn_bars(found, "chord.wav", BARS_FLOOR))
            print(f"wrote {place / 'bars.png'}: {len(found.names)} bars of its third-octaves")


def exhibits(photo: Picture, device: str) -> Iterator[tuple[Exhibit, np.ndarray, Picture]]:
    """Each exhibit with its kernel and the photo filtered by it, as 8-bit numbers to look at."""
    for exhibit in EXHIBITS:
        kernel = zoo_kernel(exhibit.name, exhibit.parameters)
        job = Convolution((kernel,), boundary="reflect", device=device)
        filtered = filter_picture(photo, job)
        yield exhibit, kernel, replace(filtered, samples=displayed(filtered.samples, kernel, photo.samples.dtype))


def _shown(photo: Picture) -> Picture:
    """The photo with 8 bits."""
    return replace(photo, samples=displayed(photo.samples, np.ones((1, 1)), photo.samples.dtype))


def _photo(path: Path | None) -> tuple[Picture, str]:
    if path is None:
        # Shipped inside scikit-image's wheel: nothing is downloaded. NASA's portrait of Eileen Collins, public domain.
        samples = optional_library("skimage.data", "the sample photo").astronaut()
        return Picture(samples, "YXS"), "Eileen Collins, NASA"
    photo = read_picture(path, MAX_PIXELS)
    if (
        photo.axes not in ("YX", "YXS")
        or photo.colours not in (1, 3)
        or photo.samples.dtype not in (np.uint8, np.uint16)
    ):
        raise mistake(
            "the demo shows one photo", f"{path} is {photo.describe()}", "Give a grey or RGB picture of one page"
        )
    # Transparency would show a white page through the results.
    return replace(photo, alpha=None), path.name


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise mistake("the demo writes into folders", f"{folder}: {one_line(failure)}", "Give another name") from None
    return folder
