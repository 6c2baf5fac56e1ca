"""Several separable convolutions of one image: those that agree along the first axes share their passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuconv.backends import registry
from gpuconv.backends.generic.separable import fill_first_for_all, share_passes
from gpuconv.core.boundary import Span
from gpuconv.core.namespace import cast
from gpuconv.core.problem import Problem
from gpuconv.methods.deliver import deliver
from gpuconv.methods.describe import Described, Options
from gpuconv.methods.fill import read_fill
from gpuconv.methods.passes import describe_passes, plan_passes, run_pass
from gpuconv.methods.plan import empty_result


def in_one_sweep(problem: Problem) -> bool:
    """Whether an engine reads the image once for all banks, where others have a pass per axis for each."""
    return registry.selected_backend("correlate_banks", problem) != "generic"


def convolve_banks(x: Any, banks: Sequence[Sequence[Any]], /, *, boundary: Any, cval: Any, axes: Any) -> list[Any]:
    """`convolve_separable` of one array with several lists of taps at once; for the filters that need all of them."""
    described = [describe_passes(x, bank, Options("convolve", boundary=boundary, axes=axes)) for bank in banks]
    results = _accumulate(described, cval)
    return [deliver(result, bank.home, bank.problem, None) for result, bank in zip(results, described)]


def _accumulate(banks: Sequence[Described], cval: Any) -> list[Any]:
    """The results before rounding: all in one sweep where an engine has one, else pass by pass, each planned."""
    problem, home = banks[0].problem, banks[0].home
    cval = read_fill(cval, problem)
    if problem.outputs == 0:
        return [empty_result(bank.x, bank.problem, *bank.weights.weights) for bank in banks]
    weights = [bank.weights.weights for bank in banks]
    spans: Sequence[Sequence[Span]] = [bank.problem.spans for bank in banks]
    plans = [plan_passes(bank) for bank in banks]
    with np.errstate(over="ignore", invalid="ignore"):  # infinity and NaN are results like others
        direct = all(plan.method == "direct" for bank in plans for plan in bank)
        if direct and in_one_sweep(problem):
            row = registry.selected_row("correlate_banks", problem)
            x = banks[0].x if row.native else cast(home, banks[0].x, problem.working_dtype)
            return row.function(x, weights, spans, cval)
        x = cast(home, banks[0].x, problem.working_dtype)
        x, spans = fill_first_for_all(x, spans, cval)
        planned = {id(line): plan for bank, line_plans in zip(weights, plans) for line, plan in zip(bank, line_plans)}
        return share_passes(
            x, weights, spans, lambda samples, line, span: run_pass(planned[id(line)], samples, line, span, cval)
        )
