"""Kernels typed at the keyboard: rows of numbers with semicolons between the rows."""

from __future__ import annotations

import math
import re

import numpy as np

from gpuconv.cli.command import mistake

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_FRACTION = re.compile(r"([+-]?[0-9]{1,15})/([0-9]{1,15})")


def looks_like_literal(text: str) -> bool:
    """Names of kernels start with a letter; rows of numbers start with a digit, a sign or a point."""
    return text.strip()[:1] in tuple("0123456789+-.;[")


def kernel_from_text(text: str) -> np.ndarray:
    """Read ``"1 2 1; 0 0 0; -1 -2 -1"``.

    Numbers of a row stand apart by blanks or commas, rows by semicolons or line breaks; ``1/9`` is a number too.

    Returns
    -------
    numpy.ndarray, shape (rows, columns)
        int64 if every number is a whole one, else float64.

    Raises
    ------
    CommandError
        If something is not a finite number, or the rows differ in length.
    """
    rows = [re.split(r"[\s,]+", row.strip()) for row in re.split(r"[;\n]", text.strip().strip(";")) if row.strip()]
    numbers = [[_number(word) for word in row if word] for row in rows]
    lengths = sorted({len(row) for row in numbers})
    if len(lengths) != 1 or lengths == [0]:
        raise mistake(
            "the rows of a kernel must be equally long",
            f"{text!r} has rows of " + (" and ".join(str(length) for length in lengths) or "0") + " numbers",
            "Write rows like '1 2 1; 0 0 0; -1 -2 -1'",
        )
    return np.array(numbers)


def _number(word: str) -> int | float:
    if _INTEGER.fullmatch(word):
        return int(word)
    fraction = _FRACTION.fullmatch(word)
    try:
        value = int(fraction[1]) / int(fraction[2]) if fraction else float(word)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        raise mistake(
            "a kernel is made of finite numbers",
            f"cannot read {word!r}",
            "Write numbers like 2, -0.5, 1/9 or 1e-3, with blanks between them and ';' between rows",
        )
    return value
