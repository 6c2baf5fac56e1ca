"""Native rows get images as they are stored, and say themselves what they return; others get the dtype of sums."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import registry
from gpuconv.backends.registry import BACKENDS, Backend, Implementation
from gpuconv.core.dtypes import dtypes_of_sums
from gpuconv.core.namespace import home_of
from gpuconv.core.rounding import convert

NAMES = ("correlate_axis", "correlate_separable", "correlate_windows")


class Recording(Backend):
    """A backend that writes down what its rows are given, and returns ones of the dtype asked for."""

    def __init__(self, native):
        super().__init__("recording", "numpy", "for these tests")
        self.__dict__.update(native=native, calls=[])

    def table(self):
        return {name: Implementation(self.row, lambda problem: None, self.native) for name in NAMES}

    def row(self, x, weights, spans, cval, **options):
        self.calls.append((x.dtype.name, options))
        return np.ones(x.shape, options.get("result") or np.float32)


@pytest.fixture
def recorded(monkeypatch, request):
    backend = Recording(request.param)
    monkeypatch.setattr(registry, "BACKENDS", (backend, *BACKENDS))
    registry._select.cache_clear()
    yield backend.calls
    registry._select.cache_clear()


CALLS = {
    "direct": lambda x, out: gpuconv.convolve(x, np.arange(9.0).reshape(3, 3) ** 2, method="direct", out=out),
    "axis": lambda x, out: gpuconv.convolve(x, [1.0, 2.0], axes=1, method="direct", out=out),
    "separable": lambda x, out: gpuconv.convolve(x, np.ones((3, 3)), method="separable", out=out),
    "passes": lambda x, out: gpuconv.convolve_separable(x, [[1.0, 2.0], [1.0]], out=out),
}


@pytest.mark.parametrize("recorded", [True], indirect=True)
@pytest.mark.parametrize("call", CALLS)
def test_native_rows_get_the_stored_image_and_the_wanted_dtype(recorded, call):
    x = np.ones((4, 5), np.uint8)
    assert CALLS[call](x, None).dtype == np.float32
    out = np.zeros((4, 5), np.int16)
    assert CALLS[call](x, out) is out
    assert out.tolist() == np.ones((4, 5)).tolist()
    assert recorded == [("uint8", {"result": "float32"}), ("uint8", {"result": "int16"})]
    recorded.clear()
    CALLS[call](np.ones((4, 5), np.float16), None)
    assert recorded == [("float16", {"result": "float16"})]


@pytest.mark.parametrize("recorded", [False], indirect=True)
@pytest.mark.parametrize("call", CALLS)
def test_other_rows_get_the_dtype_of_the_sums(recorded, call):
    out = np.zeros((4, 5), np.int16)
    CALLS[call](np.ones((4, 5), np.uint8), out)
    assert recorded == [("float32", {})]
    assert out.tolist() == np.ones((4, 5)).tolist()


@pytest.mark.parametrize("recorded", [True], indirect=True)
def test_the_adjoint_folds_before_it_rounds(recorded):
    y = np.ones(4, np.float16)
    assert gpuconv.convolve_adjoint(y, [1.0, 2.0], shape=(4,), method="direct").dtype == np.float16
    assert recorded == [("float16", {"result": None})]


@pytest.mark.parametrize(
    ("image", "weights", "expected"),
    [
        ("uint8", ("float64",), ("float32", "float32")),
        ("uint8", ("int32",), ("int32", "int32")),
        ("uint16", ("uint64",), ("uint64", "uint64")),
        ("int32", ("float64", "float64"), ("float64", "float64")),
        ("float16", ("float64",), ("float32", "float32")),
        ("float16", ("float64", "complex128"), ("float32", "complex64")),
        ("float32", ("complex128",), ("float32", "complex64")),
        ("complex64", ("float64",), ("complex64", "complex64")),
    ],
)
def test_dtypes_of_sums_follow_from_image_and_weights(image, weights, expected):
    assert dtypes_of_sums(image, *weights) == expected


@pytest.mark.parametrize("kernel", ["uint8", "int16", "float64", "complex128"])
@pytest.mark.parametrize("image", ["uint8", "int16", "int64", "float16", "float32", "float64", "complex64"])
def test_dtypes_of_sums_are_those_that_problems_have(image, kernel):
    taps = np.ones((1,), kernel)
    described = gpuconv.plan_convolution(np.ones((4,), image), taps).problem
    weights = described.rule.result if described.exact else "complex128" if kernel == "complex128" else "float64"
    assert dtypes_of_sums(image, weights) == (described.working_dtype, described.rule.accumulator)


def test_convert_rounds_half_to_even_and_saturates():
    x = np.array([0.5, 1.5, 2.5, -0.5, 254.5, 255.5, 300.0, -1.0, np.nan, np.inf, -np.inf], np.float32)
    assert convert(home_of(x), x, "uint8").tolist() == [0, 2, 2, 0, 254, 255, 255, 0, 0, 255, 0]
