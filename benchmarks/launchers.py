"""What CUDA launchers cost before a GPU has anything to do, measured without one: ``python -m benchmarks.launchers``.

Warm calls: a launcher's own arithmetic on the host. The runtime allocates small NumPy arrays and launches nothing; what
CuPy and the driver take for an allocation and a launch comes on top. First calls: how long NVRTC compiles what the
call needs, for sm_90, module by module as CuPy would; ``--no-compile`` leaves that out.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from time import process_time
from typing import Any

import numpy as np

from gpuconv.backends.cuda import (
    boxes,
    channels,
    compile,
    cufft,
    fourier,
    lines,
    recurrence,
    separable,
    stencil,
    tridiagonal,
    windows,
)
from gpuconv.backends.cuda.launch import Launch
from gpuconv.backends.cuda.runtime import Device, use_runtime
from gpuconv.backends.cuda.spectra import spectrum_cache
from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator
from gpuconv.core.boundary import Span

SIZE = 64
# Rounds over all calls, of many short runs each, of which the best one is told: others use the machine, too.
ROUNDS, RUNS, CALLS = 5, 60, 20
# CuPy's own option for RawModule that changes code, and an architecture.
OPTIONS = ("-ftz=true", "-arch=sm_90")

# Of a module: file, kernels and defines.
Module = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]


class IdleRuntime:
    """A `Runtime` that does nothing: it keeps uploads as CuPy's does, counts, and notes which modules are asked for."""

    def __init__(self) -> None:
        self.launches = self.uploads = 0
        self.modules: dict[Module, None] = {}
        self.notes = True
        self._device = Device(132, 50 * 2**20, 4e12)
        self._kept: dict[tuple[Any, ...], np.ndarray] = {}

    def empty(self, shape: Sequence[int], dtype: Any) -> np.ndarray:
        return np.empty(shape, dtype)

    def upload(self, host: np.ndarray) -> np.ndarray:
        key = (host.dtype.str, host.shape, host.tobytes())
        if key not in self._kept:
            self.uploads += 1
            self._kept[key] = host
        return self._kept[key]

    def contiguous(self, x: Any) -> np.ndarray:
        return np.array(x, order="C", copy=True)

    def address(self, x: Any) -> int:
        return 4096

    def launch(self, launch: Launch) -> None:
        self.launches += 1
        if self.notes:
            found = any(
                (launch.source, launch.defines) == (source, defines) and launch.kernel in kernels
                for source, kernels, defines in self.modules
            )
            if not found:
                self.modules[launch.source, launch.together or (launch.kernel,), launch.defines] = None

    def device(self) -> Device:
        return self._device


class IdleTransforms(cufft.CufftTransforms):
    """Blocks stay what they are."""

    def forward(self, spectra: Any, block: cufft.Block) -> None:
        pass

    def inverse(self, spectra: Any, block: cufft.Block) -> None:
        pass

    def owner(self) -> tuple[Any, ...]:
        return (0,)

    def device(self) -> str:
        return "cuda:0"

    def total(self) -> int:
        return 2**37

    def free(self) -> int:
        return 2**36


def spans_of(shape: Sequence[int], taps: int, boundary: str = "reflect", first: int = 0) -> tuple[Span, ...]:
    return tuple(
        Span(axis, size, taps, -(taps // 2), size, boundary) for axis, size in enumerate(shape) if axis >= first
    )


def calls() -> dict[str, Callable[[], Any]]:
    """The calls, by what they are. float32 unless told."""
    image, volume = np.zeros((SIZE, SIZE), np.float32), np.zeros((16, SIZE, SIZE), np.float32)
    byte, pictures = np.zeros((SIZE, SIZE), np.uint8), np.zeros((2, 8, SIZE, SIZE), np.float32)
    signals = np.zeros((3, 100_000), np.float32)
    taps, slope, kernels = np.ones(17), np.linspace(-1, 1, 17), np.ones((8, 8, 3, 3), np.float32)
    flat, deep = spans_of(image.shape, 17), spans_of(volume.shape, 17)
    operator = FluxOperator(tuple(AxisFluxes(axis, False, 0.1, 0.1) for axis in (-2, -1)))
    space = spans_of(pictures.shape, 3, "constant", first=2), (1, 1), (1, 1), 1
    broad, wide = np.ones((33, 33)), spans_of(image.shape, 33)
    return {
        "one axis, 17 taps": partial(lines.correlate_axis, image, taps, flat[1:], 0.0),
        "one axis, 33 equal taps": partial(boxes.correlate_axis, image, np.ones(33), wide[1:], 0.0),
        "separable, 17 taps": partial(separable.correlate_separable, image, [[taps] * 2], flat, 0.0),
        "separable, 17 taps, a volume": partial(separable.correlate_separable, volume, [[taps] * 3], deep, 0.0),
        "a gradient": partial(separable.correlate_banks, image, [[slope, taps], [taps, slope]], [flat] * 2, 0.0),
        "windows, 3 x 3": partial(windows.correlate_windows, image, np.ones((3, 3)), spans_of(image.shape, 3), 0.0),
        "windows, 15 x 15": partial(
            windows.correlate_windows, image, np.ones((15, 15)), spans_of(image.shape, 15), 0.0
        ),
        "windows, 5 x 5 x 5": partial(
            windows.correlate_windows, volume, np.ones((5, 5, 5)), spans_of(volume.shape, 5), 0.0
        ),
        "channels, 3 x 3": partial(channels.correlate_channels, pictures, kernels, *space, 0.0),
        "channels, adjoint of the weights": partial(channels.channels_weight_adjoint, pictures, pictures, *space, 0.0),
        "diffusion, one step": partial(stencil.diffuse_steps, image, operator, (0.1,)),
        "diffusion, eight steps": partial(stencil.diffuse_steps, image, operator, (0.1,) * 8),
        "transform, 33 x 33 taps": partial(fourier.correlate_fourier, image, broad, wide, 0.0, (96, 96)),
        "transform, 33 x 33 taps, uint8": partial(fourier.correlate_fourier, byte, broad, wide, 0.0, (96, 96)),
        "recurrence of order 2": partial(recurrence.linear_recurrence, signals, np.array([0.5, 0.1]), -1),
        "tridiagonal systems": partial(tridiagonal.solve_tridiagonal, image, image, image, image, -1),
    }


def compile_seconds(modules: Sequence[Module]) -> float:
    """Processor seconds that NVRTC takes for all of them: what a call waits for on an idle machine."""
    nvrtc = importlib.import_module("cuda.bindings.nvrtc")
    start = process_time()
    for source, kernels, defines in modules:
        text = compile.source_text(source, (*compile.only(kernels), *defines))
        options = [option.encode() for option in (*compile.OPTIONS, *OPTIONS)]
        status, program = nvrtc.nvrtcCreateProgram(text.encode(), source.encode(), 0, [], [])
        if int(status) == 0:
            (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        if int(status) != 0:
            raise RuntimeError(f"{source} {kernels} does not compile: {status}")
        nvrtc.nvrtcDestroyProgram(program)
    return process_time() - start


def measured(call: Callable[[], Any], *, compiles: bool) -> tuple[float, int, int, int, float]:
    """Seconds of a warm call, its launches and uploads, modules of the first call and seconds to compile them."""
    spectrum_cache.clear()
    runtime = IdleRuntime()
    with use_runtime(runtime), cufft.use_transforms(IdleTransforms()):
        call()
        runtime.launches = runtime.uploads = 0
        runtime.notes = False
        call()
        launches, uploads = runtime.launches, runtime.uploads
        best = min(timeit.repeat(call, number=CALLS, repeat=RUNS)) / CALLS
    modules = list(runtime.modules)
    return best, launches, uploads, len(modules), compile_seconds(modules) if compiles else 0.0


def main(arguments: list[str]) -> None:
    """A row for each call."""
    compiles = "--no-compile" not in arguments and importlib.util.find_spec("cuda") is not None
    if compiles:  # what is loaded first is not what is measured
        compile_seconds([("tridiagonal.cu", ("solve_rows",), ())])
    rounds = [{name: measured(call, compiles=compiles) for name, call in calls().items()} for _ in range(ROUNDS)]
    print("| call | microseconds | launches | uploads again | modules | seconds to compile |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, (_, launches, uploads, modules, _) in rounds[0].items():
        best, seconds = (min(each[name][place] for each in rounds) for place in (0, 4))
        compiling = f"{seconds:.2f}" if compiles else "-"
        print(f"| {name} | {best * 1e6:.1f} | {launches} | {uploads} | {modules} | {compiling} |")


if __name__ == "__main__":
    main(sys.argv[1:])
