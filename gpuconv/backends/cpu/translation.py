"""Functions of whole numbers, from Python's syntax tree to LLVM's instructions.

The loops of this folder know nothing but numbers of 64 bits: counts, strides and addresses. For so small a language the
way from Python to LLVM is short, and takes milliseconds. What it has:

* whole numbers (int64, as a processor has them: they wrap around), truths, tuples, and arrays of numbers;
* ``+ - * // % << >> & | ^``, comparisons, ``and or not``, conditional expressions, `min` and `max` of two,
  ``int(truth)``; ``//`` and ``%`` round down as in Python, and give 0 for a divisor of 0;
* ``np.empty(sizes, dtype)``, int64 or uint8, of one or two axes: scratch that lives until the function returns or comes
  by here again, whichever is first; ``np.array((a, b, c))``, always int64; ``x[i]``, ``x[i, j]``, ``x[i:j]`` of int64
  without negative indices or checks, ``x[i]`` as a row of two axes, ``len(x)``, ``x.shape[k]``;
* assignments, also to tuples; ``while``, ``for`` over a `range` that goes up, or over a tuple, once for each entry;
  ``if``, ``break``, ``continue``, ``return``; calls by position;
* constants, which are numbers, dtypes or names, and functions, from the module or from around a function.

A function that is called is translated, too: as one of its own if it returns nothing, else in place. An `Instruction`
writes what it stands for itself.
"""

from __future__ import annotations

import ast
import linecache
from functools import cache
from types import FunctionType
from typing import Any

from llvmlite import ir

from gpuconv.backends.cpu import kept
from gpuconv.backends.cpu.expressions import Body, Expressions, form, from_parts, parts
from gpuconv.backends.cpu.instructions import INDEX


def module_of(function: FunctionType, arguments: int, name: str) -> ir.Module:
    """A module in which `function`, of so many int64, is called `name`."""
    module = _Module(ir.Module(name))
    entry = ir.Function(module.module, ir.FunctionType(ir.VoidType(), [INDEX] * arguments), name)
    module.write(entry, function, (INDEX(0),) * arguments)
    return module.module


def definition_of(function: FunctionType) -> ast.FunctionDef:
    """The syntax tree of a function."""
    code = function.__code__
    found = _definitions(code.co_filename).get((code.co_name, code.co_firstlineno))
    if found is None:
        raise RuntimeError(f"{code.co_filename} holds no source of {function.__qualname__}")
    return found


@cache
def _definitions(path: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """All functions of a file, by name and first line."""
    tree = ast.parse(kept.sources().get(path) or "".join(linecache.getlines(path)))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {(node.name, _first_line(node)): node for node in found}


def _first_line(node: ast.FunctionDef) -> int:
    """The line of its first decorator, or its own."""
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


class _Module:
    """What is written to one module; functions that return nothing once for every form of their arguments."""

    def __init__(self, module: ir.Module) -> None:
        self.module = module
        self.written: dict[Any, ir.Function] = {}

    def function(self, function: FunctionType, values: tuple[Any, ...]) -> ir.Function:
        key = function, form(values)
        if key not in self.written:
            kind = ir.FunctionType(ir.VoidType(), [INDEX] * len(parts(values)))
            made = ir.Function(self.module, kind, self.module.get_unique_name(function.__name__))
            made.linkage = "internal"
            self.written[key] = made
            self.write(made, function, values)
        return self.written[key]

    def write(self, made: ir.Function, function: FunctionType, values: tuple[Any, ...]) -> None:
        made.attributes.add("nounwind")
        body = Body(self, made)
        Frame(body, function, from_parts(values, iter(made.args))).run()
        body.close()


class Frame(Expressions):
    """The translation of one call: of a function of LLVM, or in place."""

    def __init__(self, body: Body, function: FunctionType, values: tuple[Any, ...]) -> None:
        self.body, self.builder, self.function = body, body.builder, function
        self.definition = definition_of(function)
        around = [cell.cell_contents for cell in function.__closure__ or ()]
        self.known = dict(zip(function.__code__.co_freevars, around, strict=True))
        self.names: dict[str, tuple[list[Any], Any]] = {}
        self.loops: list[tuple[Any, Any]] = []
        self.result: tuple[list[Any], Any] | None = None
        for argument, value in zip(self.definition.args.args, values, strict=True):
            self.bind(argument.arg, value)

    def run(self) -> Any:
        """Write the function; what it returns."""
        self.end = self.builder.append_basic_block("end")
        self.statements(self.definition.body)
        self.go(self.end)
        self.builder.position_at_end(self.end)
        return None if self.result is None else self.body.get(*self.result)

    def bind(self, name: str, value: Any) -> None:
        value = self.settled(value)
        if name not in self.names:
            self.names[name] = self.body.variables(value), value
        variables, like = self.names[name]
        if form(like) != form(value):
            raise NotImplementedError(f"{name} of {self.function.__qualname__} changes its form")
        self.body.put(variables, value)

    def statements(self, nodes: list[ast.stmt]) -> None:
        for node in nodes:
            if self.builder.block.is_terminated:
                return
            write = getattr(self, f"do_{type(node).__name__.lower()}", None)
            if write is None:
                self.refuse(node, "no such statement")
            write(node)

    def do_pass(self, node: ast.Pass) -> None:
        pass

    def do_expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def do_assign(self, node: ast.Assign) -> None:
        if len(node.targets) > 1:
            self.refuse(node, "one target only")
        self.assign(node.targets[0], self.value(node.value))

    def do_augassign(self, node: ast.AugAssign) -> None:
        before = self.number(node.target)
        self.assign(node.target, self.combined(node, node.op, before, self.number(node.value)))

    def assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.bind(target.id, value)
        elif isinstance(target, ast.Tuple):
            for each, part in zip(target.elts, value, strict=True):
                self.assign(each, part)
        elif isinstance(target, ast.Subscript):
            self.builder.store(self.settled(value), self.pointer(target))
        else:
            self.refuse(target, "cannot be assigned to")

    def do_return(self, node: ast.Return) -> None:
        if node.value is not None:
            value = self.settled(self.value(node.value))
            if self.result is None:
                self.result = self.body.variables(value), value
            self.body.put(self.result[0], value)
        self.go(self.end)

    def do_break(self, node: ast.Break) -> None:
        self.go(self.loops[-1][1])

    def do_continue(self, node: ast.Continue) -> None:
        self.go(self.loops[-1][0])

    def do_if(self, node: ast.If) -> None:
        self.branches(node.test, lambda: self.statements(node.body), lambda: self.statements(node.orelse))

    def do_while(self, node: ast.While) -> None:
        if node.orelse:
            self.refuse(node, "a loop has no else")
        head, inside, after = (self.builder.append_basic_block(name) for name in ("while", "inside", "after"))
        self.go(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(self.truth(node.test), inside, after)
        self.inside(inside, node.body, head, after)
        self.go(head)
        self.builder.position_at_end(after)

    def inside(self, block: Any, nodes: list[ast.stmt], again: Any, after: Any) -> None:
        self.builder.position_at_end(block)
        self.loops.append((again, after))
        self.statements(nodes)
        self.loops.pop()

    def do_for(self, node: ast.For) -> None:
        if node.orelse:
            self.refuse(node, "a loop has no else")
        if isinstance(node.iter, ast.Tuple):
            self.each(node, node.iter.elts)
            return
        if not (isinstance(node.iter, ast.Call) and self.value(node.iter.func) is range):
            self.refuse(node, "no such loop")
        bounds = [self.number(each) for each in node.iter.args]
        start, stop = bounds[:2] if len(bounds) > 1 else (INDEX(0), bounds[0])
        step = bounds[2] if len(bounds) > 2 else INDEX(1)
        blocks = [self.builder.append_basic_block(name) for name in ("for", "inside", "next", "after")]
        counter = self.body.variable()
        self.builder.store(start, counter)
        self.go(blocks[0])
        self.builder.position_at_end(blocks[0])
        index = self.builder.load(counter)
        self.builder.cbranch(self.builder.icmp_signed("<", index, stop), blocks[1], blocks[3])
        self.builder.position_at_end(blocks[1])
        self.assign(node.target, index)
        self.inside(blocks[1], node.body, blocks[2], blocks[3])
        self.go(blocks[2])
        self.builder.position_at_end(blocks[2])
        self.builder.store(self.builder.add(index, step), counter)
        self.go(blocks[0])
        self.builder.position_at_end(blocks[3])

    def each(self, node: ast.For, entries: list[ast.expr]) -> None:
        """The body once for each entry."""
        after = self.builder.append_basic_block("after")
        for entry in entries:
            self.assign(node.target, self.value(entry))
            following = self.builder.append_basic_block("following")
            self.inside(self.builder.block, node.body, following, after)
            self.go(following)
            self.builder.position_at_end(following)
        self.go(after)
        self.builder.position_at_end(after)

    def called(self, function: FunctionType, values: tuple[Any, ...]) -> Any:
        definition = definition_of(function)
        if any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(definition)):
            return Frame(self.body, function, values).run()
        self.builder.call(self.body.module.function(function, values), parts(values))
        return None
