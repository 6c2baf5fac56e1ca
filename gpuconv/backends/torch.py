"""torch tensors on the engine of the memory they lie in: NumPy's for the CPU, CuPy's for CUDA, without a copy.

Tensors lend their memory (`torch_memory`), and gradients of correlations are correlations, which the same engine
computes (`torch_gradients`). What has no values yet, or carries the tangents of forward-mode differentiation, runs in
generic, as do gradients through the rows that are no correlations.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from gpuconv.backends.engines import why_not
from gpuconv.backends.registry import Implementation

_CORRELATIONS = ("correlate_axis", "correlate_separable", "correlate_windows", "correlate_fourier")
_OTHERS = (
    *("resample_axis", "cosine_transform", "linear_recurrence"),
    *("solve_tridiagonal", "diffusion_rate", "diffuse_steps"),
)


def correlate(primitive: str, x: Any, weights: Any, spans: Any, cval: Any, *options: Any) -> Any:
    """A correlation of `x`, on its engine, differentiable."""
    # Here, since it imports torch: tables can be read without.
    from gpuconv.backends.torch_gradients import Correlation

    return Correlation(primitive, tuple(spans), cval, options)(x, weights)


def prepare(primitive: str, shape: Any, dtype: str, weights: Any, spans: Any, result: str | None) -> Any:
    """`correlate` of tensors like each other: on the CPU, undifferentiated, by what the engine prepares."""
    from gpuconv.backends.torch_gradients import prepare_correlation

    return prepare_correlation(primitive, shape, dtype, weights, tuple(spans))


def run(primitive: str, x: Any, *arguments: Any) -> Any:
    """Another primitive: on the engine of `x` where no derivative is asked for."""
    from gpuconv.backends.torch_gradients import run_undifferentiated

    return run_undifferentiated(primitive, x, arguments)


TABLE = {
    name: Implementation(
        partial(correlate, name),
        partial(why_not, name),
        prepare=None if name == "correlate_fourier" else partial(prepare, name),
    )
    for name in _CORRELATIONS
} | {name: Implementation(partial(run, name), partial(why_not, name)) for name in _OTHERS}
