"""Primitives on tensors that may be differentiated. Adjoints of correlations are correlations, on the same engine.

With ``y[i] = sum_j w[j] x~[first + i + j]`` and g the gradient of a loss by y,

* the gradient by x~ is the correlation of g with the reversed, conjugated weights; what lies beyond the ends of x is
  folded back to the samples it was copied from, and what is a fill value is dropped;
* the gradient by w is ``sum_i conj(x~[first + i + j]) g[i]``.

Both are made of calls that torch can differentiate, so that gradients have gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
import torch

from gpuconv.backends import generic
from gpuconv.backends.cpu.adjoint import weights_adjoint
from gpuconv.backends.engines import row_on, why_not
from gpuconv.backends.generic.separable import fill_first
from gpuconv.backends.generic.windows import window
from gpuconv.backends.torch_memory import run_on_engine, tensors_in, to_numpy
from gpuconv.core.boundary import Span, extend_all, fold, pieces
from gpuconv.core.dtypes import DtypeRule, dtypes_of_sums
from gpuconv.core.frequencies import fast_length
from gpuconv.core.namespace import cast, dtype_name, home_of, is_transformed
from gpuconv.core.problem import KernelFacts, Problem

# Taps from which the gradient by the weights goes through transforms, instead of one inner product per tap. A million
# samples of float32 on two cores: transforms 140 to 300 ms, inner products 1.0 ms a tap on the host, 10 ms a tap where
# torch makes an array of the products.
TRANSFORMED_FROM = {"host": 128, "torch": 16}


def run_undifferentiated(primitive: str, x: torch.Tensor, arguments: tuple[Any, ...]) -> torch.Tensor:
    """``primitive(x, *arguments)`` on the engine, or in generic where derivatives are asked for."""
    tensors = [x, *tensors_in(arguments)]
    if not may_be_lent(tensors) or is_differentiated(tensors):
        return generic.TABLE[primitive].function(x, *arguments)
    function = row_on(x.device.type, primitive).function
    return run_on_engine(lambda lent, others: function(lent, *others), x, arguments)


def may_be_lent(tensors: Sequence[torch.Tensor]) -> bool:
    """False in forward-mode differentiation, for tensors that stand for others, and for subclasses of Tensor.

    An engine would lose what they carry beside their values.
    """
    if torch.autograd.forward_ad._current_level >= 0:
        return False
    plain = (torch.Tensor, torch.nn.Parameter)
    return all(type(one) in plain and not is_transformed(one) for one in tensors)


def is_differentiated(tensors: Sequence[torch.Tensor]) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


@dataclass(frozen=True)
class Correlation:
    """A correlation without its data. `options` are the lengths of transforms, for the Fourier primitive."""

    primitive: str
    spans: tuple[Span, ...]
    cval: Any
    options: tuple[Any, ...] = ()

    def __call__(self, x: torch.Tensor, weights: Any) -> torch.Tensor:
        """Of `x` with weights, or with banks of taps; differentiable by both."""
        among = tensors_in(weights)
        if not may_be_lent([x, *among]):
            return self.in_generic(x, weights)
        if not is_differentiated([x, *among]):
            function = row_on(x.device.type, self.primitive).function
            return run_on_engine(function, x, weights, self.spans, self.cval, *self.options)
        if torch._C._are_functorch_transforms_active():  # which ask more of a Function than this one has
            return self.in_generic(x, weights)
        if self.primitive == "correlate_separable" and among:
            return self.pass_by_pass(x, weights)
        return _Differentiable.apply(x, weights, self)

    def in_generic(self, x: torch.Tensor, weights: Any) -> torch.Tensor:
        return generic.TABLE[self.primitive].function(x, weights, self.spans, self.cval, *self.options)

    def pass_by_pass(self, x: torch.Tensor, banks: Sequence[Sequence[Any]]) -> torch.Tensor:
        """Outer products of taps that are tensors: every pass has an adjoint by its taps."""
        x, spans = fill_first(x, self.spans, self.cval)
        total = None
        for bank in banks:
            part = x
            for taps, span in zip(bank, spans, strict=True):
                part = Correlation("correlate_axis", (span,), self.cval)(part, taps)
            total = part if total is None else total + part
        assert total is not None, "there is at least one bank"
        return total

    def adjoint(self) -> Correlation:
        """Correlation of outputs with reversed weights: up to the samples, or the extended ones of `folded` axes."""
        spans = tuple(
            Span(span.axis, span.count, span.taps, 1 - span.taps, span.length, "constant")
            if is_folded(span)
            else Span(span.axis, span.count, span.taps, 1 - span.taps - span.first, span.size, "constant")
            for span in self.spans
        )
        lengths = tuple(
            tuple(
                fast_length(after.length) if length >= before.length else length
                for length, before, after in zip(option, self.spans, spans, strict=True)
            )
            for option in self.options
        )
        return replace(self, spans=spans, cval=0, options=lengths)

    def runs_on_engine(self, x: torch.Tensor, weights: Any) -> bool:
        """Whether the engine takes this on x, where nobody has asked it before."""
        first = weights if hasattr(weights, "dtype") else weights[0][0]
        facts = KernelFacts(tuple(span.taps for span in self.spans), dtype_name(first.dtype), "host")
        name, device = dtype_name(x.dtype), str(x.device)
        problem = Problem("torch", device, False, tuple(x.shape), name, facts, DtypeRule(name, name), self.spans)
        return why_not(self.primitive, problem) is None


class _Differentiable(torch.autograd.Function):
    """A correlation whose `x`, and whose weights if they are a tensor, have gradients."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, weights: Any, correlation: Correlation) -> torch.Tensor:
        by_weights = isinstance(weights, torch.Tensor) and weights.requires_grad
        context.correlation, context.shape, context.dtype = correlation, tuple(x.shape), x.dtype
        context.weights = None if isinstance(weights, torch.Tensor) else weights
        context.save_for_backward(x if by_weights else None, weights if context.weights is None else None)
        return correlation(x.detach(), weights.detach() if context.weights is None else weights)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        x, weights = context.saved_tensors
        weights = weights if context.weights is None else context.weights
        if not may_be_lent((gradient,)):
            return *_through_generic(context, x, weights, gradient), None
        by_image = by_weights = None
        if context.needs_input_grad[0]:
            by_image = image_gradient(gradient, weights, context)
        if context.needs_input_grad[1]:
            by_weights = weights_gradient(x, gradient, context.correlation)
            by_weights = (by_weights if weights.is_complex() else real(by_weights)).to(weights.dtype)
        return by_image, by_weights, None


def _through_generic(context: Any, x: torch.Tensor | None, weights: Any, gradient: torch.Tensor) -> list[Any]:
    """Gradients of the generic row, by torch: what stands for many tensors has no way through other operations."""
    needed = context.needs_input_grad[:2]
    with torch.enable_grad():
        if x is None:  # its gradient is the same wherever x is
            x = torch.zeros(context.shape, dtype=context.dtype, device=gradient.device, requires_grad=True)
        y = context.correlation.in_generic(x, weights)
    inputs = [one for one, is_needed in zip((x, weights), needed) if is_needed]
    found = iter(torch.autograd.grad(y, inputs, gradient, create_graph=torch.is_grad_enabled()))
    return [next(found) if is_needed else None for is_needed in needed]


def prepare_correlation(
    primitive: str, shape: Sequence[int], dtype: str, weights: Any, spans: tuple[Span, ...]
) -> Callable[[torch.Tensor, Any], torch.Tensor]:
    """A function ``(x, cval)`` for tensors of that shape and dtype, as they are stored, that gives the sums' dtype."""
    arrays = _arrays_in(weights)
    working = dtypes_of_sums(dtype, *(dtype_name(each.dtype) for each in arrays))[0]
    engine = None if tensors_in(weights) else row_on("cpu", primitive).prepare
    loop = None if engine is None else engine(shape, working, weights, spans, None)

    def run(x: torch.Tensor, cval: Any) -> torch.Tensor:
        x = x if dtype == working else cast(home_of(x), x, working)
        if loop is None or x.device.type != "cpu" or not may_be_lent((x,)) or is_differentiated((x,)):
            return Correlation(primitive, spans, cval)(x, weights)
        return run_on_engine(lambda lent, _: loop(lent, cval), x, None)

    return run


def _arrays_in(weights: Any) -> list[Any]:
    """Weights, or all lines of taps in banks of them."""
    return [taps for bank in weights for taps in bank] if isinstance(weights, (list, tuple)) else [weights]


def real(values: torch.Tensor) -> torch.Tensor:
    return values.real if values.is_complex() else values


def image_gradient(gradient: torch.Tensor, weights: Any, context: Any) -> torch.Tensor:
    """Gradient by x: ``fold(sum_j conj(w[j]) g[m - j])``."""
    adjoint = context.correlation.adjoint()
    call = adjoint if adjoint.runs_on_engine(gradient, weights) else adjoint.in_generic
    result = call(gradient, reverse(weights))
    result = result if context.dtype.is_complex else real(result)
    for span in filter(is_folded, context.correlation.spans):
        result = fold_in_place(result, span)
    return result


def is_folded(span: Span) -> bool:
    """Whether samples of an axis are read once more beyond its ends."""
    return span.boundary != "constant" and not span.inside


def fold_in_place(extended: torch.Tensor, span: Span) -> torch.Tensor:
    """`fold`, a view of `extended`, whose ends are added to it where they were copied from."""
    parts, position, whole = [], 0, None
    for piece in pieces(span.boundary, span.size, span.first, span.first + span.length):
        part = extended.narrow(span.axis, position, piece.count)
        position += piece.count
        if (piece.start, piece.step, piece.count) == (0, 1, span.size) and whole is None:
            whole = part
        else:
            parts.append((piece, part))
    if whole is None:  # not every sample is read in order: there is nothing to add to
        return fold(home_of(extended).xp, extended, span)
    for piece, part in parts:
        start, count = piece.start or 0, piece.count
        if piece.step == 0:
            part, count = part.sum(dim=span.axis, keepdim=True), 1
        elif piece.step == -1:
            part, start = part.flip(span.axis), start - count + 1
        whole.narrow(span.axis, start, count).add_(part)
    return whole


def reverse(weights: Any) -> Any:
    """Weights, or every line of taps in banks of them, reversed on all axes and conjugated."""
    if isinstance(weights, (list, tuple)):
        return [reverse(entry) for entry in weights]
    if isinstance(weights, torch.Tensor):
        return weights.flip(tuple(range(weights.ndim))).conj()
    return weights[(slice(None, None, -1),) * weights.ndim].conj()


def weights_gradient(x: torch.Tensor, gradient: torch.Tensor, correlation: Correlation) -> torch.Tensor:
    """Gradient by w: ``sum_i conj(x~[first + i + j]) g[i]``, over batches as well."""
    spans, cval = correlation.spans, correlation.cval
    on_host = x.device.type == "cpu" and not is_differentiated((x, gradient))
    if prod(span.taps for span in spans) >= TRANSFORMED_FROM["host" if on_host else "torch"]:
        return _by_transforms(extend_all(home_of(x).xp, x, spans, cval), gradient, spans)
    if on_host:
        with np.errstate(over="ignore", invalid="ignore"):
            return torch.from_numpy(weights_adjoint(to_numpy(x), to_numpy(gradient), spans, cval))
    extended = extend_all(home_of(x).xp, x, spans, cval).conj()
    offsets = product(*(range(span.taps) for span in spans))
    entries = [(extended[window(x.ndim, spans, offset)] * gradient).sum() for offset in offsets]
    return torch.stack(entries).reshape([span.taps for span in spans])


def _by_transforms(extended: torch.Tensor, gradient: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
    """The same by the correlation theorem; no lag wraps around, since the taps are fewer than the extended samples."""
    axes = [span.axis for span in spans]
    lengths = [fast_length(span.length) for span in spans]
    is_complex = extended.is_complex() or gradient.is_complex()
    forward, inverse = (torch.fft.fftn, torch.fft.ifftn) if is_complex else (torch.fft.rfftn, torch.fft.irfftn)
    # The conjugate of what is wanted, whose lags come in order: sum_i x~[i + j] conj(g[i]).
    spectra = forward(extended, s=lengths, dim=axes) * forward(gradient, s=lengths, dim=axes).conj()
    batches = [axis for axis in range(extended.ndim) if axis not in axes]
    if batches:
        spectra = spectra.sum(dim=batches)
    result = inverse(spectra, s=lengths, dim=tuple(range(len(spans))))
    return result[tuple(slice(span.taps) for span in spans)].conj()
