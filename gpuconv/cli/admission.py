"""Which inputs are let in: limits on size, and the words for those that stay out."""

from __future__ import annotations

import math
from pathlib import Path

from gpuconv.cli.command import CommandError, mistake

# 16384 x 16384, or 1024 pages of 512 x 512: 1 GiB as float32.
MAX_PIXELS = 2**28


def check_pixels(path: Path, shape: tuple[int, ...], max_pixels: int) -> None:
    """Refuse an empty picture, or one with more than `max_pixels`; `shape` without the axis of colours."""
    pixels = math.prod(shape)
    size = " x ".join(str(length) for length in shape)
    if pixels == 0:
        raise mistake("a picture needs at least one pixel", f"{path} is {size}", "Give another file")
    if pixels > max_pixels:
        raise mistake(
            f"pictures of up to {max_pixels} pixels are read",
            f"{path} says it is {size} = {pixels} pixels",
            f"If that is right and fits your memory, add --max-pixels {pixels}",
        )


def damaged(path: Path, reason: str) -> CommandError:
    return mistake("the input must be a whole, undamaged file", f"{path}: {reason}", "Fetch or save it again")


def unsupported(path: Path, what: str, remedy: str) -> CommandError:
    return mistake("this kind of picture is not filtered", f"{path} is {what}", remedy)
