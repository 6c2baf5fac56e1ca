"""The memory that plans tell is what calls take, as the operating system counts it."""

from __future__ import annotations

import json

import pytest

from benchmarks.memory import is_told
from tests.methods.memory_cases import TAKEN

# What does not grow with the image, and holes in the allocator's heap where an array did not fit: up to 3 MiB were seen
# beyond a plan. An array of float32 that a plan forgets takes 6 MB or more here; one of a smaller dtype may hide.
KEPT = 2**22


@pytest.fixture(scope="module")
def figures(run_python):
    if not is_told():
        pytest.skip("this system does not tell how much memory a call takes")
    pytest.importorskip("llvmlite", reason="without compiled loops, plans are tested by tests/methods/test_plan.py")
    code = "import runpy; runpy.run_module('tests.methods.memory_cases', run_name='__main__')"
    return dict(zip(TAKEN, json.loads(run_python(code)), strict=True))


@pytest.mark.parametrize("case", TAKEN, ids="-".join)
def test_plans_tell_what_calls_take(case, figures):
    """Never less, and no more than a quarter above, beside what allocators keep."""
    told, taken = figures[case]
    assert taken - KEPT <= told <= 1.25 * taken + KEPT
