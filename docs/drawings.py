"""Draws the pictures of the conventions page into docs/images: ``python docs/drawings.py``.

What stands in the cells is what gpuconv computes. The suite draws them again and compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import gpuconv

IMAGES = Path(__file__).parent / "images"
CELL, LEFT = 26, 8
LETTERS = "·abcd"
COLOURS = ("#ffffff", "#f4c95d", "#8ecae6", "#a7d49b", "#e5989b")
INK, PALE = "#222222", "#666666"


def _text(x: float, y: float, words: str, size: int = 13, ink: str = INK, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{ink}" {more}>{words}</text>'


def _cell(column: int, top: int, letter: str, colour: str, faint: bool) -> Iterator[str]:
    x = LEFT + column * CELL
    opacity = 0.45 if faint else 1
    box = f'x="{x}" y="{top}" width="{CELL}" height="{CELL}"'
    yield f'<rect {box} fill="{colour}" fill-opacity="{opacity}" stroke="#999999" stroke-width="0.5"/>'
    yield _text(x + CELL / 2, top + 18, letter, more='text-anchor="middle"')


def _frame(column: int, count: int, top: int) -> str:
    box = f'x="{LEFT + column * CELL}" y="{top}" width="{count * CELL}" height="{CELL}"'
    return f'<rect {box} fill="none" stroke="{INK}" stroke-width="2"/>'


def _numbers(first: int, count: int, top: int) -> Iterator[str]:
    for column in range(count):
        x = LEFT + (column + 0.5) * CELL
        yield _text(x, top, str(first + column).replace("-", "−"), 10, PALE, 'text-anchor="middle"')


def _picture(width: int, height: int, title: str, shapes: list[str]) -> str:
    # The white ground keeps the letters readable on a dark page.
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    style = 'font-family="DejaVu Sans, Verdana, sans-serif" role="img"'
    ground = f'<rect width="{width}" height="{height}" rx="4" fill="#ffffff"/>'
    return "\n".join([f"{head} {style}>", f"<title>{title}</title>", ground, *shapes, "</svg>", ""])


def boundaries() -> str:
    """Four samples, and five more on each side for each boundary."""
    reach, count = 5, 4
    across = np.zeros(2 * reach + 1, int)
    across[reach] = 1
    shapes, top = [], 10
    for boundary in ("constant", "reflect", "mirror", "nearest", "wrap"):
        # A kernel that changes nothing shows with "full" what it reads; 0, the default of `cval`, stands for k.
        beyond = gpuconv.convolve([[1, 2, 3, 4]], across, axes=1, mode="full", boundary=boundary)[0]
        shapes.append(_text(LEFT, top + 12, boundary, more='font-weight="bold"'))
        top += 20
        for column, sample in enumerate(beyond):
            outside = not reach <= column < reach + count
            letter = "k" if sample == 0 else LETTERS[sample]
            shapes += _cell(column, top, letter, COLOURS[sample], outside)
        shapes.append(_frame(reach, count, top))
        top += CELL + 16
    shapes += _numbers(-reach, 2 * reach + count, top - 2)
    return _picture(2 * LEFT + 14 * CELL, top + 8, "What each boundary puts beyond the ends of a b c d", shapes)


def centring() -> str:
    """Where a kernel lands when a lone 1 is convolved with it, for odd and even kernels and three origins."""
    size, place = 9, 4
    impulse = np.zeros(size, int)
    impulse[place] = 1
    shapes, top = [_text(LEFT, 22, "x: a lone 1", more='font-weight="bold"')], 30
    for column, sample in enumerate(impulse):
        shapes += _cell(column, top, str(sample), "#dddddd" if sample else COLOURS[0], False)
    shapes += _numbers(0, size, top + CELL + 13)
    top += CELL + 26
    for taps in (3, 4):
        kernel = np.arange(1, taps + 1)
        for origin in (-1, 0, 1):
            landed = gpuconv.convolve(impulse, kernel, origin=origin)
            words = f"{taps} taps, origin {origin}".replace("-", "−")
            shapes.append(_text(LEFT, top + 12, words, more='font-weight="bold"'))
            shapes.append(_text(LEFT + 130, top + 12, f"centre: tap {LETTERS[landed[place]]}", ink=PALE))
            top += 18
            for column, tap in enumerate(landed):
                shapes += _cell(column, top, LETTERS[tap], COLOURS[tap], False)
            shapes.append(_frame(place, 1, top))
            top += CELL + 12
    return _picture(2 * LEFT + size * CELL, top, "The centre of kernels a b c and a b c d with three origins", shapes)


DRAWINGS = {"boundaries.svg": boundaries, "centring.svg": centring}


def main() -> None:
    for name, draw in DRAWINGS.items():
        (IMAGES / name).write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
