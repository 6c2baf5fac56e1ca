"""Calls of the launchers of ``lines.py`` that ask for every binary of ``lines.cu``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gpuconv.backends.cuda import lines
from gpuconv.backends.cuda.launch import Launch
from gpuconv.core.boundary import BOUNDARIES
from gpuconv.core.dtypes import DtypeRule, convolution_dtypes, is_integer
from tests.cuda.agreement import DTYPES, span_of
from tests.cuda.recording import Sketch, recorded


def launches() -> Iterator[Launch]:
    """Every dtype with the weights it can have and the result of their convolution, every boundary, both kernels."""
    for dtype in DTYPES:
        for weights in ("int32", "int64", "uint64", "float64", "complex128"):
            rule = rule_of(dtype, weights)
            if rule is None:
                continue
            for shape, axis in (((64, 64), 0), ((64, 64), 1)):
                for taps, boundaries in ((3, BOUNDARIES), (2000, BOUNDARIES[:1])):
                    for boundary in boundaries:
                        span = span_of(axis, 64, taps, boundary)
                        given = np.ones(taps, weights)
                        x = Sketch.of(shape, dtype)
                        yield from recorded(lines.correlate_axis, x, given, (span,), 0, result=rule.result)


def rule_of(dtype: str, weights: str) -> DtypeRule | None:
    """What a convolution gives, where integer weights of that dtype are what it is exact in."""
    if not is_integer(weights):
        return convolution_dtypes(dtype, (weights, 1))
    if not is_integer(dtype):
        return None
    kernels = ("int8", "uint8", "int64", "uint64") if dtype.startswith("u") else ("int8", "int64")
    for kernel in kernels:
        if (dtype, kernel) != ("uint64", "int8") and (dtype, kernel) != ("uint64", "int64"):
            rule = convolution_dtypes(dtype, (kernel, 3))
            if rule.result == weights:
                return rule
    return None
