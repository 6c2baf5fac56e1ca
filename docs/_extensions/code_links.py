"""Code in the text that names something public becomes a link to its page.

``gpuconv.filters.sobel`` is a link wherever it stands; ``sobel(x, axis)`` is one in a section whose heading, or one
above it, names the module. In docstrings and gallery pages, single backticks mark code that may name something of the
same module; one that begins with ``gpuconv.`` and names nothing is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode

LOGGER = logging.getLogger(__name__)
NAME = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(\(.*\))?", re.DOTALL)
MODULE = re.compile(r"\bgpuconv(?:\.\w+)*")


class Code(SphinxRole):
    """The role of single backticks: code, with the module in which it stands."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        module = self.env.ref_context.get("py:module")
        return [nodes.literal(self.rawtext, self.text, module=module, strict=True)], []


def modules_around(literal: nodes.literal) -> Iterator[str]:
    """The module a docstring belongs to; those that the headings above name, the nearest first."""
    if literal.get("module"):
        yield literal["module"]
    node = literal
    while node.parent is not None:
        node = node.parent
        if isinstance(node, nodes.section) and isinstance(node[0], nodes.title):
            found = MODULE.search(node[0].astext())
            if found:
                yield found[0]


class CodeLinks(SphinxPostTransform):
    default_priority = 400

    def run(self, **options: Any) -> None:
        for literal in list(self.document.findall(nodes.literal)):
            if not isinstance(literal.parent, nodes.reference | nodes.title):
                self._link(literal)

    def _link(self, literal: nodes.literal) -> None:
        match = NAME.fullmatch(literal.astext())
        if match is None:
            return
        objects = self.env.domains["py"].objects
        here = self.env.docname
        for dotted in (match["name"], *(f"{module}.{match['name']}" for module in modules_around(literal))):
            entry = objects.get(dotted)
            if entry is not None and dotted.startswith("gpuconv"):
                if entry.docname != here:
                    code = literal.deepcopy()
                    literal.replace_self(
                        make_refnode(self.app.builder, here, entry.docname, entry.node_id, code, dotted)
                    )
                return
        if literal.get("strict") and match["name"].startswith("gpuconv."):
            LOGGER.warning("%s names nothing public", match["name"], location=literal)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("public", Code())
    app.add_post_transform(CodeLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
