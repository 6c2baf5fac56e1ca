// Numbers of every dtype: how they lie in memory, how they are multiplied and added, how they are rounded.
//
// A kernel file begins with
//
//     #include "numbers.cuh"
//     #include "boundary.cuh"
//     #include "weights.cuh"
//
// and is told by #define what it works on, each a name of this file (launch.py: Kinds):
//
//     STORAGE   of the samples in memory               -> type Storage
//     SAMPLE    what a sample becomes on loading        -> type Sample
//     WEIGHT    of the weights                          -> type Weight
//     SUM       what products are added in              -> type Sum
//     RESULT    of the results in memory                -> type Result
//
//     float16 bfloat16 float32 float64 complex64 complex128 int8 int16 int32 int64 uint8 uint16 uint32 uint64
//
// Real and complex samples and weights go together in any way. Each file has defaults, so that
// `nvcc -std=c++17 -cubin file.cu` compiles it alone.
//
// Conventions of all kernels:
// * extern "C" __global__ void name(...); blocks and grid are one-dimensional (threadIdx.x, blockIdx.x).
// * Strides and counts are in elements. Where a thread or a row begins is a 64-bit offset (int64), what follows inside
//   a tile is a 32-bit one (int). Arrays may have any strides, negative ones too.
// * Shared memory is either `__shared__` arrays of constant size, or `dynamic_shared` below; 48 KB at most.
// * __launch_bounds__(threads, blocks) says how many blocks a multiprocessor holds (65536 registers). With threads alone,
//   ptxas took the next round number of registers and spilled.
// * No thread leaves before the last __syncthreads(). Nothing but the built-ins that numbers.cuh uses and __syncthreads,
//   __syncwarp, __shfl_sync, __shfl_up_sync, __shfl_down_sync, __shfl_xor_sync, min and max of own making is at hand:
//   the same file is compiled with g++ in the tests.
#pragma once

#ifndef STORAGE
#define STORAGE float32
#endif
#ifndef SAMPLE
#define SAMPLE float32
#endif
#ifndef WEIGHT
#define WEIGHT float32
#endif
#ifndef SUM
#define SUM float32
#endif
#ifndef RESULT
#define RESULT float32
#endif

typedef signed char int8;
typedef short int16;
typedef int int32;
typedef long long int64;
typedef unsigned char uint8;
typedef unsigned short uint16;
typedef unsigned int uint32;
typedef unsigned long long uint64;
typedef float float32;
typedef double float64;

struct float16 {
    uint16 bits;
};

struct bfloat16 {
    uint16 bits;
};

template <class Part> struct alignas(2 * sizeof(Part)) Complex {
    Part real, imaginary;
};
typedef Complex<float> complex64;
typedef Complex<double> complex128;

typedef STORAGE Storage;
typedef SAMPLE Sample;
typedef WEIGHT Weight;
typedef SUM Sum;
typedef RESULT Result;

// The one array whose size is an argument of the launch: bytes, to be cast. A file that needs it declares DYNAMIC_SHARED
// inside the kernel.
#define DYNAMIC_SHARED extern __shared__ __align__(16) unsigned char dynamic_shared[]

template <class Value> __device__ constexpr Value smaller(Value a, Value b) { return a < b ? a : b; }
template <class Value> __device__ constexpr Value larger(Value a, Value b) { return a > b ? a : b; }

// What a type is.

template <class One, class Other> struct Same { static constexpr bool value = false; };
template <class One> struct Same<One, One> { static constexpr bool value = true; };

template <class Value> struct Integer { static constexpr bool value = false; };
#define INTEGER_TYPE(Type, lowest, highest)                                                                            \
    template <> struct Integer<Type> {                                                                                 \
        static constexpr bool value = true;                                                                            \
        static constexpr Type low = lowest, high = highest;                                                            \
    };
INTEGER_TYPE(int8, -128, 127)
INTEGER_TYPE(int16, -32768, 32767)
INTEGER_TYPE(int32, -2147483647 - 1, 2147483647)
INTEGER_TYPE(int64, -9223372036854775807LL - 1, 9223372036854775807LL)
INTEGER_TYPE(uint8, 0, 255)
INTEGER_TYPE(uint16, 0, 65535)
INTEGER_TYPE(uint32, 0, 4294967295u)
INTEGER_TYPE(uint64, 0, 18446744073709551615ull)
#undef INTEGER_TYPE

template <class Value> struct PartOf { static constexpr bool complex = false; };
template <class Part> struct PartOf<Complex<Part>> {
    static constexpr bool complex = true;
    typedef Part type;
};

// Half precision and bfloat16, the only place where the compilers differ.

union FloatBits {
    float value;
    uint32 bits;
};

__device__ inline float widen(bfloat16 narrow) {
    FloatBits wide;
    wide.bits = (uint32)narrow.bits << 16;
    return wide.value;
}

__device__ inline bfloat16 to_bfloat16(float wide) {
    // To nearest, ties to even, in integers: cvt.rn.bf16 needs compute capability 8.0, and is not what limits a kernel.
    FloatBits number;
    number.value = wide;
    uint32 rounded = number.bits + 0x7fffu + ((number.bits >> 16) & 1u);
    return {(uint16)(wide != wide ? 0x7fc0u : rounded >> 16)};
}

#ifdef __CUDACC__
__device__ inline float widen(float16 narrow) {
    float wide;
    asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(narrow.bits));
    return wide;
}
__device__ inline float16 to_float16(float wide) {
    float16 narrow;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(narrow.bits) : "f"(wide));
    return narrow;
}
__device__ inline float16 to_float16(double wide) {
    float16 narrow;
    asm("cvt.rn.f16.f64 %0, %1;" : "=h"(narrow.bits) : "d"(wide));
    return narrow;
}
#else
union HalfBits {
    _Float16 value;
    uint16 bits;
};
inline float widen(float16 narrow) {
    HalfBits half;
    half.bits = narrow.bits;
    return (float)half.value;
}
template <class Wide> inline float16 to_float16(Wide wide) {
    HalfBits half;
    half.value = (_Float16)wide;
    return {half.bits};
}
#endif

// convert<Target>(value): one rounding. Integers round half to even and saturate, NaN becomes 0.

template <class Target, class Source> __device__ inline Target integer_from_integer(Source value) {
    if constexpr (Integer<Source>::low != 0) {
        if (value < 0) {
            if constexpr (Integer<Target>::low == 0) return 0;
            else return (int64)value < (int64)Integer<Target>::low ? Integer<Target>::low : (Target)value;
        }
    }
    return (uint64)value > (uint64)Integer<Target>::high ? Integer<Target>::high : (Target)value;
}

__device__ inline float round_half_even(float value) { return rintf(value); }
__device__ inline double round_half_even(double value) { return rint(value); }

template <class Target, class Source> __device__ inline Target integer_from_float(Source value) {
    if (value != value) return 0;
    Source rounded = round_half_even(value);
    // `high` may be no float (2^63 - 1): what reaches the next one is put to `high`, not cast.
    if (rounded >= (Source)Integer<Target>::high) return Integer<Target>::high;
    if (rounded <= (Source)Integer<Target>::low) return Integer<Target>::low;
    return (Target)rounded;
}

template <class Target, class Source> __device__ inline Target convert(Source value) {
    if constexpr (Same<Target, Source>::value) {
        return value;
    } else if constexpr (PartOf<Source>::complex) {
        typedef typename PartOf<Target>::type Part;
        return {convert<Part>(value.real), convert<Part>(value.imaginary)};
    } else if constexpr (PartOf<Target>::complex) {
        return {convert<typename PartOf<Target>::type>(value), 0};
    } else if constexpr (Same<Source, float16>::value || Same<Source, bfloat16>::value) {
        return convert<Target>(widen(value));
    } else if constexpr (Integer<Target>::value) {
        if constexpr (Integer<Source>::value) return integer_from_integer<Target>(value);
        else return integer_from_float<Target>(value);
    } else if constexpr (Same<Target, float16>::value) {
        if constexpr (Same<Source, float>::value) return to_float16(value);
        else return to_float16((double)value);
    } else if constexpr (Same<Target, bfloat16>::value) {
        return to_bfloat16((float)value);
    } else {
        return (Target)value;
    }
}

// Sums of products. Integers wrap around, as they do in memory: in unsigned arithmetic, where that is defined.

template <class Value> struct Wrapping { typedef Value type; };
template <> struct Wrapping<int32> { typedef uint32 type; };
template <> struct Wrapping<int64> { typedef uint64 type; };

template <class Value> __device__ inline Value add(Value a, Value b) {
    typedef typename Wrapping<Value>::type Bits;
    return (Value)((Bits)a + (Bits)b);
}
template <class Part> __device__ inline Complex<Part> add(Complex<Part> a, Complex<Part> b) {
    return {a.real + b.real, a.imaginary + b.imaginary};
}

template <class Value> __device__ inline Value zero() {
    if constexpr (PartOf<Value>::complex) return {0, 0};
    else return 0;
}

// multiply_add(sum, weight, sample): sum + weight * sample.
template <class Value> __device__ inline Value multiply_add(Value sum, Value weight, Value sample) {
    typedef typename Wrapping<Value>::type Bits;
    return (Value)((Bits)sum + (Bits)weight * (Bits)sample);
}
template <class Part>
__device__ inline Complex<Part> multiply_add(Complex<Part> sum, Complex<Part> weight, Part sample) {
    return {sum.real + weight.real * sample, sum.imaginary + weight.imaginary * sample};
}
template <class Part>
__device__ inline Complex<Part> multiply_add(Complex<Part> sum, Part weight, Complex<Part> sample) {
    return {sum.real + weight * sample.real, sum.imaginary + weight * sample.imaginary};
}
template <class Part>
__device__ inline Complex<Part> multiply_add(Complex<Part> sum, Complex<Part> weight, Complex<Part> sample) {
    return {sum.real + weight.real * sample.real - weight.imaginary * sample.imaginary,
            sum.imaginary + weight.real * sample.imaginary + weight.imaginary * sample.real};
}

__device__ inline Sample load(const Storage* address) { return convert<Sample>(*address); }
__device__ inline void store(Result* address, Sum value) { *address = convert<Result>(value); }
