"""Runs commands in this process, and makes the files that they read."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpuconv.cli import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def command(capsys: pytest.CaptureFixture[str], *words: Any) -> Outcome:
    """What one command line did: exit code and what it printed."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    return Outcome(code, *capsys.readouterr())


def assert_done(outcome: Outcome) -> None:
    assert (outcome.code, outcome.err) == (0, "")


def assert_refused(outcome: Outcome, *fragments: str) -> None:
    """Exit code 2 and one line on stderr that holds all fragments."""
    assert outcome.code == 2
    assert outcome.err.startswith("gpuconv: error: ")
    assert outcome.err.count("\n") == 1
    assert outcome.err.endswith((".\n", "?\n"))
    for fragment in fragments:
        assert fragment in outcome.err


def deep_colour_png(path: Path, samples: np.ndarray) -> None:
    """A PNG of 16-bit colours, which Pillow cannot write: shape (rows, columns, 2, 3 or 4), uint16."""
    rows, columns, colours = samples.shape
    header = struct.pack(">IIBBBBB", columns, rows, 16, {2: 4, 3: 2, 4: 6}[colours], 0, 0, 0)
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )


def grey_tiff(path: Path, levels: np.ndarray, bits: int) -> None:
    """A TIFF of 2 or 4 bits a pixel, which tifffile cannot write: one strip, rows filled up to whole bytes."""
    rows, columns = levels.shape
    places = np.arange(bits - 1, -1, -1)
    packed = np.packbits(((levels[..., np.newaxis] >> places) & 1).reshape(rows, -1), axis=1).tobytes()
    packed += b"\0" * (len(packed) % 2)
    # Width, length, bits, no compression, black is 0, offset of the strip, samples, rows in it, bytes of it.
    tags = {256: columns, 257: rows, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: rows, 279: len(packed)}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<I", 8 + len(packed))
    path.write_bytes(head + packed + struct.pack("<H", len(tags)) + directory + bytes(4))
