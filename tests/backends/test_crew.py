"""Threads that lend a hand do all of the work, leave none behind, and nobody waits for those who come too late."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from gpuconv.backends.cpu import crew


@pytest.fixture(autouse=True)
def _a_crew_of_its_own(monkeypatch):
    monkeypatch.setattr(crew, "_crew", crew._Crew())


def test_as_many_threads_as_are_asked_for_work_at_once():
    meeting = threading.Barrier(3)
    crew.together(lambda: meeting.wait(30), 3)
    assert crew._crew.hands == 2
    crew.together(lambda: meeting.wait(30), 3)
    assert crew._crew.hands <= 4


def test_one_thread_is_the_callers_own():
    seen = []
    crew.together(lambda: seen.append(threading.current_thread()), 1)
    assert seen == [threading.current_thread()]
    assert crew._crew.hands == 0


def test_nobody_waits_for_a_hand_that_has_not_begun(monkeypatch):
    monkeypatch.setattr(crew._Crew, "hand", lambda self, most: crew.SimpleQueue())  # where nobody listens
    seen = []
    crew.together(lambda: seen.append(1), 4)
    assert seen == [1]


def test_the_caller_waits_for_a_hand_that_has():
    begun, ended = threading.Event(), []

    def work():
        if threading.current_thread() is threading.main_thread():
            assert begun.wait(30)
        else:
            begun.set()
            time.sleep(0.1)
            ended.append(1)

    crew.together(work, 2)
    assert ended == [1]


def test_hands_that_are_busy_are_not_waited_for():
    gate, begun, seen = threading.Event(), threading.Barrier(3), []

    def first():
        begun.wait(30)
        gate.wait(30)

    busy = threading.Thread(target=crew.together, args=(first, 2))
    busy.start()
    begun.wait(30)
    crew.together(lambda: seen.append(1), 2)
    gate.set()
    busy.join(30)
    assert seen == [1]


def test_what_fails_on_another_thread_is_raised_here_and_its_hand_goes_on():
    begun = threading.Event()

    def work():
        if threading.current_thread() is threading.main_thread():
            assert begun.wait(30)
        else:
            begun.set()
            raise ZeroDivisionError

    for _ in range(3):
        begun.clear()
        with pytest.raises(ZeroDivisionError):
            crew.together(work, 2)
        while not crew._crew.idle:
            time.sleep(0.001)
    assert crew._crew.hands == 1


def test_an_interrupt_is_raised_after_the_other_threads_are_through():
    begun, ended = threading.Event(), []

    def work():
        if threading.current_thread() is threading.main_thread():
            assert begun.wait(30)
            return
        begun.set()
        time.sleep(0.2)
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.2)
        ended.append(1)

    with pytest.raises(KeyboardInterrupt):
        crew.together(work, 2)
    assert ended == [1]


def test_all_hands_are_waited_for_when_the_first_of_them_fails(monkeypatch):
    meeting, ended, queues = threading.Barrier(3), [], [crew.SimpleQueue() for _ in range(2)]
    for name, queue in zip(("first", "second"), queues, strict=True):
        threading.Thread(target=crew._crew._serve, args=(queue,), name=name, daemon=True).start()
    monkeypatch.setattr(crew._Crew, "hand", lambda self, most: queues.pop(0))

    def work():
        meeting.wait(30)
        if threading.current_thread().name == "first":
            raise ZeroDivisionError
        if threading.current_thread().name == "second":
            time.sleep(0.2)
            ended.append(1)

    with pytest.raises(ZeroDivisionError):
        crew.together(work, 3)
    assert ended == [1]


def _interrupted_once(original):
    """The function, but its first call from the main thread ends in an interrupt."""
    interrupts = iter([KeyboardInterrupt])

    def function(*given):
        result = original(*given)
        if threading.current_thread() is threading.main_thread():
            for interrupt in interrupts:
                raise interrupt
        return result

    return function


def test_a_signal_just_before_the_caller_waits_changes_nothing(monkeypatch):
    meeting, ended = threading.Barrier(2), []

    def work():
        meeting.wait(30)
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.2)
            ended.append(1)

    monkeypatch.setattr(crew._Call, "take", _interrupted_once(crew._Call.take))
    with pytest.raises(KeyboardInterrupt):
        crew.together(work, 2)
    assert ended == [1]


def test_a_call_that_a_signal_takes_from_the_caller_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(crew._Crew, "hand", lambda self, most: crew.SimpleQueue())  # where nobody listens
    monkeypatch.setattr(crew._Call, "take", _interrupted_once(crew._Call.take))
    with pytest.raises(KeyboardInterrupt):
        crew.together(lambda: None, 2)


@pytest.mark.parametrize("idle", [True, False])
def test_no_hand_is_lost_when_a_signal_comes_before_it_has_its_call(idle, monkeypatch):
    meeting = threading.Barrier(2)
    if idle:
        crew.together(lambda: meeting.wait(30), 2)
        while not crew._crew.idle:
            time.sleep(0.001)
    monkeypatch.setattr(crew._Crew, "hand", _interrupted_once(crew._Crew.hand))
    with pytest.raises(KeyboardInterrupt):
        crew.together(lambda: None, 2)
    crew.together(lambda: meeting.wait(30), 2)


def test_hands_that_are_dismissed_go_home_idle_or_not():
    others, gate, meeting = threading.active_count(), threading.Event(), threading.Barrier(4)

    def work():
        meeting.wait(30)
        gate.wait(30)

    busy = threading.Thread(target=crew.together, args=(work, 3))
    busy.start()
    meeting.wait(30)
    crew._crew.dismiss()
    gate.set()
    busy.join(30)
    deadline = time.monotonic() + 30
    while threading.active_count() > others and time.monotonic() < deadline:
        time.sleep(0.001)
    assert threading.active_count() == others


def test_the_handler_of_a_signal_may_have_work_while_a_hand_is_being_started(monkeypatch):
    seen, original = [], threading.Thread.start

    def start(thread):
        monkeypatch.setattr(threading.Thread, "start", original)
        crew.together(lambda: seen.append(1), 2)
        original(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    caller = threading.Thread(target=crew.together, args=(lambda: None, 2), daemon=True)
    original(caller)
    caller.join(30)
    assert not caller.is_alive()
    assert seen


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_children_of_a_fork_have_hands_of_their_own():
    meeting = threading.Barrier(2)
    crew.together(lambda: meeting.wait(30), 2)
    child = os.fork()
    if child == 0:
        try:
            assert crew._crew.hands == 0
            meeting = threading.Barrier(2)
            crew.together(lambda: meeting.wait(30), 2)
            os._exit(crew._crew.hands)
        finally:
            os._exit(99)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
