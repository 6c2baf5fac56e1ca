"""The meaning of each primitive, in array-API calls only: every library, differentiable, traceable.

=====================  ==========================================================================================
correlate_axis         ``y[i] = sum_j taps[j] x~[first + i + j]`` along one axis
correlate_separable    a sum of terms, each one list of taps per axis
correlate_windows      the same over N-D windows
correlate_fourier      the same through FFT blocks of given lengths (overlap-save)
=====================  ==========================================================================================

Shared conventions: `x` has the accumulator dtype; weights come in correlation order, either as a NumPy array (their
values are at hand) or as an array of x's library (they are not to be read); `spans` say what each axis reads; the
result has the accumulator dtype of `x` and weights together.
"""

from gpuconv.backends.generic import fourier, lines, separable, windows
from gpuconv.backends.registry import Implementation
from gpuconv.core.problem import Problem


def _always(problem: Problem) -> str | None:
    return None


TABLE = {
    "correlate_axis": Implementation(lines.correlate_axis, _always),
    "correlate_separable": Implementation(separable.correlate_separable, _always),
    "correlate_windows": Implementation(windows.correlate_windows, _always),
    "correlate_fourier": Implementation(fourier.correlate_fourier, _always),
}
