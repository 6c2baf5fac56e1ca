"""Keeps NaN and infinity inside the kernel's footprint when a method would spread them."""

from __future__ import annotations

from typing import Any

from gpuconv.core.namespace import Home


def all_finite(home: Home, zero_frequency: Any) -> bool:
    """True when a block's zero-frequency bins, which are sums over the block, show nothing but finite samples.

    A sum with a NaN or an infinity is never finite. The converse may fail by overflow, which costs time only.
    """
    xp = home.xp
    return bool(xp.all(xp.isfinite(zero_frequency)))


def split_finite(home: Home, x: Any) -> tuple[Any, Any]:
    """`x` with zeros for its non-finite samples, and the mask of those samples."""
    xp = home.xp
    mask = xp.logical_not(xp.isfinite(x))
    return xp.where(mask, xp.zeros_like(x), x), mask


def mark_nonfinite(home: Home, result: Any, hits: Any) -> Any:
    """NaN where `hits`, the number of non-finite samples met by non-zero taps, is at least one."""
    xp = home.xp
    return xp.where(hits > 0.5, xp.full_like(result, float("nan")), result)
