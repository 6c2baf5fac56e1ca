"""Machine code is found again by later processes, and only where it is what it says it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="compiled loops need llvmlite")

import gpuconv
from gpuconv.backends.cpu import kept

ROOT = Path(__file__).resolve().parents[2]
# What a large call gives, and how many functions were compiled for it.
CALL = """
import numpy as np, gpuconv
from gpuconv.backends.cpu import compiling
made, original = [], compiling._machine_code
compiling._machine_code = lambda *given: made.append(1) or original(*given)
x = np.arange(512 * 512, dtype=np.float32).reshape(512, 512)
print(float(gpuconv.convolve_separable(x, [np.full(17, 1 / 17)] * 2)[200, 200]), len(made))
"""


@pytest.fixture
def call(run_python, tmp_path):
    """What a process with this folder gives, and how many functions it compiled."""

    def run(folder=tmp_path):
        value, made = run_python(CALL, GPUCONV_CACHE_DIR=str(folder)).split()
        assert float(value) == pytest.approx(200 * 512 + 200, rel=1e-5)
        return int(made)

    return run


def test_later_processes_compile_nothing(call, tmp_path):
    made = call()
    assert made == len(list(tmp_path.iterdir())) > 0
    assert call() == 0


def test_files_that_are_cut_short_or_changed_are_made_anew(call, tmp_path):
    call()
    first, second, *others = sorted(tmp_path.iterdir())
    whole = [first.read_bytes(), second.read_bytes()]
    first.write_bytes(whole[0][:-1])
    second.write_bytes(bytes([whole[1][0] ^ 1]) + whole[1][1:])
    others[0].write_bytes(b"")
    assert call() == 3
    assert len(first.read_bytes()) == len(whole[0])
    assert call() == 0


def test_code_of_other_sources_counts_as_none(tmp_path, monkeypatch):
    place = tmp_path / "code"
    kept.save(place, b"code")
    assert kept.load(place) == b"code"
    monkeypatch.setattr(kept, "sources_digest", lambda: b"of tomorrow")
    assert kept.load(place) is None


def test_files_that_change_under_a_process_are_not_mixed_with_what_it_has_loaded(run_python, tmp_path):
    """Neither in what it runs, nor in what later processes find."""
    package = shutil.copytree(
        Path(gpuconv.__file__).parent, tmp_path / "gpuconv", ignore=shutil.ignore_patterns("__pycache__")
    )
    loops, before = package / "backends" / "cpu" / "loops.py", "read = at + (first + start) * stride"
    assert before in loops.read_text()
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import pathlib, numpy as np, gpuconv
from gpuconv.backends.cpu import compiled, kept, loops
compiled.WORK = 0
assert compiled.failure() is None
path = pathlib.Path(loops.__file__)
text = path.read_text()
path.write_text(text.replace({before!r}, "read = at + (first + start + 1) * stride"))
line = np.arange(500, dtype=np.float32)
print(gpuconv.convolve(line, np.ones(3), mode="valid", method="direct")[250])
path.write_text(text)
kept.sources.cache_clear(), kept.sources_digest.cache_clear()
print(all(kept.load(each) for each in pathlib.Path({str(tmp_path / "cache")!r}).iterdir()))
"""
    assert run_python(code, GPUCONV_CACHE_DIR=str(tmp_path / "cache")).split() == ["753.0", "True"]


def test_functions_and_processors_have_files_of_their_own(monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "_folder", lambda: tmp_path)
    names = {kept.place(name, host) for name in ("loops-_lines", "loops-_rows") for host in ("this", "that")}
    assert len(names) == 4
    assert all(str(each).startswith(str(tmp_path / "loops-_")) for each in names)


def test_processes_that_compile_at_once_do_not_disturb_each_other(tmp_path):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CALL],
            cwd=ROOT,
            env=os.environ | {"GPUCONV_CACHE_DIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    values = {process.communicate(timeout=120)[0].split()[0] for process in running}
    assert len(values) == 1
    assert all(process.returncode == 0 for process in running)
    assert all(path.suffix == ".code" for path in tmp_path.iterdir()), "half-written files are left"


def test_the_folder_of_the_package_comes_first_then_the_users_then_none(monkeypatch, tmp_path):
    monkeypatch.delenv(kept.VARIABLE, raising=False)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    beside = Path(kept.__file__).parent / "__pycache__"
    own, users = list(kept._folders())
    assert own == beside
    assert users.name == "gpuconv"
    refused: list[Path] = []
    monkeypatch.setattr(kept, "_is_writable", lambda folder: folder not in refused)
    for expected in (own, users, None):
        assert kept._folder.__wrapped__() == expected
        refused.append(expected)
    monkeypatch.setenv(kept.VARIABLE, str(tmp_path / "mine"))
    assert list(kept._folders()) == [tmp_path / "mine"]


def test_a_folder_that_cannot_be_written_to_is_noticed(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    assert not kept._is_writable(file / "folder")
    assert kept._is_writable(tmp_path / "new" / "folder")


def test_without_a_place_all_is_compiled_and_nothing_is_kept(call, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    assert call(file / "folder") == call(file / "folder") > 0
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    kept.save(None, b"code")
    assert kept.load(None) is None


def test_a_signal_leaves_no_half_written_file(monkeypatch, tmp_path):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(kept.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kept.save(tmp_path / "code", b"code")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_no_failure(monkeypatch, tmp_path):
    def no_room(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept.os, "replace", no_room)
    kept.save(tmp_path / "code", b"code")
    assert list(tmp_path.iterdir()) == []
    x = np.ones((512, 512), np.float32)
    assert gpuconv.convolve_separable(x, [np.ones(3)] * 2, mode="valid").max() == 9
