"""Machine code that is kept on disk between processes.

One file for each function, processor and version of LLVM: a digest of this folder's sources and of the code, then the
code. A file that does not begin so, because sources have changed or because it was cut short, counts as none, and is
written anew.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# A folder to keep code in, in place of those that are looked for.
VARIABLE = "GPUCONV_CACHE_DIR"
_SIZE = hashlib.sha256().digest_size


def place(name: str, host: str) -> Path | None:
    """The file for the function of that name; None if there is nowhere to write."""
    folder = _folder()
    if folder is None:
        return None
    readable = "".join(letter if letter.isalnum() or letter in "-_" else "." for letter in name)[:80]
    return folder / f"{readable}.{hashlib.sha256(f'{name}|{host}'.encode()).hexdigest()[:16]}.code"


def load(place: Path | None) -> bytes | None:
    """The code that is kept there; None if there is none for these sources."""
    with suppress(OSError):
        content = b"" if place is None else place.read_bytes()
        code = content[_SIZE:]
        if content[:_SIZE] == _digest(code):
            return code
    return None


def save(place: Path | None, code: bytes) -> None:
    """Keep code, if that can be done. Other processes see all of it or nothing."""
    if place is None:
        return
    with suppress(OSError):
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=place.name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_digest(code) + code)
            os.replace(name, place)
        except BaseException:  # no room left, or Windows, where another process reads the file just now; or a signal
            os.unlink(name)
            raise


def _digest(code: bytes) -> bytes:
    return hashlib.sha256(sources_digest() + code).digest()


@functools.cache
def sources() -> dict[str, bytes]:
    """The sources of this folder by path, as they are when first asked for: files may change under a process."""
    folder = Path(__file__).parent
    found = {str(path): path.read_bytes() for path in sorted(folder.glob("*.py"))}
    if not found:  # in an archive, or where only what Python has compiled is installed
        raise RuntimeError(f"there are no sources in {folder}")
    return found


@functools.cache
def sources_digest() -> bytes:
    return hashlib.sha256(b"".join(sources().values())).digest()


@functools.cache
def _folder() -> Path | None:
    return next((folder for folder in _folders() if _is_writable(folder)), None)


def _folders() -> Iterator[Path]:
    """Where code may be kept: where the user says, else beside the package, else among the user's own files."""
    given = os.environ.get(VARIABLE)
    if given:
        yield Path(given)
        return
    yield Path(__file__).parent / "__pycache__"
    with suppress(RuntimeError):  # there is no home
        if sys.platform == "win32":
            yield Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "gpuconv"
        elif sys.platform == "darwin":
            yield Path.home() / "Library" / "Caches" / "gpuconv"
        else:
            yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpuconv"


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
