"""What can be computed on: with and without CuPy, with and without a driver."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from gpuconv.backends import devices
from gpuconv.errors import DeviceError


class _Runtime:
    def __init__(self, driver):
        self._driver = driver

    def driverGetVersion(self):
        if isinstance(self._driver, Exception):
            raise self._driver
        return self._driver

    def getDeviceCount(self):
        return 2

    def getDeviceProperties(self, index):
        return {"name": b"Test GPU", "totalGlobalMem": (16 + index) * 2**30}


class _DeviceArray:
    """Stands for a CuPy array: not a NumPy array, and back through `get`."""

    def __init__(self, values):
        self.values = np.array(values)

    def fill(self, value):
        self.values.fill(value)

    def __add__(self, other):
        return _DeviceArray(self.values + other)

    def get(self):
        return self.values


def _cupy(driver=13000, allocate=_DeviceArray, compiled=_DeviceArray):
    cupy = types.ModuleType("cupy")
    cupy.__version__ = "14.9"
    cupy.float32 = np.float32
    cupy.empty = lambda size, dtype: allocate(np.empty(size, dtype))
    cupy.ones = lambda size, dtype: compiled(np.ones(size, dtype))
    cupy.asarray = _DeviceArray
    cupy.cuda = types.SimpleNamespace(runtime=_Runtime(driver))
    return cupy


def _raising(failure):
    def fail(*words):
        raise failure

    return fail


@pytest.fixture(autouse=True)
def _other_libraries(monkeypatch):
    """Stand-ins for all libraries but NumPy: what is installed here must not matter, nor be loaded half way."""
    for name in ("torch", "jax", "dask", "dask.array", "array_api_strict", "llvmlite"):
        library = types.ModuleType(name)
        library.__version__ = f"1.2 of {name}"
        library.cuda = types.SimpleNamespace(is_available=lambda: False)
        monkeypatch.setitem(sys.modules, name, library)


@pytest.fixture
def with_cupy(monkeypatch):
    return lambda cupy: monkeypatch.setitem(sys.modules, "cupy", cupy)


def test_without_cupy_the_extra_is_named(with_cupy):
    with_cupy(None)
    works, sentence = devices.cuda_state()
    assert not works
    assert sentence == 'CuPy is not installed. On a computer with an NVIDIA GPU: pip install "gpuconv[cuda13]".'
    row = {library.name: library for library in devices.array_libraries()}["cupy"]
    assert row.version is None
    assert row.state == 'Not installed. To have it: pip install "gpuconv[cuda13]" (or "gpuconv[cuda12]").'


@pytest.mark.parametrize(
    ("cupy", "sentence"),
    [
        (
            _cupy(driver=0, allocate=_raising(RuntimeError("cudaErrorInsufficientDriver: too old"))),
            "CuPy is installed, but this computer has no NVIDIA driver. Install the driver of your GPU.",
        ),
        (
            _cupy(driver=11000, allocate=_raising(RuntimeError("cudaErrorInsufficientDriver: the driver is too old."))),
            "CuPy is installed, but CUDA does not work: cudaErrorInsufficientDriver: the driver is too old.",
        ),
        (
            _cupy(driver=RuntimeError("no runtime"), allocate=_raising(RuntimeError("\n=====\n  first words\nmore"))),
            "CuPy is installed, but CUDA does not work: first words.",
        ),
        (
            _cupy(compiled=_raising(ImportError("libnvrtc.so was not found"))),
            "CuPy is installed, but CUDA does not work: libnvrtc.so was not found.",
        ),
    ],
)
def test_a_cupy_that_does_not_work_says_why(with_cupy, cupy, sentence):
    with_cupy(cupy)
    assert devices.cuda_state() == (False, sentence)
    assert devices.choose_device("auto") == "cpu"
    with pytest.raises(DeviceError, match="needs a working CUDA GPU: CuPy is installed") as refused:
        devices.to_device(np.ones(3), "cuda")
    assert sentence.rstrip(".") in str(refused.value)


def test_a_cupy_that_cannot_be_imported_says_why(tmp_path, monkeypatch):
    (tmp_path / "cupy.py").write_text("raise ImportError('\\n====\\nlibcudart is missing.\\nFor advice, see ...')")
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert devices.cuda_state() == (False, "CuPy is installed, but importing it fails: libcudart is missing.")
    (tmp_path / "cupy.py").write_text("import a_part_that_is_missing")
    assert "No module named 'a_part_that_is_missing'" in devices.cuda_state()[1]
    row = {library.name: library for library in devices.array_libraries()}["cupy"]
    assert row.state == "Installed, but importing it fails: No module named 'a_part_that_is_missing'."


def test_a_working_cupy_names_its_devices(with_cupy):
    with_cupy(_cupy())
    works, sentence = devices.cuda_state()
    assert works
    assert sentence == (
        "CuPy computes on 2 CUDA devices: Test GPU with 16 GiB of memory, Test GPU with 17 GiB of memory."
    )
    assert devices.choose_device("auto") == devices.choose_device("cuda") == "cuda"
    assert devices.choose_device("cpu") == "cpu"


def test_arrays_go_to_the_device_and_come_back(with_cupy):
    with_cupy(_cupy())
    array = np.arange(4.0)
    assert devices.to_device(array, "cpu") is array
    assert devices.to_host(array) is array
    for device in ("cuda", "auto"):
        moved = devices.to_device(array, device)
        assert isinstance(moved, _DeviceArray)
        np.testing.assert_array_equal(devices.to_host(moved), array)


def test_the_cpu_is_chosen_without_looking_for_cupy(monkeypatch):
    monkeypatch.setattr(devices, "cuda_state", lambda: pytest.fail("looked for CUDA"))
    assert devices.choose_device("cpu") == "cpu"


def test_unknown_devices_are_refused():
    with pytest.raises(ValueError, match="device must be one of 'auto', 'cpu', 'cuda': got 'tpu'"):
        devices.to_device(np.ones(3), "tpu")


@pytest.mark.gpu
def test_a_real_gpu_is_found_and_used():
    cupy = pytest.importorskip("cupy")
    works, sentence = devices.cuda_state()
    if not works:
        pytest.skip(sentence)
    moved = devices.to_device(np.arange(5), "cuda")
    assert isinstance(moved, cupy.ndarray)
    np.testing.assert_array_equal(devices.to_host(moved), np.arange(5))


def test_installed_libraries_have_a_version_and_absent_ones_a_remedy(monkeypatch, with_cupy):
    with_cupy(None)
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    rows = {library.name: library for library in devices.array_libraries() + devices.compilers()}
    assert list(rows) == ["numpy", "cupy", "torch", "jax", "dask", "array-api-strict", "llvmlite"]
    assert rows["numpy"].version == np.__version__
    assert rows["dask"] == devices.Library("dask", "1.2 of dask", "Lazy arrays, one block after the other.")
    assert rows["array-api-strict"].version == "1.2 of array_api_strict"
    assert rows["jax"] == devices.Library("jax", None, "Not installed. To have it: pip install jax.")
    assert rows["llvmlite"] == devices.Library(
        "llvmlite",
        None,
        'Not installed. To have it: pip install "gpuconv[cpu]". Without it SciPy and NumPy do all work on NumPy '
        "arrays, large work several times slower.",
    )
    assert all(library.state.endswith(".") and ".." not in library.state for library in rows.values())


def test_torch_says_how_many_cuda_devices_it_sees(monkeypatch, with_cupy):
    with_cupy(None)
    torch = types.ModuleType("torch")
    torch.__version__ = "2.9"
    torch.cuda = types.SimpleNamespace(is_available=lambda: True, device_count=lambda: 1)
    monkeypatch.setitem(sys.modules, "torch", torch)
    row = {library.name: library for library in devices.array_libraries()}["torch"]
    assert row == devices.Library("torch", "2.9", "Tensors on the CPU and on 1 CUDA device.")
    torch.cuda = types.SimpleNamespace(is_available=lambda: False)
    row = {library.name: library for library in devices.array_libraries()}["torch"]
    assert row.state == "Tensors on the CPU; this torch sees no CUDA device."


def test_importing_the_module_imports_no_library(run_python):
    printed = run_python(
        "import sys, gpuconv.backends.devices\n"
        "print({'cupy', 'torch', 'jax', 'dask', 'llvmlite', 'array_api_strict'} & set(sys.modules))"
    )
    assert printed == "set()\n"
