"""Calls whose memory is measured: ``python -m tests.methods.memory_cases`` prints what plans tell, and what is taken.

In a process of their own, since what other tests leave behind shows in the count of pages.
"""

from __future__ import annotations

import ctypes
import json

import numpy as np

import gpuconv
from benchmarks.memory import peak_bytes


def product(*taps):
    kernel = taps[0]
    for line in taps[1:]:
        kernel = np.multiply.outer(kernel, line)
    return kernel


def lines(*counts):
    rng = np.random.default_rng(0)
    return [rng.normal(size=count) for count in counts]


RANK_THREE = np.random.default_rng(1).normal(size=(15, 3)) @ np.random.default_rng(2).normal(size=(3, 15))
FLAT = (1400, 1400)
LINE = ((1_500_000,), lines(31)[0], {})
# Per case: shape, kernel, and options.
CASES = {
    "outer product": (FLAT, product(*lines(9, 7)), {}),
    "valid": (FLAT, product(*lines(9, 7)), {"mode": "valid"}),
    "rank 3": (FLAT, RANK_THREE, {}),
    "small box": (FLAT, np.ones((9, 9)), {}),
    "large box": (FLAT, np.ones((80, 80)), {}),
    "long taps": (FLAT, product(*lines(70, 70)), {}),
    "integers": (FLAT, np.outer([1, 2, 1], [1, 0, -1]), {}),
    "images": ((4, 700, 700), product(*lines(9, 7)), {"axes": (1, 2)}),
    "lines of an image": (FLAT, lines(31)[0], {"axes": 1}),
    "channels": ((800, 800, 3), product(*lines(9, 7)), {"axes": (0, 1)}),
    "axes apart": ((700, 4, 700), product(*lines(9, 7)), {"axes": (0, 2)}),
    "volume": ((120, 120, 120), product(*lines(5, 4, 5)), {}),
    "a line": LINE,
    "a valid line": ((1_500_000,), lines(109)[0], {"mode": "valid"}),
    "long lines": ((6, 300_000), lines(97)[0], {"axes": 1, "mode": "valid"}),
}
_TAKEN = [
    *((name, method, "float32") for name in CASES for method in ("separable", "fft")),
    *((name, "direct", "float32") for name in ("outer product", "integers", "channels", "volume", "a line")),
    *((name, method, ">f4") for name in ("outer product", "a line") for method in ("direct", "fft")),
    *((name, "separable", ">f4") for name in ("outer product", "large box")),
    *((name, method, "float16") for name in ("outer product", "a line") for method in ("direct", "fft")),
    *((name, "separable", dtype) for name in ("outer product", "large box") for dtype in ("float16", "uint8")),
    ("long lines", "fft", "float16"),
    *((name, "fft", dtype) for name in ("outer product", "valid", "a line") for dtype in ("uint8", "complex64")),
    ("a valid line", "fft", "complex64"),
]
# By name, method and dtype.
TAKEN = [each for each in _TAKEN if each[1] != "separable" or CASES[each[0]][1].ndim > 1]


def figures(name, method, dtype):
    """Bytes that the plan of a case tells, and that its call takes at most."""
    shape, kernel, options = CASES[name]
    x = np.abs(50 * np.random.default_rng(3).normal(size=shape)).astype(dtype)
    plan = gpuconv.plan_convolution(x, kernel, method=method, boundary="reflect", **options)
    plan.execute(x, kernel)
    # What the allocator has to fetch now and then comes on top: the least is the plan's.
    return plan.memory, min(peak_bytes(lambda: plan.execute(x, kernel)) for _ in range(3))


def without_huge_pages():
    """Has Linux count pages of 4 KiB: of two megabytes, which it hands out now and then, all would count."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE


if __name__ == "__main__":
    without_huge_pages()
    print(json.dumps([figures(*case) for case in TAKEN]))
