"""Calls of the launchers of ``separable.py`` that ask for every binary of ``separable.cu``, but for the boundaries.

Each pair of boundaries makes a binary of its own, and what it is made of is a few instructions of address arithmetic:
five pairs stand for the twenty-five.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gpuconv.backends.cuda import separable
from gpuconv.backends.cuda.launch import Launch
from gpuconv.core.boundary import BOUNDARIES
from tests.cuda.agreement import DTYPES, span_of
from tests.cuda.instances_lines import rule_of
from tests.cuda.recording import Sketch, recorded


def launches() -> Iterator[Launch]:
    """Every dtype with the weights it can have, every number of lists and results, every width of a strip."""
    for position, dtype in enumerate(DTYPES):
        x = Sketch.of((512, 512), dtype)
        for weights in ("int32", "int64", "uint64", "float64", "complex128"):
            rule = rule_of(dtype, weights)
            if rule is None:
                continue
            slow, fast = (BOUNDARIES[(position + shift) % len(BOUNDARIES)] for shift in (0, 1))
            for taps in (5, 33, 65, 101):
                spans = span_of(0, 512, taps, slow), span_of(1, 512, taps, fast)
                lists = [np.arange(number, number + taps).astype(weights) for number in (1, 2, 3)]
                options = {"result": rule.result}
                for banks in ([(0, 0)], [(0, 1), (1, 0)], [(2, 0), (1, 1), (0, 2)], [(0, 0)] * 2, [(0, 1), (0, 2)] * 2):
                    chosen = [[lists[place] for place in bank] for bank in banks]
                    yield from only(recorded(separable.correlate_separable, x, chosen, spans, 0, **options))
                    yield from only(recorded(separable.correlate_banks, x, chosen, [spans] * len(banks), 0, **options))


def only(found: list[Launch]) -> Iterator[Launch]:
    """Without the passes along one axis, which ``instances_lines.py`` asks for."""
    return (launch for launch in found if launch.source == "separable.cu")
