"""`gpuconv info`: what runs here and why the rest does not, in sentences."""

from __future__ import annotations

import platform
import sys

import numpy as np
import scipy

import gpuconv
from gpuconv.backends import devices, registry
from gpuconv.backends.devices import Library
from gpuconv.cli.info import backend_rows
from tests.cli.command_line import assert_done, command

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
from gpuconv.cli import main
raise SystemExit(main(["info"]))
"""


def _unwrapped(text: str) -> str:
    return " ".join(text.split())


def test_info_names_versions_devices_and_backends(capsys):
    outcome = command(capsys, "info")
    assert_done(outcome)
    lines = outcome.out.splitlines()
    titles = [line for line in lines if line and not line.startswith(" ")]
    assert titles == ["Versions", "Array libraries", "Compilers", "Devices", "Backends", "Files and pictures"]
    words = _unwrapped(outcome.out)
    for name, version in (
        ("gpuconv", gpuconv.__version__),
        ("Python", platform.python_version()),
        ("numpy", np.__version__),
        ("scipy", scipy.__version__),
    ):
        assert f"{name} {version}" in words
    assert f"cpu {devices.cpu_state()}" in words
    assert _unwrapped(devices.cuda_state()[1]) in words
    installed = {library.name for library in devices.array_libraries() if library.version is not None}
    for backend in registry.BACKENDS:
        runs = backend.library == "any" or backend.library in installed
        assert (f"{backend.name} Runs: {backend.summary}." in words) == runs
    assert max(len(line) for line in lines) <= 100


def test_info_without_any_optional_library(run_python):
    names = ["cupy", "torch", "jax", "dask", "array_api_strict", "llvmlite", "imageio", "tifffile", "matplotlib"]
    words = _unwrapped(run_python(BLOCKED.format(names=[*names, "skimage", "tqdm"])))
    assert 'cupy Not installed. To have it: pip install "gpuconv[cuda13]" (or "gpuconv[cuda12]").' in words
    assert "cuda Not used. CuPy is not installed. On a computer with an NVIDIA GPU: pip install" in words
    assert 'llvmlite Not installed. To have it: pip install "gpuconv[cpu]". Without it SciPy and NumPy do' in words
    assert "torch Not installed. To have it: pip install torch." in words
    assert "dask Does not run: it takes dask arrays. Not installed." in words
    for name in ("imageio", "tifffile", "matplotlib", "scikit-image", "tqdm"):
        assert f"{name} Not installed. " in words
    assert words.count('To have it: pip install "gpuconv[images]".') == 5
    assert "cpu Runs: NumPy arrays" in words


def test_info_with_cupy_but_no_driver(capsys, monkeypatch):
    sentence = "CuPy is installed, but this computer has no NVIDIA driver. Install the driver of your GPU."
    monkeypatch.setattr(devices, "cuda_state", lambda: (False, sentence))
    monkeypatch.setitem(sys.modules, "cupy", np)
    words = _unwrapped(command(capsys, "info").out)
    assert f"cupy {np.__version__}. {sentence}" in words
    assert f"cuda Not used. {sentence}" in words


def test_info_with_a_working_gpu(capsys, monkeypatch):
    sentence = "CuPy computes on 1 CUDA device: Test GPU with 16 GiB of memory."
    monkeypatch.setattr(devices, "cuda_state", lambda: (True, sentence))
    assert f"cuda {sentence}" in _unwrapped(command(capsys, "info").out)


def test_a_backend_of_a_broken_library_does_not_run():
    rows = dict(backend_rows([Library("dask", None, "Installed, but importing it fails: no toolz.")]))
    assert rows["dask"] == "Does not run: it takes dask arrays. Installed, but importing it fails: no toolz."
    assert rows["generic"].startswith("Runs: ")


def test_a_forced_backend_is_said(monkeypatch):
    monkeypatch.setenv("GPUCONV_BACKEND", "generic")
    sentences = [sentence for _, sentence in backend_rows([])]
    assert sentences[-1] == "GPUCONV_BACKEND=generic keeps the others out where generic can do the work."
