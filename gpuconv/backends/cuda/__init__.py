"""CuPy arrays through CUDA kernels of our own: all of it on one screen.

A subject is a pair: ``lines.cu``, plain C++ that compiles alone, and ``lines.py``, which picks an instance of it by
``#define``s and launches it. What they share:

==================  ==================================================================================================
launch.py           a launch as data, dtypes of a kernel, layout of arrays: how a launcher is written (read this first)
runtime.py          who holds the arrays and runs launches: CuPy, or an emulation in the tests
compile.py          from a file and its ``#define``s to a function
numbers.cuh         dtypes, sums and rounding: how a kernel is written (read this second)
boundary.cuh        what lies beyond the ends of an axis
weights.cuh         how weights reach a kernel
copies.cuh          samples to shared memory and to registers, many bytes at a time
digits.cuh          one number of a block or a position as several
==================  ==================================================================================================

Nothing here imports CuPy before an array of CuPy's comes along.
"""

from gpuconv.backends.cuda import boxes, channels, fourier, lines, recurrence, separable, stencil, tridiagonal, windows
from gpuconv.backends.registry import Implementation
from gpuconv.core.problem import TransformProblem


def _always(problem: TransformProblem) -> str | None:
    return None


TABLE = {
    "correlate_axis": Implementation(boxes.correlate_axis, lines.why_not, native=True),
    "correlate_separable": Implementation(separable.correlate_separable, separable.why_not, native=True),
    "correlate_banks": Implementation(separable.correlate_banks, separable.why_not, native=True),
    "correlate_windows": Implementation(windows.correlate_windows, windows.why_not, native=True),
    "correlate_fourier": Implementation(fourier.correlate_fourier, fourier.why_not, native=True),
    "correlate_channels": Implementation(channels.correlate_channels, channels.why_not),
    "channels_input_adjoint": Implementation(channels.channels_input_adjoint, channels.why_not),
    "channels_weight_adjoint": Implementation(channels.channels_weight_adjoint, channels.why_not),
    "fourier_forward": Implementation(fourier.fourier_forward, _always),
    "fourier_inverse": Implementation(fourier.fourier_inverse, _always),
    "linear_recurrence": Implementation(recurrence.linear_recurrence, recurrence.why_not),
    "solve_tridiagonal": Implementation(tridiagonal.solve_tridiagonal, tridiagonal.why_not),
    "diffusion_rate": Implementation(stencil.diffusion_rate, stencil.why_not),
    "diffuse_steps": Implementation(stencil.diffuse_steps, stencil.why_not),
}
