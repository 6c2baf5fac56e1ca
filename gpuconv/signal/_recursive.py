"""SciPy's lfilter: a convolution as long as nothing is fed back."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv import convolution
from gpuconv._scipy_arguments import read_array, read_line
from gpuconv.backends.cupyx import signal_originals
from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import COMPLEX, FLOATS, is_complex, real_of
from gpuconv.core.namespace import Home, bring_home, cast, dtype_name
from gpuconv.signal._dtypes import only_scipy_computes, part, promoted, promoted_array, read_taps
from gpuconv.signal._handover import hand_over


def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter by a difference equation, as `scipy.signal.lfilter`, if it is a convolution.

    ``a[0] y[n] = sum_m b[m] x[n - m]``, for `a` of one number. What feeds back its own output is no convolution: SciPy
    does it for NumPy arrays, cupyx for CuPy arrays, and those of other libraries are refused.

    Parameters
    ----------
    b : array, one dimension
        Taps, the newest sample's first.
    a : number or array, one dimension
        What the taps are divided by.
    x : array, one or more dimensions
        Signal, of any array library.
    axis : int
        The axis that is filtered.
    zi : array, optional
        What went on before, as `zf` of an earlier call: shape of `x`, with ``len(b) - 1`` on the axis; an axis of one
        sample is repeated.

    Returns
    -------
    y : array
        Shape of `x`, in the common dtype of all.
    zf : array
        With `zi` only: what is left to go on with.

    Raises
    ------
    NotImplementedError
        If all are integers, as in SciPy.
    TypeError
        If the filter is recursive, and the arrays are neither NumPy's nor CuPy's.
    ValueError
        If `b`, `a` or `zi` has a wrong shape.

    References
    ----------
    .. [1] A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing", 3rd ed., 2009, section 2.5.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.lfilter([0.5, 0.5], 1.0, [2.0, 4.0, 6.0]).tolist()
    [1.0, 3.0, 5.0]
    >>> y, zf = signal.lfilter([0.5, 0.5], 1.0, [8.0, 10.0], zi=[3.0])
    >>> y.tolist(), zf.tolist()
    ([7.0, 9.0], [5.0])
    """
    given, home = read_array(x, "x")
    taps, divisor = (_line(home, read_taps(array, home, name), name) for name, array in (("b", b), ("a", a)))
    state = None if zi is None else _brought(home, *read_array(zi, "zi"))
    if divisor.shape[0] > 1:
        return _recursive(home, divisor.shape[0], (b, a, x, axis, zi))
    arrays = [given, taps, divisor] + ([] if state is None else [state])
    names = [dtype_name(array.dtype) for array in arrays]
    if only_scipy_computes(home, *names) or (home.library == "numpy" and 0 in given.shape):
        return hand_over("lfilter", b, a, x, axis, zi)
    name = _common_dtype(home, names)
    axis = read_line(axis, given.ndim)
    if state is not None:
        state = _read_state(home, state, given, axis, taps.shape[0] - 1)
    taps = _divided(home, promoted_array(home, taps, name), promoted_array(home, divisor, name))
    own = dtype_name(given.dtype)
    samples = cast(home, given, name if is_complex(own) or not is_complex(name) else real_of(name))
    # Nothing may come before its cause, not even the rounding of a transform.
    full = cast(home, convolution.convolve(samples, taps, mode="full", axes=axis, accuracy="local"), name)
    count = given.shape[axis]
    if state is None:
        return part(full, axis, 0, count)
    left = state.shape[axis]
    begun = part(full, axis, 0, left) + cast(home, state, name)
    full = home.xp.concat([begun, part(full, axis, left, full.shape[axis])], axis=axis)
    return part(full, axis, 0, count), part(full, axis, count, full.shape[axis])


def _line(home: Home, array: Any, argument: str) -> Any:
    shape = tuple(array.shape)
    if len(shape) > 1 or shape == (0,):
        rule = f"Parameter {argument} is not a non-empty 1d array"
        raise ValueError(refusal(rule, f"its shape is {shape}", "Give a line of coefficients"))
    return array if shape else (np if isinstance(array, np.ndarray) else home.xp).reshape(array, (1,))


def _divided(home: Home, taps: Any, divisor: Any) -> Any:
    if isinstance(divisor, np.ndarray):
        return taps / (divisor if isinstance(taps, np.ndarray) else divisor.item())
    return (bring_home(taps, home, dtype_name(divisor.dtype)) if isinstance(taps, np.ndarray) else taps) / divisor


def _brought(home: Home, state: Any, owner: Home) -> Any:
    """Initial conditions in the library of the signal."""
    if owner.library == "numpy" and home.library != "numpy":
        return bring_home(state, home, dtype_name(state.dtype))
    if owner.library != home.library:
        fact = f"x is a {home.library} array, zi a {owner.library} array"
        raise TypeError(refusal("x and zi must belong to one array library", fact, "Convert one of them"))
    return state


def _recursive(home: Home, coefficients: int, arguments: tuple[Any, ...]) -> Any:
    if home.library == "numpy":
        return hand_over("lfilter", *arguments)
    if home.library == "cupy":
        return signal_originals()["lfilter"](*arguments)
    rule = "a recursive filter is no convolution: gpuconv leaves it to SciPy for NumPy arrays and to cupyx for CuPy's"
    fact = f"a has {coefficients} coefficients, x is a {home.library} array"
    remedy = (
        "Pass numpy.asarray(x), or give a of one number and the filter's impulse response, cut where it fades, as b"
    )
    raise TypeError(refusal(rule, fact, remedy))


def _common_dtype(home: Home, names: list[str]) -> str:
    """Floating, as SciPy wants it; two-byte floats of other libraries stay what they are."""
    common = names[0] if len(set(names)) == 1 else promoted(home, *names)
    if common not in FLOATS + COMPLEX:
        rule = f"Parameter's dtypes produced result type '{common}', which is not supported"
        raise NotImplementedError(refusal(rule, f"the dtypes are {', '.join(names)}", "Cast x to a floating dtype"))
    return common


def _read_state(home: Home, state: Any, x: Any, axis: int, count: int) -> Any:
    expected = tuple(count if other == axis else size for other, size in enumerate(x.shape))
    shape = tuple(state.shape)
    fits = len(shape) == len(expected) and all(
        own == wanted or (own == 1 and other != axis)
        for other, (own, wanted) in enumerate(zip(shape, expected, strict=True))
    )
    if not fits:
        fact = f"expected {expected}, found {shape}"
        raise ValueError(refusal("Unexpected shape for parameter zi", fact, "Give len(b) - 1 samples on the axis"))
    return home.xp.broadcast_to(state, expected)
