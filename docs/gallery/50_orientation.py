"""
Reading an angle off a spectrum
===============================

Turn a photo, and its spectrum turns with it, about the middle. So the angle by which a
photo was turned can be read off the spectrum, without finding any point of one photo in the
other.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data, transform

from gpuconv import spectral

# %%
# A wall, turned by 37 degrees
# ----------------------------

angle = 37.0
wall = data.brick().astype(np.float32)
turned = transform.rotate(wall, angle, order=3, mode="reflect", preserve_range=True)

figure, panels = plt.subplots(2, 2, figsize=(6.4, 7.4))
for (photo_panel, panel), picture, title in zip(
    panels.T, (wall, turned), ("the wall", "turned by 37 degrees")
):
    photo_panel.imshow(picture)
    photo_panel.set_title(title)
    photo_panel.set_axis_off()
    decibels = spectral.log_spectrum(picture, window="disc")
    middle = decibels[156:357, 156:357]
    shown = panel.imshow(
        middle, cmap="magma", vmin=-80, vmax=-15, extent=(-0.2, 0.2, 0.2, -0.2)
    )
    direction = spectral.orientation(picture, transfer=spectral.lowpass(0.1))
    line = np.array([-0.18, 0.18])
    panel.plot(line * np.cos(direction), line * np.sin(direction), color="cyan", lw=1.5)
    panel.set(
        xlabel="along a row (cycles per pixel)", ylabel="down the rows (cycles per pixel)"
    )
figure.colorbar(
    shown, ax=panels, location="bottom", shrink=0.5, label="power (dB below the highest)"
)
plt.show()

# %%
# A disc is cut out of both before (``window="disc"``): turning brings other corners into
# the photo, and they must not have a say. The cyan lines are
# `gpuconv.spectral.orientation`, the direction in which the photo varies most. Angles go
# from the axis of the columns towards the axis of the rows, which on a screen is clockwise;
# the wall was turned the other way.


def degrees(picture, **options):
    return np.degrees(
        spectral.orientation(picture, transfer=spectral.lowpass(0.1), **options)
    )


before, after = degrees(wall), degrees(turned)
print(f"before {before:.2f} degrees, after {after:.2f}: turned by {before - after:.2f}")

# %%
# Every angle
# -----------
#
# A direction is the same after half a turn, so that angles are known but for multiples of
# 180 degrees.

angles = np.arange(-85, 90, 5)
errors = []
for each in angles:
    picture = transform.rotate(wall, each, order=3, mode="reflect", preserve_range=True)
    errors.append((degrees(wall) - degrees(picture) - each + 90) % 180 - 90)
figure, panel = plt.subplots(figsize=(6.4, 3))
panel.plot(angles, errors, "o-", markersize=4)
panel.set(xlabel="turned by (degrees)", ylabel="error (degrees)", xticks=range(-90, 91, 30))
panel.axhline(0, color="0.8", zorder=0)
plt.show()
print(f"largest error: {np.max(np.abs(errors)):.3f} degrees")

# %%
# Two ways that must agree
# ------------------------
#
# How strongly a photo varies along each direction can be asked of its slopes: the mean of
# their products, the *structure tensor*. Or it can be asked of its spectrum, where a slope
# is a factor of the frequency: the second moments of the power. Parseval's theorem says
# that both are the same number, and so they are to rounding.

for title, picture in (("the wall", wall), ("turned", turned)):
    moments, slopes = (
        spectral.orientation(picture.astype(np.float64), method=method)
        for method in ("moments", "tensor")
    )
    apart = abs(moments - slopes)
    print(f"{title:<9} {np.degrees(moments):.6f} degrees, apart by {apart:.0e}")
