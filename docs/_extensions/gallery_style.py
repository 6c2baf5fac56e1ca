"""How the pictures of the gallery look: one style for all pages, set anew before each."""

from __future__ import annotations

from typing import Any

STYLE = {
    "axes.grid": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.size": 11,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "savefig.facecolor": "white",
}


def apply(gallery_conf: dict[str, Any], name: str) -> None:
    """Called by sphinx-gallery before each page."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcdefaults()
    mpl.rcParams.update(STYLE)
