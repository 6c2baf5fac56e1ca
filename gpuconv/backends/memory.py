"""How much memory one call may take. The number changes the path, and so the last bits, never the meaning."""

from __future__ import annotations

import re
from collections.abc import Callable

from gpuconv.core.arguments import read_integer, refusal

_EVERYWHERE = "every device"
_limits: dict[str, int] = {}
_listeners: list[Callable[[], None]] = []


def set_memory_limit(limit: int | None, device: str | None = None) -> None:
    """Let one call take at most `limit` bytes on top of its input: ``result + work <= limit`` where a way is known.

    Holds for the whole process. What it bounds: `convolve`, `correlate` and all that is built on them choose, with
    ``method="auto"``, among the methods whose predicted memory (`Plan.memory`) is within the limit, and ``"overlap"``
    takes blocks that short; if no method is within it, the one that needs least is taken. On CUDA, transforms moreover
    cut their work into blocks that fit, whatever the method. What it does not bound: the input itself, arrays of the
    caller's, and what is kept between calls (cuFFT plans and kernel spectra, see the page on GPUs).

    Parameters
    ----------
    limit : int or None
        Bytes, 1 or more. None lifts what was set for that device.
    device : str, optional
        ``"cpu"``, ``"cuda"`` for all GPUs, or one of them, ``"cuda:0"``. Default: every device. The most special
        limit that was set holds.

    Raises
    ------
    ValueError
        If `limit` is not positive, or `device` is none of these.
    TypeError
        If `limit` is not an integer.

    Examples
    --------
    >>> import numpy as np, gpuconv
    >>> x, kernel = np.zeros((4096, 4096), np.float32), np.random.default_rng(0).normal(size=(255, 255))
    >>> gpuconv.set_memory_limit(80 * 2**20)
    >>> gpuconv.plan_convolution(x, kernel).memory <= 80 * 2**20
    True
    >>> gpuconv.set_memory_limit(None)
    """
    key = _EVERYWHERE if device is None else _read_device(device)
    if limit is None:
        _limits.pop(key, None)
    else:
        limit = read_integer("limit", limit)
        if limit < 1:
            raise ValueError(
                refusal("limit must be a number of bytes, 1 or more", f"got {limit}", "Give None for no limit")
            )
        _limits[key] = limit
    for listener in _listeners:
        listener()


def memory_limit(device: str) -> int | None:
    """Bytes that a call on that device may take, as libraries spell it: "cpu", "cuda:0", "<CUDA Device 0>"."""
    if not _limits:
        return None
    name = _device_name(device)
    keys = (name, name.partition(":")[0], _EVERYWHERE)
    return next((_limits[key] for key in keys if key in _limits), None)


def when_limits_change(listener: Callable[[], None]) -> None:
    """Have `listener` called after every change: plans made before may be others now."""
    _listeners.append(listener)


def _device_name(device: str) -> str:
    """ "cpu", "cuda" or "cuda:1"."""
    lowered = device.lower()
    if "cuda" not in lowered and "gpu" not in lowered:
        return "cpu"
    number = re.search(r"\d+", lowered)
    return "cuda" if number is None else f"cuda:{number[0]}"


def _read_device(device: object) -> str:
    if isinstance(device, str) and re.fullmatch(r"cpu|cuda(:\d+)?", device):
        return device
    raise ValueError(
        refusal("device must be 'cpu', 'cuda' or one GPU such as 'cuda:0'", f"got {device!r}", "Leave it away for all")
    )
