"""Who runs a primitive, who could, and why the others do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import gpuconv
from gpuconv.backends import registry
from gpuconv.backends.registry import BACKENDS, Implementation
from tests.libraries import make, name_of

PRIMITIVES = (
    *("correlate_axis", "correlate_separable", "correlate_windows", "correlate_fourier"),
    *("fourier_forward", "fourier_inverse", "cosine_transform", "resample_axis"),
)
# Passes go to the rows of other primitives, where no engine makes one sweep of them: tests/methods/test_banks.py.
COMPOSED = ("correlate_banks",)
# Posed by problems of their own: tests/backends/test_stencil.py.
OF_DIFFUSION = ("solve_tridiagonal", "diffusion_rate", "diffuse_steps")
# Posed by problems of their own: tests/backends/test_recurrence.py.
OF_RECURRENCES = ("linear_recurrence",)
# Posed by problems of their own: tests/backends/test_channels.py.
OF_CHANNELS = ("correlate_channels", "channels_input_adjoint", "channels_weight_adjoint")

NAMES = ", ".join(repr(backend.name) for backend in BACKENDS)


def problem_of(x, **options):
    return gpuconv.plan_convolution(x, np.ones((3,) * x.ndim), **options).problem


def runs(backend, primitive, problem):
    row = backend.table().get(primitive)
    return row is not None and row.why_not(problem) is None


def test_generic_is_last_and_has_every_primitive():
    assert BACKENDS[-1].name == "generic"
    assert BACKENDS[-1].library == "any"
    every = {*PRIMITIVES, *COMPOSED, *OF_DIFFUSION, *OF_RECURRENCES, *OF_CHANNELS}
    assert set(BACKENDS[-1].table()) == every
    for backend in BACKENDS:
        assert set(backend.table()) <= every
        assert all(isinstance(row, Implementation) for row in backend.table().values())


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_every_backend_says_whether_it_runs_a_primitive(xp, primitive):
    problem = problem_of(make(xp, np.ones((4, 5))))
    sentences = dict(registry.explain(primitive, problem))
    assert set(sentences) == {backend.name for backend in BACKENDS}
    chosen = registry.selected_backend(primitive, problem)
    assert sentences[chosen] == "runs this"
    own = {backend.library: backend for backend in BACKENDS}.get(name_of(xp), BACKENDS[-1])
    assert chosen == (own.name if runs(own, primitive, problem) else "generic")
    if name_of(xp) != "numpy":
        assert sentences["cpu"] == f"cpu takes numpy arrays, these are {name_of(xp)}"
    if chosen != "generic":
        assert sentences["generic"] == f"could run this, but {chosen} comes first"


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_cupy_arrays_go_to_the_kernels_that_there_are(primitive):
    posed = replace(gpuconv.plan_convolution(np.ones(5), np.ones(3)).problem, library="cupy", device="0")
    cuda = {backend.name: backend for backend in BACKENDS}["cuda"]
    assert registry.selected_backend(primitive, posed) == ("cuda" if runs(cuda, primitive, posed) else "generic")


class Picky(registry.Backend):
    """A backend whose only row takes nothing longer than three samples."""

    def table(self):
        def why_not(problem):
            return None if problem.shape[0] <= 3 else f"{problem.shape[0]} samples are more than three"

        return {"correlate_axis": registry.Implementation(lambda *arguments: "picked", why_not)}


def test_a_row_that_cannot_gives_the_sentence_and_the_next_one_runs(monkeypatch):
    monkeypatch.setattr(registry, "BACKENDS", (Picky("picky", "numpy", "for this test"), *BACKENDS))
    short, long = (gpuconv.plan_convolution(np.ones(n), np.ones(2)).problem for n in (3, 5))
    try:
        registry._select.cache_clear()
        assert registry.select("correlate_axis", short)() == "picked"
        assert dict(registry.explain("correlate_axis", short))["cpu"] == "could run this, but picky comes first"
        assert dict(registry.explain("correlate_axis", long))["picky"] == "5 samples are more than three"
        assert registry.selected_backend("correlate_axis", long) == "cpu"
        assert (
            dict(registry.explain("correlate_windows", short))["picky"] == "picky has no correlate_windows of its own"
        )
    finally:
        registry._select.cache_clear()


def test_unknown_primitives_are_no_ones():
    with pytest.raises(LookupError, match="no backend has a row for 'correlate_knots'"):
        registry.select("correlate_knots", problem_of(np.ones(4)))


def test_use_backend_holds_inside_and_not_outside():
    problem = problem_of(np.ones((4, 5)))
    assert registry.selected_backend("correlate_windows", problem) == "cpu"
    with gpuconv.use_backend("generic"):
        assert registry.selected_backend("correlate_windows", problem) == "generic"
        assert dict(registry.explain("correlate_windows", problem))["cpu"] == "the generic backend is asked for"
        with gpuconv.use_backend("cpu"):
            assert registry.selected_backend("correlate_windows", problem) == "cpu"
            with gpuconv.use_backend(None):
                assert registry.selected_backend("correlate_windows", problem) == "cpu"
        assert gpuconv.plan_convolution(np.ones((4, 5)), np.ones((3, 3))).backend == "generic"
    assert registry.selected_backend("correlate_windows", problem) == "cpu"


def test_use_backend_is_left_on_an_error():
    with pytest.raises(ZeroDivisionError), gpuconv.use_backend("generic"):
        _ = 1 / 0
    assert registry.forced_backend() is None


def test_what_the_asked_for_backend_cannot_run_goes_to_generic(xp):
    with gpuconv.use_backend("cpu"):
        problem = problem_of(make(xp, np.ones((4, 5))))
        expected = {"numpy": "cpu", "dask": "dask"}.get(name_of(xp), "generic")
        assert registry.selected_backend("correlate_windows", problem) == expected


def test_unknown_backends_are_refused():
    with (
        pytest.raises(ValueError, match=f"backend must be one of {NAMES}: got 'cuda11'"),
        gpuconv.use_backend("cuda11"),
    ):
        pass


def test_the_environment_chooses_for_a_whole_process(run_python):
    code = """
import numpy as np, gpuconv
print(gpuconv.plan_convolution(np.ones((4, 5)), np.ones((3, 3))).backend)
with gpuconv.use_backend("cpu"):
    print(gpuconv.plan_convolution(np.ones((4, 5)), np.ones((3, 3))).backend)
"""
    assert run_python(code, GPUCONV_BACKEND="generic").split() == ["generic", "cpu"]
    assert run_python(code, GPUCONV_BACKEND="").split() == ["cpu", "cpu"]


def test_a_wrong_name_in_the_environment_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setenv("GPUCONV_BACKEND", "fast")
    with pytest.raises(ValueError, match=f"GPUCONV_BACKEND must be one of {NAMES}: got 'fast'"):
        gpuconv.convolve(np.ones(3), [1.0])


def test_a_missing_library_is_a_sentence_and_not_an_error(monkeypatch):
    """A backend of a library that is not installed is passed by: its arrays cannot be there."""
    absent = registry.Backend("absent", "absent", "a library that is not installed")
    monkeypatch.setattr(registry, "BACKENDS", (absent, *BACKENDS))
    registry._select.cache_clear()
    try:
        assert dict(registry.explain("correlate_axis", problem_of(np.ones(4))))["absent"].startswith(
            "absent takes absent"
        )
        assert gpuconv.convolve([1.0, 2.0], [1.0]).tolist() == [1.0, 2.0]
    finally:
        registry._select.cache_clear()
