// Between global memory, shared memory and registers: asynchronously, and many bytes at a time.
#pragma once

// Samples that need no conversion go to shared memory without passing through registers, so that a thread waits for
// none of them before it asks for the next; `await_copies` comes before the barrier.
constexpr bool COPIES = Same<Storage, Sample>::value && sizeof(Sample) >= 4;

__device__ inline void copy_sample(Sample* to, const Storage* from) {
#if defined(__CUDACC__) && __CUDA_ARCH__ >= 800
    if constexpr (COPIES) {
        uint32 address = (uint32)__cvta_generic_to_shared(to);
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(address), "l"(from), "n"((int)sizeof(Sample))
                     : "memory");
        return;
    }
#endif
    *to = load(from);
}

__device__ inline void await_copies() {
#if defined(__CUDACC__) && __CUDA_ARCH__ >= 800
    if constexpr (COPIES) asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// A run of samples whose address is a multiple of 16 bytes, by the widest loads that end with it.
template <class Value, int count> struct alignas(count * sizeof(Value)) Run { Value at[count]; };

template <int count> __device__ inline void read_run(Sample* to, const Sample* from) {
    constexpr int width = 16 / sizeof(Sample);
    if constexpr (count >= width && width > 1) {
        Run<Sample, width> run = *(const Run<Sample, width>*)from;
#pragma unroll
        for (int i = 0; i < width; i++) to[i] = run.at[i];
        read_run<count - width>(to + width, from + width);
    } else if constexpr (count >= 2 && width == 4) {
        Run<Sample, 2> run = *(const Run<Sample, 2>*)from;
        to[0] = run.at[0];
        to[1] = run.at[1];
        read_run<count - 2>(to + 2, from + 2);
    } else if constexpr (count > 0) {
        to[0] = from[0];
        read_run<count - 1>(to + 1, from + 1);
    }
}
