"""Filters made of one 1-D correlation after another, each rounded to the output's dtype, as SciPy rounds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpuconv import convolution
from gpuconv._scipy_arguments import Filter, Window, read_cval, read_filter, read_window
from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import ITEMSIZE, is_integer
from gpuconv.core.namespace import Home, cast, dtype_name
from gpuconv.ndimage._dtypes import cast_like_c, choose_work, deliver, read_output_array, result_dtype

# Half precision is rounded once, at the end.
_BETWEEN = {"float16": "float32", "bfloat16": "float32"}


@dataclass(frozen=True)
class Pass:
    """Weights along one axis, for correlation. `divisor` divides the sums after they are made."""

    taps: np.ndarray
    axis: int
    mode: Any
    origin: Any = 0
    divisor: int = 1


def box(size: int, axis: int, mode: Any, origin: Any) -> Pass:
    """A mean: whole weights and a division, so that means of integers that are whole stay so."""
    return Pass(np.ones(size, np.int64), axis, mode, origin, size)


def read_input(input: Any, output: Any) -> Filter:
    """The arrays of a filter whose weights are not the caller's."""
    return read_filter(input, np.ones(1), output)


def read_sequence(value: Any, count: int, argument: str) -> list[Any]:
    """One value per axis, from one for all or as many as there are axes."""
    if isinstance(value, str) or not np.iterable(value):
        return [value] * count
    values = list(value)
    if len(values) != count:
        rule = f"sequence argument must have length equal to input rank: one {argument} per filtered axis"
        raise RuntimeError(refusal(rule, f"got {len(values)} for {count} axes", "Give one for all, or one for each"))
    return values


def run_passes(given: Filter, passes: Sequence[Pass], cval: Any, *, promotes: bool = False) -> Any:
    """The image after all passes, in the output that was asked for. Called by the public functions themselves."""
    result = result_dtype(given, promotes=promotes)
    array = read_output_array(given)
    return deliver(passed(given, passes, cval, result), array)


def passed(given: Filter, passes: Sequence[Pass], cval: Any, result: str) -> Any:
    """The image after all passes, as a new array of dtype `result`."""
    y, home = given.x, given.home
    cval = read_cval(cval, given)
    for one in passes:
        y = _pass(replace(given, x=y, kernel=one.taps), one, cval, _BETWEEN.get(result, result))
    y = cast_like_c(home, y, result)
    return y if y is not given.x else home.xp.asarray(y, copy=True)


def _pass(given: Filter, one: Pass, cval: Any, result: str) -> Any:
    window: Window = read_window(given, (one.axis,), one.mode, one.origin)
    if 0 in given.x.shape:
        return cast_like_c(given.home, given.x, result)
    y = given.x
    if one.divisor > 1 and (name := dtype_name(y.dtype)) and is_integer(name) and ITEMSIZE[name] == 8:
        # Sums of 64-bit integers may not fit into them; SciPy's are doubles.
        given = replace(given, x=cast(given.home, y, "float64"))
    work = choose_work(given, result, cval)
    y = convolution.correlate(
        work.x,
        work.kernel,
        boundary=window.boundary,
        cval=work.cval,
        origin=window.correlation_origins,
        axes=window.axes,
        method=work.method,
        accuracy="local",
    )
    return cast_like_c(given.home, _divided(given.home, y, one.divisor), result)


def _divided(home: Home, y: Any, divisor: int) -> Any:
    """Towards zero for integers, as C casts the quotient."""
    if divisor == 1:
        return y
    if not is_integer(dtype_name(y.dtype)):
        return y / divisor
    xp = home.xp
    return xp.where(y < 0, -((-y) // divisor), y // divisor)
