// Two axes in one sweep: every sample is read once and every result written once.
//
//     y[b, o, p] = sum over j, k of columns[j] lines[k] x~[b, slow_first + o + j, fast_first + p + k]
//
// A block marches down a strip of WIDTH columns, one thread a column, ROWS rows a step:
//
//   1. ROWS extended rows of x go to shared memory: boundaries are found here and nowhere else;
//   2. each thread sums along two pieces of four neighbours in a row, so that a loaded sample serves four sums, into a
//      ring of rows in shared memory that holds what the columns below need;
//   3. each thread sums ROWS results down its column, a loaded value again serving ROWS sums.
//
// About ten words of shared memory move per result at 17 taps an axis, and 32 words move per clock: half as long as the
// result takes to and from memory. The taps are run-time loops; a value is never multiplied by a tap of padding, since a
// NaN would come out of that.
//
// Several kernels share the read: up to three lists of taps along the fast axis, the lines, and up to three along the slow
// one, each on one of the lines. Where `summed`, results are added up in y0, and `before`, if there is one, to that: what
// a column adds to is in the same registers either way.
#include "numbers.cuh"
#include "boundary.cuh"
#include "weights.cuh"
#include "copies.cuh"

#ifndef BOUNDARY_SLOW
#define BOUNDARY_SLOW NEAREST
#endif
#ifndef BOUNDARY_FAST
#define BOUNDARY_FAST NEAREST
#endif
#ifndef WIDTH
#define WIDTH 128
#endif

constexpr int ROWS = 8;
constexpr int PIECE = 4;

// Taps `weights` to `weights + taps` of the list, the first of them at sample `shift` of what the block has loaded;
// `group` products, a multiple of ROWS, are added before their sum joins the total.
struct Part {
    int32 taps, weights, shift, group;
};
struct Program {
    Part lines[3];
    Part columns[3];
    int32 line_of[3];
    int32 line_count, output_count, summed;
};
// Up to four axes beside the two, the fastest first: positions, and strides in x and in y.
struct Batch {
    int64 count[4], from[4], to[4];
};
struct Axis {
    int64 size, first, count, from, to;
};
// Where the work of a block lies: blocks from `first_block` on, strips fastest, then segments of `rows` rows.
struct Cut {
    int64 first_block, strips, segments, rows;
};

// One or more transfers of 128 bits, each of a warp's without bank conflicts.
template <class Value> struct alignas(16) Four {
    Value at[PIECE];
};

// COUNT neighbouring sums: total[i] += sum over j of weights[j] get(i + j). `get` is asked for no more than two COUNTs
// beyond the taps; what it gives there is not used.
template <int COUNT, class Value, class Get>
__device__ inline void correlate(Sum (&total)[COUNT], const Part& part, const Weights& weights, const Get& get) {
    Value window[2 * COUNT];
    Sum partial[COUNT];
    get(window, 0);
    for (int i = 0; i < COUNT; i++) partial[i] = zero<Sum>();
    int summed = 0;
    for (int j = 0; j < part.taps; j += COUNT) {
        get(window + COUNT, j + COUNT);
#pragma unroll
        for (int step = 0; step < COUNT; step++) {
            if (j + step < part.taps) {
                Weight weight = weights[part.weights + j + step];
#pragma unroll
                for (int i = 0; i < COUNT; i++) partial[i] = multiply_add(partial[i], weight, window[step + i]);
            }
        }
        summed += COUNT;
        if (summed >= part.group) {
            for (int i = 0; i < COUNT; i++) {
                total[i] = add(total[i], partial[i]);
                partial[i] = zero<Sum>();
            }
            summed = 0;
        }
        for (int i = 0; i < COUNT; i++) window[i] = window[COUNT + i];
    }
    for (int i = 0; i < COUNT; i++) total[i] = add(total[i], partial[i]);
}

// Pieces of a row in shared memory.
struct AlongRow {
    const Sample* row;
    int start, loaded;
    __device__ void operator()(Sample* window, int position) const {
        int at = start + position;
        if (at + PIECE <= loaded && at % PIECE == 0) {
            Four<Sample> four = *(const Four<Sample>*)(row + at);
            for (int i = 0; i < PIECE; i++) window[i] = four.at[i];
        } else {
            for (int i = 0; i < PIECE; i++) window[i] = at + i < loaded ? row[at + i] : zero<Sample>();
        }
    }
};

// A column of the ring, whose row `first_slot` is the oldest; only rows from `lowest` to `highest` have been written.
struct DownColumn {
    const Sum* column;
    int first_slot, slots, lowest, highest;
    __device__ void operator()(Sum* window, int position) const {
        for (int i = 0; i < ROWS; i++) {
            int row = position + i;
            int slot = first_slot + row;
            if (slot >= slots) slot -= slots;
            window[i] = row >= lowest && row < highest ? column[slot * WIDTH] : zero<Sum>();
        }
    }
};

__device__ inline void load_row(Sample* row, const Storage* x, int64 line, int64 column, int loaded, const Axis& slow,
                                const Axis& fast, Sample fill) {
    int64 source = source_index<BOUNDARY_SLOW>(line, slow.size);
    if (source < 0) {
        for (int i = threadIdx.x; i < loaded; i += WIDTH) row[i] = fill;
        return;
    }
    const Storage* from = x + source * slow.from;
    if (all_inside(column, (int64)loaded, fast.size)) {
        from += column * fast.from;
        // The rows of a step are under way together where they are copied asynchronously.
#pragma unroll 1
        for (int i = threadIdx.x; i < loaded; i += WIDTH) copy_sample(row + i, from + i * fast.from);
    } else {
#pragma unroll 1
        for (int i = threadIdx.x; i < loaded; i += WIDTH) {
            const Sample sample = sample_at<BOUNDARY_FAST>(from, fast.from, column + i, fast.size, fill);
            row[i] = sample;
        }
    }
}

__device__ inline void sum_rows(Sum* ring, const Sample* rows, int pitch, int loaded, int first_slot, int slots,
                                int height, const Program& program, const Weights& weights) {
    for (int task = threadIdx.x; task < ROWS * WIDTH / PIECE; task += WIDTH) {
        int row = task / (WIDTH / PIECE), start = task % (WIDTH / PIECE) * PIECE;
        if (row >= height) continue;
        int slot = first_slot + row;
        if (slot >= slots) slot -= slots;
        for (int line = 0; line < program.line_count; line++) {
            const Part& part = program.lines[line];
            Four<Sum> four;
            for (int i = 0; i < PIECE; i++) four.at[i] = zero<Sum>();
            correlate<PIECE, Sample>(four.at, part, weights, AlongRow{rows + row * pitch, start + part.shift, loaded});
            *(Four<Sum>*)(ring + ((line * slots + slot) * WIDTH + start)) = four;
        }
    }
}

extern "C" __global__ void separable(const Storage* x, const Sum* before, Result* y0, Result* y1, Result* y2,
                                     WEIGHTS_PARAMETER, Sample fill, const __grid_constant__ Program program,
                                     const __grid_constant__ Batch batch, const __grid_constant__ Axis slow,
                                     const __grid_constant__ Axis fast, const __grid_constant__ Cut cut,
                                     int32 slow_taps, int32 loaded) {
    DYNAMIC_SHARED;
    const int slots = slow_taps - 1 + ROWS;
    Sum* ring = (Sum*)dynamic_shared;
    Sample* rows = (Sample*)(ring + program.line_count * slots * WIDTH);

    int64 block = cut.first_block + blockIdx.x;
    const int64 column = block % cut.strips * WIDTH;
    block /= cut.strips;
    const int64 top = block % cut.segments * cut.rows;
    block /= cut.segments;
    int64 to = 0;
    for (int axis = 0; axis < 4; axis++) {
        int64 position = block % batch.count[axis];
        block /= batch.count[axis];
        x += position * batch.from[axis];
        to += position * batch.to[axis];
    }
    const int64 height = smaller(cut.rows, slow.count - top);
    const int64 extended = height + slow_taps - 1;
    const bool writes = column + threadIdx.x < fast.count;
    to += top * slow.to + (column + threadIdx.x) * fast.to;

    int slot = 0;
    for (int64 done = 0; done < extended; done += ROWS) {
        const int fresh = (int)smaller((int64)ROWS, extended - done);
        for (int row = 0; row < fresh; row++)
            load_row(rows + row * loaded, x, slow.first + top + done + row, fast.first + column, loaded, slow, fast, fill);
        await_copies();
        __syncthreads();
        sum_rows(ring, rows, loaded, loaded, slot, slots, fresh, program, weights);
        __syncthreads();
        slot += ROWS;
        if (slot >= slots) slot -= slots;

        // Rows of the ring from the oldest on: its first result is that of output row `first`.
        const int64 first = done - (slow_taps - 1);
        if (first + ROWS <= 0 || !writes) continue;
        const int lowest = (int)(first < 0 ? -first : 0), highest = slow_taps - 1 + fresh;
        Sum sums[ROWS];
        for (int output = 0; output < program.output_count; output++) {
            const Part& part = program.columns[output];
            if (!program.summed || output == 0)
                for (int i = 0; i < ROWS; i++) sums[i] = zero<Sum>();
            int oldest = slot + part.shift;
            if (oldest >= slots) oldest -= slots;
            const Sum* of_line = ring + program.line_of[output] * slots * WIDTH + threadIdx.x;
            correlate<ROWS, Sum>(sums, part, weights,
                                 DownColumn{of_line, oldest, slots, lowest - part.shift, highest - part.shift});
            if (program.summed && output + 1 < program.output_count) continue;
#pragma unroll
            for (int i = 0; i < ROWS; i++) {
                if (i < lowest || first + i >= height) continue;
                int64 at = to + (first + i) * slow.to;
                if (before) sums[i] = add(sums[i], before[at]);
                store((program.summed || output == 0 ? y0 : output == 1 ? y1 : y2) + at, sums[i]);
            }
        }
    }
}
