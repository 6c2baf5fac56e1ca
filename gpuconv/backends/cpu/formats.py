"""Which dtypes one call goes through: as samples are stored, as they are summed, and as results are stored."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gpuconv.backends.cpu.compiled import real_dtype, working_dtype
from gpuconv.backends.cpu.conversions import is_loaded, is_stored, load_address, store_address


@dataclass(frozen=True)
class Formats:
    """Samples are brought from `stored` to `working` while they are loaded, sums to `result` while they are stored."""

    stored: np.dtype
    working: np.dtype
    result: np.dtype

    @property
    def loads(self) -> bool:
        return self.stored != self.working

    @property
    def stores(self) -> bool:
        return self.result != self.working

    @property
    def parts(self) -> int:
        """Real numbers in a sample."""
        return 2 if self.working.kind == "c" else 1

    @property
    def widths(self) -> tuple[int, int]:
        """Bytes of a real number of the source and of the result."""
        return real_dtype(self.stored).itemsize, real_dtype(self.result).itemsize

    def numbers(self) -> list[int]:
        """What loops need of it: the address of `load`, or 0, bytes of a stored number; the same of `store`."""
        load = load_address(self.stored, self.working) if self.loads else 0
        store = store_address(self.working, self.result) if self.stores else 0
        return [load, self.widths[0], store, self.widths[1]]

    def summed(self) -> Formats:
        """The same without rounding at the end."""
        return replace(self, result=self.working)


def read_formats(x: np.ndarray, weights: np.dtype, result: str | None) -> tuple[np.ndarray, Formats]:
    """The formats of a call, and `x` itself, or a copy where loops cannot load it as it is stored.

    The result has the dtype called `result` only where loops can round to it; else that of the sums.
    """
    working = working_dtype(x.dtype, weights)
    if not x.flags.aligned or not x.dtype.isnative or not (x.dtype == working or is_loaded(x.dtype, working)):
        x = x.astype(working, order="K")
    wanted = working if result is None else np.dtype(result)
    return x, Formats(x.dtype, working, wanted if is_stored(working, wanted) else working)
