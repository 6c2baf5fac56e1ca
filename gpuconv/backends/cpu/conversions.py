"""Samples from the dtype they are stored in to the one that is summed in, and sums to what the caller wants.

Loops convert while they load a block into scratch, and while they store: no copy of a whole image is made. As with the
sums, there is one small function for each pair of dtypes that is asked for, called through its address.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding, ir

from gpuconv.backends.cpu.compiling import compiled_address
from gpuconv.backends.cpu.instructions import caller, external, instruction

# Samples that are converted at a time: a 512-bit register of single precision, or two of 256 bits.
LANES = 16
HALF = ir.HalfType()
FLOATS = {"float16": HALF, "float32": ir.FloatType(), "float64": ir.DoubleType()}
# Instructions that convert half precision. Others would need functions of a library that is not there.
CONVERTS_HALF = bool(binding.get_host_cpu_features().get("f16c")) or "aarch64" in binding.get_process_triple()
# Results that sums are rounded to while they are stored: integers whose range every float dtype holds exactly.
NARROW = ("int8", "uint8", "int16", "uint16")


def is_loaded(stored: np.dtype, working: np.dtype) -> bool:
    """Whether samples are brought to `working` while loading; others are better cast before."""
    if stored.kind in "iu":
        return working.kind in "iuf" and stored.itemsize < working.itemsize
    return stored.name == "float16" and working.name == "float32" and CONVERTS_HALF


def is_stored(working: np.dtype, result: np.dtype) -> bool:
    """Whether sums are rounded to `result` while storing; others are better rounded afterwards."""
    if result.name == "float16":
        return working.name == "float32" and CONVERTS_HALF
    if result.name == "float32":
        return working.name == "float64"
    return result.name in NARROW and working.kind in "iuf" and result.itemsize < working.itemsize


@cache
def load_address(stored: np.dtype, working: np.dtype) -> int:
    """Where `load` from `stored` to `working` begins."""
    return compiled_address(_loading(stored.name, working.name, stored.itemsize, working.itemsize), 4, stored, working)


@cache
def store_address(working: np.dtype, result: np.dtype) -> int:
    """Where `store` from `working` to `result` begins."""
    return compiled_address(_storing(working.name, result.name, working.itemsize, result.itemsize), 3, working, result)


def _loading(source_name: str, target_name: str, narrow: int, wide: int) -> Callable[..., None]:
    def load(destination: int, source: int, stride: int, count: int) -> None:
        """`count` samples, `stride` bytes apart in the source and side by side in the destination."""
        done = 0
        if stride == narrow and count >= LANES:
            while done < count:
                at = min(done, count - LANES)
                convert_run(source_name, target_name, destination + at * wide, source + at * narrow)
                done += LANES
        while done < count:
            convert_sample(source_name, target_name, destination + done * wide, source + done * stride)
            done += 1

    return load


def _storing(source_name: str, target_name: str, wide: int, narrow: int) -> Callable[..., None]:
    def store(destination: int, source: int, count: int) -> None:
        """`count` samples side by side."""
        done = 0
        while done < count and count >= LANES:
            at = min(done, count - LANES)
            convert_run(source_name, target_name, destination + at * narrow, source + at * wide)
            done += LANES
        while done < count:
            convert_sample(source_name, target_name, destination + done * narrow, source + done * wide)
            done += 1

    return store


class Conversion:
    """Writes the instructions that convert so many samples at a time."""

    def __init__(self, builder: Any, source: str, target: str, lanes: int) -> None:
        self.builder, self.source, self.target, self.lanes = builder, source, target, lanes

    def kind(self, name: str) -> ir.VectorType:
        return ir.VectorType(FLOATS.get(name) or ir.IntType(8 * np.dtype(name).itemsize), self.lanes)

    def between(self, destination: Any, source: Any) -> None:
        """From one address to another."""
        pointers = (
            self.builder.inttoptr(address, self.kind(name).as_pointer())
            for address, name in ((source, self.source), (destination, self.target))
        )
        read, write = pointers
        value = self.builder.load(read, align=np.dtype(self.source).itemsize)
        self.builder.store(self.converted(value), write, align=np.dtype(self.target).itemsize)

    def converted(self, value: Any) -> Any:
        from_float, to_float = self.source in FLOATS, self.target in FLOATS
        if from_float and not to_float:
            return self.rounded(value)
        kind, is_signed = self.kind(self.target), self.source.startswith("i")
        if to_float and not from_float:
            return (self.builder.sitofp if is_signed else self.builder.uitofp)(value, kind)
        widens = np.dtype(self.source).itemsize < np.dtype(self.target).itemsize
        if from_float:
            return (self.builder.fpext if widens else self.builder.fptrunc)(value, kind)
        if widens:
            return (self.builder.sext if is_signed else self.builder.zext)(value, kind)
        return self.saturated(value)

    def rounded(self, value: Any) -> Any:
        """Half to even, into the range of an integer dtype; NaN becomes 0."""
        builder, kind = self.builder, self.kind(self.source)
        limits = np.iinfo(self.target)
        low, high, zero = (self.constant(self.source, float(number)) for number in (limits.min, limits.max, 0))
        value = builder.select(builder.fcmp_unordered("uno", value, value), zero, value)
        value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
        value = builder.select(builder.fcmp_ordered(">", value, high), high, value)
        suffix = "f32" if self.source == "float32" else "f64"
        name = f"llvm.rint.v{self.lanes}{suffix}"
        to_even = external(builder, name, kind, [kind])
        whole = builder.fptosi(builder.call(to_even, [value]), ir.VectorType(ir.IntType(32), self.lanes))
        return builder.trunc(whole, self.kind(self.target))

    def saturated(self, value: Any) -> Any:
        """An integer into the range of a narrower dtype."""
        builder = self.builder
        is_signed = self.source.startswith("i")
        compare = builder.icmp_signed if is_signed else builder.icmp_unsigned
        limits = np.iinfo(self.target)
        low, high = self.constant(self.source, limits.min), self.constant(self.source, limits.max)
        if is_signed:
            value = builder.select(compare("<", value, low), low, value)
        value = builder.select(compare(">", value, high), high, value)
        return builder.trunc(value, self.kind(self.target))

    def constant(self, name: str, number: Any) -> ir.Constant:
        return ir.Constant(self.kind(name), [number] * self.lanes)


def _convert(lanes: int) -> Any:
    """Convert that many neighbouring samples from one address to another; dtypes come as names."""

    @instruction
    def convert(builder: Any, source_name: Any, target_name: Any, destination: Any, source: Any) -> None:
        Conversion(builder, source_name, target_name, lanes).between(destination, source)

    return convert


convert_run = _convert(LANES)
convert_sample = _convert(1)
call_load = caller(4)
call_store = caller(3)
