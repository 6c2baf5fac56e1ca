"""Pictures of transfer functions; the only place of the package that loads matplotlib, and only when asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.core.arguments import refusal
from gpuconv.errors import MissingLibraryError

POINTS = 257


def draw_transfer(transfer: Any, ndim: int, spacing: float, axes: Any) -> Any:
    """H along one axis as a curve, over two as a picture with a scale."""
    if ndim > 2:
        remedy = "Draw a plane of it with ndim=2, or a line with ndim=1"
        raise ValueError(refusal("pictures have one or two axes", f"got ndim={ndim}", remedy))
    if axes is None:
        axes = _new_axes()
    nyquist = 0.5 / spacing
    unit = "cycles per sample" if spacing == 1 else "cycles per unit"
    axes.set_title(_broken(str(transfer)))
    if ndim == 1:
        frequencies = np.linspace(0, nyquist, POINTS)
        axes.plot(frequencies, np.abs(transfer(frequencies)))
        axes.set(xlabel=f"frequency ({unit})", ylabel="|H|", xlim=(0, nyquist), ylim=(-0.05, None))
        return axes
    line = np.linspace(-nyquist, nyquist, POINTS)
    values = np.abs(transfer(line[:, None], line[None, :]))
    extent = (-nyquist, nyquist, nyquist, -nyquist)
    image = axes.imshow(np.broadcast_to(values, (POINTS, POINTS)), extent=extent, vmin=0, cmap="gray")
    axes.set(xlabel=f"frequency along axis 1 ({unit})", ylabel=f"frequency along axis 0 ({unit})")
    axes.figure.colorbar(image, ax=axes, label="|H|")
    return axes


def _new_axes() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        remedy = 'pip install "gpuconv[images]", or draw transfer(frequencies) yourself'
        raise MissingLibraryError(refusal("plot needs matplotlib", "it is not installed", remedy)) from None
    return Figure(layout="constrained").add_subplot()


def _broken(title: str) -> str:
    """One factor a line, so that a long product fits."""
    return title.replace(" * ", " *\n")
