"""The meaning of each primitive, in array-API calls only: every library, differentiable, traceable.

=======================  ========================================================================================
correlate_axis           ``y[i] = sum_j taps[j] x~[first + i + j]`` along one axis
correlate_separable      a sum of terms, each one list of taps per axis
correlate_banks          several such terms, each a result of its own
correlate_windows        the same over N-D windows
correlate_fourier        the same through FFT blocks of given lengths (overlap-save)
correlate_channels       ``y[b, o, i] = sum_{c, j} kernel[o, c, j] x~[b, c, first + stride i + dilation j]``
channels_input_adjoint   what the outputs of that, weighted, owe to each sample (its transpose in x)
channels_weight_adjoint  the same for each weight (its transpose in the kernel)
resample_axis            ``y[n] = sum_q taps[offset + n down - q up] x~[q]`` along one axis, by sub-filters
fourier_forward          ``X[k] = sum_n x[n] exp(-2 pi i k n / N)`` over axes; half of the last one if x is real
fourier_inverse          the inverse of that
cosine_transform         DCT-II or DST-II along one axis, orthonormal, or the inverse
linear_recurrence        ``y[n] = x[n] - sum_k feedback[k - 1] y[n - k]`` along one axis, from given outputs before it
solve_tridiagonal        ``lower[i] x[i - 1] + diagonal[i] x[i] + upper[i] x[i + 1] = right[i]`` along one axis
diffusion_rate           what enters each cell through its faces, per time
diffuse_steps            explicit steps of that, of given lengths
=======================  ========================================================================================

Shared conventions: `x` has the accumulator dtype; weights come in correlation order, either as a NumPy array (their
values are at hand) or as an array of x's library (they are not to be read); `spans` say what each axis reads; the
result has the accumulator dtype of `x` and weights together.

A row of another backend may be *native*, which its `Implementation` says. It takes `x` in its stored dtype and brings
samples to the dtype of sums while loading, which `core.dtypes.dtypes_of_sums` names. It takes a keyword ``result``, the
dtype name of what it returns, and rounds to that once, as `core.rounding.convert` does; None means the accumulator's.
The fill value stands for itself: it is not rounded to the stored dtype.
"""

from gpuconv.backends.generic import (
    channels,
    fourier,
    lines,
    polyphase,
    recurrence,
    separable,
    stencil,
    transforms,
    windows,
)
from gpuconv.backends.registry import Implementation
from gpuconv.core.problem import Posed


def _always(problem: Posed) -> str | None:
    return None


TABLE = {
    "correlate_axis": Implementation(lines.correlate_axis, _always),
    "correlate_separable": Implementation(separable.correlate_separable, _always),
    "correlate_banks": Implementation(separable.correlate_banks, _always),
    "correlate_windows": Implementation(windows.correlate_windows, _always),
    "correlate_fourier": Implementation(fourier.correlate_fourier, _always),
    "correlate_channels": Implementation(channels.correlate_channels, _always),
    "channels_input_adjoint": Implementation(channels.channels_input_adjoint, _always),
    "channels_weight_adjoint": Implementation(channels.channels_weight_adjoint, _always),
    "resample_axis": Implementation(polyphase.resample_axis, _always),
    "fourier_forward": Implementation(transforms.fourier_forward, _always),
    "fourier_inverse": Implementation(transforms.fourier_inverse, _always),
    "cosine_transform": Implementation(transforms.cosine_transform, _always),
    "linear_recurrence": Implementation(recurrence.linear_recurrence, _always),
    "solve_tridiagonal": Implementation(lines.solve_tridiagonal, _always),
    "diffusion_rate": Implementation(stencil.diffusion_rate, _always),
    "diffuse_steps": Implementation(stencil.diffuse_steps, _always),
}
