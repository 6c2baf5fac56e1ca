"""SciPy's own functions, bound once under names of ours.

Everything in gpuconv that wants a SciPy original takes it from here and never looks up ``scipy.ndimage.correlate``
at call time: a user (or the conformance job) may have put gpuconv's function in that place, and the look-up would
come back to us and recurse. For the same reason an original must be bound before any such replacement:
`gpuconv.ndimage` and `gpuconv.signal` do so when they are imported.

Importing scipy.signal takes most of a second, three times as long as scipy.ndimage, and the engine does not need it:
its functions are bound, all at once, when the first of them is asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

from scipy.ndimage import convolve as ndimage_convolve
from scipy.ndimage import convolve1d as ndimage_convolve1d
from scipy.ndimage import correlate as ndimage_correlate
from scipy.ndimage import correlate1d as ndimage_correlate1d
from scipy.ndimage import fourier_ellipsoid as ndimage_fourier_ellipsoid
from scipy.ndimage import fourier_gaussian as ndimage_fourier_gaussian
from scipy.ndimage import fourier_shift as ndimage_fourier_shift
from scipy.ndimage import fourier_uniform as ndimage_fourier_uniform
from scipy.ndimage import gaussian_filter as ndimage_gaussian_filter
from scipy.ndimage import gaussian_filter1d as ndimage_gaussian_filter1d
from scipy.ndimage import gaussian_gradient_magnitude as ndimage_gaussian_gradient_magnitude
from scipy.ndimage import gaussian_laplace as ndimage_gaussian_laplace
from scipy.ndimage import generic_gradient_magnitude as ndimage_generic_gradient_magnitude
from scipy.ndimage import generic_laplace as ndimage_generic_laplace
from scipy.ndimage import laplace as ndimage_laplace
from scipy.ndimage import maximum_filter as ndimage_maximum_filter
from scipy.ndimage import maximum_filter1d as ndimage_maximum_filter1d
from scipy.ndimage import median_filter as ndimage_median_filter
from scipy.ndimage import minimum_filter as ndimage_minimum_filter
from scipy.ndimage import minimum_filter1d as ndimage_minimum_filter1d
from scipy.ndimage import percentile_filter as ndimage_percentile_filter
from scipy.ndimage import prewitt as ndimage_prewitt
from scipy.ndimage import rank_filter as ndimage_rank_filter
from scipy.ndimage import sobel as ndimage_sobel
from scipy.ndimage import uniform_filter as ndimage_uniform_filter
from scipy.ndimage import uniform_filter1d as ndimage_uniform_filter1d

_OF_SIGNAL = (
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
)
# What designs taps on the host.
_DESIGNS_OF_SIGNAL = ("firwin", "savgol_coeffs")

__all__ = [
    "ndimage_convolve",
    "ndimage_convolve1d",
    "ndimage_correlate",
    "ndimage_correlate1d",
    "ndimage_fourier_ellipsoid",
    "ndimage_fourier_gaussian",
    "ndimage_fourier_shift",
    "ndimage_fourier_uniform",
    "ndimage_gaussian_filter",
    "ndimage_gaussian_filter1d",
    "ndimage_gaussian_gradient_magnitude",
    "ndimage_gaussian_laplace",
    "ndimage_generic_gradient_magnitude",
    "ndimage_generic_laplace",
    "ndimage_laplace",
    "ndimage_maximum_filter",
    "ndimage_maximum_filter1d",
    "ndimage_median_filter",
    "ndimage_minimum_filter",
    "ndimage_minimum_filter1d",
    "ndimage_percentile_filter",
    "ndimage_prewitt",
    "ndimage_rank_filter",
    "ndimage_sobel",
    "ndimage_uniform_filter",
    "ndimage_uniform_filter1d",
    *(f"signal_{name}" for name in _OF_SIGNAL + _DESIGNS_OF_SIGNAL),
]


def bind_signal() -> None:
    """Bind the functions of scipy.signal as they are now."""
    signal = importlib.import_module("scipy.signal")
    globals().update({f"signal_{name}": getattr(signal, name) for name in _OF_SIGNAL + _DESIGNS_OF_SIGNAL})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    bind_signal()
    return globals()[name]
