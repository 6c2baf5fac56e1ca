"""Directions in images: the strongest periodic pattern, and the direction in which an image varies most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.frequencies import wavenumbers
from gpuconv.core.namespace import bring_home, cast, dtype_name
from gpuconv.kernels._arguments import read_nonnegative
from gpuconv.spectral._apply import on_bins, sides_of
from gpuconv.spectral._signal import Signal, read_plane, read_spacing, relative, root, squared, unfold
from gpuconv.spectral._spectra import read_window, refuse_empty, windowed
from gpuconv.spectral._transfer import TransferFunction, check_transfer


class Stripes(NamedTuple):
    """A plane wave: cycles per unit of spacing, direction in radians, and amplitude in the unit of the image.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> stripes = spectral.strongest_stripes(np.cos(np.pi / 4 * np.arange(16)) * np.ones((16, 1)))
    >>> round(stripes.frequency.item(), 6), abs(round(stripes.angle.item(), 6))
    (0.125, 0.0)
    """

    frequency: Any
    angle: Any
    amplitude: Any


def orientation(
    x: Any,
    /,
    *,
    method: str = "moments",
    axes: Any = None,
    spacing: float | Sequence[float] = 1.0,
    window: str = "disc",
    transfer: TransferFunction | None = None,
) -> Any:
    """The direction in which an image varies most: ``angle = atan2(2 J[0,1], J[1,1] - J[0,0]) / 2``.

    J is the structure tensor of the whole image. By moments of the spectrum ``J[a,b] = sum (2 pi f_a)(2 pi f_b) P``,
    by "tensor" the mean of ``g_a g_b`` with slopes g from the spectral derivative. Parseval's theorem makes them equal
    to rounding, as long as slopes are periodic and 0 at Nyquist, as those of `gradient` are.

    Parameters
    ----------
    x : array of two axes or more
        The image; its mean does not matter.
    method : {"moments", "tensor"}
    axes : sequence of two int, optional
        Default: the last two.
    spacing : float or sequence of float
        Distance of two samples, one or one per axis.
    window : {"disc", "hann", "none"}
        As in `power_spectrum`. Turning an image changes what its corners show; a disc leaves them out.
    transfer : TransferFunction, optional
        Which frequencies count, such as ``lowpass(0.1)``, where the finest ones are noise. Default: all.

    Returns
    -------
    array, shape (batches...)
        Radians in (-pi/2, pi/2], from +axis 1 towards +axis 0: 0 for vertical stripes, which vary along axis 1,
        pi/2 for horizontal ones. Of an image without a direction it is arbitrary.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, there are not two axes, or one of them is empty.

    References
    ----------
    .. [1] J. Bigun and G. H. Granlund, "Optimal orientation detection of linear symmetry", Proceedings of the IEEE
       First International Conference on Computer Vision, 1987, pages 433-438.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> row, column = np.indices((64, 64))
    >>> stripes = np.cos(0.9 * (row * np.sin(0.5) + column * np.cos(0.5)))
    >>> bool(abs(spectral.orientation(stripes) - 0.5) < 1e-3)
    True
    """
    signal = read_plane(x, axes, "orientation")
    refuse_empty(signal, "orientation")
    read_choice("method", method, ("moments", "tensor"))
    spacings = read_spacing(spacing, 2)
    spectrum = signal.forward(windowed(signal, _without_mean(signal), read_window(window), spacings))
    if transfer is not None:
        spectrum = _weighed(signal, transfer, spacings, spectrum)
    tensor = _by_moments if method == "moments" else _by_slopes
    rows, mixed, columns = tensor(signal, spectrum, relative(spacings)[1])
    return _halved(signal, signal.rounded_real(0.5 * signal.xp.atan2(2.0 * mixed, columns - rows)))


def strongest_stripes(
    x: Any, /, *, axes: Any = None, spacing: float | Sequence[float] = 1.0, above: float = 0.0
) -> Stripes:
    """The strongest plane wave in an image: ``x ~ amplitude cos(2 pi f . r + phase)``.

    The strongest bin of the spectrum under a Hann window, its place between the bins from the ratio of its neighbours,
    which is exact for a wave alone (Grandke's method).

    Parameters
    ----------
    x : array of two axes or more, at least 4 samples on each
        The image; its mean does not matter.
    axes : sequence of two int, optional
        Default: the last two.
    spacing : float or sequence of float
        Distance of two samples, one or one per axis.
    above : float
        Slower bins are passed over, such as shades of a whole photo; in cycles per unit of spacing. The wave itself,
        which lies between bins, may be slower by a part of a bin.

    Returns
    -------
    Stripes
        Named tuple of `frequency` in cycles per unit of spacing, `angle` in radians in (-pi/2, pi/2], the direction
        across the stripes from +axis 1 towards +axis 0, and `amplitude` in the unit of `x`; arrays of shape
        (batches...).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, axes are too short, or no frequency is as large as `above`.

    References
    ----------
    .. [1] T. Grandke, "Interpolation algorithms for discrete Fourier transforms of weighted signals", IEEE
       Transactions on Instrumentation and Measurement 32, 1983. DOI 10.1109/TIM.1983.4315077

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> row, column = np.indices((64, 80))
    >>> x = 5 + 3 * np.cos(2 * np.pi * (0.1234 * row + 0.2 * column))
    >>> stripes = spectral.strongest_stripes(x)
    >>> round(stripes.frequency.item(), 3), round(stripes.angle.item(), 3), round(stripes.amplitude.item(), 2)
    (0.235, 0.553, 3.0)
    """
    signal = read_plane(x, axes, "strongest_stripes")
    if min(signal.sizes) < 4:
        given = f"x has shape {tuple(signal.given.shape)}"
        raise ValueError(refusal("stripes need 4 samples or more on each axis", given, "Give a larger image"))
    if signal.is_complex:
        given = f"x has dtype {dtype_name(signal.given.dtype)}"
        raise TypeError(refusal("stripes need a real image", given, "Take its real part, or its magnitude"))
    spacings, least = read_spacing(spacing, 2), read_nonnegative("above", above)
    peak = _Peak.of(signal, spacings, least)
    offsets = [peak.offset(position) for position in (0, 1)]
    unit, steps = relative(spacings)
    down, right = (
        (peak.wavenumber(position) + offsets[position]) * (1.0 / (signal.sizes[position] * steps[position]))
        for position in (0, 1)
    )
    # Windows have mean square 1: the mean of a Hann window is then sqrt(2/3) per axis; both signs share the wave.
    height = peak.height() * (2.0 * 1.5 / (signal.sizes[0] * signal.sizes[1]))
    return Stripes(
        signal.rounded_real(root(signal, down**2 + right**2) * (1.0 / unit)),
        _halved(signal, signal.rounded_real(signal.xp.atan2(down, right))),
        signal.rounded_real(height / (_hann_gain(signal, offsets[0]) * _hann_gain(signal, offsets[1]))),
    )


@dataclass(frozen=True)
class _Peak:
    """The strongest bin, as an array that is 1 there and 0 elsewhere: looked up without reading where it is.

    Both arrays have the image's two axes last.
    """

    signal: Signal
    magnitude: Any
    mark: Any

    @classmethod
    def of(cls, signal: Signal, spacings: Sequence[float], least: float) -> _Peak:
        xp = signal.xp
        spectrum = signal.forward(windowed(signal, _without_mean(signal), "hann"))
        magnitude = root(signal, unfold(signal, squared(signal, spectrum)))
        batches = tuple(axis for axis in range(signal.ndim) if axis not in signal.axes)
        magnitude = xp.permute_dims(magnitude, (*batches, *signal.axes))
        allowed = bring_home(_considered(signal, spacings, least), signal.home, signal.precision)
        flat = xp.reshape(magnitude * allowed, (*magnitude.shape[:-2], -1))
        best = xp.expand_dims(xp.argmax(flat, axis=-1), axis=-1)
        numbers = bring_home(np.arange(flat.shape[-1]), signal.home, dtype_name(best.dtype))
        mark = xp.reshape(cast(signal.home, numbers == best, signal.precision), magnitude.shape)
        return cls(signal, magnitude, mark)

    def height(self, steps: int = 0, position: int = 0) -> Any:
        """Magnitude at the peak, or some bins further along an axis."""
        moved = self.signal.xp.roll(self.magnitude, -steps, axis=position - 2) if steps else self.magnitude
        return self.signal.xp.sum(moved * self.mark, axis=(-2, -1))

    def wavenumber(self, position: int) -> Any:
        k = wavenumbers(self.signal.sizes[position])
        line = bring_home(k[:, None] if position == 0 else k, self.signal.home, self.signal.precision)
        return self.signal.xp.sum(self.mark * line, axis=(-2, -1))

    def offset(self, position: int) -> Any:
        """Distance of the wave from the bin: a Hann window has neighbours in the ratio ``(1 + d) / (2 - d)``."""
        xp, here = self.signal.xp, self.height()
        after, before = self.height(1, position), self.height(-1, position)
        ahead = after >= before
        larger = xp.where(ahead, after, before)
        total = here + larger
        offset = (2.0 * larger - here) / xp.where(total > 0, total, xp.ones_like(total))
        return xp.where(ahead, offset, -offset)


def _considered(signal: Signal, spacings: Sequence[float], least: float) -> np.ndarray:
    """1 where a peak may be: not at the mean, whose Hann window reaches one bin, nor below the least frequency."""
    k = [wavenumbers(size) for size in signal.sizes]
    f = [line / (size * step) for line, size, step in zip(k, signal.sizes, spacings, strict=True)]
    beside_mean = (abs(k[0])[:, None] <= 1) & (abs(k[1])[None, :] <= 1)
    slow = np.hypot(f[0][:, None], f[1][None, :]) < least
    if slow.all():
        given = f"got {least:g}, and the fastest wave that samples show has {math.hypot(*(abs(a).max() for a in f)):g}"
        raise ValueError(refusal("above must leave a frequency", given, "Give a smaller number, or check spacing"))
    # Waves of both signs are the same wave; half of the bins has them all.
    return ((k[1] >= 0) & ~beside_mean & ~slow).astype(float)


def _hann_gain(signal: Signal, offset: Any) -> Any:
    """How much of a wave a bin sees that is `offset` bins away, under a Hann window: ``sinc(d) / (1 - d^2)``."""
    xp = signal.xp
    offset = xp.clip(offset, -0.75, 0.75)
    angle = math.pi * xp.where(xp.abs(offset) < 1e-4, xp.full_like(offset, 1e-4), offset)
    return xp.sin(angle) / (angle * (1.0 - offset**2))


def _without_mean(signal: Signal) -> Any:
    return signal.x - signal.xp.mean(signal.x, axis=signal.axes, keepdims=True)


def _weighed(signal: Signal, transfer: Any, spacings: tuple[float, ...], spectrum: Any) -> Any:
    check_transfer(transfer, 2)
    if not transfer.is_hermitian:
        given = f"{transfer} makes real images complex"
        raise ValueError(refusal("frequencies need weights that are the same for f and -f", given, "Use a real kernel"))
    return spectrum * on_bins(signal, transfer, sides_of(signal, transfer, spacings, "wrap"), spectrum)


def _slope_lines(signal: Signal, spacings: Sequence[float]) -> list[Any]:
    """``2 pi f`` along each axis, 0 at Nyquist."""
    return [
        signal.line(2 * np.pi * signal.odd_wavenumbers(at) / (max(signal.sizes[at], 1) * step), at)
        for at, step in enumerate(spacings)
    ]


def _by_moments(signal: Signal, spectrum: Any, spacings: Sequence[float]) -> tuple[Any, Any, Any]:
    """``J[0,0], J[0,1], J[1,1]`` as second moments of the power spectrum."""
    k, size = signal.wavenumbers(1), signal.sizes[1]
    twice = np.where((k == 0) | (2 * k == size), 1.0, 2.0) if signal.is_half(1) else np.ones(len(k))
    power = squared(signal, spectrum) * signal.line(twice / max(prod(signal.sizes), 1) ** 2, 1)
    down, right = _slope_lines(signal, spacings)
    factors = (down * down, down * right, right * right)
    rows, mixed, columns = (signal.xp.sum(power * factor, axis=signal.axes) for factor in factors)
    return rows, mixed, columns


def _by_slopes(signal: Signal, spectrum: Any, spacings: Sequence[float]) -> tuple[Any, Any, Any]:
    """The same as means of products of slopes."""
    xp = signal.xp
    down, right = (signal.inverse(spectrum * line * 1j) for line in _slope_lines(signal, spacings))
    mixed = xp.real(down * xp.conj(right)) if signal.is_complex else down * right
    rows, mixed, columns = (
        xp.mean(values, axis=signal.axes) for values in (squared(signal, down), mixed, squared(signal, right))
    )
    return rows, mixed, columns


def _halved(signal: Signal, angle: Any) -> Any:
    """The same line with its angle in (-pi/2, pi/2]."""
    xp = signal.xp
    # In the precision of the result: rounded to single, pi/2 lies beyond its value in double.
    right, turn = xp.full_like(angle, math.pi / 2), xp.full_like(angle, math.pi)
    angle = xp.where(angle > right, angle - turn, angle)
    return xp.where(angle <= -right, angle + turn, angle)
