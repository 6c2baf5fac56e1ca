"""The benchmarks of the Fourier domain: their definitions, the peers that take part, and the committed figures."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import bench_spectral, libraries, report
from benchmarks.harness import why_wrong
from benchmarks.settings import Settings
from benchmarks.spectral_cases import FACTORS, SPECTRAL_CASES, TRANSFERS, SpectralWork, filtered, make_problem
from benchmarks.spectral_peers import GROUPS, SPECTRAL_PEERS
from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "spectral-cpu.json"
SIZES = {1: (300,), 2: (26, 32), 3: (10, 11, 12)}


def _small(work):
    """The same work on few samples; a shift keeps odd sizes, at which libraries agree about it."""
    return replace(work, shape=(27, 33) if work.operation == "shift" else SIZES[len(work.shape)])


SMALL = [_small(work) for work in SPECTRAL_CASES]


@pytest.fixture
def numpy_library():
    return libraries.open_library("numpy")


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_gpuconv_and_every_peer_meet_the_definition(work, numpy_library):
    rows = bench_spectral.run_work(work, numpy_library, Settings(GROUPS, patience=0.001))["contenders"]
    assert rows[0]["name"] == "gpuconv"
    assert rows[0]["status"] == "timed", rows[0]
    for row in rows:
        assert row["status"] in ("timed", "absent", "left out"), row


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_the_tolerance_rejects_a_result_shifted_by_one_sample(work):
    problem = make_problem(work)
    moved = np.roll(problem.expected, 1, work.transformed[-1])
    assert why_wrong(moved, problem.expected, problem.tolerance) is not None
    assert why_wrong(problem.expected.astype(work.dtype), problem.expected, problem.tolerance) is None


def test_the_definition_is_a_sum_over_waves(rng):
    x = rng.random(6)
    n = np.arange(6)
    frequencies = np.array([0, 1, 2, 3, -2, -1]) / 6
    factor = 1 / (1 + (frequencies / 0.2) ** 4)
    kernel = [np.mean(factor * np.cos(2 * np.pi * frequencies * m)) for m in n]
    expected = [sum(kernel[m] * x[(i - m) % 6] for m in n) for i in n]
    work = SpectralWork("lowpass", (6,), {"cutoff": 0.2}, dtype="float64")
    np.testing.assert_allclose(filtered(work, x, FACTORS["lowpass"]([frequencies], 0.2)), expected, atol=1e-15)


def test_a_mirrored_definition_leaves_no_step():
    ramp = np.linspace(0, 1, 20)
    work = SpectralWork("lowpass", (20,), {"cutoff": 0.1, "profile": "gaussian"}, dtype="float64", boundary="reflect")
    lines = [np.fft.fftfreq(40)]
    assert abs(filtered(work, ramp, FACTORS["lowpass"](lines, 0.1, "gaussian")) - ramp).max() < 0.1


@pytest.mark.parametrize(
    ("operation", "options", "expected"),
    [
        ("derivative", {"order": 1}, lambda w, t: -w * np.sin(w * t)),
        ("laplacian", {}, lambda w, t: -(w**2) * np.cos(w * t)),
        ("shift", {"shift": (0.3,)}, lambda w, t: np.cos(w * (t - 0.3))),
        ("hilbert", {}, lambda w, t: np.sin(w * t)),
    ],
)
def test_factors_do_to_a_wave_what_they_are_named_for(operation, options, expected):
    t, w = np.arange(16), 2 * np.pi * 3 / 16
    factor = FACTORS[operation]([np.fft.fftfreq(16)], **options)
    work = SpectralWork(operation, (16,), options, dtype="float64")
    np.testing.assert_allclose(filtered(work, np.cos(w * t), factor), expected(w, t), atol=1e-13)


@pytest.mark.parametrize("peer", SPECTRAL_PEERS, ids=lambda peer: peer.name)
def test_every_peer_takes_part_in_a_case(peer):
    # The library for GPUs has the names of that for CPUs.
    module = pytest.importorskip(peer.module.removeprefix("cupyx.") if peer.group == "cupyx" else peer.module)
    assert [work for work in SMALL if not isinstance(peer.make(module, work, make_problem(work)), str)]


def test_cases_have_names_of_their_own_and_quick_ones_are_fewer(numpy_library):
    assert len({work.name for work in SPECTRAL_CASES}) == len(SPECTRAL_CASES)
    assert set(TRANSFERS) <= {work.operation for work in SPECTRAL_CASES}
    assert 0 < len(bench_spectral.selected(numpy_library, Settings((), quick=True))) < len(SPECTRAL_CASES)
    elsewhere = bench_spectral.selected(replace(numpy_library, name="jax"), Settings(()))
    assert elsewhere == [work for work in SPECTRAL_CASES if work.everywhere]


def test_a_wrong_answer_is_reported(numpy_library, monkeypatch):
    monkeypatch.setattr(bench_spectral, "ours", lambda work, problem, library: lambda: np.zeros(work.shape))
    result = bench_spectral.run_work(SMALL[0], numpy_library, Settings((), patience=0.001))
    assert result["contenders"][0]["status"] == "wrong"


def test_the_page_has_the_tables_of_the_committed_figures():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert report.between_markers(page, report.begin_of("spectral")) == report.tables(figures)
    assert "benchmarks/results/spectral-cpu.json" in page


def test_the_committed_figures_are_of_these_cases_and_right():
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))
    cases = figures["subjects"]["spectral"]["cases"]
    named = [case["case"] for case in cases if case["library"] == "numpy"]
    assert named == [work.name for work in SPECTRAL_CASES], "measure again after changing the cases"
    assert not [row for case in cases for row in case["contenders"] if row["status"] in ("wrong", "failed")]
