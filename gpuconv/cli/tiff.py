"""TIFF in and out: one or many pages, any depth, colours and transparency by the file's own words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gpuconv.cli.admission import check_pixels, damaged, unsupported
from gpuconv.cli.command import CommandError, one_line, optional_library
from gpuconv.cli.pictures import ORIENTATION_TAG, Picture, native, turned_upright

_COLOUR_MODELS = ("MINISBLACK", "MINISWHITE", "RGB", "PALETTE", "YCBCR")
_ALPHA = ("UNASSALPHA", "ASSOCALPHA")
_ICC_PROFILE = 34675


def read_tiff(path: Path, max_pixels: int) -> Picture:
    """Read all pages of a TIFF; they must be of one size and kind."""
    tifffile = optional_library("tifffile", "reading TIFF files")
    with _complaints() as complaints:
        try:
            with tifffile.TiffFile(path) as file:
                series = _only_series(path, file)
                shape = tuple(n for n, letter in zip(series.shape, series.axes, strict=True) if letter != "S")
                check_pixels(path, shape, max_pixels)
                picture = _picture(series)
        except (CommandError, MemoryError):
            raise
        except Exception as failure:
            # Damaged files raise almost anything, as with the decoders of photos.
            if "imagecodecs" in str(failure):
                raise unsupported(
                    path,
                    f"packed in a way that needs one more library ({one_line(failure)})",
                    "Install it with: pip install imagecodecs",
                ) from None
            raise damaged(path, one_line(failure)) from None
    if complaints:
        # tifffile reads the pages it can find and only logs that others are missing.
        raise damaged(path, complaints[0])
    return picture


def write_tiff(file: BinaryIO, picture: Picture) -> None:
    """Write every page; colours, transparency and the meaning of the axes are recorded."""
    tifffile = optional_library("tifffile", "writing TIFF files")
    samples, axes = picture.samples, picture.axes
    extra: list[str] = []
    if picture.alpha is not None:
        samples = samples if axes.endswith("S") else samples[..., np.newaxis]
        axes = axes.rstrip("S") + "S"
        samples = np.concatenate([samples, picture.alpha.astype(samples.dtype)[..., np.newaxis]], axis=-1)
        extra = ["unassalpha"]
    coloured = picture.axes.endswith("S") and picture.colours == 3
    extra = ["unspecified"] * (picture.colours - (3 if coloured else 1)) + extra
    tifffile.imwrite(
        file,
        samples,
        photometric="rgb" if coloured else "minisblack",
        planarconfig="contig" if axes.endswith("S") else None,
        extrasamples=extra or None,
        metadata={"axes": axes},
        extratags=_profile_tag(picture.icc_profile),
    )


def _profile_tag(profile: bytes | None) -> list[tuple[int, int, int, bytes, bool]]:
    """The colour profile as a tag of undefined bytes (7) on the first page; old versions have no argument for it."""
    return [] if profile is None else [(_ICC_PROFILE, 7, len(profile), profile, True)]


def _only_series(path: Path, file: Any) -> Any:
    if len(file.series) != 1:
        sizes = ", ".join(" x ".join(map(str, series.shape)) for series in file.series)
        raise unsupported(path, f"a TIFF of {len(file.series)} unlike pictures ({sizes})", "Save each on its own")
    series = file.series[0]
    photometric = getattr(series.keyframe.photometric, "name", str(series.keyframe.photometric))
    if photometric not in _COLOUR_MODELS:
        raise unsupported(path, f"a TIFF of colour model {photometric}", "Convert it to grey or RGB first")
    if not {"Y", "X"} <= set(series.axes) or series.dtype.kind not in "biufc":
        raise unsupported(path, f"a TIFF of {series.dtype} with axes {series.axes}", "Save it as grey or RGB pages")
    return series


def _picture(series: Any) -> Picture:
    page = series.keyframe
    # Pages first, then rows and columns, colours last, whatever the order in the file. Letters of pages may repeat.
    pages = [axis for axis, letter in enumerate(series.axes) if letter not in "YXS"]
    order = pages + [series.axes.index(letter) for letter in "YXS" if letter in series.axes]
    axes = "".join(series.axes[axis] for axis in order)
    samples = native(np.transpose(series.asarray(), order))
    if page.photometric.name == "PALETTE":
        # TIFF palettes count to 65535, their pictures are shown with 8 bits.
        samples, axes = np.moveaxis((page.colormap >> 8).astype(np.uint8)[:, samples], 0, -1), axes + "S"
    else:
        samples = _full_range(samples, page.bitspersample)
    if page.photometric.name == "MINISWHITE" and samples.dtype.kind == "u":
        samples = np.invert(samples)
    orientation = page.tags.valueof(ORIENTATION_TAG, 1)
    samples = turned_upright(samples, orientation, len(pages))
    alpha = None
    if axes.endswith("S") and page.extrasamples and page.extrasamples[-1].name in _ALPHA:
        samples, alpha = samples[..., :-1], samples[..., -1]
    if axes.endswith("S") and samples.shape[-1] == 1:
        samples, axes = samples[..., 0], axes[:-1]
    profile = page.tags.valueof(_ICC_PROFILE)
    return Picture(samples, axes, alpha, profile if isinstance(profile, bytes) else None)


def _full_range(samples: np.ndarray, bits: int) -> np.ndarray:
    """Grey of 1, 2 or 4 bits as grey of 8 bits."""
    if samples.dtype.kind == "b" or (samples.dtype.kind == "u" and bits in (1, 2, 4)):
        return samples.astype(np.uint8) * np.uint8(255 // (2**bits - 1))
    return samples


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What tifffile logs as an error, instead of printing it."""
    collected: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                collected.append(" ".join(record.getMessage().split()))

    logger, handler = logging.getLogger("tifffile"), Collector()
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield collected
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated
