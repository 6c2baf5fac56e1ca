"""
Spectra of sounds and photos
============================

A sound is a sum of tones, a photo a sum of waves of brightness. The spectrum says how much
there is of each. It answers questions that the samples themselves hide: which notes are
played, how fine the detail is, how far apart the stripes are.
"""

# sphinx_gallery_thumbnail_number = 2

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from gpuconv import spectral

decibel_label = "power (dB below the highest)"

# %%
# The bars of an equaliser
# ------------------------
#
# Two seconds of three plucked strings: A, C sharp and E, each with overtones that fade the
# faster the higher they are.

rate = 44100  # samples per second
time = np.arange(2 * rate) / rate
chord = np.zeros_like(time)
for note in (220.0, 277.18, 329.63):
    for overtone in range(1, 13):
        fading = np.exp(-overtone * time)
        chord += fading * np.sin(2 * np.pi * note * overtone * time) / overtone

octaves = spectral.bands(chord, 1 / rate)
thirds = spectral.bands(chord, 1 / rate, fraction=3)
figure, panels = plt.subplots(2, 1, figsize=(6.4, 5.4))
for panel, bars, title in zip(panels, (octaves, thirds), ("octaves", "third-octaves")):
    level = 10 * np.log10(np.maximum(bars.power / np.max(octaves.power), 1e-6))
    panel.bar(range(len(bars.name)), level + 60, bottom=-60, color="tab:blue")
    places = range(len(bars.name))[:: 1 if title == "octaves" else 3]
    names = [
        f"{bars.name[i]:g}" if bars.name[i] < 1000 else f"{bars.name[i] / 1000:g}k"
        for i in places
    ]
    panel.set_xticks(places, names)
    panel.set(title=title, ylabel="level (dB)", ylim=(-60, 5))
panels[1].set_xlabel("centre of the band (hertz)")
plt.show()

# %%
# No power is lost or counted twice between neighbouring bars. Both kinds add up to the mean
# square of the sound, but for what lies below the lowest bar and above the highest:

print(f"mean square of the sound  {np.mean(chord**2):.6f}")
print(f"sum of the octaves        {np.sum(octaves.power):.6f}")
print(f"sum of the third-octaves  {np.sum(thirds.power):.6f}")

# %%
# The spectrum of a photo
# -----------------------
#
# A photo has frequencies along two axes. In the middle of the picture lies frequency zero,
# the mean; far outside lie the finest waves; and a wave whose crests run up and down has
# its place to the left and to the right. The power falls off so steeply that only its
# logarithm can be shown, here in decibels: -20 is a hundredth of the power, -60 a
# millionth.

figure, (photo_panel, panel) = plt.subplots(1, 2, figsize=(7, 3.9))
photo = data.camera()
photo_panel.imshow(photo)
photo_panel.set_axis_off()


def show(panel, photo, window):
    decibels = spectral.log_spectrum(photo, window=window)
    return panel.imshow(
        decibels, cmap="magma", vmin=-100, vmax=-30, extent=(-0.5, 0.5, 0.5, -0.5)
    )


shown = show(panel, photo, "hann")
panel.set(
    xlabel="along a row (cycles per pixel)", ylabel="down the rows (cycles per pixel)"
)
figure.colorbar(
    shown, ax=[photo_panel, panel], location="bottom", shrink=0.6, label=decibel_label
)
plt.show()

# %%
# Every straight edge makes a ray at right angles to itself: the bright rays belong to the
# legs and the handle of the tripod.
#
# The Fourier series repeats the photo for ever, and where its left rim meets its right one
# there is a step, an edge of its own. It makes a cross that has nothing to do with the
# picture. Fading the photo out towards its rims (``window="hann"``) takes the cross away:

green = data.astronaut()[..., 1]
figure, panels = plt.subplots(1, 2, figsize=(7, 4.1), sharey=True)
for panel, window in zip(panels, ("none", "hann")):
    shown = show(panel, green, window)
    panel.set(title=f'window="{window}"', xlabel="along a row (cycles per pixel)")
panels[0].set_ylabel("down the rows (cycles per pixel)")
figure.colorbar(shown, ax=panels, location="bottom", shrink=0.6, label=decibel_label)
plt.show()

# %%
# How fine is the detail?
# -----------------------
#
# The mean power at each distance from the middle. Photos of all kinds follow a power law:
# every doubling of the frequency takes away the same factor. What differs is how steep it
# is.

figure, panel = plt.subplots(figsize=(6.4, 3.8))
for name in ("camera", "coins", "grass", "gravel"):
    picture = getattr(data, name)().astype(np.float32)
    profile = spectral.radial_profile(picture, window="hann")
    within = (profile.frequency > 0.01) & (profile.frequency < 0.3)
    steepness = np.polyfit(
        np.log(profile.frequency[within]), np.log(profile.power[within]), 1
    )[0]
    panel.loglog(
        profile.frequency[2:], profile.power[2:], label=f"{name}: f^{steepness:.1f}"
    )
panel.set(xlabel="frequency (cycles per pixel)", ylabel="mean power (grey levels²)")
panel.legend()
plt.show()

# %%
# How far apart are the stripes?
# ------------------------------
#
# A wall of bricks is nearly a wave. The strongest wave in it is found between the bins of
# the transform, and so to a fraction of what the spectrum resolves.

wall = data.brick().astype(np.float32)
courses = spectral.strongest_stripes(wall)
period = 1 / courses.frequency
print(f"period {period:.2f} pixels, {np.degrees(courses.angle):.2f} degrees from a row")

across = np.sin(courses.angle), np.cos(courses.angle)
figure, panel = plt.subplots(figsize=(5.2, 5.2))
panel.imshow(wall)
panel.annotate(
    "",
    (50 + 10 * period * across[1], 256 + 10 * period * across[0]),
    (50, 256),
    arrowprops={"arrowstyle": "<->", "color": "tab:orange", "lw": 2},
)
label = f"10 periods: {10 * period:.0f} pixels"
panel.text(60, 236, label, bbox={"facecolor": "white", "edgecolor": "none"})
panel.set(xlabel="column (pixels)", ylabel="row (pixels)")
plt.show()
