"""
Beyond the edge
===============

At the rim of a photo the kernel asks for pixels that nobody took. The boundary says what
stands there. All five can be seen by a convolution that changes nothing: a single weight of
1 in the middle of a large kernel, with ``mode="full"``, gives back the photo together with
what the boundary puts around it.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from skimage import data

import gpuconv
from gpuconv import filters

face = np.ascontiguousarray(data.astronaut()[30:190, 140:300])
reach = 110
untouched = np.zeros((2 * reach + 1, 2 * reach + 1), np.int16)
untouched[reach, reach] = 1


def extended(boundary, cval=0):
    """The photo with `reach` pixels of the boundary on each side."""
    return gpuconv.convolve(
        face, untouched, axes=(0, 1), mode="full", boundary=boundary, cval=cval
    )


# %%
# The five boundaries
# -------------------
#
# The orange frame is the photo that was given; all outside it is the boundary's.


def show(panel, picture, title):
    panel.imshow(picture.astype(np.uint8))
    panel.add_patch(
        Rectangle((reach, reach), 160, 160, fill=False, edgecolor="tab:orange", linewidth=2)
    )
    panel.set_title(title, fontsize=10)
    panel.set_axis_off()


titles = {
    "constant": "constant: cval, here 96",
    "reflect": "reflect: d c b a | a b c d | d c b a",
    "mirror": "mirror: e d c b | a b c d e | d c b a",
    "nearest": "nearest: a a a a | a b c d | d d d d",
    "wrap": "wrap: a b c d | a b c d | a b c d",
}
figure, panels = plt.subplots(3, 2, figsize=(6.8, 10.2))
for panel, (boundary, title) in zip(panels.flat, titles.items()):
    show(panel, extended(boundary, cval=96), title)
show(panels[2, 1], extended(("nearest", "wrap")), 'one for each axis: ("nearest", "wrap")')
plt.show()

# %%
# "reflect" and "mirror" look the same from afar. The mirror of "reflect" stands on the edge
# of the last pixel, which therefore comes twice; that of "mirror" stands in the middle of
# the last pixel, which comes once:

row = np.array([[10, 20, 30, 40]])
for boundary in ("reflect", "mirror"):
    print(
        f"{boundary:<8}",
        gpuconv.convolve(row, [0, 0, 1, 0, 0], axes=1, mode="full", boundary=boundary)[
            0
        ].tolist(),
    )

# %%
# What it does to a filter
# ------------------------
#
# A wide Gaussian near the upper rim of a photo of the sky. With "constant", the darkness
# beyond the edge is mixed into the picture; with "wrap", it is the ground that shines
# through from below. "reflect" is what one wants for most photos, and the default of all of
# `gpuconv.filters`.

photo = data.camera().astype(np.float32)
styles = {"constant": "-", "reflect": "-", "mirror": "--", "nearest": ":", "wrap": "-"}
figure, panel = plt.subplots(figsize=(6.4, 3.4))
for boundary, style in styles.items():
    smooth = filters.gaussian(photo, 12.0, boundary=boundary)
    panel.plot(smooth[:80, 100:-100].mean(axis=1), style, linewidth=2, label=boundary)
panel.plot(photo[:80, 100:-100].mean(axis=1), color="0.7", zorder=0, label="the photo")
panel.set(xlabel="row, from the upper edge (pixels)", ylabel="mean grey level (0 to 255)")
panel.legend()
plt.show()

# %%
# A periodic world, such as a simulation in a box or a panorama of 360 degrees, wants
# "wrap"; missing data at the edge want no boundary at all but
# `gpuconv.filters.normalized_convolve`, which averages what is there.
