"""The benchmarks of filters: their definitions, the peers that take part, and the figures that are committed."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import gpuconv.ndimage
from benchmarks import __main__ as command
from benchmarks import bench_filters, filter_peers, libraries, report
from benchmarks.cases import PAD_MODES
from benchmarks.filter_cases import FILTER_CASES, FilterWork, make_data
from benchmarks.filter_definitions import DEFINITIONS, along, definition, gaussian_taps, tolerance, windows
from benchmarks.harness import why_wrong
from benchmarks.settings import Settings
from gpuconv import filters
from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "filters-cpu.json"
# The subject "methods" is about these.
CONVOLUTIONS = {"convolve", "convolve1d", "correlate", "correlate1d"}


def _small(work):
    """The same work on few samples; no axis is as long as another."""
    if work.filter == "symmetric_eigenvalues":
        return replace(work, shape=(work.shape[0], *(11, 12, 13)[: len(work.shape) - 1]))
    if work.axes is not None:
        return replace(work, shape=(18, 21, 3))
    return replace(work, shape=(26, 31) if len(work.shape) == 2 else (10, 11, 12))


SMALL = [_small(work) for work in FILTER_CASES if work.parameters.get("sigma") != 20.0]


@pytest.fixture
def numpy_library():
    return libraries.open_library("numpy")


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_gpuconv_and_every_peer_meet_the_definition(work, numpy_library):
    settings = Settings(filter_peers.GROUPS, patience=0.001)
    rows = bench_filters.run_work(work, numpy_library, settings)["contenders"]
    assert rows[0]["name"] == "gpuconv"
    assert rows[0]["status"] == "timed", rows[0]
    for row in rows:
        assert row["status"] in ("timed", "absent", "left out"), row


@pytest.mark.parametrize("work", SMALL, ids=lambda work: work.name)
def test_the_tolerance_rejects_a_result_shifted_by_one_sample(work):
    answer = definition(work, make_data(work))
    bound = tolerance(work, answer)
    axis = next(axis for axis, size in enumerate(answer.expected.shape) if size in work.shape[-2:])
    assert why_wrong(np.roll(answer.expected, 1, axis), answer.expected, bound) is not None
    assert why_wrong(answer.expected.astype(np.float32), answer.expected, bound) is None


def test_every_filter_of_both_modules_is_measured():
    measured = {work.filter for work in FILTER_CASES}
    assert set(filters.__all__) <= measured
    spelled = {found[0] for work in FILTER_CASES if (found := filter_peers.spelling(work, gpuconv.ndimage))}
    assert spelled == set(gpuconv.ndimage.__all__) - CONVOLUTIONS
    assert measured == set(DEFINITIONS)


@pytest.mark.parametrize("peer", filter_peers.FILTER_PEERS, ids=lambda peer: peer.name)
def test_every_peer_takes_part_in_a_case(peer):
    # The libraries for GPUs have the names of those for CPUs.
    stand_in = {"cupyx": "scipy.ndimage", "cucim": "skimage"}.get(peer.group, peer.module)
    module = pytest.importorskip(stand_in)
    assert [work for work in SMALL if peer.make(module, work, _arrays(work))]


def _arrays(work):
    return filter_peers.arrays_for(make_data(work), libraries.open_library("numpy"))


def test_a_filter_goes_by_both_of_its_names(numpy_library):
    def names(filter_name, **options):
        work = FilterWork(filter_name, (9, 10), options)
        return [contender.name for contender in filter_peers.spelled(work, make_data(work), numpy_library)]

    assert names("gaussian", sigma=1.0) == ["gpuconv.ndimage"]
    assert names("sobel", axis=0) == ["gpuconv.ndimage"]
    assert names("hessian", sigma=1.0) == []
    # Here the row of gpuconv is that of gpuconv.ndimage.
    assert names("median_filter", size=3) == []


def test_peers_for_a_gpu_are_named_where_there_is_none(monkeypatch):
    def no_gpu(name):
        raise libraries.AbsentError(f"{name} finds no GPU")

    monkeypatch.setattr(filter_peers, "open_library", no_gpu)
    work = SMALL[0]
    found = filter_peers.contenders(work, make_data(work), SimpleNamespace(name="cupy"), filter_peers.GROUPS)
    assert [(row.name, row.status, row.reason) for row in found] == [
        ("cupyx", "absent", "cupy finds no GPU"),
        ("cuCIM", "absent", "cupy finds no GPU"),
    ]


def test_a_peer_that_is_not_installed_is_absent_and_a_broken_one_is_not(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("no module", name=name)

    monkeypatch.setattr(filter_peers.importlib, "import_module", missing)
    with pytest.raises(libraries.AbsentError, match="cucim is not installed"):
        filter_peers.load("cucim.skimage")
    monkeypatch.setattr(filter_peers.importlib, "import_module", lambda name: missing("its_own_need"))
    with pytest.raises(ModuleNotFoundError):
        filter_peers.load("cucim.skimage")


@pytest.mark.parametrize("boundary", list(PAD_MODES))
def test_sums_over_neighbours_follow_their_formulas(rng, boundary):
    x, taps, kernel = rng.random((6, 7)), np.array([1.0, 2, 5]), rng.random((3, 5))
    extended = np.pad(x, ((1, 1), (2, 2)), mode=PAD_MODES[boundary])
    for row, column in np.ndindex(x.shape):
        line = extended[row : row + 3, column + 2]
        assert along(x, taps, 0, boundary)[row, column] == pytest.approx((line * taps).sum())
        box = extended[row : row + 3, column : column + 5]
        assert windows(x, kernel, boundary)[row, column] == pytest.approx((box * kernel[::-1, ::-1]).sum())


def test_gaussian_taps_give_slopes_and_curvatures():
    n = np.arange(-8.0, 9.0)
    smooth, slope, curvature = (gaussian_taps(2.0, order) for order in range(3))
    assert smooth.sum() == pytest.approx(1)
    # Cut at 4 sigma, the second moment lacks a little of what it should be.
    assert (slope @ n, slope.sum()) == (pytest.approx(1, abs=2e-3), pytest.approx(0, abs=1e-15))
    assert curvature @ n**2 / 2 == pytest.approx(1, abs=2e-2)


def test_cases_have_names_of_their_own_and_quick_ones_are_fewer(numpy_library):
    assert len({work.name for work in FILTER_CASES}) == len(FILTER_CASES)
    quick = bench_filters.selected(numpy_library, Settings((), quick=True))
    assert 0 < len(quick) < len(FILTER_CASES)
    elsewhere = bench_filters.selected(replace(numpy_library, name="torch"), Settings(()))
    assert elsewhere == [work for work in FILTER_CASES if work.everywhere]


def test_a_wrong_filter_is_reported(numpy_library, monkeypatch):
    monkeypatch.setattr(bench_filters, "ours", lambda work, data, library: lambda: np.zeros(work.shape))
    result = bench_filters.run_work(SMALL[0], numpy_library, Settings((), patience=0.001))
    assert result["contenders"][0]["status"] == "wrong"


def test_the_table_has_a_column_for_each_peer():
    def row(name, **changes):
        times = {"lower_quartile_s": 1e-3, "upper_quartile_s": 1.1e-3, "median_s": 1e-3, "ratio": 0.5, "first_s": 2e-3}
        return {"name": name, "status": "timed", **times, **changes}

    cases = [
        {
            "case": "gaussian",
            "library": "numpy",
            "contenders": [
                row("gpuconv", share_of_copy=0.25, ratio=1.0),
                row("OpenCV", upper_quartile_s=2e-3),
                {"name": "scikit-image", "status": "left out", "reason": "it has no such filter"},
                {"name": "torch", "status": "absent", "reason": "torch is not installed"},
            ],
        },
        {
            "case": "sobel",
            "library": "numpy",
            "contenders": [
                {"name": "gpuconv", "status": "failed", "reason": "ValueError"},
                {"name": "scikit-image", "status": "wrong", "reason": "at (0,) it is 2"},
            ],
        },
    ]
    (table, notes) = report._ratio_tables(cases)
    assert table.splitlines()[2:] == [
        "|  | gpuconv | quartiles | first call | share of limit | OpenCV / gpuconv | scikit-image / gpuconv |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| gaussian | 1 ms | 1 ms to 1.1 ms | 2 ms | 25% of copy | (0.50) |  |",
        "| sobel | failed |  |  |  |  | wrong |",
    ]
    assert notes.splitlines() == [
        "Absent: torch (torch is not installed).",
        "gpuconv failed: sobel: ValueError.",
        "scikit-image wrong: sobel: at (0,) it is 2.",
    ]


def test_tables_of_filters_have_a_place_of_their_own_in_a_page(tmp_path):
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))
    page, kept = tmp_path / "page.md", f"{report.BEGIN}\n\nkept\n\n{report.END}\n"
    page.write_text(f"{kept}{report.begin_of('filters')}\n\nold\n\n{report.END}\n", encoding="utf-8")
    assert command.main(["table", str(RESULTS), "--into", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith(kept)
    assert report.between_markers(text, report.begin_of("filters")) == report.tables(figures)


def test_the_page_has_the_tables_of_the_committed_figures():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert report.between_markers(page, report.begin_of("filters")) == report.tables(figures)
    assert "benchmarks/results/filters-cpu.json" in page


def test_the_committed_figures_are_of_these_cases_and_right():
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert report.faults(figures) == []
    cases = figures["subjects"]["filters"]["cases"]
    named = [case["case"] for case in cases if case["library"] == "numpy"]
    assert named == [work.name for work in FILTER_CASES], "measure again after changing the cases"
    assert not [row for case in cases for row in case["contenders"] if row["status"] in ("wrong", "failed")]
