"""The benchmark harness: what it checks, what it times, and how."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import gpuconv
from benchmarks import apart, libraries, machine, memory, roofline
from benchmarks.apart import Elsewhere
from benchmarks.harness import Case, Contender, Effort, run_case, time_in_turn, why_wrong
from benchmarks.libraries import ArrayLibrary

BRIEF = Effort(seconds=0.0, fewest=3, most=3)


@pytest.fixture
def numpy_library():
    return libraries.open_library("numpy")


def _case(library, contenders, expected, tolerance=0.0):
    return Case("a case", library, contenders, np.asarray(expected, np.float64), tolerance)


def _rows(result):
    return {row["name"]: row for row in result["contenders"]}


def test_a_wrong_answer_is_reported_and_never_timed(numpy_library):
    calls = {"gpuconv": 0, "wrong": 0}

    def answer(name, value):
        calls[name] += 1
        return np.array([value])

    contenders = [
        Contender("gpuconv", lambda: answer("gpuconv", 1.0)),
        Contender("wrong", lambda: answer("wrong", 1.5)),
    ]
    rows = _rows(run_case(_case(numpy_library, contenders, [1.0], tolerance=0.25), BRIEF))
    assert rows["wrong"] == {
        "name": "wrong",
        "status": "wrong",
        "reason": "at (0,) it is 1.5, it should be 1 within 0.25",
    }
    assert calls["wrong"] == 1
    assert rows["gpuconv"]["status"] == "timed"
    assert calls["gpuconv"] > 3


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        ([1.0, 2.25], None),
        ([1.0, 2.26], "at (1,) it is 2.26, it should be 2 within 0.25"),
        ([float("nan"), 2.0], "at (0,) it is nan, it should be 1 within 0.25"),
        ([1.0, 2.0, 3.0], "the shape is (3,), it should be (2,)"),
    ],
)
def test_an_answer_is_wrong_outside_the_tolerance(result, fault):
    found = why_wrong(np.array(result), np.array([1.0, 2.0]), 0.25)
    assert found == fault


def test_a_fractional_answer_to_an_integer_case_is_wrong():
    assert why_wrong(np.array([3.5]), np.array([3]), 0.0) == "at (0,) it is 3.5, it should be 3 within 0"


def test_what_fails_or_is_absent_is_named_and_the_others_are_timed(numpy_library):
    contenders = [
        Contender("gpuconv", lambda: np.ones(1)),
        Contender("failing", lambda: 1 / 0),
        Contender("missing", status="absent", reason="missing is not installed"),
        Contender("other work", status="left out", reason="it has no such boundary"),
    ]
    result = run_case(_case(numpy_library, contenders, [1.0]), BRIEF)
    rows = _rows(result)
    assert [row["name"] for row in result["contenders"]] == ["gpuconv", "failing", "missing", "other work"]
    assert rows["gpuconv"]["rounds"] == 3
    assert (rows["failing"]["status"], rows["failing"]["reason"]) == ("failed", "ZeroDivisionError: division by zero")
    assert (rows["missing"]["status"], rows["missing"]["reason"]) == ("absent", "missing is not installed")
    assert rows["other work"]["status"] == "left out"


def test_contenders_take_turns_and_the_order_is_turned_round():
    order = []

    def timer(name):
        def seconds(repeats):
            order.append(name)
            return 1.0

        return seconds

    samples = time_in_turn([timer("a"), timer("b")], Effort(seconds=0.0, fewest=3, most=9))
    warm_up = order[:2]
    assert warm_up == ["a", "b"]
    assert order[2:] == ["a", "b", "b", "a", "a", "b"]
    assert samples == [[1.0] * 3, [1.0] * 3]


def test_rounds_go_on_until_the_time_is_over_but_not_beyond_the_most():
    def timer(repeats):
        time.sleep(0.002)
        return 0.002

    assert len(time_in_turn([timer], Effort(seconds=30.0, fewest=1, most=4))[0]) == 4
    assert len(time_in_turn([timer], Effort(seconds=0.0, fewest=2, most=50))[0]) == 2
    between = len(time_in_turn([timer], Effort(seconds=0.4, fewest=1, most=1000))[0])
    assert 2 <= between <= 200


def test_short_calls_are_repeated_to_outlast_the_clock():
    repeated = []

    def timer(repeats):
        repeated.append(repeats)
        return 1e-5

    time_in_turn([timer], BRIEF)
    # One call to find out, then in each round an untimed and a timed sample of a millisecond.
    assert repeated == [1] + [100] * 6


def test_the_first_call_is_kept_apart(numpy_library):
    slept = []

    def call():
        if not slept:
            slept.append(time.sleep(0.1))
        return np.ones(1)

    (row,) = run_case(_case(numpy_library, [Contender("gpuconv", call)], [1.0]), BRIEF)["contenders"]
    assert row["first_s"] >= 0.1
    assert row["median_s"] < 0.05


def test_ratios_are_taken_round_by_round():
    durations = {"gpuconv": [1.0, 2.0, 1.0, 4.0], "peer": [1.0, 6.0, 2.0, 8.0]}
    # Of both medians it would be 6 / 2.
    library = ArrayLibrary(
        "fake", np.asarray, lambda result: np.ones(1), lambda call, repeats: durations[call()].pop(0)
    )
    contenders = [Contender(name, lambda name=name: name) for name in durations]
    rows = _rows(run_case(_case(library, contenders, [1.0]), BRIEF))
    assert (rows["gpuconv"]["median_s"], rows["peer"]["median_s"]) == (2.0, 6.0)
    assert (rows["gpuconv"]["ratio"], rows["peer"]["ratio"]) == (1.0, 2.0)


def test_shares_are_of_the_measured_limits(numpy_library):
    library = replace(numpy_library, seconds=lambda call, repeats: 0.5)
    case = replace(_case(library, [Contender("gpuconv", lambda: np.ones(1))], [1.0]), traffic=40, products=10)
    limits = {"copy_bytes_per_s": 160.0, "multiply_adds_per_s": 200.0}
    (row,) = run_case(case, BRIEF, limits)["contenders"]
    assert row["share_of_copy"] == 0.5
    assert row["share_of_multiply_adds"] == 0.1
    assert (row["median_s"], row["lower_quartile_s"], row["upper_quartile_s"], row["fastest_s"]) == (0.5,) * 4


def test_a_device_is_timed_by_its_librarys_own_benchmark():
    given = []

    def benchmark(call, **options):
        given.append((call, options))
        return SimpleNamespace(gpu_times=np.array([[0.003, 0.005]]))

    assert libraries.device_clock(benchmark)(len, 2) == pytest.approx(0.004)
    assert given == [(len, {"n_repeat": 2, "n_warmup": 0})]


def test_asynchronous_libraries_are_waited_for():
    waited = []
    libraries.wall_clock(waited.append)(lambda: "result", 5)
    assert waited == ["result"]


def test_limits_and_machine_are_measured(monkeypatch):
    monkeypatch.setattr(roofline, "COPY_BYTES", 2**20)
    monkeypatch.setattr(roofline, "MATRIX_SIZE", 64)
    limits = roofline.measure(rounds=2)
    assert {*roofline.WORDS, "threads"} == set(limits)
    # Slower than any machine that runs Python, faster than any that exists.
    for name, value in limits.items():
        assert name == "threads" or 1e6 < value < 1e16
    described = machine.describe()
    assert described["machine"]["cores"] >= 1
    assert described["versions"]["numpy"] == np.__version__
    assert described["versions"]["gpuconv"] == gpuconv.__version__


@pytest.mark.skipif(not memory.is_told(), reason="this system does not tell the largest memory a process had")
def test_the_peak_holds_the_result_and_what_was_freed_before_the_end(run_python):
    """In a process of its own, in which nothing else comes and goes."""
    code = """
import numpy as np
from benchmarks import memory

def call():
    scratch = np.ones(3_000_000)
    return scratch[:1_000_000] + 1

call()
print(memory.peak_bytes(call), memory.peak_bytes(lambda: None))
"""
    peak, nothing = map(int, run_python(code).split())
    result, scratch = 8_000_000, 24_000_000
    # The kernel adds up pages in batches, one for each processor: some are always still to be counted.
    assert abs(peak - (result + scratch)) < 2**20
    assert nothing < 2**20


def test_the_peak_on_a_device_is_what_its_pool_had_to_ask_for():
    class Pool:
        total = 500

        def free_all_blocks(self):
            self.total = 100

        def total_bytes(self):
            return self.total

    pool = Pool()
    assert memory.pool_bytes(lambda: setattr(pool, "total", 350), pool) == 250


def test_memory_of_a_case_is_told_beside_what_its_plan_expects(numpy_library):
    library = replace(numpy_library, peak=lambda call: 123)
    case = replace(_case(library, [Contender("gpuconv", lambda: np.ones(1))], [1.0]), predicted=99)
    (row,) = run_case(case, BRIEF)["contenders"]
    assert (row["peak_bytes"], row["predicted_bytes"]) == (123, 99)


def test_a_contender_of_another_process_is_checked_and_timed_there(numpy_library):
    contenders = [
        Contender("gpuconv", lambda: np.ones(2)),
        Contender("elsewhere", elsewhere=Elsewhere("a process of the tests", _ones_elsewhere)),
        Contender("wrong", elsewhere=Elsewhere("a process of the tests", _zeros_elsewhere)),
        Contender("failing", elsewhere=Elsewhere("a process of the tests", _failing_elsewhere)),
    ]
    rows = _rows(run_case(_case(numpy_library, contenders, [1.0, 1.0]), BRIEF))
    assert rows["elsewhere"]["status"] == "timed"
    assert rows["elsewhere"]["rounds"] == 3
    assert rows["wrong"]["status"] == "wrong"
    assert (rows["failing"]["status"], rows["failing"]["reason"]) == ("failed", "ValueError: not here")
    apart.end()


def _ones_elsewhere():
    return apart.Here(_ones, libraries.open_library("numpy"))


def _zeros_elsewhere():
    return apart.Here(_zeros, libraries.open_library("numpy"))


def _failing_elsewhere():
    raise ValueError("not here")


def _ones():
    assert multiprocessing.parent_process() is not None, "this is not another process"
    return np.ones(2)


def _zeros():
    return np.zeros(2)


def test_libraries_with_pools_of_threads_are_kept_apart_from_arrays_of_others(numpy_library):
    assert apart.is_apart("torch", numpy_library)
    assert not apart.is_apart("scipy", numpy_library)
    assert not apart.is_apart("torch", replace(numpy_library, name="torch"))
