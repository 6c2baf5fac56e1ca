// Along one axis: y[i] = sum_j weights[j] x~[first + i + j].
//
// correlate_rows     the axis is the fastest in memory, or has up to 31 interleaved channels inside: a tile of samples in
//                    shared memory, ROW_OUTPUTS neighbouring outputs a thread out of a window in registers
// correlate_columns  an axis with others inside: threads side by side on the fastest axis, each with COLUMN_OUTPUTS
//                    outputs along the axis out of a window in registers; no shared memory, every load coalesced
//
// Both read one new sample for ROW_OUTPUTS or COLUMN_OUTPUTS products. Sums of `group` products join a total.
#include "numbers.cuh"
#include "boundary.cuh"
#include "weights.cuh"

#ifndef BOUNDARY
#define BOUNDARY REFLECT
#endif

// Odd, so that threads that stand ROW_OUTPUTS samples apart read different banks of shared memory.
constexpr int ROW_OUTPUTS = 7;
// Eight-byte sums and two samples of a window in registers still leave room for four warps to a scheduler.
constexpr int COLUMN_OUTPUTS = sizeof(Sum) <= 8 ? 8 : 4;

// Blocks to a multiprocessor: without it ptxas takes fewer registers than the window needs, and spills.
constexpr int BLOCKS = sizeof(Sum) <= 8 ? 2 : 1;

// Adds to total[k] the products of `taps` weights from `first_tap` on with samples k, k + 1, ... of a line. `line.next()`
// is the next sample. The window turns instead of moving: its first sample stands at tap % outputs.
template <int outputs, class Line>
__device__ inline void correlate_window(Line& line, const Weights& weights, int first_tap, int taps, int group,
                                        Sum (&total)[outputs]) {
    Sample window[outputs];
#pragma unroll
    for (int k = 0; k < outputs - 1; ++k) window[k] = line.next();
    // `group` is a multiple of `outputs`, but for the last: every group finds the window unturned.
    for (int done = 0; done < taps; done += group) {
        int stop = smaller(done + group, taps), tap = done;
        Sum partial[outputs];
#pragma unroll
        for (int k = 0; k < outputs; ++k) partial[k] = zero<Sum>();
        for (; tap + outputs <= stop; tap += outputs) {
#pragma unroll
            for (int turn = 0; turn < outputs; ++turn) {
                window[(turn + outputs - 1) % outputs] = line.next();
                Weight weight = weights[first_tap + tap + turn];
#pragma unroll
                for (int k = 0; k < outputs; ++k)
                    partial[k] = multiply_add(partial[k], weight, window[(turn + k) % outputs]);
            }
        }
#pragma unroll
        for (int turn = 0; turn < outputs - 1; ++turn) {
            if (tap + turn >= stop) break;
            window[(turn + outputs - 1) % outputs] = line.next();
            Weight weight = weights[first_tap + tap + turn];
#pragma unroll
            for (int k = 0; k < outputs; ++k)
                partial[k] = multiply_add(partial[k], weight, window[(turn + k) % outputs]);
        }
#pragma unroll
        for (int k = 0; k < outputs; ++k) total[k] = add(total[k], partial[k]);
    }
}

template <int outputs> __device__ inline void advance(Sample (&window)[outputs], Sample next) {
#pragma unroll
    for (int k = 0; k < outputs - 1; ++k) window[k] = window[k + 1];
    window[outputs - 1] = next;
}

// The same sample by sample, for the few blocks that reach beyond the ends: there a sample takes longer to find than its
// products do, and a loop unrolled around that was half of what this file took to compile.
template <int outputs, class Line>
__device__ inline void correlate_stepwise(Line& line, const Weights& weights, int taps, int group,
                                          Sum (&total)[outputs]) {
    Sample window[outputs];
#pragma unroll
    for (int k = 0; k < outputs; ++k) window[k] = zero<Sample>();
#pragma unroll 1
    for (int ahead = 1; ahead < outputs; ++ahead) advance(window, line.next());
    for (int done = 0; done < taps; done += group) {
        int stop = smaller(done + group, taps);
        Sum partial[outputs];
#pragma unroll
        for (int k = 0; k < outputs; ++k) partial[k] = zero<Sum>();
#pragma unroll 1
        for (int tap = done; tap < stop; ++tap) {
            advance(window, line.next());
            Weight weight = weights[tap];
#pragma unroll
            for (int k = 0; k < outputs; ++k) partial[k] = multiply_add(partial[k], weight, window[k]);
        }
#pragma unroll
        for (int k = 0; k < outputs; ++k) total[k] = add(total[k], partial[k]);
    }
}

struct LineInside {
    const Storage* at;
    int64 stride;
    __device__ Sample next() {
        Sample sample = load(at);
        at += stride;
        return sample;
    }
};

struct LineBeyond {
    const Storage* line;
    int64 stride, position, size;
    Sample fill;
    __device__ Sample next() { return sample_at<BOUNDARY>(line, stride, position++, size, fill); }
};

struct LineShared {
    const Sample* at;
    int stride;
    __device__ Sample next() {
        Sample sample = *at;
        at += stride;
        return sample;
    }
};

// A block has `lanes` positions on the inner axis and blockDim.x / lanes threads along the axis for each of them. Blocks
// follow one another along the inner axis, then along the axis, then over what is outside: `low` positions of the faster
// of two outer axes, from number `outer_first` on.
#if !defined(ONLY) || defined(ONLY_correlate_columns)
extern "C" __global__ void __launch_bounds__(256, BLOCKS)
    correlate_columns(const Storage* __restrict__ x, Result* __restrict__ y, WEIGHTS_PARAMETER, Sample fill, int64 size,
                      int64 first, int64 count, int32 taps, int32 group, int64 inner, int32 lanes, uint32 inner_tiles,
                      uint32 axis_tiles, int64 outer_first, int64 low, int64 x_high, int64 x_low, int64 x_axis,
                      int64 x_inner, int64 y_high, int64 y_low, int64 y_axis, int64 y_inner) {
    uint32 tile = blockIdx.x % inner_tiles, rest = blockIdx.x / inner_tiles;
    int64 outer = outer_first + rest / axis_tiles;
    int64 high = outer, in_low = 0;
    if (low != 1) {
        high = outer / low;
        in_low = outer - high * low;
    }
    int lane = (int)threadIdx.x % lanes, part = (int)threadIdx.x / lanes;
    int block_outputs = (int)blockDim.x / lanes * COLUMN_OUTPUTS;
    int64 position = (int64)tile * lanes + lane;
    int64 block_output = (int64)(rest % axis_tiles) * block_outputs, output = block_output + part * COLUMN_OUTPUTS;
    if (position >= inner || output >= count) return;

    const Storage* line = x + high * x_high + in_low * x_low + position * x_inner;
    Sum total[COLUMN_OUTPUTS];
#pragma unroll
    for (int k = 0; k < COLUMN_OUTPUTS; ++k) total[k] = zero<Sum>();
    if (all_inside<int64>(first + block_output, block_outputs + taps - 1, size)) {
        LineInside samples = {line + (first + output) * x_axis, x_axis};
        correlate_window(samples, weights, 0, taps, group, total);
    } else {
        LineBeyond samples = {line, x_axis, first + output, size, fill};
        // Of eight-byte integers ptxas spills the loop that is not unrolled.
        if constexpr (Integer<Sum>::value && sizeof(Sum) == 8) correlate_window(samples, weights, 0, taps, group, total);
        else correlate_stepwise(samples, weights, taps, group, total);
    }

    Result* target = y + high * y_high + in_low * y_low + position * y_inner + output * y_axis;
#pragma unroll
    for (int k = 0; k < COLUMN_OUTPUTS; ++k)
        if (output + k < count) store(target + k * y_axis, total[k]);
}
#endif

// Samples lie `step` apart, `inner` channels side by side. A block has `rows` rows with `parts * inner` threads each,
// which make a tile of parts * ROW_OUTPUTS outputs of every channel. Taps come in rounds that fit shared memory.
#if !defined(ONLY) || defined(ONLY_correlate_rows)
extern "C" __global__ void __launch_bounds__(256, BLOCKS)
    correlate_rows(const Storage* __restrict__ x, Result* __restrict__ y, WEIGHTS_PARAMETER, Sample fill, int64 size,
                   int64 first, int64 count, int32 taps, int32 group, int32 round, int32 inner, int32 parts, int32 rows,
                   uint32 tiles, int64 outer_first, int64 outer_stop, int64 low, int64 x_high, int64 x_low, int64 x_step,
                   int64 y_high, int64 y_low, int64 y_step) {
    DYNAMIC_SHARED;
    int threads = parts * inner, row = (int)threadIdx.x / threads, place = (int)threadIdx.x - row * threads;
    int part = place / inner, channel = place - part * inner;
    int64 outer = outer_first + (int64)(blockIdx.x / tiles) * rows + row;
    bool at_work = row < rows && outer < outer_stop;
    int64 high = outer, in_low = 0;
    if (low != 1) {
        high = outer / low;
        in_low = outer - high * low;
    }
    int tile_outputs = parts * ROW_OUTPUTS, length = tile_outputs + round - 1;
    int64 output = (int64)(blockIdx.x % tiles) * tile_outputs, start = first + output;
    const Storage* line = x + high * x_high + in_low * x_low + channel * x_step;
    Sample* tile = (Sample*)dynamic_shared + row * length * inner + channel;

    Sum total[ROW_OUTPUTS];
#pragma unroll
    for (int k = 0; k < ROW_OUTPUTS; ++k) total[k] = zero<Sum>();
    for (int done = 0; done < taps; done += round, start += round) {
        int now = smaller(round, taps - done), needed = tile_outputs + now - 1;
        if (done) __syncthreads();
        if (at_work) {
            // Not all of the last tile is needed: what lies behind would be taken for a border.
            int wanted = (int)smaller<int64>(needed, count - output + now - 1);
            if (all_inside<int64>(start, wanted, size)) {
                const Storage* from = line + (start + part) * inner * x_step;
                int64 further = (int64)parts * inner * x_step;
#pragma unroll 4
                for (int i = part; i < wanted; i += parts, from += further) tile[i * inner] = load(from);
            } else {
                for (int i = part; i < wanted; i += parts)
                    tile[i * inner] = sample_at<BOUNDARY>(line, inner * x_step, start + i, size, fill);
            }
            for (int i = larger(wanted, 0) + part; i < needed; i += parts) tile[i * inner] = zero<Sample>();
        }
        __syncthreads();
        if (at_work) {
            LineShared samples = {tile + part * ROW_OUTPUTS * inner, inner};
            correlate_window(samples, weights, done, now, group, total);
        }
    }

    // By way of shared memory, so that neighbouring threads write neighbouring results.
    __syncthreads();
    Sum* sums = (Sum*)dynamic_shared + row * tile_outputs * inner + channel;
    if (at_work) {
#pragma unroll
        for (int k = 0; k < ROW_OUTPUTS; ++k) sums[(part * ROW_OUTPUTS + k) * inner] = total[k];
    }
    __syncthreads();
    if (at_work) {
        Result* target = y + high * y_high + in_low * y_low + (output * inner + channel) * y_step;
        int wanted = (int)smaller<int64>(tile_outputs, count - output);
        for (int i = part; i < wanted; i += parts) store(target + (int64)i * inner * y_step, sums[i * inner]);
    }
}
#endif
