"""SciPy's names: the filters of `scipy.ndimage` for every array library.

``import gpuconv.ndimage as ndi`` and keep calling ``ndi.gaussian_filter(image, 2, mode="nearest")``. Signatures,
centring, defaults and output dtypes are SciPy's; the work is done by `gpuconv.convolve` and `gpuconv.correlate`. What
only SciPy computes (NumPy arrays of bool, longdouble or other dtypes outside gpuconv's table, and 0-d arrays) is
handed to SciPy's own functions. So are order statistics (median, rank, percentile, minimum, maximum), which are no
convolutions: SciPy does them for NumPy arrays, cupyx for CuPy arrays, and other libraries' arrays are refused.

Integer images with integer weights are summed in integers, exactly; with other weights they are summed in float64 and
cast to the output as C casts, towards zero. Floating images are summed in their own precision, or in double if
`output` has another dtype. Filters of several passes round to the output's dtype after each, as SciPy does. The
filters of spectra multiply by a transfer function in the precision of the result.
"""

from __future__ import annotations

from gpuconv.ndimage._convolutions import convolve, convolve1d, correlate, correlate1d
from gpuconv.ndimage._derivatives import (
    gaussian_gradient_magnitude,
    gaussian_laplace,
    laplace,
    prewitt,
    sobel,
)
from gpuconv.ndimage._fourier import fourier_ellipsoid, fourier_gaussian, fourier_shift, fourier_uniform
from gpuconv.ndimage._generic import generic_gradient_magnitude, generic_laplace
from gpuconv.ndimage._order_statistics import (
    maximum_filter,
    maximum_filter1d,
    median_filter,
    minimum_filter,
    minimum_filter1d,
    percentile_filter,
    rank_filter,
)
from gpuconv.ndimage._smoothing import gaussian_filter, gaussian_filter1d, uniform_filter, uniform_filter1d

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "fourier_ellipsoid",
    "fourier_gaussian",
    "fourier_shift",
    "fourier_uniform",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "generic_gradient_magnitude",
    "generic_laplace",
    "laplace",
    "maximum_filter",
    "maximum_filter1d",
    "median_filter",
    "minimum_filter",
    "minimum_filter1d",
    "percentile_filter",
    "prewitt",
    "rank_filter",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
]
