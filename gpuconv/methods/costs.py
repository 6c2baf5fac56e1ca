"""What methods cost: estimates in whole picoseconds and bytes, and the constants behind them.

Constants are fixed and not tuned per machine, so that the same call takes the same path, and gives the same bits,
everywhere. Those for CUDA follow from what the card says of itself: the same on every card of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpuconv.backends import registry
from gpuconv.backends.gpus import Gpu, gpu
from gpuconv.core.dtypes import ITEMSIZE, is_complex
from gpuconv.core.problem import Problem


@dataclass(frozen=True)
class Rates:
    """Picoseconds, or `parts` of one, per unit of work for the arrays of one library.

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
    parts : int
        How many of their units are a picosecond: 1000 where a GPU needs less than one.
    cache : int
        Bytes within which transforms of one block are cheaper (`CACHED_SHARE`); 0 where that is not planned with.
    """

    product: int
    line_product: int
    butterfly: int
    copy: int
    call: int
    calls_per_tap: int
    source: str
    parts: int = 1
    cache: int = 0


# Samples of a tile on a CPU (TILE_ELEMENTS of the cpu backend).
TILE_SAMPLES = 65536

_MEASURED = "benchmarks/results/methods-cpu.json"
_ATTRIBUTES = "calculated from the card's attributes, not measured"
RATES = {
    # Not the medians over the probes but values within their spread, which is a factor of two to three, that choose no
    # worse on random problems; the results have both.
    "numpy": Rates(560, 400, 240, 330, 6_000_000, 0, _MEASURED),
    # Large work on NumPy arrays where llvmlite is installed: compiled loops, on two threads. `copy` is a sample that a
    # sweep reads and writes; transforms are those of "numpy". Windows of float32, 2048^2: 3x3 1.15 ms, 5x5 1.66,
    # 9x9 4.05, 15x15 9.7, 31x31 37; 128^3: 3^3 1.25, 5^3 3.4, 7^3 7.7.
    "numba": Rates(10, 12, 240, 400, 90_000_000, 0, "benchmarks/results/crossover-cpu.json"),
    # The same without compiled loops: lines of many taps as matrix products. `copy` is a sample of one pass. 2048^2
    # float32, both axes, processor time: 17 taps 48 ms, 65 taps 84 ms; FFTs 108 and 120 ms.
    "products": Rates(560, 40, 240, 2800, 300_000_000, 0, "python -m benchmarks run --subject separable"),
    "array_api_strict": Rates(370, 260, 300, 820, 30_000_000, 2, _MEASURED),
    # These two where arrays are not lent to the engine for NumPy arrays.
    "torch": Rates(140, 140, 170, 470, 6_700_000, 2, _MEASURED),
    "jax": Rates(410, 500, 310, 1100, 53_000_000, 2, _MEASURED),
    # Calculated from 3 TB/s and four transfers per tap, three per transform pass; not measured on a GPU yet.
    "cupy": Rates(6, 6, 1, 3, 10_000_000, 2, "calculated, not yet measured"),
}


# Bytes that move per unit of work on a GPU, for samples of four bytes: array operations read and write four samples
# per tap; they read and write three pairs per three-eighths of a factor of two; a kernel of ours reads and writes a
# transform in place twice, and fills, multiplies and crops the block beside that: 60 bytes a sample for both of
# them, over about 48 factors of two. A copy is one read and one write.
PRODUCT_BYTES, BUTTERFLY_BYTES, COPY_BYTES = 16, 3, 8
OWN_BUTTERFLY_PARTS = 1.25
# Share of the arithmetic peak that dense windows are to reach, as a divisor.
OWN_PRODUCT_SHARE = 2
# Percent of a transform's time that is left where its block stays in the cache; a calculation, not measured.
CACHED_SHARE = 60


def cuda_rates(card: Gpu, own: bool) -> Rates:
    """Rates of a GPU from its peaks, in femtoseconds; `own` for kernels of gpuconv, else for array operations."""
    femtoseconds = 10**15
    moved = [femtoseconds * bytes_moved // card.bandwidth for bytes_moved in (PRODUCT_BYTES, BUTTERFLY_BYTES)]
    copy = femtoseconds * COPY_BYTES // card.bandwidth
    call = 10_000_000 * 1000
    if not own:
        return Rates(moved[0], moved[0], moved[1], copy, call, 2, _ATTRIBUTES, 1000)
    product = max(femtoseconds * OWN_PRODUCT_SHARE // card.products, 1)
    butterfly = int(femtoseconds * OWN_BUTTERFLY_PARTS) // card.bandwidth
    return Rates(product, product, butterfly, copy, call, 0, _ATTRIBUTES, 1000, card.cache)


def rates(problem: Problem) -> Rates:
    """Rates of the library that does the work; blocks of dask arrays count as NumPy's."""
    if problem.library == "cupy" or ("cuda" in problem.device and problem.library in ("torch", "jax")):
        card = gpu(problem.device)
        return RATES["cupy"] if card is None else cuda_rates(card, own=False)
    if problem.library in ("torch", "jax") and _is_lent(problem, "correlate_windows"):
        return RATES["numpy"]
    return RATES.get(problem.library, RATES["numpy"])


def _is_lent(problem: Problem, primitive: str) -> bool:
    """Whether arrays of torch or JAX are lent to the engine that sees their memory."""
    from gpuconv.backends.engines import why_not

    return why_not(primitive, problem) is None


def transform_rates(problem: Problem) -> Rates:
    """Rates of what transforms: those of `rates`, or of kernels of ours around cuFFT."""
    return _own_rates(problem, "correlate_fourier") or rates(problem)


def runs_on_cuda(problem: Problem, primitive: str) -> bool:
    """Whether kernels of gpuconv's own run `primitive`."""
    # Not the backend that `use_backend` asks for: plans are kept, and the same inside and outside.
    if problem.library in ("torch", "jax") and "cuda" in problem.device:
        return _is_lent(problem, primitive)
    cuda = next((backend for backend in registry.BACKENDS if backend.name == "cuda"), None)
    return cuda is not None and registry.reason_against(cuda, primitive, problem) is None


def _own_rates(problem: Problem, primitive: str) -> Rates | None:
    """Rates of gpuconv's own CUDA kernels, where these run `primitive` and the card is known."""
    card = gpu(problem.device) if runs_on_cuda(problem, primitive) else None
    return None if card is None else cuda_rates(card, own=True)


def compiled_rates(problem: Problem, products: int, primitive: str) -> Rates | None:
    """Rates of compiled loops, where these do the `products` of `primitive`; None where others do."""
    own = _own_rates(problem, primitive)
    if own is not None:
        return own
    if rates(problem) is not RATES["numpy"]:
        return None
    # Here, since `import gpuconv` is to load no part of SciPy.
    from gpuconv.backends.cpu import compiled

    reason = compiled.why_not(products, problem.working_dtype)
    return RATES["numba"] if reason is None else None


# What SciPy's loop along an axis does beside the products of a line of NumPy arrays, in products a sample: it copies
# lines in and out.
LINE_COPIES = 3


def line_cost(problem: Problem, samples: int, taps: int) -> int:
    """Cost of one pass that gives `samples` outputs along an axis, where compiled loops do not do it."""
    rate, products, wide = rates(problem), samples * taps, width(problem)
    if rate is RATES["numpy"]:
        # Here, since `import gpuconv` is to load no part of SciPy.
        from gpuconv.backends.cpu import banded

        if banded.why_not(problem.working_dtype, problem.kernel.dtype, taps, products) is None:
            rate = RATES["products"]
            return (products * rate.line_product + samples * rate.copy) * wide + rate.call
        products += samples * LINE_COPIES
        wide = 2 if is_complex(problem.rule.accumulator) else 1  # SciPy sums all in double precision
    return (products * rate.line_product * wide + rate.call * (1 + rate.calls_per_tap * taps)) // rate.parts


def sweep_cost(problem: Problem, rate: Rates, products: int, sweeps: int) -> int:
    """Cost of `products` of passes along axes on compiled loops, which go `sweeps` times through memory."""
    samples = max(problem.outputs, prod(problem.shape))
    cost = (products * rate.line_product + samples * sweeps * rate.copy) * width(problem) + sweeps * rate.call
    return cost // rate.parts


def window_cost(problem: Problem, rate: Rates, products: int) -> int:
    """Cost of `products` of a window of two or three axes on compiled loops, which read the image once."""
    # Rows around a window are read again, more of them the more axes there are. Twice a sweep's start, mostly Python.
    samples = problem.outputs * rate.copy * 5 * (len(problem.spans) - 1) // 8
    return ((products * rate.product + samples) * width(problem) + 2 * rate.call) // rate.parts


def small_window_cost(problem: Problem, rate: Rates) -> int | None:
    """Cost of a window in SciPy's loop, which small work on NumPy arrays takes; None for other windows."""
    if rate is not RATES["numpy"]:
        return None
    from gpuconv.backends.cpu.windows import SCIPY_WORK

    taps = problem.kernel.taps
    if problem.outputs * taps > SCIPY_WORK:
        return None
    # It lists where every tap reads for every position near an end: a window as large as the image has as many lists
    # as samples. Medians over 159 random windows: 583 ps a product, 8,100 ps an entry, 6,300 ps a sample.
    near = prod(min(span.count, span.taps) for span in problem.spans) * taps
    return (problem.outputs * (taps + 10) + 14 * near) * rate.product + rate.call


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


def within_limit(estimates: list[Estimate], limit: int | None) -> list[Estimate]:
    """Those that need no more than `limit` bytes; where none does, those that need least."""
    allowed = [estimate for estimate in estimates if limit is None or estimate.memory <= limit]
    least = min(estimate.memory for estimate in estimates)
    return allowed or [estimate for estimate in estimates if estimate.memory == least]


def width(problem: Problem) -> int:
    """Work per sample relative to real single precision: twice for double, twice again for complex."""
    return max(problem.itemsize // 4, 1)


def extension_cost(problem: Problem) -> int:
    """Cost of the copy with the boundary around it, where one is made."""
    if not problem.extends:
        return 0
    rate = rates(problem)
    return prod(problem.extended_shape) * rate.copy * width(problem) // rate.parts


def extension_memory(problem: Problem) -> int:
    return prod(problem.extended_shape) * problem.itemsize if problem.extends else 0


def cast_memory(problem: Problem, compiled: Rates | None = None) -> int:
    """The image in the dtype that is summed in, where that is another than its own.

    Compiled loops bring narrow samples to it while they load them. What has its bytes in another order is copied first.
    """
    swapped = prod(problem.shape) * ITEMSIZE[problem.dtype] if problem.swapped else 0
    loads = compiled is not None and ITEMSIZE[problem.dtype] < ITEMSIZE[problem.working_dtype]
    if problem.dtype == problem.working_dtype or loads:
        return swapped
    return swapped + prod(problem.shape) * ITEMSIZE[problem.working_dtype]


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


def stored_memory(problem: Problem, compiled: Rates) -> int:
    """The result of compiled loops, which round sums of half precision while they store them."""
    if problem.rule.result != "float16" or compiled is not RATES["numba"]:
        return result_memory(problem)
    # Here, since it loads the compiler, which these loops need in any case.
    from gpuconv.backends.cpu import conversions

    rounded = problem.outputs * ITEMSIZE["float16"]
    return rounded if conversions.CONVERTS_HALF else rounded + result_memory(problem)
