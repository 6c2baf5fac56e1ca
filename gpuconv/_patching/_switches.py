"""Functions that stand in the place of others and decide, call by call, which of the two is meant.

A `Switch` is put where SciPy's function was. It asks whether any live `Scope` reaches the place the call comes from:
the context (`with`), the thread (for good), or the process (`everywhere`). Nobody needs to know in which order scopes
end: a switch that no scope reaches is the original with a detour, also where somebody has kept it.
"""

from __future__ import annotations

import functools
import pkgutil
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Scope:
    """Where the functions of some libraries are ours, as long as the scope is among the live ones."""

    libraries: frozenset[str]
    everywhere: bool
    _threads: threading.local = field(default_factory=threading.local)

    def open_in_thread(self) -> None:
        """Reach all calls of this thread, and the contexts copied from here.

        The thread is there for notebooks, which run each cell in a context of its own.
        """
        self._threads.here = True
        _depths.set(_depths.get() | {self: 0})

    def enter_context(self) -> None:
        """Reach this context, and the tasks and contexts copied from it, instead of the thread."""
        self._threads = threading.local()
        _depths.set(_depths.get() | {self: _depths.get().get(self, 0) + 1})

    def leave_context(self) -> None:
        depths = dict(_depths.get())
        depth = depths.pop(self, 0) - 1
        _depths.set(depths | ({self: depth} if depth > 0 else {}))

    def reaches_here(self) -> bool:
        return self.everywhere or getattr(self._threads, "here", False) or self in _depths.get()


# How many blocks of each scope are open in this context. The dictionary is never changed, only replaced.
_depths: ContextVar[dict[Scope, int]] = ContextVar("gpuconv_patch", default={})  # noqa: B039
# Replaced as a whole, so that calls read it without a lock.
_live: tuple[Scope, ...] = ()
_changing = threading.Lock()


def begin(scope: Scope) -> None:
    global _live
    with _changing:
        _live = (*_live, scope)


def end(scope: Scope) -> None:
    global _live
    with _changing:
        _live = tuple(other for other in _live if other is not scope)
    _depths.set({other: depth for other, depth in _depths.get().items() if other is not scope})


class Switch:
    """Calls `ours` where a live scope reaches the call, else the original; looks like the original to `inspect`."""

    __wrapped__: Callable[..., Any]
    __name__: str

    def __init__(
        self, original: Callable[..., Any], ours: Callable[..., Any], library: str, place: tuple[str, str]
    ) -> None:
        functools.update_wrapper(self, original)
        self._ours = ours
        self._library = library
        self._place = place

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for scope in _live:
            if self._library in scope.libraries and scope.reaches_here():
                return self._ours(*args, **kwargs)
        return self.__wrapped__(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """By name: who unpickles it gets what stands there in his process, where no scope of ours is live."""
        return pkgutil.resolve_name, (":".join(self._place),)

    def __dask_tokenize__(self) -> tuple[str, ...]:
        return ("gpuconv.patch", *self._place)

    def __repr__(self) -> str:
        return f"<{'.'.join(self._place)}, or gpuconv's function where gpuconv.patch is active>"
