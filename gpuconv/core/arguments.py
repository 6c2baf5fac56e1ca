"""Readers of arguments: one per kind, each returns the normal form or raises the house error.

Every error of gpuconv has three parts: the rule, what was given, what to do. `refusal` puts them together, so
that all messages read alike and tests can match them.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def refusal(rule: str, given: str, remedy: str) -> str:
    """The text of an error: ``rule: given. remedy.``"""
    return f"{rule}: {given}. {remedy}."


_PLAIN = frozenset({type(None), int, str})


def are_plain(*values: Any) -> bool:
    """True if all may be in the key of a cache as they were given: None, text, whole numbers, and tuples of these.

    1, 1.0 and True are equal, and would be one key, but not all of them are arguments that are accepted.
    """
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return True
    kinds.discard(tuple)
    return kinds <= _PLAIN and all(set(map(type, value)) <= _PLAIN for value in values if type(value) is tuple)


_NUMBERS = frozenset({type(None), int, float})


def are_numbers(*values: Any) -> bool:
    """The same for what is read as real numbers, where equal ones mean the same: None, ints, floats and tuples."""
    kinds = set(map(type, values))
    if kinds <= _NUMBERS:
        return True
    kinds.discard(tuple)
    return kinds <= _NUMBERS and all(set(map(type, value)) <= _NUMBERS for value in values if type(value) is tuple)


def read_choice(name: str, value: Any, choices: Iterable[str], aliases: dict[str, str] | None = None) -> str:
    """One word out of `choices`, after translating `aliases`."""
    choices = tuple(choices)
    if isinstance(value, str):
        value = (aliases or {}).get(value, value)
        if value in choices:
            return value
    listed = ", ".join(repr(choice) for choice in choices)
    raise ValueError(refusal(f"{name} must be one of {listed}", f"got {value!r}", "Choose a name from the list"))


def read_integer(name: str, value: Any) -> int:
    """A whole number; True and 2.0 are refused."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(refusal(f"{name} must be an integer", f"got {value!r}", "Give a plain int"))
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            refusal(f"{name} must be an integer", f"got {value!r} of type {type(value).__name__}", "Give a plain int")
        ) from None


def read_axes(axes: Any, ndim: int) -> tuple[int, ...]:
    """Axes as distinct non-negative ints in the caller's order; None means all."""
    if axes is None:
        return tuple(range(ndim))
    given = tuple(axes) if isinstance(axes, Sequence) else (axes,)
    normal = []
    for axis in given:
        axis = read_integer("each of axes", axis)
        if not -ndim <= axis < ndim:
            raise ValueError(
                refusal(
                    f"axes must lie in [-{ndim}, {ndim}) for an array of {ndim} dimensions",
                    f"got axes={axes!r}",
                    "Give axes the array has",
                )
            )
        normal.append(axis % ndim)
    if len(set(normal)) != len(normal):
        raise ValueError(refusal("axes must differ from each other", f"got axes={axes!r}", "Name each axis once"))
    return tuple(normal)


def read_per_axis(name: str, value: Any, count: int, read: Any) -> tuple[Any, ...]:
    """One value for all axes, or a sequence with one value per axis; each goes through `read(name, value)`."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return (read(name, value),) * count
    if len(value) != count:
        raise ValueError(
            refusal(
                f"{name} needs one entry, or one per convolved axis ({count})",
                f"got {len(value)} entries, {name}={value!r}",
                "Give one value, or match the number of axes",
            )
        )
    return tuple(read(name, entry) for entry in value)
