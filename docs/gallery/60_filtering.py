"""
Filtering by frequency, and compression
=======================================

A convolution multiplies every frequency of a photo by a number of its own. One can also
begin at that end: say which frequencies shall stay, and let the kernel be whatever it must
be. That is a *transfer function*.
"""

# sphinx_gallery_thumbnail_number = 7

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from gpuconv import spectral

photo = data.camera().astype(np.float32)

# %%
# A disc of low frequencies
# -------------------------
#
# Frequencies are in cycles per pixel; the finest wave that pixels can hold has 0.5 (two
# pixels a period). A cutoff of 0.08 keeps waves longer than 12.5 pixels. How sharply to cut
# is a matter of the profile.

profiles = ("ideal", "raised_cosine", "butterworth", "gaussian")
frequencies = np.linspace(0, 0.25, 301)
figure, panel = plt.subplots(figsize=(6.4, 3))
for profile in profiles:
    panel.plot(frequencies, spectral.lowpass(0.08, profile)(frequencies), label=profile)
panel.set(
    xlabel="frequency (cycles per pixel)", ylabel="what is kept of it", xlim=(0, 0.25)
)
panel.legend()
plt.show()

# %%
# All but the first are one half at the cutoff. The sharper the cut, the wider the kernel
# that belongs to it swings, and the photo shows it as rings along its edges: look at the
# coat against the sky.

figure, panels = plt.subplots(2, 2, figsize=(6.4, 6.9))
for panel, profile in zip(panels.flat, profiles):
    smooth = spectral.apply(photo, spectral.lowpass(0.08, profile), boundary="reflect")
    panel.imshow(smooth[40:296, 100:356], vmin=0, vmax=255)
    panel.set_title(profile)
    panel.set_axis_off()
plt.show()

# %%
# The kernels are what `gpuconv.spectral.spatial_kernel` gives. None but the Gaussian is
# positive everywhere.

figure, panel = plt.subplots(figsize=(6.4, 3))
for profile in profiles:
    kernel = spectral.spatial_kernel(spectral.lowpass(0.08, profile), 401)
    panel.plot(np.arange(-40, 41), kernel[160:241], label=profile)
panel.axhline(0, color="0.8", zorder=0)
panel.set(xlabel="distance (pixels)", ylabel="weight")
panel.legend()
plt.show()

# %%
# High frequencies are the rest
# -----------------------------
#
# `gpuconv.spectral.highpass` is 1 less the low-pass, for every profile, and so the parts
# add up to the photo again. Bands between two cutoffs divide it further.

cutoffs = (0.03, 0.12)
parts = {
    "lowpass(0.03)": spectral.lowpass(cutoffs[0]),
    "bandpass(0.03, 0.12)": spectral.bandpass(*cutoffs),
    "highpass(0.12)": spectral.highpass(cutoffs[1]),
}
figure, panels = plt.subplots(1, 3, figsize=(7, 3.3))
total = np.zeros_like(photo)
for panel, (title, transfer) in zip(panels, parts.items()):
    part = spectral.apply(photo, transfer, boundary="reflect")
    total += part
    limit = 255 if title.startswith("low") else 80
    shown = panel.imshow(part, vmin=255 - limit if limit == 255 else -limit, vmax=limit)
    panel.set_title(title)
    panel.set_axis_off()
    figure.colorbar(shown, ax=panel, location="bottom", label="grey levels", shrink=0.9)
plt.show()
print(
    f"the sum of the parts is the photo, to {np.abs(total - photo).max():.0e} grey levels"
)

# %%
# What the boundary does
# ----------------------
#
# A Fourier series repeats the photo, so that "wrap" is what comes by itself: the lower rim
# lies against the upper one, and light crosses over. With "reflect" a mirror image lies
# there, which fits without a step. The gain is seen in what a low-pass does to the first
# rows:

low = spectral.lowpass(0.02, "gaussian")
figure, panel = plt.subplots(figsize=(6.4, 3))
panel.plot(photo[:100, 100:-100].mean(axis=1), color="0.7", label="the photo")
for boundary in ("wrap", "reflect", "constant"):
    smooth = spectral.apply(photo, low, boundary=boundary)
    panel.plot(smooth[:100, 100:-100].mean(axis=1), label=boundary)
panel.set(xlabel="row, from the upper edge (pixels)", ylabel="mean grey level (0 to 255)")
panel.legend()
plt.show()

# %%
# Taking stripes out
# ------------------
#
# Something hummed while the moon was taken: stripes lie over the picture. Their frequency
# is measured, and a notch takes out just that one.

moon = data.moon().astype(np.float32)
row, column = np.indices(moon.shape)
striped = moon + 25 * np.sin(2 * np.pi * (0.0713 * row + 0.1307 * column))
found = spectral.strongest_stripes(striped, above=0.05)
frequency = found.frequency * np.sin(found.angle), found.frequency * np.cos(found.angle)
clean = spectral.apply(striped, spectral.notch(frequency, 0.02), boundary="reflect")
print(f"{frequency[0]:.4f} cycles per pixel down the rows, {frequency[1]:.4f} along them")
print(f"strength {found.amplitude:.1f} grey levels")

figure, panels = plt.subplots(2, 2, figsize=(6.4, 6.9))
pictures = {"striped": striped, "after the notch": clean, "the moon": moon}
for panel, (title, picture) in zip(panels.flat, pictures.items()):
    panel.imshow(picture[:300, :300], vmin=60, vmax=170)
    panel.set_title(title)
    panel.set_axis_off()
panels[1, 1].plot(striped[100, :100], label="striped", color="tab:red", lw=1)
panels[1, 1].plot(clean[100, :100], label="after the notch", color="tab:blue")
panels[1, 1].plot(moon[100, :100], ":", label="the moon", color="black")
panels[1, 1].set(xlabel="column (pixels)", ylabel="grey level in row 100", ylim=(60, 190))
panels[1, 1].legend(fontsize=9)
plt.show()

# %%
# Where the wave ends, at the rims, a little of it remains: a wave that ends is not one
# frequency alone. A wider notch leaves less of it there, and takes more of the moon.
#
# Compression
# -----------
#
# Most frequencies of a photo are weak. Leave them out, and write down only the others:
# `gpuconv.spectral.compress` keeps a share of the coefficients and gives the photo that can
# be made of them, the ratio, and how good it is. To keep the lowest frequencies is the
# simplest (a disc in the spectrum); to keep the largest ones is better, wherever they are;
# and cosines in blocks of 8 x 8 pixels, which is what JPEG does, follow the picture from
# place to place.

photo = data.camera()
methods = ("disc", "largest", "blocks")
figure, panels = plt.subplots(3, 3, figsize=(6.8, 8.2))
for panels_of_one, keep in zip(panels, (0.2, 0.05, 0.01)):
    for panel, method in zip(panels_of_one, methods):
        small = spectral.compress(photo, keep, method=method)
        panel.imshow(small.image[40:296, 100:356], vmin=0, vmax=255)
        panel.set_title(
            f"{method}, 1 : {small.ratio:.0f}\n{small.psnr:.1f} dB", fontsize=10
        )
        panel.set_axis_off()
plt.show()

# %%
# The peak signal-to-noise ratio compares the error with 255 grey levels: 40 dB is hard to
# tell from the photo, 25 dB is a sketch. Blocks need a coefficient each, 1.6 percent: below
# that, some have none and are black.

shares = np.geomspace(0.005, 0.5, 12)
figure, panel = plt.subplots(figsize=(6.4, 3.8))
styles = {"disc": "o-", "largest": "o-", "dct": "--", "blocks": "o-"}
for method, style in styles.items():
    quality = [
        float(spectral.compress(photo, share, method=method).psnr) for share in shares
    ]
    panel.semilogx(100 * shares, quality, style, markersize=4, label=method)
panel.set_xticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
panel.minorticks_off()
panel.set(xlabel="coefficients kept (percent)", ylabel="quality (PSNR, dB)")
panel.legend()
plt.show()
