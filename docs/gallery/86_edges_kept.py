"""
Edges kept, and edges lost
==========================

Diffusion smooths noise and edges alike. Perona and Malik let it look where it goes: what
flows between two pixels depends on the slope there, and where that exceeds a *contrast*
next to nothing does. Noise goes, edges stay.
"""

# sphinx_gallery_thumbnail_number = 1

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from gpuconv import diffusion

rng = np.random.default_rng(0)
photo = data.camera()[60:252, 150:342].astype(np.float32) / 255
noisy = photo + 0.08 * rng.normal(size=photo.shape).astype(np.float32)

time = 6.0
lost = diffusion.diffuse(noisy, time)
kept = diffusion.perona_malik(noisy, time, contrast=0.12, sigma=0.6)

figure, panels = plt.subplots(1, 3, figsize=(7, 2.7))
for panel, (title, shown) in zip(
    panels, (("noisy", noisy), ("diffusion", lost), ("Perona and Malik", kept))
):
    panel.imshow(shown, cmap="gray", vmin=0, vmax=1)
    panel.set_title(title, fontsize=9)
    panel.set_axis_off()
plt.show()

# %%
# Both waited for the same time. How far are they from the photo without noise?

for title, shown in (("noisy", noisy), ("diffusion", lost), ("Perona and Malik", kept)):
    print(f"{title:<17} {np.sqrt(np.mean((shown - photo) ** 2)):.3f} root mean square")

# %%
# One row
# -------
#
# Brightness along one row of the photo: steps are still steps, at the same places.

row = 96
figure, panel = plt.subplots(figsize=(6.6, 3.2))
panel.plot(noisy[row], color="0.8", label="noisy")
panel.plot(lost[row], color="C0", label="diffusion")
panel.plot(kept[row], color="C3", label="Perona and Malik")
panel.set(xlabel="column (pixels)", ylabel="brightness")
panel.legend(fontsize=8)
plt.show()

# %%
# Lines joined
# ------------
#
# One step further, the flow may be given a direction. Coherence-enhancing diffusion asks
# the structure tensor where lines run, and lets flow along them only.

angle = np.hypot(*np.meshgrid(np.arange(128.0), np.arange(128.0)))
rings = np.cos(angle * 0.6) + rng.normal(size=(128, 128))
joined = diffusion.tensor_diffusion(rings, 10.0, contrast=0.15, sigma=1.0, rho=3.0)

figure, panels = plt.subplots(1, 3, figsize=(7, 2.7))
for panel, (title, shown) in zip(
    panels,
    (
        ("rings under noise", rings),
        ("diffusion", diffusion.diffuse(rings, 2.0)),
        ("along the lines", joined),
    ),
):
    panel.imshow(shown, cmap="gray", vmin=-1.5, vmax=1.5)
    panel.set_title(title, fontsize=9)
    panel.set_axis_off()
plt.show()

# %%
# Spots and stripes
# -----------------
#
# Two substances that diffuse at different speeds and react make patterns by themselves:
# Gray and Scott's reaction, from a few seeds.


def reaction(w, feed=0.037, kill=0.06):
    bred = w[0] * w[1] ** 2
    return np.stack([feed * (1 - w[0]) - bred, bred - (feed + kill) * w[1]])


start = np.stack([np.ones((96, 96)), np.zeros((96, 96))])
for place in rng.integers(0, 90, size=(12, 2)):
    start[1, place[0] : place[0] + 6, place[1] : place[1] + 6] = 0.5

figure, panels = plt.subplots(1, 3, figsize=(7, 2.7))
now = start
for panel, wait in zip(panels, (300, 700, 2500)):
    now = diffusion.reaction_diffusion(
        now,
        wait,
        reaction,
        steps=wait // 2,
        diffusivity=(0.16, 0.08),
        channel_axis=0,
        boundary="periodic",
    )
    panel.imshow(now[1], cmap="magma", vmin=0, vmax=0.35)
    panel.set_title(f"{wait} later", fontsize=9)
    panel.set_axis_off()
plt.show()
