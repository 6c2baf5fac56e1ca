"""Extension and its transpose, against the walk of `tests.reference` and against each other."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from gpuconv.core.boundary import ALIASES, BOUNDARIES, Span, extend, extend_all, fold, fold_all, pieces, read_boundary
from tests import reference
from tests.cases import draw
from tests.libraries import make, name_of, open_library, to_numpy

SIZES = (1, 2, 3, 5)
# First position and length: inside, touching, on one side, all around, and far beyond the axis.
WINDOWS = ((0, 1), (0, 5), (1, 2), (-1, 3), (-4, 4), (-9, 3), (-7, 20), (5, 4), (13, 11), (-100, 203), (40, 1))


def span_over(size, first, length, boundary, axis=0):
    """A span of one tap reads exactly what it writes."""
    return Span(axis, size, 1, first, length, boundary)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_pieces_are_the_definition(boundary):
    for size, (first, length) in product(SIZES, WINDOWS):
        line = list(range(size))
        found = []
        for piece in pieces(boundary, size, first, first + length):
            assert piece.count > 0
            assert piece.start is None or piece.step in (-1, 0, 1)
            found += [
                9 if piece.start is None else line[piece.start + piece.step * position]
                for position in range(piece.count)
            ]
        assert found == reference.extend(line, boundary, first, length, 9), (size, first, length)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_an_axis_within_reach_is_one_piece(boundary):
    """No copy is made where nothing lies beyond the ends."""
    assert [(piece.start, piece.count, piece.step) for piece in pieces(boundary, 7, 2, 6)] == [(2, 4, 1)]


@pytest.mark.parametrize(
    ("boundary", "count"), [("constant", 3), ("nearest", 3), ("reflect", 7), ("mirror", 9), ("wrap", 7)]
)
def test_a_reach_of_three_lengths_takes_no_more_pieces_than_it_must(boundary, count):
    """Three bounces on either side; a mirror's are a sample shorter, so there is the start of a fourth."""
    assert len(pieces(boundary, 100, -300, 400)) == count


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_extend_is_the_definition(xp, boundary):
    values = draw((3, 4), "int64", "x", {"int64": 100})
    for first, length in ((-1, 3), (-7, 20), (1, 2), (9, 3)):
        result = extend(xp, make(xp, values), span_over(4, first, length, boundary, axis=1), 9)
        expected = [reference.extend(row, boundary, first, length, 9) for row in values.tolist()]
        assert to_numpy(result).tolist() == expected


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_fold_is_the_transpose_of_extend(xp, boundary):
    """Entry by entry: both are matrices of zeros and ones."""
    sizes = (1, 3) if name_of(xp) in ("jax", "dask") else SIZES
    for size, (first, length) in product(sizes, ((-1, 3), (-7, 20), (1, 2), (9, 3))):
        span = span_over(size, first, length, boundary)
        forward = [to_numpy(extend(xp, make(xp, row), span)) for row in np.eye(size)] if size < 4 else None
        backward = to_numpy(fold(xp, make(xp, np.eye(length)), span))
        expected = np.transpose([reference.extend(list(row), boundary, first, length) for row in np.eye(size)])
        assert backward.T.tolist() == expected.tolist()
        if forward is not None:
            assert np.array(forward).T.tolist() == expected.tolist()


def test_axes_are_extended_in_any_order(xp):
    x = make(xp, draw((3, 4), "float64", "x"))
    spans = [span_over(3, -2, 8, "reflect", 0), span_over(4, -3, 9, "constant", 1)]
    one = to_numpy(extend_all(xp, x, spans, 7.0))
    other = to_numpy(extend_all(xp, x, spans[::-1], 7.0))
    assert one.tolist() == other.tolist()
    rows = [reference.extend(row, "constant", -3, 9, 7.0) for row in to_numpy(x).tolist()]
    assert one.tolist() == reference.extend(rows, "reflect", -2, 8)


def test_fold_all_is_the_transpose_of_extend_all(xp):
    x, y = draw((3, 4), "int64", "x", {"int64": 9}), draw((8, 9), "int64", "y", {"int64": 9})
    spans = [span_over(3, -2, 8, "mirror", 0), span_over(4, -3, 9, "wrap", 1)]
    ahead = to_numpy(extend_all(xp, make(xp, x), spans))
    back = to_numpy(fold_all(xp, make(xp, y), spans))
    assert (ahead * y).sum() == (x * back).sum()


def test_extend_by_nothing_shares_memory():
    x = np.arange(6.0)
    assert np.shares_memory(extend(np, x, span_over(6, 1, 4, "reflect")), x)
    assert extend(np, x, span_over(6, -3, 0, "reflect")).shape == (0,)


def test_the_fill_value_may_be_nan_or_complex(xp):
    x = make(xp, np.array([1.0, 2.0]))
    assert np.isnan(to_numpy(extend(xp, x, span_over(2, -1, 4, "constant"), float("nan")))[[0, 3]]).all()
    z = make(xp, np.array([1j, 2.0]))
    assert to_numpy(extend(xp, z, span_over(2, -1, 4, "constant"), 3 - 1j)).tolist() == [3 - 1j, 1j, 2, 3 - 1j]


@pytest.mark.parametrize("boundary", [name for name in BOUNDARIES if name != "constant"])
def test_an_empty_axis_has_nothing_to_extend(boundary):
    xp = open_library("numpy")
    with pytest.raises(
        ValueError, match=f"boundary '{boundary}' needs at least one sample to extend: the axis is empty"
    ):
        extend(xp, np.empty(0), span_over(0, -1, 3, boundary))
    assert extend(xp, np.empty(0), span_over(0, -1, 3, "constant"), 5).tolist() == [5, 5, 5]


def test_a_reach_of_a_million_samples_is_quick_where_it_can_be():
    """One sample repeated is one piece, whatever the boundary calls it."""
    for boundary in BOUNDARIES:
        assert len(pieces(boundary, 1, -500_000, 500_000)) == 3


def test_spans_know_what_they_read():
    span = Span(axis=0, size=10, taps=4, first=-2, count=10, boundary="wrap")
    assert span.length == 13
    assert not span.inside
    part = span.part(2, 5)
    assert (part.first, part.count, part.length, part.inside) == (0, 5, 8, True)
    assert span.part(5, 0).length == 0
    assert span.part(5, 0).inside


@pytest.mark.parametrize("name", BOUNDARIES)
def test_canonical_names_are_read(name):
    assert read_boundary("boundary", name) == name


def test_every_alias_leads_to_a_canonical_name():
    assert {read_boundary("boundary", alias) for alias in ALIASES} <= set(BOUNDARIES)
    assert {"periodic", "grid-wrap", "grid-constant", "grid-mirror"} <= set(ALIASES)


@pytest.mark.parametrize("name", ["symmetric", "edge", "fill", None, 0])
def test_unknown_boundaries_are_refused(name):
    with pytest.raises(
        ValueError, match="boundary must be one of 'constant', 'reflect', 'mirror', 'nearest', 'wrap': got"
    ):
        read_boundary("boundary", name)
