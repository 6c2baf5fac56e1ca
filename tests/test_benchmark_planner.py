"""How the benchmarks measure the planner's constants and judge its choices."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import gpuconv
from benchmarks import bench_methods, borders, choices, libraries, peers, rates
from benchmarks.settings import Settings
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
    problems = choices.draw(90)
    assert problems == choices.draw(90)
    assert choices.draw(5) == problems[:5]
    assert {len(problem["shape"]) for problem in problems} == {1, 2, 3}
    assert {problem["dtype"] for problem in problems} == {"float32", "float64"}
    assert any(problem["outer"] for problem in problems)
    for problem in problems:
        products = np.prod(problem["shape"], dtype=float) * np.prod(problem["kernel"], dtype=float)
        assert products <= choices.MOST_PRODUCTS
        assert all(taps <= size for taps, size in zip(problem["kernel"], problem["shape"], strict=True))


def test_a_choice_is_judged_against_the_fastest_method(numpy_library, monkeypatch):
    times = {"direct": 3.0, "fft": 2.0, "overlap": 4.0}
    monkeypatch.setattr(choices, "_fastest", lambda library, calls, patience: {name: times[name] for name in calls})
    problem = {"shape": (50, 50), "kernel": (3, 3), "dtype": "float32", "boundary": "wrap", "outer": False}
    row = choices._measure_one(numpy_library, problem, 1.0)
    assert (row["chosen"], row["fastest"], row["loss"]) == ("direct", "fft", 1.5)
    good = {**row, "loss": 1.0}
    assert choices.score([good, good, good, row]) == {
        "count": 4,
        "within_margin": 3,
        "geometric_mean_loss": pytest.approx(1.5**0.25),
        "worst_loss": 1.5,
    }


def test_other_constants_are_judged_on_the_same_times(numpy_library):
    problem = {"shape": (200, 200), "kernel": (5, 5), "dtype": "float32", "boundary": "wrap", "outer": False}
    row = {**problem, "seconds": {"direct": 1.0, "fft": 2.0, "overlap": 2.0}}
    current = costs.RATES["numpy"]
    slow_transforms = replace(current, butterfly=current.butterfly * 1000)
    fast_transforms = replace(current, butterfly=0, call=0)
    assert choices.score_with(numpy_library, [row], slow_transforms)["worst_loss"] == 1.0
    assert choices.score_with(numpy_library, [row], fast_transforms)["worst_loss"] == 2.0
    assert costs.RATES["numpy"] is current


def test_overlap_with_a_single_block_is_not_timed_twice(numpy_library, monkeypatch):
    timed = []

    def fastest(library, calls, patience):
        timed.extend(calls)
        return dict.fromkeys(calls, 1.0)

    monkeypatch.setattr(choices, "_fastest", fastest)
    problem = {"shape": (50, 50), "kernel": (3, 3), "dtype": "float32", "boundary": "wrap", "outer": False}
    assert "overlap" in choices._measure_one(numpy_library, problem, 1.0)["seconds"]
    assert timed == ["direct", "fft"]


def test_block_lengths_follow_the_border_that_is_set():
    lengths = []
    x, weights = np.zeros((3000,)), np.ones(5)
    for value in borders.SHORTEST.values[:2]:
        with borders._set_to(borders.SHORTEST, value):
            lengths.append(gpuconv.plan_convolution(np.tile(x, 40), weights, method="overlap").estimate.lengths)
    assert lengths == [(4096,), (8192,)]


def test_at_least_sixty_problems_are_measured_on_numpy(numpy_library):
    assert bench_methods._problems(numpy_library, Settings(peers.GROUPS)) >= 60


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
    with rates.nothing_lent():
        inside = gpuconv.plan_convolution(x, kernel)
        assert inside.backend == "generic"
    assert before.backend == "torch"
    assert inside.cost != before.cost
    assert gpuconv.plan_convolution(x, kernel).estimates == before.estimates
