"""SciPy's compiled loops, called without the Python around them.

What `scipy.ndimage.correlate` and `correlate1d` read and check takes longer than the sums of a small image, and is
known here once a call is prepared. They hand over to functions of a module that is SciPy's own affair: these are taken
only where they give, bit for bit, what the public ones give on samples of every boundary; else the public ones are.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gpuconv.backends.cpu import originals
from gpuconv.core.boundary import Span
from gpuconv.core.shapes import kernel_shape_among

# SciPy's numbers of the boundaries.
CODES = {"nearest": 0, "wrap": 1, "reflect": 2, "mirror": 3, "constant": 4}
_NAMES = {code: name for name, code in CODES.items()}


class Loops(NamedTuple):
    """``line(x, taps, axis, output, code, cval, origin)``, ``window(x, weights, output, code, cval, origins)``.

    Weights are contiguous and in double precision, as are the sums; `output` shares no memory with `x`.
    """

    line: Callable[..., Any]
    window: Callable[..., Any]


def _public_line(x: Any, taps: Any, axis: int, output: Any, code: int, cval: Any, origin: int) -> None:
    originals.ndimage_correlate1d(x, taps, axis, output=output, mode=_NAMES[code], cval=cval, origin=origin)


def _public_window(x: Any, weights: Any, output: Any, code: int, cval: Any, origins: Sequence[int]) -> None:
    originals.ndimage_correlate(x, weights, output=output, mode=_NAMES[code], cval=cval, origin=origins)


PUBLIC = Loops(_public_line, _public_window)


@cache
def loops() -> Loops:
    """SciPy's loops themselves, if they are where they used to be and do what they used to."""
    try:
        module = importlib.import_module("scipy.ndimage._nd_image")
        found = Loops(module.correlate1d, module.correlate)
        return found if _answers(found) == _answers(PUBLIC) else PUBLIC
    except Exception:  # whatever has become of them: nobody has promised anything
        return PUBLIC


def _answers(candidate: Loops) -> list[Any]:
    """What loops make of a few samples, at every boundary, along both axes, into other dtypes."""
    x, answers = np.array([[1, 5, 2, 8, 4], [9, 3, 7, 6, 0]], np.uint8), []
    taps, weights = np.array([0.5, -2.0, 3.25]), np.array([[1.0, 0.25, -3.0], [4.0, 0.5, 2.0]])
    for code in CODES.values():
        for dtype, axis in (("float32", 0), ("int32", 1), ("float64", -1)):
            y, z = np.empty(x.shape, dtype), np.empty(x.shape, dtype)
            candidate.line(x[:, ::-1], taps, axis % 2, y, code, 1.5, axis % 2)
            candidate.window(x[:, ::-1], weights, z, code, 1.5, [0, axis % 2])
            answers += [y.tolist(), z.tolist()]
    return answers


def _in_double(weights: np.ndarray) -> np.ndarray:
    return np.array(weights, np.float64, order="C")


def line_loop(shape: Sequence[int], dtype: np.dtype, taps: np.ndarray, span: Span) -> Callable[[Any, Any], np.ndarray]:
    """A function ``(x, cval)`` for a span of as many outputs as samples; the result has the dtype given here.

    SciPy reads ``x~[i + j - taps // 2 - origin]``, and copies samples and fill value into doubles.
    """
    run, weights, axis, code = loops().line, _in_double(taps), span.axis, CODES[span.boundary]
    shape, origin = tuple(shape), -span.first - span.taps // 2

    def loop(x: Any, cval: Any) -> np.ndarray:
        output = np.empty(shape, dtype)
        run(x, weights, axis, output, code, cval, origin)
        return output

    return loop


def window_loop(
    shape: Sequence[int], dtype: np.dtype, kernel: np.ndarray, spans: Sequence[Span]
) -> Callable[[Any, Any], np.ndarray]:
    """The same for a window over several axes, which have one boundary."""
    run, code, shape = loops().window, CODES[spans[0].boundary], tuple(shape)
    weights = _in_double(kernel).reshape(kernel_shape_among(len(shape), spans))
    origins = [0] * len(shape)
    for span in spans:
        origins[span.axis] = -span.first - span.taps // 2

    def loop(x: Any, cval: Any) -> np.ndarray:
        output = np.empty(shape, dtype)
        run(x, weights, output, code, cval, origins)
        return output

    return loop
