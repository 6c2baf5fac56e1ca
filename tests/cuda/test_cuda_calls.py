"""Warm calls of the launchers: nothing is compiled, uploaded or worked out again, so that a graph can be captured."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import launchers
from gpuconv.backends.cuda import (
    boxes,
    channels,
    compile,
    cufft,
    fourier,
    lines,
    separable_sweeps,
    spectra,
    stencil,
    windows,
)
from gpuconv.backends.cuda.runtime import use_runtime

CALLS = tuple(launchers.calls())
CACHES = (
    boxes.recipe,
    lines.recipe,
    separable_sweeps.plan_of,
    windows._plan,
    channels._forward,
    stencil._steps_of_numbers,
    fourier._case,
)


class NotingRuntime(launchers.IdleRuntime):
    """Keeps arrays and launches of a call."""

    def __init__(self):
        super().__init__()
        self.arrays, self.launched = [], []

    def empty(self, shape, dtype):
        self.arrays.append(super().empty(shape, dtype))
        return self.arrays[-1]

    def launch(self, launch):
        super().launch(launch)
        self.launched.append(launch)


@pytest.fixture(autouse=True)
def _nothing_kept():
    spectra.spectrum_cache.clear()
    yield
    spectra.spectrum_cache.clear()


def arrays_of(launch):
    return [each for each in launch.arguments if isinstance(each, np.ndarray) and each.dtype.names is None]


@pytest.mark.parametrize("name", CALLS)
def test_a_second_call_uploads_nothing_and_asks_for_no_other_binary(name):
    call, runtime = launchers.calls()[name], NotingRuntime()
    with use_runtime(runtime), cufft.use_transforms(launchers.IdleTransforms()):
        call()
        uploads, modules, kept = runtime.uploads, dict(runtime.modules), list(runtime._kept.values())
        misses = [cache.cache_info().misses for cache in CACHES]
        seen = [array for launch in runtime.launched for array in arrays_of(launch)]
        runtime.arrays, runtime.launched = [], []
        call()
    assert runtime.launched
    assert (runtime.uploads, runtime.modules) == (uploads, modules)
    assert [cache.cache_info().misses for cache in CACHES] == misses
    known = [*runtime.arrays, *kept, *seen]
    for launch in runtime.launched:
        for array in arrays_of(launch):
            assert any(np.may_share_memory(array, other) for other in known), launch.kernel


@pytest.mark.parametrize("name", CALLS)
def test_the_kernels_of_a_call_are_one_module(name):
    """But for a pass of another file, and spectra of a kernel that is not of the image's dtype."""
    runtime = launchers.IdleRuntime()
    with use_runtime(runtime), cufft.use_transforms(launchers.IdleTransforms()):
        launchers.calls()[name]()
    assert len(runtime.modules) == (2 if "volume" in name or "uint8" in name else 1)
    for source, kernels, _ in runtime.modules:
        text = (compile.FOLDER / source).read_text()
        assert all(f"defined(ONLY_{kernel})" in text for kernel in kernels) or text.count("__global__ void") == 1


def test_every_kernel_of_a_file_of_several_can_be_left_out():
    for path in compile.FOLDER.glob("*.cu"):
        text = path.read_text()
        if text.count("__global__ void") > 1:
            assert text.count("__global__ void") == text.count("#if !defined(ONLY) || defined(ONLY_"), path.name


def test_the_table_of_calls_is_printed(capsys, monkeypatch):
    monkeypatch.setattr(launchers, "RUNS", 1)
    monkeypatch.setattr(launchers, "ROUNDS", 2)
    launchers.main(["--no-compile"])
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 + len(CALLS)
    assert all(row.split("|")[4].strip() == "0" for row in rows[2:])
