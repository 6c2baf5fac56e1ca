"""What launchers are made of: layouts, dtypes, boundaries, weights, sources, and CuPy as they see it."""

from __future__ import annotations

import itertools
import sys
import timeit
from types import SimpleNamespace

import numpy as np
import pytest

from gpuconv.backends.cuda import compile, lines, runtime
from gpuconv.backends.cuda.launch import (
    NO_ARRAY,
    WEIGHTS_BYTES,
    Axis,
    Kinds,
    Launch,
    boundary_define,
    by_value,
    collapse,
    element_strides,
    fill_value,
    strides_in_order,
)
from gpuconv.backends.cuda.runtime import CupyRuntime, empty_like_ordered, readable, use_runtime
from gpuconv.core.boundary import BOUNDARIES, Span
from gpuconv.core.dtypes import SUPPORTED, convolution_dtypes, is_complex, is_integer
from tests.cuda.recording import RecordingRuntime


def addresses(shape, strides):
    """Where every element lies, in order of the shape."""
    grids = np.meshgrid(*(np.arange(count) for count in shape), indexing="ij")
    return sum((grid * stride for grid, stride in zip(grids, strides)), np.zeros(shape, int))


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 4, 1), (2, 3, 1, 4), (6,), (2, 1)])
def test_collapsed_axes_reach_the_same_elements(shape):
    x = np.zeros(shape)
    views = [x, np.asfortranarray(x), np.flip(x), np.zeros((*shape[:-1], 2 * shape[-1]))[..., ::2]]
    for one, axis in itertools.product(views, range(len(shape))):
        strides = element_strides(one)
        axes = collapse(shape, (axis,), strides, strides_in_order(shape, range(len(shape))))
        (kept,) = (each for each in axes if each.kept is not None)
        assert (kept.kept, kept.count) == (axis, shape[axis])
        counts = [each.count for each in axes]
        pairs = [addresses(counts, [each.strides[array] for each in axes]).ravel() for array in (0, 1)]
        wanted = [addresses(shape, each).ravel() for each in (strides, strides_in_order(shape, range(len(shape))))]
        assert sorted(zip(*pairs)) == sorted(zip(*wanted))


def test_axes_that_need_no_telling_apart_become_one():
    assert collapse((2, 3, 4, 5), (1,), (60, 20, 5, 1)) == [Axis(2, (60,)), Axis(3, (20,), 1), Axis(20, (1,))]
    assert collapse((2, 3, 4, 5), (3,), (60, 20, 5, 1)) == [Axis(24, (5,)), Axis(5, (1,), 3)]
    assert collapse((2, 3, 4), (2,), (1, 2, 6)) == [Axis(4, (6,), 2), Axis(6, (1,))]
    assert collapse((2, 3, 4), (2,), (100, 20, 2)) == [Axis(2, (100,)), Axis(3, (20,)), Axis(4, (2,), 2)]


def test_kinds_follow_from_dtypes_as_in_a_convolution():
    for storage, weights in itertools.product(SUPPORTED, ("float64", "float32", "complex128", "int32", "int64")):
        if is_integer(weights) and not is_integer(storage):
            continue
        kinds = Kinds.of(storage, weights)
        if not is_integer(weights):
            assert kinds.sum == convolution_dtypes(storage, (weights, 1)).accumulator
        assert kinds.storage == storage
        assert is_complex(kinds.sample) == is_complex(storage)
        assert is_complex(kinds.weight) == is_complex(weights)
        assert np.result_type(kinds.sample, kinds.weight) == kinds.sum == kinds.result
        assert Kinds.of(storage, weights, "float16").result == "float16"


def test_boundaries_that_a_kernel_never_meets_are_the_cheapest():
    for boundary in BOUNDARIES:
        assert boundary_define("B", Span(0, 9, 3, -1, 9, boundary)) == ("B", boundary.upper())
        assert boundary_define("B", Span(0, 9, 3, 0, 7, boundary)) == ("B", "NEAREST")
        alone = "CONSTANT" if boundary == "constant" else "NEAREST"
        assert boundary_define("B", Span(0, 1, 3, -1, 1, boundary)) == ("B", alone)


def test_weights_by_value_fill_a_struct():
    struct = by_value(np.arange(6, dtype=np.float32).reshape(2, 3), 8)
    assert struct.size == 1
    assert struct.nbytes == 32
    assert struct["at"].tolist() == [[0, 1, 2, 3, 4, 5, 0, 0]]
    assert by_value(np.arange(6, dtype=np.float32), 8) is struct
    assert not struct.flags.writeable
    assert by_value(np.arange(6), 8, "float32")["at"].tolist() == struct["at"].tolist()
    assert by_value(np.arange(6, dtype=np.float32)[::-1], 8)["at"][0, 0] == 5
    with pytest.raises(ValueError, match="9 weights do not go by value with 8 entries"):
        by_value(np.ones(9), 8)
    with pytest.raises(ValueError, match="do not go by value"):
        by_value(np.ones(9), WEIGHTS_BYTES // 8 + 1)


def test_no_array_is_a_null_pointer():
    assert NO_ARRAY.tobytes() == bytes(8)


def test_fill_values_have_the_dtype_of_samples():
    assert fill_value(1, Kinds.of("uint8", "float64")) == np.float32(1)
    assert fill_value(1, Kinds.of("uint8", "float64")).dtype == np.float32
    assert fill_value(2j, Kinds.of("complex64", "float64")).dtype == np.complex64


@pytest.mark.parametrize(
    "blocks, threads, shared", [(0, 32, 0), (2**31, 32, 0), (1, 1025, 0), (1, 0, 0), (1, 1, 49153)]
)
def test_launches_that_no_gpu_can_do_are_refused(blocks, threads, shared):
    with pytest.raises(ValueError, match="name cannot have"):
        Launch("a.cu", "name", (), blocks, threads, shared, ())


def test_sources_have_their_headers_pasted_in_and_keep_their_lines():
    for path in sorted(compile.FOLDER.glob("*.cu")):
        text = compile.source_text(path.name, (("SUM", "float64"),))
        assert text.startswith(f'#define SUM float64\n#line 1 "{path.name}"\n')
        assert "\n#include" not in text
        source, number = None, 0
        own = path.read_text().splitlines()
        for line in text.splitlines()[1:]:
            if line.startswith("#line"):
                number, source = int(line.split()[1]), line.split('"')[1]
                continue
            if source == path.name:
                assert line == own[number - 1]
            number += 1
        assert number == len(own) + 1


def test_a_kernel_is_compiled_once_and_looked_up_in_microseconds(monkeypatch):
    made = []

    class RawModule:
        def __init__(self, **options):
            made.append(options)

        def get_function(self, name):
            return name

    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(RawModule=RawModule))
    monkeypatch.setattr(compile, "_functions", {})
    defines = (*Kinds.of("float32", "float32").defines(), ("BOUNDARY", "WRAP"), ("WEIGHTS", "960"))
    assert compile.function("lines.cu", "correlate_rows", defines) == "correlate_rows"
    assert compile.function("lines.cu", "correlate_rows", (*defines,)) == "correlate_rows"
    assert len(made) == 1
    assert "#define ONLY_correlate_rows 1" in made[0]["code"]
    compile.function("lines.cu", "correlate_rows", (*defines[:-1], ("WEIGHTS", "0")))
    assert len(made) == 2
    assert compile.function("lines.cu", "rows", (), ("rows", "columns")) == "rows"
    assert compile.function("lines.cu", "columns", (), ("rows", "columns")) == "columns"
    assert len(made) == 3
    assert "#define ONLY_rows 1\n#define ONLY_columns 1\n" in made[2]["code"]
    per_call = min(timeit.repeat(lambda: compile.function("lines.cu", "correlate_rows", defines), number=1000)) / 1000
    assert per_call < 10e-6


def test_cupy_is_told_what_to_launch(monkeypatch):
    """CuPy's names, as far as they can be known without a GPU: arrays, the pool behind `empty`, RawModule's call."""
    calls = []
    array = SimpleNamespace(data=SimpleNamespace(ptr=4096))
    cupy = SimpleNamespace(
        empty=lambda shape, dtype: ("empty", shape, dtype),
        array=lambda x, order, copy: ("array", order, copy),
    )
    monkeypatch.setattr(runtime, "_cupy", lambda: cupy)
    monkeypatch.setattr(compile, "function", lambda *key: lambda *given, **named: calls.append((key, given, named)))
    real = CupyRuntime()
    assert real.empty([2, 3], "float32") == ("empty", (2, 3), "float32")
    assert real.contiguous(array) == ("array", "C", True)
    assert real.address(array) == 4096
    real.launch(Launch("a.cu", "name", (("SUM", "int32"),), 7, 64, 128, (1, 2)))
    assert calls == [(("a.cu", "name", (("SUM", "int32"),), ()), ((7,), (64,), (1, 2)), {"shared_mem": 128})]


def test_uploads_are_kept_for_each_stream(monkeypatch):
    stream = SimpleNamespace(ptr=1)
    cuda = SimpleNamespace(runtime=SimpleNamespace(getDevice=lambda: 0), get_current_stream=lambda: stream)
    monkeypatch.setattr(runtime, "_cupy", lambda: SimpleNamespace(cuda=cuda, asarray=np.array))
    monkeypatch.setattr(runtime, "_uploads", runtime.UploadCache(2**14))
    real, taps = CupyRuntime(), np.arange(1000.0)
    first = real.upload(taps)
    assert real.upload(taps.copy()) is first
    assert np.array_equal(first, taps)
    assert real.upload(taps.reshape(10, 100)) is not first
    assert real.upload(taps.astype(np.float32)) is not first
    stream.ptr = 2
    assert real.upload(taps) is not first
    stream.ptr = 1
    assert real.upload(taps) is not first  # 16 KB hold the last two of them
    kept = real.upload(taps)
    for number in range(16):
        real.upload(np.array([number]))
        assert real.upload(taps) is kept
    assert runtime._uploads.size <= 2**14
    large = np.zeros(runtime.KEPT_BYTES // 8 + 1)
    assert real.upload(large) is not real.upload(large)


def test_importing_the_backend_does_not_import_cupy(run_python):
    assert run_python("import sys, gpuconv.backends.cuda; print('cupy' in sys.modules)").strip() == "False"


def test_results_lie_in_memory_as_images_do():
    x = np.zeros((3, 4, 5))
    with use_runtime(RecordingRuntime()):
        for order in itertools.permutations(range(3)):
            view = np.zeros([x.shape[axis] for axis in order]).transpose(np.argsort(order))
            y = empty_like_ordered(view, (6, 7, 8), "int16")
            assert y.shape == (6, 7, 8)
            assert tuple(stride // 2 for stride in y.strides) == strides_in_order((6, 7, 8), order)
        assert readable(x) is x
        odd = np.zeros(5, [("flag", np.uint8), ("value", np.float64)])["value"]
        assert readable(odd) is not odd


def test_a_second_call_works_nothing_out_again():
    lines.recipe.cache_clear()
    x = np.zeros((20, 30), np.float32)
    with use_runtime(RecordingRuntime()):
        for _ in range(3):
            lines.correlate_axis(x, np.ones(3), (Span(0, 20, 3, -1, 20, "wrap"),), 0.0)
    assert lines.recipe.cache_info().misses == 1
