"""Writing results: whole numbers where the format needs them, and never half a file."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gpuconv.cli.command import mistake, one_line, optional_library
from gpuconv.cli.pictures import Picture
from gpuconv.cli.tiff import write_tiff

_PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_FLOAT_SUFFIXES = (".tif", ".tiff", ".npy")
# 4:4:4 and 95 keep the ringing of the codec below what a filter shows; Pillow's default of 75 does not.
_ENCODER_OPTIONS = {".jpg": {"quality": 95, "subsampling": 0}, ".jpeg": {"quality": 95, "subsampling": 0}}


def holds_floats(path: Path) -> bool:
    """Whether a file of this name can hold any numbers, so that results need no rounding."""
    return path.suffix.lower() in _FLOAT_SUFFIXES


def check_output(path: Path, picture: Picture) -> None:
    """Refuse before the work what could not be written after it: folder, format, pages, transparency."""
    suffix = path.suffix.lower()
    if suffix not in _PHOTO_SUFFIXES + _FLOAT_SUFFIXES:
        known = ", ".join(_PHOTO_SUFFIXES + _FLOAT_SUFFIXES)
        raise mistake(f"the output must end in one of {known}", f"got {path}", "Choose one of these endings")
    check_place(path)
    if suffix == ".npy":
        return
    if suffix in _FLOAT_SUFFIXES:
        optional_library("tifffile", "writing TIFF files")
    else:
        optional_library("imageio.v3", "writing photos")
    if picture.plane_ndim == 1:
        raise mistake("a picture file has rows and columns", "the input is a 1-D signal", "Write a .npy")
    if suffix in _FLOAT_SUFFIXES:
        return
    if picture.page_axes:
        given = f"the input is {picture.describe()}"
        raise mistake(f"a {suffix} file holds one page", given, "Write a .tif or .npy")
    if picture.colours not in (1, 3):
        given = f"the input is {picture.describe()}"
        raise mistake(f"a {suffix} file holds 1 or 3 colours", given, "Write a .tif or .npy")
    if picture.alpha is not None and suffix != ".png":
        raise mistake(f"a {suffix} file holds no transparency", "the input has some", "Write a .png or .tif")


def whole_number_dtype(path: Path, picture: Picture, rescale: bool) -> np.dtype:
    """The whole numbers to write: the input's own, or 8 bits where only those fit and `rescale` maps onto them."""
    suffix, given, plain = path.suffix.lower(), picture.samples.dtype, picture.alpha is None
    if suffix in _FLOAT_SUFFIXES:
        fits = given.kind in "iu" and given.itemsize <= 4
    else:
        fits = given == np.uint8 or (given == np.uint16 and suffix == ".png" and picture.colours == 1 and plain)
    if fits:
        return given
    if rescale and plain:
        return np.dtype(np.uint8)
    described = f"the input is {picture.describe()}"
    if suffix in _FLOAT_SUFFIXES:
        option = "--rescale" if rescale else "--clip"
        remedy = f"Leave {option} out to keep the numbers as they are"
        raise mistake(
            f"{option} needs whole numbers of at most 32 bits, whose range is to be filled", described, remedy
        )
    holds = "8-bit numbers, or 16-bit ones of one colour" if suffix == ".png" else "8-bit numbers"
    remedy = "Write a .tif or .npy" + (", or add --rescale to map the result to 0..255" if plain else "")
    raise mistake(f"a {suffix} file holds {holds}", described, remedy)


def write_picture(path: Path, picture: Picture) -> None:
    """Encode `picture` by the ending of `path`, under a temporary name until it is complete."""
    suffix = path.suffix.lower()
    with new_file(path) as file:
        try:
            if suffix == ".npy":
                np.save(file, _with_alpha(picture), allow_pickle=False)
            elif suffix in _FLOAT_SUFFIXES:
                write_tiff(file, picture)
            else:
                _write_photo(file, suffix, picture)
        except (ValueError, TypeError, KeyError) as failure:
            raise mistake("the result must fit the format", f"{path}: {one_line(failure)}", "Write a .npy") from None


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once it is complete; whatever goes wrong before, `path` stays as it was.

    The temporary file lies in the same folder, because a rename across disks is a copy, which can stop half way.
    """
    check_place(path)
    # A link stays a link: what it points to is replaced.
    target = Path(os.path.realpath(path))
    part = target.with_name(f".gpuconv-{secrets.token_hex(6)}.part")
    try:
        # Not tempfile: it makes files that only their owner can read.
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        os.replace(part, target)
    except OSError as failure:
        raise mistake(
            "the output must be writable", f"{path}: {one_line(failure)}", "Free space, or choose a folder you own"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Refuse a path where no file can be written: a folder, a missing folder, no permission."""
    if path.exists() and not path.is_file():
        raise mistake("the output must be a file", f"{path} is a folder or a device", "Give a file name")
    if path.exists() and not os.access(path, os.W_OK):
        # A rename would get round this, which is not what somebody who protected a file wants.
        raise mistake("the output must be writable", f"{path} is write-protected", "Choose another name")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise mistake("the folder of the output must exist", f"there is no folder {folder}", "Make it first")
    if not os.access(folder, os.W_OK):
        raise mistake("the output must be writable", f"no permission to write in {folder}", "Choose a folder you own")


def _with_alpha(picture: Picture) -> np.ndarray:
    if picture.alpha is None:
        return picture.samples
    samples = picture.samples if picture.axes.endswith("S") else picture.samples[..., np.newaxis]
    return np.concatenate([samples, picture.alpha.astype(samples.dtype)[..., np.newaxis]], axis=-1)


def _write_photo(file: BinaryIO, suffix: str, picture: Picture) -> None:
    imageio = optional_library("imageio.v3", "writing photos")
    options: dict[str, object] = dict(_ENCODER_OPTIONS.get(suffix, {}))
    if picture.icc_profile and suffix != ".bmp":
        options["icc_profile"] = picture.icc_profile
    samples = np.ascontiguousarray(_with_alpha(picture))
    imageio.imwrite(file, samples, plugin="pillow", extension=suffix, is_batch=False, **options)
