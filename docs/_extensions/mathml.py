"""Formulas as MathML, which browsers draw by themselves: no script, no fonts, nothing from another site."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
# What the converter raises: its own error is a ValueError, and it trips over lines that are left open.
UNREADABLE = (AttributeError, IndexError, TypeError, ValueError)


def _converted(node: nodes.Element, as_block: bool) -> str:
    try:
        return tex2mathml(node.astext(), as_block=as_block)
    except UNREADABLE as error:
        LOGGER.warning("a formula cannot be drawn: %s: %s", node.astext(), error, location=node)
        return ""


def inline(translator: Any, node: nodes.Element) -> None:
    translator.body.append(_converted(node, as_block=False))
    raise nodes.SkipNode


def display(translator: Any, node: nodes.Element) -> None:
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    anchor = f' id="{node["ids"][0]}"' if node.get("ids") else ""
    translator.body.append(f'<div class="math"{anchor}>{number}{_converted(node, as_block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
