"""Handing an image to the row of a backend: as it is stored, or in the dtype of its sums."""

from __future__ import annotations

from typing import Any

from gpuconv.backends import registry
from gpuconv.core.namespace import cast, home_of
from gpuconv.core.problem import Problem


def run_row(primitive: str, problem: Problem, x: Any, weights: Any, cval: Any, result: str | None) -> Any:
    """`primitive` on `x`, in the accumulator's dtype, or in that called `result` where the row rounds by itself."""
    row = registry.selected_row(primitive, problem)
    if row.native:
        return row.function(x, weights, problem.spans, cval, result=result)
    x = cast(home_of(x), x, problem.working_dtype)
    return row.function(x, weights, problem.spans, cval)
