"""Threads that lend a hand: whoever has work calls those that are idle, and does what they leave.

They are threads of Python that wait without its lock, and run compiled code without it. Waking one takes some tens of
microseconds, during which the caller has begun; one that comes too late finds nothing to do, and nobody waits for it.
Several threads may call at a time: what is idle goes to the first, and the others work alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue


class _Call:
    """What a hand is asked to do. Whoever takes it, the hand or the caller, decides whether it is done."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.taken: dict[str, object] = {}
        self.is_over = False
        self.failure: BaseException | None = None
        self.running = threading.Lock()
        self.running.acquire()

    def take(self, who: object) -> bool:
        """Whether it is for `who` to do; the same answer however often a signal has it asked again."""
        return self.taken.setdefault("by", who) is who

    def run(self) -> None:
        try:
            self.work()
        except BaseException as error:
            self.failure = error
        self.is_over = True
        self.running.release()

    def wait(self) -> BaseException | None:
        """Until the hand is through with it, even if a signal comes: it writes to arrays that the caller would free.

        What failed meanwhile is returned and not raised: other hands are still to be waited for.
        """
        if self.take(self):
            return None
        while not self.is_over:
            try:
                self.running.acquire()
            except BaseException as error:
                self.failure = error
        return self.failure


class _Crew:
    """All hands of a process: those that wait for work, and how many there are."""

    def __init__(self) -> None:
        self.idle: list[SimpleQueue] = []
        self.hands = 0
        self.is_dismissed = False
        self.lock = threading.RLock()  # a signal's handler may have work while its thread starts a hand

    def hand(self, most: int) -> SimpleQueue | None:
        """A hand that is idle, or a new one while there are no more than `most`."""
        try:
            return self.idle.pop()
        except IndexError:
            pass
        with self.lock:
            if self.hands >= most:
                return None
            queue: SimpleQueue = SimpleQueue()
            try:
                threading.Thread(target=self._serve, args=(queue,), name="gpuconv", daemon=True).start()
            except RuntimeError:  # no more threads, or Python is about to end
                return None
            self.hands += 1
            return queue

    def dismiss(self) -> None:
        """Send home those that are idle, and the others once they are."""
        self.is_dismissed = True
        with suppress(IndexError):
            while True:
                self.idle.pop().put(None)

    def _serve(self, queue: SimpleQueue) -> None:
        while True:
            call = queue.get()
            if call is None:
                return
            if call.take(queue):
                call.run()
            del call  # and with it what the caller's arrays are held by
            self.idle.append(queue)
            if self.is_dismissed:
                self.dismiss()


_crew = _Crew()


def _after_fork() -> None:
    """No hand of the parent is in a child, which gets its own."""
    global _crew
    _crew = _Crew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def together(work: Callable[[], None], threads: int) -> None:
    """Call `work` on this thread, and on up to ``threads - 1`` others at once; return when all of them are through."""
    calls: list[_Call] = []
    try:
        _ask(work, threads - 1, calls)
        work()
    finally:
        try:
            failures = [call.wait() for call in calls]
        except BaseException:  # a signal came between two steps of waiting
            failures = [call.wait() for call in calls]
            raise
        for failure in failures:
            if failure is not None:
                raise failure


def _ask(work: Callable[[], None], hands: int, calls: list[_Call]) -> None:
    """Call up to so many hands, and list the calls."""
    global _crew
    try:
        for _ in range(hands):
            hand = _crew.hand(hands)
            if hand is None:
                break
            call = _Call(work)
            calls.append(call)
            hand.put(call)
    except BaseException:  # a signal, after which a hand may wait that nobody knows of
        _crew.dismiss()
        _crew = _Crew()
        raise
