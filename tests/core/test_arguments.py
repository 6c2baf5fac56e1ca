"""Readers of arguments: each kind has one normal form, and anything else is refused with rule, gift and remedy."""

from __future__ import annotations

import numpy as np
import pytest

from gpuconv.core.arguments import read_axes, read_choice, read_integer, read_per_axis, refusal


def test_a_refusal_has_rule_gift_and_remedy():
    assert refusal("sizes must be positive", "got -1", "Give a size above 0") == (
        "sizes must be positive: got -1. Give a size above 0."
    )


def test_choices_are_translated_by_aliases_first():
    assert read_choice("mode", "same", ("same", "full")) == "same"
    assert read_choice("mode", "whole", ("same", "full"), {"whole": "full"}) == "full"


@pytest.mark.parametrize("value", ["SAME", "", None, 1, ["same"], b"same"])
def test_other_choices_are_refused(value):
    with pytest.raises(ValueError, match="mode must be one of 'same', 'full': got .*Choose a name from the list."):
        read_choice("mode", value, ("same", "full"))


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3)])
def test_integers_of_any_kind_are_plain_ints(value):
    assert read_integer("origin", value) == 3
    assert type(read_integer("origin", value)) is int


@pytest.mark.parametrize("value", [3.0, True, np.True_, "3", None, 3j, [3], np.array([3, 4])])
def test_what_is_no_integer_is_refused(value):
    with pytest.raises(TypeError, match="origin must be an integer: got .*Give a plain int"):
        read_integer("origin", value)


@pytest.mark.parametrize(
    ("axes", "ndim", "expected"),
    [
        (None, 3, (0, 1, 2)),
        (None, 0, ()),
        (1, 3, (1,)),
        (-1, 3, (2,)),
        ((2, 0), 3, (2, 0)),
        ([-3, -1], 3, (0, 2)),
        (range(2), 3, (0, 1)),
        (np.int64(1), 3, (1,)),
        ((np.int32(1), -1), 3, (1, 2)),
        ((), 3, ()),
    ],
)
def test_axes_are_counted_from_the_front_in_the_callers_order(axes, ndim, expected):
    assert read_axes(axes, ndim) == expected


@pytest.mark.parametrize("axes", [3, -4, (0, 3), (0, -4)])
def test_axes_that_are_not_there_are_refused(axes):
    with pytest.raises(ValueError, match=r"axes must lie in \[-3, 3\) for an array of 3 dimensions: got axes="):
        read_axes(axes, 3)


@pytest.mark.parametrize("axes", [(0, 0), (1, -2), [2, 0, -1]])
def test_axes_named_twice_are_refused(axes):
    with pytest.raises(ValueError, match="axes must differ from each other: got axes="):
        read_axes(axes, 3)


@pytest.mark.parametrize("axes", [1.0, "0", (0, 1.0), True, (True, 0)])
def test_axes_that_are_no_integers_are_refused(axes):
    with pytest.raises(TypeError, match="each of axes must be an integer"):
        read_axes(axes, 3)


def test_one_value_serves_every_axis_and_a_sequence_goes_with_the_axes():
    assert read_per_axis("origin", 2, 3, read_integer) == (2, 2, 2)
    assert read_per_axis("origin", [2, -1], 2, read_integer) == (2, -1)
    assert read_per_axis("boundary", "wrap", 2, lambda _, value: value) == ("wrap", "wrap")


@pytest.mark.parametrize("value", [(), (1,), (1, 2, 3)])
def test_another_number_of_values_than_axes_is_refused(value):
    with pytest.raises(ValueError, match=r"origin needs one entry, or one per convolved axis \(2\): got"):
        read_per_axis("origin", value, 2, read_integer)
