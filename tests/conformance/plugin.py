"""A pytest plugin that puts gpuconv's functions in SciPy's place and judges SciPy's own tests.

``pytest --pyargs scipy.ndimage.tests.test_filters -p tests.conformance.plugin`` (or ``python -m
tests.conformance.run``, which adds the other arguments) replaces the functions of `REPLACED` before any test module
is imported. A test *touches* a replaced function if it calls one while it runs: the replacement writes down which
test is running. A test that fails and is not listed in ``exceptions.toml`` breaks the run, and so does a listed test
that passes: its entry is stale.

With ``--conformance-judged=scipy`` nothing is replaced, and tests are counted without judging them: SciPy hands arrays
of other libraries to their own functions, CuPy's to cupyx, and so this says how those do on the same tests.
``--conformance-seconds=60`` takes the tests in a fixed random order and stops after that time.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

REPLACED = {
    "ndimage": (
        "convolve",
        "convolve1d",
        "correlate",
        "correlate1d",
        "fourier_ellipsoid",
        "fourier_gaussian",
        "fourier_shift",
        "fourier_uniform",
        "gaussian_filter",
        "gaussian_filter1d",
        "gaussian_gradient_magnitude",
        "gaussian_laplace",
        "generic_gradient_magnitude",
        "generic_laplace",
        "laplace",
        "maximum_filter",
        "maximum_filter1d",
        "median_filter",
        "minimum_filter",
        "minimum_filter1d",
        "percentile_filter",
        "prewitt",
        "rank_filter",
        "sobel",
        "uniform_filter",
        "uniform_filter1d",
    ),
    "signal": (
        "choose_conv_method",
        "convolve",
        "convolve2d",
        "correlate",
        "correlate2d",
        "correlation_lags",
        "fftconvolve",
        "hilbert",
        "hilbert2",
        "lfilter",
        "medfilt",
        "oaconvolve",
        "order_filter",
        "resample_poly",
        "savgol_filter",
        "sepfir2d",
        "upfirdn",
        "wiener",
    ),
}
# Where the adapters of a module take SciPy's originals from.
HANDING_OVER = {"ndimage": "gpuconv.ndimage._handover", "signal": "gpuconv.signal._handover"}
# No convolutions (most of the filters that lfilter is tested with feed back), and so left to the array library's own
# functions, which other libraries than NumPy and CuPy lack.
DELEGATED = (
    "maximum_filter",
    "maximum_filter1d",
    "median_filter",
    "minimum_filter",
    "minimum_filter1d",
    "percentile_filter",
    "rank_filter",
    "lfilter",
    "medfilt",
    "order_filter",
)
EXCEPTIONS = Path(__file__).with_name("exceptions.toml")


def read_exceptions(path: Path) -> dict[str, str]:
    """Test name -> reason. A name without ``[parameters]`` stands for all parameters of that test."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("exception", [])
    for entry in entries:
        if set(entry) != {"test", "reason"} or not entry["reason"].strip():
            raise ValueError(f"{path}: an exception needs a test and a reason, and nothing else: {entry}")
    return {entry["test"]: entry["reason"] for entry in entries}


def name_of(item: pytest.Item) -> str:
    """``module::Class::test[parameters]``: node ids of tests outside the root folder lack the module."""
    return f"{item.module.__name__}::{item.nodeid.split('::', 1)[1]}"  # type: ignore[attr-defined]


class Conformance:
    """Puts our functions in SciPy's place, and keeps the books."""

    def __init__(self, exceptions: dict[str, str], judged: str = "gpuconv", seconds: float | None = None) -> None:
        self.exceptions = exceptions
        self.judged = judged
        self.seconds = seconds
        self.started = monotonic()
        self.left = 0
        self.current: str | None = None
        self.touched: set[str] = set()
        self.handed_over: set[str] = set()
        self.calls = {f"{module}.{name}": 0 for module, names in REPLACED.items() for name in names}
        self.outcomes: dict[str, str] = {}
        self.matched: set[str] = set()

    def install(self) -> None:
        """Replace the functions; gpuconv's modules come first, so that they have bound SciPy's originals.

        Where SciPy is judged they only get a note-taker around them.
        """
        ours = {module: importlib.import_module(f"gpuconv.{module}") for module in REPLACED}
        for module, names in REPLACED.items():
            scipys = importlib.import_module(f"scipy.{module}")
            for name in names:
                if name in DELEGATED and os.environ.get("SCIPY_ARRAY_API", "0") != "0":
                    del self.calls[f"{module}.{name}"]
                    continue
                judged = getattr(ours[module] if self.judged == "gpuconv" else scipys, name)
                replacement = self.recording(f"{module}.{name}", judged)
                copy_capabilities(getattr(scipys, name), replacement)
                setattr(scipys, name, replacement)
            handing_over: Any = importlib.import_module(HANDING_OVER[module])
            handing_over.originals = self.noting_hand_overs(handing_over.originals)

    def recording(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def replacement(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            if self.current is not None:
                self.touched.add(self.current)
            return function(*args, **kwargs)

        return replacement

    def noting_hand_overs(self, originals: Any) -> SimpleNamespace:
        """What an adapter sees as SciPy's originals: the same functions, and the hand-over is written down."""

        def noted(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            if self.current is not None:
                self.handed_over.add(self.current)
            return original(*args, **kwargs)

        return SimpleNamespace(
            __all__=originals.__all__,
            **{name: functools.partial(noted, getattr(originals, name)) for name in originals.__all__},
        )

    def reason_for(self, name: str) -> str | None:
        """Why a test may fail, if it may."""
        entry = name if name in self.exceptions else name.split("[", 1)[0]
        if entry not in self.exceptions:
            return None
        self.matched.add(entry)
        return self.exceptions[entry]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.seconds is not None:  # whatever the time allows is then a sample of all of them
            random.Random(0).shuffle(items)
        self.started, self.left = monotonic(), len(items)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.current = name_of(item)
        try:
            return (yield)
        finally:
            self.current = None
            self.left -= 1
            if self.seconds is not None and self.left and monotonic() - self.started > self.seconds:
                item.session.shouldstop = f"{self.seconds:g} s are over, {self.left} tests were not run"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        report: Any = yield
        name = name_of(item)
        if report.when != "call" and report.outcome == "passed":
            return report
        reason = self.reason_for(name)
        if reason is not None and report.outcome == "failed":
            report.outcome, report.wasxfail = "skipped", reason
            self.outcomes[name] = "listed"
        elif reason is not None and report.outcome == "passed":
            report.outcome = "failed"
            report.longrepr = f"stale: {name} passes; remove it from the list of exceptions"
            self.outcomes[name] = "stale"
        elif self.judged != "gpuconv" and report.outcome == "failed":
            report.outcome, report.wasxfail = "skipped", f"{self.judged} is counted, not judged"
            self.outcomes[name] = "failed"
        else:
            self.outcomes[name] = report.outcome
        return report

    def results(self) -> dict[str, Any]:
        counts = Counter(self.outcomes.values())
        touching = {name for name in self.touched if self.outcomes.get(name) != "skipped"}
        return {
            "scipy": importlib.import_module("scipy").__version__,
            "judged": self.judged,
            "run": len(self.outcomes) - counts["skipped"],
            "skipped": counts["skipped"],
            "touching": len(touching),
            "touching_passed": sum(self.outcomes.get(name) == "passed" for name in touching),
            "touching_handed_to_scipy": len(touching & self.handed_over),
            "listed": counts["listed"],
            "stale": counts["stale"],
            "unlisted_failures": counts["failed"],
            "not_run": self.left,
            "calls": dict(sorted(self.calls.items())),
        }

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        results = self.results()
        for entry in sorted(set(self.exceptions) - self.matched):
            terminalreporter.write_line(f"listed, but not among the tests of this run: {entry}")
        terminalreporter.write_line(summary(results))
        path = config.getoption("--conformance-results")
        if path:
            Path(path).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def copy_capabilities(original: Callable[..., Any], replacement: Callable[..., Any]) -> None:
    """Give the replacement the original's entry of the private table that SciPy's test decorators read."""
    table = getattr(importlib.import_module("scipy._lib._array_api"), "xp_capabilities_table", {})
    if original in table:
        table[replacement] = table[original]


def summary(results: dict[str, Any]) -> str:
    """The counts in one line."""
    line = (
        "conformance with SciPy {scipy}: {run} tests run, {touching} touch {judged}'s functions, "
        "{touching_passed} of these pass, {listed} fail as listed, {stale} listed ones pass (stale), "
        "{unlisted_failures} unlisted failures".format(**results)
    )
    return line + (f", {results['not_run']} not run for want of time" if results["not_run"] else "")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--conformance-exceptions", default=str(EXCEPTIONS), help="TOML list of tests that may fail")
    group.addoption("--conformance-results", default="", help="write the counts to this JSON file")
    group.addoption("--conformance-judged", default="gpuconv", choices=("gpuconv", "scipy"), help="whose functions run")
    group.addoption(
        "--conformance-seconds", default=None, type=float, help="stop after this time, in a fixed random order"
    )


def pytest_configure(config: pytest.Config) -> None:
    judged, seconds = config.getoption("--conformance-judged"), config.getoption("--conformance-seconds")
    exceptions = read_exceptions(Path(config.getoption("--conformance-exceptions"))) if judged == "gpuconv" else {}
    conformance = Conformance(exceptions, judged, seconds)
    conformance.install()
    config.pluginmanager.register(conformance, "conformance")
