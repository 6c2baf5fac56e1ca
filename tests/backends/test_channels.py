"""`correlate_channels` and its two adjoints: their definitions, on every library and backend."""

from __future__ import annotations

import itertools
from importlib.util import find_spec

import numpy as np
import pytest

import gpuconv
from gpuconv.backends.cpu import channels as channels_row
from gpuconv.backends.cpu import compiled, products
from gpuconv.backends.generic.channels import channels_problem, counts_among, taps_among
from gpuconv.backends.registry import explain, select, selected_backend, use_backend
from gpuconv.core.boundary import Span
from tests import reference
from tests.assertions import EPS, assert_close, assert_same_home
from tests.cases import BOUNDARIES
from tests.libraries import make, name_of, open_library, to_numpy, why_absent


@pytest.fixture(autouse=True)
def _threads_as_before():
    yield
    gpuconv.set_threads(None)


# (space, taps, strides, dilations, firsts, dense counts): odd and even, thinned out, far beyond the axis.
GEOMETRIES = (
    ((7,), (3,), (1,), (1,), (-1,), (7,)),
    ((7,), (4,), (2,), (1,), (-3,), (10,)),
    ((5,), (3,), (3,), (2,), (-9,), (21,)),
    ((1,), (2,), (1,), (5,), (-4,), (6,)),
    ((6, 5), (3, 2), (1, 1), (1, 1), (-1, 0), (6, 4)),
    ((6, 5), (2, 3), (2, 3), (1, 1), (-1, -2), (7, 8)),
    ((4, 5), (3, 3), (1, 2), (3, 2), (-7, -6), (9, 13)),
    ((3, 4, 3), (2, 1, 3), (2, 1, 1), (1, 1, 2), (-1, 0, -3), (4, 4, 5)),
)
# (batch, inputs, outputs, groups): plain, grouped, one filter and several per channel.
CHANNELS = ((2, 3, 4, 1), (1, 4, 6, 2), (2, 3, 3, 3), (1, 2, 6, 2), (3, 1, 1, 1))
FILL = 2


def spans_of(geometry, boundary):
    space, taps, _, dilations, firsts, counts = geometry
    boundaries = (boundary,) * len(space) if isinstance(boundary, str) else boundary[: len(space)]
    numbers = zip(space, taps, dilations, firsts, counts, boundaries, strict=True)
    return tuple(
        Span(2 + axis, size, (k - 1) * dilation + 1, first, count, edge)
        for axis, (size, k, dilation, first, count, edge) in enumerate(numbers)
    )


def terms(geometry, channels, spans):
    """Every product of the definition: (place of the output, of the weight, of the sample or None for the fill)."""
    space, taps, strides, dilations, firsts, dense = geometry
    batch, inputs, outputs, groups = channels
    counts = [len(range(0, count, stride)) for count, stride in zip(dense, strides, strict=True)]
    for b, o, index in itertools.product(range(batch), range(outputs), np.ndindex(*counts)):
        for c, tap in itertools.product(range(inputs // groups), np.ndindex(*taps)):
            place = [
                reference.source(span.boundary, size, first + stride * i + dilation * j)
                for span, size, first, stride, dilation, i, j in zip(
                    spans, space, firsts, strides, dilations, index, tap, strict=True
                )
            ]
            channel = o // (outputs // groups) * (inputs // groups) + c
            yield (b, o, *index), (o, c, *tap), None if None in place else (b, channel, *place)


def loops(geometry, channels, spans, x, kernel, y):
    """The correlation and both adjoints, term by term."""
    counts = counts_among(spans, geometry[2])
    forward = np.zeros((channels[0], channels[2], *counts), np.result_type(x, kernel))
    to_input = np.zeros(x.shape, np.result_type(y, kernel))
    to_weights = np.zeros(kernel.shape, np.result_type(x, y))
    for out, weight, sample in terms(geometry, channels, spans):
        value = FILL if sample is None else x[sample]
        forward[out] += kernel[weight] * value
        to_weights[weight] += np.conj(value) * y[out]
        if sample is not None:
            to_input[sample] += np.conj(kernel[weight]) * y[out]
    return forward, to_input, to_weights


def arrays_of(geometry, channels, rng, dtype="float64", kernel_dtype=None):
    """x, kernel and y of random numbers, small ones if they are integers."""
    batch, inputs, outputs, groups = channels
    counts = [len(range(0, count, stride)) for count, stride in zip(geometry[5], geometry[2], strict=True)]
    shapes = (batch, inputs, *geometry[0]), (outputs, inputs // groups, *geometry[1]), (batch, outputs, *counts)
    kernel_dtype = kernel_dtype or dtype
    dtypes = dtype, kernel_dtype, np.result_type(dtype, kernel_dtype).name
    return [random(shape, kind, rng) for shape, kind in zip(shapes, dtypes, strict=True)]


def random(shape, dtype, rng):
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0 if np.dtype(dtype).kind == "u" else -50, 50, shape).astype(dtype)
    parts = rng.normal(size=(2, *shape))
    return (parts[0] + 1j * parts[1] if np.dtype(dtype).kind == "c" else parts[0]).astype(dtype)


def run(name, first, second, geometry, channels, spans):
    """A primitive as the registry gives it."""
    problem = channels_problem(first, second, channels[1:], spans, geometry[2], geometry[3])
    rest = () if name == "channels_input_adjoint" else (FILL,)
    return select(name, problem)(first, second, spans, geometry[2], geometry[3], channels[3], *rest)


def run_all(x, kernel, y, geometry, channels, spans):
    return (
        run("correlate_channels", x, kernel, geometry, channels, spans),
        run("channels_input_adjoint", y, kernel, geometry, channels, spans),
        run("channels_weight_adjoint", x, y, geometry, channels, spans),
    )


def bounds(geometry, channels, spans, x, kernel, y, dtype):
    """What rounding may do to each of the three results, from sums of magnitudes."""
    magnitudes = loops(geometry, channels, spans, *(np.abs(array.astype(complex)) for array in (x, kernel, y)))
    return [4 * np.sqrt(max(kernel[0].size, y[:, 0].size)) * EPS.get(dtype, 0.0) * np.abs(part) for part in magnitudes]


@pytest.mark.parametrize("boundary", [*BOUNDARIES, ("constant", "wrap", "mirror")], ids=str)
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_channels_follow_their_definitions(xp, geometry, boundary, rng):
    spans = spans_of(geometry, boundary)
    turn = [*BOUNDARIES, boundary].index(boundary)
    if name_of(xp) in ("jax", "dask") and geometry is not GEOMETRIES[(2, 5)[turn % 2]]:
        pytest.skip("compiles or cuts every single operation: a line or a plane for each boundary are enough")
    for channels in CHANNELS if name_of(xp) == "numpy" else CHANNELS[1:2]:
        arrays = arrays_of(geometry, channels, rng)
        expected = loops(geometry, channels, spans, *arrays)
        allowed = bounds(geometry, channels, spans, *arrays, "float64")
        given = [make(xp, array) for array in arrays]
        for result, right, tolerance in zip(run_all(*given, geometry, channels, spans), expected, allowed, strict=True):
            assert_same_home(result, given[0], dtype="float64")
            assert_close(result, right, tolerance=tolerance, case=(channels, geometry, boundary))


@pytest.mark.parametrize(
    ("dtype", "kernel_dtype"),
    [
        ("float32", "float64"),
        ("float32", "complex128"),
        ("complex64", "float64"),
        ("complex128", "complex128"),
        ("int32", "int32"),
        ("int64", "int64"),
        ("uint64", "uint64"),
    ],
)
def test_every_dtype_is_summed_in_its_own_precision(xp, dtype, kernel_dtype, rng):
    if name_of(xp) in ("torch", "cupy") and dtype == "uint64":
        pytest.skip("no arithmetic in uint64")
    is_exact = np.dtype(dtype).kind in "iu"
    result_dtype = np.result_type(dtype, "complex64").name if "complex" in kernel_dtype else dtype
    for geometry, boundary in ((GEOMETRIES[1], "constant"), (GEOMETRIES[6], "reflect"))[
        : 1 if name_of(xp) in ("jax", "dask") else 2
    ]:
        spans, channels = spans_of(geometry, boundary), CHANNELS[1]
        x, kernel, _ = arrays_of(geometry, channels, rng, dtype, kernel_dtype)
        y = random(arrays_of(geometry, channels, rng)[2].shape, result_dtype, rng)
        wide = [
            array.astype(object) if is_exact else array.astype(np.result_type(array, "f8")) for array in (x, kernel, y)
        ]
        expected = loops(geometry, channels, spans, *wide)
        allowed = bounds(geometry, channels, spans, x, kernel, y, result_dtype)
        given = make(xp, x), kernel, make(xp, y)
        for result, right, tolerance in zip(run_all(*given, geometry, channels, spans), expected, allowed, strict=True):
            right = right.astype(result_dtype) if is_exact else right
            assert_same_home(result, given[0], dtype=result_dtype)
            assert_close(result, right, tolerance=0 if is_exact else tolerance, case=(geometry, boundary))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_adjoints_satisfy_their_identity_to_rounding(boundary, dtype, rng, monkeypatch):
    """<correlate(x, k), y> = <x, input adjoint(y, k)> = <k, weight adjoint(x, y)> for a fill value of zero."""
    monkeypatch.setattr("tests.backends.test_channels.FILL", 0)
    for geometry, channels in itertools.product(GEOMETRIES, CHANNELS):
        spans = spans_of(geometry, boundary)
        x, kernel, y = arrays_of(geometry, channels, rng, dtype)
        for backend in ("generic", None):
            with use_backend(backend):
                forward, to_input, to_weights = run_all(x, kernel, y, geometry, channels, spans)
            left = np.vdot(forward, y)
            scale = np.linalg.norm(forward) * np.linalg.norm(y)
            assert abs(left - np.vdot(x, to_input)) <= 1e-13 * scale
            assert abs(left - np.vdot(kernel, to_weights)) <= 1e-13 * scale


# torch's padding is zeros, or one of these through `pad`; (space, taps, stride, padding, dilation).
TORCH_CASES = (
    ((17,), (5,), (2,), (2,), (1,)),
    ((12, 11), (3, 4), (1, 1), (1, 2), (1, 1)),
    ((12, 11), (3, 3), (2, 3), (2, 1), (2, 1)),
    ((7, 6, 8), (3, 2, 3), (1, 2, 1), (1, 0, 2), (1, 1, 2)),
)


@pytest.mark.parametrize("channels", [(2, 3, 4, 1), (2, 4, 6, 2), (1, 3, 3, 3)])
@pytest.mark.parametrize("case", TORCH_CASES, ids=str)
def test_channels_and_adjoints_are_torchs_convolution_and_its_gradients(case, channels, rng):
    if (reason := why_absent("torch")) is not None:
        pytest.skip(reason)
    open_library("torch")
    import torch

    space, taps, strides, padding, dilations = case
    inputs, outputs, groups = channels[1:]
    counts = [
        size + 2 * pad - dilation * (k - 1)
        for size, k, pad, dilation in zip(space, taps, padding, dilations, strict=True)
    ]
    geometry = space, taps, strides, dilations, [-pad for pad in padding], counts
    spans = spans_of(geometry, "constant")
    x, kernel, y = (torch.tensor(array) for array in arrays_of(geometry, channels, rng))
    x.requires_grad_()
    kernel.requires_grad_()
    convolve = getattr(torch.nn.functional, f"conv{len(space)}d")
    expected = convolve(x, kernel, stride=strides, padding=padding, dilation=dilations, groups=groups)
    gradients = torch.autograd.grad(expected, (x, kernel), y)
    hosts = x.detach().numpy(), kernel.detach().numpy(), y.numpy()
    problem = channels_problem(hosts[0], hosts[1], (inputs, outputs, groups), spans, strides, dilations)
    options = spans, strides, dilations, groups
    results = (
        select("correlate_channels", problem)(*hosts[:2], *options, 0),
        select("channels_input_adjoint", problem)(hosts[2], hosts[1], *options),
        select("channels_weight_adjoint", problem)(hosts[0], hosts[2], *options, 0),
    )
    for result, right in zip(results, (expected, *gradients), strict=True):
        np.testing.assert_allclose(result, right.detach().numpy(), rtol=0, atol=1e-12)


def test_generic_channels_can_be_differentiated(rng):
    """torch's autograd goes through the generic row, and finds what the adjoints compute."""
    if (reason := why_absent("torch")) is not None:
        pytest.skip(reason)
    open_library("torch")
    import torch

    geometry, channels = GEOMETRIES[5], CHANNELS[1]
    spans = spans_of(geometry, "reflect")
    x, kernel, y = (torch.tensor(array) for array in arrays_of(geometry, channels, rng))
    x.requires_grad_()
    kernel.requires_grad_()
    with use_backend("generic"):
        result = run("correlate_channels", x, kernel, geometry, channels, spans)
        gradients = torch.autograd.grad(result, (x, kernel), y)
        x, kernel = x.detach(), kernel.detach()
        adjoints = run_all(x, kernel, y, geometry, channels, spans)[1:]
    for gradient, adjoint in zip(gradients, adjoints, strict=True):
        np.testing.assert_allclose(gradient.numpy(), adjoint.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("channels", [(0, 4, 6, 2), (2, 4, 6, 2)])
def test_nothing_in_gives_nothing_out(xp, channels):
    """No images, or no outputs along an axis: empty results, and gradients of zeros."""
    for geometry in (GEOMETRIES[5], ((6, 5), (2, 3), (2, 3), (1, 1), (-1, -2), (0, 8))):
        if channels[0] and geometry is GEOMETRIES[5]:
            continue
        spans = spans_of(geometry, "constant")
        rng = np.random.default_rng(0)
        arrays = arrays_of(geometry, channels, rng)
        expected = loops(geometry, channels, spans, *arrays)
        results = run_all(*(make(xp, array) for array in arrays), geometry, channels, spans)
        for result, right in zip(results, expected, strict=True):
            assert to_numpy(result).shape == right.shape
            assert not to_numpy(result).any()


def test_the_registry_says_who_runs_channels(xp, rng):
    geometry, channels = GEOMETRIES[5], CHANNELS[1]
    x, kernel, _ = (make(xp, array) for array in arrays_of(geometry, channels, rng))
    problem = channels_problem(x, kernel, channels[1:], spans_of(geometry, "wrap"), geometry[2], geometry[3])
    assert problem.taps == geometry[1]
    assert problem.counts == (4, 3)
    assert problem.products == 1 * 6 * 12 * 2 * 6
    for name in ("correlate_channels", "channels_input_adjoint", "channels_weight_adjoint"):
        chosen = "cpu" if name_of(xp) == "numpy" else "generic"
        assert selected_backend(name, problem) == chosen
        assert dict(explain(name, problem))[chosen] == "runs this"


def test_footprints_and_strides_thin_a_span_out():
    spans = (Span(2, 9, 7, -3, 10, "wrap"), Span(3, 9, 1, 0, 0, "wrap"))
    assert taps_among(spans, (3, 4)) == (3, 1)
    assert counts_among(spans, (3, 2)) == (4, 0)


@pytest.fixture
def all_large(monkeypatch):
    """Every piece of work is large enough for compiled loops, and for several threads."""
    pytest.importorskip("llvmlite", reason="compiled loops need llvmlite")
    monkeypatch.setattr(compiled, "WORK", 0)
    monkeypatch.setattr(compiled, "THREADED_WORK", 0)
    monkeypatch.setattr(products, "THREADED_FROM", 0)


# More: several tiles and vectors, more columns than a block has, filters that do not fill a panel.
LARGE = (
    ((90,), (7,), (1,), (3,), (-9,), (100,)),
    ((2500,), (4,), (2,), (1,), (-1,), (2500,)),
    ((41, 70), (3, 5), (2, 3), (2, 1), (-3, -4), (44, 75)),
    ((33, 60), (3, 3), (1, 1), (1, 1), (-1, -1), (33, 60)),
    ((5, 9, 40), (2, 3, 3), (1, 2, 1), (1, 1, 2), (-1, -1, -2), (6, 9, 40)),
)


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int32", "uint64"])
@pytest.mark.parametrize("geometry", [*GEOMETRIES, *LARGE], ids=str)
def test_compiled_loops_agree_with_generic(geometry, dtype, rng):
    turns = ((2, 5, 19, 1), "mirror"), (CHANNELS[1], "constant"), (CHANNELS[2], "wrap"), (CHANNELS[3], "nearest")
    for channels, boundary in turns:
        spans = spans_of(geometry, boundary)
        x, kernel, y = arrays_of(geometry, channels, rng, dtype)
        with use_backend("generic"):
            expected = run_all(x, kernel, y, geometry, channels, spans)
            scales = run_all(*(np.abs(array) for array in (x, kernel, y)), geometry, channels, spans)
        for name, given in (("C", x), ("channels last", np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1))):
            results = run_all(given, kernel, y, geometry, channels, spans)
            for result, right, scale, terms in zip(
                results, expected, scales, (kernel[0].size, kernel[:, 0].size, y[:, 0].size), strict=True
            ):
                # Both are rounded, and complex products twice.
                allowed = 8 * np.sqrt(max(terms, 4)) * EPS.get(dtype, 0) * np.abs(scale)
                assert result.dtype == right.dtype
                assert_close(result, right, tolerance=allowed, case=(name, channels, boundary, geometry))


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("installed", [True, False])
def test_the_number_of_threads_never_shows_in_the_bits(installed, rng, monkeypatch):
    monkeypatch.setattr(compiled, "is_installed", lambda: installed)
    geometry, channels = LARGE[2], (3, 8, 20, 2)
    spans = spans_of(geometry, "reflect")
    arrays = arrays_of(geometry, channels, rng, "float32")
    results = []
    for count in (1, 2, 3, None):
        gpuconv.set_threads(count)
        results.append(run_all(*arrays, geometry, channels, spans))
    for other in results[1:]:
        assert all(np.array_equal(one, two) for one, two in zip(results[0], other, strict=True))


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("installed", [True, False])
def test_a_sample_that_is_not_finite_spoils_its_footprint_and_no_more(installed, rng, monkeypatch):
    monkeypatch.setattr(compiled, "is_installed", lambda: installed)
    geometry, channels = LARGE[3], (1, 3, 9, 1)
    x, kernel, _ = arrays_of(geometry, channels, rng, "float32")
    x[0, 1, 20, 30], x[0, 2, 0, 59] = np.nan, np.inf
    result = run("correlate_channels", x, kernel, geometry, channels, spans_of(geometry, "constant"))
    expected = np.zeros(result.shape, bool)
    expected[:, :, 19:22, 29:32] = expected[:, :, :2, 58:] = True
    assert np.array_equal(~np.isfinite(result), expected)


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("products_of_an_output", [17, 288, 1025])
def test_equal_samples_are_summed_within_the_documented_bound(products_of_an_output, installed, monkeypatch):
    """All roundings point the same way: ``2 sqrt(n) eps sum |k| |x|`` for n products of an output."""
    monkeypatch.setattr(compiled, "is_installed", lambda: installed and find_spec("llvmlite") is not None)
    monkeypatch.setattr(compiled, "WORK", 0)
    weights = np.random.default_rng(0).uniform(0, 1, (9, products_of_an_output, 1)).astype("float32")
    x = np.full((1, products_of_an_output, 40), 1.1, "float32")
    geometry = ((40,), (1,), (1,), (1,), (0,), (40,))
    channels = (1, products_of_an_output, 9, 1)
    result = run("correlate_channels", x, weights, geometry, channels, spans_of(geometry, "wrap"))
    exact = float(x[0, 0, 0]) * weights.astype(float).sum(axis=(1, 2))
    bound = 2 * np.sqrt(products_of_an_output) * EPS["float32"] * exact
    assert np.all(np.abs(result[0] - exact[:, np.newaxis]) <= bound[:, np.newaxis])


def test_depthwise_channels_go_to_the_loops_over_windows(rng, monkeypatch):
    pytest.importorskip("llvmlite", reason="compiled loops need llvmlite")
    seen = []
    original = channels_row.correlate_windows
    monkeypatch.setattr(channels_row, "correlate_windows", lambda *given: seen.append(given) or original(*given))
    geometry, channels = ((200, 180), (3, 3), (1, 1), (1, 1), (-1, -1), (200, 180)), (2, 3, 6, 3)
    x, kernel, _ = arrays_of(geometry, channels, rng, "float32")
    spans = spans_of(geometry, "nearest")
    result = run("correlate_channels", x, kernel, geometry, channels, spans)
    with use_backend("generic"):
        expected = run("correlate_channels", x, kernel, geometry, channels, spans)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-4)
    assert len(seen) == 6
