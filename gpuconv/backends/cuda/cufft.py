"""Transforms of blocks in place through cuFFT, and what else of CuPy the Fourier domain asks for.

`Transforms` is all that `fourier.py` sees: in the tests it is scipy.fft on NumPy arrays.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from gpuconv.backends import cupy_plans
from gpuconv.core.dtypes import ITEMSIZE, complex_of, is_complex

# Samples of one call of cuFFT: beyond it, some of its 32-bit numbers could overflow.
MOST_SAMPLES = 2**31 - 1


@dataclass(frozen=True)
class Block:
    """A batch of `entries` that is transformed in place.

    Attributes
    ----------
    entries : int
    lengths : tuple of int
        Samples per transformed axis, one to three axes.
    dtype : str
        Of the samples; of real ones, the rows are as long as half their spectrum.
    """

    entries: int
    lengths: tuple[int, ...]
    dtype: str

    @functools.cached_property
    def is_real(self) -> bool:
        return not is_complex(self.dtype)

    @functools.cached_property
    def columns(self) -> int:
        """Frequencies of the last axis."""
        return self.lengths[-1] // 2 + 1 if self.is_real else self.lengths[-1]

    @functools.cached_property
    def row_pitch(self) -> int:
        """Samples from one row to the next."""
        return 2 * self.columns if self.is_real else self.columns

    @functools.cached_property
    def frequencies(self) -> int:
        """Of one entry."""
        return prod(self.lengths[:-1]) * self.columns

    @functools.cached_property
    def entry_pitch(self) -> int:
        """Samples from one entry to the next."""
        return prod(self.lengths[:-1]) * self.row_pitch

    @functools.cached_property
    def bytes(self) -> int:
        return self.entries * self.frequencies * ITEMSIZE[complex_of(self.dtype)]

    def with_entries(self, entries: int) -> Block:
        return self if entries == self.entries else Block(entries, self.lengths, self.dtype)


class Transforms(Protocol):
    """Who transforms blocks, and knows the memory they lie in. `spectra` are complex, (entries, frequencies)."""

    def forward(self, spectra: Any, block: Block) -> None:
        """From samples to frequencies, in place."""

    def inverse(self, spectra: Any, block: Block) -> None:
        """Back, in place, times the number of samples. Of real samples, the spectra may be overwritten on the way."""

    def owner(self) -> tuple[Hashable, ...]:
        """What memory that was written before must share with the present, or else somebody has to wait."""

    def device(self) -> str:
        """Name of the current device: "cuda:0"."""

    def total(self) -> int:
        """Bytes of memory that the device has."""

    def free(self) -> int:
        """Those that can be had now."""

    def release(self) -> None:
        """Give back what is kept for later calls."""

    def is_exhausted(self, failure: Exception) -> bool:
        """Whether that error says that memory has run out."""


class CufftTransforms:
    """cuFFT by plans of our own, kept in the cache that `gpuconv.fft_backend.plan_cache` shows."""

    def forward(self, spectra: Any, block: Block) -> None:
        cufft = importlib.import_module("cupy.cuda.cufft")
        self._plan(cufft, block, forward=True).fft(spectra, spectra, cufft.CUFFT_FORWARD)

    def inverse(self, spectra: Any, block: Block) -> None:
        cufft = importlib.import_module("cupy.cuda.cufft")
        self._plan(cufft, block, forward=False).fft(spectra, spectra, cufft.CUFFT_INVERSE)

    def _plan(self, cufft: Any, block: Block, forward: bool) -> Any:
        kind = plan_kind(block, forward)
        return cupy_plans.plan_cache.get(
            (*cupy_plans.owner(), "block", kind, block.entries, block.lengths),
            lambda: cufft.PlanNd(*plan_arguments(block, getattr(cufft, f"CUFFT_{kind}"), forward)),
            lambda plan: int(plan.work_area.mem.size),
        )

    def owner(self) -> tuple[Hashable, ...]:
        return cupy_plans.owner()

    def device(self) -> str:
        return f"cuda:{importlib.import_module('cupy').cuda.runtime.getDevice()}"

    def total(self) -> int:
        return _total(self.device())

    def free(self) -> int:
        cupy = importlib.import_module("cupy")
        return cupy.cuda.runtime.memGetInfo()[0] + cupy.get_default_memory_pool().free_bytes()

    def release(self) -> None:
        cupy_plans.plan_cache.clear()
        importlib.import_module("cupy").get_default_memory_pool().free_all_blocks()

    def is_exhausted(self, failure: Exception) -> bool:
        if isinstance(failure, MemoryError):  # CuPy's OutOfMemoryError is one
            return True
        return type(failure).__name__ in ("CuFFTError", "CUDARuntimeError") and any(
            word in str(failure) for word in ("CUFFT_ALLOC_FAILED", "cudaErrorMemoryAllocation")
        )


@functools.cache
def _total(device: str) -> int:
    return importlib.import_module("cupy").cuda.runtime.memGetInfo()[1]


def plan_kind(block: Block, forward: bool) -> str:
    """cuFFT's name: complex plans serve both directions, real ones have one."""
    if not block.is_real:
        return "C2C" if block.dtype == "complex64" else "Z2Z"
    if block.dtype == "float32":
        return "R2C" if forward else "C2R"
    return "D2Z" if forward else "Z2D"


def plan_arguments(block: Block, kind: int, forward: bool) -> tuple[Any, ...]:
    """Arguments of `cupy.cuda.cufft.PlanNd` for contiguous entries, in place.

    They are: lengths; pitches, stride and distance of the input; the same of the output; type, batch, order, last
    axis and its size. The pitch of an axis counts the samples or frequencies of the axis behind it.
    """
    samples = (*block.lengths[:-1], block.row_pitch), 1, block.entry_pitch
    frequencies = (*block.lengths[:-1], block.columns), 1, block.frequencies
    source, target = (samples, frequencies) if forward else (frequencies, samples)
    last = block.columns if forward else block.lengths[-1]
    return (block.lengths, *source, *target, kind, block.entries, "C", len(block.lengths) - 1, last)


_CUFFT = CufftTransforms()
_current: ContextVar[Transforms] = ContextVar("gpuconv_cuda_transforms", default=_CUFFT)


def current() -> Transforms:
    """Who transforms blocks for launchers called from here."""
    return _current.get()


@contextmanager
def use_transforms(transforms: Transforms) -> Iterator[None]:
    """Have launchers transform through another inside."""
    token = _current.set(transforms)
    try:
        yield
    finally:
        _current.reset(token)
