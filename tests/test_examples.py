"""Every example in a docstring or on a page runs and prints what it says."""

from __future__ import annotations

import importlib.util

import pytest

from tests import examples, libraries
from tests.conftest import ROOT

DOCSTRINGS = [
    pytest.param(test, id=f"{path.relative_to(ROOT)}:{test.name}")
    for path in sorted((ROOT / "gpuconv").rglob("*.py"))
    for test in examples.docstring_examples(path)
]
PAGES = [
    pytest.param(path, id=str(path.relative_to(ROOT)))
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
]
OPTIONAL = ("dask", "dask_image", "imageio", "jax", "matplotlib", "llvmlite", "skimage", "tifffile", "torch", "tqdm")


def _skip_without_its_libraries(test):
    for name in sorted(examples.imported_by(test)):
        if name in OPTIONAL and importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
        if name == "cupy" and (reason := libraries.why_absent("cupy")):
            pytest.skip(reason)


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path, monkeypatch):
    """Files that an example writes stay out of the tree."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("test", DOCSTRINGS)
def test_the_example_of_a_docstring_runs(test):
    _skip_without_its_libraries(test)
    examples.run(test)


@pytest.mark.parametrize("path", PAGES)
def test_the_examples_of_a_page_run(path):
    examples.check_plain_blocks(path)
    test = examples.page_example(path)
    _skip_without_its_libraries(test)
    examples.run(test)


def test_there_are_examples_to_run():
    assert len(DOCSTRINGS) > 10
    assert examples.page_example(ROOT / "README.md").examples


SOURCE = '''"""Module.

>>> 1 + 1
2
"""

class Blur:
    """Blur.

    >>> from fractions import Fraction
    >>> Fraction(1, 2)
    Fraction(1, 2)
    """

    def apply(self):
        """Apply.

        >>> 2 + 2
        5
        """

def quiet():
    """No example."""
'''


def test_docstrings_are_found_and_a_wrong_one_fails_with_its_line(tmp_path):
    path = tmp_path / "blur.py"
    path.write_text(SOURCE)
    found = {test.name: test for test in examples.docstring_examples(path)}
    assert list(found) == ["the module", "Blur", "Blur.apply"]
    examples.run(found["the module"])
    examples.run(found["Blur"])
    assert examples.imported_by(found["Blur"]) == {"fractions"}
    with pytest.raises(
        AssertionError, match=r'blur\.py", line 18, in Blur\.apply\n(.*\n)*Expected:\n    5\nGot:\n    4'
    ):
        examples.run(found["Blur.apply"])


def test_an_example_brings_its_own_imports(tmp_path):
    path = tmp_path / "blur.py"
    path.write_text('"""Blur.\n\n>>> helper()\n"""\ndef helper(): ...\n')
    (test,) = examples.docstring_examples(path)
    with pytest.raises(AssertionError, match="NameError: name 'helper' is not defined"):
        examples.run(test)


PAGE = """# Page

```python
>>> size = 3
```

Indented, in a list:

  ```pycon
  >>> size + 1
  {result}
  ```

```
>>> not python
```

* A list:

   ```python
   def blur(x):
       {plain}
   ```
"""


def test_the_blocks_of_a_page_share_a_namespace(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE.format(result=4, plain="y = convolve(x)"))
    examples.check_plain_blocks(path)
    examples.run(examples.page_example(path))


def test_a_wrong_example_on_a_page_fails_with_its_line(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE.format(result=5, plain="y = convolve(x)"))
    with pytest.raises(AssertionError, match=r'page\.md", line 10, in page\.md\n(.*\n)*Expected:\n    5\nGot:\n    4'):
        examples.run(examples.page_example(path))


def test_a_block_that_is_not_python_fails_with_its_line(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE.format(result=4, plain="y = = x"))
    with pytest.raises(SyntaxError, match="invalid syntax") as caught:
        examples.check_plain_blocks(path)
    assert caught.value.lineno == 22
