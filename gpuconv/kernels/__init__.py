"""The kernel zoo: arrays of weights by name, on the host, ready for `gpuconv.convolve` and any array library.

Kernels are written for `convolve`: a derivative is positive for an increasing ramp. (`correlate` turns them over.)
Whole weights are integer arrays, so that integer images are filtered exactly; all others are floats.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.kernels._bandpass import difference_of_gaussians, gabor, laplacian_of_gaussian
from gpuconv.kernels._derivatives import edge, laplacian, prewitt, roberts, scharr, sobel
from gpuconv.kernels._enhancing import emboss, sharpen, unsharp
from gpuconv.kernels._normalize import normalize
from gpuconv.kernels._smoothing import box, disk, gaussian, identity, motion
from gpuconv.kernels._taps import gaussian_taps

__all__ = [
    "identity",
    "box",
    "gaussian",
    "disk",
    "motion",
    "sobel",
    "prewitt",
    "scharr",
    "roberts",
    "laplacian",
    "edge",
    "laplacian_of_gaussian",
    "difference_of_gaussians",
    "gabor",
    "sharpen",
    "unsharp",
    "emboss",
    "gaussian_taps",
    "normalize",
    "get",
    "names",
    "describe",
]

_ZOO: dict[str, Callable[..., np.ndarray]] = {
    kernel.__name__: kernel
    for kernel in (
        identity,
        box,
        gaussian,
        disk,
        motion,
        sobel,
        prewitt,
        scharr,
        roberts,
        laplacian,
        edge,
        laplacian_of_gaussian,
        difference_of_gaussians,
        gabor,
        sharpen,
        unsharp,
        emboss,
    )
}


def names() -> tuple[str, ...]:
    """Names of all kernels, in the order in which they are best read.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from gpuconv import kernels
    >>> kernels.names()[:3]
    ('identity', 'box', 'gaussian')
    """
    return tuple(_ZOO)


def describe(name: str) -> str:
    """One line on what a kernel does.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no kernel of that name.

    Examples
    --------
    >>> from gpuconv import kernels
    >>> kernels.describe("box")
    'Average over a box of pixels.'
    """
    return (inspect.getdoc(_find(name)) or "").partition("\n")[0]


def get(name: str, /, **parameters: Any) -> np.ndarray:
    """A kernel by its name.

    Parameters
    ----------
    name : str
        One of `names`.
    **parameters
        Those of the function of that name; each has a default.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    ValueError
        If there is no kernel of that name, or a parameter is out of range.
    TypeError
        If the kernel has no such parameter, or a parameter is of a wrong type.

    Examples
    --------
    >>> from gpuconv import kernels
    >>> kernels.get("sobel", axis=0).tolist()
    [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]
    """
    kernel = _find(name)
    known = list(inspect.signature(kernel).parameters)
    unknown = [parameter for parameter in parameters if parameter not in known]
    if unknown:
        rule = f"the parameters of {name} are {', '.join(known)}"
        raise TypeError(refusal(rule, f"got {', '.join(unknown)}", "Choose from the list"))
    return kernel(**parameters)


def _find(name: Any) -> Callable[..., np.ndarray]:
    if isinstance(name, str) and name in _ZOO:
        return _ZOO[name]
    close = difflib.get_close_matches(name, _ZOO, n=1) if isinstance(name, str) else []
    remedy = f"The nearest is {close[0]!r}" if close else "Choose a name from the list"
    raise ValueError(refusal(f"kernels have the names {', '.join(_ZOO)}", f"got {name!r}", remedy))
