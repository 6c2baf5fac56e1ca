"""What fills the grid: reads diffusivity, flow and sources, one value or one per cell, into one form."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import is_complex
from gpuconv.core.namespace import Home, bring_home, cast, dtype_name, home_of, is_lazy, read_kernel, to_numpy

_FORMS = (
    "diffusivity must be a number, an array with one per cell, a sequence of these with one entry per axis, or in two "
    "dimensions a symmetric matrix ((xx, xy), (yx, yy)) of these"
)


@dataclass(frozen=True)
class Medium:
    """Diffusivity and flow: floats, or arrays (float64 ones of NumPy, or of the library of u).

    Attributes
    ----------
    diagonal : tuple
        The diffusivity along each axis: a float, a 0-d array, or an array whose last axes are those of the grid.
    cross : array or None
        The off-diagonal entry of a tensor, in two dimensions.
    velocity : tuple or None
        One entry per axis: a float, or an array with one more entry than cells on that axis.
    """

    diagonal: tuple[Any, ...]
    cross: Any = None
    velocity: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Layout:
    """The grid's axes of u: reads arrays given per cell into the order in which u is worked on, batches first."""

    shape: tuple[int, ...]
    """Of the grid."""
    whole: tuple[int, ...]
    """Of u as it was given."""
    order: tuple[int, ...]
    """Axes of u as given, in working order."""
    home: Home

    @property
    def axes(self) -> int:
        return len(self.shape)

    def read(self, name: str, value: Any) -> Any:
        """A float, a 0-d array, or an array of the grid's shape or of u's; numbers of NumPy as float64."""
        value = read_kernel(value, self.home, name)
        if is_complex(dtype_name(value.dtype)) or dtype_name(value.dtype) == "bool":
            raise TypeError(refusal(f"{name} must be real", f"its dtype is {dtype_name(value.dtype)}", "Cast it"))
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "fiu":
                raise TypeError(refusal(f"{name} must be numbers", f"got {value!r}", "Give numbers"))
            value = value.astype(np.float64)
            return float(value) if value.ndim == 0 else self.arrange(name, value)
        return value if value.ndim == 0 else self.arrange(name, value)

    def arrange(self, name: str, value: Any) -> Any:
        shape = tuple(value.shape)
        if shape == self.shape:
            return value
        if shape == self.whole:
            return home_of(value).xp.permute_dims(value, self.order)
        given = f"{name} has shape {shape}, u has {self.shape} cells"
        raise ValueError(refusal(f"{name} needs one entry per cell", given, "Match the axes of u"))

    def broadcast(self, value: Any) -> Any:
        """The value in the shape of u where it has neither that nor the grid's but can be broadcast to it."""
        shape = tuple(value.shape)
        missing = len(self.whole) - len(shape)
        sizes = (1,) * missing + shape
        if shape == self.shape or missing < 0:
            return value
        if any(size not in (1, whole) for size, whole in zip(sizes, self.whole, strict=True)):
            return value
        return home_of(value).xp.broadcast_to(value, self.whole)


def read_diffusivity(value: Any, layout: Layout) -> Medium:
    """The medium at rest; a full tensor comes with a warning."""
    axes, nested = layout.axes, _nested(value)
    if nested is None:
        value = read_kernel(value, layout.home, "diffusivity")
        shape = tuple(value.shape)
        if shape not in ((), layout.shape, layout.whole):
            if shape == (axes,):
                nested = [value[axis] for axis in range(axes)]
            elif shape in ((axes, axes), (axes, axes, *layout.shape)):
                nested = [[value[row, column, ...] for column in range(axes)] for row in range(axes)]
    if nested is None:
        return Medium((_checked(layout.read("diffusivity", value)),) * axes)
    if len(nested) != axes:
        remedy = "Give one entry per axis; one per cell as an array, not a list"
        raise ValueError(refusal(_FORMS, f"got {len(nested)} entries for {axes} axes", remedy))
    if _nested(nested[0]) is None:
        return Medium(tuple(_checked(layout.read("diffusivity", entry)) for entry in nested))
    return _read_tensor(nested, layout)


def _nested(value: Any) -> list[Any] | None:
    return list(value) if isinstance(value, list | tuple) else None


def _checked(value: Any) -> Any:
    """The diffusivity itself, or the house error where it can be read and is negative or not finite."""
    host = _if_readable(value)
    if host is None:
        return value
    if not np.isfinite(host).all():
        bad = int((~np.isfinite(host)).sum())
        given = f"got {value!r}" if isinstance(value, float) else f"{bad} of {host.size} are not"
        raise ValueError(refusal("diffusivity must be finite", given, "Replace NaN and infinity; walls close faces"))
    if (host < 0).any():
        given = f"got {host.min():g}"
        raise ValueError(refusal("diffusivity must not be negative", given, "Diffusion cannot run backwards"))
    return value


def _if_readable(value: Any) -> np.ndarray | None:
    if isinstance(value, float | np.ndarray):
        return np.asarray(value)
    return None if is_lazy(home_of(value)) else to_numpy(value)


def _read_tensor(rows: list[Any], layout: Layout) -> Medium:
    if layout.axes != 2:
        given = f"got a matrix for {layout.axes} axes"
        raise ValueError(refusal("a full diffusivity tensor is for two axes", given, "Give one entry per axis"))
    if any(_nested(row) is None or len(row) != 2 for row in rows):
        raise ValueError(refusal(_FORMS, f"got {rows!r}", "Give two rows of two entries"))
    entries = [[layout.read("diffusivity", entry) for entry in row] for row in rows]
    if not all(isinstance(entry, float | np.ndarray) for row in entries for entry in row):
        rule = "a full diffusivity tensor must be at hand: numbers or NumPy arrays, or arrays that can be read now"
        raise TypeError(refusal(rule, "got arrays under tracing, differentiation or on a device", "Convert them"))
    (first, cross), (mirrored, second) = entries
    if not np.array_equal(cross, mirrored):
        given = "its off-diagonal entries differ"
        raise ValueError(refusal("a diffusivity tensor must be symmetric", given, "Give (D + D.T)/2"))
    for value in (first, second, np.abs(cross)):
        _checked(value)
    lowest = float(np.min(first * second * (1 + 1e-12) - np.square(cross), initial=np.inf))
    if lowest < 0:
        given = f"xx yy - xy^2 is as low as {lowest:g}"
        raise ValueError(refusal("a diffusivity tensor must have no negative eigenvalue", given, "Make xy smaller"))
    if not np.any(cross):
        return Medium((first, second))
    warnings.warn(
        "a full diffusivity tensor keeps the mass but not the maximum principle: near steps the result can leave the "
        "range of u a little, as with any linear scheme of nine points",
        stacklevel=5,
    )
    return Medium((first, second), cross)


def read_velocity(velocity: Any, periodic: tuple[bool, ...], layout: Layout) -> tuple[Any, ...] | None:
    """One float or array of face values per axis, with a face more than cells; None where nothing flows."""
    if velocity is None:
        return None
    axes = layout.axes
    entries = list(velocity) if isinstance(velocity, list | tuple) else [velocity] * axes
    if len(entries) != axes:
        given = f"got {len(entries)} entries for {axes} axes"
        rule = "velocity needs one entry per axis, a number or an array with one entry per face across that axis"
        raise ValueError(refusal(rule, given, "Give 0 for an axis without flow"))
    read = tuple(_read_flow(entry, axis, periodic[axis], layout) for axis, entry in enumerate(entries))
    return None if all(isinstance(entry, float) and entry == 0 for entry in read) else read


def _read_flow(value: Any, axis: int, periodic: bool, layout: Layout) -> Any:
    if value is None:
        remedy = "Give 0 for an axis without flow"
        raise TypeError(refusal("each entry of velocity must be a number or an array", "got None", remedy))
    value = read_kernel(value, layout.home, "velocity")
    host = _if_readable(value)
    if host is not None and not (host.dtype.kind in "fiu" and np.isfinite(host).all()):
        raise ValueError(refusal("velocity must be finite real numbers", f"got {value!r}", "Replace NaN and infinity"))
    if isinstance(value, np.ndarray):
        value = value.astype(np.float64)
        if value.ndim == 0:
            return float(value)
    faces = list(layout.shape)
    faces[axis] += 1
    if value.ndim == 0:  # a traced number
        return home_of(value).xp.broadcast_to(value, tuple(faces))
    place = axis - layout.axes
    if periodic and tuple(value.shape) == layout.shape:
        index = [slice(None)] * layout.axes
        index[axis] = slice(0, 1)
        return home_of(value).xp.concat([value, value[tuple(index)]], axis=place)
    if tuple(value.shape) != tuple(faces):
        rule = f"velocity along axis {axis} needs one entry per face: one more than cells on that axis"
        given = f"it has shape {tuple(value.shape)}, the faces {tuple(faces)}"
        raise ValueError(refusal(rule, given, "Give the outer faces, too; face i lies before cell i"))
    if periodic and host is not None:
        _check_seam(host, axis, place)
    return value


def _check_seam(host: np.ndarray, axis: int, place: int) -> None:
    """Refuses two flows through what is one face, but for the rounding of a formula that gives both."""
    first, last = np.take(host, 0, axis=place), np.take(host, -1, axis=place)
    apart = np.abs(first - last)
    if (apart > 1e-5 * np.abs(host).max(initial=0.0)).any():
        rule = f"the first and the last face of periodic axis {axis} are one and need one velocity"
        remedy = "Make both equal, or give one entry per cell: for the face before it"
        raise ValueError(refusal(rule, f"they differ by up to {apart.max():g}", remedy))


def read_source(source: Any, layout: Layout, dtype: str) -> tuple[Any, Callable[[float], Any] | None]:
    """What is added per time: (constant, None), (None, function of time), or (None, None)."""
    if source is None:
        return None, None
    if callable(source) and not hasattr(source, "shape"):
        return None, lambda time: _read_supply(source(time), layout, dtype)
    return _read_supply(source, layout, dtype), None


def _read_supply(source: Any, layout: Layout, dtype: str) -> Any:
    value = read_kernel(source, layout.home, "source")
    if is_complex(dtype_name(value.dtype)) and not is_complex(dtype):
        raise TypeError(refusal("a complex source needs a complex u", f"u is of {dtype}", "Cast u to complex"))
    if isinstance(value, np.ndarray) and not np.isfinite(value).all():
        raise ValueError(refusal("source must be finite", f"got {value!r}", "Replace NaN and infinity"))
    if value.ndim == 0:
        return value.item() if isinstance(value, np.ndarray) else cast(layout.home, value, dtype)
    at_hand = isinstance(value, np.ndarray)
    value = bring_home(value, layout.home, dtype) if at_hand else cast(layout.home, value, dtype)
    return layout.arrange("source", layout.broadcast(value))
