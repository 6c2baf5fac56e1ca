"""Calls of the launchers of ``fourier.py`` that ask for every binary of ``fourier.cu``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gpuconv.backends.cuda import cufft, fourier
from gpuconv.backends.cuda.launch import Launch
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.core.dtypes import is_integer
from tests.cuda.agreement import DTYPES, image_of, span_of
from tests.cuda.instances_lines import rule_of
from tests.cuda.recording import RecordingRuntime
from tests.cuda.transforms import DeviceKernel, SciPyTransforms


class ArrayRuntime(RecordingRuntime):
    """Launches are kept, and arrays are arrays: blocks are views of others."""

    def empty(self, shape: Sequence[int], dtype: Any) -> Any:
        return np.zeros(shape, dtype)

    def upload(self, host: np.ndarray) -> Any:
        return host


def launches() -> Iterator[Launch]:
    """Every dtype with the weights it can have and the result of their convolution; weights also on the device."""
    x, spans = np.zeros((4, 8)), (span_of(1, 8, 3, "reflect"),)
    for dtype in DTYPES:
        image = image_of(np.random.default_rng(0), x.shape, dtype)
        for weights in ("int32", "int64", "uint64", "float64", "complex128"):
            rule = rule_of(dtype, weights)
            if rule is None:
                continue
            kernel = np.ones(3, weights)
            yield from launched(image, kernel, spans, rule.result)
            if not is_integer(weights):
                kernel = kernel.astype(rule.accumulator).view(DeviceKernel)
                yield from launched(image, kernel, spans, rule.result)


def launched(x: np.ndarray, kernel: np.ndarray, spans: Any, result: str) -> list[Launch]:
    runtime = ArrayRuntime()
    transforms: Any = SciPyTransforms(runtime)  # type: ignore[arg-type]
    transforms.forward = transforms.inverse = lambda spectra, block: None
    with use_runtime(runtime), cufft.use_transforms(transforms):
        fourier.correlate_fourier(x, kernel, spans, 0, (16,), result=result)
    return runtime.launches
