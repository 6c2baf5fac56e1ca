"""The Markdown pages, written for any viewer, as Sphinx wants them.

* Every page that a table of ``index.md`` links to becomes an entry of the navigation, under the heading of its table;
  below them come the modules of the reference.
* Links to a gallery source (``gallery/20_feature_maps.py``) lead to the page made from it.
* Links that leave ``docs/`` have no target on the site: their text stays.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from api_pages import documented

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s:]+)\)")


def on_the_site(page: str, text: str) -> str:
    """The source of a page with its links changed; `page` is its path below docs/, without a suffix."""

    def changed(link: re.Match[str]) -> str:
        path, hash_sign, anchor = link["target"].partition("#")
        below = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
        if below.startswith(".."):
            return link["text"]
        if below == "gallery" or below.startswith("gallery/"):
            name = "index" if below == "gallery" else posixpath.basename(below).removesuffix(".py")
            start = posixpath.relpath("auto_gallery", posixpath.dirname(page) or ".")
            return f"[{link['text']}]({start}/{name}.rst{hash_sign}{anchor})"
        return link[0]

    return LINK.sub(changed, text)


def navigation(index: str) -> str:
    """Tables of contents in MyST's spelling, one per heading of the index that has a table of pages."""
    trees = []
    for part in re.split(r"^## +", index, flags=re.MULTILINE)[1:]:
        caption, _, body = part.partition("\n")
        entries = [f"{match['text']} <{_entry(match['target'])}>" for match in LINK.finditer(_first_cells(body))]
        if entries:
            trees.append(_tree(caption.strip(), entries))
    return "\n\n".join([*trees, _tree("Modules", [f"api/{dotted}" for dotted, _, _ in documented()])])


def _tree(caption: str, entries: list[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```"])


def _first_cells(body: str) -> str:
    return "\n".join(line.split("|")[1] for line in body.splitlines() if line.startswith("| "))


def _entry(target: str) -> str:
    return re.sub(r"\.(md|rst)$", "", target)


def read(app: Sphinx, page: str, source: list[str]) -> None:
    if app.env.doc2path(page).suffix != ".md":
        return
    source[0] = on_the_site(page, source[0])
    if page == "index":
        source[0] += "\n" + navigation(source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
