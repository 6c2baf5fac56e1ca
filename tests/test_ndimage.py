"""`gpuconv.ndimage` gives what `scipy.ndimage` gives, on every library; where SciPy errs, it follows the definition."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

import gpuconv.ndimage as ndi
from gpuconv import convolution
from gpuconv.backends.cpu import originals
from tests import reference
from tests.assertions import assert_close, assert_same_home
from tests.cases import draw
from tests.libraries import has_dtype, library_of, make, name_of, to_numpy

FUNCTIONS = ("convolve", "correlate", "convolve1d", "correlate1d")
MODES = ("reflect", "constant", "nearest", "mirror", "wrap", "grid-constant", "grid-mirror", "grid-wrap")
# So small that what SciPy sums in double is exact.
LARGEST = {"int32": 2**20, "uint32": 2**20, "int64": 2**40, "uint64": 2**40}


def scipys(function: str) -> Any:
    return getattr(originals, f"ndimage_{function}")


@dataclass(frozen=True)
class Case:
    """One call: the data follow from the fields."""

    function: str
    shape: tuple[int, ...]
    weights_shape: tuple[int, ...]
    dtype: str = "float64"
    weights_dtype: str = "float64"
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        sizes = ["x".join(map(str, shape)) for shape in (self.shape, self.weights_shape)]
        words = [f"{name}={value!r}".replace(" ", "").replace("'", "") for name, value in self.options.items()]
        return ",".join([f"{self.function}-{self.dtype}[{sizes[0]}]-{self.weights_dtype}[{sizes[1]}]", *words])

    @property
    def image(self) -> np.ndarray:
        return draw(self.shape, self.dtype, f"image of {self}", LARGEST)

    @property
    def weights(self) -> np.ndarray:
        seed = f"weights of {self}"
        if self.weights_dtype == "bool":
            return draw(self.weights_shape, "float64", seed) > 0
        return draw(self.weights_shape, self.weights_dtype, seed, dict.fromkeys(("int8", "int32", "int64"), 9))

    @property
    def expected(self) -> np.ndarray:
        return scipys(self.function)(self.image, self.weights, **self.options)

    @property
    def scale(self) -> np.ndarray:
        """``sum |w| |x|``, to which rounding is relative."""
        options = {name: value for name, value in self.options.items() if name != "output"}
        options["cval"] = abs(options.get("cval", 0.0))
        image, weights = (np.abs(array.astype(complex)) for array in (self.image, self.weights))
        return scipys(self.function)(image, weights, **options)


EDGES = [Case("correlate", (5, 6), (3, 4), options={"mode": mode, "cval": 1.5}) for mode in MODES]
CENTRES = [
    Case(function, (7,), (size,), options={"origin": origin})
    for function in FUNCTIONS
    for size, origin in ((1, 0), (2, -1), (2, 0), (4, -2), (4, 1), (5, 2), (5, -2))
]
SHAPES = [
    *(Case(function, (3, 4, 5), (2, 3, 4), options={"origin": (-1, 1, 0)}) for function in ("convolve", "correlate")),
    *(
        Case(function, (3, 4, 5), (4,), options={"axis": 1, "mode": "wrap"})
        for function in ("convolve1d", "correlate1d")
    ),
    Case("correlate1d", (4, 3), (2,), options={"axis": -2, "mode": "mirror", "origin": -1}),
    Case("convolve", (1, 6), (3, 2), options={"mode": "mirror"}),
    Case("correlate", (4, 5), (9, 3), options={"mode": "wrap"}),
    Case("correlate", (0, 5), (3, 3)),
    Case("convolve1d", (0,), (3,)),
]
FLOATS = [
    Case("correlate", (5, 6), (3, 3), "float32"),
    Case("convolve", (5, 6), (2, 3), "float32", "float32", {"mode": "constant", "cval": -0.5}),
    Case("correlate", (5, 6), (3, 3), "float64", "int64"),
    Case("convolve1d", (5, 6), (3,), "float64", "bool"),
    Case("correlate", (5, 6), (3, 3), "complex64", "float64", {"mode": "constant", "cval": 1 - 2j}),
    Case("correlate", (5, 6), (2, 3), "complex128", "complex128", {"mode": "wrap"}),
    Case("correlate", (5, 6), (2, 3), "float32", "complex128"),
    Case("convolve", (5, 6), (2, 3), "float64", "complex64", {"origin": (0, 1)}),
    Case("correlate1d", (5, 6), (4,), "float64", "complex128", {"origin": 1}),
    Case("convolve1d", (5, 6), (4,), "complex64", "complex64", {"mode": "constant", "cval": 2 + 1j}),
    Case("correlate", (5, 6), (2, 3), "int32", "complex128"),
    Case("correlate", (5, 6), (2, 3), "uint8", "complex64"),
]


INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
OF_INTEGERS = [
    *(Case("correlate", (5, 6), (3, 4), dtype, "int64") for dtype in INTEGERS),
    *(Case("convolve1d", (5, 6), (4,), dtype, "float64", {"axis": 0, "mode": "mirror"}) for dtype in INTEGERS),
    Case("convolve", (5, 6), (2, 3), "uint8", "int8", {"mode": "constant", "cval": 0.5}),
    Case("convolve", (5, 6), (2, 3), "int16", "int8", {"mode": "constant", "cval": -300.0}),
    Case("convolve", (5, 6), (2, 3), "uint8", "int8", {"mode": "constant", "cval": -300.0}),
    Case("correlate", (5, 6), (2, 3), "int64", "float32"),
    Case("correlate", (5, 6), (2, 3), "uint16", "bool"),
]
# Image, weights, output, and how the output is asked for.
OUTPUTS = [
    (image, weights, output)
    for image, weights in (("float32", "float64"), ("float64", "float64"), ("int32", "int64"), ("uint8", "float64"))
    for output in ("float32", "float64", "int8", "uint8", "uint16", "int64")
]


@pytest.mark.parametrize("case", [*EDGES, *CENTRES, *SHAPES], ids=str)
def test_edges_and_centres_are_scipys(xp, case):
    x = make(xp, case.image)
    result = getattr(ndi, case.function)(x, case.weights, **case.options)
    assert_same_home(result, x)
    assert_close(result, case.expected, taps=case.weights.size, scale=case.scale, case=case)


@pytest.mark.parametrize("case", FLOATS, ids=str)
def test_dtypes_of_floating_results_are_scipys(xp, case):
    x, expected = make(xp, case.image), case.expected
    result = getattr(ndi, case.function)(x, case.weights, **case.options)
    assert_same_home(result, x, dtype=expected.dtype.name)
    assert_close(result, expected, taps=case.weights.size, scale=3 * case.scale, case=case)


@pytest.mark.parametrize("case", OF_INTEGERS, ids=str)
def test_integer_images_give_scipys_integers(xp, case):
    x = make(xp, case.image)
    result = getattr(ndi, case.function)(x, case.weights, **case.options)
    assert_same_home(result, x)
    assert to_numpy(result).tolist() == case.expected.tolist()


def test_sums_that_are_cut_off_are_summed_directly(monkeypatch):
    """Cutting off must not meet the rounding of a transform, nor that of a kernel taken apart."""
    called = {}
    monkeypatch.setattr(convolution, "correlate", lambda x, kernel, **options: called.update(options) or x)
    ndi.correlate(np.ones((3, 3), np.uint8), np.full((3, 3), 1 / 9))
    assert called["method"] == "direct"
    assert called["accuracy"] == "local"


@pytest.mark.parametrize(("image", "weights", "output"), OUTPUTS, ids="-".join)
def test_the_output_may_have_any_dtype(xp, image, weights, output):
    case = Case("correlate", (5, 6), (3, 2), image, weights)
    x = make(xp, case.image)
    if image.startswith("float"):
        x = x * 40
    expected = originals.ndimage_correlate(to_numpy(x), case.weights, output=output)
    scale = originals.ndimage_correlate(np.abs(to_numpy(x)).astype(float), np.abs(case.weights.astype(float)))
    for asked_for in (output, getattr(np, output), np.dtype(output), getattr(xp, output)):
        result = ndi.correlate(x, case.weights, output=asked_for)
        assert_same_home(result, x, dtype=output)
        assert_close(result, expected, taps=case.weights.size, scale=scale, case=case)


@pytest.mark.parametrize(("image", "weights", "output"), OUTPUTS[::5], ids="-".join)
def test_the_output_may_be_an_array(xp, image, weights, output):
    case = Case("convolve", (5, 6), (3, 2), image, weights)
    x, expected = make(xp, case.image), scipys("convolve")(case.image, case.weights, output=output)
    array = make(xp, np.zeros((5, 6)), dtype=output)
    if name_of(xp) in ("jax", "dask"):
        with pytest.raises(TypeError, match="output must be an array of the input's library that can be written to"):
            ndi.convolve(x, case.weights, output=array)
        return
    assert ndi.convolve(x, case.weights, output=array) is array
    assert_close(array, expected, taps=case.weights.size, scale=case.scale, case=case)


@pytest.mark.parametrize("dtype", ["float64", "int16"])
def test_the_output_may_be_the_input(xp, dtype):
    if name_of(xp) in ("jax", "dask"):
        pytest.skip("its arrays cannot be written to")
    case = Case("correlate1d", (5, 6), (3,), dtype, "int64")
    x = make(xp, case.image)
    ndi.correlate1d(x, case.weights, output=x)
    assert_close(x, case.expected, taps=3, scale=case.scale)


def test_the_output_may_be_a_view_with_strides():
    case = Case("correlate", (5, 6), (3, 3))
    stack = np.zeros((6, 5, 2))
    ndi.correlate(case.image, case.weights, output=stack[:, :, 1].T)
    assert_close(stack[:, :, 1].T, case.expected, taps=9, scale=case.scale)
    assert not stack[:, :, 0].any()


def test_the_fraction_is_cut_off_and_what_does_not_fit_wraps_around(xp):
    x = make(xp, np.array([-300.7, -1.5, -0.5, 0.5, 1.999, 255.5, 256.25]))
    for output, expected in (
        ("uint8", [212, 255, 0, 0, 1, 255, 0]),
        ("int8", [-44, -1, 0, 0, 1, -1, 0]),
        ("uint64", [2**64 - 300, 2**64 - 1, 0, 0, 1, 255, 256]),
    ):
        assert to_numpy(ndi.correlate(x, [1.0], output=output)).tolist() == expected
    x = make(xp, np.array([2.0**63, 2.0**64 - 2048, -(2.0**63)]))
    assert to_numpy(ndi.correlate(x, [1.0], output="uint64")).tolist() == [2**63, 2**64 - 2048, 2**63]


AXES = [
    # axes, shape of the weights, shape of the weights among all axes, origin, origin of all axes
    ((1,), (3,), (1, 3, 1), 1, (0, 1, 0)),
    (-1, (2,), (1, 1, 2), -1, (0, 0, -1)),
    ((0, 2), (2, 3), (2, 1, 3), (-1, 1), (-1, 0, 1)),
    ((2, 0), (2, 3), (2, 1, 3), (1, -1), (-1, 0, 1)),
    ((-1, -2), (3, 4), (1, 3, 4), (1, 0), (0, 0, 1)),
    ((2, 0, 1), (2, 3, 4), (2, 3, 4), (1, -1, 0), (-1, 0, 1)),
]


@pytest.mark.parametrize("function", ["convolve", "correlate"])
@pytest.mark.parametrize(("axes", "shape", "among_all", "origin", "of_all"), AXES)
def test_weights_follow_ascending_axes_and_origins_the_order_of_axes(
    xp, function, axes, shape, among_all, origin, of_all
):
    case = Case(function, (3, 4, 5), shape)
    x = make(xp, case.image)
    result = getattr(ndi, function)(x, case.weights, axes=axes, origin=origin)
    expected = scipys(function)(case.image, case.weights.reshape(among_all), origin=of_all)
    assert_close(result, expected, taps=case.weights.size)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_signatures_are_scipys(function):
    ours, theirs = (inspect.signature(call).parameters for call in (getattr(ndi, function), scipys(function)))
    # `axes` came to convolve and correlate after the oldest SciPy that gpuconv runs with.
    assert [p.replace(annotation=p.empty) for p in ours.values() if p.name in theirs] == list(theirs.values())
    assert set(ours) - set(theirs) <= {"axes"}


# What only SciPy computes.


@pytest.mark.parametrize("dtype", ["bool", "longdouble", "clongdouble", "object"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_dtypes_that_only_scipy_knows_go_to_scipy(function, dtype):
    image = np.array([1, 0, 0, 1, 1]).astype(dtype)
    try:
        expected = scipys(function)(image, [1.0, 2.0])
    except Exception as error:
        with pytest.raises(type(error)):
            getattr(ndi, function)(image, [1.0, 2.0])
    else:
        result = getattr(ndi, function)(image, [1.0, 2.0])
        assert result.dtype == expected.dtype
        assert result.tolist() == expected.tolist()


def test_a_bool_output_goes_to_scipy():
    result = ndi.correlate([1, 0, 0, 0], [0, 1, 1], output=bool)
    assert result.dtype == bool
    assert result.tolist() == originals.ndimage_correlate([1, 0, 0, 0], [0, 1, 1], output=bool).tolist()


def test_zero_dimensions_go_to_scipy():
    assert ndi.correlate(np.array(3.0), np.array(2.0)) == 6.0


def test_other_libraries_bools_are_refused_with_advice():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(TypeError, match="its dtype is bool. Cast it first"):
        ndi.correlate(strict.asarray([True, False]), [1.0])


class Carrier:
    """An object that NumPy can read and no array library owns."""

    def __array__(self, dtype=None, copy=None):
        return np.array([1.0, 2.0, 4.0])


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize(
    "wrap", [lambda values: Carrier(), np.ma.array, np.matrix, lambda values: values.astype(">f8")]
)
def test_objects_go_through_asarray_as_in_scipy(wrap):
    image = wrap(np.array([1.0, 2.0, 4.0]))
    weights = np.ones(np.shape(np.asarray(image)))
    assert ndi.correlate(image, weights).tolist() == originals.ndimage_correlate(image, weights).tolist()
    weights = np.arange(3.0)
    if np.ndim(np.asarray(image)) == 1:
        assert ndi.correlate(weights, image).tolist() == originals.ndimage_correlate(weights, image).tolist()


# Bad arguments: SciPy's exceptions, gpuconv's sentences.

IMAGE = np.arange(12.0).reshape(3, 4)
MISUSES = [
    ("correlate", (IMAGE, np.ones(3)), {}, "weights.ndim (1) must match len(axes) (2)"),
    ("convolve", (IMAGE, np.ones((0, 3))), {}, "weights.ndim (1) must match len(axes) (2)"),
    ("correlate", (IMAGE, np.ones((3, 3))), {"mode": "spam"}, "boundary mode not supported: got mode='spam'. Choose"),
    ("correlate", (IMAGE, np.ones((3, 3))), {"mode": ["wrap", "mirror"]}, "A sequence of modes is not supported"),
    ("correlate", (IMAGE, np.ones((3, 3))), {"origin": (0, 1, 0)}, "sequence argument must have length equal to"),
    (
        "correlate",
        (IMAGE, np.ones((3, 3))),
        {"origin": 2},
        "got origin 2 for 3 weights on axis 0. Use an origin from -1",
    ),
    ("convolve", (IMAGE, np.ones((2, 2))), {"origin": (0, 1)}, "got origin 1 for 2 weights on axis 1. Use an origin"),
    ("convolve1d", (IMAGE, np.ones(4)), {"origin": -3}, "got origin -3 for 4 weights on axis 1. Use an origin from -2"),
    ("correlate1d", (IMAGE, np.ones(2)), {"origin": 0.0}, "interpreted as an integer"),
    ("correlate1d", (IMAGE, np.ones((3, 3))), {}, "no filter weights given: weights have shape (3, 3). Give a 1-D"),
    ("convolve1d", (IMAGE, []), {}, "no filter weights given: weights have shape (0,). Give a 1-D sequence"),
    ("correlate1d", (IMAGE, np.ones(3), 2), {}, "axis 2 is out of bounds. Give an axis the image has"),
    ("correlate", (IMAGE, np.ones((3, 3))), {"output": np.zeros((4, 3))}, "output shape not correct: output has shape"),
    ("correlate", (IMAGE, np.ones((3, 3))), {"output": np.complex64}, "array type not supported: output is complex64"),
    (
        "correlate",
        (IMAGE, np.ones((3, 3)) * 1j),
        {"output": np.zeros((3, 4))},
        "output must have complex dtype: got flo",
    ),
    ("correlate", (IMAGE, np.ones((3, 3)) * 1j), {"output": "float64"}, "output must have complex dtype: got float64"),
    ("correlate", (IMAGE, np.ones((3, 3))), {"mode": "constant", "cval": 1j}, "cval must be real for a real image"),
    (
        "correlate",
        (IMAGE, np.ones((3, 3)) * 1j),
        {"mode": "constant", "cval": 1j},
        "cval must be real for a real image",
    ),
    ("correlate", (IMAGE, np.ones((3, 3))), {"cval": "a"}, "cval must be a number: got 'a'. Give a number"),
]


@pytest.mark.parametrize(("function", "arrays", "options", "sentence"), MISUSES, ids=[row[3] for row in MISUSES])
def test_misuse_raises_scipys_exception_with_advice(function, arrays, options, sentence):
    with pytest.raises(Exception, match=".") as theirs:
        scipys(function)(*arrays, **options)
    with pytest.raises(theirs.type) as ours:
        getattr(ndi, function)(*arrays, **options)
    assert ours.type is theirs.type
    assert sentence in str(ours.value)


@pytest.mark.parametrize(
    ("axes", "exception", "sentence"),
    [
        ((0, 2), ValueError, "axes must lie in .*: specified axis: 2 is out of range. Give axes the image has"),
        ((0, -2), ValueError, "axes must be unique: got axes=.* Name each axis once"),
        ((0.5, 1), TypeError, "cannot be interpreted as an integer"),
    ],
)
def test_bad_axes_are_refused(axes, exception, sentence):
    with pytest.raises(exception, match=sentence):
        ndi.correlate(IMAGE, np.ones((3, 3)), axes=axes)


def test_a_real_output_of_complex_weights_is_made_complex_with_a_warning():
    with pytest.warns(UserWarning, match="promoting specified output dtype to complex") as caught:
        result = ndi.correlate(IMAGE, np.ones((3, 3)) * 1j, output=np.float32)
    assert result.dtype == np.complex64
    assert caught[0].filename == __file__


def test_an_output_of_another_library_is_refused():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(TypeError, match="input is a array_api_strict array, output a numpy array. Make output in"):
        ndi.correlate(strict.asarray([1.0, 2.0]), [1.0], output=np.zeros(2))


# What other libraries do with functions.


def test_torch_differentiates_through_image_and_weights():
    torch = pytest.importorskip("torch")
    x, weights = (torch.rand(*shape, dtype=torch.float64, requires_grad=True) for shape in ((4, 5), (2, 3)))
    assert torch.autograd.gradcheck(lambda x, weights: ndi.correlate(x, weights, mode="mirror"), (x, weights))
    assert torch.autograd.gradcheck(lambda x, weights: ndi.convolve1d(x, weights[0], axis=0), (x, weights))


def test_jax_compiles_it():
    jax = pytest.importorskip("jax")
    case = Case("convolve", (5, 6), (3, 2), "float32")
    compiled = jax.jit(lambda x: ndi.convolve(x, case.weights))
    assert_close(compiled(jax.numpy.asarray(case.image)), case.expected, taps=6, scale=case.scale)


def test_dask_stays_lazy():
    array = pytest.importorskip("dask.array")

    def refuse(block):
        raise AssertionError("a block was computed")

    x = array.ones((6, 8), chunks=3).map_blocks(refuse, dtype=float, meta=np.empty((0, 0)))
    assert ndi.correlate(x, np.ones((3, 3)), output="float32").shape == (6, 8)


# Where SciPy's answer is not the definition.


def test_reflection_far_beyond_the_image_follows_the_definition(xp, rng):
    image, weights = rng.normal(size=(3, 2)), rng.normal(size=(27, 1))
    expected = reference.correlate(image, weights, boundary="reflect")
    assert_close(ndi.correlate(make(xp, image), weights), expected, taps=27)


def test_tiny_weights_count(xp):
    weights = np.array([[1e-16, -1e-17], [3e-18, 2e-16]])
    image = np.full((2, 2), 1e16)
    assert_close(ndi.correlate(make(xp, image), weights), np.full((2, 2), 2.93), taps=4)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_64_bit_integers_are_exact(dtype):
    image = np.array([2**60 + 1, 3, 5], dtype=dtype)
    assert ndi.correlate(image, [0, 1, 0]).tolist() == image.tolist()
    assert ndi.correlate1d(image, [0, 3, 1]).tolist() == [3 * 2**60 + 6, 14, 20]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_summed_in_single(xp, dtype):
    if not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    x = make(xp, np.full(300, 1.0), dtype=dtype)
    result = ndi.correlate1d(x, np.full(257, 1.0), mode="wrap")
    assert_same_home(result, x)
    # A sum in half precision would stop growing at 2048 or 256.
    assert_close(result, np.full(300, 256.0 if dtype == "bfloat16" else 257.0), tolerance=0.0)


# Putting gpuconv's functions in SciPy's place.


def test_replacing_scipys_functions_does_not_recurse(monkeypatch, rng):
    image, weights = rng.normal(size=(6, 7)), rng.normal(size=(3, 3))
    expected = {
        name: scipys(name)(image, weights if name in ("convolve", "correlate") else weights[0]) for name in FUNCTIONS
    }
    of_bools = originals.ndimage_correlate(image > 0, weights)
    for name in FUNCTIONS:
        monkeypatch.setattr(scipy.ndimage, name, getattr(ndi, name))
    for name in FUNCTIONS:
        given = weights if name in ("convolve", "correlate") else weights[0]
        assert_close(getattr(scipy.ndimage, name)(image, given), expected[name], taps=9)
    assert scipy.ndimage.correlate(image > 0, weights).tolist() == of_bools.tolist()
    assert library_of(scipy.ndimage.correlate(image, weights)) == "numpy"
