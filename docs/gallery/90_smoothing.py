"""
Smoothing, and a closing quiz
=============================

Smoothing is diffusion: left to themselves, differences between neighbours even out. In a
glass of water they do so equally in all directions. On a grid of pixels, directions are not
equal: the neighbour to the right is one step away, the diagonal one is 1.41 steps away.
Which kernel hides the grid best?

The quiz
--------

Here are five kernels. Each sums to 1 and will be applied many times over, from a single
bright pixel, until the spot has a standard deviation of 6 pixels. *Which of the spots will
be round?*
"""

# sphinx_gallery_thumbnail_number = 2

import matplotlib.pyplot as plt
import numpy as np

import gpuconv
from gpuconv import kernels

candidates = {
    "A: diagonals": np.array([[1, 0, 1], [0, 4, 0], [1, 0, 1]]),
    "B: plus": np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]),
    "C: box": np.array([[1, 1, 1], [1, 1, 1], [1, 1, 1]]),
    "D: 1 2 1": np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]),
    "E: more sideways": np.array([[0, 1, 0], [2, 4, 2], [0, 1, 0]]),
}
candidates = {name: kernels.normalize(weights) for name, weights in candidates.items()}

figure, panels = plt.subplots(1, 5, figsize=(7.2, 2.1))
for panel, (name, weights) in zip(panels, candidates.items()):
    panel.imshow(weights, cmap="Blues", vmin=0, vmax=0.9)
    for (row, column), weight in np.ndenumerate(weights):
        panel.text(column, row, f"{weight:.3g}", ha="center", va="center", fontsize=7.5)
    panel.set_title(name, fontsize=9)
    panel.set_axis_off()
plt.show()

# %%
# Mixing, many times
# ------------------
#
# Variances add up: n times a kernel of variance v gives n v. Each kernel is repeated until
# the mean of the variances along both axes is 36, the square of 6.

offsets = np.arange(-1, 2)
reach = 30
grid = np.arange(-reach, reach + 1)


def variances(weights):
    """Along rows and along columns, in pixels squared."""
    return (weights.sum(axis=1) * offsets**2).sum(), (
        weights.sum(axis=0) * offsets**2
    ).sum()


def spot_of(weights):
    spot = np.zeros((2 * reach + 1, 2 * reach + 1))
    spot[reach, reach] = 1.0
    times = round(36 / np.mean(variances(weights)))
    for _ in range(times):
        spot = gpuconv.convolve(spot, weights)
    return spot, times


figure, panels = plt.subplots(2, 3, figsize=(7, 4.9))
for panel, (name, weights) in zip(panels.flat, candidates.items()):
    spot, times = spot_of(weights)
    shown = panel.contourf(
        grid, grid, spot / spot.max(), levels=np.linspace(0, 1, 11), cmap="viridis"
    )
    panel.set(
        title=f"{name}\n{times} times", aspect="equal", xlim=(-20, 20), ylim=(-20, 20)
    )
    panel.title.set_fontsize(9)
panels[1, 2].set_axis_off()
figure.colorbar(shown, ax=panels, shrink=0.7, label="share of the highest value")
figure.supxlabel("columns (pixels)", fontsize=9)
figure.supylabel("rows (pixels)", fontsize=9)
plt.show()

# %%
# The answer
# ----------
#
# B, C and D look round, and that is the point: *whatever* small kernel is repeated, the
# spot goes towards a Gaussian, and a Gaussian with equal variances along both axes is
# round. E spreads twice as fast sideways as up and down, and never gets rid of it. A is
# round from afar, but its steps are diagonal: like a bishop it stays on the squares of one
# colour, and half of the pixels never get anything.
#
# B, C and D differ in how they treat fine detail. A wave of brightness is not moved by a
# symmetric kernel, only weakened, by a factor that depends on its direction. Equal
# diffusion in all directions would be a flat line:


def transfer(weights, wavenumber, angle):
    """What is left of a wave of that wavenumber (radians per pixel) and direction."""
    down, across = wavenumber * np.sin(angle), wavenumber * np.cos(angle)
    phases = np.exp(-1j * (down * offsets[:, None] + across * offsets[None, :]))
    return np.real((weights * phases).sum())


angles = np.linspace(0, np.pi, 181)
figure, panel = plt.subplots(figsize=(6.4, 3.8))
for name, weights in candidates.items():
    rate = [-np.log(transfer(weights, 1.0, angle)) for angle in angles]
    panel.plot(np.degrees(angles), np.array(rate) / np.mean(rate), label=name)
panel.set(
    xlabel="direction of the wave (degrees; 0: along a row)",
    ylabel="decay, relative to its mean",
)
panel.set_xticks(range(0, 181, 45))
panel.legend(fontsize=8, ncols=2)
plt.show()

# %%

print("largest less smallest decay, of its mean, for waves 6.3 pixels long:")
for name, weights in candidates.items():
    rate = np.array([-np.log(transfer(weights, 1.0, angle)) for angle in angles])
    print(f"  {name:<18} {(rate.max() - rate.min()) / rate.mean():7.2%}")

# %%
# D is the best of the five: diffusion nearly equal in all directions. It is the outer
# product of 1 2 1 with itself, the smallest piece of a Gaussian, and the Gaussian is the
# only kernel that is at once a product of its axes and the same in all directions. That is
# why `gpuconv.filters.gaussian` can be computed one axis after another, and why it is the
# smoothing that nature does: it *is* the heat kernel. With ``kind="lattice"`` it is that on
# the grid itself, where diffusing for a time, and then again, is the same as diffusing for
# both times at once:

half, whole = (kernels.gaussian(variance**0.5, kind="lattice") for variance in (0.5, 1.0))
twice = gpuconv.convolve(half, half, mode="full")
edge = (twice.shape[0] - whole.shape[0]) // 2
print(f"largest difference: {np.abs(twice[edge:-edge, edge:-edge] - whole).max():.0e}")
