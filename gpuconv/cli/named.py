"""`gpuconv filter NAME` and its short names: the filters of `gpuconv.filters` that make one image of one."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.backends.devices import choose_device, to_device, to_host
from gpuconv.cli.carrying import (
    add_across_pages,
    add_boundary,
    add_device,
    add_files,
    add_numbers,
    carry_out,
    known_device,
    read_input,
)
from gpuconv.cli.choosing import read_kernels, shaped_for
from gpuconv.cli.command import did_you_mean, mistake, one_line
from gpuconv.cli.filtering import chosen_axes, kernel_axes, library_refusals, on_device, size_in_words
from gpuconv.cli.parameters import add_parameters, given_parameters, in_words
from gpuconv.cli.pictures import Picture
from gpuconv.cli.reading import read_picture

# The filters that make several images of one, or take no image.
OTHERS = frozenset(
    {
        "bank",
        "gaussian_gradient",
        "hessian",
        "hessian_eigenvalues",
        "structure_tensor",
        "structure_tensor_eigenvalues",
        "symmetric_eigenvalues",
    }
)
# Real for complex images too.
_REAL = frozenset({"gradient_magnitude", "local_variance"})


@dataclass(frozen=True)
class Short:
    """A command of its own for one filter, with defaults where the filter has none.

    Attributes
    ----------
    filter : str
    defaults : dict
        Parameters unless they are given.
    unless : str
        A parameter that takes the place of all `defaults`.
    hidden : tuple of str
        Parameters that only `gpuconv filter` has.
    """

    filter: str
    defaults: dict[str, Any] = field(default_factory=dict)
    unless: str = ""
    hidden: tuple[str, ...] = ()


BLUR = Short("gaussian", {"sigma": 2.0}, hidden=("order",))
SHARPEN = Short("unsharp_mask", {"sigma": 2.0})
EDGES = Short("gradient_magnitude", {"operator": "sobel", "scale": "integer"}, unless="sigma")


@dataclass(frozen=True)
class NamedFilter:
    """One filter with its parameters; `kernel` and `weights` are arrays where it takes such."""

    name: str
    parameters: dict[str, Any]
    boundary: str
    cval: float
    device: str
    across_pages: bool = False
    kernel: np.ndarray | None = None
    weights: np.ndarray | None = None

    @property
    def mode(self) -> str:
        mode: str = self.parameters.get("mode", "same")
        return mode

    @property
    def lengths(self) -> tuple[int, ...]:
        return () if self.kernel is None else self.kernel.shape

    def axes(self, picture: Picture) -> tuple[int, ...]:
        if self.kernel is not None:
            return kernel_axes(picture, self.kernel)
        return chosen_axes(picture, self.across_pages)

    def is_complex(self, samples: np.ndarray) -> bool:
        kinds = {array.dtype.kind for array in (samples, self.kernel) if array is not None}
        return "c" in kinds and self.name not in _REAL

    def apply(self, samples: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        function = named_filter(self.name)
        own = inspect.signature(function).parameters
        options = dict(self.parameters) | {"axes": axes, "boundary": self.boundary}
        if "cval" in own:
            options["cval"] = self.cval
        if "axis" in own:
            options["axis"] = _counted(axes, options.get("axis", -1))
        if self.weights is not None:
            options["weights"] = to_device(_laid_on(self.weights, samples, axes), self.device)
        kernels = () if self.kernel is None else (self.kernel,)
        with library_refusals():
            result: Any = function(on_device(samples, self.device), *kernels, **options)
        return to_host(result)


def filter_names() -> list[str]:
    """Names of the filters that make one image of one."""
    from gpuconv import filters

    return [name for name in filters.__all__ if name not in OTHERS]


def check_name(name: str) -> None:
    """Refuse what is no such filter, and say what is near."""
    if name in OTHERS:
        remedy = f"From Python, call gpuconv.filters.{name}"
        raise mistake("a command writes one picture", f"{name} makes several, or takes none", remedy)
    if name not in filter_names():
        rule = "a filter has one of the names that 'gpuconv filter --help' lists"
        raise mistake(rule, f"got {name!r}", did_you_mean(name, filter_names()))


def named_filter(name: str) -> Callable[..., Any]:
    from gpuconv import filters

    function: Callable[..., Any] = getattr(filters, name)
    return function


def add_names(parser: argparse.ArgumentParser) -> None:
    """One row per filter, each with the options that this filter has."""
    names = parser.add_subparsers(title="filters", metavar="NAME", required=True)
    for name in filter_names():
        summary = _summary(name)
        row = names.add_parser(name, help=summary, description=f"{summary}.")
        _add_arguments(Short(name), row)
        row.set_defaults(short=Short(name))


def add_short(short: Short) -> Callable[[argparse.ArgumentParser], None]:
    """What adds the arguments of a command of its own."""

    def add(parser: argparse.ArgumentParser) -> None:
        _add_arguments(short, parser)
        parser.set_defaults(short=short)

    return add


def _add_arguments(short: Short, parser: argparse.ArgumentParser) -> None:
    function = named_filter(short.filter)
    add_files(parser)
    add_parameters(parser, function, short.defaults, short.hidden)
    edges = parser.add_argument_group("edges and device")
    own = inspect.signature(function).parameters
    add_boundary(edges, own["boundary"].default, fill="cval" in own)
    add_device(edges)
    add_numbers(parser)
    pages = parser.add_argument_group("pages")
    if "kernel" in own:
        pages.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="of a kernel by name")
        parser.set_defaults(magnitude=False, axis=None, normalize=None, across_pages=False)
    else:
        add_across_pages(pages)


def run(arguments: argparse.Namespace) -> None:
    short: Short = arguments.short
    function = named_filter(short.filter)
    device = choose_device(known_device(arguments.device))
    parameters = given_parameters(function, arguments)
    if short.unless not in parameters:
        parameters = short.defaults | parameters
    kernel = read_kernels(arguments)[0] if "kernel" in parameters else None
    picture = read_input(arguments)
    job = NamedFilter(
        short.filter,
        {name: value for name, value in parameters.items() if name not in ("kernel", "weights")},
        boundary=arguments.boundary,
        cval=getattr(arguments, "cval", 0.0),
        device=device,
        across_pages=arguments.across_pages,
        kernel=None if kernel is None else shaped_for(kernel, picture, None),
        weights=_read_weights(Path(parameters["weights"]), arguments) if "weights" in parameters else None,
    )
    described = f"{short.filter}: {in_words(parameters)}" if parameters else short.filter
    if job.kernel is not None:
        described += f", {size_in_words(job.kernel)}"
    carry_out(picture, job, arguments, f"{described}, boundary {job.boundary}, on {device}")


def _counted(axes: tuple[int, ...], axis: int) -> int:
    """The axis of the samples that is number `axis` of the filtered ones."""
    if not -len(axes) <= axis < len(axes):
        raise mistake(f"--axis counts {len(axes)} directions from 0", f"got {axis}", "Give 0 for down the rows")
    return axes[axis]


def _read_weights(path: Path, arguments: argparse.Namespace) -> np.ndarray:
    """Numbers of a .npy as they are; of a picture, white counts as 1."""
    if path.suffix.lower() == ".npy":
        try:
            weights: np.ndarray = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as failure:
            given = f"{path}: {one_line(failure)}"
            raise mistake("--weights is a readable picture or .npy", given, "Check the path") from None
        if weights.dtype.kind not in "biuf":
            given = f"{path} holds {weights.dtype}"
            raise mistake("weights are real numbers, or true and false", given, "Save such an array")
        return weights
    samples = read_picture(path, arguments.max_pixels).samples
    whole = samples.dtype.kind in "iu"
    return samples / np.float32(np.iinfo(samples.dtype).max) if whole else samples


def _laid_on(weights: np.ndarray, samples: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Weights with an axis of length 1 wherever they are the same, such as for the colours."""
    filtered = tuple(samples.shape[axis] for axis in axes)
    laid = weights
    if weights.ndim == len(axes):
        laid = np.expand_dims(weights, tuple(axis for axis in range(samples.ndim) if axis not in axes))
    if laid.ndim != samples.ndim or tuple(laid.shape[axis] for axis in axes) != filtered:
        size, own = (" x ".join(str(length) for length in shape) for shape in (filtered, weights.shape))
        raise mistake("--weights has the size of what is filtered", f"got {own} for {size}", "Crop or repeat it")
    return laid


def _summary(name: str) -> str:
    """The first line of a filter's documentation, without the formula and the full stop."""
    text = (inspect.getdoc(named_filter(name)) or "").splitlines()[0]
    return text.partition(": ``")[0].partition(", ``")[0].rstrip(".")
