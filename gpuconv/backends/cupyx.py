"""CuPy's own filters that are no convolutions, for what gpuconv leaves to them."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

_OF_NDIMAGE = (
    "maximum_filter",
    "maximum_filter1d",
    "median_filter",
    "minimum_filter",
    "minimum_filter1d",
    "percentile_filter",
    "rank_filter",
)

__all__ = ["ndimage_originals"]


@functools.cache
def ndimage_originals() -> dict[str, Callable[..., Any]]:
    """Functions of cupyx.scipy.ndimage, bound at the first call, which must come before anyone replaces them."""
    module = importlib.import_module("cupyx.scipy.ndimage")
    return {name: getattr(module, name) for name in _OF_NDIMAGE}
