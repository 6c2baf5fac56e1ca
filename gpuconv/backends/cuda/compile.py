"""From a ``.cu`` file and its ``#define``s to a function: read once, compiled once per process, kept on disk by CuPy.

A source is a fixed file of this folder; its own headers are pasted in, since CuPy's cache on disk does not look at
files found by the compiler and would serve a stale binary. No header of CUDA or CuPy is read: that alone takes longer
than all the rest.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
OPTIONS = ("-std=c++17",)

_INCLUDE = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)
_functions: dict[tuple[str, str, tuple[tuple[str, str], ...]], Any] = {}


def function(source: str, kernel: str, defines: tuple[tuple[str, str], ...], together: tuple[str, ...] = ()) -> Any:
    """The compiled kernel: ``function((blocks,), (threads,), arguments, shared_mem=bytes)``.

    With it, in the same module, come the kernels that a call needs `together` with it.
    """
    key = (source, kernel, defines)
    found = _functions.get(key)
    if found is None:
        # Two threads may both come here: they build the same, and CuPy compiles it once.
        kernels = together or (kernel,)
        module = _module(source, (*only(kernels), *defines))
        for name in kernels:
            _functions.setdefault((source, name, defines), module.get_function(name))
        found = _functions[key]
    return found


def only(kernels: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """``#define``s that leave out the other kernels of a file."""
    return ("ONLY", "1"), *((f"ONLY_{kernel}", "1") for kernel in kernels)


def _module(source: str, defines: tuple[tuple[str, str], ...]) -> Any:
    import cupy

    return cupy.RawModule(code=source_text(source, defines), options=OPTIONS, backend="nvrtc")


def source_text(source: str, defines: tuple[tuple[str, str], ...]) -> str:
    """What is compiled: the ``#define``s, then the file with its headers in it. Lines keep their own numbers.

    A file of several kernels leaves out those that are not asked for, behind ``#if !defined(ONLY) ||
    defined(ONLY_name)``: that halves what a first call waits for.
    """
    head = "".join(f"#define {name} {value}\n" for name, value in defines)
    return f'{head}#line 1 "{source}"\n{_pasted(source)}'


@functools.cache
def _pasted(source: str) -> str:
    text = (FOLDER / source).read_text(encoding="utf-8")

    def paste(match: re.Match[str]) -> str:
        after = text.count("\n", 0, match.start()) + 2
        return f'#line 1 "{match[1]}"\n{_pasted(match[1])}#line {after} "{source}"'

    return _INCLUDE.sub(paste, text)
