"""Which engine reads the memory of a tensor, and when tensors are not lent to it. Loads no torch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any

from gpuconv.backends import registry
from gpuconv.backends.registry import Implementation

# The library whose arrays can be seen in the memory of each kind of torch's devices.
LIBRARIES = {"cpu": "numpy", "cuda": "cupy"}


def engine_library(device: str) -> str | None:
    """Library of the engine for a device of torch, such as "cuda:1"; None if there is none."""
    return LIBRARIES.get(device.partition(":")[0])


def engine_row(library: str, primitive: str) -> Implementation | None:
    """The row that runs a primitive on arrays of `library`, the generic one aside."""
    tables = (backend.table() for backend in registry.BACKENDS if backend.library == library)
    return next((table[primitive] for table in tables if primitive in table), None)


def why_not(primitive: str, problem: Any) -> str | None:
    """Why the tensors of a problem are not lent to an engine; None if they are."""
    if problem.traced:
        return "values that do not exist yet (torch.compile, torch.func, torch.fx, meta tensors) cannot be lent"
    library = engine_library(problem.device)
    if library is None:
        return f"no engine reads the memory of device {problem.device}"
    if library == "cupy" and not has_cupy():
        return "CUDA tensors are lent to CuPy, which is not installed (extras cuda12, cuda13)"
    row = engine_row(library, primitive)
    if row is None:
        return f"there is no engine for {primitive} on {library} arrays"
    return row.why_not(replace(problem, library=library))


@cache
def has_cupy() -> bool:
    try:
        return find_spec("cupy") is not None
    except ValueError:  # the entry in sys.modules is None, which is how Python marks a module as not to be imported
        return False
