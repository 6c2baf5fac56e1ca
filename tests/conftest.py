"""Fixtures and options of the whole suite: `xp`, `rng`, `run_python`, ``--require`` and ``--cases``."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import hypothesis
import numpy as np
import pytest

from gpuconv.core.remembered import forget
from tests import libraries

ROOT = Path(__file__).resolve().parents[1]

# Every run draws the same examples, so that a red run is red again; HYPOTHESIS_PROFILE=explore draws new ones.
hypothesis.settings.register_profile(
    "same",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("explore", hypothesis.settings.get_profile("same"), derandomize=False)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require",
        default="",
        metavar="NAME,NAME",
        help=f"fail at once, instead of skipping, where one of these is absent: {', '.join(libraries.REQUIRABLE)}",
    )
    parser.addoption(
        "--cases",
        type=int,
        default=0,
        metavar="N",
        help="run each test in N of its cases on each array library, evenly spread; all of them without this",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("cases"):
        kept = set(sampled([item.nodeid for item in items], config.getoption("cases")))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in kept])
        items[:] = [item for item in items if item.nodeid in kept]


def sampled(names: list[str], most: int) -> list[str]:
    """At most so many cases of each test on each library, evenly spread from a place that the test's name gives."""
    groups: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for name in names:
        function, _, parameters = name.partition("[")
        library = next((word for word in parameters.rstrip("]").split("-") if word in libraries.OPENERS), None)
        groups[function, library].append(name)
    kept = []
    for (function, library), cases in groups.items():
        count = min(most, len(cases))
        start = zlib.crc32(f"{function} {library}".encode()) % len(cases)
        kept += [cases[(start + len(cases) * number // count) % len(cases)] for number in range(count)]
    return kept


def pytest_configure(config: pytest.Config) -> None:
    required = [name for name in config.getoption("require").split(",") if name]
    unknown = [name for name in required if name not in libraries.REQUIRABLE]
    if unknown:
        raise pytest.UsageError(
            f"--require knows {', '.join(libraries.REQUIRABLE)}: got {', '.join(unknown)}. Choose names from the list."
        )
    reasons = {name: reason for name in required if (reason := libraries.why_absent(name)) is not None}
    if reasons:
        listed = "; ".join(f"{name} ({reason})" for name, reason in reasons.items())
        raise pytest.UsageError(f"--require asks for what is absent: {listed}. Install it, or do not require it.")


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """No test runs what another one has prepared, with other constants perhaps."""
    forget()


def pytest_report_header(config: pytest.Config) -> str | None:
    # Finding out imports them all, which is too slow a start for a developer's run of one file.
    return f"array libraries: {libraries.version_line()}" if config.getoption("require") else None


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.gpu] if name == "cupy" else []) for name in libraries.OPENERS],
)
def xp(request: pytest.FixtureRequest) -> ModuleType:
    """The array-API namespace of each library in turn; an absent one is skipped with its reason."""
    try:
        return libraries.open_library(request.param)
    except libraries.AbsentError as absent:
        pytest.skip(str(absent))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that depend on the test's name alone: the same in every run and in any order."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(scope="session")
def run_python() -> Callable[..., str]:
    """``run_python(code, NAME="value")``: what `code` prints in a fresh interpreter with these environment variables.

    For what cannot be undone in this process: imports, and settings such as JAX's default precision.
    """

    def run(code: str, **environment: str) -> str:
        finished = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert finished.returncode == 0, f"the process exited with {finished.returncode}:\n{finished.stderr}"
        return finished.stdout

    return run
