"""correlate_axis on CUDA: every dtype, boundary, layout and reach, and the arithmetic of its launches."""

from __future__ import annotations

import itertools
from math import sqrt

import numpy as np
import pytest

from gpuconv.backends.cuda import lines
from gpuconv.backends.cuda.launch import MAX_BLOCKS, MAX_SHARED
from gpuconv.core.boundary import BOUNDARIES
from gpuconv.core.dtypes import FLOATS, is_complex, is_integer
from tests.cuda.agreement import DTYPES, LAYOUTS, assert_agrees, emulated, image_of, span_of
from tests.cuda.emulation import EmulatedRuntime
from tests.cuda.recording import Sketch, recorded

# Rows; rows of many tiles; columns; channels; columns of a volume; few channels that are not side by side; 0-d others.
SHAPES = (((5, 61), 1), ((2, 1900), 1), ((23, 40), 0), ((19, 13, 3), 1), ((4, 11, 35), 1), ((21,), 0), ((9, 5, 7), 0))


def taps_of(rng, count, dtype, *, complex_=False):
    """Weights as a primitive gets them: integers in the exact dtype of the result, others in double precision."""
    if is_integer(dtype):
        exact = {"uint64": "uint64", "int32": "int64", "uint32": "int64", "int64": "int64"}.get(dtype, "int32")
        return rng.integers(0 if dtype == "uint64" else -9, 9, count).astype(exact)
    weights = rng.standard_normal(count)
    return weights + 1j * rng.standard_normal(count) if complex_ else weights


def agree(x, weights, span, **options):
    return assert_agrees("correlate_axis", lines.correlate_axis, x, weights, (span,), terms=span.taps, **options)


@emulated
@pytest.mark.parametrize("position, dtype", list(enumerate(DTYPES)))
def test_every_dtype_agrees_with_the_definition(rng, position, dtype):
    boundary = BOUNDARIES[position % len(BOUNDARIES)]
    for shape, axis in SHAPES:
        x = image_of(rng, shape, dtype)
        for taps in (1, 4, 17):
            span = span_of(axis, shape[axis], taps, boundary)
            agree(x, taps_of(rng, taps, dtype), span, cval=3, case=(shape, axis, taps, boundary))


@emulated
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32", "float64", "complex64", "complex128"])
def test_real_and_complex_weights_go_with_every_image(rng, dtype):
    x = image_of(rng, (7, 33), dtype)
    for axis, complex_ in itertools.product((0, 1), (False, True)):
        weights = rng.standard_normal(5) + (1j * rng.standard_normal(5) if complex_ else 0)
        cval = 2 - 1j if is_complex(dtype) else 2
        agree(x, weights, span_of(axis, x.shape[axis], 5, "constant"), cval=cval, case=(axis, complex_))


@emulated
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_every_boundary_holds_at_any_reach_and_origin(rng, boundary):
    for (shape, axis), taps in itertools.product(SHAPES, (3, 8, 16, 30, 131)):
        x, size = image_of(rng, shape, "float32"), shape[axis]
        for first, count in ((-(taps // 2), size), (-taps + 1, size + taps - 1), (-taps - 5, 3), (size + 2, 9), (2, 1)):
            span = span_of(axis, size, taps, boundary, first=first, count=count)
            agree(x, rng.standard_normal(taps), span, cval=-1.5, case=(shape, axis, taps, first, count))


@emulated
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_axes_of_one_and_two_samples_and_outputs_inside(rng, boundary):
    for shape, axis in (((1, 40), 0), ((2, 40), 0), ((40, 1), 1), ((40, 2), 1), ((3, 1, 4), 1), ((1,), 0), ((2,), 0)):
        x = image_of(rng, shape, "float32")
        for taps in (1, 2, 7):
            agree(
                x, rng.standard_normal(taps), span_of(axis, shape[axis], taps, boundary), cval=2.0, case=(shape, taps)
            )
    x = image_of(rng, (30, 34), "float32")
    for axis in (0, 1):
        inside = span_of(axis, x.shape[axis], 5, boundary, first=0, count=x.shape[axis] - 4)
        assert inside.inside
        agree(x, rng.standard_normal(5), inside, case=axis)


@emulated
def test_an_empty_axis_is_all_fill_value(rng):
    x = image_of(rng, (3, 0), "float32")
    agree(x, rng.standard_normal(3), span_of(1, 0, 3, "constant", first=-3, count=4), cval=2.0)
    agree(x, rng.standard_normal(3), span_of(0, 3, 3, "reflect"))
    with pytest.raises(ValueError, match="needs at least one sample to extend: the axis is empty"):
        run(x, np.ones(3), span_of(1, 0, 3, "reflect", count=4), result=None)


@emulated
def test_a_fill_value_that_is_no_number_stays_at_the_border(rng):
    for shape, axis in (((40, 33), 0), ((5, 400), 1)):
        x = image_of(rng, shape, "float32")
        agree(x, np.ones(5), span_of(axis, shape[axis], 5, "constant"), cval=np.nan)
        agree(x, np.ones(5), span_of(axis, shape[axis], 5, "constant"), cval=np.inf)


@emulated
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_strides_are_read_where_they_lie(rng, layout):
    for shape in ((37, 41), (4, 9, 3), (3, 4, 5, 34)):
        x = LAYOUTS[layout](image_of(rng, shape, "float32"))
        for axis in range(x.ndim):
            runtime = agree(x, rng.standard_normal(4), span_of(axis, shape[axis], 4, "reflect"), case=(shape, axis))
            copied = any(launch.arguments[0].__array_interface__["strides"] is None for launch in runtime.launches)
            assert not copied or layout not in ("gaps", "backwards") or len(shape) == 4


@emulated
def test_fields_of_records_are_copied_once(rng):
    records = np.zeros(50, [("flag", np.uint8), ("value", np.float32)])
    records["value"] = rng.standard_normal(50)
    agree(records["value"], rng.standard_normal(3), span_of(0, 50, 3, "mirror"))


@emulated
def test_the_result_lies_in_memory_as_the_image_does(rng):
    runtime = EmulatedRuntime()
    x = np.asfortranarray(image_of(rng, (30, 20), "float32"))
    agree(x, rng.standard_normal(3), span_of(0, 30, 3, "wrap"), runtime=runtime)
    (launch,) = runtime.launches
    assert launch.arguments[1].flags.f_contiguous


@emulated
@pytest.mark.parametrize("dtype, taps", [("float32", 959), ("float32", 961), ("float64", 700), ("complex128", 300)])
def test_taps_beyond_what_goes_by_value_lie_on_the_device(rng, dtype, taps):
    for shape, axis in (((1200, 2), 0), ((2, 1200), 1)):
        x = image_of(rng, shape, dtype)
        weights = taps_of(rng, taps, dtype, complex_=is_complex(dtype))
        agree(x, weights, span_of(axis, 1200, taps, "reflect"), case=(shape, axis))


@emulated
def test_thousands_of_taps_come_in_rounds(rng):
    runtime = EmulatedRuntime()
    x = image_of(rng, (1, 40), "float64")
    agree(x, rng.standard_normal(9001), span_of(1, 40, 9001, "wrap"), runtime=runtime)
    assert all(launch.shared <= MAX_SHARED for launch in runtime.launches)


@emulated
@pytest.mark.parametrize("result", [each for each in DTYPES if each in ("uint8", "int16", "uint64", *FLOATS)])
def test_results_are_rounded_once(rng, result):
    x = image_of(rng, (9, 60), "float32") * 100
    x[3, 30] = np.nan
    for axis in (0, 1):
        agree(x, np.array([1.0, -1.0, 0.5]), span_of(axis, x.shape[axis], 3, "nearest"), result=result, case=axis)


@emulated
def test_integers_saturate_and_round_half_to_even():
    values = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 127.5, 254.5, 255.5, 1e30, -1e30, np.inf, -np.inf, np.nan])
    expected = {
        "uint8": [0, 0, 0, 0, 2, 2, 128, 254, 255, 255, 0, 255, 0, 0],
        "int8": [-2, -2, 0, 0, 2, 2, 127, 127, 127, 127, -128, 127, -128, 0],
        "int64": [-2, -2, 0, 0, 2, 2, 128, 254, 256, 2**63 - 1, -(2**63), 2**63 - 1, -(2**63), 0],
        "uint64": [0, 0, 0, 0, 2, 2, 128, 254, 256, 2**64 - 1, 0, 2**64 - 1, 0, 0],
    }
    span = span_of(0, values.size, 1, "nearest")
    for result, rounded in expected.items():
        assert run(values.astype(np.float32), np.ones(1), span, result=result).tolist() == rounded


@emulated
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
def test_wide_sums_saturate_in_narrow_integers(dtype):
    x = np.array([np.iinfo(dtype).max, np.iinfo(dtype).min, 3], dtype)
    exact = "int32" if x.itemsize <= 2 else "int64"
    doubled = run(x, np.array([2], exact), span_of(0, 3, 1, "nearest"), result=dtype)
    assert doubled.tolist() == [np.iinfo(dtype).max, max(2 * np.iinfo(dtype).min, np.iinfo(dtype).min), 6]
    assert doubled.dtype == dtype


@emulated
def test_bfloat16_rounds_as_its_library_does(rng):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = np.concatenate([rng.standard_normal(2000) * 10.0 ** rng.integers(-30, 30, 2000), [np.nan, np.inf, -np.inf]])
    given = x.astype(np.float32)
    rounded = run(given, np.ones(1), span_of(0, x.size, 1, "nearest"), result="bfloat16")
    assert np.array_equal(rounded.astype(np.float32), given.astype(bfloat16).astype(np.float32), equal_nan=True)


def run(x, weights, span, *, result):
    from gpuconv.backends.cuda.runtime import use_runtime

    runtime = EmulatedRuntime()
    with use_runtime(runtime):
        return lines.correlate_axis(runtime.place(x), weights, (span,), 0.0, result=result)


@emulated
def test_overflow_of_integers_wraps_around():
    x = np.array([2**62, 2**62, 5], np.int64)
    doubled = run(x, np.array([1, 1], np.int64), span_of(0, 3, 2, "constant", first=0), result=None)
    assert doubled.tolist() == [-(2**63), 2**62 + 5, 5]


@emulated
def test_the_order_of_threads_changes_nothing(rng):
    for shape, axis in SHAPES:
        x = image_of(rng, shape, "float32")
        agree(x, rng.standard_normal(40), span_of(axis, shape[axis], 40, "reflect"), check=False, case=(shape, axis))


def test_partial_sums_keep_the_documented_error():
    for taps, outputs in itertools.product(range(1, 20_000), (4, 7, 8)):
        group = lines.group_of(taps, outputs)
        roundings = group + -(-taps // group) + 1 if group < taps else taps
        assert roundings <= max(4 * sqrt(taps), 16)
        assert group >= taps or group % outputs == 0


def test_plans_of_rows_fit_a_block():
    sizes = (1, 2, 6, 7, 8, 100, 250, 1791, 1792, 1793, 10**5, 2**40)
    for count, taps, inner, (sample, total), outer in itertools.product(
        sizes, (1, 2, 16, 17, 100, 960, 4097, 10**6), (1, 2, 3, 31), ((4, 4), (4, 8), (8, 8), (16, 16)), (1, 5, 10**6)
    ):
        plan = lines.row_plan(count, taps, inner, outer, sample, total)
        if plan is None:
            assert taps * inner * sample > MAX_SHARED
            continue
        outputs = plan.parts * lines.ROW_OUTPUTS
        assert plan.rows * plan.parts * inner <= plan.threads <= lines.THREADS
        assert plan.tiles * outputs >= count > (plan.tiles - 1) * outputs
        assert plan.rows * (outputs + min(plan.round, taps) - 1) * inner * sample <= plan.shared <= MAX_SHARED
        assert plan.rows * outputs * inner * total <= plan.shared
        assert plan.round >= taps or plan.round % plan.group == 0
        assert plan.rows == 1 or plan.tiles == 1


def test_plans_of_columns_cover_every_output():
    for count, inner, total in itertools.product(
        (1, 7, 8, 9, 63, 64, 65, 10**6, 2**36), (1, 5, 32, 33, 64, 100, 2**36), (4, 8, 16)
    ):
        plan = lines.column_plan(count, inner, 1, total)
        parts = plan.threads // plan.lanes
        assert plan.threads <= lines.THREADS
        assert plan.lanes % 32 == 0
        assert plan.threads % plan.lanes == 0
        assert plan.inner_tiles * plan.lanes >= inner > (plan.inner_tiles - 1) * plan.lanes
        assert plan.axis_tiles * parts * plan.outputs >= count > (plan.axis_tiles - 1) * parts * plan.outputs


@pytest.mark.parametrize(
    "shape, axis",
    [((2**40,), 0), ((2**20, 2**20), 0), ((2**20, 2**20), 1), ((2**38, 4), 0), ((2**36, 16), 1), ((2, 2**38, 2), 1)],
)
def test_launches_cover_arrays_of_any_size(shape, axis):
    x = Sketch.of(shape, "uint8")
    span = span_of(axis, shape[axis], 17, "reflect")
    launches = recorded(lines.correlate_axis, x, np.ones(17, np.float32), (span,), 0.0)
    assert all(0 < launch.blocks <= MAX_BLOCKS for launch in launches)
    # Each argument holds its number: NumPy refuses to make one that does not fit.
    assert all(argument >= 0 for launch in launches for argument in launch.arguments[6:] if argument.dtype == np.int64)
    if len(launches) > 1:
        assert sum(launch.blocks for launch in launches) > MAX_BLOCKS


def test_which_axes_become_rows_and_columns():
    kernels = {
        ((100, 100), 1, None): "correlate_rows",
        ((100, 100), 0, None): "correlate_columns",
        ((100, 100), 0, (1, 0)): "correlate_rows",
        ((100, 100), 1, (1, 0)): "correlate_columns",
        ((100, 100, 3), 1, None): "correlate_rows",
        ((100, 100, 3), 0, None): "correlate_columns",
        ((100, 100, 3), 2, None): "correlate_rows",
        ((8, 1, 100), 0, None): "correlate_columns",
        ((8, 100, 1), 1, None): "correlate_rows",
    }
    for (shape, axis, order), kernel in kernels.items():
        x = Sketch.of(shape, "float32", order)
        (launch,) = recorded(lines.correlate_axis, x, np.ones(3), (span_of(axis, shape[axis], 3, "wrap"),), 0.0)
        assert launch.kernel == kernel, (shape, axis, order)
