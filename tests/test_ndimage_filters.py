"""Filters of `gpuconv.ndimage` give what SciPy's give, on every library."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import gpuconv.ndimage as ndi
from gpuconv import convolution
from gpuconv.backends.cpu import originals
from tests.assertions import EPS, assert_close, assert_same_home
from tests.cases import draw
from tests.libraries import make, name_of, to_numpy

FILTERS = {
    "gaussian_filter1d": {"sigma": 0.9},
    "gaussian_filter": {"sigma": 0.9},
    "uniform_filter1d": {"size": 3},
    "uniform_filter": {"size": 3},
    "sobel": {},
    "prewitt": {},
    "laplace": {},
    "gaussian_laplace": {"sigma": 0.9},
    "gaussian_gradient_magnitude": {"sigma": 0.9},
}
GENERIC = ("generic_laplace", "generic_gradient_magnitude")
ORDER_STATISTICS = {
    "minimum_filter1d": {"size": 3},
    "maximum_filter1d": {"size": 4},
    "minimum_filter": {"size": 3},
    "maximum_filter": {"size": (2, 3)},
    "median_filter": {"size": 3},
    "rank_filter": {"rank": -2, "size": 3},
    "percentile_filter": {"percentile": 30, "size": (3, 2)},
}
MODES = ("reflect", "constant", "nearest", "mirror", "wrap", "grid-constant", "grid-mirror", "grid-wrap")
SEVERAL_MODES = ("gaussian_filter", "uniform_filter", "sobel", "prewitt", "laplace", "gaussian_laplace")
SEVERAL_MODES += ("gaussian_gradient_magnitude",)
# So small that what SciPy sums in double is exact.
LARGEST = {"int32": 2**20, "uint32": 2**20, "int64": 2**40, "uint64": 2**40}


def scipys(function: str) -> Any:
    return getattr(originals, f"ndimage_{function}")


def need_scipys_axes(function: str, options: dict[str, Any]) -> None:
    """Skip where an older SciPy has no `axes` of its own for this filter to compare with."""
    summed = ("laplace", "gaussian_laplace", "gaussian_gradient_magnitude", *GENERIC)
    if "axes" in options and function in summed and "axes" not in inspect.signature(scipys("laplace")).parameters:
        pytest.skip(f"this SciPy's {function} has no axes to compare with")


@dataclass(frozen=True)
class Case:
    """One call: the image follows from the fields."""

    function: str
    options: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float64"
    shape: tuple[int, ...] = (6, 7)

    def __str__(self) -> str:
        words = [f"{name}={value!r}".replace(" ", "").replace("'", "") for name, value in self.options.items()]
        return ",".join([f"{self.function}-{self.dtype}{list(self.shape)}".replace(" ", ""), *words])

    @property
    def arguments(self) -> dict[str, Any]:
        return FILTERS[self.function] | self.options

    @property
    def image(self) -> np.ndarray:
        # Sums of squares that do not fit are undefined in SciPy.
        squared = self.function == "gaussian_gradient_magnitude"
        largest = dict.fromkeys(("int8", "int16", "int32", "int64"), 9) if squared else LARGEST
        return draw(self.shape, self.dtype, f"image of {self}", largest)

    @property
    def expected(self) -> np.ndarray:
        return scipys(self.function)(self.image, **self.arguments)


OF_MODES = [
    *(Case(function, {"mode": mode, "cval": 1.5}) for function in FILTERS for mode in MODES),
    *(Case(function, {"mode": ("wrap", "constant"), "cval": -2.0}) for function in SEVERAL_MODES),
    *(
        Case(function, {"mode": ["mirror", "nearest"], "axes": (2, 0)}, shape=(4, 3, 5))
        for function in ("gaussian_filter", "uniform_filter", "laplace", "gaussian_laplace")
    ),
]
OF_PARAMETERS = [
    *(Case("gaussian_filter1d", {"sigma": sigma, "order": order}) for sigma in (0.4, 2.5) for order in range(6)),
    Case("gaussian_filter1d", {"radius": 1, "axis": 0}),
    Case("gaussian_filter1d", {"radius": 0}),
    Case("gaussian_filter1d", {"radius": 2, "sigma": -1.0, "order": 1}),
    Case("gaussian_filter1d", {"truncate": 1.5, "axis": -2, "mode": "wrap"}),
    Case("gaussian_filter", {"sigma": (0.8, 1.7), "order": (1, 0), "radius": (2, 3)}),
    Case("gaussian_filter", {"sigma": (0, 1.2), "order": (0, 3), "truncate": 3}),
    Case("gaussian_filter", {"sigma": 0}),
    Case("gaussian_filter", {"axes": ()}),
    Case("gaussian_filter", {"sigma": (1, 2), "axes": (2, 0), "order": (0, 1)}, shape=(4, 3, 5)),
    Case("gaussian_filter", {"axes": -1}),
    *(
        Case("uniform_filter1d", {"size": size, "origin": origin, "axis": axis})
        for size, origin, axis in ((1, 0, 0), (2, -1, 0), (2, 0, 1), (4, 1, -1), (4, -2, -1), (5, 2, 0), (9, 3, 1))
    ),
    Case("uniform_filter", {"size": (2, 5), "origin": (-1, 2)}),
    Case("uniform_filter", {"size": (1, 4), "origin": (0, 1), "mode": ("mirror", "wrap")}),
    Case("uniform_filter", {"size": 1}),
    Case("uniform_filter", {"size": (2, 3), "origin": (0, -1), "axes": (2, 1)}, shape=(4, 3, 5)),
    *(Case(function, {"axis": axis}, shape=(4, 3, 5)) for function in ("sobel", "prewitt") for axis in (0, 1, -1)),
    Case("laplace", {"axes": (1,)}),
    Case("laplace", {"axes": ()}),
    Case("gaussian_laplace", {"sigma": (0.7, 1.4), "truncate": 3.0}),
    Case("gaussian_laplace", {"sigma": (0.7, 1.4), "axes": (2, 0), "radius": 2}, shape=(4, 3, 5)),
    Case("gaussian_gradient_magnitude", {"sigma": (0.7, 1.4), "radius": (2, 3)}),
    Case("gaussian_gradient_magnitude", {"axes": (1,)}),
    Case("gaussian_gradient_magnitude", {"axes": ()}),
    *(Case(function, shape=(5,)) for function in FILTERS),
    *(Case(function, shape=(0, 4)) for function in FILTERS),
]
OF_DTYPES = [
    *(
        Case(function, {"cval": 2.0, "mode": "constant"}, dtype)
        for function in FILTERS
        for dtype in ("float32", "uint8")
    ),
    *(Case(function, {}, dtype) for function in FILTERS for dtype in ("int8", "int16", "uint16", "int32", "int64")),
    *(Case("uniform_filter", {"size": (3, 4)}, dtype) for dtype in ("uint32", "uint64")),
    *(Case(function, {}, dtype) for function in FILTERS for dtype in ("complex64", "complex128")),
    Case("uniform_filter", {"mode": "constant", "cval": 0.5}, "int16"),
]
OUTPUTS = [
    Case(function, {"output": output}, dtype)
    for function in FILTERS
    for dtype, output in (("float64", "float32"), ("float32", "float64"), ("uint8", "int16"), ("uint8", "float32"))
]
OUTPUTS += [Case(function, {"output": "int8"}, "float64") for function in FILTERS]


def check(xp: Any, case: Case) -> None:
    """Integers are SciPy's; floats differ by no more than rounding in each of the passes, which SciPy makes too."""
    x, expected = make(xp, case.image), case.expected
    result = getattr(ndi, case.function)(x, **case.arguments)
    assert_same_home(result, x, dtype=expected.dtype.name)
    if expected.dtype.kind in "iu":
        assert to_numpy(result).tolist() == expected.tolist(), case
        return
    dtypes = (expected.dtype.name, case.dtype) if case.dtype in EPS else (expected.dtype.name,)
    eps = EPS[dtypes[0]]
    # The gains of derivatives are at most 16 (Sobel's) and 1/sigma^5 times a polynomial.
    gain = max(16.0, case.arguments.get("sigma", 1.0) ** -5 * 60 if case.arguments.get("order") in range(3, 6) else 0)
    scale = gain * max(float(np.abs(case.image).max(initial=0)), abs(case.options.get("cval", 0.0)))
    assert_close(result, expected, tolerance=8 * eps * scale, case=case)


@pytest.mark.parametrize("case", [*OF_MODES, *OF_PARAMETERS], ids=str)
def test_modes_and_parameters_are_scipys(xp, case):
    need_scipys_axes(case.function, case.options)
    check(xp, case)


@pytest.mark.parametrize("case", OF_DTYPES, ids=str)
def test_dtypes_are_scipys(xp, case):
    check(xp, case)


@pytest.mark.parametrize("case", OUTPUTS, ids=str)
def test_the_output_may_have_another_dtype(xp, case):
    """An integer output is rounded after each pass, as SciPy rounds it."""
    check(xp, case)


@pytest.mark.parametrize("function", FILTERS)
def test_the_output_may_be_an_array_even_the_input(xp, function):
    case = Case(function)
    x = make(xp, case.image)
    if name_of(xp) in ("jax", "dask"):
        with pytest.raises(TypeError, match="output must be an array of the input's library that can be written to"):
            getattr(ndi, function)(x, **case.arguments, output=x)
        return
    array = make(xp, np.zeros(case.shape), dtype="float32")
    assert getattr(ndi, function)(x, **case.arguments, output=array) is array
    expected = scipys(function)(case.image, **case.arguments)
    assert_close(array, expected, tolerance=1e-5, case=case)
    assert to_numpy(array).any()
    assert getattr(ndi, function)(x, **case.arguments, output=x) is x
    assert_close(x, expected, tolerance=1e-12, case=case)


def test_nothing_to_filter_gives_a_copy(xp):
    for function, options in (
        ("gaussian_filter", {"sigma": 0}),
        ("uniform_filter", {"size": 1}),
        ("laplace", {"axes": ()}),
    ):
        x = make(xp, np.ones((2, 3)))
        assert getattr(ndi, function)(x, **options) is not x
    x = np.ones((2, 3))
    assert not np.shares_memory(ndi.gaussian_filter(x, 0), x)


@pytest.mark.parametrize("function", FILTERS)
def test_no_filter_may_be_computed_by_a_transform(monkeypatch, function):
    called = []
    original = convolution.correlate

    def noted(x, kernel, **options):
        called.append(options["accuracy"])
        assert kernel.ndim == 1
        return original(x, kernel, **options)

    monkeypatch.setattr(convolution, "correlate", noted)
    getattr(ndi, function)(np.ones((5, 6)), **FILTERS[function])
    assert set(called) == {"local"}


def test_means_of_integers_that_are_whole_stay_whole(xp):
    """Three thirds of 3 are 2.9999999999999996 in some orders of summation, which would be cut off to 2."""
    for size in (3, 6, 7, 49):
        x = make(xp, np.full((5, 4), size), dtype="int32")
        assert to_numpy(ndi.uniform_filter(x, size)).tolist() == np.full((5, 4), size).tolist()
    assert to_numpy(ndi.uniform_filter1d(make(xp, np.array([-4, -4, -3])), 3)).tolist() == [-4, -3, -3]


def test_sums_of_64_bit_integers_do_not_overflow():
    assert ndi.uniform_filter1d(np.full(4, 2**62), 3).tolist() == [2**62] * 4


# Sums of derivatives by the caller's functions.


def shifted(input, axis, output, mode, cval, weight, *, scale):
    """A derivative that SciPy knows nothing of, made of each namespace's own correlate1d."""
    run = originals.ndimage_correlate1d if isinstance(input, np.ndarray) else ndi.correlate1d
    return run(input, np.array([-1, 0, weight]) * scale, axis, output, mode, cval)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
@pytest.mark.parametrize(
    "options",
    [{}, {"mode": ("wrap", "nearest")}, {"axes": (1,)}, {"axes": (), "output": "float32"}, {"output": "int16"}],
)
@pytest.mark.parametrize("function", GENERIC)
def test_derivatives_of_the_callers_are_summed(xp, function, options, dtype):
    need_scipys_axes(function, options)
    image = draw((5, 6), dtype, f"generic {dtype}", {"int32": 8})
    extra = {"extra_arguments": (3,), "extra_keywords": {"scale": 2}}
    expected = scipys(function)(image, shifted, **options, **extra)
    x = make(xp, image)
    result = getattr(ndi, function)(x, shifted, **options, **extra)
    assert_same_home(result, x, dtype=expected.dtype.name)
    assert_close(result, expected, taps=4, scale=16 * np.abs(image).max(), dtype=None)


@pytest.mark.parametrize("function", GENERIC)
def test_derivatives_may_come_from_this_module(xp, function):
    image = draw((5, 6), "float64", "generic")
    for derivative in ("sobel", "prewitt", "gaussian_filter1d"):
        if derivative == "gaussian_filter1d":
            ours = lambda x, axis, output, mode, cval: ndi.gaussian_filter1d(x, 1.0, axis, 1, output, mode, cval)  # noqa: E731
            theirs = lambda x, axis, output, mode, cval: originals.ndimage_gaussian_filter1d(  # noqa: E731
                x, 1.0, axis, 1, output, mode, cval
            )
        else:
            ours, theirs = getattr(ndi, derivative), scipys(derivative)
        expected = scipys(function)(image, theirs)
        assert_close(getattr(ndi, function)(make(xp, image), ours), expected, taps=9, scale=16.0)


@pytest.mark.parametrize("function", GENERIC)
def test_the_output_of_a_sum_may_be_the_input(function):
    image = draw((5, 6), "float64", "generic")
    expected = scipys(function)(image, originals.ndimage_sobel)
    assert getattr(ndi, function)(image, ndi.sobel, image) is image
    assert_close(image, expected, taps=9, scale=16.0)


# What SciPy computes.


@pytest.mark.parametrize("function", ORDER_STATISTICS)
@pytest.mark.parametrize("dtype", ["float64", "uint8", "bool"])
def test_order_statistics_are_scipys_own(function, dtype):
    image = draw((6, 7), "int8", "order statistics").astype(dtype)
    options = ORDER_STATISTICS[function] | {"mode": "wrap"}
    expected = scipys(function)(image, **options)
    assert getattr(ndi, function)(image, **options).tolist() == expected.tolist()
    assert (
        getattr(ndi, function)(image.tolist(), **options).tolist()
        == scipys(function)(image.tolist(), **options).tolist()
    )
    array = np.zeros_like(expected)
    assert getattr(ndi, function)(image, **options, output=array) is array
    assert array.tolist() == expected.tolist()
    if not function.endswith("1d"):
        options = {name: value for name, value in options.items() if name != "size"}
        footprint = [True, False, True]
        expected = scipys(function)(image, footprint=footprint, axes=(0,), **options)
        assert getattr(ndi, function)(image, footprint=footprint, axes=(0,), **options).tolist() == expected.tolist()


@pytest.mark.parametrize("function", ORDER_STATISTICS)
def test_order_statistics_of_other_libraries_are_refused_with_advice(xp, function):
    x = make(xp, np.ones((4, 5)))
    if name_of(xp) in ("numpy", "cupy"):
        assert_close(getattr(ndi, function)(x, **ORDER_STATISTICS[function]), np.ones((4, 5)))
        return
    sentence = (
        f"{function} is no convolution: gpuconv leaves it to SciPy .* cupyx .*: input is a {name_of(xp)} array. Pass"
    )
    with pytest.raises(TypeError, match=sentence):
        getattr(ndi, function)(x, **ORDER_STATISTICS[function])


@pytest.mark.parametrize("dtype", ["bool", "longdouble"])
@pytest.mark.parametrize("function", FILTERS)
def test_dtypes_that_only_scipy_knows_go_to_scipy(function, dtype):
    image = (draw((5, 6), "int8", "only SciPy") > 0).astype(dtype)
    try:
        expected = scipys(function)(image, **FILTERS[function])
    except Exception as error:
        with pytest.raises(type(error)):
            getattr(ndi, function)(image, **FILTERS[function])
    else:
        result = getattr(ndi, function)(image, **FILTERS[function])
        assert result.dtype == expected.dtype
        assert result.tolist() == expected.tolist()


def test_zero_dimensions_go_to_scipy():
    assert ndi.gaussian_filter(np.array(3.0), 2) == 3.0
    assert ndi.laplace(np.array(3.0)) == originals.ndimage_laplace(np.array(3.0))


@pytest.mark.parametrize("function", [*FILTERS, *GENERIC, *ORDER_STATISTICS])
def test_signatures_are_scipys(function):
    ours, theirs = (inspect.signature(call).parameters for call in (getattr(ndi, function), scipys(function)))
    # Younger than the oldest SciPy that gpuconv runs with.
    younger = set(ours) - set(theirs)
    assert younger <= {"axes", "radius"}
    assert [p.replace(annotation=p.empty) for p in ours.values() if p.name in theirs] == list(theirs.values())


# Bad arguments: SciPy's exceptions, gpuconv's sentences.

IMAGE = np.arange(12.0).reshape(3, 4)
MISUSES = [
    ("gaussian_filter1d", {"radius": -1}, "Radius must be a nonnegative integer.: got radius=-1"),
    ("gaussian_filter1d", {"radius": 1.5}, "Radius must be a nonnegative integer.: got radius=1.5"),
    ("gaussian_filter1d", {"sigma": -1}, "Radius must be a nonnegative integer.: got radius=None, sigma=-1"),
    ("gaussian_filter1d", {"order": -1}, "order must be non-negative: got order=-1. Give 0 to smooth"),
    ("gaussian_filter1d", {"axis": 2}, "axis 2 is out of bounds. Give an axis the image has"),
    ("gaussian_filter", {"sigma": (1, 2, 3)}, "one sigma per filtered axis: got 3 for 2 axes. Give one for all"),
    ("gaussian_filter", {"mode": ["wrap"]}, "one mode per filtered axis: got 1 for 2 axes. Give one for all"),
    ("gaussian_filter", {"axes": (0, 0)}, "axes must be unique: got axes=(0, 0). Name each axis once"),
    ("gaussian_filter", {"mode": "spam"}, "boundary mode not supported: got mode='spam'. Choose one of"),
    ("gaussian_filter", {"output": np.zeros((4, 3))}, "output shape not correct: output has shape (4, 3), input"),
    ("uniform_filter1d", {"size": 0}, "incorrect filter size: got size=0. Give 1 or more"),
    ("uniform_filter1d", {"origin": 2}, "got origin 2 for 3 weights on axis 1. Use an origin from -1 to 1"),
    ("uniform_filter", {"origin": (0, -2)}, "got origin -2 for 3 weights on axis 1. Use an origin from -1 to 1"),
    ("sobel", {"axis": -3}, "axis -3 is out of bounds. Give an axis the image has"),
    ("prewitt", {"mode": ["wrap"] * 3}, "one mode per filtered axis: got 3 for 2 axes"),
    ("laplace", {"mode": ["wrap"] * 3}, "one mode per filtered axis: got 3 for 2 axes"),
]


@pytest.mark.parametrize(("function", "options", "sentence"), MISUSES, ids=[row[2] for row in MISUSES])
def test_misuse_raises_scipys_exception_with_advice(function, options, sentence):
    options = FILTERS[function] | options
    with pytest.raises(Exception, match=".") as theirs:
        scipys(function)(IMAGE, **options)
    with pytest.raises(theirs.type) as ours:
        getattr(ndi, function)(IMAGE, **options)
    assert ours.type is theirs.type
    assert sentence in str(ours.value)


def test_a_sigma_of_zero_smooths_nothing_and_has_no_derivative():
    assert ndi.gaussian_filter1d(IMAGE, 0).tolist() == IMAGE.tolist()
    for order in (1, 3, 5):
        with pytest.raises(
            ValueError, match=f"derivative of order {order} needs a larger sigma: got sigma=0.0. Give a"
        ):
            ndi.gaussian_filter1d(IMAGE, 0, order=order)


def test_a_real_output_of_a_complex_image():
    image = IMAGE * (1 + 1j)
    for function in ("uniform_filter", "gaussian_filter1d"):
        with pytest.warns(UserWarning, match="promoting specified output dtype to complex") as caught:
            result = getattr(ndi, function)(image, 3, output=np.float32)
        assert result.dtype == np.complex64
        assert caught[0].filename == __file__
    with pytest.raises(RuntimeError, match="output must have complex dtype: got float32. Ask for complex64"):
        ndi.gaussian_filter(image, 1, output=np.float32)


def test_float16_is_rounded_once(xp):
    if name_of(xp) not in ("numpy", "torch", "jax", "dask"):
        pytest.skip("it has no float16")
    image = draw((5, 6), "float16", "half")
    expected = originals.ndimage_gaussian_filter(image.astype(np.float64), 1.0)
    result = ndi.gaussian_filter(make(xp, image), 1.0)
    assert_same_home(result, make(xp, image))
    assert_close(result, expected, tolerance=0.51 * EPS["float16"] * np.abs(image).max().astype(float))


# What other libraries do with functions.


@pytest.mark.parametrize("function", FILTERS)
def test_torch_differentiates(function):
    torch = pytest.importorskip("torch")
    x = torch.rand(4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: getattr(ndi, function)(x, **FILTERS[function]), (x,))


@pytest.mark.parametrize("function", FILTERS)
def test_jax_compiles_and_differentiates(function):
    jax = pytest.importorskip("jax")
    case = Case(function, dtype="float32")
    call = jax.jit(lambda x: getattr(ndi, function)(x, **case.arguments))
    x = jax.numpy.asarray(case.image)
    assert_close(call(x), case.expected, tolerance=1e-5)
    gradient = jax.grad(lambda x: (call(x) ** 2).sum())(x)
    assert bool(jax.numpy.isfinite(gradient).all())
    assert bool(gradient.any())


@pytest.mark.parametrize("function", FILTERS)
def test_dask_stays_lazy(function):
    array = pytest.importorskip("dask.array")

    def refuse(block):
        raise AssertionError("a block was computed")

    x = array.ones((6, 8), chunks=3).map_blocks(refuse, dtype=float, meta=np.empty((0, 0)))
    assert getattr(ndi, function)(x, **FILTERS[function], output="float32").shape == (6, 8)


def test_origins_may_be_an_array_of_any_library(xp):
    """Its entries are arrays of no axes, which dask lets be iterated over."""
    x, origins = np.arange(30.0).reshape(5, 6), [-1, 1]
    result = ndi.uniform_filter(make(xp, x), 3, origin=make(xp, np.array(origins)))
    assert_close(result, scipys("uniform_filter")(x, 3, origin=origins), scale=30.0)
