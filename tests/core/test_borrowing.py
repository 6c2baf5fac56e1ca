"""Arrays of libraries without array API, which lend their memory by DLPack or ``__cuda_array_interface__``."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import numpy as np
import pytest

import gpuconv
from gpuconv import filters
from gpuconv.core.namespace import borrow, read_image

CPU, CUDA, PINNED, MANAGED, METAL = (1, 0), (2, 1), (3, 0), (13, 0), (8, 0)


class Lender:
    """An array that can do nothing but lend its memory by DLPack."""

    __module__ = "lenders.arrays"

    def __init__(self, values, place=CPU):
        self.values, self.place = np.asarray(values), place

    def __dlpack_device__(self):
        return self.place

    def __dlpack__(self, **options):
        return self.values.__dlpack__(**options)


class OnDevice:
    """An array that has only the interface of CUDA arrays, as those of numba."""

    __module__ = "lenders.arrays"

    def __init__(self, values):
        self.values = np.asarray(values)
        self.__cuda_array_interface__ = {"data": (self.values.ctypes.data, False)}


class StandIn(ModuleType):
    """CuPy as far as memory is seen through it, on NumPy arrays; notes which way was taken."""

    def __init__(self):
        super().__init__("cupy")
        self.ways = []
        self.ndarray = type("ndarray", (), {})

    def from_dlpack(self, x):
        self.ways.append("from_dlpack")
        return x.values

    def asarray(self, x):
        self.ways.append("asarray")
        return x.values


@pytest.fixture
def cupy(monkeypatch):
    module = StandIn()
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.fixture
def library(monkeypatch):
    """The library that the arrays belong to, which can take results back."""
    module = ModuleType("lenders")
    module.from_dlpack = lambda array: Lender(np.from_dlpack(array))
    monkeypatch.setitem(sys.modules, "lenders", module)
    return module


@pytest.mark.parametrize("place", [CPU, PINNED])
def test_memory_of_the_cpu_is_seen_and_not_copied(place):
    values = np.arange(12.0).reshape(3, 4)
    seen, home = read_image(Lender(values, place))
    assert type(seen) is np.ndarray
    assert seen.ctypes.data == values.ctypes.data
    assert (home.library, home.device) == ("numpy", "cpu")


def test_results_come_back_in_the_callers_library(library):
    values = np.arange(12.0).reshape(3, 4)
    expected = gpuconv.convolve(values, np.ones((3, 3)), boundary="wrap")
    for result in (
        gpuconv.convolve(Lender(values), np.ones((3, 3)), boundary="wrap"),
        gpuconv.convolve(Lender(values), Lender(np.ones((3, 3))), boundary="wrap"),
        gpuconv.convolve_separable(Lender(values), [[1, 1, 1], [1, 1, 1]], boundary="wrap"),
        gpuconv.convolve_adjoint(Lender(values), np.ones((3, 3)), shape=(3, 4), boundary="wrap"),
    ):
        assert type(result) is Lender
        np.testing.assert_allclose(result.values, expected, rtol=1e-14)


FILTERS = {
    "gaussian": (1.0,),
    "gaussian_laplace": (1.0,),
    "gradient_magnitude": (1.0,),
    "scharr": (0,),
    "uniform": (3,),
    "local_mean": (3,),
    "local_variance": (3,),
    "laplace": (),
    "unsharp_mask": (1.0,),
}


@pytest.mark.parametrize("name", FILTERS)
def test_so_do_filtered_images(library, name):
    values = np.arange(20.0).reshape(4, 5)
    filtered = getattr(filters, name)
    result = filtered(Lender(values), *FILTERS[name])
    assert type(result) is Lender
    np.testing.assert_array_equal(result.values, filtered(values, *FILTERS[name]))
    out = np.zeros((4, 5))
    assert filtered(Lender(values), *FILTERS[name], out=out) is out


def test_results_stay_numpy_arrays_where_the_library_takes_none_back(monkeypatch):
    monkeypatch.delitem(sys.modules, "lenders", raising=False)
    result = gpuconv.convolve(Lender([1.0, 2.0, 3.0]), [1.0, 1.0])
    assert type(result) is np.ndarray
    assert result.tolist() == [1.0, 3.0, 5.0]


def test_a_kernel_may_be_lent_to_any_image():
    assert gpuconv.convolve([1.0, 2.0, 3.0], Lender([1.0, 1.0])).tolist() == [1.0, 3.0, 5.0]


def test_out_gets_the_result_of_a_lent_image(library):
    out = np.zeros(3)
    assert gpuconv.convolve(Lender([1.0, 2.0, 3.0]), [1.0, 1.0], out=out) is out
    assert out.tolist() == [1.0, 3.0, 5.0]


@pytest.mark.parametrize("place", [CUDA, MANAGED])
def test_memory_of_cuda_is_seen_through_cupy(cupy, library, place):
    result = gpuconv.convolve(Lender([1.0, 2.0, 3.0], place), [1.0, 1.0])
    assert cupy.ways == ["from_dlpack"]
    assert type(result) is Lender


def test_the_interface_of_cuda_arrays_is_enough(cupy, library):
    result = gpuconv.convolve(OnDevice([1.0, 2.0, 3.0]), [1.0, 1.0])
    assert cupy.ways == ["asarray"]
    assert result.values.tolist() == [1.0, 3.0, 5.0]


def test_arrays_of_numba_come_back_as_such(cupy, monkeypatch):
    """numba has no from_dlpack."""
    cuda = ModuleType("numba.cuda")
    cuda.as_cuda_array = OnDevice
    monkeypatch.setitem(sys.modules, "numba.cuda", cuda)
    numbas = type("DeviceNDArray", (OnDevice,), {"__module__": "numba.cuda.cudadrv.devicearray"})
    result = gpuconv.convolve(numbas([1.0, 2.0, 3.0]), [1.0, 1.0])
    assert type(result) is OnDevice
    assert result.values.tolist() == [1.0, 3.0, 5.0]


def test_cuda_memory_without_cupy_is_refused_with_the_remedy(monkeypatch):
    def import_module(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", import_module)
    for x in (Lender([1.0], CUDA), OnDevice([1.0])):
        with pytest.raises(TypeError, match=r"x lies in CUDA memory, .*CuPy is not installed. Install it with pip"):
            gpuconv.convolve(x, [1.0])
    with pytest.raises(TypeError, match="kernel lies in CUDA memory"):
        gpuconv.convolve([1.0], OnDevice([1.0]))


def test_other_memory_and_other_objects_are_not_borrowed():
    assert borrow(Lender([1.0], METAL)) is None
    assert borrow("text") is None
    assert borrow(np.ones(2)) is None
    with pytest.raises(TypeError, match="x must be an array of NumPy, .*: got lenders.arrays.Lender. Convert it"):
        gpuconv.convolve(Lender([1.0], METAL), [1.0])
