"""Tensors that lend their memory to an engine: seen as NumPy arrays on the CPU, as CuPy arrays on CUDA, not copied."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch

# Complex and real weights whose values the CPU sees are 64-bit ones by the convention of all rows.
_WEIGHTS = {torch.float32: np.float64, torch.complex64: np.complex128}


def run_on_engine(function: Callable[..., Any], x: torch.Tensor, weights: Any, *rest: Any) -> torch.Tensor:
    """``function(x, weights, *rest)`` with arrays in place of the tensors that are `x` and in `weights`.

    On CUDA the engine works on torch's current stream for the device of `x`, where torch has put what comes before
    and will put what comes after: nobody waits.
    """
    # torch.compile would follow the engine's code. To load it takes seconds: where nobody has, it is not at work.
    run = _apart_from_compilation() if "torch._dynamo" in sys.modules else _run
    return run(function, x, weights, *rest)


@cache
def _apart_from_compilation() -> Callable[..., torch.Tensor]:
    return torch.compiler.disable(_run)


def _run(function: Callable[..., Any], x: torch.Tensor, weights: Any, *rest: Any) -> torch.Tensor:
    if x.device.type == "cuda":
        return _run_on_cupy(function, x, weights, rest)
    lent = to_numpy(x)
    with np.errstate(over="ignore", invalid="ignore"):  # infinity and NaN are results like others
        result = function(lent, replace_tensors(weights, weights_to_numpy), *rest)
    if result is lent:
        return x
    if not result.flags.writeable or any(stride < 0 for stride in result.strides):
        result = result.copy()
    return torch.from_numpy(result)


def _run_on_cupy(function: Callable[..., Any], x: torch.Tensor, weights: Any, rest: tuple[Any, ...]) -> torch.Tensor:
    cupy, index = importlib.import_module("cupy"), x.device.index
    stream = torch.cuda.current_stream(x.device).cuda_stream
    with cupy.cuda.Device(index), cupy.cuda.ExternalStream(stream, index):

        def lend(tensor: torch.Tensor) -> Any:
            return cupy.from_dlpack(plain(tensor))

        lent = lend(x)
        result = function(lent, replace_tensors(weights, lend), *rest)
        return x if result is lent else torch.from_dlpack(result)


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """The same values without history; a copy only of a tensor that is conjugated or negated by a flag."""
    return tensor.detach().resolve_conj().resolve_neg()


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """The tensor's own memory as a NumPy array."""
    return plain(tensor).numpy()


def weights_to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """Weights as rows take them from the host: floating ones in double precision."""
    array = to_numpy(tensor)
    return array.astype(_WEIGHTS.get(tensor.dtype, array.dtype), copy=False)


def tensors_in(value: Any) -> list[torch.Tensor]:
    """All tensors among arguments, in lists, tuples and dataclasses too."""
    found: list[torch.Tensor] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        found.append(tensor)
        return tensor

    replace_tensors(value, note)
    return found


def replace_tensors(value: Any, lend: Callable[[torch.Tensor], Any]) -> Any:
    """`value` with ``lend(tensor)`` in place of every tensor, the same for the same; what holds none stays itself.

    Rows ask of numbers, arrays and pairs of them whether they are the same object.
    """
    kept: dict[int, Any] = {}

    def visit(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            if id(value) not in kept:
                kept[id(value)] = lend(value)
            return kept[id(value)]
        if isinstance(value, (list, tuple)):
            entries = [visit(entry) for entry in value]
            changed = any(new is not old for new, old in zip(entries, value))
            return type(value)(entries) if changed else value
        if is_dataclass(value) and not isinstance(value, type):
            entries_by_name = {entry.name: visit(getattr(value, entry.name)) for entry in fields(value)}
            changed_by_name = {name: new for name, new in entries_by_name.items() if new is not getattr(value, name)}
            return replace(value, **changed_by_name) if changed_by_name else value
        return value

    return visit(value)
