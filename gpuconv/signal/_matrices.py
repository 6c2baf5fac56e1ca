"""SciPy's convolutions of matrices: convolve2d, correlate2d."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpuconv import convolution
from gpuconv._scipy_arguments import Pair, check_mode, larger_first, read_fillvalue, read_matrices
from gpuconv.core.arguments import refusal
from gpuconv.core.namespace import cast, dtype_name
from gpuconv.signal._dtypes import in_common_dtype
from gpuconv.signal._handover import hand_over

_BOUNDARIES = {
    "fill": "constant",
    "pad": "constant",
    "wrap": "wrap",
    "circular": "wrap",
    "symm": "reflect",
    "symmetric": "reflect",
}


def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """Convolution of two matrices with a choice of boundary, as `scipy.signal.convolve2d`.

    ``full[i] = sum_m in2[m] x~[i - m]``, with x~ the first input extended by `boundary`.

    Parameters
    ----------
    in1, in2 : array, two dimensions
    mode : {"full", "valid", "same"}
        As in `convolve`; "valid" does not read the boundary.
    boundary : {"fill", "wrap", "symm"}
        Also under their other names "pad", "circular" and "symmetric".
    fillvalue : number
        What "fill" fills with.

    Returns
    -------
    array, two dimensions
        In the common dtype of both inputs.

    Raises
    ------
    ValueError
        If an input is not a matrix, sizes do not fit, a name is unknown, or `fillvalue` does not fit the dtype.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.convolve2d([[1, 2], [3, 4]], [[1, 1, 1]], mode="same", boundary="wrap").tolist()
    [[5, 4], [11, 10]]
    """
    pair = read_matrices(in1, in2, "convolve2d")
    if pair.only_scipy_computes:
        return hand_over("convolve2d", in1, in2, mode, boundary, fillvalue)
    return _Edge(mode, boundary, fillvalue, 0).apply(convolution.convolve, pair)


def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """Cross-correlation of two matrices with a choice of boundary, as `scipy.signal.correlate2d`.

    ``full[i] = sum_m conj(in2[m]) x~[i + m - (K - 1)]``, with x~ the first input extended by `boundary`. "same" starts
    at ``K//2`` of "full", one later than `correlate` does for even K.

    Parameters
    ----------
    in1, in2 : array, two dimensions
    mode : {"full", "valid", "same"}
        As in `convolve2d`.
    boundary : {"fill", "wrap", "symm"}
        As in `convolve2d`.
    fillvalue : number
        What "fill" fills with.

    Returns
    -------
    array, two dimensions
        In the common dtype of both inputs.

    Raises
    ------
    ValueError
        If an input is not a matrix, sizes do not fit, a name is unknown, or `fillvalue` does not fit the dtype.

    Examples
    --------
    >>> import gpuconv.signal as signal
    >>> signal.correlate2d([[1, 2], [3, 4]], [[1, 0], [0, 1]], mode="valid").tolist()
    [[5]]
    """
    pair = read_matrices(in1, in2, "correlate2d")
    if pair.only_scipy_computes:
        return hand_over("correlate2d", in1, in2, mode, boundary, fillvalue)
    return _Edge(mode, boundary, fillvalue, 1).apply(convolution.correlate, pair)


@dataclass(frozen=True)
class _Edge:
    """How the 2-D functions treat the edges; `late` is 1 where "same" starts at K//2 instead of (K - 1)//2."""

    mode: Any
    boundary: Any
    fillvalue: Any
    late: int

    def apply(self, operation: Callable[..., Any], pair: Pair) -> Any:
        check_mode(self.mode)
        if self.boundary not in _BOUNDARIES:
            rule = "Acceptable boundary flags are 'fill', 'circular' (or 'wrap'), and 'symmetric' (or 'symm')"
            raise ValueError(refusal(rule, f"got boundary={self.boundary!r}", "Choose one of these"))
        pair = in_common_dtype(pair)
        name = dtype_name(pair.first.dtype)
        cval = read_fillvalue(self.fillvalue, name)
        if larger_first(pair, self.mode) is not pair:
            # A correlation is not symmetric in its inputs, the convolution that equals it is.
            pair = (pair.with_second_reversed() if self.late else pair).swapped()
            operation = convolution.convolve
        origins = tuple(self.late * (1 - size % 2) for size in pair.shapes[1]) if self.mode == "same" else 0
        y = operation(
            pair.first,
            pair.second,
            mode=self.mode,
            boundary=_BOUNDARIES[self.boundary],
            cval=cval,
            origin=origins,
            accuracy="local",
        )
        return cast(pair.home, y, name)
