"""The command ``python -m benchmarks``, its reports, and the figures that are committed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import (
    bench_beyond,
    bench_channels,
    bench_convolutions,
    bench_crossover,
    bench_diffusion,
    bench_filters,
    bench_methods,
    bench_spectral,
    bench_start,
    bench_steps,
    choices,
    compiled_rates,
    goals,
    libraries,
    peers,
    rates,
    regressions,
    report,
    roofline,
)
from benchmarks.beyond_cases import BeyondWork
from benchmarks.cases import Work
from benchmarks.diffusion_cases import DiffusionWork
from benchmarks.filter_cases import FilterWork
from benchmarks.spectral_cases import SpectralWork
from gpuconv.backends.cpu import compiled
from gpuconv.methods import costs
from tests.conftest import ROOT

FOLDER = ROOT / "benchmarks" / "results"
RESULTS = FOLDER / "methods-cpu.json"


@pytest.fixture
def result():
    """A small result, made up."""
    timed = {
        "status": "timed",
        "first_s": 0.5,
        "median_s": 2e-3,
        "lower_quartile_s": 1.9e-3,
        "upper_quartile_s": 2.1e-3,
        "fastest_s": 1.8e-3,
        "rounds": 5,
        "ratio": 1.0,
        "share_of_copy": 0.25,
    }
    contenders = [
        {"name": "gpuconv", **timed, "peak_bytes": 4 * 2**20, "predicted_bytes": 5 * 2**20},
        {"name": "peer", **timed, "median_s": 4e-3, "ratio": 2.0},
        {"name": "cv2.filter2D", "status": "absent", "reason": "cv2 is not installed"},
        {"name": "convolve2d", "status": "left out", "reason": "three dimensions"},
        {"name": "liar", "status": "wrong", "reason": "at (0,) it is 2"},
    ]
    return {
        "format": command.FORMAT,
        "command": "python -m benchmarks run",
        "date": "2026-01-02T03:04:05+00:00",
        "machine": {"processor": "An Abacus", "cores": 4, "load": 0.1, "load_after": 1.2, "system": "Linux x86_64"},
        "versions": {"python": "3.11.1", "gpuconv": "0.1"},
        "absent": [{"name": "cupy", "reason": "cupy is not installed"}],
        "limits": {"copy_bytes_per_s": 1.5e10, "multiply_adds_per_s": 2e11},
        "subjects": {
            "methods": {
                "cases": [{"case": "a case", "library": "numpy", "contenders": contenders}],
                "rates": [{"library": "numpy", "planner": {"call": 10}, "measured": {"call": 12}, "probes": []}],
                "choices": [
                    {
                        "library": "numpy",
                        "margin": 1.25,
                        "count": 60,
                        "within_margin": 57,
                        "geometric_mean_loss": 1.02,
                        "worst_loss": 1.5,
                        "problems": [],
                        "with_measured": {
                            "count": 60,
                            "within_margin": 54,
                            "geometric_mean_loss": 1.05,
                            "worst_loss": 2.0,
                        },
                    }
                ],
                "borders": [{"constant": "TILE", "work": "w", "fastest_s": 1e-3, "relative": {"8": 1.0, "16": 1.5}}],
                "overhead": [{"library": "numpy", "stages": [{"stage": "plan", "median_s": 3e-7, "fastest_s": 2e-7}]}],
                "first_use": {"import_numpy_s": 0.1, "import_gpuconv_s": 0.2, "first_convolve_s": 0.3},
            }
        },
    }


def test_the_tables_say_what_was_timed_wrong_or_absent(result):
    text = report.tables(result)
    for line in (
        "Measured on 2026-01-02 on An Abacus, 4 cores (load 0.1 before, 1.2 after), Linux x86_64, "
        "with `python -m benchmarks run`.",
        "Absent: cupy (cupy is not installed).",
        "| gpuconv | 2 ms | 1.9 ms to 2.1 ms | 500 ms | 1.00 | 25% of copy | 4 MiB (planned 5 MiB) |",
        "| peer | 4 ms | 1.9 ms to 2.1 ms | 500 ms | 2.00 | 25% of copy |  |",
        "| liar | wrong | at (0,) it is 2 |  |  |  |  |",
        "Absent: cv2.filter2D (cv2 is not installed).",
        "| numpy | 60 | 57 (95.0%) | 2.0% | 1.50 |",
        "| numpy, with the measured constants | 60 | 54 (90.0%) | 5.0% | 2.00 |",
        "| numpy, measured | 12 |",
        "| w | 1 ms | 1.50 times |",
        "| numpy: plan | 0.3 us | 0.2 us |",
    ):
        assert line in text.splitlines()
    assert "convolve2d" not in text


def _changed(result, **changes):
    changed = json.loads(json.dumps(result))
    row = changed["subjects"]["methods"]["cases"][0]["contenders"][0]
    row.update(changes)
    return changed


def test_a_slower_result_is_a_regression_and_a_faster_one_is_not(result):
    assert regressions.compare(result, result) == ([], [])
    slower = _changed(result, median_s=3e-3, lower_quartile_s=2.9e-3, upper_quartile_s=3.1e-3)
    worse, notes = regressions.compare(result, slower)
    assert worse == ["methods: numpy: a case: 2 ms -> 3 ms, 1.50 times against the peers' 1.00"]
    assert notes == []
    worse, notes = regressions.compare(slower, result)
    assert worse == []
    assert notes == ["methods: numpy: a case: 3 ms -> 2 ms, 0.67 times against the peers' 1.00: faster"]


def test_what_slows_the_peers_down_too_is_the_machine(result):
    slower = _changed(result, median_s=3e-3, lower_quartile_s=2.9e-3, upper_quartile_s=3.1e-3)
    slower["subjects"]["methods"]["cases"][0]["contenders"][1]["median_s"] = 6e-3
    assert regressions.compare(result, slower) == ([], [])
    # As slow as before, where the peer became twice as fast.
    behind = json.loads(json.dumps(result))
    behind["subjects"]["methods"]["cases"][0]["contenders"][1]["median_s"] = 2e-3
    assert regressions.compare(result, behind) == (
        ["methods: numpy: a case: 2 ms -> 2 ms, 2.00 times against the peers' 0.50"],
        [],
    )


def test_the_ratio_of_a_disturbed_measurement_is_in_brackets(result):
    disturbed = _changed(result, lower_quartile_s=1e-3, upper_quartile_s=1.6e-3)
    assert "| gpuconv | 2 ms | 1 ms to 1.6 ms | 500 ms | (1.00) | 25% of copy |" in report.tables(disturbed)


def test_noise_is_no_regression(result):
    noisy = _changed(result, median_s=3e-3, lower_quartile_s=2.0e-3, upper_quartile_s=5e-3)
    assert regressions.compare(result, noisy) == ([], [])
    little = _changed(result, median_s=2.2e-3, lower_quartile_s=2.15e-3, upper_quartile_s=2.3e-3)
    assert regressions.compare(result, little) == ([], [])


def test_a_wrong_result_and_worse_choices_are_regressions(result):
    wrong = _changed(result, status="wrong", reason="at (0,) it is 2")
    wrong["subjects"]["methods"]["choices"][0]["within_margin"] = 50
    worse, _ = regressions.compare(result, wrong)
    assert worse == [
        "methods: numpy: a case: wrong: at (0,) it is 2",
        'methods: numpy: "auto" is within 1.25 of the fastest method on 50 of 60 problems, it was 57',
    ]
    assert report.faults(wrong) == ["numpy: a case: gpuconv wrong: at (0,) it is 2"]
    assert report.faults(result) == []


def test_more_memory_and_slower_first_calls_are_regressions(result):
    row = {"operation": "smooth", "cold_processor_s": 4.0, "cached_processor_s": 0.2}
    result["subjects"]["start"] = {"cases": [], "choices": [], "starts": [row]}
    after = _changed(result, peak_bytes=7 * 2**20)
    after["subjects"]["start"]["starts"] = [row | {"cached_processor_s": 0.4}]
    worse, _ = regressions.compare(result, after)
    assert worse == [
        "methods: numpy: a case: peak memory 4 MiB -> 7 MiB",
        "start: smooth: first call with everything compiled: 200 ms -> 400 ms of the processor",
    ]
    assert regressions.compare(result, _changed(result, peak_bytes=5 * 2**20)) == ([], [])


def test_what_cannot_be_compared_is_said(result):
    other = json.loads(json.dumps(result))
    other["machine"]["processor"] = "A Slide Rule"
    other["subjects"]["methods"]["cases"] = []
    _, notes = regressions.compare(result, other)
    assert notes == [
        "the machines differ (An Abacus; A Slide Rule): cases without peers cannot be compared",
        "methods: numpy: a case: not measured again",
    ]


def test_compare_and_table_commands(result, tmp_path, capsys):
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(result))
    slower = _changed(result, median_s=3e-3, lower_quartile_s=2.9e-3, upper_quartile_s=3.1e-3)
    after.write_text(json.dumps(slower))
    assert command.main(["compare", str(before), str(after)]) == 1
    assert (
        capsys.readouterr().out == "worse: methods: numpy: a case: 2 ms -> 3 ms, 1.50 times against the peers' 1.00\n"
    )
    assert command.main(["compare", str(before), str(before)]) == 0
    assert capsys.readouterr().out == "nothing is worse\n"
    assert command.main(["table", str(before)]) == 0
    assert capsys.readouterr().out == report.tables(result)


def test_tables_are_put_between_the_markers_of_a_page(result, tmp_path):
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    figures.write_text(json.dumps(result))
    page.write_text(f"Before.\n\n{report.BEGIN}\n\nold\n\n{report.END}\n\nAfter.\n")
    for _ in range(2):
        assert command.main(["table", str(figures), "--into", str(page)]) == 0
    assert page.read_text() == f"Before.\n\n{report.BEGIN}\n\n{report.tables(result)}\n{report.END}\n\nAfter.\n"
    page.write_text("No markers.")
    with pytest.raises(SystemExit, match="the page has no lines"):
        command.main(["table", str(figures), "--into", str(page)])


def test_renewing_measures_subjects_one_by_one_and_keeps_what_it_cannot_replace(result, tmp_path, monkeypatch, capsys):
    measured = json.loads(json.dumps(result))
    measured["subjects"] = {"spectral": {**result["subjects"]["methods"], "rates": [], "choices": [], "cases": []}}
    page, given = tmp_path / "page.md", []
    subjects = [*command.RENEWED, "goals"]
    page.write_text("".join(f"{report.begin_of(subject)}\n\nold\n\n{report.END}\n" for subject in subjects))
    kept = json.loads(json.dumps(measured))
    kept["subjects"] = {"diffusion": kept["subjects"]["spectral"]}
    (tmp_path / "diffusion-cpu.json").write_text(json.dumps(kept))
    (tmp_path / "local").mkdir()

    def run(words, **options):
        given.append(words[1:])
        path = words[words.index("--json") + 1]
        if "spectral" in words:
            Path(path).write_text(json.dumps(measured))
        return SimpleNamespace(returncode=0 if "spectral" in words else 1)

    monkeypatch.setattr(command.subprocess, "run", run)
    arguments = ["renew", "--subject", "spectral,diffusion", "--results", str(tmp_path), "--into", str(page)]
    assert command.main([*arguments, "--patience", "2"]) == 1
    assert "diffusion: ended with exit code 1" in capsys.readouterr().err
    assert json.loads((tmp_path / "spectral-cpu.json").read_text()) == measured
    assert json.loads((tmp_path / "diffusion-cpu.json").read_text()) == kept
    assert report.between_markers(page.read_text(), report.begin_of("spectral")) == report.tables(measured)
    assert report.between_markers(page.read_text(), report.begin_of("diffusion")) == report.tables(kept)
    assert report.between_markers(page.read_text(), report.begin_of("filters")) == "old\n"
    assert (
        report.between_markers(page.read_text(), report.begin_of("goals"))
        == goals.table([measured, kept]).strip() + "\n"
    )
    for words, subject in zip(given, ("spectral", "diffusion"), strict=True):
        parsed = command._parser().parse_args(words[2:])
        assert (parsed.command, parsed.subject, parsed.patience) == (command.run_command, (subject,), 2.0)
    assert {*command.RENEWED, "methods"} == set(command.SUBJECTS) - command.OF_CUPY


def test_a_file_of_another_format_is_refused(result, tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(result | {"format": 0}))
    with pytest.raises(SystemExit, match="has format 0, this program reads 1: measure again"):
        command.main(["table", str(path)])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--library", "numpy,fortran"],
            "choose from numpy, array_api_strict, torch, jax, dask, cupy: got 'numpy,fortran'",
        ),
        (
            ["--peers", "matlab"],
            "choose from scipy, torch, opencv, dask-image, cupyx, skimage, cucim, numpy, pypde, medpy: got 'matlab'",
        ),
        (
            ["--subject", ""],
            "choose from methods, lines, separable, dense, bytes, cuda, channels, steps, start, crossover, filters, "
            "spectral, diffusion, beyond: got ''",
        ),
        (["--patience", "0"], "must be positive: got 0"),
    ],
)
def test_unknown_names_are_refused(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["run", *arguments])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


draw = choices.draw


def _run_briefly(monkeypatch, arguments):
    monkeypatch.setattr(bench_methods, "CASES", (Work((24, 24), (3, 3), quick=True, everywhere=True),))
    sobel = FilterWork("sobel", (24, 25), {"axis": 1}, quick=True, everywhere=True)
    monkeypatch.setattr(bench_filters, "FILTER_CASES", (sobel,))
    wave = SpectralWork("lowpass", (24, 25), {"cutoff": 0.1}, quick=True, everywhere=True)
    monkeypatch.setattr(bench_spectral, "SPECTRAL_CASES", (wave,))
    ball = DiffusionWork("sphere", (50,), 0.1, "fixed", accuracy=2e-3, quick=True, everywhere=True)
    monkeypatch.setattr(bench_diffusion, "DIFFUSION_CASES", (ball,))
    edge = BeyondWork("perona-malik", (24, 25), 3, quick=True, everywhere=True)
    monkeypatch.setattr(bench_beyond, "BEYOND_CASES", (edge,))
    small = bench_convolutions.Subject((Work((40, 48), (5, 5), outer=True, quick=True),))
    for subject in ("lines", "separable", "dense", "bytes"):
        monkeypatch.setitem(command.SUBJECTS, subject, small)
    monkeypatch.setattr(bench_channels, "CASES", ())
    monkeypatch.setattr(bench_steps, "CASES", (bench_steps.StepsWork((20, 24), 3, quick=True),))
    monkeypatch.setattr(bench_start, "QUICK", ())
    monkeypatch.setattr(bench_crossover, "SERIES", (bench_crossover.Series((500,), (3, 5), quick=True),))
    monkeypatch.setattr(choices, "draw", lambda count, scope=None: draw(2, choices.Scope((16, 4000), (1, 100))))
    monkeypatch.setattr(bench_methods, "first_use", lambda rounds: dict(result_of_first_use))
    monkeypatch.setattr(roofline, "COPY_BYTES", 2**20)
    monkeypatch.setattr(roofline, "MATRIX_SIZE", 64)
    return command.main(["run", "--quick", "--patience", "0.05", *arguments])


result_of_first_use = {"import_numpy_s": 0.1, "import_gpuconv_s": 0.2, "first_convolve_s": 0.3}


def test_a_run_writes_figures_that_its_tables_are_made_of(tmp_path, monkeypatch, capsys):
    path = tmp_path / "folder" / "figures.json"
    assert _run_briefly(monkeypatch, ["--peers", "scipy", "--json", str(path)]) == 0
    printed = capsys.readouterr()
    figures = json.loads(path.read_text())
    assert printed.out == report.tables(figures) + "\n"
    assert figures["command"] == (
        "python -m benchmarks run --subject methods,lines,separable,dense,bytes,cuda,channels,steps,start,crossover,"
        "filters,spectral,diffusion,beyond --library numpy --peers scipy --quick --patience 0.05"
    )
    (case,) = figures["subjects"]["methods"]["cases"]
    rows = {row["name"]: row for row in case["contenders"]}
    assert rows["gpuconv"]["ratio"] == 1.0
    assert rows["scipy.ndimage.convolve"]["ratio"] > 0
    assert not any("torch" in name for name in rows)
    assert [row["count"] for row in figures["subjects"]["crossover"]["choices"]] == [2]
    (series,) = figures["subjects"]["crossover"]["crossovers"]
    assert series["series"] == "500 float32"
    assert set(series["problems"][0]["seconds"]) == {"direct", "fft", "overlap"}
    (case,) = figures["subjects"]["steps"]["cases"]
    assert [row["name"] for row in case["contenders"] if row["status"] == "timed"] == ["gpuconv"]
    (case,) = figures["subjects"]["filters"]["cases"]
    assert [row["name"] for row in case["contenders"]] == ["gpuconv", "gpuconv.ndimage", "scipy.ndimage"]
    assert all(row["ratio"] > 0 for row in case["contenders"])
    (case,) = figures["subjects"]["spectral"]["cases"]
    assert {"gpuconv", "scipy.fft by hand"} <= {row["name"] for row in case["contenders"] if row["status"] == "timed"}
    (case,) = figures["subjects"]["diffusion"]["cases"]
    assert case["accuracy"] == 2e-3
    assert case["contenders"][0]["steps"] == "one-shot"
    assert 0 < case["contenders"][0]["error"] < 2e-3
    (case,) = figures["subjects"]["beyond"]["cases"]
    assert [(row["name"], row["status"], row["steps"]) for row in case["contenders"]] == [
        ("gpuconv", "timed", "3 steps")
    ]
    stages = [stage["stage"] for stage in figures["subjects"]["methods"]["overhead"][0]["stages"]]
    assert stages == ["whole call", "describe", "plan", "execute", "SciPy's part"]


def test_a_run_with_a_wrong_answer_ends_with_exit_code_1(monkeypatch, capsys):
    monkeypatch.setattr(bench_convolutions, "ours", lambda work, data, library: lambda: np.zeros(work.shape))
    assert _run_briefly(monkeypatch, ["--peers", "scipy", "--subject", "methods"]) == 1
    assert "wrong: numpy: 24x24 float32, 3x3 taps, constant: gpuconv wrong: at (" in capsys.readouterr().err


def test_an_absent_library_is_named_and_without_any_nothing_runs(monkeypatch, capsys):
    def absent():
        raise libraries.AbsentError("CuPy is installed but cannot use a GPU here: no driver")

    monkeypatch.setitem(libraries.OPENERS, "cupy", absent)
    assert command.main(["run", "--library", "cupy"]) == 2
    assert capsys.readouterr().err == (
        "absent: cupy (CuPy is installed but cannot use a GPU here: no driver)\n"
        "none of the array libraries asked for is here: nothing was measured\n"
    )


def test_the_first_use_of_a_process_is_measured():
    found = bench_methods.first_use(1)
    assert set(found) == set(result_of_first_use)
    assert all(0 < seconds < 60 for seconds in found.values())


def test_the_page_has_the_tables_of_the_committed_figures(tmp_path):
    renewed = tmp_path / "page.md"
    renewed.write_text(command.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    command.renew_tables(FOLDER, renewed)
    assert renewed.read_text(encoding="utf-8") == command.PAGE.read_text(encoding="utf-8")
    for subject in set(command.SUBJECTS) - command.OF_CUPY:
        assert f"benchmarks/results/{subject}-cpu.json" in renewed.read_text(encoding="utf-8")


def test_the_committed_figures_are_those_of_this_planner():
    figures = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert report.faults(figures) == []
    measured = {row["library"]: row for row in figures["subjects"]["methods"]["rates"]}
    source = RESULTS.relative_to(ROOT).as_posix()
    named = [library for library, constants in costs.RATES.items() if constants.source == source]
    assert sorted(named) == sorted(measured)
    for library in named:
        current = {name: getattr(costs.RATES[library], name) for name in rates.CONSTANTS}
        assert measured[library]["planner"] == current, f"measure again after changing the constants of {library}"
    assert costs.RATES["compiled"].source == "benchmarks/results/crossover-cpu.json"
    for row in json.loads((FOLDER / "crossover-cpu.json").read_text(encoding="utf-8"))["subjects"]["crossover"][
        "rates"
    ]:
        current = {name: getattr(costs.RATES["compiled"], name) for name in rates.CONSTANTS}
        assert row["planner"] == current, "measure again after changing the constants of compiled loops"


def test_the_committed_choices_are_mostly_right():
    figures = json.loads((FOLDER / "crossover-cpu.json").read_text(encoding="utf-8"))
    assert report.faults(figures) == []
    rows = {row["library"]: row for row in figures["subjects"]["crossover"]["choices"]}
    assert rows["numpy"]["count"] >= 490
    assert rows["numpy"]["within_margin"] >= 0.95 * rows["numpy"]["count"]
    assert rows["numpy without compiled loops"]["within_margin"] >= 0.85 * rows["numpy without compiled loops"]["count"]


def test_the_constants_of_compiled_loops_are_found_again(monkeypatch):
    """From times that follow the formula: a start, so much a sample and so much a product."""
    start, sample, product = 50e-6, 700e-12, 30e-12

    def predicted(pair, patience):
        work = [
            pair.samples * pair.width * (pair.sweeps * sample + taps * len(pair.axes) * product) for taps in (5, 45)
        ]
        return [{"fastest_s": start + seconds} for seconds in work]

    monkeypatch.setattr(compiled_rates, "_times", predicted)
    monkeypatch.setattr(compiled_rates, "_start", lambda patience: {"fastest_s": start})
    found = compiled_rates.measure(1.0)["measured"]
    assert (found["call"], found["copy"], found["line_product"]) == (50_000_000, 700, 30)


def test_constants_without_compiled_loops_are_measured_without_them():
    before = compiled.WORK
    with rates.without_compiled_loops():
        assert compiled.why_not(10**12, "float32") is not None
    assert before == compiled.WORK


def _measured(case, rows):
    contenders = [
        {"name": name, "status": "timed", "ratio": ratio, "lower_quartile_s": 1.0, "upper_quartile_s": spread}
        for name, ratio, spread in rows
    ]
    return {"case": case, "library": "numpy", "contenders": contenders}


def test_goals_are_judged_by_the_least_ratio_of_the_fastest_peer(monkeypatch):
    cases = [
        _measured("a", [("gpuconv", 1.0, 1.1), ("slow", 9.0, 1.1), ("fast", 3.0, 1.1)]),
        _measured("b", [("gpuconv", 1.0, 1.1), ("other", 1.0, 1.1), ("slow", 2.5, 1.1), ("plain", 0.5, 9.0)]),
    ]
    second = ("slow",)
    chosen = (
        goals.Goal("unknown", "p", "s", ("c",), second, 1.0, 1.0),
        goals.Goal("w", "p", "s", ("a", "b"), ("slow", "fast"), 2.0, 2.2),
        goals.Goal("part", "p", "s", ("a", "c"), ("fast",), 2.0, 4.0),
        goals.Goal("other way", "p", "s", ("b",), second, 6.0, 7.0, ours="plain"),
    )
    monkeypatch.setattr(goals, "GOALS", chosen)
    table = goals.table([{"subjects": {"s": {"cases": cases}}}])
    assert table.splitlines()[2:] == [
        "| other way | p | (5.00) | 6 | 7 | missed |",
        "| w | p | 2.50 | 2 | 2.2 | aim reached |",
        "| part | p | 3.00 | 2 | 4 | reached, of a part of it |",
        "| unknown | p |  | 1 | 1 | not measured |",
        "",
    ]


def test_goals_that_are_no_ratios_are_judged_too(result):
    result["subjects"]["methods"]["overhead"][0]["stages"] = [
        {"stage": "whole call", "median_s": 50e-6},
        {"stage": "SciPy's part", "median_s": 20e-6},
    ]
    rows = [{"operation": name, "cold_s": cold, "cached_s": 0.4} for name, cold in (("one", 2.0), ("two", 4.0))]
    result["subjects"]["start"] = {"cases": [], "starts": rows}
    choice = {"library": "numpy", "margin": 1.25, "asked": 500, "count": 400, "within_margin": 380}
    result["subjects"]["crossover"] = {"cases": [], "choices": [choice]}
    assert goals.table([result]).splitlines()[-4:] == [
        "* At most 25 us of a small call on top of SciPy's part: 30 us, missed.",
        "* First call of a process, with nothing compiled, in at most 3 s: 4 s for two, missed.",
        "* First call of a process, compiled before, in at most 500 ms: 400 ms for one, reached.",
        '* `method="auto"` within 1.25 of the fastest on 95% of 500 random problems: 95.0% of 400, reached.',
    ]


def test_every_goal_is_about_cases_that_are_measured_and_peers_that_take_part():
    """All but where a peer does not know the boundary."""
    works = {
        subject: {work.name: work for work in command.SUBJECTS[subject].works}
        for subject in ("lines", "separable", "dense", "bytes")
    }
    known = {peer.name: peer for peer in peers.PEERS}
    others = {work.name for work in (*bench_steps.CASES, *bench_channels.CASES)}
    for goal in goals.GOALS:
        for case in goal.cases:
            if goal.subject not in works:
                assert case in others, goal.work
                continue
            work = works[goal.subject][case]
            taking = [name for name in goal.peers if known[name].why_not(work) is None]
            assert taking or work.boundary == "wrap", goal.work


def test_figures_are_written_with_what_fits_a_line_on_one(result):
    text = command._written(result)
    assert json.loads(text) == json.loads(json.dumps(result))
    assert max(map(len, text.splitlines())) <= command.LINE
    assert len(text.splitlines()) < len(json.dumps(result, indent=1).splitlines()) / 2
