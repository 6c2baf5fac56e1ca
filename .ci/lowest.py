"""Prints the dependencies of gpuconv[images] at their lowest declared versions, one requirement a line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def lowest(requirement: str) -> str:
    """``numpy>=1.26`` -> ``numpy==1.26``; a requirement without a lower bound is an error."""
    match = re.fullmatch(r"([A-Za-z0-9._-]+)\s*>=\s*([0-9.]+)(\s*,.*)?", requirement)
    if match is None:
        raise SystemExit(f"each dependency needs a lower bound: {requirement!r}. Write it as name>=version.")
    return f"{match[1]}=={match[2]}"


def main() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = project["dependencies"] + project["optional-dependencies"]["images"]
    print("\n".join(lowest(requirement) for requirement in requirements))


if __name__ == "__main__":
    main()
