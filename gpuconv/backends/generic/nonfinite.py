"""Keeps NaN and infinity inside the kernel's footprint when a method would spread them."""

from __future__ import annotations

from typing import Any

from gpuconv.core.namespace import Home


def all_finite(home: Home, outputs: Any) -> bool:
    """True when no output of a transform is NaN or infinite.

    A NaN or an infinity among the samples leaves no output finite, but one output does not stand for all: a sum that
    overflows on the way back is a part of some outputs and of others not.
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
