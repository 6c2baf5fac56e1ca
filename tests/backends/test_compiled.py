"""Compiled loops give what the generic rows give, in every layout, and the same bits for any number of threads."""

from __future__ import annotations

import itertools
import sys
import threading
from collections import Counter

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import cpu, generic, threads
from gpuconv.backends.cpu import compiled
from gpuconv.core.boundary import Span
from tests import reference
from tests.assertions import EPS
from tests.backends.test_agreement import KERNELS, MODES, compare, layouts
from tests.cases import BOUNDARIES, draw

pytest.importorskip("llvmlite", reason="compiled loops need llvmlite")


ROWS = {name: cpu.TABLE[name] for name in ("correlate_axis", "correlate_separable")}


@pytest.fixture
def all_large(monkeypatch):
    """Every piece of work is large enough for compiled loops, and for several threads."""
    monkeypatch.setattr(compiled, "WORK", 0)
    monkeypatch.setattr(compiled, "THREADED_WORK", 0)


@pytest.fixture(autouse=True)
def _threads_as_before():
    yield
    gpuconv.set_threads(None)


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("boundary", [*BOUNDARIES, ("constant", "wrap"), ("nearest", "constant")], ids=str)
@pytest.mark.parametrize("dtype", ["uint64", "float32", "complex128"])
def test_compiled_rows_agree_with_generic(dtype, boundary):
    bounds = dict.fromkeys(("int8", "uint8", "int16"), 9)
    compared, turns = 0, Counter()
    for kernel_dtype, mode in itertools.product({KERNELS.get(dtype, "float32"), "complex128"}, MODES):
        lines = [draw((n,), kernel_dtype, f"line {n}", bounds) for n in (3, 4)]
        x = draw((5, 6), dtype, "x", dict.fromkeys(("int64", "uint64"), 2**50))
        kernel = reference.outer(lines).astype(kernel_dtype)
        compared += compare(ROWS, x, kernel, lines, turns, boundary=boundary, mode=mode)
        if isinstance(boundary, str):
            line = draw((7 if mode != "valid" else 4,), kernel_dtype, "line", bounds)
            row = draw((3, 5), dtype, "row", dict.fromkeys(("int64", "uint64"), 2**50))
            compared += compare(ROWS, row, line, [line], turns, boundary=boundary, mode=mode, axes=(1,))
    assert compared >= 12


# Long enough for whole tiles, overlapping last ones, single vectors and samples, and for several strips and blocks.
SHAPES = {
    1: [(700,), (9000,)],
    2: [(3, 150), (150, 3), (70, 300), (9, 1500)],
    3: [(20, 9, 140), (2, 40, 37), (33, 41, 3)],
}
TAPS = (1, 2, 5, 17, 40)


def spans_of(shape, axes, rng):
    """Random spans with every boundary and mode; the kernels' lengths."""
    spans = []
    for axis in axes:
        size, taps = shape[axis], int(rng.choice(TAPS))
        boundary = BOUNDARIES[rng.integers(len(BOUNDARIES))]
        choices = [(-(taps // 2), size), (1 - taps, size + taps - 1)] + ([(0, size - taps + 1)] if taps <= size else [])
        first, count = choices[rng.integers(len(choices))]
        spans.append(Span(axis, size, taps, first, count, boundary))
    return tuple(spans)


def samples(shape, dtype, rng):
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 1000, shape).astype(dtype)
    parts = rng.normal(size=(2, *shape))
    return (parts[0] + 1j * parts[1] if np.dtype(dtype).kind == "c" else parts[0]).astype(dtype)


def cropped(x):
    """The inside of a larger array: rows with gaps."""
    return np.pad(x, 1)[(slice(1, -1),) * x.ndim]


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int32", "int64"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_tiles_strips_and_blocks_leave_no_seams(ndim, dtype, rng, monkeypatch):
    from gpuconv.backends.cpu import axis, fused

    exact = np.dtype(dtype).kind == "i"
    for shape, turn in itertools.product(SHAPES[ndim], range(6)):
        x = samples(shape, dtype, rng)
        count = int(rng.integers(1, ndim + 1))
        spans = spans_of(shape, sorted(rng.permutation(ndim)[:count].tolist()), rng)
        banks = [[samples((span.taps,), dtype if exact else "float64", rng) for span in spans] for _ in range(2)]
        fill = 3 if np.dtype(dtype).kind != "c" else 3 - 2j
        expected = generic.TABLE["correlate_separable"].function(x, banks, spans, fill)
        magnitude = [[np.abs(taps) for taps in bank] for bank in banks]
        scale = generic.TABLE["correlate_separable"].function(np.abs(x), magnitude, spans, abs(fill))
        monkeypatch.setattr(fused, "STRIP", (256, 16384)[turn % 2])
        monkeypatch.setattr(axis, "LINE_BLOCK", (1024, 32768)[turn % 2])
        (plain, *others), crop = layouts(x), ("cropped", cropped(x))
        for layout, given in (plain, [*others, crop][turn % 5]):
            result = cpu.TABLE["correlate_separable"].function(given, banks, spans, fill)
            label = (layout, shape, spans)
            assert result.dtype == expected.dtype
            assert result.shape == expected.shape
            if exact:
                assert np.array_equal(result, expected), label
            else:
                taps = sum(span.taps for span in spans)
                bound = 4 * np.sqrt(taps) * EPS[dtype] * scale
                assert np.all(np.abs(result - expected) <= bound), label


@pytest.mark.usefixtures("all_large")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("cval", [np.nan, np.inf, -2.5])
def test_fill_values_and_samples_that_are_not_finite_stay_in_the_footprint(cval, rng):
    x = rng.normal(size=(40, 300)).astype("float32")
    x[20, 100], x[5, 299] = np.nan, np.inf
    for dimensions in (1, 2):
        taps = [rng.uniform(0.1, 1, 5) for _ in range(dimensions)]
        axes = tuple(range(2 - dimensions, 2))
        spans = tuple(Span(axis, x.shape[axis], 5, -2, x.shape[axis], "constant") for axis in axes)
        expected = generic.TABLE["correlate_separable"].function(x, [taps], spans, cval)
        result = cpu.TABLE["correlate_separable"].function(x, [taps], spans, cval)
        assert np.array_equal(np.isfinite(result), np.isfinite(expected))
        assert np.array_equal(np.isnan(result), np.isnan(expected))


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("taps", [16, 17, 65, 301])
def test_a_flat_line_is_off_by_no_more_than_the_documented_bound(taps):
    """All roundings point the same way: the worst case of the bound."""
    rng = np.random.default_rng(taps)
    weights = rng.uniform(0, 1, taps).astype("float32").astype(float)
    x = np.full(500, np.float32(1.1))
    expected = float(np.float32(1.1)) * weights.sum()
    result = gpuconv.convolve(x, weights, mode="valid", accuracy="local")
    assert np.all(np.abs(result - expected) <= 2 * np.sqrt(taps) * EPS["float32"] * expected)
    assert len(set(result.tolist())) == 1, "the place of a sample must not show in its bits"


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("shape", [(300, 400), (200_000,), (40, 50, 60)])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_the_number_of_threads_never_shows_in_the_bits(shape, dtype, rng):
    x = samples(shape, dtype, rng)
    results = []
    for count in (1, 2, 3, None):
        gpuconv.set_threads(count)
        results.append(gpuconv.convolve_separable(x, [rng.uniform(0, 1, 1) * 0 + 0.1 * np.arange(1, 12)] * len(shape)))
    assert all(np.array_equal(results[0], other) for other in results[1:])


@pytest.mark.usefixtures("all_large")
def test_many_python_threads_may_convolve_at_a_time(rng):
    x = rng.normal(size=(300, 500)).astype("float32")
    taps = [np.arange(1.0, 10.0)] * 2
    expected = gpuconv.convolve_separable(x, taps)
    results = []

    def work():
        for _ in range(5):
            results.append(gpuconv.convolve_separable(x, taps))

    running = [threading.Thread(target=work) for _ in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len(results) == 40
    assert all(np.array_equal(result, expected) for result in results)


FORK = """
import os, sys, threading
import numpy as np, gpuconv
from gpuconv.backends.cpu import compiled, crew
compiled.THREADED_WORK = 0
gpuconv.set_threads(2)
x, taps = np.random.default_rng(0).normal(size=(400, 500)).astype("float32"), [np.arange(1.0, 10.0)] * 2
expected = gpuconv.convolve_separable(x, taps)
results = []
def work():
    for _ in range(5):
        results.append(np.array_equal(gpuconv.convolve_separable(x, taps), expected))
running = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in running], [thread.join() for thread in running]
child = os.fork()
if child == 0:
    same = np.array_equal(gpuconv.convolve_separable(x, taps), expected)
    os._exit(crew._crew.hands if same else 3)
_, status = os.waitpid(child, 0)
print(all(results), len(results), os.waitstatus_to_exitcode(status))
"""
# numba's OpenMP layer kills a forked child that enters it, its workqueue layer aborts when two threads do.
NUMBAS = """
import numba, numpy
@numba.njit(parallel=True)
def total(x):
    sum = 0.0
    for i in numba.prange(x.size):
        sum += x[i]
    return sum
assert total(numpy.ones(1000)) == 1000
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize("layer", [None, "omp", "workqueue"])
def test_threads_and_forked_children_work_also_beside_every_layer_of_numba(run_python, layer):
    """A child has one thread of its own beside its first."""
    quiet = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"
    if layer is None:
        assert run_python(quiet + FORK).split() == ["True", "40", "1"]
        return
    pytest.importorskip("numba", reason="there is no numba to work beside")
    try:
        printed = run_python(quiet + NUMBAS + FORK, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2").split()
    except AssertionError as error:
        if "No threading layer could be loaded" in str(error):
            pytest.skip(f"numba has no {layer} layer here")
        raise
    assert printed == ["True", "40", "1"]


def test_the_compiler_is_loaded_for_large_work_only(run_python):
    code = """
import sys, numpy as np, gpuconv
gpuconv.convolve_separable(np.ones((64, 64), np.float32), [np.ones(17)] * 2)
print("llvmlite" in sys.modules)
gpuconv.convolve_separable(np.ones((512, 512), np.float32), [np.ones(17)] * 2)
print("llvmlite" in sys.modules, "numba" in sys.modules)
"""
    assert run_python(code).split() == ["False", "True", "False"]


def test_without_llvmlite_all_work_is_done_and_the_reason_said(run_python):
    code = """
import sys
sys.modules["llvmlite"] = None
import numpy as np, gpuconv
from gpuconv.backends.cpu import compiled
print(gpuconv.convolve_separable(np.ones((512, 512), np.float32), [np.full(17, 1 / 17)] * 2, boundary="wrap").mean())
print(compiled.why_not(10**9, "float32"))
"""
    printed = run_python(code).splitlines()
    assert float(printed[0]) == pytest.approx(1.0, abs=1e-5)
    assert printed[1] == "llvmlite is not installed (extra cpu)"


def test_why_not_says_what_speaks_against_compiled_loops():
    assert compiled.why_not(compiled.WORK, "float32") is None
    assert compiled.why_not(compiled.WORK, "complex128") is None
    assert compiled.why_not(compiled.WORK, "uint64") is None
    few, border = compiled.WORK - 1, compiled.WORK
    sentence = f"{few} products are less than the {border} from which compiled loops are worth their start"
    assert compiled.why_not(few, "float32") == sentence
    assert compiled.why_not(compiled.WORK, "int8") == "compiled loops do not sum in int8"


@pytest.mark.parametrize("count", [0, -2])
def test_threads_must_be_positive(count):
    with pytest.raises(ValueError, match="count must be a whole number of threads, 1 or more: got"):
        gpuconv.set_threads(count)
    with pytest.raises(TypeError, match="count"):
        gpuconv.set_threads(1.5)


def test_the_environment_and_set_threads_give_the_number_of_threads(monkeypatch):
    monkeypatch.setenv("GPUCONV_NUM_THREADS", "3")
    assert threads.thread_count() == 3
    gpuconv.set_threads(5)
    assert threads.thread_count() == 5
    with threads.single_thread():
        assert threads.thread_count() == 1
    gpuconv.set_threads(None)
    monkeypatch.setenv("GPUCONV_NUM_THREADS", "many")
    with pytest.raises(
        ValueError, match="GPUCONV_NUM_THREADS must be a whole number of threads, 1 or more: got 'many'"
    ):
        threads.thread_count()
    monkeypatch.delenv("GPUCONV_NUM_THREADS")
    assert threads.thread_count() == threads.available_processors()


def test_blocks_of_dask_arrays_get_one_thread_each(monkeypatch):
    dask_array = pytest.importorskip("dask.array")
    seen = []
    original = threads._single.get
    monkeypatch.setattr(cpu.separable, "correlate_sweeps", lambda x, *rest: seen.append(original()) or x[8:-8, 8:-8])
    cpu.TABLE["correlate_separable"]
    x = dask_array.zeros((300, 300), chunks=150, dtype="float32")
    gpuconv.convolve_separable(x, [np.ones(17)] * 2, mode="valid").compute()
    assert seen
    assert all(seen)


@pytest.mark.usefixtures("all_large")
@pytest.mark.parametrize("dtype", ["float32", "complex128", "int64"])
def test_long_boxes_are_doubled_up_and_stay_in_their_footprint(dtype, rng, monkeypatch):
    from gpuconv.backends.cpu import axis

    monkeypatch.setattr(axis, "LINE_BLOCK", 1024)
    for shape, size in itertools.product(((9000,), (150, 40), (40, 30, 3)), (64, 65, 100)):
        x = samples(shape, dtype, rng)
        for place, boundary in itertools.product(range(len(shape)), ("constant", "reflect", "wrap")):
            taps = np.full(size, 3 if dtype == "int64" else 1 / size)
            spans = (Span(place, shape[place], size, -(size // 2), shape[place], boundary),)
            expected = generic.TABLE["correlate_axis"].function(x, taps, spans, 2)
            result = cpu.TABLE["correlate_axis"].function(x, taps.astype(expected.dtype).real, spans, 2)
            assert result.dtype == expected.dtype
            tolerance = 0 if dtype == "int64" else 2 * np.sqrt(size) * EPS[dtype] * np.abs(x).max()
            np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance, err_msg=str((shape, place, boundary)))
    image = np.ones((300, 300), "float32")
    image[100, 100], image[220, 220] = np.nan, np.inf
    result = gpuconv.convolve_separable(image, [np.full(65, 1 / 65)] * 2, accuracy="local")
    assert np.count_nonzero(~np.isfinite(result)) == 2 * 65**2


@pytest.mark.usefixtures("all_large")
def test_a_loop_that_gets_no_scratch_raises_and_the_next_one_works(rng, monkeypatch):
    from gpuconv.backends.cpu import axis

    x, taps = rng.normal(size=(4, 500)).astype("float32"), np.full(70, 0.5, "float32")
    spans = (Span(1, 500, 70, 0, 431, "wrap"),)
    expected = cpu.TABLE["correlate_axis"].function(x, taps, spans, 0)
    with monkeypatch.context() as patched:
        patched.setattr(axis, "LINE_BLOCK", 2**52)
        with pytest.raises(MemoryError, match="no memory for the scratch of a loop"):
            cpu.TABLE["correlate_axis"].function(x, taps, spans, 0)
    assert np.array_equal(cpu.TABLE["correlate_axis"].function(x, taps, spans, 0), expected)


def test_the_planner_knows_a_box():
    x = np.zeros((1000, 1000), np.float32)
    box, other = np.full(301, 1.0), np.full(301, 1.0)
    other[0] = 2
    costs = [gpuconv.plan_convolution(x, taps, axes=1, method="direct").cost for taps in (box, other)]
    assert costs[0] < costs[1] / 3


def test_small_work_is_one_band_and_large_work_as_many_as_it_has_tasks():
    assert compiled.band_count(compiled.THREADED_WORK - 1, 100) == 1
    assert compiled.band_count(compiled.THREADED_WORK, 3) == 3
    assert compiled.band_count(compiled.THREADED_WORK, 10**6) == compiled.BANDS
