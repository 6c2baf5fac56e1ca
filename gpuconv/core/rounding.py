"""Rounding samples to another dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpuconv.core.dtypes import integer_range, is_integer
from gpuconv.core.namespace import Home, cast, dtype_name


def convert(home: Home, x: Any, name: str) -> Any:
    """`x` as dtype `name`. Into integers it rounds half to even and saturates; NaN becomes 0."""
    source = dtype_name(x.dtype)
    if source == name or not is_integer(name):
        return cast(home, x, name)
    xp = home.xp
    low, high = integer_range(name)
    if is_integer(source):
        source_low, source_high = integer_range(source)
        bounds = (max(low, source_low), min(high, source_high))
        return cast(home, xp.clip(x, *bounds) if bounds != (source_low, source_high) else x, name)
    x = xp.where(xp.isnan(x), xp.zeros_like(x), xp.round(x))
    # `high` may not be a float (2**63 - 1): what reaches it is put there afterwards, not clipped to its neighbour.
    above, below = x >= float(high), x <= float(low)
    inside = xp.where(above | below, xp.zeros_like(x), x)
    converted = cast(home, inside, name)
    converted = xp.where(above, xp.asarray(high, dtype=converted.dtype, device=home.device), converted)
    return xp.where(below, xp.asarray(low, dtype=converted.dtype, device=home.device), converted)


def quiet(run: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of an image and a fill value without NumPy's warnings: infinity and NaN are results like others."""

    def quietly(x: Any, cval: Any) -> Any:
        with np.errstate(over="ignore", invalid="ignore"):
            return run(x, cval)

    return quietly
