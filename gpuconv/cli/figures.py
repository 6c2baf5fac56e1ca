"""Labelled drawings of pictures, spectra and transfer functions, with matplotlib and without a window."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.cli.command import mistake, optional_library
from gpuconv.cli.pictures import Picture
from gpuconv.cli.writing import check_place, new_file

_SUFFIXES = (".png", ".svg", ".pdf")
FREQUENCY = "cycles per pixel"


def add_plot(parser: argparse.ArgumentParser, shows: str) -> None:
    parser.add_argument(
        "--plot",
        action="store_true",
        help=f"write a labelled drawing instead (.png, .svg or .pdf), which shows {shows}",
    )


def check_figure(path: Path) -> None:
    """Refuse before the work what could not be written after it."""
    if path.suffix.lower() not in _SUFFIXES:
        known = ", ".join(_SUFFIXES)
        raise mistake(f"a drawing ends in one of {known}", f"got {path}", "Choose one of these endings")
    check_place(path)
    optional_library("matplotlib.figure", "drawing")


def check_drawable(path: Path, picture: Picture) -> None:
    """Refuse a drawing of anything but one page of one or three colours."""
    check_figure(path)
    if (
        picture.page_axes
        or picture.plane_ndim != 2
        or picture.colours not in (1, 3)
        or picture.samples.dtype.kind == "c"
    ):
        given = f"the input is {picture.describe()}"
        raise mistake("--plot draws one picture, grey or RGB", given, "Give one page of it, or leave --plot out")


def new_figure(width: float, height: float) -> Any:
    """A figure of so many inches, which draws with Agg: no window system is looked for."""
    figures = optional_library("matplotlib.figure", "drawing")
    return figures.Figure(figsize=(width, height), layout="compressed", facecolor="white")


def write_figure(path: Path, figure: Any) -> None:
    # Pictures keep their shape, which the layout of the first drawing does not know of yet.
    figure.draw_without_rendering()
    with new_file(path) as file:
        figure.savefig(file, format=path.suffix.lower()[1:], dpi=100)


def full_range(samples: np.ndarray) -> tuple[float, float]:
    """What is drawn black and white: the ends of whole numbers, or the smallest and the largest number."""
    if samples.dtype.kind in "iu":
        limits = np.iinfo(samples.dtype)
        return float(limits.min), float(limits.max)
    finite = samples[np.isfinite(samples)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def show_picture(axes: Any, samples: np.ndarray, limits: tuple[float, float], title: str) -> None:
    """Grey or RGB samples from black to white, without ticks."""
    low, high = limits
    axes.imshow(np.clip((samples.astype(np.float64) - low) / ((high - low) or 1.0), 0, 1), cmap="gray", vmin=0, vmax=1)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def show_spectrum(axes: Any, decibels: np.ndarray, floor: float, title: str) -> None:
    """A centred spectrum with its frequencies and a scale."""
    rows, columns = decibels.shape
    shown = axes.imshow(decibels, cmap="magma", vmin=floor, vmax=0, extent=_extent(rows, columns), aspect="equal")
    axes.set_title(title, fontsize=10)
    axes.set(xlabel=f"along a row ({FREQUENCY})", ylabel=f"down the rows ({FREQUENCY})")
    axes.figure.colorbar(shown, ax=axes, label="power (dB, strongest = 0)", shrink=0.85)


def show_line(axes: Any, decibels: np.ndarray, floor: float, title: str) -> None:
    """The spectrum of a signal as a curve."""
    size = len(decibels)
    axes.plot((np.arange(size) - size // 2) / size, decibels, linewidth=0.8)
    axes.set_title(title, fontsize=10)
    axes.set(xlabel="frequency (cycles per sample)", ylabel="power (dB, strongest = 0)", ylim=(floor, 3))


def _extent(rows: int, columns: int) -> tuple[float, float, float, float]:
    """Frequencies at the outer edges of the outermost bins: left, right, bottom, top."""
    left, top = (-(size // 2 + 0.5) / size for size in (columns, rows))
    return left, left + 1, top + 1, top
