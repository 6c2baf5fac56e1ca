"""Windows over channels through the primitive, against torch; and a Gaussian where numba is missing, against SciPy."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from benchmarks.harness import OURS, Case, Contender, Effort, run_case
from benchmarks.libraries import AbsentError, ArrayLibrary, open_library
from benchmarks.settings import Settings
from gpuconv.backends.generic.channels import channels_problem
from gpuconv.backends.registry import select
from gpuconv.core.boundary import Span

EFFORT = Effort(seconds=1.0, fewest=9)


@dataclass(frozen=True)
class ChannelWork:
    """A correlation of images, (batch, channels, rows, columns), with zeros around them."""

    x: tuple[int, int, int, int]
    kernel: tuple[int, int, int, int]
    padding: int = 0
    stride: int = 1
    groups: int = 1
    quick: bool = False

    @property
    def name(self) -> str:
        sizes = " * ".join("x".join(map(str, shape)) for shape in (self.x, self.kernel))
        marks = {"padding": self.padding, "stride": self.stride, "groups": self.groups}
        usual = {"padding": 0, "stride": 1, "groups": 1}
        return f"channels {sizes} float32" + "".join(f", {k} {v}" for k, v in marks.items() if v != usual[k])

    @property
    def spans(self) -> tuple[Span, ...]:
        return tuple(
            Span(2 + i, n, k, -self.padding, n + 2 * self.padding - k + 1, "constant")
            for i, (n, k) in enumerate(zip(self.x[2:], self.kernel[2:], strict=True))
        )


CASES = (
    ChannelWork((8, 32, 64, 64), (64, 32, 3, 3), padding=1, quick=True),
    ChannelWork((1, 1, 256, 256), (32, 1, 16, 16), quick=True),
    ChannelWork((4, 256, 28, 28), (256, 256, 3, 3), padding=1),
    ChannelWork((8, 32, 64, 64), (64, 32, 3, 3), padding=1, stride=2),
    ChannelWork((4, 64, 112, 112), (64, 1, 3, 3), padding=1, groups=64),
)
GAUSSIAN = "without numba: Gaussian 2048x2048 float32, sigma 8, reflect"
CHILD = """
import json, sys
sys.modules["numba"] = None
from benchmarks import channel_cases
print(json.dumps(channel_cases.gaussian(float(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3]))))
"""


def run(library: ArrayLibrary, settings: Settings) -> list[dict[str, Any]]:
    """All cases on NumPy arrays."""
    cases = []
    for work in CASES:
        if work.quick or not settings.quick:
            cases.append(run_channels(work, library, settings))
            settings.say(work.name)
    given = [str(settings.patience), json.dumps(settings.peers), json.dumps(settings.limits)]
    # A process of its own: what is loaded and planned once cannot be undone.
    finished = subprocess.run([sys.executable, "-c", CHILD, *given], capture_output=True, text=True, check=True)
    settings.say(GAUSSIAN)
    return [*cases, json.loads(finished.stdout)]


def run_channels(work: ChannelWork, library: ArrayLibrary, settings: Settings) -> dict[str, Any]:
    rng = np.random.default_rng(len(work.name))
    x = rng.standard_normal(work.x).astype(np.float32)
    kernel = rng.standard_normal(work.kernel).astype(np.float32)
    strides, ones = (work.stride, work.stride), (1, 1)
    problem = channels_problem(x, kernel, (work.x[1], work.kernel[0], work.groups), work.spans, strides, ones)
    call = select("correlate_channels", problem)
    contenders = [Contender(OURS, lambda: call(x, kernel, work.spans, strides, ones, work.groups, 0.0))]
    if "torch" in settings.peers:
        contenders.append(_torch(work, x, kernel))
    expected = definition(work, x, kernel)
    terms = prod(work.kernel[1:])
    # The documented bound, for the largest sum |k| |x| there can be.
    tolerance = 2 * np.sqrt(terms) * 2.0**-23 * float(np.abs(kernel).sum(axis=(1, 2, 3)).max() * np.abs(x).max())
    traffic = x.nbytes + expected.size * 4
    case = Case(work.name, library, contenders, expected, tolerance, traffic=traffic, products=problem.products)
    return run_case(case, EFFORT.times(settings.patience), settings.limits)


def definition(work: ChannelWork, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """``y[b, o, i] = sum_{c, j} kernel[o, c, j] x~[b, c, stride i + j]`` in float64, one tap after the other."""
    around = [(0, 0), (0, 0), *[(work.padding, work.padding)] * 2]
    extended = np.pad(x.astype(float), around)
    groups, weights = work.groups, kernel.astype(float)
    extended = extended.reshape(work.x[0], groups, -1, *extended.shape[2:])
    weights = weights.reshape(groups, -1, *kernel.shape[1:])
    counts = [-(-span.count // work.stride) for span in work.spans]
    total = np.zeros((work.x[0], groups, weights.shape[1], *counts))
    for row, column in product(*map(range, kernel.shape[2:])):
        rows = slice(row, row + work.stride * (counts[0] - 1) + 1, work.stride)
        columns = slice(column, column + work.stride * (counts[1] - 1) + 1, work.stride)
        total += np.einsum("goc,bgcij->bgoij", weights[..., row, column], extended[..., rows, columns], optimize=True)
    return total.reshape(work.x[0], work.kernel[0], *counts)


def _torch(work: ChannelWork, x: np.ndarray, kernel: np.ndarray) -> Contender:
    name = "torch.nn.functional.conv"
    try:
        library = open_library("torch")
    except AbsentError as absent:
        return Contender(name, status="absent", reason=str(absent))
    import torch

    images, weights = torch.from_numpy(x), torch.from_numpy(kernel)

    def call() -> Any:
        with torch.no_grad():
            return torch.nn.functional.conv2d(
                images, weights, padding=work.padding, stride=work.stride, groups=work.groups
            )

    return Contender(name, call, library=library)


def gaussian(patience: float, peers: list[str], limits: dict[str, float]) -> dict[str, Any]:
    """sigma 8 on 2048^2 in a process that cannot import numba."""
    import scipy.ndimage

    from gpuconv import filters

    sigma, size = 8.0, 2048
    x = np.random.default_rng(8).standard_normal((size, size)).astype(np.float32)
    contenders = [Contender(OURS, lambda: filters.gaussian(x, sigma, boundary="reflect"))]
    if "scipy" in peers:
        peer = scipy.ndimage.gaussian_filter
        contenders.append(Contender("scipy.ndimage.gaussian_filter", lambda: peer(x, sigma)))
    matrix = gaussian_matrix(sigma, size)
    expected = matrix @ x.astype(float) @ matrix.T
    # The taps are positive and add up to one: the documented bound for two passes of 65 taps.
    tolerance = 2 * np.sqrt(2 * 65 + 16) * 2.0**-23 * float(np.abs(x).max())
    case = Case(
        GAUSSIAN, open_library("numpy"), contenders, expected, tolerance, traffic=2 * x.nbytes, products=2 * 65 * x.size
    )
    return run_case(case, EFFORT.times(patience), limits)


def gaussian_matrix(sigma: float, size: int) -> np.ndarray:
    """Along one axis, cut off at 4 sigma, ends reflected: row i holds the weights of output i."""
    reach = int(4 * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    taps /= taps.sum()
    matrix = np.zeros((size, size))
    for offset, tap in zip(range(-reach, reach + 1), taps, strict=True):
        phase = (np.arange(size) + offset) % (2 * size)
        np.add.at(matrix, (np.arange(size), np.minimum(phase, 2 * size - 1 - phase)), tap)
    return matrix
