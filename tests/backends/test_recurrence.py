"""`linear_recurrence`: its definition, step by step, on every library and backend."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gpuconv.backends import cpu, generic
from gpuconv.backends.generic.recurrence import RecurrenceProblem, echo, transitions
from gpuconv.backends.registry import select, selected_backend, use_backend
from gpuconv.core.namespace import device_of
from tests.assertions import EPS, assert_close, assert_same_home
from tests.libraries import dtype_name, library_of, make, name_of, open_library, why_absent
from tests.recurrences import allowed, feedback_of, recur

DTYPES = ("float32", "float64", "complex64", "complex128")
# Poles of stable filters, alone and beside each other.
POLES = {1: (-0.6,), 2: (0.7 + 0.5j, 0.7 - 0.5j), 3: (0.9, -0.5, 0.2), 4: (0.8j, -0.8j, 0.9, 0.3)}


def run(x, feedback, axis, initial=None):
    problem = RecurrenceProblem(
        library_of(x), str(device_of(x)), False, tuple(x.shape), dtype_name(x), axis, len(feedback)
    )
    return select("linear_recurrence", problem)(x, feedback, axis, initial)


def values(rng, shape, dtype):
    real = rng.standard_normal(shape)
    return (real + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else real).astype(dtype)


def shared_out(xp, cases, turn, turns):
    """All cases; on JAX, which compiles for each half a second, those of one turn: all turns together have them all."""
    return cases[turn % turns :: turns] if name_of(xp) == "jax" else cases


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", POLES)
def test_every_output_feeds_back_the_ones_before(xp, rng, order, dtype):
    feedback = feedback_of(POLES[order])
    cases = list(itertools.product(sorted({0, 1, max(order - 1, 0), order, 17, 100}), (False, True)))
    for size, begun in shared_out(xp, cases, DTYPES.index(dtype), len(DTYPES)):
        x = values(rng, (2, size), dtype)
        initial = values(rng, (2, order), dtype) if begun else None
        expected = recur(x, feedback, -1, initial)
        given = make(xp, x)
        result = run(given, feedback, -1, None if initial is None else make(xp, initial))
        assert_same_home(result, given)
        assert_close(result, expected, tolerance=allowed(dtype, feedback, expected, -1), case=(size, begun))


@pytest.mark.parametrize("order", POLES)
def test_long_lines_and_every_axis(xp, rng, order):
    feedback = feedback_of(POLES[order])
    cases = ((-1, (3, 1000)), (-2, (1000, 2)), (-3, (1000, 2, 2)), (-2, (2, 1000, 1)), (-1, (1000,)))
    for axis, shape in shared_out(xp, cases, order - 1, 3):
        x = values(rng, shape, "float64")
        begin = tuple(order if place == axis % len(shape) else size for place, size in enumerate(shape))
        initial = values(rng, begin, "float64")
        expected = recur(x, feedback, axis, initial)
        result = run(make(xp, x), feedback, axis, make(xp, initial))
        assert_close(result, expected, tolerance=allowed("float64", feedback, expected, axis), case=(axis, shape))


def test_complex_coefficients_make_real_lines_complex(xp, rng):
    feedback = feedback_of((0.6 + 0.6j, -0.3j))
    for dtype, name in (("float32", "complex64"), ("float64", "complex128"), ("complex64", "complex64")):
        x = values(rng, (3, 50), dtype)
        expected = recur(x, feedback, -1)
        result = run(make(xp, x), feedback, -1)
        assert dtype_name(result) == name
        assert_close(result, expected, tolerance=allowed(name, feedback, expected, -1), case=dtype)


@pytest.mark.parametrize("cut", [1, 2, 3, 16, 40, 63])
def test_a_line_goes_on_from_its_last_outputs(xp, rng, cut):
    feedback = feedback_of(POLES[3])
    x, initial = values(rng, (2, 64, 2), "float64"), values(rng, (2, 3, 2), "float64")
    expected = recur(x, feedback, -2, initial)
    head = run(make(xp, x[:, :cut]), feedback, -2, make(xp, initial))
    last = xp.concat([make(xp, initial), head], axis=1)[:, -3:, :]
    tail = run(make(xp, x[:, cut:]), feedback, -2, last)
    assert_close(
        xp.concat([head, tail], axis=1), expected, tolerance=allowed("float64", feedback, expected, -2), case=cut
    )


@pytest.mark.parametrize("backend", ["cpu", "generic"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_slow_decay_and_growth(rng, backend, dtype):
    cases = (
        ("a pole at 0.999", feedback_of((0.999,)), 20_000),
        ("two poles at 0.99", feedback_of((0.99, 0.99)), 3_000),
        ("a ringing of 0.9999", feedback_of((0.9999 * np.exp(0.3j), 0.9999 * np.exp(-0.3j))), 5_000),
        ("growth by 1.1", feedback_of((1.1, 0.5)), 120),
    )
    for case, feedback, size in cases:
        x = values(rng, (2, size), dtype)
        expected = recur(x.astype(float), feedback, -1)
        with use_backend(backend):
            result = run(x, feedback, -1)
        assert_close(result, expected, tolerance=allowed(dtype, feedback, expected, -1), case=case)


def test_the_row_for_numpy_arrays_sums_in_double_precision(rng):
    """A constant through poles near one: steps of single precision would be off by a thousand eps."""
    feedback = feedback_of((0.999, 0.99))
    x = np.ones((1, 20_000), np.float32)
    result = cpu.TABLE["linear_recurrence"].function(x, feedback, -1)
    assert_close(result, recur(x.astype(float), feedback, -1), tolerance=EPS["float32"] / 2 * 1e5 * 1.01)


@pytest.mark.parametrize("backend", ["cpu", "generic"])
def test_four_poles_near_one_lose_no_more_than_documented(rng, backend):
    """Single precision as if done in order; in double precision states cancel, by 1e-7 of the largest output."""
    feedback = feedback_of((0.98, 0.97, 0.96, 0.95))
    for x in (values(rng, (2, 2_000), "float64"), np.ones((2, 2_000))):
        expected = recur(x, feedback, -1)
        with use_backend(backend):
            assert_close(run(x, feedback, -1), expected, tolerance=1e-7 * abs(expected).max())
            narrow = x.astype("float32")
            expected = recur(narrow, feedback, -1)
            in_order = 1e5 * EPS["float32"] * abs(expected).max()  # measured, summing in single precision
            assert_close(run(narrow, feedback, -1), expected, tolerance=in_order)


@pytest.mark.parametrize("backend", ["cpu", "generic"])
def test_any_strides(rng, backend):
    feedback = feedback_of(POLES[2])
    x, initial = values(rng, (6, 80), "float64"), values(rng, (6, 4), "float64")
    with use_backend(backend):
        for given, begun in ((x[::2, ::-1], initial[::2, ::-2]), (x.T[::3].T[3:], initial.T[::2].T[3:])):
            kept = given.copy()
            expected = recur(given, feedback, -1, begun)
            result = run(given, feedback, -1, begun)
            assert_close(result, expected, tolerance=allowed("float64", feedback, expected, -1))
            assert np.array_equal(given, kept)


@pytest.mark.parametrize("backend", ["cpu", "generic"])
@pytest.mark.parametrize("order", [5, 16, 20])
def test_many_outputs_fed_back(rng, backend, order):
    feedback = feedback_of(0.8 * np.exp(2j * np.pi * np.arange(order) / order) * np.where(np.arange(order), 1, 0.5))
    for size in (order - 1, order, 3 * order + 1):
        x, initial = values(rng, (2, size), "float64"), values(rng, (2, order), "float64")
        expected = recur(x, feedback, -1, initial)
        with use_backend(backend):
            result = run(x, feedback, -1, initial)
        assert_close(result, expected, tolerance=allowed("float64", feedback, expected, -1), case=size)


@pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning")
def test_nothing_comes_before_its_cause(xp, rng):
    """No output depends on later samples: neither by NaN nor by a bit."""
    feedback = feedback_of(POLES[2])
    x = values(rng, (2, 100), "float64")
    clean = np.asarray(run(x, feedback, -1))
    for bad in (np.nan, np.inf, 1e300):
        spoilt = x.copy()
        spoilt[:, 37] = bad
        before = run(make(xp, spoilt), feedback, -1)[:, :37]
        assert_close(before, clean[:, :37], tolerance=allowed("float64", feedback, clean, -1), case=bad)
        unspoilt = run(make(xp, x), feedback, -1)[:, :37]
        assert_close(before, unspoilt, tolerance=0.0, case=bad)


@pytest.mark.skipif(why_absent("torch") is not None, reason=str(why_absent("torch")))
def test_gradients_of_torch(rng):
    open_library("torch")
    import torch

    feedback = feedback_of(POLES[2])
    x, initial = (torch.tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((2, 37, 2), (2, 2, 2)))
    assert torch.autograd.gradcheck(lambda x, initial: run(x, feedback, -2, initial), (x, initial))
    mapped = torch.func.vmap(lambda line: generic.TABLE["linear_recurrence"].function(line, feedback, -1))(x.detach())
    assert_close(mapped, recur(x.detach().numpy(), feedback, -1), tolerance=1e-14)


@pytest.mark.skipif(why_absent("jax") is not None, reason=str(why_absent("jax")))
def test_gradients_and_compilation_of_jax(rng):
    open_library("jax")
    import jax

    feedback = feedback_of(POLES[3])
    x, initial, weight = (values(rng, shape, "float64") for shape in ((2, 70), (2, 3), (2, 70)))

    def total(x, initial):
        return (weight * run_generic(x, feedback, -1, initial)).sum()

    run_generic = generic.TABLE["linear_recurrence"].function
    compiled = jax.jit(lambda x, initial: run_generic(x, feedback, -1, initial))(x, initial)
    assert_close(compiled, recur(x, feedback, -1, initial), tolerance=1e-13)
    # The transpose: the same recurrence from the end, by linearity in x and in what went before.
    of_x, of_initial = jax.jit(jax.grad(total, argnums=(0, 1)))(x, initial)
    assert_close(of_x, recur(weight[:, ::-1], feedback, -1)[:, ::-1], tolerance=1e-13)
    units = [recur(np.zeros((1, 70)), feedback, -1, unit[np.newaxis]) for unit in np.eye(3)]
    assert_close(of_initial, np.stack([(weight * unit).sum(axis=-1) for unit in units], axis=-1), tolerance=1e-13)


def test_dask_arrays_stay_lazy_and_keep_their_chunks(rng):
    dask = pytest.importorskip("dask.array")
    feedback = feedback_of(POLES[2])
    x, initial = rng.random((12, 40)), rng.random((12, 2))
    for chunks in ((12, 40), (5, 7), ((1, 11), (3, 30, 7))):
        lazy = dask.from_array(x, chunks=chunks)
        for begun in (initial, dask.from_array(initial, chunks=(4, 1))):
            result = run(lazy, feedback, -1, begun)
            assert result.chunks == lazy.chunks
            assert_close(result, recur(x, feedback, -1, initial), tolerance=1e-14, case=chunks)


def test_engines_run_the_lines_of_torch(rng):
    if why_absent("torch") is None:
        x = make(open_library("torch"), rng.random((2, 5)))
        problem = RecurrenceProblem("torch", "cpu", False, (2, 5), "float64", -1, 2)
        assert selected_backend("linear_recurrence", problem) == "torch"
        expected = cpu.TABLE["linear_recurrence"].function(x.numpy(), np.array([0.5, 0.1]), -1)
        assert_close(run(x, np.array([0.5, 0.1]), -1), expected, tolerance=0.0)


def test_matrices_step_from_state_to_state(rng):
    for poles in POLES.values():
        feedback = feedback_of(poles)
        order = len(feedback)
        state = rng.standard_normal(order)
        line = np.concatenate([state, recur(np.zeros(21), feedback, -1, state)])
        assert_close(echo(feedback, 21) @ state, line[order:], tolerance=1e-14)
        for length in (0, 1, order, 21):
            (matrix,) = transitions(feedback, length, 1)
            assert_close(matrix @ state, line[length : length + order], tolerance=1e-14)


@pytest.mark.skipif(why_absent("jax") is not None, reason=str(why_absent("jax")))
def test_jax_without_double_precision_carries_in_single(run_python):
    code = """
import numpy as np, jax
from gpuconv.backends.generic.recurrence import linear_recurrence
from tests.recurrences import allowed, feedback_of, recur
feedback, x = feedback_of((0.7 + 0.5j, 0.7 - 0.5j)), np.random.default_rng(0).normal(size=(2, 500)).astype("float32")
y, expected = linear_recurrence(jax.numpy.asarray(x), feedback, -1), recur(x, feedback, -1)
print(y.dtype, bool(abs(np.asarray(y) - expected).max() < allowed("float32", feedback, expected, -1)))
"""
    assert run_python(code, JAX_ENABLE_X64="0").split() == ["float32", "True"]
