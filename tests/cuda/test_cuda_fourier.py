"""Transforms on CUDA: the launcher and its kernels in the emulator, held to the generic backend in double precision."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np
import pytest

from gpuconv.backends import generic
from gpuconv.backends.cuda import cufft, fourier, fourier_blocks, fourier_launches, spectra
from gpuconv.backends.cuda.launch import Kinds
from gpuconv.backends.cuda.runtime import use_runtime
from gpuconv.core.boundary import BOUNDARIES, Span, extend_all
from gpuconv.core.dtypes import EPS, ITEMSIZE, integer_range, is_complex, is_integer
from gpuconv.core.namespace import home_of
from gpuconv.methods.deliver import convert
from tests import reference
from tests.assertions import assert_close
from tests.cuda.agreement import DTYPES, LAYOUTS, dtypes, image_of, span_of
from tests.cuda.emulation import EmulatedRuntime
from tests.cuda.transforms import DeviceKernel, SciPyTransforms, counted_bytes
from tests.libraries import why_absent

pytestmark = [
    pytest.mark.skipif(why_absent("cxx") is not None, reason=str(why_absent("cxx"))),
    pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:overflow:RuntimeWarning"),
]


@dataclass
class Device:
    """One emulated GPU."""

    runtime: EmulatedRuntime = field(default_factory=EmulatedRuntime)
    transforms: SciPyTransforms | None = None

    def __post_init__(self):
        if self.transforms is None:
            self.transforms = SciPyTransforms(self.runtime)

    def run(self, x, kernel, spans, lengths, cval=0.0, result=None):
        with use_runtime(self.runtime), cufft.use_transforms(self.transforms):
            x = self.runtime.place(x)
            if isinstance(kernel, DeviceKernel):
                kernel = self.runtime.place(kernel).view(DeviceKernel)
            y = fourier.correlate_fourier(x, kernel, tuple(spans), cval, tuple(lengths), result=result)
        if self.runtime.check:
            self.runtime.assert_written(y)
        return y

    def kernels(self):
        return [launch.kernel for launch in self.runtime.launches]


@pytest.fixture(autouse=True)
def _nothing_kept():
    spectra.spectrum_cache.clear()
    fourier._case.cache_clear()  # some tests change what it is made with
    yield
    spectra.spectrum_cache.clear()
    fourier._case.cache_clear()


def expected_of(x, kernel, spans, lengths, cval, result):
    """The generic row's result in double precision, and what the launcher may be off."""
    kinds = Kinds.of(x.dtype.name, kernel.dtype.name, result)
    kernel = np.asarray(kernel)
    if is_integer(kinds.sum):
        plain = generic.TABLE["correlate_windows"].function(x.astype(kinds.sum), kernel, spans, cval)
        return convert(home_of(plain), plain, kinds.result), 0.0
    wide = np.complex128 if is_complex(kinds.sample) else np.float64
    fill = wide(np.dtype(kinds.sample).type(cval))
    expected = generic.TABLE["correlate_fourier"].function(x.astype(wide), kernel, spans, fill, lengths)
    read = extend_all(home_of(x).xp, x.astype(wide), spans, fill)
    read, weights = (np.where(np.isfinite(each), each, 0) for each in (read, kernel))
    allowed = reference.spectral_bound(EPS[kinds.sum], prod(lengths), read, weights)
    if is_integer(kinds.result):
        return convert(home_of(expected), expected, kinds.result), allowed + 0.5
    return expected, allowed + EPS[kinds.result] * np.abs(np.where(np.isfinite(expected), expected, 0))


def assert_fourier(x, kernel, spans, lengths, *, cval=0.0, result=None, device=None, case=""):
    device = device or Device()
    actual = device.run(x, kernel, spans, lengths, cval, result)
    kinds = Kinds.of(x.dtype.name, kernel.dtype.name, result)
    assert actual.dtype.name == kinds.result, case
    expected, allowed = expected_of(x, kernel, spans, lengths, cval, result)
    if is_integer(kinds.result):
        # The nearest integer may be another one where the sum is near the middle: half a step is allowed for above.
        difference = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
        assert (difference <= np.floor(allowed + 0.5) if np.any(allowed) else difference == 0).all(), case
        return device
    shown = actual.astype(np.float32) if kinds.result in ("float16", "bfloat16") else actual
    assert_close(shown, expected.astype(shown.dtype), tolerance=allowed, case=case)
    return device


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_agrees_with_generic_on_every_dtype_and_boundary(dtype, rng):
    x = image_of(rng, (2, 13, 11), dtype)
    for number, boundary in enumerate(BOUNDARIES):
        other = BOUNDARIES[(number + 1) % len(BOUNDARIES)]
        spans = span_of(1, 13, 4, boundary), span_of(2, 11, 5, other)
        kernels = [rng.normal(size=(4, 5)), rng.normal(size=(4, 5)) + 1j * rng.normal(size=(4, 5))]
        for kernel in kernels[: 1 + (number == 0)]:
            assert_fourier(x, kernel, spans, (18, 16), cval=2.0, case=(dtype, boundary, kernel.dtype))


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint64"])
@pytest.mark.parametrize("result", [None, "uint8", "int16", "float32"])
def test_integers_are_exact_and_saturate(dtype, result, rng):
    x = image_of(rng, (3, 40), dtype)
    kernel = rng.integers(0, 9, 6).astype("uint64" if dtype == "uint64" else "int64")
    device = Device()
    for boundary in BOUNDARIES:
        assert_fourier(x, kernel, (span_of(1, 40, 6, boundary),), (16,), cval=3, result=result, device=device)
    assert {"rescale", "mark", "clear"}.isdisjoint(device.kernels())


@pytest.mark.parametrize("result", dtypes("uint8", "int16", "float16", "bfloat16", "float64"))
def test_the_result_is_rounded_once_to_the_dtype_asked_for(result, rng):
    x = (100 * rng.normal(size=(20, 30))).astype(np.float32)
    x[3, 4] = np.nan
    spans = span_of(0, 20, 3, "reflect"), span_of(1, 30, 3, "wrap")
    actual = Device().run(x, np.ones((3, 3)) / 4, spans, (24, 32), result=result)
    plain = Device().run(x, np.ones((3, 3)) / 4, spans, (24, 32))
    expected = plain if result == "bfloat16" else convert(home_of(plain), plain, result)
    if result == "bfloat16":
        expected = expected.astype(actual.dtype)
    assert np.array_equal(actual.astype(np.float64), expected.astype(np.float64), equal_nan=True)
    assert not is_integer(result) or (actual == 0).sum() >= 9


@pytest.mark.parametrize("lengths", [(7,), (8,), (9,), (16,), (64,)])
@pytest.mark.parametrize("shape", [(50,), (3, 50), (50, 3), (2, 50, 5)])
def test_blocks_of_a_line_leave_no_seams(shape, lengths, rng):
    dtype = ("float32", "complex128")[(len(shape) + shape.index(50) + lengths[0]) % 2]
    x, axis = image_of(rng, shape, dtype), shape.index(50)
    for boundary, first, count in (("reflect", -4, 50), ("constant", -4, 54), ("mirror", 0, 46), ("wrap", 20, 17)):
        spans = (span_of(axis, 50, 5, boundary, first=first, count=count),)
        assert_fourier(x, rng.normal(size=5), spans, lengths, cval=-1.5, case=(boundary, first))


@pytest.mark.parametrize("together", [1, 2000, 2**25])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_blocks_of_the_last_axis_are_transformed_together(together, dtype, rng, monkeypatch):
    """As many as fit into some bytes: all of them, some and the rest, or one after another."""
    monkeypatch.setattr(fourier_blocks, "TOGETHER_BYTES", together)
    for shape, axes in (((3, 200), (1,)), ((200, 3), (0,)), ((20, 200), (0, 1)), ((2, 200, 5), (1,))):
        x = image_of(rng, shape, dtype)
        if dtype == "float32":
            x[tuple(size // 2 for size in shape)] = np.nan
        taps = [5 if shape[axis] == 200 else 3 for axis in axes]
        spans = [span_of(axis, shape[axis], n, "reflect") for axis, n in zip(axes, taps, strict=True)]
        lengths = [20 if shape[axis] == 200 else 24 for axis in axes]
        device = assert_fourier(x, rng.normal(size=taps), spans, lengths, case=(shape, axes))
        crops = device.kernels().count("crop")
        # 13 blocks of 16 outputs
        assert crops == (13 if together == 1 else 1 if together == 2**25 else crops)
        assert crops <= 13


@pytest.mark.parametrize("lengths", [(5, 6, 8), (8, 9, 10), (24, 5, 32)])
def test_blocks_of_three_axes_leave_no_seams(lengths, rng):
    x = image_of(rng, (10, 2, 11, 12), "float32")
    spans = span_of(0, 10, 3, "mirror"), span_of(2, 11, 2, "constant"), span_of(3, 12, 4, "wrap")
    device = assert_fourier(x, rng.normal(size=(3, 2, 4)), spans, lengths, cval=9.0)
    assert device.kernels().count("crop") > 1


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_reach_beyond_the_whole_axis(boundary, rng):
    """A kernel several times as long as the axis, and axes of one sample."""
    for shape in ((3, 5), (1, 4), (7, 1)):
        x = image_of(rng, shape, "float64")
        spans = (span_of(0, shape[0], 23, boundary), span_of(1, shape[1], 14, boundary))
        assert_fourier(x, rng.normal(size=(23, 14)), spans, (32, 20), cval=3.0, case=(shape, boundary))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("check", [True, False])
def test_every_layout(layout, check, rng):
    for dtype in ("float32", "uint8"):
        x = LAYOUTS[layout](image_of(rng, (3, 9, 20), dtype))
        for axes in ((1, 2), (0, 1), (0, 2)):
            spans = [span_of(axis, x.shape[axis], 3, "reflect") for axis in axes]
            lengths = [x.shape[axis] + 3 for axis in axes]
            device = Device(EmulatedRuntime(check=check))
            assert_fourier(x, rng.normal(size=(3, 3)), spans, lengths, device=device, case=(layout, axes))


def test_batches_of_many_axes_in_any_order_of_memory(rng):
    """More of them than the kernels know, and none that could be seen as one axis with its neighbour."""
    full = image_of(rng, (3, 4, 3, 4, 3, 30, 2), "float32")
    x = full.transpose(3, 1, 5, 6, 0, 4, 2)[::2, ::2, :, :, ::2, ::2, ::2]
    spans = (span_of(2, 30, 4, "nearest"),)
    assert_fourier(x, rng.normal(size=4), spans, (40,))
    assert_fourier(x, rng.normal(size=(4, 2)), (*spans, span_of(4, 2, 2, "wrap")), (40, 4))


def test_four_axes_of_a_batch_and_several_blocks_of_a_line(rng):
    x = image_of(rng, (4, 6, 30, 4, 6), "float32")[::2, ::2, :, ::2, ::2]
    x[1, 2, 20, 0, 1] = np.nan
    device = assert_fourier(x, rng.normal(size=4), (span_of(2, 30, 4, "nearest"),), (12,))
    assert device.kernels().count("crop") == 1


def test_no_outputs_and_no_samples(rng):
    for shape, count in (((0, 5), 5), ((3, 5), 0)):
        device = Device()
        y = device.run(np.zeros(shape, np.float32), np.ones(3), (span_of(1, 5, 3, "wrap", count=count),), (8,))
        assert y.shape == (shape[0], count)
        assert device.runtime.launches == []


BAD = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_bad_samples_stay_in_the_footprint(dtype, boundary, rng):
    """In every block, on every border of a word of 32 samples, under taps that are zero and taps that are not."""
    x = image_of(rng, (2, 6, 90), dtype)
    for place, bad in zip([(0, 0, 0), (0, 2, 31), (0, 2, 32), (1, 5, 89), (0, 3, 63)], BAD * 2, strict=False):
        x[place] = bad if not is_complex(dtype) else complex(1, bad)
    kernel = rng.normal(size=(2, 37)) * (rng.random((2, 37)) < 0.3)
    kernel[1, 36] = 1
    spans = span_of(1, 6, 2, boundary), span_of(2, 90, 37, boundary)
    for lengths in ((8, 128), (4, 64)):
        assert_fourier(x, kernel, spans, lengths, case=(dtype, boundary, lengths))


@pytest.mark.parametrize("taps", [1, 31, 32, 33, 64, 80])
def test_dense_kernels_of_any_number_of_words_mark_their_footprint(taps, rng):
    x = np.zeros((3, 200), np.float32)
    x[0, 100], x[1, :40] = np.nan, np.inf
    y = Device().run(x, np.ones(taps), (Span(1, 200, taps, -7, 200, "constant"),), (288,))
    expected = np.zeros((3, 200), bool)
    for row, column in zip(*np.nonzero(~np.isfinite(x)), strict=True):
        expected[row, max(column + 7 - taps + 1, 0) : column + 8] = True
    assert np.array_equal(np.isnan(y), expected)
    assert (y[~expected] == 0).all()


@pytest.mark.parametrize("cval", [np.nan, np.inf, 1e38])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_bad_fill_value_stays_at_the_edge(dtype, cval, rng):
    x = image_of(rng, (12, 14), dtype)
    spans = span_of(0, 12, 3, "constant"), span_of(1, 14, 4, "constant")
    actual = Device().run(x, np.full((3, 4), 1 / 12), spans, (16, 20), cval)
    edge = np.ones((12, 14), bool)
    edge[1:-1, 2:-1] = False
    if np.isfinite(cval):
        assert np.isfinite(actual).all()
        return
    assert np.array_equal(np.isnan(actual), edge)


def test_a_bad_tap_meets_every_output(rng):
    x = image_of(rng, (20, 30), "float32")
    for bad in BAD:
        kernel = np.array([[1.0, bad, 2.0]])
        spans = span_of(0, 20, 1, "wrap"), span_of(1, 30, 3, "wrap")
        for given in (kernel, kernel.astype(np.float32).view(DeviceKernel)):
            assert np.isnan(Device().run(x, given, spans, (20, 32))).all()


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e38), ("float64", 1e307), ("complex64", 2e38)])
@pytest.mark.parametrize("scale", [1e-30, 1.0])
def test_samples_near_the_largest_number_do_not_overflow_on_the_way(dtype, size, scale, rng):
    """Only the entries that need it are scaled; the others keep their precision."""
    x = image_of(rng, (4, 60), dtype)
    x /= np.abs(x).max(axis=1, keepdims=True)
    x[0] *= size
    x[1] *= 1e-20 if scale == 1.0 else 1e-5
    kernel = rng.normal(size=7)
    kernel *= scale / np.abs(kernel).sum()
    spans = (span_of(1, 60, 7, "reflect"),)
    actual = Device().run(x, kernel, spans, (72,))
    for row in range(4):
        assert np.isfinite(actual[row]).all()
        wide, factor = np.complex128 if is_complex(dtype) else np.float64, size if row == 0 else 1.0
        line = x[row].astype(wide) / factor
        expected = reference.convolve(line, kernel[::-1], boundary="reflect")
        bound = reference.spectral_bound(EPS[dtype], 72, np.append(line, line[:12]), kernel)
        assert_close(actual[row].astype(wide) / factor, expected, tolerance=bound, case=row)


@pytest.mark.parametrize(
    ("dtype", "sample", "weight"), [("float32", 2.0**32, 2.0**90), ("float64", 2.0**410, 2.0**600)]
)
def test_large_samples_and_large_weights_together(dtype, sample, weight, rng):
    """Both are scaled down, by more than one number can tell; the results are ordinary ones."""
    x, kernel = image_of(rng, (60,), dtype), rng.normal(size=7)
    spans = (span_of(0, 60, 7, "wrap"),)
    plain = Device().run(x, kernel, spans, (72,))
    scaled = Device().run(x * np.asarray(sample, dtype), kernel * weight, spans, (72,))
    assert np.array_equal(scaled / np.asarray(weight, dtype) / np.asarray(sample, dtype), plain)


@pytest.mark.parametrize("size", [1e-44, 1e-30, 1e30, 1e38, 1e200])
def test_weights_of_any_size_lose_nothing_on_the_way(size, rng):
    """Samples bring the result back to where numbers are; 1e200 is beyond single precision, and so is the result."""
    x = image_of(rng, (60,), "float32") / np.float32(10)
    kernel = rng.normal(size=7) * size
    x *= np.float32(min(1 / size, 1e30))
    spans = (span_of(0, 60, 7, "wrap"),)
    actual = Device().run(x, kernel, spans, (72,))
    if size == 1e200:
        assert not np.isfinite(actual).any()
        return
    expected, _ = expected_of(x.astype(np.float64), kernel, spans, (72,), 0, None)
    bound = reference.spectral_bound(EPS["float32"], 72, np.append(x, x[:12]).astype(np.float64), kernel)
    assert_close(actual, expected.astype(np.float32), tolerance=bound)


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("weights", ["float", "complex"])
@pytest.mark.parametrize("size", [1.0, 1e35])
def test_kernels_on_the_device_are_not_looked_at(dtype, weights, size, rng):
    """Not even for their scale or their zeros: what the host finds out of others, kernels do here."""
    x = image_of(rng, (3, 9, 50), dtype)
    x[1, 3, 30] = np.nan
    kernel = rng.normal(size=(2, 40)) * (rng.random((2, 40)) < 0.5) * size
    if weights == "complex":
        kernel = kernel + 1j * rng.normal(size=(2, 40)) / 7
    kind = {"float32": {"float": "float32", "complex": "complex64"}}.get(dtype, {"float": "float64"})
    kernel = kernel.astype(kind.get(weights, "complex128")).view(DeviceKernel)
    spans = span_of(1, 9, 2, "constant"), span_of(2, 50, 40, "reflect")
    device = assert_fourier(x, kernel, spans, (12, 96), cval=0.5)
    assert "pack" in device.kernels()
    assert len(spectra.spectrum_cache) == 0


def test_the_same_is_launched_whatever_the_samples_are(rng):
    """Nothing is read back and decided by the host: NaN, large and ordinary images take the same launches."""
    x = image_of(rng, (3, 40), "float32")
    seen = []
    for value in (1.0, np.nan, np.inf, 1e38):
        x[1, 7] = value
        device = Device()
        device.run(x, np.ones(5), (span_of(1, 40, 5, "wrap"),), (24,))
        seen.append((device.kernels(), [launch.blocks for launch in device.runtime.launches], device.transforms.blocks))
    assert all(each == seen[0] for each in seen)


def test_a_call_in_single_precision_compiles_each_kernel_once(rng):
    device = Device()
    device.run(image_of(rng, (3, 40), "float32"), np.ones(5), (span_of(1, 40, 5, "wrap"),), (24,))
    assert len({launch.defines for launch in device.runtime.launches}) == 1


def test_the_spectrum_of_a_kernel_is_made_once(rng):
    x, kernel = image_of(rng, (3, 40), "float32"), rng.normal(size=5)
    device = Device()

    def forwards(x=x, kernel=kernel, lengths=(48,)):
        before = len(device.transforms.blocks)
        device.run(x, kernel, (span_of(1, 40, len(kernel), "wrap"),), lengths)
        return len(device.transforms.blocks) - before

    assert forwards() == 3
    assert forwards() == 2
    assert forwards(kernel=kernel.copy()) == 2
    assert forwards(kernel=kernel + 1) == 3
    assert forwards(lengths=(50,)) == 3
    assert forwards(x=x.astype(np.float64)) == 3
    assert forwards() == 2
    assert len(spectra.spectrum_cache) == 4
    limit = spectra.spectrum_cache.limit
    try:
        spectra.spectrum_cache.limit = 1
        assert forwards() == 3
        assert len(spectra.spectrum_cache) == 0
    finally:
        spectra.spectrum_cache.limit = limit


def test_no_more_memory_is_taken_than_was_counted(rng):
    pairs = ("float32", "float64"), ("float32", "complex128"), ("complex64", "float64"), ("uint8", "float64")
    for dtype, weights in pairs:
        x, kernel = image_of(rng, (4, 30, 40), dtype), rng.normal(size=(3, 5)).astype(weights)
        spans = span_of(1, 30, 3, "wrap"), span_of(2, 40, 5, "wrap")
        device = Device()
        taken = counted_bytes(device.runtime)
        y = device.run(x, kernel, spans, (32, 48))
        case = fourier._case(x.shape, x.strides, dtype, weights, None, spans, (32, 48), False)
        cut = case.whole
        counted = cut.bytes - (2 if cut.block.is_real else 1) * cut.block.bytes
        # Flags, and the one that nobody looks at, are left out of the count.
        assert sum(taken) - y.nbytes <= counted + 4 * (cut.block.entries + 1) + 64


def test_blocks_count_in_two_words_up_to_the_largest_launch():
    """No launch needs more runs than a 32-bit number counts, whatever the shape of a block that cuFFT takes."""
    boxes = (1, (2**31 - 2,)), (2**27, (14,)), (1, (2**15, 2**15)), (2**10, (2**7, 2**7, 2**6)), (2**31 - 1, (1,))
    for entries, lengths in boxes:
        block = cufft.Block(entries, lengths, "complex64")
        assert entries * block.entry_pitch <= cufft.MOST_SAMPLES
        assert fourier_launches.runs(entries, lengths) <= 2**31 + fourier_launches.SIDE_BY_SIDE


def test_more_than_three_axes_go_elsewhere(rng):
    import gpuconv

    for ndim, expected in ((3, None), (4, "cuFFT transforms at most three axes at once")):
        problem = gpuconv.plan_convolution(np.zeros((4,) * ndim), np.ones((2,) * ndim)).problem
        assert fourier.why_not(problem) == expected


def test_integers_saturate_at_both_ends(rng):
    x = np.array([[100.0, -100.0, 3.5, 2.5]], np.float32)
    y = Device().run(x, np.array([2.0]), (span_of(1, 4, 1, "constant", first=0),), (4,), result="int8")
    assert y.tolist() == [[127, -128, 7, 5]]
    assert integer_range("int8") == (-128, 127)
    assert ITEMSIZE[y.dtype.name] == 1
