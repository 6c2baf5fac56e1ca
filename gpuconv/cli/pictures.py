"""A picture in memory: samples in a known order of axes, transparency apart, the right way up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Axes that hold pages of one kind of thing at other colours or times: a 3-D kernel must not reach across them.
_NOT_DEPTH = "CT"
# The tag of EXIF and TIFF that says how the camera was held.
ORIENTATION_TAG = 274


@dataclass(frozen=True)
class Picture:
    """Samples with their axes in words.

    Attributes
    ----------
    samples : numpy.ndarray
        One axis per letter of `axes`.
    axes : str
        Pages first (any letters, Z for depth), then Y for rows, X for columns, last S for colours if there are any.
        A one-dimensional signal has X alone.
    alpha : numpy.ndarray or None
        Transparency, shaped like `samples` without S. It is carried to the result and never filtered.
    icc_profile : bytes or None
        The colour profile of the file, written to the result so that colours keep their meaning.
    """

    samples: np.ndarray
    axes: str
    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None

    @property
    def page_axes(self) -> str:
        return self.axes.rstrip("S").removesuffix("X").removesuffix("Y")

    @property
    def colours(self) -> int:
        return self.samples.shape[-1] if self.axes.endswith("S") else 1

    @property
    def plane_ndim(self) -> int:
        """Dimensions of one page: 2, or 1 for a signal."""
        return 2 if "Y" in self.axes else 1

    @property
    def depth_axis(self) -> int | None:
        """The axis that a 3-D kernel reaches across besides rows and columns; None if there is no single one."""
        if "Z" in self.page_axes:
            return self.axes.index("Z")
        candidates = [axis for axis, letter in enumerate(self.page_axes) if letter not in _NOT_DEPTH]
        return candidates[0] if len(candidates) == 1 else None

    def describe(self) -> str:
        """Size, colours and depth in words: ``"512 x 512, 3 colours, uint8"``."""
        rows_and_columns = self.samples.shape[len(self.page_axes) : len(self.page_axes) + self.plane_ndim]
        words = [" x ".join(str(size) for size in rows_and_columns)]
        pages = int(np.prod(self.samples.shape[: len(self.page_axes)]))
        if self.page_axes:
            words.insert(0, f"{pages} page{'s' * (pages != 1)} of {words.pop()}")
        if self.colours > 1:
            words.append(f"{self.colours} colours")
        if self.alpha is not None:
            words.append("transparency")
        return ", ".join([*words, self.samples.dtype.name])


def native(samples: np.ndarray) -> np.ndarray:
    """The same numbers in the byte order of this computer."""
    return samples.astype(samples.dtype.newbyteorder("="), copy=False)


def turned_upright(samples: np.ndarray, orientation: int, row_axis: int = 0) -> np.ndarray:
    """Undo the way a camera was held.

    Rows lie on `row_axis`, columns on the next; `orientation` is the EXIF value 1 to 8, others change nothing.

    References
    ----------
    CIPA DC-008 (Exif 2.32), tag 274: which side of the scene the first row and the first column are on.
    """
    plane = np.moveaxis(samples, (row_axis, row_axis + 1), (0, 1))
    transposed = plane.swapaxes(0, 1)
    upright = {
        2: plane[:, ::-1],
        3: plane[::-1, ::-1],
        4: plane[::-1],
        5: transposed,
        6: transposed[:, ::-1],
        7: transposed[::-1, ::-1],
        8: transposed[::-1],
    }.get(orientation, plane)
    return np.moveaxis(upright, (0, 1), (row_axis, row_axis + 1))
