// How weights reach a kernel: by value with the launch, or from the memory of the device.
//
//     extern "C" __global__ void name(..., WEIGHTS_PARAMETER, ...) { ... weights[j] ... }
//
// WEIGHTS is a #define: how many go by value, 3840 bytes at most, or 0 where they lie on the device. By value there is
// neither an upload nor a constant that two streams would share, and a warp reads one of them at a time for nothing. The
// argument is `launch.by_value(taps, WEIGHTS)`, padded with zeros; on the device it is an array of dtype WEIGHT, of which
// a block copies to shared memory what it needs often.
#pragma once

#ifndef WEIGHTS
#define WEIGHTS 64
#endif

#if WEIGHTS
struct Weights {
    Weight at[WEIGHTS];
    __device__ Weight operator[](int position) const { return at[position]; }
};
#define WEIGHTS_PARAMETER const __grid_constant__ Weights weights
#else
typedef const Weight* __restrict__ Weights;
#define WEIGHTS_PARAMETER const Weight* __restrict__ weights
#endif
