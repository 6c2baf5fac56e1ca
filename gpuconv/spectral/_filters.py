"""Transfer functions by name: lowpass, highpass, bandpass, bandstop, notch, stripe_stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.namespace import Home, cast, dtype_name
from gpuconv.kernels._arguments import read_positive, read_real
from gpuconv.spectral._transfer import Complement, TransferFunction

PROFILES = ("ideal", "butterworth", "gaussian", "raised_cosine")
# A bin this near the cutoff, relatively, is at it, so that single precision and double cut at the same bin.
AT_CUTOFF = 1e-6


@dataclass(frozen=True)
class Profile:
    """How a filter goes from passing to stopping, as a function of ``u = (f / cutoff)^2``; one half at ``u = 1``."""

    name: str
    order: float
    rolloff: float

    def __call__(self, home: Home, u: Any) -> Any:
        xp = home.xp
        if self.name == "ideal":
            return cast(home, u <= (1 + AT_CUTOFF) ** 2, dtype_name(u.dtype))
        if self.name == "butterworth":
            return 1.0 / (1.0 + _power(u, self.order))
        if self.name == "gaussian":
            return xp.exp(-math.log(2.0) * u)
        beyond = (xp.sqrt(u) - (1.0 - self.rolloff)) / (2.0 * self.rolloff)
        return 0.5 + 0.5 * xp.cos(math.pi * xp.clip(beyond, 0.0, 1.0))

    def __str__(self) -> str:
        if self.name == "butterworth":
            return f"'butterworth', order={self.order:g}"
        return f"'raised_cosine', rolloff={self.rolloff:g}" if self.name == "raised_cosine" else f"'{self.name}'"


def _power(u: Any, order: float) -> Any:
    """``u^order``; whole orders by squaring, which takes a tenth of the time of a general power."""
    if order != int(order):
        return u**order
    result, rest = None, int(order)
    while rest:
        if rest % 2:
            result = u if result is None else result * u
        rest //= 2
        u = u * u if rest else u
    return result


@dataclass(frozen=True, repr=False)
class Lowpass(TransferFunction):
    """``H(f) = p(|f|^2 / cutoff^2)`` with a profile p."""

    cutoff: float
    profile: Profile

    def evaluate(self, home: Home, frequencies: Sequence[Any]) -> Any:
        # An infinite factor would make a NaN of zero frequency.
        scale = min(1.0 / self.cutoff, float(np.finfo(dtype_name(frequencies[0].dtype)).max))
        return self.profile(home, reduce(add, [(f * scale) ** 2 for f in frequencies]))

    def __str__(self) -> str:
        return f"lowpass({self.cutoff:g}, {self.profile})"


@dataclass(frozen=True, repr=False)
class Band(TransferFunction):
    """``H(f) = lowpass(high) - lowpass(low)``."""

    low: Lowpass
    high: Lowpass

    def evaluate(self, home: Home, frequencies: Sequence[Any]) -> Any:
        return self.high.evaluate(home, frequencies) - self.low.evaluate(home, frequencies)

    def __str__(self) -> str:
        return f"bandpass({self.low.cutoff:g}, {self.high.cutoff:g}, {self.low.profile})"


@dataclass(frozen=True, repr=False)
class Notch(TransferFunction):
    """``H(f) = (1 - p(|f - centre|^2 / width^2)) (1 - p(|f + centre|^2 / width^2))``."""

    centre: tuple[float, ...]
    stopped: Lowpass

    def __post_init__(self) -> None:
        object.__setattr__(self, "ndim", len(self.centre))
        object.__setattr__(self, "is_even", sum(part != 0 for part in self.centre) <= 1)

    def evaluate(self, home: Home, frequencies: Sequence[Any]) -> Any:
        pairs = list(zip(frequencies, self.centre, strict=True))
        below = 1.0 - self.stopped.evaluate(home, [f - centre for f, centre in pairs])
        return below * (1.0 - self.stopped.evaluate(home, [f + centre for f, centre in pairs]))

    def __str__(self) -> str:
        at = f"{self.centre[0]:g}" if self.ndim == 1 else "(" + ", ".join(f"{part:g}" for part in self.centre) + ")"
        return f"notch({at}, {self.stopped.cutoff:g}, {self.stopped.profile})"


@dataclass(frozen=True, repr=False)
class StripeStop(TransferFunction):
    """``H(f) = 1 - p(across^2 / width^2) (1 - p(along^2 / above^2))`` beside and along a line through zero."""

    angle: float
    across: Lowpass
    along: Lowpass

    def __post_init__(self) -> None:
        object.__setattr__(self, "ndim", 2)
        object.__setattr__(self, "is_even", 0.0 in self.direction)

    @property
    def direction(self) -> tuple[float, float]:
        """Unit vector of the line; a part that is nothing but rounding is 0."""
        parts = (math.sin(self.angle), math.cos(self.angle))
        return tuple(0.0 if abs(part) < 1e-15 else part for part in parts)  # type: ignore[return-value]

    def evaluate(self, home: Home, frequencies: Sequence[Any]) -> Any:
        (down, right), (sine, cosine) = frequencies, self.direction
        beside = self.across.evaluate(home, [down * cosine - right * sine])
        return 1.0 - beside * (1.0 - self.along.evaluate(home, [down * sine + right * cosine]))

    def __str__(self) -> str:
        widths = f"{self.across.cutoff:g}, above={self.along.cutoff:g}"
        return f"stripe_stop({self.angle:.4g}, {widths}, {self.across.profile})"


def lowpass(cutoff: float, profile: str = "butterworth", order: float = 2, *, rolloff: float = 0.5) -> TransferFunction:
    """Pass what is slower than the cutoff: ``H(f) = p((|f| / cutoff)^2)``.

    Radial, for any number of axes, and zero-phase: what passes does not move. ``p(u)`` is one half at the cutoff, but
    for "ideal", which passes it:

    =================  ============================================================================================
    "ideal"            1 up to ``u = 1``, then 0; rings
    "butterworth"      ``1 / (1 + u^order)``
    "gaussian"         ``2^-u``; never rings
    "raised_cosine"    1 up to ``(1 - rolloff) cutoff``, 0 from ``(1 + rolloff) cutoff``, half a cosine between
    =================  ============================================================================================

    Parameters
    ----------
    cutoff : float
        In cycles per unit of spacing; Nyquist is ``1 / (2 spacing)``.
    profile : {"butterworth", "ideal", "gaussian", "raised_cosine"}
    order : float
        Of "butterworth": how steep it is.
    rolloff : float
        Of "raised_cosine": half of the width of the edge as a fraction of the cutoff, above 0, at most 1.

    Returns
    -------
    TransferFunction

    Raises
    ------
    ValueError
        If a number is out of range or the profile unknown.

    Notes
    -----
    `scipy.signal.butter` designs a causal recursive filter whose *amplitude* is ``1 / sqrt(1 + (f/fc)^(2 order))``
    (in the analog prototype), 0.707 at the cutoff, with a phase, and takes the cutoff as a fraction of Nyquist. Here
    the gain itself is ``1 / (1 + (f/fc)^(2 order))``, without phase: what `scipy.signal.filtfilt` makes of it by
    running it both ways.

    References
    ----------
    .. [1] S. Butterworth, "On the theory of filter amplifiers", Experimental Wireless and the Wireless Engineer 7,
       1930, pages 536-541.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> transfer = spectral.lowpass(0.1, order=3)
    >>> transfer
    lowpass(0.1, 'butterworth', order=3)
    >>> print(transfer([0.0, 0.1, 0.2]).round(4).tolist())
    [1.0, 0.5, 0.0154]
    """
    return _lowpass(cutoff, profile, order, rolloff)


def highpass(
    cutoff: float, profile: str = "butterworth", order: float = 2, *, rolloff: float = 0.5
) -> TransferFunction:
    """Pass what is faster than the cutoff: ``H(f) = 1 - lowpass(f)``, exactly, for every profile.

    Parameters
    ----------
    cutoff, profile, order, rolloff
        As in `lowpass`.

    Returns
    -------
    TransferFunction

    Raises
    ------
    ValueError
        As in `lowpass`.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> print(spectral.highpass(0.1, "ideal")([0.0, 0.1, 0.2]).tolist())
    [0.0, 0.0, 1.0]
    """
    passed = _lowpass(cutoff, profile, order, rolloff)
    return Complement(passed, f"highpass({passed.cutoff:g}, {passed.profile})")


def bandpass(
    low: float, high: float, profile: str = "butterworth", order: float = 2, *, rolloff: float = 0.5
) -> TransferFunction:
    """Pass what is between two cutoffs: ``H(f) = lowpass(high) - lowpass(low)``.

    Adjacent bands add up to one band, and with a `lowpass` below and a `highpass` above to everything. A band that is
    narrow for its profile passes less than 1 even in the middle; `order` makes edges steeper.

    Parameters
    ----------
    low, high : float
        Cutoffs in cycles per unit of spacing.
    profile, order, rolloff
        As in `lowpass`.

    Returns
    -------
    TransferFunction

    Raises
    ------
    ValueError
        As in `lowpass`; and if `low` is not below `high`.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> print(spectral.bandpass(0.1, 0.3, "ideal")([0.05, 0.2, 0.4]).tolist())
    [0.0, 1.0, 0.0]
    """
    return _band(low, high, profile, order, rolloff)


def bandstop(
    low: float, high: float, profile: str = "butterworth", order: float = 2, *, rolloff: float = 0.5
) -> TransferFunction:
    """Stop what is between two cutoffs: ``H(f) = 1 - bandpass(f)``, exactly.

    Parameters
    ----------
    low, high, profile, order, rolloff
        As in `bandpass`.

    Returns
    -------
    TransferFunction

    Raises
    ------
    ValueError
        As in `bandpass`.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> print(spectral.bandstop(0.1, 0.3, "ideal")([0.05, 0.2, 0.4]).tolist())
    [1.0, 0.0, 1.0]
    """
    band = _band(low, high, profile, order, rolloff)
    return Complement(band, str(band).replace("bandpass", "bandstop", 1))


def notch(
    frequency: float | Sequence[float],
    width: float | None = None,
    profile: str = "gaussian",
    order: float = 2,
    *,
    rolloff: float = 0.5,
) -> TransferFunction:
    """Stop one wave: ``H(f) = (1 - p(|f - frequency|^2 / width^2)) (1 - p(|f + frequency|^2 / width^2))``.

    Parameters
    ----------
    frequency : float or sequence of float
        Of the wave, in cycles per unit of spacing: one number for one axis, or one per axis.
    width : float, optional
        Distance from it at which half is stopped. Default: a tenth of its length.
    profile, order, rolloff
        As in `lowpass`.

    Returns
    -------
    TransferFunction
        For as many axes as `frequency` has entries.

    Raises
    ------
    ValueError
        As in `lowpass`; and if the frequency is zero.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> print(spectral.notch(0.2, 0.01)([0.1, 0.19, 0.2]).round(6).tolist())
    [1.0, 0.5, 0.0]
    """
    centre = _read_vector(frequency)
    if not any(centre):
        raise ValueError(
            refusal("frequency must not be zero", f"got frequency={frequency!r}", "Use highpass to stop the mean")
        )
    stopped = _lowpass(math.hypot(*centre) / 10 if width is None else width, profile, order, rolloff, "width")
    return Notch(centre, stopped)


def stripe_stop(
    angle: float,
    width: float,
    *,
    above: float | None = None,
    profile: str = "gaussian",
    order: float = 2,
    rolloff: float = 0.5,
) -> TransferFunction:
    """Stop stripes of any period: ``H(f) = 1 - p(across^2 / width^2) (1 - p(along^2 / above^2))``.

    Stripes have all their frequencies on a line through zero; `along` and `across` are the coordinates of f along
    that line and beside it. What varies more slowly than `above` stays, and so does the mean.

    Parameters
    ----------
    angle : float
        Direction in which the stripes vary, across them, in radians from +axis 1 towards +axis 0, as `orientation`
        gives it: 0 stops vertical stripes, pi/2 horizontal ones.
    width : float
        Distance from the line at which half is stopped, in cycles per unit of spacing.
    above : float, optional
        Where along the line stopping begins. Default: `width`.
    profile, order, rolloff
        As in `lowpass`.

    Returns
    -------
    TransferFunction
        For two axes.

    Raises
    ------
    ValueError
        As in `lowpass`.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> transfer = spectral.stripe_stop(0.0, 0.01)
    >>> print(transfer(0.0, [0.0, 0.1, 0.3]).round(6).tolist())
    [1.0, 0.0, 0.0]
    """
    across = _lowpass(width, profile, order, rolloff, "width")
    along = replace(across, cutoff=read_positive("above", across.cutoff if above is None else above))
    return StripeStop(read_real("angle", angle), across, along)


def _read_vector(frequency: Any) -> tuple[float, ...]:
    """One number, or one per axis."""
    entries = frequency.tolist() if isinstance(frequency, np.ndarray) else frequency
    entries = tuple(entries) if isinstance(entries, (list, tuple)) else (entries,)
    return tuple(read_real("frequency", part) for part in entries)


def _lowpass(cutoff: Any, profile: Any, order: Any, rolloff: Any, name: str = "cutoff") -> Lowpass:
    profile = read_choice("profile", profile, PROFILES, {"raised cosine": "raised_cosine"})
    steepness, edge = read_positive("order", order), read_positive("rolloff", rolloff)
    if edge > 1:
        raise ValueError(refusal("rolloff must be at most 1", f"got {rolloff!r}", "Give a fraction of the cutoff"))
    return Lowpass(read_positive(name, cutoff), Profile(profile, steepness, edge))


def _band(low: Any, high: Any, profile: Any, order: Any, rolloff: Any) -> Band:
    below, above = (_lowpass(cutoff, profile, order, rolloff, name) for cutoff, name in ((low, "low"), (high, "high")))
    if below.cutoff >= above.cutoff:
        given = f"got low={low!r}, high={high!r}"
        raise ValueError(refusal("low must be below high", given, "Swap them, or use lowpass or highpass"))
    return Band(below, above)
