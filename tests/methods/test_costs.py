"""The planner's constants for CUDA follow from what a card says of itself, by a rule that is the same everywhere."""

from __future__ import annotations

import dataclasses
import sys
import types

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import gpus
from gpuconv.backends.gpus import Gpu, gpu_of
from gpuconv.methods import costs, direct, fft, overlap

# As `cupy.cuda.Device(0).attributes` has them; the manufacturer's data sheets say 4.8 TB/s, 3.35, 1.55 and 0.936.
H200 = {
    "ComputeCapabilityMajor": 9,
    "ComputeCapabilityMinor": 0,
    "MultiProcessorCount": 132,
    "ClockRate": 1_980_000,
    "MemoryClockRate": 3_201_000,
    "GlobalMemoryBusWidth": 6144,
    "L2CacheSize": 62_914_560,
}
A100 = {**H200, "ComputeCapabilityMajor": 8, "MultiProcessorCount": 108, "ClockRate": 1_410_000}
A100 |= {"MemoryClockRate": 1_215_000, "GlobalMemoryBusWidth": 5120, "L2CacheSize": 41_943_040}


def test_peaks_follow_from_clocks_and_widths():
    h200, a100 = gpu_of(H200, 10), gpu_of(A100)
    assert h200 == Gpu(2 * 3_201_000_000 * 768, 132 * 128 * 1_980_000_000, 62_914_560, 10)
    assert 4.7e12 < h200.bandwidth < 5.0e12
    # 66.9 and 19.5 Tflop/s in single precision, two of them to a multiply-add.
    assert 2 * h200.products == pytest.approx(66.9e12, rel=0.01)
    assert 2 * a100.products == pytest.approx(19.5e12, rel=0.01)
    assert a100.bandwidth == pytest.approx(1.555e12, rel=0.01)


@pytest.mark.parametrize("missing", ["MemoryClockRate", "GlobalMemoryBusWidth", "MultiProcessorCount", "ClockRate"])
def test_a_card_that_does_not_tell_is_not_guessed_at(missing):
    assert gpu_of({name: value for name, value in H200.items() if name != missing}) is None
    assert gpu_of({**H200, missing: 0}) is None


def test_rates_are_whole_and_inverse_to_the_peaks():
    card = gpu_of(H200)
    faster = dataclasses.replace(card, bandwidth=2 * card.bandwidth, products=2 * card.products)
    for own in (False, True):
        slow, fast = costs.cuda_rates(card, own), costs.cuda_rates(faster, own)
        for name in ("product", "line_product", "butterfly", "copy"):
            assert type(getattr(slow, name)) is int
            assert 0 < getattr(fast, name) <= getattr(slow, name) // 2 + 1
        assert (slow.call, slow.parts) == (fast.call, 1000)
        assert slow.source
    assert costs.cuda_rates(card, own=True).calls_per_tap == 0
    assert costs.cuda_rates(card, own=False).calls_per_tap == 2


def test_the_rule_gives_the_constants_without_a_card_at_three_terabytes():
    """Those are in whole picoseconds, rounded up, and are what is planned with where no card can be asked."""
    rates = costs.cuda_rates(Gpu(3 * 10**12, 10**13, 0), own=False)
    plain = costs.RATES["cupy"]
    for name in ("product", "line_product", "butterfly", "copy"):
        assert -(-getattr(rates, name) // 1000) == getattr(plain, name), name
    assert rates.call == 1000 * plain.call


@pytest.fixture
def card(monkeypatch):
    """CuPy as far as it is asked for a card."""
    state = types.SimpleNamespace(attributes=H200, fails=False)

    class CUDARuntimeError(RuntimeError):
        pass

    def properties(number):
        if state.fails:
            raise CUDARuntimeError("cudaErrorNoDevice")
        return {"totalGlobalMem": 2**37}

    runtime = types.SimpleNamespace(CUDARuntimeError=CUDARuntimeError, getDeviceProperties=properties)

    def device(number):
        return types.SimpleNamespace(attributes=state.attributes)

    cuda = types.SimpleNamespace(runtime=runtime, Device=device)
    monkeypatch.setitem(sys.modules, "cupy", types.SimpleNamespace(cuda=cuda))
    gpus._read.cache_clear()
    yield state
    gpus._read.cache_clear()


def posed(shape, taps, library="cupy", device="<CUDA Device 0>", dtype=np.float32):
    """A problem as CuPy arrays pose it, made with NumPy's."""
    problem = gpuconv.plan_convolution(np.zeros(shape, dtype), np.random.default_rng(0).normal(size=taps)).problem
    return dataclasses.replace(problem, library=library, device=device)


def test_without_a_card_the_constants_are_the_calculated_ones(monkeypatch):
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    for library, device in (("cupy", "<CUDA Device 0>"), ("torch", "cuda:0"), ("jax", "cuda:0")):
        assert costs.rates(posed((100, 100), (3, 3), library, device)) is costs.RATES["cupy"]
    # Tensors in the memory of the host are lent to the engine for NumPy arrays.
    assert costs.rates(posed((100, 100), (3, 3), "torch", "cpu")) is costs.RATES["numpy"]
    assert costs.rates(posed((100, 100), (3, 3), "torch", "mps")) is costs.RATES["torch"]


def test_a_card_without_a_driver_is_no_card(card):
    card.fails = True
    assert costs.rates(posed((100, 100), (3, 3))) is costs.RATES["cupy"]


def test_a_card_gives_its_rates_to_every_library_on_it(card):
    expected = costs.cuda_rates(gpu_of(H200), own=False)
    for library, device in (("cupy", "<CUDA Device 0>"), ("torch", "cuda:0"), ("jax", "cuda:0")):
        assert costs.rates(posed((100, 100), (3, 3), library, device)) == dataclasses.replace(expected)
    assert costs.rates(posed((100, 100), (3, 3), "numpy", "cpu")) is costs.RATES["numpy"]


def test_transforms_are_planned_with_the_rates_of_our_own_kernels(card):
    problem = posed((4096, 4096), (255, 255))
    assert costs.transform_rates(problem) == costs.cuda_rates(gpu_of(H200), own=True)
    assert costs.transform_rates(posed((8,) * 4, (2,) * 4)).calls_per_tap == 2  # more axes than they take
    estimate = fft.estimate(problem)
    # Both transforms move a block of 76 MiB twice, and it is filled, multiplied and cropped: more than that, and less
    # than twice as much.
    moved = 60 * np.prod(estimate.lengths) / gpu_of(H200).bandwidth * 1e12
    assert moved < estimate.cost < 2 * moved + 10 * 10_000_000
    assert estimate.cost < direct.estimate(problem).cost


def test_blocks_of_a_long_line_are_started_together(card):
    """64 million samples under 4097 taps: a thousand blocks cost no more than one transform, in a third of memory."""
    problem = posed((2**26,), (4097,))
    estimate = overlap.estimate(problem)
    assert estimate.cost < 1.05 * fft.estimate(problem).cost
    assert estimate.memory < fft.estimate(problem).memory / 3
    assert overlap.block_count(problem, estimate.lengths) > 200


def test_a_block_in_the_cache_is_cheaper(card):
    problem = posed((1024, 1024), (31, 31))
    with_cache = fft.estimate(problem).cost
    card.attributes = {**H200, "L2CacheSize": 2**20}
    gpus._read.cache_clear()
    assert with_cache < fft.estimate(problem).cost
    assert overlap.estimate(problem).cost > 0


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.uint8])
def test_transforms_on_cuda_need_no_copy_of_the_image(dtype):
    """The block in place and its plans, the kernel's spectrum, the result: half of what the generic backend takes."""
    problem = posed((2000, 2000), (101, 101), dtype=dtype)
    generic = dataclasses.replace(problem, library="torch", device="cuda:0")
    for shape in (problem, generic):
        assert fft.estimate(shape).memory >= shape.outputs * shape.itemsize
    assert fft.estimate(problem).memory < 0.7 * fft.estimate(generic).memory
