"""
Kernels read as propagators
===========================

After some time, where is the salt that was in one place? The answer is a kernel. It is
called the *propagator*, and diffusion for that time is convolution with it. Now turn that
round: take any kernel, and ask where it brings things.
"""

# sphinx_gallery_thumbnail_number = 2

# %%
# The kernel of waiting
# ---------------------
#
# On cells of 1 mm, with the diffusivity of salt in water, 0.0015 mm\ :sup:`2` a second, the
# propagator of a few minutes is a handful of numbers: the share that stays, the share that
# goes one cell away, and so on.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

import gpuconv
from gpuconv import diffusion, kernels

DIFFUSIVITY = 1.5e-3  # mm^2 a second

figure, panel = plt.subplots(figsize=(6.4, 3.4))
for minutes in (1, 10, 60, 240):
    taps = diffusion.propagator(60.0 * minutes, diffusivity=DIFFUSIVITY, spacing=1.0)
    distance = np.arange(len(taps)) - len(taps) // 2
    panel.plot(distance, 100 * taps, "o-", ms=4, label=f"{minutes} min")
panel.set(
    xlabel="distance (cells of 1 mm)",
    ylabel="share (percent)",
    xlim=(-15, 15),
    ylim=(0, 100),
)
panel.legend()
plt.show()

# %%
# Where is it? The longer one waits, the less one knows. How much less is counted in bits:
# a number of bits that says how many yes-or-no questions it takes on average to find the
# cell. For a Gaussian in one dimension that is half of :math:`\log_2(4 \pi e D t/h^2)`, and
# the propagator comes to it as soon as it covers a few cells. Four times the waiting, one
# question more.

print(" minutes   bits    from the formula   width sqrt(2 D t) in mm")
for minutes in (1, 10, 60, 240, 960, 3840):
    seconds = 60.0 * minutes
    share = diffusion.propagator(seconds, diffusivity=DIFFUSIVITY, spacing=1.0)
    bits = -(share[share > 0] * np.log2(share[share > 0])).sum()
    formula = 0.5 * np.log2(4 * np.pi * np.e * DIFFUSIVITY * seconds)
    width = np.sqrt(2 * DIFFUSIVITY * seconds)
    print(f"{minutes:8} {bits:6.3f} {formula:14.3f} {width:20.2f}")

# %%
# Any kernel
# ----------
#
# The numbers of a propagator are probabilities: positive, with the sum 1. The weights of a
# Sobel kernel are not. The softmax makes probabilities of any numbers, the larger the
# likelier:
#
# .. math:: p[m] = \frac{e^{k[m]}}{\sum_j e^{k[j]}}.
#
# `gpuconv.diffusion.softmax_propagator` does that, and then looks at p as at one random
# step. Its mean is a drift (the arrow), its covariance is twice a diffusivity (the ellipse,
# one standard deviation around the mean), and its entropy is how many bits a step scatters.

shown_kernels = ("gaussian", "motion", "sobel", "emboss", "sharpen", "scharr")


def draw(panel, weights, title):
    reading = diffusion.softmax_propagator(weights)
    rows, columns = reading.density.shape
    middle_row, middle_column = (rows - 1) // 2, (columns - 1) // 2
    image = panel.imshow(
        100 * reading.density / reading.density.max(),
        cmap="Blues",
        vmin=0,
        vmax=100,
        extent=(
            -middle_column - 0.5,
            columns - middle_column - 0.5,
            rows - middle_row - 0.5,
            -middle_row - 0.5,
        ),
    )
    turn = np.linspace(0, 2 * np.pi, 100)
    values, vectors = np.linalg.eigh(reading.covariance)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    around = (vectors * np.sqrt(np.maximum(values, 0))) @ circle
    down, right = reading.drift
    panel.plot(around[1] + right, around[0] + down, color="tab:orange")
    if np.hypot(down, right) > 0.1:
        panel.annotate(
            "",
            xy=(right, down),
            xytext=(0, 0),
            arrowprops={"arrowstyle": "-|>", "color": "tab:red", "lw": 2},
        )
    panel.set_title(title, fontsize=10)
    panel.tick_params(labelsize=9)
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    if rows == 1:
        panel.set_yticks([0])
    else:
        panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return image


figure, panels = plt.subplots(2, 3, figsize=(7, 4.6))
for panel, name in zip(panels.flat, shown_kernels):
    image = draw(panel, kernels.get(name), name)
figure.supxlabel("to the right (cells)", fontsize=10)
figure.supylabel("downwards (cells)", fontsize=10)
figure.colorbar(image, ax=panels, shrink=0.8, label="probability (percent of the highest)")
plt.show()

for name in shown_kernels:
    reading = diffusion.softmax_propagator(kernels.get(name))
    print(f"{name:<9}{reading.entropy:5.2f} bits a step  {reading.words}")

# %%
# Sobel and Scharr are told to find edges, and read in this way they carry things to the
# left. That is no accident: a derivative is a difference between two sides, and whatever
# prefers one side moves. A softmax only sees differences between weights; of a kernel with
# weights that are all small, such as this Gaussian, it makes nearly equal chances. The
# temperature, by which the weights are divided first, sets how much differences count:

for temperature in (10.0, 1.0, 0.1, 0.01):
    reading = diffusion.softmax_propagator(kernels.get("gaussian"), temperature=temperature)
    print(
        f"temperature {temperature:<5} {reading.entropy:5.2f} bits a step  {reading.words}"
    )

# %%
# What many steps do
# ------------------
#
# Steps add up: after n of them, the mean is n times the drift, and the covariance n times
# that of one step. Convolution with p, 40 times, from a single cell, shows it:


def after(share, steps, size=81):
    spot = np.zeros((size, size))
    spot[size // 2, size // 2] = 1.0
    for _ in range(steps):
        spot = gpuconv.convolve(spot, share)
    return spot


def moments(spot):
    places = np.indices(spot.shape).reshape(2, -1) - (spot.shape[0] // 2)
    mean = places @ spot.ravel()
    away = places - mean[:, None]
    return mean, (away * spot.ravel()) @ away.T


steps = 40
print(f"after {steps} steps        measured            {steps} times that of one step")
for name in ("sobel", "emboss"):
    reading = diffusion.softmax_propagator(kernels.get(name))
    mean, covariance = moments(after(reading.density, steps))
    for what, found, one in (
        ("down, right", mean, reading.drift),
        ("variances", np.diag(covariance), np.diag(reading.covariance)),
    ):
        pair = [f"{value:8.3f}{other:8.3f}" for value, other in (found, steps * one)]
        print(f"{name:<8}{what:<12} {pair[0]:>18} {pair[1]:>22}")

# %%
# The quiz
# --------
#
# Five kernels, as numbers only. Each is turned into probabilities by the softmax. *What
# will each of them do: move things, and where to; keep them together; or spread them? And
# which one diffuses nearly equally in all directions?*

quiz = {
    "A": [[0, 0, 0], [0, 4, 0], [0, 0, 0]],
    "B": [[1, 1, 1], [1, 0.8, 1], [1, 1, 1.2]],
    "C": [[0, 2, 0], [0, 0, 0], [0, 2, 0]],
    "D": [[0, 0, 0], [0, 0, 5], [0, 0, 0]],
    "E": [[3, 0, 0], [0, 3, 0], [0, 0, 3]],
}
quiz = {letter: np.array(weights, float) for letter, weights in quiz.items()}
for rows in zip(*quiz.values()):
    print("     ".join(" ".join(f"{value:3g}" for value in row) for row in rows))
print("".join(f"{letter:^16}" for letter in quiz))

# %%
# Look at the numbers once more before going on. A large weight in the middle stays; one at
# the side goes there; two on opposite sides do not move anything, but pull it apart.
#
# The answers
# -----------
#
# Above one step, drawn as before; below where eight of them bring the content of one cell,
# from nothing (dark) to the most there is in a cell (bright).

figure, panels = plt.subplots(2, 5, figsize=(7, 3.2))
for (upper, lower), (letter, weights) in zip(panels.T, quiz.items()):
    draw(upper, weights, letter)
    upper.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    reading = diffusion.softmax_propagator(weights)
    spot = after(reading.density, 8, size=31)
    lower.imshow(
        spot / spot.max(), cmap="viridis", vmin=0, vmax=1, extent=(-15, 15, 15, -15)
    )
    lower.set(xticks=(-10, 0, 10), yticks=(-10, 0, 10))
    lower.tick_params(labelsize=9)
panels[0, 0].set_ylabel("one step (cells)", fontsize=10)
panels[1, 0].set_ylabel("8 steps (cells)", fontsize=10)
plt.show()

for letter, weights in quiz.items():
    reading = diffusion.softmax_propagator(weights)
    print(f"{letter}  {reading.entropy:4.2f} bits a step  {reading.words}")

# %%
# B is the one: its numbers differ by little, so that all nine cells have nearly equal
# chances. And after enough steps it does not matter any more what the numbers were. Where
# such mixing leads to is the subject of `gallery/90_smoothing.py`.
