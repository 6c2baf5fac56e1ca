"""Closed forms of eigenvalues, also where they are hard: close to each other, far apart, very large or very small."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gpuconv import filters
from tests.assertions import EPS, assert_close, assert_same_home
from tests.libraries import make, to_numpy


def components(matrices):
    """The components on and above the diagonal, on a new leading axis."""
    count = matrices.shape[-1]
    pairs = itertools.combinations_with_replacement(range(count), 2)
    return np.stack([matrices[..., a, b] for a, b in pairs])


def symmetric(parts):
    """The whole matrices, in double precision."""
    count = {1: 1, 3: 2, 6: 3}[len(parts)]
    matrices = np.zeros((*parts.shape[1:], count, count))
    for part, (a, b) in zip(parts, itertools.combinations_with_replacement(range(count), 2), strict=True):
        matrices[..., a, b] = matrices[..., b, a] = part
    return matrices


def solved(parts):
    """Eigenvalues of LAPACK in double precision, largest first, on the leading axis."""
    return np.moveaxis(np.linalg.eigvalsh(symmetric(parts))[..., ::-1], -1, 0)


def turned(values, rng, dtype):
    """Components of matrices with these eigenvalues, in directions drawn at random."""
    values = np.asarray(values, dtype=np.float64)
    vectors, _ = np.linalg.qr(rng.normal(size=(*values.shape, values.shape[-1])))
    return components(np.einsum("...ia,...a,...ja->...ij", vectors, values, vectors)).astype(dtype)


def close_pairs(count):
    """Eigenvalues of which two differ by 0, 1e-17, ..., 1, below and above the third."""
    gaps = [0.0, *10.0 ** np.arange(-17, 1)]
    if count == 2:
        return [[1.0, 1 + gap] for gap in gaps]
    return [[1.0, 1 + gap, third] for gap in gaps for third in (3.0, -2.0, 1.0)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_eigenvalues_are_those_of_lapack(xp, rng, count, dtype):
    parts = rng.normal(size=(count * (count + 1) // 2, 40, 3)).astype(dtype)
    result = filters.symmetric_eigenvalues(make(xp, parts))
    assert_same_home(result, make(xp, parts))
    expected = solved(parts)
    assert_close(result, expected, tolerance=8 * EPS[dtype] * np.abs(expected).max(axis=0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [2, 3])
def test_eigenvalues_close_to_each_other_are_right_to_rounding(xp, rng, count, dtype):
    parts = turned(np.repeat(close_pairs(count), 20, axis=0), rng, dtype)
    result = filters.symmetric_eigenvalues(make(xp, parts))
    expected = solved(parts)
    assert_close(result, expected, tolerance=8 * EPS[dtype] * np.abs(expected).max(axis=0))
    assert (np.diff(to_numpy(result), axis=0) <= 0).all()


def test_the_arccosine_would_fail_that(rng):
    parts = turned(np.repeat(close_pairs(3), 20, axis=0), rng, "float64")
    matrices = symmetric(parts)
    mean = np.trace(matrices, axis1=-2, axis2=-1) / 3
    deviator = matrices - mean[:, None, None] * np.eye(3)
    size = np.sqrt((deviator**2).sum(axis=(-2, -1)) / 6)
    known = size > 0.1
    cosine = np.linalg.det(deviator[known] / size[known][:, None, None]) / 2
    angle = np.arccos(np.clip(cosine, -1, 1)) / 3
    middle = mean[known] + 2 * size[known] * np.cos(angle - 2 * np.pi / 3)
    assert np.abs(middle - solved(parts)[1, known]).max() > 1e-9


@pytest.mark.parametrize("scale", [1e-37, 1e-25, 1e25, 1e38])
@pytest.mark.parametrize("count", [2, 3])
def test_neither_very_large_nor_very_small_matrices_overflow(xp, rng, count, scale):
    parts = turned(rng.uniform(-1, 1, (50, count)), rng, "float64")
    parts = (scale * parts).astype(np.float32)
    result = filters.symmetric_eigenvalues(make(xp, parts))
    expected = solved(parts)
    # Samples below 2**-126 have fewer digits, and some libraries make them 0.
    allowed = 8 * EPS["float32"] * np.abs(expected).max(axis=0) + 8 * 2.0**-126
    assert_close(result, expected, tolerance=allowed)


def test_the_small_one_of_two_keeps_its_digits():
    small = np.array([1e-20, -1e-13, 3e-9])
    for large in (1.0, -2.0):
        parts = np.stack([np.full(3, large), np.zeros(3), small])
        values = filters.symmetric_eigenvalues(parts)
        near = np.where(np.abs(values[0]) < np.abs(values[1]), values[0], values[1])
        assert_close(near, small, tolerance=4 * EPS["float64"] * np.abs(small))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_multiples_of_the_identity_have_equal_eigenvalues(xp, count):
    for value in (0.0, 1.0, -3.0):
        parts = components(value * np.eye(count)[None])
        result = filters.symmetric_eigenvalues(make(xp, parts))
        assert to_numpy(result).tolist() == np.full((count, 1), value).tolist()


def test_diagonal_matrices_have_their_diagonal():
    for values in itertools.permutations([2.0, -1.0, 0.5]):
        result = filters.symmetric_eigenvalues(components(np.diag(values)))
        assert_close(result, np.array([2.0, 0.5, -1.0]), tolerance=4 * EPS["float64"] * 2)


def test_nan_stays_in_its_matrix(xp, rng):
    for count in (2, 3):
        parts = turned(rng.normal(size=(4, count)), rng, "float64")
        parts[1, 2] = np.nan
        result = to_numpy(filters.symmetric_eigenvalues(make(xp, parts)))
        assert np.isnan(result[:, 2]).all()
        assert np.isfinite(result[:, [0, 1, 3]]).all()


def test_integers_give_floats_and_halves_stay():
    parts = np.array([2, 1, 2], dtype=np.uint8)
    result = filters.symmetric_eigenvalues(parts)
    assert_same_home(result, parts, dtype="float32")
    assert result.tolist() == [3.0, 1.0]
    half = filters.symmetric_eigenvalues(parts.astype(np.float16))
    assert half.dtype == np.float16
    assert half.tolist() == [3.0, 1.0]


def test_out_may_share_memory_with_the_components(rng):
    memory = turned(rng.normal(size=(5, 3)), rng, "float64")
    expected = filters.symmetric_eigenvalues(memory)
    result = filters.symmetric_eigenvalues(memory, out=memory[2:5])
    assert result.tolist() == memory[2:5].tolist() == expected.tolist()
