"""What gpuconv shows the world: its public modules, their names, and what each name lacks."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

# Parts a user never imports from; every other module is public.
INTERNAL = frozenset({"core", "backends", "methods", "cli", "__main__"})


def public_modules(package: Path) -> list[str]:
    """Dotted names of the public modules below the folder of a package, the package itself first."""
    names = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not (parts and parts[0] in INTERNAL) and not any(part.startswith("_") for part in parts):
            names.append(".".join((package.name, *parts)))
    return sorted(names, key=lambda name: (name.count("."), name))


def missing_names(module: ModuleType) -> list[str]:
    """What is wrong with ``__all__``: not there, naming what does not exist, or leaving out what is defined."""
    if not hasattr(module, "__all__"):
        return [f"{module.__name__} has no __all__"]
    sentences = [
        f"{module.__name__}.__all__ names {name}, which does not exist"
        for name in module.__all__
        if not hasattr(module, name)
    ]
    return sentences + [
        f"{module.__name__} defines {name}, which is neither in __all__ nor private"
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
        and name not in module.__all__
    ]


def public_objects(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The functions and classes that ``__all__`` names, whichever module they were written in."""
    for name in module.__all__:
        value = getattr(module, name, None)
        if inspect.isclass(value) or callable(value):
            yield name, value


def docstring_faults(name: str, value: Any) -> list[str]:
    """What a numpydoc docstring lacks: a summary, a parameter, what is returned, an example that runs."""
    text = inspect.getdoc(value) or ""
    if not text.strip():
        return [f"{name} has no docstring"]
    if inspect.isclass(value) and issubclass(value, BaseException):
        return []
    sections = _sections(text)
    faults = [] if ">>> " in sections.get("Examples", "") else [f"{name} has no Examples section with >>>"]
    if inspect.isclass(value):
        return faults
    # numpydoc lets one line name several parameters: "mode, boundary : str".
    heads = re.findall(r"^(\S[^:\n]*?)(?:\s*:|$)", sections.get("Parameters", ""), flags=re.MULTILINE)
    described = {part.strip().lstrip("*\\") for head in heads for part in head.split(",")}
    faults += [
        f"{name} does not describe its parameter {parameter}"
        for parameter in inspect.signature(value).parameters
        if parameter not in described
    ]
    returned = str(inspect.signature(value).return_annotation)
    if returned not in ("None", "Iterator[None]") and not {"Returns", "Yields"} & set(sections):
        faults.append(f"{name} does not say what it returns")
    return faults


def _sections(text: str) -> dict[str, str]:
    """The underlined sections of a numpydoc docstring."""
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def undocumented(module: str, names: list[str], pages: dict[str, str]) -> list[str]:
    """Names that no page gives in full (``gpuconv.kernels.sobel``) or in the section headed by their module."""
    known = set()
    for text in pages.values():
        known |= set(re.findall(rf"\b{re.escape(module)}\.(\w+)", text))
        for heading, body in _headed(text):
            if re.search(rf"(?<![\w.]){re.escape(module)}(?![\w.])", heading):
                known |= set(re.findall(r"`(\w+)(?:\([^`]*)?`", body))
    return [f"{module}.{name} stands on no page of the documentation" for name in names if name not in known]


def _headed(text: str) -> Iterator[tuple[str, str]]:
    """Headings of a Markdown page with what follows each, up to the next."""
    parts = re.split(r"^#+ +(.+)$", text, flags=re.MULTILINE)
    yield from zip(parts[1::2], parts[2::2], strict=True)


def stale_names(pages: dict[str, str], package: str) -> list[str]:
    """Dotted names of the package in the code spans and blocks of the pages that cannot be found in it."""
    stale = []
    for page, text in pages.items():
        code = " ".join(re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.DOTALL))
        for name in sorted(set(re.findall(rf"(?<![\w./-])({package}(?:\.[A-Za-z_]\w*)+)(?![\w/])", code))):
            if not _exists(name):
                stale.append(f"{page} names {name}, which does not exist")
    return stale


def _exists(dotted: str) -> bool:
    """Whether the name can be reached: modules are imported as far as they go, the rest are attributes."""
    parts = dotted.split(".")
    value: Any = importlib.import_module(parts[0])
    for depth, part in enumerate(parts[1:], start=2):
        if not hasattr(value, part):
            try:
                importlib.import_module(".".join(parts[:depth]))
            except ImportError:
                return False
        value = getattr(value, part)
    return True


def untested(module: str, names: list[str], tests: list[Path]) -> list[str]:
    """Names that no test file uses: as an identifier, an attribute, an import, or a whole word of a string."""
    used: set[str] = set()
    for path in tests:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
            if isinstance(node, ast.Name):
                used.add(node.id)
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.alias):
                used.add(node.name.rpartition(".")[2])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                used |= set(re.findall(r"\w+", node.value))
    return [f"{module}.{name} is named in no test" for name in names if name not in used]
