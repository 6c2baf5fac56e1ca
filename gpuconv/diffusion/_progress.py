"""Telling how far a long computation is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gpuconv.core.arguments import refusal
from gpuconv.errors import MissingLibraryError


@contextmanager
def watching(progress: Any, total: int) -> Iterator[Callable[[int], None] | None]:
    """A function to be told how many steps were done, for ``progress(done, total)`` or a bar; None for None."""
    if progress is None or progress is False:
        yield None
    elif progress is True:
        with _bar(total) as bar:
            yield bar.update
    elif callable(progress):
        done = 0

        def watch(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        yield watch
    else:
        rule = "progress must be True, or callable as progress(done, total)"
        raise TypeError(refusal(rule, f"got {progress!r}", "Give None for silence"))


def _bar(total: int) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        rule, given = "a progress bar needs tqdm", "it is not installed"
        raise MissingLibraryError(
            refusal(rule, given, 'Run pip install "gpuconv[images]", or give a function of (done, total)')
        ) from None
    return tqdm(total=total, unit="step")
