"""
Mixing of information
=====================

A convolution is a recipe for mixing: every sample of the result is a weighted sum of
samples of the input, with the same weights everywhere. The weights are the *kernel*. Where
the information of a sample goes, and how much of it, is all that a kernel says.
"""

# sphinx_gallery_thumbnail_number = 2

# %%
# One spoonful
# ------------
#
# Put a single sample of 1 into an empty line and convolve: what comes out is the kernel
# itself. The kernel is where one spoonful of information ends up. Two spoonfuls end up in
# two such heaps, added where they meet:
#
# .. math:: y[i] = \sum_m k[m]\, x[i - m].

import matplotlib.pyplot as plt
import numpy as np

import gpuconv
from gpuconv import filters, kernels

spoonfuls = np.zeros(31)
spoonfuls[8] = 1.0
spoonfuls[20], spoonfuls[23] = 2.0, 1.0
taps = kernels.normalize([1, 3, 4, 2])
mixed = gpuconv.convolve(spoonfuls, taps)

figure, (before, after) = plt.subplots(2, 1, figsize=(6.4, 3.6), sharex=True)
before.bar(range(31), spoonfuls, color="tab:blue")
before.set(ylabel="x", title="before: all in three places")
after.bar(range(31), mixed, color="tab:orange")
after.set(ylabel="y", xlabel="sample", title=f"after: each spread over {len(taps)} samples")
plt.show()

# %%
# Nothing is lost
# ---------------
#
# The weights sum to 1, so the mixing neither adds nor takes away: the total stays what it
# was. That is what `gpuconv.kernels.normalize` is for. With the boundary "wrap" or
# "reflect" it holds right up to the ends (for "reflect", with a kernel that is the same
# from both sides).

rng = np.random.default_rng(0)
line = rng.random(1000)
for boundary in ("wrap", "reflect", "constant"):
    mixed = gpuconv.convolve(line, kernels.normalize([1, 2, 3, 2, 1]), boundary=boundary)
    print(f"{boundary:<9} {line.sum():.6f} -> {mixed.sum():.6f}")

# %%
# With "constant", what is mixed across the ends is gone, and nothing comes back from
# outside.
#
# A photo
# -------
#
# In a photo the samples are pixels, and mixing them makes it soft. The same 9 x 9 box, once
# and then again and again:

from skimage import data

photo = data.camera().astype(np.float32)
stages = {0: photo}
current = photo
for repetition in range(1, 17):
    current = gpuconv.convolve(current, kernels.box(9), boundary="reflect")
    if repetition in (1, 4, 16):
        stages[repetition] = current

figure, panels = plt.subplots(2, 2, figsize=(6.4, 6.9))
for panel, (repetitions, picture) in zip(panels.flat, stages.items()):
    panel.imshow(picture, vmin=0, vmax=255)
    title = f"{repetitions} boxes: mean {picture.mean():.2f}, deviation {picture.std():.1f}"
    panel.set_title(title, fontsize=9)
    panel.set_axis_off()
plt.show()

# %%
# The mean grey stays, the deviation from it falls: information about where the light was is
# spread until none is left. How much faster does it fall if the photo is left to itself
# longer? The pages on diffusion answer that; here is a first sign of it. Whatever small
# kernel is repeated, the result is soon the same as one Gaussian whose variance is the sum
# of the variances:

variance_of_box = (9**2 - 1) / 12
once = filters.gaussian(photo, np.sqrt(16 * variance_of_box))
difference = np.abs(once - stages[16]).max()
print(f"16 boxes against one Gaussian: at most {difference:.2f} of 255 grey levels apart")
