"""Fused sweeps on CUDA: outer products and several of them, every dtype, boundary, layout and reach."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gpuconv.backends import generic
from gpuconv.backends.cuda import separable, separable_sweeps
from gpuconv.backends.cuda.launch import MAX_BLOCKS, MAX_SHARED
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.core.boundary import BOUNDARIES
from gpuconv.core.dtypes import is_complex, is_integer
from tests.assertions import assert_close
from tests.cuda.agreement import DTYPES, LAYOUTS, assert_agrees, image_of, span_of
from tests.cuda.emulation import EmulatedRuntime
from tests.cuda.recording import Sketch, recorded
from tests.libraries import why_absent

emulated = pytest.mark.skipif(why_absent("cxx") is not None, reason=str(why_absent("cxx")))


def taps_of(rng, count, dtype):
    """Weights as a primitive gets them: integers in the exact dtype of the result, others in double precision."""
    if is_integer(dtype):
        exact = {"uint64": "uint64", "int32": "int64", "uint32": "int64", "int64": "int64"}.get(dtype, "int32")
        return rng.integers(0 if dtype == "uint64" else -9, 9, count).astype(exact)
    return rng.standard_normal(count)


def agree(x, banks, spans, **options):
    terms = sum(span.taps for span in spans) * len(banks)
    return assert_agrees("correlate_separable", separable.correlate_separable, x, banks, spans, terms=terms, **options)


@emulated
@pytest.mark.parametrize("position, dtype", list(enumerate(DTYPES)))
def test_every_dtype_agrees_with_the_definition(rng, position, dtype):
    slow, fast = (BOUNDARIES[(position + shift) % len(BOUNDARIES)] for shift in (0, 2))
    for shape in ((19, 37), (9, 140)):
        x = image_of(rng, shape, dtype)
        spans = span_of(0, shape[0], 5, slow), span_of(1, shape[1], 4, fast)
        bank = [taps_of(rng, span.taps, dtype) for span in spans]
        for cval, result in ((0, None), (3, None if is_complex(dtype) else dtype)):
            launches = agree(x, [bank], spans, cval=cval, result=result, case=(shape, slow, fast)).launches
            assert [launch.kernel for launch in launches] == ["separable"]


@emulated
@pytest.mark.parametrize("dtype", ["uint8", "float32", "complex64", "complex128"])
def test_complex_taps_go_with_every_image(rng, dtype):
    x = image_of(rng, (11, 40), dtype)
    spans = span_of(0, 11, 3, "reflect"), span_of(1, 40, 5, "constant")
    bank = [rng.standard_normal(3) + 1j * rng.standard_normal(3), rng.standard_normal(5) + 0j]
    agree(x, [bank], spans, cval=2)


@emulated
@pytest.mark.parametrize("boundaries", [*zip(BOUNDARIES, BOUNDARIES), *itertools.pairwise(BOUNDARIES)], ids=str)
def test_boundaries_hold_at_any_reach(rng, boundaries):
    for shape, taps in (
        ((7, 33), (3, 5)),
        ((7, 33), (17, 40)),
        ((1, 5), (4, 1)),
        ((2, 130), (9, 2)),
        ((30, 1), (1, 6)),
    ):
        x = image_of(rng, shape, "float32")
        for first, count in ((None, None), (-3, 5), (1, 2)):
            spans = [
                span_of(axis, shape[axis], taps[axis], boundaries[axis], first=first, count=count) for axis in (0, 1)
            ]
            bank = [rng.standard_normal(span.taps) for span in spans]
            agree(x, [bank], spans, cval=-1.5, case=(shape, taps, first, count))


@emulated
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_and_any_two_or_three_axes(rng, layout):
    for shape, axes in (((5, 20, 30), (1, 2)), ((3, 9, 4, 8), (0, 2, 3)), ((6, 7, 8), (0, 1, 2)), ((9, 40, 3), (0, 1))):
        x = LAYOUTS[layout](image_of(rng, shape, "float32"))
        spans = [span_of(axis, shape[axis], 3 + axis, BOUNDARIES[axis]) for axis in axes]
        banks = [[rng.standard_normal(span.taps) for span in spans]]
        agree(x, banks, spans, cval=2.0, case=(shape, axes))


@emulated
def test_what_is_copied_first_is_swept_over_the_same_axes(rng):
    """Five axes that no stride makes fewer, and far apart where the copy has the two."""
    gaps = image_of(rng, (3, 3, 3, 3, 3, 6, 20), "float32")[::2, ::2, ::2, ::2, ::2]
    x = np.moveaxis(gaps, (5, 6), (0, 1))
    spans = span_of(0, 6, 3, "reflect"), span_of(1, 20, 5, "wrap")
    bank = [rng.standard_normal(span.taps) for span in spans]
    (launch,) = agree(x, [bank], spans).launches
    assert launch.kernel == "separable"


@emulated
@pytest.mark.parametrize("terms", [2, 3, 4, 7])
@pytest.mark.parametrize("dtype, result", [("float32", None), ("int16", "uint8"), ("float16", "float16")])
def test_sums_of_outer_products_round_once(rng, dtype, result, terms):
    for shape in ((12, 50), (4, 12, 13)):
        x = image_of(rng, shape, dtype)
        spans = [span_of(axis, size, 3, "constant") for axis, size in enumerate(shape)]
        banks = [[taps_of(rng, 3, dtype) for _ in spans] for _ in range(terms)]
        agree(x, banks, spans, cval=2, result=result, case=shape)


@emulated
def test_strips_and_segments_do_not_show(rng):
    x = image_of(rng, (300, 200), "float32")
    spans = span_of(0, 300, 9, "reflect"), span_of(1, 200, 9, "wrap")
    bank = [rng.standard_normal(9) for _ in spans]
    runtime = agree(x, [bank], spans)
    (launch,) = runtime.launches
    assert launch.blocks > 10
    with use_runtime(EmulatedRuntime(check=False)) as _:
        whole = separable.correlate_separable(x, [bank], spans, 0.0)
        for top, left in ((40, 60), (101, 33)):
            parts = [span.part(start, 50) for span, start in zip(spans, (top, left))]
            part = separable.correlate_separable(x, [bank], parts, 0.0)
            np.testing.assert_array_equal(part, whole[top : top + 50, left : left + 50])


@emulated
def test_long_taps_are_summed_in_groups(rng):
    x = np.full((40, 300), 1.1, np.float32)
    spans = span_of(0, 40, 33, "reflect"), span_of(1, 300, 201, "reflect")
    bank = [rng.random(33), rng.random(201)]
    agree(x, [bank], spans)


@emulated
def test_not_a_number_and_infinity_stay_in_the_footprint(rng):
    x = image_of(rng, (20, 150), "float32")
    x[9, 70], x[3, 2] = np.nan, np.inf
    spans = span_of(0, 20, 5, "reflect"), span_of(1, 150, 6, "reflect")
    bank = [1 + rng.random(5), 1 + rng.random(6)]
    with use_runtime(EmulatedRuntime()):
        y = separable.correlate_separable(x, [bank], spans, 0.0)
    expected = generic.TABLE["correlate_separable"].function(x, [bank], spans, 0.0)
    np.testing.assert_array_equal(np.isfinite(y), np.isfinite(expected))
    assert 0 < (~np.isfinite(y)).sum() < 100


BANK_ORDERS = {
    "gradient": ((1, 0), (0, 1)),
    "Hessian": ((2, 0), (1, 1), (0, 2)),
    "many": ((0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (0, 2), (0, 3), (3, 3)),
    "Hessian of a volume": ((2, 0, 0), (1, 1, 0), (1, 0, 1), (0, 2, 0), (0, 1, 1), (0, 0, 2)),
}


@emulated
@pytest.mark.parametrize("orders", BANK_ORDERS.values(), ids=list(BANK_ORDERS))
@pytest.mark.parametrize("dtype", ["float32", "uint8", "complex64"])
def test_several_results_of_one_read_agree_with_the_definition(rng, dtype, orders):
    lines = [rng.standard_normal(count) for count in (3, 5, 4, 1)]
    shape = (9, 21) if len(orders[0]) == 2 else (5, 9, 40)
    x = image_of(rng, shape, dtype)
    banks = [[lines[order] for order in each] for each in orders]
    boundaries = ("wrap", "constant", "constant")
    spans = [
        tuple(span_of(axis, shape[axis], taps.size, boundaries[axis]) for axis, taps in enumerate(bank))
        for bank in banks
    ]
    runtime = EmulatedRuntime()
    with use_runtime(runtime):
        results = separable.correlate_banks(x, banks, spans, 2.0)
    if orders in (BANK_ORDERS["gradient"], BANK_ORDERS["Hessian"]):
        assert len(runtime.launches) == 1
    wide = x.astype(np.complex128 if is_complex(dtype) else np.float64)
    expected = generic.TABLE["correlate_banks"].function(wide, banks, spans, 2.0)
    magnitudes = generic.TABLE["correlate_banks"].function(
        np.abs(wide), [[np.abs(taps) for taps in bank] for bank in banks], spans, 2.0
    )
    for result, other, scale in zip(results, expected, magnitudes, strict=True):
        assert_close(result, other.astype(result.dtype), taps=sum(map(len, banks[0])) + 8, scale=scale)


def test_a_launch_covers_every_result_of_the_largest_arrays():
    for shape in ((2**20, 2**20), (2**33, 2, 3), (3, 2**36), (2**36, 3), (2**12, 2**14, 2**14)):
        x = Sketch.of(shape, "float32")
        spans = [span_of(axis, shape[axis], 5, "reflect") for axis in (len(shape) - 2, len(shape) - 1)]
        launches = recorded(separable.correlate_separable, x, [[np.ones(5)] * 2], spans, 0.0)
        blocks = 0
        for launch in launches:
            cut = launch.arguments[-3]["at"][0]
            assert cut[0] == blocks
            blocks += launch.blocks
            assert launch.blocks <= MAX_BLOCKS
            strips, segments, rows = (int(value) for value in cut[1:])
            assert strips * launch.threads >= shape[-1] > (strips - 1) * launch.threads
            assert segments * rows >= shape[-2] > (segments - 1) * rows
            assert rows % separable_sweeps.ROWS == 0
        assert blocks == strips * segments * int(np.prod(shape[:-2]))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "complex128"])
def test_shared_memory_and_parameters_stay_within_what_every_card_has(dtype):
    x = Sketch.of((512, 512), dtype)
    fused = 0
    for slow, fast in itertools.product((1, 2, 17, 65, 129, 300), repeat=2):
        spans = span_of(0, 512, slow, "reflect"), span_of(1, 512, fast, "reflect")
        banks = [[np.arange(span.taps) + 1.0 for span in spans]]
        for launch in recorded(separable.correlate_separable, x, banks, spans, 0.0):
            assert launch.shared <= MAX_SHARED
            fused += launch.kernel == "separable"
            size = sum(
                8
                if hasattr(argument, "shape") and argument.shape and not isinstance(argument, np.ndarray)
                else argument.nbytes
                for argument in launch.arguments
            )
            assert size <= 4096
    assert fused >= 16


def test_a_short_segment_is_cut_only_where_there_is_little_else_to_do():
    spans = span_of(0, 4096, 17, "reflect"), span_of(1, 4096, 17, "reflect")
    (launch,) = recorded(
        separable.correlate_separable, Sketch.of((4096, 4096), "float32"), [[np.ones(17)] * 2], spans, 0.0
    )
    _, strips, segments, rows = launch.arguments[-3]["at"][0]
    assert (strips, segments, rows) == (32, 64, 64)


def test_sums_lists_and_what_is_added_to_share_a_binary():
    x, taps = Sketch.of((64, 64), "float32"), np.ones(3)
    spans = span_of(0, 64, 3, "reflect"), span_of(1, 64, 3, "reflect")
    launches = [
        launch
        for terms in (1, 2, 7)
        for launch in (
            *recorded(separable.correlate_separable, x, [[taps, taps]] * terms, spans, 0.0),
            *recorded(separable.correlate_banks, x, [[taps, taps]] * terms, [spans] * terms, 0.0),
        )
    ]
    assert len(launches) == 2 + 2 + 6
    assert len({launch.defines for launch in launches}) == 1
