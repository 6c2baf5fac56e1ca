"""What a warm call of a CUDA launcher costs on the host, without a GPU: ``python -m benchmarks.launchers``.

The runtime allocates small NumPy arrays and launches nothing, so that the figures are the launchers' own arithmetic: what
CuPy and the driver take for an allocation and a launch comes on top. The first column is the best of several runs.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpuconv.backends.cuda import channels, cufft, fourier, lines, separable, stencil, windows
from gpuconv.backends.cuda.launch import Launch
from gpuconv.backends.cuda.runtime import Device, use_runtime
from gpuconv.backends.generic.stencil import AxisFluxes, FluxOperator
from gpuconv.core.boundary import Span

SIZE = 64
CALLS, RUNS = 40, 250


class IdleRuntime:
    """A `Runtime` that does nothing: uploads are kept as CuPy's are."""

    def __init__(self) -> None:
        self.launches = self.uploads = 0
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

    def device(self) -> Device:
        return self._device


class IdleTransforms(cufft.CufftTransforms):
    """Blocks stay what they are."""

    def forward(self, spectra: Any, block: cufft.Block) -> None:
        pass

    inverse = forward

    def owner(self) -> tuple[Any, ...]:
        return (0,)

    def device(self) -> str:
        return "cuda:0"

    def total(self) -> int:
        return 2**37

    def free(self) -> int:
        return 2**36


def span_of(axis: int, taps: int, boundary: str = "reflect") -> Span:
    return Span(axis, SIZE, taps, -(taps // 2), SIZE, boundary)


def calls() -> dict[str, Callable[[], Any]]:
    """The calls, by what they are."""
    image = np.zeros((SIZE, SIZE), np.float32)
    volume = np.zeros((16, SIZE, SIZE), np.float32)
    pictures = np.zeros((2, 8, SIZE, SIZE), np.float32)
    taps, window, cube = np.ones(17), np.ones((3, 3)), np.ones((3, 3, 3))
    kernels = np.ones((8, 8, 3, 3), np.float32)
    rows, columns = span_of(0, 17), span_of(1, 17)
    three = [Span(axis, image, 17, -8, image, "reflect") for axis, image in enumerate(volume.shape)]
    operator = FluxOperator(tuple(AxisFluxes(axis, False, 0.1, 0.1) for axis in (-2, -1)))
    derivative = np.linspace(-1, 1, 17)
    return {
        "lines: one axis, 17 taps": lambda: lines.correlate_axis(image, taps, (columns,), 0.0),
        "separable: an image, 17 taps an axis": lambda: separable.correlate_separable(
            image, [[taps, taps]], (rows, columns), 0.0
        ),
        "separable: a volume, 17 taps an axis": lambda: separable.correlate_separable(volume, [[taps] * 3], three, 0.0),
        "separable: a gradient": lambda: separable.correlate_banks(
            image, [[derivative, taps], [taps, derivative]], [(rows, columns)] * 2, 0.0
        ),
        "windows: 3 x 3": lambda: windows.correlate_windows(image, window, (span_of(0, 3), span_of(1, 3)), 0.0),
        "windows: 3 x 3 x 3": lambda: windows.correlate_windows(
            volume, cube, [Span(axis, each, 3, -1, each, "reflect") for axis, each in enumerate(volume.shape)], 0.0
        ),
        "channels: 3 x 3": lambda: channels.correlate_channels(
            pictures, kernels, (span_of(2, 3, "constant"), span_of(3, 3, "constant")), (1, 1), (1, 1), 1, 0.0
        ),
        "stencil: one step": lambda: stencil.diffuse_steps(image, operator, (0.1,)),
        "stencil: eight steps": lambda: stencil.diffuse_steps(image, operator, (0.1,) * 8),
        "fourier: 33 x 33 taps": lambda: fourier.correlate_fourier(
            image, FOURIER, (span_of(0, 33), span_of(1, 33)), 0.0, (96, 96)
        ),
    }


FOURIER = np.ones((33, 33))


def main() -> None:
    """Microseconds of each call, and launches."""
    runtime = IdleRuntime()
    print("| call | microseconds | launches | uploads after the first call |\n|---|---:|---:|---:|")
    with use_runtime(runtime), cufft.use_transforms(IdleTransforms()):
        for name, call in calls().items():
            call()
            runtime.launches = runtime.uploads = 0
            call()
            launches, uploads = runtime.launches, runtime.uploads
            best = min(timeit.repeat(call, number=CALLS, repeat=RUNS)) / CALLS
            print(f"| {name} | {best * 1e6:.1f} | {launches} | {uploads} |")


if __name__ == "__main__":
    main()
