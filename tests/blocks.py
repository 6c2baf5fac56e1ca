"""Makes overlap-save use blocks so short that small test images need several on every axis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gpuconv.methods import overlap
from gpuconv.methods.plan import Plan, choose_plan


@contextmanager
def short_blocks() -> Iterator[None]:
    """Blocks of two kernel lengths, however short; plans made before are forgotten, and those made inside, too."""
    usual = overlap.SHORTEST, overlap.FACTORS
    overlap.SHORTEST, overlap.FACTORS = dict.fromkeys(range(1, 9), 2), (2,)
    choose_plan.cache_clear()
    try:
        yield
    finally:
        overlap.SHORTEST, overlap.FACTORS = usual
        choose_plan.cache_clear()


def blocks_of(plan: Plan) -> tuple[int, ...]:
    """How many blocks a plan for overlap-save has, on each convolved axis."""
    lengths = plan.estimate.lengths
    return tuple(
        -(-span.count // (length - span.taps + 1)) for span, length in zip(plan.problem.spans, lengths, strict=True)
    )
