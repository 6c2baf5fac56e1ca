"""Symmetric matrices at each sample: hessian, structure_tensor, and their eigenvalues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import Any

from gpuconv.convolution import convolve_separable
from gpuconv.core.arguments import refusal
from gpuconv.core.namespace import read_image
from gpuconv.filters._gradients import Slopes, read_slopes
from gpuconv.filters._image import Destination, Edges, Image, read_filtered, refuse_complex
from gpuconv.filters._pointwise import eigenvalues
from gpuconv.filters._taps import Cut, Gaussians, derivatives, orders_of, read_gaussians

# Closed forms: a matrix of n x n has n (n + 1)/2 components.
COUNTS = {1: 1, 3: 2, 6: 3}


def hessian(
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
    """Second derivatives of the smoothed image: ``H[a, b] = d^2 (G(sigma) * x) / (da db)``.

    Each is `gaussian` with one more order along a and one more along b; all come from shared passes.

    Parameters
    ----------
    x : array, shape S
        As in `gaussian`.
    sigma : float or sequence of float
        Standard deviation in samples; one, or one per axis.
    truncate, radius, kind, axes, boundary, cval
        As in `gaussian`.
    out : array, shape (n (n + 1)/2, *S), optional
        Where to put the result; may share memory with `x`.

    Returns
    -------
    array, shape (n (n + 1)/2, *S) for n axes
        The components on and above the diagonal on a new leading axis, row after row: 00, 01, 11 for two axes, 00, 01,
        02, 11, 12, 22 for three, as in scikit-image. With the dtypes of `gaussian`; in units of x per sample^2.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`.

    See Also
    --------
    hessian_eigenvalues

    References
    ----------
    .. [1] T. Lindeberg, "Feature detection with automatic scale selection", International Journal of Computer Vision
       30, 1998. DOI 10.1023/A:1008045108935

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> row, column = np.indices((31, 31)) - 15.0
    >>> filters.hessian(row**2 + 3 * row * column, 0.6, kind="lattice")[:, 15, 15].round(9).tolist()
    [2.0, 3.0, 0.0]
    """
    image = read_filtered(x, Edges(axes, boundary, cval))
    gaussians = read_gaussians(sigma, Cut(truncate, radius, kind), image)
    destination = image.destination(out, lead=(_components(image),))
    return destination.deliver_stack(_second_derivatives(image, gaussians))


def hessian_eigenvalues(
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
    """Curvatures of the smoothed image along its principal directions: eigenvalues of `hessian`, largest first.

    Bright ridges have one strongly negative eigenvalue, bright blobs have all of them negative.

    Parameters
    ----------
    x : array, shape S
        Real; as in `gaussian`.
    sigma : float or sequence of float
        Standard deviation in samples; one, or one per axis.
    truncate, radius, kind, axes, boundary, cval
        As in `gaussian`; one to three axes.
    out : array, shape (number of axes, *S), optional
        Where to put the result; may share memory with `x`.

    Returns
    -------
    array, shape (number of axes, *S)
        The eigenvalues on a new leading axis, in falling order, with the dtypes of `gaussian`; see
        `symmetric_eigenvalues`.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`; and if `x` is complex, or there are more than three axes.

    See Also
    --------
    hessian, symmetric_eigenvalues

    References
    ----------
    .. [1] A. F. Frangi, W. J. Niessen, K. L. Vincken, M. A. Viergever, "Multiscale vessel enhancement filtering",
       Medical Image Computing and Computer-Assisted Intervention, 1998. DOI 10.1007/BFb0056195

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> row, column = np.indices((31, 31)) - 15.0
    >>> filters.hessian_eigenvalues(row * column, 0.6, kind="lattice")[:, 15, 15].round(9).tolist()
    [1.0, -1.0]
    """
    image = read_filtered(x, Edges(axes, boundary, cval))
    gaussians = read_gaussians(sigma, Cut(truncate, radius, kind), image)
    destination = _eigenvalue_destination(image, out, "hessian_eigenvalues")
    return destination.deliver_stack(eigenvalues(image.xp, _second_derivatives(image, gaussians)))


def structure_tensor(
    x: Any,
    /,
    sigma: float | Sequence[float],
    *,
    gradient_sigma: float | Sequence[float] | None = None,
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
    """Products of slopes, averaged: ``J[a, b] = G(sigma) * (dx/da dx/db)``.

    It says in which directions the image changes around each sample, and how strongly. Slopes are taken of the image
    smoothed with `gradient_sigma`, or by an operator.

    Parameters
    ----------
    x : array, shape S
        Real; as in `gaussian`.
    sigma : float or sequence of float
        Standard deviation of the average in samples; one, or one per axis.
    gradient_sigma : float or sequence of float, optional
        Standard deviation in samples of the Gaussian whose derivatives are the slopes; 1 by default.
    operator : {"sobel", "prewitt", "scharr", "roberts"}, optional
        Take the slopes with the filter of that name instead.
    scale : {"unit", "integer"}
        Of the operator: "unit" gives slopes per sample, "integer" has the weights as published. With the operator
        "sobel", scale "integer" and boundary "constant" this is `skimage.feature.structure_tensor`.
    truncate, radius, kind
        As in `gaussian`, for both Gaussians.
    axes, boundary, cval
        As in `gaussian`. Products of slopes are extended by the same boundary, or by 0 where it is "constant".
    out : array, shape (n (n + 1)/2, *S), optional
        Where to put the result; may share memory with `x`.

    Returns
    -------
    array, shape (n (n + 1)/2, *S) for n axes
        The components on and above the diagonal on a new leading axis, in the order of `hessian`, with the dtypes of
        `gaussian`; in units of (x per sample)^2.

    Raises
    ------
    TypeError, ValueError
        As in `gaussian`; and if `x` is complex, or `gradient_sigma` and `operator` are both given.

    See Also
    --------
    structure_tensor_eigenvalues

    References
    ----------
    .. [1] J. Bigün, G. H. Granlund, "Optimal orientation detection of linear symmetry", Proceedings of the first
       International Conference on Computer Vision, 1987.
    .. [2] J. Weickert, "Coherence-enhancing diffusion filtering", International Journal of Computer Vision 31, 1999.
       DOI 10.1023/A:1008009714131

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> row, column = np.indices((61, 61))
    >>> filters.structure_tensor(2.0 * row + column, 1.0, kind="lattice")[:, 30, 30].round(9).tolist()
    [4.0, 2.0, 1.0]
    """
    image = read_filtered(x, Edges(axes, boundary, cval))
    cut = Cut(truncate, radius, kind)
    gradient = _read_gradient(gradient_sigma, cut, operator, scale, image)
    average = read_gaussians(sigma, cut, image)
    refuse_complex(image, "structure_tensor")
    destination = image.destination(out, lead=(_components(image),))
    return destination.deliver_stack(_averaged_products(image, gradient, average))


def structure_tensor_eigenvalues(
    x: Any,
    /,
    sigma: float | Sequence[float],
    *,
    gradient_sigma: float | Sequence[float] | None = None,
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
    """Mean squared slopes along the principal directions: eigenvalues of `structure_tensor`, largest first.

    Flat regions have none that is large, edges one, corners (in 2-D) two.

    Parameters
    ----------
    x : array, shape S
        Real; as in `gaussian`.
    sigma : float or sequence of float
        Standard deviation of the average in samples; one, or one per axis.
    gradient_sigma, operator, scale, truncate, radius, kind, axes, boundary, cval
        As in `structure_tensor`; one to three axes.
    out : array, shape (number of axes, *S), optional
        Where to put the result; may share memory with `x`.

    Returns
    -------
    array, shape (number of axes, *S)
        The eigenvalues on a new leading axis, in falling order, with the dtypes of `gaussian`; see
        `symmetric_eigenvalues`.

    Raises
    ------
    TypeError, ValueError
        As in `structure_tensor`; and if there are more than three axes.

    See Also
    --------
    structure_tensor, symmetric_eigenvalues

    References
    ----------
    .. [1] C. Harris, M. Stephens, "A combined corner and edge detector", Proceedings of the Alvey Vision Conference,
       1988. DOI 10.5244/C.2.23

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> row, column = np.indices((61, 61))
    >>> y = filters.structure_tensor_eigenvalues(2.0 * row + column, 1.0, kind="lattice")
    >>> (y[:, 30, 30].round(9) + 0.0).tolist()
    [5.0, 0.0]
    """
    image = read_filtered(x, Edges(axes, boundary, cval))
    cut = Cut(truncate, radius, kind)
    gradient = _read_gradient(gradient_sigma, cut, operator, scale, image)
    average = read_gaussians(sigma, cut, image)
    destination = _eigenvalue_destination(image, out, "structure_tensor_eigenvalues")
    return destination.deliver_stack(eigenvalues(image.xp, _averaged_products(image, gradient, average)))


def symmetric_eigenvalues(components: Any, /, *, out: Any = None) -> Any:
    r"""Eigenvalues of a symmetric matrix at each sample, in closed form: ``det(A - y I) = 0``, largest first.

    Parameters
    ----------
    components : array, shape (n (n + 1)/2, *S) with n = 1, 2 or 3
        The components on and above the diagonal of n x n matrices, row after row, as `hessian` and `structure_tensor`
        return them. Real.
    out : array, shape (n, *S), optional
        Where to put the result; may share memory with `components`.

    Returns
    -------
    array, shape (n, *S)
        The eigenvalues in falling order, with the dtypes of `gaussian`. Errors are a few eps of the largest one in
        magnitude, also where eigenvalues are close to each other. Where two are equal, their derivative does not exist,
        and automatic differentiation gives a finite one.

    Raises
    ------
    TypeError
        If `components` is complex, or no array of a supported dtype.
    ValueError
        If there are not 1, 3 or 6 components.

    See Also
    --------
    hessian, structure_tensor

    References
    ----------
    .. [1] O. K. Smith, "Eigenvalues of a symmetric 3 x 3 matrix", Communications of the ACM 4, 1961.
       DOI 10.1145/355578.366316

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> filters.symmetric_eigenvalues(np.array([2.0, 1.0, 2.0])).tolist()
    [3.0, 1.0]
    """
    components, home = read_image(components, "components")
    shape = tuple(components.shape)
    if not shape or shape[0] not in COUNTS:
        rule = "a symmetric matrix of 1, 2 or 3 rows has 1, 3 or 6 components, on the leading axis"
        raise ValueError(
            refusal(rule, f"components has shape {shape}", "Stack the components on and above the diagonal")
        )
    image = read_filtered(components, Edges(0, "constant", 0))
    refuse_complex(image, "symmetric_eigenvalues")
    destination = image.destination_of(out, (COUNTS[shape[0]], *shape[1:]), image.problem.rule.result)
    return destination.deliver_stack(eigenvalues(home.xp, [image.x[index, ...] for index in range(shape[0])]))


def _components(image: Image) -> int:
    count = len(image.axes)
    return count * (count + 1) // 2


def _second_derivatives(image: Image, gaussians: Gaussians) -> list[Any]:
    count = len(image.axes)
    pairs = combinations_with_replacement(range(count), 2)
    return derivatives(image, gaussians, [orders_of(count, *pair) for pair in pairs])


def _read_gradient(sigma: Any, cut: Cut, operator: Any, scale: str, image: Image) -> Slopes:
    sigma = 1.0 if sigma is None and operator is None else sigma
    return read_slopes("gradient_sigma", sigma, cut, operator, scale, image)


def _averaged_products(image: Image, gradient: Slopes, average: Gaussians) -> list[Any]:
    taps = average.smoothing()
    # What is constant beyond the ends has no slopes there.
    edges = replace(image, cval=0).edges
    return [
        convolve_separable(one * other, taps, **edges)
        for one, other in combinations_with_replacement(gradient.of(image), 2)
    ]


def _eigenvalue_destination(image: Image, out: Any, name: str) -> Destination:
    refuse_complex(image, name)
    count = len(image.axes)
    if count > 3:
        rule, remedy = f"{name} has closed forms for one to three axes", "Name three with axes=, or solve numerically"
        raise ValueError(refusal(rule, f"there are {count}", remedy))
    return image.destination(out, lead=(count,))
