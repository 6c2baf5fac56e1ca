// What nvcc brings by itself, for g++: put before a .cu file. See core.cpp for how threads and memory are emulated.
#pragma once

// The functions that the kernels call, for reading <math.h> takes half of the time of a compilation.
extern "C" {
float fabsf(float) noexcept;
float rintf(float) noexcept;
float sqrtf(float) noexcept;
double fabs(double) noexcept;
double rint(double) noexcept;
double sqrt(double) noexcept;
}
inline float fabs(float x) { return fabsf(x); }
inline float rint(float x) { return rintf(x); }
inline float sqrt(float x) { return sqrtf(x); }

#define __global__
// Inlined without optimisation too: GCC does not instrument structs that calls return into memory or take from it.
#define __device__ __attribute__((always_inline))
#define __host__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// One OS thread runs all fibres, so this is one copy for the block, and it can be told from all other memory.
#define __shared__ thread_local
#define EMULATOR_INSIDE __attribute__((no_sanitize("thread", "undefined"))) inline

struct EmulatorIndex {
    unsigned x, y, z;
};
extern "C" {
extern EmulatorIndex threadIdx, blockIdx, blockDim, gridDim;
void emulator_barrier(const char* file, int line);
void emulator_sync_warp(unsigned mask, const char* file, int line);
const unsigned char* emulator_exchange(unsigned mask, const void* value, int bytes, const char* file, int line);
void emulator_check_lane(unsigned mask, int lane, const char* file, int line);
void emulator_atomic(const void* address, int bytes);
}
constexpr int warpSize = 32;

#define __syncthreads() emulator_barrier(__FILE__, __LINE__)
#define __syncwarp(...) emulator_sync_warp(EmulatorMask(__VA_ARGS__).bits, __FILE__, __LINE__)
#define __shfl_sync(...) emulator_shuffle(EMULATOR_ANY, __FILE__, __LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) emulator_shuffle(EMULATOR_UP, __FILE__, __LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) emulator_shuffle(EMULATOR_DOWN, __FILE__, __LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) emulator_shuffle(EMULATOR_XOR, __FILE__, __LINE__, __VA_ARGS__)
#define __ballot_sync(mask, predicate) emulator_ballot(mask, predicate, __FILE__, __LINE__)
#define __any_sync(mask, predicate) (emulator_ballot(mask, predicate, __FILE__, __LINE__) != 0)
#define __all_sync(mask, predicate) (emulator_ballot(mask, !(predicate), __FILE__, __LINE__) == 0)

struct EmulatorMask {
    unsigned bits;
    explicit EmulatorMask(unsigned given = 0xffffffffu) : bits(given) {}
};

enum EmulatorShuffle { EMULATOR_ANY, EMULATOR_UP, EMULATOR_DOWN, EMULATOR_XOR };

template <class Value>
EMULATOR_INSIDE Value emulator_shuffle(EmulatorShuffle kind, const char* file, int line, unsigned mask, Value value,
                                       int by, int width = 32) {
    static_assert(sizeof(Value) <= 8, "a shuffle takes 32 or 64 bits");
    const unsigned char* lanes = emulator_exchange(mask, &value, sizeof(Value), file, line);
    int lane = (int)(threadIdx.x % 32), first = lane / width * width;
    int source = kind == EMULATOR_ANY    ? first + (by % width + width) % width
                 : kind == EMULATOR_UP   ? lane - by
                 : kind == EMULATOR_DOWN ? lane + by
                                         : lane ^ by;
    if (source < first || source >= first + width) source = lane;
    emulator_check_lane(mask, source, file, line);
    Value taken;
    __builtin_memcpy(&taken, lanes + 8 * source, sizeof(Value));
    return taken;
}

EMULATOR_INSIDE unsigned emulator_ballot(unsigned mask, int predicate, const char* file, int line) {
    int vote = predicate != 0;
    const unsigned char* lanes = emulator_exchange(mask, &vote, sizeof(vote), file, line);
    unsigned votes = 0;
    for (int lane = 0; lane < 32; ++lane)
        if (mask >> lane & 1) votes |= (unsigned)lanes[8 * lane] << lane;
    return votes;
}

// Blocks and threads take turns, so that a plain operation is an atomic one.
#define EMULATOR_ATOMIC(name, combined)                                                                                \
    template <class Value> EMULATOR_INSIDE Value name(Value* address, Value value) {                                   \
        emulator_atomic(address, sizeof(Value));                                                                       \
        Value before = *address;                                                                                       \
        *address = combined;                                                                                           \
        return before;                                                                                                 \
    }
EMULATOR_ATOMIC(atomicAdd, (Value)(before + value))
EMULATOR_ATOMIC(atomicOr, (Value)(before | value))
EMULATOR_ATOMIC(atomicMax, before > value ? before : value)
EMULATOR_ATOMIC(atomicMin, before < value ? before : value)
EMULATOR_ATOMIC(atomicExch, value)
