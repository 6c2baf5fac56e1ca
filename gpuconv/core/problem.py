"""An operation with the data taken out: frozen, hashable, the key of every cache."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from math import prod
from typing import NamedTuple, Protocol

from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import ITEMSIZE, DtypeRule, is_complex, is_integer, real_of
from gpuconv.core.shapes import extended_shape, output_shape


@dataclass(frozen=True)
class KernelFacts:
    """What planning needs to know of a kernel.

    Attributes
    ----------
    shape : tuple of int
        Samples per convolved axis, in the order of the spans.
    dtype : str
    residency : str
        "host" if its values are at hand, "device" if reading them would wait for a GPU, "traced" if they do not
        exist yet or take part in differentiation.
    rank : int or None
        Number of outer products that make up the kernel, where known and useful; None otherwise.
    locally_exact : bool
        True if those products meet every single tap to rounding, False if only the kernel as a whole.
    box : bool
        True for a line of many equal taps, known to be, and for an outer product with one.
    bits : int or None
        Integer kernels: ``2**bits`` is no less than the sum of the magnitudes of the taps; None if unknown.
    """

    shape: tuple[int, ...]
    dtype: str
    residency: str
    rank: int | None = None
    locally_exact: bool = True
    bits: int | None = None
    box: bool = False

    @property
    def taps(self) -> int:
        return prod(self.shape)


# A tuple, since it is made and hashed in a tenth of the time that a frozen dataclass takes.
class ImageFacts(NamedTuple):
    """What planning needs to know of the image: where it lives, its sizes and dtype. Fields as in `Problem`."""

    library: str
    device: str
    traced: bool
    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...] | None
    has_double: bool
    swapped: bool = False


@dataclass(frozen=True)
class Problem:
    """One convolution without its data. `spans` are in ascending order of axis, in correlation form."""

    library: str
    device: str
    traced: bool
    shape: tuple[int, ...]
    dtype: str
    kernel: KernelFacts
    rule: DtypeRule
    spans: tuple[Span, ...]
    accuracy: str = "norm"
    chunks: tuple[int, ...] | None = None
    """Largest chunk on every axis, for chunked libraries."""
    has_double: bool = True
    """False where the library has its 64-bit types switched off."""
    swapped: bool = False
    """True where the image has the bytes of its samples in another order than this machine, and is copied."""

    def __hash__(self) -> int:
        # Caches ask for it several times per call, and spans make it slow: it is kept, as the fields never change.
        kept = self.__dict__.get("_hash")
        if kept is None:
            kept = hash((self.library, self.device, self.shape, self.dtype, self.kernel, self.rule, self.spans))
            object.__setattr__(self, "_hash", kept)
        return kept

    def __getstate__(self) -> dict[str, object]:
        # What is kept beside the fields is not sent: hashes of strings differ from process to process.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def output_shape(self) -> tuple[int, ...]:
        return output_shape(self.shape, self.spans)

    @property
    def extended_shape(self) -> tuple[int, ...]:
        return extended_shape(self.shape, self.spans)

    @cached_property
    def outputs(self) -> int:
        return prod(self.output_shape)

    @property
    def working_dtype(self) -> str:
        """What the image is cast to before it is summed: a real image stays real beside a complex kernel."""
        accumulator = self.rule.accumulator
        return accumulator if is_complex(self.dtype) else real_of(accumulator)

    @property
    def itemsize(self) -> int:
        return ITEMSIZE[self.rule.accumulator]

    @cached_property
    def exact(self) -> bool:
        return is_integer(self.rule.result)

    @property
    def extends(self) -> bool:
        """True when samples beyond the ends of an axis are read, so that an extended copy may be needed."""
        return not all(span.inside for span in self.spans)


@dataclass(frozen=True)
class TransformProblem:
    """One Fourier, cosine or sine transform without its data; `lengths` are the samples per axis of the signal."""

    library: str
    device: str
    traced: bool
    shape: tuple[int, ...]
    dtype: str
    axes: tuple[int, ...]
    lengths: tuple[int, ...]


class Posed(Protocol):
    """What every problem tells, whatever the operation: all that the registry itself asks for."""

    @property
    def library(self) -> str: ...

    def __hash__(self) -> int: ...
