"""Along one axis."""

from __future__ import annotations

from typing import Any

from gpuconv.backends.generic.windows import correlate_windows
from gpuconv.core.boundary import Span


def correlate_axis(x: Any, taps: Any, spans: tuple[Span], cval: Any) -> Any:
    """``y[i] = sum_j taps[j] x~[first + i + j]`` along the axis of the only span."""
    return correlate_windows(x, taps, spans, cval)
