"""Windows and channels on CUDA with both adjoints, held to the generic rows, and the arithmetic of their launches."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod, sqrt

import numpy as np
import pytest

from gpuconv.backends.cuda import channels
from gpuconv.backends.cuda.launch import MAX_BLOCKS, MAX_SHARED, Kinds
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.backends.generic import channels as generic
from gpuconv.core.boundary import BOUNDARIES, Span
from gpuconv.core.dtypes import EPS, is_complex, is_integer
from tests.assertions import assert_close, tolerance
from tests.cuda.agreement import image_of
from tests.cuda.emulation import EmulatedRuntime
from tests.libraries import why_absent

emulated = pytest.mark.skipif(why_absent("cxx") is not None, reason=str(why_absent("cxx")))

# Space, taps, strides, dilations, first positions, outputs before thinning out.
LINES = (
    ((7,), (3,), (1,), (1,), (-1,), (7,)),
    ((7,), (4,), (2,), (1,), (-3,), (10,)),
    ((5,), (3,), (3,), (2,), (-9,), (21,)),
    ((2,), (2,), (1,), (5,), (-4,), (6,)),
    ((9,), (2,), (4,), (3,), (-2,), (11,)),
    ((9,), (3,), (4,), (2,), (20,), (5,)),
)
IMAGES = (
    ((6, 5), (3, 2), (1, 1), (1, 1), (-1, -1), (6, 6)),
    ((6, 5), (2, 3), (2, 3), (1, 1), (-1, -2), (7, 8)),
    ((4, 5), (3, 3), (1, 2), (3, 2), (-7, -6), (9, 13)),
)
VOLUMES = (
    ((3, 4, 3), (2, 1, 3), (2, 1, 1), (1, 1, 2), (-1, -1, -3), (4, 6, 5)),
    ((5, 2, 6), (2, 2, 2), (1, 2, 3), (2, 1, 1), (-1, -2, -1), (6, 5, 8)),
)
# Batch, inputs, outputs, groups.
PLAIN = (2, 3, 4, 1)


def spans_of(geometry, *boundaries):
    space, taps, _, dilations, firsts, counts = geometry
    return tuple(
        Span(2 + axis, space[axis], (taps[axis] - 1) * dilations[axis] + 1, firsts[axis], counts[axis],
             boundaries[axis % len(boundaries)])
        for axis in range(len(space))
    )  # fmt: skip


def arrays_of(rng, geometry, sizes, spans, dtype, weights):
    batch, inputs, outputs, groups = sizes
    x = image_of(rng, (batch, inputs, *geometry[0]), dtype)
    kernel = image_of(rng, (outputs, inputs // groups, *geometry[1]), weights)
    both = "complex" if is_complex(weights) and not is_complex(dtype) else ""
    summed = {"complexfloat32": "complex64", "complexfloat64": "complex128"}.get(both + dtype, dtype)
    y = image_of(rng, (batch, outputs, *generic.counts_among(spans, geometry[2])), summed)
    return x, kernel, y


def close(actual, function, arguments, options, case):
    """The generic row in the widest dtype, and the sum of the magnitudes of its products for the tolerance."""
    dtype = actual.dtype.name
    if is_integer(dtype):
        assert_close(actual, function(*arguments, *options), case=case)
        return
    wide = np.complex128 if any(each.dtype.kind == "c" for each in arguments) else np.float64
    expected = function(*(each.astype(wide) for each in arguments), *options)
    magnitudes = [np.abs(each).astype(np.float64) for each in arguments]
    scale = function(*magnitudes, *options[:4], *map(abs, options[4:]))
    terms = max(prod(each.shape) for each in arguments)
    assert_close(actual, expected.astype(dtype), tolerance=tolerance(dtype, terms, scale) + EPS[dtype], case=case)


def agree(rng, geometry, sizes, *boundaries, dtype="float64", weights=None, cval=2.0, check=True, laid=None):
    """All three primitives give what the generic ones do; the launches they made."""
    spans = spans_of(geometry, *boundaries)
    x, kernel, y = arrays_of(rng, geometry, sizes, spans, dtype, weights or dtype)
    options = spans, geometry[2], geometry[3], sizes[3]
    runtime = EmulatedRuntime(check=check)
    case = geometry, sizes, boundaries, dtype, weights
    for name, arguments, fill in (
        ("correlate_channels", (x, kernel), (cval,)),
        ("channels_input_adjoint", (y, kernel), ()),
        ("channels_weight_adjoint", (x, y), (cval,)),
    ):
        placed = [runtime.place(each if laid is None else laid(each)) for each in arguments]
        with use_runtime(runtime):
            actual = getattr(channels, name)(*placed, *options, *fill)
        close(actual, getattr(generic, name), arguments, (*options, *fill), (name, case))
    return runtime.launches


@emulated
@pytest.mark.parametrize("geometries, boundaries", [(LINES, ("constant",)), (LINES, ("reflect",)),
                                                    (IMAGES, ("wrap", "constant")),
                                                    (VOLUMES, ("mirror", "constant", "nearest"))])  # fmt: skip
def test_strides_and_dilations_of_every_parity_agree_with_the_definition(rng, geometries, boundaries):
    for geometry in geometries:
        agree(rng, geometry, PLAIN, *boundaries)


@emulated
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_every_boundary_agrees_with_the_definition(rng, boundary):
    for geometry in LINES[1:3]:
        agree(rng, geometry, (1, 1, 1, 1), boundary, dtype="float32")


@emulated
@pytest.mark.parametrize("sizes", [(2, 3, 3, 3), (1, 4, 6, 2), (1, 2, 6, 2), (3, 1, 1, 1), (1, 6, 14, 2)])
def test_groups_see_their_own_channels(rng, sizes):
    agree(rng, LINES[1], sizes, "constant")


@emulated
@pytest.mark.parametrize(
    "dtype, weights",
    [("float32", "float32"), ("int32", "int32"), ("int64", "int64"), ("uint64", "uint64"), ("complex64", "complex64"),
     ("complex128", "float64"), ("float32", "complex64")],
)  # fmt: skip
def test_every_dtype_of_sums_agrees_with_the_definition(rng, dtype, weights):
    cval = 1 - 2j if is_complex(dtype) else 2
    agree(rng, LINES[1], PLAIN, "constant", dtype=dtype, weights=weights, cval=cval)


# More outputs than a tile has, by one and by a few; long sums, which are cut into slices.
LARGE = (
    (((19, 31), (2, 3), (1, 1), (1, 1), (-1, -1), (19, 31)), (2, 17, 33, 1)),
    (((300,), (3,), (1,), (1,), (-1,), (300,)), (9, 2, 2, 2)),
    (((257,), (1,), (1,), (1,), (-1,), (259,)), (2, 5, 129, 1)),
)


@emulated
@pytest.mark.parametrize("geometry, sizes", LARGE)
def test_sizes_around_those_of_tiles_agree_with_the_definition(rng, geometry, sizes):
    launches = agree(rng, geometry, sizes, "constant", dtype="float32")
    assert any(launch.kernel == "add_slices" for launch in launches) == (prod(geometry[5]) * sizes[0] >= 1024)


@emulated
def test_the_order_of_threads_changes_no_bit(rng):
    agree(rng, LARGE[1][0], (9, 2, 6, 1), "reflect", dtype="float32", check=False)


@emulated
@pytest.mark.parametrize("laid", [np.asfortranarray, lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
                                  lambda x: np.flip(np.flip(x).copy())])  # fmt: skip
def test_any_strides_are_read_where_they_lie(rng, laid):
    agree(rng, IMAGES[1], PLAIN, "wrap", "constant", laid=laid)


@emulated
def test_large_arrays_take_wide_positions_and_several_launches(rng, monkeypatch):
    monkeypatch.setattr(channels, "FAR", 0)
    monkeypatch.setattr(channels, "MAX_BLOCKS", 2)
    channels.plan_of.cache_clear()
    try:
        launches = agree(rng, LARGE[1][0], (9, 2, 2, 2), "constant", dtype="float32")
    finally:
        channels.plan_of.cache_clear()
    assert len([launch for launch in launches if launch.kernel == "correlate_channels"]) > 6


@emulated
def test_empty_batches_give_empty_images_and_no_weights(rng):
    for sizes in ((0, 3, 4, 1), (2, 0, 4, 1)):
        agree(rng, LINES[0], sizes, "constant")


@emulated
def test_weights_are_uploaded_once_in_the_dtype_of_the_sums(rng):
    spans = spans_of(LINES[0], "constant")
    x = image_of(rng, (1, 3, 7), "float32")
    kernel = rng.standard_normal((4, 3, 3))
    with use_runtime(EmulatedRuntime()):
        actual = channels.correlate_channels(x, kernel, spans, (1,), (1,), 1, 0)
    assert actual.dtype == np.float32
    expected = generic.correlate_channels(x.astype(np.float64), kernel, spans, (1,), (1,), 1, 0)
    assert_close(actual, expected.astype(np.float32), taps=9, scale=9.0)


def test_sums_stay_within_the_documented_bound():
    for products in [*range(1, 3000), *(int(1.3**power) for power in range(30, 80))]:
        for slices, length in ((1, products), channels.slices_of(products, 1)):
            longest = min(length, products)
            group = min(channels.DEPTH * channels.steps_of(length), longest)
            roundings = group + ceil(longest / group) - 1 + slices - 1
            assert roundings <= 4 * sqrt(products), (products, slices, length)
            assert slices * length >= products > (slices - 1) * length


HUGE = (
    (((2**20, 2**20), (3, 3), (1, 1), (1, 1), (-1, -1), (2**20, 2**20)), (1, 1, 1, 1)),
    (((2**31,), (3,), (2,), (1,), (-1,), (2**31,)), (64, 8, 8, 2)),
    (((4, 4), (3, 3), (1, 1), (1, 1), (-1, -1), (4, 4)), (2**30, 16, 16, 16)),
    (((1,), (1,), (1,), (1,), (0,), (1,)), (1, 2**20, 2**20, 1)),
    (((1,), (1,), (1,), (1,), (0,), (1,)), (3, 2**33, 2**33, 2**33)),
)


@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("geometry, sizes", HUGE)
def test_blocks_cover_arrays_of_any_size_once(geometry, sizes, adjoint):
    batch, inputs, outputs, groups = sizes
    spans = spans_of(geometry, "constant")
    axes = channels._axes(spans, geometry[2], geometry[3])
    shapes = channels.Shapes(batch, groups, outputs // groups, inputs // groups)
    kinds = Kinds.of("float32", "float32")
    strides = ((1,) * (2 + len(spans)),) * 3
    plan = channels.plan_of(shapes, axes, strides, kinds, 0, adjoint=adjoint)
    positions = batch * prod(generic.counts_among(spans, geometry[2]))
    weights = inputs // groups * prod(geometry[1])
    tile = channels.tile_of(shapes.outputs, weights if adjoint else positions, kinds)
    tiles = tile.tiles(shapes.outputs, weights if adjoint else positions)
    blocks = [count for count, _ in plan.launches[:1000]]
    assert all(0 < count <= MAX_BLOCKS for count in blocks)
    if len(plan.launches) <= 1000:
        assert sum(blocks) == prod(tiles) * plan.slices * groups
    starts = [int(geometry["at"][0][-1]) for _, geometry in plan.launches[:1000]]
    assert starts == [sum(blocks[:place]) for place in range(len(blocks))]
    wide = max(positions, weights, prod(tiles) * plan.slices * groups, geometry[0][0]) >= channels.FAR
    assert dict(plan.defines)["INDEX"] == ("int64" if wide else "int")


def test_tiles_fit_into_a_block_whatever_the_channels(rng):
    for _ in range(3000):
        kinds = Kinds.of(*rng.choice(["float32", "float64", "complex64", "complex128"], 2).tolist())
        m_count, n_count = (int(2 ** rng.uniform(0, 20)) for _ in range(2))
        tile = channels.tile_of(m_count, n_count, kinds)
        assert 0 < tile.m_threads * tile.n_threads <= channels.THREADS
        assert 0 < tile.n_threads * tile.n_each <= channels.THREADS, "a thread loads one column"
        # Beside the places: two sets of DEPTH, of 40 bytes at most.
        assert tile.shared(kinds) <= MAX_SHARED - 2 * channels.DEPTH * 40


def test_windows_of_other_numbers_of_axes_are_left_to_others():
    spans = spans_of(LINES[0], "constant")
    problem = generic.ChannelsProblem("cupy", "0", False, "float32", "float32", 1, 1, 1, 1, spans, (1,), (1,))
    assert channels.why_not(problem) is None
    assert "one to three axes, these have 4" in channels.why_not(replace(problem, spans=spans * 4))
