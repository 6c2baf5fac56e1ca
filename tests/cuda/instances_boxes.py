"""Calls of the launcher of ``boxes.py`` that ask for every binary of ``boxes.cu``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from gpuconv.backends.cuda import boxes
from gpuconv.backends.cuda.launch import Launch
from tests.cuda.agreement import DTYPES, span_of
from tests.cuda.instances_lines import rule_of
from tests.cuda.recording import Sketch, recorded

# Rows, channels, columns.
SHAPES = (((64, 64), 1), ((64, 64, 3), 1), ((64, 64), 0))


def launches() -> Iterator[Launch]:
    """Every dtype with the weights it can have, and the result of the two; every layout and length."""
    for dtype in DTYPES:
        for weights in ("int32", "int64", "uint64", "float64", "complex128"):
            rule = rule_of(dtype, weights)
            if rule is None:
                continue
            for (shape, axis), taps in product(SHAPES, (33, 20_000)):
                spans = (span_of(axis, shape[axis], taps, "reflect"),)
                x = Sketch.of(shape, dtype)
                yield from recorded(boxes.correlate_axis, x, np.ones(taps, weights), spans, 0, result=rule.result)
