"""Filtering through the spectrum: `apply`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.boundary import ALIASES, Span, extend
from gpuconv.core.dtypes import DtypeRule, complex_of
from gpuconv.core.frequencies import fast_length, nyquist, wavenumbers
from gpuconv.kernels._arguments import spread
from gpuconv.methods import transform
from gpuconv.spectral._signal import Signal, line_along, read_signal, read_spacing
from gpuconv.spectral._transfer import Line, TransferFunction, check_transfer, on_grid

BOUNDARIES = ("wrap", "reflect", "constant")


@dataclass(frozen=True)
class Side:
    """How one axis is transformed: `period` samples of the extended axis, by cosines or by waves."""

    axis: int
    size: int
    period: int
    spacing: float
    boundary: str
    by_cosines: bool


def apply(
    x: Any,
    /,
    transfer: TransferFunction,
    *,
    axes: Any = None,
    spacing: float | Sequence[float] = 1.0,
    boundary: str | Sequence[str] = "wrap",
    cval: complex = 0.0,
) -> Any:
    """Filter through the spectrum: ``y = F^-1[H F[x]]``, with F the Fourier transform of the extended array.

    Parameters
    ----------
    x : array
        Of any array library, in any unit.
    transfer : TransferFunction
        H, such as ``lowpass(0.1)``.
    axes : int or sequence of int, optional
        Axes that are filtered, all by default; the others are batches.
    spacing : float or sequence of float
        Distance of two samples, one or one per axis; its unit is the one that the cutoffs are per.
    boundary : {"wrap", "reflect", "constant"} or sequence of these
        What lies beyond the ends, one or one per axis. "wrap" repeats the array, so that what leaves at one end comes
        in at the other; "reflect" mirrors it, which leaves no step to ring at; "constant" puts `cval` around it, at
        least as much as the array is long, and that repeats.
    cval : float or complex
        The value of "constant".

    Returns
    -------
    array
        Shape, library and device of `x`. Floating and complex dtypes are kept; integers give float32, or float64 for
        those of 32 and 64 bits. Half precision is computed in float32 and rounded once.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or `transfer` is for another number of axes.

    Notes
    -----
    A NaN or an infinity anywhere spoils the whole result: all frequencies have a part in every sample.

    References
    ----------
    .. [1] A. V. Oppenheim and R. W. Schafer, "Discrete-Time Signal Processing", 3rd ed., 2009, chapter 8.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> wave = np.cos(2 * np.pi * np.arange(8) / 8)
    >>> both = 3.0 + wave
    >>> spectral.apply(both, spectral.lowpass(0.1, "ideal")).round(12).tolist()
    [3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    >>> bool(np.allclose(spectral.apply(both, spectral.highpass(0.1, "ideal")), wave))
    True
    """
    signal = _read(x, axes, transfer)
    sides = sides_of(signal, transfer, spacing, boundary)
    fill = _read_fill(cval, signal) if any(side.boundary == "constant" for side in sides) else 0
    if 0 in signal.given.shape:
        return signal.rounded(signal.x)
    result = _filtered(signal, transfer, sides, signal.x - fill if fill else signal.x)
    if fill:
        result = result + fill * _at_zero(transfer, len(sides))
    return signal.rounded(result)


def _read(x: Any, axes: Any, transfer: Any) -> Signal:
    """The signal, complex if the transfer function makes it so."""
    signal = read_signal(x, axes)
    check_transfer(transfer, len(signal.axes))
    if transfer.is_hermitian or signal.is_complex:
        return signal
    return replace(signal, rule=DtypeRule(complex_of(signal.rule.result), complex_of(signal.dtype)))


def sides_of(signal: Signal, transfer: TransferFunction, spacing: Any, boundary: Any) -> tuple[Side, ...]:
    count = len(signal.axes)
    boundaries = spread("boundary", boundary, count, lambda name, value: read_choice(name, value, BOUNDARIES, ALIASES))
    sides = []
    for axis, size, step, edge in zip(signal.axes, signal.sizes, read_spacing(spacing, count), boundaries, strict=True):
        period = {"wrap": size, "reflect": 2 * size, "constant": fast_length(2 * size)}[edge]
        # The spectrum of a mirrored axis is one of cosines, as long as H does not tell f from -f.
        sides.append(Side(axis, size, period, step, edge, edge == "reflect" and transfer.is_even))
    return tuple(sides)


def _filtered(signal: Signal, transfer: TransferFunction, sides: tuple[Side, ...], x: Any) -> Any:
    waves = [side for side in sides if not side.by_cosines]
    cosines = [side for side in sides if side.by_cosines]
    for side in waves:
        if side.boundary == "reflect":
            x = extend(signal.xp, x, Span(side.axis, side.size, 1, 0, side.period, "reflect"))
    for side in cosines:
        x = transform.cosine(x, side.axis)
    axes, periods = [side.axis for side in waves], [side.period for side in waves]
    if waves:
        x = transform.forward(x, axes, periods)
    x = x * on_bins(signal, transfer, sides, x)
    if waves:
        x = transform.inverse(x, axes, periods, signal.dtype)
    for side in cosines:
        x = transform.cosine(x, side.axis, inverse=True)
    return x[tuple(slice(0, size) for size in signal.given.shape)]


def on_bins(signal: Signal, transfer: TransferFunction, sides: tuple[Side, ...], spectrum: Any) -> Any:
    """H at the bins of a spectrum, in the precision of the signal."""
    lines = []
    for side in sides:
        bins = spectrum.shape[side.axis]
        if side.by_cosines:
            k, peak = wavenumbers(2 * bins, half=True)[:bins], None
        else:
            k, peak = wavenumbers(side.period, half=bins < side.period), nyquist(side.period)
        lines.append(Line(side.axis, k / (side.period * side.spacing), peak))
    return on_grid(transfer, signal.home, lines, lambda line, axis: line_along(signal, line, axis))


def _at_zero(transfer: TransferFunction, count: int) -> complex:
    """What becomes of a constant."""
    value = complex(transfer(*(0.0,) * count))
    return value.real if transfer.is_hermitian else value


def _read_fill(cval: Any, signal: Signal) -> complex:
    if isinstance(cval, (np.ndarray, np.generic)) and np.ndim(cval) == 0:
        cval = cval.item()
    if isinstance(cval, bool) or not isinstance(cval, (int, float, complex)):
        raise TypeError(refusal("cval must be a number", f"got {cval!r}", "Give a plain int, float or complex"))
    if isinstance(cval, complex) and not signal.is_complex:
        given = f"got {cval!r} for {signal.rule.result}"
        raise ValueError(refusal("cval of a real array must be real", given, "Cast x to complex first"))
    parts = (cval.real, cval.imag)
    most = float(np.finfo(signal.precision).max)
    if not all(-most <= part <= most for part in parts):  # nor is NaN
        given = f"got {cval:g}" if isinstance(cval, (float, complex)) else "got a whole number beyond it"
        rule = f"cval must be finite, and in the range of {signal.precision}"
        raise ValueError(refusal(rule, given, "All frequencies have a part in every sample: give a smaller number"))
    return cval
