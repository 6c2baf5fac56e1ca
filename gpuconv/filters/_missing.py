"""Images with missing samples: reading weights, and normalized_convolve."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.convolution import convolve, plan_convolution
from gpuconv.core.arguments import read_choice, refusal
from gpuconv.core.dtypes import check_supported, complex_of, is_complex
from gpuconv.core.namespace import cast, dtype_in, dtype_name, read_image, read_kernel
from gpuconv.filters._image import Edges, Image, read_filtered

NAN_RULES = ("propagate", "omit")


def normalized_convolve(
    x: Any,
    kernel: Any,
    /,
    weights: Any = None,
    *,
    nan: str = "propagate",
    mode: str = "same",
    boundary: Any = "constant",
    origin: Any = 0,
    axes: Any = None,
    method: str = "auto",
    accuracy: str = "norm",
    out: Any = None,
) -> Any:
    """Average what is there: ``y = (kernel * (weights x)) / (kernel * weights)``.

    Missing samples count for nothing, and the average is over the others. With the boundary "constant" nothing is
    there beyond the ends either: edges are averages of fewer samples, and need no fill value.

    Parameters
    ----------
    x : array
        Array of any shape and library, as in `gpuconv.convolve`.
    kernel : array
        Weights of the average, one dimension per axis, as in `gpuconv.convolve`; none should be negative. Its scale
        cancels out.
    weights : array, optional
        How much each sample counts: 0 where it is missing, whatever `x` has there; or a mask, True where it is there.
        Of the library of `x`, with its shape, or 1 for axes along which it is the same. No weight may be negative. 1 by
        default.
    nan : {"propagate", "omit"}
        "omit" takes NaN for missing, beside what `weights` says.
    mode, origin, axes, method, accuracy
        As in `gpuconv.convolve`.
    boundary : str or sequence of str
        As in `gpuconv.convolve`, for `x` and `weights`; beyond the ends of "constant" all is missing.
    out : array, optional
        As in `gpuconv.convolve`; may be `x` itself.

    Returns
    -------
    array
        Of the shape that `gpuconv.convolve` gives, with the dtypes of `gaussian` (complex if the kernel is). NaN where
        all is missing under the kernel.

    Raises
    ------
    TypeError, ValueError
        As in `gpuconv.convolve`; and if the weights have another library or shape, or are complex.

    See Also
    --------
    local_mean : the same over boxes.

    References
    ----------
    .. [1] H. Knutsson, C.-F. Westin, "Normalized and differential convolution", IEEE Conference on Computer Vision and
       Pattern Recognition, 1993. DOI 10.1109/CVPR.1993.341081

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters
    >>> x = np.array([1.0, 1.0, np.nan, 4.0, 4.0])
    >>> filters.normalized_convolve(x, [1, 1, 1], nan="omit").tolist()
    [1.0, 1.0, 2.5, 4.0, 4.0]
    >>> filters.normalized_convolve(x, [1, 1, 1], np.array([True, False, False, False, True])).tolist()
    [1.0, 1.0, nan, 4.0, 4.0]
    """
    image = read_filtered(x, Edges(axes, "constant", 0))
    kernel = _floating(read_kernel(kernel, image.home))
    options = {"mode": mode, "boundary": boundary, "origin": origin, "axes": image.axes}
    plan = plan_convolution(image.x, kernel, **options, method=method, accuracy=accuracy)
    result = image.problem.rule.result
    result = complex_of(result) if is_complex(dtype_name(kernel.dtype)) else result
    destination = image.destination_of(out, plan.problem.output_shape, result)
    values, there = present(image, image.x, read_weights(weights, image), nan)
    if there is None:
        there = _ones(image)
    total = convolve(values * there, kernel, **options, method=method, accuracy=accuracy)
    plan = plan_convolution(there, kernel, **options, method=method, accuracy=accuracy)
    count = plan.execute(there, kernel)
    if plan.method in ("fft", "overlap"):  # a transform leaves rounding where there is nothing
        hits = convolve(cast(image.home, there != 0, "int8"), _support(kernel, image), **options)
        count = image.xp.where(hits == 0, image.xp.zeros_like(count), count)
    return destination.deliver(divided(image.xp, total, count))


def read_weights(weights: Any, image: Image) -> Any:
    """Weights in the real dtype of the image's sums, of its size along the filtered axes; None if none are given."""
    if weights is None:
        return None
    weights, home = read_image(weights, "weights")
    if home.library != image.home.library:
        given = f"x belongs to {image.home.library}, weights to {home.library}"
        remedy = "Convert one of them; gpuconv never moves data between libraries or devices behind your back"
        raise TypeError(refusal("weights must be of the library that holds x", given, remedy))
    name, shape, own = dtype_name(weights.dtype), image.problem.shape, tuple(weights.shape)
    if is_complex(name if name == "bool" else check_supported(name, "weights")):
        raise TypeError(refusal("weights must be real", f"their dtype is {name}", "Pass their real part"))
    if len(own) != len(shape) or any(size not in (1, full) for size, full in zip(own, shape)):
        rule = "weights must have the shape of x, or 1 for axes along which they are the same"
        raise ValueError(refusal(rule, f"x has shape {shape}, weights {own}", "Reshape or crop them"))
    filtered = tuple(full if axis in image.axes else size for axis, (size, full) in enumerate(zip(own, shape)))
    return image.xp.broadcast_to(cast(image.home, weights, image.precision.name), filtered)


def present(image: Image, x: Any, weights: Any, nan: Any) -> tuple[Any, Any]:
    """`x` with zeros for what is missing, and weights that are 0 there; None where nothing can be missing."""
    xp = image.xp
    if read_choice("nan", nan, NAN_RULES) == "omit":
        known = cast(image.home, xp.logical_not(xp.isnan(x)), image.precision.name)
        weights = known if weights is None else known * weights
    # Zero times NaN would be NaN.
    return (x if weights is None else xp.where(weights == 0, xp.zeros_like(x), x)), weights


def divided(xp: Any, total: Any, count: Any) -> Any:
    """``total / count``, NaN where the count is 0, without a division by it that would spoil derivatives."""
    nothing = count == 0
    mean = total / xp.where(nothing, xp.ones_like(count), count)
    return xp.where(nothing, xp.full_like(mean, float("nan")), mean)


def _ones(image: Image) -> Any:
    """As many as there are samples along the filtered axes, and one along the others."""
    shape = tuple(size if axis in image.axes else 1 for axis, size in enumerate(image.problem.shape))
    dtype = dtype_in(image.home, image.precision.name)
    return image.xp.ones(shape, dtype=dtype, device=image.home.device)


def _floating(kernel: Any) -> Any:
    """Host weights as floats: an average is not exact, whatever the dtypes."""
    return kernel.astype(np.float64) if isinstance(kernel, np.ndarray) and kernel.dtype.kind in "iu" else kernel


def _support(kernel: Any, image: Image) -> Any:
    """1 where the kernel has a weight, as int8."""
    return (kernel != 0).astype(np.int8) if isinstance(kernel, np.ndarray) else cast(image.home, kernel != 0, "int8")
