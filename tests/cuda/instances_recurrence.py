"""Calls of the launcher of ``recurrence.py`` that ask for every binary of ``recurrence.cu``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gpuconv.backends.cuda import recurrence
from gpuconv.backends.cuda.launch import Launch
from tests.cuda.recording import Sketch, recorded


def launches() -> Iterator[Launch]:
    """Every dtype and number of outputs fed back, with real and complex coefficients, in segments."""
    for dtype in recurrence.DTYPES:
        for kind in (float, complex):
            for order in recurrence.ORDERS:
                feedback = np.full(order, 0.5 / order, kind)
                yield from recorded(recurrence.linear_recurrence, Sketch.of((3, 10_000), dtype), feedback, -1)
