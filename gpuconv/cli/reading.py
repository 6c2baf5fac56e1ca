"""Reading pictures and volumes: the header first, the samples only if their number is sane."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.cli.admission import MAX_PIXELS, check_pixels, damaged, unsupported
from gpuconv.cli.command import CommandError, mistake, one_line, optional_library
from gpuconv.cli.pictures import ORIENTATION_TAG, Picture, native, turned_upright
from gpuconv.cli.tiff import read_tiff

_NPY_START = b"\x93NUMPY"
_TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
# What Pillow's modes become; the others have no meaning that survives a linear filter and a way back to a file.
_MODES = {
    "1": "L",
    "L": "L",
    "I;16": "I;16",
    "LA": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBA": "RGBA",
}
_WITH_ALPHA = {"L": "LA", "RGB": "RGBA"}


def read_picture(path: Path, max_pixels: int = MAX_PIXELS, channels_last: bool = False) -> Picture:
    """Read a picture, a volume or an array; the format is told by the first bytes, not by the name.

    Parameters
    ----------
    path : Path
        PNG, JPEG and whatever else Pillow reads, TIFF with one or many pages, or .npy.
    max_pixels : int
        More pixels than this, pages included and colours not, are refused before anything is decoded.
    channels_last : bool
        The last axis of a .npy holds colours. Picture files say so themselves.

    Raises
    ------
    CommandError
        If the file is missing, damaged, too large, or of a kind that cannot be filtered honestly.
    MissingLibraryError
        If imageio or tifffile is needed and not installed.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(32)
    except OSError as failure:
        raise mistake("the input must be a readable file", f"{path}: {one_line(failure)}", "Check the path") from None
    if start.startswith(_NPY_START):
        return _read_npy(path, max_pixels, channels_last)
    if start.startswith(_TIFF_STARTS):
        return read_tiff(path, max_pixels)
    if len(start) == 0:
        raise damaged(path, "the file is empty")
    return _read_photo(path, start, max_pixels)


def _read_npy(path: Path, max_pixels: int, channels_last: bool) -> Picture:
    try:
        # Mapped, so that a header that promises terabytes costs nothing before it is checked.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError) as failure:
        raise damaged(path, one_line(failure)) from None
    letters = "RQTZYX"[-(mapped.ndim - channels_last) :] if mapped.ndim > channels_last else ""
    if mapped.dtype.kind not in "iufc" or not letters or mapped.ndim - channels_last > 6:
        raise unsupported(
            path, f"an array of {mapped.dtype} with {mapped.ndim} axes", "Save numbers with 1 to 6 axes, colours apart"
        )
    check_pixels(path, mapped.shape[: len(letters)], max_pixels)
    return Picture(native(np.array(mapped)), letters + "S" * channels_last)


def _read_photo(path: Path, start: bytes, max_pixels: int) -> Picture:
    _refuse_deep_colour_png(path, start)
    imageio = optional_library("imageio.v3", "reading photos")
    pillow = optional_library("PIL.Image", "reading photos")
    with _unlimited(pillow), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with pillow.open(path) as header:
                mode = _mode_to_read(path, header)
                check_pixels(path, (header.height, header.width), max_pixels)
                orientation = header.getexif().get(ORIENTATION_TAG, 1)
                icc_profile = header.info.get("icc_profile")
            samples = imageio.imread(path, plugin="pillow", index=0, mode=mode)
        except (CommandError, MemoryError):
            raise
        except pillow.UnidentifiedImageError:
            raise unsupported(path, "in no format that is known here", "Give PNG, JPEG, TIFF, BMP or .npy") from None
        except Exception as failure:
            # Decoders of damaged files raise almost anything: OSError, SyntaxError, struct.error, zlib.error.
            raise damaged(path, one_line(failure)) from None
    samples = turned_upright(samples, orientation)
    alpha = None
    if mode in _WITH_ALPHA.values():
        samples, alpha = samples[..., :-1], samples[..., -1]
    if samples.ndim == 3 and samples.shape[-1] == 1:
        samples = samples[..., 0]
    return Picture(samples, "YX" if samples.ndim == 2 else "YXS", alpha, icc_profile)


def _mode_to_read(path: Path, header: Any) -> str:
    """The Pillow mode to convert to while reading: 1-bit and palette pictures become grey and colour ones."""
    if getattr(header, "n_frames", 1) > 1 and header.format != "MPO":
        # MPO is how cameras hide a preview behind a JPEG: its first picture is the photo.
        raise unsupported(path, f"an animation of {header.n_frames} frames", "Save its frames as a multi-page TIFF")
    if header.mode == "I" and header.format == "PNG":
        # What Pillow up to 10.3 makes of 16-bit grey.
        return "I;16"
    if header.mode not in _MODES:
        raise unsupported(path, f"in colour mode {header.mode}", "Convert it to grey or RGB first")
    mode = _MODES[header.mode]
    transparent = "transparency" in header.info or (header.mode == "P" and header.palette.mode == "RGBA")
    return _WITH_ALPHA.get(mode, mode) if transparent else mode


def _refuse_deep_colour_png(path: Path, start: bytes) -> None:
    """Pillow drops 16-bit colour PNGs to 8 bits without a word; the header says what they were."""
    if not start.startswith(b"\x89PNG\r\n\x1a\n") or len(start) < 26:
        return
    depth, colour_type = struct.unpack(">BB", start[24:26])
    if depth == 16 and colour_type != 0:
        raise unsupported(path, "a PNG of 16-bit colours or transparency", "Save it as a 16-bit TIFF")


@contextmanager
def _unlimited(pillow: Any) -> Iterator[None]:
    """Pillow's own limit is lifted while ours is checked, so that --max-pixels can raise it."""
    before = pillow.MAX_IMAGE_PIXELS
    pillow.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        pillow.MAX_IMAGE_PIXELS = before
