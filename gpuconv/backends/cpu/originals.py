"""SciPy's own functions, bound once under names of ours.

Everything in gpuconv that wants a SciPy original takes it from here and never looks up ``scipy.ndimage.correlate``
at call time: a user (or the conformance job) may have put gpuconv's function in that place, and the look-up would
come back to us and recurse. For the same reason this module must be imported before any such replacement;
`gpuconv.ndimage` and `gpuconv.signal` import it first.
"""

from __future__ import annotations

from scipy.ndimage import convolve as ndimage_convolve
from scipy.ndimage import convolve1d as ndimage_convolve1d
from scipy.ndimage import correlate as ndimage_correlate
from scipy.ndimage import correlate1d as ndimage_correlate1d
from scipy.signal import choose_conv_method as signal_choose_conv_method
from scipy.signal import convolve as signal_convolve
from scipy.signal import convolve2d as signal_convolve2d
from scipy.signal import correlate as signal_correlate
from scipy.signal import correlate2d as signal_correlate2d
from scipy.signal import correlation_lags as signal_correlation_lags
from scipy.signal import fftconvolve as signal_fftconvolve
from scipy.signal import oaconvolve as signal_oaconvolve

__all__ = [
    "ndimage_convolve",
    "ndimage_convolve1d",
    "ndimage_correlate",
    "ndimage_correlate1d",
    "signal_choose_conv_method",
    "signal_convolve",
    "signal_convolve2d",
    "signal_correlate",
    "signal_correlate2d",
    "signal_correlation_lags",
    "signal_fftconvolve",
    "signal_oaconvolve",
]
