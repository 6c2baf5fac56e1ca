"""The last step: round once, to the result's dtype or into the caller's array."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import check_supported, is_complex
from gpuconv.core.namespace import Home, cast, dtype_name, home_of, is_writeable
from gpuconv.core.problem import Problem
from gpuconv.core.rounding import convert


def wanted_dtype(problem: Problem, out: Any) -> str:
    """What the caller wants samples to be: the result's dtype, or that of `out`."""
    return problem.rule.result if out is None else dtype_name(out.dtype)


def deliver(result: Any, home: Home, problem: Problem, out: Any) -> Any:
    """`result` as the caller wants it: a new array of the result's dtype, or written into `out`.

    What has the wanted dtype already, from a row that rounds by itself, is not converted again.
    """
    if out is None:
        if dtype_name(result.dtype) == problem.rule.result:
            return home.returned(result)
        with np.errstate(over="ignore"):  # half precision may round to infinity
            return home.returned(cast(home, result, problem.rule.result))
    # The result is complete before the first write, so that `out` may be the input itself.
    with np.errstate(over="ignore", invalid="ignore"):
        out[...] = convert(home, result, dtype_name(out.dtype))
    return out


def check_out(out: Any, home: Home, problem: Problem) -> None:
    """Refuse an `out` that could not take the result, before any work is done."""
    if out is None:
        return
    if not is_writeable(home):
        raise TypeError(
            refusal(
                "out= needs an array whose elements can be assigned",
                f"{home.library} arrays are immutable",
                "Leave out= away and use the returned array",
            )
        )
    owner = home_of(out, "out")
    if owner.library != home.library or str(owner.device) != str(home.device):
        raise TypeError(
            refusal(
                "out must live where x lives",
                f"x is a {home.library} array on {home.device}, out a {owner.library} array on {owner.device}",
                "Make out with the library and on the device of x",
            )
        )
    if tuple(out.shape) != problem.output_shape:
        raise ValueError(
            refusal(
                "out must have the shape of the result",
                f"the result has shape {problem.output_shape}, out has {tuple(out.shape)}",
                "Make out that shape",
            )
        )
    _check_out_dtype(check_supported(dtype_name(out.dtype), "out"), home, problem)
    flags = getattr(out, "flags", None)
    if flags is not None and getattr(flags, "writeable", True) is False:
        raise ValueError(refusal("out must be writeable", "got a read-only array", "Pass a writeable one"))


def _check_out_dtype(name: str, home: Home, problem: Problem) -> None:
    if is_complex(problem.rule.result) and not is_complex(name):
        raise TypeError(
            refusal(
                "a complex result needs a complex out",
                f"the result is {problem.rule.result}, out is {name}",
                "Make out complex, or take the part you want from the returned array",
            )
        )
    if home.library == "torch" and name in ("uint16", "uint32", "uint64"):
        raise TypeError(
            refusal(
                "out must have a dtype that torch can convert to",
                f"out is {name}",
                "Use a signed or floating out, or uint8",
            )
        )
