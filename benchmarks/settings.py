"""What the command line asks of a run."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from time import perf_counter

from benchmarks.libraries import ArrayLibrary


@dataclass(frozen=True)
class Settings:
    """One run.

    Attributes
    ----------
    peers : tuple of str
        Groups of peers to measure.
    quick : bool
        Fewer cases, and less time for each.
    patience : float
        Time spent on every measurement, relative to the usual.
    limits : dict
        The machine's measured limits, by name.
    card_limits : dict
        The same of the GPU that CuPy's arrays lie on, where there is one.
    minutes : float
        After which the planner's grid of random problems begins no other one.
    resume : bool
        True to go on with a grid that was ended.
    """

    peers: tuple[str, ...]
    quick: bool = False
    patience: float = 1.0
    limits: dict[str, float] = field(default_factory=dict)
    card_limits: dict[str, float] = field(default_factory=dict)
    minutes: float = 15.0
    resume: bool = False
    started: float = field(default_factory=perf_counter)

    def limits_of(self, library: ArrayLibrary) -> dict[str, float]:
        """The limits of whatever holds the arrays of a library."""
        return self.card_limits if library.name == "cupy" else self.limits

    def say(self, done: str) -> None:
        """Progress, on standard error."""
        print(f"{perf_counter() - self.started:6.1f} s  {done}", file=sys.stderr, flush=True)
