"""The pages of docs/gallery, without running them: `make docs` does that, and fails where one fails.

What a page shows must be there without a network, and what it says must name what exists.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib

import pytest

from tests import surface
from tests.conftest import ROOT

PAGES = sorted((ROOT / "docs" / "gallery").glob("*.py"))
IDS = [page.stem for page in PAGES]
# Photos that lie inside scikit-image's wheel, and what it computes; `skimage.data` would download all others.
SHIPPED = frozenset(
    {
        *("astronaut", "binary_blobs", "brick", "camera", "cat", "chelsea", "coffee", "coins", "grass", "gravel"),
        *("hubble_deep_field", "moon", "page", "retina", "rocket", "text"),
    }
)
LIBRARIES = frozenset({"gpuconv", "matplotlib", "numpy", "skimage", "scipy", "math"})


def faults(source: str) -> list[str]:
    """What is wrong with the source of a page."""
    tree = ast.parse(source)
    found = [] if re.match(r'r?"""\n(?P<title>.+)\n=+\n\n', source) else ["it does not begin with a title"]
    imported = {name for node in ast.walk(tree) for name in _imported(node)}
    found += [f"it imports {name}, which the extra docs does not bring" for name in sorted(imported - LIBRARIES)]
    photos = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "data"
    }
    found += [f"data.{name} would be downloaded" for name in sorted(photos - SHIPPED)]
    bars = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "colorbar"]
    found += [
        f"the colour bar in line {bar.lineno} has no label"
        for bar in bars
        if "label" not in {keyword.arg for keyword in bar.keywords}
    ]
    return found


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [node.module.partition(".")[0]] if isinstance(node, ast.ImportFrom) else []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_page_of_the_gallery_is_complete(page):
    found = faults(page.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_page_of_the_gallery_names_what_exists(page):
    # Single and double backticks of reStructuredText, as the code spans of Markdown that `stale_names` reads.
    text = page.read_text(encoding="utf-8").replace("``", "`")
    assert "gpuconv" in text
    found = surface.stale_names({page.name: text}, "gpuconv")
    assert not found, "\n".join(found)


def test_the_gallery_is_read_in_the_order_of_its_file_names():
    assert PAGES
    numbers = [re.match(r"(\d\d)_\w+\.py$", page.name) for page in PAGES]
    assert all(numbers), "a page is named with two digits, which say where it stands: 25_feature_maps.py"
    assert len({number[1] for number in numbers}) == len(PAGES)


SOUND = '"""\nTitle\n=====\n\nText.\n"""\n'


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ('"""Title."""\n', "it does not begin with a title"),
        (SOUND + "import cv2.core\n", "it imports cv2, which the extra docs does not bring"),
        (SOUND + "from torch import nn\n", "it imports torch, which the extra docs does not bring"),
        (SOUND + "from skimage import data\ndata.kidney()\n", "data.kidney would be downloaded"),
        (SOUND + "figure.colorbar(shown, ax=panel)\n", "the colour bar in line 7 has no label"),
    ],
)
def test_what_is_wrong_with_a_page_is_found(source, sentence):
    assert faults(source) == [sentence]


def test_a_sound_page_has_no_faults():
    assert faults(SOUND + "from skimage import data\ndata.camera()\nfigure.colorbar(shown, label='metres')\n") == []


def _drawings():
    spec = importlib.util.spec_from_file_location("drawings", ROOT / "docs" / "drawings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["boundaries.svg", "centring.svg"])
def test_the_drawings_are_what_gpuconv_computes(name):
    drawings = _drawings()
    drawn = (drawings.IMAGES / name).read_text(encoding="utf-8")
    assert drawn == drawings.DRAWINGS[name](), f"docs/images/{name} is out of date: run python docs/drawings.py"


def test_the_docs_extra_brings_what_the_gallery_imports():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert "gpuconv[images]" in extras["docs"]
