"""Calls of the launchers of ``channels.py`` that ask for the binaries of ``channels.cu``."""

from __future__ import annotations

from collections.abc import Iterator

from gpuconv.backends.cuda import channels
from gpuconv.backends.cuda.launch import Launch
from gpuconv.core.boundary import BOUNDARIES
from tests.cuda.agreement import span_of
from tests.cuda.recording import Sketch, recorded

# Of images and weights: what a primitive gets, in the dtype of the sums.
DTYPES = (
    *((name, name) for name in ("int32", "int64", "uint64", "float32", "float64", "complex64", "complex128")),
    ("complex64", "float32"),
    ("complex128", "float64"),
    ("float32", "complex64"),
    ("float64", "complex128"),
)


def launches() -> Iterator[Launch]:
    """Every dtype in images, with many channels and with a group for each; lines and volumes in float32."""
    for position, (dtype, weights) in enumerate(DTYPES):
        for outputs in (1, 2, 4, 8):
            yield from launched(dtype, weights, 2, outputs, BOUNDARIES[position % 5])
    for axes in (1, 3):
        for boundary in BOUNDARIES:
            yield from launched("float32", "float32", axes, 8, boundary)


def launched(dtype: str, weights: str, axes: int, outputs: int, boundary: str) -> Iterator[Launch]:
    """A correlation and the adjoint of its weights. What the adjoint of its input asks for is a correlation, too."""
    spans = [span_of(2 + axis, 64, 3, boundary) for axis in range(axes)]
    ones = (1,) * axes
    x, kernel = Sketch.of((4, 8, *(64,) * axes), dtype), Sketch.of((outputs, 8, *(3,) * axes), weights)
    yield from recorded(channels.correlate_channels, x, kernel, spans, ones, ones, 1, 0)
    y = Sketch.of((4, outputs, *(64,) * axes), max(dtype, weights, key=lambda name: "complex" in name))
    yield from recorded(channels.channels_weight_adjoint, x, y, spans, ones, ones, 1, 0)
