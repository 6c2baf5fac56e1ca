"""The subject "filters": `gpuconv.filters` and the filters of `gpuconv.ndimage` against other libraries' filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gpuconv.ndimage
from benchmarks import filter_peers
from benchmarks.filter_cases import FILTER_CASES, FilterData, FilterWork, make_data
from benchmarks.filter_definitions import Answer, definition, tolerance
from benchmarks.harness import OURS, Case, Contender, Effort, run_case
from benchmarks.libraries import ArrayLibrary
from benchmarks.settings import Settings
from gpuconv import filters

EFFORT = Effort(seconds=0.4)


def run(libraries: list[ArrayLibrary], settings: Settings) -> dict[str, Any]:
    """All cases, for each library; prints a line per finished case."""
    cases = []
    for library in libraries:
        for work in selected(library, settings):
            cases.append(run_work(work, library, settings))
            settings.say(f"{library.name}: {work.name}")
    return {"cases": cases, "rates": [], "choices": [], "borders": [], "overhead": [], "first_use": None}


def selected(library: ArrayLibrary, settings: Settings) -> list[FilterWork]:
    """The cases to be measured on a library."""
    works = [work for work in FILTER_CASES if work.everywhere or library.name in ("numpy", "cupy")]
    return [work for work in works if work.quick] if settings.quick else works


def run_work(work: FilterWork, library: ArrayLibrary, settings: Settings) -> dict[str, Any]:
    """One filter: gpuconv, by both names if it has two, and every peer, checked against the definition."""
    data = make_data(work)
    answer = definition(work, data)
    own = [Contender(OURS, ours(work, data, library)), *filter_peers.spelled(work, data, library)]
    contenders = own + filter_peers.contenders(work, data, library, settings.peers)
    case = Case(
        work.name,
        filter_peers.returning(library),
        contenders,
        answer.expected,
        tolerance(work, answer),
        traffic=traffic(data, answer),
    )
    return run_case(case, EFFORT.times(settings.patience), settings.limits_of(library))


def ours(work: FilterWork, data: FilterData, library: ArrayLibrary) -> Callable[[], Any]:
    """gpuconv as a user would call it."""
    arrays = filter_peers.arrays_for(data, library)
    x = arrays.x
    if work.filter not in filters.__all__:
        found = filter_peers.spelling(work, gpuconv.ndimage)
        assert found is not None
        name, spelled = found
        return lambda: getattr(gpuconv.ndimage, name)(x, **spelled)
    function, options = getattr(filters, work.filter), dict(work.parameters)
    if work.filter == "symmetric_eigenvalues":
        return lambda: function(x)
    options |= {"boundary": work.boundary, "axes": work.axes}
    if work.filter == "local_mean":
        options["weights"] = library.from_host(data.mask)
    given: tuple[Any, ...] = ()
    if work.filter == "bank":
        given = (list(data.kernels),)
    elif work.filter == "normalized_convolve":
        given = (data.kernels[0], library.from_host(data.mask))
    return lambda: function(x, *given, **options)


def traffic(data: FilterData, answer: Answer) -> int:
    """Bytes of the image and of the result, which has 4 bytes a number for bytes and float32."""
    return data.x.nbytes + answer.expected.size * max(4, np.dtype(data.x.dtype).itemsize)
