"""Subjects with work of their own: windows over channels, explicit steps, and first calls."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import bench_channels, bench_crossover, bench_start, bench_steps, card, libraries, report
from benchmarks.bench_channels import ChannelsWork
from benchmarks.bench_steps import StepsWork
from benchmarks.harness import why_wrong
from benchmarks.settings import Settings

CHANNELS = ChannelsWork((2, 3, 6, 7), (4, 3, 2, 3))


@pytest.fixture
def numpy_library():
    return libraries.open_library("numpy")


def _channels_by_loops(x, kernel):
    rows, columns = x.shape[2] - kernel.shape[2] + 1, x.shape[3] - kernel.shape[3] + 1
    result = np.zeros((x.shape[0], kernel.shape[0], rows, columns))
    for b, o, i, j in np.ndindex(result.shape):
        for c, k, m in np.ndindex(kernel.shape[1:]):
            result[b, o, i, j] += float(kernel[o, c, k, m]) * float(x[b, c, i + k, j + m])
    return result


def test_the_reference_of_channels_is_the_definition():
    x, kernel = CHANNELS.arrays()
    expected = _channels_by_loops(x, kernel)
    np.testing.assert_allclose(bench_channels.definition(x, kernel), expected, rtol=0, atol=1e-12)
    allowed = bench_channels.tolerance(x, kernel)
    assert why_wrong(np.roll(expected, 1, axis=1), expected, allowed) is not None


def test_torch_meets_the_definition_of_channels():
    pytest.importorskip("torch")
    x, kernel = CHANNELS.arrays()
    result, _ = bench_channels.by_torch(CHANNELS).first()
    assert why_wrong(result, bench_channels.definition(x, kernel), bench_channels.tolerance(x, kernel)) is None


def test_channels_are_measured_where_gpuconv_has_the_primitive(numpy_library, monkeypatch):
    monkeypatch.setattr(bench_channels, "MODULE", "gpuconv.backends.generic.no_such_module")
    assert bench_channels.run([numpy_library], Settings(("torch",)))["cases"] == []


def _step_by_loops(u, r):
    result = u.copy()
    for index in np.ndindex(u.shape):
        for axis in range(u.ndim):
            for step in (-1, 1):
                there = index[axis] + step
                if 0 <= there < u.shape[axis]:
                    result[index] += r * (u[(*index[:axis], there, *index[axis + 1 :])] - u[index])
    return result


@pytest.mark.parametrize("work", [StepsWork((5, 6), 3), StepsWork((4, 5, 3), 2)], ids=lambda work: work.name)
def test_everyone_takes_the_steps_of_the_definition(work, numpy_library):
    expected = work.start().astype(np.float64)
    for _ in range(work.steps):
        expected = _step_by_loops(expected, work.length)
    exact = bench_steps.by_slices(np, work, work.start().astype(np.float64))()
    np.testing.assert_allclose(exact, expected, rtol=0, atol=1e-14)
    result = bench_steps.run_work(work, numpy_library, Settings(bench_steps.GROUPS, patience=0.01))
    statuses = {row["name"]: row["status"] for row in result["contenders"]}
    assert statuses.pop("gpuconv") == "timed"
    assert statuses.pop("NumPy slices") == "timed"
    assert set(statuses.values()) <= {"timed", "absent"}


def test_first_calls_are_those_of_two_processes_with_one_folder(monkeypatch):
    monkeypatch.setattr(bench_start, "PREPARE", "import json, os, time\nfrom time import perf_counter, process_time\n")
    # The first process leaves a file there; who finds none is slow.
    operation = (
        "path = os.environ['GPUCONV_CACHE_DIR'] + '/x'; os.path.exists(path) or (time.sleep(0.2), open(path, 'w'))"
    )
    monkeypatch.setitem(bench_start.OPERATIONS, "made up", operation)
    row = bench_start.first_calls("made up")
    assert row["cold_s"] > 0.2 > row["cached_s"]
    assert row["warm_s"] < row["cold_s"]
    # Sleeping takes no processor.
    assert row["cold_processor_s"] < 0.2


def test_the_operations_whose_first_calls_are_measured_can_be_called():
    for operation in bench_start.OPERATIONS.values():
        compile(bench_start.PREPARE + bench_start.TIME.format(operation=operation), "start", "exec")
    assert set(bench_start.QUICK) <= set(bench_start.OPERATIONS)


def test_a_grid_that_was_ended_goes_on_only_where_the_code_is_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_crossover, "KEPT", tmp_path)
    kept = bench_crossover._kept("numpy", Settings(()))
    kept.add({"loss": 1.0})
    assert bench_crossover._kept("numpy", Settings((), resume=True)).rows == [{"loss": 1.0}]
    monkeypatch.setattr(bench_crossover, "code_digest", lambda: "other")
    assert bench_crossover._kept("numpy", Settings((), resume=True)).rows == []
    assert json.loads((tmp_path / "grid-numpy.jsonl").read_text().splitlines()[0])["code"] == "other"


def test_a_card_is_described_and_its_limits_measured(monkeypatch, numpy_library):
    runtime = SimpleNamespace(
        getDevice=lambda: 0,
        getDeviceProperties=lambda _: {
            "name": b"NVIDIA H200",
            "totalGlobalMem": 2**37,
            "multiProcessorCount": 132,
            "major": 9,
            "minor": 0,
        },
        driverGetVersion=lambda: 13020,
        runtimeGetVersion=lambda: 13000,
    )
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    limits = card.measure(numpy_library, copy_bytes=2**16, matrix_size=32)
    assert set(limits) == {"threads", "copy_bytes_per_s", "multiply_adds_per_s", "multiply_adds_per_s_double"}
    assert min(limits.values()) > 0
    (line,) = report._card({"card": card.describe() | {"limits": limits}})
    assert line.startswith(
        "GPU: NVIDIA H200, 128 GiB, capability 9.0, driver for CUDA 13020, CUDA 13000. Limits: copy "
    )


def test_shares_of_cupy_arrays_are_those_of_the_card(numpy_library):
    settings = Settings((), limits={"copy_bytes_per_s": 1.0}, card_limits={"copy_bytes_per_s": 2.0})
    assert settings.limits_of(numpy_library) == {"copy_bytes_per_s": 1.0}
    assert settings.limits_of(replace(numpy_library, name="cupy")) == {"copy_bytes_per_s": 2.0}
