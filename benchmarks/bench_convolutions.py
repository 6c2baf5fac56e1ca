"""The subjects "lines", "separable", "dense" and "bytes" on NumPy arrays, and "cuda" on CuPy's, against peers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import gpuconv
from benchmarks import peers
from benchmarks.apart import Elsewhere, Here
from benchmarks.cases import Data, Work, expected, make_data, tolerance
from benchmarks.convolution_cases import BYTES, CUDA, DENSE, LINES, SEPARABLE
from benchmarks.harness import OURS, Case, Contender, Effort, run_case
from benchmarks.libraries import ArrayLibrary, open_library
from benchmarks.settings import Settings

# gpuconv as it is where llvmlite is not installed, on large work that has a way of its own then.
PLAIN = f"{OURS} without llvmlite"
PLAIN_FROM = 100


@dataclass(frozen=True)
class Subject:
    """Convolutions that belong together."""

    works: Sequence[Work]
    library: str = "numpy"

    def run(self, libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
        """All cases; prints a line per finished one."""
        cases = []
        for library in libraries:
            if library.name != self.library:
                continue
            for work in self.works:
                if work.quick or not settings.quick:
                    cases.append(run_work(work, library, settings))
                    settings.say(f"{library.name}: {work.name}")
        return {"cases": cases, "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}


lines, separable, dense, in_bytes = Subject(LINES), Subject(SEPARABLE), Subject(DENSE), Subject(BYTES)
cuda = Subject(CUDA, "cupy")


def run_work(work: Work, library: ArrayLibrary, settings: Settings) -> dict[str, Any]:
    """One case: gpuconv and every peer on the same data, checked against the definition."""
    data = make_data(work)
    others = [*without_llvmlite(work, library), *peers.contenders(work, data, library, settings.peers)]
    case = Case(
        work.name,
        library,
        [Contender(OURS, ours(work, data, library)), *others],
        expected(work, data),
        tolerance(work, data),
        traffic=traffic(work),
        products=work.products,
        dtype=work.result_dtype,
        predicted=predicted(work, data, library),
    )
    return run_case(case, Effort().times(settings.patience), settings.limits_of(library))


def ours(work: Work, data: Data, library: ArrayLibrary) -> Callable[[], Any]:
    """gpuconv as a user would call it; the kernel stays a NumPy array."""
    x, options = library.from_host(data.x), {"boundary": work.boundary, "axes": work.axes}
    convolve = gpuconv.convolve if data.taps is None else gpuconv.convolve_separable
    weights: Any = data.kernel if data.taps is None else data.taps
    if not work.result or library.name != "numpy":
        return lambda: convolve(x, weights, **options)
    # Memory for the result is part of the work, as it is for everybody else.
    return lambda: convolve(x, weights, out=np.empty(work.shape, work.result), **options)


def predicted(work: Work, data: Data, library: ArrayLibrary) -> int | None:
    """Bytes that the plan expects; a plan is for kernels, not for lists of taps."""
    if data.taps is not None or work.result:
        return None
    options = {"boundary": work.boundary, "axes": work.axes}
    return gpuconv.plan_convolution(library.from_host(data.x), data.kernel, **options).memory


def without_llvmlite(work: Work, library: ArrayLibrary) -> Iterator[Contender]:
    """The same call in a process that cannot import llvmlite, for large passes along the axes."""
    if library.name == "numpy" and work.outer and work.dtype == "float32" and sum(work.kernel) > PLAIN_FROM:
        yield Contender(PLAIN, elsewhere=Elsewhere(PLAIN, partial(plain, work)))


def plain(work: Work) -> Here:
    """In a process of its own, before anything there has asked for llvmlite."""
    sys.modules["llvmlite"] = None  # type: ignore[assignment] # how Python marks a module as not to be imported
    library = open_library("numpy")
    return Here(ours(work, make_data(work), library), library)


def traffic(work: Work) -> int:
    """Bytes of the image and of the result."""
    samples = int(np.prod(work.shape))
    return samples * (np.dtype(work.dtype).itemsize + np.dtype(work.result_dtype).itemsize)
