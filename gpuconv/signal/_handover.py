"""Calls that SciPy's own functions answer."""

from __future__ import annotations

from typing import Any

from gpuconv.backends.cpu import originals

originals.bind_signal()


def hand_over(name: str, *args: Any, **keywords: Any) -> Any:
    """What SciPy's original of that name gives."""
    return getattr(originals, f"signal_{name}")(*args, **keywords)
