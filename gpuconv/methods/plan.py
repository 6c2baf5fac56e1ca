"""Plans: what every method would cost, which one is taken, and carrying it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import Any

from gpuconv.backends import registry
from gpuconv.backends.memory import memory_limit, when_limits_change
from gpuconv.core.arguments import refusal
from gpuconv.core.namespace import home_of, read_image, read_kernel, zeros_from
from gpuconv.core.problem import Problem
from gpuconv.core.remembered import forget, remembered
from gpuconv.methods import direct, fft, overlap, separable
from gpuconv.methods.costs import Estimate, within_limit
from gpuconv.methods.describe import Options, pose
from gpuconv.methods.repeat import ENTRIES, Posed, Run, run_posed

METHODS: dict[str, ModuleType] = {"direct": direct, "separable": separable, "fft": fft, "overlap": overlap}


@dataclass(frozen=True)
class Plan:
    """How one convolution is carried out, and why. Frozen, hashable, printable, reusable.

    Attributes
    ----------
    problem : Problem
        Sizes, dtypes and boundaries: everything but the data.
    method : str
        "direct", "separable", "fft" or "overlap".
    estimates : tuple of (str, Estimate or str)
        Per method what it would need, or the sentence against it.

    Examples
    --------
    >>> import numpy as np, gpuconv
    >>> plan = gpuconv.plan_convolution(np.zeros((64, 64), np.float32), np.ones((3, 3)))
    >>> plan.method
    'direct'
    >>> plan.execute(np.ones((64, 64), np.float32), np.ones((3, 3)))[0, 0].item()
    4.0
    """

    problem: Problem
    method: str
    estimates: tuple[tuple[str, Estimate | str], ...]
    options: Options

    @cached_property
    def estimate(self) -> Estimate:
        """Cost, memory and error bound of the chosen method."""
        estimate = dict(self.estimates)[self.method]
        assert isinstance(estimate, Estimate)
        return estimate

    @property
    def cost(self) -> float:
        """Predicted time in seconds on the machine that the planner's constants come from."""
        return self.estimate.cost * 1e-12

    @property
    def memory(self) -> int:
        """Predicted peak in bytes on top of the input, the result included.

        Of an image in C order whose samples are finite: other layouts may be copied, and blocks of a transform with
        samples that are not finite are transformed again, in up to twice the memory.
        """
        return self.estimate.memory

    @property
    def error(self) -> str:
        """Error bound in words: relative to what, and whether it holds sample by sample."""
        return self.estimate.error

    @property
    def backend(self) -> str:
        """Name of the backend that runs the primitive."""
        return registry.selected_backend(METHODS[self.method].primitive(self.problem), self.problem)

    def execute(self, x: Any, kernel: Any, /, *, cval: Any = 0.0, out: Any = None) -> Any:
        """Carry out the plan on arrays like those it was made for.

        Parameters
        ----------
        x, kernel : array
            Of the shapes, dtypes, library and device that the plan was made for.
        cval : number
            Fill value of a constant boundary.
        out : array, optional
            Where to put the result.

        Returns
        -------
        array
            The convolution.

        Raises
        ------
        ValueError
            If the arrays pose another problem than the plan's, or the kernel has another rank.

        Examples
        --------
        >>> import numpy as np, gpuconv
        >>> plan = gpuconv.plan_convolution(np.zeros(4), np.zeros(2), mode="full")
        >>> plan.execute(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0])).tolist()
        [1.0, 3.0, 5.0, 7.0, 4.0]
        """
        x, home = read_image(x)
        posed = pose(x, home, read_kernel(kernel, home), self.options)
        differing = _differences(posed.problem, self.problem, self.method)
        if differing:
            raise ValueError(
                refusal("a plan runs on arrays like those it was made for", "; ".join(differing), "Make a new plan")
            )
        if choose_plan(posed.problem, posed.options) != self:
            posed = posed._replace(runs={})
        return run_posed(self.prepare, posed, x, home, cval, out)

    def prepare(self, posed: Posed, result: str | None) -> Run:
        """What carries the plan out on images like the one of `posed`, giving the dtype called `result`.

        None stands for the accumulator's; backends that do not round by themselves return that in any case.
        """
        if self.problem.outputs == 0:
            return lambda x, cval: empty_result(x, self.problem, posed.weights)
        return METHODS[self.method].prepare(self.problem, self.estimate, posed.weights, result)

    def __str__(self) -> str:
        problem = self.problem
        lines = [
            f"{problem.dtype} {problem.shape} with a {problem.kernel.dtype} kernel {problem.kernel.shape} "
            f"on axes {tuple(span.axis for span in problem.spans)}, {problem.library}: "
            f"{problem.rule.result} {problem.output_shape}",
            f"method {self.method} on the {self.backend} backend",
        ]
        lines += [f"  {'*' if name == self.method else ' '} {name:<10}{_row(entry)}" for name, entry in self.estimates]
        return "\n".join(lines)


def _differences(given: Problem, planned: Problem, method: str) -> list[str]:
    """What speaks against running a plan on another problem; the kernel's values count only as far as the method's."""
    names = ["library", "device", "traced", "shape", "dtype", "chunks", "has_double"]
    pairs = [(name, getattr(given, name), getattr(planned, name)) for name in names]
    names = ["shape", "dtype", "residency"] + (["rank", "locally_exact"] if method == "separable" else [])
    pairs += [(f"the kernel's {name}", getattr(given.kernel, name), getattr(planned.kernel, name)) for name in names]
    if method in ("fft", "overlap") and planned.kernel.bits is not None and given.kernel.bits is not None:
        pairs.append(("the bits of the kernel's sum", max(given.kernel.bits, planned.kernel.bits), planned.kernel.bits))
    return [f"{name} is {was!r}, planned {plan!r}" for name, was, plan in pairs if was != plan]


def _row(entry: Estimate | str) -> str:
    if isinstance(entry, str):
        return f"not: {entry}"
    lengths = f", transforms of {entry.lengths}" if entry.lengths else ""
    return f"{_seconds(entry.cost)}, {_bytes(entry.memory)}, error {entry.error}{lengths}"


def _seconds(picoseconds: int) -> str:
    for unit, size in (("s", 10**12), ("ms", 10**9)):
        if picoseconds >= size:
            return f"{picoseconds / size:.3g} {unit}"
    return f"{picoseconds / 1e6:.3g} us"


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


# Percent of its cost that a transform counts with: near a tie, the method whose rounding is local is the better one. A
# choice then stays within a quarter of the fastest as before.
TRANSFORMS_COUNT = 115


def cheapest(costs: dict[str, int]) -> str:
    """The method to take, given what each costs."""
    return min(costs, key=lambda name: costs[name] * (TRANSFORMS_COUNT if name in ("fft", "overlap") else 100))


@remembered(ENTRIES)
def choose_plan(problem: Problem, options: Options) -> Plan:
    """The cheapest method that can within the memory limit, or the one asked for; estimates of all of them."""
    posed = _block_problem(problem)
    entries: list[tuple[str, Estimate | str]] = []
    for name, module in METHODS.items():
        reason = module.why_not(posed)
        entries.append((name, module.estimate(posed) if reason is None else reason))
    usable = {name: entry for name, entry in entries if isinstance(entry, Estimate)}
    if options.method == "auto":
        allowed = within_limit(list(usable.values()), memory_limit(problem.device))
        method = cheapest({name: entry.cost for name, entry in usable.items() if entry in allowed})
    elif options.method in usable:
        method = options.method
    else:
        raise ValueError(
            refusal(
                f"method={options.method!r} cannot run this convolution",
                str(dict(entries)[options.method]),
                "Use method='auto', or another of " + ", ".join(usable),
            )
        )
    return Plan(problem, method, tuple(entries), options)


when_limits_change(forget)


def _block_problem(problem: Problem) -> Problem:
    """What one chunk of a chunked array poses; the problem itself for arrays in one piece."""
    if problem.chunks is None:
        return problem
    spans = tuple(
        span.part(0, min(span.count, max(problem.chunks[span.axis], span.taps - 1, 1))) for span in problem.spans
    )
    shape = list(problem.chunks)
    for span in spans:
        shape[span.axis] = span.size
    return replace(problem, shape=tuple(shape), spans=spans)


def prepare(posed: Posed, result: str | None) -> Run:
    """What carries out the cheapest plan for what is posed; see `Plan.prepare`."""
    return choose_plan(posed.problem, posed.options).prepare(posed, result)


def empty_result(x: Any, problem: Problem, *weights: Any) -> Any:
    """An array of the result's shape without samples, where `x` lives; torch's graph comes from `x` and `weights`."""
    return zeros_from(home_of(x), problem.output_shape, problem.rule.accumulator, x, *weights)
