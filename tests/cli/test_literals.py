"""Kernels typed at the keyboard."""

from __future__ import annotations

import numpy as np
import pytest

from gpuconv.cli.command import CommandError
from gpuconv.cli.literals import kernel_from_text, looks_like_literal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 2 1; 0 0 0; -1 -2 -1", [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]),
        ("1,2,1;0,0,0", [[1, 2, 1], [0, 0, 0]]),
        ("  1 ,  2\n3\t4 ;", [[1, 2], [3, 4]]),
        ("+1; -2; 3", [[1], [-2], [3]]),
        ("1/9 .5 -1e-3", [[1 / 9, 0.5, -1e-3]]),
        ("7", [[7]]),
    ],
)
def test_rows_of_numbers_become_a_kernel(text, expected):
    kernel = kernel_from_text(text)
    assert kernel.tolist() == expected


def test_whole_numbers_stay_integers_and_others_become_float64():
    assert kernel_from_text("1 -2").dtype == np.int64
    assert kernel_from_text("1 -2.0").dtype == np.float64
    assert kernel_from_text("1/1").dtype == np.float64


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("1 2; 3", "rows of 1 and 2 numbers"),
        (";", "rows of 0 numbers"),
        ("1 two 3", "cannot read 'two'"),
        ("1 nan 3", "cannot read 'nan'"),
        ("1 inf", "cannot read 'inf'"),
        ("1e999", "cannot read '1e999'"),
        ("1/0", "cannot read '1/0'"),
        ("1/2/3", "cannot read '1/2/3'"),
        ("9" * 5000 + "x", "cannot read '999"),
    ],
)
def test_what_is_no_kernel_is_refused(text, fragment):
    with pytest.raises(CommandError, match=fragment):
        kernel_from_text(text)


def test_names_and_numbers_are_told_apart():
    assert all(looks_like_literal(text) for text in ("1 2", "-1", ".5", "+1", " 3", ";"))
    assert not any(looks_like_literal(text) for text in ("sobel", "laplacian_of_gaussian", ""))
