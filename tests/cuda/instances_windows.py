"""Calls of the launcher of ``windows.py`` that ask for the binaries of ``windows.cu``.

Every dtype with every kind of weights, in one window of each way to sum; what does not depend on dtypes (boundaries,
width of the last strip) once, in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gpuconv.backends.cuda import windows
from gpuconv.backends.cuda.launch import Launch
from gpuconv.core.boundary import BOUNDARIES
from gpuconv.core.dtypes import convolution_dtypes, is_integer
from tests.cuda.agreement import DTYPES, span_of
from tests.cuda.recording import Sketch, recorded

# Shape, axes and taps: one sum; groups of all rows of a thread; channels; planes with the most registers.
WINDOWS = (
    ((512, 512), (0, 1), (3, 3)),
    ((512, 512), (0, 1), (15, 15)),
    ((64, 64, 3), (0, 1), (7, 7)),
    ((64, 64, 64), (0, 1, 2), (7, 7, 7)),
)
# Groups of fewer rows and counted ones; a kernel on the device; more planes.
OTHERS = (
    ((512, 512), (0, 1), (7, 7)),
    ((512, 512), (0, 1), (2, 300)),
    ((512, 512), (0, 1), (63, 63)),
    ((64, 64, 64), (0, 1, 2), (5, 5, 5)),
)


def launches() -> Iterator[Launch]:
    for dtype in DTYPES:
        for weights in weights_of(dtype):
            for position, window in enumerate(WINDOWS):
                yield from launched(dtype, weights, *window, BOUNDARIES[position])
    for dtype in ("float32", "float64", "complex64", "complex128"):
        for position, window in enumerate(OTHERS):
            yield from launched(dtype, "complex128" if "complex" in dtype else "float64", *window, BOUNDARIES[position])
    for taps in range(1, 16):
        yield from launched("float32", "float64", (512, 512), (0, 1), (taps, taps), "reflect")
    for boundary in BOUNDARIES:
        yield from launched("float32", "float64", (512, 512), (0, 1), (3, 3), boundary)


def weights_of(dtype: str) -> list[str]:
    """Dtypes of weights as the primitive gets them: exact ones beside integers."""
    exact = [] if not is_integer(dtype) else ["uint64"] if dtype == "uint64" else ["int32", "int64"]
    return [*exact[-1 if dtype in ("int32", "uint32", "int64") else 0 :], "float64", "complex128"]


def launched(
    dtype: str, weights: str, shape: Sequence[int], axes: Sequence[int], taps: Sequence[int], boundary: str
) -> list[Launch]:
    spans = [span_of(axis, shape[axis], each, boundary) for axis, each in zip(axes, taps, strict=True)]
    result = None if is_integer(weights) else convolution_dtypes(dtype, (weights, 1)).result
    return recorded(windows.correlate_windows, Sketch.of(shape, dtype), np.ones(taps, weights), spans, 0, result=result)
