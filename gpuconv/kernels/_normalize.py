"""Weights brought to a common size: by their sum, their number, their length, or as probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.dtypes import check_supported
from gpuconv.core.namespace import read_image

RULES = ("sum", "size", "l2", "softmax")


def normalize(kernel: Any, /, by: str = "sum") -> np.ndarray:
    """Scale the weights of a kernel.

    ``sum: k / sum k``, ``size: k / N``, ``l2: k / sqrt(sum abs(k)^2)``, ``softmax: exp(k) / sum exp(k)``.

    Parameters
    ----------
    kernel : numpy.ndarray or sequence
        Weights of any shape: integer, real or complex. Not changed.
    by : {"sum", "size", "l2", "softmax"}
        "sum" keeps the mean brightness of an image (weights with a negative sum change sign), "size" divides by the
        number N of weights (the mean of N products), "l2" makes answers to different kernels comparable (template
        matching), "softmax" makes probabilities out of any real weights: positive and with sum 1. The largest weight is
        taken away from all before exp, so that weights of any size neither overflow nor vanish altogether.

    Returns
    -------
    numpy.ndarray, shape of `kernel`
        float16, float32, float64, complex64 and complex128 stay; integers become float64. Computed in double precision.

    Raises
    ------
    TypeError
        If the kernel is no array of numbers on the host; complex weights have no softmax.
    ValueError
        If the kernel is empty or not finite, its sum is zero to rounding ("sum"), or all weights are zero ("l2").

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax functions", IMA
       Journal of Numerical Analysis 41, 2021. DOI 10.1093/imanum/draa038

    Examples
    --------
    >>> from gpuconv.kernels import normalize
    >>> normalize([[1, 2, 1]]).tolist()
    [[0.25, 0.5, 0.25]]
    >>> normalize([3, 4], "l2").tolist()
    [0.6, 0.8]
    >>> normalize([1000, 1000], "softmax").tolist()
    [0.5, 0.5]
    """
    weights = _read_weights(kernel)
    by = read_choice("by", by, RULES)
    given = weights.dtype
    weights = weights.astype(np.complex128 if given.kind == "c" else np.float64)
    scaled = {"sum": _by_sum, "size": _by_size, "l2": _by_length, "softmax": _softmax}[by](weights, given)
    return scaled.astype(np.float64 if given.kind in "iu" else given, copy=False)


def _read_weights(kernel: Any) -> np.ndarray:
    weights, home = read_image(kernel, "kernel")
    if home.library != "numpy":
        given = f"got an array of {home.library}"
        raise TypeError(refusal("kernel must be a NumPy array or a sequence", given, "Normalise it before it is moved"))
    check_supported(weights.dtype.name, "kernel")
    if weights.dtype.kind not in "iufc":  # bfloat16 in NumPy's clothes, which lacks most of NumPy's arithmetic
        given = f"its dtype is {weights.dtype}"
        raise TypeError(refusal("kernel must have a dtype of NumPy's own", given, "Cast it to float32 first"))
    if weights.size == 0:
        raise ValueError(refusal("kernel must have weights", f"got shape {weights.shape}", "Give at least one"))
    if not np.isfinite(weights).all():
        raise ValueError(refusal("weights must be finite", "got NaN or infinity", "Replace them first"))
    return weights


def _by_sum(weights: np.ndarray, given: np.dtype) -> np.ndarray:
    parts, unit = _near_one(weights)
    total = parts.sum()
    # Rounding errors of the weights add up like a random walk: a sum no larger than that is a zero.
    eps = 0.0 if given.kind in "iu" else float(np.finfo(given).eps)
    if abs(total) <= 4 * eps * math.sqrt(parts.size) * np.abs(parts).sum():
        rule = 'a kernel whose weights sum to zero cannot be normalised by "sum"'
        raise ValueError(refusal(rule, f"got a sum of {total * unit:.3g}", 'Take "l2" or "size"'))
    return parts / total


def _by_size(weights: np.ndarray, given: np.dtype) -> np.ndarray:
    return weights / weights.size


def _by_length(weights: np.ndarray, given: np.dtype) -> np.ndarray:
    parts, _ = _near_one(weights)
    length = math.sqrt(np.square(np.abs(parts)).sum())
    if length == 0:
        rule = 'a kernel of zeros cannot be normalised by "l2"'
        raise ValueError(refusal(rule, f"got shape {weights.shape}", "Give a weight that is not zero"))
    return parts / length


def _near_one(weights: np.ndarray) -> tuple[np.ndarray, float]:
    """The weights in units of a power of two, an exact division, so that their sums and squares stay in range."""
    unit = 2.0 ** (math.frexp(float(np.abs(weights).max()))[1] - 1)
    return weights / unit, unit


def _softmax(weights: np.ndarray, given: np.dtype) -> np.ndarray:
    if given.kind == "c":
        raise TypeError(
            refusal("softmax needs real weights", f"the dtype is {given}", "Take the real part or abs first")
        )
    with np.errstate(over="ignore"):
        chances = np.exp(weights - weights.max())
    return chances / chances.sum()
