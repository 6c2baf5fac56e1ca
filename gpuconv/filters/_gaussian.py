"""Gaussian smoothing and what is made of smoothed images: gaussian, gaussian_laplace, difference_of_gaussians,
unsharp_mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpuconv.core.arguments import refusal
from gpuconv.core.namespace import read_image
from gpuconv.filters._image import Edges, read_filtered
from gpuconv.filters._taps import Cut, derivatives, orders_of, pose_gaussian, read_gaussians, smooth
from gpuconv.kernels._arguments import read_real
from gpuconv.methods.passes import prepare_passes
from gpuconv.methods.repeat import facts_of, recalled, run_posed


def gaussian(
    x: Any,
    /,
    sigma: float | Sequence[float],
    *,
    order: int | Sequence[int] = 0,
    truncate: float | Sequence[float] | None = None,
    radius: int | Sequence[int] | None = None,
    kind: str = "sampled",
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Smooth with a Gaussian, or take a smoothed derivative: ``y = G(sigma) * x``.

    The sampled kind is `scipy.ndimage.gaussian_filter`. The lattice kind is the heat kernel of the lattice, exact for
    any sigma: smoothing with a and then with b is smoothing with ``sqrt(a^2 + b^2)``.

    Parameters
    ----------
    x : array
        Array of any shape and library, as in `gpuconv.convolve`.
    sigma : float or sequence of float
        Standard deviation in samples; one, or one per axis. 0 leaves an axis as it is.
    order : int or sequence of int
        0 to 3, the order of the derivative; one, or one per axis: ``order=(1, 0)`` is the slope along the first axis,
        smoothed along both. In units of x per sample^order.
    truncate : float or sequence of float, optional
        Cut at this many sigma; one, or one per axis. The sampled kind is cut at 4 sigma, the lattice kind where the
        mass left out is below the eps of the dtype in which the result is summed.
    radius : int or sequence of int, optional
        Cut at this many samples from the centre, instead of by `truncate`, and divided by the sum of what remains.
    kind : {"sampled", "lattice"}
        Samples of the continuous Gaussian, or the heat kernel of the lattice; see `gpuconv.kernels.gaussian_taps`.
    axes : int or sequence of int, optional
        Filtered axes, in the order of the parameters with one entry per axis. All axes by default.
    boundary : str or sequence of str
        As in `gpuconv.convolve`; one, or one per axis.
    cval : number
        Fill value of the boundary "constant".
    out : array, optional
        As in `gpuconv.convolve`; may be `x` itself.

    Returns
    -------
    array
        Of the shape of `x`. Floating and complex images keep their dtype; 8- and 16-bit integers give float32, wider
        ones float64. Half precision is summed in float32 and rounded once.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range, or as in `gpuconv.convolve`.

    See Also
    --------
    gpuconv.kernels.gaussian : the weights.

    References
    ----------
    .. [1] T. Lindeberg, "Scale-space for discrete signals", IEEE Transactions on Pattern Analysis and Machine
       Intelligence 12, 1990. DOI 10.1109/34.49051

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> filters.gaussian(np.array([0.0, 0.0, 1.0, 0.0, 0.0]), 0.5).round(3).tolist()
    [0.0, 0.106, 0.787, 0.106, 0.0]
    >>> filters.gaussian(np.arange(21.0), 0.5, order=1, kind="lattice")[10].round(12).item()
    1.0
    """
    x, home = read_image(x)
    plain, numbers = (order, radius, kind, axes, boundary), (sigma, truncate)
    return run_posed(prepare_passes, recalled(pose_gaussian, facts_of(x, home), plain, numbers), x, home, cval, out)


def gaussian_laplace(
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
    """Laplacian of the smoothed image: ``y = sum_a d^2 (G(sigma) * x) / da^2`` over the axes a.

    Crosses zero on edges, is lowest in the middle of bright blobs of radius ``sigma sqrt(ndim)``. The sampled kind is
    `scipy.ndimage.gaussian_laplace`.

    Parameters
    ----------
    x : array
        As in `gaussian`.
    sigma : float or sequence of float
        Standard deviation in samples; one, or one per axis.
    truncate, radius, kind, axes, boundary, cval, out
        As in `gaussian`.

    Returns
    -------
    array
        Of the shape of `x`, with the dtypes of `gaussian`; in units of x per sample^2.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`.

    See Also
    --------
    laplace : without smoothing.

    References
    ----------
    .. [1] D. Marr, E. Hildreth, "Theory of edge detection", Proceedings of the Royal Society of London B 207, 1980.
       DOI 10.1098/rspb.1980.0020

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> row, column = np.indices((31, 31)) - 15.0
    >>> filters.gaussian_laplace(row**2 + 2 * column**2, 0.7, kind="lattice")[15, 15].round(8).item()
    6.0
    """
    image = read_filtered(x, Edges(axes, boundary, cval))
    gaussians = read_gaussians(sigma, Cut(truncate, radius, kind), image)
    destination = image.destination(out)
    count = len(image.axes)
    return destination.deliver(sum(derivatives(image, gaussians, [orders_of(count, a, a) for a in range(count)])))


def difference_of_gaussians(
    x: Any,
    /,
    sigma: float | Sequence[float],
    *,
    ratio: float = 1.6,
    truncate: float | Sequence[float] | None = None,
    radius: int | Sequence[int] | None = None,
    kind: str = "sampled",
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Keep detail of one size: ``y = G(sigma) * x - G(ratio sigma) * x``.

    Bright spots stay bright. It stands in for ``-(ratio - 1) sigma^2`` times the Laplacian of the smoothed image.

    Parameters
    ----------
    x : array
        As in `gaussian`.
    sigma : float or sequence of float
        Standard deviation of the narrow Gaussian in samples; one, or one per axis.
    ratio : float
        How much wider the other one is, above 1.
    truncate, radius, kind, axes, boundary, cval, out
        As in `gaussian`; each Gaussian is cut by itself.

    Returns
    -------
    array
        Of the shape of `x`, with the dtypes of `gaussian`.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`; and if `ratio` is not above 1.

    See Also
    --------
    gpuconv.kernels.difference_of_gaussians : the weights.

    References
    ----------
    .. [1] D. Marr, E. Hildreth, "Theory of edge detection", Proceedings of the Royal Society of London B 207, 1980.
       DOI 10.1098/rspb.1980.0020

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> spot = np.zeros((7, 7))
    >>> spot[3, 3] = 1
    >>> y = filters.difference_of_gaussians(spot, 1.0, boundary="wrap")
    >>> bool(y[3, 3] > 0), bool(y[3, 0] < 0), bool(abs(y.sum()) < 1e-12)
    (True, True, True)
    """
    ratio = read_real("ratio", ratio)
    if ratio <= 1:
        raise ValueError(refusal("ratio must be above 1", f"got {ratio!r}", "Give the ratio of the wide to the narrow"))
    image = read_filtered(x, Edges(axes, boundary, cval))
    narrow = read_gaussians(sigma, Cut(truncate, radius, kind), image)
    wide = read_gaussians([ratio * own for own in narrow.sigmas], Cut(truncate, radius, kind), image)
    destination = image.destination(out)
    return destination.deliver(smooth(image, narrow) - smooth(image, wide))


def unsharp_mask(
    x: Any,
    /,
    sigma: float | Sequence[float],
    *,
    amount: float = 1.0,
    truncate: float | Sequence[float] | None = None,
    radius: int | Sequence[int] | None = None,
    kind: str = "sampled",
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Sharpen: ``y = x + amount (x - G(sigma) * x)``.

    Nothing is clipped or rescaled: edges overshoot the range of `x`. With an `out` of an integer dtype the result is
    rounded and saturated.

    Parameters
    ----------
    x : array
        As in `gaussian`.
    sigma : float or sequence of float
        Standard deviation in samples of the detail that is brought out; one, or one per axis.
    amount : float
        How strongly; 0 leaves the image as it is, -1 gives the smoothed one.
    truncate, radius, kind, axes, boundary, cval, out
        As in `gaussian`.

    Returns
    -------
    array
        Of the shape of `x`, with the dtypes of `gaussian`.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`.

    See Also
    --------
    gpuconv.kernels.unsharp : the weights.

    References
    ----------
    .. [1] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", 4th ed., 2018, section 3.6.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> filters.unsharp_mask([10.0, 10.0, 10.0, 250.0, 250.0, 250.0], 0.5).round(1).tolist()
    [10.0, 9.9, -15.6, 275.6, 250.1, 250.0]
    >>> photo = np.array([[10, 10, 10, 250, 250, 250]], np.uint8)
    >>> filters.unsharp_mask(photo, 0.5, axes=1, out=photo).tolist()
    [[10, 10, 0, 255, 250, 250]]
    """
    amount = read_real("amount", amount)
    image = read_filtered(x, Edges(axes, boundary, cval))
    gaussians = read_gaussians(sigma, Cut(truncate, radius, kind), image)
    destination = image.destination(out)
    return destination.deliver(image.x + amount * (image.x - smooth(image, gaussians)))
