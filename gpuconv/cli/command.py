"""What a command of the command line is, and the one-line error that ends it."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from gpuconv.core.arguments import refusal
from gpuconv.errors import MissingLibraryError


@dataclass(frozen=True)
class Command:
    """One row of the table of commands: its name, what it does, its arguments, and the function that runs it.

    `check_name` raises a `CommandError` for a wrong word after the command, where that is the name of something.
    """

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]
    check_name: Callable[[str], None] | None = None


class CommandError(Exception):
    """What the person at the keyboard has to change; printed as one line, exit code 2."""


def mistake(rule: str, given: str, remedy: str) -> CommandError:
    """The error to raise, in the words of the house: ``rule: given. remedy.``"""
    return CommandError(refusal(rule, given, remedy).replace("?.", "?"))


def optional_library(name: str, purpose: str, extra: str = "images") -> Any:
    """Import a library of an extra of the package, or say in one line how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as failure:
        raise MissingLibraryError(
            refusal(
                f"{purpose} needs {name.partition('.')[0]}",
                f"it cannot be imported ({one_line(failure)})",
                f'Install it with: pip install "gpuconv[{extra}]"',
            )
        ) from None


def did_you_mean(name: str, known: list[str]) -> str:
    """The remedy for a misspelt name: the nearest known one first, or the whole list when nothing is near."""
    near = get_close_matches(name.lower(), known, n=1)
    return f"Did you mean {near[0]!r}?" if near else "Choose one of " + ", ".join(known)


def one_line(failure: BaseException) -> str:
    """The text of an exception on one line, without number and closing full stop; its type when it has no text."""
    text = failure.strerror if isinstance(failure, OSError) and failure.strerror else str(failure)
    return " ".join(text.split()).rstrip(".") or type(failure).__name__
