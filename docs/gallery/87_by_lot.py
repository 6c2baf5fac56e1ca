"""
Random steps, and why many of them look certain
===============================================

A molecule does not average over its neighbourhood. It takes *one* step, drawn by lot with
the weights of a kernel as probabilities. Diffusion is what is left when very many do so.
"""

# sphinx_gallery_thumbnail_number = 1

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import gpuconv
from gpuconv import diffusion, kernels
from gpuconv.diffusion import stochastic

# %%
# One of nine pixels
# ------------------
#
# Every pixel of the result reads one pixel of its neighbourhood, with the probability that
# the kernel gives it. One draw is a scrambled photo; the mean of many is the convolution.

photo = data.astronaut()[16:144, 160:288].mean(axis=2).astype(np.float32) / 255
kernel = kernels.gaussian(2.0)
exact = gpuconv.convolve(photo, kernel, boundary="reflect")

figure, panels = plt.subplots(1, 4, figsize=(7.2, 2.2))
for panel, draws in zip(panels, (1, 10, 100)):
    shown = stochastic.convolve(photo, kernel, draws=draws, rng=0, boundary="reflect")
    panel.imshow(shown, cmap="gray", vmin=0, vmax=1)
    panel.set_title(f"{draws} draw{'s' * (draws > 1)}", fontsize=9)
panels[3].imshow(exact, cmap="gray", vmin=0, vmax=1)
panels[3].set_title("convolution", fontsize=9)
for panel in panels:
    panel.set_axis_off()
plt.show()

# %%
# The law of the root
# -------------------
#
# The error of N draws is that of one, divided by the root of N. The variance of one draw is
# known exactly, ``k * x^2 - (k * x)^2``, and so is the line that the errors must follow.

numbers = 4 ** np.arange(6)
errors, expected = [], []
for draws in numbers:
    drawn, variance = stochastic.convolve(
        photo, kernel, draws=int(draws), rng=1, boundary="reflect", return_variance=True
    )
    errors.append(np.sqrt(np.mean((drawn - exact) ** 2)))
    expected.append(np.sqrt(np.mean(variance)))

figure, panel = plt.subplots(figsize=(6.2, 3.4))
panel.loglog(numbers, expected, color="0.6", label="exact variance")
panel.loglog(numbers, errors, "o", color="C3", label="measured")
panel.set(xlabel="draws per pixel, N", ylabel="error (root mean square)")
panel.legend(fontsize=9)
plt.show()

slope = np.polyfit(np.log(numbers), np.log(errors), 1)[0]
print(f"errors fall as N to the power of {slope:.3f}; the law says -0.5")

# %%
# A hundred times the work for one more digit: where the convolution itself is wanted, a
# sum over the taps, or an FFT, is the better way by far.
#
# Particles and a wall
# --------------------
#
# Walkers jump from cell to cell at the rates that `gpuconv.diffusion.evolve` has for the
# flow between them. A few are a cloud of dots, many are the solution of the diffusion
# equation. A wall with a gap stands between two rooms.

shape, time = (40, 60), 150.0
wall = diffusion.walls(shape, closed=[(1, 30, slice(0, 24)), (1, 30, slice(30, 40))])
density = np.zeros(shape)
density[20, 12] = 1.0
later = diffusion.evolve(density, time, walls=wall)

figure, panels = plt.subplots(1, 3, figsize=(7.2, 2.4), sharey=True)
for panel, count in zip(panels, (300, 100_000)):
    start = np.tile([20.5, 12.5], (count, 1))
    end = stochastic.walk(start, time, walls=wall, rng=2)
    cells, *_ = np.histogram2d(*end.T, bins=shape, range=[(0, 40), (0, 60)])
    if count < 1000:
        panel.set(facecolor=plt.get_cmap("viridis")(0.0), aspect="equal", xlim=(0, 60))
        panel.plot(end[:, 1], end[:, 0], ".", color="gold", markersize=2)
    else:
        panel.imshow(cells / count, extent=(0, 60, 40, 0), vmin=0, vmax=later.max())
    panel.set_title(f"{count:,} walkers", fontsize=9)
    share = np.mean(end[:, 1] > 30)
    print(f"{count:>7,} walkers: {share:.2%} are behind the wall")
shown = panels[2].imshow(later, extent=(0, 60, 40, 0), vmin=0, vmax=later.max())
panels[2].set_title("the equation", fontsize=9)
print(f"    the equation: {later[:, 30:].sum():.2%}")
for panel in panels:
    panel.vlines([30, 30], [0, 30], [24, 40], color="white", linewidth=2)
    panel.set_xlabel("cells", fontsize=8)
figure.colorbar(shown, ax=panels, shrink=0.75, label="share per cell")
plt.show()
