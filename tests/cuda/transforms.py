"""scipy.fft in cuFFT's place: blocks of NumPy arrays are transformed in place, in a memory that can run out."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from math import prod
from typing import Any

import numpy as np
from scipy import fft

from gpuconv.backends.cuda.cufft import Block
from tests.cuda.emulation import EmulatedRuntime

_numbers = itertools.count()


class DeviceKernel(np.ndarray):
    """Weights that lie on the device: not to be looked at."""


def counted_bytes(runtime: EmulatedRuntime) -> list[int]:
    """A list that grows by the bytes of every array that `runtime` allocates from now on."""
    taken: list[int] = []
    empty = runtime.empty

    def counted(shape: Sequence[int], dtype: Any) -> np.ndarray:
        taken.append(prod(shape) * np.dtype(dtype).itemsize)
        return empty(shape, dtype)

    runtime.empty = counted  # type: ignore[method-assign]
    return taken


class OutOfMemory(MemoryError):
    """What CuPy's pool raises."""


class SciPyTransforms:
    """`Transforms` on the arrays of an `EmulatedRuntime`.

    Parameters
    ----------
    runtime : EmulatedRuntime
    largest : int, optional
        Bytes of the largest block for which there is a plan; larger ones raise.
    free, total : int
        What the device claims to have.
    """

    def __init__(
        self, runtime: EmulatedRuntime, largest: int | None = None, free: int = 2**30, total: int = 2**30
    ) -> None:
        self.runtime = runtime
        self.largest = largest
        self.blocks: list[Block] = []
        self.released = 0
        self.asked = 0
        self._free, self._total = free, total
        self._number = next(_numbers)

    def forward(self, spectra: np.ndarray, block: Block) -> None:
        self._plan(block)
        samples = self._samples(spectra, block)
        axes = tuple(range(1, samples.ndim))
        found = fft.rfftn(samples, axes=axes) if block.is_real else fft.fftn(samples, axes=axes)
        spectra[...] = found.reshape(spectra.shape)
        self._written(spectra)

    def inverse(self, spectra: np.ndarray, block: Block) -> None:
        self._plan(block)
        frequencies = spectra.reshape((block.entries, *block.lengths[:-1], block.columns))
        axes = tuple(range(1, frequencies.ndim))
        call = fft.irfftn if block.is_real else fft.ifftn
        found = call(frequencies, s=block.lengths, axes=axes, norm="forward")
        # A real transform may leave anything in the frequencies it comes from.
        spectra[...] = np.nan
        self._samples(spectra, block)[...] = found

    def owner(self) -> tuple[Hashable, ...]:
        return (self._number,)

    def device(self) -> str:
        return "cuda:0"

    def total(self) -> int:
        return self._total

    def free(self) -> int:
        self.asked += 1
        return self._free

    def release(self) -> None:
        self.released += 1

    def is_exhausted(self, failure: Exception) -> bool:
        return isinstance(failure, MemoryError)

    def _plan(self, block: Block) -> None:
        self.blocks.append(block)
        if self.largest is not None and block.bytes > self.largest:
            raise OutOfMemory(f"Out of memory allocating {block.bytes} bytes")

    def _samples(self, spectra: np.ndarray, block: Block) -> np.ndarray:
        rows = spectra.view(block.dtype).reshape((block.entries, *block.lengths[:-1], block.row_pitch))
        return rows[..., : block.lengths[-1]]

    def _written(self, spectra: np.ndarray) -> None:
        """The emulator has seen only its own kernels write."""
        begin: Any = self.runtime.address(spectra)
        for memory in self.runtime._memories:
            if memory.begin <= begin < memory.begin + memory.known.size:
                memory.known[begin - memory.begin :][: spectra.nbytes] = 1
