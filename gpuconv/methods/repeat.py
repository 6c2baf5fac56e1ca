"""Calls that are repeated: one look-up finds what the arguments mean and how they are carried out, all but the samples.

The key of the look-up (`facts_of`, and the arguments as plain values) says all that the answer depends on. What it
does not say is asked at every call: the fill value, the caller's `out`, and the backend that is asked for. Nothing that
is kept refers to an array of the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gpuconv.backends.registry import forced_backend
from gpuconv.core.arguments import are_numbers, are_plain
from gpuconv.core.namespace import NUMPY, Home, chunks_of, dtype_name, has_double
from gpuconv.core.problem import ImageFacts, Problem
from gpuconv.core.remembered import remembered
from gpuconv.methods.deliver import check_out, deliver, wanted_dtype
from gpuconv.methods.fill import read_fill

# Bytes of weights up to which all that follows from them is kept for the next call with the same values: reading them
# again would take as long as a small convolution.
REMEMBERED = 2**12
# Calls that are kept: at most as many times REMEMBERED bytes, a few times over.
ENTRIES = 1024

Run = Callable[[Any, Any], Any]
Facts = ImageFacts | tuple[tuple[int, ...], np.dtype]


class Posed(NamedTuple):
    """All that follows from the arguments but for the samples; `options` are in normal form.

    runs: what carries it out, by the backend that is asked for and the dtype of `out`, as `run_posed` has found it.
    """

    problem: Problem
    weights: Any
    options: Any
    runs: dict[Any, Run]


def facts_of(x: Any, home: Home) -> Facts:
    """What is known of an image without its samples: for the key of a look-up, and for `image_of`."""
    return (x.shape, x.dtype) if home is NUMPY else image_facts(x, home, tuple(x.shape))


def image_of(facts: Facts) -> ImageFacts:
    """The same in words."""
    if isinstance(facts, ImageFacts):
        return facts
    shape, dtype = facts
    return ImageFacts("numpy", NUMPY.device, False, shape, dtype_name(dtype), None, True)


def image_facts(x: Any, home: Home, shape: tuple[int, ...]) -> ImageFacts:
    """Facts of an image like `x` of the given shape."""
    return ImageFacts(
        home.library,
        str(home.device),
        home.traced,
        shape,
        dtype_name(x.dtype),
        chunks_of(x, home),
        has_double(home),
        home.swapped,
    )


def is_remembered(*weights: Any) -> bool:
    """Whether what these weights say is kept for the next call with the same values."""
    total = 0
    for each in weights:
        if not isinstance(each, np.ndarray) or each.nbytes == 0 or each.dtype.hasobject:
            return False
        total += each.nbytes
    return total <= REMEMBERED


def recalled(pose: Callable[..., Posed], facts: Facts, plain: tuple[Any, ...], numbers: tuple[Any, ...] = ()) -> Posed:
    """``pose(facts, *plain, *numbers)``, kept for the next call where these arguments can be a key.

    `numbers` are those arguments that are read as real numbers; of `plain` ones 1 and 1.0 are not the same.
    """
    if are_plain(*plain) and are_numbers(*numbers):
        posed = _recalled(pose, facts, plain, numbers)
        if posed is not None:
            return posed
    return pose(facts, *plain, *numbers)


@remembered(ENTRIES)
def _recalled(
    pose: Callable[..., Posed], facts: Facts, plain: tuple[Any, ...], numbers: tuple[Any, ...]
) -> Posed | None:
    """None for weights that take too much memory to be kept."""
    posed = pose(facts, *plain, *numbers)
    return posed if is_remembered(*getattr(posed.weights, "weights", (posed.weights,))) else None


def run_posed(prepare: Callable[[Posed, str], Run], posed: Posed, x: Any, home: Home, cval: Any, out: Any) -> Any:
    """Carry out what is posed as ``prepare(posed, dtype)`` says; round once, to the result's dtype or into `out`."""
    problem = posed.problem
    cval = read_fill(cval, problem)
    wanted: Any = forced_backend()
    if out is not None:
        check_out(out, home, problem)
        wanted = wanted, dtype_name(out.dtype)
    run = posed.runs.get(wanted)
    if run is None:
        run = posed.runs[wanted] = prepare(posed, wanted_dtype(problem, out))
    return deliver(run(x, cval), home, problem, out)
