"""A repeated call finds what the first one has worked out, and only if nothing that counts is another."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

import gpuconv
from gpuconv import filters
from gpuconv.core.arguments import are_numbers
from gpuconv.core.namespace import NUMPY, home_of
from gpuconv.core.remembered import forget, remembered
from gpuconv.methods import describe, passes, plan, repeat
from gpuconv.methods.describe import Options, pose
from gpuconv.methods.passes import pose_passes
from gpuconv.methods.repeat import ENTRIES, facts_of, recalled
from tests import reference

X = np.random.default_rng(0).normal(size=(12, 11)).astype(np.float32)
KERNEL = np.arange(1.0, 10.0).reshape(3, 3) ** 2

CALLS = {
    "window": lambda x, **options: gpuconv.convolve(x, KERNEL, **options),
    "line": lambda x, **options: gpuconv.convolve(x, KERNEL[0], axes=1, **options),
    "passes": lambda x, **options: gpuconv.convolve_separable(x, [KERNEL[0], KERNEL[1]], **options),
    "gaussian": lambda x, **options: filters.gaussian(x, 1.5, **options),
    "uniform": lambda x, **options: filters.uniform(x, 3, **options),
    "sobel": lambda x, **options: filters.sobel(x, **options),
    "laplace": lambda x, **options: filters.laplace(x, **options),
}


@pytest.fixture(params=CALLS)
def call(request):
    return CALLS[request.param]


def fresh(call, x, **options):
    """What a first call gives."""
    forget()
    return call(x, **options)


def test_the_second_call_prepares_nothing(call, monkeypatch):
    expected = call(X)
    for module, name in ((describe, "_pose_all"), (passes, "_pose_all"), (plan, "choose_plan"), (repeat, "image_of")):
        monkeypatch.setattr(module, name, lambda *arguments: pytest.fail("worked out anew"))
    assert np.array_equal(call(X), expected)


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "uint8", "int16", "int32", "complex64", ">f4", ">i2"]
)
def test_the_dtype_is_part_of_the_key(call, dtype):
    call(X)
    given = (40 * X).astype(dtype)
    repeated = call(given)
    first = fresh(call, given)
    assert repeated.dtype == first.dtype
    assert np.array_equal(repeated, first)
    assert np.array_equal(repeated, fresh(call, given.astype(given.dtype.newbyteorder("="))))


def test_the_shape_is_part_of_the_key(call):
    call(X)
    for shape in ((11, 12), (12, 1, 11), (6, 22)):
        given = X.reshape(shape)
        if call is CALLS["passes"] and len(shape) == 3:
            continue
        if call is CALLS["window"] and len(shape) == 3:
            with pytest.raises(ValueError, match="one dimension per convolved axis"):
                call(given)
            continue
        assert call(given).shape == shape
        assert np.array_equal(call(given), fresh(call, given))


def test_layouts_of_memory_give_the_same_samples(call):
    expected = call(X)
    wide = np.zeros((24, 33), np.float32)
    wide[::2, ::3] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"." + X.tobytes(), np.float32, offset=1).reshape(X.shape)
    for given in (np.asfortranarray(X), wide[::2, ::3], X[::-1, ::-1].copy()[::-1, ::-1], read_only, unaligned):
        result = call(given)
        assert np.array_equal(result, expected)
        assert result.flags.writeable
    broadcast = np.broadcast_to(X[0], X.shape)
    assert np.array_equal(call(broadcast), call(broadcast.copy()))


def test_samples_that_were_written_over_count(call):
    x = X.copy()
    before = call(x)
    x[3, 4] += 1
    assert not np.array_equal(call(x), before)
    assert np.array_equal(call(x), fresh(call, x))


def test_results_share_no_memory(call):
    one, two = call(X), call(X)
    assert not np.shares_memory(one, two)
    assert not np.shares_memory(one, X)
    one[...] = 0
    assert not np.array_equal(call(X), one)


def test_subclasses_and_sequences_are_read_as_before(call):
    class Labelled(np.ndarray):
        pass

    expected = call(X)
    assert type(call(X.view(Labelled))) is np.ndarray
    assert np.array_equal(call(X.view(Labelled)), expected)
    with pytest.raises(TypeError, match="plain array"):
        call(np.ma.masked_array(X))
    assert np.allclose(call(X.tolist()), expected, rtol=1e-5, atol=1e-4)


def test_out_may_be_new_or_the_image_itself_or_of_another_dtype(call):
    expected = call(X)
    for _ in range(2):
        out = np.zeros(X.shape, np.float64)
        assert call(X, out=out) is out
        assert np.allclose(out, expected, rtol=1e-6)
        whole = np.zeros(X.shape, np.int16)
        call(X, out=whole)
        assert np.array_equal(whole, np.rint(expected).astype(np.int16))
        same = X.copy()
        assert call(same, out=same) is same
        assert np.array_equal(same, expected)
        overlapping = np.vstack([X, X])
        call(overlapping[: len(X)], out=overlapping[1 : 1 + len(X)])
        assert np.array_equal(overlapping[1 : 1 + len(X)], expected)
        with pytest.raises(ValueError, match="out must have the shape of the result"):
            call(X, out=np.zeros((3, 3), np.float32))
        with pytest.raises(ValueError, match="out must be writeable"):
            call(X, out=np.broadcast_to(np.float32(0), X.shape))
        assert call(X).dtype == np.float32


@pytest.mark.parametrize("fill", [0.0, -0.0, 0, 1, 2.5, -1e30, np.inf, np.nan, np.float32(0.5), np.array(3)])
def test_fill_values_are_read_at_every_call(call, fill):
    options = {"boundary": "constant"}
    call(X, **options, cval=7.0)
    for _ in range(2):
        result = call(X, **options, cval=fill)
        np.testing.assert_array_equal(result, fresh(call, X, **options, cval=fill))
    for wrong in ("0", True, None):
        with pytest.raises(TypeError, match="cval must be a number"):
            call(X, **options, cval=wrong)


def test_boundaries_are_part_of_the_key(call):
    results = []
    for boundary in ("constant", "reflect", "mirror", "nearest", "wrap", ["wrap"], ("nearest",)):
        if isinstance(boundary, (list, tuple)):
            boundary = type(boundary)(boundary * (1 if call is CALLS["line"] else 2))
        results.append(call(X, boundary=boundary))
        assert np.array_equal(results[-1], fresh(call, X, boundary=boundary))
    # Three taps reach one sample beyond an end, where "reflect" and "nearest" agree.
    assert len({result.tobytes() for result in results}) >= 4
    assert np.array_equal(results[5], results[4])
    assert np.array_equal(results[6], results[3])


def test_modes_origins_methods_and_accuracy_are_part_of_the_key():
    seen = []
    for options in (
        {},
        {"mode": "full"},
        {"mode": "valid"},
        {"origin": 1},
        {"origin": (0, 1)},
        {"method": "fft"},
        {"accuracy": "local"},
    ):
        result = gpuconv.convolve(X, KERNEL, **options)
        assert np.array_equal(result, fresh(CALLS["window"], X, **options))
        seen.append((result.shape, result.tobytes()))
    assert len(set(seen[:6])) == 6
    assert seen[6] == seen[0]
    assert not np.array_equal(gpuconv.correlate(X, KERNEL), gpuconv.convolve(X, KERNEL))


def test_kernels_are_told_apart_by_their_values_dtype_and_shape():
    kernels = [KERNEL, KERNEL.T, KERNEL.astype(np.float32), KERNEL.astype(np.int64), -KERNEL, KERNEL[::-1]]
    kernels += [KERNEL.astype(">f8"), KERNEL + 0j, np.asfortranarray(KERNEL), KERNEL.reshape(1, 9), -0.0 * KERNEL]
    repeated = [gpuconv.convolve(X, kernel) for _ in range(2) for kernel in kernels][len(kernels) :]
    for kernel, result in zip(kernels, repeated, strict=True):
        forget()
        first = gpuconv.convolve(X, kernel)
        assert (result.dtype, result.tobytes()) == (first.dtype, first.tobytes())
    ones = np.ones((12, 11), np.int32)
    assert gpuconv.convolve(ones, np.ones((3, 3), np.int8)).dtype == np.int64
    assert gpuconv.convolve(ones, np.ones((3, 3))).dtype == np.float64
    assert gpuconv.convolve(ones.astype(np.uint8), np.ones((3, 3), np.int8)).dtype == np.int32


@pytest.mark.parametrize("name", ["sigma", "truncate"])
def test_numbers_that_are_equal_are_kept_once_and_those_that_are_no_numbers_stay_refused(name):
    given = {"sigma": 2, "truncate": 3}
    assert np.array_equal(
        filters.gaussian(X, **given), filters.gaussian(X, **{key: float(v) for key, v in given.items()})
    )
    filters.gaussian(X, **(given | {name: 1}))
    for wrong in (True, np.True_, "1", 1 + 0j):
        with pytest.raises(TypeError, match=f"{name} must be a real number"):
            filters.gaussian(X, **(given | {name: wrong}))
    with pytest.raises(ValueError, match=f"{name} must not be negative"):
        filters.gaussian(X, **(given | {name: -1}))
    several = filters.gaussian(X, **(given | {name: (1, 2.5)}))
    assert np.array_equal(several, filters.gaussian(X, **(given | {name: [1, 2.5]})))
    assert np.array_equal(several, filters.gaussian(X, **(given | {name: np.array([1, 2.5])})))


def test_numbers_for_a_key_are_ints_floats_none_and_tuples_of_them():
    assert are_numbers(None, 1, 2.5, (1, 2.5), ())
    for value in (True, np.float64(1), 1j, "1", [1], (True,), ((1,),)):
        assert not are_numbers(1, value)


@pytest.mark.parametrize("wrong", [True, 1.0, np.True_, (True, 1), (1.0, 1)])
def test_whole_numbers_that_equal_others_are_refused_by_filters_too(wrong):
    for call in (
        lambda value: filters.uniform(X, value),
        lambda value: filters.uniform(X, origin=value),
        lambda value: filters.gaussian(X, 1, order=value),
        lambda value: filters.sobel(X, axes=value) if isinstance(value, tuple) else filters.sobel(X, axis=value),
        lambda value: filters.laplace(X, axes=value),
    ):
        right = (1, 0) if isinstance(wrong, tuple) else 1
        if not isinstance(wrong, tuple):
            call(right)
        with pytest.raises(TypeError, match="must be an integer"):
            call(wrong)


def test_numpy_integers_are_read_like_others():
    assert np.array_equal(filters.uniform(X, np.int64(3)), filters.uniform(X, 3))
    assert np.array_equal(gpuconv.convolve(X, KERNEL, origin=np.int8(1)), gpuconv.convolve(X, KERNEL, origin=1))


def test_the_backend_that_is_asked_for_is_asked_at_every_call(call):
    usual = call(X)
    with gpuconv.use_backend("generic"):
        other = call(X)
        assert np.array_equal(other, fresh(call, X))
    again = call(X)
    assert np.array_equal(again, usual)
    assert again.dtype == other.dtype


def test_a_memory_limit_holds_from_the_next_call_on(rng, monkeypatch):
    monkeypatch.setattr(repeat, "REMEMBERED", 2**20)
    x, kernel = rng.standard_normal(2**17), rng.standard_normal(20_001)
    assert pose(x, NUMPY, kernel, Options("convolve")) is pose(x, NUMPY, kernel, Options("convolve"))
    first = gpuconv.convolve(x, kernel)
    planned = gpuconv.plan_convolution(x, kernel).method
    gpuconv.set_memory_limit(2**20 + 2**12)
    try:
        assert gpuconv.plan_convolution(x, kernel).method != planned
        limited = gpuconv.convolve(x, kernel)
        assert np.array_equal(limited, gpuconv.plan_convolution(x, kernel).execute(x, kernel))
        assert not np.array_equal(limited, first)
    finally:
        gpuconv.set_memory_limit(None)
    assert np.array_equal(gpuconv.convolve(x, kernel), first)


def test_a_plan_runs_its_own_method_after_calls_of_another(rng):
    x, kernel = rng.standard_normal((40, 40)), rng.standard_normal((5, 5))
    direct = gpuconv.convolve(x, kernel, method="direct")
    transformed = gpuconv.plan_convolution(x, kernel, method="fft")
    results = [transformed.execute(x, kernel) for _ in range(2)]
    assert np.array_equal(*results)
    assert not np.array_equal(results[0], direct)
    gpuconv.set_memory_limit(2**22)
    gpuconv.set_memory_limit(None)
    assert np.array_equal(transformed.execute(x, kernel), results[0])


def test_threads_do_not_show(call):
    before = call(X)
    for count in (1, 2, None):
        gpuconv.set_threads(count)
        try:
            assert np.array_equal(call(X), before)
            assert np.array_equal(fresh(call, X), before)
        finally:
            gpuconv.set_threads(None)


def test_no_array_of_the_caller_is_kept_alive(call):
    x, out, kernel = X.copy(), np.zeros(X.shape, np.float32), KERNEL.copy()
    call(x, out=out)
    gpuconv.convolve(x, kernel)
    gpuconv.convolve_separable(x, [kernel[0], kernel[1]])
    references = [weakref.ref(each) for each in (x, out, kernel)]
    del x, out, kernel
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_large_weights_and_arguments_that_are_no_keys_are_worked_out_each_time():
    x, home = np.ones(5000, np.float32), NUMPY
    wide = recalled(filters._taps.pose_gaussian, facts_of(x, home), (0, None, "sampled", None, "reflect"), (90.0, None))
    again = recalled(
        filters._taps.pose_gaussian, facts_of(x, home), (0, None, "sampled", None, "reflect"), (90.0, None)
    )
    assert wide is not again
    assert np.array_equal(wide.weights.weights[0], again.weights.weights[0])
    options = Options("convolve", boundary=["wrap"])
    assert pose(x, home, np.ones(3), options) is not pose(x, home, np.ones(3), options)
    assert pose_passes(x, home, [np.ones(3)], options) is not pose_passes(x, home, [np.ones(3)], options)


def test_what_is_kept_is_bounded():
    for size in range(1, ENTRIES + 20):
        gpuconv.convolve(np.ones(size), [1.0])
    assert describe._remembered.cache_info().currsize <= ENTRIES


def test_what_is_remembered_is_forgotten_together():
    made = []

    @remembered(4)
    def one(key):
        made.append(key)
        return key

    @remembered(4)
    def other(key):
        return one(key)

    assert (other(1), other(1), made) == (1, 1, [1])
    other.cache_clear()
    assert (one(1), made) == (1, [1, 1])
    forget()
    assert (other(1), made) == (1, [1, 1, 1])


def test_many_threads_share_what_is_kept():
    forget()
    kernels = [KERNEL * scale for scale in range(1, 9)]
    expected = [gpuconv.convolve(X, kernel) for kernel in kernels]
    forget()
    wrong = []

    def work(start):
        for turn in range(60):
            place = (start + turn) % len(kernels)
            if not np.array_equal(gpuconv.convolve(X, kernels[place]), expected[place]):
                wrong.append(place)
            if turn % 20 == start:
                forget()

    threads = [threading.Thread(target=work, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_repeated_calls_agree_with_the_definition(call):
    if call is not CALLS["window"]:
        pytest.skip("the others have their definitions in the tests of filters")
    for _ in range(2):
        expected = reference.convolve(X.astype(np.float64), KERNEL)
        np.testing.assert_allclose(gpuconv.convolve(X, KERNEL), expected, rtol=0, atol=1e-6 * np.abs(KERNEL).sum() * 4)


def test_homes_of_other_libraries_have_keys_of_their_own(xp):
    x = xp.asarray(X)
    home = home_of(x)
    facts = facts_of(x, home)
    assert hash(facts) == hash(facts_of(x, home))
    assert (facts == facts_of(X, NUMPY)) == (home is NUMPY)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_whether_a_derivative_is_asked_for_is_asked_at_every_call():
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(X.copy())
    expected = gpuconv.convolve(X, KERNEL)

    def gradient_of(differentiate):
        return differentiate(lambda image: (gpuconv.convolve(image, KERNEL) ** 2).sum())

    def by_hand(loss):
        image = x.clone().requires_grad_(True)
        (found,) = torch.autograd.grad(loss(image), image)
        return found

    for _ in range(2):
        assert np.array_equal(gpuconv.convolve(x, KERNEL).numpy(), expected)
        assert not gpuconv.convolve(x, KERNEL).requires_grad
        first = gradient_of(by_hand)
        second = gradient_of(lambda loss: torch.func.grad(loss)(x))
        assert torch.allclose(first, second, rtol=1e-4, atol=1e-2)
        many = torch.func.vmap(lambda image: gpuconv.convolve(image, KERNEL))(torch.stack([x, 2 * x]))
        assert np.allclose(many[1].numpy(), 2 * expected, rtol=1e-4, atol=1e-2)
        with torch.no_grad():
            assert not gpuconv.convolve(x.clone().requires_grad_(True), KERNEL).requires_grad
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
            tangent = torch.autograd.forward_ad.unpack_dual(gpuconv.convolve(dual, KERNEL)).tangent
            assert np.allclose(tangent.numpy(), gpuconv.convolve(np.ones_like(X), KERNEL))


def test_tensors_of_other_layouts_give_the_same_samples():
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(X.copy())
    expected = gpuconv.convolve(x, KERNEL)
    for given in (x.T.contiguous().T, torch.nn.Parameter(x), x.clone().expand(X.shape)):
        assert np.array_equal(gpuconv.convolve(given, KERNEL).detach().numpy(), expected.numpy())
    z = torch.complex(x, 2 * x)
    conjugated = gpuconv.convolve(z.conj(), KERNEL)
    assert np.allclose(conjugated.resolve_conj().numpy(), gpuconv.convolve(np.conj(z.numpy()), KERNEL))
    for dtype in (torch.bfloat16, torch.float16, torch.uint8):
        again = [gpuconv.convolve(x.abs().to(dtype), KERNEL) for _ in range(2)]
        assert torch.equal(*again)
        assert again[0].dtype == (torch.float32 if dtype == torch.uint8 else dtype)


def test_the_precision_that_jax_may_use_is_part_of_the_key(run_python):
    pytest.importorskip("jax")
    code = """
import jax, numpy as np, gpuconv
for enabled in (True, False, True, False):
    jax.config.update("jax_enable_x64", enabled)
    try:
        print(gpuconv.convolve(jax.numpy.ones(5, "int32"), np.ones(3)).dtype)
    except TypeError as error:
        print("refused")
"""
    assert run_python(code).split() == ["float64", "refused"] * 2
