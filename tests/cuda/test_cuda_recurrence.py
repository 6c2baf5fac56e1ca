"""Linear recurrences on CUDA: every dtype, number of outputs fed back, layout and cut, held to the definition."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from gpuconv.backends.cuda import recurrence
from gpuconv.backends.cuda.launch import MAX_SHARED
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.backends.generic.recurrence import RecurrenceProblem
from gpuconv.core.dtypes import EPS, ITEMSIZE
from tests.cuda.agreement import LAYOUTS, emulated, image_of
from tests.cuda.emulation import EmulatedRuntime
from tests.cuda.recording import Sketch, recorded
from tests.recurrences import allowed, feedback_of, recur

POSSIBLE = RecurrenceProblem("cupy", "0", False, (64, 64), "float64", -1, 2)
SEGMENTED = ["end_segments", "carry_segments", "run_segments"]
POLES = {
    1: (0.9,),
    2: (0.8 + 0.5j, 0.8 - 0.5j),
    3: (0.9, -0.5, 0.3),
    4: (0.8j, -0.8j, 0.9, 0.3),
    7: (0.9, *(0.6 * np.exp(2j * np.pi * np.arange(6) / 6))),
    16: tuple(0.8 * np.exp(2j * np.pi * (np.arange(16) + 0.5) / 16)),
}


@pytest.fixture
def short_segments(monkeypatch):
    """Segments of five samples or a few more: many of them in small arrays."""
    monkeypatch.setattr(recurrence, "SHORTEST", 5)
    recurrence.segment_plan.cache_clear()
    yield
    recurrence.segment_plan.cache_clear()


def agree(x, feedback, axis, initial=None, *, check=True, case=""):
    runtime = EmulatedRuntime(check=check)
    with use_runtime(runtime):
        begun = None if initial is None else runtime.place(initial)
        actual = recurrence.linear_recurrence(runtime.place(x), feedback, axis, begun)
        if check:
            runtime.assert_written(actual)
    assert actual.dtype == np.result_type(x.dtype, 1j if feedback.dtype.kind == "c" else x.dtype.type(0)), case
    wide = x.astype(np.result_type(x, np.float64))
    expected = recur(wide, feedback, axis, initial)
    error = np.abs(actual - expected).max(initial=0)
    assert error <= allowed(actual.dtype.name, feedback, expected, axis), case
    return [launch.kernel for launch in runtime.launches]


def begun_like(rng, x, axis, feedback):
    shape = list(x.shape)
    shape[axis] = len(feedback)
    return image_of(rng, shape, x.dtype.name)


@emulated
@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("order", [1, 3, 16])
@pytest.mark.parametrize("dtype", recurrence.DTYPES)
def test_every_dtype_in_segments_and_in_whole_lines(rng, dtype, order):
    feedback = feedback_of(POLES[order])
    for kind, shape in itertools.product((float, complex), ((2, 203), (2, 9))):
        x = image_of(rng, shape, dtype)
        coefficients = feedback * np.exp(0.3j * np.arange(1, order + 1)) if kind is complex else feedback
        initial = begun_like(rng, x, -1, feedback)
        kernels = agree(x, coefficients, -1, initial, case=(kind, shape))
        assert kernels == (SEGMENTED if shape[1] > 9 else SEGMENTED[2:])


@emulated
@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("order", POLES)
def test_every_length_and_order(rng, order):
    feedback = feedback_of(POLES[order])
    for size in (1, max(order - 1, 1), order, 10, 11, 64, 100, 331):
        for begun in (False, True):
            x = image_of(rng, (3, size), "float64")
            agree(x, feedback, -1, begun_like(rng, x, -1, feedback) if begun else None, case=(size, begun))


@emulated
@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_axis_and_strides(rng, layout):
    feedback = feedback_of(POLES[2])
    for axis in (-1, -2, -3, -4):
        shape = [3, 2, 4, 2]
        shape[axis] = 23
        x = LAYOUTS[layout](image_of(rng, shape, "float64"))
        initial = LAYOUTS[layout](begun_like(rng, x, axis, feedback))
        assert agree(x, feedback, axis, initial, case=axis) == SEGMENTED
        assert agree(x, feedback, axis, np.ascontiguousarray(initial), case=axis) == SEGMENTED


@emulated
def test_a_thread_carries_over_several_segments(rng, monkeypatch):
    """More segments than a block has threads."""
    monkeypatch.setattr(recurrence, "SHORTEST", 3)
    monkeypatch.setattr(recurrence, "CARRY_BYTES", 32 * 2 * 2 * 8)
    recurrence.segment_plan.cache_clear()
    for size in (200, 399, 1000):
        _, segments = recurrence.segment_plan(size, 1, 2)
        assert recurrence.carry_plan(segments, 16)[0] > 1
        agree(image_of(rng, (1, size), "float64"), feedback_of(POLES[2]), -1)
        agree(image_of(rng, (size, 1), "float64"), feedback_of((0.999, 0.9)), -2)
    recurrence.segment_plan.cache_clear()


@emulated
@pytest.mark.usefixtures("short_segments")
def test_many_lines_are_a_thread_each(rng):
    feedback = feedback_of(POLES[2])
    for shape, axis in (((600, 40), -1), ((40, 600), -2)):
        assert agree(image_of(rng, shape, "float32"), feedback, axis) == SEGMENTED[2:]


@emulated
@pytest.mark.usefixtures("short_segments")
def test_the_order_of_threads_changes_nothing(rng):
    feedback = feedback_of(POLES[4])
    for shape, axis in (((2, 300), -1), ((300, 3), -2), ((300, 5), -1)):
        x = image_of(rng, shape, "float32")
        agree(x, feedback, axis, begun_like(rng, x, axis, feedback), check=False)


@emulated
@pytest.mark.usefixtures("short_segments")
def test_slow_decay_and_growth(rng):
    for poles, size in (((0.999,), 3000), ((0.99, 0.99), 1000), ((1.1, 0.5), 120)):
        for dtype in ("float32", "float64"):
            agree(image_of(rng, (1, size), dtype), feedback_of(poles), -1, case=(poles, dtype))


@emulated
@pytest.mark.usefixtures("short_segments")
def test_states_of_single_precision_are_carried_in_double(rng):
    """Four poles near one: carried in single precision, nothing would be left."""
    feedback = feedback_of((0.98, 0.97, 0.96, 0.95))
    for x in (image_of(rng, (1, 2000), "float32"), np.ones((1, 2000), np.float32)):
        expected = recur(x, feedback, -1)
        with use_runtime(EmulatedRuntime(check=False)):
            result = recurrence.linear_recurrence(x, feedback, -1)
        # Done in order, the error is a hundred thousand eps.
        assert np.abs(result - expected).max() <= 1e5 * EPS["float32"] * np.abs(expected).max()


@emulated
@pytest.mark.usefixtures("short_segments")
def test_nothing_comes_before_its_cause(rng):
    x = image_of(rng, (2, 200), "float64")
    clean = recur(x, feedback_of(POLES[2]), -1)
    for bad in (np.nan, np.inf):
        x[:, 101] = bad
        with use_runtime(EmulatedRuntime(check=False)):
            result = recurrence.linear_recurrence(x, feedback_of(POLES[2]), -1)
        assert np.abs(result[:, :101] - clean[:, :101]).max() < 1e-12
        assert not np.isfinite(result[:, 101:]).any()


@emulated
def test_nothing_to_do(rng):
    for shape in ((0, 5), (5, 0)):
        assert agree(image_of(rng, shape, "float64"), feedback_of(POLES[2]), -1) == []


def test_plans_fit_a_block_and_cover_the_line():
    for count, lines, multiprocessors in itertools.product((1, 63, 64, 129, 10**6, 2**40), (1, 100, 10**6), (2, 132)):
        length, segments = recurrence.segment_plan(count, lines, multiprocessors)
        assert length * (segments - 1) < count <= length * segments
        assert segments == 1 or length >= recurrence.SHORTEST
        for order, dtype in itertools.product(recurrence.ORDERS, recurrence.DTYPES):
            each = order * ITEMSIZE[dtype]
            chunk, threads = recurrence.carry_plan(segments, each)
            assert chunk * threads >= segments
            assert 32 <= threads <= 1024
            assert 2 * each * threads <= MAX_SHARED


def test_launches_cover_any_number_of_samples():
    (launch,) = recorded(recurrence.linear_recurrence, Sketch.of((1000, 2**30), "float32"), np.ones(2), -2)
    assert launch.blocks * launch.threads == 2**30
    launches = recorded(recurrence.linear_recurrence, Sketch.of((2**36,), "float32"), np.ones(1), -1)
    assert [launch.kernel for launch in launches] == SEGMENTED
    assert launches[0].blocks * launches[0].threads == 132 * recurrence.THREADS_EACH


def test_what_is_left_to_the_generic_backend():
    assert recurrence.why_not(POSSIBLE) is None
    for changed, sentence in (
        ({"traced": True}, "not traced"),
        ({"dtype": "float16"}, "not in float16"),
        ({"order": 17}, "feed back 1 to 16 outputs, not 17"),
        ({"order": 0}, "feed back 1 to 16 outputs, not 0"),
    ):
        assert sentence in str(recurrence.why_not(replace(POSSIBLE, **changed)))
