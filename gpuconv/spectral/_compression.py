"""Keeping a few coefficients of an image, and what is left of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any, NamedTuple

import numpy as np

from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.boundary import Span, extend
from gpuconv.core.dtypes import integer_range, is_integer
from gpuconv.core.frequencies import wavenumbers
from gpuconv.core.namespace import bring_home, cast, dtype_name, has_double
from gpuconv.kernels._arguments import read_real
from gpuconv.methods import transform
from gpuconv.spectral._signal import Signal, read_signal, unfold

METHODS = ("disc", "largest", "dct", "blocks")
BLOCK = 8


class Compressed(NamedTuple):
    """The `image` made of the kept coefficients, `ratio` of all to kept ones, and `psnr` in decibels.

    Examples
    --------
    >>> from gpuconv import spectral
    >>> spectral.compress([1.0, 1.0, 1.0, 1.0], 0.25).image.round(12).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    image: Any
    ratio: float
    psnr: Any


def compress(x: Any, /, keep: float = 0.05, *, method: str = "largest", axes: Any = None) -> Compressed:
    """Keep some of the real coefficients that a transform makes, as many as samples: ``y = T^-1[mask T[x]]``.

    =========  ====================================================================================================
    "disc"     the slowest waves: of the Fourier coefficients those nearest to zero frequency, in pairs of both signs
    "largest"  the largest Fourier coefficients, as real numbers (Hartley's transform: cosine and sine in one)
    "dct"      the largest coefficients of one cosine transform of the whole
    "blocks"   the largest coefficients of cosine transforms of blocks of 8 samples along each axis, as in JPEG; an
               axis is mirrored up to whole blocks, which adds coefficients
    =========  ====================================================================================================

    All transforms are orthogonal, so that the squared error is the sum of squares of what is left out.

    Parameters
    ----------
    x : array
        Real; an image or anything else.
    keep : float
        The fraction of coefficients that is kept, above 0 and at most 1; one coefficient at least.
    method : {"largest", "disc", "dct", "blocks"}
    axes : int or sequence of int, optional
        All by default; the others are batches, such as colours, and keep that fraction each.

    Returns
    -------
    Compressed
        Named tuple of `image`, of the shape of `x` with dtypes as in `apply`, not clipped; `ratio`, the number of
        samples by the number of kept coefficients; and `psnr`, of shape (batches...), ``10 log10(peak^2 / mean
        squared error)``, where peak is the largest value of an integer dtype, or the range of values of a floating
        image (1 for a constant one).

    Raises
    ------
    TypeError
        If `x` is complex.
    ValueError
        If `keep` is out of range, the method unknown, or an axis empty.

    References
    ----------
    .. [1] R. N. Bracewell, "Discrete Hartley transform", Journal of the Optical Society of America 73, 1983.
       DOI 10.1364/JOSA.73.001832
    .. [2] N. Ahmed, T. Natarajan and K. R. Rao, "Discrete cosine transform", IEEE Transactions on Computers C-23,
       1974. DOI 10.1109/T-C.1974.223784

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import spectral
    >>> row, column = np.indices((40, 40))
    >>> x = np.hypot(row - 20, column - 20)
    >>> small = spectral.compress(x, 0.05, method="dct")
    >>> small.image.shape, small.ratio, bool(small.psnr > 30)
    ((40, 40), 20.0, True)
    """
    signal = read_signal(x, axes)
    fraction = read_real("keep", keep)
    if not 0 < fraction <= 1:
        given = f"got {keep!r}"
        raise ValueError(refusal("keep must be above 0 and at most 1", given, "Give a fraction, such as 0.05"))
    read_choice("method", method, METHODS)
    _check_image(signal)
    size = prod(signal.sizes)
    made = prod(-(-n // BLOCK) * BLOCK for n in signal.sizes) if method == "blocks" else size
    kept = max(1, round(fraction * made))
    if method == "disc":
        image, kept = _disc(signal, kept)
    else:
        image = {"largest": _largest, "dct": _cosines, "blocks": _blocks}[method](signal, kept)
    return Compressed(signal.rounded(image), size / kept, signal.rounded_real(_psnr(signal, image)))


def _check_image(signal: Signal) -> None:
    if signal.is_complex:
        given = f"x has dtype {dtype_name(signal.given.dtype)}"
        raise TypeError(refusal("compress needs a real image", given, "Compress its real and imaginary part apart"))
    if 0 in signal.given.shape:
        given = f"x has shape {tuple(signal.given.shape)}"
        raise ValueError(refusal("compress needs samples", given, "Give at least one"))


def _disc(signal: Signal, kept: int) -> tuple[Any, int]:
    """Waves in the order of their frequency as far as they fit; one of both signs counts as two coefficients."""
    k = np.meshgrid(*[wavenumbers(size) for size in signal.sizes], indexing="ij")
    radius = sum((one / size) ** 2 for one, size in zip(k, signal.sizes, strict=True)).ravel()
    number = np.arange(radius.size).reshape(signal.sizes)
    mirror = number
    for axis in range(number.ndim):
        mirror = np.roll(np.flip(mirror, axis), 1, axis)
    pair = np.minimum(number, mirror).ravel()
    # Both of a pair have one radius and one name, and so stand side by side.
    order = np.lexsort((pair, radius.round(12)))
    if kept < order.size and pair[order[kept - 1]] == pair[order[kept]]:
        kept -= 1
    mask = np.zeros(order.size)
    mask[order[:kept]] = 1
    mask = mask.reshape(signal.sizes)[..., : signal.sizes[-1] // 2 + 1]
    return signal.inverse(signal.forward() * _among(signal, mask)), kept


def _among(signal: Signal, values: np.ndarray) -> Any:
    """An array over `axes`, in their order, shaped to be multiplied with a spectrum."""
    order = sorted(range(len(signal.axes)), key=signal.axes.__getitem__)
    shape = [1] * signal.ndim
    for position, axis in enumerate(signal.axes):
        shape[axis] = values.shape[position]
    return bring_home(values.transpose(order).reshape(shape), signal.home, signal.precision)


def _largest(signal: Signal, kept: int) -> Any:
    return _hartley(signal, _only_largest(signal, _hartley(signal, signal.x), signal.axes, kept))


def _hartley(signal: Signal, x: Any) -> Any:
    """``sum x[n] (cos + sin)(2 pi k n / N) / sqrt(N)``, its own inverse."""
    spectrum = signal.forward(x) * (1 / sqrt(prod(signal.sizes)))
    cosine, sine = signal.xp.real(spectrum), -signal.xp.imag(spectrum)
    return unfold(signal, cosine + sine, cosine - sine)


def _cosines(signal: Signal, kept: int) -> Any:
    coefficients = _cosine_over(signal.x, signal.axes, False)
    return _cosine_over(_only_largest(signal, coefficients, signal.axes, kept), signal.axes, True)


def _cosine_over(x: Any, axes: Sequence[int], inverse: bool) -> Any:
    for axis in axes:
        x = transform.cosine(x, axis, "dct", inverse)
    return x


def _blocks(signal: Signal, kept: int) -> Any:
    """Every axis becomes two, blocks and places in a block; an axis is mirrored up to whole blocks."""
    xp, x = signal.xp, signal.x
    for axis, size in zip(signal.axes, signal.sizes, strict=True):
        x = extend(xp, x, Span(axis, size, 1, 0, -(-size // BLOCK) * BLOCK, "reflect"))
    padded = tuple(x.shape)
    shape: list[int] = []
    axes: list[int] = []
    inner: list[int] = []
    for axis, size in enumerate(padded):
        if axis in signal.axes:
            axes += [len(shape), len(shape) + 1]
            inner.append(len(shape) + 1)
            shape += [size // BLOCK, BLOCK]
        else:
            shape.append(size)
    coefficients = _cosine_over(xp.reshape(x, tuple(shape)), inner, False)
    x = xp.reshape(_cosine_over(_only_largest(signal, coefficients, axes, kept), inner, True), padded)
    return x[tuple(slice(0, size) for size in signal.given.shape)]


def _only_largest(signal: Signal, coefficients: Any, axes: Sequence[int], kept: int) -> Any:
    """Coefficients with all but the largest `kept` over `axes` set to 0; of equal ones the first."""
    xp, whole = signal.xp, "int64" if has_double(signal.home) else "int32"
    batches = tuple(axis for axis in range(coefficients.ndim) if axis not in axes)
    order = (*batches, *axes)
    moved = xp.permute_dims(coefficients, order)
    flat = xp.abs(xp.reshape(moved, (*moved.shape[: len(batches)], -1)))
    least = xp.sort(flat, axis=-1)[..., flat.shape[-1] - kept : flat.shape[-1] - kept + 1]
    above, equal = (cast(signal.home, mask, whole) for mask in (flat > least, flat == least))
    # Of those that are as large as the least one, the first ones, until there are enough.
    room = kept - xp.sum(above, axis=-1, keepdims=True, dtype=above.dtype)
    equal = cast(signal.home, (xp.cumulative_sum(equal, axis=-1, dtype=equal.dtype) <= room), whole) * equal
    mask = xp.reshape(cast(signal.home, above + equal, signal.precision), moved.shape)
    return coefficients * xp.permute_dims(mask, tuple(int(at) for at in np.argsort(order)))


def _psnr(signal: Signal, image: Any) -> Any:
    xp, axes, name = signal.xp, signal.axes, dtype_name(signal.given.dtype)
    error = xp.mean((image - signal.x) ** 2, axis=axes)
    if is_integer(name):
        peak: Any = float(integer_range(name)[1])
    else:
        peak = xp.max(signal.x, axis=axes) - xp.min(signal.x, axis=axes)
        peak = xp.where(peak > 0, peak, xp.ones_like(peak))
    # Nothing lost is infinitely good, and its slope counts as 0.
    lossless = error == 0
    decibels = 10.0 * xp.log10(peak**2 / xp.where(lossless, xp.ones_like(error), error))
    return xp.where(lossless, xp.full_like(error, float("inf")), decibels)
