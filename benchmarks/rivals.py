"""Other libraries' ways to the same answer, declared one by one, for subjects whose work comes as problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.filter_peers import load
from benchmarks.harness import Contender
from benchmarks.libraries import AbsentError, ArrayLibrary, open_library

Call = Callable[[], Any]


@dataclass(frozen=True)
class Rival:
    """One way to do it in another library.

    Attributes
    ----------
    name : str
        Its column or row.
    group : str
        What ``--peers`` selects.
    module : str
        To import.
    arrays : tuple of str
        The array libraries of the cases in which it takes part.
    returns : str
        The array library of its results.
    make : callable
        ``make(module, work, problem)``: sets up and returns the call that does the work; a sentence where it cannot.
    """

    name: str
    group: str
    module: str
    arrays: tuple[str, ...]
    returns: str
    make: Callable[[Any, Any, Any], Call | str]


def contenders(
    rivals: Sequence[Rival], work: Any, problem: Any, library: ArrayLibrary, groups: tuple[str, ...]
) -> list[Contender]:
    """All rivals of `groups` for arrays of `library`: to be timed, absent or left out."""
    chosen = [rival for rival in rivals if rival.group in groups and library.name in rival.arrays]
    return [_contender(rival, work, problem) for rival in chosen]


def _contender(rival: Rival, work: Any, problem: Any) -> Contender:
    try:
        returned = open_library(rival.returns)
        module = load(rival.module)
    except AbsentError as absent:
        return Contender(rival.name, status="absent", reason=str(absent))
    made = rival.make(module, work, problem)
    if isinstance(made, str):
        return Contender(rival.name, status="left out", reason=made)
    return Contender(rival.name, made, library=returned)
