"""Finds the examples of docstrings and Markdown pages and runs them as doctests.

An example brings its own imports: it starts from an empty namespace, as a reader who pastes it does. The blocks of
one page share theirs, top to bottom.
"""

from __future__ import annotations

import ast
import doctest
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`\n]*)\n(?P<body>.*?)^ *(?P=ticks) *$", re.M | re.S)


def docstring_examples(path: Path) -> Iterator[doctest.DocTest]:
    """One test for each docstring of a source file that has ``>>>``; the file is read, not imported."""
    for name, node in _documented(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        text = ast.get_docstring(node, clean=False)
        if text and ">>> " in text:
            literal = node.body[0]
            yield doctest.DocTestParser().get_doctest(text, {}, name, str(path), literal.lineno - 1)


def _documented(tree: ast.Module) -> Iterator[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef]]:
    """The module, its classes and functions, and the methods of the classes, with dotted names."""
    yield "the module", tree
    open_nodes: list[tuple[str, ast.AST]] = [("", tree)]
    for prefix, parent in open_nodes:
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                yield prefix + node.name, node
                open_nodes.append((f"{prefix}{node.name}.", node))


def page_blocks(path: Path) -> list[tuple[int, str]]:
    """The fenced Python blocks of a Markdown page: the line each starts at, counted from 0, and its text."""
    text = path.read_text(encoding="utf-8")
    return [
        (text[: match.start("body")].count("\n"), textwrap.dedent(match["body"]))
        for match in FENCE.finditer(text)
        if match["info"].split()[:1] in (["python"], ["pycon"])
    ]


def page_example(path: Path) -> doctest.DocTest:
    """All ``>>>`` of a page as one test, at the lines where they stand."""
    examples = []
    for line, body in page_blocks(path):
        for example in doctest.DocTestParser().get_examples(body, str(path)):
            example.lineno += line
            examples.append(example)
    return doctest.DocTest(examples, {}, path.name, str(path), 0, None)


def check_plain_blocks(path: Path) -> None:
    """Python blocks without ``>>>`` cannot be run, having no data; they must at least be Python."""
    for line, body in page_blocks(path):
        if ">>> " not in body:
            # The empty lines make a SyntaxError name the line of the page.
            compile("\n" * line + body, str(path), "exec")


def run(test: doctest.DocTest) -> None:
    """Run a test in a namespace of its own; an assertion carries doctest's report of each wrong line."""
    report: list[str] = []
    test.globs = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
    results = runner.run(test, out=report.append)
    assert results.failed == 0, "".join(report)


def imported_by(test: doctest.DocTest) -> set[str]:
    """The top-level names of the modules that an example imports."""
    source = "".join(example.source for example in test.examples)
    return set(re.findall(r"^\s*(?:import|from) +(\w+)", source, flags=re.MULTILINE))
