"""The emulator catches what a GPU would do in silence: a right kernel passes, and each broken one is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpuconv.backends.cuda.launch import Launch
from tests.cuda.emulation import EmulatedRuntime, EmulationError, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

FOLDER = Path(__file__).parent
SIZE = 75
TILE = 32
SHARED = 4 * (TILE + 2)


def at(text):
    """Where a line of the source stands, as a message tells it."""
    lines = (FOLDER / "broken.cu").read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if text in line]
    return f"at broken.cu:{number}"


# What each bug must be told as in the check build, and whether the fast build sees it too.
BUGS = {
    "MISSING_BARRIER": (f"(nobody has written|race on shared memory).* {at('kept[tap] = tile')}", True),
    "OFF_BY_ONE": (f"read outside all arrays.* {at('x[BUG == OFF_BY_ONE')}", True),
    "EARLY_RETURN": ("left the kernel, while thread [0-9]+ waits at the barrier broken.cu:", True),
    "SINGLE_BUFFER": ("race on shared memory.* at broken.cu", True),
    "DIVERGENT_BARRIER": ("threads wait at different barriers: thread [0-9]+ at broken.cu:", True),
    "REGISTER_OVERRUN": (f"index outside an array {at('kept[tap] = tile')}", False),
    "SHARED_OVERRUN": (f"index outside an array {at('BUG == SHARED_OVERRUN')}", False),
    "HALO_LEFT_OUT": (f"read of shared memory that nobody has written.* {at('kept[tap] = tile')}", False),
    "WRITTEN_TWICE": (f"is written by one thread and written by another.* {at('BUG == WRITTEN_TWICE')}", True),
    "MISALIGNED": (f"misaligned access.* {at('Four four =')}", False),
    "STRUCT_OUTSIDE": (f"read outside all arrays.* {at('BUG == STRUCT_OUTSIDE')}", False),
    "ABSENT_LANE": ("takes a value from lane [0-9]+, which takes no part", True),
    "OVERFLOW_OF_INT": (f"signed overflow of a product {at('BUG == OVERFLOW_OF_INT')}", False),
    "ENDLESS_RECURSION": ("a thread's stack overflows", True),
    "WILD_WRITE": (
        f"write (outside all arrays|to an array that the kernel takes as const).* {at('BUG == WILD_WRITE')}",
        True,
    ),
}


def launch_of(x, y, *, bug="NONE", shared=SHARED, n=None):
    blocks = -(-x.size // TILE)
    arguments = (x, y, np.int32(x.size if n is None else n))
    return Launch("broken.cu", "sum_three", (("BUG", bug),), blocks, TILE, shared, arguments)


def arrays_of(runtime, rng, size=SIZE):
    return runtime.place(rng.standard_normal(size).astype(np.float32)), runtime.empty((size,), "float32")


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("size", [1, 31, 32, 33, SIZE])
def test_a_right_kernel_gives_its_numbers(rng, check, size):
    runtime = EmulatedRuntime(check=check, folder=FOLDER)
    x, y = arrays_of(runtime, rng, size)
    runtime.launch(launch_of(x, y))
    padded = np.pad(x, 1, mode="edge")
    assert np.allclose(y, padded[:-2] + padded[1:-1] + padded[2:], rtol=0, atol=1e-6)
    if check:
        runtime.assert_written(y)


@pytest.mark.parametrize("bug", BUGS)
def test_the_check_build_refuses_every_bug(rng, bug):
    runtime = EmulatedRuntime(folder=FOLDER)
    x, y = arrays_of(runtime, rng)
    with pytest.raises(EmulationError, match=BUGS[bug][0]):
        runtime.launch(launch_of(x, y, bug=bug))


@pytest.mark.parametrize("bug", [bug for bug in BUGS if BUGS[bug][1]])
def test_the_fast_build_refuses_what_shows_in_orders_barriers_and_pages(rng, bug):
    runtime = EmulatedRuntime(check=False, folder=FOLDER)
    x, y = arrays_of(runtime, rng, size=SIZE if bug != "OFF_BY_ONE" else 96)
    with pytest.raises(EmulationError):
        runtime.launch(launch_of(x, y, bug=bug))


def test_the_check_build_refuses_less_shared_memory_than_is_used(rng):
    runtime = EmulatedRuntime(folder=FOLDER)
    x, y = arrays_of(runtime, rng)
    with pytest.raises(
        EmulationError, match=f"of which the launch asked for {SHARED - 4} bytes.* {at('lane == TILE - 1')}"
    ):
        runtime.launch(launch_of(x, y, shared=SHARED - 4))


def test_results_that_were_left_out_are_told(rng):
    runtime = EmulatedRuntime(folder=FOLDER)
    x, y = arrays_of(runtime, rng)
    runtime.launch(launch_of(x, y, bug="LAST_LEFT_OUT"))
    with pytest.raises(EmulationError, match=rf"nobody has written byte {4 * (SIZE - 1)} of the result"):
        runtime.assert_written(y)


def test_what_nobody_has_written_must_not_be_read(rng):
    runtime = EmulatedRuntime(folder=FOLDER)
    empty, y = runtime.empty((SIZE,), "float32"), runtime.empty((SIZE,), "float32")
    with pytest.raises(EmulationError, match="read of byte .* of an array, which nobody has written"):
        runtime.launch(launch_of(empty, y))


@pytest.mark.parametrize("check", [True, False])
def test_shuffles_exchange_within_warps(rng, check):
    runtime = EmulatedRuntime(check=check, folder=FOLDER)
    x, y = runtime.place(np.arange(100, dtype=np.float32)), runtime.empty((1,), "float32")
    runtime.launch(Launch("broken.cu", "sum_block", (), 1, 128, 0, (x, y, np.int32(100))))
    assert y[0] == 4950
    with pytest.raises(EmulationError, match="sum_block has 512 threads at most, got 544"):
        runtime.launch(Launch("broken.cu", "sum_block", (), 1, 544, 0, (x, y, np.int32(100))))


def test_work_in_place_that_reads_neighbours_is_a_race(rng):
    runtime = EmulatedRuntime(folder=FOLDER)
    x = runtime.place(rng.standard_normal(SIZE).astype(np.float32))
    y = runtime.place(np.zeros(SIZE, np.float32))
    launch = Launch("broken.cu", "smooth", (), 2, 64, 0, (x, y, np.int32(SIZE)))
    runtime.launch(launch)
    assert np.allclose(y[1:], (x[:-1] + x[1:]) / 2)
    with pytest.raises(EmulationError, match="race on global memory"):
        runtime.launch(Launch("broken.cu", "smooth", (), 2, 64, 0, (x, x, np.int32(SIZE))))


@pytest.mark.parametrize("check", [True, False])
def test_atomic_counts_are_no_race(rng, check):
    runtime = EmulatedRuntime(check=check, folder=FOLDER)
    x, y = runtime.place(rng.standard_normal(SIZE).astype(np.float32)), runtime.place(np.zeros(1, np.int32))
    runtime.launch(Launch("broken.cu", "count_positive", (), 2, 64, 0, (x, y, np.int32(SIZE))))
    assert y[0] == (x > 0).sum()


@pytest.mark.parametrize(
    "position, wrong, sentence",
    [
        (2, 75, "takes a int of 4 bytes as argument 2, got a int"),
        (2, np.int64(75), "takes a int of 4 bytes as argument 2, got a int64 int64"),
        (2, np.uint32(75), "takes a int of 4 bytes as argument 2, got a uint32 uint32"),
        (1, np.empty(75, np.float64), "takes a pointer of 4 bytes as argument 1, got a ndarray float64"),
        (0, np.float32(1), "takes a const pointer of 4 bytes as argument 0, got a float32 float32"),
    ],
)
def test_arguments_are_refused_that_a_gpu_would_take_for_something_else(rng, position, wrong, sentence):
    runtime = EmulatedRuntime(folder=FOLDER)
    x, y = arrays_of(runtime, rng)
    arguments = [x, y, np.int32(SIZE)]
    arguments[position] = wrong
    with pytest.raises(EmulationError, match=sentence):
        runtime.launch(Launch("broken.cu", "sum_three", (), 1, TILE, SHARED, tuple(arguments)))


def test_a_missing_argument_is_refused(rng):
    runtime = EmulatedRuntime(folder=FOLDER)
    x, y = arrays_of(runtime, rng)
    with pytest.raises(EmulationError, match="takes 3 arguments, got 2"):
        runtime.launch(Launch("broken.cu", "sum_three", (), 1, TILE, SHARED, (x, y)))


def test_a_source_that_does_not_compile_tells_what_the_compiler_says(rng):
    runtime = EmulatedRuntime(folder=FOLDER)
    x, y = arrays_of(runtime, rng)
    with pytest.raises(EmulationError, match=r"broken.cu:[0-9]+"):
        runtime.launch(launch_of(x, y, bug="UNHEARD_OF"))


def test_strides_are_kept_and_what_lies_between_is_nobodys():
    runtime = EmulatedRuntime(folder=FOLDER)
    x = np.arange(24.0).reshape(4, 6)[::-1, 1::2]
    placed = runtime.place(x)
    assert placed.strides == x.strides
    assert np.array_equal(placed, x)
