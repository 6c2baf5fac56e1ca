"""cuFFT plans kept for CuPy arrays: as many as fit into a number of bytes, and none shared by two streams.

CuPy keeps plans itself, but counts them unless told otherwise, while a plan may own as much memory as the array it
transforms; and it lends one plan to all streams of a thread, whose work area they then overwrite for each other.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Hashable, Sequence
from typing import Any

from gpuconv.backends.byte_cache import ByteCache

# A quarter of the smallest cards in use; one transform of 4096 x 4096 complex64 needs half of it.
DEFAULT_LIMIT = 2**28

_VALUE_TYPES = {
    "fft": "C2C",
    "ifft": "C2C",
    "fftn": "C2C",
    "ifftn": "C2C",
    "rfft": "R2C",
    "rfftn": "R2C",
    "irfft": "C2R",
    "irfftn": "C2R",
}


class PlanCache(ByteCache):
    """The plans used last, as long as their work areas together stay within `limit` bytes."""

    _content = "cuFFT plans"


plan_cache = PlanCache(DEFAULT_LIMIT)


def transform(name: str, x: Any, lengths: Sequence[int], axes: Sequence[int], **options: Any) -> Any:
    """`cupyx.scipy.fft`'s function of that name, with a plan from the cache where CuPy has one for these axes."""
    fft = importlib.import_module("cupyx.scipy.fft")
    if options.get("plan") is None and name in _VALUE_TYPES:
        options["plan"] = _plan(fft, _VALUE_TYPES[name], x, tuple(lengths), tuple(axes))
    if options.get("plan") is None:
        options.pop("plan", None)
    if name.endswith("n"):
        return getattr(fft, name)(x, s=tuple(lengths), axes=tuple(axes), **options)
    return getattr(fft, name)(x, n=lengths[0], axis=axes[0], **options)


def _plan(fft: Any, value_type: str, x: Any, lengths: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    if 0 in x.shape or not (x.flags.c_contiguous or x.flags.f_contiguous):
        return None
    key = (*owner(), value_type, tuple(x.shape), str(x.dtype), bool(x.flags.c_contiguous), lengths, axes)
    try:
        return plan_cache.get(
            key,
            lambda: fft.get_fft_plan(x, shape=lengths, axes=axes, value_type=value_type),
            lambda plan: int(plan.work_area.mem.size),
        )
    except ValueError:  # axes that are not neighbours, or more than three: CuPy goes axis by axis
        return None


def owner() -> tuple[Hashable, ...]:
    """Current device, stream and thread: a plan is no more to be used by two threads at once than by two streams."""
    cuda = importlib.import_module("cupy").cuda
    return cuda.Device().id, cuda.get_current_stream().ptr, threading.get_ident()
