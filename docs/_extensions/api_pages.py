"""Pages of the API reference: one per public module and one per name of its ``__all__``, made of their docstrings.

Which modules are public is asked of `tests.surface`, so that the reference holds what the suite holds to be public.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "api"
STAR = re.compile(r"(``.*?``)|(?<!\\)\*", re.DOTALL)


def documented() -> Iterator[tuple[str, ModuleType, list[str]]]:
    """Public modules with their public names, each where users find it first: in the package before its modules."""
    sys.path.insert(0, str(ROOT))
    from tests.surface import public_modules

    shown: list[Any] = []
    for dotted in public_modules(ROOT / "gpuconv"):
        module = importlib.import_module(dotted)
        values = {name: getattr(module, name) for name in module.__all__}
        names = [name for name, value in values.items() if callable(value) and not any(value is old for old in shown)]
        shown += [values[name] for name in names]
        if names:
            yield dotted, module, names


def summary(value: Any) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(value) or "").partition("\n\n")[0].split())


def module_page(dotted: str, module: ModuleType, names: list[str]) -> str:
    """The docstring of a module, and a table of its names with what each does."""
    lines = [*_title(dotted), f".. module:: {dotted}", "", inspect.getdoc(module) or "", "", ".. list-table::", ""]
    for name in names:
        lines += [f"   * - `{name}`", f"     - {plain_stars(summary(getattr(module, name)))}"]
    entries = [f"   {name} <{dotted}.{name}>" for name in names]
    return "\n".join([*lines, "", ".. toctree::", "   :hidden:", "", *entries, ""])


def name_page(dotted: str, name: str, value: Any) -> str:
    """The docstring of a function or a class."""
    directive = [f".. autoclass:: {name}", "   :members:"] if inspect.isclass(value) else [f".. autofunction:: {name}"]
    return "\n".join([*_title(name), f".. currentmodule:: {dotted}", "", *directive, ""])


def _title(words: str) -> list[str]:
    return [words, "=" * len(words), ""]


def write_pages(app: Sphinx, config: Config) -> None:
    pages = {}
    for dotted, module, names in documented():
        pages[f"{dotted}.rst"] = module_page(dotted, module, names)
        pages |= {f"{dotted}.{name}.rst": name_page(dotted, name, getattr(module, name)) for name in names}
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        _write(folder / name, text)


def _write(path: Path, text: str) -> None:
    """Only what is new is written, so that Sphinx reads only what has changed."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def plain_stars(text: str) -> str:
    """A star in a docstring is a star, as in ``shape (2, *S)``, and never the start of emphasis."""
    return STAR.sub(lambda match: match[1] or r"\*", text)


def with_plain_stars(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    head, examples, rest = "\n".join(lines).partition("\nExamples\n--------\n")
    lines[:] = (plain_stars(head) + examples + rest).split("\n")


def setup(app: Sphinx) -> dict[str, Any]:
    # Before Sphinx looks which pages there are.
    app.connect("config-inited", write_pages)
    # Before numpydoc, which has 500.
    app.connect("autodoc-process-docstring", with_plain_stars, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
