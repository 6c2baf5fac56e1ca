"""One transform of the whole: the convolution theorem on the extended array."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

from gpuconv.backends import registry
from gpuconv.core.dtypes import EPS, ITEMSIZE, complex_of, is_complex, largest_magnitude, real_of
from gpuconv.core.frequencies import blocks_together, calls_at_once, fast_length, in_pairs, pairs_together
from gpuconv.core.namespace import cast, home_of
from gpuconv.core.problem import Problem
from gpuconv.core.rounding import quiet
from gpuconv.methods.costs import (
    CACHED_SHARE,
    RATES,
    Estimate,
    cast_memory,
    extension_cost,
    extension_memory,
    result_memory,
    runs_on_cuda,
    transform_rates,
)
from gpuconv.methods.repeat import Run

# Rounding of three transforms of n = 2^m samples is below (3 + 3 sqrt(5) + 3) m unit roundoffs, relative to the norms
# of both factors (C. Percival, Math. Comp. 72, 2003, theorem 5.1, DOI 10.1090/S0025-5718-02-01419-9). In eps, which is
# two roundoffs, that is 6.4 m; 8 m leaves room for lengths with factors of 3 and 5, and for one more product with roots
# of unity where a transform is done in two parts (backends/cpu/fourier_pairs.py).
ERROR_CONSTANT = 8
# Percent of a transform's usual cost on NumPy arrays. Blocks of several axes are transformed in place within the cache,
# blocks of a line many at a time; a single line has one thread, and leaves the cache from so many bytes on.
BLOCK_SHARE, LINES_SHARE = 80, 75
ONE_LINE, LONG_LINE, LONG_LINE_BYTES = 160, 240, 2**22


def primitive(problem: Problem) -> str:
    return "correlate_fourier"


def why_not(problem: Problem) -> str | None:
    return why_not_fourier(problem, tuple(span.length for span in problem.spans))


def why_not_fourier(problem: Problem, lengths: tuple[int, ...]) -> str | None:
    """What speaks against transforms of the given lengths."""
    if problem.accuracy == "local":
        return "accuracy='local' forbids transforms, whose error is relative to the largest samples of a block"
    if problem.exact and not problem.has_double:
        return "integers need a double-precision transform, and 64-bit types are off"
    if problem.exact:
        # Two blocks of one axis may be one complex block: the norms are those of both.
        error = integer_error(problem, prod(lengths) * (2 if len(lengths) == 1 else 1))
        if not error < 0.25:
            return f"integers must be exact, and the transform's error could reach {error:.1g}"
    return None


def integer_error(problem: Problem, samples: int) -> float:
    """Largest error a double-precision transform can make on integers of these dtypes; infinite if unknown."""
    if problem.kernel.bits is None:
        return float("inf")
    norms = largest_magnitude(problem.dtype) * sqrt(samples) * 2.0**problem.kernel.bits
    return max(norm_bound(samples, "float64") * norms, norms * 2.0**-54)


def norm_bound(samples: int, dtype: str) -> float:
    """c eps log2 N: the error relative to ``||x|| ||k||`` over a block of N samples."""
    return ERROR_CONSTANT * EPS[dtype] * max((samples - 1).bit_length(), 1)


def describe_bound(problem: Problem, samples: int, paired: bool) -> str:
    if problem.exact:
        return "exact (rounded from a transform that is exact to below 1/4)"
    where = "two blocks" if paired and not is_complex(problem.working_dtype) else "a block"
    return f"{norm_bound(samples, problem.rule.accumulator):.1e} ||x|| ||k|| over {where}, not locally"


def estimate(problem: Problem) -> Estimate:
    lengths = tuple(fast_length(max(span.length, span.taps)) for span in problem.spans)
    return fourier_estimate(problem, lengths, 1)


def fourier_estimate(problem: Problem, lengths: tuple[int, ...], count: int) -> Estimate:
    """Estimate for `count` blocks with transforms of `lengths`; batches are transformed together."""
    rate, samples = transform_rates(problem), prod(lengths)
    batches = problem.outputs // max(prod(span.count for span in problem.spans), 1)
    kernels = 2 if is_complex(problem.kernel.dtype) and not is_complex(problem.dtype) else 1
    dtype = "float64" if problem.exact else problem.working_dtype
    paired = _are_paired(problem, lengths, count, batches, kernels)
    together = _blocks_together(problem, lengths, count, batches, kernels)
    transforms = count * batches * (1 + kernels) + kernels
    share, calls = 100, 10
    if rate is RATES["numpy"]:
        share = _share(len(lengths), count, batches, samples * ITEMSIZE[dtype])
        calls = 6 + 5 * len(lengths)
    elif 2 * samples * ITEMSIZE[dtype] * batches * together <= rate.cache:  # the block and its transform's work area
        share = CACHED_SHARE
    butterflies = transforms * samples * max((samples - 1).bit_length(), 1) * (ITEMSIZE[dtype] // 4)
    times = _paired_calls(problem, lengths[0], count * batches) if paired else -(-count // together)
    cost = butterflies * rate.butterfly * share // 100 + calls * rate.call * times
    cost //= rate.parts
    if count == 1 and not runs_on_cuda(problem, primitive(problem)):
        cost += extension_cost(problem)
    if paired:
        memory = _paired_memory(problem, lengths[0], count * batches)
    else:
        memory = _memory(problem, lengths, count, batches * together, kernels)
    return Estimate(cost, memory, describe_bound(problem, samples, paired), lengths)


def _blocks_together(problem: Problem, lengths: tuple[int, ...], count: int, batches: int, kernels: int) -> int:
    """How many blocks are transformed in one call."""
    if runs_on_cuda(problem, primitive(problem)):
        # Here, since backends are loaded when they are asked for.
        from gpuconv.backends.cuda.fourier_blocks import tiles_together

        last, dtype = problem.spans[-1], "float64" if problem.exact else problem.working_dtype
        return tiles_together(batches, lengths, dtype, -(-last.count // (lengths[-1] - last.taps + 1)))
    if len(lengths) == 1 and kernels == 1 and transform_rates(problem) is RATES["numpy"]:
        return max(min(blocks_together(max(batches, 1), lengths[0]), count), 1)
    return 1


def _are_paired(problem: Problem, lengths: tuple[int, ...], count: int, batches: int, kernels: int) -> bool:
    """Whether blocks of one axis are transformed in pairs, on a CPU."""
    if len(lengths) > 1 or count == 1 or kernels > 1 or not in_pairs(max(batches, 1), lengths[0]):
        return False
    return transform_rates(problem) is RATES["numpy"]


def _paired_calls(problem: Problem, length: int, count: int) -> int:
    """How many calls transform `count` blocks of one axis."""
    pairs = count if is_complex(problem.working_dtype) else -(-count // 2)
    return -(-pairs // pairs_together(length))


def _paired_memory(problem: Problem, length: int, count: int) -> int:
    """Peak bytes of `count` blocks of one axis, as `cpu/fourier_pairs.py` goes about it."""
    calls = _paired_calls(problem, length, count)
    at_once = max(min(calls // 2, calls_at_once(length)), 1)
    block = length * ITEMSIZE["complex128" if problem.exact else complex_of(problem.working_dtype)]
    # Beside the blocks: the kernel's spectrum, roots of unity and their conjugates; copies of the taps, short tables.
    blocks = at_once * min(pairs_together(length), count) + 4
    return blocks * block + cast_memory(problem) + result_memory(problem)


def _memory(problem: Problem, lengths: tuple[int, ...], count: int, entries: int, kernels: int) -> int:
    """Peak bytes of `count` blocks, with `entries` transforms in a call."""
    samples, dtype = prod(lengths), "float64" if problem.exact else problem.working_dtype
    if runs_on_cuda(problem, primitive(problem)):
        from gpuconv.backends.cuda.fourier_blocks import block_bytes

        # In place, beyond the ends of an axis and between dtypes without copies.
        held = block_bytes(entries, lengths, dtype, kernels, not problem.exact)
        return held + problem.outputs * ITEMSIZE[problem.rule.result]
    if count == 1 and kernels == 1 and transform_rates(problem) is RATES["numpy"]:
        return _memory_in_place(problem, lengths, dtype, entries)
    block, kernel = samples * ITEMSIZE[dtype] * entries, 3 * kernels * samples * ITEMSIZE[dtype]
    # A block, padded, its spectrum, the product and what comes back, all about as large; the kernel's beside them.
    memory = (5 + (count > 1)) * block + kernel + cast_memory(problem) + result_memory(problem)
    return memory + (extension_memory(problem) if count == 1 else 0)


# scipy.fft works out as many lines at a time as fit such a vector.
_VECTOR_BYTES = 16


def _memory_in_place(problem: Problem, lengths: tuple[int, ...], dtype: str, entries: int) -> int:
    """The same of one block of a NumPy array, whose spectrum is multiplied and transformed back in place."""
    block = prod(lengths) * ITEMSIZE[dtype]
    # The extended image or what comes back, the spectrum, and of lines what they are worked out in: several at once
    # where there are so many. Transforms of several axes back to real samples copy the spectrum before.
    is_real = not is_complex(dtype)
    blocks = 2 + (len(lengths) > 1 and is_real) - (not is_real and not problem.extends)
    rounded = problem.outputs * ITEMSIZE[problem.rule.accumulator] if problem.exact else 0
    cast = prod(problem.shape) * ITEMSIZE[problem.dtype] * problem.swapped if problem.exact else cast_memory(problem)
    line = 0
    if len(lengths) == 1:
        vector = _VECTOR_BYTES // ITEMSIZE[real_of(dtype)]
        at_once = vector if entries >= vector else 1
        twice = is_real or at_once > 1 or not problem.extends
        line = (1 + twice) * at_once * lengths[0] * ITEMSIZE[dtype]
    # An eighth for what the transforms need besides, and what the allocator keeps.
    return (blocks * block * entries + block + line + cast) * 9 // 8 + result_memory(problem) + rounded


def _share(axes: int, count: int, batches: int, size: int) -> int:
    """Percent of a butterfly's usual cost, for `count` blocks of `size` bytes over so many axes, in so many batches."""
    if axes > 1:
        return BLOCK_SHARE if count > 1 else 100
    if count > 1:
        return LINES_SHARE
    if batches > 1:
        return 100
    return LONG_LINE if size > LONG_LINE_BYTES else ONE_LINE


def prepare(problem: Problem, estimate: Estimate, weights: Any, result: str | None = None) -> Run:
    row = registry.selected_row(primitive(problem), problem)
    function, spans, lengths = row.function, problem.spans, estimate.lengths
    if row.native:
        return quiet(lambda x, cval: function(x, weights, spans, cval, lengths, result=result))
    if problem.exact:  # integers are cast block by block
        return quiet(lambda x, cval: function(x, weights, spans, cval, lengths))
    working = problem.working_dtype
    return quiet(lambda x, cval: function(cast(home_of(x), x, working), weights, spans, cval, lengths))
