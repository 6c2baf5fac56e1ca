"""`gpuconv.signal` gives what `scipy.signal` gives, on every library; where SciPy errs, it follows the definition."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import scipy.signal

import gpuconv.signal as signal
from gpuconv.backends.cpu import originals
from tests.assertions import assert_close, assert_same_home
from tests.cases import draw
from tests.libraries import has_dtype, make, name_of, to_numpy

MODES = ("full", "same", "valid")


def scipys(function: str) -> Any:
    return getattr(originals, f"signal_{function}")


@dataclass(frozen=True)
class Case:
    """One call: the data follow from the fields."""

    function: str
    first_shape: tuple[int, ...]
    second_shape: tuple[int, ...]
    first_dtype: str = "float64"
    second_dtype: str = "float64"
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        first, second = ("x".join(map(str, shape)) for shape in (self.first_shape, self.second_shape))
        words = [f"{name}={value!r}".replace(" ", "").replace("'", "") for name, value in self.options.items()]
        return ",".join([f"{self.function}-{self.first_dtype}[{first}]-{self.second_dtype}[{second}]", *words])

    @property
    def first(self) -> np.ndarray:
        return self._draw(self.first_shape, self.first_dtype, "first")

    @property
    def second(self) -> np.ndarray:
        return self._draw(self.second_shape, self.second_dtype, "second")

    def _draw(self, shape: tuple[int, ...], dtype: str, which: str) -> np.ndarray:
        seed = f"{which} of {self}"
        if dtype == "bool":
            return draw(shape, "float64", seed) > 0
        return draw(shape, dtype, seed, {"int32": 2**10, "int64": 2**20, "uint64": 2**20})

    @property
    def expected(self) -> np.ndarray:
        return scipys(self.function)(self.first, self.second, **self.options)

    @property
    def size(self) -> float:
        """A few ``||in1|| ||in2||``, to which the rounding of transforms is relative."""
        norms = [np.linalg.norm(array.astype(complex)) for array in (self.first, self.second)]
        fill = abs(complex(self.options.get("fillvalue", 0)))
        return 4 * (norms[0] + fill * np.sqrt(self.second.size + self.first.size)) * norms[1]


SHAPES = [
    ((7,), (3,)),
    ((7,), (4,)),
    ((6,), (3,)),
    ((3,), (7,)),
    ((5,), (5,)),
    ((1,), (4,)),
    ((5, 6), (2, 3)),
    ((5, 6), (3, 4)),
    ((3, 2), (4, 5)),
    ((3, 4, 5), (2, 3, 2)),
]
PLAIN = [
    Case(function, one, other, options={"mode": mode})
    for function in ("convolve", "correlate", "fftconvolve")
    for one, other in SHAPES
    for mode in MODES
]
METHODS = [
    Case(function, (9, 8), (3, 4), dtype, options={"mode": mode, "method": method})
    for function in ("convolve", "correlate")
    for dtype in ("float64", "complex128")
    for mode in MODES
    for method in ("direct", "fft", "auto")
]
# Every pair whose common dtype is not plain.
DTYPES = [
    ("float32", "float64"),
    ("float32", "float32"),
    ("float32", "complex64"),
    ("complex64", "float64"),
    ("int8", "float32"),
    ("int32", "float32"),
    ("float32", "int16"),
    ("uint8", "uint8"),
    ("uint8", "int8"),
    ("int16", "int64"),
    ("uint64", "int64"),
    ("int8", "complex64"),
    ("bool", "int16"),
    ("float32", "bool"),
]
OF_DTYPES = [
    Case(function, (6, 7), (3, 2), *dtypes)
    for function in ("convolve", "correlate", "fftconvolve", "convolve2d")
    for dtypes in DTYPES
]
ALONG = [
    *(((4, 9), (4, 3), 1, mode) for mode in MODES),
    *(((4, 3), (4, 9), -1, mode) for mode in MODES),
    *(((4, 9), (1, 4), (1,), mode) for mode in MODES),
    *(((1, 9), (4, 4), 1, mode) for mode in MODES),
    *(((1, 3), (4, 8), 1, mode) for mode in MODES),
    ((3, 8, 2, 5), (1, 3, 2, 4), (3, 1), "same"),
    ((3, 1, 2, 5), (1, 4, 2, 4), (3,), "full"),
    ((3, 1, 2, 5), (1, 4, 2, 4), (3,), "valid"),
    ((2, 6, 3), (2, 2, 3), 1, "same"),
    ((5, 1), (1, 4), None, "full"),
    ((5, 1), (1, 4), None, "same"),
    ((9, 1), (3, 5), None, "valid"),
]
EDGES = [
    *(("fill", value) for value in (0, -1.5)),
    ("pad", 2),
    ("wrap", 0),
    ("circular", 0),
    ("symm", 0),
    ("symmetric", 0),
]
MATRICES = [
    Case(function, one, other, options={"mode": mode, "boundary": boundary, "fillvalue": fillvalue})
    for function in ("convolve2d", "correlate2d")
    for mode in MODES
    for (boundary, fillvalue), (one, other) in zip(
        EDGES, [((5, 6), (2, 3)), ((5, 6), (3, 4)), ((4, 3), (3, 2)), ((3, 2), (6, 7))] * 2, strict=False
    )
]


def check(xp: Any, case: Case, *, dtype: str | None = None) -> None:
    first, second, expected = make(xp, case.first), make(xp, case.second), case.expected
    result = getattr(signal, case.function)(first, second, **case.options)
    assert_same_home(result, first, dtype=dtype or expected.dtype.name)
    if expected.dtype.kind in "iu":
        assert to_numpy(result).tolist() == expected.tolist()
    else:
        # Where one input is single, SciPy's transform of it is, though its result is double.
        single = {"float32", "complex64"} & {case.first_dtype, case.second_dtype}
        assert_close(result, expected, scale=case.size, dtype="float32" if single else None, case=case)


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_modes_and_shapes_are_scipys(xp, case):
    check(xp, case)


@pytest.mark.parametrize("case", METHODS, ids=str)
def test_methods_agree_with_scipys(xp, case):
    check(xp, case)


@pytest.mark.parametrize("case", OF_DTYPES, ids=str)
def test_dtypes_are_scipys(case):
    check(np, case)


@pytest.mark.parametrize("case", MATRICES, ids=str)
def test_boundaries_of_matrices_are_scipys(xp, case):
    check(xp, case)


@pytest.mark.parametrize("case", MATRICES, ids=str)
def test_boundaries_of_integer_matrices_are_scipys(case):
    options = case.options | {"fillvalue": int(case.options["fillvalue"])}
    check(np, replace(case, first_dtype="int16", second_dtype="int8", options=options))


@pytest.mark.parametrize(("first", "second", "axes", "mode"), ALONG)
def test_axes_that_are_not_convolved_are_broadcast_as_in_scipy(xp, first, second, axes, mode):
    check(xp, Case("fftconvolve", first, second, options={"axes": axes, "mode": mode}))


@pytest.mark.parametrize(("first", "second", "axes", "mode"), ALONG)
def test_oaconvolve_broadcasts_as_in_scipy(first, second, axes, mode):
    check(np, Case("oaconvolve", first, second, options={"axes": axes, "mode": mode}))


@pytest.mark.parametrize(("one", "other"), [(300, 20), (20, 300), (4000, 31)])
def test_long_lines_are_convolved_block_by_block(xp, one, other):
    check(xp, Case("oaconvolve", (one,), (other,)))
    check(xp, Case("oaconvolve", (2, one), (1, other), "complex64", options={"axes": 1, "mode": "same"}))


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
@pytest.mark.parametrize("method", ["direct", "fft", "auto"])
def test_integers_are_exact_whatever_the_method(dtype, method):
    one, other = np.array([2**31 + 1, 5, 2**20], dtype=dtype), np.array([2**31 - 1, 7], dtype=dtype)
    expected = np.convolve(one.astype(object), other.astype(object)).tolist()
    assert signal.convolve(one, other, method=method).tolist() == expected


def test_small_integers_wrap_around_as_in_scipy():
    one, other = np.full((3, 3), 200, np.uint8), np.full((2, 2), 3, np.uint8)
    for function in ("convolve", "convolve2d"):
        result = getattr(signal, function)(one, other)
        assert result.dtype == np.uint8
        assert result.tolist() == scipys(function)(one, other).tolist()


def test_lists_and_numpy_arrays_go_with_any_library(xp):
    x = make(xp, np.array([1.0, 2.0, 4.0]))
    for result in (signal.convolve(x, [1.0, -1.0]), signal.convolve(np.array([1.0, -1.0]), x)):
        assert_same_home(result, x)
        assert_close(result, np.array([1.0, 1.0, 2.0, -4.0]))


def test_zero_dimensions_are_multiplied(xp):
    x = make(xp, np.array(3.0 + 1.0j))
    for function, expected in (("convolve", 5 + 15j), ("correlate", 13 - 9j), ("fftconvolve", 5 + 15j)):
        result = getattr(signal, function)(x, make(xp, np.array(3.0 + 4.0j)))
        assert complex(to_numpy(result)) == expected


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_summed_in_single(xp, dtype):
    if not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    x = make(xp, np.ones((2, 600)), dtype=dtype)
    result = signal.convolve(x, x, mode="valid", method="direct")
    assert_same_home(result, x)
    assert_close(result, np.array([[1200.0]]), tolerance=0.0 if dtype == "float16" else 8.0)
    transformed = signal.fftconvolve(x, x, mode="valid")
    assert_same_home(transformed, x, dtype="float32")
    assert_close(transformed, np.array([[1200.0]]), scale=1200.0)


def test_nan_stays_in_the_kernels_footprint():
    x = np.ones(100)
    x[50] = np.nan
    result = signal.fftconvolve(x, np.ones(5), mode="same")
    assert np.flatnonzero(np.isnan(result)).tolist() == [48, 49, 50, 51, 52]


# What only SciPy computes.


@pytest.mark.parametrize("dtype", ["bool", "longdouble", "clongdouble", "object"])
@pytest.mark.parametrize(
    "function", ["convolve", "correlate", "fftconvolve", "oaconvolve", "convolve2d", "correlate2d"]
)
def test_dtypes_that_only_scipy_knows_go_to_scipy(function, dtype):
    one, other = (np.array(values).astype(dtype) for values in ([[1, 0, 0, 1]], [[1, 1]]))
    try:
        expected = scipys(function)(one, other)
    except Exception as error:
        with pytest.raises(type(error)):
            getattr(signal, function)(one, other)
    else:
        result = getattr(signal, function)(one, other)
        assert result.dtype == expected.dtype
        assert result.tolist() == expected.tolist()


def test_empty_inputs_give_what_scipy_gives(xp):
    empty = make(xp, np.zeros(0))
    assert to_numpy(signal.fftconvolve(empty, make(xp, np.ones(3)))).shape == (0,)
    with pytest.raises(ValueError, match="empty|needs at least one sample"):
        signal.convolve(make(xp, np.ones(3)), empty)


def test_objects_go_through_asarray_as_in_scipy():
    masked = np.ma.array([1.0, 2.0, 4.0], mask=[False, True, False])
    assert signal.convolve(masked, [1.0, 1.0]).tolist() == [1.0, 3.0, 6.0, 4.0]


# Bad arguments: SciPy's exceptions, gpuconv's sentences.

ONE = np.ones(3)
FLAT = np.ones((2, 3))
MODE_SENTENCE = "acceptable mode flags are 'valid', 'same', or 'full': got mode='spam'. Choose one"
SHAPES_SENTENCE = "For 'valid' mode, one must be at least as large as the other in every dimension: in1 and in2 have"
MISUSES = [
    *(
        (function, (FLAT, FLAT), {"mode": "spam"}, MODE_SENTENCE)
        for function in ("convolve", "correlate", "convolve2d")
    ),
    *((function, (FLAT, FLAT), {"mode": "spam"}, MODE_SENTENCE) for function in ("fftconvolve", "oaconvolve")),
    *(
        (function, (FLAT, FLAT.T), {"mode": "valid"}, SHAPES_SENTENCE)
        for function in ("convolve", "correlate", "fftconvolve", "convolve2d", "correlate2d")
    ),
    (
        "convolve",
        (ONE, FLAT),
        {},
        "in1 and in2 should have the same dimensionality: in1 has shape (3,), in2 (2, 3). Add",
    ),
    ("convolve", (ONE, ONE), {"method": "spam"}, "Acceptable method flags are 'auto', 'direct', or 'fft': got method"),
    ("fftconvolve", (FLAT, ONE), {}, "in1 and in2 should have the same dimensionality: in1 has shape (2, 3), in2 (3,)"),
    (
        "fftconvolve",
        (FLAT, np.ones((3, 3))),
        {"axes": 1},
        "incompatible shapes for in1 and in2: (2, 3) and (3, 3): axis",
    ),
    ("fftconvolve", (FLAT, FLAT), {"axes": []}, "when provided, axes cannot be empty: got axes=[]. Name an axis"),
    ("fftconvolve", (FLAT, FLAT), {"axes": 1.5}, "axes must be a scalar or iterable of integers: got axes=1.5. Give"),
    (
        "oaconvolve",
        (FLAT, ONE[:, None]),
        {"axes": 2},
        "axes exceeds dimensionality of input: got axes=2 for 2 dimensions",
    ),
    (
        "oaconvolve",
        (FLAT, ONE[:, None]),
        {"axes": (0, -2)},
        "all axes must be unique: got axes=(0, -2). Name each axis",
    ),
    ("convolve2d", (ONE, ONE), {}, "convolve2d inputs must both be 2-D arrays: they have 1 dimensions. Use convolve"),
    ("correlate2d", (ONE, ONE), {}, "correlate2d inputs must both be 2-D arrays: they have 1 dimensions. Use convolve"),
    (
        "convolve2d",
        (FLAT, FLAT),
        {"boundary": "spam"},
        "Acceptable boundary flags are 'fill', 'circular' (or 'wrap'), and",
    ),
    (
        "convolve2d",
        (FLAT, FLAT),
        {"boundary": "reflect"},
        "Acceptable boundary flags are 'fill', 'circular' (or 'wrap'),",
    ),
    (
        "convolve2d",
        (FLAT, FLAT),
        {"fillvalue": 1j},
        "could not cast `fillvalue` directly to the output type: it is comp",
    ),
    (
        "convolve2d",
        (FLAT, FLAT),
        {"fillvalue": [1, 2]},
        "`fillvalue` must be scalar or an array with one element: its sh",
    ),
    (
        "convolve2d",
        (FLAT.astype(np.uint8), FLAT.astype(np.uint8)),
        {"fillvalue": 300},
        "could not cast `fillvalue` directly to the output type: got 300 for uint8. Give a number from 0 to 255",
    ),
]


@pytest.mark.filterwarnings("ignore:Casting complex values to real")
@pytest.mark.parametrize(
    ("function", "arrays", "options", "sentence"), MISUSES, ids=[f"{row[0]}-{row[3]}" for row in MISUSES]
)
def test_misuse_raises_scipys_exception_with_advice(function, arrays, options, sentence):
    with pytest.raises(Exception, match=".") as theirs:
        scipys(function)(*arrays, **options)
    with pytest.raises(theirs.type) as ours:
        getattr(signal, function)(*arrays, **options)
    assert ours.type is theirs.type
    assert sentence in str(ours.value)


def test_two_libraries_are_refused():
    strict, torch = pytest.importorskip("array_api_strict"), pytest.importorskip("torch")
    with pytest.raises(TypeError, match="in1 is a array_api_strict array, in2 a torch array. Convert one of them"):
        signal.convolve(strict.asarray([1.0]), torch.ones(1))


def test_other_libraries_bools_are_refused_with_advice():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(TypeError, match="its dtype is bool. Cast it first"):
        signal.convolve(strict.asarray([True, False]), strict.asarray([True]))


# choose_conv_method and correlation_lags.


def test_choose_conv_method_follows_the_plan(xp, rng):
    assert signal.choose_conv_method(make(xp, np.ones(20)), [1.0, 2.0, 1.0]) == "direct"
    x = make(xp, rng.normal(size=(256, 256)))
    assert signal.choose_conv_method(x, x) == "fft"
    assert signal.choose_conv_method(make(xp, np.ones(3)), x[0, :], mode="valid") == "direct"
    with pytest.raises(ValueError, match="acceptable mode flags"):
        signal.choose_conv_method(x, x, mode="spam")


def test_choose_conv_method_can_measure():
    method, times = signal.choose_conv_method(np.ones((40, 40)), np.ones((20, 20)), measure=True)
    assert set(times) == {"fft", "direct"}
    assert method == min(times, key=times.get)
    assert min(times.values()) > 0


def test_choose_conv_method_leaves_longdouble_to_scipy():
    one = np.ones(5000, np.longdouble)
    assert signal.choose_conv_method(one, one) == scipys("choose_conv_method")(one, one)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("one", range(1, 8))
@pytest.mark.parametrize("other", range(1, 8))
def test_correlation_lags_are_those_of_correlate(mode, one, other):
    """Two impulses correlate to one, at the lag that is their distance."""
    lags = signal.correlation_lags(one, other, mode)
    found = 0
    for position in range(one):
        for shift in range(other):
            first, second = np.zeros(one), np.zeros(other)
            first[position], second[shift] = 1.0, 1.0
            result = signal.correlate(first, second, mode, method="direct")
            assert result.shape == lags.shape
            assert lags[result == 1.0].tolist() in ([], [position - shift])
            found += int(result.sum())
    assert found > 0
    # SciPy's own answer for "same" is one off for odd `one` and even `other`.
    if not (mode == "same" and one % 2 == 1 and other % 2 == 0):
        assert lags.tolist() == scipys("correlation_lags")(one, other, mode).tolist()


def test_correlation_lags_refuses_an_unknown_mode():
    with pytest.raises(ValueError, match="Mode spam is invalid: got mode='spam'. Use 'full', 'valid' or 'same'"):
        signal.correlation_lags(3, 2, "spam")


# What other libraries do with functions.


def test_torch_differentiates_through_both_inputs():
    torch = pytest.importorskip("torch")
    one, other = (torch.rand(*shape, dtype=torch.float64, requires_grad=True) for shape in ((4, 5), (2, 3)))
    for function in ("correlate", "fftconvolve", "correlate2d"):
        assert torch.autograd.gradcheck(lambda *pair: getattr(signal, function)(*pair, mode="same"), (one, other))  # noqa: B023


def test_jax_compiles_it():
    jax = pytest.importorskip("jax")
    case = Case("fftconvolve", (3, 8), (1, 4), "float32", "float32", {"mode": "same", "axes": 1})
    compiled = jax.jit(lambda one, other: signal.fftconvolve(one, other, **case.options))
    result = compiled(jax.numpy.asarray(case.first), jax.numpy.asarray(case.second))
    assert_close(result, case.expected, scale=case.size)


def test_dask_stays_lazy():
    array = pytest.importorskip("dask.array")

    def refuse(block):
        raise AssertionError("a block was computed")

    x = array.ones((6, 8), chunks=3).map_blocks(refuse, dtype=float, meta=np.empty((0, 0)))
    assert signal.fftconvolve(x, np.ones((3, 3)), mode="same").shape == (6, 8)
    assert signal.convolve2d(x, np.ones((3, 3)), boundary="wrap").shape == (8, 10)


# Where SciPy's answer is not the definition.


def test_correlate2d_conjugates_the_second_input_also_when_it_is_the_larger_one(xp, rng):
    one = rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))
    other = rng.normal(size=(4, 5)) + 1j * rng.normal(size=(4, 5))
    result = signal.correlate2d(make(xp, one), make(xp, other), mode="valid")
    assert_close(result, originals.signal_correlate(one, other, mode="valid"), taps=4, scale=10.0)


# SciPy's sepfir2d is compiled and names no arguments.
@pytest.mark.parametrize("function", [name for name in signal.__all__ if name != "sepfir2d"])
def test_signatures_are_scipys(function):
    ours, theirs = (inspect.signature(call).parameters for call in (getattr(signal, function), scipys(function)))
    if function == "hilbert2" and "axes" not in theirs:
        pytest.skip("this SciPy's hilbert2 takes no axes yet")
    assert [p.replace(annotation=p.empty) for p in ours.values()] == list(theirs.values())


def test_replacing_scipys_functions_does_not_recurse(monkeypatch, rng):
    one, other = rng.normal(size=(6, 7)), rng.normal(size=(3, 3))
    names = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve", "oaconvolve"]
    expected = {name: scipys(name)(one, other) for name in names}
    for name in signal.__all__:
        monkeypatch.setattr(scipy.signal, name, getattr(signal, name))
    for name in names:
        assert_close(getattr(scipy.signal, name)(one, other), expected[name], scale=100.0)
    wide = scipy.signal.convolve(one.astype(np.longdouble), other.astype(np.longdouble))
    assert wide.dtype == np.longdouble
    assert scipy.signal.choose_conv_method(one.astype(np.longdouble), other.astype(np.longdouble)) == "direct"
