"""The last step: one rounding, into a new array or into the caller's."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gpuconv
from tests import reference
from tests.cases import draw
from tests.libraries import has_dtype, make, name_of, to_numpy

INTEGERS = [f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u")]
EDGES = [0.0, -0.0, 0.49, 0.5, 1.5, 2.5, -0.5, -0.51, -1.5, -2.5, 1e-310, 1e300, -1e300, math.inf, -math.inf, math.nan]
EDGES += [
    sign * 2.0**bits + step for bits in (7, 8, 15, 16, 31, 32) for sign in (1, -1) for step in (-1, -0.5, 0, 0.5, 1)
]
EDGES += [
    sign * math.nextafter(2.0**bits, to) for bits in (63, 64) for sign in (1, -1) for to in (0, 2.0**bits, math.inf)
]


def rounded(value, dtype):
    """Half to even, then into the range; NaN is 0."""
    information = np.iinfo(dtype)
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return information.max if value > 0 else information.min
    return min(max(round(value), information.min), information.max)


def writeable(xp):
    return name_of(xp) not in ("jax", "dask")


def blank(xp, shape, dtype):
    """An array to write to, or None where the library has no such dtype to compute with."""
    if not has_dtype(xp, dtype):
        return None
    return xp.zeros(shape, dtype=getattr(xp, dtype))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_floats_are_rounded_half_to_even_and_saturate(xp, source, dtype):
    if not writeable(xp):
        pytest.skip(f"{name_of(xp)} arrays cannot be written to")
    if name_of(xp) == "torch" and dtype in ("uint16", "uint32", "uint64"):
        pytest.skip("torch has no arithmetic in this dtype; test_torchs_bare_unsigned_dtypes_... has what is promised")
    values = np.clip(np.array(EDGES), -3e38, 3e38).astype(source)
    values[np.isinf(EDGES)] = np.array(EDGES)[np.isinf(EDGES)]
    out = blank(xp, values.shape, dtype)
    assert gpuconv.convolve(make(xp, values), [1.0], out=out) is out
    assert to_numpy(out).tolist() == [rounded(value, dtype) for value in values.tolist()]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("source", ["int32", "int64", "uint64"])
def test_integers_saturate(xp, source, dtype):
    torch = name_of(xp) == "torch"
    if not writeable(xp) or (torch and {source, dtype} & {"uint16", "uint32", "uint64"}):
        pytest.skip(f"{name_of(xp)} cannot write this")
    edges = [0, 1, 100, *(2**bits + step for bits in (7, 8, 15, 16, 31, 32, 53, 63, 64) for step in (-1, 0, 1))]
    edges += [-edge for edge in edges]
    information = np.iinfo(source)
    values = [edge for edge in edges if information.min <= edge <= information.max]
    image, kernel = {"int32": ("int16", "int8"), "int64": ("int64", "int8"), "uint64": ("uint64", "uint8")}[source]
    values = [edge for edge in values if np.iinfo(image).min <= edge <= np.iinfo(image).max]
    x = make(xp, np.array(values, dtype=image))
    out = blank(xp, (len(values),), dtype)
    gpuconv.convolve(x, np.ones(1, kernel), out=out)
    limits = np.iinfo(dtype)
    assert to_numpy(out).tolist() == [min(max(value, limits.min), limits.max) for value in values]


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_torchs_bare_unsigned_dtypes_are_written_or_refused_before_the_work(dtype):
    torch = pytest.importorskip("torch")
    out = torch.zeros(3, dtype=getattr(torch, dtype))
    try:
        gpuconv.convolve(torch.tensor([-1.0, 2.5, 70000.0]), [1.0], out=out)
    except TypeError as refused:
        message = str(refused)
    else:
        message = None
    if message is None:
        assert to_numpy(out).tolist() == [0, 2, min(70000, np.iinfo(dtype).max)]
    else:
        assert message.startswith("out")
        assert dtype in message


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_out_may_have_another_precision(xp, dtype):
    if not writeable(xp) or not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} cannot write {dtype}")
    x, kernel = draw((9,), "float64", "x"), draw((3,), "float64", "kernel")
    out = blank(xp, (9,), dtype)
    gpuconv.convolve(make(xp, x), kernel, out=out)
    expected = gpuconv.convolve(make(xp, x), kernel)
    np.testing.assert_array_equal(to_numpy(out), to_numpy(expected).astype(dtype))


def test_half_precision_goes_into_integers_from_the_unrounded_sum(xp):
    """2049 * 1 is no half-precision number; an out of int32 gets the sum before it would be rounded to half."""
    if not writeable(xp) or not has_dtype(xp, "float16"):
        pytest.skip(f"{name_of(xp)} cannot")
    out = blank(xp, (2,), "int32")
    gpuconv.convolve(make(xp, [2048.0, 1.0], dtype="float16"), [1.0, 1.0], out=out)
    assert to_numpy(out).tolist() == [2048, 2049]


def test_a_result_too_large_for_out_is_infinite_in_silence(xp):
    if not writeable(xp):
        pytest.skip(f"{name_of(xp)} arrays cannot be written to")
    out = blank(xp, (1,), "float32")
    gpuconv.convolve(make(xp, [1e300]), [1.0], out=out)
    assert to_numpy(out).tolist() == [math.inf]
    if has_dtype(xp, "float16"):
        assert to_numpy(gpuconv.convolve(make(xp, [6e4], dtype="float16"), [2.0])).tolist() == [math.inf]


@pytest.mark.parametrize("method", ["direct", "separable", "fft", "overlap"])
def test_out_may_be_the_input(xp, method):
    if not writeable(xp):
        pytest.skip(f"{name_of(xp)} arrays cannot be written to")
    values, kernel = draw((6, 7), "float32", "x"), np.outer([1.0, 2.0, -1.0], [1.0, 3.0])
    x = make(xp, values)
    expected = to_numpy(gpuconv.convolve(make(xp, values), kernel, method=method, boundary="reflect"))
    assert gpuconv.convolve(x, kernel, method=method, boundary="reflect", out=x) is x
    assert to_numpy(x).tolist() == expected.tolist()


@pytest.mark.parametrize("method", ["direct", "separable", "fft"])
def test_out_may_overlap_the_input_in_any_way(method):
    """A view that is shifted, turned around or transposed: all is read before anything is written."""
    kernel = np.outer([1.0, 2.0, -1.0], [1.0, 3.0, 2.0])
    for view in (lambda a: a[:-1, :-1], lambda a: a[1:, 1:], lambda a: a[:0:-1, :0:-1], lambda a: a[:-1, :-1].T):
        memory = draw((7, 7), "float64", "x")
        expected = gpuconv.convolve(memory[:-1, :-1].copy(), kernel, method=method)
        out = view(memory)
        gpuconv.convolve(memory[:-1, :-1], kernel, method=method, out=out)
        assert out.tolist() == expected.tolist()


def test_out_may_be_strided():
    memory = np.full((4, 10), -1.0)
    gpuconv.convolve(np.ones((4, 5)), np.ones((1, 1)), out=memory[::-1, ::2])
    assert memory.tolist() == [[1.0, -1.0] * 5] * 4


@pytest.mark.parametrize("function", ["correlate", "convolve_separable"])
def test_out_works_for_every_function(xp, function):
    if not writeable(xp):
        pytest.skip(f"{name_of(xp)} arrays cannot be written to")
    x, out = make(xp, [1.0, 2.0, 4.0]), blank(xp, (3,), "int16")
    kernel = [[1.0, 0.5]] if function == "convolve_separable" else [0.5, 1.0]
    assert getattr(gpuconv, function)(x, kernel, out=out) is out
    assert to_numpy(out).tolist() == [1, 2, 5]


def test_libraries_without_assignment_refuse_out(xp):
    if writeable(xp):
        pytest.skip(f"{name_of(xp)} arrays can be written to")
    x = make(xp, [1.0, 2.0])
    with pytest.raises(
        TypeError, match=f"{name_of(xp)} arrays are immutable. Leave out= away and use the returned array"
    ):
        gpuconv.convolve(x, [1.0], out=x)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (
            np.zeros(4),
            ValueError,
            r"out must have the shape of the result: the result has shape \(3,\), out has \(4,\)",
        ),
        (np.zeros((1, 3)), ValueError, "out must have the shape of the result"),
        (np.zeros(3, bool), TypeError, "out must have one of the dtypes"),
        (np.zeros(3, object), TypeError, "out must have one of the dtypes"),
        ([0.0, 0.0, 0.0], TypeError, "out must be an array of NumPy, .*got builtins.list"),
        (np.broadcast_to(0.0, (3,)), ValueError, "out must be writeable: got a read-only array"),
    ],
    ids=["length", "dimensions", "bool", "object", "list", "read-only"],
)
def test_an_out_that_cannot_take_the_result_is_refused_before_any_work(out, error, message):
    with pytest.raises(error, match=message):
        gpuconv.convolve(np.ones(3), [1.0], out=out)
    with pytest.raises(error, match=message):
        gpuconv.convolve_separable(np.ones(3), [[1.0]], out=out)


def test_a_complex_result_needs_a_complex_out():
    with pytest.raises(
        TypeError, match="a complex result needs a complex out: the result is complex128, out is float64"
    ):
        gpuconv.convolve(np.ones(3), [1j], out=np.zeros(3))
    out = np.zeros(3, np.complex64)
    gpuconv.convolve(np.ones(3), [1j], out=out)
    assert out.tolist() == [1j] * 3


def test_an_out_of_another_library_is_refused(xp):
    if name_of(xp) == "numpy" or not writeable(xp):
        pytest.skip("no other library to write to")
    x = make(xp, [1.0, 2.0])
    with pytest.raises(TypeError, match="out must live where x lives: x is a numpy array"):
        gpuconv.convolve(np.ones(2), [1.0], out=x)
    with pytest.raises(TypeError, match=f"out must live where x lives: x is a {name_of(xp)} array"):
        gpuconv.convolve(x, [1.0], out=np.ones(2))


def test_out_of_an_integer_convolution_keeps_every_bit():
    x = np.array([2**60 + 1, -(2**61) - 1], dtype=np.int64)
    out = np.zeros(3, dtype=np.int64)
    gpuconv.convolve(x, np.array([1, 1], np.int8), mode="full", out=out)
    assert out.tolist() == reference.convolve(x, np.array([1, 1], np.int8), mode="full").tolist()
