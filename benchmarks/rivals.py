"""Other libraries' ways to the same answer, declared one by one, for subjects whose work comes as problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.apart import Elsewhere, Here, is_apart
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
    rivals: Sequence[Rival],
    work: Any,
    problem: Any,
    library: ArrayLibrary,
    groups: tuple[str, ...],
    make_problem: Callable[[Any], Any],
) -> list[Contender]:
    """All rivals of `groups` for arrays of `library`: to be timed, absent or left out.

    ``make_problem(work)`` makes the problem again, in the processes of libraries with pools of threads.
    """
    chosen = [rival for rival in rivals if rival.group in groups and library.name in rival.arrays]
    return [_contender(rival, work, problem, library, make_problem) for rival in chosen]


def _contender(
    rival: Rival, work: Any, problem: Any, library: ArrayLibrary, make_problem: Callable[[Any], Any]
) -> Contender:
    try:
        made = _make(rival, work, problem)
    except AbsentError as absent:
        return Contender(rival.name, status="absent", reason=str(absent))
    if isinstance(made, str):
        return Contender(rival.name, status="left out", reason=made)
    if is_apart(rival.group, library):
        return Contender(rival.name, elsewhere=Elsewhere(rival.group, partial(only, rival, work, make_problem)))
    return Contender(rival.name, made.call, library=made.library)


def _make(rival: Rival, work: Any, problem: Any) -> Here | str:
    returned = open_library(rival.returns)
    made = rival.make(load(rival.module), work, problem)
    return made if isinstance(made, str) else Here(made, returned)


def only(rival: Rival, work: Any, make_problem: Callable[[Any], Any]) -> Here:
    """One rival with its problem made anew, for a process of its own."""
    made = _make(rival, work, make_problem(work))
    assert isinstance(made, Here)
    return made
