"""The demo's feature maps: a bank of kernels over every colour channel of a photo, as one sheet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.backends.devices import to_host
from gpuconv.cli.choosing import zoo_kernel
from gpuconv.cli.filtering import on_device
from gpuconv.cli.pictures import Picture
from gpuconv.cli.sheet import Panel
from gpuconv.cli.viewing import displayed, reduced

CHANNELS = ("red", "green", "blue")
_PALE = 0.35


@dataclass(frozen=True)
class Feature:
    """What a kernel of the bank looks for, and its name and parameters in the zoo."""

    title: str
    caption: str
    name: str
    parameters: dict[str, Any]

    @property
    def kernel(self) -> np.ndarray:
        return zoo_kernel(self.name, self.parameters)


FEATURES = (
    Feature("upright edges", "white: brighter to the right", "sobel", {"axis": 1}),
    Feature("level edges", "white: brighter further down", "sobel", {"axis": 0}),
    Feature("spots", "white: darker than around", "laplacian_of_gaussian", {"sigma": 3}),
    Feature("stripes", "upright, 12 pixels apart", "gabor", {"wavelength": 12}),
)


def feature_maps(photo: Picture, device: str) -> np.ndarray:
    """All maps of a photo, shape (features, rows, columns[, colours]), float32."""
    from gpuconv import filters

    kernels = [feature.kernel.astype(np.float32) for feature in FEATURES]
    return to_host(filters.bank(on_device(photo.samples, device), kernels, axes=(0, 1)))


def feature_panels(photo: Picture, maps: np.ndarray) -> Iterator[Panel]:
    """A line for all channels together, as colours, then one for each; every kernel has one scale for all of them."""
    original = displayed(photo.samples, np.ones((1, 1)), photo.samples.dtype)
    answers = [
        displayed(answer, feature.kernel, photo.samples.dtype) for feature, answer in zip(FEATURES, maps, strict=True)
    ]
    yield Panel(reduced(original), "photo", "what goes in")
    for feature, answer in zip(FEATURES, answers, strict=True):
        yield Panel(reduced(answer), feature.title, feature.caption)
    for number, channel in enumerate(CHANNELS if photo.colours == 3 else ()):
        yield Panel(reduced(_tinted(original, number)), f"{channel} channel", f"how much {channel} there is")
        for feature, answer in zip(FEATURES, answers, strict=True):
            yield Panel(reduced(answer[..., number]), f"{channel}: {feature.title}", feature.caption)


def _tinted(samples: np.ndarray, channel: int) -> np.ndarray:
    """One channel in its colour, with some white in it: pure blue is hard to see."""
    pale = np.array([_PALE, _PALE, _PALE])
    pale[channel] = 1
    return np.rint(samples[..., channel, np.newaxis] * pale).astype(np.uint8)
