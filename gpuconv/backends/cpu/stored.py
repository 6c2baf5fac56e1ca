"""Images as they are stored, and results as they are wanted, where loops do not convert by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpuconv.core.namespace import dtype_name, home_of
from gpuconv.core.rounding import convert, quiet


def brought(x: np.ndarray, working: np.dtype) -> np.ndarray:
    """`x` in the dtype that is summed in; `x` itself if it has it."""
    return x if x.dtype == working else x.astype(working)


def rounded(y: np.ndarray, result: str | None) -> np.ndarray:
    """`y` in the dtype called `result`, rounded once; `y` itself if it has it, or if None is asked for."""
    return y if result is None or dtype_name(y.dtype) == result else convert(home_of(y), y, result)


Loop = Callable[[np.ndarray, Any], np.ndarray]


def prepared(loop: Loop, dtype: np.dtype, working: np.dtype, result: str | None) -> Loop:
    """`loop` between samples of `dtype` and results as wanted.

    It reads integers as they are, sums in double precision, returns the dtype `working`, and gives no warnings.
    """
    is_brought = dtype == working or dtype.kind in "iu"
    if is_brought and result in (None, working.name):
        return loop
    return quiet(lambda x, cval: rounded(loop(x if is_brought else brought(x, working), cval), result))
