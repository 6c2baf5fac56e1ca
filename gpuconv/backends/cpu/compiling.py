"""How functions are compiled with numba, and kept on disk between processes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba import types
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc


class Loop:
    """A loop over bands, compiled when it is first launched."""

    def __init__(self, function: Callable[[int, int, int], None]) -> None:
        self.function = function

    @functools.cached_property
    def address(self) -> int:
        return compiled_address(self.function, 3)


def inner(function: Callable[..., Any]) -> Any:
    """Compile a function that other loops call, and nobody else: wrappers for Python and C would take a fifth more."""
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(nogil=True, error_model="numpy", **options)(function)


def entry(parallel: bool) -> Callable[[Callable[..., None]], Any]:
    """Compile a function that Python calls with int64 numbers, without holding Python's lock."""

    def compile_(function: Callable[..., None]) -> Any:
        dispatcher = numba.njit(nogil=True, parallel=parallel, error_model="numpy")(function)
        _keep(dispatcher, function)
        return dispatcher

    return compile_


def compiled_address(function: Callable[..., None], arguments: int) -> int:
    """Compile a function of so many int64 numbers for other compiled ones to call; where it begins."""
    signature = ((types.int64,) * arguments, types.void)
    compiled: Any = CFunc(function, signature, {}, {"nopython": True, "error_model": "numpy"})
    _keep(compiled, function)
    compiled.compile()
    _kept_alive.append(compiled)
    return int(compiled.address)


_kept_alive: list[Any] = []


class _FolderCache(FunctionCache):
    """numba's cache with all sources of this folder in the key, not only the file of the function."""

    def _index_key(self, *arguments: Any) -> Any:
        return (*super()._index_key(*arguments), sources_digest())


def _keep(compiled: Any, function: Callable[..., None]) -> None:
    """Have numba keep what it compiles on disk, if there is a place to write to."""
    with suppress(RuntimeError):  # neither the package's folder nor the user's can be written to
        compiled._cache = _FolderCache(function)


@functools.cache
def sources_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
