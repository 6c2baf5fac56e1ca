"""What a spectral operation computes on: the array, its axes, its spectrum and its frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import DtypeRule, complex_of, convolution_dtypes, is_complex, real_of
from gpuconv.core.frequencies import nyquist, wavenumbers
from gpuconv.core.namespace import Home, bring_home, cast, dtype_in, dtype_name, read_image
from gpuconv.filters._image import read_filter_axes
from gpuconv.kernels._arguments import read_positive, spread
from gpuconv.methods import transform


@dataclass(frozen=True)
class Signal:
    """An array as `given`, in normal form; `axes` are those that are transformed, the others are batches."""

    given: Any
    home: Home
    axes: tuple[int, ...]
    rule: DtypeRule

    @property
    def xp(self) -> Any:
        return self.home.xp

    @property
    def dtype(self) -> str:
        """What is computed in."""
        return self.rule.accumulator

    @property
    def precision(self) -> str:
        """The real dtype of what is computed in."""
        return real_of(self.rule.accumulator)

    @property
    def is_complex(self) -> bool:
        return is_complex(self.dtype)

    @property
    def ndim(self) -> int:
        return len(self.given.shape)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(self.given.shape[axis] for axis in self.axes)

    @cached_property
    def x(self) -> Any:
        return cast(self.home, self.given, self.dtype)

    def forward(self, x: Any = None) -> Any:
        """Spectrum of the array, or of another one like it; half the last axis if real."""
        return transform.forward(self.x if x is None else x, self.axes)

    def inverse(self, spectrum: Any) -> Any:
        return transform.inverse(spectrum, self.axes, self.sizes, self.dtype)

    def rounded(self, result: Any) -> Any:
        """A result of the array's own kind in the dtype that the caller is to get."""
        with np.errstate(over="ignore"):  # half precision may round to infinity
            return cast(self.home, result, self.rule.result)

    def rounded_real(self, result: Any) -> Any:
        """The same for results that are real for complex arrays, too."""
        with np.errstate(over="ignore"):
            return cast(self.home, result, real_of(self.rule.result))

    def is_half(self, position: int) -> bool:
        """Whether the spectrum has half of the axis at this position of `axes`."""
        return not self.is_complex and position == len(self.axes) - 1

    def wavenumbers(self, position: int) -> np.ndarray:
        """Periods per axis of each bin of the spectrum; Nyquist positive."""
        return wavenumbers(self.sizes[position], self.is_half(position))

    def odd_wavenumbers(self, position: int) -> np.ndarray:
        """The same with 0 at Nyquist of even sizes: what is sampled there has no slope, and no direction to go to."""
        k = self.wavenumbers(position)
        peak = nyquist(self.sizes[position])
        if peak is not None:
            k[peak] = 0
        return k

    def line(self, values: np.ndarray, position: int) -> Any:
        """Numbers along one of `axes`, in the library and precision of the array, to be multiplied with it."""
        return line_along(self, values, self.axes[position])


def line_along(signal: Signal, values: np.ndarray, axis: int) -> Any:
    shape = [-1 if other == axis else 1 for other in range(signal.ndim)]
    name = complex_of(signal.dtype) if values.dtype.kind == "c" else signal.precision
    return bring_home(values.reshape(shape), signal.home, name)


def read_signal(x: Any, axes: Any) -> Signal:
    """Validate an array and its axes; reads no data."""
    x, home = read_image(x)
    rule = convolution_dtypes(dtype_name(x.dtype), ("float64", 1))
    dtype_in(home, rule.accumulator)
    return Signal(x, home, read_filter_axes(axes, x.ndim), rule)


def read_spacing(spacing: Any, count: int) -> tuple[float, ...]:
    """Distance of two samples on each axis."""
    return spread("spacing", spacing, count, read_positive)


def relative(spacings: Sequence[float]) -> tuple[float, tuple[float, ...]]:
    """A power of two near the spacings, and these in units of it.

    Squares of frequencies in SI units leave the range of single precision soon (a megaparsec is 3e22 m); what is
    computed with relative spacings does not, and a power of two put back at the end changes no digit.
    """
    unit = 2.0 ** math.floor(np.mean(np.log2(spacings)))
    return unit, tuple(step / unit for step in spacings)


def read_plane(x: Any, axes: Any, name: str) -> Signal:
    """A signal that is transformed over two axes, the last two unless named."""
    x, _ = read_image(x)
    signal = read_signal(x, (-2, -1) if axes is None and len(x.shape) > 2 else axes)
    if len(signal.axes) != 2:
        given = f"x has shape {tuple(x.shape)}, axes={axes!r}"
        raise ValueError(refusal(f"{name} needs two axes", given, "Name two axes, such as axes=(0, 1)"))
    return signal


def unfold(signal: Signal, half: Any, mirrored: Any = None) -> Any:
    """All bins out of the half that a real transform gives; at -k stands what is in `mirrored`, or `half`, at k."""
    xp, axis, size = signal.xp, signal.axes[-1], signal.sizes[-1]
    if signal.is_complex:
        return half
    index = [slice(None)] * half.ndim
    index[axis] = slice(1, (size + 1) // 2)
    rest = (half if mirrored is None else mirrored)[tuple(index)]
    for other in signal.axes:
        rest = xp.flip(rest, axis=other)
        if other != axis:
            rest = xp.roll(rest, 1, axis=other)
    return xp.concat([half, rest], axis=axis)


def centred(signal: Signal, full: Any) -> Any:
    """Zero frequency moved to sample ``N // 2`` of each axis."""
    shifts = tuple(size // 2 for size in signal.sizes)
    return signal.xp.roll(full, shifts, axis=signal.axes)


def squared(signal: Signal, values: Any) -> Any:
    """``|values|^2``."""
    xp = signal.xp
    if not is_complex(dtype_name(values.dtype)):
        return values * values
    return xp.real(values) ** 2 + xp.imag(values) ** 2


def root(signal: Signal, values: Any) -> Any:
    """Square root of what is not negative; its slope at 0 counts as 0, not as infinite."""
    xp = signal.xp
    positive = values > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, values, xp.ones_like(values))), xp.zeros_like(values))
