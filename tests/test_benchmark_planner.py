"""How the benchmarks measure the planner's constants and judge its choices."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import gpuconv
from benchmarks import bench_crossover, borders, choices, fitting, libraries, rates
from gpuconv.methods import costs


@pytest.fixture
def numpy_library():
    return libraries.open_library("numpy")


def test_constants_are_recovered_from_times_that_follow_the_formula(numpy_library, monkeypatch):
    true = costs.Rates(440, 370, 270, 330, 7_800_000, 0, "made up")
    shared = 20e-6

    def predicted(library, probes, patience):
        times = []
        for probe in probes:
            if probe.constant == "copy":
                cost = rates._units(library, probe) * true.copy
                times.append({"fastest_s": cost * 1e-12})
            else:
                extra = shared if probe.constant == "call" else 0.0
                times.append({"fastest_s": rates._cost(library, probe, true) * 1e-12 + extra})
        return times

    monkeypatch.setattr(rates, "_time_probes", predicted)
    found = rates.measure(numpy_library, 1.0)
    # What a tiny transform computes is counted with its calls.
    assert found["measured"] == pytest.approx({name: getattr(true, name) for name in rates.CONSTANTS}, rel=0.03)


def test_constants_are_printed_as_the_line_they_belong_in():
    measured = {"product": 440, "line_product": 370, "butterfly": 270, "copy": 330, "call": 7_800_000}
    line = rates.as_code({"library": "numpy", "measured": measured})
    assert line == '"numpy": Rates(440, 370, 270, 330, 7_800_000, 0, _MEASURED),'
    assert eval("{" + line + "}", {"Rates": costs.Rates, "_MEASURED": "file"}) == {
        "numpy": replace(costs.RATES["numpy"], **measured, source="file")
    }


def test_every_constant_has_probes_in_both_precisions():
    for constant in rates.CONSTANTS[1:]:
        dtypes = [probe.dtype for probe in rates.PROBES if probe.constant == constant]
        assert dtypes.count("float64") > 0
        assert dtypes.count("float32") >= dtypes.count("float64")


def test_other_constants_are_in_force_only_inside_the_with_block():
    # Small enough for no compiled loop, which has constants of its own.
    x, kernel = np.zeros((50, 50), np.float32), np.ones((9, 8)) + np.eye(9, 8)
    before = costs.RATES["numpy"]
    usual = gpuconv.plan_convolution(x, kernel, method="direct").estimate.cost
    with rates.planned_with("numpy", replace(before, product=before.product * 10)):
        assert gpuconv.plan_convolution(x, kernel, method="direct").estimate.cost > 5 * usual
    assert costs.RATES["numpy"] is before
    assert gpuconv.plan_convolution(x, kernel, method="direct").estimate.cost == usual


def test_random_problems_are_the_same_in_every_run_and_within_bounds():
    problems = choices.draw(300)
    assert problems == choices.draw(300)
    assert choices.draw(5) == problems[:5]
    assert {len(problem["shape"]) for problem in problems} == {1, 2, 3}
    assert {problem["dtype"] for problem in problems} == {"float32", "float64"}
    assert {problem["boundary"] for problem in problems} == set(choices.BOUNDARIES)
    assert any(problem["outer"] for problem in problems)
    samples = [np.prod(problem["shape"], dtype=float) for problem in problems]
    taps = [np.prod(problem["kernel"], dtype=float) for problem in problems]
    assert 16 <= min(samples) < 100
    assert 4e6 < max(samples) <= 16e6
    assert min(taps) == 1
    assert 2000 < max(taps) <= 4097
    for problem in problems:
        assert all(count <= size for count, size in zip(problem["kernel"], problem["shape"], strict=True))


PROBLEM = {"shape": (50, 50), "kernel": (3, 3), "dtype": "float32", "boundary": "wrap", "outer": False}


def _timed_as(monkeypatch, times):
    """Methods that take so long, whenever they are timed; the list of what was."""
    timed = []

    def seconds(call, repeats):
        timed.append(call.keywords["method"])
        return times[timed[-1]]

    def partial_call(x, kernel, **options):
        raise AssertionError("timed by the fake clock")

    monkeypatch.setattr(gpuconv, "convolve", partial_call)
    monkeypatch.setattr(choices, "_call", lambda x, kernel, boundary, method: partial(print, method=method))
    return seconds, timed


def test_a_choice_is_judged_against_the_fastest_method(numpy_library, monkeypatch):
    seconds, timed = _timed_as(monkeypatch, {"direct": 3.0, "fft": 2.0, "overlap": 4.0})
    row = choices._measure_one(replace(numpy_library, seconds=seconds), PROBLEM, 1.0)
    assert (row["chosen"], row["fastest"], row["loss"]) == ("direct", "fft", 1.5)
    # With one block it is the fft method.
    assert "overlap" not in timed
    assert row["seconds"]["overlap"] == 2.0
    good = {**row, "loss": 1.0}
    assert choices.score([good, good, good, row]) == {
        "count": 4,
        "within_margin": 3,
        "geometric_mean_loss": pytest.approx(1.5**0.25),
        "worst_loss": 1.5,
    }


def test_a_method_without_a_chance_is_timed_on_a_part(numpy_library, monkeypatch):
    monkeypatch.setattr(choices, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(choices, "LONG_TIMES", 0.0)
    seconds, _ = _timed_as(monkeypatch, {"direct": 1.0, "fft": 10.0, "overlap": 10.0})
    problem = PROBLEM | {"shape": (640, 640)}
    row = choices._measure_one(replace(numpy_library, seconds=seconds), problem, 1.0)
    # A part of 40 of 640 lines took ten seconds.
    assert row["seconds"]["fft"] == 160.0
    assert set(row["cut"]) == {"fft", "overlap"}
    assert row["seconds"]["direct"] == 1.0


def test_problems_that_were_measured_are_not_measured_again(numpy_library, monkeypatch, tmp_path):
    measured = []

    def measure_one(library, problem, patience):
        measured.append(problem)
        return {**problem, "loss": 1.0}

    monkeypatch.setattr(choices, "_measure_one", measure_one)
    problems, path = choices.draw(5), tmp_path / "folder" / "grid.jsonl"
    first = choices.measure(numpy_library, problems[:2], 1.0, choices.Kept(path, {"code": 1}))
    assert (first["count"], first["asked"], len(measured)) == (2, 2, 2)
    again = choices.measure(numpy_library, problems, 1.0, choices.Kept(path, {"code": 1}))
    assert (again["count"], len(measured)) == (5, 5)
    choices.measure(numpy_library, problems[:1], 1.0, choices.Kept(path, {"code": 2}))
    assert len(measured) == 6
    late = choices.measure(numpy_library, problems, 1.0, choices.Kept(path, {"code": 2}), seconds=-1.0)
    assert (late["count"], late["asked"], len(measured)) == (1, 5, 6)


def test_other_constants_are_judged_on_the_same_times(numpy_library):
    problem = {"shape": (200, 200), "kernel": (5, 5), "dtype": "float32", "boundary": "wrap", "outer": False}
    row = {**problem, "seconds": {"direct": 1.0, "fft": 2.0, "overlap": 2.0}}
    current = costs.RATES["numpy"]
    slow_transforms = replace(current, butterfly=current.butterfly * 1000)
    fast_transforms = replace(current, butterfly=0, call=0)
    for other, loss in ((slow_transforms, 1.0), (fast_transforms, 2.0)):
        assert choices.score_with(numpy_library, [row], rates.planned_with("numpy", other))["worst_loss"] == loss
        replayed = fitting.replays("numpy", [row])
        assert fitting.score_of(replayed, "numpy", {"numpy": other})["worst_loss"] == loss
    assert costs.RATES["numpy"] is current


def test_constants_that_choose_better_are_found(numpy_library, monkeypatch):
    """From times that follow the formula with other constants than the planner's."""
    true = replace(costs.RATES["numpy"], butterfly=costs.RATES["numpy"].butterfly * 3)
    rows = choices.draw(60, choices.Scope((1000, 100_000), (3, 400)))
    with rates.without_compiled_loops(), rates.planned_with("numpy", true):
        for row in rows:
            predicted = dict(choices.plan_of(numpy_library, row).estimates)
            row["seconds"] = {name: entry.cost * 1e-12 for name, entry in predicted.items() if hasattr(entry, "cost")}
    name = "numpy" + fitting.PLAIN
    known = fitting.replays(name, rows)
    before = fitting.score_of(known, name, {})
    found, score = fitting.fit(known, name, ("numpy",))
    assert score["within_margin"] > before["within_margin"]
    assert score["within_margin"] == 60
    assert (
        found["numpy"].butterfly / found["numpy"].product
        > costs.RATES["numpy"].butterfly / costs.RATES["numpy"].product
    )
    assert "60 within 1.25" in fitting.as_text(known, name, ("numpy",))


def test_stretches_tell_up_to_how_many_taps_a_method_is_taken():
    rows = [{"kernel": (taps, taps), "fastest": name} for taps, name in ((3, "a"), (5, "a"), (7, "b"), (9, "a"))]
    assert bench_crossover.stretches(rows, "fastest") == "a to 5, b to 7, a"


def test_block_lengths_follow_the_border_that_is_set():
    lengths = []
    x, weights = np.zeros((3000,)), np.ones(5)
    for value in borders.SHORTEST.values[:2]:
        with borders._set_to(borders.SHORTEST, value):
            lengths.append(gpuconv.plan_convolution(np.tile(x, 40), weights, method="overlap").estimate.lengths)
    assert lengths == [(4096,), (8192,)]


def test_borders_are_put_back(monkeypatch):
    module = SimpleNamespace(BORDER=5)
    seen = []
    monkeypatch.setattr(gpuconv, "convolve", lambda *args, **options: seen.append(module.BORDER))
    border = borders.Border(module, "BORDER", (5, borders.NEVER), (((4,), (3,), "float32", "direct"),))
    (row,) = borders.measure(0.01, [border])
    assert module.BORDER == 5
    assert set(seen) == {5, borders.NEVER}
    assert list(row["relative"]) == ["5", "infinite"]
    assert row["relative"]["5"] == 1.0


def test_the_constants_of_torch_are_those_of_tensors_that_are_not_lent():
    """Others have the constants of the engine that they are lent to."""
    torch = pytest.importorskip("torch")
    x, kernel = torch.rand(9, 9), np.ones((3, 3))
    before = gpuconv.plan_convolution(x, kernel)
    with rates.tensors_not_lent():
        inside = gpuconv.plan_convolution(x, kernel)
        assert inside.backend == "generic"
    assert before.backend == "torch"
    assert inside.cost != before.cost
    assert gpuconv.plan_convolution(x, kernel).estimates == before.estimates
