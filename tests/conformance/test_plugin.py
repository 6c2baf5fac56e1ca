"""The conformance job can fail: on an unlisted failure, on a stale entry, and when it tests nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import scipy

from tests.conformance import run
from tests.conformance.plugin import EXCEPTIONS, REPLACED, read_exceptions, summary
from tests.conftest import ROOT

# Stands for one of SciPy's test modules.
FOREIGN = """
import numpy as np
import pytest
from scipy import ndimage, signal
from scipy.ndimage import correlate

def test_calls_a_name_bound_at_import():
    assert correlate([1, 2], [2]).tolist() == [2, 4]

@pytest.mark.parametrize("count", [1, 2])
def test_calls_through_the_module(count):
    assert signal.convolve(np.ones(count), [2.0]).tolist() == [2.0] * count

def test_is_computed_by_scipy():
    assert ndimage.correlate(np.array([True, False]), [1.0]).tolist() == [True, False]

def test_calls_nothing():
    pass

def test_is_skipped():
    correlate([1, 2], [2])
    pytest.skip("for a reason of its own")
"""
FAILING = """
def test_fails():
    assert ndimage.convolve1d([1, 2], [2]).tolist() == [0, 0]

@pytest.fixture
def broken():
    raise ValueError("broken")

def test_fails_in_its_setup(broken):
    pass
"""


@pytest.fixture
def judge(tmp_path):
    """``judge(source, {name: reason})``: the plugin's verdict on a test module, as exit code, output and counts."""

    def judge(source: str, exceptions: dict[str, str], *options: str) -> SimpleNamespace:
        module, listed, results = (tmp_path / name for name in ("test_foreign.py", "listed.toml", "results.json"))
        module.write_text(source)
        listed.write_text(
            "".join(f"[[exception]]\ntest = {test!r}\nreason = {exceptions[test]!r}\n" for test in exceptions)
        )
        finished = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", str(module), "-c", str(run.FOLDER / "scipy_tests.ini")),
                *("-p", "tests.conformance.plugin", "-rA", f"--conformance-exceptions={listed}"),
                *(f"--conformance-results={results}", *options),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert results.exists(), finished.stdout + finished.stderr
        return SimpleNamespace(code=finished.returncode, output=finished.stdout, **json.loads(results.read_text()))

    return judge


def test_sound_tests_pass_and_are_counted(judge):
    verdict = judge(FOREIGN, {})
    assert verdict.code == 0, verdict.output
    counted = ("run", "skipped", "touching", "touching_passed", "touching_handed_to_scipy", "listed", "stale")
    assert [getattr(verdict, name) for name in counted] == [5, 1, 4, 4, 1, 0, 0]
    assert verdict.unlisted_failures == 0
    called = {name: calls for name, calls in verdict.calls.items() if calls}
    assert called == {"ndimage.correlate": 3, "signal.convolve": 2}
    assert set(verdict.calls) == {f"{module}.{name}" for module, names in REPLACED.items() for name in names}
    assert "5 tests run, 4 touch gpuconv's functions, 4 of these pass" in verdict.output


def test_an_unlisted_failure_breaks_the_run(judge):
    verdict = judge(FOREIGN + FAILING, {"test_foreign::test_fails_in_its_setup": "its fixture is broken"})
    assert verdict.code == 1
    assert (verdict.unlisted_failures, verdict.listed, verdict.stale) == (1, 1, 0)
    assert re.search("FAILED.*test_fails", verdict.output)


def test_listed_failures_are_forgiven(judge):
    listed = {"test_foreign::test_fails": "twice one is not nothing", "test_foreign::test_fails_in_its_setup": "broken"}
    verdict = judge(FOREIGN + FAILING, listed)
    assert verdict.code == 0, verdict.output
    assert (verdict.unlisted_failures, verdict.listed, verdict.stale) == (0, 2, 0)
    assert "twice one is not nothing" in verdict.output


def test_a_listed_test_that_passes_is_stale_and_breaks_the_run(judge):
    verdict = judge(FOREIGN, {"test_foreign::test_calls_through_the_module[2]": "it used to fail"})
    assert verdict.code == 1
    assert (verdict.stale, verdict.touching_passed, verdict.unlisted_failures) == (1, 3, 0)
    assert "stale: test_foreign::test_calls_through_the_module[2] passes; remove it" in verdict.output


def test_a_name_without_parameters_stands_for_all_of_them(judge):
    source = FOREIGN.replace("[2.0] * count", "None")
    entry = {
        "test_foreign::test_calls_through_the_module": "the expected value is wrong",
        "test_foreign::test_gone": "old",
    }
    verdict = judge(source, entry)
    assert verdict.code == 0, verdict.output
    assert verdict.listed == 2
    assert "listed, but not among the tests of this run: test_foreign::test_gone" in verdict.output


def test_scipys_own_functions_are_counted_and_not_judged(judge):
    verdict = judge(
        FOREIGN + FAILING, {"test_foreign::test_calls_nothing": "of no account"}, "--conformance-judged=scipy"
    )
    assert verdict.code == 0, verdict.output
    assert (verdict.judged, verdict.touching, verdict.touching_passed, verdict.unlisted_failures) == ("scipy", 5, 4, 2)
    assert (verdict.listed, verdict.touching_handed_to_scipy) == (0, 0)


def test_a_run_out_of_time_says_how_many_tests_it_left(judge):
    verdict = judge(FOREIGN, {}, "--conformance-seconds=0")
    assert verdict.not_run == 5
    assert "5 not run for want of time" in verdict.output
    assert judge(FOREIGN, {}, "--conformance-seconds=100").not_run == 0


@pytest.mark.parametrize("fault", ['test = "a"', 'test = "a"\nreason = " "', 'test = "a"\nreason = "b"\nalso = "c"'])
def test_an_exception_needs_a_test_and_a_reason(tmp_path, fault):
    path = tmp_path / "listed.toml"
    path.write_text(f"[[exception]]\n{fault}\n")
    with pytest.raises(ValueError, match="an exception needs a test and a reason, and nothing else"):
        read_exceptions(path)


def test_the_exceptions_are_of_the_tests_that_are_run():
    for name in read_exceptions(EXCEPTIONS):
        assert name.split("::")[0] in run.MODULES


# The job around the plugin.


@pytest.fixture
def finish(monkeypatch, tmp_path):
    """``finish(arguments, calls, code)``: exit code of the job, had pytest written these calls and ended like this."""

    def finish(arguments, calls, code):
        def pretend(command, **options):
            if calls is not None:
                path = next(word.partition("=")[2] for word in command if word.startswith("--conformance-results="))
                Path(path).write_text(json.dumps({"calls": calls, "not_run": 0}))
            return SimpleNamespace(returncode=code)

        monkeypatch.setattr(run.subprocess, "run", pretend)
        return run.main(arguments)

    return finish


def test_the_job_ends_like_its_tests(finish):
    assert finish([], {"ndimage.correlate": 3}, 0) == 0
    assert finish([], {"ndimage.correlate": 3}, 1) == 1


def test_a_complete_run_must_call_every_replaced_function(finish, capsys):
    calls = {"ndimage.correlate": 3, "signal.oaconvolve": 0}
    assert finish([], calls, 0) == 1
    assert "no test called signal.oaconvolve" in capsys.readouterr().err
    assert finish(["-k", "correlate"], calls, 0) == 0


def test_a_run_without_results_fails(finish, capsys, tmp_path):
    old = tmp_path / "old.json"
    old.write_text('{"calls": {"ndimage.correlate": 1}}')
    assert finish([f"--conformance-results={old}"], None, 0) == 1
    assert "stopped before any test ran" in capsys.readouterr().err


def test_results_are_kept_where_asked(finish, tmp_path):
    assert finish([f"--conformance-results={tmp_path / 'kept.json'}"], {"ndimage.correlate": 1}, 0) == 0
    assert json.loads((tmp_path / "kept.json").read_text()) == {"calls": {"ndimage.correlate": 1}, "not_run": 0}


def test_scipys_tests_are_told_of_a_third_of_the_memory(tmp_path, monkeypatch):
    monkeypatch.delenv("SCIPY_AVAILABLE_MEM", raising=False)
    memory = tmp_path / "meminfo"
    assert "SCIPY_AVAILABLE_MEM" not in run.environment(memory)
    memory.write_text("MemFree:    100 kB\nMemAvailable:   9000 kB\n")
    assert run.environment(memory)["SCIPY_AVAILABLE_MEM"] == "3000k"
    monkeypatch.setenv("SCIPY_AVAILABLE_MEM", "5G")
    assert run.environment(memory)["SCIPY_AVAILABLE_MEM"] == "5G"


def test_a_few_of_scipys_own_tests_pass(tmp_path):
    if tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 17):
        pytest.skip("the conformance job is for the tests of SciPy 1.17 and later")
    if any(find_spec(name) is None for name in run.MODULES):
        pytest.skip("this SciPy was installed without its tests")
    results = tmp_path / "results.json"
    command = run.command(results, ["-k", "test_correlate0 or test_input_swapping"])
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    counts = json.loads(results.read_text())
    assert counts["touching_passed"] == counts["touching"] == counts["run"] > 10


def test_the_documentation_quotes_the_recorded_counts():
    recorded = json.loads((run.FOLDER / "results.json").read_text())
    assert summary(recorded) in " ".join((ROOT / "docs" / "scipy.md").read_text().split())
    assert recorded["unlisted_failures"] == recorded["stale"] == 0
    assert recorded["touching"] == recorded["touching_passed"] + recorded["listed"]
    assert all(recorded["calls"].values())
