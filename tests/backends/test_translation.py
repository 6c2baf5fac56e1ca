"""What loops are written in means the same in Python and translated."""

from __future__ import annotations

import ctypes
import itertools
import threading

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="compiled loops need llvmlite")

from gpuconv.backends.cpu import compiling
from gpuconv.backends.cpu.compiling import compiled_address
from gpuconv.backends.cpu.instructions import begin, instruction, numbers_at

KEYS = itertools.count()


def translated(body, numbers, monkeypatch):
    """What is in the list of numbers after ``body(numbers)`` has been compiled and called."""
    count = len(numbers)

    def entry(address: int) -> None:
        body(numbers_at(address, count))

    array = np.array(numbers, np.int64)
    monkeypatch.setattr("gpuconv.backends.cpu.kept.place", lambda name, host: None)
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64)(compiled_address(entry, 1, next(KEYS)))
    function(array.ctypes.data)
    return array.tolist()


def arithmetic(n):
    a, b = n[0], n[1]
    n[2], n[3], n[4] = a + b, a - b, a * b
    n[5], n[6] = a // b, a % b
    n[7], n[8] = a // 8, a % 8
    n[9], n[10], n[11] = a & b, a | b, a ^ b
    n[12], n[13] = a << 3, a >> 2
    n[14], n[15] = -a, min(a, b) * 100 + max(a, b)
    n[16], n[17] = a // 7, a % 7


def truths(n):
    a, b = n[0], n[1]
    n[2] = int(a < b) + 2 * int(a <= b) + 4 * int(a == b) + 8 * int(a != b) + 16 * int(a > b) + 32 * int(a >= b)
    n[3] = int(-3 < a < b <= 7)
    n[4] = int(a != 0 and 12 // a > b)
    n[5] = int(a == 0 or 12 % a == 0 or b < 0)
    n[6] = int(not (a > 0 and not b < 5))
    low, high = (a, b) if a < b else (b, a)
    n[7] = low * 1000 + high
    n[8] = 5 if a else 6


def _counted(n, value):
    n[9] += 1
    return value


def shortcuts(n):
    n[2] = int(_counted(n, n[0] > 0) and _counted(n, n[1] > 0))
    n[3] = int(_counted(n, n[0] > 0) or _counted(n, n[1] > 0))


def loops(n):
    a, total = n[0] + 10, 0
    for i in range(a):
        if i == 3:
            continue
        if i > 8:
            break
        total = total * 3 + i
    n[2] = total
    for i in range(2, a, 3):
        n[3] += i
        i = 100
    n[4] = i
    while True:
        a -= 1
        if a < 0:
            break
        if a % 2:
            continue
        n[5] += a
    for first, second in ((n[0], 1), (n[1], 2), (5, n[2])):
        if first == 4:
            continue
        if first == -4:
            break
        n[6] = n[6] * 10 + first * second
    for step in range(n[0], n[0]):
        n[7] = 1 + step


def _power(base, exponent):
    if exponent == 0:
        return 1
    total = base
    while exponent > 1:
        total *= base
        exponent -= 1
        if total > 10_000:
            return -1
    return total


def _turn(row, count):
    for i in range(count // 2):
        row[i], row[count - 1 - i] = row[count - 1 - i], row[i]


def _both(pair, rows):
    first, second = pair
    return first + second + rows[0][0], second - first + rows[1][len(rows[1]) - 1]


def functions(n):
    n[2], n[3], n[4] = _power(n[0], 3), _power(30, 5), _power(n[1], 0)
    _turn(n, 6)
    part = n[2:8]
    part[0] += 7
    n[9] = len(part)
    n[10], n[11] = _both((n[0], n[1]), (n, part))


def scratch(n):
    table, few = np.empty((3, 5), np.int64), np.array((n[0], n[1], 4))
    for r in range(3):
        line = np.empty(r + 2, np.int64)
        for c in range(5):
            table[r, c] = 10 * r + c
        line[r + 1] = few[r]
        table[r, 2] += line[r + 1]
    row = table[1]
    n[2], n[3], n[4], n[5] = row[2], table[2, 4], row.shape[0], table.shape[1]
    few[1] *= 2
    n[6] = few[1] + len(few)
    here, there = table[0], table[2]
    here, there = there, here
    n[7], n[8] = here[0], there[0]


@pytest.mark.parametrize("body", [arithmetic, truths, shortcuts, loops, functions, scratch])
@pytest.mark.parametrize(("first", "second"), [*itertools.product((-9, -4, 0, 4, 17), (-4, -1, 3, 8))])
def test_translated_functions_do_what_python_does(body, first, second, monkeypatch):
    numbers = [first, second, *[0] * 16]
    # Lists have no parts that are written through, hence an array; of objects, so that nothing wraps around.
    expected = np.array(numbers, object)
    body(expected)
    assert translated(body, numbers, monkeypatch) == expected.tolist()


def divisions(n):
    n[2], n[3] = n[0] // n[1], n[0] % n[1]


def test_divisors_of_zero_give_zero(monkeypatch):
    assert translated(divisions, [7, 0, 1, 1], monkeypatch) == [7, 0, 0, 0]


def test_scratch_begins_where_a_line_of_the_cache_does(monkeypatch):
    def body(n):
        for i in range(4):
            n[i] = begin(np.empty(100 + i, np.uint8)) % 64

    assert translated(body, [1] * 4, monkeypatch) == [0] * 4


def test_scratch_is_given_back(monkeypatch):
    """A gigabyte in all, in a process that would hardly be given so much without noticing."""
    resource = pytest.importorskip("resource", reason="Windows does not say how much memory a process has used")

    def body(n):
        for i in range(n[0]):
            room = np.empty((1, 131072), np.int64)
            for e in range(0, 131072, 512):
                room[0, e] = i
            n[1] += room[0, 1024]

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert translated(body, [1000, 0], monkeypatch) == [1000, 499500]
    unit = 1 if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 2**30 else 1024
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 2**28


def test_instructions_may_be_written_out(monkeypatch):
    @instruction
    def halved(builder, number):
        return builder.sdiv(number, number.type(2))

    def body(n):
        n[0] = halved(n[0]) + 1

    assert translated(body, [8], monkeypatch) == [5]


def _raises(n):
    raise ValueError


def _floats(n):
    n[0] = n[0] / 2


def _changes(n):
    x = n[0]
    x = (x, x)


def _otherwise(n):
    for i in range(n[0]):
        n[0] = i
    else:
        n[0] = 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (_raises, "no such statement: raise ValueError"),
        (_floats, r"no such operation: n\[0\] / 2"),
        (_changes, "x of _changes changes its form"),
        (_otherwise, "a loop has no else"),
    ],
)
def test_what_cannot_be_translated_is_refused_with_its_line(body, reason, monkeypatch):
    with pytest.raises(NotImplementedError, match=reason) as refused:
        translated(body, [3], monkeypatch)
    assert body is _changes or "test_translation.py:" in str(refused.value)


def test_functions_that_differ_in_what_is_around_them_need_a_key():
    width = 4

    def entry(address: int) -> None:
        numbers_at(address, 1)[0] = width

    with pytest.raises(TypeError, match="depends on values around it: give compiled_address a key"):
        compiled_address(entry, 1)


def test_threads_that_want_the_same_loop_at_once_get_it(monkeypatch):
    results = []

    def work():
        results.append(translated(loops, [3, 4, *[0] * 16], monkeypatch))

    running = [threading.Thread(target=work) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len(results) == 4
    assert all(result == results[0] for result in results)


def test_the_handler_of_a_signal_may_want_a_loop_while_another_is_made(monkeypatch):
    results, original = [], compiling._machine_code

    def interrupted(*given):
        monkeypatch.setattr(compiling, "_machine_code", original)
        results.append(translated(arithmetic, [7, 2, *[0] * 16], monkeypatch))
        return original(*given)

    def work():
        results.append(translated(arithmetic, [7, 2, *[0] * 16], monkeypatch))

    monkeypatch.setattr(compiling, "_machine_code", interrupted)
    caller = threading.Thread(target=work, daemon=True)
    caller.start()
    caller.join(30)
    assert not caller.is_alive()
    assert results[0] == results[1]
    assert results[0][2:5] == [9, 5, 14]


def test_code_outlives_the_module_that_made_it(run_python):
    code = """
import ctypes, gc, importlib
import numpy as np
from gpuconv.backends.cpu import compiling, conversions, running
first, second = running.runner(), conversions.load_address(np.dtype("int8"), np.dtype("float32"))
importlib.reload(compiling)
gc.collect()
counter = ctypes.c_int64(5)
first(ctypes.addressof(counter), 5, 0, 0)
print(counter.value)
"""
    assert run_python(code).split() == ["6"]


def test_where_there_is_no_scratch_what_is_held_is_given_back_and_the_call_counted(monkeypatch):
    def inner(n):
        n[1] += 1
        none = np.empty(n[0], np.int64)
        none[0] = 1
        n[1] += 10

    def body(n):
        few = np.empty(100, np.int64)
        few[0] = 1
        for _ in range(3):
            inner(n)
            n[2] += few[0]
        few = np.empty(n[0], np.int64)
        n[2] += 100

    before = compiling.refused.value
    assert translated(body, [2**50, 0, 0], monkeypatch) == [2**50, 3, 3]
    assert compiling.refused.value == before + 4
