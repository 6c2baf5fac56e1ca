"""Calls of the launchers of ``stencil.py`` that ask for every binary of ``stencil.cu`` and ``stencil_fused.cu``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gpuconv.backends.cuda import stencil
from gpuconv.backends.cuda.launch import Launch
from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator
from tests.cuda.recording import Sketch, recorded


def launches() -> Iterator[Launch]:
    """Every dtype, one to three axes, closed and periodic, numbers and arrays, with and without what enters besides."""
    for dtype, axes in itertools.product(("float32", "float64", "complex64", "complex128"), (1, 2, 3)):
        u = Sketch.of((1 if axes == 1 else 16,) * axes, dtype)
        many = Sketch.of((16,) * axes, dtype)
        for periodic, varying, open_ in itertools.product(
            itertools.product((False, True), repeat=axes), (False, True), (False, True)
        ):
            parts = []
            for place, around in enumerate(periodic):
                forward = np.ones((1,) * axes) if varying else 0.1
                parts.append(AxisFluxes(place - axes, around, forward, forward))
            operator = FluxOperator(tuple(parts), source=1.0 if open_ else None)
            for each in (u, many):
                for lengths in ((0.1,), (0.1,) * 4):
                    yield from recorded(stencil.diffuse_steps, each, operator, lengths)
                yield from recorded(stencil.diffusion_rate, each, replace(operator))
