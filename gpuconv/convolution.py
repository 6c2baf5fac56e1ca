"""Convolution and correlation in any number of dimensions, for every array library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gpuconv.core.boundary import fold_all
from gpuconv.core.dtypes import DtypeRule
from gpuconv.core.namespace import cast, read_image, read_kernel, zeros_from
from gpuconv.methods.deliver import deliver
from gpuconv.methods.describe import Options, describe, pose, pose_forward
from gpuconv.methods.passes import pose_passes, prepare_passes
from gpuconv.methods.plan import Plan, choose_plan, prepare
from gpuconv.methods.repeat import run_posed

__all__ = ["convolve", "convolve_adjoint", "convolve_separable", "correlate", "plan_convolution"]


def convolve(
    x: Any,
    kernel: Any,
    /,
    *,
    mode: str = "same",
    boundary: Any = "constant",
    cval: Any = 0.0,
    origin: Any = 0,
    axes: Any = None,
    method: str = "auto",
    accuracy: str = "norm",
    out: Any = None,
) -> Any:
    r"""Convolve an array with a kernel: ``full[i] = sum_m kernel[m] x~[i - m]``.

    ``x~`` is `x` extended beyond its ends by `boundary`, and ``i = 0 ... n + K - 2`` on an axis of n samples under K
    taps. "full" is all of it, "same" the n values from ``(K - 1)//2 + origin``, "valid" ``full[K - 1 : n]``, which
    reads nothing beyond the ends.

    Parameters
    ----------
    x : array
        Array of any shape of NumPy, CuPy, torch, JAX, dask or another array-API library, or a sequence. Integer, real
        or complex; bool is refused.
    kernel : array
        Weights, one dimension per convolved axis. A sequence or NumPy array goes with any library.
    mode : {"same", "full", "valid"}
    boundary : str or sequence of str
        "constant", "reflect", "mirror", "nearest" or "wrap" (alias "periodic"); one, or one per axis.
    cval : number
        Fill value of "constant"; NaN is allowed.
    origin : int or sequence of int
        Shifts the window of "same"; one, or one per axis. ``0 <= (K - 1)//2 + origin < K``.
    axes : int or sequence of int, optional
        Convolved axes of `x`; kernel dimension i goes with ``axes[i]``. All axes by default. The others are batches.
    method : {"auto", "direct", "separable", "fft", "overlap"}
        "auto" takes the cheapest; `plan_convolution` prints the reasons.
    accuracy : {"norm", "local"}
        "local" forbids methods whose rounding is relative to the largest samples around, such as FFT.
    out : array, optional
        Where to put the result; may have another dtype (integers are rounded half to even and saturated) and may be
        `x` itself. JAX and dask arrays cannot be written to.

    Returns
    -------
    array
        In the library and on the device of `x`. Floating and complex input keeps its precision; integers with an
        integer kernel give int32 where that cannot overflow, else int64 (uint64 if both are unsigned), exactly; 8- and
        16-bit integers with a floating kernel give float32, wider ones float64. Half precision is summed in float32.

    Raises
    ------
    TypeError
        If the arrays are of different libraries, or of a dtype that is not supported.
    ValueError
        If sizes, axes, origin or names do not fit.

    See Also
    --------
    correlate, convolve_separable, plan_convolution

    References
    ----------
    .. [1] A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing", 3rd ed., 2009, section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> import gpuconv
    >>> gpuconv.convolve(np.array([1.0, 2.0, 3.0]), [1.0, 0.0, -1.0], boundary="nearest").tolist()
    [1.0, 2.0, 1.0]
    >>> gpuconv.convolve([1, 2, 3], [1, 1], mode="full").tolist()
    [1, 3, 5, 3]
    """
    options = Options("convolve", mode, boundary, origin, axes, method, accuracy)
    return _execute(x, kernel, options, cval, out)


def correlate(
    x: Any,
    kernel: Any,
    /,
    *,
    mode: str = "same",
    boundary: Any = "constant",
    cval: Any = 0.0,
    origin: Any = 0,
    axes: Any = None,
    method: str = "auto",
    accuracy: str = "norm",
    out: Any = None,
) -> Any:
    """Correlate an array with a kernel: `convolve` with the kernel reversed on every axis and conjugated.

    ``full[i] = sum_m conj(kernel[K - 1 - m]) x~[i - m]``: a peak marks where `x` looks like the kernel.

    Parameters
    ----------
    x, kernel : array
        As in `convolve`.
    mode, boundary, cval, origin, axes, method, accuracy, out
        As in `convolve`.

    Returns
    -------
    array
        As in `convolve`.

    Raises
    ------
    TypeError, ValueError
        As in `convolve`.

    See Also
    --------
    convolve

    References
    ----------
    .. [1] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", 4th ed., 2018, section 3.4.

    Examples
    --------
    >>> import gpuconv
    >>> gpuconv.correlate([0, 1, 2, 0, 0], [1, 2]).tolist()
    [0, 2, 5, 2, 0]
    """
    options = Options("correlate", mode, boundary, origin, axes, method, accuracy)
    return _execute(x, kernel, options, cval, out)


def _execute(x: Any, kernel: Any, options: Options, cval: Any, out: Any) -> Any:
    x, home = read_image(x)
    posed = pose(x, home, read_kernel(kernel, home), options)
    return run_posed(prepare, posed, x, home, cval, out)


def convolve_separable(
    x: Any,
    taps: Sequence[Any],
    /,
    *,
    mode: str = "same",
    boundary: Any = "constant",
    cval: Any = 0.0,
    origin: Any = 0,
    axes: Any = None,
    accuracy: str = "norm",
    out: Any = None,
) -> Any:
    """Convolve with an outer product of taps, one axis after another: ``kernel = taps[0] (x) taps[1] (x) ...``.

    Equal to ``convolve(x, kernel)``, for the sum of the taps' lengths instead of their product. Axes with many taps
    go through FFT blocks unless `accuracy` forbids it.

    Parameters
    ----------
    x : array
        As in `convolve`.
    taps : sequence of 1-D arrays
        ``taps[i]`` goes along ``axes[i]``.
    mode, boundary, cval, origin, axes, accuracy, out
        As in `convolve`. Without `axes` there must be one list of taps per axis of `x`.

    Returns
    -------
    array
        As in `convolve`; half precision and integers are rounded or wrapped at no point in between.

    Raises
    ------
    TypeError, ValueError
        As in `convolve`.

    See Also
    --------
    convolve

    References
    ----------
    .. [1] R. C. Gonzalez, R. E. Woods, "Digital Image Processing", 4th ed., 2018, section 3.4.

    Examples
    --------
    >>> import numpy as np
    >>> import gpuconv
    >>> gpuconv.convolve_separable(np.eye(3), [[1, 2, 1], [1, 0, -1]]).tolist()
    [[1.0, -2.0, -1.0], [2.0, 0.0, -2.0], [1.0, 2.0, -1.0]]
    """
    options = Options("convolve", mode, boundary, origin, axes, "auto", accuracy)
    x, home = read_image(x)
    return run_posed(prepare_passes, pose_passes(x, home, taps, options), x, home, cval, out)


def convolve_adjoint(
    y: Any,
    kernel: Any,
    /,
    *,
    shape: Sequence[int],
    mode: str = "same",
    boundary: Any = "constant",
    origin: Any = 0,
    axes: Any = None,
    method: str = "auto",
) -> Any:
    """Apply the adjoint of `convolve`: ``<convolve(x, k), y> = <x, convolve_adjoint(y, k)>`` for fill value 0.

    Correlates `y` with the kernel and adds what falls beyond the ends of an axis back to the samples that the
    boundary had copied there. The gradient of any loss with respect to `x` is this, applied to the gradient with
    respect to ``convolve(x, k)``.

    Parameters
    ----------
    y : array
        Of the shape that ``convolve(x, kernel, ...)`` has.
    kernel : array
        As in `convolve`.
    shape : sequence of int
        Shape of `x`, and of the result.
    mode, boundary, origin, axes, method
        As given to `convolve`.

    Returns
    -------
    array
        Of shape `shape`, with the dtype rules of `convolve`; integers give int64 where a boundary folds back.

    Raises
    ------
    ValueError
        If `y` has not the shape of the convolution, or as in `convolve`.

    See Also
    --------
    convolve

    References
    ----------
    .. [1] J. Claerbout, "Earth Soundings Analysis: Processing versus Inversion", 1992, chapter 5.

    Examples
    --------
    >>> import gpuconv
    >>> gpuconv.convolve_adjoint([0.0, 0.0, 1.0], [1.0, 2.0, 3.0], shape=(3,), boundary="nearest").tolist()
    [0.0, 3.0, 3.0]
    """
    y, home = read_image(y, "y")
    forward = pose_forward(y, kernel, shape, Options("convolve", mode, boundary, origin, axes, method), home)
    options = Options("correlate", "full", "constant", 0, axes, method)
    backward = pose(y, home, read_kernel(kernel, home), options)
    problem = backward.problem
    if problem.rule.result == "int32" and forward.extends:  # folding adds up more products than the rule counts
        problem = replace(problem, rule=DtypeRule("int64", "int64"))
    result = prepare(backward, None)(y, 0)
    result = cast(home, result, problem.rule.accumulator)
    if 0 in forward.output_shape:
        return zeros_from(home, forward.shape, problem.rule.result, y, backward.weights)
    return deliver(fold_all(home.xp, result, forward.spans), home, problem, None)


def plan_convolution(
    x: Any,
    kernel: Any,
    /,
    *,
    mode: str = "same",
    boundary: Any = "constant",
    origin: Any = 0,
    axes: Any = None,
    method: str = "auto",
    accuracy: str = "norm",
) -> Plan:
    """Plan a convolution without doing it: ``print(plan_convolution(x, kernel))`` says what would happen and why.

    Parameters
    ----------
    x, kernel : array
        As in `convolve`; their sizes and dtypes count, and whether the kernel is an outer product.
    mode, boundary, origin, axes, method, accuracy
        As in `convolve`.

    Returns
    -------
    Plan
        Frozen; ``plan.execute(x, kernel)`` runs it, on these arrays or others like them.

    Raises
    ------
    TypeError, ValueError
        As in `convolve`.

    See Also
    --------
    convolve

    References
    ----------
    .. [1] C. Percival, "Rapid multiplication modulo the sum and difference of highly composite numbers", Math. Comp.
       72, 387-395, 2003, theorem 5.1. DOI 10.1090/S0025-5718-02-01419-9. The error bound of the Fourier methods.

    Examples
    --------
    >>> import numpy as np
    >>> import gpuconv
    >>> kernel = np.random.default_rng(0).random((99, 99))
    >>> plan = gpuconv.plan_convolution(np.zeros((2048, 2048)), kernel, boundary="reflect")
    >>> plan.method, plan.backend
    ('overlap', 'cpu')
    """
    options = Options("convolve", mode, boundary, origin, axes, method, accuracy)
    described = describe(x, kernel, options)
    return choose_plan(described.problem, described.options)
