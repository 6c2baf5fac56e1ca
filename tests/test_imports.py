"""``import gpuconv`` loads what it must and nothing else: start-up stays quick and optional libraries optional."""

from __future__ import annotations

import pytest

OPTIONAL = (
    "cupy",
    "dask",
    "imageio",
    "jax",
    "llvmlite",
    "matplotlib",
    "skimage",
    "tifffile",
    "torch",
    "tqdm",
    "zarr",
)

LOADED = """
import pkgutil, sys
{statement}
import scipy
public = {{module.name for module in pkgutil.iter_modules(scipy.__path__) if module.ispkg and module.name[0] != "_"}}
subpackages = {{"scipy." + name for name in public}}
print(*sorted(set(sys.modules) & (subpackages | set({optional!r}))))
"""


def _loaded(run_python, statement):
    return run_python(LOADED.format(statement=statement, optional=OPTIONAL)).split()


def test_importing_gpuconv_loads_no_optional_library_and_no_part_of_scipy(run_python):
    assert _loaded(run_python, "import gpuconv") == []


@pytest.mark.parametrize(
    ("statement", "loaded"),
    [("import scipy.ndimage", "scipy.ndimage"), ("import sys; sys.modules['llvmlite'] = sys", "llvmlite")],
)
def test_what_is_loaded_is_noticed(run_python, statement, loaded):
    assert loaded in _loaded(run_python, statement)
