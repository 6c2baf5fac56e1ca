"""The same step many times over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from gpuconv.core.dtypes import real_of
from gpuconv.core.namespace import dtype_name, home_of

# JAX compiles a loop of Python step by step, in more than linear time: 50 explicit steps took 35 s, as a scan less
# than one. A few are left to it: derivatives of straight code are cheaper.
_SCANNED_FROM = 4


def repeat(step: Callable[..., Any], state: Any, parameters: Sequence[tuple[float, ...]]) -> Any:
    """``state = step(state, *numbers)`` for one tuple of numbers after the other; state is an array or a tuple of them.

    JAX arrays go through one compiled loop, in which the numbers are arrays as well. It can be differentiated.
    """
    first = state[0] if isinstance(state, tuple) else state
    if len(parameters) < _SCANNED_FROM or home_of(first).library != "jax":
        for numbers in parameters:
            state = step(state, *numbers)
        return state
    jax = sys.modules["jax"]
    dtype = real_of(dtype_name(first.dtype))
    columns = tuple(jax.numpy.asarray(column, dtype=dtype) for column in zip(*parameters, strict=True))
    return jax.lax.scan(lambda carry, row: (step(carry, *row), None), state, columns, length=len(parameters))[0]
