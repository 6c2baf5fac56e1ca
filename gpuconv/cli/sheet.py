"""Sheets: pictures in rows under their titles, drawn with matplotlib."""

from __future__ import annotations

import io
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.cli.command import optional_library
from gpuconv.cli.writing import new_file

# In inches at 100 pixels an inch; letters are sized in points, so the sheet is scaled by its resolution alone.
_CELL, _GAP, _TITLE, _HEADER, _RIM = 2.6, 0.18, 0.62, 0.72, 0.25


@dataclass(frozen=True)
class Panel:
    """One picture of the sheet: 8-bit grey or RGB samples, a title, and a caption in small letters."""

    samples: np.ndarray
    title: str
    caption: str


@dataclass(frozen=True)
class Sheet:
    """What stands on a sheet; panels are laid out row after row."""

    heading: str
    explanation: str
    panels: list[Panel]
    columns: int = 5


def write_sheet(path: Path, sheet: Sheet) -> None:
    """Draw all panels into one PNG; of five columns, it is about 1400 pixels wide."""
    with new_file(path) as file:
        drawn_sheet(sheet).savefig(file, format="png", dpi=100)


def write_small(path: Path, figure: Any) -> None:
    """A drawing for a web page: narrower, and with 256 colours, which makes the file three times smaller."""
    pillow = optional_library("PIL.Image", "writing the small sheets")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=72)
    with pillow.open(drawn) as image:
        reduced = image.convert("RGB").quantize(256, dither=pillow.Dither.NONE)
    with new_file(path) as file:
        reduced.save(file, format="PNG", optimize=True)


def drawn_sheet(sheet: Sheet) -> Any:
    figures = optional_library("matplotlib.figure", "drawing the sheets")
    columns = min(sheet.columns, len(sheet.panels))
    rows = ceil(len(sheet.panels) / columns)
    width = 2 * _RIM + columns * _CELL + (columns - 1) * _GAP
    height = _HEADER + _RIM + rows * (_CELL + _TITLE)
    # A figure without pyplot draws with Agg, and no window system is looked for.
    figure = figures.Figure(figsize=(width, height), facecolor="white")
    _write(figure, _RIM, 0.30, sheet.heading, size=15, weight="bold")
    _write(figure, _RIM, 0.56, sheet.explanation, size=9.5, color="0.35")
    for index, panel in enumerate(sheet.panels):
        row, column = divmod(index, columns)
        left = _RIM + column * (_CELL + _GAP)
        top = _HEADER + row * (_CELL + _TITLE)
        _write(figure, left, top + 0.34, panel.title, size=10.5, weight="bold")
        _write(figure, left, top + 0.53, panel.caption, size=8.5, color="0.35")
        axes = figure.add_axes(_box(figure, left, top + _TITLE, _CELL, _CELL))
        # Wide and high photos keep their shape and hang from the top left corner of the cell.
        axes.set_anchor("NW")
        axes.imshow(panel.samples, cmap="gray", vmin=0, vmax=255)
        axes.set_axis_off()
    return figure


def _write(figure: Any, left: float, baseline: float, text: str, **style: Any) -> None:
    """Text with its baseline so many inches from the top."""
    width, height = figure.get_size_inches()
    figure.text(left / width, 1 - baseline / height, text, ha="left", va="baseline", **style)


def _box(figure: Any, left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
    """A rectangle measured in inches from the top left corner, as matplotlib wants it."""
    full_width, full_height = figure.get_size_inches()
    return left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height
