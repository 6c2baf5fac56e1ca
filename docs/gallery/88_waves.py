"""
A wave packet, and two slits
============================

Put an i into the diffusion equation and nothing evens out any more: waves turn their phase
instead of decaying. It is Schrödinger's equation, and its free propagator is one exact
convolution, as that of diffusion is.
"""

# sphinx_gallery_thumbnail_number = 3

import matplotlib.pyplot as plt
import numpy as np

from gpuconv.diffusion import quantum

# %%
# A packet spreads
# ----------------
#
# The narrower it is, the less its momentum is known, and the faster it spreads. Every curve
# is one call of `gpuconv.diffusion.quantum.evolve`, whatever the time.

spacing = 0.1
x = (np.arange(640) + 0.5) * spacing
packet = quantum.wave_packet(640, centre=10.0, width=0.8, wavenumber=4.0, spacing=spacing)

figure, panel = plt.subplots(figsize=(6.6, 3.2))
for time in (0.0, 1.0, 3.0, 6.0):
    psi = quantum.evolve(packet, time, spacing=spacing)
    panel.plot(x, np.abs(psi) ** 2, label=f"t = {time:g}")
    spread = float(quantum.expectation(psi, "spread", spacing=spacing)[0])
    formula = 0.8 * np.sqrt(1 + (time / (2 * 0.8**2)) ** 2)
    print(f"t = {time:g}: width {spread:.6f}, by the formula {formula:.6f}")
panel.set(xlabel="position", ylabel="probability per length")
panel.legend(fontsize=9)
plt.show()

# %%
# In two places at once
# ---------------------
#
# A sum of two waves is a wave: a particle may be in two places, here with 30 and 70
# percent. A measurement finds it in one of them, and only the counts of many measurements
# tell the percentages.

two = np.zeros(10, complex)
two[[2, 7]] = np.sqrt([0.3, 0.7])
found = quantum.measure(two, 1000, rng=0)[:, 0]

figure, panel = plt.subplots(figsize=(6.2, 2.6))
panel.bar(np.arange(10), 1000 * np.abs(two) ** 2, color="0.85", label="expected")
counts = np.bincount(np.floor(found).astype(int), minlength=10)
panel.bar(np.arange(10), counts, width=0.35, color="C3", label="found")
panel.set(xlabel="cell", ylabel="of 1000 measurements")
panel.legend(fontsize=9)
plt.show()

# %%
# Two slits
# ---------
#
# A packet runs into a wall with two openings. Behind it two waves meet, and where a crest
# of one meets a trough of the other nobody will ever be found. The edges absorb what comes
# to them.

shape, h = (200, 240), 0.2
y = (np.arange(shape[0]) + 0.5) * h - 20
psi = quantum.wave_packet(
    shape, centre=(20, 12), width=(4, 2.5), wavenumber=(0, 5), spacing=h
)
opening = np.abs(np.abs(y) - 2.0) < 0.6
wall = np.zeros(shape)
wall[~opening, 100:103] = 200.0

given = {"potential": wall, "spacing": h, "absorb": 3.0, "steps": 150}
figure, panels = plt.subplots(1, 3, figsize=(7.2, 2.6), sharey=True)
for panel, moment in zip(panels, (0.0, 1.6, 3.2)):
    if moment:
        psi = quantum.evolve(psi, 1.6, **given)
    likely = np.abs(psi) ** 2
    panel.imshow(np.sqrt(likely), extent=(0, 48, 20, -20), cmap="magma")
    panel.vlines(
        [20.3] * 3, [-20, -1.4, 2.6], [-2.6, 1.4, 20], color="white", linewidth=1.5
    )
    panel.set_title(f"t = {moment:g}", fontsize=9)
    panel.set_xlabel("position across the wall", fontsize=8)
panels[0].set_ylabel("position along the wall", fontsize=8)
plt.show()

# %%
# What a screen would see
# -----------------------
#
# Each particle arrives at one place. After 40 there is nothing to see, after 4000 there are
# fringes.

screen = np.zeros_like(psi)
screen[:, 160:200] = psi[:, 160:200]
hits = quantum.measure(screen, 4000, spacing=h, rng=1)[:, 0] - 20
bins = np.linspace(-16, 16, 81)

figure, panels = plt.subplots(2, 1, figsize=(6.4, 3.8), sharex=True)
for panel, count in zip(panels, (40, 4000)):
    panel.hist(hits[:count], bins=bins, color="C3", label=f"{count} particles")
    panel.set_ylabel("hits")
    panel.legend(fontsize=9)
profile = np.sum(np.abs(screen) ** 2, axis=1)
panels[1].plot(y, profile / profile.sum() * 4000 * 2, color="0.3", linewidth=1)
panels[1].set_xlabel("position on the screen")
plt.show()
