"""What methods cost: estimates in whole picoseconds and bytes, and the constants behind them.

Constants are fixed and not tuned per machine, so that the same call takes the same path, and gives the same bits,
everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpuconv.core.dtypes import ITEMSIZE
from gpuconv.core.problem import Problem


@dataclass(frozen=True)
class Rates:
    """Picoseconds per unit of work for the arrays of one library.

    Attributes
    ----------
    product : int
        One multiply-add of a window tap and a sample.
    line_product : int
        The same along one axis.
    butterfly : int
        One sample and one factor of two of a real FFT (n log2 n of them).
    copy : int
        One sample read and written.
    call : int
        Starting one array operation.
    calls_per_tap : int
        Array operations that a window tap needs; 0 where a compiled loop does all taps.
    source : str
        Where the figures come from.
    """

    product: int
    line_product: int
    butterfly: int
    copy: int
    call: int
    calls_per_tap: int
    source: str


# Samples of a tile on a CPU (TILE_ELEMENTS of the cpu backend).
TILE_SAMPLES = 65536

_MEASURED = "benchmarks/results/methods-cpu.json"
RATES = {
    # Not the medians over the probes but values within their spread, which is a factor of two to three, that choose no
    # worse on random problems; the results have both.
    "numpy": Rates(560, 400, 240, 330, 6_000_000, 0, _MEASURED),
    # Large work on NumPy arrays where numba is installed: compiled loops, on two threads. `copy` is a sample that a
    # sweep reads and writes; transforms are those of "numpy". Windows of float32, 2048^2: 3x3 1.15 ms, 5x5 1.66,
    # 9x9 4.05, 15x15 9.7, 31x31 37; 128^3: 3^3 1.25, 5^3 3.4, 7^3 7.7.
    "numba": Rates(10, 20, 240, 600, 60_000_000, 0, "python -m benchmarks run --subject compiled"),
    # The same without numba: lines of many taps as matrix products. `copy` is a sample of one pass. 2048^2 float32,
    # both axes, processor time: 17 taps 48 ms, 65 taps 84 ms; FFTs 108 and 120 ms.
    "products": Rates(560, 40, 240, 2800, 300_000_000, 0, "python -m benchmarks run --subject compiled"),
    "array_api_strict": Rates(370, 260, 300, 820, 30_000_000, 2, _MEASURED),
    "torch": Rates(140, 140, 170, 470, 6_700_000, 2, _MEASURED),
    "jax": Rates(410, 500, 310, 1100, 53_000_000, 2, _MEASURED),
    # Calculated from 3 TB/s and four transfers per tap, three per transform pass; not measured on a GPU yet.
    "cupy": Rates(6, 6, 1, 3, 10_000_000, 2, "calculated, not yet measured"),
}


def rates(problem: Problem) -> Rates:
    """Rates of the library that does the work; blocks of dask arrays count as NumPy's."""
    if problem.library == "torch" and problem.device.startswith("cuda"):
        return RATES["cupy"]
    if problem.library == "jax" and "cuda" in problem.device:
        return RATES["cupy"]
    return RATES.get(problem.library, RATES["numpy"])


def compiled_rates(problem: Problem, products: int) -> Rates | None:
    """Rates of compiled loops, where these do the `products`; None where others do."""
    if rates(problem) is not RATES["numpy"]:
        return None
    # Here, since `import gpuconv` is to load no part of SciPy.
    from gpuconv.backends.cpu import compiled

    reason = compiled.why_not(products, problem.working_dtype)
    return RATES["numba"] if reason is None else None


def line_cost(problem: Problem, samples: int, taps: int) -> int:
    """Cost of one pass that gives `samples` outputs along an axis, where compiled loops do not do it."""
    rate = rates(problem)
    if rate is RATES["numpy"]:
        # Here, since `import gpuconv` is to load no part of SciPy.
        from gpuconv.backends.cpu import banded

        if banded.why_not(problem.working_dtype, problem.kernel.dtype, taps, samples * taps) is None:
            rate = RATES["products"]
            return samples * (taps * rate.line_product + rate.copy) * width(problem) + rate.call
    return samples * taps * rate.line_product * width(problem) + rate.call * (1 + rate.calls_per_tap * taps)


def sweep_cost(problem: Problem, rate: Rates, products: int, sweeps: int) -> int:
    """Cost of `products` of passes along axes on compiled loops, which go `sweeps` times through memory."""
    samples = max(problem.outputs, prod(problem.shape))
    return (products * rate.line_product + samples * sweeps * rate.copy) * width(problem) + rate.call


def window_cost(problem: Problem, rate: Rates, products: int) -> int:
    """Cost of `products` of a window of two or three axes on compiled loops, which read the image once."""
    # A third of a sweep's samples: nothing is kept between passes. Twice a sweep's start, most of it Python.
    return (products * rate.product + problem.outputs * rate.copy // 3) * width(problem) + 2 * rate.call


@dataclass(frozen=True)
class Estimate:
    """What one method would need for one problem.

    Attributes
    ----------
    cost : int
        Predicted time in picoseconds.
    memory : int
        Peak bytes on top of the input, the result included.
    error : str
        Error bound in words; empty for exact results.
    lengths : tuple of int
        FFT lengths per convolved axis, for the Fourier methods.
    """

    cost: int
    memory: int
    error: str
    lengths: tuple[int, ...] = ()


def width(problem: Problem) -> int:
    """Work per sample relative to real single precision: twice for double, twice again for complex."""
    return max(problem.itemsize // 4, 1)


def extension_cost(problem: Problem) -> int:
    """Cost of the copy with the boundary around it, where one is made."""
    return prod(problem.extended_shape) * rates(problem).copy * width(problem) if problem.extends else 0


def extension_memory(problem: Problem) -> int:
    return prod(problem.extended_shape) * problem.itemsize if problem.extends else 0


def cast_memory(problem: Problem) -> int:
    """The image in the dtype that is summed in, where that is another than its own."""
    if problem.dtype == problem.working_dtype:
        return 0
    return prod(problem.shape) * ITEMSIZE[problem.working_dtype]


def scratch_memory(problem: Problem) -> int:
    """What products and partial sums need: tiles where a loop goes through the taps, whole arrays elsewhere."""
    if rates(problem).calls_per_tap == 0:
        return 2 * min(TILE_SAMPLES, problem.outputs) * problem.itemsize
    return 2 * result_memory(problem)


def block_memory(problem: Problem) -> int:
    """Extended blocks of compiled windows: up to 1 MiB for each of two threads, and no more than the whole."""
    return min(prod(problem.extended_shape) * problem.itemsize, 2**21) if len(problem.spans) > 1 else 0


def result_memory(problem: Problem) -> int:
    return problem.outputs * problem.itemsize
