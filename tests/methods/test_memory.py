"""The memory that plans tell is what calls take, as the operating system counts it."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from benchmarks.memory import is_told, peak_bytes

pytestmark = pytest.mark.skipif(not is_told(), reason="this system does not tell how much memory a call takes")
# What allocators keep beside what is asked for, and what does not grow with the image.
KEPT = 2**21


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
TAKEN = [
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


@pytest.mark.parametrize(
    "name, method, dtype",
    [(name, method, dtype) for name, method, dtype in TAKEN if method != "separable" or CASES[name][1].ndim > 1],
)
def test_plans_tell_what_calls_take(name, method, dtype, rng):
    """Never less, and no more than a quarter above, beside what allocators keep."""
    pytest.importorskip("llvmlite", reason="without compiled loops, plans are tested by tests/methods/test_plan.py")
    shape, kernel, options = CASES[name]
    x = np.abs(50 * rng.normal(size=shape)).astype(dtype)
    plan = gpuconv.plan_convolution(x, kernel, method=method, boundary="reflect", **options)
    plan.execute(x, kernel)
    # The allocator may have to fetch what others have fragmented: the least of some measurements is the plan's.
    peak = peak_bytes(lambda: plan.execute(x, kernel))
    for _ in range(9):
        if peak - KEPT > plan.memory:
            peak = min(peak, peak_bytes(lambda: plan.execute(x, kernel)))
    assert peak - KEPT <= plan.memory <= 1.25 * peak + KEPT
