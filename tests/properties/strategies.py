"""Random convolutions for the property tests: sizes and options are drawn, the samples follow from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests import reference
from tests.cases import BOUNDARIES, MODES


@dataclass(frozen=True)
class Setup:
    """An image, a kernel, and how they are convolved."""

    shape: tuple[int, ...]
    kernel_shape: tuple[int, ...]
    mode: str
    boundary: tuple[str, ...]
    origin: tuple[int, ...]
    method: str
    seed: int
    complex: bool

    @property
    def options(self) -> dict[str, Any]:
        return {"mode": self.mode, "boundary": self.boundary, "origin": self.origin, "method": self.method}

    @property
    def output_shape(self) -> tuple[int, ...]:
        return reference.output_shape(self.shape, self.kernel_shape, mode=self.mode, origin=self.origin)

    def samples(self, shape: tuple[int, ...], index: int = 0) -> np.ndarray:
        """Samples of any shape, others for another index."""
        rng = np.random.default_rng([self.seed, index])
        values = rng.normal(size=shape)
        return values + 1j * rng.normal(size=shape) if self.complex else values

    @property
    def x(self) -> np.ndarray:
        return self.samples(self.shape, 1)

    @property
    def kernel(self) -> np.ndarray:
        return self.samples(self.kernel_shape, 2)


@st.composite
def setups(
    draw: st.DrawFn,
    *,
    modes: tuple[str, ...] = MODES,
    boundaries: tuple[str, ...] = BOUNDARIES,
    methods: tuple[str, ...] = ("auto", "direct", "fft", "overlap"),
    largest_kernel: int = 13,
) -> Setup:
    """One to three axes of one to seven samples; kernels up to several times as long, even ones and odd."""
    ndim = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, 7 if ndim < 3 else 4)) for _ in range(ndim))
    mode = draw(st.sampled_from(modes))
    longest = [size if mode == "valid" else largest_kernel if ndim == 1 else 6 - ndim for size in shape]
    kernel_shape = tuple(draw(st.integers(1, limit)) for limit in longest)
    origin = tuple(
        draw(st.integers(-((taps - 1) // 2), taps - 1 - (taps - 1) // 2)) if mode == "same" else 0
        for taps in kernel_shape
    )
    return Setup(
        shape=shape,
        kernel_shape=kernel_shape,
        mode=mode,
        boundary=tuple(draw(st.sampled_from(boundaries)) for _ in shape),
        origin=origin,
        method=draw(st.sampled_from(methods)),
        seed=draw(st.integers(0, 2**31)),
        complex=draw(st.booleans()),
    )
