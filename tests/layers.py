"""Reads the imports of a package and names each line that breaks the order of its layers.

The order is that of ``docs/design.md``: a module imports from layers below its own, never from its own or above.
The files of a package may import each other, as long as there is no circle.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

# Lowest first; "" is the package itself, whose __init__ only collects names.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors"}),
    frozenset({"core"}),
    frozenset({"backends"}),
    frozenset({"methods"}),
    frozenset({"kernels", "convolution"}),
    frozenset({"filters"}),
    frozenset({"spectral"}),
    frozenset({"diffusion", "neural", "deconvolution", "matching", "timeseries"}),
    frozenset({"streaming", "tiled"}),
    frozenset({"_scipy_arguments"}),  # what the adapters below share
    frozenset({"ndimage", "signal", "fft_backend", "settings"}),
    frozenset({"_patching"}),  # puts these into other people's programs
    frozenset({""}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)

ARRAY_LIBRARIES = frozenset(
    {"array_api_compat", "array_api_strict", "cupy", "cupyx", "dask", "jax", "numba", "torch", "zarr"}
)
ORIGINALS = frozenset({"scipy.ndimage", "scipy.signal"})


@dataclass(frozen=True)
class Import:
    """One module name imported by one line of one file; `importer` and `target` are dotted, without the package."""

    path: Path
    line: int
    importer: str
    target: str
    inside: bool

    @property
    def layer(self) -> str:
        return self.importer.partition(".")[0]


def violations(package: Path) -> list[str]:
    """One sentence for each import below `package` that the order of layers forbids."""
    modules = {_dotted(path, package): path for path in sorted(package.rglob("*.py"))}
    imports = [found for name, path in modules.items() for found in _imports(package, name, path, modules)]
    sentences = [
        f"{found.path.relative_to(package.parent)}:{found.line}: {sentence}"
        for found in imports
        if (sentence := _broken_rule(found)) is not None
    ]
    return sentences + _circles(imports)


def _broken_rule(found: Import) -> str | None:
    own = _level(found.layer)
    if own is None:
        return f"{found.layer!r} has no place in the order of layers: give it one in tests/layers.py"
    if not found.inside:
        return _foreign_rule(found)
    target = found.target.partition(".")[0]
    level = _level(target)
    if level is None or (target == found.layer and target != ""):
        return None
    if level == own:
        return f"{found.importer} imports {found.target} of its own layer"
    if level > own:
        return f"{found.importer} imports {found.target or 'the package itself'} of a layer above its own"
    return None


def _foreign_rule(found: Import) -> str | None:
    free = found.importer == "core.namespace" or found.layer == "backends"
    root = found.target.partition(".")[0]
    if root in ARRAY_LIBRARIES and not free and not (root == "zarr" and found.importer == "tiled"):
        return f"{found.importer} imports {root}: only core/namespace.py and backends/ may name an array library"
    if found.target in ORIGINALS and found.layer != "backends":
        return f"{found.importer} imports {found.target}: SciPy's originals are bound in backends/ alone"
    return None


def _level(layer: str) -> int | None:
    return next((level for level, names in enumerate(LAYERS) if layer in names), None)


def _circles(imports: list[Import]) -> list[str]:
    """The first circle among the modules, if there is one; the package's own __init__ stands aside."""
    graph: dict[str, set[str]] = {}
    for found in imports:
        if found.inside and found.importer and found.target not in ("", found.importer):
            graph.setdefault(found.importer, set()).add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        return ["circle of imports: " + " -> ".join(reversed(circle.args[1]))]
    return []


def _dotted(path: Path, package: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(package: Path, importer: str, path: Path, modules: dict[str, Path]) -> Iterator[Import]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        for name in _named_by(node, package.name, importer, path):
            inside = name == package.name or name.startswith(package.name + ".")
            target = name[len(package.name) + 1 :] if inside else name
            if inside:
                # `from gpuconv.core import shapes` names a module, `from gpuconv.core.shapes import full` its content.
                while target and target not in modules:
                    target = target.rpartition(".")[0]
            else:
                target = ".".join(target.split(".")[:2])
            yield Import(path, node.lineno, importer, target, inside)


def _named_by(node: ast.AST, package: str, importer: str, path: Path) -> list[str]:
    """Dotted names that a statement imports, also through ``import_module("name")``."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            here = [package, *importer.split(".")] if importer else [package]
            up = node.level - (path.name == "__init__.py")
            base = ".".join([*here[: len(here) - up], *([node.module] if node.module else [])])
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []
