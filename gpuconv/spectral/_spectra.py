"""Looking at spectra: power, its logarithm, rings, and the bars of an equaliser."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from operator import add
from typing import Any, NamedTuple

import numpy as np

from gpuconv.core.arguments import read_choice, read_integer, refusal
from gpuconv.core.namespace import bring_home, has_double
from gpuconv.kernels._arguments import read_axis, read_positive, read_real
from gpuconv.spectral._signal import Signal, centred, read_signal, read_spacing, squared, unfold

WINDOWS = ("none", "hann", "disc")
# IEC 61260-1:2014, clause 5.2: octaves are powers of ten, and the reference is at 1000 Hz.
OCTAVE = 10.0**0.3
REFERENCE = 1000.0
# Annex E: what the third-octaves of a decade are called.
NOMINAL = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)


class RadialProfile(NamedTuple):
    """Mean power in rings: `frequency` of each ring's middle, `power`, and the `count` of its bins.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> spectral.radial_profile(np.ones((4, 4))).power.tolist()
    [1.0, 0.0, 0.0, 0.0]
    """

    frequency: Any
    power: Any
    count: Any


class Bands(NamedTuple):
    """Power in bands: `name` is the nominal frequency, `low`, `centre` and `high` are the exact ones.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> bars = spectral.bands(np.zeros(800), 1 / 8000, fraction=3, low=800, high=1250)
    >>> bars.name, [round(f, 1) for f in bars.centre]
    ((800.0, 1000.0, 1250.0), [794.3, 1000.0, 1258.9])
    """

    name: tuple[float, ...]
    low: tuple[float, ...]
    centre: tuple[float, ...]
    high: tuple[float, ...]
    power: Any


def power_spectrum(x: Any, /, *, axes: Any = None, window: str = "none") -> Any:
    """How much of ``|x|^2`` is at each frequency: ``P[k] = |X[k]|^2 / N^2``, so that ``sum P = mean |x|^2``.

    Parameters
    ----------
    x : array
        In any unit.
    axes : int or sequence of int, optional
        All by default; the others are batches.
    window : {"none", "hann", "disc"}
        What `x` is multiplied with before, so that its ends do not count as a step: a Hann window on each axis, or
        one Hann window in all directions from the middle, for what is to be turned. P is divided by its mean square.

    Returns
    -------
    array
        Real, of the shape of `x`, in the order of `numpy.fft.fftn`; in squared units of `x`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    .. [1] F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform",
       Proceedings of the IEEE 66, 1978. DOI 10.1109/PROC.1978.10837

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> x = 3 + 2 * np.cos(2 * np.pi * np.arange(8) / 8)
    >>> spectral.power_spectrum(x).round(12).tolist()
    [9.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    """
    signal = read_signal(x, axes)
    return signal.rounded_real(_power(signal, read_window(window)))


def log_spectrum(x: Any, /, *, axes: Any = None, window: str = "none", floor: float = -120.0) -> Any:
    """The power spectrum ready to look at: ``L = 10 log10(P / max P)`` in decibels, zero frequency in the middle.

    Parameters
    ----------
    x : array
        In any unit.
    axes, window
        As in `power_spectrum`.
    floor : float
        Least value, in decibels; below 0.

    Returns
    -------
    array
        Real, of the shape of `x`; zero frequency is at sample ``N // 2`` of each axis. Between `floor` and 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> x = 10 + 2 * np.cos(2 * np.pi * np.arange(8) / 8)
    >>> spectral.log_spectrum(x).round(6).tolist()
    [-120.0, -120.0, -120.0, -20.0, 0.0, -20.0, -120.0, -120.0]
    """
    signal = read_signal(x, axes)
    depth = read_real("floor", floor)
    if not -300 <= depth < 0:
        given = f"got {floor!r}"
        raise ValueError(refusal("floor must lie between -300 and 0 decibels", given, "Give a number such as -120"))
    power = _power(signal, read_window(window))
    if 0 in power.shape:
        return signal.rounded_real(power)
    xp = signal.xp
    largest = xp.max(power, axis=signal.axes, keepdims=True)
    relative = power / xp.where(largest > 0, largest, xp.ones_like(largest))
    decibels = 10.0 * xp.log10(xp.clip(relative, 10.0 ** (depth / 10), None))
    return signal.rounded_real(centred(signal, xp.clip(decibels, depth, None)))


def radial_profile(
    x: Any, /, *, axes: Any = None, spacing: float | Sequence[float] = 1.0, window: str = "none"
) -> RadialProfile:
    """Mean power over rings of equal frequency: ``p[r] = sum P[k] / count[r]`` over bins with ``round(|f| / df) = r``.

    `df` is the finest spacing of bins among the axes. Rings go on to the corners, and no bin is left out:
    ``sum p count = mean |x|^2``. Rings without a bin, as there are between those of a much coarser axis, are left out:
    there are never more rings than bins.

    Parameters
    ----------
    x : array
        In any unit.
    axes, window
        As in `power_spectrum`.
    spacing : float or sequence of float
        Distance of two samples, one or one per axis.

    Returns
    -------
    RadialProfile
        Named tuple of `frequency`, in cycles per unit of spacing, mean `power`, of shape (batches..., rings), and
        `count`, exact integers; arrays of the library of `x`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, an axis is empty, or bins are 2^50 times as far apart on one as on another.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> profile = spectral.radial_profile(np.eye(4))
    >>> profile.frequency.tolist(), profile.count.tolist()
    ([0.0, 0.25, 0.5, 0.75], [1, 8, 6, 1])
    """
    signal = read_signal(x, axes)
    spacings = read_spacing(spacing, len(signal.axes))
    refuse_empty(signal, "radial_profile")
    lengths = [size * step for size, step in zip(signal.sizes, spacings, strict=True)]
    number, ring, count = _rings(signal, lengths)
    power = _ring_sums(signal, _power(signal, read_window(window), spacings), ring, count)
    home, whole = signal.home, "int64" if has_double(signal.home) else "int32"
    return RadialProfile(
        bring_home(number / max(lengths), home, signal.precision),
        signal.rounded_real(power / bring_home(count.astype(float), home, signal.precision)),
        bring_home(count, home, whole),
    )


def bands(
    x: Any, /, spacing: float, *, fraction: int = 1, axis: int = -1, low: float = 20.0, high: float = 20000.0
) -> Bands:
    """The bars of an equaliser: mean square of a sound in octaves or third-octaves.

    ``power = sum P[k] overlap(k)`` over the bins, where a bin reaches half of its width to both sides, and counts by
    the part of it that is inside the band: no power is lost or counted twice between neighbouring bands.
    Bands are at ``1000 G^(i / fraction)`` Hz and reach ``G^(1 / (2 fraction))`` to both sides, ``G = 10^0.3``.

    Parameters
    ----------
    x : array
        A sound, in any unit; other axes are batches, such as channels.
    spacing : float
        Seconds between two samples.
    fraction : {1, 3}
        Octaves, or third-octaves.
    axis : int
    low, high : float
        Bands whose names lie between, in hertz; bands that reach beyond Nyquist are left out.

    Returns
    -------
    Bands
        Named tuple of `name`, the frequencies that bands are called by, the exact `low`, `centre` and `high`, all in
        hertz, and `power`, an array of shape (batches..., bands) in squared units of `x`.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or no band is left.

    References
    ----------
    .. [1] IEC 61260-1:2014, "Electroacoustics: octave-band and fractional-octave-band filters", clause 5.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> t = np.arange(4000) / 4000
    >>> bars = spectral.bands(np.sin(2 * np.pi * 250 * t), 1 / 4000)
    >>> bars.name
    (31.5, 63.0, 125.0, 250.0, 500.0, 1000.0)
    >>> bars.power.round(6).tolist()
    [0.0, 0.0, 0.0, 0.5, 0.0, 0.0]
    """
    signal = read_signal(x, None)
    signal = read_signal(x, read_axis(axis, signal.ndim))
    step = read_positive("spacing", spacing)
    if read_integer("fraction", fraction) not in (1, 3):
        raise ValueError(refusal("fraction must be 1 or 3", f"got {fraction!r}", "1 for octaves, 3 for third-octaves"))
    refuse_empty(signal, "bands")
    size = signal.sizes[0]
    indices = _band_indices(fraction, read_positive("low", low), read_positive("high", high), 0.5 / step)
    centres = [REFERENCE * OCTAVE ** (index / fraction) for index in indices]
    half = OCTAVE ** (0.5 / fraction)
    power = signal.xp.moveaxis(_power(signal, "none"), signal.axes[0], -1)
    one_sided = [
        _overlapping(signal, power, centre / half * size * step, centre * half * size * step) for centre in centres
    ]
    return Bands(
        tuple(_nominal(index * 3 // fraction) for index in indices),
        tuple(centre / half for centre in centres),
        tuple(centres),
        tuple(centre * half for centre in centres),
        signal.rounded_real(signal.xp.stack(one_sided, axis=-1)),
    )


def read_window(window: Any) -> str:
    return read_choice("window", "none" if window is None else window, WINDOWS)


def windowed(signal: Signal, x: Any, window: str, spacings: Sequence[float] | None = None) -> Any:
    """`x` times a window whose mean square is 1."""
    if window == "none" or 0 in signal.sizes:
        return x
    places = [(np.arange(size) + 0.5) / size - 0.5 for size in signal.sizes]
    if window == "hann":
        for position, place in enumerate(places):
            line = np.cos(np.pi * place) ** 2
            x = x * signal.line(line / np.sqrt(np.mean(line**2)), position)
        return x
    # The disc is round in units of spacing, and fits into the shortest axis.
    lengths = [size * step for size, step in zip(signal.sizes, spacings or (1.0,) * len(places), strict=True)]
    lines = [
        signal.line((place * length / min(lengths)) ** 2, position)
        for position, (place, length) in enumerate(zip(places, lengths, strict=True))
    ]
    xp = signal.xp
    disc = xp.cos(np.pi * xp.clip(xp.sqrt(reduce(add, lines)), None, 0.5)) ** 2
    return x * (disc / xp.sqrt(xp.mean(disc**2)))


def _power(signal: Signal, window: str, spacings: Sequence[float] | None = None) -> Any:
    """``|X|^2 / N^2`` of the windowed array, all bins."""
    half = squared(signal, signal.forward(windowed(signal, signal.x, window, spacings)))
    return unfold(signal, half) * (1.0 / max(prod(signal.sizes), 1) ** 2)


def refuse_empty(signal: Signal, name: str) -> None:
    if 0 in signal.sizes:
        given = f"x has shape {tuple(signal.given.shape)}"
        raise ValueError(refusal(f"{name} needs samples on its axes", given, "Give at least one"))


def _rings(signal: Signal, lengths: Sequence[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rings that have bins: their ``|f| / df``, which of them each bin is in (`axes` in order, flat), and counts."""
    finest = max(lengths)
    if finest / min(lengths) > 2.0**50:
        given = f"axes are {min(lengths):g} and {finest:g} long in units of spacing"
        raise ValueError(refusal("rings need axes of comparable lengths", given, "Check the units of spacing"))
    total = np.zeros((1,) * len(lengths))
    for position, (size, length) in enumerate(zip(signal.sizes, lengths, strict=True)):
        k = np.arange(size)
        line = np.minimum(k, size - k) * (finest / length)
        total = total + line.reshape([-1 if at == position else 1 for at in range(len(lengths))]) ** 2
    ring = np.floor(np.sqrt(total) + 0.5).ravel()
    if ring.max() > 2 * len(ring):
        return np.unique(ring, return_inverse=True, return_counts=True)
    ring = ring.astype(np.int64)
    count = np.bincount(ring)
    number = np.flatnonzero(count)
    return number, ring if len(number) == len(count) else (np.cumsum(count > 0) - 1)[ring], count[number]


def _ring_sums(signal: Signal, power: Any, ring: np.ndarray, count: np.ndarray) -> Any:
    """Sums of a spectrum over rings, which become the last axis.

    Bins are gathered ring by ring: so no sum is a difference of large ones, and any library can do it. Rings between
    two powers of two in length are filled up to the longest of them with a zero that is put behind the spectrum:
    all together take less than two spectra.
    """
    xp, home = signal.xp, signal.home
    batches = tuple(axis for axis in range(signal.ndim) if axis not in signal.axes)
    shape = tuple(signal.given.shape[axis] for axis in batches)
    flat = xp.reshape(xp.permute_dims(power, (*batches, *signal.axes)), (*shape, len(ring)))
    flat = xp.concat([flat, xp.zeros_like(flat[..., :1])], axis=-1)
    # Whole numbers of two bytes are sorted ten times as fast.
    order = np.argsort(ring.astype(np.min_scalar_type(len(count))), kind="stable")
    order = np.append(order, len(ring))
    start = np.cumsum(count) - count
    whole = "int64" if has_double(home) else "int32"
    octave = np.frexp(count)[1]
    groups = [np.flatnonzero(octave == one) for one in np.unique(octave)]
    sums = []
    for group in groups:
        place = np.arange(count[group].max())
        table = np.where(place < count[group, None], start[group, None] + place, len(ring))
        gathered = xp.take(flat, bring_home(order[table.ravel()], home, whole), axis=-1)
        sums.append(xp.sum(xp.reshape(gathered, (*shape, *table.shape)), axis=-1))
    back = np.argsort(np.concatenate(groups))
    return xp.take(xp.concat(sums, axis=-1), bring_home(back, home, whole), axis=-1)


def _band_indices(fraction: int, low: float, high: float, nyquist: float) -> list[int]:
    """Bands counted from the one at 1000 Hz."""
    ends = [np.log(limit / REFERENCE) / np.log(OCTAVE) * fraction for limit in (low, high)]
    edge = OCTAVE ** (0.5 / fraction)
    # Names are rounded: those of the outermost bands may lie on the other side of a limit than their centres.
    indices = [
        i
        for i in range(int(ends[0]) - 2, int(ends[1]) + 3)
        if low <= _nominal(i * 3 // fraction) <= high and REFERENCE * OCTAVE ** (i / fraction) * edge <= nyquist
    ]
    if not indices:
        given = f"low={low:g} Hz, high={high:g} Hz, and Nyquist is at {nyquist:g} Hz"
        remedy = "Check spacing, which is in seconds, and the limits"
        raise ValueError(refusal("there must be a band between low, high and Nyquist", given, remedy))
    return indices


def _nominal(third: int) -> float:
    """The name of a third-octave counted from the one at 1000 Hz."""
    decade, step = divmod(third, 10)
    return round(NOMINAL[step] * 1000.0 * 10.0**decade, 6)


def _overlapping(signal: Signal, power: Any, start: float, stop: float) -> Any:
    """Power of both signs between two positions in bins, counting parts of bins."""
    xp, size = signal.xp, power.shape[-1]
    # The mean is in no band.
    first, last = max(1, int(np.floor(start + 0.5))), min(int(np.ceil(stop - 0.5)), size // 2)
    bins = np.arange(first, last + 1)
    weights = np.clip(np.minimum(stop, bins + 0.5) - np.maximum(start, bins - 0.5), 0, 1)
    # Nyquist of an even size is its own mirror image, and not counted twice.
    twin_weights = np.where(2 * bins == size, 0.0, weights)
    twins = xp.flip(power[..., 1:], axis=-1)[..., first - 1 : max(last, first - 1)]
    both = [
        values * bring_home(line, signal.home, signal.precision)
        for values, line in ((power[..., first : max(last + 1, first)], weights), (twins, twin_weights))
    ]
    return xp.sum(both[0] + both[1], axis=-1)
