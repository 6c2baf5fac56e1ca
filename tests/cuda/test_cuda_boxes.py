"""Sums of equal taps on CUDA: every dtype, boundary, layout and reach, and the arithmetic of their launches."""

from __future__ import annotations

import itertools
from math import sqrt

import numpy as np
import pytest

from gpuconv.backends.cuda import box_plans, boxes, compile, separable
from gpuconv.backends.cuda.launch import MAX_BLOCKS, MAX_SHARED
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.core.boundary import BOUNDARIES
from gpuconv.core.dtypes import is_complex, is_integer
from tests.cuda.agreement import DTYPES, LAYOUTS, assert_agrees, emulated, image_of, span_of
from tests.cuda.emulation import EmulatedRuntime, EmulationError
from tests.cuda.recording import Sketch, recorded

# Rows; rows of many tiles; columns; channels; columns of a volume; few channels that are not side by side; one line.
SHAPES = (((5, 61), 1), ((2, 1900), 1), ((23, 40), 0), ((19, 13, 3), 1), ((4, 11, 35), 1), ((21,), 0), ((9, 5, 7), 0))


def taps_of(rng, count, dtype, *, complex_=False):
    """Equal weights as a primitive gets them: integers in the exact dtype of the result, others in double precision."""
    if is_integer(dtype):
        exact = {"uint64": "uint64", "int32": "int64", "uint32": "int64", "int64": "int64"}.get(dtype, "int32")
        return np.full(count, rng.integers(1, 9), exact)
    return np.full(count, rng.standard_normal() + (1j * rng.standard_normal() if complex_ else 0))


def agree(x, weights, span, **options):
    """Without the border between boxes and other taps."""

    def correlate(x, weights, spans, cval, result):
        return boxes.correlate_box(x, weights, spans[0], cval, result=result)

    return assert_agrees("correlate_axis", correlate, x, weights, (span,), terms=span.taps, **options)


@emulated
@pytest.mark.parametrize("position, dtype", list(enumerate(DTYPES)))
def test_every_dtype_agrees_with_the_definition(rng, position, dtype):
    boundary = BOUNDARIES[position % len(BOUNDARIES)]
    for shape, axis in SHAPES:
        x = image_of(rng, shape, dtype)
        for taps in (7, 24, 33, 90):
            span = span_of(axis, shape[axis], taps, boundary)
            agree(x, taps_of(rng, taps, dtype), span, cval=3, case=(shape, axis, taps, boundary))


@emulated
@pytest.mark.parametrize("position, dtype", list(enumerate(DTYPES)))
def test_every_dtype_agrees_where_tiles_have_a_hole(rng, small_blocks, position, dtype):
    boundary = BOUNDARIES[position % len(BOUNDARIES)]
    for shape, axis in SHAPES:
        x = image_of(rng, shape, dtype)
        runtime = EmulatedRuntime()
        agree(x, taps_of(rng, 387, dtype), span_of(axis, shape[axis], 387, boundary), cval=3, runtime=runtime)
        assert [launch.kernel for launch in runtime.launches] == ["sum_tiles", "box_lines"], (shape, axis)


@pytest.fixture
def small_blocks(monkeypatch):
    """So little shared memory that a few hundred taps are too many for a tile."""
    for name in ("COMFORTABLE_SHARED", "MAX_SHARED"):
        monkeypatch.setattr(box_plans, name, 1500)
    caches = (box_plans.plan_of, boxes.recipe)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@emulated
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32", "float64", "complex64", "complex128"])
def test_real_and_complex_weights_go_with_every_image(rng, dtype):
    x = image_of(rng, (26, 33), dtype)
    for axis, complex_ in itertools.product((0, 1), (False, True)):
        weights = np.full(25, rng.standard_normal() + (1j * rng.standard_normal() if complex_ else 0))
        cval = 2 - 1j if is_complex(dtype) else 2
        agree(x, weights, span_of(axis, x.shape[axis], 25, "constant"), cval=cval, case=(axis, complex_))


@emulated
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_every_boundary_holds_at_any_reach_and_origin(rng, boundary):
    for (shape, axis), taps in itertools.product(SHAPES, (7, 8, 27, 70, 131, 200)):
        x, size = image_of(rng, shape, "float32"), shape[axis]
        for first, count in ((-(taps // 2), size), (-taps + 1, size + taps - 1), (-taps - 5, 3), (size + 2, 9), (2, 1)):
            span = span_of(axis, size, taps, boundary, first=first, count=count)
            agree(x, np.full(taps, 0.7), span, cval=-1.5, case=(shape, axis, taps, first, count))


@emulated
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_every_boundary_holds_where_tiles_have_a_hole(rng, small_blocks, boundary):
    for (shape, axis), taps in itertools.product(SHAPES, (387, 520)):
        x, size = image_of(rng, shape, "float32"), shape[axis]
        for first, count in ((-(taps // 2), size), (-taps + 1, size + 9), (size + 2, 9)):
            span = span_of(axis, size, taps, boundary, first=first, count=count)
            agree(x, np.full(taps, 0.7), span, cval=-1.5, case=(shape, axis, taps, first, count))


@emulated
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_axes_of_one_and_two_samples_and_outputs_inside(rng, boundary):
    for shape, axis in (((1, 40), 0), ((2, 40), 0), ((40, 1), 1), ((40, 2), 1), ((3, 1, 4), 1), ((1,), 0), ((2,), 0)):
        x = image_of(rng, shape, "float32")
        agree(x, np.full(24, 0.5), span_of(axis, shape[axis], 24, boundary), cval=2.0, case=shape)
    x = image_of(rng, (60, 64), "float32")
    for axis in (0, 1):
        inside = span_of(axis, x.shape[axis], 25, boundary, first=0, count=x.shape[axis] - 24)
        assert inside.inside
        agree(x, np.full(25, 0.5), inside, case=axis)


@emulated
def test_an_empty_axis_is_all_fill_value(rng):
    x = image_of(rng, (3, 0), "float32")
    agree(x, np.ones(30), span_of(1, 0, 30, "constant", first=-3, count=4), cval=2.0)
    agree(x, np.ones(30), span_of(0, 3, 30, "reflect"))
    with pytest.raises(ValueError, match="needs at least one sample to extend: the axis is empty"):
        recorded(
            boxes.correlate_axis, Sketch.of((3, 0), "float32"), np.ones(30), (span_of(1, 0, 30, "wrap", count=4),), 0
        )


@emulated
@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("taps", [31, 400])
def test_not_a_number_and_infinity_are_in_the_sums_of_their_boxes_only(rng, small_blocks, taps):
    """Of a box without them nothing is left over, and none of them meets its opposite in another's box."""
    for shape, axis in (((2000, 3), 0), ((2, 2000), 1)):
        x = image_of(rng, shape, "float32")
        lines = np.moveaxis(x, axis, -1)
        lines[..., 300], lines[0, 1000], lines[:, 1500] = np.nan, np.inf, -np.inf
        agree(x, np.ones(taps), span_of(axis, 2000, taps, "reflect"), case=shape)
        for cval in (np.nan, np.inf):
            agree(x, np.ones(taps), span_of(axis, 2000, taps, "constant"), cval=cval, case=(shape, cval))


@emulated
def test_large_samples_are_weighted_before_they_are_added(rng):
    for shape, axis in (((100, 3), 0), ((2, 100), 1)):
        x = np.full(shape, 3e38, np.float32)
        agree(x, np.full(31, 1 / 31), span_of(axis, 100, 31, "reflect"))


@emulated
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_strides_are_read_where_they_lie(rng, layout):
    for shape in ((37, 41), (4, 9, 3), (3, 4, 5, 34)):
        x = LAYOUTS[layout](image_of(rng, shape, "float32"))
        for axis in range(x.ndim):
            runtime = agree(x, np.full(24, 0.5), span_of(axis, shape[axis], 24, "reflect"), case=(shape, axis))
            copied = any(launch.arguments[0].__array_interface__["strides"] is None for launch in runtime.launches)
            assert not copied or layout not in ("gaps", "backwards") or len(shape) == 4


@emulated
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_strides_are_read_where_tiles_have_a_hole(rng, small_blocks, layout):
    for shape in ((37, 41), (4, 9, 3), (3, 4, 5, 34)):
        x = LAYOUTS[layout](image_of(rng, shape, "float32"))
        for axis in range(x.ndim):
            agree(x, np.full(389, 0.5), span_of(axis, shape[axis], 389, "reflect"), case=(shape, axis))


@emulated
def test_fields_of_records_are_copied_once(rng):
    records = np.zeros(50, [("flag", np.uint8), ("value", np.float32)])
    records["value"] = rng.standard_normal(50)
    agree(records["value"], np.ones(30), span_of(0, 50, 30, "mirror"))


@emulated
def test_the_result_lies_in_memory_as_the_image_does(rng):
    x = np.asfortranarray(image_of(rng, (30, 20), "float32"))
    (launch,) = agree(x, np.ones(24), span_of(0, 30, 24, "wrap")).launches
    assert launch.arguments[1].flags.f_contiguous


@emulated
@pytest.mark.parametrize("result", ["uint8", "int16", "float16", "float32", "float64"])
def test_results_are_rounded_once(rng, result):
    x = image_of(rng, (40, 60), "float32") * 100
    x[3, 30] = np.nan
    for axis in (0, 1):
        agree(x, np.full(25, 0.25), span_of(axis, x.shape[axis], 25, "nearest"), result=result, case=axis)


@emulated
def test_overflow_of_integers_wraps_around():
    sums = run(np.full(40, 2**62, np.int64), np.ones(26, np.int64), span_of(0, 40, 26, "wrap"))
    assert (sums == -(2**63)).all()


def run(x, weights, span, runtime=None):
    runtime = runtime or EmulatedRuntime()
    with use_runtime(runtime):
        sums = boxes.correlate_box(runtime.place(x), weights, span, 0)
    runtime.assert_written(sums)
    return sums


@emulated
@pytest.mark.parametrize("taps", [24, 63, 900, 5000])
def test_a_flat_image_stays_flat_within_the_documented_error(taps):
    x = np.full((1, 5200), 1.1, np.float32)
    for shape, axis in ((x.shape, 1), (x.T.shape, 0)):
        sums = run(x.reshape(shape), np.full(taps, 1 / taps), span_of(axis, 5200, taps, "reflect"))
        assert np.abs(sums - 1.1).max() <= 2 * sqrt(taps) * 2.0**-23 * 1.1


@emulated
@pytest.mark.parametrize("taps", [40, 130, 400])
def test_the_order_of_threads_changes_nothing(rng, small_blocks, taps):
    for shape, axis in SHAPES:
        x = image_of(rng, shape, "float32")
        agree(x, np.full(taps, 0.3), span_of(axis, shape[axis], taps, "reflect"), check=False, case=(shape, axis))


BUGS = {
    "a tile is read before it is loaded": ("#else\n    __syncthreads();\n#endif", "#endif"),
    "chunks are summed up before they are": ("    __syncthreads();\n    const Sum* sums", "    const Sum* sums"),
    "a few are doubled before they are summed": ("    __syncthreads();\n    for (int bit", "    for (int bit"),
    "sums are doubled again before they are": ("        __syncthreads();\n        Sum* last", "        Sum* last"),
    "results overwrite samples": ("            __syncthreads();\n            if (busy) {", "            if (busy) {"),
    "results are stored before they are there": ("return;\n    __syncthreads();\n", "return;\n"),
    "parts are joined before they are there": ("left > 1;) {\n        __syncthreads();", "left > 1;) {"),
    "the bulk is read before it is joined": ("left = half;\n    }\n    __syncthreads();", "left = half;\n    }"),
    "a doubled sum too few": ("c <= all - next", "c < all - next"),
    "a doubled sum too many": ("c <= all - next", "c <= all - next + 1"),
    "a chunk too few": ("c < chunks + between - 1;", "c < chunks + between - 2;"),
    "the end of a tile is left unwritten": ("i < chunks * CHUNK + tile.taps - 1;", "i < 0;"),
    "results beyond the last": ("if (chunk * CHUNK + k < wanted) store", "store"),
    "shared memory of another row": ("place.row * row * lanes", "place.row * lanes"),
    "the hole is taken for a chunk": ("if (c + 1 == tile.chunks) {", "if (c + 1 == 0) {"),
    "threads leave before a barrier": (
        "    Shared shared = shared_of",
        "    if (!place.at_work) return;\n    Shared shared = shared_of",
    ),
}


@emulated
@pytest.mark.parametrize("bug", BUGS)
def test_the_emulator_refuses_every_bug(rng, small_blocks, tmp_path, bug):
    right, wrong = BUGS[bug]
    text = compile.source_text("boxes.cu", ())
    assert text.count(right) == 1
    calls = (((5, 61), 1, 27), ((5, 61), 1, 100), ((2, 61), 1, 150), ((40, 40), 0, 24), ((1, 600), 1, 500))

    def run_all(source):
        (tmp_path / "boxes.cu").write_text(source)
        for shape, axis, taps in calls:
            x, span = image_of(rng, shape, "float32"), span_of(axis, shape[axis], taps, "reflect")
            run(x, np.ones(taps), span, EmulatedRuntime(folder=tmp_path))

    run_all(text)
    with pytest.raises(EmulationError):
        run_all(text.replace(right, wrong))


@emulated
def test_several_launches_share_what_a_grid_cannot_hold(rng, small_blocks, monkeypatch):
    calls = (((9, 11, 35), 1, 24, 10), ((9, 61), 1, 387, 6), ((9, 11, 35), 1, 387, 220), ((300, 20), 1, 30, 12))
    for shape, axis, taps, most in calls:
        monkeypatch.setattr(boxes, "MAX_BLOCKS", most)
        x = image_of(rng, shape, "float32")
        runtime = agree(x, np.full(taps, 0.5), span_of(axis, shape[axis], taps, "reflect"), case=(shape, taps))
        assert len(runtime.launches) > 4
        assert all(launch.blocks <= most for launch in runtime.launches)


@emulated
def test_long_boxes_come_in_two_launches(rng):
    for shape, axis, taps in (((1500, 3), 0, 3001), ((2, 700), 1, 20_011), ((1, 40), 1, 9001)):
        x = image_of(rng, shape, "float64")
        runtime = agree(x, np.full(taps, 0.01), span_of(axis, shape[axis], taps, "wrap"), case=(shape, taps))
        assert [launch.kernel for launch in runtime.launches] == ["sum_tiles", "box_lines"]


def test_equal_taps_on_the_host_are_boxes():
    x, span = Sketch.of((64, 64), "float32"), span_of(0, 64, boxes.BOX_TAPS, "wrap")

    def kernel_of(taps):
        (launch,) = recorded(boxes.correlate_axis, x, taps, (span_of(0, 64, taps.size, "wrap"),), 0)
        return launch.kernel

    assert span.taps > box_plans.CHUNK
    equal = np.full(boxes.BOX_TAPS, 0.3)
    assert kernel_of(equal) == "box_lines"
    assert kernel_of(equal[1:]) == "correlate_columns"
    assert kernel_of(Sketch.of(equal.shape, "float32")) == "correlate_columns"
    for other in (0.4, np.nan):
        assert kernel_of(np.append(equal, other)) == "correlate_columns"
    assert kernel_of(np.full(boxes.BOX_TAPS, np.nan)) == "correlate_columns"


def test_partial_sums_keep_the_documented_error():
    for taps in (*range(box_plans.CHUNK, 1500), *range(1500, 40_000, 97), 10**6, 10**7, 10**8):
        for row, sum_bytes in ((True, 4), (False, 16)):
            plan = box_plans.plan_of(10**6, taps, 1 if row else 64, row, 1, 4, sum_bytes)
            between = plan.taps // box_plans.CHUNK - 1
            bulk = 0
            if plan.hole:
                of_tiles = -(-plan.whole_tiles // plan.parts)
                a_thread = min(of_tiles, 64) + of_tiles // 64 + -(-plan.rest // plan.parts)
                in_a_tile = -(-plan.chunks * box_plans.CHUNK // plan.parts) + plan.parts.bit_length()
                bulk = a_thread + in_a_tile + plan.parts.bit_length()
            chunks = max(box_plans.CHUNK, bulk) + (between >> plan.doublings) + 2 * plan.doublings
            roundings = 1 + chunks + 3
            assert roundings <= max(4 * sqrt(taps), 16), (taps, row)


def test_plans_fit_a_block_and_cover_every_output():
    for count, taps, (inner, row), outer, bytes_each in itertools.product(
        (1, 7, 8, 63, 500, 4096, 10**7, 2**38),
        (7, 8, 24, 31, 69, 70, 333, 1000, 5000, 10**5, 2**31 - 1),
        ((1, True), (3, True), (31, True), (1, False), (9, False), (40, False), (2**20, False)),
        (1, 5, 10**6),
        ((1, 4), (4, 4), (8, 8), (8, 16)),
    ):
        plan = box_plans.plan_of(count, taps, inner, row, outer, *bytes_each)
        case = (count, taps, inner, row, outer, bytes_each, plan)
        outputs, between = plan.chunks * box_plans.CHUNK, plan.taps // box_plans.CHUNK - 1
        assert plan.rows * plan.parts * plan.lanes <= plan.threads <= box_plans.THREADS, case
        assert plan.threads % 32 == 0, case
        assert 0 < plan.shared <= MAX_SHARED, case
        assert plan.axis_tiles * outputs >= count > (plan.axis_tiles - 1) * outputs, case
        assert plan.inner_tiles * plan.lanes >= inner > (plan.inner_tiles - 1) * plan.lanes, case
        assert plan.rows == 1 or (plan.axis_tiles == 1 and row and not plan.hole), case
        assert between >> plan.doublings <= box_plans.DIRECT, case
        if plan.hole:
            in_hole = plan.whole_tiles * outputs + plan.rest
            assert plan.taps - box_plans.CHUNK + in_hole == taps, case
            assert plan.whole_tiles > 0 <= plan.rest < outputs, case
            assert plan.summed_tiles == plan.axis_tiles - 1 + plan.whole_tiles, case
            assert plan.taps // box_plans.CHUNK == plan.chunks + 1, case
        else:
            assert plan.taps == taps, case
            assert min(2 * outputs, plan.axis_tiles * outputs) >= min(taps, count), case


@pytest.mark.parametrize("taps", [31, 10**5])
@pytest.mark.parametrize(
    "shape, axis",
    [((2**40,), 0), ((2**20, 2**20), 0), ((2**20, 2**20), 1), ((2**38, 4), 0), ((2**36, 16), 1), ((2, 2**38, 2), 1)],
)
def test_launches_cover_arrays_of_any_size(shape, axis, taps):
    x = Sketch.of(shape, "uint8")
    span = span_of(axis, shape[axis], taps, "reflect")
    launches = recorded(boxes.correlate_axis, x, np.ones(taps, np.float32), (span,), 0.0)
    for kernel in {launch.kernel for launch in launches}:
        outer_stop = 0
        for launch in launches:
            if launch.kernel != kernel:
                continue
            assert launch.blocks <= MAX_BLOCKS
            (around,) = (each for each in launch.arguments if getattr(each.dtype, "names", None) == around_names())
            tile = launch.arguments[-1]["at"][0]
            assert around["outer_first"][0] == outer_stop
            outer_stop = int(around["outer_stop"][0])
            tiles = int(around["inner_tiles"][0]) * int(around["axis_tiles"][0])
            assert launch.blocks == -(-(outer_stop - int(around["outer_first"][0])) // int(tile[2])) * tiles
        assert outer_stop == np.prod(shape, dtype=object) // (shape[axis] * int(around["inner"][0]))


def around_names():
    return boxes._AROUND.names


def test_uniform_filters_go_axis_by_axis_where_boxes_are_long():
    x = Sketch.of((512, 512), "float32")

    def kernels(*taps):
        spans = [span_of(axis, 512, each.size, "reflect") for axis, each in enumerate(taps)]
        return [launch.kernel for launch in recorded(separable.correlate_separable, x, [list(taps)], spans, 0.0)]

    ones, border = np.ones, separable.PASSES_TAPS
    assert kernels(ones(31), ones(31)) == ["box_lines", "box_lines"]
    assert kernels(ones(border), np.arange(5.0)) == ["box_lines", "correlate_rows"]
    assert kernels(ones(border - 1), np.arange(5.0)) == ["separable"]
    assert kernels(ones(15), ones(15)) == ["separable"]
    assert kernels(np.arange(40.0), np.arange(40.0)) == ["separable"]


@emulated
@pytest.mark.parametrize("dtype, result", [("float32", None), ("uint8", "uint8"), ("complex64", None)])
def test_uniform_filters_agree_with_the_definition(rng, dtype, result):
    for shape, boundaries in (((40, 50), ("constant", "reflect")), ((6, 33, 40), ("wrap", "constant", "constant"))):
        x = image_of(rng, shape, dtype)
        spans = [span_of(axis, size, 25 + axis, boundaries[axis]) for axis, size in enumerate(shape)]
        banks = [[np.full(span.taps, 1 / span.taps) for span in spans]]
        options = {"cval": 2.0, "result": result, "terms": sum(span.taps for span in spans)}
        runtime = assert_agrees("correlate_separable", separable.correlate_separable, x, banks, spans, **options)
        assert [launch.kernel for launch in runtime.launches] == ["box_lines"] * len(shape)
