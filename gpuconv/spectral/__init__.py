"""The Fourier domain: frequency filters, spectra, orientation, calculus, compression, the convolution theorem.

Frequencies are in cycles per unit of `spacing`, so that Nyquist is ``1 / (2 spacing)``. Every function takes arrays of
any library and keeps them there; all axes are transformed unless `axes` names some.
"""

from gpuconv.spectral._apply import apply
from gpuconv.spectral._calculus import derivative, gradient, hilbert, inverse_laplacian, laplacian, riesz, shift
from gpuconv.spectral._compression import Compressed, compress
from gpuconv.spectral._filters import bandpass, bandstop, highpass, lowpass, notch, stripe_stop
from gpuconv.spectral._kernels import kernel_transfer, spatial_kernel
from gpuconv.spectral._orientation import Stripes, orientation, strongest_stripes
from gpuconv.spectral._spectra import Bands, RadialProfile, bands, log_spectrum, power_spectrum, radial_profile
from gpuconv.spectral._theorem import ConvolutionTheorem, convolution_theorem
from gpuconv.spectral._transfer import TransferFunction

__all__ = [
    "TransferFunction",
    "lowpass",
    "highpass",
    "bandpass",
    "bandstop",
    "notch",
    "stripe_stop",
    "apply",
    "kernel_transfer",
    "spatial_kernel",
    "power_spectrum",
    "log_spectrum",
    "radial_profile",
    "RadialProfile",
    "bands",
    "Bands",
    "strongest_stripes",
    "Stripes",
    "orientation",
    "derivative",
    "gradient",
    "laplacian",
    "inverse_laplacian",
    "hilbert",
    "riesz",
    "shift",
    "compress",
    "Compressed",
    "convolution_theorem",
    "ConvolutionTheorem",
]
