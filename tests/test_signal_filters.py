"""Filters of `gpuconv.signal` give what SciPy's give, on every library."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest

import gpuconv
import gpuconv.signal as signal
from gpuconv.backends import cupyx
from gpuconv.backends.cpu import originals
from tests.assertions import assert_close, assert_same_home
from tests.cases import draw
from tests.libraries import has_dtype, make, name_of, to_numpy

EXTENSIONS = (
    *("constant", "symmetric", "reflect", "edge", "wrap"),
    *("smooth", "antisymmetric", "antireflect", "line"),
)
BACKGROUNDS = ("mean", "median", "minimum", "maximum")
TAPS = [0.5, -1.0, 2.0, 0.25, 3.0]
# Every filter of one array, as ``FILTERS[name](x, **options)``, with arguments that need no thought.
FILTERS = {
    "upfirdn": lambda x, h=TAPS, **options: signal.upfirdn(h, x, **({"up": 3, "down": 2} | options)),
    "resample_poly": lambda x, up=3, down=2, **options: signal.resample_poly(x, up, down, **options),
    "savgol_filter": lambda x, size=5, order=2, **options: signal.savgol_filter(x, size, order, **options),
    "hilbert": signal.hilbert,
    "hilbert2": signal.hilbert2,
    "wiener": signal.wiener,
    "sepfir2d": lambda x, row=TAPS, column=(1.0, 2.0, -4.0): signal.sepfir2d(x, row, column),
    "lfilter": lambda x, b=TAPS, a=2.0, **options: signal.lfilter(b, a, x, **options),
}
GIVEN = {
    "upfirdn": lambda x, f, h=TAPS, **options: f(h, x, **({"up": 3, "down": 2} | options)),
    "resample_poly": lambda x, f, up=3, down=2, **options: f(x, up, down, **options),
    "savgol_filter": lambda x, f, size=5, order=2, **options: f(x, size, order, **options),
    "sepfir2d": lambda x, f, row=TAPS, column=(1.0, 2.0, -4.0): f(x, row, column),
    "lfilter": lambda x, f, b=TAPS, a=2.0, **options: f(b, a, x, **options),
}


@dataclass(frozen=True)
class Case:
    """One call: the signal follows from the fields."""

    function: str
    options: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float64"
    shape: tuple[int, ...] = (6, 7)

    def __str__(self) -> str:
        words = [f"{name}={value!r}".replace(" ", "").replace("'", "") for name, value in self.options.items()]
        return ",".join([f"{self.function}-{self.dtype}{list(self.shape)}".replace(" ", ""), *words])

    @property
    def x(self) -> np.ndarray:
        if self.dtype == "bool":
            return draw(self.shape, "float64", f"signal of {self}") > 0
        return draw(self.shape, self.dtype, f"signal of {self}", {"int32": 2**20, "int64": 2**20})

    def of(self, function: Any, x: Any) -> Any:
        return GIVEN.get(self.function, lambda x, f, **options: f(x, **options))(x, function, **self.options)

    @property
    def expected(self) -> np.ndarray:
        return self.of(getattr(originals, f"signal_{self.function}"), self.x)


def check(xp: Any, case: Case) -> None:
    x, expected = make(xp, case.x), case.expected
    run = partial(case.of, getattr(signal, case.function))
    # One compilation takes less time than one for each of JAX's operations.
    result = importlib.import_module("jax").jit(run)(x) if name_of(xp) == "jax" else run(x)
    assert_same_home(result, x, dtype=expected.dtype.name)
    # Sums of up to some thirty products with weights of up to some ten, in the precision of the poorer one.
    precision = {"float32", "complex64"} & {case.dtype, expected.dtype.name}
    scale = 20 * max(1.0, float(np.abs(case.x).max(initial=0)))
    assert_close(result, expected, taps=30, scale=scale, dtype="float32" if precision else None, case=case)


RATES = [(1, 1), (4, 1), (1, 3), (3, 2), (2, 5), (4, 6)]
OF_RATES = [
    *(
        Case("upfirdn", {"h": TAPS[:taps], "up": up, "down": down, "axis": axis})
        for up, down in RATES
        for taps, axis in ((1, 0), (5, -1))
    ),
    *(Case("upfirdn", {"mode": mode, "axis": 0, "h": TAPS * 3}, shape=(4, 3)) for mode in EXTENSIONS),
    Case("upfirdn", {"cval": 1.5}),
    Case("upfirdn", {"h": [1.0, 2j, 3.0]}),
    Case("upfirdn", {"h": [0.0, 0.0]}),
    *(Case("upfirdn", {"h": np.arange(4, dtype=taps)}, dtype) for taps, dtype in (("float32", "int16"),)),
    *(Case("upfirdn", {"h": np.arange(4, dtype="float32")}, dtype) for dtype in ("float32", "complex64", "int32")),
    Case("upfirdn", {"h": [1, 2]}, "bool"),
]
RESAMPLED = [
    *(Case("resample_poly", {"up": up, "down": down, "axis": 1}) for up, down in RATES[1:4]),
    *(Case("resample_poly", {"padtype": padtype}) for padtype in ("line", *BACKGROUNDS)),
    Case("resample_poly", {"padtype": "median", "axis": -1}, shape=(3, 8)),
    Case("resample_poly", {"cval": -2.0}),
    Case("resample_poly", {"window": "hamming"}),
    Case("resample_poly", {"window": [1.0, 2.0, 3.0, 1.0]}),
    Case("resample_poly", {"window": np.array([1, 2, 1])}, "float32"),
    *(Case("resample_poly", {}, dtype) for dtype in ("float32", "complex64")),
    Case("resample_poly", {"up": 5, "down": 5}, "int16"),
]
SMOOTHED = [
    *(
        Case("savgol_filter", {"mode": mode, "size": size, "deriv": deriv, "delta": 0.5, "cval": 1.5})
        for mode in ("interp", "mirror", "constant", "nearest", "wrap")
        for size, deriv in ((5, 0), (6, 1))
    ),
    Case("savgol_filter", {"size": 1, "order": 0}),
    Case("savgol_filter", {"axis": 0, "deriv": 3}),
    Case("savgol_filter", {"size": 6, "axis": 0}),
    *(Case("savgol_filter", {"size": 3, "order": 1}, dtype) for dtype in ("float32", "int32")),
    *(Case("wiener", options) for options in ({}, {"mysize": 4}, {"mysize": (1, 5)}, {"noise": 0.5})),
    Case("wiener", {}, "int64"),
    Case("wiener", {"mysize": 3}, shape=(9,)),
    Case("sepfir2d", {}),
    Case("sepfir2d", {"row": [2.0], "column": [1, 2, 3]}, "uint8"),
    *(Case("sepfir2d", {"row": [1.0, 2.0, 4.0]}, dtype) for dtype in ("float32", "complex128", "int32", "bool")),
]
ANALYTIC = [
    *(Case("hilbert", {"N": N, "axis": 0}) for N in (None, 1, 2, 5, 9)),
    *(Case("hilbert", {}, dtype) for dtype in ("float32", "int32", "bool")),
    Case("hilbert", {}, shape=(2, 3, 8)),
]
FED = [
    Case("lfilter", {}),
    Case("lfilter", {"axis": 0, "b": [1.0], "a": [2.0]}),
    Case("lfilter", {"b": TAPS * 3}, shape=(4,)),
    Case("lfilter", {"b": [1.0, 2j]}),
    *(Case("lfilter", {"b": np.array([1, 2], dtype), "a": np.array([4], dtype)}, dtype) for dtype in ("float32",)),
    Case("lfilter", {}, "int32"),
    Case("lfilter", {"b": [1, 2], "a": 1}, "complex64"),
]


@pytest.mark.parametrize("case", [*OF_RATES, *RESAMPLED, *SMOOTHED, *ANALYTIC, *FED], ids=str)
def test_results_are_scipys(xp, case):
    check(xp, case)


def test_every_filter_has_cases_and_scipys_signature():
    cases = {case.function for case in [*OF_RATES, *RESAMPLED, *SMOOTHED, *ANALYTIC, *FED]}
    assert cases == set(FILTERS) - {"hilbert2"}
    for name in (*FILTERS, "medfilt", "order_filter"):
        if name == "sepfir2d":
            continue  # SciPy's is compiled and tells nothing
        ours, theirs = (
            {parameter.name: parameter.default for parameter in inspect.signature(function).parameters.values()}
            for function in (getattr(signal, name), getattr(originals, f"signal_{name}"))
        )
        assert list(ours.items())[: len(theirs)] == list(theirs.items()), name
        assert ours == theirs or name == "hilbert2"  # whose axes older SciPys lack


# upfirdn by its definition.


def beyond(x: np.ndarray, position: int, mode: str) -> Any:
    """The sample at `position` of a line that goes on beyond its ends, by the picture of each mode."""
    n, last = len(x), len(x) - 1
    if 0 <= position < n:
        return x[position]
    if mode in ("constant", "edge"):
        return 0.0 if mode == "constant" else x[0 if position < 0 else last]
    if mode == "wrap":
        return x[position % n]
    if n == 1 and mode != "antisymmetric":
        return x[0]
    if mode == "line":
        return x[0] + position * (x[last] - x[0]) / last
    if mode == "smooth":
        return (
            x[0] + position * (x[1] - x[0]) if position < 0 else x[last] + (position - last) * (x[last] - x[last - 1])
        )
    # A turn about the end that lies between, and on from there.
    mirror = {"symmetric": -1, "antisymmetric": -1, "reflect": 0, "antireflect": 0}[mode]
    turned = mirror - position if position < 0 else 2 * last - mirror - position
    value = beyond(x, turned, mode)
    if mode == "antisymmetric":
        return -value
    return 2 * (x[0] if position < 0 else x[last]) - value if mode == "antireflect" else value


@pytest.mark.parametrize("mode", EXTENSIONS)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_upfirdn_follows_its_definition_also_where_scipy_stops(xp, rng, mode, size):
    """SciPy's own crashes for "reflect" of one sample, and reads a second one that is not there for "smooth"."""
    x, h = rng.normal(size=size), rng.normal(size=11)
    up, down = 2, 3
    count = ((size - 1) * up + len(h) - 1) // down + 1
    expected = np.zeros(count)
    for n in range(count):
        for tap in range(len(h)):
            if (n * down - tap) % up == 0:
                expected[n] += h[tap] * beyond(x, (n * down - tap) // up, mode)
    result = signal.upfirdn(h, make(xp, x), up, down, mode=mode)
    assert_close(result, expected, scale=200.0)


def test_nan_stays_where_a_tap_meets_it(xp):
    x = np.ones((2, 30))
    x[1, 17] = np.nan
    h = np.array([1.0, 2.0, 0.0, 4.0, 0.0])
    result = to_numpy(signal.upfirdn(h, make(xp, x), 3, 2))
    touched = [n for n in range(result.shape[1]) if 2 * n - 51 in (0, 1, 3)]
    assert np.flatnonzero(np.isnan(result[1])).tolist() == touched
    assert np.isfinite(result[0]).all()
    for mode in ("antireflect", "line", "smooth"):
        long = to_numpy(signal.upfirdn(np.ones(3), make(xp, x), mode=mode))
        assert np.flatnonzero(np.isnan(long[1])).tolist() == [17, 18, 19]


def test_taps_may_belong_to_the_signals_library(xp):
    x, h = make(xp, np.arange(7.0)), make(xp, np.array(TAPS))
    assert_close(signal.upfirdn(h, x, 2, 3), to_numpy(signal.upfirdn(TAPS, np.arange(7.0), 2, 3)), scale=20.0)
    assert_close(
        signal.resample_poly(x, 2, 3, window=h),
        to_numpy(signal.resample_poly(np.arange(7.0), 2, 3, window=TAPS)),
        scale=40.0,
    )
    assert_close(signal.lfilter(h, [1.0], x), to_numpy(signal.lfilter(TAPS, 1.0, np.arange(7.0))), scale=20.0)


def test_two_byte_floats_are_resampled_in_single_precision(xp):
    for dtype in ("float16", "bfloat16"):
        if not has_dtype(xp, dtype):
            continue
        x = make(xp, np.arange(8.0), dtype=dtype)
        result = signal.resample_poly(x, 3, 2)
        assert_same_home(result, x, dtype="float32")
        assert_close(result, originals.signal_resample_poly(np.arange(8.0), 3, 2), scale=20.0)


def test_integers_are_resampled_in_double_precision(xp):
    """SciPy before 1.14 casts the taps to integers."""
    x = np.arange(-4, 5, dtype=np.int16)
    result = signal.resample_poly(make(xp, x), 3, 2)
    assert_same_home(result, make(xp, x), dtype="float64")
    assert_close(result, originals.signal_resample_poly(x.astype(float), 3, 2), scale=50.0)


def test_unsigned_integers_do_not_wrap_around_below_their_background():
    """SciPy subtracts the largest sample in the dtype of the signal."""
    x = np.array([200, 100, 0, 50], np.uint8)
    expected = originals.signal_resample_poly(x.astype(float), 2, 1, padtype="maximum")
    assert_close(signal.resample_poly(x, 2, 1, padtype="maximum"), expected, scale=1000.0)


def test_a_median_of_nan_is_nan():
    x = np.arange(6.0)
    x[2] = np.nan
    assert np.isnan(signal.resample_poly(x, 2, 1, padtype="median")).all()


# Analytic signals.


@pytest.mark.parametrize(
    ("shape", "N", "axes"), [((5, 6), None, (-2, -1)), ((3, 4, 1), (7, 2), (1, 0)), ((6,), 3, (0, 1))]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_hilbert2_keeps_one_quarter_of_the_spectrum(xp, rng, shape, N, axes, dtype):
    host = rng.normal(size=shape).astype(dtype)
    result = signal.hilbert2(make(xp, host), N, axes)
    host = np.atleast_2d(host)
    lengths = tuple(host.shape[axis] for axis in axes) if N is None else np.broadcast_to(N, 2)
    expected = host
    for axis, length in zip(axes, lengths, strict=True):
        kept = [1.0 if k == 0 else 2.0 if 2 * k < length else 0.0 for k in range(length)]
        waves = np.exp(2j * np.pi * np.outer(np.arange(length), np.arange(length)) / length)
        matrix = (waves * kept) @ waves.conj() / length
        lines = np.moveaxis(expected, axis, -1)[..., :length]
        expected = np.moveaxis(lines @ matrix[:, : lines.shape[-1]].T, -1, axis)
    assert_same_home(result, make(xp, host), dtype="complex64" if dtype == "float32" else "complex128")
    assert_close(result, expected, scale=20.0)


def test_the_real_part_of_an_analytic_signal_is_the_signal(xp, rng):
    x = rng.normal(size=(3, 8))
    assert_close(np.real(to_numpy(signal.hilbert(make(xp, x)))), x, scale=8.0)


# Smoothing.


def test_savgol_gives_a_polynomial_back(xp):
    t = np.linspace(-1, 2, 13)
    x = make(xp, np.stack([t**3 - 2 * t, 1 - t**2]))
    assert_close(signal.savgol_filter(x, 7, 3), to_numpy(x), scale=50.0)
    slope = signal.savgol_filter(x, 5, 3, deriv=1, delta=t[1] - t[0])
    assert_close(slope, np.stack([3 * t**2 - 2, -2 * t]), scale=1000.0)
    complex_result = signal.savgol_filter(x * make(xp, np.array(1j)), 5, 2)
    assert_close(complex_result, 1j * to_numpy(signal.savgol_filter(x, 5, 2)), scale=20.0)


def test_the_distance_of_samples_may_be_an_array_of_no_axes(xp):
    x, t = np.arange(8.0) ** 2, make(xp, np.array(0.5))
    assert_close(signal.savgol_filter(make(xp, x), 3, 2, deriv=1, delta=t), 4 * np.arange(8.0), scale=50.0)


def test_sepfir2d_reflects_as_often_as_its_taps_reach(xp, rng):
    """SciPy's own reads memory outside the picture where the taps are longer than it."""
    x, row, column = rng.normal(size=(2, 3)), rng.normal(size=13), rng.normal(size=5)

    def matrix(taps: np.ndarray, size: int) -> np.ndarray:
        total = np.zeros((size, size))
        for i in range(size):
            for m, tap in enumerate(taps):
                phase = (i - m + len(taps) // 2) % (2 * size)
                total[i, min(phase, 2 * size - 1 - phase)] += tap
        return total

    expected = matrix(column, 2) @ x @ matrix(row, 3).T
    assert_close(signal.sepfir2d(make(xp, x), row, column), expected, scale=100.0)


def test_wiener_leaves_nothing_alone_and_takes_complex_images(xp, rng):
    """SciPy divides zero by zero."""
    assert not to_numpy(signal.wiener(make(xp, np.zeros((4, 5))))).any()
    x = rng.normal(size=(5, 6)) + 1j * rng.normal(size=(5, 6))
    padded = np.pad(x, 1)
    boxes = np.stack([padded[i : i + 5, j : j + 6] for i in range(3) for j in range(3)])
    mean = boxes.mean(axis=0)
    variance = (np.abs(boxes - mean) ** 2).mean(axis=0)
    expected = mean + np.maximum(variance - 0.8, 0) / variance * (x - mean)
    assert_close(signal.wiener(make(xp, x), 3, 0.8), expected, scale=20.0)


def test_wiener_does_not_know_the_noise_of_an_image_with_nan():
    x = np.ones((5, 5))
    x[2, 2] = np.nan
    assert np.isnan(signal.wiener(x)).all()
    assert np.isfinite(signal.wiener(x, noise=0.1)).sum() == 16


# lfilter.


@pytest.mark.parametrize("axis", [0, -1])
def test_lfilter_goes_on_from_where_it_stopped(xp, rng, axis):
    x = rng.normal(size=(7, 9))
    whole = originals.signal_lfilter(TAPS, 2.0, x, axis=axis)
    zi = make(xp, np.zeros((1, 4) if axis else (4, 1)))
    parts = []
    for start, stop in ((0, 2), (2, 3), (3, 9)):  # the first two are shorter than the filter
        samples = x[:, start:stop] if axis else x[start:stop]
        y, zi = signal.lfilter(TAPS, 2.0, make(xp, samples), axis=axis, zi=zi)
        parts.append(to_numpy(y))
    expected = whole if axis else whole[:9]
    assert_close(np.concatenate(parts, axis=axis), expected, scale=40.0)
    _, last = originals.signal_lfilter(TAPS, 2.0, x, axis=axis, zi=np.zeros((7, 4) if axis else (4, 9)))
    assert_close(zi, last, scale=40.0)


def test_recursive_filters_are_scipys_or_refused(xp, rng):
    host = rng.normal(size=(3, 8))
    x = make(xp, host)
    if name_of(xp) == "numpy":
        expected = originals.signal_lfilter([1.0, 2.0], [1.0, -0.5], host)
        assert signal.lfilter([1.0, 2.0], [1.0, -0.5], x).tolist() == expected.tolist()
        y, zf = signal.lfilter([1.0], [1.0, -0.5], x, zi=np.zeros((3, 1)))
        assert (y.shape, zf.shape) == ((3, 8), (3, 1))
    elif name_of(xp) != "cupy":
        sentence = f"a has 2 coefficients, x is a {name_of(xp)} array. Pass numpy.asarray"
        with pytest.raises(TypeError, match=sentence):
            signal.lfilter([1.0, 2.0], [1.0, -0.5], x)


# Order statistics.


def test_order_statistics_are_scipys_or_refused(xp, rng):
    host = rng.normal(size=(5, 6))
    domain = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    calls = {"medfilt": (3,), "order_filter": (domain, 1)}
    for name, arguments in calls.items():
        function = getattr(signal, name)
        if name_of(xp) in ("numpy", "cupy"):
            expected = getattr(originals, f"signal_{name}")(host, *arguments)
            assert_close(function(make(xp, host), *arguments), expected, tolerance=0.0)
        else:
            with pytest.raises(TypeError, match=f"{name} is no convolution: gpuconv leaves it to SciPy for NumPy"):
                function(make(xp, host), *arguments)
    assert signal.medfilt([1, 5, 2]).tolist() == [1, 2, 2]
    assert set(cupyx._OF_SIGNAL) == {"lfilter", *calls}


# Arrays of every kind.


@pytest.mark.parametrize("name", FILTERS)
def test_layout_and_permission_do_not_matter(name):
    base = draw((14, 12), "float64", f"layouts of {name}")
    x = base[::2, ::-2]
    x.flags.writeable = False
    before = x.copy()
    for y in (x, np.asfortranarray(x), x.astype(">f8")):
        assert_close(FILTERS[name](y), FILTERS[name](before), scale=100.0)
    assert (x == before).all()


def test_empty_arrays_stay_empty(xp):
    x = make(xp, np.zeros((0, 5)))
    assert signal.upfirdn([1.0, 2.0], x, 2).shape == (0, 10)
    assert signal.resample_poly(x, 3, 2, axis=1).shape == (0, 8)
    assert signal.savgol_filter(x, 3, 1).shape == (0, 5)
    assert signal.hilbert(x).shape == (0, 5)
    assert signal.sepfir2d(x, [1.0], [1.0]).shape == (0, 5)


def test_lines_without_samples_have_one_rule(recwarn):
    x = np.ones((2, 0))
    assert signal.upfirdn(TAPS, x, 1).shape == (2, len(TAPS) - 1)
    for mode in EXTENSIONS[1:]:
        for lines in (x, x.astype("longdouble")):
            with pytest.raises(ValueError, match=f"an axis without samples: got an empty axis and mode='{mode}'"):
                signal.upfirdn(TAPS, lines, 1, mode=mode)
    for padtype in EXTENSIONS + BACKGROUNDS:
        assert signal.resample_poly(x, 2, 1, axis=1, padtype=padtype).shape == (2, 0)
    assert signal.wiener(x).shape == (2, 0)
    assert not recwarn.list


@pytest.mark.parametrize("function", ["upfirdn", "resample_poly", "savgol_filter", "hilbert", "wiener", "lfilter"])
def test_dtypes_that_only_scipy_knows_go_to_scipy(function):
    case = Case(function, shape=(9,))
    x = case.x.astype(np.longdouble)
    try:
        expected = case.of(getattr(originals, f"signal_{function}"), x)
    except Exception as error:
        with pytest.raises(type(error)):
            case.of(getattr(signal, function), x)
    else:
        result = case.of(getattr(signal, function), x)
        assert result.dtype == expected.dtype
        assert result.tolist() == expected.tolist()


# What other libraries do with functions.


@pytest.mark.parametrize("name", FILTERS)
def test_jax_compiles_and_differentiates_it(name, rng):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    x, direction = rng.normal(size=(2, 6, 7))
    compiled = jax.jit(FILTERS[name])
    assert_close(compiled(jax.numpy.asarray(x)), FILTERS[name](x), scale=100.0)

    def loss(x: Any) -> Any:
        return (abs(FILTERS[name](x)) ** 2).sum()

    slope = jax.jvp(loss, (jax.numpy.asarray(x),), (jax.numpy.asarray(direction),))[1]
    step = 1e-6
    finite = (loss(x + step * direction) - loss(x - step * direction)) / (2 * step)
    assert float(slope) == pytest.approx(float(finite), rel=1e-6)


@pytest.mark.parametrize("name", FILTERS)
def test_torch_differentiates_it(name):
    torch = pytest.importorskip("torch")
    x = torch.tensor(draw((6, 7), "float64", name), requires_grad=True)
    assert torch.autograd.gradcheck(FILTERS[name], (x,), fast_mode=True)


def test_torch_differentiates_through_taps():
    torch = pytest.importorskip("torch")
    x = torch.tensor(draw((7,), "float64", "samples"), requires_grad=True)
    h = torch.tensor(TAPS, dtype=torch.float64, requires_grad=True)
    for function in (
        lambda h, x: signal.upfirdn(h, x, 2, 3, mode="antireflect"),
        lambda h, x: signal.resample_poly(x, 2, 3, axis=-1, window=h),
        lambda h, x: signal.lfilter(h, 2.0, x),
    ):
        assert torch.autograd.gradcheck(function, (h, x))


@pytest.mark.parametrize("name", FILTERS)
def test_dask_stays_lazy(name):
    array = pytest.importorskip("dask.array")

    def refuse(block: Any) -> Any:
        raise AssertionError("a block was computed")

    x = array.ones((6, 8), chunks=3).map_blocks(refuse, dtype=float, meta=np.empty((0, 0)))
    assert FILTERS[name](x).shape == FILTERS[name](np.ones((6, 8))).shape


def test_jax_without_64_bits_stays_in_single_precision(run_python):
    pytest.importorskip("jax")
    printed = run_python(
        """
import jax.numpy as jnp
from tests.test_signal_filters import FILTERS
for name, function in FILTERS.items():
    print(name, function(jnp.ones((6, 7))).dtype)
print("int", FILTERS["hilbert"](jnp.ones((6, 7), jnp.int32)).dtype)
""",
        JAX_ENABLE_X64="0",
    )
    words = dict(line.split() for line in printed.splitlines())
    analytic = ("hilbert", "hilbert2", "int")
    assert words == {name: "complex64" if name in analytic else "float32" for name in (*FILTERS, "int")}


def test_backends_agree(rng):
    x = rng.normal(size=(6, 7))
    for name, function in FILTERS.items():
        with gpuconv.use_backend("generic"):
            generic = function(x)
        assert_close(function(x), generic, scale=100.0, case=name)


# Bad arguments: SciPy's exceptions, gpuconv's sentences.

LINE = np.ones(5)
FLAT = np.ones((4, 5))
ODD = "hrow and hcol must be odd length: they have 2 and 1 taps. Add a tap of 0"
MISUSES = [
    ("upfirdn", ([], LINE), {}, "h must be 1-D with non-zero length: its shape is (0,). Give a line"),
    ("upfirdn", ([[1.0]], LINE), {}, "h must be 1-D with non-zero length: its shape is (1, 1). Give"),
    ("upfirdn", ([1.0], LINE), {"up": 0}, "Both up and down must be >= 1: got up=0, down=1. Give"),
    ("upfirdn", ([1.0], LINE), {"mode": "spam"}, "Unknown mode: spam: got mode='spam'. Choose one of constant,"),
    ("resample_poly", (LINE, 1.5, 1), {}, "up must be an integer: got 1.5. Give"),
    ("resample_poly", (LINE, 1, 0), {}, "Both up and down must be >= 1: got up=1, down=0. Give"),
    ("resample_poly", (LINE, 2, 1), {"padtype": "spam"}, "padtype must be one of: maximum, mean, median, minimum, con"),
    (
        "resample_poly",
        (LINE, 2, 1),
        {"padtype": "mean", "cval": 1},
        "cval has no effect but with padtype 'constant': g",
    ),
    ("savgol_filter", (LINE, 3, 1), {"mode": "spam"}, "mode must be one of mirror, constant, nearest, wrap, interp: g"),
    ("savgol_filter", (LINE, 7, 1), {}, "If mode is 'interp', window_length must be less than or equal to the size of"),
    ("savgol_filter", (LINE, 3, 3), {}, "polyorder must be less than window_length"),
    ("hilbert", (LINE * 1j,), {}, "x must be real: its dtype is complex128. Pass its real part"),
    ("hilbert", (LINE,), {"N": 0}, "N must be positive: got 0. Give"),
    ("hilbert2", (FLAT * 1j,), {}, "x must be real: its dtype is complex128. Pass its real part"),
    ("hilbert2", (FLAT,), {"N": -2}, "N must be positive: got -2. Give"),
    ("hilbert2", (FLAT,), {"N": (1, 2, 3)}, "When given as a tuple, N must hold exactly two positive integers: got"),
    ("sepfir2d", (FLAT, [1.0, 2.0], [1.0]), {}, ODD),
    ("sepfir2d", (LINE, [1.0], [1.0]), {}, "object of too small depth for desired array: input needs 2 dimensions: it"),
    ("lfilter", ([], 1.0, LINE), {}, "Parameter b is not a non-empty 1d array: its shape is (0,). Give"),
    ("lfilter", ([1, 2], 1, [1, 2]), {}, ""),
    ("lfilter", ([1.0, 2.0], 1.0, LINE), {"zi": [1.0, 2.0]}, "Unexpected shape for parameter zi: expected (1,), found"),
]


@pytest.mark.parametrize(
    ("function", "arguments", "options", "sentence"), MISUSES, ids=[f"{row[0]}-{row[3]}" for row in MISUSES]
)
def test_misuse_raises_scipys_exception_with_advice(function, arguments, options, sentence):
    with pytest.raises(Exception, match=".") as theirs:
        getattr(originals, f"signal_{function}")(*arguments, **options)
    with pytest.raises(theirs.type) as ours:
        getattr(signal, function)(*arguments, **options)
    assert sentence in str(ours.value)


def test_axes_out_of_range_are_index_errors(xp):
    x = make(xp, np.ones((3, 6)))
    for name in ("upfirdn", "resample_poly", "savgol_filter", "hilbert", "lfilter"):
        with pytest.raises(IndexError, match=r"axis must lie in \[-2, 2\): axis 2 is out of bounds"):
            FILTERS[name](x, axis=2)
    with pytest.raises(IndexError, match="axis 2 is out of bounds"):
        signal.hilbert2(x, axes=(0, 2))
    with pytest.raises(ValueError, match="axes must contain 2 distinct axes"):
        signal.hilbert2(x, axes=(1, -1))
    with pytest.raises(ValueError, match="axes must be a tuple of length 2"):
        signal.hilbert2(x, axes=(0,))


def test_integers_are_not_fed_through_lfilter(xp):
    with pytest.raises(NotImplementedError, match="'int64'.* not supported"):
        signal.lfilter([1, 2], [1], make(xp, np.arange(5)))


def test_a_complex_fill_value_needs_a_complex_signal():
    with pytest.raises(TypeError, match="cval must be real for a real signal: got 1j. Give a real one"):
        signal.upfirdn([1.0, 1.0], LINE, cval=1j)
    assert signal.upfirdn([0.0, 1.0], LINE * 1j, mode="constant", cval=2j)[0] == 2j


@pytest.mark.parametrize(
    ("function", "args", "error", "message"),
    [
        ("wiener", (LINE, 2.9), TypeError, "each of mysize must be an integer: got 2.9 of type float. Give"),
        ("upfirdn", ([1.0], LINE, None), TypeError, "up must be an integer: got None. Give"),
        ("resample_poly", (LINE, 1, float("nan")), ValueError, "down must be an integer: got nan. Give"),
        ("hilbert", (LINE, 2.5), TypeError, "N must be an integer: got 2.5 of type float. Give"),
        ("hilbert2", (FLAT, None, 1), TypeError, "axes must be a tuple of length 2: got axes=1. Name"),
    ],
)
def test_what_is_no_integer_is_refused_as_scipy_does_and_in_a_sentence(function, args, error, message):
    with pytest.raises(error, match=message):
        getattr(signal, function)(*args)
    with pytest.raises(error):
        getattr(originals, f"signal_{function}")(*args)
