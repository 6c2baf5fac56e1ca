"""
Feature maps of a photo
=======================

A kernel asks every spot of a photo the same question: is there an edge here, a bright dot,
a stripe of this width? The answers form a new picture, the *feature map*. A colour photo
has three channels, each of which is asked by itself.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import gpuconv
from gpuconv import filters, kernels

photo = data.astronaut()
print(photo.shape, photo.dtype)

# %%
# Sharpen, blur, emboss
# ---------------------
#
# These kernels sum to 1: a flat grey stays as it is, and the result is a photo again.
# ``axes=(0, 1)`` are rows and columns; the colours on axis 2 are carried along. With
# ``out=`` a uint8 array, what is computed is rounded and cut off at 0 and 255.

names = {
    "identity": {},
    "sharpen": {},
    "gaussian": {"sigma": 4.0},
    "motion": {"length": 21},
    "emboss": {},
    "disk": {"radius": 6},
}
figure, panels = plt.subplots(2, 3, figsize=(7, 5.2))
for panel, (name, parameters) in zip(panels.flat, names.items()):
    kernel = kernels.get(name, **parameters)
    result = np.empty_like(photo)
    gpuconv.convolve(photo, kernel, axes=(0, 1), boundary="reflect", out=result)
    panel.imshow(result[:300, 80:380])
    panel.set_title(f"{name}, {' x '.join(map(str, kernel.shape))}")
    panel.set_axis_off()
plt.show()

# %%
# Edges
# -----
#
# These kernels sum to 0: where nothing changes they answer 0, and the sign says which way
# the light goes. Integers stay exact, so the map has numbers far outside 0 to 255. A colour
# bar from blue to red has its white at zero.

red = photo[..., 0]
maps = {
    "sobel, down the rows": gpuconv.convolve(
        red, kernels.sobel(axis=0), boundary="reflect"
    ),
    "sobel, along the columns": gpuconv.convolve(
        red, kernels.sobel(axis=1), boundary="reflect"
    ),
    "laplacian": gpuconv.convolve(red, kernels.laplacian(), boundary="reflect"),
    "gaussian_laplace, sigma 3": filters.gaussian_laplace(red, 3.0),
}
figure, panels = plt.subplots(2, 2, figsize=(7, 6.4))
for panel, (title, values) in zip(panels.flat, maps.items()):
    limit = np.quantile(np.abs(values), 0.995)
    shown = panel.imshow(values[:300, 80:380], cmap="RdBu_r", vmin=-limit, vmax=limit)
    panel.set_title(f"{title}\n{values.dtype}, {values.min():.0f} to {values.max():.0f}")
    panel.set_axis_off()
    figure.colorbar(
        shown, ax=panel, shrink=0.85, label="grey levels x weights", extend="both"
    )
plt.show()

# %%
# The steepness whatever the direction is one more step, for all three colours at once:

steepness = filters.gradient_magnitude(photo, operator="sobel", axes=(0, 1))
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.6))
left.imshow(photo)
right.imshow(1 - np.clip(steepness / np.quantile(steepness, 0.99), 0, 1))
left.set_title("the photo")
right.set_title("gradient magnitude of each colour, inverted")
for panel in (left, right):
    panel.set_axis_off()
plt.show()

# %%
# A bank of 32 kernels
# --------------------
#
# The first layer of a convolutional net is a bank: 32 kernels of 16 x 16 weights on a photo
# of 256 x 256 pixels. Every kernel needs 16 x 16 pixels under it, which leaves 256 - 16 + 1
# = 241 places along each axis. Nets that have learned to see come to kernels much like
# these stripes of several widths and directions (Gabor kernels).

quarter = data.camera()[::2, ::2].astype(np.float32)
bank = np.zeros((32, 16, 16))
for index in range(32):
    wave, direction = divmod(index, 8)
    gabor = kernels.gabor(
        wavelength=(3, 4.5, 6.5, 9)[wave], angle=22.5 * direction, sigma=2.5, truncate=2.8
    )
    bank[index, :15, :15] = gabor[: min(15, len(gabor)), : min(15, gabor.shape[1])]
bank -= bank.mean(axis=(1, 2), keepdims=True)
maps = filters.bank(quarter, bank, mode="valid")
print(bank.shape, quarter.shape, "->", maps.shape)

# %%
figure, panels = plt.subplots(4, 8, figsize=(7, 3.9))
for panel, weights in zip(panels.flat, bank):
    panel.imshow(weights, cmap="RdBu_r", vmin=-np.abs(bank).max(), vmax=np.abs(bank).max())
    panel.set_axis_off()
figure.suptitle("32 kernels of 16 x 16 weights (red: positive, blue: negative)")
plt.show()

# %%
figure, panels = plt.subplots(4, 8, figsize=(7, 3.9))
for panel, answer in zip(panels.flat, maps):
    panel.imshow(np.abs(answer), cmap="magma", vmax=np.quantile(np.abs(answer), 0.99))
    panel.set_axis_off()
figure.suptitle("how strongly each answers, 241 x 241 places")
plt.show()

# %%
# Each map is bright where the photo has stripes of the kernel's width and direction: the
# tripod answers the slanted kernels, the grass those of the finest waves.
