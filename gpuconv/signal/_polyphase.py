"""SciPy's changes of the sampling rate by sub-filters: upfirdn, resample_poly."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np

from gpuconv._scipy_arguments import read_array, read_line
from gpuconv.backends.cpu import originals
from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import COMPLEX, FLOATS
from gpuconv.core.namespace import Home, cast, dtype_name, zeros_from
from gpuconv.methods.resample import Rates, resample
from gpuconv.signal._dtypes import only_scipy_computes, part, promoted, promoted_array, read_taps
from gpuconv.signal._extension import MODES, extended, read_extension, read_fill
from gpuconv.signal._handover import hand_over

_BACKGROUNDS = ("maximum", "mean", "median", "minimum")


def upfirdn(h: Any, x: Any, up: int = 1, down: int = 1, axis: int = -1, mode: str = "constant", cval: Any = 0) -> Any:
    """Put zeros between samples, filter and keep some of the samples, as `scipy.signal.upfirdn`.

    ``y[n] = sum_q h[n down - q up] x~[q]``, without the products with those zeros: every output meets the taps of one
    sub-filter, ``h[p], h[p + up], ...``.

    Parameters
    ----------
    h : array, one dimension
        Taps.
    x : array, any shape
        Signal, of any array library.
    up : int
        One less than this many zeros are put between samples.
    down : int
        Every `down`-th sample is kept.
    axis : int
        The axis that is filtered.
    mode : str
        What lies beyond the ends: "constant", "symmetric" (gpuconv's "reflect"), "reflect" (its "mirror"), "edge"
        ("nearest"), "wrap", "smooth" (the slope of the last two samples), "antisymmetric", "antireflect", "line" (the
        slope from the first to the last sample).
    cval : number
        Fill value of "constant".

    Returns
    -------
    array
        ``ceil(((n - 1) up + len(h)) / down)`` samples on the axis; in the common dtype of h, x and float32.

    Raises
    ------
    ValueError
        If `h` is not one non-empty line, `up` or `down` is less than 1, or `mode` is unknown, or another one than
        "constant" for an axis without samples.
    IndexError
        If `axis` is out of range.

    References
    ----------
    .. [1] P. P. Vaidyanathan, "Multirate Systems and Filter Banks", 1993, section 4.3.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.upfirdn([0.5, 1.0, 0.5], [1.0, 2.0, 4.0], 2).tolist()
    [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 2.0]
    """
    x, home = read_array(x, "x")
    _check_samples(x, axis, mode)
    taps = read_taps(h, home, "h")
    names = (dtype_name(taps.dtype), dtype_name(x.dtype), "float32")
    if only_scipy_computes(home, *names):
        return hand_over("upfirdn", h, x, up, down, axis, mode, cval)
    _check_line(taps, "h")
    up, down = _read_rates(_whole("up", up), _whole("down", down))
    axis, mode = read_line(axis, x.ndim), read_extension(mode)
    name = promoted(home, *names)
    count = ((x.shape[axis] - 1) * up + taps.shape[0] - 1) // down + 1
    rates = Rates(axis, up, down, 0, count, taps.shape[0])
    return _resampled(home, cast(home, x, name), promoted_array(home, taps, name), rates, (mode, read_fill(cval, name)))


def resample_poly(
    x: Any,
    up: int,
    down: int,
    axis: int = 0,
    window: Any = ("kaiser", 5.0),
    padtype: str = "constant",
    cval: Any = None,
) -> Any:
    """Resample by the ratio ``up / down`` with a low-pass filter, as `scipy.signal.resample_poly`.

    ``y[n] = up sum_q h[half + n down - q up] x~[q]``, ``half = (K - 1)//2`` for K taps h: `upfirdn` without the delay.

    Parameters
    ----------
    x : array, any shape
        Signal, of any array library.
    up, down : int
        The ratio of the rates; it is reduced first.
    axis : int
        The axis that is resampled.
    window : str, tuple, float or array
        What `scipy.signal.firwin` takes as its window, for a filter of ``20 max(up, down) + 1`` taps that passes half
        the lower of both rates; or the taps themselves, as an array or a list.
    padtype : str
        What lies beyond the ends: a mode of `upfirdn`, or the "mean", "median", "minimum" or "maximum" of each line.
    cval : number, optional
        Fill value of "constant"; default 0.

    Returns
    -------
    array
        ``ceil(n up / down)`` samples on the axis. Floats keep their precision, but at least single, with a filter that
        is designed here; integers give float64.

    Raises
    ------
    ValueError
        If `up` or `down` is no integer of at least 1, `padtype` is unknown, or there is a `cval` with another one
        than "constant".
    IndexError
        If `axis` is out of range.

    References
    ----------
    .. [1] P. P. Vaidyanathan, "Multirate Systems and Filter Banks", 1993, section 4.3.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.resample_poly([1.0, 2.0, 3.0, 2.0], 2, 1, padtype="line").round(2).tolist()
    [1.0, 1.32, 2.0, 2.77, 3.0, 2.54, 2.0, 1.97]
    """
    x, home = read_array(x, "x")
    if padtype in (*_BACKGROUNDS, *MODES) and x.shape[read_line(axis, x.ndim)] == 0:
        # A line without samples stays one, whatever would lie beyond it.
        padtype, cval = "constant", None
    if only_scipy_computes(home, dtype_name(x.dtype), "float32"):
        return hand_over("resample_poly", x, up, down, axis, window, padtype, cval)
    for argument, value in (("up", up), ("down", down)):
        if value != _whole(argument, value):
            raise ValueError(refusal(f"{argument} must be an integer", f"got {value!r}", "Give a plain int"))
    up, down = _read_rates(int(up), int(down))
    if cval is not None and padtype != "constant":
        fact = f"got cval={cval!r} and padtype={padtype!r}"
        raise ValueError(refusal("cval has no effect but with padtype 'constant'", fact, "Leave one of them away"))
    axis = read_line(axis, x.ndim)
    up, down = up // gcd(up, down), down // gcd(up, down)
    if up == down == 1:
        return home.xp.asarray(x, copy=True)
    taps = _filter(home, x, window, max(up, down))
    name = promoted(home, dtype_name(taps.dtype), dtype_name(x.dtype), "float32")
    taps, x = promoted_array(home, taps * up, name), cast(home, x, name)
    rates = Rates(axis, up, down, (taps.shape[0] - 1) // 2, -(-x.shape[axis] * up // down), taps.shape[0])
    if padtype in _BACKGROUNDS:
        background = _background(home, x, axis, padtype)
        return _resampled(home, x - background, taps, rates, ("constant", 0)) + background
    if padtype not in MODES:
        rule = f"padtype must be one of: {', '.join((*_BACKGROUNDS, *MODES))}"
        raise ValueError(refusal(rule, f"got {padtype!r}", "Choose one of these"))
    return _resampled(home, x, taps, rates, (padtype, read_fill(0 if cval is None else cval, name)))


def _read_rates(up: int, down: int) -> tuple[int, int]:
    if up < 1 or down < 1:
        raise ValueError(refusal("Both up and down must be >= 1", f"got up={up}, down={down}", "Give positive ints"))
    return up, down


def _whole(argument: str, value: Any) -> int:
    """What int() makes of it, as in SciPy."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as failure:
        kind = type(failure)
        raise kind(refusal(f"{argument} must be an integer", f"got {value!r}", "Give a plain int")) from None


def _check_samples(x: Any, axis: int, mode: Any) -> None:
    """Only a constant goes on where there is nothing; SciPy's compiled code divides by zero there."""
    if read_extension(mode) != "constant" and x.shape[read_line(axis, x.ndim)] == 0:
        fact = f"got an empty axis and mode={mode!r}"
        raise ValueError(refusal("only mode 'constant' extends an axis without samples", fact, "Use mode='constant'"))


def _check_line(taps: Any, argument: str) -> None:
    if len(taps.shape) != 1 or taps.shape[0] == 0:
        fact = f"its shape is {tuple(taps.shape)}"
        raise ValueError(refusal(f"{argument} must be 1-D with non-zero length", fact, "Give a line of taps"))


def _resampled(home: Home, x: Any, taps: Any, rates: Rates, edge: tuple[str, Any]) -> Any:
    shape = (*x.shape[: rates.axis], max(rates.count, 0), *x.shape[rates.axis + 1 :])
    if 0 in shape:
        return zeros_from(home, shape, dtype_name(x.dtype), x, taps)
    return resample(extended(home, x, rates, *edge), taps, rates)


def _filter(home: Home, x: Any, window: Any, fastest: int) -> Any:
    """Taps given by the caller, or designed in the precision of the signal, at least single."""
    if isinstance(window, list) or hasattr(window, "shape"):
        taps = read_taps(window, home, "window")
        _check_line(taps, "window")
        return taps
    taps = np.asarray(originals.signal_firwin(20 * fastest + 1, 1.0 / fastest, window=window))
    name = dtype_name(x.dtype)
    return taps.astype(promoted(home, name, "float32") if name in FLOATS + COMPLEX else "float64")


def _background(home: Home, x: Any, axis: int, kind: str) -> Any:
    xp = home.xp
    if kind != "median":
        return {"mean": xp.mean, "minimum": xp.min, "maximum": xp.max}[kind](x, axis=axis, keepdims=True)
    size = x.shape[axis]
    ordered = xp.sort(x, axis=axis)
    lower, upper = (part(ordered, axis, middle, middle + 1) for middle in ((size - 1) // 2, size // 2))
    median = (lower + upper) / 2
    # Sorting puts NaN behind everything else.
    return xp.where(xp.any(xp.isnan(x), axis=axis, keepdims=True), xp.full_like(median, float("nan")), median)
