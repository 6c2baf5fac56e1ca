"""`gpuconv info`: what runs on this computer, and why the rest does not, in sentences."""

from __future__ import annotations

import argparse
import platform
import textwrap
from importlib.metadata import version
from importlib.util import find_spec

from gpuconv.backends import devices, registry
from gpuconv.cli.filtering import library_refusals

# Module, distribution, what it is good for, and the extra that it comes with.
_FILE_LIBRARIES = (
    ("imageio", "imageio", "Reads and writes PNG, JPEG and BMP", "images"),
    ("tifffile", "tifffile", "Reads and writes TIFF", "images"),
    ("matplotlib", "matplotlib", "Draws the sheets of gpuconv demo, and what --plot shows", "images"),
    ("skimage", "scikit-image", "Brings the sample photos of gpuconv demo", "images"),
    ("tqdm", "tqdm", "Shows progress on volumes", "images"),
    ("soundfile", "soundfile", "Reads sounds for gpuconv bars", "sound"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(arguments: argparse.Namespace) -> None:
    libraries = devices.array_libraries()
    works, sentence = devices.cuda_state()
    _print_rows("Versions", [(name, found) for name, found in _versions()])
    _print_rows("Array libraries", [_row(library) for library in libraries])
    _print_rows("Compilers", [_row(library) for library in devices.compilers()])
    _print_rows("Devices", [("cpu", devices.cpu_state()), ("cuda", ("" if works else "Not used. ") + sentence)])
    _print_rows("Backends", backend_rows(libraries))
    _print_rows("Files and pictures", _file_rows())


def backend_rows(libraries: list[devices.Library]) -> list[tuple[str, str]]:
    """For every backend, whether it runs here; if not, why."""
    state = {library.name: library for library in libraries}
    rows = []
    for backend in registry.BACKENDS:
        library = state.get(backend.library)
        if library is not None and library.version is None:
            rows.append((backend.name, f"Does not run: it takes {library.name} arrays. {library.state}"))
        else:
            rows.append((backend.name, f"Runs: {backend.summary}."))
    with library_refusals():
        forced = registry.forced_backend()
    if forced is not None:
        rows.append(("", f"GPUCONV_BACKEND={forced} keeps the others out where {forced} can do the work."))
    return rows


def _versions() -> list[tuple[str, str]]:
    import numpy
    import scipy

    import gpuconv

    return [
        ("gpuconv", gpuconv.__version__),
        ("Python", platform.python_version()),
        ("numpy", numpy.__version__),
        ("scipy", scipy.__version__),
        ("array-api-compat", version("array-api-compat")),
    ]


def _file_rows() -> list[tuple[str, str]]:
    rows = []
    for module, distribution, purpose, extra in _FILE_LIBRARIES:
        if _is_installed(module):
            rows.append((distribution, f"{version(distribution)}. {purpose}."))
        else:
            rows.append((distribution, f'Not installed. {purpose}. To have it: pip install "gpuconv[{extra}]".'))
    return rows


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        # ValueError: the entry in sys.modules is None, which is how Python marks a module as not to be imported.
        return False


def _row(library: devices.Library) -> tuple[str, str]:
    return library.name, library.state if library.version is None else f"{library.version}. {library.state}"


def _print_rows(title: str, rows: list[tuple[str, str]]) -> None:
    print(title)
    for name, sentence in rows:
        print(textwrap.fill(f"  {name:<18}{sentence}", 100, subsequent_indent=" " * 20, break_on_hyphens=False))
    print()
