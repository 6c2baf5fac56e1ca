"""Convolutions of NumPy and CuPy arrays, large and small, by subject. Taps of Gaussians of sigma 2 and 8: 17 and 65."""

from __future__ import annotations

from benchmarks.cases import PAD_MODES, Work

LINES = (
    Work((10_000_000,), (65,), quick=True),
    Work((10_000_000,), (65,), dtype="float64"),
    Work((10_000_000,), (1025,), quick=True),
    Work((10_000_000,), (65_537,)),
    Work((1000, 10_000), (101,), axes=(1,), boundary="reflect", quick=True),
    Work((1000, 10_000), (101,), axes=(0,), boundary="reflect"),
)
SEPARABLE = (
    *(Work((2048, 2048), (17, 17), boundary=name, outer=True, quick=name == "reflect") for name in PAD_MODES),
    *(Work((2048, 2048), (65, 65), boundary=name, outer=True, quick=name == "reflect") for name in PAD_MODES),
    Work((2048, 2048), (17, 17), dtype="float64", boundary="reflect", outer=True),
    Work((256, 256, 256), (17, 17, 17), boundary="reflect", outer=True),
    Work((64, 64), (17, 17), boundary="reflect", outer=True, quick=True),
    Work((256, 256), (17, 17), boundary="reflect", outer=True, quick=True),
)
DENSE = (
    *(Work((2048, 2048), (k, k), boundary="reflect", quick=k in (3, 15)) for k in (3, 5, 7, 9, 11, 15, 31, 63)),
    *(Work((2048, 2048), (k, k)) for k in (31, 63)),
    *(Work((128, 128, 128), (k, k, k), quick=k == 3) for k in (3, 5, 7)),
)
BYTES = tuple(
    Work((2048, 2048), kernel, "uint8", "reflect", None, outer, smooth=True, result=result, quick=result == "uint8")
    for kernel, outer in (((3, 3), False), ((17, 17), True))
    for result in ("uint8", "float32")
)
# Work that fills a large GPU. The quick ones are half of what a visit of ten minutes has time to check.
CUDA = (
    Work((4096, 4096), (17, 17), boundary="reflect", outer=True, quick=True),
    *(Work((4096, 4096), (17,), axes=(axis,), boundary="reflect", quick=True) for axis in (0, 1)),
    *(Work((4096, 4096), (k, k), boundary="reflect", outer=True, equal=True, quick=k == 31) for k in (31, 255)),
    *(Work((4096, 4096), (101,), axes=(axis,), boundary="reflect", outer=True, equal=True) for axis in (0, 1)),
    *(Work((4096, 4096), (k, k), boundary="reflect", quick=k in (3, 15)) for k in (3, 5, 7, 15)),
    Work((4096, 4096), (255, 255), quick=True),
    Work((64_000_000,), (4097,)),
    Work((512, 512, 512), (17, 17, 17), boundary="reflect", outer=True),
    Work((512, 512), (3, 3), boundary="reflect", quick=True),
)
