"""The demo's look at frequencies: spectra, an angle read off them, and a photo from a few of its waves."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi, sin

import numpy as np

from gpuconv.backends.devices import to_device, to_host
from gpuconv.cli.command import optional_library
from gpuconv.cli.compress import KEEP, compressed
from gpuconv.cli.filtering import Clipping
from gpuconv.cli.orientation import direction
from gpuconv.cli.outlines import brightness
from gpuconv.cli.pictures import Picture
from gpuconv.cli.sheet import Panel
from gpuconv.cli.spectrum import FLOOR
from gpuconv.cli.viewing import reduced

TURN = 37.0
# The finest detail is what turning a picture changes besides its angle; in cycles per pixel.
_SMOOTH = 0.25
_CYAN = (0, 255, 255)


def frequency_panels(photo: Picture, own: bool, device: str) -> list[Panel]:
    """A wall (or the `photo`, if it is a person's own), turned, with both spectra; then the photo from a few numbers.

    `photo` has 8-bit samples.
    """
    small = replace(photo, samples=reduced(photo.samples), alpha=None)
    if own:
        wall, source = square(brightness(small)), "the middle of the photo"
    else:
        # Shipped inside scikit-image's wheel, as the portrait is.
        wall, source = optional_library("skimage.data", "the sample photo").brick(), "a wall (scikit-image)"
    return turning_panels(wall.astype(np.float32), source, device) + _compression_panels(small, device)


def turning_panels(wall: np.ndarray, source: str, device: str) -> list[Panel]:
    """A square, and the same turned, each beside its spectrum with the direction read off it."""
    turn = turned(wall)
    before, after = direction(wall, device, _SMOOTH), direction(turn, device, _SMOOTH)
    read = np.degrees(after - before) % 180
    return [
        Panel(_clipped(wall), "as it is", source),
        Panel(_spectrum(wall, device, "disc", before), "its log spectrum", f"varies most at {np.degrees(before):.1f}°"),
        Panel(_clipped(turn), f"turned by {TURN:g}°", "clockwise"),
        Panel(_spectrum(turn, device, "disc", after), "the spectrum turns too", f"by {read:.1f}°, read off both lines"),
    ]


def turned(wall: np.ndarray) -> np.ndarray:
    """Clockwise by `TURN` degrees, float32."""
    transform = optional_library("skimage.transform", "turning photos")
    # scikit-image counts the other way.
    result: np.ndarray = transform.rotate(wall, -TURN, order=3, mode="reflect", preserve_range=True)
    return result.astype(np.float32)


def square(samples: np.ndarray) -> np.ndarray:
    """The largest square in the middle."""
    side = min(samples.shape[:2])
    top, left = ((size - side) // 2 for size in samples.shape[:2])
    return samples[top : top + side, left : left + side]


def _compression_panels(photo: Picture, device: str) -> list[Panel]:
    spectrum = _spectrum(brightness(photo), device, "hann", None)
    panels = [Panel(spectrum, "log spectrum of the photo", f"white: strongest, black: {-FLOOR:g} dB less")]
    for method, title in (
        ("disc", f"low-pass: slowest {KEEP:.0%}"),
        ("largest", f"largest {KEEP:.0%} of the waves"),
        ("blocks", f"largest {KEEP:.0%} in 8 x 8 blocks"),
    ):
        result, words = compressed(photo, KEEP, method, device)
        panels.append(Panel(_clipped(result.samples), title, words))
    return panels


def _spectrum(samples: np.ndarray, device: str, window: str, angle: float | None) -> np.ndarray:
    """A log spectrum in colours, 8-bit RGB, with a line through its middle."""
    from gpuconv import spectral

    colours = optional_library("matplotlib", "colouring spectra").colormaps["magma"]
    decibels = to_host(spectral.log_spectrum(to_device(samples, device), window=window, floor=FLOOR))
    drawn = _clipped(np.asarray(colours(1 - decibels / FLOOR))[..., :3] * 255)
    if angle is not None:
        rows, columns = decibels.shape
        along = np.linspace(-0.4, 0.4, 2 * max(rows, columns))
        down = np.rint(rows // 2 + along * rows * sin(angle)).astype(int)
        right = np.rint(columns // 2 + along * columns * cos(angle)).astype(int)
        steep = abs(angle) > pi / 4
        # Two pixels wide, so that it stays when the sheet is made smaller.
        for beside in (0, 1):
            drawn[
                np.minimum(down + beside * (not steep), rows - 1), np.minimum(right + beside * steep, columns - 1)
            ] = _CYAN
    return drawn


def _clipped(values: np.ndarray) -> np.ndarray:
    return Clipping(np.dtype(np.uint8))(values)
