"""Who runs a primitive: reads each backend's TABLE and picks the first row that can.

A backend is a module with a ``TABLE`` from the name of a primitive to an `Implementation`. Backends are loaded by
name on first use, so that a missing library is a sentence and not an ImportError.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from gpuconv.core.arguments import read_choice
from gpuconv.core.problem import Posed
from gpuconv.core.remembered import remembered


@dataclass(frozen=True)
class Implementation:
    """A row of a backend's table: the function, and why it cannot run a problem (None if it can).

    native: the function takes the image in its stored dtype, and the keyword `result`; see `gpuconv.backends.generic`.

    prepare: for what is called again and again. ``prepare(shape, dtype, weights, spans, result)`` does once what does
    not depend on the samples, and returns a function ``(x, cval)`` for images of that shape and of the dtype of that
    name, as they are stored and whatever their strides. It gives what the row itself would, no warnings, and may run in
    several threads at once. A row that is not native may ignore `result`.
    """

    function: Callable[..., Any]
    why_not: Callable[[Any], str | None]
    native: bool = False
    prepare: Callable[..., Callable[[Any, Any], Any]] | None = None


@dataclass(frozen=True)
class Backend:
    """A backend before it is loaded: its name, the library whose arrays it takes ("any" for all), what it is."""

    name: str
    library: str
    summary: str

    def table(self) -> dict[str, Implementation]:
        return importlib.import_module(f"gpuconv.backends.{self.name}").TABLE


BACKENDS = (
    Backend("cpu", "numpy", "NumPy arrays through SciPy's compiled loops, scipy.fft and cache-sized NumPy slices"),
    Backend("cuda", "cupy", "CuPy arrays through CUDA kernels of our own, compiled at first use"),
    Backend("torch", "torch", "torch tensors on the engine for NumPy or CuPy arrays that sees their memory"),
    Backend("jax", "jax", "JAX arrays outside jit, grad and vmap on the engine that sees their memory"),
    Backend("dask", "dask", "dask arrays block by block, each block on the backend of its own library"),
    Backend(
        "generic", "any", "array-API calls for every library: differentiable and traceable, the judge of the others"
    ),
)

_forced: ContextVar[str | None] = ContextVar("gpuconv_backend", default=None)


@contextmanager
def use_backend(name: str | None) -> Iterator[None]:
    """Run primitives on one backend only; problems it cannot run still go to the generic one.

    The environment variable ``GPUCONV_BACKEND`` does the same for a whole process. Meant for debugging and for
    comparing backends.

    Parameters
    ----------
    name : str or None
        "cpu", "cuda", "torch", "jax", "dask", "generic", or None for the usual choice.

    Raises
    ------
    ValueError
        If no backend has that name.

    Examples
    --------
    >>> import gpuconv
    >>> with gpuconv.use_backend("generic"):
    ...     print(gpuconv.convolve([1.0, 2.0, 3.0], [1.0, 1.0]).tolist())
    [1.0, 3.0, 5.0]
    """
    if name is not None:
        read_choice("backend", name, [backend.name for backend in BACKENDS])
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def forced_backend() -> str | None:
    """The backend asked for by `use_backend` or ``GPUCONV_BACKEND``, if any."""
    forced = _forced.get()
    if forced is None:
        forced = os.environ.get("GPUCONV_BACKEND") or None
        if forced is not None:
            read_choice("GPUCONV_BACKEND", forced, [backend.name for backend in BACKENDS])
    return forced


def select(primitive: str, problem: Posed) -> Callable[..., Any]:
    """The function that runs `primitive` on `problem`."""
    return selected_row(primitive, problem).function


def selected_row(primitive: str, problem: Posed) -> Implementation:
    """The row that runs `primitive` on `problem`."""
    return _select(primitive, problem, forced_backend())[1]


def selected_backend(primitive: str, problem: Posed) -> str:
    """Name of the backend that `select` picks."""
    return _select(primitive, problem, forced_backend())[0]


@remembered(4096)
def _select(primitive: str, problem: Posed, forced: str | None) -> tuple[str, Implementation]:
    for backend in BACKENDS:
        if reason_against(backend, primitive, problem, forced) is None:
            return backend.name, backend.table()[primitive]
    raise LookupError(f"no backend has a row for {primitive!r}")


def reason_against(backend: Backend, primitive: str, problem: Posed, forced: str | None = None) -> str | None:
    """Why `backend` does not run `primitive` on `problem`; None if it can."""
    if backend.library not in ("any", problem.library):
        return f"{backend.name} takes {backend.library} arrays, these are {problem.library}"
    # dask arrays have no other row: cutting them into blocks is not an engine one could do without.
    if forced is not None and backend.name not in (forced, "generic", "dask"):
        return f"the {forced} backend is asked for"
    row = backend.table().get(primitive)
    if row is None:
        return f"{backend.name} has no {primitive} of its own"
    return row.why_not(problem)


def explain(primitive: str, problem: Posed) -> list[tuple[str, str]]:
    """For every backend: would it run `primitive` on `problem`, and if not, why."""
    chosen = selected_backend(primitive, problem)
    sentences = []
    for backend in BACKENDS:
        reason = reason_against(backend, primitive, problem, forced_backend())
        could = "runs this" if backend.name == chosen else f"could run this, but {chosen} comes first"
        sentences.append((backend.name, reason or could))
    return sentences
