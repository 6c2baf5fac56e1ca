"""Linear recurrences on dask arrays: whole lines, each block of them on the backend of its own library."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gpuconv.backends.generic.recurrence import RecurrenceProblem, result_dtype
from gpuconv.backends.registry import forced_backend, select, use_backend
from gpuconv.core.namespace import dtype_name, home_of


def linear_recurrence(x: Any, feedback: np.ndarray, axis: int, initial: Any = None) -> Any:
    """``y[n] = x[n] - sum_k feedback[k - 1] y[n - k]``, one chunk along `axis`."""
    import dask.array

    name = result_dtype(dtype_name(x.dtype), feedback)
    whole, place = x.rechunk({axis % x.ndim: -1}), axis % x.ndim
    given = whole
    if initial is not None:
        # Travels at the head of each line: blocks of two arrays must have one length.
        if isinstance(initial, np.ndarray):
            initial = dask.array.from_array(initial)
        given = dask.array.concatenate([initial.astype(name), whole.astype(name)], axis=place)
        given = given.rechunk({**dict(enumerate(whole.chunks)), place: -1})
    run = partial(_run_block, feedback, axis, initial is not None, forced_backend())
    y = given.map_blocks(run, dtype=name, chunks=whole.chunks, meta=x._meta.astype(name))
    return y.rechunk(x.chunks)


def _run_block(feedback: np.ndarray, axis: int, headed: bool, forced: str | None, block: Any) -> Any:
    initial = None
    if headed:
        rest = (slice(None),) * (-axis - 1)
        initial = block[(..., slice(0, len(feedback)), *rest)]
        block = block[(..., slice(len(feedback), None), *rest)]
    home = home_of(block)
    shape, name = tuple(block.shape), dtype_name(block.dtype)
    problem = RecurrenceProblem(home.library, str(home.device), home.traced, shape, name, axis, len(feedback))
    with use_backend(forced):
        return select("linear_recurrence", problem)(block, feedback, axis, initial)
