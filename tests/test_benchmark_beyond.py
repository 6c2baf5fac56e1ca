"""The benchmarks of nonlinear and random diffusion: what is right, peers that are right, and the committed figures."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from benchmarks import bench_beyond, libraries, report
from benchmarks.beyond_cases import BEYOND_CASES, CONTRAST, STEP, Lot, _by_cells, _by_faces, make_problem, perona_malik
from benchmarks.beyond_peers import BEYOND_PEERS, DEFINITIONS, GROUPS
from benchmarks.harness import Contender, Definition, _check
from benchmarks.settings import Settings
from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "beyond-cpu.json"
SMALL = [replace(work, shape=tuple(range(24, 24 + len(work.shape))), taps=9) for work in BEYOND_CASES]
EDGES = [work for work in SMALL if work.kind == "perona-malik"]
LOTS = [work for work in SMALL if work.kind != "perona-malik"]


def _named(works):
    return {"argvalues": works, "ids": [work.name for work in works]}


@pytest.fixture
def numpy_library():
    return libraries.open_library("numpy")


@pytest.mark.parametrize("work", **_named(SMALL))
def test_gpuconv_and_every_peer_are_right(work, numpy_library):
    rows = bench_beyond.run_work(work, numpy_library, Settings(GROUPS, patience=0.001))["contenders"]
    found = {row["name"]: row for row in rows}
    for row in rows:
        allowed = ("timed",) if row["name"].startswith("gpuconv") else ("timed", "absent", "left out")
        assert row["status"] in allowed, row
        assert row["steps"] == ("exact" if row["name"] == bench_beyond.DETERMINISTIC else work.counted)
    assert rows[0]["name"] == "gpuconv"
    if work.kind == "perona-malik":
        assert found["NumPy slices"]["status"] == "timed"
        assert max(row["error"] for row in rows if "error" in row) <= 8 * work.count * np.finfo(work.dtype).eps
    else:
        # What one pays for drawing.
        assert found["gpuconv"]["error"] > 1000 * found[bench_beyond.DETERMINISTIC]["error"] > 0


@pytest.mark.parametrize("work", **_named(EDGES))
def test_perona_malik_is_the_equation_cell_by_cell(work):
    work = replace(work, shape=(4, 5, 3)[: len(work.shape)], count=1)
    u = np.random.default_rng(3).standard_normal(work.shape) * CONTRAST
    g = {"exponential": lambda q: np.exp(-q), "rational": lambda q: 1 / (1 + q)}[work.conductance]
    ways = [tuple(way * (axis == other) for other in range(u.ndim)) for axis in range(u.ndim) for way in (-1, 1)]

    def neighbours(cell):
        beside = [tuple(np.add(cell, way)) for way in ways]
        return [each for each in beside if all(0 <= index < size for index, size in zip(each, u.shape, strict=True))]

    def conductance(cell):
        return g(sum(0.5 * (u[other] - u[cell]) ** 2 for other in neighbours(cell)) / CONTRAST**2)

    cells, faces = u.copy(), u.copy()
    for cell in product(*map(range, u.shape)):
        for other in neighbours(cell):
            slope = u[other] - u[cell]
            cells[cell] += STEP * 0.5 * (conductance(cell) + conductance(other)) * slope
            faces[cell] += STEP * g((slope / CONTRAST) ** 2) * slope
    np.testing.assert_allclose(perona_malik(u, work, _by_cells), cells, rtol=0, atol=1e-15)
    np.testing.assert_allclose(perona_malik(u, work, _by_faces), faces, rtol=0, atol=1e-15)
    assert np.max(np.abs(cells - faces)) > 0.01 * CONTRAST


@pytest.mark.parametrize("work", **_named(EDGES))
def test_a_step_more_or_another_conductance_is_wrong(work):
    problem = make_problem(work)
    other = {"exponential": "rational", "rational": "exponential"}[work.conductance]
    for wrong in (replace(work, count=work.count + 1), replace(work, conductance=other)):
        assert problem.definition.why_wrong(make_problem(wrong).definition.expected) is not None
    assert problem.definition.why_wrong(problem.others["faces"].expected) is not None
    assert problem.definition.why_wrong(problem.definition.expected) is None


@pytest.mark.parametrize("work", **_named(LOTS))
def test_the_mean_and_the_variance_of_a_lot_are_sums_over_all_taps(work):
    problem = make_problem(work)
    lot, kernel, x = problem.others["lot"], problem.kernel, np.asarray(problem.start, np.float64)
    assert kernel.shape == (9, 9)
    assert abs(kernel.sum() - 1) < 1e-14
    for place in ((0, 0), (12, 11), (23, 2)):
        values = {
            tap: x[place[0] + 4 - tap[0], place[1] + 4 - tap[1]]
            for tap in np.ndindex(9, 9)
            if 0 <= place[0] + 4 - tap[0] < x.shape[0] and 0 <= place[1] + 4 - tap[1] < x.shape[1]
        }
        mean = sum(kernel[tap] * value for tap, value in values.items())
        square = sum(kernel[tap] * value**2 for tap, value in values.items())
        assert abs(lot.mean[place] - mean) < 1e-14
        assert abs(lot.variance[place] - (square - mean**2) / work.count) < 1e-14


def test_a_lot_is_wrong_if_its_mean_or_its_scatter_is():
    rng = np.random.default_rng(5)
    lot = Lot(rng.standard_normal((60, 70)), rng.uniform(0.5, 2, (60, 70)))
    noise = rng.standard_normal((60, 70)) * np.sqrt(lot.variance)
    assert lot.why_wrong(lot.mean + noise) is None
    assert 0.9 < lot.error(lot.mean + noise) < 1.3
    assert "the mean is" in lot.why_wrong(lot.mean + noise + 0.2)
    assert "the mean is nan" in lot.why_wrong(np.full((60, 70), np.nan))
    assert "the mean square is" in lot.why_wrong(lot.mean)
    assert "the mean square is" in lot.why_wrong(lot.mean + 1.3 * noise)
    assert "the shape is (2,)" in lot.why_wrong(np.zeros(2))


def test_a_contender_is_held_to_its_own_definition(numpy_library):
    case = bench_beyond.Case("", numpy_library, [], np.zeros(3), 0.1)
    ones = Contender("ones", lambda: np.ones(3))
    assert _check(case, ones, ones.runner(numpy_library))["status"] == "wrong"
    row = _check(case, replace(ones, definition=Definition(np.full(3, 1.25), 0.5)))
    assert (row["status"], row["error"]) == ("timed", 0.25)


@pytest.mark.parametrize("peer", BEYOND_PEERS, ids=lambda peer: peer.name)
def test_every_peer_takes_part_and_is_right(peer):
    # CuPy has the names of NumPy.
    module = pytest.importorskip({"cupy": "numpy"}.get(peer.module, peer.module))
    taken = 0
    for work in SMALL:
        problem = make_problem(work)
        call = peer.make(module, work, problem)
        if not isinstance(call, str):
            definition = problem.others.get(DEFINITIONS.get(peer.name, ""), problem.definition)
            assert definition.why_wrong(call()) is None
            taken += 1
    assert taken


def test_cases_have_names_of_their_own_and_quick_ones_are_fewer(numpy_library):
    assert len({work.name for work in BEYOND_CASES}) == len(BEYOND_CASES)
    assert 0 < len(bench_beyond.selected(numpy_library, Settings((), quick=True))) < len(BEYOND_CASES)
    elsewhere = bench_beyond.selected(replace(numpy_library, name="torch"), Settings(()))
    assert elsewhere == [work for work in BEYOND_CASES if work.everywhere]


def test_the_page_has_the_tables_of_the_committed_figures():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert report.between_markers(page, report.begin_of("beyond")) == report.tables(figures)
    assert "benchmarks/results/beyond-cpu.json" in page


def test_the_committed_figures_are_of_these_cases_and_right():
    cases = json.loads(RESULTS.read_text(encoding="utf-8"))["subjects"]["beyond"]["cases"]
    named = [case["case"] for case in cases if case["library"] == "numpy"]
    assert named == [work.name for work in BEYOND_CASES], "measure again after changing the cases"
    assert not [row for case in cases for row in case["contenders"] if row["status"] in ("wrong", "failed")]
