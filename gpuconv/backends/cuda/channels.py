"""Windows and channels of CuPy arrays, and both adjoints: products of matrices of which one is never made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import gcd, isqrt, prod
from typing import Any

import numpy as np

from gpuconv.backends.cuda import runtime
from gpuconv.backends.cuda.launch import (
    MAX_BLOCKS,
    Kinds,
    Launch,
    boundary_define,
    by_value,
    ceil_div,
    element_strides,
    fill_value,
    strides_in_order,
)
from gpuconv.backends.generic.channels import ChannelsProblem, counts_among, taps_among
from gpuconv.core.boundary import Span, fold_all
from gpuconv.core.dtypes import ITEMSIZE, complex_of, is_complex
from gpuconv.core.namespace import dtype_name, home_of

THREADS = 256
DEPTH = 8
# Outputs of a thread along m and n, by bytes of a sum.
EACH = {4: (8, 4), 8: (4, 4), 16: (2, 2)}
# Long sums are cut until there are so many blocks, but not shorter than this. Neither depends on the device, or bits
# would.
BLOCKS = 1024
SLICE = 512
FAR = 2**30
_ALONE = Span(-1, 1, 1, 0, 1, "nearest")


def why_not(problem: ChannelsProblem) -> str | None:
    """Why this does not run a problem; None if it does."""
    if not 1 <= len(problem.spans) <= 3:
        return f"CUDA kernels go over channels and one to three axes, these have {len(problem.spans)}"
    return None


def correlate_channels(
    x: Any,
    kernel: Any,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    cval: Any,
) -> Any:
    """``y[b, o, i] = sum_{c, j} kernel[o, c, j] x~[b, c, first + stride i + dilation j]``, c over the group of o."""
    kinds = Kinds.of(dtype_name(x.dtype), dtype_name(kernel.dtype))
    x, kernel = runtime.readable(x), _resident(kernel, kinds.weight)
    reads = tuple(spans), tuple(strides), tuple(dilations), groups
    shape, plan = _forward(x.shape, x.strides, kernel.shape, kernel.strides, kinds, *reads)
    y = runtime.current().empty(shape, kinds.result)
    if plan is not None:
        _launch(plan, (x, kernel, y, fill_value(cval, kinds)))
    return y


@lru_cache(maxsize=1024)
def _forward(
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    kernel_strides: tuple[int, ...],
    kinds: Kinds,
    spans: tuple[Span, ...],
    steps: tuple[int, ...],
    dilations: tuple[int, ...],
    groups: int,
) -> tuple[tuple[int, ...], Plan | None]:
    """The shape of the result, C-ordered, and the plan; strides in bytes. None where there is nothing to compute."""
    target = (shape[0], kernel_shape[0], *counts_among(spans, steps))
    if 0 in target:
        return target, None
    lies = (
        tuple(stride // ITEMSIZE[kinds.storage] for stride in strides),
        strides_in_order(target, range(len(target))),
        tuple(stride // ITEMSIZE[kinds.weight] for stride in kernel_strides),
    )
    shapes = Shapes(shape[0], groups, kernel_shape[0] // groups, shape[1] // groups)
    return target, plan_of(shapes, _axes(spans, steps, dilations), lies, kinds, 0, adjoint=False)


def channels_input_adjoint(
    y: Any,
    kernel: Any,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Any:
    """The x for which ``<x, x'> = <y, correlate_channels(x', kernel)>`` for every x', with a fill value of zero.

    Samples at one distance modulo the strides meet the same taps: each such part is a correlation of `y` without
    strides, with every so-many-th tap in reverse order. What boundaries put beyond the ends is added back at the end.
    """
    kinds = Kinds.of(dtype_name(y.dtype), dtype_name(kernel.dtype))
    # A fill value is nobody's sample: what was read there is not computed. Others are folded.
    reaches = [
        Reach.of(*numbers, whole=span.boundary != "constant")
        for span, numbers in zip(spans, zip(spans, strides, dilations, strict=True), strict=True)
    ]
    kernel = _turned(_resident(kernel, kinds.weight), groups)
    shape = (y.shape[0], kernel.shape[0], *(reach.count for reach in reaches))
    x = runtime.current().empty(shape, kinds.result)
    for parts in product(*(reach.parts for reach in reaches)):
        place = (slice(None), slice(None), *(part.place for part in parts))
        taps = kernel[(slice(None), slice(None), *(part.taps for part in parts))]
        axes = tuple(AxisFacts(part.span, 1, part.dilation) for part in parts)
        fill = fill_value(0, kinds)
        _correlate(y, taps, x[place], axes, groups, kinds, fill, conjugate=is_complex(kinds.weight))
    folded = [span for span in spans if span.boundary != "constant"]
    return fold_all(home_of(x).xp, x, folded) if folded else x


def channels_weight_adjoint(
    x: Any,
    y: Any,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    cval: Any,
) -> Any:
    """``kernel[o, c, j] = sum_{b, i} conj(x~[b, c, first + stride i + dilation j]) y[b, o, i]``."""
    dtype, other = dtype_name(x.dtype), dtype_name(y.dtype)
    total = complex_of(dtype) if is_complex(other) and not is_complex(dtype) else dtype
    kinds = Kinds(dtype, dtype, other, total, total)
    axes = _axes(spans, strides, dilations)
    taps = taps_among(spans, dilations)
    weights = runtime.current().empty((y.shape[1], x.shape[1] // groups, *taps), total)
    _weigh(x, y, weights, axes, groups, kinds, fill_value(cval, kinds))
    return weights


@dataclass(frozen=True)
class AxisFacts:
    """An axis of space: what is read of it, and how it is thinned out."""

    span: Span
    stride: int
    dilation: int


def _axes(spans: Sequence[Span], strides: Sequence[int], dilations: Sequence[int]) -> tuple[AxisFacts, ...]:
    return tuple(AxisFacts(*numbers) for numbers in zip(spans, strides, dilations, strict=True))


@dataclass(frozen=True)
class Part:
    """Samples that meet the same taps: where they are, which taps in reverse order, their dilation, and y's span."""

    place: slice
    taps: slice
    dilation: int
    span: Span


@dataclass(frozen=True)
class Reach:
    """The samples of an axis that the adjoint computes, in parts."""

    count: int
    parts: tuple[Part, ...]

    @classmethod
    @lru_cache(maxsize=1024)
    def of(cls, span: Span, stride: int, dilation: int, *, whole: bool) -> Reach:
        """Those of the extended axis if `whole`, else those of the axis itself.

        Sample s is at ``p = s + skipped`` of the extended axis and takes ``k[j] y[i]`` wherever ``stride i + dilation j
        = p``. With c the divisor of both numbers, every (stride / c)-th tap from some j0 on meets it, and each further
        one of them comes (dilation / c) outputs earlier.
        """
        (outputs,), (taps,) = counts_among([span], [stride]), taps_among([span], [dilation])
        skipped, count = (0, span.length) if whole else (-span.first, span.size)
        common = gcd(stride, dilation)
        step, distance = stride // common, dilation // common
        parts = []
        for phase in range(min(stride, count)):
            start = phase + skipped
            meeting = range(min(step, taps))
            first = next((tap for tap in meeting if (start - dilation * tap) % stride == 0), None)
            samples = len(range(phase, count, stride))
            if first is None:
                # Some tap, and outputs where there are none.
                reads, kept = Span(span.axis, outputs, 1, outputs, samples, "constant"), slice(0, 1)
            else:
                further = (taps - 1 - first) // step
                begin = (start - dilation * first) // stride - further * distance
                reads = Span(span.axis, outputs, further * distance + 1, begin, samples, "constant")
                last = first + further * step
                kept = slice(taps - 1 - last, taps - first, step)
            parts.append(Part(slice(phase, None, stride), kept, distance, reads))
        return cls(count, tuple(parts))


def _resident(kernel: Any, dtype: str) -> Any:
    """Weights on the device, of that dtype."""
    if isinstance(kernel, np.ndarray):
        return runtime.current().upload(np.ascontiguousarray(kernel, dtype))
    return kernel if dtype_name(kernel.dtype) == dtype else kernel.astype(dtype)


def _turned(kernel: Any, groups: int) -> Any:
    """A view: inputs and outputs of each group exchanged, taps in reverse order."""
    outputs, inputs, *taps = kernel.shape
    kernel = kernel.reshape(groups, outputs // groups, inputs, *taps)[(..., *(slice(None, None, -1),) * len(taps))]
    kernel = kernel.transpose(0, 2, 1, *range(3, kernel.ndim))
    # Two axes that no stride makes one: a copy of the weights, which are few.
    return kernel.reshape(groups * inputs, outputs // groups, *taps)


def _correlate(
    x: Any, kernel: Any, y: Any, axes: tuple[AxisFacts, ...], groups: int, kinds: Kinds, fill: Any, *, conjugate: bool
) -> None:
    if y.size == 0:
        return
    x = runtime.readable(x)
    shapes = Shapes(x.shape[0], groups, y.shape[1] // groups, x.shape[1] // groups)
    steps = element_strides(x), element_strides(y), element_strides(kernel)
    plan = plan_of(shapes, axes, steps, kinds, 1 if conjugate else 0, adjoint=False)
    _launch(plan, (x, kernel, y, fill))


def _launch(plan: Plan, arguments: tuple[Any, ...]) -> None:
    """x, the other matrix, the result and the fill value, with the geometry of each launch."""
    launch = runtime.current().launch
    kernels = ("correlate_channels",) if plan.slices == 1 else ("correlate_channels", "add_slices")
    for blocks, geometry in plan.launches:
        whole = (*arguments, geometry)
        launch(Launch("channels.cu", kernels[0], plan.defines, blocks, THREADS, plan.shared, whole, kernels))


def _weigh(x: Any, y: Any, weights: Any, axes: tuple[AxisFacts, ...], groups: int, kinds: Kinds, fill: Any) -> None:
    if weights.size == 0:
        return
    now = runtime.current()
    x, y = runtime.readable(x), runtime.readable(y)
    shapes = Shapes(x.shape[0], groups, y.shape[1] // groups, x.shape[1] // groups)
    steps = element_strides(x), element_strides(y), element_strides(weights)
    plan = plan_of(shapes, axes, steps, kinds, 2 if is_complex(kinds.sample) else 0, adjoint=True)
    target = weights if plan.slices == 1 else now.empty((plan.slices, *weights.shape), kinds.sum)
    _launch(plan, (x, y, target, fill))
    if plan.slices > 1:
        blocks = ceil_div(weights.size, THREADS)
        summed = target, weights, np.int64(weights.size), np.int64(plan.slices)
        now.launch(Launch("channels.cu", "add_slices", plan.defines, blocks, THREADS, 0, summed))


@dataclass(frozen=True)
class Shapes:
    """Images, groups, and channels of a group on both sides."""

    batch: int
    groups: int
    outputs: int
    inputs: int


@dataclass(frozen=True)
class Plan:
    """What follows from shapes, strides and dtypes. launches: blocks and geometry of each."""

    defines: tuple[tuple[str, str], ...]
    shared: int
    slices: int
    launches: tuple[tuple[int, np.ndarray], ...]


@lru_cache(maxsize=1024)
def plan_of(
    shapes: Shapes,
    axes: tuple[AxisFacts, ...],
    steps: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
    kinds: Kinds,
    conjugate: int,
    *,
    adjoint: bool,
) -> Plan:
    """steps: strides of x, y and the kernel in elements. conjugate: which factor, see ``channels.cu``."""
    spans = [axis.span for axis in axes]
    counts = counts_among(spans, [axis.stride for axis in axes])
    taps = taps_among(spans, [axis.dilation for axis in axes])
    positions, weights = shapes.batch * prod(counts), shapes.inputs * prod(taps)
    n_count, k_count = (weights, positions) if adjoint else (positions, weights)
    tile = tile_of(shapes.outputs, n_count, kinds)
    tiles = tile.tiles(shapes.outputs, n_count)
    slices, length = slices_of(k_count, prod(tiles) * shapes.groups) if adjoint else (1, max(k_count, 1))
    blocks = prod(tiles) * slices * shapes.groups
    far = [abs(span.first) + span.size + span.length for span in spans]
    index = "int" if max(*far, blocks, positions, weights, shapes.outputs) < FAR else "int64"
    numbers: list[int] = []
    for place, axis in enumerate(axes):
        numbers += [axis.span.size, axis.span.first, axis.stride, axis.dilation, counts[place], taps[place]]
        numbers += [each[2 + place] for each in steps]
    numbers += [1, 0, 1, 1, 1, 1, 0, 0, 0] * (3 - len(axes))
    numbers += [shapes.batch, shapes.groups, shapes.outputs, shapes.inputs]
    numbers += [number for each in steps for number in each[:2]]
    slice_stride = shapes.groups * shapes.outputs * weights
    numbers += [tile.m_threads, tile.n_threads, *tiles, slices, length, slice_stride, steps_of(length)]
    boundaries = (boundary_define(f"BOUNDARY_{place}", axis.span) for place, axis in enumerate(axes))
    settings = {
        "ADJOINT": int(adjoint),
        "CONJUGATE": conjugate,
        "AXES": len(axes),
        "M_EACH": tile.m_each,
        "N_EACH": tile.n_each,
        "INDEX": index,
    }
    launches = ((min(MAX_BLOCKS, blocks - start), _struct([*numbers, start])) for start in range(0, blocks, MAX_BLOCKS))
    defines = (*kinds.defines(), *boundaries, *((name, str(value)) for name, value in settings.items()))
    return Plan(defines, tile.shared(kinds), slices, tuple(launches))


@dataclass(frozen=True)
class Tile:
    """Threads of a block and outputs of a thread, along m and n."""

    m_threads: int
    n_threads: int
    m_each: int
    n_each: int

    def tiles(self, m_count: int, n_count: int) -> tuple[int, int]:
        return ceil_div(m_count, self.m_threads * self.m_each), ceil_div(n_count, self.n_threads * self.n_each)

    def shared(self, kinds: Kinds) -> int:
        wide, high = self.n_threads * self.n_each, self.m_threads * self.m_each
        return DEPTH * (wide * ITEMSIZE[kinds.sample] + high * ITEMSIZE[kinds.weight])


def tile_of(m_count: int, n_count: int, kinds: Kinds) -> Tile:
    """Up to 128 x 256 outputs. Few output channels take threads along n instead."""
    m_most, n_most = EACH.get(ITEMSIZE[kinds.sum], (8, 4))
    m_each = min(m_most, 1 << (m_count - 1).bit_length())
    n_each = min(n_most, m_each)
    m_threads = min(ceil_div(m_count, m_each), 16)
    n_threads = min(ceil_div(n_count, n_each), THREADS // n_each, THREADS // m_threads)
    m_threads = min(ceil_div(m_count, m_each), 128 // m_each, THREADS // n_threads)
    return Tile(m_threads, n_threads, m_each, n_each)


def slices_of(k_count: int, tiles: int) -> tuple[int, int]:
    """How many slices a sum of `k_count` products is cut into, and how long they are: whole steps."""
    wanted = max(min(BLOCKS // max(tiles, 1), k_count // SLICE), 1)
    length = ceil_div(ceil_div(max(k_count, 1), wanted), DEPTH) * DEPTH
    return max(ceil_div(k_count, length), 1), length


def steps_of(products: int) -> int:
    """Steps after which a sum joins the total: about ``2 sqrt(products)`` products."""
    return max(2 * isqrt(products) // DEPTH, 1)


def _struct(numbers: Sequence[int]) -> np.ndarray:
    """``Geometry``, which is all of int64."""
    return by_value(np.array(numbers, np.int64), len(numbers))
