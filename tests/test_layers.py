"""The order of layers holds in gpuconv, and the reader of imports catches each way of breaking it."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from tests.layers import violations


def test_gpuconv_keeps_the_order_of_its_layers():
    found = violations(ROOT / "gpuconv")
    assert not found, "\n".join(found)


def _write(tmp_path, files):
    package = tmp_path / "gpuconv"
    sound = {
        "__init__.py": "from gpuconv.convolution import convolve\nfrom gpuconv import kernels\n",
        "errors.py": "class DeviceError(RuntimeError): ...\n",
        "core/__init__.py": "",
        "core/arguments.py": "from gpuconv.errors import DeviceError\n",
        "core/namespace.py": "import array_api_compat\nfrom gpuconv.core.arguments import refusal\n",
        "backends/__init__.py": "from . import generic\n",
        "backends/generic.py": "import scipy.ndimage\nfrom scipy import signal\nfrom ..core import namespace\n",
        "kernels.py": "import numpy\nimport scipy.special\n",
        "convolution.py": "from gpuconv.backends import generic\nfrom .core.arguments import read_axes\n",
        "ndimage.py": "from gpuconv.convolution import convolve\n",
        "cli/__init__.py": "import gpuconv\nfrom gpuconv import __version__, ndimage\nfrom . import images\n",
        "cli/images.py": "import imageio\n",
        "__main__.py": "from gpuconv.cli import main\n",
    }
    for name, text in (sound | files).items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return package


def test_a_sound_tree_breaks_no_rule(tmp_path):
    assert violations(_write(tmp_path, {})) == []


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("core/shapes.py", "\nimport gpuconv.kernels\n", "shapes.py:2: core.shapes imports kernels of a layer above"),
        ("core/shapes.py", "def f():\n    from ..kernels import box\n", "shapes.py:2: core.shapes imports kernels of"),
        (
            "core/shapes.py",
            "from gpuconv import kernels\n",
            "shapes.py:1: core.shapes imports kernels of a layer above",
        ),
        ("core/shapes.py", "from gpuconv import __version__\n", "core.shapes imports the package itself of a layer"),
        ("core/shapes.py", "import importlib\nimportlib.import_module('gpuconv.cli')\n", "shapes.py:2: .* imports cli"),
        ("kernels.py", "from gpuconv.convolution import convolve\n", "kernels.py:1: .*convolution of its own layer"),
        ("signal.py", "from . import ndimage\n", "signal.py:1: signal imports ndimage of its own layer"),
        ("kernels.py", "import torch\n", "kernels.py:1: kernels imports torch: only core/namespace.py and backends/"),
        ("kernels.py", "from jax import numpy as jnp\n", "kernels.py:1: kernels imports jax: only"),
        ("core/shapes.py", "import array_api_compat\n", "core.shapes imports array_api_compat: only"),
        ("ndimage.py", "from scipy import ndimage\n", "ndimage imports scipy.ndimage: SciPy's originals"),
        ("ndimage.py", "from scipy.ndimage import correlate\n", "ndimage imports scipy.ndimage: SciPy's originals"),
        ("ndimage.py", "import scipy.signal as original\n", "ndimage imports scipy.signal: SciPy's originals"),
        ("filters.py", "import zarr\n", "filters imports zarr: only"),
        ("other.py", "import os\n", "'other' has no place in the order of layers"),
        ("core/arguments.py", "from gpuconv.core import namespace\n", "circle of imports: core.* -> core.* -> core"),
        ("backends/generic.py", "import gpuconv.backends\n", "circle of imports: backends"),
    ],
)
def test_a_broken_rule_is_named_with_its_line(tmp_path, name, text, sentence):
    found = violations(_write(tmp_path, {name: text}))
    assert len(found) == 1
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(found[0])


def test_zarr_is_for_tiled_alone(tmp_path):
    assert violations(_write(tmp_path, {"tiled.py": "import zarr\n"})) == []
