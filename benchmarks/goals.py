"""Goals for NumPy arrays, against the figures: ``python -m benchmarks table`` writes them into `docs/performance.md`.

A ratio is the time of a peer over that of gpuconv, both in one run; of several cases or peers, the least counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.bench_convolutions import PLAIN
from benchmarks.cases import PAD_MODES
from benchmarks.report import DISTURBED, seconds

FILTER2D, CONVOLVE1D = "OpenCV filter2D", "scipy.ndimage.convolve1d"
SCIPY = ("scipy.ndimage.convolve", "scipy.signal.fftconvolve", "scipy.signal.oaconvolve")
SLICES, LOOP = "NumPy slices", "OpenCV filter2D loop"


@dataclass(frozen=True)
class Goal:
    """How many times as long as gpuconv peers are to take.

    Attributes
    ----------
    work, against : str
        In words.
    subject : str
    cases : tuple of str
    peers : tuple of str
        Of which the fastest one counts.
    least, aim : float
    ours : str
        The contender that is judged.
    """

    work: str
    against: str
    subject: str
    cases: tuple[str, ...]
    peers: tuple[str, ...]
    least: float
    aim: float
    ours: str = "gpuconv"


def _square(taps: str, boundary: str = "reflect", dtype: str = "float32", size: int = 2048) -> str:
    return f"{size}x{size} {dtype}, {taps} taps, {boundary}"


def _dense(*sides: int) -> tuple[str, ...]:
    return tuple(_square(f"{side}x{side}") for side in sides)


def _cube(side: int) -> tuple[str, ...]:
    return (f"128x128x128 float32, {side}x{side}x{side} taps, constant",)


def _everywhere(taps: str) -> tuple[str, ...]:
    return tuple(_square(taps, boundary) for boundary in PAD_MODES)


def _in_bytes(result: str) -> tuple[str, ...]:
    return tuple(_square(taps, dtype=f"uint8 to {result}") for taps in ("3x3", "17+17"))


def _long(taps: int) -> tuple[str, ...]:
    return (f"10000000 float32, {taps} taps, constant",)


_GAUSS, _OPENCV = "Gaussian, 2048x2048, sigma", ("OpenCV", "separable")
_CONV = ("(8, 32, 64, 64) * (64, 32, 3, 3) float32", "(1, 1, 256, 256) * (32, 1, 16, 16) float32")
GOALS = (
    Goal(f"{_GAUSS} 2, every boundary", *_OPENCV, _everywhere("17+17"), (FILTER2D,), 1.7, 2.7),
    Goal(f"{_GAUSS} 8, every boundary", *_OPENCV, _everywhere("65+65"), (FILTER2D,), 1.8, 2.5),
    Goal(f"{_GAUSS} 2, float64", *_OPENCV, (_square("17+17", dtype="float64"),), (FILTER2D,), 1.2, 1.5),
    Goal(
        "Gaussian, 256x256x256, sigma 2",
        "scipy.ndimage",
        "separable",
        ("256x256x256 float32, 17+17+17 taps, reflect",),
        (CONVOLVE1D,),
        14,
        25,
    ),
    Goal("windows 3x3, 5x5, 7x7 of 2048x2048", "OpenCV", "dense", _dense(3, 5, 7), (FILTER2D,), 1.6, 2.5),
    Goal("windows 9x9, 11x11", "OpenCV", "dense", _dense(9, 11), (FILTER2D,), 1.0, 1.5),
    Goal("window 15x15", "OpenCV", "dense", _dense(15), (FILTER2D,), 1.75, 3.5),
    Goal("windows 31x31, 63x63", "OpenCV", "dense", _dense(31, 63), (FILTER2D,), 1.0, 1.3),
    Goal(
        "windows 31x31, 63x63",
        "fftconvolve",
        "dense",
        (_square("31x31", "constant"), _square("63x63", "constant")),
        ("scipy.signal.fftconvolve",),
        2.5,
        3,
    ),
    Goal("window 3x3x3 of 128x128x128", "SciPy's best", "dense", _cube(3), SCIPY, 10, 16),
    Goal("window 5x5x5", "SciPy's best", "dense", _cube(5), SCIPY, 5, 8),
    Goal("window 7x7x7", "SciPy's best", "dense", _cube(7), SCIPY, 2.5, 3.4),
    Goal("10 million samples, 65 taps", "correlate1d", "lines", _long(65), (CONVOLVE1D,), 30, 40),
    Goal("10 million samples, 65 taps", "oaconvolve", "lines", _long(65), ("scipy.signal.oaconvolve",), 7, 10),
    Goal("10 million samples, 1025 taps", "oaconvolve", "lines", _long(1025), ("scipy.signal.oaconvolve",), 2.2, 3.5),
    Goal("10 million samples, 65537 taps", "oaconvolve", "lines", _long(65537), ("scipy.signal.oaconvolve",), 3, 3.6),
    Goal(
        "1000x10000, 101 taps along the lines",
        "OpenCV",
        "lines",
        ("1000x10000 float32, 101 taps along 1, reflect",),
        (FILTER2D,),
        0.9,
        1.2,
    ),
    Goal(_CONV[0], "torch", "channels", _CONV[:1], ("torch.nn.functional.conv2d",), 0.7, 0.95),
    Goal(_CONV[1], "torch", "channels", _CONV[1:], ("torch.nn.functional.conv2d",), 0.6, 0.95),
    Goal("bytes to bytes, 3x3 and Gaussian of sigma 2", "OpenCV", "bytes", _in_bytes("uint8"), (FILTER2D,), 0.7, 1.0),
    Goal("bytes to float32, the same", "OpenCV", "bytes", _in_bytes("float32"), (FILTER2D,), 0.7, 1.0),
    Goal("Gaussian, 64x64", "scipy.ndimage", "separable", (_square("17+17", size=64),), (CONVOLVE1D,), 1.0, 3),
    Goal("Gaussian, 256x256", "scipy.ndimage", "separable", (_square("17+17", size=256),), (CONVOLVE1D,), 3, 8),
    Goal("heat, 2048x2048, 100 steps", SLICES, "steps", ("2048x2048 float32, 100 steps",), (SLICES,), 25, 30),
    Goal("heat, 256x256x256, 20 steps", SLICES, "steps", ("256x256x256 float32, 20 steps",), (SLICES,), 18, 22),
    Goal("heat, 2048x2048, 100 steps", LOOP, "steps", ("2048x2048 float32, 100 steps",), (LOOP,), 3, 3.5),
    Goal(f"{_GAUSS} 8, not compiled", "scipy.ndimage", "separable", (_square("65+65"),), (CONVOLVE1D,), 5, 10, PLAIN),
)


def table(results: Sequence[dict[str, Any]]) -> str:
    """Every goal with what was measured, as Markdown, the worst first of those that are missed."""
    found = {(name, case["case"]): case for result in results for name, case in _cases(result)}
    rows = sorted((_row(goal, found) for goal in GOALS), key=lambda row: row[0])
    lines = ["| work | against | time / gpuconv | at least | aim | |", "| --- | --- | ---: | ---: | ---: | --- |"]
    lines += ["| " + " | ".join(cells) + " |" for _, cells in rows]
    return "\n".join([*lines, "", *_limits_of_time(results)]) + "\n"


def _cases(result: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, subject in result["subjects"].items():
        for case in subject["cases"]:
            if case["library"] == "numpy":
                yield name, case


def _row(goal: Goal, found: dict[tuple[str, str], dict[str, Any]]) -> tuple[float, list[str]]:
    """Where the goal belongs in the table, and its cells."""
    ratios = [ratio for case in goal.cases if (ratio := _ratio(goal, found.get((goal.subject, case)))) is not None]
    fixed = [f"{goal.least:g}", f"{goal.aim:g}"]
    if not ratios:
        return 1e9, [goal.work, goal.against, "", *fixed, "not measured"]
    ratio, disturbed = min(ratios)
    verdict = "missed" if ratio < goal.least else "reached" if ratio < goal.aim else "aim reached"
    if any((goal.subject, case) not in found for case in goal.cases):
        verdict += ", of a part of it"
    shown = f"({ratio:.2f})" if disturbed else f"{ratio:.2f}"
    return ratio / goal.least, [goal.work, goal.against, shown, *fixed, verdict]


def _ratio(goal: Goal, case: dict[str, Any] | None) -> tuple[float, bool] | None:
    """The fastest peer's time over ours, and whether either was disturbed; None where a peer does not take part."""
    rows = {row["name"]: row for row in case["contenders"] if row["status"] == "timed"} if case else {}
    peers = [rows[name] for name in goal.peers if name in rows]
    if not peers or goal.ours not in rows:
        return None
    ours, fastest = rows[goal.ours], min(peers, key=lambda row: row["ratio"])
    disturbed = any(row["upper_quartile_s"] > DISTURBED * row["lower_quartile_s"] for row in (ours, fastest))
    return fastest["ratio"] / ours["ratio"], disturbed


def _limits_of_time(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Goals that are no ratios: choices, first calls, small calls."""
    for result in results:
        for subject in result["subjects"].values():
            for name, sentence in SENTENCES.items():
                if subject.get(name):
                    yield from sentence(subject[name])


def _of_choices(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        if row["library"] == "numpy" and row["count"] >= 100:
            share = row["within_margin"] / row["count"]
            verdict = "reached" if share >= 0.95 else "missed"
            yield (
                f'* `method="auto"` within {row["margin"]} of the fastest on 95% of {row["asked"]} random problems: '
                f"{share:.1%} of {row['count']}, {verdict}."
            )


def _of_starts(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for name, words, most in (("cold_s", "with nothing compiled", 3.0), ("cached_s", "compiled before", 0.5)):
        worst = max(rows, key=lambda row: row[name])
        verdict = "reached" if worst[name] <= most else "missed"
        yield (
            f"* First call of a process, {words}, in at most {seconds(most)}: "
            f"{seconds(worst[name])} for {worst['operation']}, {verdict}."
        )


def _of_overhead(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        stages = {stage["stage"]: stage["median_s"] for stage in row["stages"]}
        if "SciPy's part" in stages:
            extra = stages["whole call"] - stages["SciPy's part"]
            verdict = "reached" if extra <= 25e-6 else "missed"
            yield f"* At most 25 us of a small call on top of SciPy's part: {seconds(extra)}, {verdict}."


SENTENCES: dict[str, Callable[[Sequence[dict[str, Any]]], Iterator[str]]] = {
    "choices": _of_choices,
    "starts": _of_starts,
    "overhead": _of_overhead,
}
