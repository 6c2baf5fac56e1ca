"""A cache that counts bytes: it keeps what was used last, as long as all of it stays within a limit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any


class ByteCache:
    """What was used last, as long as its sizes together stay within `limit` bytes. Safe for several threads."""

    _content = "entries"

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._changing = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], Any], size_of: Callable[[Any], int]) -> Any:
        """What is kept under that key, made if it is not there; what is larger than the limit is not kept."""
        with self._changing:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        # Outside the lock: making may take long, and may run out of memory and empty this cache.
        made = make()
        with self._changing:
            self._kept[key] = made, size_of(made)
            self._shrink()
        return made

    def clear(self) -> None:
        """Forget everything. The memory goes back to CuPy's pool."""
        with self._changing:
            self._kept.clear()

    @property
    def size(self) -> int:
        """Bytes that all entries take."""
        with self._changing:
            return sum(size for _, size in self._kept.values())

    @property
    def limit(self) -> int:
        """Bytes that entries may take together; what is beyond a new limit is forgotten at once."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        with self._changing:
            self._limit = limit
            self._shrink()

    def _shrink(self) -> None:
        while self._kept and self.size > self._limit:
            self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"<{len(self)} {self._content} of {self.size / 2**20:.1f} MiB, limit {self._limit / 2**20:.1f} MiB>"
