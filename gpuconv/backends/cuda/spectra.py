"""Spectra of kernels, made once for kernels whose values are at hand, and kept as long as they take few bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, isfinite, prod
from typing import Any

import numpy as np

from gpuconv.backends.byte_cache import ByteCache
from gpuconv.backends.cuda import cufft, fourier_launches, runtime
from gpuconv.backends.cuda.cufft import Block
from gpuconv.backends.cuda.fourier_launches import Box, Memory, Module, Outside, Tiles
from gpuconv.backends.cuda.launch import ceil_div
from gpuconv.core.boundary import Span
from gpuconv.core.dtypes import complex_of, is_complex, is_integer, real_of
from gpuconv.core.namespace import dtype_name


@dataclass(frozen=True)
class Spectrum:
    """What a block's spectrum is multiplied by, so that it becomes that of its correlation with a kernel.

    Attributes
    ----------
    factors : tuple of array
        One, or those of the real and of the imaginary part, where a complex kernel meets real samples.
    exponent : int
        Of the power of two that the kernel was divided by.
    flag : array or None
        LARGE where a kernel on the device was scaled down; None for kernels at hand.
    support : array or None
        Bits of the taps that are not zero; None where nobody asks for them.
    bytes : int
    """

    factors: tuple[Any, ...]
    exponent: int
    flag: Any
    support: Any
    bytes: int


class SpectrumCache(ByteCache):
    """The spectra used last, as long as they together stay within `limit` bytes."""

    _content = "kernel spectra"


# As for plans: one spectrum of 4374 x 4374 complex64 needs a quarter of it.
spectrum_cache = SpectrumCache(2**28)


def spectrum_of(kernel: Any, block: Block, marked: bool, module: Module) -> Spectrum:
    """The spectrum of `kernel`, in correlation order with the axes of the block; from the cache if it is at hand.

    `module` is that of the images, which makes the spectrum, too, if it is of the same types.
    """
    block = block.with_entries(1)
    if type(kernel) is not np.ndarray:
        return _of_device(kernel, block, marked, module)
    owner = cufft.current().owner()
    key = (owner, kernel.tobytes(), kernel.shape, dtype_name(kernel.dtype), block.lengths, block.dtype, marked)
    return spectrum_cache.get(key, lambda: _of_host(kernel, block, marked, module), lambda spectrum: spectrum.bytes)


def normalized(kernel: np.ndarray, dtype: str) -> tuple[np.ndarray, int]:
    """`kernel` over a power of two that brings its largest part into [1, 2), in the precision of `dtype`.

    Small weights then cannot be lost in a product, nor large ones overflow it, whatever the precision. A kernel with
    taps that are not finite stays as it is.
    """
    name = complex_of(dtype) if is_complex(dtype_name(kernel.dtype)) else real_of(dtype)
    if is_integer(dtype_name(kernel.dtype)):
        return kernel.astype(name), 0
    largest = float(max(np.abs(kernel.real).max(initial=0), np.abs(kernel.imag).max(initial=0)))
    exponent = frexp(largest)[1] - 1 if largest > 0 and isfinite(largest) else 0
    most = 126 if real_of(dtype) == "float32" else 1022
    exponent = min(max(exponent, -most), most)
    with np.errstate(over="ignore", invalid="ignore"):
        # Two steps: 2^-exponent itself may be no number.
        scaled = kernel * 2.0 ** -(exponent // 2) * 2.0 ** -(exponent - exponent // 2)
        return scaled.astype(name), exponent


def _of_host(kernel: np.ndarray, block: Block, marked: bool, module: Module) -> Spectrum:
    values, exponent = normalized(kernel, block.dtype)
    upload = runtime.current().upload
    parts = [upload(np.ascontiguousarray(np.flip(part))) for part in _parts(values, block)]
    support = upload(fourier_launches.host_support(kernel)) if marked else None
    module = _module(parts[0], block, module, fourier_launches.OF_HOST_KERNEL)
    return Spectrum(_transformed(parts, block, None, module), exponent, None, support, len(parts) * block.bytes)


def _of_device(kernel: Any, block: Block, marked: bool, module: Module) -> Spectrum:
    """Nothing is read back: how large the weights are, the device finds out."""
    execution = runtime.current()
    reverse = (slice(None, None, -1),) * kernel.ndim
    parts = [runtime.readable(part[reverse]) for part in _parts(kernel, block)]
    flag = execution.empty((1,), "uint32")
    module = _module(parts[0], block, module, fourier_launches.OF_DEVICE_KERNEL)
    execution.launch(fourier_launches.clear(flag, module))
    support = None
    if marked:
        support = execution.empty((prod(kernel.shape[:-1]) * ceil_div(kernel.shape[-1], 32),), "uint32")
        kernel = runtime.readable(kernel)
        execution.launch(fourier_launches.pack(kernel, support, _kernel_layout(kernel, block)))
    return Spectrum(_transformed(parts, block, flag, module), 0, flag, support, len(parts) * block.bytes)


def _parts(kernel: Any, block: Block) -> tuple[Any, ...]:
    if block.is_real and is_complex(dtype_name(kernel.dtype)):
        return kernel.real, kernel.imag
    return (kernel,)


def _module(kernel: Any, block: Block, images: Module, kernels: tuple[str, ...]) -> Module:
    """The types are those of the images that are mostly met, so that what is compiled for them serves the kernel."""
    own = Module.of(dtype_name(kernel.dtype), block.dtype, block.dtype, kernels)
    return images if images.types == own.types and set(kernels) <= set(images.kernels) else own


def _kernel_layout(kernel: Any, block: Block) -> np.ndarray:
    spans = [Span(axis, taps, taps, 0, 1, "constant") for axis, taps in enumerate(kernel.shape)]
    box = Box(block.lengths, (0,) * kernel.ndim)
    return fourier_launches.layout(block, Outside.of_kernel(kernel), box, spans, Tiles())


def _transformed(parts: Sequence[Any], block: Block, flag: Any, module: Module) -> tuple[Any, ...]:
    """Spectra of weights on the device. Where there is a flag, it is raised for large ones, and all are scaled."""
    execution = runtime.current()
    unused = execution.empty((1,), "uint32") if flag is None else flag
    checked = fourier_launches.NOTHING if flag is None else fourier_launches.ONLY_LARGE
    zero = np.dtype(block.dtype).type(0)
    spectra = [execution.empty((1, block.frequencies), complex_of(block.dtype)) for _ in parts]
    works = [
        (Memory.around(module, each, each, block.dtype, unused, unused, unused), _kernel_layout(part, block))
        for each, part in zip(spectra, parts, strict=True)
    ]
    for part, (memory, at) in zip(parts, works, strict=True):
        execution.launch(fourier_launches.gather(part, memory, zero, at, block, checked))
    for memory, at in works:
        if flag is not None:
            execution.launch(fourier_launches.rescale(memory, at, block))
        cufft.current().forward(memory.spectra, block)
    return tuple(spectra)
