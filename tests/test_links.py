"""Every relative link of README, CONTRIBUTING, CHANGELOG and docs/ leads to a file and a heading that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def _without_code(text: str) -> str:
    fenced = re.sub(r"^ *(`{3,}).*?^ *\1 *$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\n\n(?: {4,}\S.*\n)+", "\n\n", fenced)


def _anchors(page: Path) -> set[str]:
    """What viewers make of headings: lower case, punctuation dropped, hyphens for spaces."""
    text = re.sub(r"^ *(`{3,}).*?^ *\1 *$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+?) *$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> list[str]:
    """The links and images of a page that lead nowhere."""
    dead = []
    for link in re.findall(r"\]\(<?([^)\s>]+)>?[^)]*\)", _without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists():
            dead.append(f"{page.name} links to {link}: there is no {path}")
        elif anchor and anchor not in _anchors(target):
            dead.append(f"{page.name} links to {link}: there is no heading for {anchor}")
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    found = dead_links(page)
    assert not found, "\n".join(found)


def test_a_dead_link_is_found(tmp_path):
    (tmp_path / "other.md").write_text("# Same, full & `valid`\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](other.md) [b](other.md#same-full--valid) [c](#here) [d](https://example.org/x) `[e](gone.md)`\n"
        "\n    F[k](f) = 1\n    F[x](f)\n\n"
        '```\n[f](gone.md)\n```\n![g](gone.png "title") [h](other.md#no-heading) [i](#there)\n'
    )
    assert dead_links(page) == [
        "page.md links to gone.png: there is no gone.png",
        "page.md links to other.md#no-heading: there is no heading for no-heading",
        "page.md links to #there: there is no heading for there",
    ]
