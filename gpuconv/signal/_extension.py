"""The nine ways in which upfirdn goes on beyond the ends of a line: gpuconv's boundaries, and four that need sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.core.boundary import Span, extend
from gpuconv.core.dtypes import is_complex
from gpuconv.core.namespace import Home, dtype_name
from gpuconv.methods.resample import Rates
from gpuconv.signal._dtypes import along, part

_BOUNDARIES = {
    "constant": "constant",
    "symmetric": "reflect",
    "edge": "nearest",
    "wrap": "wrap",
    "reflect": "mirror",
}
MODES = (*_BOUNDARIES, "smooth", "antisymmetric", "antireflect", "line")


def read_extension(mode: Any) -> str:
    name = mode.lower() if isinstance(mode, str) else mode
    if name not in MODES:
        raise ValueError(refusal(f"Unknown mode: {mode}", f"got mode={mode!r}", f"Choose one of {', '.join(MODES)}"))
    return name


def read_fill(cval: Any, name: str) -> Any:
    """The fill value as a Python number that fits the dtype called `name`."""
    value = complex(cval)
    if is_complex(name):
        return value
    if value.imag or isinstance(cval, complex):
        raise TypeError(refusal("cval must be real for a real signal", f"got {cval!r}", "Give a real one"))
    return value.real


def extended(home: Home, x: Any, rates: Rates, mode: str, cval: Any) -> Any:
    """``x~[first : first + length]``, which is what `rates` reads."""
    start, stop, size = rates.first, rates.first + rates.length, x.shape[rates.axis]
    if mode in _BOUNDARIES or size == 1:
        boundary = _BOUNDARIES.get(mode, "nearest")
        if mode == "antisymmetric":
            boundary = "reflect"
        else:
            return extend(home.xp, x, Span(rates.axis, size, 1, start, stop - start, boundary), cval)
    parts = []
    if start < 0:
        parts.append(_beyond(home, x, rates.axis, mode, (start, min(stop, 0))))
    if start < size and stop > 0:
        parts.append(part(x, rates.axis, max(start, 0), min(stop, size)))
    if stop > size:
        parts.append(_beyond(home, x, rates.axis, mode, (max(start, size), stop)))
    return parts[0] if len(parts) == 1 else home.xp.concat(parts, axis=rates.axis)


def _beyond(home: Home, x: Any, axis: int, mode: str, span: tuple[int, int]) -> Any:
    """Samples of one side, each a sum of samples of `x`. Other samples than these must not be touched: NaN spreads."""
    name, size = dtype_name(x.dtype), x.shape[axis]
    positions = np.arange(*span)

    def times(line: np.ndarray, sample: Any) -> Any:
        return along(home, line, x.ndim, axis, name) * sample

    def source(boundary: str) -> Any:
        return extend(home.xp, x, Span(axis, size, 1, span[0], len(positions), boundary))

    if mode == "antisymmetric":
        return times(1 - 2 * (positions // size % 2), source("reflect"))
    first, last = part(x, axis, 0, 1), part(x, axis, size - 1, size)
    reach = size - 1
    if mode == "antireflect":
        # A half turn about the last sample, then about where the first one has come to, and so on.
        turns = positions // reach
        odd = turns % 2
        return times(1 - 2 * odd, source("mirror")) + times(odd, first + last) + times(turns, last - first)
    if mode == "line":
        return first + times(positions / reach, last - first)
    if span[0] < 0:
        return first + times(positions, part(x, axis, 1, 2) - first)
    return last + times(positions - reach, last - part(x, axis, size - 2, size - 1))
