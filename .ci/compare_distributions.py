"""Compares a built wheel and sdist with the tree: compare_distributions.py FOLDER.

The wheel holds every file of gpuconv/ and nothing else (no tests, and no .cu file left behind); the sdist holds what
it takes to run the suite.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SDIST_NEEDS = ("LICENSE", "Makefile", "README.md", "pyproject.toml", "tests/conftest.py", "docs/reference.md")


def package_files() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / "gpuconv").rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
    }


def faults(folder: Path) -> list[str]:
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    in_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    wanted = package_files()
    return [
        *(f"the wheel lacks {name}" for name in sorted(wanted - in_wheel)),
        *(f"the wheel has {name}, which is not part of gpuconv" for name in sorted(in_wheel - wanted)),
        *(f"the sdist lacks {name}" for name in sorted((wanted | set(SDIST_NEEDS)) - in_sdist)),
    ]


def main() -> None:
    found = faults(Path(sys.argv[1]))
    if found:
        raise SystemExit("\n".join(found))
    print(f"wheel and sdist hold the {len(package_files())} files of gpuconv")


if __name__ == "__main__":
    main()
