"""The page about the command line: every command on it runs and prints what stands there."""

from __future__ import annotations

import doctest
import re
import shlex

import numpy as np
import pytest
import tifffile

from gpuconv.cli import COMMANDS, main
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "command-line.md"
CALLS = re.findall(r"^\$ gpuconv (.*)\n((?:(?!\$ |```).*\n)*)", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def _same(printed: str, expected: str) -> bool:
    return doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS)


def test_the_commands_of_the_page_print_what_stands_there(tmp_path, capsys, monkeypatch):
    pytest.importorskip("skimage")
    pytest.importorskip("soundfile")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("gpuconv.backends.devices.cuda_state", lambda: (False, "No GPU for the page."))
    stack = np.arange(20 * 64 * 64).reshape(20, 64, 64) % 4096
    tifffile.imwrite("stack.tif", stack.astype(np.uint16), photometric="minisblack")
    np.save("signal.npy", np.arange(100.0))
    holes = np.arange(40 * 50.0).reshape(40, 50)
    np.save("holes.npy", np.where(holes % 7 == 0, np.nan, holes))
    for words, expected in CALLS:
        code = main(shlex.split(words))
        printed = "".join(capsys.readouterr())
        assert _same(printed, expected), f"gpuconv {words}\nprints\n{printed}\nbut the page says\n{expected}"
        assert code == (2 if "gpuconv: error:" in expected else 0)


def test_the_page_has_an_example_and_a_chapter_for_every_command():
    assert {words.split()[0] for words, _ in CALLS} == {command.name for command in COMMANDS}
    for command in COMMANDS:
        assert f"\n## gpuconv {command.name}\n" in PAGE.read_text(encoding="utf-8")


def test_a_wrong_line_on_the_page_is_found():
    assert _same("a\nb\nc\n", "a\n...\nc\n")
    assert not _same("a\nb\n", "a\nc\n")
    assert not _same("a\nb\n", "a\n")
