"""The table of cases covers what it claims to, no case is idle, and the oracle that judges them is right."""

from __future__ import annotations

import numpy as np
import pytest

from tests import reference
from tests.cases import BOUNDARIES, CASES, MODES, REPRESENTATIVE, UNSIGNED, Case, draw, grid

EVERY = (*CASES, *REPRESENTATIVE, *UNSIGNED)
# What the definition says of the row 1 2 3 with two more samples on the left and five on the right.
PICTURES = {
    "constant": [9, 9, 1, 2, 3, 9, 9, 9, 9, 9],
    "reflect": [2, 1, 1, 2, 3, 3, 2, 1, 1, 2],
    "mirror": [3, 2, 1, 2, 3, 2, 1, 2, 3, 2],
    "nearest": [1, 1, 1, 2, 3, 3, 3, 3, 3, 3],
    "wrap": [2, 3, 1, 2, 3, 1, 2, 3, 1, 2],
}


def test_every_case_differs_from_every_other():
    assert len({*EVERY}) == len(EVERY) - len({*CASES} & {*REPRESENTATIVE})
    assert len({str(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("name", ["boundary", "mode"])
def test_every_name_occurs(name):
    found = set()
    for case in CASES:
        value = getattr(case, name)
        found |= {value} if isinstance(value, str) else set(value)
    assert found == set(BOUNDARIES if name == "boundary" else MODES)


def test_every_dtype_occurs_as_image_and_as_kernel():
    integers = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
    floats = {"float32", "float64", "complex64", "complex128"}
    assert {case.dtype for case in EVERY} == integers | floats
    assert {case.kernel_dtype for case in EVERY} >= floats | {"int8", "int16", "int32", "int64", "uint8", "uint16"}


def test_the_table_has_what_tends_to_break():
    def has(condition):
        return any(condition(case) for case in CASES)

    assert has(lambda case: case.kernel_shape[0] % 2 == 0)
    assert has(lambda case: case.kernel_shape[0] % 2 == 1)
    assert has(lambda case: case.kernel_shape[0] > 3 * case.shape[0] > 0)
    assert has(lambda case: 1 in case.shape)
    assert has(lambda case: 0 in case.shape)
    assert has(lambda case: case.axes == (2, 0))
    assert has(lambda case: isinstance(case.axes, int) and case.axes < 0)
    assert has(lambda case: isinstance(case.boundary, tuple) and len(set(case.boundary)) == 3)
    assert has(lambda case: isinstance(case.origin, tuple) and min(case.origin) < 0)
    assert has(lambda case: isinstance(case.cval, complex))
    assert {len(case.shape) for case in CASES} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("case", [case for case in EVERY if min(case.shape) > 1 and case.taps > 1], ids=str)
def test_no_case_is_idle(case):
    """A kernel taken backwards would be noticed: the answer then is another one."""
    turned = reference.convolve(case.image, case.kernel[(slice(None, None, -1),) * case.kernel.ndim], **case.options)
    assert np.abs(turned.astype(complex) - case.expected.astype(complex)).max() > 1000 * np.max(case.tolerance())


@pytest.mark.parametrize(
    "case",
    [case for case in EVERY if case.boundary != "constant" and case.mode != "valid" and min(case.shape)],
    ids=str,
)
def test_boundaries_matter_where_they_are_read(case):
    options = case.options | {"boundary": "constant", "cval": 0}
    assert not np.array_equal(reference.convolve(case.image, case.kernel, **options), case.expected)


@pytest.mark.parametrize("case", [case for case in EVERY if case.result_dtype.lstrip("u").startswith("int")], ids=str)
def test_integer_cases_reach_the_ends_of_their_dtypes_and_fit_the_result(case):
    information = np.iinfo(case.result_dtype)
    assert information.min <= case.expected.min() <= case.expected.max() <= information.max
    for values, bits in ((case.image, 32), (case.kernel, 16)):
        if values.dtype.itemsize * 8 <= bits:
            assert values.max() == np.iinfo(values.dtype).max
            assert values.min() == np.iinfo(values.dtype).min


def test_data_are_the_same_in_every_run():
    case = Case((2,), (2,), "int8", "int8")
    assert case.image.tolist() == [127, -128]
    assert draw((3,), "float64", "seed").tolist() == draw((3,), "float64", "seed").tolist()
    assert draw((3,), "float64", "seed").tolist() != draw((3,), "float64", "another").tolist()


def test_the_grid_has_every_origin_and_parity():
    cases = list(grid())
    assert {case.origin for case in cases if case.kernel_shape == (4,) and case.mode == "same"} == {-1, 0, 2}
    assert {case.boundary for case in cases} == set(BOUNDARIES)
    assert {case.shape for case in cases} == {(1,), (2,), (3,), (5,), (8,)}


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_oracle_extends_as_the_pictures_show(boundary):
    assert reference.extend([1, 2, 3], boundary, -2, 10, cval=9) == PICTURES[boundary]


@pytest.mark.parametrize(
    ("boundary", "mode"),
    [("constant", "constant"), ("reflect", "symmetric"), ("mirror", "reflect"), ("nearest", "edge"), ("wrap", "wrap")],
)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_oracle_extends_as_numpy_pad_does(boundary, mode, size):
    line = list(range(1, size + 1))
    assert reference.extend(line, boundary, -3 * size, 7 * size) == np.pad(line, 3 * size, mode=mode).tolist()


@pytest.mark.parametrize("taps", [1, 2, 5, 8])
def test_the_oracle_convolves_as_numpy_does(taps):
    x, kernel = draw((8,), "complex128", "x"), draw((taps,), "complex128", "kernel")
    full = reference.convolve(x, kernel, mode="full")
    np.testing.assert_allclose(full, np.convolve(x, kernel), rtol=1e-14)
    np.testing.assert_allclose(
        reference.convolve(x, kernel, mode="valid"), np.convolve(x, kernel, mode="valid"), rtol=1e-14
    )
    start = (taps - 1) // 2
    assert reference.convolve(x, kernel).tolist() == full[start : start + 8].tolist()
    np.testing.assert_allclose(
        reference.correlate(x, kernel, mode="full"), np.correlate(x, kernel, mode="full"), rtol=1e-14
    )


def test_the_oracle_counts_dimensions_by_axes():
    x, kernel = np.arange(24.0).reshape(2, 3, 4), np.array([[1.0, 10.0]])
    expected = [
        [[0, 1, 12, 23], [4, 45, 56, 67], [8, 89, 100, 111]],
        [[12, 133, 144, 155], [16, 177, 188, 199], [20, 221, 232, 243]],
    ]
    assert reference.convolve(x, kernel, axes=(0, 2), origin=(0, 0)).tolist() == expected


def test_the_oracles_adjoint_is_the_conjugate_transpose():
    kernel = draw((4,), "complex128", "kernel")
    options = {"boundary": "reflect", "origin": 1}
    columns = [reference.convolve(unit, kernel, **options) for unit in np.eye(3)]
    rows = [reference.adjoint(unit, kernel, shape=(3,), **options) for unit in np.eye(3)]
    np.testing.assert_allclose(np.array(columns).T, np.conj(np.array(rows)), rtol=1e-14)


def test_the_oracle_does_not_overflow():
    kernel = np.array([2**15], dtype=np.int64)
    assert reference.convolve(np.array([2**40], dtype=np.int64), kernel).tolist() == [2**55]
    largest = np.array([2**64 - 1], dtype=np.uint64)
    assert reference.convolve(largest, np.array([1], dtype=np.uint64)).tolist() == [2**64 - 1]
