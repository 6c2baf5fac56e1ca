"""Transforms in little memory: blocks that fit, blocks halved where memory runs out, and the error at the end."""

from __future__ import annotations

import gc
import itertools
import weakref
from math import prod

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import generic
from gpuconv.backends.cuda import cufft, fourier, spectra
from gpuconv.backends.cuda.fourier_blocks import TOGETHER_BYTES, Cut, budget, chunks, first_cut, tiles_together
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.core.frequencies import fast_length
from gpuconv.errors import OutOfMemoryError
from tests import reference
from tests.assertions import assert_close
from tests.cuda.agreement import image_of, span_of
from tests.cuda.emulation import EmulatedRuntime
from tests.cuda.transforms import OutOfMemory, SciPyTransforms, counted_bytes
from tests.libraries import why_absent

WHOLE = Cut(12, (96, 1200), (5, 101), (90, 1100), "float32")
needs_compiler = pytest.mark.skipif(why_absent("cxx") is not None, reason=str(why_absent("cxx")))


@pytest.fixture(autouse=True)
def _as_before():
    spectra.spectrum_cache.clear()
    yield
    spectra.spectrum_cache.clear()
    for device in (None, "cpu", "cuda", "cuda:0"):
        gpuconv.set_memory_limit(None, device)


def halvings(cut):
    while cut is not None:
        yield cut
        cut = cut.halved()


def test_halving_takes_the_batch_first_then_the_longest_axis_and_ends():
    found = list(halvings(WHOLE))
    assert [cut.entries for cut in found[:6]] == [12, 6, 3, 2, 1, 1]
    assert found[5].lengths == (50, 1200)  # 46 outputs and the overlap, in place of 92
    assert len(found) < 40
    for before, after in itertools.pairwise(found):
        assert after.bytes < before.bytes
        assert all(size >= 1 for size in after.sizes)
        assert all(length == fast_length(length) for length in after.lengths)
    # Where it ends, no axis has a shorter fast length that gives an output at all.
    last = found[-1]
    for size, taps, length in zip(last.sizes, last.taps, last.lengths, strict=True):
        assert fast_length(-(-size // 2) + taps - 1) >= length


def test_blocks_of_a_long_line_go_one_by_one_before_they_get_shorter():
    line = Cut(2, (1024,), (101,), (10**6,), "float32", tiles=100)
    assert line.bytes > 50 * Cut(2, (1024,), (101,), (10**6,), "float32").bytes
    found = list(halvings(line))
    assert [(cut.tiles, cut.entries) for cut in found[:9]] == [
        *((tiles, 2) for tiles in (100, 50, 25, 13, 7, 4, 2, 1)),
        (1, 1),
    ]
    assert {cut.lengths for cut in found[:9]} == {(1024,)}


def test_as_many_blocks_go_together_as_fill_some_bytes():
    one = cufft.Block(3, (500,), "float32").bytes
    for tiles in (1, 7, 10**6):
        together = tiles_together(3, (500,), "float32", tiles)
        assert together == min(tiles, TOGETHER_BYTES // one)
    assert tiles_together(1, (2**28,), "complex128", 5) == 1


def test_the_first_cut_is_the_largest_that_fits():
    for allowed in (None, 10**9, WHOLE.bytes, WHOLE.bytes - 1, 10**6, 10**5, 1):
        cut = first_cut(WHOLE, allowed)
        larger = [each for each in halvings(WHOLE) if each.bytes > cut.bytes]
        assert allowed is None or cut.bytes <= allowed or cut.halved() is None
        assert allowed is None or all(each.bytes > allowed for each in larger)
    assert first_cut(WHOLE, None) == WHOLE


def test_no_block_is_larger_than_cufft_counts():
    for whole in (
        Cut(2**20, (4096,), (9,), (4000,), "float32"),
        Cut(1, (2**33,), (9,), (2**33 - 8,), "complex128", checked=False),
        Cut(3, (2**12, 2**12, 2**12), (3, 3, 3), (4000, 4000, 4000), "float64"),
    ):
        block = first_cut(whole, None).block
        assert block.entries * block.entry_pitch <= cufft.MOST_SAMPLES
        assert block.entries * block.entry_pitch > cufft.MOST_SAMPLES // 5


def test_free_memory_is_asked_for_by_large_work_only():
    asked = []

    def free():
        asked.append(1)
        return 700

    assert budget(100, None, 1000, free) is None
    assert budget(100, 50, 1000, free) == 50
    assert asked == []
    assert budget(200, None, 1000, free) == 700
    assert budget(200, 50, 1000, free) == 50
    assert budget(200, 900, 1000, free) == 700
    assert len(asked) == 3


def test_chunks_of_a_batch_follow_each_other():
    assert chunks(10, 4) == [(0, 4), (4, 4), (8, 2)]
    assert chunks(3, 5) == [(0, 3)]


def run(transforms, x, kernel, spans, lengths):
    with use_runtime(transforms.runtime), cufft.use_transforms(transforms):
        y = fourier.correlate_fourier(transforms.runtime.place(x), kernel, spans, 0.0, lengths)
    transforms.runtime.assert_written(y)
    return y


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("largest", [9_000, 4_000, 1_500])
def test_where_memory_runs_out_blocks_are_halved_until_they_fit(largest, dtype, rng):
    x, kernel = image_of(rng, (4, 20, 30), dtype), rng.normal(size=(5, 7))
    x[2, 10, 15] = np.nan
    spans = span_of(1, 20, 5, "reflect"), span_of(2, 30, 7, "wrap")
    transforms = SciPyTransforms(EmulatedRuntime(), largest=largest)
    y = run(transforms, x, kernel, spans, (24, 36))
    tried = [block.bytes for block in transforms.blocks]
    assert max(tried) > largest
    assert tried[-1] <= largest
    assert transforms.released == 1
    expected = generic.TABLE["correlate_fourier"].function(x, kernel, spans, 0.0, (24, 36))
    clean = np.nan_to_num(x)
    bound = 2 * reference.spectral_bound(2.0**-23, 24 * 36, np.append(clean, clean), kernel)
    assert_close(y, expected, tolerance=bound)


@needs_compiler
def test_what_is_kept_is_given_back_before_blocks_are_halved(rng):
    """Memory that runs out once, while something is kept, costs no smaller blocks."""
    transforms = SciPyTransforms(EmulatedRuntime())
    x, kernel, spans = image_of(rng, (4, 50), "float32"), rng.normal(size=5), (span_of(1, 50, 5, "wrap"),)
    run(transforms, x, kernel, spans, (60,))
    forward = transforms.forward
    failures = [OutOfMemory("once")]

    def failing(spectra, block):
        if failures:
            raise failures.pop()
        forward(spectra, block)

    transforms.forward = failing
    transforms.blocks.clear()
    run(transforms, x, kernel, spans, (60,))
    assert transforms.released == 1
    # The spectrum was forgotten, and is made again.
    assert [block.entries for block in transforms.blocks] == [1, 4, 4]


@needs_compiler
def test_the_error_says_what_was_needed_what_was_free_and_what_to_do(rng):
    x, kernel, spans = image_of(rng, (2, 50), "float32"), rng.normal(size=5), (span_of(1, 50, 5, "wrap"),)
    transforms = SciPyTransforms(EmulatedRuntime(), largest=0, free=3 * 2**20)
    message = r"needs 0\.0 MiB, 3\.0 MiB are free \(Out of memory alloc.*method='direct'"
    with pytest.raises(OutOfMemoryError, match=message):
        run(transforms, x, kernel, spans, (60,))
    assert issubclass(OutOfMemoryError, MemoryError)


@needs_compiler
def test_a_result_that_does_not_fit_is_said_at_once(rng, monkeypatch):
    transforms = SciPyTransforms(EmulatedRuntime())

    def empty(shape, dtype):
        raise OutOfMemory(f"Out of memory allocating {prod(shape)}")

    monkeypatch.setattr(transforms.runtime, "empty", empty)
    with pytest.raises(OutOfMemoryError, match="the result must fit into the memory"):
        run(transforms, np.zeros((2, 50), np.float32), np.ones(3), (span_of(1, 50, 3, "wrap"),), (60,))
    assert transforms.blocks == []


@needs_compiler
def test_other_errors_go_through_at_once(rng):
    transforms = SciPyTransforms(EmulatedRuntime())
    transforms.forward = lambda spectra, block: {}["missing"]
    with pytest.raises(KeyError):
        run(transforms, np.zeros((2, 50), np.float32), np.ones(3), (span_of(1, 50, 3, "wrap"),), (60,))
    assert transforms.released == 0


@needs_compiler
def test_the_arrays_of_a_try_that_failed_are_free_when_the_next_begins(rng):
    """An exception holds the frames it came through, and these hold arrays."""
    transforms = SciPyTransforms(EmulatedRuntime(), largest=20_000)
    alive = []
    empty = transforms.runtime.empty

    def noted(shape, dtype):
        array = empty(shape, dtype)
        if len(shape) == 2 and np.dtype(dtype).kind == "c" and shape[0] > 1:
            assert [each for each in alive if each() is not None] == []
            alive.append(weakref.ref(array))
        return array

    transforms.runtime.empty = noted
    gc.disable()
    try:
        run(transforms, image_of(rng, (16, 500), "float32"), np.ones(5), (span_of(1, 500, 5, "wrap"),), (540,))
    finally:
        gc.enable()
    assert len(alive) >= 2


@needs_compiler
@pytest.mark.parametrize("device", [None, "cuda:0"])
def test_a_memory_limit_bounds_what_is_allocated(device, rng):
    x, kernel = image_of(rng, (8, 32, 32), "float32"), rng.normal(size=(5, 5))
    spans = span_of(1, 32, 5, "wrap"), span_of(2, 32, 5, "wrap")
    for limit in (None, 100_000, 60_000, 45_000):
        gpuconv.set_memory_limit(limit, device)
        spectra.spectrum_cache.clear()
        transforms = SciPyTransforms(EmulatedRuntime())
        taken = counted_bytes(transforms.runtime)
        run(transforms, x, kernel, spans, (36, 36))
        # The two plans of real transforms each have a work area as large as the block.
        work_areas = 2 * max(block.bytes for block in transforms.blocks)
        assert limit is None or sum(taken) + work_areas <= limit
        assert limit is not None or transforms.blocks[-1].entries == 8
    gpuconv.set_memory_limit(None, device)
    gpuconv.set_memory_limit(1000, "cpu")
    transforms = SciPyTransforms(EmulatedRuntime())
    run(transforms, x, kernel, spans, (36, 36))
    assert transforms.blocks[-1].entries == 8


@needs_compiler
def test_blocks_are_cut_where_free_memory_is_short(rng):
    x, kernel = image_of(rng, (8, 500), "float32"), rng.normal(size=5)
    transforms = SciPyTransforms(EmulatedRuntime(), free=30_000, total=100_000)
    run(transforms, x, kernel, (span_of(1, 500, 5, "wrap"),), (540,))
    assert transforms.asked == 1
    assert 1 <= transforms.blocks[-1].entries < 8
    assert transforms.released == 0
