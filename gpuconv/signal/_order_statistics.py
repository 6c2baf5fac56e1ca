"""SciPy's order statistics. They are no convolutions: SciPy's and cupyx's own functions do them."""

from __future__ import annotations

from typing import Any

from gpuconv._scipy_arguments import read_array
from gpuconv.backends.cupyx import signal_originals
from gpuconv.core.arguments import refusal
from gpuconv.signal._handover import hand_over


def medfilt(volume: Any, kernel_size: Any = None) -> Any:
    """Median of a window, as `scipy.signal.medfilt`, by SciPy itself or cupyx.

    ``y[i] = median_j x~[i + j - K//2]``, x~ zero beyond the ends.

    Parameters
    ----------
    volume : array, any shape
        Image, of NumPy or CuPy, or a sequence.
    kernel_size : int or sequence of int, optional
        Odd number K of samples of the window, one for all or one per axis; default 3.

    Returns
    -------
    array
        Shape and dtype of `volume`.

    Raises
    ------
    TypeError
        If `volume` is an array of another library.
    ValueError
        As in SciPy.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.medfilt([1.0, 9.0, 2.0, 3.0]).tolist()
    [1.0, 2.0, 3.0, 2.0]
    """
    return _delegated("medfilt", volume, kernel_size)


def order_filter(a: Any, domain: Any, rank: int) -> Any:
    """Value of a given rank in a window, as `scipy.signal.order_filter`, by SciPy itself or cupyx.

    ``y[i] = sorted(x~[i + j - K//2] where domain[j])[rank]``, x~ zero beyond the ends.

    Parameters
    ----------
    a : array, any shape
        Image, of NumPy or CuPy, or a sequence.
    domain : array
        Which samples of the window count; odd on every axis.
    rank : int
        0 is the smallest, and -1 the largest.

    Returns
    -------
    array
        Shape and dtype of `a`.

    Raises
    ------
    TypeError
        If `a` is an array of another library.
    ValueError
        As in SciPy.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.order_filter([1, 4, 2, 3], [1, 0, 1], 0).tolist()
    [0, 1, 3, 0]
    """
    return _delegated("order_filter", a, domain, rank)


def _delegated(name: str, x: Any, *args: Any) -> Any:
    _, home = read_array(x, "x")
    if home.library == "numpy":
        return hand_over(name, x, *args)
    if home.library == "cupy":
        return signal_originals()[name](x, *args)
    rule = f"{name} is no convolution: gpuconv leaves it to SciPy for NumPy arrays and to cupyx for CuPy arrays"
    remedy = "Pass numpy.asarray(x), or use the library's own sorting or pooling"
    raise TypeError(refusal(rule, f"x is a {home.library} array", remedy))
