"""The parameters of the filters of `gpuconv.filters`, as options."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpuconv.core.shapes import MODES
from gpuconv.methods.describe import METHODS

# What a command gives to every filter by other means: the picture, its axes, and what lies beyond its edge.
GIVEN_OTHERWISE = frozenset({"x", "axes", "boundary", "cval", "out"})


@dataclass(frozen=True)
class Parameter:
    """One option: the parameter's name, what it is in words, and how a word of the command line becomes its value."""

    name: str
    words: str
    read: Callable[[str], Any] = str
    metavar: str | None = None
    choices: tuple[str, ...] | None = None


def _one_or_more(number: Callable[[str], Any], what: str) -> Callable[[str], Any]:
    """Reader of one number, or of one per axis with commas between them."""

    def read(text: str) -> Any:
        try:
            values = tuple(number(word) for word in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f"takes {what}, or one per axis as in 3,1: got {text!r}") from None
        return values if len(values) > 1 else values[0]

    return read


def _neighbours(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


REALS, INTEGERS = _one_or_more(float, "a number"), _one_or_more(int, "a whole number")
_PER_AXIS = "one for all axes, or one per axis as in 3,1"

PARAMETERS = (
    Parameter("sigma", f"width of the Gaussian in pixels; {_PER_AXIS}", REALS, "PIXELS"),
    Parameter("order", "order of the derivative, 0 to 3; one per axis as in 0,1", INTEGERS, "ORDER"),
    Parameter("ratio", "how much wider the second Gaussian is", float, "FACTOR"),
    Parameter("amount", "how strongly", float, "FACTOR"),
    Parameter("operator", "slopes by this operator", choices=("sobel", "prewitt", "scharr", "roberts")),
    Parameter("size", f"of the box, in pixels; {_PER_AXIS}", INTEGERS, "PIXELS"),
    Parameter("axis", "direction of the slope: 0 down the rows, 1 along the columns", int, "AXIS"),
    Parameter("neighbours", "which pixels count: faces (4), all (8), or their number", _neighbours, "WHICH"),
    Parameter("scale", "integer: weights as published; unit: a slope of 1 gives 1", choices=("unit", "integer")),
    Parameter("kernel", "a name that 'gpuconv kernels' lists, rows of numbers, or a .npy file", metavar="KERNEL"),
    Parameter("weights", "a picture or a .npy: how much each pixel counts, 0 where missing", metavar="FILE"),
    Parameter("nan", "omit: pixels that are not a number are missing", choices=("propagate", "omit")),
    Parameter("ddof", "0 for the variance of the box, 1 for an estimate from it", int, "NUMBER"),
    Parameter("truncate", f"cut the Gaussian at this many sigma; {_PER_AXIS}", REALS, "SIGMAS"),
    Parameter("radius", f"cut the Gaussian at this many pixels; {_PER_AXIS}", INTEGERS, "PIXELS"),
    Parameter("kind", "sampled Gaussian, or the heat kernel of the lattice", choices=("sampled", "lattice")),
    Parameter("origin", "moves the window by so many pixels, as in --origin=-1,0", INTEGERS, "PIXELS"),
    Parameter("mode", "size of the result", choices=MODES),
    Parameter("method", "how it is computed", choices=METHODS),
    Parameter("accuracy", "what the error is measured by", choices=("norm", "local")),
)


def own_parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """Names and defaults of what a filter alone has; `inspect.Parameter.empty` where it has to be given."""
    found = inspect.signature(function).parameters.values()
    return {entry.name: entry.default for entry in found if entry.name not in GIVEN_OTHERWISE}


def add_parameters(
    parser: argparse.ArgumentParser, function: Callable[..., Any], defaults: dict[str, Any], hidden: tuple[str, ...]
) -> None:
    """An option for every parameter of a filter but those `hidden`; `defaults` are shown instead of the filter's."""
    own = own_parameters(function)
    group = parser.add_argument_group("filter")
    for parameter in PARAMETERS:
        if parameter.name not in own or parameter.name in hidden:
            continue
        default = defaults.get(parameter.name, own[parameter.name])
        required = default is inspect.Parameter.empty
        shown = "" if required or default is None else f" (default: {default})"
        group.add_argument(
            f"--{parameter.name}",
            dest=parameter.name,
            type=parameter.read,
            metavar=parameter.metavar,
            choices=parameter.choices,
            required=required,
            help=parameter.words + shown,
        )


def given_parameters(function: Callable[..., Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """The parameters of a filter that were given, by name."""
    values = {name: getattr(arguments, name, None) for name in own_parameters(function)}
    return {name: value for name, value in values.items() if value is not None}


def in_words(parameters: dict[str, Any]) -> str:
    """``sigma=3,1, kind=lattice``."""
    return ", ".join(f"{name}={_value_in_words(value)}" for name, value in parameters.items())


def _value_in_words(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(_value_in_words(entry) for entry in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
