"""
The aquarium
============

A tank of water with a barrier in the middle: salt water on the left, fresh water on the
right. Then the barrier is lifted. Nobody stirs. How long does it take until the salt is
everywhere?

Every molecule wanders at random, and where there are more of them, more wander off. So salt
flows from much to little, in proportion to how steeply its concentration c falls, and what
flows out of one place flows into the next:

.. math:: \\frac{\\partial c}{\\partial t} = \\operatorname{div}(D \\operatorname{grad} c).

The diffusivity D has the unit of a length squared per time. Table salt in water has
1.5e-9 m\\ :sup:`2`/s. That is 1.5e-3 mm\\ :sup:`2` a second, or 130 mm\\ :sup:`2` a day.
"""

# sphinx_gallery_thumbnail_number = 1

# %%
# The tank
# --------
#
# 256 x 256 cells of 1 mm, seen from the side, and sea water with 35 grams of salt per
# litre. The barrier is a row of closed faces between cells: column 128 begins right behind
# it. On day 5 it is pulled up by 64 mm, like a sluice, and on day 25 it is taken out:
# `gpuconv.diffusion.evolve` takes the walls as a list that says until when each of them
# stands.

import matplotlib.pyplot as plt
import numpy as np

from gpuconv import diffusion

CELLS, MIDDLE = 256, 128  # of 1 mm
SALINITY = 35.0  # grams per litre
DIFFUSIVITY = 130.0  # mm^2 a day

tank = np.zeros((CELLS, CELLS))
tank[:, :MIDDLE] = SALINITY
barrier = diffusion.walls(tank.shape, closed=[(1, MIDDLE)])
sluice = diffusion.walls(tank.shape, closed=[(1, MIDDLE, slice(0, 192))])

days = np.linspace(0, 100, 101)
film, info = diffusion.evolve(
    tank,
    100.0,
    diffusivity=DIFFUSIVITY,
    walls=[(5.0, barrier), (25.0, sluice)],
    save_at=days,
    accuracy=1e-3,
    return_info=True,
)
print(info.steps, "steps of", info.scheme, "with up to", info.stages, "stages each")
print(f"salt kept to {np.ptp(info.mass) / info.mass[0]:.0e} of all there is")

# %%
# What leaves one cell enters its neighbour, so that no salt is lost or made. The orange
# line is what is left of the barrier.

figure, panels = plt.subplots(2, 3, figsize=(7, 4.7), sharex=True, sharey=True)
for panel, day in zip(panels.flat, (5, 10, 25, 30, 50, 100)):
    shown = panel.imshow(
        film[day], vmin=0, vmax=SALINITY, cmap="viridis", extent=(0, CELLS, CELLS, 0)
    )
    lower_end = CELLS if day <= 5 else 192 if day <= 25 else 0
    panel.plot([MIDDLE, MIDDLE], [0, lower_end], color="tab:orange", lw=2)
    panel.set_title(f"day {day}", fontsize=10)
    panel.set(xticks=(0, 128, 256), yticks=(0, 128, 256))
figure.supxlabel("from the left (mm)", fontsize=10)
figure.supylabel("depth (mm)", fontsize=10)
figure.colorbar(shown, ax=panels, shrink=0.8, label="salt (g per litre)")
plt.show()

# %%
# How much has crossed, and when
# ------------------------------
#
# At first the salt does not know that the tank has ends. Then the concentration behind a
# barrier that has gone is an error function, and the salt that has crossed is the part
# :math:`\sqrt{D t/\pi}/a` of all, a being half of the width. Later the ends count, and
# a Fourier series knows both:
#
# .. math:: \text{crossed} = \frac12 - \frac{4}{\pi^2}
#           \sum_{n = 1, 3, 5, \ldots} \frac{1}{n^2} \exp(-D (n\pi/2a)^2 t).
#
# To compare with it, the same tank once more, with the whole barrier lifted on day 5. It is
# the same in every row, so that one row of it is enough.

half = 128.0  # mm
odd = np.arange(1, 400, 2)


def crossed_by_series(waited):
    """The share of the salt behind the middle, `waited` days after the barrier went."""
    decay = np.exp(
        -DIFFUSIVITY * np.multiply.outer(waited, (odd * np.pi / (2 * half)) ** 2)
    )
    return 0.5 - 4 / np.pi**2 * (decay / odd**2).sum(axis=-1)


def crossed(film):
    return film[..., MIDDLE:].sum(axis=-1) / film.sum(axis=-1)


moments = np.linspace(0, 100, 1001)
row = tank[0]
lifted = diffusion.evolve(
    row,
    moments[-1],
    diffusivity=DIFFUSIVITY,
    walls=[(5.0, diffusion.walls(row.shape, closed=[(0, MIDDLE)]))],
    save_at=moments,
)
print("days after the lifting     in cells    series    sqrt(D t/pi)/a")
for share in (0.1, 0.25, 0.4):
    measured = np.interp(share, crossed(lifted), moments) - 5
    waits = np.linspace(0, 95, 20001)
    by_series = np.interp(share, crossed_by_series(waits), waits)
    early = np.pi * (share * half) ** 2 / DIFFUSIVITY
    print(f"until {share:3.0%} have crossed  {measured:9.2f} {by_series:9.2f} {early:9.2f}")

# %%
# The first tenth is quick, and the square root says why it does not go on like that: twice
# as far takes four times as long. At equilibrium half of the salt has crossed. A glass a
# hundred times smaller would be there ten thousand times sooner.

sluiced = crossed(film.reshape(len(days), -1, CELLS).sum(axis=1))
after = np.linspace(0, 95, 400)
figure, panel = plt.subplots(figsize=(6.4, 3.8))
panel.plot(moments, 100 * crossed(lifted), label="lifted on day 5")
panel.plot(5 + after, 100 * crossed_by_series(after), "k:", label="the series")
early = np.sqrt(DIFFUSIVITY * after / np.pi) / half
panel.plot(5 + after, 100 * early, "--", color="0.6", label=r"$\sqrt{D t/\pi}/a$")
panel.plot(days, 100 * sluiced, color="tab:orange", label="sluice, lifted on day 25")
panel.axhline(50, color="0.85", zorder=0)
panel.set(xlabel="time (days)", ylabel="salt that has crossed (percent)")
panel.set(xlim=(0, 100), ylim=(0, 55))
panel.legend(loc="lower right")
plt.show()

# %%
# A quarter of the height is open in the sluice. What passes is more than a quarter: the
# salt runs together towards the opening from above. There is no formula for that, and this
# is what steps are for.

five_days_later = int(np.searchsorted(days, 10.0))
whole = np.interp(10.0, moments, crossed(lifted))
print(f"five days after the opening: {sluiced[five_days_later]:.1%} through the sluice,")
print(f"{whole:.1%} without the barrier, {whole / 4:.1%} would be a quarter of it")

# %%
# A membrane
# ----------
#
# Instead of a barrier, something that lets a little through: a membrane of conductance g
# passes :math:`g\,(c_\text{before} - c_\text{behind})` per area and time. It has the unit
# of a speed, here mm a day. The difference between both sides then decays at a rate
# :math:`D k^2`, with the smallest k that solves :math:`D k \tan(k a) = 2 g`.

from scipy.optimize import brentq

print("g (mm a day)   rate in cells   from the formula (per day)")
for conductance in (0.1, 1.0, 10.0):
    skin = diffusion.walls(row.shape, closed=[(0, MIDDLE)], conductance=conductance)
    last = diffusion.evolve(
        row, 300.0, diffusivity=DIFFUSIVITY, walls=skin, save_at=(200.0, 300.0)
    )
    before, behind = last[:, :MIDDLE].mean(axis=1), last[:, MIDDLE:].mean(axis=1)
    rate = -np.diff(np.log(before - behind))[0] / 100
    number = brentq(
        lambda k, g=conductance: (
            DIFFUSIVITY * k * np.sin(k * half) - 2 * g * np.cos(k * half)
        ),
        1e-9,
        np.pi / (2 * half),
    )
    print(f"{conductance:8.1f} {rate:18.6f} {DIFFUSIVITY * number**2:18.6f}")

# %%
# A membrane of 0.1 mm a day is all that holds the salt back; with 10 mm a day it is mostly
# the way through the water.
#
# ``gpuconv aquarium tank.gif`` makes a film of such a tank, with any size, and stirs it if
# asked to. What stirring does comes next.
