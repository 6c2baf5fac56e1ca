"""What `make docs` is made of: the sources as Sphinx gets them, and the check of the built pages."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

EXTENSIONS = ROOT / "docs" / "_extensions"


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def page_sources(monkeypatch):
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    for name in ("page_sources", "api_pages"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return _module(EXTENSIONS / "page_sources.py")


@pytest.mark.parametrize(
    ("page", "given", "wanted"),
    [
        ("index", "[a](tutorial.md#images)", "[a](tutorial.md#images)"),
        ("index", "[a](gallery/)", "[a](auto_gallery/index.rst)"),
        ("index", "[a](gallery/10_mixing.py)", "[a](auto_gallery/10_mixing.rst)"),
        ("how-to/dask", "[a](../gallery/10_mixing.py#x)", "[a](../auto_gallery/10_mixing.rst#x)"),
        ("how-to/dask", "[a](../scipy.md) [b](../../README.md)", "[a](../scipy.md) b"),
        ("scipy", "[`run.py`](../tests/run.py)", "`run.py`"),
        (
            "scipy",
            "![a](images/sheet.png) [b](https://example.org/x)",
            "![a](images/sheet.png) [b](https://example.org/x)",
        ),
    ],
)
def test_links_of_a_page_lead_to_where_the_site_has_it(page_sources, page, given, wanted):
    assert page_sources.on_the_site(page, given) == wanted


def test_the_navigation_has_an_entry_for_each_page_in_the_tables_of_the_index(page_sources):
    index = (
        "# Title\n\nSee [x](x.md).\n\n## Start\n\n| page | for |\n|---|---|\n| [Tutorial](tutorial.md) | [b](b.md) |\n"
        "\n## None\n\ntext\n\n## Guides\n\n| [Gallery](auto_gallery/index.rst) | pictures |\n"
    )
    assert page_sources.navigation(index).startswith(
        "```{toctree}\n:hidden:\n:caption: Start\n\nTutorial <tutorial>\n```\n\n"
        "```{toctree}\n:hidden:\n:caption: Guides\n\nGallery <auto_gallery/index>\n```\n\n"
        "```{toctree}\n:hidden:\n:caption: Modules\n\napi/gpuconv\n"
    )


def test_every_page_is_in_the_navigation_and_the_reference_has_every_module(page_sources):
    source = page_sources.on_the_site("index", (ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    entries = set(re.findall(r"<(.+)>$|^(api/.+)$", page_sources.navigation(source), flags=re.MULTILINE))
    named = {first or second for first, second in entries}
    pages = {str(path.relative_to(ROOT / "docs").with_suffix("")) for path in (ROOT / "docs").rglob("*.md")}
    assert pages - {"index"} <= named
    assert {"auto_gallery/index", "api/gpuconv", "api/gpuconv.filters"} <= named


def test_dead_links_and_foreign_scripts_of_a_site_are_found(tmp_path):
    check = _module(ROOT / ".ci" / "check_site.py")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.html").write_text('<h1 id="there">x</h1><a href="../a.html#top">a</a><a name="old"></a>')
    (tmp_path / "s.css").write_text("")
    sound = (
        '<body id="top"><link rel="stylesheet" href="s.css?v=1">'
        '<a href="b/c.html#there">a</a><a href="b/c.html#old">a</a>'
        '<a href="https://example.org">a</a><link rel="canonical" href="https://example.org/a.html">'
    )
    (tmp_path / "a.html").write_text(sound)
    assert check.faults(tmp_path) == []
    (tmp_path / "a.html").write_text(
        sound + '<a href="gone.html">a</a><a href="b/c.html#gone">a</a><img src="gone.png">'
        '<script src="https://example.org/x.js"></script>'
    )
    assert check.faults(tmp_path) == [
        "a.html fetches https://example.org/x.js",
        "a.html leads to gone.html: there is no such file",
        "a.html leads to b/c.html#gone: nothing there has that name",
        "a.html leads to gone.png: there is no such file",
    ]
    assert check.faults(tmp_path / "b" / "none") == [f"there are no pages in {tmp_path / 'b' / 'none'}"]


PROJECT = """
import subprocess
import sys
sys.path.insert(0, {extensions!r})
extensions = ["code_links", "mathml"]
default_role = "public"
html_math_renderer = "mathml"
"""


def test_a_name_that_does_not_exist_and_a_broken_formula_are_reported(tmp_path):
    pytest.importorskip("sphinx")
    (tmp_path / "conf.py").write_text(PROJECT.format(extensions=str(EXTENSIONS)))
    (tmp_path / "index.rst").write_text("Title\n=====\n\n`gpuconv.gone`, `x`, :math:`n^2`, :math:`\\nosuch`\n")
    command = [sys.executable, "-m", "sphinx", "-NqW", "-b", "html", str(tmp_path), str(tmp_path / "out")]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert finished.returncode != 0
    assert re.findall(r"WARNING: (.*?): |WARNING: (.*)$", finished.stderr, flags=re.MULTILINE) == [
        ("", "gpuconv.gone names nothing public"),
        ("a formula cannot be drawn", ""),
    ]
    assert "<msup>" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
