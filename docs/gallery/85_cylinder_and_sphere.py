"""
Cylinders and spheres
=====================

How long must an egg be boiled? Heat diffuses as salt does, only faster: what an egg is
made of has a diffusivity of about 0.14 mm\\ :sup:`2` a second, nearly a hundred times that
of salt in water. In a ball there is less and less room towards the middle:

.. math:: \\frac{\\partial T}{\\partial t}
          = \\frac{D}{r^{d - 1}} \\frac{\\partial}{\\partial r}
            \\Bigl(r^{d - 1} \\frac{\\partial T}{\\partial r}\\Bigr)

with d = 3; a long cylinder has d = 2 and a plate d = 1. The cells are shells, rings and
slices, all h thick. `gpuconv.diffusion.radial.diffuse` goes to any time at once, by the
eigenvectors of what flows between the shells.
"""

# sphinx_gallery_thumbnail_number = 1

# %%
# An egg, a sausage and a plate
# -----------------------------
#
# All three are 44 mm thick, come from a room at 20 degrees and are put into boiling water,
# so that their surface is at 100 degrees. The sausage is long, and the plate is large.

import matplotlib.pyplot as plt
import numpy as np
from scipy import special

from gpuconv import diffusion

DIFFUSIVITY = 0.14  # mm^2 a second
RADIUS = 22.0  # mm
ROOM, BOILING = 20.0, 100.0  # degrees Celsius
cells = 88  # of 0.25 mm


def heated(shape, seconds, count=cells):
    """Temperatures from the middle to the surface."""
    cold = np.full(count, ROOM)
    hot = ("fixed", BOILING)
    if shape == "plate":
        # One half of it: in the middle nothing flows.
        return diffusion.diffuse(
            cold,
            seconds,
            diffusivity=DIFFUSIVITY,
            spacing=RADIUS / count,
            boundary=("no-flux", hot),
        )
    return diffusion.radial.diffuse(
        cold,
        seconds,
        geometry=shape,
        radius=RADIUS,
        diffusivity=DIFFUSIVITY,
        boundary=hot,
    )


r = RADIUS * (np.arange(cells) + 0.5) / cells
shapes = {"sphere": "egg", "cylinder": "sausage", "plate": "plate"}
figure, panels = plt.subplots(1, 3, figsize=(7, 3.3), sharey=True)
for panel, (shape, name) in zip(panels, shapes.items()):
    for minutes, color in zip((1, 3, 6, 10, 15), plt.cm.plasma(np.linspace(0.1, 0.8, 5))):
        panel.plot(r, heated(shape, 60 * minutes), color=color, label=f"{minutes} min")
    panel.set(title=f"{name} ({shape})" if name != shape else name, xlim=(0, RADIUS))
    panel.set(xticks=(0, 11, 22), ylim=(15, 102))
panels[1].set_xlabel("from the middle (mm)")
panels[0].set_ylabel("temperature (°C)")
panels[2].legend(fontsize=9, loc="upper left")
plt.show()

# %%
# The closed forms
# ----------------
#
# Each of the three has a series for the temperature in the middle. With
# :math:`\tau = D t/R^2`, what is left of the 80 degrees of difference is
#
# * :math:`2 \sum_n (-1)^{n + 1} e^{-(n \pi)^2 \tau}` in the ball,
# * :math:`2 \sum_n e^{-j_n^2 \tau} / (j_n J_1(j_n))` in the cylinder, where :math:`j_n` are
#   the zeros of the Bessel function :math:`J_0`,
# * :math:`2 \sum_n (-1)^n e^{-\mu_n^2 \tau}/\mu_n` in the plate, with
#   :math:`\mu_n = (n + 1/2)\pi`, n from 0.
#
# When is the middle at 65 degrees, where the yolk sets?

n = np.arange(1, 200)
zeros = special.jn_zeros(0, 199)
halves = (n - 0.5) * np.pi
SERIES = {
    "sphere": (n * np.pi, 2 * (-1.0) ** (n + 1)),
    "cylinder": (zeros, 2 / (zeros * special.j1(zeros))),
    "plate": (halves, 2 * (-1.0) ** (n + 1) / halves),
}


def middle_by_series(shape, seconds):
    numbers, weights = SERIES[shape]
    tau = DIFFUSIVITY * seconds / RADIUS**2
    left = (weights * np.exp(-np.multiply.outer(tau, numbers**2))).sum(axis=-1)
    return BOILING - (BOILING - ROOM) * left


def middle(shape, seconds, count=cells):
    """At r = 0, from the innermost two cells: there T is a parabola without a slope."""
    first, second = heated(shape, seconds, count)[:2]
    return first - (second - first) / 8


seconds = np.arange(60, 3601, 20)
figure, panel = plt.subplots(figsize=(6.4, 3.6))
print("minutes until the middle has 65 degrees")
for shape, name in shapes.items():
    in_cells = [middle(shape, second) for second in seconds]
    by_series = middle_by_series(shape, seconds)
    (line,) = panel.plot(seconds / 60, in_cells, label=name)
    panel.plot(seconds[::9] / 60, by_series[::9], "o", ms=3.5, color=line.get_color())
    times = [np.interp(65, values, seconds / 60) for values in (in_cells, by_series)]
    print(f"  {name:<8} {times[0]:6.2f} in cells, {times[1]:6.2f} from the series")
panel.axhline(65, color="0.8", zorder=0)
panel.set(xlabel="time in boiling water (minutes)", ylabel="temperature in the middle (°C)")
panel.set(xlim=(0, 60), ylim=(15, 102))
panel.legend(title="line: cells, dots: series", title_fontsize=9)
plt.show()

# %%
# Surface is what counts: a ball has three times as much of it per volume as a plate of the
# same thickness, a cylinder twice. And time goes with the square of the size. An ostrich
# egg, three times as thick, takes nine times as long.
#
# How fine must the shells be?
# ----------------------------
#
# Time is exact, and so the error is that of the shells alone. It falls with the square of
# their thickness: twice as many cells, a quarter of the error.

print("temperature in the middle after 10 minutes, error in degrees")
print("cells     sphere   cylinder      plate")
for count in (11, 22, 44, 88):
    errors = [
        middle(shape, 600.0, count) - middle_by_series(shape, 600.0) for shape in shapes
    ]
    print(f"{count:5}", *(f"{error:10.5f}" for error in errors))

# %%
# Pipes
# -----
#
# With ``inner=`` there is a hole. Hot water at 60 degrees runs through a pipe with a radius
# of 10 mm that is wrapped in 20 mm of foam. Outside it meets air of 20 degrees, and loses
# heat by a skin: the condition ``("robin", a, b, value)`` says a T + b dT/dn = value, where
# b/a is the thickness of foam that would hold back as much heat as the skin does, here 4
# mm. In the end the temperature falls with the logarithm of the radius.

inside, outside, skin = 10.0, 30.0, 4.0  # mm
FOAM = 0.5  # mm^2 a second
count = 40
radii = inside + (outside - inside) * (np.arange(count) + 0.5) / count
moments = (10, 60, 300, 3600)
figure, panel = plt.subplots(figsize=(6.4, 3.6))
for moment, color in zip(moments, plt.cm.plasma(np.linspace(0.1, 0.8, 4))):
    wrapped = diffusion.radial.diffuse(
        np.full(count, 20.0),
        moment,
        geometry="cylinder",
        radius=outside,
        inner=inside,
        diffusivity=FOAM,
        boundary=(("fixed", 60.0), ("robin", 1.0, skin, 20.0)),
    )
    panel.plot(radii, wrapped, color=color, label=f"{moment} s")
slope = 40 / (np.log(outside / inside) + skin / outside)
logarithm = 60 - slope * np.log(radii / inside)
panel.plot(radii, logarithm, "k:", label="logarithm")
panel.set(xlabel="radius (mm)", ylabel="temperature (°C)", xlim=(inside, outside))
panel.legend()
plt.show()
print(f"after an hour {np.abs(wrapped - logarithm).max():.4f} degrees from the logarithm")

# %%
# A tin
# -----
#
# A cylinder with a height needs both r and z: `gpuconv.diffusion.Grid.cylindrical`. A tin
# of soup, 66 mm wide and 100 mm high, in the same boiling water. What is left of the
# difference is a product, of that of a long cylinder and that of a plate, and so the
# formula is one, too.

tin = diffusion.Grid.cylindrical((33, 100), spacing=1.0)
soup = np.full(tin.shape, ROOM)
hot = ("fixed", BOILING)
minutes = (5, 15, 40)
figure, panels = plt.subplots(1, 3, figsize=(6.8, 3.5), sharey=True)
for panel, minute in zip(panels, minutes):
    warm = diffusion.diffuse(
        soup, 60.0 * minute, diffusivity=DIFFUSIVITY, grid=tin, boundary=hot
    )
    both_halves = np.concatenate([warm[::-1], warm]).T
    shown = panel.imshow(
        both_halves,
        vmin=ROOM,
        vmax=BOILING,
        cmap="plasma",
        extent=(-33, 33, 0, 100),
        origin="lower",
    )
    panel.set_title(f"{minute} min", fontsize=10)
    panel.set_xticks((-33, 0, 33))
panels[0].set_ylabel("height (mm)")
panels[1].set_xlabel("across the tin (mm)")
figure.colorbar(shown, ax=panels, shrink=0.8, label="temperature (°C)")
plt.show()

# %%

seconds = 40 * 60
across, along = (
    np.sum(weights * np.exp(-DIFFUSIVITY * seconds * (numbers / half) ** 2))
    for (numbers, weights), half in ((SERIES["cylinder"], 33.0), (SERIES["plate"], 50.0))
)
# The middle lies between two cells along z, and half a cell before the first one along r.
first, second = warm[:2, 49:51].mean(axis=1)
in_cells = first - (second - first) / 8
along_z = warm[0, 48:52]
in_cells += (along_z[1:3].mean() - along_z[[0, 3]].mean()) / 8
print(
    f"in the middle after {minutes[-1]} minutes: {in_cells:.2f} degrees in cells,", end=" "
)
print(f"{BOILING - (BOILING - ROOM) * across * along:.2f} from the product")
weights = tin.volumes / tin.volumes.sum()
print(f"the mean is {(weights * warm).sum():.2f} degrees")
