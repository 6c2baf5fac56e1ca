"""Over N-D windows and channels at once: what layers of neural networks compute, and the two adjoints of that.

An axis of the windows has a *span*, which has the meaning it has everywhere: `first`, `count` and `taps` are those of
the plain correlation, whose footprint is ``taps = dilation (K - 1) + 1`` samples long for K taps, and of whose `count`
outputs every stride-th is kept, the first included. So a span says what is read, and a stride and a dilation thin it
out. `taps_of_span` and `outputs_of_span` give what is left of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np

from gpuconv.backends.generic.windows import taps_per_partial_sum
from gpuconv.core.boundary import Span, extend_all, fold_all
from gpuconv.core.dtypes import complex_of, is_complex, is_integer
from gpuconv.core.namespace import Home, bring_home, cast, dtype_in, dtype_name, home_of


@dataclass(frozen=True)
class ChannelsProblem:
    """A correlation over windows and channels without its data; also that of its adjoints.

    Attributes
    ----------
    library, device, traced, dtype
        Of the images.
    kernel_dtype : str
    batch : int
    inputs, outputs : int
        Channels of the images, and of what comes out.
    groups : int
        Divides both: outputs of a group see the inputs of the same group.
    spans : tuple of Span
        One per axis after those of batch and channels, in their order.
    strides, dilations : tuple of int
        One per span.
    """

    library: str
    device: str
    traced: bool
    dtype: str
    kernel_dtype: str
    batch: int
    inputs: int
    outputs: int
    groups: int
    spans: tuple[Span, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]

    @property
    def taps(self) -> tuple[int, ...]:
        return taps_among(self.spans, self.dilations)

    @property
    def counts(self) -> tuple[int, ...]:
        """Outputs per axis."""
        return counts_among(self.spans, self.strides)

    @property
    def products(self) -> int:
        """Multiply-adds of the definition."""
        per_output = self.inputs // self.groups * prod(self.taps)
        return self.batch * self.outputs * prod(self.counts) * per_output


def channels_problem(
    x: Any,
    kernel: Any,
    channels: tuple[int, int, int],
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> ChannelsProblem:
    """The facts of a correlation of two arrays (x and kernel, or y and one of them): (inputs, outputs, groups)."""
    home = home_of(x)
    return ChannelsProblem(
        library=home.library,
        device=str(home.device),
        traced=home.traced or home_of(kernel).traced,
        dtype=dtype_name(x.dtype),
        kernel_dtype=dtype_name(kernel.dtype),
        batch=x.shape[0],
        inputs=channels[0],
        outputs=channels[1],
        groups=channels[2],
        spans=tuple(spans),
        strides=tuple(strides),
        dilations=tuple(dilations),
    )


def taps_of_span(span: Span, dilation: int) -> int:
    """Taps of a kernel whose footprint is that of the span."""
    return (span.taps - 1) // dilation + 1


def outputs_of_span(span: Span, stride: int) -> int:
    """How many outputs of the span are kept."""
    return -(-span.count // stride)


def taps_among(spans: Sequence[Span], dilations: Sequence[int]) -> tuple[int, ...]:
    return tuple(taps_of_span(span, dilation) for span, dilation in zip(spans, dilations, strict=True))


def counts_among(spans: Sequence[Span], strides: Sequence[int]) -> tuple[int, ...]:
    return tuple(outputs_of_span(span, stride) for span, stride in zip(spans, strides, strict=True))


def correlate_channels(
    x: Any,
    kernel: Any,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    cval: Any,
) -> Any:
    """``y[b, o, i] = sum_{c, j} kernel[o, c, j] x~[b, c, first + stride i + dilation j]``, c over the group of o.

    x is (batch, inputs, \\*space), the kernel (outputs, inputs / groups, \\*taps), y (batch, outputs, \\*counts).
    """
    home = home_of(x)
    x, kernel = brought_together(home, x, kernel)
    extended = extend_all(home.xp, x, spans, cval)
    counts, shape = counts_among(spans, strides), kernel.shape
    if _is_nothing(home, (x.shape[0], *counts)):
        return _zeros(home, (x.shape[0], shape[0], *counts), dtype_name(x.dtype))
    weights = home.xp.reshape(kernel, (groups, shape[0] // groups, *shape[1:]))
    total = partial = None
    for position, offsets in enumerate(product(*map(range, shape[2:]))):
        term = _contract(
            home,
            weights[(slice(None),) * 3 + offsets],
            _grouped(home, extended[_meeting(counts, strides, dilations, offsets)], groups),
        )
        if position % taps_per_partial_sum(np.empty(shape[2:])) == 0 and partial is not None:
            total, partial = partial if total is None else total + partial, None
        partial = term if partial is None else partial + term
    return home.xp.reshape(partial if total is None else total + partial, (x.shape[0], shape[0], *counts))


def channels_input_adjoint(
    y: Any,
    kernel: Any,
    spans: Sequence[Span],
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
) -> Any:
    """The x for which ``<x, x'> = <y, correlate_channels(x', kernel)>`` for every x', with a fill value of zero.

    ``x = sum_{o, j} conj(kernel[o, c, j]) y[b, o, i]`` wherever ``first + stride i + dilation j`` reads this sample.
    """
    home = home_of(y)
    xp = home.xp
    if _is_nothing(home, y.shape):
        y, kernel = brought_together(home, y, kernel)
        return _zeros(home, (y.shape[0], groups * kernel.shape[1], *(span.size for span in spans)), dtype_name(y.dtype))
    for span, stride in zip(spans, strides, strict=True):
        y = _spread(y, span.axis, stride, span.count)
    # Every sample takes what the outputs before it, as far as the footprint reaches, have from it.
    whole = [Span(span.axis, span.count, span.taps, 1 - span.taps, span.length, "constant") for span in spans]
    extended = correlate_channels(y, transposed(kernel, groups), whole, (1,) * len(spans), dilations, groups, 0)
    return fold_all(xp, extended, spans)


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
    home = home_of(x)
    xp, taps = home.xp, taps_among(spans, dilations)
    if is_complex(dtype_name(y.dtype)):
        x = cast(home, x, dtype_name(y.dtype))
    elif is_complex(dtype_name(x.dtype)):
        y = cast(home, y, dtype_name(x.dtype))
    if _is_nothing(home, y.shape):
        return _zeros(home, (y.shape[1], x.shape[1] // groups, *taps), dtype_name(x.dtype))
    extended = extend_all(xp, x, spans, cval)
    if is_complex(dtype_name(x.dtype)):
        extended = xp.conj(extended)
    outputs = _grouped(home, y, groups)
    terms = []
    for offsets in product(*map(range, taps)):
        samples = extended[_meeting(counts_among(spans, strides), strides, dilations, offsets)]
        parts = _contract(home, outputs, xp.matrix_transpose(_grouped(home, samples, groups)))
        terms.append(cast(home, xp.sum(parts, axis=0, dtype=parts.dtype), dtype_name(x.dtype)))
    return xp.reshape(xp.stack(terms, axis=-1), (y.shape[1], x.shape[1] // groups, *taps))


def brought_together(home: Home, x: Any, kernel: Any) -> tuple[Any, Any]:
    """Both in the dtype they are summed in; a real image is complex beside a complex kernel, too."""
    name = dtype_name(x.dtype)
    if is_integer(name):
        name = dtype_name(kernel.dtype)
    elif is_complex(dtype_name(kernel.dtype)):
        name = complex_of(name)
    kernel = bring_home(kernel, home, name) if isinstance(kernel, np.ndarray) else cast(home, kernel, name)
    return cast(home, x, name), kernel


def transposed(kernel: Any, groups: int) -> Any:
    """Conjugate weights of the way back: inputs and outputs of each group exchanged, taps in reverse order."""
    xp = home_of(kernel).xp
    outputs, inputs, *taps = kernel.shape
    kernel = xp.reshape(kernel, (groups, outputs // groups, inputs, *taps))
    kernel = xp.permute_dims(kernel, (0, 2, 1, *range(3, kernel.ndim)))
    kernel = xp.reshape(kernel, (groups * inputs, outputs // groups, *taps))
    kernel = xp.flip(kernel, axis=tuple(range(2, kernel.ndim)))
    return xp.conj(kernel) if is_complex(dtype_name(kernel.dtype)) else kernel


def _is_nothing(home: Home, shape: Sequence[int]) -> bool:
    """Whether dask has nothing to do: it cannot reshape arrays without elements."""
    return home.library == "dask" and 0 in shape


def _zeros(home: Home, shape: tuple[int, ...], name: str) -> Any:
    return home.xp.zeros(shape, dtype=dtype_in(home, name), device=home.device)


def _grouped(home: Home, samples: Any, groups: int) -> Any:
    """(batch, channels, \\*space) as (batch, group, channels of the group, positions)."""
    batch, channels, *space = samples.shape
    return home.xp.reshape(samples, (batch, groups, channels // groups, prod(space)))


def _contract(home: Home, first: Any, second: Any) -> Any:
    """Matrix products of the last two axes. torch has none of integers on a GPU: these are summed one by one."""
    if home.library != "torch" or not is_integer(dtype_name(first.dtype)) or first.shape[-1] == 0:
        return home.xp.matmul(first, second)
    total = first[..., 0, None] * second[..., None, 0, :]
    for i in range(1, first.shape[-1]):
        total = total + first[..., i, None] * second[..., None, i, :]
    return total


def _meeting(
    counts: Sequence[int], strides: Sequence[int], dilations: Sequence[int], offsets: Sequence[int]
) -> tuple[slice, ...]:
    """Index of the samples of the extended array that meet the tap at `offsets`, one per output."""
    index = [slice(None), slice(None)]
    for count, stride, dilation, offset in zip(counts, strides, dilations, offsets, strict=True):
        start = dilation * offset
        index.append(slice(start, start + stride * (count - 1) + 1, stride) if count else slice(0, 0))
    return tuple(index)


def _spread(y: Any, axis: int, stride: int, count: int) -> Any:
    """`count` samples along an axis: those of `y`, and ``stride - 1`` zeros after each."""
    if stride == 1:
        return y
    xp = home_of(y).xp
    y = xp.expand_dims(y, axis=axis + 1)
    y = xp.concat([y, *[xp.zeros_like(y)] * (stride - 1)], axis=axis + 1)
    y = xp.reshape(y, (*y.shape[:axis], y.shape[axis] * stride, *y.shape[axis + 2 :]))
    return y[(*(slice(None),) * axis, slice(0, count), ...)]
