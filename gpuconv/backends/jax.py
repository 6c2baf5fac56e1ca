"""JAX arrays on the engine of the memory they lie in, where they have values: outside jit, grad and vmap.

What is traced runs in generic, whose operations XLA compiles and JAX differentiates.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gpuconv.backends import generic
from gpuconv.backends.engines import engine_library, row_on, why_not
from gpuconv.backends.registry import Implementation
from gpuconv.core.namespace import is_traced

_CORRELATIONS = ("correlate_axis", "correlate_separable", "correlate_windows", "correlate_fourier")
# Weights whose values the CPU sees are 64-bit ones by the convention of all rows.
_WEIGHTS = {"float32": np.float64, "complex64": np.complex128}


def correlate(primitive: str, x: Any, weights: Any, *rest: Any) -> Any:
    """A correlation of `x` on its engine; in generic if the weights have no values yet."""
    if _any_traced(weights):
        return generic.TABLE[primitive].function(x, weights, *rest)
    row = row_on(str(x.device), primitive)
    if engine_library(str(x.device)) == "cupy":
        return _run_on_cupy(row.function, x, weights, rest)
    result = row.function(np.asarray(x), _replaced(weights, _to_weights), *rest)
    jax = sys.modules["jax"]
    if getattr(x, "committed", True):
        return jax.device_put(result, x.device)
    with jax.default_device(x.device):  # free to go where it meets other arrays, as x is
        return jax.device_put(result)


def _run_on_cupy(function: Callable[..., Any], x: Any, weights: Any, rest: tuple[Any, ...]) -> Any:
    """On CuPy's current stream, for which DLPack makes JAX's streams wait, and which they wait for."""
    cupy = importlib.import_module("cupy")
    with cupy.cuda.Device(x.device.local_hardware_id):
        result = function(cupy.from_dlpack(x), _replaced(weights, cupy.from_dlpack), *rest)
        return sys.modules["jax"].dlpack.from_dlpack(result)


def _to_weights(weights: Any) -> np.ndarray:
    array = np.asarray(weights)
    return array.astype(_WEIGHTS.get(array.dtype.name, array.dtype), copy=False)


def _any_traced(weights: Any) -> bool:
    if isinstance(weights, (list, tuple)):
        return any(_any_traced(entry) for entry in weights)
    return is_traced(weights, "jax")


def _replaced(weights: Any, lend: Callable[[Any], Any]) -> Any:
    """Weights, or banks of taps, with the memory of JAX arrays in their place."""
    if isinstance(weights, (list, tuple)):
        return [_replaced(entry, lend) for entry in weights]
    return weights if isinstance(weights, np.ndarray) else lend(weights)


TABLE = {name: Implementation(partial(correlate, name), partial(why_not, name)) for name in _CORRELATIONS}
