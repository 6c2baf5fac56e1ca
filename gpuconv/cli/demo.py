"""`gpuconv demo`: a real photo through the kernel zoo, as one sheet with titles and as single pictures."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.backends.devices import DEVICES, choose_device
from gpuconv.cli.admission import MAX_PIXELS
from gpuconv.cli.choosing import zoo_kernel
from gpuconv.cli.command import mistake, one_line, optional_library
from gpuconv.cli.convolve import known_device
from gpuconv.cli.filtering import Clipping, Filter, filter_picture, size_in_words
from gpuconv.cli.pictures import Picture
from gpuconv.cli.reading import read_picture
from gpuconv.cli.sheet import Panel, write_sheet, write_small_sheet
from gpuconv.cli.writing import check_place, write_picture


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
    parser.add_argument("--device", default="auto", metavar="{" + ",".join(DEVICES) + "}", help="where (default: auto)")
    parser.add_argument("--small", type=Path, metavar="FILE.png", help="also write a small sheet for a web page")


def run(arguments: argparse.Namespace) -> None:
    device = choose_device(known_device(arguments.device))
    # Before the work, not after it.
    optional_library("matplotlib.figure", "drawing the sheet")
    optional_library("imageio.v3", "writing photos")
    if arguments.small is not None:
        check_place(arguments.small)
    photo, source = _photo(arguments.image)
    folder = _made(arguments.folder)
    print(f"{source}: {photo.describe()}, filtered channel by channel in float32 on {device}, boundary reflect")
    original = replace(photo, samples=displayed(photo.samples, np.ones((1, 1)), photo.samples.dtype))
    panels = [Panel(_reduced(original.samples), "original", source)]
    write_picture(folder / "00-original.png", original)
    for number, (exhibit, kernel, result) in enumerate(exhibits(photo, device), start=1):
        name = f"{number:02d}-{exhibit.file_name}"
        write_picture(folder / name, result)
        panels.append(Panel(_reduced(result.samples), exhibit.name, exhibit.caption))
        print(f"  {name:<40}{size_in_words(kernel):>8}  {exhibit.effect}")
    heading = f"gpuconv: one photo, {len(panels) - 1} kernels"
    explanation = (
        "Each colour is convolved on its own. Where the weights sum to 0, the result is shown around mid-grey."
    )
    write_sheet(folder / "contact-sheet.png", heading, explanation, panels)
    print(f"wrote {folder / 'contact-sheet.png'}, and {len(panels)} single pictures beside it")
    if arguments.small is not None:
        write_small_sheet(arguments.small, heading, explanation, panels)
        print(f"wrote {arguments.small}")


def exhibits(photo: Picture, device: str) -> Iterator[tuple[Exhibit, np.ndarray, Picture]]:
    """Each exhibit with its kernel and the photo filtered by it, as 8-bit numbers to look at."""
    for exhibit in EXHIBITS:
        kernel = zoo_kernel(exhibit.name, exhibit.parameters)
        job = Filter((kernel,), boundary="reflect", device=device)
        filtered = filter_picture(photo, job)
        yield exhibit, kernel, replace(filtered, samples=displayed(filtered.samples, kernel, photo.samples.dtype))


def displayed(values: np.ndarray, kernel: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Filtered samples of a photo of `dtype` as 8-bit numbers to look at.

    Kernels whose weights sum to nearly 0 answer with both signs: 0 becomes mid-grey, and the size that one sample in 50
    exceeds becomes black or white. Others answer in the numbers of the photo, and are only clipped.
    """
    clipping = Clipping(np.dtype(np.uint8))
    # Gabor kernels sum to a few thousandths, because their wave starts anywhere under the Gaussian.
    if abs(kernel.sum()) > 0.05 * abs(kernel).sum():
        return clipping(values * (255 / np.iinfo(dtype).max))
    exceeded = float(np.percentile(abs(values), 98)) or 1.0
    return clipping(127.5 + values * (127.5 / exceeded))


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
        raise mistake("OUT must be a folder", f"{folder}: {one_line(failure)}", "Give another name") from None
    return folder


def _reduced(samples: np.ndarray) -> np.ndarray:
    """At most about 512 pixels across, which is more than a cell of the sheet shows; means of whole blocks."""
    block = max(1, max(samples.shape[:2]) // 512)
    rows, columns = samples.shape[0] // block * block, samples.shape[1] // block * block
    cut = samples[:rows, :columns].reshape(rows // block, block, columns // block, block, *samples.shape[2:])
    return np.rint(cut.mean(axis=(1, 3))).astype(np.uint8)
