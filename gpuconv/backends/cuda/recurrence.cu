// Linear recurrences: y[n] = x[n] - sum_k feedback[k - 1] y[n - k] along one axis, for k from 1 to ORDER.
//
// A line is cut into segments of equal length, a thread each. What a segment needs of those before it is its state: the
// ORDER outputs before its first, the newest first.
//
// end_segments    the state behind each segment, as if nothing had gone before it
// carry_segments  from these the state that each segment really begins with: a block for each line
// run_segments    the outputs; alone where lines are their only segment
//
// Threads side by side have lines side by side, where the axis is not the fastest in memory, or segments of one line.
// `states` holds number k of all states, then number k + 1: that of segment s of line (outer, inner) at
// (outer * segments + s) * inside + inner.
//
// WEIGHT is the dtype of the coefficients, which come negated, SUM that of samples and outputs; STORAGE, SAMPLE and RESULT
// are SUM. WEIGHTS is ORDER. States are carried in double precision, CARRIED, by matrices of dtype FACTOR: their numbers
// are large where poles are close to each other, and what they make cancels.
#ifndef CARRIED
#define CARRIED float64
#define FACTOR float64
#endif
#include "numbers.cuh"
#include "weights.cuh"

typedef CARRIED Carried;
typedef FACTOR Factor;

#define ORDER WEIGHTS
// Samples on their way from memory at once: 32 bytes, or what a cache gives at a time.
constexpr int BATCH = 32 / sizeof(Sum);
// Threads whose states and scratch fit 32 KB: launch bounds that are too wide make ptxas spill.
constexpr int CARRY_THREADS = smaller(1024, (int)(16384 / (ORDER * sizeof(Carried))));
constexpr int RUN_BLOCKS = ORDER * sizeof(Sum) <= 128 ? 4 : 2;

// Strides of an array in elements: outside of the axis, the axis, inside of it.
struct Strides {
    int64 high, low, axis, inner;
};

// A line's segments: `count` samples in all, `length` in each but the last; lines are `outside` times `inside`, and
// what is outside has `low` positions on the faster of its two axes.
struct Segments {
    int64 count, length, segments, low, inside, total;
};

struct Segment {
    int64 segment, high, low, inner;
    __device__ int64 in(const Strides& strides) const {
        return high * strides.high + low * strides.low + inner * strides.inner;
    }
};

__device__ inline Segment segment_of(int64 number, const Segments& all) {
    int64 rest = number / all.inside, outer = rest / all.segments, high = outer / all.low;
    return {rest - outer * all.segments, high, outer - high * all.low, number - rest * all.inside};
}

struct State {
    Sum at[ORDER];

    __device__ void clear() {
        #pragma unroll
        for (int k = 0; k < ORDER; ++k) at[k] = zero<Sum>();
    }
    // The oldest outputs first, so that one multiply-add waits for the output before.
    __device__ Sum next(Sum value, const Weights& weights) {
        #pragma unroll
        for (int k = ORDER - 1; k >= 0; --k) value = multiply_add(value, weights[k], at[k]);
        #pragma unroll
        for (int k = ORDER - 1; k > 0; --k) at[k] = at[k - 1];
        at[0] = value;
        return value;
    }
};

// `initial` has the `given` outputs before the line, the newest last.
__device__ inline State first_state(const Sum* __restrict__ initial, int given, const Segment& place,
                                    const Strides& of_initial) {
    State state;
    const Sum* line = initial + place.in(of_initial);
    #pragma unroll
    for (int k = 0; k < ORDER; ++k) state.at[k] = k < given ? line[(given - 1 - k) * of_initial.axis] : zero<Sum>();
    return state;
}

#if !defined(ONLY) || defined(ONLY_end_segments)
extern "C" __global__ void __launch_bounds__(128, RUN_BLOCKS)
    end_segments(const Sum* __restrict__ x, const Sum* __restrict__ initial, Carried* __restrict__ states,
                 WEIGHTS_PARAMETER, int32 given, const __grid_constant__ Segments all,
                 const __grid_constant__ Strides of_x, const __grid_constant__ Strides of_initial) {
    int64 number = (int64)blockIdx.x * blockDim.x + threadIdx.x;
    if (number >= all.total) return;
    Segment place = segment_of(number, all);
    if (place.segment == all.segments - 1) return;
    State state;
    if (place.segment == 0) state = first_state(initial, given, place, of_initial);
    else state.clear();
    const Sum* line = x + place.in(of_x) + place.segment * all.length * of_x.axis;
    int64 n = 0;
    for (; n + BATCH <= all.length; n += BATCH) {
        Sum samples[BATCH];
        #pragma unroll
        for (int i = 0; i < BATCH; ++i) samples[i] = line[(n + i) * of_x.axis];
        #pragma unroll
        for (int i = 0; i < BATCH; ++i) state.next(samples[i], weights);
    }
    for (; n < all.length; ++n) state.next(line[n * of_x.axis], weights);
    #pragma unroll
    for (int k = 0; k < ORDER; ++k) states[k * all.total + number + all.inside] = convert<Carried>(state.at[k]);
}
#endif

// Row by row of `matrix`: state = ended + matrix * state. States of a block lie in shared memory number by number, so
// that threads side by side read side by side.
__device__ inline void carry(Carried* state, Carried* scratch, int threads, const Factor* __restrict__ matrix,
                             const Carried* ended, int64 step) {
    for (int k = 0; k < ORDER; ++k) {
        Carried value = ended ? ended[k * step] : zero<Carried>();
        #pragma unroll
        for (int j = 0; j < ORDER; ++j) value = multiply_add(value, matrix[k * ORDER + j], state[j * threads]);
        scratch[k * threads] = value;
    }
    for (int k = 0; k < ORDER; ++k) state[k * threads] = scratch[k * threads];
}

// Each thread has `chunk` segments after one another. `matrices` are those that take a state across a segment, and
// across 1, 2, 4, ... chunks. The states of segment 1 are what they should be, those of segment 0 are not there.
#if !defined(ONLY) || defined(ONLY_carry_segments)
extern "C" __global__ void __launch_bounds__(CARRY_THREADS, 1)
    carry_segments(const Factor* __restrict__ matrices, Carried* __restrict__ states, int64 chunk,
                   const __grid_constant__ Segments all) {
    DYNAMIC_SHARED;
    int threads = (int)blockDim.x, own = (int)threadIdx.x;
    Carried* state = (Carried*)dynamic_shared + own;
    Carried* scratch = state + ORDER * threads;
    int64 outer = (int64)blockIdx.x / all.inside, inner = (int64)blockIdx.x - outer * all.inside;
    Carried* line = states + outer * all.segments * all.inside + inner;
    int64 begin = own * chunk, end = smaller(begin + chunk, all.segments);

    for (int k = 0; k < ORDER; ++k) state[k * threads] = zero<Carried>();
    for (int64 segment = begin; segment < end; ++segment)
        carry(state, scratch, threads, matrices, segment > 0 ? line + segment * all.inside : nullptr, all.total);

    const Factor* matrix = matrices + ORDER * ORDER;
    for (int distance = 1; distance < threads; distance *= 2) {
        __syncthreads();
        if (own >= distance)
            for (int k = 0; k < ORDER; ++k) {
                Carried value = state[k * threads];
                #pragma unroll
                for (int j = 0; j < ORDER; ++j)
                    value = multiply_add(value, matrix[k * ORDER + j], state[j * threads - distance]);
                scratch[k * threads] = value;
            }
        __syncthreads();
        if (own >= distance)
            for (int k = 0; k < ORDER; ++k) state[k * threads] = scratch[k * threads];
        matrix += ORDER * ORDER;
    }

    __syncthreads();
    for (int k = 0; k < ORDER; ++k) scratch[k * threads] = own > 0 ? state[k * threads - 1] : zero<Carried>();
    __syncthreads();
    for (int k = 0; k < ORDER; ++k) state[k * threads] = scratch[k * threads];
    for (int64 segment = begin; segment < end; ++segment) {
        Carried* ended = line + segment * all.inside;
        carry(state, scratch, threads, matrices, segment > 0 ? ended : nullptr, all.total);
        if (segment > 0)
            for (int k = 0; k < ORDER; ++k) ended[k * all.total] = state[k * threads];
    }
}
#endif

#if !defined(ONLY) || defined(ONLY_run_segments)
extern "C" __global__ void __launch_bounds__(128, RUN_BLOCKS)
    run_segments(const Sum* __restrict__ x, const Sum* __restrict__ initial, const Carried* __restrict__ states,
                 Sum* __restrict__ y, WEIGHTS_PARAMETER, int32 given, const __grid_constant__ Segments all,
                 const __grid_constant__ Strides of_x, const __grid_constant__ Strides of_initial,
                 const __grid_constant__ Strides of_y) {
    int64 number = (int64)blockIdx.x * blockDim.x + threadIdx.x;
    if (number >= all.total) return;
    Segment place = segment_of(number, all);
    State state;
    if (place.segment == 0) {
        state = first_state(initial, given, place, of_initial);
    } else {
        #pragma unroll
        for (int k = 0; k < ORDER; ++k) state.at[k] = convert<Sum>(states[k * all.total + number]);
    }
    int64 start = place.segment * all.length, length = smaller(all.length, all.count - start);
    const Sum* from = x + place.in(of_x) + start * of_x.axis;
    Sum* to = y + place.in(of_y) + start * of_y.axis;
    int64 n = 0;
    for (; n + BATCH <= length; n += BATCH) {
        Sum samples[BATCH];
        #pragma unroll
        for (int i = 0; i < BATCH; ++i) samples[i] = from[(n + i) * of_x.axis];
        #pragma unroll
        for (int i = 0; i < BATCH; ++i) to[(n + i) * of_y.axis] = state.next(samples[i], weights);
    }
    for (; n < length; ++n) to[n * of_y.axis] = state.next(from[n * of_x.axis], weights);
}
#endif
