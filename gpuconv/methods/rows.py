"""Handing an image to the row of a backend: as it is stored, or in the dtype of its sums."""

from __future__ import annotations

from typing import Any

from gpuconv.backends import registry
from gpuconv.core.namespace import cast, home_of
from gpuconv.core.problem import Problem
from gpuconv.core.rounding import quiet
from gpuconv.methods.repeat import Run


def prepare_row(primitive: str, problem: Problem, weights: Any, result: str | None) -> Run:
    """`primitive` on images of a problem: in the accumulator's dtype, or in `result` where the row rounds by itself."""
    row = registry.selected_row(primitive, problem)
    function, spans = row.function, problem.spans
    if row.prepare is not None:
        return row.prepare(problem.shape, problem.dtype, weights, spans, result)
    if row.native:
        return quiet(lambda x, cval: function(x, weights, spans, cval, result=result))
    return quiet(lambda x, cval: function(cast(home_of(x), x, problem.working_dtype), weights, spans, cval))
