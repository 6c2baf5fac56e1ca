"""Any kernel read as a propagator: a probability for each step, and what they do together, in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.kernels import normalize
from gpuconv.kernels._arguments import read_positive

# Samples of drift, relative to the spread, below which a kernel moves nothing to speak of.
_RESTING = 0.1
# Beside the largest width: what the eigenvalues of a line leave of the other by rounding.
_NOTHING = 1e-6
# Ratios of the narrowest to the widest spread from which it counts as equal, and as nearly equal.
_EQUAL, _NEARLY = 0.999, 0.8
_DIRECTIONS = {1: (("left", "right"),), 2: (("up", "down"), ("left", "right"))}


@dataclass(frozen=True, eq=False)
class KernelReading:
    """A kernel as a propagator: each cell's content makes one random step, or splits up by these probabilities.

    Attributes
    ----------
    density : numpy.ndarray
        Probability of each step, of the shape of the kernel.
    drift : numpy.ndarray, shape (ndim,)
        Mean step in samples per axis: ``sum_m p[m] (m - c)``, c being the centre ``(K - 1)//2``.
    covariance : numpy.ndarray, shape (ndim, ndim)
        Of the step, in samples^2. Diffusion for a time t has ``2 D t`` on the diagonal.
    entropy : float
        ``-sum p log2 p`` in bits: 0 if all goes one way, ``log2 N`` if it goes everywhere alike.
    words : str
        What happens, for convolution: "spreads equally in all directions", "moves left", "concentrates ...".

    Examples
    --------
    >>> from gpuconv import diffusion
    >>> reading = diffusion.softmax_propagator([[0, 0, 0], [9, 0, 0], [0, 0, 0]])
    >>> reading.drift.round(2).tolist(), reading.words
    ([0.0, -1.0], 'moves left')
    """

    density: np.ndarray
    drift: np.ndarray
    covariance: np.ndarray
    entropy: float
    words: str


def softmax_propagator(kernel: Any, /, *, temperature: float = 1.0) -> KernelReading:
    """Read a kernel as a probability density of steps: ``p[m] = exp(k[m]/T) / sum exp(k/T)``.

    Convolution with p moves each sample's content by m - c with probability p[m]. Sharper kernels have probabilities
    that differ more; a high temperature T levels them. Weights that differ by less than T have nearly equal chances:
    at T = 1 even the identity keeps only a quarter in place. For kernels with weights below 1 lower the temperature.

    Parameters
    ----------
    kernel : array
        Real weights on the host, of any shape, without an axis of length 0.
    temperature : float
        Above zero.

    Returns
    -------
    KernelReading
        Density, drift, covariance, entropy, and a sentence.

    Raises
    ------
    TypeError
        If the kernel is complex, or no array of numbers on the host.
    ValueError
        If it is empty, has no axis, is not finite, or `temperature` is not above zero.

    See Also
    --------
    gpuconv.kernels.normalize : the same softmax, and other ways to make weights sum to 1.

    References
    ----------
    .. [1] A. Einstein, "Über die von der molekularkinetischen Theorie der Wärme geforderte Bewegung von in ruhenden
       Flüssigkeiten suspendierten Teilchen", Annalen der Physik 322, 1905. DOI 10.1002/andp.19053220806: many random
       steps are diffusion, with D half the variance per time.

    Examples
    --------
    >>> from gpuconv import diffusion, kernels
    >>> for name in ("gaussian", "sobel", "sharpen"):
    ...     print(name, "-", diffusion.softmax_propagator(kernels.get(name)).words)
    gaussian - spreads equally in all directions
    sobel - moves left, spreads mostly along axis 0
    sharpen - concentrates: 96 % stays where it is
    """
    temperature = read_positive("temperature", temperature)
    weights = normalize(kernel, "softmax") if temperature == 1 else _softened(kernel, temperature)
    density = np.asarray(weights, np.float64)
    if density.ndim == 0:
        raise ValueError(refusal("a propagator needs an axis to move along", "got one number", "Give a 1-D kernel"))
    density = density / density.sum()
    drift, covariance = _moments(density)
    positive = density[density > 0]
    entropy = float(-(positive * np.log2(positive)).sum()) + 0.0
    return KernelReading(density, drift, covariance, entropy, _words(density, drift, covariance))


def _softened(kernel: Any, temperature: float) -> np.ndarray:
    return normalize(np.asarray(kernel) / temperature, "softmax")


def _moments(density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    steps = np.stack(
        np.meshgrid(*(np.arange(size) - (size - 1) // 2 for size in density.shape), indexing="ij"), axis=-1
    ).reshape(-1, density.ndim)
    drift = density.ravel() @ steps
    # Rounding would print as -0.0.
    drift = np.where(np.abs(drift) > 8 * np.finfo(np.float64).eps * max(density.shape), drift, 0.0)
    away = steps - drift
    return drift, (away * density.reshape(-1, 1)).T @ away


def _words(density: np.ndarray, drift: np.ndarray, covariance: np.ndarray) -> str:
    centre = tuple((size - 1) // 2 for size in density.shape)
    staying = float(density[centre])
    if staying > 0.5:
        return f"concentrates: {100 * staying:.0f} % stays where it is"
    moving = _movement(drift, density.shape)
    spreading = _spread(covariance, density.shape)
    # What goes one way nearly surely does not spread.
    return ", ".join(filter(None, (moving, spreading if density.max() <= 0.5 else "")))


def _movement(drift: np.ndarray, shape: tuple[int, ...]) -> str:
    length = float(np.linalg.norm(drift))
    if length < _RESTING:
        return ""
    names = _DIRECTIONS.get(len(shape)) or tuple((f"back on axis {a}", f"on along axis {a}") for a in range(len(shape)))
    parts = [
        # A direction that holds less than a quarter of the way is not worth a word.
        pair[int(step > 0)]
        for pair, step in zip(names, drift.tolist(), strict=True)
        if abs(step) > 0.25 * length
    ]
    return "moves " + " and ".join(parts)


def _spread(covariance: np.ndarray, shape: tuple[int, ...]) -> str:
    widths = np.sqrt(np.maximum(np.linalg.eigvalsh(covariance), 0.0))
    if widths[-1] < _RESTING:
        return ""
    if len(shape) == 1:
        return "spreads"
    if widths[0] >= _EQUAL * widths[-1]:
        return "spreads equally in all directions"
    if widths[0] >= _NEARLY * widths[-1]:
        return "spreads nearly equally in all directions"
    extent = "mostly" if widths[0] > _NOTHING * widths[-1] else "only"
    direction = np.abs(np.linalg.eigh(covariance)[1][:, -1])
    main = int(direction.argmax())
    if direction[main] > math.cos(math.pi / 8):
        return f"spreads {extent} along axis {main}"
    return f"spreads {extent} aslant"
