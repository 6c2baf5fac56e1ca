"""A wave function on a box: its axes in working order, the kinetic energy of its modes, potentials, absorbing edges."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_axes, refusal
from gpuconv.core.dtypes import complex_of, convolution_dtypes, is_complex, real_of
from gpuconv.core.frequencies import wavenumbers
from gpuconv.core.namespace import Home, bring_home, cast, chunks_of, dtype_in, dtype_name, read_image, read_kernel
from gpuconv.diffusion._arguments import read_spacing
from gpuconv.diffusion.conditions import read_conditions
from gpuconv.kernels._arguments import read_nonnegative, read_positive, spread
from gpuconv.methods import transform

_BASES = {"periodic": "fft", "fixed": "dst", "no-flux": "dct"}
# Radians that the range of a potential turns phases by in a step, and steps that the fastest wave of the grid takes to
# cross an absorbing layer, where the number of steps is left to us.
_TURN = 0.25
_CROSSING = 8
MOST_STEPS = 10**6
# Of the absorbing potential: 1 % is reflected of the longest wave it is made for.
_QUALITY = 0.2
_END = 2.622057554292119  # sqrt(2) K(1/sqrt(2))


@dataclass(frozen=True)
class Space:
    """The box in which a wave lives: its axes are the last ones in working order, those in front are batches.

    psi came as `given`, and is worked on as `dtype`.
    """

    home: Home
    shape: tuple[int, ...]
    order: tuple[int, ...]
    spacing: tuple[float, ...]
    bases: tuple[str, ...]
    given: str
    dtype: str

    @property
    def axes(self) -> int:
        return len(self.spacing)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Cells along each axis of the box."""
        return self.shape[len(self.shape) - self.axes :]

    @property
    def cell(self) -> float:
        return math.prod(self.spacing)

    def enter(self, psi: Any) -> Any:
        """psi as complex numbers, in working order."""
        if not is_complex(self.given):
            psi = cast(self.home, psi, real_of(self.dtype))  # not every library casts half precision to complex
        return self.home.xp.permute_dims(cast(self.home, psi, self.dtype), self.order)

    def leave(self, psi: Any) -> Any:
        return self.home.xp.permute_dims(psi, tuple(np.argsort(self.order).tolist()))

    def along(self, axis: int, values: np.ndarray) -> np.ndarray:
        """One value per cell of one axis of the box, shaped to be multiplied with psi."""
        return values.reshape((-1,) + (1,) * (self.axes - axis - 1))

    def positions(self, axis: int) -> np.ndarray:
        """Centres of the cells."""
        return self.along(axis, (np.arange(self.sizes[axis]) + 0.5) * self.spacing[axis])

    def wavenumbers(self, axis: int) -> np.ndarray:
        """Of the modes along one axis, in radians per length."""
        size, basis = self.sizes[axis], self.bases[axis]
        length = size * self.spacing[axis]
        if basis == "fft":
            return self.along(axis, 2 * np.pi * wavenumbers(size) / length)
        return self.along(axis, np.pi * (np.arange(size) + (basis == "dst")) / length)

    def forward(self, psi: Any) -> Any:
        """Into modes, orthonormal but for the FFT."""
        for axis in self._cosines:
            psi = transform.cosine(psi, psi.ndim - self.axes + axis, self.bases[axis])
        waves = self._waves(psi.ndim)
        return transform.forward(psi, waves) if waves else psi

    def inverse(self, modes: Any) -> Any:
        waves = self._waves(modes.ndim)
        if waves:
            modes = transform.inverse(modes, waves, [modes.shape[axis] for axis in waves], self.dtype)
        for axis in reversed(self._cosines):
            modes = transform.cosine(modes, modes.ndim - self.axes + axis, self.bases[axis], inverse=True)
        return modes

    @property
    def _cosines(self) -> list[int]:
        return [axis for axis, basis in enumerate(self.bases) if basis != "fft"]

    def _waves(self, ndim: int) -> list[int]:
        return [ndim - self.axes + axis for axis, basis in enumerate(self.bases) if basis == "fft"]

    def bring(self, values: np.ndarray) -> Any:
        """Values worked out on the host, in the precision of psi."""
        return bring_home(values, self.home, self.dtype if is_complex(values.dtype.name) else real_of(self.dtype))


def read_wave(psi: Any, spacing: Any, boundary: Any, axes: Any) -> tuple[Any, Space]:
    """psi and the box it lives in."""
    psi, home = read_image(psi, "psi")
    chunks_of(psi, home, "psi")
    given = dtype_name(psi.dtype)
    name = complex_of(convolution_dtypes(given, ("float64", 1)).result)
    dtype_in(home, name)
    listed = read_axes(axes, psi.ndim)
    if not listed:
        given = f"got axes={axes!r} for an array of {psi.ndim} dimensions"
        raise ValueError(refusal("a wave needs at least one axis", given, "Give psi a dimension, or name an axis"))
    order = (*(axis for axis in range(psi.ndim) if axis not in listed), *listed)
    bases = tuple(_basis(low, high) for low, high in read_conditions(boundary, len(listed)))
    shape = tuple(psi.shape[axis] for axis in order)
    return psi, Space(home, shape, order, read_spacing(spacing, len(listed)), bases, given, name)


def _basis(low: Any, high: Any) -> str:
    if low != high or low.kind not in _BASES or low.value:
        rule = 'a wave has one of "periodic", "fixed" (to 0: a hard wall) and "no-flux" at both ends of an axis'
        raise ValueError(refusal(rule, f"got {low} and {high}", "Choose one, or make the wall a potential"))
    return _BASES[low.kind]


def read_moment(time: Any) -> complex:
    """A time: real, or with a negative imaginary part, in which waves decay."""
    if isinstance(time, np.ndarray) and time.ndim == 0:
        time = time.item()
    if isinstance(time, bool | np.bool_) or not isinstance(time, numbers.Complex):
        given = f"got {time!r} of type {type(time).__name__}"
        raise TypeError(refusal("time must be a number", given, "Give a float, or -1j times one"))
    moment = complex(time)
    if not (math.isfinite(moment.real) and math.isfinite(moment.imag)):
        raise ValueError(refusal("time must be finite", f"got {time!r}", "Give a finite number"))
    if moment.imag > 0:
        rule = "the imaginary part of time must not be positive, or waves would grow without bound"
        raise ValueError(refusal(rule, f"got {time!r}", "Give -1j * tau for an imaginary time tau"))
    return moment


def read_potential(potential: Any, space: Space) -> Any:
    """A NumPy array, or one of the library of psi that cannot be read, that broadcasts to the box; None for None."""
    if potential is None:
        return None
    potential = read_kernel(potential, space.home, "potential")
    missing = space.axes - potential.ndim
    sizes = (1,) * missing + tuple(potential.shape)
    if missing < 0 or any(size not in (1, whole) for size, whole in zip(sizes, space.sizes, strict=True)):
        given = f"it has shape {tuple(potential.shape)}, the box {space.sizes}"
        raise ValueError(refusal("a potential must be broadcastable to the axes of the wave", given, "Match its axes"))
    if dtype_name(potential.dtype) == "bool":
        raise TypeError(refusal("a potential must be numbers", "its dtype is bool", "Multiply it with a height"))
    if isinstance(potential, np.ndarray):
        if not np.isfinite(potential).all():
            remedy = 'Give a large number, or boundary="fixed" for hard walls'
            raise ValueError(refusal("a potential must be finite", "some entries are not", remedy))
        return potential.astype(np.complex128 if potential.dtype.kind == "c" else np.float64).reshape(sizes)
    return space.home.xp.reshape(potential, sizes)


def read_absorber(absorb: Any, space: Space, hbar: float, mass: float) -> tuple[tuple[float, ...], Any]:
    """(widths, rate): layers at both ends of each axis in which waves vanish, and their decay rate times hbar. [1]_

    ``W = E_min y``, ``y = a s - b s^3 + 4/(c - s)^2 - 4/(c + s)^2`` for ``0 < s < c`` through the layer, with
    ``k_min = c/(2 delta width)``: nothing is transmitted, and of shorter waves less than 1 % is reflected.

    References
    ----------
    .. [1] D. E. Manolopoulos, "Derivation and reflection properties of a transmission-free absorbing potential",
       Journal of Chemical Physics 117 (2002) 9552. DOI 10.1063/1.1517042
    """
    widths = spread("absorb", 0.0 if absorb is None else absorb, space.axes, read_nonnegative)
    total = np.zeros((1,) * space.axes)
    for axis, width in enumerate(widths):
        if not width:
            continue
        length = space.sizes[axis] * space.spacing[axis]
        if 2 * width >= length:
            given = f"axis {axis} is {length:g} long, absorb is {width:g}"
            raise ValueError(refusal("absorbing edges must leave room between them", given, "Make them narrower"))
        x = space.positions(axis)
        s = _END * np.clip(1 - np.minimum(x, length - x) / width, 0, None)
        a, b = 1 - 16 / _END**3, (1 - 17 / _END**3) / _END**2
        shape = a * s - b * s**3 + 4 / (_END - s) ** 2 - 4 / (_END + s) ** 2
        lowest = (hbar * _END / (2 * _QUALITY * width)) ** 2 / (2 * mass)
        total = total + lowest * shape
    return widths, total if any(widths) else None


def count_steps(
    moment: complex, potential: Any, widths: tuple[float, ...], space: Space, hbar: float, mass: float
) -> int:
    """As many steps as keep the potential's range from turning a phase by more than a quarter of a radian in one."""
    turned = 0.0
    if potential is not None:
        if not isinstance(potential, np.ndarray):
            rule = "a potential that cannot be read, traced, lazy or differentiated, needs steps"
            raise ValueError(refusal(rule, "got steps=None", "Give the number of steps"))
        spans = (np.ptp(part) if part.size else 0.0 for part in (potential.real, potential.imag))
        turned = abs(moment) * float(sum(spans)) / hbar / _TURN
    for width, spacing in zip(widths, space.spacing, strict=True):
        if width:
            turned = max(turned, _CROSSING * abs(moment) * math.pi * hbar / (mass * spacing * width))
    if turned > MOST_STEPS:
        given = f"a range of {turned * _TURN * hbar / max(abs(moment), 1e-300):.3g} takes {turned:.3g}"
        remedy = "Give steps, lower the potential where nothing gets to, or take boundary='fixed' for a hard wall"
        raise ValueError(refusal(f"at most {MOST_STEPS} steps are taken unasked", given, remedy))
    return max(1, math.ceil(turned))


def read_mechanics(mass: Any, hbar: Any) -> tuple[float, float]:
    return read_positive("mass", mass), read_positive("hbar", hbar)
