"""Every method gives what the definition says, and says so where it cannot."""

from __future__ import annotations

import numpy as np
import pytest

import gpuconv
from tests import reference
from tests.assertions import assert_close, assert_same_home
from tests.blocks import blocks_of, short_blocks
from tests.cases import CASES, REPRESENTATIVE, UNSIGNED, Case, draw, grid
from tests.libraries import make

METHODS = ("direct", "fft", "overlap")
FOURIER = ("fft", "overlap")


def cannot(x, case, method):
    """The planner's sentence against a method; None if it can."""
    options = {name: value for name, value in case.options.items() if name != "cval"}
    entry = dict(gpuconv.plan_convolution(x, case.kernel, **options).estimates)[method]
    return entry if isinstance(entry, str) else None


def check(x, case, method):
    """The definition where the method runs; elsewhere a refusal for the one good reason there is."""
    reason = cannot(x, case, method)
    if reason is not None:
        assert method in FOURIER
        assert "integers must be exact" in reason
        with pytest.raises(ValueError, match=f"method='{method}' cannot run this convolution: integers must be exact"):
            gpuconv.convolve(x, case.kernel, method=method, **case.options)
        return
    result = gpuconv.convolve(x, case.kernel, method=method, **case.options)
    assert_same_home(result, x, dtype=case.result_dtype)
    assert_close(result, case.expected, tolerance=case.tolerance(spectral=method in FOURIER), case=(case, method))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", REPRESENTATIVE, ids=str)
def test_every_method_follows_the_definition(xp, case, method):
    with short_blocks():
        check(make(xp, case.image), case, method)


@pytest.mark.parametrize("backend", [None, "generic"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", (*CASES, *UNSIGNED), ids=str)
def test_every_method_follows_the_definition_in_every_case(case, method, backend):
    with gpuconv.use_backend(backend), short_blocks():
        check(case.image, case, method)


@pytest.mark.parametrize("backend", [None, "generic"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_follows_the_definition_on_the_whole_grid(method, backend):
    """Every size, parity, boundary, mode and origin of one axis."""
    with gpuconv.use_backend(backend), short_blocks():
        for case in grid():
            check(case.image, case, method)


RANK_ONE = (
    Case((6, 7), (3, 4), boundary="reflect", origin=(1, -1)),
    Case((6, 7), (3, 4), "float32", boundary=("constant", "wrap"), cval=1.5, mode="full"),
    Case((2, 6, 7), (9, 4), "complex64", axes=(2, 1), boundary=("mirror", "nearest")),
    Case((4, 5, 3), (2, 3, 5), boundary=("wrap", "constant", "reflect"), cval=-2),
    Case((4, 5), (2, 3), "float32", "complex128", boundary="nearest", result="complex64"),
    Case((6, 7), (3, 4), mode="valid"),
    Case((6, 7), (3, 4), "uint8", "int8", boundary="nearest", result="int32"),
    Case((6, 7), (3, 4), "uint8", "int8", cval=200, mode="full", result="int32"),
    Case((4, 3, 3), (3, 2, 2), "int32", "int16", boundary="mirror", result="int64"),
    Case((6, 7), (1, 4), "float32", boundary="wrap"),
)


@pytest.mark.parametrize("case", RANK_ONE, ids=str)
def test_separable_follows_the_definition(xp, case):
    limit = {"int8": 5, "int16": 30}
    taps = [draw((n,), case.kernel_dtype, f"{axis} of {case}", limit) for axis, n in enumerate(case.kernel_shape)]
    kernel = reference.outer(taps)
    kernel = kernel.astype(case.kernel_dtype)
    x = make(xp, case.image)
    result = gpuconv.convolve(x, kernel, method="separable", **case.options)
    assert_same_home(result, x, dtype=case.result_dtype)
    expected = reference.convolve(case.image, kernel, **case.options)
    scale = reference.magnitude(case.image, kernel, **case.options)
    eps = {"float32": 2.0**-23, "complex64": 2.0**-23, "float64": 2.0**-52}.get(case.result_dtype, 0)
    # Taps are met within 4 eps; the rest are the passes' own sums.
    assert_close(result, expected, tolerance=(4 + 4 * np.sqrt(sum(case.kernel_shape))) * eps * scale, case=case)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_low_rank_kernels_meet_their_bound(xp, dtype):
    """Two outer products plus noise below rounding: the error is relative to norms over a footprint."""
    rng = np.random.default_rng(1)
    kernel = sum(np.outer(rng.normal(size=12), rng.normal(size=11)) for _ in range(2))
    x = make(xp, draw((16, 15), dtype, "x"))
    plan = gpuconv.plan_convolution(x, kernel, method="separable", boundary="reflect")
    assert plan.problem.kernel.rank == 2
    assert not plan.problem.kernel.locally_exact
    result = plan.execute(x, kernel)
    values = draw((16, 15), dtype, "x")
    expected = reference.convolve(values, kernel, boundary="reflect")
    bound = float(plan.error.split()[0])
    norms = np.linalg.norm(kernel) * np.linalg.norm(np.pad(values, 6, mode="symmetric"))
    assert_close(result, expected, tolerance=bound * norms)


def test_short_blocks_are_several_on_every_axis():
    """What the tests of overlap-save stand on."""
    case = Case((16, 17), (3, 4), boundary="wrap")
    with short_blocks():
        plan = gpuconv.plan_convolution(case.image, case.kernel, boundary="wrap", method="overlap")
        assert min(blocks_of(plan)) >= 3
        assert plan.execute(case.image, case.kernel).shape == (16, 17)
    plan = gpuconv.plan_convolution(case.image, case.kernel, boundary="wrap", method="overlap")
    assert blocks_of(plan) == (1, 1)
