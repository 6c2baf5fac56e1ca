"""Every filter with arguments of its own, as a table: ``ALL[name](x, axes=..., boundary=..., out=...)``."""

from __future__ import annotations

import numpy as np

from gpuconv import filters, kernels

DERIVATIVES = {
    "gaussian of order 1": lambda x, **options: filters.gaussian(x, 0.6, order=1, kind="lattice", **options),
    "gaussian_gradient": lambda x, **options: filters.gaussian_gradient(x, 1.0, **options),
    "gradient_magnitude": lambda x, **options: filters.gradient_magnitude(x, 1.0, **options),
    "gradient_magnitude by operator": lambda x, **options: filters.gradient_magnitude(x, operator="scharr", **options),
    "gaussian_laplace": lambda x, **options: filters.gaussian_laplace(x, 0.6, kind="lattice", **options),
    "difference_of_gaussians": lambda x, **options: filters.difference_of_gaussians(x, 1.0, **options),
    "hessian": lambda x, **options: filters.hessian(x, 0.6, kind="lattice", **options),
    "hessian_eigenvalues": lambda x, **options: filters.hessian_eigenvalues(x, 0.6, kind="lattice", **options),
    "structure_tensor": lambda x, **options: filters.structure_tensor(x, 1.0, **options),
    "structure_tensor_eigenvalues": lambda x, **options: filters.structure_tensor_eigenvalues(x, 1.0, **options),
    "sobel": filters.sobel,
    "prewitt": filters.prewitt,
    "scharr": filters.scharr,
    "roberts": filters.roberts,
    "laplace": filters.laplace,
    "local_variance": filters.local_variance,
}
AVERAGES = {
    "gaussian": lambda x, **options: filters.gaussian(x, 1.0, **options),
    "lattice gaussian": lambda x, **options: filters.gaussian(x, 0.6, kind="lattice", **options),
    "unsharp_mask": lambda x, **options: filters.unsharp_mask(x, 1.0, **options),
    "uniform": filters.uniform,
    "local_mean": filters.local_mean,
    "normalized_convolve": lambda x, **options: filters.normalized_convolve(x, np.ones((3, 4)), **options),
}
INTEGER = ("sobel", "prewitt", "scharr", "roberts", "laplace")
BANK = [kernels.gaussian(1.0, radius=1), [[1, 0, -1]], kernels.roberts()]
ALL = {**AVERAGES, **DERIVATIVES, "bank": lambda x, **options: filters.bank(x, BANK, **options)}
FLOATING = [name for name in ALL if name not in INTEGER]
