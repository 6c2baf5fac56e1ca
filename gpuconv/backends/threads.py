"""How many threads a call on NumPy arrays may use. The number changes the time and never a bit of the result."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gpuconv.core.arguments import read_integer, refusal

_ENVIRONMENT = "GPUCONV_NUM_THREADS"
_chosen: int | None = None
_single: ContextVar[bool] = ContextVar("gpuconv_single_thread", default=False)


def set_threads(count: int | None) -> None:
    """Use at most `count` threads for NumPy arrays: ``time ~ 1 / count``, the result is the same to the last bit.

    Holds for the whole process. The environment variable ``GPUCONV_NUM_THREADS`` does the same from the start.
    Blocks of dask arrays are given one thread each, since dask runs several of them at a time.

    Parameters
    ----------
    count : int or None
        1 or more; None goes back to ``GPUCONV_NUM_THREADS``, or to all processors this process may run on.

    Raises
    ------
    ValueError
        If `count` is not positive.
    TypeError
        If `count` is not an integer.

    Examples
    --------
    >>> import gpuconv
    >>> gpuconv.set_threads(1)
    >>> gpuconv.convolve([1.0, 2.0, 3.0], [1.0, 1.0]).tolist()
    [1.0, 3.0, 5.0]
    >>> gpuconv.set_threads(None)
    """
    global _chosen
    _chosen = None if count is None else _positive("count", read_integer("count", count))


def thread_count() -> int:
    """Threads that the calling thread may use now."""
    if _single.get():
        return 1
    if _chosen is not None:
        return _chosen
    given = os.environ.get(_ENVIRONMENT)
    if given:
        return _positive(_ENVIRONMENT, int(given) if given.strip().isdecimal() else 0, given)
    return available_processors()


def available_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def single_thread() -> Iterator[None]:
    """One thread for what is called inside, by this thread: others are busy with other blocks."""
    token = _single.set(True)
    try:
        yield
    finally:
        _single.reset(token)


def _positive(name: str, count: int, given: object = None) -> int:
    if count < 1:
        raise ValueError(
            refusal(
                f"{name} must be a whole number of threads, 1 or more",
                f"got {count if given is None else given!r}",
                "Give 1 for no extra threads",
            )
        )
    return count
