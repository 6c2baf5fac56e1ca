"""cuFFT plans kept for CuPy arrays: as many as fit into a number of bytes, and none shared by two streams.

CuPy keeps plans itself, but counts them unless told otherwise, while a plan may own as much memory as the array it
transforms; and it lends one plan to all streams of a thread, whose work area they then overwrite for each other.
"""

from __future__ import annotations

import importlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

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


class PlanCache:
    """The plans used last, as long as their work areas together stay within `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._plans: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._changing = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any], size_of: Callable[[Any], int]) -> Any:
        """The plan of that key, made if it is not there; one larger than the limit is not kept."""
        with self._changing:
            if key in self._plans:
                self._plans.move_to_end(key)
                return self._plans[key][0]
        plan = make()
        with self._changing:
            self._plans[key] = plan, size_of(plan)
            self._shrink()
        return plan

    def clear(self) -> None:
        """Forget all plans. Their memory goes back to CuPy's pool."""
        with self._changing:
            self._plans.clear()

    @property
    def size(self) -> int:
        """Bytes that the work areas of all plans take."""
        return sum(size for _, size in self._plans.values())

    @property
    def limit(self) -> int:
        """Bytes that plans may take together; plans beyond a new limit are forgotten at once."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        with self._changing:
            self._limit = limit
            self._shrink()

    def _shrink(self) -> None:
        while self._plans and self.size > self._limit:
            self._plans.popitem(last=False)

    def __len__(self) -> int:
        return len(self._plans)

    def __repr__(self) -> str:
        return f"<{len(self)} cuFFT plans of {self.size / 2**20:.1f} MiB, limit {self._limit / 2**20:.1f} MiB>"


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
    cuda = importlib.import_module("cupy").cuda
    # A plan is no more to be used by two threads at once than by two streams.
    owner = (cuda.Device().id, cuda.get_current_stream().ptr, threading.get_ident())
    key = (*owner, value_type, tuple(x.shape), str(x.dtype), bool(x.flags.c_contiguous), lengths, axes)
    try:
        return plan_cache.get(
            key,
            lambda: fft.get_fft_plan(x, shape=lengths, axes=axes, value_type=value_type),
            lambda plan: int(plan.work_area.mem.size),
        )
    except ValueError:  # axes that are not neighbours, or more than three: CuPy goes axis by axis
        return None
