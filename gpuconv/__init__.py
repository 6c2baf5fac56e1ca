"""gpuconv: the same convolution on CuPy, NumPy, torch, JAX and dask arrays."""

from gpuconv import fft_backend, kernels
from gpuconv._patching import Patch, patch
from gpuconv.backends.memory import set_memory_limit
from gpuconv.backends.registry import use_backend
from gpuconv.backends.threads import set_threads
from gpuconv.convolution import convolve, convolve_adjoint, convolve_separable, correlate, plan_convolution
from gpuconv.methods.plan import Plan

__version__ = "0.1.0"

__all__ = [
    "Patch",
    "Plan",
    "__version__",
    "convolve",
    "convolve_adjoint",
    "convolve_separable",
    "correlate",
    "fft_backend",
    "kernels",
    "patch",
    "plan_convolution",
    "set_memory_limit",
    "set_threads",
    "use_backend",
]
