"""How loops are compiled: translated, optimised by LLVM, and kept as machine code between processes."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from dataclasses import dataclass
from typing import Any

from llvmlite import binding

from gpuconv.backends.cpu import kept

# What every compiled function is called in its object file.
ENTRY = "gpuconv_entry"
# How often compiled code asked for scratch and got none. It goes on without, hence whoever called it is to look here.
refused = ctypes.c_int64(0)


class Loop:
    """A loop over bands, compiled when it is first launched."""

    def __init__(self, function: Any) -> None:
        self.function = function

    @functools.cached_property
    def address(self) -> int:
        return compiled_address(self.function, 3, level=2)


def compiled_address(function: Any, arguments: int, *key: Any, level: int = 3) -> int:
    """Compile a function of so many int64 for other compiled ones to call; where it begins.

    `key` tells functions apart that are defined in one place, but with other values around them. `level` is how hard
    LLVM tries: the third level takes half as long again as the second, and is for what runs innermost.
    """
    if function.__closure__ and not key:
        raise TypeError(f"{function.__qualname__} depends on values around it: give compiled_address a key for them")
    name = "-".join(map(str, (function.__module__.rpartition(".")[2], function.__qualname__, *key)))
    with _lock:
        host = _host()
        place = kept.place(name, host.description)
        code = kept.load(place)
        if code is None:
            code = _machine_code(function, arguments, level, host.machine)
            kept.save(place, code)
        return host.load(code)


@dataclass(frozen=True)
class _Host:
    """The processor that code is made for: what tells it from others, and LLVM's view of it."""

    machine: Any
    description: str

    def load(self, code: bytes) -> int:
        """Put machine code where it can be run; where it begins."""
        engine = binding.create_mcjit_compiler(binding.parse_assembly(""), self.machine)
        engine.add_object_file(binding.ObjectFileRef.from_data(code))
        engine.finalize_object()
        address = int(engine.get_function_address(ENTRY))
        # Never taken back: others hold the address, and every engine would take `machine` with it.
        engine.detach()
        return address


# Two threads may want the same loop at once; and a signal's handler one while its thread is making another.
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    # No fork while LLVM is at work: its own locks would stay closed in the child.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@functools.cache
def _host() -> _Host:
    binding.check_jit_execution()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    # Where scratch comes from. Neither needs Python's lock.
    for name, function in (("gpuconv_allocate", "PyMem_RawMalloc"), ("gpuconv_release", "PyMem_RawFree")):
        binding.add_symbol(name, ctypes.cast(getattr(ctypes.pythonapi, function), ctypes.c_void_p).value)
    binding.add_symbol("gpuconv_refused", ctypes.addressof(refused))
    target = binding.Target.from_triple(binding.get_process_triple())
    processor, features = binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    # As for everything that LLVM runs where it has made it; code elsewhere may be too far away for the smaller models.
    relocation = "static" if target.name.startswith("x86") else "default"
    options = {"cpu": processor, "features": features, "reloc": relocation, "codemodel": "jitdefault", "jit": True}
    machine = target.create_target_machine(opt=3, **options)
    versions = ".".join(map(str, binding.llvm_version_info))
    return _Host(machine, "|".join((machine.triple, processor, features, versions)))


def _machine_code(function: Any, arguments: int, level: int, machine: Any) -> bytes:
    from gpuconv.backends.cpu.translation import module_of

    written = module_of(function, arguments, ENTRY)
    written.triple, written.data_layout = machine.triple, str(machine.target_data)
    module = binding.parse_assembly(str(written))
    module.verify()
    _optimise(module, level, machine)
    return bytes(machine.emit_object(module))


def _optimise(module: Any, level: int, machine: Any) -> None:
    if hasattr(binding, "create_pass_builder"):
        options = binding.create_pipeline_tuning_options(level)
        options.loop_vectorization, options.slp_vectorization = level > 2, False
        builder = binding.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
        return
    before = binding.create_pass_manager_builder()  # the only ones of older versions of llvmlite
    before.opt_level, before.loop_vectorize, before.inlining_threshold = level, level > 2, 275 if level > 2 else 225
    passes = binding.create_module_pass_manager()
    machine.add_analysis_passes(passes)
    before.populate(passes)
    passes.run(module)
