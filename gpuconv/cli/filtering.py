"""Filters over pictures: which axes, page by page, on the device asked for, and whole numbers at the end if wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from gpuconv.backends.devices import to_device, to_host
from gpuconv.cli.command import CommandError, mistake, one_line
from gpuconv.cli.pictures import Picture


class Job(Protocol):
    """What to do to a picture: page by page, or across its pages."""

    @property
    def mode(self) -> str:
        """Size of the result: "same", "full" or "valid"."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of the kernel on each filtered axis; empty if `mode` is always "same"."""

    def axes(self, picture: Picture) -> tuple[int, ...]:
        """The axes of the samples that are filtered; a `CommandError` if the picture does not have them."""

    def is_complex(self, samples: np.ndarray) -> bool:
        """Whether the result of such samples is complex."""

    def apply(self, samples: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """The filtered samples, as computed; 8- and 16-bit numbers are filtered in float32."""


@dataclass(frozen=True)
class Operation:
    """Any function of an array and the axes to work on, whose result has the size of the array.

    With `whole`, it gets 8- and 16-bit numbers as they are, and not in float32.
    """

    function: Callable[[Any, tuple[int, ...]], Any]
    device: str = "cpu"
    across_pages: bool = False
    whole: bool = False
    mode: str = "same"
    lengths: tuple[int, ...] = ()

    def axes(self, picture: Picture) -> tuple[int, ...]:
        return chosen_axes(picture, self.across_pages)

    def is_complex(self, samples: np.ndarray) -> bool:
        return samples.dtype.kind == "c"

    def apply(self, samples: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        moved = to_device(samples, self.device) if self.whole else on_device(samples, self.device)
        with library_refusals():
            return to_host(self.function(moved, axes))


@dataclass(frozen=True)
class Convolution:
    """Convolution with one kernel. Of several kernels, the results become one: the root of the sum of their squares."""

    kernels: tuple[np.ndarray, ...]
    correlate: bool = False
    boundary: str = "constant"
    cval: float = 0.0
    mode: str = "same"
    method: str = "auto"
    device: str = "cpu"

    @property
    def lengths(self) -> tuple[int, ...]:
        return self.kernels[0].shape

    def axes(self, picture: Picture) -> tuple[int, ...]:
        return kernel_axes(picture, self.kernels[0])

    def is_complex(self, samples: np.ndarray) -> bool:
        return len(self.kernels) == 1 and "c" in (samples.dtype.kind, self.kernels[0].dtype.kind)

    def apply(self, samples: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        import gpuconv

        operation = gpuconv.correlate if self.correlate else gpuconv.convolve
        if samples.dtype.kind in "iu" and len(self.kernels) > 1 and samples.dtype.itemsize > 2:
            # Squares of exact integers would run over.
            samples = samples.astype(np.float64)
        moved = on_device(samples, self.device)
        with library_refusals():
            results: list[Any] = [
                operation(
                    moved,
                    kernel,
                    mode=self.mode,
                    boundary=self.boundary,
                    cval=self.cval,
                    axes=axes,
                    method=self.method,
                )
                for kernel in self.kernels
            ]
        if len(results) > 1:
            return to_host(sum(abs(result) ** 2 for result in results) ** 0.5)
        return to_host(results[0])


def on_device(samples: np.ndarray, device: str) -> Any:
    """Samples as an array of the device, 8- and 16-bit numbers in float32."""
    narrow = samples.dtype.kind in "iu" and samples.dtype.itemsize <= 2
    return to_device(samples.astype(np.float32) if narrow else samples, device)


@contextmanager
def library_refusals() -> Iterator[None]:
    """What gpuconv refuses, in its own words, as the one line that ends a command."""
    try:
        yield
    except (ValueError, TypeError) as failure:
        raise CommandError(one_line(failure) + ".") from None


class Clipping:
    """Round half to even, then limit to what `dtype` holds; counts the samples beyond it, and those not a number."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.outside = 0
        self.infinite = 0
        self.not_finite = 0
        self.total = 0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        lowest, highest = np.iinfo(self.dtype).min, np.iinfo(self.dtype).max
        rounded = np.rint(values) if values.dtype.kind == "f" else values
        self.not_finite += int(np.isnan(rounded).sum()) if values.dtype.kind == "f" else 0
        self.infinite += int(np.isinf(rounded).sum())
        self.outside += int(((rounded < lowest) | (rounded > highest)).sum())
        self.total += rounded.size
        return np.nan_to_num(np.clip(rounded, lowest, highest), nan=0).astype(self.dtype)

    def note(self) -> str:
        """What was lost, in a sentence; empty if nothing was."""
        limits = np.iinfo(self.dtype)
        sentences = []
        if self.outside:
            share = f"{self.outside} of {self.total} samples ({self.outside / self.total:.1%})"
            sentences.append(f"{share} were outside {limits.min}..{limits.max} and were clipped.")
        if self.infinite:
            sentences.append(f"{self.infinite} of them were infinite.")
        if self.not_finite:
            sentences.append(f"{self.not_finite} samples were not numbers and became 0.")
        return " ".join(sentences)


def filter_picture(
    picture: Picture, job: Job, finish: Callable[[np.ndarray], np.ndarray] = lambda values: values
) -> Picture:
    """Filter every page of `picture`; transparency is carried along, cut or padded to the new size.

    Parameters
    ----------
    picture : Picture
        What to filter.
    job : Job
        It filters the axes of a page, or one more to reach across the pages of a volume.
    finish : callable
        Applied to each filtered page before the next one is read, so that a stack of whole numbers never exists as
        floats.
    """
    axes = job.axes(picture)
    if len(axes) == picture.plane_ndim:
        samples = _page_by_page(picture, job, finish)
    else:
        samples = finish(job.apply(picture.samples, axes))
    return replace(picture, samples=samples, alpha=_alpha_of_result(picture, job))


def rescaled(picture: Picture, dtype: np.dtype) -> tuple[Picture, str]:
    """Map lowest..highest of all finite samples to the full range of `dtype`, and say so in a sentence.

    A constant picture becomes the lowest number.
    """
    values = picture.samples.astype(np.float64)
    finite = values[np.isfinite(values)]
    lowest, highest = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    limits = np.iinfo(dtype)
    scale = (limits.max - limits.min) / ((highest - lowest) or 1.0)
    clipping = Clipping(dtype)
    result = replace(picture, samples=clipping(limits.min + (values - lowest) * scale))
    return result, f"{lowest:g}..{highest:g} became {limits.min}..{limits.max}. {clipping.note()}".rstrip()


def not_finite_in_words(picture: Picture) -> str:
    """How many samples are infinite or not numbers, in a sentence; empty if all are finite."""
    infinite, missing = int(np.isinf(picture.samples).sum()), int(np.isnan(picture.samples).sum())
    kinds = [(infinite, "infinite"), (missing, "not numbers")]
    counted = ", ".join(f"{count} of {picture.samples.size} samples are {kind}" for count, kind in kinds if count)
    return f"{counted}." if counted else ""


def size_in_words(kernel: np.ndarray) -> str:
    return " x ".join(str(length) for length in kernel.shape)


def _page_by_page(picture: Picture, job: Job, finish: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    leading = len(picture.page_axes)
    axes = tuple(range(picture.plane_ndim))
    pages = picture.samples.reshape(-1, *picture.samples.shape[leading:])
    result: np.ndarray | None = None
    for index, page in enumerate(_with_progress(pages)):
        finished = finish(job.apply(page, axes))
        if result is None:
            result = np.empty((len(pages), *finished.shape), finished.dtype)
        result[index] = finished
    assert result is not None  # reading refuses pictures without pixels
    return result.reshape(*picture.samples.shape[:leading], *result.shape[1:])


def _with_progress(pages: np.ndarray) -> Any:
    """The pages, with a bar when there are several; none where stderr is no terminal or tqdm is missing."""
    if len(pages) == 1:
        return pages
    try:
        from tqdm import tqdm
    except ImportError:
        return pages
    return tqdm(pages, unit="page", leave=False, disable=None)


def _alpha_of_result(picture: Picture, job: Job) -> np.ndarray | None:
    """Transparency of the pixels that the result has: cut for "valid"; for "full" the new rim is transparent."""
    alpha = picture.alpha
    if alpha is None or job.mode == "same":
        return alpha
    for axis, length in zip(job.axes(picture), job.lengths, strict=True):
        # same[j] is full[j + before], valid[j] is full[j + length - 1].
        before, after = (length - 1) // 2, length - 1 - (length - 1) // 2
        if job.mode == "full":
            alpha = np.pad(alpha, [(before, after) if other == axis else (0, 0) for other in range(alpha.ndim)])
        else:
            alpha = alpha.take(range(after, alpha.shape[axis] - before), axis)
    return alpha


def kernel_axes(picture: Picture, kernel: np.ndarray) -> tuple[int, ...]:
    """The axes of the samples that a kernel reaches across; a `CommandError` if it has more or fewer."""
    axes = plane_axes(picture)
    if picture.depth_axis is not None and kernel.ndim != len(axes):
        axes = (picture.depth_axis, *axes)
    if len(axes) != kernel.ndim:
        raise mistake(
            "a kernel has two axes, three for a volume, one for a 1-D signal",
            f"the kernel is {size_in_words(kernel)}, the input {picture.describe()}",
            "Give a kernel with other axes, for kernels by name with --param ndim=1, 2 or 3",
        )
    return axes


def chosen_axes(picture: Picture, across_pages: bool) -> tuple[int, ...]:
    """The axes of the samples along a page, or those of a volume; a `CommandError` if it is none."""
    if not across_pages:
        return plane_axes(picture)
    if picture.depth_axis is None:
        given = f"the input is {picture.describe()}"
        raise mistake("--across-pages goes with a stack of pages", given, "Leave it out")
    return (picture.depth_axis, *plane_axes(picture))


def plane_axes(picture: Picture) -> tuple[int, ...]:
    """The axes of the samples along a page."""
    leading = len(picture.page_axes)
    return tuple(range(leading, leading + picture.plane_ndim))
