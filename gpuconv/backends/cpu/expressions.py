"""The expressions of `translation`, and where their values are kept."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, NoReturn

import numpy as np
from llvmlite import ir

from gpuconv.backends.cpu.instructions import INDEX, Instruction, Numbers, external

TRUTH, BYTE = ir.IntType(1), ir.IntType(8)
# Functions that scratch comes from and goes back to, and how often there was none; see `compiling`.
ALLOCATE, RELEASE, REFUSED = "gpuconv_allocate", "gpuconv_release", "gpuconv_refused"
# Bytes at which scratch begins.
ALIGNMENT = 64
COMPARISONS = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
OPERATIONS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.LShift: "shl",
    ast.RShift: "ashr",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
}


def parts(value: Any) -> list[Any]:
    """The numbers that a value consists of."""
    if isinstance(value, tuple):
        return [part for each in value for part in parts(each)]
    if isinstance(value, Numbers):
        return [value.address, *value.shape]
    return [value] if isinstance(value, ir.Value) else []


def from_parts(like: Any, parts: Iterator[Any]) -> Any:
    """A value like another one, of other numbers."""
    if isinstance(like, tuple):
        return tuple(from_parts(each, parts) for each in like)
    if isinstance(like, Numbers):
        return Numbers(next(parts), tuple(next(parts) for _ in like.shape), like.width)
    return next(parts) if isinstance(like, ir.Value) else like


def form(value: Any) -> Any:
    """What two values must have in common to stand in one place."""
    if isinstance(value, tuple):
        return tuple(map(form, value))
    if isinstance(value, Numbers):
        return len(value.shape), value.width
    return None if isinstance(value, ir.Value) else value


class Body:
    """A function of LLVM while it is written: its variables, and its scratch."""

    def __init__(self, module: Any, made: ir.Function) -> None:
        self.module = module
        self.first = made.append_basic_block("variables")
        self.builder = ir.IRBuilder(made.append_basic_block("body"))
        with self.builder.goto_block(self.first):
            self.builder.branch(self.builder.function.basic_blocks[1])
        self.scratch: list[Any] = []
        self.refused: Any = None

    def variable(self, kind: Any = INDEX, count: int = 1) -> Any:
        with self.builder.goto_block(self.first):
            return self.builder.alloca(kind, count if count > 1 else None)

    def variables(self, value: Any) -> Any:
        """Room for a value like this one."""
        return [self.variable(part.type) for part in parts(value)]

    def put(self, variables: list[Any], value: Any) -> None:
        for variable, part in zip(variables, parts(value), strict=True):
            self.builder.store(part, variable)

    def get(self, variables: list[Any], like: Any) -> Any:
        return from_parts(like, map(self.builder.load, variables))

    def allocate(self, size: Any) -> Any:
        """The address of so many bytes, which take the place of what was allocated here before.

        Where there are none the function returns, as does its caller in the end: what was to be computed is not.
        """
        builder, slot = self.builder, self.variable()
        with builder.goto_block(self.first):
            builder.store(INDEX(0), slot)
        self.scratch.append(slot)
        self.release(slot)
        room = builder.call(external(self.builder, ALLOCATE, INDEX, [INDEX]), [builder.add(size, INDEX(ALIGNMENT))])
        builder.store(room, slot)
        self.refused = self.refused or builder.append_basic_block("refused")
        allowed = builder.append_basic_block("allowed")
        builder.cbranch(builder.icmp_signed("==", room, INDEX(0)), self.refused, allowed)
        builder.position_at_end(allowed)
        return builder.and_(builder.add(room, INDEX(ALIGNMENT - 1)), INDEX(-ALIGNMENT))

    def release(self, slot: Any) -> None:
        self.builder.call(external(self.builder, RELEASE, ir.VoidType(), [INDEX]), [self.builder.load(slot)])

    def close(self) -> None:
        self.leave()
        if self.refused:
            self.builder.position_at_end(self.refused)
            count = self.module.module.globals.get(REFUSED) or ir.GlobalVariable(self.module.module, INDEX, REFUSED)
            self.builder.atomic_rmw("add", count, INDEX(1), "monotonic")
            self.leave()

    def leave(self) -> None:
        for slot in self.scratch:
            self.release(slot)
        self.builder.ret_void()


class Expressions:
    """What the names and expressions of a function stand for."""

    body: Body
    builder: ir.IRBuilder
    function: Any
    known: dict[str, Any]
    names: dict[str, tuple[list[Any], Any]]

    def called(self, function: FunctionType, values: tuple[Any, ...]) -> Any:
        raise NotImplementedError

    def refuse(self, node: ast.AST, why: str) -> NoReturn:
        place = f"{self.function.__code__.co_filename}:{getattr(node, 'lineno', 0)}"
        raise NotImplementedError(f"{place}: {why}: {ast.unparse(node)}")

    def go(self, block: Any) -> None:
        if not self.builder.block.is_terminated:
            self.builder.branch(block)

    def settled(self, value: Any) -> Any:
        """The value with truths as numbers."""
        if isinstance(value, tuple):
            return tuple(map(self.settled, value))
        if isinstance(value, ir.Value) and value.type == TRUTH:
            return self.builder.zext(value, INDEX)
        return value

    def number(self, node: ast.expr) -> Any:
        value = self.settled(self.value(node))
        if not isinstance(value, ir.Value):
            self.refuse(node, "not a number")
        return value

    def truth(self, node: ast.expr) -> Any:
        value = self.value(node)
        if not isinstance(value, ir.Value):
            self.refuse(node, "not a number")
        return value if value.type == TRUTH else self.builder.icmp_signed("!=", value, INDEX(0))

    def branches(self, test: ast.expr, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        blocks = [self.builder.append_basic_block(name) for name in ("then", "else", "after")]
        self.builder.cbranch(self.truth(test), *blocks[:2])
        for block, write in zip(blocks, (then, otherwise), strict=False):
            self.builder.position_at_end(block)
            write()
            self.go(blocks[2])
        self.builder.position_at_end(blocks[2])

    def value(self, node: ast.expr) -> Any:
        write = getattr(self, f"of_{type(node).__name__.lower()}", None)
        if write is None:
            self.refuse(node, "no such expression")
        return write(node)

    def of_constant(self, node: ast.Constant) -> Any:
        return self.constant(node.value)

    def constant(self, value: Any) -> Any:
        if isinstance(value, bool | int | np.integer):
            return INDEX(int(value))
        return tuple(map(self.constant, value)) if isinstance(value, tuple) else value

    def of_name(self, node: ast.Name) -> Any:
        if node.id in self.names:
            return self.body.get(*self.names[node.id])
        for place in (self.known, self.function.__globals__, vars(builtins)):
            if node.id in place:
                return self.constant(place[node.id])
        self.refuse(node, "no such name")

    def of_attribute(self, node: ast.Attribute) -> Any:
        value = self.value(node.value)
        if isinstance(value, Numbers) and node.attr == "shape":
            return value.shape
        return getattr(value, node.attr) if value is np else self.refuse(node, "no such attribute")

    def of_tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        values: list[Any] = []
        for each in node.elts:
            if isinstance(each, ast.Starred):
                values += self.value(each.value)
            else:
                values.append(self.settled(self.value(each)))
        return tuple(values)

    def of_unaryop(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return self.builder.not_(self.truth(node.operand))
        if isinstance(node.op, ast.USub):
            operand = self.number(node.operand)
            return INDEX(-operand.constant) if isinstance(operand, ir.Constant) else self.builder.neg(operand)
        self.refuse(node, "no such operation")

    def of_binop(self, node: ast.BinOp) -> Any:
        return self.combined(node, node.op, self.number(node.left), self.number(node.right))

    def combined(self, node: ast.AST, operation: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(operation, ast.FloorDiv | ast.Mod):
            return self.divided(left, right, isinstance(operation, ast.Mod))
        name = OPERATIONS.get(type(operation))
        return getattr(self.builder, name)(left, right) if name else self.refuse(node, "no such operation")

    def divided(self, left: Any, right: Any, rest: bool) -> Any:
        """Quotient or rest, rounded down; 0 for a divisor of 0, at which a processor would stop."""
        builder = self.builder
        if isinstance(right, ir.Constant) and right.constant > 0 and right.constant & (right.constant - 1) == 0:
            if rest:
                return builder.and_(left, INDEX(right.constant - 1))
            return builder.ashr(left, INDEX(right.constant.bit_length() - 1))
        nothing = builder.icmp_signed("==", right, INDEX(0))
        divisor = builder.select(nothing, INDEX(1), right)
        remainder = builder.srem(left, divisor)
        opposite = builder.icmp_signed("<", builder.xor(remainder, divisor), INDEX(0))
        above = builder.and_(builder.icmp_signed("!=", remainder, INDEX(0)), opposite)
        if rest:
            rounded = builder.select(above, builder.add(remainder, divisor), remainder)
        else:
            quotient = builder.sdiv(left, divisor)
            rounded = builder.select(above, builder.sub(quotient, INDEX(1)), quotient)
        return builder.select(nothing, INDEX(0), rounded)

    def of_compare(self, node: ast.Compare) -> Any:
        left, total = self.number(node.left), None
        for operation, following in zip(node.ops, node.comparators, strict=True):
            right = self.number(following)
            holds = self.builder.icmp_signed(COMPARISONS[type(operation)], left, right)
            total = holds if total is None else self.builder.and_(total, holds)
            left = right
        return total

    def of_boolop(self, node: ast.BoolOp) -> Any:
        """The later ones are looked at only where the first do not decide."""
        decided = self.body.variable(TRUTH)
        after = self.builder.append_basic_block("decided")
        for each in node.values:
            truth = self.truth(each)
            self.builder.store(truth, decided)
            following = self.builder.append_basic_block("undecided")
            ends = (following, after) if isinstance(node.op, ast.And) else (after, following)
            self.builder.cbranch(truth, *ends)
            self.builder.position_at_end(following)
        self.builder.branch(after)
        self.builder.position_at_end(after)
        return self.builder.load(decided)

    def of_ifexp(self, node: ast.IfExp) -> Any:
        chosen: list[Any] = []

        def choose(expression: ast.expr) -> Callable[[], None]:
            def write() -> None:
                value = self.settled(self.value(expression))
                if not chosen:
                    chosen.extend((self.body.variables(value), value))
                if form(chosen[1]) != form(value):
                    self.refuse(node, "both must have one form")
                self.body.put(chosen[0], value)

            return write

        self.branches(node.test, choose(node.body), choose(node.orelse))
        return self.body.get(*chosen)

    def of_subscript(self, node: ast.Subscript) -> Any:
        value = self.value(node.value)
        if isinstance(value, tuple):
            position = self.number(node.slice)
            return value[position.constant] if isinstance(position, ir.Constant) else self.refuse(node, "which one?")
        if not isinstance(value, Numbers):
            self.refuse(node, "not an array")
        if isinstance(node.slice, ast.Slice):
            return self.part(value, node.slice)
        if len(value.shape) == 2 and not isinstance(node.slice, ast.Tuple):
            apart = self.builder.mul(self.number(node.slice), self.builder.mul(value.shape[1], INDEX(value.width)))
            return Numbers(self.builder.add(value.address, apart), value.shape[1:], value.width)
        return self.builder.load(self.pointer(node))

    def part(self, array: Numbers, node: ast.Slice) -> Numbers:
        start = INDEX(0) if node.lower is None else self.number(node.lower)
        stop = array.shape[0] if node.upper is None else self.number(node.upper)
        first = self.builder.add(array.address, self.builder.mul(start, INDEX(array.width)))
        return Numbers(first, (self.builder.sub(stop, start),), array.width)

    def pointer(self, node: ast.Subscript) -> Any:
        """Where an entry of an array lies."""
        array = self.value(node.value)
        if not isinstance(array, Numbers) or array.width != INDEX.width // 8:
            self.refuse(node, "no array of int64")
        indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(indices) != len(array.shape):
            self.refuse(node, "an index for each axis")
        place = self.number(indices[0])
        for size, each in zip(array.shape[1:], indices[1:], strict=True):
            place = self.builder.add(self.builder.mul(place, size), self.number(each))
        address = self.builder.add(array.address, self.builder.mul(place, INDEX(array.width)))
        return self.builder.inttoptr(address, INDEX.as_pointer())

    def of_call(self, node: ast.Call) -> Any:
        called = self.value(node.func)
        if node.keywords:
            self.refuse(node, "by position only")
        if called is np.empty:
            return self.empty(self.value(node.args[0]), np.dtype(self.value(node.args[1])).itemsize)
        values = tuple(self.settled(self.value(each)) for each in node.args)
        if isinstance(called, Instruction):
            return called.generate(self.builder, *values)
        if isinstance(called, FunctionType):
            return self.called(called, values)
        if called is np.array:
            return self.array(*values)
        if called in (min, max) and len(values) == 2:
            smaller = self.builder.icmp_signed("<", *values)
            return self.builder.select(smaller, *(values if called is min else values[::-1]))
        if called is len and isinstance(values[0], Numbers):
            return values[0].shape[0]
        return values[0] if called is int else self.refuse(node, "no such function")

    def empty(self, sizes: Any, width: int) -> Numbers:
        shape = sizes if isinstance(sizes, tuple) else (sizes,)
        size = INDEX(width)
        for each in shape:
            size = self.builder.mul(size, each)
        return Numbers(self.body.allocate(size), shape, width)

    def array(self, values: tuple[Any, ...]) -> Numbers:
        """So few numbers that they stand on the stack."""
        room = self.body.variable(INDEX, len(values))
        address = self.builder.ptrtoint(room, INDEX)
        for position, value in enumerate(values):
            self.builder.store(value, self.builder.gep(room, [INDEX(position)]))
        return Numbers(address, (INDEX(len(values)),), INDEX.width // 8)
