"""``__all__`` is what is documented is what is tested; and each check of that is able to fail."""

from __future__ import annotations

import importlib
import sys
import types

import pytest

from tests import surface
from tests.conftest import ROOT

MODULES = surface.public_modules(ROOT / "gpuconv")


def _pages():
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


def _objects(name):
    return list(surface.public_objects(importlib.import_module(name)))


def _names_of_its_own(name):
    """Names that users find in this module, not in the package itself."""
    shown = {} if name == "gpuconv" else dict(_objects("gpuconv"))
    return [own for own, value in _objects(name) if shown.get(own) is not value]


@pytest.mark.parametrize("name", MODULES)
def test_all_names_what_the_module_defines(name):
    found = surface.missing_names(importlib.import_module(name))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_complete_docstring(name):
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), f"{name} has no docstring"
    found = [fault for own, value in _objects(name) for fault in surface.docstring_faults(f"{name}.{own}", value)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_documented(name):
    found = surface.undocumented(name, _names_of_its_own(name), _pages())
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_tested(name):
    here = {"surface.py", "test_public_surface.py"}
    paths = [path for path in (ROOT / "tests").rglob("*.py") if path.name not in here]
    found = surface.untested(name, _names_of_its_own(name), paths)
    assert not found, "\n".join(found)


def test_the_documentation_names_nothing_that_does_not_exist():
    found = surface.stale_names(_pages(), "gpuconv")
    assert not found, "\n".join(found)


def test_public_modules_leave_out_what_is_internal(tmp_path):
    package = tmp_path / "gpuconv"
    for name in ("__init__.py", "kernels.py", "_hidden.py", "core/__init__.py", "core/shapes.py", "neural/layers.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).touch()
    assert surface.public_modules(package) == ["gpuconv", "gpuconv.kernels", "gpuconv.neural.layers"]


SOUND = '''
def blur(x, /, sigma, *, mode):
    """Blur.

    Parameters
    ----------
    x : array
        The image.
    sigma, mode : float, str
        How much: ``a : b``.

    Returns
    -------
    array

    Examples
    --------
    >>> 1 + 1
    2
    """
'''


def _module(code):
    module = types.ModuleType("made_up")
    exec(code, module.__dict__)
    return module


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("", "made_up has no __all__"),
        ("__all__ = ['blur']", "names blur, which does not exist"),
        ("__all__ = []\ndef blur(): ...", "made_up defines blur, which is neither in __all__ nor private"),
        ("__all__ = []\nclass Blur: ...", "made_up defines Blur, which is neither in __all__ nor private"),
    ],
)
def test_a_wrong_all_is_found(code, sentence):
    (found,) = surface.missing_names(_module(code))
    assert sentence in found


def test_private_and_imported_names_need_not_be_in_all():
    code = "__all__ = []\nfrom fractions import Fraction\nimport os\nSIZE = 3\ndef _blur(): ..."
    assert surface.missing_names(_module(code)) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("Blur.", "Blur.", None),
        (">>> 1 + 1", "1 + 1", "blur has no Examples section with >>>"),
        ("Examples\n    --------", "An example:", "blur has no Examples section with >>>"),
        ("sigma, mode :", "sigma :", "blur does not describe its parameter mode"),
        ("x : array", "y : array", "blur does not describe its parameter x"),
        ("Returns\n    -------", "It returns an", "blur does not say what it returns"),
    ],
)
def test_an_incomplete_docstring_is_found(old, new, sentence):
    assert old in SOUND
    found = surface.docstring_faults("blur", _module(SOUND.replace(old, new)).blur)
    assert found == ([] if sentence is None else [sentence])


def test_a_function_that_returns_nothing_need_not_say_so():
    code = SOUND.replace("Returns\n    -------", "It returns nothing.")
    for returned in ("None", "Iterator[None]"):
        function = _module(code.replace("mode):", f"mode) -> {returned}:")).blur
        assert surface.docstring_faults("blur", function) == []


def test_a_missing_docstring_is_found():
    assert surface.docstring_faults("f", lambda: None) == ["f has no docstring"]


@pytest.mark.parametrize(
    "text",
    ["`gpuconv.kernels.sobel`", "see gpuconv.kernels.sobel", "# `gpuconv.kernels`\n| `sobel(axis)` | edges |"],
)
def test_a_documented_name_is_recognised(text):
    assert surface.undocumented("gpuconv.kernels", ["sobel"], {"docs/page.md": text}) == []


@pytest.mark.parametrize(
    "text",
    ["", "sobel", "`gpuconv.sobel`", "# gpuconv.kernels_of\n`sobel`", "# gpuconv.kernels\nx\n# Other\n`sobel`"],
)
def test_an_undocumented_name_is_found(text):
    found = surface.undocumented("gpuconv.kernels", ["sobel"], {"docs/page.md": text})
    assert found == ["gpuconv.kernels.sobel stands on no page of the documentation"]


def test_a_stale_name_on_a_page_is_found(monkeypatch):
    module = types.ModuleType("made_up")
    module.blur = len
    monkeypatch.setitem(sys.modules, "made_up", module)
    page = "`made_up.blur` and made_up.prose\n```python\nmade_up.gone(x)\n```\n`benchmarks/made_up.json/x`"
    assert surface.stale_names({"a.md": page}, "made_up") == ["a.md names made_up.gone, which does not exist"]


def test_an_untested_name_is_found(tmp_path):
    path = tmp_path / "test_blur.py"
    path.write_text(
        "from made_up import blur\nimport other\nother.sharpen\nNAMES = ['emboss', 'a gabor kernel']\n# edge\n"
    )
    names = ["blur", "sharpen", "emboss", "gabor", "edge"]
    assert surface.untested("made_up", names, [path]) == ["made_up.edge is named in no test"]
