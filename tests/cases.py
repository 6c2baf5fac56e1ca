"""Convolutions to be tested, as data. `test_cases.py` tests the table: what it covers, and that no case is idle."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from itertools import product
from typing import Any

import numpy as np
import pytest

from tests import reference
from tests.assertions import EPS, tolerance
from tests.libraries import OPENERS

BOUNDARIES = ("constant", "reflect", "mirror", "nearest", "wrap")
MODES = ("same", "full", "valid")

# Largest magnitudes of test samples and taps. Everything up to 32 bits is used in full; wider products must fit.
_SAMPLES = {"int64": 2**40, "uint64": 2**40}
_TAPS = {"int32": 2**20, "uint32": 2**20, "int64": 2**15, "uint64": 2**15}


@dataclass(frozen=True)
class Case:
    """One convolution: everything but the library and the method. The data follow from the fields."""

    shape: tuple[int, ...]
    kernel_shape: tuple[int, ...]
    dtype: str = "float64"
    kernel_dtype: str = "float64"
    mode: str = "same"
    boundary: Any = "constant"
    cval: Any = 0
    origin: Any = 0
    axes: Any = None
    result: str = field(default="", compare=False)
    """Dtype of the result; the image's if left out."""

    def __str__(self) -> str:
        changed = [
            f"{entry.name}={getattr(self, entry.name)!r}".replace("'", "").replace(" ", "")
            for entry in fields(self)[4:9]
            if getattr(self, entry.name) != entry.default
        ]
        sizes = ["x".join(map(str, shape)) for shape in (self.shape, self.kernel_shape)]
        return ",".join([f"{self.dtype}[{sizes[0]}]*{self.kernel_dtype}[{sizes[1]}]", *changed])

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `convolve` that the definition depends on."""
        return {name: getattr(self, name) for name in ("mode", "boundary", "cval", "origin", "axes")}

    @property
    def result_dtype(self) -> str:
        return self.result or self.dtype

    @property
    def taps(self) -> int:
        return int(np.prod(self.kernel_shape))

    @property
    def image(self) -> np.ndarray:
        return draw(self.shape, self.dtype, f"image of {self}", _SAMPLES)

    @property
    def kernel(self) -> np.ndarray:
        return draw(self.kernel_shape, self.kernel_dtype, f"kernel of {self}", _TAPS)

    @property
    def expected(self) -> np.ndarray:
        return _expected(self, "convolve")

    def tolerance(self, *, spectral: bool = False, correlate: bool = False) -> Any:
        """Allowed error: local to every output for sums, of the whole image's norm for transforms."""
        name = self.result_dtype
        if name not in EPS:
            return 0
        scale = _expected(self, "correlate_magnitude" if correlate else "magnitude")
        local = tolerance(name, self.taps, scale)
        if not spectral:
            return local
        read = np.append(reference.absolute(self.image).ravel(), [abs(self.cval)] * self.samples)
        return local + np.sqrt(self.copies) * self.spectral_bound(read)

    def spectral_bound(self, image: np.ndarray) -> float:
        return reference.spectral_bound(EPS.get(self.result_dtype, 0.0), self.samples, image, self.kernel)

    @property
    def samples(self) -> int:
        """No transform is longer: neither one of everything nor one of a block."""
        sizes = np.take(self.shape, self.axis_list)
        return int(np.prod([2 * (n + 2 * taps) for n, taps in zip(sizes, self.kernel_shape)]))

    @property
    def copies(self) -> int:
        """How often a boundary may bring the same sample under the kernel, at most."""
        sizes = np.take(self.shape, self.axis_list)
        return int(np.prod([1 - (-2 * taps // max(n, 1)) for n, taps in zip(sizes, self.kernel_shape)]))

    @property
    def axis_list(self) -> tuple[int, ...]:
        if self.axes is None:
            return tuple(range(len(self.shape)))
        return (self.axes,) if isinstance(self.axes, int) else tuple(self.axes)


@functools.cache
def _expected(case: Case, function: str) -> np.ndarray:
    return getattr(reference, function)(case.image, case.kernel, **case.options)


def draw(shape: tuple[int, ...], dtype: str, seed: str, largest: dict[str, int] | None = None) -> np.ndarray:
    """Random samples; integers over their whole range, or up to `largest`, with the ends of it among them."""
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    kind = np.dtype(dtype).kind
    if kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    if kind == "f":
        return rng.normal(size=shape).astype(dtype)
    information = np.iinfo(dtype)
    limit = (largest or {}).get(dtype, information.max)
    low, high = max(information.min, -limit - (limit == information.max)), min(information.max, limit)
    values = rng.integers(low, high, size=shape, dtype=dtype, endpoint=True)
    values.ravel()[:2] = [high, low][: values.size]
    return values


def _boundaries() -> Iterator[Case]:
    """Every boundary in every mode, with reaches below, at and far beyond the length of the axis."""
    for boundary in BOUNDARIES:
        yield Case((9,), (4,), boundary=boundary, mode="same", origin=-1)
        yield Case((5,), (17,), boundary=boundary, mode="full")
        yield Case((4, 6), (3, 5), boundary=boundary, mode="full")
        yield Case((3, 7), (8, 2), boundary=boundary, mode="same", origin=(3, 1))
    yield Case((9,), (4,), mode="valid", boundary="reflect")
    yield Case((6, 7), (6, 2), mode="valid", boundary="wrap")
    yield Case((4, 5, 6), (3, 2, 5), boundary=("reflect", "constant", "wrap"), cval=2.5)
    yield Case((4, 5, 6), (3, 2, 5), boundary=("mirror", "nearest", "constant"), cval=-1.5, mode="full")


def _fills() -> Iterator[Case]:
    yield Case((6,), (5,), cval=-2.5)
    yield Case((6,), (5,), dtype="float32", cval=0.1, mode="full")
    yield Case((4, 3), (3, 4), dtype="complex128", cval=1.5 - 2j)
    yield Case((4, 3), (3, 4), dtype="uint8", kernel_dtype="int8", cval=255, result="int32")
    yield Case((5,), (3,), dtype="int8", kernel_dtype="float32", cval=-3, result="float32")


def _axes() -> Iterator[Case]:
    """Batches, and axes in every order."""
    yield Case((3, 8, 2), (5,), axes=1, boundary="wrap")
    yield Case((3, 8, 2), (5,), axes=-2, boundary="reflect", mode="full")
    yield Case((4, 3, 6), (2, 5), axes=(2, 0), boundary=("wrap", "mirror"), origin=(1, -1))
    yield Case((4, 3, 6), (2, 5), axes=(-3, -1), boundary=("wrap", "mirror"), origin=(0, 2))
    yield Case((4, 3, 5), (2, 3, 4), axes=(1, 2, 0), boundary=("reflect", "constant", "nearest"))
    yield Case((2, 2, 3, 2, 4), (3, 2), axes=(4, 2), mode="full", boundary="nearest")
    yield Case((2, 3, 2, 4), (2, 2, 2, 3), boundary="reflect")


def _degenerate() -> Iterator[Case]:
    """Single samples, single taps, nothing at all."""
    for boundary in BOUNDARIES:
        yield Case((1,), (6,), boundary=boundary, mode="full")
        yield Case((1, 4), (3, 1), boundary=boundary, cval=2)
    yield Case((1,), (1,), mode="valid")
    yield Case((7,), (1,), mode="full")
    yield Case((3, 3), (1, 1))
    yield Case((0,), (3,), mode="same")
    yield Case((0,), (3,), mode="full", cval=2)
    yield Case((0, 5), (3,), axes=1, mode="full", boundary="mirror")
    yield Case((0, 5), (2, 3), mode="same", boundary="wrap")
    yield Case((2, 0, 5), (3,), axes=2, mode="valid", boundary="reflect")


def _dtypes() -> Iterator[Case]:
    """Precision follows a floating image; integers are exact."""
    for dtype, kernel_dtype, result in (
        ("float32", "float64", "float32"),
        ("float32", "float32", "float32"),
        ("float64", "float32", "float64"),
        ("float32", "int64", "float32"),
        ("float64", "complex64", "complex128"),
        ("float32", "complex128", "complex64"),
        ("complex64", "float64", "complex64"),
        ("complex128", "complex128", "complex128"),
        ("complex64", "complex64", "complex64"),
        ("uint8", "float64", "float32"),
        ("int16", "float32", "float32"),
        ("uint16", "complex64", "complex64"),
        ("int32", "float32", "float64"),
        ("uint32", "float64", "float64"),
        ("int64", "complex64", "complex128"),
        ("uint64", "float32", "float64"),
        ("uint8", "uint8", "int32"),
        ("uint8", "int8", "int32"),
        ("int8", "int64", "int64"),
        ("int16", "int16", "int64"),
        ("uint16", "int8", "int32"),
        ("int32", "int32", "int64"),
        ("uint32", "int16", "int64"),
        ("int64", "uint8", "int64"),
    ):
        yield Case((5, 6), (3, 4), dtype, kernel_dtype, boundary=("reflect", "wrap"), result=result)
    yield Case((9,), (5,), "complex64", "complex128", boundary="mirror", mode="full")
    yield Case((9,), (4,), "int32", "int16", boundary="wrap", result="int64")


CASES = tuple(case for group in (_boundaries, _fills, _axes, _degenerate, _dtypes) for case in group())

# One of each kind: for methods times cases, and for libraries that compile every operation for every shape.
REPRESENTATIVE = (
    Case((9,), (4,), boundary="reflect", origin=-1),
    Case((5,), (17,), "float32", boundary="mirror", mode="full"),
    Case((3, 5), (8, 2), boundary="nearest", origin=(3, 1)),
    Case((6, 7), (3, 4), "float32", "complex64", boundary=("wrap", "constant"), cval=1.5, result="complex64"),
    Case((4, 3, 6), (2, 3), "complex128", axes=(2, 0), boundary=("nearest", "reflect"), origin=(1, -1)),
    Case((6, 7), (3, 2), "float64", mode="valid"),
    Case((1, 3), (2, 3), boundary=("wrap", "mirror"), mode="full"),
    Case((0, 5), (2,), axes=1, boundary="wrap"),
    Case((5, 6), (2, 3), "uint8", "int8", boundary="reflect", result="int32"),
    Case((7,), (3,), "int64", "int16", mode="full", cval=-1, result="int64"),
    Case((7,), (4,), "uint16", "float64", boundary="mirror", result="float32"),
)

# Dtypes that only some libraries have, or only some compute with.
UNSIGNED = (
    Case((5, 6), (3, 4), "uint16", "uint16", boundary="reflect", result="uint64"),
    Case((9,), (5,), "uint64", "uint8", boundary="wrap", result="uint64"),
    Case((9,), (5,), "uint32", "uint64", cval=2**32 - 1, result="uint64"),
)


def grid() -> Iterator[Case]:
    """Every boundary, mode, parity and origin in one dimension, for axes shorter and longer than the kernel."""
    for size, taps, boundary, mode in product((1, 2, 3, 5, 8), (1, 2, 3, 4, 7, 20), BOUNDARIES, MODES):
        if mode == "valid" and taps > size:
            continue
        start = (taps - 1) // 2
        for origin in {0, -start, taps - 1 - start} if mode == "same" else {0}:
            yield Case((size,), (taps,), mode=mode, boundary=boundary, origin=origin, cval=1.25)


SLOW = ("jax",)


def on_libraries(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """Parametrises `xp` and `case`: all cases on most libraries, the representative ones on those slow to start."""
    cases = tuple(cases)
    pairs = [
        pytest.param(library, case, marks=[pytest.mark.gpu] if library == "cupy" else [], id=f"{library}-{case}")
        for library in OPENERS
        for case in (cases if library not in SLOW else [case for case in cases if case in REPRESENTATIVE])
    ]
    return pytest.mark.parametrize(("xp", "case"), pairs, indirect=["xp"])
