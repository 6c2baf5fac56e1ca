"""Other libraries' ways to the same filters: one function where there is one, else what a user would write with it.

Layout and constant factors that differ are mended outside the clock, in what makes a NumPy array of the result.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

import gpuconv.ndimage
from benchmarks import opencv_filters
from benchmarks.apart import Elsewhere, Here, is_apart
from benchmarks.filter_cases import FilterData, FilterWork, make_data
from benchmarks.filter_definitions import RATIO, SMOOTHING, as_real
from benchmarks.harness import Contender
from benchmarks.libraries import AbsentError, ArrayLibrary, open_library

Call = Callable[[], Any]


@dataclass(frozen=True)
class Arrays:
    """The arrays of a piece of work where a peer wants them, and the library they belong to."""

    xp: Any
    x: Any
    mask: Any
    kernels: Any


@dataclass(frozen=True)
class FilterPeer:
    """One library.

    Attributes
    ----------
    name : str
        Its column.
    group : str
        What ``--peers`` selects.
    module : str
        To import.
    arrays : str
        The array library of the cases in which it takes part, and of its results.
    make : callable
        ``make(module, work, arrays)``: the call that does the work and the factor its result lacks; None if it has no
        such filter.
    """

    name: str
    group: str
    module: str
    arrays: str
    make: Callable[[Any, FilterWork, Arrays], tuple[Call, float] | None]


def contenders(work: FilterWork, data: FilterData, library: ArrayLibrary, groups: tuple[str, ...]) -> list[Contender]:
    """All peers of `groups` for arrays of `library`: to be timed, absent or left out."""
    return [
        _contender(peer, work, data, library)
        for peer in FILTER_PEERS
        if peer.group in groups and peer.arrays == library.name
    ]


def spelled(work: FilterWork, data: FilterData, library: ArrayLibrary) -> list[Contender]:
    """The same filter under SciPy's name, as gpuconv has it; none if the work is about that name anyway."""
    found = spelling(work, gpuconv.ndimage)
    if found is None or (found[0] == work.filter and work.filter not in ALSO_FILTERS):
        return []
    function, x = getattr(gpuconv.ndimage, found[0]), library.from_host(data.x)
    return [Contender("gpuconv.ndimage", lambda: function(x, **found[1]))]


def arrays_for(data: FilterData, library: ArrayLibrary) -> Arrays:
    """The arrays of a piece of work as those of `library`; masks and kernels in the dtype of the image."""
    dtype = data.x.dtype if data.x.dtype.kind == "f" else np.dtype(np.float32)
    own = (library.from_host(values) for values in (data.x, data.mask.astype(dtype), data.kernels.astype(dtype)))
    return Arrays(importlib.import_module(library.name if library.name == "cupy" else "numpy"), *own)


def _contender(peer: FilterPeer, work: FilterWork, data: FilterData, library: ArrayLibrary) -> Contender:
    try:
        made = _make(peer, work, data)
    except AbsentError as absent:
        return Contender(peer.name, status="absent", reason=str(absent))
    if made is None:
        return Contender(peer.name, status="left out", reason="it has no such filter")
    if is_apart(peer.group, library):
        return Contender(peer.name, elsewhere=Elsewhere(peer.group, partial(only, peer.name, work)))
    return Contender(peer.name, made.call, library=made.library)


def _make(peer: FilterPeer, work: FilterWork, data: FilterData) -> Here | None:
    library = open_library(peer.arrays)
    made = peer.make(load(peer.module), work, arrays_for(data, library))
    return None if made is None else Here(made[0], returning(library, made[1]))


def only(name: str, work: FilterWork) -> Here:
    """One peer with arrays made anew, for a process of its own."""
    made = _make(next(peer for peer in FILTER_PEERS if peer.name == name), work, make_data(work))
    assert made is not None
    return made


def returning(library: ArrayLibrary, factor: float = 1.0) -> ArrayLibrary:
    """The library, told how to bring a result into the layout and scale of the definition."""

    def to_host(result: Any) -> np.ndarray:
        listed = isinstance(result, (list, tuple))
        values = np.stack([library.to_host(part) for part in result]) if listed else library.to_host(result)
        return as_real(values if factor == 1 else values * factor)

    return replace(library, to_host=to_host)


def load(name: str) -> Any:
    root = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] != root:
            raise
        raise AbsentError(f"{root} is not installed") from missing


# --- scipy.ndimage, and the modules that spell their filters like it

# Filters that have the same name in `gpuconv.filters` and in `gpuconv.ndimage`.
ALSO_FILTERS = frozenset({"sobel", "prewitt", "laplace", "gaussian_laplace"})
# By another name there.
_NAMES = {"gaussian": "gaussian_filter", "uniform": "uniform_filter"}


def spelling(work: FilterWork, nd: Any, xp: Any = np) -> tuple[str, dict[str, Any]] | None:
    """Name and arguments of the function of `nd`, for arrays of `xp`, that does the work; None if it takes several."""
    options: dict[str, Any] = dict(work.parameters)
    name = _NAMES.get(work.filter, work.filter)
    if _is_length(work) and "sigma" in options:
        name = "gaussian_gradient_magnitude"
    elif work.filter == "generic_laplace":
        options["derivative2"] = lambda x, axis, output, mode, cval: nd.correlate1d(
            x, [1, -2, 1], axis, output, mode, cval
        )
    elif work.filter == "generic_gradient_magnitude":
        options["derivative"] = nd.sobel
    elif not hasattr(nd, name):
        return None
    if name.startswith("fourier"):
        return name, options
    if work.axes is not None:
        options["axes"] = work.axes
    if np.dtype(work.dtype).kind in "iu":
        options["output"] = np.int32 if work.filter in SMOOTHING else np.float32
    return name, options | {"mode": work.boundary}


def _is_length(work: FilterWork) -> bool:
    return work.filter == "gradient_magnitude"


def _second_difference(nd: Any, taps: Any, x: Any, axis: int, output: Any, mode: str, cval: float) -> Any:
    return nd.correlate1d(x, taps, axis, output, mode, cval)


def by_ndimage(nd: Any, work: FilterWork, arrays: Arrays) -> tuple[Call, float] | None:
    found = spelling(work, nd, arrays.xp)
    if found is not None:
        name, options = found
        function, x = getattr(nd, name), arrays.x
        return lambda: function(x, **options), 1.0
    compose = _COMPOSED.get(work.filter)
    if compose is None:
        return None
    return lambda: compose(nd, work, arrays), 1.0


def _smooth(nd: Any, work: FilterWork, x: Any, order: Any = 0, wider: float = 1) -> Any:
    return nd.gaussian_filter(x, wider * work.parameters["sigma"], order=order, mode=work.boundary)


def _orders(work: FilterWork, of: int) -> list[tuple[int, ...]]:
    """Orders of all derivatives of one total order, one entry per axis: of the gradient 1, of the Hessian 2."""
    pairs = combinations_with_replacement(work.filtered, of)
    return [tuple(pair.count(axis) for axis in work.filtered) for pair in pairs]


def _second_derivatives(nd: Any, work: FilterWork, arrays: Arrays) -> list[Any]:
    return [_smooth(nd, work, arrays.x, order) for order in _orders(work, 2)]


def _tensor(nd: Any, work: FilterWork, arrays: Arrays) -> list[Any]:
    slopes = [nd.sobel(arrays.x, axis=axis, mode=work.boundary) for axis in work.filtered]
    return [_smooth(nd, work, one * other) for one, other in combinations_with_replacement(slopes, 2)]


def eigenvalues(xp: Any, components: Sequence[Any]) -> Any:
    """Of symmetric matrices, largest first: by the formula for two rows, by LAPACK for three."""
    if len(components) == 3:
        a, b, c = components
        mean, radius = (a + c) / 2, xp.hypot((a - c) / 2, b)
        return xp.stack([mean + radius, mean - radius])
    a, d, e, b, f, c = components
    matrices = xp.stack([a, d, e, d, b, f, e, f, c], axis=-1).reshape(*a.shape, 3, 3)
    return xp.moveaxis(xp.linalg.eigvalsh(matrices)[..., ::-1], -1, 0)


def _by_lines(nd: Any, work: FilterWork, arrays: Arrays) -> Any:
    result = arrays.x
    for axis in work.filtered:
        taps = (-1, 0, 1) if axis == work.parameters["axis"] else SMOOTHING[work.filter]
        result = nd.correlate1d(result, arrays.xp.asarray(taps), axis=axis, mode=work.boundary)
    return result


def _mean(nd: Any, work: FilterWork, x: Any) -> Any:
    return nd.uniform_filter(x, work.parameters["size"], mode=work.boundary)


def _variance(nd: Any, work: FilterWork, arrays: Arrays) -> Any:
    mean = _mean(nd, work, arrays.x)
    return _mean(nd, work, arrays.x * arrays.x) - mean * mean


def _weighed(nd: Any, work: FilterWork, x: Any, kernel: Any) -> Any:
    return nd.convolve(x, kernel, mode=work.boundary)


_COMPOSED: dict[str, Callable[[Any, FilterWork, Arrays], Any]] = {
    "difference_of_gaussians": lambda nd, work, a: _smooth(nd, work, a.x) - _smooth(nd, work, a.x, wider=RATIO),
    "unsharp_mask": lambda nd, work, a: 2 * a.x - _smooth(nd, work, a.x),
    "gaussian_gradient": lambda nd, work, a: a.xp.stack([_smooth(nd, work, a.x, order) for order in _orders(work, 1)]),
    "gradient_magnitude": lambda nd, work, a: (
        a.xp.hypot(*(nd.sobel(a.x, axis=axis, mode=work.boundary) for axis in work.filtered)) / 8
    ),
    "hessian": lambda nd, work, a: a.xp.stack(_second_derivatives(nd, work, a)),
    "hessian_eigenvalues": lambda nd, work, a: eigenvalues(a.xp, _second_derivatives(nd, work, a)),
    "structure_tensor": lambda nd, work, a: a.xp.stack(_tensor(nd, work, a)),
    "structure_tensor_eigenvalues": lambda nd, work, a: eigenvalues(a.xp, _tensor(nd, work, a)),
    "scharr": _by_lines,
    "roberts": lambda nd, work, a: nd.correlate(a.x, a.xp.asarray([[-1, 0], [0, 1]]), mode=work.boundary, origin=-1),
    "local_mean": lambda nd, work, a: _mean(nd, work, a.x * a.mask) / _mean(nd, work, a.mask),
    "local_variance": _variance,
    "normalized_convolve": lambda nd, work, a: (
        _weighed(nd, work, a.x * a.mask, a.kernels[0]) / _weighed(nd, work, a.mask, a.kernels[0])
    ),
    "bank": lambda nd, work, a: a.xp.stack([_weighed(nd, work, a.x, kernel) for kernel in a.kernels]),
}


# --- scikit-image, and cuCIM, whose modules have the same names

_SKIMAGE: dict[str, Callable[[Any, Any, FilterWork, Any], Call]] = {
    "gaussian": lambda filters, feature, work, x: (
        lambda: filters.gaussian(
            x,
            work.parameters["sigma"],
            mode=work.boundary,
            preserve_range=True,
            channel_axis=None if work.axes is None else -1,
        )
    ),
    "difference_of_gaussians": lambda filters, feature, work, x: (
        lambda: filters.difference_of_gaussians(
            x, work.parameters["sigma"], RATIO * work.parameters["sigma"], mode=work.boundary
        )
    ),
    "unsharp_mask": lambda filters, feature, work, x: (
        lambda: filters.unsharp_mask(x, work.parameters["sigma"], 1.0, preserve_range=True)
    ),
    "gradient_magnitude": lambda filters, feature, work, x: lambda: filters.sobel(x, mode=work.boundary),
    "structure_tensor": lambda filters, feature, work, x: (
        lambda: feature.structure_tensor(x, work.parameters["sigma"], mode=work.boundary, order="rc")
    ),
    "structure_tensor_eigenvalues": lambda filters, feature, work, x: (
        lambda: feature.structure_tensor_eigenvalues(
            feature.structure_tensor(x, work.parameters["sigma"], mode=work.boundary, order="rc")
        )
    ),
    "symmetric_eigenvalues": lambda filters, feature, work, x: lambda: feature.hessian_matrix_eigvals(list(x)),
    "sobel": lambda filters, feature, work, x: (
        lambda: filters.sobel(x, axis=work.parameters["axis"], mode=work.boundary)
    ),
    "prewitt": lambda filters, feature, work, x: (
        lambda: filters.prewitt(x, axis=work.parameters["axis"], mode=work.boundary)
    ),
    "scharr": lambda filters, feature, work, x: (
        lambda: filters.scharr(x, axis=work.parameters["axis"], mode=work.boundary)
    ),
    "roberts": lambda filters, feature, work, x: lambda: filters.roberts_pos_diag(x),
    "laplace": lambda filters, feature, work, x: lambda: filters.laplace(x),
}
# What its results lack: the weights that smooth sum to 1 there, magnitudes are divided by the root of the number of
# axes, and the Laplacian is the negative one.
_SKIMAGE_FACTORS = {
    "sobel": 4.0,
    "prewitt": 3.0,
    "scharr": 16.0,
    "gradient_magnitude": 1 / math.sqrt(2),
    "laplace": -1.0,
}


def by_skimage(module: Any, work: FilterWork, arrays: Arrays) -> tuple[Call, float] | None:
    options = work.parameters
    integers = np.dtype(work.dtype).kind in "iu" and work.filter != "gaussian"  # these are divided by 255 there
    gaussian_slopes = "order" in options or (_is_length(work) and "sigma" in options)
    if work.filter not in _SKIMAGE or integers or gaussian_slopes:
        return None
    filters, feature = load(f"{module.__name__}.filters"), load(f"{module.__name__}.feature")
    factor = _SKIMAGE_FACTORS.get(work.filter, 1.0)
    if work.filter in SMOOTHING and len(work.shape) == 3:
        factor **= 2
    return _SKIMAGE[work.filter](filters, feature, work, arrays.x), factor


def by_opencv(cv: Any, work: FilterWork, arrays: Arrays) -> tuple[Call, float] | None:
    found = opencv_filters.make(cv, work, arrays.x, arrays.mask, arrays.kernels)
    # The slopes of "unit" are an eighth of those by whole numbers.
    return None if found is None else (found, 1 / 8 if "operator" in work.parameters and _is_length(work) else 1.0)


def by_torch(torch: Any, work: FilterWork, arrays: Arrays) -> tuple[Call, float] | None:
    """A bank is what networks are made of."""
    if work.filter != "bank":
        return None
    x = torch.from_numpy(arrays.x)[None, None]
    kernels = torch.from_numpy(np.flip(arrays.kernels, axis=(1, 2)).copy())[:, None]

    def call() -> Any:
        with torch.no_grad():
            return torch.nn.functional.conv2d(x, kernels, padding="same")[0].numpy()

    return call, 1.0


FILTER_PEERS = (
    FilterPeer("scipy.ndimage", "scipy", "scipy.ndimage", "numpy", by_ndimage),
    FilterPeer("scikit-image", "skimage", "skimage", "numpy", by_skimage),
    FilterPeer("OpenCV", "opencv", "cv2", "numpy", by_opencv),
    FilterPeer("torch", "torch", "torch", "numpy", by_torch),
    FilterPeer("cupyx", "cupyx", "cupyx.scipy.ndimage", "cupy", by_ndimage),
    FilterPeer("cuCIM", "cucim", "cucim.skimage", "cupy", by_skimage),
)
GROUPS = tuple(dict.fromkeys(peer.group for peer in FILTER_PEERS))
