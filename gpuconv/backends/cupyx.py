"""CuPy's own filters that are no convolutions, or recursive ones, for what gpuconv leaves to them."""

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

_OF_SIGNAL = ("lfilter", "medfilt", "order_filter")

__all__ = ["bind_originals", "ndimage_originals", "signal_originals"]


@functools.cache
def ndimage_originals() -> dict[str, Callable[..., Any]]:
    """Functions of cupyx.scipy.ndimage, bound at the first call, which must come before anyone replaces them."""
    module = importlib.import_module("cupyx.scipy.ndimage")
    return {name: getattr(module, name) for name in _OF_NDIMAGE}


@functools.cache
def signal_originals() -> dict[str, Callable[..., Any]]:
    """Functions of cupyx.scipy.signal, bound at the first call, which must come before anyone replaces them."""
    module = importlib.import_module("cupyx.scipy.signal")
    return {name: getattr(module, name) for name in _OF_SIGNAL}


def bind_originals(module: str) -> None:
    """Bind the originals of one module of cupyx.scipy now: somebody is about to put other functions in their place."""
    bind = {"cupyx.scipy.ndimage": ndimage_originals, "cupyx.scipy.signal": signal_originals}.get(module)
    if bind is not None:
        bind()
