"""Launchers held to the generic backend, in higher precision where numbers are rounded.

How to test a launcher: draw an image with `image_of`, call `assert_agrees`. That runs it in the emulator's check build,
which is one compilation of a fifth of a second for every set of ``#define``s a process asks for, the first time ever on
a machine. So vary shapes, layouts, fill values, origins and reaches freely, and dtypes and boundaries together rather
than each with each. Mark such tests with `emulated`. One case per kernel should also be run with ``check=False``: three
orders of threads.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from gpuconv.backends import generic
from gpuconv.backends.cuda.launch import Kinds
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import EPS, ITEMSIZE, integer_range, is_complex, is_integer
from gpuconv.core.namespace import home_of
from gpuconv.methods.deliver import convert
from tests.assertions import assert_close, tolerance
from tests.cuda.emulation import EmulatedRuntime, why_not

__all__ = ["DTYPES", "LAYOUTS", "assert_agrees", "dtypes", "emulated", "image_of", "span_of"]

emulated = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

# NumPy has bfloat16 from ml_dtypes, which comes with JAX.
with contextlib.suppress(ModuleNotFoundError):
    importlib.import_module("ml_dtypes")


def _has(dtype: str) -> bool:
    try:
        return np.dtype(dtype).name == dtype
    except TypeError:
        return False


def dtypes(*names: str) -> list[Any]:
    """Parameters of a test: dtypes that this NumPy has not are skipped."""
    skip = pytest.mark.skip(reason="NumPy has bfloat16 from ml_dtypes, which is not installed")
    return [name if _has(name) else pytest.param(name, marks=skip) for name in names]


DTYPES = tuple(dtype for dtype in ITEMSIZE if _has(dtype))
LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": lambda x: x,
    "Fortran": np.asfortranarray,
    "gaps": lambda x: np.repeat(x, 3, axis=-1)[..., ::3],
    "backwards": lambda x: np.flip(np.flip(x).copy()),
    "crop": lambda x: np.pad(x, 2)[(slice(2, -2),) * x.ndim],
    "odd start": lambda x: np.concatenate([x.ravel()[:1], x.ravel()])[1:].reshape(x.shape),
}


def image_of(rng: np.random.Generator, shape: Sequence[int], dtype: str) -> np.ndarray:
    """Random samples: small integers, of which sums of products are exact, or normal numbers."""
    if is_integer(dtype):
        low, high = integer_range(dtype)
        return rng.integers(max(low, -50), min(high, 100), shape, dtype=dtype, endpoint=True)
    values = rng.standard_normal(shape)
    if is_complex(dtype):
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def span_of(
    axis: int, size: int, taps: int, boundary: str, *, first: int | None = None, count: int | None = None
) -> Span:
    """As many outputs as samples, centred, unless told."""
    return Span(axis, size, taps, -(taps // 2) if first is None else first, size if count is None else count, boundary)


def assert_agrees(
    row: str,
    launcher: Callable[..., Any],
    x: np.ndarray,
    weights: Any,
    spans: Sequence[Span],
    *,
    cval: Any = 0.0,
    result: str | None = None,
    terms: int,
    check: bool = True,
    runtime: EmulatedRuntime | None = None,
    case: Any = "",
) -> EmulatedRuntime:
    """The launcher gives what the generic row of that name does, in the dtype `result`, wherever that is one array.

    `weights` is an array or nested lists of arrays, all of one dtype; `terms` is how many products are summed.
    """
    runtime = EmulatedRuntime(check=check) if runtime is None else runtime
    kinds = Kinds.of(x.dtype.name, _first(weights).dtype.name, result)
    with use_runtime(runtime):
        actual = launcher(runtime.place(x), weights, tuple(spans), cval, result=result)
    assert actual.dtype.name == kinds.result, f"case {case}: {actual.dtype.name} returned for {kinds.result}"
    if check:
        runtime.assert_written(actual)
    function = generic.TABLE[row].function
    if is_integer(kinds.sum):
        expected = function(x.astype(kinds.sample), weights, spans, np.dtype(kinds.sample).type(cval))
        assert_close(actual, convert(home_of(expected), expected, kinds.result), case=case)
        return runtime
    wide = np.complex128 if is_complex(kinds.sample) else np.float64
    fill = np.dtype(kinds.sample).type(cval)
    expected = function(x.astype(wide), weights, spans, wide(fill))
    magnitudes = _mapped(lambda taps: np.abs(taps).astype(np.float64), weights)
    scale = function(np.abs(x.astype(wide)), magnitudes, spans, abs(complex(fill)))
    allowed = tolerance(kinds.sum, terms, scale)
    allowed = np.where(np.isfinite(allowed), allowed, 0.0)
    if is_integer(kinds.result):
        low, high = integer_range(kinds.result)
        with np.errstate(invalid="ignore"):
            expected = np.clip(np.where(np.isnan(expected), 0.0, expected), float(low), float(high))
        # The nearest integer is half a step away at most; what lies near the middle may go either way.
        assert_close(actual.astype(np.float64), expected, tolerance=allowed + 0.5 + 2.0**-52 * high, case=case)
        return runtime
    allowed = allowed + EPS[kinds.result] * np.abs(np.where(np.isfinite(expected), expected, 0.0))
    narrow = kinds.result in ("float16", "bfloat16")
    shown = actual.astype(np.float32) if narrow else actual
    assert_close(shown, expected.astype(shown.dtype), tolerance=allowed, case=case)
    return runtime


def _first(weights: Any) -> np.ndarray:
    return weights if isinstance(weights, np.ndarray) else _first(weights[0])


def _mapped(function: Callable[[np.ndarray], Any], weights: Any) -> Any:
    return function(weights) if isinstance(weights, np.ndarray) else [_mapped(function, each) for each in weights]
