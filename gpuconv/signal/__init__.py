"""SciPy's names: the filters of `scipy.signal` that are convolutions, for every array library.

``import gpuconv.signal as signal`` and keep calling ``signal.fftconvolve(x, taps, mode="same")``. Signatures,
centring, defaults and dtypes are SciPy's; the work is done by `gpuconv.convolve`, `gpuconv.correlate` and the
primitives below them. Both inputs of a convolution are cast to their common dtype first, and integers are exact
whatever the method. What only SciPy computes (NumPy arrays of two bools, longdouble, object and other dtypes outside
gpuconv's table) is handed to SciPy's own functions. So are order statistics and recursive filters, which are no
convolutions: SciPy does them for NumPy arrays, cupyx for CuPy arrays, and other libraries' arrays are refused.
"""

from __future__ import annotations

from gpuconv.signal._analytic import hilbert, hilbert2
from gpuconv.signal._convolutions import (
    choose_conv_method,
    convolve,
    correlate,
    correlation_lags,
    fftconvolve,
    oaconvolve,
)
from gpuconv.signal._matrices import convolve2d, correlate2d
from gpuconv.signal._order_statistics import medfilt, order_filter
from gpuconv.signal._polyphase import resample_poly, upfirdn
from gpuconv.signal._recursive import lfilter
from gpuconv.signal._smoothing import savgol_filter, sepfir2d, wiener

__all__ = [
    "choose_conv_method",
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "correlation_lags",
    "fftconvolve",
    "hilbert",
    "hilbert2",
    "lfilter",
    "medfilt",
    "oaconvolve",
    "order_filter",
    "resample_poly",
    "savgol_filter",
    "sepfir2d",
    "upfirdn",
    "wiener",
]
