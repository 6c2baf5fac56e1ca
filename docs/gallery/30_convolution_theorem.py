r"""
The convolution theorem
=======================

A convolution mixes every sample with its neighbours. Written in waves instead of samples
there is no mixing at all: each wave keeps to itself, and is only made stronger or weaker.
This page derives it twice, and computes both sides.

Why waves do not mix
--------------------

Let a wave :math:`x(t) = e^{2\pi i f t}` be convolved with a kernel :math:`k`:

.. math:: (k * x)(t) = \int k(s)\, e^{2\pi i f (t - s)}\, ds
          = e^{2\pi i f t} \int k(s)\, e^{-2\pi i f s}\, ds = e^{2\pi i f t}\, F[k](f).

The same wave comes out, times a number that depends on its frequency alone. That number is
the Fourier transform :math:`F[k]` of the kernel. As every signal is a sum of waves,
:math:`F[k * x](f) = F[k](f)\, F[x](f)`.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import gpuconv
from gpuconv import kernels, spectral

# %%
# One dimension: a function of time, in samples
# ---------------------------------------------
#
# A computer has samples :math:`x[n] = x(n h)`, a time :math:`h` apart, and a sum in the
# place of the integral. With :math:`N` samples that repeat,
#
# .. math:: (k * x)[n] = h \sum_m k[m]\, x[n - m], \qquad
#           F[x](f) = h \sum_n x[n]\, e^{-2\pi i f n h}, \qquad f = \frac{j}{N h}.
#
# Transform the first, write :math:`n = m + (n - m)` in the exponent, and sum over
# :math:`n - m` before :math:`m`:
#
# .. math:: F[k * x](f) = h \sum_n h \sum_m
#           k[m]\, x[n - m]\, e^{-2\pi i f m h}\, e^{-2\pi i f (n - m) h}
#           = F[k](f)\, F[x](f).
#
# Both sums bring a factor :math:`h`, one for each transform, and no constant is left over.
# It is worth a look, because the transform of a library has no :math:`h`; whoever forgets
# it gets a result that changes with the sampling rate.
# `gpuconv.spectral.convolution_theorem` takes `spacing` and returns both sides:

for samples in (64, 256, 1024):
    h = 8.0 / samples  # seconds
    time = h * (np.arange(samples) - samples // 2)
    bell = np.exp(-np.pi * time**2)
    both = spectral.convolution_theorem(bell, bell[1:], spacing=h)
    strength = np.abs(both.transform_of_convolution[8])
    apart = np.abs(both.difference).max()
    print(
        f"{samples:>5} samples: {strength:.9f} s² at 1 Hz, both sides apart by {apart:.0e}"
    )

# %%
# In closed form, the transform of :math:`e^{-\pi t^2}` is :math:`e^{-\pi f^2}`, and so the
# product of two of them at 1 hertz is :math:`e^{-2\pi}`:

print(f"{np.exp(-2 * np.pi):.9f}")

# %%
# How libraries divide the factor :math:`1/N` of the inverse transform between both
# directions is a convention, and it shows as a constant in the theorem,
# :math:`F[k * x] = c\, F[k]\, F[x]`:

for norm in ("backward", "ortho", "forward"):
    both = spectral.convolution_theorem(bell, bell[1:], norm=norm)
    apart = np.abs(both.difference).max()
    print(f"{norm:<9} c = {both.constant:6.1f}, both sides apart by {apart:.0e}")

# %%
# Two dimensions: a photo and a kernel of pixels
# ----------------------------------------------
#
# For a photo of :math:`M \times N` pixels there is no spacing to think of: :math:`h = 1`,
# frequencies are in cycles per pixel, and the same lines hold with two sums,
#
# .. math:: F[x](f, g) = \sum_{m=0}^{M-1} \sum_{n=0}^{N-1}
#           x[m, n]\, e^{-2\pi i (f m + g n)},
#
# .. math:: F[k * x](f, g) = F[k](f, g)\, F[x](f, g).
#
# Here is the theorem as pictures. Above: the photo, the kernel, and their convolution.
# Below: their spectra, of which the third is the product of the first two.

photo = data.camera().astype(np.float64)[::2, ::2]
kernel = kernels.disk(6)
blurred = gpuconv.convolve(photo, kernel, boundary="wrap")
placed = np.zeros_like(photo)
placed[:13, :13] = kernel

figure, panels = plt.subplots(2, 3, figsize=(7, 5.9))
titles = ("photo x", "kernel k", "convolution k * x")
close = np.pad(kernel, 6)
for panel, picture, title in zip(panels[0], (photo, close, blurred), titles):
    panel.imshow(picture)
    panel.set_title(title)
    panel.set_axis_off()
titles = ("spectrum of x", "times that of k", "is that of k * x")
for panel, picture, title in zip(panels[1], (photo, placed, blurred), titles):
    decibels = spectral.log_spectrum(picture)
    shown = panel.imshow(
        decibels, cmap="magma", vmin=-100, vmax=0, extent=(-0.5, 0.5, 0.5, -0.5)
    )
    panel.set(title=title, xticks=(-0.5, 0, 0.5), yticks=(-0.5, 0, 0.5))
    panel.set_xlabel("cycles per pixel")
panels[1, 0].set_ylabel("cycles per pixel")
figure.colorbar(
    shown, ax=panels, location="bottom", shrink=0.5, label="power (dB below the highest)"
)
plt.show()

# %%
# The rings of the disk are in the spectrum of the blurred photo: at its dark circles, the
# frequencies have been taken away altogether, and no sharpening brings them back.

both = spectral.convolution_theorem(photo, kernel)
largest = np.abs(both.product_of_transforms).max()
apart = np.abs(both.difference).max() / largest
print(f"both sides apart by {apart:.0e} of the largest value")

# %%
# What it is good for
# -------------------
#
# A convolution with :math:`K` weights takes :math:`K` products for each sample, a product
# of spectra one, and the transforms take a number that grows only with the logarithm of the
# size. So large kernels go through the spectrum. Where the border lies, gpuconv decides
# from the sizes; ``print`` shows how:

for side in (3, 15, 63):
    weights = np.random.default_rng(0).random((side, side))
    plan = gpuconv.plan_convolution(
        data.camera().astype(np.float32), weights, boundary="wrap"
    )
    print(f"{side:>3} x {side:<3} {plan.method:<8} about {1e3 * plan.cost:.1f} ms")
