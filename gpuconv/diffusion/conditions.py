"""Boundary conditions: what happens on the two end faces of each axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gpuconv.core.arguments import refusal
from gpuconv.kernels._arguments import read_nonnegative, read_real

__all__ = ["Condition", "read_conditions"]

KINDS = ("periodic", "no-flux", "fixed", "robin")
ALIASES = {"wrap": "periodic", "neumann": "no-flux", "dirichlet": "fixed"}
# Names that the boundaries of convolutions have, and what to do here.
_OF_CONVOLUTIONS = {
    "reflect": 'The "reflect" of convolve is "no-flux" here',
    "constant": 'For a constant on the outer face give ("fixed", value)',
    "mirror": 'Choose one of these; the nearest to "mirror" is "no-flux"',
    "nearest": 'Choose one of these; the nearest to "nearest" is "no-flux"',
}
_FORMS = '"periodic", "no-flux", "fixed", ("fixed", value), ("robin", a, b) or ("robin", a, b, value)'


@dataclass(frozen=True)
class Condition:
    """What holds on one face: ``a u + b du/dn = value``, with n pointing out of the grid.

    Attributes
    ----------
    kind : {"periodic", "no-flux", "fixed", "robin"}
        "periodic" stands on both faces of an axis or on none.
    a, b : float
        Zero or more, not both zero, but for "periodic": (0, 1) for "no-flux", (1, 0) for "fixed", (0, 0) for
        "periodic". b has the unit of a length if a has none.
    value : float
        In units of a u.

    Examples
    --------
    >>> from gpuconv.diffusion import Condition
    >>> wall = Condition("fixed", 1.0, 0.0, 20.0)
    >>> wall.exchange(0.5)
    (4.0, 80.0)
    """

    kind: str
    a: float
    b: float
    value: float

    def exchange(self, spacing: float) -> tuple[float, float]:
        """``(c, s)``: through the face enters ``D (s - c u)`` per area, u being the value in the last cell.

        The face lies half a cell beyond the centre of the last cell, so that the condition with the one-sided
        difference ``du/dn = (face - u)/(h/2)`` gives ``c = 2 a/(a h + 2 b)`` and ``s = 2 value/(a h + 2 b)``.

        Parameters
        ----------
        spacing : float
            Width h of the cell.

        Returns
        -------
        tuple of two floats
            (0, 0) for "no-flux", and for "periodic", whose faces are faces between cells.

        Examples
        --------
        >>> from gpuconv.diffusion import Condition
        >>> Condition("robin", 1.0, 0.5, 3.0).exchange(1.0)
        (1.0, 3.0)
        """
        if self.kind == "periodic":
            return 0.0, 0.0
        resistance = self.a * spacing + 2 * self.b
        return 2 * self.a / resistance, 2 * self.value / resistance


def read_conditions(boundary: Any, axes: int) -> tuple[tuple[Condition, Condition], ...]:
    """Read a boundary argument: one ``(low, high)`` pair of `Condition` per axis.

    Parameters
    ----------
    boundary : str, tuple or list
        One condition, one (low, high) tuple of conditions, or a list with one of these per axis. A condition is
        "periodic" (alias "wrap"), "no-flux" ("neumann"), "fixed" ("dirichlet"; the value 0), ("fixed", value),
        ("robin", a, b) for ``a u + b du/dn = 0``, or ("robin", a, b, value); n points outwards.
    axes : int
        Number of axes.

    Returns
    -------
    tuple of (Condition, Condition)
        As many pairs as axes; both of a pair are periodic, or neither is.

    Raises
    ------
    ValueError
        If there is no such condition, its numbers are out of range, a list has another length than there are axes,
        or one end of an axis is periodic and the other is not.
    TypeError
        If a number of a condition is not a real number.

    Examples
    --------
    >>> from gpuconv.diffusion import read_conditions
    >>> for low, high in read_conditions(["wrap", ("no-flux", ("fixed", 20))], 2):
    ...     print(low.kind, high.kind, high.value)
    periodic periodic 0.0
    no-flux fixed 20.0
    """
    if not isinstance(boundary, list):
        return (_read_pair(boundary),) * axes
    if len(boundary) != axes:
        raise ValueError(
            refusal(
                f"a list of boundaries needs one entry per axis ({axes})",
                f"got {len(boundary)} entries, boundary={boundary!r}",
                "Give one condition for all axes, or match their number; (low, high) of one axis is a tuple",
            )
        )
    return tuple(_read_pair(entry) for entry in boundary)


def _read_pair(entry: Any) -> tuple[Condition, Condition]:
    if _is_pair(entry):
        low, high = (_read_condition(side) for side in entry)
    else:
        low = high = _read_condition(entry)
    if (low.kind == "periodic") != (high.kind == "periodic"):
        raise ValueError(
            refusal(
                "periodic joins both ends of an axis",
                f"got (low, high) = {entry!r}",
                'Give "periodic" for the whole axis; conditions that differ from axis to axis stand in a list',
            )
        )
    return low, high


def _is_pair(entry: Any) -> bool:
    """Two conditions rather than a condition with its number: each is a word or starts with one."""
    return isinstance(entry, tuple) and len(entry) == 2 and all(isinstance(side, str | tuple) for side in entry)


def _read_condition(given: Any) -> Condition:
    name, *numbers = given if isinstance(given, tuple) and given else (given,)
    kind = ALIASES.get(name, name) if isinstance(name, str) else None
    if kind not in KINDS or len(numbers) not in _numbers_of(kind):
        raise ValueError(refusal(f"a condition is {_FORMS}", f"got {given!r}", _remedy_for(name)))
    if kind == "robin":
        return _robin(given, numbers)
    a, b = {"periodic": (0.0, 0.0), "no-flux": (0.0, 1.0), "fixed": (1.0, 0.0)}[kind]
    return Condition(kind, a, b, _read_value("the value of a fixed boundary", numbers[0]) if numbers else 0.0)


def _remedy_for(name: Any) -> str:
    if isinstance(name, str) and name in _OF_CONVOLUTIONS:
        return _OF_CONVOLUTIONS[name]
    return "Choose one of these"


def _numbers_of(kind: str) -> tuple[int, ...]:
    return {"fixed": (0, 1), "robin": (2, 3)}.get(kind, (0,))


def _read_value(name: str, value: Any) -> float:
    if getattr(value, "shape", ()) != () or isinstance(value, list | tuple):
        given = f"got {type(value).__name__} of several"
        raise TypeError(refusal(f"{name} must be a real number, one for the whole face", given, "Give one number"))
    return read_real(name, value)


def _robin(given: Any, numbers: Sequence[Any]) -> Condition:
    a, b = (read_nonnegative(f"{name} of a robin boundary", number) for name, number in zip("ab", numbers))
    if a == b == 0:
        rule = "a robin boundary a u + b du/dn = value needs an a or a b above zero"
        raise ValueError(refusal(rule, f"got {given!r}", 'Give one of them, or take "no-flux"'))
    return Condition("robin", a, b, _read_value("the value of a robin boundary", numbers[2]) if numbers[2:] else 0.0)
