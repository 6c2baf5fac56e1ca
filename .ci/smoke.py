"""What must work right after ``pip install gpuconv``, without extras: run with the Python it was installed into."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np

import gpuconv


def main() -> None:
    home = Path(gpuconv.__file__).parent
    assert "site-packages" in home.parts, f"gpuconv was imported from {home}, not from the installed wheel"
    assert (home / "py.typed").is_file(), "the wheel lacks py.typed"
    assert importlib.metadata.version("gpuconv") == gpuconv.__version__
    assert importlib.util.find_spec("tests") is None, "the wheel installs the tests"
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    blurred = gpuconv.convolve(image, [[1, 2, 1]], boundary="reflect")
    assert blurred.dtype == np.float32
    assert blurred.tolist() == [[1, 4, 8, 11], [17, 20, 24, 27], [33, 36, 40, 43]], blurred.tolist()
    print(f"gpuconv {gpuconv.__version__} works from {home}")


if __name__ == "__main__":
    main()
