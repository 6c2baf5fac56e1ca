"""What loops are made of besides whole numbers: instructions of LLVM, written by a function. See `translation`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

INDEX = ir.IntType(64)


@dataclass(frozen=True)
class Instruction:
    """``generate(builder, *values)`` writes instructions; numbers and addresses are values of LLVM, tuples lists."""

    generate: Callable[..., Any]


def instruction(generate: Callable[..., Any]) -> Any:
    """Have loops call it as a function of all its arguments but the first, which is what instructions are added to."""
    return Instruction(generate)


@dataclass(frozen=True)
class Numbers:
    """An array without gaps: address, sizes, and bytes of an entry."""

    address: Any
    shape: tuple[Any, ...]
    width: int


@instruction
def begin(builder: Any, array: Numbers) -> Any:
    """Where an array begins."""
    return array.address


@instruction
def numbers_at(builder: Any, address: Any, count: Any) -> Numbers:
    """The array of so many int64 at an address."""
    return Numbers(address, (count,), 8)


def caller(count: int) -> Any:
    """Call the function at an address with a tuple of `count` numbers; it returns nothing."""

    @instruction
    def call(builder: Any, address: Any, arguments: Any) -> None:
        function = ir.FunctionType(ir.VoidType(), [INDEX] * count).as_pointer()
        builder.call(builder.inttoptr(address, function), list(arguments))

    return call


def element_of(kind: np.dtype) -> Any:
    """The type that LLVM has for numbers of a dtype."""
    if kind.kind == "f":
        return ir.FloatType() if kind.itemsize == 4 else ir.DoubleType()
    return ir.IntType(8 * kind.itemsize)


def external(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """The function of that name from elsewhere, as seen from what is being written."""
    found = builder.module.globals.get(name)
    return found or ir.Function(builder.module, ir.FunctionType(result, arguments), name)
