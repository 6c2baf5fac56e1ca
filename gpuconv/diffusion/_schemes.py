"""Time stepping schemes as formulas: what one step makes of a mode, how many steps an accuracy takes, which to choose.

A step of length dt multiplies a mode that decays at the rate l by ``R(z)``, ``z = l dt``; the exact factor is
``exp(-z)``. Diffusion is self-adjoint, so that ``max |R(z)^n - exp(-n z)|`` over all rates bounds the error of n steps
relative to the norm of what one starts with. Rates are bounded after Gershgorin: no eigenvalue exceeds twice the
largest sum of conductances of a cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from gpuconv.core.arguments import refusal

SCHEMES = ("explicit", "fed", "rkl2", "backward-euler", "crank-nicolson")
IMPLICIT = ("backward-euler", "crank-nicolson")
# Explicit steps that one inner step costs, measured on NumPy arrays of 256^2 and 1024^2 cells: 7 ns per cell for an
# explicit step, 14 for a stage of RKL2, 60 to 100 for backward Euler, 100 to 190 for Crank-Nicolson.
_WORK = {"explicit": 1.0, "fed": 1.0, "rkl2": 2.0, "backward-euler": 12.0, "crank-nicolson": 18.0}
MOST_STEPS = 10**7
MOST_STAGES = 1001
# Rounding must not turn the longest stable step into an unstable one.
_SLACK = 1 + 1e-9


@dataclass(frozen=True)
class Rates:
    """How fast cells exchange what they hold.

    Attributes
    ----------
    limit : float
        One over the longest explicit step that is stable and keeps the maximum principle: the largest sum of
        conductances of a cell. No decay rate exceeds ``2 limit``.
    per_axis : tuple of float
        The same of each axis alone.
    split : bool
        Whether an implicit step would split axes that do not commute, which is not in the error bound.
    flow : float
        Bound on the imaginary part of the rates: 0 where nothing flows.
    """

    limit: float
    per_axis: tuple[float, ...]
    split: bool
    flow: float


@dataclass(frozen=True)
class Span:
    """A time to step through with one operator, after that operator was at work for the time `already`."""

    length: float
    already: float
    rates: Rates


@dataclass(frozen=True)
class Stepping:
    """A choice of scheme; for each span how many steps with how many inner steps each; and a sentence saying why."""

    scheme: str
    counts: tuple[tuple[int, int], ...]
    reason: str


def explicit_factor(z: np.ndarray) -> np.ndarray:
    """``1 - z``."""
    return 1 - z


def backward_euler_factor(z: np.ndarray) -> np.ndarray:
    """``1/(1 + z)``."""
    return 1 / (1 + z)


def crank_nicolson_factor(z: np.ndarray) -> np.ndarray:
    """``(1 - z/2)/(1 + z/2)``."""
    return (1 - z / 2) / (1 + z / 2)


def fed_factor(z: np.ndarray, stages: int) -> np.ndarray:
    """``prod(1 - tau_i z)`` with the tau of a cycle of length 1."""
    return np.prod(1 - np.multiply.outer(fed_lengths(stages), z), axis=0)


def rkl2_factor(z: np.ndarray, stages: int) -> np.ndarray:
    """``(1 - b) + b P_s(1 - w1 z)`` with ``w1 = 4/(s^2 + s - 2)``, ``b = (s^2 + s - 2)/(2 s (s + 1))``."""
    s = stages
    x = 1 - 4 / (s * s + s - 2) * z
    before, legendre = np.ones_like(x), x
    for j in range(2, s + 1):
        before, legendre = legendre, ((2 * j - 1) * x * legendre - (j - 1) * before) / j
    b = (s * s + s - 2) / (2 * s * (s + 1))
    return (1 - b) + b * legendre


@lru_cache(maxsize=64)
def fed_lengths(stages: int) -> np.ndarray:
    """The steps of a cycle of fast explicit diffusion of length 1, in an order that keeps rounding small.

    ``tau_i ~ 1/cos^2(pi (2 i + 1)/(4 n + 2))``: up to half of them longer than an explicit step may be, together
    ``(n^2 + n)/3`` times the longest explicit step where n of that length would be n times it. [1]_ Each next step is
    the one that keeps the product of all factors so far smallest where it is largest (Leja's order).

    References
    ----------
    .. [1] S. Grewenig, J. Weickert, A. Bruhn, "From box filtering to fast explicit diffusion", DAGM 2010, equations
       6 to 10. DOI 10.1007/978-3-642-15986-2_54
    """
    lengths = 1 / np.cos(np.pi * (2 * np.arange(stages) + 1) / (4 * stages + 2)) ** 2
    lengths = lengths / lengths.sum()
    roots = 1 / lengths
    order = [int(np.argmax(roots))]
    distance = np.full(stages, 0.0)
    for _ in range(stages - 1):
        with np.errstate(divide="ignore"):
            distance += np.log(np.abs(roots - roots[order[-1]]))
        order.append(int(np.argmax(distance)))
    lengths = lengths[order]
    lengths.flags.writeable = False
    return lengths


@lru_cache(maxsize=64)
def rkl2_weights(stages: int) -> tuple[tuple[float, float, float, float], ...]:
    """(mu, nu, mu~, gamma~) of the stages 1 ... s of the second-order Runge-Kutta-Legendre scheme. [1]_

    References
    ----------
    .. [1] C. D. Meyer, D. S. Balsara, T. D. Aslam, "A stabilized Runge-Kutta-Legendre method for explicit
       super-time-stepping of parabolic and mixed equations", Journal of Computational Physics 257 (2014) 594-626,
       equations 16 and 17. DOI 10.1016/j.jcp.2013.08.021
    """
    b = [1 / 3, 1 / 3] + [(j * j + j - 2) / (2 * j * (j + 1)) for j in range(2, stages + 1)]
    w1 = 4 / (stages * stages + stages - 2)
    weights = [(1.0, 0.0, b[1] * w1, 0.0)]
    for j in range(2, stages + 1):
        mu = (2 * j - 1) / j * b[j] / b[j - 1]
        nu = -(j - 1) / j * b[j] / b[j - 2]
        weights.append((mu, nu, mu * w1, -(1 - b[j - 1]) * mu * w1))
    return tuple(weights)


def fed_stages(ratio: float) -> int:
    """The shortest stable cycle that is `ratio` times as long as the longest explicit step."""
    return max(1, math.ceil((math.sqrt(1 + 12 * ratio / _SLACK) - 1) / 2))


def rkl2_stages(ratio: float) -> int:
    """The smallest odd number of stages that is stable; odd ones damp the fastest modes most."""
    stages = max(3, math.ceil((math.sqrt(9 + 16 * ratio / _SLACK) - 1) / 2))
    return stages + (stages % 2 == 0)


def stages_of(scheme: str, time: float, steps: int, rates: Rates) -> int:
    """Inner steps of each of `steps` steps."""
    ratio = time * rates.limit / steps
    if scheme == "fed":
        return fed_stages(ratio)
    return rkl2_stages(ratio) if scheme == "rkl2" else 1


def error_bound(scheme: str, span: Span, steps: int) -> float:
    """Largest error that `steps` steps make in any mode, relative to its size when its operator began to work."""
    rates, step = span.rates, span.length / steps
    worst = partial(_worst, scheme, steps, already=span.already / step, flow=rates.flow * step)
    if scheme in IMPLICIT:
        return sum(worst(2 * rate * step, 1) for rate in rates.per_axis)
    return worst(2 * rates.limit * step, stages_of(scheme, span.length, steps, rates))


def _worst(scheme: str, steps: int, largest: float, stages: int, already: float, flow: float) -> float:
    """``max |R(z)^n - exp(-n z)| exp(-already z)`` for z in (0, largest].

    If something flows also on that part of the circle with this diameter whose imaginary part is up to `flow`.
    """
    if largest == 0:
        return 0.0
    z: np.ndarray = np.concatenate([np.geomspace(1e-9, 1.0, 400), np.linspace(0.02, 1.0, 200)]) * largest
    if flow:
        circle = largest / 2 * (1 - np.exp(1j * np.geomspace(1e-6, np.pi, 400)))
        z = np.concatenate([z, circle.real + 1j * np.minimum(np.abs(circle.imag), flow)])
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        error = np.abs((factor_of(scheme, stages)(z) ** steps - np.exp(-steps * z)) * np.exp(-already * z))
    return float(np.max(np.where(np.isnan(error), np.inf, error)))


def factor_of(scheme: str, stages: int) -> Callable[[np.ndarray], np.ndarray]:
    """R of a scheme."""
    if scheme == "fed":
        return lambda z: fed_factor(z, stages)
    if scheme == "rkl2":
        return lambda z: rkl2_factor(z, stages)
    return {
        "explicit": explicit_factor,
        "backward-euler": backward_euler_factor,
        "crank-nicolson": crank_nicolson_factor,
    }[scheme]


def fewest_stable(scheme: str, time: float, rates: Rates) -> int:
    """Steps that stability asks for; the stages of super-time-stepping are limited, too, for rounding's sake."""
    ratio = time * rates.limit
    if scheme == "explicit":
        return max(1, math.ceil(ratio / _SLACK))
    if scheme == "fed":
        return max(1, math.ceil(3 * ratio / (MOST_STAGES**2 + MOST_STAGES)))
    if scheme == "rkl2":
        return max(1, math.ceil(4 * ratio / (MOST_STAGES**2 + MOST_STAGES - 2)))
    return 1


def steps_for(scheme: str, span: Span, accuracy: float) -> int | None:
    """The fewest steps whose error bound is within `accuracy`; None if that takes more than `MOST_STEPS`."""
    # Snapshots cut the time into many spans that differ by rounding and in what went before: few are searched.
    octave = math.floor(math.log2(max(span.already / span.length, 1e-9)))
    already = math.ldexp(span.length, octave) if octave > -7 else 0.0
    alike = Span(float(f"{span.length:.9g}"), float(f"{already:.9g}"), span.rates)
    steps = _search(scheme, alike, accuracy)
    return None if steps is None else max(steps, fewest_stable(scheme, span.length, span.rates))


@lru_cache(maxsize=1024)
def _search(scheme: str, span: Span, accuracy: float) -> int | None:
    most = fewest_stable(scheme, span.length, span.rates)
    least = most
    while error_bound(scheme, span, most) > accuracy:
        least, most = most + 1, most * 2
        if most > MOST_STEPS:
            return None
    while least < most:
        middle = (least + most) // 2
        if error_bound(scheme, span, middle) > accuracy:
            least = middle + 1
        else:
            most = middle
    return most


def choose(scheme: str, spans: Sequence[Span], accuracy: float) -> Stepping:
    """As many steps of `scheme` as the accuracy takes in each span; of "auto" the scheme with the least work."""
    candidates = candidates_of(scheme, spans)
    found = {}
    for name in candidates:
        steps = [steps_for(name, span, accuracy) for span in spans]
        if None not in steps:
            found[name] = counted(name, spans, [count for count in steps if count is not None], "")
    if not found:
        given = f"an error of {accuracy:g} by {' or '.join(candidates)} takes more than {MOST_STEPS} steps"
        remedy = "Ask for less accuracy, or give the number of steps"
        if "crank-nicolson" not in candidates:
            remedy += ', or choose "crank-nicolson"'
        raise ValueError(refusal("the accuracy must be within reach", given, remedy))
    best = min(found.values(), key=work)
    return Stepping(best.scheme, best.counts, _reason(best, found, spans, accuracy))


def counted(scheme: str, spans: Sequence[Span], steps: Sequence[int], reason: str) -> Stepping:
    """A given number of steps in each span, with the inner steps that keep them stable."""
    counts = ((n, stages_of(scheme, span.length, n, span.rates)) for span, n in zip(spans, steps, strict=True))
    return Stepping(scheme, tuple(counts), reason)


def candidates_of(scheme: str, spans: Sequence[Span]) -> tuple[str, ...]:
    """What "auto" chooses among: an implicit scheme only where its error is known, super-time-stepping for real rates.

    FED is left out: it is of first order, and RKL2 of second at the same price.
    """
    if scheme != "auto":
        return (scheme,)
    if any(span.rates.flow for span in spans):
        return ("explicit", *IMPLICIT)
    return ("explicit", "rkl2", *(() if any(span.rates.split for span in spans) else IMPLICIT))


def work(stepping: Stepping) -> float:
    """In explicit steps."""
    return sum(steps * stages for steps, stages in stepping.counts) * _WORK[stepping.scheme]


def _reason(best: Stepping, found: dict[str, Stepping], spans: Sequence[Span], accuracy: float) -> str:
    bounds = (error_bound(best.scheme, span, steps) for span, (steps, _) in zip(spans, best.counts, strict=True))
    known = not any(span.rates.flow or (span.rates.split and best.scheme in IMPLICIT) for span in spans)
    sentence = f"error {'at most' if known else 'about'} {max(bounds):.2g} of the norm, {accuracy:g} asked for"
    others = [f"{name} would do {work(other):.3g}" for name, other in found.items() if name != best.scheme]
    return f"{sentence}; work of {work(best):.3g} explicit steps" + "".join(f", {other}" for other in others)
