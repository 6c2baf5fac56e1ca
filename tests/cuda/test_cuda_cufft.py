"""Transforms through CuPy's plans, on a stand-in for CuPy whose plans read and write memory as cuFFT's manual says."""

from __future__ import annotations

import sys
import threading
import types

import numpy as np
import pytest

from gpuconv.backends import cupy_plans
from gpuconv.backends.cuda import cufft, fourier
from gpuconv.backends.cuda.cufft import Block, CufftTransforms

TYPES = {"C2C": 1, "R2C": 2, "C2R": 3, "Z2Z": 4, "D2Z": 5, "Z2D": 6}


class Plan:
    """``cufftPlanMany``: sample (x, y, z) of entry b stands at ``b dist + ((x embed[1] + y) embed[2] + z) stride``."""

    def __init__(self, shape, *layout):
        inembed, istride, idist, onembed, ostride, odist, kind, batch, order, last_axis, last_size = layout
        self.name = next(name for name, number in TYPES.items() if number == kind)
        self.shape, self.batch = shape, batch
        half = (*shape[:-1], shape[-1] // 2 + 1)
        real_input, real_output = self.name in ("R2C", "D2Z"), self.name in ("C2R", "Z2D")
        self.source = half if real_output else shape, inembed, istride, idist, real_input
        self.target = half if real_input else shape, onembed, ostride, odist, real_output
        assert (order, last_axis) == ("C", len(shape) - 1)
        assert last_size == self.target[0][-1]
        self.work_area = types.SimpleNamespace(mem=types.SimpleNamespace(size=1000 * batch))

    def _seen(self, memory, side):
        shape, embed, stride, distance, real = side
        flat = memory.reshape(-1)
        flat = flat.view(flat.real.dtype) if real else flat
        steps = [stride]
        for pitch in reversed(embed[1:]):
            steps.insert(0, steps[0] * pitch)
        steps = [step * flat.itemsize for step in (distance, *steps)]
        last = sum((count - 1) * step for count, step in zip((self.batch, *shape), steps, strict=True))
        assert last < flat.nbytes, "a plan that leaves its array"
        return np.lib.stride_tricks.as_strided(flat, (self.batch, *shape), steps)

    def fft(self, a, out, direction):
        axes, samples = tuple(range(1, len(self.shape) + 1)), self._seen(a, self.source)
        if self.name in ("R2C", "D2Z"):
            found = np.fft.rfftn(samples, axes=axes)
        elif self.name in ("C2R", "Z2D"):
            found = np.fft.irfftn(samples, s=self.shape, axes=axes, norm="forward")
        else:
            found = (np.fft.fftn if direction == -1 else np.fft.ifftn)(
                samples, axes=axes, norm="backward" if direction == -1 else "forward"
            )
        out.reshape(-1)[...] = np.nan
        self._seen(out, self.target)[...] = found


@pytest.fixture
def cupy(monkeypatch):
    """A stand-in that counts the plans it makes."""
    state = types.SimpleNamespace(made=[], stream=7, freed=0)

    def make(*arguments):
        state.made.append(arguments)
        return Plan(*arguments)

    constants = {f"CUFFT_{name}": number for name, number in TYPES.items()}
    plans = types.SimpleNamespace(PlanNd=make, CUFFT_FORWARD=-1, CUFFT_INVERSE=1, **constants)
    runtime = types.SimpleNamespace(getDevice=lambda: 1, memGetInfo=lambda: (300, 1000))
    cuda = types.SimpleNamespace(
        cufft=plans,
        runtime=runtime,
        Device=lambda: types.SimpleNamespace(id=1),
        get_current_stream=lambda: types.SimpleNamespace(ptr=state.stream),
    )

    def free_all_blocks():
        state.freed += 1

    pool = types.SimpleNamespace(free_bytes=lambda: 50, free_all_blocks=free_all_blocks)
    module = types.SimpleNamespace(cuda=cuda, get_default_memory_pool=lambda: pool)
    for name, value in (("cupy", module), ("cupy.cuda", cuda), ("cupy.cuda.cufft", plans)):
        monkeypatch.setitem(sys.modules, name, value)
    monkeypatch.setattr(cupy_plans, "plan_cache", cupy_plans.PlanCache(2**20))
    cufft._total.cache_clear()
    yield state
    cufft._total.cache_clear()


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("lengths", [(1,), (8,), (9,), (6, 8), (5, 7), (2, 3, 4), (3, 4, 5)])
@pytest.mark.parametrize("entries", [1, 3])
def test_blocks_are_transformed_in_place_and_back(cupy, dtype, lengths, entries, rng):
    block = Block(entries, lengths, dtype)
    samples = rng.normal(size=(entries, *lengths))
    if not block.is_real:
        samples = samples + 1j * rng.normal(size=samples.shape)
    spectra = np.full((entries, block.frequencies), np.nan, np.result_type(dtype, np.complex64))
    assert spectra.nbytes == block.bytes
    rows = spectra.view(dtype).reshape((entries, *lengths[:-1], block.row_pitch))
    rows[..., : lengths[-1]] = samples
    transforms, axes = CufftTransforms(), tuple(range(1, len(lengths) + 1))
    transforms.forward(spectra, block)
    expected = (np.fft.rfftn if block.is_real else np.fft.fftn)(samples, axes=axes).reshape(spectra.shape)
    eps = np.finfo(dtype).eps * 100
    np.testing.assert_allclose(spectra, expected, rtol=0, atol=eps * samples.size)
    transforms.inverse(spectra, block)
    found = rows[..., : lengths[-1]] / np.prod(lengths)
    np.testing.assert_allclose(found, samples, rtol=0, atol=eps * samples.size)
    # Complex transforms have one plan for both directions, and one work area.
    assert len(cupy.made) == (2 if block.is_real else 1)


def test_a_plan_is_kept_for_its_stream_thread_and_block(cupy):
    transforms = CufftTransforms()

    def plans(block, stream=7):
        cupy.stream = stream
        before = len(cupy.made)
        transforms.forward(np.ones((block.entries, block.frequencies), np.complex64), block)
        return len(cupy.made) - before

    block = Block(2, (4, 6), "complex64")
    assert [plans(block), plans(block)] == [1, 0]
    assert [plans(block.with_entries(3)), plans(Block(2, (6, 4), "complex64")), plans(block, stream=8)] == [1, 1, 1]
    assert [plans(block), plans(block, stream=8)] == [0, 0]
    found = []
    other = threading.Thread(target=lambda: found.append(plans(block)))
    other.start()
    other.join()
    assert found == [1]
    cupy_plans.plan_cache.limit = 2500
    assert len(cupy_plans.plan_cache) == 1
    transforms.release()
    assert (len(cupy_plans.plan_cache), cupy.freed) == (0, 1)


def test_what_the_device_tells(cupy):
    transforms = CufftTransforms()
    assert transforms.device() == "cuda:1"
    assert (transforms.free(), transforms.total()) == (350, 1000)
    assert transforms.owner() == (1, 7, threading.get_ident())


class CuFFTError(RuntimeError):
    """As CuPy calls it."""


class CUDARuntimeError(RuntimeError):
    """As CuPy calls it."""


@pytest.mark.parametrize(
    ("failure", "exhausted"),
    [
        (MemoryError("Out of memory allocating 512 bytes"), True),
        (CuFFTError("CUFFT_ALLOC_FAILED"), True),
        (CUDARuntimeError("cudaErrorMemoryAllocation: out of memory"), True),
        (CuFFTError("CUFFT_INVALID_SIZE"), False),
        (CUDARuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered"), False),
        (ValueError("CUFFT_ALLOC_FAILED"), False),
    ],
    ids=str,
)
def test_running_out_of_memory_is_told_from_other_errors(failure, exhausted):
    assert CufftTransforms().is_exhausted(failure) is exhausted


def test_whole_transforms_take_plans_from_the_cache(monkeypatch):
    calls = []
    monkeypatch.setattr(cupy_plans, "transform", lambda name, x, *others: calls.append((name, *others)) or x)
    real, complex_ = np.zeros((2, 4), np.float32), np.zeros((2, 4), np.complex64)
    fourier.fourier_forward(real, (1, 0), (8, 2))
    fourier.fourier_forward(complex_, (1,), (4,))
    fourier.fourier_inverse(complex_, (1,), (6,), "float32")
    fourier.fourier_inverse(complex_, (1,), (4,), "complex64")
    assert calls == [("rfftn", (8, 2), (1, 0)), ("fftn", (4,), (1,)), ("irfftn", (6,), (1,)), ("ifftn", (4,), (1,))]
