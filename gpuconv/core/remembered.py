"""What is kept from one call for the next. It follows from its key alone, and all of it is forgotten together.

Plans, rows and calls are made from each other: whatever may change one of them besides its key (a memory limit, another
table of backends, other constants of the planner) changes those made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])
_forgetting: list[Callable[[], None]] = []


def remembered(entries: int) -> Callable[[_Function], _Function]:
    """An `lru_cache` of so many entries whose ``cache_clear`` is `forget`.

    Keys are compared by value: arguments must be none that is equal to another one of other meaning, as True and 1 are
    (`core.arguments.are_plain`), and hold no array of the caller's.
    """

    def decorate(function: _Function) -> _Function:
        kept: Any = lru_cache(maxsize=entries)(function)
        _forgetting.append(kept.cache_clear)
        kept.cache_clear = forget
        return kept

    return decorate


def forget() -> None:
    """Forget all that is remembered: the next call of anything is a first one."""
    for clear in _forgetting:
        clear()
