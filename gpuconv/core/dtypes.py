"""Arithmetic on dtype names: what a convolution of two dtypes gives, and in which dtype it is summed.

Every array library spells its dtypes differently; here a dtype is its plain name (``"float32"``), so that the rules
are one table for all libraries and a problem can be hashed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from gpuconv.core.arguments import refusal

# Unit in the last place of 1.0, as in numpy.finfo; complex types have the eps of their parts.
EPS = {
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float32": 2.0**-23,
    "float64": 2.0**-52,
    "complex64": 2.0**-23,
    "complex128": 2.0**-52,
}
# Largest finite value of what convolutions are summed in.
LARGEST = {name: (2 - eps) * 2.0 ** (127 if eps > 2.0**-30 else 1023) for name, eps in EPS.items() if eps < 2.0**-20}
FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = SIGNED + UNSIGNED
SUPPORTED = INTEGERS + FLOATS + COMPLEX
ITEMSIZE = {
    **{name: int(name.removeprefix("u")[3:]) // 8 for name in INTEGERS},
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
}
_COMPLEX_OF = {
    "float16": "complex64",
    "bfloat16": "complex64",
    "float32": "complex64",
    "float64": "complex128",
    "complex64": "complex64",
    "complex128": "complex128",
}
_REAL_OF = {"complex64": "float32", "complex128": "float64"}
_SUMMED_IN = {"float16": "float32", "bfloat16": "float32"}


@dataclass(frozen=True)
class DtypeRule:
    """Dtypes of one operation: `result` is what the caller gets, `accumulator` is what is summed in."""

    result: str
    accumulator: str


def is_integer(name: str) -> bool:
    return name in INTEGERS


def is_complex(name: str) -> bool:
    return name in COMPLEX


def real_of(name: str) -> str:
    """The real dtype of the same precision."""
    return _REAL_OF.get(name, name)


def complex_of(name: str) -> str:
    """The complex dtype that keeps the precision of a floating one."""
    return _COMPLEX_OF[name]


def integer_range(name: str) -> tuple[int, int]:
    """Smallest and largest value of an integer dtype."""
    bits = 8 * ITEMSIZE[name]
    return (0, 2**bits - 1) if name in UNSIGNED else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def largest_magnitude(name: str) -> int:
    low, high = integer_range(name)
    return max(-low, high)


def check_supported(name: str, argument: str) -> str:
    """The name itself, or the house error for bool, longdouble, object and other dtypes outside the table."""
    if name in SUPPORTED:
        return name
    remedy = (
        "Cast it first: to uint8 to count neighbours, to float32 to average"
        if name == "bool"
        else "Cast it to one of these dtypes"
    )
    raise TypeError(
        refusal(f"{argument} must have one of the dtypes {', '.join(SUPPORTED)}", f"its dtype is {name}", remedy)
    )


def convolution_dtypes(image: str, *kernels: tuple[str, int]) -> DtypeRule:
    """Result and accumulator of convolving `image` with one kernel, or one after another.

    Every kernel is its dtype and its number of taps. Floating images keep their precision; integers are exact; 8- and
    16-bit integers with a floating kernel give single precision, wider ones double.
    """
    check_supported(image, "x")
    for kernel, _ in kernels:
        check_supported(kernel, "kernel")
    with_complex = any(is_complex(kernel) for kernel, _ in kernels)
    if is_integer(image) and all(is_integer(kernel) for kernel, _ in kernels):
        result = _integer_result(image, kernels)
    elif is_integer(image):
        precision = "float32" if ITEMSIZE[image] <= 2 else "float64"
        result = complex_of(precision) if with_complex else precision
    else:
        result = complex_of(image) if with_complex else image
    return DtypeRule(result, _SUMMED_IN.get(result, result))


@lru_cache(maxsize=1024)
def dtypes_of_sums(image: str, *weights: str) -> tuple[str, str]:
    """What an image is brought to before it is summed, and what it is summed in, under weights that are ready to use.

    Integer weights have the dtype of the sums already. A real image stays real beside complex weights.
    """
    if is_integer(weights[0]):
        return weights[0], weights[0]
    accumulator = convolution_dtypes(image, *((dtype, 1) for dtype in weights)).accumulator
    return accumulator if is_complex(image) else real_of(accumulator), accumulator


def _integer_result(image: str, kernels: tuple[tuple[str, int], ...]) -> str:
    dtypes = (image, *(kernel for kernel, _ in kernels))
    largest = largest_magnitude(image)
    for kernel, taps in kernels:
        largest *= taps * largest_magnitude(kernel)
    if largest <= integer_range("int32")[1]:
        return "int32"
    if all(dtype in UNSIGNED for dtype in dtypes):
        return "uint64"
    if "uint64" in dtypes:
        raise TypeError(
            refusal(
                "no integer dtype holds products of uint64 and signed integers exactly",
                f"the dtypes are {', '.join(dtypes)}",
                "Cast both to int64 if their values fit, or to float64",
            )
        )
    return "int64"
