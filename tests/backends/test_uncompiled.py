"""Where loops cannot be compiled all work is done without them, and plans and `gpuconv info` say why."""

from __future__ import annotations

import compileall
import shutil
from pathlib import Path

import pytest

import gpuconv

pytest.importorskip("llvmlite", reason="compiled loops need llvmlite")

# Ways in which llvmlite is there, and of no use: each is a module that is put in its place.
BROKEN = {
    "does not load": ("raise OSError('libllvmlite.so: no such file')", "OSError: libllvmlite.so: no such file"),
    "is too old": ("", "ImportError: cannot import name 'ir' from 'llvmlite'"),
}
LARGE = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np, gpuconv
from gpuconv.backends import devices
from gpuconv.backends.cpu import compiled
x, taps = np.ones((512, 512), np.float32), [np.full(17, 1 / 17)] * 2
print(gpuconv.__file__)
print(gpuconv.convolve_separable(x, taps, boundary="wrap").mean())
print(gpuconv.convolve_separable(x, taps, boundary="wrap").mean())
print(compiled.why_not(10**9, "float32"))
print(devices.compilers()[0].state)
"""


@pytest.mark.parametrize("what", BROKEN)
def test_where_llvmlite_is_of_no_use_all_work_is_done_and_the_reason_said(what, run_python, tmp_path):
    content, reason = BROKEN[what]
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite" / "__init__.py").write_text(content)
    _, *means, sentence, state = run_python(LARGE.format(folder=str(tmp_path))).splitlines()
    assert [float(mean) for mean in means] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert sentence.startswith(f"llvmlite is installed, but loops cannot be compiled: {reason}")
    assert reason.split(": ")[1].split(" from ")[0] in state


@pytest.mark.parametrize("kind", ["archive", "without sources"])
def test_packages_without_sources_on_the_disk_do_all_work_without_the_compiler(kind, run_python, tmp_path):
    package = shutil.copytree(
        Path(gpuconv.__file__).parent, tmp_path / "site" / "gpuconv", ignore=shutil.ignore_patterns("__pycache__")
    )
    if kind == "archive":
        place = shutil.make_archive(str(tmp_path / "packed"), "zip", package.parent)
    else:
        place = str(package.parent)
        assert compileall.compile_dir(package, quiet=1, legacy=True)
        for path in package.rglob("*.py"):
            path.unlink()
    printed = run_python(LARGE.format(folder=place), GPUCONV_CACHE_DIR=str(tmp_path / "cache")).splitlines()
    loaded, *means, sentence, state = printed
    assert loaded.startswith(place)
    assert [float(mean) for mean in means] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert sentence.startswith("llvmlite is installed, but loops cannot be compiled: RuntimeError: ")
    assert "no source" in sentence
    assert state.startswith(sentence[0].upper() + sentence[1:])
