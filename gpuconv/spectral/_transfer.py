"""Transfer functions: what they are, how they are composed, printed and drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import convolution_dtypes
from gpuconv.core.frequencies import nyquist, wavenumbers
from gpuconv.core.namespace import Home, cast, dtype_name, read_image
from gpuconv.kernels._arguments import read_count, read_positive, read_size, spread

_NUMPY = read_image(np.empty(0))[1]


class TransferFunction(ABC):
    """What a filter does to each frequency: ``Y(f) = H(f) X(f)``.

    Made by `lowpass` and its kin or from a kernel, multiplied by each other (``*``: one filter after another), turned
    into what they leave out (``1 - H``), printed, drawn and applied. Frequencies are in cycles per unit of spacing.

    Attributes
    ----------
    ndim : int or None
        Number of axes it is for; None for any number.
    is_even : bool
        True if the sign of no single frequency matters: ``H(-f0, f1) = H(f0, f1)``.
    is_hermitian : bool
        True if ``H(-f)`` is the conjugate of ``H(f)``, so that real arrays stay real.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> transfer = spectral.lowpass(0.25) * (1 - spectral.lowpass(0.05))
    >>> print(transfer)
    lowpass(0.25, 'butterworth', order=2) * (1 - lowpass(0.05, 'butterworth', order=2))
    >>> print(transfer(0.25).round(3))
    0.499
    """

    ndim: int | None = None
    is_even: bool = True
    is_hermitian: bool = True

    @abstractmethod
    def evaluate(self, home: Home, frequencies: Sequence[Any]) -> Any:
        """H at points whose frequencies are arrays of one library, one for each axis, that broadcast."""

    def __call__(self, *frequencies: Any) -> Any:
        """H at these frequencies, one number or array per axis, in cycles per unit of spacing."""
        check_axes(self, len(frequencies))
        points = []
        for frequency in frequencies:
            values, home = read_image(frequency, "each of frequencies")
            points.append(cast(home, values, convolution_dtypes(dtype_name(values.dtype), ("float64", 1)).accumulator))
        with np.errstate(over="ignore"):  # an infinite power is what stops a frequency altogether
            return self.evaluate(home, points)

    def sampled(self, shape: int | Sequence[int], *, spacing: float | Sequence[float] = 1.0, half: bool = True) -> Any:
        """H at the bins of an array of this shape, as a NumPy array in the order of `numpy.fft.rfftn`.

        With ``half=False``, in that of `numpy.fft.fftn`.
        """
        sizes = read_shape(shape)
        check_axes(self, len(sizes))
        spacings = spread("spacing", spacing, len(sizes), read_positive)
        lines = [
            Line(position, wavenumbers(size, half and position == len(sizes) - 1) / (size * step), nyquist(size))
            for position, (size, step) in enumerate(zip(sizes, spacings, strict=True))
        ]

        def along(line: np.ndarray, axis: int) -> np.ndarray:
            return line.reshape([-1 if other == axis else 1 for other in range(len(sizes))])

        values = on_grid(self, _NUMPY, lines, along)
        return np.broadcast_to(values, tuple(len(line.frequencies) for line in lines)).copy()

    def plot(self, *, spacing: float = 1.0, ndim: int | None = None, axes: Any = None) -> Any:
        """Draw H up to Nyquist: as a curve for one axis, as a picture for two. Returns matplotlib's axes."""
        from gpuconv.spectral._drawing import draw_transfer

        count = self.ndim or 1 if ndim is None else read_count("ndim", ndim, 1)
        check_axes(self, count)
        return draw_transfer(self, count, read_positive("spacing", spacing), axes)

    def __mul__(self, other: Any) -> TransferFunction:
        if not isinstance(other, TransferFunction):
            return NotImplemented
        return Product(self, other)

    def __rsub__(self, other: Any) -> TransferFunction:
        if isinstance(other, (int, float)) and other == 1:
            return Complement(self)
        return NotImplemented

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Line:
    """Frequencies of the bins along one axis, and which of them is Nyquist; it counts as positive."""

    axis: int
    frequencies: np.ndarray
    nyquist: int | None

    def mirrored(self) -> np.ndarray:
        """The same with Nyquist negative: bins do not tell the two apart."""
        other = self.frequencies.copy()
        if self.nyquist is not None:
            other[self.nyquist] *= -1
        return other


def on_grid(
    transfer: TransferFunction, home: Home, lines: Sequence[Line], bring: Callable[[np.ndarray, int], Any]
) -> Any:
    """H at the bins of a grid; `bring` takes a line of numbers and its axis to the library that computes.

    Where the sign of a Nyquist frequency matters, the bin stands for both signs and gets the mean, or else the
    result of a real array would not be real.
    """

    def values(of: Callable[[Line], np.ndarray]) -> Any:
        with np.errstate(over="ignore"):  # an infinite power is what stops a frequency altogether
            return transfer.evaluate(home, [bring(of(line), line.axis) for line in lines])

    ahead = values(lambda line: line.frequencies)
    if transfer.is_even or all(line.nyquist is None for line in lines):
        return ahead
    return (ahead + values(Line.mirrored)) * 0.5


def read_shape(shape: Any) -> tuple[int, ...]:
    """The number of samples on each axis, of which one may be given by itself."""
    entries = shape.tolist() if isinstance(shape, np.ndarray) else shape
    sizes = entries if isinstance(entries, (list, tuple)) else (entries,)
    return tuple(read_size("each of shape", size) for size in sizes)


def check_transfer(transfer: Any, count: int) -> None:
    if not isinstance(transfer, TransferFunction):
        given = f"got {type(transfer).__name__}"
        remedy = "Make one, as by lowpass(0.1), or from a kernel with kernel_transfer"
        raise TypeError(refusal("transfer must be a TransferFunction", given, remedy))
    check_axes(transfer, count)


def check_axes(transfer: TransferFunction, count: int) -> None:
    rule = "a transfer function needs a frequency for each of its axes"
    if count == 0:
        raise ValueError(refusal(rule, f"{transfer} was given none", "Name an axis at least"))
    if transfer.ndim not in (None, count):
        given = f"{transfer} is for {transfer.ndim} axes, got {count}"
        raise ValueError(refusal(rule, given, "Name as many axes as it is for"))


@dataclass(frozen=True, repr=False)
class Product(TransferFunction):
    """``H(f) = first(f) second(f)``."""

    first: TransferFunction
    second: TransferFunction

    def __post_init__(self) -> None:
        counts = {self.first.ndim, self.second.ndim} - {None}
        if len(counts) > 1:
            given = f"{self.first} is for {self.first.ndim} axes, {self.second} for {self.second.ndim}"
            remedy = "Multiply transfer functions for the same number"
            raise ValueError(refusal("factors must be for one number of axes", given, remedy))
        object.__setattr__(self, "ndim", counts.pop() if counts else None)
        object.__setattr__(self, "is_even", self.first.is_even and self.second.is_even)
        object.__setattr__(self, "is_hermitian", self.first.is_hermitian and self.second.is_hermitian)

    def evaluate(self, home: Home, frequencies: Sequence[Any]) -> Any:
        return self.first.evaluate(home, frequencies) * self.second.evaluate(home, frequencies)

    def __str__(self) -> str:
        return f"{self.first} * {self.second}"


@dataclass(frozen=True, repr=False)
class Complement(TransferFunction):
    """``H(f) = 1 - passed(f)``; `name` is what it prints as, where there is one."""

    passed: TransferFunction
    name: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for fact in ("ndim", "is_even", "is_hermitian"):
            object.__setattr__(self, fact, getattr(self.passed, fact))

    def evaluate(self, home: Home, frequencies: Sequence[Any]) -> Any:
        return 1.0 - self.passed.evaluate(home, frequencies)

    def __rsub__(self, other: Any) -> TransferFunction:
        return self.passed if isinstance(other, (int, float)) and other == 1 else NotImplemented

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        return f"(1 - {self.passed})" if not isinstance(self.passed, Product) else f"(1 - ({self.passed}))"
