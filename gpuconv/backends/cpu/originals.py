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

_OF_SIGNAL = (
    "choose_conv_method",
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "correlation_lags",
    "fftconvolve",
    "oaconvolve",
)

__all__ = [
    "ndimage_convolve",
    "ndimage_convolve1d",
    "ndimage_correlate",
    "ndimage_correlate1d",
    *(f"signal_{name}" for name in _OF_SIGNAL),
]


def bind_signal() -> None:
    """Bind the functions of scipy.signal as they are now."""
    signal = importlib.import_module("scipy.signal")
    globals().update({f"signal_{name}": getattr(signal, name) for name in _OF_SIGNAL})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    bind_signal()
    return globals()[name]
