"""The few exceptions Python has no word for."""

from __future__ import annotations

__all__ = ["DeviceError", "MissingLibraryError", "OutOfMemoryError"]


class MissingLibraryError(ImportError):
    """An optional library is needed for this call and is not installed; the message names the extra to install."""


class DeviceError(RuntimeError):
    """The device asked for is not there, or cannot be used; the message says why."""


class OutOfMemoryError(MemoryError):
    """A device has no memory left for even the smallest block of work; the message says what was needed and free."""
