"""The demo's Sobel outlines: how steep a photo is, and in which direction, as colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpuconv.backends.devices import to_host
from gpuconv.cli.command import optional_library
from gpuconv.cli.filtering import Clipping, on_device
from gpuconv.cli.pictures import Picture
from gpuconv.cli.sheet import Panel
from gpuconv.cli.viewing import displayed, reduced

# How much red, green and blue count in the brightness of a colour: Recommendation ITU-R BT.601, section 2.5.1.
_BRIGHTNESS = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Outlines:
    """Slopes of the brightness, in its numbers per pixel; all of shape (rows, columns) in float32."""

    across: np.ndarray
    down: np.ndarray

    @property
    def steepness(self) -> np.ndarray:
        return np.hypot(self.across, self.down)


def brightness(photo: Picture) -> np.ndarray:
    """One number per pixel, in the numbers of the photo, float32."""
    samples = photo.samples.astype(np.float32)
    return samples @ np.array(_BRIGHTNESS, np.float32) if photo.colours == 3 else samples


def outlines(grey: np.ndarray, device: str) -> Outlines:
    """Sobel slopes along the columns and down the rows."""
    from gpuconv import filters

    moved = on_device(grey, device)
    across, down = (to_host(filters.sobel(moved, axis, scale="unit")) for axis in (1, 0))
    return Outlines(across, down)


def drawing(found: Outlines) -> np.ndarray:
    """Dark lines on white paper: white where it is flat, black at what one pixel in 50 exceeds; 8-bit grey."""
    return Clipping(np.dtype(np.uint8))(255 - 255 * _strength(found))


def directions(found: Outlines) -> np.ndarray:
    """The direction in which it gets brighter as a hue, how steep it is as the root of the brightness; 8-bit RGB.

    Red is to the right, cyan to the left, yellow-green down, violet up.
    """
    colors = optional_library("matplotlib.colors", "colouring directions")
    hue = np.arctan2(found.down, found.across) / (2 * np.pi) % 1
    # Under the root, faint outlines have a colour that can be seen.
    value = np.sqrt(np.minimum(_strength(found), 1))
    rgb = colors.hsv_to_rgb(np.stack([hue, np.ones_like(hue), value], axis=-1))
    return Clipping(np.dtype(np.uint8))(rgb * 255)


def outline_panels(photo: Picture, grey: np.ndarray, found: Outlines, device: str) -> list[Panel]:
    sobel = np.array([[-1, 0, 1]])
    dtype = photo.samples.dtype
    shown = [
        (displayed(grey, np.ones((1, 1)), dtype), "brightness", "what goes in"),
        (displayed(found.across, sobel, dtype), "slope from left to right", "white: brighter to the right"),
        (displayed(found.down, sobel, dtype), "slope from top to bottom", "white: brighter further down"),
        (drawing(found), "outlines", "the steepness, from both slopes"),
        (directions(found), "outlines with their direction", "colour: which way it gets brighter"),
        (directions(outlines(_bowl(), device)), "key to the colours", "which way, seen from the middle"),
    ]
    return [Panel(reduced(samples), title, caption) for samples, title, caption in shown]


def _strength(found: Outlines) -> np.ndarray:
    """The steepness, 1 where one pixel in 50 exceeds it."""
    steepness = found.steepness
    return steepness / (float(np.percentile(steepness, 98)) or 1.0)


def _bowl(size: int = 256) -> np.ndarray:
    """As steep everywhere within a circle, darkest in its middle, flat outside."""
    places = np.arange(size, dtype=np.float32) - (size - 1) / 2
    distance = np.hypot(places[:, np.newaxis], places)
    return np.minimum(distance, 0.42 * size).astype(np.float32)
