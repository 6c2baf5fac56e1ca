"""correlate_windows on CUDA: every dtype, boundary, layout, size and reach, and the arithmetic of its launches."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np
import pytest

from gpuconv.backends.cuda import windows, windows_tiles
from gpuconv.backends.cuda.launch import MAX_BLOCKS, MAX_SHARED, Kinds
from gpuconv.core.boundary import BOUNDARIES
from gpuconv.core.dtypes import is_complex, is_integer
from tests.cuda.agreement import DTYPES, LAYOUTS, assert_agrees, image_of, span_of
from tests.cuda.emulation import EmulatedRuntime
from tests.cuda.recording import Sketch, recorded
from tests.libraries import why_absent

emulated = pytest.mark.skipif(why_absent("cxx") is not None, reason=str(why_absent("cxx")))


def weights_of(rng, shape, dtype, *, complex_=False):
    """Weights as a primitive gets them: integers in the exact dtype of the result, others in double precision."""
    if is_integer(dtype):
        exact = {"uint64": "uint64", "int32": "int64", "uint32": "int64", "int64": "int64"}.get(dtype, "int32")
        return rng.integers(0 if dtype == "uint64" else -9, 9, shape).astype(exact)
    weights = rng.standard_normal(shape)
    return weights + 1j * rng.standard_normal(shape) if complex_ else weights


def agree(x, weights, spans, **options):
    options.setdefault("case", (x.shape, spans))
    launcher, terms = options.pop("launcher", windows.correlate_windows), weights.size
    return assert_agrees("correlate_windows", launcher, x, weights, spans, terms=terms, **options)


def spans_of(shape, axes, taps, *boundaries, **options):
    """Spans of the axes, the boundaries in turn."""
    return [
        span_of(axis, shape[axis], each, boundaries[place % len(boundaries)], **options)
        for place, (axis, each) in enumerate(zip(axes, taps, strict=True))
    ]


@emulated
@pytest.mark.parametrize("position, dtype", list(enumerate(DTYPES)))
def test_every_dtype_agrees_with_the_definition(rng, position, dtype):
    boundaries = BOUNDARIES[position % 5], BOUNDARIES[(position + 2) % 5]
    weights = weights_of(rng, (3, 4), dtype)
    for shape, axes in (((33, 67), (0, 1)), ((2, 3, 5, 8), (1, 3)), ((1, 7, 129), (1, 2))):
        agree(image_of(rng, shape, dtype), weights, spans_of(shape, axes, (3, 4), *boundaries), cval=3)


@emulated
@pytest.mark.parametrize(
    "dtype, result",
    [
        ("uint8", "uint8"),
        ("float16", "float16"),
        ("bfloat16", "bfloat16"),
        ("float32", "int16"),
        ("float64", "float32"),
        ("int16", "float64"),
        ("complex128", "complex64"),
    ],
)
def test_results_are_rounded_once_to_what_is_asked_for(rng, dtype, result):
    if dtype == "bfloat16" and dtype not in DTYPES:
        pytest.skip("NumPy has bfloat16 from ml_dtypes, which is not installed")
    x = image_of(rng, (21, 38), dtype)
    weights = weights_of(rng, (2, 3), dtype) if dtype == "int16" else rng.standard_normal((2, 3))
    agree(x, weights, spans_of(x.shape, (0, 1), (2, 3), "reflect"), result=result)


@emulated
@pytest.mark.parametrize("dtype", ["uint8", "float32", "complex64", "complex128"])
def test_complex_weights_go_with_every_image(rng, dtype):
    x = image_of(rng, (19, 37), dtype)
    cval = 2 - 1j if is_complex(dtype) else 2
    weights = weights_of(rng, (3, 7), "float64", complex_=True)
    agree(x, weights, spans_of(x.shape, (0, 1), (3, 7), "constant"), cval=cval)


@emulated
@pytest.mark.parametrize("position", range(5))
def test_every_boundary_holds_at_any_reach_and_origin(rng, position):
    boundaries = BOUNDARIES[position], BOUNDARIES[(position + 1) % 5]
    for shape in ((5, 90), (66, 3), (40, 37)):
        x = image_of(rng, shape, "float32")
        for first, count in ((-3, 70), (-20, 6), (60, 9), (-200, 3), (-1, 130)):
            spans = spans_of(shape, (0, 1), (4, 3), *boundaries, first=first, count=count)
            agree(x, rng.standard_normal((4, 3)), spans, cval=-1.5)


@emulated
def test_axes_of_one_sample_outputs_inside_and_empty_axes(rng):
    weights = rng.standard_normal((3, 4))
    for shape in ((1, 50), (50, 1), (1, 1)):
        agree(image_of(rng, shape, "float32"), weights, spans_of(shape, (0, 1), (3, 4), "mirror"))
    x = image_of(rng, (40, 70), "float32")
    agree(x, weights, [span_of(0, 40, 3, "wrap", first=0, count=38), span_of(1, 70, 4, "mirror", first=2, count=65)])
    empty = image_of(rng, (3, 0), "float32")
    fill = [span_of(0, 3, 3, "constant"), span_of(1, 0, 4, "constant", first=-3, count=5)]
    agree(empty, weights, fill, cval=2.0)
    agree(image_of(rng, (0, 5, 6), "float32"), weights, spans_of((0, 5, 6), (1, 2), (3, 4), "reflect"))


# All widths of the last strip, both ways to group products that a constant tells, groups that are counted, weights
# that go by value and those that do not, one panel and several.
SMALL_SIZES = ((1, 1), (2, 2), (5, 5), (6, 3), (7, 7), (4, 8), (9, 9), (4, 10), (11, 11), (15, 15))
LARGE_SIZES = ((1, 40), (40, 1), (31, 33), (3, 300), (100, 70))


@emulated
@pytest.mark.parametrize("taps", SMALL_SIZES + LARGE_SIZES)
def test_windows_of_every_size_agree_with_the_definition(rng, taps):
    x = image_of(rng, (37, 83) if prod(taps) < 300 else (9, 40), "float32")
    agree(x, rng.standard_normal(taps), spans_of(x.shape, (0, 1), taps, "reflect"))


@emulated
@pytest.mark.parametrize(
    "dtype, taps",
    [
        ("float32", (3, 3, 3)),
        ("float32", (2, 7, 1)),
        ("float32", (7, 7, 7)),
        ("uint8", (5, 5, 5)),
        ("float64", (3, 3, 3)),
        ("complex128", (3, 2, 4)),
        ("float32", (40, 2, 3)),
        ("float32", (3, 50, 30)),
    ],
)
def test_three_axes_agree_with_the_definition(rng, dtype, taps):
    for shape, axes in (((7, 18, 37), (0, 1, 2)), ((3, 9, 2, 34, 2), (0, 1, 3))):
        x = image_of(rng, shape, dtype)
        agree(x, weights_of(rng, taps, "float32"), spans_of(shape, axes, taps, "reflect", "constant", "wrap"), cval=1)


@emulated
@pytest.mark.parametrize("dtype, channels", [("uint8", 3), ("float32", 19), ("complex64", 2)])
def test_channels_stay_apart(rng, dtype, channels):
    for shape in ((2, 20, 41, channels), (4, 3, 2, channels)):
        x = image_of(rng, shape, dtype)
        agree(x, rng.standard_normal((5, 3)), spans_of(shape, (1, 2), (5, 3), "mirror", "nearest"))
        planar = np.ascontiguousarray(x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
        agree(planar, rng.standard_normal((5, 3)), spans_of(shape, (1, 2), (5, 3), "mirror", "nearest"))


@emulated
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_strides_are_read_where_they_lie(rng, layout):
    cases = ((37, 70), (0, 1)), ((4, 9, 3, 10), (1, 3)), ((4, 9, 3, 10), (0, 2)), ((3, 12, 2, 35), (0, 1, 3))
    for shape, axes in cases:
        x = LAYOUTS[layout](image_of(rng, shape, "float32"))
        taps = (2, 3, 3)[: len(axes)]
        runtime = agree(x, rng.standard_normal(taps), spans_of(shape, axes, taps, "reflect"))
        (launch,) = runtime.launches
        assert launch.arguments[0].strides == x.strides, "nothing is copied"


@emulated
def test_fields_of_records_and_scattered_batches_are_copied_once(rng):
    records = np.zeros((20, 30), [("flag", np.uint8), ("value", np.float32)])
    records["value"] = rng.standard_normal((20, 30))
    agree(records["value"], rng.standard_normal((2, 3)), spans_of((20, 30), (0, 1), (2, 3), "reflect"))
    scattered = image_of(rng, (4, 4, 4, 4, 12, 6), "float32")[::2, ::2, ::2, ::2]
    for each in (scattered, scattered.transpose(3, 5, 1, 0, 4, 2)):
        axes = (4, 5) if each is scattered else (1, 4)
        agree(each, rng.standard_normal((2, 3)), spans_of(each.shape, axes, (2, 3), "reflect"))


@emulated
@pytest.mark.parametrize(
    "shape, axes, taps", [((33, 50), (0, 1), (5, 9)), ((6, 9, 20), (0, 1, 2), (3, 2, 3)), ((12, 15, 4), (0, 1), (4, 6))]
)
def test_weights_that_lie_on_the_device_may_have_any_strides(rng, shape, axes, taps):
    x = image_of(rng, shape, "float32")
    weights = rng.standard_normal((*reversed(taps), 2)).astype(np.float32)[..., 0].T[::-1]

    def launch(x, kernel, spans, cval, *, result):
        return windows.correlate_windows(x, kernel, spans, cval, result=result, resident=True)

    for each in (weights, weights.astype(np.float64)):
        agree(x, each, spans_of(shape, axes, taps, "reflect"), launcher=launch)


@emulated
def test_large_arrays_take_wide_positions_and_several_launches(rng, monkeypatch):
    monkeypatch.setattr(windows, "FAR", 0)
    monkeypatch.setattr(windows, "MAX_BLOCKS", 5)
    windows._plan.cache_clear()
    try:
        x = image_of(rng, (3, 2, 80, 200), "float32")
        runtime = agree(x, rng.standard_normal((3, 4)), spans_of(x.shape, (2, 3), (3, 4), "reflect"))
    finally:
        windows._plan.cache_clear()
    assert len(runtime.launches) > 2
    assert max(launch.blocks for launch in runtime.launches) == 5


@emulated
@pytest.mark.parametrize("dtype, shape, taps", [("float32", (70, 90), (3, 3)), ("uint16", (9, 21, 30, 3), (3, 3, 5))])
def test_the_order_of_threads_changes_no_bit(rng, dtype, shape, taps):
    spans = spans_of(shape, range(len(taps)), taps, "reflect", "constant")
    agree(image_of(rng, shape, dtype), weights_of(rng, taps, "float32"), spans, check=False)


@emulated
def test_nan_and_infinity_stay_within_the_footprint(rng):
    x = image_of(rng, (30, 70), "float32")
    x[4, 5], x[20, 66], x[0, 30] = np.nan, np.inf, -np.inf
    agree(x, np.abs(rng.standard_normal((3, 4))) + 0.1, spans_of(x.shape, (0, 1), (3, 4), "reflect"))


@emulated
def test_sums_of_nearly_equal_products_stay_below_the_documented_bound():
    for taps in ((40, 40), (7, 7), (3, 300)):
        x = np.full((3, 70), 1.1, np.float32)
        weights = np.full(taps, 0.9)
        runtime = EmulatedRuntime()
        with windows.runtime.use_runtime(runtime):
            y = windows.correlate_windows(x, weights, spans_of(x.shape, (0, 1), taps, "nearest"), 0.0)
        exact = np.float64(np.float32(1.1)) * np.float64(np.float32(0.9)) * prod(taps)
        assert np.abs(y / exact - 1).max() <= 2 * sqrt(prod(taps)) * 2.0**-23, taps


def most_roundings(taps, tile):
    """How often a product is rounded on its way into the result, at most."""
    longest = sums = run = 0

    def close():
        nonlocal longest, sums, run
        longest, sums, run = max(longest, run), sums + 1, 0

    for _ in range(taps[0]):
        for top in range(0, taps[1], tile.panel[0]):
            rows = min(tile.panel[0], taps[1] - top)
            left = 0
            while left < taps[2]:
                last = taps[2] - left <= tile.panel[1]
                columns = taps[2] - left if last else tile.panel[1] - tile.tail
                strips = (columns - tile.tail * last) // windows_tiles.STRIP
                widths = [windows_tiles.STRIP] * strips + [tile.tail] * last
                assert sum(widths) == columns
                for width in widths:
                    for row in range(0, rows, tile.rows):
                        few = min(tile.rows, rows - row)
                        if tile.grouping == windows_tiles.COUNTED and run + few * width > tile.group:
                            close()
                        for phase in range(few):
                            run += width
                            if 0 < tile.grouping <= tile.rows and (phase + 1) % tile.grouping == 0:
                                close()
                    if 1 < tile.grouping <= tile.rows and run:
                        close()
                if tile.planes > 1 and run:
                    close()
                left += columns
    if run:
        close()
    return longest + sums - 1


def test_every_window_is_summed_within_the_documented_bound():
    kinds = [Kinds.of(dtype, dtype) for dtype in ("float32", "float64", "complex128")]
    numbers = (1, 2, 3, 4, 5, 7, 8, 11, 15, 16, 23, 40, 64, 131, 700)
    shapes = [(1, a, b) for a in numbers for b in numbers]
    shapes += [(p, a, b) for p in (2, 3, 7, 12, 50) for a in (1, 3, 5, 7, 12, 33) for b in (1, 2, 3, 5, 7, 12, 33)]
    for taps in shapes:
        for each in kinds:
            for capacity in (0, 960):
                tile = windows_tiles.tile_of(taps, (9, 99, 99, 1), each, capacity)
                roundings = most_roundings(taps, tile)
                assert roundings <= 4 * sqrt(prod(taps)), (taps, each, tile, roundings)


# Shape, axes of the window, taps: images of 2^40 samples and less, long, wide, flat, many, deep.
HUGE = (
    ((2**20, 2**20), (0, 1), (7, 7)),
    ((2, 2**39), (0, 1), (2, 3)),
    ((2**39, 2), (0, 1), (3, 2)),
    ((2**38, 2, 2), (1, 2), (3, 3)),
    ((2**13, 2**13, 2**14), (0, 1, 2), (5, 5, 5)),
    ((2**38, 2, 2), (0, 1, 2), (3, 3, 3)),
    ((1024, 1024, 2**20), (0, 1), (3, 3)),
    ((2**17, 512, 2**14), (0, 2), (3, 3)),
)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "complex128"])
@pytest.mark.parametrize("shape, axes, taps", HUGE)
def test_blocks_cover_arrays_of_any_size_once(dtype, shape, axes, taps):
    launches = recorded(
        windows.correlate_windows, Sketch.of(shape, dtype), np.ones(taps), spans_of(shape, axes, taps, "reflect"), 0.0
    )
    first = 0
    for launch in launches:
        geometry = geometry_of(launch)
        assert geometry["first_block"] == first
        first += launch.blocks
        assert 0 < launch.blocks <= MAX_BLOCKS
    tiles = [geometry[name] for name in ("plane_tiles", "row_tiles", "column_tiles", "channel_tiles")]
    assert first == prod(tiles) * prod(geometry["batches"])
    positions = [geometry[name] for name in ("row_size", "column_size", "plane_size", "channels")] + [first]
    index = dict(launch.defines)["INDEX"]
    assert index == ("int64" if max(positions) >= windows.FAR else "int") or max(positions) > 2**28
    outputs = {
        "plane": int(dict(launch.defines)["PLANES_EACH"]),
        "row": int(dict(launch.defines)["ROWS_EACH"]) * geometry["row_threads"],
        "column": int(dict(launch.defines)["COLUMNS_EACH"]) * geometry["column_threads"],
    }
    for name, part in outputs.items():
        assert (geometry[f"{name}_tiles"] - 1) * part < geometry[f"{name}_count"] <= geometry[f"{name}_tiles"] * part
    # Sizes that become int in the kernel, and products of them.
    small = [number for name, number in geometry.items() if name in SMALL]
    assert max(small) < 2**15


FIELDS = [
    f"{axis}_{field}"
    for axis in ("plane", "row", "column")
    for field in ("size", "first", "count", "x_stride", "y_stride", "taps", "tiles")
]
FIELDS += ["channels", "channel_x", "channel_y"]
FIELDS += [f"batch_{field}_{axis}" for axis in range(3) for field in ("count", "x", "y")]
SMALL = ["channel_tile", "column_threads", "row_threads", "warps", "panel_rows", "panel_columns", "pitch"]
FIELDS += ["channel_tile", "channel_tiles", *SMALL[1:], "group", "first_block"]


def geometry_of(launch):
    """The last argument by the names that it has in the kernel."""
    numbers = launch.arguments[-1]["at"][0].tolist()
    geometry = dict(zip(FIELDS, numbers, strict=False))
    return {**geometry, "batches": [geometry[f"batch_count_{axis}"] for axis in range(3)]}


def test_tiles_fit_into_a_block_whatever_the_window(rng):
    for _ in range(3000):
        dtype, result = rng.choice(DTYPES, 2)
        weight = "int64" if is_integer(dtype) and rng.random() < 0.5 else rng.choice(["float64", "complex128"])
        if "uint64" in (dtype, result) and weight == "int64":
            continue
        kinds = Kinds.of(str(dtype), str(weight), str(result))
        counts = tuple(int(2 ** rng.uniform(0, 12)) for _ in range(4))
        taps = tuple(int(2 ** rng.uniform(0, 8)) for _ in range(3))
        capacity = int(rng.choice([0, 64]))
        tile = windows_tiles.tile_of(taps, counts, kinds, capacity)
        assert 0 < prod(tile.threads) <= windows_tiles.THREADS
        assert 0 < tile.shared <= MAX_SHARED, (kinds, counts, taps, capacity, tile)
        assert tile.panel[0] >= 1
        assert (tile.panel[1] - tile.tail) % windows_tiles.STRIP == 0
        assert (taps[2] - tile.tail) % windows_tiles.STRIP == 0
        assert taps[2] <= tile.panel[1] or tile.panel[1] > tile.tail


def test_windows_of_other_numbers_of_axes_are_left_to_others():
    class Posed:
        spans = spans_of((9, 9, 9, 9), (0, 1, 2, 3), (3, 3, 3, 3), "reflect")

    assert "two or three axes, these have 4" in windows.why_not(Posed)
