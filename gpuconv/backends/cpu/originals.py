"""SciPy's own functions, bound once under names of ours.

Everything in gpuconv that wants a SciPy original takes it from here and never looks up ``scipy.ndimage.correlate``
at call time: a user (or the conformance job) may have put gpuconv's function in that place, and the look-up would
come back to us and recurse. For the same reason an original must be bound before any such replacement:
`gpuconv.ndimage` and `gpuconv.signal` do so when they are imported.

Importing scipy.signal takes most of a second, scipy.ndimage a third of that, and large work needs neither: the
functions of each are bound, all at once, when the first of them is asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

_OF_NDIMAGE = (
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "fourier_ellipsoid",
    "fourier_gaussian",
    "fourier_shift",
    "fourier_uniform",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "generic_gradient_magnitude",
    "generic_laplace",
    "laplace",
    "maximum_filter",
    "maximum_filter1d",
    "median_filter",
    "minimum_filter",
    "minimum_filter1d",
    "percentile_filter",
    "prewitt",
    "rank_filter",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
)
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
    *(f"ndimage_{name}" for name in _OF_NDIMAGE),
    *(f"signal_{name}" for name in _OF_SIGNAL + _DESIGNS_OF_SIGNAL),
]


def bind_ndimage() -> None:
    """Bind the functions of scipy.ndimage as they are now."""
    _bind("ndimage", _OF_NDIMAGE)


def bind_signal() -> None:
    """Bind the functions of scipy.signal as they are now."""
    _bind("signal", _OF_SIGNAL + _DESIGNS_OF_SIGNAL)


def _bind(part: str, names: tuple[str, ...]) -> None:
    module = importlib.import_module(f"scipy.{part}")
    globals().update({f"{part}_{name}": getattr(module, name) for name in names})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    (bind_signal if name.startswith("signal_") else bind_ndimage)()
    return globals()[name]
