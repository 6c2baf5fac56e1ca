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

import torch

from gpuconv.backends import generic
from gpuconv.backends.generic.separable import fill_first
from gpuconv.backends.generic.windows import window
from gpuconv.backends.torch_engines import engine_library, engine_row, why_not
from gpuconv.backends.torch_memory import replace_tensors, run_on_engine, tensors_in
from gpuconv.core.boundary import Span, extend_all, fold, pieces
from gpuconv.core.dtypes import DtypeRule
from gpuconv.core.frequencies import fast_length
from gpuconv.core.namespace import dtype_name, home_of
from gpuconv.core.problem import KernelFacts, Problem

# Taps from which the gradient by the weights goes through transforms, instead of one product of all samples per tap.
TRANSFORMED_FROM = 16


def run_undifferentiated(primitive: str, x: torch.Tensor, arguments: tuple[Any, ...]) -> torch.Tensor:
    """``primitive(x, *arguments)`` on the engine, or in generic where derivatives are asked for."""
    tensors = [x, *tensors_in(arguments)]
    if not may_be_lent(tensors) or is_differentiated(tensors):
        return generic.TABLE[primitive].function(x, *arguments)
    function = engine_function(primitive, x)
    return run_on_engine(lambda lent, others: function(lent, *others), x, arguments)


def engine_function(primitive: str, x: torch.Tensor) -> Callable[..., Any]:
    """What runs a primitive on the memory of x."""
    row = engine_row(engine_library(x.device.type) or "", primitive)
    assert row is not None, "the row is taken only where there is an engine"
    return row.function


def may_be_lent(tensors: Sequence[torch.Tensor]) -> bool:
    """False for tangents of forward-mode differentiation, for what torch.func wraps, and for subclasses of Tensor.

    An engine would lose what they carry beside their values.
    """
    if torch.autograd.forward_ad._current_level >= 0:
        return False
    plain = (torch.Tensor, torch.nn.Parameter)
    return all(type(one) in plain and not torch._C._functorch.is_functorch_wrapped_tensor(one) for one in tensors)


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
            return run_on_engine(engine_function(self.primitive, x), x, weights, self.spans, self.cval, *self.options)
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
        context.correlation, context.shape, context.is_complex = correlation, tuple(x.shape), x.is_complex()
        context.weights = None if isinstance(weights, torch.Tensor) else weights
        context.save_for_backward(x if by_weights else None, weights if context.weights is None else None)
        return correlation(x.detach(), weights.detach() if context.weights is None else weights)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        x, weights = context.saved_tensors
        by_image = by_weights = None
        if context.needs_input_grad[0]:
            by_image = image_gradient(gradient, weights if context.weights is None else context.weights, context)
        if context.needs_input_grad[1]:
            by_weights = weights_gradient(x, gradient, context.correlation)
            by_weights = by_weights if weights.is_complex() else real(by_weights)
        return by_image, by_weights, None


def real(values: torch.Tensor) -> torch.Tensor:
    return values.real if values.is_complex() else values


def image_gradient(gradient: torch.Tensor, weights: Any, context: Any) -> torch.Tensor:
    """Gradient by x: ``fold(sum_j conj(w[j]) g[m - j])``."""
    adjoint = context.correlation.adjoint()
    call = adjoint if adjoint.runs_on_engine(gradient, weights) else adjoint.in_generic
    result = call(gradient, reverse(weights))
    result = result if context.is_complex else real(result)
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
    spans = correlation.spans
    extended = extend_all(home_of(x).xp, x, spans, correlation.cval).conj()
    if prod(span.taps for span in spans) >= TRANSFORMED_FROM:
        return _by_transforms(extended, gradient, spans)
    offsets = product(*(range(span.taps) for span in spans))
    entries = [(extended[window(x.ndim, spans, offset)] * gradient).sum() for offset in offsets]
    return torch.stack(entries).reshape([span.taps for span in spans])


def _by_transforms(extended: torch.Tensor, gradient: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
    """The same by the correlation theorem: no lag within the taps wraps around."""
    axes = [span.axis for span in spans]
    lengths = [fast_length(span.length) for span in spans]
    is_complex = extended.is_complex() or gradient.is_complex()
    forward, inverse = (torch.fft.fftn, torch.fft.ifftn) if is_complex else (torch.fft.rfftn, torch.fft.irfftn)
    # The lag is that of x~: y[j] = sum_i a[i + j] b[i] has the spectrum A conj(B), of b conjugated A conj(conj(B)).
    spectra = forward(extended, s=lengths, dim=axes) * forward(gradient.conj(), s=lengths, dim=axes).conj()
    others = [axis for axis in range(extended.ndim) if axis not in axes]
    if others:
        spectra = spectra.sum(dim=others)
    result = inverse(spectra, s=lengths)
    return result[tuple(slice(span.taps) for span in spans)]
