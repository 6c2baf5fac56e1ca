"""A backend for `scipy.fft`: transforms stay in the library of their array, and NumPy's use all threads.

``with scipy.fft.set_backend(gpuconv.fft_backend):`` (or `scipy.fft.set_global_backend`) hands all that calls
`scipy.fft` inside, such as `scipy.signal` and scikit-image, to this module:

* NumPy arrays are transformed by SciPy, in their own precision, on all hardware threads where that pays.
* Arrays of torch, JAX, dask and other array-API libraries are transformed by these, with gradients, under jit, lazily.
  SciPy by itself would convert them to NumPy arrays. dask arrays may have any chunks.
* CuPy arrays are transformed by cupyx, with cuFFT plans from `plan_cache`: one per shape, axes, dtype, direction and
  stream, within a limit of bytes.

Integers are transformed in float64 (float32 where JAX has its 64-bit types off), half precision in float32. What is
not done here goes on to SciPy: Hankel transforms; and for arrays that are not NumPy's, cosine and sine transforms of
types 1 and 4, and `plan` other than CuPy's.

Examples
--------
>>> import numpy as np
>>> import scipy.fft
>>> import gpuconv
>>> with scipy.fft.set_backend(gpuconv.fft_backend):
...     print(scipy.fft.rfft(np.array([1.0, 2.0, 3.0, 2.0])).round(6).tolist())
[(8+0j), (-2+0j), 0j]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod, sqrt
from typing import Any

import numpy as np

from gpuconv.backends import cupy_plans
from gpuconv.backends.cupy_plans import plan_cache
from gpuconv.core.arguments import read_axes, read_integer, refusal
from gpuconv.core.dtypes import COMPLEX, complex_of, is_complex, real_of
from gpuconv.core.namespace import Home, bring_home, cast, dtype_name, has_double, read_image
from gpuconv.methods import transform

__all__ = ["plan_cache"]

__ua_domain__ = "numpy.scipy.fft"


def __ua_function__(method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What uarray asks: the result of ``method(*args, **kwargs)``, or NotImplemented."""
    name = method.__name__
    read = _READERS.get(name)
    if read is None:
        return NotImplemented
    call = read(*args, **kwargs)
    try:
        x, home = read_image(call.x, "x")
    except TypeError:  # masked arrays, pandas, sparse tensors: SciPy knows what it does with them
        return NotImplemented
    if home.library == "numpy":
        return _by_scipy(method, args, kwargs, x.size if call.workers is None else 0)
    if home.library == "cupy":
        return _by_cupy(name, replace(call, x=x), home)
    if call.plan is not None:
        return NotImplemented
    call = replace(call, x=cast(home, x, _floating(home, dtype_name(x.dtype))))
    return (_cosines if name in _COSINES else _fourier)(name, call, home)


@dataclass(frozen=True)
class _Call:
    """The arguments of any of scipy.fft's transforms, as the caller gave them."""

    x: Any
    lengths: Any
    axes: Any
    norm: str | None
    overwrite_x: bool
    workers: int | None
    plan: Any = None
    type: int = 2
    orthogonalize: bool | None = None


def _read_line(
    x: Any,
    n: Any = None,
    axis: Any = -1,
    norm: str | None = None,
    overwrite_x: bool = False,
    workers: int | None = None,
    *,
    plan: Any = None,
) -> _Call:
    return _Call(x, None if n is None else (n,), (axis,), norm, overwrite_x, workers, plan)


def _read_space(
    x: Any,
    s: Any = None,
    axes: Any = None,
    norm: str | None = None,
    overwrite_x: bool = False,
    workers: int | None = None,
    *,
    plan: Any = None,
) -> _Call:
    return _Call(x, s, axes, norm, overwrite_x, workers, plan)


def _read_plane(x: Any, s: Any = None, axes: Any = (-2, -1), *others: Any, **options: Any) -> _Call:
    return _read_space(x, s, axes, *others, **options)


def _read_cosine_line(x: Any, type: int = 2, n: Any = None, axis: Any = -1, *others: Any, **options: Any) -> _Call:
    orthogonalize = options.pop("orthogonalize", None)
    return replace(_read_line(x, n, axis, *others, **options), type=type, orthogonalize=orthogonalize)


def _read_cosine_space(x: Any, type: int = 2, s: Any = None, axes: Any = None, *others: Any, **options: Any) -> _Call:
    orthogonalize = options.pop("orthogonalize", None)
    return replace(_read_space(x, s, axes, *others, **options), type=type, orthogonalize=orthogonalize)


_FOURIER = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
_COSINES = tuple(f"{name}{n}" for name in ("dct", "idct", "dst", "idst") for n in ("", "n"))
_READERS: dict[str, Callable[..., _Call]] = {
    **dict.fromkeys(_FOURIER, _read_line),
    **{f"{name}2": _read_plane for name in _FOURIER},
    **{f"{name}n": _read_space for name in _FOURIER},
    **{name: _read_cosine_space if name.endswith("n") else _read_cosine_line for name in _COSINES},
}


def _by_scipy(method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], size: int) -> Any:
    """SciPy's own transform; on all threads if it is large and the caller has not said how many (then size is 0)."""
    from scipy import fft

    from gpuconv.backends.cpu.fourier import THREADED_FROM
    from gpuconv.backends.threads import thread_count

    if size >= THREADED_FROM and fft.get_workers() == 1:
        # Positional arguments may reach to `workers`, where a None stands.
        with fft.set_workers(thread_count()), fft.skip_backend(sys.modules[__name__]):
            return method(*args, **kwargs)
    with fft.skip_backend(sys.modules[__name__]):
        return method(*args, **kwargs)


def _floating(home: Home, name: str) -> str:
    """What an array of that dtype is transformed in; SciPy's rule."""
    if name in ("float16", "bfloat16"):
        return "float32"
    if name in ("float32", "float64", *COMPLEX):
        return name
    return "float64" if has_double(home) else "float32"


# Fourier transforms. The primitives know two: the forward one without a factor, and the inverse one with 1/N.


def _fourier(name: str, call: _Call, home: Home) -> Any:
    kind = name.rstrip("2n")
    x = call.x
    axes, lengths = _read_lengths(call, x.shape, halved=kind in ("irfft", "hfft"))
    if not axes and kind not in ("fft", "ifft"):
        raise ValueError(refusal("at least one axis must be transformed", f"got axes={call.axes!r}", "Name an axis"))
    if kind in ("rfft", "ihfft") and is_complex(dtype_name(x.dtype)):
        raise TypeError(refusal(f"x must be a real sequence for {name}", f"it is {x.dtype}", "Pass its real part"))
    if not axes:
        return cast(home, x, complex_of(dtype_name(x.dtype)))
    narrow = real_of(dtype_name(x.dtype))
    if kind not in ("rfft", "ihfft"):
        x = cast(home, x, complex_of(narrow))
    scale = _scale(kind, call.norm, prod(lengths))
    if kind in ("fft", "rfft", "ihfft"):
        y = transform.forward(x, axes, lengths)
        y = home.xp.conj(y) if kind == "ihfft" else y
    else:
        x = home.xp.conj(x) if kind == "hfft" else x
        y = transform.inverse(x, axes, lengths, complex_of(narrow) if kind == "ifft" else narrow)
    return y if scale == 1.0 else y * scale


def _scale(kind: str, norm: str | None, count: int) -> float:
    """What the primitive's result is multiplied by. hfft is a forward transform made by the inverse primitive."""
    factors = {"backward": (1.0, 1.0 / count), "ortho": (1.0 / sqrt(count),) * 2, "forward": (1.0 / count, 1.0)}
    forward, inverse = factors[_read_norm(norm)]
    if kind in ("fft", "rfft"):
        return forward
    if kind == "ihfft":
        return inverse
    return (forward if kind == "hfft" else inverse) * count


def _read_norm(norm: str | None) -> str:
    if norm not in (None, "backward", "ortho", "forward"):
        rule = "Invalid norm value: it must be 'backward', 'ortho' or 'forward'"
        raise ValueError(refusal(rule, f"got norm={norm!r}", "Choose one of these"))
    return norm or "backward"


def _read_lengths(call: _Call, shape: Sequence[int], halved: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Axes, and the samples to transform on each; `halved` means that the last axis holds half a spectrum."""
    given = None if call.lengths is None else tuple(call.lengths if np.iterable(call.lengths) else (call.lengths,))
    axes = call.axes
    if axes is None and given is not None:
        axes = tuple(range(-len(given), 0))
    axes = read_axes(tuple(axes) if np.iterable(axes) else axes, len(shape))
    sizes = [shape[axis] for axis in axes]
    lengths = list(sizes)
    if halved and axes:  # SciPy's rules: over several axes, half of one sample is one sample, on one it is an error
        lengths[-1] = max(2 * (sizes[-1] - 1), int(len(axes) > 1 and sizes[-1] == 1))
    if given is not None:
        if len(given) != len(axes):
            rule = "when given, axes and shape arguments have to be of the same length"
            raise ValueError(refusal(rule, f"got {len(axes)} axes and s={given}", "Give one length per axis"))
        chosen = [read_integer("each length", length) for length in given]
        lengths = [size if length == -1 else length for length, size in zip(chosen, sizes, strict=True)]
    if any(length < 1 for length in lengths):
        rule = "invalid number of data points: a transform needs one at least"
        raise ValueError(refusal(rule, f"the lengths are {lengths}", "Give n or s, or an array with samples"))
    return axes, tuple(lengths)


# Cosine and sine transforms. The primitive is orthonormal: type 2 forwards, type 3 backwards.


def _cosines(name: str, call: _Call, home: Home) -> Any:
    kind, inverted = name.removeprefix("i").rstrip("n"), name.startswith("i")
    norm = _read_norm(call.norm)
    if call.type not in (2, 3) or call.orthogonalize not in (None, norm == "ortho"):
        return NotImplemented
    axes, lengths = _read_lengths(call, call.x.shape, halved=False)
    backwards = (call.type == 3) != inverted
    unscaled = norm == ("forward" if inverted else "backward")
    y = call.x
    for axis, length in zip(axes, lengths, strict=True):
        y = _of_length(home, y, axis, length)
        if norm == "ortho":
            y = transform.cosine(y, axis, kind, backwards)
            continue
        weights = _weights(kind, backwards, length) / (1 if unscaled else 2 * length)
        line = bring_home(weights.reshape([-1 if other == axis else 1 for other in range(y.ndim)]), home, _line_of(y))
        y = transform.cosine(y * line, axis, kind, True) if backwards else transform.cosine(y, axis, kind) * line
    return y


def _line_of(y: Any) -> str:
    return real_of(dtype_name(y.dtype))


def _weights(kind: str, backwards: bool, length: int) -> np.ndarray:
    """SciPy's factors over the orthonormal ones: of the samples of type 3, or of the frequencies of type 2."""
    weights = np.full(length, sqrt(2.0 * length))
    weights[0 if kind == "dct" else -1] = sqrt(length) * (1 if backwards else 2)
    return weights


def _of_length(home: Home, x: Any, axis: int, length: int) -> Any:
    """`x` cut to `length` samples on an axis, or filled up with zeros behind."""
    if x.shape[axis] >= length:
        return x[tuple(slice(0, length) if other == axis else slice(None) for other in range(x.ndim))]
    shape = [length - x.shape[axis] if other == axis else size for other, size in enumerate(x.shape)]
    zeros = home.xp.zeros(tuple(shape), dtype=x.dtype, device=home.device)
    return home.xp.concat([x, zeros], axis=axis)


def _by_cupy(name: str, call: _Call, home: Home) -> Any:
    """cupyx's own transform, with a plan from the cache."""
    kind = name.replace("2", "n")
    x = cast(home, call.x, _floating(home, dtype_name(call.x.dtype)))
    axes, lengths = _read_lengths(call, x.shape, halved=kind.rstrip("n") in ("irfft", "hfft"))
    options: dict[str, Any] = {"norm": call.norm, "overwrite_x": call.overwrite_x}
    if name in _COSINES:
        if call.type not in (2, 3) or call.orthogonalize not in (None, call.norm == "ortho"):
            return NotImplemented
        options["type"] = call.type
    elif kind in ("hfftn", "ihfftn") or not axes:
        return _fourier(name, replace(call, x=x), home)
    else:
        options["plan"] = call.plan
    return cupy_plans.transform(kind, x, lengths, axes, **options)
