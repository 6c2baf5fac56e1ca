"""Which kernel is meant: a name of the zoo with its parameters, rows of numbers, or a file."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.cli.command import did_you_mean, mistake, one_line
from gpuconv.cli.filtering import library_refusals
from gpuconv.cli.literals import kernel_from_text, looks_like_literal
from gpuconv.cli.pictures import Picture


def read_kernels(arguments: argparse.Namespace) -> tuple[np.ndarray, ...]:
    """The kernel asked for by name, literal or file; one per axis for --magnitude."""
    text: str = arguments.kernel
    kernels: tuple[np.ndarray, ...]
    if text.endswith(".npy") or looks_like_literal(text):
        kernels = (_unnamed_kernel(text, arguments),)
    else:
        parameters = dict(read_parameter(pair) for pair in arguments.param)
        if arguments.magnitude:
            kernels = _along_every_axis(text, parameters, arguments.axis)
        else:
            kernels = (zoo_kernel(text, parameters | ({} if arguments.axis is None else {"axis": arguments.axis})),)
    if arguments.normalize:
        from gpuconv.kernels import normalize

        with library_refusals():
            kernels = tuple(normalize(kernel, arguments.normalize) for kernel in kernels)
    return kernels


def zoo_kernel(name: str, parameters: dict[str, Any]) -> np.ndarray:
    """A kernel of the zoo as a NumPy array; a wrong name or parameter is a `CommandError`."""
    from gpuconv import kernels

    known = list(kernels.names())
    if name not in known:
        raise mistake("a kernel is a name, rows of numbers, or a .npy file", f"got {name!r}", did_you_mean(name, known))
    with library_refusals():
        return np.asarray(kernels.get(name, **parameters))


def read_parameter(pair: str) -> tuple[str, Any]:
    """``sigma=2`` as name and value; a value that is no Python literal is a word."""
    name, equals, value = pair.partition("=")
    if not equals or not name.isidentifier():
        raise mistake("--param takes NAME=VALUE", f"got {pair!r}", "Write for example --param sigma=2")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def shaped_for(kernel: np.ndarray, picture: Picture, axis: int | None) -> np.ndarray:
    """A kernel of one line as a row of a picture, a line along --axis, or the taps for a signal."""
    if picture.plane_ndim == 1 and kernel.size == max(kernel.shape):
        return kernel.reshape(-1)
    if picture.plane_ndim == 2 and kernel.ndim == 1:
        if axis not in (None, 0, 1, -1, -2):
            raise mistake(
                "a kernel of one line lies along --axis 0 or 1", f"got {axis}", "Give 0 for down, 1 for across"
            )
        return kernel.reshape(-1, 1) if axis in (0, -2) else kernel.reshape(1, -1)
    return kernel


def _unnamed_kernel(text: str, arguments: argparse.Namespace) -> np.ndarray:
    if arguments.param or arguments.magnitude:
        option = "--param" if arguments.param else "--magnitude"
        raise mistake(
            f"{option} goes with a kernel by name", f"got --kernel {text!r}", "'gpuconv kernels' lists the names"
        )
    kernel = _kernel_from_file(Path(text)) if text.endswith(".npy") else kernel_from_text(text)
    if arguments.axis is not None and kernel.ndim > 1:
        raise mistake(
            "--axis goes with a kernel by name, or with a file of one line",
            f"got --kernel {text!r}",
            "Leave out --axis, and write the numbers in the direction you mean: '1 0 -1' across, '1; 0; -1' down",
        )
    return kernel


def _along_every_axis(name: str, parameters: dict[str, Any], axis: int | None) -> tuple[np.ndarray, ...]:
    if axis is not None or "axis" in parameters:
        raise mistake("--magnitude takes every axis", "an axis was given", "Leave out either of them")
    first = zoo_kernel(name, parameters | {"axis": 0})
    return (first, *(zoo_kernel(name, parameters | {"axis": other}) for other in range(1, first.ndim)))


def _kernel_from_file(path: Path) -> np.ndarray:
    try:
        kernel = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as failure:
        raise mistake("a kernel file is a readable .npy", f"{path}: {one_line(failure)}", "Check the path") from None
    if kernel.dtype.kind not in "iufc" or kernel.ndim == 0 or kernel.size == 0:
        given = f"{path} holds {kernel.dtype} of shape {kernel.shape}"
        raise mistake("a kernel is made of numbers along at least one axis", given, "Save an array of numbers")
    return kernel
