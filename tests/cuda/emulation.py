"""The launchers' runtime on NumPy arrays: ``.cu`` files compiled by g++, threads as fibres (``emulator/``).

Two builds. *check* sees every access to memory, and reports races, reads of what nobody wrote, strays, misaligned
accesses, and what GCC's bounds and overflow checks find. *fast* runs every launch in three orders of threads, whose
results must agree to the bit. In both, arrays end where a page without permission begins. A launch with an argument
that a GPU would take for something else, and a barrier that not all threads reach, are refused by both.

Compiled kernels are kept in the folder for temporary files, by the content of all that went into them.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv.backends.cuda import compile
from gpuconv.backends.cuda.launch import NO_ARRAY, Launch
from gpuconv.backends.cuda.runtime import Device
from tests.libraries import AbsentError, cxx_compiler

FOLDER = Path(__file__).parent / "emulator"
FLAGS = (
    *("-std=c++17", "-fPIC", "-shared", "-w", "-fno-strict-aliasing", "-ffp-contract=off"),
    *("-fno-extern-tls-init", "-fno-gnu-unique", "-fvisibility=hidden"),
)
# Compiling takes longer than running: half as long without optimisation.
CHECKS = (
    *("-O0", "-g1", "-gdwarf-4", "-fsanitize=thread"),
    "-fsanitize=bounds,signed-integer-overflow,shift,integer-divide-by-zero",
)
ORDERS = {"forward": 0, "backward": 1, "random": 2}


_KERNELS = re.compile(r'^extern "C" __global__ void\s+(?:__launch_bounds__\((\w+)[^)]*\)\s+)?(\w+)\(', re.MULTILINE)


class EmulationError(AssertionError):
    """What a GPU might do in silence."""


class _Array(ctypes.Structure):
    _fields_ = (
        ("begin", ctypes.c_void_p),
        ("bytes", ctypes.c_int64),
        ("known", ctypes.c_void_p),
        ("writeable", ctypes.c_int),
    )


class _Order(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("seed", ctypes.c_uint64))


@dataclass
class _Memory:
    """What `empty` gave out: which of its bytes have been written."""

    begin: int
    known: np.ndarray


class EmulatedRuntime:
    """A `Runtime` that computes on NumPy arrays.

    Parameters
    ----------
    check : bool
        Which of the two builds.
    folder : Path, optional
        Where ``.cu`` files are, for kernels that are not part of the package.
    """

    def __init__(self, *, check: bool = True, folder: Path | None = None, multiprocessors: int = 2) -> None:
        self.check = check
        self.folder = folder
        self.launches: list[Launch] = []
        self._multiprocessors = multiprocessors
        self._memories: list[_Memory] = []

    def empty(self, shape: Sequence[int], dtype: Any) -> np.ndarray:
        """Memory full of NaN bytes."""
        count, dtype = math.prod(shape), np.dtype(dtype)
        array = np.frombuffer(self._allocate(count * dtype.itemsize), dtype, count).reshape(tuple(shape))
        array.view(np.uint8 if array.size else dtype)[...] = 255 if array.size else 0
        known = np.zeros(array.nbytes, np.uint8)
        self._forget(self.address(array), array.nbytes)
        self._memories.append(_Memory(self.address(array), known))
        return array

    def place(self, x: np.ndarray) -> np.ndarray:
        """A copy of `x` with its strides, in memory of this runtime: what it spans ends at the end of the memory."""
        low, high = _bounds(x)
        memory = np.frombuffer(self._allocate(high - low), np.uint8)
        self._forget(self.address(memory), memory.size)
        # Between the elements of a view lie bytes that are nobody's.
        memory[...] = 255
        offset = self.address(x) - low
        copy = np.ndarray(x.shape, x.dtype, memory, offset, x.strides)
        copy[...] = x
        return copy

    def _forget(self, begin: int, size: int) -> None:
        """What was where an array comes to lie is gone."""
        self._memories = [
            each for each in self._memories if each.begin + each.known.size <= begin or begin + size <= each.begin
        ]

    def upload(self, host: np.ndarray) -> np.ndarray:
        return self.place(np.ascontiguousarray(host))

    def contiguous(self, x: np.ndarray) -> np.ndarray:
        return self.place(np.array(x, order="C", copy=True))

    def address(self, x: np.ndarray) -> int:
        return int(x.__array_interface__["data"][0])

    def device(self) -> Device:
        return Device(self._multiprocessors, 2**20, 1e12)

    def assert_written(self, y: np.ndarray) -> None:
        """Refuses a result of which the kernels of the check build have left out a part."""
        for memory in self._memories:
            if memory.begin <= self.address(y) < memory.begin + memory.known.size and not memory.known.all():
                missing = int(np.flatnonzero(memory.known == 0)[0])
                raise EmulationError(f"nobody has written byte {missing} of the result of shape {y.shape}")

    def launch(self, launch: Launch) -> None:
        self.launches.append(launch)
        text = self._text(launch)
        (most,) = (bound for bound, kernel in _KERNELS.findall(text) if kernel == launch.kernel)
        if most.isdecimal() and launch.threads > int(most):
            raise EmulationError(f"{launch.kernel} has {most} threads at most, got {launch.threads}")
        kernel = _kernel(text, launch.kernel, self.check)
        arguments = [
            _argument(launch, position, kernel) for position in range(max(len(launch.arguments), kernel.count))
        ]
        if self.check:
            self._run(launch, kernel, arguments, "random")
            return
        outputs = [each for each, kind in zip(launch.arguments, kernel.kinds, strict=True) if kind == "w"]
        before = [each.copy() for each in outputs]
        results = {}
        for order in ORDERS:
            for output, kept in zip(outputs, before, strict=True):
                output[...] = kept
            self._run(launch, kernel, arguments, order)
            results[order] = [each.tobytes() for each in outputs]
        if any(result != results["forward"] for result in results.values()):
            raise EmulationError(f"{launch.kernel} gives other results when its threads run in another order")

    def _run(self, launch: Launch, kernel: _Kernel, arguments: list[Any], order: str) -> None:
        given = zip(launch.arguments, kernel.kinds, strict=True)
        pairs = [(each, kind) for each, kind in given if kind in "rw" and each is not NO_ARRAY]
        arrays = (_Array * max(len(pairs), 1))(*(self._described(array, kind == "w") for array, kind in pairs))
        pointers = (ctypes.c_void_p * max(len(arguments), 1))(*(ctypes.addressof(each) for each in arguments))
        seed = int.from_bytes(hashlib.sha256(repr(launch.blocks).encode()).digest()[:8], "little") | 1
        failed = _core().emulator_launch(
            kernel.call,
            kernel.dynamic_shared,
            pointers,
            ctypes.c_int64(launch.blocks),
            launch.threads,
            ctypes.c_int64(launch.shared),
            arrays,
            len(pairs),
            _Order(ORDERS[order], seed),
        )
        if failed:
            message = _core().emulator_error().decode()
            raise EmulationError(f"{launch.kernel}: {message}{kernel.line_of(_core().emulator_error_address())}")

    def _described(self, array: np.ndarray, writeable: bool) -> _Array:
        low, high = _bounds(array)
        known = None
        for memory in self._memories:
            if memory.begin <= low < memory.begin + memory.known.size:
                known = memory.known.ctypes.data + low - memory.begin
        return _Array(low, high - low, known, writeable)

    def _text(self, launch: Launch) -> str:
        if self.folder is None:
            return compile.source_text(launch.source, launch.defines)
        head = "".join(f"#define {name} {value}\n" for name, value in launch.defines)
        return f'{head}#line 1 "{launch.source}"\n{(self.folder / launch.source).read_text()}'

    def _allocate(self, size: int) -> Any:
        if size == 0:
            return bytearray(16)
        begin = _core().emulator_allocate(ctypes.c_int64(size))
        buffer = (ctypes.c_char * size).from_address(begin)
        weakref.finalize(buffer, _core().emulator_free, ctypes.c_void_p(begin), ctypes.c_int64(size))
        return buffer


def _bounds(x: np.ndarray) -> tuple[int, int]:
    """First and last address of the elements of `x`, the last one exclusive."""
    begin = int(x.__array_interface__["data"][0])
    if x.size == 0:
        return begin, begin
    steps = [(count - 1) * stride for count, stride in zip(x.shape, x.strides, strict=True)]
    low = begin + sum(step for step in steps if step < 0)
    return low, begin + sum(step for step in steps if step > 0) + x.itemsize


def _argument(launch: Launch, position: int, kernel: _Kernel) -> Any:
    """The bytes of one argument, if it is what the kernel takes there."""
    if len(launch.arguments) != kernel.count:
        raise EmulationError(f"{launch.kernel} takes {kernel.count} arguments, got {len(launch.arguments)}")
    given, kind, size = launch.arguments[position], kernel.kinds[position], kernel.sizes[position]
    if isinstance(given, np.ndarray) and given.dtype.names is None:
        fits, value = kind in "rw" and given.itemsize == size, ctypes.c_void_p(given.__array_interface__["data"][0])
    elif given is NO_ARRAY:
        fits, value = kind in "rw", ctypes.c_void_p(0)
    elif isinstance(given, (np.ndarray, np.generic)):
        fits = given.nbytes == size and kind == {"V": "s", "c": "s"}.get(given.dtype.kind, given.dtype.kind)
        value = (ctypes.c_char * given.nbytes).from_buffer_copy(given.tobytes())
    else:
        fits, value = False, None
    if not fits:
        kinds = {"r": "const pointer", "w": "pointer", "i": "int", "u": "unsigned", "f": "float", "s": "struct"}
        what = f"{type(given).__name__} {getattr(given, 'dtype', '')}"
        raise EmulationError(
            f"{launch.kernel} takes a {kinds[kind]} of {size} bytes as argument {position}, got a {what}"
        )
    return value


class _Kernel:
    """A compiled kernel: how to call it, and the kinds and sizes of its parameters."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        library = ctypes.CDLL(str(path))
        self.call = library[f"emulated_{name}"]
        self.dynamic_shared = library["emulated_dynamic_shared"]
        self.count = library[f"emulated_count_{name}"]()
        kind, size = library[f"emulated_kind_{name}"], library[f"emulated_bytes_{name}"]
        self.kinds = "".join(chr(kind(position)) for position in range(self.count))
        self.sizes = [size(position) for position in range(self.count)]

    def line_of(self, address: int | None) -> str:
        """The line of the source, where addr2line is there to tell it."""
        if not address:
            return ""
        for line in Path("/proc/self/maps").read_text().splitlines():
            if line.endswith(str(self.path)):
                start, _, rest = line.partition("-")
                end, offset = rest.split()[0], rest.split()[2]
                if int(start, 16) <= address < int(end, 16):
                    inside = hex(address - 1 - int(start, 16) + int(offset, 16))
                    return " at " + _told(["addr2line", "-e", str(self.path), inside]).split()[0].rpartition("/")[2]
        return ""


def _told(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


@functools.cache
def _kernel(text: str, kernel: str, check: bool) -> _Kernel:
    return _Kernel(_unit(text, check), kernel)


@functools.cache
def _unit(text: str, check: bool) -> Path:
    """All kernels of a source, compiled."""
    entries = "".join(f"EMULATED({kernel})\n" for _, kernel in _KERNELS.findall(text))
    parts = (
        (FOLDER / "device.hpp").read_text(),
        text,
        '#line 1 "entry.hpp"',
        (FOLDER / "entry.hpp").read_text(),
        entries,
    )
    flags = (*FLAGS, *(CHECKS if check else ("-O1",)), str(_core_path()))
    return _built("\n".join(parts).replace("#pragma once\n", "\n"), flags)


@functools.cache
def _core_path() -> Path:
    return _built((FOLDER / "core.cpp").read_text(), ("-std=c++17", "-O2", "-fPIC", "-shared"))


@functools.cache
def _core() -> ctypes.CDLL:
    core = ctypes.CDLL(str(_core_path()), mode=ctypes.RTLD_GLOBAL)
    core.emulator_error.restype = ctypes.c_char_p
    core.emulator_error_address.restype = ctypes.c_void_p
    core.emulator_allocate.restype = ctypes.c_void_p
    return core


@functools.cache
def why_not() -> str | None:
    """Why kernels cannot be emulated here; None if they can."""
    if sys.platform != "linux":
        return "kernels are emulated on Linux only"
    try:
        compiler, version = _compiler()
    except AbsentError as absent:
        return str(absent)
    return None if "Free Software Foundation" in version else f"kernels are emulated with GCC: {compiler} is none"


@functools.cache
def _compiler() -> tuple[str, str]:
    compiler = cxx_compiler()
    return compiler, _told([compiler, "--version"])


@functools.cache
def _linker() -> tuple[str, ...]:
    """The linker that is there in most places and needs a third of the time of the usual one."""
    return ("-fuse-ld=gold",) if shutil.which("ld.gold") else ()


def _built(unit: str, flags: tuple[str, ...]) -> Path:
    """A library made of `unit`, from the cache if it is there."""
    compiler, version = _compiler()
    folder = Path(tempfile.gettempdir()) / f"gpuconv-emulator-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    name = hashlib.sha256("\0".join((unit, version, *flags)).encode()).hexdigest()[:32]
    built = folder / f"{name}.so"
    if not built.exists():
        unfinished = folder / f"{name}.{os.getpid()}"
        source = unfinished.with_suffix(f".{os.getpid()}.cpp")
        source.write_text(unit)
        # Without the default libraries, or the compiler would link those of its sanitizers.
        command = [
            compiler,
            str(source),
            "-o",
            str(unfinished),
            *flags,
            *_linker(),
            "-nodefaultlibs",
            "-lstdc++",
            "-lm",
            "-lc",
            "-lgcc_s",
            "-lgcc",
        ]
        finished = subprocess.run(command, capture_output=True, text=True)
        if finished.returncode:
            raise EmulationError(f"{' '.join(command)}:\n{finished.stderr[:4000]}")
        unfinished.rename(built)
        source.unlink()
    return built
