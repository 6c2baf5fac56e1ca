"""What a GPU is made of, read from CuPy where it is loaded: the planner's constants for CUDA follow from it."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

# Single-precision lanes of a multiprocessor by compute capability; those not listed have 128.
LANES = {(6, 0): 64, (7, 0): 64, (7, 2): 64, (7, 5): 64, (8, 0): 64}


@dataclass(frozen=True)
class Gpu:
    """Peaks of one card, none of which a program reaches.

    Attributes
    ----------
    bandwidth : int
        Bytes a second between the card's memory and its processors.
    products : int
        Multiply-adds a second in single precision.
    cache : int
        Bytes of the cache that all multiprocessors share.
    memory : int
        Bytes of the card's memory; 0 if not known.
    """

    bandwidth: int
    products: int
    cache: int
    memory: int = 0


def gpu_of(attributes: Mapping[str, int], memory: int = 0) -> Gpu | None:
    """From the attributes of the CUDA runtime, as `cupy.cuda.Device.attributes` has them; None where one is missing.

    Clocks are in kHz, the width of the memory bus in bits; memory moves its width twice a clock.
    """
    capability = attributes.get("ComputeCapabilityMajor", 0), attributes.get("ComputeCapabilityMinor", 0)
    lanes = attributes.get("MultiProcessorCount", 0) * LANES.get(capability, 128)
    bandwidth = 2 * attributes.get("MemoryClockRate", 0) * 1000 * attributes.get("GlobalMemoryBusWidth", 0) // 8
    products = lanes * attributes.get("ClockRate", 0) * 1000
    if bandwidth < 1 or products < 1:  # some integrated and virtual devices do not tell
        return None
    return Gpu(bandwidth, products, attributes.get("L2CacheSize", 0), memory)


def gpu(device: str) -> Gpu | None:
    """The card of that name ("cuda:1", "<CUDA Device 1>"); None where CuPy is not loaded or the card does not tell."""
    if "cupy" not in sys.modules:
        return None
    number = re.search(r"\d+", device)
    return _read(int(number[0]) if number else 0)


@functools.cache
def _read(number: int) -> Gpu | None:
    cuda = sys.modules["cupy"].cuda
    try:
        memory = int(cuda.runtime.getDeviceProperties(number)["totalGlobalMem"])
        return gpu_of(cuda.Device(number).attributes, memory)
    except cuda.runtime.CUDARuntimeError:  # plans can be made where no driver is
        return None
