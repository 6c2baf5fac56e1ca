"""The suite's own foundation: arrays are made and read back faithfully, and ``--require`` means what it says."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from tests import libraries
from tests.conftest import ROOT, sampled
from tests.libraries import dtype_name, has_dtype, make, name_of, to_numpy, uneven_chunks


@pytest.mark.parametrize(
    "dtype",
    ["int8", "uint8", "int16", "uint16", "int32", "int64", "uint64", "float32", "float64", "complex64", "complex128"],
)
def test_arrays_come_back_as_they_were_made(xp, dtype):
    values = np.arange(12).reshape(3, 4).astype(dtype)
    array = make(xp, values)
    assert dtype_name(array) == dtype
    assert libraries.library_of(array) == name_of(xp)
    back = to_numpy(array)
    assert type(back) is np.ndarray
    assert back.dtype == dtype
    assert back.tolist() == values.tolist()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_two_byte_floats_come_back_as_they_were_made(xp, dtype):
    if not has_dtype(xp, dtype):
        pytest.skip(f"{name_of(xp)} has no {dtype}")
    array = make(xp, np.array([0.5, -2.0, 96.0]), dtype=dtype)
    assert dtype_name(array) == dtype
    assert to_numpy(array).tolist() == [0.5, -2.0, 96.0]


def test_make_copies_whatever_the_layout(xp):
    values = np.arange(12.0).reshape(3, 4)
    array = make(xp, values[::-1, ::2].T)
    values[...] = -1.0
    assert to_numpy(array).tolist() == [[8.0, 4.0, 0.0], [10.0, 6.0, 2.0]]


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((), ()),
        ((0,), ((0,),)),
        ((1,), ((1,),)),
        ((2,), ((1, 1),)),
        ((3,), ((1, 1, 1),)),
        ((10, 2), ((4, 1, 5), (1, 1))),
        ((4, 1, 5), ((1, 3), (1,), (1, 4))),
    ],
)
def test_uneven_chunks(shape, chunks):
    assert uneven_chunks(shape) == chunks


def test_dask_arrays_are_chunked_unevenly_unless_told():
    xp = _open("dask")
    assert make(xp, np.ones((10, 3))).chunks == ((4, 1, 5), (1, 1, 1))
    assert make(xp, np.ones((10, 3)), chunks=((10,), (3,))).chunks == ((10,), (3,))


def test_jax_has_double_precision_here_and_not_by_default(run_python):
    jax = _open("jax")
    assert dtype_name(jax.zeros(1, dtype=float)) == "float64"
    code = "import jax.numpy; print(jax.numpy.zeros(1).dtype)"
    assert run_python(code) == "float32\n"
    assert run_python(code, JAX_ENABLE_X64="1") == "float64\n"


def test_run_python_fails_with_the_error_of_its_process(run_python):
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_python("1 / 0")


def test_random_numbers_depend_on_the_test_alone(rng):
    assert rng.integers(2**32) == 3432444890


@pytest.mark.parametrize(
    ("required", "message"),
    [
        ("numpy,fortran", "--require knows numpy, .*: got fortran"),
        ("numpy,absent", r"--require asks for what is absent: absent \(absent is not installed\)\. Install it"),
    ],
)
def test_require_fails_before_the_first_test(required, message):
    code = f"""
import sys, pytest
from tests import libraries
libraries.OPENERS["absent"] = lambda: __import__("absent")
libraries.REQUIRABLE += ("absent",)
sys.exit(pytest.main(["--require={required}", "--collect-only", "-q", "tests/test_libraries.py"]))
"""
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert finished.returncode == pytest.ExitCode.USAGE_ERROR
    assert "test_uneven_chunks" not in finished.stdout
    assert re.search(message, finished.stderr), finished.stderr


def test_a_sample_has_cases_of_every_test_on_every_library():
    names = [f"a.py::one[{library}-{case}]" for case in range(10) for library in ("numpy", "torch")]
    names += ["a.py::two", "b.py::one[numpy-3]", *(f"a.py::three[{case}-numpy]" for case in range(2))]
    for most in (1, 3):
        kept = sampled(names, most)
        assert len(set(kept)) == len(kept) == 2 * most + 2 + min(most, 2)
        assert {"a.py::two", "b.py::one[numpy-3]"} < set(kept)
        for library in ("numpy", "torch"):
            assert sum(name.startswith(f"a.py::one[{library}") for name in kept) == most
    assert sorted(sampled(names, 10)) == sorted(names)


def test_cases_leave_every_test_its_share():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/test_libraries.py"]
    names = []
    for options in ([], ["--cases=2"]):
        finished = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=120)
        names.append([line for line in finished.stdout.splitlines() if "::" in line])
    assert sorted(names[1]) == sorted(sampled(names[0], 2))
    assert len(names[1]) < len(names[0])


def test_a_library_that_is_broken_is_not_called_absent(monkeypatch):
    def broken():
        raise ModuleNotFoundError("No module named 'other'", name="other")

    monkeypatch.setitem(libraries.OPENERS, "broken", broken)
    with pytest.raises(ModuleNotFoundError, match="other"):
        libraries.why_absent("broken")


def test_a_compiler_is_found_or_its_absence_explained(monkeypatch):
    monkeypatch.setenv("CXX", sys.executable)
    assert libraries.cxx_compiler() == sys.executable
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    assert libraries.why_absent("cxx").startswith("no C++ compiler is on the path")


def _open(name):
    reason = libraries.why_absent(name)
    if reason is not None:
        pytest.skip(reason)
    return libraries.open_library(name)
