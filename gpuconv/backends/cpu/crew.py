"""Threads that lend a hand: whoever has work calls those that are idle, and does what they leave.

They are threads of Python that wait without its lock, and run compiled code without it. Waking one takes some tens of
microseconds, during which the caller has begun; one that comes too late finds nothing to do, and nobody waits for it.
Several threads may call at a time: what is idle goes to the first, and the others work alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue


class _Call:
    """What a hand is asked to do. Whoever takes it, the hand or the caller, decides whether it is done."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.open = [None]  # taking from a list is one step
        self.is_over = False
        self.failure: BaseException | None = None
        self.running = threading.Lock()
        self.running.acquire()

    def take(self) -> bool:
        try:
            self.open.pop()
        except IndexError:
            return False
        return True

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
        if self.take():
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

    def _serve(self, queue: SimpleQueue) -> None:
        while True:
            call = queue.get()
            if call.take():
                call.run()
            del call  # and with it what the caller's arrays are held by
            self.idle.append(queue)


_crew = _Crew()


def _after_fork() -> None:
    """No hand of the parent is in a child, which gets its own."""
    global _crew
    _crew = _Crew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def together(work: Callable[[], None], threads: int) -> None:
    """Call `work` on this thread, and on up to ``threads - 1`` others at once; return when all of them are through."""
    calls = []
    try:
        for _ in range(threads - 1):
            hand = _crew.hand(threads - 1)
            if hand is None:
                break
            call = _Call(work)
            calls.append(call)
            hand.put(call)
        work()
    finally:
        failures = [failure for failure in [call.wait() for call in calls] if failure is not None]
        if failures:
            raise failures[0]
