"""What can be replaced: which modules of which library, by which functions of ours."""

from __future__ import annotations

import functools
import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from gpuconv.backends import cupyx

# Names of dask_image.ndfilters and what they are called in scipy.ndimage. Its order statistics and generic_filter are
# left to it, since gpuconv has none for dask arrays.
_OF_DASK_IMAGE = {
    name: name
    for name in (
        "convolve",
        "correlate",
        "gaussian_filter",
        "gaussian_gradient_magnitude",
        "gaussian_laplace",
        "laplace",
        "prewitt",
        "sobel",
        "uniform_filter",
    )
} | {"gaussian": "gaussian_filter"}


@dataclass(frozen=True)
class Part:
    """A module whose functions are replaced by those of a module of ours.

    `own` is the prefix of modules that hold the same functions and are the library's way of calling itself, if these
    are to be replaced as well.
    """

    module: str
    ours: str
    names: dict[str, str] | None = None
    own: str = ""


PARTS = {
    "scipy": (Part("scipy.ndimage", "gpuconv.ndimage"), Part("scipy.signal", "gpuconv.signal")),
    "cupyx": (Part("cupyx.scipy.ndimage", "gpuconv.ndimage"), Part("cupyx.scipy.signal", "gpuconv.signal")),
    "dask_image": (Part("dask_image.ndfilters", "gpuconv.ndimage", _OF_DASK_IMAGE, "dask_image"),),
}
_PIP = {"scipy": "scipy", "cupyx": '"gpuconv[cuda13]" (or "gpuconv[cuda12]")', "dask_image": "dask-image"}


@dataclass(frozen=True)
class Loaded:
    """A part with its module, or with the sentence that says why there is none."""

    library: str
    part: Part
    module: ModuleType | None
    reason: str = ""


def load(library: str, part: Part) -> Loaded:
    """Import what is to be replaced. Our adapters come first: they bind the originals that they hand over to."""
    importlib.import_module(part.ours)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CuPy warns at import about paths and drivers
            module = importlib.import_module(part.module)
        if library == "cupyx":
            cupyx.bind_originals(part.module)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in (library, "cupy"):
            raise
        return Loaded(library, part, None, f"{part.module} is not installed. To have it: pip install {_PIP[library]}.")
    except Exception as failure:  # CuPy without a driver, or without parts of CUDA, fails in many ways
        lines = [line.strip() for line in str(failure).splitlines()]
        said = next((line.rstrip(".") for line in lines if any(letter.isalpha() for letter in line)), "")
        return Loaded(library, part, None, f"{part.module} cannot be imported: {said or type(failure).__name__}.")
    return Loaded(library, part, module)


def replacements(loaded: Loaded) -> Iterator[tuple[str, Callable[..., Any] | None]]:
    """Each name, and what is to stand there; None where the module has no such function."""
    ours = importlib.import_module(loaded.part.ours)
    for name, our_name in (loaded.part.names or {name: name for name in ours.__all__}).items():
        original = getattr(loaded.module, name, None)
        if not callable(original):
            yield name, None
        elif loaded.library == "dask_image":
            yield name, _for_dask_image(original, ours, our_name)
        else:
            yield name, _in_their_order(original, ours, our_name)


def _in_their_order(original: Callable[..., Any], ours: ModuleType, name: str) -> Callable[..., Any]:
    """Our function, called as theirs: cupyx takes arguments by position that SciPy takes by keyword only."""
    theirs, known = _positional(original), _positional(getattr(ours, name))
    shared = next((index for index, (one, other) in enumerate(zip(theirs, known)) if one != other), len(known))

    @functools.wraps(original)
    def called(*args: Any, **kwargs: Any) -> Any:
        function = getattr(ours, name)
        if len(args) <= shared or not theirs:
            return function(*args, **kwargs)
        return function(*args[:shared], **dict(zip(theirs[shared:], args[shared:])), **kwargs)

    return called


def _for_dask_image(original: Callable[..., Any], ours: ModuleType, our_name: str) -> Callable[..., Any]:
    """Our function for dask arrays. dask-image has no `output`, so that its arguments stand at other places."""
    signature = inspect.signature(original)
    first = next(iter(signature.parameters))
    further = [name for name, parameter in signature.parameters.items() if parameter.kind is parameter.VAR_KEYWORD]

    @functools.wraps(original)
    def called(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        image = given.pop(first)
        if not hasattr(image, "map_overlap"):  # what dask-image asks of an image; it refuses the others itself
            return original(*args, **kwargs)
        for name in further:
            given |= given.pop(name, {})
        return getattr(ours, our_name)(image, **given)

    return called


def _positional(function: Callable[..., Any]) -> list[str]:
    """Names of the arguments that may go by position, as far as they are known: compiled functions may not say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return []
    return [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
