"""The dtype of the result, the dtype in which it is computed, and C's way from one to the other."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv._scipy_arguments import Filter, dtype_asked_for, is_array
from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import (
    COMPLEX,
    FLOATS,
    SUPPORTED,
    check_supported,
    complex_of,
    integer_range,
    is_complex,
    is_integer,
)
from gpuconv.core.namespace import Home, cast, dtype_name, home_of, is_writeable


def _made_complex(name: str) -> str:
    return "complex64" if name == "bfloat16" else np.promote_types(name, np.complex64).name


def result_dtype(given: Filter, *, promotes: bool = True) -> str:
    """Dtype of the result, after SciPy's rules for complex ones.

    `promotes`: a real dtype asked for becomes complex where it must, with a warning at the caller of the caller of the
    function that calls this one.
    """
    x, output, makes_complex = given.x, given.output, given.image_is_complex or given.kernel_is_complex
    name = check_supported(dtype_name(x.dtype), "input")
    if output is None:
        return _made_complex(name) if makes_complex else name
    name = check_supported(dtype_asked_for(output), "output")
    if is_complex(name) and not makes_complex:
        fact = f"output is {name}, input and weights are real"
        raise RuntimeError(refusal("array type not supported", fact, "Ask for a real output, or pass a complex image"))
    if makes_complex and not is_complex(name):
        if not promotes or isinstance(output, str) or is_array(output):
            remedy = "Ask for complex64 or complex128"
            raise RuntimeError(refusal("output must have complex dtype", f"got {name}", remedy))
        warnings.warn("promoting specified output dtype to complex", UserWarning, stacklevel=4)
        return _made_complex(name)
    return name


def read_output_array(given: Filter) -> Any:
    """The array that takes the result, or None."""
    x, home, output = given.x, given.home, given.output
    if not is_array(output):
        return None
    if tuple(output.shape) != tuple(x.shape):
        fact = f"output has shape {tuple(output.shape)}, input {tuple(x.shape)}"
        raise RuntimeError(refusal("output shape not correct", fact, "Give an array of the input's shape"))
    owner = home_of(output, "output")
    if owner.library != home.library or not is_writeable(home):
        fact = f"input is a {home.library} array, output a {owner.library} array"
        remedy = "Make output in the library of the input, or leave it away"
        raise TypeError(refusal("output must be an array of the input's library that can be written to", fact, remedy))
    return output


def _narrowed(kernel: Any, image: str) -> Any:
    """Integer weights in a dtype whose products with the image gpuconv sums exactly; None if there is none.

    The narrowest one lets 8- and 16-bit images be summed in 32 bits.
    """
    if type(kernel) is not np.ndarray or kernel.dtype.kind not in "iu":
        return None
    low, high = int(kernel.min()), int(kernel.max())
    for name in ("uint64",) if image == "uint64" else ("int8", "int16", "int32", "int64"):
        smallest, largest = integer_range(name)
        if smallest <= low and high <= largest:
            return kernel.astype(name)
    return None


@dataclass(frozen=True)
class Work:
    """What is handed to gpuconv: the image, the weights, the fill value and the method."""

    x: Any
    kernel: Any
    cval: Any
    method: str


def choose_work(given: Filter, result: str, cval: Any) -> Work:
    """Exact integers where all is integer, double where the output's dtype is not the image's, else as it is."""
    x, home, kernel = given.x, given.home, given.kernel
    name = dtype_name(x.dtype)
    if is_integer(name):
        # uint64 is a dtype without arithmetic in some libraries; there it is summed in double, as SciPy does.
        exact = is_integer(result) and (name != "uint64" or home.library == "numpy")
        narrowed = _narrowed(kernel, name) if exact else None
        low, high = integer_range(name)
        if narrowed is not None and cval == cval // 1 and low <= cval <= high:
            return Work(x, narrowed, int(cval), "auto")
        # Truncation must not see the rounding of a transform or of a low-rank kernel.
        return Work(cast(home, x, "float64"), _floating(kernel, home), cval, "direct")
    if result not in (name, complex_of(name)):
        x = cast(home, x, "complex128" if is_complex(name) else "float64")
    return Work(x, _floating(kernel, home), cval, "auto")


def _floating(kernel: Any, home: Home) -> Any:
    """Weights as SciPy computes with them: bool, integers and longdouble become float64."""
    if type(kernel) is np.ndarray:
        return kernel if dtype_name(kernel.dtype) in FLOATS + COMPLEX else _in_double(kernel)
    return kernel if dtype_name(kernel.dtype) in SUPPORTED else cast(home, kernel, "float64")


def _in_double(kernel: np.ndarray) -> np.ndarray:
    return kernel.astype(np.complex128 if kernel.dtype.kind == "c" else np.float64)


def deliver(y: Any, array: Any) -> Any:
    """The result: in `array` if there is one."""
    if array is None:
        return y
    array[...] = y
    return array


def cast_like_c(home: Home, y: Any, name: str) -> Any:
    """Integers from floats by cutting off the fraction; what lies outside the range wraps around."""
    if is_integer(name) and dtype_name(y.dtype) in FLOATS:
        if name == "uint64":
            y = _wrapped(home.xp, y)
        with np.errstate(invalid="ignore"):
            y = cast(home, y, "int64")
    return y if dtype_name(y.dtype) == name else home.xp.astype(y, held_as(home, name))


def held_as(home: Home, name: str) -> Any:
    """The dtype called `name`, also where the library has no arithmetic in it: torch only holds uint16 and uint32."""
    return np.dtype(name) if home.library == "dask" else getattr(home.xp, name)


def _wrapped(xp: Any, y: Any) -> Any:
    """What int64 can hold of a float, modulo 2^64; exact, since these are powers of two."""
    y = y - 2.0**64 * xp.trunc(y / 2.0**64)
    y = xp.where(y >= 2.0**63, y - 2.0**64, y)
    return xp.where(y < -(2.0**63), y + 2.0**64, y)
