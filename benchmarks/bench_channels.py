"""The subject "channels": windows over images with channels, as in layers of neural networks, through the primitive."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from math import prod
from typing import Any

import numpy as np

from benchmarks.apart import Elsewhere, Here
from benchmarks.filter_peers import load
from benchmarks.harness import OURS, Case, Contender, Effort, run_case
from benchmarks.libraries import AbsentError, ArrayLibrary, open_library
from benchmarks.settings import Settings
from gpuconv.backends import registry
from gpuconv.core.boundary import Span

MODULE = "gpuconv.backends.generic.channels"
GROUPS = ("torch",)


@dataclass(frozen=True)
class ChannelsWork:
    """Images (batch, channels, *space) under kernels (channels out, channels, *taps), outputs that read no boundary."""

    x: tuple[int, ...]
    kernel: tuple[int, ...]
    quick: bool = False

    @property
    def name(self) -> str:
        return f"({', '.join(map(str, self.x))}) * ({', '.join(map(str, self.kernel))}) float32"

    @property
    def counts(self) -> tuple[int, ...]:
        return tuple(size - taps + 1 for size, taps in zip(self.x[2:], self.kernel[2:], strict=True))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return rng.standard_normal(self.x, np.float32), rng.standard_normal(self.kernel, np.float32)


CASES = (
    ChannelsWork((8, 32, 64, 64), (64, 32, 3, 3), quick=True),
    ChannelsWork((1, 1, 256, 256), (32, 1, 16, 16), quick=True),
)


def run(libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
    """All cases on NumPy arrays; none where gpuconv has no primitive for channels."""
    cases = []
    for library in libraries:
        if library.name == "numpy" and find_spec(MODULE) is not None:
            for work in CASES:
                if work.quick or not settings.quick:
                    cases.append(run_work(work, library, settings))
                    settings.say(work.name)
    return {"cases": cases, "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}


def run_work(work: ChannelsWork, library: ArrayLibrary, settings: Settings) -> dict[str, Any]:
    x, kernel = work.arrays()
    outputs = (work.x[0], work.kernel[0], *work.counts)
    case = Case(
        work.name,
        library,
        [Contender(OURS, ours(work)), *rivals(work, settings.peers)],
        definition(x, kernel),
        tolerance(x, kernel),
        traffic=4 * (x.size + prod(outputs)),
        products=prod(outputs) * prod(work.kernel[1:]),
    )
    return run_case(case, Effort().times(settings.patience), settings.limits_of(library))


def ours(work: ChannelsWork) -> Callable[[], Any]:
    """The primitive itself, with the row of the registry that takes it."""
    x, kernel = work.arrays()
    spans = tuple(
        Span(axis + 2, size, taps, 0, size - taps + 1, "constant")
        for axis, (size, taps) in enumerate(zip(work.x[2:], work.kernel[2:], strict=True))
    )
    steps = (1,) * len(spans)
    channels = (work.x[1], work.kernel[0], 1)
    problem = importlib.import_module(MODULE).channels_problem(x, kernel, channels, spans, steps, steps)
    correlate = registry.select("correlate_channels", problem)
    return lambda: correlate(x, kernel, spans, steps, steps, 1, 0.0)


def rivals(work: ChannelsWork, groups: tuple[str, ...]) -> list[Contender]:
    if "torch" not in groups:
        return []
    try:
        load("torch")
    except AbsentError as absent:
        return [Contender("torch.nn.functional.conv2d", status="absent", reason=str(absent))]
    return [Contender("torch.nn.functional.conv2d", elsewhere=Elsewhere("torch", partial(by_torch, work)))]


def by_torch(work: ChannelsWork) -> Here:
    torch = load("torch")
    x, kernel = (torch.from_numpy(array) for array in work.arrays())

    def call() -> Any:
        with torch.no_grad():
            return torch.nn.functional.conv2d(x, kernel)

    return Here(call, open_library("torch"))


def definition(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """``y[b, o, i] = sum_{c, j} kernel[o, c, j] x[b, c, i + j]`` in float64."""
    counts = [size - taps + 1 for size, taps in zip(x.shape[2:], kernel.shape[2:], strict=True)]
    total = np.zeros((x.shape[0], kernel.shape[0], *counts))
    for offsets in np.ndindex(kernel.shape[2:]):
        window = tuple(slice(offset, offset + count) for offset, count in zip(offsets, counts, strict=True))
        samples = x[(..., *window)].astype(np.float64)
        total += np.einsum("oc,bchw->bohw", kernel[(..., *offsets)].astype(np.float64), samples, optimize=True)
    return total


def tolerance(x: np.ndarray, kernel: np.ndarray) -> float:
    """8 eps of the largest value a result could have."""
    largest = float(np.abs(kernel).sum(axis=tuple(range(1, kernel.ndim))).max()) * float(np.abs(x).max())
    return 8 * float(np.finfo(x.dtype).eps) * largest
