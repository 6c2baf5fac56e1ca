"""Readers of what diffusion is told: one per kind of argument, each returns the normal form or the house error."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.core.dtypes import DtypeRule, convolution_dtypes
from gpuconv.core.namespace import Home, dtype_name, read_kernel
from gpuconv.diffusion.grid import Grid, Line
from gpuconv.kernels._arguments import read_nonnegative, read_positive, read_real, spread


def read_rule(u: Any, kernel: str) -> DtypeRule:
    """Dtypes of the result and of the work, as by a convolution of u with a kernel of that dtype."""
    if dtype_name(u.dtype) == "bool":
        raise TypeError(refusal("u must be numbers", "its dtype is bool", "Cast it to a floating dtype"))
    return convolution_dtypes(dtype_name(u.dtype), (kernel, 1))


def read_spacing(spacing: Any, axes: int) -> tuple[float, ...]:
    """Widths of the cells, finite and above zero: one float per axis out of one for all, or a sequence."""
    _check_count("spacing", spacing, axes, "Give one value, or match the axes")
    return spread("spacing", spacing, axes, read_positive)


def _check_count(name: str, value: Any, axes: int, remedy: str) -> None:
    """Refuses a sequence or a 1-D array that has not one entry per axis."""
    if not isinstance(value, list | tuple | np.ndarray) or (isinstance(value, np.ndarray) and value.ndim != 1):
        return
    if len(value) != axes:
        rule = f"{name} needs one entry, or one per axis that diffuses ({axes})"
        raise ValueError(refusal(rule, f"got {len(value)} entries", remedy))


def read_grid(grid: Any, spacing: Any, shape: tuple[int, ...]) -> Grid:
    """The grid of an array whose diffusing axes have `shape`: the Cartesian one of `spacing`, or `grid`, a `Grid`."""
    if grid is None:
        lines = zip(shape, read_spacing(spacing, len(shape)), strict=True)
        return Grid(tuple(Line("cartesian", size, width) for size, width in lines))
    if not isinstance(grid, Grid):
        remedy = "Make one with Grid.cartesian, polar, cylindrical or spherical"
        raise TypeError(refusal("grid must be a gpuconv.diffusion.Grid", f"got {type(grid).__name__}", remedy))
    if not (isinstance(spacing, int | float) and spacing == 1.0):
        raise ValueError(refusal("a grid brings its own spacing", f"got spacing={spacing!r} too", "Leave it out"))
    if grid.shape != shape:
        given = f"the grid has shape {grid.shape}, the axes of u {shape}"
        raise ValueError(refusal("a grid needs as many cells as u", given, "Make a grid of that shape, or name axes"))
    return grid


def read_amount(name: str, value: Any, home: Home) -> Any:
    """A number that is zero or more, as a float; or a 0-d array of the library of u whose value is not at hand.

    Under jit, while it is differentiated, or on a device a value cannot be read: such arrays are not checked.
    """
    value = _at_hand(name, value, home)
    if isinstance(value, np.ndarray) or not hasattr(value, "shape"):
        return read_nonnegative(name, value)
    if value.shape != ():
        raise ValueError(
            refusal(f"{name} must be one number", f"got an array of shape {value.shape}", "Give a 0-d one")
        )
    return value


def read_diffusivity(value: Any, axes: int, home: Home) -> tuple[Any, ...] | np.ndarray:
    """One amount per axis; or a symmetric matrix (float64) without negative eigenvalues that is not diagonal."""
    if isinstance(value, list | tuple) and any(hasattr(entry, "shape") and not _is_host(entry) for entry in value):
        return spread("diffusivity", value, axes, lambda name, entry: read_amount(name, entry, home))
    value = _at_hand("diffusivity", value, home)
    if not isinstance(value, np.ndarray):
        if hasattr(value, "shape") and value.shape == (axes,):
            return tuple(value[axis] for axis in range(axes))
        return spread("diffusivity", value, axes, lambda name, entry: read_amount(name, entry, home))
    if value.ndim < 2:
        _check_count("diffusivity", value, axes, "Match the axes; evolve takes one entry per cell")
        return spread("diffusivity", value.tolist(), axes, read_nonnegative)
    return _read_tensor(value, axes)


def _is_host(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic)


def _at_hand(name: str, value: Any, home: Home) -> Any:
    """The value as a NumPy array if it is an array or sequence that can be read now."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, list | tuple) or hasattr(value, "shape"):
        try:
            return read_kernel(value, home, name)
        except ValueError as error:
            if isinstance(value, list | tuple):
                raise ValueError(
                    refusal(f"{name} must be a number, one per axis, or a matrix", f"got {value!r}", "Make rows equal")
                ) from error
            raise
    return value


def _read_tensor(matrix: np.ndarray, axes: int) -> tuple[float, ...] | np.ndarray:
    if matrix.shape != (axes, axes):
        given = f"it has shape {matrix.shape} for {axes} axes"
        remedy = "Match the axes; evolve takes one entry per cell"
        raise ValueError(refusal("a diffusivity matrix has a row and a column per axis", given, remedy))
    for entry in matrix.ravel().tolist():
        read_real("each entry of the diffusivity matrix", entry)
    matrix = matrix.astype(np.float64)
    if not np.array_equal(matrix, matrix.T):
        remedy = "Give (D + D.T)/2, which diffuses in the same way"
        raise ValueError(refusal("a diffusivity matrix must be symmetric", f"got {matrix.tolist()}", remedy))
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest < -4 * axes * np.finfo(np.float64).eps * float(np.abs(matrix).max()):
        rule = "a diffusivity matrix must have no negative eigenvalue"
        raise ValueError(refusal(rule, f"got {lowest:g} for {matrix.tolist()}", "Diffusion cannot run backwards"))
    if np.count_nonzero(matrix - np.diag(np.diag(matrix))) == 0:
        return tuple(float(entry) for entry in np.diag(matrix))
    return matrix


def read_velocity(velocity: Any, axes: int) -> tuple[float, ...]:
    """One finite speed per axis; zeros for None."""
    return (0.0,) * axes if velocity is None else spread("velocity", velocity, axes, read_real)


def read_source(source: Any, shape: tuple[int, ...], home: Home) -> Any:
    """An array that can be broadcast to `shape`, with as many dimensions, at home or on the host; None if None."""
    if source is None:
        return None
    source = read_kernel(source, home, "source")
    missing = len(shape) - source.ndim
    sizes = (1,) * missing + tuple(source.shape)
    if missing < 0 or any(size not in (1, whole) for size, whole in zip(sizes, shape)):
        given = f"source has shape {tuple(source.shape)}, u {shape}"
        raise ValueError(refusal("a source must be broadcastable to u", given, "Give one number, or one per cell"))
    xp = np if isinstance(source, np.ndarray) else home.xp
    return xp.reshape(source, sizes)
