"""Filters for images and volumes of any array library, each a convolution or put together from convolutions.

What goes in is what is filtered: nothing is rescaled or clipped. All axes are filtered unless `axes` names some;
parameters and boundaries may differ from axis to axis. Names, formulas and SciPy's equals are in ``docs/filters.md``.
"""

from gpuconv.filters._banks import bank
from gpuconv.filters._gaussian import difference_of_gaussians, gaussian, gaussian_laplace, unsharp_mask
from gpuconv.filters._gradients import gaussian_gradient, gradient_magnitude
from gpuconv.filters._missing import normalized_convolve
from gpuconv.filters._operators import laplace, prewitt, roberts, scharr, sobel
from gpuconv.filters._statistics import local_mean, local_variance, uniform
from gpuconv.filters._tensors import (
    hessian,
    hessian_eigenvalues,
    structure_tensor,
    structure_tensor_eigenvalues,
    symmetric_eigenvalues,
)

__all__ = [
    "gaussian",
    "gaussian_gradient",
    "gradient_magnitude",
    "gaussian_laplace",
    "difference_of_gaussians",
    "unsharp_mask",
    "hessian",
    "hessian_eigenvalues",
    "structure_tensor",
    "structure_tensor_eigenvalues",
    "symmetric_eigenvalues",
    "sobel",
    "prewitt",
    "scharr",
    "roberts",
    "laplace",
    "uniform",
    "local_mean",
    "local_variance",
    "normalized_convolve",
    "bank",
]
