"""Derivatives from the nearest neighbours, in whole numbers: sobel, prewitt, scharr, roberts, laplace."""

from __future__ import annotations

from typing import Any

from gpuconv import kernels
from gpuconv.convolution import convolve
from gpuconv.core.arguments import read_axes, read_choice, read_integer, refusal
from gpuconv.core.namespace import read_image
from gpuconv.filters._image import Edges, Image, read_filter_axes
from gpuconv.methods.banks import convolve_banks, in_one_sweep
from gpuconv.methods.describe import Options, pose_kernel
from gpuconv.methods.plan import prepare
from gpuconv.methods.repeat import Facts, Posed, facts_of, image_of, recalled, run_posed
from gpuconv.methods.separable import factorize

OPERATORS = ("sobel", "prewitt", "scharr", "roberts")


def sobel(
    x: Any,
    /,
    axis: int = -1,
    *,
    scale: str = "integer",
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Slope along one axis, smoothed by 1 2 1 along the others: ``y[i] = s[i + 1] - s[i - 1]`` for the smoothed s.

    With scale "integer" it is `scipy.ndimage.sobel`, but exact for integers.

    Parameters
    ----------
    x : array
        Array of any shape and library, as in `gpuconv.convolve`.
    axis : int
        Axis of `x` along which the slope is taken, one of `axes`; negative ones count from the last.
    scale : {"integer", "unit"}
        "integer" has the weights as published; "unit" divides by ``2 * 4^(number of axes - 1)``, so that a slope of 1
        per sample gives 1.
    axes : int or sequence of int, optional
        Filtered axes: `axis`, and those along which is smoothed. All axes by default.
    boundary : str or sequence of str
        As in `gpuconv.convolve`; one, or one per axis.
    cval : number
        Fill value of the boundary "constant".
    out : array, optional
        As in `gpuconv.convolve`; may be `x` itself.

    Returns
    -------
    array
        Of the shape of `x`. With scale "integer", integers give the exact int32 or int64 that `gpuconv.convolve` gives
        with the int16 weights; else the dtypes are those of `gaussian`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of a wrong type or out of range, or as in `gpuconv.convolve`.

    See Also
    --------
    gpuconv.kernels.sobel : the weights.
    gradient_magnitude : the steepness, from all axes.

    References
    ----------
    .. [1] I. Sobel, G. Feldman, "A 3x3 isotropic gradient operator for image processing", talk at the Stanford
       Artificial Intelligence Project, 1968.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> photo = np.array([[0, 0, 255, 255]] * 3, np.uint8)
    >>> filters.sobel(photo, axis=1)[1].tolist()
    [0, 1020, 1020, 0]
    >>> filters.sobel(photo, axis=1, scale="unit")[1].tolist()
    [0.0, 127.5, 127.5, 0.0]
    """
    return _slope("sobel", x, axis, scale, Edges(axes, boundary, cval), out)


def prewitt(
    x: Any,
    /,
    axis: int = -1,
    *,
    scale: str = "integer",
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Slope along one axis, summed over 1 1 1 along the others: ``y[i] = s[i + 1] - s[i - 1]`` for the sums s.

    With scale "integer" it is `scipy.ndimage.prewitt`, but exact for integers.

    Parameters
    ----------
    x : array
        As in `sobel`.
    axis : int
        Axis of `x` along which the slope is taken, one of `axes`.
    scale : {"integer", "unit"}
        "unit" divides by ``2 * 3^(number of axes - 1)``, so that a slope of 1 per sample gives 1.
    axes, boundary, cval, out
        As in `sobel`.

    Returns
    -------
    array
        Of the shape of `x`, with the dtypes of `sobel`.

    Raises
    ------
    TypeError, ValueError
        As in `sobel`.

    See Also
    --------
    gpuconv.kernels.prewitt : the weights.

    References
    ----------
    .. [1] J. M. S. Prewitt, "Object enhancement and extraction", in B. S. Lipkin, A. Rosenfeld (editors), "Picture
       Processing and Psychopictorics", Academic Press, 1970, pages 75-149.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> filters.prewitt(np.array([[0, 1, 3, 6]] * 3), axis=1)[1].tolist()
    [3, 9, 15, 9]
    """
    return _slope("prewitt", x, axis, scale, Edges(axes, boundary, cval), out)


def scharr(
    x: Any,
    /,
    axis: int = -1,
    *,
    scale: str = "integer",
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Slope along one axis, smoothed by 3 10 3 along the others: ``y[i] = s[i + 1] - s[i - 1]`` for the smoothed s.

    Nearly the same in all directions. With scale "unit" it is half of `skimage.filters.scharr` of one axis.

    Parameters
    ----------
    x : array
        As in `sobel`.
    axis : int
        Axis of `x` along which the slope is taken, one of `axes`.
    scale : {"integer", "unit"}
        "unit" divides by ``2 * 16^(number of axes - 1)``, so that a slope of 1 per sample gives 1.
    axes, boundary, cval, out
        As in `sobel`.

    Returns
    -------
    array
        Of the shape of `x`, with the dtypes of `sobel`.

    Raises
    ------
    TypeError, ValueError
        As in `sobel`.

    See Also
    --------
    gpuconv.kernels.scharr : the weights.

    References
    ----------
    .. [1] H. Scharr, "Optimale Operatoren in der Digitalen Bildverarbeitung", doctoral thesis, University of
       Heidelberg, 2000. DOI 10.11588/heidok.00000962

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> filters.scharr(np.array([[0, 1, 3, 6]] * 3), axis=1)[1].tolist()
    [16, 48, 80, 48]
    """
    return _slope("scharr", x, axis, scale, Edges(axes, boundary, cval), out)


def roberts(
    x: Any,
    /,
    axis: int = -1,
    *,
    scale: str = "integer",
    origin: int = 0,
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Slope along a diagonal, from two pixels: the finest and the noisiest.

    ``last axis: y[i, j] = x[i, j] - x[i-1, j-1]``, ``first axis: y[i, j] = x[i, j-1] - x[i-1, j]``.

    The two make the Roberts cross at (i - 1/2, j - 1/2). With ``origin=1`` all moves by one pixel, the cross is at
    (i + 1/2, j + 1/2), and the results are `skimage.filters.roberts_pos_diag` (last axis) and `roberts_neg_diag`.

    Parameters
    ----------
    x : array
        As in `sobel`.
    axis : int
        Axis along which an increasing ramp gives a positive result, one of the two `axes`: the second takes the falling
        diagonal of a picture, the first the rising one.
    scale : {"integer", "unit"}
        A slope of 1 along `axis` gives 1 with either; "unit" makes floats.
    origin : {0, 1}
        As in `gpuconv.convolve`, for both axes.
    axes : sequence of int, optional
        The two axes of the picture; those of `x` by default, if it has two.
    boundary, cval, out
        As in `sobel`.

    Returns
    -------
    array
        Of the shape of `x`, with the dtypes of `sobel`.

    Raises
    ------
    TypeError, ValueError
        As in `sobel`; and if there are not two axes.

    See Also
    --------
    gpuconv.kernels.roberts : the weights.

    References
    ----------
    .. [1] L. G. Roberts, "Machine perception of three-dimensional solids", doctoral thesis, Massachusetts Institute of
       Technology, 1963.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> filters.roberts(np.array([[1, 2], [4, 8]]), axis=1)[1, 1].item()
    7
    """
    return _slope("roberts", x, axis, scale, Edges(axes, boundary, cval), out, origin=origin)


def laplace(
    x: Any,
    /,
    *,
    neighbours: str | int = "faces",
    scale: str = "integer",
    axes: Any = None,
    boundary: Any = "reflect",
    cval: Any = 0.0,
    out: Any = None,
) -> Any:
    """Sum of the second differences: ``y[i] = sum_n x[n] - N x[i]`` over the N neighbours n of i.

    Positive in hollows, negative on bumps. With the neighbours by faces it is `scipy.ndimage.laplace`, but exact for
    integers.

    Parameters
    ----------
    x : array
        As in `sobel`.
    neighbours : {"faces", "all"} or int
        "faces" counts those that differ along one axis (4 in 2-D, 6 in 3-D), "all" the diagonal ones too (8, 26); the
        number itself will do.
    scale : {"integer", "unit"}
        "unit" divides "all" by ``3^(number of axes - 1)``, so that x^2/2 gives 1 as it does with "faces".
    axes, boundary, cval, out
        As in `sobel`.

    Returns
    -------
    array
        Of the shape of `x`, with the dtypes of `sobel`.

    Raises
    ------
    TypeError, ValueError
        As in `sobel`.

    See Also
    --------
    gaussian_laplace : of the smoothed image.
    gpuconv.kernels.laplacian : the weights.

    References
    ----------
    .. [1] M. Abramowitz, I. A. Stegun, "Handbook of Mathematical Functions", 1964, section 25.3: "faces" in 2-D.

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> filters.laplace(np.array([0, 1, 4, 9, 16])).tolist()
    [1, 2, 2, 2, -7]
    """
    x, home = read_image(x)
    posed = recalled(_pose_laplace, facts_of(x, home), (neighbours, scale, axes, boundary))
    return run_posed(prepare, posed, x, home, cval, out)


def _pose_laplace(facts: Facts, neighbours: Any, scale: Any, axes: Any, boundary: Any) -> Posed:
    axes = read_filter_axes(axes, len(image_of(facts).shape))
    kernel = kernels.laplacian(ndim=len(axes), neighbours=neighbours, scale=scale)
    return pose_kernel(facts, kernel, Options("convolve", boundary=boundary, axes=axes))


def _slope(operator: str, x: Any, axis: Any, scale: Any, edges: Edges, out: Any, *, origin: Any = 0) -> Any:
    x, home = read_image(x)
    posed = recalled(_pose_slope, facts_of(x, home), (operator, axis, scale, origin, edges.axes, edges.boundary))
    return run_posed(prepare, posed, x, home, edges.cval, out)


def _pose_slope(facts: Facts, operator: str, axis: Any, scale: Any, origin: Any, axes: Any, boundary: Any) -> Posed:
    ndim = len(image_of(facts).shape)
    axes = read_filter_axes(axes, ndim)
    axis = read_axes(read_integer("axis", axis), ndim)[0]
    if axis not in axes:
        remedy = f"Name one of them: {', '.join(map(str, axes))}"
        raise ValueError(refusal("axis must be among axes", f"got axis {axis} and axes {axes}", remedy))
    kernel = operator_kernel(operator, axes.index(axis), len(axes), scale)
    return pose_kernel(facts, kernel, Options("convolve", boundary=boundary, origin=origin, axes=axes))


def operator_kernel(operator: str, position: int, count: int, scale: str) -> Any:
    """Weights for the slope along the axis at `position` of `count`."""
    if operator != "roberts":
        return kernels.get(operator, axis=position, ndim=count, scale=scale)
    if count != 2:
        rule = "the Roberts cross lies in a plane, and needs two axes"
        raise ValueError(refusal(rule, f"there are {count}", "Name two with axes="))
    return kernels.roberts(position, scale=scale)


def slopes(image: Image, operator: str, scale: str) -> list[Any]:
    """Slopes along all filtered axes, in the dtype of the sums."""
    operator = read_choice("operator", operator, OPERATORS)
    count = len(image.axes)
    weights = [operator_kernel(operator, position, count, scale) for position in range(count)]
    if in_one_sweep(image.problem):
        factors = [factorize(kernel, image.problem.rule.accumulator) for kernel in weights]
        banks = [each.banks[0] for each in factors if each is not None and len(each.banks) == 1]
        if len(banks) == count:
            return convolve_banks(image.x, banks, **image.edges)
    return [convolve(image.x, kernel, **image.edges) for kernel in weights]
