"""Launchers without arrays: what they would launch, for shapes of any size.

A sketch has a shape, strides and a dtype, and no memory. So the arithmetic of a launcher is tested on arrays that no
machine holds, and the binaries that it asks for are collected without compiling any.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.backends.cuda.launch import Launch
from gpuconv.backends.cuda.runtime import Device, use_runtime


@dataclass(frozen=True)
class Sketch:
    """An array without elements."""

    shape: tuple[int, ...]
    dtype: np.dtype
    strides: tuple[int, ...]

    @classmethod
    def of(cls, shape: Sequence[int], dtype: Any, order: Sequence[int] | None = None) -> Sketch:
        """C-ordered, or with axes from the slowest in memory to the fastest in `order`."""
        dtype, strides, step = np.dtype(dtype), [0] * len(shape), np.dtype(dtype).itemsize
        for axis in reversed(range(len(shape)) if order is None else order):
            strides[axis], step = step, step * max(shape[axis], 1)
        return cls(tuple(shape), dtype, tuple(strides))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    def transpose(self, axes: Sequence[int]) -> Sketch:
        shape, strides = ([each[axis] for axis in axes] for each in (self.shape, self.strides))
        return Sketch(tuple(shape), self.dtype, tuple(strides))

    def reshape(self, shape: Sequence[int]) -> Sketch:
        return Sketch.of(shape, self.dtype)

    def __add__(self, other: Sketch) -> Sketch:
        return self

    def astype(self, dtype: Any, **options: Any) -> Sketch:
        return Sketch.of(self.shape, dtype)


class RecordingRuntime:
    """A `Runtime` that keeps launches instead of carrying them out."""

    def __init__(self, device: Device | None = None) -> None:
        self.launches: list[Launch] = []
        self._device = device or Device(132, 50 * 2**20, 4e12)

    def empty(self, shape: Sequence[int], dtype: Any) -> Sketch:
        return Sketch.of(shape, dtype)

    def upload(self, host: np.ndarray) -> Sketch:
        return Sketch.of(host.shape, host.dtype)

    def contiguous(self, x: Any) -> Sketch:
        return Sketch.of(x.shape, x.dtype)

    def address(self, x: Any) -> int:
        return 4096

    def launch(self, launch: Launch) -> None:
        self.launches.append(launch)

    def device(self) -> Device:
        return self._device


def recorded(launcher: Callable[..., Any], *arguments: Any, **options: Any) -> list[Launch]:
    """The launches of one call."""
    runtime = RecordingRuntime()
    with use_runtime(runtime):
        launcher(*arguments, **options)
    return runtime.launches
