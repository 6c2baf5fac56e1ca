"""The dtypes in which scipy.signal computes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gpuconv._scipy_arguments import Pair, read_array
from gpuconv.core.dtypes import COMPLEX, FLOATS, check_supported, is_integer
from gpuconv.core.namespace import Home, bring_home, cast, dtype_name, has_double, read_kernel

_FLOATING = (*FLOATS, *COMPLEX, "bool")


def in_common_dtype(pair: Pair) -> Pair:
    home = pair.home
    try:
        name = dtype_name(home.xp.result_type(pair.first.dtype, pair.second.dtype))
    except TypeError:
        # The standard leaves integers beside floats open, and a strict library refuses them; NumPy's rule is SciPy's.
        name = np.promote_types(dtype_name(pair.first.dtype), dtype_name(pair.second.dtype)).name
    check_supported(name, "in1")
    return replace(pair, first=cast(home, pair.first, name), second=cast(home, pair.second, name))


def in_floating_dtype(pair: Pair) -> Pair:
    """The dtypes that SciPy's transforms compute in: no integers, no half precision."""

    def floating(x: Any) -> Any:
        name = dtype_name(x.dtype)
        target = {"bool": "float64", "float16": "float32", "bfloat16": "float32"}.get(name, name)
        return cast(pair.home, x, "float64" if is_integer(name) else target)

    return in_common_dtype(replace(pair, first=floating(pair.first), second=floating(pair.second)))


def read_taps(taps: Any, home: Home, argument: str) -> Any:
    """A sequence, or an array that goes with those of `home`; a NumPy array where the values can be read."""
    return read_kernel(read_array(taps, argument)[0], home, argument)


def only_scipy_computes(home: Home, *names: str) -> bool:
    """True for NumPy arrays of longdouble, object and others, whose result no other library holds."""
    return home.library == "numpy" and promoted(home, *names) not in _FLOATING


def promoted(home: Home, *names: str) -> str:
    """NumPy's common dtype; single precision instead of double where the library has only that."""
    names = tuple("float32" if name == "bfloat16" else name for name in names)
    common = np.result_type(*(np.dtype(name) for name in names)).name
    if has_double(home):
        return common
    return {"float64": "float32", "complex128": "complex64"}.get(common, common)


def promoted_array(home: Home, taps: Any, name: str) -> Any:
    """Taps in the dtype called `name`: on the host if their values are at hand."""
    return taps.astype(name) if isinstance(taps, np.ndarray) else cast(home, taps, name)


def along(home: Home, line: np.ndarray, ndim: int, axis: int, name: str) -> Any:
    """A line of numbers from the host, shaped to be multiplied with an array along `axis`."""
    return bring_home(line.reshape([-1 if other == axis else 1 for other in range(ndim)]), home, name)


def part(x: Any, axis: int, start: int, stop: int) -> Any:
    """``x[start:stop]`` along an axis."""
    return x[tuple(slice(start, stop) if other == axis else slice(None) for other in range(x.ndim))]
