// Windows and channels at once: what layers of neural networks compute, and the two adjoints of that.
//
//     y[b, o, i] = sum over c, j of kernel[o, c, j] x~[b, c, first + stride i + dilation j]         ADJOINT 0
//     kernel[o, c, j] = sum over b, i of conj(x~[b, c, first + stride i + dilation j]) y[b, o, i]   ADJOINT 1
//
// within each group of channels. The adjoint in x is the first of these, of y with the kernel turned round (channels.py).
//
// Contract. Both are products of matrices, C[m, n] = sum over k of A[m, k] B[k, n], of which B is made of samples while
// loading: m counts outputs o of a group; one of n and k counts *positions* (b, i), the other *taps* (c, j). A position
// and a tap each have a place in x, in coordinates along the axes and an offset for the rest, and the two are added; each
// has an offset in one other array, A or C. AXES axes of space, one boundary for each; all arrays may have any strides.
//
// Layout. A block has a tile of m_threads M_EACH by n_threads N_EACH of C, 256 wide at most, a thread M_EACH neighbours along m and N_EACH
// along n, n_threads apart, so that a warp reads and writes neighbours. DEPTH rows of A and B at a time come through
// shared memory; where they lie is worked out by DEPTH threads, one step ahead. Products are added DEPTH `steps` at a
// time, and these sums to the total: bound 2 sqrt(products) eps.
//
// There are few weights and many positions, so that the adjoint has few tiles and long sums: these are cut into `slices`,
// each its own block with its own place to write, and `add_slices` adds them in their order. No atomics: results repeat
// bit by bit, on any device.
//
// Limits: with 8 x 4 outputs of float32 12 reads of shared memory for 32 products, and per step of 8 k about 140
// instructions of a thread to find its samples, for 256 products: half of the arithmetic peak at best. Groups of one
// channel have no use for it, and are limited by the search for samples.
#include "numbers.cuh"
#include "boundary.cuh"
#include "digits.cuh"

#ifndef ADJOINT
#define ADJOINT 0
#endif
// Of which factor the conjugate is taken: 0 neither, 1 A, 2 B.
#ifndef CONJUGATE
#define CONJUGATE 0
#endif
#ifndef AXES
#define AXES 2
#endif
#ifndef BOUNDARY_0
#define BOUNDARY_0 CONSTANT
#endif
#ifndef BOUNDARY_1
#define BOUNDARY_1 CONSTANT
#endif
#ifndef BOUNDARY_2
#define BOUNDARY_2 CONSTANT
#endif
#ifndef M_EACH
#define M_EACH 8
#endif
#ifndef N_EACH
#define N_EACH 4
#endif

constexpr int THREADS = 256;
constexpr int DEPTH = 8;

// An axis of space: samples of x, outputs, taps, and strides in x, y and the kernel.
struct Axis {
    int64 size, first, stride, dilation, count, taps, x_stride, y_stride, weight_stride;
};

// All of int64, as channels.py lays it out. `outputs` and `inputs` are those of a group.
struct Geometry {
    Axis axes[3];
    int64 batch, groups, outputs, inputs;
    int64 x_batch, x_channel, y_batch, y_channel, weight_output, weight_input;
    int64 m_threads, n_threads, m_tiles, n_tiles, slices, slice_length, slice_stride, steps, first_block;
};

// Where a position or a tap is: in x, and in the other array that it counts through.
struct Place {
    int64 x, other;
    Index at[AXES];
};

__device__ inline Place position_of(const Geometry& geometry, Count number) {
    Place place;
    place.other = 0;
#pragma unroll
    for (int axis = AXES - 1; axis >= 0; axis--) {
        const Axis& along = geometry.axes[axis];
        Count output = last_of(number, along.count);
        place.at[axis] = (Index)along.first + (Index)along.stride * (Index)output;
        place.other += (int64)output * along.y_stride;
    }
    place.x = (int64)number * geometry.x_batch;
    place.other += (int64)number * geometry.y_batch;
    return place;
}

__device__ inline Place tap_of(const Geometry& geometry, Count number) {
    Place place;
    place.other = 0;
#pragma unroll
    for (int axis = AXES - 1; axis >= 0; axis--) {
        const Axis& along = geometry.axes[axis];
        Count tap = last_of(number, along.taps);
        place.at[axis] = (Index)along.dilation * (Index)tap;
        place.other += (int64)tap * along.weight_stride;
    }
    place.x = (int64)number * geometry.x_channel;
    place.other += (int64)number * geometry.weight_input;
    return place;
}

// k and n as positions and taps, in the order that the product has.
__device__ inline Place k_place(const Geometry& geometry, Count k) {
    return ADJOINT ? position_of(geometry, k) : tap_of(geometry, k);
}
__device__ inline Place n_place(const Geometry& geometry, Count n) {
    return ADJOINT ? tap_of(geometry, n) : position_of(geometry, n);
}

template <class Value> __device__ inline Value conjugate(Value value) {
    if constexpr (PartOf<Value>::complex) return {value.real, -value.imaginary};
    else return value;
}

template <int boundary>
__device__ inline bool moved(const Axis& along, Index at, const Storage*& from) {
    Index source = source_index<boundary>(at, (Index)along.size);
    from += source * along.x_stride;
    return source >= 0;
}

__device__ inline Sample sample_of(const Geometry& geometry, const Storage* x, const Place& n, const Place& k,
                                   Sample fill) {
    const Storage* from = x + n.x + k.x;
    bool known = moved<BOUNDARY_0>(geometry.axes[0], n.at[0] + k.at[0], from);
#if AXES > 1
    known = moved<BOUNDARY_1>(geometry.axes[1], n.at[1] + k.at[1], from) && known;
#endif
#if AXES > 2
    known = moved<BOUNDARY_2>(geometry.axes[2], n.at[2] + k.at[2], from) && known;
#endif
    Sample sample = known ? load(from) : fill;
    return CONJUGATE == 2 ? conjugate(sample) : sample;
}

// `a` is the kernel, or y for the adjoint; `c` the other one, or slices of it.
#if !defined(ONLY) || defined(ONLY_correlate_channels)
extern "C" __global__ void correlate_channels(const Storage* __restrict__ x, const Weight* __restrict__ a,
                                              Result* __restrict__ c, Sample fill,
                                              const __grid_constant__ Geometry geometry) {
    DYNAMIC_SHARED;
    __shared__ Place places[2][DEPTH];
    int thread = threadIdx.x, m_threads = (int)geometry.m_threads, n_threads = (int)geometry.n_threads;
    int high = m_threads * M_EACH, wide = n_threads * N_EACH;
    Sample* b_tile = (Sample*)dynamic_shared;
    Weight* a_tile = (Weight*)(b_tile + DEPTH * wide);

    Count block = (Count)geometry.first_block + blockIdx.x;
    Count n_first = last_of(block, geometry.n_tiles) * wide;
    Count m_first = last_of(block, geometry.m_tiles) * high;
    Count slice = last_of(block, geometry.slices);
    int64 group = block;
    Count positions = (Count)geometry.batch, taps = (Count)geometry.inputs, outputs = (Count)geometry.outputs;
#pragma unroll
    for (int axis = 0; axis < AXES; axis++) {
        positions *= (Count)geometry.axes[axis].count;
        taps *= (Count)geometry.axes[axis].taps;
    }
    Count n_count = ADJOINT ? taps : positions, k_count = ADJOINT ? positions : taps;
    Count k_first = slice * (Count)geometry.slice_length;
    Count k_stop = smaller(k_count, k_first + (Count)geometry.slice_length);
    x += group * geometry.inputs * geometry.x_channel;
    int64 a_m = ADJOINT ? geometry.y_channel : geometry.weight_output;
    int64 c_m = ADJOINT ? geometry.weight_output : geometry.y_channel;
    a += (group * geometry.outputs + m_first) * a_m;
    c += (group * geometry.outputs + m_first) * c_m + slice * geometry.slice_stride;

    // What a thread loads: one column of B. Columns past the last one get samples of the last, and are not written out.
    int down = THREADS / wide, column = thread % wide, row = thread / wide;
    Place mine = n_place(geometry, smaller(n_first + column, n_count - 1));
    int tm = thread / n_threads, tn = thread % n_threads;
    bool active = tm < m_threads;

    Sum part[M_EACH][N_EACH], whole[M_EACH][N_EACH];
#pragma unroll
    for (int i = 0; i < M_EACH; i++)
#pragma unroll
        for (int j = 0; j < N_EACH; j++) part[i][j] = whole[i][j] = zero<Sum>();

    if (thread < DEPTH && k_first + thread < k_stop) places[0][thread] = k_place(geometry, k_first + thread);
    __syncthreads();
    int current = 0, steps = 0;
    for (Count k = k_first; k < k_stop; k += DEPTH, current ^= 1) {
        const Place* now = places[current];
        int deep = (int)smaller((Count)DEPTH, k_stop - k);
        for (int at = row; row < down && at < deep; at += down)
            b_tile[at * wide + column] = sample_of(geometry, x, mine, now[at], fill);
        // Neighbouring threads read what lies nearer: taps of a kernel, positions of y.
        for (int at = thread; at < high * DEPTH; at += THREADS) {
            int m = at / DEPTH, depth = at % DEPTH;
            if (depth >= deep) continue;
            Weight weight = a[smaller((Count)m, outputs - 1 - m_first) * a_m + now[depth].other];
            a_tile[depth * high + m] = CONJUGATE == 1 ? conjugate(weight) : weight;
        }
        Count next = k + DEPTH + thread;
        if (thread < DEPTH && next < k_stop) places[current ^ 1][thread] = k_place(geometry, next);
        __syncthreads();
        if (active) {
            for (int depth = 0; depth < deep; depth++) {
                Weight weights[M_EACH];
                Sample samples[N_EACH];
#pragma unroll
                for (int i = 0; i < M_EACH; i++) weights[i] = a_tile[depth * high + tm * M_EACH + i];
#pragma unroll
                for (int j = 0; j < N_EACH; j++) samples[j] = b_tile[depth * wide + j * n_threads + tn];
#pragma unroll
                for (int i = 0; i < M_EACH; i++)
#pragma unroll
                    for (int j = 0; j < N_EACH; j++) part[i][j] = multiply_add(part[i][j], weights[i], samples[j]);
            }
            if (++steps == (int)geometry.steps) {
                steps = 0;
#pragma unroll
                for (int i = 0; i < M_EACH; i++)
#pragma unroll
                    for (int j = 0; j < N_EACH; j++) {
                        whole[i][j] = add(whole[i][j], part[i][j]);
                        part[i][j] = zero<Sum>();
                    }
            }
        }
        __syncthreads();
    }
    if (!active) return;
#pragma unroll
    for (int j = 0; j < N_EACH; j++) {
        Count n = n_first + j * n_threads + tn;
        if (n >= n_count) continue;
        Result* to = c + n_place(geometry, n).other;
#pragma unroll
        for (int i = 0; i < M_EACH; i++) {
            if (m_first + tm * M_EACH + i < outputs) store(to + (tm * M_EACH + i) * c_m, add(whole[i][j], part[i][j]));
        }
    }
}
#endif

// y[i] = sum over s of x[s, i], s in its order.
#if !defined(ONLY) || defined(ONLY_add_slices)
extern "C" __global__ void add_slices(const Sum* __restrict__ x, Result* __restrict__ y, int64 count, int64 slices) {
    int64 i = (int64)blockIdx.x * THREADS + threadIdx.x;
    if (i >= count) return;
    Sum sum = x[i];
    for (int64 slice = 1; slice < slices; slice++) sum = add(sum, x[slice * count + i]);
    store(y + i, sum);
}
#endif
