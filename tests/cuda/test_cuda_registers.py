"""The kernels compile with NVRTC for two architectures, spill nothing, and take the registers that the page tells.

A sample of the binaries, one for each dtype of sums and file; ``make kernels`` compiles all of them.
"""

from __future__ import annotations

import re

import pytest

from gpuconv.backends.cuda import compile
from gpuconv.backends.cuda.launch import MAX_SHARED
from tests.cuda import registers

pytest.importorskip("cuda.core", reason="cuda-core is not installed")
pytest.importorskip("cuda.bindings.nvrtc", reason="nvidia-cuda-nvrtc is not installed")

SAMPLE = registers.sample(1, each_kernel=False)


@pytest.mark.parametrize("position", range(len(SAMPLE)))
def test_kernels_compile_without_spills_into_the_documented_registers(position):
    source, defines = SAMPLE[position]
    architecture = registers.ARCHITECTURES[position % 2]
    documented = registers.documented()
    for kernel, used in registers.usage(source, defines, architecture).items():
        if kernel not in registers.instances()[source, defines]:
            continue
        assert used.spilled == 0, (kernel, defines)
        assert used.shared <= MAX_SHARED, (kernel, defines)
        listed = documented[source, kernel, registers.sum_dtype(defines)]
        assert used.registers <= listed[architecture], f"{kernel} {defines}: renew with python -m tests.cuda.registers"


def test_the_page_lists_what_launchers_ask_for():
    asked = {
        (source, kernel, registers.sum_dtype(defines))
        for (source, defines), kernels in registers.instances().items()
        for kernel in kernels
    }
    assert set(registers.documented()) == asked


def test_every_source_of_the_backend_is_asked_for():
    sources = {path.name for path in compile.FOLDER.glob("*.cu")}
    assert {source for source, _ in registers.instances()} == sources


@pytest.mark.parametrize("source", sorted(path.name for path in compile.FOLDER.glob("*.cu")))
def test_every_file_compiles_alone(source):
    assert all(used.spilled == 0 for used in registers.usage(source, (), "sm_90").values())


def test_a_kernel_that_spills_is_seen(monkeypatch):
    text = """
extern "C" __global__ void __launch_bounds__(1024, 2) many(float* y) {
    float kept[64];
    #pragma unroll
    for (int k = 0; k < 64; ++k) kept[k] = y[k * 1024 + threadIdx.x];
    for (int turn = 0; turn < 9; ++turn)
        #pragma unroll
        for (int k = 0; k < 64; ++k) kept[k] = kept[k] * kept[(k + 7) % 64] + kept[(k + 31) % 64];
    #pragma unroll
    for (int k = 0; k < 64; ++k) y[k * 1024 + threadIdx.x] = kept[k];
}
"""
    monkeypatch.setattr(compile, "source_text", lambda source, defines: text)
    assert registers.usage("many.cu", (), "sm_80")["many"].spilled > 0
    monkeypatch.setattr(registers, "instances", lambda: {("many.cu", ()): frozenset({"many"})})
    assert all("many spills" in each.failures[0] for each in registers.compiled([("many.cu", ())]))


def test_every_kind_of_failure_fails_the_check(monkeypatch, capsys):
    """Of compiling, of the table and of shared memory; what is right passes."""
    texts = {
        "fine.cu": 'extern "C" __global__ void kernel(float* y) { y[threadIdx.x] = 1; }',
        "broken.cu": 'extern "C" __global__ void kernel(float* y) { y[threadIdx.x] = nothing; }',
        "large.cu": 'extern "C" __global__ void kernel(float* y) { __shared__ float kept[12289]; '
        "kept[threadIdx.x] = y[threadIdx.x]; __syncthreads(); y[threadIdx.x] = kept[12288 - threadIdx.x]; }",
    }
    monkeypatch.setattr(compile, "source_text", lambda source, defines: texts[source])
    monkeypatch.setattr(registers, "instances", lambda: {(name, ()): frozenset({"kernel"}) for name in texts})
    monkeypatch.setattr(registers, "sum_dtype", lambda defines: "float32")
    listed = {("fine.cu", "kernel", "float32"): dict.fromkeys(registers.ARCHITECTURES, 255)}
    monkeypatch.setattr(registers, "documented", lambda: listed)
    assert registers.main(["--all", "--check", "fine.cu"]) == 0
    assert "1 of 3 binaries" in capsys.readouterr().out
    assert registers.main(["--all", "--check", "broken.cu"]) == 1
    assert "does not compile" in capsys.readouterr().out
    assert registers.main(["--all", "--check", "large.cu"]) == 1
    assert re.search("shared memory|shared data|smem|0xc", capsys.readouterr().out)
    listed["fine.cu", "kernel", "float32"]["sm_90"] = 1
    assert registers.main(["--all", "--check", "fine.cu"]) == 1
    assert "registers for sm_90, the page says 1" in capsys.readouterr().out
