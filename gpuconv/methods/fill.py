"""The fill value of a constant boundary."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import LARGEST, integer_range, is_complex
from gpuconv.core.problem import Problem


def read_fill(cval: Any, problem: Problem) -> Any:
    """The fill value as a Python number that the image's dtype can hold."""
    if type(cval) is float and not problem.exact:
        return cval
    if isinstance(cval, (np.ndarray, np.generic)) and np.ndim(cval) == 0:
        cval = cval.item()
    if isinstance(cval, bool) or not isinstance(cval, (int, float, complex)):
        raise TypeError(refusal("cval must be a number", f"got {cval!r}", "Give a plain int, float or complex"))
    if isinstance(cval, complex) and not is_complex(problem.dtype):
        raise ValueError(
            refusal(
                "cval of a real image must be real",
                f"got {cval!r} for dtype {problem.dtype}",
                "Cast x to complex first",
            )
        )
    if isinstance(cval, int) and not problem.exact and abs(cval) > LARGEST["float64"]:
        raise ValueError(refusal("cval must be no larger than the largest number", f"got {cval!r}", "Use math.inf"))
    if isinstance(cval, complex) or not problem.exact:
        return cval
    low, high = integer_range(problem.dtype)
    if not low <= cval <= high or int(cval) != cval:  # NaN is in no range
        raise ValueError(
            refusal(
                "cval of an integer convolution must be a sample that x could have",
                f"got {cval!r} for dtype {problem.dtype}",
                f"Give a whole number from {low} to {high}, or cast x to a floating dtype",
            )
        )
    return int(cval)
