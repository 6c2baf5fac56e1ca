"""Keeps NaN and infinity inside the kernel's footprint when a method would spread them."""

from __future__ import annotations

from typing import Any

from gpuconv.core.namespace import Home


def all_finite(home: Home, outputs: Any) -> bool:
    """True when one output of every transformed block shows that all of the block is finite.

    An inverse transform sums all frequencies into every output, and a forward one all samples into every frequency:
    a single NaN, infinity or overflow, in whichever of them, leaves no output finite.
    """
    xp = home.xp
    return bool(xp.all(xp.isfinite(outputs)))


def split_finite(home: Home, x: Any) -> tuple[Any, Any]:
    """`x` with zeros for its non-finite samples, and the mask of those samples."""
    xp = home.xp
    mask = xp.logical_not(xp.isfinite(x))
    return xp.where(mask, xp.zeros_like(x), x), mask


def mark_nonfinite(home: Home, result: Any, hits: Any) -> Any:
    """NaN where `hits`, the number of non-finite samples met by non-zero taps, is at least one."""
    xp = home.xp
    return xp.where(hits > 0.5, xp.full_like(result, float("nan")), result)
