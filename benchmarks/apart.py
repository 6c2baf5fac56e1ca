"""Runs a contender in a process of its own library, so that the threads of two libraries never wait for a core at once.

A library that keeps a pool of threads lets them spin for a while after each call; in one process they would take the
cores from whoever is timed next. Such a library gets one process for all of a run. It makes the arrays itself, from the
same description, and is told when its turn is; rounds are interleaved with everybody else's as ever.
"""

from __future__ import annotations

import atexit
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

from benchmarks.libraries import ArrayLibrary

# Groups of peers that keep pools of threads.
APART = ("torch", "opencv")
# Threads of the other process have gone to sleep after it.
SETTLE_SECONDS = 3e-3


def is_apart(group: str, library: ArrayLibrary) -> bool:
    """True for peers of a group that is not the library of the arrays anyway."""
    return group in APART and group != library.name


class Runner(Protocol):
    """How a contender is called."""

    def first(self) -> tuple[np.ndarray, float]:
        """The result of the first call, on the host, and how long it took."""

    def seconds(self, repeats: int) -> float:
        """Mean duration of a call."""

    def peak(self) -> int | None:
        """Bytes that a call takes on top of what is there."""


@dataclass(frozen=True)
class Here:
    """A call in this process."""

    call: Callable[[], Any]
    library: ArrayLibrary

    def first(self) -> tuple[np.ndarray, float]:
        start = time.perf_counter()
        result = self.library.to_host(self.call())
        return result, time.perf_counter() - start

    def seconds(self, repeats: int) -> float:
        return self.library.seconds(self.call, repeats)

    def peak(self) -> int | None:
        return self.library.peak(self.call)


@dataclass(frozen=True)
class Elsewhere:
    """The same in the process of a group of peers; `make` is sent there, and gives its `Here`."""

    group: str
    make: Callable[[], Here]

    def first(self) -> tuple[np.ndarray, float]:
        _ask(self.group, "make", self.make)
        return _ask(self.group, "first", ())

    def seconds(self, repeats: int) -> float:
        spent = _ask(self.group, "seconds", (repeats,))
        time.sleep(SETTLE_SECONDS)
        return spent

    def peak(self) -> int | None:
        return _ask(self.group, "peak", ())

    def close(self) -> None:
        """Let go of the arrays there."""
        _ask(self.group, "make", None)


_processes: dict[str, tuple[Any, Connection]] = {}


def _ask(group: str, what: str, given: Any) -> Any:
    if group not in _processes:
        _processes[group] = _start()
    line = _processes[group][1]
    line.send((what, given))
    done, value = line.recv()
    if not done:
        raise RuntimeError(value)
    return value


def _start() -> tuple[Any, Connection]:
    """A fresh interpreter: a copy of this one would hold this one's threads, or what is left of them."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def serve(line: Connection) -> None:
    """What the other process does: one contender at a time, until nobody asks any more."""
    current: Here | None = None
    while True:
        try:
            what, given = line.recv()
        except EOFError:
            return
        try:
            if what == "make":
                current = None if given is None else given()
                line.send((True, None))
            else:
                line.send((True, getattr(current, what)(*given)))
        except Exception as error:  # a contender that fails is a finding of the other process
            line.send((False, f"{type(error).__name__}: {error}"))


@atexit.register
def end() -> None:
    """End all processes that were started here."""
    for process, line in _processes.values():
        line.close()
        process.join(5)
        if process.is_alive():
            process.kill()
    _processes.clear()
