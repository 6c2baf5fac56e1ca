// Tridiagonal systems: lower[i] x[i - 1] + diagonal[i] x[i] + upper[i] x[i + 1] = right[i] along one axis, many at once.
//
// solve_columns  a system a thread, by elimination without exchanges: systems side by side in memory, or very many
// solve_rows     an equation a thread, by cyclic reduction in shared memory: up to 1024 unknowns
//
// WEIGHT is the dtype of the diagonals, SUM that of right-hand sides and solutions; STORAGE and RESULT are SUM.
#include "numbers.cuh"

// Strides of an array in elements: outside of the axis, the axis, inside of it.
struct Strides {
    int64 high, low, axis, inner;
};

template <class Value> __device__ inline Value reciprocal(Value value) { return 1 / value; }
template <class Part> __device__ inline Complex<Part> reciprocal(Complex<Part> value) {
    // Smith's way: the square of a magnitude may be no number where the magnitude is one.
    Part real = value.real, imaginary = value.imaginary;
    if (fabs((double)real) >= fabs((double)imaginary)) {
        Part ratio = imaginary / real, scale = 1 / (real + imaginary * ratio);
        return {scale, -ratio * scale};
    }
    Part ratio = real / imaginary, scale = 1 / (real * ratio + imaginary);
    return {ratio * scale, -scale};
}

template <class Value> __device__ inline Value negative(Value value) { return -value; }
template <class Part> __device__ inline Complex<Part> negative(Complex<Part> value) {
    return {-value.real, -value.imaginary};
}

template <class Factor, class Value> __device__ inline Value multiply(Factor factor, Value value) {
    return multiply_add(zero<Value>(), factor, value);
}

struct System {
    int64 high, low, inner;
    // Where the line of this system begins.
    __device__ int64 in(const Strides& strides) const {
        return high * strides.high + low * strides.low + inner * strides.inner;
    }
};

__device__ inline System system_of(int64 number, int64 low, int64 inner) {
    int64 outer = number / inner, high = outer / low;
    return {high, outer - high * low, number - outer * inner};
}

// `scratch` lies as y does.
#if !defined(ONLY) || defined(ONLY_solve_columns)
extern "C" __global__ void __launch_bounds__(128, 4)
    solve_columns(const Sum* __restrict__ right, const Weight* __restrict__ lower, const Weight* __restrict__ diagonal,
                  const Weight* __restrict__ upper, Sum* __restrict__ y, Weight* __restrict__ scratch, int64 count,
                  int64 low, int64 inner, int64 systems, const __grid_constant__ Strides of_right,
                  const __grid_constant__ Strides of_lower, const __grid_constant__ Strides of_diagonal,
                  const __grid_constant__ Strides of_upper, const __grid_constant__ Strides of_y) {
    int64 number = (int64)blockIdx.x * blockDim.x + threadIdx.x;
    if (number >= systems) return;
    System system = system_of(number, low, inner);
    right += system.in(of_right);
    lower += system.in(of_lower);
    diagonal += system.in(of_diagonal);
    upper += system.in(of_upper);
    y += system.in(of_y);
    scratch += system.in(of_y);

    Weight factor = reciprocal(*diagonal), ratio = multiply(*upper, factor);
    Sum value = multiply(factor, *right);
    *y = value;
    *scratch = ratio;
    for (int64 i = 1; i < count; ++i) {
        Weight below = negative(lower[i * of_lower.axis]);
        factor = reciprocal(multiply_add(diagonal[i * of_diagonal.axis], below, ratio));
        ratio = multiply(upper[i * of_upper.axis], factor);
        value = multiply(factor, multiply_add(right[i * of_right.axis], below, value));
        y[i * of_y.axis] = value;
        scratch[i * of_y.axis] = ratio;
    }
    for (int64 i = count - 2; i >= 0; --i) {
        value = multiply_add(y[i * of_y.axis], negative(scratch[i * of_y.axis]), value);
        y[i * of_y.axis] = value;
    }
}
#endif

// Equation i reads x[i] = value + before x[i - distance] + after x[i + distance]; putting in what the equations of both
// neighbours say doubles the distance. A block has `together` systems of `count` equations.
#if !defined(ONLY) || defined(ONLY_solve_rows)
extern "C" __global__ void __launch_bounds__(1024, 1)
    solve_rows(const Sum* __restrict__ right, const Weight* __restrict__ lower, const Weight* __restrict__ diagonal,
               const Weight* __restrict__ upper, Sum* __restrict__ y, int32 count, int32 together, int64 low,
               int64 inner, int64 systems, const __grid_constant__ Strides of_right,
               const __grid_constant__ Strides of_lower, const __grid_constant__ Strides of_diagonal,
               const __grid_constant__ Strides of_upper, const __grid_constant__ Strides of_y) {
    DYNAMIC_SHARED;
    int own = (int)threadIdx.x / count, i = (int)threadIdx.x - own * count;
    int64 number = (int64)blockIdx.x * together + own;
    bool at_work = own < together && number < systems;
    Sum* values = (Sum*)dynamic_shared + own * count;
    Weight* befores = (Weight*)((Sum*)dynamic_shared + together * count) + own * count;
    Weight* afters = befores + together * count;

    System system = system_of(number, low, inner);
    Sum value = zero<Sum>();
    Weight before = zero<Weight>(), after = zero<Weight>();
    if (at_work) {
        Weight factor = reciprocal(diagonal[system.in(of_diagonal) + i * of_diagonal.axis]);
        value = multiply(factor, right[system.in(of_right) + i * of_right.axis]);
        if (i > 0) before = negative(multiply(factor, lower[system.in(of_lower) + i * of_lower.axis]));
        if (i < count - 1) after = negative(multiply(factor, upper[system.in(of_upper) + i * of_upper.axis]));
    }
    for (int distance = 1; distance < count; distance *= 2) {
        __syncthreads();
        if (at_work) {
            values[i] = value;
            befores[i] = before;
            afters[i] = after;
        }
        __syncthreads();
        if (at_work) {
            bool earlier = i >= distance, later = i + distance < count;
            Sum value_earlier = earlier ? values[i - distance] : zero<Sum>();
            Sum value_later = later ? values[i + distance] : zero<Sum>();
            Weight before_earlier = earlier ? befores[i - distance] : zero<Weight>();
            Weight after_earlier = earlier ? afters[i - distance] : zero<Weight>();
            Weight before_later = later ? befores[i + distance] : zero<Weight>();
            Weight after_later = later ? afters[i + distance] : zero<Weight>();
            Weight rest = multiply_add(convert<Weight>(1.0f), negative(before), after_earlier);
            Weight scale = reciprocal(multiply_add(rest, negative(after), before_later));
            value = multiply(scale, multiply_add(multiply_add(value, before, value_earlier), after, value_later));
            before = multiply(scale, multiply(before, before_earlier));
            after = multiply(scale, multiply(after, after_later));
        }
    }
    if (at_work) y[system.in(of_y) + i * of_y.axis] = value;
}
#endif
