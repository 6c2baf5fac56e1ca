"""torch tensors on the engine for the memory they lie in: same numbers, no copy, and gradients on the engine too."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import cpu, generic, registry
from gpuconv.backends import torch as backend
from gpuconv.backends.registry import Implementation
from gpuconv.core.problem import TransformProblem
from gpuconv.methods import transform
from tests import reference
from tests.assertions import EPS, assert_close, assert_same_home
from tests.cases import BOUNDARIES, MODES, draw
from tests.libraries import make, open_library, to_numpy, why_absent

pytestmark = pytest.mark.skipif(why_absent("torch") is not None, reason="torch is not installed")

DTYPES = (
    *("int8", "uint8", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
)
SMALL = dict.fromkeys(("int8", "uint8", "int32", "int64"), 9)


@pytest.fixture
def torch():
    return open_library("torch") and pytest.importorskip("torch")


@pytest.fixture
def engine(monkeypatch):
    """What rows of the engine for NumPy arrays are called with: (primitive, x, result), in order."""
    calls = []

    def noted(primitive, row):
        def function(x, *arguments, **keywords):
            result = row.function(x, *arguments, **keywords)
            calls.append((primitive, x, result))
            return result

        def prepare(*arguments):
            prepared = row.prepare(*arguments)

            def run(x, cval):
                result = prepared(x, cval)
                calls.append((primitive, x, result))
                return result

            return run

        return replace(row, function=function, prepare=prepare if row.prepare is not None else None)

    for primitive, row in list(cpu.TABLE.items()):
        monkeypatch.setitem(cpu.TABLE, primitive, noted(primitive, row))
    return calls


def address(array):
    return array.__array_interface__["data"][0]


def layouts(torch, x):
    """Tensors that hold `x` (three axes): as they come, with axes in another order, with gaps, with an offset."""
    yield "contiguous", x.clone()
    yield "last axis first", x.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    yield "gaps", x.repeat_interleave(3, dim=-1)[..., ::3]
    yield "offset", torch.cat([x, x])[x.shape[0] :]


@pytest.mark.parametrize("boundary", [*BOUNDARIES, ("constant", "wrap")], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_layout_and_boundary_follows_the_definition(torch, engine, dtype, boundary):
    xp = open_library("torch")
    values = draw((2, 5, 6), "float32" if dtype == "bfloat16" else dtype, "x", SMALL)
    x = make(xp, values, dtype=dtype)
    values = to_numpy(x)
    name = "float32" if dtype == "bfloat16" else dtype
    for kernel_dtype, mode in itertools.product({"int8" if name in SMALL else "float64", "complex128"}, MODES):
        kernel = draw((3, 4), kernel_dtype, "kernel", SMALL)
        options = {"axes": (1, 2), "boundary": boundary, "mode": mode, "cval": 2}
        expected = reference.convolve(values, kernel, **options)
        scale = reference.magnitude(values, kernel, **options)
        for (layout, given), method in itertools.product(layouts(torch, x), ("direct", "fft")):
            if method == "fft" and name in SMALL and kernel_dtype == "int8" and name == "int64":
                continue  # transforms cannot be exact there
            result = gpuconv.convolve(given, kernel, method=method, **options)
            is_half = dtype in ("float16", "bfloat16") and kernel_dtype != "complex128"
            assert_same_home(result, given, dtype=str(result.dtype).rpartition(".")[2])
            allowed = 4 * EPS.get(dtype if is_half else str(result.dtype).rpartition(".")[2], 0.0) * np.max(scale)
            assert_close(result, expected, tolerance=(1 if method == "direct" else 8) * allowed, case=(layout, method))
    assert len(engine) >= 20


@pytest.mark.parametrize("dtype", ["int32", "float32", "complex128"])
@pytest.mark.parametrize(
    "primitive", ["correlate_axis", "correlate_separable", "correlate_windows", "correlate_fourier"]
)
def test_rows_agree_with_generic_on_the_same_tensor(torch, engine, primitive, dtype):
    kernel_dtype = "int8" if dtype == "int32" else "float64"
    lines = [draw((n,), kernel_dtype, f"line {n}", SMALL) for n in (3, 4)]
    x = make(open_library("torch"), draw((5, 6), dtype, "x", SMALL))
    for boundary, mode in itertools.product(BOUNDARIES, MODES):
        options = {"boundary": boundary, "mode": mode}
        if primitive == "correlate_axis":
            lines, options = lines[:1], options | {"axes": (1,)}
        problem = gpuconv.plan_convolution(x, reference.outer(lines).astype(kernel_dtype), **options).problem
        weights = [line.astype(problem.rule.result if problem.exact else "float64") for line in lines]
        second = [weights] if primitive == "correlate_separable" else reference.outer(weights).astype(weights[0].dtype)
        rest = (tuple(span.length for span in problem.spans),) if primitive == "correlate_fourier" else ()
        image = x.to(getattr(torch, problem.working_dtype))
        result = backend.TABLE[primitive].function(image, second, problem.spans, 2, *rest)
        expected = generic.TABLE[primitive].function(image, second, problem.spans, 2, *rest)
        assert result.dtype == expected.dtype
        scale = float(np.abs(to_numpy(expected)).max()) + 1
        assert_close(result, expected, tolerance=64 * EPS.get(dtype, 0.0) * scale, case=options)
    assert {name for name, *_ in engine} == {primitive}


@pytest.mark.parametrize("method", ["direct", "separable", "fft"])
def test_neither_the_image_nor_the_result_is_copied(torch, engine, method):
    base = torch.rand(7, 9, 20)
    x = base[:, 1:, ::2]
    result = gpuconv.convolve(x, np.ones((3, 3)), axes=(0, 1), method=method)
    ((_, lent, returned),) = engine
    assert address(lent) == x.data_ptr()
    assert lent.strides == tuple(4 * stride for stride in x.stride())
    assert result.data_ptr() == address(returned)


def test_an_expanded_tensor_is_read_where_it_lies(torch, engine):
    x = torch.rand(1, 8, dtype=torch.float64).expand(6, 8)
    result = gpuconv.convolve(x, np.ones((3, 3)), boundary="reflect")
    assert engine[0][1].strides == (0, 8)
    assert_close(result, gpuconv.convolve(np.array(x.numpy()), np.ones((3, 3)), boundary="reflect"), tolerance=1e-14)


def test_compiled_loops_read_channels_last_and_expanded_tensors(torch, engine):
    """Work large enough for the loops that take addresses and strides."""
    values = draw((2, 3, 160, 150), "float32", "x")
    kernel = draw((5, 3), "float64", "kernel")
    options = {"axes": (2, 3), "boundary": "mirror"}
    expected = gpuconv.convolve(values, kernel, **options)
    x = torch.from_numpy(values).to(memory_format=torch.channels_last)
    assert_close(gpuconv.convolve(x, kernel, **options), expected, tolerance=1e-5)
    one = torch.from_numpy(values[:1, :1]).expand(2, 3, 160, 150)
    expanded = gpuconv.convolve(one, kernel, **options)
    assert_close(expanded[1, 2], expected[0, 0], tolerance=1e-5)
    assert [name for name, *_ in engine] == ["correlate_windows"] * 3


def test_flagged_tensors_are_read_right(torch, engine):
    """Conjugated and negated by a flag: the memory holds other values than the tensor."""
    values = draw((5, 4), "complex128", "x")
    x = torch.from_numpy(values)
    kernel = draw((3, 2), "float64", "kernel")
    assert_close(gpuconv.convolve(x.conj(), kernel), reference.convolve(values.conj(), kernel), tolerance=1e-14)
    negative = x.conj().imag
    assert negative.is_neg()
    assert_close(gpuconv.convolve(negative, kernel), reference.convolve(-values.imag, kernel), tolerance=1e-14)
    assert len(engine) == 2


def test_other_primitives_run_on_the_engine_and_differentiate_in_generic(torch, engine):
    x = torch.from_numpy(draw((4, 6), "float64", "x"))
    with gpuconv.use_backend("generic"):
        expected = transform.cosine(x, 1)
    assert engine == []
    assert_close(transform.cosine(x, 1), expected, tolerance=1e-13)
    assert [name for name, *_ in engine] == ["cosine_transform"]
    assert torch.autograd.gradcheck(lambda a: transform.cosine(a, 1), (x.clone().requires_grad_(),))
    assert len(engine) == 1


# Gradients.


def gradients(torch, x, kernel, cotangent, **options):
    """The result and the gradients by image and kernel, of those that are to have one."""
    leaves = [one for one in (x, kernel) if isinstance(one, torch.Tensor) and one.requires_grad]
    y = gpuconv.convolve(x, kernel, **options)
    return y.detach(), *torch.autograd.grad(y, leaves, torch.from_numpy(cotangent).to(y.dtype))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("method", ["direct", "fft", "overlap"])
def test_gradients_are_those_of_torch(torch, engine, method, boundary, mode):
    """Of the same call without engine; kernels that reach beyond the axis, batches, real and complex."""
    sizes = [((3, 5, 6), (3, 4)), ((2, 3, 4), (7, 6)) if mode != "valid" else ((2, 9, 8), (7, 6))]
    dtypes = [
        ("float64", "float64"),
        ("complex128", "complex128"),
        ("float64", "complex128"),
        ("complex128", "float64"),
    ]
    for (shape, taps), (dtype, kernel_dtype) in itertools.product(sizes, dtypes):
        x = torch.from_numpy(draw(shape, dtype, "x")).requires_grad_()
        kernel = torch.from_numpy(draw(taps, kernel_dtype, "kernel")).requires_grad_()
        options = {"axes": (1, 2), "boundary": boundary, "mode": mode, "method": method, "cval": 1.5}
        complex_result = "complex128" if "complex128" in (dtype, kernel_dtype) else "float64"
        result = reference.output_shape(shape[1:], taps, mode=mode)
        cotangent = draw((shape[0], *result), complex_result, "cotangent")
        with gpuconv.use_backend("generic"):
            expected = gradients(torch, x, kernel, cotangent, **options)
        assert engine == []
        found = gradients(torch, x, kernel, cotangent, **options)
        assert len(engine) == 2  # forwards, and back to the image
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == other.dtype
            assert_close(one, other, tolerance=1e-11, case=(shape, dtype, kernel_dtype))
        engine.clear()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_gradients_and_their_gradients_are_finite_differences(torch, dtype, boundary):
    x = torch.from_numpy(draw((3, 4), dtype, "x")).requires_grad_()
    kernel = torch.from_numpy(draw((2, 3), dtype, "kernel")).requires_grad_()
    for method, mode in (("direct", "same"), ("fft", "full"), ("direct", "valid")):

        def function(a, b, method=method, mode=mode):
            return gpuconv.convolve(a, b, boundary=boundary, mode=mode, method=method)

        assert torch.autograd.gradcheck(function, (x, kernel))
        assert torch.autograd.gradgradcheck(function, (x, kernel), fast_mode=True)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_passes_differentiate_by_image_and_taps(torch, engine, boundary):
    x = torch.from_numpy(draw((3, 5), "float64", "x")).requires_grad_()
    first, second = (torch.from_numpy(draw((n,), "float64", f"taps {n}")).requires_grad_() for n in (3, 2))

    def by_taps(a, b, c):
        return gpuconv.convolve_separable(a, [b, c], boundary=boundary, cval=0.5)

    assert torch.autograd.gradcheck(by_taps, (x, first, second))
    assert torch.autograd.gradgradcheck(by_taps, (x, first, second), fast_mode=True)
    assert {name for name, *_ in engine} == {"correlate_axis"}
    engine.clear()
    taps = [np.array([1.0, 2.0, 3.0]), np.array([1.0, -1.0j])]

    def by_image(a):
        return gpuconv.convolve_separable(a, taps, boundary=boundary, cval=0.5)

    assert torch.autograd.gradcheck(by_image, (x,))
    assert {name for name, *_ in engine} == {"correlate_separable"}


@pytest.mark.parametrize("taps", [(3, 3), (12, 11)])
@pytest.mark.parametrize("boundary", ["constant", "reflect"])
def test_gradients_of_large_images_are_as_precise_as_their_dtype(torch, boundary, taps):
    """Inner products, and transforms for many taps, against those in double precision."""
    image, kernel = draw((200, 1100), "float32", "x"), draw(taps, "float32", "kernel")
    cotangent = draw((200, 1100), "float32", "cotangent")

    def found(dtype):
        x, weights = (torch.from_numpy(values.astype(dtype)).requires_grad_() for values in (image, kernel))
        return gradients(torch, x, weights, cotangent.astype(dtype), boundary=boundary, method="direct")

    sums = [float(np.abs(kernel).sum() * np.abs(values).max()) for values in (image, cotangent)]
    norm = float(np.linalg.norm(image) * np.linalg.norm(cotangent))
    for single, double, scale in zip(found("float32"), found("float64"), (*sums, norm), strict=True):
        assert single.dtype == torch.float32
        assert_close(single, double, tolerance=8 * EPS["float32"] * scale)


def test_what_needs_no_gradient_is_not_kept(torch):
    """The image is kept for the kernel's gradient alone."""
    x = torch.rand(6, 6, requires_grad=True)
    assert gpuconv.convolve(x, np.ones((3, 3))).grad_fn.saved_tensors == (None, None)
    assert not gpuconv.convolve(x.detach(), np.ones((3, 3))).requires_grad
    with torch.inference_mode():
        assert not gpuconv.convolve(x, torch.ones(3, 3)).requires_grad


def test_a_kernel_that_changes_before_the_gradient_is_noticed(torch):
    x, kernel = torch.rand(6, requires_grad=True), torch.rand(3, requires_grad=True)
    weights = kernel * 1
    y = gpuconv.convolve(x, weights)
    assert torch.autograd.grad(y.sum(), kernel)[0].shape == (3,)
    y = gpuconv.convolve(x * 1, kernel)
    with torch.no_grad():
        kernel += 1
    # convolve reverses the kernel, and what it keeps is the reversed copy.
    assert torch.isfinite(torch.autograd.grad(y.sum(), x)[0]).all()


def test_nothing_of_torchs_compiler_is_loaded(run_python):
    """Loading it takes seconds."""
    code = """
import sys, torch, numpy as np, gpuconv
x = torch.rand(5, 6, requires_grad=True)
gpuconv.convolve(x, np.ones((3, 3)), boundary="reflect").sum().backward()
print("torch._dynamo" in sys.modules)
"""
    assert run_python(code).split() == ["False"]


def test_layers_train(torch):
    """A kernel is found again from what it does, by an optimiser of torch."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(8, 20, 20, generator=generator)
    wanted = torch.rand(3, 3, generator=generator)
    target = gpuconv.convolve(x, wanted, axes=(1, 2), boundary="wrap")
    kernel = torch.nn.Parameter(torch.zeros(3, 3))
    optimiser = torch.optim.LBFGS([kernel], max_iter=30)

    def closure():
        optimiser.zero_grad()
        loss = (gpuconv.convolve(x, kernel, axes=(1, 2), boundary="wrap") - target).square().mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    assert_close(kernel.detach(), wanted, tolerance=1e-3)


# What an engine would lose something of runs in generic.


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_tangents_of_forward_mode_are_carried(torch, engine):
    import torch.autograd.forward_ad as forward

    x, kernel = torch.rand(5, 6, dtype=torch.float64), np.ones((3, 3))
    with forward.dual_level():
        result = gpuconv.convolve(forward.make_dual(x, 2 * x), kernel)
        tangent = forward.unpack_dual(result).tangent
    assert engine == []
    assert_close(tangent, 2 * gpuconv.convolve(x, kernel), tolerance=1e-13)


@pytest.mark.parametrize("method", ["direct", "fft"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_gradients_of_many_losses_at_once(torch, boundary, method):
    x = torch.rand(4, 5, dtype=torch.float64, requires_grad=True)
    kernel = torch.rand(3, 2, dtype=torch.float64, requires_grad=True)
    y = gpuconv.convolve(x, kernel, boundary=boundary, method=method)
    cotangents = torch.rand(3, 4, 5, dtype=torch.float64)
    alone = [torch.autograd.grad(y, (x, kernel), cotangent, retain_graph=True) for cotangent in cotangents]
    together = torch.autograd.grad(y, (x, kernel), cotangents, is_grads_batched=True, retain_graph=True)
    mapped = torch.vmap(lambda cotangent: torch.autograd.grad(y, (x, kernel), cotangent, retain_graph=True))(cotangents)
    for results, position in itertools.product((together, mapped), range(3)):
        for one, other in zip(results, alone[position], strict=True):
            assert_close(one[position], other, tolerance=1e-13)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_jacobians_and_hessians_of_all_kinds(torch):
    x = torch.rand(3, 2, dtype=torch.float64)
    kernel = torch.rand(2, 2, dtype=torch.float64)

    def function(a, b):
        return gpuconv.convolve(a, b, boundary="wrap").square().sum()

    expected = torch.autograd.functional.hessian(function, (x, kernel))
    vectorized = torch.autograd.functional.hessian(function, (x, kernel), vectorize=True)
    forward_first = torch.func.hessian(function, argnums=(0, 1))(x, kernel)
    for rows in (vectorized, forward_first):
        for one, other in zip(itertools.chain(*rows), itertools.chain(*expected), strict=True):
            assert_close(one, other, tolerance=1e-12)


def test_kernels_wrapped_by_torch_func_are_not_lent(torch, engine):
    x = torch.rand(5, dtype=torch.float64)
    kernels = torch.rand(4, 3, dtype=torch.float64)
    mapped = torch.func.vmap(lambda kernel: gpuconv.convolve(x, kernel))(kernels)
    slopes = torch.func.grad(lambda kernel: gpuconv.convolve(x, kernel).sum())(kernels[0])
    assert engine == []
    for one, kernel in zip(mapped, kernels, strict=True):
        assert_close(one, gpuconv.convolve(x, kernel), tolerance=1e-14)
    assert slopes.shape == (3,)


def test_tensors_that_need_gradients_go_through_torch_func_as_constants(torch):
    """A module's parameter inside a transformation of something else."""
    x = torch.rand(5, dtype=torch.float64, requires_grad=True)
    kernels = torch.rand(2, 3, dtype=torch.float64)
    mapped = torch.func.vmap(lambda kernel: kernel.sum() * gpuconv.convolve(x, np.ones(3)))(kernels)
    assert_close(mapped[1], kernels[1].sum() * gpuconv.convolve(x, np.ones(3)).detach(), tolerance=1e-13)


@pytest.mark.filterwarnings("ignore")  # of torch about itself
def test_compiled_functions_give_the_same(torch):
    x = torch.rand(6, 7, dtype=torch.float64, requires_grad=True)
    kernel = torch.rand(3, 3, dtype=torch.float64, requires_grad=True)

    def function(a, b):
        return gpuconv.convolve(2 * a, b, boundary="reflect").square()

    expected = function(x, kernel)
    slopes = torch.autograd.grad(expected.sum(), (x, kernel))
    compiled = torch.compile(function, backend="eager")(x, kernel)
    assert_close(compiled, expected, tolerance=1e-13)
    for one, other in zip(torch.autograd.grad(compiled.sum(), (x, kernel)), slopes, strict=True):
        assert_close(one, other, tolerance=1e-12)


@pytest.mark.filterwarnings("ignore")  # of torch about itself
@pytest.mark.parametrize("kernel", [np.arange(9.0).reshape(3, 3), [[1, 2], [2, 4]]], ids=["NumPy", "list"])
def test_compiled_functions_take_large_images_and_kernels_of_others(torch, kernel):
    """Large enough for looking at the kernel, of which torch.compile knows no value."""
    x = torch.rand(600, 700, dtype=torch.float64)

    def function(a):
        return gpuconv.convolve(a, kernel, boundary="reflect")

    compiled = torch.compile(function, backend="eager")(x)
    assert_close(compiled, function(x), tolerance=1e-11)


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_recorded_functions_keep_their_operations(torch, engine, method):
    from torch.fx.experimental.proxy_tensor import make_fx

    def function(a):
        return gpuconv.convolve(a, np.ones((3, 3)), boundary="reflect", method=method)

    x = torch.rand(6, 7, dtype=torch.float64)
    recorded = make_fx(function)(x)
    assert engine == []
    assert_close(recorded(x + 1), function(x + 1), tolerance=1e-13)


def test_tensors_without_values_give_sizes(torch):
    from torch._subclasses.fake_tensor import FakeTensorMode

    assert gpuconv.convolve(torch.rand(6, 7, device="meta"), np.ones((3, 3)), mode="full").shape == (8, 9)
    with FakeTensorMode():
        assert gpuconv.convolve(torch.rand(6, 7), np.ones((3, 3)), mode="full").shape == (8, 9)


def test_subclasses_keep_their_class(torch, engine):
    class Labelled(torch.Tensor):
        pass

    x = torch.rand(5, 4).as_subclass(Labelled)
    assert type(gpuconv.convolve(x, np.ones((2, 2)))) is Labelled
    assert engine == []


# Who runs it, and why not.


def problem_of(torch, **changes):
    return replace(gpuconv.plan_convolution(torch.rand(4, 5), np.ones((3, 3))).problem, **changes)


@pytest.mark.parametrize("primitive", backend.TABLE)
def test_the_reasons_against_lending_are_sentences(torch, monkeypatch, primitive):
    why_not = backend.TABLE[primitive].why_not
    assert why_not(problem_of(torch, traced=True)).startswith("values that do not exist yet")
    assert why_not(problem_of(torch, device="mps:0")) == "no engine reads the memory of device mps:0"
    monkeypatch.setattr("gpuconv.backends.engines.has_cupy", lambda: False)
    on_cuda = problem_of(torch, device="cuda:1")
    assert why_not(on_cuda) == "arrays in CUDA memory are lent to CuPy, which is not installed (extras cuda12, cuda13)"
    monkeypatch.setattr("gpuconv.backends.engines.has_cupy", lambda: True)
    monkeypatch.setattr(registry, "BACKENDS", (Fake("fake", "cupy", "for this test", {}), *registry.BACKENDS))
    monkeypatch.setattr("gpuconv.backends.engines.LIBRARIES", {"cuda": "nobody's"})
    assert why_not(on_cuda) == f"there is no engine for {primitive} on nobody's arrays"


class Fake(registry.Backend):
    """A backend of which the rows are given."""

    def __init__(self, name, library, summary, rows):
        super().__init__(name, library, summary)
        object.__setattr__(self, "rows", rows)

    def table(self):
        return self.rows


def test_an_engine_that_refuses_gives_its_own_sentence(torch, monkeypatch):
    def why_not(problem):
        return f"{problem.library} has other things to do"

    monkeypatch.setitem(cpu.TABLE, "correlate_windows", Implementation(lambda *_: None, why_not))
    assert backend.TABLE["correlate_windows"].why_not(problem_of(torch)) == "numpy has other things to do"
    registry._select.cache_clear()
    try:
        plan = gpuconv.plan_convolution(torch.rand(4, 5), np.ones((3, 3)), method="direct")
        assert plan.backend == "generic"
    finally:
        registry._select.cache_clear()


def test_a_gradient_that_the_engine_refuses_runs_in_generic(torch, engine, monkeypatch):
    """It is another problem than the forward one, and may be too much where that was not."""
    row = cpu.TABLE["correlate_windows"]
    picky = replace(row, why_not=lambda problem: "seven samples are too many" if 7 in problem.shape else None)
    monkeypatch.setitem(cpu.TABLE, "correlate_windows", picky)
    x = torch.rand(5, 6, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(gpuconv.convolve(x, np.ones((3, 2)), mode="full").sum(), x)
    assert [name for name, *_ in engine] == ["correlate_windows"]
    assert slope.tolist() == [[6.0] * 6] * 5


def test_use_backend_goes_past_the_engine_or_to_it(torch, engine):
    x = torch.rand(4, 5)
    for name, runs in (("generic", 0), ("cpu", 0), ("torch", 1), (None, 1)):
        engine.clear()
        with gpuconv.use_backend(name):
            assert gpuconv.plan_convolution(x, np.ones((3, 3))).backend == ("torch" if runs else "generic")
            gpuconv.convolve(x, np.ones((3, 3)))
        assert len(engine) == runs


@pytest.mark.parametrize("size", [40, 2000])
@pytest.mark.parametrize("taps", [3, 9, 63])
def test_plans_are_those_of_the_engine(torch, size, taps):
    kernel = draw((taps, taps), "float64", "kernel")
    x = np.broadcast_to(np.float32(0), (size, size))
    here = gpuconv.plan_convolution(torch.from_numpy(x.copy()), kernel)
    there = gpuconv.plan_convolution(x, kernel)
    assert (here.method, here.estimates) == (there.method, there.estimates)
    without = gpuconv.plan_convolution(torch.empty(size, size, device="meta"), kernel)
    assert without.backend == "generic"
    assert without.estimates != there.estimates


# CUDA, with a stand-in for CuPy.


class StandIn:
    """CuPy as far as tensors are lent to it, on NumPy arrays; notes what is entered and left."""

    def __init__(self):
        self.events = []
        self.cuda = self

    def _entered(self, *what):
        events = self.events

        class Entered:
            def __enter__(self):
                events.append(("enter", *what))

            def __exit__(self, *_):
                events.append(("exit", *what))

        return Entered()

    def Device(self, index):
        return self._entered("device", index)

    def ExternalStream(self, pointer, index):
        return self._entered("stream", pointer, index)

    def from_dlpack(self, tensor):
        self.events.append("lend")
        return np.from_dlpack(tensor)


def test_cuda_tensors_are_lent_on_the_current_stream_of_their_device(torch, monkeypatch):
    from gpuconv.backends import torch_memory

    cupy = StandIn()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=4242))
    x, kernel = torch.rand(5, 6), torch.rand(3)

    class OnDevice:
        """A tensor that says it lies on the second device."""

        device = SimpleNamespace(type="cuda", index=1)

        def detach(self):
            return x.detach()

    def row(lent, weights, number):
        cupy.events.append(("run", type(lent), type(weights)))
        return lent * number

    result = torch_memory.run_on_engine(row, OnDevice(), kernel, 2)
    assert cupy.events == [
        ("enter", "device", 1),
        ("enter", "stream", 4242, 1),
        "lend",
        "lend",
        ("run", np.ndarray, np.ndarray),
        ("exit", "stream", 4242, 1),
        ("exit", "device", 1),
    ]
    assert isinstance(result, torch.Tensor)
    assert_close(result, 2 * x, tolerance=0)


def test_cuda_problems_are_put_to_the_engine_for_cupy(torch, monkeypatch):
    asked = []

    def why_not(problem):
        asked.append((problem.library, problem.device))
        return None if problem.shape == (4, 5) else "another size"

    rows = {"correlate_windows": Implementation(lambda *_: None, why_not)}
    monkeypatch.setattr("gpuconv.backends.engines.has_cupy", lambda: True)
    monkeypatch.setattr(registry, "BACKENDS", (Fake("fake", "cupy", "for this test", rows), *registry.BACKENDS))
    problem = problem_of(torch, device="cuda:0")
    assert backend.TABLE["correlate_windows"].why_not(problem) is None
    assert backend.TABLE["correlate_windows"].why_not(replace(problem, shape=(4, 6))) == "another size"
    assert asked == [("cupy", "cuda:0")] * 2


def test_transforms_are_left_to_torch():
    problem = TransformProblem("torch", "cpu", False, (4, 5), "float64", (0,), (4,))
    assert registry.selected_backend("fourier_forward", problem) == "generic"
    reasons = dict(registry.explain("fourier_forward", problem))
    assert reasons["torch"] == "torch has no fourier_forward of its own"


@pytest.mark.parametrize("as_tensor", [False, True])
def test_gradients_are_those_of_the_kernel_as_it_was(torch, as_tensor):
    x = torch.ones(6, dtype=torch.float64, requires_grad=True)
    kernel = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64) if as_tensor else np.array([1.0, 2.0, 3.0])
    y = gpuconv.correlate(x, kernel, boundary="wrap")
    kernel[:] = 0.0
    y.sum().backward()
    assert x.grad.tolist() == [6.0] * 6
