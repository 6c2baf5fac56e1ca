"""Follows every link of the built pages: check_site.py build/docs.

A link within the site must lead to a file and, with a hash, to an element of that name; and no page may fetch a script,
style, font or picture from elsewhere, so that the site works without a network.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, as against what a reader follows.
FETCHED = {"script": "src", "link": "href", "img": "src", "source": "src", "iframe": "src"}
# Links that say something about the page rather than load something.
NOT_FETCHED = frozenset({"canonical", "index", "search", "next", "prev", "author", "copyright"})


@dataclass
class Page(HTMLParser):
    """The links and the anchors of one page."""

    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in FETCHED and FETCHED[tag] in given and given.get("rel") not in NOT_FETCHED:
            self.fetched.append(given[FETCHED[tag]])


def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def faults(site: Path) -> list[str]:
    """Sentences on what leads nowhere or out of the site."""
    pages = {path.resolve(): read(path) for path in sorted(site.rglob("*.html"))}
    found = [] if pages else [f"there are no pages in {site}"]
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for link in page.fetched:
            if urlsplit(link).netloc:
                found.append(f"{name} fetches {link}")
        for link in (*page.links, *page.fetched):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                found.append(f"{name} leads to {link}: there is no such file")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name} leads to {link}: nothing there has that name")
    return found


def main() -> None:
    site = Path(sys.argv[1])
    found = faults(site)
    if found:
        raise SystemExit("\n".join(found))
    print(f"all links of {len(list(site.rglob('*.html')))} pages lead somewhere, and none is needed from elsewhere")


if __name__ == "__main__":
    main()
