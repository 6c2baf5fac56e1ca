"""What a launcher hands to the runtime: one kernel launch as data, and how an array is laid out for a kernel.

How a launcher is written
-------------------------
A launcher has the signature of its primitive, ``function(x, weights, spans, cval, *, result=None)``, and does only
arithmetic on shapes, strides and dtypes:

1. ``kinds = Kinds.of(dtype_name(x.dtype), dtype_name(weights.dtype), result)``: the five dtypes of a kernel (below).
2. ``x = readable(x)``: itself, or one copy where strides or alignment cannot be said in elements.
3. ``y = runtime.empty(shape, kinds.result)``, or `empty_like_ordered` for a result in the memory order of x.
4. ``collapse(...)``: neighbouring axes that need no telling apart become one, for any strides.
5. ``runtime.launch(Launch(...))``, nothing if the result has no elements; return y.

The runtime is ``gpuconv.backends.cuda.runtime.current()``: CuPy, or g++ in the tests. A launcher imports neither.
What depends on shapes, strides and dtypes alone belongs into one function with `functools.lru_cache`, as `lines.recipe`
does it: a call may cost 10 microseconds in all, which is two dozen of Python's.

Arguments of a kernel, in this order: source arrays, target array(s), weights, fill value, then sizes and strides.
``Launch.arguments`` has one entry per parameter:

=======================  =====================================================================================
parameter                argument
=======================  =====================================================================================
``const STORAGE*``       the array; the kernel gets the address of its first element, also under negative strides;
                         `NO_ARRAY` where the kernel can do without
``int64`` and so on      a NumPy scalar of the same type: ``np.int64(n)``; a plain Python number is refused
``SAMPLE fill``          ``fill_value(cval, kinds)``
``const Weights``        ``by_value(weights, capacity)``, see ``weights.cuh``
=======================  =====================================================================================

Counts and strides are in elements, never bytes. A span of `core.boundary` becomes ``size``, ``first``, ``count``
(int64), ``taps`` (int32) and a ``#define`` for its boundary (`boundary_define`).

Sums of more than 16 products are added in groups of `group_length` (a kernel argument or a constant), so that the worst
error stays below the documented ``2 sqrt(taps) eps``: groups of b of n products, ``b + n/b + 1 <= 4 sqrt(n)``. Complex
samples with real weights have their own `multiply_add`, and need nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gpuconv.backends.cpu.compiled import group_length
from gpuconv.core.boundary import BOUNDARIES, Span, pieces
from gpuconv.core.dtypes import convolution_dtypes, is_complex, is_integer, real_of

__all__ = [
    "Axis",
    "Kinds",
    "Launch",
    "boundary_code",
    "boundary_define",
    "by_value",
    "ceil_div",
    "collapse",
    "element_strides",
    "fill_value",
    "group_length",
    "memory_order",
    "order_of_strides",
    "strides_in_order",
    "struct_of",
]

MAX_BLOCKS = 2**31 - 1
MAX_SHARED = 48 * 1024
MAX_THREADS = 1024
# The parameters of a kernel may take 4 KB on every architecture, and others come beside the weights. From CUDA 12.1 on
# they may take 32,764 bytes, which is left alone: what goes by value is copied at every launch, larger weights are
# uploaded once and kept (`runtime.upload`), and each capacity is a binary.
WEIGHTS_BYTES = 3840
# In place of an array: a null pointer.
NO_ARRAY = np.uint64(0)


@dataclass(slots=True)  # frozen ones take three times as long to make
class Launch:
    """One launch of one kernel.

    Attributes
    ----------
    source : str
        File in this folder: "lines.cu".
    kernel : str
        Its ``extern "C" __global__`` function.
    defines : tuple of (str, str)
        ``#define``s set before the file: they choose the binary. Few values each, or compiling never ends.
    blocks, threads : int
        Both one-dimensional: only grid.x goes beyond 65535, and CuPy does not check the others.
    shared : int
        Bytes of ``dynamic_shared``.
    arguments : tuple
        As the table above says.
    together : tuple of str
        This kernel and the others of the file that the call needs with the same ``#define``s: one module for all of
        them is compiled in two thirds of the time. Empty: this one alone.
    """

    source: str
    kernel: str
    defines: tuple[tuple[str, str], ...]
    blocks: int
    threads: int
    shared: int
    arguments: tuple[Any, ...]
    together: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (0 < self.blocks <= MAX_BLOCKS and 0 < self.threads <= MAX_THREADS and 0 <= self.shared <= MAX_SHARED):
            raise ValueError(f"{self.kernel} cannot have {self.blocks} x {self.threads} threads, {self.shared} bytes")


@dataclass(frozen=True)
class Kinds:
    """The dtypes of a kernel, as ``numbers.cuh`` names them.

    Attributes
    ----------
    storage : str
        Of x in memory.
    sample : str
        What a sample of x is brought to on loading; real if x is.
    weight : str
        Of the weights; real if they are.
    sum : str
        What products are added in.
    result : str
        Of y in memory: rounded to once.
    """

    storage: str
    sample: str
    weight: str
    sum: str
    result: str

    @staticmethod
    @lru_cache(maxsize=1024)
    def of(storage: str, weights: str, result: str | None = None) -> Kinds:
        """From the dtypes of x and weights alone, as `methods` has it. Integer weights have the exact dtype already."""
        total = weights if is_integer(weights) else convolution_dtypes(storage, (weights, 1)).accumulator
        sample = total if is_complex(storage) else real_of(total)
        weight = total if is_complex(weights) else real_of(total)
        return Kinds(storage, sample, weight, total, result or total)

    def defines(self) -> tuple[tuple[str, str], ...]:
        return (
            ("STORAGE", self.storage),
            ("SAMPLE", self.sample),
            ("WEIGHT", self.weight),
            ("SUM", self.sum),
            ("RESULT", self.result),
        )


def fill_value(cval: Any, kinds: Kinds) -> np.generic:
    """The fill value as the kernel takes it."""
    return np.dtype(kinds.sample).type(cval)


def boundary_of(span: Span) -> str:
    """The boundary that a kernel is told of. An axis of one sample, and one never left, need no mirror.

    Raises ValueError for an axis without samples that a boundary would have to extend.
    """
    boundary = span.boundary
    if span.size == 0 and span.count:
        pieces(boundary, 0, 0, 1)
    return "nearest" if span.inside or (span.size == 1 and boundary != "constant") else boundary


def boundary_define(name: str, span: Span) -> tuple[str, str]:
    """``#define name`` for ``boundary.cuh``."""
    return name, boundary_of(span).upper()


def boundary_code(span: Span) -> int:
    """Its number in the enumeration of ``boundary.cuh``, which is in this order, too."""
    return BOUNDARIES.index(boundary_of(span))


def by_value(weights: np.ndarray, capacity: int, dtype: str | None = None) -> np.ndarray:
    """Host weights as a struct of `capacity` entries, zeros at the end: the argument for ``const Weights``.

    Of `dtype`, or of the weights' own. The same values get the same struct, which is not to be written to.
    """
    return _packed(weights.tobytes(), weights.dtype, dtype or weights.dtype, capacity)


@lru_cache(maxsize=256)
def _packed(values: bytes, given: np.dtype, dtype: Any, capacity: int) -> np.ndarray:
    weights = np.frombuffer(values, given).astype(dtype, copy=False)
    if weights.size > capacity or capacity * weights.dtype.itemsize > WEIGHTS_BYTES:
        raise ValueError(f"{weights.size} weights do not go by value with {capacity} entries of {weights.dtype}")
    struct = np.zeros(1, np.dtype([("at", weights.dtype, (capacity,))]))
    struct["at"][0, : weights.size] = weights
    struct.flags.writeable = False
    return struct


@lru_cache(maxsize=4096)
def struct_of(numbers: tuple[int, ...], dtype: str = "int64") -> np.ndarray:
    """A struct of these numbers, as an argument by value. It is not to be written to."""
    values = np.array(numbers, dtype)
    values.flags.writeable = False
    return values.view([("at", values.dtype, values.shape)])


@dataclass(frozen=True)
class Axis:
    """An axis for a kernel: `count` positions, and its stride in elements in each array. `kept`: which one it was."""

    count: int
    strides: tuple[int, ...]
    kept: int | None = None


def collapse(shape: Sequence[int], kept: Sequence[int], *strides: Sequence[int]) -> list[Axis]:
    """Axes from the slowest in memory to the fastest; neighbours that step alike in every array become one.

    `shape` counts positions, `strides` are those of each array in elements, memory order is that of the first array.
    The `kept` axes stay what they are, also with one sample; of the others, those of one position vanish.
    """
    axes = [
        Axis(count, tuple(each[axis] for each in strides), axis if axis in kept else None)
        for axis, count in enumerate(shape)
        if axis in kept or count != 1
    ]
    # Sorting is stable: axes that step alike (repeated by broadcasting) stay in the order of the shape.
    axes.sort(key=lambda axis: -abs(axis.strides[0]))
    merged: list[Axis] = []
    for axis in axes:
        before = merged[-1] if merged else None
        if before is not None and before.kept is None and axis.kept is None and _continues(before, axis):
            merged[-1] = Axis(before.count * axis.count, axis.strides)
        else:
            merged.append(axis)
    return merged


def _continues(slow: Axis, fast: Axis) -> bool:
    return all(far == near * fast.count for far, near in zip(slow.strides, fast.strides, strict=True))


def element_strides(x: Any) -> tuple[int, ...]:
    itemsize = x.dtype.itemsize
    return tuple(stride // itemsize for stride in x.strides)


def memory_order(x: Any) -> tuple[int, ...]:
    """Axes from the slowest in memory to the fastest."""
    return order_of_strides(tuple(x.strides))


@lru_cache(maxsize=4096)
def order_of_strides(strides: tuple[int, ...]) -> tuple[int, ...]:
    """The same of an array with these strides."""
    return tuple(sorted(range(len(strides)), key=lambda axis: -abs(strides[axis])))


def strides_in_order(shape: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    """Strides in elements of an array without gaps whose axes lie in memory in that order, the slowest first."""
    strides, step = [0] * len(shape), 1
    for axis in reversed(order):
        strides[axis], step = step, step * max(shape[axis], 1)
    return tuple(strides)


def ceil_div(number: int, by: int) -> int:
    return -(-number // by)
