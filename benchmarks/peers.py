"""Other libraries' ways of doing the same work, declared one by one.

A peer takes a piece of work only where it computes the same thing; elsewhere it says why not. What is not installed
is named as absent.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.apart import Elsewhere, Here, is_apart
from benchmarks.cases import Data, Work, expected, make_data
from benchmarks.harness import Contender, Definition
from benchmarks.libraries import AbsentError, ArrayLibrary, open_library

# A peer that sums directly is left out above this many multiply-adds, where it would take seconds.
DIRECT_UP_TO = 900_000_000
# OpenCV rounds the taps of 8-bit filters to 8 bits and the sum once: its results are within two levels.
OPENCV_LEVELS = 2.5

Maker = Callable[[ModuleType, Work, Data], Callable[[], Any]]


@dataclass(frozen=True)
class Peer:
    """One function of another library.

    Attributes
    ----------
    name : str
        As a user would write it.
    group : str
        What ``--peers`` selects.
    module : str
        To import.
    arrays : tuple of str
        Array libraries of the cases in which it takes part.
    why_not : callable
        ``why_not(work)``: why it does not do a piece of work, or None.
    make : callable
        ``make(module, work, data)``: sets up, and returns the call that does the work.
    """

    name: str
    group: str
    module: str
    arrays: tuple[str, ...]
    why_not: Callable[[Work], str | None]
    make: Maker


def contenders(work: Work, data: Data, library: ArrayLibrary, groups: tuple[str, ...]) -> list[Contender]:
    """All declared peers of `groups` that take arrays of `library`: to be timed, absent or left out."""
    chosen = [peer for peer in PEERS if peer.group in groups and library.name in peer.arrays]
    return [_contender(peer, work, data, library) for peer in chosen]


def _contender(peer: Peer, work: Work, data: Data, library: ArrayLibrary) -> Contender:
    reason = peer.why_not(work)
    if reason is not None:
        return Contender(peer.name, status="left out", reason=reason)
    try:
        module = _load(peer)
    except AbsentError as absent:
        return Contender(peer.name, status="absent", reason=str(absent))
    definition = _own_definition(peer, work)
    if is_apart(peer.group, library):
        return Contender(
            peer.name, definition=definition, elsewhere=Elsewhere(peer.group, partial(only, peer.name, work))
        )
    return Contender(peer.name, peer.make(module, work, data), library=_returned(peer), definition=definition)


def only(name: str, work: Work) -> Here:
    """One peer with arrays made anew, for a process of its own."""
    peer = next(peer for peer in PEERS if peer.name == name)
    return Here(peer.make(_load(peer), work, make_data(work)), _returned(peer))


def _returned(peer: Peer) -> ArrayLibrary:
    groups = {"torch": "torch", "cupyx": "cupy", "dask-image": "dask"}
    return open_library(groups.get(peer.group, "numpy"))


def _own_definition(peer: Peer, work: Work) -> Definition | None:
    """What is right for a peer that documents that it computes something less exact."""
    if peer.group != "opencv" or work.result_dtype != "uint8":
        return None
    return Definition(expected(work, make_data(work)), OPENCV_LEVELS)


def _load(peer: Peer) -> ModuleType:
    if peer.group == "cupyx":
        open_library("cupy")  # CuPy can be there without a GPU
    try:
        return importlib.import_module(peer.module)
    except ModuleNotFoundError as missing:
        root = peer.module.partition(".")[0]
        if missing.name is None or missing.name.partition(".")[0] != root:
            raise
        raise AbsentError(f"{root} is not installed") from missing


def _weights(work: Work, data: Data) -> np.ndarray:
    """The kernel with one dimension per dimension of the image."""
    shape = [1] * len(work.shape)
    for axis, taps in zip(work.convolved, work.kernel, strict=True):
        shape[axis] = taps
    return data.kernel.reshape(shape)


def _even(work: Work) -> str | None:
    if any(taps % 2 == 0 for taps in work.kernel):
        return "even kernels are centred differently"
    return None


def _is_integer(work: Work) -> bool:
    return np.dtype(work.dtype).kind in "iu" and not work.smooth


def _too_slow(products: int) -> str | None:
    if products > DIRECT_UP_TO:
        return f"{products:.1e} multiply-adds, one by one, would take seconds"
    return None


# --- SciPy, and CuPy's functions of the same names


def _ndimage_why_not(work: Work) -> str | None:
    if work.outer:
        return "one pass per axis is the comparison for outer products"
    if len(work.kernel) == 1:
        return "convolve1d is the comparison along one axis"
    return _truncating(work) or _even(work) or _too_slow(work.products)


def _truncating(work: Work) -> str | None:
    return "it cuts off digits instead of rounding" if work.result_dtype == "uint8" else None


def _ndimage(module: ModuleType, work: Work, data: Data) -> Callable[[], Any]:
    x, weights = _of(module, data.x), _of(module, _weights(work, data))
    return lambda: module.convolve(x, weights, output=np.dtype(work.result_dtype), mode=work.boundary)


def _passes_why_not(work: Work) -> str | None:
    if not work.outer and len(work.kernel) > 1:
        return "the kernel is no outer product"
    return _truncating(work) or _even(work) or _too_slow(work.products)


def _passes(module: ModuleType, work: Work, data: Data) -> Callable[[], Any]:
    x = _of(module, data.x)
    taps = [_of(module, line) for line in data.taps or [data.kernel]]

    def call() -> Any:
        result = x
        for line, axis in zip(taps, work.convolved, strict=True):
            result = module.convolve1d(result, line, axis=axis, output=np.dtype(work.result_dtype), mode=work.boundary)
        return result

    return call


def _uniform_why_not(work: Work) -> str | None:
    return _even(work) if work.equal else "taps are not all equal"


def _uniform(module: ModuleType, work: Work, data: Data) -> Callable[[], Any]:
    x, sizes = _of(module, data.x), [1] * len(work.shape)
    for taps, axis in zip(work.kernel, work.convolved, strict=True):
        sizes[axis] = taps
    return lambda: module.uniform_filter(x, sizes, mode=work.boundary)


def _transform_why_not(work: Work) -> str | None:
    if work.outer:
        return "one pass per axis is the comparison for outer products"
    if work.boundary != "constant":
        return f"it knows zeros beyond the edges, not {work.boundary!r}"
    if np.dtype(work.dtype).kind in "iu":
        return "it transforms integers, which does not give them exactly"
    return None


def _fftconvolve(module: ModuleType, work: Work, data: Data) -> Callable[[], Any]:
    x, weights = _of(module, data.x), _of(module, _weights(work, data).astype(data.x.dtype))
    return lambda: module.fftconvolve(x, weights, mode="same", axes=work.convolved)


def _oaconvolve(module: ModuleType, work: Work, data: Data) -> Callable[[], Any]:
    x, weights = _of(module, data.x), _of(module, _weights(work, data).astype(data.x.dtype))
    return lambda: module.oaconvolve(x, weights, mode="same", axes=work.convolved)


_CONVOLVE2D_BOUNDARIES = {"constant": "fill", "reflect": "symm", "wrap": "wrap"}


def _convolve2d_why_not(work: Work) -> str | None:
    if len(work.shape) != 2 or len(work.kernel) != 2:
        return "it does two dimensions, not more and not fewer"
    if work.boundary not in _CONVOLVE2D_BOUNDARIES:
        return f"it has no boundary {work.boundary!r}"
    if np.dtype(work.dtype).kind in "iu":
        return f"its {work.dtype} results overflow"
    return _ndimage_why_not(work)


def _convolve2d(module: ModuleType, work: Work, data: Data) -> Callable[[], Any]:
    weights = data.kernel.astype(data.x.dtype)
    boundary = _CONVOLVE2D_BOUNDARIES[work.boundary]
    return lambda: module.convolve2d(data.x, weights, mode="same", boundary=boundary)


def _of(module: ModuleType, array: np.ndarray) -> Any:
    """The array where the module's functions want it: CuPy's on the GPU."""
    return importlib.import_module("cupy").asarray(array) if module.__name__.startswith("cupyx") else array


# --- torch

_TORCH_PADDING = {"constant": "constant", "mirror": "reflect", "nearest": "replicate", "wrap": "circular"}


def _torch_why_not(work: Work) -> str | None:
    if work.boundary not in _TORCH_PADDING:
        return f"it has no boundary {work.boundary!r}"
    if work.axes is not None and work.axes != (len(work.shape) - 1,):
        return "its convolved axes are the last ones"
    if work.dtype not in ("float32", "float64"):
        return f"it convolves no {work.dtype} on a CPU"
    if work.outer:
        return "one pass per axis is the comparison for outer products"
    return _even(work) or _too_slow(work.products)


def _torch(module: ModuleType, work: Work, data: Data) -> Callable[[], Any]:
    functional = module.nn.functional
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[len(work.kernel) - 1]
    sizes = [work.shape[axis] for axis in work.convolved]
    x = module.from_numpy(data.x).reshape(-1, 1, *sizes)
    flipped = np.ascontiguousarray(np.flip(data.kernel)).astype(data.x.dtype)
    weights = module.from_numpy(flipped)[None, None]
    padding = [taps // 2 for taps in reversed(work.kernel) for _ in range(2)]

    def call() -> Any:
        with module.no_grad():
            extended = functional.pad(x, padding, mode=_TORCH_PADDING[work.boundary])
            return convolve(extended, weights).reshape(work.shape)

    return call


# --- dask-image


def _dask_why_not(work: Work) -> str | None:
    if work.axes is not None:
        return "its kernels have the dimensions of the image"
    return _ndimage_why_not(work)


def _dask(module: ModuleType, work: Work, data: Data) -> Callable[[], Any]:
    x = open_library("dask").from_host(data.x.astype(work.result_dtype))
    return lambda: module.convolve(x, data.kernel, mode=work.boundary)


# --- OpenCV

_OPENCV_BORDERS = {
    "constant": "BORDER_CONSTANT",
    "reflect": "BORDER_REFLECT",
    "mirror": "BORDER_REFLECT_101",
    "nearest": "BORDER_REPLICATE",
}


def _opencv_why_not(work: Work) -> str | None:
    images = len(work.shape) <= 2 or (len(work.shape) == 3 and work.shape[2] <= 4 and work.axes == (0, 1))
    if not images:
        return "it filters images of up to four channels"
    if work.boundary not in _OPENCV_BORDERS:
        return f"it has no boundary {work.boundary!r}"
    if work.outer and len(work.kernel) != 2:
        return "it has two passes, not more and not fewer"
    return _even(work)


def _opencv(module: ModuleType, work: Work, data: Data) -> Callable[[], Any]:
    """Its filters correlate, and have no integer results wide enough: integers come out in float32, exactly."""
    border = getattr(module, _OPENCV_BORDERS[work.boundary])
    depth = {"float64": module.CV_64F, "uint8": module.CV_8U}.get(work.result_dtype, module.CV_32F)
    precision = np.float64 if work.dtype == "float64" else np.float32
    x = data.x if data.x.ndim > 1 else data.x[None, :]
    if work.outer:
        assert data.taps is not None
        down, across = (np.ascontiguousarray(line[::-1]).astype(precision) for line in data.taps)
        return lambda: module.sepFilter2D(x, depth, across, down, borderType=border)
    flipped = np.flip(data.kernel).astype(precision)
    # Along one axis: the last one.
    weights = np.ascontiguousarray(flipped if flipped.ndim == 2 else flipped[None, :])
    return lambda: module.filter2D(x, depth, weights, borderType=border).reshape(work.shape)


_SCIPY = ("numpy",)
PEERS = (
    Peer("scipy.ndimage.convolve", "scipy", "scipy.ndimage", _SCIPY, _ndimage_why_not, _ndimage),
    Peer("scipy.ndimage.convolve1d", "scipy", "scipy.ndimage", _SCIPY, _passes_why_not, _passes),
    Peer("scipy.signal.fftconvolve", "scipy", "scipy.signal", _SCIPY, _transform_why_not, _fftconvolve),
    Peer("scipy.signal.oaconvolve", "scipy", "scipy.signal", _SCIPY, _transform_why_not, _oaconvolve),
    Peer("scipy.signal.convolve2d", "scipy", "scipy.signal", _SCIPY, _convolve2d_why_not, _convolve2d),
    Peer("torch.nn.functional.conv", "torch", "torch", ("numpy", "torch"), _torch_why_not, _torch),
    Peer("OpenCV filter2D", "opencv", "cv2", ("numpy",), _opencv_why_not, _opencv),
    Peer("dask_image.ndfilters.convolve", "dask-image", "dask_image.ndfilters", ("dask",), _dask_why_not, _dask),
    Peer("cupyx.scipy.ndimage.convolve", "cupyx", "cupyx.scipy.ndimage", ("cupy",), _ndimage_why_not, _ndimage),
    Peer("cupyx.scipy.ndimage.convolve1d", "cupyx", "cupyx.scipy.ndimage", ("cupy",), _passes_why_not, _passes),
    Peer("cupyx.scipy.ndimage.uniform_filter", "cupyx", "cupyx.scipy.ndimage", ("cupy",), _uniform_why_not, _uniform),
    Peer("cupyx.scipy.signal.fftconvolve", "cupyx", "cupyx.scipy.signal", ("cupy",), _transform_why_not, _fftconvolve),
    Peer("cupyx.scipy.signal.oaconvolve", "cupyx", "cupyx.scipy.signal", ("cupy",), _transform_why_not, _oaconvolve),
)
GROUPS = tuple(dict.fromkeys(peer.group for peer in PEERS))
