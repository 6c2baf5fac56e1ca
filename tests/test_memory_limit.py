"""`gpuconv.set_memory_limit`: which methods and blocks a plan takes, on which device."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import gpuconv
from gpuconv.backends.memory import memory_limit
from gpuconv.methods import overlap
from gpuconv.methods.costs import Estimate, within_limit
from gpuconv.methods.plan import cheapest
from tests.libraries import make, to_numpy

DEVICES = (None, "cpu", "cuda", "cuda:0", "cuda:1")


@pytest.fixture(autouse=True)
def _as_before():
    yield
    for device in DEVICES:
        gpuconv.set_memory_limit(None, device)


def plan_of(x, kernel, limit, **options):
    gpuconv.set_memory_limit(limit)
    return gpuconv.plan_convolution(x, kernel, **options)


def test_the_cheapest_method_within_the_limit_is_taken(rng):
    x = np.zeros((700, 900), np.float32)
    for kernel in (rng.normal(size=(31, 41)), np.ones((5, 5)), np.ones((1, 9))):
        free = plan_of(x, kernel, None)
        estimates = {name: entry for name, entry in free.estimates if isinstance(entry, Estimate)}
        assert free.method == cheapest({name: entry.cost for name, entry in estimates.items()})
        for limit in sorted({entry.memory + off for entry in estimates.values() for off in (-1, 0)}):
            plan = plan_of(x, kernel, limit)
            found = {name: entry for name, entry in plan.estimates if isinstance(entry, Estimate)}
            allowed = {name: entry.cost for name, entry in found.items() if entry.memory <= limit}
            if allowed:
                assert plan.memory <= limit
                assert plan.method == cheapest(allowed)
            else:
                assert plan.memory == min(entry.memory for entry in found.values())


def test_a_transform_of_the_whole_gives_way_to_blocks(rng):
    """The reason to have a limit: fft is cheaper here, and needs half as much again."""
    x, kernel = np.zeros((90, 90, 90)), rng.normal(size=(31, 31, 31))
    free = plan_of(x, kernel, None)
    assert free.method == "fft"
    plan = plan_of(x, kernel, free.memory - 1)
    assert plan.method == "overlap"
    assert plan.memory < free.memory


def test_overlap_takes_shorter_blocks(rng):
    x, kernel = np.zeros((2048, 2048), np.float32), rng.normal(size=(63, 63))
    free = plan_of(x, kernel, None, method="overlap")
    least = min(fourier_memory(free.problem))
    plan = plan_of(x, kernel, least, method="overlap")
    assert plan.memory == least < free.memory
    assert np.prod(plan.estimate.lengths) < np.prod(free.estimate.lengths)


def fourier_memory(problem):
    for lengths in overlap.candidates(problem):
        yield overlap.fft.fourier_estimate(problem, lengths, overlap.block_count(problem, lengths)).memory


def test_a_method_asked_for_is_done_whatever_it_takes():
    x, kernel = np.zeros((300, 300)), np.ones((40, 40))
    for method in ("fft", "direct", "separable", "overlap"):
        assert plan_of(x, kernel, 1, method=method).method == method


def test_results_do_not_change_beyond_rounding(xp, rng):
    x, kernel = rng.normal(size=(40, 50)), rng.normal(size=(9, 11))
    expected = gpuconv.convolve(x, kernel, boundary="reflect", method="direct")
    for limit in (None, 10**5, 1):
        gpuconv.set_memory_limit(limit)
        result = to_numpy(gpuconv.convolve(make(xp, x), kernel, boundary="reflect"))
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-11)


def test_the_most_special_limit_holds():
    sizes = dict(zip(DEVICES, (10, 20, 30, 40, 50), strict=True))
    names = {"cpu": "cpu", "TFRT_CPU_0": "cpu", "": "cpu"}
    names |= {"cuda:0": "cuda:0", "<CUDA Device 1>": "cuda:1", "cuda:2": "cuda"}
    for count in range(len(DEVICES) + 1):
        for chosen in itertools.combinations(DEVICES, count):
            for device in DEVICES:
                gpuconv.set_memory_limit(sizes[device] if device in chosen else None, device)
            for spelled, name in names.items():
                order = [name, "cuda", None] if name.startswith("cuda") else [name, None]
                expected = next((sizes[device] for device in order if device in chosen), None)
                assert memory_limit(spelled) == expected, (chosen, spelled)


def test_what_is_no_limit_and_no_device_is_refused():
    for limit in (0, -5):
        with pytest.raises(ValueError, match=f"limit must be a number of bytes, 1 or more: got {limit}"):
            gpuconv.set_memory_limit(limit)
    for limit in (1.5, "1 GB", True):
        with pytest.raises(TypeError, match="limit must be an integer"):
            gpuconv.set_memory_limit(limit)
    for device in ("gpu", "cuda:", "cuda:x", 0, "CPU", ""):
        with pytest.raises(ValueError, match="device must be 'cpu', 'cuda' or one GPU"):
            gpuconv.set_memory_limit(5, device)


def test_without_an_estimate_within_it_those_that_need_least_are_left():
    estimates = [Estimate(cost, memory, "") for cost, memory in ((1, 50), (2, 30), (3, 30), (4, 40))]
    assert within_limit(estimates, None) == estimates
    assert within_limit(estimates, 40) == estimates[1:]
    assert within_limit(estimates, 29) == estimates[1:3]
