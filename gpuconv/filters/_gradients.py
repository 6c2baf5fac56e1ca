"""Slopes along all axes at once: gaussian_gradient, gradient_magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gpuconv.core.arguments import refusal
from gpuconv.filters._image import Edges, Image, read_filtered
from gpuconv.filters._operators import slopes
from gpuconv.filters._pointwise import length
from gpuconv.filters._taps import Cut, Gaussians, derivatives, orders_of, read_gaussians


@dataclass(frozen=True)
class Slopes:
    """How slopes are taken: by Gaussian derivatives, or by an operator of a few taps."""

    gaussians: Gaussians | None
    operator: str
    scale: str

    def of(self, image: Image) -> list[Any]:
        """Slopes along the filtered axes, in the dtype of the sums."""
        if self.gaussians is None:
            return slopes(image, self.operator, self.scale)
        count = len(image.axes)
        return derivatives(image, self.gaussians, [orders_of(count, position) for position in range(count)])


def read_slopes(name: str, sigma: Any, cut: Cut, operator: Any, scale: str, image: Image) -> Slopes:
    """Exactly one of a sigma, which the caller calls `name`, and an operator."""
    if (sigma is None) == (operator is None):
        given = f"got {name}={sigma!r} and operator={operator!r}"
        raise ValueError(
            refusal("slopes are taken by a Gaussian or by an operator", given, f"Give {name} or operator, not both")
        )
    return Slopes(None if sigma is None else read_gaussians(sigma, cut, image, name), operator, scale)


def gaussian_gradient(
    x: Any,
    /,
    sigma: float | Sequence[float],
    *,
    truncate: float | Sequence[float] | None = None,
    radius: int | Sequence[int] | None = None,
    kind: str = "sampled",
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Slopes of the smoothed image along all axes: ``y[a] = d (G(sigma) * x) / da``.

    ``y[a]`` is `gaussian` with order 1 along the a-th of `axes` and 0 along the others; all come from shared passes.

    Parameters
    ----------
    x : array, shape S
        As in `gaussian`.
    sigma : float or sequence of float
        Standard deviation in samples; one, or one per axis.
    truncate, radius, kind, axes, boundary, cval
        As in `gaussian`.
    out : array, shape (number of axes, *S), optional
        Where to put the result; may share memory with `x`.

    Returns
    -------
    array, shape (number of axes, *S)
        The slopes on a new leading axis, in the order of `axes`, with the dtypes of `gaussian`; in units of x per
        sample.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`.

    See Also
    --------
    gradient_magnitude : the length of this vector.

    References
    ----------
    .. [1] J. Canny, "A computational approach to edge detection", IEEE Transactions on Pattern Analysis and Machine
       Intelligence 8, 1986. DOI 10.1109/TPAMI.1986.4767851

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> row, column = np.indices((31, 31))
    >>> down, across = filters.gaussian_gradient(3.0 * row - column, 0.7, kind="lattice")
    >>> down[15, 15].round(9).item(), across[15, 15].round(9).item()
    (3.0, -1.0)
    """
    image = read_filtered(x, Edges(axes, boundary, cval))
    gradient = Slopes(read_gaussians(sigma, Cut(truncate, radius, kind), image), "", "")
    destination = image.destination(out, lead=(len(image.axes),))
    return destination.deliver_stack(gradient.of(image))


def gradient_magnitude(
    x: Any,
    /,
    sigma: float | Sequence[float] | None = None,
    *,
    operator: str | None = None,
    scale: str = "unit",
    truncate: float | Sequence[float] | None = None,
    radius: int | Sequence[int] | None = None,
    kind: str = "sampled",
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Steepness: ``y = sqrt(sum_a |d x / da|^2)`` over the axes a.

    Slopes are taken of the image smoothed with a Gaussian, as in `scipy.ndimage.gaussian_gradient_magnitude`, or by an
    operator: give `sigma` or `operator`.

    Parameters
    ----------
    x : array
        As in `gaussian`.
    sigma : float or sequence of float, optional
        Standard deviation in samples; one, or one per axis.
    operator : {"sobel", "prewitt", "scharr", "roberts"}, optional
        The filter of that name along each axis.
    scale : {"unit", "integer"}
        Of the operator: "unit" gives the steepness per sample, as a Gaussian does, "integer" has the weights as
        published.
    truncate, radius, kind
        Of the Gaussian, as in `gaussian`.
    axes, boundary, cval, out
        As in `gaussian`.

    Returns
    -------
    array
        Real, of the shape of `x`, with the dtypes of `gaussian`.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`; and if not exactly one of `sigma` and `operator` is given.

    See Also
    --------
    gaussian_gradient : the vector whose length this is.

    References
    ----------
    .. [1] J. Canny, "A computational approach to edge detection", IEEE Transactions on Pattern Analysis and Machine
       Intelligence 8, 1986. DOI 10.1109/TPAMI.1986.4767851

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> row, column = np.indices((31, 31))
    >>> plane = 3.0 * row + 4.0 * column
    >>> filters.gradient_magnitude(plane, 0.7, kind="lattice")[15, 15].round(9).item()
    5.0
    >>> filters.gradient_magnitude(plane, operator="sobel")[15, 15].item()
    5.0
    """
    image = read_filtered(x, Edges(axes, boundary, cval))
    gradient = read_slopes("sigma", sigma, Cut(truncate, radius, kind), operator, scale, image)
    destination = image.destination(out, real=True)
    return destination.deliver(length(image.xp, gradient.of(image)))
