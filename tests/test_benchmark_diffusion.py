"""The benchmarks of diffusion: closed forms, peers that reach the accuracy, and the committed figures."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import bench_diffusion, libraries, report
from benchmarks.diffusion_cases import DIFFUSION_CASES, DiffusionProblem, make_problem
from benchmarks.diffusion_peers import DIFFUSION_PEERS, GROUPS, ONE_SHOT, by_pde
from benchmarks.harness import why_wrong
from benchmarks.settings import Settings
from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "diffusion-cpu.json"
# py-pde compiles for seconds; it has a test of its own.
QUICKLY = tuple(group for group in GROUPS if group != "pypde")
COUNTS = {
    "box": (64, 66, 68),
    "wall": (32, 64),
    "membrane": (4, 32),
    "media": (4, 32),
    "sphere": (60,),
    "cylinder": (60,),
}


def _small(work):
    """The same problem on few cells, for a time that leaves waves of that size."""
    shape = COUNTS[work.place] if work.place != "box" else tuple(range(32, 32 + 2 * len(work.shape), 2))
    time = {"membrane": 60.0, "media": 30.0}.get(work.place, work.time if work.is_radial else 30.0)
    return replace(work, shape=shape, time=time, accuracy=2e-3)


SMALL = [_small(work) for work in DIFFUSION_CASES if work.time != 1000.0 or work.place != "box"]


@pytest.fixture
def numpy_library():
    return libraries.open_library("numpy")


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_gpuconv_and_every_peer_reach_the_accuracy(work, numpy_library):
    rows = bench_diffusion.run_work(work, numpy_library, Settings(QUICKLY, patience=0.001))["contenders"]
    assert rows[0]["name"] == "gpuconv"
    for row in rows:
        expected = ("timed",) if row["name"].startswith("gpuconv") else ("timed", "absent", "left out")
        assert row["status"] in expected, row
        if row["status"] == "timed":
            assert row["error"] <= work.accuracy
            assert row["steps"]
    named = {row["name"]: row["steps"] for row in rows}
    assert (named["gpuconv"] == ONE_SHOT) == (work.place not in ("wall", "membrane", "media"))
    assert named["gpuconv evolve explicit"].endswith(" steps")


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_the_grid_leaves_half_of_the_error_to_the_steps(work):
    """Exact in time, by exponentials of the matrices of the faces; this also ties these to the closed form."""
    from scipy.linalg import expm

    problem = make_problem(replace(work, dtype="float64"))
    size = problem.start.shape
    total = problem.start
    for axis, faces in enumerate(problem.faces):
        inner = np.asarray(faces.inner, np.float64)
        if inner.ndim and len(inner) != size[axis] - 1:
            continue  # nothing varies along this axis
        matrix = np.zeros((size[axis],) * 2)
        pairs = [(i, i + 1, g) for i, g in enumerate(np.broadcast_to(inner, (size[axis] - 1,)))]
        for i, j, g in [*pairs, (size[axis] - 1, 0, faces.ring)]:
            matrix[i, i] -= g
            matrix[j, j] -= g
            matrix[i, j] += g
            matrix[j, i] += g
        matrix[0, 0] -= faces.low
        matrix[-1, -1] -= faces.high
        if faces.volumes is not None:
            matrix /= faces.volumes[:, None]
        total = np.moveaxis(np.tensordot(expm(work.time * matrix), total, (1, axis)), 0, axis)
    assert 0 < abs(total - problem.expected).max() < 0.5 * problem.tolerance


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_the_accuracy_rejects_a_result_that_is_late(work):
    problem, late = make_problem(work), make_problem(replace(work, time=1.1 * work.time))
    assert why_wrong(late.expected, problem.expected, problem.tolerance) is not None
    assert why_wrong(problem.expected, problem.expected, problem.tolerance) is None


class _Hasty(DiffusionProblem):
    """Takes a fifth fewer steps than it should."""

    def fewest_steps(self, time):
        return super().fewest_steps(time) * 4 // 5


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_loops_take_the_fewest_steps_that_are_stable(work):
    problem = make_problem(replace(work, dtype="float64"))
    noise = np.random.default_rng(0).standard_normal(work.shape)
    slices = next(peer for peer in DIFFUSION_PEERS if peer.name == "NumPy slices")
    with np.errstate(over="ignore", invalid="ignore"):
        calm, wild = (
            np.abs(slices.make(np, work, kind(**(vars(problem) | {"start": noise})))()).max()
            for kind in (DiffusionProblem, _Hasty)
        )
    assert calm <= 2 * np.abs(noise).max()
    assert not wild <= 100 * np.abs(noise).max()


@pytest.mark.parametrize("peer", DIFFUSION_PEERS, ids=lambda peer: peer.name)
def test_every_peer_takes_part_in_a_case(peer):
    # CuPy has the names of NumPy and SciPy.
    name = {"cupy": "numpy"}.get(peer.module, peer.module.removeprefix("cupyx."))
    module = pytest.importorskip(name)
    assert [work for work in SMALL if not isinstance(peer.make(module, work, make_problem(work)), str)]


def test_py_pde_reaches_the_accuracy_where_it_is_installed():
    pde = pytest.importorskip("pde")
    work = next(work for work in SMALL if work.place == "sphere")
    problem = make_problem(work)
    assert why_wrong(by_pde(pde, work, problem)(), problem.expected, problem.tolerance) is None


def test_a_scheme_that_does_not_reach_the_accuracy_is_left_out(numpy_library, monkeypatch):
    monkeypatch.setattr(bench_diffusion, "LADDER", (1, 2))
    rows = dict(bench_diffusion.ours(SMALL[0], make_problem(SMALL[0]), numpy_library))
    assert rows["gpuconv evolve backward-euler"] == ("not within the accuracy in 2 steps", "")


def test_cases_have_names_of_their_own_and_quick_ones_are_fewer(numpy_library):
    assert len({work.name for work in DIFFUSION_CASES}) == len(DIFFUSION_CASES)
    assert 0 < len(bench_diffusion.selected(numpy_library, Settings((), quick=True))) < len(DIFFUSION_CASES)
    elsewhere = bench_diffusion.selected(replace(numpy_library, name="torch"), Settings(()))
    assert elsewhere == [work for work in DIFFUSION_CASES if work.everywhere]


def test_the_table_says_how_and_how_well():
    times = {"lower_quartile_s": 1e-3, "upper_quartile_s": 1.1e-3, "median_s": 1e-3, "error": 2e-4}
    rows = [
        {"name": "gpuconv", "status": "timed", "steps": ONE_SHOT, "ratio": 1.0, **times},
        {"name": "loop", "status": "timed", "steps": "200 steps", "ratio": 12.0, **times},
        {"name": "blur", "status": "wrong", "steps": ONE_SHOT, "reason": "at (0,) it is 2"},
        {"name": "py-pde", "status": "absent", "steps": "", "reason": "pde is not installed"},
        {"name": "other", "status": "left out", "steps": "", "reason": "it has no such geometry"},
    ]
    (table, notes) = report._accuracy_tables([{"case": "a box", "library": "numpy", "contenders": rows}])
    assert table.splitlines()[2:] == [
        "|  | how | time | quartiles | error | time / gpuconv |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| **a box** |  |  |  |  |  |",
        "| gpuconv | one-shot | 1 ms | 1 ms to 1.1 ms | 2.0e-04 | 1.00 |",
        "| loop | 200 steps | 1 ms | 1 ms to 1.1 ms | 2.0e-04 | 12.00 |",
        "| blur | one-shot | wrong |  |  |  |",
    ]
    assert notes.splitlines() == [
        "Absent: py-pde (pde is not installed).",
        "blur wrong: a box: at (0,) it is 2.",
    ]


def test_the_page_has_the_tables_of_the_committed_figures():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert report.between_markers(page, report.begin_of("diffusion")) == report.tables(figures)
    assert "benchmarks/results/diffusion-cpu.json" in page


def test_the_committed_figures_are_of_these_cases_and_right():
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))
    cases = figures["subjects"]["diffusion"]["cases"]
    named = [case["case"] for case in cases if case["library"] == "numpy"]
    assert named == [work.name for work in DIFFUSION_CASES], "measure again after changing the cases"
    rows = [row | {"within": case["accuracy"]} for case in cases for row in case["contenders"]]
    assert not [row for row in rows if row["status"] in ("wrong", "failed")]
    assert all(row["error"] <= row["within"] for row in rows if row["status"] == "timed")
