"""The scripts under .ci/ do what the Makefile and CI rely on."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest
import scipy

from benchmarks import __main__ as benchmarks
from tests.conftest import ROOT


def _script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lowest_version_is_the_declared_bound():
    lowest = _script("lowest").lowest
    assert lowest("numpy>=1.26") == "numpy==1.26"
    assert lowest("array-api-compat >= 1.12, <2") == "array-api-compat==1.12"


@pytest.mark.parametrize("requirement", ["numpy", "numpy>1.26", "numpy==1.26", "numpy<2"])
def test_a_dependency_without_a_lower_bound_is_refused(requirement):
    with pytest.raises(SystemExit, match="each dependency needs a lower bound"):
        _script("lowest").lowest(requirement)


def _distributions(folder, wheel_names, sdist_names):
    with zipfile.ZipFile(folder / "a.whl", "w") as wheel:
        for name in wheel_names:
            wheel.writestr(name, "")
    with tarfile.open(folder / "a.tar.gz", "w:gz") as sdist:
        for name in sdist_names:
            sdist.addfile(tarfile.TarInfo("gpuconv-0.1/" + name), io.BytesIO())


def test_distributions_are_compared_with_the_tree(tmp_path):
    script = _script("compare_distributions")
    files = script.package_files()
    assert {"gpuconv/py.typed", "gpuconv/__init__.py"} <= files
    sound = [*files, "gpuconv-0.1.dist-info/METADATA"]
    _distributions(tmp_path, sound, [*files, *script.SDIST_NEEDS])
    assert script.faults(tmp_path) == []
    _distributions(tmp_path, [*files - {"gpuconv/py.typed"}, "tests/conftest.py"], [*files, *script.SDIST_NEEDS[1:]])
    assert script.faults(tmp_path) == [
        "the wheel lacks gpuconv/py.typed",
        "the wheel has tests/conftest.py, which is not part of gpuconv",
        f"the sdist lacks {script.SDIST_NEEDS[0]}",
    ]


def test_the_gpu_visit_ends_at_once_without_a_gpu(tmp_path):
    # No device is visible to CuPy, where there is one.
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "OUT": str(tmp_path)}
    command = [sys.executable, str(ROOT / ".ci" / "gpu.py")]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 3
    assert finished.stderr.startswith("no GPU to visit: CuPy ")
    assert finished.stderr.endswith("Nothing was run.\n")
    assert list(tmp_path.iterdir()) == []


def test_the_gpu_visit_measures_every_subject_on_cupy_and_fits_its_time(tmp_path):
    script = _script("gpu")
    steps = script.steps(tmp_path)
    subjects = [subject for subject in benchmarks.SUBJECTS if subject not in benchmarks.OF_NUMPY]
    assert [step.name for step in steps] == ["tests", "conformance-cupyx", "conformance-gpuconv", *subjects]
    assert script.PROBE_SECONDS + sum(step.seconds for step in steps) <= script.VISIT_SECONDS == 600
    for step in steps[3:]:
        parsed = benchmarks._parser().parse_args(step.command[3:])
        assert (parsed.command, parsed.subject, parsed.library) == (benchmarks.run_command, (step.name,), ("cupy",))
        assert parsed.quick
        assert parsed.json == tmp_path / f"gpu-{step.name}.json"


def test_the_gpu_visit_runs_a_sample_of_scipys_tests_on_each(tmp_path, monkeypatch):
    if tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 17):
        pytest.skip("the conformance job is for the tests of SciPy 1.17 and later")
    script = _script("gpu")
    for step, judged in zip(script.steps(tmp_path)[1:3], ("scipy", "gpuconv"), strict=True):
        assert step.command[1:3] == ["-m", "tests.conformance.run"]
        assert f"--conformance-judged={judged}" in step.command
        # CuPy needs a GPU; the same command runs on another library.
        monkeypatch.setattr(script, "ROOT", ROOT)
        command = [word.replace("cupy", "array_api_strict") if word == "cupy" else word for word in step.command]
        command = [word.replace(f"={script.CONFORMANCE_SECONDS}", "=2") for word in command]
        variables = (("SCIPY_ARRAY_API", '["array_api_strict"]'),)
        script.run_logged(script.Step(step.name, command, 120, variables), tmp_path / "log")
        counts = json.loads((tmp_path / f"gpu-{step.name}.json").read_text())
        assert counts["judged"] == judged
        assert counts["not_run"] > 0
        assert 0 < counts["touching_passed"] <= counts["touching"]


def test_the_gpu_visit_keeps_what_a_step_prints_and_its_exit_code(tmp_path, capfd):
    command = [sys.executable, "-c", "print('one'); raise SystemExit(7)"]
    script = _script("gpu")
    assert script.run_logged(script.Step("seven", command, 60), tmp_path / "log") == 7
    assert (tmp_path / "log").read_text() == "one\n"
    assert "one\n" in capfd.readouterr().out


def test_the_gpu_visit_ends_a_step_that_runs_out_of_time_with_its_children(tmp_path, capfd):
    child = [sys.executable, "-c", "import time; print('started', flush=True); time.sleep(60)"]
    command = [sys.executable, "-c", f"import subprocess; subprocess.run({child!r})"]
    started = time.monotonic()
    # The child holds the pipe open: that reading ends shows that it was ended too.
    script = _script("gpu")
    assert script.run_logged(script.Step("slow", command, 1), tmp_path / "log") != 0
    assert time.monotonic() - started < 30
    assert "it ran out of time" in capfd.readouterr().out


def test_the_gpu_visit_takes_array_api_compat_from_a_wheel_where_it_is_missing(tmp_path, monkeypatch):
    script = _script("gpu")
    monkeypatch.setenv("PYTHONPATH", "already")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / "array_api_compat-9-py3-none-any.whl", "w") as wheel:
        wheel.writestr("array_api_compat_of_the_wheel.py", "print('from the wheel')")
    assert script.environment()["PYTHONPATH"] == "already"
    monkeypatch.setattr(script.importlib.util, "find_spec", lambda name: None)
    environment = script.environment()
    assert environment["PYTHONPATH"].endswith(os.pathsep + "already")
    command = [sys.executable, "-c", "import array_api_compat_of_the_wheel"]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert finished.stdout == "from the wheel\n"
