"""Several kernels on one image: bank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuconv.convolution import plan_convolution
from gpuconv.core.arguments import read_axes, read_integer, refusal
from gpuconv.core.dtypes import ITEMSIZE
from gpuconv.core.namespace import Home, cast, dtype_name, read_image, read_kernel
from gpuconv.filters._image import Edges, read_filter_axes, read_filtered


def bank(
    x: Any,
    kernels: Any,
    /,
    *,
    new_axis: int = 0,
    mode: str = "same",
    boundary: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    axes: Any = None,
    method: str = "auto",
    accuracy: str = "norm",
    out: Any = None,
) -> Any:
    """Feature maps: ``y[f] = kernels[f] * x`` for each kernel f.

    Parameters
    ----------
    x : array, shape S
        Array of any shape and library, as in `gpuconv.convolve`.
    kernels : array, or sequence of arrays
        Kernels as in `gpuconv.convolve`, with one dimension per axis; stacked along the first axis of one array, or
        listed, and then of any sizes if `mode` is "same". They are brought to a common dtype.
    new_axis : int
        Where the maps are numbered in the result: 0 for the first axis, -1 for the last one.
    mode, boundary, cval, origin, axes, method, accuracy
        As in `gpuconv.convolve`, but that the boundary is "reflect" by default, as for all filters.
    out : array, optional
        Where to put the result; may share memory with `x`.

    Returns
    -------
    array
        The maps stacked along the new axis, each of the shape and dtype that `gpuconv.convolve` gives; int64 for all
        where integers need it for one.

    Raises
    ------
    TypeError, ValueError
        As in `gpuconv.convolve`; and if there is no kernel, or the maps differ in shape.

    See Also
    --------
    gpuconv.kernels : kernels by name.

    References
    ----------
    .. [1] J. Malik, P. Perona, "Preattentive texture discrimination with early vision mechanisms", Journal of the
       Optical Society of America A 7, 1990. DOI 10.1364/JOSAA.7.000923

    Examples
    --------
    >>> import numpy as np
    >>> from gpuconv import filters, kernels
    >>> photo = np.zeros((4, 6, 3), np.uint8)
    >>> maps = filters.bank(photo, [kernels.sobel(0), kernels.sobel(1), kernels.edge()], axes=(0, 1))
    >>> maps.shape, maps.dtype.name
    ((3, 4, 6, 3), 'int32')
    """
    x, home = read_image(x)
    axes = read_filter_axes(axes, x.ndim)
    weights = _common_dtype(_listed(kernels, home), home)
    options = {"mode": mode, "boundary": boundary, "origin": origin, "axes": axes}
    plans = [plan_convolution(x, kernel, **options, method=method, accuracy=accuracy) for kernel in weights]
    shapes = {plan.problem.output_shape for plan in plans}
    if len(shapes) > 1:
        given = f"with mode={mode!r} they have shapes {', '.join(map(str, sorted(shapes)))}"
        raise ValueError(refusal("maps must have one shape", given, "Use mode='same', or kernels of one size"))
    result = max((plan.problem.rule.result for plan in plans), key=ITEMSIZE.__getitem__)
    position = read_axes(read_integer("new_axis", new_axis), x.ndim + 1)[0]
    shape = list(plans[0].problem.output_shape)
    shape.insert(position, len(plans))
    destination = read_filtered(x, Edges(axes, boundary, cval)).destination_of(out, tuple(shape), result)
    maps = [plan.execute(x, kernel, cval=cval) for plan, kernel in zip(plans, weights, strict=True)]
    return destination.deliver(home.xp.stack([cast(home, each, result) for each in maps], axis=position))


def _listed(kernels: Any, home: Home) -> list[Any]:
    """Kernels one by one, on the host where their values are at hand."""
    if not isinstance(kernels, (list, tuple)):
        kernels = read_kernel(kernels, home, "kernels")
        kernels = [kernels[index, ...] for index in range(kernels.shape[0] if kernels.ndim else 0)]
    if not kernels:
        raise ValueError(refusal("a bank needs at least one kernel", "got none", "Give a list of kernels"))
    return [read_kernel(kernel, home, "each of kernels") for kernel in kernels]


def _common_dtype(kernels: Sequence[Any], home: Home) -> list[Any]:
    """Kernels of one dtype, so that their maps have one."""
    if len({dtype_name(kernel.dtype) for kernel in kernels}) == 1:
        return list(kernels)
    if all(isinstance(kernel, np.ndarray) for kernel in kernels):
        common = np.result_type(*kernels)
        return [kernel.astype(common) for kernel in kernels]
    moved = [home.xp.asarray(kernel, device=home.device) for kernel in kernels]
    return [cast(home, kernel, dtype_name(home.xp.result_type(*moved))) for kernel in moved]
