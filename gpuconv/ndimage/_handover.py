"""Calls that SciPy's own functions answer."""

from __future__ import annotations

from typing import Any

from gpuconv.backends.cpu import originals

originals.bind_ndimage()


def hand_over(name: str, *args: Any, axes: Any = None, radius: Any = None, **keywords: Any) -> Any:
    """What SciPy's original of that name gives; older SciPys lack `axes` and `radius`, which go along if given."""
    younger = {"axes": axes, "radius": radius}
    keywords |= {keyword: value for keyword, value in younger.items() if value is not None}
    return getattr(originals, f"ndimage_{name}")(*args, **keywords)
